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

/* The first of Length bytes that equals the low byte of Value, or NULL. This one and all below: C's own,
   any IRQL when the memory is resident, do not block. (C) */
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

/* The length of a string, or Limit when it has no NUL within so many bytes. (C) */
size_t strnlen(const char *String, size_t Limit)
{
    size_t Length = 0;
    while (Length < Limit && String[Length] != '\0') {
        Length++;
    }
    return Length;
}
EXPORT(strnlen);

/* The length of a string in bytes, its NUL not counted. (C) */
size_t strlen(const char *String)
{
    return strnlen(String, SIZE_MAX);
}
EXPORT(strlen);

/* Negative, zero or positive as First sorts before, with or after Second, by unsigned bytes, of at most
   Limit each. (C) */
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

/* Negative, zero or positive as First sorts before, with or after Second, by unsigned bytes. (C) */
int strcmp(const char *First, const char *Second)
{
    return strncmp(First, Second, SIZE_MAX);
}
EXPORT(strcmp);

/* The first place of a character, which may be the NUL, in a string; NULL when it is not there. (C) */
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

/* Copies at most Limit bytes of a string and fills up with NULs: without one at the end when the string is
   not shorter than Limit. (C) */
char *strncpy(char *Destination, const char *Source, size_t Limit)
{
    size_t Length = strnlen(Source, Limit);
    memcpy(Destination, Source, Length);
    memset(Destination + Length, 0, Limit - Length);
    return Destination;
}
EXPORT(strncpy);

/* Negative, zero or positive as First sorts before, with or after Second, by 16-bit units, of at most Limit
   each. (C) */
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
