/* SPDX-License-Identifier: MIT */
/*
 * The scheduler: 32 FIFO ready queues a processor, a summary bit each, one lock a processor.
 *
 * Locks: Thread->Lock, then KPRCB.ReadyLock; never two ready locks together. A thread that is queued by one
 * processor while another still saves its context is safe to choose: ArchSwapContext waits for SwapBusy.
 *
 * Fenced pairs keep work from being forgotten. Each side writes its own, fences, and then reads the other's:
 *   idle against enqueue     an idle processor sets its bit in KiIdleMask and looks at the processors that have threads
 *                            to give away (KiSurplusMask); an enqueuer queues, sets that bit, and looks for idle ones.
 *   weaker against enqueue   a processor makes a lower priority its running one and looks at KiSurplusMask (KiLookAround);
 *                            an enqueuer whose thread has to wait looks at the running priorities (KiOfferWaiting).
 *   timer against enqueue    a processor writes QuantumDue or ArmedFor and looks for a rival (KiArmTimer); an enqueuer
 *                            queues, and looks whether the timer comes early enough (KiNeedsClock).
 */
#include "kernel/ke/ki.h"

volatile KAFFINITY KiIdleMask;
/* (a) Processors with a movable thread that waits, and not only until the processor has noticed it. */
static volatile KAFFINITY KiSurplusMask;

/* On the way from a signal to the thread that it wakes: inlined here, though other files call it too. */
#define KI_HOT __attribute__((always_inline)) inline

/* ---- Ready queues (the ReadyLock is held) ---- */

/* A thread is movable while another processor might run it. Those are counted apart, so that a processor that
   looks for work does not search queues of threads that are bound to their processor. */
void KiCountMovable(PKPRCB Prcb, PKTHREAD Thread)
{
    Thread->Movable = TRUE;
    Prcb->MovableAt[Thread->Priority]++;
    Prcb->MovableSummary |= 1u << Thread->Priority;
    Prcb->MovableAffinity |= Thread->Affinity;
}

void KiUncountMovable(PKPRCB Prcb, PKTHREAD Thread)
{
    Thread->Movable = FALSE;
    if (--Prcb->MovableAt[Thread->Priority] != 0) {
        return;
    }
    Prcb->MovableSummary &= ~(1u << Thread->Priority);
    if (Prcb->MovableSummary == 0) {
        Prcb->MovableAffinity = 0;
        if (Prcb->Surplus) {
            Prcb->Surplus = FALSE;
            __atomic_fetch_and(&KiSurplusMask, ~KiProcessorBit(Prcb->Number), __ATOMIC_SEQ_CST);
        }
    }
}

/* Movable threads will wait here: others may come for them. */
void KiAnnounceSurplus(PKPRCB Prcb)
{
    if (!Prcb->Surplus) {
        Prcb->Surplus = TRUE;
        __atomic_fetch_or(&KiSurplusMask, KiProcessorBit(Prcb->Number), __ATOMIC_SEQ_CST);
    }
}

/* Thread->ReadySince is a scan number while the thread is queued, and minus its age in scans while it is not:
   so its age goes along when it changes its queue. */
KI_HOT void KiInsertReady(PKPRCB Prcb, PKTHREAD Thread, bool Head)
{
    ULONG Priority = (ULONG)Thread->Priority;
    PLIST_ENTRY Queue = &Prcb->ReadyQueue[Priority];
    InsertHeadList(Head ? Queue : Queue->Blink, &Thread->ReadyListEntry); /* behind the last: it leads to the head */
    Prcb->ReadySummary |= 1u << Priority;
    Prcb->ReadyAt[Priority]++;
    if (Thread->Affinity & Prcb->Others) {
        KiCountMovable(Prcb, Thread);
    }
    Thread->ReadySince += Prcb->ScanCount;
#if DBG
    Thread->ReadyCycles = ArchReadCycles();
#endif
    if (Prcb->ScanDue == UINT64_MAX) {
        Prcb->ScanDue = ArchReadCycles() + KiCyclesPerSecond;
    }
}

void KiRemoveReady(PKPRCB Prcb, PKTHREAD Thread)
{
    RemoveEntryList(&Thread->ReadyListEntry);
    if (--Prcb->ReadyAt[Thread->Priority] == 0) {
        Prcb->ReadySummary &= ~(1u << Thread->Priority);
    }
    if (Thread->Movable) {
        KiUncountMovable(Prcb, Thread);
    }
    Thread->ReadySince -= Prcb->ScanCount;
}

