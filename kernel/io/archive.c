/* SPDX-License-Identifier: MIT */
/*
 * The boot archives as one tree of names: an index sorted by path, built once at start-up by one thread and
 * never changed afterwards; so look-ups take no lock. IopSectionLock, a push lock, guards the making of
 * sections.
 *
 * A later entry of a name replaces an earlier one. Folders that no entry names are there all the same.
 */
#include "kernel/io/cpio.h"
#include "kernel/io/iop.h"
#include "kernel/rtl/avl.h"

#define IOP_IMPLIED_MODE (CPIO_MODE_DIRECTORY | 0755)
#define IOP_LONGEST_NAME 4096

typedef struct _IOP_ENTRY {
    RTL_AVL_NODE Node;
    IO_ARCHIVE_FILE File;
    PMM_SECTION Section; /* (IopSectionLock) made on first use; the index keeps a reference */
} IOP_ENTRY, *PIOP_ENTRY;

static RTL_AVL_TREE IopIndex;
static ULONG IopEntryCount;
static EX_PUSH_LOCK IopSectionLock;

static PIOP_ENTRY IopEntryOf(const RTL_AVL_NODE *Node)
{
    return Node != NULL ? CONTAINING_RECORD(Node, IOP_ENTRY, Node) : NULL;
}

static LONG IopComparePath(const VOID *Key, const RTL_AVL_NODE *Node)
{
    return strcmp(Key, IopEntryOf(Node)->File.Path);
}

/* ---- Building ---- */

/* An entry of a path that has none; NULL: no memory. */
static PIOP_ENTRY IopNewEntry(const char *Path)
{
    PIOP_ENTRY Entry = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(*Entry), IOP_TAG);

    if (Entry != NULL) {
        RtlZeroMemory(Entry, sizeof(*Entry));
        Entry->File.Path = Path;
        Entry->File.Inode = ++IopEntryCount;
        RtlAvlInsert(&IopIndex, Path, &Entry->Node, IopComparePath);
    }
    return Entry;
}

static PIOP_ENTRY IopFindEntry(const char *Path)
{
    return IopEntryOf(RtlAvlFind(&IopIndex, Path, IopComparePath));
}

