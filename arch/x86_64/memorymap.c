/* SPDX-License-Identifier: MIT */
/*
 * The list of memory ranges while it is made: always sorted, disjoint, neighbours of one type merged,
 * whatever firmware says.
 */
#include "arch/x86_64/archp.h"

static uint64_t EndOf(const BOOT_MEMORY_RANGE *Range)
{
    return Range->Base + Range->Size;
}

static void RemoveAt(PBOOT_INFORMATION Boot, ULONG Index)
{
    BOOT_MEMORY_RANGE *Range = &Boot->Range[Index];
    memmove(Range, Range + 1, (--Boot->RangeCount - Index) * sizeof(*Range));
}

/* When the list is full, the smallest free range is given up. Free memory may be forgotten; what is in use
   may not. */
static void MakeRoom(PBOOT_INFORMATION Boot)
{
    const BOOT_MEMORY_RANGE *Smallest = NULL;
    for (ULONG i = 0; Boot->RangeCount == BOOT_MAX_RANGES && i < BOOT_MAX_RANGES; i++) {
        const BOOT_MEMORY_RANGE *Range = &Boot->Range[i];
        if (Range->Type == BootMemoryFree && (Smallest == NULL || Range->Size < Smallest->Size)) {
            Smallest = Range;
        }
    }
    if (Smallest != NULL) {
        RemoveAt(Boot, (ULONG)(Smallest - Boot->Range));
    }
}

static void Insert(PBOOT_INFORMATION Boot, uint64_t Base, uint64_t End, int Type)
{
    if (Base >= End) {
        return;
    }
    MakeRoom(Boot);
    if (Boot->RangeCount == BOOT_MAX_RANGES) {
        return;
    }
    ULONG At = Boot->RangeCount++;
    for (; At > 0 && Boot->Range[At - 1].Base > Base; At--) {
        Boot->Range[At] = Boot->Range[At - 1];
    }
    Boot->Range[At] = (BOOT_MEMORY_RANGE){.Base = Base, .Size = End - Base, .Type = (BOOT_MEMORY_TYPE)Type};
}

/* Cuts [Base, End) out of every range. */
static void Carve(PBOOT_INFORMATION Boot, uint64_t Base, uint64_t End)
{
    for (ULONG i = 0; i < Boot->RangeCount;) {
        BOOT_MEMORY_RANGE Old = Boot->Range[i];
        if (EndOf(&Old) <= Base || Old.Base >= End) {
            i++;
            continue;
        }
        RemoveAt(Boot, i);
        Insert(Boot, Old.Base, Base, Old.Type);
        Insert(Boot, End, EndOf(&Old), Old.Type);
        i = 0; /* the two may have moved others; each pass leaves one overlap less */
    }
}

static void Merge(PBOOT_INFORMATION Boot)
{
    for (ULONG i = 0; i + 1 < Boot->RangeCount;) {
        BOOT_MEMORY_RANGE *Range = &Boot->Range[i];
        if (EndOf(Range) == Range[1].Base && Range->Type == Range[1].Type) {
            Range->Size += Range[1].Size;
            RemoveAt(Boot, i + 1);
        } else {
            i++;
        }
    }
}

/* Highest physical address + 1 that can be used: what the processor addresses and the direct map holds. */
static uint64_t PhysicalLimit(void)
{
    uint64_t Limit = 1UL << ArchpFeatures.PhysicalBits;
    return Limit < ARCH_DIRECT_SIZE ? Limit : ARCH_DIRECT_SIZE;
}

/* Makes [Base, End) a range of Type, or no range at all (MAP_NOTHING), whatever it was. Free memory is
   rounded inwards to whole pages, everything else outwards. An End below Base has wrapped around: taken as
   the end of memory. */
void ArchpSetRange(PBOOT_INFORMATION Boot, uint64_t Base, uint64_t End, int Type)
{
    uint64_t Limit = PhysicalLimit();
    if (End < Base || End > Limit) {
        End = Limit;
    }
    if (Base >= End) {
        return;
    }
    if (Type == BootMemoryFree) {
        Base = ROUND_TO_PAGES(Base);
        End &= ~(uint64_t)(PAGE_SIZE - 1);
    } else {
        Base &= ~(uint64_t)(PAGE_SIZE - 1);
        End = ROUND_TO_PAGES(End);
    }
    if (Base >= End) {
        return;
    }
    Carve(Boot, Base, End);
    if (Type != MAP_NOTHING) {
        Insert(Boot, Base, End, Type);
    }
    Merge(Boot);
}
