/* SPDX-License-Identifier: MIT */
/*
 * Services on files: arguments are captured here, and become an IO_REQUEST for io (kernel/io/request.c). No
 * lock.
 */
#include "kernel/io/io.h"
#include "kernel/rtl/export.h"
#include "kernel/services/services.h"
#include "ps/ps.h"
#include "sync/pushlock.h"
#include <ntapi.h>

/* ---- Opening ---- */

static NTSTATUS SvcReturnStatus(PIO_STATUS_BLOCK Block, NTSTATUS Result, ULONG_PTR Information, KPROCESSOR_MODE Mode)
{
    IO_STATUS_BLOCK Filled = {.Information = Information};

    Filled.Pointer = NULL;
    Filled.Status = Result;
    NTSTATUS Status = ExCopyOut(Block, &Filled, sizeof(Filled), Mode);
    return NT_SUCCESS(Status) ? Result : Status;
}

static bool SvcIsValidOpen(const IO_OPEN *Open, ACCESS_MASK Access)
{
    const ULONG Synchronous = FILE_SYNCHRONOUS_IO_ALERT | FILE_SYNCHRONOUS_IO_NONALERT;
    const ULONG Kinds = FILE_DIRECTORY_FILE | FILE_NON_DIRECTORY_FILE;

    return (Open->Options & ~(ULONG)FILE_VALID_OPTION_FLAGS) == 0 && Open->Disposition <= FILE_MAXIMUM_DISPOSITION &&
           (Open->ShareAccess & ~(FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)) == 0 &&
           (Open->Options & Synchronous) != Synchronous && (Open->Options & Kinds) != Kinds &&
           ((Open->Options & Synchronous) == 0 || (Access & SYNCHRONIZE) != 0);
}

static NTSTATUS SvcOpenFile(PHANDLE FileHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                            PIO_STATUS_BLOCK IoStatusBlock, IO_OPEN *Open)
{
    KPROCESSOR_MODE Mode = ExGetPreviousMode();
    ACCESS_MASK Access = ObMapAccess(*IoFileObjectType, DesiredAccess);
    EX_OBJECT_ATTRIBUTES Attributes;
    PVOID File;

    if (!SvcIsValidOpen(Open, Access)) {
        return STATUS_INVALID_PARAMETER;
    }
    NTSTATUS Status = ExCaptureObjectAttributes(&Attributes, ObjectAttributes, Mode);
    if (NT_SUCCESS(Status)) {
        Status = ObLookupName(&Attributes, *IoFileObjectType, Access, Mode, Open, &File);
    }
    ExFreeUnicodeString(&Attributes.Name);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    /* First what can fail without leaving a handle. */
    Status = SvcReturnStatus(IoStatusBlock, Status, Open->Information, Mode);
    if (!NT_SUCCESS(Status)) {
        ObDereferenceObject(File);
        return Status;
    }
    return ObReturnObject(File, Access, Attributes.Attributes, FileHandle, Mode);
}

/*
 * Opens a file on a device: what stands behind the device's name in the path is the driver's to understand.
 * With FILE_SYNCHRONOUS_IO_ALERT or _NONALERT (and the right SYNCHRONIZE) requests on the handle wait;
 * without, they are answered later, and ByteOffset is always to be given. Sharing, attributes and the
 * allocation size are passed to the driver or not looked at; no EA: STATUS_NOT_IMPLEMENTED. The status block
 * says FILE_OPENED or the like. The statuses of paths (kernel/ob/ob.h), STATUS_OBJECT_TYPE_MISMATCH,
 * STATUS_INVALID_PARAMETER, STATUS_NO_SUCH_DEVICE (deleted, being started or unloaded), STATUS_ACCESS_DENIED
 * (exclusive and open), STATUS_INSUFFICIENT_RESOURCES, and the driver's. PASSIVE_LEVEL. (WDK page of the
 * name)
 */
