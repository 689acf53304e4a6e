/* SPDX-License-Identifier: MIT */
/*
 * mm comes to life, processors get their caches, and what mm knows of itself: statistics, trimming.
 */
#include "kernel/mm/mi.h"

static MI_PROCESSOR_CACHES MiBootCaches;

/* Caches: zeroed. */
static void MiAddCaches(PKPRCB Prcb, PMI_PROCESSOR_CACHES Caches)
{
    KeInitializeLock(&Caches->Pages.Lock, KlcPageCache);
    MiSetMagazineLimits(Caches->Pool);
    Prcb->PageCache = &Caches->Pages;
    Prcb->PoolCache = Caches->Pool;
    MiCaches[MiCacheCount] = Caches;
    __atomic_store_n(&MiCacheCount, MiCacheCount + 1, __ATOMIC_RELEASE);
}

void MmInitialize(PBOOT_INFORMATION Boot)
{
    MiInitializePages(Boot);
    MiInitializePool();
    MiInitializeKernelRanges();
    MiAddCaches(ArchCurrentPrcb(), &MiBootCaches);
}

/* The boot processor calls this for one processor after the other. */
BOOLEAN MmInitializeProcessor(PKPRCB Prcb)
{
    ULONG64 Physical = MmAllocatePage(TRUE);
    if (Physical != 0) {
        MiAddCaches(Prcb, ArchPhysicalToVirtual(Physical));
    }
    return Physical != 0;
}

void MmQueryStatistics(MM_STATISTICS *Statistics)
{
    *Statistics = (MM_STATISTICS){
        .AddressSpaces = (ULONG64)MiSpaceCount,
        .Sections = (ULONG64)MiSectionCount,
        .Regions = (ULONG64)MiRegionCount,
    };
    MmQueryFrames(Statistics);
    MiQueryPool(Statistics);
    MiQueryKernelRanges(Statistics);
}

/* A processor's magazines are its own: the thread visits one processor after the other. */
static void MiDrainAllPoolCaches(void)
{
    KAFFINITY Active = KeActiveProcessors;
    KAFFINITY Old = 0;
    BOOLEAN First = TRUE;

    for (; Active != 0; Active &= Active - 1) {
        KAFFINITY Before = KeSetSystemAffinityThreadEx(Active & -Active);
        Old = First ? Before : Old;
        First = FALSE;
        MiDrainPoolCache();
    }
    if (!First) {
        KeRevertToUserAffinityThreadEx(Old);
    }
}

void MmTrimCaches(void)
{
    MiTrimStacks();
    MiDrainAllPoolCaches();
    MiFreeEmptySlabs();
    MiDrainPageCaches();
}
