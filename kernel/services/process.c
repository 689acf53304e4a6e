/* SPDX-License-Identifier: MIT */
/*
 * System services on processes and threads as objects: handles, opening by id, ending, suspending. (Creation:
 * ps/create.c, program.c; NtTerminateProcess: ps/process.c; questions: query.c.)
 */
#include "kernel/services/services.h"
#include "ps/ps.h"
#include "sync/pushlock.h"
#include <ntapi.h>

/* ---- Opening ---- */

/* Nobody in user mode is master of these: the kernel's own processes, whose handles would be all kernel
   handles; and the first program's, but for itself: through it one could feign the messages for tools/run, or
   end the machine. */
static bool SvcIsProtected(PEPROCESS Process)
{
    return Process->SystemProcess ||
           (&Process->Pcb == SvcInitialProcess && ArchCurrentThread()->Process != SvcInitialProcess);
}

/* A program may look at a protected (System) process or thread and wait for it, and that is all. The caller's
   reference goes. */
static NTSTATUS SvcOpenObject(PVOID Object, bool System, ACCESS_MASK Access, ACCESS_MASK Looking,
                              ULONG Flags, PHANDLE Result)
{
    if (System && ExGetPreviousMode() != KernelMode && (Access & ~(Looking | SYNCHRONIZE)) != 0) {
        ObDereferenceObject(Object);
        return STATUS_ACCESS_DENIED;
    }
    return ObReturnObject(Object, Access, Flags, Result, ExGetPreviousMode());
}

static NTSTATUS SvcCaptureClientId(PCLIENT_ID Captured, PCLIENT_ID Source,
                                   const OBJECT_ATTRIBUTES *Attributes, PULONG Flags)
{
    KPROCESSOR_MODE Mode = ExGetPreviousMode();
    NTSTATUS Status = ExCaptureHandleAttributes(Attributes, Mode, Flags);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    return Source != NULL ? ExCopyIn(Captured, Source, sizeof(*Captured), Mode)
                          : STATUS_INVALID_PARAMETER_MIX;
}

static NTSTATUS SvcLookupProcess(PCLIENT_ID ClientId, PEPROCESS *Process)
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
   STATUS_INVALID_PARAMETER_MIX (no ClientId), STATUS_ACCESS_DENIED (more than looking at System, Idle, or the
   first program). PASSIVE. (WDK page of the name) */
NTSTATUS NtOpenProcess(PHANDLE ProcessHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                       PCLIENT_ID ClientId)
{
    CLIENT_ID Cid;
    ULONG Flags;
    PEPROCESS Process;
    NTSTATUS Status = SvcCaptureClientId(&Cid, ClientId, ObjectAttributes, &Flags);
    if (NT_SUCCESS(Status)) {
        Status = SvcLookupProcess(&Cid, &Process);
    }
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    return SvcOpenObject(Process, SvcIsProtected(Process), DesiredAccess,
                         PROCESS_QUERY_INFORMATION | PROCESS_QUERY_LIMITED_INFORMATION, Flags, ProcessHandle);
}

static NTSTATUS SvcLookupThread(PCLIENT_ID ClientId, PETHREAD *Thread)
{
    if (ClientId->UniqueProcess != NULL) {
        return PsLookupProcessThreadByCid(ClientId, NULL, Thread);
    }
    NTSTATUS Status = PsLookupThreadByThreadId(ClientId->UniqueThread, Thread);
    return NT_SUCCESS(Status) ? Status : STATUS_INVALID_CID;
}

/* A handle to the thread of an id; UniqueProcess, if not NULL, must be its process's. Errors as
   NtOpenProcess. PASSIVE. (no WDK page) */
NTSTATUS NtOpenThread(PHANDLE ThreadHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                      PCLIENT_ID ClientId)
{
    CLIENT_ID Cid;
    ULONG Flags;
    PETHREAD Thread;
    NTSTATUS Status = SvcCaptureClientId(&Cid, ClientId, ObjectAttributes, &Flags);
    if (NT_SUCCESS(Status)) {
        Status = SvcLookupThread(&Cid, &Thread);
    }
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    return SvcOpenObject(Thread, Thread->Tcb.SystemThread || SvcIsProtected(PsThreadProcess(Thread)), DesiredAccess,
                         THREAD_QUERY_INFORMATION | THREAD_QUERY_LIMITED_INFORMATION, Flags, ThreadHandle);
}

