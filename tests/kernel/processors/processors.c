/* SPDX-License-Identifier: MIT */
/*
 * What a driver asks about processors, vector registers in kernel code, and the small routines that need no
 * object: break points, back-traces, memory.
 */
#include "../ktest.h"
#include <seh.h>

/* ---- Numbers ---- */

static PCSTR TestCounts(VOID)
{
    KAFFINITY Active;
    ULONG Count = KeQueryActiveProcessorCount(&Active);
    KTEST_CHECK(Active == KeQueryActiveProcessors() && Active == KeQueryGroupAffinity(0) && (Active & 1));
    KTEST_CHECK(Count == KeQueryActiveProcessorCountEx(0) && Count == KeQueryActiveProcessorCountEx(ALL_PROCESSOR_GROUPS));
    KTEST_CHECK(Count == KeQueryMaximumProcessorCount() && Count == KeQueryMaximumProcessorCountEx(0));
    KTEST_CHECK(Count == KeQueryMaximumProcessorCountEx(ALL_PROCESSOR_GROUPS) && (ULONG)KeNumberProcessors == Count);
    KTEST_CHECK(KeQueryActiveProcessorCountEx(1) == 0 && KeQueryMaximumProcessorCountEx(1) == 0);
    KTEST_CHECK(KeQueryActiveGroupCount() == 1 && KeQueryMaximumGroupCount() == 1 && KeQueryGroupAffinity(1) == 0);
    return NULL;
}

static PCSTR TestNumbers(VOID)
{
    PROCESSOR_NUMBER Number = {0};
    ULONG Count = KeQueryActiveProcessorCount(NULL);
    for (ULONG i = 0; i < Count; i++) {
        KTEST_CHECK(KeGetProcessorNumberFromIndex(i, &Number) == STATUS_SUCCESS);
        KTEST_CHECK(Number.Group == 0 && Number.Number == i && Number.Reserved == 0);
        KTEST_CHECK(KeGetProcessorIndexFromNumber(&Number) == i);
        KAFFINITY Old = KeSetSystemAffinityThreadEx((KAFFINITY)1 << i);
        PROCESSOR_NUMBER Here = {.Group = 7, .Number = 99, .Reserved = 1};
        ULONG Index = KeGetCurrentProcessorNumberEx(&Here), Same = KeGetCurrentProcessorNumberEx(NULL);
        KeRevertToUserAffinityThreadEx(Old);
        KTEST_CHECK(Index == i && Same == i && Here.Group == 0 && Here.Number == i && Here.Reserved == 0);
    }
    KTEST_CHECK(KeGetProcessorNumberFromIndex(Count, &Number) == STATUS_INVALID_PARAMETER);
    KTEST_CHECK(KeGetProcessorNumberFromIndex(0xffffffff, &Number) == STATUS_INVALID_PARAMETER);
    Number = (PROCESSOR_NUMBER){.Number = (UCHAR)Count};
    KTEST_CHECK(KeGetProcessorIndexFromNumber(&Number) == INVALID_PROCESSOR_INDEX);
    Number = (PROCESSOR_NUMBER){.Group = 1};
    KTEST_CHECK(KeGetProcessorIndexFromNumber(&Number) == INVALID_PROCESSOR_INDEX);
    Number = (PROCESSOR_NUMBER){.Reserved = 1};
    KTEST_CHECK(KeGetProcessorIndexFromNumber(&Number) == INVALID_PROCESSOR_INDEX);
    return NULL;
}

static volatile KAFFINITY Visited;
static volatile LONG WrongLevel;

static ULONG_PTR Visit(ULONG_PTR Argument)
{
    WrongLevel |= KeGetCurrentIrql() != IPI_LEVEL;
    InterlockedOr64((volatile LONG64 *)&Visited, (LONG64)1 << KeGetCurrentProcessorNumberEx(NULL));
    return Argument + KeGetCurrentProcessorNumber();
}

/* Every processor runs the routine before the call returns; what the caller's returned comes back. */
static PCSTR TestIpiCall(VOID)
{
    Visited = WrongLevel = 0;
    KIRQL Irql = KeRaiseIrqlToDpcLevel();
    ULONG_PTR Result = KeIpiGenericCall(Visit, 1000);
    ULONG Here = KeGetCurrentProcessorNumber();
    KeLowerIrql(Irql);
    KTEST_CHECK(Result == 1000 + Here && Visited == KeQueryActiveProcessors() && !WrongLevel);
    return NULL;
}

