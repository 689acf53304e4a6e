/* SPDX-License-Identifier: MIT */
/*
 * What drivers ask about processors by number and by group, and where the current thread runs, in the older
 * forms and in those that name a group. There is one group, number 0, of up to 64 processors.
 */
#include <ntddk.h>

#include "kernel/rtl/bits.h"

#define EXP_GROUP 0

/* ---- Numbers ---- */

static BOOLEAN ExpIsGroup(USHORT GroupNumber)
{
    return GroupNumber == 0 || GroupNumber == ALL_PROCESSOR_GROUPS;
}

/* The processor that the caller runs on; below DISPATCH_LEVEL it may be another one already. Returns its
   index over all groups. Any IRQL. (WDK page of the name; so the others) */
ULONG KeGetCurrentProcessorNumberEx(PPROCESSOR_NUMBER ProcNumber)
{
    ULONG Index = KeGetCurrentProcessorNumber();
    if (ProcNumber != NULL) {
        *ProcNumber = (PROCESSOR_NUMBER){.Number = (UCHAR)Index};
    }
    return Index;
}

/* The processors that are online, a bit each. Any IRQL. (WDK page of the name) */
KAFFINITY KeQueryActiveProcessors(VOID)
{
    KAFFINITY Active;
    KeQueryActiveProcessorCount(&Active);
    return Active;
}

/* How many are online in the group, or with ALL_PROCESSOR_GROUPS altogether; 0 for a group that is not there.
   Any IRQL. (WDK page of the name) */
ULONG KeQueryActiveProcessorCountEx(USHORT GroupNumber)
{
    return ExpIsGroup(GroupNumber) ? (ULONG)RtlCountBits(KeQueryActiveProcessors()) : 0;
}

/* The same for a group, or with ALL_PROCESSOR_GROUPS altogether; 0 for a group that is not there.
   (WDK page of the name) */
ULONG KeQueryMaximumProcessorCountEx(USHORT GroupNumber)
{
    return ExpIsGroup(GroupNumber) ? KeQueryMaximumProcessorCount() : 0;
}

/* How many groups have a processor: one. Any IRQL. (WDK page of the name) */
USHORT KeQueryActiveGroupCount(VOID)
{
    return 1;
}

/* How many groups there can be: one, of 64 processors. Any IRQL. (WDK page of the name) */
USHORT KeQueryMaximumGroupCount(VOID)
{
    return 1;
}

/* The group's processors that are online; 0 for a group that is not there. Any IRQL.
   (WDK page of the name) */
KAFFINITY KeQueryGroupAffinity(USHORT GroupNumber)
{
    return GroupNumber == 0 ? KeQueryActiveProcessors() : 0;
}

/* The group and number of the processor with an index, from 0. STATUS_INVALID_PARAMETER: no processor has
   that index. Any IRQL; does not block. (WDK page of the name) */
NTSTATUS KeGetProcessorNumberFromIndex(ULONG ProcIndex, PPROCESSOR_NUMBER ProcNumber)
{
    if (ProcIndex >= KeQueryActiveProcessorCount(NULL)) {
        return STATUS_INVALID_PARAMETER;
    }
    *ProcNumber = (PROCESSOR_NUMBER){.Number = (UCHAR)ProcIndex};
    return STATUS_SUCCESS;
}

/* The index of the processor with a group and number. INVALID_PROCESSOR_INDEX: no processor has that number,
   or Reserved is not 0. Any IRQL; does not block. (WDK page of the name) */
ULONG KeGetProcessorIndexFromNumber(PPROCESSOR_NUMBER ProcNumber)
{
    if (ProcNumber->Group != 0 || ProcNumber->Reserved != 0 || ProcNumber->Number >= KeQueryActiveProcessorCount(NULL)) {
        return INVALID_PROCESSOR_INDEX;
    }
    return ProcNumber->Number;
}

/* ---- Affinity ---- */

/* KeSetSystemAffinityThreadEx in the older form, which does not tell the affinity before. <= DISPATCH_LEVEL;
   may not return before the thread has moved. (WDK page of the name) */
VOID KeSetSystemAffinityThread(KAFFINITY Affinity)
{
    KeSetSystemAffinityThreadEx(Affinity);
}

/* Back to the user affinity, whatever came before. <= DISPATCH_LEVEL. (WDK page of the name) */
VOID KeRevertToUserAffinityThread(VOID)
{
    KeRevertToUserAffinityThreadEx(0);
}

static bool ExpIsReservedZero(const GROUP_AFFINITY *Affinity)
{
    return Affinity->Reserved[0] == 0 && Affinity->Reserved[1] == 0 && Affinity->Reserved[2] == 0;
}

/* The current thread runs on the given processors of the group only. PreviousAffinity, if not NULL, receives
   the system affinity before, with a Mask of 0 when there was none; all of it is 0, and nothing is changed,
   when the group does not exist, a reserved member is not 0, or Mask names no active processor. <=
   DISPATCH_LEVEL; at APC_LEVEL or below the thread has moved on return. (WDK page of the name) */
