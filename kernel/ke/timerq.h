/* SPDX-License-Identifier: MIT */
/*
 * The timer queues: one a processor, guarded by its lock (rank above dispatcher objects, so that an expiring timer signals
 * its object while its queue is locked, and whoever has taken the lock of a timer's queue knows that no expiry is under way).
 */
#ifndef PRIMER_TIMERQ_H
#define PRIMER_TIMERQ_H

#include "kernel/ke/ke.h"

void KiInitializeTimerQueue(KTIMER_QUEUE *Queue);
/* Locks the queue that guards the timer. DISPATCH. */
KTIMER_QUEUE *KiLockTimer(PKTIMER Timer);
/* Queues the timer on the current processor for an interrupt time; takes it off first when it is queued. Returns whether
   it was. Prepare(Timer, Context) runs with the queue locked before it is queued (KeSetTimer clears the signal there); may be NULL. */
BOOLEAN KiSetTimerQueue(PKTIMER Timer, ULONG64 Due, void (*Prepare)(PKTIMER, void *), void *Context);
/* Returns whether it was queued. After the return no expiry of the timer is under way. */
BOOLEAN KiCancelTimerQueue(PKTIMER Timer);
/* Expires what is due on this processor. */
void KiExpireTimers(PKPRCB Prcb, ULONG64 Now);
/* A periodic timer goes back into the queue whose lock the caller (the expiry hook) holds. */
void KiRequeueTimer(PKTIMER Timer, ULONG64 Due);

/* sync's part of the expiry: the timer is off its queue, which is locked. Appends committed waiters to the chain. */
extern PKTHREAD (*KiTimerExpiredHook)(PKTIMER Timer, PKTHREAD Chain);

#endif
