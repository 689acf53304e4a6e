/* SPDX-License-Identifier: MIT */
/*
 * The pool: slabs of one page by size class, with a magazine of free blocks a class and processor in front of
 * them; blocks above 2 KiB are whole pages. Which of the two a block is, its page's descriptor tells, so that
 * a block carries no header in release builds. In debug builds:
 *
 *      block ->  MI_POOL_HEADER   tag, size, state (in use or free, mixed with the address), who has allocated it
 *      caller -> Size bytes       0xCD when new, 0xDD when free
 *                red zone         0xFB up to the end of the block, 16 bytes at least
 *
 * Whole pages have the tag and the size in the descriptor, and a red zone only where Size is no multiple of
 * the page size.
 *
 * Locks: each class has one (KlcPool). Magazines need none: only their own processor touches them, at
 * DISPATCH_LEVEL.
 */
#include "kernel/rtl/export.h"
#include "kernel/mm/mi.h"

#define MI_LARGEST_CLASS 2048

#if DBG
typedef struct _MI_POOL_HEADER {
    ULONG Tag;
    ULONG Size;
    ULONG State;
    ULONG Caller; /* the lower half of the address: code lies in the highest 4 GiB */
} MI_POOL_HEADER, *PMI_POOL_HEADER;

#define MI_HEADER_BYTES sizeof(MI_POOL_HEADER)
#define MI_RED_BYTES    16
#define MI_STATE_IN_USE 0x45535500u
#define MI_STATE_FREE   0x45455246u
#define MI_FILL_NEW     0xCD
#define MI_FILL_FREE    0xDD
#define MI_FILL_RED     0xFB
#else
#define MI_HEADER_BYTES 0
#define MI_RED_BYTES    0
#endif

/* Chosen so that a page holds a whole number of blocks with little left over. */
static const USHORT MiClassBytes[MI_SIZE_CLASSES] = {16,  32,  48,  64,  96,  128,  160,  192, 256,
                                                     320, 400, 512, 672, 816, 1024, 1360, 2048};
static UCHAR MiClassOfSize[MI_LARGEST_CLASS / 16 + 1]; /* by (size + 15) / 16 */

typedef struct _MI_CLASS {
    KLOCK Lock;
    LIST_ENTRY Partial; /* (Lock) slabs with a free block, those that are wholly free last */
    ULONG EmptySlabs;   /* (Lock) wholly free ones among them */
} __attribute__((aligned(64))) MI_CLASS, *PMI_CLASS;

static MI_CLASS MiClass[MI_SIZE_CLASSES];
static volatile LONG64 MiPoolPages, MiLargeBlocks, MiLargeBytes; /* (a) */

/* ---- Accounting by tag (debug), which GDB shows ---- */

#if DBG
#define MI_TAGS 512

static struct {
    volatile ULONG Tag; /* 0: unused; never changes once set */
    volatile LONG64 Bytes;
} MiTag[MI_TAGS]; /* open addressing; the last entry takes those that find no room */

static void MiCountTag(ULONG Tag, LONG64 Bytes)
{
    ULONG Slot = (Tag * 0x9E3779B1u) % (MI_TAGS - 1);
    for (ULONG i = 0; i < MI_TAGS - 1; i++) {
        ULONG Seen = MiTag[Slot].Tag;
        if (Seen == 0) {
            Seen = (ULONG)InterlockedCompareExchange((volatile LONG *)&MiTag[Slot].Tag, (LONG)Tag, 0);
        }
        if (Seen == Tag || Seen == 0) {
            InterlockedExchangeAdd64(&MiTag[Slot].Bytes, Bytes);
            return;
        }
        Slot = (Slot + 1) % (MI_TAGS - 1);
    }
    InterlockedExchangeAdd64(&MiTag[MI_TAGS - 1].Bytes, Bytes);
}
#else
#define MiCountTag(Tag, Bytes) ((void)0)
#endif

/* ---- Complaints ---- */

static NORETURN void __attribute__((cold))
MiBadFree(ULONG64 Why, const void *P, ULONG Found, ULONG Given, const char *What)
{
    KdBugCheck(BAD_POOL_CALLER, Why, (ULONG64)P, Found, Given, NULL,
               "pool block %p (tag '%.4s', freed with '%.4s'): %s", P, (const char *)&Found,
               (const char *)&Given, What);
}

