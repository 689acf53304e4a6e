/* SPDX-License-Identifier: MIT */
/*
 * Timers as dispatcher objects. Setting and expiry are serialised by the timer queue's lock, under which the object's own
 * is taken; after KeCancelTimer no expiry of the timer is under way (its DPC may still be queued: KeRemoveQueueDpc,
 * KeFlushQueuedDpcs).
 */
#include "sync/sync.h"

#define TIME_PER_MS 10000

/* Expiry, with the queue locked. A thread's own timer ends that thread's wait; the fence is the one of sync.h: Inserted was cleared
   before the word is read. */
static PKTHREAD KiExpireThreadTimer(PKTIMER Timer, PKTHREAD Chain)
{
    PKTHREAD Thread = CONTAINING_RECORD(Timer, KTHREAD, WaitTimer);
    bool Committed;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (KiClaimWait(Thread, WaitTimedOut, 0, &Committed) && Committed) {
        Thread->WakeIncrement = IO_NO_INCREMENT;
        Thread->WakeNext = Chain;
        Chain = Thread;
    }
    return Chain;
}

static PKTHREAD KiTimerExpired(PKTIMER Timer, PKTHREAD Chain)
{
    if (Timer->Header.Type == ThreadWaitTimerObject) {
        return KiExpireThreadTimer(Timer, Chain);
    }
    if (Timer->Period != 0) {
        ULONG64 Next = Timer->DueTime.QuadPart + (ULONG64)Timer->Period * TIME_PER_MS;
        ULONG64 Now = KeQueryInterruptTime();
        KiRequeueTimer(Timer, Next > Now ? Next : Now + TIME_PER_MS); /* periods that were missed are not made up */
    }
    PKDPC Dpc = Timer->Dpc;
    KiLockObject(&Timer->Header);
    Timer->Header.SignalState = 1;
    Chain = KiReleaseWaiters(&Timer->Header, IO_NO_INCREMENT, Chain);
    KiUnlockObject(&Timer->Header);
    if (Dpc != NULL) {
        KeInsertQueueDpc(Dpc, NULL, NULL);
    }
    return Chain;
}

void KiInitializeTimers(void)
{
    KiTimerExpiredHook = KiTimerExpired;
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

typedef struct _TIMER_SETTING {
    PKDPC Dpc;
    LONG Period;
} TIMER_SETTING;

/* Under the queue's lock, just before the timer goes in: a setting clears the signal. */
static void KiPrepareTimer(PKTIMER Timer, void *Context)
{
    const TIMER_SETTING *Setting = Context;
    KiLockObject(&Timer->Header);
    Timer->Header.SignalState = 0;
    KiUnlockObject(&Timer->Header);
    Timer->Dpc = Setting->Dpc;
    Timer->Period = (ULONG)Setting->Period;
}

/* Sets the timer; an earlier setting is cancelled. DueTime: negative from now, else system time (100 ns). Period in ms, 0:
   once. TRUE when it was set before. <= DISPATCH_LEVEL. (WDK page of the name) */
BOOLEAN KeSetTimerEx(PKTIMER Timer, LARGE_INTEGER DueTime, LONG Period, PKDPC Dpc)
{
    TIMER_SETTING Setting = {Dpc, Period < 0 ? 0 : Period};
    ULONG64 Due;
    if (DueTime.QuadPart < 0) {
        ULONG64 Now = KeQueryInterruptTime();
        Due = Now + (ULONG64)-DueTime.QuadPart;
        Due = Due < Now ? INT64_MAX : Due;
    } else {
        Due = KiSystemTimeToInterruptTime((ULONG64)DueTime.QuadPart);
    }
    return KiSetTimerQueue(Timer, Due, KiPrepareTimer, &Setting);
}
EXPORT(KeSetTimerEx);

BOOLEAN KeSetTimer(PKTIMER Timer, LARGE_INTEGER DueTime, PKDPC Dpc)
{
    return KeSetTimerEx(Timer, DueTime, 0, Dpc);
}
EXPORT(KeSetTimer);

/* TRUE when it was set. The signal state stays, and a DPC that is queued already runs. (WDK page of the name) */
BOOLEAN KeCancelTimer(PKTIMER Timer)
{
    KIRQL Irql = KiRaiseToDispatch();
    KTIMER_QUEUE *Queue = KiLockTimer(Timer);
    Timer->Period = 0; /* an expiry that is past has queued it again by now */
    KeReleaseLockFromDpc(&Queue->Lock);
    BOOLEAN WasSet = KiCancelTimerQueue(Timer);
    KiLower(Irql);
    return WasSet;
}
EXPORT(KeCancelTimer);

BOOLEAN KeReadStateTimer(PKTIMER Timer)
{
    return *(volatile LONG *)&Timer->Header.SignalState != 0;
}
EXPORT(KeReadStateTimer);