/* The folder at the first Length bytes of Path, if nothing has named it yet. */
static NTSTATUS IopAddFolder(const char *Path, SIZE_T Length)
{
    char *Folder = ExAllocatePoolWithTag(NonPagedPoolNx, Length + 1, IOP_TAG);
    PIOP_ENTRY Entry;

    if (Folder == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    memcpy(Folder, Path, Length);
    Folder[Length] = 0;
    Entry = IopFindEntry(Folder);
    if (Entry == NULL && (Entry = IopNewEntry(Folder)) != NULL) {
        Entry->File.Mode = IOP_IMPLIED_MODE;
    } else {
        ExFreePoolWithTag(Folder, IOP_TAG);
    }
    return Entry != NULL ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

static NTSTATUS IopAddParents(const char *Path)
{
    NTSTATUS Status = STATUS_SUCCESS;

    for (const char *Slash = Path; NT_SUCCESS(Status) && (Slash = strchr(Slash, '/')) != NULL; Slash++) {
        Status = IopAddFolder(Path, (SIZE_T)(Slash - Path));
    }
    return Status;
}

/* Names and data stay where they are: an archive's memory is never given back. */
static NTSTATUS IopAddFile(const CPIO_ENTRY *Cpio)
{
    PIOP_ENTRY Entry = IopFindEntry(Cpio->Name);
    NTSTATUS Status = STATUS_SUCCESS;

    if (Entry == NULL) {
        Status = IopAddParents(Cpio->Name);
        Entry = NT_SUCCESS(Status) ? IopNewEntry(Cpio->Name) : NULL;
    }
    if (Entry == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    Entry->File.Data = Cpio->Data;
    Entry->File.Size = Cpio->DataSize;
    Entry->File.Mode = Cpio->Mode;
    Entry->File.ModifyTime = Cpio->ModificationTime;
    return STATUS_SUCCESS;
}

/* "a//b", "a/", names with ".." and longer ones than a path can be would be found under no path that anybody
   asks for; and a folder a letter, in a name without limit, would take all memory. */
static bool IopIsCleanName(const char *Name)
{
    if (strnlen(Name, IOP_LONGEST_NAME + 1) > IOP_LONGEST_NAME) {
        return false;
    }
    for (;;) {
        const char *End = strchr(Name, '/');
        SIZE_T Length = End != NULL ? (SIZE_T)(End - Name) : strlen(Name);
        if (Length == 0 || (Name[0] == '.' && (Length == 1 || (Length == 2 && Name[1] == '.')))) {
            return false;
        }
        if (End == NULL) {
            return true;
        }
        Name = End + 1;
    }
}

static void IopIndexArchive(ULONG Number, const BOOT_ARCHIVE *Archive)
{
    CPIO_READER Reader;
    CPIO_ENTRY Entry;
    NTSTATUS Status;

    CpioStart(&Reader, Archive->Data, Archive->Size);
    while (NT_SUCCESS(Status = CpioNext(&Reader, &Entry)) && Status != STATUS_NO_MORE_ENTRIES) {
        if (IopIsCleanName(Entry.Name) && !NT_SUCCESS(Status = IopAddFile(&Entry))) {
            break;
        }
    }
    if (Status != STATUS_NO_MORE_ENTRIES) {
        DbgPrint("archive %u: broken at offset %I64u of %I64u (%08x); what comes behind is not there\n",
                 Number, Reader.Next, Archive->Size, Status);
    }
}

void IoInitialize(PBOOT_INFORMATION Boot)
{
    ExInitializePushLock(&IopSectionLock);
    IopInitializeDevices();
    IopInitializeFiles();
    IopInitializeBootDevice();
    IopInitializeConsoleDevice();
    for (ULONG i = 0; i < Boot->ArchiveCount; i++) {
        IopIndexArchive(i, &Boot->Archive[i]);
    }
    DbgPrint("io: %u files in %u archives\n", IopEntryCount, Boot->ArchiveCount);
}

/* ---- Looking up ---- */

const IO_ARCHIVE_FILE *IoLookupArchive(const char *Path)
{
    PIOP_ENTRY Entry = IopFindEntry(Path);
    return Entry != NULL ? &Entry->File : NULL;
}

static const IO_ARCHIVE_FILE *IopIfPrefixed(PIOP_ENTRY Entry, const char *Prefix)
{
    return Entry != NULL && strncmp(Entry->File.Path, Prefix, strlen(Prefix)) == 0 ? &Entry->File : NULL;
}

/* In order of the paths' bytes, all that start with Prefix follow one another. */
const IO_ARCHIVE_FILE *IoFirstArchiveFile(const char *Prefix)
{
    return IopIfPrefixed(IopEntryOf(RtlAvlFindCeiling(&IopIndex, Prefix, IopComparePath)), Prefix);
}

const IO_ARCHIVE_FILE *IoNextArchiveFile(const IO_ARCHIVE_FILE *File, const char *Prefix)
{
    return IopIfPrefixed(IopEntryOf(RtlAvlNext(&CONTAINING_RECORD(File, IOP_ENTRY, File)->Node)), Prefix);
}

/* ---- Sections ---- */

NTSTATUS IoArchiveSection(const IO_ARCHIVE_FILE *File, PMM_SECTION *Section)
{
    PIOP_ENTRY Entry = CONTAINING_RECORD(File, IOP_ENTRY, File);
    PMM_SECTION Made;
    NTSTATUS Status = STATUS_SUCCESS;

    KeLockExclusive(&IopSectionLock);
    if (Entry->Section == NULL) {
        Status = MmCreateDataSection(File->Data, File->Size, &Made);
        Entry->Section = NT_SUCCESS(Status) ? Made : NULL;
    }
    if (NT_SUCCESS(Status)) {
        MmReferenceSection(Entry->Section);
        *Section = Entry->Section;
    }
    KeUnlockExclusive(&IopSectionLock);
    return Status;
}
