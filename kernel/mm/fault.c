/* SPDX-License-Identifier: MIT */
/*
 * Page faults. Entries of the page tables keep this rule, on which everything here rests:
 *
 *   An entry with ARCH_PAGE_SOFT shows a frame that others may have as well and is never writable: a write copies the frame
 *   first (or finds that the others are gone). An entry without it shows a frame of this region's own, or of the section of
 *   a shared mapping; its rights are those of the region (MiLeafFlags), whole.
 *
 * A fault on an entry that allows the access already is spurious: another processor has resolved it, or this
 * one had an old translation. It succeeds.
 */
#include "kernel/mm/mi.h"

/* ---- Regions ---- */

/* The region whose downward growth covers Address; NULL. (Lock) */
static PMI_REGION MiGrowStack(PMM_ADDRESS_SPACE Space, ULONG_PTR Address)
{
    PMI_REGION Region = MiFindRegionAbove(&Space->Regions, Address);
    ULONG_PTR Start = ALIGN_DOWN_BY(Address, PAGE_SIZE);

    if (Region == NULL || !Region->GrowDown || Region->End - Start > Space->GrowLimit ||
        Start < MM_USER_LOWEST) {
        return NULL;
    }
    PMI_REGION Below = MiPreviousRegion(Region);
    if (Below != NULL && Start - Below->End < PAGE_SIZE) {
        return NULL; /* a page stays free, so that running over the next region's end is a fault, not silent damage */
    }
    MiExtendRegionDown(&Space->Regions, Region, Start);
    return Region;
}

/* The first touch of a guard page: the page loses MM_GUARD, the toucher hears of it. (Lock) */
static NTSTATUS MiConsumeGuard(PMM_ADDRESS_SPACE Space, ULONG_PTR Page)
{
    if (!NT_SUCCESS(MiSplitRegion(&Space->Regions, Page)) ||
        !NT_SUCCESS(MiSplitRegion(&Space->Regions, Page + PAGE_SIZE))) {
        MiMergeRange(&Space->Regions, Page, Page + PAGE_SIZE);
        return STATUS_NO_MEMORY;
    }
    MiFindRegion(&Space->Regions, Page)->Protection &= (UCHAR)~MM_GUARD;
    MiMergeRange(&Space->Regions, Page, Page + PAGE_SIZE);
    return STATUS_GUARD_PAGE_VIOLATION;
}

/* A touch below a stack's edge: in the guard page, the edge moves down. (Lock) */
static NTSTATUS MiLowerEdge(PMI_REGION Region, ULONG_PTR Page)
{
    ULONG_PTR Lowest = Region->Start + PAGE_SIZE;
    if (Page != Region->Edge - PAGE_SIZE || Page < Lowest) {
        return STATUS_ACCESS_VIOLATION;
    }
    BOOLEAN Last = Page - Lowest <= MM_LAST_PAGES * PAGE_SIZE;
    Region->Edge = Last ? Lowest : Page;
    return Last ? STATUS_STACK_OVERFLOW : STATUS_GUARD_PAGE_VIOLATION;
}

static inline BOOLEAN MiAllows(const MI_REGION *Region, ULONG Access)
{
    if ((Access & ARCH_PAGE_WRITE) != 0) {
        return (Region->Protection & MM_WRITE) != 0;
    }
    if ((Access & ARCH_PAGE_EXECUTE) != 0) {
        return (Region->Protection & MM_EXECUTE) != 0;
    }
    return (Region->Protection & (MM_READ | MM_WRITE | MM_EXECUTE)) != 0;
}

/* ---- Pages ---- */

/* A write to a page that others may have as well. (Lock) */
static NTSTATUS MiCopyOnWrite(PMM_ADDRESS_SPACE Space, const MI_REGION *Region, ULONG_PTR Page, ULONG64 Old)
{
    ULONG Flags = MiLeafFlags(Region->Protection, 0);

    if (MiPageIsExclusive(Old)) {
        return ArchMapPage(&Space->Kernel.Tables, Page, Old, Flags);
    }
    ULONG64 New = MmAllocatePage(FALSE);
    if (New == 0) {
        return STATUS_NO_MEMORY;
    }
    memcpy(ArchPhysicalToVirtual(New), ArchPhysicalToVirtual(Old), PAGE_SIZE);
    ArchMapPage(&Space->Kernel.Tables, Page, New, Flags);
    /* Other threads of the process must not go on reading the old frame. */
    KeFlushTb(&Space->Kernel, Page, 1);
    MmReleasePage(Old);
    return STATUS_SUCCESS;
}

