/* SPDX-License-Identifier: MIT */
/*
 * The device \Boot: the files and folders of the boot archives, read-only. Names are matched exactly.
 *
 * FILE_OBJECT.FsContext is the archived file or folder, NULL the root of all archives; FsContext2 the child
 * that a folder's listing has returned last. Data go straight to the caller's buffer.
 *
 * Lock: IopListLock, a push lock, guards FsContext2 of all folders. Positions are guarded by the file's own
 * lock, for only synchronous files have one.
 */
#include "kernel/io/cpio.h"
#include "kernel/io/iop.h"

#define IOP_MAX_PATH   1024 /* bytes of UTF-8 */
#define IOP_MAX_QUERY  65536
#define IOP_UNIX_EPOCH 11644473600ULL /* seconds from 1601 to 1970 */

static PDEVICE_OBJECT IopBootDevice;
static EX_PUSH_LOCK IopListLock;

BOOLEAN IoIsArchiveDirectory(const IO_ARCHIVE_FILE *File)
{
    return (File->Mode & CPIO_MODE_TYPE) == CPIO_MODE_DIRECTORY;
}

static bool IopIsFolder(PFILE_OBJECT File)
{
    return File->FsContext == NULL || IoIsArchiveDirectory(File->FsContext);
}

const IO_ARCHIVE_FILE *IoFileInArchive(PFILE_OBJECT File)
{
    return File->DeviceObject == IopBootDevice && !IopIsFolder(File) ? File->FsContext : NULL;
}

/* ---- Names ---- */

static void IopReplace(char *Text, char What, char With)
{
    for (; (Text = strchr(Text, What)) != NULL; Text++) {
        *Text = With;
    }
}

/* "\native\init" becomes "native/init", behind what Path holds. */
static NTSTATUS IopAppendName(PCUNICODE_STRING Name, char Path[IOP_MAX_PATH])
{
    SIZE_T Start = strlen(Path), Skip = Name->Length != 0 && Name->Buffer[0] == '\\' ? 1 : 0;
    ULONG Length = 0;

    if (Name->Length == Skip * sizeof(WCHAR)) {
        return STATUS_SUCCESS; /* the root, or the folder itself */
    }
    if (RtlUnicodeToUTF8N(Path + Start, (ULONG)(IOP_MAX_PATH - 1 - Start), &Length, Name->Buffer + Skip,
                          Name->Length - (ULONG)(Skip * sizeof(WCHAR))) != STATUS_SUCCESS) {
        return STATUS_OBJECT_NAME_INVALID;
    }
    Path[Start + Length] = 0;
    if (strlen(Path) != Start + Length) {
        return STATUS_OBJECT_NAME_INVALID; /* what stands behind a NUL would not be looked at */
    }
    IopReplace(Path, '\\', '/');
    if (Path[Start + Length - 1] == '/') {
        Path[Start + Length - 1] = 0;
    }
    return STATUS_SUCCESS;
}

/* The whole path, in Path, of a name that may be relative to a folder that is open. */
static NTSTATUS IopMakePath(PFILE_OBJECT File, char Path[IOP_MAX_PATH])
{
    const IO_ARCHIVE_FILE *Folder = File->RelatedFileObject != NULL ? File->RelatedFileObject->FsContext : NULL;

    Path[0] = 0;
    if (Folder != NULL && strlen(Folder->Path) > IOP_MAX_PATH - sizeof("/")) {
        return STATUS_OBJECT_NAME_INVALID;
    }
    if (Folder != NULL) {
        RtlPrint(Path, IOP_MAX_PATH, File->FileName.Length != 0 ? "%s/" : "%s", Folder->Path);
    }
    return IopAppendName(&File->FileName, Path);
}

