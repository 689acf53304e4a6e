/* SPDX-License-Identifier: MIT */
/*
 * Waits: what each object promises, and the races in which a signal, a time-out and another waiter come
 * together. A race test moves the moment of the signal through the moment of the time-out, and counts how
 * often either won; both must win sometimes.
 */
#include "waits.h"

static KEVENT Event, Other, Ack;
static volatile LONG Satisfied, TimedOut, Bad;

/* ---- Events ---- */

static PCSTR TestEventStates(VOID)
{
    KEVENT E;
    LARGE_INTEGER Zero = {.QuadPart = 0};
    KeInitializeEvent(&E, SynchronizationEvent, FALSE);
    KTEST_CHECK(E.Header.Type == SynchronizationEvent && IsListEmpty(&E.Header.WaitListHead));
    KTEST_CHECK(KeReadStateEvent(&E) == 0);
    KTEST_CHECK(KeWaitForSingleObject(&E, Executive, KernelMode, FALSE, &Zero) == STATUS_TIMEOUT);
    KTEST_CHECK(KeSetEvent(&E, 0, FALSE) == 0 && KeSetEvent(&E, 0, FALSE) == 1);
    KTEST_CHECK(KeWaitForSingleObject(&E, Executive, KernelMode, FALSE, &Zero) == STATUS_SUCCESS);
    KTEST_CHECK(KeReadStateEvent(&E) == 0); /* taken */
    KeSetEvent(&E, 0, FALSE);
    KTEST_CHECK(KeResetEvent(&E) == 1 && KeResetEvent(&E) == 0);
    KTEST_CHECK(KePulseEvent(&E, 0, FALSE) == 0 && KeReadStateEvent(&E) == 0);
    KeInitializeEvent(&E, NotificationEvent, TRUE);
    KTEST_CHECK(KeWaitForSingleObject(&E, Executive, KernelMode, FALSE, NULL) == STATUS_SUCCESS);
    KTEST_CHECK(KeReadStateEvent(&E) == 1); /* stays */
    KeClearEvent(&E);
    KTEST_CHECK(KeReadStateEvent(&E) == 0);
    return NULL;
}

static VOID Waiter(PVOID Context)
{
    KeWaitForSingleObject(&Event, Executive, KernelMode, FALSE, NULL);
    InterlockedIncrement(&Satisfied);
}

/* A waiter that has been released may still have to wait for a processor. Bounded: the caller checks. */
static VOID AwaitSatisfied(LONG Count)
{
    for (ULONG i = 0; i < 5000 && Satisfied < Count; i++) {
        KtestSleep(1);
    }
}

/* A synchronization event releases exactly one a setting, a notification event all. */
static PCSTR TestEventKinds(VOID)
{
    PETHREAD Threads[6];
    KeInitializeEvent(&Event, SynchronizationEvent, FALSE);
    Satisfied = 0;
    for (ULONG i = 0; i < 6; i++) {
        Threads[i] = KtestStart(Waiter, NULL);
        KTEST_CHECK(Threads[i] != NULL);
    }
    KtestSleep(20);
    for (LONG i = 1; i <= 3; i++) {
        KeSetEvent(&Event, 0, FALSE);
        AwaitSatisfied(i);
        KtestSleep(20); /* and no more than one */
        KTEST_CHECK(Satisfied == i && KeReadStateEvent(&Event) == 0);
    }
    KePulseEvent(&Event, 0, FALSE);
    AwaitSatisfied(4);
    KTEST_CHECK(Satisfied == 4);
    for (LONG i = 0; i < 2; i++) {
        KeSetEvent(&Event, 0, FALSE);
    }
    for (ULONG i = 0; i < 6; i++) {
        KtestJoin(Threads[i]);
    }
    KeInitializeEvent(&Event, NotificationEvent, FALSE);
    Satisfied = 0;
    for (ULONG i = 0; i < 6; i++) {
        Threads[i] = KtestStart(Waiter, NULL);
        KTEST_CHECK(Threads[i] != NULL);
    }
    KtestSleep(20);
    KeSetEvent(&Event, 0, FALSE);
    for (ULONG i = 0; i < 6; i++) {
        KtestJoin(Threads[i]);
    }
    KTEST_CHECK(Satisfied == 6 && KeReadStateEvent(&Event) == 1);
    return NULL;
}

