/* SPDX-License-Identifier: MIT */
/*
 * What the documentation says of the routines for priorities, affinities and processor numbers, each fact a
 * line.
 */
#include "../ktest.h"
#include <primertest.h>

static KAFFINITY Active;
static ULONG Processors;

/* Runs a test on a thread of its own, which leaves no affinity or priority behind. */
static KTEST *OwnTest;
static PCSTR OwnResult;

static VOID OwnThread(PVOID Context)
{
    OwnResult = OwnTest();
}

static VOID RunOwn(PCSTR Name, KTEST *Test)
{
    OwnTest = Test;
    OwnResult = "no thread";
    if (KtestCrowd(1, OwnThread) && OwnResult == NULL) {
        DbgPrint("@pass %s\n", Name);
    } else {
        DbgPrint("@fail %s: %s\n", Name, OwnResult);
    }
}

/* ---- Priorities ---- */

/* 32 levels; 16 begins the real-time class. KeSetPriorityThread takes 1 to 31 and returns the priority
   before. */
static PCSTR TestLevels(VOID)
{
    PKTHREAD Self = KeGetCurrentThread();
    KTEST_CHECK(LOW_PRIORITY == 0 && LOW_REALTIME_PRIORITY == 16 && HIGH_PRIORITY == 31 && MAXIMUM_PRIORITY == 32);
    KPRIORITY Before = KeQueryPriorityThread(Self);
    for (KPRIORITY Priority = 1; Priority <= 31; Priority++) {
        KTEST_CHECK(KeSetPriorityThread(Self, Priority) == Before);
        KTEST_CHECK(KeQueryPriorityThread(Self) == Priority);
        Before = Priority;
    }
    return NULL;
}

/* KeSetBasePriorityThread: base = process base + increment, which stays on its side of the line between 15
   and 16, so that idle (-15) and time-critical (15) saturate at 1 and 15. The result is the increment
   before. */
static PCSTR TestBasePriority(VOID)
{
    PKTHREAD Self = KeGetCurrentThread();
    static const struct {
        LONG Increment, Priority;
    } Steps[] = {{2, 10}, {-2, 6}, {15, 15}, {-15, 1}, {7, 15}, {8, 15}, {100, 15}, {-7, 1}, {-8, 1}, {0, 8}};
    LONG Before = 0;
    for (ULONG i = 0; i < sizeof(Steps) / sizeof(Steps[0]); i++) {
        KTEST_CHECK(KeSetBasePriorityThread(Self, Steps[i].Increment) == Before);
        KTEST_CHECK(KeQueryPriorityThread(Self) == Steps[i].Priority);
        Before = Steps[i].Priority - 8;
    }
    return NULL;
}

static KEVENT Event, Waits;
static volatile KPRIORITY Seen;

static VOID RealtimeThread(PVOID Context)
{
    KeSetPriorityThread(KeGetCurrentThread(), (KPRIORITY)(LONG_PTR)Context);
    KeSetEvent(&Waits, IO_NO_INCREMENT, FALSE);
    KeWaitForSingleObject(&Event, Executive, KernelMode, FALSE, NULL);
    Seen = KeQueryPriorityThread(KeGetCurrentThread());
}

/* Only base priorities up to 15 are boosted, and never beyond 15. */
static PCSTR TestBoostRange(VOID)
{
    static const struct {
        KPRIORITY Base, Boosted;
    } Cases[] = {{14, 15}, {15, 15}, {16, 16}, {31, 31}};
    for (ULONG i = 0; i < 4; i++) {
        KeInitializeEvent(&Event, SynchronizationEvent, FALSE);
        KeInitializeEvent(&Waits, SynchronizationEvent, FALSE);
        PETHREAD Thread = KtestStart(RealtimeThread, (PVOID)(LONG_PTR)Cases[i].Base);
        KTEST_CHECK(Thread != NULL);
        KeWaitForSingleObject(&Waits, Executive, KernelMode, FALSE, NULL);
        while (IsListEmpty(&Event.Header.WaitListHead)) {
            KtestSleep(1);
        }
        KeSetEvent(&Event, 6, FALSE);
        KtestJoin(Thread);
        KTEST_CHECK(Seen == Cases[i].Boosted);
    }
    return NULL;
}

static volatile LONG Stop, Turns;

