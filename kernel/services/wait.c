/* SPDX-License-Identifier: MIT */
/*
 * The services that wait: objects are found by handle and held while they are waited for. No lock.
 */
#include "kernel/services/services.h"
#include <ntapi.h>

#define SVC_WAIT_TAG 'tiaW'

/* The object of a handle with the right SYNCHRONIZE, referenced. */
static NTSTATUS SvcReferenceWaitable(HANDLE Handle, PVOID *Object)
{
    NTSTATUS Status = ObReferenceObjectByHandle(Handle, SYNCHRONIZE, NULL, ExGetPreviousMode(), Object, NULL);

    if (NT_SUCCESS(Status) && ObWaitObject(*Object) == NULL) {
        ObDereferenceObject(*Object);
        return STATUS_OBJECT_TYPE_MISMATCH;
    }
    return Status;
}

NTSTATUS SvcBeginWait(HANDLE Handle, PVOID *Object, PLARGE_INTEGER Captured, PLARGE_INTEGER *Timeout)
{
    NTSTATUS Status = ExCaptureTimeout(Captured, Timeout, *Timeout, ExGetPreviousMode());
    return NT_SUCCESS(Status) ? SvcReferenceWaitable(Handle, Object) : Status;
}

NTSTATUS SvcWait(ULONG Count, PVOID *Headers, WAIT_TYPE Type, BOOLEAN Alertable, PLARGE_INTEGER Timeout,
                 PKWAIT_BLOCK Blocks)
{
    KPROCESSOR_MODE Mode = ExGetPreviousMode();
    volatile NTSTATUS Status;
    _SEH2_TRY {
        Status = Count == 1 ? KeWaitForSingleObject(Headers[0], UserRequest, Mode, Alertable, Timeout)
                            : KeWaitForMultipleObjects(Count, Headers, Type, UserRequest, Mode, Alertable, Timeout, Blocks);
    } _SEH2_EXCEPT(EXCEPTION_EXECUTE_HANDLER) {
        Status = _SEH2_GetExceptionCode();
    } _SEH2_END;
    return Status;
}

/* As KeWaitForSingleObject; a file is signalled when a request on it that had no event is answered. And
   STATUS_INVALID_HANDLE, STATUS_ACCESS_DENIED without SYNCHRONIZE, STATUS_OBJECT_TYPE_MISMATCH for what
   cannot be waited for. PASSIVE. (WDK page of the name) */
NTSTATUS NtWaitForSingleObject(HANDLE Handle, BOOLEAN Alertable, PLARGE_INTEGER Timeout)
{
    LARGE_INTEGER Captured;
    PVOID Object;
    NTSTATUS Status = SvcBeginWait(Handle, &Object, &Captured, &Timeout);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    PVOID Header = ObWaitObject(Object);
    Status = SvcWait(1, &Header, WaitAny, Alertable, Timeout, NULL);
    ObDereferenceObject(Object);
    return Status;
}

/* ---- Several objects ---- */

typedef struct _SVC_WAIT {
    ULONG Count; /* of Object: those that are referenced */
    HANDLE Handle[MAXIMUM_WAIT_OBJECTS];
    PVOID Object[MAXIMUM_WAIT_OBJECTS];
    PVOID Header[MAXIMUM_WAIT_OBJECTS]; /* theirs */
    KWAIT_BLOCK Block[MAXIMUM_WAIT_OBJECTS];
} SVC_WAIT, *PSVC_WAIT;

static NTSTATUS SvcReferenceAll(PSVC_WAIT Wait, ULONG Count)
{
    NTSTATUS Status = STATUS_SUCCESS;

    while (Wait->Count < Count && NT_SUCCESS(Status)) {
        Status = SvcReferenceWaitable(Wait->Handle[Wait->Count], &Wait->Object[Wait->Count]);
        if (NT_SUCCESS(Status)) {
            Wait->Header[Wait->Count] = ObWaitObject(Wait->Object[Wait->Count]);
            Wait->Count++;
        }
    }
    return Status;
}

static void SvcFreeWait(PSVC_WAIT Wait)
{
    while (Wait->Count != 0) {
        ObDereferenceObject(Wait->Object[--Wait->Count]);
    }
    ExFreePoolWithTag(Wait, SVC_WAIT_TAG);
}

