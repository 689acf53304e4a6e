/* SPDX-License-Identifier: MIT */
/*
 * Formatted print, as DbgPrint and the safe-string routines need it. The text goes to a sink as it is made:
 * no buffer here limits it. 16-bit text leaves as UTF-8. The rules stand at RtlFormatV in ntrtl.h; they are
 * the driver kit's, where `l` means 32 bits and `I64` 64. The format itself is 8-bit or 16-bit text.
 */
#include "kernel/rtl/rtl.h"

#include "kernel/rtl/export.h"

/* The analyser does not follow a va_list that va_copy has put into a structure. */
/* NOLINTBEGIN(clang-analyzer-valist.Uninitialized) */

/* A width or a number's precision beyond this is taken for a mistake, and cut. */
#define RTLP_FORMAT_MAXIMUM_WIDTH 65535

typedef struct _RTLP_FORMAT {
    RTL_FORMAT_SINK *Sink;
    PVOID Context;
    SIZE_T Total;     /* bytes given to the sink so far */
    const VOID *Next; /* what is left of the format: char, or WCHAR if Wide */
    bool Wide;        /* the format is 16-bit text, and so is what %c and %s stand for */
    va_list Arguments;
} RTLP_FORMAT, *PRTLP_FORMAT;

typedef enum _RTLP_SIZE {
    SizeDefault,
    SizeChar,
    SizeShort,
    SizeLong,
    SizeLongLong,
    SizeWide
} RTLP_SIZE;

/* In the order of RtlpFlags. */
enum {
    FlagLeft = 1,
    FlagPlus = 2,
    FlagSpace = 4,
    FlagAlternate = 8,
    FlagZero = 16
};
static const char RtlpFlags[] = "-+ #0";

/* One conversion: %[flags][width][.precision][size]type */
typedef struct _RTLP_CONVERSION {
    ULONG Flags;
    bool HasPrecision;
    SIZE_T Width;
    SIZE_T Precision;
    RTLP_SIZE Size;
    char Type;
} RTLP_CONVERSION, *PRTLP_CONVERSION;

/* ---- Giving text to the sink ---- */

static VOID RtlpEmit(PRTLP_FORMAT Format, const char *Text, SIZE_T Length)
{
    if (Length != 0) {
        Format->Sink(Format->Context, Text, Length);
        Format->Total += Length;
    }
}

static VOID RtlpEmitWide(PRTLP_FORMAT Format, const WCHAR *Text, SIZE_T Units)
{
    SIZE_T Consumed;

    for (; Units != 0; Text += Consumed, Units -= Consumed) {
        char Bytes[4];
        RtlpEmit(Format, Bytes, RtlEncodeUtf8(RtlDecodeUtf16(Text, Units, &Consumed), Bytes));
    }
}

static VOID RtlpPad(PRTLP_FORMAT Format, char With, SIZE_T Count)
{
    char Piece[16];

    memset(Piece, With, sizeof(Piece));
    while (Count != 0) {
        SIZE_T Length = Count < sizeof(Piece) ? Count : sizeof(Piece);
        RtlpEmit(Format, Piece, Length);
        Count -= Length;
    }
}

/* What goes before and behind Length bytes or units to bring them up to the conversion's width. */
static VOID RtlpPadBefore(PRTLP_FORMAT Format, const RTLP_CONVERSION *Conversion, char With, SIZE_T Length)
{
    if (!(Conversion->Flags & FlagLeft) && Conversion->Width > Length) {
        RtlpPad(Format, With, Conversion->Width - Length);
    }
}

static VOID RtlpPadBehind(PRTLP_FORMAT Format, const RTLP_CONVERSION *Conversion, SIZE_T Length)
{
    if ((Conversion->Flags & FlagLeft) && Conversion->Width > Length) {
        RtlpPad(Format, ' ', Conversion->Width - Length);
    }
}

/* ---- Numbers ---- */

