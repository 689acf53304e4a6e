// sources: kernel/io/cpio.c
/* SPDX-License-Identifier: MIT */
/*
 * Boot archives: names, data and attributes come out as they went in, over concatenated and padded archives;
 * what is ill-formed gets its status; 30,000 mutated blobs do no harm (each in memory of its exact size,
 * under the address sanitizer); and an archive of the host's own cpio program is read.
 */
#include "tests/host/host.h"
#include "kernel/io/cpio.h"

static UCHAR Blob[0x10000];
static SIZE_T BlobSize;
static CPIO_READER Reader;
static CPIO_ENTRY Entry;

/* ---- Writing archives ---- */

static void Pad(SIZE_T Start, SIZE_T Alignment)
{
    while ((BlobSize - Start) % Alignment != 0) {
        Blob[BlobSize++] = 0;
    }
}

/* Adds an entry to the archive that starts at Start; NulCount NULs end its name. Returns where its header
   is. */
static SIZE_T Add(SIZE_T Start, const char *Name, ULONG NulCount, ULONG Mode, const char *Data, SIZE_T Size)
{
    SIZE_T Where = BlobSize;

    BlobSize += (SIZE_T)sprintf((char *)Blob + BlobSize,
                                "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", 77, Mode, 1, 2,
                                3, 0x5F000000, (ULONG)Size, 8, 9, 10, 11, (ULONG)strlen(Name) + NulCount, 0);
    strcpy((char *)Blob + BlobSize, Name);
    memset(Blob + BlobSize + strlen(Name), 0, NulCount);
    BlobSize += strlen(Name) + NulCount;
    Pad(Start, 4);
    memcpy(Blob + BlobSize, Data, Size);
    BlobSize += Size;
    Pad(Start, 4);
    return Where;
}

static SIZE_T AddText(const char *Name, const char *Text)
{
    return Add(0, Name, 1, 0100644, Text, strlen(Text));
}

static void AddTrailer(void)
{
    Add(0, "TRAILER!!!", 1, 0, "", 0);
}

static void Begin(void)
{
    memset(Blob, 0xEE, sizeof(Blob));
    BlobSize = 0;
}

/* ---- Reading them ---- */

/* Everything of the blob as text: "name:size:data " for each entry, then the status that ended it, all in
   exact memory. */
static const char *ReadAll(void)
{
    static char Result[1024];
    UCHAR *Copy = malloc(BlobSize + 1);
    SIZE_T Length = 0;
    NTSTATUS Status;

    memcpy(Copy, Blob, BlobSize);
    CpioStart(&Reader, Copy, BlobSize);
    while ((Status = CpioNext(&Reader, &Entry)) == STATUS_SUCCESS && Length < 900) {
        Length += (SIZE_T)sprintf(Result + Length, "%s:%u:%.*s ", Entry.Name, (ULONG)Entry.DataSize,
                                  Entry.DataSize < 20 ? (int)Entry.DataSize : 20, (const char *)Entry.Data);
    }
    sprintf(Result + Length, "%s",
            Status == STATUS_NO_MORE_ENTRIES ? "end"
            : Status == STATUS_DATA_ERROR    ? "bad"
            : Status == STATUS_END_OF_FILE   ? "cut"
                                             : "unknown");
    CHECK(CpioNext(&Reader, &Entry) == Status); /* it stays that way */
    free(Copy);
    return Result;
}

static void EntriesComeInOrder(void)
{
    Begin();
    AddText("a", "");
    AddText("b/cd", "x");
    AddText("b/efg", "wxyz");
    AddText("long-name", "12345");
    AddTrailer();
    CHECK_TEXT("a:0: b/cd:1:x b/efg:4:wxyz long-name:5:12345 end", ReadAll());
}

static void AttributesAreKept(void)
{
    Begin();
    Add(0, "link", 1, 0120777, "target", 6);
    AddTrailer();
    CpioStart(&Reader, Blob, BlobSize);
    CHECK_STATUS(STATUS_SUCCESS, CpioNext(&Reader, &Entry));
    CHECK(Entry.Mode == 0120777 && Entry.ModificationTime == 0x5F000000 && Entry.DataSize == 6);
    CHECK(Entry.Data >= Blob && Entry.Data + 6 <= Blob + BlobSize && memcmp(Entry.Data, "target", 6) == 0);
}

static void PaddedNamesAlignData(void)
{
    Begin();
    AddText("first", "1");
    ULONG Room = 4096 - (ULONG)(BlobSize + 110) % 4096;
    Add(0, "page", Room - 4, 0100755, "on a page", 9);
    AddTrailer();
    CHECK_TEXT("first:1:1 page:9:on a page end", ReadAll());
    CpioStart(&Reader, Blob, BlobSize);
    CHECK(CpioNext(&Reader, &Entry) == STATUS_SUCCESS && CpioNext(&Reader, &Entry) == STATUS_SUCCESS);
    CHECK_EQUAL(0, (SIZE_T)(Entry.Data - Blob) % 4096);
}

