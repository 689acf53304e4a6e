// sources: drivers/lib/strsafe.c kernel/rtl/format.c kernel/rtl/string.c drivers/lib/string.c drivers/lib/memory.c kernel/rtl/utf.c drivers/lib/integer.c
/* SPDX-License-Identifier: MIT */
/*
 * The driver kit's safe strings of both widths, 16-bit formats, numbers as text. Destinations are allocations
 * of their exact size, so that the address sanitizer sees a step outside.
 */
#include <ntstrsafe.h>

#include <ntddk.h>

#include "tests/host/pool.h"
#include "kernel/rtl/rtl.h"

#define WIDE(Units) ((PWSTR)malloc((Units) * sizeof(WCHAR)))

static bool Is(const WCHAR *Text, const WCHAR *Expected)
{
    SIZE_T Length = RtlBoundedLengthW(Expected, SIZE_MAX);
    return RtlBoundedLengthW(Text, Length + 1) == Length && memcmp(Text, Expected, Length * sizeof(WCHAR)) == 0;
}

static void WideCopiesTerminate(void)
{
    PWSTR Buffer = WIDE(4);

    CHECK_STATUS(STATUS_SUCCESS, RtlStringCchCopyW(Buffer, 4, L"abc"));
    CHECK(Is(Buffer, L"abc"));
    CHECK_STATUS(STATUS_BUFFER_OVERFLOW, RtlStringCchCopyW(Buffer, 4, L"wxyz"));
    CHECK(Is(Buffer, L"wxy"));
    CHECK_STATUS(STATUS_SUCCESS, RtlStringCbCopyNW(Buffer, 8, L"klmnop", 4));
    CHECK(Is(Buffer, L"kl"));
    CHECK_STATUS(STATUS_SUCCESS, RtlStringCbCatW(Buffer, 8, L"m"));
    CHECK(Is(Buffer, L"klm"));
    CHECK_STATUS(STATUS_BUFFER_OVERFLOW, RtlStringCchCatNW(Buffer, 4, L"no", 1));
    CHECK(Is(Buffer, L"klm"));
    CHECK_STATUS(STATUS_SUCCESS, RtlStringCchCatNW(Buffer, 4, L"no", 0));
    CHECK_STATUS(STATUS_INVALID_PARAMETER, RtlStringCchCopyW(Buffer, 0, L"x"));
    CHECK_STATUS(STATUS_INVALID_PARAMETER, RtlStringCbCopyW(Buffer, 1, L"x"));
    Buffer[3] = 'x'; /* no NUL: nothing to append to */
    CHECK_STATUS(STATUS_INVALID_PARAMETER, RtlStringCchCatW(Buffer, 4, L"x"));
}

static void NarrowAppendsTerminate(void)
{
    char *Buffer = malloc(5);

    strcpy(Buffer, "ab");
    CHECK_STATUS(STATUS_SUCCESS, RtlStringCbCatA(Buffer, 5, "cd"));
    CHECK_TEXT("abcd", Buffer);
    CHECK_STATUS(STATUS_BUFFER_OVERFLOW, RtlStringCchCatA(Buffer, 5, "e"));
    CHECK_TEXT("abcd", Buffer);
    Buffer[2] = 0;
    CHECK_STATUS(STATUS_SUCCESS, RtlStringCbCatNA(Buffer, 5, "xyz", 1));
    CHECK_TEXT("abx", Buffer);
    CHECK_STATUS(STATUS_INVALID_PARAMETER, RtlStringCchCatA(Buffer, 0, "e"));
}

static void LengthsHaveABound(void)
{
    SIZE_T Length = 7;

    CHECK_STATUS(STATUS_SUCCESS, RtlStringCchLengthA("abc", 4, &Length));
    CHECK_EQUAL(3, Length);
    CHECK_STATUS(STATUS_INVALID_PARAMETER, RtlStringCbLengthA("abc", 3, &Length));
    CHECK_EQUAL(0, Length);
    CHECK_STATUS(STATUS_SUCCESS, RtlStringCchLengthW(L"abc", 4, &Length));
    CHECK_EQUAL(3, Length);
    CHECK_STATUS(STATUS_SUCCESS, RtlStringCbLengthW(L"abc", 8, &Length));
    CHECK_EQUAL(6, Length);
    CHECK_STATUS(STATUS_INVALID_PARAMETER, RtlStringCbLengthW(L"abc", 7, NULL));
    CHECK_STATUS(STATUS_INVALID_PARAMETER, RtlStringCchLengthW(NULL, 4, NULL));
}

