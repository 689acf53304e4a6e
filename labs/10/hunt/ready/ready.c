/* SPDX-License-Identifier: MIT */
/* The hunt, first module: who runs next, on one processor. */
#include "ktest.h"

#define THREADS 4

static PETHREAD Thread[THREADS];
static ULONG Order[2 * THREADS], Noted;
static KEVENT Go;

/* One thread runs at a time here, and nobody is interrupted between a look and a note of an order that
   matters. */
static VOID Note(ULONG Number)
{
    if (Noted < RTL_NUMBER_OF(Order)) {
        Order[Noted++] = Number;
    }
}

/* The caller stands above the threads that it makes, until it waits for them. */
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

static VOID NotesItself(PVOID Context)
{
    Note((ULONG)(ULONG_PTR)Context);
}

static PCSTR TestFirstComeFirstServed(VOID)
{
    KTEST_CHECK(MakeReady(NotesItself));
    LetThemRun();
    for (ULONG i = 0; i < THREADS; i++) {
        KTEST_CHECK(Order[i] == i);
    }
    return NULL;
}

/* A priority that is set to what it is already changes nothing: not the order among equals either. */
static PCSTR TestSamePriorityKeepsPlace(VOID)
{
    KTEST_CHECK(MakeReady(NotesItself));
    KPRIORITY Priority = KeQueryPriorityThread((PKTHREAD)Thread[0]);
    KeSetPriorityThread((PKTHREAD)Thread[0], Priority);
    LetThemRun();
    KTEST_CHECK(Order[0] == 0 && Order[THREADS - 1] == THREADS - 1);
    return NULL;
}

static VOID WaitsAbove(PVOID Context)
{
    UNREFERENCED_PARAMETER(Context);
    KeSetPriorityThread(KeGetCurrentThread(), 12);
    KeWaitForSingleObject(&Go, Executive, KernelMode, FALSE, NULL);
    Note(100);
}

static VOID WakesAHigher(PVOID Context)
{
    ULONG Number = (ULONG)(ULONG_PTR)Context;
    if (Number == 0) {
        KeSetEvent(&Go, IO_NO_INCREMENT, FALSE);
    }
    Note(Number);
}

/* Who is preempted goes on before its equals. */
static PCSTR TestPreemptedGoesOn(VOID)
{
    KeInitializeEvent(&Go, SynchronizationEvent, FALSE);
    PETHREAD Waiter = KtestStart(WaitsAbove, NULL);
    KTEST_CHECK(Waiter != NULL);
    KtestSleep(20);
    KTEST_CHECK(MakeReady(WakesAHigher));
    LetThemRun();
    KtestJoin(Waiter);
    for (ULONG i = 0; i < THREADS; i++) {
        KTEST_CHECK(Order[i + 1] == i);
    }
    KTEST_CHECK(Order[0] == 100);
    return NULL;
}

static VOID LowersItself(PVOID Context)
{
    if (Context == NULL) {
        KeSetPriorityThread(KeGetCurrentThread(), 4);
    }
    Note((ULONG)(ULONG_PTR)Context);
}

/* Who sinks below a ready thread gives way at once. */
static PCSTR TestLoweredGivesWay(VOID)
{
    KTEST_CHECK(MakeReady(LowersItself));
    LetThemRun();
    KTEST_CHECK(Order[0] == 1 && Order[THREADS - 1] == 0);
    return NULL;
}

/* A boost is gone after some quanta; with a limit, or where it stays there would be no end. */
static VOID SpinsAfterBoost(PVOID Context)
{
    UNREFERENCED_PARAMETER(Context);
    KeWaitForSingleObject(&Go, Executive, KernelMode, FALSE, NULL);
    ULONGLONG End = KeQueryInterruptTime() + 2000 * 10000ULL;
    Note((ULONG)KeQueryPriorityThread(KeGetCurrentThread()));
    while (KeQueryPriorityThread(KeGetCurrentThread()) > 8 && KeQueryInterruptTime() < End) {
    }
    Note((ULONG)KeQueryPriorityThread(KeGetCurrentThread()));
}

static PCSTR TestBoostDecays(VOID)
{
    Noted = 0;
    KeInitializeEvent(&Go, SynchronizationEvent, FALSE);
    PETHREAD Spinner = KtestStart(SpinsAfterBoost, NULL);
    KTEST_CHECK(Spinner != NULL);
    KtestSleep(20);
    KeSetEvent(&Go, 3, FALSE);
    KtestJoin(Spinner);
    KTEST_CHECK(Noted == 2 && Order[0] == 11 && Order[1] == 8);
    return NULL;
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    UNREFERENCED_PARAMETER(DriverObject);
    UNREFERENCED_PARAMETER(RegistryPath);
    KtestRun("ready.first-come-first-served", TestFirstComeFirstServed);
    KtestRun("ready.same-priority-keeps-place", TestSamePriorityKeepsPlace);
    KtestRun("ready.preempted-goes-on", TestPreemptedGoesOn);
    KtestRun("ready.lowered-gives-way", TestLoweredGivesWay);
    KtestRun("ready.boost-decays", TestBoostDecays);
    return STATUS_SUCCESS;
}
