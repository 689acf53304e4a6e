/* SPDX-License-Identifier: MIT */
/*
 * The timer queue of a processor: 64 buckets by due time, each sorted, a bit for each that is not empty.
 * NextDue may be too early after a removal, never too late. See timerq.h for the locking.
 */
#include "sync/sync.h"
#include "kernel/rtl/bits.h"

#define BUCKET_SHIFT 17 /* 2^17 * 100 ns = 13 ms a bucket */

void KiInitializeTimerQueue(KTIMER_QUEUE *Queue)
{
    KeInitializeLock(&Queue->Lock, KlcTimerQueue);
    Queue->Occupied = 0;
    Queue->NextDue = UINT64_MAX;
    for (ULONG i = 0; i < TIMER_BUCKETS; i++) {
        InitializeListHead(&Queue->Bucket[i]);
    }
}

static ULONG KiBucketOf(ULONG64 Due)
{
    return (ULONG)(Due >> BUCKET_SHIFT) % TIMER_BUCKETS;
}

static PKTIMER KiTimerOf(PLIST_ENTRY Entry)
{
    return CONTAINING_RECORD(Entry, KTIMER, TimerListEntry);
}

/* Queue->Lock held. */
static void KiInsertTimer(KTIMER_QUEUE *Queue, PKTIMER Timer, ULONG64 Due)
{
    ULONG Bucket = KiBucketOf(Due);
    PLIST_ENTRY After = Queue->Bucket[Bucket].Blink; /* later ones usually come later */
    while (After != &Queue->Bucket[Bucket] && KiTimerOf(After)->DueTime.QuadPart > Due) {
        After = After->Blink;
    }
    Timer->DueTime.QuadPart = Due;
    InsertHeadList(After, &Timer->TimerListEntry);
    Queue->Occupied |= 1ULL << Bucket;
    Timer->Header.Inserted = TRUE;
    if (Due < Queue->NextDue) {
        Queue->NextDue = Due;
    }
}

/* Queue->Lock held. */
static void KiRemoveTimer(KTIMER_QUEUE *Queue, PKTIMER Timer)
{
    ULONG Bucket = KiBucketOf(Timer->DueTime.QuadPart);
    RemoveEntryList(&Timer->TimerListEntry);
    if (IsListEmpty(&Queue->Bucket[Bucket])) {
        Queue->Occupied &= ~(1ULL << Bucket);
    }
    Timer->Header.Inserted = FALSE;
}

/* Locks the queue that guards the timer. Timer->Processor changes only under the lock of the queue that it
   names: look, lock, look again. */
static KTIMER_QUEUE *KiLockTimer(PKTIMER Timer)
{
    for (;;) {
        ULONG Processor = Timer->Processor;
        KTIMER_QUEUE *Queue = &KiProcessorBlock[Processor]->Timers;
        KeAcquireLockAtDpc(&Queue->Lock);
        if (Timer->Processor == Processor) {
            return Queue;
        }
        KeReleaseLockFromDpc(&Queue->Lock);
    }
}

/* Queue->Lock held. Returns whether the timer was queued. */
static bool KiUnqueueTimer(KTIMER_QUEUE *Queue, PKTIMER Timer)
{
    bool WasQueued = Timer->Header.Inserted;
    if (WasQueued) {
        KiRemoveTimer(Queue, Timer);
    }
    return WasQueued;
}

bool KiTakeTimer(PKTIMER Timer)
{
    PKPRCB Prcb = KeGetCurrentPrcb();
    bool WasQueued = false;
    for (;;) {
        KTIMER_QUEUE *Queue = KiLockTimer(Timer);
        WasQueued |= KiUnqueueTimer(Queue, Timer);
        if (Queue == &Prcb->Timers) {
            return WasQueued;
        }
        Timer->Processor = Prcb->Number; /* and once more: somebody may set it there before us */
        KeReleaseLockFromDpc(&Queue->Lock);
    }
}

void KiQueueTimer(PKTIMER Timer, ULONG64 Due)
{
    PKPRCB Prcb = KeGetCurrentPrcb();
    KiInsertTimer(&Prcb->Timers, Timer, Due);
    KeReleaseLockFromDpc(&Prcb->Timers.Lock);
    KiArmTimer(Prcb);
}

/* Returns whether the timer was set. After the return no expiry of it is under way; the signal state stays,
   and a DPC that is queued already runs. <= DISPATCH_LEVEL. (WDK page of the name) */
BOOLEAN KeCancelTimer(PKTIMER Timer)
{
    KIRQL Irql = KiRaiseToDispatch();
    KTIMER_QUEUE *Queue = KiLockTimer(Timer);
    bool WasQueued = KiUnqueueTimer(Queue, Timer);
    KeReleaseLockFromDpc(&Queue->Lock);
    KiLower(Irql);
    return WasQueued;
}
EXPORT(KeCancelTimer);

void KiRequeueTimer(PKTIMER Timer, ULONG64 Due)
{
    KiInsertTimer(&KiProcessorBlock[Timer->Processor]->Timers, Timer, Due);
}

static ULONG64 KiEarliestDue(KTIMER_QUEUE *Queue)
{
    ULONG64 Earliest = UINT64_MAX;
    for (ULONG64 Left = Queue->Occupied; Left != 0; Left &= Left - 1) {
        ULONG64 Due = KiTimerOf(Queue->Bucket[RtlLowestBit(Left)].Flink)->DueTime.QuadPart;
        Earliest = Due < Earliest ? Due : Earliest;
    }
    return Earliest;
}

void KiExpireTimers(PKPRCB Prcb, ULONG64 Now)
{
    KTIMER_QUEUE *Queue = &Prcb->Timers;
    PKTHREAD Chain = NULL;

    KeAcquireLockAtDpc(&Queue->Lock);
    for (ULONG64 Left = Queue->Occupied; Left != 0; Left &= Left - 1) {
        PLIST_ENTRY Bucket = &Queue->Bucket[RtlLowestBit(Left)];
        while (!IsListEmpty(Bucket) && KiTimerOf(Bucket->Flink)->DueTime.QuadPart <= Now) {
            PKTIMER Timer = KiTimerOf(Bucket->Flink);
            KiRemoveTimer(Queue, Timer);
            Chain = KiTimerExpired(Timer, Chain);
        }
    }
    Queue->NextDue = KiEarliestDue(Queue);
    KeReleaseLockFromDpc(&Queue->Lock);
    KiReadyChain(Chain);
}
