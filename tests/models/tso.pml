/* SPDX-License-Identifier: MIT */
/*
 * Memory as x86 processors see it (x86-TSO): each processor has a first-in, first-out store buffer. Its own loads see
 * it, others' do not; at any moment the oldest store of any processor may go to memory. Under sequential
 * consistency, which is what Promela gives by itself, the fenced pairs of the kernel would hold trivially.
 *
 * A model defines CPUS and VARIABLES before it includes this. Each process that executes kernel code has a parameter
 * `me`, its processor. Plain accesses are LOAD and STORE; a locked instruction (LOCKED) waits until the buffer is empty,
 * as the processor does; so does FENCE.
 */
#ifndef DEPTH
#define DEPTH 3 /* stores that a buffer holds; one more waits */
#endif

typedef STORE_BUFFER {
    byte count;
    byte variable[DEPTH];
    byte value[DEPTH]
}

byte memory[VARIABLES];
STORE_BUFFER buffer[CPUS];

/* What this processor reads: its newest buffered store to the variable, or memory. */
#if DEPTH != 3
#error LOAD looks at three places
#endif
#define AT(place, v) (buffer[me].count > place && buffer[me].variable[place] == (v))
#define LOAD(v) (AT(2, v) -> buffer[me].value[2] : (AT(1, v) -> buffer[me].value[1] : \
                 (AT(0, v) -> buffer[me].value[0] : memory[v])))

inline STORE(v, x)
{
    d_step {
        buffer[me].count < DEPTH;
        buffer[me].variable[buffer[me].count] = v;
        buffer[me].value[buffer[me].count] = x;
        buffer[me].count++
    }
}

#define DRAINED (buffer[me].count == 0)

inline FENCE()
{
    DRAINED
}

/* The oldest store of processor `me` goes to memory, at any time. A model may watch it: ON_DRAIN(variable). */
#ifndef ON_DRAIN
#define ON_DRAIN(v) skip
#endif
proctype drain(byte me)
{
end:
    do
    :: d_step {
           buffer[me].count > 0;
           ON_DRAIN(buffer[me].variable[0]);
           memory[buffer[me].variable[0]] = buffer[me].value[0];
           buffer[me].variable[0] = buffer[me].variable[1];
           buffer[me].value[0] = buffer[me].value[1];
           buffer[me].variable[1] = buffer[me].variable[2];
           buffer[me].value[1] = buffer[me].value[2];
           buffer[me].variable[2] = 0; /* the same contents are the same state */
           buffer[me].value[2] = 0;
           buffer[me].count--;
           if
           :: buffer[me].count == 0 -> buffer[me].variable[0] = 0; buffer[me].value[0] = 0
           :: buffer[me].count == 1 -> buffer[me].variable[1] = 0; buffer[me].value[1] = 0
           :: else
           fi
       }
    od
}
