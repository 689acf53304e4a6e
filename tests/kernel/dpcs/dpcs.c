/* SPDX-License-Identifier: MIT */
/*
 * DPCs: queueing, importance, target processors, threaded DPCs, flush and removal.
 */
#include "../ktest.h"

#define MS 10000LL

static KDPC Dpc[8];
static volatile LONG Runs;
static volatile ULONG Order[8];     /* contexts, as they ran */
static volatile ULONG_PTR Arguments[2];
static volatile KIRQL Level;
static volatile ULONG Processor;
static BOOLEAN Threaded;            /* threaded DPCs are on */

static VOID Note(PKDPC This, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    LONG Number = InterlockedIncrement(&Runs) - 1;
    if (Number < (LONG)ARRAYSIZE(Order)) {
        Order[Number] = (ULONG)(ULONG_PTR)Context;
    }
    Arguments[0] = (ULONG_PTR)Argument1;
    Arguments[1] = (ULONG_PTR)Argument2;
    Level = KeGetCurrentIrql();
    Processor = KeGetCurrentProcessorNumber();
}

static VOID Initialize(ULONG Number, KDPC_IMPORTANCE Importance)
{
    KeInitializeDpc(&Dpc[Number], Note, (PVOID)(ULONG_PTR)Number);
    KeSetImportanceDpc(&Dpc[Number], Importance);
}

static VOID Stay(LONGLONG Milliseconds)
{
    for (ULONGLONG End = KeQueryInterruptTime() + Milliseconds * MS; KeQueryInterruptTime() < End;) {
        KeStallExecutionProcessor(20);
    }
}

static BOOLEAN Await(volatile LONG *Counter, LONG Value)
{
    for (ULONG i = 0; *Counter < Value && i < 10000; i++) {
        KtestSleep(1);
    }
    return *Counter >= Value;
}

/* ---- Ordinary DPCs ---- */

static PCSTR TestInitialize(VOID)
{
    memset(&Dpc[0], 0x55, sizeof(KDPC));
    KeInitializeDpc(&Dpc[0], NULL, NULL); /* no routine is accepted */
    KTEST_CHECK(Dpc[0].Importance == MediumImportance && Dpc[0].Number == 0 && Dpc[0].DpcData == NULL);
    KTEST_CHECK((ULONG_PTR)Dpc[0].DpcListEntry.Flink == 0x5555555555555555);
    return NULL;
}

/* Below DISPATCH_LEVEL the DPC has run when KeInsertQueueDpc returns. */
static PCSTR TestRunsBeforeReturn(VOID)
{
    Runs = 0;
    Initialize(0, MediumImportance);
    KTEST_CHECK(KeInsertQueueDpc(&Dpc[0], (PVOID)1, (PVOID)2));
    KTEST_CHECK(Runs == 1 && Arguments[0] == 1 && Arguments[1] == 2 && Level == DISPATCH_LEVEL);
    KIRQL Irql;
    KeRaiseIrql(APC_LEVEL, &Irql);
    KTEST_CHECK(KeInsertQueueDpc(&Dpc[0], NULL, NULL) && Runs == 2);
    KeLowerIrql(Irql);
    return NULL;
}

/* At DISPATCH_LEVEL it waits; lowering to APC_LEVEL is enough. The second insertion changes nothing. */
static PCSTR TestRunsWhenLowered(VOID)
{
    KIRQL Irql, Ignored;
    Runs = 0;
    Initialize(0, MediumImportance);
    KeRaiseIrql(APC_LEVEL, &Irql);
    KeRaiseIrql(DISPATCH_LEVEL, &Ignored);
    BOOLEAN First = KeInsertQueueDpc(&Dpc[0], (PVOID)1, (PVOID)2);
    BOOLEAN Second = KeInsertQueueDpc(&Dpc[0], (PVOID)3, (PVOID)4);
    LONG Before = Runs;
    KeLowerIrql(APC_LEVEL);
    LONG After = Runs;
    KeLowerIrql(Irql);
    KTEST_CHECK(First && !Second && Before == 0 && After == 1 && Arguments[0] == 1 && Arguments[1] == 2);
    return NULL;
}

