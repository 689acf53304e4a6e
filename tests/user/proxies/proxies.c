/* SPDX-License-Identifier: MIT */
/*
 * Linux programs that become native ones by execve: busybox's env starts the program "child". The Linux
 * process stays and stands for the native one: what happens to one of them happens to the other.
 */
#include "../test.h"
#include "../usage.h"

#define WAIT 60000 /* ms; what takes longer hangs */

/* ---- Both processes ---- */

static NTSTATUS StartLinux(PHANDLE Process, PCSTR First, PCSTR Second, PCSTR Third, PCSTR Fourth)
{
    char *Arguments[] = {"busybox", (char *)First, (char *)Second, (char *)Third, (char *)Fourth, NULL};
    ULONG Count = 2;
    while (Count < 5 && Arguments[Count] != NULL) {
        Count++;
    }
    return StartSubsystem("linux", "/bin/busybox", Count, Arguments, Process);
}

/* The words behind "env". */
static NTSTATUS StartNativeFromLinux(PHANDLE Process, PCSTR Program, PCSTR First, PCSTR Second)
{
    return StartLinux(Process, "env", Program, First, Second);
}

static ULONG64 IdOf(HANDLE Process)
{
    PROCESS_BASIC_INFORMATION Information = {0};
    NtQueryInformationProcess(Process, ProcessBasicInformation, &Information, sizeof(Information), NULL);
    return Information.UniqueProcessId;
}

/* What is said of the native process whose parent the Linux one is. FALSE: there is none (any more). */
static BOOLEAN FindChild(ULONG64 Parent, PULONG64 Id, PULONG Switches)
{
    SYSTEM_PROCESS_INFORMATION *First;
    ULONG Size;
    BOOLEAN Found = FALSE;
    if (!NT_SUCCESS(QueryProcesses(&First, &Size))) {
        return FALSE;
    }
    for (SYSTEM_PROCESS_INFORMATION *Next = First;; Next = Add2Ptr(Next, Next->NextEntryOffset)) {
        if ((ULONG64)Next->InheritedFromUniqueProcessId == Parent && strcmp(Next->SubsystemName, "native") == 0) {
            *Id = (ULONG64)Next->UniqueProcessId;
            *Switches = Next->NumberOfThreads != 0 ? Next->Threads[0].ContextSwitches : 0;
            Found = TRUE;
        }
        if (Next->NextEntryOffset == 0) {
            break;
        }
    }
    HeapFree(First);
    return Found;
}

static ULONG64 AwaitChild(ULONG64 Parent)
{
    ULONG64 Id;
    ULONG Switches;
    while (!FindChild(Parent, &Id, &Switches) || Switches == 0) {
        Sleep(1);
    }
    return Id;
}

static VOID AwaitItsEnd(ULONG64 Parent)
{
    ULONG64 Id;
    ULONG Switches;
    while (FindChild(Parent, &Id, &Switches)) {
        Sleep(1);
    }
}

static NTSTATUS Kill(PCSTR Signal, ULONG64 Id)
{
    char Text[24];
    HANDLE Process;
    FormatText(Text, sizeof(Text), "%I64u", Id);
    NTSTATUS Status = StartLinux(&Process, "kill", Signal, Text, NULL);
    if (NT_SUCCESS(Status)) {
        Status = WaitForProcess(Process);
        NtClose(Process);
    }
    return Status;
}

/* ---- The end ---- */

static VOID ExitStatuses(VOID)
{
    static const struct {
        PCSTR Role, Argument;
        NTSTATUS Exit;
    } Ends[] = {
        {"exit", "0", 0},
        {"exit", "7", 7},
        {"exit", "255", 255},
        {"exit", "513", 1}, /* the low eight bits */
        {"fault", "read", (NTSTATUS)(SUBSYSTEM_EXIT_SIGNAL | 11)},
        {"fault", "divide", (NTSTATUS)(SUBSYSTEM_EXIT_SIGNAL | 8)},
        {"fault", "illegal", (NTSTATUS)(SUBSYSTEM_EXIT_SIGNAL | 4)},
        {"threads", "20", 0},
    };
    for (ULONG i = 0; i < RTL_NUMBER_OF(Ends); i++) {
        HANDLE Process;
        CHECK_SUCCESS(StartNativeFromLinux(&Process, "child", Ends[i].Role, Ends[i].Argument));
        CHECK_EQUAL(WaitForProcess(Process), Ends[i].Exit);
        CHECK_SUCCESS(NtClose(Process));
    }
}

/* As for Linux programs: 127 when there is none of that name. */
static VOID NotThere(VOID)
{
    HANDLE Process;
    CHECK_SUCCESS(StartNativeFromLinux(&Process, "/native/nobody", NULL, NULL));
    CHECK_EQUAL(WaitForProcess(Process), 127);
    CHECK_SUCCESS(NtClose(Process));
}

