/* SPDX-License-Identifier: MIT */
/*
 * Queues of entries that a few threads work off (KQUEUE). A queue lets only so many of its threads be active
 * at a time: a thread belongs to the queue that it has last called KeRemoveQueue for, and is active from the
 * moment when it has an entry until it comes back for the next one or blocks, in whatever wait. When an
 * active thread blocks, a thread that waits for an entry takes its place; when it goes on, there may be one
 * active thread too many for a while. The thread that has waited shortest gets the next entry, so that those
 * who are not needed stay asleep.
 *
 * Locks: a queue, and what is written "q" below, is guarded by a lock that is chosen by the queue's address
 * and not by one inside the queue: a thread that is about to block knows its queue only by an address that
 * KeRundownQueue may be taking away from it. It locks, and then looks whether it still belongs to the queue.
 *
 *   KQUEUE: all of it (q)
 *   KTHREAD: Queue, QueueListEntry, QueueActive (q) of the queue that the thread belongs to
 *
 * A thread that waits for an entry waits for an event of its own, in a record on its stack that is in the
 * queue's list. Whoever takes the record off the list owes the event.
 */
#include "sync/sync.h"
#include "sync/wait.h"

#define QUEUE_LOCKS 16

typedef struct _KI_QUEUE_WAITER {
    LIST_ENTRY Links; /* (q) */
    bool Linked;      /* (q) */
    PKTHREAD Thread;
    PLIST_ENTRY Entry; /* written before Given is set */
    KEVENT Given;
    struct _KI_QUEUE_WAITER *Next; /* chain of those whose event is to be set */
} KI_QUEUE_WAITER;

static struct {
    KLOCK Lock;
} __attribute__((aligned(64)))
KiQueueLock[QUEUE_LOCKS] = {[0 ... QUEUE_LOCKS - 1] = {KLOCK_INITIALIZER(KlcQueue)}};

static inline PKLOCK KiLockOfQueue(PRKQUEUE Queue)
{
    return &KiQueueLock[((ULONG_PTR)Queue * 0x9e3779b97f4a7c15ULL >> 58) % QUEUE_LOCKS].Lock;
}

/* ---- Under the lock ---- */

static inline void KiEnterQueue(PRKQUEUE Queue, PKTHREAD Thread)
{
    Queue->CurrentCount++;
    Thread->QueueActive = TRUE;
}

static inline void KiPauseInQueue(PRKQUEUE Queue, PKTHREAD Thread)
{
    Queue->CurrentCount -= Thread->QueueActive;
    Thread->QueueActive = FALSE;
}

/* The first entry if the thread may have it, which is active then; else NULL. */
static PLIST_ENTRY KiTakeEntry(PRKQUEUE Queue, PKTHREAD Thread)
{
    if (IsListEmpty(&Queue->EntryListHead) || Queue->CurrentCount >= Queue->MaximumCount) {
        return NULL;
    }
    Queue->Header.SignalState--;
    KiEnterQueue(Queue, Thread);
    return RemoveHeadList(&Queue->EntryListHead);
}

/* The thread comes for an entry: the first one, STATUS_ABANDONED in its place, or NULL. */
static PLIST_ENTRY KiBeginRemoval(PRKQUEUE Queue, PKTHREAD Thread)
{
    if (Queue->MaximumCount == 0) { /* the queue has been run down */
        return (PLIST_ENTRY)(LONG_PTR)STATUS_ABANDONED;
    }
    if (Thread->Queue != Queue) {
        Thread->Queue = Queue;
        InsertTailList(&Queue->ThreadListHead, &Thread->QueueListEntry);
    }
    KiPauseInQueue(Queue, Thread);
    return KiTakeEntry(Queue, Thread);
}

static KI_QUEUE_WAITER *KiUnlinkWaiter(KI_QUEUE_WAITER *Waiter)
{
    RemoveEntryList(&Waiter->Links);
    Waiter->Linked = false;
    return Waiter;
}

/* If there are an entry, a waiter and room for another active thread, the waiter gets the entry, and is
   returned. One at most: every change that makes room makes it for one. */
static KI_QUEUE_WAITER *KiGiveEntry(PRKQUEUE Queue)
{
    if (IsListEmpty(&Queue->Header.WaitListHead)) {
        return NULL;
    }
    KI_QUEUE_WAITER *Waiter = CONTAINING_RECORD(Queue->Header.WaitListHead.Flink, KI_QUEUE_WAITER, Links);
    Waiter->Entry = KiTakeEntry(Queue, Waiter->Thread);
    return Waiter->Entry != NULL ? KiUnlinkWaiter(Waiter) : NULL;
}

/* ---- Afterwards ---- */

