/* SPDX-License-Identifier: MIT */
/*
 * Questions and settings: NtQueryInformationProcess/Thread, NtSetInformationThread, NtQuerySystemInformation.
 *
 * All classes of fixed size want exactly that size. An answer is put together in kernel memory and copied out
 * in one piece; nothing is locked while it is. Order of the checks: alignment, class, length, handle.
 */
#include "ps/psp.h"

/* ---- Answers ---- */

/* Where an answer goes: the caller's arguments. */
typedef struct _PSP_ANSWER {
    PVOID Information;
    ULONG Length;
    PULONG ReturnLength; /* may be NULL */
    KPROCESSOR_MODE Mode;
} PSP_ANSWER;

static NTSTATUS PspCheckAnswer(const PSP_ANSWER *Answer)
{
    if (Answer->Mode == UserMode &&
        (((ULONG_PTR)Answer->Information | (ULONG_PTR)Answer->ReturnLength) & 3)) {
        return STATUS_DATATYPE_MISALIGNMENT;
    }
    return STATUS_SUCCESS;
}

static NTSTATUS PspReturnLength(const PSP_ANSWER *Answer, SIZE_T Size)
{
    ULONG Length = (ULONG)Size;
    return Answer->ReturnLength != NULL
               ? ExCopyOut(Answer->ReturnLength, &Length, sizeof(Length), Answer->Mode)
               : STATUS_SUCCESS;
}

/* The size is wrong: the caller learns the right one. */
static NTSTATUS PspWrongLength(const PSP_ANSWER *Answer, SIZE_T Size)
{
    NTSTATUS Status = PspReturnLength(Answer, Size);
    return NT_SUCCESS(Status) ? STATUS_INFO_LENGTH_MISMATCH : Status;
}

static NTSTATUS PspGiveAnswer(const PSP_ANSWER *Answer, const VOID *Data, SIZE_T Size)
{
    NTSTATUS Status = ExCopyOut(Answer->Information, Data, Size, Answer->Mode);
    return NT_SUCCESS(Status) ? PspReturnLength(Answer, Size) : Status;
}

/* ---- Times ---- */

ULONG64 PspCyclesToTime(ULONG64 Cycles)
{
    ULONG64 Rate = ArchCyclesPerSecond();
    return Cycles / Rate * 10000000 + Cycles % Rate * 10000000 / Rate;
}

ULONG64 PspProcessCycles(PEPROCESS Process)
{
    PspLockShared(&Process->Lock);
    ULONG64 Cycles = Process->Pcb.CycleTime;
    for (PLIST_ENTRY Entry = Process->ThreadListHead.Flink; Entry != &Process->ThreadListHead;
         Entry = Entry->Flink) {
        Cycles += KeThreadCycles(&CONTAINING_RECORD(Entry, ETHREAD, ThreadListEntry)->Tcb);
    }
    PspUnlockShared(&Process->Lock);
    return Cycles;
}

/* User and kernel time are not told apart: all is kernel time. */
static void PspFillTimes(KERNEL_USER_TIMES *Times, LARGE_INTEGER Create, LARGE_INTEGER Exit, ULONG64 Cycles)
{
    Times->CreateTime = Create;
    Times->ExitTime = Exit;
    Times->KernelTime.QuadPart = (LONGLONG)PspCyclesToTime(Cycles);
    Times->UserTime.QuadPart = 0;
}

/* ---- Processes ---- */

typedef union _PSP_PROCESS_ANSWER {
    PROCESS_BASIC_INFORMATION Basic;
    KERNEL_USER_TIMES Times;
    ULONG HandleCount;
    SUBSYSTEM_INFORMATION_TYPE Subsystem;
} PSP_PROCESS_ANSWER;

static SIZE_T PspProcessClassSize(PROCESSINFOCLASS Class)
{
    switch (Class) {
    case ProcessBasicInformation:
        return sizeof(PROCESS_BASIC_INFORMATION);
    case ProcessTimes:
        return sizeof(KERNEL_USER_TIMES);
    case ProcessHandleCount:
        return sizeof(ULONG);
    case ProcessSubsystemInformation:
        return sizeof(SUBSYSTEM_INFORMATION_TYPE);
    default:
        return 0;
    }
}

static ULONG PspHandleCount(PEPROCESS Process)
{
    ULONG Count = 0;
    if (PsAcquireProcessAccess(Process)) {
        Count = ObCountHandles(Process->HandleTable);
        PsReleaseProcessAccess(Process);
    }
    return Count;
}

