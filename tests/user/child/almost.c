/* SPDX-License-Identifier: MIT */
/*
 * System calls that are right, or right but for one argument. Wild values seldom get past a service's first
 * checks; these reach what lies behind them.
 */
#include "child.h"

/* Arguments that stand for something of the thread's own. No other argument has such a value. */
#define SYMBOL           0x5959000000000000
#define OWNED(Which)     (SYMBOL + 0x100 + (Which))
#define A_EVENT          OWNED(OWNED_EVENT)
#define A_FOLDER         OWNED(OWNED_FOLDER)
#define A_FILE           OWNED(OWNED_FILE)
#define A_PROCESS        OWNED(OWNED_PROCESS)
#define A_THREAD         OWNED(OWNED_THREAD)
#define A_RESULT         (SYMBOL + 1) /* somewhere to write a result to */
#define A_ZERO           (SYMBOL + 2) /* of a variable that holds 0 */
#define A_AREA           (SYMBOL + 3) /* of a variable that holds the area's address */
#define A_SIZE           (SYMBOL + 4) /* of a variable that holds a size */
#define A_SOON           (SYMBOL + 5)
#define A_NOBODY         (SYMBOL + 6)
#define A_ATTRIBUTES     (SYMBOL + 7) /* that name a file */
#define A_PARAMETERS     (SYMBOL + 8)
#define A_PROGRAM        (SYMBOL + 9)
#define A_NONSENSE       (SYMBOL + 10) /* a name that nothing has */
#define A_PRIORITY       (SYMBOL + 11)
#define A_HANDLES        (SYMBOL + 12)
#define A_THREAD_ROUTINE (SYMBOL + 13)
#define A_SECTION_SIZE   (SYMBOL + 14)
#define A_CONTEXT        (SYMBOL + 15) /* with all its parts wanted */
#define A_APC_ROUTINE    (SYMBOL + 16)
#define A_MUTANT         OWNED(OWNED_MUTANT)
#define A_SEMAPHORE      OWNED(OWNED_SEMAPHORE)
#define A_TIMER          OWNED(OWNED_TIMER)
#define A_SECTION        OWNED(OWNED_SECTION)
#define A_NAMES          OWNED(OWNED_NAMES)
#define A_CHURNED        OWNED(OWNED_CHURNED)

/* Keep says which argument must not be changed, for what it would do to others or to this process; 15: none.
   */
#define KEEP_NONE 15

typedef struct _CALL {
    ULONG Number, Keep;
    ULONG64 Arguments[RAW_ARGUMENTS];
} CALL;

