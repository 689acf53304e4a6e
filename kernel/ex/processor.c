/* SPDX-License-Identifier: MIT */
/*
 * What drivers ask about processors, and the use of vector registers in kernel code. The forms of these
 * routines that know processor groups are drivers/lib/groups.c.
 */
#include "kernel/ex/ex.h"
#include "kernel/kd/kd.h"
#include "kernel/rtl/export.h"

#define EXP_FPU_TAG 'pFxE'

/* How many the machine has, whether or not they could be started. Any IRQL. (WDK page of the name) */
ULONG KeQueryMaximumProcessorCount(VOID)
{
    return ArchProcessorCount();
}
EXPORT(KeQueryMaximumProcessorCount);

/* The registers are kept, with all that the processor has of them, and are in their initial state afterwards.
   The thread may wait and move to another processor until it restores them; below DISPATCH_LEVEL it is in a
   guarded region until then, so that no APC asks for the registers of its program (Differs).
   STATUS_INSUFFICIENT_RESOURCES. <= DISPATCH_LEVEL. (WDK page of the name) */
NTSTATUS KeSaveFloatingPointState(PKFLOATING_SAVE FloatSave)
{
    KI_ASSERT(ArchGetIrql() <= DISPATCH_LEVEL, "vector registers saved at level %d", ArchGetIrql());
    FloatSave->Block = ExAllocatePoolWithTag(NonPagedPoolNx, ArchFpuBlockSize(), EXP_FPU_TAG);
    if (FloatSave->Block == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    if (ArchGetIrql() < DISPATCH_LEVEL) {
        KeEnterGuardedRegion();
    }
    FloatSave->Attached = ArchBeginFpuUse(FloatSave->Block);
    return STATUS_SUCCESS;
}
EXPORT(KeSaveFloatingPointState);

/* Gives the vector registers back as they were at their saving, in the thread (or DPC) that saved them, the
   last first, at the level of their saving. <= DISPATCH_LEVEL; does not block. (WDK page of the name) */
NTSTATUS KeRestoreFloatingPointState(PKFLOATING_SAVE FloatSave)
{
    ArchEndFpuUse(FloatSave->Block, FloatSave->Attached);
    ExFreePoolWithTag(FloatSave->Block, EXP_FPU_TAG);
    FloatSave->Block = NULL;
    if (ArchGetIrql() < DISPATCH_LEVEL) {
        KeLeaveGuardedRegion();
    }
    return STATUS_SUCCESS;
}
EXPORT(KeRestoreFloatingPointState);
