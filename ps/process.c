/* SPDX-License-Identifier: MIT */
/*
 * Processes: their making, the threads that join and leave, termination, the end. The table of states stands
 * in ps.h.
 *
 * Whoever moves the state to Ending runs the end, once: the last thread on its way out; the terminator of a
 * process that never had a thread; the creator whose first thread a callback forbade. The end waits for those
 * who hold Access, so that nobody uses handle table or provider context when they go, and so that the exit
 * callbacks run on the last thread whatever others do.
 *
 * Locks: EPROCESS.Lock; PspActiveProcessLock alone.
 */
#include "ps/psp.h"

/* ---- Making ---- */

void PspInitializeProcess(PEPROCESS Process, const char *Subsystem)
{
    KeInitializeProcess(&Process->Pcb, &KiKernelSpace);
    ExInitializePushLock(&Process->Lock);
    ExInitializePushLock(&Process->VirtualLock);
    ExInitializeRundownProtection(&Process->Access);
    InitializeListHead(&Process->ThreadListHead);
    Process->State = PsProcessCreated;
    Process->TerminateStatus = Process->ExitStatus = STATUS_PENDING;
    KeQuerySystemTime(&Process->CreateTime);
    strncpy(Process->SubsystemName, Subsystem, sizeof(Process->SubsystemName) - 1);
}

static NTSTATUS PspMakeAddressSpace(PEPROCESS Process, ULONG Kind, PEPROCESS Parent)
{
    PMM_ADDRESS_SPACE Source, Space;
    NTSTATUS Status;

    if (Kind == PS_PROCESS_EMPTY) {
        Status = MmCreateAddressSpace(&Space);
    } else {
        Status = PsReferenceAddressSpace(Parent, &Space); /* SHARE: with the reference just taken */
        if (NT_SUCCESS(Status) && Kind == PS_PROCESS_CLONE) {
            Source = Space;
            Status = MmCloneAddressSpace(Source, &Space);
            MmDereferenceAddressSpace(Source);
        }
    }
    if (NT_SUCCESS(Status)) {
        Process->Pcb.AddressSpace = &Space->Kernel;
    }
    return Status;
}

static NTSTATUS PspInheritHandles(PEPROCESS Process, PEPROCESS Parent)
{
    if (!PsAcquireProcessAccess(Parent)) {
        return STATUS_PROCESS_IS_TERMINATING;
    }
    NTSTATUS Status = ObDuplicateHandles(Parent->Pcb.HandleTable, Process->Pcb.HandleTable);
    PsReleaseProcessAccess(Parent);
    return Status;
}

static NTSTATUS PspEquipProcess(PEPROCESS Process, const PSP_PROCESS_ATTRIBUTES *Attributes,
                                BOOLEAN InheritHandles)
{
    Process->InheritedFromUniqueProcessId = Attributes->Parent->UniqueProcessId;
    if (Attributes->FileObject != NULL) {
        ObReferenceObject(Attributes->FileObject);
        Process->FileObject = Attributes->FileObject;
    }
    NTSTATUS Status = PspMakeAddressSpace(Process, Attributes->Kind, Attributes->Parent);
    if (NT_SUCCESS(Status)) {
        Status = ObCreateHandleTable(&Process->Pcb.HandleTable);
    }
    if (NT_SUCCESS(Status) && InheritHandles) {
        Status = PspInheritHandles(Process, Attributes->Parent);
    }
    if (NT_SUCCESS(Status)) {
        Status = PspCopyString(&Process->ImageFileName, Attributes->ImageFileName);
    }
    return NT_SUCCESS(Status) ? PspCopyString(&Process->CommandLine, Attributes->CommandLine) : Status;
}

