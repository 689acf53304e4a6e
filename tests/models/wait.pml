/* SPDX-License-Identifier: MIT */
/*
 * The wait protocol of sync/wait.c and kernel/ke/waitword.h under x86-TSO: two waiters, two signallers, a time-out and an
 * interruption, over two objects that count (semaphores, so that no signal can be hidden by another). Claims:
 *
 *   - nobody sleeps for ever: no state without a successor but the end (no lost wake-up);
 *   - each signal is taken once or is still there at the end, and no wait succeeds without one;
 *   - exactly one party ends a wait, and a waiter is readied exactly when it has committed;
 *   - when a wait returns, its blocks are on no list, and nobody touches an object that went with the wait.
 *
 * SCENARIO   waiter 0                            waiter 1                 signallers
 *    1       one: A, time-out, interruption      one: A                   A, A
 *    2       any: A, B, time-out                 any: B, A                A, B
 *    3       one: A, time-out                    all: A, B                A twice, B
 *    4       one: A, interruption                -                        none
 *    5       any: A, B; what ends it goes with it  -                        A, B
 *    6       -                                   all: A, B, interruption  A
 *
 * Each step names what it stands for, as @FUNCTION.STEP: in that function of the kernel stands a comment with @STEP, and
 * tests/models/labels.py checks that. Switches that take
 * a fence or an exchange away stand where it is; each must lead to an error in some scenario.
 */
#ifndef SCENARIO
#define SCENARIO 1
#endif
#if SCENARIO == 1
#define WAITER0       one
#define WAITER1       one
#define TIMEOUT0      1
#define INTERRUPTED   0
#define SIGNALS_A     1
#define SIGNALS_A2    1
#elif SCENARIO == 2
#define WAITER0       any
#define WAITER1       any
#define TIMEOUT0      1
#define SIGNALS_A     1
#define SIGNALS_B     1
#elif SCENARIO == 3
#define WAITER0       one
#define WAITER1       all
#define TIMEOUT0      1
#define SIGNALS_A     2
#define SIGNALS_B     1
#elif SCENARIO == 4
#define WAITER0       one
#define INTERRUPTED   0
#elif SCENARIO == 5
#define WAITER0       any
#define SIGNALS_A     1
#define SIGNALS_B     1
#define GOES
#elif SCENARIO == 6
#define WAITER1       all
#define INTERRUPTED   1
#define SIGNALS_A     1
#endif
#ifndef TIMEOUT0
#define TIMEOUT0 0
#endif
#ifndef SIGNALS_A
#define SIGNALS_A 0
#endif
#ifndef SIGNALS_A2
#define SIGNALS_A2 0
#endif
#ifndef SIGNALS_B
#define SIGNALS_B 0
#endif

/* Processors: waiters 0 and 1, signallers 2 and 3, the timer's 4, the interrupter's 5. */
#define CPUS      6
#define A         0
#define B         1
#define OBJECT(o) (o)                     /* Header.Lock */
#define WORD(w)   (2 + (w))               /* KTHREAD.WaitWord */
#define WORK(w)   (4 + (w))               /* the interruption bit of KTHREAD.UserWork */
#define LINK(w,o) (6 + 2 * (w) + (o))     /* KWAIT_BLOCK.BlockState */
#define QUEUE     10                      /* the lock of the timer queue */
#define VARIABLES 11

#define ON_DRAIN(v) assert(v > B || !gone[v])

bool gone[2]; /* the object's memory has been freed */

#include "tso.pml"

#define NONE        0
#define PREPARING   1
#define COMMITTED   2
#define SATISFIED_A 3
#define SATISFIED_B 4
#define HINT        5
#define TIMED_OUT   6
#define BROKEN     7
#define SATISFIED(o) (SATISFIED_A + (o))

/* What an object's lock guards; `holder` checks that it does. A list holds waiters' numbers + 1. */
byte holder[2], state[2], first[2], second[2];
#define HOLDS(o) assert(holder[o] == me + 1 && !gone[o])

