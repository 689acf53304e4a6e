/* SPDX-License-Identifier: MIT */
/*
 * Levels on one processor, locks on four. Whoever waits for another processor here waits for what that does, and
 * gives up after a few seconds, so that a lock that never comes is a failure and no hang.
 */
#include "ktest.h"

#define PROCESSORS 4
#define PATIENCE   30000000 /* 100 ns: longer than any machine that is right needs */

/* True as soon as the condition holds. */
#define SOON(Condition)                                                                                                \
    ({                                                                                                                 \
        ULONGLONG Until_ = KeQueryInterruptTime() + PATIENCE;                                                          \
        BOOLEAN Holds_;                                                                                                \
        while (!(Holds_ = (Condition)) && KeQueryInterruptTime() < Until_) {                                           \
            YieldProcessor();                                                                                          \
        }                                                                                                              \
        Holds_;                                                                                                        \
    })

/* ---- Levels ---- */

static ULONG Mask(VOID)
{
    ULONG64 Value;
    __asm__ volatile("movq %%cr8, %0" : "=r"(Value) : : "memory");
    return (ULONG)Value;
}

static BOOLEAN InterruptsOn(VOID)
{
    ULONG64 Flags;
    __asm__ volatile("pushfq\n\tpopq %0" : "=r"(Flags) : : "memory");
    return (Flags & 0x200) != 0;
}

/* Above DISPATCH_LEVEL the level is the machine's: a mask, or at HIGH_LEVEL no interrupts at all. */
static PCSTR TestMask(VOID)
{
    for (KIRQL Irql = APC_LEVEL; Irql <= HIGH_LEVEL; Irql++) {
        KIRQL Old;
        KeRaiseIrql(Irql, &Old);
        ULONG Masked = Mask();
        BOOLEAN On = InterruptsOn();
        BOOLEAN Right = Old == PASSIVE_LEVEL && KeGetCurrentIrql() == Irql && On == (Irql != HIGH_LEVEL);
        Right = Right && (Irql == HIGH_LEVEL || Masked == (Irql > DISPATCH_LEVEL ? Irql : 0u));
        KeLowerIrql(PASSIVE_LEVEL);
        KTEST_CHECK(Right);
        KTEST_CHECK(Mask() == 0 && InterruptsOn() && KeGetCurrentIrql() == PASSIVE_LEVEL);
    }
    return NULL;
}

static volatile KIRQL Ran; /* the level at which it ran, or 0xff */

static VOID NoteLevel(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    Ran = KeGetCurrentIrql();
}

/* A DPC that is queued at or above DISPATCH_LEVEL runs when the level drops below, before the lowering returns. */
static PCSTR TestPending(VOID)
{
    static const KIRQL From[] = {DISPATCH_LEVEL, 3, 12, HIGH_LEVEL}, To[] = {APC_LEVEL, PASSIVE_LEVEL};
    static KDPC Dpc;
    KeInitializeDpc(&Dpc, NoteLevel, NULL);
    for (ULONG i = 0; i < ARRAYSIZE(From) * ARRAYSIZE(To); i++) {
        KIRQL Old;
        Ran = 0xff;
        KeRaiseIrql(From[i / 2], &Old);
        KeInsertQueueDpc(&Dpc, NULL, NULL);
        KIRQL Early = Ran;
        KeLowerIrql(To[i % 2]);
        KIRQL Then = Ran;
        KeLowerIrql(Old);
        KTEST_CHECK(Early == 0xff);
        KTEST_CHECK(Then == DISPATCH_LEVEL);
    }
    return NULL;
}

