/* SPDX-License-Identifier: MIT */
/*
 * The spin lock inside the kernel: a class and a rank (lockrank.h), checked in debug builds. Not
 * first-come-first-served: with more virtual processors than cores a queue would wait for a holder that is
 * not running.
 */
#ifndef PRIMER_LOCK_H
#define PRIMER_LOCK_H

#include "arch/arch.h"
#include "kernel/ke/lockrank.h"
#include <ntddk.h>

typedef struct _KLOCK {
    volatile ULONG Held;
#if DBG
    UCHAR Class;
#endif
} KLOCK, *PKLOCK;

#if DBG
/* Rank, self-deadlock and IRQL checks, then the record; and the reverse. A try that fails records nothing. */
void KiNoteAcquire(const void *Lock, KLOCK_CLASS Class, BOOLEAN Try);
void KiNoteAcquired(const void *Lock, KLOCK_CLASS Class);
void KiNoteRelease(const void *Lock, KLOCK_CLASS Class);
/* How many spin locks this processor holds. */
ULONG KiLocksHeld(void);
#define KLOCK_CLASS_OF(Lock) ((KLOCK_CLASS)(Lock)->Class)
#else
#define KiNoteAcquire(Lock, Class, Try) ((void)0)
#define KiNoteAcquired(Lock, Class)     ((void)0)
#define KiNoteRelease(Lock, Class)      ((void)0)
#define KLOCK_CLASS_OF(Lock)            KlcCount
#endif

/* A lock that is there before any code runs. */
#if DBG
#define KLOCK_INITIALIZER(LockClass) {.Class = (LockClass)}
#else
#define KLOCK_INITIALIZER(LockClass) {0}
#endif

static inline void KeInitializeLock(PKLOCK Lock, KLOCK_CLASS Class)
{
    Lock->Held = 0;
#if DBG
    Lock->Class = (UCHAR)Class;
#endif
}

/* Spins until the lock is free and takes it. >= DISPATCH_LEVEL (or interrupts off, for locks that interrupts
   take). */
static inline void KeAcquireLockAtDpc(PKLOCK Lock)
{
    KiNoteAcquire(Lock, KLOCK_CLASS_OF(Lock), FALSE);
    while (__atomic_exchange_n(&Lock->Held, 1, __ATOMIC_ACQUIRE) != 0) {
        while (Lock->Held != 0) {
            ArchPause();
        }
    }
    KiNoteAcquired(Lock, KLOCK_CLASS_OF(Lock));
}

static inline bool KeTryAcquireLockAtDpc(PKLOCK Lock)
{
    KiNoteAcquire(Lock, KLOCK_CLASS_OF(Lock), TRUE);
    if (Lock->Held != 0 || __atomic_exchange_n(&Lock->Held, 1, __ATOMIC_ACQUIRE) != 0) {
        return false;
    }
    KiNoteAcquired(Lock, KLOCK_CLASS_OF(Lock));
    return true;
}

static inline void KeReleaseLockFromDpc(PKLOCK Lock)
{
    KiNoteRelease(Lock, KLOCK_CLASS_OF(Lock));
    __atomic_store_n(&Lock->Held, 0, __ATOMIC_RELEASE);
}

/* The same with the level raised to DISPATCH_LEVEL and lowered again. */
KIRQL KeAcquireLock(PKLOCK Lock);
void KeReleaseLock(PKLOCK Lock, KIRQL OldIrql);

#endif
