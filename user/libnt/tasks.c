/* SPDX-License-Identifier: MIT */
/*
 * A table of all processes and, below each, its threads:
 *
 *      ID PARENT NAME             SUBSYSTEM STATE    PRI CPU       TIME  SWITCHES
 *       4      0 System           kernel                         1.230
 *       8                                   waiting    8   2     0.120        31
 *
 * PRI is the priority now, CPU the processor that runs it or ran it last, TIME in seconds. It takes no
 * memory: the shell prints it when there is none left for a program.
 */
#include "libnt.h"

PCSTR ThreadStateName(ULONG State)
{
    static const char *const Names[] = {"new", "ready", "running", "standby", "ended", "waiting"};
    return State < RTL_NUMBER_OF(Names) ? Names[State] : "?";
}

/* Seconds with three places, for %I64u.%03I64u. */
static ULONG64 Milliseconds(LARGE_INTEGER Kernel, LARGE_INTEGER User)
{
    return (ULONG64)(Kernel.QuadPart + User.QuadPart) / 10000;
}

static VOID PrintProcess(const SYSTEM_PROCESS_INFORMATION *Process)
{
    ULONG64 Time = Milliseconds(Process->KernelTime, Process->UserTime);
    Print("%6I64u %6I64u %-16.16wZ %-9.16s %16s %6I64u.%03I64u\n", (ULONG64)Process->UniqueProcessId,
          (ULONG64)Process->InheritedFromUniqueProcessId, &Process->ImageName, Process->SubsystemName, "",
          Time / 1000, Time % 1000);
}

static VOID PrintThread(const SYSTEM_THREAD_INFORMATION *Thread)
{
    ULONG64 Time = Milliseconds(Thread->KernelTime, Thread->UserTime);
    Print("%6I64u %34s %-8s %3d %3u %6I64u.%03I64u %9u\n", (ULONG64)Thread->ClientId.UniqueThread, "",
          ThreadStateName(Thread->ThreadState), Thread->Priority, Thread->Processor, Time / 1000, Time % 1000,
          Thread->ContextSwitches);
}

VOID PrintProcessTable(const SYSTEM_PROCESS_INFORMATION *Process)
{
    Print("%6s %6s %-16s %-9s %-8s %3s %3s %10s %9s\n", "ID", "PARENT", "NAME", "SUBSYSTEM", "STATE", "PRI",
          "CPU", "TIME", "SWITCHES");
    for (;;) {
        PrintProcess(Process);
        for (ULONG i = 0; i < Process->NumberOfThreads; i++) {
            PrintThread(&Process->Threads[i]);
        }
        if (Process->NextEntryOffset == 0) {
            return;
        }
        Process = Add2Ptr(Process, Process->NextEntryOffset);
    }
}
