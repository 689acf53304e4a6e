/* SPDX-License-Identifier: MIT */
/*
 * ps for the rest of the kernel: processes and threads as objects, and what start-up, loader and tests call.
 *
 * Locks, outermost first: EPROCESS.Lock (life: creation against end), EPROCESS.VirtualLock (native
 * allocations), then mm's and ob's push locks; PspActiveProcessLock, PsImageLock and the notify tables' lock
 * are leaves. No lock is held while a callback or a provider is called.
 */
#ifndef PRIMER_PS_H
#define PRIMER_PS_H

#include "kernel/ex/ex.h"
#include "kernel/ke/ke.h"
#include "kernel/mm/mm.h"
#include "kernel/ob/ob.h"
#include <subsystem.h>

/*
 * A process's state, and who moves it.
 *
 *   from          to            by                                                       under
 *   (none)        Created       PspInsertProcess: it has its id, no thread yet           (nobody knows it)
 *   Created       Starting      PspJoinProcess: the first thread joins, alone            l
 *   Starting      Running       PspAnnounceProcess: no process callback objected         l
 *   Starting,     Terminating   PspTerminateProcess: nobody joins any more               l
 *   Running
 *   Created       Ending        PspTerminateProcess, which then runs the end itself      l
 *   Running,      Ending        PspLeaveProcess: the last thread, which runs the end     l
 *   Terminating
 *   Ending        Ended         PspEndProcess; PspSignalThread signals the object later  l
 *
 * l: Lock
 */
typedef enum _PS_PROCESS_STATE {
    PsProcessCreated,
    PsProcessStarting,
    PsProcessRunning,
    PsProcessTerminating,
    PsProcessEnding,
    PsProcessEnded,
} PS_PROCESS_STATE;

/*
 * Fields:  (c) constant once it has its id   (l) Lock   (L) PspActiveProcessLock   (i) PsImageLock
 *          (a) atomic operations   (e) written by the process's end only; read after the state says so
 *
 * References: one of its own from PspInsertProcess to the end; one of each thread object; one of each handle.
 */
struct _EPROCESS {
    KPROCESS Pcb;                        /* AddressSpace: (l); the process's own threads read it without */
    HANDLE UniqueProcessId;              /* (c) */
    HANDLE InheritedFromUniqueProcessId; /* (c) the parent */
    LIST_ENTRY ActiveProcessLinks;       /* (L) from creation until the object is deleted */
    EX_PUSH_LOCK Lock;
    LIST_ENTRY ThreadListHead;        /* (l) ETHREAD.ThreadListEntry: those that have joined and not left */
    ULONG ActiveThreads;              /* (l) their number */
    volatile LONG UnsignalledThreads; /* (a) those that have joined and whose objects are not signalled */
    volatile LONG State;              /* (l) PS_PROCESS_STATE; read without it as a hint */
    NTSTATUS TerminateStatus;         /* (l) what a terminator asked for; STATUS_PENDING: nobody has */
    EX_RUNDOWN_REF Access;            /* held by who uses handles or provider; the end waits */

    volatile NTSTATUS ExitStatus; /* (e) STATUS_PENDING until the end */
    LARGE_INTEGER CreateTime;     /* (c) */
    LARGE_INTEGER ExitTime;       /* (e) */
    BOOLEAN SystemProcess;        /* (c) System or Idle: KiKernelSpace, never ends */
    BOOLEAN Inserted;             /* (c) has its id and its own reference */

    PFILE_OBJECT FileObject;      /* (c) of the program; may be NULL */
    UNICODE_STRING ImageFileName; /* (i) in pool */
    UCHAR ShortName[16];          /* (i) PsGetProcessImageFileName: of ImageFileName, when it was last asked for */
    UNICODE_STRING CommandLine;   /* (c) in pool */

