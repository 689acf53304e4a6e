// sources: kernel/rtl/format.c kernel/rtl/utf.c kernel/rtl/string.c
/* SPDX-License-Identifier: MIT */
/*
 * The formatter: the driver kit's sizes and types, the C standard's flags (compared with the host's printf
 * over random conversions), bounds on what is read and written.
 */
#include "tests/host/host.h"
#include "kernel/rtl/rtl.h"

static SIZE_T Print(char *Buffer, SIZE_T Size, PCSTR Format, ...)
{
    va_list Arguments;

    va_start(Arguments, Format);
    SIZE_T Length = RtlPrintV(Buffer, Size, Format, Arguments);
    va_end(Arguments);
    return Length;
}

/* Formats into exact memory of Size bytes and compares text and returned length. */
static void Expect(SIZE_T Size, const char *Text, SIZE_T Length, const char *Format, ...)
{
    char *Buffer = malloc(Size != 0 ? Size : 1);
    va_list Arguments;

    va_start(Arguments, Format);
    SIZE_T Result = RtlPrintV(Buffer, Size, Format, Arguments);
    va_end(Arguments);
    if (Size != 0) {
        HostCheckText(Text, Buffer, Format, 0);
    }
    CHECK_EQUAL(Length, Result);
    free(Buffer);
}

#define EXPECT(Text, ...) Expect(256, Text, strlen(Text), __VA_ARGS__)

static void LongIsThirtyTwoBits(void)
{
    /* Stale upper halves of the argument slots must not show. */
    EXPECT("-1 4294967295 ffffffff", "%ld %lu %lx", 0x12345678FFFFFFFFL, 0x12345678FFFFFFFFL,
           0x12345678FFFFFFFFL);
    EXPECT("-1 4294967295", "%d %u", -1L, -1L);
    EXPECT("-1 4294967295", "%I32d %I32u", -1L, -1L);
}

static void SixtyFourBitSizes(void)
{
    LONG64 Value = -9223372036854775807LL - 1;
    EXPECT("-9223372036854775808 9223372036854775808 8000000000000000", "%I64d %I64u %I64x", Value, Value,
           Value);
    EXPECT("-9223372036854775808 9223372036854775808", "%lld %llu", Value, Value);
    EXPECT("-1 18446744073709551615 ffffffffffffffff", "%Id %Iu %Ix", -1LL, -1LL, -1LL);
    EXPECT("18446744073709551615 -1 -1", "%zu %td %jd", (SIZE_T)-1, (LONG64)-1, (LONG64)-1);
}

static void SmallSizes(void)
{
    EXPECT("-1 65535 -1 255", "%hd %hu %hhd %hhu", 0x1FFFF, 0x1FFFF, 0x1FF, 0x1FF);
}

static void Pointers(void)
{
    EXPECT("FFFF80000000ABCD", "%p", (PVOID)0xFFFF80000000ABCD);
    EXPECT("0000000000000000|0x0000000000000010", "%p|%#p", NULL, (PVOID)0x10);
    EXPECT("  000000000000000A|000000000000000A  |", "%18p|%-18p|", (PVOID)10, (PVOID)10);
}

static void CharactersAndStrings(void)
{
    EXPECT("ax \xE2\x82\xAC", "%c%hc %wc", 'a', 'x', 0x20AC);
    EXPECT("\xC3\xA4|\xC3\xA4|a", "%C|%lc|%hC", 0xE4, 0xE4, 'a');
    EXPECT("abc|  abc|abc  |ab", "%s|%5s|%-5s|%.2s", "abc", "abc", "abc", "abc");
    EXPECT("gr\xC3\xBCn|gr\xC3\xBC", "%ws|%.3ls", L"gr\x00FCn", L"gr\x00FCn");
    EXPECT("wide|narrow|wide", "%S|%hS|%lS", L"wide", "narrow", L"wide");
    EXPECT("\xF0\x9F\x98\x80\xEF\xBF\xBD", "%ws", L"\xD83D\xDE00\xD83D");
    EXPECT("  \xC3\xBC", "%3ws", L"\x00FC");
    EXPECT("(null)|(null)|(nu", "%s|%ws|%.3s", NULL, NULL, NULL);
}