NTSTATUS PspCreateProcess(const PSP_PROCESS_ATTRIBUTES *Attributes, PPS_PROVIDER Provider,
                          BOOLEAN InheritHandles, PEPROCESS *Created)
{
    PEPROCESS Process;
    NTSTATUS Status = ObCreateObject(PspProcessType, (PVOID *)&Process);
    if (!NT_SUCCESS(Status)) {
        if (Provider != NULL) {
            PspDereferenceProvider(Provider);
        }
        return Status;
    }
    PspInitializeProcess(Process, Provider != NULL ? Provider->Name : "native");
    if (Provider != NULL) {
        Process->SubsystemProcess = TRUE;
        Process->Provider = Provider;
        Process->ProviderContext = Attributes->Context;
        Process->SubsystemInformationType = Provider->Table.SubsystemInformationType;
    }
    Status = PspEquipProcess(Process, Attributes, InheritHandles);
    if (!NT_SUCCESS(Status)) {
        ObDereferenceObject(Process);
        return Status;
    }
    *Created = Process;
    return STATUS_SUCCESS;
}

NTSTATUS PspInsertProcess(PEPROCESS Process)
{
    /* Everything else is in place: the moment it has its id, others may find it and even end it. Its own
       reference first. */
    ObReferenceObject(Process);
    NTSTATUS Status = ObAllocateClientId(Process, &Process->UniqueProcessId);
    if (!NT_SUCCESS(Status)) {
        ObDereferenceObject(Process); /* its end will not come */
        return Status;
    }
    KeLockExclusive(&PspActiveProcessLock);
    InsertTailList(&PspActiveProcessHead, &Process->ActiveProcessLinks);
    KeUnlockExclusive(&PspActiveProcessLock);
    Process->Inserted = TRUE; /* the creator's reference keeps the deletion, which asks, away until here */
    KdTrace(ProcessCreate, HandleToULong(Process->UniqueProcessId), Process, *(const ULONG64 *)Process->SubsystemName);
    KdNoteImageName(HandleToULong(Process->UniqueProcessId), &Process->ImageFileName);
    return STATUS_SUCCESS;
}

/* The last reference has gone: it has ended, or its making failed. */
void PspDeleteProcess(PVOID Object)
{
    PEPROCESS Process = Object;
    if (Process->UniqueProcessId != NULL) {
        ObFreeClientId(Process->UniqueProcessId);
    }
    if (Process->Inserted) {
        KeLockExclusive(&PspActiveProcessLock);
        RemoveEntryList(&Process->ActiveProcessLinks);
        KeUnlockExclusive(&PspActiveProcessLock);
    }
    if (Process->Pcb.AddressSpace != &KiKernelSpace) {
        MmDereferenceAddressSpace(PspSpace(Process));
    }
    if (Process->Pcb.HandleTable != NULL) {
        ObDestroyHandleTable(Process->Pcb.HandleTable);
    }
    if (Process->Provider != NULL) {
        PspDereferenceProvider(Process->Provider);
    }
    if (Process->FileObject != NULL) {
        ObDereferenceObject(Process->FileObject);
    }
    ExFreeUnicodeString(&Process->ImageFileName);
    ExFreeUnicodeString(&Process->CommandLine);
}

/* ---- Used by others ---- */

BOOLEAN PsAcquireProcessAccess(PEPROCESS Process)
{
    return ExAcquireRundownProtection(&Process->Access);
}

void PsReleaseProcessAccess(PEPROCESS Process)
{
    ExReleaseRundownProtection(&Process->Access);
}

ULONG64 PsProcessCycles(PEPROCESS Process, PULONG64 UserCycles)
{
    KeLockShared(&Process->Lock);
    ULONG64 Cycles = Process->Pcb.CycleTime;
    *UserCycles += Process->Pcb.UserCycles;
    for (PLIST_ENTRY Entry = Process->ThreadListHead.Flink; Entry != &Process->ThreadListHead;
         Entry = Entry->Flink) {
        Cycles += KeThreadCycles(&CONTAINING_RECORD(Entry, ETHREAD, ThreadListEntry)->Tcb, UserCycles);
    }
    KeUnlockShared(&Process->Lock);
    return Cycles;
}

PHANDLE_TABLE PsAcquireHandleTable(PEPROCESS Process)
{
    return PsAcquireProcessAccess(Process) ? Process->Pcb.HandleTable : NULL;
}

NTSTATUS PsReferenceAddressSpace(PEPROCESS Process, PMM_ADDRESS_SPACE *Space)
{
    if (Process->SystemProcess) {
        return STATUS_ACCESS_DENIED;
    }
    KeLockShared(&Process->Lock);
    bool There = Process->Pcb.AddressSpace != &KiKernelSpace;
    if (There) {
        *Space = PspSpace(Process);
        MmReferenceAddressSpace(*Space);
    }
    KeUnlockShared(&Process->Lock);
    return There ? STATUS_SUCCESS : STATUS_PROCESS_IS_TERMINATING;
}

