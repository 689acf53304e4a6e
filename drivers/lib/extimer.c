/* SPDX-License-Identifier: MIT */
/*
 * Timers that the system allocates, with a routine that is called at each expiry: a KTIMER and a DPC in one
 * block.
 *
 * Deletion: the block goes when no DPC of it is queued or runs any more. Only KeFlushQueuedDpcs, at
 * PASSIVE_LEVEL, tells that. So a caller that waits does it itself, and for all others a work item does,
 * which keeps this module loaded until it is through.
 *
 *      ExDeleteTimer   Cancel, Wait      cancels, flushes, frees
 *                      Cancel            cancels, queues the work item
 *                      neither           a timer that is set once expires before that: its DPC queues the work item
 *
 * Lock: Lock, for Deleted, Pending and the setting of the timer; a spin lock.
 */
#include <ntddk.h>

#define EX_TIMER_TAG  'miTE'
#define PER_MS        10000LL /* 100 ns each */

typedef struct _EX_TIMER {
    KTIMER Timer; /* first: who waits for the block waits for it */
    KDPC Dpc;
    KSPIN_LOCK Lock;
    BOOLEAN Deleted; /* (Lock) it is not set any more */
    BOOLEAN Pending; /* (Lock) set once, and its DPC has not begun yet */
    BOOLEAN Queued;  /* (Lock) the work item has been queued, and will free the block */
    ULONG Attributes;
    PEXT_CALLBACK Callback; /* NULL: none */
    PVOID Context;
    PEXT_DELETE_CALLBACK DeleteCallback;
    PVOID DeleteContext;
    PIO_WORKITEM Deletion;
} EX_TIMER;

static VOID ExpFreeTimer(PEX_TIMER Timer)
{
    PEXT_DELETE_CALLBACK Callback = Timer->DeleteCallback;
    PVOID Context = Timer->DeleteContext;

    KeCancelTimer(&Timer->Timer); /* set again while an earlier expiry's DPC was under way, which has found it pending no more */
    KeFlushQueuedDpcs();
    ExFreePoolWithTag(Timer, EX_TIMER_TAG);
    if (Callback != NULL) {
        Callback(Context);
    }
}

static VOID ExpDeleteWorker(PVOID IoObject, PVOID Context, PIO_WORKITEM Item)
{
    ExpFreeTimer(Context);
    IoUninitializeWorkItem(Item);
    ExFreePoolWithTag(Item, EX_TIMER_TAG);
}

/* The timer's lock is held. Nothing that the timer was deleted with is still to come: the work item frees it,
   after the DPC that runs. */
static VOID ExpDeleteLater(PEX_TIMER Timer)
{
    if (Timer->Deleted && !Timer->Pending && !Timer->Queued) {
        Timer->Queued = TRUE;
        IoQueueWorkItemEx(Timer->Deletion, ExpDeleteWorker, DelayedWorkQueue, Timer);
    }
}

static VOID ExpTimerDpc(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    PEX_TIMER Timer = Context;

    KeAcquireSpinLockAtDpcLevel(&Timer->Lock);
    Timer->Pending = FALSE;
    KeReleaseSpinLockFromDpcLevel(&Timer->Lock);
    if (Timer->Callback != NULL) {
        Timer->Callback(Timer, Timer->Context);
    }
    KeAcquireSpinLockAtDpcLevel(&Timer->Lock);
    ExpDeleteLater(Timer);
    KeReleaseSpinLockFromDpcLevel(&Timer->Lock);
}

/*
 * A timer that is not set. Callback(Timer, CallbackContext) is called at DISPATCH_LEVEL at each expiry; NULL:
 * it is only waited for, as for a synchronization timer, or with EX_TIMER_NOTIFICATION a notification timer.
 * EX_TIMER_HIGH_RESOLUTION has no effect: all timers are exact; with EX_TIMER_NO_WAKE it may be late as
 * ExSetTimer says. NULL: out of memory, or unknown attributes. <= DISPATCH_LEVEL. (WDK page of the name)
 */
PEX_TIMER ExAllocateTimer(PEXT_CALLBACK Callback, PVOID CallbackContext, ULONG Attributes)
{
    const ULONG Known = EX_TIMER_HIGH_RESOLUTION | EX_TIMER_NO_WAKE | EX_TIMER_NOTIFICATION;

    if ((Attributes & ~Known) != 0 || (Attributes & (EX_TIMER_HIGH_RESOLUTION | EX_TIMER_NO_WAKE)) == (EX_TIMER_HIGH_RESOLUTION | EX_TIMER_NO_WAKE)) {
        return NULL;
    }
    PEX_TIMER Timer = ExAllocatePool2(POOL_FLAG_NON_PAGED, sizeof(*Timer), EX_TIMER_TAG);
    PIO_WORKITEM Item = ExAllocatePool2(POOL_FLAG_NON_PAGED, IoSizeofWorkItem(), EX_TIMER_TAG);
    if (Timer == NULL || Item == NULL) {
        if (Timer != NULL) {
            ExFreePoolWithTag(Timer, EX_TIMER_TAG);
        }
        if (Item != NULL) {
            ExFreePoolWithTag(Item, EX_TIMER_TAG);
        }
        return NULL;
    }
    KeInitializeTimerEx(&Timer->Timer, Attributes & EX_TIMER_NOTIFICATION ? NotificationTimer : SynchronizationTimer);
    KeInitializeDpc(&Timer->Dpc, ExpTimerDpc, Timer);
    KeInitializeSpinLock(&Timer->Lock);
    IoInitializeWorkItem(NULL, Item);
    Timer->Attributes = Attributes;
    Timer->Callback = Callback;
    Timer->Context = CallbackContext;
    Timer->Deletion = Item;
    return Timer;
}

