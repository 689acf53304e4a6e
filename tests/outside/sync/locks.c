/* SPDX-License-Identifier: MIT */
/* Spin locks of all kinds, blocking locks, run-down protection, remove locks, and a device's interrupt. */
#include "sync.h"

/* A thread stops after so many turns, or when a contest of queued locks crawls because processors are few. */
#define TURNS 1000
#define LONGEST 5000000 /* of a contest, in 100 ns */

typedef enum _SYNC_KIND {
    KindPlain,
    KindQueued,
    KindDpcLevel,
    KindDpcLevelQueued,
    KindTry,
    KindForDpc,
    KindForDpcQueued,
    KindExclusive,
    KindFast,
    KindFastUnsafe,
    KindGuarded,
    KindGuardedUnsafe,
    KindPush,
    KindPushTry,
    KindResource,
    KindMaximum
} SYNC_KIND;

typedef struct _CONTEST {
    SYNC_KIND Kind;
    KSPIN_LOCK SpinLock;
    EX_SPIN_LOCK ExSpinLock;
    FAST_MUTEX FastMutex;
    KGUARDED_MUTEX GuardedMutex;
    EX_PUSH_LOCK PushLock;
    ERESOURCE Resource;
    LONG Total; /* guarded by the lock of the kind */
    volatile LONG Turns;
    ULONGLONG End;
} CONTEST, *PCONTEST;

static KSTART_ROUTINE Contend;

static VOID CountUnderSpinLock(_Inout_ PCONTEST Contest)
{
    KLOCK_QUEUE_HANDLE LockHandle;
    KIRQL OldIrql;

    switch (Contest->Kind) {
    case KindPlain:
        KeAcquireSpinLock(&Contest->SpinLock, &OldIrql);
        Contest->Total++;
        KeReleaseSpinLock(&Contest->SpinLock, OldIrql);
        break;
    case KindQueued:
        KeAcquireInStackQueuedSpinLock(&Contest->SpinLock, &LockHandle);
        Contest->Total++;
        KeReleaseInStackQueuedSpinLock(&LockHandle);
        break;
    case KindDpcLevel:
        KeRaiseIrql(DISPATCH_LEVEL, &OldIrql);
        KeAcquireSpinLockAtDpcLevel(&Contest->SpinLock);
        Contest->Total++;
        KeReleaseSpinLockFromDpcLevel(&Contest->SpinLock);
        KeLowerIrql(OldIrql);
        break;
    case KindDpcLevelQueued:
        OldIrql = KeRaiseIrqlToDpcLevel();
        KeAcquireInStackQueuedSpinLockAtDpcLevel(&Contest->SpinLock, &LockHandle);
        Contest->Total++;
        KeReleaseInStackQueuedSpinLockFromDpcLevel(&LockHandle);
        KeLowerIrql(OldIrql);
        break;
    case KindTry:
        KeRaiseIrql(DISPATCH_LEVEL, &OldIrql);
        while (!KeTestSpinLock(&Contest->SpinLock) || !KeTryToAcquireSpinLockAtDpcLevel(&Contest->SpinLock)) {
            YieldProcessor();
        }
        Contest->Total++;
        KeReleaseSpinLockFromDpcLevel(&Contest->SpinLock);
        KeLowerIrql(OldIrql);
        break;
    case KindForDpc:
        OldIrql = KeAcquireSpinLockForDpc(&Contest->SpinLock);
        Contest->Total++;
        KeReleaseSpinLockForDpc(&Contest->SpinLock, OldIrql);
        break;
    case KindForDpcQueued:
        KeAcquireInStackQueuedSpinLockForDpc(&Contest->SpinLock, &LockHandle);
        Contest->Total++;
        KeReleaseInStackQueuedSpinLockForDpc(&LockHandle);
        break;
    default:
        OldIrql = ExAcquireSpinLockExclusive(&Contest->ExSpinLock);
        Contest->Total++;
        ExReleaseSpinLockExclusive(&Contest->ExSpinLock, OldIrql);
        break;
    }
}

