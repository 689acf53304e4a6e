/* SPDX-License-Identifier: MIT */
/* User APCs and alerts, as a program queues and takes them. */
#include "native.h"

static volatile ULONG Calls;
static ULONG_PTR LastArguments[3];

static VOID NoteApc(PVOID Argument1, PVOID Argument2, PVOID Argument3)
{
    LastArguments[0] = (ULONG_PTR)Argument1;
    LastArguments[1] = (ULONG_PTR)Argument2;
    LastArguments[2] = (ULONG_PTR)Argument3;
    Calls++;
}

static NTSTATUS QueueToSelf(PPS_APC_ROUTINE Routine, ULONG_PTR Argument)
{
    return NtQueueApcThread(NtCurrentThread(), Routine, (PVOID)Argument, (PVOID)2, (PVOID)3);
}

/* Queued, they wait for an alertable wait, whatever else the thread calls. */
static VOID WaitsTakeThem(VOID)
{
    LARGE_INTEGER Soon = Milliseconds(1), Long = Milliseconds(PATIENCE), Zero = {.QuadPart = 0};
    HANDLE Event, Pair[2];
    CHECK_SUCCESS(NtCreateEvent(&Event, EVENT_ALL_ACCESS, NULL, NotificationEvent, FALSE));
    Pair[0] = Event;
    CHECK_SUCCESS(NtCreateEvent(&Pair[1], EVENT_ALL_ACCESS, NULL, NotificationEvent, FALSE));
    Calls = 0;
    CHECK_SUCCESS(QueueToSelf(NoteApc, 1));
    CHECK_SUCCESS(NtDelayExecution(FALSE, &Soon));
    CHECK_STATUS(NtWaitForSingleObject(Event, FALSE, &Soon), STATUS_TIMEOUT);
    CHECK_EQUAL(Calls, 0);
    CHECK_STATUS(NtDelayExecution(TRUE, &Long), STATUS_USER_APC);
    CHECK_EQUAL(Calls, 1);
    CHECK_EQUAL(LastArguments[0], 1);
    CHECK_EQUAL(LastArguments[1], 2);
    CHECK_EQUAL(LastArguments[2], 3);
    CHECK_SUCCESS(NtDelayExecution(TRUE, &Zero));

    CHECK_SUCCESS(QueueToSelf(NoteApc, 10));
    CHECK_STATUS(NtWaitForSingleObject(Event, TRUE, &Long), STATUS_USER_APC);
    CHECK_SUCCESS(QueueToSelf(NoteApc, 11));
    CHECK_STATUS(NtWaitForMultipleObjects(2, Pair, WaitAll, TRUE, NULL), STATUS_USER_APC);
    CHECK_SUCCESS(QueueToSelf(NoteApc, 12));
    CHECK_STATUS(NtWaitForMultipleObjects(2, Pair, WaitAny, TRUE, NULL), STATUS_USER_APC);
    CHECK_EQUAL(Calls, 4);
    CHECK_EQUAL(LastArguments[0], 12);
    NtClose(Event);
    NtClose(Pair[1]);
}

/* Several are delivered one after the other, in order, by one test. */
static ULONG_PTR InOrder;
static VOID AddDigit(PVOID Argument1, PVOID Argument2, PVOID Argument3)
{
    InOrder = InOrder * 10 + (ULONG_PTR)Argument1;
}

static VOID SeveralInOrder(VOID)
{
    InOrder = 0;
    CHECK_SUCCESS(NtTestAlert());
    for (ULONG i = 1; i <= 5; i++) {
        CHECK_SUCCESS(QueueToSelf(AddDigit, i));
    }
    CHECK_SUCCESS(NtTestAlert());
    CHECK_EQUAL(InOrder, 12345);
}

/* An APC that waits alertably takes the next one inside. */
static ULONG Nesting, Deepest;
static VOID NestApc(PVOID Argument1, PVOID Argument2, PVOID Argument3)
{
    LARGE_INTEGER Zero = {.QuadPart = 0};
    Nesting++;
    Deepest = Nesting > Deepest ? Nesting : Deepest;
    if ((ULONG_PTR)Argument1 < 8) {
        QueueToSelf(NestApc, (ULONG_PTR)Argument1 + 1);
        NtDelayExecution(TRUE, &Zero);
    }
    Nesting--;
}

static VOID ApcsNest(VOID)
{
    Nesting = Deepest = 0;
    CHECK_SUCCESS(QueueToSelf(NestApc, 1));
    CHECK_SUCCESS(NtTestAlert());
    CHECK_EQUAL(Deepest, 8);
    CHECK_EQUAL(Nesting, 0);
}

