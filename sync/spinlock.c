/* SPDX-License-Identifier: MIT */
/*
 * Drivers' spin locks: plain, and in-stack queued (first come, first served). A plain lock's word is 0 when
 * free; held, it is 1 in release builds and the owning thread's address + 1 in debug builds, which check
 * owners, order and levels.
 */
#include "sync/sync.h"

VOID KeInitializeSpinLock(PKSPIN_LOCK SpinLock)
{
    *SpinLock = 0;
}
EXPORT(KeInitializeSpinLock);

#if DBG
static KSPIN_LOCK KiHeldValue(void)
{
    return (KSPIN_LOCK)ArchCurrentThread() + 1;
}
#else
#define KiHeldValue() 1
#endif

static inline bool KiSpinTry(PKSPIN_LOCK SpinLock)
{
    KSPIN_LOCK Free = 0;
    return __atomic_compare_exchange_n(SpinLock, &Free, KiHeldValue(), false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static inline void KiSpinAcquire(PKSPIN_LOCK SpinLock)
{
    KiNoteAcquire(SpinLock, KlcDriver, FALSE);
    while (!KiSpinTry(SpinLock)) {
        while (*(volatile KSPIN_LOCK *)SpinLock != 0) {
            ArchPause();
        }
    }
    KiNoteAcquired(SpinLock, KlcDriver);
}

static inline void KiSpinRelease(PKSPIN_LOCK SpinLock)
{
    KiNoteRelease(SpinLock, KlcDriver);
    __atomic_store_n(SpinLock, 0, __ATOMIC_RELEASE);
}

/* Raises to DISPATCH_LEVEL and acquires; returns the level before. <= DISPATCH_LEVEL. (WDK page of the name)
   */
KIRQL KeAcquireSpinLockRaiseToDpc(PKSPIN_LOCK SpinLock)
{
    KIRQL Old = ArchGetIrql();
#if DBG
    if (Old > DISPATCH_LEVEL) {
        KdBugCheck(IRQL_NOT_LESS_OR_EQUAL, (ULONG64)SpinLock, Old, DISPATCH_LEVEL, 0, NULL,
                   "KeAcquireSpinLock at level %d", Old);
    }
#endif
    ArchSetIrql(DISPATCH_LEVEL);
    KiSpinAcquire(SpinLock);
    return Old;
}
EXPORT(KeAcquireSpinLockRaiseToDpc);

VOID KeAcquireSpinLock(PKSPIN_LOCK SpinLock, PKIRQL OldIrql)
{
    *OldIrql = KeAcquireSpinLockRaiseToDpc(SpinLock);
}
EXPORT(KeAcquireSpinLock);

VOID KeReleaseSpinLock(PKSPIN_LOCK SpinLock, KIRQL NewIrql)
{
    KI_ASSERT(ArchGetIrql() == DISPATCH_LEVEL, "KeReleaseSpinLock at level %d", ArchGetIrql());
    KiSpinRelease(SpinLock);
    KiLower(NewIrql);
}
EXPORT(KeReleaseSpinLock);

VOID KeAcquireSpinLockAtDpcLevel(PKSPIN_LOCK SpinLock)
{
#if DBG
    if (ArchGetIrql() < DISPATCH_LEVEL) {
        KdBugCheck(IRQL_NOT_DISPATCH_LEVEL, (ULONG64)SpinLock, ArchGetIrql(), DISPATCH_LEVEL, 0, NULL,
                   "KeAcquireSpinLockAtDpcLevel at level %d", ArchGetIrql());
    }
#endif
    KiSpinAcquire(SpinLock);
}
EXPORT(KeAcquireSpinLockAtDpcLevel);

VOID KeReleaseSpinLockFromDpcLevel(PKSPIN_LOCK SpinLock)
{
    KiSpinRelease(SpinLock);
}
EXPORT(KeReleaseSpinLockFromDpcLevel);

/* FALSE at once when it is held; held by this processor: a bug check in debug builds. (WDK page of the name)
   */
BOOLEAN KeTryToAcquireSpinLockAtDpcLevel(PKSPIN_LOCK SpinLock)
{
    KiNoteAcquire(SpinLock, KlcDriver, TRUE);
    bool Acquired = *(volatile KSPIN_LOCK *)SpinLock == 0 && KiSpinTry(SpinLock);
    if (Acquired) {
        KiNoteAcquired(SpinLock, KlcDriver);
    }
    return Acquired;
}
EXPORT(KeTryToAcquireSpinLockAtDpcLevel);

BOOLEAN KeTestSpinLock(PKSPIN_LOCK SpinLock)
{
    return *(volatile KSPIN_LOCK *)SpinLock == 0;
}
EXPORT(KeTestSpinLock);

/* ---- In-stack queued ---- */

/* The lock word is the last entry of the queue. An entry's Lock member holds the lock's address; bit 0 of it
   while the entry waits, bit 1 while it owns. */
#define QUEUE_WAIT  1
#define QUEUE_OWNER 2

VOID KeAcquireInStackQueuedSpinLockAtDpcLevel(PKSPIN_LOCK SpinLock, PKLOCK_QUEUE_HANDLE LockHandle)
{
    PKSPIN_LOCK_QUEUE Entry = &LockHandle->LockQueue;
    KiNoteAcquire(SpinLock, KlcDriver, FALSE);
    Entry->Next = NULL;
    Entry->Lock = (PKSPIN_LOCK)((ULONG_PTR)SpinLock | QUEUE_WAIT);
    PKSPIN_LOCK_QUEUE Last = (PKSPIN_LOCK_QUEUE)__atomic_exchange_n(SpinLock, (KSPIN_LOCK)Entry, __ATOMIC_ACQ_REL);
    if (Last != NULL) {
        __atomic_store_n(&Last->Next, Entry, __ATOMIC_RELEASE);
        while ((ULONG_PTR)__atomic_load_n(&Entry->Lock, __ATOMIC_ACQUIRE) & QUEUE_WAIT) {
            ArchPause();
        }
    } else {
        Entry->Lock = (PKSPIN_LOCK)((ULONG_PTR)SpinLock | QUEUE_OWNER);
    }
    KiNoteAcquired(SpinLock, KlcDriver);
}
EXPORT(KeAcquireInStackQueuedSpinLockAtDpcLevel);

VOID KeReleaseInStackQueuedSpinLockFromDpcLevel(PKLOCK_QUEUE_HANDLE LockHandle)
{
    PKSPIN_LOCK_QUEUE Entry = &LockHandle->LockQueue;
    PKSPIN_LOCK SpinLock = (PKSPIN_LOCK)((ULONG_PTR)Entry->Lock & ~(ULONG_PTR)(QUEUE_WAIT | QUEUE_OWNER));
    KSPIN_LOCK Last = (KSPIN_LOCK)Entry;
    KiNoteRelease(SpinLock, KlcDriver);
    Entry->Lock = SpinLock;
    if (Entry->Next == NULL &&
        __atomic_compare_exchange_n(SpinLock, &Last, 0, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED)) {
        return;
    }
    PKSPIN_LOCK_QUEUE Next;
    while ((Next = __atomic_load_n(&Entry->Next, __ATOMIC_ACQUIRE)) == NULL) { /* it has joined, and is about to say so */
        ArchPause();
    }
    __atomic_store_n(&Next->Lock, (PKSPIN_LOCK)((ULONG_PTR)SpinLock | QUEUE_OWNER), __ATOMIC_RELEASE);
}
EXPORT(KeReleaseInStackQueuedSpinLockFromDpcLevel);

/* Raises to DISPATCH_LEVEL; the handle, on the caller's stack, is the place in the queue. (WDK page of the
   name) */
VOID KeAcquireInStackQueuedSpinLock(PKSPIN_LOCK SpinLock, PKLOCK_QUEUE_HANDLE LockHandle)
{
    LockHandle->OldIrql = KiRaiseToDispatch();
    KeAcquireInStackQueuedSpinLockAtDpcLevel(SpinLock, LockHandle);
}
EXPORT(KeAcquireInStackQueuedSpinLock);

VOID KeReleaseInStackQueuedSpinLock(PKLOCK_QUEUE_HANDLE LockHandle)
{
    KIRQL Irql = LockHandle->OldIrql;
    KeReleaseInStackQueuedSpinLockFromDpcLevel(LockHandle);
    KiLower(Irql);
}
EXPORT(KeReleaseInStackQueuedSpinLock);
