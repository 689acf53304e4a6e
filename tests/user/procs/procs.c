/* SPDX-License-Identifier: MIT */
/* Processes and threads: how they start, end and are waited for, and that they leave nothing behind. */
#include "../test.h"
#include "../usage.h"

#define WAIT 20000 /* ms; what takes longer hangs */

/* ---- Exit statuses ---- */

static NTSTATUS ExitStatusNow(HANDLE Process)
{
    PROCESS_BASIC_INFORMATION Information = {0};
    NtQueryInformationProcess(Process, ProcessBasicInformation, &Information, sizeof(Information), NULL);
    return Information.ExitStatus;
}

static VOID ExitCodes(VOID)
{
    static const char *const Codes[] = {"0", "1", "127", "255", "256", "65536"};
    for (ULONG i = 0; i < RTL_NUMBER_OF(Codes); i++) {
        HANDLE Process;
        CHECK_SUCCESS(StartChild(&Process, "exit", Codes[i], NULL));
        CHECK_SUCCESS(WaitFor(Process, WAIT));
        CHECK_EQUAL(ExitStatusNow(Process), ParseNumber(Codes[i]));
        CHECK_SUCCESS(NtClose(Process));
    }
}

/* While it lives the status is "pending"; ended, it stays an object that can be waited for and asked, again
   and again. */
static VOID EndedProcessStaysAnObject(VOID)
{
    HANDLE Process;
    CHECK_SUCCESS(StartChild(&Process, "sleep", "200", "7"));
    CHECK_EQUAL(ExitStatusNow(Process), STATUS_PENDING);
    CHECK_STATUS(WaitFor(Process, 0), STATUS_TIMEOUT);
    CHECK_SUCCESS(WaitFor(Process, WAIT));
    CHECK_SUCCESS(WaitFor(Process, 0));
    CHECK_EQUAL(ExitStatusNow(Process), 7);
    CHECK(!NT_SUCCESS(NtTerminateProcess(Process, 8)) || ExitStatusNow(Process) == 7);
    CHECK_EQUAL(ExitStatusNow(Process), 7);
    CHECK_SUCCESS(NtClose(Process));
}

/* ---- Start ---- */

/* The role "arguments" of the child sums up what arrived; the same sum is made here of what was sent. */
static VOID ArgumentsArriveUnchanged(VOID)
{
    char *Arguments[] = {"child", "arguments", "", "a b", "\"quoted\"", "\xff\xfe\x80", "\\", "last\n", NULL};
    ULONG Count = RTL_NUMBER_OF(Arguments) - 1, Sum = 0;
    HANDLE Process;
    for (ULONG i = 2; i < Count; i++) {
        for (const char *Next = Arguments[i]; *Next != '\0'; Next++) {
            Sum = Sum * 31 + (UCHAR)*Next;
        }
        Sum = Sum * 31 + 1;
    }
    CHECK_SUCCESS(StartNative("child", Count, Arguments, 0, &Process, NULL));
    CHECK_EQUAL(WaitForProcess(Process), Sum & 0x7F);
    CHECK_SUCCESS(NtClose(Process));
}

static VOID SuspendedStart(VOID)
{
    char *Arguments[] = {"child", "exit", "3", NULL};
    HANDLE Process, Thread;
    ULONG Count = 0;
    CHECK_SUCCESS(
        StartNative("child", 3, Arguments, THREAD_CREATE_FLAGS_CREATE_SUSPENDED, &Process, &Thread));
    CHECK_STATUS(WaitFor(Process, 100), STATUS_TIMEOUT);
    CHECK_SUCCESS(NtSuspendThread(Thread, &Count));
    CHECK_EQUAL(Count, 1);
    CHECK_SUCCESS(NtResumeThread(Thread, &Count));
    CHECK_EQUAL(Count, 2);
    CHECK_STATUS(WaitFor(Process, 100), STATUS_TIMEOUT);
    CHECK_SUCCESS(NtResumeThread(Thread, &Count));
    CHECK_EQUAL(Count, 1);
    CHECK_SUCCESS(WaitFor(Process, WAIT));
    CHECK_EQUAL(ExitStatusNow(Process), 3);
    CHECK_SUCCESS(NtClose(Thread));
    CHECK_SUCCESS(NtClose(Process));
}

/* One that never ran an instruction can be ended too. */
static VOID EndOfASuspendedProcess(VOID)
{
    char *Arguments[] = {"child", "exit", "3", NULL};
    HANDLE Process;
    CHECK_SUCCESS(StartNative("child", 3, Arguments, THREAD_CREATE_FLAGS_CREATE_SUSPENDED, &Process, NULL));
    CHECK_SUCCESS(NtTerminateProcess(Process, 77));
    CHECK_SUCCESS(WaitFor(Process, WAIT));
    CHECK_EQUAL(ExitStatusNow(Process), 77);
    CHECK_SUCCESS(NtClose(Process));
}

