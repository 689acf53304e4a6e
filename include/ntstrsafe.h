/* SPDX-License-Identifier: MIT */
/*
 * Safe strings for drivers, 8-bit: every routine knows the size of its destination, which it always leaves
 * NUL-terminated. The 16-bit forms are not there.
 *
 * Cch routines count characters, Cb routines bytes, both with the NUL. All return STATUS_SUCCESS,
 * STATUS_BUFFER_OVERFLOW (a warning: the text was cut to fit) or STATUS_INVALID_PARAMETER (a size of 0 or
 * beyond NTSTRSAFE_MAX_CCH). PASSIVE as documented, here any IRQL at which the strings may be touched.
 * Formats: see DbgPrint. ddi:ntstrsafe
 */
#pragma once

#include <ntrtl.h>

#define NTSTRSAFE_MAX_CCH 2147483647
typedef PSTR NTSTRSAFE_PSTR;
typedef PCSTR NTSTRSAFE_PCSTR;

NTSTATUS RtlStringCchVPrintfA(_Out_writes_(Size) PSTR Destination, _In_ SIZE_T Size, _In_ PCSTR Format,
                              _In_ va_list Arguments);
NTSTATUS RtlStringCchPrintfA(_Out_writes_(Size) PSTR Destination, _In_ SIZE_T Size, _In_ PCSTR Format, ...);

/* Copies at most Count characters of the source. */
NTSTATUS RtlStringCchCopyNA(_Out_writes_(Size) PSTR Destination, _In_ SIZE_T Size, _In_ PCSTR Source,
                            _In_ SIZE_T Count);

#define RtlStringCchCopyA(Destination, Size, Source)                                                         \
    RtlStringCchCopyNA(Destination, Size, Source, NTSTRSAFE_MAX_CCH)
#define RtlStringCbVPrintfA RtlStringCchVPrintfA
#define RtlStringCbPrintfA  RtlStringCchPrintfA
#define RtlStringCbCopyA    RtlStringCchCopyA
#define RtlStringCbCopyNA   RtlStringCchCopyNA
