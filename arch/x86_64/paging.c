/* SPDX-License-Identifier: MIT */
/*
 * Page tables: the kernel's final ones, and the routines by which mm changes tables.
 *
 * The kernel half is the same in all address spaces: its top-level entries are made here, once, and copied
 * into each new PML4; only levels below them change later. Tables of the kernel half are never freed. Tables
 * that are missing are put in by compare-and-swap: owners of neighbouring kernel ranges may need the same one
 * at the same time.
 *
 * Nobody flushes here; the caller knows which processors must.
 */
#include "arch/x86_64/archp.h"

#define PTE_PRESENT  (1UL << 0)
#define PTE_WRITE    (1UL << 1)
#define PTE_USER     (1UL << 2)
#define PTE_THROUGH  (1UL << 3)
#define PTE_NOCACHE  (1UL << 4)
#define PTE_ACCESSED (1UL << 5)
#define PTE_DIRTY    (1UL << 6)
#define PTE_LARGE    (1UL << 7)
#define PTE_GLOBAL   (1UL << 8)
#define PTE_SOFT     (1UL << 9)
#define PTE_KEPT     (1UL << 10) /* lowest level, not PTE_PRESENT: out of the processor's sight */
#define PTE_VALID    (PTE_PRESENT | PTE_KEPT)
#define PTE_NX       (1UL << 63)
#define PTE_ADDRESS  0x000ffffffffff000UL
/* In an entry for a table, bits that the processor leaves alone (SDM vol. 3, table 4-16 and following): bit n
   tells that some of the table's entries from 64n to 64n + 63 may have been set. */
#define PTE_USED(I) (1UL << (52 + (I) / 64))
#define PTE_ALL_USED (0xffUL << 52)

#define SIZE_4K 0x1000UL
#define SIZE_2M 0x200000UL
#define SIZE_1G 0x40000000UL
#define SIZE_4G 0x100000000UL

#define TOP_LEVEL      3
#define LEVEL_SHIFT(L) (12 + 9 * (L))
#define LEVEL_SIZE(L)  (1UL << LEVEL_SHIFT(L))
#define INDEX(V, L)    (((V) >> LEVEL_SHIFT(L)) & 511)
#define FIRST_KERNEL   256

extern char __text_start[], __text_end[], __rodata_start[], __rodata_end[], __data_start[], __kernel_end[];
extern char ArchpBootStackGuard[];

static ARCH_PAGE_TABLES KernelTables;
static uint64_t (*AllocateTable)(void);
static void (*FreeTable)(uint64_t Physical);
static volatile uintptr_t WindowNext = ARCH_DEVICE_BASE;
static uint16_t TopEntry[512 - FIRST_KERNEL]; /* the top level's entries of the kernel half: constant after the start */
static unsigned TopEntries;

/* ---- Pages for tables ---- */

/* Before mm: downwards from the end of the largest free range that the boot tables map. */
static uint64_t EarlyBase, EarlyNext, EarlyEnd;

static uint64_t AllocateEarly(void)
{
    if (EarlyNext - EarlyBase < SIZE_4K) {
        return 0;
    }
    EarlyNext -= SIZE_4K;
    memset(ArchPhysicalToVirtual(EarlyNext), 0, SIZE_4K);
    return EarlyNext;
}

static void BeginEarlyAllocation(const BOOT_INFORMATION *Boot)
{
    for (ULONG i = 0; i < Boot->RangeCount; i++) {
        const BOOT_MEMORY_RANGE *Range = &Boot->Range[i];
        uint64_t End = Range->Base + Range->Size;
        if (Range->Type != BootMemoryFree || Range->Base >= SIZE_4G) {
            continue;
        }
        if (End > SIZE_4G) {
            End = SIZE_4G;
        }
        if (End - Range->Base > EarlyEnd - EarlyBase) {
            EarlyBase = Range->Base;
            EarlyEnd = End;
        }
    }
    EarlyNext = EarlyEnd;
    AllocateTable = AllocateEarly;
}

