/* SPDX-License-Identifier: MIT */
/*
 * What a driver can ask about processes and threads: the two forms of the system services, the classes of
 * ZwQueryInformationProcess and -Thread, what can be set, the list of processes without memory. The same
 * questions from programs are tests/user/query's; from inside a program's call they are
 * tests/outside/notify's.
 */
#include "../ktest.h"
#include <ntifs.h>
#include <primertest.h>

#define SELF   ZwCurrentProcess()
#define MYSELF ZwCurrentThread()

/* ---- The two forms of a service ---- */

/* Each service is exported in both forms, which are two routines. */
static PCSTR BothForms(VOID)
{
    static const struct {
        PCWSTR Nt, Zw;
    } Services[] = {
#define SERVICE(Name, Arguments) {L"Nt" #Name, L"Zw" #Name},
        NT_SERVICES(SERVICE)};
    for (ULONG i = 0; i < RTL_NUMBER_OF(Services); i++) {
        UNICODE_STRING Nt, Zw;
        RtlInitUnicodeString(&Nt, Services[i].Nt);
        RtlInitUnicodeString(&Zw, Services[i].Zw);
        PVOID NtAddress = MmGetSystemRoutineAddress(&Nt), ZwAddress = MmGetSystemRoutineAddress(&Zw);
        KTEST_CHECK(NtAddress != NULL && ZwAddress != NULL && NtAddress != ZwAddress);
    }
    return NULL;
}

/* A thread that no program has called counts as kernel mode, before, inside and after a Zw call. */
static PCSTR PreviousMode(VOID)
{
    KTEST_CHECK(ExGetPreviousMode() == KernelMode);
    KTEST_CHECK(ZwNull() == STATUS_SUCCESS);
    KTEST_CHECK(ZwYieldExecution() == STATUS_SUCCESS);
    KTEST_CHECK(ExGetPreviousMode() == KernelMode);
    /* What goes on in user mode is not for callers in the kernel. */
    KTEST_CHECK(ZwContinue(NULL, FALSE) == STATUS_INVALID_PARAMETER);
    KTEST_CHECK(ZwRaiseException(NULL, NULL, TRUE) == STATUS_INVALID_PARAMETER);
    return NULL;
}

/* Arguments in registers and on the stack arrive: calls with none to eleven of them. */
static PCSTR Arguments(VOID)
{
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\Boot\\native");
    OBJECT_ATTRIBUTES Attributes;
    IO_STATUS_BLOCK Io;
    HANDLE Event, Folder, Copy;
    LARGE_INTEGER Now = {.QuadPart = 0}, Zero = {.QuadPart = 0};
    MEMORY_BASIC_INFORMATION Memory;
    alignas(8) UCHAR Entries[512];
    LONG Previous = 7;

    KTEST_CHECK(ZwQuerySystemTime(&Now) == STATUS_SUCCESS && Now.QuadPart > 0);
    InitializeObjectAttributes(&Attributes, NULL, OBJ_KERNEL_HANDLE, NULL, NULL);
    KTEST_CHECK(ZwCreateEvent(&Event, EVENT_ALL_ACCESS, &Attributes, SynchronizationEvent, FALSE) == STATUS_SUCCESS);
    KTEST_CHECK(ZwSetEvent(Event, &Previous) == STATUS_SUCCESS && Previous == 0);
    KTEST_CHECK(ZwWaitForSingleObject(Event, FALSE, &Zero) == STATUS_SUCCESS);
    KTEST_CHECK(ZwWaitForMultipleObjects(1, &Event, WaitAny, FALSE, &Zero) == STATUS_TIMEOUT);
    KTEST_CHECK(ZwQueryVirtualMemory(SELF, &Name, 0, &Memory, sizeof(Memory), NULL) != STATUS_SUCCESS);
    KTEST_CHECK(ZwDuplicateObject(SELF, Event, SELF, &Copy, 0, OBJ_KERNEL_HANDLE, DUPLICATE_SAME_ACCESS) ==
                STATUS_SUCCESS);
    KTEST_CHECK(ZwClose(Copy) == STATUS_SUCCESS && ZwClose(Event) == STATUS_SUCCESS);
    KTEST_CHECK(ZwClose(Event) == STATUS_INVALID_HANDLE);

    InitializeObjectAttributes(&Attributes, &Name, OBJ_KERNEL_HANDLE, NULL, NULL);
    KTEST_CHECK(ZwOpenFile(&Folder, GENERIC_READ, &Attributes, &Io, 0, 0) == STATUS_SUCCESS);
    KTEST_CHECK(ZwQueryDirectoryFile(Folder, NULL, NULL, NULL, &Io, Entries, sizeof(Entries), FileDirectoryInformation,
                                     TRUE, NULL, TRUE) == STATUS_SUCCESS);
    KTEST_CHECK(((FILE_DIRECTORY_INFORMATION *)Entries)->FileNameLength != 0);
    return ZwClose(Folder) == STATUS_SUCCESS ? NULL : "the folder's handle";
}

/* ---- Processes ---- */

static HANDLE OpenProcess(HANDLE Id, NTSTATUS *Status)
{
    OBJECT_ATTRIBUTES Attributes;
    CLIENT_ID ClientId = {Id, NULL};
    HANDLE Handle = NULL;
    InitializeObjectAttributes(&Attributes, NULL, OBJ_KERNEL_HANDLE, NULL, NULL);
    *Status = ZwOpenProcess(&Handle, PROCESS_ALL_ACCESS, &Attributes, &ClientId);
    return Handle;
}

