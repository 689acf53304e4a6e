/* SPDX-License-Identifier: MIT */
/*
 * How long objects live: by their handles, by references, by threads; how processes end, and who hears of it.
 * Every wait has a limit, so that a process that does not end is a failure and no hang.
 */
#include "child.h"

static HANDLE NewEvent(PCWSTR Name)
{
    UNICODE_STRING Text;
    OBJECT_ATTRIBUTES Attributes;
    HANDLE Handle = NULL;
    RtlInitUnicodeString(&Text, Name);
    InitializeObjectAttributes(&Attributes, Name != NULL ? &Text : NULL, OBJ_KERNEL_HANDLE, NULL, NULL);
    ZwCreateEvent(&Handle, EVENT_ALL_ACCESS, &Attributes, NotificationEvent, FALSE);
    return Handle;
}

/* The counts of what the handle stands for. */
static BOOLEAN HasCounts(HANDLE Handle, ULONG Handles, ULONG Pointers)
{
    PUBLIC_OBJECT_BASIC_INFORMATION Basic;
    return NT_SUCCESS(ZwQueryObject(Handle, ObjectBasicInformation, &Basic, sizeof(Basic), NULL)) &&
           Basic.HandleCount == Handles && Basic.PointerCount == Pointers;
}

/* ---- Handles ---- */

/* Each handle counts as a handle and as a reference, and takes both along. */
static PCSTR TestHandleCounts(VOID)
{
    PVOID Object;
    HANDLE First = NewEvent(NULL), Second;
    KTEST_CHECK(HasCounts(First, 1, 1));
    KTEST_CHECK(NT_SUCCESS(ObReferenceObjectByHandle(First, 0, *ExEventObjectType, KernelMode, &Object, NULL)));
    KTEST_CHECK(NT_SUCCESS(ObOpenObjectByPointer(Object, OBJ_KERNEL_HANDLE, NULL, EVENT_ALL_ACCESS, *ExEventObjectType,
                                                 KernelMode, &Second)));
    KTEST_CHECK(HasCounts(First, 2, 3));
    KTEST_CHECK(ZwClose(First) == STATUS_SUCCESS);
    KTEST_CHECK(ZwClose(First) == STATUS_INVALID_HANDLE);
    KTEST_CHECK(HasCounts(Second, 1, 2));
    ObDereferenceObject(Object);
    KTEST_CHECK(HasCounts(Second, 1, 1));
    KTEST_CHECK(ZwClose(Second) == STATUS_SUCCESS);
    return NULL;
}

/* The last handle takes the name along, although somebody still has a reference. */
static PCSTR TestName(VOID)
{
    static const UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\BaseNamedObjects\\Lives");
    OBJECT_ATTRIBUTES Attributes;
    PVOID Object;
    HANDLE First = NewEvent(Name.Buffer), Second;
    InitializeObjectAttributes(&Attributes, (PUNICODE_STRING)&Name, OBJ_KERNEL_HANDLE, NULL, NULL);
    KTEST_CHECK(NT_SUCCESS(ZwOpenEvent(&Second, EVENT_ALL_ACCESS, &Attributes)));
    KTEST_CHECK(NT_SUCCESS(ObReferenceObjectByHandle(First, 0, *ExEventObjectType, KernelMode, &Object, NULL)));
    ZwClose(First);
    KTEST_CHECK(NT_SUCCESS(ZwOpenEvent(&First, EVENT_ALL_ACCESS, &Attributes))); /* one handle is left */
    ZwClose(First);
    ZwClose(Second);
    NTSTATUS Gone = ZwOpenEvent(&First, EVENT_ALL_ACCESS, &Attributes);
    ObDereferenceObject(Object);
    KTEST_CHECK(Gone == STATUS_OBJECT_NAME_NOT_FOUND);
    return NULL;
}

static VOID Nothing(PVOID Context)
{
}