/* What was taken is the kernel's for ever; mm gives pages from now on. */
void ArchpEndEarlyAllocation(PBOOT_INFORMATION Boot)
{
    ArchpSetRange(Boot, EarlyNext, EarlyEnd, BootMemoryReserved);
    AllocateTable = NULL;
}

void ArchSetPageTableSource(uint64_t (*Allocate)(void), void (*Free)(uint64_t Physical))
{
    AllocateTable = Allocate;
    FreeTable = Free;
}

uint64_t ArchpAllocateTablePage(void)
{
    return AllocateTable != NULL ? AllocateTable() : 0;
}

/* ---- Entries ---- */

static uint64_t EncodeFlags(ULONG Flags)
{
    uint64_t Entry = Flags & ARCH_PAGE_READ ? PTE_PRESENT | PTE_ACCESSED : PTE_KEPT;
    Entry |= Flags & ARCH_PAGE_WRITE ? PTE_WRITE : 0;
    Entry |= Flags & ARCH_PAGE_USER ? PTE_USER : 0;
    Entry |= Flags & ARCH_PAGE_GLOBAL ? PTE_GLOBAL : 0;
    Entry |= Flags & ARCH_PAGE_NOCACHE ? PTE_NOCACHE | PTE_THROUGH : 0; /* PAT entry 3 */
    Entry |= Flags & ARCH_PAGE_SOFT ? PTE_SOFT : 0;
    Entry |= Flags & ARCH_PAGE_EXECUTE || !ArchpFeatures.NoExecute ? 0 : PTE_NX;
    return Entry;
}

static ULONG DecodeFlags(uint64_t Entry)
{
    ULONG Flags = Entry & PTE_PRESENT ? ARCH_PAGE_READ : 0;
    Flags |= Entry & PTE_WRITE ? ARCH_PAGE_WRITE : 0;
    Flags |= Entry & PTE_USER ? ARCH_PAGE_USER : 0;
    Flags |= Entry & PTE_GLOBAL ? ARCH_PAGE_GLOBAL : 0;
    Flags |= Entry & PTE_NOCACHE ? ARCH_PAGE_NOCACHE : 0;
    Flags |= Entry & PTE_SOFT ? ARCH_PAGE_SOFT : 0;
    Flags |= Entry & PTE_DIRTY ? ARCH_PAGE_DIRTY : 0;
    Flags |= Entry & PTE_NX ? 0 : ARCH_PAGE_EXECUTE;
    return Flags;
}

static uint64_t ReadEntry(const uint64_t *Entry)
{
    return __atomic_load_n(Entry, __ATOMIC_RELAXED);
}

static uint64_t *TableOf(uint64_t Entry)
{
    return ArchPhysicalToVirtual(Entry & PTE_ADDRESS);
}

/* The entry for Virtual at the lowest level, down to Wanted, that exists; *Level tells which. *Above: the
   entry through which it was found; not set when it is in the top table. */
static inline uint64_t *FindEntry(uint64_t Root, uintptr_t Virtual, unsigned Wanted, unsigned *Level, uint64_t **Above)
{
    uint64_t *Entry = TableOf(Root) + INDEX(Virtual, TOP_LEVEL);
    unsigned At = TOP_LEVEL;
    for (; At > Wanted; At--) {
        uint64_t Value = ReadEntry(Entry);
        if ((Value & (PTE_PRESENT | PTE_LARGE)) != PTE_PRESENT) {
            break;
        }
        *Above = Entry;
        Entry = TableOf(Value) + INDEX(Virtual, At - 1);
    }
    *Level = At;
    return Entry;
}

/* The lowest-level entry for Virtual; NULL where a table is missing or a large page lies. */
static uint64_t *FindLeaf(uint64_t Root, uintptr_t Virtual)
{
    unsigned Level;
    uint64_t *Above, *Entry = FindEntry(Root, Virtual, 0, &Level, &Above);
    return Level == 0 ? Entry : NULL;
}

