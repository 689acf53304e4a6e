/* SPDX-License-Identifier: MIT */
/*
 * The kernel's part of user APCs, with a provider of a few instructions as the program: which waits they end,
 * when they are delivered, and the frame on the user stack.
 */
#include "apcs.h"
#include <primertest.h>
#include <subsystem.h>

static PPS_PROVIDER Provider;
static PS_SUBSYSTEM_ROUTINES Kernel = {.Version = PS_SUBSYSTEM_VERSION, .Size = sizeof(Kernel)};

/* ---- The program ---- */

#define CODE_ADDRESS  0x100000ULL
#define DISPATCHER    (CODE_ADDRESS + 0x20)
#define ROUTINE       (CODE_ADDRESS + 0x50)
#define STACK_ADDRESS 0x200000ULL
#define CALL_WAIT     0x1000 /* and the manner of the wait */
#define CALL_APC_DONE 0x2000
#define CALL_END      0x3000

static const UCHAR Code[0x60] = {
    0x0f,          0x05,                   /* syscall, the number as the thread was made */
    0xb8,          0x00, 0x30, 0x00, 0x00, /* mov eax, CALL_END */
    0x0f,          0x05,                   /* syscall */
    0xeb,          0xfe,                   /* spin */
    [0x20] = 0x4c, 0x89, 0xc3,             /* dispatcher: mov rbx, r8, where the frame lies */
    0x48,          0x89, 0xf8,             /* mov rax, rdi, the routine */
    0x48,          0x89, 0xf7,             /* mov rdi, rsi */
    0x48,          0x89, 0xd6,             /* mov rsi, rdx */
    0x48,          0x89, 0xca,             /* mov rdx, rcx */
    0xff,          0xd0,                   /* call rax */
    0x48,          0x89, 0xc7,             /* mov rdi, rax */
    0x49,          0x89, 0xd8,             /* mov r8, rbx */
    0xb8,          0x00, 0x20, 0x00, 0x00, /* mov eax, CALL_APC_DONE */
    0x0f,          0x05,                   /* syscall */
    [0x50] = 0x48, 0x8d, 0x04, 0x37,       /* routine: lea rax, [rdi + rsi] */
    0x48,          0x01, 0xd0,             /* add rax, rdx */
    0xc3,                                  /* ret */
};

#define WAIT_USER      1
#define WAIT_ALERTABLE 2
#define WAIT_MULTIPLE  4
#define WAIT_MANNERS   8
#define WAIT_TEST      8 /* no wait, but KeTestAlertThread */

static KEVENT Never;
static volatile LONG Waiting, Delivered, Ended;
static volatile NTSTATUS WaitStatus;
static volatile ULONG64 Sum, Limit;
static KTRAP_FRAME End;

static NTSTATUS WaitFor(ULONG64 Manner)
{
    PVOID Objects[2] = {&Never, &Never};
    KPROCESSOR_MODE Mode = Manner & WAIT_USER ? UserMode : KernelMode;
    BOOLEAN Alertable = (Manner & WAIT_ALERTABLE) != 0;
    LARGE_INTEGER Time = KtestMs((LONGLONG)Limit);
    if (Manner & WAIT_TEST) {
        KtestSleep(20);
        return KeTestAlertThread(UserMode);
    }
    if (Manner & WAIT_MULTIPLE) {
        return KeWaitForMultipleObjects(2, Objects, WaitAny, UserRequest, Mode, Alertable, &Time, NULL);
    }
    return KeWaitForSingleObject(&Never, UserRequest, Mode, Alertable, &Time);
}

static VOID SystemCall(PKTRAP_FRAME Frame)
{
    switch (Frame->ErrorCode & ~15ULL) {
    case CALL_WAIT:
        Waiting = 1;
        WaitStatus = WaitFor(Frame->ErrorCode & 15);
        Frame->Rax = (ULONG)WaitStatus;
        return;
    case CALL_APC_DONE: { /* what a native program's dispatcher would end with: go on, and look for more */
        Sum = Frame->Rdi;
        InterlockedIncrement(&Delivered);
        KeTestAlertThread(UserMode);
        PrimerPopUserFrame(Frame->R8);
        return;
    }
    default:
        End = *Frame;
        InterlockedIncrement(&Ended);
    }
}

