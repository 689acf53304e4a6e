/* SPDX-License-Identifier: MIT */
/*
 * File objects and their names: the console's three streams, the files and folders of the boot archives.
 *
 *   \Console\Input  \Console\Output  \Console\Error     \Boot\native\init     (names are matched exactly)
 *
 * One lock, a push lock in each file object: its position.
 */
#include "kernel/io/cpio.h"
#include "kernel/io/iop.h"
#include <ntapi.h>

#define IOP_FILE_TYPE            5     /* FILE_OBJECT.Type, as documented */
#define IOP_MAX_PATH             1024  /* bytes of UTF-8 */

static POBJECT_TYPE IopFileType;
/* The type of file objects, for ObReferenceObjectByHandle and ObReferenceObjectByPointer. Valid before any
   module is loaded, and constant. (WDK page of ObReferenceObjectByHandle) */
POBJECT_TYPE *IoFileObjectType = &IopFileType;
EXPORT(IoFileObjectType);

static void IopReplace(char *Text, char What, char With)
{
    for (; (Text = strchr(Text, What)) != NULL; Text++) {
        *Text = With;
    }
}

/* ---- The object ---- */

static void IopDeleteFile(PVOID Object)
{
    RtlFreeUnicodeString(&((PFILE_OBJECT)Object)->FileName);
}

static const OB_TYPE_ROUTINES IopFileRoutines = {
    .Name = "File",
    .PoolTag = 'eliF',
    .BodySize = sizeof(struct _FILE_OBJECT),
    .ValidAccess = FILE_READ_DATA | FILE_WRITE_DATA | SYNCHRONIZE,
    .Delete = IopDeleteFile,
};

void IopInitializeFiles(void)
{
    if (!NT_SUCCESS(ObCreateType(&IopFileRoutines, &IopFileType))) {
        KdBugCheck(PHASE1_INITIALIZATION_FAILED, 0, 0, 0, 0, NULL, "no memory for the file type");
    }
}

