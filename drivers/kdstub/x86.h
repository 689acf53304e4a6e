/* SPDX-License-Identifier: MIT */
/*
 * The machine, as far as a debugger needs it: ports, debug registers, page-table entries (SDM: Intel's
 * Software Developer's Manual, volumes 1 to 3).
 */
#ifndef KDSTUB_X86_H
#define KDSTUB_X86_H

#include <ntddk.h>

#define VECTOR_DEBUG      1
#define VECTOR_BREAKPOINT 3

#define RFLAGS_TF 0x100u
#define RFLAGS_IF 0x200u
#define RFLAGS_RF 0x10000u /* the instruction raises no debug exception by its address (SDM vol. 3, 18.3.1.1) */
#define RFLAGS_AC 0x40000u /* in kernel mode: user memory may be touched (SMAP) */

#define DR6_HITS(V) ((V) & 15)
#define DR6_STEP    0x4000u
#define DR6_CLEAR   0xffff0ff0UL

#define PTE_PRESENT 1u
#define PTE_WRITE   2u
#define PTE_LARGE   0x80u
#define PTE_ADDRESS 0x000ffffffffff000UL

static inline UCHAR X86In(USHORT Port)
{
    UCHAR Value;
    __asm__ volatile("inb %1, %0" : "=a"(Value) : "Nd"(Port));
    return Value;
}

static inline VOID X86Out(USHORT Port, UCHAR Value)
{
    __asm__ volatile("outb %0, %1" : : "a"(Value), "Nd"(Port));
}

static inline VOID X86Pause(VOID)
{
    __asm__ volatile("pause" : : : "memory");
}

static inline ULONG64 X86Cycles(VOID)
{
    ULONG64 Low, High;
    __asm__ volatile("rdtsc" : "=a"(Low), "=d"(High));
    return High << 32 | Low;
}

static inline ULONG64 X86PageTables(VOID)
{
    ULONG64 Value;
    __asm__ volatile("movq %%cr3, %0" : "=r"(Value));
    return Value & PTE_ADDRESS;
}

static inline VOID X86Invalidate(const volatile VOID *Address)
{
    __asm__ volatile("invlpg (%0)" : : "r"(Address) : "memory");
}

/* What other processors have written into the code is executed from here on (SDM vol. 3, 9.1.3). */
static inline VOID X86Serialize(VOID)
{
    ULONG A = 0, B, C = 0, D;
    __asm__ volatile("cpuid" : "+a"(A), "=b"(B), "+c"(C), "=d"(D) : : "memory");
}

static inline ULONG64 X86ReadDr6(VOID)
{
    ULONG64 Value;
    __asm__ volatile("movq %%dr6, %0" : "=r"(Value));
    return Value;
}

static inline VOID X86WriteDr6(ULONG64 Value)
{
    __asm__ volatile("movq %0, %%dr6" : : "r"(Value));
}

static inline VOID X86WriteDr7(ULONG64 Value)
{
    __asm__ volatile("movq %0, %%dr7" : : "r"(Value) : "memory");
}

static inline VOID X86WriteAddresses(const ULONG64 Address[4])
{
    __asm__ volatile("movq %0, %%dr0\n\tmovq %1, %%dr1\n\tmovq %2, %%dr2\n\tmovq %3, %%dr3"
                     :
                     : "r"(Address[0]), "r"(Address[1]), "r"(Address[2]), "r"(Address[3]));
}

/* By an instruction of its own: there may be a break point in memcpy. */
static inline VOID X86Copy(VOID *To, const VOID *From, SIZE_T Size)
{
    __asm__ volatile("rep movsb" : "+D"(To), "+S"(From), "+c"(Size) : : "memory");
}

#endif
