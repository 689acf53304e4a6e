// sources: kernel/rtl/elfimage.c
/* SPDX-License-Identifier: MIT */
/*
 * Program images: a well-formed executable, made here byte by byte, is understood; each way of being
 * ill-formed gets its status; the program that runs this test parses to what the host's own loader made of
 * it; and 30,000 mutated files do no harm: each lies in memory of its exact size under the address sanitizer.
 */
#include <sys/auxv.h>

#include "tests/host/host.h"
#include "kernel/rtl/elf.h"
#include <elfimage.h>

static const LDR_ELF_LIMITS Limits = {0x10000, 0x7FFFFFFFF000};

/*
 * The sample:   offset     address     size
 *   text  RX    0x0000     0x400000    0x1234           holds the headers and the notes
 *   const R     0x1240     0x402240    0x0800           its first page is none of the text's
 *   data  RW    0x1A40     0x402A40    0x0700 + 0x1000  shares the page 0x402000 with const
 */
#define SAMPLE_SIZE    0x2140
#define SAMPLE_HEADERS 7

typedef struct _SAMPLE {
    ELF64_HEADER Header;
    ELF64_PROGRAM_HEADER Segments[SAMPLE_HEADERS];
    ELF64_NOTE Other;
    char OtherName[4], OtherDescriptor[4];
    ELF64_NOTE Note;
    char NoteName[8];
    char Interpreter[8];
} SAMPLE;

enum {
    Text,
    Const,
    Data,
    Notes,
    Stack,
    Tls,
    Spare
};

static union {
    SAMPLE File;
    UCHAR Bytes[SAMPLE_SIZE];
} Sample;

static LDR_ELF_IMAGE Image;

static void MakeSample(void)
{
    for (ULONG Index = 0; Index < SAMPLE_SIZE; Index++) {
        Sample.Bytes[Index] = (UCHAR)(Index * 7 + (Index >> 8));
    }
    Sample.File = (SAMPLE){
        .Header = {.Ident = {0x7F, 'E', 'L', 'F', 2, 1, 1},
                   .Type = ELF_TYPE_EXECUTABLE,
                   .Machine = ELF_MACHINE_X86_64,
                   .Version = 1,
                   .Entry = 0x401000,
                   .ProgramHeaderOffset = offsetof(SAMPLE, Segments),
                   .HeaderSize = 64,
                   .ProgramHeaderSize = 56,
                   .ProgramHeaderCount = SAMPLE_HEADERS},
        .Segments = {[Text] = {ELF_SEGMENT_LOAD, 5, 0, 0x400000, 0, 0x1234, 0x1234, 0x1000},
                     [Const] = {ELF_SEGMENT_LOAD, 4, 0x1240, 0x402240, 0, 0x800, 0x800, 0x1000},
                     [Data] = {ELF_SEGMENT_LOAD, 6, 0x1A40, 0x402A40, 0, 0x700, 0x1700, 0x1000},
                     [Notes] = {ELF_SEGMENT_NOTE, 4, offsetof(SAMPLE, Other), 0, 0, 40, 40, 4},
                     [Stack] = {ELF_SEGMENT_GNU_STACK, 6, 0, 0, 0, 0, 0, 16},
                     [Tls] = {ELF_SEGMENT_TLS, 4, 0x1A40, 0x402A40, 0, 8, 16, 8}},
        .Other = {4, 3, 5},
        .OtherName = "GNU",
        .OtherDescriptor = "abc",
        .Note = {7, 0, 1},
        .NoteName = "Primer",
        .Interpreter = "/ld.so",
    };
}

/* Parses a copy of the sample's first Size bytes in exact memory. */
static NTSTATUS ParseSize(SIZE_T Size)
{
    UCHAR *Copy = malloc(Size + 1); /* + 1: unaligned on purpose */
    memcpy(Copy + 1, Sample.Bytes, Size);
    NTSTATUS Status = LdrParseElfImage(Copy + 1, Size, Size, &Limits, &Image);
    free(Copy);
    return Status;
}

