/* SPDX-License-Identifier: MIT */
/*
 * Is priority respected between processors? No thread waits for more than a quantum while a processor that it
 * may use idles or runs something lower (docs/architecture.md, "The scheduler"). Debug builds only: once a
 * second each processor that has threads waiting looks whether that holds for the highest of those that may
 * run elsewhere.
 *
 * A look is a verdict only when all other processors are quiet, twice in turn: below DISPATCH_LEVEL, or idle,
 * and with no interrupt on its way to them. Then nobody is in the middle of queueing the thread or of telling
 * another processor about it, and whoever was told has come to see: nothing is left that would still mend
 * what is wrong. So neither a slow host nor a processor that the schedule controller holds leads to a report.
 */
#include "kernel/kd/kdp.h"
#include "kernel/rtl/bits.h"
#include "kernel/rtl/export.h"
#include <primertest.h>

#if DBG

static volatile BOOLEAN KdpLooksAway;

BOOLEAN PrimerCheckPriorities(BOOLEAN Check)
{
    return !__atomic_exchange_n(&KdpLooksAway, !Check, __ATOMIC_SEQ_CST);
}
EXPORT(PrimerCheckPriorities);

/* A processor that idles stands at DISPATCH_LEVEL; an interrupt's entry raises the level before anything
   else. */
static bool KdpIsLow(PKPRCB Prcb)
{
    KIRQL Irql = Prcb->Irql;
    return Irql < DISPATCH_LEVEL || (Irql == DISPATCH_LEVEL && Prcb->Halted);
}

/* A request leads to a high level, that to pending work, and that again to a high level: in this order none
   is missed. */
static bool KdpIsQuiet(PKPRCB Prcb)
{
    return Prcb->IpiRequests == 0 && KdpIsLow(Prcb) && (Prcb->PendingSoft & KSOFT_DISPATCH) == 0 && KdpIsLow(Prcb);
}

/* Of the other processors one that runs something lower than the thread, which may use it; NULL: none, or no
   verdict. */
static PKPRCB KdpFindWeaker(PKPRCB Prcb, PKTHREAD Thread)
{
    PKPRCB Weaker = NULL;
    for (KAFFINITY Left = Prcb->Others & *KdHooks.ActiveProcessors; Left != 0; Left &= Left - 1) {
        PKPRCB Other = KdHooks.ProcessorBlock[RtlLowestBit(Left)];
        bool Lower = Other->RunningPriority < Thread->Priority;
        if (!KdpIsQuiet(Other)) {
            return NULL;
        }
        if (Lower && Other->RunningPriority < Thread->Priority && (Thread->Affinity & Left & -Left)) {
            Weaker = Other;
        }
    }
    return Weaker;
}

void KdCheckPriorities(PKPRCB Prcb, PKTHREAD Thread, ULONG64 QuantumUnit)
{
    LONG64 Waited = (LONG64)(ArchReadCycles() - Thread->ReadyCycles);
    if (KdpLooksAway || Thread->Priority > Prcb->RunningPriority || /* it preempts next */
        Waited <= (LONG64)(Thread->Process->QuantumReset * QuantumUnit)) {
        return;
    }
    /* Twice: the first look takes one processor after the other, and a later one may just be telling an
       earlier one. */
    PKPRCB Weaker = KdpFindWeaker(Prcb, Thread);
    if (Weaker != NULL && KdpFindWeaker(Prcb, Thread) != Weaker) {
        return;
    }
    if (Weaker != NULL) {
        KdBugCheck(PRIORITY_NOT_RESPECTED, (ULONG64)Thread, (ULONG64)Thread->Priority, Weaker->Number,
                   (ULONG64)(LONG64)Weaker->RunningPriority, NULL,
                   "thread %p of priority %d has waited on processor %u for more than a quantum; processor %u runs priority %d",
                   Thread, Thread->Priority, Prcb->Number, Weaker->Number, Weaker->RunningPriority);
    }
}

#endif