#define MI_BAD_FREE_TWICE   0x7
#define MI_BAD_FREE_TAG     0xA
#define MI_BAD_FREE_ADDRESS 0x46

/* The caller's tag against the block's; 0: the caller did not say. */
static inline void MiCheckTag(const void *P, ULONG Tag, ULONG Given)
{
    if (MI_UNLIKELY(Given != 0 && Given != Tag)) {
        MiBadFree(MI_BAD_FREE_TAG, P, Tag, Given, "freed with another tag");
    }
}

/* ---- Debug marks on small blocks ---- */

#if DBG
static void MiCheckFill(const UCHAR *Start, const UCHAR *End, UCHAR Fill, const void *P, ULONG Tag,
                        const char *What)
{
    for (; Start < End; Start++) {
        if (*Start != Fill) {
            KdBugCheck(BAD_POOL_HEADER, 0x20, (ULONG64)P, (ULONG64)Start, Tag, NULL,
                       "pool block %p (tag '%.4s'): %s at byte %d", P, (const char *)&Tag, What,
                       (int)(Start - (const UCHAR *)P));
        }
    }
}

/* A slab has been made: all its blocks are free. */
static void MiMarkSlab(UCHAR *Page, ULONG Bytes)
{
    memset(Page, MI_FILL_FREE, PAGE_SIZE);
    for (UCHAR *Block = Page; Block + Bytes <= Page + PAGE_SIZE; Block += Bytes) {
        ((PMI_POOL_HEADER)Block)->State = MI_STATE_FREE ^ (ULONG)(ULONG64)Block;
    }
}

static PVOID MiMarkAllocated(PVOID Block, ULONG Bytes, SIZE_T Size, ULONG Tag)
{
    PMI_POOL_HEADER Header = Block;
    UCHAR *P = (UCHAR *)(Header + 1);

    if (Header->State != (MI_STATE_FREE ^ (ULONG)(ULONG64)Block)) {
        KdBugCheck(BAD_POOL_HEADER, 0x20, (ULONG64)P, Header->State, 0, NULL,
                   "free pool block %p: header overwritten", P);
    }
    MiCheckFill(P, (UCHAR *)Block + Bytes, MI_FILL_FREE, P, 0, "written to after it was freed");
    *Header = (MI_POOL_HEADER){Tag, (ULONG)Size, MI_STATE_IN_USE ^ (ULONG)(ULONG64)Block, 0};
    memset(P, MI_FILL_NEW, Size);
    memset(P + Size, MI_FILL_RED, (UCHAR *)Block + Bytes - (P + Size));
    MiCountTag(Tag, (LONG64)Size);
    return P;
}

static PVOID MiMarkFreed(PVOID P, ULONG Bytes, ULONG Tag)
{
    PMI_POOL_HEADER Header = (PMI_POOL_HEADER)P - 1;
    UCHAR *Block = (UCHAR *)Header;

    if (((ULONG_PTR)Block & (PAGE_SIZE - 1)) % Bytes != 0) {
        MiBadFree(MI_BAD_FREE_ADDRESS, P, 0, Tag, "no block begins here");
    }
    if (Header->State == (MI_STATE_FREE ^ (ULONG)(ULONG64)Block)) {
        MiBadFree(MI_BAD_FREE_TWICE, P, Header->Tag, Tag, "freed twice");
    }
    if (Header->State != (MI_STATE_IN_USE ^ (ULONG)(ULONG64)Block)) {
        KdBugCheck(BAD_POOL_HEADER, 0x20, (ULONG64)P, Header->State, Tag, NULL,
                   "pool block %p: header overwritten, by whoever owns the block before it?", P);
    }
    MiCheckTag(P, Header->Tag, Tag);
    MiCheckFill((UCHAR *)P + Header->Size, Block + Bytes, MI_FILL_RED, P, Header->Tag,
                "written to beyond its end");
    MiCountTag(Header->Tag, -(LONG64)Header->Size);
    memset(P, MI_FILL_FREE, Block + Bytes - (UCHAR *)P);
    Header->State = MI_STATE_FREE ^ (ULONG)(ULONG64)Block;
    return Block;
}

