/* SPDX-License-Identifier: MIT */
/*
 * UTF-8 and UTF-16, character by character and by the buffer. Ill-formed input never stops a conversion: it
 * becomes U+FFFD, one for each longest piece that could have begun a character (The Unicode Standard, section
 * 3.9).
 */
#include "kernel/rtl/rtl.h"

#include "kernel/ldr/export.h"

/* What a lead byte announces: continuation bytes, its own payload, and the bounds of the byte after it, which
   rule out overlong forms, surrogates and what lies beyond U+10FFFF. False for what cannot lead. */
static bool RtlpReadLead(UCHAR Lead, SIZE_T *Following, ULONG *Payload, UCHAR *Low, UCHAR *High)
{
    *Low = 0x80;
    *High = 0xBF;
    if (Lead >= 0xC2 && Lead <= 0xDF) {
        *Following = 1;
        *Payload = Lead & 0x1F;
    } else if (Lead >= 0xE0 && Lead <= 0xEF) {
        *Following = 2;
        *Payload = Lead & 0x0F;
        *Low = Lead == 0xE0 ? 0xA0 : 0x80;
        *High = Lead == 0xED ? 0x9F : 0xBF;
    } else if (Lead >= 0xF0 && Lead <= 0xF4) {
        *Following = 3;
        *Payload = Lead & 0x07;
        *Low = Lead == 0xF0 ? 0x90 : 0x80;
        *High = Lead == 0xF4 ? 0x8F : 0xBF;
    } else {
        return false;
    }
    return true;
}

ULONG RtlDecodeUtf8(const char *Text, SIZE_T Length, SIZE_T *Consumed)
{
    const UCHAR *Byte = (const UCHAR *)Text;
    SIZE_T Following;
    ULONG Character;
    UCHAR Low, High;

    *Consumed = 1;
    if (Byte[0] < 0x80) {
        return Byte[0];
    }
    if (!RtlpReadLead(Byte[0], &Following, &Character, &Low, &High)) {
        return RTL_ILL_FORMED;
    }
    for (; Following != 0; Following--, Low = 0x80, High = 0xBF) {
        if (*Consumed == Length || Byte[*Consumed] < Low || Byte[*Consumed] > High) {
            return RTL_ILL_FORMED;
        }
        Character = Character << 6 | (Byte[*Consumed] & 0x3F);
        *Consumed += 1;
    }
    return Character;
}
EXPORT(RtlDecodeUtf8);

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
EXPORT(RtlDecodeUtf16);

static ULONG RtlpValidCharacter(ULONG Character)
{
    return Character > 0x10FFFF || RtlpIsSurrogate(Character) ? RTL_REPLACEMENT_CHARACTER : Character;
}

ULONG RtlEncodeUtf8(ULONG Character, char Text[4])
{
    Character = RtlpValidCharacter(Character);
    if (Character < 0x80) {
        Text[0] = (char)Character;
        return 1;
    }
    if (Character < 0x800) {
        Text[0] = (char)(0xC0 | Character >> 6);
        Text[1] = (char)(0x80 | (Character & 0x3F));
        return 2;
    }
    if (Character < 0x10000) {
        Text[0] = (char)(0xE0 | Character >> 12);
        Text[1] = (char)(0x80 | (Character >> 6 & 0x3F));
        Text[2] = (char)(0x80 | (Character & 0x3F));
        return 3;
    }
    Text[0] = (char)(0xF0 | Character >> 18);
    Text[1] = (char)(0x80 | (Character >> 12 & 0x3F));
    Text[2] = (char)(0x80 | (Character >> 6 & 0x3F));
    Text[3] = (char)(0x80 | (Character & 0x3F));
    return 4;
}
EXPORT(RtlEncodeUtf8);

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
EXPORT(RtlEncodeUtf16);

/* What a conversion answers, given what it met and how it ended. */
static NTSTATUS RtlpConversionStatus(bool TooSmall, bool IllFormed)
{
    if (TooSmall) {
        return STATUS_BUFFER_TOO_SMALL;
    }
    return IllFormed ? STATUS_SOME_NOT_MAPPED : STATUS_SUCCESS;
}

NTSTATUS NTAPI RtlUTF8ToUnicodeN(PWSTR UnicodeStringDestination, ULONG UnicodeStringMaxByteCount,
                                 PULONG UnicodeStringActualByteCount, PCCH UTF8StringSource,
                                 ULONG UTF8StringByteCount)
{
    SIZE_T Room = UnicodeStringMaxByteCount / sizeof(WCHAR);
    SIZE_T Written = 0, Read = 0, Consumed;
    bool IllFormed = false, TooSmall = false;

    if (UTF8StringSource == NULL) {
        return STATUS_INVALID_PARAMETER_4;
    }
    if (UnicodeStringDestination == NULL && UnicodeStringActualByteCount == NULL) {
        return STATUS_INVALID_PARAMETER;
    }
    while (Read < UTF8StringByteCount) {
        WCHAR Units[2];
        ULONG Character = RtlDecodeUtf8(UTF8StringSource + Read, UTF8StringByteCount - Read, &Consumed);
        ULONG Count = RtlEncodeUtf16(Character, Units);
        if (UnicodeStringDestination != NULL) {
            TooSmall = Count > Room - Written;
            if (TooSmall) {
                break;
            }
            memcpy(UnicodeStringDestination + Written, Units, Count * sizeof(WCHAR));
        }
        IllFormed |= Character == RTL_ILL_FORMED;
        Written += Count;
        Read += Consumed;
    }
    if (UnicodeStringActualByteCount != NULL) {
        *UnicodeStringActualByteCount = (ULONG)(Written * sizeof(WCHAR));
    }
    return RtlpConversionStatus(TooSmall, IllFormed);
}
EXPORT(RtlUTF8ToUnicodeN);

NTSTATUS NTAPI RtlUnicodeToUTF8N(PCHAR UTF8StringDestination, ULONG UTF8StringMaxByteCount,
                                 PULONG UTF8StringActualByteCount, PCWCH UnicodeStringSource,
                                 ULONG UnicodeStringByteCount)
{
    SIZE_T Length = UnicodeStringByteCount / sizeof(WCHAR);
    SIZE_T Written = 0, Read = 0, Consumed;
    bool IllFormed = false, TooSmall = false;

    if (UnicodeStringSource == NULL) {
        return STATUS_INVALID_PARAMETER_4;
    }
    if (UTF8StringDestination == NULL && UTF8StringActualByteCount == NULL) {
        return STATUS_INVALID_PARAMETER;
    }
    if (UnicodeStringByteCount % sizeof(WCHAR) != 0) {
        return STATUS_INVALID_PARAMETER_5;
    }
    while (Read < Length) {
        char Bytes[4];
        ULONG Character = RtlDecodeUtf16(UnicodeStringSource + Read, Length - Read, &Consumed);
        ULONG Count = RtlEncodeUtf8(Character, Bytes);
        if (UTF8StringDestination != NULL) {
            TooSmall = Count > UTF8StringMaxByteCount - Written;
            if (TooSmall) {
                break;
            }
            memcpy(UTF8StringDestination + Written, Bytes, Count);
        }
        IllFormed |= Character == RTL_ILL_FORMED;
        Written += Count;
        Read += Consumed;
    }
    if (UTF8StringActualByteCount != NULL) {
        *UTF8StringActualByteCount = (ULONG)Written;
    }
    return RtlpConversionStatus(TooSmall, IllFormed);
}
EXPORT(RtlUnicodeToUTF8N);
