/* SPDX-License-Identifier: MIT */
/* What the starter of lab 5 has in place of the functions that are to be written. With all of them the kernel
   boots: threads run, though not always where they should. */

/* hole affinity: puts a thread's new affinity into force, whatever the thread is doing */
static void KiApplyAffinity(PKTHREAD Thread, KIRQL Irql)
{
    PKPRCB Prcb;
    KAFFINITY Affinity = Thread->SystemAffinity != 0 ? Thread->SystemAffinity : Thread->UserAffinity;
    LAB_TODO("5.affinity");
    /* To be written: nothing changes; it runs, or is about to; it is queued where it may not stay. What stands
       here leaves it where it is. */
    if (KiLockQueued(Thread, &Prcb)) {
        KiChangeQueuedAffinity(Prcb, Thread, Affinity);
    } else {
        Thread->Affinity = Affinity;
        KeReleaseLockFromDpc(&Thread->Lock);
    }
    KiLower(Irql);
}

/* hole choose: says on which processor a thread is readied */
static ULONG KiChooseProcessor(PKTHREAD Thread, KI_PLACE Place)
{
    KAFFINITY Affinity = Thread->Affinity & KeActiveProcessors;
    ULONG Here = KeGetCurrentPrcb()->Number;
    LAB_TODO("5.choose");
    /* To be written: one that idles, the weakest, the one where it ran last, the ideal one. What stands here is
       the one where somebody has readied it, or the first that it may use. */
    if (Place == KiPlaceTurn) {
        return KiFindLightest(Thread, Affinity);
    }
    return (Affinity & KiProcessorBit(Here)) ? Here : (ULONG)RtlLowestBit(Affinity);
}

/* hole weakest: finds those processors that run the lowest priority */
static KAFFINITY KiFindWeakest(KAFFINITY Processors, KPRIORITY Priority, KPRIORITY *Level)
{
    LAB_TODO("5.weakest");
    /* To be written. What stands here finds none. */
    *Level = Priority - 1;
    return 0;
}

/* hole lightest: finds the processor on which the fewest equals wait */
static ULONG KiFindLightest(PKTHREAD Thread, KAFFINITY Processors)
{
    LAB_TODO("5.lightest");
    /* To be written. What stands here stays where it is. */
    return Thread->Processor;
}

/* hole take: takes the highest thread that may run here off another processor's queues */
static PKTHREAD KiTakeFrom(PKPRCB Victim, PKPRCB Prcb, KPRIORITY Above, bool *Busy)
{
    PKTHREAD Found = NULL;
    LAB_TODO("5.take");
    KeAcquireLockAtDpc(&Victim->ReadyLock);
    ULONG Levels = Victim->MovableSummary;
    /* To be written: all levels, and all their threads. What stands here looks at the first of the highest. */
    if (Levels != 0 && RtlHighestBit(Levels) > Above) {
        PLIST_ENTRY First = Victim->ReadyQueue[RtlHighestBit(Levels)].Flink;
        PKTHREAD Thread = CONTAINING_RECORD(First, KTHREAD, ReadyListEntry);
        if (Thread->Affinity & KiProcessorBit(Prcb->Number)) {
            Found = KeTryAcquireLockAtDpc(&Thread->Lock) ? Thread : NULL;
            *Busy = Found == NULL;
        }
    }
    if (Found != NULL) {
        KiRemoveReady(Victim, Found);
    }
    KeReleaseLockFromDpc(&Victim->ReadyLock);
    return Found;
}

/* hole richest: says whom an idle processor takes work from */
static PKPRCB KiRichest(KAFFINITY Processors)
{
    LAB_TODO("5.richest");
    /* To be written. What stands here is the first that has something to give. */
    for (; Processors != 0; Processors &= Processors - 1) {
        PKPRCB Candidate = KiProcessorBlock[RtlLowestBit(Processors)];
        if (Candidate->MovableSummary != 0) {
            return Candidate;
        }
    }
    return NULL;
}
