/* SPDX-License-Identifier: MIT */
/*
 * Kernel addresses: windows from which page-granular ranges are taken (module images, large pool blocks), and stacks.
 *
 *      a stack's slot, 32 KiB       | 16 KiB never mapped (guard) | 16 KiB stack |
 *                                   slot                                         StackTop
 *
 * A stack that is freed stays mapped in a small cache, so that creating and ending a thread touches no page table. When the
 * cache is full half of it is unmapped, with one flush for all.
 *
 * Lock: MiRangeLock (KlcVirtual), for windows, stack slots and the making of page tables for kernel addresses. The entries
 * themselves need none: whoever owns a range fills it.
 */
#include "kernel/mm/mi.h"

#define RANGE_TAG 'aVmM'

#define MI_STACK_SLOT       0x8000
#define MI_STACK_SLOTS      65536
#define MI_STACK_PAGES      (KERNEL_STACK_SIZE / PAGE_SIZE)
#define MI_CACHED_STACKS    32
#define MI_KERNEL_PAGE      (ARCH_PAGE_READ | ARCH_PAGE_WRITE | ARCH_PAGE_GLOBAL)
#define MI_KERNEL_BATCH     64
#define MI_FLUSH_EVERYTHING 4096 /* pages: far more than are flushed one by one */

static KLOCK MiRangeLock;
MI_WINDOW MiLargeWindow = {.Start = MI_LARGE_BASE, .End = MI_LARGE_END};
MI_WINDOW MiImageWindow = {.Start = MI_IMAGE_BASE, .End = MI_IMAGE_END};

static ULONG64 MiSlotUsed[MI_STACK_SLOTS / 64]; /* (MiRangeLock) a bit a slot that is mapped */
static ULONG MiSlotHint;                        /* (MiRangeLock) no free slot in words below this one */
static void **MiStackCache;            /* (MiRangeLock) free stacks, linked through their topmost word */
static ULONG MiCachedStacks;           /* (MiRangeLock) */
static volatile LONG64 MiStacksMapped; /* (a) */

/* ---- Mapping ---- */

/* Page tables for a kernel range. Nobody else makes or frees any meanwhile. */
static NTSTATUS MiPrepareTables(ULONG_PTR Start, SIZE_T Pages)
{
    KIRQL OldIrql = KeAcquireLock(&MiRangeLock);
    NTSTATUS Status = ArchPreparePages(ArchKernelPageTables(), Start, Pages * PAGE_SIZE);
    KeReleaseLock(&MiRangeLock, OldIrql);
    return Status;
}

/* Unmaps Pages pages from Start, and releases the frames once no processor can reach them. */
static void MiUnmapKernelPages(ULONG_PTR Start, SIZE_T Pages)
{
    ULONG64 Frame[MI_KERNEL_BATCH];
    ULONG Flags;

    while (Pages != 0) {
        SIZE_T Now = Pages < MI_KERNEL_BATCH ? Pages : MI_KERNEL_BATCH;
        ULONG Count = 0;
        for (SIZE_T i = 0; i < Now; i++) {
            Count += ArchUnmapPage(ArchKernelPageTables(), Start + i * PAGE_SIZE, &Frame[Count], &Flags);
        }
        KeFlushKernelTb(Start, Now);
        MiReleasePages(Frame, Count);
        Start += Now * PAGE_SIZE;
        Pages -= Now;
    }
}

/* Fresh frames at [Start, Start + Pages pages). On failure nothing stays mapped. */
static NTSTATUS MiMapKernelPages(ULONG_PTR Start, SIZE_T Pages)
{
    NTSTATUS Status = MiPrepareTables(Start, Pages);
    for (SIZE_T i = 0; NT_SUCCESS(Status) && i < Pages; i++) {
        ULONG64 Frame = MmAllocatePage(FALSE);
        if (Frame == 0) {
            MiUnmapKernelPages(Start, i);
            return STATUS_NO_MEMORY;
        }
        Status = ArchMapPage(ArchKernelPageTables(), Start + i * PAGE_SIZE, Frame, MI_KERNEL_PAGE);
        KI_ASSERT(NT_SUCCESS(Status), "page table of %p is missing", (void *)(Start + i * PAGE_SIZE));
    }
    return Status;
}

/* ---- Windows ---- */

static inline PMI_RANGE MiRangeOf(const RTL_AVL_NODE *Node)
{
    return Node != NULL ? CONTAINING_RECORD(Node, MI_RANGE, Node) : NULL;
}