static NTSTATUS Parse(void)
{
    return ParseSize(SAMPLE_SIZE);
}

#define SEGMENT(Index) (Sample.File.Segments[Index])

/* The sample with one change gets Status. */
#define REFUSES(Status, Change)                                                                              \
    do {                                                                                                     \
        MakeSample();                                                                                        \
        Change;                                                                                              \
        CHECK_STATUS(Status, Parse());                                                                       \
    } while (0)
#define ACCEPTS(Change) REFUSES(STATUS_SUCCESS, Change)

static void TheSampleIsUnderstood(void)
{
    MakeSample();
    CHECK_STATUS(STATUS_SUCCESS, Parse());
    CHECK_EQUAL(3, Image.SegmentCount);
    const LDR_ELF_SEGMENT *Segment = Image.Segments;
    CHECK(Segment[0].Start == 0x400000 && Segment[0].End == 0x402000 &&
          Segment[0].Protection == (LDR_ELF_READ | LDR_ELF_EXECUTE));
    CHECK(Segment[1].Start == 0x402000 && Segment[1].End == 0x403000 && Segment[1].Address == 0x402240);
    CHECK(Segment[1].Protection == LDR_ELF_READ && !Segment[1].SharesPage);
    CHECK(Segment[2].Start == 0x402000 && Segment[2].End == 0x405000 && Segment[2].SharesPage);
    CHECK(Segment[2].FileOffset == 0x1A40 && Segment[2].FileSize == 0x700 && Segment[2].MemorySize == 0x1700);
    CHECK(Image.Start == 0x400000 && Image.End == 0x405000 && Image.Entry == 0x401000);
    CHECK(Image.ProgramHeaders == 0x400040 && Image.ProgramHeaderCount == SAMPLE_HEADERS &&
          Image.ProgramHeaderSize == 56);
    CHECK(!Image.PositionIndependent && Image.Alignment == 0x1000 && Image.Native);
    CHECK(!Image.ExecutableStack && !Image.HasInterpreter);
}

static void OptionalPartsAreOptional(void)
{
    ACCEPTS(SEGMENT(Notes).Type = 0);
    CHECK(!Image.Native);
    ACCEPTS(Sample.File.Note.Type = 2);
    CHECK(!Image.Native);
    ACCEPTS(Sample.File.NoteName[5] = 'z');
    CHECK(!Image.Native);
    ACCEPTS(Sample.File.Note.NameSize = 6);
    CHECK(!Image.Native);
    ACCEPTS(Sample.File.Other.DescriptorSize = ~0U);
    CHECK(!Image.Native);
    ACCEPTS(SEGMENT(Notes).FileSize = 38); /* the note is cut */
    CHECK(!Image.Native);
    ACCEPTS(SEGMENT(Notes).Offset = ~0UL);
    CHECK(!Image.Native);
    ACCEPTS(SEGMENT(Notes).FileSize = ~0UL);
    CHECK(Image.Native == FALSE || Image.Native == TRUE);
    ACCEPTS(SEGMENT(Stack).Flags = 7);
    CHECK(Image.ExecutableStack);
    ACCEPTS(SEGMENT(Stack).Type = 0; SEGMENT(Tls).Type = 0);
    CHECK(!Image.ExecutableStack);
    ACCEPTS(SEGMENT(Spare) = ((ELF64_PROGRAM_HEADER){ELF_SEGMENT_INTERPRETER, 4,
                                                     offsetof(SAMPLE, Interpreter), 0, 0, 7, 7, 1}));
    CHECK(Image.HasInterpreter && Image.InterpreterOffset == offsetof(SAMPLE, Interpreter) &&
          Image.InterpreterSize == 7);
    ACCEPTS(SEGMENT(Text).Offset = 0x1000; SEGMENT(Text).FileSize = 0x234);
    CHECK(Image.ProgramHeaders == 0); /* no segment holds them */
}

