/* SPDX-License-Identifier: MIT */
/*
 * The scheduler: 32 FIFO ready queues a processor, a summary bit each, one lock a processor.
 *
 * Locks: Thread->Lock, then KPRCB.ReadyLock; never two ready locks together. A thread that is queued by one
 * processor while another still saves its context is safe to choose: ArchSwapContext waits for SwapBusy.
 *
 * Two fenced pairs keep work from being forgotten:
 *   idle against enqueue   an idle processor sets its bit in KiIdleMask, fences, then looks at all queues; an enqueuer
 *                          queues, fences, then looks at the mask and kicks an idle processor (KiKickIdle).
 *   timer against enqueue  a processor writes QuantumDue or ArmedFor, fences, then looks for a rival (KiArmTimer); an
 *                          enqueuer queues, fences, then looks whether the quantum end is armed (KiNeedsQuantum).
 */
#include "kernel/ke/ki.h"

volatile KAFFINITY KiIdleMask;

/* On the way from a signal to the thread that it wakes: inlined here, though other files call it too. */
#define KI_HOT __attribute__((always_inline)) inline

/* ---- Ready queues (the ReadyLock is held) ---- */

KI_HOT void KiInsertReady(PKPRCB Prcb, PKTHREAD Thread, bool Head)
{
    ULONG Priority = (ULONG)Thread->Priority;
    PLIST_ENTRY Queue = &Prcb->ReadyQueue[Priority];
    if (Head) {
        InsertHeadList(Queue, &Thread->ReadyListEntry);
    } else {
        InsertTailList(Queue, &Thread->ReadyListEntry);
    }
    Prcb->ReadySummary |= 1u << Priority;
    Prcb->ReadyCount++;
    Thread->ReadySince = Prcb->ScanCount;
    if (Prcb->ScanDue == UINT64_MAX) {
        Prcb->ScanDue = ArchReadCycles() + KiCyclesPerSecond;
    }
}

void KiRemoveReady(PKPRCB Prcb, PKTHREAD Thread)
{
    RemoveEntryList(&Thread->ReadyListEntry);
    if (IsListEmpty(&Prcb->ReadyQueue[Thread->Priority])) {
        Prcb->ReadySummary &= ~(1u << Thread->Priority);
    }
    Prcb->ReadyCount--;
}

/* The highest ready thread of this processor, taken off its queue; the idle thread when there is none. */
static KI_HOT PKTHREAD KiSelectNextThread(PKPRCB Prcb)
{
    ULONG Summary = Prcb->ReadySummary;
    if (Summary == 0) {
        return Prcb->IdleThread;
    }
    ULONG Level = (ULONG)RtlHighestBit(Summary);
    PLIST_ENTRY Queue = &Prcb->ReadyQueue[Level];
    PKTHREAD Thread = CONTAINING_RECORD(RemoveHeadList(Queue), KTHREAD, ReadyListEntry);
    if (IsListEmpty(Queue)) {
        Prcb->ReadySummary = Summary & ~(1u << Level);
    }
    Prcb->ReadyCount--;
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

/* Takes an idle processor of the set for oneself: whoever clears its bit has it. */
static bool KiClaimIdle(KAFFINITY Wanted, ULONG *Number)
{
    for (;;) {
        KAFFINITY Idle = KiIdleMask & Wanted;
        if (Idle == 0) {
            return false;
        }
        ULONG Lowest = RtlLowestBit(Idle);
        if (__atomic_fetch_and(&KiIdleMask, ~KiProcessorBit(Lowest), __ATOMIC_SEQ_CST) & KiProcessorBit(Lowest)) {
            *Number = Lowest;
            return true;
        }
    }
}

/* A thread was queued behind others: an idle processor that may run it is told to come and take it. */
void KiKickIdle(KAFFINITY Affinity)
{
    ULONG Number;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if ((KiIdleMask & Affinity) != 0 && KiClaimIdle(Affinity, &Number)) {
        KiRequestReschedule(KiProcessorBlock[Number]);
    }
}

/* Would a thread of this priority wait for the end of the running thread's quantum, and is that end not
   armed? ReadyLock held; the processor itself may be moving ArmedFor and QuantumDue: see the fenced pair
   above. */
bool KiNeedsQuantum(PKPRCB Prcb, KPRIORITY Priority)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return Priority >= Prcb->RunningBase && Prcb->ArmedFor > Prcb->QuantumDue;
}