/* Raised three times, lowered three times: each gives back what was, and only the last runs the DPC. */
static PCSTR TestNested(VOID)
{
    static KDPC Dpc;
    KIRQL First, Second, Third;
    KeInitializeDpc(&Dpc, NoteLevel, NULL);
    Ran = 0xff;
    KeRaiseIrql(DISPATCH_LEVEL, &First);
    KeRaiseIrql(5, &Second);
    KeRaiseIrql(11, &Third);
    KeInsertQueueDpc(&Dpc, NULL, NULL);
    ULONG Inner = Mask();
    KeLowerIrql(Third);
    ULONG Middle = Mask();
    KeLowerIrql(Second);
    ULONG Outer = Mask();
    KIRQL Early = Ran;
    KeLowerIrql(First);
    KIRQL Then = Ran;
    KTEST_CHECK(First == PASSIVE_LEVEL && Second == DISPATCH_LEVEL && Third == 5);
    KTEST_CHECK(Inner == 11 && Middle == 5 && Outer == 0);
    KTEST_CHECK(Early == 0xff && Then == DISPATCH_LEVEL);
    return NULL;
}

static KEVENT Go;
static volatile BOOLEAN Woken;

static VOID WaitsAbove(PVOID Context)
{
    KeSetPriorityThread(KeGetCurrentThread(), 20);
    KeWaitForSingleObject(&Go, Executive, KernelMode, FALSE, NULL);
    Woken = TRUE;
}

/* A more urgent thread that is woken at DISPATCH_LEVEL has the processor as soon as the level drops. */
static PCSTR TestPreempts(VOID)
{
    KeInitializeEvent(&Go, SynchronizationEvent, FALSE);
    Woken = FALSE;
    PETHREAD Waiter = KtestStart(WaitsAbove, NULL);
    KTEST_CHECK(Waiter != NULL);
    KtestSleep(20);
    KIRQL Old;
    KeRaiseIrql(DISPATCH_LEVEL, &Old);
    KeSetEvent(&Go, IO_NO_INCREMENT, FALSE);
    BOOLEAN Early = Woken;
    KeLowerIrql(Old);
    BOOLEAN Then = Woken;
    KtestJoin(Waiter);
    KTEST_CHECK(!Early);
    KTEST_CHECK(Then);
    return NULL;
}

static VOID NoteApc(PKAPC Apc, PKNORMAL_ROUTINE *Normal, PVOID *Context, PVOID *Argument1, PVOID *Argument2)
{
    Ran = KeGetCurrentIrql();
}

/* A kernel APC waits as long as the level is APC_LEVEL or higher. */
static PCSTR TestApc(VOID)
{
    static KAPC Apc;
    KIRQL Old;
    Ran = 0xff;
    KeInitializeApc(&Apc, KeGetCurrentThread(), OriginalApcEnvironment, NoteApc, NULL, NULL, KernelMode, NULL);
    KeRaiseIrql(APC_LEVEL, &Old);
    KeInsertQueueApc(&Apc, NULL, NULL, IO_NO_INCREMENT);
    KIRQL Early = Ran;
    KeLowerIrql(Old);
    KIRQL Then = Ran;
    KtestSleep(1);
    KTEST_CHECK(Early == 0xff);
    KTEST_CHECK(Then == APC_LEVEL);
    return NULL;
}

/* IRQL_NOT_GREATER_OR_EQUAL */
static PCSTR RaisesDown(VOID)
{
    KIRQL Old, Inner;
    KeRaiseIrql(5, &Old);
    KeRaiseIrql(APC_LEVEL, &Inner);
    KeRaiseIrql(5, &Inner);
    KeLowerIrql(Old);
    return NULL;
}

/* IRQL_NOT_LESS_OR_EQUAL */
static PCSTR LowersUp(VOID)
{
    KeLowerIrql(APC_LEVEL);
    KeLowerIrql(PASSIVE_LEVEL);
    return NULL;
}

/* ---- Locks ---- */

static KSPIN_LOCK Lock;
static EX_SPIN_LOCK RwLock;
static volatile LONG Trying, Held, LetGo, Entered, Inside, Broken, Readers;
static volatile ULONG Counter; /* guarded by the lock under test: its read and its write are apart */

/* A thread of its own on the processor of its number. */
static PETHREAD StartOn(ULONG Processor, PKSTART_ROUTINE Routine)
{
    return KtestStart(Routine, (PVOID)(ULONG_PTR)Processor);
}

