/* SPDX-License-Identifier: MIT */
/*
 * Every kind of spin lock that drivers have, and the IRQL routines: what each promises when nobody else wants
 * the lock, then counters under contention on all processors, then readers beside readers and never beside a
 * writer. What must end in a bug check stands in tests/kernel/spinbugs.
 */
#include "../ktest.h"

static KSPIN_LOCK Lock;
static EX_SPIN_LOCK RwLock;
static volatile ULONG Counter; /* guarded by the lock under test; the read and the write are apart on purpose */
static volatile LONG Readers, Writers, Broken, Stop;

static VOID CountOnce(VOID)
{
    ULONG Value = Counter;
    for (volatile int i = 0; i < 3; i++) {
    }
    Counter = Value + 1;
}

/* ---- IRQL ---- */

/* Raising to the level that is current, and to each level above, and back to each saved one. */
static PCSTR TestLevels(VOID)
{
    KIRQL Old[HIGH_LEVEL + 1], Same;
    for (KIRQL Irql = PASSIVE_LEVEL; Irql <= HIGH_LEVEL; Irql++) {
        KeRaiseIrql(Irql, &Old[Irql]);
        KeRaiseIrql(Irql, &Same);
        BOOLEAN Right = KeGetCurrentIrql() == Irql && Same == Irql;
        KeLowerIrql(Same);
        Right = Right && KeGetCurrentIrql() == Irql && Old[Irql] == (Irql == 0 ? 0 : Irql - 1);
        if (!Right) {
            KeLowerIrql(PASSIVE_LEVEL);
            return "a level is not the one that was asked for";
        }
    }
    for (KIRQL Irql = HIGH_LEVEL + 1; Irql-- > 0;) {
        KeLowerIrql(Old[Irql]);
        if (KeGetCurrentIrql() != Old[Irql]) {
            KeLowerIrql(PASSIVE_LEVEL);
            return "a level is not the saved one";
        }
    }
    KTEST_CHECK(KeGetCurrentIrql() == PASSIVE_LEVEL);
    return NULL;
}

static ULONG64 ReadCr8(VOID)
{
    ULONG64 Value;
    __asm__ volatile("movq %%cr8, %0" : "=r"(Value) : : "memory");
    return Value;
}

/* The numbers of the levels; those of devices and above, but for the highest, are what the processor
   masks. */
static PCSTR TestLevelValues(VOID)
{
    KTEST_CHECK(PASSIVE_LEVEL == 0 && LOW_LEVEL == 0 && APC_LEVEL == 1 && DISPATCH_LEVEL == 2 && CMCI_LEVEL == 5);
    KTEST_CHECK(SYNCH_LEVEL == 12 && CLOCK_LEVEL == 13 && IPI_LEVEL == 14 && DRS_LEVEL == 14 && POWER_LEVEL == 14);
    KTEST_CHECK(HIGH_LEVEL == 15 && PROFILE_LEVEL == 15);
    for (KIRQL Irql = DISPATCH_LEVEL + 1; Irql < HIGH_LEVEL; Irql++) {
        KIRQL Old;
        KeRaiseIrql(Irql, &Old);
        ULONG64 Mask = ReadCr8();
        KeLowerIrql(Old);
        KTEST_CHECK(Mask == Irql && ReadCr8() == 0);
    }
    return NULL;
}

static PCSTR TestRaiseRoutines(VOID)
{
    KIRQL First = KeRaiseIrqlToDpcLevel(), Second = KeRaiseIrqlToDpcLevel(), Third = KeRaiseIrqlToSynchLevel();
    KIRQL Fourth = KeRaiseIrqlToSynchLevel(), Top = KeGetCurrentIrql();
    KeLowerIrql(First);
    KTEST_CHECK(First == PASSIVE_LEVEL && Second == DISPATCH_LEVEL && Third == DISPATCH_LEVEL);
    KTEST_CHECK(Fourth == SYNCH_LEVEL && Top == SYNCH_LEVEL && KeGetCurrentIrql() == PASSIVE_LEVEL);
    return NULL;
}

static VOID NoteDpc(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    *(volatile KIRQL *)Context = KeGetCurrentIrql();
}

/* Whatever the level was, what waited for a lower one runs before the lowering returns; lowering to APC_LEVEL
   is enough. */