/* An integer argument of the conversion's size, extended to 64 bits. */
static ULONG64 RtlpNextInteger(PRTLP_FORMAT Format, const RTLP_CONVERSION *Conversion, bool Signed)
{
    if (Conversion->Size == SizeLongLong) {
        return va_arg(Format->Arguments, ULONG64);
    }
    ULONG Value = va_arg(Format->Arguments, ULONG);
    switch (Conversion->Size) {
    case SizeChar:
        return Signed ? (ULONG64)(LONG64)(SCHAR)Value : (UCHAR)Value;
    case SizeShort:
        return Signed ? (ULONG64)(LONG64)(SHORT)Value : (USHORT)Value;
    default:
        return Signed ? (ULONG64)(LONG64)(LONG)Value : Value;
    }
}

/* Writes the digits before End; returns where they begin. None for 0. */
static char *RtlpDigits(ULONG64 Value, ULONG Base, bool Upper, char *End)
{
    const char *Digits = Upper ? "0123456789ABCDEF" : "0123456789abcdef";

    for (; Value != 0; Value /= Base) {
        *--End = Digits[Value % Base];
    }
    return End;
}

/* Prefix (sign, 0x), zeros and digits, in the conversion's width. */
static VOID RtlpEmitNumber(PRTLP_FORMAT Format, const RTLP_CONVERSION *Conversion, const char *Prefix,
                           ULONG64 Value, ULONG Base)
{
    char Buffer[64];
    char *End = Buffer + sizeof(Buffer);
    char *Digits = RtlpDigits(Value, Base, Conversion->Type == 'X' || Conversion->Type == 'p', End);
    SIZE_T Length = (SIZE_T)(End - Digits);
    SIZE_T PrefixLength = strlen(Prefix);
    /* A number's precision is padding, a text's is a bound on reading: only the first is cut. */
    SIZE_T Minimum = 1;
    if (Conversion->HasPrecision) {
        Minimum = Conversion->Precision < RTLP_FORMAT_MAXIMUM_WIDTH ? Conversion->Precision
                                                                    : RTLP_FORMAT_MAXIMUM_WIDTH;
    }
    SIZE_T Zeros = Minimum > Length ? Minimum - Length : 0;

    if (Base == 8 && (Conversion->Flags & FlagAlternate) && Zeros == 0) {
        Zeros = 1;
    }
    if ((Conversion->Flags & (FlagZero | FlagLeft)) == FlagZero && !Conversion->HasPrecision &&
        Conversion->Width > PrefixLength + Zeros + Length) {
        Zeros = Conversion->Width - PrefixLength - Length;
    }
    RtlpPadBefore(Format, Conversion, ' ', PrefixLength + Zeros + Length);
    RtlpEmit(Format, Prefix, PrefixLength);
    RtlpPad(Format, '0', Zeros);
    RtlpEmit(Format, Digits, Length);
    RtlpPadBehind(Format, Conversion, PrefixLength + Zeros + Length);
}

static VOID RtlpFormatSigned(PRTLP_FORMAT Format, const RTLP_CONVERSION *Conversion)
{
    LONG64 Value = (LONG64)RtlpNextInteger(Format, Conversion, true);
    const char *Sign = Value < 0                       ? "-"
                       : Conversion->Flags & FlagPlus  ? "+"
                       : Conversion->Flags & FlagSpace ? " "
                                                       : "";

    RtlpEmitNumber(Format, Conversion, Sign, Value < 0 ? 0 - (ULONG64)Value : (ULONG64)Value, 10);
}

static VOID RtlpFormatUnsigned(PRTLP_FORMAT Format, const RTLP_CONVERSION *Conversion)
{
    ULONG64 Value = RtlpNextInteger(Format, Conversion, false);
    ULONG Base = Conversion->Type == 'u' ? 10 : Conversion->Type == 'o' ? 8 : 16;
    const char *Prefix = "";

    if (Base == 16 && (Conversion->Flags & FlagAlternate) && Value != 0) {
        Prefix = Conversion->Type == 'X' ? "0X" : "0x";
    }
    RtlpEmitNumber(Format, Conversion, Prefix, Value, Base);
}

