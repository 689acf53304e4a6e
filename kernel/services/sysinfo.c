/* SPDX-License-Identifier: MIT */
/*
 * Questions about the machine: NtQuerySystemInformation. The lists take any buffer that is large enough.
 */
#include "kernel/services/services.h"
#include "ps/ps.h"
#include "sync/pushlock.h"
#include <ntapi.h>

/* ---- The list of processes ---- */

/*
 * The list is written to the caller's memory piece by piece, without memory of its own: when there is none
 * left, somebody must still be able to find out whom to end. So the caller's pages are touched with
 * EPROCESS.Lock and PsImageLock held, both of which come before mm's locks.
 */
typedef struct _SVC_WRITER {
    PUCHAR Buffer; /* the caller's */
    SIZE_T Size, Used; /* Used counts on when the room has run out */
    SIZE_T Last;       /* where the entry before begins */
    KPROCESSOR_MODE Mode;
    NTSTATUS Status;   /* the first error of a copy */
} SVC_WRITER;

static void SvcWrite(SVC_WRITER *Writer, SIZE_T Where, const VOID *Data, SIZE_T Size)
{
    if (NT_SUCCESS(Writer->Status) && Where + Size <= Writer->Size) {
        Writer->Status = ExCopyOut(Writer->Buffer + Where, Data, Size, Writer->Mode);
    }
}

static void SvcWriteThread(SVC_WRITER *Writer, SIZE_T Where, PETHREAD Thread)
{
    PKTHREAD Tcb = &Thread->Tcb; /* scheduling fields, read without their locks: as old as any answer */
    SYSTEM_THREAD_INFORMATION Entry;
    RtlZeroMemory(&Entry, sizeof(Entry)); /* padding, too */
    ULONG64 User = 0, Cycles = KeThreadCycles(Tcb, &User);
    Entry.KernelTime.QuadPart = (LONGLONG)SvcCyclesToTime(Cycles - User);
    Entry.UserTime.QuadPart = (LONGLONG)SvcCyclesToTime(User);
    Entry.CreateTime = Thread->CreateTime;
    Entry.StartAddress = SvcStartAddress(Thread);
    Entry.ClientId = Thread->Cid;
    Entry.Priority = Tcb->Priority < 0 ? 0 : Tcb->Priority; /* an idle thread's */
    Entry.BasePriority = Tcb->BasePriority;
    Entry.ContextSwitches = Tcb->ContextSwitches;
    Entry.ThreadState = Tcb->State; /* numbered as documented */
    Entry.WaitReason = Tcb->WaitReason;
    Entry.Processor = Tcb->Processor;
    SvcWrite(Writer, Where, &Entry, sizeof(Entry));
}
C_ASSERT(Initialized == 0 && Ready == 1 && Running == 2 && Standby == 3 && Terminated == 4 && Waiting == 5);

/* Entry is zeroed. */
static void SvcDescribeProcess(SYSTEM_PROCESS_INFORMATION *Entry, PEPROCESS Process)
{
    PMM_ADDRESS_SPACE Space;
    Entry->CreateTime = Process->CreateTime;
    ULONG64 User = 0, Cycles = PsProcessCycles(Process, &User);
    Entry->KernelTime.QuadPart = (LONGLONG)SvcCyclesToTime(Cycles - User);
    Entry->UserTime.QuadPart = (LONGLONG)SvcCyclesToTime(User);
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

/* The threads and the name, behind where Entry will stand: what may change while the locks are not held. (l)
   and PsImageLock held. */
static void SvcWriteParts(SVC_WRITER *Writer, SYSTEM_PROCESS_INFORMATION *Entry, PEPROCESS Process)
{
    UNICODE_STRING Name = SvcBaseName(&Process->ImageFileName);
    SIZE_T Where = Writer->Used + UFIELD_OFFSET(SYSTEM_PROCESS_INFORMATION, Threads);

    Entry->NumberOfThreads = Process->ActiveThreads;
    for (PLIST_ENTRY Link = Process->ThreadListHead.Flink; Link != &Process->ThreadListHead; Link = Link->Flink) {
        SvcWriteThread(Writer, Where, CONTAINING_RECORD(Link, ETHREAD, ThreadListEntry));
        Where += sizeof(SYSTEM_THREAD_INFORMATION);
    }
    Entry->ImageName.Length = Name.Length;
    Entry->ImageName.MaximumLength = Name.Length + sizeof(WCHAR);
    Entry->ImageName.Buffer = (PWCHAR)(Writer->Buffer + Where);
    SvcWrite(Writer, Where, Name.Buffer, Name.Length);
    SvcWrite(Writer, Where + Name.Length, L"", sizeof(WCHAR));
    Writer->Used = ALIGN_UP_BY(Where + Name.Length + sizeof(WCHAR), 8);
}

static void SvcWriteProcess(SVC_WRITER *Writer, PEPROCESS Process)
{
    SYSTEM_PROCESS_INFORMATION Entry;
    SIZE_T Where = Writer->Used;
    ULONG Distance = (ULONG)(Where - Writer->Last);

    RtlZeroMemory(&Entry, sizeof(Entry));
    SvcDescribeProcess(&Entry, Process);
    KeLockShared(&Process->Lock);
    KeLockShared(&PsImageLock);
    SvcWriteParts(Writer, &Entry, Process);
    KeUnlockShared(&PsImageLock);
    KeUnlockShared(&Process->Lock);

    SvcWrite(Writer, Where, &Entry, UFIELD_OFFSET(SYSTEM_PROCESS_INFORMATION, Threads));
    if (Where != 0 && Writer->Used <= Writer->Size) {
        SvcWrite(Writer, Writer->Last + FIELD_OFFSET(SYSTEM_PROCESS_INFORMATION, NextEntryOffset), &Distance,
                 sizeof(Distance));
    }
    Writer->Last = Where;
}

/* Those that have ended and are still referenced are left out. */
static NTSTATUS SvcQueryProcesses(const SVC_ANSWER *Answer)
{
    SVC_WRITER Writer = {.Buffer = Answer->Information, .Size = Answer->Length, .Mode = Answer->Mode};

    for (PEPROCESS Process = PsNextProcess(NULL); Process != NULL; Process = PsNextProcess(Process)) {
        if (Process->State != PsProcessEnded) {
            SvcWriteProcess(&Writer, Process);
        }
    }
    if (!NT_SUCCESS(Writer.Status)) {
        return Writer.Status;
    }
    return Writer.Used <= Writer.Size ? SvcReturnLength(Answer, Writer.Used) : SvcWrongLength(Answer, Writer.Used);
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
 * which may have grown by the next call; what has been written then is not a list. STATUS_INVALID_INFO_CLASS,
 * STATUS_DATATYPE_MISALIGNMENT, STATUS_ACCESS_VIOLATION, STATUS_INSUFFICIENT_RESOURCES. PASSIVE. (WDK page of
 * the name)
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
