/* SPDX-License-Identifier: MIT */
/*
 * Counted strings. Lengths are bytes; a length that is odd for 16-bit text counts as one less; nothing is
 * read or written beyond a Length or MaximumLength, and a terminating NUL is written only where there is room
 * for it.
 */
#include "kernel/rtl/rtl.h"

#include "kernel/rtl/export.h"

static PVOID (*RtlpAllocate)(SIZE_T Size);
static VOID (*RtlpFree)(PVOID Memory);

VOID RtlSetStringAllocator(PVOID (*Allocate)(SIZE_T Size), VOID (*Free)(PVOID Memory))
{
    RtlpAllocate = Allocate;
    RtlpFree = Free;
}

/* ---- Memory ---- */

SIZE_T NTAPI RtlCompareMemory(const VOID *Source1, const VOID *Source2, SIZE_T Length)
{
    const UCHAR *First = Source1, *Second = Source2;
    SIZE_T Same = 0;

    while (Same < Length && First[Same] == Second[Same]) {
        Same++;
    }
    return Same;
}
EXPORT(RtlCompareMemory);

/* ---- Making descriptors ---- */

SIZE_T RtlBoundedLengthW(PCWSTR String, SIZE_T Limit)
{
    SIZE_T Length = 0;
    while (Length < Limit && String[Length] != 0) {
        Length++;
    }
    return Length;
}

VOID NTAPI RtlInitUnicodeString(PUNICODE_STRING DestinationString, PCWSTR SourceString)
{
    *DestinationString = (UNICODE_STRING){0, 0, (PWCH)SourceString};
    if (SourceString != NULL) {
        SIZE_T Length = RtlBoundedLengthW(SourceString, UNICODE_STRING_MAX_CHARS - 1);
        DestinationString->Length = (USHORT)(Length * sizeof(WCHAR));
        DestinationString->MaximumLength = (USHORT)((Length + 1) * sizeof(WCHAR));
    }
}
EXPORT(RtlInitUnicodeString);

VOID NTAPI RtlInitAnsiString(PANSI_STRING DestinationString, PCSZ SourceString)
{
    *DestinationString = (ANSI_STRING){0, 0, (PCHAR)SourceString};
    if (SourceString != NULL) {
        SIZE_T Length = strnlen(SourceString, MAXUSHORT - 1);
        DestinationString->Length = (USHORT)Length;
        DestinationString->MaximumLength = (USHORT)(Length + 1);
    }
}
EXPORT(RtlInitAnsiString);

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
EXPORT(RtlCopyUnicodeString);

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
EXPORT(RtlAppendUnicodeToString);

/* Appends Source to Destination, and a NUL if there is room for it. STATUS_BUFFER_TOO_SMALL, nothing
   appended, when it does not fit. Any IRQL when the strings are resident, else <= APC_LEVEL; does not
   block. (WDK page of the name) */
NTSTATUS NTAPI RtlAppendUnicodeStringToString(PUNICODE_STRING Destination, PCUNICODE_STRING Source)
{
    return RtlpAppend(Destination, Source->Buffer, RtlpUnits(Source) * sizeof(WCHAR));
}
EXPORT(RtlAppendUnicodeStringToString);

/* ---- Case ---- */

/* Ranges whose letters have their upper case at a fixed distance below them. */
static const struct {
    WCHAR First, Last;
    WCHAR Distance;
} RtlpCaseRanges[] = {
    {'a', 'z', 0x20},       {0x00E0, 0x00F6, 0x20}, {0x00F8, 0x00FE, 0x20}, /* ASCII, Latin-1 */
    {0x03B1, 0x03C1, 0x20}, {0x03C3, 0x03CB, 0x20},                         /* Greek */
    {0x0430, 0x044F, 0x20}, {0x0450, 0x045F, 0x50},                         /* Cyrillic */
    {0x0561, 0x0586, 0x30}, {0xFF41, 0xFF5A, 0x20},                         /* Armenian, full-width */
};

/* Ranges in which upper and lower case alternate: the upper one is even where Odd is 0. */
static const struct {
    WCHAR First, Last;
    WCHAR Odd;
} RtlpCasePairs[] = {
    {0x0100, 0x012F, 0}, {0x0132, 0x0137, 0}, {0x0139, 0x0148, 1}, {0x014A, 0x0177, 0},
    {0x0179, 0x017E, 1}, {0x0460, 0x0481, 0}, {0x048A, 0x04BF, 0}, {0x1E00, 0x1E95, 0},
};