static void CountedStrings(void)
{
    WCHAR *WideText = malloc(3 * sizeof(WCHAR));
    char *Text = malloc(3);
    memcpy(WideText, L"xyz", 6);
    memcpy(Text, "pqr", 3);
    UNICODE_STRING Unicode = {6, 6, WideText}, Odd = {5, 6, WideText}, Nowhere = {4, 4, NULL};
    ANSI_STRING Ansi = {3, 3, Text};

    EXPECT("xyz|  xyz|xyz  |xy", "%wZ|%5wZ|%-5wZ|%.2wZ", &Unicode, &Unicode, &Unicode, &Unicode);
    EXPECT("xyz|xy|pqr|pq", "%lZ|%wZ|%Z|%.2hZ", &Unicode, &Odd, &Ansi, &Ansi);
    EXPECT("(null)|(null)|(null)", "%wZ|%Z|%wZ", NULL, NULL, &Nowhere);
    free(WideText);
    free(Text);
}

static void NothingIsReadBeyondThePrecision(void)
{
    char *Text = malloc(3);
    WCHAR *WideText = malloc(6);
    memcpy(Text, "abc", 3);
    memcpy(WideText, L"abc", 6);

    EXPECT("abc|ab|abc|", "%.3s|%.*s|%.3ws|%.0s", Text, 2, Text, WideText, NULL);
    free(Text);
    free(WideText);
}

static void StarsTakeArguments(void)
{
    EXPECT("   42|42   |00042", "%*d|%*d|%0*d", 5, 42, -5, 42, 5, 42);
    EXPECT("0042|42|a", "%.*d|%.*d|%.*s", 4, 42, -1, 42, 1, "abc");
}

static void OddFormatsPrintAsTheyStand(void)
{
    EXPECT("100%", "100%%");
    EXPECT("%", "%");
    EXPECT("%-5.3l", "%-5.3l");
    EXPECT("%y 7", "%y %d", 7);
    EXPECT("%5.1f|3", "%5.1f|%d", 3); /* no floating point, and no argument taken for it */
    EXPECT("a3", "a%n%d", NULL, 3);
    EXPECT("(null)", NULL);
    EXPECT("%I6d", "%I6d", 1);
}

static void BuffersAreCutAndTerminated(void)
{
    Expect(6, "12345", 5, "%d", 12345);
    Expect(5, "1234", 5, "%d", 12345);
    Expect(1, "", 5, "%d", 12345);
    Expect(0, "", 5, "%d", 12345);
    Expect(8, "abc    ", 43, "%-40s|%s", "abc", "de");
    Expect(4, "   ", 65535, "%999999999999d", 1);
    Expect(4, "000", 65535, "%.999999999d", 1);
    Expect(4, "   ", 65535, "%*d", 2147483647, 1);
    Expect(4, "1  ", 65535, "%*d", -2147483647 - 1, 1);
}

static ULONG64 RandomValue(PRTL_RANDOM Random)
{
    static const ULONG64 Corners[] = {0,
                                      1,
                                      7,
                                      8,
                                      9,
                                      10,
                                      0x7F,
                                      0x80,
                                      0xFF,
                                      0x7FFF,
                                      0xFFFF,
                                      0x7FFFFFFF,
                                      0x80000000,
                                      0xFFFFFFFF,
                                      0x7FFFFFFFFFFFFFFF,
                                      0x8000000000000000,
                                      0xFFFFFFFFFFFFFFFF};
    return RtlRandomBelow(Random, 2) ? Corners[RtlRandomBelow(Random, ARRAYSIZE(Corners))]
                                     : RtlNextRandom(Random);
}

/* Writes a random conversion that both printers understand alike. Returns whether its argument is 64 bits,
   and -1 for a string. */
static int RandomConversion(PRTL_RANDOM Random, char *Format)
{
    static const char *const Sizes[] = {"", "h", "hh", "ll", "z", "j"};
    ULONG Size = RtlRandomBelow(Random, ARRAYSIZE(Sizes));
    bool Text = RtlRandomBelow(Random, 5) == 0;

    *Format++ = '%';
    for (ULONG Flags = RtlRandomBelow(Random, 4); Flags != 0; Flags--) {
        *Format++ = Text ? '-' : "-+ #0"[RtlRandomBelow(Random, 5)];
    }
    if (RtlRandomBelow(Random, 2)) {
        Format += sprintf(Format, "%u", RtlRandomBelow(Random, 30) + 1);
    }
    if (RtlRandomBelow(Random, 2)) {
        Format += sprintf(Format, ".%u", RtlRandomBelow(Random, 25));
    }
    sprintf(Format, "%s%c|", Text ? "" : Sizes[Size], Text ? 's' : "diuoxX"[RtlRandomBelow(Random, 6)]);
    return Text ? -1 : Size >= 3;
}