static VOID RtlpFormatPointer(PRTLP_FORMAT Format, PRTLP_CONVERSION Conversion)
{
    Conversion->HasPrecision = true;
    Conversion->Precision = 2 * sizeof(PVOID);
    RtlpEmitNumber(Format, Conversion, Conversion->Flags & FlagAlternate ? "0x" : "",
                   (ULONG_PTR)va_arg(Format->Arguments, PVOID), 16);
}

/* ---- Text ---- */

/* Whether c, s or Z mean 16-bit text: by its size if it has one; else C and S do in an 8-bit format, and c
   and s in a 16-bit one. */
static bool RtlpIsWideText(PRTLP_FORMAT Format, const RTLP_CONVERSION *Conversion)
{
    if (Conversion->Size == SizeDefault) {
        bool Other = Conversion->Type == 'C' || Conversion->Type == 'S';
        return Conversion->Type == 'Z' ? false : Other != Format->Wide;
    }
    return Conversion->Size != SizeChar && Conversion->Size != SizeShort;
}

/* At most how much of a string may be read: the precision says. */
static SIZE_T RtlpTextLimit(const RTLP_CONVERSION *Conversion, SIZE_T Length)
{
    return Conversion->HasPrecision && Conversion->Precision < Length ? Conversion->Precision : Length;
}

/* Length bytes, or units if Wide. */
static VOID RtlpEmitText(PRTLP_FORMAT Format, const RTLP_CONVERSION *Conversion, const VOID *Text,
                         SIZE_T Length, bool Wide)
{
    RtlpPadBefore(Format, Conversion, Conversion->Flags & FlagZero ? '0' : ' ', Length);
    if (Wide) {
        RtlpEmitWide(Format, Text, Length);
    } else {
        RtlpEmit(Format, Text, Length);
    }
    RtlpPadBehind(Format, Conversion, Length);
}

static VOID RtlpEmitNull(PRTLP_FORMAT Format, const RTLP_CONVERSION *Conversion)
{
    RtlpEmitText(Format, Conversion, "(null)", RtlpTextLimit(Conversion, 6), false);
}

static VOID RtlpFormatCharacter(PRTLP_FORMAT Format, const RTLP_CONVERSION *Conversion)
{
    ULONG Value =
        va_arg(Format->Arguments, ULONG); /* little-endian: its first byte or unit is the character */

    RtlpEmitText(Format, Conversion, &Value, 1, RtlpIsWideText(Format, Conversion));
}

static VOID RtlpFormatString(PRTLP_FORMAT Format, const RTLP_CONVERSION *Conversion)
{
    const VOID *Text = va_arg(Format->Arguments, const VOID *);
    bool Wide = RtlpIsWideText(Format, Conversion);
    SIZE_T Limit = RtlpTextLimit(Conversion, SIZE_MAX);

    if (Text == NULL) {
        RtlpEmitNull(Format, Conversion);
    } else {
        RtlpEmitText(Format, Conversion, Text, Wide ? RtlBoundedLengthW(Text, Limit) : strnlen(Text, Limit),
                     Wide);
    }
}

/* Counted strings of both kinds have the same shape. */
static VOID RtlpFormatCounted(PRTLP_FORMAT Format, const RTLP_CONVERSION *Conversion)
{
    const STRING *String = va_arg(Format->Arguments, const STRING *);
    bool Wide = RtlpIsWideText(Format, Conversion);

    if (String == NULL || String->Buffer == NULL) {
        RtlpEmitNull(Format, Conversion);
    } else {
        SIZE_T Length = Wide ? String->Length / sizeof(WCHAR) : String->Length;
        RtlpEmitText(Format, Conversion, String->Buffer, RtlpTextLimit(Conversion, Length), Wide);
    }
}

C_ASSERT(sizeof(UNICODE_STRING) == sizeof(STRING) &&
         offsetof(UNICODE_STRING, Buffer) == offsetof(STRING, Buffer));

/* ---- Reading the format ---- */

/* The next unit of the format, 0 at its end. */
static WCHAR RtlpPeek(PRTLP_FORMAT Format)
{
    return Format->Wide ? *(const WCHAR *)Format->Next : *(const UCHAR *)Format->Next;
}

