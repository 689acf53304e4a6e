/* SPDX-License-Identifier: MIT */
/*
 * Mutants, and kernel mutexes: mutants whose owner is as in a critical region. SignalState is 1 when free,
 * and 1 less the number of acquisitions when owned.
 *
 * Locks: the object's lock guards SignalState, OwnerThread and Abandoned. MutantListEntry, and the APC
 * counter of the thread, are the owner's own: whoever passes the mutant on writes only OwnerThread, and the
 * new owner enters it in its list on the way out of its wait (KiEnterMutant). The old one has unlinked it
 * before it unlocked the object. Both do so at DISPATCH_LEVEL, for a kernel APC of the same thread may
 * acquire and release mutants in between.
 */
#include "sync/held.h"
#include "sync/sync.h"

static void KiInitializeMutant(PKMUTANT Mutant, UCHAR ApcDisable)
{
    KiInitializeHeader(&Mutant->Header, MutantObject, sizeof(KMUTANT), 1);
    Mutant->OwnerThread = NULL;
    Mutant->Abandoned = FALSE;
    Mutant->ApcDisable = ApcDisable;
}

/* Makes a free kernel mutex in resident memory of the caller's. It is acquired by waiting for it, in
   KernelMode. Level is ignored. Any IRQL; does not block. (WDK page of the name) */
VOID KeInitializeMutex(PRKMUTEX Mutex, ULONG Level)
{
    KiNoteInitialize(Mutex);
    KiInitializeMutant(Mutex, 1);
}
EXPORT(KeInitializeMutex);

/* A mutant, free or the current thread's. Owning one disables nothing; one whose owner ends is abandoned.
   <= DISPATCH_LEVEL. (no WDK page) */
VOID KeInitializeMutant(PRKMUTANT Mutant, BOOLEAN InitialOwner)
{
    PKTHREAD Thread = ArchCurrentThread();
    KiInitializeMutant(Mutant, 0);
    if (InitialOwner) {
        KIRQL Irql = KiRaiseToDispatch();
        KiConsumeMutant(Mutant, Thread);
        KiEnterMutant(Thread, Mutant);
        KiLower(Irql);
    }
}
EXPORT(KeInitializeMutant);

/* 1: free; 0 or less: owned, once and as many times more as the number is below 0. Without a lock: the
   answer may be old when the caller looks at it. <= DISPATCH_LEVEL; does not block. (WDK page of the name) */
LONG KeReadStateMutex(PRKMUTEX Mutex)
{
    return *(volatile LONG *)&Mutex->Header.SignalState;
}
EXPORT(KeReadStateMutex);

/* ---- Acquisition: the parts of a wait ---- */

ULONG64 KiMutantEnd(PKMUTANT Mutant, PKTHREAD Thread, ULONG Key)
{
    if (Mutant->OwnerThread == Thread) {
        return KiWaitEnd(Mutant->Header.SignalState == MINLONG ? WaitRefused : WaitSatisfied, Key);
    }
    return KiWaitEnd(WaitOwned, Mutant->Abandoned ? Key | WAIT_ABANDONED : Key);
}

void KiConsumeMutant(PKMUTANT Mutant, PKTHREAD Thread)
{
    Mutant->Header.SignalState--;
    Mutant->OwnerThread = Thread;
    Mutant->Abandoned = FALSE;
}

void KiEnterMutant(PKTHREAD Thread, PKMUTANT Mutant)
{
    KI_ASSERT(Thread == ArchCurrentThread() && Mutant->OwnerThread == Thread,
              "mutant %p is owned by thread %p", Mutant, Mutant->OwnerThread);
    KI_ASSERT(ArchGetIrql() == DISPATCH_LEVEL, "mutant %p is entered at level %d, where APCs use the list, too",
              Mutant, ArchGetIrql());
    if (Mutant->Header.SignalState == 0) { /* owned once: not a recursion */
        InsertTailList(&Thread->MutantListHead, &Mutant->MutantListEntry);
        Thread->KernelApcDisable -= Mutant->ApcDisable;
        if (Mutant->ApcDisable != 0) { /* mutants are for programs, which make their own deadlocks */
            KiNoteBlockingAcquired(Thread, Mutant, KbkMutex, FALSE, KI_CALLER());
        }
    }
}

