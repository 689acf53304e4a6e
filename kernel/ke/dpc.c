/* SPDX-License-Identifier: MIT */
/*
 * Deferred procedure calls. Each processor has two queues: ordinary DPCs are drained on the processor's DPC
 * stack before its level drops below DISPATCH_LEVEL; threaded ones by a thread of the processor
 * (sync/threadeddpc.c), which an ordinary DPC wakes. KDPC.DpcData names the processor on one of whose queues
 * the DPC is; it and the queues change under that processor's DpcLock, which is taken with interrupts off
 * because interrupt handlers queue DPCs.
 *
 * Importance, and what it does when the processor has its level below DISPATCH:
 *
 *   High         to the head; the processor looks at once
 *   MediumHigh   to the tail; the processor looks at once
 *   Medium       to the tail; the own processor looks at once, another one as for Low
 *   Low          to the tail; the processor looks when it drains its queue for another reason, when it
 *                idles, when KI_LAZY_DPCS such DPCs have come, or after KI_LAZY_DPC_MS: there is no tick
 *                that would look, so whoever has queued the DPC remembers the processor, and interrupts it
 */
#include "kernel/ke/ki.h"

#define DPC_OBJECT          19 /* KDPC.Type */
#define THREADED_DPC_OBJECT 24

#define KI_LAZY_DPCS   4
#define KI_LAZY_DPC_MS 10

ULONG KiDpcLimitMs = 5000;

static void KiInitializeDpc(PRKDPC Dpc, UCHAR Type, PKDEFERRED_ROUTINE DeferredRoutine, PVOID DeferredContext)
{
    Dpc->Type = Type;
    Dpc->Importance = MediumImportance;
    Dpc->Number = 0;
    Dpc->DeferredRoutine = DeferredRoutine;
    Dpc->DeferredContext = DeferredContext;
    Dpc->DpcData = NULL;
}

/* A DPC of medium importance for the processor that queues it. Any IRQL. (WDK page of the name) */
VOID KeInitializeDpc(PRKDPC Dpc, PKDEFERRED_ROUTINE DeferredRoutine, PVOID DeferredContext)
{
    KiInitializeDpc(Dpc, DPC_OBJECT, DeferredRoutine, DeferredContext);
}
EXPORT(KeInitializeDpc);

/* A threaded DPC: its routine runs at PASSIVE_LEVEL in a real-time thread of the processor, so that
   ordinary DPCs interrupt it, but keeps to the rules of DISPATCH_LEVEL: it does not wait. With the kernel
   option dpc.threaded=0 it runs as an ordinary DPC. Any IRQL. (WDK page of the name) */
VOID KeInitializeThreadedDpc(PRKDPC Dpc, PKDEFERRED_ROUTINE DeferredRoutine, PVOID DeferredContext)
{
    KiInitializeDpc(Dpc, THREADED_DPC_OBJECT, DeferredRoutine, DeferredContext);
}
EXPORT(KeInitializeThreadedDpc);

/* How soon the DPC's processor looks at it: see the table above. Not while it is queued. Any IRQL.
   (WDK page of the name) */
VOID KeSetImportanceDpc(PRKDPC Dpc, KDPC_IMPORTANCE Importance)
{
    Dpc->Importance = (UCHAR)Importance;
}
EXPORT(KeSetImportanceDpc);

/* Sets the processor on which the DPC runs, by its number; a processor that is not online is ignored. Not
   while the DPC is queued. Any IRQL; does not block. (WDK page of the name) */
VOID KeSetTargetProcessorDpc(PRKDPC Dpc, CCHAR Number)
{
    if (Number >= 0 && (ULONG)Number < KeNumberProcessors) {
        Dpc->Number = (USHORT)(Number + 1);
    }
}
EXPORT(KeSetTargetProcessorDpc);

/* ---- Queueing ---- */

