/* SPDX-License-Identifier: MIT */
/*
 * Address spaces as a whole: creation, copy-on-write clones, deletion, access from outside.
 */
#include "kernel/rtl/export.h"
#include "kernel/mm/mi.h"

#define SPACE_TAG 'pSmM'

volatile LONG64 MiSpaceCount;

/* ---- Life ---- */

NTSTATUS MmCreateAddressSpace(PMM_ADDRESS_SPACE *Space)
{
    PMM_ADDRESS_SPACE New = ExAllocatePool2(POOL_FLAG_NON_PAGED, sizeof(MM_ADDRESS_SPACE), SPACE_TAG);
    if (New == NULL) {
        return STATUS_NO_MEMORY;
    }
    NTSTATUS Status = ArchCreatePageTables(&New->Kernel.Tables);
    if (!NT_SUCCESS(Status)) {
        ExFreePoolWithTag(New, SPACE_TAG);
        return Status;
    }
    ExInitializePushLock(&New->Lock);
    New->References = 1;
    New->GrowLimit = MM_GROW_LIMIT;
    InterlockedIncrement64(&MiSpaceCount);
    *Space = New;
    return STATUS_SUCCESS;
}

void MmReferenceAddressSpace(PMM_ADDRESS_SPACE Space)
{
    InterlockedIncrement(&Space->References);
}

BOOLEAN MiTryReferenceSpace(PMM_ADDRESS_SPACE Space)
{
    LONG References = Space->References;
    while (References != 0) {
        LONG Seen = InterlockedCompareExchange(&Space->References, References + 1, References);
        if (Seen == References) {
            return TRUE;
        }
        References = Seen;
    }
    return FALSE;
}

/* Nobody uses the space any more, and its reference count stays 0: no lock is needed. */
static void MiDeleteAddressSpace(PMM_ADDRESS_SPACE Space)
{
    KI_ASSERT(Space->Kernel.ActiveProcessors == 0, "space %p is loaded on processors %I64x", Space,
              Space->Kernel.ActiveProcessors);
    /* Pages before regions: an anonymous section's list tells who may still show its frames. */
    MiUnmapAll(Space);
    MiFreeTree(&Space->Regions);
    ExFreePoolWithTag(Space, SPACE_TAG);
    InterlockedDecrement64(&MiSpaceCount);
}

void MmDereferenceAddressSpace(PMM_ADDRESS_SPACE Space)
{
    KI_ASSERT(Space->References > 0, "space %p has %d references", Space, Space->References);
    if (InterlockedDecrement(&Space->References) == 0) {
        MiDeleteAddressSpace(Space);
    }
}

/* ---- Copy-on-write clones ---- */

typedef struct _MI_CLONE {
    PMM_ADDRESS_SPACE Source, Clone;
    const MI_REGION *Region; /* of the source: where the walk over its pages is */
    BOOLEAN NoMemory;
    BOOLEAN Downgraded; /* the source may write to fewer pages now */
} MI_CLONE;

/* One page of a private region becomes common property. */
static void MiSharePage(MI_CLONE *State, uintptr_t Virtual, ARCH_PAGE_ENTRY *Entry, uint64_t Physical, ULONG Flags)
{
    ULONG Common = (Flags & MI_LEAF_FLAGS & ~(ULONG)ARCH_PAGE_WRITE) | ARCH_PAGE_SOFT;
    ARCH_PAGE_ENTRY *Copy = ArchMakeEntry(&State->Clone->Kernel.Tables, Virtual);

    if (Copy == NULL) {
        State->NoMemory = TRUE;
        return;
    }
    MiReferencePage(Physical);
    State->Clone->ResidentPages++;
    ArchSetEntry(Copy, Physical, Common);
    if ((Flags & ARCH_PAGE_SOFT) == 0) {
        ArchSetEntry(Entry, Physical, Common);
        State->Downgraded |= (Flags & ARCH_PAGE_WRITE) != 0;
    }
}

/*
 * Pages of shared mappings are left out, and frames that lie in place in an archive: the clone finds them
 * again through the section, should it need them, and a program that a clone executes next needs few.
 */
static void MiCloneVisit(void *Context, uintptr_t Virtual, ARCH_PAGE_ENTRY *Entry, uint64_t Physical, ULONG Flags)
{
    MI_CLONE *State = Context;

    while (Virtual >= State->Region->End) {
        State->Region = MiNextRegion(State->Region);
    }
    if (!State->NoMemory && !State->Region->Shared && !MiPageIsPinned(Physical) &&
        (State->Region->Attributes & (MM_REGION_NOINHERIT | MM_REGION_WIPE)) == 0) {
        MiSharePage(State, Virtual, Entry, Physical, Flags);
    }
}

/* What a clone does not get. (Lock) */
static void MiForgetRegions(PMM_ADDRESS_SPACE Clone)
{
    PMI_REGION Next;
    for (PMI_REGION Region = MiFindRegionAbove(&Clone->Regions, 0); Region != NULL; Region = Next) {
        Next = MiNextRegion(Region);
        Region->Attributes &= (UCHAR)~MM_REGION_OWN_TAG;
        if ((Region->Attributes & MM_REGION_NOINHERIT) != 0) {
            MiRemoveRegion(&Clone->Regions, Region);
        }
    }
}