/* A thread that has ended is freed when nobody has a handle or a reference any more. */
static PCSTR TestThreadsAreFreed(VOID)
{
    PRIMER_MEMORY Before, After;
    KTEST_CHECK(KtestCrowd(8, Nothing));
    PsDrainReaper();
    PrimerQueryMemory(&Before);
    KTEST_CHECK(KtestCrowd(8, Nothing));
    PsDrainReaper();
    PrimerQueryMemory(&After);
    KTEST_CHECK(After.Threads == Before.Threads && After.KernelStacks == Before.KernelStacks);
    return NULL;
}

/* ---- Ids ---- */

static PCSTR TestFoundById(VOID)
{
    PEPROCESS Process = NULL;
    PETHREAD Thread = NULL;
    KTEST_CHECK(NT_SUCCESS(PsLookupProcessByProcessId(PsGetCurrentProcessId(), &Process)));
    KTEST_CHECK(Process == PsGetCurrentProcess());
    ObDereferenceObject(Process);
    KTEST_CHECK(NT_SUCCESS(PsLookupThreadByThreadId(PsGetCurrentThreadId(), &Thread)));
    KTEST_CHECK(Thread == PsGetCurrentThread());
    ObDereferenceObject(Thread);
    KTEST_CHECK(PsLookupProcessByProcessId(PsGetCurrentThreadId(), &Process) == STATUS_INVALID_CID); /* no process's id */
    KTEST_CHECK(PsLookupThreadByThreadId((HANDLE)(LONG_PTR)0x7FFFFFFC, &Thread) == STATUS_INVALID_PARAMETER);
    return NULL;
}

/* Its id is found as long as the object is there, and no longer. */
static PCSTR TestLostById(VOID)
{
    PETHREAD Found, Thread = KtestStart(Nothing, NULL);
    KTEST_CHECK(Thread != NULL && IsSignalled(Thread, BOUND));
    HANDLE Id = PsGetThreadId(Thread);
    PsDrainReaper();
    KTEST_CHECK(NT_SUCCESS(PsLookupThreadByThreadId(Id, &Found)) && Found == Thread);
    ObDereferenceObject(Found);
    ObDereferenceObject(Thread);
    KTEST_CHECK(PsLookupThreadByThreadId(Id, &Found) == STATUS_INVALID_PARAMETER);
    return NULL;
}

/* The last reference has gone, and the deletion is about to give the id back, when somebody else looks the id
   up: he may not get what is being deleted. On four processors, in this order by the schedule controller. */
enum { ActorDeleter, ActorFinder };

static struct {
    PETHREAD Thread, Found;
    HANDLE Id;
    KEVENT Start;
    NTSTATUS Status;
} Meeting;

static VOID Deleter(PVOID Context)
{
    KeWaitForSingleObject(&Meeting.Start, Executive, KernelMode, FALSE, NULL);
    ObDereferenceObject(Meeting.Thread);
}

static VOID Finder(PVOID Context)
{
    KeWaitForSingleObject(&Meeting.Start, Executive, KernelMode, FALSE, NULL);
    Meeting.Status = PsLookupThreadByThreadId(Meeting.Id, &Meeting.Found);
}

static PCSTR TestLookUpMeetsDeletion(VOID)
{
    static const PRIMER_STEP Steps[] = {{PrimerPointEntryLocked, ActorFinder, 2},
                                        {PrimerPointEntryLeft, ActorFinder, 0},
                                        {PrimerPointEntryFound, ActorDeleter, 0}};
    Meeting.Thread = KtestStart(Nothing, NULL);
    KTEST_CHECK(Meeting.Thread != NULL && IsSignalled(Meeting.Thread, BOUND));
    PsDrainReaper(); /* the last reference is ours */
    Meeting.Id = PsGetThreadId(Meeting.Thread);
    KTEST_CHECK(NT_SUCCESS(PsLookupThreadByThreadId(Meeting.Id, &Meeting.Found)));
    ObDereferenceObject(Meeting.Found);

    KeInitializeEvent(&Meeting.Start, NotificationEvent, FALSE);
    PETHREAD Threads[] = {KtestStart(Deleter, NULL), KtestStart(Finder, NULL)};
    KTEST_CHECK(Threads[0] != NULL && Threads[1] != NULL);
    PrimerSetActor(ActorDeleter, Threads[0]);
    PrimerSetActor(ActorFinder, Threads[1]);
    PrimerStartScript(Steps, ARRAYSIZE(Steps), 5000);
    KeSetEvent(&Meeting.Start, IO_NO_INCREMENT, FALSE);
    KtestJoin(Threads[0]);
    KtestJoin(Threads[1]);
    BOOLEAN Met = PrimerEndScript() == ARRAYSIZE(Steps);
    KTEST_CHECK(Met && Meeting.Status == STATUS_INVALID_PARAMETER);
    return NULL;
}

