/* SPDX-License-Identifier: MIT */
/*
 * Fast mutexes, and guarded mutexes, which since Windows 8 are the same: the holder runs at APC_LEVEL, so
 * that no APC of either kind interrupts it. The Unsafe forms leave the level alone; their caller has turned
 * APCs off.
 *
 * Count: bit 0 is set while the mutex is free; each waiter adds 4. The holder that finds waiters hands the
 * mutex to the first of them without ever marking it free, and so nobody can come between: waiters are served
 * in order.
 */
#include "kernel/ex/ex.h"
#include "kernel/rtl/export.h"
#include "sync/held.h"

#define FAST_MUTEX_FREE   1
#define FAST_MUTEX_WAITER 4

/* Makes a free mutex. Any IRQL. (WDK pages ExInitializeFastMutex, KeInitializeGuardedMutex) */
VOID ExInitializeFastMutex(PFAST_MUTEX FastMutex)
{
    KiNoteInitialize(FastMutex);
    FastMutex->Count = FAST_MUTEX_FREE;
    FastMutex->Owner = NULL;
    FastMutex->Contention = 0;
    FastMutex->OldIrql = PASSIVE_LEVEL;
    KeInitializeEvent(&FastMutex->Event, SynchronizationEvent, FALSE);
}
EXPORT(ExInitializeFastMutex);

/* Takes the mutex if it is free, else joins its waiters. */
static bool ExpTakeOrQueue(PFAST_MUTEX Mutex)
{
    LONG Count = __atomic_load_n(&Mutex->Count, __ATOMIC_RELAXED), New;
    do {
        New = Count & FAST_MUTEX_FREE ? Count - FAST_MUTEX_FREE : Count + FAST_MUTEX_WAITER;
    } while (!__atomic_compare_exchange_n(&Mutex->Count, &Count, New, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED));
    return (Count & FAST_MUTEX_FREE) != 0;
}

static inline void ExpAcquireFastMutex(PFAST_MUTEX Mutex, const void *Place)
{
    KiNoteBlockingAcquire(Mutex, KbkFastMutex, Place);
    if (!ExpTakeOrQueue(Mutex)) {
        __atomic_fetch_add(&Mutex->Contention, 1, __ATOMIC_RELAXED);
        KeWaitForSingleObject(&Mutex->Event, WrFastMutex, KernelMode, FALSE, NULL);
    }
    Mutex->Owner = ArchCurrentThread();
    KiNoteBlockingAcquired(ArchCurrentThread(), Mutex, KbkFastMutex, FALSE, Place);
}

/* The last touch of the mutex either marks it free or sets the event: its memory may be given up by the next
   holder. */
static inline void ExpReleaseFastMutex(PFAST_MUTEX Mutex, const void *Place)
{
    KiNoteBlockingRelease(ArchCurrentThread(), Mutex, KbkFastMutex, Mutex->Owner, Place);
    Mutex->Owner = NULL;
    LONG Count = __atomic_load_n(&Mutex->Count, __ATOMIC_RELAXED), New;
    do {
        New = Count == 0 ? FAST_MUTEX_FREE : Count - FAST_MUTEX_WAITER;
    } while (!__atomic_compare_exchange_n(&Mutex->Count, &Count, New, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED));
    if (Count != 0) {
        KeSetEvent(&Mutex->Event, EVENT_INCREMENT, FALSE);
    }
}

/* Raises the level to APC_LEVEL and waits until the mutex is the caller's. Not recursive: a holder that
   acquires it again waits for ever (a debug build stops it with a bug check). <= APC_LEVEL, APC_LEVEL on
   return. May block. (WDK pages ExAcquireFastMutex, KeAcquireGuardedMutex) */
VOID ExAcquireFastMutex(PFAST_MUTEX FastMutex)
{
    KIRQL OldIrql;
    KeRaiseIrql(APC_LEVEL, &OldIrql);
    ExpAcquireFastMutex(FastMutex, KI_CALLER());
    FastMutex->OldIrql = OldIrql;
}
EXPORT(ExAcquireFastMutex);

