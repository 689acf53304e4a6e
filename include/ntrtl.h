/* SPDX-License-Identifier: MIT */
/*
 * The run-time library's documented part: memory, strings, bits. <ntddk.h> and <ntapi.h> include it.
 *
 * None of these routines locks, waits or allocates (but for those that say so), and none touches memory
 * beyond the lengths that it is given. "ANSI" strings are UTF-8: Primer has one code page.
 */
#pragma once

#include <ntdef.h>
#include <ntstatus.h>

/* ---- The C library's share: the compiler itself calls the first four ----------------------------------- */

#ifdef PRIMER_HOST /* Host tests run with the host's C library. */
#include <string.h>
#else
void *memcpy(void *Destination, const void *Source, size_t Length);
void *memmove(void *Destination, const void *Source, size_t Length);
void *memset(void *Destination, int Value, size_t Length);
int memcmp(const void *First, const void *Second, size_t Length);
void *memchr(const void *Memory, int Value, size_t Length);
size_t strlen(const char *String);
size_t strnlen(const char *String, size_t Limit);
int strcmp(const char *First, const char *Second);
int strncmp(const char *First, const char *Second, size_t Limit);
char *strchr(const char *String, int Character);
char *strstr(const char *String, const char *Pattern);
char *strcpy(char *Destination, const char *Source);
char *strncpy(char *Destination, const char *Source, size_t Limit);
int isdigit(int Character);
size_t wcslen(const WCHAR *String);
int wcsncmp(const WCHAR *First, const WCHAR *Second, size_t Limit);
#endif

/* ---- Memory -------------------------------------------------------------------------------------------- */

#ifndef PRIMER_HOST
VOID RtlCopyMemory(_Out_ VOID *Destination, _In_ const VOID *Source, _In_ SIZE_T Length);
VOID RtlMoveMemory(_Out_ VOID *Destination, _In_ const VOID *Source, _In_ SIZE_T Length);
VOID RtlFillMemory(_Out_ VOID *Destination, _In_ SIZE_T Length, _In_ int Fill);
VOID RtlZeroMemory(_Out_ VOID *Destination, _In_ SIZE_T Length);
LOGICAL RtlEqualMemory(_In_ const VOID *Left, _In_ const VOID *Right, _In_ SIZE_T Length);
#endif
#define RtlCopyMemory(Destination, Source, Length) memcpy((Destination), (Source), (Length))
#define RtlMoveMemory(Destination, Source, Length) memmove((Destination), (Source), (Length))
#define RtlFillMemory(Destination, Length, Fill)   memset((Destination), (Fill), (Length))
#define RtlZeroMemory(Destination, Length)         memset((Destination), 0, (Length))
#define RtlEqualMemory(Left, Right, Length)        (!memcmp((Left), (Right), (Length)))

/* Counts the leading bytes that two blocks have in common; Length when they are equal. Any IRQL.
   ddi:rtlcomparememory */
SIZE_T NTAPI RtlCompareMemory(_In_ const VOID *Source1, _In_ const VOID *Source2, _In_ SIZE_T Length);

/* Zeroes memory that nobody reads again, which a compiler must not leave out. Returns the pointer. Any IRQL. */
static inline PVOID RtlSecureZeroMemory(_Out_writes_bytes_all_(Length) PVOID Pointer, _In_ SIZE_T Length)
{
    memset(Pointer, 0, Length);
    __asm__ volatile("" : : "r"(Pointer) : "memory");
    return Pointer;
}

/* ---- Counted strings ----------------------------------------------------------------------------------- */

/* Describes a NUL-terminated string, which stays where it is; NULL gives an empty string. What exceeds 32766
   characters is left out. Any IRQL when the string is resident. ddi:rtlinitunicodestring */
VOID NTAPI RtlInitUnicodeString(_Out_ PUNICODE_STRING DestinationString, _In_opt_ PCWSTR SourceString);

/* The same for 8-bit strings, up to 65534 bytes. Any IRQL. ddi:rtlinitansistring, ddi:rtlinitstring */
VOID NTAPI RtlInitAnsiString(_Out_ PANSI_STRING DestinationString, _In_opt_ PCSZ SourceString);
#define RtlInitString     RtlInitAnsiString
#define RtlInitUTF8String RtlInitAnsiString

