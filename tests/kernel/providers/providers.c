/* SPDX-License-Identifier: MIT */
/*
 * The provider contract, tested by a provider whose programs are six bytes long: one system call, one illegal
 * instruction, and, for those who get past that, a loop that only the kernel can end.
 *
 *      10000   syscall         number in RAX as the test has set it
 *      10002   ud2             DispatchException: steps over it, or does not handle it
 *      10004   jmp $
 */
#include "../ktest.h"
#include <primertest.h>
#include <subsystem.h>

#define CODE_ADDRESS 0x10000
#define DATA_ADDRESS 0x20000

static const UCHAR Code[] = {0x0f, 0x05, 0x0f, 0x0b, 0xeb, 0xfe};

static PS_SUBSYSTEM_ROUTINES Kernel = {.Version = PS_SUBSYSTEM_VERSION, .Size = sizeof(Kernel)};
static PPS_PROVIDER Provider;

/* What the provider's routines have seen. */
static struct {
    volatile LONG SystemCalls, Exceptions, Returns, ThreadExits, ProcessExits;
    volatile ULONG64 Number;
    PVOID volatile ThreadContext, ProcessContext; /* as they came back */
    volatile BOOLEAN WrongContext, ExitElsewhere, MemoryLeft; /* the last: at ProcessExit */
    volatile LONG Replaced, Overtaken, Refused;               /* answers of ReplaceAddressSpace */
    volatile LONG ExitsBefore;                                /* ThreadExits when the old space was left */
    volatile NTSTATUS Unregister; /* from inside */
    HANDLE ExitThreadId;          /* where ProcessExit ran */
    LONGLONG ExitTime;            /* of the process of that thread */
} Seen;

static BOOLEAN HandleExceptions;

/* ---- Breaches of the contract: option providers.break=NAME; ok: all that looks alike and is right ---- */

static CHAR Break[32];
static EX_PUSH_LOCK PushLock;
static KSPIN_LOCK SpinLock;

static BOOLEAN Breaks(PCSTR Name)
{
    return strncmp(Break, Name, strlen(Name)) == 0;
}

static VOID DoWrong(VOID)
{
    BOOLEAN Right = strlen(Break) > 3 && strcmp(Break + strlen(Break) - 3, "-ok") == 0;
    KIRQL Irql = PASSIVE_LEVEL;
    if (Breaks("level")) {
        KeRaiseIrql(Right ? PASSIVE_LEVEL : APC_LEVEL, &Irql);
    } else if (Breaks("apcs")) {
        KeEnterCriticalRegion();
        if (Right) {
            KeLeaveCriticalRegion();
        }
    } else if (Breaks("mutex")) {
        static KMUTEX Mutex;
        KeInitializeMutex(&Mutex, 0);
        KeWaitForSingleObject(&Mutex, Executive, KernelMode, FALSE, NULL);
        if (Right) {
            KeReleaseMutex(&Mutex, FALSE);
        }
    } else if (Breaks("spin-lock")) {
        KeAcquireSpinLock(&SpinLock, &Irql);
        if (Right) {
            KeReleaseSpinLock(&SpinLock, Irql);
        }
    } else if (Breaks("push-lock") || Breaks("exception-lock")) {
        KeEnterCriticalRegion(); /* as is due; its count is even at the return, so that the lock alone is left over */
        ExAcquirePushLockExclusive(&PushLock);
        if (Right) {
            ExReleasePushLockExclusive(&PushLock);
        }
        KeLeaveCriticalRegion();
    }
}

/* ---- The provider ---- */

/* A system call of this number and the 15 above waits for what never comes, in a manner that the low bits
   say. */
#define CALL_WAIT      0x1000
#define WAIT_USER      1
#define WAIT_ALERTABLE 2
#define WAIT_ALL       4
#define WAIT_LONG      8 /* ten seconds instead of a tenth of one */
#define WAIT_MANNERS   8

/* One with this number replaces the address space, when all that are to do so have come. */
#define CALL_REPLACE 0x1010

static volatile LONG ToReplace;

static VOID LeaveSpace(VOID)
{
    Seen.ExitsBefore = Seen.ThreadExits;
}

static VOID Replace(VOID)
{
    InterlockedDecrement(&ToReplace);
    while (ToReplace > 0) {
        Kernel.YieldExecution();
    }
    NTSTATUS Status = Kernel.ReplaceAddressSpace(LeaveSpace);
    if (Status == STATUS_SUCCESS) {
        InterlockedIncrement(&Seen.Replaced);
    } else if (Status == STATUS_THREAD_IS_TERMINATING) {
        InterlockedIncrement(&Seen.Overtaken);
    } else if (Status == STATUS_INVALID_PARAMETER) {
        InterlockedIncrement(&Seen.Refused);
    }
}

static KEVENT Never[2];
static volatile LONG Waiting;
static volatile NTSTATUS WaitStatus;

