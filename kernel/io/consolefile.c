/* SPDX-License-Identifier: MIT */
/*
 * The device \Console: its three files Input, Output and Error are the console's streams (console.c).
 *
 * FILE_OBJECT.FsContext is the number of the stream. Data go through a piece of the kernel's memory, however
 * long the caller's buffer is. No lock of its own.
 */
#include "kernel/io/iop.h"

#define IOP_WRITE_PIECE 65536 /* of a longer write, others may come in between */
#define IOP_READ_PIECE  4096

static ULONG IopStream(PIO_STACK_LOCATION Stack)
{
    return (ULONG)(ULONG_PTR)Stack->FileObject->FsContext;
}

static NTSTATUS IopFindStream(PFILE_OBJECT File, PULONG Stream)
{
    static const UNICODE_STRING Names[] = {RTL_CONSTANT_STRING(L"\\Input"), RTL_CONSTANT_STRING(L"\\Output"),
                                           RTL_CONSTANT_STRING(L"\\Error")};

    for (*Stream = 0; *Stream < RTL_NUMBER_OF(Names); ++*Stream) {
        if (File->RelatedFileObject == NULL && RtlEqualUnicodeString(&File->FileName, &Names[*Stream], FALSE)) {
            return STATUS_SUCCESS;
        }
    }
    return STATUS_OBJECT_NAME_NOT_FOUND;
}

static NTSTATUS IopCreateConsole(PDEVICE_OBJECT Device, PIRP Irp)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    ULONG Stream;
    NTSTATUS Status = IopFindStream(Stack->FileObject, &Stream);

    if (NT_SUCCESS(Status) && (Stack->Parameters.Create.SecurityContext->DesiredAccess &
                               (Stream == 0 ? FILE_WRITE_DATA : FILE_READ_DATA)) != 0) {
        Status = STATUS_ACCESS_DENIED;
    }
    Stack->FileObject->FsContext = (PVOID)(ULONG_PTR)Stream;
    return IopComplete(Irp, Status, FILE_OPENED);
}

/* What a request does with its piece of memory; *Done: bytes. */
typedef NTSTATUS IOP_PIECE(PIRP Irp, PVOID Piece, ULONG Size, SIZE_T *Done);

static NTSTATUS IopWithPiece(PIRP Irp, ULONG Most, IOP_PIECE *Routine)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    ULONG Size = (ULONG)IopLesser(Stack->Parameters.Read.Length, Most); /* a write's length is the same field */
    SIZE_T Done = 0;

    if (Size == 0) {
        return IopComplete(Irp, STATUS_SUCCESS, 0);
    }
    PVOID Piece = ExAllocatePoolWithTag(NonPagedPoolNx, Size, IOP_TAG);
    if (Piece == NULL) {
        return IopComplete(Irp, STATUS_INSUFFICIENT_RESOURCES, 0);
    }
    NTSTATUS Status = Routine(Irp, Piece, Size, &Done);
    ExFreePoolWithTag(Piece, IOP_TAG);
    return IopComplete(Irp, Status, Done);
}

static NTSTATUS IopReadPiece(PIRP Irp, PVOID Piece, ULONG Size, SIZE_T *Done)
{
    SIZE_T Count;
    NTSTATUS Status = IoConsoleRead(Piece, Size, &Count);

    if (Status == STATUS_SUCCESS) {
        Status = Count != 0 ? ExCopyOut(Irp->UserBuffer, Piece, Count, Irp->RequestorMode) : STATUS_END_OF_FILE;
        *Done = NT_SUCCESS(Status) ? Count : 0;
    }
    return Status;
}

static NTSTATUS IopReadConsole(PDEVICE_OBJECT Device, PIRP Irp)
{
    return IopWithPiece(Irp, IOP_READ_PIECE, IopReadPiece);
}

static NTSTATUS IopWritePieces(PIRP Irp, PVOID Piece, ULONG Size, SIZE_T *Done)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    NTSTATUS Status = STATUS_SUCCESS;

    while (*Done < Stack->Parameters.Write.Length && NT_SUCCESS(Status)) {
        SIZE_T Count = IopLesser(Stack->Parameters.Write.Length - *Done, Size);
        Status = ExCopyIn(Piece, (PUCHAR)Irp->UserBuffer + *Done, Count, Irp->RequestorMode);
        if (NT_SUCCESS(Status)) {
            Status = IoConsoleWrite(IopStream(Stack), Piece, Count);
        }
        *Done += NT_SUCCESS(Status) ? Count : 0;
    }
    return Status;
}

static NTSTATUS IopWriteConsole(PDEVICE_OBJECT Device, PIRP Irp)
{
    return IopWithPiece(Irp, IOP_WRITE_PIECE, IopWritePieces);
}

static NTSTATUS IopQueryConsole(PDEVICE_OBJECT Device, PIRP Irp)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    PFILE_STANDARD_INFORMATION Standard = Irp->AssociatedIrp.SystemBuffer;

    if (Stack->Parameters.QueryFile.FileInformationClass != FileStandardInformation) {
        *(PULONG)Irp->AssociatedIrp.SystemBuffer = IoConsoleIsTerminal(IopStream(Stack)); /* FileConsoleInformation */
        return IopComplete(Irp, STATUS_SUCCESS, sizeof(ULONG));
    }
    Standard->NumberOfLinks = 1;
    return IopComplete(Irp, STATUS_SUCCESS, sizeof(*Standard));
}

void IopInitializeConsoleDevice(void)
{
    PDRIVER_OBJECT Driver = IopMakeBuiltIn(L"\\Driver\\Console", L"\\Console", FILE_DEVICE_CONSOLE)->DriverObject;
    Driver->MajorFunction[IRP_MJ_CREATE] = IopCreateConsole;
    Driver->MajorFunction[IRP_MJ_READ] = IopReadConsole;
    Driver->MajorFunction[IRP_MJ_WRITE] = IopWriteConsole;
    Driver->MajorFunction[IRP_MJ_QUERY_INFORMATION] = IopQueryConsole;
    IoDriverStarted(Driver);
}
