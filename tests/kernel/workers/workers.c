/* SPDX-License-Identifier: MIT */
/*
 * Work items, the system's and I/O's: where they run, what they may do with their item, how many threads
 * there are for them.
 */
#include "../ktest.h"
#include <primertest.h>

#define TAG 'kroW'

typedef struct _JOB {
    WORK_QUEUE_ITEM Item;
    ULONG Number;
} JOB;

static volatile LONG Started, Ended, Wrong;
static KEVENT Go;

static BOOLEAN Await(volatile LONG *Counter, LONG Value)
{
    for (ULONG i = 0; *Counter < Value && i < 10000; i++) {
        KtestSleep(1);
    }
    return *Counter >= Value;
}

/* ---- Where a routine runs ---- */

static volatile KPRIORITY Priority;

static VOID NotePlace(PVOID Context)
{
    Priority = KeQueryPriorityThread(KeGetCurrentThread());
    Wrong += KeGetCurrentIrql() != PASSIVE_LEVEL || PsGetCurrentProcess() != PsInitialSystemProcess || Context != &Go;
    InterlockedIncrement(&Ended);
}

/* At PASSIVE_LEVEL in the System process; the priority goes by the queue. */
static PCSTR TestPlace(VOID)
{
    static const KPRIORITY Expected[] = {13, 12, 15};
    WORK_QUEUE_ITEM Item;
    for (ULONG i = 0; i < 3; i++) {
        Wrong = Ended = 0;
        ExInitializeWorkItem(&Item, NotePlace, &Go);
        ExQueueWorkItem(&Item, (WORK_QUEUE_TYPE)i);
        KTEST_CHECK(Await(&Ended, 1) && Wrong == 0 && Priority == Expected[i]);
    }
    return NULL;
}

static KDPC Dpc;

static VOID QueueFromDpc(PKDPC This, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    ExQueueWorkItem(Context, CriticalWorkQueue);
}

static PCSTR TestQueueFromDpc(VOID)
{
    WORK_QUEUE_ITEM Item;
    Wrong = Ended = 0;
    ExInitializeWorkItem(&Item, NotePlace, &Go);
    KeInitializeDpc(&Dpc, QueueFromDpc, &Item);
    KeInsertQueueDpc(&Dpc, NULL, NULL);
    KTEST_CHECK(Await(&Ended, 1) && Wrong == 0);
    return NULL;
}

/* ---- The item is off the queue when the routine runs ---- */

static WORK_QUEUE_ITEM Again;

static VOID QueueAgain(PVOID Context)
{
    if (InterlockedIncrement(&Ended) < 100) {
        ExQueueWorkItem(&Again, DelayedWorkQueue);
    }
}

static VOID FreeItem(PVOID Context)
{
    ExFreePoolWithTag(Context, TAG);
    InterlockedIncrement(&Ended);
}

static PCSTR TestOffTheQueue(VOID)
{
    Ended = 0;
    ExInitializeWorkItem(&Again, QueueAgain, NULL);
    ExQueueWorkItem(&Again, DelayedWorkQueue);
    KTEST_CHECK(Await(&Ended, 100));
    Ended = 0;
    for (ULONG i = 0; i < 100; i++) {
        PWORK_QUEUE_ITEM Item = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(*Item), TAG);
        KTEST_CHECK(Item != NULL);
        ExInitializeWorkItem(Item, FreeItem, Item);
        ExQueueWorkItem(Item, (WORK_QUEUE_TYPE)(i % 2));
    }
    KTEST_CHECK(Await(&Ended, 100));
    return NULL;
}

/* ---- Threads in numbers ---- */

#define BLOCKED 24
static JOB Jobs[BLOCKED];

static VOID Block(PVOID Context)
{
    InterlockedIncrement(&Started);
    KeWaitForSingleObject(&Go, Executive, KernelMode, FALSE, NULL);
    InterlockedIncrement(&Ended);
}