/* ---- Release ---- */

/* The owner's last release: the first waiter gets it. Locked; returns the chain for KiFinishSignal. */
static PKTHREAD KiPassMutant(PKMUTANT Mutant)
{
    if (Mutant->ApcDisable != 0) {
        KiNoteBlockingRelease(ArchCurrentThread(), Mutant, KbkMutex, Mutant->OwnerThread, KI_CALLER());
    }
    RemoveEntryList(&Mutant->MutantListEntry);
    Mutant->OwnerThread = NULL;
    Mutant->Header.SignalState = 1;
    return IsListEmpty(&Mutant->Header.WaitListHead)
               ? NULL
               : KiReleaseWaiters(&Mutant->Header, MUTANT_INCREMENT, NULL);
}

__attribute__((noinline)) static void KiRaiseNotOwned(PKMUTANT Mutant, KIRQL Irql)
{
    bool Abandoned = Mutant->Abandoned;
    KiFinishSignal(&Mutant->Header, NULL, Irql, FALSE);
    ExRaiseStatus(Abandoned ? STATUS_ABANDONED : STATUS_MUTANT_NOT_OWNED);
}

/* Takes back one acquisition of the current thread. Returns the state before: 0, the mutex is free now, or
   another one's; negative, it is still owned. Raises, nothing changed, when the thread does not own it:
   STATUS_ABANDONED if its last owner ended without releasing it, else STATUS_MUTANT_NOT_OWNED. Wait TRUE: the
   next call is a wait, which restores the level; the two are not one atomic step, for another thread may come
   between. <= DISPATCH_LEVEL, Wait TRUE <= APC_LEVEL. (WDK page of the name) */
LONG KeReleaseMutex(PRKMUTEX Mutex, BOOLEAN Wait)
{
    PKTHREAD Thread = ArchCurrentThread(), Chain = NULL;
    KIRQL Irql = KiAcquireObject(&Mutex->Header);
    LONG Previous = Mutex->Header.SignalState;
    if (Mutex->OwnerThread != Thread) {
        KiRaiseNotOwned(Mutex, Irql);
    }
    UCHAR ApcDisable = 0;
    if (Previous == 0) {
        ApcDisable = Mutex->ApcDisable;
        Chain = KiPassMutant(Mutex);
    } else {
        Mutex->Header.SignalState = Previous + 1;
    }
    if (ApcDisable != 0) {
        KeLeaveCriticalRegion(); /* at DISPATCH_LEVEL: APCs run when the level drops */
    }
    KiFinishSignal(&Mutex->Header, Chain, Irql, Wait);
    return Previous;
}
EXPORT(KeReleaseMutex);

/* ---- The end of an owner ---- */

static bool KiIsKernelMutex(PKMUTANT Mutant)
{
    return Mutant->ApcDisable != 0;
}

static PKMUTANT KiOwnedMutant(PLIST_ENTRY Entry)
{
    return CONTAINING_RECORD(Entry, KMUTANT, MutantListEntry);
}

/* The first waiter's wait ends with STATUS_ABANDONED_WAIT_0 and more. */
static void KiAbandonMutant(PKMUTANT Mutant)
{
    KIRQL Irql = KiAcquireObject(&Mutant->Header);
    Mutant->Abandoned = TRUE;
    KiFinishSignal(&Mutant->Header, KiPassMutant(Mutant), Irql, FALSE);
}

void KeAbandonMutants(void)
{
    PKTHREAD Thread = ArchCurrentThread();
    while (!IsListEmpty(&Thread->MutantListHead)) {
        PKMUTANT Mutant = KiOwnedMutant(Thread->MutantListHead.Flink);
        if (KiIsKernelMutex(Mutant)) {
            KdBugCheck(THREAD_TERMINATE_HELD_MUTEX, (ULONG64)Thread, (ULONG64)Mutant, 0, 0, NULL,
                       "thread %p ends and owns mutex %p", Thread, Mutant);
        }
        KiAbandonMutant(Mutant);
    }
}