static void StaticPositionIndependence(void)
{
    ACCEPTS(Sample.File.Header.Type = ELF_TYPE_SHARED; Sample.File.Header.Entry -= 0x400000;
            SEGMENT(Text).VirtualAddress = 0; SEGMENT(Const).VirtualAddress = 0x2240;
            SEGMENT(Data).VirtualAddress = 0x2A40; SEGMENT(Data).Alignment = 0x200000);
    CHECK(Image.PositionIndependent && Image.Start == 0 && Image.End == 0x5000 &&
          Image.ProgramHeaders == 0x40);
    CHECK_EQUAL(0x200000, Image.Alignment);
    REFUSES(STATUS_INVALID_IMAGE_FORMAT, SEGMENT(Text).Alignment = 1UL << 40);
    REFUSES(STATUS_CONFLICTING_ADDRESSES, Sample.File.Header.Type = ELF_TYPE_SHARED;
            Sample.File.Header.Entry = 0x1000; SEGMENT(Text).VirtualAddress = 0;
            SEGMENT(Data).VirtualAddress = 0x7FFFFFFF0A40);
}

static void ForeignFilesAreTold(void)
{
    MakeSample();
    CHECK_STATUS(STATUS_INVALID_IMAGE_NOT_MZ, ParseSize(0));
    CHECK_STATUS(STATUS_INVALID_IMAGE_NOT_MZ, ParseSize(63));
    CHECK_STATUS(STATUS_END_OF_FILE, ParseSize(64));
    REFUSES(STATUS_INVALID_IMAGE_NOT_MZ, memcpy(Sample.Bytes, "#!/bin/sh", 9));
    REFUSES(STATUS_INVALID_IMAGE_WIN_32, Sample.Bytes[4] = 1);
    REFUSES(STATUS_INVALID_IMAGE_FORMAT, Sample.Bytes[4] = 3);
    REFUSES(STATUS_INVALID_IMAGE_FORMAT, Sample.Bytes[5] = 2);
    REFUSES(STATUS_INVALID_IMAGE_FORMAT, Sample.Bytes[6] = 0);
    REFUSES(STATUS_INVALID_IMAGE_FORMAT, Sample.File.Header.Machine = 183);
    REFUSES(STATUS_INVALID_IMAGE_FORMAT, Sample.File.Header.Version = 2);
    REFUSES(STATUS_INVALID_IMAGE_FORMAT, Sample.File.Header.Type = ELF_TYPE_RELOCATABLE);
    REFUSES(STATUS_INVALID_IMAGE_FORMAT, Sample.File.Header.Type = 4);
}

static void BadHeadersAreRefused(void)
{
    REFUSES(STATUS_INVALID_IMAGE_FORMAT, Sample.File.Header.ProgramHeaderSize = 55);
    REFUSES(STATUS_INVALID_IMAGE_FORMAT, Sample.File.Header.ProgramHeaderCount = 0);
    REFUSES(STATUS_INVALID_IMAGE_FORMAT, Sample.File.Header.ProgramHeaderCount = 0xFFFF);
    REFUSES(STATUS_END_OF_FILE, Sample.File.Header.ProgramHeaderCount = 0xFFFE);
    REFUSES(STATUS_END_OF_FILE, Sample.File.Header.ProgramHeaderOffset = SAMPLE_SIZE - 56);
    REFUSES(STATUS_END_OF_FILE, Sample.File.Header.ProgramHeaderOffset = ~0UL - 100);
    REFUSES(STATUS_INVALID_IMAGE_FORMAT, Sample.File.Header.Entry = 0);
    REFUSES(STATUS_INVALID_IMAGE_FORMAT, Sample.File.Header.Entry = 0x402000); /* in a hole */
    REFUSES(STATUS_INVALID_IMAGE_FORMAT, SEGMENT(Text).Type = SEGMENT(Const).Type = SEGMENT(Data).Type = 0);
    REFUSES(STATUS_INVALID_IMAGE_FORMAT,
            SEGMENT(Spare) = ((ELF64_PROGRAM_HEADER){ELF_SEGMENT_INTERPRETER, 4, 0, 0, 0, 1, 1, 1}));
    REFUSES(STATUS_END_OF_FILE, SEGMENT(Spare) = ((ELF64_PROGRAM_HEADER){ELF_SEGMENT_INTERPRETER, 4,
                                                                         SAMPLE_SIZE, 0, 0, 9, 9, 1}));
}