/* Puts the DPC on a queue of the target; false when it is on one already, perhaps another processor's. */
static inline bool KiLinkDpc(PKPRCB Target, PLIST_ENTRY Queue, PRKDPC Dpc, PVOID Argument1, PVOID Argument2)
{
    PVOID Nowhere = NULL;
    if (!__atomic_compare_exchange_n(&Dpc->DpcData, &Nowhere, (PVOID)Target, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_RELAXED)) {
        return false;
    }
    Dpc->SystemArgument1 = Argument1;
    Dpc->SystemArgument2 = Argument2;
    if (Dpc->Importance == HighImportance) {
        InsertHeadList(Queue, &Dpc->DpcListEntry);
    } else {
        InsertTailList(Queue, &Dpc->DpcListEntry);
    }
    return true;
}

/* Must the processor look at its queue now for a DPC of this importance? Its DpcLock is held. An idle
   processor has nothing better to do. */
static inline bool KiIsUrgent(PKPRCB Prcb, PKPRCB Target, UCHAR Importance)
{
    if (Importance >= HighImportance || (Importance == MediumImportance && Target == Prcb)) {
        return true;
    }
    return ++Target->LazyDpcs >= KI_LAZY_DPCS || (KiIdleMask & KiProcessorBit(Target->Number)) != 0;
}

/* The target is to look at its queue in a while, if it has not done so by itself. Interrupts off. */
static void KiPostponeDpc(PKPRCB Prcb, PKPRCB Target)
{
    bool First = Prcb->LazyTargets == 0;
    Prcb->LazyTargets |= KiProcessorBit(Target->Number);
    if (!First) {
        return;
    }
    ULONG64 Now = ArchReadCycles();
    Prcb->LazyDue = Now + KiCyclesPerSecond / 1000 * KI_LAZY_DPC_MS;
    if (ArchGetIrql() <= DISPATCH_LEVEL) {
        KiArmTimer(Prcb);
    } else { /* the timer is armed on the way below DISPATCH_LEVEL */
        KiAnnounceClockWork(Prcb, Now);
    }
}

void KiKickLazyDpcs(PKPRCB Prcb)
{
    bool Interrupts = ArchDisableInterrupts();
    /* Not our own: the caller drains that queue next. */
    KAFFINITY Left = Prcb->LazyTargets & ~KiProcessorBit(Prcb->Number);
    Prcb->LazyTargets = 0;
    Prcb->LazyDue = UINT64_MAX;
    ArchRestoreInterrupts(Interrupts);
    for (; Left != 0; Left &= Left - 1) {
        PKPRCB Target = KiProcessorBlock[RtlLowestBit(Left)];
        if (!IsListEmpty(&Target->DpcQueue)) {
            KiRequestIpi(Target, KIPI_DPC);
        }
    }
}

/* The DPC goes to the threaded queue, and the DPC that wakes the thread to the other one. */
__attribute__((noinline)) static bool KiLinkThreadedDpc(PKPRCB Target, PRKDPC Dpc, PVOID Argument1,
                                                        PVOID Argument2)
{
    if (!KiLinkDpc(Target, &Target->ThreadedDpcQueue, Dpc, Argument1, Argument2)) {
        return false;
    }
    KiLinkDpc(Target, &Target->DpcQueue, &Target->ThreadedDpcWake, NULL, NULL);
    return true;
}

static FORCEINLINE void KiBeginInsert(KDPC_INSERTION *Insertion, PRKDPC Dpc, PVOID Argument1, PVOID Argument2)
{
    Insertion->Interrupts = ArchDisableInterrupts();
    PKPRCB Prcb = KeGetCurrentPrcb();
    PKPRCB Target = Dpc->Number == 0 ? Prcb : KiProcessorBlock[Dpc->Number - 1];
    Insertion->Prcb = Prcb;
    Insertion->Target = Target;
    KeAcquireLockAtDpc(&Target->DpcLock);
    if (Dpc->Type == THREADED_DPC_OBJECT && Target->ThreadedDpcs) {
        Insertion->Linked = KiLinkThreadedDpc(Target, Dpc, Argument1, Argument2);
        Insertion->Urgent = true;
    } else {
        Insertion->Linked = KiLinkDpc(Target, &Target->DpcQueue, Dpc, Argument1, Argument2);
        Insertion->Urgent = Insertion->Linked && KiIsUrgent(Prcb, Target, Dpc->Importance);
    }
}

