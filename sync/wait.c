/* SPDX-License-Identifier: MIT */
/*
 * Waiting. The protocol stands in kernel/ke/waitword.h; here are the two sides of it: KiReleaseWaiters for
 * signallers, and the waits for one object, any of several, all of several, or only for time. There is no
 * global dispatcher lock.
 *
 * A wait that a kernel APC has broken off starts anew when the APC has run, with the deadline that it had:
 * nobody notices, except that its place in the objects' queues is the last one then, and that a pulse
 * meanwhile has missed it.
 */
#include "sync/held.h"
#include "sync/sync.h"

/* ---- Signallers ---- */

/* The waiter that was claimed with End has got the signal. Object locked. */
static inline void KiGiveSignal(PDISPATCHER_HEADER Header, PKTHREAD Thread)
{
    if (Header->Type == MutantObject) {
        KiConsumeMutant(KiMutantOf(Header), Thread);
    } else {
        KiConsumePlain(Header);
    }
}

static inline ULONG64 KiSignalEnd(PDISPATCHER_HEADER Header, PKTHREAD Thread, ULONG Key)
{
    return Header->Type == MutantObject ? KiMutantEnd(KiMutantOf(Header), Thread, Key)
                                        : KiWaitEnd(WaitSatisfied, Key);
}

