/* SPDX-License-Identifier: MIT */
/*
 * From addresses to names: the kernel's own table, made by the second link (tools/ksyms.py), and one for each
 * module. The one reader, a bug check, takes no lock and has time to look at every symbol; the loader, under
 * its own lock, changes the list by one store each time.
 */
#include "kernel/kd/kdp.h"
#include "kernel/rtl/rtl.h"

#define KDP_SYMBOL_TEXT 160

/* Made by tools/ksyms.py. */
extern const ULONG KdSymbolCount;
extern KD_SYMBOL KdSymbolTable[];
extern const char KdSymbolNames[];

extern const char __text_start[], __kernel_end[];

static KD_SYMBOLS KdpKernelSymbols = {
    .Base = ARCH_KERNEL_BASE,
    .Start = (ULONG64)__text_start,
    .End = (ULONG64)__kernel_end,
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

/* A return address may lie behind its function's end, when the call was the last thing there: the call itself
   is looked up. */
static void KdpFormatSymbolOf(const KD_SYMBOLS *Symbols, ULONG64 Address, bool IsReturn, char *Buffer, SIZE_T Size)
{
    const KD_SYMBOL *Symbol = KdpFindSymbol(Symbols, Address - IsReturn - Symbols->Base);
    ULONG64 Offset = Address - Symbols->Base - (Symbol != NULL ? Symbol->Offset : 0);

    RtlPrint(Buffer, Size, Offset != 0 || IsReturn ? "%s%s%s+%#I64x" : "%s%s%s",
             Symbols->Module != NULL ? Symbols->Module : "", Symbols->Module != NULL ? "!" : "",
             Symbol != NULL ? Symbols->Names + Symbol->Name : ".text", Offset);
}

bool KdpFormatSymbol(ULONG64 Address, bool IsReturn, char *Buffer, SIZE_T Size)
{
    for (KD_SYMBOLS *Symbols = KdpSymbols; Symbols != NULL; Symbols = Symbols->Next) {
        if (Address - IsReturn - Symbols->Start < Symbols->End - Symbols->Start) {
            KdpFormatSymbolOf(Symbols, Address, IsReturn, Buffer, Size);
            return true;
        }
    }
    return false;
}

void KdpPrintSymbol(ULONG64 Address, bool IsReturn)
{
    char Text[KDP_SYMBOL_TEXT];
    if (KdpFormatSymbol(Address, IsReturn, Text, sizeof(Text))) {
        DbgPrint("%s", Text);
    }
}

PCSTR KdName(PCVOID Address, PSTR Buffer, SIZE_T Size)
{
    ULONG Tag;
    SIZE_T Offset;

    if (!KdpFormatSymbol((ULONG64)Address, false, Buffer, Size)) {
        if (KdHooks.DescribePool(Address, &Tag, &Offset)) {
            RtlPrint(Buffer, Size, "pool '%.4s'+%#I64x", (const char *)&Tag, (ULONG64)Offset);
        } else {
            RtlPrint(Buffer, Size, "%p", Address);
        }
    }
    return Buffer;
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
