/* SPDX-License-Identifier: MIT */
/*
 * Safe strings for drivers: every routine knows the size of its destination, which it always leaves
 * NUL-terminated.
 *
 * Cch routines count characters, Cb routines bytes, both with the NUL; A is 8-bit text, W 16-bit. All return
 * STATUS_SUCCESS, STATUS_BUFFER_OVERFLOW (a warning: the text was cut to fit) or STATUS_INVALID_PARAMETER (a
 * size of 0 or beyond NTSTRSAFE_MAX_CCH; for Length routines also: no NUL within the size). PASSIVE as
 * documented, here any IRQL at which the strings may be touched. Formats: see DbgPrint. ddi:ntstrsafe
 */
#pragma once

#include <ntrtl.h>

#define NTSTRSAFE_MAX_CCH                2147483647
#define STRSAFE_MAX_CCH                  NTSTRSAFE_MAX_CCH
#define NTSTRSAFE_UNICODE_STRING_MAX_CCH (0xFFFF / sizeof(WCHAR))
typedef PSTR NTSTRSAFE_PSTR;
typedef PCSTR NTSTRSAFE_PCSTR;
typedef PWSTR NTSTRSAFE_PWSTR;
typedef PCWSTR NTSTRSAFE_PCWSTR;

NTSTATUS RtlStringCchVPrintfA(_Out_writes_(Size) PSTR Destination, _In_ SIZE_T Size, _In_ PCSTR Format,
                              _In_ va_list Arguments);
NTSTATUS RtlStringCchVPrintfW(_Out_writes_(Size) PWSTR Destination, _In_ SIZE_T Size, _In_ PCWSTR Format,
                              _In_ va_list Arguments);
NTSTATUS RtlStringCbVPrintfA(_Out_writes_bytes_(Size) PSTR Destination, _In_ SIZE_T Size, _In_ PCSTR Format,
                             _In_ va_list Arguments);
NTSTATUS RtlStringCbVPrintfW(_Out_writes_bytes_(Size) PWSTR Destination, _In_ SIZE_T Size, _In_ PCWSTR Format,
                             _In_ va_list Arguments);
NTSTATUS RtlStringCchPrintfA(_Out_writes_(Size) PSTR Destination, _In_ SIZE_T Size, _In_ PCSTR Format, ...);
NTSTATUS RtlStringCchPrintfW(_Out_writes_(Size) PWSTR Destination, _In_ SIZE_T Size, _In_ PCWSTR Format, ...);
NTSTATUS RtlStringCbPrintfA(_Out_writes_bytes_(Size) PSTR Destination, _In_ SIZE_T Size, _In_ PCSTR Format,
                            ...);
NTSTATUS RtlStringCbPrintfW(_Out_writes_bytes_(Size) PWSTR Destination, _In_ SIZE_T Size, _In_ PCWSTR Format,
                            ...);

/* Copies or appends; the N forms take at most Count characters of the source. */
NTSTATUS RtlStringCchCopyNA(_Out_writes_(Size) PSTR Destination, _In_ SIZE_T Size, _In_ PCSTR Source,
                            _In_ SIZE_T Count);
NTSTATUS RtlStringCchCopyNW(_Out_writes_(Size) PWSTR Destination, _In_ SIZE_T Size, _In_ PCWSTR Source,
                            _In_ SIZE_T Count);
NTSTATUS RtlStringCchCatNA(_Inout_updates_(Size) PSTR Destination, _In_ SIZE_T Size, _In_ PCSTR Source,
                           _In_ SIZE_T Count);
NTSTATUS RtlStringCchCatNW(_Inout_updates_(Size) PWSTR Destination, _In_ SIZE_T Size, _In_ PCWSTR Source,
                           _In_ SIZE_T Count);

