/* SPDX-License-Identifier: MIT */
/*
 * Priorities and affinities of threads, and the starvation scan. Locks: Thread->Lock, then the ReadyLock of
 * its processor.
 */
#include "kernel/ke/ki.h"

/* Whether the thread stands in a ready queue now; then its ReadyLock is held on return (*Prcb), else nothing
   is. Thread->Lock held, so that nobody but the selecting processor moves it. */
static bool KiLockQueued(PKTHREAD Thread, PKPRCB *Prcb)
{
    if (Thread->State != Ready) {
        return false;
    }
    *Prcb = KiProcessorBlock[Thread->Processor];
    KeAcquireLockAtDpc(&(*Prcb)->ReadyLock);
    if (Thread->State == Ready) {
        return true;
    }
    KeReleaseLockFromDpc(&(*Prcb)->ReadyLock); /* it has just been selected */
    return false;
}

/* If the thread runs, or is about to (its State alone does not tell: it may be on its way into or out of a
   wait), its processor's idea of the running priority follows. Thread->Lock held, released. */
static void KiRunningPriorityChanged(PKTHREAD Thread)
{
    PKPRCB Prcb = KiProcessorBlock[Thread->Processor];
    bool Lowered = false, Quantum = false;
    KeAcquireLockAtDpc(&Prcb->ReadyLock);
    if (Prcb->RunningThread == Thread) {
        Lowered = Thread->Priority < Prcb->RunningPriority;
        Prcb->RunningPriority = Thread->Priority;
        Prcb->RunningBase = Thread->BasePriority;
        if (Prcb->ReadySummary != 0) {
            Quantum = KiNeedsClock(Prcb, RtlHighestBit(Prcb->ReadySummary));
        }
    }
    KeReleaseLockFromDpc(&Prcb->ReadyLock);
    KeReleaseLockFromDpc(&Thread->Lock);
    if (Lowered) { /* somebody here or, if he waits on another processor, there may outrank it now */
        KiRequestReschedule(Prcb);
    }
    if (Quantum) {
        KiRequestClock(Prcb);
    }
}

/* Thread->Lock held, released. */
static void KiSetPriority(PKTHREAD Thread, KPRIORITY Priority)
{
    PKPRCB Prcb;
    KdTrace(Priority, Priority | Thread->Priority << 8, Thread, 0);
    if (Priority != Thread->Priority && KiLockQueued(Thread, &Prcb)) {
        KiRemoveReady(Prcb, Thread);
        KeReleaseLockFromDpc(&Prcb->ReadyLock);
        Thread->Priority = (SCHAR)Priority;
        KiPlaceThread(Thread, KiPlaceTail);
        return;
    }
    Thread->Priority = (SCHAR)Priority;
    KiRunningPriorityChanged(Thread);
}

/* A new base priority, which is the current one, too. Thread->Lock held, released; lowers the level. */
static void KiSetBase(PKTHREAD Thread, KPRIORITY Priority, KIRQL Irql)
{
    Thread->BasePriority = (SCHAR)Priority;
    Thread->StarvationBoost = FALSE;
    KiSetPriority(Thread, Priority);
    KiLower(Irql);
}

/* Sets the base and current priority, 1 to 31; returns the current one before. PASSIVE. (WDK:
   KeSetPriorityThread) */
KPRIORITY KeSetPriorityThread(PKTHREAD Thread, KPRIORITY Priority)
{
    KI_ASSERT(Priority >= 1 && Priority <= 31, "priority %d", Priority);
    KIRQL Irql = KeAcquireLock(&Thread->Lock);
    KPRIORITY Old = Thread->Priority;
    KiSetBase(Thread, Priority, Irql);
    return Old;
}
EXPORT(KeSetPriorityThread);

/* The priority at which the thread runs now, 0 to 31, boosts included. Without a lock: it may change at any
   moment. <= DISPATCH_LEVEL; does not block. (WDK page of the name) */
KPRIORITY KeQueryPriorityThread(PKTHREAD Thread)
{
    return Thread->Priority; /* one byte; as old as any answer */
}
EXPORT(KeQueryPriorityThread);

