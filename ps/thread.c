/* SPDX-License-Identifier: MIT */
/*
 * Threads: their making, their end, and the reaper that frees what a thread cannot free itself.
 *
 * Making:  PspCreateThread     object, kernel stack, id; nobody runs it (StartState HELD)
 *          (the caller)        user frame, handles: everything that can fail
 *          PspLaunchThread     joins the process -> callbacks -> STARTABLE -> started, unless suspended
 * End:     PspExitThread, always on the thread itself: callbacks -> provider -> leaves the process (the last
 *          one runs the process's end) -> reaper's list, object signalled -> KiExitThread. The reaper frees
 *          the stack.
 *
 * Locks: the process's Lock while joining and leaving; the reaper's spin lock.
 */
#include "ps/psp.h"

/* ---- The reaper ----
 *
 * One thread frees what ends, in its order. When more ends than it can free (it competes with all processors
 * for the locks of the tables), those who make threads help: each frees a few before it makes one, so that the
 * list stays short.
 */

static KLOCK PspReaperLock;
static LIST_ENTRY PspReaperList = {&PspReaperList, &PspReaperList}; /* PspReaperLock; in order */
static volatile ULONG PspReaperLength; /* PspReaperLock; read without it, it counts all that came before */
static KEVENT PspReaperEvent;
/* Threads that are being freed, counted by the round in which they were taken off the list: who drains begins
   a new round and waits for the old one alone. (a), but up under PspReaperLock */
static volatile ULONG PspReaping[2];
static ULONG PspReaperRound;      /* PspReaperLock */
static EX_PUSH_LOCK PspDrainLock; /* rounds end one after the other */

#define PSP_REAPER_PRIORITY 12 /* above programs: what has ended must not pile up behind what is made */
#define PSP_REAPER_LENGTH   32 /* beyond that, makers help */
#define PSP_HELPER_SHARE    2  /* so many each: more than it makes */

/* DISPATCH_LEVEL. */
static void PspQueueReaper(PETHREAD Thread)
{
    KeAcquireLockAtDpc(&PspReaperLock);
    bool Empty = IsListEmpty(&PspReaperList);
    InsertTailList(&PspReaperList, &Thread->ReaperLinks);
    PspReaperLength++;
    KeReleaseLockFromDpc(&PspReaperLock);
    if (Empty) {
        KeSetEvent(&PspReaperEvent, IO_NO_INCREMENT, FALSE);
    }
}

/* The first of the list, taken off; NULL: none. *Round: where it is counted. */
static PETHREAD PspNextToReap(volatile ULONG **Round)
{
    PETHREAD Thread = NULL;
    if (PspReaperLength == 0) { /* whoever comes now sets the event */
        return NULL;
    }
    KIRQL Irql = KeAcquireLock(&PspReaperLock);
    if (!IsListEmpty(&PspReaperList)) {
        Thread = CONTAINING_RECORD(RemoveHeadList(&PspReaperList), ETHREAD, ReaperLinks);
        PspReaperLength--;
        *Round = &PspReaping[PspReaperRound & 1];
        __atomic_add_fetch(*Round, 1, __ATOMIC_RELAXED);
    }
    KeReleaseLock(&PspReaperLock, Irql);
    return Thread;
}

/* What only a thread that will not run any more can lose. */
static void PspFreeThreadMemory(PETHREAD Thread)
{
    if (Thread->StackTop != NULL) {
        MmFreeKernelStack(Thread->StackTop);
        Thread->StackTop = NULL;
    }
    if (Thread->FpuBlock != NULL) {
        ExFreePoolWithTag(Thread->FpuBlock, PSP_TAG_FPU);
        Thread->FpuBlock = NULL;
    }
}

/* Frees one thread; FALSE: none waits for it. PASSIVE, no lock held. */
static bool PspReapThread(void)
{
    volatile ULONG *Round;
    PETHREAD Thread = PspNextToReap(&Round);
    if (Thread == NULL) {
        return false;
    }
    /* It is at DISPATCH_LEVEL on its way to its last switch, on another processor: a matter of microseconds.
       */
    while (__atomic_load_n(&Thread->Tcb.SwapBusy, __ATOMIC_ACQUIRE) != 0) {
        ArchPause();
    }
    PspFreeThreadMemory(Thread);
    ObDereferenceObject(Thread);
    __atomic_sub_fetch(Round, 1, __ATOMIC_RELEASE);
    return true;
}