static VOID RtlpSkip(PRTLP_FORMAT Format)
{
    Format->Next = (const UCHAR *)Format->Next + (Format->Wide ? sizeof(WCHAR) : 1);
}

/* What stands in the format from Start on is text. */
static VOID RtlpEmitFormat(PRTLP_FORMAT Format, const VOID *Start)
{
    SIZE_T Bytes = (SIZE_T)((const UCHAR *)Format->Next - (const UCHAR *)Start);

    if (Format->Wide) {
        RtlpEmitWide(Format, Start, Bytes / sizeof(WCHAR));
    } else {
        RtlpEmit(Format, Start, Bytes);
    }
}

static bool RtlpAccept(PRTLP_FORMAT Format, char Character)
{
    if (RtlpPeek(Format) != (WCHAR)Character) {
        return false;
    }
    RtlpSkip(Format);
    return true;
}

static VOID RtlpReadFlags(PRTLP_FORMAT Format, PRTLP_CONVERSION Conversion)
{
    const char *Flag;

    for (; RtlpPeek(Format) != 0 && RtlpPeek(Format) < 0x80 &&
           (Flag = strchr(RtlpFlags, RtlpPeek(Format))) != NULL;
         RtlpSkip(Format)) {
        Conversion->Flags |= 1U << (Flag - RtlpFlags);
    }
}

/* A decimal number (0 where there is none) or, for *, an argument, which may be negative. */
static LONG64 RtlpReadCount(PRTLP_FORMAT Format)
{
    LONG64 Count = 0;

    if (RtlpAccept(Format, '*')) {
        return va_arg(Format->Arguments, LONG);
    }
    for (; RtlpPeek(Format) >= '0' && RtlpPeek(Format) <= '9'; RtlpSkip(Format)) {
        Count = Count * 10 + (RtlpPeek(Format) - '0');
        Count = Count < MAXLONG ? Count : MAXLONG;
    }
    return Count;
}

static VOID RtlpReadWidthAndPrecision(PRTLP_FORMAT Format, PRTLP_CONVERSION Conversion)
{
    LONG64 Width = RtlpReadCount(Format);
    if (Width < 0) {
        Conversion->Flags |= FlagLeft;
        Width = -Width;
    }
    Conversion->Width = Width < RTLP_FORMAT_MAXIMUM_WIDTH ? (SIZE_T)Width : RTLP_FORMAT_MAXIMUM_WIDTH;

    if (RtlpAccept(Format, '.')) {
        LONG64 Precision = RtlpReadCount(Format);
        Conversion->HasPrecision = Precision >= 0;
        Conversion->Precision = Precision >= 0 ? (SIZE_T)Precision : 0;
    }
}

/* I64, I32 or I alone (as wide as a pointer); the I has been read. */
static RTLP_SIZE RtlpReadIntegerSize(PRTLP_FORMAT Format)
{
    const VOID *Start = Format->Next;

    if (RtlpAccept(Format, '3') && RtlpAccept(Format, '2')) {
        return SizeLong;
    }
    Format->Next = Start;
    if (!RtlpAccept(Format, '6') || !RtlpAccept(Format, '4')) {
        Format->Next = Start;
    }
    return SizeLongLong;
}

static RTLP_SIZE RtlpReadSize(PRTLP_FORMAT Format)
{
    if (RtlpAccept(Format, 'h')) {
        return RtlpAccept(Format, 'h') ? SizeChar : SizeShort;
    }
    if (RtlpAccept(Format, 'l')) {
        return RtlpAccept(Format, 'l') ? SizeLongLong : SizeLong;
    }
    if (RtlpAccept(Format, 'I')) {
        return RtlpReadIntegerSize(Format);
    }
    if (RtlpAccept(Format, 'w')) {
        return SizeWide;
    }
    if (RtlpAccept(Format, 'z') || RtlpAccept(Format, 't') || RtlpAccept(Format, 'j')) {
        return SizeLongLong;
    }
    return SizeDefault;
}

