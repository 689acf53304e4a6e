/* SPDX-License-Identifier: MIT */
/*
 * KeFlushQueuedDpcs: DPCs are ke's, but whoever waits for them needs an event.
 */
#include "sync/sync.h"

typedef struct _KI_FLUSH {
    volatile LONG Left;
    KEVENT Done;
} KI_FLUSH;

static VOID KiThreadedFlushed(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    KI_FLUSH *Flush = Context;
    if (InterlockedDecrement(&Flush->Left) == 0) {
        KeSetEvent(&Flush->Done, IO_NO_INCREMENT, FALSE);
    }
}

/* The ordinary queue of this processor is done with; the DPC goes to the tail of the threaded one. */
static VOID KiOrdinaryFlushed(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    KeInitializeThreadedDpc(Dpc, KiThreadedFlushed, Context);
    KeInsertQueueDpc(Dpc, NULL, NULL);
}

/* Returns when every DPC that was queued anywhere, ordinary or threaded, has run: a DPC of our own at the
   tail of each queue says so. Not from a threaded DPC, which would wait for itself. PASSIVE_LEVEL; blocks.
   (WDK page of the name) */
VOID KeFlushQueuedDpcs(VOID)
{
    KI_FLUSH Flush;
    KDPC Dpc[MAXIMUM_PROCESSORS];
    ULONG Count = KeNumberProcessors;
    Flush.Left = (LONG)Count;
    KeInitializeEvent(&Flush.Done, NotificationEvent, FALSE);
    for (ULONG i = 0; i < Count; i++) {
        KeInitializeDpc(&Dpc[i], KiOrdinaryFlushed, &Flush);
        KeSetTargetProcessorDpc(&Dpc[i], (CCHAR)i);
        KeSetImportanceDpc(&Dpc[i], MediumHighImportance);
        KeInsertQueueDpc(&Dpc[i], NULL, NULL);
    }
    KeWaitForSingleObject(&Flush.Done, Executive, KernelMode, FALSE, NULL);
}
EXPORT(KeFlushQueuedDpcs);

/* KeRemoveQueueDpc that, with WaitIfActive, returns only when the DPC is not running either. WaitIfActive:
   blocks, PASSIVE_LEVEL and not from a DPC; else any IRQL. (WDK page of the name) */
BOOLEAN KeRemoveQueueDpcEx(PRKDPC Dpc, BOOLEAN WaitIfActive)
{
    BOOLEAN Removed = KeRemoveQueueDpc(Dpc);
    if (WaitIfActive) {
        KeFlushQueuedDpcs();
    }
    return Removed;
}
EXPORT(KeRemoveQueueDpcEx);
