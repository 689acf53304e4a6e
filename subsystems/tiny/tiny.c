/* SPDX-License-Identifier: MIT */
/*
 * tiny.sys: the smallest complete subsystem provider. Its programs are static ELF64 files of the boot
 * archive's root/ that know five calls, made with SYSCALL: number in RAX, arguments in RDI, RSI, RDX, result
 * in RAX (negative: an NTSTATUS).
 *
 *      1  write(buffer, size)              to the console; the number of bytes
 *      2  thread_id()
 *      3  yield()
 *      4  spawn(entry, stack, argument)    a thread that starts at entry with RDI = argument; its id
 *      5  exit(code)                       ends the thread, the process with its last one
 */
#include <subsystem.h>

#include <elfimage.h>

#define STACK_TOP  0x7fff0000UL
#define STACK_SIZE 0x10000UL

static PS_SUBSYSTEM_ROUTINES Kernel = {.Version = PS_SUBSYSTEM_VERSION, .Size = sizeof(Kernel)};
static PPS_PROVIDER Provider;

/* ---- The calls ---- */

static LONG64 TinyWrite(const KTRAP_FRAME *Frame)
{
    UCHAR Chunk[128];

    for (ULONG64 Done = 0; Done < Frame->Rsi;) {
        SIZE_T Count = Frame->Rsi - Done < sizeof(Chunk) ? Frame->Rsi - Done : sizeof(Chunk);
        NTSTATUS Status = Kernel.CopyFromUser(Chunk, (const VOID *)(Frame->Rdi + Done), Count);
        if (!NT_SUCCESS(Status) || (Status = Kernel.ConsoleWrite(1, Chunk, Count)) != STATUS_SUCCESS) {
            return Status;
        }
        Done += Count;
    }
    return (LONG64)Frame->Rsi;
}

static LONG64 TinyThreadId(const KTRAP_FRAME *Frame)
{
    return HandleToLong(PsGetCurrentThreadId());
}

static LONG64 TinyYield(const KTRAP_FRAME *Frame)
{
    return KeDelayExecutionThread(KernelMode, FALSE, &(LARGE_INTEGER){.QuadPart = 0});
}

/* The new thread's id, or what went wrong. */
static LONG64 TinyStartThread(PEPROCESS Process, ULONG64 Entry, ULONG64 Stack, ULONG64 Argument)
{
    KTRAP_FRAME Registers = {.Rip = Entry, .Rsp = Stack, .Rdi = Argument, .Rflags = 0x202};
    PS_SUBSYSTEM_THREAD_ATTRIBUTES Attributes = {.Registers = &Registers};
    PETHREAD Thread;

    NTSTATUS Status = Kernel.CreateThread(Process, &Attributes, &Thread);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    LONG64 Id = HandleToLong(PsGetThreadId(Thread));
    Kernel.ResumeThread(Thread, NULL);
    ObDereferenceObject(Thread);
    return Id;
}

static LONG64 TinySpawn(const KTRAP_FRAME *Frame)
{
    return TinyStartThread(PsGetCurrentProcess(), Frame->Rdi, Frame->Rsi, Frame->Rdx);
}

/* Marks the thread, which ends on its way back to user mode. */
static LONG64 TinyExit(const KTRAP_FRAME *Frame)
{
    return Kernel.TerminateThread(PsGetCurrentThread(), (NTSTATUS)(Frame->Rdi & 0xff));
}

static LONG64 (*const TinyCalls[])(const KTRAP_FRAME *Frame) = {
    NULL, TinyWrite, TinyThreadId, TinyYield, TinySpawn, TinyExit,
};

/* ---- What the kernel calls ---- */

static VOID TinyDispatchSystemCall(PKTRAP_FRAME Frame)
{
    bool Known = Frame->Rax != 0 && Frame->Rax < ARRAYSIZE(TinyCalls);
    Frame->Rax = (ULONG64)(Known ? TinyCalls[Frame->Rax](Frame) : STATUS_INVALID_SYSTEM_SERVICE);
}

/* A program that faults ends, with the exception's status. */
static BOOLEAN TinyDispatchException(PEXCEPTION_RECORD Record, PKTRAP_FRAME Frame)
{
    return FALSE;
}

/* Nothing is kept for threads and processes: their contexts are NULL, and their ends need no work. */
static VOID TinyThreadExit(PETHREAD Thread, PVOID Context)
{
}

static VOID TinyProcessExit(PEPROCESS Process, PVOID Context)
{
}

