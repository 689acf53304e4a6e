/* SPDX-License-Identifier: MIT */
/* The safe-string routines of <ntstrsafe.h>, over the formatter and the counted strings. */
#include <ntstrsafe.h>

#include "kernel/ldr/export.h"
#include "kernel/rtl/rtl.h"

static bool RtlpIsSafeSize(SIZE_T Size)
{
    return Size != 0 && Size <= NTSTRSAFE_MAX_CCH;
}

static NTSTATUS RtlpCutStatus(bool Cut)
{
    return Cut ? STATUS_BUFFER_OVERFLOW : STATUS_SUCCESS;
}

/* ---- Formatting ---- */

NTSTATUS RtlStringCchVPrintfA(PSTR Destination, SIZE_T Size, PCSTR Format, va_list Arguments)
{
    if (!RtlpIsSafeSize(Size)) {
        return STATUS_INVALID_PARAMETER;
    }
    return RtlpCutStatus(RtlPrintV(Destination, Size, Format, Arguments) >= Size);
}
EXPORT(RtlStringCchVPrintfA);

/* 16-bit text from the formatter's UTF-8, of which a piece may end within a character. */
typedef struct _RTLP_WIDE_BUFFER {
    PWCH Next;
    SIZE_T Room; /* units, without the NUL */
    bool Cut;
    char Pending[4]; /* bytes of a character that is not complete */
    SIZE_T PendingLength;
} RTLP_WIDE_BUFFER, *PRTLP_WIDE_BUFFER;

static VOID RtlpPutWide(PRTLP_WIDE_BUFFER Buffer, ULONG Character)
{
    WCHAR Units[2];
    SIZE_T Count = RtlEncodeUtf16(Character, Units);

    if (Buffer->Cut || Count > Buffer->Room) {
        Buffer->Cut = true;
        return;
    }
    memcpy(Buffer->Next, Units, Count * sizeof(WCHAR));
    Buffer->Next += Count;
    Buffer->Room -= Count;
}

/* Whether the pending bytes could still become a character: they are ill-formed for nothing but being too
   few. */
static bool RtlpIsUnfinished(const RTLP_WIDE_BUFFER *Buffer)
{
    UCHAR Lead = (UCHAR)Buffer->Pending[0];
    SIZE_T Announced = Lead >= 0xF0 ? 4 : Lead >= 0xE0 ? 3 : Lead >= 0xC2 ? 2 : 1;
    SIZE_T Consumed;

    return Buffer->PendingLength < Announced &&
           RtlDecodeUtf8(Buffer->Pending, Buffer->PendingLength, &Consumed) == RTL_ILL_FORMED &&
           Consumed == Buffer->PendingLength;
}

/* Puts what the pending bytes hold, but for an unfinished character at their end unless it is the end of the
   text. */
static VOID RtlpDrainPending(PRTLP_WIDE_BUFFER Buffer, bool AtEnd)
{
    while (Buffer->PendingLength != 0 && (AtEnd || !RtlpIsUnfinished(Buffer))) {
        SIZE_T Consumed;
        RtlpPutWide(Buffer, RtlDecodeUtf8(Buffer->Pending, Buffer->PendingLength, &Consumed));
        Buffer->PendingLength -= Consumed;
        memmove(Buffer->Pending, Buffer->Pending + Consumed, Buffer->PendingLength);
    }
}

static VOID RtlpFillWideBuffer(PVOID Context, const char *Text, SIZE_T Length)
{
    PRTLP_WIDE_BUFFER Buffer = Context;

    for (; Length != 0; Text++, Length--) {
        Buffer->Pending[Buffer->PendingLength++] = *Text;
        RtlpDrainPending(Buffer, false);
    }
}

/* Formats into Room units; *Written says how many were. No NUL. */
static NTSTATUS RtlpPrintWide(PWSTR Destination, SIZE_T Room, PCWSTR Format, va_list Arguments,
                              PSIZE_T Written)
{
    RTLP_WIDE_BUFFER Buffer = {.Next = Destination, .Room = Room};

    RtlFormatWideV(RtlpFillWideBuffer, &Buffer, Format, Arguments);
    RtlpDrainPending(&Buffer, true);
    *Written = (SIZE_T)(Buffer.Next - Destination);
    return RtlpCutStatus(Buffer.Cut);
}

