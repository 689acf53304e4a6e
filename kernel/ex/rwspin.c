/* SPDX-License-Identifier: MIT */
/*
 * Reader-writer spin locks. The word counts the readers; its sign bit says that a writer holds the lock, or
 * has claimed it and waits for the readers inside to leave. New readers stay out from then on, so that
 * writers get their turn; that is why nobody may acquire such a lock twice, not even for reading, and debug
 * builds check it.
 *
 * Nothing is promised to readers: when a writer lets go, readers and the next writer race for the word, so
 * that a stream of writers without a pause can keep a reader waiting. The driver kit promises no order
 * either. Such locks are for data that is read much and seldom written.
 */
#include "sync/spinlock.h"
#include "kernel/rtl/export.h"

#define RW_WRITER ((LONG)0x80000000)

static inline LONG ExpReadWord(PEX_SPIN_LOCK SpinLock)
{
    return __atomic_load_n(SpinLock, __ATOMIC_ACQUIRE);
}

/* Of two writers the one that finds the bit clear goes on. */
static void ExpAcquireExclusive(PEX_SPIN_LOCK SpinLock)
{
    KiNoteAcquire((const void *)SpinLock, KlcReadWrite, FALSE);
    while (__atomic_fetch_or(SpinLock, RW_WRITER, __ATOMIC_ACQUIRE) < 0) {
        while (ExpReadWord(SpinLock) < 0) {
            ArchPause();
        }
    }
    while (ExpReadWord(SpinLock) != RW_WRITER) {
        ArchPause();
    }
    KiNoteAcquired((const void *)SpinLock, KlcReadWrite);
}

