// sources: kernel/rtl/string.c drivers/lib/string.c drivers/lib/memory.c kernel/rtl/utf.c drivers/lib/strsafe.c kernel/rtl/format.c
/* SPDX-License-Identifier: MIT */
/*
 * Counted strings, UTF-8 and UTF-16, and the safe-string routines: documented results, exact bounds. Buffers
 * are allocations of their exact size, so that the address sanitizer sees a step outside.
 */
#include <ntstrsafe.h>

#include <ntddk.h>

#include "tests/host/pool.h"
#include "kernel/rtl/rtl.h"

/* Copies Bytes bytes into an allocation of that size; freed by nobody, the program is short. */
static PVOID Exact(const void *From, SIZE_T Bytes)
{
    PVOID Copy = malloc(Bytes != 0 ? Bytes : 1);
    return Bytes != 0 ? memcpy(Copy, From, Bytes) : Copy;
}

/* A counted string without terminator, in exact memory. */
static UNICODE_STRING Wide(const WCHAR *Text)
{
    SIZE_T Bytes = RtlBoundedLengthW(Text, SIZE_MAX) * sizeof(WCHAR);
    return (UNICODE_STRING){(USHORT)Bytes, (USHORT)Bytes, Exact(Text, Bytes)};
}

static ANSI_STRING Narrow(const char *Text)
{
    return (ANSI_STRING){(USHORT)strlen(Text), (USHORT)strlen(Text), Exact(Text, strlen(Text))};
}

/* An empty string with room for Bytes bytes. */
static UNICODE_STRING Room(SIZE_T Bytes)
{
    return (UNICODE_STRING){0, (USHORT)Bytes, malloc(Bytes != 0 ? Bytes : 1)};
}

static bool Holds(const UNICODE_STRING *String, const WCHAR *Text)
{
    UNICODE_STRING Expected = Wide(Text);
    return RtlEqualUnicodeString(String, &Expected, FALSE);
}

static void InitDescribesWithoutCopying(void)
{
    UNICODE_STRING String;
    ANSI_STRING Ansi;
    PCWSTR Text = L"abc";

    RtlInitUnicodeString(&String, Text);
    CHECK(String.Buffer == Text && String.Length == 6 && String.MaximumLength == 8);
    RtlInitUnicodeString(&String, NULL);
    CHECK(String.Buffer == NULL && String.Length == 0 && String.MaximumLength == 0);
    RtlInitAnsiString(&Ansi, "ab");
    CHECK(Ansi.Length == 2 && Ansi.MaximumLength == 3);
    RtlInitString(&Ansi, NULL);
    CHECK(Ansi.Buffer == NULL && Ansi.Length == 0);
}

static void InitCutsWhatIsTooLong(void)
{
    PWSTR Long = malloc(40000 * sizeof(WCHAR));
    UNICODE_STRING String;

    for (ULONG Index = 0; Index < 40000; Index++) {
        Long[Index] = 'x';
    }
    Long[39999] = 0;
    RtlInitUnicodeString(&String, Long);
    CHECK(String.Length == 65532 && String.MaximumLength == 65534);
    free(Long);
}

static void CopyTakesWhatFits(void)
{
    UNICODE_STRING Source = Wide(L"hello"), To = Room(6), Odd = Room(7), Large = Room(12);

    RtlCopyUnicodeString(&To, &Source);
    CHECK(Holds(&To, L"hel"));
    RtlCopyUnicodeString(&Odd, &Source);
    CHECK(Holds(&Odd, L"hel"));
    RtlCopyUnicodeString(&Large, &Source);
    CHECK(Holds(&Large, L"hello") && Large.Buffer[5] == 0);
    RtlCopyUnicodeString(&Large, NULL);
    CHECK(Large.Length == 0 && Large.Buffer[0] == 0);
}

static void AppendIsAllOrNothing(void)
{
    UNICODE_STRING String = Room(12), Tail = Wide(L"cd");

    CHECK_STATUS(STATUS_SUCCESS, RtlAppendUnicodeToString(&String, L"ab"));
    CHECK_STATUS(STATUS_SUCCESS, RtlAppendUnicodeStringToString(&String, &Tail));
    CHECK(Holds(&String, L"abcd") && String.Buffer[4] == 0);
    CHECK_STATUS(STATUS_BUFFER_TOO_SMALL, RtlAppendUnicodeToString(&String, L"efg"));
    CHECK(Holds(&String, L"abcd"));
    CHECK_STATUS(STATUS_SUCCESS, RtlAppendUnicodeToString(&String, L"ef"));
    CHECK(Holds(&String, L"abcdef"));
    CHECK_STATUS(STATUS_SUCCESS, RtlAppendUnicodeToString(&String, NULL));
    String.Length = 14; /* a lie: longer than its maximum */
    CHECK_STATUS(STATUS_BUFFER_TOO_SMALL, RtlAppendUnicodeToString(&String, L""));
}