/* The System process, by a handle of its id and by the pseudo handle. */
static PCSTR ProcessBasic(VOID)
{
    PROCESS_BASIC_INFORMATION Basic;
    ULONG Length = 0;
    NTSTATUS Status;
    HANDLE System = OpenProcess(PsGetProcessId(PsInitialSystemProcess), &Status);
    KTEST_CHECK(Status == STATUS_SUCCESS);
    RtlFillMemory(&Basic, sizeof(Basic), 0xff);
    KTEST_CHECK(ZwQueryInformationProcess(System, ProcessBasicInformation, &Basic, sizeof(Basic), &Length) ==
                STATUS_SUCCESS);
    KTEST_CHECK(Length == 48 && Basic.ExitStatus == STATUS_PENDING && Basic.PebBaseAddress == NULL);
    KTEST_CHECK(Basic.UniqueProcessId == 4 && Basic.BasePriority == 8);
    KTEST_CHECK(Basic.AffinityMask == KeQueryActiveProcessors());
    KTEST_CHECK(ZwQueryInformationProcess(SELF, ProcessBasicInformation, &Basic, sizeof(Basic), NULL) == STATUS_SUCCESS);
    KTEST_CHECK(Basic.UniqueProcessId == (ULONG_PTR)PsGetCurrentProcessId());
    return ZwClose(System) == STATUS_SUCCESS ? NULL : "the handle";
}

static PCSTR ProcessErrors(VOID)
{
    PROCESS_BASIC_INFORMATION Basic;
    ULONG Length = 0;
    NTSTATUS Status;
    KTEST_CHECK(ZwQueryInformationProcess(SELF, ProcessBasicInformation, &Basic, 47, &Length) ==
                STATUS_INFO_LENGTH_MISMATCH);
    KTEST_CHECK(Length == 48);
    KTEST_CHECK(ZwQueryInformationProcess(SELF, ProcessBasicInformation, &Basic, 49, NULL) ==
                STATUS_INFO_LENGTH_MISMATCH);
    KTEST_CHECK(ZwQueryInformationProcess(SELF, (PROCESSINFOCLASS)4711, &Basic, 4, NULL) == STATUS_INVALID_INFO_CLASS);
    KTEST_CHECK(ZwQueryInformationProcess(SELF, ProcessBasePriority, &Length, 4, NULL) == STATUS_INVALID_INFO_CLASS);
    KTEST_CHECK(ZwQueryInformationProcess(MYSELF, ProcessBasicInformation, &Basic, 48, NULL) ==
                STATUS_OBJECT_TYPE_MISMATCH);
    KTEST_CHECK(ZwQueryInformationProcess((HANDLE)0x7ffffffcULL, ProcessBasicInformation, &Basic, 48, NULL) ==
                STATUS_INVALID_HANDLE);
    OpenProcess((HANDLE)0x7ffffffcULL, &Status);
    KTEST_CHECK(Status == STATUS_INVALID_CID);
    return NULL;
}

/* What there is none of says 0: debugger, other architecture, session, critical processes; System is of no
   subsystem. */
static PCSTR ProcessFixedAnswers(VOID)
{
    ULONG_PTR Wide;
    ULONG Narrow;
    PROCESS_SESSION_INFORMATION Session = {99};
    SUBSYSTEM_INFORMATION_TYPE Type = MaxSubsystemInformationType;
    Wide = 99;
    KTEST_CHECK(ZwQueryInformationProcess(SELF, ProcessDebugPort, &Wide, 8, NULL) == STATUS_SUCCESS && Wide == 0);
    Wide = 99;
    KTEST_CHECK(ZwQueryInformationProcess(SELF, ProcessWow64Information, &Wide, 8, NULL) == STATUS_SUCCESS && Wide == 0);
    Narrow = 99;
    KTEST_CHECK(ZwQueryInformationProcess(SELF, ProcessBreakOnTermination, &Narrow, 4, NULL) == STATUS_SUCCESS &&
                Narrow == 0);
    KTEST_CHECK(ZwQueryInformationProcess(SELF, ProcessSessionInformation, &Session, sizeof(Session), NULL) ==
                    STATUS_SUCCESS &&
                Session.SessionId == 0);
    KTEST_CHECK(ZwQueryInformationProcess(SELF, ProcessSubsystemInformation, &Type, sizeof(Type), NULL) ==
                    STATUS_SUCCESS &&
                Type == SubsystemInformationTypeWin32);
    return NULL;
}

