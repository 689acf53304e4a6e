/* SPDX-License-Identifier: MIT */
/*
 * Guest instructions of the kernel's own operations, as a driver sees them. Under -icount a tick of the
 * time-stamp counter is one instruction. The overhead of the loop is part of each figure.
 */
#include "../ktest.h"
#include <kdtrace.h>
#include <primertest.h>

static inline ULONG64 Ticks(VOID)
{
    ULONG Low, High;
    __asm__ volatile("rdtsc" : "=a"(Low), "=d"(High));
    return (ULONG64)High << 32 | Low;
}

static VOID Report(PCSTR Name, ULONG64 Start, ULONG Count)
{
    DbgPrint("@bench %s %I64u\n", Name, (Ticks() - Start) / Count);
}

static VOID BenchSpinLock(VOID)
{
    KSPIN_LOCK Lock;
    KIRQL Irql;
    KeInitializeSpinLock(&Lock);
    ULONG64 Start = Ticks();
    for (ULONG i = 0; i < 10000; i++) {
        KeAcquireSpinLock(&Lock, &Irql);
        KeReleaseSpinLock(&Lock, Irql);
    }
    Report("spin-lock", Start, 10000);
}

static VOID BenchQueuedSpinLock(VOID)
{
    KSPIN_LOCK Lock;
    KLOCK_QUEUE_HANDLE Handle;
    KeInitializeSpinLock(&Lock);
    ULONG64 Start = Ticks();
    for (ULONG i = 0; i < 10000; i++) {
        KeAcquireInStackQueuedSpinLock(&Lock, &Handle);
        KeReleaseInStackQueuedSpinLock(&Handle);
    }
    Report("queued-spin-lock", Start, 10000);
}

static VOID BenchReaderWriter(VOID)
{
    EX_SPIN_LOCK Lock = 0;
    ULONG64 Start = Ticks();
    for (ULONG i = 0; i < 10000; i++) {
        KIRQL Irql = ExAcquireSpinLockShared(&Lock);
        ExReleaseSpinLockShared(&Lock, Irql);
    }
    Report("shared-spin-lock", Start, 10000);
}

static VOID BenchSList(VOID)
{
    SLIST_HEADER Head;
    SLIST_ENTRY Entry;
    InitializeSListHead(&Head);
    ULONG64 Start = Ticks();
    for (ULONG i = 0; i < 10000; i++) {
        InterlockedPushEntrySList(&Head, &Entry);
        InterlockedPopEntrySList(&Head);
    }
    Report("s-list", Start, 10000);
}

/* Uncontended: the wait finds the object signalled. */
static VOID BenchWaits(VOID)
{
    KEVENT Event;
    KMUTEX Mutex;
    KeInitializeEvent(&Event, NotificationEvent, TRUE);
    KeInitializeMutex(&Mutex, 0);
    ULONG64 Start = Ticks();
    for (ULONG i = 0; i < 10000; i++) {
        KeWaitForSingleObject(&Event, Executive, KernelMode, FALSE, NULL);
    }
    Report("signalled-wait", Start, 10000);
    Start = Ticks();
    for (ULONG i = 0; i < 10000; i++) {
        KeWaitForSingleObject(&Mutex, Executive, KernelMode, FALSE, NULL);
        KeReleaseMutex(&Mutex, FALSE);
    }
    Report("mutex", Start, 10000);
}

/* A look-up of a handle, type and rights checked as for a program. */
static VOID BenchHandles(VOID)
{
    HANDLE Handle;
    PVOID Object;
    if (!NT_SUCCESS(ZwCreateEvent(&Handle, EVENT_ALL_ACCESS, NULL, NotificationEvent, FALSE))) {
        return;
    }
    ULONG64 Start = Ticks();
    for (ULONG i = 0; i < 10000; i++) {
        ObReferenceObjectByHandle(Handle, EVENT_MODIFY_STATE, *ExEventObjectType, UserMode, &Object, NULL);
    }
    Report("handle-reference", Start, 10000);
    for (ULONG i = 0; i < 10000; i++) {
        ObDereferenceObject(Object);
    }
    ZwClose(Handle);
}

static VOID NoteNothing(PKAPC Apc, PKNORMAL_ROUTINE *NormalRoutine, PVOID *NormalContext, PVOID *Argument1, PVOID *Argument2)
{
}

static VOID BenchApcs(VOID)
{
    KAPC Apc;
    KeInitializeApc(&Apc, KeGetCurrentThread(), OriginalApcEnvironment, NoteNothing, NULL, NULL, KernelMode, NULL);
    ULONG64 Start = Ticks();
    for (ULONG i = 0; i < 10000; i++) {
        KeInsertQueueApc(&Apc, NULL, NULL, 0);
    }
    Report("special-apc", Start, 10000);
}

static volatile ULONG64 Ran;

static VOID NoteRun(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    Ran += Ticks();
}

/* From the call of KeInsertQueueDpc at PASSIVE_LEVEL to the first instruction of the routine. */
static VOID BenchDpc(VOID)
{
    static KDPC Dpc;
    KeInitializeDpc(&Dpc, NoteRun, NULL);
    ULONG64 Inserted = 0;
    Ran = 0;
    for (ULONG i = 0; i < 10000; i++) {
        Inserted += Ticks();
        KeInsertQueueDpc(&Dpc, NULL, NULL);
    }
    DbgPrint("@bench dpc-insert-to-run %I64u\n", (Ran - Inserted) / 10000);
}

