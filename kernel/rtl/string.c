/* SPDX-License-Identifier: MIT */
/*
 * The routines of counted strings that the kernel uses itself; the others are drivers/lib/string.c. Lengths
 * are bytes; a length that is odd for 16-bit text counts as one less.
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

/* ---- Making descriptors ---- */

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

static SIZE_T RtlpUnits(PCUNICODE_STRING String)
{
    return String->Length / sizeof(WCHAR);
}

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

/* ---- From 8-bit text ---- */

NTSTATUS NTAPI RtlAnsiStringToUnicodeString(PUNICODE_STRING DestinationString, PCANSI_STRING SourceString,
                                            BOOLEAN AllocateDestinationString)
{
    const char *Source = SourceString->Length != 0 ? SourceString->Buffer : "";
    ULONG Bytes = 0;

    RtlUTF8ToUnicodeN(NULL, 0, &Bytes, Source, SourceString->Length);
    SIZE_T Size = Bytes + sizeof(WCHAR);
    if (Size > MAXUSHORT) {
        return STATUS_INVALID_PARAMETER_2; /* lengths of counted strings have 16 bits */
    }
    if (AllocateDestinationString) {
        PWCH Memory = RtlpAllocate != NULL ? RtlpAllocate(Size) : NULL;
        if (Memory == NULL) {
            return STATUS_NO_MEMORY;
        }
        DestinationString->Buffer = Memory;
        DestinationString->MaximumLength = (USHORT)Size;
    } else if (Size > DestinationString->MaximumLength) {
        return STATUS_BUFFER_OVERFLOW;
    }
    RtlUTF8ToUnicodeN(DestinationString->Buffer, Bytes, &Bytes, Source, SourceString->Length);
    DestinationString->Buffer[Bytes / sizeof(WCHAR)] = 0;
    DestinationString->Length = (USHORT)Bytes;
    return STATUS_SUCCESS;
}
EXPORT(RtlAnsiStringToUnicodeString);

/* Frees the buffer of a string whose routine has allocated it, and empties the description; a string
   without a buffer is let alone. PASSIVE_LEVEL. (WDK page of the name) */
VOID NTAPI RtlFreeUnicodeString(PUNICODE_STRING UnicodeString)
{
    if (UnicodeString->Buffer != NULL && RtlpFree != NULL) {
        RtlpFree(UnicodeString->Buffer);
    }
    *UnicodeString = (UNICODE_STRING){0};
}
EXPORT(RtlFreeUnicodeString);
