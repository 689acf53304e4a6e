/* SPDX-License-Identifier: MIT */
/*
 * The test driver: a device that echoes, stores, and holds requests back until they are released or
 * cancelled; and a second one that is exclusive and can nearly nothing. It counts what it is told of its
 * files.
 */
#include "devices.h"

PDEVICE_OBJECT TestDevice, AloneDevice, DirectDevice;

static NTSTATUS Complete(PIRP Irp, NTSTATUS Status, ULONG_PTR Information)
{
    Irp->IoStatus.Status = Status;
    Irp->IoStatus.Information = Information;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return Status;
}

/* ---- The files' life ---- */

static NTSTATUS Count(PDEVICE_OBJECT Device, PIRP Irp)
{
    PEXTENSION Extension = Device->DeviceExtension;
    UCHAR Function = IoGetCurrentIrpStackLocation(Irp)->MajorFunction;
    PUNICODE_STRING Name = &IoGetCurrentIrpStackLocation(Irp)->FileObject->FileName;

    if (Function == IRP_MJ_CREATE && Name->Length != 0 && Name->Buffer[1] == L'n') {
        return Complete(Irp, STATUS_OBJECT_NAME_NOT_FOUND, 0); /* "\nothing" */
    }
    InterlockedIncrement(Function == IRP_MJ_CREATE    ? &Extension->Counts.Creates
                         : Function == IRP_MJ_CLEANUP ? &Extension->Counts.Cleanups
                                                      : &Extension->Counts.Closes);
    return Complete(Irp, STATUS_SUCCESS, Function == IRP_MJ_CREATE ? FILE_OPENED : 0);
}

/* ---- Data ---- */

/* The caller's pages, wherever this runs. */
static ULONG Fill(PIRP Irp, const UCHAR *Bytes, ULONG Count)
{
    PUCHAR Address = Irp->MdlAddress != NULL ? MmGetSystemAddressForMdlSafe(Irp->MdlAddress, NormalPagePriority) : NULL;
    ULONG Size = Address != NULL ? MmGetMdlByteCount(Irp->MdlAddress) : 0;

    for (ULONG i = 0; i < Size && Count != 0; i++) {
        Address[i] = Bytes[i % Count];
    }
    return Size;
}

static ULONG Sum(PIRP Irp)
{
    const UCHAR *Address = Irp->MdlAddress != NULL ? MmGetSystemAddressForMdlSafe(Irp->MdlAddress, NormalPagePriority) : NULL;
    ULONG Total = 0;

    for (ULONG i = 0; Address != NULL && i < MmGetMdlByteCount(Irp->MdlAddress); i++) {
        Total += Address[i];
    }
    return Total;
}

static NTSTATUS Read(PDEVICE_OBJECT Device, PIRP Irp)
{
    const UCHAR Byte = DIRECT_FILL;
    if (Device == DirectDevice) {
        return Complete(Irp, STATUS_SUCCESS, Fill(Irp, &Byte, 1));
    }
    PEXTENSION Extension = Device->DeviceExtension;
    ULONG Length = IoGetCurrentIrpStackLocation(Irp)->Parameters.Read.Length;
    ULONG Size = Length < Extension->StoredLength ? Length : Extension->StoredLength;

    if (Size != 0) {
        RtlCopyMemory(Irp->AssociatedIrp.SystemBuffer, Extension->Stored, Size);
    }
    return Complete(Irp, STATUS_SUCCESS, Size);
}

static NTSTATUS Write(PDEVICE_OBJECT Device, PIRP Irp)
{
    if (Device == DirectDevice) {
        return Complete(Irp, STATUS_SUCCESS, Sum(Irp));
    }
    PEXTENSION Extension = Device->DeviceExtension;
    ULONG Length = IoGetCurrentIrpStackLocation(Irp)->Parameters.Write.Length;

    if (Length > sizeof(Extension->Stored)) {
        return Complete(Irp, STATUS_INVALID_PARAMETER, 0);
    }
    if (Length != 0) {
        RtlCopyMemory(Extension->Stored, Irp->AssociatedIrp.SystemBuffer, Length);
    }
    Extension->StoredLength = Length;
    return Complete(Irp, STATUS_SUCCESS, Length);
}

/* ---- Requests that are held: as the driver kit's pages on cancellation show it ---- */

static VOID CancelHeld(PDEVICE_OBJECT Device, PIRP Irp)
{
    PEXTENSION Extension = Device->DeviceExtension;
    KIRQL Irql;

    IoReleaseCancelSpinLock(Irp->CancelIrql);
    KeAcquireSpinLock(&Extension->Lock, &Irql);
    RemoveEntryList(&Irp->Tail.Overlay.ListEntry);
    KeReleaseSpinLock(&Extension->Lock, Irql);
    InterlockedDecrement(&Extension->Counts.Held);
    InterlockedIncrement(&Extension->Counts.Cancelled);
    Complete(Irp, STATUS_CANCELLED, 0);
}

