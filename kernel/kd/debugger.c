/* SPDX-License-Identifier: MIT */
/*
 * A debugger module's table (kdhooks.h), and the kernel's calls into it.
 */
#include "kernel/kd/kdp.h"
#include "kernel/rtl/export.h"

C_ASSERT(KD_DIRECT_MAP == ARCH_DIRECT_MAP);

static const KD_DEBUGGER *volatile KdpDebugger; /* by compare-and-swap; its readers have interrupts off */

/* Installs a debugger module's table, which must stay; NULL takes it away: no processor is in it any more
   when each has taken an interrupt after that (KeIpiGenericCall), for the hooks run with interrupts off.
   STATUS_ALREADY_REGISTERED: there is one; STATUS_INVALID_PARAMETER: of another version. Any IRQL; does not
   block. (no WDK page) */
NTSTATUS KdSetDebugger(const KD_DEBUGGER *Debugger)
{
    const KD_DEBUGGER *None = NULL;
    if (Debugger == NULL) {
        __atomic_store_n(&KdpDebugger, NULL, __ATOMIC_SEQ_CST);
        return STATUS_SUCCESS;
    }
    if (Debugger->Version != KD_DEBUGGER_VERSION) {
        return STATUS_INVALID_PARAMETER;
    }
    return __atomic_compare_exchange_n(&KdpDebugger, &None, Debugger, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)
               ? STATUS_SUCCESS
               : STATUS_ALREADY_REGISTERED;
}
EXPORT(KdSetDebugger);

BOOLEAN KdHandleDebugTrap(PKTRAP_FRAME Frame)
{
    bool Enabled = ArchDisableInterrupts();
    const KD_DEBUGGER *Debugger = KdpDebugger;
    BOOLEAN Taken = Debugger != NULL && Debugger->Trap(ArchCurrentPrcb()->Number, Frame);
    if (!Taken) { /* else the frame goes on at once: a processor that steps alone may take no interrupt before */
        ArchRestoreInterrupts(Enabled);
    }
    return Taken;
}

bool KdpDebuggerTakesNmi(PKTRAP_FRAME Frame)
{
    const KD_DEBUGGER *Debugger = KdpDebugger;
    return Debugger != NULL && Debugger->Nmi(ArchCurrentPrcb()->Number, Frame);
}

void KdpEnterDebugger(ULONG Code, PKTRAP_FRAME Frame)
{
    const KD_DEBUGGER *Debugger = KdpDebugger;
    if (Debugger != NULL) {
        Debugger->BugCheck(ArchCurrentPrcb()->Number, Code, Frame);
    }
}

VOID KdReportLocks(VOID (*Write)(PCSTR Text, SIZE_T Length))
{
    KdpSink = Write;
    KdpPrintCircle();
    KdpPrintHeldLocks();
    KdpSink = NULL;
}
