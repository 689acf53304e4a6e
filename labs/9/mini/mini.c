/* SPDX-License-Identifier: MIT */
/*
 * mini.sys: a personality with nine of Linux's system calls for x86-64, made with SYSCALL as there: number in
 * RAX, arguments in RDI, RSI, RDX, R10, result in RAX, from -4095 to -1 an error's number.
 *
 *        1  write(fd, buffer, size)         fd 1 or 2: the console
 *       24  sched_yield()
 *       35  nanosleep(time, NULL)
 *       39  getpid()
 *       56  clone(flags, stack, NULL, ctid) a thread
 *       60  exit(code)                      ends the thread, the process with its last one
 *      186  gettid()
 *      202  futex(address, FUTEX_WAIT or FUTEX_WAKE, value, timeout)
 *      231  exit_group(code)                ends the process
 *
 * A program starts with the number of its arguments in RDI, and in RSI where they lie, one string behind the
 * other. FutexLock guards the list of those who wait; user memory is read under it, and nothing else blocks.
 */
#include <subsystem.h>

#include <elfimage.h>

#define STACK_TOP      0x7fff0000UL
#define STACK_SIZE     0x10000UL
#define ARGUMENTS_SIZE 0x1000UL /* at the top of the stack */
#define PIECE          128      /* bytes that are written at once */
#define TAG            'inim'

#define EINTR     4
#define EIO       5
#define EBADF     9
#define EAGAIN    11
#define ENOMEM    12
#define EACCES    13
#define EFAULT    14
#define EINVAL    22
#define ENOSYS    38
#define ETIMEDOUT 110

#define FUTEX_WAIT         0
#define FUTEX_WAKE         1
#define FUTEX_PRIVATE_FLAG 128

#define CLONE_OF_A_THREAD    0x00010f00 /* VM, FS, FILES, SIGHAND, THREAD: all of them */
#define CLONE_CHILD_CLEARTID 0x00200000

typedef struct _MINI_THREAD {
    ULONG_PTR ClearTid; /* becomes 0 and is woken when the thread ends; 0: nothing does */
} MINI_THREAD, *PMINI_THREAD;

/* On the stack of a thread that waits. */
typedef struct _MINI_WAITER {
    LIST_ENTRY Links; /* (FutexLock) */
    PS_WAIT_KEY Key;
    BOOLEAN Woken;    /* (FutexLock) it is off the list */
    KEVENT Event;
} MINI_WAITER, *PMINI_WAITER;

static PS_SUBSYSTEM_ROUTINES Kernel = {.Version = PS_SUBSYSTEM_VERSION, .Size = sizeof(Kernel)};
static PPS_PROVIDER Provider;
static EX_PUSH_LOCK FutexLock;
static LIST_ENTRY FutexWaiters = {&FutexWaiters, &FutexWaiters};

/* ---- Errors ---- */

/* What a program is told for a status of the kernel's: 0, or an error's negative number. */
static LONG64 MiniError(NTSTATUS Status)
{
    switch (Status) {
    case STATUS_SUCCESS:
        return 0;
    case STATUS_TIMEOUT:
        return -ETIMEDOUT;
    case STATUS_ALERTED:
    case STATUS_USER_APC:
        return -EINTR;
    case STATUS_ACCESS_VIOLATION:
        return -EFAULT;
    case STATUS_NO_MEMORY:
    case STATUS_INSUFFICIENT_RESOURCES:
        return -ENOMEM;
    case STATUS_INVALID_PARAMETER:
        return -EINVAL;
    case STATUS_ACCESS_DENIED:
        return -EACCES;
    case STATUS_INVALID_SYSTEM_SERVICE:
    case STATUS_NOT_IMPLEMENTED:
        return -ENOSYS;
    default:
        return -EIO;
    }
}

/* ---- Output ---- */

/* In pieces: how much has gone out before one of them could not be read, or the error when none has. */
static LONG64 MiniWrite(ULONG64 Fd, ULONG64 Buffer, ULONG64 Size)
{
    UCHAR Piece[PIECE];
    ULONG64 Done = 0;
    if (Fd != 1 && Fd != 2) {
        return -EBADF;
    }
    while (Done < Size) {
        SIZE_T Count = Size - Done < PIECE ? Size - Done : PIECE;
        NTSTATUS Status = Kernel.CopyFromUser(Piece, (const VOID *)(Buffer + Done), Count);
        if (NT_SUCCESS(Status)) {
            Status = Kernel.ConsoleWrite((ULONG)Fd, Piece, Count);
        }
        if (Status != STATUS_SUCCESS) {
            return Done != 0 ? (LONG64)Done : MiniError(Status);
        }
        Done += Count;
    }
    return (LONG64)Done;
}

/* ---- Time ---- */