void KiRequestQuantum(PKPRCB Prcb)
{
    if (Prcb == KeGetCurrentPrcb()) {
        KiArmTimer(Prcb);
    } else {
        KiRequestIpi(Prcb, KIPI_CLOCK);
    }
}

/* ---- Placement ---- */

/* The processor whose running thread has the lowest priority, if that is lower than the thread's own. Reads
   the priorities without the locks: a hint; the reschedule request is decided again under the lock. */
static bool KiFindWeakest(PKTHREAD Thread, ULONG *Number)
{
    SCHAR Lowest = Thread->Priority;
    bool Found = false;
    for (KAFFINITY Left = Thread->Affinity & KeActiveProcessors; Left != 0; Left &= Left - 1) {
        ULONG Candidate = RtlLowestBit(Left);
        SCHAR Running = KiProcessorBlock[Candidate]->RunningPriority;
        if (Running < Lowest) {
            Lowest = Running;
            *Number = Candidate;
            Found = true;
        }
    }
    return Found;
}

/* Where a woken thread goes: see architecture, "Threads and the scheduler". With KI_CLAIMED: the processor
   was idle, and has been taken for this thread. */
#define KI_CLAIMED 0x80000000u

static ULONG KiChooseProcessor(PKTHREAD Thread)
{
    ULONG Number;
    KAFFINITY Affinity = Thread->Affinity & KeActiveProcessors;
    if ((KiIdleMask & Affinity) != 0 &&
        (KiClaimIdle(Affinity & KiProcessorBit(Thread->Processor), &Number) ||
         KiClaimIdle(Affinity & KiProcessorBit(Thread->IdealProcessor), &Number) || KiClaimIdle(Affinity, &Number))) {
        return Number | KI_CLAIMED;
    }
    if (KiFindWeakest(Thread, &Number)) {
        return Number;
    }
    return (Affinity & KiProcessorBit(Thread->Processor)) ? Thread->Processor : (ULONG)RtlLowestBit(Affinity);
}

/* What a placement asks of processors. Kick: idle ones of the set may have the thread, or whom it displaces.
   */
__attribute__((noinline)) static void KiTellPlaced(PKPRCB Prcb, bool Preempt, bool Quantum, KAFFINITY Kick)
{
    if (Preempt) {
        KiRequestReschedule(Prcb);
    } else if (Quantum) {
        KiRequestQuantum(Prcb);
    }
    if (Kick != 0) {
        KiKickIdle(Kick);
    }
}

/* Thread->Lock is let go before the ready lock: from then on the thread may run, end, and be freed. A claimed
   processor that it does not preempt has found other work before the thread stood in its queue: then another
   idle one is to take it. */
KI_HOT void KiPlaceThread(PKTHREAD Thread, bool Head)
{
    bool Alone = KeNumberProcessors == 1;
    ULONG Choice = Alone ? KI_CLAIMED : KiChooseProcessor(Thread);
    ULONG Number = Choice & ~KI_CLAIMED;
    PKPRCB Prcb = KiProcessorBlock[Number];
    KAFFINITY Affinity = Thread->Affinity;

    KeAcquireLockAtDpc(&Prcb->ReadyLock);
    Thread->Processor = Number;
    Thread->State = Ready;
    KiInsertReady(Prcb, Thread, Head);
    bool Preempt = Thread->Priority > Prcb->RunningPriority;
    bool Quantum = !Preempt && KiNeedsQuantum(Prcb, Thread->Priority);
    KdTrace(KdTraceReady, (ULONG64)Thread, Number);
    KeReleaseLockFromDpc(&Thread->Lock);
    KeReleaseLockFromDpc(&Prcb->ReadyLock);

    if (Preempt || Quantum || !Alone) {
        KiTellPlaced(Prcb, Preempt, Quantum, (Choice & KI_CLAIMED) && Preempt ? 0 : Affinity);
    }
}

/* New priority = base + increment, at most 15, for a thread of the variable class; never lower than it is. */
static inline void KiBoostThread(PKTHREAD Thread, KPRIORITY Increment)
{
    if (Increment > 0 && Thread->BasePriority < 16) {
        KPRIORITY Boosted = Thread->BasePriority + Increment;
        Boosted = Boosted > 15 ? 15 : Boosted;
        if (Boosted > Thread->Priority) {
            Thread->Priority = (SCHAR)Boosted;
        }
    }
}