/* Puts a new, empty table into an empty entry. If somebody was faster, theirs is as good. */
static bool AddTable(uint64_t *Entry, uintptr_t Virtual)
{
    uint64_t Page = ArchpAllocateTablePage();
    if (Page == 0) {
        return false;
    }
    uint64_t Value = Page | PTE_PRESENT | PTE_WRITE | PTE_ACCESSED;
    Value |= Virtual < ARCH_USER_END ? PTE_USER : PTE_ALL_USED; /* kernel tables have no lock to count under */
    uint64_t Empty = 0;
    if (!__atomic_compare_exchange_n(Entry, &Empty, Value, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED)) {
        FreeTable(Page);
    }
    return true;
}

/* The entry for Virtual at level Wanted, which is going to be set; tables on the way are made. NULL without
   memory, or below a large page. */
static inline uint64_t *MakeEntry(uint64_t Root, uintptr_t Virtual, unsigned Wanted)
{
    for (;;) {
        unsigned Level;
        uint64_t *Above = NULL, *Entry = FindEntry(Root, Virtual, Wanted, &Level, &Above);
        if (Above != NULL && !(ReadEntry(Above) & PTE_USED(INDEX(Virtual, Level)))) {
            *Above |= PTE_USED(INDEX(Virtual, Level)); /* the accessed bit is set: the processor writes nothing here */
        }
        if (Level == Wanted) {
            return Entry;
        }
        if ((ReadEntry(Entry) & PTE_PRESENT) || !AddTable(Entry, Virtual)) {
            return NULL;
        }
    }
}

/* ---- mm's interface ---- */

ARCH_PAGE_TABLES *ArchKernelPageTables(void)
{
    return &KernelTables;
}

/* The kernel half of a top table, of which few entries are in use: from the kernel's, or to zero (From
   NULL). */
static void SetTopLevel(uint64_t *Table, const uint64_t *From)
{
    for (unsigned i = 0; i < TopEntries; i++) {
        Table[TopEntry[i]] = From != NULL ? From[TopEntry[i]] : 0;
    }
}

NTSTATUS ArchCreatePageTables(ARCH_PAGE_TABLES *Tables)
{
    Tables->Root = ArchpAllocateTablePage();
    if (Tables->Root == 0) {
        return STATUS_NO_MEMORY;
    }
    SetTopLevel(TableOf(Tables->Root), TableOf(KernelTables.Root));
    return STATUS_SUCCESS;
}

ARCH_PAGE_ENTRY *ArchMakeEntry(ARCH_PAGE_TABLES *Tables, uintptr_t Virtual)
{
    return MakeEntry(Tables->Root, Virtual, 0);
}

void ArchSetEntry(ARCH_PAGE_ENTRY *Entry, uint64_t Physical, ULONG Flags)
{
    __atomic_store_n(Entry, (Physical & PTE_ADDRESS) | EncodeFlags(Flags), __ATOMIC_RELEASE);
}

void ArchClearEntry(ARCH_PAGE_ENTRY *Entry)
{
    __atomic_store_n(Entry, 0, __ATOMIC_RELEASE);
}

NTSTATUS ArchMapPage(ARCH_PAGE_TABLES *Tables, uintptr_t Virtual, uint64_t Physical, ULONG Flags)
{
    uint64_t *Entry = MakeEntry(Tables->Root, Virtual, 0);
    if (Entry == NULL) {
        return STATUS_NO_MEMORY;
    }
    ArchSetEntry(Entry, Physical, Flags);
    return STATUS_SUCCESS;
}

NTSTATUS ArchPreparePages(ARCH_PAGE_TABLES *Tables, uintptr_t Virtual, SIZE_T Size)
{
    if (Size == 0) {
        return STATUS_SUCCESS;
    }
    uintptr_t Last = (Virtual + Size - 1) & ~(SIZE_2M - 1);
    for (uintptr_t At = Virtual & ~(SIZE_2M - 1);; At += SIZE_2M) {
        if (MakeEntry(Tables->Root, At, 0) == NULL) {
            return STATUS_NO_MEMORY;
        }
        if (At == Last) {
            return STATUS_SUCCESS;
        }
    }
}