static LONG MiCompareRange(const VOID *Key, const RTL_AVL_NODE *Node)
{
    ULONG_PTR Start = *(const ULONG_PTR *)Key;
    ULONG_PTR Other = MiRangeOf(Node)->Start;
    return Start < Other ? -1 : Start > Other;
}

/* The range and the unmapped page behind it. */
static inline ULONG_PTR MiRangeEnd(const MI_RANGE *Range)
{
    return Range->Start + (Range->Pages + 1) * PAGE_SIZE;
}

/* The lowest place for Size bytes at or above From; 0 when there is none. */
static ULONG_PTR MiFindPlace(PMI_WINDOW Window, ULONG_PTR From, SIZE_T Size)
{
    PMI_RANGE Range = MiRangeOf(RtlAvlFindFloor(&Window->Ranges, &From, MiCompareRange));
    if (Range != NULL && MiRangeEnd(Range) > From) {
        From = MiRangeEnd(Range);
    }
    Range = MiRangeOf(Range != NULL ? RtlAvlNext(&Range->Node) : RtlAvlFirst(&Window->Ranges));
    while (Range != NULL && Range->Start - From < Size) {
        From = MiRangeEnd(Range);
        Range = MiRangeOf(RtlAvlNext(&Range->Node));
    }
    return From < Window->End && Window->End - From >= Size ? From : 0;
}

/* Gives the range its place in the window. */
static BOOLEAN MiPlaceRange(PMI_WINDOW Window, PMI_RANGE Range)
{
    SIZE_T Size = (Range->Pages + 1) * PAGE_SIZE;
    KIRQL OldIrql = KeAcquireLock(&MiRangeLock);

    Range->Start = MiFindPlace(Window, Window->Hint, Size);
    if (Range->Start == 0) {
        Range->Start = MiFindPlace(Window, Window->Start, Size);
    }
    if (Range->Start != 0) {
        Window->Hint = Range->Start + Size;
        RtlAvlInsert(&Window->Ranges, &Range->Start, &Range->Node, MiCompareRange);
    }
    KeReleaseLock(&MiRangeLock, OldIrql);
    return Range->Start != 0;
}

static void MiForgetRange(PMI_WINDOW Window, PMI_RANGE Range)
{
    KIRQL OldIrql = KeAcquireLock(&MiRangeLock);
    RtlAvlRemove(&Window->Ranges, &Range->Node);
    if (Range->Start < Window->Hint) {
        Window->Hint = Range->Start; /* low addresses have page tables already */
    }
    KeReleaseLock(&MiRangeLock, OldIrql);
    ExFreePoolWithTag(Range, RANGE_TAG);
}

/* More pages than are free would first use up memory for page tables, which stay. */
static BOOLEAN MiCanBeBacked(SIZE_T Pages)
{
    MM_STATISTICS Statistics;
    MmQueryStatistics(&Statistics);
    return Pages < Statistics.FreePages;
}

PMI_RANGE MiAllocateRange(PMI_WINDOW Window, SIZE_T Pages)
{
    if (!MiCanBeBacked(Pages)) {
        return NULL;
    }
    PMI_RANGE Range = ExAllocatePoolWithTag(NonPagedPool, sizeof(MI_RANGE), RANGE_TAG);
    if (Range == NULL) {
        return NULL;
    }
    Range->Pages = Pages;
    if (!MiPlaceRange(Window, Range)) {
        ExFreePoolWithTag(Range, RANGE_TAG);
        return NULL;
    }
    if (!NT_SUCCESS(MiMapKernelPages(Range->Start, Pages))) {
        MiForgetRange(Window, Range);
        return NULL;
    }
    return Range;
}

PMI_RANGE MiFindRange(PMI_WINDOW Window, ULONG_PTR Base)
{
    KIRQL OldIrql = KeAcquireLock(&MiRangeLock);
    PMI_RANGE Range = MiRangeOf(RtlAvlFind(&Window->Ranges, &Base, MiCompareRange));
    KeReleaseLock(&MiRangeLock, OldIrql);
    return Range;
}

/* The addresses are taken again only after all processors have forgotten them. */
void MiFreeRange(PMI_WINDOW Window, PMI_RANGE Range)
{
    MiUnmapKernelPages(Range->Start, Range->Pages);
    MiForgetRange(Window, Range);
}

/* ---- Module images ---- */

