/* SPDX-License-Identifier: MIT */
/*
 * Drivers' spin locks: plain (spinlock.h), and in-stack queued, which are handed on in the order of arrival.
 * Debug builds check owners, order and levels. The rules of documentation: a lock is used in one of the two
 * ways only, and what has been acquired by a routine that raises the level is released by the one that lowers
 * it.
 */
#include "sync/spinlock.h"
#include "sync/sync.h"

#if DBG
void KiCheckLockLevel(const void *Lock, KIRQL Lowest, const char *Routine)
{
    KIRQL Irql = ArchGetIrql();
    if (Irql < Lowest) {
        KdBugCheck(IRQL_NOT_DISPATCH_LEVEL, (ULONG64)Lock, Irql, DISPATCH_LEVEL, 0, NULL, "%s at level %d", Routine,
                   Irql);
    }
    if (Lowest < DISPATCH_LEVEL && Irql > DISPATCH_LEVEL) {
        KdBugCheck(IRQL_NOT_LESS_OR_EQUAL, (ULONG64)Lock, Irql, DISPATCH_LEVEL, 0, NULL, "%s at level %d", Routine,
                   Irql);
    }
}
#endif

/* ---- Plain ---- */

void KiSpinForSpinLock(ARCH_IN_REGISTERS, PKSPIN_LOCK SpinLock)
{
    ULONG64 Start = ArchReadCycles();
    KSPIN_LOCK Word;
    while ((Word = *(volatile KSPIN_LOCK *)SpinLock) != 0 || !KiSpinTry(SpinLock)) {
        KI_ASSERT(Word == 0 || Word & 1, "spin lock %p is in use as a queued one", SpinLock);
        ArchPause();
    }
    KdTrace(Contention, 0, SpinLock, ArchReadCycles() - Start);
}

/* Makes the lock free. Any IRQL. (WDK page of the name; so the others) */
VOID KeInitializeSpinLock(PKSPIN_LOCK SpinLock)
{
    KiNoteInitialize(SpinLock);
    *SpinLock = 0;
}
EXPORT(KeInitializeSpinLock);

/* Raises to DISPATCH_LEVEL and acquires; returns the level before. <= DISPATCH_LEVEL. (WDK page of the
   name) */
KIRQL KeAcquireSpinLockRaiseToDpc(PKSPIN_LOCK SpinLock)
{
    KI_LOCK_RAISES(SpinLock);
    KIRQL Old = KiRaiseToDispatch();
    KiSpinAcquire(SpinLock, KlcDriver);
    return Old;
}
EXPORT(KeAcquireSpinLockRaiseToDpc);

/* Raises to DISPATCH_LEVEL and acquires; *OldIrql is the level before. <= DISPATCH_LEVEL.
   (WDK page of the name) */
VOID KeAcquireSpinLock(PKSPIN_LOCK SpinLock, PKIRQL OldIrql)
{
    *OldIrql = KeAcquireSpinLockRaiseToDpc(SpinLock);
}
EXPORT(KeAcquireSpinLock);

/* Releases, then lowers the level to what the acquisition has returned. DISPATCH_LEVEL.
   (WDK page of the name) */
VOID KeReleaseSpinLock(PKSPIN_LOCK SpinLock, KIRQL NewIrql)
{
    KI_LOCK_AT_DPC(SpinLock);
    KI_ASSERT(NewIrql <= ArchGetIrql(), "KeReleaseSpinLock raises the level from %d to %d", ArchGetIrql(), NewIrql);
    KiSpinRelease(SpinLock, KlcDriver);
    KiLower(NewIrql);
}
EXPORT(KeReleaseSpinLock);

/* Acquires; the level, DISPATCH_LEVEL or higher, stays as it is. (WDK page of the name) */
VOID KeAcquireSpinLockAtDpcLevel(PKSPIN_LOCK SpinLock)
{
    KI_LOCK_AT_DPC(SpinLock);
    KiSpinAcquire(SpinLock, KlcDriver);
}
EXPORT(KeAcquireSpinLockAtDpcLevel);

/* Releases what KeAcquireSpinLockAtDpcLevel or a try has acquired; the level stays. (WDK page of the name) */
VOID KeReleaseSpinLockFromDpcLevel(PKSPIN_LOCK SpinLock)
{
    KI_LOCK_AT_DPC(SpinLock);
    KiSpinRelease(SpinLock, KlcDriver);
}
EXPORT(KeReleaseSpinLockFromDpcLevel);

/* FALSE at once when it is held; held by this processor: a bug check in debug builds. (WDK page of the
   name) */
BOOLEAN KeTryToAcquireSpinLockAtDpcLevel(PKSPIN_LOCK SpinLock)
{
    KI_LOCK_AT_DPC(SpinLock);
    KiNoteAcquire(SpinLock, KlcDriver, TRUE);
    bool Acquired = *(volatile KSPIN_LOCK *)SpinLock == 0 && KiSpinTry(SpinLock);
    if (Acquired) {
        KiNoteAcquired(SpinLock, KlcDriver);
    }
    return Acquired;
}
EXPORT(KeTryToAcquireSpinLockAtDpcLevel);

