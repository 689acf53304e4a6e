/* SPDX-License-Identifier: MIT */
/*
 * The scheduler: threads that never yield all progress; a higher priority runs at once, wherever it is; affinity, boosts,
 * starvation.
 */
#include "../ktest.h"

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

/* While spinners of priority 8 keep every processor busy, a thread of priority 12 that wakes runs at once: its wake-ups are
   late by far less than a quantum. */
static PCSTR TestPriority(VOID)
{
    ULONG Count = KeQueryActiveProcessorCount(NULL);
    PETHREAD Threads[KTEST_MAX_THREADS];
    LONGLONG Total = 0;
    Stop = 0;
    for (ULONG i = 0; i < Count * 2 && i < KTEST_MAX_THREADS; i++) {
        Threads[i] = KtestStart(Spinner, (PVOID)(ULONG_PTR)i);
        KTEST_CHECK(Threads[i] != NULL);
    }
    KPRIORITY Old = KeSetPriorityThread(KeGetCurrentThread(), 12);
    for (ULONG i = 0; i < 50; i++) {
        ULONGLONG Before = KeQueryInterruptTime();
        KtestSleep(2);
        Total += (LONGLONG)(KeQueryInterruptTime() - Before) - 20000;
    }
    Stop = 1;
    KeSetPriorityThread(KeGetCurrentThread(), Old);
    for (ULONG i = 0; i < Count * 2 && i < KTEST_MAX_THREADS; i++) {
        KtestJoin(Threads[i]);
    }
    DbgPrint("sched: wake-ups late by %I64d us on the average\n", Total / 50 / 10);
    /* 20 ms, with processors of the host shared; a quantum would be 30 ms and more. With more than four processors the host
       itself makes them wait that long. */
    KTEST_CHECK(Count > 4 || Total / 50 < 200000);
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

/* The setter and the woken thread are bound to one processor: the higher one runs before the setter's next statement. */
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

static KEVENT BoostEvent, BoostReady;
static volatile KPRIORITY Boosted;

static VOID BoostThread(PVOID Context)
{
    KeSetEvent(&BoostReady, IO_NO_INCREMENT, FALSE);
    KeWaitForSingleObject(&BoostEvent, Executive, KernelMode, FALSE, NULL);
    Boosted = KeQueryPriorityThread(KeGetCurrentThread());
}

/* Base 8 and increments of -1 to 8 give 8 to 15; a negative one never lowers. */
static PCSTR TestBoost(VOID)
{
    for (KPRIORITY Increment = -1; Increment <= 8; Increment++) {
        KeInitializeEvent(&BoostEvent, SynchronizationEvent, FALSE);
        KeInitializeEvent(&BoostReady, SynchronizationEvent, FALSE);
        PETHREAD Thread = KtestStart(BoostThread, NULL);
        KTEST_CHECK(Thread != NULL);
        KeWaitForSingleObject(&BoostReady, Executive, KernelMode, FALSE, NULL);
        KtestSleep(5);
        KeSetEvent(&BoostEvent, Increment, FALSE);
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

static VOID StarvedStarter(PVOID Context)
{
    KeSetPriorityThread(KeGetCurrentThread(), 2);
    StarvedRan = 1;
}

static VOID Hog(PVOID Context)
{
    KeSetPriorityThread(KeGetCurrentThread(), 10);
    while (!Stop) {
    }
}

/* Every processor is kept busy at priority 10; a thread that falls to priority 2 runs all the same within some seconds. */
static PCSTR TestStarvation(VOID)
{
    ULONG Count = KeQueryActiveProcessorCount(NULL);
    PETHREAD Hogs[KTEST_MAX_THREADS], Low;
    Stop = 0;
    StarvedRan = 0;
    KPRIORITY Old = KeSetPriorityThread(KeGetCurrentThread(), 12);
    for (ULONG i = 0; i < Count; i++) {
        Hogs[i] = KtestStart(Hog, NULL);
        KTEST_CHECK(Hogs[i] != NULL);
    }
    KtestSleep(200);
    Low = KtestStart(StarvedStarter, NULL);
    KTEST_CHECK(Low != NULL);
    LARGE_INTEGER Limit = KtestMs(15000);
    ULONGLONG Before = KeQueryInterruptTime();
    NTSTATUS Status = KeWaitForSingleObject(Low, Executive, KernelMode, FALSE, &Limit);
    ULONGLONG Took = KeQueryInterruptTime() - Before;
    Stop = 1;
    KeSetPriorityThread(KeGetCurrentThread(), Old);
    for (ULONG i = 0; i < Count; i++) {
        KtestJoin(Hogs[i]);
    }
    KtestJoin(Low);
    KTEST_CHECK(Status == STATUS_SUCCESS && StarvedRan);
    KTEST_CHECK(Took > 10000000); /* it was starved, for a second at least */
    return NULL;
}

#define CALLS 60 /* each needs all processors at once, which a machine with fewer cores has to arrange */

static volatile LONG IpiSeen;

static ULONG_PTR IpiWorker(ULONG_PTR Argument)
{
    if (KeGetCurrentIrql() == IPI_LEVEL) {
        InterlockedIncrement(&IpiSeen);
    }
    return Argument + KeGetCurrentProcessorNumber();
}

static VOID IpiThread(PVOID Context)
{
    for (ULONG i = 0; i < CALLS; i++) {
        KeIpiGenericCall(IpiWorker, 7);
    }
}

/* Four threads call all processors at once: each call reaches each processor, at IPI_LEVEL, and none waits in a circle. */
static PCSTR TestGenericCall(VOID)
{
    ULONG Count = KeQueryActiveProcessorCount(NULL);
    IpiSeen = 0;
    KTEST_CHECK(KtestCrowd(4, IpiThread));
    KTEST_CHECK(IpiSeen == (LONG)(4 * CALLS * Count));
    KTEST_CHECK(KeGetCurrentIrql() == PASSIVE_LEVEL);
    return NULL;
}

/* Pairs of threads hand an event to and fro, so that contexts are often wanted while they are still being saved, and others call
   all processors meanwhile: a processor that waits for a context must answer. */
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
