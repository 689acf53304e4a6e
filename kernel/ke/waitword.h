/* SPDX-License-Identifier: MIT */
/*
 * The wait word of a thread: what its wait is about to become, and what may break the wait off. The objects
 * that are waited for are sync's affair.
 *
 * Exactly one party moves the word out of Preparing or Committed, by compare-and-swap:
 *
 *   from                 to          by                                            holding
 *   any end state        Preparing   the waiter, with a new sequence number        nothing (it is the only writer then)
 *   Preparing            Committed   the waiter, about to block                    nothing; WaitAll: all its objects
 *   Preparing, Committed Satisfied   a signaller, consuming the signal for it      the object's lock
 *   Preparing            Satisfied   the waiter itself                             the object's lock(s)
 *   Preparing, Committed Owned       who releases a mutant, making it the owner    the object's lock
 *   Preparing            Refused     the waiter: it owns a mutant too often        the object's lock(s)
 *   Preparing, Committed Hint        a signaller of an object in a WaitAll         the object's lock
 *   Hint                 Preparing   the waiter, to look at its objects again      nothing
 *   Committed            TimedOut    the expiry of its timer                       the timer-queue lock
 *   Preparing            TimedOut,   the waiter itself                             nothing; WaitAll: all its objects
 *                        Broken
 *   Preparing, Committed Broken      KiNoticeWork, if the wait may be broken       nothing
 *
 * Whoever moved it out of Committed must ready the thread, after letting go of the object. Whoever moved it
 * out of Preparing must not: the waiter is running, and finds out at its commit. It then takes and releases
 * the lock of each object that it is registered with, and so cannot return before the signaller has let go.
 *
 * What the end means for the thread itself is the waiter's to do, on its way out: it enters an Owned mutant
 * in its list, and finds out why its wait was Broken (a kernel APC runs then, and the wait starts anew).
 *
 * A fenced pair: the waiter writes Preparing, fences, reads UserWork; whoever wants something of the thread
 * sets a bit there, fences, reads the wait word.
 */
#ifndef PRIMER_WAITWORD_H
#define PRIMER_WAITWORD_H

#include "kernel/kd/kd.h"
#include "kernel/ke/ke.h"

#define WAIT_UNDER_WAY 8 /* this bit of the state: the wait has not ended */

typedef enum _WAIT_STATE {
    WaitNone,
    WaitSatisfied,
    WaitOwned,
    WaitRefused,
    WaitHint,
    WaitTimedOut,
    WaitBroken,
    WaitPreparing = WAIT_UNDER_WAY,
    WaitCommitted,
} WAIT_STATE;

/*
 * The word:  0-7    state
 *            8-15   index of the object that ended the wait; with WAIT_ABANDONED that was an abandoned mutant, and
 *                   the byte is what a wait's status adds to STATUS_WAIT_0
 *            16-63  sequence, so that a late compare-and-swap cannot end the next wait
 *
 * How the wait is made (KTHREAD.WaitMode, WaitAlertable, WaitIrql) is written before the word says Preparing,
 * and stands still until the wait has ended.
 */
#define WAIT_END_MASK  0xffffULL
#define WAIT_SEQUENCE  0x10000ULL
#define WAIT_ABANDONED 0x80

C_ASSERT(STATUS_WAIT_0 + WAIT_ABANDONED == STATUS_ABANDONED_WAIT_0 && MAXIMUM_WAIT_OBJECTS <= WAIT_ABANDONED);

/* The end, or stage, of a wait as it stands in the word: a state, and for what was satisfied the key. */
static inline ULONG64 KiWaitEnd(WAIT_STATE State, ULONG Key)
{
    return (ULONG64)Key << 8 | State;
}

static inline WAIT_STATE KiWaitState(ULONG64 Word)
{
    return (WAIT_STATE)(Word & 0xff);
}

static inline ULONG KiWaitKey(ULONG64 Word)
{
    return (ULONG)(Word >> 8 & 0xff);
}

/* The same wait, with another end. */
static inline ULONG64 KiWithEnd(ULONG64 Word, ULONG64 End)
{
    return (Word & ~WAIT_END_MASK) | End;
}

/* The next wait of the thread, Preparing. Last: the word of the one before. */
static inline ULONG64 KiNextWait(ULONG64 Last)
{
    return KiWithEnd(Last + WAIT_SEQUENCE, WaitPreparing);
}

/* Which bits of UserWork may break off the wait that the thread is in (WDK: Waits and APCs). Asked by others,
   too: if that wait has ended meanwhile, their compare-and-swap fails. */
ULONG KiWaitBreaks(PKTHREAD Thread);

static inline bool KiIsInterrupted(PKTHREAD Thread)
{
    ULONG Work = __atomic_load_n(&Thread->UserWork, __ATOMIC_SEQ_CST);
    return __builtin_expect(Work != 0, 0) && (Work & KiWaitBreaks(Thread)) != 0;
}

/* Ends the thread's wait, if one is under way; false when another party was first, or, for WaitBroken, when
   the wait may not be broken. *Committed: the caller must ready the thread. */
static inline bool KiClaimWait(PKTHREAD Thread, ULONG64 End, bool *Committed)
{
    ULONG64 Word = __atomic_load_n(&Thread->WaitWord, __ATOMIC_ACQUIRE); /* @read */
    for (;;) {
        if ((Word & WAIT_UNDER_WAY) == 0 || (End == WaitBroken && !KiIsInterrupted(Thread))) {
            return false;
        }
        /* @exchange */
        if (__builtin_expect(__atomic_compare_exchange_n(&Thread->WaitWord, &Word, KiWithEnd(Word, End),
                                                         false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE),
                             1)) {
            *Committed = KiWaitState(Word) == WaitCommitted;
            return true;
        }
    }
}

#endif