static PCSTR TestRemove(VOID)
{
    KIRQL Irql;
    Runs = 0;
    Initialize(0, MediumImportance);
    KeRaiseIrql(DISPATCH_LEVEL, &Irql);
    KeInsertQueueDpc(&Dpc[0], NULL, NULL);
    BOOLEAN First = KeRemoveQueueDpc(&Dpc[0]), Second = KeRemoveQueueDpc(&Dpc[0]);
    KeLowerIrql(Irql);
    KTEST_CHECK(First && !Second && Runs == 0);
    return NULL;
}

/* High goes to the head, all others to the tail. */
static PCSTR TestOrder(VOID)
{
    static const KDPC_IMPORTANCE Importance[] = {LowImportance, MediumImportance, MediumHighImportance, HighImportance};
    static const ULONG Expected[] = {3, 0, 1, 2};
    KIRQL Irql;
    Runs = 0;
    KeRaiseIrql(DISPATCH_LEVEL, &Irql);
    for (ULONG i = 0; i < 4; i++) {
        Initialize(i, Importance[i]);
        KeInsertQueueDpc(&Dpc[i], NULL, NULL);
    }
    KeLowerIrql(Irql);
    KTEST_CHECK(Runs == 4);
    for (ULONG i = 0; i < 4; i++) {
        KTEST_CHECK(Order[i] == Expected[i]);
    }
    return NULL;
}

static VOID Requeue(PKDPC This, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    if (InterlockedIncrement(&Runs) < 100) {
        KeInsertQueueDpc(This, NULL, NULL);
    }
}

/* Unlinked before its routine is called: it may queue itself. */
static PCSTR TestRequeue(VOID)
{
    Runs = 0;
    KeInitializeDpc(&Dpc[0], Requeue, NULL);
    KeInsertQueueDpc(&Dpc[0], NULL, NULL);
    KTEST_CHECK(Runs == 100);
    return NULL;
}

/* ---- Other processors ---- */

static PCSTR TestTarget(VOID)
{
    ULONG Count = KeQueryActiveProcessorCount(NULL);
    PROCESSOR_NUMBER Number = {0};
    for (ULONG i = 0; i < Count; i++) {
        Runs = 0;
        Initialize(0, HighImportance);
        KeSetTargetProcessorDpc(&Dpc[0], (CCHAR)i);
        KeInsertQueueDpc(&Dpc[0], NULL, NULL);
        KTEST_CHECK(Await(&Runs, 1) && Processor == i);

        Runs = 0;
        Initialize(0, LowImportance);
        Number.Number = (UCHAR)i;
        KTEST_CHECK(KeSetTargetProcessorDpcEx(&Dpc[0], &Number) == STATUS_SUCCESS);
        KeInsertQueueDpc(&Dpc[0], NULL, NULL);
        KTEST_CHECK(Await(&Runs, 1) && Processor == i);
    }
    Number.Number = (UCHAR)Count;
    KTEST_CHECK(KeSetTargetProcessorDpcEx(&Dpc[0], &Number) == STATUS_INVALID_PARAMETER);
    Number = (PROCESSOR_NUMBER){.Group = 1};
    KTEST_CHECK(KeSetTargetProcessorDpcEx(&Dpc[0], &Number) == STATUS_INVALID_PARAMETER);
    Number = (PROCESSOR_NUMBER){.Reserved = 1};
    KTEST_CHECK(KeSetTargetProcessorDpcEx(&Dpc[0], &Number) == STATUS_INVALID_PARAMETER);
    return NULL;
}

static volatile LONG Spinning, Stop;
static volatile LONG64 Turns, TurnsAtRun;

static VOID SpinOn(PVOID Number)
{
    KeSetSystemAffinityThreadEx((KAFFINITY)1 << (ULONG_PTR)Number);
    for (Spinning = 1; !Stop;) {
        Turns++;
    }
}

static VOID NoteTurns(PKDPC This, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    TurnsAtRun = Turns;
    InterlockedIncrement(&Runs);
}

/*
 * Bursts of DPCs for processor 1, which counts. How many turns it makes between the insertion of the last and
 * its run says how soon it was interrupted, in its own time: a pause of the machine does not count. Returns
 * the median of 15 rounds, -1 if one did not run.
 */