NTSTATUS RtlStringCchVPrintfW(PWSTR Destination, SIZE_T Size, PCWSTR Format, va_list Arguments)
{
    SIZE_T Written;

    if (!RtlpIsSafeSize(Size)) {
        return STATUS_INVALID_PARAMETER;
    }
    NTSTATUS Status = RtlpPrintWide(Destination, Size - 1, Format, Arguments, &Written);
    Destination[Written] = 0;
    return Status;
}
EXPORT(RtlStringCchVPrintfW);

NTSTATUS RtlStringCbVPrintfA(PSTR Destination, SIZE_T Size, PCSTR Format, va_list Arguments)
{
    return RtlStringCchVPrintfA(Destination, Size, Format, Arguments);
}
EXPORT(RtlStringCbVPrintfA);

NTSTATUS RtlStringCbVPrintfW(PWSTR Destination, SIZE_T Size, PCWSTR Format, va_list Arguments)
{
    return RtlStringCchVPrintfW(Destination, Size / sizeof(WCHAR), Format, Arguments);
}
EXPORT(RtlStringCbVPrintfW);

/* The same body for each: a variable argument list can be handed on only as a va_list. */
#define RTLP_PRINTF(Name, VName, Text)                                                                       \
    NTSTATUS Name(Text Destination, SIZE_T Size, const typeof(*(Text)0) *Format, ...)                        \
    {                                                                                                        \
        va_list Arguments;                                                                                   \
        va_start(Arguments, Format);                                                                         \
        NTSTATUS Status = VName(Destination, Size, Format, Arguments);                                       \
        va_end(Arguments);                                                                                   \
        return Status;                                                                                       \
    }                                                                                                        \
    EXPORT(Name)

RTLP_PRINTF(RtlStringCchPrintfA, RtlStringCchVPrintfA, PSTR);
RTLP_PRINTF(RtlStringCchPrintfW, RtlStringCchVPrintfW, PWSTR);
RTLP_PRINTF(RtlStringCbPrintfA, RtlStringCbVPrintfA, PSTR);
RTLP_PRINTF(RtlStringCbPrintfW, RtlStringCbVPrintfW, PWSTR);

NTSTATUS RtlUnicodeStringVPrintf(PUNICODE_STRING Destination, PCWSTR Format, va_list Arguments)
{
    SIZE_T Room = Destination->MaximumLength / sizeof(WCHAR), Written;
    NTSTATUS Status = RtlpPrintWide(Destination->Buffer, Room, Format, Arguments, &Written);

    Destination->Length = (USHORT)(Written * sizeof(WCHAR));
    if (Written < Room) {
        Destination->Buffer[Written] = 0;
    }
    return Status;
}
EXPORT(RtlUnicodeStringVPrintf);

NTSTATUS RtlUnicodeStringPrintf(PUNICODE_STRING Destination, PCWSTR Format, ...)
{
    va_list Arguments;

    va_start(Arguments, Format);
    NTSTATUS Status = RtlUnicodeStringVPrintf(Destination, Format, Arguments);
    va_end(Arguments);
    return Status;
}
EXPORT(RtlUnicodeStringPrintf);

/* ---- Copying ---- */

NTSTATUS RtlStringCchCopyNA(PSTR Destination, SIZE_T Size, PCSTR Source, SIZE_T Count)
{
    if (!RtlpIsSafeSize(Size)) {
        return STATUS_INVALID_PARAMETER;
    }
    SIZE_T Length = RtlBoundedLengthA(Source, Count < Size ? Count : Size);
    bool Cut = Length == Size;
    Length -= Cut;
    memmove(Destination, Source, Length);
    Destination[Length] = '\0';
    return RtlpCutStatus(Cut);
}
EXPORT(RtlStringCchCopyNA);

NTSTATUS RtlStringCchCopyNW(PWSTR Destination, SIZE_T Size, PCWSTR Source, SIZE_T Count)
{
    if (!RtlpIsSafeSize(Size)) {
        return STATUS_INVALID_PARAMETER;
    }
    SIZE_T Length = RtlBoundedLengthW(Source, Count < Size ? Count : Size);
    bool Cut = Length == Size;
    Length -= Cut;
    memmove(Destination, Source, Length * sizeof(WCHAR));
    Destination[Length] = 0;
    return RtlpCutStatus(Cut);
}
EXPORT(RtlStringCchCopyNW);

