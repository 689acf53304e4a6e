/* SPDX-License-Identifier: MIT */
/* What the starter of lab 4 has in place of the functions that are to be written. The kernel itself uses none
   of them, and boots. */

/* hole pulse: releases those who wait now, and leaves the event unsignalled */
LONG KePulseEvent(PRKEVENT Event, KPRIORITY Increment, BOOLEAN Wait)
{
    PDISPATCHER_HEADER Header = &Event->Header;
    KIRQL Irql = KiAcquireObject(Header);
    LONG Previous = Header->SignalState;
    LAB_TODO("4.pulse");
    KiFinishSignal(Header, NULL, Irql, Wait);
    return Previous;
}

/* hole semaphore: adds to the count, releases as many as it allows, raises at the limit */
LONG KeReleaseSemaphore(PRKSEMAPHORE Semaphore, KPRIORITY Increment, LONG Adjustment, BOOLEAN Wait)
{
    PDISPATCHER_HEADER Header = &Semaphore->Header;
    KIRQL Irql = KiAcquireObject(Header);
    LONG Previous = Header->SignalState;
    LAB_TODO("4.semaphore");
    KiFinishSignal(Header, NULL, Irql, Wait);
    return Previous;
}

/* hole acquire: makes a thread the owner, once more or for the first time */
void KiConsumeMutant(PKMUTANT Mutant, PKTHREAD Thread)
{
    LAB_TODO("4.acquire");
    /* To be written. What stands here lets everybody own it at once. */
    Mutant->OwnerThread = Thread;
}

/* hole release: takes one acquisition back; at the last one the first waiter is the owner */
LONG KeReleaseMutex(PRKMUTEX Mutex, BOOLEAN Wait)
{
    KIRQL Irql = KiAcquireObject(&Mutex->Header);
    LONG Previous = Mutex->Header.SignalState;
    LAB_TODO("4.release");
    /* To be written: who may; how often it is owned still; who gets it next (KiPassMutant), and that its last
       release ends the owner's critical region when Mutex->ApcDisable says that it began one. What stands
       here only takes the current thread's name off. */
    (void)KiRaiseNotOwned;
    (void)KiPassMutant;
    if (Mutex->OwnerThread == ArchCurrentThread() && Previous == 0) {
        if (Mutex->ApcDisable != 0) {
            KiNoteBlockingRelease(ArchCurrentThread(), Mutex, KbkMutex, Mutex->OwnerThread, KI_CALLER());
            KeLeaveCriticalRegion();
        }
        RemoveEntryList(&Mutex->MutantListEntry);
        Mutex->OwnerThread = NULL;
    }
    KiFinishSignal(&Mutex->Header, NULL, Irql, Wait);
    return Previous;
}

/* hole abandon: passes on what its owner has left by ending */
static void KiAbandonMutant(PKMUTANT Mutant)
{
    KIRQL Irql = KiAcquireObject(&Mutant->Header);
    LAB_TODO("4.abandon");
    /* To be written. What stands here leaves it to nobody. */
    RemoveEntryList(&Mutant->MutantListEntry);
    KiFinishSignal(&Mutant->Header, NULL, Irql, FALSE);
}
