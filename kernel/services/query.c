/* SPDX-License-Identifier: MIT */
/*
 * Questions about one process or thread, and settings of it: NtQueryInformationProcess and -Thread,
 * NtSetInformationProcess and -Thread.
 *
 * A class is a row of a table. All answers and settings of fixed size want exactly that size. An answer is
 * put together in kernel memory and copied out in one piece; nothing is locked while it is. Order of the
 * checks: alignment, class, length, handle.
 */
#include "kernel/services/services.h"
#include "ps/ps.h"
#include "sync/pushlock.h"
#include <ntapi.h>

#define SVC_QUERY_TAG 'yrqS'

/* ---- Answers ---- */

NTSTATUS SvcCheckAnswer(const SVC_ANSWER *Answer)
{
    if (Answer->Mode == UserMode &&
        (((ULONG_PTR)Answer->Information | (ULONG_PTR)Answer->ReturnLength) & 3)) {
        return STATUS_DATATYPE_MISALIGNMENT;
    }
    return STATUS_SUCCESS;
}

NTSTATUS SvcReturnLength(const SVC_ANSWER *Answer, SIZE_T Size)
{
    ULONG Length = (ULONG)Size;
    return Answer->ReturnLength != NULL
               ? ExCopyOut(Answer->ReturnLength, &Length, sizeof(Length), Answer->Mode)
               : STATUS_SUCCESS;
}

NTSTATUS SvcWrongLength(const SVC_ANSWER *Answer, SIZE_T Size)
{
    NTSTATUS Status = SvcReturnLength(Answer, Size);
    return NT_SUCCESS(Status) ? STATUS_INFO_LENGTH_MISMATCH : Status;
}

NTSTATUS SvcGiveAnswer(const SVC_ANSWER *Answer, const VOID *Data, SIZE_T Size)
{
    NTSTATUS Status = ExCopyOut(Answer->Information, Data, Size, Answer->Mode);
    return NT_SUCCESS(Status) ? SvcReturnLength(Answer, Size) : Status;
}

PUNICODE_STRING SvcPackString(PCUNICODE_STRING String, PVOID Address)
{
    KeLockShared(&PsImageLock);
    USHORT Length = String->Length;
    PUNICODE_STRING Packed =
        ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(*Packed) + Length + sizeof(WCHAR), SVC_QUERY_TAG);
    if (Packed != NULL) {
        RtlZeroMemory(Packed, sizeof(*Packed) + Length + sizeof(WCHAR)); /* padding, too */
        memcpy(Packed + 1, String->Buffer, Length);
        Packed->Length = Length;
        Packed->MaximumLength = Length + sizeof(WCHAR);
        Packed->Buffer = (PWCHAR)((Address != NULL ? (PUNICODE_STRING)Address : Packed) + 1);
    }
    KeUnlockShared(&PsImageLock);
    return Packed;
}

