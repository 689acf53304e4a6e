/* SPDX-License-Identifier: MIT */
/*
 * What the documentation says of dispatcher objects one by one: constants and sizes, who is released and in
 * what order, what a thread that has ended is to waits. Waiters are bound to the test's own processor, so
 * that who stands in a list has gone to sleep.
 */
#include "waits.h"

#define WAITERS 4

static LARGE_INTEGER Zero;
static KEVENT Event, Go;
static KSEMAPHORE Semaphore;
static volatile LONG Arrived;
static volatile LONG Order[WAITERS];
static PETHREAD Threads[WAITERS];

static NTSTATUS Poll(PVOID Object)
{
    return KeWaitForSingleObject(Object, Executive, KernelMode, FALSE, &Zero);
}

/* ---- Numbers ---- */

static PCSTR TestConstants(VOID)
{
    KTIMER Timer;
    KTEST_CHECK(KernelMode == 0 && UserMode == 1 && WaitAll == 0 && WaitAny == 1);
    KTEST_CHECK(NotificationEvent == 0 && SynchronizationEvent == 1 && NotificationTimer == 0 && SynchronizationTimer == 1);
    KTEST_CHECK(THREAD_WAIT_OBJECTS == 3 && MAXIMUM_WAIT_OBJECTS == 64);
    KTEST_CHECK(Executive == 0 && DelayExecution == 4 && Suspended == 5 && UserRequest == 6);
    KTEST_CHECK(sizeof(DISPATCHER_HEADER) == 24 && sizeof(KEVENT) == 24 && sizeof(KSEMAPHORE) == 32);
    KTEST_CHECK(sizeof(KTIMER) == 64 && sizeof(KMUTANT) == 56);
    KeInitializeSemaphore(&Semaphore, 1, 1);
    KTEST_CHECK(Semaphore.Header.Type == 5);
    KTEST_CHECK(((PDISPATCHER_HEADER)KeGetCurrentThread())->Type == 6);
    KTEST_CHECK(((PDISPATCHER_HEADER)PsGetCurrentProcess())->Type == 3);
    KeInitializeTimer(&Timer);
    KTEST_CHECK(Timer.Header.Type == 8);
    KeInitializeTimerEx(&Timer, SynchronizationTimer);
    KTEST_CHECK(Timer.Header.Type == 9);
    KTEST_CHECK(LowImportance == 0 && MediumImportance == 1 && HighImportance == 2 && MediumHighImportance == 3);
    KTEST_CHECK(IO_NO_INCREMENT == 0 && IO_DISK_INCREMENT == 1 && IO_CD_ROM_INCREMENT == 1 && IO_NETWORK_INCREMENT == 2);
    KTEST_CHECK(IO_KEYBOARD_INCREMENT == 6 && IO_MOUSE_INCREMENT == 6 && IO_SOUND_INCREMENT == 8);
    KTEST_CHECK(EVENT_INCREMENT == 1 && SEMAPHORE_INCREMENT == 1 && MUTANT_INCREMENT == 1);
    return NULL;
}

/* ---- Who is released ---- */

static VOID Waiter(PVOID Context)
{
    KeSetSystemAffinityThreadEx(1);
    KeWaitForSingleObject(Semaphore.Limit != 0 ? (PVOID)&Semaphore : (PVOID)&Event, Executive, KernelMode, FALSE, NULL);
    Order[InterlockedIncrement(&Arrived) - 1] = (LONG)(LONG_PTR)Context;
}

static PCSTR StartWaiters(PDISPATCHER_HEADER Header)
{
    Arrived = 0;
    for (ULONG i = 0; i < WAITERS; i++) {
        PLIST_ENTRY Last = Header->WaitListHead.Blink;
        Threads[i] = KtestStart(Waiter, (PVOID)(ULONG_PTR)i);
        KTEST_CHECK(Threads[i] != NULL);
        while (Header->WaitListHead.Blink == Last) {
            KtestSleep(1);
        }
    }
    return NULL;
}

static ULONG CountWaiters(PDISPATCHER_HEADER Header)
{
    ULONG Count = 0;
    for (PLIST_ENTRY Entry = Header->WaitListHead.Flink; Entry != &Header->WaitListHead; Entry = Entry->Flink) {
        Count++;
    }
    return Count;
}

/* All but those that are expected to have gone still wait; those have come in the order in which they
   began. */
static PCSTR CheckGone(PDISPATCHER_HEADER Header, LONG Gone, LONG Before)
{
    for (LONG i = Before; i < Gone; i++) {
        KtestJoin(Threads[i]);
    }
    KTEST_CHECK(Arrived == Gone && CountWaiters(Header) == (ULONG)(WAITERS - Gone));
    for (LONG i = 0; i < Gone; i++) {
        KTEST_CHECK(Order[i] == i);
    }
    return NULL;
}

static PCSTR OnFirst(KTEST *Test)
{
    KAFFINITY Old = KeSetSystemAffinityThreadEx(1);
    PCSTR Why = Test();
    KeRevertToUserAffinityThreadEx(Old);
    return Why;
}