/* Base = process base + Increment, kept on its side of the line between 15 and 16. Returns the increment
   before. (WDK: KeSetBasePriorityThread) */
LONG KeSetBasePriorityThread(PKTHREAD Thread, LONG Increment)
{
    KIRQL Irql = KeAcquireLock(&Thread->Lock);
    KPRIORITY Base = Thread->Process->BasePriority;
    LONG Old = Thread->BasePriority - Base;
    KPRIORITY Low = Base >= 16 ? 16 : 1, High = Base >= 16 ? 31 : 15;
    KPRIORITY New = Increment < Low - Base ? Low : Increment > High - Base ? High : Base + Increment;
    KiSetBase(Thread, New, Irql);
    return Old;
}
EXPORT(KeSetBasePriorityThread);

/* The affinity of a thread that is queued on a processor that it may still use: it keeps its place.
   Thread->Lock and ReadyLock held, released. */
static void KiChangeQueuedAffinity(PKPRCB Prcb, PKTHREAD Thread, KAFFINITY Affinity)
{
    KPRIORITY Priority = Thread->Priority;
    if (Thread->Movable) {
        KiUncountMovable(Prcb, Thread);
    }
    Thread->Affinity = Affinity;
    bool Movable = (Affinity & Prcb->Others) != 0;
    if (Movable) {
        KiCountMovable(Prcb, Thread);
        KiAnnounceSurplus(Prcb);
    }
    KeReleaseLockFromDpc(&Prcb->ReadyLock);
    KeReleaseLockFromDpc(&Thread->Lock);
    if (Movable) {
        KiOfferWaiting(Affinity, Priority);
    }
}

/* The affinity in force follows from the thread's two: it leaves a processor that it may no longer use.
   Thread->Lock held, released; lowers the level. */
static void KiApplyAffinity(PKTHREAD Thread, KIRQL Irql)
{
    PKPRCB Prcb;
    ULONG Processor = Thread->Processor;
    KAFFINITY Affinity = Thread->SystemAffinity != 0 ? Thread->SystemAffinity : Thread->UserAffinity;
    bool MustMove = (Affinity & KiProcessorBit(Processor)) == 0;
    if (Affinity == Thread->Affinity) {
        KeReleaseLockFromDpc(&Thread->Lock);
    } else if (!KiLockQueued(Thread, &Prcb)) {
        bool Runs = Thread->State != Initialized; /* Waiting may be on its way back; a request too many is harmless */
        Thread->Affinity = Affinity;
        KeReleaseLockFromDpc(&Thread->Lock);
        if (MustMove && Runs) {
            KiRequestReschedule(KiProcessorBlock[Processor]);
        }
    } else if (MustMove) {
        KiRemoveReady(Prcb, Thread);
        Thread->Affinity = Affinity;
        KeReleaseLockFromDpc(&Prcb->ReadyLock);
        KiPlaceThread(Thread, KiPlaceTail);
    } else {
        KiChangeQueuedAffinity(Prcb, Thread, Affinity);
    }
    KiLower(Irql);
}

/* Sets the processors on which the thread may run while it has no system affinity. Those that are not active
   do not count. Returns the old set; bug check INVALID_AFFINITY_SET when none is left. <= DISPATCH_LEVEL. It
   does not wait until a running thread has moved, except that the current thread has, below DISPATCH_LEVEL.
   (WDK page of the name) */
KAFFINITY KeSetAffinityThread(PKTHREAD Thread, KAFFINITY Affinity)
{
    Affinity &= KeActiveProcessors;
    if (Affinity == 0) {
        KdBugCheck(INVALID_AFFINITY_SET, (ULONG64)Thread, 0, 0, 0, NULL, "no active processor in the affinity");
    }
    KIRQL Irql = KeAcquireLock(&Thread->Lock);
    KAFFINITY Old = Thread->UserAffinity & KeActiveProcessors; /* a process begins with all that there could be */
    Thread->UserAffinity = Affinity;
    KiApplyAffinity(Thread, Irql);
    return Old;
}
EXPORT(KeSetAffinityThread);

