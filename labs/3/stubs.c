/* SPDX-License-Identifier: MIT */
/* What the starter of lab 3 has in place of the functions that are to be written. With all of them the kernel
   boots. */

/* hole insert: puts a thread into the queue of its priority: behind its equals, or, preempted in the middle of its turn (`Head`), before them */
KI_HOT void KiInsertReady(PKPRCB Prcb, PKTHREAD Thread, bool Head)
{
    ULONG Priority = (ULONG)Thread->Priority;
    LAB_TODO("3.insert");
    /* To be written: which end of which queue? What stands here takes the last that came first. */
    InsertHeadList(&Prcb->ReadyQueue[Priority], &Thread->ReadyListEntry);
    Prcb->ReadySummary |= 1u << Priority;
    /* Given: what the balance between processors and the starvation scan count. */
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

/* hole select: takes the first thread of the highest level off its queue */
static KI_HOT PKTHREAD KiSelectNextThread(PKPRCB Prcb)
{
    ULONG Summary = Prcb->ReadySummary;
    if (Summary == 0) {
        return Prcb->IdleThread;
    }
    LAB_TODO("3.select");
    /* To be written: which of the levels that the summary names, and which thread of its queue? This is the
       lowest. */
    ULONG Level = (ULONG)__builtin_ctz(Summary);
    PKTHREAD Thread = CONTAINING_RECORD(RemoveHeadList(&Prcb->ReadyQueue[Level]), KTHREAD, ReadyListEntry);
    /* Given. */
    if (--Prcb->ReadyAt[Level] == 0) {
        Prcb->ReadySummary = Summary & ~(1u << Level);
    }
    Thread->ReadySince = 0;
    if (Prcb->MovableSummary != 0) {
        KiSelectedAmongMovable(Prcb, Thread);
    }
    return Thread;
}

/* hole give-way: says whether the running thread has to make room: for higher ones always, for equals when its turn is over */
static bool KiMustGiveWay(PKPRCB Prcb, PKTHREAD Thread)
{
    LAB_TODO("3.give-way");
    /* To be written: higher ones always, equals when the turn is over. What stands here is a kernel in which
       whoever runs, runs until it waits. */
    return false;
}

/* hole set-priority: changes the priority of a thread that runs, waits, or is ready */
static void KiSetPriority(PKTHREAD Thread, KPRIORITY Priority)
{
    LAB_TODO("3.set-priority");
    /* To be written: a thread that is ready stands in the queue of its old priority. What stands here leaves
       it there, with the old priority. */
    if (Thread->State != Ready) {
        Thread->Priority = (SCHAR)Priority;
    }
    KiRunningPriorityChanged(Thread);
}

/* hole decay: takes a boost away, one level a quantum */
KPRIORITY KiDecayedPriority(PKTHREAD Thread, LONG64 Quanta)
{
    LAB_TODO("3.decay");
    /* To be written: a boost is lost by one level a quantum. What stands here keeps it for ever. */
    return Thread->Priority;
}
