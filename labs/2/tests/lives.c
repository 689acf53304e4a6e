/* SPDX-License-Identifier: MIT */
/* A thread's first step, what it keeps while others run, how it gives way, its end, and what is left of it. */
#include "ktest.h"
#include "leaks.h"

/* ---- The first frame ---- */

static volatile ULONG_PTR Frame, OutermostCaller, OutermostLink;

/* The caller's chain of frames: each is a link to the next, and a return address. */
static VOID LooksAtItsStack(PVOID Context)
{
    ULONG_PTR *Link = __builtin_frame_address(0);
    Frame = (ULONG_PTR)Link;
    for (ULONG i = 0; i < 16 && Link[0] != 0; i++) {
        Link = (ULONG_PTR *)Link[0];
    }
    OutermostLink = Link[0];
    OutermostCaller = Link[1];
}

/* Its first function runs as if it had been called: by nobody. */
static PCSTR TestFirstFrame(VOID)
{
    Frame = OutermostCaller = OutermostLink = 1;
    KTEST_CHECK(KtestCrowd(1, LooksAtItsStack));
    KTEST_CHECK(Frame % 16 == 0);
    KTEST_CHECK(OutermostLink == 0);
    KTEST_CHECK(OutermostCaller == 0);
    return NULL;
}

/* ---- Giving way ---- */

#define TURNS 4

static volatile LONG Noted;
static ULONG Order[64];

static VOID Note(ULONG Number)
{
    LONG At = InterlockedIncrement(&Noted) - 1;
    if (At < 64) {
        Order[At] = Number;
    }
}

static VOID Yields(PVOID Context)
{
    for (ULONG i = 0; i < TURNS; i++) {
        Note((ULONG)(ULONG_PTR)Context);
        ZwYieldExecution();
    }
}

/* The test's own thread stands above those that it makes, until it waits for them. */
static PCSTR TestTurns(VOID)
{
    Noted = 0;
    KeSetPriorityThread(KeGetCurrentThread(), 20);
    BOOLEAN Made = KtestCrowd(3, Yields);
    KeSetPriorityThread(KeGetCurrentThread(), 8);
    KTEST_CHECK(Made);
    for (ULONG i = 0; i < 3 * TURNS; i++) {
        KTEST_CHECK(Order[i] == i % 3);
    }
    return NULL;
}

static VOID YieldsAmongLower(PVOID Context)
{
    if (Context != NULL) {
        Note(99);
        return;
    }
    KeSetPriorityThread(KeGetCurrentThread(), 12);
    Yields(Context);
}

/* To lower ones nobody gives way. */
static PCSTR TestLower(VOID)
{
    Noted = 0;
    KeSetPriorityThread(KeGetCurrentThread(), 20);
    BOOLEAN Made = KtestCrowd(2, YieldsAmongLower);
    KeSetPriorityThread(KeGetCurrentThread(), 8);
    KTEST_CHECK(Made && Noted == TURNS + 1);
    KTEST_CHECK(Order[TURNS] == 99);
    return NULL;
}

/* ---- The end ---- */

static volatile LONG WentOn;
static volatile NTSTATUS Refused;

/* Not in its first function, and with its callers' work undone. */
static __attribute__((noinline)) VOID EndsBelow(ULONG Depth)
{
    if (Depth == 0) {
        PsTerminateSystemThread((NTSTATUS)0x1234);
    } else {
        EndsBelow(Depth - 1);
    }
    WentOn = 1;
}

static VOID EndsDeep(PVOID Context)
{
    EndsBelow(10);
}

static VOID EndsAtLast(PVOID Context)
{
    KIRQL Old;
    KeRaiseIrql(APC_LEVEL, &Old);
    Refused = PsTerminateSystemThread((NTSTATUS)1);
    KeLowerIrql(Old);
    PsTerminateSystemThread((NTSTATUS)2);
    WentOn = 1;
}

/* The status with which it ended. */
static NTSTATUS StatusOf(PKSTART_ROUTINE Routine)
{
    WentOn = 0;
    PETHREAD Thread = KtestStart(Routine, NULL);
    if (Thread == NULL) {
        return STATUS_NO_MEMORY;
    }
    KeWaitForSingleObject(Thread, Executive, KernelMode, FALSE, NULL);
    NTSTATUS Status = PsGetThreadExitStatus(Thread);
    ObDereferenceObject(Thread);
    return Status;
}

static PCSTR TestTerminate(VOID)
{
    NTSTATUS Status = StatusOf(EndsDeep);
    KTEST_CHECK(!WentOn);
    KTEST_CHECK(Status == (NTSTATUS)0x1234);
    return NULL;
}

static PCSTR TestRefused(VOID)
{
    NTSTATUS Status = StatusOf(EndsAtLast);
    KTEST_CHECK(Refused == STATUS_INVALID_PARAMETER);
    KTEST_CHECK(!WentOn && Status == (NTSTATUS)2);
    return NULL;
}

/* ---- What is left ---- */

static VOID Ends(PVOID Context)
{
}

static PCSTR EndsTwenty(VOID)
{
    KTEST_CHECK(KtestCrowd(20, Ends));
    return NULL;
}

static PCSTR TestLeaves(VOID)
{
    return LabLeaks(EndsTwenty);
}

static ULONG64 Stacks(VOID)
{
    PRIMER_MEMORY Memory;
    PrimerQueryMemory(&Memory);
    return Memory.KernelStacks;
}

/* The stack goes when the thread has ended, though somebody has a reference to it still; the object stays, and says how it
   ended. */