static void PspFillProcessBasic(PROCESS_BASIC_INFORMATION *Basic, PEPROCESS Process)
{
    *Basic = (PROCESS_BASIC_INFORMATION){
        .ExitStatus = Process->ExitStatus,
        .PebBaseAddress = Process->Peb,
        .AffinityMask = Process->Pcb.Affinity & KeActiveProcessors,
        .BasePriority = Process->Pcb.BasePriority,
        .UniqueProcessId = (ULONG_PTR)Process->UniqueProcessId,
        .InheritedFromUniqueProcessId = (ULONG_PTR)Process->InheritedFromUniqueProcessId,
    };
}

static void PspFillProcessAnswer(PSP_PROCESS_ANSWER *Data, PEPROCESS Process, PROCESSINFOCLASS Class)
{
    switch (Class) {
    case ProcessBasicInformation:
        PspFillProcessBasic(&Data->Basic, Process);
        break;
    case ProcessTimes:
        PspFillTimes(&Data->Times, Process->CreateTime, Process->ExitTime, PspProcessCycles(Process));
        break;
    case ProcessHandleCount:
        Data->HandleCount = PspHandleCount(Process);
        break;
    default:
        Data->Subsystem = Process->SubsystemInformationType;
        break;
    }
}

/* A UNICODE_STRING and behind it its text, for a reader at Address. Pool, or NULL. */
static PUNICODE_STRING PspPackImageName(PEPROCESS Process, PVOID Address, SIZE_T *Size)
{
    PspLockShared(&PspImageLock);
    USHORT Length = Process->ImageFileName.Length;
    *Size = sizeof(UNICODE_STRING) + Length + sizeof(WCHAR);
    PUNICODE_STRING Packed = ExAllocatePoolWithTag(NonPagedPoolNx, *Size, PSP_TAG_NAME);
    if (Packed != NULL) {
        RtlZeroMemory(Packed, *Size);
        memcpy(Packed + 1, Process->ImageFileName.Buffer, Length);
        *Packed = (UNICODE_STRING){Length, Length + sizeof(WCHAR), (PWCHAR)((PUNICODE_STRING)Address + 1)};
    }
    PspUnlockShared(&PspImageLock);
    return Packed;
}