VOID KeSetSystemGroupAffinityThread(PGROUP_AFFINITY Affinity, PGROUP_AFFINITY PreviousAffinity)
{
    KAFFINITY Old = 0;
    if (Affinity->Group == EXP_GROUP && ExpIsReservedZero(Affinity) && (Affinity->Mask & KeQueryActiveProcessors()) != 0) {
        Old = KeSetSystemAffinityThreadEx(Affinity->Mask);
    }
    if (PreviousAffinity != NULL) {
        *PreviousAffinity = (GROUP_AFFINITY){.Mask = Old, .Group = EXP_GROUP};
    }
}

/* Back to PreviousAffinity, as KeSetSystemGroupAffinityThread has given it; with a Mask of 0 to the user
   affinity. Nothing happens when the group does not exist or a reserved member is not 0. <= DISPATCH_LEVEL.
   (WDK page of the name) */
VOID KeRevertToUserGroupAffinityThread(PGROUP_AFFINITY PreviousAffinity)
{
    if (PreviousAffinity->Group == EXP_GROUP && ExpIsReservedZero(PreviousAffinity)) {
        KeRevertToUserAffinityThreadEx(PreviousAffinity->Mask);
    }
}

/* ---- Affinity tokens ---- */

struct _AFFINITY_TOKEN {
    PKTHREAD Thread;    /* whose affinity was set with it; NULL: none */
    KAFFINITY Previous; /* its system affinity before; 0: none */
};
#define EXP_TOKEN_TAG 'knTA'

/* A token for PsSetSystemMultipleGroupAffinityThread, given back with PsFreeAffinityToken. It remembers what
   was in force before, so that pairs nest. STATUS_INSUFFICIENT_RESOURCES. <= APC_LEVEL. (WDK page of
   PsSetSystemMultipleGroupAffinityThread) */
NTSTATUS PsAllocateAffinityToken(PAFFINITY_TOKEN *AffinityToken)
{
    *AffinityToken = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(**AffinityToken), EXP_TOKEN_TAG);
    if (*AffinityToken == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    (*AffinityToken)->Thread = NULL;
    return STATUS_SUCCESS;
}

/* Frees a token that no thread's affinity is set with. <= APC_LEVEL. (WDK page of
   PsSetSystemMultipleGroupAffinityThread) */
VOID PsFreeAffinityToken(PAFFINITY_TOKEN AffinityToken)
{
    NT_ASSERT(AffinityToken->Thread == NULL);
    ExFreePoolWithTag(AffinityToken, EXP_TOKEN_TAG);
}

/* The current thread runs on the processors that any of the GroupCount affinities names, until
   PsRevertToUserMultipleGroupAffinityThread with the token, which remembers what was in force before.
   STATUS_INVALID_PARAMETER, and nothing is changed: no affinity, a group twice or that does not exist, a
   reserved member that is not 0, no active processor, or a token in use. <= APC_LEVEL; the thread has moved
   on return. (WDK page of the name) */
NTSTATUS PsSetSystemMultipleGroupAffinityThread(PGROUP_AFFINITY GroupAffinities, USHORT GroupCount,
                                                PAFFINITY_TOKEN AffinityToken)
{
    /* There being one group, more than one affinity names a group twice. */
    if (GroupCount != 1 || AffinityToken->Thread != NULL || GroupAffinities->Group != EXP_GROUP ||
        !ExpIsReservedZero(GroupAffinities) || (GroupAffinities->Mask & KeQueryActiveProcessors()) == 0) {
        return STATUS_INVALID_PARAMETER;
    }
    AffinityToken->Thread = KeGetCurrentThread();
    AffinityToken->Previous = KeSetSystemAffinityThreadEx(GroupAffinities->Mask);
    return STATUS_SUCCESS;
}

/* Back to what was in force before the PsSetSystemMultipleGroupAffinityThread with this token, on the same
   thread. <= APC_LEVEL. (WDK page of the name) */
VOID PsRevertToUserMultipleGroupAffinityThread(PAFFINITY_TOKEN AffinityToken)
{
    NT_ASSERT(AffinityToken->Thread == KeGetCurrentThread());
    AffinityToken->Thread = NULL;
    KeRevertToUserAffinityThreadEx(AffinityToken->Previous);
}

/* ---- Vector registers ---- */

/* As KeSaveFloatingPointState, for the parts of the state that Mask (XSTATE_MASK_*) names; more than asked
   for is kept, and what the processor does not have is passed over. (WDK page of the name) */
NTSTATUS KeSaveExtendedProcessorState(ULONG64 Mask, PXSTATE_SAVE XStateSave)
{
    return KeSaveFloatingPointState(XStateSave);
}

/* What KeRestoreFloatingPointState does, for the other routine. (WDK page of the name) */
VOID KeRestoreExtendedProcessorState(PXSTATE_SAVE XStateSave)
{
    KeRestoreFloatingPointState(XStateSave);
}

/* ---- DPCs ---- */

/* As KeSetTargetProcessorDpc, for a processor by group and number; STATUS_INVALID_PARAMETER, and nothing
   changed, when there is no such processor. Any IRQL. (WDK page of the name) */
NTSTATUS KeSetTargetProcessorDpcEx(PKDPC Dpc, PPROCESSOR_NUMBER ProcNumber)
{
    if (ProcNumber->Group != 0 || ProcNumber->Reserved != 0 || ProcNumber->Number >= KeQueryActiveProcessorCountEx(0)) {
        return STATUS_INVALID_PARAMETER;
    }
    KeSetTargetProcessorDpc(Dpc, (CCHAR)ProcNumber->Number);
    return STATUS_SUCCESS;
}
