/* SPDX-License-Identifier: MIT */
/*
 * relay.sys: a subsystem of its own, written from docs/modules.md. Its processes have one thread and an inbox
 * of words, copy themselves, and take events (faults, and nudges by others) in a handler. relay.h has the
 * calls.
 *
 * RelayLock guards the list of processes and what others may look at in them. It is held for a few
 * instructions at PASSIVE level, never over a wait.
 */
#include <subsystem.h>

#include <elfimage.h>
#include "relay.h"

#define RELAY_TAG 'yleR'

#define STACK_TOP  0x70000000UL
#define STACK_SIZE 0x20000UL
#define INBOX      16
#define CHILDREN   16
#define RED_ZONE   128 /* below the stack pointer, the program's */

typedef struct _RELAY_PROCESS {
    LIST_ENTRY Links;       /* (RelayLock) */
    ULONG Number;
    PETHREAD Thread;        /* (RelayLock) referenced; NULL before it runs and after its end */
    ULONG64 Handler;        /* the process's own thread alone */
    KEVENT Arrived;         /* set when the inbox has something */
    ULONG64 Inbox[INBOX];   /* (RelayLock) */
    ULONG First, Count;     /* (RelayLock) */
    BOOLEAN Nudged;         /* (RelayLock) */
    struct {
        ULONG Number;
        PEPROCESS Process;  /* referenced */
    } Children[CHILDREN];   /* the process's own thread alone */
} RELAY_PROCESS, *PRELAY_PROCESS;

static PS_SUBSYSTEM_ROUTINES Kernel = {.Version = PS_SUBSYSTEM_VERSION, .Size = sizeof(Kernel)};
static PPS_PROVIDER Provider;
static FAST_MUTEX RelayLock;
static LIST_ENTRY Processes = {&Processes, &Processes}; /* (RelayLock) */
static ULONG LastNumber;                                /* (RelayLock) */
static volatile LONG Left;                              /* contexts that are still there */

/* ---- Processes ---- */

static PRELAY_PROCESS Current(VOID)
{
    return Kernel.CurrentProcessContext();
}

/* RelayLock held. */
static PRELAY_PROCESS Find(ULONG64 Number)
{
    for (PLIST_ENTRY Entry = Processes.Flink; Entry != &Processes; Entry = Entry->Flink) {
        PRELAY_PROCESS Process = CONTAINING_RECORD(Entry, RELAY_PROCESS, Links);
        if (Process->Number == Number) {
            return Process;
        }
    }
    return NULL;
}

static PRELAY_PROCESS NewContext(VOID)
{
    PRELAY_PROCESS New = ExAllocatePool2(POOL_FLAG_NON_PAGED, sizeof(*New), RELAY_TAG);
    if (New != NULL) {
        KeInitializeEvent(&New->Arrived, SynchronizationEvent, FALSE);
        ExAcquireFastMutex(&RelayLock);
        New->Number = ++LastNumber;
        InsertTailList(&Processes, &New->Links);
        ExReleaseFastMutex(&RelayLock);
        InterlockedIncrement(&Left);
    }
    return New;
}

static VOID FreeContext(PRELAY_PROCESS Process)
{
    ExAcquireFastMutex(&RelayLock);
    RemoveEntryList(&Process->Links);
    ExReleaseFastMutex(&RelayLock);
    for (ULONG i = 0; i < CHILDREN; i++) {
        if (Process->Children[i].Process != NULL) {
            ObDereferenceObject(Process->Children[i].Process);
        }
    }
    ExFreePoolWithTag(Process, RELAY_TAG);
    InterlockedDecrement(&Left);
}

/* Its thread, with these registers. */
static NTSTATUS Launch(PEPROCESS Process, PRELAY_PROCESS Context, const KTRAP_FRAME *Registers, BOOLEAN CopyFpu)
{
    PS_SUBSYSTEM_THREAD_ATTRIBUTES Attributes = {.Registers = Registers, .CopyFpuState = CopyFpu};
    PETHREAD Thread;
    NTSTATUS Status = Kernel.CreateThread(Process, &Attributes, &Thread);
    if (NT_SUCCESS(Status)) {
        ExAcquireFastMutex(&RelayLock);
        Context->Thread = Thread;
        ExReleaseFastMutex(&RelayLock);
        Kernel.ResumeThread(Thread, NULL);
    }
    return Status;
}

/* ---- Calls: the answer, or minus one of relay.h's errors ---- */