NTSTATUS NtCreateFile(PHANDLE FileHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                      PIO_STATUS_BLOCK IoStatusBlock, PLARGE_INTEGER AllocationSize, ULONG FileAttributes, ULONG ShareAccess,
                      ULONG CreateDisposition, ULONG CreateOptions, PVOID EaBuffer, ULONG EaLength)
{
    IO_OPEN Open = {.Disposition = CreateDisposition, .Options = CreateOptions, .FileAttributes = (USHORT)FileAttributes,
                    .ShareAccess = (USHORT)ShareAccess};

    if (EaBuffer != NULL || EaLength != 0) {
        return STATUS_NOT_IMPLEMENTED;
    }
    return ShareAccess <= MAXUSHORT ? SvcOpenFile(FileHandle, DesiredAccess, ObjectAttributes, IoStatusBlock, &Open)
                                    : STATUS_INVALID_PARAMETER;
}

/* Opens what is there: as NtCreateFile with FILE_OPEN. PASSIVE_LEVEL. (WDK page of the name) */
NTSTATUS NtOpenFile(PHANDLE FileHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                    PIO_STATUS_BLOCK IoStatusBlock, ULONG ShareAccess, ULONG OpenOptions)
{
    return NtCreateFile(FileHandle, DesiredAccess, ObjectAttributes, IoStatusBlock, NULL, 0, ShareAccess, FILE_OPEN, OpenOptions,
                        NULL, 0);
}

/* ---- Requests ---- */

static NTSTATUS SvcReferenceRequest(IO_REQUEST *Request, HANDLE File, ACCESS_MASK Access, HANDLE Event)
{
    NTSTATUS Status =
        ObReferenceObjectByHandle(File, Access, *IoFileObjectType, Request->Mode, (PVOID *)&Request->File, NULL);

    if (NT_SUCCESS(Status) && Event != NULL) {
        Status = ObReferenceObjectByHandle(Event, EVENT_MODIFY_STATE, *ExEventObjectType, Request->Mode,
                                           (PVOID *)&Request->Event, NULL);
        if (!NT_SUCCESS(Status)) {
            ObDereferenceObject(Request->File);
        }
    }
    return Status;
}

/* Issues the request, as its parts have been given. An APC routine is called in user mode only. */
static NTSTATUS SvcIssue(IO_REQUEST *Request, HANDLE File, ACCESS_MASK Access, HANDLE Event)
{
    Request->Mode = ExGetPreviousMode();
    if (Request->ApcRoutine != NULL && Request->Mode == KernelMode) {
        return STATUS_NOT_IMPLEMENTED;
    }
    NTSTATUS Status = SvcReferenceRequest(Request, File, Access, Event);
    return NT_SUCCESS(Status) ? IoIssueRequest(Request) : Status;
}

/* Where a transfer begins. Only synchronous files have a position; whether this is one is seen later. */
static NTSTATUS SvcTransfer(IO_REQUEST *Request, HANDLE File, ACCESS_MASK Access, HANDLE Event, PLARGE_INTEGER ByteOffset)
{
    const LARGE_INTEGER Position = {.LowPart = FILE_USE_FILE_POINTER_POSITION, .HighPart = -1};

    Request->UsePosition = ByteOffset == NULL;
    if (ByteOffset != NULL) {
        NTSTATUS Status = ExCopyIn(&Request->Offset, ByteOffset, sizeof(Request->Offset), ExGetPreviousMode());
        if (!NT_SUCCESS(Status)) {
            return Status;
        }
        Request->UsePosition = Request->Offset.QuadPart == Position.QuadPart || Request->Offset.QuadPart == -1;
    }
    if (!Request->UsePosition && Request->Offset.QuadPart < 0) {
        return STATUS_INVALID_PARAMETER;
    }
    return SvcIssue(Request, File, Access, Event);
}

