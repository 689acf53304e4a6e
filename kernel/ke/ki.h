/* SPDX-License-Identifier: MIT */
/* Private to ke. */
#ifndef PRIMER_KI_H
#define PRIMER_KI_H

#include "kernel/kd/kd.h"
#include "kernel/ke/ke.h"
#include "kernel/rtl/bits.h"
#include "kernel/rtl/export.h"

#define KI_QUANTUM_MS      30 /* two ticks of the classic clock */
#define KI_STARVED_SECONDS 4
#define KI_SCAN_THREADS    16 /* the most threads of a level that one starvation scan looks at */
#define KI_SCAN_BOOSTS     10 /* the most threads that it lifts */
#define KI_STARVED_PRIORITY 15
#define KI_WATCH_SECONDS   4  /* the longest time that a processor's timer is left unarmed */
#define KI_HANG_SECONDS    10

extern volatile KAFFINITY KiIdleMask; /* (a) processors that have nothing to run; whoever clears a bit has claimed it */
extern ULONG64 KiQuantumCycles;
extern ULONG64 KiCyclesPerSecond;

static inline KAFFINITY KiProcessorBit(ULONG Number)
{
    return (KAFFINITY)1 << Number;
}

/* sched.c */
void KiReschedule(void);
void KiStartRunning(PKTHREAD Thread);
/* Thread->Lock held, released on return; it is on no queue. Queues it somewhere and asks for a reschedule
   where that is due. The thread may be gone on return unless the caller holds a reference. */
void KiPlaceThread(PKTHREAD Thread, bool Head);
void KiInsertReady(PKPRCB Prcb, PKTHREAD Thread, bool Head);
void KiRemoveReady(PKPRCB Prcb, PKTHREAD Thread);
void KiRequestReschedule(PKPRCB Prcb);
/* The processor arms its timer for the end of the running quantum. */
void KiRequestQuantum(PKPRCB Prcb);
bool KiNeedsQuantum(PKPRCB Prcb, KPRIORITY Priority);
void KiKickIdle(KAFFINITY Affinity);

/* clock.c */
void KiClockWork(PKPRCB Prcb);
void KiAnnounceClockWork(PKPRCB Prcb, ULONG64 Now);
ULONG64 KiTimeToCycles(ULONG64 InterruptTime);

/* dpc.c */
void KiRetireDpcs(PKPRCB Prcb);

/* irql.c: runs what is pending at DISPATCH_LEVEL. */
void KiDrain(void);

#endif