/* ---- The end of a process ---- */

static PCSTR TestExitStatus(VOID)
{
    CHILD Child;
    KTEST_CHECK(StartChild(&Child, FALSE));
    KTEST_CHECK(HasEnded(&Child));
    NTSTATUS Status = PsGetProcessExitStatus(Child.Process);
    ReleaseChild(&Child);
    KTEST_CHECK(Status == 7);
    return NULL;
}

/* A process ends with its last thread, whichever that is. */
static PCSTR TestLastThread(VOID)
{
    static HOLDER Holder;
    CHILD Child;
    KTEST_CHECK(StartChild(&Child, TRUE));
    KTEST_CHECK(NT_SUCCESS(StartHolder(&Holder, Child.Handle, 9)));
    KTEST_CHECK(NT_SUCCESS(ZwResumeProcess(Child.Handle)));
    BOOLEAN Early = IsSignalled(Child.Process, 100);
    NTSTATUS Before = PsGetProcessExitStatus(Child.Process);
    LetGo(&Holder);
    BOOLEAN Ended = HasEnded(&Child);
    NTSTATUS After = PsGetProcessExitStatus(Child.Process);
    ReleaseChild(&Child);
    KTEST_CHECK(!Early && Before == STATUS_PENDING);
    KTEST_CHECK(Ended && After != STATUS_PENDING);
    return NULL;
}

/* What the process had open is closed at its end, though its object is still referenced. */
static PCSTR TestHandlesClose(VOID)
{
    CHILD Child;
    HANDLE Event = NewEvent(NULL), Copy;
    KTEST_CHECK(StartChild(&Child, TRUE));
    KTEST_CHECK(NT_SUCCESS(ZwDuplicateObject(ZwCurrentProcess(), Event, Child.Handle, &Copy, 0, 0, DUPLICATE_SAME_ACCESS)));
    KTEST_CHECK(HasCounts(Event, 2, 2));
    KTEST_CHECK(NT_SUCCESS(ZwResumeProcess(Child.Handle)) && HasEnded(&Child));
    KTEST_CHECK(HasCounts(Event, 1, 1));
    ReleaseChild(&Child);
    ZwClose(Event);
    return NULL;
}

/* Exit callbacks run before the object is signalled, and see the status; the process has not gone yet. */
static struct {
    PEPROCESS Process;
    ULONG Calls;
    NTSTATUS Status;
    BOOLEAN Signalled, OnItself;
} Heard;

static VOID HearExit(HANDLE ParentId, HANDLE ProcessId, BOOLEAN Create)
{
    if (!Create && Heard.Process != NULL && PsGetProcessId(Heard.Process) == ProcessId) {
        Heard.Calls++;
        Heard.Status = PsGetProcessExitStatus(Heard.Process);
        Heard.Signalled = IsSignalled(Heard.Process, 0);
        Heard.OnItself = PsGetCurrentProcess() == Heard.Process;
    }
}

static PCSTR TestExitCallback(VOID)
{
    CHILD Child;
    RtlZeroMemory(&Heard, sizeof(Heard));
    KTEST_CHECK(NT_SUCCESS(PsSetCreateProcessNotifyRoutine(HearExit, FALSE)));
    if (StartChild(&Child, TRUE)) {
        Heard.Process = Child.Process;
        ZwResumeProcess(Child.Handle);
        HasEnded(&Child);
        ReleaseChild(&Child);
    }
    PsSetCreateProcessNotifyRoutine(HearExit, TRUE);
    KTEST_CHECK(Heard.Calls == 1 && Heard.Status == 7);
    KTEST_CHECK(!Heard.Signalled && Heard.OnItself);
    return NULL;
}