static void BadSegmentsAreRefused(void)
{
    REFUSES(STATUS_INVALID_IMAGE_FORMAT, SEGMENT(Data).FileSize = SEGMENT(Data).MemorySize + 1);
    REFUSES(STATUS_INVALID_IMAGE_FORMAT, SEGMENT(Data).Alignment = 3);
    REFUSES(STATUS_INVALID_IMAGE_FORMAT, SEGMENT(Data).Offset++);
    REFUSES(STATUS_INVALID_IMAGE_FORMAT, SEGMENT(Data).VirtualAddress++);
    REFUSES(STATUS_END_OF_FILE, SEGMENT(Data).FileSize++);
    REFUSES(STATUS_END_OF_FILE, SEGMENT(Data).Offset += 0x1000);
    REFUSES(STATUS_END_OF_FILE, SEGMENT(Data).Offset = 0xFFFFFFFFFFFFFA40);
    REFUSES(STATUS_CONFLICTING_ADDRESSES, SEGMENT(Data).MemorySize = ~0UL);
    REFUSES(STATUS_CONFLICTING_ADDRESSES, SEGMENT(Data).MemorySize = ~0UL - 0x402A40);
    REFUSES(STATUS_CONFLICTING_ADDRESSES, SEGMENT(Data).VirtualAddress = 0xFFFFFFFF80000A40);
    REFUSES(STATUS_CONFLICTING_ADDRESSES, SEGMENT(Data).VirtualAddress = 0x7FFFFFFFEA40);
    REFUSES(STATUS_CONFLICTING_ADDRESSES, SEGMENT(Text).VirtualAddress = 0xF000);
}

static void OverlapAndDisorderAreRefused(void)
{
    REFUSES(STATUS_CONFLICTING_ADDRESSES, SEGMENT(Const).MemorySize++);
    ACCEPTS(SEGMENT(Text).MemorySize = 0x2240); /* up to the next one's first byte */
    CHECK(Image.Segments[1].SharesPage);
    REFUSES(STATUS_CONFLICTING_ADDRESSES, SEGMENT(Text).MemorySize = 0x2241);
    REFUSES(STATUS_CONFLICTING_ADDRESSES, SEGMENT(Data).VirtualAddress = 0x3FFA40);
    REFUSES(STATUS_CONFLICTING_ADDRESSES, ELF64_PROGRAM_HEADER Swap = SEGMENT(Const);
            SEGMENT(Const) = SEGMENT(Data); SEGMENT(Data) = Swap);
    ACCEPTS(SEGMENT(Const).FileSize = SEGMENT(Const).MemorySize = 0); /* an empty one is none */
    CHECK_EQUAL(2, Image.SegmentCount);
    ACCEPTS(SEGMENT(Data).FileSize = 0;
            SEGMENT(Data).Offset = 0); /* zeroed memory only: its offset means nothing */
}

/* An executable with Count segments of a page of zeros each. */
static NTSTATUS ParseMany(ULONG Count)
{
    SIZE_T Size = sizeof(ELF64_HEADER) + Count * sizeof(ELF64_PROGRAM_HEADER);
    UCHAR *File = calloc(1, Size);

    MakeSample();
    memcpy(File, &Sample.File.Header, sizeof(ELF64_HEADER));
    ((ELF64_HEADER *)File)->ProgramHeaderCount = (USHORT)Count;
    for (ULONG Index = 0; Index < Count; Index++) {
        ((ELF64_PROGRAM_HEADER *)(File + sizeof(ELF64_HEADER)))[Index] =
            (ELF64_PROGRAM_HEADER){ELF_SEGMENT_LOAD, 6, 0, 0x400000 + Index * 0x1000UL, 0, 0, 0x1000, 0x1000};
    }
    NTSTATUS Status = LdrParseElfImage(File, Size, Size, &Limits, &Image);
    free(File);
    return Status;
}

