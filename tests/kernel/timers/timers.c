/* SPDX-License-Identifier: MIT */
/*
 * Timers. Times are checked from below only (an expiry never comes too early), and by order: a machine whose
 * host is busy may be late. Where a test needs "at the same time", it looks from a thread of the same
 * processor: the DPCs of one expiry have all run before that processor runs a thread again.
 */
#include "../ktest.h"

#define MS 10000LL

static LONGLONG Now(VOID)
{
    return (LONGLONG)KeQueryInterruptTime();
}

static LONGLONG SystemTime(VOID)
{
    LARGE_INTEGER Time;
    KeQuerySystemTime(&Time);
    return Time.QuadPart;
}

static LARGE_INTEGER Due(LONGLONG Time)
{
    return (LARGE_INTEGER){.QuadPart = Time};
}

/* A timer whose DPC notes when it ran. */
#define NOTES 64
typedef struct _NOTED {
    KTIMER Timer;
    KDPC Dpc;
    volatile LONG Count;
    LONGLONG When[NOTES];
    LONGLONG NextDue[NOTES];
} NOTED;

static VOID Note(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    NOTED *Noted = Context;
    if (Noted->Count < NOTES) {
        Noted->When[Noted->Count] = Now();
        Noted->NextDue[Noted->Count] = (LONGLONG)Noted->Timer.DueTime.QuadPart;
    }
    InterlockedIncrement(&Noted->Count);
}

static VOID InitializeNoted(NOTED *Noted, TIMER_TYPE Type)
{
    RtlZeroMemory(Noted, sizeof(*Noted));
    KeInitializeTimerEx(&Noted->Timer, Type);
    KeInitializeDpc(&Noted->Dpc, Note, Noted);
}

static VOID AwaitCount(NOTED *Noted, LONG Count)
{
    while (Noted->Count < Count) {
        KtestSleep(5);
    }
}

static VOID StopNoted(NOTED *Noted)
{
    KeCancelTimer(&Noted->Timer);
    KeFlushQueuedDpcs();
}

/* ---- One-shot timers ---- */

static PCSTR TestSignal(VOID)
{
    KTIMER Timer;
    LARGE_INTEGER Zero = Due(0);
    KeInitializeTimer(&Timer); /* a notification timer */
    KTEST_CHECK(!KeReadStateTimer(&Timer));
    LONGLONG Start = Now();
    KTEST_CHECK(!KeSetTimer(&Timer, Due(-5 * MS), NULL));
    KTEST_CHECK(KeWaitForSingleObject(&Timer, Executive, KernelMode, FALSE, NULL) == STATUS_SUCCESS);
    KTEST_CHECK(Now() >= Start + 5 * MS);
    KTEST_CHECK(KeReadStateTimer(&Timer)); /* stays signalled */
    KTEST_CHECK(KeWaitForSingleObject(&Timer, Executive, KernelMode, FALSE, &Zero) == STATUS_SUCCESS);
    KTEST_CHECK(!KeCancelTimer(&Timer));
    KTEST_CHECK(KeReadStateTimer(&Timer)); /* cancelling leaves the state alone */
    KTEST_CHECK(!KeSetTimer(&Timer, Due(-3600 * 1000 * MS), NULL));
    KTEST_CHECK(!KeReadStateTimer(&Timer)); /* setting clears it */
    KTEST_CHECK(KeWaitForSingleObject(&Timer, Executive, KernelMode, FALSE, &Zero) == STATUS_TIMEOUT);
    KTEST_CHECK(KeSetTimer(&Timer, Due(-1 * MS), NULL)); /* was set; the earlier setting is cancelled */
    KTEST_CHECK(KeWaitForSingleObject(&Timer, Executive, KernelMode, FALSE, NULL) == STATUS_SUCCESS);
    KTEST_CHECK(!KeSetTimer(&Timer, Due(-3600 * 1000 * MS), NULL));
    KTEST_CHECK(KeCancelTimer(&Timer));
    KTEST_CHECK(!KeCancelTimer(&Timer));
    return NULL;
}

