/* SPDX-License-Identifier: MIT */
/*
 * A stub for each system service, made from the table in <ntapi.h>.
 *
 * A C caller passes arguments in RDI, RSI, RDX, RCX, R8, R9, then on the stack above the return address.
 * SYSCALL overwrites RCX (with the return address) and R11 (with the flags): the fourth argument travels in
 * R10 instead. The stub is entered by CALL and pushes nothing, so argument 7 stands at [RSP + 8] at the
 * SYSCALL instruction, argument 8 at [RSP + 16] and so on. The upper halves of registers and stack slots that
 * hold shorter arguments are undefined: the kernel must not look at them.
 */
#include <ntapi.h>

/* The C function has a name of its own, so that it needs no parameters; the assembler's name is the
   service's. */
#define X(Name, Arguments)                                                                                   \
    VOID Stub##Name(VOID) __asm__("Nt" #Name);                                                               \
    __attribute__((naked)) VOID Stub##Name(VOID)                                                             \
    {                                                                                                        \
        __asm__("movq %%rcx, %%r10\n\t"                                                                      \
                "movl %0, %%eax\n\t"                                                                         \
                "syscall\n\t"                                                                                \
                "ret" ::"i"(NumberNt##Name));                                                                \
    }
NT_SERVICES(X)
#undef X
