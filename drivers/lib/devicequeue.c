/* SPDX-License-Identifier: MIT */
/*
 * Device queues: a queue of requests to a device that handles one at a time, and whether it is busy. An entry
 * that comes while the device is idle is not queued: it makes the device busy, and its owner starts it. When
 * the device has finished, its driver removes the next entry; when there is none, the device becomes idle.
 * KeInitializeDeviceQueue is the kernel's, which makes the queue of each device object.
 *
 * Lock: the queue's own guards all of it, and the Inserted of its entries.
 */
#include <ntddk.h>

/* Puts the entry before Where if the device is busy; else makes it busy, and returns FALSE. Locked. */
static BOOLEAN ExpQueueBefore(PKDEVICE_QUEUE Queue, PKDEVICE_QUEUE_ENTRY Entry, PLIST_ENTRY Where)
{
    Entry->Inserted = Queue->Busy;
    if (Queue->Busy) {
        InsertTailList(Where, &Entry->DeviceListEntry); /* the tail of the circle as seen from there */
    }
    Queue->Busy = TRUE;
    return Entry->Inserted;
}

/* TRUE: queued, as the last. FALSE: the device was idle and is busy now; the caller starts this request.
   DISPATCH_LEVEL; here anything up to it. (WDK page of the name) */
BOOLEAN KeInsertDeviceQueue(PKDEVICE_QUEUE DeviceQueue, PKDEVICE_QUEUE_ENTRY DeviceQueueEntry)
{
    KIRQL Irql;

    KeAcquireSpinLock(&DeviceQueue->Lock, &Irql);
    BOOLEAN Inserted = ExpQueueBefore(DeviceQueue, DeviceQueueEntry, &DeviceQueue->DeviceListHead);
    KeReleaseSpinLock(&DeviceQueue->Lock, Irql);
    return Inserted;
}

/* The first entry whose key is at least SortKey (with Beyond: greater than it), or the head. Locked. */
static PLIST_ENTRY ExpFindKey(PKDEVICE_QUEUE Queue, ULONG SortKey, BOOLEAN Beyond)
{
    PLIST_ENTRY Link = Queue->DeviceListHead.Flink;

    for (; Link != &Queue->DeviceListHead; Link = Link->Flink) {
        ULONG Key = CONTAINING_RECORD(Link, KDEVICE_QUEUE_ENTRY, DeviceListEntry)->SortKey;
        if (Beyond ? Key > SortKey : Key >= SortKey) {
            break;
        }
    }
    return Link;
}

/* The same, but the queue is kept in the order of keys, and of arrival where they are equal. (WDK page of the
   name) */
BOOLEAN KeInsertByKeyDeviceQueue(PKDEVICE_QUEUE DeviceQueue, PKDEVICE_QUEUE_ENTRY DeviceQueueEntry, ULONG SortKey)
{
    KIRQL Irql;

    KeAcquireSpinLock(&DeviceQueue->Lock, &Irql);
    DeviceQueueEntry->SortKey = SortKey;
    BOOLEAN Inserted = ExpQueueBefore(DeviceQueue, DeviceQueueEntry, ExpFindKey(DeviceQueue, SortKey, TRUE));
    KeReleaseSpinLock(&DeviceQueue->Lock, Irql);
    return Inserted;
}

/* Takes off the first entry with a key of at least SortKey, or the very first; the device becomes idle, and
   NULL is returned, when there is none. Locked. */
static PKDEVICE_QUEUE_ENTRY ExpTakeByKey(PKDEVICE_QUEUE Queue, ULONG SortKey)
{
    if (IsListEmpty(&Queue->DeviceListHead)) {
        Queue->Busy = FALSE;
        return NULL;
    }
    PLIST_ENTRY Link = ExpFindKey(Queue, SortKey, FALSE);
    if (Link == &Queue->DeviceListHead) {
        Link = Link->Flink;
    }
    RemoveEntryList(Link);
    PKDEVICE_QUEUE_ENTRY Entry = CONTAINING_RECORD(Link, KDEVICE_QUEUE_ENTRY, DeviceListEntry);
    Entry->Inserted = FALSE;
    return Entry;
}

/* The device, which is busy, has finished a request: the next one, first come first served, or NULL, and it
   is idle. DISPATCH_LEVEL; here anything up to it. (WDK page of the name) */
PKDEVICE_QUEUE_ENTRY KeRemoveDeviceQueue(PKDEVICE_QUEUE DeviceQueue)
{
    ASSERTMSG("device queue is not busy", DeviceQueue->Busy);
    return KeRemoveByKeyDeviceQueueIfBusy(DeviceQueue, 0); /* no key is below 0: the first entry */
}

/* The same, the first whose key is at least SortKey, or the very first where there is none. (WDK page of the
   name) */
PKDEVICE_QUEUE_ENTRY KeRemoveByKeyDeviceQueue(PKDEVICE_QUEUE DeviceQueue, ULONG SortKey)
{
    ASSERTMSG("device queue is not busy", DeviceQueue->Busy);
    return KeRemoveByKeyDeviceQueueIfBusy(DeviceQueue, SortKey);
}

/* The same for a device that may be idle: then NULL. (WDK page of the name) */
PKDEVICE_QUEUE_ENTRY KeRemoveByKeyDeviceQueueIfBusy(PKDEVICE_QUEUE DeviceQueue, ULONG SortKey)
{
    KIRQL Irql;

    KeAcquireSpinLock(&DeviceQueue->Lock, &Irql);
    PKDEVICE_QUEUE_ENTRY Entry = DeviceQueue->Busy ? ExpTakeByKey(DeviceQueue, SortKey) : NULL;
    KeReleaseSpinLock(&DeviceQueue->Lock, Irql);
    return Entry;
}

/* Takes an entry off, wherever it stands; the device stays as busy as it is. FALSE: it was not queued.
   <= DISPATCH_LEVEL. (WDK page of the name) */
BOOLEAN KeRemoveEntryDeviceQueue(PKDEVICE_QUEUE DeviceQueue, PKDEVICE_QUEUE_ENTRY DeviceQueueEntry)
{
    KIRQL Irql;

    KeAcquireSpinLock(&DeviceQueue->Lock, &Irql);
    BOOLEAN Inserted = DeviceQueueEntry->Inserted;
    if (Inserted) {
        DeviceQueueEntry->Inserted = FALSE;
        RemoveEntryList(&DeviceQueueEntry->DeviceListEntry);
    }
    KeReleaseSpinLock(&DeviceQueue->Lock, Irql);
    return Inserted;
}