static PCSTR TestSynchronizationTimer(VOID)
{
    KTIMER Timer;
    LARGE_INTEGER Zero = Due(0);
    KeInitializeTimerEx(&Timer, SynchronizationTimer);
    KeSetTimer(&Timer, Due(-1 * MS), NULL);
    KTEST_CHECK(KeWaitForSingleObject(&Timer, Executive, KernelMode, FALSE, NULL) == STATUS_SUCCESS);
    KTEST_CHECK(!KeReadStateTimer(&Timer)); /* taken by the wait */
    KTEST_CHECK(KeWaitForSingleObject(&Timer, Executive, KernelMode, FALSE, &Zero) == STATUS_TIMEOUT);
    return NULL;
}

static KTIMER Crowded;
static volatile LONG Released;

static VOID WaitForCrowded(PVOID Context)
{
    LARGE_INTEGER Limit = KtestMs((LONG_PTR)Context);
    if (KeWaitForSingleObject(&Crowded, Executive, KernelMode, FALSE, &Limit) == STATUS_SUCCESS) {
        InterlockedIncrement(&Released);
    }
}

/* Eight wait for a notification timer and are all released; of eight who wait for a synchronization timer one
   is. */
static PCSTR ReleaseCrowd(TIMER_TYPE Type, LONG LimitMs, LONG Expected)
{
    PETHREAD Thread[8];
    Released = 0;
    KeInitializeTimerEx(&Crowded, Type);
    for (ULONG i = 0; i < 8; i++) {
        Thread[i] = KtestStart(WaitForCrowded, (PVOID)(LONG_PTR)LimitMs);
    }
    KeSetTimer(&Crowded, Due(-50 * MS), NULL);
    for (ULONG i = 0; i < 8; i++) {
        KtestJoin(Thread[i]);
    }
    KTEST_CHECK(Released == Expected);
    return NULL;
}

static PCSTR TestNotificationReleasesAll(VOID)
{
    return ReleaseCrowd(NotificationTimer, 60000, 8);
}

static PCSTR TestSynchronizationReleasesOne(VOID)
{
    return ReleaseCrowd(SynchronizationTimer, 400, 1);
}

static PCSTR TestAbsolute(VOID)
{
    NOTED Noted;
    InitializeNoted(&Noted, NotificationTimer);
    LONGLONG Time = SystemTime() + 20 * MS;
    KeSetTimer(&Noted.Timer, Due(Time), &Noted.Dpc);
    KeWaitForSingleObject(&Noted.Timer, Executive, KernelMode, FALSE, NULL);
    KTEST_CHECK(SystemTime() >= Time);
    KeSetTimer(&Noted.Timer, Due(Time - 3600 * 1000 * MS), &Noted.Dpc); /* past: at once */
    KeWaitForSingleObject(&Noted.Timer, Executive, KernelMode, FALSE, NULL);
    KeSetTimer(&Noted.Timer, Due(0), &Noted.Dpc); /* before 1601, so to speak */
    KeWaitForSingleObject(&Noted.Timer, Executive, KernelMode, FALSE, NULL);
    KeFlushQueuedDpcs();
    KTEST_CHECK(Noted.Count == 3);
    return NULL;
}

/* Cancelling recalls the setting, not a DPC that is queued already. The timer expires on processor 0; its DPC
   is for processor 1, which we keep at DISPATCH_LEVEL: should it have run before that, we have come too late,
   and try again. */