static void CompareAndPrefix(void)
{
    UNICODE_STRING One = Wide(L"Alpha"), Two = Wide(L"aLPHA"), Short = Wide(L"alp"), Empty = Wide(L"");
    UNICODE_STRING Umlaut = Wide(L"\x00E4\x03C9\x0434\x0105"), Upper = Wide(L"\x00C4\x03A9\x0414\x0104");

    CHECK(RtlCompareUnicodeString(&One, &Two, TRUE) == 0 && RtlCompareUnicodeString(&One, &Two, FALSE) < 0);
    CHECK(RtlCompareUnicodeString(&One, &Short, TRUE) > 0 &&
          RtlCompareUnicodeString(&Empty, &One, FALSE) < 0);
    CHECK(RtlEqualUnicodeString(&One, &Two, TRUE) && !RtlEqualUnicodeString(&One, &Two, FALSE));
    CHECK(RtlEqualUnicodeString(&Umlaut, &Upper, TRUE) && !RtlEqualUnicodeString(&Umlaut, &Upper, FALSE));
    CHECK(RtlPrefixUnicodeString(&Short, &One, TRUE) && !RtlPrefixUnicodeString(&Short, &One, FALSE));
    CHECK(RtlPrefixUnicodeString(&Empty, &One, FALSE) && !RtlPrefixUnicodeString(&One, &Short, TRUE));
}

/* What is upper case stays as it is, for every unit. */
static void UpperCaseIsFinal(void)
{
    for (ULONG Unit = 0; Unit < 0x10000; Unit++) {
        WCHAR Up = RtlUpcaseUnicodeChar((WCHAR)Unit);
        CHECK(RtlUpcaseUnicodeChar(Up) == Up);
    }
    CHECK(RtlUpcaseUnicodeChar(0x00F7) == 0x00F7 && RtlUpcaseUnicodeChar(0x00FF) == 0x0178);
}

/* Decodes Text; the characters as text, ill-formed ones as "!". */
static const char *Decoded(const char *Text)
{
    static char Result[128];
    SIZE_T Length = strlen(Text), Consumed, Used = 0;
    char *Bytes = Exact(Text, Length);

    Result[0] = '\0';
    for (SIZE_T Index = 0; Index < Length; Index += Consumed) {
        ULONG Character = RtlDecodeUtf8(Bytes + Index, Length - Index, &Consumed);
        Used += (SIZE_T)snprintf(Result + Used, sizeof(Result) - Used,
                                 Character == RTL_ILL_FORMED ? "!" : "%X ", Character);
    }
    return Result;
}

static void Utf8RefusesWhatIsIllFormed(void)
{
    CHECK_TEXT("61 E4 20AC 1F600 ", Decoded("a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80"));
    CHECK_TEXT("!!", Decoded("\xC0\x80")); /* overlong */
    CHECK_TEXT("!!!", Decoded("\xE0\x80\x80"));
    CHECK_TEXT("!!!!", Decoded("\xF0\x80\x80\x80"));
    CHECK_TEXT("!!!", Decoded("\xED\xA0\x80"));      /* a surrogate */
    CHECK_TEXT("!!!!", Decoded("\xF4\x90\x80\x80")); /* beyond U+10FFFF */
    CHECK_TEXT("!!", Decoded("\xFE\xFF"));
    CHECK_TEXT("!61 ", Decoded("\xE2\x82"
                               "a")); /* one for the longest beginning of a character */
    CHECK_TEXT("!", Decoded("\xF0\x9F\x98"));
    CHECK_TEXT("10FFFF D7FF E000 ", Decoded("\xF4\x8F\xBF\xBF\xED\x9F\xBF\xEE\x80\x80"));
}

/* Every character goes to UTF-8 and UTF-16 and back. */
static void EveryCharacterSurvives(void)
{
    SIZE_T Consumed;

    for (ULONG Character = 0; Character <= 0x110000; Character++) {
        char Bytes[4];
        WCHAR Units[2];
        bool Valid = Character < 0x110000 && (Character < 0xD800 || Character > 0xDFFF);
        ULONG Expected = Valid ? Character : RTL_REPLACEMENT_CHARACTER;
        ULONG ByteCount = RtlEncodeUtf8(Character, Bytes), UnitCount = RtlEncodeUtf16(Character, Units);
        if (RtlDecodeUtf8(Bytes, ByteCount, &Consumed) != Expected || Consumed != ByteCount ||
            RtlDecodeUtf16(Units, UnitCount, &Consumed) != Expected || Consumed != UnitCount) {
            CHECK_EQUAL(Expected, Character);
            return;
        }
    }
}

