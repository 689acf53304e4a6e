/* SPDX-License-Identifier: MIT */
/* How much memory the kernel holds, and whether it is back where it was, for tests that start and end much.
   */
#ifndef PRIMER_USAGE_H
#define PRIMER_USAGE_H

#include "libnt.h"

static SYSTEM_MEMORY_USAGE Usage(VOID)
{
    SYSTEM_MEMORY_USAGE Now = {0};
    NtQuerySystemInformation(SystemMemoryUsageInformation, &Now, sizeof(Now), NULL);
    return Now;
}

/* What may be more than before: pages rest in caches, a table that has grown stays so. */
typedef struct _USAGE_SLACK {
    ULONG64 Pages, PoolBlocks, PoolBytes;
} USAGE_SLACK;

static BOOLEAN IsBack(const SYSTEM_MEMORY_USAGE *Before, const SYSTEM_MEMORY_USAGE *After,
                      const USAGE_SLACK *Slack)
{
    return After->PoolBlocks <= Before->PoolBlocks + Slack->PoolBlocks &&
           After->PoolBytes <= Before->PoolBytes + Slack->PoolBytes &&
           After->KernelStacks <= Before->KernelStacks && After->PageTablePages <= Before->PageTablePages &&
           After->FreePages + Slack->Pages >= Before->FreePages;
}

/* What has ended is reaped a little later, by threads of the kernel. */
static BOOLEAN SettlesTo(const SYSTEM_MEMORY_USAGE *Before, SYSTEM_MEMORY_USAGE *After,
                         const USAGE_SLACK *Slack)
{
    for (ULONG i = 0; i < 100; i++) {
        *After = Usage();
        if (IsBack(Before, After, Slack)) {
            return TRUE;
        }
        Sleep(20);
    }
    return FALSE;
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
