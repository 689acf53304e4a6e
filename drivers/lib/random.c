/* SPDX-License-Identifier: MIT */
/* Random numbers for drivers. They hide nothing from anybody: do not make secrets with them. */
#include "kernel/rtl/rtl.h"

/* A number from 0 to MAXLONG, in a sequence that *Seed stands for, which goes on to the next. Any IRQL; does
   not block. The caller synchronises the use of one seed. (WDK page of the name) */
ULONG NTAPI RtlRandomEx(PULONG Seed)
{
    RTL_RANDOM Random;

    RtlSeedRandom(&Random, *Seed);
    ULONG64 Next = RtlNextRandom(&Random);
    *Seed = (ULONG)(Next >> 32);
    return (ULONG)Next & MAXLONG;
}

/* As RtlRandomEx. (WDK page of the name) */
ULONG NTAPI RtlRandom(PULONG Seed)
{
    return RtlRandomEx(Seed);
}
