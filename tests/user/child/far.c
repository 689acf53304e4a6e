/* SPDX-License-Identifier: MIT */
/*
 * Far calls and returns with wild stack pointers. QEMU makes their stack accesses with the kernel's rights,
 * whoever executes them, so that the error code of the page fault does not show that it was a program.
 */
#include "child.h"

static VOID FarAt(ULONG64 Kind, ULONG64 Stack)
{
    static const struct __attribute__((packed)) {
        ULONG64 Offset;
        USHORT Selector;
    } Target = {ADDRESS_LOWEST, 0x33}; /* where no code is */

#define WITH_STACK(Instruction)                                                                              \
    __asm__ volatile("movq %0, %%rsp\n\t" Instruction ::"c"(Stack), "d"(&Target) : "memory")
    switch (Kind) {
    case 0:
        WITH_STACK("iretq");
        break;
    case 1:
        WITH_STACK("iretl");
        break;
    case 2:
        WITH_STACK("iretw");
        break;
    case 3:
        WITH_STACK("lretq");
        break;
    case 4:
        WITH_STACK("lretl");
        break;
    case 5:
        WITH_STACK("lretw");
        break;
    case 6:
        WITH_STACK("lretq $8");
        break;
    case 7:
        WITH_STACK(".byte 0x48; lcall *(%1)"); /* REX.W: assemblers disagree on its name */
        break;
    case 8:
        WITH_STACK("lcall *(%1)");
        break;
    case 9:
        WITH_STACK("lcallw *(%1)");
        break;
    }
#undef WITH_STACK
}

/* Memory that nobody has touched yet: the first fault is a page that is not there, the next one a page that
   is. */
static ULONG64 FreshStack(VOID)
{
    PVOID Base = NULL;
    SIZE_T Size = 4 * PAGE_SIZE;
    NtAllocateVirtualMemory(NtCurrentProcess(), &Base, 0, &Size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
    return (ULONG64)Base + 2 * PAGE_SIZE;
}

/* A return with a right frame on a right stack: where QEMU and SMAP meet it cannot work, but must end. */
static int ReturnOnOwnStack(ULONG64 Kind)
{
    if (Kind == 0) {
        __asm__ volatile("movq %%rsp, %%rcx\n\t"
                         "movl %%ss, %%eax\n\t"
                         "pushq %%rax\n\t"
                         "pushq %%rcx\n\t"
                         "pushfq\n\t"
                         "pushq $0x33\n\t"
                         "pushq $1f\n\t"
                         "iretq\n"
                         "1:" ::
                             : "rax", "rcx", "memory");
    } else {
        __asm__ volatile("pushq $0x33\n\t"
                         "pushq $1f\n\t"
                         "lretq\n"
                         "1:" ::
                             : "memory");
    }
    return FAR_DONE;
}

int GoFar(ULONG64 Kind, ULONG64 Place)
{
    static const ULONG64 Places[FAR_PLACES] = {
        ADDRESS_LOWEST,
        PAGE_SIZE,
        ADDRESS_LAST_PAGE,
        ADDRESS_NOT_CANONICAL,
        0xFFFF800000000000, /* the lower end of the kernel's half: a call's stack lies below it */
        0xFFFF900000000000, /* in the direct map, but beyond the memory */
        ADDRESS_KERNEL,
        ADDRESS_KERNEL + 0x1000,
        0, /* fresh memory, see below */
        ADDRESS_DIRECT_MAP,
        0xFFFFA00000000000, /* the pool */
        ADDRESS_TOP,
    };
    if (Place == FAR_OWN) {
        return ReturnOnOwnStack(Kind);
    }
    FarAt(Kind, Place == 8 ? FreshStack() : Places[Place]);
    return FAR_DONE;
}
