/* SPDX-License-Identifier: MIT */
/*
 * The scheduler: threads that never yield all progress; a higher priority runs at once, wherever it is;
 * affinity, boosts, starvation.
 */
#include "../ktest.h"

static BOOLEAN RandomQuanta; /* option sched.seed=: quanta of fractions of a millisecond */
static volatile LONG Stop;
static volatile ULONG64 Work[KTEST_MAX_THREADS];
static volatile KAFFINITY Seen;

static VOID Spinner(PVOID Context)
{
    ULONG_PTR Me = (ULONG_PTR)Context;
    while (!Stop) {
        Work[Me]++;
        InterlockedOr64((volatile LONG64 *)&Seen, (LONG64)1 << KeGetCurrentProcessorNumber());
    }
}

/* Twelve threads that never give way: only the timer can make all of them progress, on all processors. */
static PCSTR TestPreemption(VOID)
{
    PETHREAD Threads[12];
    KAFFINITY Active;
    ULONG Count = KeQueryActiveProcessorCount(&Active);
    Stop = 0;
    Seen = 0;
    for (ULONG i = 0; i < 12; i++) {
        Work[i] = 0;
        Threads[i] = KtestStart(Spinner, (PVOID)(ULONG_PTR)i);
        KTEST_CHECK(Threads[i] != NULL);
    }
    for (ULONG Round = 0; Round < 3; Round++) {
        ULONG64 Before[12];
        for (ULONG i = 0; i < 12; i++) {
            Before[i] = Work[i];
        }
        KtestSleep(1500);
        for (ULONG i = 0; i < 12; i++) {
            if (Work[i] == Before[i]) {
                Stop = 1;
                return "a spinning thread made no progress in 1.5 s";
            }
        }
    }
    Stop = 1;
    for (ULONG i = 0; i < 12; i++) {
        KtestJoin(Threads[i]);
    }
    KTEST_CHECK(Seen == Active);
    DbgPrint("sched: 12 threads on %u processors\n", Count);
    return NULL;
}

/* ---- Priority ---- */

#define WAKES 61

static KEVENT WakeGo, WakeReady;
static volatile ULONG WakeProcessor;
static volatile ULONG64 WorkBefore, Late[WAKES];

static VOID BoundSpinner(PVOID Context)
{
    ULONG_PTR Me = (ULONG_PTR)Context;
    KeSetSystemAffinityThreadEx((KAFFINITY)1 << Me % KeQueryActiveProcessorCount(NULL));
    while (!Stop) {
        Work[Me]++;
    }
}

/* What the two spinners of a processor have done. */
static ULONG64 WorkOn(ULONG Processor)
{
    return Work[Processor] + Work[Processor + KeQueryActiveProcessorCount(NULL)];
}

static VOID Woken(PVOID Context)
{
    KeSetPriorityThread(KeGetCurrentThread(), 12);
    for (ULONG i = 0; i < WAKES; i++) {
        KeSetSystemAffinityThreadEx((KAFFINITY)1 << i % KeQueryActiveProcessorCount(NULL));
        KeSetEvent(&WakeReady, IO_NO_INCREMENT, FALSE);
        KeWaitForSingleObject(&WakeGo, Executive, KernelMode, FALSE, NULL);
        Late[i] = WorkOn(WakeProcessor) - WorkBefore;
    }
}

/* While two spinners of priority 8 keep each processor busy, a thread of priority 12 is woken on one after
   the other and runs at once. How late it is, is measured in what the spinners of its processor still do
   after the signal: that counts the time in which the host runs that processor, not the time in which it runs
   another one instead. A kernel that let the thread wait for the end of the quantum (30 ms) would be late by
   3 ms of work and more in most wake-ups; one in twenty is allowed, where the host stopped the waker between
   its look at the work and the signal. */
