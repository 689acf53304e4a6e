/* SPDX-License-Identifier: MIT */
/*
 * Questions and settings: NtQueryInformationProcess/Thread, NtSetInformationThread, NtQuerySystemInformation.
 *
 * All classes of fixed size want exactly that size. An answer is put together in kernel memory and copied out
 * in one piece; nothing is locked while it is. Order of the checks: alignment, class, length, handle.
 */
#include "kernel/services/services.h"
#include "ps/ps.h"
#include "sync/pushlock.h"
#include <ntapi.h>

#define SVC_QUERY_TAG 'yrqS'

/* ---- Answers ---- */

/* Where an answer goes: the caller's arguments. */
typedef struct _SVC_ANSWER {
    PVOID Information;
    ULONG Length;
    PULONG ReturnLength; /* may be NULL */
    KPROCESSOR_MODE Mode;
} SVC_ANSWER;

static NTSTATUS SvcCheckAnswer(const SVC_ANSWER *Answer)
{
    if (Answer->Mode == UserMode &&
        (((ULONG_PTR)Answer->Information | (ULONG_PTR)Answer->ReturnLength) & 3)) {
        return STATUS_DATATYPE_MISALIGNMENT;
    }
    return STATUS_SUCCESS;
}

static NTSTATUS SvcReturnLength(const SVC_ANSWER *Answer, SIZE_T Size)
{
    ULONG Length = (ULONG)Size;
    return Answer->ReturnLength != NULL
               ? ExCopyOut(Answer->ReturnLength, &Length, sizeof(Length), Answer->Mode)
               : STATUS_SUCCESS;
}

/* The size is wrong: the caller learns the right one. */
static NTSTATUS SvcWrongLength(const SVC_ANSWER *Answer, SIZE_T Size)
{
    NTSTATUS Status = SvcReturnLength(Answer, Size);
    return NT_SUCCESS(Status) ? STATUS_INFO_LENGTH_MISMATCH : Status;
}

static NTSTATUS SvcGiveAnswer(const SVC_ANSWER *Answer, const VOID *Data, SIZE_T Size)
{
    NTSTATUS Status = ExCopyOut(Answer->Information, Data, Size, Answer->Mode);
    return NT_SUCCESS(Status) ? SvcReturnLength(Answer, Size) : Status;
}

/* ---- Times ---- */

static ULONG64 SvcCyclesToTime(ULONG64 Cycles)
{
    ULONG64 Rate = ArchCyclesPerSecond();
    return Cycles / Rate * 10000000 + Cycles % Rate * 10000000 / Rate;
}

/* User and kernel time are not told apart: all is kernel time. */
static void SvcFillTimes(KERNEL_USER_TIMES *Times, LARGE_INTEGER Create, LARGE_INTEGER Exit, ULONG64 Cycles)
{
    Times->CreateTime = Create;
    Times->ExitTime = Exit;
    Times->KernelTime.QuadPart = (LONGLONG)SvcCyclesToTime(Cycles);
    Times->UserTime.QuadPart = 0;
}

/* ---- One process, one thread ---- */

/* A class of fixed size. Data is zeroed: what Fill leaves out, padding included, is 0. */
typedef struct _SVC_CLASS {
    ULONG Class, Size;
    void (*Fill)(PVOID Data, PVOID Object);
} SVC_CLASS;

#define SVC_LARGEST_ANSWER 48

static const SVC_CLASS *SvcFindClass(const SVC_CLASS *Classes, ULONG Count, ULONG Class)
{
    for (ULONG i = 0; i < Count; i++) {
        if (Classes[i].Class == Class) {
            return &Classes[i];
        }
    }
    return NULL;
}

/* Class NULL: there is none. Type: of the object behind Handle. */
static NTSTATUS SvcQueryObject(const SVC_CLASS *Class, HANDLE Handle, ACCESS_MASK Access, POBJECT_TYPE Type,
                               const SVC_ANSWER *Answer)
{
    ULONG64 Data[SVC_LARGEST_ANSWER / sizeof(ULONG64)] = {0};
    PVOID Object;

    NTSTATUS Status = SvcCheckAnswer(Answer);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    if (Class == NULL) {
        return STATUS_INVALID_INFO_CLASS;
    }
    if (Answer->Length != Class->Size) {
        return SvcWrongLength(Answer, Class->Size);
    }
    Status = ObReferenceObjectByHandle(Handle, Access, Type, Answer->Mode, &Object, NULL);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Class->Fill(Data, Object);
    ObDereferenceObject(Object);
    return SvcGiveAnswer(Answer, Data, Class->Size);
}