static PCSTR TestPending(VOID)
{
    static const KIRQL From[] = {DISPATCH_LEVEL, 3, SYNCH_LEVEL, CLOCK_LEVEL, IPI_LEVEL, HIGH_LEVEL};
    for (ULONG i = 0; i < ARRAYSIZE(From); i++) {
        KDPC Dpc;
        KIRQL Old;
        volatile KIRQL Ran = 0xff;
        KeInitializeDpc(&Dpc, NoteDpc, (PVOID)&Ran);
        KeRaiseIrql(From[i], &Old);
        KeInsertQueueDpc(&Dpc, NULL, NULL);
        KIRQL Early = Ran;
        if (From[i] > DISPATCH_LEVEL) {
            KeLowerIrql(DISPATCH_LEVEL);
            Early &= Ran;
        }
        KeLowerIrql(APC_LEVEL);
        KIRQL Then = Ran;
        KeLowerIrql(Old);
        KTEST_CHECK(Early == 0xff);
        KTEST_CHECK(Then == DISPATCH_LEVEL);
    }
    return NULL;
}

/* ---- What each kind promises, alone ---- */

static PCSTR TestPlain(VOID)
{
    KIRQL Irql = 0xff;
    KeInitializeSpinLock(&Lock);
    KTEST_CHECK(Lock == 0 && KeTestSpinLock(&Lock) && sizeof(Lock) == sizeof(PVOID));
    BOOLEAN Apcs = KeAreApcsDisabled();
    KeAcquireSpinLock(&Lock, &Irql);
    BOOLEAN Right = KeGetCurrentIrql() == DISPATCH_LEVEL && !KeTestSpinLock(&Lock) && KeAreApcsDisabled() == Apcs;
    KSPIN_LOCK Word = Lock;
    KeReleaseSpinLock(&Lock, Irql);
    KTEST_CHECK(Right && Irql == PASSIVE_LEVEL && KeGetCurrentIrql() == PASSIVE_LEVEL && Lock == 0);
    KTEST_CHECK(Word == (DBG ? (KSPIN_LOCK)KeGetCurrentThread() + 1 : 1));
    KTEST_CHECK(KeAcquireSpinLockRaiseToDpc(&Lock) == PASSIVE_LEVEL);
    KeReleaseSpinLock(&Lock, PASSIVE_LEVEL);
    return NULL;
}

/* Held at a level that the caller chose: neither routine changes it. */
static PCSTR TestAtDpcLevel(VOID)
{
    static const KIRQL Levels[] = {DISPATCH_LEVEL, SYNCH_LEVEL, HIGH_LEVEL};
    KLOCK_QUEUE_HANDLE Handle;
    BOOLEAN Right = TRUE;
    for (ULONG i = 0; i < ARRAYSIZE(Levels); i++) {
        KIRQL Old;
        KeRaiseIrql(Levels[i], &Old);
        KeAcquireSpinLockAtDpcLevel(&Lock);
        Right &= KeGetCurrentIrql() == Levels[i];
        KeReleaseSpinLockFromDpcLevel(&Lock);
        Right &= KeGetCurrentIrql() == Levels[i];
        KeAcquireInStackQueuedSpinLockAtDpcLevel(&Lock, &Handle);
        Right &= KeGetCurrentIrql() == Levels[i] && Lock == (KSPIN_LOCK)&Handle.LockQueue;
        KeReleaseInStackQueuedSpinLockFromDpcLevel(&Handle);
        Right &= KeGetCurrentIrql() == Levels[i] && Lock == 0;
        KeLowerIrql(Old);
    }
    KTEST_CHECK(Right);
    return NULL;
}

static PCSTR TestTry(VOID)
{
    KIRQL Irql = KeRaiseIrqlToDpcLevel();
    BOOLEAN Taken = KeTryToAcquireSpinLockAtDpcLevel(&Lock), Held = !KeTestSpinLock(&Lock);
    if (Taken) {
        KeReleaseSpinLockFromDpcLevel(&Lock);
    }
    KeLowerIrql(Irql);
    KTEST_CHECK(Taken && Held && KeTestSpinLock(&Lock));
    return NULL;
}

static PCSTR TestQueued(VOID)
{
    KLOCK_QUEUE_HANDLE Handle;
    KeInitializeSpinLock(&Lock);
    KeAcquireInStackQueuedSpinLock(&Lock, &Handle);
    BOOLEAN Right = Lock == (KSPIN_LOCK)&Handle.LockQueue && (ULONG_PTR)Handle.LockQueue.Lock == ((ULONG_PTR)&Lock | 2) &&
                    KeGetCurrentIrql() == DISPATCH_LEVEL && Handle.OldIrql == PASSIVE_LEVEL;
    KeReleaseInStackQueuedSpinLock(&Handle);
    KTEST_CHECK(Right && Lock == 0 && Handle.LockQueue.Lock == &Lock && KeGetCurrentIrql() == PASSIVE_LEVEL);
    return NULL;
}