/* An exception within an APC, and an APC within an exception's handler. */
static LONG SkipAndTest(PEXCEPTION_POINTERS Pointers)
{
    Pointers->ContextRecord->Rip += 2;
    QueueToSelf(NoteApc, 99);
    NtTestAlert();
    return EXCEPTION_CONTINUE_EXECUTION;
}

static VOID FaultingApc(PVOID Argument1, PVOID Argument2, PVOID Argument3)
{
    __asm__ volatile("ud2");
    Calls += 10;
}

static VOID ApcsAndExceptionsMix(VOID)
{
    PVOID Handler = RtlAddVectoredExceptionHandler(TRUE, SkipAndTest);
    Calls = 0;
    CHECK_SUCCESS(QueueToSelf(FaultingApc, 1));
    CHECK_SUCCESS(NtTestAlert());
    RtlRemoveVectoredExceptionHandler(Handler);
    CHECK_EQUAL(Calls, 11);
    CHECK_EQUAL(LastArguments[0], 99);
}

/* ---- Another thread ---- */

typedef struct _WAITER {
    HANDLE Thread;
    volatile LONG Waiting; /* about to wait */
    volatile LONG Stop;
    volatile NTSTATUS Status;
    volatile ULONG Rounds;
} WAITER;

static VOID WaiterThread(PVOID Argument)
{
    WAITER *Waiter = Argument;
    LARGE_INTEGER Long = Milliseconds(PATIENCE);
    do {
        Waiter->Waiting = TRUE;
        Waiter->Status = NtDelayExecution(TRUE, &Long);
        Waiter->Rounds++;
    } while (!Waiter->Stop && Waiter->Status != STATUS_SUCCESS);
}

static BOOLEAN StartWaiter(WAITER *Waiter)
{
    memset(Waiter, 0, sizeof(*Waiter));
    if (!NT_SUCCESS(CreateThread(WaiterThread, Waiter, &Waiter->Thread))) {
        return FALSE;
    }
    while (!Waiter->Waiting) {
        NtYieldExecution();
    }
    return TRUE;
}

static VOID StopApc(PVOID Argument1, PVOID Argument2, PVOID Argument3)
{
    ((WAITER *)Argument1)->Stop = TRUE;
}

static VOID AnotherThreadTakesThem(VOID)
{
    WAITER Waiter;
    Calls = 0;
    CHECK(StartWaiter(&Waiter));
    for (ULONG i = 0; i < 1000; i++) {
        CHECK_SUCCESS(NtQueueApcThread(Waiter.Thread, NoteApc, NULL, NULL, NULL));
    }
    CHECK_SUCCESS(NtQueueApcThread(Waiter.Thread, StopApc, &Waiter, NULL, NULL));
    CHECK_SUCCESS(WaitFor(Waiter.Thread, PATIENCE));
    CHECK_EQUAL(Calls, 1000);
    CHECK_STATUS(Waiter.Status, STATUS_USER_APC);
    CHECK_STATUS(NtQueueApcThread(Waiter.Thread, NoteApc, NULL, NULL, NULL), STATUS_UNSUCCESSFUL);
    CHECK_SUCCESS(NtClose(Waiter.Thread));
}

/* An alert ends one wait; a second that comes before it is taken is the same one. */
static VOID AlertsEndOneWait(VOID)
{
    WAITER Waiter;
    LARGE_INTEGER Zero = {.QuadPart = 0};
    ULONG Previous = 99;
    CHECK_SUCCESS(NtAlertThread(NtCurrentThread()));
    CHECK_SUCCESS(NtAlertThread(NtCurrentThread()));
    CHECK_SUCCESS(NtDelayExecution(FALSE, &Zero));
    CHECK_STATUS(NtDelayExecution(TRUE, &Zero), STATUS_ALERTED);
    CHECK_SUCCESS(NtDelayExecution(TRUE, &Zero));
    CHECK_SUCCESS(NtAlertThread(NtCurrentThread()));
    CHECK_STATUS(NtTestAlert(), STATUS_ALERTED);
    CHECK_STATUS(NtTestAlert(), STATUS_SUCCESS);

    CHECK(StartWaiter(&Waiter));
    Waiter.Stop = TRUE;
    CHECK_SUCCESS(NtAlertResumeThread(Waiter.Thread, &Previous));
    CHECK_EQUAL(Previous, 0);
    CHECK_SUCCESS(WaitFor(Waiter.Thread, PATIENCE));
    CHECK_STATUS(Waiter.Status, STATUS_ALERTED);
    CHECK_SUCCESS(NtClose(Waiter.Thread));
}

