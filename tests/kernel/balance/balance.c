/* SPDX-License-Identifier: MIT */
/*
 * Where threads run and in what order: an idle processor takes work from others, a preempted thread goes on before its
 * equals, boosts decay. The cases run without random quanta, for lengths of time are judged here.
 */
#include "../ktest.h"

static ULONG Processors;
static volatile LONG StopAll;

static VOID PinTo(ULONG Processor)
{
    KeSetSystemAffinityThreadEx((KAFFINITY)1 << Processor);
}

/* Waits until the condition holds, as long as Milliseconds; FALSE when it has not come true. */
#define WAIT_FOR(Condition, Milliseconds)                                                                              \
    ({                                                                                                                 \
        ULONGLONG End_ = KeQueryInterruptTime() + (Milliseconds)*10000ULL;                                             \
        while (!(Condition) && KeQueryInterruptTime() < End_) {                                                        \
            KtestSleep(1);                                                                                             \
        }                                                                                                              \
        (Condition);                                                                                                   \
    })

/* ---- Threads that keep one processor busy at a certain priority ---- */

typedef struct _HOLDER {
    ULONG Processor;
    KPRIORITY Priority;
    volatile LONG Stop, Runs;
    volatile ULONG64 Work;
    PETHREAD Thread;
} HOLDER;

static HOLDER Holders[KTEST_MAX_THREADS];

static VOID HolderThread(PVOID Context)
{
    HOLDER *Holder = Context;
    PinTo(Holder->Processor);
    KeSetPriorityThread(KeGetCurrentThread(), Holder->Priority);
    Holder->Runs = 1;
    while (!Holder->Stop && !StopAll) {
        Holder->Work++;
    }
}

/* The caller's priority is above the holder's, or it does not run on that processor. */
static BOOLEAN StartHolder(HOLDER *Holder, ULONG Processor, KPRIORITY Priority)
{
    *Holder = (HOLDER){.Processor = Processor, .Priority = Priority};
    Holder->Thread = KtestStart(HolderThread, Holder);
    return Holder->Thread != NULL && WAIT_FOR(Holder->Runs, 5000);
}

static VOID StopHolder(HOLDER *Holder)
{
    Holder->Stop = 1;
    KtestJoin(Holder->Thread);
}

/* One holder of that priority on each processor. */
static BOOLEAN HoldAll(KPRIORITY Priority)
{
    for (ULONG i = 0; i < Processors; i++) {
        if (!StartHolder(&Holders[i], i, Priority)) {
            return FALSE;
        }
    }
    return TRUE;
}

static VOID ReleaseAll(VOID)
{
    for (ULONG i = 0; i < Processors; i++) {
        StopHolder(&Holders[i]);
    }
}

/* Runs a test on a thread of priority 14 that stays on processor 0, so that what it holds up or lets go is no accident. */
static KTEST *UpperTest;
static PCSTR UpperResult;

static VOID UpperThread(PVOID Context)
{
    KeSetPriorityThread(KeGetCurrentThread(), 14);
    PinTo(0);
    StopAll = 0;
    UpperResult = UpperTest();
    StopAll = 1;
}

static VOID RunUpper(PCSTR Name, KTEST *Test)
{
    UpperTest = Test;
    UpperResult = "no thread";
    if (KtestCrowd(1, UpperThread) && UpperResult == NULL) {
        DbgPrint("@pass %s\n", Name);
    } else {
        DbgPrint("@fail %s: %s\n", Name, UpperResult);
    }
}

/* ---- A thread that waits, having run on a processor of the test's choice last ---- */

typedef struct _MOVER {
    ULONG From;
    KPRIORITY Priority;
    KEVENT Ready, Go;
    volatile LONG RanOn; /* -1: not yet */
    PETHREAD Thread;
} MOVER;

static VOID MoverThread(PVOID Context)
{
    MOVER *Mover = Context;
    PinTo(Mover->From);
    KeSetEvent(&Mover->Ready, IO_NO_INCREMENT, FALSE);
    KeSetPriorityThread(KeGetCurrentThread(), Mover->Priority);
    KeRevertToUserAffinityThreadEx(0);
    KeWaitForSingleObject(&Mover->Go, Executive, KernelMode, FALSE, NULL);
    Mover->RanOn = (LONG)KeGetCurrentProcessorNumber();
}

static BOOLEAN StartMover(MOVER *Mover, ULONG From, KPRIORITY Priority)
{
    Mover->From = From;
    Mover->Priority = Priority;
    Mover->RanOn = -1;
    KeInitializeEvent(&Mover->Ready, SynchronizationEvent, FALSE);
    KeInitializeEvent(&Mover->Go, SynchronizationEvent, FALSE);
    Mover->Thread = KtestStart(MoverThread, Mover);
    if (Mover->Thread == NULL) {
        return FALSE;
    }
    KeWaitForSingleObject(&Mover->Ready, Executive, KernelMode, FALSE, NULL);
    return WAIT_FOR(!IsListEmpty(&Mover->Go.Header.WaitListHead), 5000);
}

/* ---- Stealing ---- */

