/* SPDX-License-Identifier: MIT */
/*
 * Page frames: a descriptor a frame, a buddy allocator over the free ones, a small cache of single frames a
 * processor.
 *
 * Memory is dealt with in chunks of the largest buddy block (4 MiB). A chunk that is free as a whole at
 * start-up is only noted as fresh; its descriptors are made when it is taken for the first time, so that
 * start-up costs little however large the memory is. A block never merges beyond its chunk, and so a
 * descriptor that is looked at has been made.
 *
 * Locks: a cache's own, then the page lock (free lists, fresh chunks).
 */
#include "kernel/rtl/export.h"
#include "kernel/mm/mi.h"
#include <primertest.h>

#define MI_MAX_ORDER   10
#define MI_CHUNK_PAGES (1ULL << MI_MAX_ORDER)
#define MI_CHUNK_BYTES (MI_CHUNK_PAGES << PAGE_SHIFT)

/* Blocks that a processor's cache is filled from: half of what it holds. */
#define MI_FILL_ORDER 5
C_ASSERT(2 << MI_FILL_ORDER == MI_CACHED_PAGES);

/* Whole chunks, numbered by address, that have not been touched. */
typedef struct _MI_FRESH_RUN {
    ULONG64 Next, End;
} MI_FRESH_RUN;

static KLOCK MiPageLock;
static LIST_ENTRY MiFreeList[MI_MAX_ORDER + 1]; /* (MiPageLock) */
static MI_FRESH_RUN MiFresh[BOOT_MAX_RANGES];   /* (MiPageLock) */
static ULONG MiFreshRuns;                       /* (MiPageLock) runs from this one down have chunks left */
static ULONG64 MiTotalPages;                    /* constant after start-up */
static LONG64 MiUsedOutsideCaches;       /* (MiPageLock) like MI_PAGE_CACHE.Used, for contiguous blocks */
static volatile LONG64 MiPageTablePages; /* (a) */

ULONG64 MiPhysicalEnd;
PMI_PROCESSOR_CACHES MiCaches[MAXIMUM_PROCESSORS];
volatile ULONG MiCacheCount;

#if DBG
/* Fault injection. Of this thread's allocations, for one test at a time, MiFailAfter succeed, then
   MiFailCount fail. */
static PKTHREAD volatile MiFailThread;
static ULONG MiFailAfter, MiFailCount;
/* Of all processes' but the spared one's every so-manieth fails, of pool and of pages. Each word is alone
   what it is. */
static PKPROCESS volatile MiFailSpared;
static volatile ULONG MiFailEvery[2];
static volatile LONG MiFailTurns[2], MiFailures;

BOOLEAN MiFailNow(MI_FAIL_KIND Kind)
{
    ULONG Every = MiFailEvery[Kind];
    if (MiFailThread == NULL && Every == 0) {
        return FALSE;
    }
    BOOLEAN Fails = Every != 0 && ArchCurrentThread()->Process != MiFailSpared &&
                    (ULONG)InterlockedIncrement(&MiFailTurns[Kind]) % Every == 0;
    if (MiFailThread == ArchCurrentThread() && MiFailCount != 0) {
        Fails = MiFailAfter == 0;
        *(Fails ? &MiFailCount : &MiFailAfter) -= 1;
    }
    InterlockedExchangeAdd(&MiFailures, Fails);
    return Fails;
}

ULONG PrimerFailAllocations(ULONG After, ULONG Count)
{
    MiFailAfter = After;
    MiFailCount = Count;
    MiFailThread = Count != 0 ? ArchCurrentThread() : NULL;
    return (ULONG)InterlockedExchange(&MiFailures, 0);
}
EXPORT(PrimerFailAllocations);

ULONG PrimerFailEvery(ULONG Pool, ULONG Pages)
{
    MiFailSpared = ArchCurrentThread()->Process;
    MiFailEvery[MiFailPool] = Pool;
    MiFailEvery[MiFailPages] = Pages;
    return (ULONG)InterlockedExchange(&MiFailures, 0);
}
EXPORT(PrimerFailEvery);
#endif

/* ---- Buddy lists. The page lock is held ---- */

