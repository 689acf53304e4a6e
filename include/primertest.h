/* SPDX-License-Identifier: MIT */
/*
 * What only tests ask of the kernel: no driver needs these. The first group exists in debug builds only.
 */
#ifndef PRIMER_TEST_H
#define PRIMER_TEST_H

#include <ntddk.h>

/* Acquires two internal locks, in the order of the rank table or against it (bug check
   LOCK_ORDER_VIOLATION). */
VOID PrimerTestLockOrder(BOOLEAN Right);
/* Waits after releasing an internal lock, or while holding it (bug check LOCK_HELD_WHILE_BLOCKING). */
VOID PrimerTestBlockHolding(BOOLEAN Right);
/* Whether a thread that waits, though a processor that it may use runs something lower, is a bug check
   (PRIORITY_NOT_RESPECTED), as it is until somebody says otherwise. Returns what held before. */
BOOLEAN PrimerCheckPriorities(BOOLEAN Check);
/* Counters of a class of locks since the start: acquisitions, and those of them that found the lock taken or
   had to sleep. */
typedef struct _PRIMER_LOCK_CLASS {
    PCSTR Name;
    LONG64 Acquired, Waited;
} PRIMER_LOCK_CLASS, *PPRIMER_LOCK_CLASS;
BOOLEAN PrimerQueryLockClass(ULONG Index, _Out_ PPRIMER_LOCK_CLASS Counters);
/*
 * The schedule controller (debug builds): named points in the kernel's code at which a test holds one thread
 * until others have come past theirs.
 *
 * A step is a point and an actor: an object, usually a thread, that the point is about (the waiter, for all
 * points of a wait, whoever takes the step). PrimerStartScript arms a list of steps; whoever comes to one of
 * them waits, with interrupts on and at its level, until all steps before it have been taken, and takes it.
 * What the script does not name, and points that are passed once more, are not held. When somebody has been
 * held for the given time (guest milliseconds), the script is given up and all go on.
 *
 * PrimerEndScript disarms it and returns how many steps were taken in order: all of them, or the script was
 * not met. On one processor a point at DISPATCH_LEVEL cannot wait for another thread: such scripts are met
 * only where the order comes about by itself.
 */
#define PRIMER_POINTS(X)                                                                                               \
    X(WaitPrepared, "the waiter is registered, and its wait can be ended; no lock")                                    \
    X(WaitLooked, "it has found no interruption, and is about to commit; no lock, or those of all objects")            \
    X(WaitCommitted, "it has committed; it goes to sleep next; no lock")                                               \
    X(WaitWoken, "it runs again; its blocks are still listed, its timer is still set; no lock")                        \
    X(SignalFound, "a signaller has found its block, and is about to claim the wait; object's lock")                   \
    X(SignalClaimed, "the signaller has claimed, and unlinked the block, or failed to; object's lock")                                         \
    X(SignalUnlocked, "the signaller has let go of the object, and readies the waiter next; no lock")                  \
    X(ObjectBusy, "somebody wants an object's lock that is taken; no lock, or other objects'; subject: the object")     \
    X(TimerMoving, "a timer has left one processor's queue for another's; no lock; subject: the timer")                \
    X(TimerAwaited, "somebody wants a timer that is on its way; no lock; subject: the timer")                          \
    X(TimeoutFound, "the waiter's timer has expired, the wait is claimed next; timer queue's lock")                    \
    X(TimeoutClaimed, "the expiry has claimed, or failed to; timer queue's lock")                                      \
    X(AlertAnnounced, "an alert or a termination is visible, the wait is claimed next; no lock")                       \
    X(AlertClaimed, "the alerter has claimed, or failed to; no lock")                                                  \
    X(ApcQueued, "an APC is on the waiter's list, the wait is claimed next; no lock above DISPATCH_LEVEL")             \
    X(ApcClaimed, "whoever queued it has claimed, or failed to; no lock above DISPATCH_LEVEL")                         \
    X(SoftPending, "the level has dropped, and a software interrupt that was found pending is served next; no lock")   \
    X(PushLockReleased, "the last holder is out, waiters are woken next; subject: the lock")                           \
    X(EntryFound, "a look-up or closing has come to a handle's entry, and is about to lock it; the thread; no lock")   \
    X(EntryLocked, "it has locked the entry, and has not read it yet; the thread; the entry's bit")                    \
    X(EntryLeft, "it has unlocked it; the thread; no lock")                                                            \
    X(EntryReserved, "a handle's entry is taken, and not filled yet; the thread; no lock")                             \
    X(TableGrowing, "a handle table has a new leaf, which look-ups do not see yet; the thread; the table's lock")      \
    X(RegistersHeld, "somebody has a thread's user registers, which hold still; that thread; its process's lock")      \
    X(PacketsOut, "IoStartNextPacket has looked for the next IRP; no lock, or the cancel lock; subject: the device")