/* A thread has been selected while some of those that wait are movable: perhaps it is one of them; those that
   are left are for others to take. */
__attribute__((noinline)) static void KiSelectedAmongMovable(PKPRCB Prcb, PKTHREAD Thread)
{
    if (Thread->Movable) {
        KiUncountMovable(Prcb, Thread);
    }
    if (Prcb->MovableSummary != 0) {
        KiAnnounceSurplus(Prcb);
    }
}

/* The highest ready thread of this processor, taken off its queue; the idle thread when there is none. */
static KI_HOT PKTHREAD KiSelectNextThread(PKPRCB Prcb)
{
    ULONG Summary = Prcb->ReadySummary;
    if (Summary == 0) {
        return Prcb->IdleThread;
    }
    ULONG Level = (ULONG)RtlHighestBit(Summary);
    PKTHREAD Thread = CONTAINING_RECORD(RemoveHeadList(&Prcb->ReadyQueue[Level]), KTHREAD, ReadyListEntry);
    if (--Prcb->ReadyAt[Level] == 0) {
        Prcb->ReadySummary = Summary & ~(1u << Level);
    }
    Thread->ReadySince = 0;
    if (Prcb->MovableSummary != 0) {
        KiSelectedAmongMovable(Prcb, Thread);
    }
    return Thread;
}

/* ---- Waking other processors ---- */

void KiRequestReschedule(PKPRCB Prcb)
{
    if (Prcb == KeGetCurrentPrcb()) {
        Prcb->Reschedule = TRUE;
        ArchSetPendingSoft(KSOFT_DISPATCH);
    } else {
        KiRequestIpi(Prcb, KIPI_RESCHEDULE);
    }
}

/* Takes an idle processor of the set for oneself, the first from From on: whoever clears its bit has it. */
static bool KiClaimIdle(KAFFINITY Wanted, ULONG From, ULONG *Number)
{
    for (;;) {
        KAFFINITY Idle = KiIdleMask & Wanted;
        if (Idle == 0) {
            return false;
        }
        ULONG Next = KiNextProcessor(Idle, From);
        if (__atomic_fetch_and(&KiIdleMask, ~KiProcessorBit(Next), __ATOMIC_SEQ_CST) & KiProcessorBit(Next)) {
            *Number = Next;
            return true;
        }
    }
}

/* A thread waits in a queue: an idle processor of the set is told to come and take it. False when there is
   none. */
static bool KiKickIdle(KAFFINITY Affinity)
{
    ULONG Number;
    if (!KiClaimIdle(Affinity, 0, &Number)) {
        return false;
    }
    KiRequestReschedule(KiProcessorBlock[Number]);
    return true;
}

/* A thread of this priority has been queued, and does not preempt. Does something that concerns it, the end
   of the running quantum or the starvation scan, come before the timer is set to fire? ReadyLock held; the
   processor itself may be moving ArmedFor and QuantumDue: see the fenced pair above. */
bool KiNeedsClock(PKPRCB Prcb, KPRIORITY Priority)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    ULONG64 Armed = Prcb->ArmedFor;
    if (__builtin_expect(Armed > Prcb->ScanDue, 0)) {
        return true;
    }
    return Priority >= Prcb->RunningBase && __builtin_expect(Armed > Prcb->QuantumDue, 0);
}

void KiRequestClock(PKPRCB Prcb)
{
    if (Prcb == KeGetCurrentPrcb()) {
        KiCheckQuantum(Prcb, ArchReadCycles());
        KiArmTimer(Prcb);
    } else {
        KiRequestIpi(Prcb, KIPI_CLOCK);
    }
}

/* ---- Placement ---- */

/* The priority that a processor runs, or is about to. Read without the lock: a hint; a request for a
   reschedule is decided again under the lock. */
static inline KPRIORITY KiPriorityAt(PKPRCB Prcb)
{
    KPRIORITY Running = Prcb->RunningPriority;
    ULONG Waiting = Prcb->ReadySummary;
    KPRIORITY Highest = Waiting != 0 ? RtlHighestBit(Waiting) : -1;
    return Highest > Running ? Highest : Running;
}

/* Those of the processors that run the lowest priority, *Lowest, if that is lower than the given one; else
   none. */