static BOOLEAN Exception(PEXCEPTION_RECORD Record, PKTRAP_FRAME Frame)
{
    return FALSE;
}

static VOID ReturnToUser(PKTRAP_FRAME Frame)
{
}

static VOID ThreadExit(PETHREAD Thread, PVOID Context)
{
}

static VOID ProcessExit(PEPROCESS Process, PVOID Context)
{
}

static const PS_SUBSYSTEM_PROVIDER Table = {
    .Version = PS_SUBSYSTEM_VERSION,
    .Size = sizeof(PS_SUBSYSTEM_PROVIDER),
    .Name = "apcs",
    .SubsystemInformationType = SubsystemInformationTypeWSL,
    .DispatchSystemCall = SystemCall,
    .DispatchException = Exception,
    .ReturnToUser = ReturnToUser,
    .ThreadExit = ThreadExit,
    .ProcessExit = ProcessExit,
};

static PCSTR MakeProgram(ULONG64 Manner, BOOLEAN Stack, PEPROCESS *Process, PETHREAD *Thread)
{
    PS_SUBSYSTEM_PROCESS_ATTRIBUTES Attributes = {.Kind = PS_PROCESS_EMPTY};
    ULONG_PTR CodeBase = CODE_ADDRESS, StackBase = STACK_ADDRESS;
    KTRAP_FRAME Frame = {.Rip = CODE_ADDRESS,
                         .Rax = CALL_WAIT + Manner,
                         .Rsp = STACK_ADDRESS + 0x1000 - 8,
                         .Rbx = 0x1234,
                         .R15 = 0x5678};
    PS_SUBSYSTEM_THREAD_ATTRIBUTES ThreadAttributes = {.Registers = &Frame};
    Waiting = Delivered = Ended = 0;
    WaitStatus = STATUS_PENDING;
    KeInitializeEvent(&Never, NotificationEvent, FALSE);
    KTEST_CHECK(NT_SUCCESS(Kernel.CreateProcess(Provider, &Attributes, Process)));
    KTEST_CHECK(NT_SUCCESS(Kernel.MapRegion(*Process, &CodeBase, PAGE_SIZE, PS_MAP_FIXED,
                                            PS_MEMORY_READ | PS_MEMORY_EXECUTE, NULL, 0, 0, NULL)));
    KTEST_CHECK(!Stack || NT_SUCCESS(Kernel.MapRegion(*Process, &StackBase, PAGE_SIZE, PS_MAP_FIXED,
                                                      PS_MEMORY_READ | PS_MEMORY_WRITE, NULL, 0, 0, NULL)));
    KTEST_CHECK(NT_SUCCESS(Kernel.WriteMemory(*Process, CODE_ADDRESS, Code, sizeof(Code), TRUE)));
    PrimerSetUserApcDispatcher(*Process, DISPATCHER);
    KTEST_CHECK(NT_SUCCESS(Kernel.CreateThread(*Process, &ThreadAttributes, Thread)));
    return NULL;
}

static VOID EndProgram(PEPROCESS Process, PETHREAD Thread)
{
    Kernel.TerminateProcess(Process, 1);
    KeWaitForSingleObject(Process, Executive, KernelMode, FALSE, NULL);
    ObDereferenceObject(Thread);
    ObDereferenceObject(Process);
}

static BOOLEAN AwaitCount(volatile LONG *Count, LONG Value)
{
    for (ULONG i = 0; i < 5000 && *Count < Value; i++) {
        KtestSleep(1);
    }
    return *Count >= Value;
}

/* ---- The APCs ---- */

static KAPC Apc[3];
static volatile LONG KernelRuns, RundownRuns;
static volatile KIRQL KernelIrql;