static bool RtlpConvert(PRTLP_FORMAT Format, PRTLP_CONVERSION Conversion)
{
    switch (Conversion->Type) {
    case 'd':
    case 'i':
        RtlpFormatSigned(Format, Conversion);
        return true;
    case 'u':
    case 'o':
    case 'x':
    case 'X':
        RtlpFormatUnsigned(Format, Conversion);
        return true;
    case 'p':
        RtlpFormatPointer(Format, Conversion);
        return true;
    case 'c':
    case 'C':
        RtlpFormatCharacter(Format, Conversion);
        return true;
    case 's':
    case 'S':
        RtlpFormatString(Format, Conversion);
        return true;
    case 'Z':
        RtlpFormatCounted(Format, Conversion);
        return true;
    case 'n':
        va_arg(Format->Arguments, PVOID);
        return true;
    case '%':
        RtlpEmit(Format, "%", 1);
        return true;
    default:
        return false;
    }
}

/* A conversion, whose % comes next. What is none is printed as it stands. */
static VOID RtlpFormatConversion(PRTLP_FORMAT Format)
{
    RTLP_CONVERSION Conversion = {0};
    const VOID *Start = Format->Next;

    RtlpSkip(Format);
    RtlpReadFlags(Format, &Conversion);
    RtlpReadWidthAndPrecision(Format, &Conversion);
    Conversion.Size = RtlpReadSize(Format);
    Conversion.Type = RtlpPeek(Format) < 0x80 ? (char)RtlpPeek(Format) : '?';
    if (Conversion.Type != 0) {
        RtlpSkip(Format);
    }
    if (!RtlpConvert(Format, &Conversion)) {
        RtlpEmitFormat(Format, Start);
    }
}

static SIZE_T RtlpFormatAll(PRTLP_FORMAT Format)
{
    while (RtlpPeek(Format) != 0) {
        const VOID *Start = Format->Next;
        while (RtlpPeek(Format) != 0 && RtlpPeek(Format) != '%') {
            RtlpSkip(Format);
        }
        RtlpEmitFormat(Format, Start);
        if (RtlpPeek(Format) == '%') {
            RtlpFormatConversion(Format);
        }
    }
    return Format->Total;
}

/* ---- Ways in ---- */

SIZE_T RtlFormatV(RTL_FORMAT_SINK *Sink, PVOID Context, const VOID *Format, BOOLEAN Wide, va_list Arguments)
{
    RTLP_FORMAT State = {.Sink = Sink, .Context = Context, .Next = Format, .Wide = Wide};

    if (Format == NULL) {
        State.Next = "(null)";
        State.Wide = false;
    }
    va_copy(State.Arguments, Arguments);
    SIZE_T Total = RtlpFormatAll(&State);
    va_end(State.Arguments);
    return Total;
}
EXPORT(RtlFormatV);

typedef struct _RTLP_BUFFER {
    char *Next;
    SIZE_T Room; /* without the NUL */
} RTLP_BUFFER, *PRTLP_BUFFER;

static VOID RtlpFillBuffer(PVOID Context, const char *Text, SIZE_T Length)
{
    PRTLP_BUFFER Buffer = Context;

    Length = Length < Buffer->Room ? Length : Buffer->Room;
    if (Length != 0) {
        memcpy(Buffer->Next, Text, Length);
        Buffer->Next += Length;
        Buffer->Room -= Length;
    }
}

SIZE_T RtlPrintV(char *Buffer, SIZE_T Size, PCSTR Format, va_list Arguments)
{
    RTLP_BUFFER Sink = {Buffer, Size != 0 ? Size - 1 : 0};
    SIZE_T Length = RtlFormatV(RtlpFillBuffer, &Sink, Format, FALSE, Arguments);

    if (Size != 0) {
        *Sink.Next = '\0';
    }
    return Length;
}
EXPORT(RtlPrintV);

VOID RtlPrint(char *Buffer, SIZE_T Size, PCSTR Format, ...)
{
    va_list Arguments;

    va_start(Arguments, Format);
    RtlPrintV(Buffer, Size, Format, Arguments);
    va_end(Arguments);
}

/* NOLINTEND(clang-analyzer-valist.Uninitialized) */