static KAFFINITY KiFindWeakest(KAFFINITY Processors, KPRIORITY Priority, KPRIORITY *Level)
{
    KPRIORITY Lowest = Priority - 1;
    KAFFINITY Weakest = 0;
    for (; Processors != 0; Processors &= Processors - 1) {
        KPRIORITY Here = KiPriorityAt(KiProcessorBlock[RtlLowestBit(Processors)]);
        if (Here < Lowest) {
            Lowest = Here;
            Weakest = 0;
        }
        if (Here == Lowest) {
            Weakest |= Processors & -Processors;
        }
    }
    *Level = Lowest;
    return Weakest;
}

/* Its quantum is over and its equals come first: they wait everywhere. The processor on which the fewest
   wait, if these are not more than here; with as many elsewhere it goes there, or one that shares its
   processor would never change places with one that has a processor to itself. The numbers are hints. */
static ULONG KiFindLightest(PKTHREAD Thread, KAFFINITY Processors)
{
    ULONG Level = (ULONG)Thread->Priority, Best = Thread->Processor;
    ULONG Fewest = KiProcessorBlock[Best]->ReadyAt[Level] + 1;
    Processors &= ~KiProcessorBit(Best);
    for (ULONG From = Best; Processors != 0; Processors &= ~KiProcessorBit(From)) {
        From = KiNextProcessor(Processors, From);
        PKPRCB Prcb = KiProcessorBlock[From];
        if (Prcb->RunningPriority == Thread->Priority && Prcb->ReadyAt[Level] < Fewest) {
            Fewest = Prcb->ReadyAt[Level];
            Best = From;
        }
    }
    return Best;
}

/* Where a thread goes: docs/architecture.md, "The scheduler". Where several would do: the one where it ran
   last, else the first from its ideal one on. An idle one has been claimed for it. */
static ULONG KiChooseProcessor(PKTHREAD Thread, KI_PLACE Place)
{
    ULONG Number, Last = Thread->Processor, Ideal = Thread->IdealProcessor;
    KAFFINITY Affinity = Thread->Affinity & KeActiveProcessors;
    if ((KiIdleMask & Affinity) != 0 &&
        (KiClaimIdle(Affinity & KiProcessorBit(Last), Last, &Number) || KiClaimIdle(Affinity, Ideal, &Number))) {
        return Number;
    }
    KPRIORITY Priority = Thread->Priority, Level;
    KAFFINITY Choice = KiFindWeakest(Affinity, Priority + 1, &Level);
    if (Choice == 0 || (Level == Priority && Place == KiPlaceHead)) {
        Choice = Affinity; /* it has to wait; a preempted one not for long, it may be hoped, where it is */
    } else if (Level == Priority && Place == KiPlaceTurn) {
        return KiFindLightest(Thread, Affinity);
    }
    return (Choice & KiProcessorBit(Last)) ? Last : KiNextProcessor(Choice, Ideal);
}

/* A movable thread waits. Whoever has become idle, or runs something below Priority, since its place was
   chosen is told. */
void KiOfferWaiting(KAFFINITY Affinity, KPRIORITY Priority)
{
    KPRIORITY Level;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (!KiKickIdle(Affinity)) {
        KAFFINITY Weakest = KiFindWeakest(Affinity & KeActiveProcessors, Priority, &Level);
        if (Weakest != 0) {
            KiRequestReschedule(KiProcessorBlock[RtlLowestBit(Weakest)]);
        }
    }
}

/* The end of a placement from which something follows, for the thread's processor or for others. */
__attribute__((noinline)) static void KiUnlockAndTell(PKPRCB Prcb, PKTHREAD Thread)
{
    KAFFINITY Affinity = Thread->Affinity;
    KPRIORITY Priority = Thread->Priority;
    bool Preempts = Priority > Prcb->RunningPriority;
    bool Unwatched = !Preempts && KiNeedsClock(Prcb, Priority);
    bool Offered = !Preempts && Thread->Movable;
    if (Offered) {
        KiAnnounceSurplus(Prcb);
        Priority += Prcb->RunningPriority > Priority; /* behind something higher: an equal is better, too */
    }
    KeReleaseLockFromDpc(&Thread->Lock);
    KeReleaseLockFromDpc(&Prcb->ReadyLock);
    if (Preempts) {
        KiRequestReschedule(Prcb);
    }
    if (Unwatched) {
        KiRequestClock(Prcb);
    }
    if (Offered) {
        KiOfferWaiting(Affinity, Priority);
    }
}

