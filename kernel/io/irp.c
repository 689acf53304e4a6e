/* SPDX-License-Identifier: MIT */
/*
 * I/O request packets: how a request travels down a stack of drivers, and its completion up again.
 *
 *      | IRP | location 1 | location 2 | ... | location StackCount |      CurrentLocation = StackCount + 1: nobody has it yet
 *                                 <--- IoCallDriver: one down
 *                   IoCompleteRequest: up again, by each completion routine --->
 *
 * An IRP belongs to one party at a time: the driver that was called with it, or that has kept it in a queue,
 * until it completes it or passes it on. Therefore it has no lock. The exception is cancellation: anybody who
 * is sure that the IRP still exists may ask for it. The cancel routine is exchanged in one step: whoever gets
 * it out of the IRP, a canceller to call it, or the driver to complete the IRP, is the one who completes it.
 *
 * Lock: IopCancelLock, the documented cancel spin lock, one for all IRPs. It guards Irp->Cancel's change, and
 * drivers may use it for their queues. A driver's own locks may be taken in either order with it, as long as
 * it is always the same.
 */
#include "kernel/io/iop.h"

#define IOP_IRP_TAG ' prI'
#define IOP_MDL_TAG ' ldM'

static KSPIN_LOCK IopCancelLock;

/* ---- Making ---- */

/* Makes memory of PacketSize bytes (IoSizeOfIrp) an IRP with StackSize stack locations that no driver has
   yet. <= DISPATCH_LEVEL. (WDK page of the name) */
VOID IoInitializeIrp(PIRP Irp, USHORT PacketSize, CCHAR StackSize)
{
    RtlZeroMemory(Irp, PacketSize);
    Irp->Type = IO_TYPE_IRP;
    Irp->Size = PacketSize;
    Irp->StackCount = StackSize;
    Irp->CurrentLocation = (CHAR)(StackSize + 1);
    Irp->Tail.Overlay.CurrentStackLocation = (PIO_STACK_LOCATION)(Irp + 1) + StackSize;
}
EXPORT(IoInitializeIrp);

/* A new IRP with StackSize stack locations: as many as the StackSize of the device that it is to be sent to.
   NULL: out of memory. ChargeQuota: there are no quotas. Its sender sets a completion routine that returns
   STATUS_MORE_PROCESSING_REQUIRED, and frees it with IoFreeIrp. <= DISPATCH_LEVEL. (WDK page of the name) */
PIRP IoAllocateIrp(CCHAR StackSize, BOOLEAN ChargeQuota)
{
    PIRP Irp = ExAllocatePoolWithTag(NonPagedPoolNx, IoSizeOfIrp(StackSize), IOP_IRP_TAG);

    if (Irp != NULL) {
        IoInitializeIrp(Irp, IoSizeOfIrp(StackSize), StackSize);
    }
    return Irp;
}
EXPORT(IoAllocateIrp);

/* An IRP of IoAllocateIrp that no driver has any more is as new, with Iostatus as its status. <=
   DISPATCH_LEVEL. (WDK page of the name) */
VOID IoReuseIrp(PIRP Irp, NTSTATUS Iostatus)
{
    IoInitializeIrp(Irp, Irp->Size, Irp->StackCount);
    Irp->IoStatus.Status = Iostatus;
}
EXPORT(IoReuseIrp);

/* What should be an IRP is none: it has been freed, or never was one. */
static void IopCheckIrp(PIRP Irp, ULONG Violation)
{
    if (Irp->Type != IO_TYPE_IRP) {
        KdBugCheck(DRIVER_VERIFIER_IOMANAGER_VIOLATION, Violation, (ULONG64)Irp, 0, 0, NULL, "%p is no IRP (type %d)", Irp,
                   Irp->Type);
    }
}

/* Frees an IRP of IoAllocateIrp that no driver has any more. <= DISPATCH_LEVEL. (WDK page of the name) */
VOID IoFreeIrp(PIRP Irp)
{
    IopCheckIrp(Irp, 0x1);
    Irp->Type = 0;
    ExFreePoolWithTag(Irp, IOP_IRP_TAG);
}
EXPORT(IoFreeIrp);