static PCSTR TestPriority(VOID)
{
    ULONG Count = KeQueryActiveProcessorCount(NULL);
    PETHREAD Threads[KTEST_MAX_THREADS], Thread;
    KTEST_CHECK(Count * 2 <= KTEST_MAX_THREADS);
    KeInitializeEvent(&WakeGo, SynchronizationEvent, FALSE);
    KeInitializeEvent(&WakeReady, SynchronizationEvent, FALSE);
    Stop = 0;
    KPRIORITY Old = KeSetPriorityThread(KeGetCurrentThread(), 12);
    for (ULONG i = 0; i < Count * 2; i++) {
        Work[i] = 0;
        Threads[i] = KtestStart(BoundSpinner, (PVOID)(ULONG_PTR)i);
        KTEST_CHECK(Threads[i] != NULL);
    }
    ULONGLONG Start = KeQueryInterruptTime();
    Thread = KtestStart(Woken, NULL);
    KTEST_CHECK(Thread != NULL);
    for (ULONG i = 0; i < WAKES; i++) {
        KeWaitForSingleObject(&WakeReady, Executive, KernelMode, FALSE, NULL);
        KtestSleep(2); /* it waits by now */
        WakeProcessor = i % Count;
        WorkBefore = WorkOn(WakeProcessor);
        KeSetEvent(&WakeGo, IO_NO_INCREMENT, FALSE);
    }
    KtestJoin(Thread);
    ULONGLONG Took = KeQueryInterruptTime() - Start;
    Stop = 1;
    KeSetPriorityThread(KeGetCurrentThread(), Old);
    ULONG64 Total = 0;
    for (ULONG i = 0; i < Count * 2; i++) {
        KtestJoin(Threads[i]);
        Total += Work[i];
    }
    ULONG TooLate = 0;
    for (ULONG i = 0; i < WAKES; i++) {
        TooLate += Late[i] > Total / Count * 30000 / Took;
    }
    DbgPrint("sched: %u of %u wake-ups were late by 3 ms of work or more\n", TooLate, WAKES);
    KTEST_CHECK(TooLate <= WAKES / 20);
    return NULL;
}

static KEVENT HighReady, HighGo;
static volatile LONG HighRan;

static VOID HighThread(PVOID Context)
{
    KeSetPriorityThread(KeGetCurrentThread(), 20);
    KeSetSystemAffinityThreadEx(1);
    KeSetEvent(&HighReady, IO_NO_INCREMENT, FALSE);
    KeWaitForSingleObject(&HighGo, Executive, KernelMode, FALSE, NULL);
    InterlockedIncrement(&HighRan);
}

/* The setter and the woken thread are bound to one processor: the higher one runs before the setter's next
   statement. */
static PCSTR TestPreemptSetter(VOID)
{
    for (ULONG i = 0; i < 100; i++) {
        KeInitializeEvent(&HighReady, SynchronizationEvent, FALSE);
        KeInitializeEvent(&HighGo, SynchronizationEvent, FALSE);
        HighRan = 0;
        KAFFINITY Old = KeSetSystemAffinityThreadEx(1);
        PETHREAD Thread = KtestStart(HighThread, NULL);
        KTEST_CHECK(Thread != NULL);
        KeWaitForSingleObject(&HighReady, Executive, KernelMode, FALSE, NULL);
        KtestSleep(1); /* it waits by now */
        KeSetEvent(&HighGo, IO_NO_INCREMENT, FALSE);
        LONG Ran = HighRan;
        KeRevertToUserAffinityThreadEx(Old);
        KtestJoin(Thread);
        KTEST_CHECK(Ran == 1);
    }
    return NULL;
}