    /* Native processes */
    PVOID Peb;                /* (c) user address; NULL: none */
    ULONG_PTR ImageBase;      /* (c) */
    SIZE_T ImageSize;         /* (c) */
    ULONG_PTR UserApcDispatcher; /* user address, entered with an APC's routine and its arguments; 0: takes no user APCs */
    ULONG_PTR UserExceptionDispatcher; /* likewise, entered with an exception's record; 0: it ends the process */
    EX_PUSH_LOCK VirtualLock; /* reserve, commit, decommit of one process, one at a time */

    /* Subsystem processes */
    BOOLEAN SubsystemProcess; /* (c) it has, or had, a provider */
    PPS_PROVIDER Provider;    /* (c) referenced until ProcessExit has returned; then NULL */
    PVOID ProviderContext;    /* (c) */
    SUBSYSTEM_INFORMATION_TYPE SubsystemInformationType; /* (c) copied: outlives the provider */
    char SubsystemName[16];                              /* (c) "native", "kernel" or the provider's name */
};

/* ETHREAD.StartState */
#define PS_THREAD_HELD      0 /* being made: its creator alone may start it */
#define PS_THREAD_STARTABLE 1 /* announced; whoever changes this to STARTED starts it */
#define PS_THREAD_STARTED   2

/*
 * Fields:  (c) constant once it has joined   (l) the process's Lock   (o) the thread itself only
 *          (a) atomic operations   (i) PsImageLock
 *
 * References: one of its own from joining until the reaper has freed its stack; one of each handle.
 */
struct _ETHREAD {
    KTHREAD Tcb;                  /* Tcb.Process is referenced until the thread object is deleted */
    CLIENT_ID Cid;                /* (c) */
    LIST_ENTRY ThreadListEntry;   /* (l) */
    LARGE_INTEGER CreateTime;     /* (c) */
    LARGE_INTEGER ExitTime;       /* (o) valid when ExitStatus is */
    volatile NTSTATUS ExitStatus; /* (o) STATUS_PENDING while alive */
    NTSTATUS TerminateStatus;     /* by whoever set Terminating, before KUSER_WORK_TERMINATE is seen */
    volatile LONG Terminating;    /* (a) somebody, perhaps itself, has ended it */
    volatile LONG StartState;     /* (a) PS_THREAD_* */
    BOOLEAN Reported;             /* (c) thread callbacks were told of its creation */
    BOOLEAN FirstThread;          /* (c) of its process */
    BOOLEAN ContextOwned;         /* (c) ProviderContext is to be handed back */
    PVOID ProviderContext;        /* (c) */
    PVOID StackTop;               /* (c) kernel stack; NULL once freed */
    PVOID FpuBlock;               /* (c) pool; NULL: a system thread, or freed */
    PKSTART_ROUTINE StartRoutine; /* (c) system threads: what they run */
    PVOID StartContext;           /* (c) */
    PVOID StartAddress;           /* (c) for queries */
    UNICODE_STRING Name;          /* (i) in pool: NtSetInformationThread */
    PVOID Teb;                    /* (c) user address; NULL: none */
    ULONG_PTR UserArea;           /* (c) native threads: stack and TEB */
    SIZE_T UserAreaSize;          /* (c) */
    struct _PSP_NOTIFY_CALL *NotifyCalls; /* (o) callbacks that it is in, innermost first */
    struct _PSP_PROVIDER_CALL
        *ProviderCalls;     /* (o) provider routines likewise, DispatchSystemCall excepted */
    LIST_ENTRY ReaperLinks; /* the reaper's lock */
};

/* Static objects, usable before there is pool: the header that ob fills in later stands before the body. */
typedef struct _PS_STATIC_THREAD {
    UCHAR Header[OB_HEADER_SIZE];
    ETHREAD Thread;
} PS_STATIC_THREAD;
typedef struct _PS_STATIC_PROCESS {
    UCHAR Header[OB_HEADER_SIZE];
    EPROCESS Process;
} PS_STATIC_PROCESS;
extern PS_STATIC_THREAD PspBootIdleThreadObject;
extern PS_STATIC_PROCESS PspIdleProcessObject;
#define PspBootIdleThread PspBootIdleThreadObject.Thread
#define PspIdleProcess    PspIdleProcessObject.Process

