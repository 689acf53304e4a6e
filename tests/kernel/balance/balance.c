/* SPDX-License-Identifier: MIT */
/*
 * Where threads run and in what order: an idle processor takes work from others, a preempted thread goes on
 * before its equals, boosts decay. The cases run without random quanta, for lengths of time are judged here.
 */
#include "../ktest.h"
#include <primertest.h>

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
    BOOLEAN Later; /* begins when HoldersGo is set */
    volatile LONG Stop, Runs;
    volatile ULONG64 Work;
    PETHREAD Thread;
} HOLDER;

static HOLDER Holders[KTEST_MAX_THREADS];
static KEVENT HoldersGo; /* notification */

static VOID HolderThread(PVOID Context)
{
    HOLDER *Holder = Context;
    PinTo(Holder->Processor);
    KeSetPriorityThread(KeGetCurrentThread(), Holder->Priority);
    Holder->Runs = 1;
    if (Holder->Later) {
        KeWaitForSingleObject(&HoldersGo, Executive, KernelMode, FALSE, NULL);
    }
    while (!Holder->Stop && !StopAll) {
        Holder->Work++;
    }
}

/* The caller's priority is above the holder's, or it does not run on that processor. */
static BOOLEAN MakeHolder(HOLDER *Holder, ULONG Processor, KPRIORITY Priority, BOOLEAN Later)
{
    *Holder = (HOLDER){.Processor = Processor, .Priority = Priority, .Later = Later};
    Holder->Thread = KtestStart(HolderThread, Holder);
    return Holder->Thread != NULL && WAIT_FOR(Holder->Runs, 5000);
}

static BOOLEAN StartHolder(HOLDER *Holder, ULONG Processor, KPRIORITY Priority)
{
    return MakeHolder(Holder, Processor, Priority, FALSE);
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

/* Runs a test on a thread of priority 14 that stays on processor 0, so that what it holds up or lets go is no
   accident. */
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
    volatile KPRIORITY RanAt;
    volatile LONG Order; /* of all movers that have run */
    PETHREAD Thread;
} MOVER;

static volatile LONG MoversRun;

