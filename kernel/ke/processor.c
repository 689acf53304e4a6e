/* SPDX-License-Identifier: MIT */
/*
 * The processors: their control blocks, and how they come to life. A block is in KiProcessorBlock before
 * KeNumberProcessors counts it, and a processor is counted before its bit is in KeActiveProcessors; all three
 * only grow.
 */
#include "kernel/ke/ki.h"

PKPRCB KiProcessorBlock[MAXIMUM_PROCESSORS];
volatile ULONG KeNumberProcessors;
volatile KAFFINITY KeActiveProcessors;
KADDRESS_SPACE KiKernelSpace;

static UCHAR KiBootDpcStack[KERNEL_DPC_STACK_SIZE] __attribute__((aligned(16)));

/* The machine-independent part of a control block, before its processor runs. */
void KeInitializePrcb(PKPRCB Prcb, ULONG Number, PKTHREAD IdleThread, void *DpcStackTop)
{
    Prcb->Self = Prcb;
    Prcb->Number = (UCHAR)Number;
    Prcb->SetMember = KiProcessorBit(Number);
    Prcb->CurrentThread = IdleThread;
    Prcb->IdleThread = IdleThread;
    Prcb->DpcStackTop = DpcStackTop;
    Prcb->AddressSpace = &KiKernelSpace;
    Prcb->Irql = HIGH_LEVEL;
    Prcb->RunningThread = IdleThread;
    Prcb->RunningPriority = -1;
    Prcb->ArmedFor = UINT64_MAX;
    Prcb->QuantumDue = UINT64_MAX;
    Prcb->ScanDue = UINT64_MAX;
#if DBG
    KdInitializeLockList(&Prcb->LockList, Prcb->LockEntries, KHELD_LOCKS, NULL, Number);
#endif
    KeInitializeLock(&Prcb->ReadyLock, KlcReady);
    for (ULONG i = 0; i < 32; i++) {
        InitializeListHead(&Prcb->ReadyQueue[i]);
    }
    KeInitializeLock(&Prcb->DpcLock, KlcDpc);
    InitializeListHead(&Prcb->DpcQueue);
    InitializeListHead(&Prcb->ThreadedDpcQueue);
    Prcb->LazyDue = UINT64_MAX;
    KeHandlers.InitializeTimerQueue(&Prcb->Timers);
    IdleThread->State = Running;
    IdleThread->SwapBusy = 1;
    IdleThread->Processor = Number;
    IdleThread->Affinity = KiProcessorBit(Number);
    IdleThread->Priority = -1;
    IdleThread->BasePriority = 0;
}

/* This processor takes its place among the others. DISPATCH_LEVEL, interrupts off. */
void KeJoinProcessors(PKPRCB Prcb)
{
    Prcb->SwitchCycles = ArchReadCycles();
    KiProcessorBlock[Prcb->Number] = Prcb;
    for (ULONG i = 0; i < KeNumberProcessors; i++) { /* they join one after the other */
        Prcb->Others |= KiProcessorBit(i);
        __atomic_fetch_or(&KiProcessorBlock[i]->Others, KiProcessorBit(Prcb->Number), __ATOMIC_SEQ_CST);
    }
    __atomic_fetch_add(&KeNumberProcessors, 1, __ATOMIC_SEQ_CST);
    __atomic_fetch_or(&KeActiveProcessors, KiProcessorBit(Prcb->Number), __ATOMIC_SEQ_CST);
    Prcb->Online = TRUE;
}

/* The first words of the kernel: locks, DISPATCH_LEVEL and the current thread are usable afterwards. */
void KeInitializeBootProcessor(PKTHREAD IdleThread)
{
    ArchBootPrcb.CurrentThread = IdleThread;
    KeInitializePrcb(&ArchBootPrcb, 0, IdleThread, KiBootDpcStack + sizeof(KiBootDpcStack));
    ArchSetIrql(DISPATCH_LEVEL);
    KeJoinProcessors(&ArchBootPrcb);
}

/* Another processor's first C lines, on its idle thread's stack. */
NORETURN void KiProcessorStartup(PKPRCB Prcb)
{
    ArchInitializeProcessor(Prcb);
    ArchSetIrql(DISPATCH_LEVEL);
    KeJoinProcessors(Prcb);
    KiArmTimer(Prcb);
    ArchEnableInterrupts();
    KeIdleLoop();
}

/* The number of the processor that runs the caller. Any IRQL. (WDK page of the name) */
ULONG KeGetCurrentProcessorNumber(VOID)
{
    return KeGetCurrentPrcb()->Number; /* may be another one by the time the caller looks, below DISPATCH_LEVEL */
}
EXPORT(KeGetCurrentProcessorNumber);

/* How many processors are online; *ActiveProcessors: which. Any IRQL. (WDK page of the name) */
ULONG KeQueryActiveProcessorCount(PKAFFINITY ActiveProcessors)
{
    KAFFINITY Active = KeActiveProcessors;
    if (ActiveProcessors != NULL) {
        *ActiveProcessors = Active;
    }
    return (ULONG)RtlCountBits(Active);
}
EXPORT(KeQueryActiveProcessorCount);