static void TheNumberOfSegmentsIsLimited(void)
{
    CHECK_STATUS(STATUS_SUCCESS, ParseMany(LDR_ELF_MAXIMUM_SEGMENTS));
    CHECK_EQUAL(LDR_ELF_MAXIMUM_SEGMENTS, Image.SegmentCount);
    CHECK_STATUS(STATUS_INSUFFICIENT_RESOURCES, ParseMany(LDR_ELF_MAXIMUM_SEGMENTS + 1));
}

static void ABeginningOfTheFileIsEnough(void)
{
    SIZE_T Size = offsetof(SAMPLE, Other);
    UCHAR *Copy = malloc(Size);

    MakeSample();
    memcpy(Copy, Sample.Bytes, Size);
    CHECK_STATUS(STATUS_SUCCESS, LdrParseElfImage(Copy, Size, SAMPLE_SIZE, &Limits, &Image));
    CHECK(!Image.Native); /* its notes lie behind */
    CHECK_STATUS(STATUS_END_OF_FILE, LdrParseElfImage(Copy, Size - 1, SAMPLE_SIZE, &Limits, &Image));
    CHECK_STATUS(STATUS_END_OF_FILE, LdrParseElfImage(Copy, Size, SAMPLE_SIZE - 1, &Limits, &Image));
    free(Copy);
}

static void PagesHaveEverySegmentsBytes(void)
{
    UCHAR *Page = malloc(PAGE_SIZE);

    MakeSample();
    CHECK_STATUS(STATUS_SUCCESS, Parse());
    CHECK_EQUAL(LDR_ELF_READ | LDR_ELF_EXECUTE, LdrReadElfImagePage(&Image, Sample.Bytes, 0x401000, Page));
    CHECK(memcmp(Page, Sample.Bytes + 0x1000, 0x234) == 0 && Page[0x234] == 0 && Page[0xFFF] == 0);
    CHECK_EQUAL(LDR_ELF_READ | LDR_ELF_WRITE, LdrReadElfImagePage(&Image, Sample.Bytes, 0x402000, Page));
    CHECK(Page[0x23F] == 0 && memcmp(Page + 0x240, Sample.Bytes + 0x1240, 0x800) == 0);
    CHECK(memcmp(Page + 0xA40, Sample.Bytes + 0x1A40, 0x5C0) == 0);
    CHECK_EQUAL(LDR_ELF_READ | LDR_ELF_WRITE, LdrReadElfImagePage(&Image, Sample.Bytes, 0x403000, Page));
    CHECK(memcmp(Page, Sample.Bytes + 0x2000, 0x140) == 0 && Page[0x140] == 0);
    CHECK_EQUAL(LDR_ELF_READ | LDR_ELF_WRITE, LdrReadElfImagePage(&Image, Sample.Bytes, 0x404000, Page));
    CHECK(Page[0] == 0);
    CHECK_EQUAL(0, LdrReadElfImagePage(&Image, Sample.Bytes, 0x405000, Page));
    CHECK_EQUAL(0, LdrReadElfImagePage(&Image, Sample.Bytes, 0x3FF000, Page));
    free(Page);
}

/* The whole of a file, in exact memory; NULL when there is none. */
static UCHAR *ReadFile(const char *Name, SIZE_T *Size)
{
    FILE *Stream = fopen(Name, "rb");
    UCHAR *Bytes = NULL;

    *Size = 0;
    while (Stream != NULL && !feof(Stream)) {
        Bytes = realloc(Bytes, *Size + 0x10000);
        *Size += fread(Bytes + *Size, 1, 0x10000, Stream);
    }
    if (Stream != NULL) {
        fclose(Stream);
    }
    return Bytes != NULL ? realloc(Bytes, *Size) : NULL;
}