static NTSTATUS PspQueryImageName(PEPROCESS Process, const PSP_ANSWER *Answer)
{
    SIZE_T Size;
    PUNICODE_STRING Packed = PspPackImageName(Process, Answer->Information, &Size);
    if (Packed == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    NTSTATUS Status =
        Answer->Length < Size ? PspWrongLength(Answer, Size) : PspGiveAnswer(Answer, Packed, Size);
    ExFreePoolWithTag(Packed, PSP_TAG_NAME);
    return Status;
}

static NTSTATUS PspQueryProcess(PEPROCESS Process, PROCESSINFOCLASS Class, const PSP_ANSWER *Answer)
{
    PSP_PROCESS_ANSWER Data;
    if (Class == ProcessImageFileName) {
        return PspQueryImageName(Process, Answer);
    }
    RtlZeroMemory(&Data, sizeof(Data));
    PspFillProcessAnswer(&Data, Process, Class);
    return PspGiveAnswer(Answer, &Data, PspProcessClassSize(Class));
}

/*
 * Classes: basic, times, handle count, image file name, subsystem. ExitStatus of a process that lives is
 * STATUS_PENDING; a process without PEB has NULL there. STATUS_INVALID_INFO_CLASS;
 * STATUS_INFO_LENGTH_MISMATCH, with the right length in *ReturnLength; STATUS_DATATYPE_MISALIGNMENT,
 * STATUS_ACCESS_VIOLATION; handle errors (PROCESS_QUERY_LIMITED_INFORMATION). PASSIVE.
 */
NTSTATUS NtQueryInformationProcess(HANDLE ProcessHandle, PROCESSINFOCLASS Class, PVOID Information,
                                   ULONG Length, PULONG ReturnLength)
{
    PSP_ANSWER Answer = {Information, Length, ReturnLength, ExGetPreviousMode()};
    SIZE_T Size = PspProcessClassSize(Class);
    PEPROCESS Process;

    NTSTATUS Status = PspCheckAnswer(&Answer);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    if (Size == 0 && Class != ProcessImageFileName) {
        return STATUS_INVALID_INFO_CLASS;
    }
    if (Size != 0 && Length != Size) {
        return PspWrongLength(&Answer, Size);
    }
    Status = PspReferenceProcessHandle(ProcessHandle, PROCESS_QUERY_LIMITED_INFORMATION, &Process);
    if (NT_SUCCESS(Status)) {
        Status = PspQueryProcess(Process, Class, &Answer);
        ObDereferenceObject(Process);
    }
    return Status;
}

/* ---- Threads ---- */

typedef union _PSP_THREAD_ANSWER {
    THREAD_BASIC_INFORMATION Basic;
    KERNEL_USER_TIMES Times;
    ULONG Number;
    SUBSYSTEM_INFORMATION_TYPE Subsystem;
} PSP_THREAD_ANSWER;

static SIZE_T PspThreadClassSize(THREADINFOCLASS Class)
{
    switch (Class) {
    case ThreadBasicInformation:
        return sizeof(THREAD_BASIC_INFORMATION);
    case ThreadTimes:
        return sizeof(KERNEL_USER_TIMES);
    case ThreadAmILastThread:
    case ThreadIsTerminated:
    case ThreadSuspendCount:
        return sizeof(ULONG);
    case ThreadSubsystemInformation:
        return sizeof(SUBSYSTEM_INFORMATION_TYPE);
    default:
        return 0;
    }
}

static void PspFillThreadBasic(THREAD_BASIC_INFORMATION *Basic, PETHREAD Thread)
{
    *Basic = (THREAD_BASIC_INFORMATION){
        .ExitStatus = Thread->ExitStatus,
        .TebBaseAddress = Thread->Teb,
        .ClientId = Thread->Cid,
        .AffinityMask = Thread->Tcb.UserAffinity & KeActiveProcessors,
        .Priority = Thread->Tcb.Priority,
        .BasePriority = Thread->Tcb.BasePriority,
    };
}

static void PspFillThreadAnswer(PSP_THREAD_ANSWER *Data, PETHREAD Thread, THREADINFOCLASS Class)
{
    switch (Class) {
    case ThreadBasicInformation:
        PspFillThreadBasic(&Data->Basic, Thread);
        break;
    case ThreadTimes:
        PspFillTimes(&Data->Times, Thread->CreateTime, Thread->ExitTime, KeThreadCycles(&Thread->Tcb));
        break;
    case ThreadAmILastThread:
        Data->Number = PsThreadProcess(Thread)->ActiveThreads == 1;
        break;
    case ThreadIsTerminated:
        Data->Number = Thread->ExitStatus != STATUS_PENDING;
        break;
    case ThreadSuspendCount:
        Data->Number = (ULONG)Thread->Tcb.SuspendCount;
        break;
    default:
        Data->Subsystem = PsThreadProcess(Thread)->SubsystemInformationType;
        break;
    }
}

/* Classes: basic, times, "am I the last", terminated, suspend count, subsystem. Errors as
   NtQueryInformationProcess (THREAD_QUERY_LIMITED_INFORMATION). PASSIVE. */
NTSTATUS NtQueryInformationThread(HANDLE ThreadHandle, THREADINFOCLASS Class, PVOID Information, ULONG Length,
                                  PULONG ReturnLength)
{
    PSP_ANSWER Answer = {Information, Length, ReturnLength, ExGetPreviousMode()};
    SIZE_T Size = PspThreadClassSize(Class);
    PSP_THREAD_ANSWER Data;
    PETHREAD Thread;

    NTSTATUS Status = PspCheckAnswer(&Answer);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    if (Size == 0) {
        return STATUS_INVALID_INFO_CLASS;
    }
    if (Length != Size) {
        return PspWrongLength(&Answer, Size);
    }
    Status = PspReferenceThreadHandle(ThreadHandle, THREAD_QUERY_LIMITED_INFORMATION, &Thread);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    RtlZeroMemory(&Data, sizeof(Data));
    PspFillThreadAnswer(&Data, Thread, Class);
    ObDereferenceObject(Thread);
    return PspGiveAnswer(&Answer, &Data, Size);
}

/* 1 to 15; the real-time priorities are the kernel's: a program that had them could keep the reaper from
   running. */
static NTSTATUS PspSetPriority(PETHREAD Thread, KPRIORITY Priority)
{
    if (Priority < 1 || Priority > 31) {
        return STATUS_INVALID_PARAMETER;
    }
    if (Priority > 15 && ExGetPreviousMode() == UserMode) {
        return STATUS_PRIVILEGE_NOT_HELD;
    }
    KeSetPriorityThread(&Thread->Tcb, Priority);
    return STATUS_SUCCESS;
}

static NTSTATUS PspSetAffinity(PETHREAD Thread, KAFFINITY Affinity)
{
    if (Affinity == 0 || (Affinity & ~KeActiveProcessors) != 0) {
        return STATUS_INVALID_PARAMETER;
    }
    KeSetAffinityThread(&Thread->Tcb, Affinity);
    return STATUS_SUCCESS;
}

/* Classes: ThreadPriority (KPRIORITY), ThreadAffinityMask (KAFFINITY). STATUS_INVALID_INFO_CLASS,
   STATUS_INFO_LENGTH_MISMATCH, STATUS_INVALID_PARAMETER (value), STATUS_PRIVILEGE_NOT_HELD (real-time from
   user mode), STATUS_THREAD_IS_TERMINATING; handle errors (THREAD_SET_INFORMATION). PASSIVE. */
NTSTATUS NtSetInformationThread(HANDLE ThreadHandle, THREADINFOCLASS Class, PVOID Information, ULONG Length)
{
    union {
        KPRIORITY Priority;
        KAFFINITY Affinity;
    } Value;
    PETHREAD Thread;

    if (Class != ThreadPriority && Class != ThreadAffinityMask) {
        return STATUS_INVALID_INFO_CLASS;
    }
    if (Length != (Class == ThreadPriority ? sizeof(KPRIORITY) : sizeof(KAFFINITY))) {
        return STATUS_INFO_LENGTH_MISMATCH;
    }
    NTSTATUS Status = ExCopyIn(&Value, Information, Length, ExGetPreviousMode());
    if (NT_SUCCESS(Status)) {
        Status = PspReferenceThreadHandle(ThreadHandle, THREAD_SET_INFORMATION, &Thread);
    }
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    if (Thread->ExitStatus != STATUS_PENDING) {
        Status = STATUS_THREAD_IS_TERMINATING;
    } else if (Class == ThreadPriority) {
        Status = PspSetPriority(Thread, Value.Priority);
    } else {
        Status = PspSetAffinity(Thread, Value.Affinity);
    }
    ObDereferenceObject(Thread);
    return Status;
}

/* ---- The list of processes ---- */

/* A buffer that is filled while there is room; Used counts on. */
typedef struct _PSP_WRITER {
    PUCHAR Buffer;
    SIZE_T Size, Used;
    ULONG_PTR Address; /* where the reader will find Buffer */
} PSP_WRITER;

/* The part of an image's name behind the last separator. PspImageLock held. */
static UNICODE_STRING PspBaseName(PCUNICODE_STRING Name)
{
    USHORT Start = Name->Length / sizeof(WCHAR);
    while (Start > 0 && Name->Buffer[Start - 1] != L'\\' && Name->Buffer[Start - 1] != L'/') {
        Start--;
    }
    USHORT Length = Name->Length - Start * sizeof(WCHAR);
    return (UNICODE_STRING){Length, Length, Name->Buffer + Start};
}

static void PspDescribeThread(SYSTEM_THREAD_INFORMATION *Entry, PETHREAD Thread)
{
    PKTHREAD Tcb = &Thread->Tcb; /* scheduling fields, read without their locks: as old as any answer */
    *Entry = (SYSTEM_THREAD_INFORMATION){
        .KernelTime.QuadPart = (LONGLONG)PspCyclesToTime(KeThreadCycles(Tcb)),
        .CreateTime = Thread->CreateTime,
        .StartAddress = Thread->StartAddress,
        .ClientId = Thread->Cid,
        .Priority = Tcb->Priority < 0 ? 0 : Tcb->Priority, /* an idle thread's */
        .BasePriority = Tcb->BasePriority,
        .ContextSwitches = Tcb->ContextSwitches,
        .ThreadState = Tcb->State, /* numbered as documented */
        .WaitReason = Tcb->WaitReason,
        .Processor = Tcb->Processor,
    };
}
C_ASSERT(Initialized == 0 && Ready == 1 && Running == 2 && Standby == 3 && Terminated == 4 && Waiting == 5);

static ULONG64 PspResidentPages(PEPROCESS Process)
{
    PMM_ADDRESS_SPACE Space;
    if (!NT_SUCCESS(PsReferenceAddressSpace(Process, &Space))) {
        return 0;
    }
    ULONG64 Pages = Space->ResidentPages;
    MmDereferenceAddressSpace(Space);
    return Pages;
}

static void PspDescribeProcess(SYSTEM_PROCESS_INFORMATION *Entry, PEPROCESS Process)
{
    Entry->CreateTime = Process->CreateTime;
    Entry->KernelTime.QuadPart = (LONGLONG)PspCyclesToTime(PspProcessCycles(Process));
    Entry->BasePriority = (KPRIORITY)Process->Pcb.BasePriority;
    Entry->UniqueProcessId = Process->UniqueProcessId;
    Entry->InheritedFromUniqueProcessId = Process->InheritedFromUniqueProcessId;
    Entry->HandleCount = PspHandleCount(Process);
    Entry->SubsystemType = (ULONG)Process->SubsystemInformationType;
    memcpy(Entry->SubsystemName, Process->SubsystemName, sizeof(Entry->SubsystemName));
    Entry->ResidentPages = PspResidentPages(Process);
}

/* Threads and name, which change: (l) and PspImageLock are held. Returns the entry's size; writes only when
   Room is enough. */
static SIZE_T PspDescribeParts(SYSTEM_PROCESS_INFORMATION *Entry, PEPROCESS Process, SIZE_T Room,
                               ULONG_PTR Address)
{
    UNICODE_STRING Name = PspBaseName(&Process->ImageFileName);
    SIZE_T NameAt = UFIELD_OFFSET(SYSTEM_PROCESS_INFORMATION, Threads) +
                    (SIZE_T)Process->ActiveThreads * sizeof(SYSTEM_THREAD_INFORMATION);
    SIZE_T Size = ALIGN_UP_BY(NameAt + Name.Length + sizeof(WCHAR), 8);
    ULONG Index = 0;

    if (Entry == NULL || Room < Size) {
        return Size;
    }
    RtlZeroMemory(Entry, Size);
    Entry->NumberOfThreads = Process->ActiveThreads;
    for (PLIST_ENTRY Link = Process->ThreadListHead.Flink; Link != &Process->ThreadListHead;
         Link = Link->Flink) {
        PspDescribeThread(&Entry->Threads[Index++], CONTAINING_RECORD(Link, ETHREAD, ThreadListEntry));
    }
    memcpy((PUCHAR)Entry + NameAt, Name.Buffer, Name.Length);
    Entry->ImageName = (UNICODE_STRING){Name.Length, Name.Length + sizeof(WCHAR), (PWCHAR)(Address + NameAt)};
    return Size;
}

/* Returns the entry, when there was room for it. */
static SYSTEM_PROCESS_INFORMATION *PspWriteProcess(PSP_WRITER *Writer, PEPROCESS Process)
{
    SIZE_T Room = Writer->Size > Writer->Used ? Writer->Size - Writer->Used : 0;
    SYSTEM_PROCESS_INFORMATION *Entry = Writer->Buffer != NULL ? Add2Ptr(Writer->Buffer, Writer->Used) : NULL;

    PspLockShared(&Process->Lock);
    PspLockShared(&PspImageLock);
    SIZE_T Size = PspDescribeParts(Entry, Process, Room, Writer->Address + Writer->Used);
    PspUnlockShared(&PspImageLock);
    PspUnlockShared(&Process->Lock);

    Writer->Used += Size;
    if (Entry == NULL || Room < Size) {
        return NULL;
    }
    PspDescribeProcess(Entry, Process);
    return Entry;
}

/* Those that have ended and are still referenced are left out. */
static void PspWriteProcesses(PSP_WRITER *Writer)
{
    SYSTEM_PROCESS_INFORMATION *Last = NULL;
    for (PEPROCESS Process = PsNextProcess(NULL); Process != NULL; Process = PsNextProcess(Process)) {
        if (Process->State == PsProcessEnded) {
            continue;
        }
        SYSTEM_PROCESS_INFORMATION *Entry = PspWriteProcess(Writer, Process);
        if (Last != NULL && Entry != NULL) {
            Last->NextEntryOffset = (ULONG)((PUCHAR)Entry - (PUCHAR)Last);
        }
        Last = Entry;
    }
}

#define PSP_LIST_SLACK 4096 /* for what comes between counting and writing */

static NTSTATUS PspQueryProcesses(const PSP_ANSWER *Answer)
{
    PSP_WRITER Writer = {0};
    PspWriteProcesses(&Writer); /* counts */
    if (Answer->Length < Writer.Used) {
        return PspWrongLength(Answer, Writer.Used);
    }
    SIZE_T Size = Writer.Used + PSP_LIST_SLACK;
    Size = Size < Answer->Length ? Size : Answer->Length;
    Writer = (PSP_WRITER){.Size = Size, .Address = (ULONG_PTR)Answer->Information};
    Writer.Buffer = ExAllocatePoolWithTag(NonPagedPoolNx, Size, PSP_TAG);
    if (Writer.Buffer == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    PspWriteProcesses(&Writer);
    NTSTATUS Status = Writer.Used <= Size ? PspGiveAnswer(Answer, Writer.Buffer, Writer.Used)
                                          : PspWrongLength(Answer, Writer.Used);
    ExFreePoolWithTag(Writer.Buffer, PSP_TAG);
    return Status;
}

/* ---- The machine ---- */

static NTSTATUS PspQueryBasic(const PSP_ANSWER *Answer)
{
    MM_STATISTICS Memory;
    MmQueryStatistics(&Memory);
    SYSTEM_BASIC_INFORMATION Data = {
        .TimerResolution = 10000, /* 100 ns; the timer is one-shot and finer than that */
        .PageSize = PAGE_SIZE,
        .NumberOfPhysicalPages = (ULONG)Memory.TotalPages,
        .LowestPhysicalPageNumber = 1,
        .HighestPhysicalPageNumber = (ULONG)Memory.TotalPages,
        .AllocationGranularity = 0x10000,
        .MinimumUserModeAddress = MM_USER_LOWEST,
        .MaximumUserModeAddress = MM_USER_HIGHEST - 1,
        .ActiveProcessorsAffinityMask = KeActiveProcessors,
        .NumberOfProcessors = (CCHAR)KeNumberProcessors,
    };
    return Answer->Length == sizeof(Data) ? PspGiveAnswer(Answer, &Data, sizeof(Data))
                                          : PspWrongLength(Answer, sizeof(Data));
}

/* What has ended is reaped and caches are emptied first: two answers can be compared, to the page. */
static NTSTATUS PspQueryMemoryUsage(const PSP_ANSWER *Answer)
{
    MM_STATISTICS Memory;
    PsDrainReaper();
    MmTrimCaches();
    MmQueryStatistics(&Memory);
    SYSTEM_MEMORY_USAGE Data = {
        .TotalPages = Memory.TotalPages,
        .FreePages = Memory.FreePages,
        .PoolPages = Memory.PoolPages,
        .PoolBytes = Memory.PoolBytes,
        .PoolBlocks = Memory.PoolBlocks,
        .KernelStacks = Memory.KernelStacks,
        .PageTablePages = Memory.PageTablePages,
    };
    return Answer->Length == sizeof(Data) ? PspGiveAnswer(Answer, &Data, sizeof(Data))
                                          : PspWrongLength(Answer, sizeof(Data));
}

static NTSTATUS PspQueryProviders(const PSP_ANSWER *Answer)
{
    char Names[1024];
    SIZE_T Size = PspProviderNames(Names, sizeof(Names));
    if (Size > sizeof(Names)) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    return Answer->Length >= Size ? PspGiveAnswer(Answer, Names, Size) : PspWrongLength(Answer, Size);
}

/*
 * Classes: basic; processes with their threads, as a chain; memory usage; names of the providers. The lists
 * take any buffer that is large enough; else STATUS_INFO_LENGTH_MISMATCH and the length in *ReturnLength,
 * which may have grown by the next call. STATUS_INVALID_INFO_CLASS, STATUS_DATATYPE_MISALIGNMENT,
 * STATUS_ACCESS_VIOLATION, STATUS_INSUFFICIENT_RESOURCES. PASSIVE.
 */
NTSTATUS NtQuerySystemInformation(SYSTEM_INFORMATION_CLASS Class, PVOID Information, ULONG Length,
                                  PULONG ReturnLength)
{
    PSP_ANSWER Answer = {Information, Length, ReturnLength, ExGetPreviousMode()};
    NTSTATUS Status = Class == SystemProviderInformation ? STATUS_SUCCESS : PspCheckAnswer(&Answer);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    switch (Class) {
    case SystemBasicInformation:
        return PspQueryBasic(&Answer);
    case SystemProcessInformation:
        return PspQueryProcesses(&Answer);
    case SystemMemoryUsageInformation:
        return PspQueryMemoryUsage(&Answer);
    case SystemProviderInformation:
        return PspQueryProviders(&Answer);
    default:
        return STATUS_INVALID_INFO_CLASS;
    }
}
