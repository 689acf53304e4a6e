/* SPDX-License-Identifier: MIT */
/* Where threads run on four processors: idle ones first, then the weakest, never one that they may not use. */
#include "stage.h"

static PRIMER_PROCESSOR Counters(ULONG Processor)
{
    PRIMER_PROCESSOR Answer;
    PrimerQueryProcessor(Processor, &Answer);
    return Answer;
}

/* ---- Affinity ---- */

/* Below DISPATCH_LEVEL the current thread has moved when the call returns. */
static PCSTR CurrentMoves(VOID)
{
    ULONG Wrong = 0;
    for (ULONG i = 0; i < 4 * PROCESSORS; i++) {
        ULONG Wanted = (3 * i + 1) % PROCESSORS;
        KeSetSystemAffinityThreadEx((KAFFINITY)1 << Wanted);
        Wrong += KeGetCurrentProcessorNumber() != Wanted;
    }
    StandOn(0);
    KTEST_CHECK(Wrong == 0);
    return NULL;
}

/* A thread that runs elsewhere leaves a processor that it may no longer use. */
static PCSTR RunningMoves(VOID)
{
    KTEST_CHECK(Place(&Actor[0], 1, 8, 1 << 1, 1, TRUE));
    LetGo(&Actor[0]);
    KTEST_CHECK(WATCH(Actor[0].RanOn == 1));
    for (ULONG i = 2; i < PROCESSORS; i++) {
        KeSetAffinityThread((PKTHREAD)Actor[0].Thread, (KAFFINITY)1 << i);
        KTEST_CHECK(WATCH((Actor[0].Seen & 1ULL << i) != 0));
    }
    Actor[0].Stop = 1;
    KTEST_CHECK(WATCH(Actor[0].Over));
    KTEST_CHECK(Actor[0].Seen == 14 && Actor[0].Changes == 2);
    return NULL;
}

/* One that waits in a queue goes to where it may run now, though that processor is no better. */
static PCSTR QueuedMoves(VOID)
{
    KTEST_CHECK(Place(&Actor[0], 1, 8, 1 << 1, 1, FALSE));
    KTEST_CHECK(Occupy(1, 10) && Occupy(2, 10) && Occupy(3, 10));
    LetGo(&Actor[0]);
    KTEST_CHECK(Actor[0].RanOn == -1);
    KeSetAffinityThread((PKTHREAD)Actor[0].Thread, 1 << 2);
    Vacate(1); /* it may not use that one any more */
    KTEST_CHECK(AWAIT(!Keeper[1].Busy));
    KTEST_CHECK(Actor[0].RanOn == -1);
    Vacate(2);
    KTEST_CHECK(WATCH(Actor[0].RanOn >= 0));
    KTEST_CHECK(Actor[0].RanOn == 2);
    return NULL;
}

/* ---- Which processor ---- */

/* An idle one is used at once: nobody has to come for the thread. */
#define ROUNDS 6

static PCSTR IdleFirst(VOID)
{
    ULONG64 Steals = 0;
    for (ULONG i = 0; i < ROUNDS; i++) {
        ULONG Idle = 1 + i % 3;
        KTEST_CHECK(Place(&Actor[0], 1 + (i + 1) % 3, 8, ALL, 0, FALSE));
        for (ULONG Other = 1; Other < PROCESSORS; Other++) {
            KTEST_CHECK(Other == Idle || Occupy(Other, 10));
        }
        ULONG64 Before = Counters(Idle).Steals;
        LetGo(&Actor[0]);
        KTEST_CHECK(WATCH(Actor[0].RanOn >= 0));
        KTEST_CHECK(Actor[0].RanOn == (LONG)Idle);
        Steals += Counters(Idle).Steals - Before;
        KTEST_CHECK(VacateAll());
    }
    KTEST_CHECK(Steals < ROUNDS); /* something else may be stolen now and then */
    return NULL;
}