/* Sets the processor that is preferred for the thread where several would do; MAXIMUM_PROCESSORS, or one that
   is not active, leaves it as it is. Returns the one before. <= DISPATCH_LEVEL. (no WDK page) */
UCHAR KeSetIdealProcessorThread(PKTHREAD Thread, UCHAR Processor)
{
    KIRQL Irql = KeAcquireLock(&Thread->Lock);
    ULONG Old = Thread->IdealProcessor;
    if (Processor < KeNumberProcessors) {
        Thread->IdealProcessor = Processor;
    }
    KeReleaseLock(&Thread->Lock, Irql);
    return (UCHAR)Old;
}
EXPORT(KeSetIdealProcessorThread);

static KAFFINITY KiSetSystemAffinity(KAFFINITY Affinity)
{
    PKTHREAD Thread = ArchCurrentThread();
    KIRQL Irql = KeAcquireLock(&Thread->Lock);
    KAFFINITY Old = Thread->SystemAffinity;
    Thread->SystemAffinity = Affinity;
    KiApplyAffinity(Thread, Irql);
    return Old;
}

/* The current thread runs on the given processors only; has no effect when none of them is active. Returns
   the system affinity before, 0 when there was none. <= DISPATCH: at APC_LEVEL or below it has moved on
   return. (WDK page of the name) */
KAFFINITY KeSetSystemAffinityThreadEx(KAFFINITY Affinity)
{
    Affinity &= KeActiveProcessors;
    return Affinity != 0 ? KiSetSystemAffinity(Affinity) : ArchCurrentThread()->SystemAffinity;
}
EXPORT(KeSetSystemAffinityThreadEx);

/* Back to Affinity, as KeSetSystemAffinityThreadEx has returned it; 0, or no active processor: to the user
   affinity. (WDK page of the name) */
VOID KeRevertToUserAffinityThreadEx(KAFFINITY Affinity)
{
    KiSetSystemAffinity(Affinity & KeActiveProcessors);
}
EXPORT(KeRevertToUserAffinityThreadEx);

/* A thread of the queue that has been starved, its lock taken; NULL when none of the first few is. The head
   has not always waited longest: a preempted thread goes there. ReadyLock held. */
static PKTHREAD KiFindStarved(PKPRCB Prcb, PLIST_ENTRY Queue)
{
    PLIST_ENTRY Entry = Queue->Flink;
    for (ULONG i = 0; i < KI_SCAN_THREADS && Entry != Queue; i++, Entry = Entry->Flink) {
        PKTHREAD Thread = CONTAINING_RECORD(Entry, KTHREAD, ReadyListEntry);
        if (Prcb->ScanCount - Thread->ReadySince >= KI_STARVED_SECONDS && KeTryAcquireLockAtDpc(&Thread->Lock)) {
            return Thread;
        }
    }
    return NULL;
}

/* Lifts one starved thread of this processor's queues; false when there is none. ReadyLock held. */
static bool KiLiftStarved(PKPRCB Prcb)
{
    for (ULONG Left = Prcb->ReadySummary & ((1u << KI_STARVED_PRIORITY) - 2); Left != 0; Left &= Left - 1) {
        PKTHREAD Thread = KiFindStarved(Prcb, &Prcb->ReadyQueue[RtlLowestBit(Left)]);
        if (Thread != NULL) {
            KiRemoveReady(Prcb, Thread);
            KdTrace(Priority, KI_STARVED_PRIORITY | Thread->Priority << 8, Thread, 0);
            Thread->Priority = KI_STARVED_PRIORITY;
            Thread->StarvationBoost = TRUE;
            KiInsertReady(Prcb, Thread, false);
            KeReleaseLockFromDpc(&Thread->Lock);
            return true;
        }
    }
    return false;
}

/* The highest thread of the processor's queues that another one might run; NULL: none is found at the head of
   its queue. ReadyLock held. */