static const CALL Calls[] = {
    {NumberNtDisplayString, KEEP_NONE, {A_NONSENSE}},
    {NumberNtCreateUserProcess,
     7, /* a suspended process without a handle would stay for ever */
     {A_RESULT, A_RESULT, PROCESS_ALL_ACCESS, THREAD_ALL_ACCESS, 0, 0, 0, 0, A_PARAMETERS}},
    {NumberNtCreateSubsystemProcess, KEEP_NONE, {A_RESULT, PROCESS_ALL_ACCESS, 0, A_PROGRAM}},
    {NumberNtCreateThreadEx, 4, {A_RESULT, THREAD_ALL_ACCESS, 0, A_PROCESS, A_THREAD_ROUTINE}},
    {NumberNtResumeThread, KEEP_NONE, {A_THREAD, A_RESULT}},
    {NumberNtOpenProcess, 3, {A_RESULT, PROCESS_ALL_ACCESS, 0, A_NOBODY}},
    {NumberNtOpenThread, 3, {A_RESULT, THREAD_ALL_ACCESS, 0, A_NOBODY}},
    {NumberNtQueryInformationProcess,
     KEEP_NONE,
     {A_PROCESS, ProcessBasicInformation, A_RESULT, 48, A_RESULT}},
    {NumberNtQueryInformationProcess, KEEP_NONE, {A_PROCESS, ProcessTimes, A_RESULT, 32, A_RESULT}},
    {NumberNtQueryInformationProcess, KEEP_NONE, {A_PROCESS, ProcessHandleCount, A_RESULT, 4, A_RESULT}},
    {NumberNtQueryInformationProcess, KEEP_NONE, {A_PROCESS, ProcessImageFileName, A_RESULT, 512, A_RESULT}},
    {NumberNtQueryInformationProcess,
     KEEP_NONE,
     {A_PROCESS, ProcessSubsystemInformation, A_RESULT, 4, A_RESULT}},
    {NumberNtQueryInformationThread, KEEP_NONE, {A_THREAD, ThreadBasicInformation, A_RESULT, 48, A_RESULT}},
    {NumberNtQueryInformationThread, KEEP_NONE, {A_THREAD, ThreadTimes, A_RESULT, 32, A_RESULT}},
    {NumberNtQueryInformationThread, KEEP_NONE, {A_THREAD, ThreadAmILastThread, A_RESULT, 4, A_RESULT}},
    {NumberNtQueryInformationThread, KEEP_NONE, {A_THREAD, ThreadSuspendCount, A_RESULT, 4, A_RESULT}},
    {NumberNtQueryInformationThread,
     KEEP_NONE,
     {A_THREAD, ThreadSubsystemInformation, A_RESULT, 4, A_RESULT}},
    {NumberNtSetInformationThread, KEEP_NONE, {A_THREAD, ThreadPriority, A_PRIORITY, sizeof(KPRIORITY)}},
    {NumberNtSetInformationThread, KEEP_NONE, {A_THREAD, ThreadNameInformation, A_ATTRIBUTES, 16}},
    {NumberNtQueryInformationThread, KEEP_NONE, {A_THREAD, ThreadNameInformation, A_RESULT, 512, A_RESULT}},
    {NumberNtSetInformationProcess, KEEP_NONE, {A_PROCESS, ProcessBasePriority, A_PRIORITY, sizeof(KPRIORITY)}},
    {NumberNtQuerySystemInformation,
     KEEP_NONE,
     {SystemBasicInformation, A_RESULT, sizeof(SYSTEM_BASIC_INFORMATION), A_RESULT}},
    {NumberNtQuerySystemInformation, KEEP_NONE, {SystemProcessInformation, A_RESULT, 0x2000, A_RESULT}},
    {NumberNtQuerySystemInformation,
     KEEP_NONE,
     {SystemMemoryUsageInformation, A_RESULT, sizeof(SYSTEM_MEMORY_USAGE), A_RESULT}},
    {NumberNtQuerySystemInformation, KEEP_NONE, {SystemProviderInformation, A_RESULT, 256, A_RESULT}},
    {NumberNtWaitForSingleObject, 2, {A_EVENT, 0, A_SOON}},
    {NumberNtWaitForMultipleObjects, 4, {2, A_HANDLES, WaitAny, 0, A_SOON}},
    {NumberNtWaitForMultipleObjects, 4, {2, A_HANDLES, WaitAll, 0, A_SOON}},
    {NumberNtDelayExecution, 1, {0, A_SOON}},
    {NumberNtCreateEvent, KEEP_NONE, {A_RESULT, EVENT_ALL_ACCESS, 0, SynchronizationEvent, 1}},
    {NumberNtSetEvent, KEEP_NONE, {A_EVENT, A_RESULT}},
    {NumberNtPulseEvent, KEEP_NONE, {A_EVENT, A_RESULT}},
    {NumberNtResetEvent, KEEP_NONE, {A_EVENT, A_RESULT}},
    {NumberNtAllocateVirtualMemory,
     KEEP_NONE,
     {A_PROCESS, A_ZERO, 0, A_SIZE, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE}},
    {NumberNtAllocateVirtualMemory, KEEP_NONE, {A_PROCESS, A_AREA, 0, A_SIZE, MEM_COMMIT, PAGE_READWRITE}},
    {NumberNtFreeVirtualMemory, KEEP_NONE, {A_PROCESS, A_AREA, A_SIZE, MEM_DECOMMIT}},
    {NumberNtProtectVirtualMemory, KEEP_NONE, {A_PROCESS, A_AREA, A_SIZE, PAGE_READONLY, A_RESULT}},
    {NumberNtProtectVirtualMemory,
     KEEP_NONE,
     {A_PROCESS, A_AREA, A_SIZE, PAGE_READWRITE | PAGE_GUARD, A_RESULT}},
    {NumberNtQueryVirtualMemory, KEEP_NONE, {A_PROCESS, A_RESULT, 0, A_RESULT, 48, A_RESULT}},
    {NumberNtReadVirtualMemory, KEEP_NONE, {A_PROCESS, A_RESULT, A_RESULT, 256, A_RESULT}},
    {NumberNtWriteVirtualMemory, KEEP_NONE, {A_PROCESS, A_RESULT, A_RESULT, 256, A_RESULT}},
    {NumberNtOpenFile, KEEP_NONE, {A_RESULT, GENERIC_READ, A_ATTRIBUTES, A_RESULT}},
    {NumberNtReadFile, KEEP_NONE, {A_FILE, 0, 0, 0, A_RESULT, A_RESULT, 0x1000, A_ZERO}},
    {NumberNtReadFile, KEEP_NONE, {A_FILE, A_EVENT, 0, 0, A_RESULT, A_RESULT, 0x1000}},
    {NumberNtWriteFile, KEEP_NONE, {A_FILE, 0, 0, 0, A_RESULT, A_RESULT, 0x1000}},
    {NumberNtQueryInformationFile, KEEP_NONE, {A_FILE, A_RESULT, A_RESULT, 24, FileStandardInformation}},
    {NumberNtQueryInformationFile, KEEP_NONE, {A_FILE, A_RESULT, A_RESULT, 4, FileConsoleInformation}},
    {NumberNtQueryDirectoryFile,
     KEEP_NONE,
     {A_FOLDER, 0, 0, 0, A_RESULT, A_RESULT, 0x400, FileDirectoryInformation, 0, 0, 1}},
    {NumberNtDuplicateObject, KEEP_NONE, {A_PROCESS, A_EVENT, A_PROCESS, A_RESULT, 0, 0, 2}},
    {NumberNtQuerySystemTime, KEEP_NONE, {A_RESULT}},
    {NumberNtQueryPerformanceCounter, KEEP_NONE, {A_RESULT, A_RESULT}},
    {NumberNtUnloadDriver, KEEP_NONE, {A_NONSENSE}},
    {NumberNtSetConsoleMode, KEEP_NONE, {IO_CONSOLE_LINE, A_RESULT}},
    {NumberNtCreateMutant, KEEP_NONE, {A_RESULT, MUTANT_ALL_ACCESS, 0, 1}},
    {NumberNtReleaseMutant, KEEP_NONE, {A_MUTANT, A_RESULT}},
    {NumberNtQueryMutant, KEEP_NONE, {A_MUTANT, 0, A_RESULT, 8, A_RESULT}},
    {NumberNtCreateSemaphore, KEEP_NONE, {A_RESULT, SEMAPHORE_ALL_ACCESS, 0, 1, 2}},
    {NumberNtReleaseSemaphore, KEEP_NONE, {A_SEMAPHORE, 1, A_RESULT}},
    {NumberNtQuerySemaphore, KEEP_NONE, {A_SEMAPHORE, 0, A_RESULT, 8, A_RESULT}},
    {NumberNtCreateTimer, KEEP_NONE, {A_RESULT, TIMER_ALL_ACCESS, 0, NotificationTimer}},
    {NumberNtSetTimer, 2, {A_TIMER, A_SOON, A_APC_ROUTINE, 0, 0, 1, A_RESULT}},
    {NumberNtSetTimer, KEEP_NONE, {A_TIMER, A_SOON, 0, 0, 0, 0, A_RESULT}},
    {NumberNtCancelTimer, KEEP_NONE, {A_TIMER, A_RESULT}},
    {NumberNtQueryTimer, KEEP_NONE, {A_TIMER, 0, A_RESULT, 16, A_RESULT}},
    {NumberNtQueryEvent, KEEP_NONE, {A_EVENT, 0, A_RESULT, 8, A_RESULT}},
    {NumberNtWaitForSingleObject, 2, {A_MUTANT, 1, A_SOON}},
    {NumberNtWaitForSingleObject, 2, {A_CHURNED, 1, A_SOON}},
    {NumberNtSetEvent, KEEP_NONE, {A_CHURNED, A_RESULT}},
    {NumberNtSignalAndWaitForSingleObject, 3, {A_SEMAPHORE, A_EVENT, 1, A_SOON}},
    {NumberNtDelayExecution, 1, {1, A_SOON}},
    {NumberNtQueueApcThread, 1, {A_THREAD, A_APC_ROUTINE, A_RESULT, 2, 3}},
    {NumberNtTestAlert, KEEP_NONE, {0}},
    {NumberNtAlertThread, KEEP_NONE, {A_THREAD}},
    {NumberNtAlertResumeThread, KEEP_NONE, {A_THREAD, A_RESULT}},
    {NumberNtGetContextThread, KEEP_NONE, {A_THREAD, A_CONTEXT}},
    {NumberNtCreateSection, KEEP_NONE, {A_RESULT, SECTION_ALL_ACCESS, 0, A_SECTION_SIZE, PAGE_READWRITE, SEC_COMMIT, 0}},
    {NumberNtCreateSection, KEEP_NONE, {A_RESULT, SECTION_ALL_ACCESS, 0, A_ZERO, PAGE_WRITECOPY, SEC_COMMIT, A_FILE}},
    {NumberNtMapViewOfSection, 2, {A_SECTION, A_PROCESS, A_ZERO, 0, 0, 0, A_SIZE, ViewUnmap, 0, PAGE_READWRITE}},
    {NumberNtUnmapViewOfSection, KEEP_NONE, {A_PROCESS, A_AREA}},
    {NumberNtQuerySection, KEEP_NONE, {A_SECTION, 0, A_RESULT, 24, A_RESULT}},
    {NumberNtFlushInstructionCache, KEEP_NONE, {A_PROCESS, A_AREA, 0x1000}},
    {NumberNtResumeProcess, KEEP_NONE, {A_PROCESS}},
    {NumberNtWaitForSingleObject, 2, {A_FILE, 1, A_SOON}},
    {NumberNtCancelIoFile, KEEP_NONE, {A_FILE, A_RESULT}},
    {NumberNtCancelIoFileEx, KEEP_NONE, {A_FILE, 0, A_RESULT}},
    {NumberNtQueryDirectoryObject, KEEP_NONE, {A_NAMES, A_RESULT, 0x1000, 0, 0, A_ZERO, A_RESULT}},
    {NumberNtQueryObject, KEEP_NONE, {A_CHURNED, ObjectBasicInformation, A_RESULT, 56, A_RESULT}},
};

