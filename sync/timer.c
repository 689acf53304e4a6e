/* SPDX-License-Identifier: MIT */
/*
 * Timers as dispatcher objects. Setting and expiry are serialised by the timer queue's lock, under which the
 * object's own is taken; after KeCancelTimer no expiry of the timer is under way (its DPC may still be
 * queued: KeRemoveQueueDpc, KeFlushQueuedDpcs).
 */
#include "sync/sync.h"

#define TIME_PER_MS 10000

/* A thread's own timer ends that thread's wait. */
static PKTHREAD KiExpireThreadTimer(PKTIMER Timer, PKTHREAD Chain)
{
    PKTHREAD Thread = CONTAINING_RECORD(Timer, KTHREAD, WaitTimer);
    bool Committed;
    if (KiClaimWait(Thread, WaitTimedOut, 0, &Committed) && Committed) {
        Chain = KiChainThread(Chain, Thread, IO_NO_INCREMENT);
    }
    return Chain;
}

PKTHREAD KiTimerExpired(PKTIMER Timer, PKTHREAD Chain)
{
    if (Timer->Header.Type == ThreadWaitTimerObject) {
        return KiExpireThreadTimer(Timer, Chain);
    }
    if (Timer->Period != 0) {
        ULONG64 Next = Timer->DueTime.QuadPart + (ULONG64)Timer->Period * TIME_PER_MS;
        ULONG64 Now = KeQueryInterruptTime();
        KiRequeueTimer(Timer, Next > Now ? Next : Now + TIME_PER_MS); /* periods that were missed are not made up */
    }
    PKDPC Dpc = Timer->Dpc; /* once unlocked and signalled, the timer may be gone */
    KiLockObject(&Timer->Header);
    Timer->Header.SignalState = 1;
    Chain = KiReleaseWaiters(&Timer->Header, IO_NO_INCREMENT, Chain);
    KiUnlockObject(&Timer->Header);
    if (Dpc != NULL) {
        KeInsertQueueDpc(Dpc, NULL, NULL);
    }
    return Chain;
}

VOID KeInitializeTimerEx(PKTIMER Timer, TIMER_TYPE Type)
{
    KiInitializeHeader(&Timer->Header,
                       Type == NotificationTimer ? TimerNotificationObject : TimerSynchronizationObject, sizeof(KTIMER), 0);
    Timer->DueTime.QuadPart = 0;
    Timer->Dpc = NULL;
    Timer->Processor = 0;
    Timer->Period = 0;
}
EXPORT(KeInitializeTimerEx);

VOID KeInitializeTimer(PKTIMER Timer)
{
    KeInitializeTimerEx(Timer, NotificationTimer);
}
EXPORT(KeInitializeTimer);

/* Sets the timer and clears its signal; an earlier setting is cancelled. DueTime: negative from now, else
   system time (100 ns). Period in ms, 0: once. TRUE when it was set before. <= DISPATCH_LEVEL. (WDK page of
   the name) */
BOOLEAN KeSetTimerEx(PKTIMER Timer, LARGE_INTEGER DueTime, LONG Period, PKDPC Dpc)
{
    ULONG64 Due = KiDueTime(DueTime.QuadPart);
    KIRQL Irql = KiRaiseToDispatch();
    bool WasSet = KiTakeTimer(Timer);
    KiLockObject(&Timer->Header);
    Timer->Header.SignalState = 0;
    KiUnlockObject(&Timer->Header);
    Timer->Dpc = Dpc;
    Timer->Period = Period < 0 ? 0 : (ULONG)Period;
    KiQueueTimer(Timer, Due);
    KiLower(Irql);
    return WasSet;
}
EXPORT(KeSetTimerEx);

BOOLEAN KeSetTimer(PKTIMER Timer, LARGE_INTEGER DueTime, PKDPC Dpc)
{
    return KeSetTimerEx(Timer, DueTime, 0, Dpc);
}
EXPORT(KeSetTimer);

BOOLEAN KeReadStateTimer(PKTIMER Timer)
{
    return *(volatile LONG *)&Timer->Header.SignalState != 0;
}
EXPORT(KeReadStateTimer);