void KiReady(PKTHREAD Thread, KPRIORITY Increment)
{
    KeAcquireLockAtDpc(&Thread->Lock);
    KI_ASSERT(Thread->State == Waiting, "thread %p has state %d", Thread, Thread->State);
    KiBoostThread(Thread, Increment);
    KiPlaceThread(Thread, false);
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
    KiPlaceThread(Thread, false);
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
    Prcb->QuantumEnd = FALSE;
    New->State = Running;
    KiSetRunning(Prcb, New);
}

/* Arms the quantum end if a rival is ready: the other half of the fenced pair with KiNeedsQuantum. */
static inline void KiWatchQuantum(PKPRCB Prcb)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if ((Prcb->ReadySummary >> Prcb->RunningBase) != 0 && Prcb->ArmedFor > Prcb->QuantumDue) {
        KiArmTimer(Prcb);
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
    if ((ULONG64)Thread->QuantumLeft - 1 >= KiQuantumCycles) { /* used up, or never begun */
        Thread->QuantumLeft = (LONG64)KiQuantumCycles;
    }
#if DBG
    if (KiRandomSeed != 0) {
        Prcb->RandomState = Prcb->RandomState * 6364136223846793005ULL + KiRandomSeed + Prcb->Number;
        Thread->QuantumLeft = (LONG64)((Prcb->RandomState >> 40) % KiQuantumCycles / 16 + 1000);
    }
#endif
    Prcb->QuantumDue = Prcb->SwitchCycles + (ULONG64)Thread->QuantumLeft;
    KiWatchQuantum(Prcb);
}

/* Continues New; returns when somebody continues Old, perhaps on another processor. No lock held. */
static KI_HOT void KiSwapThread(PKPRCB Prcb, PKTHREAD Old, PKTHREAD New)
{
    KdTrace(KdTraceSwitch, (ULONG64)Old, (ULONG64)New);
    Prcb->CurrentThread = New;
    PKADDRESS_SPACE Space = New->AttachedProcess->AddressSpace;
    if (Space != Prcb->AddressSpace) {
        KeLoadAddressSpace(Space);
    }
    ArchSwapContext(Old, New);
    KiStartRunning(Old);
}

void KiBlock(void)
{
    PKPRCB Prcb = KeGetCurrentPrcb();
    PKTHREAD Thread = Prcb->CurrentThread;
#if DBG
    if (KiLocksHeld() != 0) {
        KdBugCheck(LOCK_HELD_WHILE_BLOCKING, (ULONG64)Prcb->Held[0].Lock, Prcb->Held[0].Class, 0, 0, NULL,
                   "thread %p blocks holding %u spin locks", Thread, KiLocksHeld());
    }
#endif
    KeAcquireLockAtDpc(&Prcb->ReadyLock);
    PKTHREAD Next = KiSelectNextThread(Prcb);
    if (Next == Thread) { /* somebody has readied it, on this processor, before it came to leave it */
        Thread->State = Running;
        KiSetRunning(Prcb, Thread);
        KeReleaseLockFromDpc(&Prcb->ReadyLock);
        KiWatchQuantum(Prcb);
        return;
    }
    KiCommitSwitch(Prcb, Thread, Next);
    KeReleaseLockFromDpc(&Prcb->ReadyLock);
    KiSwapThread(Prcb, Thread, Next);
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
    if (Prcb->ReadySummary == 0) {
        return false;
    }
    KPRIORITY Highest = RtlHighestBit(Prcb->ReadySummary);
    return Highest > Thread->Priority || (Prcb->QuantumEnd && Highest == Thread->Priority);
}

/* The running thread gives way if it has to, or may not stay on this processor; then it is placed as a woken
   one is, but, unless its quantum is over, at the head of its level and with what is left of its quantum. */