static PCSTR TestAffinity(VOID)
{
    KAFFINITY Active;
    ULONG Count = KeQueryActiveProcessorCount(&Active);
    KTEST_CHECK(KeSetSystemAffinityThreadEx(0) == 0);
    for (ULONG Round = 0; Round < 50; Round++) {
        for (ULONG i = 0; i < Count; i++) {
            KeSetSystemAffinityThreadEx((KAFFINITY)1 << i);
            KTEST_CHECK(KeGetCurrentProcessorNumber() == i);
            if (Round % 10 == 0) {
                KtestSleep(1);
                KTEST_CHECK(KeGetCurrentProcessorNumber() == i);
            }
        }
    }
    KTEST_CHECK(KeSetSystemAffinityThreadEx(Active) == (KAFFINITY)1 << (Count - 1));
    KeRevertToUserAffinityThreadEx(~Active); /* none that is active: as 0 */
    KTEST_CHECK(KeSetSystemAffinityThreadEx(1) == 0);
    KeRevertToUserAffinityThreadEx(0);
    return NULL;
}

static VOID Nothing(PVOID Context)
{
}

static PCSTR TestPriorities(VOID)
{
    PKTHREAD Self = KeGetCurrentThread();
    KPRIORITY First = KeQueryPriorityThread(Self);
    KTEST_CHECK(First >= 8);
    KeSetPriorityThread(Self, 11);
    KTEST_CHECK(KeQueryPriorityThread(Self) == 11);
    KTEST_CHECK(KeSetPriorityThread(Self, 8) == 11);
    KTEST_CHECK(KeSetBasePriorityThread(Self, 2) == 0);
    KTEST_CHECK(KeQueryPriorityThread(Self) == 10);
    KTEST_CHECK(KeSetBasePriorityThread(Self, 100) == 2);
    KTEST_CHECK(KeQueryPriorityThread(Self) == 15); /* not across the line */
    KTEST_CHECK(KeSetBasePriorityThread(Self, -100) == 7);
    KTEST_CHECK(KeQueryPriorityThread(Self) == 1);
    KeSetPriorityThread(Self, 8);
    return NULL;
}

static KEVENT BoostEvent;

static VOID BoostThread(PVOID Context)
{
    KeSetSystemAffinityThreadEx(1);
    KeWaitForSingleObject(&BoostEvent, Executive, KernelMode, FALSE, NULL);
}

/* Base 8 and increments of -1 to 8 give 8 to 15; a negative one never lowers. Both threads are bound to one
   processor: what stands in the event's list there has left it, and does not come back, nor end a quantum,
   while we are at DISPATCH_LEVEL. */
static PCSTR TestBoost(VOID)
{
    for (KPRIORITY Increment = -1; Increment <= 8; Increment++) {
        KIRQL Irql;
        KeInitializeEvent(&BoostEvent, SynchronizationEvent, FALSE);
        KAFFINITY Old = KeSetSystemAffinityThreadEx(1);
        PETHREAD Thread = KtestStart(BoostThread, NULL);
        KTEST_CHECK(Thread != NULL);
        while (IsListEmpty(&BoostEvent.Header.WaitListHead)) {
            KtestSleep(1);
        }
        KeRaiseIrql(DISPATCH_LEVEL, &Irql);
        KeSetEvent(&BoostEvent, Increment, FALSE);
        KPRIORITY Boosted = KeQueryPriorityThread((PKTHREAD)Thread);
        KeLowerIrql(Irql);
        KeRevertToUserAffinityThreadEx(Old);
        KtestJoin(Thread);
        KPRIORITY Expected = Increment < 0 ? 8 : 8 + Increment > 15 ? 15 : 8 + Increment;
        if (Boosted != Expected) {
            DbgPrint("sched: increment %d gave %d\n", Increment, Boosted);
        }
        KTEST_CHECK(Boosted == Expected);
    }
    return NULL;
}

static volatile LONG StarvedRan;

static VOID Starved(PVOID Context)
{
    StarvedRan = 1;
}

/* The first one lets go of processor 0 for a moment now and then. */
static VOID Hog(PVOID Context)
{
    ULONG_PTR Me = (ULONG_PTR)Context;
    KeSetSystemAffinityThreadEx((KAFFINITY)1 << Me);
    KeSetPriorityThread(KeGetCurrentThread(), 10);
    while (!Stop) {
        ULONGLONG Start = KeQueryInterruptTime();
        while (!Stop && (Me != 0 || KeQueryInterruptTime() - Start < 10000000)) {
        }
        KtestSleep(1);
    }
}