/* ---- Processes ---- */

static ULONG SvcHandleCount(PEPROCESS Process)
{
    ULONG Count = 0;
    if (PsAcquireProcessAccess(Process)) {
        Count = ObCountHandles(Process->HandleTable);
        PsReleaseProcessAccess(Process);
    }
    return Count;
}

static void SvcFillProcessBasic(PVOID Data, PVOID Object)
{
    PROCESS_BASIC_INFORMATION *Basic = Data;
    PEPROCESS Process = Object;
    Basic->ExitStatus = Process->ExitStatus;
    Basic->PebBaseAddress = Process->Peb;
    Basic->AffinityMask = Process->Pcb.Affinity & KeActiveProcessors;
    Basic->BasePriority = Process->Pcb.BasePriority;
    Basic->UniqueProcessId = (ULONG_PTR)Process->UniqueProcessId;
    Basic->InheritedFromUniqueProcessId = (ULONG_PTR)Process->InheritedFromUniqueProcessId;
}

static void SvcFillProcessTimes(PVOID Data, PVOID Object)
{
    PEPROCESS Process = Object;
    SvcFillTimes(Data, Process->CreateTime, Process->ExitTime, PsProcessCycles(Process));
}

static void SvcFillHandleCount(PVOID Data, PVOID Object)
{
    *(PULONG)Data = SvcHandleCount(Object);
}

static void SvcFillProcessSubsystem(PVOID Data, PVOID Object)
{
    *(SUBSYSTEM_INFORMATION_TYPE *)Data = ((PEPROCESS)Object)->SubsystemInformationType;
}

static const SVC_CLASS SvcProcessClasses[] = {
    {ProcessBasicInformation, sizeof(PROCESS_BASIC_INFORMATION), SvcFillProcessBasic},
    {ProcessTimes, sizeof(KERNEL_USER_TIMES), SvcFillProcessTimes},
    {ProcessHandleCount, sizeof(ULONG), SvcFillHandleCount},
    {ProcessSubsystemInformation, sizeof(SUBSYSTEM_INFORMATION_TYPE), SvcFillProcessSubsystem},
};

/* A UNICODE_STRING and behind it its text, for a reader at Address. Pool, or NULL. */
static PUNICODE_STRING SvcPackImageName(PEPROCESS Process, PVOID Address, SIZE_T *Size)
{
    KeLockShared(&PsImageLock);
    USHORT Length = Process->ImageFileName.Length;
    *Size = sizeof(UNICODE_STRING) + Length + sizeof(WCHAR);
    PUNICODE_STRING Packed = ExAllocatePoolWithTag(NonPagedPoolNx, *Size, SVC_QUERY_TAG);
    if (Packed != NULL) {
        RtlZeroMemory(Packed, *Size);
        memcpy(Packed + 1, Process->ImageFileName.Buffer, Length);
        Packed->Length = Length;
        Packed->MaximumLength = Length + sizeof(WCHAR);
        Packed->Buffer = (PWCHAR)((PUNICODE_STRING)Address + 1);
    }
    KeUnlockShared(&PsImageLock);
    return Packed;
}