/* ---- What the symbols stand for ---- */

/* The thread that such a call makes ends at once. */
__attribute__((naked)) static VOID EndThread(VOID)
{
    __asm__("movq $-2, %%rdi\n\t" /* the current thread */
            "xorl %%esi, %%esi\n\t"
            "movl %0, %%eax\n\t"
            "syscall\n\t"
            "ud2" ::"i"(NumberNtTerminateThread));
}

static VOID DoNothing(PVOID Argument1, PVOID Argument2, PVOID Argument3)
{
}

/* Once for each thread. The strings are writable: the kernel has no business with them, but a wild call may.
   */
VOID MakeArguments(PWILD Wild)
{
    static WCHAR Path[] = L"\\Boot\\native\\child", Program[] = L"nop", Nonsense[] = L"nonsense";
    RtlInitUnicodeString(&Wild->Path, Path);
    RtlInitUnicodeString(&Wild->Nonsense, Nonsense);
    InitializeObjectAttributes(&Wild->Attributes, &Wild->Path, 0, NULL, NULL);
    RtlInitUnicodeString(&Wild->Parameters.ImagePathName, Program);
    Wild->Parameters.Size = sizeof(Wild->Parameters);
    Wild->Program = (SUBSYSTEM_PROGRAM){
        .Size = sizeof(SUBSYSTEM_PROGRAM),
        .Provider = DEFAULT_SUBSYSTEM,
        .Path = "true",
        .ArgumentCount = 1,
        .ArgumentsSize = sizeof("true"),
        .Arguments = "true",
    };
}

