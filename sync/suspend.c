/* SPDX-License-Identifier: MIT */
/*
 * What each thread has in order to wait and to be suspended, and suspension itself. A suspended thread waits
 * for its ResumeEvent on its way back to user mode.
 */
#include "sync/sync.h"

#define MAXIMUM_SUSPEND_COUNT 127

void KiInitializeThreadWaits(PKTHREAD Thread)
{
    for (ULONG i = 0; i < THREAD_WAIT_OBJECTS; i++) {
        Thread->WaitBlock[i].Thread = Thread;
    }
    KeInitializeTimer(&Thread->WaitTimer);
    Thread->WaitTimer.Header.Type = ThreadWaitTimerObject;
    KeInitializeEvent(&Thread->ResumeEvent, SynchronizationEvent, FALSE);
}

NTSTATUS KeSuspendThread(PKTHREAD Thread, PULONG PreviousCount)
{
    KIRQL Irql = KeAcquireLock(&Thread->Lock);
    LONG Previous = Thread->SuspendCount;
    if (Previous == MAXIMUM_SUSPEND_COUNT) {
        KeReleaseLock(&Thread->Lock, Irql);
        return STATUS_SUSPEND_COUNT_EXCEEDED;
    }
    Thread->SuspendCount++;
    __atomic_or_fetch(&Thread->UserWork, KUSER_WORK_SUSPEND, __ATOMIC_SEQ_CST);
    ULONG Processor = Thread->Processor;
    if (Thread->State == Running && Processor != KeGetCurrentPrcb()->Number) {
        KiRequestIpi(KiProcessorBlock[Processor], KIPI_RESCHEDULE); /* it comes past the last test before user mode */
    }
    KeReleaseLock(&Thread->Lock, Irql);
    if (PreviousCount != NULL) {
        *PreviousCount = (ULONG)Previous;
    }
    return STATUS_SUCCESS;
}

ULONG KeResumeThread(PKTHREAD Thread)
{
    KIRQL Irql = KeAcquireLock(&Thread->Lock);
    LONG Previous = Thread->SuspendCount;
    if (Previous > 0) {
        Thread->SuspendCount--;
    }
    KeReleaseLock(&Thread->Lock, Irql);
    if (Previous == 1) {
        KeSetEvent(&Thread->ResumeEvent, IO_NO_INCREMENT, FALSE); /* a late one costs a round in the loop below */
    }
    return (ULONG)Previous;
}

/* On the way to user mode: waits until nobody suspends the thread, or it is to end. */
void KiSuspendCurrentThread(void)
{
    PKTHREAD Thread = ArchCurrentThread();
    for (;;) {
        KIRQL Irql = KeAcquireLock(&Thread->Lock);
        bool Held = Thread->SuspendCount > 0;
        if (!Held) {
            __atomic_and_fetch(&Thread->UserWork, ~KUSER_WORK_SUSPEND, __ATOMIC_SEQ_CST);
        }
        KeReleaseLock(&Thread->Lock, Irql);
        if (!Held) {
            return;
        }
        if (KeWaitForSingleObject(&Thread->ResumeEvent, Suspended, UserMode, FALSE, NULL) != STATUS_SUCCESS) {
            return; /* the caller's loop looks what broke the wait, and comes back while the count stands */
        }
    }
}