static NTSTATUS SvcQueryImageName(HANDLE ProcessHandle, const SVC_ANSWER *Answer)
{
    PEPROCESS Process;
    SIZE_T Size;

    NTSTATUS Status = SvcCheckAnswer(Answer);
    if (NT_SUCCESS(Status)) {
        Status = PsReferenceProcessHandle(ProcessHandle, PROCESS_QUERY_LIMITED_INFORMATION, &Process);
    }
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    PUNICODE_STRING Packed = SvcPackImageName(Process, Answer->Information, &Size);
    ObDereferenceObject(Process);
    if (Packed == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    Status = Answer->Length < Size ? SvcWrongLength(Answer, Size) : SvcGiveAnswer(Answer, Packed, Size);
    ExFreePoolWithTag(Packed, SVC_QUERY_TAG);
    return Status;
}

/*
 * Classes: basic, times, handle count, image file name, subsystem. ExitStatus of a process that lives is
 * STATUS_PENDING; a process without PEB has NULL there. STATUS_INVALID_INFO_CLASS;
 * STATUS_INFO_LENGTH_MISMATCH, with the right length in *ReturnLength; STATUS_DATATYPE_MISALIGNMENT,
 * STATUS_ACCESS_VIOLATION; handle errors (PROCESS_QUERY_LIMITED_INFORMATION). PASSIVE.
 * (WDK page of the name)
 */
NTSTATUS NtQueryInformationProcess(HANDLE ProcessHandle, PROCESSINFOCLASS Class, PVOID Information,
                                   ULONG Length, PULONG ReturnLength)
{
    SVC_ANSWER Answer = {Information, Length, ReturnLength, ExGetPreviousMode()};
    if (Class == ProcessImageFileName) {
        return SvcQueryImageName(ProcessHandle, &Answer);
    }
    return SvcQueryObject(SvcFindClass(SvcProcessClasses, ARRAYSIZE(SvcProcessClasses), Class), ProcessHandle,
                          PROCESS_QUERY_LIMITED_INFORMATION, *PsProcessType, &Answer);
}

/* ---- Threads ---- */

static void SvcFillThreadBasic(PVOID Data, PVOID Object)
{
    THREAD_BASIC_INFORMATION *Basic = Data;
    PETHREAD Thread = Object;
    Basic->ExitStatus = Thread->ExitStatus;
    Basic->TebBaseAddress = Thread->Teb;
    Basic->ClientId = Thread->Cid;
    Basic->AffinityMask = Thread->Tcb.UserAffinity & KeActiveProcessors;
    Basic->Priority = Thread->Tcb.Priority;
    Basic->BasePriority = Thread->Tcb.BasePriority;
}

static void SvcFillThreadTimes(PVOID Data, PVOID Object)
{
    PETHREAD Thread = Object;
    SvcFillTimes(Data, Thread->CreateTime, Thread->ExitTime, KeThreadCycles(&Thread->Tcb));
}

static void SvcFillIsLast(PVOID Data, PVOID Object)
{
    *(PULONG)Data = PsThreadProcess(Object)->ActiveThreads == 1;
}

/* By its signal: a status of STATUS_PENDING may be what it ended with. */
static void SvcFillIsTerminated(PVOID Data, PVOID Object)
{
    *(PULONG)Data = ((PETHREAD)Object)->Tcb.Header.SignalState != 0;
}

static void SvcFillSuspendCount(PVOID Data, PVOID Object)
{
    *(PULONG)Data = (ULONG)((PETHREAD)Object)->Tcb.SuspendCount;
}

static void SvcFillThreadSubsystem(PVOID Data, PVOID Object)
{
    SvcFillProcessSubsystem(Data, PsThreadProcess(Object));
}

static const SVC_CLASS SvcThreadClasses[] = {
    {ThreadBasicInformation, sizeof(THREAD_BASIC_INFORMATION), SvcFillThreadBasic},
    {ThreadTimes, sizeof(KERNEL_USER_TIMES), SvcFillThreadTimes},
    {ThreadAmILastThread, sizeof(ULONG), SvcFillIsLast},
    {ThreadIsTerminated, sizeof(ULONG), SvcFillIsTerminated},
    {ThreadSuspendCount, sizeof(ULONG), SvcFillSuspendCount},
    {ThreadSubsystemInformation, sizeof(SUBSYSTEM_INFORMATION_TYPE), SvcFillThreadSubsystem},
};
C_ASSERT(sizeof(PROCESS_BASIC_INFORMATION) <= SVC_LARGEST_ANSWER &&
         sizeof(THREAD_BASIC_INFORMATION) <= SVC_LARGEST_ANSWER &&
         sizeof(KERNEL_USER_TIMES) <= SVC_LARGEST_ANSWER);

/* Classes: basic, times, "am I the last", terminated, suspend count, subsystem. Errors as
   NtQueryInformationProcess (THREAD_QUERY_LIMITED_INFORMATION). PASSIVE. (WDK page of the name) */
NTSTATUS NtQueryInformationThread(HANDLE ThreadHandle, THREADINFOCLASS Class, PVOID Information, ULONG Length,
                                  PULONG ReturnLength)
{
    SVC_ANSWER Answer = {Information, Length, ReturnLength, ExGetPreviousMode()};
    return SvcQueryObject(SvcFindClass(SvcThreadClasses, ARRAYSIZE(SvcThreadClasses), Class), ThreadHandle,
                          THREAD_QUERY_LIMITED_INFORMATION, *PsThreadType, &Answer);
}

/* 1 to 15; the real-time priorities are the kernel's: a program that had them could keep the reaper from
   running. */
static NTSTATUS SvcSetPriority(PETHREAD Thread, KPRIORITY Priority)
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

static NTSTATUS SvcSetAffinity(PETHREAD Thread, KAFFINITY Affinity)
{
    if (Affinity == 0 || (Affinity & ~KeActiveProcessors) != 0) {
        return STATUS_INVALID_PARAMETER;
    }
    KeSetAffinityThread(&Thread->Tcb, Affinity);
    return STATUS_SUCCESS;
}

/* Classes: ThreadPriority (KPRIORITY), ThreadAffinityMask (KAFFINITY). STATUS_INVALID_INFO_CLASS,
   STATUS_INFO_LENGTH_MISMATCH, STATUS_INVALID_PARAMETER (value), STATUS_PRIVILEGE_NOT_HELD (real-time from
   user mode), STATUS_THREAD_IS_TERMINATING; handle errors (THREAD_SET_INFORMATION). PASSIVE.
   (WDK page of the name) */
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
        Status = PsReferenceThreadHandle(ThreadHandle, THREAD_SET_INFORMATION, &Thread);
    }
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    if (Thread->Tcb.Header.SignalState != 0) {
        Status = STATUS_THREAD_IS_TERMINATING;
    } else if (Class == ThreadPriority) {
        Status = SvcSetPriority(Thread, Value.Priority);
    } else {
        Status = SvcSetAffinity(Thread, Value.Affinity);
    }
    ObDereferenceObject(Thread);
    return Status;
}