static VOID StayOn(PVOID Context)
{
    KeSetSystemAffinityThreadEx((KAFFINITY)1 << (ULONG_PTR)Context);
}

/* Time for somebody else to do what he must not: 100 ms, or until he has. */
static VOID Dwell(volatile LONG *Wrong)
{
    ULONGLONG Until = KeQueryInterruptTime() + 1000000;
    while (!*Wrong && KeQueryInterruptTime() < Until) {
        YieldProcessor();
    }
}

static VOID HoldsPlain(PVOID Context)
{
    StayOn(Context);
    KIRQL Irql = KeAcquireSpinLockRaiseToDpc(&Lock);
    Held = 1;
    if (SOON(Trying != 0)) {
        Dwell(&Entered);
    }
    Broken = Entered;
    KeReleaseSpinLock(&Lock, Irql);
}

/* Who finds the lock taken waits until it is free. */
static PCSTR TestPlainWaits(VOID)
{
    Trying = Held = Entered = Broken = 0;
    KeInitializeSpinLock(&Lock);
    KAFFINITY Before = KeSetSystemAffinityThreadEx(1);
    PETHREAD Holder = StartOn(1, HoldsPlain);
    BOOLEAN Ready = SOON(Held != 0);
    KIRQL Irql = KeRaiseIrqlToDpcLevel();
    Trying = 1;
    KeAcquireSpinLockAtDpcLevel(&Lock);
    Entered = 1;
    KeReleaseSpinLockFromDpcLevel(&Lock);
    KeLowerIrql(Irql);
    KeRevertToUserAffinityThreadEx(Before);
    KTEST_CHECK(Holder != NULL);
    KtestJoin(Holder);
    KTEST_CHECK(Ready);
    KTEST_CHECK(!Broken);
    KTEST_CHECK(Lock == 0);
    return NULL;
}

#define ROUNDS       500
#define QUEUE_ROUNDS 40 /* a queue hands the lock to one who has it next, though the host may run another: slow on few cores */

/* What each does with the lock: the first who is inside stays for a while, when all are on their way in. */
static VOID CountOnce(ULONG Round)
{
    if (InterlockedIncrement(&Inside) != 1) {
        Broken = 1;
    }
    ULONG Value = Counter;
    if (Round == 0 && SOON(Trying == PROCESSORS)) {
        Dwell(&Broken);
    }
    Counter = Value + 1;
    InterlockedDecrement(&Inside);
}

static VOID CountsPlain(PVOID Context)
{
    StayOn(Context);
    InterlockedIncrement(&Trying);
    for (ULONG i = 0; i < ROUNDS; i++) {
        KIRQL Irql = KeAcquireSpinLockRaiseToDpc(&Lock);
        CountOnce(i);
        KeReleaseSpinLock(&Lock, Irql);
    }
}

static VOID CountsQueued(PVOID Context)
{
    StayOn(Context);
    InterlockedIncrement(&Trying);
    for (ULONG i = 0; i < QUEUE_ROUNDS; i++) {
        KLOCK_QUEUE_HANDLE Handle;
        KeAcquireInStackQueuedSpinLock(&Lock, &Handle);
        CountOnce(i);
        KeReleaseInStackQueuedSpinLock(&Handle);
    }
}

static PCSTR TestCrowd(PKSTART_ROUTINE Routine, ULONG Rounds)
{
    Counter = 0;
    Inside = Broken = Trying = 0;
    KeInitializeSpinLock(&Lock);
    KTEST_CHECK(KtestCrowd(PROCESSORS, Routine));
    KTEST_CHECK(!Broken);
    KTEST_CHECK(Counter == PROCESSORS * Rounds);
    KTEST_CHECK(Lock == 0);
    return NULL;
}

static PCSTR TestPlainCrowd(VOID)
{
    return TestCrowd(CountsPlain, ROUNDS);
}