static LONG64 Print(ULONG64 Text, ULONG64 Size)
{
    CHAR Piece[100];
    for (ULONG64 Done = 0; Done < Size;) {
        SIZE_T Count = Size - Done < sizeof(Piece) ? Size - Done : sizeof(Piece);
        if (!NT_SUCCESS(Kernel.CopyFromUser(Piece, (const VOID *)(Text + Done), Count)) ||
            !NT_SUCCESS(Kernel.ConsoleWrite(1, Piece, Count))) {
            return -RELAY_BAD_ADDRESS;
        }
        Done += Count;
    }
    return (LONG64)Size;
}

static LONG64 Split(PKTRAP_FRAME Frame)
{
    PRELAY_PROCESS This = Current(), New;
    PS_SUBSYSTEM_PROCESS_ATTRIBUTES Attributes = {.Kind = PS_PROCESS_CLONE, .Parent = PsGetCurrentProcess()};
    KTRAP_FRAME Registers = *Frame;
    PEPROCESS Process;
    ULONG Slot = 0;
    while (Slot < CHILDREN && This->Children[Slot].Process != NULL) {
        Slot++;
    }
    if (Slot == CHILDREN) {
        return -RELAY_FULL;
    }
    New = NewContext();
    if (New == NULL) {
        return -RELAY_NO_MEMORY;
    }
    ULONG Number = New->Number;
    New->Handler = This->Handler;
    Attributes.Context = New;
    if (!NT_SUCCESS(Kernel.CreateProcess(Provider, &Attributes, &Process))) {
        FreeContext(New); /* the kernel has not got it */
        return -RELAY_NO_MEMORY;
    }
    Registers.Rax = 0; /* in the copy */
    Registers.Rflags &= ~1ULL;
    NTSTATUS Status = Launch(Process, New, &Registers, TRUE);
    if (!NT_SUCCESS(Status)) {
        Kernel.TerminateProcess(Process, Status); /* gives New back through ProcessExit */
        ObDereferenceObject(Process);
        return -RELAY_NO_MEMORY;
    }
    This->Children[Slot].Number = Number;
    This->Children[Slot].Process = Process;
    return Number;
}

static LONG64 Pass(ULONG64 Number, ULONG64 Word)
{
    LONG64 Result = -RELAY_NOBODY;
    ExAcquireFastMutex(&RelayLock);
    PRELAY_PROCESS To = Find(Number);
    if (To != NULL) {
        Result = To->Count < INBOX ? 0 : -RELAY_FULL;
        if (Result == 0) {
            To->Inbox[(To->First + To->Count++) % INBOX] = Word;
            KeSetEvent(&To->Arrived, IO_NO_INCREMENT, FALSE);
        }
    }
    ExReleaseFastMutex(&RelayLock);
    return Result;
}

static BOOLEAN TakeOne(PRELAY_PROCESS This, PULONG64 Word)
{
    ExAcquireFastMutex(&RelayLock);
    BOOLEAN Any = This->Count != 0;
    if (Any) {
        *Word = This->Inbox[This->First];
        This->First = (This->First + 1) % INBOX;
        This->Count--;
    }
    ExReleaseFastMutex(&RelayLock);
    return Any;
}

static LONG64 Take(VOID)
{
    PRELAY_PROCESS This = Current();
    ULONG64 Word;
    while (!TakeOne(This, &Word)) {
        /* Alertable, in user mode: a nudge ends it (STATUS_ALERTED), and so does the thread's end. */
        if (KeWaitForSingleObject(&This->Arrived, UserRequest, UserMode, TRUE, NULL) != STATUS_SUCCESS) {
            return -RELAY_INTERRUPTED;
        }
    }
    return (LONG64)(Word & MAXLONGLONG);
}

static LONG64 Nudge(ULONG64 Number)
{
    ExAcquireFastMutex(&RelayLock);
    PRELAY_PROCESS To = Find(Number);
    LONG64 Result = To != NULL && To->Thread != NULL ? 0 : -RELAY_NOBODY;
    if (Result == 0) {
        To->Nudged = TRUE;
        Kernel.RequestReturnToUser(To->Thread, TRUE);
    }
    ExReleaseFastMutex(&RelayLock);
    return Result;
}

static LONG64 Join(ULONG64 Number)
{
    PRELAY_PROCESS This = Current();
    for (ULONG i = 0; i < CHILDREN; i++) {
        PEPROCESS Process = This->Children[i].Process;
        if (Process != NULL && This->Children[i].Number == Number) {
            if (KeWaitForSingleObject(Process, UserRequest, UserMode, TRUE, NULL) != STATUS_SUCCESS) {
                return -RELAY_INTERRUPTED;
            }
            LONG64 Code = PsGetProcessExitStatus(Process) & 0xFF;
            ObDereferenceObject(Process);
            This->Children[i].Process = NULL;
            return Code;
        }
    }
    return -RELAY_NOBODY;
}

