/* SPDX-License-Identifier: MIT */
/*
 * Locks for code that may wait: fast and guarded mutexes, push locks, run-down protection. What the
 * documentation promises of each, by one thread at a time where the order can be told, and by crowds where it
 * cannot.
 */
#include "../ktest.h"

#define CROWD  8
#define ROUNDS 3000

static FAST_MUTEX Mutex;
static EX_PUSH_LOCK PushLock;
static KEVENT Started, Go;
static volatile LONG Order[CROWD], Arrived, Inside, Broken, Counter;

/* ---- Fast mutexes ---- */

static PCSTR TestInitialValues(VOID)
{
    FAST_MUTEX Fast;
    KGUARDED_MUTEX Guarded;
    memset(&Fast, 0x55, sizeof(Fast));
    memset(&Guarded, 0x55, sizeof(Guarded));
    ExInitializeFastMutex(&Fast);
    KeInitializeGuardedMutex(&Guarded);
    KTEST_CHECK(Fast.Count == 1 && Fast.Owner == NULL && Fast.Contention == 0);
    KTEST_CHECK(Guarded.Count == 1 && Guarded.Owner == NULL && Guarded.Contention == 0);
    return NULL;
}

static PCSTR TestFastRaises(VOID)
{
    KIRQL Old;
    ExInitializeFastMutex(&Mutex);
    ExAcquireFastMutex(&Mutex);
    KIRQL Within = KeGetCurrentIrql();
    BOOLEAN Held = Mutex.Count == 0 && Mutex.Owner == KeGetCurrentThread();
    ExReleaseFastMutex(&Mutex);
    KTEST_CHECK(Within == APC_LEVEL && Held);
    KTEST_CHECK(KeGetCurrentIrql() == PASSIVE_LEVEL && Mutex.Count == 1 && Mutex.Owner == NULL);

    KeRaiseIrql(APC_LEVEL, &Old);
    ExAcquireFastMutex(&Mutex);
    ExReleaseFastMutex(&Mutex);
    Within = KeGetCurrentIrql();
    KeLowerIrql(Old);
    KTEST_CHECK(Within == APC_LEVEL); /* the level from before, not PASSIVE_LEVEL */
    return NULL;
}

static PCSTR TestTryOfHolder(VOID)
{
    ExInitializeFastMutex(&Mutex);
    BOOLEAN First = ExTryToAcquireFastMutex(&Mutex), Level = KeGetCurrentIrql() == APC_LEVEL;
    BOOLEAN Second = ExTryToAcquireFastMutex(&Mutex), Same = KeGetCurrentIrql() == APC_LEVEL;
    ExReleaseFastMutex(&Mutex);
    KTEST_CHECK(First && Level && !Second && Same && KeGetCurrentIrql() == PASSIVE_LEVEL);
    KTEST_CHECK(Mutex.Contention == 0); /* a try does not wait */
    return NULL;
}

static VOID HoldUntilGo(PVOID Context)
{
    ExAcquireFastMutex(&Mutex);
    KeSetEvent(&Started, IO_NO_INCREMENT, FALSE);
    KeWaitForSingleObject(&Go, Executive, KernelMode, FALSE, NULL);
    ExReleaseFastMutex(&Mutex);
}

static PETHREAD StartHolder(PKSTART_ROUTINE Routine)
{
    KeInitializeEvent(&Started, SynchronizationEvent, FALSE);
    KeInitializeEvent(&Go, NotificationEvent, FALSE);
    PETHREAD Holder = KtestStart(Routine, NULL);
    if (Holder != NULL) {
        KeWaitForSingleObject(&Started, Executive, KernelMode, FALSE, NULL);
    }
    return Holder;
}

static PCSTR TestTryFails(VOID)
{
    ExInitializeFastMutex(&Mutex);
    PETHREAD Holder = StartHolder(HoldUntilGo);
    KTEST_CHECK(Holder != NULL);
    BOOLEAN Taken = ExTryToAcquireFastMutex(&Mutex);
    KIRQL Irql = KeGetCurrentIrql();
    KeSetEvent(&Go, IO_NO_INCREMENT, FALSE);
    KtestJoin(Holder);
    KTEST_CHECK(!Taken && Irql == PASSIVE_LEVEL);
    return NULL;
}

