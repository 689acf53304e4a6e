// sources: drivers/lib/bitmap.c drivers/lib/random.c
/* SPDX-License-Identifier: MIT */
/*
 * Bitmaps of the driver library against an array of bytes, in random operations on maps of every size up to
 * some words. The buffer is an allocation of its exact size, watched by the address sanitizer, and its last
 * word is full of noise behind the map's end, which must neither count nor change.
 */
#include "tests/host/host.h"

#define MOST 200

static RTL_RANDOM Random; /* one sequence for all behaviours */
static UCHAR Model[MOST];
static RTL_BITMAP Map;

static ULONG Below(ULONG Limit)
{
    return RtlRandomBelow(&Random, Limit);
}

static void Begin(ULONG Size)
{
    ULONG Words = (Size + 31) / 32;
    PULONG Buffer = malloc(Words != 0 ? Words * sizeof(ULONG) : 1);

    for (ULONG Word = 0; Word < Words; Word++) {
        Buffer[Word] = (ULONG)RtlNextRandom(&Random) & (Below(2) != 0 ? (ULONG)RtlNextRandom(&Random) : ~0U);
    }
    RtlInitializeBitMap(&Map, Buffer, Size);
    for (ULONG Bit = 0; Bit < Size; Bit++) {
        Model[Bit] = Buffer[Bit / 32] >> Bit % 32 & 1;
    }
}

static void End(void)
{
    for (ULONG Bit = 0; Bit < Map.SizeOfBitMap; Bit++) {
        CHECK(RtlTestBit(&Map, Bit) == Model[Bit] && RtlCheckBit(&Map, Bit) == Model[Bit]);
    }
    free(Map.Buffer);
}

/* How many bits of the model from At on have this value. */
static ULONG Run(ULONG At, UCHAR Value)
{
    ULONG Length = 0;
    while (At + Length < Map.SizeOfBitMap && Model[At + Length] == Value) {
        Length++;
    }
    return Length;
}

static ULONG Find(ULONG Count, ULONG Hint, UCHAR Value)
{
    Hint = Hint < Map.SizeOfBitMap ? Hint & ~7U : 0;
    for (ULONG Tried = 0; Tried < Map.SizeOfBitMap; Tried++) {
        ULONG At = (Hint + Tried) % Map.SizeOfBitMap;
        if (Run(At, Value) >= Count) {
            return At;
        }
    }
    return 0xFFFFFFFF;
}

static void RangesAreChanged(void)
{
    for (ULONG Size = 1; Size < MOST; Size++) {
        Begin(Size);
        ULONG Noise = Map.Buffer[Size / 32 - (Size % 32 == 0)];
        for (ULONG Step = 0; Step < 20; Step++) {
            ULONG From = Below(Size), Count = Below(Size - From + 1);
            UCHAR Value = (UCHAR)Below(2);
            (Value ? RtlSetBits : RtlClearBits)(&Map, From, Count);
            memset(Model + From, Value, Count);
            From = Below(Size);
            Value = (UCHAR)Below(2);
            (Value ? RtlSetBit : RtlClearBit)(&Map, From);
            Model[From] = Value;
        }
        if (Size % 32 != 0) {
            CHECK_EQUAL(Noise >> Size % 32, Map.Buffer[Size / 32] >> Size % 32);
        }
        End();
    }
}

static void AllAtOnce(void)
{
    for (ULONG Size = 0; Size < MOST; Size++) {
        Begin(Size);
        RtlSetAllBits(&Map);
        CHECK_EQUAL(Size, RtlNumberOfSetBits(&Map));
        RtlClearAllBits(&Map);
        CHECK_EQUAL(Size, RtlNumberOfClearBits(&Map));
        memset(Model, 0, Size);
        End();
    }
}

static void RangesAreAskedFor(void)
{
    for (ULONG Size = 1; Size < MOST; Size++) {
        Begin(Size);
        ULONG Set = 0;
        for (ULONG Bit = 0; Bit < Size; Bit++) {
            Set += Model[Bit];
        }
        CHECK_EQUAL(Set, RtlNumberOfSetBits(&Map));
        CHECK_EQUAL(Size - Set, RtlNumberOfClearBits(&Map));
        for (ULONG Step = 0; Step < 20; Step++) {
            ULONG From = Below(Size), Count = 1 + Below(8);
            CHECK(RtlAreBitsSet(&Map, From, Count) == (Run(From, 1) >= Count));
            CHECK(RtlAreBitsClear(&Map, From, Count) == (Run(From, 0) >= Count));
        }
        CHECK(!RtlAreBitsSet(&Map, 0, 0) && !RtlAreBitsClear(&Map, 0, 0));
        CHECK(!RtlAreBitsSet(&Map, Size, 1) && !RtlAreBitsClear(&Map, Size, 1));
        CHECK(!RtlAreBitsSet(&Map, 1, 0xFFFFFFFF) && !RtlAreBitsClear(&Map, 1, 0xFFFFFFFF));
        End();
    }
}