static VOID TurnThread(PVOID Context)
{
    static volatile LONG Last;
    LONG Me = (LONG)(LONG_PTR)Context;
    KeSetSystemAffinityThreadEx(1);
    while (!Stop) {
        if (Last != Me) {
            Last = Me;
            Turns++;
        }
    }
}

/* In how many milliseconds two spinners of one processor take so many turns. A host that is busy makes it
   longer, not shorter. */
static ULONG TimeOfTurns(LONG Wanted)
{
    Stop = Turns = 0;
    ULONGLONG Start = KeQueryInterruptTime();
    PETHREAD First = KtestStart(TurnThread, (PVOID)1), Second = KtestStart(TurnThread, (PVOID)2);
    while (Turns < Wanted) {
        KtestSleep(1);
    }
    ULONG Taken = (ULONG)((KeQueryInterruptTime() - Start) / 10000);
    Stop = 1;
    KtestJoin(First);
    KtestJoin(Second);
    return Taken;
}

/* A quantum is two ticks of 15 ms, 6 units, by default; it is the process's. N turns are N - 1 quanta and a
   bit. */
static PCSTR TestQuantum(VOID)
{
    KeSetPriorityThread(KeGetCurrentThread(), 12);
    ULONG Usual = TimeOfTurns(12);
    UCHAR Before = PrimerSetQuantum(24);
    ULONG Long = TimeOfTurns(4);
    KTEST_CHECK(PrimerSetQuantum(Before) == 24);
    DbgPrint("schedapi: 12 turns in %u ms with the usual quantum, 4 in %u ms with one four times as long\n", Usual, Long);
    KTEST_CHECK(Before == 6);
    KTEST_CHECK(Usual >= 11 * 25 && Usual < 5000 && Long >= 3 * 100 && Long < 5000);
    return NULL;
}

/* ---- Affinities ---- */

/* KeSetSystemAffinityThreadEx returns the system affinity before, 0 when there was none; a set without an
   active processor has no effect; processors that are not active do not count. At APC_LEVEL or below the
   thread has moved on return. */
static PCSTR TestSystemAffinity(VOID)
{
    KIRQL Irql;
    KTEST_CHECK(KeSetSystemAffinityThreadEx(1) == 0);
    KTEST_CHECK(KeSetSystemAffinityThreadEx(0) == 1);
    KTEST_CHECK(KeSetSystemAffinityThreadEx(~Active) == 1);
    KTEST_CHECK(KeSetSystemAffinityThreadEx(~Active | 1) == 1);
    KeRaiseIrql(APC_LEVEL, &Irql);
    KeSetSystemAffinityThreadEx((KAFFINITY)1 << (Processors - 1));
    ULONG Here = KeGetCurrentProcessorNumber();
    KeLowerIrql(Irql);
    KTEST_CHECK(Here == Processors - 1);
    KeRevertToUserAffinityThreadEx(1);
    KTEST_CHECK(KeGetCurrentProcessorNumber() == 0);
    KeRevertToUserAffinityThreadEx(0);
    KTEST_CHECK(KeSetSystemAffinityThreadEx(Active) == 0);
    KeSetSystemAffinityThread(1);
    KTEST_CHECK(KeGetCurrentProcessorNumber() == 0);
    KeRevertToUserAffinityThread();
    KTEST_CHECK(KeSetSystemAffinityThreadEx(1) == 0);
    return NULL;
}

/* At DISPATCH_LEVEL the thread stays, and moves when the level drops. */
static PCSTR TestAffinityAtDispatch(VOID)
{
    KIRQL Irql;
    KeSetSystemAffinityThreadEx(1);
    KeRaiseIrql(DISPATCH_LEVEL, &Irql);
    KeSetSystemAffinityThreadEx((KAFFINITY)1 << (Processors - 1));
    ULONG Still = KeGetCurrentProcessorNumber();
    KeLowerIrql(Irql);
    KTEST_CHECK(Still == 0);
    KTEST_CHECK(KeGetCurrentProcessorNumber() == Processors - 1);
    return NULL;
}

/* KeSetAffinityThread returns the user affinity before, of active processors; the system affinity goes before
   it. */
