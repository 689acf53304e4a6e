/* SPDX-License-Identifier: MIT */
/*
 * Kernel addresses: windows from which page-granular ranges are taken (module images, large pool blocks), and
 * stacks.
 *
 *      a stack's slot, 32 KiB       | 16 KiB never mapped (guard) | 16 KiB stack |
 *                                   slot                                         StackTop
 *
 * A stack that is freed stays mapped in a small cache, so that creating and ending a thread touches no page
 * table. When the cache is full half of it is unmapped, with one flush for all.
 *
 * Lock: MiRangeLock (KlcVirtual), for windows, stack slots and the making of page tables for kernel
 * addresses. The entries themselves need none: whoever owns a range fills it.
 */
#include "kernel/mm/mi.h"
#include "kernel/rtl/export.h"
#include <primertest.h>

#define MI_STACK_SLOT       0x8000
#define MI_STACK_SLOTS      65536
#define MI_STACK_PAGES      (KERNEL_STACK_SIZE / PAGE_SIZE)
#define MI_CACHED_STACKS    32
#define MI_KERNEL_PAGE      (ARCH_PAGE_READ | ARCH_PAGE_WRITE | ARCH_PAGE_GLOBAL)
#define MI_KERNEL_BATCH     64
#define MI_FLUSH_EVERYTHING 4096 /* pages: far more than are flushed one by one */

static KLOCK MiRangeLock;
MI_WINDOW MiLargeWindow = {.Start = MI_LARGE_BASE, .Hint = MI_LARGE_BASE, .End = MI_LARGE_END};
static MI_WINDOW MiImageWindow = {.Start = MI_IMAGE_BASE, .Hint = MI_IMAGE_BASE, .End = MI_IMAGE_END};

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

/* The next frame to map: a fresh one, or the next of those given, with a reference more. 0: no memory. */
static ULONG64 MiNextFrame(const PFN_NUMBER *Given, SIZE_T Index)
{
    if (Given == NULL) {
        return MmAllocatePage(FALSE);
    }
    MiReferencePage(Given[Index] << PAGE_SHIFT);
    return Given[Index] << PAGE_SHIFT;
}