bool timer_set, ready[2], is_all[2], may_break[2];
byte given, taken, ended, started;

inline lock(o)
{
#ifdef NO_LOCK_EXCHANGE
    LOAD(OBJECT(o)) == 0;
    STORE(OBJECT(o), 1);
#else
    d_step { DRAINED && memory[OBJECT(o)] == 0; memory[OBJECT(o)] = 1 } /* @KiLockObject.exchange */
#endif
    d_step { assert(holder[o] == 0 && !gone[o]); holder[o] = me + 1 }
}

inline unlock(o)
{
    d_step { HOLDS(o); holder[o] = 0 }
    STORE(OBJECT(o), 0)                   /* @KiUnlockObject.store */
}

inline link(w, o)
{
    d_step {
        HOLDS(o);
        assert(second[o] == 0);
        if
        :: first[o] == 0 -> first[o] = w + 1
        :: else -> second[o] = w + 1
        fi
    }
    STORE(LINK(w, o), 1)                  /* @KiLinkBlock.link */
}

inline unlink(w, o)
{
    d_step {
        HOLDS(o);
        if
        :: first[o] == w + 1 -> first[o] = second[o]; second[o] = 0
        :: else -> assert(second[o] == w + 1); second[o] = 0
        fi
    }
    STORE(LINK(w, o), 0)
}

/* An end of the wait of w, by another party: `won`, and `was` COMMITTED when it must be readied. */
inline claim(w, new)
{
    won = false;
    was = LOAD(WORD(w));                  /* @KiClaimWait.read */
    do
    :: (was == PREPARING || was == COMMITTED) && (new != BROKEN || (may_break[w] && LOAD(WORK(w)) == 1)) ->
#ifdef NO_CLAIM_EXCHANGE
        STORE(WORD(w), new);
        won = true
#else
        d_step {                          /* @KiClaimWait.exchange */
            DRAINED;
            if
            :: memory[WORD(w)] == was -> memory[WORD(w)] = new; won = true
            :: else -> was = memory[WORD(w)]
            fi
        }
#endif
        if
        :: won -> break
        :: else
        fi
    :: else -> break
    od
}

/* KiReady: the thread's lock is a locked instruction. */
inline make_ready(w)
{
    d_step { DRAINED; assert(!ready[w]); ready[w] = true }
}

/* KiReleaseWaiters, unlock, ready. The entry that is looked at is 1 + (whether the first one stays). */
proctype signaller(byte me, o, times)
{
    byte was, w, place, chain;
    bool won;
    do
    :: times == 0 -> break
    :: else ->
        lock(o);
        d_step { HOLDS(o); state[o]++; given++; place = 0; chain = 0 }
        do
        :: d_step {
               state[o] > 0 && ((place == 0 && first[o] != 0) || (place == 1 && second[o] != 0)) ->
               w = (place == 0 -> first[o] : second[o]) - 1
           }
           if
           :: is_all[w] ->
               claim(w, HINT);            /* @KiReleaseWaiters.hint */
               place++
           :: else ->
               claim(w, SATISFIED(o));    /* @KiReleaseWaiters.signal */
               if
               :: won -> unlink(w, o); d_step { HOLDS(o); state[o]-- }
               :: else -> place++
               fi
           fi;
           if
           :: won && was == COMMITTED -> chain = chain | (1 << w)
           :: else
           fi
        :: else -> break
        od;
        unlock(o);
        if
        :: chain & 1 -> make_ready(0)
        :: else
        fi;
        if
        :: chain & 2 -> make_ready(1)
        :: else
        fi;
        d_step { times--; was = 0; w = 0; place = 0; chain = 0; won = false }
    od;
    ended++
}

/* KiExpireTimers and KiTimerExpired for the timer of waiter 0: once, at any time after it was set. */
proctype expiry(byte me)
{
    byte was;
    bool won;
end:
    timer_set;
    d_step { DRAINED && memory[QUEUE] == 0; memory[QUEUE] = 1 }
    if
    :: timer_set ->
        timer_set = false;
        claim(0, TIMED_OUT);              /* @KiExpireThreadTimer.claim */
        STORE(QUEUE, 0);
        if
        :: won && was == COMMITTED -> make_ready(0)
        :: else
        fi
    :: else -> STORE(QUEUE, 0)
    fi
}

