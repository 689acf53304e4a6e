/* SPDX-License-Identifier: MIT */
/*
 * Program images. Each header is copied out once, each sum is checked against overflow before it is used, and
 * what a check has passed is kept in the result: nobody goes back to the file for it.
 */
#include <elfimage.h>

#include <ntrtl.h>

#include "kernel/rtl/elf.h"
#include "kernel/rtl/export.h"

#define LDRP_NATIVE_NOTE_NAME "Primer"
#define LDRP_NATIVE_NOTE_TYPE 1

/* No more of a note segment is looked at: the notes of interest come first, and the walk must end soon. */
#define LDRP_MAXIMUM_NOTE_BYTES PAGE_SIZE

/* So that a loader may search for an aligned place without fear of overflow. */
#define LDRP_MAXIMUM_ALIGNMENT (1UL << 30)

/* What the parsing routines pass among themselves. */
typedef struct _LDRP_ELF_READER {
    const UCHAR *Buffer;
    SIZE_T BufferSize;
    ULONG64 FileSize;
    LDR_ELF_LIMITS Limits;
    ULONG64 HeadersOffset; /* of the program headers in the file */
    ULONG64 HeadersSize;
} LDRP_ELF_READER, *PLDRP_ELF_READER;

/* ---- The file header ---- */

static NTSTATUS LdrpCheckIdentity(const ELF64_HEADER *Header)
{
    if (memcmp(Header->Ident, "\177ELF", 4) != 0) {
        return STATUS_INVALID_IMAGE_NOT_MZ;
    }
    if (Header->Ident[ELF_IDENT_CLASS] == ELF_CLASS_32) {
        return STATUS_INVALID_IMAGE_WIN_32;
    }
    if (Header->Ident[ELF_IDENT_CLASS] != ELF_CLASS_64 || Header->Ident[ELF_IDENT_DATA] != ELF_DATA_LITTLE ||
        Header->Ident[ELF_IDENT_VERSION] != ELF_VERSION_CURRENT || Header->Version != ELF_VERSION_CURRENT ||
        Header->Machine != ELF_MACHINE_X86_64) {
        return STATUS_INVALID_IMAGE_FORMAT;
    }
    return STATUS_SUCCESS;
}

static NTSTATUS LdrpReadHeader(PLDRP_ELF_READER Reader, PLDR_ELF_IMAGE Image)
{
    ELF64_HEADER Header;

    if (Reader->BufferSize < sizeof(Header)) {
        return STATUS_INVALID_IMAGE_NOT_MZ;
    }
    memcpy(&Header, Reader->Buffer, sizeof(Header));
    NTSTATUS Status = LdrpCheckIdentity(&Header);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    if ((Header.Type != ELF_TYPE_EXECUTABLE && Header.Type != ELF_TYPE_SHARED) ||
        Header.ProgramHeaderSize != sizeof(ELF64_PROGRAM_HEADER) || Header.ProgramHeaderCount == 0 ||
        Header.ProgramHeaderCount == ELF_PROGRAM_HEADER_COUNT_ELSEWHERE) {
        return STATUS_INVALID_IMAGE_FORMAT;
    }
    Image->PositionIndependent = Header.Type == ELF_TYPE_SHARED;
    Image->Entry = Header.Entry;
    Image->ProgramHeaderCount = Header.ProgramHeaderCount;
    Image->ProgramHeaderSize = Header.ProgramHeaderSize;
    Reader->HeadersOffset = Header.ProgramHeaderOffset;
    Reader->HeadersSize = (ULONG64)Header.ProgramHeaderCount * sizeof(ELF64_PROGRAM_HEADER);
    return LdrpIsWithin(Reader->HeadersOffset, Reader->HeadersSize, Reader->BufferSize) ? STATUS_SUCCESS
                                                                                        : STATUS_END_OF_FILE;
}

/* ---- Segments ---- */

static bool LdrpIsAlignment(ULONG64 Alignment)
{
    return (Alignment & (Alignment - 1)) == 0 &&
           Alignment <= LDRP_MAXIMUM_ALIGNMENT; /* 0 and 1 ask for none */
}

