/* SPDX-License-Identifier: MIT */
/*
 * A mailbox, as people write such a sample from the driver kit's pages: IOCTL_MAILBOX_TAKE pends until
 * IOCTL_MAILBOX_PUT brings a message, or the request is cancelled; IRP_MJ_CLEANUP takes back what a closed
 * handle has left waiting.
 */
#include <wdm.h>
#include "mailbox.h"

DRIVER_INITIALIZE DriverEntry;
DRIVER_UNLOAD MailboxUnload;
_Dispatch_type_(IRP_MJ_CREATE) _Dispatch_type_(IRP_MJ_CLOSE) DRIVER_DISPATCH MailboxCreateClose;
_Dispatch_type_(IRP_MJ_CLEANUP) DRIVER_DISPATCH MailboxCleanup;
_Dispatch_type_(IRP_MJ_DEVICE_CONTROL) DRIVER_DISPATCH MailboxDeviceControl;
DRIVER_CANCEL MailboxCancel;

#ifdef ALLOC_PRAGMA
#pragma alloc_text(INIT, DriverEntry)
#pragma alloc_text(PAGE, MailboxCreateClose)
#endif

#define NT_DEVICE_NAME  L"\\Device\\Mailbox"
#define DOS_DEVICE_NAME L"\\DosDevices\\Mailbox"

typedef struct _DEVICE_EXTENSION {
    LIST_ENTRY PendingIrpQueue;
    KSPIN_LOCK QueueLock;
} DEVICE_EXTENSION, *PDEVICE_EXTENSION;

NTSTATUS DriverEntry(_In_ PDRIVER_OBJECT DriverObject, _In_ PUNICODE_STRING RegistryPath)
{
    UNICODE_STRING deviceName, linkName;
    PDEVICE_OBJECT deviceObject = NULL;
    PDEVICE_EXTENSION extension;
    NTSTATUS status;

    UNREFERENCED_PARAMETER(RegistryPath);
    RtlInitUnicodeString(&deviceName, NT_DEVICE_NAME);
    status = IoCreateDevice(DriverObject, sizeof(DEVICE_EXTENSION), &deviceName, MAILBOX_TYPE, FILE_DEVICE_SECURE_OPEN, FALSE,
                            &deviceObject);
    if (!NT_SUCCESS(status)) {
        KdPrint(("Couldn't create the device object\n"));
        return status;
    }
    DriverObject->MajorFunction[IRP_MJ_CREATE] = MailboxCreateClose;
    DriverObject->MajorFunction[IRP_MJ_CLOSE] = MailboxCreateClose;
    DriverObject->MajorFunction[IRP_MJ_CLEANUP] = MailboxCleanup;
    DriverObject->MajorFunction[IRP_MJ_DEVICE_CONTROL] = MailboxDeviceControl;
    DriverObject->DriverUnload = MailboxUnload;

    extension = (PDEVICE_EXTENSION)deviceObject->DeviceExtension;
    InitializeListHead(&extension->PendingIrpQueue);
    KeInitializeSpinLock(&extension->QueueLock);
    deviceObject->Flags |= DO_BUFFERED_IO;

    RtlInitUnicodeString(&linkName, DOS_DEVICE_NAME);
    status = IoCreateSymbolicLink(&linkName, &deviceName);
    if (!NT_SUCCESS(status)) {
        IoDeleteDevice(deviceObject);
    }
    return status;
}

VOID MailboxUnload(_In_ PDRIVER_OBJECT DriverObject)
{
    PDEVICE_OBJECT deviceObject = DriverObject->DeviceObject;
    UNICODE_STRING linkName;

    RtlInitUnicodeString(&linkName, DOS_DEVICE_NAME);
    IoDeleteSymbolicLink(&linkName);
    ASSERT(IsListEmpty(&((PDEVICE_EXTENSION)deviceObject->DeviceExtension)->PendingIrpQueue));
    IoDeleteDevice(deviceObject);
    DbgPrint("mailbox: unloaded\n");
}

NTSTATUS MailboxCreateClose(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PAGED_CODE();
    UNREFERENCED_PARAMETER(DeviceObject);
    Irp->IoStatus.Status = STATUS_SUCCESS;
    Irp->IoStatus.Information = 0;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return STATUS_SUCCESS;
}

