/* SPDX-License-Identifier: MIT */
/*
 * KQUEUE: order, concurrency limit, waiters, run-down. Workers are threads that take entries of one queue
 * until they get a status in place of an entry.
 */
#include "../ktest.h"

#define IS_STATUS(Entry, Status) ((LONG_PTR)(Entry) == (LONG_PTR)(Status))

typedef struct _ITEM {
    LIST_ENTRY Links;
    ULONG Number;
} ITEM;

static KQUEUE Queue, Other;
static ITEM Items[64];
static LARGE_INTEGER Zero;

static ITEM *ItemOf(PLIST_ENTRY Entry)
{
    return CONTAINING_RECORD(Entry, ITEM, Links);
}

static VOID Start(ULONG Limit)
{
    KeInitializeQueue(&Queue, Limit);
    for (ULONG i = 0; i < ARRAYSIZE(Items); i++) {
        Items[i].Number = i;
    }
}

static BOOLEAN Await(volatile LONG *Counter, LONG Value)
{
    for (ULONG i = 0; *Counter < Value && i < 10000; i++) {
        KtestSleep(1);
    }
    return *Counter >= Value;
}

/* ---- One thread ---- */

static PCSTR TestOrder(VOID)
{
    Start(1);
    KTEST_CHECK(KeReadStateQueue(&Queue) == 0);
    KTEST_CHECK(KeInsertQueue(&Queue, &Items[1].Links) == 0); /* how many there were before */
    KTEST_CHECK(KeInsertQueue(&Queue, &Items[2].Links) == 1);
    KTEST_CHECK(KeInsertHeadQueue(&Queue, &Items[0].Links) == 2);
    KTEST_CHECK(KeReadStateQueue(&Queue) == 3);
    for (ULONG i = 0; i < 3; i++) {
        PLIST_ENTRY Entry = KeRemoveQueue(&Queue, KernelMode, NULL);
        KTEST_CHECK(ItemOf(Entry)->Number == i && Queue.CurrentCount == 1);
    }
    KTEST_CHECK(KeReadStateQueue(&Queue) == 0);
    KTEST_CHECK(KeRundownQueue(&Queue) == NULL);
    return NULL;
}

static PCSTR TestTimeout(VOID)
{
    LARGE_INTEGER Limit = KtestMs(20);
    KIRQL Irql;
    Start(1);
    KTEST_CHECK(IS_STATUS(KeRemoveQueue(&Queue, KernelMode, &Zero), STATUS_TIMEOUT));
    KeRaiseIrql(DISPATCH_LEVEL, &Irql);
    PLIST_ENTRY Entry = KeRemoveQueue(&Queue, KernelMode, &Zero);
    KeLowerIrql(Irql);
    KTEST_CHECK(IS_STATUS(Entry, STATUS_TIMEOUT));
    ULONGLONG Before = KeQueryInterruptTime();
    KTEST_CHECK(IS_STATUS(KeRemoveQueue(&Queue, KernelMode, &Limit), STATUS_TIMEOUT));
    KTEST_CHECK(KeQueryInterruptTime() - Before >= 200000);
    KTEST_CHECK(Queue.CurrentCount == 1 && IsListEmpty(&Queue.Header.WaitListHead)); /* not waiting: active */
    KeRundownQueue(&Queue);
    return NULL;
}

static PCSTR TestLimitOfProcessors(VOID)
{
    Start(0);
    KTEST_CHECK(Queue.MaximumCount == KeQueryActiveProcessorCount(NULL));
    KTEST_CHECK(Queue.Header.Type == 4);
    return NULL;
}

/* ---- Waiters ---- */

static volatile LONG Waiting, Ended, Got[4];
static KEVENT Go;

static VOID TakeOne(PVOID Number)
{
    InterlockedIncrement(&Waiting);
    PLIST_ENTRY Entry = KeRemoveQueue(&Queue, KernelMode, NULL);
    Got[(ULONG_PTR)Number] = IS_STATUS(Entry, STATUS_ABANDONED) ? -1 : (LONG)ItemOf(Entry)->Number;
    InterlockedIncrement(&Ended);
}

/* Waits until Count threads stand in the queue's list. */
static BOOLEAN AwaitWaiters(ULONG Count)
{
    for (ULONG i = 0; i < 10000; i++) {
        ULONG Found = 0;
        for (PLIST_ENTRY Entry = Queue.Header.WaitListHead.Flink; Entry != &Queue.Header.WaitListHead; Entry = Entry->Flink) {
            Found++;
        }
        if (Found == Count) {
            return TRUE;
        }
        KtestSleep(1);
    }
    return FALSE;
}

