/* SPDX-License-Identifier: MIT */
/*
 * The registers of a thread at its entry to the kernel, as the kernel's entry code pushes them and handler
 * modules see them. The frame of the entry from user mode always stands at the very top of the thread's
 * kernel stack.
 *
 *      top of stack   ss rsp rflags cs rip        pushed by the processor (interrupt), or by the SYSCALL entry
 *                     error code, vector
 *                     rax ... r15                 pushed by the entry code
 */
#ifndef PRIMER_KTRAP_H
#define PRIMER_KTRAP_H

#include <ntdef.h>

typedef struct _KTRAP_FRAME {
    ULONG64 R15, R14, R13, R12, R11, R10, R9, R8;
    ULONG64 Rbp, Rdi, Rsi, Rdx, Rcx, Rbx, Rax;
    ULONG64 Vector;    /* exception or interrupt number; KTRAP_SYSTEM_CALL for SYSCALL */
    ULONG64 ErrorCode; /* of the exception; the system call's number (RAX at entry) for SYSCALL */
    ULONG64 Rip, Cs, Rflags, Rsp, Ss;
} KTRAP_FRAME, *PKTRAP_FRAME;

/* What ArchSwapContext leaves at the stack pointer of a thread that does not run: all that is alive then. Rbp
   and Rip are a frame-pointer link. */
typedef struct _KSWITCH_FRAME {
    ULONG64 Rflags, Rbp, Rip;
} KSWITCH_FRAME, *PKSWITCH_FRAME;

#define KTRAP_SYSTEM_CALL 0x100

#define KTRAP_FROM_USER(Frame)        (((Frame)->Cs & 3) != 0)
#define KTRAP_TAKES_INTERRUPTS(Frame) (((Frame)->Rflags & 0x200) != 0)

#endif
