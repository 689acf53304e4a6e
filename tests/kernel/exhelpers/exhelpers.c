/* SPDX-License-Identifier: MIT */
/* The executive's helpers for drivers: lookaside lists, callback objects, device queues, remove locks. */
#include "../ktest.h"

#define TAG 'pleH'

static volatile LONG Allocated, Freed, Broken, Inside;

/* ---- Lookaside lists ---- */

static PVOID CountAllocate(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag, PLOOKASIDE_LIST_EX Lookaside)
{
    InterlockedIncrement(&Allocated);
    return ExAllocatePoolWithTag(PoolType, NumberOfBytes, Tag);
}

static VOID CountFree(PVOID Buffer, PLOOKASIDE_LIST_EX Lookaside)
{
    InterlockedIncrement(&Freed);
    ExFreePoolWithTag(Buffer, TAG);
}

static PCSTR TestLookasideStatus(VOID)
{
    static LOOKASIDE_LIST_EX List;
    KTEST_CHECK(ExInitializeLookasideListEx(&List, NULL, NULL, (POOL_TYPE)77, 0, 64, TAG, 0) == STATUS_INVALID_PARAMETER_4);
    KTEST_CHECK(ExInitializeLookasideListEx(&List, NULL, NULL, NonPagedPoolNx, 3, 64, TAG, 0) == STATUS_INVALID_PARAMETER_5);
    KTEST_CHECK(ExInitializeLookasideListEx(&List, NULL, NULL, NonPagedPoolNx, 4, 64, TAG, 0) == STATUS_INVALID_PARAMETER_5);
    KTEST_CHECK(ExInitializeLookasideListEx(&List, NULL, NULL, PagedPool, 0, 64, TAG, 0) == STATUS_SUCCESS);
    ExDeleteLookasideListEx(&List);
    return NULL;
}

/* It starts empty; what is freed is given out again, the last first; what is beyond its depth is freed. */
static PCSTR TestLookasideKeeps(VOID)
{
    static LOOKASIDE_LIST_EX List;
    PVOID Block[40];
    Allocated = Freed = 0;
    KTEST_CHECK(NT_SUCCESS(ExInitializeLookasideListEx(&List, CountAllocate, CountFree, NonPagedPoolNx, 0, 100, TAG, 0)));
    PVOID First = ExAllocateFromLookasideListEx(&List);
    KTEST_CHECK(First != NULL && Allocated == 1);
    memset(First, 0x11, 100);
    ExFreeToLookasideListEx(&List, First);
    KTEST_CHECK(Freed == 0);
    PVOID Again = ExAllocateFromLookasideListEx(&List);
    KTEST_CHECK(Again == First && Allocated == 1);
    ExFreeToLookasideListEx(&List, Again);
    for (ULONG i = 0; i < ARRAYSIZE(Block); i++) {
        Block[i] = ExAllocateFromLookasideListEx(&List);
        KTEST_CHECK(Block[i] != NULL);
    }
    KTEST_CHECK(Allocated == ARRAYSIZE(Block));
    for (ULONG i = 0; i < ARRAYSIZE(Block); i++) {
        ExFreeToLookasideListEx(&List, Block[i]);
    }
    LONG Kept = Allocated - Freed;
    KTEST_CHECK(Kept > 0 && Freed > 0);
    ExFlushLookasideListEx(&List);
    KTEST_CHECK(Freed == Allocated);
    ExFreeToLookasideListEx(&List, ExAllocateFromLookasideListEx(&List));
    ExDeleteLookasideListEx(&List);
    KTEST_CHECK(Freed == Allocated);
    return NULL;
}

/* Bursts that the first depth does not serve make it grow, until they are served from the list. */
static PCSTR TestLookasideTunes(VOID)
{
    static LOOKASIDE_LIST_EX List;
    PVOID Block[32];
    Allocated = Freed = 0;
    KTEST_CHECK(NT_SUCCESS(ExInitializeLookasideListEx(&List, CountAllocate, CountFree, NonPagedPoolNx, 0, 32, TAG, 0)));
    for (ULONG Burst = 0; Burst < 200; Burst++) {
        if (Burst == 190) {
            Allocated = 0;
            Freed = 0;
        }
        for (ULONG i = 0; i < ARRAYSIZE(Block); i++) {
            Block[i] = ExAllocateFromLookasideListEx(&List);
            KTEST_CHECK(Block[i] != NULL);
        }
        for (ULONG i = 0; i < ARRAYSIZE(Block); i++) {
            ExFreeToLookasideListEx(&List, Block[i]);
        }
    }
    LONG Late = Allocated;
    ExDeleteLookasideListEx(&List);
    KTEST_CHECK(Late < 10 * (LONG)ARRAYSIZE(Block) / 4);
    return NULL;
}

static PVOID NeverAllocate(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag, PLOOKASIDE_LIST_EX Lookaside)
{
    InterlockedExchangeAdd(&Allocated, (PoolType & POOL_QUOTA_FAIL_INSTEAD_OF_RAISE) != 0);
    return NULL;
}