NTSTATUS MmCloneAddressSpace(PMM_ADDRESS_SPACE Source, PMM_ADDRESS_SPACE *Clone)
{
    MI_CLONE State = {.Source = Source};
    NTSTATUS Status = MmCreateAddressSpace(&State.Clone);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    State.Clone->GrowLimit = Source->GrowLimit;
    KeLockExclusive(&Source->Lock);
    /* The clone's too: from its first region on, a shrinking section finds it. Nobody else holds both. */
    ExAcquirePushLockExclusive(&State.Clone->Lock);
    State.NoMemory = !MiCopyTree(&Source->Regions, &State.Clone->Regions, State.Clone);
    if (!State.NoMemory) {
        MiForgetRegions(State.Clone);
        State.Region = MiFindRegionAbove(&Source->Regions, 0);
        ArchForEachPage(&Source->Kernel.Tables, 0, MM_USER_END, MiCloneVisit, &State);
    }
    ExReleasePushLockExclusive(&State.Clone->Lock);
    if (State.Downgraded) {
        KeFlushTb(&Source->Kernel, 0, MM_USER_END >> PAGE_SHIFT);
    }
    KeUnlockExclusive(&Source->Lock);
    if (State.NoMemory) {
        MmDereferenceAddressSpace(State.Clone);
        return STATUS_NO_MEMORY;
    }
    *Clone = State.Clone;
    return STATUS_SUCCESS;
}

/* ---- Access from outside ---- */

/* Copies within one page, under the space's lock: so no clone can make the page common while it is written
   to. */
static NTSTATUS MiAccessPage(PMM_ADDRESS_SPACE Space, ULONG_PTR Address, void *Buffer, SIZE_T Size,
                             ULONG Access, BOOLEAN Force)
{
    ULONG64 Physical;
    ULONG Flags;

    KeLockExclusive(&Space->Lock);
    NTSTATUS Status = MiResolvePage(Space, Address, Access, Force);
    if (NT_SUCCESS(Status)) {
        ArchQueryPage(&Space->Kernel.Tables, ALIGN_DOWN_BY(Address, PAGE_SIZE), &Physical, &Flags);
        UCHAR *Bytes = (UCHAR *)ArchPhysicalToVirtual(Physical) + BYTE_OFFSET(Address);
        if ((Access & ARCH_PAGE_WRITE) != 0) {
            memcpy(Bytes, Buffer, Size);
        } else {
            memcpy(Buffer, Bytes, Size);
        }
    }
    KeUnlockExclusive(&Space->Lock);
    return Status;
}

static NTSTATUS MiAccessSpace(PMM_ADDRESS_SPACE Space, ULONG_PTR Address, void *Buffer, SIZE_T Size,
                              ULONG Access, BOOLEAN Force)
{
    if (Size > MM_USER_END || Address > MM_USER_END - Size) {
        return STATUS_ACCESS_VIOLATION;
    }
    while (Size != 0) {
        SIZE_T Now = MiBytesInPage(Address, Size);
        NTSTATUS Status = MiAccessPage(Space, Address, Buffer, Now, Access, Force);
        if (Status != STATUS_SUCCESS) {
            return Status;
        }
        Address += Now;
        Buffer = (UCHAR *)Buffer + Now;
        Size -= Now;
    }
    return STATUS_SUCCESS;
}

NTSTATUS MmReadAddressSpace(PMM_ADDRESS_SPACE Space, ULONG_PTR Address, void *Buffer, SIZE_T Size)
{
    return MiAccessSpace(Space, Address, Buffer, Size, ARCH_PAGE_READ, FALSE);
}

NTSTATUS MmWriteAddressSpace(PMM_ADDRESS_SPACE Space, ULONG_PTR Address, const void *Buffer, SIZE_T Size,
                             BOOLEAN Force)
{
    return MiAccessSpace(Space, Address, (void *)Buffer, Size, ARCH_PAGE_WRITE, Force);
}

/* ---- The documented routine ---- */

/*
 * MmIsAddressValid: a read at VirtualAddress would not fault now, in the address space that is loaded. (User
 * tables of the own process only grow while it lives, so that they may be looked at without its lock.) IRQL
 * <= DISPATCH_LEVEL. (WDK page of the name)
 */
BOOLEAN MmIsAddressValid(PVOID VirtualAddress)
{
    ULONG_PTR Address = (ULONG_PTR)VirtualAddress;
    ARCH_PAGE_TABLES *Tables = ArchKernelPageTables();
    ULONG64 Physical;
    ULONG Flags;

    if (Address < MM_USER_END) {
        PKADDRESS_SPACE Space = ArchCurrentThread()->ApcState.AddressSpace;
        if (Space == NULL) {
            return FALSE;
        }
        Tables = &Space->Tables;
    } else if (Address < (ULONG_PTR)ArchPhysicalToVirtual(0)) {
        return FALSE; /* between the halves */
    }
    return ArchQueryPage(Tables, Address, &Physical, &Flags) && (Flags & ARCH_PAGE_READ) != 0;
}
EXPORT(MmIsAddressValid);