/* Compares memory that the address sanitizer has fenced in places. */
__attribute__((no_sanitize("address"))) static bool IsSame(const volatile UCHAR *One,
                                                           const volatile UCHAR *Two, SIZE_T Size)
{
    while (Size != 0 && *One == *Two) {
        One++;
        Two++;
        Size--;
    }
    return Size == 0;
}

/* What the host's loader made of this program is what the parser says of its file. */
static void ThisProgramIsUnderstood(void)
{
    SIZE_T Size;
    UCHAR *File = ReadFile("/proc/self/exe", &Size), *Page = malloc(PAGE_SIZE);
    ULONG64 Headers = getauxval(AT_PHDR);

    if (File == NULL || Size < 20 || File[18] != ELF_MACHINE_X86_64 || Headers == 0) {
        SKIP("not an x86-64 host");
    }
    if (!CHECK_STATUS(STATUS_SUCCESS, LdrParseElfImage(File, Size, Size, &Limits, &Image))) {
        return;
    }
    ULONG64 Bias = Headers - Image.ProgramHeaders;
    CHECK(Bias == 0 || Image.PositionIndependent);
    CHECK_EQUAL(getauxval(AT_ENTRY), Image.Entry + Bias);
    CHECK_EQUAL(getauxval(AT_PHNUM), Image.ProgramHeaderCount);
    for (ULONG Index = 0; Index < Image.SegmentCount; Index++) {
        const LDR_ELF_SEGMENT *Segment = &Image.Segments[Index];
        for (ULONG64 Address = Segment->Start; Address < Segment->End; Address += PAGE_SIZE) {
            ULONG64 From = Address > Segment->Address ? Address : Segment->Address;
            ULONG64 To = Segment->Address + Segment->FileSize;
            To = To < Address + PAGE_SIZE ? To : Address + PAGE_SIZE;
            LdrReadElfImagePage(&Image, File, Address, Page);
            if ((Segment->Protection & LDR_ELF_WRITE) == 0 && From < To) {
                CHECK(IsSame((const UCHAR *)(From + Bias), Page + (From - Address), To - From));
            }
        }
    }
    free(File);
    free(Page);
}

/* What holds of every image that the parser lets through. */
static void CheckInvariants(const UCHAR *File, SIZE_T Size)
{
    static UCHAR Page[PAGE_SIZE];
    ULONG64 Before = 0;

    CHECK(Image.SegmentCount >= 1 && Image.SegmentCount <= LDR_ELF_MAXIMUM_SEGMENTS);
    for (ULONG Index = 0; Index < Image.SegmentCount; Index++) {
        const LDR_ELF_SEGMENT *Segment = &Image.Segments[Index];
        CHECK(Segment->Start % PAGE_SIZE == 0 && Segment->End % PAGE_SIZE == 0 &&
              Segment->Start < Segment->End);
        CHECK(Segment->Start <= Segment->Address && Segment->Address - Segment->Start < PAGE_SIZE);
        CHECK(Segment->Address + Segment->MemorySize <= Segment->End &&
              Segment->FileSize <= Segment->MemorySize);
        CHECK(Segment->End <= Limits.Highest &&
              (Image.PositionIndependent || Segment->Start >= Limits.Lowest));
        CHECK(Segment->FileSize == 0 ||
              (Segment->FileOffset <= Size && Segment->FileSize <= Size - Segment->FileOffset));
        CHECK(Segment->Address >= Before);
        CHECK(Segment->SharesPage == (Index != 0 && Segment->Start < Image.Segments[Index - 1].End));
        Before = Segment->Address + Segment->MemorySize;
        CHECK(LdrReadElfImagePage(&Image, File, Segment->Start, Page) >= Segment->Protection);
        LdrReadElfImagePage(&Image, File, Segment->End - PAGE_SIZE, Page);
        ULONG64 LastFilePage = ALIGN_DOWN_BY(Segment->Address + Segment->FileSize, PAGE_SIZE);
        LdrReadElfImagePage(&Image, File, LastFilePage, Page);
    }
    CHECK(Image.End - Image.Start <= Limits.Highest - Limits.Lowest);
    CHECK(!Image.HasInterpreter || Image.InterpreterOffset + Image.InterpreterSize <= Size);
}