static PCSTR TestLookasideFails(VOID)
{
    static LOOKASIDE_LIST_EX List;
    volatile NTSTATUS Raised = STATUS_SUCCESS;
    Allocated = 0;
    ExInitializeLookasideListEx(&List, NeverAllocate, CountFree, NonPagedPoolNx, 0, 32, TAG, 0);
    KTEST_CHECK(ExAllocateFromLookasideListEx(&List) == NULL && Allocated == 0);
    ExInitializeLookasideListEx(&List, NeverAllocate, CountFree, NonPagedPoolNx, EX_LOOKASIDE_LIST_EX_FLAGS_FAIL_NO_RAISE, 32,
                                TAG, 0);
    KTEST_CHECK(ExAllocateFromLookasideListEx(&List) == NULL && Allocated == 1);
    ExInitializeLookasideListEx(&List, NeverAllocate, CountFree, NonPagedPoolNx, EX_LOOKASIDE_LIST_EX_FLAGS_RAISE_ON_FAIL, 32,
                                TAG, 0);
    _SEH2_TRY
    {
        ExAllocateFromLookasideListEx(&List);
    }
    _SEH2_EXCEPT(EXCEPTION_EXECUTE_HANDLER)
    {
        Raised = _SEH2_GetExceptionCode();
    }
    _SEH2_END;
    KTEST_CHECK(Raised == STATUS_INSUFFICIENT_RESOURCES);
    return NULL;
}

static PVOID OldAllocate(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag)
{
    InterlockedIncrement(&Allocated);
    return ExAllocatePoolWithTag(PoolType, NumberOfBytes, Tag);
}

static VOID OldFree(PVOID Buffer)
{
    InterlockedIncrement(&Freed);
    ExFreePool(Buffer);
}

static PCSTR TestLookasideOld(VOID)
{
    static NPAGED_LOOKASIDE_LIST List, Plain;
    static PAGED_LOOKASIDE_LIST Paged;
    Allocated = Freed = 0;
    ExInitializeNPagedLookasideList(&List, OldAllocate, OldFree, POOL_NX_ALLOCATION, 48, TAG, 0);
    ExInitializeNPagedLookasideList(&Plain, NULL, NULL, 0, 48, TAG, 0);
    ExInitializePagedLookasideList(&Paged, OldAllocate, OldFree, 0, 48, TAG, 0);
    PVOID First = ExAllocateFromNPagedLookasideList(&List), Second = ExAllocateFromPagedLookasideList(&Paged);
    PVOID Third = ExAllocateFromNPagedLookasideList(&Plain);
    KTEST_CHECK(First != NULL && Second != NULL && Third != NULL && Allocated == 2);
    ExFreeToNPagedLookasideList(&List, First);
    ExFreeToPagedLookasideList(&Paged, Second);
    ExFreeToNPagedLookasideList(&Plain, Third);
    KTEST_CHECK(Freed == 0 && ExAllocateFromNPagedLookasideList(&List) == First);
    ExFreeToNPagedLookasideList(&List, First);
    ExDeleteNPagedLookasideList(&List);
    ExDeletePagedLookasideList(&Paged);
    ExDeleteNPagedLookasideList(&Plain);
    KTEST_CHECK(Freed == 2);
    return NULL;
}

static LOOKASIDE_LIST_EX Shared;

/* No block is given to two at once: each marks its own. */
static VOID LookasideThread(PVOID Context)
{
    ULONG_PTR *Block[8];
    for (ULONG Round = 0; Round < 500; Round++) {
        for (ULONG i = 0; i < ARRAYSIZE(Block); i++) {
            Block[i] = ExAllocateFromLookasideListEx(&Shared);
            if (Block[i] == NULL) {
                Broken = 1;
                return;
            }
            Block[i][1] = (ULONG_PTR)&Block[i];
        }
        for (ULONG i = 0; i < ARRAYSIZE(Block); i++) {
            if (Block[i][1] != (ULONG_PTR)&Block[i]) {
                Broken = 1;
            }
            ExFreeToLookasideListEx(&Shared, Block[i]);
        }
    }
}

static PCSTR TestLookasideCrowd(VOID)
{
    Allocated = Freed = Broken = 0;
    KTEST_CHECK(NT_SUCCESS(ExInitializeLookasideListEx(&Shared, CountAllocate, CountFree, NonPagedPoolNx, 0, 40, TAG, 0)));
    KTEST_CHECK(KtestCrowd(6, LookasideThread) && !Broken);
    ExDeleteLookasideListEx(&Shared);
    KTEST_CHECK(Allocated == Freed);
    return NULL;
}

/* ---- Callback objects ---- */

static ULONG Trail[8];
static volatile LONG Steps;
static KIRQL Level;
static PVOID Seen[3], Handle;
static KEVENT Entered, Go;

