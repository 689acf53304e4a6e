/* SPDX-License-Identifier: MIT */
/*
 * For tests, exported in debug builds only: internal locks acquired in the right and in the wrong order, and held while
 * blocking; a thread's waits broken off as by its end.
 */
#include "sync/sync.h"
#include <primertest.h>

#if DBG

static KLOCK KiTestOuter, KiTestInner;

VOID PrimerTestLockOrder(BOOLEAN Right)
{
    KeInitializeLock(&KiTestOuter, KlcReaper);
    KeInitializeLock(&KiTestInner, KlcSerial);
    KIRQL Irql = KeAcquireLock(Right ? &KiTestOuter : &KiTestInner);
    KeAcquireLockAtDpc(Right ? &KiTestInner : &KiTestOuter);
    KeReleaseLockFromDpc(Right ? &KiTestInner : &KiTestOuter);
    KeReleaseLock(Right ? &KiTestOuter : &KiTestInner, Irql);
}
EXPORT(PrimerTestLockOrder);

VOID PrimerTestBlockHolding(BOOLEAN Right)
{
    KEVENT Event;
    LARGE_INTEGER Millisecond = {.QuadPart = -10000};
    KeInitializeEvent(&Event, NotificationEvent, FALSE);
    KeInitializeLock(&KiTestOuter, KlcReaper);
    KIRQL Irql = KeAcquireLock(&KiTestOuter);
    if (Right) {
        KeReleaseLock(&KiTestOuter, Irql);
    } else {
        ArchSetIrql(APC_LEVEL); /* as if the level had been lost track of */
    }
    KeWaitForSingleObject(&Event, Executive, KernelMode, FALSE, &Millisecond);
}
EXPORT(PrimerTestBlockHolding);

VOID PrimerTerminateWaits(PKTHREAD Thread)
{
    __atomic_or_fetch(&Thread->UserWork, KUSER_WORK_TERMINATE, __ATOMIC_SEQ_CST);
    KeInterruptThread(Thread);
}
EXPORT(PrimerTerminateWaits);

#endif
