/* SPDX-License-Identifier: MIT */
/* What runs later or elsewhere: DPCs, threaded DPCs, APCs, work items, callback objects. */
#include "sync.h"

typedef struct _DEFERRED {
    KDPC Dpc;
    KSPIN_LOCK Lock;
    LONG Count; /* (Lock) */
    KIRQL Irql;
    ULONG Processor;
    PVOID Arguments[2];
    KEVENT Done;
} DEFERRED, *PDEFERRED;

static KDEFERRED_ROUTINE SyncDpc;

static VOID SyncDpc(_In_ PKDPC Dpc, _In_opt_ PVOID DeferredContext, _In_opt_ PVOID SystemArgument1,
                    _In_opt_ PVOID SystemArgument2)
{
    PDEFERRED Deferred = (PDEFERRED)DeferredContext;
    KIRQL OldIrql;

    UNREFERENCED_PARAMETER(Dpc);
    OldIrql = KeAcquireSpinLockForDpc(&Deferred->Lock);
    Deferred->Count++;
    Deferred->Irql = OldIrql;
    Deferred->Processor = KeGetCurrentProcessorNumberEx(NULL);
    Deferred->Arguments[0] = SystemArgument1;
    Deferred->Arguments[1] = SystemArgument2;
    KeReleaseSpinLockForDpc(&Deferred->Lock, OldIrql);
    KeSetEvent(&Deferred->Done, IO_NO_INCREMENT, FALSE);
}

VOID SyncTestDpcs(PDEVICE_EXTENSION Extension)
{
    static DEFERRED Deferred;
    PROCESSOR_NUMBER Number;
    ULONG Processor;
    KIRQL OldIrql;

    PAGED_CODE();

    KeInitializeSpinLock(&Deferred.Lock);
    KeInitializeEvent(&Deferred.Done, SynchronizationEvent, FALSE);
    KeInitializeDpc(&Deferred.Dpc, SyncDpc, &Deferred);

    /* At DISPATCH_LEVEL it stays queued, once, with the first arguments. */
    KeRaiseIrql(DISPATCH_LEVEL, &OldIrql);
    CHECK(KeInsertQueueDpc(&Deferred.Dpc, &Deferred, Extension));
    CHECK(!KeInsertQueueDpc(&Deferred.Dpc, NULL, NULL));
    CHECK(Deferred.Count == 0);
    KeLowerIrql(OldIrql);
    CHECK(KeWaitForSingleObject(&Deferred.Done, Executive, KernelMode, FALSE, NULL) == STATUS_SUCCESS);
    CHECK(Deferred.Count == 1 && Deferred.Irql == DISPATCH_LEVEL);
    CHECK(Deferred.Arguments[0] == &Deferred && Deferred.Arguments[1] == Extension);

    KeRaiseIrql(DISPATCH_LEVEL, &OldIrql);
    CHECK(KeInsertQueueDpc(&Deferred.Dpc, NULL, NULL));
    CHECK(KeRemoveQueueDpc(&Deferred.Dpc));
    CHECK(!KeRemoveQueueDpc(&Deferred.Dpc));
    KeLowerIrql(OldIrql);
    CHECK(!KeRemoveQueueDpcEx(&Deferred.Dpc, TRUE));
    CHECK(Deferred.Count == 1);

    /* On each processor in turn, by both names. */
    KeSetImportanceDpc(&Deferred.Dpc, HighImportance);
    for (Processor = 0; Processor < Extension->Processors; Processor++) {
        CHECK(NT_SUCCESS(KeGetProcessorNumberFromIndex(Processor, &Number)));
        if (Processor % 2 == 0) {
            KeSetTargetProcessorDpc(&Deferred.Dpc, (CCHAR)Processor);
        } else {
            CHECK(NT_SUCCESS(KeSetTargetProcessorDpcEx(&Deferred.Dpc, &Number)));
        }
        CHECK(KeInsertQueueDpc(&Deferred.Dpc, NULL, NULL));
        CHECK(KeWaitForSingleObject(&Deferred.Done, Executive, KernelMode, FALSE, NULL) == STATUS_SUCCESS);
        CHECK(Deferred.Processor == Processor);
    }
    KeFlushQueuedDpcs();
    CHECK(Deferred.Count == (LONG)Extension->Processors + 1);
}

