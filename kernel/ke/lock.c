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

static const struct {
    UCHAR Rank;
    const char *Name;
} KiLockClass[] = {
#define X(Class, Rank, Name, What) {Rank, Name},
    KLOCK_CLASSES(X)
#undef X
};

ULONG KiLocksHeld(void)
{
    return KeGetCurrentPrcb()->HeldCount;
}

/* May Lock be acquired on top of a lock that is held? Same class: only where the rank table allows it. */
static bool KiOrderAllows(const void *Held, UCHAR HeldClass, const void *Lock, KLOCK_CLASS Class)
{
    if (KiLockClass[HeldClass].Rank != KiLockClass[Class].Rank) {
        return KiLockClass[HeldClass].Rank < KiLockClass[Class].Rank;
    }
    return Class == KlcDriver || Class == KlcInterrupt || (Class == KlcObject && Held < Lock);
}

void KiNoteAcquire(const void *Lock, KLOCK_CLASS Class, BOOLEAN Try)
{
    bool Interrupts = ArchDisableInterrupts();
    PKPRCB Prcb = KeGetCurrentPrcb();
    if (Prcb->Irql < DISPATCH_LEVEL && Interrupts) {
        KdBugCheck(IRQL_NOT_GREATER_OR_EQUAL, (ULONG64)Lock, Prcb->Irql, DISPATCH_LEVEL, 0, NULL,
                   "lock '%s' acquired at level %d", KiLockClass[Class].Name, Prcb->Irql);
    }
    for (ULONG i = 0; i < Prcb->HeldCount; i++) {
        if (Prcb->Held[i].Lock == Lock) {
            KdBugCheck(SPIN_LOCK_ALREADY_OWNED, (ULONG64)Lock, Class, 0, 0, NULL,
                       "processor %d acquires lock '%s' that it holds", Prcb->Number, KiLockClass[Class].Name);
        }
        if (!Try && !KiOrderAllows(Prcb->Held[i].Lock, Prcb->Held[i].Class, Lock, Class)) {
            KdBugCheck(LOCK_ORDER_VIOLATION, (ULONG64)Lock, Prcb->Held[i].Class, Class, Prcb->Number, NULL,
                       "lock '%s' (rank %d) acquired while holding '%s' (rank %d)", KiLockClass[Class].Name,
                       KiLockClass[Class].Rank, KiLockClass[Prcb->Held[i].Class].Name,
                       KiLockClass[Prcb->Held[i].Class].Rank);
        }
    }
    ArchRestoreInterrupts(Interrupts);
}

void KiNoteAcquired(const void *Lock, KLOCK_CLASS Class)
{
    bool Interrupts = ArchDisableInterrupts();
    PKPRCB Prcb = KeGetCurrentPrcb();
    KI_ASSERT(Prcb->HeldCount < KHELD_LOCKS, "%u locks held", Prcb->HeldCount);
    Prcb->Held[Prcb->HeldCount].Lock = Lock;
    Prcb->Held[Prcb->HeldCount].Class = (UCHAR)Class;
    Prcb->HeldCount++;
    ArchRestoreInterrupts(Interrupts);
}

void KiNoteRelease(const void *Lock, KLOCK_CLASS Class)
{
    bool Interrupts = ArchDisableInterrupts();
    PKPRCB Prcb = KeGetCurrentPrcb();
    ULONG i = Prcb->HeldCount;
    while (i > 0 && Prcb->Held[i - 1].Lock != Lock) {
        i--;
    }
    if (i == 0) {
        KdBugCheck(SPIN_LOCK_NOT_OWNED, (ULONG64)Lock, Class, 0, 0, NULL,
                   "processor %d releases lock '%s' that it does not hold", Prcb->Number, KiLockClass[Class].Name);
    }
    for (; i < Prcb->HeldCount; i++) {
        Prcb->Held[i - 1] = Prcb->Held[i];
    }
    Prcb->HeldCount--;
    ArchRestoreInterrupts(Interrupts);
}

#endif
