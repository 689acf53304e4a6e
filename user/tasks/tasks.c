/* SPDX-License-Identifier: MIT */
/*
 * Lists all processes and their threads (user/libnt/tasks.c has the picture); with -w every second the
 * threads that have used the processors most since the table before:
 *
 *    USE     ID PROCESS          STATE    PRI CPU  SWITCHES
 *   99.8     88 bench            running    8   1        12
 *
 * USE is in percent of one processor. tasks -w N ends after N tables, otherwise it goes on until it is ended.
 */
#include "libnt.h"

#define SHOWN 20

typedef struct _USE {
    const SYSTEM_PROCESS_INFORMATION *Process;
    const SYSTEM_THREAD_INFORMATION *Information;
    ULONG64 Time;     /* since the table before, 100 ns */
    ULONG64 Switches;
} USE;

static const SYSTEM_PROCESS_INFORMATION *NextProcess(const SYSTEM_PROCESS_INFORMATION *Process)
{
    return Process->NextEntryOffset == 0 ? NULL : Add2Ptr(Process, Process->NextEntryOffset);
}

/* The same thread in an earlier answer; NULL: it is younger. An id may have been given again. */
static const SYSTEM_THREAD_INFORMATION *Earlier(const SYSTEM_PROCESS_INFORMATION *Process, const SYSTEM_THREAD_INFORMATION *Thread)
{
    for (; Process != NULL; Process = NextProcess(Process)) {
        for (ULONG i = 0; i < Process->NumberOfThreads; i++) {
            const SYSTEM_THREAD_INFORMATION *Other = &Process->Threads[i];
            if (Other->ClientId.UniqueThread == Thread->ClientId.UniqueThread &&
                Other->CreateTime.QuadPart == Thread->CreateTime.QuadPart) {
                return Other;
            }
        }
    }
    return NULL;
}

static ULONG64 TimeOf(const SYSTEM_THREAD_INFORMATION *Thread)
{
    return (ULONG64)(Thread->KernelTime.QuadPart + Thread->UserTime.QuadPart);
}

/* Keeps the SHOWN highest, in order. */
static ULONG Insert(USE *Uses, ULONG Count, const USE *New)
{
    ULONG At = Count;
    while (At > 0 && Uses[At - 1].Time < New->Time) {
        At--;
    }
    for (ULONG i = Count < SHOWN ? Count : SHOWN - 1; i > At; i--) {
        Uses[i] = Uses[i - 1];
    }
    if (At < SHOWN) {
        Uses[At] = *New;
    }
    return Count < SHOWN ? Count + 1 : SHOWN;
}

static VOID PrintUses(const SYSTEM_PROCESS_INFORMATION *Now, const SYSTEM_PROCESS_INFORMATION *Before, ULONG64 Passed)
{
    USE Uses[SHOWN];
    ULONG Count = 0;
    for (const SYSTEM_PROCESS_INFORMATION *Process = Now; Process != NULL; Process = NextProcess(Process)) {
        for (ULONG i = 0; i < Process->NumberOfThreads; i++) {
            const SYSTEM_THREAD_INFORMATION *Thread = &Process->Threads[i], *Old = Earlier(Before, Thread);
            USE New = {Process, Thread, TimeOf(Thread) - (Old != NULL ? TimeOf(Old) : 0),
                       Thread->ContextSwitches - (Old != NULL ? Old->ContextSwitches : 0)};
            Count = Insert(Uses, Count, &New);
        }
    }
    Print("%6s %6s %-16s %-8s %3s %3s %9s\n", "USE", "ID", "PROCESS", "STATE", "PRI", "CPU", "SWITCHES");
    for (ULONG i = 0; i < Count; i++) {
        ULONG64 Use = Passed != 0 ? Uses[i].Time * 1000 / Passed : 0;
        Print("%4I64u.%I64u %6I64u %-16.16wZ %-8s %3d %3u %9I64u\n", Use / 10, Use % 10,
              (ULONG64)Uses[i].Information->ClientId.UniqueThread, &Uses[i].Process->ImageName,
              ThreadStateName(Uses[i].Information->ThreadState), Uses[i].Information->Priority, Uses[i].Information->Processor,
              Uses[i].Switches);
    }
}

static int Fail(NTSTATUS Status)
{
    STATUS_TEXT Text;
    PrintError("tasks: %s\n", StatusText(Status, Text));
    return 1;
}

static int Watch(ULONG Tables)
{
    SYSTEM_PROCESS_INFORMATION *Before = NULL, *Now;
    LARGE_INTEGER Then = {0}, Time;
    ULONG Size;
    for (ULONG Table = 0; Tables == 0 || Table <= Tables; Table++) {
        NTSTATUS Status = QueryProcesses(&Now, &Size);
        if (!NT_SUCCESS(Status)) {
            return Fail(Status);
        }
        NtQuerySystemTime(&Time);
        if (Before != NULL) {
            Print("\x1b[H\x1b[J"); /* the cursor goes home, the screen is cleared */
            PrintUses(Now, Before, (ULONG64)(Time.QuadPart - Then.QuadPart));
            HeapFree(Before);
        }
        Before = Now;
        Then = Time;
        if (Tables == 0 || Table < Tables) {
            Sleep(1000);
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    SYSTEM_PROCESS_INFORMATION *First;
    ULONG Size, Tables = 0;
    if (argc > 1 && strcmp(argv[1], "-w") == 0) {
        for (const char *Digit = argc > 2 ? argv[2] : ""; *Digit >= '0' && *Digit <= '9'; Digit++) {
            Tables = Tables * 10 + (ULONG)(*Digit - '0');
        }
        return Watch(Tables);
    }
    NTSTATUS Status = QueryProcesses(&First, &Size);
    if (!NT_SUCCESS(Status)) {
        return Fail(Status);
    }
    PrintProcessTable(First);
    return 0;
}