static VOID WaitFor(ULONG64 Manner)
{
    PVOID Objects[2] = {&Never[0], &Never[1]};
    KPROCESSOR_MODE Mode = Manner & WAIT_USER ? UserMode : KernelMode;
    LARGE_INTEGER Limit = KtestMs(Manner & WAIT_LONG ? 10000 : 100);
    Waiting = 1;
    WaitStatus = KeWaitForMultipleObjects(2, Objects, Manner & WAIT_ALL ? WaitAll : WaitAny, UserRequest, Mode,
                                          (Manner & WAIT_ALERTABLE) != 0, &Limit, NULL);
}

static VOID SystemCall(PKTRAP_FRAME Frame)
{
    if ((Frame->ErrorCode & ~15ULL) == CALL_WAIT) {
        WaitFor(Frame->ErrorCode - CALL_WAIT);
        Frame->Rax = 0;
        return;
    }
    if (Frame->ErrorCode == CALL_REPLACE) {
        Replace();
        return;
    }
    if (!Breaks("exception")) {
        DoWrong();
    }
    Seen.Number = Frame->ErrorCode;
    Seen.WrongContext |= Kernel.CurrentThreadContext() != Kernel.GetThreadContext(PsGetCurrentThread()) ||
                         Kernel.CurrentProcessContext() != Kernel.GetProcessContext(PsGetCurrentProcess());
    Seen.Unregister = PsUnregisterSubsystemProvider(Provider, FALSE);
    Frame->Rax = 0;
    InterlockedIncrement(&Seen.SystemCalls);
}

static BOOLEAN Exception(PEXCEPTION_RECORD Record, PKTRAP_FRAME Frame)
{
    InterlockedIncrement(&Seen.Exceptions);
    if (Breaks("exception")) {
        DoWrong();
    }
    if (!HandleExceptions || Record->ExceptionCode != STATUS_ILLEGAL_INSTRUCTION) {
        return FALSE;
    }
    Frame->Rip += 2;
    return TRUE;
}

static VOID ReturnToUser(PKTRAP_FRAME Frame)
{
    InterlockedIncrement(&Seen.Returns);
}

static VOID ThreadExit(PETHREAD Thread, PVOID Context)
{
    Seen.ThreadContext = Context;
    Seen.ExitElsewhere |= Thread != PsGetCurrentThread();
    InterlockedIncrement(&Seen.ThreadExits);
}

static VOID ProcessExit(PEPROCESS Process, PVOID Context)
{
    PS_MEMORY_STATISTICS Memory;
    Kernel.QueryMemory(Process, &Memory);
    Seen.MemoryLeft |= Memory.RegionBytes != 0;
    Seen.ProcessContext = Context;
    Seen.ExitThreadId = PsGetCurrentThreadId();
    Seen.ExitTime = PsGetProcessExitTime().QuadPart;
    Seen.Unregister = PsUnregisterSubsystemProvider(Provider, TRUE);
    InterlockedIncrement(&Seen.ProcessExits);
}

static const PS_SUBSYSTEM_PROVIDER Table = {
    .Version = PS_SUBSYSTEM_VERSION,
    .Size = sizeof(PS_SUBSYSTEM_PROVIDER),
    .Name = "test",
    .SubsystemInformationType = SubsystemInformationTypeWSL,
    .DispatchSystemCall = SystemCall,
    .DispatchException = Exception,
    .ReturnToUser = ReturnToUser,
    .ThreadExit = ThreadExit,
    .ProcessExit = ProcessExit,
};

/* ---- Registration ---- */

/* Version before Size, the provider's table before the kernel's; nothing else is looked at before. */
static PCSTR RegisterErrors(VOID)
{
    PS_SUBSYSTEM_PROVIDER Bad = Table;
    PS_SUBSYSTEM_ROUTINES Routines = {.Version = PS_SUBSYSTEM_VERSION, .Size = sizeof(Routines)};
    PPS_PROVIDER Handle;

    Bad.Version++;
    Bad.Size = 0;
    KTEST_CHECK(PsRegisterSubsystemProvider(&Bad, NULL, &Handle) == STATUS_REVISION_MISMATCH);
    Bad.Version--;
    KTEST_CHECK(PsRegisterSubsystemProvider(&Bad, NULL, &Handle) == STATUS_INFO_LENGTH_MISMATCH);
    Bad = Table;
    Routines.Version++;
    Routines.Size--;
    KTEST_CHECK(PsRegisterSubsystemProvider(&Bad, &Routines, &Handle) == STATUS_REVISION_MISMATCH);
    Routines.Version--;
    KTEST_CHECK(PsRegisterSubsystemProvider(&Bad, &Routines, &Handle) == STATUS_INFO_LENGTH_MISMATCH);
    Routines.Size++;
    Bad.Name = "sixteen-letters-";
    KTEST_CHECK(PsRegisterSubsystemProvider(&Bad, &Routines, &Handle) == STATUS_INVALID_PARAMETER);
    Bad.Name = "";
    KTEST_CHECK(PsRegisterSubsystemProvider(&Bad, &Routines, &Handle) == STATUS_INVALID_PARAMETER);
    Bad = Table;
    Bad.DispatchSystemCall = NULL;
    KTEST_CHECK(PsRegisterSubsystemProvider(&Bad, &Routines, &Handle) == STATUS_INVALID_PARAMETER);
    return NULL;
}