/* Every processor runs something of priority 10; a thread of priority 8 waits behind that of processor From. The one of
   processor To ends: the thread runs there, for it is idle now. Starvation would lift it after 4 s only. */
static PCSTR StealsFrom(ULONG From, ULONG To)
{
    MOVER Mover;
    KTEST_CHECK(StartMover(&Mover, From, 8));
    KTEST_CHECK(HoldAll(10));
    KeSetEvent(&Mover.Go, IO_NO_INCREMENT, FALSE);
    KtestSleep(20);
    LONG Early = Mover.RanOn;
    StopHolder(&Holders[To]);
    BOOLEAN Stolen = WAIT_FOR(Mover.RanOn >= 0, 1500);
    LONG RanOn = Mover.RanOn;
    KTEST_CHECK(StartHolder(&Holders[To], To, 10));
    ReleaseAll();
    KtestJoin(Mover.Thread);
    KTEST_CHECK(Early == -1);
    KTEST_CHECK(Stolen);
    KTEST_CHECK(RanOn == (LONG)To);
    return NULL;
}

static PCSTR TestSteals(VOID)
{
    PCSTR Why = NULL;
    for (ULONG To = 0; Why == NULL && Processors > 1 && To < Processors; To++) {
        Why = StealsFrom((To + 1) % Processors, To);
    }
    return Why;
}

/* ---- Quanta and boosts ---- */

#define LEVELS 8

static KEVENT BoostGo;
static volatile KPRIORITY Level[LEVELS];
static volatile ULONG Levels;

static VOID BoostedThread(PVOID Context)
{
    PKTHREAD Self = KeGetCurrentThread();
    PinTo(0);
    KeWaitForSingleObject(&BoostGo, Executive, KernelMode, FALSE, NULL);
    while (!StopAll && Levels < LEVELS) {
        KPRIORITY Priority = KeQueryPriorityThread(Self);
        if (Levels == 0 || Level[Levels - 1] != Priority) {
            Level[Levels++] = Priority;
        }
    }
}

/* A thread that was released with an increment of 5 uses its processor up: a rival of its base priority waits, and gets
   its turn when the boost has gone, a level a quantum. */
static PCSTR TestBoostDecays(VOID)
{
    HOLDER Rival;
    Levels = 0;
    KeInitializeEvent(&BoostGo, SynchronizationEvent, FALSE);
    PETHREAD Thread = KtestStart(BoostedThread, NULL);
    KTEST_CHECK(Thread != NULL && WAIT_FOR(!IsListEmpty(&BoostGo.Header.WaitListHead), 5000));
    KTEST_CHECK(StartHolder(&Rival, 0, 8));
    ULONGLONG Start = KeQueryInterruptTime();
    KeSetEvent(&BoostGo, 5, FALSE);
    BOOLEAN Decayed = WAIT_FOR(Levels >= 6, 3000);
    ULONG Took = (ULONG)((KeQueryInterruptTime() - Start) / 10000);
    StopHolder(&Rival);
    StopAll = 1;
    KtestJoin(Thread);
    DbgPrint("balance: a boost of 5 has gone after %u ms\n", Took);
    KTEST_CHECK(Decayed && Levels == 6);
    for (KPRIORITY i = 0; i < 6; i++) {
        KTEST_CHECK(Level[i] == 13 - i);
    }
    KTEST_CHECK(Took >= 5 * 25); /* five quanta of two ticks */
    return NULL;
}

static volatile ULONG Runner;

static VOID RunnerThread(PVOID Context)
{
    PinTo(0);
    while (!StopAll) {
        Runner = (ULONG)(ULONG_PTR)Context;
    }
}

/* Two spinners share a processor. A thread that interrupts them every 3 ms finds, when it comes again, nearly always the
   one at work that it has interrupted: a preempted thread has the rest of its quantum, before its equals. */
#define VISITS 60

static PCSTR TestPreemptedGoesOn(VOID)
{
    PETHREAD First = KtestStart(RunnerThread, (PVOID)1), Second = KtestStart(RunnerThread, (PVOID)2);
    KTEST_CHECK(First != NULL && Second != NULL);
    ULONG Changes = 0, Last = 0;
    ULONG64 Start = KeQueryInterruptTime();
    for (ULONG i = 0; i < VISITS; i++) {
        KtestSleep(3);
        Changes += Last != Runner;
        Last = Runner;
    }
    ULONG Quanta = (ULONG)((KeQueryInterruptTime() - Start) / 10000 / 30);
    StopAll = 1;
    KtestJoin(First);
    KtestJoin(Second);
    DbgPrint("balance: %u changes of the runner in %u visits, %u quanta\n", Changes, VISITS, Quanta);
    KTEST_CHECK(Changes >= 2 && Changes <= Quanta + 4);
    return NULL;
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    Processors = KeQueryActiveProcessorCount(NULL);
    DbgPrint("balance: %u processors\n", Processors);
    RunUpper("balance.steals", TestSteals);
    RunUpper("balance.boost-decays", TestBoostDecays);
    RunUpper("balance.preempted-goes-on", TestPreemptedGoesOn);
    return STATUS_SUCCESS;
}
