/* SPDX-License-Identifier: MIT */
/*
 * 64 threads of mixed priority over all kinds of objects and locks, for as long as the option stress.ms says.
 * Each thread does one random thing after another and counts what it did; at the end the sums are exact:
 * every increment made under a lock is there, every token that was released is either taken or left, every
 * queue entry, DPC and work item has come out once.
 */
#include "stress.h"

#define THREADS    64
#define SEMAPHORES 4
#define ITEMS      32

ULONG64 StressMilliseconds(VOID)
{
    CHAR Text[16];
    ULONG64 Number = 0;
    if (!ExQueryKernelOption("stress.ms", Text, sizeof(Text))) {
        return 2000;
    }
    for (PCHAR At = Text; *At >= '0' && *At <= '9'; At++) {
        Number = Number * 10 + (ULONG64)(*At - '0');
    }
    return Number;
}

BOOLEAN StressIsSoak(VOID)
{
    CHAR Text[16];
    return ExQueryKernelOption("stress.ms", Text, sizeof(Text));
}

/* ---- Locks: each guards a pair of counters that are equal whenever nobody is inside ---- */

typedef enum _LOCK_KIND {
    LockSpin, LockQueued, LockReaderWriter, LockMutex, LockMutant, LockFast, LockGuarded, LockPush, LockResource,
    LockSemaphore, LockEvent, LOCK_KINDS
} LOCK_KIND;

static KSPIN_LOCK Spin, Queued;
static EX_SPIN_LOCK ReaderWriter;
static KMUTEX Mutex;
static KMUTANT Mutant;
static FAST_MUTEX Fast;
static KGUARDED_MUTEX Guarded;
static EX_PUSH_LOCK Push;
static ERESOURCE Resource;
static KSEMAPHORE Binary;
static KEVENT Turn;

static struct {
    volatile LONG64 First, Second;
} Guards[LOCK_KINDS];
static volatile LONG64 Done[LOCK_KINDS]; /* (a) */
static volatile LONG Broken;             /* (a) a reader has seen the two differ */

static VOID Count(LOCK_KIND Kind)
{
    Guards[Kind].First = Guards[Kind].First + 1;
    Guards[Kind].Second = Guards[Kind].Second + 1;
    InterlockedIncrement64(&Done[Kind]);
}

static VOID Look(LOCK_KIND Kind)
{
    if (Guards[Kind].First != Guards[Kind].Second) {
        InterlockedIncrement(&Broken);
    }
}

static VOID Wait(PVOID Object)
{
    KeWaitForSingleObject(Object, Executive, KernelMode, FALSE, NULL);
}

static VOID UseSpinLock(LOCK_KIND Kind)
{
    KLOCK_QUEUE_HANDLE Handle;
    KIRQL Irql;
    if (Kind == LockSpin) {
        KeAcquireSpinLock(&Spin, &Irql);
        Count(Kind);
        KeReleaseSpinLock(&Spin, Irql);
    } else if (Kind == LockQueued) {
        KeAcquireInStackQueuedSpinLock(&Queued, &Handle);
        Count(Kind);
        KeReleaseInStackQueuedSpinLock(&Handle);
    } else {
        Irql = ExAcquireSpinLockExclusive(&ReaderWriter);
        Count(Kind);
        ExReleaseSpinLockExclusive(&ReaderWriter, Irql);
    }
}

static VOID UseMutex(LOCK_KIND Kind)
{
    if (Kind == LockMutex) {
        Wait(&Mutex);
        Count(Kind);
        KeReleaseMutex(&Mutex, FALSE);
    } else if (Kind == LockMutant) {
        Wait(&Mutant);
        Wait(&Mutant); /* it is recursive */
        Count(Kind);
        KeReleaseMutex(&Mutant, FALSE);
        KeReleaseMutex(&Mutant, FALSE);
    } else if (Kind == LockFast) {
        ExAcquireFastMutex(&Fast);
        Count(Kind);
        ExReleaseFastMutex(&Fast);
    } else {
        KeAcquireGuardedMutex(&Guarded);
        Count(Kind);
        KeReleaseGuardedMutex(&Guarded);
    }
}