PVOID MmAllocateImageSpace(SIZE_T Size)
{
    if (Size == 0 || Size > MI_IMAGE_END - MI_IMAGE_BASE) {
        return NULL;
    }
    PMI_RANGE Range = MiAllocateRange(&MiImageWindow, BYTES_TO_PAGES(Size));
    return Range != NULL ? (PVOID)Range->Start : NULL;
}

NTSTATUS MmProtectImageSpace(PVOID Base, SIZE_T Size, ULONG ArchFlags)
{
    ULONG_PTR Start = (ULONG_PTR)PAGE_ALIGN(Base);
    ULONG_PTR End = ROUND_TO_PAGES((ULONG_PTR)Base + Size);
    ULONG64 Frame;
    ULONG Flags;

    if (Start < MI_IMAGE_BASE || End > MI_IMAGE_END || End < Start) {
        return STATUS_INVALID_PARAMETER;
    }
    for (ULONG_PTR Page = Start; Page < End; Page += PAGE_SIZE) {
        if (!ArchQueryPage(ArchKernelPageTables(), Page, &Frame, &Flags)) {
            return STATUS_NOT_MAPPED_VIEW;
        }
        ArchMapPage(ArchKernelPageTables(), Page, Frame, (ArchFlags & ~ARCH_PAGE_USER) | ARCH_PAGE_GLOBAL);
    }
    KeFlushKernelTb(Start, (End - Start) >> PAGE_SHIFT);
    return STATUS_SUCCESS;
}

void MmFreeImageSpace(PVOID Base, SIZE_T Size)
{
    PMI_RANGE Range = MiFindRange(&MiImageWindow, (ULONG_PTR)Base);
    KI_ASSERT(Range != NULL && Range->Pages == BYTES_TO_PAGES(Size), "no image of %zu bytes at %p", Size,
              Base);
    if (Range != NULL) {
        MiFreeRange(&MiImageWindow, Range);
    }
}

/* ---- Stacks ---- */

static inline ULONG_PTR MiSlotAddress(ULONG Slot)
{
    return MI_STACKS_BASE + (ULONG_PTR)Slot * MI_STACK_SLOT;
}

/* A free slot, marked used; MI_STACK_SLOTS when there is none. The range lock is held. */
static ULONG MiTakeSlot(void)
{
    for (ULONG Word = MiSlotHint; Word < RTL_NUMBER_OF(MiSlotUsed); Word++) {
        if (~MiSlotUsed[Word] != 0) {
            ULONG Bit = (ULONG)__builtin_ctzl(~MiSlotUsed[Word]);
            MiSlotUsed[Word] |= 1ULL << Bit;
            MiSlotHint = Word;
            return Word * 64 + Bit;
        }
    }
    MiSlotHint = RTL_NUMBER_OF(MiSlotUsed);
    return MI_STACK_SLOTS;
}

static void MiReturnSlot(ULONG Slot)
{
    KIRQL OldIrql = KeAcquireLock(&MiRangeLock);
    MiSlotUsed[Slot / 64] &= ~(1ULL << (Slot % 64));
    if (Slot / 64 < MiSlotHint) {
        MiSlotHint = Slot / 64;
    }
    KeReleaseLock(&MiRangeLock, OldIrql);
}

static PVOID MiMakeStack(void)
{
    KIRQL OldIrql = KeAcquireLock(&MiRangeLock);
    ULONG Slot = MiTakeSlot();
    KeReleaseLock(&MiRangeLock, OldIrql);
    if (Slot == MI_STACK_SLOTS) {
        return NULL;
    }
    ULONG_PTR Top = MiSlotAddress(Slot) + MI_STACK_SLOT;
    if (!NT_SUCCESS(MiMapKernelPages(Top - KERNEL_STACK_SIZE, MI_STACK_PAGES))) {
        MiReturnSlot(Slot);
        return NULL;
    }
    InterlockedIncrement64(&MiStacksMapped);
    return (PVOID)Top;
}

PVOID MmAllocateKernelStack(void)
{
    if (MiFailNow()) {
        return NULL;
    }
    KIRQL OldIrql = KeAcquireLock(&MiRangeLock);
    void **Link = MiStackCache;
    if (Link != NULL) {
        MiStackCache = *Link;
        MiCachedStacks--;
    }
    KeReleaseLock(&MiRangeLock, OldIrql);
    return Link != NULL ? Link + 1 : MiMakeStack();
}