/* ---- Memory descriptor lists ---- */

/*
 * An MDL for Length bytes (less than 2 GiB) at VirtualAddress, which says nothing of their pages yet. With an
 * Irp it becomes the IRP's MdlAddress, or with SecondaryBuffer the last of those that this begins: then it
 * goes with the IRP if the IRP is a service's. ChargeQuota: there are no quotas. NULL: out of memory. <=
 * DISPATCH_LEVEL. (WDK page of the name)
 */
PMDL IoAllocateMdl(PVOID VirtualAddress, ULONG Length, BOOLEAN SecondaryBuffer, BOOLEAN ChargeQuota, PIRP Irp)
{
    SIZE_T Size = sizeof(MDL) + ADDRESS_AND_SIZE_TO_SPAN_PAGES(VirtualAddress, (SIZE_T)Length) * sizeof(PFN_NUMBER);
    PMDL Mdl = Length < 0x80000000u ? ExAllocatePoolWithTag(NonPagedPoolNx, Size, IOP_MDL_TAG) : NULL;

    if (Mdl == NULL) {
        return NULL;
    }
    MmInitializeMdl(Mdl, VirtualAddress, Length);
    if (Irp != NULL) {
        PMDL *Link = &Irp->MdlAddress;
        while (SecondaryBuffer && *Link != NULL) {
            Link = &(*Link)->Next;
        }
        *Link = Mdl;
    }
    return Mdl;
}
EXPORT(IoAllocateMdl);

/* Frees an MDL, whose pages are not locked any more; a partial one is unmapped first. <= DISPATCH_LEVEL. (WDK
   page of the name) */
VOID IoFreeMdl(PMDL Mdl)
{
    if ((Mdl->MdlFlags & (MDL_PARTIAL | MDL_MAPPED_TO_SYSTEM_VA)) == (MDL_PARTIAL | MDL_MAPPED_TO_SYSTEM_VA)) {
        MmUnmapLockedPages(Mdl->MappedSystemVa, Mdl);
    }
    KI_ASSERT((Mdl->MdlFlags & (MDL_PAGES_LOCKED | MDL_MAPPED_TO_SYSTEM_VA)) == 0, "MDL %p is freed with flags %x: locked or mapped",
              Mdl, (ULONG)Mdl->MdlFlags);
    ExFreePoolWithTag(Mdl, IOP_MDL_TAG);
}
EXPORT(IoFreeMdl);

/* ---- Down ---- */

/* The routine for all that a driver has set no routine for. */
NTSTATUS IopInvalidDeviceRequest(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    return IopComplete(Irp, STATUS_INVALID_DEVICE_REQUEST, 0);
}

/*
 * Calls the driver of DeviceObject with the IRP, whose next stack location the caller has filled in: the
 * dispatch routine for its MajorFunction. Returns what that returns; the IRP may be gone by then. Bug check
 * NO_MORE_IRP_STACK_LOCATIONS; DRIVER_VERIFIER_IOMANAGER_VIOLATION (5) in debug builds when the routine
 * returns at another level. <= DISPATCH_LEVEL, most requests at PASSIVE_LEVEL. (WDK page of IoCallDriver)
 */
NTSTATUS IofCallDriver(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    KIRQL Irql = ArchGetIrql();

    IopCheckIrp(Irp, 0x3);
    if (Irp->CurrentLocation <= 1) {
        KdBugCheck(NO_MORE_IRP_STACK_LOCATIONS, (ULONG64)Irp, 0, 0, 0, NULL, "IRP %p has no location left for device %p", Irp,
                   DeviceObject);
    }
    IoSetNextIrpStackLocation(Irp);
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    KI_ASSERT(Stack->MajorFunction <= IRP_MJ_MAXIMUM_FUNCTION, "IRP %p has function %u", Irp, Stack->MajorFunction);
    Stack->DeviceObject = DeviceObject;
    PDRIVER_DISPATCH Dispatch = DeviceObject->DriverObject->MajorFunction[Stack->MajorFunction];
    NTSTATUS Status = Dispatch(DeviceObject, Irp);
    if (DBG && ArchGetIrql() != Irql) {
        char Name[KD_NAME_SIZE];
        KdBugCheck(DRIVER_VERIFIER_IOMANAGER_VIOLATION, 0x5, (ULONG64)DeviceObject, Irql, ArchGetIrql(), NULL,
                   "the dispatch routine %s was called at level %u and returned at %u",
                   KdName((const void *)Dispatch, Name, sizeof(Name)), Irql, ArchGetIrql());
    }
    return Status;
}
EXPORT(IofCallDriver);