WCHAR NTAPI RtlUpcaseUnicodeChar(WCHAR SourceCharacter)
{
    if (SourceCharacter < 'a') {
        return SourceCharacter;
    }
    for (ULONG Index = 0; Index < ARRAYSIZE(RtlpCaseRanges); Index++) {
        if (SourceCharacter >= RtlpCaseRanges[Index].First && SourceCharacter <= RtlpCaseRanges[Index].Last) {
            return (WCHAR)(SourceCharacter - RtlpCaseRanges[Index].Distance);
        }
    }
    for (ULONG Index = 0; Index < ARRAYSIZE(RtlpCasePairs); Index++) {
        if (SourceCharacter >= RtlpCasePairs[Index].First && SourceCharacter <= RtlpCasePairs[Index].Last) {
            bool IsUpper = (SourceCharacter & 1) == RtlpCasePairs[Index].Odd;
            return (WCHAR)(SourceCharacter - !IsUpper);
        }
    }
    return SourceCharacter == 0x00FF ? 0x0178 : SourceCharacter;
}
EXPORT(RtlUpcaseUnicodeChar);

/* ---- Comparing ---- */

LONG NTAPI RtlCompareUnicodeString(PCUNICODE_STRING String1, PCUNICODE_STRING String2,
                                   BOOLEAN CaseInSensitive)
{
    SIZE_T Length1 = RtlpUnits(String1), Length2 = RtlpUnits(String2);

    for (SIZE_T Index = 0; Index < Length1 && Index < Length2; Index++) {
        WCHAR First = String1->Buffer[Index], Second = String2->Buffer[Index];
        if (CaseInSensitive) {
            First = RtlUpcaseUnicodeChar(First);
            Second = RtlUpcaseUnicodeChar(Second);
        }
        if (First != Second) {
            return First - Second;
        }
    }
    return (LONG)Length1 - (LONG)Length2;
}
EXPORT(RtlCompareUnicodeString);

BOOLEAN NTAPI RtlEqualUnicodeString(PCUNICODE_STRING String1, PCUNICODE_STRING String2,
                                    BOOLEAN CaseInSensitive)
{
    return RtlpUnits(String1) == RtlpUnits(String2) &&
           RtlCompareUnicodeString(String1, String2, CaseInSensitive) == 0;
}
EXPORT(RtlEqualUnicodeString);

BOOLEAN NTAPI RtlPrefixUnicodeString(PCUNICODE_STRING String1, PCUNICODE_STRING String2,
                                     BOOLEAN CaseInSensitive)
{
    if (RtlpUnits(String1) > RtlpUnits(String2)) {
        return FALSE;
    }
    UNICODE_STRING Start = *String2;
    Start.Length = String1->Length;
    return RtlEqualUnicodeString(String1, &Start, CaseInSensitive);
}
EXPORT(RtlPrefixUnicodeString);

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
    PVOID Memory = RtlpAllocate != NULL ? RtlpAllocate(Bytes) : NULL;
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
EXPORT(RtlUpcaseUnicodeString);

static NTSTATUS RtlpTranscode(bool ToUnicode, PVOID To, ULONG Room, PULONG Bytes, const VOID *From,
                              ULONG Length)
{
    return ToUnicode ? RtlUTF8ToUnicodeN(To, Room, Bytes, From, Length)
                     : RtlUnicodeToUTF8N(To, Room, Bytes, From, Length);
}

static NTSTATUS RtlpConvertString(bool ToUnicode, PSTRING To, const STRING *From, BOOLEAN Allocate)
{
    ULONG Length = ToUnicode ? From->Length : ALIGN_DOWN_BY(From->Length, sizeof(WCHAR));
    SIZE_T Terminator = ToUnicode ? sizeof(WCHAR) : 1;
    const VOID *Source = Length != 0 ? From->Buffer : (const VOID *)L"";
    ULONG Bytes = 0;

    RtlpTranscode(ToUnicode, NULL, 0, &Bytes, Source, Length);
    NTSTATUS Status =
        RtlpProvideBuffer(Bytes + Terminator, Allocate, (PVOID *)&To->Buffer, &To->MaximumLength);
    if (NT_SUCCESS(Status)) {
        RtlpTranscode(ToUnicode, To->Buffer, Bytes, &Bytes, Source, Length);
        memset((PUCHAR)To->Buffer + Bytes, 0, Terminator);
        To->Length = (USHORT)Bytes;
    }
    return Status;
}

