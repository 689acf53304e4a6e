/* SPDX-License-Identifier: MIT */
/*
 * KeFlushQueuedDpcs: DPCs are ke's, but whoever waits for them needs an event.
 */
#include "sync/sync.h"

typedef struct _KI_FLUSH {
    volatile LONG Left;
    KEVENT Done;
} KI_FLUSH;

static VOID KiFlushDpc(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    KI_FLUSH *Flush = Context;
    if (InterlockedDecrement(&Flush->Left) == 0) {
        KeSetEvent(&Flush->Done, IO_NO_INCREMENT, FALSE);
    }
}

/* Returns when every DPC that was queued anywhere has run: a DPC of our own at the tail of each queue says
   so. PASSIVE. (WDK page of the name) */
VOID KeFlushQueuedDpcs(VOID)
{
    KI_FLUSH Flush;
    KDPC Dpc[MAXIMUM_PROCESSORS];
    ULONG Count = KeNumberProcessors;
    Flush.Left = (LONG)Count;
    KeInitializeEvent(&Flush.Done, NotificationEvent, FALSE);
    for (ULONG i = 0; i < Count; i++) {
        KeInitializeDpc(&Dpc[i], KiFlushDpc, &Flush);
        KeSetTargetProcessorDpc(&Dpc[i], (CCHAR)i);
        KeInsertQueueDpc(&Dpc[i], NULL, NULL);
    }
    KeWaitForSingleObject(&Flush.Done, Executive, KernelMode, FALSE, NULL);
}
EXPORT(KeFlushQueuedDpcs);
