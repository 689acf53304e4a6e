/* SPDX-License-Identifier: MIT */
/* Interlocked and sequenced lists, lookaside lists, device queues, interlocked variables. */
#include "sync.h"

typedef struct _ITEM {
    SLIST_ENTRY SListEntry;
    LIST_ENTRY ListEntry;
    SINGLE_LIST_ENTRY SingleListEntry;
    LONG Value;
} ITEM, *PITEM;

VOID SyncTestLists(PDEVICE_EXTENSION Extension)
{
    LIST_ENTRY ListHead;
    SINGLE_LIST_ENTRY SingleListHead;
    ITEM Items[3];
    KSPIN_LOCK Lock;
    LARGE_INTEGER Large, Increment;
    ULONG Sum = 5;

    RtlZeroMemory(Items, sizeof(Items));
    KeInitializeSpinLock(&Lock);
    InitializeListHead(&ListHead);
    CHECK(IsListEmpty(&ListHead));
    CHECK(ExInterlockedInsertTailList(&ListHead, &Items[0].ListEntry, &Lock) == NULL);
    CHECK(ExInterlockedInsertTailList(&ListHead, &Items[1].ListEntry, &Lock) == &Items[0].ListEntry);
    CHECK(ExInterlockedInsertHeadList(&ListHead, &Items[2].ListEntry, &Lock) == &Items[0].ListEntry);
    CHECK(CONTAINING_RECORD(ExInterlockedRemoveHeadList(&ListHead, &Lock), ITEM, ListEntry) == &Items[2]);
    CHECK(!RemoveEntryList(&Items[0].ListEntry));
    CHECK(ExInterlockedRemoveHeadList(&ListHead, &Lock) == &Items[1].ListEntry);
    CHECK(ExInterlockedRemoveHeadList(&ListHead, &Lock) == NULL);

    SingleListHead.Next = NULL;
    CHECK(ExInterlockedPushEntryList(&SingleListHead, &Items[0].SingleListEntry, &Lock) == NULL);
    CHECK(ExInterlockedPushEntryList(&SingleListHead, &Items[1].SingleListEntry, &Lock) ==
          &Items[0].SingleListEntry);
    CHECK(ExInterlockedPopEntryList(&SingleListHead, &Lock) == &Items[1].SingleListEntry);
    CHECK(ExInterlockedPopEntryList(&SingleListHead, &Lock) == &Items[0].SingleListEntry);
    CHECK(ExInterlockedPopEntryList(&SingleListHead, &Lock) == NULL);

    Large.QuadPart = MAXULONG;
    Increment.QuadPart = 1;
    CHECK(ExInterlockedAddLargeInteger(&Large, Increment, &Lock).QuadPart == MAXULONG);
    CHECK(Large.HighPart == 1 && Large.LowPart == 0);
    ExInterlockedAddLargeStatistic(&Large, 3);
    CHECK(Large.LowPart == 3);
    CHECK(ExInterlockedAddUlong(&Sum, 2, &Lock) == 5 && Sum == 7);
}

typedef struct _SHARED_LISTS {
    SLIST_HEADER Free;
    SLIST_HEADER Used;
} SHARED_LISTS, *PSHARED_LISTS;

static VOID MoveItems(_In_ PVOID StartContext)
{
    PSHARED_LISTS Lists = (PSHARED_LISTS)StartContext;
    PSLIST_ENTRY Entry;

    while ((Entry = InterlockedPopEntrySList(&Lists->Free)) != NULL) {
        InterlockedIncrement(&CONTAINING_RECORD(Entry, ITEM, SListEntry)->Value);
        InterlockedPushEntrySList(&Lists->Used, Entry);
    }
    PsTerminateSystemThread(STATUS_SUCCESS);
}

