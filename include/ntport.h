/* SPDX-License-Identifier: MIT */
/*
 * Ports of the I/O space, for drivers: the driver kit's READ_PORT_* and WRITE_PORT_*, which are inline there as well. A
 * port's number is passed as a pointer, as documented. Any IRQL. Each access takes place once and in the order of the
 * program, also with respect to memory. <ntddk.h> includes this file.
 */
#pragma once

#include <ntdef.h>

#define NTP_PORT(Type, Name, Suffix, Register)                                                                         \
    static inline Type READ_PORT_##Name(_In_ volatile Type *Port)                                                      \
    {                                                                                                                  \
        Type Value;                                                                                                    \
        __asm__ volatile("in" Suffix " %w1, %" Register "0" : "=a"(Value) : "Nd"((USHORT)(ULONG_PTR)Port) : "memory"); \
        return Value;                                                                                                  \
    }                                                                                                                  \
    static inline VOID WRITE_PORT_##Name(_In_ volatile Type *Port, _In_ Type Value)                                    \
    {                                                                                                                  \
        __asm__ volatile("out" Suffix " %" Register "0, %w1"                                                           \
                         :                                                                                             \
                         : "a"(Value), "Nd"((USHORT)(ULONG_PTR)Port)                                                   \
                         : "memory");                                                                                  \
    }                                                                                                                  \
    static inline VOID READ_PORT_BUFFER_##Name(_In_ volatile Type *Port, _Out_writes_(Count) Type *Buffer,             \
                                               _In_ ULONG Count)                                                       \
    {                                                                                                                  \
        ULONG_PTR Left = Count;                                                                                        \
        __asm__ volatile("rep ins" Suffix : "+D"(Buffer), "+c"(Left) : "d"((USHORT)(ULONG_PTR)Port) : "memory");       \
    }                                                                                                                  \
    static inline VOID WRITE_PORT_BUFFER_##Name(_In_ volatile Type *Port, _In_reads_(Count) Type *Buffer,              \
                                                _In_ ULONG Count)                                                      \
    {                                                                                                                  \
        ULONG_PTR Left = Count;                                                                                        \
        __asm__ volatile("rep outs" Suffix : "+S"(Buffer), "+c"(Left) : "d"((USHORT)(ULONG_PTR)Port) : "memory");      \
    }

NTP_PORT(UCHAR, UCHAR, "b", "b")
NTP_PORT(USHORT, USHORT, "w", "w")
NTP_PORT(ULONG, ULONG, "l", "k")