/* Describes an empty string with room for BufferSize bytes. Any IRQL. ddi:rtlinitemptyunicodestring */
static inline VOID RtlInitEmptyUnicodeString(_Out_ PUNICODE_STRING DestinationString, _In_ PWCHAR Buffer,
                                             _In_ USHORT BufferSize)
{
    DestinationString->Length = 0;
    DestinationString->MaximumLength = BufferSize;
    DestinationString->Buffer = Buffer;
}

static inline VOID RtlInitEmptyAnsiString(_Out_ PANSI_STRING DestinationString, _In_ PCHAR Buffer,
                                          _In_ USHORT BufferSize)
{
    DestinationString->Length = 0;
    DestinationString->MaximumLength = BufferSize;
    DestinationString->Buffer = Buffer;
}

/* Copies as much as fits; NULL empties the destination. A NUL follows where room is left. <= DISPATCH.
   ddi:rtlcopyunicodestring */
VOID NTAPI RtlCopyUnicodeString(_Inout_ PUNICODE_STRING DestinationString,
                                _In_opt_ PCUNICODE_STRING SourceString);

/* Appends. STATUS_BUFFER_TOO_SMALL leaves the destination as it was. <= DISPATCH.
   ddi:rtlappendunicodetostring, ddi:rtlappendunicodestringtostring */
NTSTATUS NTAPI RtlAppendUnicodeToString(_Inout_ PUNICODE_STRING Destination, _In_opt_ PCWSTR Source);
NTSTATUS NTAPI RtlAppendUnicodeStringToString(_Inout_ PUNICODE_STRING Destination,
                                              _In_ PCUNICODE_STRING Source);

/* Negative, zero or positive as String1 sorts before, with or after String2, by 16-bit units, upcased first
   if asked for. <= DISPATCH (as documented PASSIVE for the case-insensitive form).
   ddi:rtlcompareunicodestring */
LONG NTAPI RtlCompareUnicodeString(_In_ PCUNICODE_STRING String1, _In_ PCUNICODE_STRING String2,
                                   _In_ BOOLEAN CaseInSensitive);

/* TRUE when the strings are equal. IRQL as RtlCompareUnicodeString. ddi:rtlequalunicodestring */
BOOLEAN NTAPI RtlEqualUnicodeString(_In_ PCUNICODE_STRING String1, _In_ PCUNICODE_STRING String2,
                                    _In_ BOOLEAN CaseInSensitive);

/* TRUE when String2 starts with String1. IRQL as RtlCompareUnicodeString. ddi:rtlprefixunicodestring */
BOOLEAN NTAPI RtlPrefixUnicodeString(_In_ PCUNICODE_STRING String1, _In_ PCUNICODE_STRING String2,
                                     _In_ BOOLEAN CaseInSensitive);

/* Upper case of one unit: ASCII, Latin, Greek, Cyrillic, Armenian, full-width; others unchanged. Any IRQL.
   ddi:rtlupcaseunicodechar */
WCHAR NTAPI RtlUpcaseUnicodeChar(_In_ WCHAR SourceCharacter);

/* The upper case of a whole string, into a buffer that is allocated (RtlFreeUnicodeString) or large enough: else
   STATUS_BUFFER_OVERFLOW. Also STATUS_NO_MEMORY. No NUL is added. PASSIVE. ddi:rtlupcaseunicodestring */
NTSTATUS NTAPI RtlUpcaseUnicodeString(_Inout_ PUNICODE_STRING DestinationString, _In_ PCUNICODE_STRING SourceString,
                                      _In_ BOOLEAN AllocateDestinationString);

/* 8-bit strings: as much as fits; upper case of ASCII; comparison as of 16-bit ones. Any IRQL. ddi:rtlcopystring,
   ddi:rtlupperstring, ddi:rtlupperchar, ddi:rtlcomparestring, ddi:rtlequalstring */
VOID NTAPI RtlCopyString(_Out_ PSTRING DestinationString, _In_opt_ const STRING *SourceString);
VOID NTAPI RtlUpperString(_Inout_ PSTRING DestinationString, _In_ const STRING *SourceString);
CHAR NTAPI RtlUpperChar(_In_ CHAR Character);
LONG NTAPI RtlCompareString(_In_ const STRING *String1, _In_ const STRING *String2, _In_ BOOLEAN CaseInSensitive);
BOOLEAN NTAPI RtlEqualString(_In_ const STRING *String1, _In_ const STRING *String2, _In_ BOOLEAN CaseInSensitive);

