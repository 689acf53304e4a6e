/* SPDX-License-Identifier: MIT */
/*
 * What a driver may not do with an IRP, one kind a boot (devbugs.kind=NAME); and the same done rightly, all
 * kinds in one boot (devbugs.kind=ok). The requests come from ZwReadFile; "Kind" says what the dispatch
 * routine does.
 */
#include "../ktest.h"

static PCSTR Kind;
static BOOLEAN Right;
static PDEVICE_OBJECT Device;

static BOOLEAN Is(PCSTR Name)
{
    return strcmp(Kind, Name) == 0;
}

static VOID Finish(PIRP Irp, NTSTATUS Status)
{
    Irp->IoStatus.Status = Status;
    Irp->IoStatus.Information = 0;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
}

static VOID CancelNothing(PDEVICE_OBJECT Object, PIRP Irp)
{
    UNREFERENCED_PARAMETER(Object);
    IoReleaseCancelSpinLock(Irp->CancelIrql);
}

static NTSTATUS Create(PDEVICE_OBJECT Object, PIRP Irp)
{
    UNREFERENCED_PARAMETER(Object);
    Finish(Irp, STATUS_SUCCESS);
    return STATUS_SUCCESS;
}

static NTSTATUS Read(PDEVICE_OBJECT Object, PIRP Irp)
{
    KIRQL Irql;
    if (Is("twice")) {
        Finish(Irp, STATUS_SUCCESS);
        if (!Right) {
            Finish(Irp, STATUS_SUCCESS);
        }
        return STATUS_SUCCESS;
    }
    if (Is("cancel-routine")) {
        IoSetCancelRoutine(Irp, CancelNothing);
        if (Right) {
            IoSetCancelRoutine(Irp, NULL);
        }
    }
    if (Is("no-location") && !Right) {
        return IoCallDriver(Object, Irp); /* the device's StackSize is 1: it is the lowest */
    }
    if (Is("unmarked") || (Is("marked") && !Right)) {
        if (Right || Is("marked")) {
            IoMarkIrpPending(Irp);
        }
        Finish(Irp, STATUS_SUCCESS);
        return Is("unmarked") ? STATUS_PENDING : STATUS_SUCCESS;
    }
    if (Is("forgotten") && !Right) {
        return STATUS_SUCCESS;
    }
    Finish(Irp, Is("pending-status") && !Right ? STATUS_PENDING : STATUS_SUCCESS);
    if (Is("level")) {
        KeRaiseIrql(DISPATCH_LEVEL, &Irql);
        if (Right) {
            KeLowerIrql(Irql);
        }
    }
    return STATUS_SUCCESS;
}

static VOID RunKind(VOID)
{
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\Device\\Devbugs");
    OBJECT_ATTRIBUTES Attributes;
    IO_STATUS_BLOCK Block;
    HANDLE File;
    InitializeObjectAttributes(&Attributes, &Name, OBJ_KERNEL_HANDLE, NULL, NULL);
    if (NT_SUCCESS(ZwOpenFile(&File, GENERIC_READ, &Attributes, &Block, 0, FILE_SYNCHRONOUS_IO_NONALERT))) {
        NTSTATUS Status = ZwReadFile(File, NULL, NULL, NULL, &Block, &Name, 0, NULL, NULL);
        ZwClose(File);
        DbgPrint("@%s devbugs.%s%s\n", Right && Status == STATUS_SUCCESS ? "pass" : "fail", Kind, Right ? "-ok" : "");
    } else {
        DbgPrint("@fail devbugs.%s: not opened\n", Kind);
    }
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    static const PCSTR Kinds[] = {"twice", "cancel-routine", "level", "pending-status", "unmarked", "marked", "forgotten", "no-location"};
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\Device\\Devbugs");
    static char Option[32];
    UNREFERENCED_PARAMETER(RegistryPath);
    if (!ExQueryKernelOption("devbugs.kind", Option, sizeof(Option)) ||
        !NT_SUCCESS(IoCreateDevice(DriverObject, 0, &Name, FILE_DEVICE_UNKNOWN, 0, FALSE, &Device))) {
        DbgPrint("@fail devbugs: no option devbugs.kind, or no device\n");
        return STATUS_UNSUCCESSFUL;
    }
    Device->Flags &= ~DO_DEVICE_INITIALIZING;
    DriverObject->MajorFunction[IRP_MJ_CREATE] = Create;
    DriverObject->MajorFunction[IRP_MJ_READ] = Read;
    Right = strcmp(Option, "ok") == 0;
    for (ULONG i = 0; i < ARRAYSIZE(Kinds); i++) {
        Kind = Kinds[i];
        if (Right || strcmp(Option, Kind) == 0) {
            RunKind();
        }
    }
    if (strcmp(Option, "left-device") == 0) {
        return STATUS_UNSUCCESSFUL; /* the module goes, and the device has not been deleted */
    }
    IoDeleteDevice(Device);
    return STATUS_SUCCESS;
}
