/* SPDX-License-Identifier: MIT */
/*
 * Mutants and semaphores for programs: handles and names around KMUTANT and KSEMAPHORE; and the states of all
 * dispatcher objects. Their own locks are sync's affair; no other lock here.
 */
#include "kernel/services/services.h"
#include "kernel/kd/kd.h"
#include "ps/ps.h"
#include "sync/pushlock.h"
#include <ntapi.h>

static POBJECT_TYPE SvcMutantType, SvcSemaphoreType;

/* ---- What the services have in common ---- */

NTSTATUS SvcCreateNamed(POBJECT_TYPE Type, POBJECT_ATTRIBUTES ObjectAttributes, ACCESS_MASK Access, PHANDLE Handle,
                        void (*Initialize)(PVOID Object, const VOID *Context), const VOID *Context)
{
    KPROCESSOR_MODE Mode = ExGetPreviousMode();
    EX_OBJECT_ATTRIBUTES Attributes;
    PVOID Object;
    NTSTATUS Status = ExCaptureObjectAttributes(&Attributes, ObjectAttributes, Mode);

    if (NT_SUCCESS(Status)) {
        Status = ObCreateObject(Type, &Object);
    }
    if (NT_SUCCESS(Status)) {
        if (Initialize != NULL) {
            Initialize(Object, Context);
        }
        Status = ObInsertObject(Object, &Attributes, Access, Handle, Mode);
    }
    ExFreeUnicodeString(&Attributes.Name);
    return Status;
}

NTSTATUS SvcQueryState(HANDLE Handle, ACCESS_MASK Access, POBJECT_TYPE Type, const SVC_STATE_QUERY *Query,
                       void (*Fill)(PVOID Data, PVOID Object), ULONG Size)
{
    KPROCESSOR_MODE Mode = ExGetPreviousMode();
    ULONG64 Data[3] = {0}; /* padding, too */
    PVOID Object;

    if (Query->Class != 0) {
        return STATUS_INVALID_INFO_CLASS;
    }
    if (Query->Length != Size) {
        return STATUS_INFO_LENGTH_MISMATCH;
    }
    NTSTATUS Status = ObReferenceObjectByHandle(Handle, Access, Type, Mode, &Object, NULL);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Fill(Data, Object);
    ObDereferenceObject(Object);
    Status = ExCopyOut(Query->Information, Data, Size, Mode);
    if (NT_SUCCESS(Status) && Query->ReturnLength != NULL) {
        Status = ExCopyOut(Query->ReturnLength, &Size, sizeof(Size), Mode);
    }
    return Status;
}

/* ---- Mutants ---- */

/* On the owner: it is free again, however often it was acquired. Nobody has a reference any more. */
static void SvcForgetMutant(PKMUTANT Mutant)
{
    Mutant->Header.SignalState = 0;
    KeReleaseMutex(Mutant, FALSE);
}

typedef struct _SVC_FORGET {
    KAPC Apc;
    KEVENT Done;
    PKMUTANT Mutant;
} SVC_FORGET;

/* Both on the owner: while it lives, and at its end, before it abandons its mutants. */
static VOID SvcForgetRundown(PKAPC Apc)
{
    SVC_FORGET *Forget = CONTAINING_RECORD(Apc, SVC_FORGET, Apc);
    SvcForgetMutant(Forget->Mutant);
    KeSetEvent(&Forget->Done, IO_NO_INCREMENT, FALSE);
}

static VOID SvcForgetApc(PKAPC Apc, PKNORMAL_ROUTINE *NormalRoutine, PVOID *NormalContext, PVOID *Argument1,
                         PVOID *Argument2)
{
    SvcForgetRundown(Apc);
}

/* The thread, referenced, if it is one of the process's. */
static PETHREAD SvcFindThread(PEPROCESS Process, PKTHREAD Wanted)
{
    PETHREAD Found = NULL;
    KeLockShared(&Process->Lock);
    for (PLIST_ENTRY Link = Process->ThreadListHead.Flink; Link != &Process->ThreadListHead; Link = Link->Flink) {
        PETHREAD Thread = CONTAINING_RECORD(Link, ETHREAD, ThreadListEntry);
        if (&Thread->Tcb == Wanted && ObReferenceObjectSafe(Thread)) {
            Found = Thread;
        }
    }
    KeUnlockShared(&Process->Lock);
    return Found;
}

/* The owner, referenced; NULL: it has left its process, and so has abandoned what it owned. The pointer alone
   says nothing of whether the thread is still there. */
