/* SPDX-License-Identifier: MIT */
/*
 * Memory descriptor lists: the pages of a buffer, for drivers that use them at any IRQL, in any process, and
 * after the call that has brought them has returned.
 *
 *      from         to           by
 *      initialized  locked       MmProbeAndLockPages; back by MmUnlockPages
 *      initialized  nonpaged     MmBuildMdlForNonPagedPool, or MmProbeAndLockPages for an address of the kernel's: such memory is
 *                                always there, and mapped where it is
 *      locked       mapped       MmMapLockedPagesSpecifyCache; back by MmUnmapLockedPages, or MmUnlockPages
 *
 * A locked page has one reference more. So it outlives the region that showed it, and the process; whoever
 * maps something else there gets other frames. A mapping of several pages that do not lie in a row holds
 * references of its own.
 *
 * Lock: MM_ADDRESS_SPACE.Lock while pages are locked. An MDL itself belongs to one party at a time.
 */
#include "kernel/mm/mi.h"
#include "kernel/rtl/export.h"

static ULONG MiMdlPages(const MDL *Mdl)
{
    return ADDRESS_AND_SIZE_TO_SPAN_PAGES(Mdl->ByteOffset, (SIZE_T)Mdl->ByteCount);
}

/* ---- Memory of the kernel's ---- */

/* The frame of a kernel address; 0: there is none. */
static ULONG64 MiFrameOfKernel(ULONG_PTR Address)
{
    ULONG64 Physical = Address - (ULONG_PTR)ArchPhysicalToVirtual(0);
    ULONG Flags;

    if (Physical < MiPhysicalEnd) {
        return Physical;
    }
    return ArchQueryPage(ArchKernelPageTables(), Address, &Physical, &Flags) ? Physical : 0;
}

static NTSTATUS MiDescribeKernel(PMDL Mdl)
{
    PFN_NUMBER *Frame = MmGetMdlPfnArray(Mdl);

    for (ULONG i = 0; i < MiMdlPages(Mdl); i++) {
        Frame[i] = MiFrameOfKernel((ULONG_PTR)Mdl->StartVa + i * PAGE_SIZE) >> PAGE_SHIFT;
        if (Frame[i] == 0) {
            return STATUS_ACCESS_VIOLATION;
        }
    }
    Mdl->Process = NULL;
    Mdl->MappedSystemVa = MmGetMdlVirtualAddress(Mdl);
    Mdl->MdlFlags |= MDL_SOURCE_IS_NONPAGED_POOL;
    return STATUS_SUCCESS;
}

/* Fills in the frames of pool, or other memory of the kernel's that stays: it needs neither locking nor
   mapping. <= DISPATCH_LEVEL. (WDK page of the name) */
VOID MmBuildMdlForNonPagedPool(PMDL MemoryDescriptorList)
{
    if (!NT_SUCCESS(MiDescribeKernel(MemoryDescriptorList))) {
        KI_ASSERT(FALSE, "MDL %p: %p is not mapped", MemoryDescriptorList, MmGetMdlVirtualAddress(MemoryDescriptorList));
    }
}
EXPORT(MmBuildMdlForNonPagedPool);

/* ---- Locking ---- */

static void MiReleaseFrames(const PFN_NUMBER *Frame, ULONG Count)
{
    for (ULONG i = 0; i < Count; i++) {
        MmReleasePage(Frame[i] << PAGE_SHIFT);
    }
}

/* The frame at a user address, with a reference. A stack that is touched below its edge grows, as under a
   touch. (Lock) */
static NTSTATUS MiLockPage(PMM_ADDRESS_SPACE Space, ULONG_PTR Page, ULONG Access, PFN_NUMBER *Frame)
{
    ULONG64 Physical;
    ULONG Flags;
    PMI_REGION Region = MiFindRegion(&Space->Regions, Page);
    NTSTATUS Status = MiResolvePage(Space, Page, Access, FALSE);

    if (Region != NULL && Region->Edge != 0 && (Status == STATUS_GUARD_PAGE_VIOLATION || Status == STATUS_STACK_OVERFLOW)) {
        Status = MiResolvePage(Space, Page, Access, FALSE);
    }
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    if (!ArchQueryPage(&Space->Kernel.Tables, Page, &Physical, &Flags)) {
        return STATUS_ACCESS_VIOLATION;
    }
    MiReferencePage(Physical);
    *Frame = Physical >> PAGE_SHIFT;
    return STATUS_SUCCESS;
}

