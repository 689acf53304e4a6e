/* SPDX-License-Identifier: MIT */
/*
 * Counted strings, as far as the kernel does not use them itself. Lengths are bytes; a length that is odd for
 * 16-bit text counts as one less; nothing is read or written beyond a Length or MaximumLength, and a
 * terminating NUL is written only where there is room for it.
 */
#include <ntddk.h>

#include "kernel/rtl/rtl.h"

#define RTLP_STRING_TAG 'rtSR'

/* ---- Copying ---- */

static SIZE_T RtlpUnits(PCUNICODE_STRING String)
{
    return String->Length / sizeof(WCHAR);
}

static VOID RtlpTerminateW(PUNICODE_STRING String)
{
    if ((SIZE_T)String->Length + sizeof(WCHAR) <= String->MaximumLength) {
        String->Buffer[RtlpUnits(String)] = 0;
    }
}

VOID NTAPI RtlCopyUnicodeString(PUNICODE_STRING DestinationString, PCUNICODE_STRING SourceString)
{
    SIZE_T Length = 0;

    if (SourceString != NULL) {
        Length = RtlpUnits(SourceString) * sizeof(WCHAR);
        SIZE_T Room = ALIGN_DOWN_BY(DestinationString->MaximumLength, sizeof(WCHAR));
        Length = Length < Room ? Length : Room;
        if (Length != 0) {
            memmove(DestinationString->Buffer, SourceString->Buffer, Length);
        }
    }
    DestinationString->Length = (USHORT)Length;
    RtlpTerminateW(DestinationString);
}

