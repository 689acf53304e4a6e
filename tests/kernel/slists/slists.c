/* SPDX-License-Identifier: MIT */
/*
 * S-lists and interlocked lists: order, returned values, depth, and any IRQL; nothing lost under contention;
 * and pops that are overtaken while they look at an entry whose page is then unmapped.
 */
#include "../ktest.h"
#include <primertest.h>

#define TAG     'tsLS'
#define THREADS 8

typedef struct _ITEM {
    SLIST_ENTRY Entry;
    volatile LONG Owners; /* who has it popped: never more than one */
    ULONG Number;
} ITEM, *PITEM;

static SLIST_HEADER Head, Second;
static ITEM Items[64];

/* ---- Alone ---- */

static PCSTR TestOrder(VOID)
{
    InitializeSListHead(&Head);
    KTEST_CHECK(QueryDepthSList(&Head) == 0 && RtlFirstEntrySList(&Head) == NULL && FirstEntrySList(&Head) == NULL);
    KTEST_CHECK(InterlockedPopEntrySList(&Head) == NULL && InterlockedFlushSList(&Head) == NULL);
    KTEST_CHECK(InterlockedPushEntrySList(&Head, &Items[0].Entry) == NULL);
    KTEST_CHECK(InterlockedPushEntrySList(&Head, &Items[1].Entry) == &Items[0].Entry);
    KTEST_CHECK(InterlockedPushEntrySList(&Head, &Items[2].Entry) == &Items[1].Entry);
    KTEST_CHECK(QueryDepthSList(&Head) == 3 && RtlFirstEntrySList(&Head) == &Items[2].Entry);
    KTEST_CHECK(InterlockedPopEntrySList(&Head) == &Items[2].Entry && QueryDepthSList(&Head) == 2);
    KTEST_CHECK(InterlockedPopEntrySList(&Head) == &Items[1].Entry && QueryDepthSList(&Head) == 1);
    KTEST_CHECK(InterlockedPopEntrySList(&Head) == &Items[0].Entry && QueryDepthSList(&Head) == 0);
    KTEST_CHECK(InterlockedPopEntrySList(&Head) == NULL && QueryDepthSList(&Head) == 0);
    return NULL;
}

static PCSTR TestExForms(VOID)
{
    KSPIN_LOCK Lock = 0;
    ExInitializeSListHead(&Head);
    KTEST_CHECK(ExInterlockedPushEntrySList(&Head, &Items[0].Entry, &Lock) == NULL);
    KTEST_CHECK(ExInterlockedPushEntrySList(&Head, &Items[1].Entry, &Lock) == &Items[0].Entry);
    KTEST_CHECK(ExQueryDepthSList(&Head) == 2);
    KTEST_CHECK(ExInterlockedPopEntrySList(&Head, &Lock) == &Items[1].Entry && ExQueryDepthSList(&Head) == 1);
    KTEST_CHECK(ExInterlockedFlushSList(&Head) == &Items[0].Entry && Items[0].Entry.Next == NULL);
    KTEST_CHECK(ExQueryDepthSList(&Head) == 0 && Lock == 0);
    return NULL;
}

static PCSTR TestFlush(VOID)
{
    InitializeSListHead(&Head);
    for (ULONG i = 0; i < 5; i++) {
        InterlockedPushEntrySList(&Head, &Items[i].Entry);
    }
    PSLIST_ENTRY Entry = InterlockedFlushSList(&Head);
    for (ULONG i = 5; i-- > 0; Entry = Entry->Next) {
        KTEST_CHECK(Entry == &Items[i].Entry);
    }
    KTEST_CHECK(Entry == NULL && QueryDepthSList(&Head) == 0 && InterlockedPopEntrySList(&Head) == NULL);
    return NULL;
}

static PCSTR TestPushList(VOID)
{
    InitializeSListHead(&Head);
    InterlockedPushEntrySList(&Head, &Items[9].Entry);
    for (ULONG i = 0; i < 3; i++) {
        Items[i].Entry.Next = &Items[i + 1].Entry;
    }
    KTEST_CHECK(InterlockedPushListSListEx(&Head, &Items[0].Entry, &Items[3].Entry, 4) == &Items[9].Entry);
    KTEST_CHECK(QueryDepthSList(&Head) == 5);
    for (ULONG i = 0; i < 4; i++) {
        KTEST_CHECK(InterlockedPopEntrySList(&Head) == &Items[i].Entry);
    }
    KTEST_CHECK(InterlockedPopEntrySList(&Head) == &Items[9].Entry && QueryDepthSList(&Head) == 0);
    return NULL;
}