/* Overwrites 1, 2, 4 or 8 bytes somewhere, the headers preferred, with a value that tends to hurt. */
static void Mutate(PRTL_RANDOM Random, UCHAR *File, SIZE_T Size)
{
    static const ULONG64 Nasty[] = {0,
                                    1,
                                    2,
                                    3,
                                    7,
                                    0x10,
                                    0xFF,
                                    0xFFF,
                                    0x1000,
                                    0x1001,
                                    0x7FFF,
                                    0xFFFF,
                                    0x7FFFFFFF,
                                    0x80000000,
                                    0xFFFFFFFF,
                                    0x7FFFFFFFF000,
                                    0x800000000000,
                                    0x7FFFFFFFFFFFFFFF,
                                    0xFFFFFFFFFFFFF000,
                                    ~0UL};
    ULONG Width = 1U << RtlRandomBelow(Random, 4);
    SIZE_T Reach = RtlRandomBelow(Random, 4) && Size > sizeof(SAMPLE) ? sizeof(SAMPLE) : Size;
    ULONG64 Value =
        RtlRandomBelow(Random, 3) ? Nasty[RtlRandomBelow(Random, ARRAYSIZE(Nasty))] : RtlNextRandom(Random);

    if (Reach >= Width) {
        SIZE_T Place = RtlRandomBelow(Random, (ULONG)(Reach - Width) + 1);
        Place = RtlRandomBelow(Random, 4) ? ALIGN_DOWN_BY(Place, Width) : Place;
        memcpy(File + Place, &Value, Width);
    }
}

static void MutatedFilesDoNoHarm(void)
{
    RTL_RANDOM Random = HostRandom();
    ULONG Accepted = 0;

    MakeSample();
    for (ULONG Round = 0; Round < 30000; Round++) {
        SIZE_T Size = RtlRandomBelow(&Random, 10) ? SAMPLE_SIZE : RtlRandomBelow(&Random, SAMPLE_SIZE + 1);
        UCHAR *File = malloc(Size != 0 ? Size : 1);
        memcpy(File, Sample.Bytes, Size);
        for (ULONG Changes = RtlRandomBelow(&Random, 4) + 1; Changes != 0; Changes--) {
            Mutate(&Random, File, Size);
        }
        NTSTATUS Status = LdrParseElfImage(File, Size, Size, &Limits, &Image);
        CHECK(Status == STATUS_SUCCESS || NT_ERROR(Status));
        if (NT_SUCCESS(Status)) {
            CheckInvariants(File, Size);
            Accepted++;
        }
        free(File);
    }
    printf("%u of 30000 mutated files were still acceptable\n", Accepted);
    CHECK(Accepted > 1000 && Accepted < 29000); /* else the mutations are too harsh, or miss the headers */
}

int main(void)
{
    RUN(TheSampleIsUnderstood);
    RUN(OptionalPartsAreOptional);
    RUN(StaticPositionIndependence);
    RUN(ForeignFilesAreTold);
    RUN(BadHeadersAreRefused);
    RUN(BadSegmentsAreRefused);
    RUN(OverlapAndDisorderAreRefused);
    RUN(TheNumberOfSegmentsIsLimited);
    RUN(ABeginningOfTheFileIsEnough);
    RUN(PagesHaveEverySegmentsBytes);
    RUN(ThisProgramIsUnderstood);
    RUN(MutatedFilesDoNoHarm);
    return HostEnd();
}
