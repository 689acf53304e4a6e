/* SPDX-License-Identifier: MIT */
/*
 * The run-time library as the kernel sees it: what <ntrtl.h> documents for everybody, and what only the
 * kernel uses. It depends on nothing else, holds no state but one pair of pointers, and any component may
 * call it. What only drivers use of <ntrtl.h> is in drivers/lib.
 */
#pragma once

#include <ntrtl.h>

#include "kernel/rtl/avl.h"
#include "kernel/rtl/bits.h"
#include "kernel/rtl/random.h"

/* Formats into Buffer, at most Size bytes with the NUL, which is there unless Size is 0. */
VOID RtlPrint(char *Buffer, SIZE_T Size, PCSTR Format, ...);

/* ---- One character at a time (utf.c) ------------------------------------------------------------------- */

#define RTL_REPLACEMENT_CHARACTER 0xFFFD
#define RTL_ILL_FORMED            0xFFFFFFFF

/* Reads a character from Length (> 0) bytes or units; *Consumed (>= 1) says how many it took. RTL_ILL_FORMED
   for what is none (overlong forms, lone surrogates and the like). */
ULONG RtlDecodeUtf8(const char *Text, SIZE_T Length, SIZE_T *Consumed);
ULONG RtlDecodeUtf16(const WCHAR *Text, SIZE_T Length, SIZE_T *Consumed);

/* Writes a character, RTL_ILL_FORMED and other impossible ones as U+FFFD; returns how many bytes or units. */
ULONG RtlEncodeUtf8(ULONG Character, char Text[4]);
ULONG RtlEncodeUtf16(ULONG Character, WCHAR Text[2]);

/* ---- Strings ------------------------------------------------------------------------------------------- */

/* Length of a 16-bit string, at most Limit units, none beyond which is read. */
static inline SIZE_T RtlBoundedLengthW(PCWSTR String, SIZE_T Limit)
{
    SIZE_T Length = 0;
    while (Length < Limit && String[Length] != 0) {
        Length++;
    }
    return Length;
}

/* Where RtlAnsiStringToUnicodeString allocates. Until it is called that answers STATUS_NO_MEMORY when it
   would have to. Called once at start-up, when pool works. */
VOID RtlSetStringAllocator(PVOID (*Allocate)(SIZE_T Size), VOID (*Free)(PVOID Memory));