/* ---- Order ---- */

static volatile LONG Arrived;
static volatile ULONG_PTR Order[3];
static KSEMAPHORE Gate;

static VOID Ordered(PVOID Context)
{
    KeSetSystemAffinityThreadEx(1);
    KeWaitForSingleObject(&Gate, Executive, KernelMode, FALSE, NULL);
    Order[InterlockedIncrement(&Arrived) - 1] = (ULONG_PTR)Context;
}

static PCSTR ReleaseThree(ULONG *InOrder)
{
    PETHREAD Threads[3];
    KIRQL Irql;
    KeInitializeSemaphore(&Gate, 0, 3);
    Arrived = 0;
    KAFFINITY Old = KeSetSystemAffinityThreadEx(1);
    for (ULONG i = 0; i < 3; i++) {
        PLIST_ENTRY Last = Gate.Header.WaitListHead.Blink;
        Threads[i] = KtestStart(Ordered, (PVOID)(ULONG_PTR)i);
        KTEST_CHECK(Threads[i] != NULL);
        while (Gate.Header.WaitListHead.Blink == Last) { /* on this processor: who stands there has gone to sleep */
            KtestSleep(1);
        }
    }
    KeRaiseIrql(DISPATCH_LEVEL, &Irql);
    LONG Previous = KeReleaseSemaphore(&Gate, IO_NO_INCREMENT, 3, FALSE);
    KeLowerIrql(Irql);
    KeRevertToUserAffinityThreadEx(Old);
    for (ULONG i = 0; i < 3; i++) {
        KtestJoin(Threads[i]);
    }
    KTEST_CHECK(Previous == 0);
    *InOrder += Order[0] == 0 && Order[1] == 1 && Order[2] == 2;
    return NULL;
}

/* Threads of one processor that one call releases together go on in the order in which they came; but now and
   then a quantum ends before a thread has said that it is there. */
static PCSTR TestReleaseOrder(VOID)
{
    ULONG InOrder = 0;
    for (ULONG i = 0; i < 20; i++) {
        PCSTR Why = ReleaseThree(&InOrder);
        if (Why != NULL) {
            return Why;
        }
    }
    KTEST_CHECK(InOrder > 10);
    return NULL;
}

/* A signal with Wait TRUE, of each kind, leaves the level at DISPATCH_LEVEL; the next wait takes it back, may
   block, and ends at the level from which the signal came. */
static PCSTR WaitTrueOf(ULONG Kind, KIRQL Level)
{
    KEVENT E, Nothing;
    KSEMAPHORE Semaphore;
    KIRQL Irql;
    LARGE_INTEGER Zero = {.QuadPart = 0}, Limit = KtestMs(2);
    PVOID Objects[2] = {&Nothing, &E};
    KeInitializeEvent(&E, SynchronizationEvent, FALSE);
    KeInitializeEvent(&Nothing, NotificationEvent, FALSE);
    KeInitializeSemaphore(&Semaphore, 0, 5);
    KeRaiseIrql(Level, &Irql);
    LONG Previous = Kind == 0   ? KeSetEvent(&E, 0, TRUE)
                    : Kind == 1 ? KePulseEvent(&E, 0, TRUE)
                                : KeReleaseSemaphore(&Semaphore, 0, 2, TRUE);
    KIRQL Between = KeGetCurrentIrql();
    NTSTATUS First = Kind == 0   ? KeWaitForMultipleObjects(2, Objects, WaitAny, Executive, KernelMode, FALSE, &Zero, NULL)
                     : Kind == 1 ? KeWaitForSingleObject(&E, Executive, KernelMode, FALSE, &Limit)
                                 : KeDelayExecutionThread(KernelMode, FALSE, &Limit);
    KIRQL After = KeGetCurrentIrql();
    KeLowerIrql(Irql);
    KTEST_CHECK(Previous == 0 && Between == DISPATCH_LEVEL && After == Level);
    KTEST_CHECK(First == (Kind == 0 ? STATUS_WAIT_1 : Kind == 1 ? STATUS_TIMEOUT : STATUS_SUCCESS));
    KTEST_CHECK(KeReadStateEvent(&E) == 0 && KeReadStateSemaphore(&Semaphore) == (Kind == 2 ? 2 : 0));
    return NULL;
}

