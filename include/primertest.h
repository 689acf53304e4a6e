/* SPDX-License-Identifier: MIT */
/*
 * What only tests ask of the kernel: no driver needs these. The first group exists in debug builds only.
 */
#ifndef PRIMER_TEST_H
#define PRIMER_TEST_H

#include <ntddk.h>

/* Acquires two internal locks, in the order of the rank table or against it (bug check LOCK_ORDER_VIOLATION). */
VOID PrimerTestLockOrder(BOOLEAN Right);
/* Waits after releasing an internal lock, or while holding it (bug check LOCK_HELD_WHILE_BLOCKING). */
VOID PrimerTestBlockHolding(BOOLEAN Right);
/* After more allocations of pages, pool or kernel stacks by the calling thread, Count of them fail (0: none any more). One thread at
   a time. Returns how many have failed since the call before. */
ULONG PrimerFailAllocations(ULONG After, ULONG Count);

/* Returns when the stacks of all threads that have ended before the call are freed. PASSIVE, not from the reaper. */
VOID PsDrainReaper(VOID);

/* What is in use, after caches have been emptied: two of these can be compared. PASSIVE. */
typedef struct _PRIMER_MEMORY {
    ULONG64 FreePages;
    ULONG64 PoolBytes, PoolBlocks;
    ULONG64 KernelStacks;
    ULONG64 PageTablePages;
    ULONG64 Processes, Threads; /* objects */
} PRIMER_MEMORY, *PPRIMER_MEMORY;
VOID PrimerQueryMemory(_Out_ PPRIMER_MEMORY Memory);

#endif