/* ---- The list of processes ---- */

/* A buffer that is filled while there is room; Used counts on. */
typedef struct _SVC_WRITER {
    PUCHAR Buffer; /* zeroed */
    SIZE_T Size, Used;
    ULONG_PTR Address; /* where the reader will find Buffer */
} SVC_WRITER;

/* The part of an image's name behind the last separator. PsImageLock held. */
static UNICODE_STRING SvcBaseName(PCUNICODE_STRING Name)
{
    USHORT Start = Name->Length / sizeof(WCHAR);
    while (Start > 0 && Name->Buffer[Start - 1] != L'\\' && Name->Buffer[Start - 1] != L'/') {
        Start--;
    }
    USHORT Length = Name->Length - Start * sizeof(WCHAR);
    return (UNICODE_STRING){Length, Length, Name->Buffer + Start};
}

/* Entry is zeroed. */
static void SvcDescribeThread(SYSTEM_THREAD_INFORMATION *Entry, PETHREAD Thread)
{
    PKTHREAD Tcb = &Thread->Tcb; /* scheduling fields, read without their locks: as old as any answer */
    Entry->KernelTime.QuadPart = (LONGLONG)SvcCyclesToTime(KeThreadCycles(Tcb));
    Entry->CreateTime = Thread->CreateTime;
    Entry->StartAddress = Thread->StartAddress;
    Entry->ClientId = Thread->Cid;
    Entry->Priority = Tcb->Priority < 0 ? 0 : Tcb->Priority; /* an idle thread's */
    Entry->BasePriority = Tcb->BasePriority;
    Entry->ContextSwitches = Tcb->ContextSwitches;
    Entry->ThreadState = Tcb->State; /* numbered as documented */
    Entry->WaitReason = Tcb->WaitReason;
    Entry->Processor = Tcb->Processor;
}
C_ASSERT(Initialized == 0 && Ready == 1 && Running == 2 && Standby == 3 && Terminated == 4 && Waiting == 5);

