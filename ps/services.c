/* SPDX-License-Identifier: MIT */
/*
 * System services on processes and threads as objects: handles, opening by id, ending, suspending. (Creation:
 * create.c; NtTerminateProcess: process.c; questions: query.c.)
 */
#include "ps/psp.h"

NTSTATUS PspReferenceProcessHandle(HANDLE Handle, ACCESS_MASK Access, PEPROCESS *Process)
{
    return ObReferenceObjectByHandle(Handle, Access, PspProcessType, ExGetPreviousMode(), (PVOID *)Process,
                                     NULL);
}

NTSTATUS PspReferenceThreadHandle(HANDLE Handle, ACCESS_MASK Access, PETHREAD *Thread)
{
    return ObReferenceObjectByHandle(Handle, Access, PspThreadType, ExGetPreviousMode(), (PVOID *)Thread,
                                     NULL);
}

NTSTATUS PspCaptureAttributes(const OBJECT_ATTRIBUTES *Attributes, KPROCESSOR_MODE Mode, PULONG Flags)
{
    const ULONG KernelOnly = OBJ_KERNEL_HANDLE | OBJ_OPENLINK | OBJ_FORCE_ACCESS_CHECK;
    const ULONG Allowed = OBJ_INHERIT | OBJ_CASE_INSENSITIVE | (Mode == KernelMode ? KernelOnly : 0);
    OBJECT_ATTRIBUTES Copy;

    *Flags = 0;
    if (Attributes == NULL) {
        return STATUS_SUCCESS;
    }
    NTSTATUS Status = ExCopyIn(&Copy, Attributes, sizeof(Copy), Mode);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    if (Copy.Length != sizeof(Copy) || Copy.ObjectName != NULL || (Copy.Attributes & ~Allowed)) {
        return STATUS_INVALID_PARAMETER;
    }
    *Flags = Copy.Attributes;
    return STATUS_SUCCESS;
}

/* ---- Opening ---- */

NTSTATUS PspReturnObject(PVOID Object, ACCESS_MASK Access, ULONG Flags, PHANDLE Result)
{
    HANDLE Handle;
    NTSTATUS Status = ObInsertHandle(ObCurrentHandleTable(), Object, Access, Flags, &Handle);
    ObDereferenceObject(Object);
    return NT_SUCCESS(Status) ? ObReturnHandle(ObCurrentHandleTable(), Result, Handle, ExGetPreviousMode()) : Status;
}

/* A program may look at the kernel's own processes and threads (System) and wait for them, and that is all:
   their handles, for one, would be all kernel handles. The caller's reference goes. */
static NTSTATUS PspOpenObject(PVOID Object, BOOLEAN System, ACCESS_MASK Access, ACCESS_MASK Looking,
                              ULONG Flags, PHANDLE Result)
{
    if (System && ExGetPreviousMode() != KernelMode && (Access & ~(Looking | SYNCHRONIZE)) != 0) {
        ObDereferenceObject(Object);
        return STATUS_ACCESS_DENIED;
    }
    return PspReturnObject(Object, Access, Flags, Result);
}

static NTSTATUS PspCaptureClientId(PCLIENT_ID Captured, PCLIENT_ID Source,
                                   const OBJECT_ATTRIBUTES *Attributes, PULONG Flags)
{
    KPROCESSOR_MODE Mode = ExGetPreviousMode();
    NTSTATUS Status = PspCaptureAttributes(Attributes, Mode, Flags);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    return Source != NULL ? ExCopyIn(Captured, Source, sizeof(*Captured), Mode)
                          : STATUS_INVALID_PARAMETER_MIX;
}

static NTSTATUS PspLookupProcess(PCLIENT_ID ClientId, PEPROCESS *Process)
{
    PETHREAD Thread;
    if (ClientId->UniqueThread == NULL) {
        return PsLookupProcessByProcessId(ClientId->UniqueProcess, Process);
    }
    NTSTATUS Status = PsLookupProcessThreadByCid(ClientId, Process, &Thread);
    if (NT_SUCCESS(Status)) {
        ObDereferenceObject(Thread);
    }
    return Status;
}

/* A handle to the process of an id; with UniqueThread, of that thread of it. STATUS_INVALID_CID,
   STATUS_INVALID_PARAMETER_MIX (no ClientId), STATUS_ACCESS_DENIED (more than looking at System or Idle).
   PASSIVE. */
