/* SPDX-License-Identifier: MIT */
/*
 * Offsets of C structures for the assembly files. Compiled to text only: the Makefile turns each marker line
 * into a %define of asmoffsets.inc.
 */
#include "arch/x86_64/archp.h"

#define DEFINE(Name, Value)        __asm__ volatile("\n.ascii \"->" #Name " %c0\"" : : "i"((long)(Value)))
#define OFFSET(Name, Type, Member) DEFINE(Name, offsetof(Type, Member))

void ArchpOffsets(void);

void ArchpOffsets(void)
{
    OFFSET(FRAME_RAX, KTRAP_FRAME, Rax);
    OFFSET(FRAME_RCX, KTRAP_FRAME, Rcx);
    OFFSET(FRAME_R11, KTRAP_FRAME, R11);
    OFFSET(FRAME_RBP, KTRAP_FRAME, Rbp);
    OFFSET(FRAME_VECTOR, KTRAP_FRAME, Vector);
    OFFSET(FRAME_RIP, KTRAP_FRAME, Rip);
    OFFSET(FRAME_CS, KTRAP_FRAME, Cs);
    OFFSET(FRAME_RFLAGS, KTRAP_FRAME, Rflags);
    OFFSET(FRAME_RSP, KTRAP_FRAME, Rsp);
    DEFINE(FRAME_SIZE, sizeof(KTRAP_FRAME));
    DEFINE(SYSTEM_CALL_VECTOR, KTRAP_SYSTEM_CALL);
    DEFINE(TRACE_CALL_BIT, KdTraceClassCALL);

    OFFSET(PRCB_CURRENT_THREAD, KPRCB, CurrentThread);
    OFFSET(PRCB_IRQL, KPRCB, Irql);
    OFFSET(PRCB_PENDING_SOFT, KPRCB, PendingSoft);
    OFFSET(PRCB_USER_RSP, KPRCB, Arch.UserRsp);
    OFFSET(PRCB_RSP0, KPRCB, Arch.Tss.Rsp0);
    OFFSET(PRCB_DPC_STACK_TOP, KPRCB, DpcStackTop);
    OFFSET(PRCB_IDLE_STACK_TOP, KPRCB, IdleStackTop);

    OFFSET(KTHREAD_KERNEL_RSP, KTHREAD, Arch.KernelRsp);
    OFFSET(KTHREAD_STACK_TOP, KTHREAD, Arch.StackTop);
    OFFSET(KTHREAD_FPU_STATE, KTHREAD, Arch.FpuState);
    OFFSET(KTHREAD_FS_BASE, KTHREAD, Arch.UserFsBase);
    OFFSET(KTHREAD_GS_BASE, KTHREAD, Arch.UserGsBase);
    OFFSET(KTHREAD_SYSTEM_CALL, KTHREAD, SystemCall);
    OFFSET(KTHREAD_SWAP_BUSY, KTHREAD, SwapBusy);
    OFFSET(KTHREAD_USER_WORK, KTHREAD, UserWork);
    OFFSET(KTHREAD_APC_DISABLE, KTHREAD, ApcDisable);

    OFFSET(HANDLERS_RETURN_TO_USER, ARCH_HANDLERS, ReturnToUser);
    OFFSET(HANDLERS_VIOLATION, ARCH_HANDLERS, SystemCallViolation);

    OFFSET(FEATURES_XSAVE, ARCH_FEATURES, Xsave);
    DEFINE(USER_CODE, SELECTOR_USER_CODE);
    DEFINE(USER_DATA, SELECTOR_USER_DATA);
    DEFINE(BOOT_KIND_MULTIBOOT2, BOOT_KIND_MULTIBOOT2);
    DEFINE(BOOT_KIND_PVH, BOOT_KIND_PVH);
    DEFINE(BOOT_KIND_PROCESSOR, BOOT_KIND_PROCESSOR);
}
