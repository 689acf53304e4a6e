/* SPDX-License-Identifier: MIT */
/* Lab 9: registration and its end, by a provider whose one process never gets a thread. */
#include "ktest.h"
#include <subsystem.h>

static VOID SystemCall(PKTRAP_FRAME Frame)
{
    Frame->Rax = 0;
}

static BOOLEAN Exception(PEXCEPTION_RECORD Record, PKTRAP_FRAME Frame)
{
    UNREFERENCED_PARAMETER(Record);
    UNREFERENCED_PARAMETER(Frame);
    return FALSE;
}

static VOID ThreadExit(PETHREAD Thread, PVOID Context)
{
    UNREFERENCED_PARAMETER(Thread);
    UNREFERENCED_PARAMETER(Context);
}

static VOID ProcessExit(PEPROCESS Process, PVOID Context)
{
    UNREFERENCED_PARAMETER(Process);
    UNREFERENCED_PARAMETER(Context);
}

static const PS_SUBSYSTEM_PROVIDER Table = {
    .Version = PS_SUBSYSTEM_VERSION,
    .Size = sizeof(Table),
    .Name = "fifteen-letters",
    .SubsystemInformationType = SubsystemInformationTypeWSL,
    .DispatchSystemCall = SystemCall,
    .DispatchException = Exception,
    .ThreadExit = ThreadExit,
    .ProcessExit = ProcessExit,
};

static PS_SUBSYSTEM_ROUTINES Kernel;
static PPS_PROVIDER Provider;

static NTSTATUS Register(const PS_SUBSYSTEM_PROVIDER *Wanted, ULONG Version, ULONG Size)
{
    Kernel = (PS_SUBSYSTEM_ROUTINES){.Version = Version, .Size = Size};
    return PsRegisterSubsystemProvider(Wanted, &Kernel, &Provider);
}

/* Version before Size, the provider's table before the kernel's, and only then the rest. */
static PCSTR TestTables(VOID)
{
    const ULONG Version = PS_SUBSYSTEM_VERSION, Size = sizeof(Kernel);
    PS_SUBSYSTEM_PROVIDER Bad = {.Version = PS_SUBSYSTEM_VERSION + 1}; /* nothing else of it may be looked at */
    KTEST_CHECK(Register(&Bad, Version + 1, 0) == STATUS_REVISION_MISMATCH);
    Bad.Version = PS_SUBSYSTEM_VERSION;
    KTEST_CHECK(Register(&Bad, Version + 1, 0) == STATUS_INFO_LENGTH_MISMATCH);
    Bad.Size = sizeof(Bad);
    KTEST_CHECK(Register(&Bad, Version + 1, 0) == STATUS_REVISION_MISMATCH);
    KTEST_CHECK(Register(&Bad, Version, Size - 8) == STATUS_INFO_LENGTH_MISMATCH);
    KTEST_CHECK(Register(&Bad, Version, Size) == STATUS_INVALID_PARAMETER); /* no name */
    static const PCSTR Names[] = {"", "sixteen--letters", "a name of more than that"};
    for (ULONG i = 0; i < RTL_NUMBER_OF(Names); i++) {
        Bad = Table;
        Bad.Name = Names[i];
        KTEST_CHECK(Register(&Bad, Version, Size) == STATUS_INVALID_PARAMETER);
    }
    for (ULONG i = 0; i < 5; i++) {
        Bad = Table;
        Bad.DispatchSystemCall = i == 0 ? NULL : SystemCall;
        Bad.DispatchException = i == 1 ? NULL : Exception;
        Bad.ThreadExit = i == 2 ? NULL : ThreadExit;
        Bad.ProcessExit = i == 3 ? NULL : ProcessExit;
        Bad.SubsystemInformationType = i == 4 ? MaxSubsystemInformationType : SubsystemInformationTypeWSL;
        KTEST_CHECK(Register(&Bad, Version, Size) == STATUS_INVALID_PARAMETER);
    }
    KTEST_CHECK(Register(&Table, Version, Size) == STATUS_SUCCESS); /* what may be NULL is NULL in it */
    KTEST_CHECK(PsUnregisterSubsystemProvider(Provider, FALSE) == STATUS_SUCCESS);
    KTEST_CHECK(PsUnregisterSubsystemProvider(Provider, FALSE) == STATUS_INVALID_HANDLE);
    return NULL;
}

static volatile LONG Gone;
static NTSTATUS GoneWith;

static VOID UnregistersAndWaits(PVOID Context)
{
    UNREFERENCED_PARAMETER(Context);
    GoneWith = PsUnregisterSubsystemProvider(Provider, TRUE);
    Gone = 1;
}

static NTSTATUS MakeProcess(PEPROCESS *Process)
{
    PS_SUBSYSTEM_PROCESS_ATTRIBUTES Attributes = {.Kind = PS_PROCESS_EMPTY};
    return Kernel.CreateProcess(Provider, &Attributes, Process);
}

/* While there is a process: without waiting nothing changes; who waits closes the provider at once, and
   returns when the process has gone. */
static PCSTR TestRemove(VOID)
{
    PEPROCESS Process, Other;
    KTEST_CHECK(Register(&Table, PS_SUBSYSTEM_VERSION, sizeof(Kernel)) == STATUS_SUCCESS);
    KTEST_CHECK(MakeProcess(&Process) == STATUS_SUCCESS);
    KTEST_CHECK(PsUnregisterSubsystemProvider(Provider, FALSE) == STATUS_DEVICE_BUSY);
    KTEST_CHECK(MakeProcess(&Other) == STATUS_SUCCESS);
    Kernel.TerminateProcess(Other, 0);
    ObDereferenceObject(Other);
    Gone = 0;
    PETHREAD Waiter = KtestStart(UnregistersAndWaits, NULL);
    KTEST_CHECK(Waiter != NULL);
    KtestSleep(50); /* it waits by then: nothing else is ready on this processor */
    LONG Early = Gone;
    NTSTATUS Refused = MakeProcess(&Other);
    if (NT_SUCCESS(Refused)) {
        Kernel.TerminateProcess(Other, 0);
        ObDereferenceObject(Other);
    }
    Kernel.TerminateProcess(Process, 0);
    ObDereferenceObject(Process);
    KtestJoin(Waiter);
    KTEST_CHECK(Early == 0 && Gone == 1 && GoneWith == STATUS_SUCCESS);
    KTEST_CHECK(Refused == STATUS_DELETE_PENDING);
    return NULL;
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    UNREFERENCED_PARAMETER(DriverObject);
    UNREFERENCED_PARAMETER(RegistryPath);
    KtestRun("provider.tables", TestTables);
    KtestRun("provider.remove", TestRemove);
    return STATUS_SUCCESS;
}