/* "\native\init" of a path in the archives, in pool. */
static NTSTATUS IopMakeName(PUNICODE_STRING Name, const char *Path)
{
    SIZE_T Size = (strlen(Path) + 2) * sizeof(WCHAR); /* UTF-8 has at least as many bytes as UTF-16 has units */
    ULONG Bytes = 0;

    if (Size > MAXUSHORT) {
        return STATUS_NAME_TOO_LONG;
    }
    PWCH Text = ExAllocatePoolWithTag(NonPagedPoolNx, Size, IOP_TAG);
    if (Text == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    Text[0] = '\\';
    RtlUTF8ToUnicodeN(Text + 1, (ULONG)(Size - sizeof(WCHAR)), &Bytes, Path, (ULONG)strlen(Path) + 1);
    for (PWCH Next = Text; *Next != 0; Next++) {
        *Next = *Next == '/' ? '\\' : *Next;
    }
    RtlInitUnicodeString(Name, Text);
    return STATUS_SUCCESS;
}

NTSTATUS IoOpenArchiveFile(const IO_ARCHIVE_FILE *File, PFILE_OBJECT *FileObject)
{
    UNICODE_STRING Name;
    PIOP_FILE Made;
    NTSTATUS Status = IopMakeName(&Name, File->Path);

    if (NT_SUCCESS(Status)) {
        Status = IopCreateFileObject(IopBootDevice, &Name, &Made);
    }
    if (NT_SUCCESS(Status)) {
        Made->Public.FsContext = (PVOID)File;
        *FileObject = &Made->Public;
    }
    return Status;
}

/* ---- IRP_MJ_CREATE ---- */

static NTSTATUS IopCheckOpen(PFILE_OBJECT File, PIO_STACK_LOCATION Stack)
{
    ULONG Options = Stack->Parameters.Create.Options, Disposition = Options >> 24;

    if ((Stack->Parameters.Create.SecurityContext->DesiredAccess & (FILE_WRITE_DATA | FILE_APPEND_DATA)) != 0 ||
        (Disposition != FILE_OPEN && Disposition != FILE_OPEN_IF)) {
        return STATUS_MEDIA_WRITE_PROTECTED;
    }
    if ((Options & FILE_DIRECTORY_FILE) && !IopIsFolder(File)) {
        return STATUS_NOT_A_DIRECTORY;
    }
    return (Options & FILE_NON_DIRECTORY_FILE) && IopIsFolder(File) ? STATUS_FILE_IS_A_DIRECTORY : STATUS_SUCCESS;
}

static NTSTATUS IopFindArchived(PFILE_OBJECT File)
{
    char *Path = ExAllocatePoolWithTag(NonPagedPoolNx, IOP_MAX_PATH, IOP_TAG);

    if (Path == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    NTSTATUS Status = IopMakePath(File, Path);
    if (NT_SUCCESS(Status) && Path[0] != 0) {
        File->FsContext = (PVOID)IoLookupArchive(Path);
        Status = File->FsContext != NULL ? STATUS_SUCCESS : STATUS_OBJECT_NAME_NOT_FOUND;
    }
    ExFreePoolWithTag(Path, IOP_TAG);
    return Status;
}

static NTSTATUS IopCreateBoot(PDEVICE_OBJECT Device, PIRP Irp)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    NTSTATUS Status = IopFindArchived(Stack->FileObject);

    if (NT_SUCCESS(Status)) {
        Status = IopCheckOpen(Stack->FileObject, Stack);
    }
    return IopComplete(Irp, Status, FILE_OPENED);
}

/* ---- IRP_MJ_READ, IRP_MJ_WRITE, IRP_MJ_QUERY_INFORMATION ---- */

static NTSTATUS IopReadBoot(PDEVICE_OBJECT Device, PIRP Irp)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    PFILE_OBJECT File = Stack->FileObject;
    const IO_ARCHIVE_FILE *Archived = File->FsContext;
    ULONG64 Offset = (ULONG64)Stack->Parameters.Read.ByteOffset.QuadPart;

    if (IopIsFolder(File)) {
        return IopComplete(Irp, STATUS_INVALID_DEVICE_REQUEST, 0);
    }
    if (Stack->Parameters.Read.Length == 0) {
        return IopComplete(Irp, STATUS_SUCCESS, 0);
    }
    if (Offset >= Archived->Size) {
        return IopComplete(Irp, STATUS_END_OF_FILE, 0);
    }
    SIZE_T Count = IopLesser(Stack->Parameters.Read.Length, Archived->Size - Offset);
    NTSTATUS Status = ExCopyOut(Irp->UserBuffer, Archived->Data + Offset, Count, Irp->RequestorMode);
    if (!NT_SUCCESS(Status)) {
        return IopComplete(Irp, Status, 0);
    }
    if (File->Flags & FO_SYNCHRONOUS_IO) {
        File->CurrentByteOffset.QuadPart = (LONGLONG)(Offset + Count);
    }
    return IopComplete(Irp, STATUS_SUCCESS, Count);
}

static NTSTATUS IopWriteBoot(PDEVICE_OBJECT Device, PIRP Irp)
{
    return IopComplete(Irp, STATUS_MEDIA_WRITE_PROTECTED, 0);
}

static NTSTATUS IopQueryBoot(PDEVICE_OBJECT Device, PIRP Irp)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    PFILE_STANDARD_INFORMATION Standard = Irp->AssociatedIrp.SystemBuffer;
    const IO_ARCHIVE_FILE *Archived = Stack->FileObject->FsContext;

    if (Stack->Parameters.QueryFile.FileInformationClass != FileStandardInformation) {
        *(PULONG)Irp->AssociatedIrp.SystemBuffer = 0; /* FileConsoleInformation: no terminal */
        return IopComplete(Irp, STATUS_SUCCESS, sizeof(ULONG));
    }
    Standard->NumberOfLinks = 1;
    Standard->Directory = IopIsFolder(Stack->FileObject);
    if (!Standard->Directory) {
        Standard->EndOfFile.QuadPart = (LONGLONG)Archived->Size;
        Standard->AllocationSize.QuadPart = (LONGLONG)ROUND_TO_PAGES(Archived->Size);
    }
    return IopComplete(Irp, STATUS_SUCCESS, sizeof(*Standard));
}

/* ---- IRP_MJ_DIRECTORY_CONTROL ---- */

/* The name of a child in its folder's listing (NULL: the root's); NULL when File is something else. File's
   path starts with the folder's. */