static VOID QueueOnMutex(PVOID Context)
{
    ExAcquireFastMutex(&Mutex);
    Order[InterlockedIncrement(&Arrived) - 1] = (LONG)(ULONG_PTR)Context;
    ExReleaseFastMutex(&Mutex);
}

/* Threads queue one after the other behind a holder; each counts once, and they are served as they came. */
static PCSTR TestServedInOrder(VOID)
{
    PETHREAD Threads[CROWD];
    ExInitializeFastMutex(&Mutex);
    Arrived = 0;
    PETHREAD Holder = StartHolder(HoldUntilGo);
    KTEST_CHECK(Holder != NULL);
    for (ULONG i = 0; i < CROWD; i++) {
        Threads[i] = KtestStart(QueueOnMutex, (PVOID)(ULONG_PTR)i);
        KTEST_CHECK(Threads[i] != NULL);
        while (Mutex.Count != (LONG)(4 * (i + 1)) || IsListEmpty(&Mutex.Event.Header.WaitListHead) ||
               KeQueryPriorityThread((PKTHREAD)Threads[i]) == 0) {
            KtestSleep(1);
        }
        KtestSleep(2); /* it has announced itself; now it sleeps */
    }
    ULONG Contention = Mutex.Contention;
    KeSetEvent(&Go, IO_NO_INCREMENT, FALSE);
    KtestJoin(Holder);
    for (ULONG i = 0; i < CROWD; i++) {
        KtestJoin(Threads[i]);
    }
    KTEST_CHECK(Contention == CROWD && Mutex.Contention == CROWD);
    for (LONG i = 0; i < CROWD; i++) {
        KTEST_CHECK(Order[i] == i);
    }
    KTEST_CHECK(Mutex.Count == 1 && Mutex.Owner == NULL);
    return NULL;
}

static VOID CountOnce(VOID)
{
    LONG Value = Counter;
    if (InterlockedIncrement(&Inside) != 1) {
        Broken = 1;
    }
    for (volatile int i = 0; i < 3; i++) {
    }
    Counter = Value + 1;
    InterlockedDecrement(&Inside);
}

static VOID FastThread(PVOID Context)
{
    for (ULONG i = 0; i < ROUNDS; i++) {
        ExAcquireFastMutex(&Mutex);
        CountOnce();
        ExReleaseFastMutex(&Mutex);
    }
}

static VOID TryThread(PVOID Context)
{
    for (ULONG i = 0; i < ROUNDS; i++) {
        while (!ExTryToAcquireFastMutex(&Mutex)) {
        }
        CountOnce();
        ExReleaseFastMutex(&Mutex);
    }
}

static VOID GuardedThread(PVOID Context)
{
    for (ULONG i = 0; i < ROUNDS; i++) {
        KeAcquireGuardedMutex(&Mutex);
        CountOnce();
        KeReleaseGuardedMutex(&Mutex);
    }
}

static VOID UnsafeThread(PVOID Context)
{
    for (ULONG i = 0; i < ROUNDS; i++) {
        if (i % 2) {
            KeEnterGuardedRegion();
            KeAcquireGuardedMutexUnsafe(&Mutex);
            CountOnce();
            KeReleaseGuardedMutexUnsafe(&Mutex);
            KeLeaveGuardedRegion();
        } else {
            KeEnterCriticalRegion();
            ExAcquireFastMutexUnsafe(&Mutex);
            CountOnce();
            ExReleaseFastMutexUnsafe(&Mutex);
            KeLeaveCriticalRegion();
        }
    }
}

static PCSTR CountUnder(PKSTART_ROUTINE Routine)
{
    ExInitializeFastMutex(&Mutex);
    Counter = Inside = Broken = 0;
    KTEST_CHECK(KtestCrowd(CROWD, Routine));
    KTEST_CHECK(Counter == CROWD * ROUNDS && !Broken);
    KTEST_CHECK(Mutex.Count == 1 && Mutex.Owner == NULL);
    return NULL;
}

static PCSTR TestFastExcludes(VOID)
{
    return CountUnder(FastThread);
}

static PCSTR TestTryExcludes(VOID)
{
    return CountUnder(TryThread);
}

static PCSTR TestGuardedExcludes(VOID)
{
    return CountUnder(GuardedThread);
}

