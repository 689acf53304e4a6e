/* SPDX-License-Identifier: MIT */
/*
 * The software IRQL. Raising to APC or DISPATCH level is a store; what would have interrupted is recorded in
 * KPRCB.PendingSoft and runs when the level drops. Lowering stores the new level first and tests afterwards:
 * an interrupt between the two finds the low level and does the work itself.
 *
 * Above DISPATCH_LEVEL the level is the processor's: CR8 masks the classes below, HIGH_LEVEL turns interrupts
 * off.
 */
#include "kernel/kd/script.h"
#include "kernel/ke/ki.h"

/* Everything that waits for a level below DISPATCH. DISPATCH_LEVEL, interrupts on. The thread may have moved
   to another processor on return. */
void KiDrain(void)
{
    do {
        ArchClearPendingSoft(KSOFT_DISPATCH);
        PKPRCB Prcb = KeGetCurrentPrcb();
        if (Prcb->ClockPending) {
            KiClockWork(Prcb);
        }
        if (!IsListEmpty(&Prcb->DpcQueue)) {
            KiRetireDpcs(Prcb);
        }
        if (Prcb->Reschedule) {
            KiReschedule();
        }
    } while (ArchPendingSoft() & KSOFT_DISPATCH);
}

/* Does what is pending for Irql, a level below DISPATCH_LEVEL, or the first part of it. Interrupts are on,
   and so what the caller has seen pending may have been done by an interrupt's exit meanwhile. The caller
   sets the level afterwards and looks again. The thread may have moved to another processor on return. */
static void KiServeSoft(KIRQL Irql)
{
    if (ArchPendingSoft() & KSOFT_DISPATCH) {
        ArchSetIrql(DISPATCH_LEVEL);
        KiDrain();
    } else if (Irql < APC_LEVEL) { /* at APC_LEVEL an APC stays pending */
        ArchSetIrql(APC_LEVEL);
        KiDeliverKernelApcs();
    }
}

/* The level has dropped to NewIrql and something is pending for it. With interrupts off (start-up only) it
   stays pending for the next interrupt's exit. */
void KiSoftInterrupt(KIRQL NewIrql)
{
    if (!ArchInterruptsEnabled()) {
        return;
    }
    while (ArchPendingSoft() >> NewIrql) {
        KdPoint(PrimerPointSoftPending, ArchCurrentThread());
        KiServeSoft(NewIrql);
        ArchSetIrql(NewIrql);
    }
}

/* The level drops only while interrupts are off: else the exits of further interrupts would pile up on the
   stack. */
void KiInterruptExit(KIRQL ReturnIrql)
{
    do {
        ArchSetIrql(DISPATCH_LEVEL);
        ArchEnableInterrupts();
        KiServeSoft(ReturnIrql);
        ArchDisableInterrupts();
        ArchSetIrql(ReturnIrql);
    } while (ArchPendingSoft() >> ReturnIrql);
}

#if DBG
void KiCheckLower(KIRQL NewIrql)
{
    PKTHREAD Thread = ArchCurrentThread();
    if (NewIrql < DISPATCH_LEVEL && Thread->WaitNext) {
        KdBugCheck(WAIT_EXPECTED, (ULONG64)Thread, NewIrql, Thread->WaitIrql, 0, NULL,
                   "thread %p has signalled with Wait TRUE, and lowers the level to %d instead of waiting", Thread, NewIrql);
    }
}
#endif

/* The level of the code that asks. Any IRQL. (WDK page of the name) */
KIRQL KeGetCurrentIrql(VOID)
{
    return ArchGetIrql();
}
EXPORT(KeGetCurrentIrql);

#if DBG
NORETURN void KiRefuseRaise(KIRQL Irql)
{
    KdBugCheck(IRQL_NOT_LESS_OR_EQUAL, 0, Irql, DISPATCH_LEVEL, (ULONG64)__builtin_return_address(0), NULL,
               "at level %d, called what runs at DISPATCH_LEVEL or below", Irql);
}
#endif

/* Explicit levels above DISPATCH reach the hardware. */
static void KiSetHardwareLevel(KIRQL Irql)
{
    if (Irql == HIGH_LEVEL) {
        ArchDisableInterrupts();
    } else {
        ArchSetPriorityMask(Irql);
    }
}

