/* SPDX-License-Identifier: MIT */
/* The lists of held blocking locks, and what is checked with them (held.h). Debug builds only. */
#include "sync/held.h"

#include "kernel/kd/kd.h"

#if DBG

static const char *const KiBlockingName[] = {
    [KbkPushLock] = "push lock",
    [KbkFastMutex] = "fast mutex",
    [KbkResource] = "resource",
};

/* The youngest entry of the lock; NULL when there is none. The list is locked. */
static KHELD_BLOCKING *KiFindHeld(PKTHREAD Thread, const void *Lock)
{
    for (ULONG i = Thread->HeldBlockingCount; i > 0; i--) {
        if (Thread->HeldBlocking[i - 1].Lock == Lock) {
            return &Thread->HeldBlocking[i - 1];
        }
    }
    return NULL;
}

BOOLEAN KiHoldsBlocking(PKTHREAD Thread, const void *Lock)
{
    KIRQL Irql = KeAcquireLock(&Thread->HeldLock);
    BOOLEAN Holds = KiFindHeld(Thread, Lock) != NULL;
    KeReleaseLock(&Thread->HeldLock, Irql);
    return Holds;
}

ULONG KiBlockingLocksHeld(PKTHREAD Thread)
{
    return Thread->HeldBlockingCount + Thread->HeldUnlisted;
}

static NORETURN void KiViolation(ULONG What, const void *Lock, KBLOCKING_KIND Kind, const void *Holder,
                                 const void *Place, const char *Text)
{
    KdBugCheck(DRIVER_VERIFIER_DETECTED_VIOLATION, What, (ULONG64)Lock, (ULONG64)Holder, (ULONG64)Place, NULL,
               "thread %p %s %s %p at %p (held by: %p)", ArchCurrentThread(), Text, KiBlockingName[Kind], Lock, Place,
               Holder);
}

void KiNoteBlockingAcquire(const void *Lock, KBLOCKING_KIND Kind, const void *Place)
{
    PKTHREAD Thread = ArchCurrentThread();

    if (KiHoldsBlocking(Thread, Lock)) {
        KiViolation(KI_VIOLATION_SELF_DEADLOCK, Lock, Kind, Thread, Place, "acquires, though it holds it,");
    }
}

/* A thread may hold more than the list has room for: those are counted, and not checked. */
void KiNoteBlockingAcquired(PKTHREAD Thread, const void *Lock, KBLOCKING_KIND Kind, BOOLEAN Shared,
                            const void *Place)
{
    KIRQL Irql = KeAcquireLock(&Thread->HeldLock);
    if (Thread->HeldBlockingCount < KHELD_BLOCKING_LOCKS) {
        Thread->HeldBlocking[Thread->HeldBlockingCount++] =
            (KHELD_BLOCKING){.Lock = Lock, .Place = Place, .Kind = (UCHAR)Kind, .Shared = Shared};
    } else {
        Thread->HeldUnlisted++;
    }
    KeReleaseLock(&Thread->HeldLock, Irql);
}

/* Takes the lock's entry off the list; false when the thread does not hold it. */
static bool KiForgetHeld(PKTHREAD Thread, const void *Lock)
{
    KHELD_BLOCKING *Entry = KiFindHeld(Thread, Lock);

    if (Entry == NULL) {
        if (Thread->HeldUnlisted == 0) {
            return false;
        }
        Thread->HeldUnlisted--;
        return true;
    }
    Thread->HeldBlockingCount--;
    for (; Entry < &Thread->HeldBlocking[Thread->HeldBlockingCount]; Entry++) {
        *Entry = Entry[1];
    }
    return true;
}

void KiNoteBlockingRelease(PKTHREAD Holder, const void *Lock, KBLOCKING_KIND Kind, const void *Owner, const void *Place)
{
    KIRQL Irql = KeAcquireLock(&Holder->HeldLock);
    bool Held = KiForgetHeld(Holder, Lock);
    KeReleaseLock(&Holder->HeldLock, Irql);

    if (!Held) {
        KiViolation(Owner != NULL ? KI_VIOLATION_OTHER_THREAD : KI_VIOLATION_NOT_HELD, Lock, Kind, Owner, Place,
                    "releases, without holding it,");
    }
}

void KiCheckApcsOff(const void *Lock, KBLOCKING_KIND Kind, const void *Place)
{
    KIRQL Irql = ArchGetIrql();

    if (Irql > APC_LEVEL) {
        KdBugCheck(IRQL_NOT_LESS_OR_EQUAL, (ULONG64)Lock, Irql, APC_LEVEL, (ULONG64)Place, NULL, "%s %p at level %d",
                   KiBlockingName[Kind], Lock, Irql);
    }
    if (Irql < APC_LEVEL && ArchCurrentThread()->ApcDisable == 0) {
        KdBugCheck(BLOCKING_LOCK_WITH_APCS_ENABLED, (ULONG64)Lock, Kind, (ULONG64)Place, 0, NULL,
                   "%s %p acquired at %p outside a critical region", KiBlockingName[Kind], Lock, Place);
    }
}

#endif