static void WideFormats(void)
{
    WCHAR Buffer[100];
    UNICODE_STRING Counted;
    ANSI_STRING Ansi;

    RtlInitUnicodeString(&Counted, L"counted");
    RtlInitAnsiString(&Ansi, "ansi");
    CHECK_STATUS(STATUS_SUCCESS, RtlStringCbPrintfW(Buffer, sizeof(Buffer), L"%s|%S|%ws|%hs|%c|%C", L"wide", "narrow",
                                                    L"ws", "hs", L'w', 'n'));
    CHECK(Is(Buffer, L"wide|narrow|ws|hs|w|n"));
    CHECK_STATUS(STATUS_SUCCESS, RtlStringCchPrintfW(Buffer, 100, L"%wZ|%Z|%5d|%-4x|%04u|%I64x|%I32d|%p%%", &Counted, &Ansi, -3,
                                                     0xab, 7, 0x123456789abcdefULL, 5, (PVOID)0x10));
    CHECK(Is(Buffer, L"counted|ansi|   -3|ab  |0007|123456789abcdef|5|0000000000000010%"));
    CHECK_STATUS(STATUS_SUCCESS, RtlStringCchPrintfW(Buffer, 100, L"\x00e4\x20ac%S\xd83d\xde00 %.*s|%*d|%y%", "\xc3\xa4", 2, L"abc",
                                                     4, 1));
    CHECK(Is(Buffer, L"\x00e4\x20ac\x00e4\xd83d\xde00 ab|   1|%y%"));
    CHECK_STATUS(STATUS_SUCCESS, RtlStringCchPrintfW(Buffer, 100, L"%s%hs", (PWSTR)NULL, (PSTR)NULL));
    CHECK(Is(Buffer, L"(null)(null)"));
    CHECK_STATUS(STATUS_SUCCESS, RtlStringCchPrintfW(Buffer, 100, L"%\x0164|%\x0130")); /* no % d and no % 0 */
    CHECK(Is(Buffer, L"%\x0164|%\x0130"));
}

static void WidePrintsTerminate(void)
{
    PWSTR Buffer = WIDE(4);

    CHECK_STATUS(STATUS_SUCCESS, RtlStringCchPrintfW(Buffer, 4, L"%d", 123));
    CHECK(Is(Buffer, L"123"));
    CHECK_STATUS(STATUS_BUFFER_OVERFLOW, RtlStringCbPrintfW(Buffer, 9, L"%d!", 123));
    CHECK(Is(Buffer, L"123"));
    CHECK_STATUS(STATUS_BUFFER_OVERFLOW, RtlStringCchPrintfW(Buffer, 4, L"ab%Scd", "\xf0\x9f\x98\x80")); /* half a pair */
    CHECK(Is(Buffer, L"ab"));
    CHECK_STATUS(STATUS_INVALID_PARAMETER, RtlStringCchPrintfW(Buffer, 0, L"x"));
}

static UNICODE_STRING Room(USHORT Bytes)
{
    return (UNICODE_STRING){0, Bytes, malloc(Bytes != 0 ? Bytes : 1)};
}

static bool Holds(const UNICODE_STRING *String, const WCHAR *Text)
{
    SIZE_T Bytes = RtlBoundedLengthW(Text, SIZE_MAX) * sizeof(WCHAR);
    return String->Length == Bytes && memcmp(String->Buffer, Text, Bytes) == 0;
}

