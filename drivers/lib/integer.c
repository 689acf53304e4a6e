/* SPDX-License-Identifier: MIT */
/* Numbers as text, and back. */
#include "kernel/rtl/rtl.h"


static bool RtlpIsBase(ULONG Base)
{
    return Base == 2 || Base == 8 || Base == 10 || Base == 16;
}

/* The value of a digit; 255 for what is none in any base. */
static ULONG RtlpDigitValue(WCHAR Unit)
{
    if (Unit >= '0' && Unit <= '9') {
        return Unit - '0';
    }
    Unit |= 0x20;
    return Unit >= 'a' && Unit <= 'f' ? (ULONG)(Unit - 'a') + 10 : 255;
}

/* The next unit of 8-bit or 16-bit text; 0 behind its end. */
typedef struct _RTLP_DIGITS {
    const CHAR *Narrow; /* NUL-terminated; or NULL */
    const WCHAR *Wide;
    SIZE_T Units; /* of the 16-bit text */
} RTLP_DIGITS;

static WCHAR RtlpUnitAt(const RTLP_DIGITS *Text, SIZE_T Index)
{
    return Text->Narrow != NULL ? (UCHAR)Text->Narrow[Index] : Index < Text->Units ? Text->Wide[Index] : 0;
}

/* The base that a prefix names, which is passed over; 10 without one. */
static ULONG RtlpReadBase(const RTLP_DIGITS *Text, SIZE_T *Index)
{
    if (RtlpUnitAt(Text, *Index) != '0') {
        return 10;
    }
    WCHAR Letter = RtlpUnitAt(Text, *Index + 1);
    ULONG Base = Letter == 'x' ? 16 : Letter == 'o' ? 8 : Letter == 'b' ? 2 : 0;
    *Index += Base != 0 ? 2 : 0;
    return Base != 0 ? Base : 10;
}

static NTSTATUS RtlpReadInteger(const RTLP_DIGITS *Text, ULONG Base, PULONG Value)
{
    SIZE_T Index = 0;
    ULONG Sum = 0;

    if (Base != 0 && !RtlpIsBase(Base)) {
        return STATUS_INVALID_PARAMETER;
    }
    while (RtlpUnitAt(Text, Index) != 0 && RtlpUnitAt(Text, Index) <= ' ') {
        Index++;
    }
    WCHAR Sign = RtlpUnitAt(Text, Index);
    Index += Sign == '-' || Sign == '+';
    if (Base == 0) {
        Base = RtlpReadBase(Text, &Index);
    }
    for (ULONG Digit; (Digit = RtlpDigitValue(RtlpUnitAt(Text, Index))) < Base; Index++) {
        Sum = Sum * Base + Digit;
    }
    *Value = Sign == '-' ? 0 - Sum : Sum;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI RtlUnicodeStringToInteger(PCUNICODE_STRING String, ULONG Base, PULONG Value)
{
    RTLP_DIGITS Text = {.Wide = String->Buffer, .Units = String->Length / sizeof(WCHAR)};
    return RtlpReadInteger(&Text, Base, Value);
}

/* Reads a number as RtlUnicodeStringToInteger does, from 8-bit text that a NUL ends. (WDK page of the
   name) */
NTSTATUS NTAPI RtlCharToInteger(PCSZ String, ULONG Base, PULONG Value)
{
    RTLP_DIGITS Text = {.Narrow = String};
    return RtlpReadInteger(&Text, Base, Value);
}

/* Writes a 64-bit number as RtlIntegerToUnicodeString writes one of 32 bits. (WDK page of the name) */
NTSTATUS NTAPI RtlInt64ToUnicodeString(ULONGLONG Value, ULONG Base, PUNICODE_STRING String)
{
    WCHAR Digits[64];
    ULONG First = ARRAYSIZE(Digits);

    Base = Base != 0 ? Base : 10;
    if (!RtlpIsBase(Base)) {
        return STATUS_INVALID_PARAMETER;
    }
    do {
        Digits[--First] = (WCHAR)"0123456789ABCDEF"[Value % Base];
        Value /= Base;
    } while (Value != 0);
    SIZE_T Bytes = (ARRAYSIZE(Digits) - First) * sizeof(WCHAR);
    if (Bytes > String->MaximumLength) {
        return STATUS_BUFFER_OVERFLOW;
    }
    memcpy(String->Buffer, &Digits[First], Bytes);
    String->Length = (USHORT)Bytes;
    if (Bytes + sizeof(WCHAR) <= String->MaximumLength) {
        String->Buffer[Bytes / sizeof(WCHAR)] = 0;
    }
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI RtlIntegerToUnicodeString(ULONG Value, ULONG Base, PUNICODE_STRING String)
{
    return RtlInt64ToUnicodeString(Value, Base, String);
}
