/* SPDX-License-Identifier: MIT */
/*
 * The timer queues: one a processor, guarded by its lock (rank above dispatcher objects, so that an expiring
 * timer signals its object while its queue is locked, and whoever has taken the lock of a timer's queue knows
 * that no expiry is under way).
 */
#ifndef PRIMER_TIMERQ_H
#define PRIMER_TIMERQ_H

#include "kernel/ke/ke.h"

#define TIME_PER_MS 10000 /* interrupt time: 100 ns */

/* Takes the timer off its queue; returns whether it was on one. It now belongs to the current processor,
   whose queue is locked on return: KiQueueTimer must follow. DISPATCH. */
bool KiTakeTimer(PKTIMER Timer);
/* Queues a timer that has been taken so, for an interrupt time, and unlocks. */
void KiQueueTimer(PKTIMER Timer, ULONG64 Due);
/* A periodic timer goes back into the queue whose lock the caller (KiTimerExpired) holds. */
void KiRequeueTimer(PKTIMER Timer, ULONG64 Due);

/* A timer that is set, and lies or has its DPC in this range (a module that goes); *Routine is its DPC's, or
   NULL. NULL: there is none. The timer is for a report only: it may be gone. <= DISPATCH. */
PKTIMER KeFindTimerOf(const void *Start, SIZE_T Size, const void **Routine);

/* sync's part of the expiry at interrupt time Now: the timer is off its queue, which is locked. Appends
   committed waiters to the chain. */
PKTHREAD KiTimerExpired(PKTIMER Timer, ULONG64 Now, PKTHREAD Chain);

#endif
