/* SPDX-License-Identifier: MIT */
/*
 * The spin lock inside the kernel: a class and a rank (lockrank.h), checked in debug builds. Not
 * first-come-first-served: with more virtual processors than cores a queue would wait for a holder that is
 * not running.
 */
#ifndef PRIMER_LOCK_H
#define PRIMER_LOCK_H

#include "arch/arch.h"
#include "kernel/kd/locks.h"
#include "kernel/kd/trace.h"
#include "kernel/ke/lockrank.h"
#include <ntddk.h>

typedef struct _KLOCK {
    volatile ULONG Held;
#if DBG
    UCHAR Class;
#endif
} KLOCK, *PKLOCK;

#define KLOCK_SHARED 0x100

#if DBG
/*
 * The record of held locks (kernel/kd/locks.h), which all kinds of lock keep in debug builds.
 *
 * Spin locks, at DISPATCH_LEVEL or with interrupts off: KiNoteAcquire before spinning (a try, too, which only
 * has its contracts checked), KiNoteAcquired once the lock is held, KiNoteRelease before it is let go. A
 * class may have KLOCK_SHARED added, at all three. (Blocking locks: sync/held.h.)
 */
void KiNoteAcquire(const void *Lock, ULONG Class, BOOLEAN Try);
void KiNoteAcquired(const void *Lock, ULONG Class);
void KiNoteRelease(const void *Lock, ULONG Class);
/* A reader has become the writer, or the reverse: the class tells. */
void KiNoteConverted(const void *Lock, ULONG Class);

/* How many spin locks this processor holds. */
ULONG KiLocksHeld(void);
/* In a routine that initialises a lock: its caller is what the order graph knows the lock by. */
#define KiNoteInitialize(Lock) KdLockInitialized(Lock, (ULONG64)__builtin_return_address(0))
#define KLOCK_CLASS_OF(Lock) ((KLOCK_CLASS)(Lock)->Class)
#else
#define KiNoteAcquire(Lock, Class, Try)    ((void)0)
#define KiNoteAcquired(Lock, Class)        ((void)0)
#define KiNoteRelease(Lock, Class)         ((void)0)
#define KiNoteConverted(Lock, Class)       ((void)0)
#define KiNoteInitialize(Lock)             ((void)0)
#define KLOCK_CLASS_OF(Lock)               KlcCount
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

/* One attempt; true when another processor holds the lock. Bit 0 is the lock: setting it and testing what it
   was is one instruction. */
static inline bool KiIsLockTaken(PKLOCK Lock)
{
    return (__atomic_fetch_or(&Lock->Held, 1, __ATOMIC_ACQUIRE) & 1) != 0;
}

/* Spins until the lock is free and takes it. >= DISPATCH_LEVEL (or interrupts off, for locks that interrupts
   take). */
static inline void KeAcquireLockAtDpc(PKLOCK Lock)
{
    KiNoteAcquire(Lock, KLOCK_CLASS_OF(Lock), FALSE);
    if (__builtin_expect(KiIsLockTaken(Lock), 0)) {
        ArchCallKeeping(KdSpinForBit, &Lock->Held, 0, 0);
    }
    KiNoteAcquired(Lock, KLOCK_CLASS_OF(Lock));
}

static inline bool KeTryAcquireLockAtDpc(PKLOCK Lock)
{
    KiNoteAcquire(Lock, KLOCK_CLASS_OF(Lock), TRUE);
    if (Lock->Held != 0 || KiIsLockTaken(Lock)) {
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
