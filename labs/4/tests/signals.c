/* SPDX-License-Identifier: MIT */
/*
 * What a signal does to those who wait: events that are pulsed, semaphores, mutexes. Every wait has a limit,
 * so that an object that wakes nobody is a failure and no hang.
 */
#include "ktest.h"
#include <seh.h>

#define WAITERS 4

static KEVENT Event;
static KSEMAPHORE Semaphore;
static KMUTEX Mutex;
static PETHREAD Thread[WAITERS];
static volatile LONG Woken, Waiting, Inside, Worst, Total;

static NTSTATUS WaitFor(PVOID Object, LONGLONG Milliseconds)
{
    LARGE_INTEGER Time = KtestMs(Milliseconds);
    return KeWaitForSingleObject(Object, Executive, KernelMode, FALSE, &Time);
}

static VOID WaitOnce(PVOID Object)
{
    InterlockedIncrement(&Waiting);
    if (WaitFor(Object, 300) == STATUS_SUCCESS) {
        InterlockedIncrement(&Woken);
    }
}

/* WAITERS threads wait for the object: on one processor they do when this returns. */
static BOOLEAN StartWaiters(PVOID Object)
{
    Woken = Waiting = 0;
    for (ULONG i = 0; i < WAITERS; i++) {
        Thread[i] = KtestStart(WaitOnce, Object);
        if (Thread[i] == NULL) {
            return FALSE;
        }
    }
    KtestSleep(50);
    return Waiting == WAITERS;
}

static VOID JoinWaiters(VOID)
{
    for (ULONG i = 0; i < WAITERS; i++) {
        KtestJoin(Thread[i]);
    }
}

/* ---- Pulses ---- */

static PCSTR TestPulseAll(VOID)
{
    KeInitializeEvent(&Event, NotificationEvent, FALSE);
    KTEST_CHECK(StartWaiters(&Event));
    LONG Before = KePulseEvent(&Event, IO_NO_INCREMENT, FALSE);
    JoinWaiters();
    KTEST_CHECK(Before == 0);
    KTEST_CHECK(Woken == WAITERS);
    KTEST_CHECK(KeReadStateEvent(&Event) == 0);
    return NULL;
}

static PCSTR TestPulseOne(VOID)
{
    KeInitializeEvent(&Event, SynchronizationEvent, FALSE);
    KTEST_CHECK(StartWaiters(&Event));
    KePulseEvent(&Event, IO_NO_INCREMENT, FALSE);
    JoinWaiters();
    KTEST_CHECK(Woken == 1);
    KTEST_CHECK(KeReadStateEvent(&Event) == 0);
    return NULL;
}

static PCSTR TestPulseNobody(VOID)
{
    KeInitializeEvent(&Event, NotificationEvent, TRUE);
    KTEST_CHECK(KePulseEvent(&Event, IO_NO_INCREMENT, FALSE) != 0);
    KTEST_CHECK(KeReadStateEvent(&Event) == 0);
    KTEST_CHECK(WaitFor(&Event, 0) == STATUS_TIMEOUT);
    return NULL;
}

/* ---- Semaphores ---- */

static PCSTR TestSemaphoreCount(VOID)
{
    KeInitializeSemaphore(&Semaphore, 0, 5);
    KTEST_CHECK(KeReleaseSemaphore(&Semaphore, IO_NO_INCREMENT, 2, FALSE) == 0);
    KTEST_CHECK(KeReleaseSemaphore(&Semaphore, IO_NO_INCREMENT, 3, FALSE) == 2);
    KTEST_CHECK(KeReadStateSemaphore(&Semaphore) == 5);
    for (ULONG i = 0; i < 5; i++) {
        KTEST_CHECK(WaitFor(&Semaphore, 0) == STATUS_SUCCESS);
    }
    KTEST_CHECK(WaitFor(&Semaphore, 0) == STATUS_TIMEOUT);
    return NULL;
}

