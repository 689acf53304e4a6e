/* SPDX-License-Identifier: MIT */
/*
 * What a wake-up costs when no processor is idle and none runs anything weaker: all of them are looked at. Prints the least of
 * many, in cycles of the performance counter; on an emulator that is the host's time, and only ratios say anything.
 */
#include "../ktest.h"

#define WAITERS 200

static KEVENT Event[WAITERS];
static PETHREAD Waiter[WAITERS], Spinner[64];
static volatile LONG Waiting, Spinning, Over;

static VOID Wait(PVOID Context)
{
    InterlockedIncrement(&Waiting);
    KeWaitForSingleObject(&Event[(ULONG_PTR)Context], Executive, KernelMode, FALSE, NULL);
}

static VOID Spin(PVOID Context)
{
    KeSetAffinityThread(KeGetCurrentThread(), (KAFFINITY)1 << (ULONG_PTR)Context);
    KeSetPriorityThread(KeGetCurrentThread(), 12);
    InterlockedIncrement(&Spinning);
    while (!Over) {
        YieldProcessor();
    }
}

static ULONG64 Counter(VOID)
{
    return (ULONG64)KeQueryPerformanceCounter(NULL).QuadPart;
}

static PCSTR TestBusyWake(VOID)
{
    ULONG Processors = KeQueryActiveProcessorCount(NULL);
    ULONG64 Least = ~0ULL;
    for (ULONG i = 0; i < WAITERS; i++) {
        KeInitializeEvent(&Event[i], SynchronizationEvent, FALSE);
        Waiter[i] = KtestStart(Wait, (PVOID)(ULONG_PTR)i);
        KTEST_CHECK(Waiter[i] != NULL);
    }
    while (Waiting < WAITERS) {
        KtestSleep(10);
    }
    KtestSleep(200);
    KeSetAffinityThread(KeGetCurrentThread(), 1);
    KeSetPriorityThread(KeGetCurrentThread(), 13);
    for (ULONG i = 1; i < Processors; i++) {
        Spinner[i] = KtestStart(Spin, (PVOID)(ULONG_PTR)i);
        KTEST_CHECK(Spinner[i] != NULL);
    }
    while ((ULONG)Spinning < Processors - 1) {
        KtestSleep(10);
    }
    for (ULONG i = 0; i < WAITERS; i++) {
        ULONG64 Before = Counter();
        KeSetEvent(&Event[i], IO_NO_INCREMENT, FALSE);
        ULONG64 Taken = Counter() - Before;
        Least = Taken < Least ? Taken : Least;
    }
    Over = 1;
    KeSetPriorityThread(KeGetCurrentThread(), 8);
    for (ULONG i = 1; i < Processors; i++) {
        KtestJoin(Spinner[i]);
    }
    for (ULONG i = 0; i < WAITERS; i++) {
        KtestJoin(Waiter[i]);
    }
    KeSetAffinityThread(KeGetCurrentThread(), KeQueryActiveProcessors());
    DbgPrint("busywake: %u processors, a wake-up %I64u cycles\n", Processors, Least);
    return NULL;
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    KtestRun("busywake.all-are-served", TestBusyWake);
    return STATUS_SUCCESS;
}
