/* SPDX-License-Identifier: MIT */
/*
 * The plain spin lock of drivers, inline, for those parts of the kernel that take a driver's KSPIN_LOCK at
 * another level than DISPATCH_LEVEL: interlocked lists and interrupt objects. The class says which, for the
 * order of locks.
 *
 * The word is 0 when free; held, it is 1 in release builds and the owning thread's address + 1 in debug
 * builds. So a held word is odd, while a lock that is used as a queued one holds the (even) address of a
 * queue entry.
 */
#ifndef PRIMER_SPINLOCK_H
#define PRIMER_SPINLOCK_H

#include "kernel/kd/kd.h"
#include "kernel/ke/ke.h"

static inline KSPIN_LOCK KiHeldValue(void)
{
    return DBG ? (KSPIN_LOCK)ArchCurrentThread() + 1 : 1;
}

static inline bool KiSpinTry(PKSPIN_LOCK SpinLock)
{
    KSPIN_LOCK Free = 0;
    return __atomic_compare_exchange_n(SpinLock, &Free, KiHeldValue(), false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

/* The rest of an acquisition that has found the lock taken. (spinlock.c) */
void ARCH_KEEPS_REGISTERS KiSpinForSpinLock(ARCH_IN_REGISTERS, PKSPIN_LOCK SpinLock);

static inline void KiSpinAcquire(PKSPIN_LOCK SpinLock, KLOCK_CLASS Class)
{
    KiNoteAcquire(SpinLock, Class, FALSE);
    if (__builtin_expect(!KiSpinTry(SpinLock), 0)) {
        ArchCallKeeping(KiSpinForSpinLock, SpinLock, 0, 0);
    }
    KiNoteAcquired(SpinLock, Class);
}

static inline void KiSpinRelease(PKSPIN_LOCK SpinLock, KLOCK_CLASS Class)
{
    KiNoteRelease(SpinLock, Class);
    __atomic_store_n(SpinLock, 0, __ATOMIC_RELEASE);
}

/* Debug builds end with the documented code when a lock routine is called at a level that it does not
   allow. */
#if DBG
void KiCheckLockLevel(const void *Lock, KIRQL Lowest, const char *Routine);
#else
#define KiCheckLockLevel(Lock, Lowest, Routine) ((void)0)
#endif

/* A routine that raises to DISPATCH_LEVEL; one that expects that level, or a higher one, already. */
#define KI_LOCK_RAISES(Lock)  KiCheckLockLevel(Lock, PASSIVE_LEVEL, __func__)
#define KI_LOCK_AT_DPC(Lock)  KiCheckLockLevel(Lock, DISPATCH_LEVEL, __func__)

#endif