/* Any buffer that is large enough will do. */
static NTSTATUS SvcGiveString(const SVC_ANSWER *Answer, PCUNICODE_STRING String)
{
    PUNICODE_STRING Packed = SvcPackString(String, Answer->Information);
    if (Packed == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    SIZE_T Size = sizeof(*Packed) + Packed->MaximumLength;
    NTSTATUS Status = Answer->Length < Size ? SvcWrongLength(Answer, Size) : SvcGiveAnswer(Answer, Packed, Size);
    ExFreePoolWithTag(Packed, SVC_QUERY_TAG);
    return Status;
}

/* ---- Classes ---- */

typedef struct _SVC_CLASS {
    ULONG Class;
    ULONG Size;      /* of Data; 0: a string */
    /* Writes the answer to Data, which is zeroed: what is left out, padding included, is 0. Or sets what Data
       says. A string: Data is a PCUNICODE_STRING *, of which the caller's memory is meant when it is set.
       NULL: this cannot be asked, or not be set. */
    void (*Fill)(PVOID Data, PVOID Object);
    NTSTATUS (*Set)(const VOID *Data, PVOID Object);
} SVC_CLASS;

/* What processes and threads have, each for itself. */
typedef struct _SVC_CLASSES {
    const SVC_CLASS *Class;
    ULONG Count;
    ACCESS_MASK Query, QueryLimited, Set; /* rights: either of the first two lets ask */
} SVC_CLASSES;

#define SVC_LARGEST_ANSWER 48

static const SVC_CLASS *SvcFindClass(const SVC_CLASSES *Classes, ULONG Number)
{
    for (ULONG i = 0; i < Classes->Count; i++) {
        if (Classes->Class[i].Class == Number) {
            return &Classes->Class[i];
        }
    }
    return NULL;
}

/* Whoever may ask everything may ask the little that others may. */
static NTSTATUS SvcReferenceForQuery(HANDLE Handle, const SVC_CLASSES *Classes, POBJECT_TYPE Type, PVOID *Object)
{
    OBJECT_HANDLE_INFORMATION Information;
    KPROCESSOR_MODE Mode = ExGetPreviousMode();
    NTSTATUS Status = ObReferenceObjectByHandle(Handle, 0, Type, Mode, Object, &Information);
    if (NT_SUCCESS(Status) && Mode != KernelMode &&
        !(Information.GrantedAccess & (Classes->Query | Classes->QueryLimited))) {
        ObDereferenceObject(*Object);
        return STATUS_ACCESS_DENIED;
    }
    return Status;
}

static NTSTATUS SvcQueryObject(const SVC_CLASSES *Classes, ULONG Number, HANDLE Handle, POBJECT_TYPE Type,
                               const SVC_ANSWER *Answer)
{
    ULONG64 Data[SVC_LARGEST_ANSWER / sizeof(ULONG64)] = {0};
    const SVC_CLASS *Class = SvcFindClass(Classes, Number);
    PVOID Object;

    NTSTATUS Status = SvcCheckAnswer(Answer);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    if (Class == NULL || Class->Fill == NULL) {
        return STATUS_INVALID_INFO_CLASS;
    }
    if (Class->Size != 0 && Answer->Length != Class->Size) {
        return SvcWrongLength(Answer, Class->Size);
    }
    Status = SvcReferenceForQuery(Handle, Classes, Type, &Object);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Class->Fill(Data, Object);
    Status = Class->Size != 0 ? SvcGiveAnswer(Answer, Data, Class->Size)
                              : SvcGiveString(Answer, *(PCUNICODE_STRING *)Data);
    ObDereferenceObject(Object);
    return Status;
}

static NTSTATUS SvcSetObject(const SVC_CLASSES *Classes, ULONG Number, HANDLE Handle, POBJECT_TYPE Type,
                             PVOID Information, ULONG Length)
{
    ULONG64 Data[2] = {0};
    KPROCESSOR_MODE Mode = ExGetPreviousMode();
    const SVC_CLASS *Class = SvcFindClass(Classes, Number);
    ULONG Size = Class == NULL ? 0 : Class->Size != 0 ? Class->Size : sizeof(UNICODE_STRING);
    PVOID Object;

    if (Class == NULL || Class->Set == NULL) {
        return STATUS_INVALID_INFO_CLASS;
    }
    if (Length != Size) {
        return STATUS_INFO_LENGTH_MISMATCH;
    }
    Data[0] = (ULONG64)Information;
    NTSTATUS Status = Class->Size != 0 ? ExCopyIn(Data, Information, Size, Mode) : STATUS_SUCCESS;
    if (NT_SUCCESS(Status)) {
        Status = ObReferenceObjectByHandle(Handle, Classes->Set, Type, Mode, &Object, NULL);
    }
    if (NT_SUCCESS(Status)) {
        Status = Class->Set(Data, Object);
        ObDereferenceObject(Object);
    }
    return Status;
}

/* The answer of a class that only says no: there is no debugger, no other architecture, no session but the
   first. */
static void SvcFillNothing(PVOID Data, PVOID Object)
{
}

/* ---- Times ---- */

ULONG64 SvcCyclesToTime(ULONG64 Cycles)
{
    ULONG64 Rate = ArchCyclesPerSecond();
    return Cycles / Rate * 10000000 + Cycles % Rate * 10000000 / Rate;
}

/* Cycles: user time in User included. */
static void SvcFillTimes(KERNEL_USER_TIMES *Times, LARGE_INTEGER Create, LARGE_INTEGER Exit, ULONG64 Cycles, ULONG64 User)
{
    Times->CreateTime = Create;
    Times->ExitTime = Exit;
    Times->KernelTime.QuadPart = (LONGLONG)SvcCyclesToTime(Cycles - User);
    Times->UserTime.QuadPart = (LONGLONG)SvcCyclesToTime(User);
}

/* ---- Processes: questions ---- */

ULONG SvcHandleCount(PEPROCESS Process)
{
    ULONG Count = 0;
    if (PsAcquireProcessAccess(Process)) {
        Count = ObCountHandles(Process->Pcb.HandleTable);
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
    ULONG64 User = 0, Cycles = PsProcessCycles(Process, &User);
    SvcFillTimes(Data, Process->CreateTime, Process->ExitTime, Cycles, User);
}

static void SvcFillHandleCount(PVOID Data, PVOID Object)
{
    *(PULONG)Data = SvcHandleCount(Object);
}

static void SvcFillProcessCycles(PVOID Data, PVOID Object)
{
    ULONG64 User = 0;
    ((PROCESS_CYCLE_TIME_INFORMATION *)Data)->AccumulatedCycles = PsProcessCycles(Object, &User);
    ((PROCESS_CYCLE_TIME_INFORMATION *)Data)->CurrentCycleCount = ArchReadCycles();
}

static void SvcFillProcessSubsystem(PVOID Data, PVOID Object)
{
    *(SUBSYSTEM_INFORMATION_TYPE *)Data = ((PEPROCESS)Object)->SubsystemInformationType;
}

static void SvcFillImageName(PVOID Data, PVOID Object)
{
    *(PCUNICODE_STRING *)Data = &((PEPROCESS)Object)->ImageFileName;
}

/* The base priorities that the documentation gives the classes; 0: no class. */
static const UCHAR SvcClassPriority[] = {0, 4, 8, 13, 24, 6, 10};

static void SvcFillPriorityClass(PVOID Data, PVOID Object)
{
    PROCESS_PRIORITY_CLASS *Class = Data;
    for (ULONG i = 1; i < ARRAYSIZE(SvcClassPriority); i++) {
        if (SvcClassPriority[i] == ((PEPROCESS)Object)->Pcb.BasePriority) {
            Class->PriorityClass = (UCHAR)i;
        }
    }
}

/* ---- Processes: settings ---- */

/* The real-time priorities are the kernel's: a program that had them could keep the reaper from running. */
static NTSTATUS SvcCheckPriority(KPRIORITY Priority)
{
    if (Priority < 1 || Priority > 31) {
        return STATUS_INVALID_PARAMETER;
    }
    return Priority > 15 && ExGetPreviousMode() == UserMode ? STATUS_PRIVILEGE_NOT_HELD : STATUS_SUCCESS;
}

static NTSTATUS SvcCheckAffinity(KAFFINITY Affinity, KAFFINITY Allowed)
{
    return Affinity == 0 || (Affinity & ~(Allowed & KeActiveProcessors)) != 0 ? STATUS_INVALID_PARAMETER
                                                                              : STATUS_SUCCESS;
}

#define SVC_FIRST_THREAD(Process) ((Process)->ThreadListHead.Flink)
#define SVC_LISTED_THREAD(Link)   (&CONTAINING_RECORD(Link, ETHREAD, ThreadListEntry)->Tcb)

/* Each thread keeps its distance from the process. The process's Lock keeps new ones from joining: these have
   it from the process. */
static NTSTATUS SvcChangeBasePriority(PEPROCESS Process, KPRIORITY Priority)
{
    NTSTATUS Status = Process->SystemProcess ? STATUS_ACCESS_DENIED : SvcCheckPriority(Priority);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    KeLockExclusive(&Process->Lock);
    KPRIORITY Old = Process->Pcb.BasePriority;
    Process->Pcb.BasePriority = (SCHAR)Priority;
    for (PLIST_ENTRY Link = SVC_FIRST_THREAD(Process); Link != &Process->ThreadListHead; Link = Link->Flink) {
        KeSetBasePriorityThread(SVC_LISTED_THREAD(Link), SVC_LISTED_THREAD(Link)->BasePriority - Old);
    }
    KeUnlockExclusive(&Process->Lock);
    return STATUS_SUCCESS;
}

static NTSTATUS SvcSetBasePriority(const VOID *Data, PVOID Object)
{
    return SvcChangeBasePriority(Object, *(const KPRIORITY *)Data);
}

static NTSTATUS SvcSetPriorityClass(const VOID *Data, PVOID Object)
{
    ULONG Class = ((const PROCESS_PRIORITY_CLASS *)Data)->PriorityClass;
    return Class < ARRAYSIZE(SvcClassPriority) ? SvcChangeBasePriority(Object, SvcClassPriority[Class])
                                               : STATUS_INVALID_PARAMETER;
}

static NTSTATUS SvcSetProcessAffinity(const VOID *Data, PVOID Object)
{
    PEPROCESS Process = Object;
    KAFFINITY Affinity = *(const KAFFINITY *)Data;
    NTSTATUS Status = Process->SystemProcess ? STATUS_ACCESS_DENIED : SvcCheckAffinity(Affinity, KeActiveProcessors);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    KeLockExclusive(&Process->Lock);
    Process->Pcb.Affinity = Affinity;
    for (PLIST_ENTRY Link = SVC_FIRST_THREAD(Process); Link != &Process->ThreadListHead; Link = Link->Flink) {
        KeSetAffinityThread(SVC_LISTED_THREAD(Link), Affinity);
    }
    KeUnlockExclusive(&Process->Lock);
    return STATUS_SUCCESS;
}

static const SVC_CLASS SvcProcessClass[] = {
    {ProcessBasicInformation, sizeof(PROCESS_BASIC_INFORMATION), SvcFillProcessBasic, NULL},
    {ProcessTimes, sizeof(KERNEL_USER_TIMES), SvcFillProcessTimes, NULL},
    {ProcessBasePriority, sizeof(KPRIORITY), NULL, SvcSetBasePriority},
    {ProcessDebugPort, sizeof(ULONG_PTR), SvcFillNothing, NULL},
    {ProcessPriorityClass, sizeof(PROCESS_PRIORITY_CLASS), SvcFillPriorityClass, SvcSetPriorityClass},
    {ProcessHandleCount, sizeof(ULONG), SvcFillHandleCount, NULL},
    {ProcessAffinityMask, sizeof(KAFFINITY), NULL, SvcSetProcessAffinity},
    {ProcessSessionInformation, sizeof(ULONG), SvcFillNothing, NULL},
    {ProcessWow64Information, sizeof(ULONG_PTR), SvcFillNothing, NULL},
    {ProcessImageFileName, 0, SvcFillImageName, NULL},
    {ProcessBreakOnTermination, sizeof(ULONG), SvcFillNothing, NULL},
    {ProcessCycleTime, sizeof(PROCESS_CYCLE_TIME_INFORMATION), SvcFillProcessCycles, NULL},
    {ProcessSubsystemInformation, sizeof(SUBSYSTEM_INFORMATION_TYPE), SvcFillProcessSubsystem, NULL},
};
static const SVC_CLASSES SvcProcessClasses = {SvcProcessClass, ARRAYSIZE(SvcProcessClass), PROCESS_QUERY_INFORMATION,
                                              PROCESS_QUERY_LIMITED_INFORMATION, PROCESS_SET_INFORMATION};

/*
 * What Class says about a process. ExitStatus of a process that lives is STATUS_PENDING; a process without
 * PEB has NULL there. Image file name: a UNICODE_STRING with its text behind it, in any buffer that is large
 * enough; all others want exactly their size. STATUS_INVALID_INFO_CLASS; STATUS_INFO_LENGTH_MISMATCH, with
 * the right length in *ReturnLength; STATUS_DATATYPE_MISALIGNMENT, STATUS_ACCESS_VIOLATION;
 * STATUS_INVALID_HANDLE, STATUS_OBJECT_TYPE_MISMATCH, STATUS_ACCESS_DENIED (PROCESS_QUERY_LIMITED_INFORMATION
 * or PROCESS_QUERY_INFORMATION). PASSIVE. (WDK page of the name)
 */
NTSTATUS NtQueryInformationProcess(HANDLE ProcessHandle, PROCESSINFOCLASS Class, PVOID Information,
                                   ULONG Length, PULONG ReturnLength)
{
    SVC_ANSWER Answer = {Information, Length, ReturnLength, ExGetPreviousMode()};
    return SvcQueryObject(&SvcProcessClasses, Class, ProcessHandle, *PsProcessType, &Answer);
}

/*
 * Base priority (each thread keeps its distance), priority class, affinity mask (which becomes that of all
 * its threads). STATUS_INVALID_INFO_CLASS, STATUS_INFO_LENGTH_MISMATCH, STATUS_INVALID_PARAMETER (value),
 * STATUS_PRIVILEGE_NOT_HELD (real-time from user mode), STATUS_ACCESS_VIOLATION; STATUS_ACCESS_DENIED
 * (System; no PROCESS_SET_INFORMATION), STATUS_INVALID_HANDLE, STATUS_OBJECT_TYPE_MISMATCH. PASSIVE. (no WDK
 * page)
 */
NTSTATUS NtSetInformationProcess(HANDLE ProcessHandle, PROCESSINFOCLASS Class, PVOID Information, ULONG Length)
{
    return SvcSetObject(&SvcProcessClasses, Class, ProcessHandle, *PsProcessType, Information, Length);
}

/* ---- Threads: questions ---- */

PVOID SvcStartAddress(PETHREAD Thread)
{
    return (ULONG_PTR)Thread->StartAddress < MM_USER_END ? Thread->StartAddress : NULL;
}

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
    ULONG64 User = 0, Cycles = KeThreadCycles(&Thread->Tcb, &User);
    SvcFillTimes(Data, Thread->CreateTime, Thread->ExitTime, Cycles, User);
}

static void SvcFillStartAddress(PVOID Data, PVOID Object)
{
    *(PVOID *)Data = SvcStartAddress(Object);
}

static void SvcFillCounter(PVOID Data, PVOID Object)
{
    *(PLARGE_INTEGER)Data = KeQueryPerformanceCounter(NULL);
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

static void SvcFillThreadCycles(PVOID Data, PVOID Object)
{
    ULONG64 User = 0;
    ((THREAD_CYCLE_TIME_INFORMATION *)Data)->AccumulatedCycles = KeThreadCycles(&((PETHREAD)Object)->Tcb, &User);
    ((THREAD_CYCLE_TIME_INFORMATION *)Data)->CurrentCycleCount = ArchReadCycles();
}

static void SvcFillSuspendCount(PVOID Data, PVOID Object)
{
    *(PULONG)Data = (ULONG)((PETHREAD)Object)->Tcb.SuspendCount;
}

static void SvcFillThreadName(PVOID Data, PVOID Object)
{
    *(PCUNICODE_STRING *)Data = &((PETHREAD)Object)->Name;
}

static void SvcFillThreadSubsystem(PVOID Data, PVOID Object)
{
    SvcFillProcessSubsystem(Data, PsThreadProcess(Object));
}

/* ---- Threads: settings ---- */

static NTSTATUS SvcCheckAlive(PETHREAD Thread)
{
    return Thread->Tcb.Header.SignalState != 0 ? STATUS_THREAD_IS_TERMINATING : STATUS_SUCCESS;
}

static NTSTATUS SvcSetPriority(const VOID *Data, PVOID Object)
{
    KPRIORITY Priority = *(const KPRIORITY *)Data;
    NTSTATUS Status = SvcCheckAlive(Object);
    if (NT_SUCCESS(Status)) {
        Status = SvcCheckPriority(Priority);
    }
    if (NT_SUCCESS(Status)) {
        KeSetPriorityThread(&((PETHREAD)Object)->Tcb, Priority);
    }
    return Status;
}

static NTSTATUS SvcSetIncrement(const VOID *Data, PVOID Object)
{
    NTSTATUS Status = SvcCheckAlive(Object);
    if (NT_SUCCESS(Status)) {
        KeSetBasePriorityThread(&((PETHREAD)Object)->Tcb, *(const LONG *)Data);
    }
    return Status;
}

static NTSTATUS SvcSetThreadAffinity(const VOID *Data, PVOID Object)
{
    PETHREAD Thread = Object;
    KAFFINITY Affinity = *(const KAFFINITY *)Data;
    NTSTATUS Status = SvcCheckAlive(Object);
    if (NT_SUCCESS(Status)) {
        Status = SvcCheckAffinity(Affinity, Thread->Tcb.Process->Affinity);
    }
    if (NT_SUCCESS(Status)) {
        KeSetAffinityThread(&Thread->Tcb, Affinity);
    }
    return Status;
}

static NTSTATUS SvcSetIdealProcessor(const VOID *Data, PVOID Object)
{
    ULONG Processor = *(const ULONG *)Data;
    NTSTATUS Status = SvcCheckAlive(Object);
    if (!NT_SUCCESS(Status) || Processor == MAXIMUM_PROCESSORS) { /* that many: nothing is changed, as documented */
        return Status;
    }
    if (Processor >= KeNumberProcessors) {
        return STATUS_INVALID_PARAMETER;
    }
    KeSetIdealProcessorThread(&((PETHREAD)Object)->Tcb, (UCHAR)Processor);
    return STATUS_SUCCESS;
}

#define SVC_LONGEST_NAME 512 /* bytes */

static NTSTATUS SvcSetThreadName(const VOID *Data, PVOID Object)
{
    PETHREAD Thread = Object;
    UNICODE_STRING Old, New;
    NTSTATUS Status = ExCaptureUnicodeString(&New, *(PCUNICODE_STRING const *)Data, SVC_LONGEST_NAME,
                                             ExGetPreviousMode());
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    KeLockExclusive(&PsImageLock);
    Old = Thread->Name;
    Thread->Name = New;
    KeUnlockExclusive(&PsImageLock);
    ExFreeUnicodeString(&Old);
    return STATUS_SUCCESS;
}

static const SVC_CLASS SvcThreadClass[] = {
    {ThreadBasicInformation, sizeof(THREAD_BASIC_INFORMATION), SvcFillThreadBasic, NULL},
    {ThreadTimes, sizeof(KERNEL_USER_TIMES), SvcFillThreadTimes, NULL},
    {ThreadPriority, sizeof(KPRIORITY), NULL, SvcSetPriority},
    {ThreadBasePriority, sizeof(LONG), NULL, SvcSetIncrement},
    {ThreadAffinityMask, sizeof(KAFFINITY), NULL, SvcSetThreadAffinity},
    {ThreadQuerySetWin32StartAddress, sizeof(PVOID), SvcFillStartAddress, NULL},
    {ThreadPerformanceCount, sizeof(LARGE_INTEGER), SvcFillCounter, NULL},
    {ThreadAmILastThread, sizeof(ULONG), SvcFillIsLast, NULL},
    {ThreadIdealProcessor, sizeof(ULONG), NULL, SvcSetIdealProcessor},
    {ThreadBreakOnTermination, sizeof(ULONG), SvcFillNothing, NULL},
    {ThreadIsTerminated, sizeof(ULONG), SvcFillIsTerminated, NULL},
    {ThreadCycleTime, sizeof(THREAD_CYCLE_TIME_INFORMATION), SvcFillThreadCycles, NULL},
    {ThreadSuspendCount, sizeof(ULONG), SvcFillSuspendCount, NULL},
    {ThreadNameInformation, 0, SvcFillThreadName, SvcSetThreadName},
    {ThreadSubsystemInformation, sizeof(SUBSYSTEM_INFORMATION_TYPE), SvcFillThreadSubsystem, NULL},
};
static const SVC_CLASSES SvcThreadClasses = {SvcThreadClass, ARRAYSIZE(SvcThreadClass), THREAD_QUERY_INFORMATION,
                                             THREAD_QUERY_LIMITED_INFORMATION, THREAD_SET_INFORMATION};
C_ASSERT(sizeof(PROCESS_BASIC_INFORMATION) <= SVC_LARGEST_ANSWER &&
         sizeof(THREAD_BASIC_INFORMATION) <= SVC_LARGEST_ANSWER &&
         sizeof(KERNEL_USER_TIMES) <= SVC_LARGEST_ANSWER);

/* What Class says about a thread, as NtQueryInformationProcess; the name is a string, too. Right:
   THREAD_QUERY_LIMITED_INFORMATION or THREAD_QUERY_INFORMATION. A start address in the kernel is told as
   NULL. PASSIVE. (WDK page of the name) */
NTSTATUS NtQueryInformationThread(HANDLE ThreadHandle, THREADINFOCLASS Class, PVOID Information, ULONG Length,
                                  PULONG ReturnLength)
{
    SVC_ANSWER Answer = {Information, Length, ReturnLength, ExGetPreviousMode()};
    return SvcQueryObject(&SvcThreadClasses, Class, ThreadHandle, *PsThreadType, &Answer);
}

/* Priority, base priority (relative to the process's), affinity mask (a part of the process's), ideal
   processor, name. STATUS_INVALID_INFO_CLASS, STATUS_INFO_LENGTH_MISMATCH, STATUS_INVALID_PARAMETER (value),
   STATUS_PRIVILEGE_NOT_HELD (real-time from user mode), STATUS_THREAD_IS_TERMINATING,
   STATUS_ACCESS_VIOLATION; STATUS_NAME_TOO_LONG, STATUS_INSUFFICIENT_RESOURCES (name); handle errors
   (THREAD_SET_INFORMATION). PASSIVE. (WDK page of the name) */
NTSTATUS NtSetInformationThread(HANDLE ThreadHandle, THREADINFOCLASS Class, PVOID Information, ULONG Length)
{
    return SvcSetObject(&SvcThreadClasses, Class, ThreadHandle, *PsThreadType, Information, Length);
}
