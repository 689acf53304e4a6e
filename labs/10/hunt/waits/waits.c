/* SPDX-License-Identifier: MIT */
/*
 * The hunt, second module: who waits, on one processor that is preempted at random. Who could wait for ever
 * on a wrong kernel does so in a thread of its own, and the check looks for a while.
 */
#include "ktest.h"

static KMUTANT Mutant;
static EX_PUSH_LOCK PushLock;
static EX_RUNDOWN_REF Rundown;
static KEVENT Inside, Go;
static volatile LONG Arrived;

static NTSTATUS Poll(PVOID Object)
{
    LARGE_INTEGER Now = {.QuadPart = 0};
    return KeWaitForSingleObject(Object, Executive, KernelMode, FALSE, &Now);
}

/* TRUE when the thread ends within 5 s; it is left alone otherwise. */
static BOOLEAN EndsInTime(PETHREAD Thread)
{
    LARGE_INTEGER Limit = KtestMs(5000);
    BOOLEAN Ended = KeWaitForSingleObject(Thread, Executive, KernelMode, FALSE, &Limit) == STATUS_SUCCESS;
    if (Ended) {
        ObDereferenceObject(Thread);
    }
    return Ended;
}

static VOID Tries(PVOID Context)
{
    UNREFERENCED_PARAMETER(Context);
    Arrived = (LONG)Poll(&Mutant);
}

/* Taken twice, given back once: it is owned still. */
static PCSTR TestRecursion(VOID)
{
    KeInitializeMutant(&Mutant, FALSE);
    KTEST_CHECK(Poll(&Mutant) == STATUS_SUCCESS && Poll(&Mutant) == STATUS_SUCCESS);
    KeReleaseMutex(&Mutant, FALSE);
    PETHREAD Other = KtestStart(Tries, NULL);
    KTEST_CHECK(Other != NULL && EndsInTime(Other));
    KTEST_CHECK(Arrived == STATUS_TIMEOUT);
    KeReleaseMutex(&Mutant, FALSE);
    KTEST_CHECK(KeReadStateMutex(&Mutant) == 1);
    return NULL;
}

/* The next owner hears that it was abandoned; the one after that does not. */
static PCSTR TestAbandonedOnce(VOID)
{
    KeInitializeMutant(&Mutant, FALSE);
    PETHREAD Other = KtestStart(Tries, NULL);
    KTEST_CHECK(Other != NULL && EndsInTime(Other));
    KTEST_CHECK(Arrived == STATUS_SUCCESS);
    KTEST_CHECK(Poll(&Mutant) == STATUS_ABANDONED_WAIT_0);
    KeReleaseMutex(&Mutant, FALSE);
    KTEST_CHECK(Poll(&Mutant) == STATUS_SUCCESS);
    KeReleaseMutex(&Mutant, FALSE);
    return NULL;
}

static VOID SharesUntilGo(PVOID Context)
{
    UNREFERENCED_PARAMETER(Context);
    KeEnterCriticalRegion();
    ExAcquirePushLockShared(&PushLock);
    InterlockedIncrement(&Arrived);
    KeSetEvent(&Inside, IO_NO_INCREMENT, FALSE);
    KeWaitForSingleObject(&Go, Executive, KernelMode, FALSE, NULL);
    ExReleasePushLockShared(&PushLock);
    KeLeaveCriticalRegion();
}

/* Two are inside together. */
static PCSTR TestShared(VOID)
{
    PETHREAD Sharer[2];
    LARGE_INTEGER Limit = KtestMs(5000);
    Arrived = 0;
    ExInitializePushLock(&PushLock);
    KeInitializeEvent(&Inside, SynchronizationEvent, FALSE);
    KeInitializeEvent(&Go, NotificationEvent, FALSE);
    for (ULONG i = 0; i < 2; i++) {
        Sharer[i] = KtestStart(SharesUntilGo, NULL);
        KTEST_CHECK(Sharer[i] != NULL);
        KeWaitForSingleObject(&Inside, Executive, KernelMode, FALSE, &Limit);
    }
    LONG Together = Arrived;
    KeSetEvent(&Go, IO_NO_INCREMENT, FALSE);
    KTEST_CHECK(EndsInTime(Sharer[0]) && EndsInTime(Sharer[1]));
    KTEST_CHECK(Together == 2);
    return NULL;
}

static VOID WaitsForRundown(PVOID Context)
{
    UNREFERENCED_PARAMETER(Context);
    ExWaitForRundownProtectionRelease(&Rundown);
    InterlockedIncrement(&Arrived);
}

/* All who wait for the end hear of it. */
static PCSTR TestRundown(VOID)
{
    PETHREAD Waiter[3];
    Arrived = 0;
    ExInitializeRundownProtection(&Rundown);
    KTEST_CHECK(ExAcquireRundownProtection(&Rundown));
    for (ULONG i = 0; i < 3; i++) {
        Waiter[i] = KtestStart(WaitsForRundown, NULL);
        KTEST_CHECK(Waiter[i] != NULL);
    }
    KtestSleep(50); /* most of the time all three wait by now; a kernel that is right passes either way */
    LONG Early = Arrived;
    ExReleaseRundownProtection(&Rundown);
    for (ULONG i = 0; i < 3; i++) {
        KTEST_CHECK(EndsInTime(Waiter[i]));
    }
    KTEST_CHECK(Early == 0 && Arrived == 3 && !ExAcquireRundownProtection(&Rundown));
    return NULL;
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    UNREFERENCED_PARAMETER(DriverObject);
    UNREFERENCED_PARAMETER(RegistryPath);
    KtestRun("waits.recursion", TestRecursion);
    KtestRun("waits.abandoned-once", TestAbandonedOnce);
    KtestRun("waits.shared", TestShared);
    KtestRun("waits.rundown", TestRundown);
    return STATUS_SUCCESS;
}