#define TRY(Call)                                                                                                      \
    do {                                                                                                               \
        PCSTR Why = (Call);                                                                                            \
        if (Why != NULL) {                                                                                             \
            return Why;                                                                                                \
        }                                                                                                              \
    } while (0)

/* A synchronization event releases the one that has waited longest, by a signal or a pulse, and is not
   signalled after it. */
static PCSTR FirstWaiter(VOID)
{
    Semaphore.Limit = 0;
    KeInitializeEvent(&Event, SynchronizationEvent, FALSE);
    TRY(StartWaiters(&Event.Header));
    for (LONG i = 0; i < WAITERS; i++) {
        LONG Previous = i % 2 ? KePulseEvent(&Event, 0, FALSE) : KeSetEvent(&Event, 0, FALSE);
        KTEST_CHECK(Previous == 0 && KeReadStateEvent(&Event) == 0);
        TRY(CheckGone(&Event.Header, i + 1, i));
    }
    KTEST_CHECK(KeSetEvent(&Event, 0, FALSE) == 0 && KeReadStateEvent(&Event) == 1); /* nobody: it stays */
    KTEST_CHECK(KePulseEvent(&Event, 0, FALSE) == 1 && KeReadStateEvent(&Event) == 0);
    return NULL;
}

static PCSTR TestFirstWaiter(VOID)
{
    return OnFirst(FirstWaiter);
}

/* A pulse of a notification event releases all that wait, and nobody who comes later. */
static PCSTR PulseReleasesAll(VOID)
{
    Semaphore.Limit = 0;
    KeInitializeEvent(&Event, NotificationEvent, FALSE);
    TRY(StartWaiters(&Event.Header));
    KTEST_CHECK(KePulseEvent(&Event, 0, FALSE) == 0 && KeReadStateEvent(&Event) == 0);
    for (ULONG i = 0; i < WAITERS; i++) {
        KtestJoin(Threads[i]);
    }
    KTEST_CHECK(Arrived == WAITERS && Poll(&Event) == STATUS_TIMEOUT);
    KeSetEvent(&Event, 0, FALSE);
    KTEST_CHECK(KeSetEvent(&Event, 0, FALSE) == 1 && KeReadStateEvent(&Event) == 1);
    KTEST_CHECK(KePulseEvent(&Event, 0, FALSE) == 1 && KeReadStateEvent(&Event) == 0);
    return NULL;
}

static PCSTR TestPulseReleasesAll(VOID)
{
    return OnFirst(PulseReleasesAll);
}

static NTSTATUS ReleaseRaises(LONG Adjustment)
{
    volatile NTSTATUS Code = STATUS_SUCCESS;
    _SEH2_TRY {
        KeReleaseSemaphore(&Semaphore, 0, Adjustment, FALSE);
    } _SEH2_EXCEPT(EXCEPTION_EXECUTE_HANDLER) {
        Code = _SEH2_GetExceptionCode();
    } _SEH2_END;
    return Code;
}

/* As many waiters as the count allows, the rest stays in the count; above the limit nothing happens but the
   exception. */
static PCSTR SemaphoreCounts(VOID)
{
    KeInitializeSemaphore(&Semaphore, 0, 5);
    TRY(StartWaiters(&Semaphore.Header));
    KTEST_CHECK(KeReleaseSemaphore(&Semaphore, 0, 2, FALSE) == 0 && KeReadStateSemaphore(&Semaphore) == 0);
    TRY(CheckGone(&Semaphore.Header, 2, 0));
    KTEST_CHECK(KeReleaseSemaphore(&Semaphore, 0, 5, FALSE) == 0 && KeReadStateSemaphore(&Semaphore) == 3);
    TRY(CheckGone(&Semaphore.Header, WAITERS, 2));
    KTEST_CHECK(KeReleaseSemaphore(&Semaphore, 0, 1, FALSE) == 3);
    KTEST_CHECK(ReleaseRaises(2) == STATUS_SEMAPHORE_LIMIT_EXCEEDED && KeReadStateSemaphore(&Semaphore) == 4);
    KTEST_CHECK(ReleaseRaises(MAXLONG) == STATUS_SEMAPHORE_LIMIT_EXCEEDED && KeReadStateSemaphore(&Semaphore) == 4);
    KTEST_CHECK(Poll(&Semaphore) == STATUS_SUCCESS && KeReadStateSemaphore(&Semaphore) == 3);
    return NULL;
}

static PCSTR TestSemaphoreCounts(VOID)
{
    return OnFirst(SemaphoreCounts);
}