VOID SyncTestThreadedDpc(PDEVICE_EXTENSION Extension)
{
    static DEFERRED Deferred;

    PAGED_CODE();

    KeInitializeSpinLock(&Deferred.Lock);
    KeInitializeEvent(&Deferred.Done, SynchronizationEvent, FALSE);
    KeInitializeThreadedDpc(&Deferred.Dpc, SyncDpc, &Deferred);
    CHECK(KeInsertQueueDpc(&Deferred.Dpc, NULL, NULL));
    CHECK(KeWaitForSingleObject(&Deferred.Done, Executive, KernelMode, FALSE, NULL) == STATUS_SUCCESS);
    CHECK(Deferred.Irql == PASSIVE_LEVEL);
    KeFlushQueuedDpcs();
    CHECK(!KeRemoveQueueDpcEx(&Deferred.Dpc, TRUE));
}

typedef struct _REQUEST {
    KAPC Apc;
    volatile LONG KernelCalls, NormalCalls;
    KIRQL KernelIrql, NormalIrql;
    KEVENT Done;
} REQUEST, *PREQUEST;

static KKERNEL_ROUTINE RequestKernel;
static KNORMAL_ROUTINE RequestNormal;

static VOID RequestKernel(_In_ PKAPC Apc, _Inout_ PKNORMAL_ROUTINE *NormalRoutine,
                          _Inout_ PVOID *NormalContext, _Inout_ PVOID *SystemArgument1,
                          _Inout_ PVOID *SystemArgument2)
{
    PREQUEST Request = CONTAINING_RECORD(Apc, REQUEST, Apc);

    UNREFERENCED_PARAMETER(NormalContext);
    UNREFERENCED_PARAMETER(SystemArgument1);
    UNREFERENCED_PARAMETER(SystemArgument2);
    Request->KernelIrql = KeGetCurrentIrql();
    InterlockedIncrement(&Request->KernelCalls);
    if (*NormalRoutine == NULL) {
        KeSetEvent(&Request->Done, IO_NO_INCREMENT, FALSE);
    }
}

static VOID RequestNormal(_In_opt_ PVOID NormalContext, _In_opt_ PVOID SystemArgument1,
                          _In_opt_ PVOID SystemArgument2)
{
    PREQUEST Request = (PREQUEST)NormalContext;

    UNREFERENCED_PARAMETER(SystemArgument1);
    UNREFERENCED_PARAMETER(SystemArgument2);
    Request->NormalIrql = KeGetCurrentIrql();
    InterlockedIncrement(&Request->NormalCalls);
    KeSetEvent(&Request->Done, IO_NO_INCREMENT, FALSE);
}

typedef struct _TARGET {
    KEVENT Ready, Stop;
    NTSTATUS Status;
} TARGET, *PTARGET;

/* System threads begin in a critical region: this one leaves it, and takes APCs while it waits. */
static VOID TakeApcs(_In_ PVOID StartContext)
{
    PTARGET Target = (PTARGET)StartContext;

    KeLeaveCriticalRegion();
    KeSetEvent(&Target->Ready, IO_NO_INCREMENT, FALSE);
    Target->Status = KeWaitForSingleObject(&Target->Stop, Executive, KernelMode, FALSE, NULL);
    KeSetEvent(&Target->Ready, IO_NO_INCREMENT, FALSE);
    KeClearEvent(&Target->Stop);
    Target->Status = KeWaitForSingleObject(&Target->Stop, Executive, KernelMode, TRUE, NULL);
    KeEnterCriticalRegion();
    PsTerminateSystemThread(STATUS_SUCCESS);
}

