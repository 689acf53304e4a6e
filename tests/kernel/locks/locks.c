/* SPDX-License-Identifier: MIT */
/*
 * A plain counter under each kind of lock, by as many threads as there are processors and more: no increment
 * may get lost. The runner checks that as many processors are online as it asked for (tests/kinds.py).
 */
#include "../ktest.h"

#define THREADS    8
#define INCREMENTS 20000

static volatile ULONG Counter; /* guarded by the lock under test; the read and the write are apart on purpose */
static KSPIN_LOCK SpinLock;
static EX_PUSH_LOCK PushLock;
static KEVENT Gate;       /* synchronization event as a lock */
static KSEMAPHORE Turns;
static volatile LONG Readers, Writers, Broken;

static VOID CountOnce(VOID)
{
    ULONG Value = Counter;
    for (volatile int i = 0; i < 3; i++) {
    }
    Counter = Value + 1;
}

static VOID SpinThread(PVOID Context)
{
    for (ULONG i = 0; i < INCREMENTS; i++) {
        KIRQL Irql;
        KeAcquireSpinLock(&SpinLock, &Irql);
        CountOnce();
        KeReleaseSpinLock(&SpinLock, Irql);
    }
}

static VOID DpcLevelThread(PVOID Context)
{
    for (ULONG i = 0; i < INCREMENTS; i++) {
        KIRQL Irql = KeRaiseIrqlToDpcLevel();
        KeAcquireSpinLockAtDpcLevel(&SpinLock);
        CountOnce();
        KeReleaseSpinLockFromDpcLevel(&SpinLock);
        KeLowerIrql(Irql);
    }
}

static VOID TryThread(PVOID Context)
{
    for (ULONG i = 0; i < INCREMENTS; i++) {
        KIRQL Irql = KeRaiseIrqlToDpcLevel();
        while (!KeTryToAcquireSpinLockAtDpcLevel(&SpinLock)) {
        }
        CountOnce();
        KeReleaseSpinLockFromDpcLevel(&SpinLock);
        KeLowerIrql(Irql);
    }
}

/* Handed on in order: where the host runs the machine's processors by turns, each hand-over waits for the
   turn of the next in line, some milliseconds. There the time ends the rounds, but not before every thread
   has made some; they are added up. */
#define QUEUED_MS  2000
#define QUEUED_MIN 200

static volatile LONG QueuedRounds;

static VOID QueuedThread(PVOID Context)
{
    ULONGLONG Start = KeQueryInterruptTime();
    ULONG i;
    for (i = 0; i < INCREMENTS && (i < QUEUED_MIN || KeQueryInterruptTime() - Start < QUEUED_MS * 10000); i++) {
        KLOCK_QUEUE_HANDLE Handle;
        KeAcquireInStackQueuedSpinLock(&SpinLock, &Handle);
        CountOnce();
        KeReleaseInStackQueuedSpinLock(&Handle);
    }
    InterlockedExchangeAdd(&QueuedRounds, (LONG)i);
}

static VOID PushThread(PVOID Context)
{
    for (ULONG i = 0; i < INCREMENTS; i++) {
        KeEnterCriticalRegion();
        ExAcquirePushLockExclusive(&PushLock);
        CountOnce();
        ExReleasePushLockExclusive(&PushLock);
        KeLeaveCriticalRegion();
    }
}

static VOID EventThread(PVOID Context)
{
    for (ULONG i = 0; i < INCREMENTS / 4; i++) {
        KeWaitForSingleObject(&Gate, Executive, KernelMode, FALSE, NULL);
        CountOnce();
        KeSetEvent(&Gate, IO_NO_INCREMENT, FALSE);
    }
}

static VOID SemaphoreThread(PVOID Context)
{
    for (ULONG i = 0; i < INCREMENTS / 4; i++) {
        KeWaitForSingleObject(&Turns, Executive, KernelMode, FALSE, NULL);
        CountOnce();
        KeReleaseSemaphore(&Turns, IO_NO_INCREMENT, 1, FALSE);
    }
}

/* Odd threads write, even ones read: a reader must never see a writer inside, nor a writer anybody. */
static VOID SharedThread(PVOID Context)
{
    BOOLEAN Writer = (ULONG_PTR)Context % 2;
    for (ULONG i = 0; i < INCREMENTS / 4; i++) {
        KeEnterCriticalRegion();
        if (Writer) {
            ExAcquirePushLockExclusive(&PushLock);
            if (InterlockedIncrement(&Writers) != 1 || Readers != 0) {
                Broken = 1;
            }
            CountOnce();
            InterlockedDecrement(&Writers);
            ExReleasePushLockExclusive(&PushLock);
        } else {
            ExAcquirePushLockShared(&PushLock);
            InterlockedIncrement(&Readers);
            if (Writers != 0) {
                Broken = 1;
            }
            InterlockedDecrement(&Readers);
            ExReleasePushLockShared(&PushLock);
        }
        KeLeaveCriticalRegion();
    }
}

static PCSTR CountUnder(PKSTART_ROUTINE Routine, ULONG Expected)
{
    KeInitializeSpinLock(&SpinLock);
    ExInitializePushLock(&PushLock);
    KeInitializeEvent(&Gate, SynchronizationEvent, TRUE);
    KeInitializeSemaphore(&Turns, 1, 1);
    Counter = 0;
    KTEST_CHECK(KtestCrowd(THREADS, Routine));
    KTEST_CHECK(Counter == Expected);
    KTEST_CHECK(KeGetCurrentIrql() == PASSIVE_LEVEL);
    return NULL;
}

static PCSTR TestSpin(VOID)
{
    return CountUnder(SpinThread, THREADS * INCREMENTS);
}