static VOID KernelRoutine(PKAPC This, PKNORMAL_ROUTINE *NormalRoutine, PVOID *NormalContext, PVOID *Argument1,
                          PVOID *Argument2)
{
    KernelIrql = KeGetCurrentIrql();
    InterlockedIncrement(&KernelRuns);
    if (*Argument2 == NULL) { /* it has done all itself */
        *NormalRoutine = NULL;
    }
}

static VOID Rundown(PKAPC This)
{
    InterlockedIncrement(&RundownRuns);
}

static BOOLEAN QueueApc(ULONG Number, PETHREAD Thread, ULONG_PTR Argument2)
{
    KeInitializeApc(&Apc[Number], (PKTHREAD)Thread, OriginalApcEnvironment, KernelRoutine, Rundown,
                    (PKNORMAL_ROUTINE)ROUTINE, UserMode, (PVOID)1000);
    return KeInsertQueueApc(&Apc[Number], (PVOID)200, (PVOID)Argument2, IO_NO_INCREMENT);
}

/* The table of the documentation (waits and APCs), its column of user APCs: an alertable wait ends; in user
   mode the APC is delivered, otherwise it stays and is run down at the end. */
static PCSTR OneManner(ULONG64 Manner, BOOLEAN Before)
{
    PEPROCESS Process;
    PETHREAD Thread;
    BOOLEAN Alertable = (Manner & WAIT_ALERTABLE) != 0, Deliver = Alertable && (Manner & WAIT_USER);
    KernelRuns = RundownRuns = 0;
    Limit = Alertable ? 20000 : 60;
    PCSTR Why = MakeProgram(Manner, TRUE, &Process, &Thread);
    if (Why != NULL) {
        return Why;
    }
    BOOLEAN Inserted = Before && QueueApc(0, Thread, 30); /* a thread that has not begun yet */
    Kernel.ResumeThread(Thread, NULL);
    AwaitCount(&Waiting, 1);
    if (!Before) {
        KtestSleep(5);
        Inserted = QueueApc(0, Thread, 30);
    }
    BOOLEAN Came = AwaitCount(&Ended, 1);
    KTRAP_FRAME Last = End;
    EndProgram(Process, Thread);
    KTEST_CHECK(Inserted && Came && WaitStatus == (Alertable ? STATUS_USER_APC : STATUS_TIMEOUT));
    KTEST_CHECK(Delivered == (Deliver ? 1 : 0) && KernelRuns == Delivered &&
                RundownRuns == (Deliver ? 0 : 1));
    KTEST_CHECK(!Deliver || (Sum == 1230 && KernelIrql == APC_LEVEL));
    KTEST_CHECK(Last.Rbx == 0x1234 && Last.R15 == 0x5678 && Last.Rsp == STACK_ADDRESS + 0x1000 - 8);
    return NULL;
}

static PCSTR TestTable(VOID)
{
    for (ULONG64 Manner = 0; Manner < 2 * WAIT_MANNERS; Manner++) {
        PCSTR Why = OneManner(Manner % WAIT_MANNERS, Manner >= WAIT_MANNERS);
        if (Why != NULL) {
            DbgPrint("apcs: manner %llu, status %x\n", Manner, WaitStatus);
            return Why;
        }
    }
    return NULL;
}

/* Three at once: one a time, in order, each asked for by user mode; one that its kernel routine has done with
   is not seen there. Without a wait KeTestAlertThread brings them. */
static PCSTR SeveralWith(ULONG64 Manner)
{
    PEPROCESS Process;
    PETHREAD Thread;
    KernelRuns = RundownRuns = 0;
    Limit = 20000;
    PCSTR Why = MakeProgram(Manner, TRUE, &Process, &Thread);
    if (Why != NULL) {
        return Why;
    }
    BOOLEAN Inserted = QueueApc(0, Thread, 1) && QueueApc(1, Thread, 0) && QueueApc(2, Thread, 3);
    Kernel.ResumeThread(Thread, NULL);
    BOOLEAN Came = AwaitCount(&Ended, 1);
    EndProgram(Process, Thread);
    KTEST_CHECK(Inserted && Came && Delivered == 2 && KernelRuns == 3 && RundownRuns == 0 && Sum == 1203);
    return NULL;
}

