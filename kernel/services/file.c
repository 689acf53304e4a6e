/* SPDX-License-Identifier: MIT */
/*
 * Services on files. Everything is synchronous; there are no APC routines, and an event, when one is given, is signalled
 * before the service returns. A file object's lock guards its position (kernel/io/io.h).
 */
#include "kernel/io/io.h"
#include "kernel/services/services.h"
#include "sync/pushlock.h"
#include <ntapi.h>

#define SVC_FILE_TAG             'liFS'
#define SVC_WRITE_PIECE          65536 /* of a longer write, others may come in between */
#define SVC_READ_PIECE           4096
#define SVC_MAX_QUERY            65536
#define SVC_USE_POSITION         (-2)           /* ByteOffset: the file's own position */
#define SVC_UNIX_EPOCH           11644473600ULL /* seconds from 1601 to 1970 */
#define FILE_ATTRIBUTE_READONLY  0x01
#define FILE_ATTRIBUTE_DIRECTORY 0x10

/* What generic rights mean for files. */
static ACCESS_MASK SvcMapAccess(ACCESS_MASK Access)
{
    ACCESS_MASK Mapped = Access & (FILE_READ_DATA | FILE_WRITE_DATA | SYNCHRONIZE);

    Mapped |= Access & (GENERIC_READ | GENERIC_ALL) ? FILE_READ_DATA | SYNCHRONIZE : 0;
    Mapped |= Access & (GENERIC_WRITE | GENERIC_ALL) ? FILE_WRITE_DATA | SYNCHRONIZE : 0;
    return Mapped;
}

static NTSTATUS SvcReturnStatus(PIO_STATUS_BLOCK Block, NTSTATUS Result, ULONG_PTR Information,
                                KPROCESSOR_MODE Mode)
{
    IO_STATUS_BLOCK Filled = {.Information = Information};

    Filled.Pointer = NULL;
    Filled.Status = Result;
    NTSTATUS Status = ExCopyOut(Block, &Filled, sizeof(Filled), Mode);
    return NT_SUCCESS(Status) ? Result : Status;
}

/*
 * Opens what has that name; sharing and options are not looked at, for nothing can be changed.
 * STATUS_OBJECT_NAME_NOT_FOUND, STATUS_OBJECT_PATH_SYNTAX_BAD (no leading backslash), STATUS_ACCESS_DENIED
 * (reading an output, writing the input), STATUS_MEDIA_WRITE_PROTECTED, STATUS_NOT_IMPLEMENTED (a root
 * directory). PASSIVE. (WDK page of the name)
 */
NTSTATUS NtOpenFile(PHANDLE FileHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                    PIO_STATUS_BLOCK IoStatusBlock, ULONG ShareAccess, ULONG OpenOptions)
{
    static const ULONG_PTR Opened = 1; /* FILE_OPENED */
    KPROCESSOR_MODE Mode = ExGetPreviousMode();
    ACCESS_MASK Access = SvcMapAccess(DesiredAccess);
    EX_OBJECT_ATTRIBUTES Attributes;
    PFILE_OBJECT File;
    NTSTATUS Status = ExCaptureObjectAttributes(&Attributes, ObjectAttributes, Mode);

    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Status = Attributes.RootDirectory != NULL ? STATUS_NOT_IMPLEMENTED
                                              : IoOpenFileByName(&Attributes.Name, Access, &File);
    ExFreeUnicodeString(&Attributes.Name);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    /* First what can fail without leaving a handle. */
    Status = SvcReturnStatus(IoStatusBlock, STATUS_SUCCESS, Opened, Mode);
    if (!NT_SUCCESS(Status)) {
        ObDereferenceObject(File);
        return Status;
    }
    return ObReturnObject(File, Access, Attributes.Attributes, FileHandle, Mode);
}

/* ---- Reading and writing ---- */