/* Thread->Lock is let go before the ready lock: from then on the thread may run, end, and be freed. A
   processor that was claimed for it, but that it does not preempt, has found other work meanwhile: then the
   thread waits like any. */
static KI_HOT void KiPlaceThreadOn(ULONG Number, PKTHREAD Thread, KI_PLACE Place)
{
    PKPRCB Prcb = KiProcessorBlock[Number];
    KeAcquireLockAtDpc(&Prcb->ReadyLock);
    if (KdTraces(Ready)) {
        if (Thread->Processor != Number) {
            KdWriteTrace(Migrate, Number, Thread, Thread->Processor);
        }
        KdWriteTrace(Ready, Number | Thread->State << 8 | Thread->Priority << 16, Thread, 0); /* the state that it had */
    }
    Thread->Processor = Number;
    Thread->State = Ready;
    KiInsertReady(Prcb, Thread, Place == KiPlaceHead);
    KPRIORITY Priority = Thread->Priority;
    if (__builtin_expect(Priority > Prcb->RunningPriority || Thread->Movable || KiNeedsClock(Prcb, Priority), 0)) {
        KiUnlockAndTell(Prcb, Thread);
        return;
    }
    KeReleaseLockFromDpc(&Thread->Lock);
    KeReleaseLockFromDpc(&Prcb->ReadyLock);
}

void KiPlaceThread(PKTHREAD Thread, KI_PLACE Place)
{
    ULONG Number = KeNumberProcessors == 1 ? 0 : KiChooseProcessor(Thread, Place);
    KiPlaceThreadOn(Number, Thread, Place);
}

/* New priority = base + increment, at most 15, for a thread of the variable class; never lower than it is. */
static inline void KiBoostThread(PKTHREAD Thread, KPRIORITY Increment)
{
    if (Increment > 0 && Thread->BasePriority < 16) {
        KPRIORITY Boosted = Thread->BasePriority + Increment;
        Boosted = Boosted > 15 ? 15 : Boosted;
        if (Boosted > Thread->Priority) {
            KdTrace(Priority, Boosted | Thread->Priority << 8, Thread, 0);
            Thread->Priority = (SCHAR)Boosted;
        }
    }
}

/* The thread has used up its quantum, and perhaps more of them, without a rival to give way to: each has cost
   a level of its boost all the same, and it is in the middle of the next one. Thread->Lock held; the thread
   is not running. */
__attribute__((noinline)) static void KiSettleQuantum(PKTHREAD Thread)
{
    LONG64 Quantum = (LONG64)KiQuantumOf(Thread);
    LONG64 Used = -Thread->QuantumLeft / Quantum + 1;
    Thread->QuantumLeft += Used * Quantum;
    KPRIORITY Decayed = KiDecayedPriority(Thread, Used);
    KdTrace(Priority, Decayed | Thread->Priority << 8, Thread, 0);
    Thread->Priority = (SCHAR)Decayed;
}

/* The rest of KiReady for a thread whose quantum is used up. */
__attribute__((noinline)) static void KiReadySpent(PKTHREAD Thread, KPRIORITY Increment)
{
    KiSettleQuantum(Thread);
    KiBoostThread(Thread, Increment);
    KiPlaceThread(Thread, KiPlaceTail);
}

/* Nothing comes after a call here: so the usual way has no register to save. Without a choice of processors
   it calls nothing at all. */
void KiReady(PKTHREAD Thread, KPRIORITY Increment)
{
    KeAcquireLockAtDpc(&Thread->Lock);
    KI_ASSERT(Thread->State == Waiting, "thread %p has state %d", Thread, Thread->State);
    if (__builtin_expect(Thread->QuantumLeft <= 0, 0)) {
        KiReadySpent(Thread, Increment);
        return;
    }
    KiBoostThread(Thread, Increment);
    if (KeNumberProcessors != 1) {
        KiPlaceThread(Thread, KiPlaceTail);
    } else {
        KiPlaceThreadOn(0, Thread, KiPlaceTail);
    }
}

void KiReadyChain(PKTHREAD Chain)
{
    if (Chain == NULL) {
        return;
    }
    PKTHREAD Thread = Chain->WakeNext; /* the first; the circle is cut behind the last */
    Chain->WakeNext = NULL;
    while (Thread != NULL) {
        PKTHREAD Next = Thread->WakeNext; /* read first: once ready, the thread may wait, and be claimed, again */
        KiReady(Thread, Thread->WakeIncrement);
        Thread = Next;
    }
}

