/* SPDX-License-Identifier: MIT */
/*
 * What only tests ask of the kernel (primertest.h): counts, the scheduler's counters, the end of a thread's
 * waits; in debug builds internal locks acquired in the right and in the wrong order, and held while
 * blocking.
 */
#include "ps/ps.h"
#include "sync/wait.h"
#include "kernel/mm/mm.h"
#include "kernel/rtl/export.h"
#include <primertest.h>

/* ---- Processes and memory ---- */

/* Empties the caches, then fills in what memory and how many objects are in use. PASSIVE_LEVEL; may block.
   For tests alone. */
VOID PrimerQueryMemory(PPRIMER_MEMORY Memory)
{
    MM_STATISTICS Statistics;
    MmTrimCaches();
    MmQueryStatistics(&Statistics);
    *Memory = (PRIMER_MEMORY){
        .FreePages = Statistics.FreePages,
        .PoolBytes = Statistics.PoolBytes,
        .PoolBlocks = Statistics.PoolBlocks,
        .KernelStacks = Statistics.KernelStacks,
        .PageTablePages = Statistics.PageTablePages,
        .Processes = ObTypeObjectCount(*PsProcessType),
        .Threads = ObTypeObjectCount(*PsThreadType),
    };
}
EXPORT(PrimerQueryMemory);

/* Sets the user address at which user APCs of the process enter user mode. PASSIVE_LEVEL; does not block.
   For tests alone. */
VOID PrimerSetUserApcDispatcher(PEPROCESS Process, ULONG64 Address)
{
    Process->UserApcDispatcher = Address;
}
EXPORT(PrimerSetUserApcDispatcher);

/* Puts the user registers that an APC's delivery has saved at the user address Saved back into the current
   thread's frame. An error of reading them is returned, and nothing has changed. PASSIVE_LEVEL; may block.
   For tests alone. */
NTSTATUS PrimerPopUserFrame(ULONG64 Saved)
{
    CONTEXT Context;
    NTSTATUS Status = ArchCopyFromUser(&Context, (const void *)Saved, sizeof(Context));
    if (NT_SUCCESS(Status)) {
        ArchSetContext(ArchCurrentThread(), &Context);
    }
    return Status;
}
EXPORT(PrimerPopUserFrame);

/* ---- The scheduler ---- */

/* Fills in the counters of processor Number, which is online. <= DISPATCH_LEVEL; does not block. For tests
   alone. */
VOID PrimerQueryProcessor(ULONG Number, PPRIMER_PROCESSOR Counters)
{
    PKPRCB Prcb = KiProcessorBlock[Number];
    Counters->Ipis = Prcb->Ipis;
    Counters->ClockInterrupts = Prcb->ClockInterrupts;
    Counters->Steals = Prcb->Steals;
    Counters->Pulls = Prcb->Pulls;
    Counters->IdleCycles = PrimerThreadCycles(Prcb->IdleThread);
    Counters->DpcCycles = Prcb->DpcCycles;
    Counters->InterruptCycles = Prcb->InterruptCycles;
}
EXPORT(PrimerQueryProcessor);

ULONG64 PrimerThreadCycles(PKTHREAD Thread)
{
    ULONG64 User = 0;
    return KeThreadCycles(Thread, &User);
}
EXPORT(PrimerThreadCycles);

UCHAR PrimerSetQuantum(UCHAR Units)
{
    return __atomic_exchange_n(&ArchCurrentThread()->Process->QuantumReset, Units, __ATOMIC_RELAXED);
}
EXPORT(PrimerSetQuantum);

/* ---- Locks ---- */

#if DBG

/* Fills in the Index-th class of locks of those that were acquired at least once. FALSE: there are not so
   many. Any IRQL; does not block. For tests alone. */
BOOLEAN PrimerQueryLockClass(ULONG Index, PPRIMER_LOCK_CLASS Counters)
{
    KD_LOCK_CLASS *Class = KdNextLockClass(NULL);
    for (ULONG i = 0; i < Index && Class != NULL; i++) {
        Class = KdNextLockClass(Class);
    }
    if (Class != NULL) {
        *Counters = (PRIMER_LOCK_CLASS){Class->Name, Class->Acquired, Class->Waited};
    }
    return Class != NULL;
}
EXPORT(PrimerQueryLockClass);

static KLOCK KiTestOuter, KiTestInner;

VOID PrimerTestLockOrder(BOOLEAN Right)
{
    KeInitializeLock(&KiTestOuter, KlcReaper);
    KeInitializeLock(&KiTestInner, KlcSerial);
    KIRQL Irql = KeAcquireLock(Right ? &KiTestOuter : &KiTestInner);
    KeAcquireLockAtDpc(Right ? &KiTestInner : &KiTestOuter);
    KeReleaseLockFromDpc(Right ? &KiTestInner : &KiTestOuter);
    KeReleaseLock(Right ? &KiTestOuter : &KiTestInner, Irql);
}
EXPORT(PrimerTestLockOrder);

VOID PrimerTestBlockHolding(BOOLEAN Right)
{
    KEVENT Event;
    LARGE_INTEGER Millisecond = {.QuadPart = -10000};
    KeInitializeEvent(&Event, NotificationEvent, FALSE);
    KeInitializeLock(&KiTestOuter, KlcReaper);
    KIRQL Irql = KeAcquireLock(&KiTestOuter);
    if (Right) {
        KeReleaseLock(&KiTestOuter, Irql);
    } else {
        ArchSetIrql(APC_LEVEL); /* as if the level had been lost track of */
    }
    KeWaitForSingleObject(&Event, Executive, KernelMode, FALSE, &Millisecond);
}
EXPORT(PrimerTestBlockHolding);

VOID PrimerTerminateWaits(PKTHREAD Thread)
{
    __atomic_or_fetch(&Thread->UserWork, KUSER_WORK_TERMINATE, __ATOMIC_SEQ_CST);
    KeInterruptThread(Thread);
}
EXPORT(PrimerTerminateWaits);

#endif