typedef struct _FOR_DPC {
    KEVENT Done;
    KIRQL Level;   /* in the DPC */
    BOOLEAN Right;
} FOR_DPC, *PFOR_DPC;

static VOID ForDpc(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    PFOR_DPC Note = Context;
    KLOCK_QUEUE_HANDLE Handle;
    Note->Level = KeGetCurrentIrql();
    KIRQL Old = KeAcquireSpinLockForDpc(&Lock);
    Note->Right = Old == Note->Level && KeGetCurrentIrql() == DISPATCH_LEVEL && !KeTestSpinLock(&Lock);
    KeReleaseSpinLockForDpc(&Lock, Old);
    Note->Right &= KeGetCurrentIrql() == Note->Level;
    KeAcquireInStackQueuedSpinLockForDpc(&Lock, &Handle);
    Note->Right &= KeGetCurrentIrql() == DISPATCH_LEVEL;
    KeReleaseInStackQueuedSpinLockForDpc(&Handle);
    Note->Right &= KeGetCurrentIrql() == Note->Level;
    KeSetEvent(&Note->Done, IO_NO_INCREMENT, FALSE);
}

/* An ordinary DPC is at DISPATCH_LEVEL and stays there; a threaded one is raised, and comes back. */
static PCSTR TestForDpc(VOID)
{
    for (ULONG Threaded = 0; Threaded < 2; Threaded++) {
        FOR_DPC Note = {.Level = 0xff};
        KDPC Dpc;
        KeInitializeEvent(&Note.Done, NotificationEvent, FALSE);
        (Threaded ? KeInitializeThreadedDpc : KeInitializeDpc)(&Dpc, ForDpc, &Note);
        KeInsertQueueDpc(&Dpc, NULL, NULL);
        KeWaitForSingleObject(&Note.Done, Executive, KernelMode, FALSE, NULL);
        KeFlushQueuedDpcs();
        KTEST_CHECK(Note.Right && Note.Level == (Threaded ? PASSIVE_LEVEL : DISPATCH_LEVEL));
    }
    return NULL;
}

static PCSTR TestRwAlone(VOID)
{
    RwLock = 0;
    KTEST_CHECK(sizeof(EX_SPIN_LOCK) == 4);
    KIRQL Old = ExAcquireSpinLockExclusive(&RwLock);
    BOOLEAN Right = Old == PASSIVE_LEVEL && KeGetCurrentIrql() == DISPATCH_LEVEL && RwLock != 0;
    ExReleaseSpinLockExclusive(&RwLock, Old);
    KTEST_CHECK(Right && RwLock == 0 && KeGetCurrentIrql() == PASSIVE_LEVEL);
    Old = ExAcquireSpinLockShared(&RwLock);
    Right = Old == PASSIVE_LEVEL && KeGetCurrentIrql() == DISPATCH_LEVEL && RwLock != 0;
    ExReleaseSpinLockShared(&RwLock, Old);
    KTEST_CHECK(Right && RwLock == 0 && KeGetCurrentIrql() == PASSIVE_LEVEL);

    Old = KeRaiseIrqlToDpcLevel();
    ExAcquireSpinLockExclusiveAtDpcLevel(&RwLock);
    ExReleaseSpinLockExclusiveFromDpcLevel(&RwLock);
    ExAcquireSpinLockSharedAtDpcLevel(&RwLock);
    ExReleaseSpinLockSharedFromDpcLevel(&RwLock);
    Right = KeGetCurrentIrql() == DISPATCH_LEVEL && RwLock == 0;
    Right &= ExTryAcquireSpinLockExclusiveAtDpcLevel(&RwLock) && RwLock != 0;
    ExReleaseSpinLockExclusiveFromDpcLevel(&RwLock);
    Right &= ExTryAcquireSpinLockSharedAtDpcLevel(&RwLock) && RwLock != 0;
    ExReleaseSpinLockSharedFromDpcLevel(&RwLock);
    KeLowerIrql(Old);
    KTEST_CHECK(Right && RwLock == 0);
    return NULL;
}