static VOID UseExclusive(LOCK_KIND Kind)
{
    KeEnterCriticalRegion();
    if (Kind == LockPush) {
        ExAcquirePushLockExclusive(&Push);
        Count(Kind);
        ExReleasePushLockExclusive(&Push);
    } else {
        ExAcquireResourceExclusiveLite(&Resource, TRUE);
        Count(Kind);
        ExReleaseResourceLite(&Resource);
    }
    KeLeaveCriticalRegion();
}

static VOID UseObject(LOCK_KIND Kind)
{
    if (Kind == LockSemaphore) {
        Wait(&Binary);
        Count(Kind);
        KeReleaseSemaphore(&Binary, 1, 1, FALSE);
    } else {
        Wait(&Turn);
        Count(Kind);
        KeSetEvent(&Turn, 1, FALSE);
    }
}

static VOID UseLock(ULONG Random)
{
    LOCK_KIND Kind = (LOCK_KIND)(Random % LOCK_KINDS);
    if (Kind <= LockReaderWriter) {
        UseSpinLock(Kind);
    } else if (Kind <= LockGuarded) {
        UseMutex(Kind);
    } else if (Kind <= LockResource) {
        UseExclusive(Kind);
    } else {
        UseObject(Kind);
    }
}

/* Shared holders see the two equal. */
static VOID ReadShared(ULONG Random)
{
    if (Random % 3 == 0) {
        KIRQL Irql = ExAcquireSpinLockShared(&ReaderWriter);
        Look(LockReaderWriter);
        ExReleaseSpinLockShared(&ReaderWriter, Irql);
        return;
    }
    KeEnterCriticalRegion();
    if (Random % 3 == 1) {
        ExAcquirePushLockShared(&Push);
        Look(LockPush);
        ExReleasePushLockShared(&Push);
    } else {
        ExAcquireResourceSharedLite(&Resource, TRUE);
        Look(LockResource);
        ExReleaseResourceLite(&Resource);
    }
    KeLeaveCriticalRegion();
}

/* ---- Tokens: semaphores, waited for one by one, any, and all ---- */

static KSEMAPHORE Semaphores[SEMAPHORES];
static volatile LONG64 Released[SEMAPHORES], Taken[SEMAPHORES]; /* (a) */

static VOID ReleaseTokens(ULONG Random)
{
    ULONG Which = Random % SEMAPHORES;
    LONG Adjustment = 1 + (LONG)(Random / SEMAPHORES % 3);
    InterlockedAdd64(&Released[Which], Adjustment);
    KeReleaseSemaphore(&Semaphores[Which], (KPRIORITY)(Random / 64 % 4), Adjustment, FALSE);
}

static VOID TakeTokens(ULONG Random)
{
    PVOID Objects[] = {&Semaphores[Random % SEMAPHORES], &Semaphores[(Random + 1) % SEMAPHORES],
                       &Semaphores[(Random + 2) % SEMAPHORES]};
    LARGE_INTEGER Timeout = {.QuadPart = -(LONGLONG)(Random / 16 % 20000)};
    ULONG Count = 1 + Random / 4 % 3;
    WAIT_TYPE Type = Random / 32 % 2 ? WaitAll : WaitAny;
    NTSTATUS Status = KeWaitForMultipleObjects(Count, Objects, Type, Executive, KernelMode, FALSE, &Timeout, NULL);
    for (ULONG i = 0; i < Count; i++) {
        if ((Type == WaitAll && Status == STATUS_SUCCESS) || (Type == WaitAny && Status == STATUS_WAIT_0 + (LONG)i)) {
            InterlockedIncrement64(&Taken[(Random + i) % SEMAPHORES]);
        }
    }
}

/* ---- A queue: a fixed set of entries goes round ---- */

static KQUEUE Queue;
static LIST_ENTRY Entries[ITEMS];
static volatile LONG64 Rounds; /* (a) */

static VOID TurnQueue(ULONG Random)
{
    LARGE_INTEGER Timeout = KtestMs(5);
    PLIST_ENTRY Entry = KeRemoveQueue(&Queue, KernelMode, &Timeout);
    if (Entry >= Entries && Entry < Entries + ITEMS) {
        InterlockedIncrement64(&Rounds);
        if (Random % 2) {
            KeInsertQueue(&Queue, Entry);
        } else {
            KeInsertHeadQueue(&Queue, Entry);
        }
    }
}

