/* SPDX-License-Identifier: MIT */
/* Bits of a word, by one instruction each and without the compiler's helper library. All of it: any IRQL. */
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
    return RtlNumberOfSetBitsUlongPtr(Bits);
}

/* One bit set, neither none nor two. */
static inline bool RtlIsPowerOfTwo(ULONG64 Value)
{
    return Value != 0 && (Value & (Value - 1)) == 0;
}

/* The smallest n with 2^n >= Value; 0 for 0 and 1. */
static inline LONG RtlLogarithmUp(ULONG64 Value)
{
    return Value <= 1 ? 0 : RtlHighestBit(Value - 1) + 1;
}