static PCSTR TestUserAffinity(VOID)
{
    PKTHREAD Self = KeGetCurrentThread();
    KAFFINITY Last = (KAFFINITY)1 << (Processors - 1);
    KeSetAffinityThread(Self, Last);
    KTEST_CHECK(KeGetCurrentProcessorNumber() == Processors - 1);
    KTEST_CHECK(KeSetAffinityThread(Self, Last | ~Active) == Last);
    KTEST_CHECK(KeSetAffinityThread(Self, Last) == Last);
    KeSetSystemAffinityThreadEx(1);
    KTEST_CHECK(KeGetCurrentProcessorNumber() == 0);
    KeRevertToUserAffinityThreadEx(0);
    KTEST_CHECK(KeGetCurrentProcessorNumber() == Processors - 1);
    KTEST_CHECK(KeSetAffinityThread(Self, Active) == Last);
    return NULL;
}

/* The forms with a group: the affinity before, Mask 0 when there was none; all 0, and no effect, for a set
   that is not valid. */
static PCSTR TestGroupAffinity(VOID)
{
    GROUP_AFFINITY First = {.Mask = 1}, Last = {.Mask = (KAFFINITY)1 << (Processors - 1)}, Old, Older;
    GROUP_AFFINITY NoGroup = {.Mask = 1, .Group = 1}, NoMask = {.Mask = ~Active}, Reserved = {.Mask = 1, .Reserved = {0, 1, 0}};
    KeSetSystemGroupAffinityThread(&Last, &Older);
    KTEST_CHECK(Older.Mask == 0 && Older.Group == 0);
    KTEST_CHECK(KeGetCurrentProcessorNumber() == Processors - 1);
    KeSetSystemGroupAffinityThread(&First, &Old);
    KTEST_CHECK(Old.Mask == Last.Mask && Old.Group == 0 && KeGetCurrentProcessorNumber() == 0);
    PGROUP_AFFINITY Invalid[] = {&NoGroup, &NoMask, &Reserved};
    for (ULONG i = 0; i < 3; i++) {
        GROUP_AFFINITY Result = {.Mask = 7, .Group = 7};
        KeSetSystemGroupAffinityThread(Invalid[i], &Result);
        KTEST_CHECK(Result.Mask == 0 && Result.Group == 0 && KeGetCurrentProcessorNumber() == 0);
    }
    KeSetSystemGroupAffinityThread(&First, NULL);
    KeRevertToUserGroupAffinityThread(&Old);
    KTEST_CHECK(KeGetCurrentProcessorNumber() == Processors - 1);
    KeRevertToUserGroupAffinityThread(&NoGroup);
    KTEST_CHECK(KeSetSystemAffinityThreadEx(Active) == Last.Mask);
    KeRevertToUserGroupAffinityThread(&Older);
    KTEST_CHECK(KeSetSystemAffinityThreadEx(Active) == 0);
    return NULL;
}

/* The ideal processor is set and told; a number beyond all processors only asks. */
static PCSTR TestIdealProcessor(VOID)
{
    PKTHREAD Self = KeGetCurrentThread();
    KeSetIdealProcessorThread(Self, (UCHAR)(Processors - 1));
    KTEST_CHECK(KeSetIdealProcessorThread(Self, 64) == Processors - 1);
    KTEST_CHECK(KeSetIdealProcessorThread(Self, 0) == Processors - 1);
    KTEST_CHECK(KeSetIdealProcessorThread(Self, 255) == 0);
    return NULL;
}

/* ---- Numbers ---- */

static PCSTR TestCounts(VOID)
{
    KAFFINITY Set = 0;
    KTEST_CHECK(KeQueryActiveProcessorCount(&Set) == Processors && Set == Active);
    KTEST_CHECK(Active == (Processors == 64 ? ~(KAFFINITY)0 : ((KAFFINITY)1 << Processors) - 1));
    KTEST_CHECK(KeQueryActiveProcessors() == Active);
    KTEST_CHECK(KeQueryActiveProcessorCountEx(0) == Processors);
    KTEST_CHECK(KeQueryActiveProcessorCountEx(ALL_PROCESSOR_GROUPS) == Processors);
    KTEST_CHECK(KeQueryActiveProcessorCountEx(1) == 0);
    KTEST_CHECK(KeQueryMaximumProcessorCount() >= Processors);
    KTEST_CHECK(KeQueryMaximumProcessorCountEx(0) >= Processors && KeQueryMaximumProcessorCountEx(1) == 0);
    KTEST_CHECK(KeQueryActiveGroupCount() == 1 && KeQueryMaximumGroupCount() >= 1);
    KTEST_CHECK(KeQueryGroupAffinity(0) == Active && KeQueryGroupAffinity(1) == 0);
    return NULL;
}

