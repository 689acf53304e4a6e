/* SPDX-License-Identifier: MIT */
/*
 * The run-time library's documented part: memory, strings, bits. <ntddk.h> and <ntapi.h> include it.
 *
 * What the kernel does not use of it itself is in the driver library (drivers/lib), against which modules are
 * linked. None of these routines locks, waits or allocates (but for those that say so), and none touches
 * memory beyond the lengths that it is given. "ANSI" strings are UTF-8: Primer has one code page.
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
int toupper(int Character);
int tolower(int Character);
WCHAR towupper(WCHAR Character);
WCHAR towlower(WCHAR Character);
int _strnicmp(const char *First, const char *Second, size_t Limit);
int _stricmp(const char *First, const char *Second);
int _wcsnicmp(const WCHAR *First, const WCHAR *Second, size_t Limit);
int _wcsicmp(const WCHAR *First, const WCHAR *Second);
char *strrchr(const char *String, int Character);
char *strcat(char *Destination, const char *Source);
char *strncat(char *Destination, const char *Source, size_t Limit);
int wcscmp(const WCHAR *First, const WCHAR *Second);
WCHAR *wcscpy(WCHAR *Destination, const WCHAR *Source);
WCHAR *wcsncpy(WCHAR *Destination, const WCHAR *Source, size_t Limit);
WCHAR *wcscat(WCHAR *Destination, const WCHAR *Source);
WCHAR *wcschr(const WCHAR *String, WCHAR Unit);
WCHAR *wcsrchr(const WCHAR *String, WCHAR Unit);
WCHAR *wcsstr(const WCHAR *String, const WCHAR *Pattern);
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
   (WDK page of the name) */
SIZE_T NTAPI RtlCompareMemory(_In_ const VOID *Source1, _In_ const VOID *Source2, _In_ SIZE_T Length);

/* Zeroes memory that nobody reads again, which a compiler must not leave out. Returns the pointer. Any
   IRQL. */
static inline PVOID RtlSecureZeroMemory(_Out_writes_bytes_all_(Length) PVOID Pointer, _In_ SIZE_T Length)
{
    memset(Pointer, 0, Length);
    __asm__ volatile("" : : "r"(Pointer) : "memory");
    return Pointer;
}

/* ---- Counted strings ----------------------------------------------------------------------------------- */

/* Describes a NUL-terminated string, which stays where it is; NULL gives an empty string. What exceeds 32766
   characters is left out. Any IRQL when the string is resident. (WDK page of the name) */
VOID NTAPI RtlInitUnicodeString(_Out_ PUNICODE_STRING DestinationString, _In_opt_ PCWSTR SourceString);

/* The same for 8-bit strings, up to 65534 bytes. Any IRQL. (WDK pages of the names) */
VOID NTAPI RtlInitAnsiString(_Out_ PANSI_STRING DestinationString, _In_opt_ PCSZ SourceString);
#define RtlInitString     RtlInitAnsiString
#define RtlInitUTF8String RtlInitAnsiString

/* Describes an empty string with room for BufferSize bytes. Any IRQL. (WDK page of the name) */
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
   (WDK page of the name) */
VOID NTAPI RtlCopyUnicodeString(_Inout_ PUNICODE_STRING DestinationString,
                                _In_opt_ PCUNICODE_STRING SourceString);

/* Appends. STATUS_BUFFER_TOO_SMALL leaves the destination as it was. <= DISPATCH.
   (WDK pages of the names) */
NTSTATUS NTAPI RtlAppendUnicodeToString(_Inout_ PUNICODE_STRING Destination, _In_opt_ PCWSTR Source);
NTSTATUS NTAPI RtlAppendUnicodeStringToString(_Inout_ PUNICODE_STRING Destination,
                                              _In_ PCUNICODE_STRING Source);

/* Negative, zero or positive as String1 sorts before, with or after String2, by 16-bit units, upcased first
   if asked for. <= DISPATCH (as documented PASSIVE for the case-insensitive form).
   (WDK page of the name) */
LONG NTAPI RtlCompareUnicodeString(_In_ PCUNICODE_STRING String1, _In_ PCUNICODE_STRING String2,
                                   _In_ BOOLEAN CaseInSensitive);

