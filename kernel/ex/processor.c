/* SPDX-License-Identifier: MIT */
/*
 * What drivers ask about processors, by number and by group (there is one group, of up to 64), and the use of vector
 * registers in kernel code.
 */
#include "kernel/ex/ex.h"
#include "kernel/kd/kd.h"
#include "kernel/rtl/bits.h"
#include "kernel/rtl/export.h"

#define EXP_FPU_TAG 'pFxE'

/* ---- Numbers ---- */

static BOOLEAN ExpIsGroup(USHORT GroupNumber)
{
    return GroupNumber == 0 || GroupNumber == ALL_PROCESSOR_GROUPS;
}

/* The processor that the caller runs on; below DISPATCH_LEVEL it may be another one already. Returns its index over all
   groups. Any IRQL. (WDK page of the name; so the others) */
ULONG KeGetCurrentProcessorNumberEx(PPROCESSOR_NUMBER ProcNumber)
{
    ULONG Index = KeGetCurrentProcessorNumber();
    if (ProcNumber != NULL) {
        *ProcNumber = (PROCESSOR_NUMBER){.Number = (UCHAR)Index};
    }
    return Index;
}
EXPORT(KeGetCurrentProcessorNumberEx);

/* The processors that are online, a bit each. Any IRQL. (WDK page of the name) */
KAFFINITY KeQueryActiveProcessors(VOID)
{
    return KeActiveProcessors;
}
EXPORT(KeQueryActiveProcessors);

/* How many are online in the group, or with ALL_PROCESSOR_GROUPS altogether; 0 for a group that is not there. Any
   IRQL. (WDK page of the name) */
ULONG KeQueryActiveProcessorCountEx(USHORT GroupNumber)
{
    return ExpIsGroup(GroupNumber) ? (ULONG)RtlCountBits(KeActiveProcessors) : 0;
}
EXPORT(KeQueryActiveProcessorCountEx);

/* How many the machine has, whether or not they could be started. Any IRQL. (WDK page of the name) */
ULONG KeQueryMaximumProcessorCount(VOID)
{
    return ArchProcessorCount();
}
EXPORT(KeQueryMaximumProcessorCount);

/* The same for a group, or with ALL_PROCESSOR_GROUPS altogether; 0 for a group that is not there.
   (WDK page of the name) */
ULONG KeQueryMaximumProcessorCountEx(USHORT GroupNumber)
{
    return ExpIsGroup(GroupNumber) ? ArchProcessorCount() : 0;
}
EXPORT(KeQueryMaximumProcessorCountEx);

/* How many groups have a processor: one. Any IRQL. (WDK page of the name) */
USHORT KeQueryActiveGroupCount(VOID)
{
    return 1;
}
EXPORT(KeQueryActiveGroupCount);

/* How many groups there can be: one, of 64 processors. Any IRQL. (WDK page of the name) */
USHORT KeQueryMaximumGroupCount(VOID)
{
    return 1;
}
EXPORT(KeQueryMaximumGroupCount);

/* The group's processors that are online; 0 for a group that is not there. Any IRQL.
   (WDK page of the name) */
KAFFINITY KeQueryGroupAffinity(USHORT GroupNumber)
{
    return GroupNumber == 0 ? KeActiveProcessors : 0;
}
EXPORT(KeQueryGroupAffinity);

/* The group and number of the processor with an index, from 0. STATUS_INVALID_PARAMETER: no processor has
   that index. Any IRQL; does not block. (WDK page of the name) */
NTSTATUS KeGetProcessorNumberFromIndex(ULONG ProcIndex, PPROCESSOR_NUMBER ProcNumber)
{
    if (ProcIndex >= KeNumberProcessors) {
        return STATUS_INVALID_PARAMETER;
    }
    *ProcNumber = (PROCESSOR_NUMBER){.Number = (UCHAR)ProcIndex};
    return STATUS_SUCCESS;
}
EXPORT(KeGetProcessorNumberFromIndex);

/* The index of the processor with a group and number. INVALID_PROCESSOR_INDEX: no processor has that number,
   or Reserved is not 0. Any IRQL; does not block. (WDK page of the name) */
ULONG KeGetProcessorIndexFromNumber(PPROCESSOR_NUMBER ProcNumber)
{
    if (ProcNumber->Group != 0 || ProcNumber->Reserved != 0 || ProcNumber->Number >= KeNumberProcessors) {
        return INVALID_PROCESSOR_INDEX;
    }
    return ProcNumber->Number;
}
EXPORT(KeGetProcessorIndexFromNumber);

/* ---- Vector registers ---- */

/* The registers are kept, with all that the processor has of them, and are in their initial state afterwards. The
   thread may wait and move to another processor until it restores them. STATUS_INSUFFICIENT_RESOURCES. <=
   DISPATCH_LEVEL. (WDK page of the name) */
NTSTATUS KeSaveFloatingPointState(PKFLOATING_SAVE FloatSave)
{
    KI_ASSERT(ArchGetIrql() <= DISPATCH_LEVEL, "vector registers saved at level %d", ArchGetIrql());
    FloatSave->Block = ExAllocatePoolWithTag(NonPagedPoolNx, ArchFpuBlockSize(), EXP_FPU_TAG);
    if (FloatSave->Block == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    FloatSave->Attached = ArchBeginFpuUse(FloatSave->Block);
    return STATUS_SUCCESS;
}
EXPORT(KeSaveFloatingPointState);

/* Gives the vector registers back as they were at their saving, in the thread (or DPC) that saved them, the
   last first. <= DISPATCH_LEVEL; does not block. (WDK page of the name) */
NTSTATUS KeRestoreFloatingPointState(PKFLOATING_SAVE FloatSave)
{
    ArchEndFpuUse(FloatSave->Block, FloatSave->Attached);
    ExFreePoolWithTag(FloatSave->Block, EXP_FPU_TAG);
    FloatSave->Block = NULL;
    return STATUS_SUCCESS;
}
EXPORT(KeRestoreFloatingPointState);

/* As KeSaveFloatingPointState, for the parts of the state that Mask (XSTATE_MASK_*) names; more than asked
   for is kept, and what the processor does not have is passed over. (WDK page of the name) */
NTSTATUS KeSaveExtendedProcessorState(ULONG64 Mask, PXSTATE_SAVE XStateSave)
{
    return KeSaveFloatingPointState(XStateSave);
}
EXPORT(KeSaveExtendedProcessorState);

/* What KeRestoreFloatingPointState does, for the other routine. (WDK page of the name) */
VOID KeRestoreExtendedProcessorState(PXSTATE_SAVE XStateSave)
{
    KeRestoreFloatingPointState(XStateSave);
}
EXPORT(KeRestoreExtendedProcessorState);
