/* SPDX-License-Identifier: MIT */
/*
 * ps's own header: what its files share. The structures, the table of states and the order of the locks stand
 * in ps.h.
 */
#ifndef PRIMER_PSP_H
#define PRIMER_PSP_H

#include "kernel/ex/ex.h"
#include "kernel/io/io.h"
#include "kernel/kd/kd.h"
#include "sync/held.h"
#include "sync/pushlock.h"
#include "sync/wait.h"
#include "kernel/rtl/export.h"
#include "kernel/rtl/rtl.h"
#include "ps/ps.h"
#include <ntapi.h>

#define PSP_TAG      'corP'
#define PSP_TAG_FPU  'upfP'
#define PSP_TAG_NAME 'manP'

#define PSP_DEFAULT_USER_STACK 0x40000 /* bytes that it may grow to */
#define PSP_DEFAULT_COMMIT     0x10000 /* bytes that it starts with: they cost nothing until they are touched */
#define PSP_MAXIMUM_USER_STACK 0x4000000

extern POBJECT_TYPE PspProcessType, PspThreadType;
extern LIST_ENTRY PspActiveProcessHead;
extern EX_PUSH_LOCK PspActiveProcessLock;

/* ---- Small tools ---- */

static inline PETHREAD PspCurrentThread(void)
{
    return CONTAINING_RECORD(ArchCurrentThread(), ETHREAD, Tcb);
}

/* The process that the current thread belongs to, whatever it is attached to. */
static inline PEPROCESS PspHomeProcess(void)
{
    return PsThreadProcess(PspCurrentThread());
}

/* Only for a process of which the caller is a thread: nobody takes its space away. */
static inline PMM_ADDRESS_SPACE PspSpace(PEPROCESS Process)
{
    return CONTAINING_RECORD(Process->Pcb.AddressSpace, MM_ADDRESS_SPACE, Kernel);
}

/* A copy, given back with ExFreeUnicodeString; an empty or NULL source gives an empty string without a
   buffer. */
static inline NTSTATUS PspCopyString(PUNICODE_STRING Copy, PCUNICODE_STRING Source)
{
    return ExCaptureUnicodeString(Copy, Source, UNICODE_STRING_MAX_BYTES, KernelMode);
}

/* ---- Processes (process.c) ---- */

typedef PS_SUBSYSTEM_PROCESS_ATTRIBUTES PSP_PROCESS_ATTRIBUTES; /* of a native one, too */

/* The fields of a zeroed process object: no thread, the kernel's address space, Created. Subsystem: a name of
   at most 15 characters. */
void PspInitializeProcess(PEPROCESS Process, const char *Subsystem);
/* A process without thread and without id; the reference is the caller's. Dereferencing it undoes everything.
   Attributes: with Parent. Provider: NULL, or a reference that is taken over, also on failure. */
NTSTATUS PspCreateProcess(const PSP_PROCESS_ATTRIBUTES *Attributes, PPS_PROVIDER Provider,
                          BOOLEAN InheritHandles, PEPROCESS *Process);
/* It gets its id, is found by everybody, and lives until its end. */
NTSTATUS PspInsertProcess(PEPROCESS Process);
/* The thread becomes one of its process's. STATUS_PROCESS_IS_TERMINATING; STATUS_INVALID_DEVICE_STATE: the
   process's callbacks have not all let its first thread pass. */
NTSTATUS PspJoinProcess(PETHREAD Thread);
/* The process callbacks, for the first thread; other threads may join then. A veto's status. */
NTSTATUS PspAnnounceProcess(PEPROCESS Process);
/* The thread is none of its process's any more. The last one runs the process's end. */
void PspLeaveProcess(PETHREAD Thread, BOOLEAN OnItself);
/* The last that is done with a thread that had joined: signals it, and after the last of them the process. <=
   DISPATCH. */
void PspSignalThread(PETHREAD Thread);
/* STATUS_PROCESS_IS_TERMINATING: somebody was first. STATUS_ACCESS_DENIED: System or Idle. PASSIVE. */
NTSTATUS PspTerminateProcess(PEPROCESS Process, NTSTATUS ExitStatus);
/* Ends all user threads of the current process but the current one, and returns when they are gone.
   STATUS_THREAD_IS_TERMINATING: somebody has ended the current one, too. PASSIVE; no lock. */
NTSTATUS PspEndOtherThreads(NTSTATUS ExitStatus);
void PspDeleteProcess(PVOID Object);

/* ---- Threads (thread.c) ---- */

/* A thread object with kernel stack that counts as its process's; the reference is the caller's.
   STATUS_NO_MEMORY, STATUS_INSUFFICIENT_RESOURCES. */
NTSTATUS PspAllocateThread(PEPROCESS Process, PETHREAD *Thread);
/* A thread object with kernel stack and id, not joined, held. User threads have FPU state and a user frame to
   be filled in. */
