/* SPDX-License-Identifier: MIT */
/*
 * Locks with their level, and what debug builds check about every internal lock: its rank, its owner, the
 * IRQL. Each processor keeps the list of the locks that it holds; nobody else reads it.
 */
#include "kernel/ke/ki.h"

KIRQL KeAcquireLock(PKLOCK Lock)
{
    KIRQL Old = KiRaiseToDispatch();
    KeAcquireLockAtDpc(Lock);
    return Old;
}

void KeReleaseLock(PKLOCK Lock, KIRQL OldIrql)
{
    KeReleaseLockFromDpc(Lock);
    KiLower(OldIrql);
}

#if DBG

static KD_LOCK_CLASS KiLockClass[KlcCount] = {
#define X(Class, Rank, Name, What)                                                                                     \
    [Class] = {Name, Rank,                                                                                             \
               Rank == KLOCK_DRIVER_RANK || Class == KlcInterrupt ? KD_CLASS_ORDERED                                  \
               : Class == KlcObject                               ? KD_CLASS_ADDRESS                                  \
                                                                  : 0},
    KLOCK_CLASSES(X)
#undef X
};

#define KI_CLASS(Class) (&KiLockClass[(Class) & ~KLOCK_SHARED])
#define KI_MODE(Class)  ((Class) & KLOCK_SHARED ? KD_LOCK_SHARED : 0)
C_ASSERT(KlcCount < KLOCK_SHARED);

ULONG KiLocksHeld(void)
{
    return KdLocksHeld(&KeGetCurrentPrcb()->LockList);
}

static NORETURN void KiLockMisused(ULONG Code, const void *Lock, ULONG Class, const char *Text)
{
    char Name[KD_NAME_SIZE];
    PKPRCB Prcb = KeGetCurrentPrcb();
    KdBugCheck(Code, (ULONG64)Lock, Prcb->Irql, Prcb->Number, 0, NULL, "%s %s %s (processor %u, level %d)",
               KI_CLASS(Class)->Name, KdName(Lock, Name, sizeof(Name)), Text, Prcb->Number, Prcb->Irql);
}

/* The first word of each kind of lock tells, but for an object's, which has a byte. */
static ULONG KiIsTaken(const void *Lock, ULONG Class)
{
    bool Taken = Class == KlcObject ? ((const DISPATCHER_HEADER *)Lock)->Lock != 0
                 : Class & KLOCK_SHARED ? *(const volatile LONG *)Lock < 0 : *(const volatile LONG *)Lock != 0;
    return Taken ? KD_LOCK_TAKEN : 0;
}

void KiNoteAcquire(const void *Lock, ULONG Class, BOOLEAN Try)
{
    PKPRCB Prcb = KeGetCurrentPrcb();
    if (Prcb->Irql < DISPATCH_LEVEL && ArchInterruptsEnabled()) {
        KiLockMisused(IRQL_NOT_GREATER_OR_EQUAL, Lock, Class, "is acquired below DISPATCH_LEVEL");
    }
    if (!KdLockWanted(&Prcb->LockList, Lock, KI_CLASS(Class), KI_MODE(Class) | KiIsTaken(Lock, Class) | (Try ? KD_LOCK_TRY : 0),
                      __builtin_frame_address(0))) {
        KiLockMisused(SPIN_LOCK_ALREADY_OWNED, Lock, Class, "is acquired by the processor that holds it");
    }
}

void KiNoteAcquired(const void *Lock, ULONG Class)
{
    PKPRCB Prcb = KeGetCurrentPrcb();
    KdLockTaken(&Prcb->LockList, Lock, KI_CLASS(Class), KI_MODE(Class), __builtin_frame_address(0));
    KI_ASSERT(Prcb->LockList.Lost == 0, "more than %u locks held", KHELD_LOCKS);
}

void KiNoteRelease(const void *Lock, ULONG Class)
{
    if (!KdLockReleased(&KeGetCurrentPrcb()->LockList, Lock, KI_CLASS(Class), KI_MODE(Class))) {
        KiLockMisused(SPIN_LOCK_NOT_OWNED, Lock, Class, "is released by a processor that does not hold it so");
    }
}

void KiNoteConverted(const void *Lock, ULONG Class)
{
    KdLockConverted(&KeGetCurrentPrcb()->LockList, Lock, KI_MODE(Class));
}

#endif
