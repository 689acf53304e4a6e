/* SPDX-License-Identifier: MIT */
/* Events, semaphores, mutexes, timers, queues; waits for one and for several. */
#include "sync.h"

static KSTART_ROUTINE SignalAfterStart;
static KSTART_ROUTINE OwnAndRelease;
static KSTART_ROUTINE SyncWorker;
static KDEFERRED_ROUTINE CountDpc;

static VOID SignalAfterStart(_In_ PVOID StartContext)
{
    PDEVICE_EXTENSION Extension = (PDEVICE_EXTENSION)StartContext;

    KeWaitForSingleObject(&Extension->Started, Executive, KernelMode, FALSE, NULL);
    KeSetEvent(&Extension->Stop, IO_NO_INCREMENT, FALSE);
    PsTerminateSystemThread(STATUS_SUCCESS);
}

VOID SyncTestEvents(PDEVICE_EXTENSION Extension)
{
    KEVENT Notification, Synchronization;
    LARGE_INTEGER Zero = {.QuadPart = 0};
    PKTHREAD Thread = NULL;

    PAGED_CODE();

    KeInitializeEvent(&Notification, NotificationEvent, FALSE);
    KeInitializeEvent(&Synchronization, SynchronizationEvent, TRUE);

    CHECK(KeReadStateEvent(&Notification) == 0);
    CHECK(KeWaitForSingleObject(&Notification, Executive, KernelMode, FALSE, &Zero) == STATUS_TIMEOUT);
    CHECK(KeSetEvent(&Notification, IO_NO_INCREMENT, FALSE) == 0);
    CHECK(KeSetEvent(&Notification, IO_NO_INCREMENT, FALSE) != 0);
    CHECK(KeWaitForSingleObject(&Notification, Executive, KernelMode, FALSE, &Zero) == STATUS_SUCCESS);
    CHECK(KeReadStateEvent(&Notification) != 0);
    CHECK(KeResetEvent(&Notification) != 0);
    CHECK(KeResetEvent(&Notification) == 0);
    CHECK(KePulseEvent(&Notification, IO_NO_INCREMENT, FALSE) == 0);
    CHECK(KeReadStateEvent(&Notification) == 0);
    KeSetEvent(&Notification, EVENT_INCREMENT, FALSE);
    KeClearEvent(&Notification);
    CHECK(KeReadStateEvent(&Notification) == 0);

    /* A synchronization event is reset by the wait that it satisfies. */
    CHECK(KeWaitForSingleObject(&Synchronization, Executive, KernelMode, FALSE, &Zero) == STATUS_SUCCESS);
    CHECK(KeWaitForSingleObject(&Synchronization, Executive, KernelMode, FALSE, &Zero) == STATUS_TIMEOUT);

    /* The caller will wait next: signal and wait are one step for the scheduler. */
    CHECK(NT_SUCCESS(SyncStartThread(SignalAfterStart, Extension, &Thread)));
    KeSetEvent(&Extension->Started, IO_NO_INCREMENT, TRUE);
    CHECK(KeWaitForSingleObject(&Extension->Stop, Executive, KernelMode, FALSE, NULL) == STATUS_SUCCESS);
    CHECK(KeGetCurrentIrql() == PASSIVE_LEVEL);
    SyncJoinThread(Thread);
    KeClearEvent(&Extension->Stop);
}

VOID SyncTestSemaphores(PDEVICE_EXTENSION Extension)
{
    KSEMAPHORE Semaphore;
    LARGE_INTEGER Zero = {.QuadPart = 0};
    volatile NTSTATUS Raised = STATUS_SUCCESS;

    PAGED_CODE();

    KeInitializeSemaphore(&Semaphore, 1, 3);
    CHECK(KeReadStateSemaphore(&Semaphore) == 1);
    CHECK(KeReleaseSemaphore(&Semaphore, IO_NO_INCREMENT, 2, FALSE) == 1);
    CHECK(KeReadStateSemaphore(&Semaphore) == 3);
    _SEH2_TRY
        {
            KeReleaseSemaphore(&Semaphore, IO_NO_INCREMENT, 1, FALSE);
        }
        _SEH2_EXCEPT(EXCEPTION_EXECUTE_HANDLER)
        {
            Raised = _SEH2_GetExceptionCode();
        }
        _SEH2_END;
        CHECK(Raised == STATUS_SEMAPHORE_LIMIT_EXCEEDED);
        CHECK(KeReadStateSemaphore(&Semaphore) == 3);
        CHECK(KeWaitForSingleObject(&Semaphore, Executive, KernelMode, FALSE, NULL) == STATUS_SUCCESS);
        CHECK(KeWaitForSingleObject(&Semaphore, Executive, KernelMode, FALSE, NULL) == STATUS_SUCCESS);
        CHECK(KeWaitForSingleObject(&Semaphore, Executive, KernelMode, FALSE, &Zero) == STATUS_SUCCESS);
        CHECK(KeWaitForSingleObject(&Semaphore, Executive, KernelMode, FALSE, &Zero) == STATUS_TIMEOUT);
}