/* A request as NtReadFile and NtWriteFile get it. */
typedef struct _SVC_REQUEST {
    PFILE_OBJECT File; /* referenced */
    PKEVENT Event;     /* referenced, or NULL */
    KPROCESSOR_MODE Mode;
    PUCHAR Buffer; /* the caller's */
    ULONG Length;
    LARGE_INTEGER Offset;
    BOOLEAN HasOffset;
    BOOLEAN Single, Restart; /* of a folder's query */
    ULONG_PTR Done;
} SVC_REQUEST, *PIOP_REQUEST;

static NTSTATUS SvcReferenceRequest(PIOP_REQUEST Request, HANDLE File, ACCESS_MASK Access, HANDLE Event)
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

static NTSTATUS SvcBeginRequest(PIOP_REQUEST Request, HANDLE File, ACCESS_MASK Access, HANDLE Event,
                                PVOID ApcRoutine, PLARGE_INTEGER ByteOffset)
{
    NTSTATUS Status = STATUS_SUCCESS;

    Request->Mode = ExGetPreviousMode();
    if (ApcRoutine != NULL) {
        return STATUS_NOT_IMPLEMENTED;
    }
    if (ByteOffset != NULL) {
        Status = ExCopyIn(&Request->Offset, ByteOffset, sizeof(Request->Offset), Request->Mode);
        Request->HasOffset = Request->Offset.QuadPart != SVC_USE_POSITION && Request->Offset.QuadPart != -1;
    }
    if (NT_SUCCESS(Status) && Request->HasOffset && Request->Offset.QuadPart < 0) {
        Status = STATUS_INVALID_PARAMETER;
    }
    return NT_SUCCESS(Status) ? SvcReferenceRequest(Request, File, Access, Event) : Status;
}

static NTSTATUS SvcEndRequest(PIOP_REQUEST Request, PIO_STATUS_BLOCK IoStatusBlock, NTSTATUS Status)
{
    Status = SvcReturnStatus(IoStatusBlock, Status, Request->Done, Request->Mode);
    if (Request->Event != NULL) {
        KeSetEvent(Request->Event, IO_NO_INCREMENT, FALSE);
        ObDereferenceObject(Request->Event);
    }
    ObDereferenceObject(Request->File);
    return Status;
}

/* Archived bytes go straight to the caller. */
static NTSTATUS SvcReadAt(PIOP_REQUEST Request, ULONG64 Offset)
{
    const IO_ARCHIVE_FILE *File = Request->File->File;

    if (Request->Length == 0) {
        return STATUS_SUCCESS;
    }
    if (Offset >= File->Size) {
        return STATUS_END_OF_FILE;
    }
    SIZE_T Count = Request->Length < File->Size - Offset ? Request->Length : File->Size - Offset;
    NTSTATUS Status = ExCopyOut(Request->Buffer, File->Data + Offset, Count, Request->Mode);
    Request->Done = NT_SUCCESS(Status) ? Count : 0;
    return Status;
}

static NTSTATUS SvcReadArchive(PIOP_REQUEST Request)
{
    PFILE_OBJECT File = Request->File;

    if (Request->HasOffset) {
        return SvcReadAt(Request, (ULONG64)Request->Offset.QuadPart);
    }
    KeLockExclusive(&File->Lock);
    NTSTATUS Status = SvcReadAt(Request, File->Position);
    File->Position += Request->Done;
    KeUnlockExclusive(&File->Lock);
    return Status;
}

/* What goes through a buffer of the kernel's, of Most bytes at most, on its way to or from the caller's. */
typedef NTSTATUS SVC_BUFFERED(PIOP_REQUEST Request, PVOID Piece, ULONG Size);

