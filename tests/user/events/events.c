/* SPDX-License-Identifier: MIT */
/* Events of both types, from one thread and from several. */
#include "../test.h"

#define WAIT 20000 /* ms; what takes longer hangs */

static HANDLE NewEvent(EVENT_TYPE Type, BOOLEAN State)
{
    HANDLE Event = NULL;
    NtCreateEvent(&Event, EVENT_ALL_ACCESS, NULL, Type, State);
    return Event;
}

/* ---- One thread ---- */

static VOID NotificationStays(VOID)
{
    LONG Previous = -1;
    HANDLE Event = NewEvent(NotificationEvent, FALSE);
    CHECK(Event != NULL);
    CHECK_STATUS(WaitFor(Event, 0), STATUS_TIMEOUT);
    CHECK_STATUS(WaitFor(Event, 20), STATUS_TIMEOUT);
    CHECK_SUCCESS(NtSetEvent(Event, &Previous));
    CHECK_EQUAL(Previous, 0);
    CHECK_SUCCESS(WaitFor(Event, 0));
    CHECK_SUCCESS(WaitFor(Event, WAIT));
    CHECK_SUCCESS(NtSetEvent(Event, &Previous));
    CHECK_EQUAL(Previous, 1);
    CHECK_SUCCESS(NtResetEvent(Event, &Previous));
    CHECK_EQUAL(Previous, 1);
    CHECK_STATUS(WaitFor(Event, 0), STATUS_TIMEOUT);
    CHECK_SUCCESS(NtResetEvent(Event, &Previous));
    CHECK_EQUAL(Previous, 0);
    CHECK_SUCCESS(NtClose(Event));
}

static VOID SynchronizationGoesToOne(VOID)
{
    HANDLE Event = NewEvent(SynchronizationEvent, TRUE);
    CHECK(Event != NULL);
    CHECK_SUCCESS(WaitFor(Event, 0));
    CHECK_STATUS(WaitFor(Event, 0), STATUS_TIMEOUT);
    CHECK_SUCCESS(NtSetEvent(Event, NULL));
    CHECK_SUCCESS(NtSetEvent(Event, NULL)); /* two sets, one signal */
    CHECK_SUCCESS(WaitFor(Event, 0));
    CHECK_STATUS(WaitFor(Event, 0), STATUS_TIMEOUT);
    CHECK_SUCCESS(NtSetEvent(Event, NULL));
    CHECK_SUCCESS(NtClearEvent(Event));
    CHECK_STATUS(WaitFor(Event, 0), STATUS_TIMEOUT);
    CHECK_SUCCESS(NtClose(Event));
}

static VOID PulseLeavesNothing(VOID)
{
    LONG Previous = -1;
    HANDLE Event = NewEvent(NotificationEvent, FALSE);
    CHECK_SUCCESS(NtPulseEvent(Event, &Previous));
    CHECK_EQUAL(Previous, 0);
    CHECK_STATUS(WaitFor(Event, 0), STATUS_TIMEOUT);
    CHECK_SUCCESS(NtClose(Event));
}

static VOID BadArguments(VOID)
{
    HANDLE Event, Events[65];
    LARGE_INTEGER Now = {.QuadPart = 0};
    CHECK_STATUS(NtCreateEvent(&Event, EVENT_ALL_ACCESS, NULL, 2, FALSE), STATUS_INVALID_PARAMETER);
    for (ULONG i = 0; i < RTL_NUMBER_OF(Events); i++) {
        Events[i] = NewEvent(NotificationEvent, FALSE);
    }
    CHECK_STATUS(NtWaitForMultipleObjects(0, Events, WaitAny, FALSE, &Now), STATUS_INVALID_PARAMETER_1);
    CHECK_STATUS(NtWaitForMultipleObjects(65, Events, WaitAny, FALSE, &Now), STATUS_INVALID_PARAMETER_1);
    CHECK(!NT_SUCCESS(NtWaitForMultipleObjects(2, Events, 7, FALSE, &Now)));
    CHECK_STATUS(NtWaitForMultipleObjects(64, Events, WaitAny, FALSE, &Now), STATUS_TIMEOUT);
    CHECK_SUCCESS(NtSetEvent(Events[63], NULL));
    CHECK_STATUS(NtWaitForMultipleObjects(64, Events, WaitAny, FALSE, &Now), STATUS_WAIT_63);
    for (ULONG i = 0; i < RTL_NUMBER_OF(Events); i++) {
        CHECK_SUCCESS(NtClose(Events[i]));
    }
    CHECK_STATUS(NtWaitForMultipleObjects(2, Events, WaitAny, FALSE, &Now), STATUS_INVALID_HANDLE);
}