static VOID PspReaperThread(PVOID Context)
{
    KeSetPriorityThread(KeGetCurrentThread(), PSP_REAPER_PRIORITY);
    for (;;) {
        KeWaitForSingleObject(&PspReaperEvent, Executive, KernelMode, FALSE, NULL);
        while (PspReapThread()) {}
    }
}

/* A maker's share. */
static void PspHelpReaper(void)
{
    for (ULONG i = 0; i < PSP_HELPER_SHARE && PspReaperLength > PSP_REAPER_LENGTH; i++) {
        PspReapThread();
    }
}

/* Does the reaper's work, then lets those finish who were at it. What ends meanwhile is not waited for:
   others may end threads without pause. */
VOID PsDrainReaper(VOID)
{
    LARGE_INTEGER Tick = {.QuadPart = -1000}; /* 100 microseconds */
    for (ULONG Waiting = PspReaperLength; Waiting != 0 && PspReapThread(); Waiting--) {}

    KeLockExclusive(&PspDrainLock);
    KIRQL Irql = KeAcquireLock(&PspReaperLock);
    volatile ULONG *Round = &PspReaping[PspReaperRound++ & 1];
    KeReleaseLock(&PspReaperLock, Irql);
    while (__atomic_load_n(Round, __ATOMIC_ACQUIRE) != 0) {
        KeDelayExecutionThread(KernelMode, FALSE, &Tick);
    }
    KeUnlockExclusive(&PspDrainLock);
}
EXPORT(PsDrainReaper);

void PspInitializeReaper(void)
{
    HANDLE Handle;
    KeInitializeLock(&PspReaperLock, KlcReaper);
    KeInitializeEvent(&PspReaperEvent, SynchronizationEvent, FALSE);
    NTSTATUS Status =
        PsCreateSystemThread(&Handle, THREAD_ALL_ACCESS, NULL, NULL, NULL, PspReaperThread, NULL);
    if (!NT_SUCCESS(Status)) {
        KdBugCheck(PHASE1_INITIALIZATION_FAILED, (ULONG64)Status, 0, 0, 0, NULL,
                   "the reaper cannot be made: %08x", Status);
    }
    ObCloseHandle(ObCurrentHandleTable(), Handle, KernelMode);
}

/* ---- Making ---- */

/* System threads begin here: inside a critical region, at PASSIVE_LEVEL. */
static VOID PspSystemThreadStartup(PVOID Context)
{
    PETHREAD Thread = Context;
    Thread->StartRoutine(Thread->StartContext);
    if (ArchGetIrql() != PASSIVE_LEVEL) {
        char Name[KD_NAME_SIZE];
        KdBugCheck(IRQL_UNEXPECTED_VALUE, ArchGetIrql(), (ULONG64)Thread->StartRoutine, PASSIVE_LEVEL, 0, NULL,
                   "the system thread's routine %s returned at level %d",
                   KdName((const void *)Thread->StartRoutine, Name, sizeof(Name)), ArchGetIrql());
    }
    PspExitThread(STATUS_SUCCESS);
}

volatile LONG64 PsBootCycles;

/* Once: how long the way from the kernel's first instruction to the first of user mode was. */
static void PspReportFirstEntry(void)
{
    LONG64 Start = PsBootCycles != 0 ? InterlockedExchange64(&PsBootCycles, 0) : 0;
    if (Start != 0) {
        DbgPrint("@bench boot-to-user %I64u\n", ArchReadCycles() - (ULONG64)Start);
    }
}

/* The current thread is about to use its user registers, which may have held still so far: waits until nobody
   has them by PsHoldRegisters. */
static void PspTakeRegistersBack(PETHREAD Thread)
{
    PEPROCESS Process = PsThreadProcess(Thread);
    KeLockExclusive(&Process->Lock);
    KeUnlockExclusive(&Process->Lock);
}

void PsSuspendCurrentThread(void)
{
    KiSuspendCurrentThread();
    PspTakeRegistersBack(PspCurrentThread());
}

VOID PspUserThreadStartup(PVOID Context)
{
    PETHREAD Thread = Context;
    PspTakeRegistersBack(Thread);
    PspNotifyThreadBegin(Thread);
    if (Thread->FirstThread && !Thread->Terminating) {
        PspNotifyProcessImage(PsThreadProcess(Thread));
    }
    PspReportFirstEntry();
    ArchEnterUserMode();
}