static PCSTR ProcessNumbers(VOID)
{
    KERNEL_USER_TIMES Times;
    PROCESS_CYCLE_TIME_INFORMATION Before, After;
    ULONG Handles, More;
    HANDLE Event;
    KTEST_CHECK(ZwQueryInformationProcess(SELF, ProcessTimes, &Times, sizeof(Times), NULL) == STATUS_SUCCESS);
    KTEST_CHECK(Times.CreateTime.QuadPart == PsGetProcessCreateTimeQuadPart(PsGetCurrentProcess()));
    KTEST_CHECK(Times.ExitTime.QuadPart == 0 && Times.KernelTime.QuadPart > 0);
    KTEST_CHECK(ZwQueryInformationProcess(SELF, ProcessCycleTime, &Before, sizeof(Before), NULL) == STATUS_SUCCESS);
    KTEST_CHECK(ZwQueryInformationProcess(SELF, ProcessCycleTime, &After, sizeof(After), NULL) == STATUS_SUCCESS);
    KTEST_CHECK(After.AccumulatedCycles > Before.AccumulatedCycles && After.CurrentCycleCount > Before.CurrentCycleCount);

    /* Others of System may open and close handles meanwhile, as threads that end do: a few tries. */
    for (ULONG Try = 0; Try < 100; Try++) {
        KTEST_CHECK(ZwQueryInformationProcess(SELF, ProcessHandleCount, &Handles, 4, NULL) == STATUS_SUCCESS);
        KTEST_CHECK(ZwCreateEvent(&Event, EVENT_ALL_ACCESS, NULL, NotificationEvent, FALSE) == STATUS_SUCCESS);
        KTEST_CHECK(ZwQueryInformationProcess(SELF, ProcessHandleCount, &More, 4, NULL) == STATUS_SUCCESS);
        KTEST_CHECK(ZwClose(Event) == STATUS_SUCCESS);
        if (More == Handles + 1) {
            return NULL;
        }
    }
    return "the handle count does not follow";
}

/* A counted string with its text behind it, in kernel memory. */
static PCSTR ProcessName(VOID)
{
    UNICODE_STRING System = RTL_CONSTANT_STRING(L"System");
    alignas(8) UCHAR Buffer[128];
    PUNICODE_STRING Name = (PUNICODE_STRING)Buffer;
    ULONG Needed = 0, Length = 0;
    KTEST_CHECK(ZwQueryInformationProcess(SELF, ProcessImageFileName, Buffer, 4, &Needed) == STATUS_INFO_LENGTH_MISMATCH);
    KTEST_CHECK(Needed == sizeof(UNICODE_STRING) + System.Length + sizeof(WCHAR));
    KTEST_CHECK(ZwQueryInformationProcess(SELF, ProcessImageFileName, Buffer, sizeof(Buffer), &Length) == STATUS_SUCCESS);
    KTEST_CHECK(Length == Needed && Name->Buffer == (PWCHAR)(Name + 1) && RtlEqualUnicodeString(Name, &System, FALSE));
    return NULL;
}

/* Nobody changes System, whose threads' priorities are the kernel's affair. */
static PCSTR SystemStays(VOID)
{
    KPRIORITY Priority = 9;
    KAFFINITY Affinity = 1;
    PROCESS_PRIORITY_CLASS Class = {FALSE, PROCESS_PRIORITY_CLASS_UNKNOWN};
    KTEST_CHECK(ZwSetInformationProcess(SELF, ProcessBasePriority, &Priority, 4) == STATUS_ACCESS_DENIED);
    KTEST_CHECK(ZwSetInformationProcess(SELF, ProcessAffinityMask, &Affinity, 8) == STATUS_ACCESS_DENIED);
    KTEST_CHECK(ZwQueryInformationProcess(SELF, ProcessPriorityClass, &Class, sizeof(Class), NULL) == STATUS_SUCCESS);
    KTEST_CHECK(Class.PriorityClass == PROCESS_PRIORITY_CLASS_NORMAL);
    KTEST_CHECK(ZwSetInformationProcess(SELF, ProcessPriorityClass, &Class, sizeof(Class)) == STATUS_ACCESS_DENIED);
    KTEST_CHECK(ZwSetInformationProcess(SELF, ProcessBasicInformation, &Class, 2) == STATUS_INVALID_INFO_CLASS);
    KTEST_CHECK(ZwTerminateProcess(SELF, 1) == STATUS_ACCESS_DENIED);
    return NULL;
}

/* ---- Threads ---- */

static KEVENT Release;

static VOID WaitForRelease(PVOID Context)
{
    KeWaitForSingleObject(&Release, Executive, KernelMode, FALSE, NULL);
    PsTerminateSystemThread(17);
}

/* A thread of the System process that lives until Release. */
static HANDLE StartThread(CLIENT_ID *Id)
{
    HANDLE Thread = NULL;
    KeInitializeEvent(&Release, NotificationEvent, FALSE);
    PsCreateSystemThread(&Thread, THREAD_ALL_ACCESS, NULL, NULL, Id, WaitForRelease, NULL);
    return Thread;
}

