/* SPDX-License-Identifier: MIT */
/*
 * What only tests ask of ps and mm (primertest.h).
 */
#include "ps/psp.h"
#include <primertest.h>

/* Empties the caches, then fills in what memory and how many objects are in use. PASSIVE_LEVEL; may block.
   For tests alone. */
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

/* Sets the user address at which user APCs of the process enter user mode. PASSIVE_LEVEL; does not block.
   For tests alone. */
VOID PrimerSetUserApcDispatcher(PEPROCESS Process, ULONG64 Address)
{
    Process->UserApcDispatcher = Address;
}
EXPORT(PrimerSetUserApcDispatcher);

/* Puts the user registers that an APC's delivery has saved at the user address Saved back into the current
   thread's frame. An error of reading them is returned, and nothing has changed. PASSIVE_LEVEL; may block.
   For tests alone. */
NTSTATUS PrimerPopUserFrame(ULONG64 Saved)
{
    CONTEXT Context;
    NTSTATUS Status = ArchCopyFromUser(&Context, (const void *)Saved, sizeof(Context));
    if (NT_SUCCESS(Status)) {
        ArchSetContext(ArchCurrentThread(), &Context);
    }
    return Status;
}
EXPORT(PrimerPopUserFrame);