NTSTATUS PspAllocateThread(PEPROCESS Process, PETHREAD *Allocated)
{
    PETHREAD Thread;
    NTSTATUS Status = ObCreateObject(PspThreadType, (PVOID *)&Thread);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    ObReferenceObject(Process);
    Thread->Tcb.Process = &Process->Pcb; /* what the object's deletion relies on */
    Thread->Cid.UniqueProcess = Process->UniqueProcessId;
    Thread->ExitStatus = STATUS_PENDING;
    KeQuerySystemTime(&Thread->CreateTime);
    Thread->StackTop = MmAllocateKernelStack();
    if (Thread->StackTop == NULL) {
        ObDereferenceObject(Thread);
        return STATUS_NO_MEMORY;
    }
    *Allocated = Thread;
    return STATUS_SUCCESS;
}

NTSTATUS PspCreateThread(PEPROCESS Process, BOOLEAN SystemThread, PETHREAD *Created)
{
    PETHREAD Thread;
    PspHelpReaper();
    NTSTATUS Status = PspAllocateThread(Process, &Thread);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    KeInitializeThread(&Thread->Tcb, &Process->Pcb, Thread->StackTop,
                       SystemThread ? PspSystemThreadStartup : PspUserThreadStartup, Thread, SystemThread);
    if (SystemThread) {
        Thread->Tcb.KernelApcDisable = -1;
    } else {
        Thread->FpuBlock = ExAllocatePoolWithTag(NonPagedPoolNx, ArchFpuBlockSize(), PSP_TAG_FPU);
        if (Thread->FpuBlock == NULL) {
            ObDereferenceObject(Thread);
            return STATUS_INSUFFICIENT_RESOURCES;
        }
        ArchInitializeFpuState(&Thread->Tcb, Thread->FpuBlock);
    }
    Status = ObAllocateClientId(Thread, &Thread->Cid.UniqueThread);
    if (!NT_SUCCESS(Status)) {
        ObDereferenceObject(Thread);
        return Status;
    }
    *Created = Thread;
    return STATUS_SUCCESS;
}

/* The last reference has gone. It has ended and been reaped, or it never ran. */
void PspDeleteThread(PVOID Object)
{
    PETHREAD Thread = Object;
    if (Thread->Cid.UniqueThread != NULL) {
        ObFreeClientId(Thread->Cid.UniqueThread);
    }
#if DBG
    KdForgetLockList(&Thread->Tcb.LockList);
#endif
    PspFreeThreadMemory(Thread);
    ExFreeUnicodeString(&Thread->Name);
    ObDereferenceObject(PsThreadProcess(Thread));
}

/* Runs the thread, if nobody has yet and its creator has announced it. */
void PspStartThread(PETHREAD Thread)
{
    if (InterlockedCompareExchange(&Thread->StartState, PS_THREAD_STARTED, PS_THREAD_STARTABLE) ==
        PS_THREAD_STARTABLE) {
        KeStartThread(&Thread->Tcb);
    }
}

/* The callbacks, in their order. A process callback's veto ends the process; the thread has not been reported
   then. */
static NTSTATUS PspAnnounceThread(PETHREAD Thread)
{
    if (Thread->FirstThread) {
        NTSTATUS Status = PspAnnounceProcess(PsThreadProcess(Thread));
        if (!NT_SUCCESS(Status)) {
            return Status;
        }
    }
    Thread->Reported = TRUE;
    PspNotifyThreadCreate(Thread);
    return STATUS_SUCCESS;
}

void PspEndUnborn(PETHREAD Thread, NTSTATUS Status)
{
    KeRundownApcs(&Thread->Tcb);
    Thread->ExitStatus = Status;
    Thread->Terminating = TRUE;
    KeSignalObject(&Thread->Tcb.Header, IO_NO_INCREMENT);
}

/* The veto: the process ends, here and now if this was its only thread. */
static void PspAbandonThread(PETHREAD Thread, NTSTATUS Status)
{
    PspTerminateProcess(PsThreadProcess(Thread), Status);
    KeRundownApcs(&Thread->Tcb);
    PspLeaveProcess(Thread, FALSE);
    Thread->ExitStatus = Status;
    Thread->Terminating = TRUE;
    PspSignalThread(Thread);
    ObDereferenceObject(Thread);
}