static void SvcDescribeProcess(SYSTEM_PROCESS_INFORMATION *Entry, PEPROCESS Process)
{
    PMM_ADDRESS_SPACE Space;
    Entry->CreateTime = Process->CreateTime;
    Entry->KernelTime.QuadPart = (LONGLONG)SvcCyclesToTime(PsProcessCycles(Process));
    Entry->BasePriority = (KPRIORITY)Process->Pcb.BasePriority;
    Entry->UniqueProcessId = Process->UniqueProcessId;
    Entry->InheritedFromUniqueProcessId = Process->InheritedFromUniqueProcessId;
    Entry->HandleCount = SvcHandleCount(Process);
    Entry->SubsystemType = (ULONG)Process->SubsystemInformationType;
    memcpy(Entry->SubsystemName, Process->SubsystemName, sizeof(Entry->SubsystemName));
    if (NT_SUCCESS(PsAcquireSpace(Process, &Space))) {
        Entry->ResidentPages = Space->ResidentPages;
        PsReleaseSpace(Process, Space);
    }
}

/* The bytes that its entry takes now: (l) and PsImageLock are held, under which its parts change. *NameAt: where
   in it the name stands. */
static SIZE_T SvcEntrySize(PEPROCESS Process, SIZE_T NameLength, SIZE_T *NameAt)
{
    *NameAt = UFIELD_OFFSET(SYSTEM_PROCESS_INFORMATION, Threads) +
              (SIZE_T)Process->ActiveThreads * sizeof(SYSTEM_THREAD_INFORMATION);
    return ALIGN_UP_BY(*NameAt + NameLength + sizeof(WCHAR), 8);
}

/* The threads and the name, and where they are in the buffer. Locks as above. */
static void SvcDescribeParts(SYSTEM_PROCESS_INFORMATION *Entry, PEPROCESS Process, PCUNICODE_STRING Name,
                             SIZE_T NameAt, ULONG_PTR Address)
{
    ULONG Index = 0;
    Entry->NumberOfThreads = Process->ActiveThreads;
    for (PLIST_ENTRY Link = Process->ThreadListHead.Flink; Link != &Process->ThreadListHead;
         Link = Link->Flink) {
        SvcDescribeThread(&Entry->Threads[Index++], CONTAINING_RECORD(Link, ETHREAD, ThreadListEntry));
    }
    memcpy((PUCHAR)Entry + NameAt, Name->Buffer, Name->Length);
    Entry->ImageName.Length = Name->Length;
    Entry->ImageName.MaximumLength = Name->Length + sizeof(WCHAR);
    Entry->ImageName.Buffer = (PWCHAR)(Address + NameAt);
}

/* Returns the entry, when there was room for it. */
static SYSTEM_PROCESS_INFORMATION *SvcWriteProcess(SVC_WRITER *Writer, PEPROCESS Process)
{
    SYSTEM_PROCESS_INFORMATION *Entry = NULL;
    SIZE_T NameAt;

    KeLockShared(&Process->Lock);
    KeLockShared(&PsImageLock);
    UNICODE_STRING Name = SvcBaseName(&Process->ImageFileName);
    SIZE_T Size = SvcEntrySize(Process, Name.Length, &NameAt);
    if (Writer->Used + Size <= Writer->Size) {
        Entry = Add2Ptr(Writer->Buffer, Writer->Used);
        SvcDescribeParts(Entry, Process, &Name, NameAt, Writer->Address + Writer->Used);
    }
    KeUnlockShared(&PsImageLock);
    KeUnlockShared(&Process->Lock);

    Writer->Used += Size;
    if (Entry != NULL) {
        SvcDescribeProcess(Entry, Process);
    }
    return Entry;
}

/* Those that have ended and are still referenced are left out. */
static void SvcWriteProcesses(SVC_WRITER *Writer)
{
    SYSTEM_PROCESS_INFORMATION *Last = NULL;
    for (PEPROCESS Process = PsNextProcess(NULL); Process != NULL; Process = PsNextProcess(Process)) {
        if (Process->State == PsProcessEnded) {
            continue;
        }
        SYSTEM_PROCESS_INFORMATION *Entry = SvcWriteProcess(Writer, Process);
        if (Last != NULL && Entry != NULL) {
            Last->NextEntryOffset = (ULONG)((PUCHAR)Entry - (PUCHAR)Last);
        }
        Last = Entry;
    }
}

#define SVC_LIST_SLACK 4096 /* for what comes between counting and writing */