static LONG64 TurnsBeforeRun(KDPC_IMPORTANCE Importance, ULONG Burst)
{
    LONG64 Sorted[15];
    for (ULONG Round = 0; Round < 15; Round++) {
        Runs = 0;
        for (ULONG i = 0; i < Burst; i++) {
            KeInitializeDpc(&Dpc[i], NoteTurns, NULL);
            KeSetImportanceDpc(&Dpc[i], Importance);
            KeSetTargetProcessorDpc(&Dpc[i], 1);
            KeInsertQueueDpc(&Dpc[i], NULL, NULL);
        }
        LONG64 Start = Turns;
        if (!Await(&Runs, (LONG)Burst)) {
            return -1;
        }
        LONG64 Taken = TurnsAtRun > Start ? TurnsAtRun - Start : 0;
        ULONG At = Round;
        for (; At > 0 && Sorted[At - 1] > Taken; At--) {
            Sorted[At] = Sorted[At - 1];
        }
        Sorted[At] = Taken;
    }
    return Sorted[7];
}

/* Low and medium importance do not interrupt another, busy processor for one DPC, but run in a while all the
   same; a burst of them interrupts it, and so do the higher ones. */
static PCSTR TestImportanceElsewhere(VOID)
{
    if (KeQueryActiveProcessorCount(NULL) < 2) {
        return NULL;
    }
    Spinning = Stop = 0;
    KAFFINITY Old = KeSetSystemAffinityThreadEx(1);
    PETHREAD Thread = KtestStart(SpinOn, (PVOID)1);
    Await(&Spinning, 1);
    LONG64 Low = TurnsBeforeRun(LowImportance, 1), Medium = TurnsBeforeRun(MediumImportance, 1);
    LONG64 MediumHigh = TurnsBeforeRun(MediumHighImportance, 1), High = TurnsBeforeRun(HighImportance, 1);
    LONG64 Burst = TurnsBeforeRun(LowImportance, 4);
    Stop = 1;
    KtestJoin(Thread);
    KeRevertToUserAffinityThreadEx(Old);
    DbgPrint("turns before a DPC runs: low %I64d, medium %I64d, medium high %I64d, high %I64d, burst of low %I64d\n", Low, Medium,
             MediumHigh, High, Burst);
    LONG64 Soon = (Low < Medium ? Low : Medium) / 4;
    KTEST_CHECK(Low > 0 && Medium > 0);
    KTEST_CHECK(MediumHigh >= 0 && MediumHigh < Soon);
    KTEST_CHECK(High >= 0 && High < Soon);
    KTEST_CHECK(Burst >= 0 && Burst < Soon);
    return NULL;
}

/* A low DPC on its own processor does not run at once, but within a while, though the thread goes on. */
static PCSTR TestLowHere(VOID)
{
    ULONG AtOnce = 0;
    for (ULONG i = 0; i < 10; i++) {
        Runs = 0;
        Initialize(0, LowImportance);
        KeInsertQueueDpc(&Dpc[0], NULL, NULL);
        AtOnce += Runs != 0;
        for (ULONGLONG End = KeQueryInterruptTime() + 10000 * MS; Runs == 0 && KeQueryInterruptTime() < End;) {
            YieldProcessor();
        }
        KTEST_CHECK(Runs == 1);
    }
    KTEST_CHECK(AtOnce < 5);
    return NULL;
}

/* ---- Threaded DPCs ---- */

static KDPC Ordinary;
static volatile LONG OrdinaryRuns, ThreadedRuns;
static volatile LONG SawOrdinary;

static VOID NoteOrdinary(PKDPC This, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    InterlockedIncrement(&OrdinaryRuns);
}

static PCSTR TestThreadedLevel(VOID)
{
    ULONG Count = KeQueryActiveProcessorCount(NULL);
    for (ULONG i = 0; i < Count; i++) {
        Runs = 0;
        KeInitializeThreadedDpc(&Dpc[0], Note, (PVOID)7);
        KTEST_CHECK(Dpc[0].Importance == MediumImportance);
        KeSetTargetProcessorDpc(&Dpc[0], (CCHAR)i);
        KTEST_CHECK(KeInsertQueueDpc(&Dpc[0], (PVOID)1, (PVOID)2));
        KTEST_CHECK(Await(&Runs, 1));
        KTEST_CHECK(Order[0] == 7 && Arguments[0] == 1 && Arguments[1] == 2 && Processor == i);
        KTEST_CHECK(Level == (Threaded ? PASSIVE_LEVEL : DISPATCH_LEVEL));
    }
    return NULL;
}