/* The only reader converts, and releases as a writer, to the level of the shared acquisition. */
static PCSTR TestConvertAlone(VOID)
{
    KIRQL Old = ExAcquireSpinLockShared(&RwLock);
    LOGICAL Converted = ExTryConvertSharedSpinLockExclusive(&RwLock);
    if (Converted) {
        ExReleaseSpinLockExclusive(&RwLock, Old);
    } else {
        ExReleaseSpinLockShared(&RwLock, Old);
    }
    KTEST_CHECK(Converted && RwLock == 0 && KeGetCurrentIrql() == PASSIVE_LEVEL);
    return NULL;
}

/* ---- Two processors: one holds, the other tries ---- */

enum { HoldPlain, HoldShared, HoldExclusive };
static volatile LONG Held, LetGo;

static VOID Holder(PVOID Context)
{
    KIRQL Irql = KeRaiseIrqlToDpcLevel();
    switch ((ULONG_PTR)Context) {
    case HoldPlain:
        KeAcquireSpinLockAtDpcLevel(&Lock);
        break;
    case HoldShared:
        ExAcquireSpinLockSharedAtDpcLevel(&RwLock);
        break;
    default:
        ExAcquireSpinLockExclusiveAtDpcLevel(&RwLock);
        break;
    }
    Held = 1;
    while (!LetGo) {
        YieldProcessor();
    }
    switch ((ULONG_PTR)Context) {
    case HoldPlain:
        KeReleaseSpinLockFromDpcLevel(&Lock);
        break;
    case HoldShared:
        ExReleaseSpinLockSharedFromDpcLevel(&RwLock);
        break;
    default:
        ExReleaseSpinLockExclusiveFromDpcLevel(&RwLock);
        break;
    }
    KeLowerIrql(Irql);
}

static PETHREAD StartHolder(ULONG Kind)
{
    Held = LetGo = 0;
    PETHREAD Thread = KtestStart(Holder, (PVOID)(ULONG_PTR)Kind);
    while (Thread != NULL && !Held) {
        YieldProcessor();
    }
    return Thread;
}

static VOID EndHolder(PETHREAD Thread)
{
    LetGo = 1;
    KtestJoin(Thread);
}

static PCSTR TestTryHeld(VOID)
{
    PETHREAD Thread = StartHolder(HoldPlain);
    KTEST_CHECK(Thread != NULL);
    KIRQL Irql = KeRaiseIrqlToDpcLevel();
    BOOLEAN Taken = KeTryToAcquireSpinLockAtDpcLevel(&Lock), Free = KeTestSpinLock(&Lock);
    KeLowerIrql(Irql);
    EndHolder(Thread);
    KTEST_CHECK(!Taken && !Free && KeTestSpinLock(&Lock));
    return NULL;
}

/* Beside a reader: another reader yes, a writer no, and no conversion while there are two. */
static PCSTR TestBesideReader(VOID)
{
    PETHREAD Thread = StartHolder(HoldShared);
    KTEST_CHECK(Thread != NULL);
    KIRQL Irql = KeRaiseIrqlToDpcLevel();
    BOOLEAN Exclusive = ExTryAcquireSpinLockExclusiveAtDpcLevel(&RwLock);
    BOOLEAN Shared = ExTryAcquireSpinLockSharedAtDpcLevel(&RwLock);
    LOGICAL Converted = ExTryConvertSharedSpinLockExclusive(&RwLock);
    ExReleaseSpinLockSharedFromDpcLevel(&RwLock); /* it has stayed a reader */
    KeLowerIrql(Irql);
    EndHolder(Thread);
    KTEST_CHECK(!Exclusive && Shared && !Converted && RwLock == 0);
    return NULL;
}

static PCSTR TestBesideWriter(VOID)
{
    PETHREAD Thread = StartHolder(HoldExclusive);
    KTEST_CHECK(Thread != NULL);
    KIRQL Irql = KeRaiseIrqlToDpcLevel();
    BOOLEAN Exclusive = ExTryAcquireSpinLockExclusiveAtDpcLevel(&RwLock);
    BOOLEAN Shared = ExTryAcquireSpinLockSharedAtDpcLevel(&RwLock);
    KeLowerIrql(Irql);
    EndHolder(Thread);
    KTEST_CHECK(!Exclusive && !Shared && RwLock == 0);
    return NULL;
}

static volatile LONG WriterDone;

