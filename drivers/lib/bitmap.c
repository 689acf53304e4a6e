/* SPDX-License-Identifier: MIT */
/*
 * Bitmaps: as many bits as SizeOfBitMap says, numbered from the lowest bit of the first ULONG; what lies
 * behind them in the last ULONG does not count. The owner synchronises. Any IRQL at which the memory may be
 * touched; nothing here blocks.
 */
#include "kernel/rtl/rtl.h"

#include "kernel/rtl/bits.h"

#define RTLP_WORD_BITS 32

/* ---- The whole and single bits ---- */

/* Describes a bitmap in the caller's memory, whose bits stay as they are. (WDK page of the name; so the
   others) */
VOID NTAPI RtlInitializeBitMap(PRTL_BITMAP BitMapHeader, PULONG BitMapBuffer, ULONG SizeOfBitMap)
{
    BitMapHeader->SizeOfBitMap = SizeOfBitMap;
    BitMapHeader->Buffer = BitMapBuffer;
}

static VOID RtlpFillBits(PRTL_BITMAP BitMap, UCHAR With)
{
    memset(BitMap->Buffer, With, (SIZE_T)BitMap->SizeOfBitMap / RTLP_WORD_BITS * sizeof(ULONG));
    if (BitMap->SizeOfBitMap % RTLP_WORD_BITS != 0) {
        memset(&BitMap->Buffer[BitMap->SizeOfBitMap / RTLP_WORD_BITS], With, sizeof(ULONG));
    }
}

/* All bits become 0. (WDK page of the name) */
VOID NTAPI RtlClearAllBits(PRTL_BITMAP BitMapHeader)
{
    RtlpFillBits(BitMapHeader, 0);
}

/* All bits become 1. (WDK page of the name) */
VOID NTAPI RtlSetAllBits(PRTL_BITMAP BitMapHeader)
{
    RtlpFillBits(BitMapHeader, 0xFF);
}

static ULONG RtlpBit(ULONG Number)
{
    return 1U << Number % RTLP_WORD_BITS;
}

/* One bit becomes 0. (WDK page of the name) */
VOID NTAPI RtlClearBit(PRTL_BITMAP BitMapHeader, ULONG BitNumber)
{
    BitMapHeader->Buffer[BitNumber / RTLP_WORD_BITS] &= ~RtlpBit(BitNumber);
}

/* One bit becomes 1. (WDK page of the name) */
VOID NTAPI RtlSetBit(PRTL_BITMAP BitMapHeader, ULONG BitNumber)
{
    BitMapHeader->Buffer[BitNumber / RTLP_WORD_BITS] |= RtlpBit(BitNumber);
}

/* Whether a bit is 1. (WDK page of the name) */
BOOLEAN NTAPI RtlTestBit(PRTL_BITMAP BitMapHeader, ULONG BitNumber)
{
    return (BitMapHeader->Buffer[BitNumber / RTLP_WORD_BITS] & RtlpBit(BitNumber)) != 0;
}

/* ---- Ranges ---- */

/* The bits of the word that holds bit From which belong to [From, End). */
static ULONG RtlpMask(ULONG From, ULONG64 End)
{
    ULONG64 Word = From / RTLP_WORD_BITS * (ULONG64)RTLP_WORD_BITS;
    ULONG Mask = ~0U << From % RTLP_WORD_BITS;
    return End - Word < RTLP_WORD_BITS ? Mask & (RtlpBit((ULONG)End) - 1) : Mask;
}

static VOID RtlpChangeBits(PRTL_BITMAP BitMap, ULONG From, ULONG Count, bool Set)
{
    ULONG64 End = (ULONG64)From + Count;

    for (ULONG64 At = From; At < End; At = (At | (RTLP_WORD_BITS - 1)) + 1) {
        PULONG Word = &BitMap->Buffer[At / RTLP_WORD_BITS];
        ULONG Mask = RtlpMask((ULONG)At, End);
        *Word = Set ? *Word | Mask : *Word & ~Mask;
    }
}

/* The bits of a range, which lies in the bitmap, become 0. None does when the count is 0. (WDK page of the
   name) */
VOID NTAPI RtlClearBits(PRTL_BITMAP BitMapHeader, ULONG StartingIndex, ULONG NumberToClear)
{
    RtlpChangeBits(BitMapHeader, StartingIndex, NumberToClear, false);
}

/* The bits of a range, which lies in the bitmap, become 1. None does when the count is 0. (WDK page of the
   name) */
VOID NTAPI RtlSetBits(PRTL_BITMAP BitMapHeader, ULONG StartingIndex, ULONG NumberToSet)
{
    RtlpChangeBits(BitMapHeader, StartingIndex, NumberToSet, true);
}