/* What a segment says about itself: sizes, alignment, its place in the file and in the limits. */
static NTSTATUS LdrpCheckSegment(const LDRP_ELF_READER *Reader, const LDR_ELF_IMAGE *Image,
                                 const ELF64_PROGRAM_HEADER *Header)
{
    /* A position-independent image will be moved: only its span, checked at the end, has to fit. */
    ULONG64 Lowest = Image->PositionIndependent ? 0 : Reader->Limits.Lowest;

    if (Header->FileSize > Header->MemorySize || !LdrpIsAlignment(Header->Alignment)) {
        return STATUS_INVALID_IMAGE_FORMAT;
    }
    if (Header->FileSize != 0 && (Header->VirtualAddress - Header->Offset) % PAGE_SIZE != 0) {
        return STATUS_INVALID_IMAGE_FORMAT;
    }
    if (Header->FileSize != 0 && !LdrpIsWithin(Header->Offset, Header->FileSize, Reader->FileSize)) {
        return STATUS_END_OF_FILE;
    }
    if (Header->VirtualAddress < Lowest ||
        !LdrpIsWithin(Header->VirtualAddress, Header->MemorySize, Reader->Limits.Highest)) {
        return STATUS_CONFLICTING_ADDRESSES;
    }
    return STATUS_SUCCESS;
}

/* Whether Segment may follow Before: past its last byte, so that at most the page of that byte is common to
   them. */
static NTSTATUS LdrpCheckOrder(const LDR_ELF_SEGMENT *Before, PLDR_ELF_SEGMENT Segment)
{
    if (Segment->Address < Before->Address + Before->MemorySize) {
        return STATUS_CONFLICTING_ADDRESSES;
    }
    Segment->SharesPage = Segment->Start < Before->End;
    return STATUS_SUCCESS;
}

static NTSTATUS LdrpAddSegment(const LDRP_ELF_READER *Reader, PLDR_ELF_IMAGE Image,
                               const ELF64_PROGRAM_HEADER *Header)
{
    if (Header->MemorySize == 0 && Header->FileSize == 0) {
        return STATUS_SUCCESS;
    }
    NTSTATUS Status = LdrpCheckSegment(Reader, Image, Header);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    if (Image->SegmentCount == LDR_ELF_MAXIMUM_SEGMENTS) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    PLDR_ELF_SEGMENT Segment = &Image->Segments[Image->SegmentCount];
    *Segment = (LDR_ELF_SEGMENT){
        .Start = ALIGN_DOWN_BY(Header->VirtualAddress, PAGE_SIZE),
        .End = ROUND_TO_PAGES(Header->VirtualAddress + Header->MemorySize),
        .Address = Header->VirtualAddress,
        .MemorySize = Header->MemorySize,
        .FileOffset = Header->Offset,
        .FileSize = Header->FileSize,
        .Protection = Header->Flags & (LDR_ELF_READ | LDR_ELF_WRITE | LDR_ELF_EXECUTE),
    };
    if (Image->SegmentCount != 0) {
        Status = LdrpCheckOrder(Segment - 1, Segment);
    }
    Image->SegmentCount++;
    if (Header->Alignment > Image->Alignment) {
        Image->Alignment = Header->Alignment;
    }
    return Status;
}

C_ASSERT(LDR_ELF_READ == ELF_SEGMENT_READ && LDR_ELF_WRITE == ELF_SEGMENT_WRITE &&
         LDR_ELF_EXECUTE == ELF_SEGMENT_EXECUTE);

/* ---- Notes, and the rest ---- */

/* What the native note says behind the version of the interface: where the program is entered for APCs and
   exceptions, each as a distance from the place where it stands. */
static VOID LdrpReadDispatchers(const UCHAR *Descriptor, ULONG64 Address, PLDR_ELF_IMAGE Image)
{
    LONG Distance[2];
    memcpy(Distance, Descriptor + sizeof(ULONG), sizeof(Distance));
    Image->ApcDispatcher = Address + sizeof(ULONG) + (ULONG64)(LONG64)Distance[0];
    Image->ExceptionDispatcher = Address + 2 * sizeof(ULONG) + (ULONG64)(LONG64)Distance[1];
}

