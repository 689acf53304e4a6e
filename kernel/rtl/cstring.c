/* SPDX-License-Identifier: MIT */
/*
 * The few string routines of the C library that kernel and driver sources use. Each does what the C standard
 * says, in the C locale; any IRQL. Host tests use the host's.
 */
#include "kernel/rtl/export.h"
#include "kernel/rtl/rtl.h"

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

int isdigit(int Character)
{
    return Character >= '0' && Character <= '9';
}
EXPORT(isdigit);

size_t wcslen(const WCHAR *String)
{
    return RtlBoundedLengthW(String, SIZE_MAX);
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