static PCSTR TestDpcLevel(VOID)
{
    return CountUnder(DpcLevelThread, THREADS * INCREMENTS);
}

static PCSTR TestTry(VOID)
{
    return CountUnder(TryThread, THREADS * INCREMENTS);
}

static PCSTR TestQueued(VOID)
{
    QueuedRounds = 0;
    KeInitializeSpinLock(&SpinLock);
    Counter = 0;
    KTEST_CHECK(KtestCrowd(THREADS, QueuedThread));
    DbgPrint("locks: %d hand-overs\n", QueuedRounds);
    KTEST_CHECK(Counter == (ULONG)QueuedRounds && QueuedRounds >= THREADS * QUEUED_MIN);
    return NULL;
}

static PCSTR TestPush(VOID)
{
    return CountUnder(PushThread, THREADS * INCREMENTS);
}

static PCSTR TestEvent(VOID)
{
    return CountUnder(EventThread, THREADS * (INCREMENTS / 4));
}

static PCSTR TestSemaphore(VOID)
{
    return CountUnder(SemaphoreThread, THREADS * (INCREMENTS / 4));
}

static PCSTR TestShared(VOID)
{
    Broken = Readers = Writers = 0;
    PCSTR Why = CountUnder(SharedThread, THREADS / 2 * (INCREMENTS / 4));
    KTEST_CHECK(!Broken);
    return Why;
}

static PCSTR TestWord(VOID)
{
    KSPIN_LOCK Lock;
    KIRQL Irql;
    KLOCK_QUEUE_HANDLE Handle;
    BOOLEAN ApcsBefore = KeAreApcsDisabled();
    KeInitializeSpinLock(&Lock);
    KTEST_CHECK(Lock == 0 && KeTestSpinLock(&Lock));
    KeAcquireSpinLock(&Lock, &Irql);
    KIRQL Inside = KeGetCurrentIrql();
    BOOLEAN Held = Lock != 0 && !KeTestSpinLock(&Lock), SameApcs = KeAreApcsDisabled() == ApcsBefore;
    KeReleaseSpinLock(&Lock, Irql);
    KTEST_CHECK(Inside == DISPATCH_LEVEL && Irql == PASSIVE_LEVEL && Held && SameApcs);
    KTEST_CHECK(Lock == 0 && KeGetCurrentIrql() == PASSIVE_LEVEL);
    KeAcquireInStackQueuedSpinLock(&Lock, &Handle);
    BOOLEAN Queued = Lock == (KSPIN_LOCK)&Handle.LockQueue && ((ULONG_PTR)Handle.LockQueue.Lock & 2);
    KeReleaseInStackQueuedSpinLock(&Handle);
    KTEST_CHECK(Queued);
    KTEST_CHECK(Lock == 0 && ((ULONG_PTR)Handle.LockQueue.Lock & 2) == 0);
    return NULL;
}

static PCSTR TestRundown(VOID)
{
    EX_RUNDOWN_REF Ref;
    ExInitializeRundownProtection(&Ref);
    KTEST_CHECK(ExAcquireRundownProtection(&Ref) && ExAcquireRundownProtectionEx(&Ref, 3));
    ExReleaseRundownProtectionEx(&Ref, 3);
    ExReleaseRundownProtection(&Ref);
    ExWaitForRundownProtectionRelease(&Ref);
    KTEST_CHECK(!ExAcquireRundownProtection(&Ref));
    ExWaitForRundownProtectionRelease(&Ref); /* at once */
    ExReInitializeRundownProtection(&Ref);
    KTEST_CHECK(ExAcquireRundownProtection(&Ref));
    ExReleaseRundownProtection(&Ref);
    return NULL;
}

static EX_RUNDOWN_REF SharedRef;
static volatile LONG Inside, Closed;

static VOID RundownThread(PVOID Context)
{
    while (ExAcquireRundownProtection(&SharedRef)) {
        InterlockedIncrement(&Inside);
        if (Closed) {
            Broken = 1;
        }
        InterlockedDecrement(&Inside);
        ExReleaseRundownProtection(&SharedRef);
    }
}

/* Users come and go on all processors while one closes: none is inside when the wait returns, none comes in
   later. */
static PCSTR TestRundownRace(VOID)
{
    for (ULONG Round = 0; Round < 200; Round++) {
        PETHREAD Threads[4];
        ExInitializeRundownProtection(&SharedRef);
        Inside = Closed = Broken = 0;
        for (ULONG i = 0; i < 4; i++) {
            Threads[i] = KtestStart(RundownThread, NULL);
            KTEST_CHECK(Threads[i] != NULL);
        }
        if (Round % 2) {
            KtestSleep(1);
        }
        ExWaitForRundownProtectionRelease(&SharedRef);
        Closed = 1;
        BOOLEAN Empty = Inside == 0;
        for (ULONG i = 0; i < 4; i++) {
            KtestJoin(Threads[i]);
        }
        KTEST_CHECK(Empty && !Broken);
    }
    return NULL;
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    KtestRun("locks.spin", TestSpin);
    KtestRun("locks.dpc-level", TestDpcLevel);
    KtestRun("locks.try", TestTry);
    KtestRun("locks.queued", TestQueued);
    KtestRun("locks.push-exclusive", TestPush);
    KtestRun("locks.push-shared", TestShared);
    KtestRun("locks.event-as-lock", TestEvent);
    KtestRun("locks.semaphore-as-lock", TestSemaphore);
    KtestRun("locks.word", TestWord);
    KtestRun("locks.rundown", TestRundown);
    KtestRun("locks.rundown-race", TestRundownRace);
    return STATUS_SUCCESS;
}
