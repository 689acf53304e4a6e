/* SPDX-License-Identifier: MIT */
/*
 * File objects: one for each time a device was opened.
 *
 *      a path leads to a device --> IopParseDevice --> file object --> IRP_MJ_CREATE      fails: the file object goes
 *      the last handle is closed                   --> IRP_MJ_CLEANUP
 *      the last reference goes                     --> IRP_MJ_CLOSE, then the device has one file less
 *
 * A file without a handle (IoGetDeviceObjectPointer) gets both at its last reference. A file that is opened
 * by a handle again after its cleanup (ObOpenObjectByPointer) gets no second one.
 *
 * Who waits for a file waits for its Event: reset when a request without an event of its own is made,
 * signalled with the answer.
 */
#include "kernel/io/iop.h"

static POBJECT_TYPE IopFileType;
/* The type of file objects, for ObReferenceObjectByHandle and ObReferenceObjectByPointer. Valid before any
   module is loaded, and constant. (WDK page of ObReferenceObjectByHandle) */
POBJECT_TYPE *IoFileObjectType = &IopFileType;
EXPORT(IoFileObjectType);

/* ---- Opening ---- */

NTSTATUS IopCreateFileObject(PDEVICE_OBJECT Device, PUNICODE_STRING Name, PIOP_FILE *File)
{
    PIOP_FILE New;
    NTSTATUS Status = ObCreateObject(IopFileType, (PVOID *)&New);

    if (!NT_SUCCESS(Status)) {
        RtlFreeUnicodeString(Name);
        return Status;
    }
    New->Public.Type = IO_TYPE_FILE;
    New->Public.Size = sizeof(New->Public);
    New->Public.FileName = *Name;
    KeInitializeEvent(&New->Public.Lock, SynchronizationEvent, TRUE);
    KeInitializeEvent(&New->Public.Event, NotificationEvent, FALSE);
    KeInitializeSpinLock(&New->Public.IrpListLock);
    InitializeListHead(&New->Public.IrpList);
    Status = IopCountFile(Device);
    if (!NT_SUCCESS(Status)) {
        ObDereferenceObject(New);
        return Status;
    }
    ObReferenceObject(Device);
    New->Public.DeviceObject = Device;
    *File = New;
    return STATUS_SUCCESS;
}

/* Sends a request without parameters but those that the caller has put into *Stack already (NULL: none). */
static NTSTATUS IopSend(PIOP_FILE File, UCHAR MajorFunction, KPROCESSOR_MODE Mode, const IO_STACK_LOCATION *Stack)
{
    PIRP Irp = File->Irp;

    IoReuseIrp(Irp, STATUS_SUCCESS);
    if (Stack != NULL) {
        *IoGetNextIrpStackLocation(Irp) = *Stack;
    }
    IoGetNextIrpStackLocation(Irp)->MajorFunction = MajorFunction;
    IoGetNextIrpStackLocation(Irp)->FileObject = &File->Public;
    Irp->RequestorMode = Mode;
    Irp->Tail.Overlay.Thread = (PETHREAD)ArchCurrentThread(); /* an ETHREAD begins with its KTHREAD */
    Irp->Tail.Overlay.OriginalFileObject = &File->Public;
    return IopCallAndWait(File->Public.DeviceObject, Irp, FALSE);
}

static NTSTATUS IopSendCreate(PIOP_FILE File, const OB_PARSE *Parse, PIO_OPEN Open)
{
    IO_SECURITY_CONTEXT Security = {.DesiredAccess = Parse->Access, .FullCreateOptions = Open->Options};
    IO_STACK_LOCATION Stack = {.Parameters.Create = {
                                   .SecurityContext = &Security,
                                   .Options = Open->Disposition << 24 | Open->Options,
                                   .FileAttributes = Open->FileAttributes,
                                   .ShareAccess = Open->ShareAccess,
                               }};
    NTSTATUS Status = IopSend(File, IRP_MJ_CREATE, Parse->Mode, &Stack);

    Open->Information = File->Irp->IoStatus.Information;
    return Status;
}

/* The driver does not care for the end of its files. */
static bool IopIgnoresEnd(PDRIVER_OBJECT Driver)
{
    return Driver->MajorFunction[IRP_MJ_CLEANUP] == IopInvalidDeviceRequest &&
           Driver->MajorFunction[IRP_MJ_CLOSE] == IopInvalidDeviceRequest;
}

