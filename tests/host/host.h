/* SPDX-License-Identifier: MIT */
/*
 * What host tests share: checks, one line of result a behaviour, a seed that can be repeated.
 *
 * A behaviour is a function that calls CHECK and returns. RUN prints "@pass NAME", or "@fail NAME: " and the
 * first check that failed. A test ends with `return HostEnd();`. SEED=n in the environment repeats a run of
 * random inputs.
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ntrtl.h>

#include "kernel/rtl/random.h"

static char HostFailure[512];
static int HostFailures;
static const char *HostSkipReason;

#define CHECK(Condition) HostCheck((Condition) != 0, __FILE__, __LINE__, #Condition)
#define CHECK_STATUS(Expected, Expression)                                                                   \
    HostCheckNumber((ULONG)(Expected), (ULONG)(Expression), __FILE__, __LINE__, #Expression)
#define CHECK_EQUAL(Expected, Expression)                                                                    \
    HostCheckNumber((ULONG64)(Expected), (ULONG64)(Expression), __FILE__, __LINE__, #Expression)
#define CHECK_TEXT(Expected, Got) HostCheckText((Expected), (Got), __FILE__, __LINE__)
#define RUN(Behaviour)            HostRun(#Behaviour, Behaviour)
#define SKIP(Reason)                                                                                         \
    do {                                                                                                     \
        HostSkipReason = (Reason);                                                                           \
        return;                                                                                              \
    } while (0)

/* Keeps the first failure of a behaviour; returns whether the check held. */
__attribute__((unused)) static bool HostCheck(bool Holds, const char *File, int Line, const char *What)
{
    if (!Holds && HostFailure[0] == '\0') {
        snprintf(HostFailure, sizeof(HostFailure), "%s:%d: %s", File, Line, What);
    }
    return Holds;
}

__attribute__((unused)) static bool HostCheckNumber(ULONG64 Expected, ULONG64 Got, const char *File, int Line,
                                                    const char *What)
{
    if (Expected != Got && HostFailure[0] == '\0') {
        snprintf(HostFailure, sizeof(HostFailure), "%s:%d: %s is 0x%llx, not 0x%llx", File, Line, What,
                 (unsigned long long)Got, (unsigned long long)Expected);
    }
    return Expected == Got;
}

__attribute__((unused)) static bool HostCheckText(const char *Expected, const char *Got, const char *File,
                                                  int Line)
{
    bool Same = strcmp(Expected, Got) == 0;
    if (!Same && HostFailure[0] == '\0') {
        snprintf(HostFailure, sizeof(HostFailure), "%s:%d: got \"%.150s\", not \"%.150s\"", File, Line, Got,
                 Expected);
    }
    return Same;
}

__attribute__((unused)) static void HostRun(const char *Name, void (*Behaviour)(void))
{
    HostFailure[0] = '\0';
    HostSkipReason = NULL;
    Behaviour();
    if (HostFailure[0] != '\0') {
        printf("@fail %s: %s\n", Name, HostFailure);
        HostFailures++;
    } else if (HostSkipReason != NULL) {
        printf("@skip %s: %s\n", Name, HostSkipReason);
    } else {
        printf("@pass %s\n", Name);
    }
    fflush(stdout);
}

/* A number in 0..Limit-1; Limit is not 0. */
static inline ULONG RtlRandomBelow(PRTL_RANDOM Random, ULONG Limit)
{
    return (ULONG)(((RtlNextRandom(Random) >> 32) * Limit) >> 32);
}

/* A generator for a behaviour's random inputs; the seed is printed, for SEED= to repeat it. */
__attribute__((unused)) static RTL_RANDOM HostRandom(void)
{
    RTL_RANDOM Random;
    const char *Text = getenv("SEED");
    unsigned long Seed = Text != NULL ? strtoul(Text, NULL, 0) : 1;

    printf("seed %lu (repeat: SEED=%lu)\n", Seed, Seed);
    RtlSeedRandom(&Random, Seed);
    return Random;
}

__attribute__((unused)) static int HostEnd(void)
{
    return HostFailures != 0;
}
