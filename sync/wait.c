/* SPDX-License-Identifier: MIT */
/*
 * Waiting. The protocol stands in sync.h; here are the two sides of it: KiReleaseWaiters for signallers, and
 * the waits for one object, any of several, all of several, or only for time. There is no global dispatcher
 * lock.
 */
#include "sync/sync.h"

/* ---- Signallers ---- */

PKTHREAD KiReleaseWaiters(PDISPATCHER_HEADER Header, KPRIORITY Increment, PKTHREAD Chain)
{
    PLIST_ENTRY Entry = Header->WaitListHead.Flink;
    while (Entry != &Header->WaitListHead && Header->SignalState > 0) {
        PKWAIT_BLOCK Block = CONTAINING_RECORD(Entry, KWAIT_BLOCK, WaitListEntry);
        PKTHREAD Thread = Block->Thread;
        bool Committed;
        Entry = Entry->Flink;
        if (Block->WaitType == WaitAll) {
            if (!KiClaimWait(Thread, WaitHint, 0, &Committed)) {
                continue;
            }
        } else {
            if (!KiClaimWait(Thread, WaitSatisfied, Block->WaitKey, &Committed)) {
                continue; /* it has another end already; its block goes when it comes by */
            }
            RemoveEntryList(&Block->WaitListEntry);
            Block->BlockState = BLOCK_UNLINKED;
            KiConsumeSignal(Header);
        }
        if (Committed) {
            Chain = KiChainThread(Chain, Thread, Increment);
        }
    }
    return Chain;
}

void KeSignalObject(PDISPATCHER_HEADER Header, KPRIORITY Increment)
{
    KIRQL Irql = KiAcquireObject(Header);
    Header->SignalState = 1;
    KiFinishSignal(Header, KiReleaseWaiters(Header, Increment, NULL), Irql, FALSE);
}

void KeInterruptThread(PKTHREAD Thread)
{
    KIRQL Irql = KiRaiseToDispatch();
    bool Committed;
    __atomic_or_fetch(&Thread->UserWork, KUSER_WORK_INTERRUPT, __ATOMIC_SEQ_CST);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (KiClaimWait(Thread, WaitAlerted, 0, &Committed) && Committed) {
        KiReady(Thread, IO_NO_INCREMENT);
    }
    ULONG Processor = Thread->Processor; /* when it moves meanwhile, it passes the test before user mode on its way */
    if (Thread->State == Running && Processor != KeGetCurrentPrcb()->Number) {
        KiRequestIpi(KiProcessorBlock[Processor], KIPI_RESCHEDULE);
    }
    KiLower(Irql);
}

/* ---- Waiters: the parts ---- */

/* Where a wait starts: the level that it restores at its end. */
static KIRQL KiBeginWait(PKTHREAD Thread)
{
    if (Thread->WaitNext) {
        Thread->WaitNext = FALSE;
        return Thread->WaitIrql;
    }
    return KiRaiseToDispatch();
}

__attribute__((noinline, cold)) static void KiMayNotBlock(PKTHREAD Thread, KIRQL Irql)
{
    if (KeGetCurrentPrcb()->DpcActive || Thread == KeGetCurrentPrcb()->IdleThread) {
        KdBugCheck(ATTEMPTED_SWITCH_FROM_DPC, (ULONG64)Thread, Irql, 0, 0, NULL, "a DPC or the idle thread waits");
    }
    KdBugCheck(IRQL_NOT_LESS_OR_EQUAL, (ULONG64)Thread, Irql, APC_LEVEL, 0, NULL,
               "thread %p waits at level %d with a time-out that is not zero", Thread, Irql);
}

/* The idle thread, and every DPC, is at DISPATCH_LEVEL: one comparison finds all three. */
static inline void KiCheckMayBlock(PKTHREAD Thread, KIRQL Irql)
{
    if (Irql > APC_LEVEL) {
        KiMayNotBlock(Thread, Irql);
    }
}

