/* SPDX-License-Identifier: MIT */
/*
 * Push locks: one word, shared or exclusive, waiters asleep. The word: bit 0 held exclusively, bit 1 somebody
 * waits, the rest counts holders in shared mode. A thread that must wait is listed in one of a few buckets,
 * which is chosen by the lock's address. A bucket's spin lock guards its list, and every change of bit 1 of
 * the push locks that belong to it: the bit is set as long as the list holds a waiter of that lock.
 *
 * Waking: the last holder to leave wakes the first waiter, or, when that is a shared one, all shared ones up
 * to the next exclusive one. They are not given the lock, but try again. In shared mode a waiter that has
 * been woken may take the lock although others wait, and a newcomer may not, so that exclusive waiters are
 * not starved by ever new shared holders. A newcomer in exclusive mode may come between: push locks are not
 * fair.
 */
#include "sync/held.h"
#include "sync/sync.h"

#define PUSH_EXCLUSIVE 1
#define PUSH_WAITERS   2
#define PUSH_SHARED    4

#define PUSH_BUCKETS 64

typedef struct _PUSH_WAITER {
    LIST_ENTRY Links; /* (bucket lock) */
    PEX_PUSH_LOCK Lock;
    bool Exclusive;
    KEVENT Woken;
    struct _PUSH_WAITER *Next; /* chain of those to be woken */
} PUSH_WAITER;

typedef struct _EXP_BUCKET {
    KLOCK Lock;
    LIST_ENTRY Waiters; /* (Lock) of all push locks of the bucket, each lock's in their order */
} __attribute__((aligned(64))) EXP_BUCKET; /* a cache line each: neighbours' waiters do not share one */

static EXP_BUCKET ExpBucket[PUSH_BUCKETS];

void ExpInitializePushLocks(void)
{
    for (ULONG i = 0; i < PUSH_BUCKETS; i++) {
        KeInitializeLock(&ExpBucket[i].Lock, KlcPushLock);
        InitializeListHead(&ExpBucket[i].Waiters);
    }
}

static EXP_BUCKET *ExpBucketOf(PEX_PUSH_LOCK PushLock)
{
    return &ExpBucket[((ULONG_PTR)PushLock * 0x9e3779b97f4a7c15ULL >> 58) % PUSH_BUCKETS];
}

/* Makes a free push lock, in memory that may be paged. Any IRQL. (WDK page of the name) */
VOID ExInitializePushLock(PEX_PUSH_LOCK PushLock)
{
    KiNoteInitialize(PushLock);
    PushLock->Value = 0;
}
EXPORT(ExInitializePushLock);

/* May the lock be taken with this word? Passing: in spite of waiters, for a thread that has been woken. */
static bool ExpIsFree(ULONG_PTR Value, bool Exclusive, bool Passing)
{
    if (Exclusive) {
        return (Value & ~(ULONG_PTR)PUSH_WAITERS) == 0;
    }
    return (Value & PUSH_EXCLUSIVE) == 0 && (Passing || (Value & PUSH_WAITERS) == 0);
}