static PCSTR TestCancelLeavesDpc(VOID)
{
    static NOTED Noted;
    LONG Early = 1;
    if (KeQueryActiveProcessorCount(NULL) < 2) {
        return NULL;
    }
    for (ULONG i = 0; i < 100 && Early != 0; i++) {
        KIRQL Irql;
        InitializeNoted(&Noted, NotificationTimer);
        KeSetTargetProcessorDpc(&Noted.Dpc, 1);
        KAFFINITY Old = KeSetSystemAffinityThreadEx(1);
        KeSetTimer(&Noted.Timer, Due(-2 * MS), &Noted.Dpc);
        KeSetSystemAffinityThreadEx(2);
        KeRaiseIrql(DISPATCH_LEVEL, &Irql);
        while (!KeReadStateTimer(&Noted.Timer)) {
            YieldProcessor();
        }
        BOOLEAN Cancelled = KeCancelTimer(&Noted.Timer);
        Early = Noted.Count;
        KeLowerIrql(Irql);
        KeFlushQueuedDpcs();
        KeRevertToUserAffinityThreadEx(Old);
        KTEST_CHECK(!Cancelled && Noted.Count == 1);
    }
    KTEST_CHECK(Early == 0);
    return NULL;
}

/* ---- Periodic timers ---- */

/* Expiry n of a series that began at Start, or a little later, comes no earlier than n periods after it. */
static PCSTR CheckSeries(const NOTED *Noted, LONG Count, LONGLONG Start, LONGLONG Period)
{
    for (LONG i = 0; i < Count && i < NOTES; i++) {
        KTEST_CHECK(Noted->When[i] >= Start + i * Period);
    }
    return NULL;
}

/* Due at zero, in the past or now: one expiry at once, the second a whole period later. */
static PCSTR TestPeriodFromNow(VOID)
{
    NOTED Noted;
    LARGE_INTEGER Dues[] = {Due(0), Due(-1), Due(SystemTime() - 3600 * 1000 * MS)};
    for (ULONG i = 0; i < ARRAYSIZE(Dues); i++) {
        InitializeNoted(&Noted, SynchronizationTimer);
        LONGLONG Start = Now();
        KeSetTimerEx(&Noted.Timer, Dues[i], 50, &Noted.Dpc);
        AwaitCount(&Noted, 4);
        StopNoted(&Noted);
        PCSTR Why = CheckSeries(&Noted, 4, Start, 50 * MS);
        KTEST_CHECK(Why == NULL);
    }
    return NULL;
}

static VOID HoldProcessor(ULONG Milliseconds)
{
    KIRQL Irql;
    KeRaiseIrql(DISPATCH_LEVEL, &Irql);
    for (ULONG i = 0; i < Milliseconds * 20; i++) {
        KeStallExecutionProcessor(50);
    }
    KeLowerIrql(Irql);
}

/* A processor that stays at DISPATCH_LEVEL for three periods and a half: one expiry for them all, and the
   next is due when the period that has begun is over: the series keeps its phase. */
static PCSTR TestMissedPeriods(VOID)
{
    NOTED Noted;
    KAFFINITY Old = KeSetSystemAffinityThreadEx(1);
    InitializeNoted(&Noted, NotificationTimer);
    LONGLONG Start = Now();
    KeSetTimerEx(&Noted.Timer, Due(-20 * MS), 20, &Noted.Dpc);
    LONGLONG First = Noted.Timer.DueTime.QuadPart;
    for (ULONG i = 0; i < 3; i++) {
        HoldProcessor(70);
        AwaitCount(&Noted, Noted.Count + 2);
    }
    StopNoted(&Noted);
    KeRevertToUserAffinityThreadEx(Old);
    for (LONG i = 0; i < Noted.Count && i < NOTES; i++) {
        KTEST_CHECK((Noted.NextDue[i] - First) % (20 * MS) == 0);
        KTEST_CHECK(Noted.NextDue[i] > (i == 0 ? First : Noted.NextDue[i - 1]));
        KTEST_CHECK(Noted.When[i] >= Noted.NextDue[i] - 20 * MS);
    }
    KTEST_CHECK(Noted.NextDue[0] >= First + 60 * MS);
    return CheckSeries(&Noted, Noted.Count, Start + 20 * MS, 20 * MS);
}

