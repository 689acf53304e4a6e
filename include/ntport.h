/* SPDX-License-Identifier: MIT */
/*
 * Devices' registers, for drivers: the driver kit's READ_PORT_* and WRITE_PORT_* for those in the I/O space,
 * and READ_REGISTER_* and WRITE_REGISTER_* for those in memory, which are inline there as well. A port's
 * number is passed as a pointer, as documented. Any IRQL. Each access takes place once and in the order of
 * the program, also with respect to memory. <ntddk.h> includes this file.
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

/* A write is not over before the processor's store buffer has let it go. */
#define NTP_REGISTER(Type, Name)                                                                                       \
    static inline Type READ_REGISTER_##Name(_In_ volatile Type *Register)                                              \
    {                                                                                                                  \
        MemoryBarrier();                                                                                               \
        return *Register;                                                                                              \
    }                                                                                                                  \
    static inline VOID WRITE_REGISTER_##Name(_In_ volatile Type *Register, _In_ Type Value)                            \
    {                                                                                                                  \
        *Register = Value;                                                                                             \
        MemoryBarrier();                                                                                               \
    }                                                                                                                  \
    static inline VOID READ_REGISTER_BUFFER_##Name(_In_ volatile Type *Register, _Out_writes_(Count) Type *Buffer,     \
                                                   _In_ ULONG Count)                                                   \
    {                                                                                                                  \
        while (Count-- != 0) {                                                                                         \
            *Buffer++ = READ_REGISTER_##Name(Register++);                                                              \
        }                                                                                                              \
    }                                                                                                                  \
    static inline VOID WRITE_REGISTER_BUFFER_##Name(_In_ volatile Type *Register, _In_reads_(Count) Type *Buffer,      \
                                                    _In_ ULONG Count)                                                  \
    {                                                                                                                  \
        while (Count-- != 0) {                                                                                         \
            WRITE_REGISTER_##Name(Register++, *Buffer++);                                                              \
        }                                                                                                              \
    }

NTP_REGISTER(UCHAR, UCHAR)
NTP_REGISTER(USHORT, USHORT)
NTP_REGISTER(ULONG, ULONG)
NTP_REGISTER(ULONG64, ULONG64)