static PCSTR RegisterTwice(VOID)
{
    PS_SUBSYSTEM_PROVIDER Second = Table;
    PS_SUBSYSTEM_ROUTINES Routines = {.Version = PS_SUBSYSTEM_VERSION, .Size = sizeof(Routines)};
    PPS_PROVIDER Handle;

    KTEST_CHECK(PsRegisterSubsystemProvider(&Second, &Routines, &Handle) == STATUS_OBJECT_NAME_COLLISION);
    Second.Name = "test2";
    KTEST_CHECK(PsRegisterSubsystemProvider(&Second, &Routines, &Handle) == STATUS_SUCCESS);
    KTEST_CHECK(PsUnregisterSubsystemProvider(Handle, FALSE) == STATUS_SUCCESS);
    KTEST_CHECK(PsUnregisterSubsystemProvider(Handle, FALSE) == STATUS_INVALID_HANDLE);
    return NULL;
}

/* ---- Processes ---- */

static int Contexts[2]; /* their addresses are the contexts */

static NTSTATUS MakeProcess(ULONG Kind, PEPROCESS Parent, PEPROCESS *Process)
{
    PS_SUBSYSTEM_PROCESS_ATTRIBUTES Attributes = {.Kind = Kind, .Parent = Parent, .Context = &Contexts[0]};
    RtlZeroMemory((PVOID)&Seen, sizeof(Seen));
    return Kernel.CreateProcess(Provider, &Attributes, Process);
}

static NTSTATUS MapCode(PEPROCESS Process)
{
    ULONG_PTR Base = CODE_ADDRESS;
    NTSTATUS Status = Kernel.MapRegion(Process, &Base, PAGE_SIZE, PS_MAP_FIXED,
                                       PS_MEMORY_READ | PS_MEMORY_EXECUTE, NULL, 0, 0, NULL);
    return NT_SUCCESS(Status) ? Kernel.WriteMemory(Process, CODE_ADDRESS, Code, sizeof(Code), TRUE) : Status;
}

static NTSTATUS MakeThread(PEPROCESS Process, ULONG64 Number, PETHREAD *Thread)
{
    KTRAP_FRAME Frame = {.Rip = CODE_ADDRESS, .Rax = Number};
    PS_SUBSYSTEM_THREAD_ATTRIBUTES Attributes = {.Context = &Contexts[1], .Registers = &Frame};
    return Kernel.CreateThread(Process, &Attributes, Thread);
}

static VOID AwaitProcess(PEPROCESS Process)
{
    KeWaitForSingleObject(Process, Executive, KernelMode, FALSE, NULL);
}

/* At most five seconds. */
static BOOLEAN AwaitCount(volatile LONG *Count, LONG Value)
{
    for (ULONG i = 0; i < 5000 && *Count < Value; i++) {
        KtestSleep(1);
    }
    return *Count >= Value;
}

/* A process that never had a thread: ended by its terminator, on its thread; context back once; one end
   callback and no creation. */
static volatile LONG Creations, Ends;
static HANDLE WatchedId;
static NTSTATUS Veto, SecondThread;

static VOID WatchProcess(PEPROCESS Process, HANDLE ProcessId, PPS_CREATE_NOTIFY_INFO Info)
{
    PETHREAD Second;
    if (Info == NULL && ProcessId == WatchedId) {
        InterlockedIncrement(&Ends);
    } else if (Info != NULL && ProcessId == WatchedId && Info->IsSubsystemProcess) {
        InterlockedIncrement(&Creations);
        SecondThread = MakeThread(Process, 1, &Second);
        Info->CreationStatus = Veto;
    }
}

static VOID StartWatching(PEPROCESS Process, NTSTATUS Status)
{
    Creations = Ends = 0;
    Veto = Status;
    WatchedId = PsGetProcessId(Process);
    PsSetCreateProcessNotifyRoutineEx2(PsCreateProcessNotifySubsystems, (PVOID)WatchProcess, FALSE);
}

static VOID StopWatching(VOID)
{
    PsSetCreateProcessNotifyRoutineEx2(PsCreateProcessNotifySubsystems, (PVOID)WatchProcess, TRUE);
}

