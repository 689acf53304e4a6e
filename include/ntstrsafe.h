/* SPDX-License-Identifier: MIT */
/*
 * Safe strings for drivers: every routine knows the size of its destination, which it always leaves
 * NUL-terminated.
 *
 * Cch routines count characters, Cb routines bytes, both with the NUL; A is 8-bit, W 16-bit text. All return
 * STATUS_SUCCESS, STATUS_BUFFER_OVERFLOW (a warning: the text was cut to fit) or STATUS_INVALID_PARAMETER (a
 * size of 0 or beyond NTSTRSAFE_MAX_CCH; for Length, no NUL within the size). PASSIVE as documented, here any
 * IRQL at which the strings may be touched. Formats: see DbgPrint; in 16-bit formats %s and %c stand for
 * 16-bit text. (WDK pages of the names)
 */
#pragma once

#include <ntrtl.h>

#define NTSTRSAFE_MAX_CCH                    2147483647
#define NTSTRSAFE_UNICODE_STRING_MAX_CCH     (0xffff / sizeof(WCHAR))
typedef PSTR NTSTRSAFE_PSTR;
typedef PCSTR NTSTRSAFE_PCSTR;
typedef PWSTR NTSTRSAFE_PWSTR;
typedef PCWSTR NTSTRSAFE_PCWSTR;

/* ---- 8-bit ---- */

NTSTATUS RtlStringCchVPrintfA(_Out_writes_(Size) PSTR Destination, _In_ SIZE_T Size, _In_ PCSTR Format,
                              _In_ va_list Arguments);
NTSTATUS RtlStringCchPrintfA(_Out_writes_(Size) PSTR Destination, _In_ SIZE_T Size, _In_ PCSTR Format, ...);
/* At most Count characters of the source: copied; or appended to what is there. (WDK page of the name) */
NTSTATUS RtlStringCchCopyNA(_Out_writes_(Size) PSTR Destination, _In_ SIZE_T Size, _In_ PCSTR Source,
                            _In_ SIZE_T Count);
NTSTATUS RtlStringCchCatNA(_Inout_updates_(Size) PSTR Destination, _In_ SIZE_T Size, _In_ PCSTR Source,
                           _In_ SIZE_T Count);
/* The length of a string that must end within Maximum characters, its NUL included. (WDK page of the name) */
NTSTATUS RtlStringCchLengthA(_In_ PCSTR Text, _In_ SIZE_T Maximum, _Out_opt_ PSIZE_T Length);

#define RtlStringCchCopyA(Destination, Size, Source)                                                         \
    RtlStringCchCopyNA(Destination, Size, Source, NTSTRSAFE_MAX_CCH)
#define RtlStringCchCatA(Destination, Size, Source) RtlStringCchCatNA(Destination, Size, Source, NTSTRSAFE_MAX_CCH)
#define RtlStringCbVPrintfA RtlStringCchVPrintfA
#define RtlStringCbPrintfA  RtlStringCchPrintfA
#define RtlStringCbCopyA    RtlStringCchCopyA
#define RtlStringCbCopyNA   RtlStringCchCopyNA
#define RtlStringCbCatA     RtlStringCchCatA
#define RtlStringCbCatNA    RtlStringCchCatNA
#define RtlStringCbLengthA  RtlStringCchLengthA

/* ---- 16-bit ---- */

NTSTATUS RtlStringCchVPrintfW(_Out_writes_(Size) PWSTR Destination, _In_ SIZE_T Size, _In_ PCWSTR Format,
                              _In_ va_list Arguments);
NTSTATUS RtlStringCchPrintfW(_Out_writes_(Size) PWSTR Destination, _In_ SIZE_T Size, _In_ PCWSTR Format, ...);
NTSTATUS RtlStringCchCopyNW(_Out_writes_(Size) PWSTR Destination, _In_ SIZE_T Size, _In_ PCWSTR Source,
                            _In_ SIZE_T Count);
NTSTATUS RtlStringCchCatNW(_Inout_updates_(Size) PWSTR Destination, _In_ SIZE_T Size, _In_ PCWSTR Source,
                           _In_ SIZE_T Count);
NTSTATUS RtlStringCchLengthW(_In_ PCWSTR Text, _In_ SIZE_T Maximum, _Out_opt_ PSIZE_T Length);
NTSTATUS RtlStringCbLengthW(_In_ PCWSTR Text, _In_ SIZE_T Maximum, _Out_opt_ PSIZE_T Length);

#define RtlStringCchCopyW(Destination, Size, Source)                                                         \
    RtlStringCchCopyNW(Destination, Size, Source, NTSTRSAFE_MAX_CCH)
#define RtlStringCchCatW(Destination, Size, Source) RtlStringCchCatNW(Destination, Size, Source, NTSTRSAFE_MAX_CCH)
#define RtlStringCbVPrintfW(Destination, Size, Format, Arguments)                                            \
    RtlStringCchVPrintfW(Destination, (Size) / sizeof(WCHAR), Format, Arguments)
#define RtlStringCbPrintfW(Destination, Size, ...)                                                           \
    RtlStringCchPrintfW(Destination, (Size) / sizeof(WCHAR), __VA_ARGS__)
#define RtlStringCbCopyW(Destination, Size, Source) RtlStringCchCopyW(Destination, (Size) / sizeof(WCHAR), Source)
#define RtlStringCbCopyNW(Destination, Size, Source, Bytes)                                                  \
    RtlStringCchCopyNW(Destination, (Size) / sizeof(WCHAR), Source, (Bytes) / sizeof(WCHAR))
#define RtlStringCbCatW(Destination, Size, Source) RtlStringCchCatW(Destination, (Size) / sizeof(WCHAR), Source)
#define RtlStringCbCatNW(Destination, Size, Source, Bytes)                                                   \
    RtlStringCchCatNW(Destination, (Size) / sizeof(WCHAR), Source, (Bytes) / sizeof(WCHAR))

/* ---- Counted strings: within MaximumLength, which needs no room for a NUL; none is added ---- */

/* Describes a NUL-terminated string. STATUS_INVALID_PARAMETER when it is too long for that.
   (WDK page of the name) */
NTSTATUS RtlUnicodeStringInit(_Out_ PUNICODE_STRING DestinationString, _In_opt_ PCWSTR Source);
NTSTATUS RtlUnicodeStringVPrintf(_Inout_ PUNICODE_STRING DestinationString, _In_ PCWSTR Format,
                                 _In_ va_list Arguments);
NTSTATUS RtlUnicodeStringPrintf(_Inout_ PUNICODE_STRING DestinationString, _In_ PCWSTR Format, ...);
NTSTATUS RtlUnicodeStringCopy(_Inout_ PUNICODE_STRING DestinationString, _In_ PCUNICODE_STRING SourceString);
NTSTATUS RtlUnicodeStringCopyString(_Inout_ PUNICODE_STRING DestinationString, _In_ PCWSTR Source);
NTSTATUS RtlUnicodeStringCat(_Inout_ PUNICODE_STRING DestinationString, _In_ PCUNICODE_STRING SourceString);
NTSTATUS RtlUnicodeStringCatString(_Inout_ PUNICODE_STRING DestinationString, _In_ PCWSTR Source);
