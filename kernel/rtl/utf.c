/* SPDX-License-Identifier: MIT */
/*
 * UTF-8 and UTF-16, character by character and by the buffer. Ill-formed input never stops a conversion: it
 * becomes U+FFFD, one for each longest piece that could have begun a character (The Unicode Standard, section
 * 3.9).
 */
#include "kernel/rtl/rtl.h"

#include "kernel/rtl/export.h"

/* Which bytes lead a character of several, how many follow, and the bounds of the first of these, which rule
   out overlong forms, surrogates and what lies beyond U+10FFFF (table 3-7 there). */
static const struct {
    UCHAR First, Last;
    UCHAR Following;
    UCHAR Low, High;
} RtlpLeads[] = {
    {0xC2, 0xDF, 1, 0x80, 0xBF}, {0xE0, 0xE0, 2, 0xA0, 0xBF}, {0xE1, 0xEC, 2, 0x80, 0xBF},
    {0xED, 0xED, 2, 0x80, 0x9F}, {0xEE, 0xEF, 2, 0x80, 0xBF}, {0xF0, 0xF0, 3, 0x90, 0xBF},
    {0xF1, 0xF3, 3, 0x80, 0xBF}, {0xF4, 0xF4, 3, 0x80, 0x8F},
};

ULONG RtlDecodeUtf8(const char *Text, SIZE_T Length, SIZE_T *Consumed)
{
    const UCHAR *Byte = (const UCHAR *)Text;
    ULONG Lead = 0;

    *Consumed = 1;
    if (Byte[0] < 0x80) {
        return Byte[0];
    }
    while (Lead < ARRAYSIZE(RtlpLeads) &&
           (Byte[0] < RtlpLeads[Lead].First || Byte[0] > RtlpLeads[Lead].Last)) {
        Lead++;
    }
    if (Lead == ARRAYSIZE(RtlpLeads)) {
        return RTL_ILL_FORMED;
    }
    ULONG Character = Byte[0] & (0x3F >> RtlpLeads[Lead].Following);
    UCHAR Low = RtlpLeads[Lead].Low, High = RtlpLeads[Lead].High;
    for (; *Consumed <= RtlpLeads[Lead].Following; Low = 0x80, High = 0xBF) {
        if (*Consumed == Length || Byte[*Consumed] < Low || Byte[*Consumed] > High) {
            return RTL_ILL_FORMED;
        }
        Character = Character << 6 | (Byte[*Consumed] & 0x3F);
        *Consumed += 1;
    }
    return Character;
}

static bool RtlpIsSurrogate(ULONG Unit)
{
    return Unit >= 0xD800 && Unit <= 0xDFFF;
}

ULONG RtlDecodeUtf16(const WCHAR *Text, SIZE_T Length, SIZE_T *Consumed)
{
    ULONG Unit = Text[0];

    *Consumed = 1;
    if (!RtlpIsSurrogate(Unit)) {
        return Unit;
    }
    if (Unit >= 0xDC00 || Length < 2 || Text[1] < 0xDC00 || Text[1] > 0xDFFF) {
        return RTL_ILL_FORMED;
    }
    *Consumed = 2;
    return 0x10000 + ((Unit & 0x3FF) << 10 | (Text[1] & 0x3FF));
}

static ULONG RtlpValidCharacter(ULONG Character)
{
    return Character > 0x10FFFF || RtlpIsSurrogate(Character) ? RTL_REPLACEMENT_CHARACTER : Character;
}

ULONG RtlEncodeUtf8(ULONG Character, char Text[4])
{
    static const UCHAR Lead[] = {0, 0, 0xC0, 0xE0, 0xF0};

    Character = RtlpValidCharacter(Character);
    ULONG Count = Character < 0x80 ? 1 : Character < 0x800 ? 2 : Character < 0x10000 ? 3 : 4;
    for (ULONG Index = Count - 1; Index > 0; Index--, Character >>= 6) {
        Text[Index] = (char)(0x80 | (Character & 0x3F));
    }
    Text[0] = (char)(Lead[Count] | Character);
    return Count;
}