static PCSTR TestWaitTrue(VOID)
{
    for (ULONG i = 0; i < 6; i++) {
        PCSTR Why = WaitTrueOf(i % 3, i < 3 ? PASSIVE_LEVEL : APC_LEVEL);
        if (Why != NULL) {
            return Why;
        }
    }
    return NULL;
}

/* ---- Boosts ---- */

static KSEMAPHORE BoostSemaphore;
static KMUTANT BoostMutant;
static KPRIORITY BoostBase;

static PVOID BoostObject(ULONG Kind)
{
    return Kind == 0 ? (PVOID)&Event : Kind == 1 ? (PVOID)&BoostSemaphore : (PVOID)&BoostMutant;
}

static VOID Boosted(PVOID Context)
{
    PDISPATCHER_HEADER Object = BoostObject((ULONG)(ULONG_PTR)Context);
    KeSetSystemAffinityThreadEx(1);
    KeSetPriorityThread(KeGetCurrentThread(), BoostBase);
    KeWaitForSingleObject(Object, Executive, KernelMode, FALSE, NULL);
    if (Object->Type == MutantObject) {
        KeReleaseMutex(&BoostMutant, FALSE);
    }
}

/* On processor 0, where the released thread cannot go on while we are at DISPATCH_LEVEL. */
static PCSTR BoostOne(ULONG Kind, KPRIORITY Base, KPRIORITY Increment, KPRIORITY Expected)
{
    KIRQL Irql;
    KeInitializeEvent(&Event, SynchronizationEvent, FALSE);
    KeInitializeSemaphore(&BoostSemaphore, 0, 1);
    KeInitializeMutant(&BoostMutant, TRUE);
    BoostBase = Base;
    KAFFINITY Old = KeSetSystemAffinityThreadEx(1);
    PETHREAD Thread = KtestStart(Boosted, (PVOID)(ULONG_PTR)Kind);
    KTEST_CHECK(Thread != NULL);
    while (IsListEmpty(&((PDISPATCHER_HEADER)BoostObject(Kind))->WaitListHead)) {
        KtestSleep(1);
    }
    KeRaiseIrql(DISPATCH_LEVEL, &Irql);
    if (Kind == 0) {
        KeSetEvent(&Event, Increment, FALSE);
    } else if (Kind == 1) {
        KeReleaseSemaphore(&BoostSemaphore, Increment, 1, FALSE);
    } else {
        KeReleaseMutex(&BoostMutant, FALSE);
    }
    KPRIORITY Now = KeQueryPriorityThread((PKTHREAD)Thread);
    KeLowerIrql(Irql);
    if (Kind != 2) {
        KeReleaseMutex(&BoostMutant, FALSE);
    }
    KeRevertToUserAffinityThreadEx(Old);
    KtestJoin(Thread);
    KTEST_CHECK(Now == Expected || (DbgPrint("waits: %u: %d from %d\n", Kind, Now, Base), FALSE));
    return NULL;
}

/* Base and increment, at most 15; a mutant's increment is 1; real-time threads get none, and nothing
   lowers. */
static PCSTR TestBoosts(VOID)
{
    static const struct {
        ULONG Kind;
        KPRIORITY Base, Increment, Expected;
    } Rows[] = {{0, 8, 3, 11}, {0, 13, 6, 15}, {0, 20, 6, 20}, {0, 16, 1, 16}, {0, 8, -5, 8},
                {1, 8, 2, 10}, {1, 31, 2, 31}, {2, 8, 0, 9},   {2, 17, 0, 17}};
    for (ULONG i = 0; i < ARRAYSIZE(Rows); i++) {
        PCSTR Why = BoostOne(Rows[i].Kind, Rows[i].Base, Rows[i].Increment, Rows[i].Expected);
        if (Why != NULL) {
            return Why;
        }
    }
    return NULL;
}

/* ---- Signal against time-out ---- */

static ULONG64 SignalDelay;

static VOID Signaller(PVOID Context)
{
    ULONG Rounds = (ULONG)(ULONG_PTR)Context;
    for (ULONG i = 0; i < Rounds; i++) {
        KeWaitForSingleObject(&Ack, Executive, KernelMode, FALSE, NULL);
        ULONGLONG Until = KeQueryInterruptTime() + SignalDelay;
        while (KeQueryInterruptTime() < Until) {
        }
        KeSetEvent(&Event, 0, FALSE);
        KeSetEvent(&Other, 0, FALSE);
    }
}

