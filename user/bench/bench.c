/* SPDX-License-Identifier: MIT */
/*
 * Small measures of the system services, one line each: "@bench NAME VALUE", in ticks of the
 * time-stamp counter for one round. When QEMU counts instructions (tools/run --icount) a tick is a guest
 * instruction, and the values repeat.
 *
 *   native-null-call     NtNull, with the loop around it
 *   native-process       a process that ends at once: create, wait, close
 *   native-thread        the same for a thread
 *   native-event-pair    two threads hand a turn to and fro by two events: one full round, two switches
 */
#include "libnt.h"

static ULONG64 Ticks(VOID)
{
    return __builtin_ia32_rdtsc();
}

static VOID Report(PCSTR Name, ULONG64 Start, ULONG Rounds)
{
    Print("@bench %s %I64u\n", Name, (Ticks() - Start) / Rounds);
}

static NORETURN VOID Fail(PCSTR Name, NTSTATUS Status)
{
    STATUS_TEXT Text;
    PrintError("bench: %s: %s\n", Name, StatusText(Status, Text));
    Exit(1);
}

/* ---- System calls ---- */

static VOID MeasureNullCall(ULONG Rounds)
{
    NtNull(); /* the page of the stub is there */
    ULONG64 Start = Ticks();
    for (ULONG i = 0; i < Rounds; i++) {
        NtNull();
    }
    Report("native-null-call", Start, Rounds);
}

/* ---- Processes and threads ---- */

static VOID LiveOneProcess(VOID)
{
    HANDLE Process;
    char *Arguments[] = {"nop", NULL};
    NTSTATUS Status = StartNative("nop", 1, Arguments, 0, &Process, NULL);
    if (!NT_SUCCESS(Status)) {
        Fail("nop", Status);
    }
    NtWaitForSingleObject(Process, FALSE, NULL);
    NtClose(Process);
}

static VOID MeasureProcess(ULONG Rounds)
{
    LiveOneProcess(); /* the first one reads the program in */
    ULONG64 Start = Ticks();
    for (ULONG i = 0; i < Rounds; i++) {
        LiveOneProcess();
    }
    Report("native-process", Start, Rounds);
}

static VOID DoNothing(PVOID Argument)
{
}

static VOID LiveOneThread(VOID)
{
    HANDLE Thread;
    NTSTATUS Status = CreateThread(DoNothing, NULL, &Thread);
    if (!NT_SUCCESS(Status)) {
        Fail("thread", Status);
    }
    NtWaitForSingleObject(Thread, FALSE, NULL);
    NtClose(Thread);
}

static VOID MeasureThread(ULONG Rounds)
{
    LiveOneThread();
    ULONG64 Start = Ticks();
    for (ULONG i = 0; i < Rounds; i++) {
        LiveOneThread();
    }
    Report("native-thread", Start, Rounds);
}

/* ---- Events ---- */

typedef struct _EVENT_PAIR {
    HANDLE Ping, Pong;
    ULONG Rounds;
} EVENT_PAIR, *PEVENT_PAIR;

static VOID AnswerPings(PVOID Argument)
{
    PEVENT_PAIR Pair = Argument;
    for (ULONG i = 0; i < Pair->Rounds; i++) {
        NtWaitForSingleObject(Pair->Ping, FALSE, NULL);
        NtSetEvent(Pair->Pong, NULL);
    }
}

static VOID MeasureEventPair(ULONG Rounds)
{
    EVENT_PAIR Pair = {.Rounds = Rounds + 1};
    HANDLE Thread;
    NtCreateEvent(&Pair.Ping, EVENT_ALL_ACCESS, NULL, SynchronizationEvent, FALSE);
    NtCreateEvent(&Pair.Pong, EVENT_ALL_ACCESS, NULL, SynchronizationEvent, FALSE);
    NTSTATUS Status = CreateThread(AnswerPings, &Pair, &Thread);
    if (!NT_SUCCESS(Status)) {
        Fail("thread", Status);
    }

    ULONG64 Start = 0;
    for (ULONG i = 0; i <= Rounds; i++) {
        if (i == 1) {
            Start = Ticks(); /* the thread is up */
        }
        NtSetEvent(Pair.Ping, NULL);
        NtWaitForSingleObject(Pair.Pong, FALSE, NULL);
    }
    Report("native-event-pair", Start, Rounds);
    NtWaitForSingleObject(Thread, FALSE, NULL);
    NtClose(Thread);
    NtClose(Pair.Ping);
    NtClose(Pair.Pong);
}

int main(int argc, char **argv)
{
    MeasureNullCall(10000);
    MeasureProcess(100);
    MeasureThread(1000);
    MeasureEventPair(10000);
    return 0;
}