static inline bool ExpTryPush(PEX_PUSH_LOCK PushLock, bool Exclusive, bool Passing)
{
    ULONG_PTR Value = __atomic_load_n(&PushLock->Value, __ATOMIC_RELAXED);
    while (ExpIsFree(Value, Exclusive, Passing)) {
        if (__atomic_compare_exchange_n(&PushLock->Value, &Value, Value + (Exclusive ? PUSH_EXCLUSIVE : PUSH_SHARED), false,
                                        __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
            return true;
        }
    }
    return false;
}

/* Joins the bucket unless the lock has become free. Returns false when it has (try again). */
static bool ExpEnqueue(PEX_PUSH_LOCK PushLock, PUSH_WAITER *Waiter, bool Passing)
{
    EXP_BUCKET *Bucket = ExpBucketOf(PushLock);
    KIRQL Irql = KeAcquireLock(&Bucket->Lock);
    ULONG_PTR Value = __atomic_load_n(&PushLock->Value, __ATOMIC_RELAXED);
    bool Queued = false;
    while (!Queued && !ExpIsFree(Value, Waiter->Exclusive, Passing)) {
        Queued = __atomic_compare_exchange_n(&PushLock->Value, &Value, Value | PUSH_WAITERS, false, __ATOMIC_RELAXED,
                                             __ATOMIC_RELAXED);
    }
    if (Queued && Passing) { /* it was first in line once */
        InsertHeadList(&Bucket->Waiters, &Waiter->Links);
    } else if (Queued) {
        InsertTailList(&Bucket->Waiters, &Waiter->Links);
    }
    KeReleaseLock(&Bucket->Lock, Irql);
    return Queued;
}

static void ExpAcquireSlow(PEX_PUSH_LOCK PushLock, bool Exclusive)
{
    PUSH_WAITER Waiter = {.Lock = PushLock, .Exclusive = Exclusive};
    bool Passing = false;
    KeInitializeEvent(&Waiter.Woken, SynchronizationEvent, FALSE);
    while (!ExpTryPush(PushLock, Exclusive, Passing)) {
        if (ExpEnqueue(PushLock, &Waiter, Passing)) {
            KeWaitForSingleObject(&Waiter.Woken, WrPushLock, KernelMode, FALSE, NULL);
            Passing = true;
        }
    }
}

/* Takes the waiters that may go on now off the bucket, and clears PUSH_WAITERS when none is left. Bucket
   locked. */
static PUSH_WAITER *ExpTakeWaiters(PEX_PUSH_LOCK PushLock, PLIST_ENTRY List)
{
    PUSH_WAITER *Woken = NULL, **Tail = &Woken;
    bool Left = false, Stop = false;
    for (PLIST_ENTRY Entry = List->Flink; Entry != List;) {
        PUSH_WAITER *Waiter = CONTAINING_RECORD(Entry, PUSH_WAITER, Links);
        Entry = Entry->Flink;
        if (Waiter->Lock != PushLock) {
            continue;
        }
        if (Stop || (Waiter->Exclusive && Woken != NULL)) {
            Left = Stop = true;
            continue;
        }
        Stop = Waiter->Exclusive;
        RemoveEntryList(&Waiter->Links);
        Waiter->Next = NULL;
        *Tail = Waiter;
        Tail = &Waiter->Next;
    }
    if (!Left && Woken != NULL) { /* when there was none at all, another release was faster: the lock may be gone */
        __atomic_fetch_and(&PushLock->Value, ~(ULONG_PTR)PUSH_WAITERS, __ATOMIC_RELAXED);
    }
    return Woken;
}

static void ExpWakeWaiters(PEX_PUSH_LOCK PushLock)
{
    EXP_BUCKET *Bucket = ExpBucketOf(PushLock);
    KIRQL Irql = KeAcquireLock(&Bucket->Lock);
    PUSH_WAITER *Woken = ExpTakeWaiters(PushLock, &Bucket->Waiters);
    KeReleaseLockFromDpc(&Bucket->Lock);
    while (Woken != NULL) {
        PUSH_WAITER *Next = Woken->Next; /* its stack frame may go with the signal */
        KeSetEvent(&Woken->Woken, IO_NO_INCREMENT, FALSE);
        Woken = Next;
    }
    KiLower(Irql);
}

static inline void ExpAcquirePush(PEX_PUSH_LOCK PushLock, bool Exclusive, const void *Place)
{
    KiCheckApcsOff(PushLock, KbkPushLock, Place);
    KiNoteBlockingAcquire(PushLock, KbkPushLock, Place);
    if (!ExpTryPush(PushLock, Exclusive, false)) {
        ExpAcquireSlow(PushLock, Exclusive);
    }
    KiNoteBlockingAcquired(ArchCurrentThread(), PushLock, KbkPushLock, !Exclusive, Place);
}

/* Waits until the push lock is the caller's alone. Not recursive. The caller is in a critical region, or at
   APC_LEVEL, until it has released the lock. <= APC_LEVEL. May block. (WDK page of the name) */
VOID ExAcquirePushLockExclusive(PEX_PUSH_LOCK PushLock)
{
    ExpAcquirePush(PushLock, true, KI_CALLER());
}
EXPORT(ExAcquirePushLockExclusive);

/* The same together with other shared holders. Shared acquisition is not recursive either: an exclusive
   waiter between the two would let the caller wait for itself, so that debug builds forbid it. (WDK page of
   the name) */
VOID ExAcquirePushLockShared(PEX_PUSH_LOCK PushLock)
{
    ExpAcquirePush(PushLock, false, KI_CALLER());
}
EXPORT(ExAcquirePushLockShared);

static inline BOOLEAN ExpTryAcquirePush(PEX_PUSH_LOCK PushLock, bool Exclusive, const void *Place)
{
    KiCheckApcsOff(PushLock, KbkPushLock, Place);
    if (!ExpTryPush(PushLock, Exclusive, false)) {
        return FALSE;
    }
    KiNoteBlockingAcquired(ArchCurrentThread(), PushLock, KbkPushLock, !Exclusive, Place);
    return TRUE;
}

/* TRUE: acquired, without waiting. Otherwise as the routines above. (WDK pages of the names) */
BOOLEAN ExTryAcquirePushLockExclusive(PEX_PUSH_LOCK PushLock)
{
    return ExpTryAcquirePush(PushLock, true, KI_CALLER());
}
EXPORT(ExTryAcquirePushLockExclusive);

/* The same in shared mode. (WDK page of the name) */
BOOLEAN ExTryAcquirePushLockShared(PEX_PUSH_LOCK PushLock)
{
    return ExpTryAcquirePush(PushLock, false, KI_CALLER());
}
EXPORT(ExTryAcquirePushLockShared);

/* The last holder to leave wakes the waiters. As soon as the word says that the lock is free, its memory may
   be given up by the next holder: waking touches the lock only after it has found waiters in the list, which
   need the lock and so keep it alive. */
static inline void ExpReleasePush(PEX_PUSH_LOCK PushLock, ULONG_PTR Mine, const void *Place)
{
    KiNoteBlockingRelease(ArchCurrentThread(), PushLock, KbkPushLock, NULL, Place);
    KI_ASSERT(Mine == PUSH_EXCLUSIVE ? (PushLock->Value & PUSH_EXCLUSIVE) != 0 : PushLock->Value >= PUSH_SHARED,
              "push lock %p is %llx", PushLock, PushLock->Value);
    ULONG_PTR Left = __atomic_sub_fetch(&PushLock->Value, Mine, __ATOMIC_RELEASE);
    if (Left == PUSH_WAITERS) {
        KdPoint(PrimerPointPushLockReleased, PushLock);
        ExpWakeWaiters(PushLock);
    }
}

/* The holder gives the lock up, in the mode in which it acquired it. <= APC_LEVEL. (WDK pages of the
   names) */
VOID ExReleasePushLockExclusive(PEX_PUSH_LOCK PushLock)
{
    ExpReleasePush(PushLock, PUSH_EXCLUSIVE, KI_CALLER());
}
EXPORT(ExReleasePushLockExclusive);

/* The same in shared mode. (WDK page of the name) */
VOID ExReleasePushLockShared(PEX_PUSH_LOCK PushLock)
{
    ExpReleasePush(PushLock, PUSH_SHARED, KI_CALLER());
}
EXPORT(ExReleasePushLockShared);
