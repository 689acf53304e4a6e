/* SPDX-License-Identifier: MIT */
/*
 * Deferred procedure calls: a queue a processor, drained on the processor's DPC stack before its level drops
 * below DISPATCH. KDPC.DpcData names the processor whose queue it is on; it and the list change under that
 * processor's DpcLock, which is taken with interrupts off because interrupt handlers queue DPCs.
 *
 * Importance: HighImportance goes to the head. A DPC for another processor always interrupts it, whatever its
 * importance: a processor without a tick would not look at its queue for a long time.
 */
#include "kernel/ke/ki.h"

VOID KeInitializeDpc(PRKDPC Dpc, PKDEFERRED_ROUTINE DeferredRoutine, PVOID DeferredContext)
{
    Dpc->Type = 19;
    Dpc->Importance = MediumImportance;
    Dpc->Number = 0;
    Dpc->DeferredRoutine = DeferredRoutine;
    Dpc->DeferredContext = DeferredContext;
    Dpc->DpcData = NULL;
}
EXPORT(KeInitializeDpc);

VOID KeSetImportanceDpc(PRKDPC Dpc, KDPC_IMPORTANCE Importance)
{
    Dpc->Importance = (UCHAR)Importance;
}
EXPORT(KeSetImportanceDpc);

/* Number: a processor that is online; others are ignored. */
VOID KeSetTargetProcessorDpc(PRKDPC Dpc, CCHAR Number)
{
    if (Number >= 0 && (ULONG)Number < KeNumberProcessors) {
        Dpc->Number = (USHORT)(Number + 1);
    }
}
EXPORT(KeSetTargetProcessorDpc);

/* Queues under the target's lock; false when it is on a queue already. Interrupts off. */
static bool KiLinkDpc(PKPRCB Target, PRKDPC Dpc, PVOID Argument1, PVOID Argument2)
{
    PVOID Nowhere = NULL;
    KeAcquireLockAtDpc(&Target->DpcLock);
    bool Linked = __atomic_compare_exchange_n(&Dpc->DpcData, &Nowhere, (PVOID)Target, false, __ATOMIC_ACQ_REL,
                                              __ATOMIC_RELAXED);
    if (Linked) {
        Dpc->SystemArgument1 = Argument1;
        Dpc->SystemArgument2 = Argument2;
        if (Dpc->Importance == HighImportance) {
            InsertHeadList(&Target->DpcQueue, &Dpc->DpcListEntry);
        } else {
            InsertTailList(&Target->DpcQueue, &Dpc->DpcListEntry);
        }
    }
    KeReleaseLockFromDpc(&Target->DpcLock);
    return Linked;
}

/* Queues the DPC; FALSE (and nothing changed) when it is queued already. Below DISPATCH_LEVEL on its own
   processor it has run before the return. Any IRQL. (WDK page of the name) */
BOOLEAN KeInsertQueueDpc(PRKDPC Dpc, PVOID SystemArgument1, PVOID SystemArgument2)
{
    bool Interrupts = ArchDisableInterrupts();
    PKPRCB Prcb = KeGetCurrentPrcb();
    PKPRCB Target = Dpc->Number == 0 ? Prcb : KiProcessorBlock[Dpc->Number - 1];
    bool Linked = KiLinkDpc(Target, Dpc, SystemArgument1, SystemArgument2);
    if (Linked && Target == Prcb) {
        ArchSetPendingSoft(KSOFT_DISPATCH);
    } else if (Linked) {
        KiRequestIpi(Target, KIPI_DPC);
    }
    ArchRestoreInterrupts(Interrupts);
    KIRQL Irql = ArchGetIrql();
    if (ArchPendingSoft() >> Irql) {
        KiSoftInterrupt(Irql);
    }
    return Linked;
}
EXPORT(KeInsertQueueDpc);

/* Takes the DPC off its queue; FALSE when it was on none (it may be running). Any IRQL. (WDK page of the
   name) */
BOOLEAN KeRemoveQueueDpc(PRKDPC Dpc)
{
    bool Interrupts = ArchDisableInterrupts();
    BOOLEAN Removed = FALSE;
    PKPRCB Target = Dpc->DpcData;
    if (Target != NULL) {
        KeAcquireLockAtDpc(&Target->DpcLock);
        if (Dpc->DpcData == Target) {
            RemoveEntryList(&Dpc->DpcListEntry);
            __atomic_store_n(&Dpc->DpcData, NULL, __ATOMIC_RELEASE);
            Removed = TRUE;
        }
        KeReleaseLockFromDpc(&Target->DpcLock);
    }
    ArchRestoreInterrupts(Interrupts);
    return Removed;
}
EXPORT(KeRemoveQueueDpc);

/* The next DPC, copied and unlinked, so that it may queue itself again or its memory go. */
static bool KiTakeDpc(PKPRCB Prcb, PRKDPC *Original, KDPC *Copy)
{
    ArchDisableInterrupts();
    KeAcquireLockAtDpc(&Prcb->DpcLock);
    bool Found = !IsListEmpty(&Prcb->DpcQueue);
    if (Found) {
        *Original = CONTAINING_RECORD(RemoveHeadList(&Prcb->DpcQueue), KDPC, DpcListEntry);
        *Copy = **Original;
        __atomic_store_n(&(*Original)->DpcData, NULL, __ATOMIC_RELEASE);
    }
    KeReleaseLockFromDpc(&Prcb->DpcLock);
    ArchEnableInterrupts();
    return Found;
}

/* On the processor's DPC stack. */
static void KiRunDpcs(void *Context)
{
    PKPRCB Prcb = Context;
    PRKDPC Dpc;
    KDPC Copy;
    while (KiTakeDpc(Prcb, &Dpc, &Copy)) {
        Prcb->Dpcs++;
        Copy.DeferredRoutine(Dpc, Copy.DeferredContext, Copy.SystemArgument1, Copy.SystemArgument2);
        if (ArchGetIrql() != DISPATCH_LEVEL) {
            KdBugCheck(IRQL_NOT_DISPATCH_LEVEL, (ULONG64)Copy.DeferredRoutine, ArchGetIrql(), 0, 0, NULL,
                       "a DPC returned at level %d", ArchGetIrql());
        }
        KI_ASSERT(KiLocksHeld() == 0, "DPC %p returned with %u spin locks held", Copy.DeferredRoutine, KiLocksHeld());
    }
}

void KiRetireDpcs(PKPRCB Prcb)
{
    Prcb->DpcActive = TRUE;
    ArchCallOnStack(Prcb->DpcStackTop, KiRunDpcs, Prcb);
    Prcb->DpcActive = FALSE;
}