static PCSTR TestSeveral(VOID)
{
    PCSTR Why = SeveralWith(WAIT_USER | WAIT_ALERTABLE);
    return Why != NULL ? Why : SeveralWith(WAIT_TEST);
}

/* Without a stack the thread ends; nothing else does. */
static PCSTR TestNoStack(VOID)
{
    PEPROCESS Process;
    PETHREAD Thread;
    Limit = 20000;
    PCSTR Why = MakeProgram(WAIT_USER | WAIT_ALERTABLE, FALSE, &Process, &Thread);
    if (Why != NULL) {
        return Why;
    }
    QueueApc(0, Thread, 1);
    Kernel.ResumeThread(Thread, NULL);
    KeWaitForSingleObject(Process, Executive, KernelMode, FALSE, NULL);
    NTSTATUS Status = PsGetThreadExitStatus(Thread);
    EndProgram(Process, Thread);
    KTEST_CHECK(Status == STATUS_ACCESS_VIOLATION && Ended == 0);
    return NULL;
}

/* A kernel APC reaches a thread in user mode, and while it is suspended. */
static VOID Special(PKAPC This, PKNORMAL_ROUTINE *NormalRoutine, PVOID *NormalContext, PVOID *Argument1,
                    PVOID *Argument2)
{
    InterlockedIncrement(&KernelRuns);
}

static BOOLEAN QueueSpecial(PETHREAD Thread, LONG Expected)
{
    KAPC Kernel;
    KeInitializeApc(&Kernel, (PKTHREAD)Thread, OriginalApcEnvironment, Special, NULL, NULL, KernelMode, NULL);
    return KeInsertQueueApc(&Kernel, NULL, NULL, 0) && AwaitCount(&KernelRuns, Expected);
}

static PCSTR TestInUserMode(VOID)
{
    PEPROCESS Process;
    PETHREAD Thread;
    ULONG Previous;
    KTRAP_FRAME Frame;
    KernelRuns = 0;
    Limit = 1;
    PCSTR Why = MakeProgram(0, TRUE, &Process, &Thread);
    if (Why != NULL) {
        return Why;
    }
    Kernel.ResumeThread(Thread, NULL);
    BOOLEAN Came = AwaitCount(&Ended, 1) && QueueSpecial(Thread, 1);
    Kernel.SuspendThread(Thread, &Previous);
    NTSTATUS Status = STATUS_INVALID_DEVICE_STATE;
    for (ULONG i = 0; i < 5000 && Status == STATUS_INVALID_DEVICE_STATE; i++) {
        KtestSleep(1);
        Status = Kernel.GetRegisters(Thread, &Frame); /* until it has stopped */
    }
    BOOLEAN Suspended = QueueSpecial(Thread, 2) && Kernel.GetRegisters(Thread, &Frame) == STATUS_SUCCESS;
    Kernel.ResumeThread(Thread, NULL);
    EndProgram(Process, Thread);
    KTEST_CHECK(Came && NT_SUCCESS(Status) && Suspended);
    return NULL;
}

VOID RunUserTests(VOID)
{
    if (!NT_SUCCESS(PsRegisterSubsystemProvider(&Table, &Kernel, &Provider))) {
        DbgPrint("@fail apcs.user: no provider\n");
        return;
    }
    KtestRun("apcs.user-table", TestTable);
    KtestRun("apcs.user-several", TestSeveral);
    KtestRun("apcs.user-no-stack", TestNoStack);
    KtestRun("apcs.in-user-mode", TestInUserMode);
    PsUnregisterSubsystemProvider(Provider, TRUE);
}