static PCSTR Threadless(VOID)
{
    PEPROCESS Process;
    PETHREAD Thread;
    KTEST_CHECK(MakeProcess(PS_PROCESS_EMPTY, NULL, &Process) == STATUS_SUCCESS);
    StartWatching(Process, STATUS_SUCCESS);
    KTEST_CHECK(Kernel.GetProcessContext(Process) == &Contexts[0]);
    KTEST_CHECK(PsUnregisterSubsystemProvider(Provider, FALSE) == STATUS_DEVICE_BUSY);
    KTEST_CHECK(Kernel.TerminateProcess(Process, 99) == STATUS_SUCCESS);
    StopWatching();
    KTEST_CHECK(Seen.ProcessExits == 1 && Seen.ThreadExits == 0 && Seen.ProcessContext == &Contexts[0]);
    KTEST_CHECK(Seen.ExitThreadId == PsGetCurrentThreadId());
    KTEST_CHECK(Seen.Unregister == STATUS_INVALID_DEVICE_STATE); /* from inside ProcessExit */
    KTEST_CHECK(Creations == 0 && Ends == 1);
    KTEST_CHECK(PsGetProcessExitStatus(Process) == 99);
    KTEST_CHECK(Kernel.TerminateProcess(Process, 1) == STATUS_PROCESS_IS_TERMINATING);
    KTEST_CHECK(MakeThread(Process, 1, &Thread) == STATUS_PROCESS_IS_TERMINATING);
    KTEST_CHECK(MapCode(Process) == STATUS_PROCESS_IS_TERMINATING);
    KTEST_CHECK(Kernel.GetProcessContext(Process) == NULL);
    AwaitProcess(Process);
    ObDereferenceObject(Process);
    return NULL;
}

/* One wait, interrupted or (Terminate) ended with its thread. */
static PCSTR BreakOneWait(ULONG Manner, BOOLEAN Terminate, NTSTATUS Expected)
{
    PEPROCESS Process;
    PETHREAD Thread;
    Waiting = 0;
    WaitStatus = STATUS_PENDING;
    KTEST_CHECK(MakeProcess(PS_PROCESS_EMPTY, NULL, &Process) == STATUS_SUCCESS);
    KTEST_CHECK(MapCode(Process) == STATUS_SUCCESS);
    Manner |= Expected == STATUS_TIMEOUT ? 0 : WAIT_LONG;
    KTEST_CHECK(MakeThread(Process, CALL_WAIT + Manner, &Thread) == STATUS_SUCCESS);
    Kernel.ResumeThread(Thread, NULL);
    KTEST_CHECK(AwaitCount(&Waiting, 1));
    KtestSleep(5);
    if (Terminate) {
        Kernel.TerminateProcess(Process, 1);
    } else {
        Kernel.RequestReturnToUser(Thread, TRUE);
    }
    AwaitProcess(Process); /* interrupted, it goes on to its illegal instruction */
    ObDereferenceObject(Thread);
    ObDereferenceObject(Process);
    if (WaitStatus != Expected) {
        DbgPrint("providers: manner %u, terminate %u: status %x, expected %x\n", Manner, Terminate, WaitStatus, Expected);
    }
    KTEST_CHECK(WaitStatus == Expected);
    return NULL;
}

/* The table of the documentation (waits and APCs): an interruption ends alertable waits, the thread's end
   those and every one in UserMode. */
static PCSTR BreakWaits(VOID)
{
    HandleExceptions = FALSE;
    KeInitializeEvent(&Never[0], NotificationEvent, FALSE);
    KeInitializeEvent(&Never[1], NotificationEvent, FALSE);
    for (ULONG Manner = 0; Manner < WAIT_MANNERS; Manner++) {
        BOOLEAN Alertable = (Manner & WAIT_ALERTABLE) != 0;
        PCSTR Why = BreakOneWait(Manner, FALSE, Alertable ? STATUS_ALERTED : STATUS_TIMEOUT);
        if (Why == NULL) {
            Why = BreakOneWait(Manner, TRUE, Alertable || (Manner & WAIT_USER) ? STATUS_USER_APC : STATUS_TIMEOUT);
        }
        if (Why != NULL) {
            return Why;
        }
    }
    return NULL;
}

/* A veto comes back from CreateThread: the thread's context stays ours, the process has come and gone. No
   other thread gets in before the callbacks have all spoken. */
static PCSTR Vetoed(VOID)
{
    PEPROCESS Process;
    PETHREAD Thread;
    KTEST_CHECK(MakeProcess(PS_PROCESS_EMPTY, NULL, &Process) == STATUS_SUCCESS);
    KTEST_CHECK(MapCode(Process) == STATUS_SUCCESS);
    StartWatching(Process, STATUS_ACCESS_DENIED);
    NTSTATUS Status = MakeThread(Process, 1, &Thread);
    StopWatching();
    KTEST_CHECK(Status == STATUS_ACCESS_DENIED);
    KTEST_CHECK(SecondThread == STATUS_INVALID_DEVICE_STATE);
    KTEST_CHECK(Creations == 1 && Ends == 1);
    KTEST_CHECK(Seen.ProcessExits == 1 && Seen.ThreadExits == 0 && Seen.SystemCalls == 0);
    KTEST_CHECK(PsGetProcessExitStatus(Process) == STATUS_ACCESS_DENIED);
    AwaitProcess(Process);
    ObDereferenceObject(Process);
    return NULL;
}

/* ---- Threads ---- */

