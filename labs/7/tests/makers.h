/* SPDX-License-Identifier: MIT */
/*
 * Processes that come and go, for routines to hear of: a native program, and one of a subsystem that has no
 * programs: its only thread is a system thread, which ends at once.
 */
#ifndef PRIMER_LABS_MAKERS_H
#define PRIMER_LABS_MAKERS_H

#include "ktest.h"
#include <nativeprocess.h>
#include <subsystem.h>

#define BOUND 10000 /* ms of guest time: what has not happened by then does not */

/* Bounded: an object that nobody signals is a failure, and no hang. */
static inline BOOLEAN IsSignalled(PVOID Object)
{
    LARGE_INTEGER Time = KtestMs(BOUND);
    return KeWaitForSingleObject(Object, Executive, KernelMode, FALSE, &Time) == STATUS_SUCCESS;
}

/* A native program lives and ends; *Id (may be NULL): its id. The creation's status. */
static inline NTSTATUS LiveNative(PCWSTR Name, PHANDLE Id)
{
    UNICODE_STRING Image;
    PS_NATIVE_PROGRAM Program = {.ImagePath = &Image};
    HANDLE Handle;
    PEPROCESS Process;
    RtlInitUnicodeString(&Image, Name);
    NTSTATUS Status = PsCreateNativeProcess(&Program, &Handle, &Process);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    if (Id != NULL) {
        *Id = PsGetProcessId(Process);
    }
    IsSignalled(Process);
    ZwClose(Handle);
    ObDereferenceObject(Process);
    return STATUS_SUCCESS;
}

/* ---- The subsystem ---- */

static inline VOID SystemCall(PKTRAP_FRAME Frame)
{
}

static inline BOOLEAN Exception(PEXCEPTION_RECORD Record, PKTRAP_FRAME Frame)
{
    return FALSE;
}

static inline VOID ContextBack(PVOID Object, PVOID Context)
{
}

static inline VOID ThreadBack(PETHREAD Thread, PVOID Context)
{
    ContextBack(Thread, Context);
}

static inline VOID ProcessBack(PEPROCESS Process, PVOID Context)
{
    ContextBack(Process, Context);
}

static inline VOID EndAtOnce(PVOID Context)
{
}

/* One process, with its provider, which goes again. The status with which its first thread was made. */
static inline NTSTATUS LiveForeign(PPS_PROVIDER Provider, const PS_SUBSYSTEM_ROUTINES *Routines)
{
    PS_SUBSYSTEM_PROCESS_ATTRIBUTES Attributes = {.Kind = PS_PROCESS_EMPTY};
    PEPROCESS Process;
    HANDLE Handle, Thread;
    NTSTATUS Status = Routines->CreateProcess(Provider, &Attributes, &Process);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Status = ObOpenObjectByPointer(Process, OBJ_KERNEL_HANDLE, NULL, PROCESS_ALL_ACCESS, *PsProcessType, KernelMode, &Handle);
    if (NT_SUCCESS(Status)) {
        Status = PsCreateSystemThread(&Thread, THREAD_ALL_ACCESS, NULL, Handle, NULL, EndAtOnce, NULL);
        if (NT_SUCCESS(Status)) {
            ZwClose(Thread);
        }
        ZwClose(Handle);
    }
    IsSignalled(Process);
    ObDereferenceObject(Process);
    return Status;
}

static inline NTSTATUS LiveSubsystem(VOID)
{
    static const PS_SUBSYSTEM_PROVIDER Table = {
        .Version = PS_SUBSYSTEM_VERSION,
        .Size = sizeof(PS_SUBSYSTEM_PROVIDER),
        .Name = "lab",
        .SubsystemInformationType = SubsystemInformationTypeWSL,
        .DispatchSystemCall = SystemCall,
        .DispatchException = Exception,
        .ThreadExit = ThreadBack,
        .ProcessExit = ProcessBack,
    };
    PS_SUBSYSTEM_ROUTINES Routines = {.Version = PS_SUBSYSTEM_VERSION, .Size = sizeof(Routines)};
    PPS_PROVIDER Provider;
    NTSTATUS Status = PsRegisterSubsystemProvider(&Table, &Routines, &Provider);
    if (NT_SUCCESS(Status)) {
        Status = LiveForeign(Provider, &Routines);
        PsUnregisterSubsystemProvider(Provider, TRUE);
    }
    return Status;
}

#endif