/* The sequence tells two states apart that look alike: that is what makes a pop right. */
static PCSTR TestSequence(VOID)
{
    InitializeSListHead(&Head);
    InterlockedPushEntrySList(&Head, &Items[0].Entry);
    SLIST_HEADER Before = Head;
    InterlockedPushEntrySList(&Head, InterlockedPopEntrySList(&Head));
    KTEST_CHECK(Head.HeaderX64.NextEntry == Before.HeaderX64.NextEntry && Head.HeaderX64.Depth == Before.HeaderX64.Depth);
    KTEST_CHECK(Head.HeaderX64.Sequence != Before.HeaderX64.Sequence);
    InterlockedPopEntrySList(&Head);
    return NULL;
}

#define MANY 65540

static PCSTR TestDepthWraps(VOID)
{
    PITEM Many = ExAllocatePoolWithTag(NonPagedPoolNx, MANY * sizeof(ITEM), TAG);
    KTEST_CHECK(Many != NULL && (ULONG_PTR)Many % MEMORY_ALLOCATION_ALIGNMENT == 0);
    InitializeSListHead(&Head);
    for (ULONG i = 0; i < MANY; i++) {
        InterlockedPushEntrySList(&Head, &Many[i].Entry);
    }
    USHORT Depth = QueryDepthSList(&Head);
    ULONG Count = 0;
    BOOLEAN Order = TRUE;
    for (PSLIST_ENTRY Entry; (Entry = InterlockedPopEntrySList(&Head)) != NULL; Count++) {
        Order &= Entry == &Many[MANY - 1 - Count].Entry;
    }
    USHORT Left = QueryDepthSList(&Head);
    ExFreePoolWithTag(Many, TAG);
    KTEST_CHECK(Depth == MANY - 65536 && Order && Count == MANY && Left == 0);
    return NULL;
}

static const KIRQL Levels[] = {PASSIVE_LEVEL, APC_LEVEL, DISPATCH_LEVEL, 7, SYNCH_LEVEL, HIGH_LEVEL};

static PCSTR TestAnyLevel(VOID)
{
    InitializeSListHead(&Head);
    for (ULONG i = 0; i < ARRAYSIZE(Levels); i++) {
        KIRQL Old;
        KeRaiseIrql(Levels[i], &Old);
        BOOLEAN Right = InterlockedPushEntrySList(&Head, &Items[0].Entry) == NULL &&
                        InterlockedPopEntrySList(&Head) == &Items[0].Entry && KeGetCurrentIrql() == Levels[i];
        KeLowerIrql(Old);
        KTEST_CHECK(Right);
    }
    return NULL;
}

/* ---- Interlocked lists and sums ---- */

static KSPIN_LOCK Lock;
static LIST_ENTRY List, Entries[3];
static SINGLE_LIST_ENTRY SingleList, Singles[2];

static PCSTR CheckLists(VOID)
{
    InitializeListHead(&List);
    KTEST_CHECK(ExInterlockedRemoveHeadList(&List, &Lock) == NULL);
    KTEST_CHECK(ExInterlockedInsertHeadList(&List, &Entries[0], &Lock) == NULL);
    KTEST_CHECK(ExInterlockedInsertHeadList(&List, &Entries[1], &Lock) == &Entries[0]);
    KTEST_CHECK(ExInterlockedInsertTailList(&List, &Entries[2], &Lock) == &Entries[0]);
    KTEST_CHECK(ExInterlockedRemoveHeadList(&List, &Lock) == &Entries[1]);
    KTEST_CHECK(ExInterlockedRemoveHeadList(&List, &Lock) == &Entries[0]);
    KTEST_CHECK(ExInterlockedRemoveHeadList(&List, &Lock) == &Entries[2] && IsListEmpty(&List));
    KTEST_CHECK(ExInterlockedInsertTailList(&List, &Entries[2], &Lock) == NULL);

    SingleList.Next = NULL;
    KTEST_CHECK(ExInterlockedPopEntryList(&SingleList, &Lock) == NULL);
    KTEST_CHECK(ExInterlockedPushEntryList(&SingleList, &Singles[0], &Lock) == NULL);
    KTEST_CHECK(ExInterlockedPushEntryList(&SingleList, &Singles[1], &Lock) == &Singles[0]);
    KTEST_CHECK(ExInterlockedPopEntryList(&SingleList, &Lock) == &Singles[1]);
    KTEST_CHECK(ExInterlockedPopEntryList(&SingleList, &Lock) == &Singles[0] && SingleList.Next == NULL);

    LARGE_INTEGER Large = {.QuadPart = 0xffffffff}, Increment = {.QuadPart = 0x100000001};
    ULONG Small = 0xfffffffe;
    KTEST_CHECK(ExInterlockedAddLargeInteger(&Large, Increment, &Lock).QuadPart == 0xffffffff);
    KTEST_CHECK(Large.QuadPart == 0x200000000);
    ExInterlockedAddLargeStatistic(&Large, 0xffffffff);
    KTEST_CHECK(Large.QuadPart == 0x2ffffffff);
    KTEST_CHECK(ExInterlockedAddUlong(&Small, 3, &Lock) == 0xfffffffe && Small == 1 && Lock == 0);
    return NULL;
}