/* ---- Starting a program ---- */

/* Path: absolute, "/tiny/hello". */
static const IO_ARCHIVE_FILE *TinyFindFile(const char *Path)
{
    const IO_ARCHIVE_FILE *File = Kernel.FirstFile("root/");
    while (File != NULL && strcmp(File->Path + strlen("root"), Path) != 0) {
        File = Kernel.NextFile(File, "root/");
    }
    return File;
}

static NTSTATUS TinyMap(PEPROCESS Process, ULONG_PTR Start, ULONG_PTR End)
{
    return Kernel.MapRegion(Process, &Start, End - Start, PS_MAP_FIXED, PS_MEMORY_READ | PS_MEMORY_WRITE,
                            NULL, 0, 0, NULL);
}

/* Stack, memory for all segments, their bytes; then their rights, so that the last segment of a shared
   page decides. */
static NTSTATUS TinyLoad(PEPROCESS Process, const LDR_ELF_IMAGE *Image, const IO_ARCHIVE_FILE *File)
{
    NTSTATUS Status = TinyMap(Process, STACK_TOP - STACK_SIZE, STACK_TOP);
    if (NT_SUCCESS(Status)) {
        Status = TinyMap(Process, Image->Start, Image->End);
    }
    for (ULONG i = 0; NT_SUCCESS(Status) && i < Image->SegmentCount; i++) {
        const LDR_ELF_SEGMENT *S = &Image->Segments[i];
        Status = Kernel.WriteMemory(Process, S->Address, File->Data + S->FileOffset, S->FileSize, FALSE);
    }
    for (ULONG i = 0; NT_SUCCESS(Status) && i < Image->SegmentCount; i++) {
        const LDR_ELF_SEGMENT *S = &Image->Segments[i];
        ULONG Rights = (S->Protection & LDR_ELF_READ ? PS_MEMORY_READ : 0) |
                       (S->Protection & LDR_ELF_WRITE ? PS_MEMORY_WRITE : 0) |
                       (S->Protection & LDR_ELF_EXECUTE ? PS_MEMORY_EXECUTE : 0);
        Status = Kernel.ProtectRegion(Process, S->Start, S->End - S->Start, Rights);
    }
    return Status;
}

static NTSTATUS TinyStartProgram(PPS_PROGRAM Program, PEPROCESS *Process)
{
    static const LDR_ELF_LIMITS Limits = {0x10000, STACK_TOP - STACK_SIZE};
    PS_SUBSYSTEM_PROCESS_ATTRIBUTES Attributes = {.Kind = PS_PROCESS_EMPTY};
    const IO_ARCHIVE_FILE *File = TinyFindFile(Program->Path);
    LDR_ELF_IMAGE Image;

    if (File == NULL) {
        return STATUS_OBJECT_NAME_NOT_FOUND;
    }
    NTSTATUS Status = LdrParseElfImage(File->Data, File->Size, File->Size, &Limits, &Image);
    if (NT_SUCCESS(Status)) {
        Status = Kernel.CreateProcess(Provider, &Attributes, Process);
    }
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Status = TinyLoad(*Process, &Image, File);
    if (NT_SUCCESS(Status)) {
        LONG64 Id = TinyStartThread(*Process, Image.Entry, STACK_TOP - 8, 0);
        Status = Id < 0 ? (NTSTATUS)Id : STATUS_SUCCESS;
    }
    if (!NT_SUCCESS(Status)) {
        Kernel.TerminateProcess(*Process, Status);
        ObDereferenceObject(*Process);
    }
    return Status;
}

/* ---- The module ---- */

static const PS_SUBSYSTEM_PROVIDER TinyProvider = {
    .Version = PS_SUBSYSTEM_VERSION,
    .Size = sizeof(TinyProvider),
    .Name = "tiny",
    .SubsystemInformationType = SubsystemInformationTypeWSL, /* of the two that are documented: not Win32 */
    .DispatchSystemCall = TinyDispatchSystemCall,
    .DispatchException = TinyDispatchException,
    .ThreadExit = TinyThreadExit,
    .ProcessExit = TinyProcessExit,
    .StartProgram = TinyStartProgram,
};

/* Returns when the last program has ended. */
static VOID TinyUnload(PDRIVER_OBJECT DriverObject)
{
    PsUnregisterSubsystemProvider(Provider, TRUE);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    DriverObject->DriverUnload = TinyUnload;
    return PsRegisterSubsystemProvider(&TinyProvider, &Kernel, &Provider);
}