/* Returns whether this processor is to drain its queue as soon as its level allows. */
static FORCEINLINE bool KiEndInsert(const KDPC_INSERTION *Insertion)
{
    PKPRCB Target = Insertion->Target;
    bool Here = false;
    KeReleaseLockFromDpc(&Target->DpcLock); /* the DPC may be gone from here on */
    if (Insertion->Linked) {
        Here = Insertion->Urgent && Target == Insertion->Prcb;
        if (Here) {
            ArchSetPendingSoft(KSOFT_DISPATCH);
        } else if (Insertion->Urgent) {
            KiRequestIpi(Target, KIPI_DPC);
        } else {
            KiPostponeDpc(Insertion->Prcb, Target);
        }
    }
    ArchRestoreInterrupts(Insertion->Interrupts);
    return Here;
}

void KiBeginInsertDpc(KDPC_INSERTION *Insertion, PRKDPC Dpc, PVOID Argument1, PVOID Argument2)
{
    KiBeginInsert(Insertion, Dpc, Argument1, Argument2);
}

void KiEndInsertDpc(const KDPC_INSERTION *Insertion)
{
    KiEndInsert(Insertion);
}

/* Queues the DPC; FALSE (and nothing changed, the arguments of the first call stay) when it is queued
   already. Of medium or higher importance and for its own processor it has run before the return if the
   caller is below DISPATCH_LEVEL. Any IRQL; never blocks. (WDK page of the name) */