static PCSTR ThreadBasic(VOID)
{
    CLIENT_ID Id;
    THREAD_BASIC_INFORMATION Basic;
    ULONG Length = 0, Terminated = 9;
    HANDLE Opened;
    OBJECT_ATTRIBUTES Attributes;
    HANDLE Thread = StartThread(&Id);
    KTEST_CHECK(Thread != NULL);
    KTEST_CHECK(ZwQueryInformationThread(Thread, ThreadBasicInformation, &Basic, sizeof(Basic), &Length) ==
                STATUS_SUCCESS);
    KTEST_CHECK(Length == 48 && Basic.ExitStatus == STATUS_PENDING && Basic.TebBaseAddress == NULL);
    KTEST_CHECK(Basic.ClientId.UniqueThread == Id.UniqueThread && Basic.ClientId.UniqueProcess == Id.UniqueProcess);
    KTEST_CHECK(Basic.Priority == 8 && Basic.BasePriority == 8 && Basic.AffinityMask == KeQueryActiveProcessors());
    KTEST_CHECK(ZwQueryInformationThread(Thread, ThreadIsTerminated, &Terminated, 4, NULL) == STATUS_SUCCESS);
    KTEST_CHECK(Terminated == 0);

    InitializeObjectAttributes(&Attributes, NULL, OBJ_KERNEL_HANDLE, NULL, NULL);
    KTEST_CHECK(ZwOpenThread(&Opened, THREAD_ALL_ACCESS, &Attributes, &Id) == STATUS_SUCCESS);
    KeSetEvent(&Release, IO_NO_INCREMENT, FALSE);
    KTEST_CHECK(ZwWaitForSingleObject(Opened, FALSE, NULL) == STATUS_SUCCESS);
    KTEST_CHECK(ZwQueryInformationThread(Opened, ThreadBasicInformation, &Basic, sizeof(Basic), NULL) == STATUS_SUCCESS);
    KTEST_CHECK(Basic.ExitStatus == 17);
    KTEST_CHECK(ZwQueryInformationThread(Opened, ThreadIsTerminated, &Terminated, 4, NULL) == STATUS_SUCCESS);
    KTEST_CHECK(Terminated == 1);
    KPRIORITY Priority = 9;
    KTEST_CHECK(ZwSetInformationThread(Opened, ThreadPriority, &Priority, 4) == STATUS_THREAD_IS_TERMINATING);
    KTEST_CHECK(ZwClose(Opened) == STATUS_SUCCESS && ZwClose(Thread) == STATUS_SUCCESS);
    return NULL;
}

static PCSTR ThreadErrors(VOID)
{
    THREAD_BASIC_INFORMATION Basic;
    ULONG Length = 0;
    KTEST_CHECK(ZwQueryInformationThread(MYSELF, ThreadBasicInformation, &Basic, 8, &Length) ==
                STATUS_INFO_LENGTH_MISMATCH);
    KTEST_CHECK(Length == 48);
    KTEST_CHECK(ZwQueryInformationThread(MYSELF, (THREADINFOCLASS)4711, &Basic, 48, NULL) == STATUS_INVALID_INFO_CLASS);
    KTEST_CHECK(ZwQueryInformationThread(MYSELF, ThreadPriority, &Length, 4, NULL) == STATUS_INVALID_INFO_CLASS);
    KTEST_CHECK(ZwQueryInformationThread(SELF, ThreadBasicInformation, &Basic, 48, NULL) == STATUS_OBJECT_TYPE_MISMATCH);
    KTEST_CHECK(ZwQueryInformationThread(NULL, ThreadBasicInformation, &Basic, 48, NULL) == STATUS_INVALID_HANDLE);
    KTEST_CHECK(ZwSetInformationThread(MYSELF, ThreadTimes, &Basic, 32) == STATUS_INVALID_INFO_CLASS);
    KTEST_CHECK(ZwSetInformationThread(MYSELF, ThreadPriority, &Length, 8) == STATUS_INFO_LENGTH_MISMATCH);
    KTEST_CHECK(ZwSetInformationThread(NULL, ThreadPriority, &Length, 4) == STATUS_INVALID_HANDLE);
    KTEST_CHECK(ZwTerminateThread(MYSELF, 1) == STATUS_INVALID_PARAMETER); /* a system thread ends itself in another way */
    return NULL;
}

static PCSTR ThreadNumbers(VOID)
{
    KERNEL_USER_TIMES Times;
    THREAD_CYCLE_TIME_INFORMATION Before, After;
    LARGE_INTEGER Counter, Later;
    ULONG Last = 9, Suspended = 9, Break = 9;
    SUBSYSTEM_INFORMATION_TYPE Type = MaxSubsystemInformationType;
    KTEST_CHECK(ZwQueryInformationThread(MYSELF, ThreadTimes, &Times, sizeof(Times), NULL) == STATUS_SUCCESS);
    KTEST_CHECK(Times.CreateTime.QuadPart > 0 && Times.ExitTime.QuadPart == 0);
    KTEST_CHECK(ZwQueryInformationThread(MYSELF, ThreadCycleTime, &Before, sizeof(Before), NULL) == STATUS_SUCCESS);
    KTEST_CHECK(ZwQueryInformationThread(MYSELF, ThreadCycleTime, &After, sizeof(After), NULL) == STATUS_SUCCESS);
    KTEST_CHECK(After.AccumulatedCycles > Before.AccumulatedCycles && After.CurrentCycleCount > Before.CurrentCycleCount);
    KTEST_CHECK(ZwQueryInformationThread(MYSELF, ThreadPerformanceCount, &Counter, 8, NULL) == STATUS_SUCCESS);
    Later = KeQueryPerformanceCounter(NULL);
    KTEST_CHECK(Counter.QuadPart > 0 && Counter.QuadPart <= Later.QuadPart);
    KTEST_CHECK(ZwQueryInformationThread(MYSELF, ThreadAmILastThread, &Last, 4, NULL) == STATUS_SUCCESS && Last == 0);
    KTEST_CHECK(ZwQueryInformationThread(MYSELF, ThreadSuspendCount, &Suspended, 4, NULL) == STATUS_SUCCESS);
    KTEST_CHECK(Suspended == 0);
    KTEST_CHECK(ZwQueryInformationThread(MYSELF, ThreadBreakOnTermination, &Break, 4, NULL) == STATUS_SUCCESS);
    KTEST_CHECK(Break == 0);
    KTEST_CHECK(ZwQueryInformationThread(MYSELF, ThreadSubsystemInformation, &Type, 4, NULL) == STATUS_SUCCESS);
    KTEST_CHECK(Type == SubsystemInformationTypeWin32);
    return NULL;
}