static LONG64 Call(PKTRAP_FRAME Frame)
{
    switch (Frame->Rax) {
    case RELAY_END:
        return Kernel.TerminateProcess(PsGetCurrentProcess(), (NTSTATUS)(Frame->Rbx & 0xFF));
    case RELAY_PRINT:
        return Print(Frame->Rbx, Frame->Rdx);
    case RELAY_SPLIT:
        return Split(Frame);
    case RELAY_PASS:
        return Pass(Frame->Rbx, Frame->Rdx);
    case RELAY_TAKE:
        return Take();
    case RELAY_ON:
        Current()->Handler = Frame->Rbx;
        return 0;
    case RELAY_NUDGE:
        return Nudge(Frame->Rbx);
    case RELAY_JOIN:
        return Join(Frame->Rbx);
    case RELAY_SELF:
        return Current()->Number;
    default:
        return -RELAY_NO_CALL;
    }
}

/* All registers become what the handler was given, or has made of them. */
static BOOLEAN GoBack(ULONG64 Saved)
{
    KTRAP_FRAME Registers;
    return NT_SUCCESS(Kernel.CopyFromUser(&Registers, (const VOID *)Saved, sizeof(Registers))) &&
           NT_SUCCESS(Kernel.SetRegisters(PsGetCurrentThread(), &Registers));
}

static VOID DispatchSystemCall(PKTRAP_FRAME Frame)
{
    if (Frame->Rax == RELAY_BACK) {
        if (!GoBack(Frame->Rbx)) {
            Frame->Rax = RELAY_BAD_ADDRESS;
            Frame->Rflags |= 1;
        }
        return;
    }
    LONG64 Result = Call(Frame);
    Frame->Rax = (ULONG64)(Result < 0 ? -Result : Result);
    Frame->Rflags = (Frame->Rflags & ~1ULL) | (Result < 0); /* the carry flag */
}

/* ---- Events ---- */

/* The program goes on in its handler, with its registers saved on its stack. FALSE: it has none, or no
   stack. */
static BOOLEAN EnterHandler(PKTRAP_FRAME Frame, ULONG64 Event, ULONG64 Value)
{
    PRELAY_PROCESS This = Current();
    ULONG64 Saved = (Frame->Rsp - RED_ZONE - sizeof(*Frame)) & ~15ULL;
    if (This->Handler == 0 || !NT_SUCCESS(Kernel.CopyToUser((PVOID)Saved, Frame, sizeof(*Frame)))) {
        return FALSE;
    }
    Frame->Rip = This->Handler;
    Frame->Rsp = Saved; /* 16-aligned: the handler begins with a call */
    Frame->Rbx = Event;
    Frame->Rdx = Value;
    Frame->Rsi = Saved;
    return TRUE;
}

static BOOLEAN DispatchException(PEXCEPTION_RECORD Record, PKTRAP_FRAME Frame)
{
    switch (Record->ExceptionCode) {
    case STATUS_ACCESS_VIOLATION:
        return EnterHandler(Frame, RELAY_EVENT_MEMORY, Record->ExceptionInformation[1]);
    case STATUS_INTEGER_DIVIDE_BY_ZERO:
        return EnterHandler(Frame, RELAY_EVENT_DIVIDE, (ULONG64)Record->ExceptionAddress);
    case STATUS_ILLEGAL_INSTRUCTION:
        return EnterHandler(Frame, RELAY_EVENT_INSTRUCTION, (ULONG64)Record->ExceptionAddress);
    default:
        return EnterHandler(Frame, RELAY_EVENT_OTHER, (ULONG64)Record->ExceptionAddress);
    }
}

static VOID ReturnToUser(PKTRAP_FRAME Frame)
{
    PRELAY_PROCESS This = Current();
    ExAcquireFastMutex(&RelayLock);
    BOOLEAN Nudged = This->Nudged;
    This->Nudged = FALSE;
    ExReleaseFastMutex(&RelayLock);
    if (Nudged) {
        EnterHandler(Frame, RELAY_EVENT_NUDGE, 0); /* without a handler nothing happens */
    }
}

/* ---- The end ---- */

static VOID ThreadExit(PETHREAD Thread, PVOID Context)
{
    PRELAY_PROCESS This = Current();
    ExAcquireFastMutex(&RelayLock);
    PETHREAD Own = This->Thread;
    This->Thread = NULL; /* nobody nudges it any more */
    ExReleaseFastMutex(&RelayLock);
    if (Own != NULL) {
        ObDereferenceObject(Own);
    }
}

static VOID ProcessExit(PEPROCESS Process, PVOID Context)
{
    FreeContext(Context);
}