/*
 * Reads at most Length bytes into Buffer; the status block says how many. The right FILE_READ_DATA. Event is
 * reset, and signalled with the answer. STATUS_PENDING: the file is not synchronous, and the answer comes
 * later; buffer, block and event stay until then. STATUS_INVALID_PARAMETER: no ByteOffset for such a file, a
 * negative one; STATUS_NOT_IMPLEMENTED: an APC routine of a kernel-mode caller; STATUS_ACCESS_VIOLATION,
 * STATUS_INSUFFICIENT_RESOURCES, STATUS_CANCELLED (the thread is to end, or cancels it), or the driver's
 * status. PASSIVE_LEVEL. (WDK page of the name)
 */
NTSTATUS NtReadFile(HANDLE FileHandle, HANDLE Event, PIO_APC_ROUTINE ApcRoutine, PVOID ApcContext,
                    PIO_STATUS_BLOCK IoStatusBlock, PVOID Buffer, ULONG Length, PLARGE_INTEGER ByteOffset, PULONG Key)
{
    IO_REQUEST Request = {.Major = IRP_MJ_READ, .Output = Buffer, .OutputLength = Length, .Block = IoStatusBlock,
                          .ApcRoutine = ApcRoutine, .ApcContext = ApcContext};

    return SvcTransfer(&Request, FileHandle, FILE_READ_DATA, Event, ByteOffset);
}

/* Writes Length bytes of Buffer, with the right FILE_WRITE_DATA; all else as NtReadFile. PASSIVE_LEVEL. (WDK
   page of the name) */
NTSTATUS NtWriteFile(HANDLE FileHandle, HANDLE Event, PIO_APC_ROUTINE ApcRoutine, PVOID ApcContext,
                     PIO_STATUS_BLOCK IoStatusBlock, PVOID Buffer, ULONG Length, PLARGE_INTEGER ByteOffset, PULONG Key)
{
    IO_REQUEST Request = {.Major = IRP_MJ_WRITE, .Input = Buffer, .InputLength = Length, .Block = IoStatusBlock,
                          .ApcRoutine = ApcRoutine, .ApcContext = ApcContext};

    return SvcTransfer(&Request, FileHandle, FILE_WRITE_DATA, Event, ByteOffset);
}

/*
 * Sends a control code with its buffers to the device; the handle needs the rights that the code names.
 * METHOD_BUFFERED; with METHOD_NEITHER the driver gets the caller's addresses as they are; with the two
 * direct ones it gets the output's pages, locked, as an MDL. All else as NtReadFile. PASSIVE_LEVEL. (WDK page
 * of the name)
 */
NTSTATUS NtDeviceIoControlFile(HANDLE FileHandle, HANDLE Event, PIO_APC_ROUTINE ApcRoutine, PVOID ApcContext,
                               PIO_STATUS_BLOCK IoStatusBlock, ULONG IoControlCode, PVOID InputBuffer, ULONG InputBufferLength,
                               PVOID OutputBuffer, ULONG OutputBufferLength)
{
    IO_REQUEST Request = {.Major = IRP_MJ_DEVICE_CONTROL, .Code = IoControlCode, .Input = InputBuffer,
                          .InputLength = InputBufferLength, .Output = OutputBuffer, .OutputLength = OutputBufferLength,
                          .Block = IoStatusBlock, .ApcRoutine = ApcRoutine, .ApcContext = ApcContext};

    /* The code's two bits of access are the rights to read and to write. */
    return SvcIssue(&Request, FileHandle, IoControlCode >> 14 & (FILE_READ_ACCESS | FILE_WRITE_ACCESS), Event);
}
C_ASSERT(FILE_READ_ACCESS == FILE_READ_DATA && FILE_WRITE_ACCESS == FILE_WRITE_DATA);

/* ---- Information ---- */

