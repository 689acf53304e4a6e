/* SPDX-License-Identifier: MIT */
/*
 * Work items: routines that system threads call at PASSIVE_LEVEL on behalf of those who may not wait. Three
 * queues, each with a few worker threads; items start in the order in which they were queued.
 *
 * Locks: EXP_WORK_QUEUE.Lock (KlcWorkQueue) guards a queue's list.
 */
#include "kernel/ex/ex.h"
#include "kernel/kd/kd.h"
#include "kernel/rtl/export.h"

#define EXP_QUEUES      (HyperCriticalWorkQueue + 1)
#define EXP_MAX_WORKERS 3

typedef struct _EXP_WORK_QUEUE {
    KLOCK Lock;
    LIST_ENTRY Items;   /* (Lock) */
    KSEMAPHORE Ready;   /* counts the items; released after an item was put on the list */
    ULONG Workers;      /* (c) */
    KPRIORITY Priority; /* (c) of its workers: the books' 13, 12 and 15 */
} EXP_WORK_QUEUE, *PEXP_WORK_QUEUE;

static EXP_WORK_QUEUE ExpWorkQueue[EXP_QUEUES] = {
    [CriticalWorkQueue] = {.Workers = 3, .Priority = 13},
    [DelayedWorkQueue] = {.Workers = 3, .Priority = 12},
    [HyperCriticalWorkQueue] = {.Workers = 1, .Priority = 15},
};

/* Queues an item that is on no queue; its routine runs once, in a system thread, with the item off the queue
   again: the routine may free it or queue it anew. <= DISPATCH. ddi:exqueueworkitem */
VOID ExQueueWorkItem(PWORK_QUEUE_ITEM WorkItem, WORK_QUEUE_TYPE QueueType)
{
    PEXP_WORK_QUEUE Queue = &ExpWorkQueue[QueueType];

    if ((ULONG)QueueType >= EXP_QUEUES || WorkItem->List.Flink != NULL) {
        KdBugCheck(WORKER_INVALID, (ULONG64)WorkItem, (ULONG64)WorkItem->WorkerRoutine, QueueType, 0, NULL,
                   "work item %p is queued already, or not initialised, or for an unknown queue", WorkItem);
    }
    KIRQL Irql = KeAcquireLock(&Queue->Lock);
    InsertTailList(&Queue->Items, &WorkItem->List);
    KeReleaseLock(&Queue->Lock, Irql);
    KeReleaseSemaphore(&Queue->Ready, IO_NO_INCREMENT, 1, FALSE);
}
EXPORT(ExQueueWorkItem);

static PWORK_QUEUE_ITEM ExpTakeWorkItem(PEXP_WORK_QUEUE Queue)
{
    KeWaitForSingleObject(&Queue->Ready, Executive, KernelMode, FALSE, NULL);

    KIRQL Irql = KeAcquireLock(&Queue->Lock);
    KI_ASSERT(!IsListEmpty(&Queue->Items), "the semaphore of work queue %p counts too many", Queue);
    PWORK_QUEUE_ITEM Item = CONTAINING_RECORD(RemoveHeadList(&Queue->Items), WORK_QUEUE_ITEM, List);
    Item->List.Flink = NULL;
    KeReleaseLock(&Queue->Lock, Irql);
    return Item;
}

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

static VOID ExpWorkerThread(PVOID Context)
{
    PEXP_WORK_QUEUE Queue = Context;

    KeSetPriorityThread(KeGetCurrentThread(), Queue->Priority);
    for (;;) {
        ExpRunWorkItem(ExpTakeWorkItem(Queue));
    }
}

static void ExpStartWorkers(PEXP_WORK_QUEUE Queue)
{
    for (ULONG i = 0; i < Queue->Workers; i++) {
        NTSTATUS Status = ExHandlers.CreateSystemThread(ExpWorkerThread, Queue);
        if (!NT_SUCCESS(Status)) {
            KdBugCheck(PHASE1_INITIALIZATION_FAILED, (ULONG64)Status, 0, 0, 0, NULL,
                       "cannot make a worker thread");
        }
    }
}

void ExInitializeWorkQueues(void)
{
    for (ULONG i = 0; i < EXP_QUEUES; i++) {
        KeInitializeLock(&ExpWorkQueue[i].Lock, KlcWorkQueue);
        InitializeListHead(&ExpWorkQueue[i].Items);
        KeInitializeSemaphore(&ExpWorkQueue[i].Ready, 0, MAXLONG);
    }
    for (ULONG i = 0; i < EXP_QUEUES; i++) {
        ExpStartWorkers(&ExpWorkQueue[i]);
    }
}