/* TRUE when the strings are equal. IRQL as RtlCompareUnicodeString. (WDK page of the name) */
BOOLEAN NTAPI RtlEqualUnicodeString(_In_ PCUNICODE_STRING String1, _In_ PCUNICODE_STRING String2,
                                    _In_ BOOLEAN CaseInSensitive);

/* TRUE when String2 starts with String1. IRQL as RtlCompareUnicodeString. (WDK page of the name) */
BOOLEAN NTAPI RtlPrefixUnicodeString(_In_ PCUNICODE_STRING String1, _In_ PCUNICODE_STRING String2,
                                     _In_ BOOLEAN CaseInSensitive);

/* Upper case of one unit: ASCII, Latin, Greek, Cyrillic, Armenian, full-width; others unchanged. Any IRQL.
   (WDK page of the name) */
WCHAR NTAPI RtlUpcaseUnicodeChar(_In_ WCHAR SourceCharacter);

/* The upper case of a whole string, into a buffer that is allocated (RtlFreeUnicodeString) or large enough:
   else STATUS_BUFFER_OVERFLOW. Also STATUS_NO_MEMORY. No NUL is added. PASSIVE. (WDK page of the name) */
NTSTATUS NTAPI RtlUpcaseUnicodeString(_Inout_ PUNICODE_STRING DestinationString, _In_ PCUNICODE_STRING SourceString,
                                      _In_ BOOLEAN AllocateDestinationString);

#define HASH_STRING_ALGORITHM_DEFAULT 0
#define HASH_STRING_ALGORITHM_X65599  1
#define HASH_STRING_ALGORITHM_INVALID 0xffffffff
WCHAR NTAPI RtlDowncaseUnicodeChar(_In_ WCHAR SourceCharacter);
BOOLEAN NTAPI RtlSuffixUnicodeString(_In_ PCUNICODE_STRING String1, _In_ PCUNICODE_STRING String2,
                                     _In_ BOOLEAN CaseInSensitive);
NTSTATUS NTAPI RtlHashUnicodeString(_In_ PCUNICODE_STRING String, _In_ BOOLEAN CaseInSensitive, _In_ ULONG HashAlgorithm,
                                    _Out_ PULONG HashValue);

/* 8-bit strings: as much as fits; upper case of ASCII; comparison as of 16-bit ones. Any IRQL.
   (WDK pages of the names) */
VOID NTAPI RtlCopyString(_Out_ PSTRING DestinationString, _In_opt_ const STRING *SourceString);
VOID NTAPI RtlUpperString(_Inout_ PSTRING DestinationString, _In_ const STRING *SourceString);
CHAR NTAPI RtlUpperChar(_In_ CHAR Character);
LONG NTAPI RtlCompareString(_In_ const STRING *String1, _In_ const STRING *String2, _In_ BOOLEAN CaseInSensitive);
BOOLEAN NTAPI RtlEqualString(_In_ const STRING *String1, _In_ const STRING *String2, _In_ BOOLEAN CaseInSensitive);

/* ---- Numbers ------------------------------------------------------------------------------------------- */

/* Reads a number: spaces, a sign, digits up to the first that is none of Base. Base is 2, 8, 10 or 16, or 0:
   what a prefix 0b, 0o or 0x says, or 10. No digit at all gives 0; what exceeds 32 bits wraps.
   STATUS_INVALID_PARAMETER for another base, *Value unchanged. PASSIVE as documented; here any IRQL. (WDK
   pages of the names) */
NTSTATUS NTAPI RtlUnicodeStringToInteger(_In_ PCUNICODE_STRING String, _In_ ULONG Base, _Out_ PULONG Value);
NTSTATUS NTAPI RtlCharToInteger(_In_ PCSZ String, _In_ ULONG Base, _Out_ PULONG Value);

/* Writes a number without a sign or prefix; base as above, 0 means 10. A NUL follows where there is room for
   it. STATUS_BUFFER_OVERFLOW, the string unchanged; STATUS_INVALID_PARAMETER. PASSIVE as documented; here any
   IRQL. (WDK pages of the names) */
