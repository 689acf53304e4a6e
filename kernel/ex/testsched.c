/* SPDX-License-Identifier: MIT */
/*
 * What only tests ask of the scheduler (primertest.h).
 */
#include "kernel/ke/ke.h"
#include "kernel/rtl/export.h"
#include <primertest.h>

/* Fills in the counters of processor Number, which is online. <= DISPATCH_LEVEL; does not block. For tests
   alone. */
VOID PrimerQueryProcessor(ULONG Number, PPRIMER_PROCESSOR Counters)
{
    PKPRCB Prcb = KiProcessorBlock[Number];
    Counters->Ipis = Prcb->Ipis;
    Counters->ClockInterrupts = Prcb->ClockInterrupts;
    Counters->Steals = Prcb->Steals;
    Counters->Pulls = Prcb->Pulls;
    Counters->IdleCycles = KeThreadCycles(Prcb->IdleThread);
    Counters->DpcCycles = Prcb->DpcCycles;
    Counters->InterruptCycles = Prcb->InterruptCycles;
}
EXPORT(PrimerQueryProcessor);

ULONG64 PrimerThreadCycles(PKTHREAD Thread)
{
    return KeThreadCycles(Thread);
}
EXPORT(PrimerThreadCycles);

UCHAR PrimerSetQuantum(UCHAR Units)
{
    return __atomic_exchange_n(&ArchCurrentThread()->Process->QuantumReset, Units, __ATOMIC_RELAXED);
}
EXPORT(PrimerSetQuantum);
