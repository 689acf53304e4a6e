/* SPDX-License-Identifier: MIT */
/*
 * Comes and goes: takes the port, has its interrupt routed as an NMI, which reaches a processor that has its
 * interrupts off, too, and installs itself as the kernel's debugger. With the kernel option kdstub.wait=1 it
 * stops at once and waits for GDB.
 */
#include "stub.h"

#define LINE 3 /* COM4's, which it shares with COM2 */

DRIVER_INITIALIZE DriverEntry;

BOOLEAN StubTrap(ULONG Self, PKTRAP_FRAME Frame);
BOOLEAN StubNmi(ULONG Self, PKTRAP_FRAME Frame);
VOID StubBugCheck(ULONG Self, ULONG Code, PKTRAP_FRAME Frame);

static const KD_DEBUGGER Debugger = {KD_DEBUGGER_VERSION, StubTrap, StubNmi, StubBugCheck};

/* All processors are in here at the same time, so that none comes to a break point; the first one takes these
   away. */
static ULONG_PTR EndBreaks(ULONG_PTR Argument)
{
    if (KeGetCurrentProcessorNumber() == 0) {
        StubPullBreaks(0);
        StubForgetBreaks();
    }
    StubClearDebugRegisters();
    return Argument;
}

static ULONG_PTR Pass(ULONG_PTR Argument)
{
    X86Serialize();
    return Argument;
}

static VOID StubUnload(PDRIVER_OBJECT DriverObject)
{
    UNREFERENCED_PARAMETER(DriverObject);
    StubListen(false);
    KdServices.DisconnectInterrupt(LINE);
    KeIpiGenericCall(EndBreaks, 0);
    KeIpiGenericCall(Pass, 0); /* a trap that came before has been taken */
    KdSetDebugger(NULL);
    KeIpiGenericCall(Pass, 0); /* no processor is in the stub any more */
    DbgPrint("kdstub: gone\n");
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    UNREFERENCED_PARAMETER(RegistryPath);
    char Wait[8];
    DriverObject->DriverUnload = StubUnload;
    if (!StubInitializeMemory() || !StubInitializePort()) {
        DbgPrint("kdstub: there is no COM4: tools/run --stub makes one\n");
        return STATUS_DEVICE_DOES_NOT_EXIST;
    }
    NTSTATUS Status = KdSetDebugger(&Debugger);
    if (!NT_SUCCESS(Status)) {
        DbgPrint("kdstub: there is a debugger already: 0x%08lX\n", Status);
        return Status;
    }
    Status = KdServices.ConnectInterrupt(LINE, HIGH_LEVEL, 0, NULL, NULL);
    if (!NT_SUCCESS(Status)) {
        DbgPrint("kdstub: no interrupt, so no ^C and no keys: 0x%08lX\n", Status);
    }
    StubListen(true);
    DbgPrint("kdstub: GDB may come on COM4\n");
    if (ExQueryKernelOption("kdstub.wait", Wait, sizeof(Wait)) && Wait[0] == '1') {
        DbgBreakPoint();
    }
    return STATUS_SUCCESS;
}