/* ---- Ending ---- */

/* The last of its process? A hint, as every answer is the moment it is given. */
static bool SvcIsLastThread(void)
{
    return PsThreadProcess(PsGetCurrentThread())->ActiveThreads == 1;
}

/*
 * Ends a thread: it goes on its way to user mode. ThreadHandle NULL: the calling one, unless it is the last
 * of its process (STATUS_CANT_TERMINATE_SELF); -2: the calling one in any case. STATUS_THREAD_IS_TERMINATING:
 * somebody was first; STATUS_INVALID_PARAMETER: a system thread; STATUS_INVALID_HANDLE,
 * STATUS_OBJECT_TYPE_MISMATCH, STATUS_ACCESS_DENIED. PASSIVE. (no WDK page)
 */
NTSTATUS NtTerminateThread(HANDLE ThreadHandle, NTSTATUS ExitStatus)
{
    PETHREAD Thread;
    if (ThreadHandle == NULL) {
        return SvcIsLastThread() ? STATUS_CANT_TERMINATE_SELF
                                 : PsTerminateThread(PsGetCurrentThread(), ExitStatus);
    }
    NTSTATUS Status = PsReferenceThreadHandle(ThreadHandle, THREAD_TERMINATE, &Thread);
    if (NT_SUCCESS(Status)) {
        Status = PsTerminateThread(Thread, ExitStatus);
        ObDereferenceObject(Thread);
    }
    return Status;
}

/* ---- Suspension ---- */

/* *PreviousCount, when asked for, receives the count before. What has been done stays when it cannot be
   written. */
static NTSTATUS SvcChangeSuspension(HANDLE ThreadHandle, PULONG PreviousCount,
                                    NTSTATUS (*Change)(PETHREAD Thread, PULONG PreviousCount))
{
    PETHREAD Thread;
    ULONG Previous;
    NTSTATUS Status = PsReferenceThreadHandle(ThreadHandle, THREAD_SUSPEND_RESUME, &Thread);
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
   handle errors. PASSIVE. (no WDK page) */
NTSTATUS NtSuspendThread(HANDLE ThreadHandle, PULONG PreviousSuspendCount)
{
    return SvcChangeSuspension(ThreadHandle, PreviousSuspendCount, PsSuspendThread);
}

/* Takes one suspension back; a thread that is not suspended: nothing happens, previous count 0. Handle
   errors. PASSIVE. (no WDK page) */
NTSTATUS NtResumeThread(HANDLE ThreadHandle, PULONG PreviousSuspendCount)
{
    return SvcChangeSuspension(ThreadHandle, PreviousSuspendCount, PsResumeThread);
}

/* All threads that the process has now; one that refuses (it ends, or its count is at its limit) changes
   nothing for the others. */
static NTSTATUS SvcChangeProcessSuspension(HANDLE ProcessHandle, NTSTATUS (*Change)(PETHREAD Thread, PULONG PreviousCount))
{
    PEPROCESS Process;
    NTSTATUS Status = PsReferenceProcessHandle(ProcessHandle, PROCESS_SUSPEND_RESUME, &Process);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    KeLockShared(&Process->Lock);
    Status = Process->State > PsProcessRunning ? STATUS_PROCESS_IS_TERMINATING : STATUS_SUCCESS;
    for (PLIST_ENTRY Link = Process->ThreadListHead.Flink; NT_SUCCESS(Status) && Link != &Process->ThreadListHead;
         Link = Link->Flink) {
        Change(CONTAINING_RECORD(Link, ETHREAD, ThreadListEntry), NULL);
    }
    KeUnlockShared(&Process->Lock);
    ObDereferenceObject(Process);
    return Status;
}

/* Each thread of the process is suspended once more. STATUS_PROCESS_IS_TERMINATING; handle errors
   (PROCESS_SUSPEND_RESUME). PASSIVE. (no WDK page) */
NTSTATUS NtSuspendProcess(HANDLE ProcessHandle)
{
    return SvcChangeProcessSuspension(ProcessHandle, PsSuspendThread);
}

/* Takes one suspension of each thread back. Errors as NtSuspendProcess. PASSIVE. (no WDK page) */
NTSTATUS NtResumeProcess(HANDLE ProcessHandle)
{
    return SvcChangeProcessSuspension(ProcessHandle, PsResumeThread);
}