VOID SyncTestApcs(PDEVICE_EXTENSION Extension)
{
    static REQUEST Special, Normal;
    static TARGET Target;
    PKTHREAD Thread = NULL;
    KIRQL OldIrql;

    PAGED_CODE();

    KeInitializeEvent(&Special.Done, SynchronizationEvent, FALSE);
    KeInitializeEvent(&Normal.Done, SynchronizationEvent, FALSE);
    KeInitializeEvent(&Target.Ready, SynchronizationEvent, FALSE);
    KeInitializeEvent(&Target.Stop, NotificationEvent, FALSE);

    /* A special kernel APC for this thread waits until the level allows it. */
    KeInitializeApc(&Special.Apc, KeGetCurrentThread(), OriginalApcEnvironment, RequestKernel, NULL, NULL,
                    KernelMode, NULL);
    KeRaiseIrql(APC_LEVEL, &OldIrql);
    CHECK(KeInsertQueueApc(&Special.Apc, NULL, NULL, IO_NO_INCREMENT));
    CHECK(!KeInsertQueueApc(&Special.Apc, NULL, NULL, IO_NO_INCREMENT));
    CHECK(Special.KernelCalls == 0);
    KeLowerIrql(OldIrql);
    CHECK(Special.KernelCalls == 1 && Special.KernelIrql == APC_LEVEL);
    KeEnterGuardedRegion();
    CHECK(KeInsertQueueApc(&Special.Apc, NULL, NULL, IO_NO_INCREMENT));
    CHECK(KeRemoveQueueApc(&Special.Apc));
    KeLeaveGuardedRegion();
    CHECK(Special.KernelCalls == 1);

    /* A normal one interrupts another thread's wait, which then goes on. */
    CHECK(NT_SUCCESS(SyncStartThread(TakeApcs, &Target, &Thread)));
    KeWaitForSingleObject(&Target.Ready, Executive, KernelMode, FALSE, NULL);
    KeInitializeApc(&Normal.Apc, Thread, OriginalApcEnvironment, RequestKernel, NULL, RequestNormal,
                    KernelMode, &Normal);
    CHECK(KeInsertQueueApc(&Normal.Apc, NULL, NULL, IO_NO_INCREMENT));
    CHECK(KeWaitForSingleObject(&Normal.Done, Executive, KernelMode, FALSE, NULL) == STATUS_SUCCESS);
    CHECK(Normal.KernelCalls == 1 && Normal.KernelIrql == APC_LEVEL);
    CHECK(Normal.NormalCalls == 1 && Normal.NormalIrql == PASSIVE_LEVEL);

    /* An alert ends an alertable wait. */
    KeSetEvent(&Target.Stop, IO_NO_INCREMENT, FALSE);
    KeWaitForSingleObject(&Target.Ready, Executive, KernelMode, FALSE, NULL);
    CHECK(Target.Status == STATUS_SUCCESS);
    KeAlertThread(Thread, KernelMode);
    SyncJoinThread(Thread);
    CHECK(Target.Status == STATUS_ALERTED);
    CHECK(!KeTestAlertThread(KernelMode));
}

typedef struct _WORK {
    WORK_QUEUE_ITEM Item;
    KEVENT Done;
    volatile LONG Count;
    KIRQL Irql;
    PEPROCESS Process;
    PVOID IoObject;
} WORK, *PWORK;

static WORKER_THREAD_ROUTINE ExWork;
static IO_WORKITEM_ROUTINE IoWork;
static IO_WORKITEM_ROUTINE_EX IoWorkEx;

static VOID NoteWork(_Inout_ PWORK Work)
{
    Work->Irql = KeGetCurrentIrql();
    Work->Process = PsGetCurrentProcess();
    InterlockedIncrement(&Work->Count);
    KeSetEvent(&Work->Done, IO_NO_INCREMENT, FALSE);
}

static VOID ExWork(_In_ PVOID Parameter)
{
    NoteWork((PWORK)Parameter);
}

static VOID IoWork(_In_ PDEVICE_OBJECT DeviceObject, _In_opt_ PVOID Context)
{
    ((PWORK)Context)->IoObject = DeviceObject;
    NoteWork((PWORK)Context);
}

static VOID IoWorkEx(_In_ PVOID IoObject, _In_opt_ PVOID Context, _In_ PIO_WORKITEM IoWorkItem)
{
    ((PWORK)Context)->IoObject = IoObject;
    IoFreeWorkItem(IoWorkItem);
    NoteWork((PWORK)Context);
}