NTSTATUS RtlStringCchCatNA(PSTR Destination, SIZE_T Size, PCSTR Source, SIZE_T Count)
{
    SIZE_T Length;
    NTSTATUS Status = RtlStringCchLengthA(Destination, Size, &Length);

    return NT_SUCCESS(Status) ? RtlStringCchCopyNA(Destination + Length, Size - Length, Source, Count)
                              : Status;
}
EXPORT(RtlStringCchCatNA);

NTSTATUS RtlStringCchCatNW(PWSTR Destination, SIZE_T Size, PCWSTR Source, SIZE_T Count)
{
    SIZE_T Length;
    NTSTATUS Status = RtlStringCchLengthW(Destination, Size, &Length);

    return NT_SUCCESS(Status) ? RtlStringCchCopyNW(Destination + Length, Size - Length, Source, Count)
                              : Status;
}
EXPORT(RtlStringCchCatNW);

/* ---- Measuring ---- */

static NTSTATUS RtlpReportLength(SIZE_T Found, SIZE_T Size, PSIZE_T Length)
{
    bool Ends = Found < Size;

    if (Length != NULL) {
        *Length = Ends ? Found : 0;
    }
    return Ends ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
}

NTSTATUS RtlStringCchLengthA(PCSTR String, SIZE_T Size, PSIZE_T Length)
{
    bool Valid = String != NULL && RtlpIsSafeSize(Size);
    return RtlpReportLength(Valid ? RtlBoundedLengthA(String, Size) : Size, Size, Length);
}
EXPORT(RtlStringCchLengthA);

NTSTATUS RtlStringCchLengthW(PCWSTR String, SIZE_T Size, PSIZE_T Length)
{
    bool Valid = String != NULL && RtlpIsSafeSize(Size);
    return RtlpReportLength(Valid ? RtlBoundedLengthW(String, Size) : Size, Size, Length);
}
EXPORT(RtlStringCchLengthW);

/* ---- Counted strings ---- */

NTSTATUS RtlUnicodeStringInit(PUNICODE_STRING Destination, PCWSTR Source)
{
    *Destination = (UNICODE_STRING){0};
    if (Source != NULL && RtlBoundedLengthW(Source, UNICODE_STRING_MAX_CHARS) == UNICODE_STRING_MAX_CHARS) {
        return STATUS_INVALID_PARAMETER;
    }
    RtlInitUnicodeString(Destination, Source);
    return STATUS_SUCCESS;
}
EXPORT(RtlUnicodeStringInit);

/* Appends Units units at the end of Destination, as many as fit. */
static NTSTATUS RtlpCatUnits(PUNICODE_STRING Destination, const WCHAR *Source, SIZE_T Units)
{
    SIZE_T Length = Destination->Length / sizeof(WCHAR), Room = Destination->MaximumLength / sizeof(WCHAR);

    if (Length > Room) {
        return STATUS_INVALID_PARAMETER;
    }
    SIZE_T Fits = Units < Room - Length ? Units : Room - Length;
    if (Fits != 0) {
        memmove(Destination->Buffer + Length, Source, Fits * sizeof(WCHAR));
    }
    Destination->Length = (USHORT)((Length + Fits) * sizeof(WCHAR));
    if (Length + Fits < Room) {
        Destination->Buffer[Length + Fits] = 0;
    }
    return RtlpCutStatus(Fits < Units);
}

NTSTATUS RtlUnicodeStringCatString(PUNICODE_STRING Destination, PCWSTR Source)
{
    return RtlpCatUnits(Destination, Source, RtlBoundedLengthW(Source, UNICODE_STRING_MAX_CHARS + 1));
}
EXPORT(RtlUnicodeStringCatString);

NTSTATUS RtlUnicodeStringCat(PUNICODE_STRING Destination, PCUNICODE_STRING Source)
{
    return RtlpCatUnits(Destination, Source->Buffer, Source->Length / sizeof(WCHAR));
}
EXPORT(RtlUnicodeStringCat);

NTSTATUS RtlUnicodeStringCopyString(PUNICODE_STRING Destination, PCWSTR Source)
{
    Destination->Length = 0;
    return RtlUnicodeStringCatString(Destination, Source);
}
EXPORT(RtlUnicodeStringCopyString);

NTSTATUS RtlUnicodeStringCopy(PUNICODE_STRING Destination, PCUNICODE_STRING Source)
{
    SIZE_T Units = Source->Length / sizeof(WCHAR); /* Source may be Destination */
    const WCHAR *Text = Source->Buffer;

    Destination->Length = 0;
    return RtlpCatUnits(Destination, Text, Units);
}
EXPORT(RtlUnicodeStringCopy);
