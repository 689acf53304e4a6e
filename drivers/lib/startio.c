/* SPDX-License-Identifier: MIT */
/*
 * Requests one at a time: a driver that has a StartIo routine hands each IRP to IoStartPacket, which calls
 * StartIo or, while another IRP is under way (DEVICE_OBJECT.CurrentIrp), queues it in the device's queue;
 * IoStartNextPacket goes on with the next.
 *
 * Locks, outermost first: the cancel spin lock, when IRPs can be cancelled; the device queue's own.
 */
#include <ntddk.h>
#include <primertest.h>

/* Queues the IRP; FALSE: the device was idle, and the IRP is its current one. */
static BOOLEAN IopQueuePacket(PDEVICE_OBJECT Device, PIRP Irp, PULONG Key)
{
    PKDEVICE_QUEUE_ENTRY Entry = &Irp->Tail.Overlay.DeviceQueueEntry;
    BOOLEAN Queued = Key != NULL ? KeInsertByKeyDeviceQueue(&Device->DeviceQueue, Entry, *Key)
                                 : KeInsertDeviceQueue(&Device->DeviceQueue, Entry);

    if (!Queued) {
        Device->CurrentIrp = Irp;
    }
    return Queued;
}

/* The same for an IRP that can be cancelled, and may have been already: then its routine is called. */
static BOOLEAN IopQueueCancelable(PDEVICE_OBJECT Device, PIRP Irp, PULONG Key, PDRIVER_CANCEL CancelFunction)
{
    KIRQL Irql;

    IoAcquireCancelSpinLock(&Irql);
    IoSetCancelRoutine(Irp, CancelFunction);
    BOOLEAN Queued = IopQueuePacket(Device, Irp, Key);
    if (Queued && Irp->Cancel && IoSetCancelRoutine(Irp, NULL) != NULL) {
        Irp->CancelIrql = Irql;
        CancelFunction(Device, Irp); /* releases the lock */
    } else {
        IoReleaseCancelSpinLock(Irql);
    }
    return Queued;
}

/*
 * Calls the driver's StartIo with the IRP, at DISPATCH_LEVEL, or queues it while the device is busy: by *Key,
 * or as the last. The caller has marked it pending. CancelFunction: its cancel routine, NULL: none; it may be
 * called at once. <= DISPATCH_LEVEL. (WDK page of the name)
 */
VOID IoStartPacket(PDEVICE_OBJECT DeviceObject, PIRP Irp, PULONG Key, PDRIVER_CANCEL CancelFunction)
{
    KIRQL Irql = KeRaiseIrqlToDpcLevel();
    BOOLEAN Queued = CancelFunction != NULL ? IopQueueCancelable(DeviceObject, Irp, Key, CancelFunction)
                                            : IopQueuePacket(DeviceObject, Irp, Key);

    if (!Queued) {
        DeviceObject->DriverObject->DriverStartIo(DeviceObject, Irp);
    }
    KeLowerIrql(Irql);
}

/* The current IRP is done: calls the driver's StartIo with the next one, if there is one; else the device is
   idle. Cancelable: the IRPs of the device have cancel routines. DISPATCH_LEVEL. (WDK page of the name) */
VOID IoStartNextPacket(PDEVICE_OBJECT DeviceObject, BOOLEAN Cancelable)
{
    KIRQL Irql = DISPATCH_LEVEL;

    if (Cancelable) {
        IoAcquireCancelSpinLock(&Irql);
    }
    DeviceObject->CurrentIrp = NULL;
    PKDEVICE_QUEUE_ENTRY Entry = KeRemoveDeviceQueue(&DeviceObject->DeviceQueue);
#if DBG
    PrimerReachPoint(PrimerPointPacketsOut, DeviceObject);
#endif
    PIRP Irp = Entry != NULL ? CONTAINING_RECORD(Entry, IRP, Tail.Overlay.DeviceQueueEntry) : NULL;
    if (Irp != NULL) {
        DeviceObject->CurrentIrp = Irp; /* else the device is idle, and the next IoStartPacket's may stand there already */
    }
    if (Cancelable) {
        IoReleaseCancelSpinLock(Irql);
    }
    if (Irp != NULL) {
        DeviceObject->DriverObject->DriverStartIo(DeviceObject, Irp);
    }
}
