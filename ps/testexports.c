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

VOID PrimerSetUserApcDispatcher(PEPROCESS Process, ULONG64 Address)
{
    Process->UserApcDispatcher = Address;
}
EXPORT(PrimerSetUserApcDispatcher);

NTSTATUS PrimerPopUserFrame(PKTRAP_FRAME Frame, ULONG64 Saved)
{
    return ArchPopUserFrame(Frame, Saved);
}
EXPORT(PrimerPopUserFrame);