static VOID CountUnderBlockingLock(_Inout_ PCONTEST Contest)
{
    KIRQL OldIrql;

    switch (Contest->Kind) {
    case KindFast:
        ExAcquireFastMutex(&Contest->FastMutex);
        Contest->Total++;
        ExReleaseFastMutex(&Contest->FastMutex);
        break;
    case KindFastUnsafe:
        KeRaiseIrql(APC_LEVEL, &OldIrql);
        ExAcquireFastMutexUnsafe(&Contest->FastMutex);
        Contest->Total++;
        ExReleaseFastMutexUnsafe(&Contest->FastMutex);
        KeLowerIrql(OldIrql);
        break;
    case KindGuarded:
        KeAcquireGuardedMutex(&Contest->GuardedMutex);
        Contest->Total++;
        KeReleaseGuardedMutex(&Contest->GuardedMutex);
        break;
    case KindGuardedUnsafe:
        KeEnterGuardedRegion();
        KeAcquireGuardedMutexUnsafe(&Contest->GuardedMutex);
        Contest->Total++;
        KeReleaseGuardedMutexUnsafe(&Contest->GuardedMutex);
        KeLeaveGuardedRegion();
        break;
    case KindPush:
        KeEnterCriticalRegion();
        ExAcquirePushLockExclusive(&Contest->PushLock);
        Contest->Total++;
        ExReleasePushLockExclusive(&Contest->PushLock);
        KeLeaveCriticalRegion();
        break;
    case KindPushTry:
        KeEnterCriticalRegion();
        if (!ExTryAcquirePushLockExclusive(&Contest->PushLock)) {
            ExAcquirePushLockExclusive(&Contest->PushLock);
        }
        Contest->Total++;
        ExReleasePushLockExclusive(&Contest->PushLock);
        KeLeaveCriticalRegion();
        break;
    default:
        KeEnterCriticalRegion();
        ExAcquireResourceExclusiveLite(&Contest->Resource, TRUE);
        Contest->Total++;
        ExReleaseResourceLite(&Contest->Resource);
        KeLeaveCriticalRegion();
        break;
    }
}

static VOID Contend(_In_ PVOID StartContext)
{
    PCONTEST Contest = (PCONTEST)StartContext;
    LONG Turn;

    for (Turn = 0; Turn == 0 || (Turn < TURNS && KeQueryInterruptTime() < Contest->End); Turn++) {
        if (Contest->Kind <= KindExclusive) {
            CountUnderSpinLock(Contest);
        } else {
            CountUnderBlockingLock(Contest);
        }
    }
    InterlockedExchangeAdd(&Contest->Turns, Turn);
    PsTerminateSystemThread(STATUS_SUCCESS);
}

/* Threads count under one lock; no count may be lost. */
static VOID RunContest(_Inout_ PDEVICE_EXTENSION Extension, _In_ SYNC_KIND Kind)
{
    PCONTEST Contest;
    PKTHREAD Threads[4];
    ULONG Index, Started = 0;

    PAGED_CODE();

    Contest = (PCONTEST)ExAllocatePoolZero(NonPagedPoolNx, sizeof(CONTEST), SYNC_POOL_TAG);
    CHECK(Contest != NULL);
    if (Contest == NULL) {
        return;
    }
    Contest->Kind = Kind;
    Contest->End = KeQueryInterruptTime() + LONGEST;
    KeInitializeSpinLock(&Contest->SpinLock);
    ExInitializeFastMutex(&Contest->FastMutex);
    KeInitializeGuardedMutex(&Contest->GuardedMutex);
    ExInitializePushLock(&Contest->PushLock);
    CHECK(NT_SUCCESS(ExInitializeResourceLite(&Contest->Resource)));
    for (Index = 0; Index < RTL_NUMBER_OF(Threads); Index++) {
        if (NT_SUCCESS(SyncStartThread(Contend, Contest, &Threads[Started]))) {
            Started++;
        }
    }
    for (Index = 0; Index < Started; Index++) {
        SyncJoinThread(Threads[Index]);
    }
    CHECK(Started == RTL_NUMBER_OF(Threads) && Contest->Total == Contest->Turns);
    CHECK(NT_SUCCESS(ExDeleteResourceLite(&Contest->Resource)));
    ExFreePoolWithTag(Contest, SYNC_POOL_TAG);
}

