/* SPDX-License-Identifier: MIT */
/* The safe-string routines of <ntstrsafe.h>, over the formatter. */
#include <ntstrsafe.h>

#include "kernel/rtl/rtl.h"

static bool RtlpIsSafeSize(SIZE_T Size)
{
    return Size != 0 && Size <= NTSTRSAFE_MAX_CCH;
}

/* Formats into Size characters, the NUL included, which is always written. STATUS_BUFFER_OVERFLOW: the text
   was cut; STATUS_INVALID_PARAMETER: Size is 0 or above NTSTRSAFE_MAX_CCH, nothing written. Any IRQL when
   all is resident and the format names no wide characters, else PASSIVE_LEVEL; does not block. (WDK page of
   the name) */
NTSTATUS RtlStringCchVPrintfA(PSTR Destination, SIZE_T Size, PCSTR Format, va_list Arguments)
{
    if (!RtlpIsSafeSize(Size)) {
        return STATUS_INVALID_PARAMETER;
    }
    bool Cut = RtlPrintV(Destination, Size, Format, Arguments) >= Size;
    return Cut ? STATUS_BUFFER_OVERFLOW : STATUS_SUCCESS;
}

/* RtlStringCchVPrintfA with the arguments themselves. (WDK page of the name) */
NTSTATUS RtlStringCchPrintfA(PSTR Destination, SIZE_T Size, PCSTR Format, ...)
{
    va_list Arguments;

    va_start(Arguments, Format);
    NTSTATUS Status = RtlStringCchVPrintfA(Destination, Size, Format, Arguments);
    va_end(Arguments);
    return Status;
}

NTSTATUS RtlStringCchCopyNA(PSTR Destination, SIZE_T Size, PCSTR Source, SIZE_T Count)
{
    if (!RtlpIsSafeSize(Size)) {
        return STATUS_INVALID_PARAMETER;
    }
    SIZE_T Length = strnlen(Source, Count < Size ? Count : Size);
    bool Cut = Length == Size;
    Length -= Cut;
    memmove(Destination, Source, Length);
    Destination[Length] = '\0';
    return Cut ? STATUS_BUFFER_OVERFLOW : STATUS_SUCCESS;
}

/* Appends at most Count characters of Source to the string in Destination, whose room is Size characters,
   the NUL included. Results as RtlStringCchCopyNA; STATUS_INVALID_PARAMETER also when Destination holds no
   NUL. (WDK page of the name) */
NTSTATUS RtlStringCchCatNA(PSTR Destination, SIZE_T Size, PCSTR Source, SIZE_T Count)
{
    SIZE_T At = RtlpIsSafeSize(Size) ? strnlen(Destination, Size) : Size;

    return At < Size ? RtlStringCchCopyNA(Destination + At, Size - At, Source, Count) : STATUS_INVALID_PARAMETER;
}

NTSTATUS RtlStringCchLengthA(PCSTR Text, SIZE_T Maximum, PSIZE_T Length)
{
    SIZE_T Found = Text != NULL && Maximum <= NTSTRSAFE_MAX_CCH ? strnlen(Text, Maximum) : Maximum;

    if (Length != NULL) {
        *Length = Found < Maximum ? Found : 0;
    }
    return Found < Maximum ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
}

/* ---- 16-bit ---- */

typedef struct _RTLP_WIDE_BUFFER {
    PWCH Next;
    SIZE_T Room;   /* units, without a NUL */
    SIZE_T Length; /* of the whole text, units */
} RTLP_WIDE_BUFFER, *PRTLP_WIDE_BUFFER;

/* Whole characters come in one piece, so that each piece can be converted by itself. */
static VOID RtlpFillWideBuffer(PVOID Context, const char *Text, SIZE_T Length)
{
    PRTLP_WIDE_BUFFER Buffer = Context;
    ULONG Bytes = 0;

    RtlUTF8ToUnicodeN(NULL, 0, &Bytes, Text, (ULONG)Length);
    Buffer->Length += Bytes / sizeof(WCHAR);
    if (Buffer->Room != 0) {
        NTSTATUS Status =
            RtlUTF8ToUnicodeN(Buffer->Next, (ULONG)(Buffer->Room * sizeof(WCHAR)), &Bytes, Text, (ULONG)Length);
        Buffer->Next += Bytes / sizeof(WCHAR);
        Buffer->Room -= Bytes / sizeof(WCHAR);
        if (Status == STATUS_BUFFER_TOO_SMALL) {
            Buffer->Room = 0; /* nothing may follow what was left out */
        }
    }
}