VOID SyncTestSLists(PDEVICE_EXTENSION Extension)
{
    PSHARED_LISTS Lists;
    PITEM Items;
    PKTHREAD Threads[4] = {NULL};
    PSLIST_ENTRY Entry;
    ULONG Index, Moved = 0;

    PAGED_CODE();

    Lists = (PSHARED_LISTS)ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(SHARED_LISTS), SYNC_POOL_TAG);
    Items = (PITEM)ExAllocatePoolZero(NonPagedPoolNx, sizeof(ITEM) * 1000, SYNC_POOL_TAG);
    CHECK(Lists != NULL && Items != NULL);
    if (Lists == NULL || Items == NULL) {
        return;
    }
    InitializeSListHead(&Lists->Free);
    ExInitializeSListHead(&Lists->Used);
    CHECK(InterlockedPushEntrySList(&Lists->Free, &Items[0].SListEntry) == NULL);
    CHECK(ExInterlockedPushEntrySList(&Lists->Free, &Items[1].SListEntry, &Extension->Lock) ==
          &Items[0].SListEntry);
    CHECK(QueryDepthSList(&Lists->Free) == 2 && ExQueryDepthSList(&Lists->Free) == 2);
    CHECK(RtlFirstEntrySList(&Lists->Free) == &Items[1].SListEntry);
    CHECK(ExInterlockedPopEntrySList(&Lists->Free, &Extension->Lock) == &Items[1].SListEntry);
    Items[2].SListEntry.Next = &Items[1].SListEntry;
    InterlockedPushListSListEx(&Lists->Free, &Items[2].SListEntry, &Items[1].SListEntry, 2);
    CHECK(QueryDepthSList(&Lists->Free) == 3);
    Entry = InterlockedFlushSList(&Lists->Free);
    CHECK(Entry == &Items[2].SListEntry && Entry->Next == &Items[1].SListEntry);
    CHECK(ExInterlockedFlushSList(&Lists->Free) == NULL);

    for (Index = 0; Index < 1000; Index++) {
        InterlockedPushEntrySList(&Lists->Free, &Items[Index].SListEntry);
    }
    for (Index = 0; Index < RTL_NUMBER_OF(Threads); Index++) {
        CHECK(NT_SUCCESS(SyncStartThread(MoveItems, Lists, &Threads[Index])));
    }
    for (Index = 0; Index < RTL_NUMBER_OF(Threads); Index++) {
        SyncJoinThread(Threads[Index]);
    }
    while ((Entry = InterlockedPopEntrySList(&Lists->Used)) != NULL) {
        Moved += CONTAINING_RECORD(Entry, ITEM, SListEntry)->Value == 1;
    }
    CHECK(Moved == 1000);
    ExFreePoolWithTag(Items, SYNC_POOL_TAG);
    ExFreePoolWithTag(Lists, SYNC_POOL_TAG);
}

static ALLOCATE_FUNCTION_EX AllocateItem;
static FREE_FUNCTION_EX FreeItem;
static LONG ItemsOut;

static PVOID AllocateItem(_In_ POOL_TYPE PoolType, _In_ SIZE_T NumberOfBytes, _In_ ULONG Tag,
                          _Inout_ PLOOKASIDE_LIST_EX Lookaside)
{
    UNREFERENCED_PARAMETER(Lookaside);
    InterlockedIncrement(&ItemsOut);
    return ExAllocatePoolZero(PoolType, NumberOfBytes, Tag);
}

static VOID FreeItem(_In_ PVOID Buffer, _Inout_ PLOOKASIDE_LIST_EX Lookaside)
{
    UNREFERENCED_PARAMETER(Lookaside);
    InterlockedDecrement(&ItemsOut);
    ExFreePool(Buffer);
}

VOID SyncTestLookasides(PDEVICE_EXTENSION Extension)
{
    static LOOKASIDE_LIST_EX Lookaside;
    static NPAGED_LOOKASIDE_LIST NPagedLookaside;
    static PAGED_LOOKASIDE_LIST PagedLookaside;
    PVOID Entry;

    PAGED_CODE();

    CHECK(NT_SUCCESS(ExInitializeLookasideListEx(&Lookaside, AllocateItem, FreeItem, NonPagedPoolNx, 0,
                                                 sizeof(ITEM), SYNC_POOL_TAG, 0)));
    Entry = ExAllocateFromLookasideListEx(&Lookaside);
    CHECK(Entry != NULL && ItemsOut == 1);
    if (Entry != NULL) {
        ExFreeToLookasideListEx(&Lookaside, Entry);
    }
    ExFlushLookasideListEx(&Lookaside);
    CHECK(ItemsOut == 0);
    ExDeleteLookasideListEx(&Lookaside);

    ExInitializeNPagedLookasideList(&NPagedLookaside, NULL, NULL, 0, sizeof(ITEM), SYNC_POOL_TAG, 0);
    Entry = ExAllocateFromNPagedLookasideList(&NPagedLookaside);
    CHECK(Entry != NULL);
    if (Entry != NULL) {
        ExFreeToNPagedLookasideList(&NPagedLookaside, Entry);
    }
    ExDeleteNPagedLookasideList(&NPagedLookaside);

    ExInitializePagedLookasideList(&PagedLookaside, NULL, NULL, 0, sizeof(ITEM), SYNC_POOL_TAG, 0);
    Entry = ExAllocateFromPagedLookasideList(&PagedLookaside);
    CHECK(Entry != NULL);
    if (Entry != NULL) {
        ExFreeToPagedLookasideList(&PagedLookaside, Entry);
    }
    ExDeletePagedLookasideList(&PagedLookaside);
}