VOID SyncTestSpinLocks(PDEVICE_EXTENSION Extension)
{
    KIRQL OldIrql;
    int Kind;

    for (Kind = KindPlain; Kind <= KindExclusive; Kind++) {
        RunContest(Extension, (SYNC_KIND)Kind);
    }
    OldIrql = KeAcquireSpinLockRaiseToDpc(&Extension->Lock);
    CHECK(KeGetCurrentIrql() == DISPATCH_LEVEL && !KeTestSpinLock(&Extension->Lock));
    KeReleaseSpinLock(&Extension->Lock, OldIrql);
    CHECK(KeTestSpinLock(&Extension->Lock) && KeGetCurrentIrql() == OldIrql);
}

VOID SyncTestReaderWriter(PDEVICE_EXTENSION Extension)
{
    EX_SPIN_LOCK Lock = 0;
    KIRQL OldIrql;

    OldIrql = ExAcquireSpinLockShared(&Lock);
    CHECK(KeGetCurrentIrql() == DISPATCH_LEVEL);
    CHECK(ExTryConvertSharedSpinLockExclusive(&Lock));
    ExReleaseSpinLockExclusive(&Lock, OldIrql);

    OldIrql = KeRaiseIrqlToDpcLevel();
    ExAcquireSpinLockSharedAtDpcLevel(&Lock);
    ExReleaseSpinLockSharedFromDpcLevel(&Lock);
    CHECK(ExTryAcquireSpinLockSharedAtDpcLevel(&Lock));
    ExReleaseSpinLockSharedFromDpcLevel(&Lock);
    ExAcquireSpinLockExclusiveAtDpcLevel(&Lock);
    ExReleaseSpinLockExclusiveFromDpcLevel(&Lock);
    CHECK(ExTryAcquireSpinLockExclusiveAtDpcLevel(&Lock));
    ExReleaseSpinLockExclusiveFromDpcLevel(&Lock);
    KeLowerIrql(OldIrql);

    OldIrql = ExAcquireSpinLockShared(&Lock);
    ExReleaseSpinLockShared(&Lock, OldIrql);
    CHECK(Lock == 0);
}

VOID SyncTestFastMutexes(PDEVICE_EXTENSION Extension)
{
    FAST_MUTEX FastMutex;
    KGUARDED_MUTEX GuardedMutex;
    int Kind;

    PAGED_CODE();

    for (Kind = KindFast; Kind <= KindGuardedUnsafe; Kind++) {
        RunContest(Extension, (SYNC_KIND)Kind);
    }
    ExInitializeFastMutex(&FastMutex);
    CHECK(ExTryToAcquireFastMutex(&FastMutex));
    CHECK(KeGetCurrentIrql() == APC_LEVEL && KeAreAllApcsDisabled());
    ExReleaseFastMutex(&FastMutex);
    CHECK(KeGetCurrentIrql() == PASSIVE_LEVEL);
    KeInitializeGuardedMutex(&GuardedMutex);
    CHECK(KeTryToAcquireGuardedMutex(&GuardedMutex));
    CHECK(KeAreAllApcsDisabled());
    KeReleaseGuardedMutex(&GuardedMutex);
    CHECK(!KeAreAllApcsDisabled());
}

VOID SyncTestPushLocks(PDEVICE_EXTENSION Extension)
{
    EX_PUSH_LOCK PushLock;
    BOOLEAN Acquired;

    PAGED_CODE();

    RunContest(Extension, KindPush);
    RunContest(Extension, KindPushTry);
    ExInitializePushLock(&PushLock);
    KeEnterCriticalRegion();
    ExAcquirePushLockShared(&PushLock);
    CHECK(!ExTryAcquirePushLockExclusive(&PushLock));
    ExReleasePushLockShared(&PushLock);
    Acquired = ExTryAcquirePushLockShared(&PushLock);
    CHECK(Acquired);
    if (Acquired) {
        ExReleasePushLockShared(&PushLock);
    }
    KeLeaveCriticalRegion();
}