NTSTATUS NTAPI RtlAnsiStringToUnicodeString(PUNICODE_STRING DestinationString, PCANSI_STRING SourceString,
                                            BOOLEAN AllocateDestinationString)
{
    return RtlpConvertString(true, (PSTRING)DestinationString, SourceString, AllocateDestinationString);
}
EXPORT(RtlAnsiStringToUnicodeString);

/* Converts a 16-bit string to an 8-bit one, which is UTF-8, and adds a NUL; RtlFreeAnsiString gives an
   allocated buffer back. PASSIVE_LEVEL; the rest of the contract stands in ntrtl.h. (WDK page of the name) */
NTSTATUS NTAPI RtlUnicodeStringToAnsiString(PANSI_STRING DestinationString, PCUNICODE_STRING SourceString,
                                            BOOLEAN AllocateDestinationString)
{
    return RtlpConvertString(false, DestinationString, (const STRING *)SourceString,
                             AllocateDestinationString);
}
EXPORT(RtlUnicodeStringToAnsiString);

static VOID RtlpFreeString(PSTRING String)
{
    if (String->Buffer != NULL && RtlpFree != NULL) {
        RtlpFree(String->Buffer);
    }
    *String = (STRING){0};
}

/* Frees the buffer of a string whose routine has allocated it, and empties the description; a string
   without a buffer is let alone. PASSIVE_LEVEL. (WDK page of the name) */
VOID NTAPI RtlFreeUnicodeString(PUNICODE_STRING UnicodeString)
{
    RtlpFreeString((PSTRING)UnicodeString);
}
EXPORT(RtlFreeUnicodeString);

/* The same for 8-bit strings. (WDK page of the name) */
VOID NTAPI RtlFreeAnsiString(PANSI_STRING AnsiString)
{
    RtlpFreeString(AnsiString);
}
EXPORT(RtlFreeAnsiString);

/* ---- 8-bit strings ---- */

/* The upper case of an 8-bit character. Differs: only a to z have one; the 8-bit code page is UTF-8, whose
   other bytes are no characters of their own. Any IRQL; does not block. (WDK page of the name) */
CHAR NTAPI RtlUpperChar(CHAR Character)
{
    return Character >= 'a' && Character <= 'z' ? (CHAR)(Character - 0x20) : Character;
}
EXPORT(RtlUpperChar);

VOID NTAPI RtlCopyString(PSTRING DestinationString, const STRING *SourceString)
{
    USHORT Length = SourceString != NULL ? SourceString->Length : 0;

    Length = Length < DestinationString->MaximumLength ? Length : DestinationString->MaximumLength;
    if (Length != 0) {
        memmove(DestinationString->Buffer, SourceString->Buffer, Length);
    }
    DestinationString->Length = Length;
}
EXPORT(RtlCopyString);

/* Copies as much of an 8-bit string as fits, in upper case (RtlUpperChar). Any IRQL when the strings are
   resident, else <= APC_LEVEL; does not block. (WDK page of the name) */
VOID NTAPI RtlUpperString(PSTRING DestinationString, const STRING *SourceString)
{
    RtlCopyString(DestinationString, SourceString);
    for (USHORT Index = 0; Index < DestinationString->Length; Index++) {
        DestinationString->Buffer[Index] = RtlUpperChar(DestinationString->Buffer[Index]);
    }
}
EXPORT(RtlUpperString);

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
EXPORT(RtlCompareString);

/* TRUE when two 8-bit strings are equal, without regard to case if asked for (RtlUpperChar). Any IRQL when
   the strings are resident, else <= APC_LEVEL; does not block. (WDK page of the name) */
BOOLEAN NTAPI RtlEqualString(const STRING *String1, const STRING *String2, BOOLEAN CaseInSensitive)
{
    return String1->Length == String2->Length && RtlCompareString(String1, String2, CaseInSensitive) == 0;
}
EXPORT(RtlEqualString);