/* ---- Starting a program ---- */

static const IO_ARCHIVE_FILE *FindFile(const char *Path)
{
    const IO_ARCHIVE_FILE *File = Kernel.FirstFile("root/");
    while (File != NULL && strcmp(File->Path + sizeof("root") - 1, Path) != 0) {
        File = Kernel.NextFile(File, "root/");
    }
    return File;
}

static NTSTATUS Map(PEPROCESS Process, ULONG_PTR Start, ULONG_PTR End)
{
    return Kernel.MapRegion(Process, &Start, End - Start, PS_MAP_FIXED, PS_MEMORY_READ | PS_MEMORY_WRITE, NULL, 0, 0, NULL);
}

static NTSTATUS LoadSegment(PEPROCESS Process, const LDR_ELF_SEGMENT *Segment, const IO_ARCHIVE_FILE *File)
{
    NTSTATUS Status = Map(Process, Segment->Start, Segment->End);
    if (NT_SUCCESS(Status)) {
        Status = Kernel.WriteMemory(Process, Segment->Address, File->Data + Segment->FileOffset, Segment->FileSize, FALSE);
    }
    if (NT_SUCCESS(Status)) {
        Status = Kernel.ProtectRegion(Process, Segment->Start, Segment->End - Segment->Start,
                                      (Segment->Protection & LDR_ELF_READ ? PS_MEMORY_READ : 0) |
                                      (Segment->Protection & LDR_ELF_WRITE ? PS_MEMORY_WRITE : 0) |
                                      (Segment->Protection & LDR_ELF_EXECUTE ? PS_MEMORY_EXECUTE : 0));
    }
    return Status;
}

static NTSTATUS LoadProgram(PEPROCESS Process, const LDR_ELF_IMAGE *Image, const IO_ARCHIVE_FILE *File)
{
    NTSTATUS Status = Map(Process, STACK_TOP - STACK_SIZE, STACK_TOP);
    for (ULONG i = 0; NT_SUCCESS(Status) && i < Image->SegmentCount; i++) {
        Status = Image->Segments[i].SharesPage ? STATUS_INVALID_IMAGE_FORMAT : LoadSegment(Process, &Image->Segments[i], File);
    }
    return Status;
}

static NTSTATUS StartProgram(PPS_PROGRAM Program, PEPROCESS *Process)
{
    static const LDR_ELF_LIMITS Limits = {0x10000, STACK_TOP - STACK_SIZE};
    PS_SUBSYSTEM_PROCESS_ATTRIBUTES Attributes = {.Kind = PS_PROCESS_EMPTY};
    const IO_ARCHIVE_FILE *File = FindFile(Program->Path);
    LDR_ELF_IMAGE Image;
    if (File == NULL) {
        return STATUS_OBJECT_NAME_NOT_FOUND;
    }
    NTSTATUS Status = LdrParseElfImage(File->Data, File->Size, File->Size, &Limits, &Image);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    PRELAY_PROCESS Context = NewContext();
    if (Context == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    Attributes.Context = Context;
    Status = Kernel.CreateProcess(Provider, &Attributes, Process);
    if (!NT_SUCCESS(Status)) {
        FreeContext(Context);
        return Status;
    }
    Status = LoadProgram(*Process, &Image, File);
    if (NT_SUCCESS(Status)) {
        KTRAP_FRAME Registers = {.Rip = Image.Entry, .Rsp = STACK_TOP - 8, .Rflags = 0x202};
        Status = Launch(*Process, Context, &Registers, FALSE);
    }
    if (!NT_SUCCESS(Status)) {
        Kernel.TerminateProcess(*Process, Status);
        ObDereferenceObject(*Process);
    }
    return Status;
}

/* ---- The module ---- */

static const PS_SUBSYSTEM_PROVIDER Table = {
    .Version = PS_SUBSYSTEM_VERSION,
    .Size = sizeof(Table),
    .Name = "relay",
    .SubsystemInformationType = SubsystemInformationTypeWSL,
    .DispatchSystemCall = DispatchSystemCall,
    .DispatchException = DispatchException,
    .ReturnToUser = ReturnToUser,
    .ThreadExit = ThreadExit,
    .ProcessExit = ProcessExit,
    .StartProgram = StartProgram,
};

static VOID Unload(PDRIVER_OBJECT DriverObject)
{
    PsUnregisterSubsystemProvider(Provider, TRUE);
    DbgPrint("relay: unloaded, %d processes left, %u made\n", Left, LastNumber);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    DriverObject->DriverUnload = Unload;
    ExInitializeFastMutex(&RelayLock);
    return PsRegisterSubsystemProvider(&Table, &Kernel, &Provider);
}
