/* SPDX-License-Identifier: MIT */
/*
 * sync for the rest of the kernel: what is no documented routine. (Push locks: pushlock.h.)
 */
#ifndef PRIMER_WAIT_H
#define PRIMER_WAIT_H

#include "kernel/ke/ke.h"

/* The object of the current thread or of a process is signalled for ever. <= DISPATCH. */
void KeSignalObject(PDISPATCHER_HEADER Header, KPRIORITY Increment);

/* The current thread ends: the mutants that it owns are abandoned; bug check THREAD_TERMINATE_HELD_MUTEX when
   one is a kernel mutex. PASSIVE. */
void KeAbandonMutants(void);

/* Suspension: the thread waits on its way to user mode while the count is not 0. */
NTSTATUS KeSuspendThread(PKTHREAD Thread, PULONG PreviousCount);
ULONG KeResumeThread(PKTHREAD Thread);

/* The current thread, which is about to end, does not belong to a queue any longer. <= DISPATCH. */
void KeLeaveQueue(PKTHREAD Thread);

/* The life of the thread that runs the threaded DPCs of a processor; the context is the processor's
   number. */
KSTART_ROUTINE KeThreadedDpcThread;

/* ---- What ke calls (KeHandlers: ke.h has the contracts) ---- */

void KiInitializeTimerQueue(KTIMER_QUEUE *Queue);
void KiExpireTimers(PKPRCB Prcb, ULONG64 Now);
void KiInitializeThreadWaits(PKTHREAD Thread);
void KiSuspendCurrentThread(void);

#endif