/* What an entry at Level tells of Virtual; false when it maps nothing. */
static bool Answer(uint64_t Value, unsigned Level, uintptr_t Virtual, uint64_t *Physical, ULONG *Flags)
{
    uint64_t Inside = (LEVEL_SIZE(Level) - 1) & ~(SIZE_4K - 1);
    if (!(Value & PTE_VALID)) {
        return false;
    }
    if (Physical != NULL) {
        *Physical = (Value & PTE_ADDRESS & ~Inside) | (Virtual & Inside);
    }
    if (Flags != NULL) {
        *Flags = DecodeFlags(Value);
    }
    return true;
}

/* One exchange: the processor may set the dirty bit until the entry is gone. */
bool ArchUnmapPage(ARCH_PAGE_TABLES *Tables, uintptr_t Virtual, uint64_t *Physical, ULONG *Flags)
{
    uint64_t *Entry = FindLeaf(Tables->Root, Virtual);
    uint64_t Value = Entry != NULL ? __atomic_exchange_n(Entry, 0, __ATOMIC_ACQ_REL) : 0;
    return Answer(Value, 0, Virtual, Physical, Flags);
}

/* Large pages answer, too: the direct map consists of them. */
bool ArchQueryPage(ARCH_PAGE_TABLES *Tables, uintptr_t Virtual, uint64_t *Physical, ULONG *Flags)
{
    unsigned Level;
    uint64_t *Above, Value = ReadEntry(FindEntry(Tables->Root, Virtual, 0, &Level, &Above));
    return Answer(Value, Level, Virtual, Physical, Flags);
}

/* A table is nearly empty as a rule: eight entries, a cache line, at a time. */
static inline bool IsLineEmpty(const uint64_t *Line)
{
    return (Line[0] | Line[1] | Line[2] | Line[3] | Line[4] | Line[5] | Line[6] | Line[7]) == 0;
}

typedef struct _VISIT {
    uintptr_t Start, Last; /* within pages */
    bool Free;             /* tables go, too, and leave no entry behind */
    ARCH_VISIT_PAGE *Visit;
    void *Context;
} VISIT;

static void VisitTable(const VISIT *Visit, uint64_t *Above, unsigned Level, uintptr_t Base);

/* Entries [i, End) of a table whose first one maps Base. False: there are none. */
static bool VisitPart(const VISIT *Visit, uint64_t *Table, unsigned Level, uintptr_t Base, unsigned i, unsigned End)
{
    bool Any = false;
    while (i < End) {
        if (i % 8 == 0 && IsLineEmpty(&Table[i])) {
            i += 8;
            continue;
        }
        uint64_t Value = ReadEntry(&Table[i]);
        if (Value != 0) {
            uintptr_t Virtual = Base + ((uintptr_t)i << LEVEL_SHIFT(Level));
            Any = true;
            if (Level != 0) {
                VisitTable(Visit, &Table[i], Level - 1, Virtual);
            } else {
                Visit->Visit(Visit->Context, Virtual, &Table[i], Value & PTE_ADDRESS, DecodeFlags(Value));
            }
        }
        i++;
    }
    return Any;
}

/* The entries of the table behind *Above, as far as they lie in the range. A part that turns out to be empty
   is unused again. */
static void VisitTable(const VISIT *Visit, uint64_t *Above, unsigned Level, uintptr_t Base)
{
    uint64_t *Table = TableOf(*Above);
    unsigned First = Visit->Start > Base ? (Visit->Start - Base) >> LEVEL_SHIFT(Level) : 0;
    uintptr_t Last = (Visit->Last - Base) >> LEVEL_SHIFT(Level);
    unsigned End = Last < 511 ? Last + 1 : 512;

    for (unsigned i = First & ~63U; i < End; i += 64) {
        if ((*Above & PTE_USED(i)) && !VisitPart(Visit, Table, Level, Base, i < First ? First : i, i + 64 < End ? i + 64 : End) &&
            i >= First && i + 64 <= End) {
            *Above &= ~PTE_USED(i);
        }
    }
    if (Visit->Free) {
        FreeTable(*Above & PTE_ADDRESS);
        *Above = 0;
    }
}