typedef struct _OWNER {
    KMUTEX *Mutex;
    KEVENT Owns, Release;
    LARGE_INTEGER Limit;
    NTSTATUS Status;
} OWNER, *POWNER;

static VOID OwnAndRelease(_In_ PVOID StartContext)
{
    POWNER Owner = (POWNER)StartContext;

    Owner->Status = KeWaitForMutexObject(Owner->Mutex, Executive, KernelMode, FALSE, NULL);
    KeSetEvent(&Owner->Owns, IO_NO_INCREMENT, FALSE);
    KeWaitForSingleObject(&Owner->Release, Executive, KernelMode, FALSE, NULL);
    KeReleaseMutex(Owner->Mutex, FALSE);
    PsTerminateSystemThread(STATUS_SUCCESS);
}

VOID SyncTestMutexes(PDEVICE_EXTENSION Extension)
{
    KMUTEX Mutex;
    OWNER Owner = {.Mutex = &Mutex};
    LARGE_INTEGER Limit;
    PKTHREAD Thread = NULL;
    volatile NTSTATUS Raised = STATUS_SUCCESS;

    PAGED_CODE();

    KeInitializeMutex(&Mutex, 0);
    CHECK(KeReadStateMutex(&Mutex) == 1);
    CHECK(KeWaitForSingleObject(&Mutex, Executive, KernelMode, FALSE, NULL) == STATUS_SUCCESS);
    CHECK(KeWaitForSingleObject(&Mutex, Executive, KernelMode, FALSE, NULL) == STATUS_SUCCESS);
    CHECK(KeReadStateMutex(&Mutex) == -1);
    CHECK(KeAreApcsDisabled());
    CHECK(KeReleaseMutex(&Mutex, FALSE) == -1);
    CHECK(KeReleaseMutex(&Mutex, FALSE) == 0);
    CHECK(KeReadStateMutex(&Mutex) == 1);

    KeInitializeEvent(&Owner.Owns, NotificationEvent, FALSE);
    KeInitializeEvent(&Owner.Release, NotificationEvent, FALSE);
    CHECK(NT_SUCCESS(SyncStartThread(OwnAndRelease, &Owner, &Thread)));
    KeWaitForSingleObject(&Owner.Owns, Executive, KernelMode, FALSE, NULL);
    Limit.QuadPart = RELATIVE_MS(20);
    CHECK(KeWaitForSingleObject(&Mutex, Executive, KernelMode, FALSE, &Limit) == STATUS_TIMEOUT);
    _SEH2_TRY
        {
            KeReleaseMutex(&Mutex, FALSE);
        }
        _SEH2_EXCEPT(EXCEPTION_EXECUTE_HANDLER)
        {
            Raised = _SEH2_GetExceptionCode();
        }
        _SEH2_END;
        CHECK(Raised == STATUS_MUTANT_NOT_OWNED);
        KeSetEvent(&Owner.Release, IO_NO_INCREMENT, FALSE);
        CHECK(KeWaitForSingleObject(&Mutex, Executive, KernelMode, FALSE, NULL) == STATUS_SUCCESS);
        KeReleaseMutex(&Mutex, FALSE);
        SyncJoinThread(Thread);
        CHECK(Owner.Status == STATUS_SUCCESS);
}