/* A periodic synchronization timer is signalled anew each period, and stops when it is cancelled. */
static PCSTR TestPeriodicSignal(VOID)
{
    KTIMER Timer;
    LARGE_INTEGER Limit = KtestMs(100);
    KeInitializeTimerEx(&Timer, SynchronizationTimer);
    KeSetTimerEx(&Timer, Due(-5 * MS), 5, NULL);
    for (ULONG i = 0; i < 5; i++) {
        KTEST_CHECK(KeWaitForSingleObject(&Timer, Executive, KernelMode, FALSE, NULL) == STATUS_SUCCESS);
    }
    KTEST_CHECK(KeCancelTimer(&Timer));
    KeWaitForSingleObject(&Timer, Executive, KernelMode, FALSE, &(LARGE_INTEGER){.QuadPart = 0});
    KTEST_CHECK(KeWaitForSingleObject(&Timer, Executive, KernelMode, FALSE, &Limit) == STATUS_TIMEOUT);
    return NULL;
}

/* ---- Coalescable timers ---- */

#define TIMERS 20
static NOTED Coalesced[TIMERS];

/* Timer i is due Ms + i ms from now and may be late by Tolerance. Returns the time before. */
static LONGLONG SetCoalesced(LONGLONG Ms, ULONG Tolerance)
{
    LONGLONG Start = Now();
    for (ULONG i = 0; i < TIMERS; i++) {
        InitializeNoted(&Coalesced[i], NotificationTimer);
        KeSetCoalescableTimer(&Coalesced[i].Timer, Due(-(Ms + i) * MS), 0, Tolerance, &Coalesced[i].Dpc);
    }
    return Start;
}

/* How many of those that were due at Time have not expired yet. The last of them was set at Set. */
static ULONG CountMissing(LONGLONG Ms, LONGLONG Set, LONGLONG Time)
{
    ULONG Count = 0;
    for (ULONG i = 0; i < TIMERS; i++) {
        Count += Coalesced[i].Count == 0 && Set + (Ms + i) * MS <= Time;
    }
    return Count;
}

static VOID StopCoalesced(VOID)
{
    for (ULONG i = 0; i < TIMERS; i++) {
        KeCancelTimer(&Coalesced[i].Timer);
    }
    KeFlushQueuedDpcs();
}

static PCSTR NoneTooEarly(LONGLONG Start, LONGLONG Ms)
{
    for (ULONG i = 0; i < TIMERS; i++) {
        KTEST_CHECK(Coalesced[i].Count == 0 || Coalesced[i].When[0] >= Start + (Ms + i) * MS);
    }
    return NULL;
}

/* Twenty windows of 50 ms that begin within 20 ms: whenever one expires, all that are due expire with it, in
   the same interrupt; and the first waits for the end of its window. Other interrupts of the processor may
   take some along before, so in most of some rounds. */
static PCSTR TestCoalesced(VOID)
{
    ULONG Whole = 0, Missing = 0;
    PCSTR Early = NULL;
    KAFFINITY Old = KeSetSystemAffinityThreadEx(1);
    for (ULONG i = 0; i < 5 && Early == NULL; i++) {
        LONGLONG Start = SetCoalesced(30, 50);
        LONGLONG Set = Now();
        KeWaitForSingleObject(&Coalesced[0].Timer, Executive, KernelMode, FALSE, NULL);
        Missing += CountMissing(30, Set, Coalesced[0].When[0] - MS); /* all DPCs of the interrupt have run before us */
        Whole += CountMissing(30, Set, MAXLONGLONG) == 0 && Coalesced[0].When[0] >= Start + 80 * MS;
        StopCoalesced();
        Early = NoneTooEarly(Start, 30);
    }
    KeRevertToUserAffinityThreadEx(Old);
    KTEST_CHECK(Early == NULL);
    KTEST_CHECK(Missing == 0);
    KTEST_CHECK(Whole >= 3);
    return NULL;
}

/* The windows are ten seconds long; an ordinary timer of the processor, 60 ms from now, takes all of them
   along. */