NTSTATUS NtOpenProcess(PHANDLE ProcessHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                       PCLIENT_ID ClientId)
{
    CLIENT_ID Cid;
    ULONG Flags;
    PEPROCESS Process;
    NTSTATUS Status = PspCaptureClientId(&Cid, ClientId, ObjectAttributes, &Flags);
    if (NT_SUCCESS(Status)) {
        Status = PspLookupProcess(&Cid, &Process);
    }
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    return PspOpenObject(Process, Process->SystemProcess, DesiredAccess,
                         PROCESS_QUERY_INFORMATION | PROCESS_QUERY_LIMITED_INFORMATION, Flags, ProcessHandle);
}

static NTSTATUS PspLookupThread(PCLIENT_ID ClientId, PETHREAD *Thread)
{
    if (ClientId->UniqueProcess != NULL) {
        return PsLookupProcessThreadByCid(ClientId, NULL, Thread);
    }
    NTSTATUS Status = PsLookupThreadByThreadId(ClientId->UniqueThread, Thread);
    return NT_SUCCESS(Status) ? Status : STATUS_INVALID_CID;
}

/* A handle to the thread of an id; UniqueProcess, if not NULL, must be its process's. Errors as
   NtOpenProcess. PASSIVE. */
NTSTATUS NtOpenThread(PHANDLE ThreadHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                      PCLIENT_ID ClientId)
{
    CLIENT_ID Cid;
    ULONG Flags;
    PETHREAD Thread;
    NTSTATUS Status = PspCaptureClientId(&Cid, ClientId, ObjectAttributes, &Flags);
    if (NT_SUCCESS(Status)) {
        Status = PspLookupThread(&Cid, &Thread);
    }
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    return PspOpenObject(Thread, Thread->Tcb.SystemThread, DesiredAccess,
                         THREAD_QUERY_INFORMATION | THREAD_QUERY_LIMITED_INFORMATION, Flags, ThreadHandle);
}

/* ---- Ending ---- */

/* The last of its process? A hint, as every answer is the moment it is given. */
static bool PspIsLastThread(void)
{
    return PspHomeProcess()->ActiveThreads == 1;
}

/*
 * Ends a thread: it goes on its way to user mode. ThreadHandle NULL: the calling one, unless it is the last
 * of its process (STATUS_CANT_TERMINATE_SELF); -2: the calling one in any case. STATUS_THREAD_IS_TERMINATING:
 * somebody was first; STATUS_INVALID_PARAMETER: a system thread; STATUS_INVALID_HANDLE,
 * STATUS_OBJECT_TYPE_MISMATCH, STATUS_ACCESS_DENIED. PASSIVE.
 */
NTSTATUS NtTerminateThread(HANDLE ThreadHandle, NTSTATUS ExitStatus)
{
    PETHREAD Thread;
    if (ThreadHandle == NULL) {
        return PspIsLastThread() ? STATUS_CANT_TERMINATE_SELF
                                 : PspTerminateThread(PspCurrentThread(), ExitStatus);
    }
    NTSTATUS Status = PspReferenceThreadHandle(ThreadHandle, THREAD_TERMINATE, &Thread);
    if (NT_SUCCESS(Status)) {
        Status = PspTerminateThread(Thread, ExitStatus);
        ObDereferenceObject(Thread);
    }
    return Status;
}

/* ---- Suspension ---- */

/* *PreviousCount, when asked for, receives the count before. What has been done stays when it cannot be
   written. */
static NTSTATUS PspChangeSuspension(HANDLE ThreadHandle, PULONG PreviousCount,
                                    NTSTATUS (*Change)(PETHREAD Thread, PULONG PreviousCount))
{
    PETHREAD Thread;
    ULONG Previous;
    NTSTATUS Status = PspReferenceThreadHandle(ThreadHandle, THREAD_SUSPEND_RESUME, &Thread);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Status = Change(Thread, &Previous);
    ObDereferenceObject(Thread);
    if (NT_SUCCESS(Status) && PreviousCount != NULL) {
        Status = ExCopyOut(PreviousCount, &Previous, sizeof(Previous), ExGetPreviousMode());
    }
    return Status;
}

/* The thread stops on its way to user mode until as many resumptions. At most 127:
   STATUS_SUSPEND_COUNT_EXCEEDED. STATUS_THREAD_IS_TERMINATING; STATUS_INVALID_PARAMETER: a system thread;
   handle errors. PASSIVE. */
NTSTATUS NtSuspendThread(HANDLE ThreadHandle, PULONG PreviousSuspendCount)
{
    return PspChangeSuspension(ThreadHandle, PreviousSuspendCount, PspSuspendThread);
}

/* Takes one suspension back; a thread that is not suspended: nothing happens, previous count 0. Handle
   errors. PASSIVE. */
NTSTATUS NtResumeThread(HANDLE ThreadHandle, PULONG PreviousSuspendCount)
{
    return PspChangeSuspension(ThreadHandle, PreviousSuspendCount, PspResumeThread);
}
