/* SPDX-License-Identifier: MIT */
/*
 * What a debugger module may ask about processors and threads while it has stopped them (KD_SERVICES): no
 * lock, no reference.
 */
#include "kernel/services/services.h"

BOOLEAN SvcDebugProcessor(ULONG Processor, PKD_PROCESSOR Information)
{
    PKPRCB Prcb = Processor < KeNumberProcessors ? KiProcessorBlock[Processor] : NULL;
    if (Prcb == NULL) {
        return FALSE;
    }
    *Information = (KD_PROCESSOR){
        .Prcb = Prcb,
        .Thread = Prcb->CurrentThread,
        .IdleThread = Prcb->IdleThread,
        .Frozen = Prcb->Frozen ? Prcb->FrozenFrame : NULL,
        .Interrupts = Prcb->Interrupts,
        .Dpcs = Prcb->Dpcs,
        .ReadySummary = Prcb->ReadySummary,
        .Irql = Prcb->Irql,
        .InDpc = Prcb->DpcActive,
    };
    return TRUE;
}

PKTHREAD SvcDebugNextThread(PULONG Id)
{
    PETHREAD Thread = PsThreadType != NULL ? ObNextClientObject(Id, *PsThreadType) : NULL;
    return Thread != NULL ? &Thread->Tcb : NULL;
}

VOID SvcDebugThread(PKTHREAD Thread, PKD_THREAD Information)
{
    PETHREAD Object = CONTAINING_RECORD(Thread, ETHREAD, Tcb);
    PEPROCESS Process = PsThreadProcess(Object);
    PKADDRESS_SPACE Space = Process->Pcb.AddressSpace;
    *Information = (KD_THREAD){
        .Thread = Thread,
        .Id = Object->Cid,
        .State = Thread->State,
        .Priority = Thread->Priority,
        .WaitReason = Thread->WaitReason,
        .Stopped = Thread->SwapBusy == 0,
        .Processor = Thread->Processor,
        .WaitBlocks = Thread->WaitBlockList != NULL ? Thread->WaitBlockList : Thread->WaitBlock,
        .WaitCount = Thread->WaitBlockList != NULL ? Thread->WaitBlockCount : 1,
        .Saved = (PKSWITCH_FRAME)Thread->Arch.KernelRsp,
        .PageTables = (Space != NULL ? Space : &KiKernelSpace)->Tables.Root,
        .Image = Process->ImageFileName,
        .Name = Object->Name,
        .Subsystem = Process->SubsystemName,
    };
}

/* A debugger has held all processors, which stand still, for so long. A thread that it held in the scheduler
   may have read the counter before: that one is charged with the time. */
VOID SvcDebugSkipTime(ULONG64 Cycles)
{
    KiStartCycles += Cycles;
    for (ULONG i = 0; i < KeNumberProcessors; i++) {
        PKPRCB Prcb = KiProcessorBlock[i];
        volatile ULONG64 *Times[] = {&Prcb->ArmedFor, &Prcb->QuantumDue, &Prcb->ScanDue, &Prcb->LazyDue, &Prcb->ClockSince,
                                     &Prcb->WatchedArmed, &Prcb->WatchedSince, &Prcb->WatchedProbe, &Prcb->SwitchCycles};
        ULONG Count = RTL_NUMBER_OF(Times) - (Prcb->Irql >= DISPATCH_LEVEL);
        for (ULONG j = 0; j < Count; j++) {
            *Times[j] += *Times[j] < UINT64_MAX - Cycles ? Cycles : 0; /* UINT64_MAX: never */
        }
    }
}