/* One more reader; false when a writer is there or claims the lock. */
static inline bool ExpAddReader(PEX_SPIN_LOCK SpinLock)
{
    LONG Readers = ExpReadWord(SpinLock);
    while (Readers >= 0) {
        if (__atomic_compare_exchange_n(SpinLock, &Readers, Readers + 1, true, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
            return true;
        }
    }
    return false;
}

static void ExpAcquireShared(PEX_SPIN_LOCK SpinLock)
{
    KiNoteAcquire((const void *)SpinLock, KlcReadWrite | KLOCK_SHARED, FALSE);
    while (!ExpAddReader(SpinLock)) {
        ArchPause();
    }
    KiNoteAcquired((const void *)SpinLock, KlcReadWrite | KLOCK_SHARED);
}

static void ExpReleaseExclusive(PEX_SPIN_LOCK SpinLock)
{
    KiNoteRelease((const void *)SpinLock, KlcReadWrite);
    __atomic_store_n(SpinLock, 0, __ATOMIC_RELEASE);
}

static void ExpReleaseShared(PEX_SPIN_LOCK SpinLock)
{
    KiNoteRelease((const void *)SpinLock, KlcReadWrite | KLOCK_SHARED);
    __atomic_fetch_sub(SpinLock, 1, __ATOMIC_RELEASE);
}

/* Acquires for writing: alone. Raises to DISPATCH_LEVEL; returns the level before. <= DISPATCH_LEVEL. (WDK
   page of the name; so the others) */
KIRQL ExAcquireSpinLockExclusive(PEX_SPIN_LOCK SpinLock)
{
    KI_LOCK_RAISES((const void *)SpinLock);
    KIRQL Old = KiRaiseToDispatch();
    ExpAcquireExclusive(SpinLock);
    return Old;
}
EXPORT(ExAcquireSpinLockExclusive);

/* Releases a lock held exclusively, then lowers the level. DISPATCH_LEVEL. (WDK page of the name) */
VOID ExReleaseSpinLockExclusive(PEX_SPIN_LOCK SpinLock, KIRQL OldIrql)
{
    KI_LOCK_AT_DPC((const void *)SpinLock);
    ExpReleaseExclusive(SpinLock);
    KiLower(OldIrql);
}
EXPORT(ExReleaseSpinLockExclusive);

/* Acquires for writing; the level, DISPATCH_LEVEL or higher, stays. (WDK page of the name) */
VOID ExAcquireSpinLockExclusiveAtDpcLevel(PEX_SPIN_LOCK SpinLock)
{
    KI_LOCK_AT_DPC((const void *)SpinLock);
    ExpAcquireExclusive(SpinLock);
}
EXPORT(ExAcquireSpinLockExclusiveAtDpcLevel);

/* Releases a lock held exclusively; the level stays. (WDK page of the name) */
VOID ExReleaseSpinLockExclusiveFromDpcLevel(PEX_SPIN_LOCK SpinLock)
{
    KI_LOCK_AT_DPC((const void *)SpinLock);
    ExpReleaseExclusive(SpinLock);
}
EXPORT(ExReleaseSpinLockExclusiveFromDpcLevel);

/* Acquires for reading, together with other readers. Waits behind a writer that waits.
   (WDK page of the name) */
KIRQL ExAcquireSpinLockShared(PEX_SPIN_LOCK SpinLock)
{
    KI_LOCK_RAISES((const void *)SpinLock);
    KIRQL Old = KiRaiseToDispatch();
    ExpAcquireShared(SpinLock);
    return Old;
}
EXPORT(ExAcquireSpinLockShared);

/* Releases a lock held shared, then lowers the level. DISPATCH_LEVEL. (WDK page of the name) */
VOID ExReleaseSpinLockShared(PEX_SPIN_LOCK SpinLock, KIRQL OldIrql)
{
    KI_LOCK_AT_DPC((const void *)SpinLock);
    ExpReleaseShared(SpinLock);
    KiLower(OldIrql);
}
EXPORT(ExReleaseSpinLockShared);

/* Acquires for reading; the level, DISPATCH_LEVEL or higher, stays. (WDK page of the name) */
VOID ExAcquireSpinLockSharedAtDpcLevel(PEX_SPIN_LOCK SpinLock)
{
    KI_LOCK_AT_DPC((const void *)SpinLock);
    ExpAcquireShared(SpinLock);
}
EXPORT(ExAcquireSpinLockSharedAtDpcLevel);

/* Releases a lock held shared; the level stays. (WDK page of the name) */
VOID ExReleaseSpinLockSharedFromDpcLevel(PEX_SPIN_LOCK SpinLock)
{
    KI_LOCK_AT_DPC((const void *)SpinLock);
    ExpReleaseShared(SpinLock);
}
EXPORT(ExReleaseSpinLockSharedFromDpcLevel);

/* TRUE when nobody held it, and now the caller does. Never waits. DISPATCH_LEVEL. (WDK page of the name) */
BOOLEAN ExTryAcquireSpinLockExclusiveAtDpcLevel(PEX_SPIN_LOCK SpinLock)
{
    LONG Free = 0;
    KI_LOCK_AT_DPC((const void *)SpinLock);
    KiNoteAcquire((const void *)SpinLock, KlcReadWrite, TRUE);
    if (!__atomic_compare_exchange_n(SpinLock, &Free, RW_WRITER, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
        return FALSE;
    }
    KiNoteAcquired((const void *)SpinLock, KlcReadWrite);
    return TRUE;
}
EXPORT(ExTryAcquireSpinLockExclusiveAtDpcLevel);

/* TRUE when no writer held or awaited it, and the caller is a reader now. Never waits. DISPATCH_LEVEL.
   (WDK page of the name) */
BOOLEAN ExTryAcquireSpinLockSharedAtDpcLevel(PEX_SPIN_LOCK SpinLock)
{
    KI_LOCK_AT_DPC((const void *)SpinLock);
    KiNoteAcquire((const void *)SpinLock, KlcReadWrite | KLOCK_SHARED, TRUE);
    if (!ExpAddReader(SpinLock)) {
        return FALSE;
    }
    KiNoteAcquired((const void *)SpinLock, KlcReadWrite | KLOCK_SHARED);
    return TRUE;
}
EXPORT(ExTryAcquireSpinLockSharedAtDpcLevel);

/* A reader becomes the writer, if it is the only reader and no writer waits. FALSE: it is a reader still. On
   TRUE the lock is released as an exclusive one, to the level that the shared acquisition has returned.
   DISPATCH_LEVEL. (WDK page of the name) */
LOGICAL ExTryConvertSharedSpinLockExclusive(PEX_SPIN_LOCK SpinLock)
{
    LONG Alone = 1;
    KI_LOCK_AT_DPC((const void *)SpinLock);
    if (!__atomic_compare_exchange_n(SpinLock, &Alone, RW_WRITER, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
        return FALSE;
    }
    KiNoteConverted((const void *)SpinLock, KlcReadWrite);
    return TRUE;
}
EXPORT(ExTryConvertSharedSpinLockExclusive);
