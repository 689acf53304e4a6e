/* SPDX-License-Identifier: MIT */
#ifndef STRESS_H
#define STRESS_H

#include "../ktest.h"
#include <subsystem.h>

/* How long each part runs at most: the kernel option stress.ms, which soaks give. */
ULONG64 StressMilliseconds(VOID);
BOOLEAN StressIsSoak(VOID);

/* A small generator; each thread has its own. */
static inline ULONG StressRandom(PULONG64 State)
{
    *State = *State * 6364136223846793005ULL + 1442695040888963407ULL;
    return (ULONG)(*State >> 33);
}

PCSTR StressWakeUps(VOID);

#endif
