/* SPDX-License-Identifier: MIT */
/*
 * The few string routines of the C library that kernel and driver sources use. Each does what the C standard
 * (or, for the names with an underscore, the driver kit) says, in the C locale; any IRQL. Host tests use the
 * host's.
 */
#include <ntrtl.h>

#include "kernel/ldr/export.h"

/* Or GCC would recognise a loop below as strlen, and replace it by a call of the routine that it stands
   in. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("no-tree-loop-distribute-patterns")
#endif

void *memchr(const void *Memory, int Value, size_t Length)
{
    for (const unsigned char *Byte = Memory; Length-- != 0; Byte++) {
        if (*Byte == (unsigned char)Value) {
            return (void *)Byte;
        }
    }
    return NULL;
}
EXPORT(memchr);

size_t strnlen(const char *String, size_t Limit)
{
    size_t Length = 0;
    while (Length < Limit && String[Length] != '\0') {
        Length++;
    }
    return Length;
}
EXPORT(strnlen);

size_t strlen(const char *String)
{
    return strnlen(String, SIZE_MAX);
}
EXPORT(strlen);

int strncmp(const char *First, const char *Second, size_t Limit)
{
    for (; Limit-- != 0; First++, Second++) {
        if (*First != *Second || *First == '\0') {
            return (unsigned char)*First - (unsigned char)*Second;
        }
    }
    return 0;
}
EXPORT(strncmp);

int strcmp(const char *First, const char *Second)
{
    return strncmp(First, Second, SIZE_MAX);
}
EXPORT(strcmp);

char *strchr(const char *String, int Character)
{
    for (; *String != (char)Character; String++) {
        if (*String == '\0') {
            return NULL;
        }
    }
    return (char *)String;
}
EXPORT(strchr);

char *strrchr(const char *String, int Character)
{
    const char *Last = NULL;
    do {
        if (*String == (char)Character) {
            Last = String;
        }
    } while (*String++ != '\0');
    return (char *)Last;
}
EXPORT(strrchr);

char *strstr(const char *String, const char *Pattern)
{
    size_t Length = strlen(Pattern);
    for (; strncmp(String, Pattern, Length) != 0; String++) {
        if (*String == '\0') {
            return NULL;
        }
    }
    return (char *)String;
}
EXPORT(strstr);

char *strcpy(char *Destination, const char *Source)
{
    return memcpy(Destination, Source, strlen(Source) + 1);
}
EXPORT(strcpy);

char *strncpy(char *Destination, const char *Source, size_t Limit)
{
    size_t Length = strnlen(Source, Limit);
    memcpy(Destination, Source, Length);
    memset(Destination + Length, 0, Limit - Length);
    return Destination;
}
EXPORT(strncpy);

char *strcat(char *Destination, const char *Source)
{
    strcpy(Destination + strlen(Destination), Source);
    return Destination;
}
EXPORT(strcat);

int isdigit(int Character)
{
    return Character >= '0' && Character <= '9';
}
EXPORT(isdigit);

int isxdigit(int Character)
{
    return isdigit(Character) || ((Character | 0x20) >= 'a' && (Character | 0x20) <= 'f');
}
EXPORT(isxdigit);

int isspace(int Character)
{
    return Character == ' ' || (Character >= '\t' && Character <= '\r');
}
EXPORT(isspace);

int isalpha(int Character)
{
    return (Character | 0x20) >= 'a' && (Character | 0x20) <= 'z';
}
EXPORT(isalpha);

int isprint(int Character)
{
    return Character >= ' ' && Character <= '~';
}
EXPORT(isprint);

int toupper(int Character)
{
    return Character >= 'a' && Character <= 'z' ? Character - 0x20 : Character;
}
EXPORT(toupper);

int tolower(int Character)
{
    return Character >= 'A' && Character <= 'Z' ? Character + 0x20 : Character;
}
EXPORT(tolower);

int _strnicmp(const char *First, const char *Second, size_t Limit)
{
    for (; Limit-- != 0; First++, Second++) {
        int One = tolower((unsigned char)*First);
        int Two = tolower((unsigned char)*Second);
        if (One != Two || One == '\0') {
            return One - Two;
        }
    }
    return 0;
}
EXPORT(_strnicmp);

int _stricmp(const char *First, const char *Second)
{
    return _strnicmp(First, Second, SIZE_MAX);
}
EXPORT(_stricmp);

size_t wcsnlen(const WCHAR *String, size_t Limit)
{
    size_t Length = 0;
    while (Length < Limit && String[Length] != 0) {
        Length++;
    }
    return Length;
}
EXPORT(wcsnlen);

size_t wcslen(const WCHAR *String)
{
    return wcsnlen(String, SIZE_MAX);
}
EXPORT(wcslen);

int wcsncmp(const WCHAR *First, const WCHAR *Second, size_t Limit)
{
    for (; Limit-- != 0; First++, Second++) {
        if (*First != *Second || *First == 0) {
            return *First - *Second;
        }
    }
    return 0;
}
EXPORT(wcsncmp);

int wcscmp(const WCHAR *First, const WCHAR *Second)
{
    return wcsncmp(First, Second, SIZE_MAX);
}
EXPORT(wcscmp);

int _wcsnicmp(const WCHAR *First, const WCHAR *Second, size_t Limit)
{
    for (; Limit-- != 0; First++, Second++) {
        int One = RtlDowncaseUnicodeChar(*First);
        int Two = RtlDowncaseUnicodeChar(*Second);
        if (One != Two || One == 0) {
            return One - Two;
        }
    }
    return 0;
}
EXPORT(_wcsnicmp);

int _wcsicmp(const WCHAR *First, const WCHAR *Second)
{
    return _wcsnicmp(First, Second, SIZE_MAX);
}
EXPORT(_wcsicmp);

WCHAR *wcschr(const WCHAR *String, WCHAR Character)
{
    for (; *String != Character; String++) {
        if (*String == 0) {
            return NULL;
        }
    }
    return (WCHAR *)String;
}
EXPORT(wcschr);

WCHAR *wcsrchr(const WCHAR *String, WCHAR Character)
{
    const WCHAR *Last = NULL;
    do {
        if (*String == Character) {
            Last = String;
        }
    } while (*String++ != 0);
    return (WCHAR *)Last;
}
EXPORT(wcsrchr);

WCHAR *wcscpy(WCHAR *Destination, const WCHAR *Source)
{
    return memcpy(Destination, Source, (wcslen(Source) + 1) * sizeof(WCHAR));
}
EXPORT(wcscpy);

WCHAR *wcsncpy(WCHAR *Destination, const WCHAR *Source, size_t Limit)
{
    size_t Length = wcsnlen(Source, Limit);
    memcpy(Destination, Source, Length * sizeof(WCHAR));
    memset(Destination + Length, 0, (Limit - Length) * sizeof(WCHAR));
    return Destination;
}
EXPORT(wcsncpy);
