/* SPDX-License-Identifier: MIT */
/*
 * Work items: routines that system threads call at PASSIVE_LEVEL on behalf of those who may not wait. Three
 * kernel queues (KQUEUE) with threads of their own; items start in the order in which they were queued. A
 * queue lets as many threads be active as there are processors; a routine that blocks lets another one go.
 *
 * The number of threads follows the need. When items wait, fewer threads are active than might be, and none
 * is left that could take one (all the others are blocked in their routines), the manager thread makes
 * another, up to EXP_MAX_WORKERS of a queue: routines that wait for items behind themselves do come to an end
 * up to that depth. A thread that has had nothing to do for a while ends, down to the queue's minimum.
 */
#include "kernel/ex/ex.h"
#include "kernel/kd/kd.h"
#include "kernel/rtl/export.h"

#define EXP_QUEUES      (HyperCriticalWorkQueue + 1)
#define EXP_MAX_WORKERS 64
#define EXP_LOOK_MS     10    /* how often the manager looks while items wait */
#define EXP_IDLE_MS     10000 /* a thread that is not needed ends after this time (option work.idle) */
#define TIME_PER_MS     10000

typedef struct _EXP_WORK_QUEUE {
    KQUEUE Queue;           /* entries are WORK_QUEUE_ITEM.List */
    ULONG Minimum;          /* (c) threads that stay */
    KPRIORITY Priority;     /* (c) of its threads: the books' 13, 12 and 15 */
    volatile LONG Workers;  /* (a) threads there are */
    volatile LONG Starting; /* (a) of these, which have not come for an item yet */
} EXP_WORK_QUEUE, *PEXP_WORK_QUEUE;

static EXP_WORK_QUEUE ExpWorkQueue[EXP_QUEUES] = {
    [CriticalWorkQueue] = {.Minimum = 2, .Priority = 13},
    [DelayedWorkQueue] = {.Minimum = 2, .Priority = 12},
    [HyperCriticalWorkQueue] = {.Minimum = 1, .Priority = 15},
};
static KEVENT ExpItemsWait;       /* synchronization: the manager is to look */
static volatile LONG ExpManagerLooks; /* (a) it will look within EXP_LOOK_MS, whatever comes */
static LARGE_INTEGER ExpIdleTime; /* (c) */

/* Do items wait although another thread might be active? Read without the queue's lock: the manager looks
   again. */
static bool ExpLacksWorkers(PEXP_WORK_QUEUE Queue)
{
    LONG Starting = Queue->Starting;
    return KeReadStateQueue(&Queue->Queue) > Starting &&
           Queue->Queue.CurrentCount + (ULONG)Starting < Queue->Queue.MaximumCount &&
           Queue->Workers < EXP_MAX_WORKERS;
}

/* An item has not found a thread at once. While the manager looks every EXP_LOOK_MS anyway, it is woken only
   when it could do something. A fenced pair: here the item is queued, then the manager's promise is read; the
   manager takes its promise back, and then looks. */
static void ExpItemWaits(PEXP_WORK_QUEUE Queue)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (!ExpManagerLooks || ExpLacksWorkers(Queue)) {
        KeSetEvent(&ExpItemsWait, IO_NO_INCREMENT, FALSE);
    }
}

/* Queues an item that is on no queue; its routine runs once, in a system thread, with the item off the
   queue again: the routine may free it or queue it anew. Bug check WORKER_INVALID when it is queued already.
   <= DISPATCH_LEVEL; never blocks. (WDK page of the name) */
VOID ExQueueWorkItem(PWORK_QUEUE_ITEM WorkItem, WORK_QUEUE_TYPE QueueType)
{
    if ((ULONG)QueueType >= EXP_QUEUES || WorkItem->List.Flink != NULL) {
        KdBugCheck(WORKER_INVALID, (ULONG64)WorkItem, (ULONG64)WorkItem->WorkerRoutine, QueueType, 0, NULL,
                   "work item %p is queued already, or not initialised, or for an unknown queue", WorkItem);
    }
    PEXP_WORK_QUEUE Queue = &ExpWorkQueue[QueueType];
    KeInsertQueue(&Queue->Queue, &WorkItem->List);
    if (KeReadStateQueue(&Queue->Queue) != 0) {
        ExpItemWaits(Queue);
    }
}
EXPORT(ExQueueWorkItem);

/* ---- The threads ---- */