static void CountedStringsNeedNoTerminator(void)
{
    UNICODE_STRING String = Room(8), Other, Long;
    static WCHAR Text[40000];

    CHECK_STATUS(STATUS_SUCCESS, RtlUnicodeStringPrintf(&String, L"%d", 1234));
    CHECK(Holds(&String, L"1234"));
    CHECK_STATUS(STATUS_BUFFER_OVERFLOW, RtlUnicodeStringPrintf(&String, L"%d", 56789));
    CHECK(Holds(&String, L"5678"));
    CHECK_STATUS(STATUS_SUCCESS, RtlUnicodeStringCopyString(&String, L"ab"));
    CHECK_STATUS(STATUS_SUCCESS, RtlUnicodeStringCatString(&String, L"c"));
    CHECK(Holds(&String, L"abc"));
    RtlInitUnicodeString(&Other, L"xy");
    CHECK_STATUS(STATUS_BUFFER_OVERFLOW, RtlUnicodeStringCat(&String, &Other));
    CHECK(Holds(&String, L"abcx"));
    CHECK_STATUS(STATUS_SUCCESS, RtlUnicodeStringCopy(&String, &Other));
    CHECK(Holds(&String, L"xy"));
    CHECK_STATUS(STATUS_BUFFER_OVERFLOW, RtlUnicodeStringCopyString(&String, L"abcde"));
    CHECK(Holds(&String, L"abcd"));
    for (ULONG i = 0; i < ARRAYSIZE(Text) - 1; i++) {
        Text[i] = 'x';
    }
    CHECK_STATUS(STATUS_INVALID_PARAMETER, RtlUnicodeStringInit(&Long, Text));
    Text[32766] = 0;
    CHECK_STATUS(STATUS_SUCCESS, RtlUnicodeStringInit(&Long, Text));
    CHECK_EQUAL(65532, Long.Length);
    CHECK_STATUS(STATUS_SUCCESS, RtlUnicodeStringInit(&Long, NULL));
    CHECK_EQUAL(0, Long.Length);
}

static void UpperCaseOfWholeStrings(void)
{
    UNICODE_STRING Source, String = Room(6), Small = Room(4);
    char Narrow[3] = "", Text[] = "aBz{";
    STRING From = {4, 4, Text}, To = {0, sizeof(Narrow), Narrow};

    RtlInitUnicodeString(&Source, L"a\x00e4Z");
    CHECK_STATUS(STATUS_SUCCESS, RtlUpcaseUnicodeString(&String, &Source, FALSE));
    CHECK(Holds(&String, L"A\x00c4Z"));
    CHECK_STATUS(STATUS_BUFFER_OVERFLOW, RtlUpcaseUnicodeString(&Small, &Source, FALSE));
    HostNoMemory = true;
    CHECK_STATUS(STATUS_NO_MEMORY, RtlUpcaseUnicodeString(&Small, &Source, TRUE));
    HostNoMemory = false; /* there is no allocator here */
    RtlUpperString(&To, &From);
    CHECK(To.Length == 3 && memcmp(Narrow, "ABZ", 3) == 0);
    CHECK(RtlEqualString(&From, &From, FALSE) && !RtlEqualString(&From, &To, TRUE));
    From.Length = 3;
    CHECK(RtlEqualString(&From, &To, TRUE) && !RtlEqualString(&From, &To, FALSE));
    CHECK(RtlCompareString(&From, &To, FALSE) > 0 && RtlCompareString(&To, &From, FALSE) < 0);
}

static NTSTATUS Read(const WCHAR *Text, ULONG Base, PULONG Value)
{
    SIZE_T Bytes = RtlBoundedLengthW(Text, SIZE_MAX) * sizeof(WCHAR);
    UNICODE_STRING String = {(USHORT)Bytes, (USHORT)Bytes, memcpy(malloc(Bytes + 1), Text, Bytes)};
    return RtlUnicodeStringToInteger(&String, Base, Value);
}

static void NumbersAreRead(void)
{
    static const struct {
        const WCHAR *Text;
        ULONG Base, Value;
    } Cases[] = {
        {L"123", 0, 123},   {L"  -5", 0, (ULONG)-5}, {L"0x1F", 0, 31},  {L"0o17", 0, 15}, {L"0b101", 0, 5}, {L"017", 0, 17},
        {L"ff", 16, 255},   {L"0x10", 16, 0},        {L"12a", 10, 12},  {L"", 0, 0},      {L"-", 10, 0},    {L"0", 0, 0},
        {L"xyz", 10, 0},    {L"102", 2, 2},          {L"78", 8, 7},     {L"+9", 10, 9},   {L"0x", 0, 0},
        {L"4294967295", 10, 0xffffffff},             {L"4294967297", 10, 1},
    };
    ULONG Value = 77;

    for (ULONG i = 0; i < ARRAYSIZE(Cases); i++) {
        CHECK_STATUS(STATUS_SUCCESS, Read(Cases[i].Text, Cases[i].Base, &Value));
        CHECK_EQUAL(Cases[i].Value, Value);
    }
    Value = 77;
    CHECK_STATUS(STATUS_INVALID_PARAMETER, Read(L"1", 7, &Value));
    CHECK_EQUAL(77, Value);
    CHECK_STATUS(STATUS_SUCCESS, RtlCharToInteger(" 0x2a!", 0, &Value));
    CHECK_EQUAL(42, Value);
    CHECK_STATUS(STATUS_INVALID_PARAMETER, RtlCharToInteger("1", 1, &Value));
}