/* ---- In-stack queued ---- */

/* The lock word is the last entry of the queue. An entry's Lock member holds the lock's address; bit 0 of it
   while the entry waits, bit 1 while it owns. */
#define QUEUE_WAIT  1
#define QUEUE_OWNER 2

/* Who finds the word 0 owns the lock at once; all others put themselves behind the last one, and spin on their own entry
   until that one's release hands the lock over. */
static inline void KiQueueAcquire(PKSPIN_LOCK SpinLock, PKSPIN_LOCK_QUEUE Entry)
{
    KiNoteAcquire(SpinLock, KlcQueued, FALSE);
    Entry->Next = NULL;
    Entry->Lock = (PKSPIN_LOCK)((ULONG_PTR)SpinLock | QUEUE_WAIT); /* @prepare */
    /* @join */
    PKSPIN_LOCK_QUEUE Last = (PKSPIN_LOCK_QUEUE)__atomic_exchange_n(SpinLock, (KSPIN_LOCK)Entry, __ATOMIC_ACQ_REL);
    if (Last == NULL) {
        Entry->Lock = (PKSPIN_LOCK)((ULONG_PTR)SpinLock | QUEUE_OWNER); /* @first */
    } else {
        KI_ASSERT(((ULONG_PTR)Last & 1) == 0, "queued spin lock %p is in use as a plain one", SpinLock);
        ULONG64 Start = ArchReadCycles();
        __atomic_store_n(&Last->Next, Entry, __ATOMIC_RELEASE); /* @link */
        /* @spin */
        while ((ULONG_PTR)__atomic_load_n(&Entry->Lock, __ATOMIC_ACQUIRE) & QUEUE_WAIT) {
            ArchPause();
        }
        KdTrace(Contention, 0, SpinLock, ArchReadCycles() - Start);
    }
    KiNoteAcquired(SpinLock, KlcQueued);
}

static inline void KiQueueRelease(PKSPIN_LOCK_QUEUE Entry)
{
    PKSPIN_LOCK SpinLock = (PKSPIN_LOCK)((ULONG_PTR)Entry->Lock & ~(ULONG_PTR)(QUEUE_WAIT | QUEUE_OWNER));
    KSPIN_LOCK Last = (KSPIN_LOCK)Entry;
    KiNoteRelease(SpinLock, KlcQueued);
    Entry->Lock = SpinLock;
    /* @leave */
    if (Entry->Next == NULL &&
        __atomic_compare_exchange_n(SpinLock, &Last, 0, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED)) {
        return;
    }
    PKSPIN_LOCK_QUEUE Next;
    /* @await-link */
    while ((Next = __atomic_load_n(&Entry->Next, __ATOMIC_ACQUIRE)) == NULL) { /* it has joined, and is about to say so */
        ArchPause();
    }
    /* @hand-over */
    __atomic_store_n(&Next->Lock, (PKSPIN_LOCK)((ULONG_PTR)SpinLock | QUEUE_OWNER), __ATOMIC_RELEASE);
}

/* Acquires in the order of arrival; the level, DISPATCH_LEVEL or higher, stays. The handle is in use until
   the release. (WDK page of the name) */
VOID KeAcquireInStackQueuedSpinLockAtDpcLevel(PKSPIN_LOCK SpinLock, PKLOCK_QUEUE_HANDLE LockHandle)
{
    KI_LOCK_AT_DPC(SpinLock);
    KiQueueAcquire(SpinLock, &LockHandle->LockQueue);
}
EXPORT(KeAcquireInStackQueuedSpinLockAtDpcLevel);

/* Releases and hands on to the next in the queue; the level stays. (WDK page of the name) */
VOID KeReleaseInStackQueuedSpinLockFromDpcLevel(PKLOCK_QUEUE_HANDLE LockHandle)
{
    KI_LOCK_AT_DPC(LockHandle);
    KiQueueRelease(&LockHandle->LockQueue);
}
EXPORT(KeReleaseInStackQueuedSpinLockFromDpcLevel);

/* Raises to DISPATCH_LEVEL; the handle, on the caller's stack, is the place in the queue. (WDK page of the
   name) */
VOID KeAcquireInStackQueuedSpinLock(PKSPIN_LOCK SpinLock, PKLOCK_QUEUE_HANDLE LockHandle)
{
    KI_LOCK_RAISES(SpinLock);
    LockHandle->OldIrql = KiRaiseToDispatch();
    KiQueueAcquire(SpinLock, &LockHandle->LockQueue);
}
EXPORT(KeAcquireInStackQueuedSpinLock);

/* Releases, hands on to the next in the queue, then lowers the level to what it was. DISPATCH_LEVEL.
   (WDK page of the name) */
VOID KeReleaseInStackQueuedSpinLock(PKLOCK_QUEUE_HANDLE LockHandle)
{
    KI_LOCK_AT_DPC(LockHandle);
    KIRQL Irql = LockHandle->OldIrql;
    KiQueueRelease(&LockHandle->LockQueue);
    KiLower(Irql);
}
EXPORT(KeReleaseInStackQueuedSpinLock);