static NTSTATUS Open(PCALLBACK_OBJECT *Object, PCWSTR Text, ULONG Attributes, BOOLEAN Create, BOOLEAN Multiple)
{
    UNICODE_STRING Name;
    OBJECT_ATTRIBUTES ObjectAttributes;
    RtlInitUnicodeString(&Name, Text);
    InitializeObjectAttributes(&ObjectAttributes, &Name, Attributes, NULL, NULL);
    return ExCreateCallback(Object, &ObjectAttributes, Create, Multiple);
}

static VOID Step(PVOID Context, PVOID Argument1, PVOID Argument2)
{
    Trail[(InterlockedIncrement(&Steps) - 1) % 8] = (ULONG)(ULONG_PTR)Context;
    Level = KeGetCurrentIrql();
    Seen[0] = Context;
    Seen[1] = Argument1;
    Seen[2] = Argument2;
}

static VOID StepAndLeave(PVOID Context, PVOID Argument1, PVOID Argument2)
{
    InterlockedIncrement(&Steps);
    ExUnregisterCallback(Handle);
}

static PCSTR TestCallbackNames(VOID)
{
    PCALLBACK_OBJECT First, Second;
    OBJECT_ATTRIBUTES None;
    KTEST_CHECK(ExCreateCallback(&First, NULL, TRUE, TRUE) == STATUS_UNSUCCESSFUL);
    InitializeObjectAttributes(&None, NULL, 0, NULL, NULL);
    KTEST_CHECK(ExCreateCallback(&First, &None, TRUE, TRUE) == STATUS_UNSUCCESSFUL);
    KTEST_CHECK(Open(&First, L"\\Callback\\Primer", 0, FALSE, TRUE) == STATUS_OBJECT_NAME_NOT_FOUND);
    KTEST_CHECK(Open(&First, L"\\Elsewhere\\Primer", 0, TRUE, TRUE) == STATUS_OBJECT_PATH_NOT_FOUND);
    KTEST_CHECK(Open(&First, L"\\Callback\\Primer", 0, TRUE, TRUE) == STATUS_SUCCESS);
    KTEST_CHECK(Open(&Second, L"\\Callback\\Primer", 0, TRUE, FALSE) == STATUS_SUCCESS && Second == First);
    ObDereferenceObject(Second);
    KTEST_CHECK(Open(&Second, L"\\Callback\\PRIMER", 0, FALSE, FALSE) == STATUS_OBJECT_NAME_NOT_FOUND);
    KTEST_CHECK(NT_SUCCESS(Open(&Second, L"\\CALLBACK\\PRIMER", OBJ_CASE_INSENSITIVE, FALSE, FALSE)) && Second == First);
    ObDereferenceObject(Second);
    ObDereferenceObject(First); /* the name goes with the last reference */
    KTEST_CHECK(Open(&First, L"\\Callback\\Primer", 0, FALSE, TRUE) == STATUS_OBJECT_NAME_NOT_FOUND);
    return NULL;
}

static PCSTR TestSystemCallbacks(VOID)
{
    static const PCWSTR Names[] = {L"\\Callback\\SetSystemTime", L"\\Callback\\PowerState", L"\\Callback\\ProcessorAdd"};
    for (ULONG i = 0; i < ARRAYSIZE(Names); i++) {
        PCALLBACK_OBJECT Object;
        KTEST_CHECK(Open(&Object, Names[i], OBJ_CASE_INSENSITIVE, FALSE, FALSE) == STATUS_SUCCESS);
        PVOID First = ExRegisterCallback(Object, Step, NULL), Second = ExRegisterCallback(Object, Step, NULL);
        KTEST_CHECK(First != NULL && Second != NULL);
        ExUnregisterCallback(First);
        ExUnregisterCallback(Second);
        ObDereferenceObject(Object);
    }
    return NULL;
}

static PCSTR TestSingleCallback(VOID)
{
    PCALLBACK_OBJECT Object;
    KTEST_CHECK(NT_SUCCESS(Open(&Object, L"\\Callback\\Single", 0, TRUE, FALSE)));
    PVOID First = ExRegisterCallback(Object, Step, NULL);
    KTEST_CHECK(First != NULL && ExRegisterCallback(Object, Step, NULL) == NULL);
    ExUnregisterCallback(First);
    First = ExRegisterCallback(Object, Step, NULL);
    KTEST_CHECK(First != NULL);
    ExUnregisterCallback(First);
    ObDereferenceObject(Object);
    return NULL;
}