VOID SyncTestDeviceQueue(PDEVICE_EXTENSION Extension)
{
    KDEVICE_QUEUE DeviceQueue;
    KDEVICE_QUEUE_ENTRY Entries[4];
    KIRQL OldIrql;

    RtlZeroMemory(Entries, sizeof(Entries));
    KeInitializeDeviceQueue(&DeviceQueue);
    KeRaiseIrql(DISPATCH_LEVEL, &OldIrql);
    CHECK(!KeInsertDeviceQueue(&DeviceQueue, &Entries[0])); /* the device was idle: it starts with this one */
    CHECK(KeInsertByKeyDeviceQueue(&DeviceQueue, &Entries[1], 30));
    CHECK(KeInsertByKeyDeviceQueue(&DeviceQueue, &Entries[2], 10));
    CHECK(KeInsertDeviceQueue(&DeviceQueue, &Entries[3]));
    CHECK(KeRemoveByKeyDeviceQueue(&DeviceQueue, 20) == &Entries[1]);
    CHECK(KeRemoveEntryDeviceQueue(&DeviceQueue, &Entries[3]));
    CHECK(!KeRemoveEntryDeviceQueue(&DeviceQueue, &Entries[3]));
    CHECK(KeRemoveDeviceQueue(&DeviceQueue) == &Entries[2]);
    CHECK(KeRemoveDeviceQueue(&DeviceQueue) == NULL); /* now it is idle */
    CHECK(KeRemoveByKeyDeviceQueueIfBusy(&DeviceQueue, 0) == NULL);
    CHECK(!KeInsertDeviceQueue(&DeviceQueue, &Entries[0]));
    KeLowerIrql(OldIrql);
}

VOID SyncTestInterlocked(PDEVICE_EXTENSION Extension)
{
    volatile LONG Value = 1;
    volatile LONG64 Value64 = 1;
    volatile SHORT Value16 = 1;
    PVOID volatile Pointer = NULL;
    volatile ULONG Registers[2] = {1, 2};
    ULONG Buffer[2] = {0, 0};

    CHECK(InterlockedIncrement(&Value) == 2 && InterlockedDecrement(&Value) == 1);
    CHECK(InterlockedExchangeAdd(&Value, 4) == 1 && InterlockedAdd(&Value, 1) == 6);
    CHECK(InterlockedCompareExchange(&Value, 9, 6) == 6 && InterlockedExchange(&Value, 3) == 9);
    CHECK(InterlockedOr(&Value, 4) == 3 && InterlockedAnd(&Value, 6) == 7 && InterlockedXor(&Value, 2) == 6);
    CHECK(InterlockedIncrementAcquire(&Value) == 5 && InterlockedDecrementRelease(&Value) == 4);
    CHECK(InterlockedCompareExchangeNoFence(&Value, 1, 4) == 4);
    CHECK(InterlockedBitTestAndSet((LONG *)&Value, 3) == 0 &&
          InterlockedBitTestAndReset((LONG *)&Value, 3) == 1);
    CHECK(InterlockedIncrement64(&Value64) == 2 && InterlockedExchangeAdd64(&Value64, 2) == 2);
    CHECK(InterlockedIncrement16(&Value16) == 2);
    CHECK(InterlockedCompareExchangePointer(&Pointer, Extension, NULL) == NULL);
    CHECK(InterlockedExchangePointer(&Pointer, NULL) == Extension);
    CHECK(ReadAcquire(&Value) == 1 && ReadNoFence64(&Value64) == 4 && ReadPointerAcquire(&Pointer) == NULL);
    WriteRelease(&Value, 5);
    WritePointerNoFence(&Pointer, Extension);
    KeMemoryBarrier();
    CHECK(ReadNoFence(&Value) == 5);

    /* A device's registers in memory, as MmMapIoSpace would show them. */
    WRITE_REGISTER_ULONG(&Registers[0], READ_REGISTER_ULONG(&Registers[1]) + 5);
    READ_REGISTER_BUFFER_ULONG(Registers, Buffer, RTL_NUMBER_OF(Buffer));
    CHECK(Buffer[0] == 7 && Buffer[1] == 2);
}