static PCSTR TestSemaphoreWakes(VOID)
{
    KeInitializeSemaphore(&Semaphore, 0, 10);
    KTEST_CHECK(StartWaiters(&Semaphore));
    KeReleaseSemaphore(&Semaphore, IO_NO_INCREMENT, WAITERS - 1, FALSE);
    JoinWaiters();
    KTEST_CHECK(Woken == WAITERS - 1);
    KTEST_CHECK(KeReadStateSemaphore(&Semaphore) == 0);
    return NULL;
}

static NTSTATUS ReleaseRaises(LONG Adjustment)
{
    volatile NTSTATUS Status = STATUS_SUCCESS;
    _SEH2_TRY
    {
        KeReleaseSemaphore(&Semaphore, IO_NO_INCREMENT, Adjustment, FALSE);
    }
    _SEH2_EXCEPT(EXCEPTION_EXECUTE_HANDLER)
    {
        Status = _SEH2_GetExceptionCode();
    }
    _SEH2_END;
    return Status;
}

static PCSTR TestSemaphoreLimit(VOID)
{
    KeInitializeSemaphore(&Semaphore, 1, 3);
    KTEST_CHECK(ReleaseRaises(3) == STATUS_SEMAPHORE_LIMIT_EXCEEDED);
    KTEST_CHECK(ReleaseRaises(MAXLONG) == STATUS_SEMAPHORE_LIMIT_EXCEEDED);
    KTEST_CHECK(KeReadStateSemaphore(&Semaphore) == 1);
    KTEST_CHECK(ReleaseRaises(2) == STATUS_SUCCESS);
    KTEST_CHECK(KeReadStateSemaphore(&Semaphore) == 3);
    return NULL;
}

/* ---- Mutexes ---- */

static PCSTR TestMutexRecursion(VOID)
{
    KeInitializeMutex(&Mutex, 0);
    KTEST_CHECK(KeReadStateMutex(&Mutex) == 1);
    for (LONG i = 0; i < 3; i++) {
        KTEST_CHECK(WaitFor(&Mutex, 0) == STATUS_SUCCESS);
        KTEST_CHECK(KeReadStateMutex(&Mutex) == -i);
    }
    KTEST_CHECK(KeReleaseMutex(&Mutex, FALSE) == -2);
    KTEST_CHECK(KeReleaseMutex(&Mutex, FALSE) == -1);
    KTEST_CHECK(KeReleaseMutex(&Mutex, FALSE) == 0);
    KTEST_CHECK(KeReadStateMutex(&Mutex) == 1);
    return NULL;
}

static NTSTATUS MutexRaises(VOID)
{
    volatile NTSTATUS Status = STATUS_SUCCESS;
    _SEH2_TRY
    {
        KeReleaseMutex(&Mutex, FALSE);
    }
    _SEH2_EXCEPT(EXCEPTION_EXECUTE_HANDLER)
    {
        Status = _SEH2_GetExceptionCode();
    }
    _SEH2_END;
    return Status;
}

static volatile NTSTATUS Others;

static VOID ReleasesForeign(PVOID Context)
{
    Others = MutexRaises();
}

/* Who does not own it cannot release it, and changes nothing by trying. */
static PCSTR TestMutexOwner(VOID)
{
    KeInitializeMutex(&Mutex, 0);
    KTEST_CHECK(MutexRaises() == STATUS_MUTANT_NOT_OWNED);
    KTEST_CHECK(WaitFor(&Mutex, 0) == STATUS_SUCCESS);
    KTEST_CHECK(KtestCrowd(1, ReleasesForeign));
    KTEST_CHECK(Others == STATUS_MUTANT_NOT_OWNED);
    KTEST_CHECK(KeReadStateMutex(&Mutex) == 0);
    KeReleaseMutex(&Mutex, FALSE);
    return NULL;
}

/* The first waiter has it before the releaser can take it again. */
static VOID TakesMutex(PVOID Context)
{
    InterlockedIncrement(&Waiting);
    if (WaitFor(&Mutex, 300) == STATUS_SUCCESS) {
        InterlockedIncrement(&Woken);
        KtestSleep(20);
        KeReleaseMutex(&Mutex, FALSE);
    }
}