NTSTATUS PspLaunchThread(PETHREAD Thread, BOOLEAN Suspended)
{
    if (Suspended) {
        KeSuspendThread(&Thread->Tcb, NULL);
    }
    NTSTATUS Status = PspJoinProcess(Thread);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    KdTrace(ThreadCreate, HandleToULong(Thread->Cid.UniqueThread), Thread, Thread->Cid.UniqueProcess);
    KdTrace(ThreadStart, HandleToULong(Thread->Cid.UniqueThread), Thread, Thread->StartAddress);
    Status = PspAnnounceThread(Thread);
    if (!NT_SUCCESS(Status)) {
        PspAbandonThread(Thread, Status);
        return Status;
    }
    /* Who terminates it sets Terminating, then tries to start it; here it is the other way about: one of the
       two succeeds. */
    InterlockedExchange(&Thread->StartState, PS_THREAD_STARTABLE);
    if (!Suspended || Thread->Terminating || Thread->Tcb.SuspendCount == 0) {
        PspStartThread(Thread);
    }
    return STATUS_SUCCESS;
}

/* ---- System threads ---- */

static NTSTATUS PspReferenceHost(HANDLE ProcessHandle, PEPROCESS *Process)
{
    OBJECT_HANDLE_INFORMATION Information;
    NTSTATUS Status = ObReferenceObjectByHandle(ProcessHandle, PROCESS_CREATE_THREAD, PspProcessType,
                                                KernelMode, (PVOID *)Process, &Information);
    if (NT_SUCCESS(Status) && !(Information.GrantedAccess & PROCESS_CREATE_THREAD)) {
        ObDereferenceObject(*Process);
        return STATUS_ACCESS_DENIED;
    }
    return Status;
}

/* The thread's own handle, then its start; on failure nothing is left. */
static NTSTATUS PspPublishSystemThread(PETHREAD Thread, ACCESS_MASK Access, ULONG Attributes, PHANDLE Handle)
{
    NTSTATUS Status = ObInsertHandle(ObKernelHandleTable, Thread, Access,
                                     OBJ_KERNEL_HANDLE | (Attributes & OBJ_INHERIT), Handle);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Status = PspLaunchThread(Thread, FALSE);
    if (!NT_SUCCESS(Status)) {
        ObCloseHandle(ObKernelHandleTable, *Handle, KernelMode);
        *Handle = NULL;
    }
    return Status;
}

/*
 * A thread that never leaves the kernel, of the System process or, with ProcessHandle (kernel or user; it
 * must grant PROCESS_CREATE_THREAD), of that process. It starts at PASSIVE_LEVEL, priority 8, inside a
 * critical region, and ends by PsTerminateSystemThread or by returning (as with STATUS_SUCCESS).
 * *ThreadHandle: a kernel handle, from every caller; OBJ_KERNEL_HANDLE is therefore accepted and changes
 * nothing. STATUS_INVALID_PARAMETER: no routine, or attributes that a thread cannot have (a name, PERMANENT,
 * EXCLUSIVE, OPENIF, unknown ones). STATUS_PROCESS_IS_TERMINATING, STATUS_INVALID_HANDLE,
 * STATUS_OBJECT_TYPE_MISMATCH, STATUS_ACCESS_DENIED, STATUS_INSUFFICIENT_RESOURCES, STATUS_NO_MEMORY.
 * PASSIVE; may block. (WDK page of the name)
 */
NTSTATUS PsCreateSystemThread(PHANDLE ThreadHandle, ULONG DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                              HANDLE ProcessHandle, PCLIENT_ID ClientId, PKSTART_ROUTINE StartRoutine,
                              PVOID StartContext)
{
    PEPROCESS Process;
    PETHREAD Thread;
    ULONG Flags;

    NTSTATUS Status = ExCaptureHandleAttributes(ObjectAttributes, KernelMode, &Flags);
    if (!NT_SUCCESS(Status) || StartRoutine == NULL || ThreadHandle == NULL) {
        return STATUS_INVALID_PARAMETER;
    }
    if (ProcessHandle == NULL) {
        Status = PspCreateThread(PsInitialSystemProcess, TRUE, &Thread);
    } else {
        Status = PspReferenceHost(ProcessHandle, &Process);
        if (!NT_SUCCESS(Status)) {
            return Status;
        }
        Status = PspCreateThread(Process, TRUE, &Thread);
        ObDereferenceObject(Process); /* the thread has its own */
    }
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Thread->StartRoutine = StartRoutine;
    Thread->StartContext = StartContext;
    Thread->StartAddress = (PVOID)StartRoutine;
    if (ClientId != NULL) {
        *ClientId = Thread->Cid; /* written before the thread can run, as the handle is */
    }
    Status = PspPublishSystemThread(Thread, DesiredAccess, Flags, ThreadHandle);
    if (!NT_SUCCESS(Status)) {
        PspEndUnborn(Thread, Status);
    }
    ObDereferenceObject(Thread);
    return Status;
}
EXPORT(PsCreateSystemThread);