void ArchForEachPage(ARCH_PAGE_TABLES *Tables, uintptr_t Start, uintptr_t End, ARCH_VISIT_PAGE *Visit, void *Context)
{
    if (Start >= End || End > ARCH_USER_END) {
        return;
    }
    VISIT Range = {Start, End - 1, false, Visit, Context};
    uint64_t Root = Tables->Root | PTE_ALL_USED, *Above;
    unsigned Level;
    if (((Start ^ Range.Last) & ~(SIZE_2M - 1)) != 0) {
        VisitTable(&Range, &Root, TOP_LEVEL, 0);
        return;
    }
    FindEntry(Tables->Root, Start, 0, &Level, &Above); /* one table holds it all, the usual case */
    if (Level == 0) {
        VisitTable(&Range, Above, 0, Start & ~(SIZE_2M - 1));
    }
}

void ArchDeletePageTables(ARCH_PAGE_TABLES *Tables, ARCH_VISIT_PAGE *Visit, void *Context)
{
    VISIT Range = {0, ARCH_USER_END - 1, true, Visit, Context};
    uint64_t Root = Tables->Root | PTE_ALL_USED;
    SetTopLevel(TableOf(Tables->Root), NULL);
    VisitTable(&Range, &Root, TOP_LEVEL, 0);
    Tables->Root = 0;
}

#define FLUSH_ONE_BY_ONE 32

void ArchFlushLocalTb(uintptr_t Virtual, SIZE_T Pages)
{
    if (Pages <= FLUSH_ONE_BY_ONE) {
        for (SIZE_T i = 0; i < Pages; i++) {
            __asm__ volatile("invlpg (%0)" : : "r"(Virtual + i * SIZE_4K) : "memory");
        }
    } else if (Virtual < ARCH_USER_END) {
        ArchpWriteCr3(ArchpReadCr3());
    } else {
        /* Global translations survive a load of CR3, not a change of CR4.PGE (SDM vol. 3, 4.10.4.1). */
        bool Enabled = ArchDisableInterrupts();
        uint64_t Cr4 = ArchpReadCr4();
        ArchpWriteCr4(Cr4 & ~(uint64_t)CR4_PGE);
        ArchpWriteCr4(Cr4);
        ArchRestoreInterrupts(Enabled);
    }
}

/* ---- The machine's own window ---- */

uintptr_t ArchpReserveWindow(SIZE_T Pages)
{
    return __atomic_fetch_add(&WindowNext, Pages * SIZE_4K, __ATOMIC_RELAXED);
}

void *ArchpMapPhysical(uint64_t Physical, SIZE_T Size, ULONG Flags)
{
    uint64_t Offset = Physical & (SIZE_4K - 1), Limit = 1UL << ArchpFeatures.PhysicalBits;
    SIZE_T Pages = (Offset + Size + SIZE_4K - 1) / SIZE_4K;
    if (Physical >= Limit || Size > Limit - Physical) {
        return NULL; /* bits that the processor takes for reserved */
    }
    uintptr_t Virtual = ArchpReserveWindow(Pages);
    for (SIZE_T i = 0; i < Pages; i++) {
        if (ArchMapPage(&KernelTables, Virtual + i * SIZE_4K, Physical - Offset + i * SIZE_4K, Flags) !=
            STATUS_SUCCESS) {
            return NULL;
        }
    }
    return (void *)(Virtual + Offset);
}

void *ArchpMapDevice(uint64_t Physical, SIZE_T Size)
{
    return ArchpMapPhysical(Physical, Size,
                            ARCH_PAGE_READ | ARCH_PAGE_WRITE | ARCH_PAGE_GLOBAL | ARCH_PAGE_NOCACHE);
}

/* ---- The kernel's tables ---- */

/* The largest page that both addresses' alignment and the rest of the range allow. */
static unsigned LargestLevel(uintptr_t Virtual, uint64_t Physical, uint64_t Size)
{
    if (ArchpFeatures.GigabytePages && ((Virtual | Physical) & (SIZE_1G - 1)) == 0 && Size >= SIZE_1G) {
        return 2;
    }
    return ((Virtual | Physical) & (SIZE_2M - 1)) == 0 && Size >= SIZE_2M ? 1 : 0;
}

