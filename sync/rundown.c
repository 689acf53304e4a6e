/* SPDX-License-Identifier: MIT */
/*
 * Run-down protection: a count of users that closes. While it is open, the word is twice the count. While
 * somebody waits for its end, it is the address of that one's RUNDOWN_WAIT plus 1, and the count is there. 1
 * alone means that it has been run down.
 *
 * Whoever closes it is its first waiter; others who wait for the same end join that one's list, and are woken
 * by it. ExpRundownLock guards the lists, and keeps a RUNDOWN_WAIT in place while somebody joins: the first
 * waiter replaces its address in the word, holding the lock, before its stack frame goes.
 *
 * A cache-aware reference (drivers/lib/rundown.c) is a row of such words, one for each processor, which are
 * closed one after the other. A user may come in at one word and leave at another, so that the count of a
 * single one may become negative; only their sum means anything.
 */
#include "sync/held.h"
#include "sync/sync.h"

#define RUNDOWN_CLOSED 1
#define RUNDOWN_ONE    2

/* Keeps RUNDOWN_WAIT.Count above 0 while the words are still being closed. */
#define RUNDOWN_BIAS (1LL << 40)

typedef struct _RUNDOWN_JOINER {
    struct _RUNDOWN_JOINER *Next;
    KEVENT Done;
} RUNDOWN_JOINER;

typedef struct _RUNDOWN_WAIT {
    volatile LONG64 Count;   /* (a) users left, once the words point here */
    KEVENT Done;             /* set by the last of them */
    RUNDOWN_JOINER *Joiners; /* (ExpRundownLock) */
} RUNDOWN_WAIT;

static KLOCK ExpRundownLock = KLOCK_INITIALIZER(KlcPushLock);

/* Makes an open reference without users. Any IRQL. (WDK page of the name) */
VOID ExInitializeRundownProtection(PEX_RUNDOWN_REF RunRef)
{
    RunRef->Count = 0;
}
EXPORT(ExInitializeRundownProtection);

/* Open again, after a run-down that is complete. (WDK page of the name) */
VOID ExReInitializeRundownProtection(PEX_RUNDOWN_REF RunRef)
{
    KI_ASSERT(RunRef->Count == RUNDOWN_CLOSED, "run-down word is %llx", RunRef->Count);
    __atomic_store_n(&RunRef->Count, 0, __ATOMIC_RELEASE);
}
EXPORT(ExReInitializeRundownProtection);

/* Marks it as run down; for those who have waited for its end. Any IRQL. (WDK page of the name) */
VOID ExRundownCompleted(PEX_RUNDOWN_REF RunRef)
{
    __atomic_store_n(&RunRef->Count, RUNDOWN_CLOSED, __ATOMIC_RELEASE);
}
EXPORT(ExRundownCompleted);

/* A DPC holds nothing in the name of the thread that it has interrupted; and of several references taken at
   once nobody knows how they are given up. */
static inline void ExpNoteUser(PEX_RUNDOWN_REF RunRef, ULONG Count)
{
#if DBG
    if (Count == 1 && !KeGetCurrentPrcb()->DpcActive) {
        KiNoteBlockingAcquired(ArchCurrentThread(), RunRef, KbkRundown, TRUE, KI_CALLER());
    } else {
        KdLockTravels(RunRef);
    }
#endif
}