/* KiSetWork and KiNoticeWork: an alert, an APC or a termination. */
proctype interrupter(byte me, w)
{
    byte was;
    bool won;
#ifdef NO_ANNOUNCE_FENCE
    STORE(WORK(w), 1);
#else
    d_step { DRAINED; memory[WORK(w)] = 1 } /* @KiSetWork.announce */
#endif
    claim(w, BROKEN);
    if
    :: won && was == COMMITTED -> make_ready(w)
    :: else
    fi;
    ended++
}

/* ---- The waiter's side ---- */

inline prepare()
{
#ifdef NO_PREPARE_FENCE
    STORE(WORD(me), PREPARING)
#else
    d_step { DRAINED; memory[WORD(me)] = PREPARING } /* @KiPrepareWait.announce */
#endif
}

/* Preparing -> new, by the waiter: `moved`. */
inline move_own(new)
{
    moved = false;
#ifdef NO_OWN_EXCHANGE
    if
    :: LOAD(WORD(me)) == PREPARING -> STORE(WORD(me), new); moved = true
    :: else
    fi
#else
    d_step {                              /* @KiMoveOwnWait.exchange */
        DRAINED;
        if
        :: memory[WORD(me)] == PREPARING -> memory[WORD(me)] = new; moved = true
        :: else
        fi
    }
#endif
}

inline commit()
{
    moved = false;
#ifdef NO_COMMIT_EXCHANGE
    if
    :: LOAD(WORD(me)) == PREPARING -> STORE(WORD(me), COMMITTED); moved = true
    :: else
    fi
#else
    d_step {                              /* @KiCommitWait.exchange */
        DRAINED;
        if
        :: memory[WORD(me)] == PREPARING -> memory[WORD(me)] = COMMITTED; moved = true
        :: else
        fi
    }
#endif
}

/* KiBlock, with the timer around it when there is one. */
inline block(timed)
{
    if
    :: timed ->
        d_step { DRAINED && memory[QUEUE] == 0; memory[QUEUE] = 1 }
        timer_set = true;
        STORE(QUEUE, 0)
    :: else
    fi;
    ready[me];
    ready[me] = false;
    if
    :: timed ->
        d_step { DRAINED && memory[QUEUE] == 0; memory[QUEUE] = 1 }
        timer_set = false;
        STORE(QUEUE, 0)
    :: else
    fi
}

/* KiSleep: `slept`. KiSleepSingle asks only whether there is any work: the wait is broken off, and if the work is no reason
   for that, begins anew. */
inline sleep(timed)
{
    if
    :: may_break[me] && LOAD(WORK(me)) == 1 -> /* @KiSleep.look @KiSleepSingle.look */
        move_own(BROKEN)
    :: else ->
        commit();
        if
        :: moved -> block(timed); slept = true
        :: else
        fi
    fi
}

/* KiUnlinkBlock */
inline unlink_own(o)
{
#ifdef NO_UNSLEPT_LOCK
    slept = true;
#endif
    if
    :: LOAD(LINK(me, o)) == 1 || !slept -> /* @KiUnlinkBlock.look */
        lock(o);
        if
        :: LOAD(LINK(me, o)) == 1 -> unlink(me, o)
        :: else
        fi;
        unlock(o)
    :: else
    fi
}

