/* SPDX-License-Identifier: MIT */
/*
 * Subsystem providers: registration, the calls into them, exceptions and the way back to user mode. What they
 * may call stands in providerproc.c.
 *
 * A provider counts its users: one for each process, from before anything of the process is made until its
 * ProcessExit has returned (every ThreadExit has returned before that), and one for each StartProgram.
 * Unregistration closes it, so that nobody gets in any more, and waits until all users have left. The unload
 * of its module closes it before DriverUnload is called, and opens it again when the wait is broken off:
 * unlike DriverUnload, that can be undone.
 *
 * Locks: PspProviderLock, a spin lock, guards the list and the counts.
 */
#include "ps/psp.h"

static KLOCK PspProviderLock = {
#if DBG
    .Class = KlcProvider,
#endif
};
static LIST_ENTRY PspProviderHead = {&PspProviderHead, &PspProviderHead}; /* PspProviderLock */

/* ---- References ---- */

BOOLEAN PspReferenceProvider(PPS_PROVIDER Provider)
{
    KIRQL Irql = KeAcquireLock(&PspProviderLock);
    BOOLEAN Open = !Provider->Closed;
    Provider->Users += Open;
    KeReleaseLock(&PspProviderLock, Irql);
    return Open;
}

/* Whoever waits for the last user takes the lock before the provider is freed: its release is the last
   touch. */
void PspDereferenceProvider(PPS_PROVIDER Provider)
{
    KIRQL Irql = KeAcquireLock(&PspProviderLock);
    if (--Provider->Users == 0 && Provider->Closed) {
        KeSetEvent(&Provider->Idle, IO_NO_INCREMENT, FALSE);
    }
    KeReleaseLock(&PspProviderLock, Irql);
}

/* PspProviderLock held. */
static void PspCloseProvider(PPS_PROVIDER Provider)
{
    Provider->Closed = TRUE;
    if (Provider->Users == 0) {
        KeSetEvent(&Provider->Idle, IO_NO_INCREMENT, FALSE);
    }
}

/* Registration, or a wait for its users, is over. */
static void PspReleaseProvider(PPS_PROVIDER Provider)
{
    KIRQL Irql = KeAcquireLock(&PspProviderLock);
    bool Last = --Provider->Holders == 0;
    KeReleaseLock(&PspProviderLock, Irql);
    if (Last) {
        ExFreePoolWithTag(Provider, PSP_TAG);
    }
}

/* PspProviderLock held. */
static PPS_PROVIDER PspLookupProvider(const char *Name)
{
    for (PLIST_ENTRY Entry = PspProviderHead.Flink; Entry != &PspProviderHead; Entry = Entry->Flink) {
        PPS_PROVIDER Provider = CONTAINING_RECORD(Entry, struct _PS_PROVIDER, Links);
        if (strcmp(Provider->Name, Name) == 0) {
            return Provider;
        }
    }
    return NULL;
}

PPS_PROVIDER PspFindProvider(const char *Name)
{
    KIRQL Irql = KeAcquireLock(&PspProviderLock);
    PPS_PROVIDER Provider = PspLookupProvider(Name);
    if (Provider != NULL && Provider->Closed) {
        Provider = NULL;
    } else if (Provider != NULL) {
        Provider->Users++;
    }
    KeReleaseLock(&PspProviderLock, Irql);
    return Provider;
}

/* ---- Registration ---- */

/* In this order: nothing but Version and Size of a table is read before they are known to fit. */
static NTSTATUS PspCheckTables(const PS_SUBSYSTEM_PROVIDER *Table, const PS_SUBSYSTEM_ROUTINES *Routines)
{
    if (Table->Version != PS_SUBSYSTEM_VERSION) {
        return STATUS_REVISION_MISMATCH;
    }
    if (Table->Size != sizeof(*Table)) {
        return STATUS_INFO_LENGTH_MISMATCH;
    }
    if (Routines->Version != PS_SUBSYSTEM_VERSION) {
        return STATUS_REVISION_MISMATCH;
    }
    if (Routines->Size != sizeof(*Routines)) {
        return STATUS_INFO_LENGTH_MISMATCH;
    }
    if (Table->Name == NULL || Table->Name[0] == '\0' ||
        strnlen(Table->Name, sizeof(((PPS_PROVIDER)0)->Name)) == sizeof(((PPS_PROVIDER)0)->Name) ||
        (ULONG)Table->SubsystemInformationType >= MaxSubsystemInformationType ||
        Table->DispatchSystemCall == NULL || Table->DispatchException == NULL || Table->ThreadExit == NULL ||
        Table->ProcessExit == NULL) {
        return STATUS_INVALID_PARAMETER;
    }
    return STATUS_SUCCESS;
}

