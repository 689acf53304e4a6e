/* SPDX-License-Identifier: MIT */
/*
 * memcpy and its kin, which compilers call of their own accord, eight bytes at a time. They are weak: the
 * machine's folder may hold better ones under the same names. Host tests use the host's.
 */
#include <ntrtl.h>

#include "kernel/rtl/export.h"

/* A word at any address, of any type. */
typedef uint64_t __attribute__((__may_alias__, __aligned__(1))) RTLP_WORD;

#define RTLP_WEAK __attribute__((__weak__))

/* Or GCC would recognise the loops below and replace each by a call of the routine that it stands in. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("no-tree-loop-distribute-patterns")
#endif

/* Copies Length bytes that do not overlap (or the destination lies below). Returns Destination. Any IRQL.
   (WDK page of the name) */
RTLP_WEAK void *memcpy(void *Destination, const void *Source, size_t Length)
{
    unsigned char *To = Destination;
    const unsigned char *From = Source;

    for (; Length >= 8; Length -= 8, To += 8, From += 8) {
        *(RTLP_WORD *)To = *(const RTLP_WORD *)From;
    }
    while (Length-- != 0) {
        *To++ = *From++;
    }
    return Destination;
}
EXPORT(memcpy);

/* Copies downwards, from the last byte to the first. */
static void RtlpCopyBackwards(unsigned char *To, const unsigned char *From, size_t Length)
{
    while (Length >= 8) {
        Length -= 8;
        *(RTLP_WORD *)(To + Length) = *(const RTLP_WORD *)(From + Length);
    }
    while (Length-- != 0) {
        To[Length] = From[Length];
    }
}

/* Copies Length bytes, which may overlap. Returns Destination. Any IRQL. (WDK page of the name) */
RTLP_WEAK void *memmove(void *Destination, const void *Source, size_t Length)
{
    if ((uintptr_t)Destination - (uintptr_t)Source >= Length) {
        memcpy(Destination, Source, Length);
    } else {
        RtlpCopyBackwards(Destination, Source, Length);
    }
    return Destination;
}
EXPORT(memmove);

/* Sets Length bytes to the low byte of Value. Returns Destination. Any IRQL. (WDK page of the name) */
RTLP_WEAK void *memset(void *Destination, int Value, size_t Length)
{
    unsigned char *To = Destination;
    uint64_t Word = (unsigned char)Value * 0x0101010101010101UL;

    for (; Length >= 8; Length -= 8, To += 8) {
        *(RTLP_WORD *)To = Word;
    }
    while (Length-- != 0) {
        *To++ = (unsigned char)Value;
    }
    return Destination;
}
EXPORT(memset);

/* Negative, zero or positive as the first byte that differs is smaller, absent or larger in First. Any
   IRQL. (WDK page of the name) */
RTLP_WEAK int memcmp(const void *First, const void *Second, size_t Length)
{
    const unsigned char *One = First;
    const unsigned char *Two = Second;

    while (Length >= 8 && *(const RTLP_WORD *)One == *(const RTLP_WORD *)Two) {
        One += 8;
        Two += 8;
        Length -= 8;
    }
    for (; Length != 0; Length--, One++, Two++) {
        if (*One != *Two) {
            return *One - *Two;
        }
    }
    return 0;
}
EXPORT(memcmp);