/* ---- DPCs, timers, work items ---- */

static KDPC Dpc;
static volatile LONG64 DpcsQueued, DpcsRun; /* (a) */
static WORK_QUEUE_ITEM Item;
static volatile LONG ItemBusy; /* (a) 1 from before it is queued until it has run */
static volatile LONG64 ItemsQueued, ItemsRun; /* (a) */
static EX_RUNDOWN_REF Rundown;
static volatile LONG64 Inside; /* (a) */

static VOID OnDpc(PKDPC This, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    InterlockedIncrement64(&DpcsRun);
}

static VOID QueueDpc(VOID)
{
    InterlockedIncrement64(&DpcsQueued);
    if (!KeInsertQueueDpc(&Dpc, NULL, NULL)) {
        InterlockedDecrement64(&DpcsQueued);
    }
}

static VOID OnItem(PVOID Parameter)
{
    InterlockedIncrement64(&ItemsRun);
    InterlockedExchange(&ItemBusy, 0);
}

static VOID QueueItem(ULONG Random)
{
    if (InterlockedExchange(&ItemBusy, 1) == 0) {
        InterlockedIncrement64(&ItemsQueued);
        ExQueueWorkItem(&Item, Random % 2 ? CriticalWorkQueue : DelayedWorkQueue);
    }
}

/* A timer of the thread's own, which fires or is cancelled. */
static VOID UseTimer(ULONG Random)
{
    KTIMER Timer;
    LARGE_INTEGER Due = {.QuadPart = -(LONGLONG)(Random % 30000)};
    KeInitializeTimerEx(&Timer, Random % 2 ? SynchronizationTimer : NotificationTimer);
    KeSetTimer(&Timer, Due, NULL);
    if (Random / 2 % 2) {
        Wait(&Timer);
    }
    KeCancelTimer(&Timer);
}

static VOID UseRundown(ULONG Random)
{
    if (!ExAcquireRundownProtection(&Rundown)) {
        return;
    }
    InterlockedIncrement64(&Inside);
    if (Random % 8 == 0) {
        KeDelayExecutionThread(KernelMode, FALSE, &(LARGE_INTEGER){.QuadPart = -1000});
    }
    InterlockedDecrement64(&Inside);
    ExReleaseRundownProtection(&Rundown);
}

/* One of the threads closes the protection now and then; nobody is inside then. */
static VOID RunDown(VOID)
{
    ExWaitForRundownProtectionRelease(&Rundown);
    if (Inside != 0) {
        InterlockedIncrement(&Broken);
    }
    ExReInitializeRundownProtection(&Rundown);
}

/* ---- The threads ---- */

static ULONG64 Deadline; /* interrupt time */

static VOID ChangeScheduling(ULONG Random)
{
    if (Random % 2) {
        KeSetPriorityThread(KeGetCurrentThread(), 1 + (KPRIORITY)(Random / 2 % 18));
    } else {
        KAFFINITY Old = KeSetSystemAffinityThreadEx(1ULL << (Random / 2 % KeQueryActiveProcessorCount(NULL)));
        KeRevertToUserAffinityThreadEx(Old);
    }
}

static VOID DoSomething(ULONG Number, ULONG What, ULONG Random)
{
    switch (What) {
    case 0 ... 9:
        UseLock(Random);
        break;
    case 10 ... 12:
        ReadShared(Random);
        break;
    case 13:
    case 14:
        ReleaseTokens(Random);
        break;
    case 15 ... 18:
        TakeTokens(Random);
        break;
    case 19 ... 21:
        TurnQueue(Random);
        break;
    case 22:
        QueueDpc();
        break;
    case 23:
        QueueItem(Random);
        break;
    case 24:
        UseTimer(Random);
        break;
    case 25:
        ChangeScheduling(Random);
        break;
    default:
        if (Number == 0) {
            RunDown();
        } else {
            UseRundown(Random);
        }
    }
}