VOID SyncTestResources(PDEVICE_EXTENSION Extension)
{
    ERESOURCE Resource;

    PAGED_CODE();

    RunContest(Extension, KindResource);
    CHECK(NT_SUCCESS(ExInitializeResourceLite(&Resource)));

    KeEnterCriticalRegion();
    CHECK(ExAcquireResourceExclusiveLite(&Resource, FALSE));
    CHECK(ExIsResourceAcquiredExclusiveLite(&Resource));
    CHECK(ExAcquireResourceSharedLite(&Resource, TRUE)); /* an exclusive owner is granted more of it */
    CHECK(ExIsResourceAcquiredSharedLite(&Resource) == 2);
    ExConvertExclusiveToSharedLite(&Resource);
    CHECK(!ExIsResourceAcquiredExclusiveLite(&Resource) && ExIsResourceAcquiredLite(&Resource) == 2);
    ExReleaseResourceLite(&Resource);
    ExReleaseResourceForThreadLite(&Resource, ExGetCurrentResourceThread());
    CHECK(ExIsResourceAcquiredLite(&Resource) == 0);
    CHECK(ExTryToAcquireResourceExclusiveLite(&Resource));
    ExReleaseResourceLite(&Resource);
    CHECK(ExAcquireSharedStarveExclusive(&Resource, TRUE));
    CHECK(ExAcquireSharedWaitForExclusive(&Resource, TRUE));
    ExReleaseResourceLite(&Resource);
    ExReleaseResourceLite(&Resource);
    CHECK(ExGetExclusiveWaiterCount(&Resource) == 0 && ExGetSharedWaiterCount(&Resource) == 0);

    /* The owner becomes a pointer, which another thread could release. */
    CHECK(ExAcquireResourceExclusiveLite(&Resource, TRUE));
    ExSetResourceOwnerPointer(&Resource, (PVOID)((ULONG_PTR)Extension | 0x3));
    ExReleaseResourceForThreadLite(&Resource, (ERESOURCE_THREAD)((ULONG_PTR)Extension | 0x3));
    KeLeaveCriticalRegion();

    ExDisableResourceBoostLite(&Resource);
    ExEnterCriticalRegionAndAcquireResourceExclusive(&Resource);
    CHECK(KeAreApcsDisabled());
    ExReleaseResourceAndLeaveCriticalRegion(&Resource);
    ExEnterCriticalRegionAndAcquireResourceShared(&Resource);
    ExReleaseResourceAndLeaveCriticalRegion(&Resource);
    ExEnterCriticalRegionAndAcquireSharedWaitForExclusive(&Resource);
    ExReleaseResourceAndLeaveCriticalRegion(&Resource);
    CHECK(NT_SUCCESS(ExReinitializeResourceLite(&Resource)));
    CHECK(NT_SUCCESS(ExDeleteResourceLite(&Resource)));
}

typedef struct _RUNNING {
    EX_RUNDOWN_REF RunRef;
    PEX_RUNDOWN_REF_CACHE_AWARE CacheAware;
    KEVENT Release;
    volatile LONG Released;
} RUNNING, *PRUNNING;

static VOID HoldAndRelease(_In_ PVOID StartContext)
{
    PRUNNING Running = (PRUNNING)StartContext;

    KeWaitForSingleObject(&Running->Release, Executive, KernelMode, FALSE, NULL);
    SyncSleep(10);
    InterlockedExchange(&Running->Released, TRUE);
    ExReleaseRundownProtection(&Running->RunRef);
    PsTerminateSystemThread(STATUS_SUCCESS);
}

