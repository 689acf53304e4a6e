/* SPDX-License-Identifier: MIT */
/* Bits of a word, without the compiler's helper library. All of it: any IRQL. */
#pragma once

#include <ntrtl.h>

/* Number (0..63) of the highest bit set. Bits is not 0. */
static inline LONG RtlHighestBit(ULONG64 Bits)
{
    return 63 - __builtin_clzl(Bits);
}

/* Number (0..63) of the lowest bit set. Bits is not 0. */
static inline LONG RtlLowestBit(ULONG64 Bits)
{
    return __builtin_ctzl(Bits);
}

/* How many bits are set. */
static inline ULONG RtlCountBits(ULONG64 Bits)
{
    /* Sums of pairs, of nibbles, of bytes, then of all bytes at once. */
    Bits = Bits - ((Bits >> 1) & 0x5555555555555555UL);
    Bits = (Bits & 0x3333333333333333UL) + ((Bits >> 2) & 0x3333333333333333UL);
    Bits = (Bits + (Bits >> 4)) & 0x0F0F0F0F0F0F0F0FUL;
    return (ULONG)((Bits * 0x0101010101010101UL) >> 56);
}
