/* SPDX-License-Identifier: MIT */
/*
 * Events and semaphores. The state and the wait list of each are guarded by its own lock (sync.h).
 */
#include "sync/sync.h"

/* Makes an event in resident memory of the caller's: a notification event, which releases all waiters and
   stays signalled until it is reset, or a synchronization event, which releases one and resets itself.
   State TRUE: signalled. Any IRQL; does not block. (WDK page of the name) */
VOID KeInitializeEvent(PRKEVENT Event, EVENT_TYPE Type, BOOLEAN State)
{
    KiInitializeHeader(&Event->Header, (UCHAR)Type, sizeof(KEVENT), State ? 1 : 0);
}
EXPORT(KeInitializeEvent);

/* The rest of KeSetEvent when somebody waits. Event locked. */
__attribute__((noinline)) static LONG KiReleaseEventWaiters(PDISPATCHER_HEADER Header, KPRIORITY Increment, BOOLEAN Wait,
                                                            KIRQL Irql)
{
    Header->SignalState = 1;
    KiFinishSignal(Header, KiReleaseWaiters(Header, Increment, NULL), Irql, Wait);
    return 0;
}

/* The same, and the usual case by itself: a synchronization event whose first waiter takes the signal. */
static inline LONG KiSetWaitedEvent(PRKEVENT Event, KPRIORITY Increment, BOOLEAN Wait, KIRQL Irql)
{
    PDISPATCHER_HEADER Header = &Event->Header;
    PKWAIT_BLOCK Block = CONTAINING_RECORD(Header->WaitListHead.Flink, KWAIT_BLOCK, WaitListEntry);
    bool Committed;
    KdPoint(PrimerPointSignalFound, Block->Thread);
    if (!Wait && Header->Type == EventSynchronizationObject && Block->WaitType == WaitAny &&
        KiClaimWait(Block->Thread, KiWaitEnd(WaitSatisfied, Block->WaitKey), &Committed)) {
        PKTHREAD Thread = Block->Thread;
        RemoveEntryList(&Block->WaitListEntry);
        Block->BlockState = BLOCK_UNLINKED;
        KdPoint(PrimerPointSignalClaimed, Thread);
        KiUnlockObject(Header);
        KdPoint(PrimerPointSignalUnlocked, Thread);
        if (Committed) {
            KiReady(Thread, Increment);
        }
        KiLower(Irql);
        return 0;
    }
    return KiReleaseEventWaiters(Header, Increment, Wait, Irql);
}

/* Signals: a notification event releases all waiters and stays signalled; a synchronization event releases
   one, or stays signalled until one comes. Returns the previous state. Wait TRUE: the next call is a wait,
   which restores the level, and may block; signal and wait are not one atomic step, for another thread may
   come between. <= DISPATCH_LEVEL, Wait TRUE <= APC_LEVEL. (WDK page of the name) */
LONG KeSetEvent(PRKEVENT Event, KPRIORITY Increment, BOOLEAN Wait)
{
    PDISPATCHER_HEADER Header = &Event->Header;
    KIRQL Irql = KiAcquireObject(Header);
    LONG Previous = Header->SignalState;
    if (Previous == 0 && !IsListEmpty(&Header->WaitListHead)) {
        return KiSetWaitedEvent(Event, Increment, Wait, Irql);
    }
    Header->SignalState = 1;
    KiFinishSignal(Header, NULL, Irql, Wait);
    return Previous;
}
EXPORT(KeSetEvent);

/* Releases those who wait now (of a synchronization event: one) and leaves the event unsignalled. A waiter
   that is running a kernel APC at this moment misses it, and a wait for all of several objects always does:
   its thread looks at all of them when it has been woken, and by then the pulse is over. Returns the previous
   state. Wait, levels: KeSetEvent. (WDK page of the name) */
LONG KePulseEvent(PRKEVENT Event, KPRIORITY Increment, BOOLEAN Wait)
{
    PDISPATCHER_HEADER Header = &Event->Header;
    KIRQL Irql = KiAcquireObject(Header);
    LONG Previous = Header->SignalState;
    Header->SignalState = 1;
    PKTHREAD Chain = Previous == 0 ? KiReleaseWaiters(Header, Increment, NULL) : NULL;
    Header->SignalState = 0;
    KiFinishSignal(Header, Chain, Irql, Wait);
    return Previous;
}
EXPORT(KePulseEvent);

/* Makes the event not signalled. Returns the previous state, 0 for not signalled. <= DISPATCH_LEVEL; does
   not block. (WDK page of the name) */
LONG KeResetEvent(PRKEVENT Event)
{
    KIRQL Irql = KiAcquireObject(&Event->Header);
    LONG Previous = Event->Header.SignalState;
    Event->Header.SignalState = 0;
    KiFinishSignal(&Event->Header, NULL, Irql, FALSE);
    return Previous;
}
EXPORT(KeResetEvent);

/* Makes the event not signalled, for those who do not ask for its previous state. <= DISPATCH_LEVEL; does
   not block. (WDK page of the name) */
VOID KeClearEvent(PRKEVENT Event)
{
    KeResetEvent(Event);
}
EXPORT(KeClearEvent);

/* 0: not signalled, else signalled. Without a lock: the answer may be old when the caller looks at it. Any
   IRQL; does not block. (WDK page of the name) */
LONG KeReadStateEvent(PRKEVENT Event)
{
    return *(volatile LONG *)&Event->Header.SignalState;
}
EXPORT(KeReadStateEvent);

/* Makes a semaphore in resident memory of the caller's, with Count of at most Limit: 0 <= Count <= Limit,
   Limit > 0. Any IRQL; does not block. (WDK page of the name) */
VOID KeInitializeSemaphore(PRKSEMAPHORE Semaphore, LONG Count, LONG Limit)
{
    KiInitializeHeader(&Semaphore->Header, SemaphoreObject, sizeof(KSEMAPHORE), Count);
    Semaphore->Limit = Limit;
}
EXPORT(KeInitializeSemaphore);

/* Adds to the count and releases as many waiters as it allows. Returns the previous count; raises
   STATUS_SEMAPHORE_LIMIT_EXCEEDED, nothing changed, when the limit would be passed. Wait: KeSetEvent. <=
   DISPATCH_LEVEL, Wait TRUE PASSIVE_LEVEL. (WDK page of the name) */
LONG KeReleaseSemaphore(PRKSEMAPHORE Semaphore, KPRIORITY Increment, LONG Adjustment, BOOLEAN Wait)
{
    PDISPATCHER_HEADER Header = &Semaphore->Header;
    KIRQL Irql = KiAcquireObject(Header);
    LONG Previous = Header->SignalState;
    if (Adjustment <= 0 || Adjustment > Semaphore->Limit - Previous) {
        KiFinishSignal(Header, NULL, Irql, FALSE);
        ExRaiseStatus(STATUS_SEMAPHORE_LIMIT_EXCEEDED);
    }
    Header->SignalState = Previous + Adjustment;
    KiFinishSignal(Header, KiReleaseWaiters(Header, Increment, NULL), Irql, Wait);
    return Previous;
}
EXPORT(KeReleaseSemaphore);

/* The current count; 0: not signalled. Without a lock: the answer may be old when the caller looks at it.
   Any IRQL; does not block. (WDK page of the name) */
LONG KeReadStateSemaphore(PRKSEMAPHORE Semaphore)
{
    return *(volatile LONG *)&Semaphore->Header.SignalState;
}
EXPORT(KeReadStateSemaphore);