typedef enum _PRIMER_POINT {
#define X(Name, Where) PrimerPoint##Name,
    PRIMER_POINTS(X)
#undef X
    PrimerPointOwn = 64, /* from here on: the test's own, in its own code */
} PRIMER_POINT;

typedef struct _PRIMER_STEP {
    UCHAR Point; /* PRIMER_POINT */
    UCHAR Actor; /* the number that PrimerSetActor gave */
    UCHAR After; /* not taken before somebody is held at the step of this number, a later one; 0: no such condition */
} PRIMER_STEP;

/* Actor Number (less than 16) is Subject from now on. While no script runs. */
VOID PrimerSetActor(ULONG Number, PVOID Subject);
/* At most 32 steps. While no script runs. */
VOID PrimerStartScript(const PRIMER_STEP *Steps, ULONG Count, ULONG Milliseconds);
ULONG PrimerEndScript(VOID);
/* What the end of a thread from outside does to its waits, for a system thread, which cannot be ended so. */
VOID PrimerTerminateWaits(PKTHREAD Thread);
/* A point in the test's own code. Interrupts on. */
VOID PrimerReachPoint(ULONG Point, PVOID Subject);

/* After more allocations of pages, pool or kernel stacks by the calling thread, Count of them fail (0: none
   any more). One thread at a time. Returns how many have failed since the call before. */
ULONG PrimerFailAllocations(ULONG After, ULONG Count);
/* Each Pool-th allocation of pool fails, and each Pages-th of pages or kernel stacks (0: none), but the
   current process's own. Returns how many have failed since the call before. */
ULONG PrimerFailEvery(ULONG Pool, ULONG Pages);

/* User APCs of the process enter user mode at Address, with the routine, its three arguments, and the address
   of the saved user frame; the test's own system call goes back to that one. */
VOID PrimerSetUserApcDispatcher(PEPROCESS Process, ULONG64 Address);
NTSTATUS PrimerPopUserFrame(ULONG64 Saved);

/* Kernel pages that are really gone after the unmapping, on every processor: a touch faults. NULL: no memory.
   PASSIVE. */
PVOID PrimerMapPages(SIZE_T Pages);
VOID PrimerUnmapPages(PVOID Base, SIZE_T Pages);
/* How many S-list pops have started anew because their entry's memory was gone. */
ULONG PrimerSListRestarts(VOID);

/* Returns when the stacks of all threads that have ended before the call are freed. PASSIVE, not from the
   reaper. */
VOID PsDrainReaper(VOID);

/* What is in use, after caches have been emptied: two of these can be compared. PASSIVE. */
typedef struct _PRIMER_MEMORY {
    ULONG64 FreePages;
    ULONG64 PoolBytes, PoolBlocks;
    ULONG64 KernelStacks;
    ULONG64 PageTablePages;
    ULONG64 Processes, Threads; /* objects */
} PRIMER_MEMORY, *PPRIMER_MEMORY;
VOID PrimerQueryMemory(_Out_ PPRIMER_MEMORY Memory);

/* Counters of a processor that is online, each as old as any answer. <= DISPATCH. */
typedef struct _PRIMER_PROCESSOR {
    ULONG64 Ipis, ClockInterrupts;
    ULONG64 Steals, Pulls; /* threads taken from other processors' queues: when idle; for they outranked what ran here */
    ULONG64 IdleCycles, DpcCycles, InterruptCycles;
} PRIMER_PROCESSOR, *PPRIMER_PROCESSOR;
VOID PrimerQueryProcessor(ULONG Number, _Out_ PPRIMER_PROCESSOR Counters);
/* Processor time of a thread, up to now, cycles of the performance counter. <= DISPATCH. */
ULONG64 PrimerThreadCycles(_In_ PKTHREAD Thread);
/* Sets the quantum of the threads of the current thread's process, in thirds of a tick, 1 to 255; returns the
   one before. */
UCHAR PrimerSetQuantum(_In_ UCHAR Units);

#endif