/* The waiter's time-out is 1 ms; the signal comes 0.7 to 1.3 ms after the start. Whoever wins: the state
   afterwards tells the same story (a timed-out wait has left the signal in the event). */
static PCSTR TestSignalAgainstTimeout(VOID)
{
    const ULONG Rounds = 600;
    KeInitializeEvent(&Event, SynchronizationEvent, FALSE);
    KeInitializeEvent(&Other, SynchronizationEvent, FALSE);
    KeInitializeEvent(&Ack, SynchronizationEvent, FALSE);
    Satisfied = TimedOut = 0;
    PETHREAD Thread = KtestStart(Signaller, (PVOID)(ULONG_PTR)Rounds);
    KTEST_CHECK(Thread != NULL);
    PCSTR Why = NULL;
    for (ULONG i = 0; i < Rounds; i++) {
        LARGE_INTEGER Limit = {.QuadPart = -10000};
        SignalDelay = 2000 + i % 30 * 600;
        KeSetEvent(&Ack, 0, FALSE);
        NTSTATUS Status = KeWaitForSingleObject(&Event, Executive, KernelMode, FALSE, &Limit);
        KeWaitForSingleObject(&Other, Executive, KernelMode, FALSE, NULL); /* the signaller is done */
        LONG Left = KeResetEvent(&Event);
        if (Status == STATUS_SUCCESS && Left == 0) {
            Satisfied++;
        } else if (Status == STATUS_TIMEOUT && Left == 1) {
            TimedOut++;
        } else {
            Why = "result and state of the event disagree";
        }
    }
    KtestJoin(Thread);
    DbgPrint("waits: %d signals won, %d time-outs\n", Satisfied, TimedOut);
    if (Why == NULL && (Satisfied == 0 || TimedOut == 0)) {
        Why = "one side never won";
    }
    return Why;
}

/* ---- WaitAll against WaitAny on a shared event ---- */

static KEVENT Shared, Extra;
static volatile LONG AllDone, AnyDone, Stop;

static VOID AllWaiter(PVOID Context)
{
    PVOID Objects[2] = {&Shared, &Extra};
    while (!Stop) {
        LARGE_INTEGER Limit = KtestMs(20);
        NTSTATUS Status = KeWaitForMultipleObjects(2, Objects, WaitAll, Executive, KernelMode, FALSE, &Limit, NULL);
        if (Status == STATUS_SUCCESS) {
            InterlockedIncrement(&AllDone);
        } else if (Status != STATUS_TIMEOUT) {
            Bad = 1;
        }
    }
}

static VOID AnyWaiter(PVOID Context)
{
    PVOID Objects[2] = {&Other, &Shared};
    while (!Stop) {
        LARGE_INTEGER Limit = KtestMs(20);
        NTSTATUS Status = KeWaitForMultipleObjects(2, Objects, WaitAny, Executive, KernelMode, FALSE, &Limit, NULL);
        if (Status == STATUS_WAIT_1) {
            InterlockedIncrement(&AnyDone);
        } else if (Status != STATUS_TIMEOUT) {
            Bad = 1;
        }
    }
}

/* Every setting of the two events is taken exactly once: sets of Shared = WaitAny + WaitAll, sets of Extra =
   WaitAll. */
static PCSTR TestAllAgainstAny(VOID)
{
    LONG SharedSets = 0, ExtraSets = 0;
    KeInitializeEvent(&Shared, SynchronizationEvent, FALSE);
    KeInitializeEvent(&Extra, SynchronizationEvent, FALSE);
    KeInitializeEvent(&Other, SynchronizationEvent, FALSE);
    AllDone = AnyDone = Stop = Bad = 0;
    PETHREAD All[2] = {KtestStart(AllWaiter, NULL), KtestStart(AllWaiter, NULL)};
    PETHREAD Any[2] = {KtestStart(AnyWaiter, NULL), KtestStart(AnyWaiter, NULL)};
    KTEST_CHECK(All[0] != NULL && All[1] != NULL && Any[0] != NULL && Any[1] != NULL);
    for (ULONG i = 0; i < 20000; i++) {
        SharedSets += KeSetEvent(&Shared, 0, FALSE) == 0;
        if (i % 3 == 0) {
            ExtraSets += KeSetEvent(&Extra, 0, FALSE) == 0;
        }
        if (i % 256 == 0) {
            KtestSleep(1);
        }
    }
    KtestSleep(60);
    Stop = 1;
    for (ULONG i = 0; i < 2; i++) {
        KtestJoin(All[i]);
        KtestJoin(Any[i]);
    }
    SharedSets -= KeReadStateEvent(&Shared);
    ExtraSets -= KeReadStateEvent(&Extra);
    DbgPrint("waits: WaitAll %d, WaitAny %d of %d and %d settings\n", AllDone, AnyDone, SharedSets, ExtraSets);
    KTEST_CHECK(!Bad);
    KTEST_CHECK(AllDone == ExtraSets);
    KTEST_CHECK(AllDone + AnyDone == SharedSets);
    KTEST_CHECK(AnyDone > 0 && AllDone > 0);
    return NULL;
}