/* ---- Numbers ------------------------------------------------------------------------------------------- */

/* Reads a number: spaces, a sign, digits up to the first that is none of Base. Base is 2, 8, 10 or 16, or 0: what a
   prefix 0b, 0o or 0x says, or 10. No digit at all gives 0; what exceeds 32 bits wraps. STATUS_INVALID_PARAMETER for
   another base, *Value unchanged. PASSIVE as documented; here any IRQL. ddi:rtlunicodestringtointeger,
   ddi:rtlchartointeger */
NTSTATUS NTAPI RtlUnicodeStringToInteger(_In_ PCUNICODE_STRING String, _In_ ULONG Base, _Out_ PULONG Value);
NTSTATUS NTAPI RtlCharToInteger(_In_ PCSZ String, _In_ ULONG Base, _Out_ PULONG Value);

/* Writes a number without a sign or prefix; base as above, 0 means 10. A NUL follows where there is room for it.
   STATUS_BUFFER_OVERFLOW, the string unchanged; STATUS_INVALID_PARAMETER. PASSIVE as documented; here any IRQL.
   ddi:rtlintegertounicodestring, ddi:rtlint64tounicodestring */
NTSTATUS NTAPI RtlIntegerToUnicodeString(_In_ ULONG Value, _In_ ULONG Base, _Inout_ PUNICODE_STRING String);
NTSTATUS NTAPI RtlInt64ToUnicodeString(_In_ ULONGLONG Value, _In_ ULONG Base, _Inout_ PUNICODE_STRING String);

/* ---- UTF-8 and UTF-16 ---------------------------------------------------------------------------------- */

/*
 * Converts; sizes are bytes, and no terminator is looked for or added. With a destination of NULL it only
 * counts, into the last-but-two parameter. Returns STATUS_SUCCESS; STATUS_SOME_NOT_MAPPED (a success) when
 * ill-formed input became U+FFFD; STATUS_BUFFER_TOO_SMALL with as many whole characters as fit;
 * STATUS_INVALID_PARAMETER when there is nothing to give the result to, STATUS_INVALID_PARAMETER_4 without a
 * source, STATUS_INVALID_PARAMETER_5 for an odd size of UTF-16. PASSIVE as documented; here any IRQL.
 * ddi:rtlutf8tounicoden, ddi:rtlunicodetoutf8n
 */
NTSTATUS NTAPI RtlUTF8ToUnicodeN(_Out_opt_ PWSTR UnicodeStringDestination,
                                 _In_ ULONG UnicodeStringMaxByteCount,
                                 _Out_opt_ PULONG UnicodeStringActualByteCount, _In_ PCCH UTF8StringSource,
                                 _In_ ULONG UTF8StringByteCount);
NTSTATUS NTAPI RtlUnicodeToUTF8N(_Out_opt_ PCHAR UTF8StringDestination, _In_ ULONG UTF8StringMaxByteCount,
                                 _Out_opt_ PULONG UTF8StringActualByteCount, _In_ PCWCH UnicodeStringSource,
                                 _In_ ULONG UnicodeStringByteCount);

/*
 * Converts whole counted strings, a terminating NUL added. With Allocate the destination's buffer is
 * allocated and given back by the Free routines; else it must be large enough, or STATUS_BUFFER_OVERFLOW
 * comes back. Also STATUS_NO_MEMORY and STATUS_INVALID_PARAMETER_2 (longer than a counted string can be).
 * PASSIVE. ddi:rtlansistringtounicodestring, ddi:rtlunicodestringtoansistring, ddi:rtlfreeunicodestring,
 * ddi:rtlfreeansistring
 */
NTSTATUS NTAPI RtlAnsiStringToUnicodeString(_Inout_ PUNICODE_STRING DestinationString,
                                            _In_ PCANSI_STRING SourceString,
                                            _In_ BOOLEAN AllocateDestinationString);
NTSTATUS NTAPI RtlUnicodeStringToAnsiString(_Inout_ PANSI_STRING DestinationString,
                                            _In_ PCUNICODE_STRING SourceString,
                                            _In_ BOOLEAN AllocateDestinationString);
VOID NTAPI RtlFreeUnicodeString(_Inout_ PUNICODE_STRING UnicodeString);
VOID NTAPI RtlFreeAnsiString(_Inout_ PANSI_STRING AnsiString);