/* The first bit from From on that is 1 (Set) or 0; SizeOfBitMap when there is none. */
static ULONG RtlpNextBit(PRTL_BITMAP BitMap, ULONG From, bool Set)
{
    for (ULONG64 At = From; At < BitMap->SizeOfBitMap; At = (At | (RTLP_WORD_BITS - 1)) + 1) {
        ULONG Word = BitMap->Buffer[At / RTLP_WORD_BITS];
        Word = (Set ? Word : ~Word) & RtlpMask((ULONG)At, BitMap->SizeOfBitMap);
        if (Word != 0) {
            return (ULONG)(At & ~(ULONG64)(RTLP_WORD_BITS - 1)) + (ULONG)RtlLowestBit(Word);
        }
    }
    return BitMap->SizeOfBitMap;
}

static BOOLEAN RtlpAreBits(PRTL_BITMAP BitMap, ULONG From, ULONG Count, bool Set)
{
    return Count != 0 && From < BitMap->SizeOfBitMap && Count <= BitMap->SizeOfBitMap - From &&
           RtlpNextBit(BitMap, From, !Set) - From >= Count;
}

/* Whether all bits of a range are 0. FALSE for an empty range, and for one that does not lie in the bitmap.
   (WDK page of the name) */
BOOLEAN NTAPI RtlAreBitsClear(PRTL_BITMAP BitMapHeader, ULONG StartingIndex, ULONG Length)
{
    return RtlpAreBits(BitMapHeader, StartingIndex, Length, false);
}

/* Whether all bits of a range are 1; else as RtlAreBitsClear. (WDK page of the name) */
BOOLEAN NTAPI RtlAreBitsSet(PRTL_BITMAP BitMapHeader, ULONG StartingIndex, ULONG Length)
{
    return RtlpAreBits(BitMapHeader, StartingIndex, Length, true);
}

/* How many bits are 1. (WDK page of the name) */
ULONG NTAPI RtlNumberOfSetBits(PRTL_BITMAP BitMapHeader)
{
    ULONG Count = 0;

    for (ULONG64 At = 0; At < BitMapHeader->SizeOfBitMap; At += RTLP_WORD_BITS) {
        ULONG Mask = RtlpMask((ULONG)At, BitMapHeader->SizeOfBitMap);
        Count += RtlCountBits(BitMapHeader->Buffer[At / RTLP_WORD_BITS] & Mask);
    }
    return Count;
}

/* How many bits are 0. (WDK page of the name) */
ULONG NTAPI RtlNumberOfClearBits(PRTL_BITMAP BitMapHeader)
{
    return BitMapHeader->SizeOfBitMap - RtlNumberOfSetBits(BitMapHeader);
}

/* ---- Searching ---- */

#define RTLP_NOT_FOUND 0xFFFFFFFF

/* Count bits in a row that begin at or behind From, and before Limit. */
static ULONG RtlpFindBetween(PRTL_BITMAP BitMap, ULONG Count, ULONG From, ULONG Limit, bool Set)
{
    ULONG Start = RtlpNextBit(BitMap, From, Set);

    while (Start < Limit && Count <= BitMap->SizeOfBitMap - Start) {
        ULONG End = RtlpNextBit(BitMap, Start, !Set);
        if (End - Start >= Count) {
            return Start;
        }
        Start = RtlpNextBit(BitMap, End, Set);
    }
    return RTLP_NOT_FOUND;
}

static ULONG RtlpFindBits(PRTL_BITMAP BitMap, ULONG Count, ULONG Hint, bool Set)
{
    Hint = Hint < BitMap->SizeOfBitMap ? Hint & ~7U : 0;
    if (Count == 0) {
        return Hint;
    }
    ULONG Found = RtlpFindBetween(BitMap, Count, Hint, BitMap->SizeOfBitMap, Set);
    return Found != RTLP_NOT_FOUND ? Found : RtlpFindBetween(BitMap, Count, 0, Hint, Set);
}

/* Where so many bits in a row are 0: the first place from HintIndex (rounded down to a multiple of 8) on, or
   else from the start. 0xFFFFFFFF when there is none. (WDK page of the name) */
ULONG NTAPI RtlFindClearBits(PRTL_BITMAP BitMapHeader, ULONG NumberToFind, ULONG HintIndex)
{
    return RtlpFindBits(BitMapHeader, NumberToFind, HintIndex, false);
}

/* Where so many bits in a row are 1; else as RtlFindClearBits. (WDK page of the name) */
ULONG NTAPI RtlFindSetBits(PRTL_BITMAP BitMapHeader, ULONG NumberToFind, ULONG HintIndex)
{
    return RtlpFindBits(BitMapHeader, NumberToFind, HintIndex, true);
}

/* Finds bits as RtlFindClearBits does, and makes them 1. (WDK page of the name) */
ULONG NTAPI RtlFindClearBitsAndSet(PRTL_BITMAP BitMapHeader, ULONG NumberToFind, ULONG HintIndex)
{
    ULONG Found = RtlFindClearBits(BitMapHeader, NumberToFind, HintIndex);
    if (Found != RTLP_NOT_FOUND) {
        RtlSetBits(BitMapHeader, Found, NumberToFind);
    }
    return Found;
}

