/* SPDX-License-Identifier: MIT */
/*
 * Which thread runs next, on one processor. The test's own thread stands above all others while it makes them
 * ready, and waits to let them run; each notes its number when it does.
 */
#include "ktest.h"

#define THREADS 8

static PETHREAD Thread[THREADS];
static volatile LONG Noted;
static ULONG Order[64];
static KEVENT Go;

static VOID Note(ULONG Number)
{
    LONG At = InterlockedIncrement(&Noted) - 1;
    if (At < 64) {
        Order[At] = Number;
    }
}

static VOID NoteAndEnd(PVOID Context)
{
    Note((ULONG)(ULONG_PTR)Context);
}

/* THREADS threads, ready, in order of their numbers; the caller's priority is 20 from here on. */
static BOOLEAN MakeReady(PKSTART_ROUTINE Routine)
{
    Noted = 0;
    KeSetPriorityThread(KeGetCurrentThread(), 20);
    for (ULONG i = 0; i < THREADS; i++) {
        Thread[i] = KtestStart(Routine, (PVOID)(ULONG_PTR)i);
        if (Thread[i] == NULL) {
            return FALSE;
        }
    }
    return TRUE;
}

static VOID LetThemRun(VOID)
{
    for (ULONG i = 0; i < THREADS; i++) {
        KtestJoin(Thread[i]);
    }
    KeSetPriorityThread(KeGetCurrentThread(), 8);
}

/* Equals run in the order in which they became ready. */
static PCSTR TestFifo(VOID)
{
    KTEST_CHECK(MakeReady(NoteAndEnd));
    LetThemRun();
    for (ULONG i = 0; i < THREADS; i++) {
        KTEST_CHECK(Order[i] == i);
    }
    return NULL;
}

/* The highest runs first; a ready thread whose priority changes goes behind its new equals. */
static PCSTR TestLevels(VOID)
{
    static const UCHAR Priority[THREADS] = {3, 9, 9, 15, 1, 9, 3, 15}, Expected[THREADS] = {3, 7, 1, 2, 5, 0, 6, 4};
    KTEST_CHECK(MakeReady(NoteAndEnd));
    for (ULONG i = 0; i < THREADS; i++) {
        KeSetPriorityThread((PKTHREAD)Thread[i], Priority[i]);
    }
    LetThemRun();
    for (ULONG i = 0; i < THREADS; i++) {
        KTEST_CHECK(Order[i] == Expected[i]);
    }
    return NULL;
}

/* Each gets a level of its own, above the one that they had. */
static PCSTR TestRaised(VOID)
{
    KTEST_CHECK(MakeReady(NoteAndEnd));
    for (ULONG i = 0; i < THREADS; i++) {
        KeSetPriorityThread((PKTHREAD)Thread[i], 10 + (KPRIORITY)(3 * i % THREADS));
    }
    LetThemRun();
    for (ULONG i = 0; i < THREADS; i++) {
        KTEST_CHECK(3 * Order[i] % THREADS == THREADS - 1 - i);
    }
    return NULL;
}

static VOID WakesAHigher(PVOID Context)
{
    ULONG Number = (ULONG)(ULONG_PTR)Context;
    Note(Number);
    if (Number == 1) {
        KeSetEvent(&Go, IO_NO_INCREMENT, FALSE); /* the waiter runs before this returns, */
    }
    Note(Number + 10); /* and this thread goes on before its equals */
}

static VOID WaitsAbove(PVOID Context)
{
    KeSetPriorityThread(KeGetCurrentThread(), 12);
    KeWaitForSingleObject(&Go, Executive, KernelMode, FALSE, NULL);
    Note(100);
}

static PCSTR TestPreempts(VOID)
{
    KeInitializeEvent(&Go, SynchronizationEvent, FALSE);
    PETHREAD Waiter = KtestStart(WaitsAbove, NULL);
    KTEST_CHECK(Waiter != NULL);
    KtestSleep(20);
    KTEST_CHECK(MakeReady(WakesAHigher));
    LetThemRun();
    KtestJoin(Waiter);
    static const ULONG Expected[] = {0, 10, 1, 100, 11, 2, 12};
    for (ULONG i = 0; i < RTL_NUMBER_OF(Expected); i++) {
        KTEST_CHECK(Order[i] == Expected[i]);
    }
    return NULL;
}