static VOID OppositeAll(PVOID Context)
{
    ULONG_PTR Me = (ULONG_PTR)Context;
    PVOID Objects[2] = {Me % 2 ? &Shared : &Extra, Me % 2 ? &Extra : &Shared};
    for (ULONG i = 0; i < 2000; i++) {
        KeWaitForMultipleObjects(2, Objects, WaitAll, Executive, KernelMode, FALSE, NULL, NULL);
        KeSetEvent(&Shared, 0, FALSE);
        KeSetEvent(&Extra, 0, FALSE);
    }
}

/* Waits for all of the same two events in opposite orders do not lock each other out. */
static PCSTR TestAllOpposite(VOID)
{
    KeInitializeEvent(&Shared, SynchronizationEvent, TRUE);
    KeInitializeEvent(&Extra, SynchronizationEvent, TRUE);
    KTEST_CHECK(KtestCrowd(6, OppositeAll));
    KTEST_CHECK(KeReadStateEvent(&Shared) == 1 && KeReadStateEvent(&Extra) == 1);
    return NULL;
}

static PCSTR TestAllTwice(VOID)
{
    KEVENT E;
    PVOID Objects[3] = {&E, &E, &E};
    LARGE_INTEGER Limit = KtestMs(5), Zero = {.QuadPart = 0};
    KeInitializeEvent(&E, SynchronizationEvent, FALSE);
    KTEST_CHECK(KeWaitForMultipleObjects(3, Objects, WaitAll, Executive, KernelMode, FALSE, &Zero, NULL) == STATUS_TIMEOUT);
    KTEST_CHECK(KeWaitForMultipleObjects(3, Objects, WaitAll, Executive, KernelMode, FALSE, &Limit, NULL) ==
                STATUS_TIMEOUT);
    KeSetEvent(&E, 0, FALSE);
    KTEST_CHECK(KeWaitForMultipleObjects(3, Objects, WaitAll, Executive, KernelMode, FALSE, NULL, NULL) == STATUS_SUCCESS);
    KTEST_CHECK(KeReadStateEvent(&E) == 0);
    return NULL;
}

/* The lowest signalled index wins; the others keep their signal. 64 objects with a block array. */
static PCSTR TestAnyMany(VOID)
{
    static KEVENT Events[MAXIMUM_WAIT_OBJECTS];
    static KWAIT_BLOCK Blocks[MAXIMUM_WAIT_OBJECTS];
    PVOID Objects[MAXIMUM_WAIT_OBJECTS];
    for (ULONG i = 0; i < MAXIMUM_WAIT_OBJECTS; i++) {
        KeInitializeEvent(&Events[i], SynchronizationEvent, i >= 60);
        Objects[i] = &Events[i];
    }
    for (NTSTATUS Expected = 60; Expected < 64; Expected++) {
        KTEST_CHECK(KeWaitForMultipleObjects(64, Objects, WaitAny, Executive, KernelMode, FALSE, NULL, Blocks) == Expected);
    }
    LARGE_INTEGER Limit = KtestMs(2);
    KTEST_CHECK(KeWaitForMultipleObjects(64, Objects, WaitAny, Executive, KernelMode, FALSE, &Limit, Blocks) ==
                STATUS_TIMEOUT);
    for (ULONG i = 0; i < MAXIMUM_WAIT_OBJECTS; i++) {
        KTEST_CHECK(IsListEmpty(&Events[i].Header.WaitListHead));
        KeSetEvent(&Events[i], 0, FALSE);
    }
    KTEST_CHECK(KeWaitForMultipleObjects(64, Objects, WaitAll, Executive, KernelMode, FALSE, NULL, Blocks) == STATUS_SUCCESS);
    for (ULONG i = 0; i < MAXIMUM_WAIT_OBJECTS; i++) {
        KTEST_CHECK(KeReadStateEvent(&Events[i]) == 0);
    }
    return NULL;
}