static PCSTR TestNotify(VOID)
{
    PCALLBACK_OBJECT Object;
    PVOID Handles[4];
    KIRQL Irql;
    Steps = 0;
    KTEST_CHECK(NT_SUCCESS(Open(&Object, L"\\Callback\\Order", 0, TRUE, TRUE)));
    for (ULONG_PTR i = 0; i < 4; i++) {
        Handles[i] = ExRegisterCallback(Object, Step, (PVOID)(i + 1));
        KTEST_CHECK(Handles[i] != NULL);
    }
    ExNotifyCallback(Object, (PVOID)11, (PVOID)22);
    KTEST_CHECK(Steps == 4 && Trail[0] == 1 && Trail[1] == 2 && Trail[2] == 3 && Trail[3] == 4);
    KTEST_CHECK(Level == PASSIVE_LEVEL && Seen[0] == (PVOID)4 && Seen[1] == (PVOID)11 && Seen[2] == (PVOID)22);
    KeRaiseIrql(DISPATCH_LEVEL, &Irql);
    ExNotifyCallback(Object, NULL, NULL);
    KeLowerIrql(Irql);
    KTEST_CHECK(Steps == 8 && Level == DISPATCH_LEVEL);
    ExUnregisterCallback(Handles[1]);
    Steps = 0;
    ExNotifyCallback(Object, NULL, NULL);
    KTEST_CHECK(Steps == 3 && Trail[0] == 1 && Trail[1] == 3 && Trail[2] == 4);
    ExUnregisterCallback(Handles[0]);
    ExUnregisterCallback(Handles[2]);
    ExUnregisterCallback(Handles[3]);
    ExNotifyCallback(Object, NULL, NULL);
    KTEST_CHECK(Steps == 3);
    ObDereferenceObject(Object);
    return NULL;
}

/* A routine that unregisters itself from inside its call: no deadlock, and the next ones are called still. */
static PCSTR TestUnregisterInside(VOID)
{
    PCALLBACK_OBJECT Object;
    Steps = 0;
    KTEST_CHECK(NT_SUCCESS(Open(&Object, L"\\Callback\\Inside", 0, TRUE, TRUE)));
    Handle = ExRegisterCallback(Object, StepAndLeave, NULL);
    PVOID Second = ExRegisterCallback(Object, Step, NULL);
    KTEST_CHECK(Handle != NULL && Second != NULL);
    ExNotifyCallback(Object, NULL, NULL);
    KTEST_CHECK(Steps == 2);
    ExNotifyCallback(Object, NULL, NULL);
    KTEST_CHECK(Steps == 3);
    ExUnregisterCallback(Second);
    ObDereferenceObject(Object);
    PCALLBACK_OBJECT Gone;
    KTEST_CHECK(Open(&Gone, L"\\Callback\\Inside", 0, FALSE, TRUE) == STATUS_OBJECT_NAME_NOT_FOUND);
    return NULL;
}

static VOID Linger(PVOID Context, PVOID Argument1, PVOID Argument2)
{
    KeSetEvent(&Entered, IO_NO_INCREMENT, FALSE);
    KeWaitForSingleObject(&Go, Executive, KernelMode, FALSE, NULL);
    InterlockedIncrement(&Inside);
}

static VOID NotifyThread(PVOID Context)
{
    ExNotifyCallback(Context, NULL, NULL);
}

static VOID UnregisterThread(PVOID Context)
{
    ExUnregisterCallback(Context);
    if (Inside != 1) {
        Broken = 1;
    }
}

static PCSTR TestUnregisterWaits(VOID)
{
    PCALLBACK_OBJECT Object;
    LARGE_INTEGER Limit = KtestMs(20);
    Inside = Broken = 0;
    KeInitializeEvent(&Entered, SynchronizationEvent, FALSE);
    KeInitializeEvent(&Go, NotificationEvent, FALSE);
    KTEST_CHECK(NT_SUCCESS(Open(&Object, L"\\Callback\\Wait", 0, TRUE, TRUE)));
    PVOID Registration = ExRegisterCallback(Object, Linger, NULL);
    KTEST_CHECK(Registration != NULL);
    PETHREAD Notifier = KtestStart(NotifyThread, Object);
    KTEST_CHECK(Notifier != NULL);
    KeWaitForSingleObject(&Entered, Executive, KernelMode, FALSE, NULL);
    PETHREAD Leaver = KtestStart(UnregisterThread, Registration);
    KTEST_CHECK(Leaver != NULL);
    NTSTATUS Early = KeWaitForSingleObject(Leaver, Executive, KernelMode, FALSE, &Limit);
    KeSetEvent(&Go, IO_NO_INCREMENT, FALSE);
    KtestJoin(Leaver);
    KtestJoin(Notifier);
    ObDereferenceObject(Object);
    KTEST_CHECK(Early == STATUS_TIMEOUT && !Broken);
    return NULL;
}

/* Some notify while others come and go: a routine that has been unregistered is not running. */
static PCALLBACK_OBJECT Busy;

static VOID Alive(PVOID Context, PVOID Argument1, PVOID Argument2)
{
    volatile LONG *Registered = Context;
    if (!*Registered) {
        Broken = 1;
    }
    InterlockedIncrement(&Steps);
}

static VOID ChurnThread(PVOID Context)
{
    volatile LONG Registered = 0;
    for (ULONG i = 0; i < 300; i++) {
        if ((ULONG_PTR)Context % 2) {
            ExNotifyCallback(Busy, NULL, NULL);
            continue;
        }
        Registered = 1;
        PVOID Mine = ExRegisterCallback(Busy, Alive, (PVOID)&Registered);
        if (Mine == NULL) {
            Broken = 1;
            return;
        }
        ExNotifyCallback(Busy, NULL, NULL);
        ExUnregisterCallback(Mine);
        Registered = 0;
    }
}

