/* SPDX-License-Identifier: MIT */
/*
 * Wake-ups, counted. Pairs of threads hand a turn to and fro: one signals the other's object and waits for
 * its own. Whoever returns from a wait with success looks whether the turn is really its own (a success
 * without a signal), and a wait that lasts for many seconds of guest time is a signal that was lost. The
 * kinds of object and of wait change from round to round.
 */
#include "stress.h"

#define PAIRS    8
#define PATIENCE 60000 /* ms */
#define ENOUGH   200000 /* wake-ups, unless a soak asks for more time */

typedef struct _SIDE {
    KEVENT Event;
    KSEMAPHORE Semaphore;
    KEVENT Other; /* never signalled: the second object of a wait for any */
} SIDE;

typedef struct _PAIR {
    SIDE Side[2];
    volatile LONG64 Turn; /* how many turns have been handed over; even: side 0's */
    PCSTR volatile Wrong;
} PAIR;

static PAIR Pairs[PAIRS];
static volatile LONG64 WakeUps;
static ULONG64 Deadline; /* interrupt time */

/* The manner of turn N: the same on both sides. */
static BOOLEAN UsesEvent(LONG64 Turn)
{
    return Turn / 2 % 3 != 1;
}

static VOID HandOver(SIDE *To, LONG64 Turn)
{
    if (UsesEvent(Turn)) {
        KeSetEvent(&To->Event, (KPRIORITY)(Turn % 2), FALSE);
    } else {
        KeReleaseSemaphore(&To->Semaphore, (KPRIORITY)(Turn % 2), 1, FALSE);
    }
}

static NTSTATUS AwaitTurn(SIDE *Own, LONG64 Turn)
{
    LARGE_INTEGER Patience = KtestMs(PATIENCE);
    PVOID Object = UsesEvent(Turn) ? (PVOID)&Own->Event : (PVOID)&Own->Semaphore;
    PVOID Any[] = {&Own->Other, Object};
    switch (Turn / 2 % 4) {
    case 0:
        return KeWaitForSingleObject(Object, Executive, KernelMode, FALSE, NULL);
    case 1:
        return KeWaitForMultipleObjects(2, Any, WaitAny, Executive, KernelMode, FALSE, &Patience, NULL) ==
               STATUS_WAIT_0 + 1 ? STATUS_SUCCESS : STATUS_TIMEOUT;
    case 2:
        return KeWaitForMultipleObjects(1, &Object, WaitAll, Executive, KernelMode, FALSE, &Patience, NULL);
    default:
        return KeWaitForSingleObject(Object, Executive, KernelMode, TRUE, &Patience);
    }
}

static BOOLEAN IsEnough(VOID)
{
    return KeQueryInterruptTime() > Deadline || (!StressIsSoak() && WakeUps >= ENOUGH);
}

static VOID RunSide(PVOID Context)
{
    ULONG Number = (ULONG)(ULONG_PTR)Context;
    PAIR *Pair = &Pairs[Number / 2];
    SIDE *Own = &Pair->Side[Number % 2], *Other = &Pair->Side[1 - Number % 2];
    for (LONG64 Turn = Number % 2;; Turn += 2) {
        if (Turn > 0) {
            NTSTATUS Status = AwaitTurn(Own, Turn);
            if (Status != STATUS_SUCCESS) {
                Pair->Wrong = "a signal was lost";
            } else if (Pair->Turn != Turn && Pair->Turn >= 0) {
                Pair->Wrong = "a wait succeeded without a signal";
            }
            InterlockedIncrement64(&WakeUps);
        }
        BOOLEAN Last = Pair->Wrong != NULL || Pair->Turn < 0 || (Number % 2 == 0 && IsEnough());
        Pair->Turn = Last ? -1 : Turn + 1;
        HandOver(Other, Turn + 1); /* also the last time: the other one ends, too */
        if (Last) {
            return;
        }
    }
}

PCSTR StressWakeUps(VOID)
{
    WakeUps = 0;
    Deadline = KeQueryInterruptTime() + StressMilliseconds() * 10000;
    for (ULONG i = 0; i < 2 * PAIRS; i++) {
        SIDE *Side = &Pairs[i / 2].Side[i % 2];
        KeInitializeEvent(&Side->Event, SynchronizationEvent, FALSE);
        KeInitializeEvent(&Side->Other, SynchronizationEvent, FALSE);
        KeInitializeSemaphore(&Side->Semaphore, 0, 2);
        Pairs[i / 2].Turn = 0;
    }
    KTEST_CHECK(KtestCrowd(2 * PAIRS, RunSide));
    for (ULONG i = 0; i < PAIRS; i++) {
        if (Pairs[i].Wrong != NULL) {
            return Pairs[i].Wrong;
        }
    }
    DbgPrint("stress: %I64d wake-ups\n", WakeUps);
    return WakeUps >= 1000 ? NULL : "hardly any wake-up";
}