/* Finds bits as RtlFindSetBits does, and makes them 0. (WDK page of the name) */
ULONG NTAPI RtlFindSetBitsAndClear(PRTL_BITMAP BitMapHeader, ULONG NumberToFind, ULONG HintIndex)
{
    ULONG Found = RtlFindSetBits(BitMapHeader, NumberToFind, HintIndex);
    if (Found != RTLP_NOT_FOUND) {
        RtlClearBits(BitMapHeader, Found, NumberToFind);
    }
    return Found;
}

/* ---- Runs of bits that are 0 ---- */

/* The first run that has a bit at FromIndex or behind it, as far as it lies there: its length, and
   *StartingRunIndex. 0 when there is none. (WDK page of the name) */
ULONG NTAPI RtlFindNextForwardRunClear(PRTL_BITMAP BitMapHeader, ULONG FromIndex, PULONG StartingRunIndex)
{
    *StartingRunIndex = RtlpNextBit(BitMapHeader, FromIndex, false);
    return RtlpNextBit(BitMapHeader, *StartingRunIndex, true) - *StartingRunIndex;
}

/* The first run of all; else as RtlFindNextForwardRunClear. (WDK page of the name) */
ULONG NTAPI RtlFindFirstRunClear(PRTL_BITMAP BitMapHeader, PULONG StartingIndex)
{
    return RtlFindNextForwardRunClear(BitMapHeader, 0, StartingIndex);
}

/* The last run that has a bit at FromIndex or before it, as far as it lies there: its length, and where it
   starts. 0 when there is none. (WDK page of the name) */
ULONG NTAPI RtlFindLastBackwardRunClear(PRTL_BITMAP BitMapHeader, ULONG FromIndex, PULONG StartingRunIndex)
{
    ULONG64 End = (ULONG64)FromIndex + 1;

    End = End < BitMapHeader->SizeOfBitMap ? End : BitMapHeader->SizeOfBitMap;
    while (End != 0 && RtlTestBit(BitMapHeader, (ULONG)End - 1)) {
        End--;
    }
    ULONG64 Start = End;
    while (Start != 0 && !RtlTestBit(BitMapHeader, (ULONG)Start - 1)) {
        Start--;
    }
    *StartingRunIndex = (ULONG)Start;
    return (ULONG)(End - Start);
}

/* Puts a run where it belongs among Count ones, the longest first; the last falls out when there are Room of
   them. */
static ULONG RtlpInsertRun(PRTL_BITMAP_RUN Runs, ULONG Count, ULONG Room, RTL_BITMAP_RUN Run)
{
    ULONG At = Count < Room ? Count : Room - 1;

    if (Count == Room && Runs[At].NumberOfBits >= Run.NumberOfBits) {
        return Count;
    }
    for (; At != 0 && Runs[At - 1].NumberOfBits < Run.NumberOfBits; At--) {
        Runs[At] = Runs[At - 1];
    }
    Runs[At] = Run;
    return Count < Room ? Count + 1 : Count;
}

/* Fills RunArray with the first SizeOfRunArray runs, or with LocateLongestRuns the longest ones, the longest
   first. Returns how many there are in it. (WDK page of the name) */
ULONG NTAPI RtlFindClearRuns(PRTL_BITMAP BitMapHeader, PRTL_BITMAP_RUN RunArray, ULONG SizeOfRunArray,
                             BOOLEAN LocateLongestRuns)
{
    ULONG Count = 0;
    RTL_BITMAP_RUN Run = {0};

    if (SizeOfRunArray == 0) {
        return 0;
    }
    while (LocateLongestRuns || Count < SizeOfRunArray) {
        Run.NumberOfBits =
            RtlFindNextForwardRunClear(BitMapHeader, Run.StartingIndex + Run.NumberOfBits, &Run.StartingIndex);
        if (Run.NumberOfBits == 0) {
            break;
        }
        if (LocateLongestRuns) {
            Count = RtlpInsertRun(RunArray, Count, SizeOfRunArray, Run);
        } else {
            RunArray[Count++] = Run;
        }
    }
    return Count;
}

/* The longest run: its length, and where it starts. 0 when no bit is 0. (WDK page of the name) */
ULONG NTAPI RtlFindLongestRunClear(PRTL_BITMAP BitMapHeader, PULONG StartingIndex)
{
    RTL_BITMAP_RUN Run = {0};

    RtlFindClearRuns(BitMapHeader, &Run, 1, TRUE);
    *StartingIndex = Run.StartingIndex;
    return Run.NumberOfBits;
}

/* ---- Single words ---- */

/* The number of the highest bit that is 1; -1 when none is. (WDK page of the name) */
CCHAR NTAPI RtlFindMostSignificantBit(ULONGLONG Set)
{
    return Set != 0 ? (CCHAR)RtlHighestBit(Set) : -1;
}

/* The number of the lowest bit that is 1; -1 when none is. (WDK page of the name) */
CCHAR NTAPI RtlFindLeastSignificantBit(ULONGLONG Set)
{
    return Set != 0 ? (CCHAR)RtlLowestBit(Set) : -1;
}

/* How many bits of a word are 1. (WDK page of the name) */
ULONG NTAPI RtlNumberOfSetBitsUlongPtr(ULONG_PTR Target)
{
    return RtlCountBits(Target);
}
