/* SPDX-License-Identifier: MIT */
/* The lists of held blocking locks, and what is checked with them (held.h). Debug builds only. */
#include "sync/held.h"

#include "kernel/kd/kd.h"

#if DBG

static KD_LOCK_CLASS KiBlockingClass[] = {
    [KbkPushLock] = {"push lock", 0, KD_CLASS_ORDERED},
    [KbkFastMutex] = {"fast mutex", 0, KD_CLASS_ORDERED},
    [KbkResource] = {"resource", 0, KD_CLASS_ORDERED},
    [KbkMutex] = {"mutex", 0, KD_CLASS_ORDERED | KD_CLASS_RECURSIVE},
    [KbkRundown] = {"run-down protection", 0, KD_CLASS_COUNTED},
};

BOOLEAN KiHoldsBlocking(PKTHREAD Thread, const void *Lock)
{
    return KdLockIsHeld(&Thread->LockList, Lock);
}

ULONG KiBlockingLocksHeld(PKTHREAD Thread)
{
    return KdLocksHeld(&Thread->LockList);
}

static NORETURN void KiViolation(ULONG What, const void *Lock, KBLOCKING_KIND Kind, const void *Holder,
                                 const void *Place, const char *Text)
{
    char Name[KD_NAME_SIZE], Where[KD_NAME_SIZE];
    KdBugCheck(DRIVER_VERIFIER_DETECTED_VIOLATION, What, (ULONG64)Lock, (ULONG64)Holder, (ULONG64)Place, NULL,
               "thread %p %s %s %s at %s (held by: %p)", ArchCurrentThread(), Text, KiBlockingClass[Kind].Name,
               KdName(Lock, Name, sizeof(Name)), KdName(Place, Where, sizeof(Where)), Holder);
}

void KiNoteBlockingAcquire(const void *Lock, KBLOCKING_KIND Kind, const void *Place)
{
    PKTHREAD Thread = ArchCurrentThread();

    if (!KdLockWanted(&Thread->LockList, Lock, &KiBlockingClass[Kind], 0, __builtin_frame_address(0))) {
        KiViolation(KI_VIOLATION_SELF_DEADLOCK, Lock, Kind, Thread, Place, "acquires, though it holds it,");
    }
}

void KiNoteBlockingGivenUp(const void *Lock)
{
    KdLockGivenUp(&ArchCurrentThread()->LockList, Lock);
}

void KiNoteBlockingAcquired(PKTHREAD Holder, const void *Lock, KBLOCKING_KIND Kind, BOOLEAN Shared, const void *Place)
{
    KdLockTaken(&Holder->LockList, Lock, &KiBlockingClass[Kind], Shared ? KD_LOCK_SHARED : 0,
                __builtin_frame_address(0));
}

void KiNoteBlockingRelease(PKTHREAD Holder, const void *Lock, KBLOCKING_KIND Kind, const void *Owner, const void *Place)
{
    if (!KdLockReleased(&Holder->LockList, Lock, &KiBlockingClass[Kind], 0)) {
        KiViolation(Owner != NULL ? KI_VIOLATION_OTHER_THREAD : KI_VIOLATION_NOT_HELD, Lock, Kind, Owner, Place,
                    "releases, without holding it,");
    }
}

void KiNoteBlockingShared(PKTHREAD Holder, const void *Lock)
{
    KdLockConverted(&Holder->LockList, Lock, KD_LOCK_SHARED);
}

static bool KiIsKernelMutex(PDISPATCHER_HEADER Header)
{
    return Header->Type == MutantObject && ((PKMUTANT)Header)->ApcDisable != 0;
}

void KiNoteMutexWait(PDISPATCHER_HEADER Header, const LARGE_INTEGER *Timeout)
{
    PKTHREAD Thread = ArchCurrentThread();

    KdLockSleeps(&Thread->LockList);
    if (Timeout == NULL && KiIsKernelMutex(Header) && ((PKMUTANT)Header)->OwnerThread != Thread) {
        KdLockWanted(&Thread->LockList, Header, &KiBlockingClass[KbkMutex], 0, __builtin_frame_address(0));
    }
}

NTSTATUS KiMutexWaitEnds(PDISPATCHER_HEADER Header, NTSTATUS Status)
{
    if (Status != STATUS_SUCCESS && Status != STATUS_ABANDONED_WAIT_0 && KiIsKernelMutex(Header)) {
        KiNoteBlockingGivenUp(Header);
    }
    return Status;
}

void KiCheckApcsOff(const void *Lock, KBLOCKING_KIND Kind, const void *Place)
{
    KIRQL Irql = ArchGetIrql();

    if (Irql > APC_LEVEL) {
        KdBugCheck(IRQL_NOT_LESS_OR_EQUAL, (ULONG64)Lock, Irql, APC_LEVEL, (ULONG64)Place, NULL, "%s %p at level %d",
                   KiBlockingClass[Kind].Name, Lock, Irql);
    }
    if (Irql < APC_LEVEL && ArchCurrentThread()->ApcDisable == 0) {
        KdBugCheck(BLOCKING_LOCK_WITH_APCS_ENABLED, (ULONG64)Lock, Kind, (ULONG64)Place, 0, NULL,
                   "%s %p acquired at %p outside a critical region", KiBlockingClass[Kind].Name, Lock, Place);
    }
}

#endif