static void ConversionsKeepTheirBounds(void)
{
    static const char Text[] = "a\xC3\xA4\xF0\x9F\x98\x80";
    ULONG Actual;
    WCHAR *Units = malloc(8);
    char *Bytes = malloc(7);

    CHECK_STATUS(STATUS_SUCCESS, RtlUTF8ToUnicodeN(NULL, 0, &Actual, Text, 7));
    CHECK_EQUAL(8, Actual);
    CHECK_STATUS(STATUS_SUCCESS, RtlUTF8ToUnicodeN(Units, 8, &Actual, Text, 7));
    CHECK(Actual == 8 && Units[0] == 'a' && Units[1] == 0xE4 && Units[2] == 0xD83D && Units[3] == 0xDE00);
    CHECK_STATUS(STATUS_BUFFER_TOO_SMALL, RtlUTF8ToUnicodeN(Units, 7, &Actual, Text, 7));
    CHECK_EQUAL(4, Actual); /* no half of a pair */
    CHECK_STATUS(STATUS_SUCCESS, RtlUnicodeToUTF8N(Bytes, 7, &Actual, Units, 8));
    CHECK(Actual == 7 && memcmp(Bytes, Text, 7) == 0);
    CHECK_STATUS(STATUS_BUFFER_TOO_SMALL, RtlUnicodeToUTF8N(Bytes, 6, &Actual, Units, 8));
    CHECK_EQUAL(3, Actual);
    CHECK_STATUS(STATUS_SOME_NOT_MAPPED, RtlUnicodeToUTF8N(Bytes, 7, &Actual, Units + 2, 2));
    CHECK(Actual == 3 && memcmp(Bytes, "\xEF\xBF\xBD", 3) == 0);
    CHECK_STATUS(STATUS_SOME_NOT_MAPPED, RtlUTF8ToUnicodeN(Units, 8, &Actual, "\xFF", 1));
    CHECK(Units[0] == 0xFFFD);
    CHECK_STATUS(STATUS_INVALID_PARAMETER_4, RtlUTF8ToUnicodeN(Units, 8, &Actual, NULL, 0));
    CHECK_STATUS(STATUS_INVALID_PARAMETER, RtlUTF8ToUnicodeN(NULL, 0, NULL, Text, 1));
    CHECK_STATUS(STATUS_INVALID_PARAMETER_5, RtlUnicodeToUTF8N(Bytes, 7, &Actual, Units, 3));
}

/* Random bytes convert within any buffer, and what comes out is well-formed and converts back. */
static void RandomBytesConvertSafely(void)
{
    RTL_RANDOM Random = HostRandom();

    for (ULONG Round = 0; Round < 20000; Round++) {
        ULONG Length = RtlRandomBelow(&Random, 12), Space = RtlRandomBelow(&Random, 30), Actual, Back;
        char *Bytes = malloc(Length + 1), *Again = malloc(64);
        WCHAR *Units = malloc(Space + 1);
        for (ULONG Index = 0; Index < Length; Index++) {
            static const UCHAR Likely[] = {'a',  0x80, 0xBF, 0xC2, 0xE0, 0xED,
                                           0xA0, 0xF0, 0x90, 0xF4, 0x8F, 0xFF};
            Bytes[Index] = (char)Likely[RtlRandomBelow(&Random, sizeof(Likely))];
        }
        NTSTATUS Status = RtlUTF8ToUnicodeN(Units, Space, &Actual, Bytes, Length);
        CHECK(Actual <= Space && Actual % 2 == 0);
        CHECK(Status == STATUS_SUCCESS || Status == STATUS_SOME_NOT_MAPPED ||
              Status == STATUS_BUFFER_TOO_SMALL);
        CHECK_STATUS(STATUS_SUCCESS, RtlUnicodeToUTF8N(Again, 64, &Back, Units, Actual));
        if (Status == STATUS_SUCCESS) {
            CHECK(Back == Length && memcmp(Again, Bytes, Length) == 0);
        }
        free(Bytes);
        free(Again);
        free(Units);
    }
}

static PVOID Allocate(SIZE_T Size)
{
    return malloc(Size);
}