/* ---- Up ---- */

static void IopCheckCompletion(PIRP Irp)
{
    IopCheckIrp(Irp, 0x3);
    if (Irp->CurrentLocation > Irp->StackCount) {
        KdBugCheck(MULTIPLE_IRP_COMPLETE_REQUESTS, (ULONG64)Irp, 0, 0, 0, NULL, "IRP %p is completed twice", Irp);
    }
    if (Irp->CancelRoutine != NULL) {
        KdBugCheck(CANCEL_STATE_IN_COMPLETED_IRP, (ULONG64)Irp, (ULONG64)Irp->CancelRoutine, 0, 0, NULL,
                   "IRP %p is completed and may still be cancelled", Irp);
    }
    if (DBG && Irp->IoStatus.Status == STATUS_PENDING) {
        KdBugCheck(DRIVER_VERIFIER_IOMANAGER_VIOLATION, 0x6, STATUS_PENDING, (ULONG64)Irp, 0, NULL,
                   "IRP %p is completed with STATUS_PENDING", Irp);
    }
}

/* Whether the completion routine in this location wants to hear of the IRP's end. */
static bool IopWantsCompletion(const IO_STACK_LOCATION *Stack, const IRP *Irp)
{
    UCHAR Wanted = NT_SUCCESS(Irp->IoStatus.Status) ? SL_INVOKE_ON_SUCCESS : SL_INVOKE_ON_ERROR;

    return (Stack->Control & (Wanted | (Irp->Cancel ? SL_INVOKE_ON_CANCEL : 0))) != 0;
}

/*
 * The caller, who has the IRP and has set its IoStatus, is done with it and must not touch it any more. The
 * completion routines of the drivers above are called, the nearest first, until one returns
 * STATUS_MORE_PROCESSING_REQUIRED: that driver has the IRP again. After the last one the request is finished;
 * a thread that waits for it gets the boost PriorityBoost. Bug check MULTIPLE_IRP_COMPLETE_REQUESTS,
 * CANCEL_STATE_IN_COMPLETED_IRP. <= DISPATCH_LEVEL. (WDK page of IoCompleteRequest)
 */
VOID IofCompleteRequest(PIRP Irp, CCHAR PriorityBoost)
{
    IopCheckCompletion(Irp);
    while (Irp->CurrentLocation <= Irp->StackCount) {
        PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
        Irp->PendingReturned = (Stack->Control & SL_PENDING_RETURNED) != 0;
        IoSkipCurrentIrpStackLocation(Irp);
        bool Last = Irp->CurrentLocation > Irp->StackCount;
        if (IopWantsCompletion(Stack, Irp)) {
            PDEVICE_OBJECT Above = Last ? NULL : IoGetCurrentIrpStackLocation(Irp)->DeviceObject;
            if (Stack->CompletionRoutine(Above, Irp, Stack->Context) == STATUS_MORE_PROCESSING_REQUIRED) {
                return;
            }
        } else if (Irp->PendingReturned && !Last) {
            IoMarkIrpPending(Irp);
        }
    }
    if (Irp->Flags & IRP_SYNCHRONOUS_API) {
        KeSetEvent(Irp->UserEvent, PriorityBoost, FALSE); /* who waits for it may free the IRP from here on */
    } else {
        IopFinishRequest(Irp, PriorityBoost);
    }
}
EXPORT(IofCompleteRequest);

/* ---- Waiting ---- */