/* The length, without the NUL, of a string that ends within Size. */
NTSTATUS RtlStringCchLengthA(_In_ PCSTR String, _In_ SIZE_T Size, _Out_opt_ PSIZE_T Length);
NTSTATUS RtlStringCchLengthW(_In_ PCWSTR String, _In_ SIZE_T Size, _Out_opt_ PSIZE_T Length);

/* Formats into a counted string; a NUL is added only where there is room. ddi:rtlunicodestringprintf */
NTSTATUS RtlUnicodeStringVPrintf(_Inout_ PUNICODE_STRING Destination, _In_ PCWSTR Format,
                                 _In_ va_list Arguments);
NTSTATUS RtlUnicodeStringPrintf(_Inout_ PUNICODE_STRING Destination, _In_ PCWSTR Format, ...);

/* Describes a NUL-terminated string like RtlInitUnicodeString, but refuses one that is too long.
   ddi:rtlunicodestringinit */
NTSTATUS RtlUnicodeStringInit(_Out_ PUNICODE_STRING Destination, _In_opt_ PCWSTR Source);

/* Copies or appends a NUL-terminated or a counted string. ddi:rtlunicodestringcopystring and neighbours */
NTSTATUS RtlUnicodeStringCopyString(_Inout_ PUNICODE_STRING Destination, _In_ PCWSTR Source);
NTSTATUS RtlUnicodeStringCopy(_Inout_ PUNICODE_STRING Destination, _In_ PCUNICODE_STRING Source);
NTSTATUS RtlUnicodeStringCatString(_Inout_ PUNICODE_STRING Destination, _In_ PCWSTR Source);
NTSTATUS RtlUnicodeStringCat(_Inout_ PUNICODE_STRING Destination, _In_ PCUNICODE_STRING Source);

/* ---- The rest of the family, by the above -------------------------------------------------------------- */

#define RtlStringCchCopyA(Destination, Size, Source)                                                         \
    RtlStringCchCopyNA(Destination, Size, Source, NTSTRSAFE_MAX_CCH)
#define RtlStringCchCopyW(Destination, Size, Source)                                                         \
    RtlStringCchCopyNW(Destination, Size, Source, NTSTRSAFE_MAX_CCH)
#define RtlStringCchCatA(Destination, Size, Source)                                                          \
    RtlStringCchCatNA(Destination, Size, Source, NTSTRSAFE_MAX_CCH)
#define RtlStringCchCatW(Destination, Size, Source)                                                          \
    RtlStringCchCatNW(Destination, Size, Source, NTSTRSAFE_MAX_CCH)
#define RtlStringCbCopyA   RtlStringCchCopyA
#define RtlStringCbCopyNA  RtlStringCchCopyNA
#define RtlStringCbCatA    RtlStringCchCatA
#define RtlStringCbCatNA   RtlStringCchCatNA
#define RtlStringCbLengthA RtlStringCchLengthA
#define RtlStringCbCopyW(Destination, Size, Source)                                                          \
    RtlStringCchCopyW(Destination, (Size) / sizeof(WCHAR), Source)
#define RtlStringCbCopyNW(Destination, Size, Source, Bytes)                                                  \
    RtlStringCchCopyNW(Destination, (Size) / sizeof(WCHAR), Source, (Bytes) / sizeof(WCHAR))
#define RtlStringCbCatW(Destination, Size, Source)                                                           \
    RtlStringCchCatW(Destination, (Size) / sizeof(WCHAR), Source)
#define RtlStringCbCatNW(Destination, Size, Source, Bytes)                                                   \
    RtlStringCchCatNW(Destination, (Size) / sizeof(WCHAR), Source, (Bytes) / sizeof(WCHAR))

static inline NTSTATUS RtlStringCbLengthW(_In_ PCWSTR String, _In_ SIZE_T Size, _Out_opt_ PSIZE_T Length)
{
    NTSTATUS Status = RtlStringCchLengthW(String, Size / sizeof(WCHAR), Length);
    if (NT_SUCCESS(Status) && Length != NULL) {
        *Length *= sizeof(WCHAR);
    }
    return Status;
}