static void WholeStringsConvert(void)
{
    ANSI_STRING Ansi = Narrow("gr\xC3\xBC\xC3\x9F"
                              "e"),
                Back = {0, 7, malloc(7)};
    UNICODE_STRING String = Room(12), Small = Room(10), Other;

    CHECK_STATUS(STATUS_NO_MEMORY, RtlAnsiStringToUnicodeString(&Other, &Ansi, TRUE));
    CHECK_STATUS(STATUS_SUCCESS, RtlAnsiStringToUnicodeString(&String, &Ansi, FALSE));
    CHECK(Holds(&String, L"gr\x00FC\x00DF"
                         L"e") &&
          String.Buffer[5] == 0);
    CHECK_STATUS(STATUS_BUFFER_OVERFLOW, RtlAnsiStringToUnicodeString(&Small, &Ansi, FALSE));
    CHECK_STATUS(STATUS_BUFFER_OVERFLOW, RtlUnicodeStringToAnsiString(&Back, &String, FALSE));
    HostNoMemory = true;
    CHECK_STATUS(STATUS_NO_MEMORY, RtlUnicodeStringToAnsiString(&Back, &String, TRUE));
    HostNoMemory = false;
    RtlSetStringAllocator(Allocate, free);
    CHECK_STATUS(STATUS_SUCCESS, RtlUnicodeStringToAnsiString(&Back, &String, TRUE));
    CHECK(Back.Length == 7 && Back.MaximumLength == 8 &&
          strcmp(Back.Buffer, "gr\xC3\xBC\xC3\x9F"
                              "e") == 0);
    RtlFreeAnsiString(&Back);
    CHECK(Back.Buffer == NULL);
    CHECK_STATUS(STATUS_SUCCESS, RtlAnsiStringToUnicodeString(&Other, &Ansi, TRUE));
    CHECK(RtlEqualUnicodeString(&Other, &String, FALSE));
    RtlFreeUnicodeString(&Other);
    CHECK(Other.Buffer == NULL);

    ANSI_STRING Huge = {40000, 40000, malloc(40000)};
    memset(Huge.Buffer, 'x', 40000);
    CHECK_STATUS(STATUS_INVALID_PARAMETER_2, RtlAnsiStringToUnicodeString(&Other, &Huge, TRUE));
    free(Huge.Buffer);
}

static void MemoryRoutines(void)
{
    CHECK(RtlCompareMemory("abcd", "abXd", 4) == 2 && RtlCompareMemory("ab", "ab", 2) == 2);
    CHECK(RtlEqualMemory("ab", "ab", 2) && !RtlEqualMemory("ab", "ac", 2));
}

static void SafeCopiesTerminate(void)
{
    char *Buffer = malloc(6);

    CHECK_STATUS(STATUS_SUCCESS, RtlStringCchCopyA(Buffer, 6, "hello"));
    CHECK_STATUS(STATUS_BUFFER_OVERFLOW, RtlStringCchCopyA(Buffer, 6, "hello!"));
    CHECK_TEXT("hello", Buffer);
    CHECK_STATUS(STATUS_SUCCESS, RtlStringCchCopyNA(Buffer, 6, Exact("abc", 3), 3));
    CHECK_TEXT("abc", Buffer);
    CHECK_STATUS(STATUS_INVALID_PARAMETER, RtlStringCchCopyA(Buffer, 0, "x"));
}

static void SafePrintsTerminate(void)
{
    char *Buffer = malloc(6);

    CHECK_STATUS(STATUS_SUCCESS, RtlStringCchPrintfA(Buffer, 6, "%d", 12345));
    CHECK_TEXT("12345", Buffer);
    CHECK_STATUS(STATUS_BUFFER_OVERFLOW, RtlStringCbPrintfA(Buffer, 6, "%d!", 12345));
    CHECK_TEXT("12345", Buffer);
    CHECK_STATUS(STATUS_INVALID_PARAMETER, RtlStringCbPrintfA(Buffer, 0, "x"));
}

int main(void)
{
    RUN(InitDescribesWithoutCopying);
    RUN(InitCutsWhatIsTooLong);
    RUN(CopyTakesWhatFits);
    RUN(AppendIsAllOrNothing);
    RUN(CompareAndPrefix);
    RUN(UpperCaseIsFinal);
    RUN(Utf8RefusesWhatIsIllFormed);
    RUN(EveryCharacterSurvives);
    RUN(ConversionsKeepTheirBounds);
    RUN(RandomBytesConvertSafely);
    RUN(WholeStringsConvert);
    RUN(MemoryRoutines);
    RUN(SafeCopiesTerminate);
    RUN(SafePrintsTerminate);
    return HostEnd();
}

/* The exact-sized allocations live as long as the program: that is no leak. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}