/* Who waits shortest gets the next entry. */
static PCSTR TestLastWaiterFirst(VOID)
{
    PETHREAD Thread[4];
    Start(4);
    Waiting = Ended = 0;
    for (ULONG_PTR i = 0; i < 4; i++) {
        Thread[i] = KtestStart(TakeOne, (PVOID)i);
        KTEST_CHECK(AwaitWaiters((ULONG)i + 1));
    }
    for (ULONG i = 0; i < 4; i++) {
        KTEST_CHECK(KeInsertQueue(&Queue, &Items[i].Links) == 0); /* goes to a waiter at once */
    }
    for (ULONG i = 0; i < 4; i++) {
        KtestJoin(Thread[i]);
    }
    for (ULONG i = 0; i < 4; i++) {
        KTEST_CHECK(Got[i] == 3 - (LONG)i);
    }
    KTEST_CHECK(Queue.CurrentCount == 0 && IsListEmpty(&Queue.ThreadListHead)); /* a thread that ends leaves its queue */
    return NULL;
}

static KDPC InsertDpc;

static VOID InsertFromDpc(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    KeInsertQueue(&Queue, &Items[7].Links);
}

static PCSTR TestInsertFromDpc(VOID)
{
    Start(1);
    Ended = 0;
    PETHREAD Thread = KtestStart(TakeOne, 0);
    KTEST_CHECK(AwaitWaiters(1));
    KeInitializeDpc(&InsertDpc, InsertFromDpc, NULL);
    KeInsertQueueDpc(&InsertDpc, NULL, NULL);
    KtestJoin(Thread);
    KTEST_CHECK(Got[0] == 7);
    return NULL;
}

/* ---- The concurrency limit ---- */

static volatile LONG Active, MostActive, Done;

static VOID NoteActive(VOID)
{
    LONG Now = InterlockedIncrement(&Active);
    LONG Most;
    while (Now > (Most = MostActive) && InterlockedCompareExchange(&MostActive, Now, Most) != Most) {
    }
}

static VOID WorkWithoutBlocking(PVOID Context)
{
    PLIST_ENTRY Entry;
    while (!IS_STATUS(Entry = KeRemoveQueue(&Queue, KernelMode, NULL), STATUS_ABANDONED)) {
        NoteActive();
        KeStallExecutionProcessor(200);
        InterlockedDecrement(&Active);
        InterlockedIncrement(&Done);
    }
}

/* Six threads, of which no more than the limit are ever active as long as none blocks. */
static PCSTR TestLimit(VOID)
{
    PETHREAD Thread[6];
    for (ULONG Limit = 1; Limit <= 2; Limit++) {
        Start(Limit);
        Active = MostActive = Done = 0;
        for (ULONG i = 0; i < 6; i++) {
            Thread[i] = KtestStart(WorkWithoutBlocking, NULL);
        }
        AwaitWaiters(6);
        for (ULONG i = 0; i < 64; i++) {
            KeInsertQueue(&Queue, &Items[i].Links);
        }
        BOOLEAN All = Await(&Done, 64);
        KeRundownQueue(&Queue);
        for (ULONG i = 0; i < 6; i++) {
            KtestJoin(Thread[i]);
        }
        KTEST_CHECK(All && MostActive <= (LONG)Limit);
        KTEST_CHECK(Limit == 1 || KeQueryActiveProcessorCount(NULL) == 1 || MostActive == 2);
    }
    return NULL;
}

static VOID WorkAndBlock(PVOID Context)
{
    PLIST_ENTRY Entry;
    while (!IS_STATUS(Entry = KeRemoveQueue(&Queue, KernelMode, NULL), STATUS_ABANDONED)) {
        NoteActive();
        KeWaitForSingleObject(&Go, Executive, KernelMode, FALSE, NULL);
        InterlockedDecrement(&Active);
        InterlockedIncrement(&Done);
    }
}

/* The limit is one; whoever blocks, in a wait that has nothing to do with the queue, lets the next one go.
   Afterwards all go on: too many for a while, and nobody gets an entry until the count has come down. */
