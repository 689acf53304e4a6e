/* SPDX-License-Identifier: MIT */
/* The string routines of the C library that drivers use and the kernel does not. Programs have them, too
   (user/libnt). */
#include "kernel/rtl/rtl.h"

/* The first place of Pattern in a string, which is its start for an empty pattern; NULL when it is not
   there. (C) */
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

/* Copies a string with its NUL, and returns the destination. (C) */
char *strcpy(char *Destination, const char *Source)
{
    return memcpy(Destination, Source, strlen(Source) + 1);
}

/* Not 0 for the characters 0 to 9. (C) */
int isdigit(int Character)
{
    return Character >= '0' && Character <= '9';
}

/* The length of a string in 16-bit units, its NUL not counted. (C) */
size_t wcslen(const WCHAR *String)
{
    return RtlBoundedLengthW(String, SIZE_MAX);
}