static PCSTR TestUnsafeExcludes(VOID)
{
    return CountUnder(UnsafeThread);
}

/* Windows 8 and later: a guarded mutex raises the level, too, and leaves the count of guarded regions
   alone. */
static PCSTR TestGuardedIsFast(VOID)
{
    KGUARDED_MUTEX Guarded;
    KeInitializeGuardedMutex(&Guarded);
    KeAcquireGuardedMutex(&Guarded);
    BOOLEAN Off = KeGetCurrentIrql() == APC_LEVEL && KeAreAllApcsDisabled();
    BOOLEAN Again = KeTryToAcquireGuardedMutex(&Guarded);
    KeReleaseGuardedMutex(&Guarded);
    KTEST_CHECK(Off && !Again && !KeAreAllApcsDisabled());
    return NULL;
}

static PCSTR TestUnsafeKeepsLevel(VOID)
{
    ExInitializeFastMutex(&Mutex);
    KeEnterCriticalRegion();
    ExAcquireFastMutexUnsafe(&Mutex);
    KIRQL Within = KeGetCurrentIrql();
    BOOLEAN All = KeAreAllApcsDisabled();
    ExReleaseFastMutexUnsafe(&Mutex);
    KeLeaveCriticalRegion();
    KTEST_CHECK(Within == PASSIVE_LEVEL && !All && Mutex.Count == 1);
    return NULL;
}

/* ---- Push locks ---- */

static VOID HoldSharedUntilGo(PVOID Context)
{
    KeEnterCriticalRegion();
    ExAcquirePushLockShared(&PushLock);
    KeSetEvent(&Started, IO_NO_INCREMENT, FALSE);
    KeWaitForSingleObject(&Go, Executive, KernelMode, FALSE, NULL);
    ExReleasePushLockShared(&PushLock);
    KeLeaveCriticalRegion();
}

static VOID WantExclusive(PVOID Context)
{
    KeEnterCriticalRegion();
    ExAcquirePushLockExclusive(&PushLock);
    InterlockedIncrement(&Arrived);
    ExReleasePushLockExclusive(&PushLock);
    KeLeaveCriticalRegion();
}

/* While one holds the lock shared, another shared request succeeds and an exclusive one does not; once an
   exclusive waiter is queued, a shared request fails, too. */
static PCSTR TestPushSharedAgainstWaiter(VOID)
{
    ExInitializePushLock(&PushLock);
    Arrived = 0;
    PETHREAD Holder = StartHolder(HoldSharedUntilGo);
    KTEST_CHECK(Holder != NULL);
    KeEnterCriticalRegion();
    BOOLEAN Shared = ExTryAcquirePushLockShared(&PushLock);
    if (Shared) {
        ExReleasePushLockShared(&PushLock);
    }
    BOOLEAN Exclusive = ExTryAcquirePushLockExclusive(&PushLock);
    ULONG_PTR Before = PushLock.Value;
    PETHREAD Writer = KtestStart(WantExclusive, NULL);
    for (ULONG i = 0; Writer != NULL && PushLock.Value == Before && i < 5000; i++) {
        KtestSleep(1);
    }
    BOOLEAN Behind = ExTryAcquirePushLockShared(&PushLock);
    LONG Early = Arrived;
    KeSetEvent(&Go, IO_NO_INCREMENT, FALSE);
    KtestJoin(Holder);
    KTEST_CHECK(Writer != NULL);
    KtestJoin(Writer);
    BOOLEAN Free = ExTryAcquirePushLockExclusive(&PushLock);
    if (Free) {
        ExReleasePushLockExclusive(&PushLock);
    }
    KeLeaveCriticalRegion();
    KTEST_CHECK(Shared && !Exclusive && !Behind && Early == 0 && Arrived == 1 && Free && PushLock.Value == 0);
    return NULL;
}

/* Sharing is real: all of a crowd are inside at once. */
static VOID MeetInside(PVOID Context)
{
    KeEnterCriticalRegion();
    ExAcquirePushLockShared(&PushLock);
    InterlockedIncrement(&Arrived);
    for (ULONG i = 0; Arrived < CROWD && i < 5000; i++) {
        KtestSleep(1);
    }
    if (Arrived != CROWD) {
        Broken = 1;
    }
    ExReleasePushLockShared(&PushLock);
    KeLeaveCriticalRegion();
}