/* A struct timespec of the program's, as an interval of the kernel's: 0, or an error. */
static LONG64 MiniReadTime(ULONG64 Address, PLARGE_INTEGER Interval)
{
    LONG64 Time[2];
    NTSTATUS Status = Kernel.CopyFromUser(Time, (const VOID *)Address, sizeof(Time));
    if (!NT_SUCCESS(Status)) {
        return MiniError(Status);
    }
    if (Time[0] < 0 || Time[0] > 1000000000 || Time[1] < 0 || Time[1] >= 1000000000) {
        return -EINVAL;
    }
    Interval->QuadPart = -(Time[0] * 10000000 + (Time[1] + 99) / 100);
    return 0;
}

/* Sleeps so that the process can be ended meanwhile. */
static LONG64 MiniSleep(ULONG64 Address)
{
    LARGE_INTEGER Interval;
    LONG64 Error = MiniReadTime(Address, &Interval);
    if (Error != 0) {
        return Error;
    }
    return MiniError(KeDelayExecutionThread(UserMode, TRUE, &Interval));
}

/* ---- Futexes ---- */

static VOID MiniLock(VOID)
{
    KeEnterCriticalRegion();
    ExAcquirePushLockExclusive(&FutexLock);
}

static VOID MiniUnlock(VOID)
{
    ExReleasePushLockExclusive(&FutexLock);
    KeLeaveCriticalRegion();
}

/* Sleeps until somebody wakes, if the word at the address is as expected: look and sleep are one step for
   those who wake. Timeout NULL: none. */
static LONG64 MiniWait(ULONG64 Address, ULONG Expected, PLARGE_INTEGER Timeout)
{
    MINI_WAITER Waiter = {.Woken = FALSE};
    ULONG Value = 0;

    KeInitializeEvent(&Waiter.Event, SynchronizationEvent, FALSE);
    MiniLock();
    NTSTATUS Status = Kernel.QueryWaitKey(Address, FALSE, &Waiter.Key);
    if (NT_SUCCESS(Status)) {
        Status = Kernel.ReadUser32((const volatile ULONG *)Address, &Value);
    }
    if (!NT_SUCCESS(Status) || Value != Expected) {
        MiniUnlock();
        return NT_SUCCESS(Status) ? -EAGAIN : MiniError(Status);
    }
    InsertTailList(&FutexWaiters, &Waiter.Links);
    MiniUnlock();
    Status = KeWaitForSingleObject(&Waiter.Event, UserRequest, UserMode, TRUE, Timeout);
    MiniLock();
    if (!Waiter.Woken) {
        RemoveEntryList(&Waiter.Links);
    }
    MiniUnlock();
    return Waiter.Woken ? 0 : MiniError(Status);
}

/* Wakes as many as Count of those who wait at the address, who came first first. How many it were. */
static LONG64 MiniWake(ULONG64 Address, ULONG Count)
{
    PS_WAIT_KEY Key;
    LONG64 Woken = 0;
    NTSTATUS Status = Kernel.QueryWaitKey(Address, FALSE, &Key);
    if (!NT_SUCCESS(Status)) {
        return MiniError(Status);
    }
    MiniLock();
    for (PLIST_ENTRY Link = FutexWaiters.Flink; Link != &FutexWaiters && Woken < Count;) {
        PMINI_WAITER Waiter = CONTAINING_RECORD(Link, MINI_WAITER, Links);
        Link = Link->Flink;
        if (Waiter->Key.Object == Key.Object && Waiter->Key.Offset == Key.Offset) {
            RemoveEntryList(&Waiter->Links);
            Waiter->Woken = TRUE;
            KeSetEvent(&Waiter->Event, IO_NO_INCREMENT, FALSE); /* its stack stays as long as the lock is held */
            Woken++;
        }
    }
    MiniUnlock();
    return Woken;
}

static LONG64 MiniFutex(const KTRAP_FRAME *Frame)
{
    LARGE_INTEGER Interval;
    ULONG Operation = (ULONG)Frame->Rsi & ~FUTEX_PRIVATE_FLAG;
    LONG64 Error = Operation == FUTEX_WAIT && Frame->R10 != 0 ? MiniReadTime(Frame->R10, &Interval) : 0;
    if (Frame->Rdi % sizeof(ULONG) != 0) {
        return -EINVAL;
    }
    if (Error != 0) {
        return Error;
    }
    switch (Operation) {
    case FUTEX_WAIT:
        return MiniWait(Frame->Rdi, (ULONG)Frame->Rdx, Frame->R10 != 0 ? &Interval : NULL);
    case FUTEX_WAKE:
        return MiniWake(Frame->Rdi, (ULONG)Frame->Rdx);
    default:
        return -ENOSYS;
    }
}