/* Gives the mutex up and restores the level from before its acquisition. APC_LEVEL.
   (WDK pages ExReleaseFastMutex, KeReleaseGuardedMutex) */
VOID ExReleaseFastMutex(PFAST_MUTEX FastMutex)
{
    KIRQL OldIrql = (KIRQL)FastMutex->OldIrql;
    ExpReleaseFastMutex(FastMutex, KI_CALLER());
    KeLowerIrql(OldIrql);
}
EXPORT(ExReleaseFastMutex);

/* TRUE: acquired, as ExAcquireFastMutex does. FALSE: somebody holds it (perhaps the caller), and the level is
   as it was. <= APC_LEVEL. (WDK pages ExTryToAcquireFastMutex, KeTryToAcquireGuardedMutex) */
BOOLEAN ExTryToAcquireFastMutex(PFAST_MUTEX FastMutex)
{
    KIRQL OldIrql;
    LONG Free = FAST_MUTEX_FREE;
    KeRaiseIrql(APC_LEVEL, &OldIrql);
    if (!__atomic_compare_exchange_n(&FastMutex->Count, &Free, 0, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
        KeLowerIrql(OldIrql);
        return FALSE;
    }
    FastMutex->Owner = ArchCurrentThread();
    FastMutex->OldIrql = OldIrql;
    KiNoteBlockingAcquired(ArchCurrentThread(), FastMutex, KbkFastMutex, FALSE, KI_CALLER());
    return TRUE;
}
EXPORT(ExTryToAcquireFastMutex);

/* The same without touching the level: the caller is at APC_LEVEL, or in a critical region (a guarded one for
   guarded mutexes), from the acquisition to the release. May block.
   (WDK pages ExAcquireFastMutexUnsafe, KeAcquireGuardedMutexUnsafe and their counterparts) */
VOID ExAcquireFastMutexUnsafe(PFAST_MUTEX FastMutex)
{
    KiCheckApcsOff(FastMutex, KbkFastMutex, KI_CALLER());
    ExpAcquireFastMutex(FastMutex, KI_CALLER());
}
EXPORT(ExAcquireFastMutexUnsafe);

/* Gives the mutex up and leaves the level alone. (WDK page of the name) */
VOID ExReleaseFastMutexUnsafe(PFAST_MUTEX FastMutex)
{
    ExpReleaseFastMutex(FastMutex, KI_CALLER());
}
EXPORT(ExReleaseFastMutexUnsafe);

#define SAME_AS(Routine) __attribute__((alias(#Routine)))
/* Makes a free guarded mutex. Any IRQL. (WDK page of the name) */
VOID KeInitializeGuardedMutex(PKGUARDED_MUTEX Mutex) SAME_AS(ExInitializeFastMutex);
/* As ExAcquireFastMutex. (WDK page of the name) */
VOID KeAcquireGuardedMutex(PKGUARDED_MUTEX Mutex) SAME_AS(ExAcquireFastMutex);
/* As ExReleaseFastMutex. (WDK page of the name) */
VOID KeReleaseGuardedMutex(PKGUARDED_MUTEX Mutex) SAME_AS(ExReleaseFastMutex);
/* As ExTryToAcquireFastMutex. (WDK page of the name) */
BOOLEAN KeTryToAcquireGuardedMutex(PKGUARDED_MUTEX Mutex) SAME_AS(ExTryToAcquireFastMutex);
/* As ExAcquireFastMutexUnsafe, in a guarded region. (WDK page of the name) */
VOID KeAcquireGuardedMutexUnsafe(PKGUARDED_MUTEX Mutex) SAME_AS(ExAcquireFastMutexUnsafe);
/* As ExReleaseFastMutexUnsafe. (WDK page of the name) */
VOID KeReleaseGuardedMutexUnsafe(PKGUARDED_MUTEX Mutex) SAME_AS(ExReleaseFastMutexUnsafe);
EXPORT(KeInitializeGuardedMutex);
EXPORT(KeAcquireGuardedMutex);
EXPORT(KeReleaseGuardedMutex);
EXPORT(KeTryToAcquireGuardedMutex);
EXPORT(KeAcquireGuardedMutexUnsafe);
EXPORT(KeReleaseGuardedMutexUnsafe);
