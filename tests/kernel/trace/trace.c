/* SPDX-License-Identifier: MIT */
/*
 * Goes through a schedule that is known beforehand, between two marks in the trace: on one processor each
 * step has one outcome only. tests/trace/schedule says which records must stand there (tests/cases_trace.py
 * compares). The threads have priorities of the real-time class, which nothing but this module changes.
 *
 *   main    16, the loader's thread
 *   low     17, high 18: wait for an event each, and do what they are told when it is set
 */
#include "../ktest.h"
#include <kdtrace.h>

typedef enum _ORDER { Nothing, SetLow, QueueDpc, TakeMutex, Yield, End } ORDER;

typedef struct _WORKER {
    KEVENT Event;
    volatile ORDER Order;
} WORKER;

static WORKER High, Low;
static KEVENT Never;
static KMUTEX Mutex;
static KDPC Dpc;
static ULONG Classes;

static VOID CountDpc(PKDPC This, PVOID Context, PVOID Argument1, PVOID Argument2)
{
}

static VOID Work(PVOID Context)
{
    WORKER *Me = Context;
    for (;;) {
        KeWaitForSingleObject(&Me->Event, Executive, KernelMode, FALSE, NULL);
        switch (Me->Order) {
        case SetLow: /* low is less urgent: it becomes ready, and runs when this thread waits */
            KeSetEvent(&Low.Event, 0, FALSE);
            break;
        case QueueDpc:
            KeInsertQueueDpc(&Dpc, NULL, NULL);
            break;
        case TakeMutex:
            KeWaitForSingleObject(&Mutex, Executive, KernelMode, FALSE, NULL);
            KeReleaseMutex(&Mutex, FALSE);
            break;
        case End:
            return;
        default:
            break;
        }
    }
}

static VOID Tell(WORKER *Worker, ORDER Order)
{
    Worker->Order = Order;
    KeSetEvent(&Worker->Event, 0, FALSE);
}

static PETHREAD StartWorker(WORKER *Worker, KPRIORITY Priority, PCSTR Name)
{
    KeInitializeEvent(&Worker->Event, SynchronizationEvent, FALSE);
    PETHREAD Thread = KtestStart(Work, Worker);
    if (Thread != NULL) {
        KeSetPriorityThread((PKTHREAD)Thread, Priority);
        KdNameForTrace(Thread, Name);
    }
    return Thread;
}

static VOID Schedule(PKTHREAD LowThread)
{
    LARGE_INTEGER Short = KtestMs(1);
    PVOID Both[] = {&Never, &Low.Event};

    Tell(&High, Nothing);  /* high preempts, waits again */
    Tell(&High, SetLow);   /* high wakes low, which runs before main does */
    Tell(&High, QueueDpc);
    KeWaitForSingleObject(&Mutex, Executive, KernelMode, FALSE, NULL); /* free: no wait */
    Tell(&High, TakeMutex);                                            /* high has to wait for it */
    KeReleaseMutex(&Mutex, FALSE);                                     /* and gets it now */
    Low.Order = Nothing;
    KeSetPriorityThread(LowThread, 2);
    KeSetEvent(&Low.Event, 0, FALSE); /* low is ready, but main goes on */
    KeSetPriorityThread(LowThread, 17);
    KeWaitForMultipleObjects(2, Both, WaitAny, Executive, KernelMode, FALSE, &Short, NULL);
}

static PCSTR Run(VOID)
{
    PKTHREAD Main = KeGetCurrentThread();
    KPRIORITY Before = KeSetPriorityThread(Main, 16);

    KeInitializeEvent(&Never, NotificationEvent, FALSE);
    KeInitializeMutex(&Mutex, 0);
    KeInitializeDpc(&Dpc, CountDpc, NULL);
    Classes = KdSetTraceClasses(1 << KdTraceClassMARK);
    PETHREAD HighThread = StartWorker(&High, 18, "high");
    PETHREAD LowThread = StartWorker(&Low, 17, "low");
    KTEST_CHECK(HighThread != NULL && LowThread != NULL); /* both wait by now: they are more urgent than this thread */
    KdNameForTrace(Main, "main");
    KdNameForTrace(&High.Event, "for-high");
    KdNameForTrace(&Low.Event, "for-low");
    KdNameForTrace(&Never, "never");
    KdNameForTrace(&Mutex, "mutex");

    KdSetTraceClasses(1 << KdTraceClassSWITCH | 1 << KdTraceClassREADY | 1 << KdTraceClassWAIT | 1 << KdTraceClassPRIORITY |
                      1 << KdTraceClassIPI | 1 << KdTraceClassDPC | 1 << KdTraceClassLOCK |
                      1 << KdTraceClassMARK);
    KdMarkTrace(1, 0x1111, 0x2222);
    Schedule((PKTHREAD)LowThread);
    KdMarkTrace(2, 0x3333, 0x4444);
    Tell(&High, End); /* their ends, behind the second mark: the reaper's work has an order of its own */
    Tell(&Low, End);
    KtestJoin(HighThread);
    KtestJoin(LowThread);
    KTEST_CHECK(KdSetTraceClasses(0) & (1 << KdTraceClassWAIT));
    KTEST_CHECK(KdSetTraceClasses(Classes) == 0);
    KeSetPriorityThread(Main, Before);
    return NULL;
}

/* ---- On several processors: somebody spins for a lock, for sure ---- */

static KSPIN_LOCK Queued;
static volatile BOOLEAN Held;

static VOID Contender(PVOID Context)
{
    KLOCK_QUEUE_HANDLE Handle;
    while (!Held) {
        YieldProcessor();
    }
    KeAcquireInStackQueuedSpinLock(&Queued, &Handle);
    KeReleaseInStackQueuedSpinLock(&Handle);
}

static PCSTR Contend(VOID)
{
    KLOCK_QUEUE_HANDLE Handle;
    KeInitializeSpinLock(&Queued);
    KdNameForTrace(&Queued, "queued");
    PETHREAD Thread = KtestStart(Contender, NULL);
    KTEST_CHECK(Thread != NULL);
    KeAcquireInStackQueuedSpinLock(&Queued, &Handle);
    Held = TRUE;
    while (*(PVOID volatile *)&Handle.LockQueue.Next == NULL) { /* until the other one stands in the queue */
        YieldProcessor();
    }
    KeReleaseInStackQueuedSpinLock(&Handle);
    KtestJoin(Thread);
    return NULL;
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    if (KeQueryActiveProcessorCount(NULL) == 1) {
        KtestRun("known schedule", Run);
    } else {
        KtestRun("contention", Contend);
    }
    return STATUS_SUCCESS;
}