/* Unlocks, and wakes a waiter that has been taken off the list, if there is one. */
static void KiUnlockAndWake(PKLOCK Lock, KI_QUEUE_WAITER *Waiter, KIRQL Irql)
{
    KeReleaseLockFromDpc(Lock);
    if (Waiter != NULL) {
        KeSetEvent(&Waiter->Given, IO_NO_INCREMENT, FALSE);
    }
    KiLower(Irql);
}

/* ---- Threads of a queue that block, wake and end ---- */

/* The thread is not active any longer, and with Leave does not belong to its queue either. */
static void KiStepAside(PKTHREAD Thread, bool Leave)
{
    PRKQUEUE Queue = Thread->Queue;
    if (Queue == NULL) {
        return;
    }
    PKLOCK Lock = KiLockOfQueue(Queue);
    KI_QUEUE_WAITER *Waiter = NULL;
    KIRQL Irql = KeAcquireLock(Lock);
    if (Thread->Queue == Queue) { /* else it has been run down, and may be gone */
        KiPauseInQueue(Queue, Thread);
        Waiter = KiGiveEntry(Queue);
        if (Leave) {
            RemoveEntryList(&Thread->QueueListEntry);
            Thread->Queue = NULL;
        }
    }
    KiUnlockAndWake(Lock, Waiter, Irql);
}

static void KiGoOn(PKTHREAD Thread)
{
    PRKQUEUE Queue = Thread->Queue;
    if (Queue == NULL) {
        return;
    }
    PKLOCK Lock = KiLockOfQueue(Queue);
    KIRQL Irql = KeAcquireLock(Lock);
    if (Thread->Queue == Queue) {
        KiEnterQueue(Queue, Thread);
    }
    KeReleaseLock(Lock, Irql);
}

void KiBlockInQueue(PKTHREAD Thread)
{
    KiStepAside(Thread, false);
    KiBlock();
    KiGoOn(Thread);
}

void KeLeaveQueue(PKTHREAD Thread)
{
    KiStepAside(Thread, true);
}

/* ---- Queues ---- */

/* Makes an empty queue in resident memory of the caller's. Count: how many threads may be active at a time;
   0: as many as there are processors. Any IRQL; does not block. (WDK page of the name) */
VOID KeInitializeQueue(PRKQUEUE Queue, ULONG Count)
{
    KiInitializeHeader(&Queue->Header, QueueObject, sizeof(KQUEUE), 0);
    InitializeListHead(&Queue->EntryListHead);
    InitializeListHead(&Queue->ThreadListHead);
    Queue->CurrentCount = 0;
    Queue->MaximumCount = Count != 0 ? Count : KeQueryActiveProcessorCount(NULL);
}
EXPORT(KeInitializeQueue);

/* How many entries are in the queue. Any IRQL. (WDK page of the name) */
LONG KeReadStateQueue(PRKQUEUE Queue)
{
    return *(volatile LONG *)&Queue->Header.SignalState;
}
EXPORT(KeReadStateQueue);

static LONG KiInsertQueue(PRKQUEUE Queue, PLIST_ENTRY Entry, bool Head)
{
    PKLOCK Lock = KiLockOfQueue(Queue);
    KIRQL Irql = KeAcquireLock(Lock);
    LONG Previous = Queue->Header.SignalState++;
    if (Head) {
        InsertHeadList(&Queue->EntryListHead, Entry);
    } else {
        InsertTailList(&Queue->EntryListHead, Entry);
    }
    KiUnlockAndWake(Lock, KiGiveEntry(Queue), Irql);
    return Previous;
}

/* Puts an entry at the tail, or gives it to a waiting thread. Returns how many entries there were before.
   <= DISPATCH_LEVEL; never blocks. (WDK page of the name) */
LONG KeInsertQueue(PRKQUEUE Queue, PLIST_ENTRY Entry)
{
    return KiInsertQueue(Queue, Entry, false);
}
EXPORT(KeInsertQueue);

/* KeInsertQueue at the head. (WDK page of the name) */
LONG KeInsertHeadQueue(PRKQUEUE Queue, PLIST_ENTRY Entry)
{
    return KiInsertQueue(Queue, Entry, true);
}
EXPORT(KeInsertHeadQueue);

/* The waiter has run out of time, or is to end: it is active again, without an entry. False when it has
   been taken off the list already. */
static bool KiStopWaiting(PRKQUEUE Queue, KI_QUEUE_WAITER *Waiter)
{
    PKLOCK Lock = KiLockOfQueue(Queue);
    KIRQL Irql = KeAcquireLock(Lock);
    bool Linked = Waiter->Linked;
    if (Linked) { /* the queue is still there, too */
        KiUnlinkWaiter(Waiter);
        KiEnterQueue(Queue, Waiter->Thread);
    }
    KeReleaseLock(Lock, Irql);
    return Linked;
}