static PETHREAD SvcReferenceOwner(PKTHREAD Owner)
{
    PETHREAD Found = NULL;
    PEPROCESS Process = PsNextProcess(NULL);
    while (Process != NULL && Found == NULL) {
        Found = SvcFindThread(Process, Owner);
        if (Found == NULL) {
            Process = PsNextProcess(Process);
        }
    }
    if (Process != NULL) {
        ObDereferenceObject(Process);
    }
    return Found;
}

/* Takes the mutant out of another thread's list. That thread does it itself, for nobody else touches its
   list. */
static void SvcAskOwnerToForget(PKMUTANT Mutant, PKTHREAD Owner)
{
    SVC_FORGET Forget = {.Mutant = Mutant};
    PETHREAD Thread = SvcReferenceOwner(Owner);
    if (Thread == NULL) {
        return;
    }
    KeInitializeEvent(&Forget.Done, NotificationEvent, FALSE);
    KeInitializeApc(&Forget.Apc, &Thread->Tcb, OriginalApcEnvironment, SvcForgetApc, SvcForgetRundown, NULL, KernelMode,
                    NULL);
    if (KeInsertQueueApc(&Forget.Apc, NULL, NULL, IO_NO_INCREMENT)) {
        KeWaitForSingleObject(&Forget.Done, Executive, KernelMode, FALSE, NULL);
    } else {
        LARGE_INTEGER Millisecond = {.QuadPart = -10000};
        KeDelayExecutionThread(KernelMode, FALSE, &Millisecond); /* it is about to abandon it, whatever its priority */
    }
    ObDereferenceObject(Thread);
}

/* The last reference has gone, and somebody may still own it. */
static void SvcDeleteMutant(PVOID Object)
{
    PKMUTANT Mutant = Object;
    LARGE_INTEGER Zero = {.QuadPart = 0};
    PKTHREAD Owner;

    if (*(PKTHREAD volatile *)&Mutant->OwnerThread == ArchCurrentThread()) {
        SvcForgetMutant(Mutant);
        return;
    }
    while ((Owner = *(PKTHREAD volatile *)&Mutant->OwnerThread) != NULL) {
        SvcAskOwnerToForget(Mutant, Owner);
    }
    /* Whoever has freed it may still be about to unlock it: this takes the object's lock once more. */
    if (NT_SUCCESS(KeWaitForSingleObject(Mutant, Executive, KernelMode, FALSE, &Zero))) {
        SvcForgetMutant(Mutant);
    }
}

static void SvcInitializeMutant(PVOID Object, const VOID *Context)
{
    KeInitializeMutant(Object, *(const BOOLEAN *)Context);
}

/* A handle to a new mutant, which the caller owns if InitialOwner; or with OBJ_OPENIF to the one that has the
   name (STATUS_OBJECT_NAME_EXISTS: not owned by this). The statuses of ObInsertObject. PASSIVE. (no WDK
   page) */
NTSTATUS NtCreateMutant(PHANDLE MutantHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                        BOOLEAN InitialOwner)
{
    BOOLEAN Owner = InitialOwner != FALSE;
    return SvcCreateNamed(SvcMutantType, ObjectAttributes, DesiredAccess, MutantHandle, SvcInitializeMutant, &Owner);
}

/* A handle to the mutant of a name. The statuses of ObOpenObjectByName. PASSIVE. (no WDK page) */
NTSTATUS NtOpenMutant(PHANDLE MutantHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes)
{
    return SvcOpenByName(MutantHandle, DesiredAccess, ObjectAttributes, SvcMutantType);
}

static NTSTATUS SvcReleaseMutant(PVOID Mutant, LONG Unused, PLONG Previous)
{
    _SEH2_TRY {
        *Previous = KeReleaseMutex(Mutant, FALSE);
    } _SEH2_EXCEPT(EXCEPTION_EXECUTE_HANDLER) {
        _SEH2_YIELD(return _SEH2_GetExceptionCode());
    } _SEH2_END;
    return STATUS_SUCCESS;
}

static NTSTATUS SvcReleaseSemaphore(PVOID Semaphore, LONG Count, PLONG Previous)
{
    _SEH2_TRY {
        *Previous = KeReleaseSemaphore(Semaphore, SEMAPHORE_INCREMENT, Count, FALSE);
    } _SEH2_EXCEPT(EXCEPTION_EXECUTE_HANDLER) {
        _SEH2_YIELD(return _SEH2_GetExceptionCode());
    } _SEH2_END;
    return STATUS_SUCCESS;
}

