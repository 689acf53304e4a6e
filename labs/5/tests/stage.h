/* SPDX-License-Identifier: MIT */
/*
 * A stage for the scheduler of four processors. The director, a thread of priority 20, stands on processor 0;
 * a keeper of each other processor keeps it busy at a priority of the director's choice, or leaves it idle;
 * actors wait on a processor of his choice, and tell where they run once they are let go. All of them live
 * from the beginning to the end, so that nobody is made, or freed, while something is judged.
 *
 * What is judged is where a thread runs, never how soon: a limit of some seconds is there only so that a
 * thread that never runs is a failure and no hang.
 */
#ifndef PRIMER_LABS_STAGE_H
#define PRIMER_LABS_STAGE_H

#include "ktest.h"
#include <primertest.h>

#define PROCESSORS 4
#define ACTORS     4
#define DIRECTOR   20    /* his priority */
#define BOUND      10000 /* ms */
#define ALL        ((KAFFINITY)(1 << PROCESSORS) - 1)

static volatile LONG Misplaced; /* somebody was not where he had asked to be */

/* By way of another processor, so that it is no accident if one is there. */
static inline VOID StandOn(ULONG Processor)
{
    for (LONG Detour = 1; Detour >= 0; Detour--) {
        ULONG Wanted = (Processor + (ULONG)Detour) % PROCESSORS;
        KeSetSystemAffinityThreadEx((KAFFINITY)1 << Wanted);
        if (KeGetCurrentProcessorNumber() != Wanted) {
            InterlockedIncrement(&Misplaced);
        }
    }
}

/* Waits until the condition holds, asleep: only while nobody's place is judged. */
#define AWAIT(Condition)                                                                                               \
    ({                                                                                                                 \
        ULONGLONG End_ = KeQueryInterruptTime() + BOUND * 10000ULL;                                                    \
        while (!(Condition) && KeQueryInterruptTime() < End_) {                                                        \
            KtestSleep(1);                                                                                             \
        }                                                                                                              \
        (Condition);                                                                                                   \
    })

/* The same awake: the director's processor runs the director, and nothing else. */
#define WATCH(Condition)                                                                                               \
    ({                                                                                                                 \
        ULONGLONG End_ = KeQueryInterruptTime() + BOUND * 10000ULL;                                                    \
        while (!(Condition) && KeQueryInterruptTime() < End_) {                                                        \
            YieldProcessor();                                                                                          \
        }                                                                                                              \
        (Condition);                                                                                                   \
    })

/* ---- Keepers ---- */

typedef struct _KEEPER {
    KEVENT Go;
    volatile LONG Busy, Stop;
    PETHREAD Thread;
} KEEPER;

static KEEPER Keeper[PROCESSORS];

static inline VOID Keep(PVOID Context)
{
    KEEPER *This = &Keeper[(ULONG_PTR)Context];
    StandOn((ULONG)(ULONG_PTR)Context);
    for (;;) {
        KeWaitForSingleObject(&This->Go, Executive, KernelMode, FALSE, NULL);
        This->Busy = 1;
        while (!This->Stop) {
            YieldProcessor();
        }
        This->Busy = 0;
    }
}

/* Processor 1 to 3 runs something of that priority from here on. */
static inline BOOLEAN Occupy(ULONG Processor, KPRIORITY Priority)
{
    KEEPER *This = &Keeper[Processor];
    This->Stop = 0;
    KeSetPriorityThread((PKTHREAD)This->Thread, Priority);
    KeSetEvent(&This->Go, IO_NO_INCREMENT, FALSE);
    return AWAIT(This->Busy);
}

static inline VOID Vacate(ULONG Processor)
{
    Keeper[Processor].Stop = 1;
}

/* All are idle again. */
static inline BOOLEAN VacateAll(VOID)
{
    for (ULONG i = 1; i < PROCESSORS; i++) {
        Vacate(i);
    }
    return AWAIT(!Keeper[1].Busy && !Keeper[2].Busy && !Keeper[3].Busy);
}

/* ---- Actors ---- */

typedef struct _ACTOR {
    KEVENT Prepare, Go;
    ULONG From;
    BOOLEAN Spins; /* until Stop */
    volatile LONG Waits, Stop, Over;
    volatile LONG RanOn;   /* -1: not yet */
    volatile LONG Order;   /* of all actors that have run */
    volatile LONG Changes; /* of the processor, while it spins */
    volatile ULONG64 Seen; /* processors on which it has run */
    PETHREAD Thread;
} ACTOR;

static ACTOR Actor[ACTORS];
static volatile LONG HaveRun;