static ULONG64 ResolveArgument(PWILD Wild, ULONG64 Argument)
{
    switch (Argument) {
    case A_RESULT:
        return (ULONG64)Wild->Scratch + (Below(Wild, SCRATCH_SIZE / 4) & ~15ULL);
    case A_ZERO:
        return (ULONG64)&Wild->Zero;
    case A_AREA:
        return (ULONG64)&Wild->AreaBase;
    case A_SIZE:
        return (ULONG64)&Wild->Size;
    case A_SOON:
        return (ULONG64)&Wild->Soon;
    case A_NOBODY:
        return (ULONG64)&Wild->Nobody;
    case A_ATTRIBUTES:
        return (ULONG64)&Wild->Attributes;
    case A_PARAMETERS:
        return (ULONG64)&Wild->Parameters;
    case A_PROGRAM:
        return (ULONG64)&Wild->Program;
    case A_NONSENSE:
        return (ULONG64)&Wild->Nonsense;
    case A_PRIORITY:
        return (ULONG64)&Wild->Priority;
    case A_HANDLES:
        return (ULONG64)&Wild->Owned[OWNED_EVENT]; /* and the one behind it */
    case A_THREAD_ROUTINE:
        return (ULONG64)&EndThread;
    case A_APC_ROUTINE:
        return (ULONG64)&DoNothing;
    case A_SECTION_SIZE:
        return (ULONG64)&Wild->SectionSize;
    case A_CONTEXT:
        Wild->Context->ContextFlags = CONTEXT_ALL;
        return (ULONG64)Wild->Context;
    default:
        return Argument >= OWNED(0) && Argument < OWNED(HANDLES_OWNED)
                   ? (ULONG64)Wild->Owned[Argument - OWNED(0)]
                   : Argument;
    }
}

