// sources: arch/x86_64/memorymap.c
/* SPDX-License-Identifier: MIT */
/*
 * The list of memory ranges against a model that knows the type of each page of a small machine. Ranges are
 * set at random, overlapping, touching, unaligned, empty; after each the list must be sorted, disjoint and
 * merged, and say of every page what the model says. Then maps that no firmware should have: more pieces than
 * the list holds, and sizes that wrap around. Free memory may be forgotten there, but never what is in use.
 */
#include "arch/x86_64/archp.h"
#include "tests/host/host.h"

#define PAGES 4096
#define NONE  MAP_NOTHING

ARCH_FEATURES ArchpFeatures = {.PhysicalBits = 40};

static BOOT_INFORMATION Boot;
static int Model[PAGES], Found[PAGES];
static RTL_RANDOM Random;

static uint64_t EndOf(const BOOT_MEMORY_RANGE *Range)
{
    return Range->Base + Range->Size;
}

static bool IsInOrder(void)
{
    bool Good = CHECK(Boot.RangeCount <= BOOT_MAX_RANGES);
    for (ULONG i = 0; Good && i < Boot.RangeCount; i++) {
        const BOOT_MEMORY_RANGE *Range = &Boot.Range[i];
        Good = CHECK(Range->Size != 0) && CHECK(((Range->Base | Range->Size) & (PAGE_SIZE - 1)) == 0);
        if (Good && i > 0) {
            Good = CHECK(EndOf(&Range[-1]) <= Range->Base) &&
                   CHECK(EndOf(&Range[-1]) != Range->Base || Range[-1].Type != Range->Type);
        }
    }
    return Good;
}

static bool MatchesModel(void)
{
    for (ULONG i = 0; i < PAGES; i++) {
        Found[i] = NONE;
    }
    for (ULONG i = 0; i < Boot.RangeCount; i++) {
        for (uint64_t Page = Boot.Range[i].Base / PAGE_SIZE; Page < EndOf(&Boot.Range[i]) / PAGE_SIZE;
             Page++) {
            if (!CHECK(Page < PAGES)) {
                return false;
            }
            Found[Page] = (int)Boot.Range[i].Type;
        }
    }
    return CHECK(memcmp(Found, Model, sizeof(Model)) == 0);
}

static void SetModel(uint64_t Base, uint64_t End, int Type)
{
    bool Inwards = Type == BootMemoryFree;
    uint64_t First = (Base + (Inwards ? PAGE_SIZE - 1 : 0)) / PAGE_SIZE;
    uint64_t Last = (End + (Inwards ? 0 : PAGE_SIZE - 1)) / PAGE_SIZE;
    for (; Base < End && First < Last; First++) {
        Model[First] = Type;
    }
}

static void Clear(void)
{
    Boot.RangeCount = 0;
    for (ULONG i = 0; i < PAGES; i++) {
        Model[i] = NONE;
    }
}

static void EveryPageHasItsType(void)
{
    Random = HostRandom();
    for (int Round = 0; Round < 300; Round++) {
        Clear();
        for (int i = 0; i < 60; i++) {
            uint64_t Base = (uint64_t)RtlRandomBelow(&Random, PAGES - 200) * PAGE_SIZE;
            Base += RtlRandomBelow(&Random, 3) * 1000;
            uint64_t End = Base + RtlRandomBelow(&Random, 198 * PAGE_SIZE);
            int Type = (int)RtlRandomBelow(&Random, 5) - 1;
            ArchpSetRange(&Boot, Base, End, Type);
            SetModel(Base, End, Type);
            if (!IsInOrder() || !MatchesModel()) {
                return;
            }
        }
    }
}

static void EmptyAndWrappedRangesAreHarmless(void)
{
    Clear();
    ArchpSetRange(&Boot, 0x5000, 0x5000, BootMemoryFree);
    ArchpSetRange(&Boot, 0x5001, 0x5fff, BootMemoryFree);
    CHECK_EQUAL(0, Boot.RangeCount);
    ArchpSetRange(&Boot, 0x10000000, 0x1000,
                  BootMemoryFree); /* the end has wrapped: up to the end of memory */
    CHECK_EQUAL(1, Boot.RangeCount);
    CHECK_EQUAL(1UL << 40, EndOf(&Boot.Range[0]));
    ArchpSetRange(&Boot, 1UL << 40, UINT64_MAX, BootMemoryFree);
    ArchpSetRange(&Boot, UINT64_MAX - 1, UINT64_MAX, NONE);
    CHECK_EQUAL(1, Boot.RangeCount);
    IsInOrder();
}

/* A free page, a hole, a free page ...: twice as many as there is room for. */
static void WhatIsInUseIsNeverForgotten(void)
{
    const uint64_t Archive = 1UL << 32, ArchiveEnd = Archive + (1UL << 24);
    Clear();
    ArchpSetRange(&Boot, Archive, ArchiveEnd, BootMemoryArchive);
    for (uint64_t i = 0; i < 2 * BOOT_MAX_RANGES; i++) {
        uint64_t Base = i * 4 * PAGE_SIZE;
        ArchpSetRange(&Boot, Base, Base + (1 + i % 3) * PAGE_SIZE, BootMemoryFree);
        if (!IsInOrder()) {
            return;
        }
    }
    CHECK_EQUAL(BOOT_MAX_RANGES, Boot.RangeCount);
    ArchpSetRange(&Boot, Archive / 2, Archive / 2 + PAGE_SIZE, BootMemoryReserved);
    bool Reserved = false, Kept = false;
    for (ULONG i = 0; i < Boot.RangeCount; i++) {
        Reserved |= Boot.Range[i].Base == Archive / 2 && Boot.Range[i].Type == BootMemoryReserved;
        Kept |= Boot.Range[i].Base == Archive && EndOf(&Boot.Range[i]) == ArchiveEnd;
    }
    CHECK(Reserved);
    CHECK(Kept);
}

int main(void)
{
    RUN(EveryPageHasItsType);
    RUN(EmptyAndWrappedRangesAreHarmless);
    RUN(WhatIsInUseIsNeverForgotten);
    return HostEnd();
}