NTSTATUS NTAPI RtlIntegerToUnicodeString(_In_ ULONG Value, _In_ ULONG Base, _Inout_ PUNICODE_STRING String);
NTSTATUS NTAPI RtlInt64ToUnicodeString(_In_ ULONGLONG Value, _In_ ULONG Base, _Inout_ PUNICODE_STRING String);

/* ---- Generic tables ------------------------------------------------------------------------------------ */

/*
 * A sorted set of elements, which the table copies into memory of its AllocateRoutine: as many bytes as that
 * is asked for, a header of the table's included; a table that its routine gives no memory takes no element.
 * The owner synchronises all calls, and the routines are called at the caller's level.
 *
 *   Insert     returns the element, the old one if an equal one is there; *NewElement says which. NULL: no memory
 *   Delete     FALSE when there is none
 *   Lookup     the element or NULL
 *   Enumerate  from the first with Restart, then each following in sorted order, at last NULL. An element may be deleted
 *              meanwhile. WithoutSplaying keeps its place in the caller's variable, NULL at first: nothing may be
 *              deleted then
 *   Get        the I-th, from 0: of AVL tables in sorted order, of plain ones in the order of insertion. Takes I steps
 *
 * With RTL_USE_AVL_TABLES defined, the plain names mean the AVL routines. (WDK pages of the names)
 */
typedef enum _RTL_GENERIC_COMPARE_RESULTS { GenericLessThan, GenericGreaterThan, GenericEqual } RTL_GENERIC_COMPARE_RESULTS;

typedef struct _RTL_BALANCED_LINKS {
    PVOID Reserved[4];
} RTL_BALANCED_LINKS, *PRTL_BALANCED_LINKS;

struct _RTL_AVL_TABLE;
typedef RTL_GENERIC_COMPARE_RESULTS NTAPI RTL_AVL_COMPARE_ROUTINE(_In_ struct _RTL_AVL_TABLE *Table, _In_ PVOID FirstStruct,
                                                                  _In_ PVOID SecondStruct);
typedef RTL_AVL_COMPARE_ROUTINE *PRTL_AVL_COMPARE_ROUTINE;
typedef PVOID NTAPI RTL_AVL_ALLOCATE_ROUTINE(_In_ struct _RTL_AVL_TABLE *Table, _In_ ULONG ByteSize);
typedef RTL_AVL_ALLOCATE_ROUTINE *PRTL_AVL_ALLOCATE_ROUTINE;
typedef VOID NTAPI RTL_AVL_FREE_ROUTINE(_In_ struct _RTL_AVL_TABLE *Table, _In_ PVOID Buffer);
typedef RTL_AVL_FREE_ROUTINE *PRTL_AVL_FREE_ROUTINE;

typedef struct _RTL_AVL_TABLE {
    PVOID BalancedRoot;
    PRTL_BALANCED_LINKS RestartKey;
    ULONG NumberGenericTableElements;
    PRTL_AVL_COMPARE_ROUTINE CompareRoutine;
    PRTL_AVL_ALLOCATE_ROUTINE AllocateRoutine;
    PRTL_AVL_FREE_ROUTINE FreeRoutine;
    PVOID TableContext; /* the owner's */
} RTL_AVL_TABLE, *PRTL_AVL_TABLE;

VOID NTAPI RtlInitializeGenericTableAvl(_Out_ PRTL_AVL_TABLE Table, _In_ PRTL_AVL_COMPARE_ROUTINE CompareRoutine,
                                        _In_ PRTL_AVL_ALLOCATE_ROUTINE AllocateRoutine,
                                        _In_ PRTL_AVL_FREE_ROUTINE FreeRoutine, _In_opt_ PVOID TableContext);
PVOID NTAPI RtlInsertElementGenericTableAvl(_In_ PRTL_AVL_TABLE Table, _In_ PVOID Buffer, _In_ ULONG BufferSize,
                                            _Out_opt_ PBOOLEAN NewElement);
