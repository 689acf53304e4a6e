/* SPDX-License-Identifier: MIT */
/*
 * The in-stack queued spin lock of sync/spinlock.c under x86-TSO: processors acquire and release it, each with one
 * handle that it uses again. Claims: at most one processor is inside; the lock goes from hand to hand in the order of the
 * exchanges; what the holder has written is what the next one reads; everybody gets in (no state without a
 * successor but the end).
 *
 * Each step names what it stands for, as @FUNCTION.STEP: in that function of the kernel stands a comment with @STEP, and
 * tests/models/labels.py checks that.
 * Switches: -DNO_EXCHANGE, -DNO_COMPARE_EXCHANGE make that access a load and a store; each must lead to an error.
 */
#define CPUS   3
#define ROUNDS 2

#define WORD          0                /* the lock word: 0, or the number of the last entry + 1 */
#define DATA          1                /* what the lock protects */
#define NEXT(i)       (2 + (i))        /* Entry->Next: 0, or a number + 1 */
#define WAITS(i)      (2 + CPUS + (i)) /* bit QUEUE_WAIT of Entry->Lock */
#define VARIABLES     (2 + 2 * CPUS)

#include "tso.pml"

byte inside, tickets, serving; /* what no processor sees: for the claims */
byte done;

proctype processor(byte me)
{
    byte last, value, ticket, round;
    do
    :: round == ROUNDS -> break
    :: else ->
        /* KeAcquireInStackQueuedSpinLockAtDpcLevel */
        STORE(NEXT(me), 0);
        STORE(WAITS(me), 1);            /* @KiQueueAcquire.prepare */
#ifdef NO_EXCHANGE
        last = LOAD(WORD);
        d_step { ticket = tickets; tickets++ }
        STORE(WORD, me + 1);
#else
        d_step {                        /* @KiQueueAcquire.join */
            DRAINED;
            last = memory[WORD];
            memory[WORD] = me + 1;
            ticket = tickets;
            tickets++
        }
#endif
        if
        :: last != 0 ->
            STORE(NEXT(last - 1), me + 1); /* @KiQueueAcquire.link */
            LOAD(WAITS(me)) == 0           /* @KiQueueAcquire.spin */
        :: else ->
            STORE(WAITS(me), 0)            /* @KiQueueAcquire.first */
        fi;

        d_step { assert(inside == 0); inside++; assert(ticket == serving) }
        value = LOAD(DATA);
        STORE(DATA, value + 1);
        d_step { inside--; serving++ }

        /* KeReleaseInStackQueuedSpinLockFromDpcLevel */
        value = 0;
        last = LOAD(NEXT(me));
        if
        :: last == 0 ->
#ifdef NO_COMPARE_EXCHANGE
            last = LOAD(WORD);
            if
            :: last == me + 1 -> STORE(WORD, 0); value = 1
            :: else
            fi
#else
            d_step {                     /* @KiQueueRelease.leave */
                DRAINED;
                if
                :: memory[WORD] == me + 1 -> memory[WORD] = 0; value = 1
                :: else
                fi
            }
#endif
        :: else
        fi;
        if
        :: value == 0 ->
            LOAD(NEXT(me)) != 0;         /* @KiQueueRelease.await-link */
            last = LOAD(NEXT(me));
            STORE(WAITS(last - 1), 0)    /* @KiQueueRelease.hand-over */
        :: else
        fi;
        d_step { round++; last = 0; value = 0; ticket = 0 }
    od;
    done++
}

init {
    byte i;
    atomic {
        for (i : 0 .. CPUS - 1) {
            run drain(i);
            run processor(i)
        }
    }
    done == CPUS;
    buffer[0].count == 0 && buffer[1].count == 0 && buffer[2].count == 0;
    assert(memory[DATA] == CPUS * ROUNDS);
    assert(memory[WORD] == 0)
}
