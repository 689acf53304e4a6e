/* SPDX-License-Identifier: MIT */
/* Entry, unload, and what the tests share. */
#include "sync.h"

DRIVER_INITIALIZE DriverEntry;
DRIVER_UNLOAD SyncUnload;

#ifdef ALLOC_PRAGMA
#pragma alloc_text(INIT, DriverEntry)
#pragma alloc_text(PAGE, SyncUnload)
#endif

static PDEVICE_EXTENSION SyncExtension;

static const struct {
    PCSTR Name;
    SYNC_TEST *Test;
} SyncTests[] = {
    {"irql", SyncTestIrql},
    {"events", SyncTestEvents},
    {"semaphores", SyncTestSemaphores},
    {"mutexes", SyncTestMutexes},
    {"multiple", SyncTestMultiple},
    {"timers", SyncTestTimers},
    {"queues", SyncTestQueues},
    {"spin-locks", SyncTestSpinLocks},
    {"reader-writer", SyncTestReaderWriter},
    {"fast-mutexes", SyncTestFastMutexes},
    {"push-locks", SyncTestPushLocks},
    {"resources", SyncTestResources},
    {"run-down", SyncTestRundown},
    {"remove-lock", SyncTestRemoveLock},
    {"interrupt", SyncTestInterrupt},
    {"dpcs", SyncTestDpcs},
    {"threaded-dpc", SyncTestThreadedDpc},
    {"apcs", SyncTestApcs},
    {"work-items", SyncTestWorkItems},
    {"callbacks", SyncTestCallbacks},
    {"lists", SyncTestLists},
    {"s-lists", SyncTestSLists},
    {"lookasides", SyncTestLookasides},
    {"device-queue", SyncTestDeviceQueue},
    {"interlocked", SyncTestInterlocked},
    {"processors", SyncTestProcessors},
    {"threads", SyncTestThreads},
    {"times", SyncTestTimes},
    {"exceptions", SyncTestExceptions},
};

_Use_decl_annotations_ NTSTATUS SyncStartThread(PKSTART_ROUTINE Routine, PVOID Context, PKTHREAD *Thread)
{
    NTSTATUS Status;
    HANDLE Handle;
    OBJECT_ATTRIBUTES Attributes;

    PAGED_CODE();

    InitializeObjectAttributes(&Attributes, NULL, OBJ_KERNEL_HANDLE, NULL, NULL);
    Status = PsCreateSystemThread(&Handle, THREAD_ALL_ACCESS, &Attributes, NULL, NULL, Routine, Context);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Status = ObReferenceObjectByHandle(Handle, THREAD_ALL_ACCESS, *PsThreadType, KernelMode, (PVOID *)Thread,
                                       NULL);
    ZwClose(Handle);
    return Status;
}

_Use_decl_annotations_ VOID SyncJoinThread(PKTHREAD Thread)
{
    PAGED_CODE();

    KeWaitForSingleObject(Thread, Executive, KernelMode, FALSE, NULL);
    ObDereferenceObject(Thread);
}

_Use_decl_annotations_ VOID SyncSleep(ULONG Milliseconds)
{
    LARGE_INTEGER Interval;

    Interval.QuadPart = RELATIVE_MS(Milliseconds);
    KeDelayExecutionThread(KernelMode, FALSE, &Interval);
}

_Use_decl_annotations_ VOID SyncUnload(PDRIVER_OBJECT DriverObject)
{
    UNREFERENCED_PARAMETER(DriverObject);
    PAGED_CODE();

    ExFreePoolWithTag(SyncExtension, SYNC_POOL_TAG);
    SyncExtension = NULL;
}

_Use_decl_annotations_ NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    ULONG Index;

    UNREFERENCED_PARAMETER(RegistryPath);
    KdPrint(("sync: DriverEntry\n"));

    SyncExtension =
        (PDEVICE_EXTENSION)ExAllocatePool2(POOL_FLAG_NON_PAGED, sizeof(DEVICE_EXTENSION), SYNC_POOL_TAG);
    if (SyncExtension == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    DriverObject->DriverUnload = SyncUnload;
    SyncExtension->Processors = KeQueryActiveProcessorCountEx(ALL_PROCESSOR_GROUPS);
    KeInitializeSpinLock(&SyncExtension->Lock);
    KeInitializeEvent(&SyncExtension->Started, SynchronizationEvent, FALSE);
    KeInitializeEvent(&SyncExtension->Stop, NotificationEvent, FALSE);

    for (Index = 0; Index < RTL_NUMBER_OF(SyncTests); Index++) {
        ULONG Before = SyncExtension->Failures;
        SyncTests[Index].Test(SyncExtension);
        DbgPrint("@%s outside.%s\n", SyncExtension->Failures == Before ? "pass" : "fail",
                 SyncTests[Index].Name);
    }
    return STATUS_SUCCESS;
}