static PLIST_ENTRY KiAwaitEntry(PRKQUEUE Queue, KI_QUEUE_WAITER *Waiter, KPROCESSOR_MODE WaitMode,
                                PLARGE_INTEGER Timeout)
{
    NTSTATUS Status = KeWaitForSingleObject(&Waiter->Given, WrQueue, WaitMode, FALSE, Timeout);
    if (Status != STATUS_SUCCESS) {
        if (KiStopWaiting(Queue, Waiter)) {
            return (PLIST_ENTRY)(LONG_PTR)Status;
        }
        KeWaitForSingleObject(&Waiter->Given, WrQueue, KernelMode, FALSE, NULL); /* it is being set */
    }
    return Waiter->Entry;
}

/* Takes the first entry, waiting for one, and for as many threads to become inactive, as needed. The
   current thread belongs to the queue from then on, until it calls for another queue or ends. Timeout: as of
   KeWaitForSingleObject. Returns the entry, or STATUS_TIMEOUT, STATUS_USER_APC (WaitMode UserMode: the thread
   is to end), STATUS_ABANDONED (the queue has been run down) in its place. <= APC_LEVEL; <= DISPATCH_LEVEL if
   *Timeout is 0. A queue that has been run down and whose memory is still there gives STATUS_ABANDONED until
   it is initialised again: who was busy with the last entry may come back late. (WDK page of the name) */
PLIST_ENTRY KeRemoveQueue(PRKQUEUE Queue, KPROCESSOR_MODE WaitMode, PLARGE_INTEGER Timeout)
{
    PKTHREAD Thread = ArchCurrentThread();
    bool Poll = Timeout != NULL && Timeout->QuadPart == 0;
    KI_QUEUE_WAITER Waiter = {.Thread = Thread};
    KeInitializeEvent(&Waiter.Given, SynchronizationEvent, FALSE);
    if (Thread->Queue != Queue) {
        KiStepAside(Thread, true);
    }

    PKLOCK Lock = KiLockOfQueue(Queue);
    KIRQL Irql = KeAcquireLock(Lock);
    PLIST_ENTRY Entry = KiBeginRemoval(Queue, Thread);
    if (Entry == NULL && Poll) {
        Entry = (PLIST_ENTRY)(LONG_PTR)STATUS_TIMEOUT;
        KiEnterQueue(Queue, Thread);
    } else if (Entry == NULL) {
        Waiter.Linked = true;
        InsertHeadList(&Queue->Header.WaitListHead, &Waiter.Links);
    }
    KeReleaseLock(Lock, Irql);
    return Entry != NULL ? Entry : KiAwaitEntry(Queue, &Waiter, WaitMode, Timeout);
}
EXPORT(KeRemoveQueue);

/* Every thread that belongs to the queue is released from it. */
static void KiDismissThreads(PRKQUEUE Queue)
{
    while (!IsListEmpty(&Queue->ThreadListHead)) {
        PKTHREAD Thread = CONTAINING_RECORD(RemoveHeadList(&Queue->ThreadListHead), KTHREAD, QueueListEntry);
        Thread->QueueActive = FALSE;
        Thread->Queue = NULL;
    }
    Queue->CurrentCount = 0;
    Queue->MaximumCount = 0; /* nobody will be active again */
}

/* The end of a queue: its threads do not belong to it any longer, those that wait get STATUS_ABANDONED.
   Returns the entries that were left as a circle without a head, or NULL. Nobody uses the queue afterwards;
   its memory may go. <= DISPATCH_LEVEL; never blocks. (WDK page of the name) */
PLIST_ENTRY KeRundownQueue(PRKQUEUE Queue)
{
    PKLOCK Lock = KiLockOfQueue(Queue);
    KI_QUEUE_WAITER *Chain = NULL;
    PLIST_ENTRY First = NULL;
    KIRQL Irql = KeAcquireLock(Lock);
    KiDismissThreads(Queue);
    while (!IsListEmpty(&Queue->Header.WaitListHead)) {
        KI_QUEUE_WAITER *Waiter = CONTAINING_RECORD(Queue->Header.WaitListHead.Blink, KI_QUEUE_WAITER, Links);
        Waiter->Entry = (PLIST_ENTRY)(LONG_PTR)STATUS_ABANDONED;
        Waiter->Next = Chain;
        Chain = KiUnlinkWaiter(Waiter);
    }
    if (!IsListEmpty(&Queue->EntryListHead)) {
        First = Queue->EntryListHead.Flink;
        RemoveEntryList(&Queue->EntryListHead);
        InitializeListHead(&Queue->EntryListHead);
    }
    Queue->Header.SignalState = 0;
    KeReleaseLockFromDpc(Lock);
    while (Chain != NULL) {
        KI_QUEUE_WAITER *Waiter = Chain;
        Chain = Waiter->Next; /* before its thread goes on, whose stack it is on */
        KeSetEvent(&Waiter->Given, IO_NO_INCREMENT, FALSE);
    }
    KiLower(Irql);
    return First;
}
EXPORT(KeRundownQueue);