/* Priority: the thread's; base priority: relative to the process's; affinity; ideal processor. */
static PCSTR ThreadSettings(VOID)
{
    CLIENT_ID Id;
    THREAD_BASIC_INFORMATION Basic;
    HANDLE Thread = StartThread(&Id);
    KPRIORITY Priority = 12;
    LONG Increment = -3;
    KAFFINITY All = KeQueryActiveProcessors(), One = All & -All, Wrong = ~All;
    ULONG Processor = 0;
    KTEST_CHECK(Thread != NULL);
    KTEST_CHECK(ZwSetInformationThread(Thread, ThreadPriority, &Priority, 4) == STATUS_SUCCESS);
    KTEST_CHECK(ZwQueryInformationThread(Thread, ThreadBasicInformation, &Basic, sizeof(Basic), NULL) == STATUS_SUCCESS);
    KTEST_CHECK(Basic.Priority == 12 && Basic.BasePriority == 12);
    KTEST_CHECK(ZwSetInformationThread(Thread, ThreadBasePriority, &Increment, 4) == STATUS_SUCCESS);
    KTEST_CHECK(ZwSetInformationThread(Thread, ThreadAffinityMask, &One, 8) == STATUS_SUCCESS);
    KTEST_CHECK(ZwQueryInformationThread(Thread, ThreadBasicInformation, &Basic, sizeof(Basic), NULL) == STATUS_SUCCESS);
    KTEST_CHECK(Basic.BasePriority == 5 && Basic.AffinityMask == One);
    KTEST_CHECK(ZwSetInformationThread(Thread, ThreadIdealProcessor, &Processor, 4) == STATUS_SUCCESS);
    Processor = 64; /* that many at most: changes nothing */
    KTEST_CHECK(ZwSetInformationThread(Thread, ThreadIdealProcessor, &Processor, 4) == STATUS_SUCCESS);

    Priority = 31; /* a kernel caller may */
    KTEST_CHECK(ZwSetInformationThread(Thread, ThreadPriority, &Priority, 4) == STATUS_SUCCESS);
    Priority = 32;
    KTEST_CHECK(ZwSetInformationThread(Thread, ThreadPriority, &Priority, 4) == STATUS_INVALID_PARAMETER);
    Priority = 0;
    KTEST_CHECK(ZwSetInformationThread(Thread, ThreadPriority, &Priority, 4) == STATUS_INVALID_PARAMETER);
    KTEST_CHECK(ZwSetInformationThread(Thread, ThreadAffinityMask, &Wrong, 8) == STATUS_INVALID_PARAMETER);
    One = 0;
    KTEST_CHECK(ZwSetInformationThread(Thread, ThreadAffinityMask, &One, 8) == STATUS_INVALID_PARAMETER);
    Processor = 63;
    KTEST_CHECK(KeQueryActiveProcessorCount(NULL) > 63 ||
                ZwSetInformationThread(Thread, ThreadIdealProcessor, &Processor, 4) == STATUS_INVALID_PARAMETER);
    KeSetEvent(&Release, IO_NO_INCREMENT, FALSE);
    KTEST_CHECK(ZwWaitForSingleObject(Thread, FALSE, NULL) == STATUS_SUCCESS);
    return ZwClose(Thread) == STATUS_SUCCESS ? NULL : "the handle";
}

/* A thread has the name that somebody gave it last, or an empty one. */
static PCSTR ThreadName(VOID)
{
    CLIENT_ID Id;
    THREAD_NAME_INFORMATION Name = {RTL_CONSTANT_STRING(L"worker bee")}, Other = {RTL_CONSTANT_STRING(L"drone")};
    alignas(8) UCHAR Buffer[64];
    THREAD_NAME_INFORMATION *Answer = (THREAD_NAME_INFORMATION *)Buffer;
    ULONG Length = 0;
    HANDLE Thread = StartThread(&Id);
    KTEST_CHECK(ZwQueryInformationThread(Thread, ThreadNameInformation, Buffer, sizeof(Buffer), &Length) ==
                STATUS_SUCCESS);
    KTEST_CHECK(Answer->ThreadName.Length == 0);
    KTEST_CHECK(ZwSetInformationThread(Thread, ThreadNameInformation, &Other, sizeof(Other)) == STATUS_SUCCESS);
    KTEST_CHECK(ZwSetInformationThread(Thread, ThreadNameInformation, &Name, sizeof(Name)) == STATUS_SUCCESS);
    KTEST_CHECK(ZwQueryInformationThread(Thread, ThreadNameInformation, Buffer, 20, &Length) ==
                STATUS_INFO_LENGTH_MISMATCH);
    KTEST_CHECK(Length == sizeof(UNICODE_STRING) + 20 + sizeof(WCHAR));
    KTEST_CHECK(ZwQueryInformationThread(Thread, ThreadNameInformation, Buffer, sizeof(Buffer), &Length) ==
                STATUS_SUCCESS);
    KTEST_CHECK(RtlEqualUnicodeString(&Answer->ThreadName, &Name.ThreadName, FALSE));
    Name.ThreadName.Length = 1;
    KTEST_CHECK(ZwSetInformationThread(Thread, ThreadNameInformation, &Name, sizeof(Name)) ==
                STATUS_OBJECT_NAME_INVALID);
    KeSetEvent(&Release, IO_NO_INCREMENT, FALSE);
    KTEST_CHECK(ZwWaitForSingleObject(Thread, FALSE, NULL) == STATUS_SUCCESS);
    return ZwClose(Thread) == STATUS_SUCCESS ? NULL : "the handle";
}

