/* SPDX-License-Identifier: MIT */
/* Whether a check leaves something behind: objects, kernel stacks, pool. */
#ifndef PRIMER_LABS_LEAKS_H
#define PRIMER_LABS_LEAKS_H

#include "ktest.h"
#include <primertest.h>

#define LAB_LEAK_ROUNDS 4

/* The first round makes what is made once and kept; of the others each would leave its own. */
static inline PCSTR LabLeaks(KTEST *Test)
{
    PRIMER_MEMORY Before, After;
    KTEST_CHECK(Test() == NULL);
    PsDrainReaper();
    PrimerQueryMemory(&Before);
    for (ULONG i = 0; i < LAB_LEAK_ROUNDS; i++) {
        KTEST_CHECK(Test() == NULL);
    }
    PsDrainReaper();
    PrimerQueryMemory(&After);
    KTEST_CHECK(After.Processes < Before.Processes + LAB_LEAK_ROUNDS);
    KTEST_CHECK(After.Threads < Before.Threads + LAB_LEAK_ROUNDS);
    KTEST_CHECK(After.KernelStacks < Before.KernelStacks + LAB_LEAK_ROUNDS);
    KTEST_CHECK(After.PoolBlocks < Before.PoolBlocks + LAB_LEAK_ROUNDS);
    return NULL;
}

#endif