/* A process that has ended, and that nobody knows any more, is gone with all that it had. */
static PCSTR TestProcessesAreFreed(VOID)
{
    PRIMER_MEMORY Before = {0}, After;
    for (ULONG i = 0; i < 6; i++) {
        CHILD Child;
        if (i == 2) { /* what is made once is there */
            PsDrainReaper();
            PrimerQueryMemory(&Before);
        }
        KTEST_CHECK(StartChild(&Child, FALSE) && HasEnded(&Child));
        ReleaseChild(&Child);
    }
    PsDrainReaper();
    PrimerQueryMemory(&After);
    KTEST_CHECK(After.Processes == Before.Processes && After.Threads == Before.Threads);
    KTEST_CHECK(After.PageTablePages == Before.PageTablePages && After.PoolBlocks == Before.PoolBlocks);
    return NULL;
}

/* ---- Termination ---- */

/* The first terminator's status is the process's; nobody joins any more; the last thread runs the end. */
static PCSTR TestFirstTerminator(VOID)
{
    static HOLDER Holder, Late;
    CHILD Child;
    KTEST_CHECK(StartChild(&Child, TRUE));
    KTEST_CHECK(NT_SUCCESS(StartHolder(&Holder, Child.Handle, 9)));
    NTSTATUS First = ZwTerminateProcess(Child.Handle, 5), Second = ZwTerminateProcess(Child.Handle, 6);
    NTSTATUS Joined = StartHolder(&Late, Child.Handle, 4);
    if (NT_SUCCESS(Joined)) {
        LetGo(&Late);
    }
    BOOLEAN Early = IsSignalled(Child.Process, 50);
    LetGo(&Holder);
    BOOLEAN Ended = HasEnded(&Child);
    NTSTATUS Status = PsGetProcessExitStatus(Child.Process);
    ReleaseChild(&Child);
    KTEST_CHECK(First == STATUS_SUCCESS && Second == STATUS_PROCESS_IS_TERMINATING);
    KTEST_CHECK(Joined == STATUS_PROCESS_IS_TERMINATING);
    KTEST_CHECK(!Early && Ended && Status == 5);
    return NULL;
}

static PCSTR EndsWhenTerminated(CHILD *Child)
{
    NTSTATUS Terminated = ZwTerminateProcess(Child->Handle, 5);
    BOOLEAN Ended = HasEnded(Child);
    NTSTATUS Status = PsGetProcessExitStatus(Child->Process);
    ReleaseChild(Child);
    KTEST_CHECK(Terminated == STATUS_SUCCESS);
    KTEST_CHECK(Ended && Status == 5);
    return NULL;
}

/* It has never run: it runs in order to end. */
static PCSTR TestTerminateUnstarted(VOID)
{
    CHILD Child;
    KTEST_CHECK(StartChild(&Child, TRUE));
    return EndsWhenTerminated(&Child);
}

/* The shell reads commands from a file of the module's device, which has none to give: the request pends until
   it is cancelled, and the shell waits. */
static const UNICODE_STRING DeviceName = RTL_CONSTANT_STRING(L"\\Device\\Lives");
static volatile LONG Reads;

static NTSTATUS Complete(PIRP Irp, NTSTATUS Status)
{
    Irp->IoStatus.Status = Status;
    Irp->IoStatus.Information = 0;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return Status;
}

static NTSTATUS OpenOrClose(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    return Complete(Irp, STATUS_SUCCESS);
}

static VOID CancelRead(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    IoReleaseCancelSpinLock(Irp->CancelIrql);
    Complete(Irp, STATUS_CANCELLED);
}

static NTSTATUS Read(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    IoMarkIrpPending(Irp);
    InterlockedIncrement(&Reads);
    IoSetCancelRoutine(Irp, CancelRead);
    if (Irp->Cancel && IoSetCancelRoutine(Irp, NULL) != NULL) {
        Complete(Irp, STATUS_CANCELLED);
    }
    return STATUS_PENDING;
}