/* A suspended thread takes its APCs when it goes on; a resumption that alerts does both. */
static VOID SuspensionHoldsThemBack(VOID)
{
    WAITER Waiter;
    ULONG Previous = 99;
    CHECK(StartWaiter(&Waiter));
    Calls = 0;
    CHECK_SUCCESS(NtSuspendThread(Waiter.Thread, NULL));
    CHECK_SUCCESS(NtQueueApcThread(Waiter.Thread, NoteApc, NULL, NULL, NULL));
    Sleep(20);
    CHECK_EQUAL(Calls, 0);
    Waiter.Stop = TRUE;
    CHECK_SUCCESS(NtAlertResumeThread(Waiter.Thread, &Previous));
    CHECK_EQUAL(Previous, 1);
    CHECK_SUCCESS(WaitFor(Waiter.Thread, PATIENCE));
    CHECK_EQUAL(Calls, 1);
    CHECK_SUCCESS(NtClose(Waiter.Thread));
}

/* A thread that was never resumed, and one that waits, end with their APCs undelivered, and nothing is left
   over. */
static VOID EndLeavesThemUndelivered(VOID)
{
    WAITER Waiter;
    HANDLE Held;
    Calls = 0;
    CHECK_SUCCESS(NtCreateThreadEx(&Held, THREAD_ALL_ACCESS, NULL, NtCurrentProcess(), (PVOID)WaiterThread, &Waiter,
                                   THREAD_CREATE_FLAGS_CREATE_SUSPENDED, 0, 0, 0, NULL));
    CHECK_SUCCESS(NtQueueApcThread(Held, NoteApc, NULL, NULL, NULL));
    CHECK_SUCCESS(NtTerminateThread(Held, 3));
    CHECK_SUCCESS(WaitFor(Held, PATIENCE));
    CHECK_SUCCESS(NtClose(Held));
    for (ULONG i = 0; i < 50; i++) {
        CHECK(StartWaiter(&Waiter));
        CHECK_SUCCESS(NtSuspendThread(Waiter.Thread, NULL));
        CHECK_SUCCESS(NtQueueApcThread(Waiter.Thread, NoteApc, NULL, NULL, NULL));
        CHECK_SUCCESS(NtTerminateThread(Waiter.Thread, 3));
        CHECK_SUCCESS(WaitFor(Waiter.Thread, PATIENCE));
        CHECK_SUCCESS(NtClose(Waiter.Thread));
    }
    CHECK_EQUAL(Calls, 0);
}

static VOID BadArguments(VOID)
{
    HANDLE Event, Weak;
    CHECK_SUCCESS(NtCreateEvent(&Event, EVENT_ALL_ACCESS, NULL, NotificationEvent, FALSE));
    CHECK_STATUS(NtQueueApcThread(NtCurrentThread(), NULL, NULL, NULL, NULL), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(NtQueueApcThread(Event, NoteApc, NULL, NULL, NULL), STATUS_OBJECT_TYPE_MISMATCH);
    CHECK_STATUS(NtQueueApcThread(NULL, NoteApc, NULL, NULL, NULL), STATUS_INVALID_HANDLE);
    CHECK_STATUS(NtAlertThread(Event), STATUS_OBJECT_TYPE_MISMATCH);
    CHECK_SUCCESS(NtDuplicateObject(NtCurrentProcess(), NtCurrentThread(), NtCurrentProcess(), &Weak, SYNCHRONIZE, 0, 0));
    CHECK_STATUS(NtQueueApcThread(Weak, NoteApc, NULL, NULL, NULL), STATUS_ACCESS_DENIED);
    CHECK_STATUS(NtAlertThread(Weak), STATUS_ACCESS_DENIED);
    CHECK_STATUS(NtAlertResumeThread(Weak, NULL), STATUS_ACCESS_DENIED);
    NtClose(Weak);
    NtClose(Event);
}

static const TEST Tests[] = {
    {"apcs.alertable-waits-take-them", WaitsTakeThem},
    {"apcs.several-in-order", SeveralInOrder},
    {"apcs.nested", ApcsNest},
    {"apcs.and-exceptions", ApcsAndExceptionsMix},
    {"apcs.of-another-thread", AnotherThreadTakesThem},
    {"apcs.alerts-end-one-wait", AlertsEndOneWait},
    {"apcs.suspension", SuspensionHoldsThemBack},
    {"apcs.termination", EndLeavesThemUndelivered},
    {"apcs.bad-arguments", BadArguments},
};

int RunApcTests(VOID)
{
    return RunTests(Tests, RTL_NUMBER_OF(Tests));
}