NTSTATUS PsAcquireSpace(PEPROCESS Process, PMM_ADDRESS_SPACE *Space)
{
    if (Process != PspHomeProcess() || Process->Pcb.AddressSpace == &KiKernelSpace) {
        return PsReferenceAddressSpace(Process, Space); /* the second: System's, or in its end */
    }
    *Space = PspSpace(Process);
    return STATUS_SUCCESS;
}

void PsReleaseSpace(PEPROCESS Process, PMM_ADDRESS_SPACE Space)
{
    if (Process != PspHomeProcess()) {
        MmDereferenceAddressSpace(Space);
    }
}

/* The current thread uses the target's address space, and gets a new APC state: APCs that are queued to its
   own process wait in ApcState, or in the thread, until it is detached. In a process that has ended it finds
   no user memory. <= APC_LEVEL; may block. INVALID_PROCESS_ATTACH_ATTEMPT: above. (WDK page of the name) */
VOID KeStackAttachProcess(PRKPROCESS Process, PRKAPC_STATE ApcState)
{
    PMM_ADDRESS_SPACE Space;
    if (ArchGetIrql() > APC_LEVEL) {
        KdBugCheck(INVALID_PROCESS_ATTACH_ATTEMPT, (ULONG64)Process, (ULONG64)PsGetCurrentProcess(),
                   KiIsAttached(ArchCurrentThread()), KeGetCurrentPrcb()->DpcActive, NULL, "attached at level %u",
                   ArchGetIrql());
    }
    bool There = NT_SUCCESS(PsReferenceAddressSpace(CONTAINING_RECORD(Process, EPROCESS, Pcb), &Space));
    KeAttachSpace(Process, There ? &Space->Kernel : &KiKernelSpace, ApcState);
}
EXPORT(KeStackAttachProcess);

/* Back to where the thread was before the KeStackAttachProcess that filled ApcState in. Kernel APCs that were
   queued meanwhile for the process that it leaves run first; INVALID_PROCESS_DETACH_ATTEMPT when they cannot,
   or when it is not attached. <= APC_LEVEL; may block. (WDK page of the name) */
VOID KeUnstackDetachProcess(PRKAPC_STATE ApcState)
{
    PKADDRESS_SPACE Space = KeDetachSpace(ApcState);
    if (Space != &KiKernelSpace) {
        MmDereferenceAddressSpace(CONTAINING_RECORD(Space, MM_ADDRESS_SPACE, Kernel));
    }
}
EXPORT(KeUnstackDetachProcess);

PEPROCESS PsNextProcess(PEPROCESS Previous)
{
    PEPROCESS Found = NULL;
    KeLockShared(&PspActiveProcessLock);
    /* Previous is referenced, and so still in the list. */
    PLIST_ENTRY Entry = Previous != NULL ? Previous->ActiveProcessLinks.Flink : PspActiveProcessHead.Flink;
    for (; Entry != &PspActiveProcessHead && Found == NULL; Entry = Entry->Flink) {
        PEPROCESS Process = CONTAINING_RECORD(Entry, EPROCESS, ActiveProcessLinks);
        Found = ObReferenceObjectSafe(Process) ? Process : NULL;
    }
    KeUnlockShared(&PspActiveProcessLock);
    if (Previous != NULL) {
        ObDereferenceObject(Previous);
    }
    return Found;
}

/* ---- The end ---- */

static void PspReturnProcessContext(PEPROCESS Process)
{
    PSP_PROVIDER_CALL Call;
    PPS_PROVIDER Provider = Process->Provider;
    if (Provider == NULL) {
        return;
    }
    PspEnterProvider(&Call, Provider);
    Provider->Table.ProcessExit(Process, Process->ProviderContext);
    PspLeaveProvider(&Call, "ProcessExit");
    Process->Provider = NULL;
    PspDereferenceProvider(Provider);
}