/* The page has an entry. (Lock) */
static NTSTATUS MiResolvePresent(PMM_ADDRESS_SPACE Space, const MI_REGION *Region, ULONG_PTR Page,
                                 ULONG Access, ULONG64 Physical, ULONG Flags)
{
    if ((Access & ARCH_PAGE_WRITE) != 0 && (Flags & ARCH_PAGE_SOFT) != 0) {
        return MiCopyOnWrite(Space, Region, Page, Physical);
    }
    ULONG Wanted = MiLeafFlags(Region->Protection, Flags & ARCH_PAGE_SOFT);
    if ((Flags & MI_LEAF_FLAGS) != Wanted) {
        ArchMapPage(&Space->Kernel.Tables, Page, Physical,
                    Wanted); /* a guard page, or the like, that is none any more */
    }
    ArchFlushLocalTb(Page, 1);
    return STATUS_SUCCESS;
}

/* The frame for a page of a mapped section: the section's own, or for a write to a private mapping a copy.
   *CopyOnWrite: ARCH_PAGE_SOFT when the frame is not the region's to write. (Lock) */
static NTSTATUS MiFrameOfSection(const MI_REGION *Region, ULONG_PTR Page, ULONG Access, ULONG64 *Physical,
                                 ULONG *CopyOnWrite)
{
    ULONG64 Index = (Region->Offset + (Page - Region->Start)) >> PAGE_SHIFT;
    NTSTATUS Status = MiReferenceSectionPage(Region->Section, Index, Region->Shared, Physical);

    *CopyOnWrite = Region->Shared ? 0 : ARCH_PAGE_SOFT;
    if (!NT_SUCCESS(Status) || Region->Shared || (Access & ARCH_PAGE_WRITE) == 0) {
        return Status;
    }
    ULONG64 Copy = MmAllocatePage(FALSE);
    if (Copy != 0) {
        memcpy(ArchPhysicalToVirtual(Copy), ArchPhysicalToVirtual(*Physical), PAGE_SIZE);
    }
    MmReleasePage(*Physical);
    *Physical = Copy;
    *CopyOnWrite = 0;
    return Copy != 0 ? STATUS_SUCCESS : STATUS_NO_MEMORY;
}

/* The page has no entry yet. (Lock) */
static NTSTATUS MiResolveAbsent(PMM_ADDRESS_SPACE Space, const MI_REGION *Region, ULONG_PTR Page,
                                ULONG Access)
{
    ULONG64 Physical;
    ULONG CopyOnWrite = 0;
    NTSTATUS Status;

    if (MI_LIKELY(Region->Section == NULL)) {
        Physical = MmAllocatePage(TRUE);
        Status = Physical != 0 ? STATUS_SUCCESS : STATUS_NO_MEMORY;
    } else {
        Status = MiFrameOfSection(Region, Page, Access, &Physical, &CopyOnWrite);
    }
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Status = ArchMapPage(&Space->Kernel.Tables, Page, Physical, MiLeafFlags(Region->Protection, CopyOnWrite));
    if (MI_UNLIKELY(!NT_SUCCESS(Status))) {
        MmReleasePage(Physical);
        return Status;
    }
    Space->ResidentPages++;
    return STATUS_SUCCESS;
}

NTSTATUS MiResolvePage(PMM_ADDRESS_SPACE Space, ULONG_PTR Address, ULONG Access, BOOLEAN Force)
{
    ULONG_PTR Page = ALIGN_DOWN_BY(Address, PAGE_SIZE);
    PMI_REGION Region = MiFindRegion(&Space->Regions, Address);
    ULONG64 Physical;
    ULONG Flags;

    if (MI_UNLIKELY(Region == NULL)) {
        Region = MiGrowStack(Space, Address);
        if (Region == NULL) {
            return STATUS_ACCESS_VIOLATION;
        }
    }
    if (MI_UNLIKELY(Page < Region->Edge)) {
        return MiLowerEdge(Region, Page);
    }
    if (MI_UNLIKELY((Region->Protection & MM_GUARD) != 0 && !Force)) {
        return MiConsumeGuard(Space, Page);
    }
    if (MI_UNLIKELY(!MiAllows(Region, Access)) && !(Force && !Region->Shared)) {
        return STATUS_ACCESS_VIOLATION;
    }
    if (ArchQueryPage(&Space->Kernel.Tables, Page, &Physical, &Flags)) {
        return MiResolvePresent(Space, Region, Page, Access, Physical, Flags);
    }
    return MiResolveAbsent(Space, Region, Page, Access);
}