/* Ends the current thread, which must be a system thread: else STATUS_INVALID_PARAMETER. PASSIVE.
   (WDK page of the name) */
NTSTATUS PsTerminateSystemThread(NTSTATUS ExitStatus)
{
    if (!ArchCurrentThread()->SystemThread || ArchGetIrql() != PASSIVE_LEVEL) {
        return STATUS_INVALID_PARAMETER;
    }
    PspExitThread(ExitStatus);
}
EXPORT(PsTerminateSystemThread);

/* ---- The end ---- */

/* What the thread may not take with it. */
static void PspCheckOwnedThings(PETHREAD Thread)
{
    KI_ASSERT(KiBlockingLocksHeld(&Thread->Tcb) == 0, "thread %p ends with %u push locks or mutexes held", Thread,
              KiBlockingLocksHeld(&Thread->Tcb));
    Thread->Tcb.ExceptionList = NULL; /* blocks on a stack that is given up */
    PspAbandonNotifyCalls(Thread);
}

static void PspReturnProviderContext(PETHREAD Thread)
{
    PSP_PROVIDER_CALL Call;
    PPS_PROVIDER Provider = PsThreadProcess(Thread)->Provider;
    if (Provider == NULL || !Thread->ContextOwned) {
        return;
    }
    PspEnterProvider(&Call, Provider);
    Provider->Table.ThreadExit(Thread, Thread->ProviderContext);
    PspLeaveProvider(&Call, "ThreadExit");
}

/* The object is signalled only when the thread stands in the reaper's list, the process's when all its
   threads do: who waits for either and then drains the reaper finds the stacks freed. */
static NORETURN void PspGiveUpStack(PETHREAD Thread)
{
    KiRaiseToDispatch();
    KeLeaveQueue(&Thread->Tcb);
    PspQueueReaper(Thread);
    PspSignalThread(Thread);
    KiExitThread();
}

NORETURN void PspExitThread(NTSTATUS ExitStatus)
{
    PETHREAD Thread = PspCurrentThread();

    KI_ASSERT(ArchGetIrql() == PASSIVE_LEVEL, "thread %p ends at level %d", Thread, ArchGetIrql());
    KI_ASSERT(!KiIsAttached(&Thread->Tcb), "thread %p ends attached to process %p", Thread, PsGetCurrentProcess());
    Thread->Tcb.ApcDisable = 0;
    IoRundownThread();
    KeEnterCriticalRegion(); /* nothing that it waits for from here on is broken off */
    Thread->Tcb.PreviousMode = KernelMode;
    Thread->Terminating = TRUE;
    KeQuerySystemTime(&Thread->ExitTime);
    Thread->ExitStatus = ExitStatus;
    KdTrace(ThreadExit, HandleToULong(Thread->Cid.UniqueThread), ExitStatus, 0);

    PspCheckOwnedThings(Thread);
    if (Thread->Reported) {
        PspNotifyThreadExit(Thread);
    }
    PspReturnProviderContext(Thread);
    KeRundownApcs(&Thread->Tcb);
    KeAbandonMutants();
    PspFreeNativeArea(Thread);
    PspLeaveProcess(Thread, TRUE);
    PspGiveUpStack(Thread);
}

NTSTATUS PsTerminateThread(PETHREAD Thread, NTSTATUS ExitStatus)
{
    if (Thread->Tcb.SystemThread) {
        return STATUS_INVALID_PARAMETER;
    }
    if (InterlockedExchange(&Thread->Terminating, TRUE)) {
        return STATUS_THREAD_IS_TERMINATING;
    }
    Thread->TerminateStatus = ExitStatus;
    __atomic_or_fetch(&Thread->Tcb.UserWork, KUSER_WORK_TERMINATE, __ATOMIC_SEQ_CST);
    PspStartThread(Thread); /* one that was held back ends, too, by running */
    KeInterruptThread(&Thread->Tcb);
    return STATUS_SUCCESS;
}