static void FlagsAgreeWithTheHost(void)
{
    RTL_RANDOM Random = HostRandom();

    for (ULONG Round = 0; Round < 100000; Round++) {
        char Format[64], Own[256], Host[256];
        ULONG64 Value = RandomValue(&Random);
        SIZE_T Length, HostLength;
        int Kind = RandomConversion(&Random, Format);
        if (Kind < 0) {
            Length = Print(Own, sizeof(Own), Format, "some text");
            HostLength = (SIZE_T)snprintf(Host, sizeof(Host), Format, "some text");
        } else if (Kind) {
            Length = Print(Own, sizeof(Own), Format, Value);
            HostLength = (SIZE_T)snprintf(Host, sizeof(Host), Format, Value);
        } else {
            Length = Print(Own, sizeof(Own), Format, (ULONG)Value);
            HostLength = (SIZE_T)snprintf(Host, sizeof(Host), Format, (ULONG)Value);
        }
        if (!CHECK_TEXT(Host, Own) || !CHECK_EQUAL(HostLength, Length)) {
            printf("format %s value 0x%llx\n", Format, (unsigned long long)Value);
            return;
        }
    }
}

/* Random formats of the characters that mean something, with enough harmless arguments: no crash, and the
   length is true. */
static void RandomFormatsAreHarmless(void)
{
    RTL_RANDOM Random = HostRandom();
    static const char Letters[] = "%%%%diuoxXpcCsSZnfhlIw6432zjt.*-+ #0159ab";
    UNICODE_STRING Empty = {0};

    for (ULONG Round = 0; Round < 50000; Round++) {
        ULONG Length = RtlRandomBelow(&Random, 12);
        char *Format = malloc(Length + 1), *Buffer = malloc(64);
        for (ULONG Index = 0; Index < Length; Index++) {
            Format[Index] = Letters[RtlRandomBelow(&Random, sizeof(Letters) - 1)];
        }
        Format[Length] = '\0';
        PVOID A = &Empty; /* as a string: its bytes are zero; as a width: anything */
        SIZE_T Result = Print(Buffer, 64, Format, A, A, A, A, A, A, A, A, A, A, A, A);
        CHECK(strlen(Buffer) <= 63 && Result >= strlen(Buffer));
        free(Format);
        free(Buffer);
    }
}

static VOID Collect(PVOID Context, const char *Text, SIZE_T Length)
{
    strncat(Context, Text, Length);
}

static SIZE_T Feed(char *Collected, const VOID *Format, BOOLEAN Wide, ...)
{
    va_list Arguments;

    Collected[0] = 0;
    va_start(Arguments, Wide);
    SIZE_T Length = RtlFormatV(Collect, Collected, Format, Wide, Arguments);
    va_end(Arguments);
    return Length;
}

static void WideFormatsTurnTheMeaningOfStrings(void)
{
    char Text[64];

    CHECK_EQUAL(10, Feed(Text, L"%s %S \x00E9 %d", TRUE, L"ab", "cd", 7));
    CHECK_TEXT("ab cd \xC3\xA9 7", Text);
    CHECK_EQUAL(5, Feed(Text, "%s %S", FALSE, "ab", L"cd"));
    CHECK_TEXT("ab cd", Text);
    CHECK_EQUAL(6, Feed(Text, NULL, TRUE));
    CHECK_TEXT("(null)", Text);
}

int main(void)
{
    RUN(LongIsThirtyTwoBits);
    RUN(SixtyFourBitSizes);
    RUN(SmallSizes);
    RUN(Pointers);
    RUN(CharactersAndStrings);
    RUN(CountedStrings);
    RUN(NothingIsReadBeyondThePrecision);
    RUN(StarsTakeArguments);
    RUN(OddFormatsPrintAsTheyStand);
    RUN(BuffersAreCutAndTerminated);
    RUN(FlagsAgreeWithTheHost);
    RUN(RandomFormatsAreHarmless);
    RUN(WideFormatsTurnTheMeaningOfStrings);
    return HostEnd();
}