/* How late it may be, in ms. */
static ULONG ExpTolerance(const EX_TIMER *Timer, const EXT_SET_PARAMETERS *Parameters)
{
    if (!(Timer->Attributes & EX_TIMER_NO_WAKE) || Parameters == NULL) {
        return 0;
    }
    ULONGLONG Milliseconds = (ULONGLONG)Parameters->NoWakeTolerance / PER_MS; /* EX_TIMER_UNLIMITED_TOLERANCE is very much */
    return Milliseconds > MAXUSHORT ? MAXUSHORT : (ULONG)Milliseconds;
}

/* Sets the timer anew, as KeSetTimerEx does: DueTime negative from now, Period 0 for once, both in units of
   100 ns. TRUE: it was set. A timer that is being deleted is not set any more, not by its own routine either.
   Differs: the period is rounded up to whole milliseconds. <= DISPATCH_LEVEL. (WDK page of the name) */
BOOLEAN ExSetTimer(PEX_TIMER Timer, LONGLONG DueTime, LONGLONG Period, PEXT_SET_PARAMETERS Parameters)
{
    LARGE_INTEGER Due = {.QuadPart = DueTime};
    ULONG Milliseconds = (ULONG)((Period + PER_MS - 1) / PER_MS);
    KIRQL Irql;

    KeAcquireSpinLock(&Timer->Lock, &Irql);
    BOOLEAN WasSet = FALSE;
    if (!Timer->Deleted) {
        WasSet = KeSetCoalescableTimer(&Timer->Timer, Due, Milliseconds, ExpTolerance(Timer, Parameters), &Timer->Dpc);
        Timer->Pending = Milliseconds == 0;
    }
    KeReleaseSpinLock(&Timer->Lock, Irql);
    return WasSet;
}

static BOOLEAN ExpCancel(PEX_TIMER Timer)
{
    BOOLEAN Cancelled = KeCancelTimer(&Timer->Timer);

    if (Cancelled) {
        Timer->Pending = FALSE;
    }
    return Cancelled;
}

/* The timer is not set any more. TRUE: it was. FALSE: it was not, or has expired, and its routine may still
   be running. Parameters: NULL. <= DISPATCH_LEVEL. (WDK page of the name) */
BOOLEAN ExCancelTimer(PEX_TIMER Timer, PEXT_CANCEL_PARAMETERS Parameters)
{
    KIRQL Irql;

    KeAcquireSpinLock(&Timer->Lock, &Irql);
    BOOLEAN Cancelled = ExpCancel(Timer);
    KeReleaseSpinLock(&Timer->Lock, Irql);
    return Cancelled;
}

/*
 * Nobody sets, cancels or waits for the timer any more; it is freed when its routine has returned, and
 * Parameters->DeleteCallback called then. Cancel: TRUE cancels it; FALSE lets one that is set once expire
 * before that. Wait, with Cancel: returns when it has been freed; never from its own routine. TRUE: it was
 * cancelled. <= DISPATCH_LEVEL, with Wait PASSIVE_LEVEL (<= APC_LEVEL as documented). (WDK page of the name)
 */
BOOLEAN ExDeleteTimer(PEX_TIMER Timer, BOOLEAN Cancel, BOOLEAN Wait, PEXT_DELETE_PARAMETERS Parameters)
{
    KIRQL Irql;

    ASSERTMSG("waits for a timer that is not cancelled", Cancel || !Wait);
    KeAcquireSpinLock(&Timer->Lock, &Irql);
    if (Parameters != NULL) {
        Timer->DeleteCallback = Parameters->DeleteCallback;
        Timer->DeleteContext = Parameters->DeleteContext;
    }
    BOOLEAN Cancelled = (Cancel || Timer->Timer.Period != 0) && ExpCancel(Timer);
    Timer->Deleted = TRUE;
    Timer->Queued = Wait;
    ExpDeleteLater(Timer); /* unless its DPC is still to come */
    KeReleaseSpinLock(&Timer->Lock, Irql);
    if (Wait) {
        PIO_WORKITEM Item = Timer->Deletion;
        ExpFreeTimer(Timer);
        IoUninitializeWorkItem(Item);
        ExFreePoolWithTag(Item, EX_TIMER_TAG);
    }
    return Cancelled;
}