static PCSTR TestBlockedLetsAnotherGo(VOID)
{
    PETHREAD Thread[3];
    Start(1);
    Active = MostActive = Done = 0;
    KeInitializeEvent(&Go, NotificationEvent, FALSE);
    for (ULONG i = 0; i < 3; i++) {
        Thread[i] = KtestStart(WorkAndBlock, NULL);
    }
    KTEST_CHECK(AwaitWaiters(3));
    for (ULONG i = 0; i < 4; i++) {
        KeInsertQueue(&Queue, &Items[i].Links);
    }
    KTEST_CHECK(Await(&Active, 3));
    KtestSleep(5);
    KTEST_CHECK(Queue.CurrentCount == 0 && KeReadStateQueue(&Queue) == 1); /* all blocked, and no thread left for the last */
    KeSetEvent(&Go, IO_NO_INCREMENT, FALSE);
    KTEST_CHECK(Await(&Done, 4));
    KTEST_CHECK(AwaitWaiters(3) && Queue.CurrentCount == 0);
    KeRundownQueue(&Queue);
    for (ULONG i = 0; i < 3; i++) {
        KtestJoin(Thread[i]);
    }
    return NULL;
}

static VOID TakeAndEnd(PVOID Context)
{
    KeRemoveQueue(&Queue, KernelMode, NULL);
    KeWaitForSingleObject(&Go, Executive, KernelMode, FALSE, NULL);
    InterlockedIncrement(&Active);
    while (Active < 2) { /* active, without blocking */
        YieldProcessor();
    }
}

static VOID TakeAndChange(PVOID Context)
{
    TakeAndEnd(Context);
    KeRemoveQueue(&Other, KernelMode, NULL);
}

/* An active thread that ends, or turns to another queue, makes room for one that waits. */
static PCSTR MakeRoom(PKSTART_ROUTINE Routine)
{
    Start(1);
    KeInitializeQueue(&Other, 1);
    KeInitializeEvent(&Go, NotificationEvent, TRUE);
    Active = Ended = 0;
    PETHREAD First = KtestStart(Routine, NULL);
    KTEST_CHECK(AwaitWaiters(1));
    KeInsertQueue(&Queue, &Items[0].Links);
    KTEST_CHECK(Await(&Active, 1));
    PETHREAD Second = KtestStart(TakeOne, 0);
    KTEST_CHECK(AwaitWaiters(1));
    KTEST_CHECK(KeInsertQueue(&Queue, &Items[1].Links) == 0);
    KtestSleep(20);
    LONG Early = Ended;
    LONG State = KeReadStateQueue(&Queue);
    Active = 2;
    BOOLEAN Came = Await(&Ended, 1);
    KtestJoin(Second);
    while (Routine == TakeAndChange && IsListEmpty(&Other.Header.WaitListHead)) {
        KtestSleep(1);
    }
    KeRundownQueue(&Other);
    KtestJoin(First);
    KTEST_CHECK(Early == 0 && State == 1 && Came && Got[0] == 1);
    return NULL;
}

static PCSTR TestEndMakesRoom(VOID)
{
    return MakeRoom(TakeAndEnd);
}

static PCSTR TestChangeMakesRoom(VOID)
{
    return MakeRoom(TakeAndChange);
}

/* ---- Run-down ---- */

static PCSTR TestRundown(VOID)
{
    PETHREAD Thread[3];
    Start(3);
    Ended = 0;
    for (ULONG_PTR i = 0; i < 3; i++) {
        Thread[i] = KtestStart(TakeOne, (PVOID)i);
    }
    KTEST_CHECK(AwaitWaiters(3));
    KTEST_CHECK(KeRundownQueue(&Queue) == NULL);
    for (ULONG i = 0; i < 3; i++) {
        KtestJoin(Thread[i]);
        KTEST_CHECK(Got[i] == -1); /* STATUS_ABANDONED */
    }
    /* Who comes late learns of the end too, and belongs to no queue. */
    KTEST_CHECK(IS_STATUS(KeRemoveQueue(&Queue, KernelMode, NULL), STATUS_ABANDONED));
    KTEST_CHECK(IS_STATUS(KeRemoveQueue(&Queue, KernelMode, &Zero), STATUS_ABANDONED));
    KTEST_CHECK(IsListEmpty(&Queue.ThreadListHead));
    Start(1);
    for (ULONG i = 0; i < 3; i++) {
        KeInsertQueue(&Queue, &Items[i].Links);
    }
    PLIST_ENTRY First = KeRundownQueue(&Queue); /* a circle without the head */
    KTEST_CHECK(First == &Items[0].Links && First->Flink == &Items[1].Links && First->Blink == &Items[2].Links);
    KTEST_CHECK(First->Flink->Flink->Flink == First);
    return NULL;
}

static PRKQUEUE volatile Passing;

/* Belongs to whatever queue stands there, blocking and going on all the time; the queue goes away
   meanwhile. */
