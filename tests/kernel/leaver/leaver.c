/* SPDX-License-Identifier: MIT */
/*
 * A module that leaves something behind when it is unloaded (by the module left): what the kernel option
 * leaver.kind=NAME says, or nothing (leaver.kind=ok). Everything else is set up as well, and undone.
 */
#include "../ktest.h"
#include <subsystem.h>

static PKINTERRUPT Interrupt;
static PCALLBACK_OBJECT CallbackObject;
static PVOID Registration, Filter;
static KTIMER Timer;
static struct {
    KTIMER Timer;
    KDPC Dpc;
} *Pooled; /* nothing of it lies in the module but the DPC's routine */
static char Kind[32];

static BOOLEAN Service(PKINTERRUPT Object, PVOID Context)
{
    return FALSE;
}

/* Line 3 belongs to nobody here: no interrupt comes. */
static NTSTATUS SetInterrupt(VOID)
{
    KIRQL Irql;
    KAFFINITY Processors;
    ULONG Vector = HalGetInterruptVector(Isa, 0, 3, 3, &Irql, &Processors);
    return IoConnectInterrupt(&Interrupt, Service, NULL, NULL, Vector, Irql, Irql, Latched, FALSE, Processors, FALSE);
}

static VOID UndoInterrupt(VOID)
{
    IoDisconnectInterrupt(Interrupt);
}

static VOID Notified(PVOID Context, PVOID Argument1, PVOID Argument2)
{
}

static NTSTATUS SetCallback(VOID)
{
    UNICODE_STRING Name;
    OBJECT_ATTRIBUTES Attributes;
    RtlInitUnicodeString(&Name, L"\\Callback\\PowerState");
    InitializeObjectAttributes(&Attributes, &Name, OBJ_CASE_INSENSITIVE, NULL, NULL);
    NTSTATUS Status = ExCreateCallback(&CallbackObject, &Attributes, FALSE, TRUE);
    if (NT_SUCCESS(Status)) {
        Registration = ExRegisterCallback(CallbackObject, Notified, NULL);
    }
    return NT_SUCCESS(Status) && Registration == NULL ? STATUS_INSUFFICIENT_RESOURCES : Status;
}

static VOID UndoCallback(VOID)
{
    ExUnregisterCallback(Registration);
    ObDereferenceObject(CallbackObject);
}

static VOID AfterHandle(PVOID Context, POB_POST_OPERATION_INFORMATION Information)
{
}

static NTSTATUS SetFilter(VOID)
{
    OB_OPERATION_REGISTRATION Operation = {PsProcessType, OB_OPERATION_HANDLE_CREATE, NULL, AfterHandle};
    OB_CALLBACK_REGISTRATION All = {OB_FLT_REGISTRATION_VERSION, 1, .OperationRegistration = &Operation};
    RtlInitUnicodeString(&All.Altitude, L"321.5");
    return ObRegisterCallbacks(&All, &Filter);
}

static VOID UndoFilter(VOID)
{
    ObUnRegisterCallbacks(Filter);
}

static NTSTATUS SetTimer(VOID)
{
    KeInitializeTimer(&Timer);
    KeSetTimer(&Timer, KtestMs(3600000), NULL);
    return STATUS_SUCCESS;
}

static VOID UndoTimer(VOID)
{
    KeCancelTimer(&Timer);
}

static VOID Expired(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
}

