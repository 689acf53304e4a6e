/* SPDX-License-Identifier: MIT */
/*
 * sync for the rest of the kernel: what is no documented routine. (Push locks: pushlock.h.)
 */
#ifndef PRIMER_WAIT_H
#define PRIMER_WAIT_H

#include "kernel/ke/ke.h"

/* The object of the current thread or of a process is signalled for ever. <= DISPATCH. */
void KeSignalObject(PDISPATCHER_HEADER Header, KPRIORITY Increment);

/* Sets KUSER_WORK_INTERRUPT, ends a wait of the thread that may be broken (an alertable one; when the thread
   is to terminate every one in UserMode, too; it returns STATUS_USER_APC when the thread is to terminate,
   else STATUS_ALERTED), and makes it come past the return-to-user test if it runs in user mode now. The
   caller has set its own UserWork bit before. <= DISPATCH. */
void KeInterruptThread(PKTHREAD Thread);

/* Suspension: the thread waits on its way to user mode while the count is not 0. */
NTSTATUS KeSuspendThread(PKTHREAD Thread, PULONG PreviousCount);
ULONG KeResumeThread(PKTHREAD Thread);

/* The life of the thread that runs the threaded DPCs of a processor; the context is the processor's number. */
KSTART_ROUTINE KeThreadedDpcThread;

/* ---- What ke calls (KeHandlers: ke.h has the contracts) ---- */

void KiInitializeTimerQueue(KTIMER_QUEUE *Queue);
void KiExpireTimers(PKPRCB Prcb, ULONG64 Now);
void KiInitializeThreadWaits(PKTHREAD Thread);
void KiSuspendCurrentThread(void);

#endif
