/* SPDX-License-Identifier: MIT */
/*
 * What debug builds know about blocking locks: each thread's list of those that it holds or waits for, each
 * with the stack of its acquisition (kernel/kd/locks.h), and the order in which they are taken. Push locks,
 * fast mutexes, resources, mutexes and run-down protection report here; release builds keep nothing.
 */
#ifndef PRIMER_HELD_H
#define PRIMER_HELD_H

#include "kernel/ke/ke.h"

typedef enum _KBLOCKING_KIND {
    KbkPushLock,
    KbkFastMutex,
    KbkResource,
    KbkMutex,
    KbkRundown, /* any number of references, which another thread may release */
} KBLOCKING_KIND;

#define KI_CALLER() __builtin_return_address(0)

/* Documented first parameters of DRIVER_VERIFIER_DETECTED_VIOLATION; the second is the lock, the third the
   thread that holds it (or NULL), the fourth the place of the offending call. */
#define KI_VIOLATION_SELF_DEADLOCK 0x1000 /* the thread acquires what it holds already */
#define KI_VIOLATION_OTHER_THREAD  0x1005 /* released by another thread than the one that acquired it */
#define KI_VIOLATION_NOT_HELD      0x1007 /* released without having been acquired */

#if DBG
/* The current thread is about to acquire a lock, and to wait for it without limit if need be: it may not hold
   it already (a mutex excepted). KiNoteBlockingAcquired follows, or KiNoteBlockingGivenUp. Any level: the
   caller has checked that. */
void KiNoteBlockingAcquire(const void *Lock, KBLOCKING_KIND Kind, const void *Place);
void KiNoteBlockingGivenUp(const void *Lock);
/* Holder, usually the current thread, has acquired it, with or without the announcement. */
void KiNoteBlockingAcquired(PKTHREAD Holder, const void *Lock, KBLOCKING_KIND Kind, BOOLEAN Shared,
                            const void *Place);
/* Holder, usually the current thread, gives it up. Owner: the thread that the lock names as its owner, if it
   does. */
void KiNoteBlockingRelease(PKTHREAD Holder, const void *Lock, KBLOCKING_KIND Kind, const void *Owner, const void *Place);
/* A wait for one object begins, and ends otherwise than by a signal that woke it. Of interest when it is
   without limit and for a kernel mutex of another thread, or of nobody: deadlocks come from these. */
void KiNoteMutexWait(PDISPATCHER_HEADER Header, const LARGE_INTEGER *Timeout);
NTSTATUS KiMutexWaitEnds(PDISPATCHER_HEADER Header, NTSTATUS Status);
/* Held exclusively before, shared from now on. */
void KiNoteBlockingShared(PKTHREAD Holder, const void *Lock);
/* Does the thread's list hold the lock? */
BOOLEAN KiHoldsBlocking(PKTHREAD Thread, const void *Lock);
/* How many blocking locks the thread holds. */
ULONG KiBlockingLocksHeld(PKTHREAD Thread);
/* The contract of locks that leave the level alone: normal kernel APCs are off, or else an APC might need
   what the interrupted code holds, and a suspended thread would keep its lock. */
void KiCheckApcsOff(const void *Lock, KBLOCKING_KIND Kind, const void *Place);
#else
#define KiNoteBlockingAcquire(Lock, Kind, Place)                  ((void)0)
#define KiNoteBlockingGivenUp(Lock)                               ((void)0)
#define KiNoteBlockingAcquired(Holder, Lock, Kind, Shared, Place) ((void)0)
#define KiNoteBlockingRelease(Holder, Lock, Kind, Owner, Place)   ((void)0)
#define KiNoteMutexWait(Header, Timeout)                          ((void)0)
#define KiMutexWaitEnds(Header, Status)                           (Status)
#define KiNoteBlockingShared(Holder, Lock)                        ((void)0)
#define KiCheckApcsOff(Lock, Kind, Place)                         ((void)0)
#endif

#endif