/* Of several idle ones that where it ran last; of others the first from its ideal processor upwards. */
static PCSTR LastThenIdeal(VOID)
{
    for (ULONG i = 1; i < PROCESSORS; i++) {
        KTEST_CHECK(Place(&Actor[0], i, 8, ALL, 1 + i % 3, FALSE));
        LetGo(&Actor[0]);
        KTEST_CHECK(WATCH(Actor[0].RanOn >= 0));
        KTEST_CHECK(Actor[0].RanOn == (LONG)i);
    }
    for (ULONG i = 1; i < PROCESSORS; i++) {
        ULONG Ideal = 1 + i % 3;
        KTEST_CHECK(Place(&Actor[0], i, 8, ALL, Ideal, FALSE) && Occupy(i, 10));
        LetGo(&Actor[0]);
        KTEST_CHECK(WATCH(Actor[0].RanOn >= 0));
        KTEST_CHECK(Actor[0].RanOn == (LONG)Ideal);
        KTEST_CHECK(VacateAll());
    }
    return NULL;
}

/* Nobody idles: the one that runs the lowest priority is preempted. */
static PCSTR Weakest(VOID)
{
    for (ULONG i = 1; i < PROCESSORS; i++) {
        KTEST_CHECK(Place(&Actor[0], 0, 12, ALL, 0, FALSE));
        for (ULONG Other = 1; Other < PROCESSORS; Other++) {
            KTEST_CHECK(Occupy(Other, Other == i ? 6 : 6 + (KPRIORITY)Other));
        }
        LetGo(&Actor[0]);
        KTEST_CHECK(WATCH(Actor[0].RanOn >= 0));
        KTEST_CHECK(Actor[0].RanOn == (LONG)i);
        KTEST_CHECK(VacateAll());
    }
    return NULL;
}

/* Three threads that never wait share two processors: at the ends of their quanta they change places, so that
   none of them has one to itself for good. */
static PCSTR ChangePlaces(VOID)
{
    for (ULONG i = 0; i < 3; i++) {
        KTEST_CHECK(Place(&Actor[i], 1 + i % 2, 8, 1 << 1 | 1 << 2, 1 + i % 2, TRUE));
    }
    for (ULONG i = 0; i < 3; i++) {
        LetGo(&Actor[i]);
    }
    KTEST_CHECK(AWAIT(Actor[0].Changes >= 3 && Actor[1].Changes >= 3 && Actor[2].Changes >= 3));
    return NULL;
}

/* ---- Taking what waits elsewhere ---- */

/* On processor 1 two threads wait; processor 3, which becomes idle, may run the lower one alone. */
static PCSTR TakesEligible(VOID)
{
    KTEST_CHECK(Place(&Actor[0], 1, 9, 1 << 1 | 1 << 2, 1, FALSE) && Place(&Actor[1], 1, 7, 1 << 1 | 1 << 3, 1, FALSE));
    KTEST_CHECK(Occupy(1, 10) && Occupy(2, 10) && Occupy(3, 10));
    LetGo(&Actor[0]);
    LetGo(&Actor[1]);
    Vacate(3);
    KTEST_CHECK(WATCH(Actor[1].RanOn >= 0));
    KTEST_CHECK(Actor[1].RanOn == 3 && Actor[0].RanOn != 3);
    return NULL;
}

/* A thread waits on processor 1, a higher one on processor 2; processor 3, which becomes idle and may run
   both, takes the higher one first, and has no lower one to put off for it. */