static NTSTATUS SvcBuffered(PIOP_REQUEST Request, ULONG Most, SVC_BUFFERED *Routine)
{
    ULONG Size = Request->Length < Most ? Request->Length : Most;

    if (Size == 0) {
        return STATUS_SUCCESS;
    }
    PVOID Piece = ExAllocatePoolWithTag(NonPagedPoolNx, Size, SVC_FILE_TAG);
    if (Piece == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    NTSTATUS Status = Routine(Request, Piece, Size);
    ExFreePoolWithTag(Piece, SVC_FILE_TAG);
    return Status;
}

static NTSTATUS SvcReadConsole(PIOP_REQUEST Request, PVOID Piece, ULONG Size)
{
    SIZE_T Done;
    NTSTATUS Status = IoConsoleRead(Piece, Size, &Done);

    if (Status == STATUS_SUCCESS) {
        Status = Done != 0 ? ExCopyOut(Request->Buffer, Piece, Done, Request->Mode) : STATUS_END_OF_FILE;
        Request->Done = NT_SUCCESS(Status) ? Done : 0;
    }
    return Status;
}

/* Reads at most Length bytes; from the console what is there, when something is. STATUS_END_OF_FILE,
   STATUS_INVALID_DEVICE_REQUEST (a folder), STATUS_NOT_IMPLEMENTED (an APC routine), STATUS_ALERTED when
   termination broke the wait. PASSIVE. (WDK page of the name) */
NTSTATUS NtReadFile(HANDLE FileHandle, HANDLE Event, PVOID ApcRoutine, PVOID ApcContext,
                    PIO_STATUS_BLOCK IoStatusBlock, PVOID Buffer, ULONG Length, PLARGE_INTEGER ByteOffset,
                    PULONG Key)
{
    SVC_REQUEST Request = {.Buffer = Buffer, .Length = Length};
    NTSTATUS Status = SvcBeginRequest(&Request, FileHandle, FILE_READ_DATA, Event, ApcRoutine, ByteOffset);

    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    switch (Request.File->Kind) {
    case IoFileConsole:
        Status = SvcBuffered(&Request, SVC_READ_PIECE, SvcReadConsole);
        break;
    case IoFileArchive:
        Status = SvcReadArchive(&Request);
        break;
    default:
        Status = STATUS_INVALID_DEVICE_REQUEST;
    }
    return SvcEndRequest(&Request, IoStatusBlock, Status);
}

static NTSTATUS SvcWriteConsole(PIOP_REQUEST Request, PVOID Piece, ULONG Size)
{
    NTSTATUS Status = STATUS_SUCCESS;

    while (Request->Done < Request->Length && NT_SUCCESS(Status)) {
        SIZE_T Left = Request->Length - Request->Done;
        SIZE_T Count = Left < Size ? Left : Size;
        Status = ExCopyIn(Piece, Request->Buffer + Request->Done, Count, Request->Mode);
        if (NT_SUCCESS(Status)) {
            Status = IoConsoleWrite(Request->File->Stream, Piece, Count);
        }
        Request->Done += NT_SUCCESS(Status) ? Count : 0;
    }
    return Status;
}

/* Writes to the console. PASSIVE. (WDK page of the name) */
NTSTATUS NtWriteFile(HANDLE FileHandle, HANDLE Event, PVOID ApcRoutine, PVOID ApcContext,
                     PIO_STATUS_BLOCK IoStatusBlock, PVOID Buffer, ULONG Length, PLARGE_INTEGER ByteOffset,
                     PULONG Key)
{
    SVC_REQUEST Request = {.Buffer = Buffer, .Length = Length};
    NTSTATUS Status = SvcBeginRequest(&Request, FileHandle, FILE_WRITE_DATA, Event, ApcRoutine, ByteOffset);

    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Status = Request.File->Kind == IoFileConsole ? SvcBuffered(&Request, SVC_WRITE_PIECE, SvcWriteConsole)
                                                 : STATUS_MEDIA_WRITE_PROTECTED;
    return SvcEndRequest(&Request, IoStatusBlock, Status);
}

/* ---- Queries ---- */

static void SvcQueryStandard(PFILE_OBJECT File, FILE_STANDARD_INFORMATION *Standard)
{
    RtlZeroMemory(Standard, sizeof(*Standard));
    Standard->NumberOfLinks = 1;
    Standard->Directory = File->Kind == IoFileDirectory;
    if (File->Kind == IoFileArchive) {
        Standard->EndOfFile.QuadPart = (LONGLONG)File->File->Size;
        Standard->AllocationSize.QuadPart = (LONGLONG)ROUND_TO_PAGES(File->File->Size);
    }
}

/* FileStandardInformation, FileConsoleInformation. STATUS_INVALID_INFO_CLASS, STATUS_INFO_LENGTH_MISMATCH.
   PASSIVE. (WDK page of the name) */
NTSTATUS NtQueryInformationFile(HANDLE FileHandle, PIO_STATUS_BLOCK IoStatusBlock, PVOID Information,
                                ULONG Length, ULONG Class)
{
    union {
        FILE_STANDARD_INFORMATION Standard;
        ULONG Terminal;
    } Answer;
    SIZE_T Size = Class == FileStandardInformation ? sizeof(Answer.Standard) : sizeof(Answer.Terminal);
    KPROCESSOR_MODE Mode = ExGetPreviousMode();
    PFILE_OBJECT File;

    if (Class != FileStandardInformation && Class != FileConsoleInformation) {
        return STATUS_INVALID_INFO_CLASS;
    }
    if (Length < Size) {
        return STATUS_INFO_LENGTH_MISMATCH;
    }
    NTSTATUS Status = ObReferenceObjectByHandle(FileHandle, 0, *IoFileObjectType, Mode, (PVOID *)&File, NULL);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    if (Class == FileStandardInformation) {
        SvcQueryStandard(File, &Answer.Standard);
    } else {
        Answer.Terminal = File->Kind == IoFileConsole && IoConsoleIsTerminal(File->Stream);
    }
    ObDereferenceObject(File);
    Status = ExCopyOut(Information, &Answer, Size, Mode);
    return NT_SUCCESS(Status) ? SvcReturnStatus(IoStatusBlock, STATUS_SUCCESS, Size, Mode) : Status;
}

/* ---- Folders ---- */

/* The name of a child in its folder's listing (NULL: the root's); NULL when File is something else. File's path
   starts with the folder's. */
static const char *SvcChildName(const IO_ARCHIVE_FILE *Folder, const IO_ARCHIVE_FILE *File)
{
    const char *Name = File->Path;

    if (Folder != NULL) {
        Name += strlen(Folder->Path);
        if (*Name++ != '/') {
            return NULL;
        }
    }
    return *Name != 0 && strchr(Name, '/') == NULL ? Name : NULL;
}

/* The child behind Last, or the first one. */
static const IO_ARCHIVE_FILE *SvcNextChild(const IO_ARCHIVE_FILE *Folder, const IO_ARCHIVE_FILE *Last)
{
    const char *Prefix = Folder != NULL ? Folder->Path : "";
    const IO_ARCHIVE_FILE *File = Last == NULL ? IoFirstArchiveFile(Prefix) : IoNextArchiveFile(Last, Prefix);

    while (File != NULL && SvcChildName(Folder, File) == NULL) {
        File = IoNextArchiveFile(File, Prefix);
    }
    return File;
}

/* Writes the record at Buffer; its size, 0 when it does not fit. */
static ULONG SvcFillRecord(const IO_ARCHIVE_FILE *File, const char *Name, PUCHAR Buffer, ULONG Room)
{
    FILE_DIRECTORY_INFORMATION *Record = (FILE_DIRECTORY_INFORMATION *)Buffer;
    ULONG Header = FIELD_OFFSET(FILE_DIRECTORY_INFORMATION, FileName);
    ULONG NameSize = 0;
    LARGE_INTEGER Time = {.QuadPart = (LONGLONG)((File->ModifyTime + SVC_UNIX_EPOCH) * 10000000)};

    if (Room < Header || RtlUTF8ToUnicodeN(Record->FileName, (Room - Header) & ~1u, &NameSize, Name,
                                           (ULONG)strlen(Name)) == STATUS_BUFFER_TOO_SMALL) {
        return 0;
    }
    RtlZeroMemory(Record, Header);
    Record->FileIndex = File->Inode;
    Record->CreationTime = Record->LastAccessTime = Record->LastWriteTime = Record->ChangeTime = Time;
    Record->EndOfFile.QuadPart = IoIsArchiveDirectory(File) ? 0 : (LONGLONG)File->Size;
    Record->AllocationSize.QuadPart = (LONGLONG)ROUND_TO_PAGES(Record->EndOfFile.QuadPart);
    Record->FileAttributes = FILE_ATTRIBUTE_READONLY | (IoIsArchiveDirectory(File) ? FILE_ATTRIBUTE_DIRECTORY : 0);
    Record->FileNameLength = NameSize;
    return Header + NameSize;
}

/* As many records as fit, from behind *Last on. */
static NTSTATUS SvcFillListing(const IO_ARCHIVE_FILE *Folder, PUCHAR Buffer, ULONG Length, BOOLEAN Single,
                               const IO_ARCHIVE_FILE **Last, PULONG Filled)
{
    const IO_ARCHIVE_FILE *File = SvcNextChild(Folder, *Last);
    ULONG At = 0, Previous = 0;

    *Filled = 0;
    if (File == NULL) {
        return STATUS_NO_MORE_FILES;
    }
    while (File != NULL && At < Length) {
        ULONG Size = SvcFillRecord(File, SvcChildName(Folder, File), Buffer + At, Length - At);
        if (Size == 0) {
            break;
        }
        if (*Filled != 0) {
            ((FILE_DIRECTORY_INFORMATION *)(Buffer + Previous))->NextEntryOffset = At - Previous;
        }
        Previous = At;
        *Filled = At + Size;
        At = (ULONG)ALIGN_UP_BY(*Filled, 8);
        *Last = File;
        File = Single ? NULL : SvcNextChild(Folder, File);
    }
    return *Filled != 0 ? STATUS_SUCCESS : STATUS_BUFFER_OVERFLOW;
}

/* The listing is made in a buffer of the kernel's and copied in one go; the position moves only when that
   worked. */
static NTSTATUS SvcQueryFolder(PIOP_REQUEST Request, PVOID Listing, ULONG Size)
{
    PFILE_OBJECT File = Request->File;
    ULONG Filled;

    KeLockExclusive(&File->Lock);
    const IO_ARCHIVE_FILE *Last = Request->Restart ? NULL : File->Last;
    RtlZeroMemory(Listing, Size);
    NTSTATUS Status = SvcFillListing(File->File, Listing, Size, Request->Single, &Last, &Filled);
    if (NT_SUCCESS(Status)) {
        Status = ExCopyOut(Request->Buffer, Listing, Filled, Request->Mode);
    }
    if (NT_SUCCESS(Status)) {
        File->Last = Last;
        Request->Done = Filled;
    }
    KeUnlockExclusive(&File->Lock);
    return Status;
}

/*
 * Lists a folder of the archives: FileDirectoryInformation, all names (no pattern: STATUS_NOT_IMPLEMENTED), "."
 * and ".." left out. STATUS_NO_MORE_FILES at the end, STATUS_BUFFER_OVERFLOW when not even one record fits,
 * STATUS_INVALID_PARAMETER for what is no folder. PASSIVE. (WDK page of the name)
 */
NTSTATUS NtQueryDirectoryFile(HANDLE FileHandle, HANDLE Event, PVOID ApcRoutine, PVOID ApcContext,
                              PIO_STATUS_BLOCK IoStatusBlock, PVOID Information, ULONG Length, ULONG Class,
                              BOOLEAN ReturnSingleEntry, PUNICODE_STRING FileName, BOOLEAN RestartScan)
{
    SVC_REQUEST Request = {
        .Buffer = Information, .Length = Length, .Single = ReturnSingleEntry, .Restart = RestartScan};

    if (Class != FileDirectoryInformation) {
        return STATUS_INVALID_INFO_CLASS;
    }
    if (FileName != NULL) {
        return STATUS_NOT_IMPLEMENTED;
    }
    NTSTATUS Status = SvcBeginRequest(&Request, FileHandle, FILE_READ_DATA, Event, ApcRoutine, NULL);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    if (Request.File->Kind != IoFileDirectory) {
        Status = STATUS_INVALID_PARAMETER;
    } else {
        Status = Length != 0 ? SvcBuffered(&Request, SVC_MAX_QUERY, SvcQueryFolder) : STATUS_BUFFER_OVERFLOW;
    }
    return SvcEndRequest(&Request, IoStatusBlock, Status);
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