void KeStartThread(PKTHREAD Thread)
{
    KIRQL Irql = KeAcquireLock(&Thread->Lock);
    KI_ASSERT(Thread->State == Initialized, "thread %p has state %d", Thread, Thread->State);
    KiPlaceThread(Thread, KiPlaceTail);
    KiLower(Irql);
}

/* ---- Switching ---- */

/* What others may know of the running thread. ReadyLock held. */
static inline void KiSetRunning(PKPRCB Prcb, PKTHREAD Thread)
{
    Prcb->RunningThread = Thread;
    Prcb->RunningPriorities = Thread->Priorities;
}

/*
 * Decides on New as the running thread of this processor and closes the books on Old. ReadyLock held. New's
 * own fields are not touched but for State: its former processor may still be saving it; New opens its books
 * itself (KiStartRunning).
 */
static inline void KiCommitSwitch(PKPRCB Prcb, PKTHREAD Old, PKTHREAD New)
{
    ULONG64 Now = ArchReadCycles();
    Old->CycleTime += Now - Prcb->SwitchCycles;
    Old->QuantumLeft = (LONG64)(Prcb->QuantumDue - Now);
    Prcb->SwitchCycles = Now;
    Prcb->QuantumDue = UINT64_MAX;
    Prcb->QuantumEnd = KiPlaceHead;
    New->State = Running;
    KiSetRunning(Prcb, New);
}

/* The highest movable thread that waits on Victim, above the given level, and may run on Prcb: taken off its
   queue, its lock held. *Busy: one was passed over because its lock was taken at the moment (it is ranked
   above the ready lock, and so is only tried). */
static PKTHREAD KiTakeFrom(PKPRCB Victim, PKPRCB Prcb, KPRIORITY Above, bool *Busy)
{
    PKTHREAD Found = NULL;
    KeAcquireLockAtDpc(&Victim->ReadyLock);
    for (ULONG Left = Victim->MovableSummary; Left != 0 && Found == NULL && RtlHighestBit(Left) > Above;
         Left &= ~(1u << RtlHighestBit(Left))) {
        PLIST_ENTRY Queue = &Victim->ReadyQueue[RtlHighestBit(Left)];
        for (PLIST_ENTRY Entry = Queue->Flink; Entry != Queue && Found == NULL; Entry = Entry->Flink) {
            PKTHREAD Thread = CONTAINING_RECORD(Entry, KTHREAD, ReadyListEntry);
            if ((Thread->Affinity & KiProcessorBit(Prcb->Number)) == 0) {
                continue;
            } else if (KeTryAcquireLockAtDpc(&Thread->Lock)) {
                Found = Thread;
            } else {
                *Busy = true;
            }
        }
    }
    if (Found != NULL) {
        KiRemoveReady(Victim, Found);
    }
    KeReleaseLockFromDpc(&Victim->ReadyLock);
    return Found;
}

/* A thread above that level waits on Victim: it is placed anew, most likely here. */
static void KiPull(PKPRCB Victim, PKPRCB Prcb, KPRIORITY Above)
{
    bool Busy;
    do {
        Busy = false;
        PKTHREAD Thread = KiTakeFrom(Victim, Prcb, Above, &Busy);
        if (Thread != NULL) {
            Prcb->Pulls++;
            KiPlaceThread(Thread, KiPlaceTail);
            return;
        }
    } while (Busy);
}

/* Threads wait on some processors though others may run them. Each that an idle processor may run, or that
   outranks what runs here, does not wait any longer; an equal of what runs here waits here rather than behind
   something higher. What waits here, perhaps because it has been overtaken on its way to run, is offered. */
__attribute__((noinline)) static void KiSpread(PKPRCB Prcb)
{
    for (KAFFINITY Left = KiSurplusMask; Left != 0; Left &= Left - 1) {
        PKPRCB Victim = KiProcessorBlock[RtlLowestBit(Left)];
        KAFFINITY Affinity = Victim->MovableAffinity;
        ULONG Levels = Victim->MovableSummary;
        if (Victim == Prcb && Levels != 0) {
            KiOfferWaiting(Affinity, (KPRIORITY)RtlHighestBit(Levels));
        } else if ((KiIdleMask & Affinity) != 0) {
            KiKickIdle(Affinity); /* but the one that waits longest here may not be for any that idles: look all the same */
        }
        if (Victim != Prcb && (Affinity & KiProcessorBit(Prcb->Number))) {
            KPRIORITY Above = Prcb->RunningPriority - (Victim->RunningPriority > Prcb->RunningPriority);
            if (Above >= -1 && Levels >> (Above + 1) != 0) {
                KiPull(Victim, Prcb, Above);
            }
        }
    }
}