PKTHREAD KiReleaseWaiters(PDISPATCHER_HEADER Header, KPRIORITY Increment, PKTHREAD Chain)
{
    PLIST_ENTRY Entry = Header->WaitListHead.Flink;
    KI_ASSERT_OBJECT_LOCKED(Header);
    while (Entry != &Header->WaitListHead && Header->SignalState > 0) {
        PKWAIT_BLOCK Block = CONTAINING_RECORD(Entry, KWAIT_BLOCK, WaitListEntry);
        PKTHREAD Thread = Block->Thread;
        bool Committed = false, All = Block->WaitType == WaitAll;
        Entry = Entry->Flink;
        KdPoint(PrimerPointSignalFound, Thread);
        bool Claimed =
            All ? KiClaimWait(Thread, WaitHint, &Committed)                                     /* @hint */
                : KiClaimWait(Thread, KiSignalEnd(Header, Thread, Block->WaitKey), &Committed); /* @signal */
        if (Claimed && !All) { /* otherwise the waiter takes its block off itself */
            RemoveEntryList(&Block->WaitListEntry);
            Block->BlockState = BLOCK_UNLINKED;
            KiGiveSignal(Header, Thread);
        }
        KdPoint(PrimerPointSignalClaimed, Thread);
        if (Claimed && Committed) {
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

/* ---- Waiters: the parts ---- */

#define WAIT_FOREVER UINT64_MAX

/* What is waited for, and how: for every way but the first attempt at a single object. */
typedef struct _KI_WAIT {
    ULONG Count;
    PVOID *Object;
    PKWAIT_BLOCK Blocks;
    UCHAR Type, Reason;
    KPROCESSOR_MODE Mode;
    BOOLEAN Alertable;
    ULONG64 Due; /* interrupt time; 0: only look, WAIT_FOREVER */
} KI_WAIT;

static inline bool KiIsPoll(const LARGE_INTEGER *Timeout)
{
    return Timeout != NULL && Timeout->QuadPart == 0;
}

static inline ULONG64 KiWaitDue(const LARGE_INTEGER *Timeout)
{
    return Timeout == NULL ? WAIT_FOREVER : KiDueTime(Timeout->QuadPart);
}

/* Where a wait starts: the level that it restores at its end. */
static inline KIRQL KiBeginWait(PKTHREAD Thread)
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
        KdBugCheck(ATTEMPTED_SWITCH_FROM_DPC, (ULONG64)Thread, Irql, 0, 0, NULL,
                   "a DPC or the idle thread waits");
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

/* A new wait, Preparing. Returns the word. */
static inline ULONG64 KiPrepareWait(PKTHREAD Thread, KIRQL Irql, KWAIT_REASON Reason, KPROCESSOR_MODE Mode,
                                    BOOLEAN Alertable)
{
    ULONG64 Word = KiNextWait(Thread->WaitWord);
    KI_ASSERT((Thread->WaitWord & WAIT_UNDER_WAY) == 0, "thread %p waits inside a wait, word %llx", Thread,
              Thread->WaitWord);
    Thread->WaitReason = (UCHAR)Reason;
    Thread->WaitMode = Mode;
    Thread->WaitAlertable = Alertable;
    Thread->WaitIrql = Irql;
    __atomic_store_n(&Thread->WaitWord, Word, __ATOMIC_SEQ_CST); /* @announce */
    return Word;
}

/* Preparing -> End, by the waiter; false when somebody else was first. */
static bool KiMoveOwnWait(PKTHREAD Thread, ULONG64 End)
{
    ULONG64 Word = Thread->WaitWord;
    if (KiWaitState(Word) != WaitPreparing) {
        return false;
    }
    /* @exchange */
    return __atomic_compare_exchange_n(&Thread->WaitWord, &Word, KiWithEnd(Word, End), false,
                                       __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

/* The waiter has found the object signalled, and takes the signal if its wait has not ended otherwise. Object
   locked. */
static void KiTakeOwnSignal(PKTHREAD Thread, PDISPATCHER_HEADER Header, ULONG Key)
{
    ULONG64 End = KiSignalEnd(Header, Thread, Key);
    if (KiMoveOwnWait(Thread, End) && KiWaitState(End) != WaitRefused) {
        KiGiveSignal(Header, Thread);
    }
}

/* Word: Preparing, as it was written. State is Waiting before anybody can ready the thread. If the commit
   fails, the thread runs on; an APC that was queued while it seemed to wait is noticed here. */
static inline bool KiCommitWait(PKTHREAD Thread, ULONG64 Word)
{
    Thread->State = Waiting;
    /* @exchange */
    if (__atomic_compare_exchange_n(&Thread->WaitWord, &Word, KiWithEnd(Word, WaitCommitted), false,
                                    __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
        return true;
    }
    __atomic_store_n(&Thread->State, Running, __ATOMIC_SEQ_CST);
    KiNoteKernelApcs(Thread);
    return false;
}

/* Block->Thread is set: once for the thread's own blocks, for an array by the caller. Object locked. */
static inline void KiLinkBlock(PKWAIT_BLOCK Block, PDISPATCHER_HEADER Header, WAIT_TYPE Type, ULONG Key)
{
    KI_ASSERT_OBJECT_LOCKED(Header);
    Block->WaitType = (UCHAR)Type;
    Block->BlockState = BLOCK_LINKED; /* @link */
    Block->WaitKey = (USHORT)Key;
    Block->Object = Header;
    InsertTailList(&Header->WaitListHead, &Block->WaitListEntry);
}

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

/* The block comes off its list. Slept: the waiter was readied, so that a signaller who has unlinked its block
   has also let go of the object; otherwise the lock is taken in any case. */
static inline void KiUnlinkBlock(PKWAIT_BLOCK Block, bool Slept)
{
    /* @look */
    if (!Slept || __atomic_load_n(&Block->BlockState, __ATOMIC_RELAXED) == BLOCK_LINKED) {
        KiUnlinkLocked(Block);
    }
}

/* The wait has been committed. */
__attribute__((noinline)) static void KiBlockUntil(PKTHREAD Thread, ULONG64 Due)
{
    KiTakeTimer(&Thread->WaitTimer);
    KiQueueTimer(&Thread->WaitTimer, Due);
    KiBlockThread(Thread);
    KdPoint(PrimerPointWaitWoken, Thread);
    KeCancelTimer(&Thread->WaitTimer); /* even one that has gone: its expiry, which names this thread, is over then */
}

/* The wait has been committed. */
static inline void KiBlockFor(PKTHREAD Thread, ULONG64 Due)
{
    if (Due == WAIT_FOREVER) {
        KiBlockThread(Thread);
        KdPoint(PrimerPointWaitWoken, Thread);
    } else {
        KiBlockUntil(Thread, Due);
    }
}

__attribute__((cold, noinline)) static void KiBlockTraced(PKTHREAD Thread, ULONG64 Due, PVOID Object)
{
    KdTrace(WaitBegin, Thread->WaitReason, Object, Due);
    KiBlockFor(Thread, Due);
    KdTrace(WaitEnd, KiWaitState(Thread->WaitWord), KiWaitKey(Thread->WaitWord), 0);
}

/* Blocks, the wait being committed. *First: for the trace, what is waited for, or the first of several; NULL:
   only time. */
static inline void KiBlockCommitted(PKTHREAD Thread, ULONG64 Due, const PVOID *First)
{
    KdPoint(PrimerPointWaitCommitted, Thread);
    if (KdTraces(WaitBegin)) {
        KiBlockTraced(Thread, Due, *First);
    } else {
        KiBlockFor(Thread, Due);
    }
}

/* Commits the wait and blocks; false when it has ended before. */
static inline bool KiCommitAndBlock(PKTHREAD Thread, ULONG64 Word, ULONG64 Due, const PVOID *First)
{
    KdPoint(PrimerPointWaitLooked, Thread);
    if (!KiCommitWait(Thread, Word)) {
        return false;
    }
    KiBlockCommitted(Thread, Due, First);
    return true;
}

/* The same after a look whether the wait is to be broken off. Whoever has a reason for that after the look
   sees Preparing, and breaks it off. */
static inline bool KiSleep(PKTHREAD Thread, ULONG64 Word, ULONG64 Due, const PVOID *First)
{
    KdPoint(PrimerPointWaitPrepared, Thread);
    if (KiIsInterrupted(Thread)) { /* @look */
        KiMoveOwnWait(Thread, WaitBroken);
        return false;
    }
    return KiCommitAndBlock(Thread, Word, Due, First);
}

/* ---- The end of a wait ---- */

static inline ULONG KiLowestBit(ULONG Bits)
{
    return Bits & -Bits;
}

/* Why the wait was broken off. STATUS_KERNEL_APC: it begins anew, after the kernel APC, or because the reason
   has gone (an APC was taken back) or was none (KiWaitAnew). An alert, or an interruption, ends one wait. */
__attribute__((noinline)) static NTSTATUS KiBreakStatus(PKTHREAD Thread)
{
    const ULONG Alerts = KUSER_WORK_INTERRUPT | KUSER_WORK_ALERT_KERNEL | KUSER_WORK_ALERT_USER;
    ULONG Reasons = KiWaitBreaks(Thread) & __atomic_load_n(&Thread->UserWork, __ATOMIC_ACQUIRE);

    KiNoteKernelApcs(Thread); /* whatever ends the wait: whoever queued one has left it to the waiter to notice */
    if (Reasons & KUSER_WORK_TERMINATE) {
        return STATUS_USER_APC;
    }
    if (Reasons & KUSER_WORK_KERNEL_APC) {
        return STATUS_KERNEL_APC;
    }
    if (Reasons & Alerts) {
        __atomic_fetch_and(&Thread->UserWork, ~KiLowestBit(Reasons & Alerts), __ATOMIC_SEQ_CST);
        return STATUS_ALERTED;
    }
    if (Reasons & KUSER_WORK_USER_APC) {
        if (Thread->WaitMode != KernelMode) {
            __atomic_fetch_or(&Thread->UserWork, KUSER_WORK_DELIVER, __ATOMIC_SEQ_CST);
        }
        return STATUS_USER_APC;
    }
    return STATUS_KERNEL_APC;
}

/* The wait has ended, its blocks are off all lists. Object: those that it was for. */
static NTSTATUS KiWaitResult(PKTHREAD Thread, PVOID Object[])
{
    ULONG64 Word = Thread->WaitWord;
    ULONG Key = KiWaitKey(Word);
    switch (KiWaitState(Word)) {
    case WaitOwned:
        KI_ASSERT(Object != NULL, "a wait for no object has made thread %p an owner", Thread);
        KiEnterMutant(Thread, Object[Key & ~WAIT_ABANDONED]);
        return STATUS_WAIT_0 + (NTSTATUS)Key;
    case WaitSatisfied:
        return STATUS_WAIT_0 + (NTSTATUS)Key;
    case WaitTimedOut:
        return STATUS_TIMEOUT;
    case WaitRefused:
        return STATUS_MUTANT_LIMIT_EXCEEDED;
    default:
        return KiBreakStatus(Thread);
    }
}

/* ---- Any of several ---- */

/* Registers with the objects in order, until one is signalled (its signal is taken) or the wait has ended
   otherwise. Returns how many blocks were linked. */
static ULONG KiRegisterAny(PKTHREAD Thread, const KI_WAIT *Wait)
{
    for (ULONG i = 0; i < Wait->Count; i++) {
        PDISPATCHER_HEADER Header = Wait->Object[i];
        KiLockObject(Header);
        if (KiIsSignalled(Header, Thread)) {
            KiTakeOwnSignal(Thread, Header, i); /* @take */
            KiUnlockObject(Header);
            return i;
        }
        Wait->Blocks[i].Thread = Thread;
        KiLinkBlock(&Wait->Blocks[i], Header, WaitAny, i);
        KiUnlockObject(Header);
    }
    return Wait->Count;
}

static NTSTATUS KiWaitForAny(PKTHREAD Thread, ULONG64 Word, const KI_WAIT *Wait)
{
    bool Slept = false;
    ULONG Linked = KiRegisterAny(Thread, Wait);
    if (Linked == Wait->Count && Wait->Due != 0) {
        Slept = KiSleep(Thread, Word, Wait->Due, Linked != 0 ? Wait->Object : &(const PVOID){NULL});
    } else if (Linked == Wait->Count) { /* only a look; but a reason to break off comes before the time-out */
        KiMoveOwnWait(Thread, KiIsInterrupted(Thread) ? WaitBroken : WaitTimedOut);
    }
    for (ULONG i = 0; i < Linked; i++) {
        KiUnlinkBlock(&Wait->Blocks[i], Slept);
    }
    return KiWaitResult(Thread, Wait->Object);
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

static bool KiAllSignalled(PKTHREAD Thread, const WAIT_ALL *All)
{
    for (ULONG i = 0; i < All->Count; i++) {
        if (!KiIsSignalled(All->Object[i], Thread)) {
            return false;
        }
    }
    return true;
}

/* How a wait ends that takes all its objects: refused by one, or with the first abandoned mutant, or neither.
   All are locked. */
static ULONG64 KiAllEnd(PKTHREAD Thread, const KI_WAIT *Wait)
{
    ULONG64 End = WaitSatisfied;
    for (ULONG i = 0; i < Wait->Count; i++) {
        ULONG64 One = KiSignalEnd(Wait->Object[i], Thread, i);
        if (KiWaitState(One) == WaitRefused) {
            return WaitRefused;
        }
        if ((KiWaitKey(One) & WAIT_ABANDONED) && End == WaitSatisfied) {
            End = KiWaitEnd(WaitSatisfied, KiWaitKey(One));
        }
    }
    return End;
}

/* Takes all the objects, or none if the wait has ended otherwise. All are locked and signalled. */
static void KiTakeAll(PKTHREAD Thread, const KI_WAIT *Wait, const WAIT_ALL *All)
{
    ULONG64 End = KiAllEnd(Thread, Wait);
    if (!KiMoveOwnWait(Thread, End) || KiWaitState(End) == WaitRefused) {
        return;
    }
    for (ULONG i = 0; i < All->Count; i++) {
        bool Mutant = All->Object[i]->Type == MutantObject;
        KiGiveSignal(All->Object[i], Thread);
        if (Mutant) {
            KiEnterMutant(Thread, KiMutantOf(All->Object[i]));
        }
    }
}

static void KiLinkAll(PKTHREAD Thread, WAIT_ALL *All, PKWAIT_BLOCK Blocks)
{
    for (; All->Linked < All->Count; All->Linked++) {
        Blocks[All->Linked].Thread = Thread;
        KiLinkBlock(&Blocks[All->Linked], All->Object[All->Linked], WaitAll, All->Linked);
    }
}

/* One look at all objects, locked together: takes all or none. When they are not all signalled, the wait
   moves to Otherwise; true when that was WaitCommitted, and has been done: a signal from then on finds a
   committed waiter. */
static bool KiTryAll(PKTHREAD Thread, ULONG64 Word, const KI_WAIT *Wait, WAIT_ALL *All, WAIT_STATE Otherwise)
{
    bool Committed = false;
    KiLockAll(All);
    if (KiAllSignalled(Thread, All)) {
        KiTakeAll(Thread, Wait, All); /* @take */
    } else if (Otherwise != WaitCommitted) {
        KiMoveOwnWait(Thread, Otherwise);
    } else {
        KiLinkAll(Thread, All, Wait->Blocks);
        KdPoint(PrimerPointWaitLooked, Thread);
        Committed = KiCommitWait(Thread, Word); /* @commit */
    }
    KiUnlockAll(All);
    return Committed;
}

static NTSTATUS KiWaitForAll(PKTHREAD Thread, ULONG64 Word, const KI_WAIT *Wait)
{
    WAIT_ALL All;
    KiSortObjects(&All, Wait->Count, Wait->Object);
    for (;;) {
        KdPoint(PrimerPointWaitPrepared, Thread);
        WAIT_STATE Otherwise = KiIsInterrupted(Thread) ? WaitBroken
                               : Wait->Due == 0        ? WaitTimedOut
                                                       : WaitCommitted;
        if (KiTryAll(Thread, Word, Wait, &All, Otherwise)) {
            KiBlockCommitted(Thread, Wait->Due, Wait->Object);
        }
        if (KiWaitState(Thread->WaitWord) != WaitHint) {
            break;
        }
        /* A hint: look again. Nobody else moves the word out of Hint; an interruption that came meanwhile is
           seen above, and a time that has passed by the timer. */
        __atomic_store_n(&Thread->WaitWord, Word, __ATOMIC_SEQ_CST); /* @again */
    }
    for (ULONG i = 0; i < All.Linked; i++) {
        KiUnlinkBlock(&Wait->Blocks[i], false);
    }
    return KiWaitResult(Thread, Wait->Object);
}

/* ---- The waits ---- */

/* A mutant that is owned too often makes the wait raise, when all is as it was before. */
static NTSTATUS KiEndWait(NTSTATUS Status, KIRQL Irql)
{
    KiLower(Irql);
    if (!NT_SUCCESS(Status)) {
        ExRaiseStatus(Status);
    }
    return Status;
}

/* Waits, as often as kernel APCs break the wait off, and lowers the level to Irql. DISPATCH_LEVEL. */
static NTSTATUS KiPerformWait(PKTHREAD Thread, const KI_WAIT *Wait, KIRQL Irql)
{
    for (;;) {
        ULONG64 Word = KiPrepareWait(Thread, Irql, Wait->Reason, Wait->Mode, Wait->Alertable);
        Thread->WaitBlockList = Wait->Blocks;
        Thread->WaitBlockCount = Wait->Count;
        NTSTATUS Status =
            Wait->Type == WaitAny ? KiWaitForAny(Thread, Word, Wait) : KiWaitForAll(Thread, Word, Wait);
        Thread->WaitBlockList = NULL;
        if (Status != STATUS_KERNEL_APC) {
            return KiEndWait(Status, Irql);
        }
        KiLower(Irql); /* the APC runs */
        KiRaiseToDispatch();
    }
}

/* One object, in the general way: with a time-out, or a look in spite of which the thread may have to be told
   something. */
__attribute__((noinline)) static NTSTATUS KiWaitSingle(PKTHREAD Thread, PVOID Object, const KI_WAIT *How,
                                                       KIRQL Irql)
{
    KI_WAIT Wait = *How;
    Wait.Count = 1;
    Wait.Object = &Object;
    Wait.Blocks = Thread->WaitBlock;
    Wait.Type = WaitAny;
    return KiPerformWait(Thread, &Wait, Irql);
}

/* Part of KiFinishSingle. */
static NTSTATUS KiEndSingle(PKTHREAD Thread, PVOID Object, bool Slept)
{
    KIRQL Irql = Thread->WaitIrql;
    KI_WAIT How = {.Reason = Thread->WaitReason,
                   .Mode = Thread->WaitMode,
                   .Alertable = Thread->WaitAlertable,
                   .Due = WAIT_FOREVER};
    KiUnlinkBlock(&Thread->WaitBlock[0], Slept);
    NTSTATUS Status = KiWaitResult(Thread, &Object);
    if (Status != STATUS_KERNEL_APC) {
        return KiEndWait(Status, Irql);
    }
    KiLower(Irql); /* the APC runs */
    KiRaiseToDispatch();
    return KiWaitSingle(Thread, Object, &How, Irql);
}

/* The current thread's wait for one object, without end, has ended otherwise than by a signal that woke
   it. */
__attribute__((noinline)) static NTSTATUS KiFinishSingle(bool Slept)
{
    PKTHREAD Thread = ArchCurrentThread();
    PDISPATCHER_HEADER Header = Thread->WaitBlock[0].Object;
    return KiMutexWaitEnds(Header, KiEndSingle(Thread, Header, Slept));
}

/* Others want something of the thread, which was about to sleep: the wait begins anew, in the way that finds
   out whether that breaks it off. */
__attribute__((noinline)) static NTSTATUS KiWaitAnew(PKTHREAD Thread)
{
    KiMoveOwnWait(Thread, WaitBroken);
    return KiFinishSingle(false);
}

/* KiSleep and the end of the wait, for one object and without end. Over the switch, which saves all
   registers, none is needed here: the current thread is asked for anew. */
static inline NTSTATUS KiSleepSingle(PKTHREAD Thread, ULONG64 Word)
{
    KdPoint(PrimerPointWaitPrepared, Thread);
    if (__builtin_expect(__atomic_load_n(&Thread->UserWork, __ATOMIC_SEQ_CST) != 0, 0)) { /* @look */
        return KiWaitAnew(Thread);
    }
    if (!KiCommitAndBlock(Thread, Word, WAIT_FOREVER, &Thread->WaitBlock[0].Object)) {
        return KiFinishSingle(false);
    }
    Thread = ArchCurrentThread();
    if (KiWaitState(Thread->WaitWord) != WaitSatisfied) {
        return KiFinishSingle(true);
    }
    KiLower(Thread->WaitIrql); /* the signaller has unlinked the block */
    return STATUS_SUCCESS;
}

/* The single object, locked, is a mutant that is free, or the thread's own. Unlocks. */
__attribute__((noinline)) static NTSTATUS KiTakeSingleMutant(PKTHREAD Thread, PKMUTANT Mutant, KIRQL Irql)
{
    ULONG64 End = KiMutantEnd(Mutant, Thread, 0);
    if (KiWaitState(End) != WaitRefused) {
        KiConsumeMutant(Mutant, Thread);
        KiEnterMutant(Thread, Mutant);
    }
    KiUnlockObject(&Mutant->Header);
    return KiEndWait(KiWaitState(End) == WaitRefused ? STATUS_MUTANT_LIMIT_EXCEEDED
                                                     : STATUS_WAIT_0 + (NTSTATUS)KiWaitKey(End),
                     Irql);
}

/* The object was not signalled a moment ago, and there is a time-out. A look may end here; a thread that
   others want something of looks again, in the way that heeds them. */
__attribute__((noinline)) static NTSTATUS KiLookOrWait(PKTHREAD Thread, PVOID Object, KWAIT_REASON Reason,
                                                       KPROCESSOR_MODE Mode, BOOLEAN Alertable,
                                                       LONGLONG Timeout, KIRQL Irql)
{
    KI_WAIT How = {.Reason = (UCHAR)Reason, .Mode = Mode, .Alertable = Alertable, .Due = 0};
    if (Timeout != 0) {
        KiCheckMayBlock(Thread, Irql);
        How.Due = KiDueTime(Timeout);
    } else if (Thread->UserWork == 0) {
        KiLower(Irql);
        return STATUS_TIMEOUT;
    }
    return KiWaitSingle(Thread, Object, &How, Irql);
}

/* Waits until the object is signalled, and takes the signal where its kind is taken. Timeout: NULL for ever,
   0 only look, negative from now, positive a system time (100 ns). STATUS_SUCCESS, STATUS_TIMEOUT;
   STATUS_ABANDONED_WAIT_0: satisfied by a mutant whose last owner has ended. What breaks it off, also when it
   only looks and the object is not signalled (WDK: Waits and APCs): the thread's end, with WaitMode UserMode
   or Alertable (STATUS_USER_APC); an alert (STATUS_ALERTED) and a user APC (STATUS_USER_APC; delivered only
   after a wait in UserMode), with Alertable. All but alerts wait while APCs are disabled. Raises
   STATUS_MUTANT_LIMIT_EXCEEDED. After a signal with Wait TRUE the level returns to what it was before that.
   <= APC_LEVEL; a zero time-out <= DISPATCH_LEVEL. (WDK page of the name) */
NTSTATUS KeWaitForSingleObject(PVOID Object, KWAIT_REASON WaitReason, KPROCESSOR_MODE WaitMode,
                               BOOLEAN Alertable, PLARGE_INTEGER Timeout)
{
    PDISPATCHER_HEADER Header = Object;
    PKTHREAD Thread = ArchCurrentThread();
    KiNoteMutexWait(Header, Timeout);
    KIRQL Irql = KiBeginWait(Thread);

    KiLockObject(Header);
    if (KiIsSignalled(Header, Thread)) {
        if (Header->Type == MutantObject) {
            return KiTakeSingleMutant(Thread, KiMutantOf(Header), Irql);
        }
        KiConsumePlain(Header);
        KiUnlockObject(Header);
        KiLower(Irql);
        return STATUS_SUCCESS;
    }
    if (Timeout != NULL) {
        KiUnlockObject(Header);
        return KiLookOrWait(Thread, Object, WaitReason, WaitMode, Alertable, Timeout->QuadPart, Irql);
    }
    KiCheckMayBlock(Thread, Irql);
    ULONG64 Word = KiPrepareWait(Thread, Irql, WaitReason, WaitMode, Alertable);
    KiLinkBlock(&Thread->WaitBlock[0], Header, WaitAny, 0);
    KiUnlockObject(Header);
    return KiSleepSingle(Thread, Word);
}
EXPORT(KeWaitForSingleObject);

/* Waits for any or all of up to 64 objects. WaitAny: STATUS_WAIT_0 + the index, the lowest that is signalled;
   WaitAll: STATUS_SUCCESS, and no object is taken until all can be. With an abandoned mutant (WaitAll: the
   first) STATUS_ABANDONED_WAIT_0 + its index. More than THREAD_WAIT_OBJECTS need a block array; bug check
   MAXIMUM_WAIT_OBJECTS_EXCEEDED otherwise. Time-outs, modes, levels: KeWaitForSingleObject. (WDK page of the
   name) */
NTSTATUS KeWaitForMultipleObjects(ULONG Count, PVOID Object[], WAIT_TYPE WaitType, KWAIT_REASON WaitReason,
                                  KPROCESSOR_MODE WaitMode, BOOLEAN Alertable, PLARGE_INTEGER Timeout,
                                  PKWAIT_BLOCK WaitBlockArray)
{
    PKTHREAD Thread = ArchCurrentThread();
    KI_WAIT Wait = {Count,     Object, WaitBlockArray, (UCHAR)WaitType, (UCHAR)WaitReason, WaitMode,
                    Alertable, 0};
    if (Count > MAXIMUM_WAIT_OBJECTS || (WaitBlockArray == NULL && Count > THREAD_WAIT_OBJECTS)) {
        KdBugCheck(MAXIMUM_WAIT_OBJECTS_EXCEEDED, Count, 0, 0, 0, NULL, "a wait for %u objects", Count);
    }
    if (WaitBlockArray == NULL) {
        Wait.Blocks = Thread->WaitBlock;
    }
    KIRQL Irql = KiBeginWait(Thread);
    if (!KiIsPoll(Timeout)) {
        KiCheckMayBlock(Thread, Irql);
        Wait.Due = KiWaitDue(Timeout);
    }
    return KiPerformWait(Thread, &Wait, Irql);
}
EXPORT(KeWaitForMultipleObjects);

/* Sleeps until the time (as a wait's time-out); what breaks off a wait breaks this. STATUS_SUCCESS when the
   time has come; zero gives way to others once. <= APC_LEVEL. (WDK page of the name) */
NTSTATUS KeDelayExecutionThread(KPROCESSOR_MODE WaitMode, BOOLEAN Alertable, PLARGE_INTEGER Interval)
{
    NTSTATUS Status =
        KeWaitForMultipleObjects(0, NULL, WaitAny, DelayExecution, WaitMode, Alertable, Interval, NULL);
    if (Status != STATUS_TIMEOUT) {
        return Status;
    }
    if (Interval->QuadPart == 0) {
        KeYieldExecution();
    }
    return STATUS_SUCCESS;
}
EXPORT(KeDelayExecutionThread);
