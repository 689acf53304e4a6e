/* SPDX-License-Identifier: MIT */
/*
 * Private to sync: the lock of a dispatcher object, the wait word, and what signallers and waiters share.
 *
 * Lock order: timer queue, dispatcher objects (several only in address order, WaitAll), thread, ready queues.
 *
 * The wait word of a thread says what its wait is about to become. Exactly one party moves it out of
 * Preparing or Committed, by compare-and-swap:
 *
 *   from                 to          by                                            holding
 *   any end state        Preparing   the waiter, with a new sequence number        nothing (it is the only writer then)
 *   Preparing            Committed   the waiter, about to block                    nothing; WaitAll: all its objects
 *   Preparing, Committed Satisfied   a signaller, consuming the signal for it      the object's lock
 *   Preparing            Satisfied   the waiter itself                             the object's lock(s)
 *   Preparing, Committed Hint        a signaller of an object in a WaitAll         the object's lock
 *   Hint                 Preparing   the waiter, to look at its objects again      nothing
 *   Committed            TimedOut    the expiry of its timer                       the timer-queue lock
 *   Preparing            TimedOut,   the waiter itself                             nothing; WaitAll: all its objects
 *                        Alerted
 *   Preparing, Committed Alerted     KeInterruptThread, if the wait may be broken  nothing
 *
 * Who moved it out of Committed must ready the thread, after letting go of the object. Who moved it out of
 * Preparing must not: the waiter is running and finds out at its commit; it then takes and releases the lock
 * of each object that it is registered with, and so cannot return before the signaller has let go.
 *
 * A fenced pair: the waiter writes Preparing, fences, reads UserWork; KeInterruptThread writes that, fences,
 * reads the wait word.
 */
#ifndef PRIMER_SYNC_H
#define PRIMER_SYNC_H

#include "kernel/kd/kd.h"
#include "kernel/ke/ke.h"
#include "sync/timerq.h"
#include "sync/wait.h"
#include "kernel/rtl/export.h"

typedef enum _WAIT_STATE {
    WaitNone,
    WaitPreparing,
    WaitCommitted,
    WaitSatisfied,
    WaitHint,
    WaitTimedOut,
    WaitAlerted,
} WAIT_STATE;

/* Wait word: bits 0-3 state, 4-7 what breaks the wait (KUSER_WORK_*), 8-15 index of the object that satisfied
   it, 16-63 sequence. */
#define WAIT_STATE_MASK  0xfULL
#define WAIT_BREAK_SHIFT 4
#define WAIT_BREAK_MASK  0xf0ULL
#define WAIT_KEY_SHIFT   8
#define WAIT_SEQUENCE    0x10000ULL

C_ASSERT((KUSER_WORK_TERMINATE | KUSER_WORK_INTERRUPT) <= WAIT_BREAK_MASK >> WAIT_BREAK_SHIFT);

/* KWAIT_BLOCK.BlockState */
#define BLOCK_UNLINKED 0
#define BLOCK_LINKED   1

static inline void KiLockObject(PDISPATCHER_HEADER Header)
{
    KiNoteAcquire(Header, KlcObject, FALSE);
    while (__atomic_exchange_n(&Header->Lock, 1, __ATOMIC_ACQUIRE) != 0) {
        while (*(volatile UCHAR *)&Header->Lock != 0) {
            ArchPause();
        }
    }
    KiNoteAcquired(Header, KlcObject);
}

static inline void KiUnlockObject(PDISPATCHER_HEADER Header)
{
    KiNoteRelease(Header, KlcObject);
    __atomic_store_n(&Header->Lock, 0, __ATOMIC_RELEASE);
}

static inline void KiInitializeHeader(PDISPATCHER_HEADER Header, UCHAR Type, SIZE_T Size, LONG State)
{
    Header->Type = Type;
    Header->Lock = 0;
    Header->Size = (UCHAR)(Size / sizeof(LONG));
    Header->Inserted = FALSE;
    Header->SignalState = State;
    InitializeListHead(&Header->WaitListHead);
}

/* Is there a reason to break this wait off? */
static inline bool KiIsInterrupted(PKTHREAD Thread, ULONG64 Word)
{
    return (Word & WAIT_BREAK_MASK) != 0 &&
           (__atomic_load_n(&Thread->UserWork, __ATOMIC_SEQ_CST) << WAIT_BREAK_SHIFT & Word & WAIT_BREAK_MASK) != 0;
}

/* Moves the word of a thread whose wait is under way to an end state; false when another party was first, or,
   for WaitAlerted, when the wait may not be broken. *Committed: the caller must ready the thread. */
static inline bool KiClaimWait(PKTHREAD Thread, WAIT_STATE State, ULONG64 Key, bool *Committed)
{
    ULONG64 Word = __atomic_load_n(&Thread->WaitWord, __ATOMIC_RELAXED);
    for (;;) {
        ULONG64 Old = Word & WAIT_STATE_MASK;
        if (Old - WaitPreparing > WaitCommitted - WaitPreparing || /* neither of the two */
            (State == WaitAlerted && !KiIsInterrupted(Thread, Word))) {
            return false;
        }
        ULONG64 New = Word - Old + (Key << WAIT_KEY_SHIFT | State); /* the key is 0 until now */
        if (__builtin_expect(__atomic_compare_exchange_n(&Thread->WaitWord, &Word, New, false, __ATOMIC_ACQ_REL,
                                                         __ATOMIC_RELAXED), 1)) {
            *Committed = Old == WaitCommitted;
            return true;
        }
    }
}

/* What a satisfied wait takes from the object. Locked. */
static inline void KiConsumeSignal(PDISPATCHER_HEADER Header)
{
    UCHAR Type = Header->Type;
    if (Type == EventSynchronizationObject || Type == TimerSynchronizationObject) {
        Header->SignalState = 0;
    } else if (Type == SemaphoreObject) {
        Header->SignalState--;
    } /* notification objects stay as they are */
}

/* Gives the signal of a locked object to its waiters, first come first served, as long as it lasts. Returns
   the chain with those added whom the caller must ready after unlocking. */
PKTHREAD KiReleaseWaiters(PDISPATCHER_HEADER Header, KPRIORITY Increment, PKTHREAD Chain);

/* Raises the level and locks. */
static inline KIRQL KiAcquireObject(PDISPATCHER_HEADER Header)
{
    KIRQL Irql = KiRaiseToDispatch();
    KiLockObject(Header);
    return Irql;
}

/* The end of every signalling routine: unlocks, readies the released; lowers the level, or leaves that to the
   next wait. */
static inline void KiFinishSignal(PDISPATCHER_HEADER Header, PKTHREAD Chain, KIRQL Irql, BOOLEAN Wait)
{
    KiUnlockObject(Header);
    if (Chain != NULL) {
        KiReadyChain(Chain);
    }
    if (Wait) {
        PKTHREAD Thread = ArchCurrentThread();
        Thread->WaitNext = TRUE;
        Thread->WaitIrql = Irql;
        return;
    }
    KiLower(Irql);
}

#endif