static NTSTATUS Hold(PEXTENSION Extension, PIRP Irp)
{
    KIRQL Irql;

    KeAcquireSpinLock(&Extension->Lock, &Irql);
    IoSetCancelRoutine(Irp, CancelHeld);
    if (Irp->Cancel && IoSetCancelRoutine(Irp, NULL) != NULL) { /* cancelled before it could be noticed */
        KeReleaseSpinLock(&Extension->Lock, Irql);
        return Complete(Irp, STATUS_CANCELLED, 0);
    }
    IoMarkIrpPending(Irp);
    InsertTailList(&Extension->Held, &Irp->Tail.Overlay.ListEntry);
    InterlockedIncrement(&Extension->Counts.Held);
    KeReleaseSpinLock(&Extension->Lock, Irql);
    return STATUS_PENDING;
}

/* One that nobody cancels any more; NULL: none. */
static PIRP TakeHeld(PEXTENSION Extension)
{
    PIRP Found = NULL;
    KIRQL Irql;

    KeAcquireSpinLock(&Extension->Lock, &Irql);
    for (PLIST_ENTRY Link = Extension->Held.Flink; Link != &Extension->Held && Found == NULL; Link = Link->Flink) {
        PIRP Irp = CONTAINING_RECORD(Link, IRP, Tail.Overlay.ListEntry);
        if (IoSetCancelRoutine(Irp, NULL) != NULL) {
            Found = Irp;
            RemoveEntryList(Link);
            break;
        }
    }
    KeReleaseSpinLock(&Extension->Lock, Irql);
    return Found;
}

ULONG ReleaseHeld(PEXTENSION Extension)
{
    ULONG Released = 0;
    PIRP Irp;

    while ((Irp = TakeHeld(Extension)) != NULL) {
        ULONG Input = IoGetCurrentIrpStackLocation(Irp)->Parameters.DeviceIoControl.InputBufferLength;
        ULONG Output = IoGetCurrentIrpStackLocation(Irp)->Parameters.DeviceIoControl.OutputBufferLength;
        const UCHAR Byte = DIRECT_FILL;
        InterlockedDecrement(&Extension->Counts.Held);
        Complete(Irp, STATUS_SUCCESS, Irp->MdlAddress != NULL ? Fill(Irp, &Byte, 1) : Input < Output ? Input : Output);
        Released++;
    }
    return Released;
}

/* ---- Control ---- */

static NTSTATUS Raw(PIRP Irp, PIO_STACK_LOCATION Stack)
{
    volatile NTSTATUS Status = STATUS_SUCCESS;
    _SEH2_TRY {
        PULONG Input = Stack->Parameters.DeviceIoControl.Type3InputBuffer;
        ProbeForRead(Input, sizeof(*Input), sizeof(*Input));
        ULONG Value = *Input;
        ProbeForWrite(Irp->UserBuffer, sizeof(Value), sizeof(Value));
        *(PULONG)Irp->UserBuffer = Value + 1;
    }
    _SEH2_EXCEPT(EXCEPTION_EXECUTE_HANDLER)
    {
        Status = _SEH2_GetExceptionCode();
    }
    _SEH2_END;
    return Complete(Irp, Status, NT_SUCCESS(Status) ? sizeof(ULONG) : 0);
}

static NTSTATUS Control(PDEVICE_OBJECT Device, PIRP Irp)
{
    PEXTENSION Extension = Device->DeviceExtension;
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    ULONG Input = Stack->Parameters.DeviceIoControl.InputBufferLength;
    ULONG Output = Stack->Parameters.DeviceIoControl.OutputBufferLength;
    PVOID Buffer = Irp->AssociatedIrp.SystemBuffer;

    switch (Stack->Parameters.DeviceIoControl.IoControlCode) {
    case IOCTL_ECHO: return Complete(Irp, STATUS_SUCCESS, Input < Output ? Input : Output);
    case IOCTL_HOLD_DIRECT:
    case IOCTL_HOLD: return Hold(Extension, Irp);
    case IOCTL_DIRECT: return Complete(Irp, STATUS_SUCCESS, Fill(Irp, Buffer, Input));
    case IOCTL_SUM: return Complete(Irp, STATUS_SUCCESS, Sum(Irp));
    case IOCTL_RELEASE: return Complete(Irp, STATUS_SUCCESS, ReleaseHeld(Extension));
    case IOCTL_COUNTS:
        if (Output < sizeof(DEVICES_COUNTS)) {
            return Complete(Irp, STATUS_BUFFER_TOO_SMALL, 0);
        }
        *(DEVICES_COUNTS *)Buffer = Extension->Counts;
        return Complete(Irp, STATUS_SUCCESS, sizeof(DEVICES_COUNTS));
    case IOCTL_WARN: return Complete(Irp, STATUS_BUFFER_OVERFLOW, 4);
    case IOCTL_FAIL: return Complete(Irp, STATUS_UNSUCCESSFUL, Output);
    case IOCTL_RAW: return Raw(Irp, Stack);
    case IOCTL_GUARDED: return Complete(Irp, STATUS_SUCCESS, 0);
    case IOCTL_TOO_MUCH: return Complete(Irp, STATUS_SUCCESS, Output + 0x10000);
    case IOCTL_WHO:
        if (Output < sizeof(ULONG)) {
            return Complete(Irp, STATUS_BUFFER_TOO_SMALL, 0);
        }
        *(PULONG)Buffer = IoGetRequestorProcess(Irp) == PsGetCurrentProcess() ? IoGetRequestorProcessId(Irp) : 0;
        return Complete(Irp, STATUS_SUCCESS, sizeof(ULONG));
    default: return Complete(Irp, STATUS_INVALID_DEVICE_REQUEST, 0);
    }
}