BOOLEAN NTAPI RtlDeleteElementGenericTableAvl(_In_ PRTL_AVL_TABLE Table, _In_ PVOID Buffer);
PVOID NTAPI RtlLookupElementGenericTableAvl(_In_ PRTL_AVL_TABLE Table, _In_ PVOID Buffer);
PVOID NTAPI RtlEnumerateGenericTableAvl(_In_ PRTL_AVL_TABLE Table, _In_ BOOLEAN Restart);
PVOID NTAPI RtlEnumerateGenericTableWithoutSplayingAvl(_In_ PRTL_AVL_TABLE Table, _Inout_ PVOID *RestartKey);
PVOID NTAPI RtlGetElementGenericTableAvl(_In_ PRTL_AVL_TABLE Table, _In_ ULONG I);
ULONG NTAPI RtlNumberGenericTableElementsAvl(_In_ PRTL_AVL_TABLE Table);
BOOLEAN NTAPI RtlIsGenericTableEmptyAvl(_In_ PRTL_AVL_TABLE Table);

struct _RTL_GENERIC_TABLE;
typedef RTL_GENERIC_COMPARE_RESULTS NTAPI RTL_GENERIC_COMPARE_ROUTINE(_In_ struct _RTL_GENERIC_TABLE *Table,
                                                                      _In_ PVOID FirstStruct, _In_ PVOID SecondStruct);
typedef RTL_GENERIC_COMPARE_ROUTINE *PRTL_GENERIC_COMPARE_ROUTINE;
typedef PVOID NTAPI RTL_GENERIC_ALLOCATE_ROUTINE(_In_ struct _RTL_GENERIC_TABLE *Table, _In_ ULONG ByteSize);
typedef RTL_GENERIC_ALLOCATE_ROUTINE *PRTL_GENERIC_ALLOCATE_ROUTINE;
typedef VOID NTAPI RTL_GENERIC_FREE_ROUTINE(_In_ struct _RTL_GENERIC_TABLE *Table, _In_ PVOID Buffer);
typedef RTL_GENERIC_FREE_ROUTINE *PRTL_GENERIC_FREE_ROUTINE;

typedef struct _RTL_GENERIC_TABLE {
    PVOID TableRoot;
    LIST_ENTRY InsertOrderList;
    PVOID OrderedPointer; /* where the enumeration stands */
    ULONG NumberGenericTableElements;
    PRTL_GENERIC_COMPARE_ROUTINE CompareRoutine;
    PRTL_GENERIC_ALLOCATE_ROUTINE AllocateRoutine;
    PRTL_GENERIC_FREE_ROUTINE FreeRoutine;
    PVOID TableContext; /* the owner's */
} RTL_GENERIC_TABLE, *PRTL_GENERIC_TABLE;

VOID NTAPI RtlInitializeGenericTable(_Out_ PRTL_GENERIC_TABLE Table, _In_ PRTL_GENERIC_COMPARE_ROUTINE CompareRoutine,
                                        _In_ PRTL_GENERIC_ALLOCATE_ROUTINE AllocateRoutine,
                                        _In_ PRTL_GENERIC_FREE_ROUTINE FreeRoutine, _In_opt_ PVOID TableContext);
PVOID NTAPI RtlInsertElementGenericTable(_In_ PRTL_GENERIC_TABLE Table, _In_ PVOID Buffer, _In_ ULONG BufferSize,
                                            _Out_opt_ PBOOLEAN NewElement);
BOOLEAN NTAPI RtlDeleteElementGenericTable(_In_ PRTL_GENERIC_TABLE Table, _In_ PVOID Buffer);
PVOID NTAPI RtlLookupElementGenericTable(_In_ PRTL_GENERIC_TABLE Table, _In_ PVOID Buffer);
PVOID NTAPI RtlEnumerateGenericTable(_In_ PRTL_GENERIC_TABLE Table, _In_ BOOLEAN Restart);
PVOID NTAPI RtlEnumerateGenericTableWithoutSplaying(_In_ PRTL_GENERIC_TABLE Table, _Inout_ PVOID *RestartKey);
PVOID NTAPI RtlGetElementGenericTable(_In_ PRTL_GENERIC_TABLE Table, _In_ ULONG I);
ULONG NTAPI RtlNumberGenericTableElements(_In_ PRTL_GENERIC_TABLE Table);
BOOLEAN NTAPI RtlIsGenericTableEmpty(_In_ PRTL_GENERIC_TABLE Table);

