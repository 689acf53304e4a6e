/* SPDX-License-Identifier: MIT */
/* Forms of the spin locks' routines that say no more than others: for routines that may run as threaded DPCs;
   a look at a lock; a high level. */
#include <ntddk.h>

/* TRUE when it is free, at this moment. Any IRQL. (WDK page of the name; so the others) */
BOOLEAN KeTestSpinLock(PKSPIN_LOCK SpinLock)
{
    return *(volatile KSPIN_LOCK *)SpinLock == 0;
}

/* For a DPC routine that may run as a threaded DPC: an ordinary one is at DISPATCH_LEVEL already, and stays
   there. <= DISPATCH_LEVEL. (WDK page of the name) */
KIRQL KeAcquireSpinLockForDpc(PKSPIN_LOCK SpinLock)
{
    return KeAcquireSpinLockRaiseToDpc(SpinLock);
}

/* Releases what KeAcquireSpinLockForDpc has acquired, and lowers the level if that had raised it.
   (WDK page of the name) */
VOID KeReleaseSpinLockForDpc(PKSPIN_LOCK SpinLock, KIRQL OldIrql)
{
    KeReleaseSpinLock(SpinLock, OldIrql);
}

/* For a DPC routine that may run as a threaded DPC, as KeAcquireSpinLockForDpc. (WDK page of the name) */
VOID KeAcquireInStackQueuedSpinLockForDpc(PKSPIN_LOCK SpinLock, PKLOCK_QUEUE_HANDLE LockHandle)
{
    KeAcquireInStackQueuedSpinLock(SpinLock, LockHandle);
}

/* Releases what KeAcquireInStackQueuedSpinLockForDpc has acquired, and lowers the level if that had raised
   it. (WDK page of the name) */
VOID KeReleaseInStackQueuedSpinLockForDpc(PKLOCK_QUEUE_HANDLE LockHandle)
{
    KeReleaseInStackQueuedSpinLock(LockHandle);
}

/* Raises the level to SYNCH_LEVEL (12); returns the level before. <= SYNCH_LEVEL; does not block. (WDK page
   of the name) */
KIRQL KeRaiseIrqlToSynchLevel(VOID)
{
    KIRQL Old;
    KeRaiseIrql(SYNCH_LEVEL, &Old);
    return Old;
}