static PCSTR TestCoalescedWithOrdinary(VOID)
{
    KTIMER Ordinary;
    KAFFINITY Old = KeSetSystemAffinityThreadEx(1);
    KeInitializeTimer(&Ordinary);
    LONGLONG Start = SetCoalesced(30, 10000);
    KeSetTimer(&Ordinary, Due(-60 * MS), NULL);
    KeWaitForSingleObject(&Ordinary, Executive, KernelMode, FALSE, NULL);
    ULONG Missing = CountMissing(30, Start, MAXLONGLONG);
    StopCoalesced();
    KeRevertToUserAffinityThreadEx(Old);
    KTEST_CHECK(Missing == 0);
    return NoneTooEarly(Start, 30);
}

/* Alone with a tolerance of 200 ms, a timer waits for the end of its window: the processor is not woken for
   it before. Other interrupts of the processor may take it along, so in most of some rounds. */
static PCSTR TestWindowIsUsed(VOID)
{
    NOTED Noted;
    ULONG Late = 0;
    KAFFINITY Old = KeSetSystemAffinityThreadEx(1);
    for (ULONG i = 0; i < 5; i++) {
        InitializeNoted(&Noted, NotificationTimer);
        LONGLONG Start = Now();
        KeSetCoalescableTimer(&Noted.Timer, Due(-10 * MS), 0, 200, &Noted.Dpc);
        KeWaitForSingleObject(&Noted.Timer, Executive, KernelMode, FALSE, NULL);
        Late += Noted.When[0] >= Start + 209 * MS;
        KTEST_CHECK(Noted.When[0] >= Start + 10 * MS);
    }
    KeRevertToUserAffinityThreadEx(Old);
    KTEST_CHECK(Late >= 3);
    return NULL;
}

/* Tolerance 0 is KeSetTimerEx; a past due time expires at once even so. */
static PCSTR TestNoTolerance(VOID)
{
    NOTED Noted;
    InitializeNoted(&Noted, NotificationTimer);
    LONGLONG Start = Now();
    KTEST_CHECK(!KeSetCoalescableTimer(&Noted.Timer, Due(0), 20, 0, &Noted.Dpc));
    AwaitCount(&Noted, 4);
    StopNoted(&Noted);
    return CheckSeries(&Noted, 4, Start, 20 * MS);
}

/* The series does not drift: expiry n comes at n periods or later, and most come within the tolerance. */
static PCSTR TestCoalescedPeriod(VOID)
{
    NOTED Noted;
    InitializeNoted(&Noted, NotificationTimer);
    ULONG Within = 0;
    LONGLONG Start = Now() + 20 * MS;
    KeSetCoalescableTimer(&Noted.Timer, Due(-20 * MS), 20, 10, &Noted.Dpc);
    AwaitCount(&Noted, 10);
    StopNoted(&Noted);
    for (ULONG i = 0; i < 10; i++) {
        Within += (Noted.When[i] - Start) % (20 * MS) <= 12 * MS;
    }
    KTEST_CHECK(Within >= 5);
    return CheckSeries(&Noted, 10, Start, 20 * MS);
}

/* ---- Races ---- */

static volatile LONG Stop;
static KDPC Hammered;

static VOID NeverRuns(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
}

/* Keeps the lock of processor 1's DPC queue busy, so that whoever queues a DPC there has to wait. */
static VOID HammerQueue(PVOID Context)
{
    KeSetSystemAffinityThreadEx(4);
    while (!Stop) {
        KeInsertQueueDpc(&Hammered, NULL, NULL);
        KeRemoveQueueDpc(&Hammered);
    }
}

/* Whoever sees the signal finds the DPC queued. The timer expires on processor 0; its DPC is for processor 1,
   which cannot run it, for there we are at DISPATCH_LEVEL, looking. */