/* All or none: a wait for both takes neither while one is missing. */
static VOID WaitAllTakesAllOrNone(VOID)
{
    LARGE_INTEGER Soon = Milliseconds(20);
    HANDLE Pair[2] = {NewEvent(SynchronizationEvent, TRUE), NewEvent(SynchronizationEvent, FALSE)};
    CHECK_STATUS(NtWaitForMultipleObjects(2, Pair, WaitAll, FALSE, &Soon), STATUS_TIMEOUT);
    CHECK_SUCCESS(WaitFor(Pair[0], 0)); /* the first was not taken */
    CHECK_SUCCESS(NtSetEvent(Pair[0], NULL));
    CHECK_SUCCESS(NtSetEvent(Pair[1], NULL));
    CHECK_SUCCESS(NtWaitForMultipleObjects(2, Pair, WaitAll, FALSE, &Soon));
    CHECK_STATUS(NtWaitForMultipleObjects(2, Pair, WaitAny, FALSE, &Soon), STATUS_TIMEOUT);
    CHECK_SUCCESS(NtClose(Pair[0]));
    CHECK_SUCCESS(NtClose(Pair[1]));
}

/* Times are in units of 100 ns: negative from now on, positive since 1601. */
static VOID TimeOutsLastAsLongAsTheyShould(VOID)
{
    HANDLE Event = NewEvent(NotificationEvent, FALSE);
    LARGE_INTEGER Before, After, Deadline;
    CHECK_SUCCESS(NtQuerySystemTime(&Before));
    CHECK_STATUS(WaitFor(Event, 100), STATUS_TIMEOUT);
    CHECK_SUCCESS(NtQuerySystemTime(&After));
    CHECK(After.QuadPart - Before.QuadPart >= 990000);

    Deadline.QuadPart = After.QuadPart + 500000;
    CHECK_STATUS(NtWaitForSingleObject(Event, FALSE, &Deadline), STATUS_TIMEOUT);
    CHECK_SUCCESS(NtQuerySystemTime(&After));
    CHECK(After.QuadPart >= Deadline.QuadPart);
    Deadline.QuadPart = 1; /* long ago */
    CHECK_STATUS(NtWaitForSingleObject(Event, FALSE, &Deadline), STATUS_TIMEOUT);
    CHECK_SUCCESS(NtClose(Event));
}

/* ---- Several threads ---- */

typedef struct _PING_PONG {
    HANDLE Ping, Pong;
    ULONG Rounds;
    volatile LONG Turn;
    volatile LONG Mistakes;
} PING_PONG, *PPING_PONG;

static VOID AnswerPings(PVOID Argument)
{
    PPING_PONG Game = Argument;
    for (ULONG i = 0; i < Game->Rounds; i++) {
        NtWaitForSingleObject(Game->Ping, FALSE, NULL);
        Game->Mistakes += Game->Turn != 1;
        Game->Turn = 0;
        NtSetEvent(Game->Pong, NULL);
    }
}

/* Two threads hand a turn to and fro; nobody ever finds it in the other's hands. */
static VOID PingPong(VOID)
{
    PING_PONG Game = {NewEvent(SynchronizationEvent, FALSE), NewEvent(SynchronizationEvent, FALSE), 5000, 0,
                      0};
    HANDLE Thread;
    CHECK_SUCCESS(CreateThread(AnswerPings, &Game, &Thread));
    for (ULONG i = 0; i < Game.Rounds; i++) {
        Game.Mistakes += Game.Turn != 0;
        Game.Turn = 1;
        CHECK_SUCCESS(NtSetEvent(Game.Ping, NULL));
        CHECK_SUCCESS(WaitFor(Game.Pong, WAIT));
    }
    CHECK_SUCCESS(WaitFor(Thread, WAIT));
    CHECK_EQUAL(Game.Mistakes, 0);
    CHECK_SUCCESS(NtClose(Thread));
    CHECK_SUCCESS(NtClose(Game.Ping));
    CHECK_SUCCESS(NtClose(Game.Pong));
}

#define WAITERS 8

typedef struct _GATE {
    HANDLE Event;
    volatile LONG Waiting, Through;
} GATE, *PGATE;

static VOID GoThrough(PVOID Argument)
{
    PGATE Gate = Argument;
    InterlockedIncrement(&Gate->Waiting);
    if (WaitFor(Gate->Event, WAIT) == STATUS_SUCCESS) {
        InterlockedIncrement(&Gate->Through);
    }
}