static void MiPutFreeBlock(PMI_PAGE Page, ULONG Order)
{
    Page->Type = MiPageFree;
    Page->Order = (UCHAR)Order;
    InsertHeadList(&MiFreeList[Order], &Page->Link);
}

static void MiTakeFreeBlock(PMI_PAGE Page)
{
    KI_ASSERT(Page->Type == MiPageFree, "frame %p has type %u", (void *)MiPhysicalOf(Page), Page->Type);
    RemoveEntryList(&Page->Link);
    Page->Type = MiPageReserved;
}

/* A block becomes free and merges with its buddy for as long as that is free as a whole. */
static void MiFreeBlock(ULONG64 Frame, ULONG Order)
{
    PMI_PAGE Database = (PMI_PAGE)MI_PAGE_DATABASE;

    while (Order < MI_MAX_ORDER) {
        PMI_PAGE Buddy = &Database[Frame ^ (1ULL << Order)];
        if (Buddy->Type != MiPageFree || Buddy->Order != Order) {
            break;
        }
        MiTakeFreeBlock(Buddy);
        Frame &= ~(1ULL << Order);
        Order++;
    }
    MiPutFreeBlock(&Database[Frame], Order);
}

/* The largest aligned blocks that make up [Frame, End). */
static void MiFreeFrameRange(ULONG64 Frame, ULONG64 End)
{
    while (Frame < End) {
        ULONG Order = Frame == 0 ? MI_MAX_ORDER : (ULONG)__builtin_ctzl(Frame);
        if (Order > MI_MAX_ORDER) {
            Order = MI_MAX_ORDER;
        }
        while (Order > 0 && Frame + (1ULL << Order) > End) {
            Order--;
        }
        MiFreeBlock(Frame, Order);
        Frame += 1ULL << Order;
    }
}

/* Makes the descriptors of a fresh chunk and puts it on the list of largest blocks. */
static BOOLEAN MiTakeFreshChunk(void)
{
    while (MiFreshRuns != 0) {
        MI_FRESH_RUN *Run = &MiFresh[MiFreshRuns - 1];
        if (Run->Next != Run->End) {
            PMI_PAGE Page = MiPageOf(Run->Next++ * MI_CHUNK_BYTES);
            memset(Page, 0, MI_CHUNK_PAGES * sizeof(MI_PAGE));
            MiPutFreeBlock(Page, MI_MAX_ORDER);
            return TRUE;
        }
        MiFreshRuns--;
    }
    return FALSE;
}

/* The first frame of a block taken off the lists; NULL. Larger blocks are split, the upper halves stay
   free. */
static PMI_PAGE MiAllocateBlock(ULONG Order)
{
    ULONG Found = Order;
    while (Found <= MI_MAX_ORDER && IsListEmpty(&MiFreeList[Found])) {
        Found++;
    }
    if (Found > MI_MAX_ORDER) {
        if (!MiTakeFreshChunk()) {
            return NULL;
        }
        Found = MI_MAX_ORDER;
    }
    PMI_PAGE Page = CONTAINING_RECORD(MiFreeList[Found].Flink, MI_PAGE, Link);
    MiTakeFreeBlock(Page);
    while (Found > Order) {
        Found--;
        MiPutFreeBlock(Page + (1ULL << Found), Found);
    }
    return Page;
}

/* ---- Caches of processors ---- */

static inline PMI_PAGE_CACHE MiAcquirePageCache(KIRQL *OldIrql)
{
    *OldIrql = KiRaiseToDispatch();
    PMI_PAGE_CACHE Cache = ArchCurrentPrcb()->PageCache;
    KeAcquireLockAtDpc(&Cache->Lock);
    return Cache;
}

static inline void MiReleasePageCache(PMI_PAGE_CACHE Cache, KIRQL OldIrql)
{
    KeReleaseLockFromDpc(&Cache->Lock);
    KiLower(OldIrql);
}

/* The order of the block to fill a cache from: the smallest that is free, so that large ones stay whole. */
static ULONG MiFillOrder(void)
{
    ULONG Order = 0;
    while (Order < MI_FILL_ORDER && IsListEmpty(&MiFreeList[Order])) {
        Order++;
    }
    return Order;
}