/* ---- Start-up ---- */

/* Object types, Idle and System process; the boot processor's idle thread becomes an object. After
   ObInitialize. */
void PsInitializePhase0(void);
/* The reaper. After ExInitializeWorkQueues; system threads can be made from
   here on. */
void PsInitializePhase1(void);
/* Idle thread and stack of another processor: sets IdleThread and IdleStackTop of its PRCB. STATUS_NO_MEMORY.
   PASSIVE. */
NTSTATUS PspCreateIdleThread(PKPRCB Prcb);

/* The time-stamp counter at the kernel's start, set by start-up; the first entry to user mode reports the
   distance. */
extern volatile LONG64 PsBootCycles;

/* ---- For the other components ---- */

/* Returns when the stacks of all threads that have ended before the call are freed. PASSIVE, not from the
   reaper. */
VOID PsDrainReaper(VOID);
/* Keeps the process's end from beginning, so that its handle table may be used; FALSE when it has begun.
   PASSIVE. */
BOOLEAN PsAcquireProcessAccess(PEPROCESS Process);
void PsReleaseProcessAccess(PEPROCESS Process);
/* The process's handle table, with access to the process (release it); NULL: it has none, or none any more.
   PASSIVE. */
PHANDLE_TABLE PsAcquireHandleTable(PEPROCESS Process);
/* The address space of a process, referenced (MmDereferenceAddressSpace). STATUS_PROCESS_IS_TERMINATING;
   STATUS_ACCESS_DENIED for System and Idle. PASSIVE. */
NTSTATUS PsReferenceAddressSpace(PEPROCESS Process, PMM_ADDRESS_SPACE *Space);
/* The process (referenced) behind Previous (dereferenced by the call; NULL: from the start) in the list; NULL
   at the end. */
PEPROCESS PsNextProcess(PEPROCESS Previous);
/* Image callbacks for a kernel module (ProcessId 0), before its DriverEntry. PASSIVE. */
void PsNotifyModuleImage(PCUNICODE_STRING FullImageName, PVOID ImageBase, SIZE_T ImageSize);
/* Is a provider or a notify routine of a module that has run its DriverUnload still registered? PASSIVE. */
bool PsFindLeftover(const EX_MODULE *Module, PEX_LEFTOVER Left);
/* The module's providers take no new users, and the present ones are waited for. STATUS_CANCELLED: the wait
   (Mode; alertable in UserMode) was broken off. Either way they stay closed until they are unregistered or
   opened again. PASSIVE. */
NTSTATUS PsCloseProviders(const EX_MODULE *Module, KPROCESSOR_MODE Mode);
void PsReopenProviders(const EX_MODULE *Module);

/* ---- For the services ---- */

extern EX_PUSH_LOCK PsImageLock; /* EPROCESS.ImageFileName, ETHREAD.Name */

/* The space of any process, for the caller to use until it is released; the caller's own costs nothing.
   Errors as PsReferenceAddressSpace. */
NTSTATUS PsAcquireSpace(PEPROCESS Process, PMM_ADDRESS_SPACE *Space);
void PsReleaseSpace(PEPROCESS Process, PMM_ADDRESS_SPACE Space);

/* The tag of native regions: the allocation's base, and in its low bits how it was made. */
#define PS_VM_PROTECT          0x1ff /* PAGE_* it was allocated with */
#define PS_VM_RESERVED         0x200 /* no page of it is committed */
#define PS_VM_KERNEL           0x400 /* image, PEB, TEB, stack: not to be freed by services */
#define PS_VM_VIEW             0x800 /* of a section */
#define PS_VM_TAG(Base, Flags) ((PVOID)((ULONG_PTR)(Base) | (Flags)))