/* What was before goes to *PreviousCount when that is wanted. */
static NTSTATUS SvcRelease(HANDLE Handle, ACCESS_MASK Access, POBJECT_TYPE Type, LONG Count, PLONG PreviousCount,
                           NTSTATUS (*Release)(PVOID Object, LONG Count, PLONG Previous))
{
    KPROCESSOR_MODE Mode = ExGetPreviousMode();
    LONG Previous;
    PVOID Object;
    NTSTATUS Status = ObReferenceObjectByHandle(Handle, Access, Type, Mode, &Object, NULL);

    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Status = Release(Object, Count, &Previous);
    ObDereferenceObject(Object);
    return NT_SUCCESS(Status) && PreviousCount != NULL ? ExCopyOut(PreviousCount, &Previous, sizeof(Previous), Mode)
                                                       : Status;
}

/* Takes back one acquisition of the calling thread; *PreviousCount: 0, it is free now; less: still owned.
   STATUS_MUTANT_NOT_OWNED, STATUS_ABANDONED (nor was it released by its last owner); handle errors. PASSIVE.
   (no WDK page) */
NTSTATUS NtReleaseMutant(HANDLE MutantHandle, PLONG PreviousCount)
{
    return SvcRelease(MutantHandle, 0, SvcMutantType, 1, PreviousCount, SvcReleaseMutant);
}

static void SvcFillMutant(PVOID Data, PVOID Object)
{
    MUTANT_BASIC_INFORMATION *Basic = Data;
    PKMUTANT Mutant = Object;
    Basic->CurrentCount = KeReadStateMutex(Mutant);
    Basic->OwnedByCaller = Mutant->OwnerThread == ArchCurrentThread();
    Basic->AbandonedState = Mutant->Abandoned;
}

/* Class 0: MUTANT_BASIC_INFORMATION. STATUS_INVALID_INFO_CLASS, STATUS_INFO_LENGTH_MISMATCH,
   STATUS_ACCESS_VIOLATION; handle errors (MUTANT_QUERY_STATE). PASSIVE. (no WDK page) */
NTSTATUS NtQueryMutant(HANDLE MutantHandle, ULONG Class, PVOID Information, ULONG Length, PULONG ReturnLength)
{
    SVC_STATE_QUERY Query = {Class, Information, Length, ReturnLength};
    return SvcQueryState(MutantHandle, MUTANT_QUERY_STATE, SvcMutantType, &Query, SvcFillMutant,
                         sizeof(MUTANT_BASIC_INFORMATION));
}

/* ---- Semaphores ---- */

typedef struct _SVC_COUNTS {
    LONG Initial, Maximum;
} SVC_COUNTS;

static void SvcInitializeSemaphore(PVOID Object, const VOID *Context)
{
    const SVC_COUNTS *Counts = Context;
    KeInitializeSemaphore(Object, Counts->Initial, Counts->Maximum);
}

/* A handle to a new semaphore, or with OBJ_OPENIF to the one that has the name. STATUS_INVALID_PARAMETER: not
   0 <= InitialCount <= MaximumCount, 0 < MaximumCount; the statuses of ObInsertObject. PASSIVE. (no WDK
   page) */
NTSTATUS NtCreateSemaphore(PHANDLE SemaphoreHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                           LONG InitialCount, LONG MaximumCount)
{
    SVC_COUNTS Counts = {InitialCount, MaximumCount};
    if (InitialCount < 0 || MaximumCount <= 0 || InitialCount > MaximumCount) {
        return STATUS_INVALID_PARAMETER;
    }
    return SvcCreateNamed(SvcSemaphoreType, ObjectAttributes, DesiredAccess, SemaphoreHandle, SvcInitializeSemaphore,
                          &Counts);
}

/* A handle to the semaphore of a name. The statuses of ObOpenObjectByName. PASSIVE. (no WDK page) */
NTSTATUS NtOpenSemaphore(PHANDLE SemaphoreHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes)
{
    return SvcOpenByName(SemaphoreHandle, DesiredAccess, ObjectAttributes, SvcSemaphoreType);
}

/* Adds ReleaseCount, 1 or more (STATUS_INVALID_PARAMETER). STATUS_SEMAPHORE_LIMIT_EXCEEDED, and nothing has
   changed; handle errors (SEMAPHORE_MODIFY_STATE). PASSIVE. (no WDK page) */
NTSTATUS NtReleaseSemaphore(HANDLE SemaphoreHandle, LONG ReleaseCount, PLONG PreviousCount)
{
    if (ReleaseCount <= 0) {
        return STATUS_INVALID_PARAMETER;
    }
    return SvcRelease(SemaphoreHandle, SEMAPHORE_MODIFY_STATE, SvcSemaphoreType, ReleaseCount, PreviousCount,
                      SvcReleaseSemaphore);
}