static PCSTR TestCallbackChurn(VOID)
{
    Broken = Steps = 0;
    KTEST_CHECK(NT_SUCCESS(Open(&Busy, L"\\Callback\\Churn", 0, TRUE, TRUE)));
    KTEST_CHECK(KtestCrowd(6, ChurnThread) && !Broken && Steps >= 900);
    ObDereferenceObject(Busy);
    return NULL;
}

/* ---- Device queues ---- */

static KDEVICE_QUEUE Queue;
static KDEVICE_QUEUE_ENTRY Entries[6];

static PCSTR TestDeviceQueue(VOID)
{
    KeInitializeDeviceQueue(&Queue);
    KTEST_CHECK(!Queue.Busy && Queue.Size == sizeof(Queue));
    KTEST_CHECK(!KeInsertDeviceQueue(&Queue, &Entries[0])); /* idle: busy now, and not queued */
    KTEST_CHECK(Queue.Busy && !Entries[0].Inserted);
    KTEST_CHECK(KeInsertDeviceQueue(&Queue, &Entries[1]) && KeInsertDeviceQueue(&Queue, &Entries[2]));
    KTEST_CHECK(Entries[1].Inserted && Entries[2].Inserted);
    KTEST_CHECK(KeRemoveDeviceQueue(&Queue) == &Entries[1] && !Entries[1].Inserted);
    KTEST_CHECK(KeRemoveDeviceQueue(&Queue) == &Entries[2] && Queue.Busy);
    KTEST_CHECK(KeRemoveDeviceQueue(&Queue) == NULL && !Queue.Busy);
    KTEST_CHECK(KeRemoveByKeyDeviceQueueIfBusy(&Queue, 0) == NULL && !Queue.Busy);
    return NULL;
}

static PCSTR TestDeviceQueueByKey(VOID)
{
    static const ULONG Keys[] = {0, 50, 20, 50, 10, 40};
    KeInitializeDeviceQueue(&Queue);
    for (ULONG i = 0; i < ARRAYSIZE(Entries); i++) {
        KTEST_CHECK(KeInsertByKeyDeviceQueue(&Queue, &Entries[i], Keys[i]) == (i != 0));
    }
    KTEST_CHECK(KeRemoveEntryDeviceQueue(&Queue, &Entries[2]) && !Entries[2].Inserted); /* 20 */
    KTEST_CHECK(!KeRemoveEntryDeviceQueue(&Queue, &Entries[2]) && !KeRemoveEntryDeviceQueue(&Queue, &Entries[0]));
    KTEST_CHECK(KeRemoveByKeyDeviceQueue(&Queue, 15) == &Entries[5]);       /* the first from 15 on: 40 */
    KTEST_CHECK(KeRemoveByKeyDeviceQueueIfBusy(&Queue, 50) == &Entries[1]); /* equal keys as they came */
    KTEST_CHECK(KeRemoveByKeyDeviceQueue(&Queue, 60) == &Entries[4]);       /* none from there on: the very first */
    KTEST_CHECK(KeRemoveByKeyDeviceQueue(&Queue, 0) == &Entries[3] && Queue.Busy);
    KTEST_CHECK(KeRemoveByKeyDeviceQueueIfBusy(&Queue, 0) == NULL && !Queue.Busy);
    return NULL;
}

/* Many start requests on a device that handles one at a time: each request is handled once. */
static volatile LONG Handled;

static VOID DeviceThread(PVOID Context)
{
    for (ULONG i = 0; i < 300; i++) {
        KDEVICE_QUEUE_ENTRY *Mine = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(*Mine), TAG);
        KIRQL Irql = KeRaiseIrqlToDpcLevel();
        BOOLEAN Queued = i % 2 ? KeInsertDeviceQueue(&Queue, Mine) : KeInsertByKeyDeviceQueue(&Queue, Mine, i);
        while (!Queued && Mine != NULL) { /* ours is handled, and then those that came meanwhile */
            if (InterlockedIncrement(&Inside) != 1) {
                Broken = 1;
            }
            InterlockedIncrement(&Handled);
            InterlockedDecrement(&Inside);
            ExFreePoolWithTag(Mine, TAG);
            Mine = KeRemoveDeviceQueue(&Queue);
        }
        KeLowerIrql(Irql);
    }
}

static PCSTR TestDeviceCrowd(VOID)
{
    KeInitializeDeviceQueue(&Queue);
    Inside = Broken = Handled = 0;
    KTEST_CHECK(KtestCrowd(6, DeviceThread) && !Broken && Handled == 6 * 300 && !Queue.Busy);
    return NULL;
}

/* ---- Remove locks ---- */

static IO_REMOVE_LOCK RemoveLock;