/* Whole pages: the slack behind Size bytes. */
static void MiMarkLargeAllocated(UCHAR *P, SIZE_T Size, SIZE_T Pages, ULONG Tag)
{
    memset(P, MI_FILL_NEW, Size);
    memset(P + Size, MI_FILL_RED, Pages * PAGE_SIZE - Size);
    MiCountTag(Tag, (LONG64)Size);
}

static void MiMarkLargeFreed(UCHAR *P, SIZE_T Size, SIZE_T Pages, ULONG Tag)
{
    MiCheckFill(P + Size, P + Pages * PAGE_SIZE, MI_FILL_RED, P, Tag, "written to beyond its end");
    MiCountTag(Tag, -(LONG64)Size);
    memset(P, MI_FILL_FREE, Pages * PAGE_SIZE);
}
#else
#define MiMarkSlab(Page, Bytes)                   ((void)0)
#define MiMarkCaller(P, Caller)                   (P)
#define MiMarkAllocated(Block, Bytes, Size, Tag)  (Block)
#define MiMarkFreed(P, Bytes, Tag)                (P)
#define MiMarkLargeAllocated(P, Size, Pages, Tag) ((void)0)
#define MiMarkLargeFreed(P, Size, Pages, Tag)     ((void)0)
#endif

/* ---- Slabs. The class's lock is held ---- */

static PMI_PAGE MiMakeSlab(ULONG Class)
{
    ULONG64 Physical = MmAllocatePage(FALSE);
    if (Physical == 0) {
        return NULL;
    }
    PMI_PAGE Slab = MiPageOf(Physical);
    UCHAR *Start = ArchPhysicalToVirtual(Physical);
    ULONG Bytes = MiClassBytes[Class];

    MiMarkSlab(Start, Bytes);
    Slab->Type = MiPageSlab;
    Slab->Order = (UCHAR)Class;
    Slab->InUse = 0;
    Slab->FreeList = NULL;
    for (UCHAR *Block = Start + (PAGE_SIZE / Bytes - 1) * Bytes; Block >= Start; Block -= Bytes) {
        *(void **)Block = Slab->FreeList;
        Slab->FreeList = Block;
    }
    InterlockedIncrement64(&MiPoolPages);
    return Slab;
}

static void MiDestroySlab(PMI_PAGE Slab)
{
    RemoveEntryList(&Slab->Link);
    Slab->Type = MiPageInUse;
    MmReleasePage(MiPhysicalOf(Slab));
    InterlockedDecrement64(&MiPoolPages);
}

static PVOID MiTakeFromSlabs(ULONG Class)
{
    PMI_CLASS C = &MiClass[Class];
    if (IsListEmpty(&C->Partial)) {
        PMI_PAGE New = MiMakeSlab(Class);
        if (New == NULL) {
            return NULL;
        }
        InsertHeadList(&C->Partial, &New->Link);
        C->EmptySlabs++;
    }
    PMI_PAGE Slab = CONTAINING_RECORD(C->Partial.Flink, MI_PAGE, Link);
    PVOID Block = Slab->FreeList;
    Slab->FreeList = *(void **)Block;
    if (Slab->InUse++ == 0) {
        C->EmptySlabs--;
    }
    if (Slab->FreeList == NULL) {
        RemoveEntryList(&Slab->Link);
    }
    return Block;
}

/* One slab that is wholly free stays for the next who needs one. */
static void MiGiveToSlabs(ULONG Class, PVOID Block)
{
    PMI_CLASS C = &MiClass[Class];
    PMI_PAGE Slab = MiPageOf(ArchVirtualToPhysical(Block));

    if (Slab->FreeList == NULL) {
        InsertHeadList(&C->Partial, &Slab->Link);
    }
    *(void **)Block = Slab->FreeList;
    Slab->FreeList = Block;
    if (--Slab->InUse != 0) {
        return;
    }
    if (C->EmptySlabs != 0) {
        MiDestroySlab(Slab);
        return;
    }
    C->EmptySlabs++;
    RemoveEntryList(&Slab->Link);
    InsertTailList(&C->Partial, &Slab->Link);
}

