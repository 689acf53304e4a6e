/* SPDX-License-Identifier: MIT */
/* Private to ke. */
#ifndef PRIMER_KI_H
#define PRIMER_KI_H

#include "kernel/kd/kd.h"
#include "kernel/ke/ke.h"
#include "kernel/rtl/bits.h"
#include "kernel/rtl/export.h"

#define KI_TICK_MS         15 /* of the classic clock, of which this kernel has none: it is the measure of a quantum */
#define KI_UNITS_PER_TICK  3  /* KPROCESS.QuantumReset counts thirds */
#define KI_STARVED_SECONDS 4
#define KI_SCAN_THREADS    16 /* the most threads of a level that one starvation scan looks at */
#define KI_SCAN_BOOSTS     10 /* the most threads that it lifts */
#define KI_STARVED_PRIORITY 15
#define KI_WATCH_SECONDS   4  /* the longest time that a processor's timer is left unarmed */
#define KI_HANG_SECONDS    10
#define KI_HANG_FREE_LOOKS 4  /* looks in a row that find that nobody holds the lock */
#define KI_HANG_ANSWERS    2  /* NMIs that a processor without interrupts has answered before it is reported */

extern volatile KAFFINITY KiIdleMask; /* (a) processors that have nothing to run; whoever clears a bit has claimed it */
extern ULONG64 KiCyclesPerQuantumUnit;
extern ULONG64 KiCyclesPerSecond;

/* Where a thread is placed. */
typedef enum _KI_PLACE {
    KiPlaceHead, /* before its equals: it was preempted */
    KiPlaceTail, /* behind them: it is new here, or yields */
    KiPlaceTurn, /* behind them, where the fewest of them wait: its quantum is over */
} KI_PLACE;

static inline KAFFINITY KiProcessorBit(ULONG Number)
{
    return (KAFFINITY)1 << Number;
}

/* A whole quantum of the thread, in cycles. */
static inline ULONG64 KiQuantumOf(PKTHREAD Thread)
{
    return Thread->Process->QuantumReset * KiCyclesPerQuantumUnit;
}

/* sched.c */
void KiReschedule(void);
void KiStartRunning(PKTHREAD Thread);
/* Thread->Lock held, released on return; it is on no queue. Queues it somewhere and asks for a reschedule
   where that is due. The thread may be gone on return unless the caller holds a reference. */
void KiPlaceThread(PKTHREAD Thread, KI_PLACE Place);
/* ReadyLock held. The second pair: the thread stays where it is in its queue, but may from now on run
   elsewhere, or not. */
void KiInsertReady(PKPRCB Prcb, PKTHREAD Thread, bool Head);
void KiRemoveReady(PKPRCB Prcb, PKTHREAD Thread);
void KiCountMovable(PKPRCB Prcb, PKTHREAD Thread);
void KiUncountMovable(PKPRCB Prcb, PKTHREAD Thread);
/* A movable thread of that affinity and priority waits: an idle processor, or one that runs something lower,
   is told. */
void KiOfferWaiting(KAFFINITY Affinity, KPRIORITY Priority);
/* There is work for others to take from the processor. ReadyLock held. */
void KiAnnounceSurplus(PKPRCB Prcb);
void KiRequestReschedule(PKPRCB Prcb);
/* The processor arms its timer anew. */
void KiRequestClock(PKPRCB Prcb);
bool KiNeedsClock(PKPRCB Prcb, KPRIORITY Priority);

/* priority.c */
/* The thread's priority after so many quanta used up. Thread->Lock held. */
KPRIORITY KiDecayedPriority(PKTHREAD Thread, LONG64 Quanta);
/* The running thread of this processor has used up quanta without a rival. DISPATCH, no lock held. */
void KiRenewQuantum(PKPRCB Prcb, ULONG64 Now);
void KiStarvationScan(PKPRCB Prcb, ULONG64 Now);
void KiQuantumEnd(PKPRCB Prcb);

/* clock.c */
void KiClockWork(PKPRCB Prcb);
void KiCheckQuantum(PKPRCB Prcb, ULONG64 Now);
void KiAnnounceClockWork(PKPRCB Prcb, ULONG64 Now);
ULONG64 KiTimeToCycles(ULONG64 InterruptTime);

/* dpc.c */
#define KI_DPC_LOOK_MS 10
void KiRetireDpcs(PKPRCB Prcb);
/* Interrupts the processors whose low DPCs have waited long enough. DISPATCH, or interrupts off. */
void KiKickLazyDpcs(PKPRCB Prcb);
/* A clock interrupt has come while DPCs run. Returns after how many cycles the next one is wanted. */
ULONG64 KiWatchDpcs(PKPRCB Prcb);

/* apc.c. Runs the current thread's kernel APCs that may run now. APC_LEVEL, at PASSIVE_LEVEL inside. */
void KiDeliverKernelApcs(void);
/* One user APC, if there is one, goes into the user frame. PASSIVE_LEVEL. */
void KiDeliverUserApc(PKTRAP_FRAME Frame);
/* irql.c: runs what is pending at DISPATCH_LEVEL. */
void KiDrain(void);

/* The first processor of the set from From upwards, round the end. */
static inline ULONG KiNextProcessor(KAFFINITY Set, ULONG From)
{
    KAFFINITY Above = Set >> From << From;
    return (ULONG)RtlLowestBit(Above != 0 ? Above : Set);
}

#endif