static PCSTR TakesHighest(VOID)
{
    ULONG64 Pulls = 0;
    for (ULONG i = 0; i < ROUNDS; i++) {
        KTEST_CHECK(Place(&Actor[0], 1, 5, 1 << 1 | 1 << 3, 1, FALSE) && Place(&Actor[1], 2, 7, 1 << 2 | 1 << 3, 2, FALSE));
        KTEST_CHECK(Occupy(1, 10) && Occupy(2, 10) && Occupy(3, 10));
        ULONG64 Before = Counters(3).Pulls;
        LetGo(&Actor[0]);
        LetGo(&Actor[1]);
        Vacate(3);
        KTEST_CHECK(WATCH(Actor[0].RanOn >= 0 && Actor[1].RanOn >= 0));
        KTEST_CHECK(Actor[0].RanOn == 3 && Actor[1].RanOn == 3 && Actor[1].Order < Actor[0].Order);
        Pulls += Counters(3).Pulls - Before;
        KTEST_CHECK(VacateAll());
    }
    KTEST_CHECK(Pulls < ROUNDS);
    return NULL;
}

/* ---- The measure ---- */

/* Four threads that never wait, made ready in one place, may use three processors: how much of these
   processors' time is idle while they are ready, by the kernel's own account? */
static PCSTR IdleWhileReady(VOID)
{
    ULONG64 Idle = 0, Ran = 0;
    for (ULONG i = 0; i < ACTORS; i++) {
        KTEST_CHECK(Place(&Actor[i], 1, 8, ALL & ~1, 1, TRUE));
    }
    for (ULONG i = 0; i < ACTORS; i++) {
        LetGo(&Actor[i]);
    }
    KTEST_CHECK(AWAIT(Actor[0].RanOn >= 0 && Actor[1].RanOn >= 0 && Actor[2].RanOn >= 0 && Actor[3].RanOn >= 0));
    for (ULONG i = 1; i < PROCESSORS; i++) {
        Idle -= Counters(i).IdleCycles;
    }
    for (ULONG i = 0; i < ACTORS; i++) {
        Ran -= PrimerThreadCycles((PKTHREAD)Actor[i].Thread);
    }
    KtestSleep(500);
    for (ULONG i = 1; i < PROCESSORS; i++) {
        Idle += Counters(i).IdleCycles;
    }
    for (ULONG i = 0; i < ACTORS; i++) {
        Ran += PrimerThreadCycles((PKTHREAD)Actor[i].Thread);
    }
    DbgPrint("spread: idle while somebody was ready: %I64u %% of the time\n", Idle * 100 / (Idle + Ran + 1));
    KTEST_CHECK(Idle < Ran / 10);
    return NULL;
}

static PCSTR TestCurrentMoves(VOID)
{
    return Stage(CurrentMoves);
}

static PCSTR TestRunningMoves(VOID)
{
    return Stage(RunningMoves);
}

static PCSTR TestQueuedMoves(VOID)
{
    return Stage(QueuedMoves);
}

static PCSTR TestIdleFirst(VOID)
{
    return Stage(IdleFirst);
}

static PCSTR TestLastThenIdeal(VOID)
{
    return Stage(LastThenIdeal);
}

static PCSTR TestWeakest(VOID)
{
    return Stage(Weakest);
}

static PCSTR TestChangePlaces(VOID)
{
    return Stage(ChangePlaces);
}

static PCSTR TestTakesEligible(VOID)
{
    return Stage(TakesEligible);
}

static PCSTR TestTakesHighest(VOID)
{
    return Stage(TakesHighest);
}

static PCSTR TestIdleWhileReady(VOID)
{
    return Stage(IdleWhileReady);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    NTSTATUS Status = SetStage();
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    KtestRun("spread.current-moves", TestCurrentMoves);
    KtestRun("spread.running-moves", TestRunningMoves);
    KtestRun("spread.queued-moves", TestQueuedMoves);
    KtestRun("spread.idle-first", TestIdleFirst);
    KtestRun("spread.last-then-ideal", TestLastThenIdeal);
    KtestRun("spread.weakest", TestWeakest);
    KtestRun("spread.change-places", TestChangePlaces);
    KtestRun("spread.takes-eligible", TestTakesEligible);
    KtestRun("spread.takes-highest", TestTakesHighest);
    KtestRun("spread.idle-while-ready", TestIdleWhileReady);
    return STATUS_SUCCESS;
}