static PCSTR TestRemoveLock(VOID)
{
    int First, Second;
    IoInitializeRemoveLock(&RemoveLock, TAG, 0, 0);
    KTEST_CHECK(IoAcquireRemoveLock(&RemoveLock, &First) == STATUS_SUCCESS);
    KTEST_CHECK(IoAcquireRemoveLock(&RemoveLock, &Second) == STATUS_SUCCESS);
    KTEST_CHECK(IoAcquireRemoveLock(&RemoveLock, &Second) == STATUS_SUCCESS); /* a tag may be used again */
    IoReleaseRemoveLock(&RemoveLock, &Second);
    IoReleaseRemoveLock(&RemoveLock, &First);
    IoReleaseRemoveLockAndWait(&RemoveLock, &Second);
    KTEST_CHECK(IoAcquireRemoveLock(&RemoveLock, &First) == STATUS_DELETE_PENDING);
    KTEST_CHECK(IoAcquireRemoveLock(&RemoveLock, &First) == STATUS_DELETE_PENDING); /* for ever */
    return NULL;
}

/* The count becomes 0 once, and the event is set once: a request that comes afterwards does neither again.
   Otherwise a user that is just about to set the event could find the lock's memory freed by a remover whom
   such a request has woken. */
static PCSTR TestRemoveLockEnds(VOID)
{
    int Mine;
    IoInitializeRemoveLock(&RemoveLock, TAG, 0, 0);
    KTEST_CHECK(IoAcquireRemoveLock(&RemoveLock, &Mine) == STATUS_SUCCESS);
    IoReleaseRemoveLockAndWait(&RemoveLock, &Mine);
    KTEST_CHECK(IoAcquireRemoveLock(&RemoveLock, &Mine) == STATUS_DELETE_PENDING);
    KTEST_CHECK(RemoveLock.Common.IoCount == 0 && KeReadStateEvent(&RemoveLock.Common.RemoveEvent) == 0);
    return NULL;
}

static volatile LONG Removed;

static VOID UserThread(PVOID Context)
{
    while (NT_SUCCESS(IoAcquireRemoveLock(&RemoveLock, Context))) {
        InterlockedIncrement(&Inside);
        if (Removed) {
            Broken = 1;
        }
        InterlockedDecrement(&Inside);
        IoReleaseRemoveLock(&RemoveLock, Context);
    }
}

static PCSTR TestRemoveRace(VOID)
{
    for (ULONG Round = 0; Round < 50; Round++) {
        PETHREAD Threads[4];
        IoInitializeRemoveLock(&RemoveLock, TAG, 1, 100);
        Inside = Removed = Broken = 0;
        KTEST_CHECK(NT_SUCCESS(IoAcquireRemoveLock(&RemoveLock, &RemoveLock)));
        for (ULONG i = 0; i < 4; i++) {
            Threads[i] = KtestStart(UserThread, &Threads[i]);
            KTEST_CHECK(Threads[i] != NULL);
        }
        KtestSleep(Round % 3);
        IoReleaseRemoveLockAndWait(&RemoveLock, &RemoveLock);
        LONG Left = Inside;
        Removed = 1;
        for (ULONG i = 0; i < 4; i++) {
            KtestJoin(Threads[i]);
        }
        KTEST_CHECK(Left == 0 && !Broken);
    }
    return NULL;
}

/* ---- Pool by its newer and older names; routines by name ---- */

static BOOLEAN IsFilled(const UCHAR *Block, ULONG Size, UCHAR With)
{
    while (Size > 0 && Block[Size - 1] == With) {
        Size--;
    }
    return Size == 0;
}

static PCSTR TestPoolNames(VOID)
{
    PUCHAR Block[8];
    Block[0] = ExAllocatePoolZero(NonPagedPoolNx, 333, TAG);
    Block[1] = ExAllocatePoolUninitialized(PagedPool, 333, TAG);
    Block[2] = ExAllocatePoolQuotaZero(NonPagedPoolNx, 3000, TAG);
    Block[3] = ExAllocatePool((POOL_TYPE)(NonPagedPool | POOL_NX_ALLOCATION), 20);
    Block[4] = ExAllocatePoolWithTagPriority(NonPagedPoolNx, 20, TAG, HighPoolPriority);
    Block[5] = ExAllocatePoolWithQuotaTag(NonPagedPoolNx, 20, TAG);
    Block[6] = ExAllocatePoolWithTag(NonPagedPoolNxCacheAligned, 20, TAG);
    Block[7] = ExAllocatePool2(POOL_FLAG_NON_PAGED | POOL_FLAG_CACHE_ALIGNED | POOL_FLAG_USE_QUOTA, 20, TAG);
    for (ULONG i = 0; i < ARRAYSIZE(Block); i++) {
        KTEST_CHECK(Block[i] != NULL);
    }
    KTEST_CHECK(IsFilled(Block[0], 333, 0) && IsFilled(Block[2], 3000, 0) && IsFilled(Block[7], 20, 0));
    KTEST_CHECK((ULONG_PTR)Block[6] % 64 == 0 && (ULONG_PTR)Block[7] % 64 == 0);
    KTEST_CHECK(ExAllocatePool2(POOL_FLAG_PAGED | 0x80, 20, TAG) == NULL);
    for (ULONG i = 0; i < ARRAYSIZE(Block); i++) {
        ExFreePool2(Block[i], i == 3 ? 0 : TAG, NULL, 0);
    }
    return NULL;
}