/* Queues an ordinary DPC on the own processor from within. */
static VOID QueueOrdinary(PKDPC This, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    KeInsertQueueDpc(&Ordinary, NULL, NULL);
    SawOrdinary = OrdinaryRuns;
    InterlockedIncrement(&ThreadedRuns);
}

/* An ordinary DPC interrupts a threaded one; when threaded DPCs are off, it waits for its end. */
static PCSTR TestThreadedPreempted(VOID)
{
    OrdinaryRuns = ThreadedRuns = 0;
    KeInitializeDpc(&Ordinary, NoteOrdinary, NULL);
    KeInitializeThreadedDpc(&Dpc[0], QueueOrdinary, NULL);
    KeInsertQueueDpc(&Dpc[0], NULL, NULL);
    KTEST_CHECK(Await(&ThreadedRuns, 1) && OrdinaryRuns == 1);
    KTEST_CHECK(SawOrdinary == (Threaded ? 1 : 0));
    return NULL;
}

static volatile LONG Beats, BeatsBefore, BeatsAfter;

static VOID Beat(PVOID Number)
{
    KeSetSystemAffinityThreadEx((KAFFINITY)1 << (ULONG_PTR)Number);
    KeSetPriorityThread(KeGetCurrentThread(), 30);
    while (!Stop) {
        Beats++;
    }
}

static VOID WatchBeats(PKDPC This, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    BeatsBefore = Beats;
    Stay(5);
    BeatsAfter = Beats;
    InterlockedIncrement(&ThreadedRuns);
}

/* A threaded DPC runs ahead of threads, real-time ones included, and is not interrupted by them. */
static PCSTR TestThreadedAheadOfThreads(VOID)
{
    ULONG Last = KeQueryActiveProcessorCount(NULL) - 1;
    if (Last == 0) {
        return NULL; /* the thread would not let us go on */
    }
    ThreadedRuns = Beats = Stop = 0;
    KAFFINITY Old = KeSetSystemAffinityThreadEx(1);
    PETHREAD Thread = KtestStart(Beat, (PVOID)(ULONG_PTR)Last);
    Await(&Beats, 1000);
    KeInitializeThreadedDpc(&Dpc[0], WatchBeats, NULL);
    KeSetTargetProcessorDpc(&Dpc[0], (CCHAR)Last);
    KeInsertQueueDpc(&Dpc[0], NULL, NULL);
    BOOLEAN Ran = Await(&ThreadedRuns, 1);
    Stop = 1;
    KtestJoin(Thread);
    KeRevertToUserAffinityThreadEx(Old);
    KTEST_CHECK(Ran && BeatsBefore == BeatsAfter);
    return NULL;
}

static VOID RunLong(PKDPC This, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    Stay(3);
    InterlockedIncrement(&ThreadedRuns);
}

/* A flush returns when all that was queued has run, on all processors, threaded ones too. */
static PCSTR TestFlush(VOID)
{
    ULONG Count = KeQueryActiveProcessorCount(NULL);
    ULONG Used = Count < 8 ? Count : 8;
    for (ULONG Kind = 0; Kind < 2; Kind++) {
        ThreadedRuns = 0;
        for (ULONG i = 0; i < Used; i++) {
            if (Kind == 0) {
                KeInitializeThreadedDpc(&Dpc[i], RunLong, NULL);
            } else {
                KeInitializeDpc(&Dpc[i], RunLong, NULL);
                KeSetImportanceDpc(&Dpc[i], LowImportance);
            }
            KeSetTargetProcessorDpc(&Dpc[i], (CCHAR)i);
            KeInsertQueueDpc(&Dpc[i], NULL, NULL);
        }
        KeFlushQueuedDpcs();
        KTEST_CHECK(ThreadedRuns == (LONG)Used);
    }
    return NULL;
}

static volatile LONG Entered;