/* Half a cache of frames from the lists, in whole blocks. The cache's lock is held. */
static void MiFillPageCache(PMI_PAGE_CACHE Cache)
{
    KeAcquireLockAtDpc(&MiPageLock);
    while (Cache->Count < MI_CACHED_PAGES / 2) {
        ULONG Order = MiFillOrder();
        PMI_PAGE Page = MiAllocateBlock(Order);
        if (Page == NULL) {
            break;
        }
        for (ULONG i = 1U << Order; i-- != 0;) {
            Cache->Page[Cache->Count++] = MiPhysicalOf(Page + i);
        }
    }
    KeReleaseLockFromDpc(&MiPageLock);
}

/* Gives frames back to the lists until Left are there. The cache's lock is held. */
static void MiEmptyPageCache(PMI_PAGE_CACHE Cache, ULONG Left)
{
    KeAcquireLockAtDpc(&MiPageLock);
    while (Cache->Count > Left) {
        MiFreeBlock(Cache->Page[--Cache->Count] >> PAGE_SHIFT, 0);
    }
    while (Left == 0 && Cache->ZeroedCount != 0) {
        MiFreeBlock(Cache->Zeroed[--Cache->ZeroedCount] >> PAGE_SHIFT, 0);
    }
    KeReleaseLockFromDpc(&MiPageLock);
}

static inline void MiPutIntoCache(PMI_PAGE_CACHE Cache, ULONG64 Physical)
{
    if (MI_UNLIKELY(Cache->Count == MI_CACHED_PAGES)) {
        MiEmptyPageCache(Cache, MI_CACHED_PAGES / 2);
    }
    Cache->Page[Cache->Count++] = Physical;
    Cache->Used--;
}

/* All caches' frames go to the lists: to be merged, or for a processor that finds none elsewhere. <=
   DISPATCH. */
void MiDrainPageCaches(void)
{
    for (ULONG i = 0; i < MiCacheCount; i++) {
        PMI_PAGE_CACHE Cache = &MiCaches[i]->Pages;
        KIRQL OldIrql = KeAcquireLock(&Cache->Lock);
        MiEmptyPageCache(Cache, 0);
        KeReleaseLock(&Cache->Lock, OldIrql);
    }
}

/* ---- Single frames ---- */

/* Zeroed: a frame of zeros is wanted; *Zeroed FALSE on return: it is not one yet. */
static ULONG64 MiTakeCachedFrame(BOOLEAN *Zeroed)
{
    KIRQL OldIrql;
    ULONG64 Physical = 0;
    PMI_PAGE_CACHE Cache = MiAcquirePageCache(&OldIrql);

    if (*Zeroed && Cache->ZeroedCount != 0) {
        Physical = Cache->Zeroed[--Cache->ZeroedCount];
        Cache->Used++;
        MiReleasePageCache(Cache, OldIrql);
        return Physical;
    }
    *Zeroed = FALSE;
    if (MI_UNLIKELY(Cache->Count == 0)) {
        MiFillPageCache(Cache);
    }
    if (MI_LIKELY(Cache->Count != 0)) {
        Physical = Cache->Page[--Cache->Count];
        Cache->Used++;
    }
    MiReleasePageCache(Cache, OldIrql);
    return Physical;
}

/* The last free frames may lie in other processors' caches. */
static ULONG64 MiTakeFrame(BOOLEAN *Zeroed)
{
    ULONG64 Physical = MiTakeCachedFrame(Zeroed);
    if (MI_UNLIKELY(Physical == 0)) {
        MiDrainPageCaches();
        Physical = MiTakeCachedFrame(Zeroed);
    }
    return Physical;
}

ULONG64 MmAllocatePage(BOOLEAN Zeroed)
{
    BOOLEAN HasZeros = Zeroed;
    ULONG64 Physical = MiFailNow(MiFailPages) ? 0 : MiTakeFrame(&HasZeros);
    if (MI_UNLIKELY(Physical == 0)) {
        return 0;
    }
    PMI_PAGE Page = MiPageOf(Physical);
    KI_ASSERT(Page->Type == MiPageReserved && Page->References == 0, "free frame %p: type %u, %d references",
              (void *)Physical, Page->Type, Page->References);
    Page->Type = MiPageInUse;
    __atomic_store_n(&Page->References, 1, __ATOMIC_RELAXED);
    if (Zeroed && !HasZeros) {
        memset(ArchPhysicalToVirtual(Physical), 0, PAGE_SIZE);
    }
    return Physical;
}