static NTSTATUS StartWaiters(PGATE Gate, HANDLE Threads[WAITERS])
{
    NTSTATUS Status = STATUS_SUCCESS;
    for (ULONG i = 0; i < WAITERS && NT_SUCCESS(Status); i++) {
        Status = CreateThread(GoThrough, Gate, &Threads[i]);
    }
    while (NT_SUCCESS(Status) && Gate->Waiting != WAITERS) {
        Sleep(5);
    }
    Sleep(50); /* the last one is on its way into the wait */
    return Status;
}

/* Each set of a synchronization event lets exactly one through. */
static VOID OneSetOneWaiter(VOID)
{
    GATE Gate = {.Event = NewEvent(SynchronizationEvent, FALSE)};
    HANDLE Threads[WAITERS];
    LARGE_INTEGER Late = Milliseconds(WAIT);
    CHECK_SUCCESS(StartWaiters(&Gate, Threads));
    for (LONG i = 1; i <= WAITERS; i++) {
        CHECK_SUCCESS(NtSetEvent(Gate.Event, NULL));
        for (ULONG Try = 0; Try < 1000 && Gate.Through < i; Try++) {
            Sleep(5);
        }
        CHECK_EQUAL(Gate.Through, i);
    }
    CHECK_SUCCESS(NtWaitForMultipleObjects(WAITERS, Threads, WaitAll, FALSE, &Late));
    CHECK_STATUS(WaitFor(Gate.Event, 0), STATUS_TIMEOUT);
    CHECK_SUCCESS(NtClose(Gate.Event));
}

static VOID OneSetAllWaiters(VOID)
{
    GATE Gate = {.Event = NewEvent(NotificationEvent, FALSE)};
    HANDLE Threads[WAITERS];
    LARGE_INTEGER Late = Milliseconds(WAIT);
    CHECK_SUCCESS(StartWaiters(&Gate, Threads));
    CHECK_EQUAL(Gate.Through, 0);
    CHECK_SUCCESS(NtSetEvent(Gate.Event, NULL));
    CHECK_SUCCESS(NtWaitForMultipleObjects(WAITERS, Threads, WaitAll, FALSE, &Late));
    CHECK_EQUAL(Gate.Through, WAITERS);
    CHECK_SUCCESS(NtClose(Gate.Event));
}

/* Sets race with time-outs of about the same length: a set is either received or still there, never both,
   never lost. */
typedef struct _RACE {
    HANDLE Event;
    volatile LONG Received, Stop;
} RACE, *PRACE;

static VOID WaitShortly(PVOID Argument)
{
    PRACE Race = Argument;
    while (!Race->Stop) {
        LARGE_INTEGER Timeout = {.QuadPart = -2000};
        if (NtWaitForSingleObject(Race->Event, FALSE, &Timeout) == STATUS_SUCCESS) {
            InterlockedIncrement(&Race->Received);
        }
    }
}

static VOID SetAgainstTimeOut(VOID)
{
    RACE Race = {.Event = NewEvent(SynchronizationEvent, FALSE)};
    HANDLE Thread;
    LONG Previous, Merged = 0, Rounds = 2000;
    CHECK_SUCCESS(CreateThread(WaitShortly, &Race, &Thread));
    for (LONG i = 0; i < Rounds; i++) {
        LARGE_INTEGER Pause = {.QuadPart = -1000 - (i % 50) * 50};
        CHECK_SUCCESS(NtSetEvent(Race.Event, &Previous));
        Merged += Previous; /* it was set already: two sets make one signal */
        NtDelayExecution(FALSE, &Pause);
    }
    Race.Stop = 1;
    CHECK_SUCCESS(WaitFor(Thread, WAIT));
    LONG Left = WaitFor(Race.Event, 0) == STATUS_SUCCESS;
    CHECK_EQUAL(Race.Received + Merged + Left, Rounds);
    CHECK_SUCCESS(NtClose(Thread));
    CHECK_SUCCESS(NtClose(Race.Event));
}

/* ---- Names, as programs may use them ---- */

static NTSTATUS MakeNamed(PHANDLE Event, PCWSTR Path, ULONG Flags)
{
    UNICODE_STRING Name = {.Buffer = (PWCH)Path};
    OBJECT_ATTRIBUTES Attributes;
    while (Path[Name.Length / sizeof(WCHAR)] != 0) {
        Name.Length += sizeof(WCHAR);
    }
    Name.MaximumLength = Name.Length;
    InitializeObjectAttributes(&Attributes, &Name, Flags, NULL, NULL);
    return NtCreateEvent(Event, EVENT_ALL_ACCESS, &Attributes, NotificationEvent, FALSE);
}