#ifdef RTL_USE_AVL_TABLES
#define RTL_GENERIC_TABLE             RTL_AVL_TABLE
#define PRTL_GENERIC_TABLE            PRTL_AVL_TABLE
#define PRTL_GENERIC_COMPARE_ROUTINE  PRTL_AVL_COMPARE_ROUTINE
#define PRTL_GENERIC_ALLOCATE_ROUTINE PRTL_AVL_ALLOCATE_ROUTINE
#define PRTL_GENERIC_FREE_ROUTINE     PRTL_AVL_FREE_ROUTINE
#define RtlInitializeGenericTable RtlInitializeGenericTableAvl
#define RtlInsertElementGenericTable RtlInsertElementGenericTableAvl
#define RtlDeleteElementGenericTable RtlDeleteElementGenericTableAvl
#define RtlLookupElementGenericTable RtlLookupElementGenericTableAvl
#define RtlEnumerateGenericTable RtlEnumerateGenericTableAvl
#define RtlEnumerateGenericTableWithoutSplaying RtlEnumerateGenericTableWithoutSplayingAvl
#define RtlGetElementGenericTable RtlGetElementGenericTableAvl
#define RtlNumberGenericTableElements RtlNumberGenericTableElementsAvl
#define RtlIsGenericTableEmpty RtlIsGenericTableEmptyAvl
#endif

/* ---- UTF-8 and UTF-16 ---------------------------------------------------------------------------------- */

/*
 * Converts; sizes are bytes, and no terminator is looked for or added. With a destination of NULL it only
 * counts, into the last-but-two parameter. Returns STATUS_SUCCESS; STATUS_SOME_NOT_MAPPED (a success) when
 * ill-formed input became U+FFFD; STATUS_BUFFER_TOO_SMALL with as many whole characters as fit;
 * STATUS_INVALID_PARAMETER when there is nothing to give the result to, STATUS_INVALID_PARAMETER_4 without a
 * source, STATUS_INVALID_PARAMETER_5 for an odd size of UTF-16. PASSIVE as documented; here any IRQL.
 * (WDK pages of the names)
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
 * PASSIVE. (WDK pages of the names)
 */
NTSTATUS NTAPI RtlAnsiStringToUnicodeString(_Inout_ PUNICODE_STRING DestinationString,
                                            _In_ PCANSI_STRING SourceString,
                                            _In_ BOOLEAN AllocateDestinationString);
NTSTATUS NTAPI RtlUnicodeStringToAnsiString(_Inout_ PANSI_STRING DestinationString,
                                            _In_ PCUNICODE_STRING SourceString,
                                            _In_ BOOLEAN AllocateDestinationString);
VOID NTAPI RtlFreeUnicodeString(_Inout_ PUNICODE_STRING UnicodeString);
VOID NTAPI RtlFreeAnsiString(_Inout_ PANSI_STRING AnsiString);

/* ---- Bits ---------------------------------------------------------------------------------------------- */

/* The contracts stand in drivers/lib/bitmap.c. */
typedef struct _RTL_BITMAP {
    ULONG SizeOfBitMap; /* bits */
    PULONG Buffer;
} RTL_BITMAP, *PRTL_BITMAP;

typedef struct _RTL_BITMAP_RUN {
    ULONG StartingIndex;
    ULONG NumberOfBits;
} RTL_BITMAP_RUN, *PRTL_BITMAP_RUN;