BOOLEAN KeInsertQueueDpc(PRKDPC Dpc, PVOID SystemArgument1, PVOID SystemArgument2)
{
    KDPC_INSERTION Insertion;
    KiBeginInsert(&Insertion, Dpc, SystemArgument1, SystemArgument2);
    bool Here = KiEndInsert(&Insertion);
    KIRQL Irql = ArchGetIrql();
    /* Otherwise what is pending runs when the level drops, or interrupts come on. */
    if (Here && Insertion.Interrupts && Irql < DISPATCH_LEVEL) {
        ArchSetIrql(DISPATCH_LEVEL);
        KiDrain();
        KiLower(Irql);
    }
    return Insertion.Linked;
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

/* ---- Running ---- */

/* Inlined into the loop that drains the ordinary DPCs, and two ways out: the bench row dpc-insert-to-run
   pays for it. */
static FORCEINLINE bool KiTakeFirst(PKPRCB Prcb, PLIST_ENTRY Queue, KDPC_CALL *Call)
{
    ArchDisableInterrupts();
    KeAcquireLockAtDpc(&Prcb->DpcLock);
    if (IsListEmpty(Queue)) {
        KeReleaseLockFromDpc(&Prcb->DpcLock);
        ArchEnableInterrupts();
        return false;
    }
    PRKDPC Dpc = CONTAINING_RECORD(RemoveHeadList(Queue), KDPC, DpcListEntry);
    *Call = (KDPC_CALL){Dpc, Dpc->DeferredRoutine, Dpc->DeferredContext, Dpc->SystemArgument1,
                        Dpc->SystemArgument2};
    __atomic_store_n(&Dpc->DpcData, NULL, __ATOMIC_RELEASE);
    KeReleaseLockFromDpc(&Prcb->DpcLock);
    ArchEnableInterrupts();
    return true;
}

bool KiTakeDpc(PKPRCB Prcb, PLIST_ENTRY Queue, KDPC_CALL *Call)
{
    return KiTakeFirst(Prcb, Queue, Call);
}

/* On the processor's DPC stack. */
static void KiRunDpcs(void *Context)
{
    PKPRCB Prcb = Context;
    KDPC_CALL Call;
    Prcb->DpcLooks = Prcb->DrainLooks = 0;
    Prcb->LazyDpcs = 0; /* one that comes at this moment may not be counted: LazyTargets remembers it */
    ULONG64 Start = ArchReadCycles() - Prcb->InterruptCycles; /* interrupts in between are not its time */
    Prcb->DpcActive = TRUE;
    while (KiTakeFirst(Prcb, &Prcb->DpcQueue, &Call)) {
        Prcb->Dpcs++;
        Prcb->DpcRoutine = Call.Routine;
        KdTrace(DpcBegin, 0, Call.Routine, Call.Dpc);
        Call.Routine(Call.Dpc, Call.Context, Call.Argument1, Call.Argument2);
        KdTrace(DpcEnd, 0, Prcb->DpcRoutine, 0);
        if (ArchGetIrql() != DISPATCH_LEVEL) {
            KdBugCheck(IRQL_NOT_DISPATCH_LEVEL, (ULONG64)Prcb->DpcRoutine, ArchGetIrql(), 0, 0, NULL,
                       "a DPC returned at level %d", ArchGetIrql());
        }
        KI_ASSERT(KiLocksHeld() == 0, "DPC %p returned with %u spin locks held", Prcb->DpcRoutine,
                  KiLocksHeld());
    }
    Prcb->DpcActive = FALSE;
    Prcb->DpcCycles += ArchReadCycles() - Prcb->InterruptCycles - Start;
}

void KiRetireDpcs(PKPRCB Prcb)
{
    ArchCallOnStack(Prcb->DpcStackTop, KiRunDpcs, Prcb);
}

/* Whether a DPC routine with more to do should return and go on later: another DPC waits behind it, or a
   clock interrupt has found it running. FALSE outside DPC routines. DISPATCH_LEVEL (below: FALSE). (WDK page
   of the name) */
LOGICAL KeShouldYieldProcessor(VOID)
{
    PKPRCB Prcb = KeGetCurrentPrcb();

    return ArchGetIrql() >= DISPATCH_LEVEL && Prcb->DpcActive && (Prcb->DpcLooks != 0 || !IsListEmpty(&Prcb->DpcQueue));
}
EXPORT(KeShouldYieldProcessor);

/* ---- The watchdog ---- */

/*
 * Looks at the DPCs that a clock interrupt has interrupted; from then on the interrupts come every
 * KI_DPC_LOOK_MS. A look counts only if the same DPC was there at the one before: each stands for a stretch
 * of guest time and for an interrupt that this very processor has taken, so that a processor which is held up
 * by its host collects none. Bug check DPC_WATCHDOG_VIOLATION when one DPC has run for KiDpcLimitMs (option
 * dpc.limit), or DPCs without a pause for four times that.
 */
ULONG64 KiWatchDpcs(PKPRCB Prcb)
{
    ULONG Limit = KiDpcLimitMs / KI_DPC_LOOK_MS;
    Prcb->DpcLooks = Prcb->WatchedDpc == Prcb->Dpcs ? Prcb->DpcLooks + 1 : 0;
    Prcb->WatchedDpc = Prcb->Dpcs;
    Prcb->DrainLooks++;
    if (Prcb->DpcLooks > Limit) {
        KdBugCheck(DPC_WATCHDOG_VIOLATION, 0, Prcb->DpcLooks, Limit, (ULONG64)Prcb->DpcRoutine, NULL,
                   "a DPC (routine %p) has run for %u ms", Prcb->DpcRoutine, Prcb->DpcLooks * KI_DPC_LOOK_MS);
    }
    if (Prcb->DrainLooks > 4 * Limit) {
        KdBugCheck(DPC_WATCHDOG_VIOLATION, 1, Prcb->DrainLooks, 4 * Limit, (ULONG64)Prcb->DpcRoutine, NULL,
                   "DPCs have run without a pause for %u ms, now routine %p",
                   Prcb->DrainLooks * KI_DPC_LOOK_MS, Prcb->DpcRoutine);
    }
    return KiCyclesPerSecond / 1000 * KI_DPC_LOOK_MS;
}