/* Count more users; FALSE as soon as run-down has begun. <= DISPATCH_LEVEL. (WDK page of the name) */
BOOLEAN ExAcquireRundownProtectionEx(PEX_RUNDOWN_REF RunRef, ULONG Count)
{
    ULONG_PTR Value = __atomic_load_n(&RunRef->Count, __ATOMIC_RELAXED);
    while ((Value & RUNDOWN_CLOSED) == 0) {
        if (__atomic_compare_exchange_n(&RunRef->Count, &Value, Value + (ULONG_PTR)Count * RUNDOWN_ONE, false,
                                        __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
            ExpNoteUser(RunRef, Count);
            return TRUE;
        }
    }
    return FALSE;
}
EXPORT(ExAcquireRundownProtectionEx);

/* Counts one more user; FALSE as soon as run-down has begun. <= DISPATCH_LEVEL. (WDK page of the name) */
BOOLEAN ExAcquireRundownProtection(PEX_RUNDOWN_REF RunRef)
{
    return ExAcquireRundownProtectionEx(RunRef, 1);
}
EXPORT(ExAcquireRundownProtection);

/* Users leave. Alone: the reference is this one word, at which they have come in, too. */
static inline void ExpRelease(PEX_RUNDOWN_REF RunRef, ULONG Count, bool Alone)
{
    ULONG_PTR Value = __atomic_load_n(&RunRef->Count, __ATOMIC_RELAXED);
    if (Alone) {
        KiNoteBlockingRelease(ArchCurrentThread(), RunRef, KbkRundown, NULL, KI_CALLER());
    } else {
        KdLockTravels(RunRef);
    }
    while ((Value & RUNDOWN_CLOSED) == 0) {
        KI_ASSERT(!Alone || Value >= (ULONG_PTR)Count * RUNDOWN_ONE, "released more often than acquired");
        if (__atomic_compare_exchange_n(&RunRef->Count, &Value, Value - (ULONG_PTR)Count * RUNDOWN_ONE, false,
                                        __ATOMIC_RELEASE, __ATOMIC_RELAXED)) {
            return;
        }
    }
    if (Value == RUNDOWN_CLOSED) {
        KdBugCheck(INVALID_RUNDOWN_PROTECTION_FLAGS, (ULONG64)RunRef, Value, 0, 0, NULL,
                   "run-down protection released after the run-down was complete");
    }
    RUNDOWN_WAIT *Wait = (RUNDOWN_WAIT *)(__atomic_load_n(&RunRef->Count, __ATOMIC_ACQUIRE) - RUNDOWN_CLOSED);
    if (__atomic_sub_fetch(&Wait->Count, Count, __ATOMIC_ACQ_REL) == 0) {
        KeSetEvent(&Wait->Done, IO_NO_INCREMENT, FALSE);
    }
}

/* As ExReleaseRundownProtectionEx, for users who may have come in at another word of a row. For cache-aware
   references alone. */
VOID ExpReleaseRundownSlot(PEX_RUNDOWN_REF RunRef, ULONG Count)
{
    ExpRelease(RunRef, Count, false);
}
EXPORT(ExpReleaseRundownSlot);

/* Count users leave; the last one wakes those who wait. <= DISPATCH_LEVEL. (WDK page of the name) */
VOID ExReleaseRundownProtectionEx(PEX_RUNDOWN_REF RunRef, ULONG Count)
{
    ExpRelease(RunRef, Count, true);
}
EXPORT(ExReleaseRundownProtectionEx);

/* One user leaves. <= DISPATCH_LEVEL. (WDK page of the name) */
VOID ExReleaseRundownProtection(PEX_RUNDOWN_REF RunRef)
{
    ExpRelease(RunRef, 1, true);
}
EXPORT(ExReleaseRundownProtection);

/* Somebody else has closed it: returns when that one is through, at once when it is already. */
static void ExpJoinRundown(PEX_RUNDOWN_REF RunRef)
{
    RUNDOWN_JOINER Joiner;

    KeInitializeEvent(&Joiner.Done, SynchronizationEvent, FALSE);
    KIRQL Irql = KeAcquireLock(&ExpRundownLock);
    ULONG_PTR Value = RunRef->Count;
    bool Joined = (Value & RUNDOWN_CLOSED) != 0 && Value != RUNDOWN_CLOSED; /* not run down, nor open again since then */
    if (Joined) {
        RUNDOWN_WAIT *Wait = (RUNDOWN_WAIT *)(Value - RUNDOWN_CLOSED);
        Joiner.Next = Wait->Joiners;
        Wait->Joiners = &Joiner;
    }
    KeReleaseLock(&ExpRundownLock, Irql);
    if (Joined) {
        KiNoteBlockingAcquire(RunRef, KbkRundown, KI_CALLER());
        KeWaitForSingleObject(&Joiner.Done, WrRundown, KernelMode, FALSE, NULL);
        KiNoteBlockingGivenUp(RunRef);
    }
}

/* Points an open word to Wait, and adds its users to *Users; false when it is closed. */
static bool ExpCloseSlot(PEX_RUNDOWN_REF Slot, RUNDOWN_WAIT *Wait, LONG64 *Users)
{
    ULONG_PTR Value = __atomic_load_n(&Slot->Count, __ATOMIC_RELAXED);
    do {
        if (Value & RUNDOWN_CLOSED) {
            return false;
        }
    } while (!__atomic_compare_exchange_n(&Slot->Count, &Value, (ULONG_PTR)Wait + RUNDOWN_CLOSED, false,
                                          __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
    *Users += (LONG64)Value / RUNDOWN_ONE;
    return true;
}

static PEX_RUNDOWN_REF ExpSlot(PEX_RUNDOWN_REF First, ULONG Number, SIZE_T Stride)
{
    return (PEX_RUNDOWN_REF)((PUCHAR)First + Number * Stride);
}

/* All users have gone. */
static void ExpEndRundown(PEX_RUNDOWN_REF First, ULONG Slots, SIZE_T Stride, RUNDOWN_WAIT *Wait)
{
    KIRQL Irql = KeAcquireLock(&ExpRundownLock);
    for (ULONG i = 0; i < Slots; i++) {
        __atomic_store_n(&ExpSlot(First, i, Stride)->Count, RUNDOWN_CLOSED, __ATOMIC_RELEASE);
    }
    RUNDOWN_JOINER *Joiner = Wait->Joiners;
    KeReleaseLock(&ExpRundownLock, Irql);
    while (Joiner != NULL) {
        RUNDOWN_JOINER *Next = Joiner->Next; /* its stack frame may go with the signal */
        KeSetEvent(&Joiner->Done, IO_NO_INCREMENT, FALSE);
        Joiner = Next;
    }
}

/* As ExWaitForRundownProtectionRelease, of a row of words that lie Stride bytes apart. For cache-aware
   references alone. */
VOID ExpWaitForRundownSlots(PEX_RUNDOWN_REF First, ULONG Slots, SIZE_T Stride)
{
    RUNDOWN_WAIT Wait = {.Count = RUNDOWN_BIAS};
    LONG64 Users = 0;

    KeInitializeEvent(&Wait.Done, SynchronizationEvent, FALSE);
    if (!ExpCloseSlot(First, &Wait, &Users)) {
        ExpJoinRundown(First);
        return;
    }
    for (ULONG i = 1; i < Slots; i++) {
        ExpCloseSlot(ExpSlot(First, i, Stride), &Wait, &Users);
    }
    if (__atomic_add_fetch(&Wait.Count, Users - RUNDOWN_BIAS, __ATOMIC_ACQ_REL) != 0) {
        KiNoteBlockingAcquire(First, KbkRundown, KI_CALLER());
        KeWaitForSingleObject(&Wait.Done, WrRundown, KernelMode, FALSE, NULL);
        KiNoteBlockingGivenUp(First);
    }
    ExpEndRundown(First, Slots, Stride, &Wait);
}
EXPORT(ExpWaitForRundownSlots);

/* New users are refused from now on. Returns when the last has left, at once when it has been run down
   already; any number of threads may wait. Users should be in a critical region, or else one that is
   suspended delays this. <= APC_LEVEL. May block. (WDK page of the name) */
VOID ExWaitForRundownProtectionRelease(PEX_RUNDOWN_REF RunRef)
{
    ExpWaitForRundownSlots(RunRef, 1, 0);
}
EXPORT(ExWaitForRundownProtectionRelease);
