/* SPDX-License-Identifier: MIT */
/*
 * Boot archives. An entry of a newc archive is a header of 110 characters (a magic number and thirteen
 * numbers of eight hexadecimal digits), the name with its NUL, and the data; name and data end on multiples
 * of four counted from the archive's start. The name may be followed by further NULs within its size, which
 * puts data on page boundaries.
 */
#include "kernel/io/cpio.h"

#include <ntrtl.h>

#define CPIO_HEADER_SIZE 110
#define CPIO_MAGIC_SIZE  6
#define CPIO_TRAILER     "TRAILER!!!"

/* The numbers of a header that are of interest, by their place in it. */
enum {
    FieldMode = 1,
    FieldModificationTime = 5,
    FieldDataSize = 6,
    FieldNameSize = 11,
    FieldCount = 13
};

C_ASSERT(CPIO_MAGIC_SIZE + FieldCount * 8 == CPIO_HEADER_SIZE);

VOID CpioStart(PCPIO_READER Reader, const VOID *Blob, SIZE_T Size)
{
    *Reader = (CPIO_READER){.Blob = Blob, .Size = Size};
}

/* ---- Headers ---- */

static bool CpiopReadDigit(UCHAR Character, PULONG Digit)
{
    if (Character >= '0' && Character <= '9') {
        *Digit = Character - '0';
    } else if ((Character | 0x20) >= 'a' && (Character | 0x20) <= 'f') {
        *Digit = (Character | 0x20) - 'a' + 10;
    } else {
        return false;
    }
    return true;
}

static bool CpiopReadNumber(const UCHAR *Text, PULONG Number)
{
    ULONG Digit;

    *Number = 0;
    for (ULONG Index = 0; Index < 8; Index++) {
        if (!CpiopReadDigit(Text[Index], &Digit)) {
            return false;
        }
        *Number = *Number << 4 | Digit;
    }
    return true;
}

/* Reads the header at Text, which has CPIO_HEADER_SIZE bytes. The form with checksums ("070702") is read, not
   verified. */
static bool CpiopReadHeader(const UCHAR *Text, ULONG Fields[FieldCount])
{
    if (memcmp(Text, "070701", CPIO_MAGIC_SIZE) != 0 && memcmp(Text, "070702", CPIO_MAGIC_SIZE) != 0) {
        return false;
    }
    for (ULONG Field = 0; Field < FieldCount; Field++) {
        if (!CpiopReadNumber(Text + CPIO_MAGIC_SIZE + (SIZE_T)Field * 8, &Fields[Field])) {
            return false;
        }
    }
    return true;
}

/* ---- Names ---- */

/* Whether the NameSize bytes at Name are a name, which is not empty, and at least one NUL, and nothing behind
   it. */
static bool CpiopIsName(const UCHAR *Name, SIZE_T NameSize)
{
    SIZE_T Length = strnlen((const char *)Name, NameSize);

    for (SIZE_T Index = Length; Index < NameSize; Index++) {
        if (Name[Index] != '\0') {
            return false;
        }
    }
    return Length != 0 && Length < NameSize;
}

/* The name without "/" and "./" at its beginning; what would become empty becomes ".". */
static PCSTR CpiopStripName(PCSTR Name)
{
    while (Name[0] == '/' || (Name[0] == '.' && Name[1] == '/')) {
        Name += Name[0] == '/' ? 1 : 2;
    }
    return Name[0] != '\0' ? Name : ".";
}

/* ---- Entries ---- */

/* Passes over the zeros before an archive and enters it. False at the end of the blob. */
static bool CpiopEnterArchive(PCPIO_READER Reader)
{
    while (Reader->Next < Reader->Size && Reader->Blob[Reader->Next] == 0) {
        Reader->Next++;
    }
    Reader->Archive = Reader->Next;
    Reader->Inside = Reader->Next < Reader->Size;
    return Reader->Inside;
}

/* The end of a part that starts at Start, rounded up to four bytes from the archive's start; the last padding
   may be missing in the blob. False when the part itself goes beyond it. */
static bool CpiopEndOfPart(const CPIO_READER *Reader, SIZE_T Start, SIZE_T PartSize, PSIZE_T End)
{
    if (Start > Reader->Size || PartSize > Reader->Size - Start) {
        return false;
    }
    *End = Reader->Archive + ALIGN_UP_BY(Start + PartSize - Reader->Archive, 4);
    *End = *End < Reader->Size ? *End : Reader->Size;
    return true;
}

/* Fills Entry from the header, name and data at Reader->Next; *End is where they end. */
static NTSTATUS CpiopReadEntry(const CPIO_READER *Reader, PCPIO_ENTRY Entry, PSIZE_T End)
{
    ULONG Fields[FieldCount];
    SIZE_T Name, Data;

    if (Reader->Size - Reader->Next < CPIO_HEADER_SIZE) {
        return STATUS_END_OF_FILE;
    }
    if (!CpiopReadHeader(Reader->Blob + Reader->Next, Fields)) {
        return STATUS_DATA_ERROR;
    }
    Name = Reader->Next + CPIO_HEADER_SIZE;
    if (!CpiopEndOfPart(Reader, Name, Fields[FieldNameSize], &Data) ||
        !CpiopEndOfPart(Reader, Data, Fields[FieldDataSize], End)) {
        return STATUS_END_OF_FILE;
    }
    *Entry = (CPIO_ENTRY){
        .Name = (PCSTR)Reader->Blob + Name,
        .Data = Reader->Blob + Data,
        .DataSize = Fields[FieldDataSize],
        .Mode = Fields[FieldMode],
        .ModificationTime = Fields[FieldModificationTime],
    };
    return CpiopIsName(Reader->Blob + Name, Fields[FieldNameSize]) ? STATUS_SUCCESS : STATUS_DATA_ERROR;
}

NTSTATUS CpioNext(PCPIO_READER Reader, PCPIO_ENTRY Entry)
{
    for (;;) {
        SIZE_T End;
        if (!Reader->Inside && !CpiopEnterArchive(Reader)) {
            return STATUS_NO_MORE_ENTRIES;
        }
        NTSTATUS Status = CpiopReadEntry(Reader, Entry, &End);
        if (!NT_SUCCESS(Status)) {
            return Status;
        }
        Reader->Next = End;
        if (strcmp(Entry->Name, CPIO_TRAILER) != 0) {
            Entry->Name = CpiopStripName(Entry->Name);
            return STATUS_SUCCESS;
        }
        Reader->Inside = FALSE;
    }
}