static void SvcFillSemaphore(PVOID Data, PVOID Object)
{
    SEMAPHORE_BASIC_INFORMATION *Basic = Data;
    Basic->CurrentCount = KeReadStateSemaphore(Object);
    Basic->MaximumCount = ((PKSEMAPHORE)Object)->Limit;
}

/* Class 0: SEMAPHORE_BASIC_INFORMATION. Errors as NtQueryMutant (SEMAPHORE_QUERY_STATE). PASSIVE. (no WDK
   page) */
NTSTATUS NtQuerySemaphore(HANDLE SemaphoreHandle, ULONG Class, PVOID Information, ULONG Length, PULONG ReturnLength)
{
    SVC_STATE_QUERY Query = {Class, Information, Length, ReturnLength};
    return SvcQueryState(SemaphoreHandle, SEMAPHORE_QUERY_STATE, SvcSemaphoreType, &Query, SvcFillSemaphore,
                         sizeof(SEMAPHORE_BASIC_INFORMATION));
}

/* ---- Signal one object, wait for another ---- */

static NTSTATUS SvcSignalEvent(HANDLE Handle)
{
    return NtSetEvent(Handle, NULL);
}

static NTSTATUS SvcSignalMutant(HANDLE Handle)
{
    return NtReleaseMutant(Handle, NULL);
}

static NTSTATUS SvcSignalSemaphore(HANDLE Handle)
{
    return NtReleaseSemaphore(Handle, 1, NULL);
}

/* By what it is: each refuses a handle to something else. */
static NTSTATUS SvcSignal(HANDLE Handle)
{
    NTSTATUS (*const Signals[])(HANDLE) = {SvcSignalEvent, SvcSignalMutant, SvcSignalSemaphore};
    NTSTATUS Status = STATUS_OBJECT_TYPE_MISMATCH;
    for (ULONG i = 0; i < ARRAYSIZE(Signals) && Status == STATUS_OBJECT_TYPE_MISMATCH; i++) {
        Status = Signals[i](Handle);
    }
    return Status;
}

/* Sets the event, releases the mutant, or adds one to the semaphore of SignalHandle; then as
   NtWaitForSingleObject. The two are not one atomic step. Nothing is signalled when the wait cannot begin.
   The errors of both. PASSIVE. (no WDK page) */
NTSTATUS NtSignalAndWaitForSingleObject(HANDLE SignalHandle, HANDLE WaitHandle, BOOLEAN Alertable,
                                        PLARGE_INTEGER Timeout)
{
    LARGE_INTEGER Captured;
    PVOID Object;
    NTSTATUS Status = SvcBeginWait(WaitHandle, &Object, &Captured, &Timeout);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Status = SvcSignal(SignalHandle);
    if (NT_SUCCESS(Status)) {
        PVOID Header = ObWaitObject(Object);
        Status = SvcWait(1, &Header, WaitAny, Alertable, Timeout, NULL);
    }
    ObDereferenceObject(Object);
    return Status;
}

/* ---- Start-up ---- */

void SvcCreateType(const OB_TYPE_ROUTINES *Routines, POBJECT_TYPE *Type)
{
    if (!NT_SUCCESS(ObCreateType(Routines, Type))) {
        KdBugCheck(PHASE0_INITIALIZATION_FAILED, (ULONG64)Routines, 0, 0, 0, NULL, "no memory for the type %s",
                   Routines->Name);
    }
}

void SvcInitializeSync(void)
{
    static const OB_TYPE_ROUTINES Mutant = {
        .Name = "Mutant",
        .PoolTag = 'tuMS',
        .BodySize = sizeof(KMUTANT),
        .Access = {MUTANT_QUERY_STATE | STANDARD_RIGHTS_READ, STANDARD_RIGHTS_WRITE,
                   SYNCHRONIZE | STANDARD_RIGHTS_EXECUTE, MUTANT_ALL_ACCESS},
        .Waitable = TRUE,
        .Delete = SvcDeleteMutant,
    };
    static const OB_TYPE_ROUTINES Semaphore = {
        .Name = "Semaphore",
        .PoolTag = 'meSS',
        .BodySize = sizeof(KSEMAPHORE),
        .Access = {SEMAPHORE_QUERY_STATE | STANDARD_RIGHTS_READ, SEMAPHORE_MODIFY_STATE | STANDARD_RIGHTS_WRITE,
                   SYNCHRONIZE | STANDARD_RIGHTS_EXECUTE, SEMAPHORE_ALL_ACCESS},
        .Waitable = TRUE,
    };
    SvcCreateType(&Mutant, &SvcMutantType);
    SvcCreateType(&Semaphore, &SvcSemaphoreType);
}