static void ExpRunWorkItem(PWORK_QUEUE_ITEM Item)
{
    PWORKER_THREAD_ROUTINE Routine = Item->WorkerRoutine;
    PVOID Parameter = Item->Parameter;
    PKTHREAD Thread = ArchCurrentThread();
    ULONG ApcDisable = Thread->ApcDisable;
    /* Whom the routine tells that it is done may unload its module: its last instructions must be there
       still. */
    PEX_MODULE Module = ExHandlers.ReferenceModule(Routine);

    Routine(Parameter); /* the item may be gone now */
    if (Module != NULL) {
        ExReleaseRundownProtection(&Module->Rundown);
    }
    if (ArchGetIrql() != PASSIVE_LEVEL || Thread->ApcDisable != ApcDisable) {
        KdBugCheck(WORKER_THREAD_RETURNED_AT_BAD_IRQL, (ULONG64)Routine, ArchGetIrql(), (ULONG64)Parameter,
                   Thread->ApcDisable, NULL,
                   "a worker routine returned at level %u, APC counts %x (before: %x)", ArchGetIrql(),
                   Thread->ApcDisable, ApcDisable);
    }
}

/* The next item; NULL: there has been none for a while, and the thread is one too many. */
static PWORK_QUEUE_ITEM ExpTakeWorkItem(PEXP_WORK_QUEUE Queue)
{
    for (;;) {
        bool Spare = Queue->Workers > (LONG)Queue->Minimum;
        PLIST_ENTRY Entry = KeRemoveQueue(&Queue->Queue, KernelMode, Spare ? &ExpIdleTime : NULL);
        if ((LONG_PTR)Entry != STATUS_TIMEOUT) {
            PWORK_QUEUE_ITEM Item = CONTAINING_RECORD(Entry, WORK_QUEUE_ITEM, List);
            Item->List.Flink = NULL;
            return Item;
        }
        if (InterlockedDecrement(&Queue->Workers) >= (LONG)Queue->Minimum) {
            return NULL;
        }
        InterlockedIncrement(&Queue->Workers);
    }
}

static VOID ExpWorkerThread(PVOID Context)
{
    PEXP_WORK_QUEUE Queue = Context;
    PWORK_QUEUE_ITEM Item;

    KeSetPriorityThread(KeGetCurrentThread(), Queue->Priority);
    InterlockedDecrement(&Queue->Starting);
    while ((Item = ExpTakeWorkItem(Queue)) != NULL) {
        ExpRunWorkItem(Item);
    }
}

/* ---- The manager ---- */

static NTSTATUS ExpStartWorker(PEXP_WORK_QUEUE Queue)
{
    InterlockedIncrement(&Queue->Workers);
    InterlockedIncrement(&Queue->Starting);
    NTSTATUS Status = ExHandlers.CreateSystemThread(ExpWorkerThread, Queue);
    if (!NT_SUCCESS(Status)) {
        InterlockedDecrement(&Queue->Starting);
        InterlockedDecrement(&Queue->Workers);
    }
    return Status;
}

/* Looks at the queues as long as items wait. A thread that cannot be made for want of memory is tried
   again. */
static VOID ExpWorkManager(PVOID Context)
{
    LARGE_INTEGER Interval = {.QuadPart = -EXP_LOOK_MS * TIME_PER_MS};
    KeSetPriorityThread(KeGetCurrentThread(), LOW_REALTIME_PRIORITY);
    for (;;) {
        bool Waiting = false;
        InterlockedExchange(&ExpManagerLooks, FALSE);
        for (ULONG i = 0; i < EXP_QUEUES; i++) {
            if (ExpLacksWorkers(&ExpWorkQueue[i])) {
                ExpStartWorker(&ExpWorkQueue[i]);
            }
            Waiting |= KeReadStateQueue(&ExpWorkQueue[i].Queue) != 0;
        }
        ExpManagerLooks = Waiting;
        KeWaitForSingleObject(&ExpItemsWait, Executive, KernelMode, FALSE, Waiting ? &Interval : NULL);
    }
}

static void ExpCheckStart(NTSTATUS Status)
{
    if (!NT_SUCCESS(Status)) {
        KdBugCheck(PHASE1_INITIALIZATION_FAILED, (ULONG64)Status, 0, 0, 0, NULL,
                   "cannot make a worker thread");
    }
}

void ExInitializeWorkQueues(void)
{
    ExpIdleTime.QuadPart = -(LONGLONG)ExOptionNumber("work.idle", EXP_IDLE_MS) * TIME_PER_MS;
    KeInitializeEvent(&ExpItemsWait, SynchronizationEvent, FALSE);
    for (ULONG i = 0; i < EXP_QUEUES; i++) {
        KeInitializeQueue(&ExpWorkQueue[i].Queue, 0);
    }
    for (ULONG i = 0; i < EXP_QUEUES; i++) {
        for (ULONG j = 0; j < ExpWorkQueue[i].Minimum; j++) {
            ExpCheckStart(ExpStartWorker(&ExpWorkQueue[i]));
        }
    }
    ExpCheckStart(ExHandlers.CreateSystemThread(ExpWorkManager, NULL));
}