ULONG RtlEncodeUtf16(ULONG Character, WCHAR Text[2])
{
    Character = RtlpValidCharacter(Character);
    if (Character < 0x10000) {
        Text[0] = (WCHAR)Character;
        return 1;
    }
    Text[0] = (WCHAR)(0xD800 | (Character - 0x10000) >> 10);
    Text[1] = (WCHAR)(0xDC00 | (Character & 0x3FF));
    return 2;
}

/* ---- By the buffer ---- */

/* One character, from the one encoding to the other: bytes that it took, and bytes at To that it gives. */
typedef ULONG RTLP_CONVERT(const VOID *From, SIZE_T Length, SIZE_T *Taken, VOID *To, SIZE_T *Given);

static ULONG RtlpConvertToUtf16(const VOID *From, SIZE_T Length, SIZE_T *Taken, VOID *To, SIZE_T *Given)
{
    ULONG Character = RtlDecodeUtf8(From, Length, Taken);
    *Given = RtlEncodeUtf16(Character, To) * sizeof(WCHAR);
    return Character;
}

static ULONG RtlpConvertToUtf8(const VOID *From, SIZE_T Length, SIZE_T *Taken, VOID *To, SIZE_T *Given)
{
    ULONG Character = RtlDecodeUtf16(From, Length / sizeof(WCHAR), Taken);
    *Taken *= sizeof(WCHAR);
    *Given = RtlEncodeUtf8(Character, To);
    return Character;
}

/* Lengths are bytes. Without a Destination it is only measured what there would be. */
static NTSTATUS RtlpConvertBuffer(RTLP_CONVERT *Convert, PUCHAR Destination, ULONG Room, PULONG Actual,
                                  const UCHAR *Source, ULONG Length)
{
    NTSTATUS Status = STATUS_SUCCESS;
    SIZE_T Written = 0, Taken, Given;

    if (Source == NULL) {
        return STATUS_INVALID_PARAMETER_4;
    }
    if (Destination == NULL && Actual == NULL) {
        return STATUS_INVALID_PARAMETER;
    }
    for (SIZE_T Read = 0; Read < Length; Read += Taken, Written += Given) {
        WCHAR Piece[2];
        ULONG Character = Convert(Source + Read, Length - Read, &Taken, Piece, &Given);
        if (Destination != NULL && Given > Room - Written) {
            Status = STATUS_BUFFER_TOO_SMALL;
            break;
        }
        if (Destination != NULL) {
            memcpy(Destination + Written, Piece, Given);
        }
        Status = Character == RTL_ILL_FORMED ? STATUS_SOME_NOT_MAPPED : Status;
    }
    if (Actual != NULL) {
        *Actual = (ULONG)Written;
    }
    return Status;
}

NTSTATUS NTAPI RtlUTF8ToUnicodeN(PWSTR UnicodeStringDestination, ULONG UnicodeStringMaxByteCount,
                                 PULONG UnicodeStringActualByteCount, PCCH UTF8StringSource,
                                 ULONG UTF8StringByteCount)
{
    return RtlpConvertBuffer(RtlpConvertToUtf16, (PUCHAR)UnicodeStringDestination, UnicodeStringMaxByteCount,
                             UnicodeStringActualByteCount, (const UCHAR *)UTF8StringSource,
                             UTF8StringByteCount);
}
EXPORT(RtlUTF8ToUnicodeN);

/* Converts UTF-16 to UTF-8. The contract of both directions stands in ntrtl.h. (WDK page of the name) */
NTSTATUS NTAPI RtlUnicodeToUTF8N(PCHAR UTF8StringDestination, ULONG UTF8StringMaxByteCount,
                                 PULONG UTF8StringActualByteCount, PCWCH UnicodeStringSource,
                                 ULONG UnicodeStringByteCount)
{
    if (UnicodeStringSource != NULL && UnicodeStringByteCount % sizeof(WCHAR) != 0) {
        return STATUS_INVALID_PARAMETER_5;
    }
    return RtlpConvertBuffer(RtlpConvertToUtf8, (PUCHAR)UTF8StringDestination, UTF8StringMaxByteCount,
                             UTF8StringActualByteCount, (const UCHAR *)UnicodeStringSource,
                             UnicodeStringByteCount);
}
EXPORT(RtlUnicodeToUTF8N);