static PCSTR TestNumbers(VOID)
{
    PROCESSOR_NUMBER Number;
    for (ULONG i = 0; i < Processors; i++) {
        Number = (PROCESSOR_NUMBER){.Group = 7, .Number = 77, .Reserved = 7};
        KeSetSystemAffinityThreadEx((KAFFINITY)1 << i);
        KTEST_CHECK(KeGetCurrentProcessorNumberEx(&Number) == i);
        KTEST_CHECK(Number.Group == 0 && Number.Number == i && Number.Reserved == 0);
        KTEST_CHECK(KeGetCurrentProcessorNumberEx(NULL) == i && KeGetCurrentProcessorIndex() == i);
        KTEST_CHECK(KeGetProcessorIndexFromNumber(&Number) == i);
        Number = (PROCESSOR_NUMBER){.Group = 7, .Number = 77, .Reserved = 7};
        KTEST_CHECK(KeGetProcessorNumberFromIndex(i, &Number) == STATUS_SUCCESS);
        KTEST_CHECK(Number.Group == 0 && Number.Number == i && Number.Reserved == 0);
    }
    KTEST_CHECK(KeGetProcessorNumberFromIndex(Processors, &Number) == STATUS_INVALID_PARAMETER);
    PROCESSOR_NUMBER Beyond = {.Number = (UCHAR)Processors}, Group = {.Group = 1}, Reserved = {.Reserved = 1};
    KTEST_CHECK(KeGetProcessorIndexFromNumber(&Beyond) == INVALID_PROCESSOR_INDEX);
    KTEST_CHECK(KeGetProcessorIndexFromNumber(&Group) == INVALID_PROCESSOR_INDEX);
    KTEST_CHECK(KeGetProcessorIndexFromNumber(&Reserved) == INVALID_PROCESSOR_INDEX);
    return NULL;
}

/* ---- Accounting ---- */

static VOID LongDpc(PKDPC Dpc, PVOID Context, PVOID First, PVOID Second)
{
    KeStallExecutionProcessor(2000);
}

/* What a processor spends in DPCs and interrupt handlers is counted. */
static PCSTR TestDpcTime(VOID)
{
    KDPC Dpc;
    PRIMER_PROCESSOR Before, After;
    LARGE_INTEGER Frequency;
    KeQueryPerformanceCounter(&Frequency);
    KeSetSystemAffinityThreadEx(1);
    KeInitializeDpc(&Dpc, LongDpc, NULL);
    PrimerQueryProcessor(0, &Before);
    KeInsertQueueDpc(&Dpc, NULL, NULL);
    KtestSleep(20); /* the clock interrupt comes, too */
    PrimerQueryProcessor(0, &After);
    KTEST_CHECK(After.DpcCycles - Before.DpcCycles >= (ULONG64)Frequency.QuadPart / 1000);
    KTEST_CHECK(After.InterruptCycles > Before.InterruptCycles);
    return NULL;
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    Processors = KeQueryActiveProcessorCount(&Active);
    DbgPrint("schedapi: %u processors\n", Processors);
    RunOwn("schedapi.levels", TestLevels);
    RunOwn("schedapi.base-priority", TestBasePriority);
    RunOwn("schedapi.boost-range", TestBoostRange);
    RunOwn("schedapi.quantum", TestQuantum);
    RunOwn("schedapi.system-affinity", TestSystemAffinity);
    RunOwn("schedapi.affinity-at-dispatch", TestAffinityAtDispatch);
    RunOwn("schedapi.user-affinity", TestUserAffinity);
    RunOwn("schedapi.group-affinity", TestGroupAffinity);
    RunOwn("schedapi.ideal-processor", TestIdealProcessor);
    RunOwn("schedapi.counts", TestCounts);
    RunOwn("schedapi.numbers", TestNumbers);
    RunOwn("schedapi.dpc-time", TestDpcTime);
    return STATUS_SUCCESS;
}