#define HUGE ((SIZE_T)1 << 46)

static PCSTR TestPoolRaises(VOID)
{
    volatile ULONG Raised = 0;
    KTEST_CHECK(ExAllocatePoolWithQuotaTag((POOL_TYPE)(NonPagedPoolNx | POOL_QUOTA_FAIL_INSTEAD_OF_RAISE), HUGE, TAG) == NULL);
    for (volatile ULONG i = 0; i < 4; i++) {
        _SEH2_TRY
        {
            PVOID Block = i == 0   ? ExAllocatePoolWithQuotaTag(NonPagedPoolNx, HUGE, TAG)
                          : i == 1 ? ExAllocatePool2(POOL_FLAG_NON_PAGED | POOL_FLAG_RAISE_ON_FAILURE, HUGE, TAG)
                          : i == 2 ? ExAllocatePoolZero((POOL_TYPE)POOL_RAISE_IF_ALLOCATION_FAILURE, HUGE, TAG)
                                   : ExAllocatePoolQuotaZero(NonPagedPoolNxCacheAligned, HUGE, TAG);
            DbgPrint("exhelpers: allocation %u gave %p\n", i, Block);
        }
        _SEH2_EXCEPT(EXCEPTION_EXECUTE_HANDLER)
        {
            Raised += _SEH2_GetExceptionCode() == STATUS_INSUFFICIENT_RESOURCES;
        }
        _SEH2_END;
    }
    KTEST_CHECK(Raised == 4);
    return NULL;
}

static PVOID Address(PCWSTR Text)
{
    UNICODE_STRING Name;
    RtlInitUnicodeString(&Name, Text);
    return MmGetSystemRoutineAddress(&Name);
}

static PCSTR TestRoutineAddress(VOID)
{
    KTEST_CHECK(Address(L"KeSetEvent") == (PVOID)KeSetEvent && Address(L"PsProcessType") == (PVOID)&PsProcessType);
    KTEST_CHECK(Address(L"KeSetEven") == NULL && Address(L"KeSetEvents") == NULL && Address(L"") == NULL);
    KTEST_CHECK(Address(L"KiSwapThread") == NULL); /* the kernel's own */
    KTEST_CHECK(LdrFindExport("KeSetEvent") == (PVOID)KeSetEvent && LdrFindExport("KeSetEven") == NULL);
    /* Of the driver library: one that this module calls anyway, one that it does not. */
    KTEST_CHECK(Address(L"MmGetSystemRoutineAddress") == (PVOID)MmGetSystemRoutineAddress);
    VOID (*QueryTickCount)(PLARGE_INTEGER) = (VOID (*)(PLARGE_INTEGER))Address(L"KeQueryTickCount");
    LARGE_INTEGER Ticks = {.QuadPart = -1};
    KTEST_CHECK(QueryTickCount != NULL);
    QueryTickCount(&Ticks);
    KTEST_CHECK(Ticks.QuadPart >= 0);
    return NULL;
}

/* ---- Timers that the system allocates ---- */

typedef struct _TICKS {
    volatile LONG Calls, Deleted;
    BOOLEAN Again; /* its routine sets it again, until it has been called three times */
    KIRQL Irql;
    KEVENT Gone;
    PEX_TIMER Timer;
} TICKS;

static VOID Tick(PEX_TIMER Timer, PVOID Context)
{
    TICKS *Ticks = Context;
    Ticks->Irql = KeGetCurrentIrql();
    Ticks->Timer = Timer;
    if (InterlockedIncrement(&Ticks->Calls) < 3 && Ticks->Again) {
        ExSetTimer(Timer, -1, 0, NULL);
    }
}

static VOID NoteDeleted(PVOID Context)
{
    TICKS *Ticks = Context;
    InterlockedIncrement(&Ticks->Deleted);
    KeSetEvent(&Ticks->Gone, IO_NO_INCREMENT, FALSE);
}

static PEX_TIMER NewTicks(TICKS *Ticks, PEXT_DELETE_PARAMETERS Parameters, ULONG Attributes)
{
    RtlZeroMemory(Ticks, sizeof(*Ticks));
    KeInitializeEvent(&Ticks->Gone, NotificationEvent, FALSE);
    ExInitializeDeleteTimerParameters(Parameters);
    Parameters->DeleteCallback = NoteDeleted;
    Parameters->DeleteContext = Ticks;
    return ExAllocateTimer(Tick, Ticks, Attributes);
}