static void MapRange(uintptr_t Virtual, uint64_t Physical, uint64_t Size, ULONG Flags)
{
    uint64_t Bits = EncodeFlags(Flags | ARCH_PAGE_GLOBAL) | PTE_DIRTY; /* of no use in the kernel half */
    while (Size != 0) {
        unsigned Level = LargestLevel(Virtual, Physical, Size);
        uint64_t *Entry = MakeEntry(KernelTables.Root, Virtual, Level);
        if (Entry == NULL) {
            ArchpBootFail("not enough memory for the page tables.");
        }
        *Entry = Physical | Bits | (Level > 0 ? PTE_LARGE : 0);
        Virtual += LEVEL_SIZE(Level);
        Physical += LEVEL_SIZE(Level);
        Size -= LEVEL_SIZE(Level);
    }
}

static void MapImage(const char *Start, const char *End, ULONG Flags)
{
    MapRange((uintptr_t)Start, ArchVirtualToPhysical(Start), (uint64_t)(End - Start), Flags);
}

static void MapKernelImage(void)
{
    MapImage(__text_start, __text_end, ARCH_PAGE_READ | ARCH_PAGE_EXECUTE);
    MapImage(__rodata_start, __rodata_end, ARCH_PAGE_READ);
    MapImage(__data_start, ArchpBootStackGuard, ARCH_PAGE_READ | ARCH_PAGE_WRITE);
    MapImage(ArchpBootStackGuard + SIZE_4K, __kernel_end, ARCH_PAGE_READ | ARCH_PAGE_WRITE);
}

static void MapDirect(uint64_t Base, uint64_t End, ULONG Flags)
{
    if (Base < End) {
        MapRange(Base + ARCH_DIRECT_MAP, Base, End - Base, Flags);
    }
}

static uint64_t Clamp(uint64_t Value, uint64_t Low, uint64_t High)
{
    return Value < Low ? Low : Value > High ? High : Value;
}

/* A run of RAM, with the kernel's text and constants in it (if any) read-only. */
static void MapRam(uint64_t Base, uint64_t End)
{
    uint64_t FixedStart = Clamp(ArchVirtualToPhysical(__text_start), Base, End);
    uint64_t FixedEnd = Clamp(ArchVirtualToPhysical(__rodata_end), Base, End);
    MapDirect(Base, FixedStart, ARCH_PAGE_READ | ARCH_PAGE_WRITE);
    MapDirect(FixedStart, FixedEnd, ARCH_PAGE_READ);
    MapDirect(FixedEnd, End, ARCH_PAGE_READ | ARCH_PAGE_WRITE);
}

/* Ranges that touch are mapped as one, whatever their types: that makes for larger pages. */
static void MapAllRam(const BOOT_INFORMATION *Boot)
{
    for (ULONG i = 0; i < Boot->RangeCount;) {
        uint64_t Base = Boot->Range[i].Base, End = Base;
        for (; i < Boot->RangeCount && Boot->Range[i].Base == End; i++) {
            End += Boot->Range[i].Size;
        }
        MapRam(Base, End);
    }
}

/* Top-level entries that exist in every address space: made once, so that no PML4 ever has to be brought up
   to date. */
static void MakeTopLevel(void)
{
    static const uintptr_t Areas[] = {ARCH_POOL_BASE, ARCH_FRAME_BASE, ARCH_DEVICE_BASE, ARCH_KERNEL_BASE};
    for (unsigned i = 0; i < RTL_NUMBER_OF(Areas); i++) {
        if (MakeEntry(KernelTables.Root, Areas[i], TOP_LEVEL - 1) == NULL) {
            ArchpBootFail("not enough memory for the page tables.");
        }
    }
}

void ArchpBuildKernelTables(PBOOT_INFORMATION Boot)
{
    BeginEarlyAllocation(Boot);
    KernelTables.Root = AllocateEarly();
    if (KernelTables.Root == 0) {
        ArchpBootFail("no free memory below 4 GiB.");
    }
    MakeTopLevel();
    MapKernelImage();
    MapAllRam(Boot);
    for (unsigned i = FIRST_KERNEL; i < 512; i++) {
        if (TableOf(KernelTables.Root)[i] != 0) {
            TopEntry[TopEntries++] = i;
        }
    }
    ArchLoadPageTables(&KernelTables);
}