/* ---- Devices ---- */

static NTSTATUS MakeTestDevice(PDRIVER_OBJECT Driver)
{
    UNICODE_STRING Name = RTL_CONSTANT_STRING(DEVICES_NAME), Link = RTL_CONSTANT_STRING(DEVICES_LINK);
    NTSTATUS Status = IoCreateDevice(Driver, sizeof(EXTENSION), &Name, FILE_DEVICE_UNKNOWN, 0, FALSE, &TestDevice);

    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    PEXTENSION Extension = TestDevice->DeviceExtension;
    KeInitializeSpinLock(&Extension->Lock);
    InitializeListHead(&Extension->Held);
    TestDevice->Flags |= DO_BUFFERED_IO;
    TestDevice->Flags &= ~DO_DEVICE_INITIALIZING; /* its own DriverEntry opens it */
    return IoCreateSymbolicLink(&Link, &Name);
}

NTSTATUS MakeDevices(PDRIVER_OBJECT Driver)
{
    UNICODE_STRING Name = RTL_CONSTANT_STRING(ALONE_NAME);
    NTSTATUS Status = MakeTestDevice(Driver);

    if (NT_SUCCESS(Status)) {
        Status = IoCreateDevice(Driver, sizeof(EXTENSION), &Name, FILE_DEVICE_UNKNOWN, 0, TRUE, &AloneDevice);
    }
    if (NT_SUCCESS(Status)) {
        RtlInitUnicodeString(&Name, DIRECT_NAME);
        Status = IoCreateDevice(Driver, sizeof(EXTENSION), &Name, FILE_DEVICE_UNKNOWN, 0, FALSE, &DirectDevice);
    }
    if (NT_SUCCESS(Status)) {
        DirectDevice->Flags |= DO_DIRECT_IO;
        DirectDevice->Flags &= ~DO_DEVICE_INITIALIZING;
    }
    return Status;
}

VOID DeleteDevices(VOID)
{
    UNICODE_STRING Link = RTL_CONSTANT_STRING(DEVICES_LINK);

    IoDeleteSymbolicLink(&Link);
    IoDeleteDevice(TestDevice);
    IoDeleteDevice(AloneDevice);
    IoDeleteDevice(DirectDevice);
}

static VOID Unload(PDRIVER_OBJECT Driver)
{
    DEVICES_COUNTS Counts = ((PEXTENSION)TestDevice->DeviceExtension)->Counts;

    UNREFERENCED_PARAMETER(Driver);
    DbgPrint("@%s devices.unloaded without files: %d opened, %d cleaned up, %d closed, %d held\n",
             Counts.Creates == Counts.Closes && Counts.Creates == Counts.Cleanups && Counts.Held == 0 ? "pass" : "fail",
             Counts.Creates, Counts.Cleanups, Counts.Closes, Counts.Held);
    DeleteDevices();
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    UNREFERENCED_PARAMETER(RegistryPath);
    DriverObject->DriverUnload = Unload;
    DriverObject->MajorFunction[IRP_MJ_CREATE] = Count;
    DriverObject->MajorFunction[IRP_MJ_CLEANUP] = Count;
    DriverObject->MajorFunction[IRP_MJ_CLOSE] = Count;
    DriverObject->MajorFunction[IRP_MJ_READ] = Read;
    DriverObject->MajorFunction[IRP_MJ_WRITE] = Write;
    DriverObject->MajorFunction[IRP_MJ_DEVICE_CONTROL] = Control;
    NTSTATUS Status = MakeDevices(DriverObject);
    if (NT_SUCCESS(Status)) {
        RunDeviceTests(DriverObject);
    }
    return Status;
}