void MiReferencePage(ULONG64 Physical)
{
    PMI_PAGE Page = MiPageOf(Physical);
    KI_ASSERT(Page->Type == MiPageReserved || (Page->Type == MiPageInUse && Page->References > 0),
              "frame %p has type %u, %d references", (void *)Physical, Page->Type, Page->References);
    InterlockedIncrement(&Page->References);
}

/* Drops a reference. TRUE when the frame is free now and the caller has to put it somewhere. */
static inline BOOLEAN MiDropReference(ULONG64 Physical)
{
    PMI_PAGE Page = MiPageOf(Physical);
    KI_ASSERT(Page->References > 0, "frame %p, type %u, has %d references", (void *)Physical, Page->Type,
              Page->References);
    if (InterlockedDecrement(&Page->References) != 0 || Page->Type != MiPageInUse) {
        return FALSE;
    }
    Page->Type = MiPageReserved;
    return TRUE;
}

void MmReleasePage(ULONG64 Physical)
{
    if (MiDropReference(Physical)) {
        KIRQL OldIrql;
        PMI_PAGE_CACHE Cache = MiAcquirePageCache(&OldIrql);
        MiPutIntoCache(Cache, Physical);
        MiReleasePageCache(Cache, OldIrql);
    }
}

void MiReleasePages(const ULONG64 *Physical, ULONG Count)
{
    KIRQL OldIrql;
    PMI_PAGE_CACHE Cache = MiAcquirePageCache(&OldIrql);
    for (ULONG i = 0; i < Count; i++) {
        if (MiDropReference(Physical[i])) {
            MiPutIntoCache(Cache, Physical[i]);
        }
    }
    MiReleasePageCache(Cache, OldIrql);
}

/* ---- Contiguous frames ---- */

static PMI_PAGE MiTakeContiguous(ULONG Order)
{
    KIRQL OldIrql = KeAcquireLock(&MiPageLock);
    PMI_PAGE Page = MiAllocateBlock(Order);
    if (Page != NULL) {
        MiUsedOutsideCaches += 1LL << Order;
    }
    KeReleaseLock(&MiPageLock, OldIrql);
    return Page;
}

ULONG64 MiAllocateContiguous(ULONG Order)
{
    if (Order > MI_MAX_ORDER || MiFailNow(MiFailPages)) {
        return 0;
    }
    PMI_PAGE Page = MiTakeContiguous(Order);
    if (Page == NULL) {
        MiDrainPageCaches();
        Page = MiTakeContiguous(Order);
    }
    if (Page == NULL) {
        return 0;
    }
    Page->Type = MiPageInUse;
    Page->References = 1;
    return MiPhysicalOf(Page);
}

void MiFreeFrames(ULONG64 Physical, SIZE_T Count)
{
    ULONG64 Frame = Physical >> PAGE_SHIFT;
    KIRQL OldIrql = KeAcquireLock(&MiPageLock);
    MiFreeFrameRange(Frame, Frame + Count);
    MiUsedOutsideCaches -= (LONG64)Count;
    KeReleaseLock(&MiPageLock, OldIrql);
}

/* ---- Page tables' pages ---- */

/* Start-up: frames of the largest free range, taken for ever; End 0: over. */
static ULONG64 MiEarlyNext, MiEarlyEnd;

static ULONG64 MiTakeEarlyFrame(void)
{
    if (MiEarlyNext == MiEarlyEnd) {
        KdBugCheck(PHASE0_INITIALIZATION_FAILED, MiEarlyEnd, 0, 0, 0, NULL,
                   "too little memory for the page-frame database");
    }
    ULONG64 Physical = MiEarlyNext;
    MiEarlyNext += PAGE_SIZE;
    return Physical;
}

static uint64_t MiAllocateTablePage(void)
{
    if (MI_UNLIKELY(MiEarlyEnd != 0)) {
        ULONG64 Physical = MiTakeEarlyFrame();
        memset(ArchPhysicalToVirtual(Physical), 0, PAGE_SIZE);
        return Physical;
    }
    ULONG64 Physical = MmAllocatePage(TRUE);
    if (Physical != 0) {
        InterlockedIncrement64(&MiPageTablePages);
    }
    return Physical;
}