/* Takes those moments: it is preempted within its quantum, and stands at the head of its level again. */
static VOID Picker(PVOID Context)
{
    KeSetSystemAffinityThreadEx(1);
    while (!Stop) {
    }
}

/* Every processor is kept busy at priority 10; a thread of priority 2 runs all the same within some seconds,
   even behind another one that is served sometimes. */
static PCSTR TestStarvation(VOID)
{
    ULONG Count = KeQueryActiveProcessorCount(NULL);
    PETHREAD Hogs[KTEST_MAX_THREADS], First, Low;
    Stop = 0;
    StarvedRan = 0;
    KPRIORITY Old = KeSetPriorityThread(KeGetCurrentThread(), 12);
    for (ULONG i = 0; i < Count; i++) {
        Hogs[i] = KtestStart(Hog, (PVOID)(ULONG_PTR)i);
        KTEST_CHECK(Hogs[i] != NULL);
    }
    KtestSleep(200);
    KAFFINITY OldAffinity = KeSetSystemAffinityThreadEx(1); /* both stand in this processor's queue, the picker first */
    First = KtestStart(Picker, NULL);
    KTEST_CHECK(First != NULL);
    KeSetPriorityThread((PKTHREAD)First, 2);
    Low = KtestStart(Starved, NULL);
    KTEST_CHECK(Low != NULL);
    KeSetPriorityThread((PKTHREAD)Low, 2);
    KeRevertToUserAffinityThreadEx(OldAffinity);
    LARGE_INTEGER Limit = KtestMs(15000);
    ULONGLONG Before = KeQueryInterruptTime();
    NTSTATUS Status = KeWaitForSingleObject(Low, Executive, KernelMode, FALSE, &Limit);
    ULONGLONG Took = KeQueryInterruptTime() - Before;
    Stop = 1;
    KeSetPriorityThread(KeGetCurrentThread(), Old);
    for (ULONG i = 0; i < Count; i++) {
        KtestJoin(Hogs[i]);
    }
    KtestJoin(First);
    KtestJoin(Low);
    DbgPrint("sched: starved for %I64u ms\n", Took / 10000);
    KTEST_CHECK(Status == STATUS_SUCCESS && StarvedRan);
    KTEST_CHECK(RandomQuanta || Took > 10000000); /* it was starved, for a second at least; short quanta are soon over */
    return NULL;
}

/* A call needs all processors at once. Where the host has fewer of them it has to let each run in turn, and
   one call takes some 10 ms: there the time ends the test, but not before every caller has made a few. */
#define CALLS     1000
#define CALLS_MIN 20
#define CALLS_MS  2000

static volatile LONG IpiSeen, IpiCalls;

static ULONG_PTR IpiWorker(ULONG_PTR Argument)
{
    if (KeGetCurrentIrql() == IPI_LEVEL) {
        InterlockedIncrement(&IpiSeen);
    }
    return Argument + KeGetCurrentProcessorNumber();
}

static VOID IpiThread(PVOID Context)
{
    ULONGLONG Start = KeQueryInterruptTime();
    for (ULONG i = 0; i < CALLS && (i < CALLS_MIN || KeQueryInterruptTime() - Start < CALLS_MS * 10000); i++) {
        KeIpiGenericCall(IpiWorker, 7);
        InterlockedIncrement(&IpiCalls);
    }
}

/* Four threads call all processors at once: each call reaches each processor, at IPI_LEVEL, and none waits in
   a circle. Then once more from a device's level. */
