/* SPDX-License-Identifier: MIT */
/* Registers of threads: not yet started, suspended, running, waiting, and one's own. */
#include "native.h"

static volatile ULONG64 Marks[4];

/* Spins until R12 is 5, then leaves RBX behind and ends. */
__attribute__((naked)) static VOID Spin(PVOID Argument)
{
    __asm__("movq %%rdi, %%rbx\n\t"
            "xorl %%r12d, %%r12d\n\t"
            "movq $1, (%%rdi)\n\t"
            "1: pause\n\t"
            "cmpq $5, %%r12\n\t"
            "jne 1b\n\t"
            "movq %%rbx, %0\n\t"
            "movq $-2, %%rdi\n\t"
            "xorl %%esi, %%esi\n\t"
            "call NtTerminateThread\n\t"
            "ud2"
            : "=m"(Marks[1]));
}

static NTSTATUS StartRaw(PVOID Start, PVOID Argument, ULONG Flags, PHANDLE Thread)
{
    return NtCreateThreadEx(Thread, THREAD_ALL_ACCESS, NULL, NtCurrentProcess(), Start, Argument, Flags, 0, 0, 0, NULL);
}

/* Read and changed while it runs in user mode, without any suspension. */
static VOID OfARunningThread(VOID)
{
    HANDLE Thread;
    CONTEXT Context = {.ContextFlags = CONTEXT_FULL};
    Marks[0] = Marks[1] = 0;
    CHECK_SUCCESS(StartRaw((PVOID)Spin, (PVOID)&Marks[0], 0, &Thread));
    while (Marks[0] == 0) {
        NtYieldExecution();
    }
    CHECK_SUCCESS(NtGetContextThread(Thread, &Context));
    CHECK_EQUAL(Context.Rbx, (ULONG64)&Marks[0]);
    CHECK(Context.Rip >= (ULONG64)Spin && Context.Rip < (ULONG64)Spin + 100);
    CHECK_EQUAL(Context.MxCsr, 0x1F80);
    Context.R12 = 5;
    Context.Rbx = 0x77;
    CHECK_SUCCESS(NtSetContextThread(Thread, &Context));
    CHECK_SUCCESS(WaitFor(Thread, PATIENCE));
    CHECK_EQUAL(Marks[1], 0x77);
    CHECK_STATUS(NtGetContextThread(Thread, &Context), STATUS_THREAD_IS_TERMINATING);
    CHECK_STATUS(NtSetContextThread(Thread, &Context), STATUS_THREAD_IS_TERMINATING);
    CHECK_SUCCESS(NtClose(Thread));
}

/* Suspended, it is changed at rest; segments and flags that no program may have come to nothing. */
static VOID OfASuspendedThread(VOID)
{
    HANDLE Thread;
    CONTEXT Context = {.ContextFlags = CONTEXT_ALL};
    Marks[0] = Marks[1] = 0;
    CHECK_SUCCESS(StartRaw((PVOID)Spin, (PVOID)&Marks[0], 0, &Thread));
    while (Marks[0] == 0) {
        NtYieldExecution();
    }
    CHECK_SUCCESS(NtSuspendThread(Thread, NULL));
    CHECK_SUCCESS(NtGetContextThread(Thread, &Context));
    CHECK_EQUAL(Context.Rbx, (ULONG64)&Marks[0]);
    Context.R12 = 5;
    Context.Rbx = 0x88;
    Context.SegCs = 0x10;
    Context.SegSs = 0x18;
    Context.EFlags |= 0x3000 | 0x4000 | 0x20000; /* IOPL, NT, VM */
    Context.EFlags &= ~0x200u;                   /* and no interrupts */
    Context.MxCsr = Context.FltSave.MxCsr = 0xFFFFFFFF;
    CHECK_SUCCESS(NtSetContextThread(Thread, &Context));
    CHECK_SUCCESS(NtGetContextThread(Thread, &Context));
    CHECK_EQUAL(Context.EFlags & 0x27200, 0x200);
    CHECK_EQUAL(Context.SegCs & 3, 3);
    CHECK_EQUAL(Context.Rbx, 0x88);
    CHECK_SUCCESS(NtResumeThread(Thread, NULL));
    CHECK_SUCCESS(WaitFor(Thread, PATIENCE));
    CHECK_EQUAL(Marks[1], 0x88);
    CHECK_SUCCESS(NtClose(Thread));
}

