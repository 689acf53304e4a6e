/* SPDX-License-Identifier: MIT */
/* Starts programs: native ones first, then those of the default subsystem, in the foreground or the
   background. */
#include "sh.h"

#define JOBS_MOST 16

typedef struct _JOB {
    HANDLE Process; /* NULL: the place is free */
    ULONG64 Id;
    char Name[32];
} JOB, *PJOB;

static JOB Jobs[JOBS_MOST];

/* ---- Starting ---- */

/*
 * "hello" is a native program if there is one, else the default subsystem looks for it; "/bin/hello" is
 * always the subsystem's; "NAME:/bin/hello" is one of the subsystem NAME.
 */
static NTSTATUS StartProgram(PCOMMAND Command, PHANDLE Process)
{
    char *Name = Command->Words[0];
    char *Colon = strchr(Name, ':');
    char *Slash = strchr(Name, '/');

    if (Colon != NULL && Colon != Name && (Slash == NULL || Colon < Slash)) {
        *Colon = '\0';
        Command->Words[0] = Colon + 1;
        return StartSubsystem(Name, Command->Words[0], Command->Count, Command->Words, Process);
    }
    if (Slash == NULL) {
        NTSTATUS Status = StartNative(Name, Command->Count, Command->Words, 0, Process, NULL);
        if (NT_SUCCESS(Status) || StartFailureCode(Status) != EXIT_NOT_FOUND) {
            return Status;
        }
    }
    return StartSubsystem(DEFAULT_SUBSYSTEM, Name, Command->Count, Command->Words, Process);
}

/* ---- Background ---- */

static ULONG64 ProcessId(HANDLE Process)
{
    PROCESS_BASIC_INFORMATION Information = {0};
    NtQueryInformationProcess(Process, ProcessBasicInformation, &Information, sizeof(Information), NULL);
    return Information.UniqueProcessId;
}

static VOID AddJob(HANDLE Process, PCSTR Name)
{
    for (ULONG i = 0; i < JOBS_MOST; i++) {
        if (Jobs[i].Process == NULL) {
            Jobs[i].Process = Process;
            Jobs[i].Id = ProcessId(Process);
            FormatText(Jobs[i].Name, sizeof(Jobs[i].Name), "%s", Name);
            Print("[%I64u] %s\n", Jobs[i].Id, Name);
            return;
        }
    }
    NtClose(Process); /* it runs all the same; the shell will not tell of its end */
}

static VOID EndJob(PJOB Job)
{
    ULONG Code = ExitCode(WaitForProcess(Job->Process));
    Print("[%I64u] %s ended with %u\n", Job->Id, Job->Name, Code);
    NtClose(Job->Process);
    Job->Process = NULL;
}

VOID ReportJobs(BOOLEAN All)
{
    LARGE_INTEGER Now = {.QuadPart = 0};
    for (ULONG i = 0; i < JOBS_MOST; i++) {
        if (Jobs[i].Process == NULL) {
            continue;
        }
        if (NtWaitForSingleObject(Jobs[i].Process, FALSE, &Now) == STATUS_SUCCESS) {
            EndJob(&Jobs[i]);
        } else if (All) {
            Print("[%I64u] %s runs\n", Jobs[i].Id, Jobs[i].Name);
        }
    }
}

VOID WaitForJobs(VOID)
{
    for (ULONG i = 0; i < JOBS_MOST; i++) {
        if (Jobs[i].Process != NULL) {
            EndJob(&Jobs[i]);
        }
    }
}

/* ---- Foreground ---- */

static ULONG WaitInForeground(HANDLE Process, PCSTR Name)
{
    STATUS_TEXT Text;
    NTSTATUS Status = WaitForProcess(Process);
    NtClose(Process);
    if (Status < -256 || Status > 255) {
        ULONG Signal = (ULONG)Status ^ SUBSYSTEM_EXIT_SIGNAL;
        if (Signal < 128) {
            PrintError("sh: %s: ended by signal %u\n", Name, Signal);
        } else {
            PrintError("sh: %s: ended with %s\n", Name, StatusText(Status, Text));
        }
    }
    return ExitCode(Status);
}

/* ---- When memory is out ---- */

/* Room for some 200 processes, which is there from the start. */
static UCHAR Spare[0x10000] __attribute__((aligned(16)));

VOID ReserveMemory(VOID)
{
    for (SIZE_T i = 0; i < sizeof(Spare); i += PAGE_SIZE) {
        *(volatile UCHAR *)&Spare[i] = 1;
    }
}

/* No program can be started that would tell whom to end (`kill` starts none): the shell tells it itself. */
static NTSTATUS ListProcesses(VOID)
{
    NTSTATUS Status = NtQuerySystemInformation(SystemProcessInformation, Spare, sizeof(Spare), NULL);
    if (NT_SUCCESS(Status)) {
        PrintProcessTable((const SYSTEM_PROCESS_INFORMATION *)Spare);
    }
    return Status;
}

static BOOLEAN IsMemoryOut(NTSTATUS Status)
{
    return Status == STATUS_NO_MEMORY || Status == STATUS_INSUFFICIENT_RESOURCES;
}

/* ---- A command ---- */

ULONG RunProgram(PCOMMAND Command)
{
    HANDLE Process;
    STATUS_TEXT Text;
    NTSTATUS Status = StartProgram(Command, &Process);
    if (IsMemoryOut(Status) && strcmp(Command->Words[0], "tasks") == 0) {
        Status = ListProcesses();
        if (NT_SUCCESS(Status)) {
            return 0;
        }
    }
    if (!NT_SUCCESS(Status)) {
        PrintError("sh: %s: %s\n", Command->Words[0], StatusText(Status, Text));
        return StartFailureCode(Status);
    }
    if (Command->Background) {
        AddJob(Process, Command->Words[0]);
        return 0;
    }
    return WaitInForeground(Process, Command->Words[0]);
}