/* ---- An event on the waiter's stack: the signaller's last touch is the unlock ---- */

static PKEVENT volatile Mailbox;

static VOID MailSetter(PVOID Context)
{
    for (ULONG i = 0; i < 20000; i++) {
        PKEVENT Target;
        while ((Target = (PKEVENT)InterlockedExchangePointer((PVOID volatile *)&Mailbox, NULL)) == NULL) {
            KtestSleep(0);
        }
        KeSetEvent(Target, 0, FALSE);
    }
}

static PCSTR TestStackEvent(VOID)
{
    Mailbox = NULL;
    PETHREAD Thread = KtestStart(MailSetter, NULL);
    KTEST_CHECK(Thread != NULL);
    for (ULONG i = 0; i < 20000; i++) {
        KEVENT Local;
        KeInitializeEvent(&Local, i % 2 ? SynchronizationEvent : NotificationEvent, FALSE);
        InterlockedExchangePointer((PVOID volatile *)&Mailbox, &Local);
        KeWaitForSingleObject(&Local, Executive, KernelMode, FALSE, NULL);
        RtlFillMemory(&Local, sizeof(Local), 0xee); /* a late touch of the setter would crash or hang it */
    }
    KtestJoin(Thread);
    return NULL;
}

/* ---- Timers, DPCs, work items ---- */

static PCSTR TestTimerObject(VOID)
{
    KTIMER Timer;
    LARGE_INTEGER Due = KtestMs(10), Limit = KtestMs(5000), Zero = {.QuadPart = 0};
    KeInitializeTimerEx(&Timer, SynchronizationTimer);
    KTEST_CHECK(!KeReadStateTimer(&Timer) && !KeCancelTimer(&Timer));
    ULONGLONG Start = KeQueryInterruptTime();
    KTEST_CHECK(!KeSetTimer(&Timer, Due, NULL));
    KTEST_CHECK(KeWaitForSingleObject(&Timer, Executive, KernelMode, FALSE, &Limit) == STATUS_SUCCESS);
    KTEST_CHECK(KeQueryInterruptTime() - Start >= 100000);
    KTEST_CHECK(!KeReadStateTimer(&Timer));
    Due = KtestMs(100000);
    KTEST_CHECK(!KeSetTimer(&Timer, Due, NULL) && KeSetTimer(&Timer, Due, NULL) && KeCancelTimer(&Timer));
    KTEST_CHECK(!KeCancelTimer(&Timer));
    KTEST_CHECK(KeWaitForSingleObject(&Timer, Executive, KernelMode, FALSE, &Zero) == STATUS_TIMEOUT);
    KeInitializeTimer(&Timer);
    Due.QuadPart = 1; /* long ago */
    KeSetTimer(&Timer, Due, NULL);
    KTEST_CHECK(KeWaitForSingleObject(&Timer, Executive, KernelMode, FALSE, &Limit) == STATUS_SUCCESS);
    KTEST_CHECK(KeReadStateTimer(&Timer)); /* a notification timer stays signalled */
    Due = KtestMs(1000);
    KeSetTimer(&Timer, Due, NULL);
    KTEST_CHECK(!KeReadStateTimer(&Timer));
    KeCancelTimer(&Timer);
    return NULL;
}

static volatile LONG DpcRuns, DpcLevelBad;

static VOID CountDpc(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    if (KeGetCurrentIrql() != DISPATCH_LEVEL) {
        DpcLevelBad = 1;
    }
    InterlockedIncrement(&DpcRuns);
}