static VOID ProgramsThatCannotStart(VOID)
{
    char *Arguments[] = {"x", NULL};
    HANDLE Process;
    CHECK_STATUS(StartNative("no-such-program", 1, Arguments, 0, &Process, NULL),
                 STATUS_OBJECT_NAME_NOT_FOUND);
    NTSTATUS Status = StartNative("\\Boot\\native", 1, Arguments, 0, &Process, NULL);
    CHECK(!NT_SUCCESS(Status));
    Status = StartNative("\\Console\\Input", 1, Arguments, 0, &Process, NULL);
    CHECK(!NT_SUCCESS(Status));
}

/* ---- Ending others ---- */

static ULONG ProcessorCount(VOID)
{
    SYSTEM_BASIC_INFORMATION Basic = {0};
    NtQuerySystemInformation(SystemBasicInformation, &Basic, sizeof(Basic), NULL);
    return (ULONG)Basic.NumberOfProcessors;
}

/* Twice as many threads as processors, none of which makes a system call: they notice when they are
   interrupted. */
static VOID EndOfSpinningThreads(VOID)
{
    char Threads[12];
    FormatText(Threads, sizeof(Threads), "%u", 2 * ProcessorCount());
    for (ULONG i = 0; i < 5; i++) {
        HANDLE Process;
        CHECK_SUCCESS(StartChild(&Process, "spin", Threads, NULL));
        Sleep(50 * i);
        CHECK_SUCCESS(NtTerminateProcess(Process, 1234));
        CHECK_SUCCESS(WaitFor(Process, WAIT));
        CHECK_EQUAL(ExitStatusNow(Process), 1234);
        CHECK_SUCCESS(NtClose(Process));
    }
}

static VOID EndOfASleeper(VOID)
{
    HANDLE Process;
    CHECK_SUCCESS(StartChild(&Process, "sleep", "1000000", "0"));
    Sleep(50);
    CHECK_SUCCESS(NtTerminateProcess(Process, STATUS_CONTROL_C_EXIT));
    CHECK_SUCCESS(WaitFor(Process, WAIT));
    CHECK_EQUAL(ExitStatusNow(Process), STATUS_CONTROL_C_EXIT);
    CHECK_SUCCESS(NtClose(Process));
}

/* By its id, which names nothing after the process has ended and its last handle is closed. */
static VOID OpenById(VOID)
{
    HANDLE Process, Second;
    PROCESS_BASIC_INFORMATION Information;
    OBJECT_ATTRIBUTES Attributes;
    InitializeObjectAttributes(&Attributes, NULL, 0, NULL, NULL);
    CHECK_SUCCESS(StartChild(&Process, "sleep", "1000000", "0"));
    CHECK_SUCCESS(
        NtQueryInformationProcess(Process, ProcessBasicInformation, &Information, sizeof(Information), NULL));
    CLIENT_ID Id = {.UniqueProcess = (HANDLE)Information.UniqueProcessId};
    CHECK_SUCCESS(NtOpenProcess(&Second, PROCESS_ALL_ACCESS, &Attributes, &Id));
    CHECK_SUCCESS(NtTerminateProcess(Second, 4));
    CHECK_SUCCESS(WaitFor(Process, WAIT));
    CHECK_EQUAL(ExitStatusNow(Process), 4);
    CHECK_SUCCESS(NtClose(Second));
    CHECK_SUCCESS(NtClose(Process));

    for (ULONG i = 0; i < 100; i++) { /* the last references go a moment later */
        NTSTATUS Status = NtOpenProcess(&Second, PROCESS_ALL_ACCESS, &Attributes, &Id);
        if (Status == STATUS_INVALID_CID) {
            return;
        }
        if (NT_SUCCESS(Status)) {
            NtClose(Second);
        }
        Sleep(10);
    }
    FAIL("the id still names a process");
}

/* ---- Waiting for several ---- */