/* Where the provider's code lies: by it the kernel tells who calls. */
static void PspFindProviderCode(PPS_PROVIDER Provider)
{
    PEX_MODULE Module = ExHandlers.ReferenceModule((PVOID)Provider->Table.DispatchSystemCall);
    Provider->CodeSize = MAXULONG_PTR;
    if (Module != NULL) {
        Provider->CodeStart = (ULONG_PTR)Module->Base;
        Provider->CodeSize = Module->Size;
        ExReleaseRundownProtection(&Module->Rundown);
    }
}

/*
 * Registers a handler module. Checked in this order: Version, then Size, of Provider; the same of Routines
 * (STATUS_REVISION_MISMATCH, STATUS_INFO_LENGTH_MISMATCH); name and required routines
 * (STATUS_INVALID_PARAMETER); the name (STATUS_OBJECT_NAME_COLLISION). STATUS_INSUFFICIENT_RESOURCES.
 * Provider's table is copied, Routines is filled in. Any number of providers, at any time. PASSIVE.
 */
NTSTATUS PsRegisterSubsystemProvider(const PS_SUBSYSTEM_PROVIDER *Provider, PPS_SUBSYSTEM_ROUTINES Routines,
                                     PPS_PROVIDER *Handle)
{
    NTSTATUS Status = PspCheckTables(Provider, Routines);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    PPS_PROVIDER New = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(*New), PSP_TAG);
    if (New == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    RtlZeroMemory(New, sizeof(*New));
    New->Table = *Provider;
    strncpy(New->Name, Provider->Name, sizeof(New->Name) - 1);
    New->Holders = 1;
    KeInitializeEvent(&New->Idle, NotificationEvent, FALSE);
    PspFindProviderCode(New);
    *Routines = PspSubsystemRoutines; /* before a process can be made through it */
    *Handle = New;

    KIRQL Irql = KeAcquireLock(&PspProviderLock);
    bool Taken = PspLookupProvider(New->Name) != NULL;
    if (!Taken) {
        InsertTailList(&PspProviderHead, &New->Links);
    }
    KeReleaseLock(&PspProviderLock, Irql);
    if (Taken) {
        *Handle = NULL;
        ExFreePoolWithTag(New, PSP_TAG);
        return STATUS_OBJECT_NAME_COLLISION;
    }
    return STATUS_SUCCESS;
}
EXPORT(PsRegisterSubsystemProvider);

/* The current thread is in one of the provider's routines: it is in a system call of it, or in one of the
   others. */
static bool PspIsInsideProvider(PPS_PROVIDER Provider)
{
    for (PSP_PROVIDER_CALL *Call = PspCurrentThread()->ProviderCalls; Call != NULL; Call = Call->Outer) {
        if (Call->Provider == Provider) {
            return true;
        }
    }
    return PspHomeProcess()->Provider == Provider;
}

static bool PspIsRegistered(PPS_PROVIDER Provider)
{
    for (PLIST_ENTRY Entry = PspProviderHead.Flink; Entry != &PspProviderHead; Entry = Entry->Flink) {
        if (Entry == &Provider->Links) {
            return true;
        }
    }
    return false;
}

/* Takes the provider off the list, so that nobody finds it any more; with Wait FALSE only if it has no user.
   (lock held) */