static VOID EndWithArgument(PVOID Argument)
{
    Marks[2] = (ULONG64)Argument;
    NtTerminateThread(NtCurrentThread(), 0);
}

/* Each suspension and resumption tells the count before; 127 is the highest, and a resumption at 0 does nothing. */
static VOID SuspensionsCount(VOID)
{
    HANDLE Thread;
    ULONG Before = 99;
    CHECK_SUCCESS(StartRaw((PVOID)EndWithArgument, (PVOID)7, THREAD_CREATE_FLAGS_CREATE_SUSPENDED, &Thread));
    for (ULONG i = 1; i < 127; i++) {
        CHECK_SUCCESS(NtSuspendThread(Thread, &Before));
        CHECK_EQUAL(Before, i);
    }
    CHECK_STATUS(NtSuspendThread(Thread, &Before), STATUS_SUSPEND_COUNT_EXCEEDED);
    for (ULONG i = 127; i > 0; i--) {
        CHECK_SUCCESS(NtResumeThread(Thread, &Before));
        CHECK_EQUAL(Before, i);
    }
    CHECK_SUCCESS(WaitFor(Thread, PATIENCE));
    CHECK_SUCCESS(NtResumeThread(NtCurrentThread(), &Before));
    CHECK_EQUAL(Before, 0);
    CHECK_STATUS(NtSuspendThread(Thread, &Before), STATUS_THREAD_IS_TERMINATING);
    CHECK_SUCCESS(NtClose(Thread));
}

/* Not started yet: where it begins, and with what. */
static VOID OfAThreadThatHasNotStarted(VOID)
{
    HANDLE Thread;
    CONTEXT Context = {.ContextFlags = CONTEXT_FULL};
    Marks[2] = 0;
    CHECK_SUCCESS(StartRaw((PVOID)Spin, NULL, THREAD_CREATE_FLAGS_CREATE_SUSPENDED, &Thread));
    CHECK_SUCCESS(NtGetContextThread(Thread, &Context));
    CHECK_EQUAL(Context.Rip, (ULONG64)Spin);
    Context.Rip = (ULONG64)EndWithArgument;
    Context.Rdi = 0x99;
    CHECK_SUCCESS(NtSetContextThread(Thread, &Context));
    CHECK_SUCCESS(NtResumeThread(Thread, NULL));
    CHECK_SUCCESS(WaitFor(Thread, PATIENCE));
    CHECK_EQUAL(Marks[2], 0x99);
    CHECK_SUCCESS(NtClose(Thread));
}

/* In a wait: it shows the call, and goes on in it; where the call returns to can be changed. */
static VOID WaitForEver(PVOID Argument)
{
    Marks[3] = 1;
    NtWaitForSingleObject((HANDLE)Argument, FALSE, NULL);
    Marks[3] = 2;
    NtTerminateThread(NtCurrentThread(), 0);
}

static VOID OfAWaitingThread(VOID)
{
    HANDLE Thread, Event;
    CONTEXT Context = {.ContextFlags = CONTEXT_FULL};
    Marks[2] = Marks[3] = 0;
    CHECK_SUCCESS(NtCreateEvent(&Event, EVENT_ALL_ACCESS, NULL, SynchronizationEvent, FALSE));
    CHECK_SUCCESS(StartRaw((PVOID)WaitForEver, Event, 0, &Thread));
    while (Marks[3] == 0) {
        NtYieldExecution();
    }
    do {
        CHECK_SUCCESS(NtGetContextThread(Thread, &Context));
    } while (Context.Rdi != (ULONG64)Event || Context.Rcx != Context.Rip); /* in the system call: RCX is its return */
    CHECK_EQUAL(Marks[3], 1);
    Context.Rip = (ULONG64)EndWithArgument;
    Context.Rdi = 0xAA;
    Context.Rsp &= ~15ULL;
    Context.Rsp -= 8;
    CHECK_SUCCESS(NtSetContextThread(Thread, &Context));
    CHECK_STATUS(WaitFor(Thread, 20), STATUS_TIMEOUT); /* it waits on */
    CHECK_SUCCESS(NtSetEvent(Event, NULL));
    CHECK_SUCCESS(WaitFor(Thread, PATIENCE));
    CHECK_EQUAL(Marks[2], 0xAA);
    CHECK_EQUAL(Marks[3], 1);
    CHECK_SUCCESS(NtClose(Thread));
    CHECK_SUCCESS(NtClose(Event));
}