static PCSTR CheckRunning(PEPROCESS Process, PETHREAD Thread)
{
    ULONG Previous;
    KTRAP_FRAME Frame;

    KtestSleep(20);
    KTEST_CHECK(Seen.SystemCalls == 0); /* made suspended */
    KTEST_CHECK(Kernel.GetRegisters(Thread, &Frame) == STATUS_SUCCESS && Frame.Rip == CODE_ADDRESS &&
                Frame.Rax == 1234);
    KTEST_CHECK(Kernel.ResumeThread(Thread, &Previous) == STATUS_SUCCESS && Previous == 1);
    KTEST_CHECK(AwaitCount(&Seen.Exceptions, 1));
    KTEST_CHECK(Seen.SystemCalls == 1 && Seen.Number == 1234 && !Seen.WrongContext);
    KTEST_CHECK(Seen.Unregister == STATUS_INVALID_DEVICE_STATE); /* from inside DispatchSystemCall */

    Kernel.RequestReturnToUser(Thread, TRUE); /* it spins in user mode now */
    KTEST_CHECK(AwaitCount(&Seen.Returns, 1));
    KTEST_CHECK(Kernel.SuspendThread(Thread, &Previous) == STATUS_SUCCESS && Previous == 0);
    NTSTATUS Status = STATUS_INVALID_DEVICE_STATE;
    for (ULONG i = 0; i < 5000 && Status == STATUS_INVALID_DEVICE_STATE; i++) {
        KtestSleep(1);
        Status = Kernel.GetRegisters(Thread, &Frame); /* until it has stopped */
    }
    KTEST_CHECK(Status == STATUS_SUCCESS && Frame.Rip == CODE_ADDRESS + 4 && Frame.Rax == 0);
    KTEST_CHECK(Kernel.ResumeThread(Thread, &Previous) == STATUS_SUCCESS && Previous == 1);
    KTEST_CHECK(Kernel.GetRegisters(Thread, &Frame) != STATUS_ACCESS_VIOLATION);
    KTEST_CHECK(PsGetThreadExitStatus(Thread) == STATUS_PENDING &&
                PsGetProcessExitStatus(Process) == STATUS_PENDING);
    return NULL;
}

/* Two terminators: one is the first. */
static PEPROCESS Victim;
static volatile LONG Winners, Losers;

static VOID Terminate(PVOID Context)
{
    NTSTATUS Status = Kernel.TerminateProcess(Victim, 55);
    InterlockedIncrement(Status == STATUS_SUCCESS ? &Winners : &Losers);
}

static PCSTR EndOfSpinner(PEPROCESS Process, PETHREAD Thread)
{
    LARGE_INTEGER Before, After;
    Winners = Losers = 0;
    Victim = Process;
    KeQuerySystemTime(&Before);
    KTEST_CHECK(KtestCrowd(2, Terminate));
    KTEST_CHECK(Winners == 1 && Losers == 1);
    AwaitProcess(Process);
    KeWaitForSingleObject(Thread, Executive, KernelMode, FALSE, NULL);
    KTEST_CHECK(Seen.ThreadExits == 1 && Seen.ProcessExits == 1 && !Seen.ExitElsewhere);
    KTEST_CHECK(Seen.ThreadContext == &Contexts[1] && Seen.ProcessContext == &Contexts[0]);
    KTEST_CHECK(Seen.ExitThreadId == PsGetThreadId(Thread) && !Seen.MemoryLeft);
    KeQuerySystemTime(&After);
    KTEST_CHECK(Before.QuadPart <= Seen.ExitTime && Seen.ExitTime <= After.QuadPart);
    KTEST_CHECK(PsGetProcessExitStatus(Process) == 55 && PsGetThreadExitStatus(Thread) == 55);
    return NULL;
}

static PCSTR LifeOfThread(VOID)
{
    PEPROCESS Process;
    PETHREAD Thread;
    HandleExceptions = TRUE;
    KTEST_CHECK(MakeProcess(PS_PROCESS_EMPTY, NULL, &Process) == STATUS_SUCCESS);
    KTEST_CHECK(MapCode(Process) == STATUS_SUCCESS);
    KTEST_CHECK(MakeThread(Process, 1234, &Thread) == STATUS_SUCCESS);
    PCSTR Why = CheckRunning(Process, Thread);
    PCSTR Why2 = EndOfSpinner(Process, Thread);
    ObDereferenceObject(Thread);
    ObDereferenceObject(Process);
    return Why != NULL ? Why : Why2;
}

/* A thread that was never resumed ends with its process, by its own exit. */
static PCSTR NeverResumed(VOID)
{
    PEPROCESS Process;
    PETHREAD Thread;
    KTEST_CHECK(MakeProcess(PS_PROCESS_EMPTY, NULL, &Process) == STATUS_SUCCESS);
    KTEST_CHECK(MakeThread(Process, 1, &Thread) == STATUS_SUCCESS);
    KTEST_CHECK(Kernel.TerminateProcess(Process, 3) == STATUS_SUCCESS);
    AwaitProcess(Process);
    KTEST_CHECK(Seen.ThreadExits == 1 && Seen.ProcessExits == 1 && Seen.SystemCalls == 0);
    ObDereferenceObject(Thread);
    ObDereferenceObject(Process);
    return NULL;
}