static NTSTATUS PspRemoveProvider(PPS_PROVIDER Provider, BOOLEAN Wait)
{
    if (!PspIsRegistered(Provider)) {
        return STATUS_INVALID_HANDLE;
    }
    if (!Wait && Provider->Users != 0) {
        return STATUS_DEVICE_BUSY;
    }
    PspCloseProvider(Provider);
    RemoveEntryList(&Provider->Links);
    return STATUS_SUCCESS;
}

/*
 * Takes a registration back. New processes are refused at once. Wait FALSE: STATUS_DEVICE_BUSY, and nothing
 * has changed, while a process or a start of one holds the provider. Wait TRUE: returns when the last has
 * gone. STATUS_INVALID_DEVICE_STATE from inside one of the provider's own routines; STATUS_INVALID_HANDLE
 * when it is not registered (any more). PASSIVE.
 */
NTSTATUS PsUnregisterSubsystemProvider(PPS_PROVIDER Handle, BOOLEAN Wait)
{
    if (PspIsInsideProvider(Handle)) {
        return STATUS_INVALID_DEVICE_STATE;
    }
    KIRQL Irql = KeAcquireLock(&PspProviderLock);
    NTSTATUS Status = PspRemoveProvider(Handle, Wait);
    KeReleaseLock(&PspProviderLock, Irql);
    if (Status != STATUS_SUCCESS) {
        return Status;
    }
    KeWaitForSingleObject(&Handle->Idle, WrRundown, KernelMode, FALSE, NULL);
    PspReleaseProvider(Handle);
    return STATUS_SUCCESS;
}
EXPORT(PsUnregisterSubsystemProvider);

/* ---- The unload of a module ---- */

/* Closes the module's providers, up to the first that has users: that one, held, or NULL. */
static PPS_PROVIDER PspCloseProvidersOf(const EX_MODULE *Module)
{
    PPS_PROVIDER Busy = NULL;
    KIRQL Irql = KeAcquireLock(&PspProviderLock);
    for (PLIST_ENTRY Entry = PspProviderHead.Flink; Entry != &PspProviderHead && Busy == NULL; Entry = Entry->Flink) {
        PPS_PROVIDER Provider = CONTAINING_RECORD(Entry, struct _PS_PROVIDER, Links);
        if (Provider->CodeStart == (ULONG_PTR)Module->Base) {
            PspCloseProvider(Provider);
            Busy = Provider->Users != 0 ? Provider : NULL;
        }
    }
    if (Busy != NULL) {
        Busy->Holders++;
    }
    KeReleaseLock(&PspProviderLock, Irql);
    return Busy;
}

void PsReopenProviders(const EX_MODULE *Module)
{
    KIRQL Irql = KeAcquireLock(&PspProviderLock);
    for (PLIST_ENTRY Entry = PspProviderHead.Flink; Entry != &PspProviderHead; Entry = Entry->Flink) {
        PPS_PROVIDER Provider = CONTAINING_RECORD(Entry, struct _PS_PROVIDER, Links);
        if (Provider->CodeStart == (ULONG_PTR)Module->Base) {
            Provider->Closed = FALSE;
            KeClearEvent(&Provider->Idle);
        }
    }
    KeReleaseLock(&PspProviderLock, Irql);
}

NTSTATUS PsCloseProviders(const EX_MODULE *Module, KPROCESSOR_MODE Mode)
{
    NTSTATUS Status = STATUS_SUCCESS;
    PPS_PROVIDER Busy;
    while (Status == STATUS_SUCCESS && (Busy = PspCloseProvidersOf(Module)) != NULL) {
        Status = KeWaitForSingleObject(&Busy->Idle, WrRundown, Mode, Mode == UserMode, NULL);
        PspReleaseProvider(Busy);
    }
    return Status == STATUS_SUCCESS ? Status : STATUS_CANCELLED;
}

bool PspFindLeftProvider(const EX_MODULE *Module, PEX_LEFTOVER Left)
{
    bool Found = false;
    KIRQL Irql = KeAcquireLock(&PspProviderLock);
    for (PLIST_ENTRY Entry = PspProviderHead.Flink; Entry != &PspProviderHead; Entry = Entry->Flink) {
        PPS_PROVIDER Provider = CONTAINING_RECORD(Entry, struct _PS_PROVIDER, Links);
        if (Provider->CodeStart == (ULONG_PTR)Module->Base) {
            RtlPrint(Left->What, sizeof(Left->What), "a subsystem provider");
            Left->Routine = (PVOID)Provider->Table.DispatchSystemCall;
            Found = true;
        }
    }
    KeReleaseLock(&PspProviderLock, Irql);
    return Found;
}