static const char *IopChildName(const IO_ARCHIVE_FILE *Folder, const IO_ARCHIVE_FILE *File)
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
static const IO_ARCHIVE_FILE *IopNextChild(const IO_ARCHIVE_FILE *Folder, const IO_ARCHIVE_FILE *Last)
{
    const char *Prefix = Folder != NULL ? Folder->Path : "";
    const IO_ARCHIVE_FILE *File = Last == NULL ? IoFirstArchiveFile(Prefix) : IoNextArchiveFile(Last, Prefix);

    while (File != NULL && IopChildName(Folder, File) == NULL) {
        File = IoNextArchiveFile(File, Prefix);
    }
    return File;
}

/* Writes the record at Buffer; its size, 0 when it does not fit. */
static ULONG IopFillRecord(const IO_ARCHIVE_FILE *File, const char *Name, PUCHAR Buffer, ULONG Room)
{
    FILE_DIRECTORY_INFORMATION *Record = (FILE_DIRECTORY_INFORMATION *)Buffer;
    ULONG Header = FIELD_OFFSET(FILE_DIRECTORY_INFORMATION, FileName);
    ULONG NameSize = 0;
    LARGE_INTEGER Time = {.QuadPart = (LONGLONG)((File->ModifyTime + IOP_UNIX_EPOCH) * 10000000)};

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
static NTSTATUS IopFillListing(const IO_ARCHIVE_FILE *Folder, PUCHAR Buffer, ULONG Length, BOOLEAN Single,
                               const IO_ARCHIVE_FILE **Last, PULONG Filled)
{
    const IO_ARCHIVE_FILE *File = IopNextChild(Folder, *Last);
    ULONG At = 0, Previous = 0;

    *Filled = 0;
    if (File == NULL) {
        return STATUS_NO_MORE_FILES;
    }
    while (File != NULL && At < Length) {
        ULONG Size = IopFillRecord(File, IopChildName(Folder, File), Buffer + At, Length - At);
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
        File = Single ? NULL : IopNextChild(Folder, File);
    }
    return *Filled != 0 ? STATUS_SUCCESS : STATUS_BUFFER_OVERFLOW;
}

/* The listing is made in a buffer of the kernel's and copied in one go; the position moves only when that
   worked. */
static NTSTATUS IopListFolder(PIRP Irp, PIO_STACK_LOCATION Stack, PVOID Listing, ULONG Size)
{
    PFILE_OBJECT File = Stack->FileObject;

    KeLockExclusive(&IopListLock);
    const IO_ARCHIVE_FILE *Last = Stack->Flags & SL_RESTART_SCAN ? NULL : File->FsContext2;
    ULONG Filled;
    NTSTATUS Status =
        IopFillListing(File->FsContext, Listing, Size, (Stack->Flags & SL_RETURN_SINGLE_ENTRY) != 0, &Last, &Filled);
    if (NT_SUCCESS(Status)) {
        Status = ExCopyOut(Irp->UserBuffer, Listing, Filled, Irp->RequestorMode);
    }
    if (NT_SUCCESS(Status)) {
        File->FsContext2 = (PVOID)Last;
        Irp->IoStatus.Information = Filled;
    }
    KeUnlockExclusive(&IopListLock);
    return Status;
}

static NTSTATUS IopControlBootFolder(PDEVICE_OBJECT Device, PIRP Irp)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    ULONG Size = (ULONG)IopLesser(Stack->Parameters.QueryDirectory.Length, IOP_MAX_QUERY);

    if (!IopIsFolder(Stack->FileObject)) {
        return IopComplete(Irp, STATUS_INVALID_PARAMETER, 0);
    }
    if (Size == 0) {
        return IopComplete(Irp, STATUS_BUFFER_OVERFLOW, 0);
    }
    PVOID Listing = ExAllocatePool2(POOL_FLAG_NON_PAGED, Size, IOP_TAG);
    if (Listing == NULL) {
        return IopComplete(Irp, STATUS_INSUFFICIENT_RESOURCES, 0);
    }
    NTSTATUS Status = IopListFolder(Irp, Stack, Listing, Size);
    ExFreePoolWithTag(Listing, IOP_TAG);
    return IopComplete(Irp, Status, Irp->IoStatus.Information);
}

/* ---- Start-up ---- */

void IopInitializeBootDevice(void)
{
    ExInitializePushLock(&IopListLock);
    IopBootDevice = IopMakeBuiltIn(L"\\Driver\\Boot", L"\\Boot", FILE_DEVICE_FILE_SYSTEM);
    PDRIVER_OBJECT Driver = IopBootDevice->DriverObject;
    Driver->MajorFunction[IRP_MJ_CREATE] = IopCreateBoot;
    Driver->MajorFunction[IRP_MJ_READ] = IopReadBoot;
    Driver->MajorFunction[IRP_MJ_WRITE] = IopWriteBoot;
    Driver->MajorFunction[IRP_MJ_QUERY_INFORMATION] = IopQueryBoot;
    Driver->MajorFunction[IRP_MJ_DIRECTORY_CONTROL] = IopControlBootFolder;
    IoDriverStarted(Driver);
}
