/* SPDX-License-Identifier: MIT */
/* The newer forms in which a driver connects its service routine to an interrupt. */
#include <ntddk.h>

/*
 * CONNECT_FULLY_SPECIFIED (and ..._GROUP, of group 0) does what IoConnectInterrupt does. Differs: the other
 * versions ask for what only device objects with resources can tell, of which there are none, and give
 * STATUS_NOT_SUPPORTED; Version then names what is supported, as documented. PASSIVE_LEVEL. (WDK page of the
 * name)
 */
NTSTATUS IoConnectInterruptEx(PIO_CONNECT_INTERRUPT_PARAMETERS Parameters)
{
    const IO_CONNECT_INTERRUPT_FULLY_SPECIFIED_PARAMETERS *P = &Parameters->FullySpecified;

    if (Parameters->Version == CONNECT_FULLY_SPECIFIED_GROUP && P->Group != 0) {
        return STATUS_INVALID_PARAMETER;
    }
    if (Parameters->Version != CONNECT_FULLY_SPECIFIED && Parameters->Version != CONNECT_FULLY_SPECIFIED_GROUP) {
        Parameters->Version = CONNECT_FULLY_SPECIFIED;
        return STATUS_NOT_SUPPORTED;
    }
    return IoConnectInterrupt(P->InterruptObject, P->ServiceRoutine, P->ServiceContext, P->SpinLock, P->Vector,
                              P->Irql, P->SynchronizeIrql, P->InterruptMode, P->ShareVector,
                              P->ProcessorEnableMask, P->FloatingSave);
}

/* What IoDisconnectInterrupt does, for an object that either routine has connected. PASSIVE_LEVEL.
   (WDK page of the name) */
VOID IoDisconnectInterruptEx(PIO_DISCONNECT_INTERRUPT_PARAMETERS Parameters)
{
    IoDisconnectInterrupt(Parameters->ConnectionContext.InterruptObject);
}