/* ---- Threads ---- */

/* The id of the new thread, which begins with these registers, or an error. Its context is of the pool. */
static LONG64 MiniStartThread(PEPROCESS Process, const KTRAP_FRAME *Registers, ULONG_PTR ClearTid)
{
    PMINI_THREAD Context = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(*Context), TAG);
    PS_SUBSYSTEM_THREAD_ATTRIBUTES Attributes = {.Registers = Registers, .Context = Context};
    PETHREAD Thread;
    if (Context == NULL) {
        return -ENOMEM;
    }
    Context->ClearTid = ClearTid;
    NTSTATUS Status = Kernel.CreateThread(Process, &Attributes, &Thread);
    if (!NT_SUCCESS(Status)) {
        ExFreePoolWithTag(Context, TAG);
        return MiniError(Status);
    }
    LONG64 Id = HandleToLong(PsGetThreadId(Thread));
    Kernel.ResumeThread(Thread, NULL);
    ObDereferenceObject(Thread);
    return Id;
}

/* A thread that goes on where the caller does, on its own stack and with 0 for a result. */
static LONG64 MiniClone(const KTRAP_FRAME *Frame)
{
    ULONG64 Flags = Frame->Rdi;
    KTRAP_FRAME Registers = *Frame;
    if ((Flags & ~(ULONG64)CLONE_CHILD_CLEARTID) != CLONE_OF_A_THREAD || Frame->Rsi == 0) {
        return -EINVAL;
    }
    Registers.Rax = 0;
    Registers.Rsp = Frame->Rsi;
    return MiniStartThread(PsGetCurrentProcess(), &Registers, Flags & CLONE_CHILD_CLEARTID ? Frame->R10 : 0);
}

/* On the thread that ends: who joins it waits for the word to become 0. */
static VOID MiniThreadExit(PETHREAD Thread, PVOID Context)
{
    PMINI_THREAD Mini = Context;
    ULONG Zero = 0;
    UNREFERENCED_PARAMETER(Thread);
    if (Mini->ClearTid != 0 && NT_SUCCESS(Kernel.CopyToUser((PVOID)Mini->ClearTid, &Zero, sizeof(Zero)))) {
        MiniWake(Mini->ClearTid, 1);
    }
    ExFreePoolWithTag(Mini, TAG);
}

/* Ends all of the process's threads, the caller on its way back. */
static LONG64 MiniExitGroup(ULONG64 Code)
{
    return MiniError(Kernel.TerminateProcess(PsGetCurrentProcess(), (NTSTATUS)(Code & 0xff)));
}

/* ---- What the kernel calls ---- */

static LONG64 MiniCall(const KTRAP_FRAME *Frame)
{
    switch (Frame->ErrorCode) {
    case 1:
        return MiniWrite(Frame->Rdi, Frame->Rsi, Frame->Rdx);
    case 24:
        Kernel.YieldExecution();
        return 0;
    case 35:
        return MiniSleep(Frame->Rdi);
    case 39:
        return HandleToLong(PsGetCurrentProcessId());
    case 56:
        return MiniClone(Frame);
    case 60:
        return MiniError(Kernel.TerminateThread(PsGetCurrentThread(), (NTSTATUS)(Frame->Rdi & 0xff)));
    case 186:
        return HandleToLong(PsGetCurrentThreadId());
    case 202:
        return MiniFutex(Frame);
    case 231:
        return MiniExitGroup(Frame->Rdi);
    default:
        return MiniError(STATUS_INVALID_SYSTEM_SERVICE);
    }
}

static VOID MiniDispatchSystemCall(PKTRAP_FRAME Frame)
{
    Frame->Rax = (ULONG64)MiniCall(Frame);
}

/* A program that faults ends, with the exception's status. */
static BOOLEAN MiniDispatchException(PEXCEPTION_RECORD Record, PKTRAP_FRAME Frame)
{
    UNREFERENCED_PARAMETER(Record);
    UNREFERENCED_PARAMETER(Frame);
    return FALSE;
}

static VOID MiniProcessExit(PEPROCESS Process, PVOID Context)
{
    UNREFERENCED_PARAMETER(Process);
    UNREFERENCED_PARAMETER(Context);
}

/* ---- Starting a program ---- */

/* Path: absolute, "/mini/trial". */
static const IO_ARCHIVE_FILE *MiniFindFile(const char *Path)
{
    const IO_ARCHIVE_FILE *File = Kernel.FirstFile("root/");
    while (File != NULL && strcmp(File->Path + strlen("root"), Path) != 0) {
        File = Kernel.NextFile(File, "root/");
    }
    return File;
}