static PCSTR TestQueueCrowd(VOID)
{
    return TestCrowd(CountsQueued, QUEUE_ROUNDS);
}

/* Three processors join the queue one by one, while a fourth holds the lock: they are served in that order. The lock's
   word names the last of them. */
static volatile LONG Turn, Served;
static volatile ULONG Order[PROCESSORS];

static VOID Joins(PVOID Context)
{
    KLOCK_QUEUE_HANDLE Handle;
    StayOn(Context);
    KIRQL Irql = KeRaiseIrqlToDpcLevel();
    InterlockedIncrement(&Trying);
    SOON(Turn >= (LONG)(ULONG_PTR)Context);
    KeAcquireInStackQueuedSpinLockAtDpcLevel(&Lock, &Handle);
    Order[InterlockedIncrement(&Served)] = (ULONG)(ULONG_PTR)Context;
    KeReleaseInStackQueuedSpinLockFromDpcLevel(&Handle);
    KeLowerIrql(Irql);
}

/* The caller holds the lock. */
static BOOLEAN LetThemJoin(VOID)
{
    for (LONG i = 1; i < PROCESSORS; i++) {
        KSPIN_LOCK Last = Lock;
        Turn = i;
        if (!SOON(*(volatile KSPIN_LOCK *)&Lock != Last)) {
            Turn = PROCESSORS;
            return FALSE;
        }
    }
    return TRUE;
}

static PCSTR TestQueueOrder(VOID)
{
    for (ULONG Round = 0; Round < 5; Round++) {
        PETHREAD Thread[PROCESSORS];
        KLOCK_QUEUE_HANDLE Handle;
        Trying = Turn = Served = 0;
        KeInitializeSpinLock(&Lock);
        KAFFINITY Before = KeSetSystemAffinityThreadEx(1);
        for (ULONG i = 1; i < PROCESSORS; i++) {
            KTEST_CHECK((Thread[i] = StartOn(i, Joins)) != NULL);
        }
        BOOLEAN Ready = SOON(Trying == PROCESSORS - 1);
        KeAcquireInStackQueuedSpinLock(&Lock, &Handle);
        BOOLEAN Joined = LetThemJoin();
        KeReleaseInStackQueuedSpinLock(&Handle);
        KeRevertToUserAffinityThreadEx(Before);
        for (ULONG i = 1; i < PROCESSORS; i++) {
            KtestJoin(Thread[i]);
        }
        KTEST_CHECK(Ready);
        KTEST_CHECK(Joined);
        for (ULONG i = 1; i < PROCESSORS; i++) {
            KTEST_CHECK(Order[i] == i);
        }
        KTEST_CHECK(Lock == 0);
    }
    return NULL;
}

/* SPIN_LOCK_ALREADY_OWNED, said by KiNoteAcquire, before the processor would wait for itself. */
static PCSTR QueuesTwice(VOID)
{
    KLOCK_QUEUE_HANDLE First, Second;
    KeInitializeSpinLock(&Lock);
    KeAcquireInStackQueuedSpinLock(&Lock, &First);
    KeAcquireInStackQueuedSpinLockAtDpcLevel(&Lock, &Second);
    return NULL;
}

/* ---- Readers and writers ---- */

static VOID HoldsShared(PVOID Context)
{
    StayOn(Context);
    KIRQL Irql = ExAcquireSpinLockShared(&RwLock);
    Held = 1;
    SOON(LetGo != 0);
    Held = 0;
    ExReleaseSpinLockShared(&RwLock, Irql);
}

static BOOLEAN TryShared(VOID)
{
    KIRQL Irql = KeRaiseIrqlToDpcLevel();
    BOOLEAN Got = ExTryAcquireSpinLockSharedAtDpcLevel(&RwLock);
    if (Got) {
        ExReleaseSpinLockSharedFromDpcLevel(&RwLock);
    }
    KeLowerIrql(Irql);
    return Got;
}