static VOID Work(PVOID Context)
{
    ULONG Number = (ULONG)(ULONG_PTR)Context;
    ULONG64 State = Number * 0x9e3779b97f4a7c15ULL + KeQueryInterruptTime();
    KeSetPriorityThread(KeGetCurrentThread(), 1 + (KPRIORITY)(Number % 18));
    while (KeQueryInterruptTime() < Deadline) {
        ULONG What = StressRandom(&State) % 30;
        DoSomething(Number, What, StressRandom(&State));
    }
}

static VOID Prepare(VOID)
{
    KeInitializeSpinLock(&Spin);
    KeInitializeSpinLock(&Queued);
    KeInitializeMutex(&Mutex, 0);
    KeInitializeMutant(&Mutant, FALSE);
    ExInitializeFastMutex(&Fast);
    KeInitializeGuardedMutex(&Guarded);
    ExInitializePushLock(&Push);
    ExInitializeResourceLite(&Resource);
    KeInitializeSemaphore(&Binary, 1, 1);
    KeInitializeEvent(&Turn, SynchronizationEvent, TRUE);
    for (ULONG i = 0; i < SEMAPHORES; i++) {
        KeInitializeSemaphore(&Semaphores[i], 0, MAXLONG);
    }
    KeInitializeQueue(&Queue, 0);
    for (ULONG i = 0; i < ITEMS; i++) {
        KeInsertQueue(&Queue, &Entries[i]);
    }
    KeInitializeDpc(&Dpc, OnDpc, NULL);
    ExInitializeWorkItem(&Item, OnItem, NULL);
    ExInitializeRundownProtection(&Rundown);
}

static PCSTR CheckLocks(VOID)
{
    LONG64 All = 0;
    for (ULONG i = 0; i < LOCK_KINDS; i++) {
        KTEST_CHECK(Guards[i].First == Done[i] && Guards[i].Second == Done[i]);
        KTEST_CHECK(Done[i] > 0);
        All += Done[i];
    }
    DbgPrint("stress: %I64d lock uses, %I64d queue rounds, %I64d DPCs, %I64d work items\n", All, Rounds, DpcsRun, ItemsRun);
    KTEST_CHECK(Broken == 0);
    return NULL;
}

static PCSTR CheckTokens(VOID)
{
    for (ULONG i = 0; i < SEMAPHORES; i++) {
        KTEST_CHECK(Released[i] == Taken[i] + KeReadStateSemaphore(&Semaphores[i]));
        KTEST_CHECK(Taken[i] > 0);
    }
    return NULL;
}

/* All entries are back, each once. */
static PCSTR CheckQueue(VOID)
{
    ULONG Found = 0;
    KTEST_CHECK(Rounds > 0);
    PLIST_ENTRY First = KeRundownQueue(&Queue), Entry = First;
    do {
        KTEST_CHECK(Entry >= Entries && Entry < Entries + ITEMS);
        Found++;
        Entry = Entry->Flink;
    } while (Entry != First && Found <= ITEMS);
    KTEST_CHECK(Found == ITEMS);
    return NULL;
}

static PCSTR CheckDeferred(VOID)
{
    KeFlushQueuedDpcs();
    for (ULONG i = 0; i < 1000 && ItemBusy; i++) {
        KtestSleep(10);
    }
    KTEST_CHECK(DpcsRun == DpcsQueued && DpcsRun > 0);
    KTEST_CHECK(ItemsRun == ItemsQueued && ItemsRun > 0);
    return NULL;
}

static PCSTR Mixed(VOID)
{
    Prepare();
    Deadline = KeQueryInterruptTime() + StressMilliseconds() * 10000;
    return KtestCrowd(THREADS, Work) ? NULL : "not all threads could be made";
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    KtestRun("stress.mixed", Mixed);
    KtestRun("stress.locks-exact", CheckLocks);
    KtestRun("stress.tokens-exact", CheckTokens);
    KtestRun("stress.queue-exact", CheckQueue);
    KtestRun("stress.deferred-exact", CheckDeferred);
    ExDeleteResourceLite(&Resource);
    KtestRun("stress.wake-ups", StressWakeUps);
    return STATUS_SUCCESS;
}
