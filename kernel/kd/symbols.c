/* SPDX-License-Identifier: MIT */
/*
 * From addresses to names: the kernel's own table, made by the second link (tools/ksyms.py), and one for each
 * module. The one reader, a bug check, takes no lock and has time to look at every symbol; the loader, under its
 * own lock, changes the list by one store each time.
 */
#include "kernel/kd/kdp.h"

/* Made by tools/ksyms.py. */
extern const ULONG KdSymbolCount;
extern KD_SYMBOL KdSymbolTable[];
extern const char KdSymbolNames[];

extern const char __text_start[], __text_end[];

static KD_SYMBOLS KdpKernelSymbols = {
    .Base = ARCH_KERNEL_BASE,
    .Start = (ULONG64)__text_start,
    .End = (ULONG64)__text_end,
    .Symbol = KdSymbolTable,
    .Names = KdSymbolNames,
};
static KD_SYMBOLS *volatile KdpSymbols = &KdpKernelSymbols;

ULONG KdpInitializeSymbols(void)
{
    KdpKernelSymbols.Count = KdSymbolCount;
    return KdSymbolCount;
}

/* The last symbol at or below the offset; NULL: none. */
static const KD_SYMBOL *KdpFindSymbol(const KD_SYMBOLS *Symbols, ULONG64 Offset)
{
    const KD_SYMBOL *Best = NULL;

    for (const KD_SYMBOL *Symbol = Symbols->Symbol; Symbol < Symbols->Symbol + Symbols->Count; Symbol++) {
        if (Symbol->Offset <= Offset && (Best == NULL || Symbol->Offset > Best->Offset)) {
            Best = Symbol;
        }
    }
    return Best;
}

static void KdpPrintSymbolOf(const KD_SYMBOLS *Symbols, ULONG64 Address, bool IsReturn)
{
    const KD_SYMBOL *Symbol = KdpFindSymbol(Symbols, Address - IsReturn - Symbols->Base);

    if (Symbols->Module != NULL) {
        DbgPrint("%s!", Symbols->Module);
    }
    DbgPrint("%s+%#I64x", Symbol != NULL ? Symbols->Names + Symbol->Name : ".text",
             Address - Symbols->Base - (Symbol != NULL ? Symbol->Offset : 0));
}

/* A return address may lie behind its function's end, when the call was the last thing there: the call itself
   is looked up. */
void KdpPrintSymbol(ULONG64 Address, bool IsReturn)
{
    for (KD_SYMBOLS *Symbols = KdpSymbols; Symbols != NULL; Symbols = Symbols->Next) {
        if (Address - IsReturn - Symbols->Start < Symbols->End - Symbols->Start) {
            KdpPrintSymbolOf(Symbols, Address, IsReturn);
            return;
        }
    }
}

/* Both under the loader's lock. */
void KdAddSymbols(KD_SYMBOLS *Symbols)
{
    Symbols->Next = KdpSymbols;
    __atomic_store_n(&KdpSymbols, Symbols, __ATOMIC_RELEASE);
}

void KdRemoveSymbols(KD_SYMBOLS *Symbols)
{
    KD_SYMBOLS *volatile *Link = &KdpSymbols;

    while (*Link != Symbols) { /* it is on the list */
        Link = (KD_SYMBOLS *volatile *)&(*Link)->Next;
    }
    __atomic_store_n(Link, Symbols->Next, __ATOMIC_RELEASE);
}