static PCSTR TestPeriodicTimer(VOID)
{
    KTIMER Timer;
    KDPC Dpc;
    LARGE_INTEGER Due = KtestMs(5);
    DpcRuns = DpcLevelBad = 0;
    KeInitializeDpc(&Dpc, CountDpc, NULL);
    KeInitializeTimerEx(&Timer, SynchronizationTimer);
    KeSetTimerEx(&Timer, Due, 5, &Dpc);
    for (ULONG i = 0; i < 10; i++) {
        LARGE_INTEGER Limit = KtestMs(5000);
        KTEST_CHECK(KeWaitForSingleObject(&Timer, Executive, KernelMode, FALSE, &Limit) == STATUS_SUCCESS);
    }
    KTEST_CHECK(KeCancelTimer(&Timer));
    KeFlushQueuedDpcs();
    LONG Runs = DpcRuns;
    KtestSleep(30);
    KTEST_CHECK(Runs >= 8 && DpcRuns == Runs && !DpcLevelBad);
    return NULL;
}

static PCSTR TestDpc(VOID)
{
    KDPC Dpc;
    KIRQL Irql;
    ULONG Count = KeQueryActiveProcessorCount(NULL);
    DpcRuns = DpcLevelBad = 0;
    KeInitializeDpc(&Dpc, CountDpc, NULL);
    KTEST_CHECK(KeInsertQueueDpc(&Dpc, NULL, NULL) && DpcRuns == 1); /* has run before the return */
    KeRaiseIrql(DISPATCH_LEVEL, &Irql);
    BOOLEAN First = KeInsertQueueDpc(&Dpc, NULL, NULL), Second = KeInsertQueueDpc(&Dpc, NULL, NULL);
    LONG Before = DpcRuns;
    KeLowerIrql(APC_LEVEL); /* enough */
    LONG After = DpcRuns;
    KeLowerIrql(Irql);
    KTEST_CHECK(First && !Second && Before == 1 && After == 2);
    KeRaiseIrql(DISPATCH_LEVEL, &Irql);
    KeInsertQueueDpc(&Dpc, NULL, NULL);
    BOOLEAN Removed = KeRemoveQueueDpc(&Dpc), Again = KeRemoveQueueDpc(&Dpc);
    KeLowerIrql(Irql);
    KTEST_CHECK(Removed && !Again && DpcRuns == 2);
    for (ULONG i = 0; i < Count; i++) {
        KDPC Remote;
        KeInitializeDpc(&Remote, CountDpc, NULL);
        KeSetTargetProcessorDpc(&Remote, (CCHAR)i);
        KeInsertQueueDpc(&Remote, NULL, NULL);
        KeFlushQueuedDpcs();
        KTEST_CHECK(DpcRuns == (LONG)(3 + i));
    }
    KTEST_CHECK(!DpcLevelBad);
    return NULL;
}

static KEVENT WorkDone;
static volatile LONG WorkRuns;

static VOID WorkRoutine(PVOID Context)
{
    if (InterlockedIncrement(&WorkRuns) == 100) {
        KeSetEvent(&WorkDone, 0, FALSE);
    }
}

static PCSTR TestWorkItems(VOID)
{
    static WORK_QUEUE_ITEM Items[100];
    LARGE_INTEGER Limit = KtestMs(10000);
    WorkRuns = 0;
    KeInitializeEvent(&WorkDone, NotificationEvent, FALSE);
    for (ULONG i = 0; i < 100; i++) {
        ExInitializeWorkItem(&Items[i], WorkRoutine, NULL);
        ExQueueWorkItem(&Items[i], i % 2 ? CriticalWorkQueue : DelayedWorkQueue);
    }
    KTEST_CHECK(KeWaitForSingleObject(&WorkDone, Executive, KernelMode, FALSE, &Limit) == STATUS_SUCCESS);
    KTEST_CHECK(WorkRuns == 100);
    return NULL;
}

static PCSTR TestDelay(VOID)
{
    LARGE_INTEGER Now, Absolute;
    ULONGLONG Start = KeQueryInterruptTime();
    KtestSleep(15);
    KTEST_CHECK(KeQueryInterruptTime() - Start >= 150000);
    KeQuerySystemTime(&Now);
    Absolute.QuadPart = Now.QuadPart + 100000;
    KTEST_CHECK(KeDelayExecutionThread(KernelMode, FALSE, &Absolute) == STATUS_SUCCESS);
    KeQuerySystemTime(&Now);
    KTEST_CHECK(Now.QuadPart >= Absolute.QuadPart);
    return NULL;
}