static VOID WaitForAnyAndAll(VOID)
{
    HANDLE Processes[3];
    LARGE_INTEGER Soon = Milliseconds(10), Late = Milliseconds(WAIT);
    CHECK_SUCCESS(StartChild(&Processes[0], "sleep", "1500", "0"));
    CHECK_SUCCESS(StartChild(&Processes[1], "sleep", "300", "1"));
    CHECK_SUCCESS(StartChild(&Processes[2], "sleep", "1500", "2"));
    CHECK_STATUS(NtWaitForMultipleObjects(3, Processes, WaitAny, FALSE, &Soon), STATUS_TIMEOUT);
    CHECK_STATUS(NtWaitForMultipleObjects(3, Processes, WaitAny, FALSE, &Late), STATUS_WAIT_1);
    CHECK_STATUS(NtWaitForMultipleObjects(3, Processes, WaitAll, FALSE, &Soon), STATUS_TIMEOUT);
    CHECK_SUCCESS(NtWaitForMultipleObjects(3, Processes, WaitAll, FALSE, &Late));
    for (ULONG i = 0; i < 3; i++) {
        CHECK_EQUAL(ExitStatusNow(Processes[i]), i);
        CHECK_SUCCESS(NtClose(Processes[i]));
    }
}

/* ---- Threads ---- */

static VOID AddOne(PVOID Argument)
{
    InterlockedIncrement(Argument);
}

static VOID ThreadsRunAndEnd(VOID)
{
    static volatile LONG Sum;
    HANDLE Threads[32];
    LARGE_INTEGER Late = Milliseconds(WAIT);
    THREAD_BASIC_INFORMATION Information;
    for (ULONG i = 0; i < RTL_NUMBER_OF(Threads); i++) {
        CHECK_SUCCESS(CreateThread(AddOne, (PVOID)&Sum, &Threads[i]));
    }
    CHECK_SUCCESS(NtWaitForMultipleObjects(RTL_NUMBER_OF(Threads), Threads, WaitAll, FALSE, &Late));
    CHECK_EQUAL(Sum, RTL_NUMBER_OF(Threads));
    for (ULONG i = 0; i < RTL_NUMBER_OF(Threads); i++) {
        CHECK_SUCCESS(NtQueryInformationThread(Threads[i], ThreadBasicInformation, &Information,
                                               sizeof(Information), NULL));
        CHECK_SUCCESS(Information.ExitStatus);
        CHECK_SUCCESS(NtClose(Threads[i]));
    }
}

static VOID SleepForEver(PVOID Argument)
{
    InterlockedIncrement(Argument);
    Sleep(100000000);
}

static VOID SpinForEver(PVOID Argument)
{
    for (;;) {
        (*(volatile ULONG64 *)Argument)++;
    }
}

/* NtTerminateProcess without a handle ends all threads but the one that asks, which may make others then. */
static VOID EndOfAllOtherThreads(VOID)
{
    static volatile LONG64 Counts[2];
    HANDLE Threads[8];
    THREAD_BASIC_INFORMATION Information;
    volatile LONG Sum = 0;
    for (ULONG i = 0; i < RTL_NUMBER_OF(Threads); i++) {
        CHECK_SUCCESS(CreateThread(i & 1 ? SpinForEver : SleepForEver, (PVOID)&Counts[i & 1], &Threads[i]));
    }
    while (*(volatile LONG *)&Counts[0] != RTL_NUMBER_OF(Threads) / 2 || Counts[1] == 0) {
        NtYieldExecution();
    }
    CHECK_SUCCESS(NtTerminateProcess(NULL, 321));
    for (ULONG i = 0; i < RTL_NUMBER_OF(Threads); i++) {
        CHECK_SUCCESS(WaitFor(Threads[i], WAIT));
        CHECK_SUCCESS(NtQueryInformationThread(Threads[i], ThreadBasicInformation, &Information, sizeof(Information), NULL));
        CHECK_EQUAL(Information.ExitStatus, 321);
        CHECK_SUCCESS(NtClose(Threads[i]));
    }
    CHECK_EQUAL(ExitStatusNow(NtCurrentProcess()), STATUS_PENDING);
    CHECK_SUCCESS(CreateThread(AddOne, (PVOID)&Sum, &Threads[0]));
    CHECK_SUCCESS(WaitFor(Threads[0], WAIT));
    CHECK_EQUAL(Sum, 1);
    CHECK_SUCCESS(NtClose(Threads[0]));
    CHECK_SUCCESS(NtTerminateProcess(NULL, 321)); /* there is none */
}

#define STATE_WAITING 5

static ULONG StateOf(HANDLE Thread)
{
    THREAD_BASIC_INFORMATION Basic = {0};
    SYSTEM_PROCESS_INFORMATION *First;
    ULONG Size, State = 0;
    NtQueryInformationThread(Thread, ThreadBasicInformation, &Basic, sizeof(Basic), NULL);
    if (!NT_SUCCESS(QueryProcesses(&First, &Size))) {
        return 0;
    }
    SYSTEM_PROCESS_INFORMATION *Next = First;
    while (Next->UniqueProcessId != Basic.ClientId.UniqueProcess && Next->NextEntryOffset != 0) {
        Next = Add2Ptr(Next, Next->NextEntryOffset);
    }
    for (ULONG i = 0; i < Next->NumberOfThreads; i++) {
        if (Next->Threads[i].ClientId.UniqueThread == Basic.ClientId.UniqueThread) {
            State = Next->Threads[i].ThreadState;
        }
    }
    HeapFree(First);
    return State;
}