/* Formats into at most Room units, without a NUL; *Written of them were filled. Returns whether that was
   all. */
static bool RtlpPrintWide(PWCH Buffer, SIZE_T Room, PSIZE_T Written, PCWSTR Format, va_list Arguments)
{
    RTLP_WIDE_BUFFER Sink = {Buffer, Room, 0};

    RtlFormatV(RtlpFillWideBuffer, &Sink, Format, TRUE, Arguments);
    *Written = (SIZE_T)(Sink.Next - Buffer);
    return Sink.Length <= Room;
}

/* As RtlStringCchVPrintfA in 16-bit units. (WDK page of the name) */
NTSTATUS RtlStringCchVPrintfW(PWSTR Destination, SIZE_T Size, PCWSTR Format, va_list Arguments)
{
    SIZE_T Written;

    if (!RtlpIsSafeSize(Size)) {
        return STATUS_INVALID_PARAMETER;
    }
    bool All = RtlpPrintWide(Destination, Size - 1, &Written, Format, Arguments);
    Destination[Written] = 0;
    return All ? STATUS_SUCCESS : STATUS_BUFFER_OVERFLOW;
}

/* As RtlStringCchPrintfA in 16-bit units. (WDK page of the name) */
NTSTATUS RtlStringCchPrintfW(PWSTR Destination, SIZE_T Size, PCWSTR Format, ...)
{
    va_list Arguments;

    va_start(Arguments, Format);
    NTSTATUS Status = RtlStringCchVPrintfW(Destination, Size, Format, Arguments);
    va_end(Arguments);
    return Status;
}

/* Copies what fits of at most Count units into Room units; returns whether that was all, and how much it
   was. */
static bool RtlpFitW(PWCH Destination, SIZE_T Room, PCWSTR Source, SIZE_T Count, SIZE_T *Length)
{
    SIZE_T Limit = Count < Room + 1 ? Count : Room + 1;
    SIZE_T Found = RtlBoundedLengthW(Source, Limit);

    *Length = Found < Room ? Found : Room;
    if (*Length != 0) {
        memmove(Destination, Source, *Length * sizeof(WCHAR));
    }
    return Found <= Room;
}

/* As RtlStringCchCopyNA in 16-bit units. (WDK page of the name) */
NTSTATUS RtlStringCchCopyNW(PWSTR Destination, SIZE_T Size, PCWSTR Source, SIZE_T Count)
{
    SIZE_T Length;

    if (!RtlpIsSafeSize(Size)) {
        return STATUS_INVALID_PARAMETER;
    }
    bool All = RtlpFitW(Destination, Size - 1, Source, Count, &Length);
    Destination[Length] = 0;
    return All ? STATUS_SUCCESS : STATUS_BUFFER_OVERFLOW;
}

/* As RtlStringCchCatNA in 16-bit units. (WDK page of the name) */
NTSTATUS RtlStringCchCatNW(PWSTR Destination, SIZE_T Size, PCWSTR Source, SIZE_T Count)
{
    SIZE_T At = RtlpIsSafeSize(Size) ? RtlBoundedLengthW(Destination, Size) : Size;

    return At < Size ? RtlStringCchCopyNW(Destination + At, Size - At, Source, Count) : STATUS_INVALID_PARAMETER;
}

/* As RtlStringCchLengthA in 16-bit units. (WDK page of the name) */
NTSTATUS RtlStringCchLengthW(PCWSTR Text, SIZE_T Maximum, PSIZE_T Length)
{
    SIZE_T Found = Text != NULL && Maximum <= NTSTRSAFE_MAX_CCH ? RtlBoundedLengthW(Text, Maximum) : Maximum;

    if (Length != NULL) {
        *Length = Found < Maximum ? Found : 0;
    }
    return Found < Maximum ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
}

/* As RtlStringCchLengthW, with both the room and the result in bytes. (WDK page of the name) */
NTSTATUS RtlStringCbLengthW(PCWSTR Text, SIZE_T Maximum, PSIZE_T Length)
{
    NTSTATUS Status = RtlStringCchLengthW(Text, Maximum / sizeof(WCHAR), Length);

    if (Length != NULL) {
        *Length *= sizeof(WCHAR);
    }
    return Status;
}

/* ---- Counted ---- */