#if DBG
static BOOLEAN MiIsZero(const UCHAR *Page)
{
    return Page[0] == 0 && memcmp(Page, Page + 1, PAGE_SIZE - 1) == 0;
}
#endif

/* The table holds zeros. Frames of before mm came up are pinned: releasing them does nothing. */
static void MiFreeTablePage(uint64_t Physical)
{
    KIRQL OldIrql;

    if (!MiDropReference(Physical)) {
        return;
    }
    KI_ASSERT(MiIsZero(ArchPhysicalToVirtual(Physical)), "page table %p is not empty", (void *)Physical);
    InterlockedDecrement64(&MiPageTablePages);
    PMI_PAGE_CACHE Cache = MiAcquirePageCache(&OldIrql);
    if (Cache->ZeroedCount < MI_CACHED_ZEROED) {
        Cache->Zeroed[Cache->ZeroedCount++] = Physical;
        Cache->Used--;
    } else {
        MiPutIntoCache(Cache, Physical);
    }
    MiReleasePageCache(Cache, OldIrql);
}

/* ---- Start-up ---- */

static void MiChooseEarlyFrames(const BOOT_INFORMATION *Boot)
{
    const BOOT_MEMORY_RANGE *Largest = NULL;
    for (ULONG i = 0; i < Boot->RangeCount; i++) {
        const BOOT_MEMORY_RANGE *Range = &Boot->Range[i];
        if (Range->Type == BootMemoryFree && (Largest == NULL || Range->Size > Largest->Size)) {
            Largest = Range;
        }
    }
    if (Largest != NULL) {
        MiEarlyNext = Largest->Base != 0 ? Largest->Base : PAGE_SIZE;
        MiEarlyEnd = Largest->Base + Largest->Size;
    }
}

static void MiMapChunkDescriptors(ULONG64 Chunk)
{
    ULONG_PTR Start = (ULONG_PTR)MiPageOf(Chunk * MI_CHUNK_BYTES);
    ULONG_PTR End = Start + MI_CHUNK_PAGES * sizeof(MI_PAGE);

    for (ULONG_PTR Address = Start; Address < End; Address += PAGE_SIZE) {
        ArchMapPage(ArchKernelPageTables(), Address, MiTakeEarlyFrame(),
                    ARCH_PAGE_READ | ARCH_PAGE_WRITE | ARCH_PAGE_GLOBAL);
    }
}

/* Descriptors for every chunk that holds RAM of any kind; not filled yet. */
static void MiMapDatabase(const BOOT_INFORMATION *Boot)
{
    ULONG64 Next = 0;
    for (ULONG i = 0; i < Boot->RangeCount; i++) {
        const BOOT_MEMORY_RANGE *Range = &Boot->Range[i];
        ULONG64 Chunk = Range->Base / MI_CHUNK_BYTES;
        ULONG64 End = (Range->Base + Range->Size + MI_CHUNK_BYTES - 1) / MI_CHUNK_BYTES;
        for (Chunk = Chunk < Next ? Next : Chunk; Chunk < End; Chunk++) {
            MiMapChunkDescriptors(Chunk);
        }
        Next = End > Next ? End : Next;
        MiPhysicalEnd = Range->Base + Range->Size;
    }
}

/* The part of a free range that may be handed out, in bytes: frame 0 never, early frames not any more. */
static ULONG64 MiUsableStart(const BOOT_MEMORY_RANGE *Range)
{
    if (MiEarlyEnd == Range->Base + Range->Size) {
        return MiEarlyNext;
    }
    return Range->Base != 0 ? Range->Base : PAGE_SIZE;
}

/* The chunks that are free as a whole; Next == End when there are none. */
static MI_FRESH_RUN MiWholeChunks(const BOOT_MEMORY_RANGE *Range)
{
    MI_FRESH_RUN Run = {
        .Next = ALIGN_UP_BY(MiUsableStart(Range), MI_CHUNK_BYTES) / MI_CHUNK_BYTES,
        .End = (Range->Base + Range->Size) / MI_CHUNK_BYTES,
    };
    if (Range->Type != BootMemoryFree || Run.Next > Run.End) {
        Run.Next = Run.End;
    }
    return Run;
}