static VOID MoverThread(PVOID Context)
{
    MOVER *Mover = Context;
    PinTo(Mover->From);
    KeSetEvent(&Mover->Ready, IO_NO_INCREMENT, FALSE);
    KeSetPriorityThread(KeGetCurrentThread(), Mover->Priority);
    KeRevertToUserAffinityThreadEx(0);
    KeWaitForSingleObject(&Mover->Go, Executive, KernelMode, FALSE, NULL);
    Mover->Order = InterlockedIncrement(&MoversRun);
    Mover->RanAt = KeQueryPriorityThread(KeGetCurrentThread());
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

/* Every processor runs something of priority 10; a thread of priority 8 waits behind that of processor From.
   The one of processor To ends: the thread runs there, for it is idle now. Starvation would lift it after 4 s
   only. */
static PCSTR StealsFrom(ULONG From, ULONG To)
{
    static MOVER Mover;
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

/* A thread that was released with an increment of 5 uses its processor up: a rival of its base priority
   waits, and gets its turn when the boost has gone, a level a quantum. */
static PCSTR TestBoostDecays(VOID)
{
    static HOLDER Rival;
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

/* Two spinners share a processor. A thread that interrupts them every 3 ms finds, when it comes again, nearly
   always the one at work that it has interrupted: a preempted thread has the rest of its quantum, before its
   equals. */
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

/* A boost does not outlive quanta that were used up without a rival: the thread has had the processor to
   itself for 300 ms, and has its base priority when it is released the next time, without an increment. */
static volatile KPRIORITY LaterPriority;

static VOID LonelyThread(PVOID Context)
{
    PinTo(Processors - 1);
    KeWaitForSingleObject(&BoostGo, Executive, KernelMode, FALSE, NULL);
    Level[0] = KeQueryPriorityThread(KeGetCurrentThread());
    for (ULONGLONG Start = KeQueryInterruptTime(); KeQueryInterruptTime() - Start < 3000000;) {
    }
    KeWaitForSingleObject(&BoostGo, Executive, KernelMode, FALSE, NULL);
    LaterPriority = KeQueryPriorityThread(KeGetCurrentThread());
}

static PCSTR TestBoostDecaysAlone(VOID)
{
    KeInitializeEvent(&BoostGo, SynchronizationEvent, FALSE);
    PETHREAD Thread = KtestStart(LonelyThread, NULL);
    KTEST_CHECK(Thread != NULL && WAIT_FOR(!IsListEmpty(&BoostGo.Header.WaitListHead), 5000));
    KeSetEvent(&BoostGo, 5, FALSE);
    KtestSleep(500);
    KTEST_CHECK(WAIT_FOR(!IsListEmpty(&BoostGo.Header.WaitListHead), 5000));
    KeSetEvent(&BoostGo, IO_NO_INCREMENT, FALSE);
    KtestJoin(Thread);
    KTEST_CHECK(Level[0] == 13);
    KTEST_CHECK(LaterPriority == 8);
    return NULL;
}

/* ---- Placement ---- */

/* Every processor but ours runs something of priority 8. A thread of priority 12 outranks them all: it goes
   to the one where it ran last. If that one is ours, which runs something better, its ideal processor is
   next. */
static PCSTR PlacedOn(ULONG From, ULONG Ideal, ULONG Expected)
{
    static MOVER Mover;
    KTEST_CHECK(StartMover(&Mover, From, 12));
    KeSetIdealProcessorThread((PKTHREAD)Mover.Thread, (UCHAR)Ideal);
    KTEST_CHECK(HoldAll(8));
    KeSetEvent(&Mover.Go, IO_NO_INCREMENT, FALSE);
    for (ULONGLONG Start = KeQueryInterruptTime(); Mover.RanOn < 0 && KeQueryInterruptTime() - Start < 10000000;) {
    }
    LONG RanOn = Mover.RanOn;
    ReleaseAll();
    KtestJoin(Mover.Thread);
    KTEST_CHECK(RanOn == (LONG)Expected);
    return NULL;
}

static PCSTR TestPlaces(VOID)
{
    PCSTR Why = NULL;
    for (ULONG i = 1; Why == NULL && i < Processors; i++) {
        Why = PlacedOn(i, 0, i);
        Why = Why == NULL ? PlacedOn(0, i, i) : Why;
    }
    return Why;
}

static VOID Nothing(PVOID Context)
{
}

/* The ideal processors of new threads take turns: of four rounds no processor gets more than six threads, or
   less than two (somebody else may make a thread now and then). */
static PCSTR TestIdealTurns(VOID)
{
    ULONG Count[KTEST_MAX_THREADS] = {0};
    for (ULONG i = 0; i < Processors * 4; i++) {
        PETHREAD Thread = KtestStart(Nothing, NULL);
        KTEST_CHECK(Thread != NULL);
        Count[KeSetIdealProcessorThread((PKTHREAD)Thread, 255)]++;
        KtestJoin(Thread);
    }
    for (ULONG i = 0; i < Processors; i++) {
        KTEST_CHECK(Processors == 1 || (Count[i] >= 2 && Count[i] <= 6));
    }
    return NULL;
}

/* ---- A thread that waits though another processor runs something lower ---- */

/* All processors run something of priority 11 or above, and a thread of priority 10 waits on the first. On
   the second one a thread of priority 8 waits, too. When the upper thread there ends, or sinks to a level
   below, 10 runs and not 8, or the one that sank; at once, not only when the starvation scan comes by, which
   may be soon: hence the rounds. */
static PCSTR MovesToWeaker(BOOLEAN Sink, ULONG *Lates)
{
    static MOVER Mover;
    static HOLDER Low;
    KTEST_CHECK(StartMover(&Mover, 0, 10));
    KTEST_CHECK(StartHolder(&Low, 1, 8));
    KTEST_CHECK(HoldAll(11));
    KeSetEvent(&Mover.Go, IO_NO_INCREMENT, FALSE);
    KtestSleep(20);
    LONG Early = Mover.RanOn;
    if (Sink) {
        KeSetPriorityThread((PKTHREAD)Holders[1].Thread, 9);
    } else {
        StopHolder(&Holders[1]);
    }
    *Lates += !WAIT_FOR(Mover.RanOn >= 0, 300);
    BOOLEAN Moved = WAIT_FOR(Mover.RanOn >= 0, 2000);
    LONG RanOn = Mover.RanOn;
    if (!Sink) {
        KTEST_CHECK(StartHolder(&Holders[1], 1, 11));
    }
    ReleaseAll();
    StopHolder(&Low);
    KtestJoin(Mover.Thread);
    KTEST_CHECK(Early == -1);
    KTEST_CHECK(Moved && RanOn == 1);
    return NULL;
}

static PCSTR TestMovesToWeaker(VOID)
{
    PCSTR Why = NULL;
    ULONG Lates = 0;
    for (ULONG i = 0; Why == NULL && Processors > 1 && i < 10; i++) {
        Why = MovesToWeaker(i > 1, &Lates);
    }
    KTEST_CHECK(Why != NULL || Lates <= 2);
    return Why;
}

/* A thread that was bound to a busy processor, and waits there, is let loose: a processor that idles takes it
   at once. *Late: not within 300 ms. */
static PCSTR LetLoose(BOOLEAN *Late)
{
    static MOVER Mover;
    static HOLDER Busy;
    KTEST_CHECK(StartMover(&Mover, 0, 8));
    KeSetAffinityThread((PKTHREAD)Mover.Thread, 1);
    KTEST_CHECK(StartHolder(&Busy, 0, 10));
    KeSetEvent(&Mover.Go, IO_NO_INCREMENT, FALSE);
    KtestSleep(20);
    LONG Early = Mover.RanOn;
    KTEST_CHECK(KeSetAffinityThread((PKTHREAD)Mover.Thread, ~(KAFFINITY)0) == 1);
    for (ULONGLONG Start = KeQueryInterruptTime(); Mover.RanOn < 0 && KeQueryInterruptTime() - Start < 3000000;) {
    } /* at the next switch or interrupt of an idle processor it would be found anyway: here is none, most of the time */
    *Late = Mover.RanOn < 0;
    BOOLEAN Ran = WAIT_FOR(Mover.RanOn >= 0, 1500);
    LONG RanOn = Mover.RanOn;
    StopHolder(&Busy);
    KtestJoin(Mover.Thread);
    KTEST_CHECK(Early == -1);
    KTEST_CHECK(Ran && RanOn > 0);
    return NULL;
}

static PCSTR TestLetLoose(VOID)
{
    PCSTR Why = NULL;
    ULONG Lates = 0;
    for (ULONG i = 0; Why == NULL && Processors > 1 && i < 8; i++) {
        BOOLEAN Late = FALSE;
        Why = LetLoose(&Late);
        Lates += Late;
    }
    KTEST_CHECK(Why != NULL || Lates <= 2);
    return Why;
}

/* A thread whose processor runs something higher shares one that runs an equal, rather than wait behind that:
   at once when it wakes, within two seconds when it was preempted. */
static volatile LONG WandererRanOn;

static VOID Wanderer(PVOID Context)
{
    PinTo(Processors - 1);
    WandererRanOn = -2;
    KeRevertToUserAffinityThreadEx(0);
    while (!StopAll) {
        WandererRanOn = (LONG)KeGetCurrentProcessorNumber();
    }
}

static PCSTR TestSharesWithEqual(VOID)
{
    static MOVER Mover;
    static HOLDER Upper;
    ULONG Last = Processors - 1;
    if (Processors == 1) {
        return NULL;
    }
    KTEST_CHECK(StartMover(&Mover, Last, 8));
    KTEST_CHECK(StartHolder(&Holders[0], 0, 8));
    for (ULONG i = 1; i < Last; i++) {
        KTEST_CHECK(StartHolder(&Holders[i], i, 11));
    }
    KeInitializeEvent(&HoldersGo, NotificationEvent, FALSE);
    KTEST_CHECK(MakeHolder(&Upper, Last, 11, TRUE));
    WandererRanOn = -1;
    PETHREAD Thread = KtestStart(Wanderer, NULL); /* the last processor idles: it runs there */
    KTEST_CHECK(Thread != NULL && WAIT_FOR(WandererRanOn == (LONG)Last, 2000));
    PinTo(Processors > 2 ? 1 : 0); /* with every switch the first processor would look around */
    KeSetEvent(&HoldersGo, IO_NO_INCREMENT, FALSE); /* it is preempted there */
    BOOLEAN Preempted = WAIT_FOR(WandererRanOn == 0, 3000);
    KeSetEvent(&Mover.Go, IO_NO_INCREMENT, FALSE);
    BOOLEAN Woken = WAIT_FOR(Mover.RanOn >= 0, 900);
    LONG RanOn = Mover.RanOn;
    StopAll = 1;
    for (ULONG i = 0; i < Last; i++) {
        KtestJoin(Holders[i].Thread);
    }
    KtestJoin(Upper.Thread);
    KtestJoin(Mover.Thread);
    KtestJoin(Thread);
    KTEST_CHECK(Woken && RanOn == 0);
    KTEST_CHECK(Preempted);
    return NULL;
}

/* Two threads of one level share the last processor, and one that may not leave it has the turn, when
   something higher comes there: nobody is told of the other one, which waits before an equal would have. The
   scan finds that another processor runs an equal. Only after four scans would the thread be lifted to 15,
   and run. Long quanta: the thread must not have its turn before. */
static PCSTR TestScanOffers(VOID)
{
    static MOVER Mover;
    static HOLDER Upper;
    ULONG Last = Processors - 1;
    if (Processors < 3) {
        return NULL;
    }
    PinTo(1); /* with every switch the first processor would look around */
    KTEST_CHECK(StartMover(&Mover, Last, 8));
    UCHAR Quantum = PrimerSetQuantum(255);
    for (ULONG i = 0; i < Processors; i++) {
        KTEST_CHECK(StartHolder(&Holders[i], i, i == 0 || i == Last ? 8 : 11));
    }
    KeInitializeEvent(&HoldersGo, NotificationEvent, FALSE);
    KTEST_CHECK(MakeHolder(&Upper, Last, 11, TRUE));
    KeSetEvent(&Mover.Go, IO_NO_INCREMENT, FALSE);
    KeSetEvent(&HoldersGo, IO_NO_INCREMENT, FALSE);
    PrimerSetQuantum(Quantum);
    WAIT_FOR(Mover.RanOn >= 0, 10000);
    LONG RanOn = Mover.RanOn;
    StopAll = 1;
    for (ULONG i = 0; i < Processors; i++) {
        KtestJoin(Holders[i].Thread);
    }
    KtestJoin(Upper.Thread);
    KtestJoin(Mover.Thread);
    KTEST_CHECK(RanOn == 0 && Mover.RanAt == 8);
    return NULL;
}

/* ---- Shares ---- */

static KEVENT ShareGo;

static VOID ShareThread(PVOID Context)
{
    PinTo(0);
    KeWaitForSingleObject(&ShareGo, Executive, KernelMode, FALSE, NULL);
    KeRevertToUserAffinityThreadEx(0);
    while (!StopAll) {
    }
}

typedef struct _SHARES {
    ULONG Count;
    PETHREAD Thread[KTEST_MAX_THREADS];
    ULONG64 Before[KTEST_MAX_THREADS];
} SHARES;

/* What the least served has got since the beginning of what the most served has got, %. */
static ULONG LeastServed(const SHARES *Shares, ULONG64 *Sum)
{
    ULONG64 Least = ~0ULL, Most = 1;
    *Sum = 0;
    for (ULONG i = 0; i < Shares->Count; i++) {
        ULONG64 Share = PrimerThreadCycles((PKTHREAD)Shares->Thread[i]) - Shares->Before[i];
        Least = Share < Least ? Share : Least;
        Most = Share > Most ? Share : Most;
        *Sum += Share;
    }
    return (ULONG)(Least * 100 / Most);
}

/* Half as many spinners again as there are processors, but six at least, all made on the first one: after a
   second they have equal shares of all processors. Time is judged that each has run, not the work that it has
   done, which depends on the host's processors. When the host stops a processor for long, whoever runs there
   gets that time: so the times are summed up for some seconds more where they are not equal yet. Shares that
   are unequal stay so however long one sums. */
static PCSTR TestShares(VOID)
{
    SHARES Shares = {.Count = Processors * 3 / 2 < 6 ? 6 : Processors * 3 / 2};
    ULONG64 Sum = 0, Start, Took;
    ULONG Least = 0;
    KeInitializeEvent(&ShareGo, NotificationEvent, FALSE);
    for (ULONG i = 0; i < Shares.Count; i++) {
        Shares.Thread[i] = KtestStart(ShareThread, NULL);
        KTEST_CHECK(Shares.Thread[i] != NULL);
    }
    KtestSleep(50);
    KeSetEvent(&ShareGo, IO_NO_INCREMENT, FALSE);
    KtestSleep(1000);
    Start = (ULONG64)KeQueryPerformanceCounter(NULL).QuadPart;
    for (ULONG i = 0; i < Shares.Count; i++) {
        Shares.Before[i] = PrimerThreadCycles((PKTHREAD)Shares.Thread[i]);
    }
    for (ULONG i = 0; i < 6 && Least <= 75; i++) {
        KtestSleep(1500);
        Least = LeastServed(&Shares, &Sum);
    }
    Took = (ULONG64)KeQueryPerformanceCounter(NULL).QuadPart - Start;
    StopAll = 1;
    for (ULONG i = 0; i < Shares.Count; i++) {
        KtestJoin(Shares.Thread[i]);
    }
    DbgPrint("balance: %u spinners on %u processors: the least served got %u %% of the most served, all together %I64u %%\n",
             Shares.Count, Processors, Least, Sum * 100 / (Took * Processors));
    KTEST_CHECK(Least > 70);
    KTEST_CHECK(Sum * 100 / (Took * Processors) > 90);
    return NULL;
}

/* ---- Time ---- */

/* The processor time of a thread grows while it runs on another processor, and that of an idle processor,
   too. */
static PCSTR TestTimesGrow(VOID)
{
    static HOLDER Holder;
    PRIMER_PROCESSOR Idle;
    LARGE_INTEGER Frequency;
    KeQueryPerformanceCounter(&Frequency);
    ULONG64 Ms = (ULONG64)Frequency.QuadPart / 1000;
    if (Processors == 1) {
        return NULL;
    }
    PrimerQueryProcessor(1, &Idle);
    ULONG64 IdleBefore = Idle.IdleCycles;
    KtestSleep(50);
    PrimerQueryProcessor(1, &Idle);
    KTEST_CHECK(StartHolder(&Holder, 1, 8));
    ULONG64 Before = PrimerThreadCycles((PKTHREAD)Holder.Thread);
    KtestSleep(50);
    ULONG64 Ran = PrimerThreadCycles((PKTHREAD)Holder.Thread) - Before;
    ULONG64 Last = 0;
    BOOLEAN Backwards = FALSE;
    for (ULONG i = 0; i < 100000; i++) {
        ULONG64 Now = PrimerThreadCycles((PKTHREAD)Holder.Thread);
        Backwards |= Now < Last;
        Last = Now;
    }
    StopHolder(&Holder);
    KTEST_CHECK(Idle.IdleCycles - IdleBefore > 25 * Ms);
    KTEST_CHECK(Ran > 25 * Ms);
    KTEST_CHECK(!Backwards);
    return NULL;
}

/* ---- Threads that wait behind better ones ---- */

/* Waits on the processor, bound to it, once Go is set. */
static BOOLEAN StartBound(MOVER *Mover, ULONG Processor, KPRIORITY Priority)
{
    if (!StartMover(Mover, Processor, Priority)) {
        return FALSE;
    }
    KeSetAffinityThread((PKTHREAD)Mover->Thread, (KAFFINITY)1 << Processor);
    return TRUE;
}

/* A thread keeps its place in the queue, and the time for which it has waited, when it is given the priority
   or the affinity that it has, or may run elsewhere, too. */
static PCSTR TestKeepsPlace(VOID)
{
    static MOVER First, Second;
    static HOLDER Upper;
    ULONG Last = Processors - 1;
    KAFFINITY Bit = (KAFFINITY)1 << Last;
    KTEST_CHECK(StartBound(&First, Last, 4) && StartBound(&Second, Last, 4));
    KTEST_CHECK(HoldAll(9) && StartHolder(&Upper, Last, 10));
    KeSetEvent(&First.Go, IO_NO_INCREMENT, FALSE);
    KtestSleep(5);
    KeSetEvent(&Second.Go, IO_NO_INCREMENT, FALSE);
    KtestSleep(5);
    KTEST_CHECK(KeSetPriorityThread((PKTHREAD)First.Thread, 4) == 4);
    KTEST_CHECK(KeSetAffinityThread((PKTHREAD)First.Thread, Bit) == Bit);
    KTEST_CHECK(KeSetAffinityThread((PKTHREAD)First.Thread, ~(KAFFINITY)0) == Bit);
    KTEST_CHECK(First.RanOn == -1 && Second.RanOn == -1);
    StopHolder(&Upper);
    StopHolder(&Holders[Last]); /* the others are still busy: both wait here */
    KtestJoin(First.Thread);
    KtestJoin(Second.Thread);
    KTEST_CHECK(StartHolder(&Holders[Last], Last, 9));
    ReleaseAll();
    KTEST_CHECK(First.Order < Second.Order);
    return NULL;
}

/* Two threads of priority 2 wait behind one of priority 10 on a processor where nothing else happens. They
   are lifted after 4 s, though no timer is due there, and though the second one's priority is changed again
   and again. */
static PCSTR TestStarvationArms(VOID)
{
    static MOVER Still, Changing;
    static HOLDER Upper;
    ULONG Last = Processors - 1;
    KTEST_CHECK(StartBound(&Still, Last, 2) && StartBound(&Changing, Last, 2));
    KTEST_CHECK(StartHolder(&Upper, Last, 10));
    PinTo(Last);
    KtestSleep(1); /* its timer has fired just now: it is armed for a watch of some seconds */
    PinTo(0);
    ULONGLONG Start = KeQueryInterruptTime(), StillTook = 0, ChangingTook = 0;
    KeSetEvent(&Still.Go, IO_NO_INCREMENT, FALSE);
    KeSetEvent(&Changing.Go, IO_NO_INCREMENT, FALSE);
    for (ULONG i = 0; i < 90 && (StillTook == 0 || ChangingTook == 0); i++) {
        KtestSleep(100);
        if (i % 4 == 3 && ChangingTook == 0) {
            KeSetPriorityThread((PKTHREAD)Changing.Thread, 2 + (i / 4) % 2);
        }
        ULONGLONG Took = KeQueryInterruptTime() - Start;
        StillTook = StillTook == 0 && Still.RanOn >= 0 ? Took : StillTook;
        ChangingTook = ChangingTook == 0 && Changing.RanOn >= 0 ? Took : ChangingTook;
    }
    StopHolder(&Upper);
    KtestJoin(Still.Thread);
    KtestJoin(Changing.Thread);
    DbgPrint("balance: starved for %I64u ms, and for %I64u ms while its priority changed\n", StillTook / 10000, ChangingTook / 10000);
    KTEST_CHECK(StillTook > 30000000 && StillTook < 58000000);
    KTEST_CHECK(ChangingTook > 30000000 && ChangingTook < 58000000);
    return NULL;
}

/* ---- What bound threads cost others ---- */

#define BOUND  2000
#define ROUNDS 2000

static PETHREAD BoundThreads[BOUND];
static KEVENT BoundGo, Ping, Pong;

static VOID BoundThread(PVOID Context)
{
    KeWaitForSingleObject(&BoundGo, Executive, KernelMode, FALSE, NULL);
}

static VOID PingThread(PVOID Context)
{
    for (ULONG i = 0; i < ROUNDS; i++) {
        KeSetEvent(Context != NULL ? &Ping : &Pong, IO_NO_INCREMENT, FALSE);
        KeWaitForSingleObject(Context != NULL ? &Pong : &Ping, Executive, KernelMode, FALSE, NULL);
    }
    KeSetEvent(Context != NULL ? &Ping : &Pong, IO_NO_INCREMENT, FALSE);
}

static ULONG64 AllIpis(VOID)
{
    ULONG64 Sum = 0;
    for (ULONG i = 0; i < Processors; i++) {
        PRIMER_PROCESSOR Counters;
        PrimerQueryProcessor(i, &Counters);
        Sum += Counters.Ipis;
    }
    return Sum;
}

/* Interrupts between processors while two threads hand events to and fro. */
static ULONG64 Play(VOID)
{
    KeInitializeEvent(&Ping, SynchronizationEvent, FALSE);
    KeInitializeEvent(&Pong, SynchronizationEvent, FALSE);
    ULONG64 Before = AllIpis();
    KtestCrowd(2, PingThread);
    return AllIpis() - Before;
}

/* 2,000 threads wait for a processor, bound to it; other processors play, with an idle moment at every move.
   That takes as many interrupts between processors as without these threads: nobody looks for work there, or
   calls others to it. */
static PCSTR TestBoundThreads(VOID)
{
    static HOLDER Holder;
    if (Processors == 1) {
        return NULL;
    }
    KeInitializeEvent(&BoundGo, NotificationEvent, FALSE);
    KTEST_CHECK(StartHolder(&Holder, 0, 12));
    ULONG64 Without = Play();
    for (ULONG i = 0; i < BOUND; i++) {
        BoundThreads[i] = KtestStart(BoundThread, NULL);
        KTEST_CHECK(BoundThreads[i] != NULL);
        KeSetPriorityThread((PKTHREAD)BoundThreads[i], 4);
        KeSetAffinityThread((PKTHREAD)BoundThreads[i], 1);
    }
    KeSetEvent(&BoundGo, IO_NO_INCREMENT, FALSE);
    ULONG64 With = Play();
    StopHolder(&Holder);
    for (ULONG i = 0; i < BOUND; i++) {
        KtestJoin(BoundThreads[i]);
    }
    DbgPrint("balance: %u round trips took %I64u interrupts between processors, beside 2,000 bound threads %I64u\n", ROUNDS,
             Without, With);
    KTEST_CHECK(With < Without + Without / 4 + 200);
    return NULL;
}

/* ---- Overtaking ---- */

static MOVER Overtaken;
static KEVENT OvertakerGo;

/* Half a second is long before anybody looks at who is ready for how long. */
static VOID OvertakerThread(PVOID Context)
{
    PinTo(0);
    KeSetPriorityThread(KeGetCurrentThread(), 20);
    KeWaitForSingleObject(&OvertakerGo, Executive, KernelMode, FALSE, NULL);
    for (ULONGLONG Start = KeQueryInterruptTime(); Overtaken.RanOn < 0 && KeQueryInterruptTime() - Start < 5000000;) {
    }
}

/* A thread of priority 12 is about to run here, for what runs here is lower than elsewhere. Before it does,
   one of priority 20 comes that is bound here: the first waits after all, while others run something of
   priority 8. */
static PCSTR TestOvertaken(VOID)
{
    if (Processors == 1) {
        return NULL;
    }
    KTEST_CHECK(StartMover(&Overtaken, 0, 12));
    KeInitializeEvent(&OvertakerGo, SynchronizationEvent, FALSE);
    PETHREAD Overtaker = KtestStart(OvertakerThread, NULL);
    KTEST_CHECK(Overtaker != NULL && WAIT_FOR(!IsListEmpty(&OvertakerGo.Header.WaitListHead), 5000));
    for (ULONG i = 1; i < Processors; i++) {
        KTEST_CHECK(StartHolder(&Holders[i], i, 8));
    }
    KIRQL Irql;
    KeSetPriorityThread(KeGetCurrentThread(), 4);
    KeRaiseIrql(DISPATCH_LEVEL, &Irql);
    KeSetEvent(&Overtaken.Go, IO_NO_INCREMENT, FALSE);
    KeSetEvent(&OvertakerGo, IO_NO_INCREMENT, FALSE);
    KeLowerIrql(Irql);
    KeSetPriorityThread(KeGetCurrentThread(), 14);
    for (ULONG i = 1; i < Processors; i++) {
        StopHolder(&Holders[i]);
    }
    KtestJoin(Overtaken.Thread);
    KtestJoin(Overtaker);
    KTEST_CHECK(Overtaken.RanOn > 0);
    return NULL;
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    Processors = KeQueryActiveProcessorCount(NULL);
    DbgPrint("balance: %u processors\n", Processors);
    RunUpper("balance.steals", TestSteals);
    RunUpper("balance.boost-decays", TestBoostDecays);
    RunUpper("balance.preempted-goes-on", TestPreemptedGoesOn);
    RunUpper("balance.boost-decays-alone", TestBoostDecaysAlone);
    RunUpper("balance.places", TestPlaces);
    RunUpper("balance.ideal-turns", TestIdealTurns);
    RunUpper("balance.moves-to-weaker", TestMovesToWeaker);
    RunUpper("balance.let-loose", TestLetLoose);
    RunUpper("balance.shares-with-equal", TestSharesWithEqual);
    RunUpper("balance.scan-offers", TestScanOffers);
    RunUpper("balance.shares", TestShares);
    RunUpper("balance.times-grow", TestTimesGrow);
    RunUpper("balance.keeps-place", TestKeepsPlace);
    RunUpper("balance.starvation-arms", TestStarvationArms);
    RunUpper("balance.bound-threads", TestBoundThreads);
    RunUpper("balance.overtaken", TestOvertaken);
    return STATUS_SUCCESS;
}
