/* SPDX-License-Identifier: MIT */
/*
 * Private to sync: the lock of a dispatcher object, and what signallers and waiters share. The table of a
 * wait's states, and who moves it from one to the next, stands in kernel/ke/waitword.h.
 *
 * Lock order: timer queue, dispatcher objects (several only in address order, WaitAll), thread, ready queues.
 */
#ifndef PRIMER_SYNC_H
#define PRIMER_SYNC_H

#include "kernel/kd/script.h"
#include "kernel/ke/waitword.h"
#include "sync/timerq.h"
#include "sync/wait.h"
#include "kernel/rtl/export.h"

/* KWAIT_BLOCK.BlockState */
#define BLOCK_UNLINKED 0
#define BLOCK_LINKED   1

/* Whether this processor holds the object's lock can be told in debug builds alone; that somebody does, in
   all. */
#define KI_ASSERT_OBJECT_LOCKED(Header) KI_ASSERT((Header)->Lock != 0, "object %p is not locked", (Header))

/* Bit 0 of the byte Lock as a bit of the header's first word: setting one bit of a word and testing what it
   was is one instruction. The other bytes stand still, or have another lock: they are written as bytes, which
   an atomic operation on the word does not disturb. */
#define KOBJECT_LOCKED (1u << 8 * FIELD_OFFSET(DISPATCHER_HEADER, Lock))

static inline void KiLockObject(PDISPATCHER_HEADER Header)
{
    volatile ULONG *Word = (volatile ULONG *)Header;
    KiNoteAcquire(Header, KlcObject, FALSE);
    /* @exchange */
    while (__builtin_expect((__atomic_fetch_or(Word, KOBJECT_LOCKED, __ATOMIC_ACQUIRE) & KOBJECT_LOCKED) != 0, 0)) {
        KdPoint(PrimerPointObjectBusy, Header);
        while (*(volatile UCHAR *)&Header->Lock != 0) {
            ArchPause();
        }
    }
    KiNoteAcquired(Header, KlcObject);
}

static inline void KiUnlockObject(PDISPATCHER_HEADER Header)
{
    KiNoteRelease(Header, KlcObject);
    __atomic_store_n(&Header->Lock, 0, __ATOMIC_RELEASE); /* @store */
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

/* KiBlockThread for a thread that is active in a queue (queue.c). */
void KiBlockInQueue(PKTHREAD Thread);

/* The current thread blocks; its wait is committed. A thread that is active in a queue lets another one go.
   */
static inline void KiBlockThread(PKTHREAD Thread)
{
    if (__builtin_expect(Thread->QueueActive, 0)) {
        KiBlockInQueue(Thread);
    } else {
        KiBlock();
    }
}

/* ---- Signals: what an object says to one thread, and what a satisfied wait takes from it ---- */

static inline PKMUTANT KiMutantOf(PDISPATCHER_HEADER Header)
{
    return CONTAINING_RECORD(Header, KMUTANT, Header);
}

/* A mutant is signalled for its owner, too. Object locked. */
static inline bool KiIsSignalled(PDISPATCHER_HEADER Header, PKTHREAD Thread)
{
    return Header->SignalState > 0 || (Header->Type == MutantObject && KiMutantOf(Header)->OwnerThread == Thread);
}

/* mutant.c. How a wait of Thread ends that takes the mutant, which is signalled for it; the taking; and what
   the new owner then does for itself. Object locked; the last one only has to be the owner. */
ULONG64 KiMutantEnd(PKMUTANT Mutant, PKTHREAD Thread, ULONG Key);
void KiConsumeMutant(PKMUTANT Mutant, PKTHREAD Thread);
void KiEnterMutant(PKTHREAD Thread, PKMUTANT Mutant);

/* Takes the signal of an object that is no mutant. Locked. */
static inline void KiConsumePlain(PDISPATCHER_HEADER Header)
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

/* With Wait TRUE a signalling routine leaves the level at DISPATCH_LEVEL, for the next call, which is a wait,
   to take over. */
static inline void KiExpectWait(KIRQL Irql)
{
    PKTHREAD Thread = ArchCurrentThread();
    KI_ASSERT(Irql <= APC_LEVEL, "a signal with Wait TRUE at level %d", Irql);
    Thread->WaitNext = TRUE;
    Thread->WaitIrql = Irql;
}

/* The end of every signalling routine: unlocks, readies the released; lowers the level, or leaves that to the
   next wait. */
static inline void KiFinishSignal(PDISPATCHER_HEADER Header, PKTHREAD Chain, KIRQL Irql, BOOLEAN Wait)
{
    KiUnlockObject(Header);
    if (Chain != NULL) {
        KdPoint(PrimerPointSignalUnlocked, Chain);
        KiReadyChain(Chain);
    }
    if (Wait) {
        KiExpectWait(Irql);
        return;
    }
    KiLower(Irql);
}

#endif