/* ---- Vector registers ---- */

static inline VOID SetVector(ULONG64 Value)
{
    __asm__ volatile("movq %0, %%xmm0; movq %0, %%xmm15" : : "r"(Value));
}

static inline BOOLEAN IsVector(ULONG64 Value)
{
    ULONG64 Low, High;
    __asm__ volatile("movq %%xmm0, %0; movq %%xmm15, %1" : "=r"(Low), "=r"(High));
    return Low == Value && High == Value;
}

static inline ULONG Mxcsr(VOID)
{
    ULONG Value;
    __asm__ volatile("stmxcsr %0" : "=m"(Value));
    return Value;
}

static volatile LONG Wrong;

/* The thread sleeps, is preempted and moves between its writing and its reading of the registers. */
static VOID VectorThread(PVOID Context)
{
    ULONG Processors = KeQueryActiveProcessorCount(NULL);
    KFLOATING_SAVE Outer;
    XSTATE_SAVE Inner;
    if (!NT_SUCCESS(KeSaveFloatingPointState(&Outer))) {
        Wrong = 1;
        return;
    }
    for (ULONG i = 0; i < 40; i++) {
        ULONG64 Value = (ULONG64)(ULONG_PTR)Context << 32 | (i + 1);
        SetVector(Value);
        KAFFINITY Old = KeSetSystemAffinityThreadEx((KAFFINITY)1 << (i + (ULONG_PTR)Context) % Processors);
        Wrong |= !IsVector(Value) << 1;
        if (i % 8 == 0) {
            KtestSleep(1);
        }
        Wrong |= !IsVector(Value) << 2;
        if (NT_SUCCESS(KeSaveExtendedProcessorState(XSTATE_MASK_LEGACY, &Inner))) {
            Wrong |= (!IsVector(0) || Mxcsr() != 0x1f80) << 3; /* in their initial state */
            SetVector(~Value);
            KeRestoreExtendedProcessorState(&Inner);
        }
        Wrong |= !IsVector(Value) << 4;
        KeRevertToUserAffinityThreadEx(Old);
    }
    KeRestoreFloatingPointState(&Outer);
}

static PCSTR TestVectorRegisters(VOID)
{
    Wrong = 0;
    KTEST_CHECK(KtestCrowd(2 * KeQueryActiveProcessorCount(NULL), VectorThread));
    DbgPrint("processors: wrong vector registers: %x\n", Wrong);
    KTEST_CHECK(!Wrong);
    return NULL;
}

static VOID VectorDpc(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    KFLOATING_SAVE Save;
    if (NT_SUCCESS(KeSaveFloatingPointState(&Save))) {
        SetVector(0xdddd);
        KeRestoreFloatingPointState(&Save);
        *(volatile LONG *)Context = 1;
    }
}

/* A DPC that uses the registers of a thread that does so itself. */
static PCSTR TestVectorDpc(VOID)
{
    KDPC Dpc;
    KFLOATING_SAVE Save;
    volatile LONG Ran = 0;
    KeInitializeDpc(&Dpc, VectorDpc, (PVOID)&Ran);
    KTEST_CHECK(NT_SUCCESS(KeSaveFloatingPointState(&Save)));
    KIRQL Irql = KeRaiseIrqlToDpcLevel();
    SetVector(0x77);
    KeInsertQueueDpc(&Dpc, NULL, NULL);
    KeLowerIrql(Irql);
    BOOLEAN Kept = IsVector(0x77);
    KeRestoreFloatingPointState(&Save);
    KTEST_CHECK(Ran && Kept);
    return NULL;
}

/* ---- Debugging ---- */