VOID SyncTestWorkItems(PDEVICE_EXTENSION Extension)
{
    static WORK Work;
    PDEVICE_OBJECT DeviceObject = (PDEVICE_OBJECT)Extension; /* handed through */
    PIO_WORKITEM IoWorkItem;

    PAGED_CODE();

    KeInitializeEvent(&Work.Done, SynchronizationEvent, FALSE);
    ExInitializeWorkItem(&Work.Item, ExWork, &Work);
    ExQueueWorkItem(&Work.Item, DelayedWorkQueue);
    CHECK(KeWaitForSingleObject(&Work.Done, Executive, KernelMode, FALSE, NULL) == STATUS_SUCCESS);
    CHECK(Work.Irql == PASSIVE_LEVEL && Work.Process == PsInitialSystemProcess);
    ExInitializeWorkItem(&Work.Item, ExWork, &Work);
    ExQueueWorkItem(&Work.Item, CriticalWorkQueue);
    CHECK(KeWaitForSingleObject(&Work.Done, Executive, KernelMode, FALSE, NULL) == STATUS_SUCCESS);

    IoWorkItem = IoAllocateWorkItem(DeviceObject);
    CHECK(IoWorkItem != NULL);
    if (IoWorkItem != NULL) {
        IoQueueWorkItem(IoWorkItem, IoWork, DelayedWorkQueue, &Work);
        CHECK(KeWaitForSingleObject(&Work.Done, Executive, KernelMode, FALSE, NULL) == STATUS_SUCCESS);
        CHECK(Work.IoObject == DeviceObject);
        IoQueueWorkItemEx(IoWorkItem, IoWorkEx, DelayedWorkQueue, &Work);
        CHECK(KeWaitForSingleObject(&Work.Done, Executive, KernelMode, FALSE, NULL) == STATUS_SUCCESS);
    }

    IoWorkItem = (PIO_WORKITEM)ExAllocatePoolWithTag(NonPagedPoolNx, IoSizeofWorkItem(), SYNC_POOL_TAG);
    CHECK(IoWorkItem != NULL);
    if (IoWorkItem != NULL) {
        IoInitializeWorkItem(Extension, IoWorkItem);
        IoQueueWorkItem(IoWorkItem, IoWork, DelayedWorkQueue, &Work);
        CHECK(KeWaitForSingleObject(&Work.Done, Executive, KernelMode, FALSE, NULL) == STATUS_SUCCESS);
        IoUninitializeWorkItem(IoWorkItem);
        ExFreePoolWithTag(IoWorkItem, SYNC_POOL_TAG);
    }
    CHECK(Work.Count == 5);
}

typedef struct _NOTED {
    PVOID Argument1, Argument2;
    LONG Count;
} NOTED, *PNOTED;

static CALLBACK_FUNCTION NoteCallback;

static VOID NoteCallback(_In_opt_ PVOID CallbackContext, _In_opt_ PVOID Argument1, _In_opt_ PVOID Argument2)
{
    PNOTED Noted = (PNOTED)CallbackContext;

    Noted->Argument1 = Argument1;
    Noted->Argument2 = Argument2;
    Noted->Count++;
}

VOID SyncTestCallbacks(PDEVICE_EXTENSION Extension)
{
    UNICODE_STRING Name;
    OBJECT_ATTRIBUTES Attributes;
    PCALLBACK_OBJECT CallbackObject = NULL;
    PVOID Registration;
    NOTED Noted = {.Count = 0};

    PAGED_CODE();

    RtlInitUnicodeString(&Name, L"\\Callback\\SyncDriver");
    InitializeObjectAttributes(&Attributes, &Name, OBJ_CASE_INSENSITIVE, NULL, NULL);
    CHECK(NT_SUCCESS(ExCreateCallback(&CallbackObject, &Attributes, TRUE, TRUE)));
    if (CallbackObject == NULL) {
        return;
    }
    Registration = ExRegisterCallback(CallbackObject, NoteCallback, &Noted);
    CHECK(Registration != NULL);
    ExNotifyCallback(CallbackObject, Extension, &Noted);
    CHECK(Noted.Count == 1 && Noted.Argument1 == Extension && Noted.Argument2 == &Noted);
    ExUnregisterCallback(Registration);
    ExNotifyCallback(CallbackObject, NULL, NULL);
    CHECK(Noted.Count == 1);
    ObDereferenceObject(CallbackObject);
}