/* ---- Magazines ---- */

/* The magazine is empty: half of it is filled, and one more block is for the caller. DISPATCH_LEVEL. */
static NOINLINE PVOID MiRefill(PMI_MAGAZINE Magazine, ULONG Class)
{
    PMI_CLASS C = &MiClass[Class];

    KeAcquireLockAtDpc(&C->Lock);
    PVOID Result = MiTakeFromSlabs(Class), Block = Result;
    Magazine->Used += Result != NULL;
    while (Block != NULL && Magazine->Count < Magazine->Limit / 2) {
        Block = MiTakeFromSlabs(Class);
        if (Block != NULL) {
            Magazine->Block[Magazine->Count++] = Block;
        }
    }
    KeReleaseLockFromDpc(&C->Lock);
    return Result;
}

/* Gives blocks back until Left are there. DISPATCH_LEVEL. */
static NOINLINE void MiSpill(PMI_MAGAZINE Magazine, ULONG Class, ULONG Left)
{
    KeAcquireLockAtDpc(&MiClass[Class].Lock);
    while (Magazine->Count > Left) {
        MiGiveToSlabs(Class, Magazine->Block[--Magazine->Count]);
    }
    KeReleaseLockFromDpc(&MiClass[Class].Lock);
}

static inline PVOID MiAllocateSmall(ULONG Class)
{
    KIRQL OldIrql = KiRaiseToDispatch();
    PMI_MAGAZINE Magazine = (PMI_MAGAZINE)ArchCurrentPrcb()->PoolCache + Class;
    PVOID Block;

    if (MI_LIKELY(Magazine->Count != 0)) {
        Block = Magazine->Block[--Magazine->Count];
        Magazine->Used++;
    } else {
        Block = MiRefill(Magazine, Class);
    }
    KiLower(OldIrql);
    return Block;
}

static inline void MiFreeSmall(ULONG Class, PVOID Block)
{
    KIRQL OldIrql = KiRaiseToDispatch();
    PMI_MAGAZINE Magazine = (PMI_MAGAZINE)ArchCurrentPrcb()->PoolCache + Class;

    if (MI_UNLIKELY(Magazine->Count == Magazine->Limit)) {
        MiSpill(Magazine, Class, Magazine->Limit / 2);
    }
    Magazine->Block[Magazine->Count++] = Block;
    Magazine->Used--;
    KiLower(OldIrql);
}

/* ---- Whole pages ---- */

static void MiCountLarge(LONG64 Pages, LONG64 Blocks, SIZE_T Bytes)
{
    InterlockedExchangeAdd64(&MiPoolPages, Pages);
    InterlockedExchangeAdd64(&MiLargeBlocks, Blocks);
    InterlockedExchangeAdd64(&MiLargeBytes, Blocks * (LONG64)Bytes);
}

/* Pages frames in a row: the smallest power of two that holds them, less what is too much. */
static ULONG64 MiTakePages(SIZE_T Pages)
{
    if (Pages == 1) {
        return MmAllocatePage(FALSE);
    }
    ULONG Order = 64 - (ULONG)__builtin_clzl(Pages - 1);
    ULONG64 Physical = MiAllocateContiguous(Order);
    if (Physical != 0 && Pages != 1ULL << Order) {
        MiFreeFrames(Physical + Pages * PAGE_SIZE, (1ULL << Order) - Pages);
    }
    return Physical;
}

static inline BOOLEAN MiIsScattered(const void *P)
{
    return (ULONG_PTR)P - MI_LARGE_BASE < MI_LARGE_END - MI_LARGE_BASE;
}

/* The frame that P lies in, which the pool may own or not; NULL when there is none. */
static PMI_PAGE MiPageOfBlock(const void *P)
{
    ULONG64 Physical = (ULONG_PTR)P - (ULONG_PTR)ArchPhysicalToVirtual(0);
    ULONG Flags;

    if (MiIsScattered(P)) {
        return ArchQueryPage(ArchKernelPageTables(), (ULONG_PTR)P, &Physical, &Flags) ? MiPageOf(Physical)
                                                                                      : NULL;
    }
    return Physical < MiPhysicalEnd ? MiPageOf(Physical) : NULL;
}

