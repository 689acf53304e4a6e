// sources:
/* SPDX-License-Identifier: MIT */
/*
 * The C library routines of the kernel and of the driver library against the host's: the same answers for
 * random inputs, and no byte touched outside (each buffer is an allocation of its exact size, watched by the
 * address sanitizer). The sources are compiled into this file under other names.
 */
#include <ctype.h>

#include "tests/host/host.h"
#include "kernel/rtl/rtl.h"

#undef isdigit
#undef toupper
#undef tolower
#define memcpy   Own_memcpy
#define memmove  Own_memmove
#define memset   Own_memset
#define memcmp   Own_memcmp
#define memchr   Own_memchr
#define strlen   Own_strlen
#define strnlen  Own_strnlen
#define strcmp   Own_strcmp
#define strncmp  Own_strncmp
#define strchr   Own_strchr
#define strstr   Own_strstr
#define strcpy   Own_strcpy
#define strncpy  Own_strncpy
#define isdigit  Own_isdigit
#define strrchr  Own_strrchr
#define strcat   Own_strcat
#define strncat  Own_strncat
#define toupper  Own_toupper
#define tolower  Own_tolower
#define towupper Own_towupper
#define towlower Own_towlower
#define wcscmp   Own_wcscmp
#define wcscpy   Own_wcscpy
#define wcsncpy  Own_wcsncpy
#define wcscat   Own_wcscat
#define wcschr   Own_wcschr
#define wcsrchr  Own_wcsrchr
#define wcsstr   Own_wcsstr
#include "kernel/rtl/memory.c"
#include "kernel/rtl/cstring.c"
#include "drivers/lib/cstring.c"
#include "drivers/lib/ctext.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef memchr
#undef strlen
#undef strnlen
#undef strcmp
#undef strncmp
#undef strchr
#undef strstr
#undef strcpy
#undef strncpy
#undef isdigit
#undef strrchr
#undef strcat
#undef strncat
#undef toupper
#undef tolower
#undef towupper
#undef towlower
#undef wcscmp
#undef wcscpy
#undef wcsncpy
#undef wcscat
#undef wcschr
#undef wcsrchr
#undef wcsstr

static RTL_RANDOM Random;

static ULONG Below(ULONG Limit)
{
    return RtlRandomBelow(&Random, Limit);
}

static int Sign(int Value)
{
    return (Value > 0) - (Value < 0);
}

/* An allocation of Size bytes of which each is one of the first Letters letters. */
static char *RandomBytes(SIZE_T Size, ULONG Letters)
{
    char *Bytes = malloc(Size != 0 ? Size : 1);
    for (SIZE_T Index = 0; Index < Size; Index++) {
        Bytes[Index] = (char)('a' + Below(Letters));
    }
    return Bytes;
}

static void CopyAndFillAgreeWithTheHost(void)
{
    for (ULONG Round = 0; Round < 3000; Round++) {
        SIZE_T Size = Below(200), Offset = Below(9);
        char *From = RandomBytes(Size + Offset, 26), *To = RandomBytes(Size + Offset, 26);
        CHECK(Own_memcpy(To + Offset, From + Offset, Size) == To + Offset);
        CHECK(memcmp(To + Offset, From + Offset, Size) == 0);
        CHECK(Own_memset(To, 0x180 + (int)Round, Size) == To);
        for (SIZE_T Index = 0; Index < Size; Index++) {
            CHECK(To[Index] == (char)(0x80 + Round));
        }
        free(From);
        free(To);
    }
}

static void MoveAllowsEveryOverlap(void)
{
    for (SIZE_T Size = 0; Size < 70; Size++) {
        for (SIZE_T To = 0; To < 40; To++) {
            char *Own = RandomBytes(Size + 40, 26), *Host = malloc(Size + 40);
            memcpy(Host, Own, Size + 40);
            CHECK(Own_memmove(Own + To, Own + 20, Size) == Own + To);
            memmove(Host + To, Host + 20, Size);
            CHECK(memcmp(Own, Host, Size + 40) == 0);
            free(Own);
            free(Host);
        }
    }
}

static void CompareAndSearchAgreeWithTheHost(void)
{
    for (ULONG Round = 0; Round < 5000; Round++) {
        SIZE_T Size = Below(24);
        char *One = RandomBytes(Size, 2), *Two = RandomBytes(Size, 2);
        if (Below(2)) {
            memcpy(Two, One, Size);
        }
        CHECK(Sign(Own_memcmp(One, Two, Size)) == Sign(memcmp(One, Two, Size)));
        CHECK(Own_memchr(One, 'b', Size) == memchr(One, 'b', Size));
        free(One);
        free(Two);
    }
    CHECK(Own_memcmp("\xff", "\x01", 1) > 0);
    CHECK(Own_memcmp("12345678a", "12345678b", 9) < 0);
}

