/* SPDX-License-Identifier: MIT */
/*
 * More of the C library's string routines, which Windows' kernel offers to drivers: each does what the C
 * standard or its documentation says, in the C locale. Any IRQL at which the strings may be touched; nothing
 * here blocks.
 */
#include <ntddk.h>

#include "kernel/rtl/rtl.h"

/* ---- Case ---- */

/* The upper case of a letter from a to z; others as they are. (C) */
int toupper(int Character)
{
    return Character >= 'a' && Character <= 'z' ? Character - 0x20 : Character;
}

/* The lower case of a letter from A to Z; others as they are. (C) */
int tolower(int Character)
{
    return Character >= 'A' && Character <= 'Z' ? Character + 0x20 : Character;
}

/* The upper case of a 16-bit letter from a to z; others as they are. (C) */
WCHAR towupper(WCHAR Character)
{
    return (WCHAR)toupper(Character);
}

/* The lower case of a 16-bit letter from A to Z; others as they are. (C) */
WCHAR towlower(WCHAR Character)
{
    return (WCHAR)tolower(Character);
}

/* Negative, zero or positive as First sorts before, with or after Second, in lower case, of at most Limit
   bytes each. (WDK page of the name) */
int _strnicmp(const char *First, const char *Second, size_t Limit)
{
    int Difference = 0;

    for (; Limit-- != 0 && Difference == 0; First++, Second++) {
        Difference = tolower((unsigned char)*First) - tolower((unsigned char)*Second);
        if (*First == '\0') {
            break;
        }
    }
    return Difference;
}

/* The same for whole strings. (WDK page of the name) */
int _stricmp(const char *First, const char *Second)
{
    return _strnicmp(First, Second, SIZE_MAX);
}

/* As _strnicmp in 16-bit units. (WDK page of the name) */
int _wcsnicmp(const WCHAR *First, const WCHAR *Second, size_t Limit)
{
    int Difference = 0;

    for (; Limit-- != 0 && Difference == 0; First++, Second++) {
        Difference = towlower(*First) - towlower(*Second);
        if (*First == 0) {
            break;
        }
    }
    return Difference;
}

/* The same for whole strings. (WDK page of the name) */
int _wcsicmp(const WCHAR *First, const WCHAR *Second)
{
    return _wcsnicmp(First, Second, SIZE_MAX);
}

/* ---- 8-bit strings ---- */

/* The last place of a character, which may be the NUL, in a string; NULL when it is not there. (C) */
char *strrchr(const char *String, int Character)
{
    const char *Last = NULL;

    do {
        Last = *String == (char)Character ? String : Last;
    } while (*String++ != '\0');
    return (char *)Last;
}

/* Appends a string, and returns the destination. (C) */
char *strcat(char *Destination, const char *Source)
{
    memcpy(Destination + strlen(Destination), Source, strlen(Source) + 1);
    return Destination;
}

/* Appends at most Limit bytes of a string, and a NUL; returns the destination. (C) */
char *strncat(char *Destination, const char *Source, size_t Limit)
{
    size_t At = strlen(Destination), Length = strnlen(Source, Limit);

    memcpy(Destination + At, Source, Length);
    Destination[At + Length] = '\0';
    return Destination;
}

/* ---- 16-bit strings ---- */

/* Negative, zero or positive as First sorts before, with or after Second, by 16-bit units. (C) */
int wcscmp(const WCHAR *First, const WCHAR *Second)
{
    return wcsncmp(First, Second, SIZE_MAX);
}

/* Copies a string with its NUL, and returns the destination. (C) */
WCHAR *wcscpy(WCHAR *Destination, const WCHAR *Source)
{
    return memcpy(Destination, Source, (wcslen(Source) + 1) * sizeof(WCHAR));
}

/* Copies at most Limit units of a string and fills up with NULs: without one at the end when the string is
   not shorter than Limit. (C) */
WCHAR *wcsncpy(WCHAR *Destination, const WCHAR *Source, size_t Limit)
{
    size_t Length = RtlBoundedLengthW(Source, Limit);

    memcpy(Destination, Source, Length * sizeof(WCHAR));
    memset(Destination + Length, 0, (Limit - Length) * sizeof(WCHAR));
    return Destination;
}

/* Appends a string, and returns the destination. (C) */
WCHAR *wcscat(WCHAR *Destination, const WCHAR *Source)
{
    wcscpy(Destination + wcslen(Destination), Source);
    return Destination;
}

/* The first place of a unit, which may be the NUL, in a string; NULL when it is not there. (C) */
WCHAR *wcschr(const WCHAR *String, WCHAR Unit)
{
    for (; *String != Unit; String++) {
        if (*String == 0) {
            return NULL;
        }
    }
    return (WCHAR *)String;
}

/* The last place of a unit, which may be the NUL, in a string; NULL when it is not there. (C) */
WCHAR *wcsrchr(const WCHAR *String, WCHAR Unit)
{
    const WCHAR *Last = NULL;

    do {
        Last = *String == Unit ? String : Last;
    } while (*String++ != 0);
    return (WCHAR *)Last;
}

/* The first place of Pattern in a string, which is its start for an empty pattern; NULL when it is not there.
   (C) */
WCHAR *wcsstr(const WCHAR *String, const WCHAR *Pattern)
{
    size_t Length = wcslen(Pattern);

    for (; wcsncmp(String, Pattern, Length) != 0; String++) {
        if (*String == 0) {
            return NULL;
        }
    }
    return (WCHAR *)String;
}