/* What io knows itself; FALSE: the driver is to be asked. */
static bool SvcQueryFileObject(PFILE_OBJECT File, ULONG Class, PVOID Answer)
{
    switch (Class) {
    case FilePositionInformation:
        ((PFILE_POSITION_INFORMATION)Answer)->CurrentByteOffset = File->CurrentByteOffset;
        return true;
    case FileModeInformation:
        ((PFILE_MODE_INFORMATION)Answer)->Mode = !(File->Flags & FO_SYNCHRONOUS_IO) ? 0
                                                 : File->Flags & FO_ALERTABLE_IO    ? FILE_SYNCHRONOUS_IO_ALERT
                                                                                    : FILE_SYNCHRONOUS_IO_NONALERT;
        return true;
    default:
        return false;
    }
}

static ULONG SvcInformationSize(ULONG Class)
{
    switch (Class) {
    case FileStandardInformation: return sizeof(FILE_STANDARD_INFORMATION);
    case FilePositionInformation: return sizeof(FILE_POSITION_INFORMATION);
    case FileModeInformation: return sizeof(FILE_MODE_INFORMATION);
    case FileConsoleInformation: return sizeof(ULONG);
    default: return 0;
    }
}

/* FilePositionInformation, FileModeInformation; FileStandardInformation if the driver answers
   IRP_MJ_QUERY_INFORMATION (else STATUS_INVALID_DEVICE_REQUEST). STATUS_INVALID_INFO_CLASS,
   STATUS_INFO_LENGTH_MISMATCH. PASSIVE_LEVEL. (WDK page of the name) */
NTSTATUS NtQueryInformationFile(HANDLE FileHandle, PIO_STATUS_BLOCK IoStatusBlock, PVOID Information, ULONG Length,
                                FILE_INFORMATION_CLASS Class)
{
    ULONG Size = SvcInformationSize(Class);
    IO_REQUEST Request = {.Major = IRP_MJ_QUERY_INFORMATION, .Code = Class, .Output = Information, .OutputLength = Size,
                          .Block = IoStatusBlock, .Mode = ExGetPreviousMode(), .Wait = TRUE};
    LARGE_INTEGER Answer;

    if (Size == 0) {
        return STATUS_INVALID_INFO_CLASS;
    }
    if (Length < Size) {
        return STATUS_INFO_LENGTH_MISMATCH;
    }
    NTSTATUS Status = SvcReferenceRequest(&Request, FileHandle, 0, NULL);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    if (!SvcQueryFileObject(Request.File, Class, &Answer)) {
        return IoIssueRequest(&Request);
    }
    ObDereferenceObject(Request.File);
    Status = ExCopyOut(Information, &Answer, Size, Request.Mode);
    return NT_SUCCESS(Status) ? SvcReturnStatus(IoStatusBlock, STATUS_SUCCESS, Size, Request.Mode) : Status;
}

/*
 * Lists a folder of the archives: FileDirectoryInformation, all names (no pattern: STATUS_NOT_IMPLEMENTED),
 * "." and ".." left out. STATUS_NO_MORE_FILES at the end, STATUS_BUFFER_OVERFLOW when not even one record
 * fits, STATUS_INVALID_PARAMETER for what is no folder. PASSIVE. (WDK page of the name)
 */
NTSTATUS NtQueryDirectoryFile(HANDLE FileHandle, HANDLE Event, PIO_APC_ROUTINE ApcRoutine, PVOID ApcContext,
                              PIO_STATUS_BLOCK IoStatusBlock, PVOID Information, ULONG Length, FILE_INFORMATION_CLASS Class,
                              BOOLEAN ReturnSingleEntry, PUNICODE_STRING FileName, BOOLEAN RestartScan)
{
    IO_REQUEST Request = {.Major = IRP_MJ_DIRECTORY_CONTROL, .Minor = IRP_MN_QUERY_DIRECTORY, .Code = Class,
                          .Flags = (RestartScan ? SL_RESTART_SCAN : 0) | (ReturnSingleEntry ? SL_RETURN_SINGLE_ENTRY : 0),
                          .Output = Information, .OutputLength = Length, .Block = IoStatusBlock, .ApcRoutine = ApcRoutine,
                          .ApcContext = ApcContext};

    if (Class != FileDirectoryInformation) {
        return STATUS_INVALID_INFO_CLASS;
    }
    return FileName == NULL ? SvcIssue(&Request, FileHandle, FILE_LIST_DIRECTORY, Event) : STATUS_NOT_IMPLEMENTED;
}