/* Variables that services write to hold what they should again. */
static VOID RefreshVariables(PWILD Wild)
{
    Wild->Zero = NULL;
    Wild->AreaBase = Wild->Area + (Below(Wild, WILD_AREA_SIZE) & ~(PAGE_SIZE - 1ULL));
    Wild->Size = 1 + Below(Wild, 2 * PAGE_SIZE);
    Wild->Priority = (KPRIORITY)Below(Wild, 12) + 1;
    Wild->Soon.QuadPart = -1000; /* 100 microseconds */
}

/* An address in the kernel's half; small negative numbers are none. */
static BOOLEAN IsKernelAddress(ULONG64 Value)
{
    return Value >= 0xFFFF800000000000 && Value < 0xFFFFFFFFF0000000;
}

/* All arguments are right, and the answers go to memory that nobody else writes to: no address of the
   kernel's may be among them. */
static VOID CallRight(PWILD Wild, const CALL *Call)
{
    const ULONG64 *Words = (const ULONG64 *)Wild->Answers;
    ULONG64 Arguments[RAW_ARGUMENTS];
    memset(Wild->Answers, 0, SCRATCH_SIZE);
    for (ULONG i = 0; i < RAW_ARGUMENTS; i++) {
        ULONG64 Argument = Call->Arguments[i];
        Arguments[i] = Argument == A_RESULT ? (ULONG64)Wild->Answers + i * 256 : ResolveArgument(Wild, Argument);
    }
    RawCall(Call->Number, Arguments, 0, 0);
    if (Call->Number == NumberNtReadFile || Call->Number == NumberNtReadVirtualMemory ||
        (Call->Number == NumberNtQueryInformationThread && Call->Arguments[1] == ThreadNameInformation)) {
        return; /* any bytes may be in there: they are the program's, or the file's */
    }
    for (ULONG i = 0; i < SCRATCH_SIZE / sizeof(ULONG64); i++) {
        if (IsKernelAddress(Words[i]) && WildReport != NULL) {
            WildReport->Service = Call->Number;
            WildReport->KernelAddress = (LONG64)Words[i];
        }
    }
}

/* A process or a thread costs as much as a thousand other calls; and the question how much memory is in use
   empties all caches first, with calls to all processors, one asker at a time. Without this hardly anything
   else would be done. */
static BOOLEAN IsTooDear(PWILD Wild, const CALL *Call)
{
    switch (Call->Number) {
    case NumberNtCreateUserProcess:
    case NumberNtCreateSubsystemProcess:
    case NumberNtCreateThreadEx:
        return Below(Wild, 16) != 0;
    case NumberNtQuerySystemInformation:
        return Call->Arguments[0] == SystemMemoryUsageInformation && Below(Wild, 64) != 0;
    default:
        return FALSE;
    }
}

VOID CallAlmostRight(PWILD Wild)
{
    const CALL *Call = &Calls[Below(Wild, RTL_NUMBER_OF(Calls))];
    if (IsTooDear(Wild, Call)) {
        Call = &Calls[Below(Wild, RTL_NUMBER_OF(Calls))];
    }
    ULONG64 Arguments[RAW_ARGUMENTS];
    ULONG Changed = (ULONG)Below(Wild, 16); /* often none */

    RefreshVariables(Wild);
    if (Changed >= RAW_ARGUMENTS) {
        CallRight(Wild, Call);
        return;
    }
    for (ULONG i = 0; i < RAW_ARGUMENTS; i++) {
        Arguments[i] =
            i == Changed && i != Call->Keep ? WildValue(Wild) : ResolveArgument(Wild, Call->Arguments[i]);
    }
    RawCall(Call->Number, Arguments, 0, 0);
}