static void NumbersAreWritten(void)
{
    UNICODE_STRING String = Room(6), Long = Room(128);

    CHECK_STATUS(STATUS_SUCCESS, RtlIntegerToUnicodeString(123, 10, &String));
    CHECK(Holds(&String, L"123"));
    CHECK_STATUS(STATUS_BUFFER_OVERFLOW, RtlIntegerToUnicodeString(1234, 10, &String));
    CHECK(Holds(&String, L"123"));
    CHECK_STATUS(STATUS_SUCCESS, RtlIntegerToUnicodeString(0, 0, &String));
    CHECK(Holds(&String, L"0") && String.Buffer[1] == 0);
    CHECK_STATUS(STATUS_INVALID_PARAMETER, RtlIntegerToUnicodeString(1, 3, &String));
    CHECK_STATUS(STATUS_SUCCESS, RtlInt64ToUnicodeString(0xfedcba9876543210ULL, 16, &Long));
    CHECK(Holds(&Long, L"FEDCBA9876543210"));
    CHECK_STATUS(STATUS_SUCCESS, RtlInt64ToUnicodeString(~0ULL, 2, &Long));
    CHECK_EQUAL(128, Long.Length);
}

static UNICODE_STRING Counted(PCWSTR Text)
{
    UNICODE_STRING String;
    RtlInitUnicodeString(&String, Text);
    return String;
}

static void LowerCaseEndsAndHashes(void)
{
    UNICODE_STRING Whole = Counted(L"Path.SYS"), End = Counted(L".sys"), Long = Counted(L"aPath.SYS"), Same = Counted(L"pATH.sys");
    ULONG Hash = 7, Other = 8;

    for (ULONG Unit = 0; Unit < 0x10000; Unit++) {
        WCHAR Lower = RtlDowncaseUnicodeChar((WCHAR)Unit);
        CHECK(Lower == Unit || RtlUpcaseUnicodeChar(Lower) == Unit);
        CHECK(RtlDowncaseUnicodeChar(RtlUpcaseUnicodeChar((WCHAR)Unit)) == Unit || RtlUpcaseUnicodeChar((WCHAR)Unit) == Unit);
    }
    CHECK(RtlSuffixUnicodeString(&End, &Whole, TRUE) && !RtlSuffixUnicodeString(&End, &Whole, FALSE));
    CHECK(RtlSuffixUnicodeString(&Whole, &Whole, FALSE) && !RtlSuffixUnicodeString(&Long, &Whole, TRUE));
    CHECK_STATUS(STATUS_SUCCESS, RtlHashUnicodeString(&Whole, TRUE, HASH_STRING_ALGORITHM_DEFAULT, &Hash));
    CHECK_STATUS(STATUS_SUCCESS, RtlHashUnicodeString(&Same, TRUE, HASH_STRING_ALGORITHM_X65599, &Other));
    CHECK_EQUAL(Hash, Other);
    CHECK_STATUS(STATUS_SUCCESS, RtlHashUnicodeString(&Same, FALSE, HASH_STRING_ALGORITHM_X65599, &Other));
    CHECK(Hash != Other);
    CHECK_STATUS(STATUS_INVALID_PARAMETER, RtlHashUnicodeString(&Same, FALSE, 2, &Other));
    UNICODE_STRING Two = Counted(L"AB");
    CHECK_STATUS(STATUS_SUCCESS, RtlHashUnicodeString(&Two, FALSE, HASH_STRING_ALGORITHM_X65599, &Other));
    CHECK_EQUAL('A' * 65599 + 'B', Other);
}

int main(void)
{
    RUN(WideCopiesTerminate);
    RUN(NarrowAppendsTerminate);
    RUN(LengthsHaveABound);
    RUN(WideFormats);
    RUN(WidePrintsTerminate);
    RUN(CountedStringsNeedNoTerminator);
    RUN(UpperCaseOfWholeStrings);
    RUN(NumbersAreRead);
    RUN(NumbersAreWritten);
    RUN(LowerCaseEndsAndHashes);
    return HostEnd();
}

/* The exact-sized allocations live as long as the program: that is no leak. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}
