/* SPDX-License-Identifier: MIT */
/*
 * What a program may do to a thread from outside while that runs or waits: queue an APC to it, alert it, read
 * and change its registers. No lock; the registers of a thread that runs are read by the thread itself, in a
 * kernel APC.
 */
#include "kernel/services/services.h"
#include "ps/ps.h"
#include <ntapi.h>

/* ---- User APCs ---- */

#define SVC_APC_TAG 'cpaS'

static VOID SvcFreeApc(PKAPC Apc)
{
    ExFreePoolWithTag(Apc, SVC_APC_TAG);
}

static VOID SvcApcIsDelivered(PKAPC Apc, PKNORMAL_ROUTINE *NormalRoutine, PVOID *NormalContext, PVOID *Argument1,
                              PVOID *Argument2)
{
    SvcFreeApc(Apc);
}

static NTSTATUS SvcQueueApc(PETHREAD Thread, PKNORMAL_ROUTINE Routine, PVOID Argument1, PVOID Argument2,
                            PVOID Argument3)
{
    if (!PspTakesUserApcs(Thread->Tcb.Process)) {
        return Thread->Tcb.SystemThread ? STATUS_INVALID_HANDLE : STATUS_NOT_SUPPORTED;
    }
    PKAPC Apc = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(*Apc), SVC_APC_TAG);
    if (Apc == NULL) {
        return STATUS_NO_MEMORY;
    }
    KeInitializeApc(Apc, &Thread->Tcb, OriginalApcEnvironment, SvcApcIsDelivered, SvcFreeApc, Routine, UserMode,
                    Argument1);
    if (!KeInsertQueueApc(Apc, Argument2, Argument3, IO_NO_INCREMENT)) {
        SvcFreeApc(Apc);
        return STATUS_UNSUCCESSFUL;
    }
    return STATUS_SUCCESS;
}

/* The thread calls ApcRoutine(Argument1, Argument2, Argument3) when it is alertable next.
   STATUS_INVALID_PARAMETER: no routine; STATUS_UNSUCCESSFUL: the thread has ended; STATUS_NOT_SUPPORTED: its
   program takes no APCs; STATUS_NO_MEMORY; handle errors (THREAD_SET_CONTEXT; STATUS_INVALID_HANDLE: a system
   thread). PASSIVE. (no WDK page) */
NTSTATUS NtQueueApcThread(HANDLE ThreadHandle, PPS_APC_ROUTINE ApcRoutine, PVOID Argument1, PVOID Argument2,
                          PVOID Argument3)
{
    PETHREAD Thread;
    if (ApcRoutine == NULL) {
        return STATUS_INVALID_PARAMETER;
    }
    NTSTATUS Status = PsReferenceThreadHandle(ThreadHandle, THREAD_SET_CONTEXT, &Thread);
    if (NT_SUCCESS(Status)) {
        Status = SvcQueueApc(Thread, (PKNORMAL_ROUTINE)ApcRoutine, Argument1, Argument2, Argument3);
        ObDereferenceObject(Thread);
    }
    return Status;
}

/* ---- Alerts ---- */

/* One alertable wait of the thread, the one that it is in or the next, ends with STATUS_ALERTED. Handle
   errors (THREAD_ALERT). PASSIVE. (no WDK page) */
NTSTATUS NtAlertThread(HANDLE ThreadHandle)
{
    PETHREAD Thread;
    NTSTATUS Status = PsReferenceThreadHandle(ThreadHandle, THREAD_ALERT, &Thread);
    if (NT_SUCCESS(Status)) {
        KeAlertThread(&Thread->Tcb, ExGetPreviousMode());
        ObDereferenceObject(Thread);
    }
    return Status;
}

/* NtAlertThread and NtResumeThread in one: both rights are needed. PASSIVE. (no WDK page) */
NTSTATUS NtAlertResumeThread(HANDLE ThreadHandle, PULONG PreviousSuspendCount)
{
    PETHREAD Thread;
    ULONG Previous;
    NTSTATUS Status = PsReferenceThreadHandle(ThreadHandle, THREAD_ALERT | THREAD_SUSPEND_RESUME, &Thread);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    KeAlertThread(&Thread->Tcb, ExGetPreviousMode());
    Status = PsResumeThread(Thread, &Previous);
    ObDereferenceObject(Thread);
    if (NT_SUCCESS(Status) && PreviousSuspendCount != NULL) {
        Status = ExCopyOut(PreviousSuspendCount, &Previous, sizeof(Previous), ExGetPreviousMode());
    }
    return Status;
}

/* STATUS_ALERTED, and the alert is taken back; else STATUS_SUCCESS, and user APCs that are queued run before
   the return. PASSIVE. (no WDK page) */
NTSTATUS NtTestAlert(VOID)
{
    return KeTestAlertThread(ExGetPreviousMode()) ? STATUS_ALERTED : STATUS_SUCCESS;
}

/* ---- Registers ---- */

typedef struct _SVC_CONTEXT_CALL {
    KAPC Apc;
    KEVENT Done;
    NTSTATUS Status;
    BOOLEAN Set;
    CONTEXT Context;
} SVC_CONTEXT_CALL;