VOID SyncTestRundown(PDEVICE_EXTENSION Extension)
{
    RUNNING Running = {.Released = FALSE};
    PKTHREAD Thread = NULL;

    PAGED_CODE();

    ExInitializeRundownProtection(&Running.RunRef);
    KeInitializeEvent(&Running.Release, NotificationEvent, FALSE);
    CHECK(ExAcquireRundownProtection(&Running.RunRef));
    CHECK(ExAcquireRundownProtectionEx(&Running.RunRef, 2));
    ExReleaseRundownProtectionEx(&Running.RunRef, 2);
    CHECK(NT_SUCCESS(SyncStartThread(HoldAndRelease, &Running, &Thread)));
    KeSetEvent(&Running.Release, IO_NO_INCREMENT, FALSE);
    ExWaitForRundownProtectionRelease(&Running.RunRef);
    CHECK(Running.Released);
    CHECK(!ExAcquireRundownProtection(&Running.RunRef));
    ExRundownCompleted(&Running.RunRef);
    SyncJoinThread(Thread);
    ExReInitializeRundownProtection(&Running.RunRef);
    CHECK(ExAcquireRundownProtection(&Running.RunRef));
    ExReleaseRundownProtection(&Running.RunRef);

    Running.CacheAware = ExAllocateCacheAwareRundownProtection(NonPagedPoolNx, SYNC_POOL_TAG);
    CHECK(Running.CacheAware != NULL);
    if (Running.CacheAware != NULL) {
        CHECK(ExAcquireRundownProtectionCacheAware(Running.CacheAware));
        CHECK(ExAcquireRundownProtectionCacheAwareEx(Running.CacheAware, 3));
        ExReleaseRundownProtectionCacheAwareEx(Running.CacheAware, 3);
        ExReleaseRundownProtectionCacheAware(Running.CacheAware);
        ExWaitForRundownProtectionReleaseCacheAware(Running.CacheAware);
        CHECK(!ExAcquireRundownProtectionCacheAware(Running.CacheAware));
        ExRundownCompletedCacheAware(Running.CacheAware);
        ExReInitializeRundownProtectionCacheAware(Running.CacheAware);
        CHECK(ExAcquireRundownProtectionCacheAware(Running.CacheAware));
        ExReleaseRundownProtectionCacheAware(Running.CacheAware);
        ExFreeCacheAwareRundownProtection(Running.CacheAware);
    }
}

static VOID DispatchRequest(_In_ PVOID StartContext)
{
    PDEVICE_EXTENSION Extension = (PDEVICE_EXTENSION)StartContext;

    KeWaitForSingleObject(&Extension->Stop, Executive, KernelMode, FALSE, NULL);
    SyncSleep(10);
    Extension->Total = 1;
    IoReleaseRemoveLock(&Extension->RemoveLock, StartContext);
    PsTerminateSystemThread(STATUS_SUCCESS);
}

VOID SyncTestRemoveLock(PDEVICE_EXTENSION Extension)
{
    PKTHREAD Thread = NULL;

    PAGED_CODE();

    Extension->Total = 0;
    IoInitializeRemoveLock(&Extension->RemoveLock, SYNC_POOL_TAG, 1, 10);
    CHECK(IoAcquireRemoveLock(&Extension->RemoveLock, Extension) == STATUS_SUCCESS);
    CHECK(NT_SUCCESS(SyncStartThread(DispatchRequest, Extension, &Thread)));
    CHECK(IoAcquireRemoveLock(&Extension->RemoveLock, &Thread) == STATUS_SUCCESS);
    KeSetEvent(&Extension->Stop, IO_NO_INCREMENT, FALSE);
    IoReleaseRemoveLockAndWait(&Extension->RemoveLock, &Thread);
    CHECK(Extension->Total == 1);
    CHECK(IoAcquireRemoveLock(&Extension->RemoveLock, Extension) == STATUS_DELETE_PENDING);
    SyncJoinThread(Thread);
    KeClearEvent(&Extension->Stop);
}

/* A serial port (COM4) whose transmitter interrupts when it is empty. */
#define SERIAL_BASE           0x2e8
#define SERIAL_LINE           3
#define SERIAL_PORT(Register) ((PUCHAR)(ULONG_PTR)(SERIAL_BASE + (Register)))
#define SERIAL_IER            1
#define SERIAL_IIR            2
#define SERIAL_MCR            4

typedef struct _SERIAL {
    PKINTERRUPT Interrupt;
    volatile LONG Interrupts;
    KDPC Dpc;
    KEVENT Transmitted;
} SERIAL, *PSERIAL;

static KSERVICE_ROUTINE SerialIsr;
static KSYNCHRONIZE_ROUTINE SerialEnable;
static KDEFERRED_ROUTINE SerialDpcForIsr;

static BOOLEAN SerialIsr(_In_ PKINTERRUPT Interrupt, _In_ PVOID ServiceContext)
{
    PSERIAL Serial = (PSERIAL)ServiceContext;

    UNREFERENCED_PARAMETER(Interrupt);
    if (READ_PORT_UCHAR(SERIAL_PORT(SERIAL_IIR)) & 1) {
        return FALSE; /* not this device */
    }
    WRITE_PORT_UCHAR(SERIAL_PORT(SERIAL_IER), 0);
    Serial->Interrupts++;
    KeInsertQueueDpc(&Serial->Dpc, NULL, NULL);
    return TRUE;
}

