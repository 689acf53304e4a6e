/* SPDX-License-Identifier: MIT */
/* How much memory the kernel holds, and whether it is back where it was, for tests that start and end
   much. */
#ifndef PRIMER_USAGE_H
#define PRIMER_USAGE_H

#include "test.h"

static SYSTEM_MEMORY_USAGE Usage(VOID)
{
    SYSTEM_MEMORY_USAGE Now = {0};
    NtQuerySystemInformation(SystemMemoryUsageInformation, &Now, sizeof(Now), NULL);
    return Now;
}

#define MOST_AT_ONCE 300

/*
 * Some tables grow with what lives at once, and stay: that of the ids, and the page tables over the kernel's
 * stacks. How many threads that have ended wait for the reaper is chance, but no more than a few above
 * PSP_REAPER_LENGTH (32). More processes alive together take that chance out of the counts.
 */
static NTSTATUS LetTablesGrow(ULONG Wanted)
{
    HANDLE Processes[MOST_AT_ONCE];
    NTSTATUS Status = STATUS_SUCCESS;
    ULONG Count = 0;
    while (Count < Wanted && NT_SUCCESS(Status)) {
        Status = StartChild(&Processes[Count], "sleep", "1000000", "0");
        Count += NT_SUCCESS(Status);
    }
    for (ULONG i = 0; i < Count; i++) {
        NtTerminateProcess(Processes[i], 0);
        NtWaitForSingleObject(Processes[i], FALSE, NULL);
        NtClose(Processes[i]);
    }
    return Status;
}

/*
 * Nothing more is in use than before, to the page and the byte. Over how many pages the pool's blocks are
 * scattered is chance.
 */
static BOOLEAN IsBack(const SYSTEM_MEMORY_USAGE *Before, const SYSTEM_MEMORY_USAGE *After)
{
    return After->PoolBlocks <= Before->PoolBlocks &&
           After->PoolBytes <= Before->PoolBytes &&
           After->KernelStacks <= Before->KernelStacks && After->PageTablePages <= Before->PageTablePages &&
           After->FreePages + After->PoolPages >= Before->FreePages + Before->PoolPages;
}

static VOID ReportUsage(PCSTR Name, const SYSTEM_MEMORY_USAGE *Before, const SYSTEM_MEMORY_USAGE *After)
{
    Log("%s: free pages %I64u -> %I64u, pool %I64u in %I64u -> %I64u in %I64u, stacks %I64u -> %I64u, "
        "tables %I64u -> %I64u",
        Name, Before->FreePages, After->FreePages, Before->PoolBytes, Before->PoolBlocks, After->PoolBytes,
        After->PoolBlocks, Before->KernelStacks, After->KernelStacks, Before->PageTablePages,
        After->PageTablePages);
}

#endif
