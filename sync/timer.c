/* SPDX-License-Identifier: MIT */
/*
 * Timers as dispatcher objects. Setting and expiry are serialised by the timer queue's lock, under which the
 * object's own is taken; after KeCancelTimer no expiry of the timer is under way (its DPC may still be
 * queued: KeRemoveQueueDpc, KeFlushQueuedDpcs).
 */
#include "sync/sync.h"

/* A thread's own timer ends that thread's wait. */
static PKTHREAD KiExpireThreadTimer(PKTIMER Timer, PKTHREAD Chain)
{
    PKTHREAD Thread = CONTAINING_RECORD(Timer, KTHREAD, WaitTimer);
    bool Committed = false;
    KdPoint(PrimerPointTimeoutFound, Thread);
    bool Claimed = KiClaimWait(Thread, WaitTimedOut, &Committed); /* @claim */
    KdPoint(PrimerPointTimeoutClaimed, Thread);
    if (Claimed && Committed) {
        Chain = KiChainThread(Chain, Thread, IO_NO_INCREMENT);
    }
    return Chain;
}

/* The next due time of a periodic timer: the first of its series that lies ahead. Periods that were missed
   are not made up, and the series keeps its phase. */
static ULONG64 KiNextDue(PKTIMER Timer, ULONG64 Now)
{
    ULONG64 Period = (ULONG64)Timer->Period * TIME_PER_MS;
    ULONG64 Due = Timer->DueTime.QuadPart;
    return Due + Period * (1 + (Now - Due) / Period);
}

/*
 * The DPC is queued before anybody can see the signal: whoever sees it, and then removes or flushes the DPC,
 * may free it. But its processor cannot take it off the queue before the object is unlocked: the DPC itself
 * may free the timer.
 */
static void KiSignalTimer(PKTIMER Timer, PKTHREAD *Chain)
{
    KDPC_INSERTION Insertion;
    PKDPC Dpc = Timer->Dpc; /* once unlocked, the timer may be gone */
    KiLockObject(&Timer->Header);
    Timer->Header.SignalState = 1;
    *Chain = KiReleaseWaiters(&Timer->Header, IO_NO_INCREMENT, *Chain);
    if (Dpc == NULL) {
        KiUnlockObject(&Timer->Header);
        return;
    }
    KiBeginInsertDpc(&Insertion, Dpc, NULL, NULL);
    KiUnlockObject(&Timer->Header);
    KiEndInsertDpc(&Insertion);
}

PKTHREAD KiTimerExpired(PKTIMER Timer, ULONG64 Now, PKTHREAD Chain)
{
    if (Timer->Header.Type == ThreadWaitTimerObject) {
        return KiExpireThreadTimer(Timer, Chain);
    }
    if (Timer->Period != 0) {
        KiRequeueTimer(Timer, KiNextDue(Timer, Now));
    }
    KiSignalTimer(Timer, &Chain);
    return Chain;
}

/* Makes a timer, neither set nor signalled, in resident memory of the caller's: a notification timer, which
   stays signalled after its expiry until it is set anew, or a synchronization timer, which is signalled
   until one waiter is released. Never for a timer that is set. <= DISPATCH_LEVEL; does not block. (WDK page
   of the name) */
VOID KeInitializeTimerEx(PKTIMER Timer, TIMER_TYPE Type)
{
    KiInitializeHeader(&Timer->Header,
                       Type == NotificationTimer ? TimerNotificationObject : TimerSynchronizationObject,
                       sizeof(KTIMER), 0);
    Timer->DueTime.QuadPart = 0;
    Timer->Dpc = NULL;
    Timer->Processor = 0;
    Timer->TolerableDelay = 0;
    Timer->Period = 0;
}
EXPORT(KeInitializeTimerEx);

/* KeInitializeTimerEx with NotificationTimer. <= DISPATCH_LEVEL; does not block. (WDK page of the name) */
VOID KeInitializeTimer(PKTIMER Timer)
{
    KeInitializeTimerEx(Timer, NotificationTimer);
}
EXPORT(KeInitializeTimer);

static BOOLEAN KiSetTimer(PKTIMER Timer, LARGE_INTEGER DueTime, ULONG Period, ULONG TolerableDelay, PKDPC Dpc)
{
    ULONG64 Due = KiDueTime(DueTime.QuadPart);
    ULONG64 Now = KeQueryInterruptTime();
    KIRQL Irql = KiRaiseToDispatch();
    bool WasSet = KiTakeTimer(Timer);
    KiLockObject(&Timer->Header);
    Timer->Header.SignalState = 0;
    KiUnlockObject(&Timer->Header);
    Timer->Dpc = Dpc;
    Timer->Period = Period;
    Timer->TolerableDelay = (USHORT)(TolerableDelay < MAXUSHORT ? TolerableDelay : MAXUSHORT);
    KiQueueTimer(Timer, Due > Now ? Due : Now); /* a series begins now at the earliest */
    KiLower(Irql);
    return WasSet;
}

/* Sets the timer and clears its signal; an earlier setting is cancelled. At the due time the timer is
   signalled and its DPC, if there is one, queued; a due time that has passed comes at once. DueTime: negative
   from now, else system time (100 ns). The system time is never set while Primer runs, so that an absolute
   due time is turned into interrupt time here, once. Period: in ms, 0: once. A periodic timer expires at the
   due time (or now, whichever is later) + n periods; periods that passed while the processor could not look
   are not made up. Its DPC may still be running when it is queued again, on another processor. TRUE when the
   timer was set before. <= DISPATCH_LEVEL; never blocks. (WDK page of the name) */
BOOLEAN KeSetTimerEx(PKTIMER Timer, LARGE_INTEGER DueTime, LONG Period, PKDPC Dpc)
{
    return KiSetTimer(Timer, DueTime, Period < 0 ? 0 : (ULONG)Period, 0, Dpc);
}
EXPORT(KeSetTimerEx);

/* KeSetTimerEx with leave to be late: each expiry comes within TolerableDelay ms (at most 65535 count)
   after its time, together with whatever else makes the processor's timer fire in that window. A time that
   has passed already is no exception. The gaps of a periodic timer are Period +- TolerableDelay, without
   drift. <= DISPATCH_LEVEL; never blocks. (WDK page of the name) */
BOOLEAN KeSetCoalescableTimer(PKTIMER Timer, LARGE_INTEGER DueTime, ULONG Period, ULONG TolerableDelay,
                              PKDPC Dpc)
{
    return KiSetTimer(Timer, DueTime, Period, TolerableDelay, Dpc);
}
EXPORT(KeSetCoalescableTimer);

/* Whether the timer is signalled. Under the object's lock, for whoever sees the signal may rely on the DPC
   being queued. <= DISPATCH_LEVEL. (WDK page of the name) */
BOOLEAN KeReadStateTimer(PKTIMER Timer)
{
    KIRQL Irql = KiAcquireObject(&Timer->Header);
    BOOLEAN Signalled = Timer->Header.SignalState != 0;
    KiFinishSignal(&Timer->Header, NULL, Irql, FALSE);
    return Signalled;
}
EXPORT(KeReadStateTimer);
