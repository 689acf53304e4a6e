/* SPDX-License-Identifier: MIT */
/*
 * How the kernel comes to life, in order. Phase 0 runs on the boot processor's idle thread with interrupts
 * off: nothing may wait yet. Phase 1 is the first system thread; the boot processor's first thread becomes
 * its idle loop.
 */
#include "kernel/ex/ex.h"
#include "arch/boot.h"
#include "kernel/init/init.h"
#include "kernel/io/io.h"
#include "kernel/kd/kd.h"
#include "kernel/ke/ke.h"
#include "kernel/ldr/ldr.h"
#include "kernel/mm/mm.h"
#include "kernel/ob/ob.h"
#include "kernel/rtl/rtl.h"
#include "kernel/services/services.h"
#include "ps/ps.h"
#include "sync/wait.h"
#include <ntapi.h>

#define INIT_FAILED        125 /* what tools/run then ends with */
#define INIT_TRACE_RECORDS 256 /* a processor's, unless told otherwise */

static PBOOT_INFORMATION InitBoot;

static VOID InitPhase1(PVOID Context);

/* The boot processor's control block and idle thread, so that locks, levels and the current thread mean
   something. */
static void InitBootProcessor(void)
{
    KiKernelSpace.Tables = *ArchKernelPageTables();
    KeInitializeProcess(&PspIdleProcess.Pcb, &KiKernelSpace);
    PspIdleProcess.Pcb.BasePriority = 0;
    KeInitializeThread(&PspBootIdleThread.Tcb, &PspIdleProcess.Pcb, NULL, NULL, NULL, TRUE);
    KeInitializeBootProcessor(&PspBootIdleThread.Tcb);
}

/* rtl stands below the pool: it is told where strings come from. */
static PVOID InitAllocateString(SIZE_T Size)
{
    return ExAllocatePoolWithTag(NonPagedPoolNx, Size, 'rtSR');
}

NTSTATUS InitCreateSystemThread(PKSTART_ROUTINE Routine, PVOID Context)
{
    HANDLE Thread;
    NTSTATUS Status = PsCreateSystemThread(&Thread, THREAD_ALL_ACCESS, NULL, NULL, NULL, Routine, Context);
    if (NT_SUCCESS(Status)) {
        ZwClose(Thread);
    }
    return Status;
}

static void InitCreatePhase1(void)
{
    NTSTATUS Status = InitCreateSystemThread(InitPhase1, NULL);
    if (!NT_SUCCESS(Status)) {
        KdBugCheck(PHASE0_INITIALIZATION_FAILED, (ULONG64)Status, 0, 0, 0, NULL, "no first system thread: %x", Status);
    }
}

/* The processor's ring for the trace; option trace.records: how many it holds. */
static bool InitTraceProcessor(ULONG Number)
{
    ULONG64 Records = 1ULL << RtlHighestBit(ExOptionNumber("trace.records", INIT_TRACE_RECORDS) | 1);
    return KdAddTraceRing(Number, ExAllocatePoolWithTag(NonPagedPoolNx, Records * sizeof(KD_TRACE_RECORD), 'carT'), Records);
}

NORETURN void InitSystemStartup(PBOOT_INFORMATION Boot)
{
    InitBoot = Boot;
    PsBootCycles = (LONG64)Boot->StartCycles;
    InitBootProcessor();
    KdInitialize();
    InitCheckHandlers();
    DbgPrint("Primer (%s), loaded by %s\n", DBG ? "debug" : "release", Boot->LoaderName);
    DbgPrint("command line: %s\n", Boot->CommandLine);
    ExInitializeOptions(Boot);
    MmInitialize(Boot);
    InitTraceProcessor(0);
    KdSetTraceClasses((ULONG)ExOptionNumber("trace", DBG ? ~KdTraceBitSample : 0));
    ArchInitializeMachine(Boot);
    RtlSetStringAllocator(InitAllocateString, ExFreePool);
    KeInitializeTime(ExOptionNumber("trace.hz", 0));
    KiRandomSeed = (ULONG)ExOptionNumber("sched.seed", 0);
    KiDpcLimitMs = (ULONG)ExOptionNumber("dpc.limit", KiDpcLimitMs);
#if DBG
    KdLockOrderOff = ExOptionNumber("kd.lockorder", 1) == 0;
    KdDeadlockSeconds = (ULONG)ExOptionNumber("kd.deadlock", KdDeadlockSeconds);
#endif
    ExpInitializePushLocks();
    ArchSetIrql(PASSIVE_LEVEL); /* push locks may be taken, but interrupts are off and nobody else runs */
    ObInitialize();
    PsInitializePhase0();
    SvcInitialize();
    InitCreatePhase1();
    ArchSetIrql(DISPATCH_LEVEL);
    KeStartClock();
    ArchEnableInterrupts();
    KeIdleLoop();
}