NTSTATUS MmPageFault(PMM_ADDRESS_SPACE Space, ULONG_PTR Address, ULONG Access)
{
    if (MI_UNLIKELY(Address >= MM_USER_END)) {
        return STATUS_ACCESS_VIOLATION;
    }
    KeLockExclusive(&Space->Lock);
    NTSTATUS Status = MiResolvePage(Space, Address, Access, FALSE);
    KeUnlockExclusive(&Space->Lock);
    return Status;
}

/* ---- What the machine calls ---- */

static ULONG64 MiAccessCode(ULONG Access)
{
    return (Access & ARCH_PAGE_EXECUTE) != 0 ? EXCEPTION_EXECUTE_FAULT
           : (Access & ARCH_PAGE_WRITE) != 0 ? EXCEPTION_WRITE_FAULT
                                             : EXCEPTION_READ_FAULT;
}

/* The bug check for a fault that nobody may resolve. */
static NORETURN void MiFatalFault(ULONG Code, PKTRAP_FRAME Frame, uintptr_t Address, ULONG Access)
{
    static const char *const Verb[] = {"read", "write", "execute"};
    ULONG64 Kind = MiAccessCode(Access);
    const char *What = MmIsStackGuard(Address) ? "the guard page of a kernel stack: stack overflow"
                       : Address < PAGE_SIZE   ? "near address 0"
                                               : "not mapped, or not so accessible";

    /* The documented parameters: 0A has the IRQL second, 50 the access second and the instruction third. */
    if (Code == PAGE_FAULT_IN_NONPAGED_AREA) {
        KdBugCheck(Code, Address, Kind, Frame->Rip, 0, Frame, "%s at %p, from %p: %s",
                   Verb[Kind > 2 ? 2 : Kind], (void *)Address, (void *)Frame->Rip, What);
    }
    KdBugCheck(Code, Address, ArchGetIrql(), Kind, Frame->Rip, Frame, "%s at %p, from %p, at IRQL %u: %s",
               Verb[Kind > 2 ? 2 : Kind], (void *)Address, (void *)Frame->Rip, ArchGetIrql(), What);
}

/*
 * A fault at or above DISPATCH_LEVEL, or on a kernel address in kernel mode, ends the system. What user mode
 * may not touch, and what the kernel must not execute, is an access violation. The rest is for the address
 * space that the thread uses now.
 */
NTSTATUS MmHandlePageFault(PKTRAP_FRAME Frame, uintptr_t Address, ULONG Access)
{
    if (MI_UNLIKELY(ArchGetIrql() >= DISPATCH_LEVEL)) {
        MiFatalFault(IRQL_NOT_LESS_OR_EQUAL, Frame, Address, Access);
    }
    if (MI_UNLIKELY((Access & ARCH_PAGE_USER) == 0)) {
        if (Address >= MM_USER_END) {
            MiFatalFault(PAGE_FAULT_IN_NONPAGED_AREA, Frame, Address, Access);
        }
        if ((Access & ARCH_PAGE_EXECUTE) != 0) {
            return STATUS_ACCESS_VIOLATION;
        }
        if (!ArchInterruptsEnabled()) {
            MiFatalFault(PAGE_FAULT_WITH_INTERRUPTS_OFF, Frame, Address, Access);
        }
    }
    PKADDRESS_SPACE Space = ArchCurrentThread()->ApcState.AddressSpace;
    if (MI_UNLIKELY(Space == NULL || Space == &KiKernelSpace)) {
        return STATUS_ACCESS_VIOLATION;
    }
    return MmPageFault(CONTAINING_RECORD(Space, MM_ADDRESS_SPACE, Kernel), Address, Access);
}