static PCSTR TestMutexHandOver(VOID)
{
    Woken = Waiting = 0;
    KeInitializeMutex(&Mutex, 0);
    KTEST_CHECK(WaitFor(&Mutex, 0) == STATUS_SUCCESS);
    PETHREAD Waiter = KtestStart(TakesMutex, NULL);
    KTEST_CHECK(Waiter != NULL);
    KtestSleep(50);
    KeReleaseMutex(&Mutex, FALSE);
    NTSTATUS Again = WaitFor(&Mutex, 0);
    if (Again == STATUS_SUCCESS) {
        KeReleaseMutex(&Mutex, FALSE);
    }
    KtestJoin(Waiter);
    KTEST_CHECK(Waiting == 1 && Woken == 1);
    KTEST_CHECK(Again == STATUS_TIMEOUT);
    KTEST_CHECK(WaitFor(&Mutex, 0) == STATUS_SUCCESS);
    KeReleaseMutex(&Mutex, FALSE);
    return NULL;
}

/* ---- Many ---- */

#define CROWD 8
#define ROUNDS 200

/* All begin together, and each sleeps inside once: an object that lets in whoever comes shows it, on whatever machine. */
static VOID CountsInside(PVOID Context)
{
    InterlockedIncrement(&Waiting);
    for (ULONG Passed = 0; Waiting < CROWD && Passed < 2000; Passed++) {
        KtestSleep(1);
    }
    for (ULONG i = 0; i < ROUNDS; i++) {
        if (WaitFor(Context, 2000) != STATUS_SUCCESS) {
            return;
        }
        LONG Now = InterlockedIncrement(&Inside);
        if (Now > Worst) {
            Worst = Now;
        }
        LONG Seen = Total;
        if (i == 0) {
            KtestSleep(5);
        }
        Total = Context == &Mutex ? Seen + 1 : 0; /* not interlocked: the mutex is what keeps it whole */
        InterlockedDecrement(&Inside);
        if (Context == &Mutex) {
            KeReleaseMutex(&Mutex, FALSE);
        } else {
            KeReleaseSemaphore(&Semaphore, IO_NO_INCREMENT, 1, FALSE);
        }
    }
}

static VOID CountsUnderMutex(PVOID Context)
{
    CountsInside(&Mutex);
}

static VOID CountsUnderSemaphore(PVOID Context)
{
    CountsInside(&Semaphore);
}

static PCSTR TestMutexCrowd(VOID)
{
    Inside = Worst = Total = Waiting = 0;
    KeInitializeMutex(&Mutex, 0);
    KTEST_CHECK(KtestCrowd(CROWD, CountsUnderMutex));
    KTEST_CHECK(Worst == 1);
    KTEST_CHECK(Total == CROWD * ROUNDS);
    return NULL;
}

static PCSTR TestSemaphoreCrowd(VOID)
{
    Inside = Worst = Waiting = 0;
    KeInitializeSemaphore(&Semaphore, 3, 3);
    KTEST_CHECK(KtestCrowd(CROWD, CountsUnderSemaphore));
    KTEST_CHECK(Worst >= 1 && Worst <= 3);
    KTEST_CHECK(KeReadStateSemaphore(&Semaphore) == 3);
    return NULL;
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    KtestRun("signals.pulse-all", TestPulseAll);
    KtestRun("signals.pulse-one", TestPulseOne);
    KtestRun("signals.pulse-nobody", TestPulseNobody);
    KtestRun("signals.semaphore-count", TestSemaphoreCount);
    KtestRun("signals.semaphore-wakes", TestSemaphoreWakes);
    KtestRun("signals.semaphore-limit", TestSemaphoreLimit);
    KtestRun("signals.semaphore-crowd", TestSemaphoreCrowd);
    KtestRun("signals.mutex-recursion", TestMutexRecursion);
    KtestRun("signals.mutex-owner", TestMutexOwner);
    KtestRun("signals.mutex-hand-over", TestMutexHandOver);
    KtestRun("signals.mutex-crowd", TestMutexCrowd);
    return STATUS_SUCCESS;
}