/* Control block, idle thread and stacks of a processor, then the processor itself. Returns false when there
   is no memory for them, or it did not come; what was made for it stays, as this happens once at most. */
static bool InitStartProcessor(ULONG Number)
{
    PKPRCB Prcb = ExAllocatePoolWithTag(NonPagedPoolNx, ROUND_TO_PAGES(sizeof(KPRCB)), 'bcrP'); /* whole pages: aligned */
    PVOID DpcStackTop = MmAllocateKernelStack();
    if (Prcb == NULL || DpcStackTop == NULL) {
        return false;
    }
    RtlZeroMemory(Prcb, sizeof(KPRCB));
    if (!NT_SUCCESS(PspCreateIdleThread(Prcb))) {
        return false;
    }
    KeInitializePrcb(Prcb, Number, Prcb->IdleThread, DpcStackTop);
    if (!InitTraceProcessor(Number) || !MmInitializeProcessor(Prcb) || !ArchStartProcessor(Prcb)) {
        return false;
    }
    while (!Prcb->Online) { /* it runs our code; it joins in its own time */
        ArchPause();
    }
    return true;
}

static void InitStartProcessors(void)
{
    ULONG64 Limit = ExOptionNumber("smp.max", MAXIMUM_PROCESSORS);
    for (ULONG i = 1; i < ArchProcessorCount() && i < Limit; i++) {
        if (!InitStartProcessor(i)) {
            DbgPrint("processor %u did not start (progress code %u)\n", i, ArchTrampolineProgress);
            break; /* numbers stay without gaps */
        }
    }
    ArchProcessorsAreUp();
    DbgPrint("@boot cpus=%u\n", KeNumberProcessors);
}

/* A thread for each processor that runs its threaded DPCs; without them (option dpc.threaded=0) they are
   ordinary. */
static void InitStartThreadedDpcs(void)
{
    if (ExOptionNumber("dpc.threaded", 1) == 0) {
        return;
    }
    for (ULONG_PTR i = 0; i < KeNumberProcessors; i++) {
        NTSTATUS Status = InitCreateSystemThread(KeThreadedDpcThread, (PVOID)i);
        if (!NT_SUCCESS(Status)) {
            KdBugCheck(PHASE1_INITIALIZATION_FAILED, (ULONG64)Status, i, 0, 0, NULL, "no thread for threaded DPCs");
        }
    }
}

/* The initial process, native/init, which switches the machine off itself; coming back from here is a
   failure. */
static void InitRunInitialProcess(void)
{
    PEPROCESS Process;
    NTSTATUS Status = InitCreateInitialProcess(InitBoot->CommandLine, &Process);
    if (!NT_SUCCESS(Status)) {
        DbgPrint("cannot start native/init: status %08x%s\n", Status,
                 Status == STATUS_OBJECT_NAME_NOT_FOUND ? " (the boot archives do not hold it)" : "");
        IoConsoleWrite(2, "Primer: cannot start native/init\n", 33);
        DbgPrint("@exit %u\n", INIT_FAILED);
        return;
    }
    KeWaitForSingleObject(Process, Executive, KernelMode, FALSE, NULL);
    DbgPrint("the initial process has ended, status %08x\n", PsGetProcessExitStatus(Process));
    DbgPrint("@exit %u\n", INIT_FAILED);
    SvcInitialProcess = NULL; /* another may get its memory, and must not get its word */
    ObDereferenceObject(Process);
}

static VOID InitPhase1(PVOID Context)
{
    InitStartProcessors();
    InitStartThreadedDpcs();
    ExInitializeWorkQueues();
    PsInitializePhase1();
    LdrInitialize();
    IoInitialize(InitBoot);
    LdrLoadBootModule();
    IoInitializeConsole();
    ExReportUnknownOptions();
    InitRunInitialProcess();
    NtShutdownSystem(ShutdownPowerOff);
}