VOID NTAPI RtlInitializeBitMap(_Out_ PRTL_BITMAP BitMapHeader, _In_opt_ PULONG BitMapBuffer, _In_ ULONG SizeOfBitMap);
VOID NTAPI RtlClearAllBits(_In_ PRTL_BITMAP BitMapHeader);
VOID NTAPI RtlSetAllBits(_In_ PRTL_BITMAP BitMapHeader);
VOID NTAPI RtlClearBit(_In_ PRTL_BITMAP BitMapHeader, _In_ ULONG BitNumber);
VOID NTAPI RtlSetBit(_In_ PRTL_BITMAP BitMapHeader, _In_ ULONG BitNumber);
BOOLEAN NTAPI RtlTestBit(_In_ PRTL_BITMAP BitMapHeader, _In_ ULONG BitNumber);
#define RtlCheckBit(BitMapHeader, Number) (((BitMapHeader)->Buffer[(Number) / 32] >> ((Number) % 32)) & 1)
VOID NTAPI RtlClearBits(_In_ PRTL_BITMAP BitMapHeader, _In_ ULONG StartingIndex, _In_ ULONG NumberToClear);
VOID NTAPI RtlSetBits(_In_ PRTL_BITMAP BitMapHeader, _In_ ULONG StartingIndex, _In_ ULONG NumberToSet);
BOOLEAN NTAPI RtlAreBitsClear(_In_ PRTL_BITMAP BitMapHeader, _In_ ULONG StartingIndex, _In_ ULONG Length);
BOOLEAN NTAPI RtlAreBitsSet(_In_ PRTL_BITMAP BitMapHeader, _In_ ULONG StartingIndex, _In_ ULONG Length);
ULONG NTAPI RtlNumberOfSetBits(_In_ PRTL_BITMAP BitMapHeader);
ULONG NTAPI RtlNumberOfClearBits(_In_ PRTL_BITMAP BitMapHeader);
ULONG NTAPI RtlFindClearBits(_In_ PRTL_BITMAP BitMapHeader, _In_ ULONG NumberToFind, _In_ ULONG HintIndex);
ULONG NTAPI RtlFindSetBits(_In_ PRTL_BITMAP BitMapHeader, _In_ ULONG NumberToFind, _In_ ULONG HintIndex);
ULONG NTAPI RtlFindClearBitsAndSet(_In_ PRTL_BITMAP BitMapHeader, _In_ ULONG NumberToFind, _In_ ULONG HintIndex);
ULONG NTAPI RtlFindSetBitsAndClear(_In_ PRTL_BITMAP BitMapHeader, _In_ ULONG NumberToFind, _In_ ULONG HintIndex);
ULONG NTAPI RtlFindNextForwardRunClear(_In_ PRTL_BITMAP BitMapHeader, _In_ ULONG FromIndex,
                                       _Out_ PULONG StartingRunIndex);
ULONG NTAPI RtlFindFirstRunClear(_In_ PRTL_BITMAP BitMapHeader, _Out_ PULONG StartingIndex);
ULONG NTAPI RtlFindLastBackwardRunClear(_In_ PRTL_BITMAP BitMapHeader, _In_ ULONG FromIndex,
                                        _Out_ PULONG StartingRunIndex);
ULONG NTAPI RtlFindClearRuns(_In_ PRTL_BITMAP BitMapHeader, _Out_ PRTL_BITMAP_RUN RunArray, _In_ ULONG SizeOfRunArray,
                             _In_ BOOLEAN LocateLongestRuns);
ULONG NTAPI RtlFindLongestRunClear(_In_ PRTL_BITMAP BitMapHeader, _Out_ PULONG StartingIndex);
CCHAR NTAPI RtlFindMostSignificantBit(_In_ ULONGLONG Set);
CCHAR NTAPI RtlFindLeastSignificantBit(_In_ ULONGLONG Set);
ULONG NTAPI RtlNumberOfSetBitsUlongPtr(_In_ ULONG_PTR Target);

/* The number of the lowest or highest bit that is 1; FALSE, and *Index undefined, when none is. Any IRQL. */
static inline BOOLEAN BitScanForward64(PULONG Index, ULONG64 Mask)
{
    *Index = Mask != 0 ? (ULONG)__builtin_ctzl(Mask) : 0;
    return Mask != 0;
}

static inline BOOLEAN BitScanReverse64(PULONG Index, ULONG64 Mask)
{
    *Index = Mask != 0 ? 63U - (ULONG)__builtin_clzl(Mask) : 0;
    return Mask != 0;
}
#define BitScanForward(Index, Mask) BitScanForward64(Index, (ULONG)(Mask))
#define BitScanReverse(Index, Mask) BitScanReverse64(Index, (ULONG)(Mask))
#define _BitScanForward   BitScanForward
#define _BitScanReverse   BitScanReverse
#define _BitScanForward64 BitScanForward64
#define _BitScanReverse64 BitScanReverse64