static VOID NamesOfPrograms(VOID)
{
    HANDLE First, Second;
    LONG Previous = 0;
    CHECK_SUCCESS(MakeNamed(&First, L"\\BaseNamedObjects\\Program", 0));
    CHECK_STATUS(MakeNamed(&Second, L"\\BaseNamedObjects\\Program", 0), STATUS_OBJECT_NAME_COLLISION);
    CHECK_STATUS(MakeNamed(&Second, L"\\basenamedobjects\\PROGRAM", OBJ_CASE_INSENSITIVE | OBJ_OPENIF), STATUS_OBJECT_NAME_EXISTS);
    CHECK_SUCCESS(NtSetEvent(First, NULL));
    CHECK_SUCCESS(NtSetEvent(Second, &Previous));
    CHECK_EQUAL(Previous, 1);
    CHECK_SUCCESS(NtClose(First));
    CHECK_SUCCESS(NtClose(Second));
    /* What stays for ever, or stands where the kernel's own names are, is not a program's to make. */
    CHECK_STATUS(MakeNamed(&First, L"\\BaseNamedObjects\\Program", OBJ_PERMANENT), STATUS_PRIVILEGE_NOT_HELD);
    CHECK_STATUS(MakeNamed(&First, L"\\BaseNamedObjects\\Program", OBJ_KERNEL_HANDLE), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(MakeNamed(&First, L"\\Device\\Program", 0), STATUS_ACCESS_DENIED);
    CHECK_STATUS(MakeNamed(&First, L"\\Program", 0), STATUS_ACCESS_DENIED);
    CHECK_SUCCESS(MakeNamed(&First, L"\\??\\Program", 0));
    CHECK_SUCCESS(NtClose(First));
    /* A handle that cannot be delivered takes its name with it. */
    CHECK_STATUS(MakeNamed((PHANDLE)0xffff800000000000, L"\\BaseNamedObjects\\Program", 0), STATUS_ACCESS_VIOLATION);
    CHECK_SUCCESS(MakeNamed(&First, L"\\BaseNamedObjects\\Program", 0));
    CHECK_SUCCESS(NtClose(First));
}

/* The kernel opens no second handle for another process: a duplicate in one would be such. */
static VOID ExclusiveObjects(VOID)
{
    HANDLE Event, Same, Child, There;
    CHECK_SUCCESS(MakeNamed(&Event, L"\\BaseNamedObjects\\Exclusive", OBJ_EXCLUSIVE));
    CHECK_STATUS(MakeNamed(&Same, L"\\BaseNamedObjects\\Exclusive", OBJ_OPENIF), STATUS_OBJECT_NAME_EXISTS);
    CHECK_SUCCESS(NtClose(Same));
    CHECK_SUCCESS(StartChild(&Child, "sleep", "60000", "0"));
    CHECK_STATUS(NtDuplicateObject(NtCurrentProcess(), Event, Child, &There, 0, 0, DUPLICATE_SAME_ACCESS), STATUS_ACCESS_DENIED);
    CHECK_SUCCESS(NtTerminateProcess(Child, 0));
    CHECK_SUCCESS(WaitFor(Child, WAIT));
    CHECK_SUCCESS(NtClose(Child));
    CHECK_SUCCESS(NtClose(Event));
}

static const TEST Tests[] = {
    {"events.names-of-programs", NamesOfPrograms},
    {"events.exclusive-objects", ExclusiveObjects},
    {"events.notification-stays", NotificationStays},
    {"events.synchronization-goes-to-one", SynchronizationGoesToOne},
    {"events.pulse-leaves-nothing", PulseLeavesNothing},
    {"events.bad-arguments", BadArguments},
    {"events.wait-all-takes-all-or-none", WaitAllTakesAllOrNone},
    {"events.time-outs-last-as-long-as-they-should", TimeOutsLastAsLongAsTheyShould},
    {"events.ping-pong", PingPong},
    {"events.one-set-one-waiter", OneSetOneWaiter},
    {"events.one-set-all-waiters", OneSetAllWaiters},
    {"events.set-against-time-out", SetAgainstTimeOut},
};

int main(int argc, char **argv)
{
    return RunTests(Tests, RTL_NUMBER_OF(Tests));
}
