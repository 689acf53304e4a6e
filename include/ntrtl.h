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
char *strrchr(const char *String, int Character);
char *strstr(const char *String, const char *Pattern);
char *strcpy(char *Destination, const char *Source);
char *strncpy(char *Destination, const char *Source, size_t Limit);
char *strcat(char *Destination, const char *Source);
int _stricmp(const char *First, const char *Second);
int _strnicmp(const char *First, const char *Second, size_t Limit);
int isdigit(int Character);
int isxdigit(int Character);
int isspace(int Character);
int isalpha(int Character);
int isprint(int Character);
int toupper(int Character);
int tolower(int Character);
size_t wcslen(const WCHAR *String);
size_t wcsnlen(const WCHAR *String, size_t Limit);
int wcscmp(const WCHAR *First, const WCHAR *Second);
int wcsncmp(const WCHAR *First, const WCHAR *Second, size_t Limit);
int _wcsicmp(const WCHAR *First, const WCHAR *Second);
int _wcsnicmp(const WCHAR *First, const WCHAR *Second, size_t Limit);
WCHAR *wcschr(const WCHAR *String, WCHAR Character);
WCHAR *wcsrchr(const WCHAR *String, WCHAR Character);
WCHAR *wcscpy(WCHAR *Destination, const WCHAR *Source);
WCHAR *wcsncpy(WCHAR *Destination, const WCHAR *Source, size_t Limit);
#endif

/* ---- Memory -------------------------------------------------------------------------------------------- */

#define RtlCopyMemory(Destination, Source, Length) memcpy((Destination), (Source), (Length))
#define RtlMoveMemory(Destination, Source, Length) memmove((Destination), (Source), (Length))
#define RtlFillMemory(Destination, Length, Fill)   memset((Destination), (Fill), (Length))
#define RtlZeroMemory(Destination, Length)         memset((Destination), 0, (Length))
#define RtlEqualMemory(Left, Right, Length)        (!memcmp((Left), (Right), (Length)))
#define RtlCopyBytes                               RtlCopyMemory
#define RtlZeroBytes                               RtlZeroMemory
#define RtlFillBytes                               RtlFillMemory
#define RtlCopyMemoryNonTemporal                   RtlCopyMemory

/* Counts the leading bytes that two blocks have in common; Length when they are equal. Any IRQL.
   ddi:rtlcomparememory */
SIZE_T NTAPI RtlCompareMemory(_In_ const VOID *Source1, _In_ const VOID *Source2, _In_ SIZE_T Length);

/* Clears memory in a way that the compiler does not drop. Returns Memory. Any IRQL.
   ddi:rtlsecurezeromemory */
PVOID NTAPI RtlSecureZeroMemory(_Out_writes_bytes_(Length) PVOID Memory, _In_ SIZE_T Length);

/* ---- Counted strings ----------------------------------------------------------------------------------- */

/* Describes a NUL-terminated string, which stays where it is; NULL gives an empty string. What exceeds 32766
   characters is left out. Any IRQL when the string is resident. ddi:rtlinitunicodestring */
VOID NTAPI RtlInitUnicodeString(_Out_ PUNICODE_STRING DestinationString, _In_opt_ PCWSTR SourceString);

/* The same for 8-bit strings, up to 65534 bytes. Any IRQL. ddi:rtlinitansistring, ddi:rtlinitstring */
VOID NTAPI RtlInitAnsiString(_Out_ PANSI_STRING DestinationString, _In_opt_ PCSZ SourceString);
VOID NTAPI RtlInitString(_Out_ PSTRING DestinationString, _In_opt_ PCSZ SourceString);
#define RtlInitUTF8String RtlInitString

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
VOID NTAPI RtlCopyString(_Inout_ PSTRING DestinationString, _In_opt_ const STRING *SourceString);

/* Appends. STATUS_BUFFER_TOO_SMALL leaves the destination as it was. <= DISPATCH.
   ddi:rtlappendunicodetostring, ddi:rtlappendunicodestringtostring */
NTSTATUS NTAPI RtlAppendUnicodeToString(_Inout_ PUNICODE_STRING Destination, _In_opt_ PCWSTR Source);
NTSTATUS NTAPI RtlAppendUnicodeStringToString(_Inout_ PUNICODE_STRING Destination,
                                              _In_ PCUNICODE_STRING Source);

/* Negative, zero or positive as String1 sorts before, with or after String2, by 16-bit units, upcased first
   if asked for. <= DISPATCH (as documented PASSIVE for the case-insensitive form).
   ddi:rtlcompareunicodestring, ddi:rtlcomparestring */
LONG NTAPI RtlCompareUnicodeString(_In_ PCUNICODE_STRING String1, _In_ PCUNICODE_STRING String2,
                                   _In_ BOOLEAN CaseInSensitive);