VOID SyncTestMultiple(PDEVICE_EXTENSION Extension)
{
    KEVENT Events[MAXIMUM_WAIT_OBJECTS];
    PVOID Objects[MAXIMUM_WAIT_OBJECTS];
    PKTHREAD Threads[4] = {NULL};
    LARGE_INTEGER Zero = {.QuadPart = 0};
    PKWAIT_BLOCK WaitBlocks;
    ULONG Index;

    PAGED_CODE();

    WaitBlocks = (PKWAIT_BLOCK)ExAllocatePoolWithTag(
        NonPagedPoolNx, sizeof(KWAIT_BLOCK) * MAXIMUM_WAIT_OBJECTS, SYNC_POOL_TAG);
    CHECK(WaitBlocks != NULL);
    if (WaitBlocks == NULL) {
        return;
    }
    for (Index = 0; Index < MAXIMUM_WAIT_OBJECTS; Index++) {
        KeInitializeEvent(&Events[Index], SynchronizationEvent, FALSE);
        Objects[Index] = &Events[Index];
    }
    KeSetEvent(&Events[63], IO_NO_INCREMENT, FALSE);
    CHECK(KeWaitForMultipleObjects(64, Objects, WaitAny, Executive, KernelMode, FALSE, NULL, WaitBlocks) ==
          STATUS_WAIT_63);
    for (Index = 0; Index < MAXIMUM_WAIT_OBJECTS - 1; Index++) {
        KeSetEvent(&Events[Index], IO_NO_INCREMENT, FALSE);
    }
    CHECK(KeWaitForMultipleObjects(64, Objects, WaitAll, Executive, KernelMode, FALSE, &Zero, WaitBlocks) ==
          STATUS_TIMEOUT);
    CHECK(KeReadStateEvent(&Events[0]) != 0); /* nothing is taken until all can be */
    KeSetEvent(&Events[63], IO_NO_INCREMENT, FALSE);
    CHECK(KeWaitForMultipleObjects(64, Objects, WaitAll, Executive, KernelMode, FALSE, NULL, WaitBlocks) ==
          STATUS_SUCCESS);
    CHECK(KeReadStateEvent(&Events[0]) == 0 && KeReadStateEvent(&Events[63]) == 0);
    ExFreePoolWithTag(WaitBlocks, SYNC_POOL_TAG);

    /* Threads are waited for like other objects, up to three without blocks of the caller's. */
    for (Index = 0; Index < THREAD_WAIT_OBJECTS; Index++) {
        CHECK(NT_SUCCESS(SyncStartThread(SignalAfterStart, Extension, &Threads[Index])));
        Objects[Index] = Threads[Index];
    }
    for (Index = 0; Index < THREAD_WAIT_OBJECTS; Index++) {
        CHECK(SyncUntil(KeReadStateEvent(&Extension->Started) == 0));
        KeSetEvent(&Extension->Started, IO_NO_INCREMENT, FALSE);
    }
    CHECK(KeWaitForMultipleObjects(THREAD_WAIT_OBJECTS, Objects, WaitAll, Executive, KernelMode, FALSE, NULL,
                                   NULL) == STATUS_SUCCESS);
    for (Index = 0; Index < THREAD_WAIT_OBJECTS; Index++) {
        CHECK(PsGetThreadExitStatus((PETHREAD)Threads[Index]) == STATUS_SUCCESS);
        ObDereferenceObject(Threads[Index]);
    }
    KeClearEvent(&Extension->Started);
    KeClearEvent(&Extension->Stop);
}

typedef struct _COUNTED_TIMER {
    KTIMER Timer;
    KDPC Dpc;
    volatile LONG Count;
} COUNTED_TIMER, *PCOUNTED_TIMER;

static VOID CountDpc(_In_ PKDPC Dpc, _In_opt_ PVOID DeferredContext, _In_opt_ PVOID SystemArgument1,
                     _In_opt_ PVOID SystemArgument2)
{
    PCOUNTED_TIMER Counted = (PCOUNTED_TIMER)DeferredContext;

    UNREFERENCED_PARAMETER(SystemArgument1);
    UNREFERENCED_PARAMETER(SystemArgument2);
    ASSERT(Dpc == &Counted->Dpc);
    InterlockedIncrement(&Counted->Count);
}