/* Marks the thread; it ends itself on its way to user mode. STATUS_THREAD_IS_TERMINATING: it was marked
   already; STATUS_INVALID_PARAMETER: a system thread. <= APC. */
NTSTATUS PsTerminateThread(PETHREAD Thread, NTSTATUS ExitStatus);
NTSTATUS PsSuspendThread(PETHREAD Thread, PULONG PreviousCount);
NTSTATUS PsResumeThread(PETHREAD Thread, PULONG PreviousCount);
/* Until PsReleaseRegisters the thread's user registers may be touched: it is the current one, has not
   started, or is suspended and has stopped. STATUS_INVALID_DEVICE_STATE when it is not;
   STATUS_INVALID_PARAMETER: a system thread, or one that has ended. */
NTSTATUS PsHoldRegisters(PETHREAD Thread);
/* KE_HANDLERS.SuspendCurrentThread: waits until the suspension ends and nobody holds the thread's registers.
   PASSIVE. */
void PsSuspendCurrentThread(void);
void PsReleaseRegisters(PETHREAD Thread);
/* The provider's part of a user exception; FALSE: the process has none, or it does not handle this one. */
bool PsProviderHandlesException(PEXCEPTION_RECORD Record, PKTRAP_FRAME Frame);
/* Nobody handles it: the process ends with the exception's status, the calling thread on its way to user
   mode. */
void PsUnhandledException(PEXCEPTION_RECORD Record);
/* Processor time of all its threads, those that have ended included, in cycles; to *UserCycles is added what
   of that is user time. PASSIVE. */
ULONG64 PsProcessCycles(PEPROCESS Process, PULONG64 UserCycles);
/* Names of the providers, NUL-separated, an empty one at the end; returns the bytes that they take. At most
   Size are written. */
SIZE_T PsProviderNames(char *Buffer, SIZE_T Size);

/* Starts a program under the provider of that name. STATUS_NOT_FOUND: there is none; STATUS_NOT_SUPPORTED: it
   starts none; what StartProgram says. PASSIVE. */
NTSTATUS PsStartProgram(const char *Name, PPS_PROGRAM Program, PEPROCESS *Process);
/* Copies Size bytes of strings to *Next, which advances; *Copy: there, or NULL when there are none.
   STATUS_INVALID_PARAMETER: the last has no end, or there are fewer than Count; STATUS_ACCESS_VIOLATION. */
NTSTATUS PsCaptureStrings(char **Next, char **Copy, const char *Source, SIZE_T Size, ULONG Count,
                           KPROCESSOR_MODE Mode);

/* The object of a handle that the caller of the current service gave, referenced. */
static inline NTSTATUS PsReferenceProcessHandle(HANDLE Handle, ACCESS_MASK Access, PEPROCESS *Process)
{
    return ObReferenceObjectByHandle(Handle, Access, *PsProcessType, ExGetPreviousMode(), (PVOID *)Process, NULL);
}

static inline NTSTATUS PsReferenceThreadHandle(HANDLE Handle, ACCESS_MASK Access, PETHREAD *Thread)
{
    return ObReferenceObjectByHandle(Handle, Access, *PsThreadType, ExGetPreviousMode(), (PVOID *)Thread, NULL);
}

/* ---- What ke and kd call (KeHandlers, KdHooks: ke.h and kd.h have the contracts) ---- */

void PspUserWork(PKTRAP_FRAME Frame);
bool PspTakesUserApcs(PKPROCESS Process);
const char *PspProviderName(PKTHREAD Thread);
BOOLEAN PspQueryThreadIds(PKTHREAD Thread, CLIENT_ID *Ids);

static inline PEPROCESS PsThreadProcess(PETHREAD Thread)
{
    return CONTAINING_RECORD(Thread->Tcb.Process, EPROCESS, Pcb);
}

#endif