static KEVENT Ping, Pong;

static VOID Partner(PVOID Context)
{
    for (ULONG i = 0; i < 10100; i++) {
        KeWaitForSingleObject(&Ping, Executive, KernelMode, FALSE, NULL);
        KeSetEvent(&Pong, IO_NO_INCREMENT, FALSE);
    }
}

static VOID PlayPingPong(ULONG Count)
{
    for (ULONG i = 0; i < Count; i++) {
        KeSetEvent(&Ping, IO_NO_INCREMENT, FALSE);
        KeWaitForSingleObject(&Pong, Executive, KernelMode, FALSE, NULL);
    }
}

static VOID Player(PVOID Context)
{
    PlayPingPong(100);
    ULONG64 Start = Ticks();
    PlayPingPong(10000);
    Report("event-round-trip", Start, 10000);
}

/* Between two system threads; we ourselves are in a user process, whose address space would have to be
   changed. */
static VOID BenchEvents(VOID)
{
    KeInitializeEvent(&Ping, SynchronizationEvent, FALSE);
    KeInitializeEvent(&Pong, SynchronizationEvent, FALSE);
    PETHREAD First = KtestStart(Partner, NULL), Second = KtestStart(Player, NULL);
    KtestJoin(First);
    KtestJoin(Second);
}

static VOID Nothing(PVOID Context)
{
}

/* ---- Choosing the next thread ---- */

#define MANY 10000

static PETHREAD Crowd[MANY];
static KEVENT CrowdGo;
static ULONG64 TurnTicks;

static VOID CrowdThread(PVOID Context)
{
    KeWaitForSingleObject(&CrowdGo, Executive, KernelMode, FALSE, NULL);
}

/* Gives way to its partner again and again, above the crowd. */
static VOID TurnThread(PVOID Context)
{
    LARGE_INTEGER Zero = {.QuadPart = 0};
    KeSetPriorityThread(KeGetCurrentThread(), 12);
    KeDelayExecutionThread(KernelMode, FALSE, &Zero);
    ULONG64 Start = Ticks();
    for (ULONG i = 0; i < 1000; i++) {
        KeDelayExecutionThread(KernelMode, FALSE, &Zero);
    }
    TurnTicks = (Ticks() - Start) / 1000;
}

/* What a thread pays that gives way to the next one while so many of lower levels are ready. */
static VOID BenchChoice(PCSTR Name, ULONG Count)
{
    KPRIORITY Old = KeSetPriorityThread(KeGetCurrentThread(), 14);
    KeInitializeEvent(&CrowdGo, NotificationEvent, FALSE);
    for (ULONG i = 0; i < Count; i++) {
        Crowd[i] = KtestStart(CrowdThread, NULL);
        KeSetPriorityThread((PKTHREAD)Crowd[i], 1 + (KPRIORITY)(i % 8));
    }
    KtestSleep(200); /* they all wait */
    KeSetEvent(&CrowdGo, IO_NO_INCREMENT, FALSE);
    PETHREAD First = KtestStart(TurnThread, NULL), Second = KtestStart(TurnThread, NULL);
    KtestJoin(First);
    KtestJoin(Second);
    DbgPrint("@bench %s %I64u\n", Name, TurnTicks);
    KeSetPriorityThread(KeGetCurrentThread(), Old);
    for (ULONG i = 0; i < Count; i++) {
        KtestJoin(Crowd[i]);
    }
    PsDrainReaper();
}

static VOID MakeThreads(ULONG Count)
{
    for (ULONG i = 0; i < Count; i++) {
        KtestJoin(KtestStart(Nothing, NULL));
    }
    PsDrainReaper();
}

static VOID BenchThreads(VOID)
{
    MakeThreads(100);
    ULONG64 Start = Ticks();
    MakeThreads(1000);
    Report("system-thread", Start, 1000);
}

static VOID BenchPool(VOID)
{
    ULONG64 Start = Ticks();
    for (ULONG i = 0; i < 10000; i++) {
        ExFreePoolWithTag(ExAllocatePoolWithTag(NonPagedPoolNx, 100, 'hcnB'), 'hcnB');
    }
    Report("pool", Start, 10000);
}

/* A record of the trace, the call of the exported routine included. */
static VOID BenchTrace(VOID)
{
    ULONG Classes = KdSetTraceClasses(1 << KdTraceClassMARK);
    ULONG64 Start = Ticks();
    for (ULONG i = 0; i < 10000; i++) {
        KdMarkTrace(i, 1, 2);
    }
    Report("trace-record", Start, 10000);
    KdSetTraceClasses(Classes);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    BenchSpinLock();
    BenchQueuedSpinLock();
    BenchReaderWriter();
    BenchSList();
    BenchDpc();
    BenchWaits();
    BenchHandles();
    BenchApcs();
    BenchEvents();
    BenchChoice("next-of-10", 10);
    BenchChoice("next-of-10000", MANY);
    BenchThreads();
    BenchPool();
    BenchTrace();
    return STATUS_SUCCESS;
}