/* "\Boot\native\init" of a root, "Boot/", and a path in it. */
static NTSTATUS IopMakeName(PUNICODE_STRING Name, const char *Root, const char *Path)
{
    const char *Pieces[] = {"\\", Root, Path};
    SIZE_T Size = (strlen(Root) + strlen(Path) + 2) * sizeof(WCHAR);

    if (Size > MAXUSHORT) {
        return STATUS_NAME_TOO_LONG;
    }
    PWCH Text = ExAllocatePoolWithTag(NonPagedPoolNx, Size, IOP_TAG), End = Text;
    if (Text == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    for (ULONG i = 0; i < RTL_NUMBER_OF(Pieces); i++) { /* UTF-8 has at least as many bytes as UTF-16 has units */
        ULONG Bytes = 0;
        RtlUTF8ToUnicodeN(End, (ULONG)Size, &Bytes, Pieces[i], (ULONG)strlen(Pieces[i]));
        End += Bytes / sizeof(WCHAR);
    }
    *End = 0;
    while (End-- != Text) {
        *End = *End == '/' ? '\\' : *End;
    }
    RtlInitUnicodeString(Name, Text);
    return STATUS_SUCCESS;
}

static NTSTATUS IopCreateFile(IO_FILE_KIND Kind, ULONG Stream, const IO_ARCHIVE_FILE *Archived,
                              const char *Root, const char *Path, PFILE_OBJECT *FileObject)
{
    PFILE_OBJECT File;
    NTSTATUS Status = ObCreateObject(IopFileType, (PVOID *)&File);

    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    File->Type = IOP_FILE_TYPE;
    File->Size = sizeof(*File);
    File->Kind = Kind;
    File->Stream = Stream;
    File->File = Archived;
    ExInitializePushLock(&File->Lock);
    Status = IopMakeName(&File->FileName, Root, Path);
    if (!NT_SUCCESS(Status)) {
        ObDereferenceObject(File);
        return Status;
    }
    *FileObject = File;
    return STATUS_SUCCESS;
}

BOOLEAN IoIsArchiveDirectory(const IO_ARCHIVE_FILE *File)
{
    return (File->Mode & CPIO_MODE_TYPE) == CPIO_MODE_DIRECTORY;
}

/* NULL: the root of all archives. */
NTSTATUS IoOpenArchiveFile(const IO_ARCHIVE_FILE *File, PFILE_OBJECT *FileObject)
{
    if (File == NULL) {
        return IopCreateFile(IoFileDirectory, 0, NULL, "Boot", "", FileObject);
    }
    return IopCreateFile(IoIsArchiveDirectory(File) ? IoFileDirectory : IoFileArchive, 0, File, "Boot/", File->Path,
                         FileObject);
}

/* ---- Names ---- */

static const char *const IopStreamName[] = {"Console/Input", "Console/Output", "Console/Error"};

/* "\Boot\native\init" becomes "Boot/native/init". */
static NTSTATUS IopConvertName(PCUNICODE_STRING Name, char Path[IOP_MAX_PATH])
{
    ULONG Length = 0;

    if (Name->Length < 2 * sizeof(WCHAR) || Name->Buffer[0] != '\\') {
        return STATUS_OBJECT_PATH_SYNTAX_BAD;
    }
    if (RtlUnicodeToUTF8N(Path, IOP_MAX_PATH - 1, &Length, Name->Buffer + 1, Name->Length - sizeof(WCHAR)) !=
        STATUS_SUCCESS) {
        return STATUS_OBJECT_NAME_INVALID;
    }
    Path[Length] = 0;
    if (strlen(Path) != Length) {
        return STATUS_OBJECT_NAME_INVALID; /* what stands behind a NUL would not be looked at */
    }
    IopReplace(Path, '\\', '/');
    if (Path[Length - 1] == '/') {
        Path[Length - 1] = 0;
    }
    return STATUS_SUCCESS;
}

static NTSTATUS IopOpenStream(ULONG Stream, ACCESS_MASK Access, PFILE_OBJECT *File)
{
    ACCESS_MASK Denied = Stream == 0 ? FILE_WRITE_DATA : FILE_READ_DATA;

    return Access & Denied ? STATUS_ACCESS_DENIED
                           : IopCreateFile(IoFileConsole, Stream, NULL, "", IopStreamName[Stream], File);
}

static NTSTATUS IopOpenPath(const char *Path, ACCESS_MASK Access, PFILE_OBJECT *File)
{
    const IO_ARCHIVE_FILE *Archived = NULL;

    for (ULONG Stream = 0; Stream < RTL_NUMBER_OF(IopStreamName); Stream++) {
        if (strcmp(Path, IopStreamName[Stream]) == 0) {
            return IopOpenStream(Stream, Access, File);
        }
    }
    if (strcmp(Path, "Boot") != 0) {
        Archived = strncmp(Path, "Boot/", 5) == 0 ? IoLookupArchive(Path + 5) : NULL;
        if (Archived == NULL) {
            return STATUS_OBJECT_NAME_NOT_FOUND;
        }
    }
    return Access & FILE_WRITE_DATA ? STATUS_MEDIA_WRITE_PROTECTED : IoOpenArchiveFile(Archived, File);
}

NTSTATUS IoOpenFileByName(PCUNICODE_STRING Name, ACCESS_MASK Access, PFILE_OBJECT *File)
{
    char *Path = ExAllocatePoolWithTag(NonPagedPoolNx, IOP_MAX_PATH, IOP_TAG);

    if (Path == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    NTSTATUS Status = IopConvertName(Name, Path);
    if (NT_SUCCESS(Status)) {
        Status = IopOpenPath(Path, Access, File);
    }
    ExFreePoolWithTag(Path, IOP_TAG);
    return Status;
}
