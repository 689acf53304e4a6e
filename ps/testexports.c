/* SPDX-License-Identifier: MIT */
/*
 * What only tests ask of ps and mm (primertest.h).
 */
#include "ps/psp.h"
#include <primertest.h>

VOID PrimerQueryMemory(PPRIMER_MEMORY Memory)
{
    MM_STATISTICS Statistics;
    MmTrimCaches();
    MmQueryStatistics(&Statistics);
    *Memory = (PRIMER_MEMORY){
        .FreePages = Statistics.FreePages,
        .PoolBytes = Statistics.PoolBytes,
        .PoolBlocks = Statistics.PoolBlocks,
        .KernelStacks = Statistics.KernelStacks,
        .PageTablePages = Statistics.PageTablePages,
        .Processes = ObTypeObjectCount(PspProcessType),
        .Threads = ObTypeObjectCount(PspThreadType),
    };
}
EXPORT(PrimerQueryMemory);