static inline bool KiIsQuantumUnwatched(PKPRCB Prcb)
{
    return (Prcb->ReadySummary >> Prcb->RunningBase) != 0 && Prcb->ArmedFor > Prcb->QuantumDue;
}

/* Part of KiLookAround. */
__attribute__((noinline)) static void KiLookCloser(PKPRCB Prcb)
{
    if (KiIsQuantumUnwatched(Prcb)) {
        KiArmTimer(Prcb);
    }
    if (KiSurplusMask != 0) {
        KiSpread(Prcb);
    }
    KiNoteKernelApcs(ArchCurrentThread());
}

/* What runs here has changed: is the end of its quantum to be watched, is there somebody better, an APC for
   it? These are the other halves of fenced pairs; whoever queues an APC sets UserWork, then looks whether the
   thread runs, and where. DISPATCH, no lock held; not on the idle thread. */
static inline void KiLookAround(PKPRCB Prcb, PKTHREAD Thread)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (__builtin_expect(KiIsQuantumUnwatched(Prcb) || KiSurplusMask != 0 ||
                             (Thread->UserWork & KUSER_WORK_KERNEL_APC) != 0,
                         0)) {
        KiLookCloser(Prcb);
    }
}

/* The current thread has just been switched to: its quantum begins, or goes on. DISPATCH. */
KI_HOT void KiStartRunning(PKTHREAD Thread)
{
    PKPRCB Prcb = KeGetCurrentPrcb();
    Thread->ContextSwitches++;
    if (Thread == Prcb->IdleThread) {
        return;
    }
    if (Thread->QuantumLeft <= 0) { /* never begun; or used up so recently that whoever readied it did not know */
        Thread->QuantumLeft = (LONG64)KiQuantumOf(Thread);
    }
#if DBG
    if (KiRandomSeed != 0) {
        Prcb->RandomState = Prcb->RandomState * 6364136223846793005ULL + KiRandomSeed + Prcb->Number;
        Thread->QuantumLeft = (LONG64)((Prcb->RandomState >> 40) % KiQuantumOf(Thread) / 16 + 1000);
    }
#endif
    Prcb->QuantumDue = Prcb->SwitchCycles + (ULONG64)Thread->QuantumLeft;
    KiLookAround(Prcb, Thread);
}

/* Continues New; returns when somebody continues Old, perhaps on another processor. No lock held. Old is then
   the current thread again: that is not kept over the switch, but read anew. */
static KI_HOT void KiSwapThread(PKPRCB Prcb, PKTHREAD Old, PKTHREAD New, KD_TRACE_WHY Why)
{
    KdTrace(Switch, (Old->State == Terminated ? KdTraceExits : Why) | (UCHAR)Old->Priority << 8 | (UCHAR)New->Priority << 16, Old, New);
    Prcb->CurrentThread = New;
    if (__builtin_expect(New->ApcState.AddressSpace != Prcb->AddressSpace, 0)) {
        KeLoadAddressSpace(New->ApcState.AddressSpace);
    }
    ArchSwapContext(Old, New);
    KiStartRunning(ArchCurrentThread());
}

void KiBlock(void)
{
    PKPRCB Prcb = KeGetCurrentPrcb();
    PKTHREAD Thread = Prcb->CurrentThread;
#if DBG
    if (KiLocksHeld() != 0) {
        char Name[KD_NAME_SIZE];
        const KD_LOCK *Held = &Prcb->LockEntries[0];
        KdBugCheck(LOCK_HELD_WHILE_BLOCKING, (ULONG64)Held->Lock, (ULONG64)Thread, Held->Place[0], 0, NULL,
                   "thread %p blocks holding %u spin locks, the first: %s %s", Thread, KiLocksHeld(), Held->Class->Name,
                   KdName((const void *)Held->Lock, Name, sizeof(Name)));
    }
#endif
    Prcb->Reschedule = FALSE; /* whoever has asked for it is in the queue by now */
    KeAcquireLockAtDpc(&Prcb->ReadyLock);
    PKTHREAD Next = KiSelectNextThread(Prcb);
    if (Next == Thread) { /* somebody has readied it, on this processor, before it came to leave it */
        Thread->State = Running;
        KiSetRunning(Prcb, Thread);
        KeReleaseLockFromDpc(&Prcb->ReadyLock);
        KiLookAround(Prcb, Thread);
        return;
    }
    KiCommitSwitch(Prcb, Thread, Next);
    KeReleaseLockFromDpc(&Prcb->ReadyLock);
    KiSwapThread(Prcb, Thread, Next, KdTraceWaits);
}