/* No thread of the process uses the space any more but the caller, which leaves it first. */
static void PspDropAddressSpace(PEPROCESS Process, BOOLEAN OnItself)
{
    PMM_ADDRESS_SPACE Space = PspSpace(Process);
    KAPC_STATE Never; /* the thread comes back no more */
    if (OnItself) {
        KeAttachSpace(&PsInitialSystemProcess->Pcb, &KiKernelSpace, &Never);
    }
    KeLockExclusive(&Process->Lock);
    Process->Pcb.AddressSpace = &KiKernelSpace;
    KeUnlockExclusive(&Process->Lock);
    MmDereferenceAddressSpace(Space);
}

/* The state is Ending, and the caller has made it so. PASSIVE, no lock. */
static void PspEndProcess(PEPROCESS Process, NTSTATUS LastStatus, BOOLEAN OnItself)
{
    ExWaitForRundownProtectionRelease(&Process->Access);
    KeQuerySystemTime(&Process->ExitTime);
    Process->ExitStatus = Process->TerminateStatus != STATUS_PENDING ? Process->TerminateStatus : LastStatus;
    KdTrace(ProcessExit, HandleToULong(Process->UniqueProcessId), Process->ExitStatus, 0);

    PspNotifyProcessExit(Process);
    PspDropAddressSpace(Process, OnItself);
    PspReturnProcessContext(Process); /* who learns of the end there finds the memory free */
    ObEndHandleTable(Process->Pcb.HandleTable);

    KeLockExclusive(&Process->Lock);
    Process->State = PsProcessEnded;
    KeUnlockExclusive(&Process->Lock);
    ObDereferenceObject(Process); /* the one of its own */
}

/* The process's end has run when the last of its threads comes here, for that thread or one before ran it. */
void PspSignalThread(PETHREAD Thread)
{
    PEPROCESS Process = PsThreadProcess(Thread); /* the thread's reference holds it */
    KeSignalObject(&Thread->Tcb.Header, IO_NO_INCREMENT);
    if (InterlockedDecrement(&Process->UnsignalledThreads) == 0) {
        KeSignalObject(&Process->Pcb.Header, IO_NO_INCREMENT);
    }
}

/* ---- Threads that come and go ---- */

NTSTATUS PspJoinProcess(PETHREAD Thread)
{
    PEPROCESS Process = PsThreadProcess(Thread);
    KeLockExclusive(&Process->Lock);
    if (Process->State > PsProcessRunning) {
        KeUnlockExclusive(&Process->Lock);
        return STATUS_PROCESS_IS_TERMINATING;
    }
    if (Process->State == PsProcessStarting) {
        KeUnlockExclusive(&Process->Lock);
        return STATUS_INVALID_DEVICE_STATE; /* it would run before all callbacks have let the process pass */
    }
    ObReferenceObject(Thread);
    Thread->FirstThread = Process->State == PsProcessCreated;
    if (Thread->FirstThread) {
        Process->State = PsProcessStarting;
    }
    Process->ActiveThreads++;
    InterlockedIncrement(&Process->UnsignalledThreads);
    InsertTailList(&Process->ThreadListHead, &Thread->ThreadListEntry);
    KeInheritFromProcess(&Thread->Tcb); /* once more: from here on changes reach it */
    KeUnlockExclusive(&Process->Lock);
    return STATUS_SUCCESS;
}

NTSTATUS PspAnnounceProcess(PEPROCESS Process)
{
    NTSTATUS Status = PspNotifyProcessCreate(Process);
    KeLockExclusive(&Process->Lock);
    if (NT_SUCCESS(Status) && Process->State == PsProcessStarting) {
        Process->State = PsProcessRunning;
    }
    KeUnlockExclusive(&Process->Lock);
    return Status;
}

void PspLeaveProcess(PETHREAD Thread, BOOLEAN OnItself)
{
    PEPROCESS Process = PsThreadProcess(Thread);
    KAPC_STATE Never;

    KeLockExclusive(&Process->Lock);
    bool Last = Process->ActiveThreads == 1 && !Process->SystemProcess;
    if (OnItself && !Last && !Process->SystemProcess) {
        /* Once it is out of the list, the last thread may delete the address space that this one stands in.
           */
        KeAttachSpace(&PsInitialSystemProcess->Pcb, &KiKernelSpace, &Never);
    }
    RemoveEntryList(&Thread->ThreadListEntry);
    Process->ActiveThreads--;
    Process->Pcb.CycleTime += KeThreadCycles(&Thread->Tcb, &Process->Pcb.UserCycles);
    if (Last) {
        Process->State = PsProcessEnding;
    }
    KeUnlockExclusive(&Process->Lock);

    if (Last) {
        PspEndProcess(Process, Thread->ExitStatus, OnItself);
    }
}

