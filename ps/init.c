/* SPDX-License-Identifier: MIT */
/*
 * How ps comes to life: the static Idle process and the boot processor's idle thread, which exist before
 * there is memory; object types and the System process (phase 0); the reaper and the hooks of other
 * components (phase 1).
 */
#include "ps/psp.h"

POBJECT_TYPE PspProcessType, PspThreadType;
/* The type of process objects, for ObReferenceObjectByHandle and ObReferenceObjectByPointer. Valid before
   any module is loaded, and constant. (WDK page of ObReferenceObjectByHandle) */
POBJECT_TYPE *PsProcessType = &PspProcessType;
/* The type of thread objects. As PsProcessType. (WDK page of ObReferenceObjectByHandle) */
POBJECT_TYPE *PsThreadType = &PspThreadType;
EXPORT(PsProcessType);
EXPORT(PsThreadType);

/* The System process, to which system threads belong unless their creator names another. Never goes away.
. (WDK page of the name) */
PEPROCESS PsInitialSystemProcess;
EXPORT(PsInitialSystemProcess);

LIST_ENTRY PspActiveProcessHead = {&PspActiveProcessHead, &PspActiveProcessHead};
EX_PUSH_LOCK PspActiveProcessLock;
EX_PUSH_LOCK PsImageLock;

/* What the boot processor needs before anything of ps runs: whose thread it is on, and in which address
   space. */
PS_STATIC_PROCESS PspIdleProcessObject = {
    .Process =
        {
            .Pcb.AddressSpace = &KiKernelSpace,
            .ThreadListHead = {&PspIdleProcess.ThreadListHead, &PspIdleProcess.ThreadListHead},
            .State = PsProcessRunning,
            .TerminateStatus = STATUS_PENDING,
            .ExitStatus = STATUS_PENDING,
            .SystemProcess = TRUE,
            .ImageFileName = RTL_CONSTANT_STRING(L"Idle"),
            .SubsystemName = "kernel",
        },
};
PS_STATIC_THREAD PspBootIdleThreadObject = {
    .Thread =
        {
            .Tcb.Process = &PspIdleProcess.Pcb,
            .Tcb.ApcState = {.Process = &PspIdleProcess.Pcb, .AddressSpace = &KiKernelSpace},
            .ExitStatus = STATUS_PENDING,
            .StartState = PS_THREAD_STARTED,
        },
};
C_ASSERT(OB_HEADER_SIZE % 16 == 0);

static void PspCreateTypes(void)
{
    static const OB_TYPE_ROUTINES Process = {
        .Name = "Process",
        .PoolTag = PSP_TAG,
        .BodySize = sizeof(EPROCESS),
        .Access = {PROCESS_VM_READ | PROCESS_QUERY_INFORMATION | PROCESS_QUERY_LIMITED_INFORMATION | STANDARD_RIGHTS_READ,
                   PROCESS_TERMINATE | PROCESS_CREATE_THREAD | PROCESS_VM_OPERATION | PROCESS_VM_WRITE | PROCESS_DUP_HANDLE |
                       PROCESS_CREATE_PROCESS | PROCESS_SET_INFORMATION | PROCESS_SUSPEND_RESUME | STANDARD_RIGHTS_WRITE,
                   PROCESS_QUERY_LIMITED_INFORMATION | SYNCHRONIZE | STANDARD_RIGHTS_EXECUTE, PROCESS_ALL_ACCESS},
        .Waitable = TRUE,
        .Filtered = TRUE,
        .Delete = PspDeleteProcess,
    };
    static const OB_TYPE_ROUTINES Thread = {
        .Name = "Thread",
        .PoolTag = PSP_TAG,
        .BodySize = sizeof(ETHREAD),
        .Access = {THREAD_GET_CONTEXT | THREAD_QUERY_INFORMATION | THREAD_QUERY_LIMITED_INFORMATION | STANDARD_RIGHTS_READ,
                   THREAD_TERMINATE | THREAD_SUSPEND_RESUME | THREAD_ALERT | THREAD_SET_CONTEXT | THREAD_SET_INFORMATION |
                       STANDARD_RIGHTS_WRITE,
                   THREAD_QUERY_LIMITED_INFORMATION | SYNCHRONIZE | STANDARD_RIGHTS_EXECUTE, THREAD_ALL_ACCESS},
        .Waitable = TRUE,
        .Filtered = TRUE,
        .Delete = PspDeleteThread,
    };
    if (!NT_SUCCESS(ObCreateType(&Process, &PspProcessType)) ||
        !NT_SUCCESS(ObCreateType(&Thread, &PspThreadType))) {
        KdBugCheck(PHASE0_INITIALIZATION_FAILED, 0, 0, 0, 0, NULL, "no memory for the object types of ps");
    }
}