/* An exception that the provider does not handle ends the process with its status; the kernel goes on. */
static PCSTR Unhandled(VOID)
{
    PEPROCESS Process;
    PETHREAD Thread;
    HandleExceptions = FALSE;
    KTEST_CHECK(MakeProcess(PS_PROCESS_EMPTY, NULL, &Process) == STATUS_SUCCESS);
    KTEST_CHECK(MapCode(Process) == STATUS_SUCCESS);
    KTEST_CHECK(MakeThread(Process, 1, &Thread) == STATUS_SUCCESS);
    Kernel.ResumeThread(Thread, NULL);
    AwaitProcess(Process);
    KTEST_CHECK(PsGetProcessExitStatus(Process) == STATUS_ILLEGAL_INSTRUCTION);
    KTEST_CHECK(Seen.SystemCalls == 1 && Seen.Exceptions == 1 && Seen.ThreadExits == 1 &&
                Seen.ProcessExits == 1);
    ObDereferenceObject(Thread);
    ObDereferenceObject(Process);
    return NULL;
}

/* ---- Address spaces ---- */

static ULONG ReadWord(PEPROCESS Process)
{
    ULONG Word = 0;
    Kernel.ReadMemory(Process, DATA_ADDRESS, &Word, sizeof(Word));
    return Word;
}

static VOID WriteWord(PEPROCESS Process, ULONG Word)
{
    Kernel.WriteMemory(Process, DATA_ADDRESS, &Word, sizeof(Word), FALSE);
}

/* A clone has what its parent had and goes its own way; who shares sees everything. */
static PCSTR CheckSpaces(PEPROCESS Parent, PEPROCESS Clone, PEPROCESS Share)
{
    KTEST_CHECK(ReadWord(Clone) == 1 && ReadWord(Share) == 1);
    WriteWord(Parent, 2);
    KTEST_CHECK(ReadWord(Clone) == 1 && ReadWord(Share) == 2);
    WriteWord(Clone, 3);
    KTEST_CHECK(ReadWord(Parent) == 2 && ReadWord(Share) == 2);
    WriteWord(Share, 4);
    KTEST_CHECK(ReadWord(Parent) == 4 && ReadWord(Clone) == 3);
    KTEST_CHECK(Kernel.TerminateProcess(Parent, 0) == STATUS_SUCCESS);
    KTEST_CHECK(ReadWord(Share) == 4 && ReadWord(Clone) == 3); /* they outlive it */
    return NULL;
}

static PCSTR Spaces(VOID)
{
    PEPROCESS Parent, Clone, Share;
    ULONG_PTR Base = DATA_ADDRESS;
    KTEST_CHECK(MakeProcess(PS_PROCESS_EMPTY, NULL, &Parent) == STATUS_SUCCESS);
    KTEST_CHECK(Kernel.MapRegion(Parent, &Base, PAGE_SIZE, PS_MAP_FIXED, PS_MEMORY_READ | PS_MEMORY_WRITE,
                                 NULL, 0, 0, NULL) == STATUS_SUCCESS);
    WriteWord(Parent, 1);
    KTEST_CHECK(MakeProcess(PS_PROCESS_CLONE, Parent, &Clone) == STATUS_SUCCESS);
    KTEST_CHECK(MakeProcess(PS_PROCESS_SHARE, Parent, &Share) == STATUS_SUCCESS);
    PCSTR Why = CheckSpaces(Parent, Clone, Share);
    Kernel.TerminateProcess(Parent, 0);
    Kernel.TerminateProcess(Clone, 0);
    Kernel.TerminateProcess(Share, 0);
    ObDereferenceObject(Parent);
    ObDereferenceObject(Clone);
    ObDereferenceObject(Share);
    KTEST_CHECK(Why != NULL || Seen.ProcessExits == 3);
    return Why;
}

/* A process with two threads that spin, and one or two that want a new address space at once: one gets it,
   when all others have had their end, and finds its program gone. */
static PCSTR ReplaceWith(LONG Wanting)
{
    PEPROCESS Process;
    PETHREAD Threads[4];
    HandleExceptions = TRUE; /* of the spinners' */
    ToReplace = Wanting;
    KTEST_CHECK(MakeProcess(PS_PROCESS_EMPTY, NULL, &Process) == STATUS_SUCCESS);
    KTEST_CHECK(MapCode(Process) == STATUS_SUCCESS);
    for (LONG i = 0; i < 2 + Wanting; i++) {
        KTEST_CHECK(MakeThread(Process, i < 2 ? 1 : CALL_REPLACE, &Threads[i]) == STATUS_SUCCESS);
        Kernel.ResumeThread(Threads[i], NULL);
    }
    AwaitProcess(Process);
    for (LONG i = 0; i < 2 + Wanting; i++) {
        ObDereferenceObject(Threads[i]);
    }
    NTSTATUS Status = PsGetProcessExitStatus(Process);
    ObDereferenceObject(Process);
    KTEST_CHECK(Status == STATUS_ACCESS_VIOLATION);
    KTEST_CHECK(Seen.Replaced == 1 && Seen.Overtaken <= Wanting - 1);
    KTEST_CHECK(Seen.ExitsBefore == 1 + Wanting && Seen.ThreadExits == 2 + Wanting && !Seen.ExitElsewhere);
    return NULL;
}