static PCSTR TestInterlocked(VOID)
{
    for (ULONG i = 0; i < ARRAYSIZE(Levels); i++) {
        KIRQL Old;
        KeRaiseIrql(Levels[i], &Old);
        PCSTR Why = CheckLists();
        KIRQL Now = KeGetCurrentIrql();
        KeLowerIrql(Old);
        if (Why != NULL) {
            return Why;
        }
        KTEST_CHECK(Now == Levels[i]);
    }
    return NULL;
}

/* A DPC changes the list that threads change, on all processors. */
static volatile LONG Inserted, Removed, Stop;
static LARGE_INTEGER Sum;
static ULONG Total;

typedef struct _NODE {
    LIST_ENTRY Link;
    volatile LONG Busy;
} NODE, *PNODE;

static NODE Nodes[THREADS * 2];

static BOOLEAN InsertOrRemove(ULONG i)
{
    PNODE Node = &Nodes[i];
    LARGE_INTEGER One = {.QuadPart = 1};
    ExInterlockedAddLargeInteger(&Sum, One, &Lock);
    ExInterlockedAddUlong(&Total, 1, &Lock);
    if (InterlockedExchange(&Node->Busy, 1) == 0) {
        (i % 2 ? ExInterlockedInsertHeadList : ExInterlockedInsertTailList)(&List, &Node->Link, &Lock);
        InterlockedIncrement(&Inserted);
        return TRUE;
    }
    PLIST_ENTRY Link = ExInterlockedRemoveHeadList(&List, &Lock);
    if (Link != NULL) {
        InterlockedIncrement(&Removed);
        CONTAINING_RECORD(Link, NODE, Link)->Busy = 0;
    }
    return Link != NULL;
}

static VOID ListDpc(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    InsertOrRemove(THREADS + (ULONG)(ULONG_PTR)Context);
}

static VOID ListThread(PVOID Context)
{
    KDPC Dpc;
    KeInitializeDpc(&Dpc, ListDpc, Context);
    for (ULONG i = 0; i < 3000; i++) {
        KIRQL Irql;
        if (i % 7 == 0) {
            KeInsertQueueDpc(&Dpc, NULL, NULL);
        }
        KeRaiseIrql(Levels[i % ARRAYSIZE(Levels)], &Irql);
        InsertOrRemove((ULONG)(ULONG_PTR)Context);
        KeLowerIrql(Irql);
    }
    KeFlushQueuedDpcs();
}

static PCSTR TestCrowdLists(VOID)
{
    ULONG Left = 0;
    InitializeListHead(&List);
    Sum.QuadPart = Total = Inserted = Removed = 0;
    KTEST_CHECK(KtestCrowd(THREADS, ListThread));
    while (ExInterlockedRemoveHeadList(&List, &Lock) != NULL) {
        Left++;
    }
    KTEST_CHECK((ULONG)(Inserted - Removed) == Left && Left <= ARRAYSIZE(Nodes));
    KTEST_CHECK(Total == (ULONG)Sum.QuadPart && Total >= THREADS * 3000);
    return NULL;
}

/* ---- S-lists, all processors ---- */

static volatile LONG Broken;

/* From either list to the other one; whoever has an entry has it alone. */
static VOID MoveThread(PVOID Context)
{
    for (ULONG i = 0; i < 20000; i++) {
        PSLIST_HEADER From = i % 2 ? &Head : &Second, To = i % 3 ? &Head : &Second;
        PITEM Item = (PITEM)InterlockedPopEntrySList(From);
        if (Item == NULL) {
            continue;
        }
        Broken |= InterlockedIncrement(&Item->Owners) != 1;
        InterlockedDecrement(&Item->Owners);
        InterlockedPushEntrySList(To, &Item->Entry);
    }
}

static PCSTR TestCrowd(VOID)
{
    ULONG Count = 0, Depth;
    InitializeSListHead(&Head);
    InitializeSListHead(&Second);
    Broken = 0;
    for (ULONG i = 0; i < ARRAYSIZE(Items); i++) {
        InterlockedPushEntrySList(i % 2 ? &Head : &Second, &Items[i].Entry);
    }
    KTEST_CHECK(KtestCrowd(THREADS, MoveThread));
    Depth = QueryDepthSList(&Head) + QueryDepthSList(&Second);
    for (PSLIST_ENTRY Entry; (Entry = InterlockedPopEntrySList(&Head)) || (Entry = InterlockedPopEntrySList(&Second));) {
        Count++;
    }
    KTEST_CHECK(!Broken && Depth == ARRAYSIZE(Items) && Count == ARRAYSIZE(Items));
    return NULL;
}