static VOID EnterAndStay(PKDPC This, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    Entered = 1;
    Stay(3);
    InterlockedIncrement(&ThreadedRuns);
}

/* Removal of one that runs fails; with WaitIfActive it returns after its end. */
static PCSTR TestRemoveActive(VOID)
{
    ULONG Last = KeQueryActiveProcessorCount(NULL) - 1;
    if (Last == 0) {
        return NULL;
    }
    for (ULONG Kind = 0; Kind < 2; Kind++) {
        Entered = ThreadedRuns = 0;
        (Kind == 0 ? KeInitializeDpc : KeInitializeThreadedDpc)(&Dpc[0], EnterAndStay, NULL);
        KeSetImportanceDpc(&Dpc[0], HighImportance);
        KeSetTargetProcessorDpc(&Dpc[0], (CCHAR)Last);
        KAFFINITY Old = KeSetSystemAffinityThreadEx(1);
        KeInsertQueueDpc(&Dpc[0], NULL, NULL);
        while (!Entered) {
            YieldProcessor();
        }
        BOOLEAN Removed = KeRemoveQueueDpcEx(&Dpc[0], TRUE);
        LONG Ended = ThreadedRuns;
        KeRevertToUserAffinityThreadEx(Old);
        KTEST_CHECK(!Removed && Ended == 1);
    }
    return NULL;
}

/* A timer's DPC may be a threaded one. */
static PCSTR TestTimerThreaded(VOID)
{
    KTIMER Timer;
    Runs = 0;
    KeInitializeTimer(&Timer);
    KeInitializeThreadedDpc(&Dpc[0], Note, NULL);
    KeSetTimer(&Timer, KtestMs(2), &Dpc[0]);
    KTEST_CHECK(Await(&Runs, 1) && Level == (Threaded ? PASSIVE_LEVEL : DISPATCH_LEVEL));
    return NULL;
}

/* ---- All at once ---- */

static KDPC Storm[8];
static volatile LONG Inserted, Removed, Ran;

static VOID CountRun(PKDPC This, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    InterlockedIncrement(&Ran);
}

static VOID DriveStorm(PVOID Context)
{
    for (ULONG i = 0; i < 3000; i++) {
        PKDPC One = &Storm[(i * 7 + (ULONG_PTR)Context) % ARRAYSIZE(Storm)];
        InterlockedExchangeAdd(&Inserted, KeInsertQueueDpc(One, NULL, NULL));
        if (i % 3 == 0) {
            InterlockedExchangeAdd(&Removed, KeRemoveQueueDpc(One));
        }
    }
}

/* What was inserted has been removed or has run, once. */
static PCSTR TestStorm(VOID)
{
    ULONG Count = KeQueryActiveProcessorCount(NULL);
    Inserted = Removed = Ran = 0;
    for (ULONG i = 0; i < ARRAYSIZE(Storm); i++) {
        (i % 2 ? KeInitializeDpc : KeInitializeThreadedDpc)(&Storm[i], CountRun, NULL);
        KeSetImportanceDpc(&Storm[i], (KDPC_IMPORTANCE)(i / 2));
        KeSetTargetProcessorDpc(&Storm[i], (CCHAR)(i % Count));
    }
    KTEST_CHECK(KtestCrowd(8, DriveStorm));
    KeFlushQueuedDpcs();
    KTEST_CHECK(Inserted > 0 && Inserted == Removed + Ran);
    return NULL;
}

/* A DPC hears that it should return: at once when another one waits behind it; alone, when a clock interrupt
   has found it twice. */
static volatile LONG YieldAlone, YieldAtLast, YieldBehind;

static VOID AskToYield(PKDPC This, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    YieldAlone = (LONG)KeShouldYieldProcessor();
    while (!KeShouldYieldProcessor()) {
        YieldProcessor();
    }
    YieldAtLast = TRUE;
}

static VOID AskWithOther(PKDPC This, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    KeInsertQueueDpc(&Dpc[1], NULL, NULL);
    YieldBehind = (LONG)KeShouldYieldProcessor();
}

