/* SPDX-License-Identifier: MIT */
/*
 * Threaded DPCs: a thread for each processor that runs the DPCs of its threaded queue (kernel/ke/dpc.c) at
 * PASSIVE_LEVEL, ahead of every other thread of the processor but behind ordinary DPCs. Whoever queues a
 * threaded DPC also queues the ordinary one that wakes the thread.
 */
#include "sync/sync.h"
#include "sync/wait.h"

static VOID KiWakeThreadedDpcs(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    PKPRCB Prcb = Context;
    KeSetEvent(&Prcb->ThreadedDpcEvent, IO_NO_INCREMENT, FALSE);
}

static void KiRunThreadedDpcs(PKPRCB Prcb)
{
    PKTHREAD Thread = ArchCurrentThread();
    ULONG ApcDisable = Thread->ApcDisable;
    KDPC_CALL Call;
    while (KiTakeDpc(Prcb, &Prcb->ThreadedDpcQueue, &Call)) {
        KdTrace(DpcBegin, 1, Call.Routine, Call.Dpc);
        Call.Routine(Call.Dpc, Call.Context, Call.Argument1, Call.Argument2);
        KdTrace(DpcEnd, 1, Call.Routine, 0);
        if (ArchGetIrql() != PASSIVE_LEVEL || Thread->ApcDisable != ApcDisable) {
            KdBugCheck(IRQL_NOT_DISPATCH_LEVEL, (ULONG64)Call.Routine, ArchGetIrql(), Thread->ApcDisable, 0,
                       NULL, "a threaded DPC returned at level %d, APC counts %x (before: %x)", ArchGetIrql(),
                       Thread->ApcDisable, ApcDisable);
        }
    }
}

VOID KeThreadedDpcThread(PVOID Number)
{
    PKPRCB Prcb = KiProcessorBlock[(ULONG_PTR)Number];
    PKTHREAD Thread = ArchCurrentThread();
    KeSetAffinityThread(Thread, (KAFFINITY)1 << Prcb->Number);
    KeSetPriorityThread(Thread, HIGH_PRIORITY);
    KeInitializeEvent(&Prcb->ThreadedDpcEvent, SynchronizationEvent, FALSE);
    KeInitializeDpc(&Prcb->ThreadedDpcWake, KiWakeThreadedDpcs, Prcb);
    __atomic_store_n(&Prcb->ThreadedDpcs, TRUE, __ATOMIC_RELEASE);
    for (;;) {
        KeWaitForSingleObject(&Prcb->ThreadedDpcEvent, Executive, KernelMode, FALSE, NULL);
        KiRunThreadedDpcs(Prcb);
    }
}