static PCSTR TestDpcBeforeSignal(VOID)
{
    static NOTED Noted;
    KIRQL Irql;
    ULONG Missing = 0, Processors = KeQueryActiveProcessorCount(NULL);
    if (Processors < 2) {
        return NULL;
    }
    Stop = 0;
    KeInitializeDpc(&Hammered, NeverRuns, NULL);
    KeSetImportanceDpc(&Hammered, LowImportance);
    KeSetTargetProcessorDpc(&Hammered, 1);
    PETHREAD Hammer = Processors > 2 ? KtestStart(HammerQueue, NULL) : NULL;
    InitializeNoted(&Noted, NotificationTimer);
    KeSetTargetProcessorDpc(&Noted.Dpc, 1);
    for (LONGLONG End = Now() + 500 * MS; Now() < End;) {
        KAFFINITY Old = KeSetSystemAffinityThreadEx(1);
        KeSetTimer(&Noted.Timer, Due(-2000), &Noted.Dpc);
        KeSetSystemAffinityThreadEx(2);
        KeRaiseIrql(DISPATCH_LEVEL, &Irql);
        while (!KeReadStateTimer(&Noted.Timer)) {
        }
        Missing += !KeRemoveQueueDpc(&Noted.Dpc) && Noted.Count == 0;
        Noted.Count = 0;
        KeLowerIrql(Irql);
        KeRevertToUserAffinityThreadEx(Old);
    }
    Stop = 1;
    if (Hammer != NULL) {
        KtestJoin(Hammer);
    }
    KeFlushQueuedDpcs();
    KTEST_CHECK(Missing == 0);
    return NULL;
}

static KTIMER Contended;
static volatile LONG Sets;

/* Moves the timer from one processor's queue to another's with each setting. */
static VOID SetContended(PVOID Context)
{
    while (!Stop) {
        KeSetSystemAffinityThreadEx(Sets % 2 ? 1 : 2);
        KeSetTimer(&Contended, Due(-3600 * 1000 * MS), NULL);
        Sets++;
    }
}

/* A thread sets the timer again and again, on two processors in turn; nobody but we cancels it. When a
   setting has been completed since we last did, the timer is set, also while the next setting is under way:
   KeCancelTimer says so. */
static PCSTR TestCancelAgainstSet(VOID)
{
    ULONG Wrong = 0, Random = 1;
    if (KeQueryActiveProcessorCount(NULL) < 3) {
        return NULL;
    }
    Stop = 0;
    KeInitializeTimer(&Contended);
    KAFFINITY Old = KeSetSystemAffinityThreadEx(4);
    PETHREAD Setter = KtestStart(SetContended, NULL);
    for (LONGLONG End = Now() + 1000 * MS; Now() < End;) {
        LONG Seen = Sets;
        while (Sets - Seen < 2) { /* the first may have been before our last cancellation */
        }
        Random = Random * 1664525 + 1013904223;
        for (volatile ULONG i = Random >> 20; i > 0; i--) {
        }
        Wrong += !KeCancelTimer(&Contended);
    }
    Stop = 1;
    KtestJoin(Setter);
    KeCancelTimer(&Contended);
    KeRevertToUserAffinityThreadEx(Old);
    KTEST_CHECK(Wrong == 0);
    return NULL;
}

/* All processors set, cancel and move a few timers with short due times: each expiry runs the DPC at most
   once a setting. */
static NOTED Storm[4];
static volatile LONG StormSets;

static VOID DriveStorm(PVOID Context)
{
    for (ULONG i = 0; i < 1000; i++) {
        NOTED *Noted = &Storm[(i + (ULONG_PTR)Context) % 4];
        InterlockedIncrement(&StormSets);
        KeSetCoalescableTimer(&Noted->Timer, Due(-(LONGLONG)(i % 7) * 100), 0, i % 3, &Noted->Dpc);
        if (i % 5 == 0) {
            KeCancelTimer(&Noted->Timer);
        }
    }
}

static PCSTR TestStorm(VOID)
{
    LONG Runs = 0;
    StormSets = 0;
    for (ULONG i = 0; i < 4; i++) {
        InitializeNoted(&Storm[i], NotificationTimer);
    }
    KTEST_CHECK(KtestCrowd(8, DriveStorm));
    for (ULONG i = 0; i < 4; i++) {
        StopNoted(&Storm[i]);
        Runs += Storm[i].Count;
    }
    KTEST_CHECK(Runs > 0 && Runs <= StormSets);
    return NULL;
}

/* ---- The time routines ---- */