SIZE_T PsProviderNames(char *Buffer, SIZE_T Size)
{
    SIZE_T Used = 0;
    KIRQL Irql = KeAcquireLock(&PspProviderLock);
    for (PLIST_ENTRY Entry = PspProviderHead.Flink; Entry != &PspProviderHead; Entry = Entry->Flink) {
        PPS_PROVIDER Provider = CONTAINING_RECORD(Entry, struct _PS_PROVIDER, Links);
        SIZE_T Length = strlen(Provider->Name) + 1;
        if (Used + Length <= Size) {
            memcpy(Buffer + Used, Provider->Name, Length);
        }
        Used += Length;
    }
    KeReleaseLock(&PspProviderLock, Irql);
    return Used;
}

const char *PspProviderName(PKTHREAD Thread)
{
    return CONTAINING_RECORD(Thread->Process, EPROCESS, Pcb)->SubsystemName;
}

/* ---- Calls into a provider ---- */

#if DBG
/* Spin locks are recorded with the processor: the thread stays on it while they are counted. PASSIVE. */
static ULONG PspLocksHeld(void)
{
    KIRQL Irql = KiRaiseToDispatch();
    ULONG Held = KiLocksHeld() + KiBlockingLocksHeld(ArchCurrentThread());
    KiLower(Irql);
    return Held;
}
#else
static ULONG PspLocksHeld(void)
{
    return 0; /* release builds keep no record */
}
#endif

/* What a provider owes at the return of each of its routines: all is as it was at the call. (Its own locks
   may be held there, around a request that leads to the call.) */
static void PspCheckReturn(const PSP_PROVIDER_CALL *Call, const char *Routine)
{
    PETHREAD Thread = PspCurrentThread();
    KIRQL Irql = ArchGetIrql();
    ULONG Locks = Irql == PASSIVE_LEVEL ? PspLocksHeld() : Call->Locks;
    if (Irql != PASSIVE_LEVEL || Thread->Tcb.ApcDisable != Call->ApcDisable || Locks != Call->Locks) {
        KdBugCheck(PROVIDER_CONTRACT_VIOLATION, (ULONG64)Call->Provider, Irql, Thread->Tcb.ApcDisable, Locks,
                   NULL,
                   "provider '%s' returned from %s at level %d, APC disable %x (%x), %u locks held (%u)",
                   Call->Provider->Name, Routine, Irql, Thread->Tcb.ApcDisable, Call->ApcDisable, Locks,
                   Call->Locks);
    }
}

/*
 * The entry code calls DispatchSystemCall itself, and tests level and APCs when it returns
 * (KiProviderViolation). Debug builds look for locks on the way: a push lock that was taken outside of a
 * critical region shows in neither.
 */
#if DBG
static VOID PspCheckedSystemCall(PKTRAP_FRAME Frame)
{
    PSP_PROVIDER_CALL Call = {.Provider = PspHomeProcess()->Provider};
    Call.Provider->Table.DispatchSystemCall(Frame);
    KiCheckOwnedMutexes();
    PspCheckReturn(&Call, "DispatchSystemCall");
}
#endif

void PspBindThread(PETHREAD Thread)
{
    Thread->Tcb.SystemCall = PsThreadProcess(Thread)->Provider->Table.DispatchSystemCall;
#if DBG
    Thread->Tcb.SystemCall = PspCheckedSystemCall;
#endif
}

void PspEnterProvider(PSP_PROVIDER_CALL *Call, PPS_PROVIDER Provider)
{
    PETHREAD Thread = PspCurrentThread();
    Call->Provider = Provider;
    Call->ApcDisable = Thread->Tcb.ApcDisable;
    Call->Locks = PspLocksHeld();
    Call->PreviousMode = Thread->Tcb.PreviousMode;
    Thread->Tcb.PreviousMode = KernelMode;
    Call->Outer = Thread->ProviderCalls;
    Thread->ProviderCalls = Call;
}