/* From the highest page down, as a stack grows. */
static NTSTATUS MiLockUser(PMDL Mdl, ULONG Access)
{
    PKADDRESS_SPACE Current = ArchCurrentThread()->ApcState.AddressSpace;
    PFN_NUMBER *Frame = MmGetMdlPfnArray(Mdl);
    ULONG Pages = MiMdlPages(Mdl), Left = Pages;
    NTSTATUS Status = STATUS_SUCCESS;

    if (Current == NULL || Current == &KiKernelSpace) {
        return STATUS_ACCESS_VIOLATION;
    }
    PMM_ADDRESS_SPACE Space = CONTAINING_RECORD(Current, MM_ADDRESS_SPACE, Kernel);
    KeLockExclusive(&Space->Lock);
    while (Left != 0 && Status == STATUS_SUCCESS) {
        Status = MiLockPage(Space, (ULONG_PTR)Mdl->StartVa + (Left - 1) * PAGE_SIZE, Access, &Frame[Left - 1]);
        Left -= Status == STATUS_SUCCESS;
    }
    KeUnlockExclusive(&Space->Lock);
    if (Status != STATUS_SUCCESS) {
        MiReleaseFrames(Frame + Left, Pages - Left);
        return Status;
    }
    Mdl->Process = (PEPROCESS)ArchCurrentThread()->ApcState.Process; /* an EPROCESS begins with its KPROCESS */
    return STATUS_SUCCESS;
}

NTSTATUS MmLockPages(PMDL Mdl, KPROCESSOR_MODE Mode, LOCK_OPERATION Operation)
{
    ULONG_PTR Address = (ULONG_PTR)MmGetMdlVirtualAddress(Mdl);
    NTSTATUS Status = STATUS_ACCESS_VIOLATION;

    if (Address < MM_USER_END && Mdl->ByteCount <= MM_USER_END - Address) {
        Status = MiLockUser(Mdl, Operation == IoReadAccess ? ARCH_PAGE_READ : ARCH_PAGE_WRITE);
    } else if (Mode == KernelMode && Address >= ARCH_DIRECT_MAP) {
        Status = MiDescribeKernel(Mdl);
    }
    if (NT_SUCCESS(Status)) {
        Mdl->MdlFlags |= MDL_PAGES_LOCKED | (Operation == IoReadAccess ? 0 : MDL_WRITE_OPERATION);
    }
    return Status;
}

/*
 * Brings the pages in and keeps them until MmUnlockPages, whatever becomes of the process: they are the
 * caller's, or those of the process that it is attached to. Raises STATUS_ACCESS_VIOLATION where an access of
 * that kind (IoModifyAccess: as IoWriteAccess) is not allowed, or the other statuses of page faults. Differs:
 * when the address space is cloned meanwhile, the pages stay with the clone as soon as the process writes to
 * them. <= APC_LEVEL (kernel memory: <= DISPATCH_LEVEL). (WDK page of the name)
 */
VOID MmProbeAndLockPages(PMDL MemoryDescriptorList, KPROCESSOR_MODE AccessMode, LOCK_OPERATION Operation)
{
    NTSTATUS Status = MmLockPages(MemoryDescriptorList, AccessMode, Operation);

    if (!NT_SUCCESS(Status)) {
        ExRaiseStatus(Status);
    }
}
EXPORT(MmProbeAndLockPages);

/* Gives the pages of MmProbeAndLockPages back, and their mapping, if there is one. <= DISPATCH_LEVEL. (WDK
   page of the name) */