/* ---- The list of processes ---- */

static UCHAR List[0x8000];

/* TRUE: it leads from entry to entry to the System process, and no thread has a start address of the
   kernel's. */
static BOOLEAN ListIsRight(ULONG Size)
{
    BOOLEAN Found = FALSE;
    for (ULONG Offset = 0;;) {
        SYSTEM_PROCESS_INFORMATION *Entry = (SYSTEM_PROCESS_INFORMATION *)(List + Offset);
        Found |= Entry->UniqueProcessId == ULongToHandle(4) && Entry->NumberOfThreads > 2 && Entry->ImageName.Length == 12 &&
                 RtlCompareMemory(Entry->ImageName.Buffer, L"System", 14) == 14;
        for (ULONG i = 0; i < Entry->NumberOfThreads; i++) {
            if ((LONG_PTR)Entry->Threads[i].StartAddress < 0 || Entry->Threads[i].ClientId.UniqueProcess != Entry->UniqueProcessId) {
                return FALSE;
            }
        }
        if (Entry->NextEntryOffset == 0) {
            return Found;
        }
        Offset += Entry->NextEntryOffset;
        if (Offset >= Size) {
            return FALSE;
        }
    }
}

static PCSTR ProcessList(VOID)
{
    ULONG Size = 0;
    PVOID Start = &Size;
    KTEST_CHECK(ZwQuerySystemInformation(SystemProcessInformation, List, 16, &Size) == STATUS_INFO_LENGTH_MISMATCH);
    KTEST_CHECK(Size > sizeof(SYSTEM_PROCESS_INFORMATION));
    KTEST_CHECK(ZwQuerySystemInformation(SystemProcessInformation, List, sizeof(List), &Size) == STATUS_SUCCESS);
    KTEST_CHECK(ListIsRight(Size));
    KTEST_CHECK(ZwQueryInformationThread(MYSELF, ThreadQuerySetWin32StartAddress, &Start, 8, NULL) == STATUS_SUCCESS);
    KTEST_CHECK(Start == NULL);
    return NULL;
}

#if DBG
/* Not one allocation succeeds, and the list is there: somebody must be able to find out whom to end. */
static PCSTR ListWithoutMemory(VOID)
{
    ULONG Size = 0;
    PrimerFailAllocations(0, 1000000);
    NTSTATUS Status = ZwQuerySystemInformation(SystemProcessInformation, List, sizeof(List), &Size);
    PrimerFailAllocations(0, 0);
    KTEST_CHECK(Status == STATUS_SUCCESS);
    KTEST_CHECK(ListIsRight(Size));
    return NULL;
}
#endif

/* ---- By the object ---- */

static PCSTR ByObject(VOID)
{
    UNICODE_STRING System = RTL_CONSTANT_STRING(L"System");
    PUNICODE_STRING Name;
    ULONG64 Stamp = 0, Cycles = PsQueryTotalCycleTimeProcess(PsInitialSystemProcess, &Stamp);
    ULONG64 Later = PsQueryTotalCycleTimeProcess(PsInitialSystemProcess, &Stamp);
    KTEST_CHECK(Cycles != 0 && Later > Cycles && Stamp != 0);
    KTEST_CHECK(PsGetProcessSessionId(PsInitialSystemProcess) == 0);
    KTEST_CHECK(PsGetProcessInheritedFromUniqueProcessId(PsInitialSystemProcess) == NULL);
    KTEST_CHECK(RtlCompareMemory(PsGetProcessImageFileName(PsInitialSystemProcess), "System", 7) == 7);
    KTEST_CHECK(SeLocateProcessImageName(PsInitialSystemProcess, &Name) == STATUS_SUCCESS);
    BOOLEAN Right = RtlEqualUnicodeString(Name, &System, FALSE);
    ExFreePool(Name);
    KTEST_CHECK(Right);
    PACCESS_TOKEN Token = PsReferencePrimaryToken(PsInitialSystemProcess);
    KTEST_CHECK(Token != NULL);
    PsDereferencePrimaryToken(Token);
    KTEST_CHECK(!PsIsThreadTerminating(PsGetCurrentThread()));
    return NULL;
}