/* The same object twice: a wait for all could take its signal once only. */
static bool SvcHasDuplicates(PSVC_WAIT Wait)
{
    for (ULONG i = 1; i < Wait->Count; i++) {
        for (ULONG j = 0; j < i; j++) {
            if (Wait->Object[i] == Wait->Object[j]) {
                return true;
            }
        }
    }
    return false;
}

/* As KeWaitForMultipleObjects, 1 to 64 objects (STATUS_INVALID_PARAMETER_1), for WaitAll each of them once
   (STATUS_INVALID_PARAMETER_MIX), and as above. PASSIVE.
   (no WDK page) */
NTSTATUS NtWaitForMultipleObjects(ULONG Count, HANDLE *Handles, WAIT_TYPE WaitType, BOOLEAN Alertable,
                                  PLARGE_INTEGER Timeout)
{
    KPROCESSOR_MODE Mode = ExGetPreviousMode();
    LARGE_INTEGER Captured;

    if (Count == 0 || Count > MAXIMUM_WAIT_OBJECTS) {
        return STATUS_INVALID_PARAMETER_1;
    }
    if (WaitType != WaitAll && WaitType != WaitAny) {
        return STATUS_INVALID_PARAMETER_3;
    }
    PSVC_WAIT Wait = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(*Wait), SVC_WAIT_TAG);
    if (Wait == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    Wait->Count = 0;
    NTSTATUS Status = ExCopyIn(Wait->Handle, Handles, Count * sizeof(HANDLE), Mode);
    if (NT_SUCCESS(Status)) {
        Status = ExCaptureTimeout(&Captured, &Timeout, Timeout, Mode);
    }
    if (NT_SUCCESS(Status)) {
        Status = SvcReferenceAll(Wait, Count);
    }
    if (NT_SUCCESS(Status)) {
        Status = WaitType == WaitAll && SvcHasDuplicates(Wait)
                     ? STATUS_INVALID_PARAMETER_MIX
                     : SvcWait(Count, Wait->Header, WaitType, Alertable, Timeout, Wait->Block);
    }
    SvcFreeWait(Wait);
    return Status;
}

/* ---- Time ---- */

/* As KeDelayExecutionThread in the mode of the caller; and STATUS_ACCESS_VIOLATION. PASSIVE. (no WDK page) */
NTSTATUS NtDelayExecution(BOOLEAN Alertable, PLARGE_INTEGER Interval)
{
    KPROCESSOR_MODE Mode = ExGetPreviousMode();
    LARGE_INTEGER Captured;
    NTSTATUS Status = ExCopyIn(&Captured, Interval, sizeof(Captured), Mode);

    return NT_SUCCESS(Status) ? KeDelayExecutionThread(Mode, Alertable, &Captured) : Status;
}

/* Lets a thread run that is ready and as good as the caller, if there is one. PASSIVE. (no WDK page) */
NTSTATUS NtYieldExecution(VOID)
{
    KeYieldExecution();
    return STATUS_SUCCESS;
}

/* 100 ns since 1601. (WDK page of the name) */
NTSTATUS NtQuerySystemTime(PLARGE_INTEGER SystemTime)
{
    LARGE_INTEGER Now;

    KeQuerySystemTime(&Now);
    return ExCopyOut(SystemTime, &Now, sizeof(Now), ExGetPreviousMode());
}

/* The counter, and how often it counts in a second when Frequency is not NULL. STATUS_ACCESS_VIOLATION.
   PASSIVE. (no WDK page) */
NTSTATUS NtQueryPerformanceCounter(PLARGE_INTEGER Counter, PLARGE_INTEGER Frequency)
{
    LARGE_INTEGER PerSecond;
    LARGE_INTEGER Now = KeQueryPerformanceCounter(&PerSecond);
    NTSTATUS Status = ExCopyOut(Counter, &Now, sizeof(Now), ExGetPreviousMode());

    if (NT_SUCCESS(Status) && Frequency != NULL) {
        Status = ExCopyOut(Frequency, &PerSecond, sizeof(PerSecond), ExGetPreviousMode());
    }
    return Status;
}