/* What a dispatch routine returns, and what it has done with the IRP, must agree. Done: the IRP has been
   completed. */
static void IopCheckReturn(PDEVICE_OBJECT Device, PIRP Irp, NTSTATUS Returned, bool Done)
{
    const char *Why = Returned == STATUS_PENDING && Done && !Irp->PendingReturned ? "STATUS_PENDING, but has not marked it pending"
                      : Returned != STATUS_PENDING && !Done                       ? "an end, but has not completed it"
                      : Returned != STATUS_PENDING && Irp->PendingReturned        ? "an end, but has marked it pending"
                                                                                  : NULL;

    if (DBG && Why != NULL) {
        KdBugCheck(IRP_CONTRACT_VIOLATION, (ULONG64)Irp, (ULONG64)Device, (ULONG64)Returned, Done, NULL,
                   "driver %wZ has returned %08x for IRP %p: %s", &Device->DriverObject->DriverName, Returned, Irp, Why);
    }
}

NTSTATUS IopCallAndWait(PDEVICE_OBJECT Device, PIRP Irp, BOOLEAN Alertable)
{
    KEVENT Done;

    KeInitializeEvent(&Done, NotificationEvent, FALSE);
    Irp->Flags |= IRP_SYNCHRONOUS_API;
    /* cppcheck-suppress autoVariables ; set for the last time before this routine returns */
    Irp->UserEvent = &Done;
    NTSTATUS Returned = IofCallDriver(Device, Irp);
    if (Returned != STATUS_PENDING) {
        IopCheckReturn(Device, Irp, Returned, KeReadStateEvent(&Done) != 0);
    }
    if (KeWaitForSingleObject(&Done, Executive, Irp->RequestorMode, Alertable, NULL) != STATUS_SUCCESS) {
        IoCancelIrp(Irp); /* it is this thread's until it is freed: it exists, completed or not */
        KeWaitForSingleObject(&Done, Executive, KernelMode, FALSE, NULL);
    }
    IopCheckReturn(Device, Irp, Returned, true);
    return Irp->IoStatus.Status;
}

/* ---- Cancelling ---- */

/* The documented cancel spin lock: DISPATCH_LEVEL until IoReleaseCancelSpinLock(*Irql). <= DISPATCH_LEVEL.
   (WDK page of the name) */
VOID IoAcquireCancelSpinLock(PKIRQL Irql)
{
    KeAcquireSpinLock(&IopCancelLock, Irql);
}
EXPORT(IoAcquireCancelSpinLock);

/* Releases the cancel spin lock, and goes back to the level Irql; a cancel routine gives Irp->CancelIrql.
   DISPATCH_LEVEL. (WDK page of the name) */
VOID IoReleaseCancelSpinLock(KIRQL Irql)
{
    KeReleaseSpinLock(&IopCancelLock, Irql);
}
EXPORT(IoReleaseCancelSpinLock);

/* Asks the driver that has the IRP to give it up: sets Irp->Cancel and calls the IRP's cancel routine, with
   the cancel spin lock held, which the routine releases. TRUE: there was one. FALSE: there is none; the
   driver completes the IRP in its own time, or looks at Irp->Cancel. The caller knows that the IRP is not
   freed meanwhile. <= DISPATCH_LEVEL. (WDK page of the name) */
BOOLEAN IoCancelIrp(PIRP Irp)
{
    KIRQL Irql;

    IoAcquireCancelSpinLock(&Irql);
    Irp->Cancel = TRUE;
    PDRIVER_CANCEL Routine = IoSetCancelRoutine(Irp, NULL);
    if (Routine == NULL) {
        IoReleaseCancelSpinLock(Irql);
        return FALSE;
    }
    Irp->CancelIrql = Irql;
    Routine(IoGetCurrentIrpStackLocation(Irp)->DeviceObject, Irp);
    KI_ASSERT(ArchGetIrql() == Irql, "a cancel routine %p returned at level %u, not %u", (PVOID)Routine, ArchGetIrql(), Irql);
    return TRUE;
}
EXPORT(IoCancelIrp);