void PspLeaveProvider(PSP_PROVIDER_CALL *Call, const char *Routine)
{
    PETHREAD Thread = PspCurrentThread();
    PspCheckReturn(Call, Routine);
    Thread->ProviderCalls = Call->Outer;
    Thread->Tcb.PreviousMode = Call->PreviousMode;
}

/* ---- Exceptions ---- */

bool PsProviderHandlesException(PEXCEPTION_RECORD Record, PKTRAP_FRAME Frame)
{
    PPS_PROVIDER Provider = PspHomeProcess()->Provider;
    PSP_PROVIDER_CALL Call;
    if (Provider == NULL) {
        return false;
    }
    PspEnterProvider(&Call, Provider);
    bool Handled = Provider->Table.DispatchException(Record, Frame);
    PspLeaveProvider(&Call, "DispatchException");
    ArchSanitizeUserFrame(Frame); /* what the handler may have made of it */
    return Handled;
}

void PsUnhandledException(PEXCEPTION_RECORD Record)
{
    PETHREAD Thread = PspCurrentThread();
    PEPROCESS Process = PsThreadProcess(Thread);

    KeLockShared(&PsImageLock);
    DbgPrint("process %lu (%wZ) thread %lu: unhandled exception %08x at %p, address %p; the process ends\n",
             HandleToULong(Thread->Cid.UniqueProcess), &Process->ImageFileName,
             HandleToULong(Thread->Cid.UniqueThread), Record->ExceptionCode, Record->ExceptionAddress,
             Record->NumberParameters > 1 ? (PVOID)Record->ExceptionInformation[1] : NULL);
    KeUnlockShared(&PsImageLock);
    PspTerminateProcess(Process, Record->ExceptionCode);
    PsTerminateThread(Thread, Record->ExceptionCode); /* also where another terminator was first */
}

/* ---- The way back to user mode ---- */

static void PspReturnToUser(PETHREAD Thread, PKTRAP_FRAME Frame)
{
    PSP_PROVIDER_CALL Call;
    PPS_PROVIDER Provider = PsThreadProcess(Thread)->Provider;

    /* Cleared first: a request that comes during the call leads to another one. */
    __atomic_and_fetch(&Thread->Tcb.UserWork, ~(ULONG)KUSER_WORK_PROVIDER, __ATOMIC_ACQ_REL);
    if (Provider == NULL || Provider->Table.ReturnToUser == NULL) {
        return;
    }
    PspEnterProvider(&Call, Provider);
    Provider->Table.ReturnToUser(Frame);
    PspLeaveProvider(&Call, "ReturnToUser");
    ArchSanitizeUserFrame(Frame);
}

void PspUserWork(PKTRAP_FRAME Frame)
{
    PETHREAD Thread = PspCurrentThread();
    ULONG Work = __atomic_load_n(&Thread->Tcb.UserWork, __ATOMIC_ACQUIRE);
    if (Work & KUSER_WORK_TERMINATE) {
        PspExitThread(Thread->TerminateStatus);
    }
    if (Work & KUSER_WORK_PROVIDER) {
        PspReturnToUser(Thread, Frame);
    }
}

/* ---- Programs for native callers (kernel/services/program.c) ---- */

NTSTATUS PsStartProgram(const char *Name, PPS_PROGRAM Program, PEPROCESS *Process)
{
    PSP_PROVIDER_CALL Call;
    NTSTATUS Status = STATUS_NOT_SUPPORTED;
    PPS_PROVIDER Provider = PspFindProvider(Name);
    if (Provider == NULL) {
        return STATUS_NOT_FOUND;
    }
    if (Provider->Table.StartProgram != NULL) {
        PspEnterProvider(&Call, Provider);
        Status = Provider->Table.StartProgram(Program, Process);
        PspLeaveProvider(&Call, "StartProgram");
    }
    PspDereferenceProvider(Provider);
    return Status;
}
