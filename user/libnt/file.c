/* SPDX-License-Identifier: MIT */
/* Files and folders of the boot archives. */
#include "libnt.h"

#include "kernel/rtl/rtl.h"

#define MAXIMUM_PATH 512

NTSTATUS OpenPath(PCSTR Path, ACCESS_MASK Access, PHANDLE File)
{
    WCHAR Name[MAXIMUM_PATH];
    ULONG Bytes;
    NTSTATUS Status = RtlUTF8ToUnicodeN(Name, sizeof(Name), &Bytes, Path, (ULONG)strlen(Path));
    if (!NT_SUCCESS(Status)) {
        return STATUS_NAME_TOO_LONG;
    }

    UNICODE_STRING String = {(USHORT)Bytes, (USHORT)Bytes, Name};
    OBJECT_ATTRIBUTES Attributes;
    IO_STATUS_BLOCK Io;
    InitializeObjectAttributes(&Attributes, &String, OBJ_INHERIT, NULL, NULL);
    return NtOpenFile(File, Access | SYNCHRONIZE, &Attributes, &Io, 0, FILE_SYNCHRONOUS_IO_NONALERT);
}

/* ---- Whole files ---- */

static NTSTATUS ReadExactly(HANDLE File, PUCHAR Data, SIZE_T Size)
{
    for (SIZE_T Done = 0; Done < Size;) {
        IO_STATUS_BLOCK Io = {0};
        LARGE_INTEGER Offset = {.QuadPart = (LONGLONG)Done};
        ULONG Chunk = Size - Done < 0x10000 ? (ULONG)(Size - Done) : 0x10000;
        NTSTATUS Status = NtReadFile(File, NULL, NULL, NULL, &Io, Data + Done, Chunk, &Offset, NULL);
        if (!NT_SUCCESS(Status)) {
            return Status;
        }
        if (Io.Information == 0) {
            return STATUS_END_OF_FILE;
        }
        Done += Io.Information;
    }
    return STATUS_SUCCESS;
}

static NTSTATUS ReadOpenFile(HANDLE File, PVOID *Data, PSIZE_T Size)
{
    FILE_STANDARD_INFORMATION Information;
    IO_STATUS_BLOCK Io;
    NTSTATUS Status =
        NtQueryInformationFile(File, &Io, &Information, sizeof(Information), FileStandardInformation);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    if (Information.Directory) {
        return STATUS_FILE_IS_A_DIRECTORY;
    }

    SIZE_T Length = (SIZE_T)Information.EndOfFile.QuadPart;
    PUCHAR Buffer = HeapAllocate(Length + 1);
    if (Buffer == NULL) {
        return STATUS_NO_MEMORY;
    }
    Status = ReadExactly(File, Buffer, Length);
    if (!NT_SUCCESS(Status)) {
        HeapFree(Buffer);
        return Status;
    }
    Buffer[Length] = 0;
    *Data = Buffer;
    *Size = Length;
    return STATUS_SUCCESS;
}

NTSTATUS ReadBootFile(PCSTR Path, PVOID *Data, PSIZE_T Size)
{
    HANDLE File;
    NTSTATUS Status = OpenPath(Path, GENERIC_READ, &File);
    if (NT_SUCCESS(Status)) {
        Status = ReadOpenFile(File, Data, Size);
        NtClose(File);
    }
    return Status;
}

/* ---- Folders ---- */

static VOID VisitEntries(const UCHAR *Entries, NAME_VISITOR *Visit, PVOID Context)
{
    for (;;) {
        const FILE_DIRECTORY_INFORMATION *Entry = (const FILE_DIRECTORY_INFORMATION *)Entries;
        char Name[256];
        ULONG Length = 0;
        RtlUnicodeToUTF8N(Name, sizeof(Name) - 1, &Length, Entry->FileName, Entry->FileNameLength);
        Name[Length] = '\0';
        Visit(Context, Name);
        if (Entry->NextEntryOffset == 0) {
            return;
        }
        Entries += Entry->NextEntryOffset;
    }
}

NTSTATUS ListFolder(PCSTR Path, NAME_VISITOR *Visit, PVOID Context)
{
    alignas(8) UCHAR Entries[2048];
    HANDLE Folder;
    NTSTATUS Status = OpenPath(Path, GENERIC_READ, &Folder);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    for (BOOLEAN Restart = TRUE;; Restart = FALSE) {
        IO_STATUS_BLOCK Io = {0};
        Status = NtQueryDirectoryFile(Folder, NULL, NULL, NULL, &Io, Entries, sizeof(Entries),
                                      FileDirectoryInformation, FALSE, NULL, Restart);
        if (!NT_SUCCESS(Status) || Io.Information == 0) {
            break;
        }
        VisitEntries(Entries, Visit, Context);
    }
    NtClose(Folder);
    return Status == STATUS_NO_MORE_FILES ? STATUS_SUCCESS : Status;
}