/* ---- Termination ---- */

/* Each thread that can be ended from outside is marked. (l) held. */
static void PspTerminateThreads(PEPROCESS Process, PETHREAD Except, NTSTATUS ExitStatus)
{
    for (PLIST_ENTRY Entry = Process->ThreadListHead.Flink; Entry != &Process->ThreadListHead;
         Entry = Entry->Flink) {
        PETHREAD Thread = CONTAINING_RECORD(Entry, ETHREAD, ThreadListEntry);
        if (Thread != Except) {
            PsTerminateThread(Thread, ExitStatus); /* refusals: system threads, and those that end already */
        }
    }
}

NTSTATUS PspTerminateProcess(PEPROCESS Process, NTSTATUS ExitStatus)
{
    if (Process->SystemProcess) {
        return STATUS_ACCESS_DENIED;
    }
    KeLockExclusive(&Process->Lock);
    if (Process->State > PsProcessRunning) {
        KeUnlockExclusive(&Process->Lock);
        return STATUS_PROCESS_IS_TERMINATING;
    }
    bool Threadless = Process->State == PsProcessCreated;
    Process->TerminateStatus = ExitStatus;
    Process->State = Threadless ? PsProcessEnding : PsProcessTerminating;
    PspTerminateThreads(Process, NULL, ExitStatus);
    KeUnlockExclusive(&Process->Lock);

    if (Threadless) {
        PspEndProcess(Process, ExitStatus, FALSE);
        KeSignalObject(&Process->Pcb.Header, IO_NO_INCREMENT);
    }
    return STATUS_SUCCESS;
}

/* A thread that somebody has ended does not end others: of two that try it at once, one is left. Nor are any
   ended while a system thread is there that would stay. */
NTSTATUS PspEndOtherThreads(NTSTATUS ExitStatus)
{
    PEPROCESS Process = PspHomeProcess();
    PETHREAD Self = PspCurrentThread(), Other;
    NTSTATUS Status = STATUS_SUCCESS;
    do {
        Other = NULL;
        KeLockExclusive(&Process->Lock);
        for (PLIST_ENTRY Entry = Process->ThreadListHead.Flink; Entry != &Process->ThreadListHead; Entry = Entry->Flink) {
            PETHREAD Thread = CONTAINING_RECORD(Entry, ETHREAD, ThreadListEntry);
            Other = Thread != Self ? Thread : Other;
            Status = Thread->Tcb.SystemThread ? STATUS_INVALID_PARAMETER : Status;
        }
        Status = Self->Terminating ? STATUS_THREAD_IS_TERMINATING : Status;
        Other = NT_SUCCESS(Status) ? Other : NULL;
        if (Other != NULL) {
            PspTerminateThreads(Process, Self, ExitStatus);
            ObReferenceObject(Other);
        }
        KeUnlockExclusive(&Process->Lock);
        if (Other != NULL) {
            /* Broken off, it comes back to find itself ended. */
            KeWaitForSingleObject(Other, Executive, UserMode, FALSE, NULL);
            ObDereferenceObject(Other);
        }
    } while (Other != NULL);
    return Status;
}

static NTSTATUS PspTerminateOtherThreads(NTSTATUS ExitStatus)
{
    PEPROCESS Process = PspHomeProcess();
    KeLockExclusive(&Process->Lock);
    PspTerminateThreads(Process, PspCurrentThread(), ExitStatus);
    KeUnlockExclusive(&Process->Lock);
    return STATUS_SUCCESS;
}

/*
 * The process's provider may end it its own way; TRUE: it does. Not asked about a process without threads:
 * the end of that runs inside PspTerminateProcess, which waits for the Access held here. The routine must not
 * wait for the process's end either.
 */