/* Raises the level; bug check IRQL_NOT_GREATER_OR_EQUAL when it would drop. Any IRQL. (WDK: KeRaiseIrql) */
VOID KeRaiseIrql(KIRQL NewIrql, PKIRQL OldIrql)
{
    KIRQL Old = ArchGetIrql();
    if (NewIrql < Old) {
        KdBugCheck(IRQL_NOT_GREATER_OR_EQUAL, Old, NewIrql, 0, 0, NULL, "KeRaiseIrql from %d down to %d", Old, NewIrql);
    }
    ArchSetIrql(NewIrql);
    if (NewIrql > DISPATCH_LEVEL) {
        KiSetHardwareLevel(NewIrql);
    }
    *OldIrql = Old;
}
EXPORT(KeRaiseIrql);

/* Lowers the level to what a raise has returned, and runs what waited for that. (WDK: KeLowerIrql) */
VOID KeLowerIrql(KIRQL NewIrql)
{
    KIRQL Old = ArchGetIrql();
    if (NewIrql > Old) {
        KdBugCheck(IRQL_NOT_LESS_OR_EQUAL, 0, NewIrql, Old, 0, NULL, "KeLowerIrql from %d up to %d", Old, NewIrql);
    }
    KI_ASSERT(Old < DISPATCH_LEVEL || NewIrql >= DISPATCH_LEVEL || KiLocksHeld() == 0, "level drops to %d with %u spin locks held", NewIrql,
              KiLocksHeld());
    if (Old > DISPATCH_LEVEL) {
        ArchSetPriorityMask(NewIrql);
        ArchSetIrql(NewIrql);
        if (Old == HIGH_LEVEL) {
            ArchEnableInterrupts();
        }
        if (ArchPendingSoft() >> NewIrql) {
            KiSoftInterrupt(NewIrql);
        }
        return;
    }
    KiLower(NewIrql);
}
EXPORT(KeLowerIrql);

/* Raises the level to DISPATCH_LEVEL; returns the level before. <= DISPATCH_LEVEL; does not block. (WDK page
   of the name) */
KIRQL KeRaiseIrqlToDpcLevel(VOID)
{
    KIRQL Old;
    KeRaiseIrql(DISPATCH_LEVEL, &Old);
    return Old;
}
EXPORT(KeRaiseIrqlToDpcLevel);

/* The last tests before user mode, with interrupts off: they come on only while something is done about a
   finding. */
void KiReturnToUserWork(PKTRAP_FRAME Frame)
{
    PKTHREAD Thread = ArchCurrentThread();
    for (;;) {
        ULONG Work = __atomic_load_n(&Thread->UserWork, __ATOMIC_ACQUIRE);
        if (Work & KUSER_WORK_KERNEL_APC) {
            KiNoteKernelApcs(Thread);
        }
        if (ArchPendingSoft() != 0) {
            KiInterruptExit(PASSIVE_LEVEL);
            continue;
        }
        if ((Work & KUSER_WORK_BEFORE_USER) == 0) {
            return;
        }
        ArchEnableInterrupts();
        if (Work & KUSER_WORK_INTERRUPT) {
            __atomic_and_fetch(&Thread->UserWork, ~KUSER_WORK_INTERRUPT, __ATOMIC_ACQ_REL);
        }
        if (Work & (KUSER_WORK_TERMINATE | KUSER_WORK_PROVIDER)) {
            KeHandlers.UserWork(Frame);
        } else if (Work & KUSER_WORK_SUSPEND) {
            KeHandlers.SuspendCurrentThread();
        } else if (Work & KUSER_WORK_DELIVER) {
            KiDeliverUserApc(Frame);
        }
        ArchDisableInterrupts();
    }
}

/* A system call came back to the entry code above PASSIVE_LEVEL or with APCs disabled. */
NORETURN void KiProviderViolation(PKTRAP_FRAME Frame)
{
    PKTHREAD Thread = ArchCurrentThread();
    KIRQL Irql = ArchGetIrql();
    KiCheckOwnedMutexes();
    if (Thread->SystemCall == KeHandlers.SystemService) {
        KeHandlers.BadServiceReturn(Frame);
    }
    KdBugCheck(PROVIDER_CONTRACT_VIOLATION, (ULONG64)Thread->SystemCall, Irql, Thread->ApcDisable, Frame->ErrorCode, Frame,
               "provider '%s' returned from system call %lu at level %d, APC disable %x", KeHandlers.ProviderName(Thread),
               (ULONG)Frame->ErrorCode, Irql, Thread->ApcDisable);
}