static void BitsAreFound(void)
{
    for (ULONG Size = 1; Size < MOST; Size++) {
        Begin(Size);
        for (ULONG Step = 0; Step < 20; Step++) {
            ULONG Count = 1 + Below(Below(2) ? 4 : Size + 2), Hint = Below(Size + 10);
            CHECK_EQUAL(Find(Count, Hint, 0), RtlFindClearBits(&Map, Count, Hint));
            CHECK_EQUAL(Find(Count, Hint, 1), RtlFindSetBits(&Map, Count, Hint));
            UCHAR Value = (UCHAR)Below(2);
            ULONG Expected = Find(Count, Hint, Value);
            CHECK_EQUAL(Expected, (Value ? RtlFindSetBitsAndClear : RtlFindClearBitsAndSet)(&Map, Count, Hint));
            if (Expected != 0xFFFFFFFF) {
                memset(Model + Expected, !Value, Count);
            }
        }
        End();
    }
}

static void RunsAreFound(void)
{
    for (ULONG Size = 1; Size < MOST; Size++) {
        Begin(Size);
        ULONG From = Below(Size), At = From, Start = 0, Longest = 0, Count = 0;
        RTL_BITMAP_RUN Runs[4];

        At += Run(At, 1);
        CHECK_EQUAL(Run(At, 0), RtlFindNextForwardRunClear(&Map, From, &Start));
        CHECK(Run(At, 0) == 0 || Start == At);
        CHECK_EQUAL(Run(Run(0, 1), 0), RtlFindFirstRunClear(&Map, &Start));
        for (At = 0; At < Size; At += Run(At, 0), Count++) {
            At += Run(At, 1);
            Longest = Run(At, 0) > Longest ? Run(At, 0) : Longest;
            if (Run(At, 0) == 0) {
                break;
            }
        }
        CHECK_EQUAL(Longest, RtlFindLongestRunClear(&Map, &Start));
        CHECK(Longest == 0 || Run(Start, 0) == Longest);
        ULONG Filled = RtlFindClearRuns(&Map, Runs, 4, TRUE);
        CHECK_EQUAL(Count < 4 ? Count : 4, Filled);
        for (ULONG Index = 0; Index < Filled; Index++) {
            CHECK_EQUAL(Run(Runs[Index].StartingIndex, 0), Runs[Index].NumberOfBits);
            CHECK(Index == 0 ? Runs[0].NumberOfBits == Longest : Runs[Index].NumberOfBits <= Runs[Index - 1].NumberOfBits);
        }
        Filled = RtlFindClearRuns(&Map, Runs, 4, FALSE);
        CHECK_EQUAL(Count < 4 ? Count : 4, Filled);
        for (ULONG Index = 1; Index < Filled; Index++) {
            CHECK(Runs[Index].StartingIndex > Runs[Index - 1].StartingIndex);
        }
        LONG Last = (LONG)From, First;
        for (; Last >= 0 && Model[Last]; Last--) {
        }
        for (First = Last; First >= 0 && !Model[First]; First--) {
        }
        CHECK_EQUAL(Last - First, RtlFindLastBackwardRunClear(&Map, From, &Start));
        CHECK(Last == First || Start == (ULONG)First + 1);
        End();
    }
}

static void SingleWords(void)
{
    ULONG Index = 99;

    CHECK(RtlFindMostSignificantBit(0) == -1 && RtlFindLeastSignificantBit(0) == -1);
    CHECK(RtlFindMostSignificantBit(0x8000000000000010) == 63 && RtlFindLeastSignificantBit(0x8000000000000010) == 4);
    CHECK(RtlNumberOfSetBitsUlongPtr(0x8000000000000013) == 4);
    CHECK(!BitScanForward(&Index, 0) && !BitScanReverse(&Index, 0));
    CHECK(BitScanForward(&Index, 0x50) && Index == 4 && BitScanReverse(&Index, 0x50) && Index == 6);
    CHECK(BitScanReverse(&Index, -1) && Index == 31);
    CHECK(!BitScanForward64(&Index, 0) && !BitScanReverse64(&Index, 0));
    CHECK(BitScanForward64(&Index, 1ULL << 40) && Index == 40 && BitScanReverse64(&Index, ~0ULL) && Index == 63);
    CHECK(RtlUshortByteSwap(0x1234) == 0x3412 && RtlUlongByteSwap(0x12345678) == 0x78563412);
    CHECK(RtlUlonglongByteSwap(0x0123456789ABCDEF) == 0xEFCDAB8967452301);
    CHECK(_rotl(0x80000001, 4) == 0x18 && _rotr(0x18, 4) == 0x80000001 && _rotl64(1, 63) == 1ULL << 63 &&
          _rotr64(1, 1) == 1ULL << 63);
}

static void RandomNumbers(void)
{
    ULONG Seed = 1, Same = 1, Other = 2, High = 0;
    UCHAR Seen[16] = {0};

    CHECK(RtlRandomEx(&Seed) == RtlRandom(&Same) && Seed == Same);
    CHECK(RtlRandomEx(&Seed) != RtlRandomEx(&Other));
    for (ULONG Draw = 0; Draw < 1000; Draw++) {
        ULONG Number = RtlRandomEx(&Seed);
        High |= Number;
        Seen[Number >> 27] = 1;
    }
    CHECK_EQUAL(MAXLONG, High);
    CHECK(memchr(Seen, 0, sizeof(Seen)) == NULL);
}

int main(void)
{
    Random = HostRandom();
    RUN(RangesAreChanged);
    RUN(AllAtOnce);
    RUN(RangesAreAskedFor);
    RUN(BitsAreFound);
    RUN(RunsAreFound);
    RUN(SingleWords);
    RUN(RandomNumbers);
    return HostEnd();
}