static PCSTR ReplacesSpace(VOID)
{
    for (ULONG i = 0; i < 20; i++) {
        PCSTR Why = ReplaceWith(1 + i % 2);
        if (Why != NULL) {
            return Why;
        }
    }
    return NULL;
}

static VOID StayUntilSet(PVOID Event)
{
    KeWaitForSingleObject(Event, Executive, KernelMode, FALSE, NULL);
}

static NTSTATUS StartSystemThread(PEPROCESS Process, PKSTART_ROUTINE Routine, PVOID Context, PETHREAD *Thread)
{
    HANDLE ProcessHandle, Handle;
    NTSTATUS Status =
        ObOpenObjectByPointer(Process, OBJ_KERNEL_HANDLE, NULL, PROCESS_ALL_ACCESS, *PsProcessType, KernelMode, &ProcessHandle);
    if (NT_SUCCESS(Status)) {
        Status = PsCreateSystemThread(&Handle, THREAD_ALL_ACCESS, NULL, ProcessHandle, NULL, Routine, Context);
        ZwClose(ProcessHandle);
    }
    if (NT_SUCCESS(Status)) {
        Status = ObReferenceObjectByHandle(Handle, SYNCHRONIZE, *PsThreadType, KernelMode, (PVOID *)Thread, NULL);
        ZwClose(Handle);
    }
    return Status;
}

/* A driver's system thread is in the process, which cannot be ended: nobody else is, for a replacement that
   cannot be. */
static PCSTR ReplacesNothing(VOID)
{
    PEPROCESS Process;
    PETHREAD Threads[2], System;
    KEVENT Leave;

    HandleExceptions = TRUE;
    ToReplace = 1;
    KeInitializeEvent(&Leave, NotificationEvent, FALSE);
    KTEST_CHECK(MakeProcess(PS_PROCESS_EMPTY, NULL, &Process) == STATUS_SUCCESS);
    KTEST_CHECK(MapCode(Process) == STATUS_SUCCESS);
    KTEST_CHECK(MakeThread(Process, 1, &Threads[0]) == STATUS_SUCCESS);
    KTEST_CHECK(MakeThread(Process, CALL_REPLACE, &Threads[1]) == STATUS_SUCCESS);
    KTEST_CHECK(StartSystemThread(Process, StayUntilSet, &Leave, &System) == STATUS_SUCCESS);
    Kernel.ResumeThread(Threads[0], NULL);
    Kernel.ResumeThread(Threads[1], NULL);
    BOOLEAN Answered = AwaitCount(&Seen.Refused, 1);
    LONG Ended = Seen.ThreadExits;
    KeSetEvent(&Leave, IO_NO_INCREMENT, FALSE);
    KtestJoin(System);
    Kernel.TerminateProcess(Process, 0);
    AwaitProcess(Process);
    ObDereferenceObject(Threads[0]);
    ObDereferenceObject(Threads[1]);
    ObDereferenceObject(Process);
    KTEST_CHECK(Answered && Ended == 0 && Seen.Replaced == 0 && Seen.ThreadExits == 2);
    return NULL;
}

/* Of another provider's process, or a native one, there is nothing to be had. */
static PCSTR ForeignProcess(VOID)
{
    PEPROCESS Process;
    KTEST_CHECK(MakeProcess(PS_PROCESS_CLONE, PsInitialSystemProcess, &Process) == STATUS_INVALID_PARAMETER);
    KTEST_CHECK(MakeProcess(PS_PROCESS_SHARE + 1, NULL, &Process) == STATUS_INVALID_PARAMETER);
    KTEST_CHECK(Kernel.GetProcessContext(PsInitialSystemProcess) == NULL);
    KTEST_CHECK(MapCode(PsInitialSystemProcess) == STATUS_ACCESS_DENIED);
    KTEST_CHECK(Kernel.TerminateProcess(PsInitialSystemProcess, 0) == STATUS_ACCESS_DENIED);
    return NULL;
}

/* ---- What is left ---- */

static PCSTR LeavesNothing(VOID)
{
    PRIMER_MEMORY Before = {0}, After;
    for (ULONG i = 0; i < 60; i++) {
        if (i == 10) { /* what is made once and kept has been made */
            PsDrainReaper();
            PrimerQueryMemory(&Before);
        }
        PCSTR Why = LifeOfThread();
        Why = Why != NULL ? Why : Vetoed();
        if (Why != NULL) {
            return Why;
        }
    }
    PsDrainReaper();
    PrimerQueryMemory(&After);
    KTEST_CHECK(After.Processes == Before.Processes && After.Threads == Before.Threads);
    KTEST_CHECK(After.KernelStacks == Before.KernelStacks);
    KTEST_CHECK(After.PageTablePages == Before.PageTablePages);
    KTEST_CHECK(After.PoolBlocks == Before.PoolBlocks && After.PoolBytes == Before.PoolBytes);
    return NULL;
}