static PKTHREAD KiHighestMovable(PKPRCB Prcb)
{
    PLIST_ENTRY Queue = &Prcb->ReadyQueue[Prcb->MovableSummary != 0 ? RtlHighestBit(Prcb->MovableSummary) : 0];
    PLIST_ENTRY Entry = Queue->Flink;
    for (ULONG i = 0; i < KI_SCAN_THREADS && Entry != Queue; i++, Entry = Entry->Flink) {
        PKTHREAD Thread = CONTAINING_RECORD(Entry, KTHREAD, ReadyListEntry);
        if (Thread->Movable) {
            return Thread;
        }
    }
    return NULL;
}

/* Once a second, while anything is ready here: threads that were ready but unserved for some seconds get
   priority 15 for one quantum. DISPATCH. */
void KiStarvationScan(PKPRCB Prcb, ULONG64 Now)
{
    ULONG Lifted = 0;
    KeAcquireLockAtDpc(&Prcb->ReadyLock);
    PKTHREAD Movable = KiHighestMovable(Prcb);
    if (Movable != NULL) {
        KdCheckPriorities(Prcb, Movable, KiCyclesPerQuantumUnit);
    }
    Prcb->ScanCount++;
    while (Lifted < KI_SCAN_BOOSTS && KiLiftStarved(Prcb)) {
        Lifted++;
    }
    Prcb->ScanDue = Prcb->ReadySummary == 0 ? UINT64_MAX : Now + KiCyclesPerSecond;
    bool Preempt = Lifted > 0 && Prcb->RunningPriority < KI_STARVED_PRIORITY;
    Movable = KiHighestMovable(Prcb); /* a lift may have made it another */
    KAFFINITY Affinity = Movable != NULL ? Movable->Affinity : 0;
    KPRIORITY Priority = Movable != NULL ? Movable->Priority : 0;
    KeReleaseLockFromDpc(&Prcb->ReadyLock);
    if (Preempt) {
        KiRequestReschedule(Prcb);
    } else if (Affinity != 0 && Priority < Prcb->RunningPriority) {
        KiOfferWaiting(Affinity, Priority + 1); /* what preempted an equal, before them, stays long */
    }
}

KPRIORITY KiDecayedPriority(PKTHREAD Thread, LONG64 Quanta)
{
    KPRIORITY Boost = Thread->Priority - Thread->BasePriority;
    if (Boost <= 0) {
        return Thread->Priority;
    }
    if (Thread->StarvationBoost || Quanta >= Boost) {
        Thread->StarvationBoost = FALSE;
        return Thread->BasePriority;
    }
    return Thread->Priority - (KPRIORITY)Quanta;
}

/* The current thread has used so many quanta up. DISPATCH, no lock held. */
static void KiDecay(PKTHREAD Thread, LONG64 Quanta)
{
    KeAcquireLockAtDpc(&Thread->Lock);
    KPRIORITY Priority = KiDecayedPriority(Thread, Quanta);
    if (Priority != Thread->Priority) {
        KiSetPriority(Thread, Priority);
    } else {
        KeReleaseLockFromDpc(&Thread->Lock);
    }
}

void KiRenewQuantum(PKPRCB Prcb, ULONG64 Now)
{
    ULONG64 Quantum = KiQuantumOf(Prcb->CurrentThread);
    ULONG64 Used = (Now - Prcb->QuantumDue) / Quantum + 1;
    Prcb->QuantumDue += Used * Quantum;
    KiDecay(Prcb->CurrentThread, (LONG64)Used);
}

/* The quantum of the running thread is over: a boost decays by one level, a starved thread falls back to its
   base; then its equals come first. DISPATCH, on the thread's processor. */
void KiQuantumEnd(PKPRCB Prcb)
{
    Prcb->QuantumDue = ArchReadCycles() + KiQuantumOf(Prcb->CurrentThread);
    Prcb->QuantumEnd = KiPlaceTurn;
    KiDecay(Prcb->CurrentThread, 1);
    KiRequestReschedule(Prcb);
}