/* Contiguous where possible; else scattered frames in a range of kernel addresses. The first frame tells
   about the block. */
static PVOID MiAllocateLarge(SIZE_T Size, ULONG Tag)
{
    SIZE_T Pages = BYTES_TO_PAGES(Size);
    ULONG64 Physical = MiTakePages(Pages);
    PVOID P = Physical != 0 ? ArchPhysicalToVirtual(Physical) : NULL;

    if (P == NULL && Pages > 1) {
        P = MiAllocateRange(&MiLargeWindow, Pages);
    }
    if (P == NULL) {
        return NULL;
    }
    PMI_PAGE Page = MiPageOfBlock(P);
    Page->Type = MiPageLarge;
    Page->Bytes = Size;
    Page->Tag = Tag;
    Page->Pages = (ULONG)Pages;
    MiCountLarge((LONG64)Pages, 1, Size);
    MiMarkLargeAllocated(P, Size, Pages, Tag);
    return P;
}

static void MiReturnPages(PVOID P, PMI_PAGE Page, SIZE_T Pages)
{
    Page->Type = MiPageInUse;
    if (MiIsScattered(P)) {
        MiFreeRange(&MiLargeWindow, P, Pages);
    } else if (Pages == 1) {
        MmReleasePage(MiPhysicalOf(Page));
    } else {
        Page->Type = MiPageReserved;
        Page->References = 0;
        MiFreeFrames(MiPhysicalOf(Page), Pages);
    }
}

/* No block of a slab: whole pages, or nothing that the pool has given out. */
static NOINLINE void MiFreeLarge(PVOID P, ULONG Tag)
{
    PMI_PAGE Page = MiPageOfBlock(P);

    if (Page == NULL || Page->Type != MiPageLarge) {
        MiBadFree(MI_BAD_FREE_ADDRESS, P, 0, Tag, "not in the pool, or freed before");
    }
    if (BYTE_OFFSET(P) != 0) {
        MiBadFree(MI_BAD_FREE_ADDRESS, P, Page->Tag, Tag, "no block begins here");
    }
    MiCheckTag(P, Page->Tag, Tag);
    KdForgetLocks(P, Page->Bytes);
    MiMarkLargeFreed(P, Page->Bytes, Page->Pages, Page->Tag);
    MiCountLarge(-(LONG64)Page->Pages, -1, Page->Bytes);
    MiReturnPages(P, Page, Page->Pages);
}

/* ---- Who has allocated what (debug) ---- */

#if DBG
#define MI_LEFT_TAGS 8

typedef struct _MI_LEFT {
    ULONG Tag, Blocks; /* Blocks 0: unused */
    SIZE_T Bytes;
} MI_LEFT;

static inline BOOLEAN MiIsSmall(const void *P)
{
    ULONG64 Physical = (ULONG_PTR)P - (ULONG_PTR)ArchPhysicalToVirtual(0);

    return Physical < MiPhysicalEnd && MiPageOf(Physical)->Type == MiPageSlab;
}

static PVOID MiMarkCaller(PVOID P, PVOID Caller)
{
    if (P == NULL) {
        return NULL;
    }
    if (MiIsSmall(P)) {
        ((PMI_POOL_HEADER)P - 1)->Caller = (ULONG)(ULONG_PTR)Caller;
    } else {
        MiPageOfBlock(P)->Caller = Caller;
    }
    return P;
}

/* Under its tag; under the last one that finds a place when there are too many. */
static void MiCountLeft(MI_LEFT *Left, ULONG Tag, SIZE_T Bytes)
{
    ULONG i = 0;

    while (i < MI_LEFT_TAGS - 1 && Left[i].Blocks != 0 && Left[i].Tag != Tag) {
        i++;
    }
    Left[i] = (MI_LEFT){Tag, Left[i].Blocks + 1, Left[i].Bytes + Bytes};
}