/* One's own: the call does not return, but goes on with what it has set, RAX included. */
__attribute__((naked)) static VOID EndWithRax(VOID)
{
    __asm__("movq %rax, %rdi\n\tcall EndWithArgumentInRdi\n\tud2");
}

__attribute__((used)) VOID EndWithArgumentInRdi(PVOID Argument) __asm__("EndWithArgumentInRdi");
VOID EndWithArgumentInRdi(PVOID Argument)
{
    EndWithArgument(Argument);
}

static VOID ChangeOneself(PVOID Argument)
{
    CONTEXT Context = {.ContextFlags = CONTEXT_FULL};
    NtGetContextThread(NtCurrentThread(), &Context);
    Context.Rip = (ULONG64)EndWithRax;
    Context.Rax = 0x123456789ABCDEF0;
    Context.Rsp &= ~15ULL;
    NtSetContextThread(NtCurrentThread(), &Context);
    Marks[3] = 3;
}

static VOID OfOneself(VOID)
{
    HANDLE Thread;
    Marks[2] = Marks[3] = 0;
    CHECK_SUCCESS(CreateThread(ChangeOneself, NULL, &Thread));
    CHECK_SUCCESS(WaitFor(Thread, PATIENCE));
    CHECK_SUCCESS(NtClose(Thread));
    CHECK_EQUAL(Marks[2], 0x123456789ABCDEF0);
    CHECK_EQUAL(Marks[3], 0);
    CHECK_STATUS(NtSetContextThread(NtCurrentThread(), (PCONTEXT)ADDRESS_KERNEL), STATUS_ACCESS_VIOLATION);
    CHECK_STATUS(NtGetContextThread(NtCurrentThread(), NULL), STATUS_ACCESS_VIOLATION);
}

/* Two threads that ask for each other's registers, over and over, and one that is ended meanwhile. */
static HANDLE Pair[2];
static volatile LONG AskFailures;
static VOID AskEachOther(PVOID Argument)
{
    ULONG Me = (ULONG)(ULONG_PTR)Argument;
    while (Pair[1 - Me] == NULL) {
        NtYieldExecution();
    }
    for (ULONG i = 0; i < 300; i++) {
        CONTEXT Context = {.ContextFlags = CONTEXT_FULL};
        NTSTATUS Status = NtGetContextThread(Pair[1 - Me], &Context);
        if (Status != STATUS_SUCCESS && Status != STATUS_THREAD_IS_TERMINATING) {
            InterlockedIncrement(&AskFailures);
        }
    }
}

static VOID OfEachOther(VOID)
{
    HANDLE Threads[2];
    Pair[0] = Pair[1] = NULL;
    for (ULONG i = 0; i < 2; i++) {
        CHECK_SUCCESS(CreateThread(AskEachOther, (PVOID)(ULONG_PTR)i, &Threads[i]));
        Pair[i] = Threads[i];
    }
    CHECK_SUCCESS(WaitFor(Threads[0], PATIENCE));
    CHECK_SUCCESS(WaitFor(Threads[1], PATIENCE));
    CHECK_EQUAL(AskFailures, 0);
    NtClose(Threads[0]);
    NtClose(Threads[1]);
}

static const TEST Tests[] = {
    {"contexts.running", OfARunningThread},
    {"contexts.suspended", OfASuspendedThread},
    {"contexts.suspend-counts", SuspensionsCount},
    {"contexts.not-started", OfAThreadThatHasNotStarted},
    {"contexts.waiting", OfAWaitingThread},
    {"contexts.own", OfOneself},
    {"contexts.of-each-other", OfEachOther},
};

int RunContextTests(VOID)
{
    return RunTests(Tests, RTL_NUMBER_OF(Tests));
}