/* Many routines block: each gets a thread, in each of the queues. */
static PCSTR TestGrows(VOID)
{
    for (ULONG Queue = 0; Queue < 3; Queue++) {
        Started = Ended = 0;
        KeInitializeEvent(&Go, NotificationEvent, FALSE);
        for (ULONG i = 0; i < BLOCKED; i++) {
            ExInitializeWorkItem(&Jobs[i].Item, Block, NULL);
            ExQueueWorkItem(&Jobs[i].Item, (WORK_QUEUE_TYPE)Queue);
        }
        BOOLEAN All = Await(&Started, BLOCKED);
        KeSetEvent(&Go, IO_NO_INCREMENT, FALSE);
        KTEST_CHECK(Await(&Ended, All ? BLOCKED : 0) && All);
    }
    return NULL;
}

static KEVENT Chain[BLOCKED + 1];

/* Waits for the routine of the item behind it. */
static VOID WaitForNext(PVOID Context)
{
    JOB *Job = Context;
    KeWaitForSingleObject(&Chain[Job->Number + 1], Executive, KernelMode, FALSE, NULL);
    KeSetEvent(&Chain[Job->Number], IO_NO_INCREMENT, FALSE);
    InterlockedIncrement(&Ended);
}

static VOID EndChain(PVOID Context)
{
    KeSetEvent(&Chain[BLOCKED], IO_NO_INCREMENT, FALSE);
}

static PCSTR TestItemsThatWaitForLaterOnes(VOID)
{
    Ended = 0;
    for (ULONG i = 0; i <= BLOCKED; i++) {
        KeInitializeEvent(&Chain[i], NotificationEvent, FALSE);
    }
    for (ULONG i = 0; i < BLOCKED; i++) {
        Jobs[i].Number = i;
        ExInitializeWorkItem(&Jobs[i].Item, WaitForNext, &Jobs[i]);
        ExQueueWorkItem(&Jobs[i].Item, DelayedWorkQueue);
    }
    static WORK_QUEUE_ITEM Last;
    ExInitializeWorkItem(&Last, EndChain, NULL);
    ExQueueWorkItem(&Last, DelayedWorkQueue);
    KTEST_CHECK(Await(&Ended, BLOCKED));
    return NULL;
}

/* With work.idle=200: threads that are not needed any longer end. */
static PCSTR TestShrinks(VOID)
{
    PRIMER_MEMORY Before, Grown, After = {0};
    PrimerQueryMemory(&Before);
    Started = Ended = 0;
    KeInitializeEvent(&Go, NotificationEvent, FALSE);
    for (ULONG i = 0; i < BLOCKED; i++) {
        ExInitializeWorkItem(&Jobs[i].Item, Block, NULL);
        ExQueueWorkItem(&Jobs[i].Item, DelayedWorkQueue);
    }
    BOOLEAN All = Await(&Started, BLOCKED);
    PrimerQueryMemory(&Grown);
    KeSetEvent(&Go, IO_NO_INCREMENT, FALSE);
    KTEST_CHECK(All && Await(&Ended, BLOCKED));
    for (ULONG i = 0; i < 200; i++) {
        PsDrainReaper();
        PrimerQueryMemory(&After);
        if (After.Threads <= Before.Threads) {
            break;
        }
        KtestSleep(50);
    }
    DbgPrint("threads: %I64u, grown to %I64u, then %I64u\n", Before.Threads, Grown.Threads, After.Threads);
    KTEST_CHECK(Grown.Threads >= Before.Threads + BLOCKED - 2);
    KTEST_CHECK(After.Threads <= Before.Threads);
    return NULL;
}

/* ---- I/O work items ---- */

#define DEVICE ((PDEVICE_OBJECT)&Go) /* any pointer: there are no device objects to look into */

static VOID IoPlain(PDEVICE_OBJECT Device, PVOID Context)
{
    Wrong += Device != DEVICE || Context != &Started || KeGetCurrentIrql() != PASSIVE_LEVEL;
    InterlockedIncrement(&Ended);
}

static VOID IoExtended(PVOID Object, PVOID Context, PIO_WORKITEM Item)
{
    Wrong += Object != (PVOID)DEVICE || Context != (PVOID)Item;
    InterlockedIncrement(&Ended);
    IoFreeWorkItem(Item); /* off the queue */
}

static VOID IoAgain(PVOID Object, PVOID Context, PIO_WORKITEM Item)
{
    if (InterlockedIncrement(&Ended) < 50) {
        IoQueueWorkItemEx(Item, IoAgain, CriticalWorkQueue, Context);
    }
}