LONG NTAPI RtlCompareString(_In_ const STRING *String1, _In_ const STRING *String2,
                            _In_ BOOLEAN CaseInSensitive);

/* TRUE when the strings are equal. IRQL as RtlCompareUnicodeString. ddi:rtlequalunicodestring,
   ddi:rtlequalstring */
BOOLEAN NTAPI RtlEqualUnicodeString(_In_ PCUNICODE_STRING String1, _In_ PCUNICODE_STRING String2,
                                    _In_ BOOLEAN CaseInSensitive);
BOOLEAN NTAPI RtlEqualString(_In_ const STRING *String1, _In_ const STRING *String2,
                             _In_ BOOLEAN CaseInSensitive);

/* TRUE when String2 starts with String1. IRQL as RtlCompareUnicodeString. ddi:rtlprefixunicodestring */
BOOLEAN NTAPI RtlPrefixUnicodeString(_In_ PCUNICODE_STRING String1, _In_ PCUNICODE_STRING String2,
                                     _In_ BOOLEAN CaseInSensitive);

/* Upper case of one unit: ASCII, Latin, Greek, Cyrillic, Armenian, full-width; others unchanged. Any IRQL.
   ddi:rtlupcaseunicodechar, ddi:rtldowncaseunicodechar */
WCHAR NTAPI RtlUpcaseUnicodeChar(_In_ WCHAR SourceCharacter);
WCHAR NTAPI RtlDowncaseUnicodeChar(_In_ WCHAR SourceCharacter);
CHAR NTAPI RtlUpperChar(_In_ CHAR Character);

/*
 * Reads a number: leading blanks, a sign, and, where Base is 0, a prefix 0x, 0o or 0b; it ends at the first
 * character that is no digit. Overflow wraps. STATUS_INVALID_PARAMETER for another Base than 0, 2, 8, 10, 16.
 * PASSIVE. ddi:rtlunicodestringtointeger
 */
NTSTATUS NTAPI RtlUnicodeStringToInteger(_In_ PCUNICODE_STRING String, _In_opt_ ULONG Base,
                                         _Out_ PULONG Value);

/* Writes a number, Base 0 (as 10), 2, 8, 10 or 16 (upper case), NUL-terminated where there is room. Returns
   STATUS_BUFFER_OVERFLOW when it does not fit, STATUS_INVALID_PARAMETER for another base. PASSIVE.
   ddi:rtlintegertounicodestring, ddi:rtlint64tounicodestring */
NTSTATUS NTAPI RtlIntegerToUnicodeString(_In_ ULONG Value, _In_opt_ ULONG Base,
                                         _Inout_ PUNICODE_STRING String);
NTSTATUS NTAPI RtlInt64ToUnicodeString(_In_ ULONGLONG Value, _In_opt_ ULONG Base,
                                       _Inout_ PUNICODE_STRING String);

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
/* The same without change of encoding, upcased. ddi:rtlupcaseunicodestring */
NTSTATUS NTAPI RtlUpcaseUnicodeString(_Inout_ PUNICODE_STRING DestinationString,
                                      _In_ PCUNICODE_STRING SourceString,
                                      _In_ BOOLEAN AllocateDestinationString);
VOID NTAPI RtlFreeUnicodeString(_Inout_ PUNICODE_STRING UnicodeString);
VOID NTAPI RtlFreeAnsiString(_Inout_ PANSI_STRING AnsiString);

/* ---- Bits ---------------------------------------------------------------------------------------------- */

/* Number of the highest or lowest bit set, -1 when none is. Any IRQL. ddi:rtlfindmostsignificantbit */
static inline CCHAR RtlFindMostSignificantBit(_In_ ULONGLONG Set)
{
    return Set == 0 ? -1 : (CCHAR)(63 - __builtin_clzl(Set));
}

static inline CCHAR RtlFindLeastSignificantBit(_In_ ULONGLONG Set)
{
    return Set == 0 ? -1 : (CCHAR)__builtin_ctzl(Set);
}

/* How many bits are set. Any IRQL. ddi:rtlnumberofsetbitsulongptr */
static inline ULONG RtlNumberOfSetBitsUlongPtr(_In_ ULONG_PTR Target)
{
    /* Sums of pairs, of nibbles, of bytes, then of all bytes at once. */
    Target = Target - ((Target >> 1) & 0x5555555555555555UL);
    Target = (Target & 0x3333333333333333UL) + ((Target >> 2) & 0x3333333333333333UL);
    Target = (Target + (Target >> 4)) & 0x0F0F0F0F0F0F0F0FUL;
    return (ULONG)((Target * 0x0101010101010101UL) >> 56);
}

#define RtlUlongByteSwap(Value)     __builtin_bswap32(Value)
#define RtlUshortByteSwap(Value)    __builtin_bswap16(Value)
#define RtlUlonglongByteSwap(Value) __builtin_bswap64(Value)
