/* SPDX-License-Identifier: MIT */
/*
 * Processes for the tests to end: the native shell, which exits with 7, and system threads in it that stay
 * until they are let go.
 */
#ifndef PRIMER_LABS_CHILD_H
#define PRIMER_LABS_CHILD_H

#include "ktest.h"
#include <nativeprocess.h>
#include <primertest.h>

#define BOUND 10000 /* ms of guest time: what has not happened by then does not */

typedef struct _CHILD {
    HANDLE Handle; /* a kernel handle */
    PEPROCESS Process;
} CHILD;

/* `sh -c "exit 7"`. */
static inline BOOLEAN StartChild(CHILD *Child, BOOLEAN Suspended)
{
    static const UNICODE_STRING Image = RTL_CONSTANT_STRING(L"sh");
    static CHAR Arguments[] = "sh\0-c\0exit 7";
    PS_NATIVE_PROGRAM Program = {.ImagePath = &Image, .ArgumentCount = 3, .ArgumentsSize = sizeof(Arguments),
                                 .Arguments = Arguments, .Suspended = Suspended};
    return NT_SUCCESS(PsCreateNativeProcess(&Program, &Child->Handle, &Child->Process));
}

/* Bounded: an object that nobody signals is a failure, and no hang. */
static inline BOOLEAN IsSignalled(PVOID Object, LONGLONG Milliseconds)
{
    LARGE_INTEGER Time = KtestMs(Milliseconds);
    return KeWaitForSingleObject(Object, Executive, KernelMode, FALSE, &Time) == STATUS_SUCCESS;
}

static inline BOOLEAN HasEnded(const CHILD *Child)
{
    return IsSignalled(Child->Process, BOUND);
}

static inline VOID ReleaseChild(const CHILD *Child)
{
    ZwClose(Child->Handle);
    ObDereferenceObject(Child->Process);
}

/* A thread that stays in the process until Go is set, and ends with Status. */
typedef struct _HOLDER {
    KEVENT Go;
    NTSTATUS Status;
    PETHREAD Thread;
} HOLDER;

static inline VOID Hold(PVOID Context)
{
    HOLDER *Holder = Context;
    KeWaitForSingleObject(&Holder->Go, Executive, KernelMode, FALSE, NULL);
    PsTerminateSystemThread(Holder->Status);
}

static inline NTSTATUS StartHolder(HOLDER *Holder, HANDLE Process, NTSTATUS ExitStatus)
{
    HANDLE Handle;
    Holder->Status = ExitStatus;
    KeInitializeEvent(&Holder->Go, NotificationEvent, FALSE);
    NTSTATUS Status = PsCreateSystemThread(&Handle, THREAD_ALL_ACCESS, NULL, Process, NULL, Hold, Holder);
    if (NT_SUCCESS(Status)) {
        ObReferenceObjectByHandle(Handle, SYNCHRONIZE, *PsThreadType, KernelMode, (PVOID *)&Holder->Thread, NULL);
        ZwClose(Handle);
    }
    return Status;
}

static inline VOID LetGo(HOLDER *Holder)
{
    KeSetEvent(&Holder->Go, IO_NO_INCREMENT, FALSE);
    KtestJoin(Holder->Thread);
}

/* The user thread of a child, referenced: it got the next ids after the process's. NULL: not found. */
static inline PETHREAD FirstThread(const CHILD *Child)
{
    ULONG First = HandleToULong(PsGetProcessId(Child->Process));
    for (ULONG Id = First + 4; Id < First + 64; Id += 4) {
        PETHREAD Thread;
        if (NT_SUCCESS(PsLookupThreadByThreadId(ULongToHandle(Id), &Thread))) {
            if (PsGetThreadProcess(Thread) == Child->Process) {
                return Thread;
            }
            ObDereferenceObject(Thread);
        }
    }
    return NULL;
}

#endif