/* A hundred sleepers with different times: each wakes no earlier than asked, all wake. */
static VOID Sleeper(PVOID Context)
{
    ULONG_PTR Me = (ULONG_PTR)Context;
    for (ULONG i = 0; i < 10; i++) {
        ULONGLONG Start = KeQueryInterruptTime();
        ULONGLONG Time = (Me * 7 + i * 13) % 40 + 1;
        KtestSleep((LONGLONG)Time);
        if (KeQueryInterruptTime() - Start < Time * 10000) {
            Bad = 1;
        }
    }
    InterlockedIncrement(&Satisfied);
}

static PCSTR TestSleepers(VOID)
{
    Bad = Satisfied = 0;
    KTEST_CHECK(KtestCrowd(60, Sleeper));
    KTEST_CHECK(!Bad && Satisfied == 60);
    return NULL;
}

/* ---- Structured exceptions ---- */

static NTSTATUS RaiseInside(NTSTATUS Raised, volatile LONG *Finally)
{
    volatile NTSTATUS Caught = STATUS_SUCCESS;
    _SEH2_TRY {
        _SEH2_TRY {
            ExRaiseStatus(Raised);
        } _SEH2_FINALLY {
            InterlockedIncrement(Finally);
        } _SEH2_END;
        Caught = STATUS_UNSUCCESSFUL;
    } _SEH2_EXCEPT(EXCEPTION_EXECUTE_HANDLER) {
        Caught = _SEH2_GetExceptionCode();
    } _SEH2_END;
    return Caught;
}

static PCSTR TestExceptions(VOID)
{
    volatile LONG Finally = 0;
    volatile NTSTATUS Code = 0;
    KTEST_CHECK(RaiseInside(STATUS_INVALID_PARAMETER, &Finally) == STATUS_INVALID_PARAMETER && Finally == 1);
    _SEH2_TRY {
        ProbeForRead((PVOID)0x1000, 16, 1);
        Code = *(volatile ULONG *)0x1000 ? 1 : 2; /* no such page in the System process */
    } _SEH2_EXCEPT(EXCEPTION_EXECUTE_HANDLER) {
        Code = _SEH2_GetExceptionCode();
    } _SEH2_END;
    KTEST_CHECK(Code == STATUS_ACCESS_VIOLATION);
    Code = 0;
    _SEH2_TRY {
        ProbeForWrite((PVOID)(ULONG_PTR)0xffff800000000000ULL, 16, 1);
    } _SEH2_EXCEPT(EXCEPTION_EXECUTE_HANDLER) {
        Code = _SEH2_GetExceptionCode();
    } _SEH2_END;
    KTEST_CHECK(Code == STATUS_ACCESS_VIOLATION);
    Code = 0;
    _SEH2_TRY {
        KSEMAPHORE Semaphore;
        KeInitializeSemaphore(&Semaphore, 1, 1);
        KeReleaseSemaphore(&Semaphore, 0, 1, FALSE);
    } _SEH2_EXCEPT(EXCEPTION_EXECUTE_HANDLER) {
        Code = _SEH2_GetExceptionCode();
    } _SEH2_END;
    KTEST_CHECK(Code == STATUS_SEMAPHORE_LIMIT_EXCEEDED && KeGetCurrentIrql() == PASSIVE_LEVEL);
    return NULL;
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    RunObjectTests();
    KtestRun("waits.event-states", TestEventStates);
    KtestRun("waits.event-kinds", TestEventKinds);
    KtestRun("waits.release-order", TestReleaseOrder);
    KtestRun("waits.wait-true", TestWaitTrue);
    KtestRun("waits.boosts", TestBoosts);
    KtestRun("waits.signal-against-timeout", TestSignalAgainstTimeout);
    KtestRun("waits.all-against-any", TestAllAgainstAny);
    KtestRun("waits.all-opposite", TestAllOpposite);
    KtestRun("waits.all-twice", TestAllTwice);
    KtestRun("waits.any-many", TestAnyMany);
    KtestRun("waits.stack-event", TestStackEvent);
    KtestRun("waits.timer", TestTimerObject);
    KtestRun("waits.periodic-timer", TestPeriodicTimer);
    KtestRun("waits.dpc", TestDpc);
    KtestRun("waits.work-items", TestWorkItems);
    KtestRun("waits.delay", TestDelay);
    KtestRun("waits.sleepers", TestSleepers);
    KtestRun("waits.exceptions", TestExceptions);
    return STATUS_SUCCESS;
}