/*
 * Entries in pages of their own. Threads, one a processor at least, pop them and push them back. Another
 * thread, whose priority is higher, wakes every millisecond on one of their processors, takes the first entry
 * off the list, and unmaps its page: whoever it has interrupted between reading the list's head and reading
 * the entry finds nothing there when it goes on.
 */
#define PAGES    24
#define RESTARTS 2     /* wanted */
#define LIMIT    20000 /* ms */

static VOID PopThread(PVOID Context)
{
    while (!Stop) {
        PITEM Item = (PITEM)InterlockedPopEntrySList(&Head);
        if (Item != NULL) {
            Broken |= InterlockedIncrement(&Item->Owners) != 1 || Item->Number != 0x5115;
            InterlockedDecrement(&Item->Owners);
            InterlockedPushEntrySList(&Head, &Item->Entry);
        }
    }
}

static ULONG UnmapChain(PSLIST_ENTRY Entry)
{
    ULONG Count = 0;
    for (PSLIST_ENTRY Next; Entry != NULL; Entry = Next, Count++) {
        Next = Entry->Next;
        PrimerUnmapPages(Entry, 1);
    }
    return Count;
}

static ULONG MapPages(ULONG Count)
{
    ULONG Made = 0;
    for (PITEM Item; Made < Count && (Item = PrimerMapPages(1)) != NULL; Made++) {
        *Item = (ITEM){.Number = 0x5115};
        InterlockedPushEntrySList(&Head, &Item->Entry);
    }
    return Made;
}

static PCSTR TestUnmapped(VOID)
{
    PETHREAD Threads[KTEST_MAX_THREADS];
    ULONG Processors = KeQueryActiveProcessorCount(NULL), Poppers = Processors < 4 ? 4 : Processors;
    ULONG Mapped = 0, Unmapped = 0, Before = PrimerSListRestarts(), Rounds = 0;
    ULONGLONG Start = KeQueryInterruptTime();
    InitializeSListHead(&Head);
    Stop = Broken = 0;
    Mapped += MapPages(PAGES);
    for (ULONG i = 0; i < Poppers; i++) {
        Threads[i] = KtestStart(PopThread, NULL);
        KTEST_CHECK(Threads[i] != NULL);
    }
    KPRIORITY Priority = KeSetPriorityThread(KeGetCurrentThread(), 17);
    while ((PrimerSListRestarts() - Before < RESTARTS || Rounds < 10) &&
           KeQueryInterruptTime() - Start < LIMIT * 10000ULL) {
        PSLIST_ENTRY Entry = InterlockedPopEntrySList(&Head);
        if (Entry != NULL) {
            Mapped += MapPages(1); /* before the other one goes, so that it lies elsewhere */
            PrimerUnmapPages(Entry, 1);
            Unmapped++;
        }
        KtestSleep(1);
        Rounds++;
    }
    Stop = 1;
    for (ULONG i = 0; i < Poppers; i++) {
        KtestJoin(Threads[i]);
    }
    KeSetPriorityThread(KeGetCurrentThread(), Priority);
    Unmapped += UnmapChain(InterlockedFlushSList(&Head));
    ULONG Restarts = PrimerSListRestarts() - Before;
    DbgPrint("slists: %u rounds, %u pages unmapped, %u pops started anew\n", Rounds, Unmapped, Restarts);
    KTEST_CHECK(!Broken && Mapped == Unmapped && QueryDepthSList(&Head) == 0);
    KTEST_CHECK(Restarts >= RESTARTS);
    return NULL;
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    DbgPrint("slists: %u processors\n", KeQueryActiveProcessorCount(NULL));
    KtestRun("slists.last-in-first-out", TestOrder);
    KtestRun("slists.ex-forms", TestExForms);
    KtestRun("slists.flush", TestFlush);
    KtestRun("slists.push-list", TestPushList);
    KtestRun("slists.sequence", TestSequence);
    KtestRun("slists.depth-wraps-at-16-bits", TestDepthWraps);
    KtestRun("slists.any-level", TestAnyLevel);
    KtestRun("slists.interlocked-any-level", TestInterlocked);
    KtestRun("slists.interlocked-crowd", TestCrowdLists);
    KtestRun("slists.crowd", TestCrowd);
    KtestRun("slists.unmapped-while-popped", TestUnmapped);
    return STATUS_SUCCESS;
}