static NTSTATUS SetPeriodic(VOID)
{
    Pooled = ExAllocatePool2(POOL_FLAG_NON_PAGED, sizeof(*Pooled), 'vaeL');
    if (Pooled == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    KeInitializeTimerEx(&Pooled->Timer, SynchronizationTimer);
    KeInitializeDpc(&Pooled->Dpc, Expired, NULL);
    KeSetTimerEx(&Pooled->Timer, KtestMs(1), 1, &Pooled->Dpc);
    return STATUS_SUCCESS;
}

static VOID UndoPeriodic(VOID)
{
    KeCancelTimer(&Pooled->Timer);
    KeFlushQueuedDpcs();
    ExFreePoolWithTag(Pooled, 'vaeL');
}

/* ---- A section whose last reference goes late ---- */

static PS_SUBSYSTEM_ROUTINES Kernel = {.Version = PS_SUBSYSTEM_VERSION, .Size = sizeof(Kernel)};
static PPS_PROVIDER Provider;
static PEPROCESS Process;

static VOID SystemCall(PKTRAP_FRAME Frame)
{
}

static BOOLEAN Exception(PEXCEPTION_RECORD Record, PKTRAP_FRAME Frame)
{
    return FALSE;
}

static VOID ThreadExit(PETHREAD Thread, PVOID Context)
{
}

static VOID ProcessExit(PEPROCESS Ended, PVOID Context)
{
}

static const PS_SUBSYSTEM_PROVIDER Table = {
    .Version = PS_SUBSYSTEM_VERSION,
    .Size = sizeof(PS_SUBSYSTEM_PROVIDER),
    .Name = "leaver",
    .SubsystemInformationType = SubsystemInformationTypeWSL,
    .DispatchSystemCall = SystemCall,
    .DispatchException = Exception,
    .ThreadExit = ThreadExit,
    .ProcessExit = ProcessExit,
};

static VOID Gone(PVOID Block)
{
    ExFreePoolWithTag(Block, 'vaeL');
}

static NTSTATUS MapAndRetire(PVOID Block)
{
    ULONG_PTR Base = 0x10000;
    PMM_SECTION_HANDLE Section;
    NTSTATUS Status = Kernel.CreateSection(PAGE_SIZE, &Section);
    if (NT_SUCCESS(Status)) {
        Status = Kernel.MapRegion(Process, &Base, PAGE_SIZE, PS_MAP_FIXED, PS_MEMORY_READ, Section, 0, 0, NULL);
        Kernel.RetireSection(Section, Gone, Block);
    }
    return Status;
}

/* The module left attaches to the process before it ends it and unloads this module: Gone is called after
   Unload. */
static NTSTATUS SetSection(VOID)
{
    static const UNICODE_STRING Name = RTL_CONSTANT_STRING(L"leaver"); /* by which the module left finds it */
    PS_SUBSYSTEM_PROCESS_ATTRIBUTES Attributes = {.Kind = PS_PROCESS_EMPTY, .ImageFileName = &Name};
    PVOID Block = ExAllocatePool2(POOL_FLAG_NON_PAGED, 16, 'vaeL');
    NTSTATUS Status = PsRegisterSubsystemProvider(&Table, &Kernel, &Provider);
    if (NT_SUCCESS(Status)) {
        Status = Kernel.CreateProcess(Provider, &Attributes, &Process);
    }
    return NT_SUCCESS(Status) && Block != NULL ? MapAndRetire(Block) : STATUS_UNSUCCESSFUL;
}

static VOID UndoSection(VOID)
{
    ObDereferenceObject(Process);
    PsUnregisterSubsystemProvider(Provider, TRUE);
}

static KBUGCHECK_CALLBACK_RECORD Record;

static VOID OnBugCheck(PVOID Buffer, ULONG Length)
{
}

static NTSTATUS SetRecord(VOID)
{
    KeInitializeCallbackRecord(&Record);
    return KeRegisterBugCheckCallback(&Record, OnBugCheck, NULL, 0, NULL) ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL;
}

static VOID UndoRecord(VOID)
{
    KeDeregisterBugCheckCallback(&Record);
}

/* Pool, of two tags, small and large, by two routines: no reason to stop, but it is told. */
static PVOID Blocks[4];

static NTSTATUS SetPool(VOID)
{
    Blocks[0] = ExAllocatePoolWithTag(NonPagedPoolNx, 100, 'tfeL');
    Blocks[1] = ExAllocatePool2(POOL_FLAG_NON_PAGED, 20, 'tfeL');
    Blocks[2] = ExAllocatePool2(POOL_FLAG_NON_PAGED, 5000, 'tfeL');
    Blocks[3] = ExAllocatePoolZero(NonPagedPoolNx, 7, 'rehO');
    return Blocks[0] != NULL && Blocks[1] != NULL && Blocks[2] != NULL && Blocks[3] != NULL ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL;
}

static VOID UndoPool(VOID)
{
    for (ULONG i = 0; i < ARRAYSIZE(Blocks); i++) {
        ExFreePool(Blocks[i]);
    }
}

static const struct {
    PCSTR Name;
    NTSTATUS (*Set)(VOID);
    VOID (*Undo)(VOID);
} Kinds[] = {
    {"interrupt", SetInterrupt, UndoInterrupt}, {"callback", SetCallback, UndoCallback}, {"filter", SetFilter, UndoFilter},
    {"timer", SetTimer, UndoTimer}, {"periodic", SetPeriodic, UndoPeriodic}, {"section", SetSection, UndoSection},
    {"record", SetRecord, UndoRecord}, {"pool", SetPool, UndoPool},
};

static DRIVER_UNLOAD Unload;

static VOID Unload(PDRIVER_OBJECT DriverObject)
{
    for (ULONG i = 0; i < ARRAYSIZE(Kinds); i++) {
        if (strcmp(Kind, Kinds[i].Name) != 0) {
            Kinds[i].Undo();
        }
    }
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    DriverObject->DriverUnload = Unload;
    if (!ExQueryKernelOption("leaver.kind", Kind, sizeof(Kind))) {
        DbgPrint("@fail leaver: no leaver.kind option\n");
    }
    for (ULONG i = 0; i < ARRAYSIZE(Kinds); i++) {
        NTSTATUS Status = Kinds[i].Set();
        DbgPrint("@%s leaver.set-%s\n", NT_SUCCESS(Status) ? "pass" : "fail", Kinds[i].Name);
    }
    return STATUS_SUCCESS;
}