static BOOLEAN PspAskProvider(PEPROCESS Process, NTSTATUS ExitStatus)
{
    PSP_PROVIDER_CALL Call;
    NTSTATUS Status = STATUS_NOT_IMPLEMENTED;

    if (Process->State != PsProcessRunning || Process->SystemProcess || !PsAcquireProcessAccess(Process)) {
        return FALSE;
    }
    PPS_PROVIDER Provider = Process->Provider;
    if (Provider != NULL && Provider->Table.TerminateProcess != NULL) {
        PspEnterProvider(&Call, Provider);
        Status = Provider->Table.TerminateProcess(Process, ExitStatus);
        PspLeaveProvider(&Call, "TerminateProcess");
    }
    PsReleaseProcessAccess(Process);
    return Status == STATUS_SUCCESS;
}

/*
 * Ends all threads of a process. ProcessHandle NULL: all of the caller's but the calling one; -1: the
 * caller's own, and there is no return. The provider of a subsystem process is asked first.
 * STATUS_PROCESS_IS_TERMINATING when somebody else has ended it before; STATUS_ACCESS_DENIED (no
 * PROCESS_TERMINATE; System and Idle), STATUS_INVALID_HANDLE, STATUS_OBJECT_TYPE_MISMATCH. PASSIVE.
 * (WDK page of the name)
 */
NTSTATUS NtTerminateProcess(HANDLE ProcessHandle, NTSTATUS ExitStatus)
{
    PEPROCESS Process;
    if (ProcessHandle == NULL) {
        return PspTerminateOtherThreads(ExitStatus);
    }
    NTSTATUS Status = PsReferenceProcessHandle(ProcessHandle, PROCESS_TERMINATE, &Process);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    if (!PspAskProvider(Process, ExitStatus)) {
        Status = PspTerminateProcess(Process, ExitStatus);
    }
    ObDereferenceObject(Process);
    return Status;
}

/* ---- Questions ---- */

/* The process whose address space is current: the attached one's. Not referenced. Any IRQL.
   (WDK page of the name) */
PEPROCESS PsGetCurrentProcess(VOID)
{
    return CONTAINING_RECORD(ArchCurrentThread()->ApcState.Process, EPROCESS, Pcb);
}
EXPORT(PsGetCurrentProcess);

/* The id of the process, a multiple of 4, which stays valid as long as the object. Any IRQL; does not
   block. (WDK page of the name) */
HANDLE PsGetProcessId(PEPROCESS Process)
{
    return Process->UniqueProcessId;
}
EXPORT(PsGetProcessId);

/* When the process was created, in system time (100 ns since 1601). Any IRQL; does not block. (WDK page of
   the name) */
LONGLONG PsGetProcessCreateTimeQuadPart(PEPROCESS Process)
{
    return Process->CreateTime.QuadPart;
}
EXPORT(PsGetProcessCreateTimeQuadPart);

/* The status that the process has ended with, STATUS_PENDING until its end begins: its exit callbacks see the
   status already. <= APC_LEVEL; does not block. (no WDK page) */
NTSTATUS PsGetProcessExitStatus(PEPROCESS Process)
{
    return Process->ExitStatus;
}
EXPORT(PsGetProcessExitStatus);

/* When the end of the current process began, in system time (100 ns since 1601); 0 before. <= DISPATCH_LEVEL;
   does not block. (WDK page of the name) */
LARGE_INTEGER PsGetProcessExitTime(VOID)
{
    return PspHomeProcess()->ExitTime;
}
EXPORT(PsGetProcessExitTime);

/* TRUE for the System process (and Idle). Any IRQL. (no WDK page) */
BOOLEAN PsIsSystemProcess(PEPROCESS Process)
{
    return Process->SystemProcess;
}
EXPORT(PsIsSystemProcess);

/* References the process, also one that has ended, while anybody has a reference. STATUS_INVALID_CID: no such
   id. <= APC. (WDK page of the name) */
NTSTATUS PsLookupProcessByProcessId(HANDLE ProcessId, PEPROCESS *Process)
{
    *Process = ObLookupClientId(ProcessId, PspProcessType);
    return *Process != NULL ? STATUS_SUCCESS : STATUS_INVALID_CID;
}
EXPORT(PsLookupProcessByProcessId);