/* Takes the frames of a stack out of the tables; they are still to be flushed and released. */
static ULONG MiUnmapStack(void **Link, ULONG64 Frame[MI_STACK_PAGES])
{
    ULONG_PTR Bottom = (ULONG_PTR)(Link + 1) - KERNEL_STACK_SIZE;
    ULONG Count = 0, Flags;
    for (ULONG i = 0; i < MI_STACK_PAGES; i++) {
        Count += ArchUnmapPage(ArchKernelPageTables(), Bottom + i * PAGE_SIZE, &Frame[Count], &Flags);
    }
    return Count;
}

#define MI_STACK_BATCH 16

/* Unmaps a chain of stacks, MI_STACK_BATCH with a flush; slots are free for others only after it. */
static void MiDestroyStacks(void **Chain)
{
    while (Chain != NULL) {
        ULONG64 Frame[MI_STACK_BATCH * MI_STACK_PAGES];
        ULONG Slot[MI_STACK_BATCH];
        ULONG Stacks = 0, Frames = 0;
        for (; Chain != NULL && Stacks < MI_STACK_BATCH; Stacks++) {
            void **Next = *Chain;
            Slot[Stacks] = (ULONG)(((ULONG_PTR)Chain - MI_STACKS_BASE) / MI_STACK_SLOT);
            Frames += MiUnmapStack(Chain, &Frame[Frames]);
            Chain = Next;
        }
        KeFlushKernelTb(MI_STACKS_BASE, MI_FLUSH_EVERYTHING);
        MiReleasePages(Frame, Frames);
        for (ULONG i = 0; i < Stacks; i++) {
            MiReturnSlot(Slot[i]);
        }
        InterlockedExchangeAdd64(&MiStacksMapped, -(LONG64)Stacks);
    }
}

/* Takes stacks off the cache until Left are there. The range lock is held. */
static void **MiTakeCachedStacks(ULONG Left)
{
    void **Chain = NULL;
    while (MiCachedStacks > Left) {
        void **Link = MiStackCache;
        MiStackCache = *Link;
        MiCachedStacks--;
        *Link = Chain;
        Chain = Link;
    }
    return Chain;
}

void MmFreeKernelStack(PVOID StackTop)
{
    void **Link = (void **)StackTop - 1;
    void **Chain = NULL;

    KI_ASSERT(((ULONG_PTR)StackTop - MI_STACKS_BASE) % MI_STACK_SLOT == 0 &&
                  (ULONG_PTR)StackTop > MI_STACKS_BASE,
              "%p is no stack", StackTop);
    KIRQL OldIrql = KeAcquireLock(&MiRangeLock);
    if (MiCachedStacks == MI_CACHED_STACKS) {
        Chain = MiTakeCachedStacks(MI_CACHED_STACKS / 2);
    }
    *Link = MiStackCache;
    MiStackCache = Link;
    MiCachedStacks++;
    KeReleaseLock(&MiRangeLock, OldIrql);
    MiDestroyStacks(Chain);
}

void MiTrimStacks(void)
{
    KIRQL OldIrql = KeAcquireLock(&MiRangeLock);
    void **Chain = MiTakeCachedStacks(0);
    KeReleaseLock(&MiRangeLock, OldIrql);
    MiDestroyStacks(Chain);
}

/* Takes no lock: a bug check asks. */
BOOLEAN MmIsStackGuard(ULONG_PTR Address)
{
    ULONG_PTR Offset = Address - MI_STACKS_BASE;
    return Offset < (ULONG_PTR)MI_STACK_SLOTS * MI_STACK_SLOT &&
           Offset % MI_STACK_SLOT < MI_STACK_SLOT - KERNEL_STACK_SIZE &&
           (MiSlotUsed[Offset / MI_STACK_SLOT / 64] >> (Offset / MI_STACK_SLOT % 64) & 1) != 0;
}

/* ---- Start-up, statistics ---- */

void MiInitializeKernelRanges(void)
{
    KeInitializeLock(&MiRangeLock, KlcVirtual);
    MiLargeWindow.Hint = MiLargeWindow.Start;
    MiImageWindow.Hint = MiImageWindow.Start;
}

void MiQueryKernelRanges(MM_STATISTICS *Statistics)
{
    Statistics->CachedStacks = MiCachedStacks;
    Statistics->KernelStacks = (ULONG64)MiStacksMapped - Statistics->CachedStacks;
}