static void SvcTransferContext(SVC_CONTEXT_CALL *Call, PKTHREAD Thread)
{
    if (Call->Set) {
        ArchSetContext(Thread, &Call->Context);
    } else {
        ArchGetContext(Thread, &Call->Context);
    }
}

/* The caller's stack holds the APC: the event is the last touch. */
static VOID SvcFinishContext(SVC_CONTEXT_CALL *Call, NTSTATUS Status)
{
    Call->Status = Status;
    KeSetEvent(&Call->Done, IO_NO_INCREMENT, FALSE);
}

static VOID SvcContextApc(PKAPC Apc, PKNORMAL_ROUTINE *NormalRoutine, PVOID *NormalContext, PVOID *Argument1,
                          PVOID *Argument2)
{
    SVC_CONTEXT_CALL *Call = CONTAINING_RECORD(Apc, SVC_CONTEXT_CALL, Apc);
    SvcTransferContext(Call, ArchCurrentThread());
    SvcFinishContext(Call, STATUS_SUCCESS);
}

static VOID SvcContextRundown(PKAPC Apc)
{
    SvcFinishContext(CONTAINING_RECORD(Apc, SVC_CONTEXT_CALL, Apc), STATUS_THREAD_IS_TERMINATING);
}

/* The thread does it itself, wherever it is. */
static NTSTATUS SvcAskForContext(PETHREAD Thread, SVC_CONTEXT_CALL *Call)
{
    KeInitializeEvent(&Call->Done, NotificationEvent, FALSE);
    KeInitializeApc(&Call->Apc, &Thread->Tcb, OriginalApcEnvironment, SvcContextApc, SvcContextRundown, NULL,
                    KernelMode, NULL);
    if (!KeInsertQueueApc(&Call->Apc, NULL, NULL, IO_NO_INCREMENT)) {
        return STATUS_THREAD_IS_TERMINATING;
    }
    KeWaitForSingleObject(&Call->Done, Executive, KernelMode, FALSE, NULL);
    return Call->Status;
}

static NTSTATUS SvcContext(PETHREAD Thread, SVC_CONTEXT_CALL *Call)
{
    if (Thread->Tcb.SystemThread) {
        return STATUS_INVALID_HANDLE;
    }
    NTSTATUS Status = PsHoldRegisters(Thread);
    if (NT_SUCCESS(Status)) {
        SvcTransferContext(Call, &Thread->Tcb);
        PsReleaseRegisters(Thread);
        return Status;
    }
    return Status == STATUS_INVALID_DEVICE_STATE ? SvcAskForContext(Thread, Call) : STATUS_THREAD_IS_TERMINATING;
}

/* The registers of a thread in user mode, the parts that ThreadContext's flags name. Of a thread that runs,
   they are as old as any answer; of one that is in a system service, what it called it with.
   STATUS_THREAD_IS_TERMINATING, STATUS_ACCESS_VIOLATION; handle errors (THREAD_GET_CONTEXT;
   STATUS_INVALID_HANDLE: a system thread). PASSIVE; waits for the thread. (no WDK page) */
NTSTATUS NtGetContextThread(HANDLE ThreadHandle, PCONTEXT ThreadContext)
{
    KPROCESSOR_MODE Mode = ExGetPreviousMode();
    SVC_CONTEXT_CALL Call = {.Set = FALSE};
    PETHREAD Thread;
    NTSTATUS Status = ExCopyIn(&Call.Context, ThreadContext, sizeof(Call.Context), Mode);
    if (NT_SUCCESS(Status)) {
        Status = PsReferenceThreadHandle(ThreadHandle, THREAD_GET_CONTEXT, &Thread);
    }
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Status = SvcContext(Thread, &Call);
    ObDereferenceObject(Thread);
    return NT_SUCCESS(Status) ? ExCopyOut(ThreadContext, &Call.Context, sizeof(Call.Context), Mode) : Status;
}

/* Changes the registers likewise; segments, flags and addresses are made harmless. A thread that is in a
   system service goes on there, and its status goes into RAX. A program's calling thread's own: does not
   return. Errors as NtGetContextThread (THREAD_SET_CONTEXT). PASSIVE; waits for the thread. (no WDK page) */
NTSTATUS NtSetContextThread(HANDLE ThreadHandle, PCONTEXT ThreadContext)
{
    SVC_CONTEXT_CALL Call = {.Set = TRUE};
    PETHREAD Thread;
    NTSTATUS Status = ExCopyIn(&Call.Context, ThreadContext, sizeof(Call.Context), ExGetPreviousMode());
    if (NT_SUCCESS(Status)) {
        Status = PsReferenceThreadHandle(ThreadHandle, THREAD_SET_CONTEXT, &Thread);
    }
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    BOOLEAN Self = Thread == PsGetCurrentThread();
    Status = SvcContext(Thread, &Call);
    ObDereferenceObject(Thread);
    if (Self && NT_SUCCESS(Status) && ExGetPreviousMode() == UserMode) {
        SvcEnterUserFrame();
    }
    return Status;
}