NORETURN void KiExitThread(void)
{
    PKTHREAD Thread = ArchCurrentThread();
    Thread->State = Terminated;
    KiBlock();
    KdBugCheck(KERNEL_SECURITY_CHECK_FAILURE, (ULONG64)Thread, 0, 0, 0, NULL, "thread %p runs after its end", Thread);
}

/* Whether the running thread has to give way to what is ready here: the one question behind every preemption.
   ReadyLock held. */
static bool KiMustGiveWay(PKPRCB Prcb, PKTHREAD Thread)
{
    ULONG Rivals = Prcb->ReadySummary >> Thread->Priority; /* bit 0: its equals */
    return Rivals > 1 || (Rivals != 0 && Prcb->QuantumEnd != KiPlaceHead);
}

/* It has yielded to an equal that was queued here, and takes a place in the same queue: the clock need not be
   told, for KiStartRunning sees to it that the equal's quantum is watched. Both locks are held, and let go as
   in KiPlaceThreadOn. */
static inline void KiChangePlaces(PKPRCB Prcb, PKTHREAD Thread)
{
    KAFFINITY Affinity = Thread->Affinity;
    KPRIORITY Priority = Thread->Priority;
    KdTrace(Ready, Prcb->Number | Running << 8 | Priority << 16, Thread, 0);
    Thread->State = Ready;
    KiInsertReady(Prcb, Thread, false);
    bool Movable = Thread->Movable;
    if (Movable) {
        KiAnnounceSurplus(Prcb);
    }
    KeReleaseLockFromDpc(&Thread->Lock);
    KeReleaseLockFromDpc(&Prcb->ReadyLock);
    if (Movable) {
        KiOfferWaiting(Affinity, Priority);
    }
}

/* The running thread gives way if it has to, or may not stay on this processor; then it is placed as a woken
   one is, but, unless its turn is over, at the head of its level and with what is left of its quantum. One
   that yields stays here. */
static void KiPreempt(PKPRCB Prcb, PKTHREAD Thread)
{
    KeAcquireLockAtDpc(&Thread->Lock);
    KeAcquireLockAtDpc(&Prcb->ReadyLock);
    bool MustMove = (Thread->Affinity & Prcb->SetMember) == 0;
    if (!MustMove && !KiMustGiveWay(Prcb, Thread)) {
        Prcb->QuantumEnd = KiPlaceHead;
        KeReleaseLockFromDpc(&Prcb->ReadyLock);
        KeReleaseLockFromDpc(&Thread->Lock);
        KiLookAround(Prcb, Thread);
        return;
    }
    KI_PLACE Place = MustMove ? KiPlaceHead : (KI_PLACE)Prcb->QuantumEnd;
    PKTHREAD Next = KiSelectNextThread(Prcb);
    KiCommitSwitch(Prcb, Thread, Next);
    if (Thread->QuantumLeft <= 0) {
        KiSettleQuantum(Thread);
    }
    if (Place == KiPlaceTail && Prcb->RunningPriority == Thread->Priority) {
        KiChangePlaces(Prcb, Thread);
    } else {
        KeReleaseLockFromDpc(&Prcb->ReadyLock);
        KiPlaceThread(Thread, Place);
    }
    KiSwapThread(Prcb, Thread, Next, KdTracePreempted + Place); /* in the order of the places */
}

/* ---- Idle ---- */

/* Of these processors the one with the highest movable thread, NULL when none has any. Reads the summaries
   without the locks: a hint. */
static PKPRCB KiRichest(KAFFINITY Processors)
{
    PKPRCB Richest = NULL;
    ULONG Most = 0;
    for (; Processors != 0; Processors &= Processors - 1) {
        PKPRCB Candidate = KiProcessorBlock[RtlLowestBit(Processors)];
        ULONG Levels = Candidate->MovableSummary;
        if (Levels > Most) {
            Richest = Candidate;
            Most = Levels;
        }
    }
    return Richest;
}