/* The first pending request, of FileObject if one is given, with its cancel routine taken out. */
static PIRP MailboxRemoveIrp(PDEVICE_EXTENSION Extension, PFILE_OBJECT FileObject)
{
    PIRP irp = NULL;
    PLIST_ENTRY entry;
    KIRQL oldIrql;

    KeAcquireSpinLock(&Extension->QueueLock, &oldIrql);
    for (entry = Extension->PendingIrpQueue.Flink; entry != &Extension->PendingIrpQueue; entry = entry->Flink) {
        PIRP candidate = CONTAINING_RECORD(entry, IRP, Tail.Overlay.ListEntry);
        PIO_STACK_LOCATION irpSp = IoGetCurrentIrpStackLocation(candidate);
        if ((FileObject == NULL || irpSp->FileObject == FileObject) && IoSetCancelRoutine(candidate, NULL) != NULL) {
            RemoveEntryList(entry);
            irp = candidate;
            break;
        }
    }
    KeReleaseSpinLock(&Extension->QueueLock, oldIrql);
    return irp;
}

NTSTATUS MailboxCleanup(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PDEVICE_EXTENSION extension = DeviceObject->DeviceExtension;
    PFILE_OBJECT fileObject = IoGetCurrentIrpStackLocation(Irp)->FileObject;
    PIRP pendingIrp;

    while ((pendingIrp = MailboxRemoveIrp(extension, fileObject)) != NULL) {
        pendingIrp->IoStatus.Information = 0;
        pendingIrp->IoStatus.Status = STATUS_CANCELLED;
        IoCompleteRequest(pendingIrp, IO_NO_INCREMENT);
    }
    Irp->IoStatus.Status = STATUS_SUCCESS;
    Irp->IoStatus.Information = 0;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return STATUS_SUCCESS;
}

VOID MailboxCancel(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PDEVICE_EXTENSION extension = DeviceObject->DeviceExtension;
    KIRQL oldIrql;

    IoReleaseCancelSpinLock(Irp->CancelIrql);
    KeAcquireSpinLock(&extension->QueueLock, &oldIrql);
    RemoveEntryList(&Irp->Tail.Overlay.ListEntry);
    KeReleaseSpinLock(&extension->QueueLock, oldIrql);

    Irp->IoStatus.Status = STATUS_CANCELLED;
    Irp->IoStatus.Information = 0;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
}

static NTSTATUS MailboxTake(PDEVICE_EXTENSION Extension, PIRP Irp)
{
    KIRQL oldIrql;

    KeAcquireSpinLock(&Extension->QueueLock, &oldIrql);
    IoSetCancelRoutine(Irp, MailboxCancel);
    if (Irp->Cancel && IoSetCancelRoutine(Irp, NULL) != NULL) {
        KeReleaseSpinLock(&Extension->QueueLock, oldIrql);
        return STATUS_CANCELLED;
    }
    IoMarkIrpPending(Irp);
    InsertTailList(&Extension->PendingIrpQueue, &Irp->Tail.Overlay.ListEntry);
    KeReleaseSpinLock(&Extension->QueueLock, oldIrql);
    return STATUS_PENDING;
}

/* Hands the message to whoever waits longest. */
static NTSTATUS MailboxPut(PDEVICE_EXTENSION Extension, PVOID Message, ULONG Length)
{
    PIRP irp = MailboxRemoveIrp(Extension, NULL);
    ULONG room, length;

    if (irp == NULL) {
        return STATUS_DEVICE_NOT_READY;
    }
    room = IoGetCurrentIrpStackLocation(irp)->Parameters.DeviceIoControl.OutputBufferLength;
    length = Length < room ? Length : room;
    RtlCopyMemory(irp->AssociatedIrp.SystemBuffer, Message, length);
    irp->IoStatus.Information = length;
    irp->IoStatus.Status = STATUS_SUCCESS;
    IoCompleteRequest(irp, IO_NO_INCREMENT);
    return STATUS_SUCCESS;
}

NTSTATUS MailboxDeviceControl(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PDEVICE_EXTENSION extension = DeviceObject->DeviceExtension;
    PIO_STACK_LOCATION irpSp = IoGetCurrentIrpStackLocation(Irp);
    ULONG inLength = irpSp->Parameters.DeviceIoControl.InputBufferLength;
    ULONG outLength = irpSp->Parameters.DeviceIoControl.OutputBufferLength;
    NTSTATUS status;

    switch (irpSp->Parameters.DeviceIoControl.IoControlCode) {
    case IOCTL_MAILBOX_PUT:
        status = inLength == 0 || inLength > MAILBOX_MESSAGE ? STATUS_INVALID_PARAMETER
                                                             : MailboxPut(extension, Irp->AssociatedIrp.SystemBuffer, inLength);
        break;
    case IOCTL_MAILBOX_TAKE:
        status = outLength < MAILBOX_MESSAGE ? STATUS_BUFFER_TOO_SMALL : MailboxTake(extension, Irp);
        break;
    default:
        status = STATUS_INVALID_DEVICE_REQUEST;
        break;
    }
    if (status != STATUS_PENDING) {
        Irp->IoStatus.Status = status;
        Irp->IoStatus.Information = 0;
        IoCompleteRequest(Irp, IO_NO_INCREMENT);
    }
    return status;
}