static PCSTR TestPushShares(VOID)
{
    ExInitializePushLock(&PushLock);
    Arrived = Broken = 0;
    KTEST_CHECK(KtestCrowd(CROWD, MeetInside) && !Broken);
    return NULL;
}

/* ---- Run-down protection ---- */

static EX_RUNDOWN_REF Rundown;
static PEX_RUNDOWN_REF_CACHE_AWARE Aware;

static PCSTR TestRundownRows(VOID)
{
    EX_RUNDOWN_REF Ref;
    memset(&Ref, 0x55, sizeof(Ref));
    ExInitializeRundownProtection(&Ref);
    KTEST_CHECK(ExAcquireRundownProtection(&Ref) && ExAcquireRundownProtectionEx(&Ref, 3));
    ExReleaseRundownProtectionEx(&Ref, 4); /* what is counted is the sum */
    ExWaitForRundownProtectionRelease(&Ref);
    KTEST_CHECK(!ExAcquireRundownProtection(&Ref) && !ExAcquireRundownProtectionEx(&Ref, 2));
    ExWaitForRundownProtectionRelease(&Ref); /* a second time: at once */
    ExReInitializeRundownProtection(&Ref);
    KTEST_CHECK(ExAcquireRundownProtection(&Ref));
    ExReleaseRundownProtection(&Ref);
    ExRundownCompleted(&Ref); /* marks it without waiting */
    KTEST_CHECK(!ExAcquireRundownProtection(&Ref));
    ExWaitForRundownProtectionRelease(&Ref);
    return NULL;
}

static VOID CloseRundown(PVOID Context)
{
    if (Context != NULL) {
        ExWaitForRundownProtectionReleaseCacheAware(Aware);
    } else {
        ExWaitForRundownProtectionRelease(&Rundown);
    }
    InterlockedIncrement(&Arrived);
}

/* Several threads wait for one run-down, and the reference is opened again at once when one of them comes
   through: none of them may miss the end that it has waited for. */
static PCSTR TestSeveralWaiters(VOID)
{
    for (ULONG Round = 0; Round < 100; Round++) {
        PETHREAD Threads[CROWD];
        ExInitializeRundownProtection(&Rundown);
        Arrived = 0;
        KTEST_CHECK(ExAcquireRundownProtection(&Rundown));
        for (ULONG i = 0; i < CROWD; i++) {
            Threads[i] = KtestStart(CloseRundown, NULL);
            KTEST_CHECK(Threads[i] != NULL);
        }
        while ((Rundown.Count & 1) == 0) {
            KtestSleep(1);
        }
        KtestSleep(Round < 3 ? 20 : 0); /* all of them wait; or some come while it ends */
        LONG Early = Arrived;
        ExReleaseRundownProtection(&Rundown);
        while (Rundown.Count != 1) {
            KtestSleep(0);
        }
        if (Round < 3) {
            ExReInitializeRundownProtection(&Rundown);
            LARGE_INTEGER Limit = KtestMs(5000);
            for (ULONG i = 0; i < CROWD; i++) {
                KTEST_CHECK(KeWaitForSingleObject(Threads[i], Executive, KernelMode, FALSE, &Limit) == STATUS_SUCCESS);
            }
        }
        for (ULONG i = 0; i < CROWD; i++) {
            KtestJoin(Threads[i]);
        }
        KTEST_CHECK(Early == 0 && Arrived == CROWD);
    }
    return NULL;
}

/* Comes in on one processor and leaves on another. */
static VOID AwareThread(PVOID Context)
{
    ULONG Processors = KeQueryActiveProcessorCount(NULL), Number = (ULONG)(ULONG_PTR)Context;
    for (ULONG i = 0;; i++) {
        KAFFINITY Old = KeSetSystemAffinityThreadEx((KAFFINITY)1 << (Number + i) % Processors);
        BOOLEAN Entered = ExAcquireRundownProtectionCacheAware(Aware);
        if (Entered) {
            InterlockedIncrement(&Inside);
            if (Broken < 0) {
                Broken = 1;
            }
            KeSetSystemAffinityThreadEx((KAFFINITY)1 << (Number + i + 1) % Processors);
            InterlockedDecrement(&Inside);
            ExReleaseRundownProtectionCacheAware(Aware);
        }
        KeRevertToUserAffinityThreadEx(Old);
        if (!Entered) {
            return;
        }
    }
}