static BOOLEAN StartReader(CHILD *Child)
{
    static const UNICODE_STRING Image = RTL_CONSTANT_STRING(L"sh");
    PS_NATIVE_PROGRAM Program = {.ImagePath = &Image, .ArgumentCount = 1, .ArgumentsSize = 3, .Arguments = "sh"};
    OBJECT_ATTRIBUTES Attributes;
    IO_STATUS_BLOCK Block;
    InitializeObjectAttributes(&Attributes, (PUNICODE_STRING)&DeviceName, OBJ_KERNEL_HANDLE, NULL, NULL);
    if (!NT_SUCCESS(ZwOpenFile(&Program.Standard[0], GENERIC_READ | SYNCHRONIZE, &Attributes, &Block, 0, FILE_SYNCHRONOUS_IO_NONALERT))) {
        return FALSE;
    }
    Reads = 0;
    NTSTATUS Status = PsCreateNativeProcess(&Program, &Child->Handle, &Child->Process);
    ZwClose(Program.Standard[0]);
    for (ULONG i = 0; i < BOUND && NT_SUCCESS(Status) && Reads == 0; i++) {
        KtestSleep(1);
    }
    KtestSleep(10); /* on one processor it waits by then */
    return NT_SUCCESS(Status) && Reads == 1;
}

static PCSTR TestTerminateWaiting(VOID)
{
    CHILD Child;
    KTEST_CHECK(StartReader(&Child));
    return EndsWhenTerminated(&Child);
}

static PCSTR TestTerminateSuspended(VOID)
{
    CHILD Child;
    KTEST_CHECK(StartReader(&Child));
    KTEST_CHECK(NT_SUCCESS(ZwSuspendProcess(Child.Handle)));
    return EndsWhenTerminated(&Child);
}

static PCSTR TestTerminateRefused(VOID)
{
    CHILD Child;
    KTEST_CHECK(ZwTerminateProcess(ZwCurrentProcess(), 5) == STATUS_ACCESS_DENIED); /* System */
    KTEST_CHECK(StartChild(&Child, FALSE) && HasEnded(&Child));
    NTSTATUS Status = ZwTerminateProcess(Child.Handle, 5);
    ReleaseChild(&Child);
    KTEST_CHECK(Status == STATUS_PROCESS_IS_TERMINATING);
    return NULL;
}

/* One thread: a system thread is not ended from outside; of two who end a user thread one is the first; the
   process's last thread gives it its status. */
static PCSTR TestTerminateThread(VOID)
{
    CHILD Child;
    HANDLE Handle;
    KTEST_CHECK(ZwTerminateThread(ZwCurrentThread(), 5) == STATUS_INVALID_PARAMETER);
    KTEST_CHECK(StartChild(&Child, TRUE));
    PETHREAD Thread = FirstThread(&Child);
    KTEST_CHECK(Thread != NULL);
    KTEST_CHECK(NT_SUCCESS(ObOpenObjectByPointer(Thread, OBJ_KERNEL_HANDLE, NULL, THREAD_ALL_ACCESS, *PsThreadType, KernelMode, &Handle)));
    NTSTATUS First = ZwTerminateThread(Handle, 5), Second = ZwTerminateThread(Handle, 6);
    BOOLEAN Ended = HasEnded(&Child);
    NTSTATUS Status = PsGetThreadExitStatus(Thread), Whole = PsGetProcessExitStatus(Child.Process);
    ZwClose(Handle);
    ObDereferenceObject(Thread);
    ReleaseChild(&Child);
    KTEST_CHECK(First == STATUS_SUCCESS && Second == STATUS_THREAD_IS_TERMINATING);
    KTEST_CHECK(Ended && Status == 5 && Whole == 5);
    return NULL;
}

/* Two terminators at once, on processes that are starting: one of them is the first, and its status counts. */
#define CROWD 4
#define TURNS 8

static volatile LONG Wrong;

typedef struct _RIVAL {
    HANDLE Process;
    KEVENT Start;
    NTSTATUS Status;
} RIVAL;

