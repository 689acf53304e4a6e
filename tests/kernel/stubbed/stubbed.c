/* SPDX-License-Identifier: MIT */
/*
 * What a debugger is tried on: a thread that waits, a worker on each processor that is always busy, and a
 * variable that they write in turn. Option stubbed.do= says what else happens: "break" calls DbgBreakPoint,
 * "bugcheck" ends the machine, "deaf" has one processor turn in a loop with interrupts off, "done" is for
 * runs without a debugger. Whoever debugs lets the module end by setting StubbedDone, and has it print under
 * a lock by setting StubbedSays.
 */
#include "../ktest.h"

#define WORKERS 64

volatile LONG StubbedDone, StubbedDeaf, StubbedTurns, StubbedSays;
volatile LONG64 StubbedTime;
volatile LONG64 StubbedValue, StubbedCounts[WORKERS];
#define SEVERAL 5 /* more than a thread has blocks for */
static KEVENT Event, Several[SEVERAL];
static KSPIN_LOCK Lock;
static ULONG Processors;

__attribute__((noinline)) VOID StubbedBlock(PKEVENT Object)
{
    KeWaitForSingleObject(Object, Executive, KernelMode, FALSE, NULL);
    StubbedTurns = 0;
}

static volatile LONG Entered;

static VOID Waiter(PVOID Context)
{
    KeSetPriorityThread(KeGetCurrentThread(), 12);
    InterlockedIncrement(&Entered);
    StubbedBlock(Context);
}

static VOID WaiterForSeveral(PVOID Context)
{
    KWAIT_BLOCK Blocks[SEVERAL];
    PVOID Objects[SEVERAL];
    for (ULONG i = 0; i < SEVERAL; i++) {
        Objects[i] = &Several[i];
    }
    KeSetPriorityThread(KeGetCurrentThread(), 12);
    InterlockedIncrement(&Entered);
    KeWaitForMultipleObjects(SEVERAL, Objects, WaitAny, Executive, KernelMode, FALSE, NULL, Blocks);
}

__attribute__((noinline)) LONG64 StubbedAdd(ULONG Number, LONG64 Amount)
{
    StubbedCounts[Number] += Amount;
    return StubbedCounts[Number];
}

/* Of the second worker alone: a call, and two that look at the flags and the level, for steps. */
__attribute__((noinline)) VOID StubbedSecond(ULONG Number)
{
    KIRQL Irql;
    LONG64 Count = StubbedAdd(Number, 1);
    KeRaiseIrql(DISPATCH_LEVEL, &Irql);
    StubbedValue = Count;
    KeLowerIrql(Irql);
}

/* Of the others. */
__attribute__((noinline)) VOID StubbedOther(ULONG Number)
{
    StubbedCounts[Number]++;
}

__attribute__((noinline)) VOID StubbedTurn(VOID)
{
    StubbedTurns++;
}

static VOID Worker(PVOID Context)
{
    ULONG Number = (ULONG)(ULONG_PTR)Context;
    KIRQL Irql;
    KeSetSystemAffinityThread((KAFFINITY)1 << Number);
    while (!StubbedDone) {
        if (Number == 1) {
            StubbedSecond(Number);
        } else {
            StubbedOther(Number);
        }
        if (StubbedDeaf && (LONG)Number == StubbedDeaf - 1) {
            KeRaiseIrql(HIGH_LEVEL, &Irql);
            while (StubbedDeaf) {
                StubbedTurn();
            }
            KeLowerIrql(Irql);
        }
    }
}

/* Until the waiters sleep: above the workers' priority each has its processor until then, and that one's
   worker stands. */
static VOID AwaitAll(VOID)
{
    while (Entered != 2) {
        KtestSleep(1);
    }
    for (ULONG i = 0; i < Processors; i++) {
        LONG64 Before = StubbedCounts[i];
        while (StubbedCounts[i] == Before) {
            KtestSleep(1);
        }
    }
}

/* The main thread, once everything is set up. */
__attribute__((noinline)) VOID StubbedReady(PCSTR What)
{
    DbgPrint("stubbed: ready to %s\n", What);
}

static VOID SayUnderLock(VOID)
{
    KIRQL Irql;
    KeAcquireSpinLock(&Lock, &Irql);
    DbgPrint("stubbed: says something\n");
    KeReleaseSpinLock(&Lock, Irql);
}

/* The main thread, until it is told to end: it mostly sleeps. */
__attribute__((noinline)) VOID StubbedSleep(VOID)
{
    while (!StubbedDone) {
        StubbedTime = (LONG64)KeQueryInterruptTime();
        if (StubbedSays) {
            SayUnderLock();
        }
        KtestSleep(10);
    }
}

static VOID Wait(PCSTR What)
{
    PETHREAD Waits = KtestStart(Waiter, &Event), WaitsLong = KtestStart(WaiterForSeveral, NULL), Works[WORKERS];
    for (ULONG i = 0; i < Processors; i++) {
        Works[i] = KtestStart(Worker, (PVOID)(ULONG_PTR)i);
    }
    AwaitAll();
#define SAY(Name) DbgPrint("stubbed: " #Name " is at %p\n", &Name)
    SAY(StubbedSecond);
    SAY(StubbedOther);
    SAY(StubbedCounts);
    SAY(StubbedDone);
    SAY(StubbedDeaf);
    SAY(StubbedTime);
    SAY(StubbedSays);
    SAY(StubbedTurns);
    StubbedReady(What);
    if (strcmp(What, "break") == 0) {
        DbgBreakPoint();
    } else if (strcmp(What, "bugcheck") == 0) {
        KeBugCheckEx(0xE2 /* MANUALLY_INITIATED_CRASH */, 1, 2, 3, 4);
    } else if (strcmp(What, "deaf") == 0) {
        StubbedDeaf = 1;
    } else if (strcmp(What, "done") == 0) {
        StubbedDone = 1;
    }
    StubbedSleep();
    for (ULONG i = 0; i < Processors; i++) {
        KtestJoin(Works[i]);
    }
    KeSetEvent(&Event, 0, FALSE);
    KeSetEvent(&Several[SEVERAL - 1], 0, FALSE);
    KtestJoin(Waits);
    KtestJoin(WaitsLong);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    char What[16] = "run";
    ExQueryKernelOption("stubbed.do", What, sizeof(What));
    Processors = KeQueryActiveProcessorCount(NULL);
    KeInitializeEvent(&Event, NotificationEvent, FALSE);
    for (ULONG i = 0; i < SEVERAL; i++) {
        KeInitializeEvent(&Several[i], NotificationEvent, FALSE);
    }
    Wait(What);
    DbgPrint("@pass stubbed: %s\n", What);
    return STATUS_SUCCESS;
}