static PCSTR TestCacheAware(VOID)
{
    Aware = ExAllocateCacheAwareRundownProtection(NonPagedPoolNx, 'trwA');
    KTEST_CHECK(Aware != NULL);
    for (ULONG Round = 0; Round < 20; Round++) {
        PETHREAD Threads[4];
        Inside = Broken = 0;
        for (ULONG i = 0; i < 4; i++) {
            Threads[i] = KtestStart(AwareThread, (PVOID)(ULONG_PTR)i);
            KTEST_CHECK(Threads[i] != NULL);
        }
        KtestSleep(Round % 4);
        ExWaitForRundownProtectionReleaseCacheAware(Aware);
        LONG Left = InterlockedExchange(&Broken, -1) == 0 ? Inside : -1; /* nobody may come in from now on */
        for (ULONG i = 0; i < 4; i++) {
            KtestJoin(Threads[i]);
        }
        KTEST_CHECK(Left == 0 && Broken == -1);
        ExReInitializeRundownProtectionCacheAware(Aware);
    }
    KTEST_CHECK(ExAcquireRundownProtectionCacheAwareEx(Aware, 2));
    Arrived = 0;
    PETHREAD First = KtestStart(CloseRundown, Aware), Second = KtestStart(CloseRundown, Aware);
    KTEST_CHECK(First != NULL && Second != NULL);
    KtestSleep(5);
    ExReleaseRundownProtectionCacheAware(Aware);
    KtestSleep(5);
    LONG Early = Arrived;
    ExReleaseRundownProtectionCacheAware(Aware);
    KtestJoin(First);
    KtestJoin(Second);
    KTEST_CHECK(Early == 0 && Arrived == 2);
    ExRundownCompletedCacheAware(Aware);
    KTEST_CHECK(!ExAcquireRundownProtectionCacheAware(Aware));
    ExFreeCacheAwareRundownProtection(Aware);

    SIZE_T Size = ExSizeOfRundownProtectionCacheAware(); /* in memory of our own */
    Aware = ExAllocatePoolWithTag(NonPagedPoolNx, Size, 'trwA');
    KTEST_CHECK(Aware != NULL && Size >= 64 * KeQueryActiveProcessorCount(NULL));
    ExInitializeRundownProtectionCacheAware(Aware, Size);
    KTEST_CHECK(ExAcquireRundownProtectionCacheAwareEx(Aware, 3));
    ExReleaseRundownProtectionCacheAwareEx(Aware, 3);
    ExWaitForRundownProtectionReleaseCacheAware(Aware);
    KTEST_CHECK(!ExAcquireRundownProtectionCacheAware(Aware));
    ExFreePoolWithTag(Aware, 'trwA');
    return NULL;
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    KtestRun("passive.mutex-initial-values", TestInitialValues);
    KtestRun("passive.fast-raises-to-apc-and-restores", TestFastRaises);
    KtestRun("passive.try-of-the-holder-fails", TestTryOfHolder);
    KtestRun("passive.try-that-fails-leaves-the-level", TestTryFails);
    KtestRun("passive.fast-serves-in-order-and-counts-contention", TestServedInOrder);
    KtestRun("passive.fast-excludes", TestFastExcludes);
    KtestRun("passive.try-excludes", TestTryExcludes);
    KtestRun("passive.guarded-excludes", TestGuardedExcludes);
    KtestRun("passive.unsafe-excludes", TestUnsafeExcludes);
    KtestRun("passive.guarded-is-fast", TestGuardedIsFast);
    KtestRun("passive.unsafe-keeps-the-level", TestUnsafeKeepsLevel);
    KtestRun("passive.push-shared-waits-behind-exclusive-waiter", TestPushSharedAgainstWaiter);
    KtestRun("passive.push-shared-together", TestPushShares);
    KtestRun("passive.rundown-rows", TestRundownRows);
    KtestRun("passive.rundown-several-waiters", TestSeveralWaiters);
    KtestRun("passive.rundown-cache-aware", TestCacheAware);
    return STATUS_SUCCESS;
}