static void ArchivesFollowEachOther(void)
{
    Begin();
    AddText("a", "1");
    AddTrailer();
    AddText("b", "22"); /* at once */
    AddTrailer();
    Pad(0, 512); /* behind zeros, as cpio pads its output */
    SIZE_T Second = BlobSize;
    Add(Second, "c", 1, 0100644, "333", 3);
    Add(Second, "TRAILER!!!", 1, 0, "", 0);
    BlobSize += 3; /* and at an odd place: alignment counts from an archive's own start */
    memset(Blob + BlobSize - 3, 0, 3);
    SIZE_T Third = BlobSize;
    Add(Third, "d", 1, 0100644, "4444", 4);
    Add(Third, "eeeeee", 1, 0100644, "55555", 5);
    Add(Third, "TRAILER!!!", 1, 0, "", 0);
    Pad(0, 4096);
    CHECK_TEXT("a:1:1 b:2:22 c:3:333 d:4:4444 eeeeee:5:55555 end", ReadAll());
}

static void NothingIsNoError(void)
{
    Begin();
    CHECK_TEXT("end", ReadAll());
    Pad(1, 64);
    CHECK_TEXT("end", ReadAll());
    AddTrailer();
    CHECK_TEXT("end", ReadAll());
}

static void NamesAreStripped(void)
{
    Begin();
    AddText("./a", "");
    AddText("/b", "");
    AddText("././/c/./d", "");
    AddText(".", "");
    AddText("./", "");
    AddText("/", "");
    AddText(".hidden", "");
    AddText("..", "");
    AddTrailer();
    CHECK_TEXT("a:0: b:0: c/./d:0: .:0: .:0: .:0: .hidden:0: ..:0: end", ReadAll());
}

static void ChecksummedAndLowerCaseHeadersAreRead(void)
{
    Begin();
    SIZE_T Where = AddText("a", "0123456789");
    AddTrailer();
    Blob[Where + 5] = '2';
    for (SIZE_T Index = Where; Index < Where + 110; Index++) {
        Blob[Index] = Blob[Index] >= 'A' && Blob[Index] <= 'F' ? Blob[Index] | 0x20 : Blob[Index];
    }
    CHECK_TEXT("a:10:0123456789 end", ReadAll());
}

/* A blob of one entry (namesize at 94, filesize at 54), changed, gives Text. */
#define ONE(Text, Change)                                                                                    \
    do {                                                                                                     \
        Begin();                                                                                             \
        AddText("abc", "data");                                                                              \
        AddTrailer();                                                                                        \
        Change;                                                                                              \
        CHECK_TEXT(Text, ReadAll());                                                                         \
    } while (0)

static void IllFormedBlobsAreRefused(void)
{
    ONE("abc:4:data end", (VOID)0);
    ONE("bad", Blob[0] = '1');
    ONE("bad", Blob[5] = '7');
    ONE("bad", Blob[20] = 'G');
    ONE("bad", Blob[20] = '\0');
    ONE("bad", memcpy(Blob + 94, "00000000", 8));  /* no name */
    ONE("bad", memcpy(Blob + 94, "00000003", 8));  /* no NUL within it */
    ONE("bad", Blob[110] = '\0'; Blob[111] = 'b'); /* more behind the NUL */
    ONE("bad", memset(Blob + 110, 0, 4));          /* empty */
    ONE("cut", memcpy(Blob + 94, "FFFFFFFF", 8));
    ONE("cut", memcpy(Blob + 54, "FFFFFFFF", 8));
    ONE("cut", memcpy(Blob + 54, "00001000", 8));
    ONE("abc:4:data bad", Blob[120] = 'x');                       /* the next header is none */
    ONE("abc:4:data bad", Blob[BlobSize] = 'x'; BlobSize += 200); /* nor what follows the trailer */
    ONE("abc:4:data cut", Blob[BlobSize] = 'x'; BlobSize += 1);
    ONE("abc:4:data cut", BlobSize = 120); /* no trailer */
    ONE("cut", BlobSize = 117);
    ONE("cut", BlobSize = 109);
}

static void EveryTruncationIsNoticed(void)
{
    Begin();
    AddText("a", "1234567");
    AddText("bb", "");
    AddTrailer();
    SIZE_T Whole = BlobSize;
    for (SIZE_T Size = 1; Size < Whole - 3; Size++) { /* the padding behind the trailer is nobody's loss */
        BlobSize = Size;
        const char *Result = ReadAll();
        CHECK(strcmp(Result + strlen(Result) - 3, "cut") == 0);
    }
}