/* ---- Cancelling ---- */

/* Asks the drivers to give up the requests that the calling thread has made on the file and not got an answer
   to; does not wait. Each is answered as its driver decides, with STATUS_CANCELLED as a rule. Handle errors.
   PASSIVE. (no WDK page) */
NTSTATUS NtCancelIoFile(HANDLE FileHandle, PIO_STATUS_BLOCK IoStatusBlock)
{
    KPROCESSOR_MODE Mode = ExGetPreviousMode();
    PFILE_OBJECT File;
    NTSTATUS Status = ObReferenceObjectByHandle(FileHandle, 0, *IoFileObjectType, Mode, (PVOID *)&File, NULL);

    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    IoCancelRequests(ArchCurrentThread(), File, NULL);
    ObDereferenceObject(File);
    return SvcReturnStatus(IoStatusBlock, STATUS_SUCCESS, 0, Mode);
}

/* No thread enters or leaves the process meanwhile; the drivers' cancel routines, at DISPATCH_LEVEL, wait for
   nobody. */
static bool SvcCancelInProcess(PEPROCESS Process, PFILE_OBJECT File, PIO_STATUS_BLOCK Block)
{
    bool Found = false;

    KeLockShared(&Process->Lock);
    for (PLIST_ENTRY Link = Process->ThreadListHead.Flink; Link != &Process->ThreadListHead; Link = Link->Flink) {
        Found |= IoCancelRequests(&CONTAINING_RECORD(Link, ETHREAD, ThreadListEntry)->Tcb, File, Block);
    }
    KeUnlockShared(&Process->Lock);
    return Found;
}

/* The same for what all threads of the calling process have asked for on the file, requests that they wait
   for included. With IoRequestToCancel: only for what was asked with that status block. STATUS_NOT_FOUND:
   there is no such request; it may have been answered just now. Differs: requests of kernel-mode callers are
   not found. PASSIVE. (WDK page of CancelIoEx) */
NTSTATUS NtCancelIoFileEx(HANDLE FileHandle, PIO_STATUS_BLOCK IoRequestToCancel, PIO_STATUS_BLOCK IoStatusBlock)
{
    KPROCESSOR_MODE Mode = ExGetPreviousMode();
    PFILE_OBJECT File;
    NTSTATUS Status = ObReferenceObjectByHandle(FileHandle, 0, *IoFileObjectType, Mode, (PVOID *)&File, NULL);

    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Status = SvcCancelInProcess(PsGetCurrentProcess(), File, IoRequestToCancel) ? STATUS_SUCCESS : STATUS_NOT_FOUND;
    ObDereferenceObject(File);
    return SvcReturnStatus(IoStatusBlock, Status, 0, Mode);
}

/* ---- The console's mode ---- */

/* Sets IO_CONSOLE_* and tells what was set before. STATUS_INVALID_PARAMETER for unknown bits. PASSIVE.
   (no WDK page) */
NTSTATUS NtSetConsoleMode(ULONG Mode, PULONG PreviousMode)
{
    ULONG Previous = IoConsoleGetMode();

    if (Mode & ~(IO_CONSOLE_ECHO | IO_CONSOLE_LINE | IO_CONSOLE_SIGNALS | IO_CONSOLE_CRNL)) {
        return STATUS_INVALID_PARAMETER;
    }
    IoConsoleSetMode(Mode);
    return PreviousMode != NULL ? ExCopyOut(PreviousMode, &Previous, sizeof(Previous), ExGetPreviousMode())
                                : STATUS_SUCCESS;
}