static PCSTR TestReaders(VOID)
{
    RwLock = 0;
    Held = LetGo = 0;
    KAFFINITY Before = KeSetSystemAffinityThreadEx(1);
    PETHREAD Reader = StartOn(1, HoldsShared);
    BOOLEAN Ready = SOON(Held != 0), Beside = TryShared(), Again = TryShared();
    LetGo = 1;
    KeRevertToUserAffinityThreadEx(Before);
    KTEST_CHECK(Reader != NULL);
    KtestJoin(Reader);
    KTEST_CHECK(Ready);
    KTEST_CHECK(Beside && Again);
    KTEST_CHECK(RwLock == 0);
    return NULL;
}

static VOID Writes(PVOID Context)
{
    StayOn(Context);
    KIRQL Irql = ExAcquireSpinLockExclusive(&RwLock);
    Entered = 1;
    ExReleaseSpinLockExclusive(&RwLock, Irql);
}

/* A writer that waits keeps new readers out, though it has to wait for those inside. */
static PCSTR TestWriterFirst(VOID)
{
    RwLock = 0;
    Held = LetGo = Entered = 0;
    KAFFINITY Before = KeSetSystemAffinityThreadEx(1);
    PETHREAD Reader = StartOn(1, HoldsShared);
    BOOLEAN Ready = SOON(Held != 0);
    PETHREAD Writer = StartOn(2, Writes);
    BOOLEAN Claimed = SOON(*(volatile LONG *)&RwLock < 0), KeptOut = !TryShared(), Early = Entered != 0;
    BOOLEAN StillHeld = Held != 0;
    LetGo = 1;
    KeRevertToUserAffinityThreadEx(Before);
    KTEST_CHECK(Reader != NULL && Writer != NULL);
    KtestJoin(Reader);
    KtestJoin(Writer);
    KTEST_CHECK(Ready);
    KTEST_CHECK(Claimed && KeptOut && StillHeld);
    KTEST_CHECK(!Early && Entered);
    KTEST_CHECK(RwLock == 0);
    return NULL;
}

/* Of four rounds all write one, and read the others. */
static VOID ReadsAndWrites(PVOID Context)
{
    StayOn(Context);
    InterlockedIncrement(&Trying);
    for (ULONG i = 0; i < ROUNDS; i++) {
        if (i % 4 == 0) {
            KIRQL Irql = ExAcquireSpinLockExclusive(&RwLock);
            CountOnce(i);
            Broken |= Readers != 0;
            ExReleaseSpinLockExclusive(&RwLock, Irql);
        } else {
            KIRQL Irql = ExAcquireSpinLockShared(&RwLock);
            InterlockedIncrement(&Readers);
            Broken |= Inside != 0;
            InterlockedDecrement(&Readers);
            ExReleaseSpinLockShared(&RwLock, Irql);
        }
    }
}

static PCSTR TestRwCrowd(VOID)
{
    RwLock = 0;
    Readers = 0;
    PCSTR Why = TestCrowd(ReadsAndWrites, ROUNDS / 4);
    KTEST_CHECK(RwLock == 0);
    return Why;
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    if (KeQueryActiveProcessorCount(NULL) == 1) {
        KtestRun("irql.mask", TestMask);
        KtestRun("irql.pending", TestPending);
        KtestRun("irql.nested", TestNested);
        KtestRun("irql.preempts", TestPreempts);
        KtestRun("irql.apc", TestApc);
        KtestMustBugCheck("irql.raise-down", RaisesDown);
        KtestMustBugCheck("irql.lower-up", LowersUp);
        KtestMustBugCheck("queue.twice", QueuesTwice);
    } else {
        KtestRun("spin.waits", TestPlainWaits);
        KtestRun("spin.crowd", TestPlainCrowd);
        KtestRun("queue.order", TestQueueOrder);
        KtestRun("queue.crowd", TestQueueCrowd);
        KtestRun("rw.readers", TestReaders);
        KtestRun("rw.writer-first", TestWriterFirst);
        KtestRun("rw.crowd", TestRwCrowd);
    }
    return STATUS_SUCCESS;
}