/* The note at Offset of the Size bytes at Notes, which are in memory at Address: the native one? *Offset
   moves behind it; false at the end. */
static bool LdrpReadNote(const UCHAR *Notes, SIZE_T Size, ULONG64 Alignment, ULONG64 Address, SIZE_T *Offset,
                         PLDR_ELF_IMAGE Image)
{
    ELF64_NOTE Note;
    SIZE_T Name = *Offset + sizeof(Note);

    if (!LdrpIsWithin(*Offset, sizeof(Note), Size)) {
        return false;
    }
    memcpy(&Note, Notes + *Offset, sizeof(Note));
    /* 32-bit sizes and at most a page of notes: no sum below overflows 64 bits. */
    ULONG64 Descriptor = ALIGN_UP_BY(Name + Note.NameSize, Alignment);
    if (!LdrpIsWithin(Name, Note.NameSize, Size) || !LdrpIsWithin(Descriptor, Note.DescriptorSize, Size)) {
        return false;
    }
    if (Note.Type == LDRP_NATIVE_NOTE_TYPE && Note.NameSize == sizeof(LDRP_NATIVE_NOTE_NAME) &&
        memcmp(Notes + Name, LDRP_NATIVE_NOTE_NAME, sizeof(LDRP_NATIVE_NOTE_NAME)) == 0) {
        Image->Native = TRUE;
        if (Note.DescriptorSize >= 3 * sizeof(ULONG)) {
            LdrpReadDispatchers(Notes + Descriptor, Address + Descriptor, Image);
        }
    }
    *Offset = ALIGN_UP_BY(Descriptor + Note.DescriptorSize, Alignment);
    return true;
}

/* Looks for the native note. Ill-formed notes are nobody's business here, and end the walk. */
static VOID LdrpReadNotes(const LDRP_ELF_READER *Reader, PLDR_ELF_IMAGE Image,
                          const ELF64_PROGRAM_HEADER *Header)
{
    SIZE_T Size = Header->FileSize < LDRP_MAXIMUM_NOTE_BYTES ? Header->FileSize : LDRP_MAXIMUM_NOTE_BYTES;
    SIZE_T Offset = 0;

    if (!LdrpIsWithin(Header->Offset, Size, Reader->BufferSize)) {
        return;
    }
    while (!Image->Native && LdrpReadNote(Reader->Buffer + Header->Offset, Size, Header->Alignment == 8 ? 8 : 4,
                                          Header->VirtualAddress, &Offset, Image)) {}
}

static NTSTATUS LdrpReadInterpreter(const LDRP_ELF_READER *Reader, PLDR_ELF_IMAGE Image,
                                    const ELF64_PROGRAM_HEADER *Header)
{
    if (!LdrpIsWithin(Header->Offset, Header->FileSize, Reader->FileSize)) {
        return STATUS_END_OF_FILE;
    }
    if (Image->HasInterpreter || Header->FileSize < 2 || Header->FileSize > PAGE_SIZE) {
        return STATUS_INVALID_IMAGE_FORMAT;
    }
    Image->HasInterpreter = TRUE;
    Image->InterpreterOffset = Header->Offset;
    Image->InterpreterSize = Header->FileSize;
    return STATUS_SUCCESS;
}

static NTSTATUS LdrpReadProgramHeader(const LDRP_ELF_READER *Reader, PLDR_ELF_IMAGE Image,
                                      const ELF64_PROGRAM_HEADER *Header)
{
    switch (Header->Type) {
    case ELF_SEGMENT_LOAD:
        return LdrpAddSegment(Reader, Image, Header);
    case ELF_SEGMENT_INTERPRETER:
        return LdrpReadInterpreter(Reader, Image, Header);
    case ELF_SEGMENT_NOTE:
        LdrpReadNotes(Reader, Image, Header);
        return STATUS_SUCCESS;
    case ELF_SEGMENT_GNU_STACK:
        Image->ExecutableStack = (Header->Flags & ELF_SEGMENT_EXECUTE) != 0;
        return STATUS_SUCCESS;
    default:
        return STATUS_SUCCESS;
    }
}

/* ---- The whole ---- */