NTSTATUS RtlUnicodeStringInit(PUNICODE_STRING DestinationString, PCWSTR Source)
{
    RtlInitUnicodeString(DestinationString, NULL);
    if (Source != NULL && RtlBoundedLengthW(Source, NTSTRSAFE_UNICODE_STRING_MAX_CCH) == NTSTRSAFE_UNICODE_STRING_MAX_CCH) {
        return STATUS_INVALID_PARAMETER;
    }
    RtlInitUnicodeString(DestinationString, Source);
    return STATUS_SUCCESS;
}

/* Formats into a counted string, up to its MaximumLength; no NUL is added. STATUS_BUFFER_OVERFLOW: the text
   was cut. PASSIVE_LEVEL in the documentation; any IRQL here when all is resident. (WDK page of the name) */
NTSTATUS RtlUnicodeStringVPrintf(PUNICODE_STRING DestinationString, PCWSTR Format, va_list Arguments)
{
    SIZE_T Written, Room = DestinationString->MaximumLength / sizeof(WCHAR);
    bool All = RtlpPrintWide(DestinationString->Buffer, Room, &Written, Format, Arguments);

    DestinationString->Length = (USHORT)(Written * sizeof(WCHAR));
    return All ? STATUS_SUCCESS : STATUS_BUFFER_OVERFLOW;
}

/* RtlUnicodeStringVPrintf with the arguments themselves. (WDK page of the name) */
NTSTATUS RtlUnicodeStringPrintf(PUNICODE_STRING DestinationString, PCWSTR Format, ...)
{
    va_list Arguments;

    va_start(Arguments, Format);
    NTSTATUS Status = RtlUnicodeStringVPrintf(DestinationString, Format, Arguments);
    va_end(Arguments);
    return Status;
}

/* Puts Source, which a NUL ends, behind the first At units, as much of it as fits. */
static NTSTATUS RtlpPutAt(PUNICODE_STRING Destination, SIZE_T At, PCWSTR Source)
{
    SIZE_T Length, Room = Destination->MaximumLength / sizeof(WCHAR);

    if (At > Room) {
        return STATUS_INVALID_PARAMETER;
    }
    bool All = RtlpFitW(Destination->Buffer + At, Room - At, Source, MAXUSHORT, &Length);
    Destination->Length = (USHORT)((At + Length) * sizeof(WCHAR));
    return All ? STATUS_SUCCESS : STATUS_BUFFER_OVERFLOW;
}

/* The same for a counted source, which may hold NULs. */
static NTSTATUS RtlpPutCountedAt(PUNICODE_STRING Destination, SIZE_T At, PCUNICODE_STRING Source)
{
    SIZE_T Room = Destination->MaximumLength / sizeof(WCHAR), Length = Source->Length / sizeof(WCHAR);

    if (At > Room) {
        return STATUS_INVALID_PARAMETER;
    }
    bool All = Length <= Room - At;
    Length = All ? Length : Room - At;
    if (Length != 0) {
        memmove(Destination->Buffer + At, Source->Buffer, Length * sizeof(WCHAR));
    }
    Destination->Length = (USHORT)((At + Length) * sizeof(WCHAR));
    return All ? STATUS_SUCCESS : STATUS_BUFFER_OVERFLOW;
}

/* Copies a counted string. STATUS_BUFFER_OVERFLOW: as much as fits was copied. Any IRQL when both are
   resident; does not block. (WDK page of the name) */
NTSTATUS RtlUnicodeStringCopy(PUNICODE_STRING DestinationString, PCUNICODE_STRING SourceString)
{
    return RtlpPutCountedAt(DestinationString, 0, SourceString);
}

/* As RtlUnicodeStringCopy, from a string that a NUL ends. (WDK page of the name) */
NTSTATUS RtlUnicodeStringCopyString(PUNICODE_STRING DestinationString, PCWSTR Source)
{
    return RtlpPutAt(DestinationString, 0, Source);
}

/* Appends a counted string. STATUS_BUFFER_OVERFLOW: as much as fits was appended; STATUS_INVALID_PARAMETER:
   the destination is longer than its MaximumLength. Any IRQL when both are resident; does not block. (WDK
   page of the name) */
NTSTATUS RtlUnicodeStringCat(PUNICODE_STRING DestinationString, PCUNICODE_STRING SourceString)
{
    return RtlpPutCountedAt(DestinationString, DestinationString->Length / sizeof(WCHAR), SourceString);
}

/* As RtlUnicodeStringCat, from a string that a NUL ends. (WDK page of the name) */
NTSTATUS RtlUnicodeStringCatString(PUNICODE_STRING DestinationString, PCWSTR Source)
{
    return RtlpPutAt(DestinationString, DestinationString->Length / sizeof(WCHAR), Source);
}