static PCSTR AffinityTokens(VOID)
{
    KAFFINITY All = KeQueryActiveProcessors(), First = All & -All, Last = 1ULL << (KeQueryActiveProcessorCount(NULL) - 1);
    GROUP_AFFINITY Group[2] = {{.Mask = First}, {.Mask = Last}};
    PAFFINITY_TOKEN Outer, Inner;
    KTEST_CHECK(PsAllocateAffinityToken(&Outer) == STATUS_SUCCESS && PsAllocateAffinityToken(&Inner) == STATUS_SUCCESS);
    KTEST_CHECK(PsSetSystemMultipleGroupAffinityThread(&Group[1], 1, Outer) == STATUS_SUCCESS);
    KTEST_CHECK(1ULL << KeGetCurrentProcessorNumber() == Last);
    KTEST_CHECK(PsSetSystemMultipleGroupAffinityThread(&Group[0], 1, Outer) == STATUS_INVALID_PARAMETER); /* in use */
    KTEST_CHECK(PsSetSystemMultipleGroupAffinityThread(&Group[0], 1, Inner) == STATUS_SUCCESS);
    KTEST_CHECK(1ULL << KeGetCurrentProcessorNumber() == First);
    PsRevertToUserMultipleGroupAffinityThread(Inner);
    KTEST_CHECK(1ULL << KeGetCurrentProcessorNumber() == Last);
    PsRevertToUserMultipleGroupAffinityThread(Outer);
    KTEST_CHECK(KeSetSystemAffinityThreadEx(All) == 0); /* none was in force */
    KeRevertToUserAffinityThreadEx(0);

    KTEST_CHECK(PsSetSystemMultipleGroupAffinityThread(Group, 2, Outer) == STATUS_INVALID_PARAMETER);
    KTEST_CHECK(PsSetSystemMultipleGroupAffinityThread(Group, 0, Outer) == STATUS_INVALID_PARAMETER);
    Group[0].Group = 1;
    KTEST_CHECK(PsSetSystemMultipleGroupAffinityThread(Group, 1, Outer) == STATUS_INVALID_PARAMETER);
    Group[1].Mask = 0;
    KTEST_CHECK(PsSetSystemMultipleGroupAffinityThread(&Group[1], 1, Outer) == STATUS_INVALID_PARAMETER);
    PsFreeAffinityToken(Inner);
    PsFreeAffinityToken(Outer);
    return NULL;
}

/* ---- Attachment ---- */

/* The initial process, which lives as long as the test: referenced, with its PEB's address. */
static PEPROCESS FindProgram(PPEB *Peb)
{
    ULONG Size;
    PEPROCESS Process = NULL;
    if (!NT_SUCCESS(ZwQuerySystemInformation(SystemProcessInformation, List, sizeof(List), &Size))) {
        return NULL;
    }
    for (ULONG Offset = 0;;) {
        SYSTEM_PROCESS_INFORMATION *Entry = (SYSTEM_PROCESS_INFORMATION *)(List + Offset);
        PROCESS_BASIC_INFORMATION Basic;
        NTSTATUS Status;
        HANDLE Handle = OpenProcess(Entry->UniqueProcessId, &Status);
        if (NT_SUCCESS(Status)) {
            Status = ZwQueryInformationProcess(Handle, ProcessBasicInformation, &Basic, sizeof(Basic), NULL);
            ZwClose(Handle);
        }
        if (NT_SUCCESS(Status) && Basic.PebBaseAddress != NULL) {
            *Peb = Basic.PebBaseAddress;
            return NT_SUCCESS(PsLookupProcessByProcessId(Entry->UniqueProcessId, &Process)) ? Process : NULL;
        }
        if (Entry->NextEntryOffset == 0) {
            return NULL;
        }
        Offset += Entry->NextEntryOffset;
    }
}

/* The PEB is there, and says how many processors there are. */
static BOOLEAN ReadPeb(PPEB Peb)
{
    volatile ULONG Processors = 0;
    _SEH2_TRY {
        ProbeForRead(Peb, sizeof(*Peb), 8);
        Processors = Peb->NumberOfProcessors;
    } _SEH2_EXCEPT(EXCEPTION_EXECUTE_HANDLER) {
        Processors = 0;
    } _SEH2_END;
    return Processors == KeQueryActiveProcessorCount(NULL);
}

/* The memory of a program can be read while attached to it, and not before or after. */
static PCSTR AttachToProgram(VOID)
{
    KAPC_STATE State;
    PPEB Peb;
    PEPROCESS Process = FindProgram(&Peb);
    KTEST_CHECK(Process != NULL);
    KTEST_CHECK(!ReadPeb(Peb));
    KeStackAttachProcess(Process, &State);
    BOOLEAN There = PsGetCurrentProcess() == Process, Read = ReadPeb(Peb);
    HANDLE Own = PsGetCurrentProcessId();
    KtestSleep(1); /* it comes back from a wait to where it is attached */
    Read &= ReadPeb(Peb);
    KeUnstackDetachProcess(&State);
    KTEST_CHECK(There && Read && Own == ULongToHandle(4));
    KTEST_CHECK(PsGetCurrentProcess() == PsInitialSystemProcess && !ReadPeb(Peb));
    ObDereferenceObject(Process);
    return NULL;
}

