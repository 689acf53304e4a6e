/* SPDX-License-Identifier: MIT */
/*
 * I/O work items: work items that belong to a device or driver object. From the moment when one is queued
 * until its routine has returned, the module that holds the routine stays in memory. Its unloading waits for
 * that after DriverUnload has returned; an item that is queued later still, by a routine that runs meanwhile,
 * holds nothing any more: DriverUnload has to see to it that no routine queues again.
 */
#include "kernel/ex/ex.h"
#include "kernel/kd/kd.h"
#include "kernel/rtl/export.h"

struct _IO_WORKITEM {
    WORK_QUEUE_ITEM Item;
    PVOID IoObject;
    PIO_WORKITEM_ROUTINE_EX RoutineEx; /* one of the two */
    PIO_WORKITEM_ROUTINE Routine;
    PVOID Context;
    PEX_MODULE Module; /* of the routine, referenced until that has returned; NULL: the kernel's, or being unloaded */
};

/* Everything is copied first: the routine may free the item, or queue it again. */
static VOID IopRunWorkItem(PVOID Parameter)
{
    PIO_WORKITEM Item = Parameter;
    struct _IO_WORKITEM Copy = *Item;
    if (Copy.RoutineEx != NULL) {
        Copy.RoutineEx(Copy.IoObject, Copy.Context, Item);
    } else {
        Copy.Routine(Copy.IoObject, Copy.Context);
    }
    if (Copy.Module != NULL) {
        ExReleaseRundownProtection(&Copy.Module->Rundown);
    }
}

/* How large an IO_WORKITEM is, for IoInitializeWorkItem. Any IRQL. (WDK page of the name) */
ULONG IoSizeofWorkItem(VOID)
{
    return sizeof(struct _IO_WORKITEM);
}
EXPORT(IoSizeofWorkItem);

/* Prepares an item in the caller's memory, IoSizeofWorkItem bytes of it. IoObject: the driver or device
   object that the routine is called with. Any IRQL. (WDK page of the name) */
VOID IoInitializeWorkItem(PVOID IoObject, PIO_WORKITEM IoWorkItem)
{
    *IoWorkItem = (struct _IO_WORKITEM){.IoObject = IoObject};
    ExInitializeWorkItem(&IoWorkItem->Item, IopRunWorkItem, IoWorkItem);
}
EXPORT(IoInitializeWorkItem);

/* The item is not used any longer; bug check WORKER_INVALID when it is queued. Any IRQL. (WDK page of the
   name) */
VOID IoUninitializeWorkItem(PIO_WORKITEM IoWorkItem)
{
    if (IoWorkItem->Item.List.Flink != NULL) {
        KdBugCheck(WORKER_INVALID, (ULONG64)IoWorkItem, (ULONG64)IoWorkItem->Routine, 0, 0, NULL,
                   "I/O work item %p is given up while it is queued", IoWorkItem);
    }
}
EXPORT(IoUninitializeWorkItem);

static VOID IopQueueWorkItem(PIO_WORKITEM Item, PIO_WORKITEM_ROUTINE Routine,
                             PIO_WORKITEM_ROUTINE_EX RoutineEx, WORK_QUEUE_TYPE QueueType, PVOID Context)
{
    if (Item->Item.List.Flink == NULL) { /* else ExQueueWorkItem stops the machine */
        Item->Routine = Routine;
        Item->RoutineEx = RoutineEx;
        Item->Context = Context;
        Item->Module =
            ExHandlers.ReferenceModule(RoutineEx != NULL ? (const void *)RoutineEx : (const void *)Routine);
    }
    ExQueueWorkItem(&Item->Item, QueueType);
}

/* A system thread calls WorkerRoutine(object, Context) at PASSIVE_LEVEL; the item is off the queue by
   then. Bug check WORKER_INVALID when it is queued already. <= DISPATCH_LEVEL; never blocks. (WDK page of the
   name) */
VOID IoQueueWorkItem(PIO_WORKITEM IoWorkItem, PIO_WORKITEM_ROUTINE WorkerRoutine, WORK_QUEUE_TYPE QueueType,
                     PVOID Context)
{
    IopQueueWorkItem(IoWorkItem, WorkerRoutine, NULL, QueueType, Context);
}
EXPORT(IoQueueWorkItem);

/* The same with a routine that gets the item, too. (WDK page of the name) */
VOID IoQueueWorkItemEx(PIO_WORKITEM IoWorkItem, PIO_WORKITEM_ROUTINE_EX WorkerRoutine,
                       WORK_QUEUE_TYPE QueueType, PVOID Context)
{
    IopQueueWorkItem(IoWorkItem, NULL, WorkerRoutine, QueueType, Context);
}
EXPORT(IoQueueWorkItemEx);