/* A wait for all takes nothing until it can take everything. */
static PCSTR TestAllOrNothing(VOID)
{
    KEVENT First, Second;
    LARGE_INTEGER Limit = KtestMs(2);
    PVOID Objects[3] = {&First, &Semaphore, &Second};
    KeInitializeEvent(&First, SynchronizationEvent, TRUE);
    KeInitializeEvent(&Second, SynchronizationEvent, FALSE);
    KeInitializeSemaphore(&Semaphore, 2, 2);
    KTEST_CHECK(KeWaitForMultipleObjects(3, Objects, WaitAll, Executive, KernelMode, FALSE, &Zero, NULL) == STATUS_TIMEOUT);
    KTEST_CHECK(KeWaitForMultipleObjects(3, Objects, WaitAll, Executive, KernelMode, FALSE, &Limit, NULL) == STATUS_TIMEOUT);
    KTEST_CHECK(KeReadStateEvent(&First) == 1 && KeReadStateSemaphore(&Semaphore) == 2);
    KeSetEvent(&Second, 0, FALSE);
    KTEST_CHECK(KeWaitForMultipleObjects(3, Objects, WaitAll, Executive, KernelMode, FALSE, NULL, NULL) == STATUS_SUCCESS);
    KTEST_CHECK(KeReadStateEvent(&First) == 0 && KeReadStateSemaphore(&Semaphore) == 1 && KeReadStateEvent(&Second) == 0);
    return NULL;
}

/* ---- Threads and processes ---- */

static VOID EndOnGo(PVOID Context)
{
    KeWaitForSingleObject(Context, Executive, KernelMode, FALSE, NULL);
}

/* A thread that has ended is signalled for good, and waiting for it changes nothing. */
static PCSTR TestThreadObjects(VOID)
{
    KeInitializeEvent(&Event, NotificationEvent, FALSE);
    KeInitializeEvent(&Go, NotificationEvent, FALSE);
    PETHREAD Lives = KtestStart(EndOnGo, &Event), Ends = KtestStart(EndOnGo, &Go);
    KTEST_CHECK(Lives != NULL && Ends != NULL);
    PVOID Both[2] = {Lives, Ends};
    NTSTATUS Early = Poll(Ends), EarlyAny = KeWaitForMultipleObjects(2, Both, WaitAny, Executive, KernelMode, FALSE, &Zero, NULL);
    KeSetEvent(&Go, 0, FALSE);
    NTSTATUS Any = KeWaitForMultipleObjects(2, Both, WaitAny, Executive, KernelMode, FALSE, NULL, NULL);
    NTSTATUS Again = Poll(Ends), Third = Poll(Ends);
    NTSTATUS Half = KeWaitForMultipleObjects(2, Both, WaitAll, Executive, KernelMode, FALSE, &Zero, NULL);
    KeSetEvent(&Event, 0, FALSE);
    NTSTATUS All = KeWaitForMultipleObjects(2, Both, WaitAll, Executive, KernelMode, FALSE, NULL, NULL);
    KtestJoin(Lives);
    KtestJoin(Ends);
    KTEST_CHECK(Early == STATUS_TIMEOUT && EarlyAny == STATUS_TIMEOUT && Any == STATUS_WAIT_1);
    KTEST_CHECK(Again == STATUS_SUCCESS && Third == STATUS_SUCCESS && Half == STATUS_TIMEOUT && All == STATUS_SUCCESS);
    KTEST_CHECK(Poll(PsInitialSystemProcess) == STATUS_TIMEOUT);
    return NULL;
}

static VOID RunOnGo(PVOID Context)
{
    KeSetSystemAffinityThreadEx(1);
    KeSetPriorityThread(KeGetCurrentThread(), 12);
    KeWaitForSingleObject(&Event, Executive, KernelMode, FALSE, NULL);
    InterlockedIncrement(&Arrived);
}

/* A delay of zero lets an equal that is ready go first; but now and then a quantum ends before that has said
   that it is there. */
static PCSTR Yield(VOID)
{
    LONG First = 0;
    for (ULONG i = 0; i < 20; i++) {
        KIRQL Irql;
        KeInitializeEvent(&Event, SynchronizationEvent, FALSE);
        Arrived = 0;
        PETHREAD Thread = KtestStart(RunOnGo, NULL);
        KTEST_CHECK(Thread != NULL);
        while (IsListEmpty(&Event.Header.WaitListHead)) {
            KtestSleep(1);
        }
        KeSetPriorityThread(KeGetCurrentThread(), 12); /* without the boost of the last round's end */
        KeRaiseIrql(DISPATCH_LEVEL, &Irql);
        KeSetEvent(&Event, IO_NO_INCREMENT, FALSE);
        KeLowerIrql(Irql);
        NTSTATUS Status = KeDelayExecutionThread(KernelMode, FALSE, &Zero);
        First += Arrived;
        KtestJoin(Thread);
        KTEST_CHECK(Status == STATUS_SUCCESS);
    }
    KTEST_CHECK(First > 10);
    return NULL;
}

static PCSTR TestYield(VOID)
{
    KPRIORITY Old = KeSetPriorityThread(KeGetCurrentThread(), 12);
    PCSTR Why = OnFirst(Yield);
    KeSetPriorityThread(KeGetCurrentThread(), Old);
    return Why;
}

VOID RunObjectTests(VOID)
{
    KtestRun("waits.constants", TestConstants);
    KtestRun("waits.first-waiter", TestFirstWaiter);
    KtestRun("waits.pulse-releases-all", TestPulseReleasesAll);
    KtestRun("waits.semaphore-counts", TestSemaphoreCounts);
    KtestRun("waits.all-or-nothing", TestAllOrNothing);
    KtestRun("waits.thread-objects", TestThreadObjects);
    KtestRun("waits.yield", TestYield);
}