/* The bytes of a number in the opposite order. Any IRQL. */
#define RtlUshortByteSwap(Source)    ((USHORT)__builtin_bswap16((USHORT)(Source)))
#define RtlUlongByteSwap(Source)     ((ULONG)__builtin_bswap32((ULONG)(Source)))
#define RtlUlonglongByteSwap(Source) ((ULONGLONG)__builtin_bswap64((ULONGLONG)(Source)))
#define _byteswap_ushort             RtlUshortByteSwap
#define _byteswap_ulong              RtlUlongByteSwap
#define _byteswap_uint64             RtlUlonglongByteSwap

/* A number rotated by Shift bits, modulo its width. Any IRQL. */
static inline ULONG _rotl(ULONG Value, int Shift)
{
    return Value << (Shift & 31) | Value >> (-Shift & 31);
}

static inline ULONG _rotr(ULONG Value, int Shift)
{
    return _rotl(Value, -Shift);
}

static inline ULONG64 _rotl64(ULONG64 Value, int Shift)
{
    return Value << (Shift & 63) | Value >> (-Shift & 63);
}

static inline ULONG64 _rotr64(ULONG64 Value, int Shift)
{
    return _rotl64(Value, -Shift);
}

/* ---- Random numbers ------------------------------------------------------------------------------------ */

ULONG NTAPI RtlRandomEx(_Inout_ PULONG Seed);
ULONG NTAPI RtlRandom(_Inout_ PULONG Seed);

/* ---- Formatted print ----------------------------------------------------------------------------------- */

/* Takes Length bytes of the text, in order; not NUL-terminated. */
typedef VOID RTL_FORMAT_SINK(PVOID Context, const char *Text, SIZE_T Length);

/*
 * Formats by the driver kit's rules and hands the text (UTF-8, whole characters of 16-bit text in one piece)
 * to Sink piece by piece. Wide: the format is 16-bit text, in which c and s mean 16-bit text, too, and C and
 * S 8-bit text. Returns the number of bytes given. Not for drivers: DbgPrint and <ntstrsafe.h> stand on it.
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
SIZE_T RtlFormatV(RTL_FORMAT_SINK *Sink, PVOID Context, const VOID *Format, BOOLEAN Wide, va_list Arguments);

/* Formats into Buffer, at most Size bytes with the NUL, which is there unless Size is 0. Returns the length
   that the whole text has, without the NUL: it was cut when that is >= Size. */
SIZE_T RtlPrintV(char *Buffer, SIZE_T Size, PCSTR Format, va_list Arguments);

/* ---- Time -------------------------------------------------------------------------------------------- */

typedef struct _TIME_FIELDS {
    CSHORT Year; /* 1601 to 30827 */
    CSHORT Month;
    CSHORT Day;
    CSHORT Hour;
    CSHORT Minute;
    CSHORT Second;
    CSHORT Milliseconds;
    CSHORT Weekday; /* 0: Sunday */
} TIME_FIELDS, *PTIME_FIELDS;

VOID NTAPI RtlTimeToTimeFields(_In_ PLARGE_INTEGER Time, _Out_ PTIME_FIELDS TimeFields);
BOOLEAN NTAPI RtlTimeFieldsToTime(_In_ PTIME_FIELDS TimeFields, _Out_ PLARGE_INTEGER Time);
BOOLEAN NTAPI RtlTimeToSecondsSince1970(_In_ PLARGE_INTEGER Time, _Out_ PULONG ElapsedSeconds);
VOID NTAPI RtlSecondsSince1970ToTime(_In_ ULONG ElapsedSeconds, _Out_ PLARGE_INTEGER Time);

/* ---- Access masks -------------------------------------------------------------------------------------- */

VOID NTAPI RtlMapGenericMask(_Inout_ PACCESS_MASK AccessMask, _In_ const GENERIC_MAPPING *GenericMapping);