static VOID SerialDpcForIsr(_In_ PKDPC Dpc, _In_opt_ PVOID DeferredContext, _In_opt_ PVOID SystemArgument1,
                            _In_opt_ PVOID SystemArgument2)
{
    UNREFERENCED_PARAMETER(Dpc);
    UNREFERENCED_PARAMETER(SystemArgument1);
    UNREFERENCED_PARAMETER(SystemArgument2);
    KeSetEvent(&((PSERIAL)DeferredContext)->Transmitted, IO_NO_INCREMENT, FALSE);
}

static BOOLEAN SerialEnable(_In_opt_ PVOID SynchronizeContext)
{
    PSERIAL Serial = (PSERIAL)SynchronizeContext;

    Serial->Interrupts = 0;
    WRITE_PORT_UCHAR(SERIAL_PORT(SERIAL_MCR), 0x08);
    WRITE_PORT_UCHAR(SERIAL_PORT(SERIAL_IER), 0x02);
    return TRUE;
}

static VOID SerialTransmit(_Inout_ PDEVICE_EXTENSION Extension, _Inout_ PSERIAL Serial)
{
    LARGE_INTEGER Limit;
    KIRQL OldIrql;

    Limit.QuadPart = RELATIVE_MS(10000);
    CHECK(KeSynchronizeExecution(Serial->Interrupt, SerialEnable, Serial));
    CHECK(KeWaitForSingleObject(&Serial->Transmitted, Executive, KernelMode, FALSE, &Limit) ==
          STATUS_SUCCESS);
    OldIrql = KeAcquireInterruptSpinLock(Serial->Interrupt);
    CHECK(KeGetCurrentIrql() > DISPATCH_LEVEL && Serial->Interrupts == 1);
    KeReleaseInterruptSpinLock(Serial->Interrupt, OldIrql);
}

VOID SyncTestInterrupt(PDEVICE_EXTENSION Extension)
{
    static SERIAL Serial;
    IO_CONNECT_INTERRUPT_PARAMETERS Connect;
    IO_DISCONNECT_INTERRUPT_PARAMETERS Disconnect;
    KIRQL Irql = 0;
    KAFFINITY Affinity = 0;
    ULONG Vector;
    NTSTATUS Status;

    PAGED_CODE();

    KeInitializeEvent(&Serial.Transmitted, SynchronizationEvent, FALSE);
    KeInitializeDpc(&Serial.Dpc, SerialDpcForIsr, &Serial);
    Vector = HalGetInterruptVector(Isa, 0, SERIAL_LINE, SERIAL_LINE, &Irql, &Affinity);
    CHECK(Vector != 0 && Irql > DISPATCH_LEVEL && Affinity != 0);
    Status = IoConnectInterrupt(&Serial.Interrupt, SerialIsr, &Serial, NULL, Vector, Irql, Irql, Latched,
                                FALSE, Affinity, FALSE);
    CHECK(NT_SUCCESS(Status));
    if (NT_SUCCESS(Status)) {
        SerialTransmit(Extension, &Serial);
        IoDisconnectInterrupt(Serial.Interrupt);
    }

    RtlZeroMemory(&Connect, sizeof(Connect));
    Connect.Version = CONNECT_FULLY_SPECIFIED;
    Connect.FullySpecified.InterruptObject = &Serial.Interrupt;
    Connect.FullySpecified.ServiceRoutine = SerialIsr;
    Connect.FullySpecified.ServiceContext = &Serial;
    Connect.FullySpecified.Vector = Vector;
    Connect.FullySpecified.Irql = Irql;
    Connect.FullySpecified.SynchronizeIrql = Irql;
    Connect.FullySpecified.InterruptMode = Latched;
    Connect.FullySpecified.ProcessorEnableMask = Affinity;
    Status = IoConnectInterruptEx(&Connect);
    CHECK(NT_SUCCESS(Status));
    if (NT_SUCCESS(Status)) {
        SerialTransmit(Extension, &Serial);
        RtlZeroMemory(&Disconnect, sizeof(Disconnect));
        Disconnect.Version = Connect.Version;
        Disconnect.ConnectionContext.InterruptObject = Serial.Interrupt;
        IoDisconnectInterruptEx(&Disconnect);
    }
    KeFlushQueuedDpcs();
}