NTSTATUS PspCreateThread(PEPROCESS Process, BOOLEAN SystemThread, PETHREAD *Thread);
/*
 * The last steps, common to all kinds: joins, tells the callbacks, starts unless Suspended. On failure (the
 * process is terminating, or a process callback's veto, which ends the process) the thread will never run;
 * the caller calls PspEndUnborn.
 */
NTSTATUS PspLaunchThread(PETHREAD Thread, BOOLEAN Suspended);
/* A thread that was not launched, or not with success, is signalled: somebody may have found it by its id and
   wait for it. Its creator dereferences it then. */
void PspEndUnborn(PETHREAD Thread, NTSTATUS Status);
void PspStartThread(PETHREAD Thread);
/* The current thread's end. PASSIVE, any APC state. */
NORETURN void PspExitThread(NTSTATUS ExitStatus);
/* What a user thread runs first and last in the kernel: its begin callbacks, then its user frame. */
VOID PspUserThreadStartup(PVOID Context);
void PspDeleteThread(PVOID Object);
void PspInitializeReaper(void);

/* ---- Native programs (image.c) ---- */

/* A thread of a native process with TEB and user stack, not joined. The stack has Commit bytes at first and
   grows to Reserve; 0: the default. */
NTSTATUS PspCreateNativeThread(PEPROCESS Process, ULONG_PTR StartAddress, ULONG_PTR Argument, SIZE_T Commit,
                               SIZE_T Reserve, PETHREAD *Thread);
/* TEB and stack of the current thread go. */
void PspFreeNativeArea(PETHREAD Thread);

/* ---- Callbacks (notify.c) ---- */

typedef struct _PSP_NOTIFY_CALL PSP_NOTIFY_CALL;

/* All process callbacks; the first error that one left in CreationStatus, or STATUS_SUCCESS. PASSIVE. */
NTSTATUS PspNotifyProcessCreate(PEPROCESS Process);
void PspNotifyProcessExit(PEPROCESS Process);
/* On the creator's thread, and on the new thread itself. */
void PspNotifyThreadCreate(PETHREAD Thread);
void PspNotifyThreadBegin(PETHREAD Thread);
void PspNotifyThreadExit(PETHREAD Thread);
void PspNotifyProcessImage(PEPROCESS Process);
/* The current thread ends inside callbacks: they count as returned. */
void PspAbandonNotifyCalls(PETHREAD Thread);
/* PsFindLeftover's share: waits for removals that were deferred; a routine of the module that is still
   registered? */
bool PspFindLeftNotify(const EX_MODULE *Module, PEX_LEFTOVER Left);

/* ---- Providers (provider.c) ---- */

typedef struct _PSP_PROVIDER_CALL {
    struct _PSP_PROVIDER_CALL *Outer;
    struct _PS_PROVIDER *Provider;
    ULONG ApcDisable, Locks;      /* at the call */
    KPROCESSOR_MODE PreviousMode; /* likewise; a provider is kernel code */
} PSP_PROVIDER_CALL;

/* (c) constant from registration on; (l) PspProviderLock */
struct _PS_PROVIDER {
    LIST_ENTRY Links;            /* (l) */
    PS_SUBSYSTEM_PROVIDER Table; /* (c) the provider's routines, copied */
    char Name[16];               /* (c) */
    ULONG_PTR CodeStart;         /* (c) its module's, for "is the caller this provider?"; 0 and everything: */
    SIZE_T CodeSize;             /*     built into the kernel */
    ULONG Users;                 /* (l) processes, and calls of StartProgram */
    ULONG Holders;               /* (l) of this structure: registration, and those who wait for the end of its use */
    BOOLEAN Closed;              /* (l) nobody becomes a user any more */
    KEVENT Idle;                 /* (l) set while it is closed and has no users */
};

/* One more user, while it is open; FALSE when it is not. <= DISPATCH. */
BOOLEAN PspReferenceProvider(PPS_PROVIDER Provider);
void PspDereferenceProvider(PPS_PROVIDER Provider);
/* Referenced, or NULL. */
PPS_PROVIDER PspFindProvider(const char *Name);
/* Around every call of a provider's routine but DispatchSystemCall: the contract is checked on return. */
void PspEnterProvider(PSP_PROVIDER_CALL *Call, PPS_PROVIDER Provider);
void PspLeaveProvider(PSP_PROVIDER_CALL *Call, const char *Routine);
/* The thread's system calls go to its process's provider. */
void PspBindThread(PETHREAD Thread);
bool PspFindLeftProvider(const EX_MODULE *Module, PEX_LEFTOVER Left);
extern const PS_SUBSYSTEM_ROUTINES PspSubsystemRoutines; /* providerproc.c */

#endif