static NTSTATUS MiniMap(PEPROCESS Process, ULONG_PTR Start, ULONG_PTR End)
{
    return Kernel.MapRegion(Process, &Start, End - Start, PS_MAP_FIXED, PS_MEMORY_READ | PS_MEMORY_WRITE, NULL, 0, 0, NULL);
}

/* Stack and arguments, memory for all segments, their bytes; then their rights, so that the last segment of a
   shared page decides. */
static NTSTATUS MiniLoad(PEPROCESS Process, const LDR_ELF_IMAGE *Image, const IO_ARCHIVE_FILE *File, PPS_PROGRAM Program)
{
    NTSTATUS Status = MiniMap(Process, STACK_TOP - STACK_SIZE, STACK_TOP);
    if (NT_SUCCESS(Status)) {
        Status = Kernel.WriteMemory(Process, STACK_TOP - ARGUMENTS_SIZE, Program->Arguments, Program->ArgumentsSize, FALSE);
    }
    if (NT_SUCCESS(Status)) {
        Status = MiniMap(Process, Image->Start, Image->End);
    }
    for (ULONG i = 0; NT_SUCCESS(Status) && i < Image->SegmentCount; i++) {
        const LDR_ELF_SEGMENT *S = &Image->Segments[i];
        Status = Kernel.WriteMemory(Process, S->Address, File->Data + S->FileOffset, S->FileSize, FALSE);
    }
    for (ULONG i = 0; NT_SUCCESS(Status) && i < Image->SegmentCount; i++) {
        const LDR_ELF_SEGMENT *S = &Image->Segments[i];
        ULONG Rights = (S->Protection & LDR_ELF_READ ? PS_MEMORY_READ : 0) | (S->Protection & LDR_ELF_WRITE ? PS_MEMORY_WRITE : 0) |
                       (S->Protection & LDR_ELF_EXECUTE ? PS_MEMORY_EXECUTE : 0);
        Status = Kernel.ProtectRegion(Process, S->Start, S->End - S->Start, Rights);
    }
    return Status;
}

static NTSTATUS MiniStartProgram(PPS_PROGRAM Program, PEPROCESS *Process)
{
    static const LDR_ELF_LIMITS Limits = {0x10000, STACK_TOP - STACK_SIZE};
    PS_SUBSYSTEM_PROCESS_ATTRIBUTES Attributes = {.Kind = PS_PROCESS_EMPTY};
    const IO_ARCHIVE_FILE *File = MiniFindFile(Program->Path);
    LDR_ELF_IMAGE Image;

    if (File == NULL) {
        return STATUS_OBJECT_NAME_NOT_FOUND;
    }
    if (Program->ArgumentsSize > ARGUMENTS_SIZE) {
        return STATUS_INVALID_PARAMETER;
    }
    NTSTATUS Status = LdrParseElfImage(File->Data, File->Size, File->Size, &Limits, &Image);
    if (NT_SUCCESS(Status)) {
        Status = Kernel.CreateProcess(Provider, &Attributes, Process);
    }
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Status = MiniLoad(*Process, &Image, File, Program);
    if (NT_SUCCESS(Status)) {
        KTRAP_FRAME Registers = {.Rip = Image.Entry, .Rsp = STACK_TOP - ARGUMENTS_SIZE - 8, .Rdi = Program->ArgumentCount,
                                 .Rsi = STACK_TOP - ARGUMENTS_SIZE, .Rflags = 0x202};
        Status = MiniStartThread(*Process, &Registers, 0) < 0 ? STATUS_INSUFFICIENT_RESOURCES : STATUS_SUCCESS;
    }
    if (!NT_SUCCESS(Status)) {
        Kernel.TerminateProcess(*Process, Status);
        ObDereferenceObject(*Process);
    }
    return Status;
}

/* ---- The module ---- */

static const PS_SUBSYSTEM_PROVIDER MiniProvider = {
    .Version = PS_SUBSYSTEM_VERSION,
    .Size = sizeof(MiniProvider),
    .Name = "mini",
    .SubsystemInformationType = SubsystemInformationTypeWSL, /* of the two that are documented: not Win32 */
    .DispatchSystemCall = MiniDispatchSystemCall,
    .DispatchException = MiniDispatchException,
    .ThreadExit = MiniThreadExit,
    .ProcessExit = MiniProcessExit,
    .StartProgram = MiniStartProgram,
};

/* Returns when the last program has ended. */
static VOID MiniUnload(PDRIVER_OBJECT DriverObject)
{
    UNREFERENCED_PARAMETER(DriverObject);
    PsUnregisterSubsystemProvider(Provider, TRUE);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    UNREFERENCED_PARAMETER(RegistryPath);
    ExInitializePushLock(&FutexLock);
    DriverObject->DriverUnload = MiniUnload;
    return PsRegisterSubsystemProvider(&MiniProvider, &Kernel, &Provider);
}