static void StringsAgreeWithTheHost(void)
{
    for (ULONG Round = 0; Round < 5000; Round++) {
        SIZE_T Length = Below(12), Limit = Below(14);
        char *One = RandomBytes(Length + 1, 2), *Two = RandomBytes(Length + 1, 2),
             *Pattern = RandomBytes(4, 2);
        One[Length] = Two[Below((ULONG)Length + 1)] = Two[Length] = Pattern[Below(4)] = Pattern[3] = '\0';
        CHECK(Own_strlen(One) == strlen(One) && Own_strnlen(One, Limit) == strnlen(One, Limit));
        CHECK(Sign(Own_strcmp(One, Two)) == Sign(strcmp(One, Two)));
        CHECK(Sign(Own_strncmp(One, Two, Limit)) == Sign(strncmp(One, Two, Limit)));
        CHECK(Own_strchr(One, 'b') == strchr(One, 'b'));
        CHECK(Own_strchr(One, 0) == strchr(One, 0));
        CHECK(Own_strstr(One, Pattern) == strstr(One, Pattern));
        char Own[48], Host[48];
        memset(Own, 'x', sizeof(Own));
        memset(Host, 'x', sizeof(Host));
        Own_strncpy(Own, One, Limit);
        for (SIZE_T Index = 0, Ended = 0; Index < Limit; Index++) {
            Ended |= One[Ended ? 0 : Index] == '\0' && !Ended;
            Host[Index] = Ended ? '\0' : One[Index];
        }
        CHECK(memcmp(Own, Host, sizeof(Own)) == 0);
        CHECK_TEXT(One, Own_strcpy(Own, One));
        CHECK(Own_strrchr(One, 'b') == strrchr(One, 'b') && Own_strrchr(One, 0) == strrchr(One, 0));
        CHECK_TEXT(strcat(strcpy(Host, One), Pattern), Own_strcat(Own, Pattern));
        CHECK_TEXT(strncat(Host, Two, Limit), Own_strncat(Own, Two, Limit));
        free(One);
        free(Two);
        free(Pattern);
    }
    CHECK(Own_strcmp("\xff", "\x01") > 0);
}

static void DigitsAgreeWithTheHost(void)
{
    for (int Character = 0; Character < 128; Character++) {
        CHECK(!Own_isdigit(Character) == !isdigit(Character));
        CHECK(Own_toupper(Character) == toupper(Character) && Own_tolower(Character) == tolower(Character));
        CHECK(Own_towupper((WCHAR)Character) == toupper(Character) && Own_towlower((WCHAR)Character) == tolower(Character));
    }
}

static void WideStrings(void)
{
    CHECK(wcslen(L"abc") == 3 && wcslen(L"") == 0);
    CHECK(wcsncmp(L"abx", L"aby", 2) == 0 && wcsncmp(L"ab", L"abc", 9) < 0);
}

static void CaseDoesNotCount(void)
{
    CHECK(_stricmp("abC", "ABc") == 0 && _stricmp("ab", "ABc") < 0 && _stricmp("b", "ABC") > 0 && _stricmp("_", "A") < 0);
    CHECK(_strnicmp("abX", "ABy", 2) == 0 && _strnicmp("abX", "ABy", 3) < 0 && _strnicmp("a", "b", 0) == 0);
    CHECK(_strnicmp("ab", "AB", 9) == 0);
    CHECK(_wcsicmp(L"abC", L"ABc") == 0 && _wcsicmp(L"ab", L"ABc") < 0 && _wcsicmp(L"b", L"ABC") > 0);
    CHECK(_wcsnicmp(L"abX", L"ABy", 2) == 0 && _wcsnicmp(L"abX", L"ABy", 3) < 0 && _wcsnicmp(L"a", L"b", 0) == 0);
}

static bool Equal(const WCHAR *Text, const WCHAR *Expected)
{
    return Own_wcscmp(Text, Expected) == 0;
}

static void WideTexts(void)
{
    const WCHAR *Text = L"abcabc";
    WCHAR *Buffer = malloc(7 * sizeof(WCHAR));

    CHECK(Own_wcscmp(L"ab", L"ab") == 0 && Own_wcscmp(L"ab", L"abc") < 0 && Own_wcscmp(L"\xffff", L"a") > 0);
    CHECK(Own_wcscpy(Buffer, L"abc") == Buffer && Own_wcscat(Buffer, L"abc") == Buffer && Equal(Buffer, Text));
    Buffer[4] = 'x';
    CHECK(Own_wcsncpy(Buffer, L"de", 4) == Buffer && Equal(Buffer, L"de") && Buffer[3] == 0 && Buffer[4] == 'x');
    Own_wcsncpy(Buffer, L"fghi", 3);
    CHECK(Buffer[2] == 'h' && Buffer[3] == 0);
    CHECK(Own_wcschr(Text, 'c') == Text + 2 && Own_wcschr(Text, 0) == Text + 6 && Own_wcschr(Text, 'x') == NULL);
    CHECK(Own_wcsrchr(Text, 'c') == Text + 5 && Own_wcsrchr(Text, 0) == Text + 6 && Own_wcsrchr(Text, 'x') == NULL);
    CHECK(Own_wcsstr(Text, L"cab") == Text + 2 && Own_wcsstr(Text, L"") == Text && Own_wcsstr(Text, L"cb") == NULL);
    free(Buffer);
}

int main(void)
{
    Random = HostRandom();
    RUN(CopyAndFillAgreeWithTheHost);
    RUN(MoveAllowsEveryOverlap);
    RUN(CompareAndSearchAgreeWithTheHost);
    RUN(StringsAgreeWithTheHost);
    RUN(DigitsAgreeWithTheHost);
    RUN(WideStrings);
    RUN(CaseDoesNotCount);
    RUN(WideTexts);
    return HostEnd();
}