static PCSTR TestIoItems(VOID)
{
    Wrong = Ended = 0;
    PIO_WORKITEM Item = IoAllocateWorkItem(DEVICE);
    KTEST_CHECK(Item != NULL);
    IoQueueWorkItem(Item, IoPlain, DelayedWorkQueue, (PVOID)&Started);
    KTEST_CHECK(Await(&Ended, 1));
    IoQueueWorkItem(Item, IoPlain, CriticalWorkQueue, (PVOID)&Started); /* again */
    KTEST_CHECK(Await(&Ended, 2));
    IoQueueWorkItemEx(Item, IoExtended, DelayedWorkQueue, Item);
    KTEST_CHECK(Await(&Ended, 3) && Wrong == 0);

    Ended = 0;
    Item = ExAllocatePoolWithTag(NonPagedPoolNx, IoSizeofWorkItem(), TAG);
    KTEST_CHECK(Item != NULL);
    IoInitializeWorkItem(DEVICE, Item);
    IoQueueWorkItemEx(Item, IoAgain, CriticalWorkQueue, NULL);
    KTEST_CHECK(Await(&Ended, 50));
    IoUninitializeWorkItem(Item);
    ExFreePoolWithTag(Item, TAG);
    return NULL;
}

/* ---- All at once ---- */

static VOID DriveStorm(PVOID Context)
{
    for (ULONG i = 0; i < 200; i++) {
        PWORK_QUEUE_ITEM Item = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(*Item), TAG);
        if (Item == NULL) {
            InterlockedIncrement(&Wrong);
            return;
        }
        ExInitializeWorkItem(Item, FreeItem, Item);
        ExQueueWorkItem(Item, (WORK_QUEUE_TYPE)(i % 3));
    }
}

static PCSTR TestStorm(VOID)
{
    Wrong = Ended = 0;
    KTEST_CHECK(KtestCrowd(8, DriveStorm));
    KTEST_CHECK(Await(&Ended, 1600) && Wrong == 0 && Ended == 1600);
    return NULL;
}

/* ---- workers.break=NAME must end in WORKER_INVALID, NAME-ok must not ---- */

#define EACH_QUEUE 70 /* more than a queue has threads at most */

static VOID QueueTwice(BOOLEAN Right)
{
    KIRQL Irql;
    static WORK_QUEUE_ITEM Item, Blocker[EACH_QUEUE];
    KeInitializeEvent(&Go, NotificationEvent, FALSE);
    KeRaiseIrql(DISPATCH_LEVEL, &Irql);
    for (ULONG i = 0; i < EACH_QUEUE; i++) { /* so that the item stays in the queue */
        ExInitializeWorkItem(&Blocker[i], Block, NULL);
        ExQueueWorkItem(&Blocker[i], HyperCriticalWorkQueue);
    }
    ExInitializeWorkItem(&Item, Block, NULL);
    ExQueueWorkItem(&Item, HyperCriticalWorkQueue);
    if (!Right) {
        ExQueueWorkItem(&Item, HyperCriticalWorkQueue);
    }
    KeLowerIrql(Irql);
    KeSetEvent(&Go, IO_NO_INCREMENT, FALSE);
    Await(&Ended, EACH_QUEUE + 1);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    char Option[16];
    if (ExQueryKernelOption("workers.break", Option, sizeof(Option))) {
        BOOLEAN Right = strcmp(Option, "twice-ok") == 0;
        QueueTwice(Right);
        DbgPrint("@%s workers.%s\n", Right ? "pass" : "fail", Option);
        return STATUS_SUCCESS;
    }
    KtestRun("workers.place", TestPlace);
    KtestRun("workers.queue-from-dpc", TestQueueFromDpc);
    KtestRun("workers.off-the-queue", TestOffTheQueue);
    KtestRun("workers.grows", TestGrows);
    KtestRun("workers.items-that-wait-for-later-ones", TestItemsThatWaitForLaterOnes);
    if (ExQueryKernelOption("work.idle", Option, sizeof(Option))) {
        KtestSleep(3000); /* what has grown until now is gone */
        KtestRun("workers.shrinks", TestShrinks);
    }
    KtestRun("workers.io-items", TestIoItems);
    KtestRun("workers.storm", TestStorm);
    return STATUS_SUCCESS;
}