static NTSTATUS SvcQueryProcesses(const SVC_ANSWER *Answer)
{
    SVC_WRITER Writer = {0};
    SvcWriteProcesses(&Writer); /* counts */
    if (Answer->Length < Writer.Used) {
        return SvcWrongLength(Answer, Writer.Used);
    }
    SIZE_T Size = Writer.Used + SVC_LIST_SLACK;
    Size = Size < Answer->Length ? Size : Answer->Length;
    Writer = (SVC_WRITER){.Size = Size, .Address = (ULONG_PTR)Answer->Information};
    Writer.Buffer = ExAllocatePoolWithTag(NonPagedPoolNx, Size, SVC_QUERY_TAG);
    if (Writer.Buffer == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    RtlZeroMemory(Writer.Buffer, Size);
    SvcWriteProcesses(&Writer);
    NTSTATUS Status = Writer.Used <= Size ? SvcGiveAnswer(Answer, Writer.Buffer, Writer.Used)
                                          : SvcWrongLength(Answer, Writer.Used);
    ExFreePoolWithTag(Writer.Buffer, SVC_QUERY_TAG);
    return Status;
}

/* ---- The machine ---- */

static NTSTATUS SvcQueryBasic(const SVC_ANSWER *Answer)
{
    MM_STATISTICS Memory;
    SYSTEM_BASIC_INFORMATION Data;
    MmQueryStatistics(&Memory);
    RtlZeroMemory(&Data, sizeof(Data)); /* padding, too */
    Data.TimerResolution = 10000;       /* 100 ns; the timer is one-shot and finer than that */
    Data.PageSize = PAGE_SIZE;
    Data.NumberOfPhysicalPages = (ULONG)Memory.TotalPages;
    Data.LowestPhysicalPageNumber = 1;
    Data.HighestPhysicalPageNumber = (ULONG)Memory.TotalPages;
    Data.AllocationGranularity = 0x10000;
    Data.MinimumUserModeAddress = MM_USER_LOWEST;
    Data.MaximumUserModeAddress = MM_USER_END - 1;
    Data.ActiveProcessorsAffinityMask = KeActiveProcessors;
    Data.NumberOfProcessors = (CCHAR)KeNumberProcessors;
    return Answer->Length == sizeof(Data) ? SvcGiveAnswer(Answer, &Data, sizeof(Data))
                                          : SvcWrongLength(Answer, sizeof(Data));
}

/* What has ended is reaped and caches are emptied first: two answers can be compared, to the page. */
static NTSTATUS SvcQueryMemoryUsage(const SVC_ANSWER *Answer)
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
    return Answer->Length == sizeof(Data) ? SvcGiveAnswer(Answer, &Data, sizeof(Data))
                                          : SvcWrongLength(Answer, sizeof(Data));
}

static NTSTATUS SvcQueryProviders(const SVC_ANSWER *Answer)
{
    char Names[1024];
    SIZE_T Size = PsProviderNames(Names, sizeof(Names));
    if (Size > sizeof(Names)) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    return Answer->Length >= Size ? SvcGiveAnswer(Answer, Names, Size) : SvcWrongLength(Answer, Size);
}

/*
 * Classes: basic; processes with their threads, as a chain; memory usage; names of the providers. The lists
 * take any buffer that is large enough; else STATUS_INFO_LENGTH_MISMATCH and the length in *ReturnLength,
 * which may have grown by the next call. STATUS_INVALID_INFO_CLASS, STATUS_DATATYPE_MISALIGNMENT,
 * STATUS_ACCESS_VIOLATION, STATUS_INSUFFICIENT_RESOURCES. PASSIVE. (WDK page of the name)
 */
NTSTATUS NtQuerySystemInformation(SYSTEM_INFORMATION_CLASS Class, PVOID Information, ULONG Length,
                                  PULONG ReturnLength)
{
    SVC_ANSWER Answer = {Information, Length, ReturnLength, ExGetPreviousMode()};
    NTSTATUS Status = Class == SystemProviderInformation ? STATUS_SUCCESS : SvcCheckAnswer(&Answer);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    switch (Class) {
    case SystemBasicInformation:
        return SvcQueryBasic(&Answer);
    case SystemProcessInformation:
        return SvcQueryProcesses(&Answer);
    case SystemMemoryUsageInformation:
        return SvcQueryMemoryUsage(&Answer);
    case SystemProviderInformation:
        return SvcQueryProviders(&Answer);
    default:
        return STATUS_INVALID_INFO_CLASS;
    }
}