static PCSTR TestShouldYield(VOID)
{
    KIRQL Irql;
    YieldAlone = YieldBehind = -1;
    KTEST_CHECK(!KeShouldYieldProcessor());
    KeRaiseIrql(DISPATCH_LEVEL, &Irql);
    BOOLEAN Outside = KeShouldYieldProcessor() != 0;
    KeLowerIrql(Irql);
    KTEST_CHECK(!Outside);
    KeInitializeDpc(&Dpc[0], AskWithOther, NULL);
    KeInitializeDpc(&Dpc[1], CountRun, NULL);
    KeInsertQueueDpc(&Dpc[0], NULL, NULL);
    KeFlushQueuedDpcs();
    KTEST_CHECK(YieldBehind == TRUE);
    KeInitializeDpc(&Dpc[0], AskToYield, NULL);
    KeInsertQueueDpc(&Dpc[0], NULL, NULL);
    KeFlushQueuedDpcs();
    KTEST_CHECK(YieldAlone >= 0 && YieldAtLast);
    return NULL;
}

/* ---- The watchdog: dpcs.watch=NAME must end in DPC_WATCHDOG_VIOLATION, NAME-ok must not; dpc.limit is 500
   ms ---- */

static ULONG StayMs;

static VOID StayInDpc(PKDPC This, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    Stay(StayMs);
    InterlockedIncrement(&Runs);
}

/* One DPC that does not end; or five that take a fifth of the limit each. */
static VOID WatchOne(BOOLEAN Right)
{
    StayMs = Right ? 100 : 60000;
    KeInitializeDpc(&Dpc[0], StayInDpc, NULL);
    for (ULONG i = 0; i < 5; i++) {
        KeInsertQueueDpc(&Dpc[0], NULL, NULL);
    }
}

static VOID StayAndRequeue(PKDPC This, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    Stay(20);
    if (InterlockedIncrement(&Runs) < (LONG)(ULONG_PTR)Context) {
        KeInsertQueueDpc(This, NULL, NULL);
    }
}

/* A short DPC that queues itself for ever, so that the processor never gets back to its threads; or ten
   times. */
static VOID WatchSeries(BOOLEAN Right)
{
    KeInitializeDpc(&Dpc[0], StayAndRequeue, (PVOID)(ULONG_PTR)(Right ? 10 : 100000));
    KeInsertQueueDpc(&Dpc[0], NULL, NULL);
}

static BOOLEAN RunWatch(VOID)
{
    char Kind[16];
    if (!ExQueryKernelOption("dpcs.watch", Kind, sizeof(Kind))) {
        return FALSE;
    }
    BOOLEAN Right = strcmp(Kind + strlen(Kind) - 3, "-ok") == 0;
    (Kind[0] == 'o' ? WatchOne : WatchSeries)(Right);
    DbgPrint("@%s dpcs.watch=%s\n", Right ? "pass" : "fail", Kind);
    return TRUE;
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    char Option[8];
    if (RunWatch()) {
        return STATUS_SUCCESS;
    }
    Threaded = !ExQueryKernelOption("dpc.threaded", Option, sizeof(Option));
    KtestRun("dpcs.initialize", TestInitialize);
    KtestRun("dpcs.runs-before-return", TestRunsBeforeReturn);
    KtestRun("dpcs.runs-when-lowered", TestRunsWhenLowered);
    KtestRun("dpcs.remove", TestRemove);
    KtestRun("dpcs.order", TestOrder);
    KtestRun("dpcs.requeue", TestRequeue);
    KtestRun("dpcs.target", TestTarget);
    KtestRun("dpcs.importance-elsewhere", TestImportanceElsewhere);
    KtestRun("dpcs.low-here", TestLowHere);
    KtestRun("dpcs.threaded-level", TestThreadedLevel);
    KtestRun("dpcs.threaded-preempted", TestThreadedPreempted);
    KtestRun("dpcs.threaded-ahead-of-threads", TestThreadedAheadOfThreads);
    KtestRun("dpcs.flush", TestFlush);
    KtestRun("dpcs.should-yield", TestShouldYield);
    KtestRun("dpcs.remove-active", TestRemoveActive);
    KtestRun("dpcs.timer-threaded", TestTimerThreaded);
    KtestRun("dpcs.storm", TestStorm);
    return STATUS_SUCCESS;
}