/* The idle threads stand in their process's list for queries; they never leave it. */
static void PspAddIdleThread(PETHREAD Thread)
{
    PEPROCESS Process = &PspIdleProcess;
    KeLockExclusive(&Process->Lock);
    InsertTailList(&Process->ThreadListHead, &Thread->ThreadListEntry);
    Process->ActiveThreads++;
    KeUnlockExclusive(&Process->Lock);
}

/* The Idle process becomes an object like others; its body has been in use since the first instruction and is
   left alone. */
static void PspAdoptIdleProcess(void)
{
    PVOID Object;
    ObInitializeStaticObject(PspProcessType, &PspIdleProcessObject, &Object);
    KI_ASSERT(Object == &PspIdleProcess, "the body is at %p, %p expected", Object, &PspIdleProcess);
    ObInitializeStaticObject(PspThreadType, &PspBootIdleThreadObject, &Object);
    KI_ASSERT(Object == &PspBootIdleThread, "the body is at %p, %p expected", Object, &PspBootIdleThread);

    PspIdleProcess.Pcb.HandleTable = &ObEmptyHandleTable;
    ExInitializePushLock(&PspIdleProcess.Lock);
    ExInitializeRundownProtection(&PspIdleProcess.Access);
    KeQuerySystemTime(&PspIdleProcess.CreateTime);
    PspBootIdleThread.CreateTime = PspIdleProcess.CreateTime;
    PspAddIdleThread(&PspBootIdleThread);
    InsertTailList(&PspActiveProcessHead, &PspIdleProcess.ActiveProcessLinks);
}

/* The first client id is the System process's: 4. */
static void PspCreateSystemProcess(void)
{
    PEPROCESS Process;
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"System");

    if (!NT_SUCCESS(ObCreateObject(PspProcessType, (PVOID *)&Process)) ||
        !NT_SUCCESS(PspCopyString(&Process->ImageFileName, &Name))) {
        KdBugCheck(PHASE0_INITIALIZATION_FAILED, 0, 0, 0, 0, NULL, "no memory for the System process");
    }
    PspInitializeProcess(Process, "kernel");
    Process->State = PsProcessRunning;
    Process->SystemProcess = TRUE;
    Process->Pcb.HandleTable = ObKernelHandleTable;

    if (!NT_SUCCESS(ObAllocateClientId(Process, &Process->UniqueProcessId))) {
        KdBugCheck(PHASE0_INITIALIZATION_FAILED, 0, 0, 0, 0, NULL, "no client id for the System process");
    }
    KI_ASSERT(Process->UniqueProcessId == ULongToHandle(4), "the System process got id %p",
              Process->UniqueProcessId);
    Process->Inserted = TRUE;
    InsertTailList(&PspActiveProcessHead, &Process->ActiveProcessLinks);
    PsInitialSystemProcess = Process;
}

static PVOID PspCurrentProcessObject(void)
{
    return PsGetCurrentProcess();
}

static PVOID PspCurrentThreadObject(void)
{
    return PspCurrentThread();
}

void PsInitializePhase0(void)
{
    PspCreateTypes();
    PspAdoptIdleProcess();
    PspCreateSystemProcess();
    ObCurrentProcess = PspCurrentProcessObject;
    ObCurrentThread = PspCurrentThreadObject;
}

bool PsFindLeftover(const EX_MODULE *Module, PEX_LEFTOVER Left)
{
    return PspFindLeftProvider(Module, Left) || PspFindLeftNotify(Module, Left);
}

void PsInitializePhase1(void)
{
    PspInitializeReaper();
}

NTSTATUS PspCreateIdleThread(PKPRCB Prcb)
{
    PETHREAD Thread;
    NTSTATUS Status = PspAllocateThread(&PspIdleProcess, &Thread);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    KeInitializeThread(&Thread->Tcb, &PspIdleProcess.Pcb, Thread->StackTop, NULL, NULL, TRUE);
    Thread->StartState = PS_THREAD_STARTED;
    PspAddIdleThread(Thread);
    Prcb->IdleThread = &Thread->Tcb;
    Prcb->IdleStackTop = Thread->StackTop;
    return STATUS_SUCCESS;
}
