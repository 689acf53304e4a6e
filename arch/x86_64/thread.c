/* SPDX-License-Identifier: MIT */
/*
 * A thread's registers outside of running: the first frame of its kernel stack, its user frame, its segment
 * bases.
 */
#include "arch/x86_64/archp.h"

/*
 *  StackTop   +--------------------+
 *             | KTRAP_FRAME        |  the user frame, also for threads that have none
 *             +--------------------+
 *             | 0                  |  ThreadStartup's return address: aligned as after a call
 *             | KSWITCH_FRAME      |  Rip = ArchHandlers.ThreadStartup
 *  KernelRsp  +--------------------+
 */
void ArchInitializeThread(PKTHREAD Thread)
{
    uint64_t *Return = (uint64_t *)ArchUserFrame(Thread) - 1;
    *Return = 0;
    PKSWITCH_FRAME Switch = (PKSWITCH_FRAME)Return - 1;
    *Switch = (KSWITCH_FRAME){.Rflags = RFLAGS_ONE | RFLAGS_IF, .Rip = (uint64_t)ArchHandlers.ThreadStartup};
    Thread->Arch.KernelRsp = (uint64_t)Switch;
}

void ArchInitializeUserFrame(PKTRAP_FRAME Frame, ULONG64 Start, ULONG64 Stack, ULONG64 Argument)
{
    *Frame = (KTRAP_FRAME){
        .Rdi = Argument,
        .Rip = Start,
        .Cs = SELECTOR_USER_CODE,
        .Rflags = RFLAGS_ONE | RFLAGS_IF,
        .Rsp = Stack,
        .Ss = SELECTOR_USER_DATA,
    };
}

/* What is no user address becomes 0: the program faults there, in user mode. */
static uint64_t UserAddressOrZero(uint64_t Address)
{
    return Address < ARCH_USER_END ? Address : 0;
}

void ArchSanitizeUserFrame(PKTRAP_FRAME Frame)
{
    Frame->Rip = UserAddressOrZero(Frame->Rip);
    Frame->Rsp = UserAddressOrZero(Frame->Rsp);
    Frame->Cs = SELECTOR_USER_CODE;
    Frame->Ss = SELECTOR_USER_DATA;
    Frame->Rflags = (Frame->Rflags & RFLAGS_USER) | RFLAGS_ONE | RFLAGS_IF;
}

/* The base counts from the next load on; the current thread's is loaded at once, with interrupts off, so that
   no switch falls between the two stores. While the kernel runs, the user's GS base waits in the MSR that
   SWAPGS exchanges. */
NTSTATUS ArchSetUserBase(PKTHREAD Thread, ULONG Which, ULONG64 Base)
{
    if (Which > ARCH_BASE_GS || Base >= ARCH_USER_END) {
        return STATUS_INVALID_PARAMETER;
    }
    bool Enabled = ArchDisableInterrupts();
    *(Which == ARCH_BASE_FS ? &Thread->Arch.UserFsBase : &Thread->Arch.UserGsBase) = Base;
    if (Thread == ArchCurrentThread()) {
        ArchpWriteMsr(Which == ARCH_BASE_FS ? MSR_FS_BASE : MSR_KERNEL_GS_BASE, Base);
    }
    ArchRestoreInterrupts(Enabled);
    return STATUS_SUCCESS;
}

ULONG64 ArchGetUserBase(PKTHREAD Thread, ULONG Which)
{
    return Which == ARCH_BASE_FS ? Thread->Arch.UserFsBase : Thread->Arch.UserGsBase;
}