/* A new wait, Preparing. Returns the word. What may break it off: a thread's end every wait in UserMode, an
   interruption only an alertable one; an alertable one in KernelMode both; nothing while APCs are disabled.
   */
static inline ULONG64 KiPrepareWait(PKTHREAD Thread, KWAIT_REASON Reason, KPROCESSOR_MODE Mode, BOOLEAN Alertable)
{
    ULONG64 Word = (Thread->WaitWord & ~(WAIT_SEQUENCE - 1)) + WAIT_SEQUENCE + WaitPreparing;
    if ((Mode == UserMode || Alertable) && Thread->ApcDisable == 0) {
        Word |= (KUSER_WORK_TERMINATE | (Alertable ? KUSER_WORK_INTERRUPT : 0)) << WAIT_BREAK_SHIFT;
    }
    Thread->WaitReason = (UCHAR)Reason;
    __atomic_store_n(&Thread->WaitWord, Word, __ATOMIC_SEQ_CST);
    return Word;
}

/* Preparing -> State, by the waiter; false when somebody else was first. */
static bool KiMoveOwnWait(PKTHREAD Thread, WAIT_STATE State, ULONG64 Key)
{
    ULONG64 Word = Thread->WaitWord;
    if ((Word & WAIT_STATE_MASK) != WaitPreparing) {
        return false;
    }
    ULONG64 New = (Word & ~WAIT_STATE_MASK) | Key << WAIT_KEY_SHIFT | State;
    return __atomic_compare_exchange_n(&Thread->WaitWord, &Word, New, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

/* Word: Preparing, as it was written. */
static inline bool KiCommitWait(PKTHREAD Thread, ULONG64 Word)
{
    Thread->State = Waiting; /* before anybody can ready it */
    if (__atomic_compare_exchange_n(&Thread->WaitWord, &Word, Word - WaitPreparing + WaitCommitted, false,
                                    __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
        return true;
    }
    Thread->State = Running;
    return false;
}

/* Block->Thread is set: once for the thread's own blocks, for an array by the caller. */
static void KiLinkBlock(PKWAIT_BLOCK Block, PDISPATCHER_HEADER Header, WAIT_TYPE Type, ULONG Key)
{
    C_ASSERT(FIELD_OFFSET(KWAIT_BLOCK, WaitKey) == FIELD_OFFSET(KWAIT_BLOCK, WaitType) + 2);
    *(ULONG *)&Block->WaitType = Type | BLOCK_LINKED << 8 | Key << 16; /* WaitType, BlockState, WaitKey in one store */
    Block->Object = Header;
    InsertTailList(&Header->WaitListHead, &Block->WaitListEntry);
}

/* The block comes off its list. Slept: the waiter was readied, so that a signaller who has unlinked its block
   has also let go of the object; otherwise the lock is taken in any case. */
static void KiUnlinkLocked(PKWAIT_BLOCK Block)
{
    PDISPATCHER_HEADER Header = Block->Object;
    KiLockObject(Header);
    if (Block->BlockState == BLOCK_LINKED) {
        RemoveEntryList(&Block->WaitListEntry);
        Block->BlockState = BLOCK_UNLINKED;
    }
    KiUnlockObject(Header);
}

static inline void KiUnlinkBlock(PKWAIT_BLOCK Block, bool Slept)
{
    if (Block->BlockState == BLOCK_LINKED || !Slept) {
        KiUnlinkLocked(Block);
    }
}

static inline bool KiIsPoll(const LARGE_INTEGER *Timeout)
{
    return Timeout != NULL && Timeout->QuadPart == 0;
}

#define WAIT_FOREVER UINT64_MAX

/* The wait has been committed. Due: interrupt time. */
__attribute__((noinline)) static void KiBlockUntil(PKTHREAD Thread, ULONG64 Due)
{
    if (Due == WAIT_FOREVER) {
        KiBlock();
        return;
    }
    KiTakeTimer(&Thread->WaitTimer);
    KiQueueTimer(&Thread->WaitTimer, Due);
    KiBlock();
    KeCancelTimer(&Thread->WaitTimer); /* even one that has gone: its expiry, which names this thread, is over then */
}

/* Commits the wait and blocks; false when it has ended before. */
static inline bool KiSleep(PKTHREAD Thread, ULONG64 Word, const LARGE_INTEGER *Timeout)
{
    if (KiIsInterrupted(Thread, Word)) { /* after Preparing is visible: who has a reason later breaks the wait */
        KiMoveOwnWait(Thread, WaitAlerted, 0);
        return false;
    }
    if (!KiCommitWait(Thread, Word)) {
        return false;
    }
    if (Timeout == NULL) {
        KiBlock();
    } else {
        KiBlockUntil(Thread, KiDueTime(Timeout->QuadPart));
    }
    return true;
}

static NTSTATUS KiWaitResult(PKTHREAD Thread)
{
    ULONG64 Word = Thread->WaitWord;
    ULONG64 State = Word & WAIT_STATE_MASK;
    if (State == WaitSatisfied) {
        return STATUS_WAIT_0 + (NTSTATUS)((Word >> WAIT_KEY_SHIFT) & 0xff);
    } else if (State == WaitTimedOut) {
        return STATUS_TIMEOUT;
    } else {
        return (Thread->UserWork & KUSER_WORK_TERMINATE) ? STATUS_USER_APC : STATUS_ALERTED;
    }
}

/* ---- One object ---- */

/* Waits until the object is signalled, and takes the signal where its kind is taken. Timeout: NULL for ever,
   0 only look, negative from now, positive a system time (100 ns). STATUS_SUCCESS, STATUS_TIMEOUT; with
   WaitMode UserMode or Alertable also STATUS_USER_APC (the thread is to end), with Alertable STATUS_ALERTED.
   <= APC_LEVEL; a zero time-out <= DISPATCH_LEVEL. (WDK page of the name) */
NTSTATUS KeWaitForSingleObject(PVOID Object, KWAIT_REASON WaitReason, KPROCESSOR_MODE WaitMode, BOOLEAN Alertable,
                               PLARGE_INTEGER Timeout)
{
    PDISPATCHER_HEADER Header = Object;
    PKTHREAD Thread = ArchCurrentThread();
    PKWAIT_BLOCK Block = &Thread->WaitBlock[0];
    KIRQL Irql = KiBeginWait(Thread);

    KiLockObject(Header);
    bool Signalled = Header->SignalState > 0;
    if (Signalled || KiIsPoll(Timeout)) {
        if (Signalled) {
            KiConsumeSignal(Header);
        }
        KiUnlockObject(Header);
        KiLower(Irql);
        return Signalled ? STATUS_SUCCESS : STATUS_TIMEOUT;
    }
    KiCheckMayBlock(Thread, Irql);
    ULONG64 Word = KiPrepareWait(Thread, WaitReason, WaitMode, Alertable);
    KiLinkBlock(Block, Header, WaitAny, 0);
    KiUnlockObject(Header);

    bool Slept = KiSleep(Thread, Word, Timeout);
    NTSTATUS Status = STATUS_SUCCESS;
    if (!Slept || Thread->WaitWord != Word - WaitPreparing + WaitSatisfied) { /* else the signaller has unlinked the block */
        KiUnlinkBlock(Block, Slept);
        Status = KiWaitResult(Thread);
    }
    KiLower(Irql);
    return Status;
}
EXPORT(KeWaitForSingleObject);

/* ---- Any of several ---- */

/* Registers with the objects in order, until one is signalled (its signal is taken) or the wait has ended
   otherwise. Returns how many blocks were linked. */
static ULONG KiRegisterAny(PKTHREAD Thread, ULONG Count, PVOID Object[], PKWAIT_BLOCK Blocks)
{
    for (ULONG i = 0; i < Count; i++) {
        PDISPATCHER_HEADER Header = Object[i];
        KiLockObject(Header);
        if (Header->SignalState > 0) {
            if (KiMoveOwnWait(Thread, WaitSatisfied, i)) {
                KiConsumeSignal(Header);
            }
            KiUnlockObject(Header);
            return i;
        }
        Blocks[i].Thread = Thread;
        KiLinkBlock(&Blocks[i], Header, WaitAny, i);
        KiUnlockObject(Header);
    }
    return Count;
}

static NTSTATUS KiWaitForAny(PKTHREAD Thread, ULONG64 Word, ULONG Count, PVOID Object[], const LARGE_INTEGER *Timeout,
                             PKWAIT_BLOCK Blocks)
{
    bool Slept = false;
    ULONG Linked = KiRegisterAny(Thread, Count, Object, Blocks);
    if (Linked == Count && KiIsPoll(Timeout)) {
        KiMoveOwnWait(Thread, WaitTimedOut, 0);
    } else if (Linked == Count) {
        Slept = KiSleep(Thread, Word, Timeout);
    }
    for (ULONG i = 0; i < Linked; i++) {
        KiUnlinkBlock(&Blocks[i], Slept);
    }
    return KiWaitResult(Thread);
}

/* ---- All of several ---- */

typedef struct _WAIT_ALL {
    ULONG Count;                                     /* distinct objects */
    ULONG Linked;                                    /* 0 or Count: blocks on their lists */
    PDISPATCHER_HEADER Object[MAXIMUM_WAIT_OBJECTS]; /* in address order */
} WAIT_ALL;

/* Insertion sort by address; an object that is named twice counts once. */
static void KiSortObjects(WAIT_ALL *All, ULONG Count, PVOID Object[])
{
    All->Count = All->Linked = 0;
    for (ULONG i = 0; i < Count; i++) {
        PDISPATCHER_HEADER Header = Object[i];
        ULONG At = All->Count;
        while (At > 0 && All->Object[At - 1] > Header) {
            At--;
        }
        if (At > 0 && All->Object[At - 1] == Header) {
            continue;
        }
        for (ULONG j = All->Count; j > At; j--) {
            All->Object[j] = All->Object[j - 1];
        }
        All->Object[At] = Header;
        All->Count++;
    }
}

static void KiLockAll(const WAIT_ALL *All)
{
    for (ULONG i = 0; i < All->Count; i++) {
        KiLockObject(All->Object[i]);
    }
}

static void KiUnlockAll(const WAIT_ALL *All)
{
    for (ULONG i = All->Count; i > 0; i--) {
        KiUnlockObject(All->Object[i - 1]);
    }
}

static bool KiAllSignalled(const WAIT_ALL *All)
{
    for (ULONG i = 0; i < All->Count; i++) {
        if (All->Object[i]->SignalState <= 0) {
            return false;
        }
    }
    return true;
}

/* One look at all objects, locked together: takes all or none. When they are not all signalled, the wait
   moves to Otherwise; true when that was WaitCommitted, and has been done. */
static bool KiTryAll(PKTHREAD Thread, ULONG64 Word, WAIT_ALL *All, PKWAIT_BLOCK Blocks, WAIT_STATE Otherwise)
{
    bool Committed = false;
    KiLockAll(All);
    if (KiAllSignalled(All)) {
        if (KiMoveOwnWait(Thread, WaitSatisfied, 0)) {
            for (ULONG i = 0; i < All->Count; i++) {
                KiConsumeSignal(All->Object[i]);
            }
        }
    } else if (Otherwise != WaitCommitted) {
        KiMoveOwnWait(Thread, Otherwise, 0);
    } else {
        for (; All->Linked < All->Count; All->Linked++) {
            Blocks[All->Linked].Thread = Thread;
            KiLinkBlock(&Blocks[All->Linked], All->Object[All->Linked], WaitAll, All->Linked);
        }
        Committed = KiCommitWait(Thread, Word); /* a signal from here on finds a committed waiter */
    }
    KiUnlockAll(All);
    return Committed;
}

static NTSTATUS KiWaitForAll(PKTHREAD Thread, ULONG64 Word, ULONG Count, PVOID Object[], const LARGE_INTEGER *Timeout,
                             PKWAIT_BLOCK Blocks)
{
    ULONG64 Due = Timeout == NULL ? WAIT_FOREVER : KiDueTime(Timeout->QuadPart); /* 0 for a look only */
    WAIT_ALL All;
    KiSortObjects(&All, Count, Object);
    for (;;) {
        WAIT_STATE Otherwise = Due <= KeQueryInterruptTime()     ? WaitTimedOut
                               : KiIsInterrupted(Thread, Word) ? WaitAlerted
                                                               : WaitCommitted;
        if (KiTryAll(Thread, Word, &All, Blocks, Otherwise)) {
            KiBlockUntil(Thread, Due);
        }
        if ((Thread->WaitWord & WAIT_STATE_MASK) != WaitHint) {
            break;
        }
        /* A hint: look again. Nobody else moves the word out of Hint; who came meanwhile, time or
           interruption, is seen above. */
        __atomic_store_n(&Thread->WaitWord, Word, __ATOMIC_SEQ_CST);
    }
    for (ULONG i = 0; i < All.Linked; i++) {
        KiUnlinkBlock(&Blocks[i], false);
    }
    return KiWaitResult(Thread);
}

/* Waits for any or all of up to 64 objects. WaitAny: STATUS_WAIT_0 + the index; WaitAll: STATUS_SUCCESS, and
   no object is taken until all can be. More than THREAD_WAIT_OBJECTS need a block array; bug check
   MAXIMUM_WAIT_OBJECTS_EXCEEDED otherwise. Time-outs, modes, levels: KeWaitForSingleObject. (WDK page of the
   name) */
NTSTATUS KeWaitForMultipleObjects(ULONG Count, PVOID Object[], WAIT_TYPE WaitType, KWAIT_REASON WaitReason,
                                  KPROCESSOR_MODE WaitMode, BOOLEAN Alertable, PLARGE_INTEGER Timeout,
                                  PKWAIT_BLOCK WaitBlockArray)
{
    PKTHREAD Thread = ArchCurrentThread();
    PKWAIT_BLOCK Blocks = WaitBlockArray != NULL ? WaitBlockArray : Thread->WaitBlock;
    if (Count > MAXIMUM_WAIT_OBJECTS || (WaitBlockArray == NULL && Count > THREAD_WAIT_OBJECTS)) {
        KdBugCheck(MAXIMUM_WAIT_OBJECTS_EXCEEDED, Count, 0, 0, 0, NULL, "a wait for %u objects", Count);
    }
    KIRQL Irql = KiBeginWait(Thread);
    if (!KiIsPoll(Timeout)) {
        KiCheckMayBlock(Thread, Irql);
    }
    ULONG64 Word = KiPrepareWait(Thread, WaitReason, WaitMode, Alertable);
    NTSTATUS Status = WaitType == WaitAny ? KiWaitForAny(Thread, Word, Count, Object, Timeout, Blocks)
                                          : KiWaitForAll(Thread, Word, Count, Object, Timeout, Blocks);
    KiLower(Irql);
    return Status;
}
EXPORT(KeWaitForMultipleObjects);

/* ---- Time only ---- */

/* Sleeps until the time (as a wait's time-out). STATUS_SUCCESS when it has come; zero gives way to others
   once. <= APC_LEVEL. (WDK page of the name) */
NTSTATUS KeDelayExecutionThread(KPROCESSOR_MODE WaitMode, BOOLEAN Alertable, PLARGE_INTEGER Interval)
{
    if (Interval->QuadPart == 0) {
        KeYieldExecution();
        return STATUS_SUCCESS;
    }
    NTSTATUS Status = KeWaitForMultipleObjects(0, NULL, WaitAny, DelayExecution, WaitMode, Alertable, Interval, NULL);
    return Status == STATUS_TIMEOUT ? STATUS_SUCCESS : Status;
}
EXPORT(KeDelayExecutionThread);