/* ---- Suspension ---- */

NTSTATUS PsSuspendThread(PETHREAD Thread, PULONG PreviousCount)
{
    if (Thread->Tcb.SystemThread) {
        return STATUS_INVALID_PARAMETER;
    }
    if (Thread->Terminating) {
        return STATUS_THREAD_IS_TERMINATING;
    }
    return KeSuspendThread(&Thread->Tcb, PreviousCount);
}

NTSTATUS PsResumeThread(PETHREAD Thread, PULONG PreviousCount)
{
    ULONG Previous = KeResumeThread(&Thread->Tcb);
    if (PreviousCount != NULL) {
        *PreviousCount = Previous;
    }
    if (Previous <= 1) {
        PspStartThread(Thread);
    }
    return STATUS_SUCCESS;
}

/* ---- User APCs ---- */

bool PspTakesUserApcs(PKPROCESS Process)
{
    return CONTAINING_RECORD(Process, EPROCESS, Pcb)->UserApcDispatcher != 0;
}

/* ---- Questions ---- */

/* The current thread; not referenced. Any IRQL. (WDK page of the name) */
PETHREAD PsGetCurrentThread(VOID)
{
    return PspCurrentThread();
}
EXPORT(PsGetCurrentThread);

/* The id of the current thread: in a DPC or an interrupt that of the thread that was interrupted. Any IRQL.
   (WDK page of the name) */
HANDLE PsGetCurrentThreadId(VOID)
{
    return PspCurrentThread()->Cid.UniqueThread;
}
EXPORT(PsGetCurrentThreadId);

/* The id of the thread, a multiple of 4, which stays valid as long as the object. Any IRQL; does not block.
   (WDK page of the name) */
HANDLE PsGetThreadId(PETHREAD Thread)
{
    return Thread->Cid.UniqueThread;
}
EXPORT(PsGetThreadId);

BOOLEAN PspQueryThreadIds(PKTHREAD Thread, CLIENT_ID *Ids)
{
    *Ids = CONTAINING_RECORD(Thread, ETHREAD, Tcb)->Cid;
    return PsInitialSystemProcess != NULL;
}

/* The process that the thread belongs to, whatever it is attached to; not referenced. Any IRQL; does not
   block. (no WDK page) */
PEPROCESS PsGetThreadProcess(PETHREAD Thread)
{
    return PsThreadProcess(Thread);
}
EXPORT(PsGetThreadProcess);

/* NULL for threads without one (system threads, threads of subsystems) and while attached to another process.
   Any IRQL. (WDK page of the name) */
PVOID PsGetCurrentThreadTeb(VOID)
{
    PETHREAD Thread = PspCurrentThread();
    return KiIsAttached(&Thread->Tcb) ? NULL : Thread->Teb;
}
EXPORT(PsGetCurrentThreadTeb);

/* TRUE for a thread that never leaves the kernel. Any IRQL; does not block. (WDK page of the name) */
BOOLEAN PsIsSystemThread(PETHREAD Thread)
{
    return Thread->Tcb.SystemThread;
}
EXPORT(PsIsSystemThread);

/* TRUE as soon as somebody, the thread itself included, has ended it. Any IRQL. (WDK page of the name) */
BOOLEAN PsIsThreadTerminating(PETHREAD Thread)
{
    return Thread->Terminating != 0;
}
EXPORT(PsIsThreadTerminating);

/* The status that the thread has ended with, STATUS_PENDING while it lives. <= APC_LEVEL; does not block.
   (WDK page of the name) */
NTSTATUS PsGetThreadExitStatus(PETHREAD Thread)
{
    return Thread->ExitStatus;
}
EXPORT(PsGetThreadExitStatus);

/* References the thread, also one that has ended, while anybody has a reference. STATUS_INVALID_PARAMETER: no
   such id. <= APC. (WDK page of the name) */
NTSTATUS PsLookupThreadByThreadId(HANDLE ThreadId, PETHREAD *Thread)
{
    *Thread = ObLookupClientId(ThreadId, PspThreadType);
    return *Thread != NULL ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
}
EXPORT(PsLookupThreadByThreadId);
