/* SPDX-License-Identifier: MIT */
/*
 * From addresses to names: the kernel's own table, made by the second link (tools/ksyms.py), and one for each
 * module. Readers take no lock, for they run in a bug check; the loader, under its own lock, changes the list
 * of modules by one store each time.
 */
#include "kernel/kd/kdp.h"

/* Made by tools/ksyms.py, sorted by Offset. */
extern const ULONG KdSymbolCount;
extern const struct {
    ULONG Offset; /* from the kernel's base */
    ULONG Name;   /* offset in KdSymbolNames */
} KdSymbolTable[];
extern const char KdSymbolNames[];

extern const char __text_start[], __text_end[];

static KD_MODULE_SYMBOLS *volatile KdpModules;

/* How many symbols start at or below the address. */
static ULONG KdpCountKernelSymbols(ULONG64 Offset)
{
    ULONG Low = 0, High = KdSymbolCount;

    while (Low < High) {
        ULONG Middle = Low + (High - Low) / 2;
        if (KdSymbolTable[Middle].Offset <= Offset) {
            Low = Middle + 1;
        } else {
            High = Middle;
        }
    }
    return Low;
}

static bool KdpLookupKernel(ULONG64 Address, KD_SYMBOL *Symbol)
{
    ULONG64 Offset = Address - ARCH_KERNEL_BASE;
    ULONG Count = KdpCountKernelSymbols(Offset);

    if (Count == 0) {
        return false;
    }
    Symbol->Module = NULL;
    Symbol->Name = KdSymbolNames + KdSymbolTable[Count - 1].Name;
    Symbol->Offset = Offset - KdSymbolTable[Count - 1].Offset;
    return true;
}

static void KdpLookupInModule(const KD_MODULE_SYMBOLS *Module, ULONG64 Address, KD_SYMBOL *Symbol)
{
    ULONG Low = 0, High = Module->Count;

    while (Low < High) {
        ULONG Middle = Low + (High - Low) / 2;
        if (Module->Symbol[Middle].Address <= Address) {
            Low = Middle + 1;
        } else {
            High = Middle;
        }
    }
    Symbol->Module = Module->ModuleName;
    Symbol->Name = Low == 0 ? ".text" : Module->Symbol[Low - 1].Name;
    Symbol->Offset = Address - (Low == 0 ? Module->Start : Module->Symbol[Low - 1].Address);
}

bool KdLookupSymbol(ULONG64 Address, KD_SYMBOL *Symbol)
{
    if (Address >= (ULONG64)__text_start && Address < (ULONG64)__text_end) {
        return KdpLookupKernel(Address, Symbol);
    }
    for (KD_MODULE_SYMBOLS *Module = KdpModules; Module != NULL; Module = Module->Next) {
        if (Address >= Module->Start && Address < Module->End) {
            KdpLookupInModule(Module, Address, Symbol);
            return true;
        }
    }
    return false;
}

/* A return address may lie behind its function's end, when the call was the last thing there: the call itself
   is looked up. */
void KdpPrintSymbol(ULONG64 Address, bool IsReturn)
{
    KD_SYMBOL Symbol;

    if (KdLookupSymbol(Address - IsReturn, &Symbol)) {
        KdpPrint("%s%s%s+%#I64x", Symbol.Module != NULL ? Symbol.Module : "",
                 Symbol.Module != NULL ? "!" : "", Symbol.Name, Symbol.Offset + IsReturn);
    }
}

ULONG KdpSymbolCount(void)
{
    return KdSymbolCount;
}

/* Both under the loader's lock. */
void KdAddModuleSymbols(KD_MODULE_SYMBOLS *Symbols)
{
    Symbols->Next = KdpModules;
    __atomic_store_n(&KdpModules, Symbols, __ATOMIC_RELEASE);
}

void KdRemoveModuleSymbols(KD_MODULE_SYMBOLS *Symbols)
{
    KD_MODULE_SYMBOLS *volatile *Link = &KdpModules;

    while (*Link != Symbols) { /* it is on the list */
        Link = (KD_MODULE_SYMBOLS *volatile *)&(*Link)->Next;
    }
    __atomic_store_n(Link, Symbols->Next, __ATOMIC_RELEASE);
}