/* A signal, or somebody outside, ends the Linux process: the native one goes, too. */
static VOID EndedBySignals(VOID)
{
    static const struct {
        PCSTR Name;
        ULONG Number;
    } Signals[] = {{"-TERM", 15}, {"-KILL", 9}, {"-INT", 2}, {"-HUP", 1}};
    for (ULONG i = 0; i < RTL_NUMBER_OF(Signals); i++) {
        HANDLE Process;
        CHECK_SUCCESS(StartNativeFromLinux(&Process, "child", "sleep", "1000000"));
        ULONG64 Id = IdOf(Process);
        AwaitChild(Id);
        CHECK_SUCCESS(Kill(Signals[i].Name, Id));
        CHECK_EQUAL(WaitForProcess(Process), (NTSTATUS)(SUBSYSTEM_EXIT_SIGNAL | Signals[i].Number));
        AwaitItsEnd(Id);
        CHECK_SUCCESS(NtClose(Process));
    }
}

static VOID EndedFromOutside(VOID)
{
    HANDLE Process;
    CHECK_SUCCESS(StartNativeFromLinux(&Process, "child", "spin", "3"));
    ULONG64 Id = IdOf(Process);
    AwaitChild(Id);
    CHECK_SUCCESS(NtTerminateProcess(Process, 1234));
    CHECK_EQUAL(WaitForProcess(Process), 1234);
    AwaitItsEnd(Id);
    CHECK_SUCCESS(NtClose(Process));
}

/* And the other way round. */
static VOID NativeEndedFromOutside(VOID)
{
    HANDLE Process, Native;
    OBJECT_ATTRIBUTES Attributes;
    InitializeObjectAttributes(&Attributes, NULL, 0, NULL, NULL);
    CHECK_SUCCESS(StartNativeFromLinux(&Process, "child", "sleep", "1000000"));
    CLIENT_ID Id = {.UniqueProcess = (HANDLE)AwaitChild(IdOf(Process))};
    CHECK_SUCCESS(NtOpenProcess(&Native, PROCESS_ALL_ACCESS, &Attributes, &Id));
    CHECK_SUCCESS(NtTerminateProcess(Native, 77));
    CHECK_EQUAL(WaitForProcess(Process), 77);
    CHECK_SUCCESS(NtClose(Native));
    CHECK_SUCCESS(NtClose(Process));
}

/* ---- Stop and continue ---- */

/* It sleeps and wakes again and again: while it is stopped, its thread is switched to no more. */
static VOID StoppedAndContinued(VOID)
{
    HANDLE Process;
    ULONG64 Id;
    ULONG Before, After;
    CHECK_SUCCESS(StartNativeFromLinux(&Process, "child", "ticks", NULL));
    ULONG64 Linux = IdOf(Process);
    AwaitChild(Linux);
    for (ULONG i = 0; i < 3; i++) {
        CHECK_SUCCESS(Kill("-STOP", Linux));
        do {
            CHECK(FindChild(Linux, &Id, &Before));
            Sleep(50);
            CHECK(FindChild(Linux, &Id, &After));
        } while (Before != After);
        CHECK_SUCCESS(Kill("-CONT", Linux));
        do {
            CHECK(FindChild(Linux, &Id, &After));
        } while (Before == After);
    }
    CHECK_SUCCESS(Kill("-STOP", Linux));
    CHECK_SUCCESS(Kill("-KILL", Linux)); /* which a stopped one gets, too */
    CHECK_EQUAL(WaitForProcess(Process), (NTSTATUS)(SUBSYSTEM_EXIT_SIGNAL | 9));
    AwaitItsEnd(Linux);
    CHECK_SUCCESS(NtClose(Process));
}

/* ---- What is left ---- */

static NTSTATUS OneRound(VOID)
{
    HANDLE Process;
    NTSTATUS Status = StartNativeFromLinux(&Process, "nop", NULL, NULL);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    WaitForProcess(Process);
    NtClose(Process);
    Status = StartNativeFromLinux(&Process, "child", "sleep", "1000000");
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    ULONG64 Id = IdOf(Process);
    AwaitChild(Id);
    NtTerminateProcess(Process, 0);
    NtWaitForSingleObject(Process, FALSE, NULL);
    AwaitItsEnd(Id);
    NtClose(Process);
    return STATUS_SUCCESS;
}

static VOID LeavesNothing(VOID)
{
    CHECK_SUCCESS(LetTablesGrow(60));
    for (ULONG i = 0; i < 5; i++) { /* what is made once and kept has been made */
        CHECK_SUCCESS(OneRound());
    }
    SYSTEM_MEMORY_USAGE Before = Usage();
    for (ULONG i = 0; i < 40; i++) {
        CHECK_SUCCESS(OneRound());
    }
    SYSTEM_MEMORY_USAGE After = Usage();
    if (!IsBack(&Before, &After)) {
        ReportUsage("proxies", &Before, &After);
        FAIL("not all has come back: see the log");
    }
}

static const TEST Tests[] = {
    {"proxies.exit-statuses", ExitStatuses},
    {"proxies.not-there", NotThere},
    {"proxies.ended-by-signals", EndedBySignals},
    {"proxies.ended-from-outside", EndedFromOutside},
    {"proxies.native-ended-from-outside", NativeEndedFromOutside},
    {"proxies.stopped-and-continued", StoppedAndContinued},
    {"proxies.leaves-nothing", LeavesNothing},
};

int main(int argc, char **argv)
{
    return RunTests(Tests, RTL_NUMBER_OF(Tests));
}
