/* SPDX-License-Identifier: MIT */
/*
 * A small repeatable generator (xorshift64*, G. Marsaglia and S. Vigna) for tests, random preemption and the
 * like. It hides nothing from anybody: do not make secrets with it. Not synchronised: one state a user. Any
 * IRQL.
 */
#pragma once

#include <ntdef.h>

typedef struct _RTL_RANDOM {
    ULONG64 State; /* never 0 */
} RTL_RANDOM, *PRTL_RANDOM;

/* Starts the sequence that belongs to Seed; any value will do, neighbouring seeds give unlike sequences. */
static inline VOID RtlSeedRandom(PRTL_RANDOM Random, ULONG64 Seed)
{
    Seed = (Seed + 0x9E3779B97F4A7C15UL) * 0xBF58476D1CE4E5B9UL;
    Seed ^= Seed >> 29;
    Random->State = Seed != 0 ? Seed : 1;
}

/* The next 64 bits. */
static inline ULONG64 RtlNextRandom(PRTL_RANDOM Random)
{
    ULONG64 State = Random->State;
    State ^= State >> 12;
    State ^= State << 25;
    State ^= State >> 27;
    Random->State = State;
    return State * 0x2545F4914F6CDD1DUL;
}