static VOID WaitingWriter(PVOID Context)
{
    KIRQL Irql = ExAcquireSpinLockExclusive(&RwLock);
    WriterDone = 1;
    ExReleaseSpinLockExclusive(&RwLock, Irql);
}

/* A writer that waits for a reader keeps new readers out and the old one from converting, and gets the
   lock. */
static PCSTR TestWriterWaits(VOID)
{
    WriterDone = 0;
    PETHREAD Reader = StartHolder(HoldShared);
    KTEST_CHECK(Reader != NULL);
    LONG Before = RwLock;
    PETHREAD Writer = KtestStart(WaitingWriter, NULL);
    while (Writer != NULL && RwLock == Before) {
        YieldProcessor(); /* until the writer has claimed it */
    }
    KIRQL Irql = KeRaiseIrqlToDpcLevel();
    BOOLEAN Late = ExTryAcquireSpinLockSharedAtDpcLevel(&RwLock);
    KeLowerIrql(Irql);
    BOOLEAN Early = WriterDone != 0;
    EndHolder(Reader);
    KTEST_CHECK(Writer != NULL);
    KtestJoin(Writer);
    KTEST_CHECK(!Late && !Early && WriterDone && RwLock == 0);
    return NULL;
}

/* ---- All processors ---- */

#define THREADS  8
#define ROUNDS   2000

static VOID PlainThread(PVOID Context)
{
    for (ULONG i = 0; i < ROUNDS; i++) {
        KIRQL Irql = KeAcquireSpinLockRaiseToDpc(&Lock);
        CountOnce();
        KeReleaseSpinLock(&Lock, Irql);
    }
}

static VOID ReadOnce(VOID)
{
    InterlockedIncrement(&Readers);
    Broken |= Writers != 0;
    for (volatile int i = 0; i < 30; i++) {
    }
    InterlockedDecrement(&Readers);
}

static VOID WriteOnce(VOID)
{
    Broken |= InterlockedIncrement(&Writers) != 1 || Readers != 0;
    CountOnce();
    InterlockedDecrement(&Writers);
}

/* Of four rounds two read, one writes, one reads and tries to go on to write. */
static VOID RwThread(PVOID Context)
{
    ULONG Written = 0;
    for (ULONG i = (ULONG)(ULONG_PTR)Context; i < ROUNDS + (ULONG_PTR)Context; i++) {
        if (i % 4 == 0) {
            KIRQL Irql = ExAcquireSpinLockExclusive(&RwLock);
            WriteOnce();
            Written++;
            ExReleaseSpinLockExclusive(&RwLock, Irql);
            continue;
        }
        KIRQL Irql = ExAcquireSpinLockShared(&RwLock);
        ReadOnce();
        if (i % 4 == 1 && ExTryConvertSharedSpinLockExclusive(&RwLock)) {
            WriteOnce();
            Written++;
            ExReleaseSpinLockExclusive(&RwLock, Irql);
        } else {
            ExReleaseSpinLockShared(&RwLock, Irql);
        }
    }
    InterlockedExchangeAdd(&Stop, (LONG)Written);
}

static PCSTR TestCrowdPlain(VOID)
{
    Counter = 0;
    KTEST_CHECK(KtestCrowd(THREADS, PlainThread));
    KTEST_CHECK(Counter == THREADS * ROUNDS);
    return NULL;
}

static PCSTR TestCrowdRw(VOID)
{
    Counter = 0;
    Readers = Writers = Broken = Stop = 0;
    KTEST_CHECK(KtestCrowd(THREADS, RwThread));
    KTEST_CHECK(!Broken && Counter == (ULONG)Stop && Counter >= THREADS * (ROUNDS / 4) && RwLock == 0);
    return NULL;
}

/* Writers are not kept out by readers that come and go without end. */
static VOID EndlessReader(PVOID Context)
{
    while (!Stop) {
        KIRQL Irql = ExAcquireSpinLockShared(&RwLock);
        ReadOnce();
        ExReleaseSpinLockShared(&RwLock, Irql);
    }
}

static PCSTR TestWriterGetsIn(VOID)
{
    PETHREAD Threads[4];
    Stop = Broken = 0;
    for (ULONG i = 0; i < ARRAYSIZE(Threads); i++) {
        Threads[i] = KtestStart(EndlessReader, NULL);
        KTEST_CHECK(Threads[i] != NULL);
    }
    for (ULONG i = 0; i < 200; i++) {
        KIRQL Irql = ExAcquireSpinLockExclusive(&RwLock);
        WriteOnce();
        ExReleaseSpinLockExclusive(&RwLock, Irql);
    }
    Stop = 1;
    for (ULONG i = 0; i < ARRAYSIZE(Threads); i++) {
        KtestJoin(Threads[i]);
    }
    KTEST_CHECK(!Broken);
    return NULL;
}