static VOID BlockInPassing(PVOID Context)
{
    LARGE_INTEGER Shortly = {.QuadPart = -300};
    PRKQUEUE Mine = Passing;
    KeRemoveQueue(Mine, KernelMode, &Zero);
    InterlockedIncrement(&Waiting);
    for (ULONG i = 0; i < 30; i++) {
        KeDelayExecutionThread(KernelMode, FALSE, &Shortly);
    }
}

/* A queue is run down and freed while its threads block and go on. (Freed memory is poisoned in debug
   builds.) */
static PCSTR TestRundownAgainstBlocking(VOID)
{
    PETHREAD Thread[4];
    for (ULONG Round = 0; Round < 30; Round++) {
        Waiting = 0;
        Passing = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(KQUEUE), 'uQsT');
        KTEST_CHECK(Passing != NULL);
        KeInitializeQueue(Passing, 1);
        for (ULONG i = 0; i < 4; i++) {
            Thread[i] = KtestStart(BlockInPassing, NULL);
        }
        KTEST_CHECK(Await(&Waiting, 4));
        KeRundownQueue(Passing);
        ExFreePoolWithTag(Passing, 'uQsT');
        for (ULONG i = 0; i < 4; i++) {
            KtestJoin(Thread[i]);
        }
    }
    return NULL;
}

/* ---- All at once ---- */

#define PRODUCERS 4
#define CONSUMERS 6
#define EACH      500

static ITEM *Stock;
static volatile LONG Sum, Taken;

static VOID Produce(ULONG Number)
{
    for (ULONG i = 0; i < EACH; i++) {
        ITEM *Item = &Stock[Number * EACH + i];
        Item->Number = 1;
        (i % 3 ? KeInsertQueue : KeInsertHeadQueue)(&Queue, &Item->Links);
        if (i % 50 == 0) {
            KtestSleep(1);
        }
    }
}

static VOID Consume(ULONG Number)
{
    LARGE_INTEGER Shortly = {.QuadPart = -500};
    for (ULONG i = 0; Taken < PRODUCERS * EACH; i++) {
        PLIST_ENTRY Entry = KeRemoveQueue(&Queue, KernelMode, i % 4 ? &Shortly : &Zero);
        if (!IS_STATUS(Entry, STATUS_TIMEOUT)) {
            InterlockedExchangeAdd(&Sum, (LONG)InterlockedExchange((LONG *)&ItemOf(Entry)->Number, 0));
            InterlockedIncrement(&Taken);
        }
        if (i % 16 == 0) {
            KeDelayExecutionThread(KernelMode, FALSE, &Shortly);
        }
    }
}

static VOID ProduceOrConsume(PVOID Number)
{
    (ULONG_PTR)Number < PRODUCERS ? Produce((ULONG)(ULONG_PTR)Number) : Consume((ULONG)(ULONG_PTR)Number);
}

/* Every entry is taken once, though waits time out and threads block in between; in the end nobody is
   active. */
static PCSTR TestAllAtOnce(VOID)
{
    Start(2);
    Sum = Taken = 0;
    Stock = ExAllocatePoolWithTag(NonPagedPoolNx, PRODUCERS * EACH * sizeof(ITEM), 'uQsT');
    KTEST_CHECK(Stock != NULL);
    BOOLEAN Made = KtestCrowd(PRODUCERS + CONSUMERS, ProduceOrConsume);
    LONG State = KeReadStateQueue(&Queue);
    ULONG Count = Queue.CurrentCount;
    KeRundownQueue(&Queue);
    ExFreePoolWithTag(Stock, 'uQsT');
    KTEST_CHECK(Made && Sum == PRODUCERS * EACH && Taken == PRODUCERS * EACH);
    KTEST_CHECK(State == 0 && Count == 0);
    return NULL;
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    KtestRun("queues.order-and-previous-count", TestOrder);
    KtestRun("queues.timeout", TestTimeout);
    KtestRun("queues.limit-of-processors", TestLimitOfProcessors);
    KtestRun("queues.last-waiter-first", TestLastWaiterFirst);
    KtestRun("queues.insert-from-dpc", TestInsertFromDpc);
    KtestRun("queues.limit", TestLimit);
    KtestRun("queues.blocked-lets-another-go", TestBlockedLetsAnotherGo);
    KtestRun("queues.end-makes-room", TestEndMakesRoom);
    KtestRun("queues.change-makes-room", TestChangeMakesRoom);
    KtestRun("queues.rundown", TestRundown);
    KtestRun("queues.rundown-against-blocking", TestRundownAgainstBlocking);
    KtestRun("queues.all-at-once", TestAllAtOnce);
    return STATUS_SUCCESS;
}