static VOID LowersItself(PVOID Context)
{
    ULONG Number = (ULONG)(ULONG_PTR)Context;
    Note(Number);
    if (Number == 0) {
        KeSetPriorityThread(KeGetCurrentThread(), 5); /* all others run before this returns */
    }
    Note(Number + 10);
}

static PCSTR TestLowers(VOID)
{
    KTEST_CHECK(MakeReady(LowersItself));
    LetThemRun();
    KTEST_CHECK(Order[0] == 0 && Order[1] == 1 && Order[2] == 11);
    KTEST_CHECK(Order[2 * THREADS - 1] == 10);
    return NULL;
}

static VOID Yields(PVOID Context)
{
    for (ULONG i = 0; i < 4; i++) {
        Note((ULONG)(ULONG_PTR)Context);
        ZwYieldExecution();
    }
}

/* Who yields goes behind its equals; so they take turns. */
static PCSTR TestYield(VOID)
{
    KTEST_CHECK(MakeReady(Yields));
    LetThemRun();
    for (ULONG i = 0; i < 4 * THREADS; i++) {
        KTEST_CHECK(Order[i] == i % THREADS);
    }
    return NULL;
}

/* Threads that never wait: when a turn ends, the next equal has it. None is left out, and none has two turns
   in a row. */
static volatile LONG Turns, Last;
static LONGLONG Deadline; /* system time: without turns, nobody would end */

static BOOLEAN IsOver(VOID)
{
    LARGE_INTEGER Now;
    KeQuerySystemTime(&Now);
    return Now.QuadPart > Deadline;
}

static VOID SetDeadline(LONGLONG Milliseconds)
{
    LARGE_INTEGER Now;
    KeQuerySystemTime(&Now);
    Deadline = Now.QuadPart + Milliseconds * 10000;
}

static VOID Spins(PVOID Context)
{
    LONG Me = (LONG)(LONG_PTR)Context + 1;
    while (Turns < 4 * THREADS && !IsOver()) {
        if (Last != Me) {
            Last = Me;
            InterlockedIncrement(&Turns);
            Note((ULONG)Me);
        }
    }
}

static PCSTR TestTurns(VOID)
{
    Turns = Last = 0;
    SetDeadline(3000);
    KTEST_CHECK(MakeReady(Spins));
    LetThemRun();
    KTEST_CHECK(Turns >= 4 * THREADS);
    for (ULONG i = THREADS; i < 4 * THREADS; i++) {
        KTEST_CHECK(Order[i] == Order[i - THREADS]);
    }
    return NULL;
}

/* A boost (of an event's signal) is lost by one level a quantum, down to the base priority and no further. */
static VOID WaitsAndSpins(PVOID Context)
{
    KeWaitForSingleObject(&Go, Executive, KernelMode, FALSE, NULL);
    KPRIORITY Before = KeQueryPriorityThread(KeGetCurrentThread()), First = Before;
    do {
        KPRIORITY Priority = KeQueryPriorityThread(KeGetCurrentThread());
        if (Priority != Before) {
            Note(Priority == Before - 1 ? (ULONG)Priority : 99);
            Before = Priority;
        }
    } while (Before > 8 && !IsOver());
    Note((ULONG)First);
}

static PCSTR TestDecay(VOID)
{
    KeInitializeEvent(&Go, SynchronizationEvent, FALSE);
    Noted = 0;
    SetDeadline(2000);
    PETHREAD Waiter = KtestStart(WaitsAndSpins, NULL);
    KTEST_CHECK(Waiter != NULL);
    KtestSleep(20);
    KeSetEvent(&Go, 3, FALSE);
    KtestJoin(Waiter);
    KTEST_CHECK(Noted == 4 && Order[0] == 10 && Order[1] == 9 && Order[2] == 8 && Order[3] == 11);
    return NULL;
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    KtestRun("ready.fifo", TestFifo);
    KtestRun("ready.levels", TestLevels);
    KtestRun("ready.raised", TestRaised);
    KtestRun("ready.preempts", TestPreempts);
    KtestRun("ready.lowers-itself", TestLowers);
    KtestRun("ready.yield", TestYield);
    KtestRun("ready.turns", TestTurns);
    KtestRun("ready.decay", TestDecay);
    return STATUS_SUCCESS;
}