static bool LdrpIsInSegment(const LDR_ELF_IMAGE *Image, ULONG64 Address)
{
    for (ULONG Index = 0; Index < Image->SegmentCount; Index++) {
        if (Address - Image->Segments[Index].Address < Image->Segments[Index].MemorySize) {
            return true;
        }
    }
    return false;
}

/* The address at which a segment brings the program headers into memory; 0 when none does. */
static ULONG64 LdrpFindProgramHeaders(const LDRP_ELF_READER *Reader, const LDR_ELF_IMAGE *Image)
{
    for (ULONG Index = 0; Index < Image->SegmentCount; Index++) {
        const LDR_ELF_SEGMENT *Segment = &Image->Segments[Index];
        if (Reader->HeadersOffset >= Segment->FileOffset &&
            LdrpIsWithin(Reader->HeadersOffset - Segment->FileOffset, Reader->HeadersSize,
                         Segment->FileSize)) {
            return Segment->Address + (Reader->HeadersOffset - Segment->FileOffset);
        }
    }
    return 0;
}

static NTSTATUS LdrpFinishImage(const LDRP_ELF_READER *Reader, PLDR_ELF_IMAGE Image)
{
    if (Image->SegmentCount == 0) {
        return STATUS_INVALID_IMAGE_FORMAT;
    }
    Image->Start = Image->Segments[0].Start;
    Image->End = Image->Segments[Image->SegmentCount - 1].End;
    if (Image->End - Image->Start > Reader->Limits.Highest - Reader->Limits.Lowest) {
        return STATUS_CONFLICTING_ADDRESSES;
    }
    if (!LdrpIsInSegment(Image, Image->Entry)) {
        return STATUS_INVALID_IMAGE_FORMAT;
    }
    Image->ProgramHeaders = LdrpFindProgramHeaders(Reader, Image);
    return STATUS_SUCCESS;
}

NTSTATUS LdrParseElfImage(const VOID *Buffer, SIZE_T BufferSize, ULONG64 FileSize,
                          const LDR_ELF_LIMITS *Limits, PLDR_ELF_IMAGE Image)
{
    LDRP_ELF_READER Reader = {.Buffer = Buffer, .FileSize = FileSize, .Limits = *Limits};

    Reader.BufferSize = BufferSize < FileSize ? BufferSize : FileSize;
    memset(Image, 0, sizeof(*Image));
    Image->Alignment = PAGE_SIZE;

    NTSTATUS Status = LdrpReadHeader(&Reader, Image);
    for (ULONG Index = 0; NT_SUCCESS(Status) && Index < Image->ProgramHeaderCount; Index++) {
        ELF64_PROGRAM_HEADER Header;
        memcpy(&Header, Reader.Buffer + Reader.HeadersOffset + Index * sizeof(Header), sizeof(Header));
        Status = LdrpReadProgramHeader(&Reader, Image, &Header);
    }
    return NT_SUCCESS(Status) ? LdrpFinishImage(&Reader, Image) : Status;
}
EXPORT(LdrParseElfImage);

/* ---- Contents ---- */

ULONG LdrReadElfImagePage(const LDR_ELF_IMAGE *Image, const VOID *File, ULONG64 PageAddress, PVOID Page)
{
    ULONG Protection = 0;

    memset(Page, 0, PAGE_SIZE);
    for (ULONG Index = 0; Index < Image->SegmentCount; Index++) {
        const LDR_ELF_SEGMENT *Segment = &Image->Segments[Index];
        if (PageAddress < Segment->Start || PageAddress >= Segment->End) {
            continue;
        }
        Protection |= Segment->Protection;
        ULONG64 From = Segment->Address > PageAddress ? Segment->Address : PageAddress;
        ULONG64 To = Segment->Address + Segment->FileSize;
        To = To < PageAddress + PAGE_SIZE ? To : PageAddress + PAGE_SIZE;
        if (From < To) {
            memcpy((PUCHAR)Page + (From - PageAddress),
                   (const UCHAR *)File + Segment->FileOffset + (From - Segment->Address), To - From);
        }
    }
    return Protection;
}
EXPORT(LdrReadElfImagePage);