/* ---- Unregistration: the last test ---- */

static BOOLEAN AlignmentFlag(VOID)
{
    ULONG64 Flags;
    __asm__ volatile("pushfq; popq %0" : "=r"(Flags));
    return (Flags & 0x40000) != 0; /* RFLAGS.AC: where SMAP is on, whether the window is open */
}

/* A copy routine called in a block that a probe has opened to user memory leaves it open, whether it copies
   or not. */
static PCSTR CopyInBlock(VOID)
{
    const PVOID User = (PVOID)CODE_ADDRESS; /* nothing is mapped there in the System process */
    volatile BOOLEAN Open = FALSE, Kept = FALSE;
    volatile NTSTATUS Status = 0, Empty = 1;
    ULONG Value;
    _SEH2_TRY {
        ProbeForRead(User, sizeof(Value), 1);
        Open = AlignmentFlag();
        Status = Kernel.CopyFromUser(&Value, User, sizeof(Value));
        Empty = Kernel.CopyFromUser(&Value, User, 0);
        Kept = AlignmentFlag();
    } _SEH2_EXCEPT(EXCEPTION_EXECUTE_HANDLER) {
        _SEH2_YIELD(return "an exception");
    } _SEH2_END;
    KTEST_CHECK(Status == STATUS_ACCESS_VIOLATION && Empty == STATUS_SUCCESS);
    KTEST_CHECK(Kept == Open && !AlignmentFlag());
    return NULL;
}

static volatile LONG Unregistered;

static VOID UnregisterAndWait(PVOID Context)
{
    PsUnregisterSubsystemProvider(Provider, TRUE);
    InterlockedIncrement(&Unregistered);
}

/* It waits for the last process; new ones are refused meanwhile. */
static PCSTR Unregister(VOID)
{
    PEPROCESS Process, Other;
    KTEST_CHECK(MakeProcess(PS_PROCESS_EMPTY, NULL, &Process) == STATUS_SUCCESS);
    KTEST_CHECK(PsUnregisterSubsystemProvider(Provider, FALSE) == STATUS_DEVICE_BUSY);
    PETHREAD Waiter = KtestStart(UnregisterAndWait, NULL);
    KtestSleep(50);
    LONG Early = Unregistered;
    NTSTATUS Refused = MakeProcess(PS_PROCESS_EMPTY, NULL, &Other);
    Kernel.TerminateProcess(Process, 0);
    KtestJoin(Waiter);
    ObDereferenceObject(Process);
    KTEST_CHECK(Early == 0 && Unregistered == 1);
    KTEST_CHECK(Refused == STATUS_DELETE_PENDING);
    return NULL;
}

/* The provider breaks its contract, or is right: then the test says that it passed. */
static NTSTATUS BreakContract(VOID)
{
    NTSTATUS Status = PsRegisterSubsystemProvider(&Table, &Kernel, &Provider);
    ExInitializePushLock(&PushLock);
    KeInitializeSpinLock(&SpinLock);
    if (strcmp(Break, "ok") != 0) {
        KtestRun("providers.break", Unhandled);
        return Status;
    }
    static const PCSTR Right[] = {"mutex-ok", "level-ok", "apcs-ok", "spin-lock-ok", "push-lock-ok", "exception-lock-ok"};
    for (ULONG i = 0; i < ARRAYSIZE(Right); i++) {
        strcpy(Break, Right[i]);
        KtestRun(Right[i], Unhandled);
    }
    return Status;
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    if (ExQueryKernelOption("providers.break", Break, sizeof(Break))) {
        return BreakContract();
    }
    KtestRun("providers.register-errors", RegisterErrors);
    NTSTATUS Status = PsRegisterSubsystemProvider(&Table, &Kernel, &Provider);
    if (!NT_SUCCESS(Status)) {
        DbgPrint("@fail providers.register: %08x\n", Status);
        return Status;
    }
    KtestRun("providers.register-twice", RegisterTwice);
    KtestRun("providers.threadless-process", Threadless);
    KtestRun("providers.veto", Vetoed);
    KtestRun("providers.life-of-a-thread", LifeOfThread);
    KtestRun("providers.never-resumed", NeverResumed);
    KtestRun("providers.unhandled-exception", Unhandled);
    KtestRun("providers.break-waits", BreakWaits);
    KtestRun("providers.address-spaces", Spaces);
    KtestRun("providers.replaces-space", ReplacesSpace);
    KtestRun("providers.replaces-nothing", ReplacesNothing);
    KtestRun("providers.foreign-process", ForeignProcess);
    KtestRun("providers.copy-in-block", CopyInBlock);
    KtestRun("providers.leaves-nothing", LeavesNothing);
    KtestRun("providers.unregister", Unregister);
    return STATUS_SUCCESS;
}