VOID SyncTestTimers(PDEVICE_EXTENSION Extension)
{
    static COUNTED_TIMER Counted;
    KTIMER Notification;
    LARGE_INTEGER DueTime, Zero = {.QuadPart = 0};

    PAGED_CODE();

    KeInitializeTimer(&Notification);
    KeInitializeTimerEx(&Counted.Timer, SynchronizationTimer);
    KeInitializeDpc(&Counted.Dpc, CountDpc, &Counted);

    /* Once, relative; a notification timer stays signalled. */
    DueTime.QuadPart = RELATIVE_MS(5);
    CHECK(KeSetTimer(&Notification, DueTime, NULL) == FALSE);
    CHECK(KeWaitForSingleObject(&Notification, Executive, KernelMode, FALSE, NULL) == STATUS_SUCCESS);
    CHECK(KeReadStateTimer(&Notification));
    CHECK(KeWaitForSingleObject(&Notification, Executive, KernelMode, FALSE, &Zero) == STATUS_SUCCESS);

    /* Absolute. */
    KeQuerySystemTime(&DueTime);
    DueTime.QuadPart += 50000;
    CHECK(KeSetTimer(&Notification, DueTime, NULL) == FALSE);
    CHECK(KeWaitForSingleObject(&Notification, Executive, KernelMode, FALSE, NULL) == STATUS_SUCCESS);

    /* Periodic with a DPC: each wait takes one signal of a synchronization timer. */
    DueTime.QuadPart = RELATIVE_MS(1);
    KeSetTimerEx(&Counted.Timer, DueTime, 10, &Counted.Dpc);
    CHECK(KeWaitForSingleObject(&Counted.Timer, Executive, KernelMode, FALSE, NULL) == STATUS_SUCCESS);
    CHECK(KeWaitForSingleObject(&Counted.Timer, Executive, KernelMode, FALSE, NULL) == STATUS_SUCCESS);
    CHECK(KeCancelTimer(&Counted.Timer));
    CHECK(!KeCancelTimer(&Counted.Timer));
    KeFlushQueuedDpcs();
    CHECK(Counted.Count >= 2);

    /* Coalescable; and a timer that is set again is queued once. */
    DueTime.QuadPart = RELATIVE_MS(60000);
    CHECK(KeSetCoalescableTimer(&Counted.Timer, DueTime, 0, 0, &Counted.Dpc) == FALSE);
    DueTime.QuadPart = RELATIVE_MS(5);
    CHECK(KeSetCoalescableTimer(&Counted.Timer, DueTime, 0, 10, &Counted.Dpc) == TRUE);
    CHECK(KeWaitForSingleObject(&Counted.Timer, Executive, KernelMode, FALSE, NULL) == STATUS_SUCCESS);
    CHECK(!KeReadStateTimer(&Counted.Timer));
    CHECK(!KeCancelTimer(&Counted.Timer));
    KeFlushQueuedDpcs();
}

typedef struct _PACKET {
    LIST_ENTRY ListEntry;
    LONG Value;
} PACKET, *PPACKET;

typedef struct _WORKERS {
    KQUEUE Queue;
    volatile LONG Sum;
    volatile LONG Rundowns;
} WORKERS, *PWORKERS;

static VOID SyncWorker(_In_ PVOID StartContext)
{
    PWORKERS Workers = (PWORKERS)StartContext;
    PLIST_ENTRY Entry;

    for (;;) {
        Entry = KeRemoveQueue(&Workers->Queue, KernelMode, NULL);
        if (Entry == (PLIST_ENTRY)(ULONG_PTR)STATUS_ABANDONED) {
            break;
        }
        InterlockedExchangeAdd(&Workers->Sum, CONTAINING_RECORD(Entry, PACKET, ListEntry)->Value);
    }
    InterlockedIncrement(&Workers->Rundowns);
    PsTerminateSystemThread(STATUS_SUCCESS);
}

VOID SyncTestQueues(PDEVICE_EXTENSION Extension)
{
    static WORKERS Workers;
    static PACKET Packets[10];
    PKTHREAD Threads[3] = {NULL};
    LARGE_INTEGER Zero = {.QuadPart = 0};
    LONG Index;

    PAGED_CODE();

    KeInitializeQueue(&Workers.Queue, 2);
    CHECK((NTSTATUS)(ULONG_PTR)KeRemoveQueue(&Workers.Queue, KernelMode, &Zero) == STATUS_TIMEOUT);
    CHECK(KeInsertQueue(&Workers.Queue, &Packets[0].ListEntry) == 0);
    CHECK(KeInsertHeadQueue(&Workers.Queue, &Packets[1].ListEntry) == 1);
    CHECK(KeReadStateQueue(&Workers.Queue) == 2);
    CHECK(KeRemoveQueue(&Workers.Queue, KernelMode, NULL) == &Packets[1].ListEntry);
    CHECK(KeRemoveQueue(&Workers.Queue, KernelMode, NULL) == &Packets[0].ListEntry);

    for (Index = 0; Index < 3; Index++) {
        CHECK(NT_SUCCESS(SyncStartThread(SyncWorker, &Workers, &Threads[Index])));
    }
    for (Index = 0; Index < 10; Index++) {
        Packets[Index].Value = Index + 1;
        KeInsertQueue(&Workers.Queue, &Packets[Index].ListEntry);
    }
    CHECK(SyncUntil(Workers.Sum == 55));
    CHECK(KeRundownQueue(&Workers.Queue) == NULL);
    for (Index = 0; Index < 3; Index++) {
        SyncJoinThread(Threads[Index]);
    }
    CHECK(Workers.Rundowns == 3);
}