static PCSTR TestTimeRoutines(VOID)
{
    LARGE_INTEGER Tick, Frequency, System, Local, Back;
    ULONG64 Counter = 0, Unbiased = 0;
    ULONGLONG Start = KeQueryInterruptTime();
    ULONGLONG Precise = KeQueryInterruptTimePrecise(&Counter);
    KeQueryTickCount(&Tick);
    ULONGLONG End = KeQueryInterruptTime();
    KTEST_CHECK(Start <= Precise && Precise <= End);
    KTEST_CHECK(Tick.QuadPart >= (LONGLONG)(Start / KeQueryTimeIncrement()));
    KTEST_CHECK(Tick.QuadPart <= (LONGLONG)(End / KeQueryTimeIncrement()));
    KeQueryPerformanceCounter(&Frequency); /* the counter and the time are of one moment */
    LONGLONG Difference = (LONGLONG)(Counter * 10000 / ((ULONG64)Frequency.QuadPart / 1000)) - (LONGLONG)Precise;
    KTEST_CHECK(Difference > -(LONGLONG)Precise / 1000 - 10 && Difference < (LONGLONG)Precise / 1000 + 10);
    KTEST_CHECK(KeQueryUnbiasedInterruptTime() >= End && KeQueryUnbiasedInterruptTimePrecise(&Unbiased) >= End);
    KTEST_CHECK(Unbiased > Counter);
    Start = KeQueryInterruptTime();
    KeStallExecutionProcessor(300);
    KTEST_CHECK(KeQueryInterruptTime() - Start >= 3000);
    KeQuerySystemTime(&Local);
    KeQuerySystemTimePrecise(&System);
    KTEST_CHECK(System.QuadPart >= Local.QuadPart);
    ExSystemTimeToLocalTime(&System, &Local); /* UTC */
    ExLocalTimeToSystemTime(&Local, &Back);
    KTEST_CHECK(Local.QuadPart == System.QuadPart && Back.QuadPart == System.QuadPart);
    return NULL;
}

/* The system time is that of a clock, and its fields lead back to it. */
static PCSTR TestTimeFields(VOID)
{
    LARGE_INTEGER System, Back;
    TIME_FIELDS Fields;
    KeQuerySystemTime(&System);
    RtlTimeToTimeFields(&System, &Fields);
    KTEST_CHECK(Fields.Year >= 2000 && Fields.Year < 2200);
    KTEST_CHECK(RtlTimeFieldsToTime(&Fields, &Back) && System.QuadPart - Back.QuadPart < 10000);
    Fields.Month = 13;
    KTEST_CHECK(!RtlTimeFieldsToTime(&Fields, &Back));
    return NULL;
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    KtestRun("timers.signal-set-cancel", TestSignal);
    KtestRun("timers.synchronization-taken-by-a-wait", TestSynchronizationTimer);
    KtestRun("timers.notification-releases-all", TestNotificationReleasesAll);
    KtestRun("timers.synchronization-releases-one", TestSynchronizationReleasesOne);
    KtestRun("timers.absolute", TestAbsolute);
    KtestRun("timers.cancel-leaves-dpc", TestCancelLeavesDpc);
    KtestRun("timers.period-from-now", TestPeriodFromNow);
    KtestRun("timers.missed-periods", TestMissedPeriods);
    KtestRun("timers.periodic-signal", TestPeriodicSignal);
    KtestRun("timers.coalesced", TestCoalesced);
    KtestRun("timers.coalesced-with-ordinary", TestCoalescedWithOrdinary);
    KtestRun("timers.window-is-used", TestWindowIsUsed);
    KtestRun("timers.no-tolerance", TestNoTolerance);
    KtestRun("timers.coalesced-period", TestCoalescedPeriod);
    KtestRun("timers.dpc-before-signal", TestDpcBeforeSignal);
    KtestRun("timers.cancel-against-set", TestCancelAgainstSet);
    KtestRun("timers.storm", TestStorm);
    KtestRun("timers.time-routines", TestTimeRoutines);
    KtestRun("timers.time-fields", TestTimeFields);
    return STATUS_SUCCESS;
}