static PCSTR TestGenericCall(VOID)
{
    ULONG Count = KeQueryActiveProcessorCount(NULL);
    KIRQL Irql;
    IpiSeen = IpiCalls = 0;
    KTEST_CHECK(KtestCrowd(4, IpiThread));
    DbgPrint("sched: %d calls\n", IpiCalls);
    KTEST_CHECK(IpiSeen == (LONG)(IpiCalls * Count));
    KTEST_CHECK(KeGetCurrentIrql() == PASSIVE_LEVEL);
    KeRaiseIrql(5, &Irql);
    ULONG_PTR Result = KeIpiGenericCall(IpiWorker, 7), Here = 7 + KeGetCurrentProcessorNumber();
    KIRQL After = KeGetCurrentIrql();
    KeLowerIrql(Irql);
    KTEST_CHECK(After == 5 && Result == Here && IpiSeen == (LONG)((IpiCalls + 1) * Count));
    return NULL;
}

/* Pairs of threads hand an event to and fro, so that contexts are often wanted while they are still being
   saved, and others call all processors meanwhile: a processor that waits for a context must answer. */
static KEVENT PairEvent[4][2];

static VOID PairThread(PVOID Context)
{
    ULONG_PTR Me = (ULONG_PTR)Context;
    for (ULONG i = 0; i < 3000; i++) {
        KeWaitForSingleObject(&PairEvent[Me / 2][Me % 2], Executive, KernelMode, FALSE, NULL);
        KeSetEvent(&PairEvent[Me / 2][1 - Me % 2], IO_NO_INCREMENT, FALSE);
    }
}

static VOID PairOrCaller(PVOID Context)
{
    if ((ULONG_PTR)Context < 8) {
        PairThread(Context);
    } else {
        IpiThread(Context);
    }
}

static PCSTR TestCallAgainstSwitch(VOID)
{
    for (ULONG i = 0; i < 4; i++) {
        KeInitializeEvent(&PairEvent[i][0], SynchronizationEvent, TRUE);
        KeInitializeEvent(&PairEvent[i][1], SynchronizationEvent, FALSE);
    }
    KTEST_CHECK(KtestCrowd(10, PairOrCaller));
    return NULL;
}

/* A running thread that lowers itself to the level of a waiting one shares the processor from then on. */
static volatile LONG RivalRan;

static VOID Rival(PVOID Context)
{
    RivalRan = 1;
}

static VOID Lowering(PVOID Context)
{
    KeSetSystemAffinityThreadEx(1);
    KeSetPriorityThread(KeGetCurrentThread(), 10);
    PETHREAD Thread = KtestStart(Rival, NULL);
    ULONGLONG Start = KeQueryInterruptTime();
    KeSetPriorityThread(KeGetCurrentThread(), 8);
    while (!RivalRan && KeQueryInterruptTime() - Start < 30000000) {
    }
    Seen = KeQueryInterruptTime() - Start < 15000000;
    KtestJoin(Thread);
}

static PCSTR TestLowering(VOID)
{
    RivalRan = 0;
    Seen = 0;
    KTEST_CHECK(KtestCrowd(1, Lowering));
    KTEST_CHECK(Seen);
    return NULL;
}

static PCSTR TestCreateMany(VOID)
{
    for (ULONG i = 0; i < 50; i++) {
        KTEST_CHECK(KtestCrowd(20, Nothing));
    }
    return NULL;
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    char Seed[16];
    RandomQuanta = ExQueryKernelOption("sched.seed", Seed, sizeof(Seed));
    KtestRun("sched.preemption", TestPreemption);
    KtestRun("sched.priority", TestPriority);
    KtestRun("sched.preempts-setter", TestPreemptSetter);
    KtestRun("sched.affinity", TestAffinity);
    KtestRun("sched.priorities", TestPriorities);
    KtestRun("sched.boost", TestBoost);
    KtestRun("sched.starvation", TestStarvation);
    KtestRun("sched.generic-call", TestGenericCall);
    KtestRun("sched.call-against-switch", TestCallAgainstSwitch);
    KtestRun("sched.lowering", TestLowering);
    KtestRun("sched.crowds", TestCreateMany);
    return STATUS_SUCCESS;
}
