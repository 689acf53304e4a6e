/* SPDX-License-Identifier: MIT */
/*
 * The run-time library as the kernel sees it: what <ntrtl.h> documents for everybody, and what only the
 * kernel uses. It depends on nothing else, holds no state but one pair of pointers, and any component may
 * call it.
 */
#pragma once

#include <ntrtl.h>

#include "kernel/rtl/avl.h"
#include "kernel/rtl/bits.h"
#include "kernel/rtl/random.h"

/* ---- Formatted print (format.c) ------------------------------------------------------------------------ */

/* Takes Length bytes of the text, in order; not NUL-terminated. */
typedef VOID RTL_FORMAT_SINK(PVOID Context, const char *Text, SIZE_T Length);

/*
 * Formats by the driver kit's rules and hands the text (UTF-8) to Sink piece by piece. Returns the number of
 * bytes given.
 *
 *   %[- + space # 0][width][.precision][size]type, width and precision also as *
 *   d i u o x X    32 bits; hh 8, h 16, l and I32 32 (!), ll I64 I z t j 64
 *   p              16 hexadecimal digits; with # prefixed by 0x
 *   c s            8-bit; with l or w 16-bit. C S: 16-bit; with h 8-bit. Precision bounds what is read
 *   Z              ANSI_STRING *; with w or l UNICODE_STRING *. Not read past Length, nor past the precision
 *   n              nothing is written anywhere; its argument is passed over
 *
 * A NULL string prints (null); what is no conversion (floating point included) prints as it stands. Any IRQL
 * at which Sink and the strings may be touched.
 */
SIZE_T RtlFormatV(RTL_FORMAT_SINK *Sink, PVOID Context, PCSTR Format, va_list Arguments);

/* Formats into Buffer, at most Size bytes with the NUL, which is there unless Size is 0. Returns the length
   that the whole text has, without the NUL: it was cut when that is >= Size. */
SIZE_T RtlPrintV(char *Buffer, SIZE_T Size, PCSTR Format, va_list Arguments);

/* The same from a 16-bit format, in which c and s mean 16-bit text and C and S 8-bit text, into a 16-bit buffer: at most
   Room units, and no NUL. *Written: units. Returns the units that the whole text has. What is ill-formed becomes
   U+FFFD. */
SIZE_T RtlPrintWideV(PWCH Buffer, SIZE_T Room, PSIZE_T Written, PCWSTR Format, va_list Arguments);

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
SIZE_T RtlBoundedLengthW(PCWSTR String, SIZE_T Limit);

/* Where RtlAnsiStringToUnicodeString and its kin allocate. Until it is called they answer STATUS_NO_MEMORY
   when they would have to. Called once at start-up, when pool works. */
VOID RtlSetStringAllocator(PVOID (*Allocate)(SIZE_T Size), VOID (*Free)(PVOID Memory));