VOID MmUnlockPages(PMDL MemoryDescriptorList)
{
    PMDL Mdl = MemoryDescriptorList;

    KI_ASSERT(Mdl->MdlFlags & MDL_PAGES_LOCKED, "MDL %p is unlocked with flags %x", Mdl, (ULONG)Mdl->MdlFlags);
    if (Mdl->MdlFlags & MDL_MAPPED_TO_SYSTEM_VA) {
        MmUnmapLockedPages(Mdl->MappedSystemVa, Mdl);
    }
    if (!(Mdl->MdlFlags & MDL_SOURCE_IS_NONPAGED_POOL)) {
        MiReleaseFrames(MmGetMdlPfnArray(Mdl), MiMdlPages(Mdl));
    }
    Mdl->MdlFlags &= ~(MDL_PAGES_LOCKED | MDL_WRITE_OPERATION | MDL_SOURCE_IS_NONPAGED_POOL);
}
EXPORT(MmUnlockPages);

/* ---- Mapping ---- */

static bool MiIsContiguous(const PFN_NUMBER *Frame, ULONG Count)
{
    for (ULONG i = 1; i < Count; i++) {
        if (Frame[i] != Frame[0] + i) {
            return false;
        }
    }
    return true;
}

/*
 * A kernel address of the locked pages, for MmGetSystemAddressForMdlSafe; valid until MmUnmapLockedPages or
 * MmUnlockPages. NULL: no memory, or address, is left. Pages in a row are there without any mapping.
 * CacheType and Priority have no effect. Differs: AccessMode is KernelMode, and RequestedAddress NULL (else
 * NULL). <= DISPATCH_LEVEL. (WDK page of the name)
 */
PVOID MmMapLockedPagesSpecifyCache(PMDL MemoryDescriptorList, KPROCESSOR_MODE AccessMode, MEMORY_CACHING_TYPE CacheType,
                                   PVOID RequestedAddress, ULONG BugCheckOnFailure, ULONG Priority)
{
    PMDL Mdl = MemoryDescriptorList;
    const PFN_NUMBER *Frame = MmGetMdlPfnArray(Mdl);
    ULONG Pages = MiMdlPages(Mdl);

    KI_ASSERT((Mdl->MdlFlags & (MDL_PAGES_LOCKED | MDL_PARTIAL)) && !(Mdl->MdlFlags & MDL_MAPPED_TO_SYSTEM_VA),
              "MDL %p is mapped with flags %x", Mdl, (ULONG)Mdl->MdlFlags);
    if (AccessMode != KernelMode || RequestedAddress != NULL) {
        return NULL;
    }
    PVOID Base = MiIsContiguous(Frame, Pages) ? ArchPhysicalToVirtual(Frame[0] << PAGE_SHIFT) : MiMapFrames(Frame, Pages);
    if (Base == NULL) {
        return NULL;
    }
    Mdl->MappedSystemVa = Add2Ptr(Base, Mdl->ByteOffset);
    Mdl->MdlFlags |= MDL_MAPPED_TO_SYSTEM_VA;
    return Mdl->MappedSystemVa;
}
EXPORT(MmMapLockedPagesSpecifyCache);

/* Ends a mapping of MmMapLockedPagesSpecifyCache, on all processors. <= DISPATCH_LEVEL. (WDK page of the
   name) */
VOID MmUnmapLockedPages(PVOID BaseAddress, PMDL MemoryDescriptorList)
{
    PMDL Mdl = MemoryDescriptorList;

    KI_ASSERT((Mdl->MdlFlags & MDL_MAPPED_TO_SYSTEM_VA) && Mdl->MappedSystemVa == BaseAddress, "MDL %p is not mapped at %p", Mdl,
              BaseAddress);
    if (!MiIsContiguous(MmGetMdlPfnArray(Mdl), MiMdlPages(Mdl))) {
        MiFreeRange(&MiLargeWindow, PAGE_ALIGN(BaseAddress), MiMdlPages(Mdl));
    }
    Mdl->MdlFlags &= ~MDL_MAPPED_TO_SYSTEM_VA;
}
EXPORT(MmUnmapLockedPages);