/* What the caller of the wait finds, and does: objects of scenario 5 lie in its frame. */
inline finish()
{
    DRAINED;                              /* only to compare what is in memory */
    d_step {
#ifdef GOES
        if
        :: memory[WORD(me)] == SATISFIED_A -> gone[A] = true
        :: memory[WORD(me)] == SATISFIED_B -> gone[B] = true
        :: else
        fi;
#endif
        assert(first[A] != me + 1 && second[A] != me + 1 && first[B] != me + 1 && second[B] != me + 1);
        assert(!ready[me]);
        if
        :: memory[WORD(me)] == SATISFIED_A || memory[WORD(me)] == SATISFIED_B ->
            taken = taken + (is_all[me] -> 2 : 1)
        :: else -> assert(memory[WORD(me)] == TIMED_OUT || memory[WORD(me)] == BROKEN)
        fi;
        memory[WORD(me)] = NONE
    }
}

/* KeWaitForSingleObject */
proctype one(byte me; bool timed)
{
    bool slept, moved;
    lock(A);
    if
    :: state[A] > 0 ->
        d_step { HOLDS(A); state[A]-- }
        unlock(A);
        taken++
    :: else ->
        prepare();
        link(me, A);
        unlock(A);
        sleep(timed);
        unlink_own(A);
        finish()
    fi;
    ended++
}

/* KiWaitForAny. Waiter 0 names A, then B; waiter 1 the other way round. */
proctype any(byte me; bool timed)
{
    byte linked, o;
    bool slept, moved;
    prepare();
    do
    :: linked < 2 ->
        o = (linked + me) % 2;
        lock(o);
        if
        :: state[o] > 0 ->
            move_own(SATISFIED(o));       /* @KiRegisterAny.take */
            if
            :: moved -> d_step { HOLDS(o); state[o]-- }
            :: else
            fi;
            unlock(o);
            break
        :: else ->
            link(me, o);
            unlock(o);
            linked++
        fi
    :: else ->
        sleep(timed);
        break
    od;
    o = 0;
    do
    :: o < linked -> unlink_own((o + me) % 2); o++
    :: else -> break
    od;
    finish();
    ended++
}

/* KiWaitForAll; no time-out */
proctype all(byte me; bool timed)
{
    bool slept, moved, linked, broken;
    prepare();
    do
    :: broken = may_break[me] && LOAD(WORK(me)) == 1;
       lock(A);
       lock(B);
       if
       :: state[A] > 0 && state[B] > 0 ->
           move_own(SATISFIED_A);         /* @KiTryAll.take */
           if
           :: moved -> d_step { HOLDS(A); HOLDS(B); state[A]--; state[B]-- }
           :: else
           fi;
           moved = false
       :: else ->
           if
           :: broken -> move_own(BROKEN); moved = false
           :: else ->
               if
               :: !linked -> link(me, A); link(me, B); linked = true
               :: else
               fi;
               commit()                   /* @KiTryAll.commit */
           fi
       fi;
       unlock(B);
       unlock(A);
       if
       :: moved -> block(false)
       :: else
       fi;
       if
       :: LOAD(WORD(me)) == HINT ->
#ifdef NO_AGAIN_FENCE
           STORE(WORD(me), PREPARING)
#else
           d_step { DRAINED; memory[WORD(me)] = PREPARING } /* @KiWaitForAll.again */
#endif
       :: else -> break
       fi
    od;
    if
    :: linked -> slept = false; unlink_own(A); slept = false; unlink_own(B)
    :: else
    fi;
    finish();
    ended++
}

init {
    byte i;
    atomic {
#ifdef INTERRUPTED
        may_break[INTERRUPTED] = true;
#endif
        for (i : 0 .. CPUS - 1) {
            run drain(i)
        }
        run expiry(4);
#ifdef WAITER0
        run WAITER0(0, TIMEOUT0);
        started++;
#endif
#ifdef WAITER1
        is_all[1] = (SCENARIO == 3 || SCENARIO == 6);
        run WAITER1(1, false);
        started++;
#endif
        run signaller(2, A, SIGNALS_A);
        run signaller(3, (SIGNALS_B > 0 -> B : A), SIGNALS_A2 + SIGNALS_B);
#ifdef INTERRUPTED
        run interrupter(5, INTERRUPTED);
        started++;
#endif
        started = started + 2
    }
    ended == started;
    assert(given == taken + state[A] + state[B])
}