static PCSTR TestExTimer(VOID)
{
    EXT_DELETE_PARAMETERS Parameters;
    EXT_SET_PARAMETERS Set;
    LARGE_INTEGER Zero = {.QuadPart = 0};
    TICKS Ticks;
    KTEST_CHECK(ExAllocateTimer(Tick, NULL, 1) == NULL);
    KTEST_CHECK(ExAllocateTimer(Tick, NULL, EX_TIMER_HIGH_RESOLUTION | EX_TIMER_NO_WAKE) == NULL);
    PEX_TIMER Timer = NewTicks(&Ticks, &Parameters, EX_TIMER_HIGH_RESOLUTION | EX_TIMER_NOTIFICATION);
    KTEST_CHECK(Timer != NULL && !ExCancelTimer(Timer, NULL));
    KTEST_CHECK(!ExSetTimer(Timer, -36000000000LL, 0, NULL) && ExSetTimer(Timer, -36000000000LL, 0, NULL) && ExCancelTimer(Timer, NULL));
    KTEST_CHECK(Ticks.Calls == 0);
    KTEST_CHECK(!ExSetTimer(Timer, -10000, 0, NULL));
    KeWaitForSingleObject(Timer, Executive, KernelMode, FALSE, NULL); /* as for a KTIMER: its routine runs about now */
    KTEST_CHECK(KeWaitForSingleObject(Timer, Executive, KernelMode, FALSE, &Zero) == STATUS_SUCCESS);
    KeFlushQueuedDpcs();
    KTEST_CHECK(Ticks.Calls == 1 && Ticks.Irql == DISPATCH_LEVEL && Ticks.Timer == Timer);
    /* periodic, until it is deleted */
    ExInitializeSetTimerParameters(&Set);
    ExSetTimer(Timer, -1, 5000, &Set); /* half a millisecond: one */
    while (Ticks.Calls < 4) {
        KtestSleep(1);
    }
    KTEST_CHECK(ExDeleteTimer(Timer, TRUE, TRUE, &Parameters) && Ticks.Deleted == 1);
    LONG Calls = Ticks.Calls;
    KtestSleep(5);
    KTEST_CHECK(Ticks.Calls == Calls);
    return NULL;
}

/* Deleted without waiting: cancelled; after it has expired once more, which its routine has put off; while it
   is periodic. */
static PCSTR TestExTimerDeletion(VOID)
{
    EXT_DELETE_PARAMETERS Parameters;
    TICKS Ticks;
    for (ULONG i = 0; i < 40; i++) {
        PEX_TIMER Timer = NewTicks(&Ticks, &Parameters, 0);
        KTEST_CHECK(Timer != NULL);
        Ticks.Again = i % 4 == 1;
        ExSetTimer(Timer, i % 4 == 0 ? -36000000000LL : -10000 * (LONGLONG)(i % 3), i % 4 == 3 ? 10000 : 0, NULL);
        BOOLEAN Cancelled = ExDeleteTimer(Timer, i % 4 == 0 || i % 4 == 3, FALSE, &Parameters);
        KTEST_CHECK(i % 4 != 0 || Cancelled);
        KeWaitForSingleObject(&Ticks.Gone, Executive, KernelMode, FALSE, NULL);
        KTEST_CHECK(Ticks.Deleted == 1);
        KTEST_CHECK(i % 4 == 0 ? Ticks.Calls == 0 : i % 4 == 2 ? Ticks.Calls == 1 : TRUE);
    }
    return NULL;
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    KtestRun("exhelpers.lookaside-status-4-and-5", TestLookasideStatus);
    KtestRun("exhelpers.lookaside-keeps-and-flushes", TestLookasideKeeps);
    KtestRun("exhelpers.lookaside-depth-follows-use", TestLookasideTunes);
    KtestRun("exhelpers.lookaside-failure", TestLookasideFails);
    KtestRun("exhelpers.lookaside-old-forms", TestLookasideOld);
    KtestRun("exhelpers.lookaside-crowd", TestLookasideCrowd);
    KtestRun("exhelpers.callback-names", TestCallbackNames);
    KtestRun("exhelpers.callback-system-objects", TestSystemCallbacks);
    KtestRun("exhelpers.callback-single", TestSingleCallback);
    KtestRun("exhelpers.callback-order-level-arguments", TestNotify);
    KtestRun("exhelpers.callback-unregister-inside", TestUnregisterInside);
    KtestRun("exhelpers.callback-unregister-waits", TestUnregisterWaits);
    KtestRun("exhelpers.callback-churn", TestCallbackChurn);
    KtestRun("exhelpers.device-queue", TestDeviceQueue);
    KtestRun("exhelpers.device-queue-by-key", TestDeviceQueueByKey);
    KtestRun("exhelpers.device-queue-crowd", TestDeviceCrowd);
    KtestRun("exhelpers.remove-lock", TestRemoveLock);
    KtestRun("exhelpers.remove-lock-ends-once", TestRemoveLockEnds);
    KtestRun("exhelpers.remove-lock-race", TestRemoveRace);
    KtestRun("exhelpers.pool-names", TestPoolNames);
    KtestRun("exhelpers.pool-raises", TestPoolRaises);
    KtestRun("exhelpers.routine-address", TestRoutineAddress);
    KtestRun("exhelpers.allocated-timers", TestExTimer);
    KtestRun("exhelpers.allocated-timers-deleted", TestExTimerDeletion);
    return STATUS_SUCCESS;
}