/* Frames at [Start, Start + Pages pages): fresh ones, or those Given. On failure nothing stays mapped. */
static NTSTATUS MiMapKernelPages(ULONG_PTR Start, SIZE_T Pages, const PFN_NUMBER *Given)
{
    NTSTATUS Status = MiPrepareTables(Start, Pages);
    for (SIZE_T i = 0; NT_SUCCESS(Status) && i < Pages; i++) {
        ULONG64 Frame = MiNextFrame(Given, i);
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

/* Gives the range its place: the lowest hole that leaves a page unmapped on either side. */
static BOOLEAN MiPlaceRange(PMI_WINDOW Window, PMI_REGION Range, SIZE_T Size)
{
    SIZE_T Hole = Size + 2 * PAGE_SIZE;
    ULONG_PTR Base;
    KIRQL OldIrql = KeAcquireLock(&MiRangeLock);

    BOOLEAN Found = MiFindHole(&Window->Ranges, Hole, Window->Hint, Window->End, FALSE, &Base) ||
                    MiFindHole(&Window->Ranges, Hole, Window->Start, Window->End, FALSE, &Base);
    if (Found) {
        Range->Start = Base + PAGE_SIZE;
        Range->End = Range->Start + Size;
        Window->Hint = Range->End;
        MiInsertRegion(&Window->Ranges, Range);
    }
    KeReleaseLock(&MiRangeLock, OldIrql);
    return Found;
}

static void MiForgetRange(PMI_WINDOW Window, ULONG_PTR Base, SIZE_T Pages)
{
    KIRQL OldIrql = KeAcquireLock(&MiRangeLock);
    PMI_REGION Range = MiFindRegion(&Window->Ranges, Base);
    KI_ASSERT(Range != NULL && Range->Start == Base && Range->End - Base == Pages * PAGE_SIZE,
              "no range of %zu pages at %p", Pages, (void *)Base);
    if (Base - PAGE_SIZE < Window->Hint) {
        Window->Hint = Base - PAGE_SIZE; /* low addresses have page tables already */
    }
    MiRemoveRegion(&Window->Ranges, Range);
    KeReleaseLock(&MiRangeLock, OldIrql);
}

/* More pages than are free would first use up memory for page tables, which stay. */
static BOOLEAN MiCanBeBacked(SIZE_T Pages)
{
    MM_STATISTICS Statistics;
    MmQueryFrames(&Statistics);
    return Pages < Statistics.FreePages;
}

static PVOID MiMapRange(PMI_WINDOW Window, SIZE_T Pages, const PFN_NUMBER *Given)
{
    static const MI_REGION Empty;
    PMI_REGION Range = Given != NULL || MiCanBeBacked(Pages) ? MiAllocateRegion(&Empty) : NULL;

    if (Range == NULL) {
        return NULL;
    }
    if (!MiPlaceRange(Window, Range, Pages * PAGE_SIZE)) {
        MiFreeRegion(Range);
        return NULL;
    }
    ULONG_PTR Base = Range->Start;
    if (!NT_SUCCESS(MiMapKernelPages(Base, Pages, Given))) {
        MiForgetRange(Window, Base, Pages);
        return NULL;
    }
    return (PVOID)Base;
}

PVOID MiAllocateRange(PMI_WINDOW Window, SIZE_T Pages)
{
    return MiMapRange(Window, Pages, NULL);
}

PVOID MiMapFrames(const PFN_NUMBER *Frame, SIZE_T Pages)
{
    return MiMapRange(&MiLargeWindow, Pages, Frame);
}

/* The addresses are taken again only after all processors have forgotten them. */
void MiFreeRange(PMI_WINDOW Window, PVOID Base, SIZE_T Pages)
{
    MiUnmapKernelPages((ULONG_PTR)Base, Pages);
    MiForgetRange(Window, (ULONG_PTR)Base, Pages);
}

/* ---- Module images ---- */

PVOID MmAllocateImageSpace(SIZE_T Size)
{
    if (Size == 0 || Size > MI_IMAGE_END - MI_IMAGE_BASE) {
        return NULL;
    }
    return MiAllocateRange(&MiImageWindow, BYTES_TO_PAGES(Size));
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
    MiFreeRange(&MiImageWindow, Base, BYTES_TO_PAGES(Size));
}

PVOID PrimerMapPages(SIZE_T Pages)
{
    return MmAllocateImageSpace(Pages * PAGE_SIZE);
}
EXPORT(PrimerMapPages);

/* Unmaps and frees Pages pages of PrimerMapPages, on every processor, before it returns. PASSIVE_LEVEL; may
   block. For tests alone. */
VOID PrimerUnmapPages(PVOID Base, SIZE_T Pages)
{
    MmFreeImageSpace(Base, Pages * PAGE_SIZE);
}
EXPORT(PrimerUnmapPages);

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
    if (!NT_SUCCESS(MiMapKernelPages(Top - KERNEL_STACK_SIZE, MI_STACK_PAGES, NULL))) {
        MiReturnSlot(Slot);
        return NULL;
    }
    InterlockedIncrement64(&MiStacksMapped);
    return (PVOID)Top;
}

PVOID MmAllocateKernelStack(void)
{
    if (MiFailNow(MiFailPages)) {
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
    if (Chain != NULL) {
        MiDestroyStacks(Chain);
    }
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
}

void MiQueryKernelRanges(MM_STATISTICS *Statistics)
{
    Statistics->CachedStacks = MiCachedStacks;
    Statistics->KernelStacks = (ULONG64)MiStacksMapped - Statistics->CachedStacks;
}