static inline VOID Perform(ACTOR *This)
{
    KeWaitForSingleObject(&This->Go, Executive, KernelMode, FALSE, NULL);
    This->Order = InterlockedIncrement(&HaveRun);
    LONG On = (LONG)KeGetCurrentProcessorNumber();
    This->Seen = 1ULL << On;
    This->RanOn = On;
    while (This->Spins && !This->Stop) {
        LONG Now = (LONG)KeGetCurrentProcessorNumber();
        This->Changes += Now != On;
        This->Seen |= 1ULL << Now;
        On = Now;
    }
    This->Over = 1;
}

static inline VOID Act(PVOID Context)
{
    ACTOR *This = Context;
    for (;;) {
        KeWaitForSingleObject(&This->Prepare, Executive, KernelMode, FALSE, NULL);
        StandOn(This->From); /* where it has run last, from here on */
        KeRevertToUserAffinityThreadEx(0);
        This->Waits = 1;
        Perform(This);
    }
}

/* The actor waits: it has run on From last, and may run on the processors of Affinity. The processors are
   idle. */
static inline BOOLEAN Place(ACTOR *This, ULONG From, KPRIORITY Priority, KAFFINITY Affinity, ULONG Ideal, BOOLEAN Spins)
{
    PKTHREAD Thread = (PKTHREAD)This->Thread;
    This->From = From;
    This->Spins = Spins;
    This->Waits = This->Stop = This->Over = This->Changes = 0;
    This->Seen = 0;
    This->RanOn = -1;
    KeSetAffinityThread(Thread, ALL);
    KeSetPriorityThread(Thread, Priority);
    KeSetIdealProcessorThread(Thread, (UCHAR)Ideal);
    KeSetEvent(&This->Prepare, IO_NO_INCREMENT, FALSE);
    if (!AWAIT(This->Waits && !IsListEmpty(&This->Go.Header.WaitListHead))) {
        return FALSE;
    }
    KeSetAffinityThread(Thread, Affinity);
    return TRUE;
}

static inline VOID LetGo(ACTOR *This)
{
    KeSetEvent(&This->Go, IO_NO_INCREMENT, FALSE);
}

/* ---- The director ---- */

static KTEST *Play;
static PCSTR Verdict;
static KEVENT Curtain, Applause;

/* Whatever came of the play: all actors and keepers wait for the next one. */
static inline VOID ClearStage(VOID)
{
    VacateAll();
    for (ULONG i = 0; i < ACTORS; i++) {
        Actor[i].Stop = 1;
        KeSetAffinityThread((PKTHREAD)Actor[i].Thread, ALL);
        if (!IsListEmpty(&Actor[i].Go.Header.WaitListHead)) {
            LetGo(&Actor[i]);
        }
        AWAIT(!IsListEmpty(&Actor[i].Prepare.Header.WaitListHead));
    }
}

static inline VOID Direct(PVOID Context)
{
    KeSetPriorityThread(KeGetCurrentThread(), DIRECTOR);
    StandOn(0);
    for (;;) {
        KeWaitForSingleObject(&Curtain, Executive, KernelMode, FALSE, NULL);
        Verdict = Play();
        ClearStage();
        KeSetEvent(&Applause, IO_NO_INCREMENT, FALSE);
    }
}

static inline PCSTR Stage(KTEST *Test)
{
    Play = Test;
    HaveRun = 0;
    KeSetEvent(&Curtain, IO_NO_INCREMENT, FALSE);
    KeWaitForSingleObject(&Applause, Executive, KernelMode, FALSE, NULL);
    return Misplaced == 0 ? Verdict : "a thread was not where its affinity says";
}

static inline NTSTATUS SetStage(VOID)
{
    PrimerCheckPriorities(FALSE); /* whether they are respected is what is found out here */
    KeInitializeEvent(&Curtain, SynchronizationEvent, FALSE);
    KeInitializeEvent(&Applause, SynchronizationEvent, FALSE);
    for (ULONG i = 0; i < PROCESSORS; i++) {
        KeInitializeEvent(&Keeper[i].Go, SynchronizationEvent, FALSE);
        Keeper[i].Thread = i != 0 ? KtestStart(Keep, (PVOID)(ULONG_PTR)i) : KtestStart(Direct, NULL);
    }
    for (ULONG i = 0; i < ACTORS; i++) {
        KeInitializeEvent(&Actor[i].Prepare, SynchronizationEvent, FALSE);
        KeInitializeEvent(&Actor[i].Go, SynchronizationEvent, FALSE);
        Actor[i].Thread = KtestStart(Act, &Actor[i]);
    }
    return KeQueryActiveProcessorCount(NULL) == PROCESSORS ? STATUS_SUCCESS : STATUS_NOT_SUPPORTED;
}

#endif