/* Who queues first is served first: the holder lets one processor after the other join the queue before it
   releases. The lock's word shows that one has joined. */
static volatile LONG Joined, Served, OutOfOrder;

static VOID QueueThread(PVOID Context)
{
    KLOCK_QUEUE_HANDLE Handle;
    KIRQL Irql = KeRaiseIrqlToDpcLevel();
    while (Joined != (LONG)(ULONG_PTR)Context) {
        YieldProcessor();
    }
    KSPIN_LOCK Before = Lock;
    KeAcquireInStackQueuedSpinLockAtDpcLevel(&Lock, &Handle);
    OutOfOrder |= Served != (LONG)(ULONG_PTR)Context || Before == 0;
    InterlockedIncrement(&Served);
    KeReleaseInStackQueuedSpinLockFromDpcLevel(&Handle);
    KeLowerIrql(Irql);
}

static PCSTR TestQueueOrder(VOID)
{
    ULONG Others = KeQueryActiveProcessorCount(NULL) - 1;
    PETHREAD Threads[8];
    if (Others > ARRAYSIZE(Threads)) {
        Others = ARRAYSIZE(Threads);
    }
    for (ULONG Round = 0; Round < 5; Round++) {
        KLOCK_QUEUE_HANDLE Handle;
        Joined = -1;
        Served = OutOfOrder = 0;
        for (ULONG i = 0; i < Others; i++) {
            Threads[i] = KtestStart(QueueThread, (PVOID)(ULONG_PTR)i);
            KTEST_CHECK(Threads[i] != NULL);
        }
        KeAcquireInStackQueuedSpinLock(&Lock, &Handle);
        for (ULONG i = 0; i < Others; i++) {
            KSPIN_LOCK Last = Lock;
            Joined = (LONG)i;
            while (*(volatile KSPIN_LOCK *)&Lock == Last) {
                YieldProcessor(); /* until it stands in the queue */
            }
        }
        KeReleaseInStackQueuedSpinLock(&Handle);
        for (ULONG i = 0; i < Others; i++) {
            KtestJoin(Threads[i]);
        }
        KTEST_CHECK(!OutOfOrder && Served == (LONG)Others && Lock == 0);
    }
    return NULL;
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    DbgPrint("spinlocks: %u processors\n", KeQueryActiveProcessorCount(NULL));
    KtestRun("spinlocks.levels", TestLevels);
    KtestRun("spinlocks.level-values", TestLevelValues);
    KtestRun("spinlocks.raise-to-dpc-and-synch-level", TestRaiseRoutines);
    KtestRun("spinlocks.lowering-runs-what-is-pending", TestPending);
    KtestRun("spinlocks.plain-word-and-level", TestPlain);
    KtestRun("spinlocks.at-dpc-level-keeps-the-level", TestAtDpcLevel);
    KtestRun("spinlocks.try", TestTry);
    KtestRun("spinlocks.queued-word-handle-and-level", TestQueued);
    KtestRun("spinlocks.for-dpc-keeps-the-level", TestForDpc);
    KtestRun("spinlocks.rw-word-and-level", TestRwAlone);
    KtestRun("spinlocks.rw-convert-of-the-only-reader", TestConvertAlone);
    KtestRun("spinlocks.crowd-plain", TestCrowdPlain);
    KtestRun("spinlocks.crowd-rw", TestCrowdRw);
    KtestRun("spinlocks.rw-writer-gets-in", TestWriterGetsIn);
    if (KeQueryActiveProcessorCount(NULL) > 1) {
        KtestRun("spinlocks.try-of-a-held-one", TestTryHeld);
        KtestRun("spinlocks.rw-beside-a-reader", TestBesideReader);
        KtestRun("spinlocks.rw-beside-a-writer", TestBesideWriter);
        KtestRun("spinlocks.queue-in-order", TestQueueOrder);
    }
    if (KeQueryActiveProcessorCount(NULL) > 2) {
        KtestRun("spinlocks.rw-writer-waits", TestWriterWaits);
    }
    return STATUS_SUCCESS;
}