/* A running thread notices that it is suspended at its next interrupt. */
static BOOLEAN ComesToWait(HANDLE Thread)
{
    for (ULONG i = 0; i < WAIT / 10; i++) {
        if (StateOf(Thread) == STATE_WAITING) {
            return TRUE;
        }
        Sleep(10);
    }
    return FALSE;
}

static VOID EndOfOneThread(VOID)
{
    static volatile ULONG64 Counter;
    HANDLE Thread;
    THREAD_BASIC_INFORMATION Information;
    CHECK_SUCCESS(CreateThread(SpinForEver, (PVOID)&Counter, &Thread));
    while (Counter == 0) {
        NtYieldExecution();
    }
    CHECK_SUCCESS(NtSuspendThread(Thread, NULL));
    CHECK(ComesToWait(Thread));
    ULONG64 Before = Counter;
    Sleep(50);
    CHECK_EQUAL(Counter, Before);
    CHECK_SUCCESS(NtResumeThread(Thread, NULL));
    for (ULONG i = 0; i < 1000 && Counter == Before; i++) {
        Sleep(10);
    }
    CHECK(Counter != Before);
    CHECK_SUCCESS(NtTerminateThread(Thread, 55));
    CHECK_SUCCESS(WaitFor(Thread, WAIT));
    CHECK_SUCCESS(
        NtQueryInformationThread(Thread, ThreadBasicInformation, &Information, sizeof(Information), NULL));
    CHECK_EQUAL(Information.ExitStatus, 55);
    CHECK_SUCCESS(NtClose(Thread));
}

/* ---- Nothing is left behind ---- */

static NTSTATUS LiveProcesses(ULONG Count, PCSTR Role, PCSTR Argument)
{
    for (ULONG i = 0; i < Count; i++) {
        HANDLE Process;
        NTSTATUS Status = StartChild(&Process, Role, Argument, NULL);
        if (NT_SUCCESS(Status)) {
            Status = WaitForProcess(Process);
            NtClose(Process);
        }
        if (Status != STATUS_SUCCESS) {
            return Status;
        }
    }
    return STATUS_SUCCESS;
}

static BOOLEAN LeavesNothing(PCSTR Name, ULONG Count, PCSTR Role, PCSTR Argument)
{
    NTSTATUS Status = LetTablesGrow(64);
    SYSTEM_MEMORY_USAGE After, Before = Usage();
    if (NT_SUCCESS(Status)) {
        Status = LiveProcesses(Count, Role, Argument);
    }
    After = Usage();
    Log("procs: %s: 0x%08X", Name, Status);
    ReportUsage(Name, &Before, &After);
    return NT_SUCCESS(Status) && IsBack(&Before, &After);
}

static VOID ThousandProcessesLeaveNothing(VOID)
{
    CHECK(LeavesNothing("1,000 processes", 1000, "exit", "0"));
}

static VOID ThreadsOfChildrenLeaveNothing(VOID)
{
    CHECK(LeavesNothing("50 x 50 threads", 50, "threads", "50"));
}

static const TEST Tests[] = {
    {"procs.exit-codes", ExitCodes},
    {"procs.ended-process-stays-an-object", EndedProcessStaysAnObject},
    {"procs.arguments-arrive-unchanged", ArgumentsArriveUnchanged},
    {"procs.suspended-start", SuspendedStart},
    {"procs.end-of-a-suspended-process", EndOfASuspendedProcess},
    {"procs.programs-that-cannot-start", ProgramsThatCannotStart},
    {"procs.end-of-spinning-threads", EndOfSpinningThreads},
    {"procs.end-of-a-sleeper", EndOfASleeper},
    {"procs.open-by-id", OpenById},
    {"procs.wait-for-any-and-all", WaitForAnyAndAll},
    {"procs.threads-run-and-end", ThreadsRunAndEnd},
    {"procs.end-of-one-thread", EndOfOneThread},
    {"procs.end-of-all-other-threads", EndOfAllOtherThreads},
    {"procs.thousand-processes-leave-nothing", ThousandProcessesLeaveNothing},
    {"procs.threads-of-children-leave-nothing", ThreadsOfChildrenLeaveNothing},
};

int main(int argc, char **argv)
{
    return RunTests(Tests, RTL_NUMBER_OF(Tests));
}