static void KiPreempt(PKPRCB Prcb, PKTHREAD Thread)
{
    KeAcquireLockAtDpc(&Thread->Lock);
    KeAcquireLockAtDpc(&Prcb->ReadyLock);
    bool MustMove = (Thread->Affinity & KiProcessorBit(Prcb->Number)) == 0;
    if (!MustMove && !KiMustGiveWay(Prcb, Thread)) {
        Prcb->QuantumEnd = FALSE;
        KeReleaseLockFromDpc(&Prcb->ReadyLock);
        KeReleaseLockFromDpc(&Thread->Lock);
        return;
    }
    PKTHREAD Next = KiSelectNextThread(Prcb);
    bool Head = MustMove || !Prcb->QuantumEnd;
    KiCommitSwitch(Prcb, Thread, Next);
    KeReleaseLockFromDpc(&Prcb->ReadyLock);
    KiPlaceThread(Thread, Head);
    KiSwapThread(Prcb, Thread, Next);
}

/* ---- Idle ---- */

/* Takes a ready thread off another processor's queues, the highest that may run here. *Busy: one was passed
   over because its lock was taken at the moment. */
static PKTHREAD KiStealFrom(PKPRCB Victim, PKPRCB Prcb, bool *Busy)
{
    PKTHREAD Found = NULL;
    KeAcquireLockAtDpc(&Victim->ReadyLock);
    for (ULONG Left = Victim->ReadySummary; Left != 0 && Found == NULL; Left &= ~(1u << RtlHighestBit(Left))) {
        PLIST_ENTRY Queue = &Victim->ReadyQueue[RtlHighestBit(Left)];
        for (PLIST_ENTRY Entry = Queue->Flink; Entry != Queue && Found == NULL; Entry = Entry->Flink) {
            PKTHREAD Thread = CONTAINING_RECORD(Entry, KTHREAD, ReadyListEntry);
            if (!KeTryAcquireLockAtDpc(&Thread->Lock)) { /* ranked above the ready lock: only tried */
                *Busy = true;
                continue;
            }
            if (Thread->Affinity & KiProcessorBit(Prcb->Number)) {
                Found = Thread;
                KiRemoveReady(Victim, Thread);
                Thread->State = Standby;
                Thread->Processor = Prcb->Number;
            }
            KeReleaseLockFromDpc(&Thread->Lock);
        }
    }
    KeReleaseLockFromDpc(&Victim->ReadyLock);
    return Found;
}

/* The one of these processors with the most ready threads, NULL when none has any. Reads the counts without
   the locks: a hint. */
static PKPRCB KiBusiest(KAFFINITY Processors)
{
    PKPRCB Busiest = NULL;
    ULONG Most = 0;
    for (; Processors != 0; Processors &= Processors - 1) {
        PKPRCB Candidate = KiProcessorBlock[RtlLowestBit(Processors)];
        ULONG Count = __atomic_load_n(&Candidate->ReadyCount, __ATOMIC_RELAXED);
        if (Count > Most) {
            Busiest = Candidate;
            Most = Count;
        }
    }
    return Busiest;
}

static PKTHREAD KiSteal(PKPRCB Prcb)
{
    for (;;) {
        bool Busy = false;
        KAFFINITY Left = KeActiveProcessors & ~KiProcessorBit(Prcb->Number);
        PKPRCB Victim;
        while ((Victim = KiBusiest(Left)) != NULL) {
            PKTHREAD Thread = KiStealFrom(Victim, Prcb, &Busy);
            if (Thread != NULL) {
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

/* A kick that was meant for this processor may be spent on it now that it has found other work: the other idle
   ones get it, all of them, for which may run the thread nobody remembers. Who kicks has inserted before
   claiming our bit, so that a kick which is lost is seen as a ready thread; KiPlaceThread, which claims first,
   sees for itself. */
static void KiPassOnKick(void)
{
    KAFFINITY Idle = KiIdleMask;
    if (Idle == 0 || KiBusiest(KeActiveProcessors) == NULL) {
        return;
    }
    for (; Idle != 0; Idle &= Idle - 1) {
        KiKickIdle(Idle & -Idle);
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
    KiPassOnKick();
    KiSwapThread(Prcb, Prcb->IdleThread, Next);
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
        ULONG64 Start = ArchReadCycles();
        ArchWaitForInterrupt();
        Prcb->IdleCycles += ArchReadCycles() - Start;
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
        Prcb->QuantumEnd = TRUE;
        KiPreempt(Prcb, Prcb->CurrentThread);
    }
    KiLower(Irql);
}