static NTSTATUS RtlpAppend(PUNICODE_STRING Destination, const WCHAR *Source, SIZE_T Bytes)
{
    if (Destination->Length > Destination->MaximumLength ||
        Bytes > (SIZE_T)(Destination->MaximumLength - Destination->Length)) {
        return STATUS_BUFFER_TOO_SMALL;
    }
    if (Bytes != 0) {
        memmove(Destination->Buffer + RtlpUnits(Destination), Source, Bytes);
        Destination->Length = (USHORT)(Destination->Length + Bytes);
    }
    RtlpTerminateW(Destination);
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI RtlAppendUnicodeToString(PUNICODE_STRING Destination, PCWSTR Source)
{
    if (Source == NULL) {
        return STATUS_SUCCESS;
    }
    return RtlpAppend(Destination, Source,
                      RtlBoundedLengthW(Source, UNICODE_STRING_MAX_CHARS + 1) * sizeof(WCHAR));
}

/* Appends Source to Destination, and a NUL if there is room for it. STATUS_BUFFER_TOO_SMALL, nothing
   appended, when it does not fit. Any IRQL when the strings are resident, else <= APC_LEVEL; does not
   block. (WDK page of the name) */
NTSTATUS NTAPI RtlAppendUnicodeStringToString(PUNICODE_STRING Destination, PCUNICODE_STRING Source)
{
    return RtlpAppend(Destination, Source->Buffer, RtlpUnits(Source) * sizeof(WCHAR));
}

/* ---- Between encodings ---- */

/* Makes sure that *Buffer has room for Bytes, terminator included: allocated, or the caller's. A counted
   string's lengths have 16 bits. */
static NTSTATUS RtlpProvideBuffer(SIZE_T Bytes, BOOLEAN Allocate, PVOID *Buffer, PUSHORT MaximumLength)
{
    if (Bytes > MAXUSHORT) {
        return STATUS_INVALID_PARAMETER_2;
    }
    if (!Allocate) {
        return Bytes <= *MaximumLength ? STATUS_SUCCESS : STATUS_BUFFER_OVERFLOW;
    }
    PVOID Memory = ExAllocatePoolWithTag(NonPagedPoolNx, Bytes, RTLP_STRING_TAG);
    if (Memory == NULL) {
        return STATUS_NO_MEMORY;
    }
    *Buffer = Memory;
    *MaximumLength = (USHORT)Bytes;
    return STATUS_SUCCESS;
}

/* Counted strings of both kinds have the same shape. */
C_ASSERT(sizeof(UNICODE_STRING) == sizeof(STRING) &&
         offsetof(UNICODE_STRING, Buffer) == offsetof(STRING, Buffer));

NTSTATUS NTAPI RtlUpcaseUnicodeString(PUNICODE_STRING DestinationString, PCUNICODE_STRING SourceString,
                                      BOOLEAN AllocateDestinationString)
{
    SIZE_T Units = RtlpUnits(SourceString);
    NTSTATUS Status = RtlpProvideBuffer(Units * sizeof(WCHAR), AllocateDestinationString,
                                        (PVOID *)&DestinationString->Buffer, &DestinationString->MaximumLength);

    if (NT_SUCCESS(Status)) {
        for (SIZE_T Index = 0; Index < Units; Index++) {
            DestinationString->Buffer[Index] = RtlUpcaseUnicodeChar(SourceString->Buffer[Index]);
        }
        DestinationString->Length = (USHORT)(Units * sizeof(WCHAR));
    }
    return Status;
}

/* Converts a 16-bit string to an 8-bit one, which is UTF-8, and adds a NUL; RtlFreeAnsiString gives an
   allocated buffer back. PASSIVE_LEVEL; the rest of the contract stands in ntrtl.h. (WDK page of the name) */
NTSTATUS NTAPI RtlUnicodeStringToAnsiString(PANSI_STRING DestinationString, PCUNICODE_STRING SourceString,
                                            BOOLEAN AllocateDestinationString)
{
    ULONG Length = ALIGN_DOWN_BY(SourceString->Length, sizeof(WCHAR)), Bytes = 0;
    PCWSTR Source = Length != 0 ? SourceString->Buffer : L"";

    RtlUnicodeToUTF8N(NULL, 0, &Bytes, Source, Length);
    NTSTATUS Status = RtlpProvideBuffer((SIZE_T)Bytes + 1, AllocateDestinationString, (PVOID *)&DestinationString->Buffer,
                                        &DestinationString->MaximumLength);
    if (NT_SUCCESS(Status)) {
        RtlUnicodeToUTF8N(DestinationString->Buffer, Bytes, &Bytes, Source, Length);
        DestinationString->Buffer[Bytes] = 0;
        DestinationString->Length = (USHORT)Bytes;
    }
    return Status;
}

/* Frees the buffer of an 8-bit string as RtlFreeUnicodeString does that of a 16-bit one. (WDK page of the
   name) */
VOID NTAPI RtlFreeAnsiString(PANSI_STRING AnsiString)
{
    RtlFreeUnicodeString((PUNICODE_STRING)AnsiString);
}

/* ---- 8-bit strings ---- */

/* The upper case of an 8-bit character. Differs: only a to z have one; the 8-bit code page is UTF-8, whose
   other bytes are no characters of their own. Any IRQL; does not block. (WDK page of the name) */
CHAR NTAPI RtlUpperChar(CHAR Character)
{
    return Character >= 'a' && Character <= 'z' ? (CHAR)(Character - 0x20) : Character;
}

VOID NTAPI RtlCopyString(PSTRING DestinationString, const STRING *SourceString)
{
    USHORT Length = SourceString != NULL ? SourceString->Length : 0;

    Length = Length < DestinationString->MaximumLength ? Length : DestinationString->MaximumLength;
    if (Length != 0) {
        memmove(DestinationString->Buffer, SourceString->Buffer, Length);
    }
    DestinationString->Length = Length;
}

/* Copies as much of an 8-bit string as fits, in upper case (RtlUpperChar). Any IRQL when the strings are
   resident, else <= APC_LEVEL; does not block. (WDK page of the name) */
VOID NTAPI RtlUpperString(PSTRING DestinationString, const STRING *SourceString)
{
    RtlCopyString(DestinationString, SourceString);
    for (USHORT Index = 0; Index < DestinationString->Length; Index++) {
        DestinationString->Buffer[Index] = RtlUpperChar(DestinationString->Buffer[Index]);
    }
}

/* Negative, zero or positive as String1 sorts before, with or after String2, by bytes, in upper case if
   asked for (RtlUpperChar). Any IRQL when the strings are resident, else <= APC_LEVEL; does not block. (WDK
   page of the name) */
LONG NTAPI RtlCompareString(const STRING *String1, const STRING *String2, BOOLEAN CaseInSensitive)
{
    for (USHORT Index = 0; Index < String1->Length && Index < String2->Length; Index++) {
        CHAR First = String1->Buffer[Index], Second = String2->Buffer[Index];
        if (CaseInSensitive) {
            First = RtlUpperChar(First);
            Second = RtlUpperChar(Second);
        }
        if (First != Second) {
            return (UCHAR)First - (UCHAR)Second;
        }
    }
    return (LONG)String1->Length - (LONG)String2->Length;
}

/* TRUE when two 8-bit strings are equal, without regard to case if asked for (RtlUpperChar). Any IRQL when
   the strings are resident, else <= APC_LEVEL; does not block. (WDK page of the name) */
BOOLEAN NTAPI RtlEqualString(const STRING *String1, const STRING *String2, BOOLEAN CaseInSensitive)
{
    return String1->Length == String2->Length && RtlCompareString(String1, String2, CaseInSensitive) == 0;
}

/* ---- Lower case, ends, hashes ---- */

/* The lower case of one unit: that whose RtlUpcaseUnicodeChar it is; others unchanged. Any IRQL; does not
   block. (WDK page of the name) */
WCHAR NTAPI RtlDowncaseUnicodeChar(WCHAR SourceCharacter)
{
    static const CHAR Distances[] = {0x20, 0x50, 0x30, 1};

    for (ULONG Index = 0; Index < ARRAYSIZE(Distances); Index++) {
        WCHAR Lower = (WCHAR)(SourceCharacter + Distances[Index]);
        if (Lower > SourceCharacter && RtlUpcaseUnicodeChar(Lower) == SourceCharacter) {
            return Lower;
        }
    }
    return SourceCharacter == 0x0178 ? 0x00FF : SourceCharacter;
}

/* TRUE when String2 ends with String1. Any IRQL when the strings are resident; does not block. (WDK page of
   the name) */
BOOLEAN NTAPI RtlSuffixUnicodeString(PCUNICODE_STRING String1, PCUNICODE_STRING String2, BOOLEAN CaseInSensitive)
{
    if (RtlpUnits(String1) > RtlpUnits(String2)) {
        return FALSE;
    }
    UNICODE_STRING End = {String1->Length, String1->Length, String2->Buffer + RtlpUnits(String2) - RtlpUnits(String1)};
    return RtlEqualUnicodeString(String1, &End, CaseInSensitive);
}

/* A number that equal strings, without regard to case if asked for, have in common: each unit is added to
   65599 times the number before. HashAlgorithm: HASH_STRING_ALGORITHM_DEFAULT or ..._X65599, else
   STATUS_INVALID_PARAMETER. Any IRQL when the string is resident; does not block. (WDK page of the name) */
NTSTATUS NTAPI RtlHashUnicodeString(PCUNICODE_STRING String, BOOLEAN CaseInSensitive, ULONG HashAlgorithm, PULONG HashValue)
{
    ULONG Hash = 0;

    if (HashAlgorithm > HASH_STRING_ALGORITHM_X65599) {
        return STATUS_INVALID_PARAMETER;
    }
    for (SIZE_T Index = 0; Index < RtlpUnits(String); Index++) {
        WCHAR Unit = String->Buffer[Index];
        Hash = Hash * 65599 + (CaseInSensitive ? RtlUpcaseUnicodeChar(Unit) : Unit);
    }
    *HashValue = Hash;
    return STATUS_SUCCESS;
}