static PCSTR TestBreakPoint(VOID)
{
    volatile NTSTATUS Code = 0, Second = 0;
    _SEH2_TRY {
        DbgBreakPoint();
    }
    _SEH2_EXCEPT(EXCEPTION_EXECUTE_HANDLER) {
        Code = _SEH2_GetExceptionCode();
    }
    _SEH2_END;
    _SEH2_TRY {
        DbgBreakPointWithStatus(5);
    }
    _SEH2_EXCEPT(EXCEPTION_EXECUTE_HANDLER) {
        Second = _SEH2_GetExceptionCode();
    }
    _SEH2_END;
    KTEST_CHECK(Code == STATUS_BREAKPOINT && Second == STATUS_BREAKPOINT);
    return NULL;
}

static PCSTR TestAssertions(VOID)
{
    ULONG Evaluated = 0;
    NT_ASSERT(TRUE);
    ASSERTMSG("never shown", TRUE);
    NT_ASSERTMSG("never shown", TRUE);
    KTEST_CHECK(NT_VERIFY(++Evaluated == 1) && Evaluated == 1); /* in release builds as well */
    return NULL;
}

static NOINLINE USHORT Capture(ULONG Skip, ULONG Count, PVOID *Frames, PULONG Hash)
{
    USHORT Found = RtlCaptureStackBackTrace(Skip, Count, Frames, Hash);
    __asm__ volatile("" : : : "memory"); /* no tail call */
    return Found;
}

static PCSTR TestBackTrace(VOID)
{
    PVOID All[16], Less[16], Huge[1];
    ULONG HashAll, HashLess;
    USHORT Count = Capture(0, 16, All, &HashAll);
    USHORT Fewer = Capture(1, 16, Less, &HashLess);
    KTEST_CHECK(Count >= 4 && Fewer == Count - 1);
    KTEST_CHECK((ULONG_PTR)All[0] - (ULONG_PTR)Capture < 256 && (ULONG_PTR)All[1] - (ULONG_PTR)TestBackTrace < 1024);
    for (ULONG i = 1; i < Fewer; i++) { /* the first differs: another call of the same routine */
        KTEST_CHECK(Less[i] == All[i + 1]);
    }
    KTEST_CHECK(Capture(0, 2, Less, NULL) == 2 && Capture(0, 0, Less, NULL) == 0);
    KTEST_CHECK(Capture(1000, 1, Huge, NULL) == 0 && Capture(0xffffffff, 0xffffffff, Huge, NULL) == 0);
    KTEST_CHECK(HashAll != HashLess);
    return NULL;
}

/* ---- Memory: the names as functions, not as macros ---- */

static PCSTR TestMemory(VOID)
{
    UCHAR From[20] = "0123456789", To[20];
    VOID (*Copy)(VOID *, const VOID *, SIZE_T) = (RtlCopyMemory);
    VOID (*Move)(VOID *, const VOID *, SIZE_T) = (RtlMoveMemory);
    (RtlZeroMemory)(To, sizeof(To));
    KTEST_CHECK(RtlCompareMemory(To, From, 20) == 0 && To[19] == 0);
    Copy(To, From, 10);
    KTEST_CHECK(RtlCompareMemory(To, From, 20) == 20 && (RtlEqualMemory)(To, From, 20));
    Move(To + 2, To, 8);
    KTEST_CHECK((RtlEqualMemory)(To, "0101234567", 10) && !(RtlEqualMemory)(To, From, 10));
    (RtlFillMemory)(To, 4, 0xab);
    KTEST_CHECK(To[0] == 0xab && To[3] == 0xab && To[4] == '2' && RtlCompareMemory(To, From, 20) == 0);
    KTEST_CHECK(RtlSecureZeroMemory(To, 4) == To && To[0] == 0 && To[3] == 0 && To[4] == '2');
    return NULL;
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    DbgPrint("processors: %u processors\n", KeQueryActiveProcessorCount(NULL));
    KtestRun("processors.counts", TestCounts);
    KtestRun("processors.numbers", TestNumbers);
    KtestRun("processors.ipi-call", TestIpiCall);
    KtestRun("processors.vector-registers", TestVectorRegisters);
    KtestRun("processors.vector-registers-in-dpc", TestVectorDpc);
    KtestRun("processors.break-point", TestBreakPoint);
    KtestRun("processors.assertions", TestAssertions);
    KtestRun("processors.back-trace", TestBackTrace);
    KtestRun("processors.memory", TestMemory);
    return STATUS_SUCCESS;
}