static PCSTR TestHeld(VOID)
{
    PsDrainReaper();
    ULONG64 Before = Stacks();
    PETHREAD Thread = KtestStart(Ends, NULL);
    KTEST_CHECK(Thread != NULL);
    KeWaitForSingleObject(Thread, Executive, KernelMode, FALSE, NULL);
    PsDrainReaper();
    ULONG64 After = Stacks();
    NTSTATUS Status = PsGetThreadExitStatus(Thread);
    ObDereferenceObject(Thread);
    KTEST_CHECK(After == Before);
    KTEST_CHECK(Status == STATUS_SUCCESS);
    return NULL;
}

/* Nobody asks the reaper to work: it is told. */
static PCSTR TestByItself(VOID)
{
    PsDrainReaper();
    ULONG64 Before = Stacks(), After = 0;
    KTEST_CHECK(KtestCrowd(20, Ends));
    for (ULONG i = 0; i < 2000 && (After = Stacks()) > Before; i++) {
        KtestSleep(1);
    }
    KTEST_CHECK(After <= Before);
    return NULL;
}

static VOID MakesAndEnds(PVOID Context)
{
    for (ULONG i = 0; i < 25; i++) {
        KtestCrowd(2, Ends);
    }
}

/* On all processors at once. */
static PCSTR EndsEverywhere(VOID)
{
    KTEST_CHECK(KtestCrowd(4, MakesAndEnds));
    return NULL;
}

static PCSTR TestCrowd(VOID)
{
    return LabLeaks(EndsEverywhere);
}

/* ---- Vector registers, which the kernel is compiled without ---- */

static VOID SetVector(ULONG64 Value)
{
    __asm__ volatile("movq %0, %%xmm7" : : "r"(Value));
}

static ULONG64 Vector(VOID)
{
    ULONG64 Value;
    __asm__ volatile("movq %%xmm7, %0" : "=r"(Value));
    return Value;
}

static KEVENT Turn[2];
static volatile LONG Mixed;

/* Each has a value of its own there while the other runs. */
static VOID KeepsVector(PVOID Context)
{
    ULONG Me = (ULONG)(ULONG_PTR)Context;
    XSTATE_SAVE Save;
    KeWaitForSingleObject(&Turn[Me], Executive, KernelMode, FALSE, NULL);
    if (!NT_SUCCESS(KeSaveExtendedProcessorState(XSTATE_MASK_LEGACY, &Save))) {
        Mixed = 2;
    } else {
        for (ULONG i = 1; i <= 10; i++) {
            SetVector(100 * Me + i);
            KeSetEvent(&Turn[1 - Me], IO_NO_INCREMENT, FALSE);
            KeWaitForSingleObject(&Turn[Me], Executive, KernelMode, FALSE, NULL);
            Mixed |= Vector() != 100 * Me + i;
        }
        KeRestoreExtendedProcessorState(&Save);
    }
    KeSetEvent(&Turn[1 - Me], IO_NO_INCREMENT, FALSE);
}

static PCSTR TestTwoVectors(VOID)
{
    Mixed = 0;
    KeInitializeEvent(&Turn[0], SynchronizationEvent, TRUE);
    KeInitializeEvent(&Turn[1], SynchronizationEvent, FALSE);
    KTEST_CHECK(KtestCrowd(2, KeepsVector));
    KTEST_CHECK(Mixed == 0);
    return NULL;
}

/* Whoever begins finds the registers as after a reset, and not what somebody has left there. */
static PCSTR TestFreshVector(VOID)
{
    XSTATE_SAVE Save;
    for (ULONG i = 0; i < 2; i++) {
        KTEST_CHECK(NT_SUCCESS(KeSaveExtendedProcessorState(XSTATE_MASK_LEGACY, &Save)));
        ULONG64 Found = Vector();
        SetVector(0x5eed);
        KeRestoreExtendedProcessorState(&Save);
        KTEST_CHECK(i == 0 || Found == 0);
    }
    return NULL;
}

/* A use within a use: the outer one's values are there again. */
static PCSTR TestNestedVector(VOID)
{
    XSTATE_SAVE Outer, Inner;
    KTEST_CHECK(NT_SUCCESS(KeSaveExtendedProcessorState(XSTATE_MASK_LEGACY, &Outer)));
    SetVector(17);
    NTSTATUS Status = KeSaveExtendedProcessorState(XSTATE_MASK_LEGACY, &Inner);
    if (NT_SUCCESS(Status)) {
        SetVector(18);
        KeRestoreExtendedProcessorState(&Inner);
    }
    ULONG64 Found = Vector();
    KeRestoreExtendedProcessorState(&Outer);
    KTEST_CHECK(NT_SUCCESS(Status) && Found == 17);
    return NULL;
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    if (KeQueryActiveProcessorCount(NULL) == 1) {
        KtestRun("begin.first-frame", TestFirstFrame);
        KtestRun("yield.turns", TestTurns);
        KtestRun("yield.lower", TestLower);
        KtestRun("end.terminate", TestTerminate);
        KtestRun("end.refused", TestRefused);
        KtestRun("reaper.leaves-nothing", TestLeaves);
        KtestRun("reaper.held", TestHeld);
        KtestRun("reaper.by-itself", TestByItself);
        KtestRun("vectors.two-threads", TestTwoVectors);
        KtestRun("vectors.fresh", TestFreshVector);
        KtestRun("vectors.nested", TestNestedVector);
    } else {
        KtestRun("reaper.crowd", TestCrowd);
    }
    return STATUS_SUCCESS;
}