static void MiCountLeftInSlab(MI_LEFT *Left, UCHAR *Page, ULONG Bytes, const void *Base, SIZE_T Size)
{
    for (UCHAR *Block = Page; Block + Bytes <= Page + PAGE_SIZE; Block += Bytes) {
        const MI_POOL_HEADER *Header = (const void *)Block;
        if (Header->State == (MI_STATE_IN_USE ^ (ULONG)(ULONG64)Block) && Header->Caller - (ULONG)(ULONG_PTR)Base < Size) {
            MiCountLeft(Left, Header->Tag, Header->Size);
        }
    }
}

/* Without locks: the blocks that are meant do not change any more, and a look at another one at a bad moment
   finds another's address. */
void MmReportPool(const void *Base, SIZE_T Size, const char *Name)
{
    MI_LEFT Left[MI_LEFT_TAGS] = {{0}};

    for (ULONG64 Physical = MiNextPage(0); Physical != 0; Physical = MiNextPage(Physical)) {
        const MI_PAGE *Page = MiPageOf(Physical);
        if (Page->Type == MiPageSlab) {
            MiCountLeftInSlab(Left, ArchPhysicalToVirtual(Physical), MiClassBytes[Page->Order], Base, Size);
        } else if (Page->Type == MiPageLarge && (ULONG_PTR)Page->Caller - (ULONG_PTR)Base < Size) {
            MiCountLeft(Left, Page->Tag, Page->Bytes);
        }
    }
    for (ULONG i = 0; i < MI_LEFT_TAGS && Left[i].Blocks != 0; i++) {
        DbgPrint("module %s is gone and has not freed: %u blocks of pool, %I64u bytes, tag '%.4s'\n", Name, Left[i].Blocks,
                 (ULONG64)Left[i].Bytes, (const char *)&Left[i].Tag);
    }
}
#endif

/* ---- The documented routines ---- */

static inline PVOID MiAllocatePool(SIZE_T Size, ULONG Tag)
{
    KI_ASSERT(ArchGetIrql() <= DISPATCH_LEVEL, "pool allocation at IRQL %u", ArchGetIrql());

    if (MiFailNow(MiFailPool)) {
        return NULL;
    }
    if (MI_LIKELY(Size <= MI_LARGEST_CLASS - MI_HEADER_BYTES - MI_RED_BYTES)) {
        ULONG Class = MiClassOfSize[(Size + MI_HEADER_BYTES + MI_RED_BYTES + 15) / 16];
        PVOID Block = MiAllocateSmall(Class);
        return MI_LIKELY(Block != NULL) ? MiMarkAllocated(Block, MiClassBytes[Class], Size, Tag) : NULL;
    }
    if (Size > MI_LARGE_END - MI_LARGE_BASE) {
        return NULL;
    }
    return MiAllocateLarge(Size, Tag);
}

/* What of a pool type asks for more than a block. */
#define MI_TYPE_CACHE_ALIGNED 4
#define MI_TYPE_EXTRAS        (MI_TYPE_CACHE_ALIGNED | POOL_RAISE_IF_ALLOCATION_FAILURE | POOL_ZERO_ALLOCATION)

/* Whole pages are aligned to a cache line, too. */
static PVOID MiAllocateAligned(SIZE_T Size, ULONG Tag)
{
    KI_ASSERT(ArchGetIrql() <= DISPATCH_LEVEL, "pool allocation at IRQL %u", ArchGetIrql());
    return MiFailNow(MiFailPool) || Size > MI_LARGE_END - MI_LARGE_BASE ? NULL : MiAllocateLarge(Size != 0 ? Size : 1, Tag);
}

static NOINLINE PVOID MiAllocateWithExtras(ULONG PoolType, SIZE_T Size, ULONG Tag)
{
    PVOID P = PoolType & MI_TYPE_CACHE_ALIGNED ? MiAllocateAligned(Size, Tag) : MiAllocatePool(Size, Tag);

    if (P == NULL && (PoolType & POOL_RAISE_IF_ALLOCATION_FAILURE) != 0) {
        ExRaiseStatus(STATUS_INSUFFICIENT_RESOURCES);
    }
    if (P != NULL && (PoolType & POOL_ZERO_ALLOCATION) != 0) {
        memset(P, 0, Size);
    }
    return P;
}