/* A copy of the blob, or of a part of it, with a few bytes changed, mostly to digits; in exact memory. */
static UCHAR *MutatedCopy(PRTL_RANDOM Random, SIZE_T *Size)
{
    static const char Digits[] = "0123456789ABCDEFabcdefG";

    *Size = RtlRandomBelow(Random, 8) ? BlobSize : RtlRandomBelow(Random, (ULONG)BlobSize + 1);
    UCHAR *Copy = malloc(*Size != 0 ? *Size : 1);
    memcpy(Copy, Blob, *Size);
    for (ULONG Changes = RtlRandomBelow(Random, 4) + 1; Changes != 0 && *Size != 0; Changes--) {
        UCHAR Value = (UCHAR)Digits[RtlRandomBelow(Random, sizeof(Digits))]; /* a NUL among them */
        Copy[RtlRandomBelow(Random, (ULONG)*Size)] =
            RtlRandomBelow(Random, 8) ? Value : (UCHAR)RtlNextRandom(Random);
    }
    return Copy;
}

/* Reads all of a blob, and every byte that its entries hold, for the sanitizer to see. Returns how many
   entries it has. */
static ULONG ReadQuietly(const UCHAR *Bytes, SIZE_T Size)
{
    ULONG Count = 0;
    NTSTATUS Status;

    CpioStart(&Reader, Bytes, Size);
    while ((Status = CpioNext(&Reader, &Entry)) == STATUS_SUCCESS) {
        SIZE_T Sum = 0;
        for (SIZE_T Index = 0; Index < Entry.DataSize; Index++) {
            Sum += Entry.Data[Index] != 0;
        }
        CHECK(strlen(Entry.Name) > 0 && Sum <= Entry.DataSize && ++Count < 20);
    }
    CHECK(Status == STATUS_NO_MORE_ENTRIES || Status == STATUS_DATA_ERROR || Status == STATUS_END_OF_FILE);
    return Count;
}

static void MutatedBlobsDoNoHarm(void)
{
    RTL_RANDOM Random = HostRandom();
    ULONG Entries = 0;

    Begin();
    AddText("bin/a", "some data");
    Add(0, "b", 30, 0120777, "a", 1);
    AddText("c", "");
    AddTrailer();
    Pad(0, 512);
    SIZE_T Second = BlobSize;
    Add(Second, "d/e/f", 1, 0100755, "more data than that", 19);
    Add(Second, "TRAILER!!!", 1, 0, "", 0);
    Pad(0, 512);
    for (ULONG Round = 0; Round < 30000; Round++) {
        SIZE_T Size;
        UCHAR *Bytes = MutatedCopy(&Random, &Size);
        Entries += ReadQuietly(Bytes, Size);
        free(Bytes);
    }
    printf("%u entries in 30000 mutated blobs\n", Entries);
    CHECK(Entries > 30000 && Entries < 120000);
}

static void TheHostsArchiveIsRead(void)
{
    char Folder[] = "/tmp/primer-cpio-XXXXXX", Command[512];

    if (mkdtemp(Folder) == NULL) {
        SKIP("no temporary folder");
    }
    snprintf(
        Command, sizeof(Command),
        "cd %s && mkdir d && printf hello >d/file && ln -s d/file link && printf '%%s\\n' . d d/file link | "
        "cpio -o -H newc >out 2>/dev/null",
        Folder);
    int Result = system(Command);
    snprintf(Command, sizeof(Command), "%s/out", Folder);
    FILE *Stream = fopen(Command, "rb");
    Begin();
    if (Stream != NULL) {
        BlobSize = fread(Blob, 1, sizeof(Blob), Stream);
        fclose(Stream);
    }
    snprintf(Command, sizeof(Command), "rm -r %s", Folder);
    if (system(Command) != 0 || Result != 0) {
        SKIP("needs the host's cpio");
    }
    CHECK_TEXT(".:0: d:0: d/file:5:hello link:6:d/file end", ReadAll());
}

int main(void)
{
    RUN(EntriesComeInOrder);
    RUN(AttributesAreKept);
    RUN(PaddedNamesAlignData);
    RUN(ArchivesFollowEachOther);
    RUN(NothingIsNoError);
    RUN(NamesAreStripped);
    RUN(ChecksummedAndLowerCaseHeadersAreRead);
    RUN(IllFormedBlobsAreRefused);
    RUN(EveryTruncationIsNoticed);
    RUN(MutatedBlobsDoNoHarm);
    RUN(TheHostsArchiveIsRead);
    return HostEnd();
}