static VOID TerminateToo(PVOID Context)
{
    RIVAL *Rival = Context;
    KeWaitForSingleObject(&Rival->Start, Executive, KernelMode, FALSE, NULL);
    Rival->Status = ZwTerminateProcess(Rival->Process, 6);
}

static BOOLEAN MakeAndEnd(VOID)
{
    CHILD Child;
    RIVAL Rival;
    if (!StartChild(&Child, TRUE)) {
        return FALSE;
    }
    Rival.Process = Child.Handle;
    KeInitializeEvent(&Rival.Start, NotificationEvent, FALSE);
    PETHREAD Thread = KtestStart(TerminateToo, &Rival);
    KeSetEvent(&Rival.Start, IO_NO_INCREMENT, FALSE);
    NTSTATUS Mine = ZwTerminateProcess(Child.Handle, 5);
    KtestJoin(Thread);
    BOOLEAN Ended = HasEnded(&Child);
    NTSTATUS Status = PsGetProcessExitStatus(Child.Process);
    ReleaseChild(&Child);
    return Ended && Status == (NT_SUCCESS(Mine) ? 5 : 6) && NT_SUCCESS(Mine) != NT_SUCCESS(Rival.Status);
}

static VOID MakeAndEndMany(PVOID Context)
{
    for (ULONG i = 0; i < TURNS && !Wrong; i++) {
        if (!MakeAndEnd()) {
            InterlockedIncrement(&Wrong);
        }
    }
}

static PCSTR TestCrowd(VOID)
{
    PRIMER_MEMORY Before, After;
    Wrong = 0;
    KTEST_CHECK(KtestCrowd(CROWD, MakeAndEndMany) && Wrong == 0);
    PsDrainReaper();
    PrimerQueryMemory(&Before);
    KTEST_CHECK(KtestCrowd(CROWD, MakeAndEndMany) && Wrong == 0);
    PsDrainReaper();
    PrimerQueryMemory(&After);
    KTEST_CHECK(After.Processes == Before.Processes && After.Threads == Before.Threads);
    return NULL;
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    PDEVICE_OBJECT Device;
    NTSTATUS Status = IoCreateDevice(DriverObject, 0, (PUNICODE_STRING)&DeviceName, FILE_DEVICE_UNKNOWN, 0, FALSE, &Device);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    DriverObject->MajorFunction[IRP_MJ_CREATE] = DriverObject->MajorFunction[IRP_MJ_CLOSE] = OpenOrClose;
    DriverObject->MajorFunction[IRP_MJ_READ] = Read;
    Device->Flags = (Device->Flags | DO_BUFFERED_IO) & ~DO_DEVICE_INITIALIZING; /* DriverEntry itself opens it */
    if (KeQueryActiveProcessorCount(NULL) < 4) { /* where one thing happens at a time */
        KtestRun("lives.handle-counts", TestHandleCounts);
        KtestRun("lives.name", TestName);
        KtestRun("lives.threads-are-freed", TestThreadsAreFreed);
        KtestRun("lives.found-by-id", TestFoundById);
        KtestRun("lives.lost-by-id", TestLostById);
        KtestRun("lives.exit-status", TestExitStatus);
        KtestRun("lives.last-thread", TestLastThread);
        KtestRun("lives.handles-close", TestHandlesClose);
        KtestRun("lives.exit-callback", TestExitCallback);
        KtestRun("lives.processes-are-freed", TestProcessesAreFreed);
        KtestRun("lives.first-terminator", TestFirstTerminator);
        KtestRun("lives.terminate-unstarted", TestTerminateUnstarted);
        KtestRun("lives.terminate-waiting", TestTerminateWaiting);
        KtestRun("lives.terminate-suspended", TestTerminateSuspended);
        KtestRun("lives.terminate-refused", TestTerminateRefused);
        KtestRun("lives.terminate-thread", TestTerminateThread);
    } else {
        KtestRun("lives.look-up-meets-deletion", TestLookUpMeetsDeletion);
        KtestRun("lives.crowd", TestCrowd);
    }
    return STATUS_SUCCESS;
}