static NTSTATUS IopOpen(PIOP_FILE File, PFILE_OBJECT Related, const OB_PARSE *Parse, PIO_OPEN Open)
{
    PFILE_OBJECT Public = &File->Public;

    File->Irp = IoAllocateIrp(Public->DeviceObject->StackSize, FALSE);
    if (File->Irp == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    Public->Flags = (Open->Options & (FILE_SYNCHRONOUS_IO_ALERT | FILE_SYNCHRONOUS_IO_NONALERT) ? FO_SYNCHRONOUS_IO : 0) |
                    (Open->Options & FILE_SYNCHRONOUS_IO_ALERT ? FO_ALERTABLE_IO : 0);
    Public->ReadAccess = (Parse->Access & FILE_READ_DATA) != 0;
    Public->WriteAccess = (Parse->Access & (FILE_WRITE_DATA | FILE_APPEND_DATA)) != 0;
    Public->RelatedFileObject = Related;
    NTSTATUS Status = IopSendCreate(File, Parse, Open);
    Public->RelatedFileObject = NULL;
    if (!NT_SUCCESS(Status) || IopIgnoresEnd(Public->DeviceObject->DriverObject)) {
        IoFreeIrp(File->Irp);
        File->Irp = NULL;
    }
    return Status;
}

/* A path leads to a device, or to what is relative to a file (Related). Without an IO_OPEN it is not for
   opening: then the object itself is meant, if the path ends there. */
static NTSTATUS IopParse(PVOID Object, PDEVICE_OBJECT Device, PFILE_OBJECT Related, const OB_PARSE *Parse, PVOID *Found)
{
    UNICODE_STRING Name;
    PIOP_FILE File;

    if (Parse->Context == NULL && Parse->Rest.Length != 0) {
        return STATUS_OBJECT_PATH_NOT_FOUND;
    }
    if (Parse->Context == NULL) {
        ObReferenceObject(Object);
        *Found = Object;
        return STATUS_SUCCESS; /* ob compares the type */
    }
    NTSTATUS Status = ExCaptureUnicodeString(&Name, &Parse->Rest, UNICODE_STRING_MAX_BYTES, KernelMode);
    if (NT_SUCCESS(Status)) {
        Status = IopCreateFileObject(Device, &Name, &File);
    }
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Status = IopOpen(File, Related, Parse, Parse->Context);
    if (!NT_SUCCESS(Status)) {
        ObDereferenceObject(File);
    }
    *Found = File;
    return Status;
}

NTSTATUS IopParseDevice(PVOID Object, const OB_PARSE *Parse, PVOID *Found)
{
    return IopParse(Object, Object, NULL, Parse, Found);
}

static NTSTATUS IopParseFile(PVOID Object, const OB_PARSE *Parse, PVOID *Found)
{
    return IopParse(Object, ((PFILE_OBJECT)Object)->DeviceObject, Object, Parse, Found);
}

/* ---- The end ---- */

/* A driver may complete these requests with any status: the file ends all the same. */
static void IopCleanUp(PIOP_FILE File)
{
    if (File->Irp != NULL && InterlockedExchange(&File->CleanedUp, 1) == 0) {
        IopSend(File, IRP_MJ_CLEANUP, KernelMode, NULL);
    }
}

static void IopCloseFile(PVOID Object, ULONG HandlesLeft)
{
    if (HandlesLeft == 0) {
        IopCleanUp(Object);
    }
}

static void IopDeleteFile(PVOID Object)
{
    PIOP_FILE File = Object;

    if (File->Irp != NULL) {
        IopCleanUp(File);
        IopSend(File, IRP_MJ_CLOSE, KernelMode, NULL);
        IoFreeIrp(File->Irp);
    }
    if (File->Public.DeviceObject != NULL) {
        IopUncountFile(File->Public.DeviceObject);
        ObDereferenceObject(File->Public.DeviceObject);
    }
    RtlFreeUnicodeString(&File->Public.FileName);
}

/* The device's name, and behind it the file's: what leads to the file again. */
static NTSTATUS IopQueryFileName(PVOID Object, PUNICODE_STRING Name)
{
    PFILE_OBJECT File = Object;
    UNICODE_STRING Device;
    NTSTATUS Status = ObCopyName(File->DeviceObject, &Device);

    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    ULONG Length = Device.Length + File->FileName.Length;
    PWCH Buffer = Length <= UNICODE_STRING_MAX_BYTES ? ExAllocatePoolWithTag(NonPagedPoolNx, Length + 1, IOP_TAG) : NULL;
    if (Buffer != NULL) {
        RtlCopyMemory(Buffer, Device.Buffer, Device.Length);
        RtlCopyMemory((PUCHAR)Buffer + Device.Length, File->FileName.Buffer, File->FileName.Length);
        *Name = (UNICODE_STRING){(USHORT)Length, (USHORT)Length, Buffer};
    }
    RtlFreeUnicodeString(&Device);
    return Buffer != NULL ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

static const OB_TYPE_ROUTINES IopFileRoutines = {
    .Name = "File",
    .PoolTag = 'eliF',
    .BodySize = sizeof(IOP_FILE),
    .Access = {FILE_GENERIC_READ, FILE_GENERIC_WRITE, FILE_GENERIC_EXECUTE, FILE_ALL_ACCESS},
    .Waitable = TRUE,
    .WaitOffset = FIELD_OFFSET(FILE_OBJECT, Event),
    .Close = IopCloseFile,
    .Delete = IopDeleteFile,
    .Parse = IopParseFile,
    .QueryName = IopQueryFileName,
};

void IopInitializeFiles(void)
{
    if (!NT_SUCCESS(ObCreateType(&IopFileRoutines, &IopFileType))) {
        KdBugCheck(PHASE1_INITIALIZATION_FAILED, 0, 0, 0, 0, NULL, "no memory for the file type");
    }
}