/* Makes the descriptors of the chunks that are not whole: pinned, for now. */
static void MiFillDescriptors(const BOOT_INFORMATION *Boot)
{
    ULONG64 Next = 0;
    for (ULONG i = 0; i < Boot->RangeCount; i++) {
        const BOOT_MEMORY_RANGE *Range = &Boot->Range[i];
        MI_FRESH_RUN Whole = MiWholeChunks(Range);
        ULONG64 Chunk = Range->Base / MI_CHUNK_BYTES;
        for (Chunk = Chunk < Next ? Next : Chunk; Chunk * MI_CHUNK_BYTES < Range->Base + Range->Size;
             Chunk++) {
            if (Chunk < Whole.Next || Chunk >= Whole.End) {
                memset(MiPageOf(Chunk * MI_CHUNK_BYTES), 0, MI_CHUNK_PAGES * sizeof(MI_PAGE));
            }
            Next = Chunk + 1;
        }
    }
}

/* Whole chunks become fresh; what is free at the edges of the range goes to the lists. */
static void MiFreeBootRange(const BOOT_MEMORY_RANGE *Range)
{
    ULONG64 Start = MiUsableStart(Range) >> PAGE_SHIFT;
    ULONG64 End = (Range->Base + Range->Size) >> PAGE_SHIFT;
    MI_FRESH_RUN Whole = MiWholeChunks(Range);

    if (Range->Type != BootMemoryFree || Start >= End) {
        return;
    }
    MiTotalPages += End - Start;
    if (Whole.Next == Whole.End) {
        MiFreeFrameRange(Start, End);
        return;
    }
    MiFresh[MiFreshRuns++] = Whole;
    MiFreeFrameRange(Start, Whole.Next * MI_CHUNK_PAGES);
    MiFreeFrameRange(Whole.End * MI_CHUNK_PAGES, End);
}

void MiInitializePages(PBOOT_INFORMATION Boot)
{
    KeInitializeLock(&MiPageLock, KlcPages);
    for (ULONG i = 0; i <= MI_MAX_ORDER; i++) {
        InitializeListHead(&MiFreeList[i]);
    }
    ArchSetPageTableSource(MiAllocateTablePage, MiFreeTablePage);
    MiChooseEarlyFrames(Boot);
    MiMapDatabase(Boot);
    MiFillDescriptors(Boot);
    for (ULONG i = 0; i < Boot->RangeCount; i++) {
        MiFreeBootRange(&Boot->Range[i]);
    }
    MiEarlyEnd = 0;
}

#if DBG
/* The descriptors of fresh chunks have not been made yet, and holes between RAM have none. */
static BOOLEAN MiChunkIsKnown(ULONG64 Chunk)
{
    ULONG64 Physical;
    ULONG Flags;

    for (ULONG i = 0; i < MiFreshRuns; i++) {
        if (Chunk >= MiFresh[i].Next && Chunk < MiFresh[i].End) {
            return FALSE;
        }
    }
    return ArchQueryPage(ArchKernelPageTables(), (ULONG_PTR)MiPageOf(Chunk * MI_CHUNK_BYTES), &Physical, &Flags);
}

ULONG64 MiNextPage(ULONG64 Physical)
{
    Physical += PAGE_SIZE;
    while (Physical < MiPhysicalEnd && Physical % MI_CHUNK_BYTES == 0 && !MiChunkIsKnown(Physical / MI_CHUNK_BYTES)) {
        Physical += MI_CHUNK_BYTES;
    }
    return Physical < MiPhysicalEnd ? Physical : 0;
}
#endif

/* Frames that move between caches and lists change no count here: the sum is exact when nobody allocates
   meanwhile. */
void MmQueryFrames(MM_STATISTICS *Statistics)
{
    LONG64 Used = MiUsedOutsideCaches;
    for (ULONG i = 0; i < MiCacheCount; i++) {
        Used += MiCaches[i]->Pages.Used;
    }
    Statistics->TotalPages = MiTotalPages;
    Statistics->FreePages = MiTotalPages - (ULONG64)Used;
    Statistics->PageTablePages = (ULONG64)MiPageTablePages;
}