/*
 * ExAllocatePoolWithTag: Size bytes, 16-byte aligned, page-aligned from a page on and for the cache-aligned
 * types; not initialised unless POOL_ZERO_ALLOCATION is given. All pool is resident, so that the pool type
 * does not matter; none of it can be executed, with POOL_NX_ALLOCATION or without. A size of 0 gives the
 * smallest block. NULL when memory is out, or STATUS_INSUFFICIENT_RESOURCES raised with
 * POOL_RAISE_IF_ALLOCATION_FAILURE. IRQL <= DISPATCH_LEVEL. (WDK page of the name)
 */
PVOID ExAllocatePoolWithTag(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag)
{
    if (MI_UNLIKELY(PoolType & MI_TYPE_EXTRAS)) {
        return MiMarkCaller(MiAllocateWithExtras(PoolType, NumberOfBytes, Tag), _ReturnAddress());
    }
    return MiMarkCaller(MiAllocatePool(NumberOfBytes, Tag), _ReturnAddress());
}
EXPORT(ExAllocatePoolWithTag);

#define MI_REQUIRED_FLAGS 0xffffffffULL
#define MI_KNOWN_FLAGS                                                                                                  \
    (POOL_FLAG_USE_QUOTA | POOL_FLAG_UNINITIALIZED | POOL_FLAG_CACHE_ALIGNED | POOL_FLAG_RAISE_ON_FAILURE |             \
     POOL_FLAG_NON_PAGED | POOL_FLAG_PAGED)

/*
 * ExAllocatePool2: the same, zeroed unless POOL_FLAG_UNINITIALIZED is given. As documented, an unknown flag
 * among the lower 32 makes the call fail (executable pool does not exist, so that its flag is unknown), one
 * among the upper 32 is ignored; one of the two kinds of pool must be named. A size of 0 fails. Every failure
 * raises its status with POOL_FLAG_RAISE_ON_FAILURE. (WDK page of the name)
 */
PVOID ExAllocatePool2(POOL_FLAGS Flags, SIZE_T NumberOfBytes, ULONG Tag)
{
    ULONG64 Kind = Flags & (POOL_FLAG_NON_PAGED | POOL_FLAG_PAGED);
    bool Raise = (Flags & POOL_FLAG_RAISE_ON_FAILURE) != 0;
    if ((Flags & MI_REQUIRED_FLAGS & ~MI_KNOWN_FLAGS) != 0 || (Kind & (Kind - 1)) != 0 || Kind == 0 ||
        NumberOfBytes == 0) {
        if (Raise) {
            ExRaiseStatus(STATUS_INVALID_PARAMETER);
        }
        return NULL;
    }
    PVOID P = Flags & POOL_FLAG_CACHE_ALIGNED ? MiAllocateAligned(NumberOfBytes, Tag) : MiAllocatePool(NumberOfBytes, Tag);
    if (P == NULL && Raise) {
        ExRaiseStatus(STATUS_INSUFFICIENT_RESOURCES);
    }
    if (P != NULL && (Flags & POOL_FLAG_UNINITIALIZED) == 0) {
        memset(P, 0, NumberOfBytes);
    }
    return MiMarkCaller(P, _ReturnAddress());
}
EXPORT(ExAllocatePool2);

/*
 * ExFreePoolWithTag: P goes back. Debug builds compare the tag with that of the allocation (release builds
 * only for blocks of whole pages); 0 means any. What was never allocated, or has been freed, is
 * BAD_POOL_CALLER. IRQL <= DISPATCH_LEVEL. (WDK page of the name)
 */
VOID ExFreePoolWithTag(PVOID P, ULONG Tag)
{
    ULONG64 Physical = (ULONG_PTR)P - (ULONG_PTR)ArchPhysicalToVirtual(0);

    KI_ASSERT(ArchGetIrql() <= DISPATCH_LEVEL, "pool block freed at IRQL %u", ArchGetIrql());
    if (MI_LIKELY(Physical < MiPhysicalEnd && MiPageOf(Physical)->Type == MiPageSlab)) {
        ULONG Class = MiPageOf(Physical)->Order;
        KdForgetLocks(P, MiClassBytes[Class]);
        MiFreeSmall(Class, MiMarkFreed(P, MiClassBytes[Class], Tag));
    } else {
        MiFreeLarge(P, Tag);
    }
}
EXPORT(ExFreePoolWithTag);

