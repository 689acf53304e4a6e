/* SPDX-License-Identifier: MIT */
/*
 * The timer queue of a processor: 64 buckets by due time, each sorted, a bit for each that is not empty.
 * FirstDue and NextDue may be too early after a removal, never too late. See timerq.h for the locking.
 *
 * Coalescing: a timer with a tolerable delay is due at DueTime, but it asks for an interrupt only at the end
 * of its window. Whenever the processor looks at its queue, for whatever reason its timer has fired, all
 * timers expire whose due time has come. The interrupts that are armed this way are the fewest that serve all
 * windows.
 */
#include "sync/sync.h"
#include "kernel/rtl/bits.h"

#define BUCKET_SHIFT 17 /* 2^17 * 100 ns = 13 ms a bucket */

/* KTIMER.Header.Inserted. A timer that moves from one queue to another is nobody's for a moment: whoever
   wants it waits until it has arrived, so that no one sees a timer that is set before and after as not set.
   */
#define TIMER_IDLE   0
#define TIMER_QUEUED 1
#define TIMER_MOVING 2

void KiInitializeTimerQueue(KTIMER_QUEUE *Queue)
{
    KeInitializeLock(&Queue->Lock, KlcTimerQueue);
    Queue->Occupied = 0;
    Queue->FirstDue = UINT64_MAX;
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

/* The last moment at which the timer may expire. */
static ULONG64 KiWindowEnd(PKTIMER Timer)
{
    return Timer->DueTime.QuadPart + (ULONG64)Timer->TolerableDelay * TIME_PER_MS;
}

static void KiInsertTimer(KTIMER_QUEUE *Queue, PKTIMER Timer, ULONG64 Due)
{
    KI_ASSERT(Queue->Lock.Held, "timer queue %p is not locked", Queue);
    ULONG Bucket = KiBucketOf(Due);
    PLIST_ENTRY After = Queue->Bucket[Bucket].Blink; /* later ones usually come later */
    while (After != &Queue->Bucket[Bucket] && KiTimerOf(After)->DueTime.QuadPart > Due) {
        After = After->Blink;
    }
    Timer->DueTime.QuadPart = Due;
    InsertHeadList(After, &Timer->TimerListEntry);
    Queue->Occupied |= 1ULL << Bucket;
    Timer->Header.Inserted = TIMER_QUEUED;
    if (Due < Queue->FirstDue) {
        Queue->FirstDue = Due;
    }
    if (KiWindowEnd(Timer) < Queue->NextDue) {
        Queue->NextDue = KiWindowEnd(Timer);
    }
}

static void KiRemoveTimer(KTIMER_QUEUE *Queue, PKTIMER Timer)
{
    KI_ASSERT(Queue->Lock.Held, "timer queue %p is not locked", Queue);
    ULONG Bucket = KiBucketOf(Timer->DueTime.QuadPart);
    RemoveEntryList(&Timer->TimerListEntry);
    if (IsListEmpty(&Queue->Bucket[Bucket])) {
        Queue->Occupied &= ~(1ULL << Bucket);
    }
    Timer->Header.Inserted = TIMER_IDLE;
}

/* Locks the queue that guards the timer, once the timer is not on its way to another. Timer->Processor
   changes only under the lock of the queue that it names: look, lock, look again. */
static KTIMER_QUEUE *KiLockTimer(PKTIMER Timer)
{
    for (;;) {
        ULONG Processor = Timer->Processor;
        KTIMER_QUEUE *Queue = &KiProcessorBlock[Processor]->Timers;
        KeAcquireLockAtDpc(&Queue->Lock);
        if (Timer->Processor == Processor && Timer->Header.Inserted != TIMER_MOVING) {
            return Queue;
        }
        KeReleaseLockFromDpc(&Queue->Lock);
        KdPoint(PrimerPointTimerAwaited, Timer);
        ArchPause();
    }
}

/* Returns whether the timer was queued. */
static bool KiUnqueueTimer(KTIMER_QUEUE *Queue, PKTIMER Timer)
{
    bool WasQueued = Timer->Header.Inserted == TIMER_QUEUED;
    if (WasQueued) {
        KiRemoveTimer(Queue, Timer);
    }
    return WasQueued;
}

bool KiTakeTimer(PKTIMER Timer)
{
    PKPRCB Prcb = KeGetCurrentPrcb();
    KTIMER_QUEUE *Queue = KiLockTimer(Timer);
    bool WasQueued = KiUnqueueTimer(Queue, Timer);
    if (Queue != &Prcb->Timers) {
        Timer->Header.Inserted = TIMER_MOVING;
        Timer->Processor = Prcb->Number;
        KeReleaseLockFromDpc(&Queue->Lock);
        KdPoint(PrimerPointTimerMoving, Timer);
        KeAcquireLockAtDpc(&Prcb->Timers.Lock);
    }
    return WasQueued;
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

static bool KiLeadsInto(PKTIMER Timer, ULONG_PTR Start, SIZE_T Size)
{
    PKDPC Dpc = Timer->Dpc;
    return (ULONG_PTR)Timer - Start < Size ||
           (Dpc != NULL && ((ULONG_PTR)Dpc - Start < Size || (ULONG_PTR)Dpc->DeferredRoutine - Start < Size));
}

/* The queue is locked as a whole: a periodic timer changes its bucket. */
static PKTIMER KiFindInQueue(KTIMER_QUEUE *Queue, ULONG_PTR Start, SIZE_T Size)
{
    for (ULONG i = 0; i < TIMER_BUCKETS; i++) {
        for (PLIST_ENTRY Entry = Queue->Bucket[i].Flink; Entry != &Queue->Bucket[i]; Entry = Entry->Flink) {
            if (KiLeadsInto(KiTimerOf(Entry), Start, Size)) {
                return KiTimerOf(Entry);
            }
        }
    }
    return NULL;
}

PKTIMER KeFindTimerOf(const void *Start, SIZE_T Size, const void **Routine)
{
    PKTIMER Found = NULL;
    for (ULONG i = 0; i < KeNumberProcessors && Found == NULL; i++) {
        KTIMER_QUEUE *Queue = &KiProcessorBlock[i]->Timers;
        KIRQL Irql = KeAcquireLock(&Queue->Lock);
        Found = KiFindInQueue(Queue, (ULONG_PTR)Start, Size);
        *Routine = Found != NULL && Found->Dpc != NULL ? (PVOID)Found->Dpc->DeferredRoutine : NULL;
        KeReleaseLock(&Queue->Lock, Irql);
    }
    return Found;
}

void KiRequeueTimer(PKTIMER Timer, ULONG64 Due)
{
    KiInsertTimer(&KiProcessorBlock[Timer->Processor]->Timers, Timer, Due);
}

/* The first end of a window in a bucket, if that is before Earliest. A timer that is due later than the end
   found so far cannot have an earlier one; those that are due before will expire together with it. */
static ULONG64 KiEarliestEnd(PLIST_ENTRY Bucket, ULONG64 Earliest)
{
    for (PLIST_ENTRY Entry = Bucket->Flink; Entry != Bucket; Entry = Entry->Flink) {
        PKTIMER Timer = KiTimerOf(Entry);
        if (Timer->DueTime.QuadPart >= Earliest) {
            break;
        }
        ULONG64 End = KiWindowEnd(Timer);
        Earliest = End < Earliest ? End : Earliest;
    }
    return Earliest;
}

static void KiFindNextDue(KTIMER_QUEUE *Queue)
{
    Queue->FirstDue = Queue->NextDue = UINT64_MAX;
    for (ULONG64 Left = Queue->Occupied; Left != 0; Left &= Left - 1) {
        PLIST_ENTRY Bucket = &Queue->Bucket[RtlLowestBit(Left)];
        ULONG64 Due = KiTimerOf(Bucket->Flink)->DueTime.QuadPart;
        Queue->FirstDue = Due < Queue->FirstDue ? Due : Queue->FirstDue;
        Queue->NextDue = KiEarliestEnd(Bucket, Queue->NextDue);
    }
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
            Chain = KiTimerExpired(Timer, Now, Chain);
        }
    }
    KiFindNextDue(Queue);
    KeReleaseLockFromDpc(&Queue->Lock);
    KiReadyChain(Chain);
}