static PKTHREAD KiSteal(PKPRCB Prcb)
{
    for (;;) {
        bool Busy = false;
        KAFFINITY Left = KiSurplusMask & Prcb->Others;
        PKPRCB Victim;
        while ((Victim = KiRichest(Left)) != NULL) {
            PKTHREAD Thread = KiTakeFrom(Victim, Prcb, -1, &Busy);
            if (Thread != NULL) {
                KdTrace(Migrate, Prcb->Number, Thread, Thread->Processor);
                Thread->State = Standby;
                Thread->Processor = Prcb->Number;
                Thread->ReadySince = 0;
                KeReleaseLockFromDpc(&Thread->Lock);
                Prcb->Steals++;
                return Thread;
            }
            Left &= ~KiProcessorBit(Victim->Number);
        }
        if (!Busy) {
            return NULL;
        }
        ArchPause();
    }
}

/* The idle thread looks for work, its own queues first; runs it and returns true when it is idle again. */
static bool KiRunFromIdle(void)
{
    PKPRCB Prcb = KeGetCurrentPrcb();
    Prcb->Reschedule = FALSE;
    PKTHREAD Stolen = Prcb->ReadySummary == 0 ? KiSteal(Prcb) : NULL;

    KeAcquireLockAtDpc(&Prcb->ReadyLock);
    PKTHREAD Next = Stolen;
    if (Next == NULL) {
        Next = KiSelectNextThread(Prcb);
        if (Next == Prcb->IdleThread) {
            KeReleaseLockFromDpc(&Prcb->ReadyLock);
            return false;
        }
    } else if (Prcb->ReadySummary != 0 && (KPRIORITY)RtlHighestBit(Prcb->ReadySummary) > Next->Priority) {
        Prcb->Reschedule = TRUE; /* something better has come meanwhile: it preempts at once */
        ArchSetPendingSoft(KSOFT_DISPATCH);
    }
    KiCommitSwitch(Prcb, Prcb->IdleThread, Next);
    KeReleaseLockFromDpc(&Prcb->ReadyLock);
    __atomic_fetch_and(&KiIdleMask, ~KiProcessorBit(Prcb->Number), __ATOMIC_SEQ_CST);
    if (Prcb->TickDue == 0) { /* it has idled: no ticks come then */
        KiArmTimer(Prcb);
    }
    KiSwapThread(Prcb, Prcb->IdleThread, Next, KdTraceIdle);
    return true;
}

/* An idle processor's life, at DISPATCH_LEVEL with interrupts on. */
NORETURN void KeIdleLoop(void)
{
    PKPRCB Prcb = KeGetCurrentPrcb();
    KAFFINITY Bit = KiProcessorBit(Prcb->Number);
    for (;;) {
        KiDrain();
        __atomic_fetch_or(&KiIdleMask, Bit, __ATOMIC_SEQ_CST);
        if (KiRunFromIdle()) {
            continue;
        }
        ArchDisableInterrupts();
        if (ArchPendingSoft() & KSOFT_DISPATCH) {
            ArchEnableInterrupts();
            continue;
        }
        Prcb->Halted = TRUE;
        ArchWaitForInterrupt();
        Prcb->Halted = FALSE;
    }
}

/* ---- Giving way ---- */

void KiReschedule(void)
{
    PKPRCB Prcb = KeGetCurrentPrcb();
    Prcb->Reschedule = FALSE;
    if (Prcb->CurrentThread == Prcb->IdleThread) {
        KiRunFromIdle();
    } else {
        KiPreempt(Prcb, Prcb->CurrentThread);
    }
}

void KeYieldExecution(void)
{
    KIRQL Irql = KiRaiseToDispatch();
    PKPRCB Prcb = KeGetCurrentPrcb();
    KI_ASSERT(Irql <= APC_LEVEL && !Prcb->DpcActive && KiLocksHeld() == 0, "yield at level %d", Irql);
    if (Prcb->ReadySummary != 0) { /* a thread that is queued this instant is as good as one queued after the yield */
        Prcb->QuantumEnd = KiPlaceTail;
        KiPreempt(Prcb, Prcb->CurrentThread);
    }
    KiLower(Irql);
}