/* Attachments nest, also back into the process that the thread comes from. */
static PCSTR AttachmentsNest(VOID)
{
    KAPC_STATE Outer, Inner, Same;
    PPEB Peb;
    PEPROCESS Process = FindProgram(&Peb);
    KTEST_CHECK(Process != NULL);
    KeStackAttachProcess(Process, &Outer);
    KeStackAttachProcess(PsInitialSystemProcess, &Inner);
    BOOLEAN In = PsGetCurrentProcess() == PsInitialSystemProcess && !ReadPeb(Peb);
    KeStackAttachProcess(Process, &Same);
    In &= ReadPeb(Peb);
    KeUnstackDetachProcess(&Same);
    In &= !ReadPeb(Peb);
    KeUnstackDetachProcess(&Inner);
    In &= PsGetCurrentProcess() == Process && ReadPeb(Peb);
    KeUnstackDetachProcess(&Outer);
    ObDereferenceObject(Process);
    KTEST_CHECK(In && PsGetCurrentProcess() == PsInitialSystemProcess);
    return NULL;
}

typedef struct _NOTED_APC {
    KAPC Apc;
    volatile LONG Runs;
    PEPROCESS Where;
} NOTED_APC;

static VOID NoteApc(PKAPC Apc, PKNORMAL_ROUTINE *NormalRoutine, PVOID *NormalContext, PVOID *Argument1, PVOID *Argument2)
{
    NOTED_APC *Noted = CONTAINING_RECORD(Apc, NOTED_APC, Apc);
    Noted->Where = PsGetCurrentProcess();
    Noted->Runs++;
}

static VOID NoNormal(PVOID Context, PVOID Argument1, PVOID Argument2)
{
}

static BOOLEAN Queue(NOTED_APC *Noted, KAPC_ENVIRONMENT Environment, BOOLEAN Special)
{
    KeInitializeApc(&Noted->Apc, KeGetCurrentThread(), Environment, NoteApc, NULL, Special ? NULL : NoNormal, KernelMode,
                    NULL);
    return KeInsertQueueApc(&Noted->Apc, NULL, NULL, IO_NO_INCREMENT);
}

/*
 * APCs for the thread in its own process wait while it is attached, special ones, too; those for where it is
 * run there. What was queued before the attachment, and kept away by a region, comes after the detachment, as
 * it would have without.
 */
static PCSTR ApcEnvironments(VOID)
{
    static NOTED_APC Before, Own, OwnNormal, Here, There, Late, Removed;
    KAPC_STATE State;
    PPEB Peb;
    PEPROCESS Process = FindProgram(&Peb);
    KTEST_CHECK(Process != NULL);
    BOOLEAN Queued = Queue(&Before, OriginalApcEnvironment, FALSE);
    KeStackAttachProcess(Process, &State);
    KeLeaveCriticalRegion(); /* in which a system thread begins */
    BOOLEAN Waited = Before.Runs == 0;
    Queued &= Queue(&Own, OriginalApcEnvironment, TRUE) && Queue(&OwnNormal, OriginalApcEnvironment, FALSE) &&
              Queue(&Removed, OriginalApcEnvironment, TRUE);
    Waited &= Own.Runs == 0 && OwnNormal.Runs == 0;
    Queued &= Queue(&Here, CurrentApcEnvironment, TRUE) && Queue(&There, AttachedApcEnvironment, FALSE);
    BOOLEAN Ran = Here.Runs == 1 && Here.Where == Process && There.Runs == 1 && There.Where == Process;
    BOOLEAN Taken = KeRemoveQueueApc(&Removed.Apc);
    /* One that a region keeps away runs when the region is left, before the detachment. */
    KeEnterGuardedRegion();
    Queued &= Queue(&Late, InsertApcEnvironment, TRUE);
    BOOLEAN Kept = Late.Runs == 0;
    KeLeaveGuardedRegion();
    KeUnstackDetachProcess(&State);
    KeEnterCriticalRegion();
    ObDereferenceObject(Process);
    KTEST_CHECK(Queued && Waited && Ran && Taken && Kept);
    KTEST_CHECK(Late.Runs == 1 && Late.Where == Process);
    KTEST_CHECK(Before.Runs == 1 && Own.Runs == 1 && OwnNormal.Runs == 1 && Removed.Runs == 0);
    KTEST_CHECK(Before.Where == PsInitialSystemProcess && Own.Where == PsInitialSystemProcess);
    return NULL;
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    KtestRun("queries.both-forms", BothForms);
    KtestRun("queries.previous-mode", PreviousMode);
    KtestRun("queries.arguments", Arguments);
    KtestRun("queries.process-basic", ProcessBasic);
    KtestRun("queries.process-errors", ProcessErrors);
    KtestRun("queries.process-fixed-answers", ProcessFixedAnswers);
    KtestRun("queries.process-numbers", ProcessNumbers);
    KtestRun("queries.process-name", ProcessName);
    KtestRun("queries.system-stays", SystemStays);
    KtestRun("queries.thread-basic", ThreadBasic);
    KtestRun("queries.thread-errors", ThreadErrors);
    KtestRun("queries.thread-numbers", ThreadNumbers);
    KtestRun("queries.thread-settings", ThreadSettings);
    KtestRun("queries.thread-name", ThreadName);
    KtestRun("queries.process-list", ProcessList);
#if DBG
    KtestRun("queries.list-without-memory", ListWithoutMemory);
#endif
    KtestRun("queries.by-object", ByObject);
    KtestRun("queries.affinity-tokens", AffinityTokens);
    KtestRun("queries.attach-to-program", AttachToProgram);
    KtestRun("queries.attachments-nest", AttachmentsNest);
    KtestRun("queries.apc-environments", ApcEnvironments);
    return STATUS_SUCCESS;
}