/* ExFreePool: the same, whatever the tag. (WDK page of the name) */
VOID ExFreePool(PVOID P)
{
    ExFreePoolWithTag(P, 0);
}
EXPORT(ExFreePool);

/* A block of a debug build knows its tag. May be asked about any address, at any IRQL. */
BOOLEAN MmDescribePool(const void *Address, PULONG Tag, SIZE_T *Offset)
{
#if DBG
    ULONG64 Physical = (ULONG_PTR)Address - (ULONG_PTR)ArchPhysicalToVirtual(0);

    if (Physical < MiPhysicalEnd && MiPageOf(Physical)->Type == MiPageSlab) {
        ULONG Bytes = MiClassBytes[MiPageOf(Physical)->Order];
        SIZE_T Within = ((ULONG_PTR)Address & (PAGE_SIZE - 1)) % Bytes;
        const MI_POOL_HEADER *Header = (const void *)((const UCHAR *)Address - Within);
        *Tag = Header->Tag;
        *Offset = Within - sizeof(*Header);
        return Within >= sizeof(*Header) && Header->State == (MI_STATE_IN_USE ^ (ULONG)(ULONG64)Header);
    }
#endif
    return FALSE;
}

/* ---- Start-up, trimming, statistics ---- */

void MiSetMagazineLimits(PMI_MAGAZINE Magazines)
{
    for (ULONG Class = 0; Class < MI_SIZE_CLASSES; Class++) {
        Magazines[Class].Limit = MiClassBytes[Class] <= 512 ? MI_MAGAZINE_DEPTH : MI_MAGAZINE_DEPTH / 2;
    }
}

void MiInitializePool(void)
{
    ULONG Class = 0;
    for (ULONG i = 0; i < RTL_NUMBER_OF(MiClassOfSize); i++) {
        if (i * 16 > MiClassBytes[Class]) {
            Class++;
        }
        MiClassOfSize[i] = (UCHAR)Class;
    }
    for (Class = 0; Class < MI_SIZE_CLASSES; Class++) {
        KeInitializeLock(&MiClass[Class].Lock, KlcPool);
        InitializeListHead(&MiClass[Class].Partial);
    }
}

void MiDrainPoolCache(void)
{
    KIRQL OldIrql = KiRaiseToDispatch();
    PMI_MAGAZINE Magazines = ArchCurrentPrcb()->PoolCache;
    for (ULONG Class = 0; Class < MI_SIZE_CLASSES; Class++) {
        MiSpill(&Magazines[Class], Class, 0);
    }
    KiLower(OldIrql);
}

void MiFreeEmptySlabs(void)
{
    for (ULONG Class = 0; Class < MI_SIZE_CLASSES; Class++) {
        PMI_CLASS C = &MiClass[Class];
        KIRQL OldIrql = KeAcquireLock(&C->Lock);
        while (C->EmptySlabs != 0) {
            MiDestroySlab(CONTAINING_RECORD(C->Partial.Blink, MI_PAGE, Link));
            C->EmptySlabs--;
        }
        KeReleaseLock(&C->Lock, OldIrql);
    }
}

/* Exact when nobody allocates meanwhile; small blocks count with the size of their class. */
void MiQueryPool(MM_STATISTICS *Statistics)
{
    Statistics->PoolPages = (ULONG64)MiPoolPages;
    Statistics->PoolBlocks = (ULONG64)MiLargeBlocks;
    Statistics->PoolBytes = (ULONG64)MiLargeBytes;
    for (ULONG Class = 0; Class < MI_SIZE_CLASSES; Class++) {
        LONG64 Used = 0;
        for (ULONG i = 0; i < MiCacheCount; i++) {
            Used += MiCaches[i]->Pool[Class].Used;
        }
        Statistics->PoolBlocks += (ULONG64)Used;
        Statistics->PoolBytes += (ULONG64)Used * MiClassBytes[Class];
    }
}
