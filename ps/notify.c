/* SPDX-License-Identifier: MIT */
/*
 * Notify callbacks: of processes, threads and images. Three tables of 64 slots.
 *
 * Calling takes no lock. A slot's State word is its run-down: OPEN or CLOSED, and the number of calls in
 * progress. A caller enters a slot by adding one while it is OPEN, and only then reads the routine, which
 * does not change while anybody is inside.
 *
 *   State            becomes            by                                          under
 *   0 (free)         OPEN               registration, after Routine and Kind        the table's Lock
 *   OPEN | n         OPEN | n +- 1      a call that begins or ends                  (none)
 *   OPEN | n         CLOSED | n - own   removal; own: calls that the remover is in  the table's Lock
 *   CLOSED | n       CLOSED | n - 1     a call that ends                            (none)
 *   CLOSED | 0       0 (free)           whoever made it so: remover or last call    (none)
 *
 * Removal waits until no call but the remover's own is in progress, unless the remover is inside a call of
 * another routine: two routines that remove each other would wait for ever. Then it is deferred: the slot is
 * closed, nobody calls it any more, and the last call in progress frees it. The code of a call in progress
 * stays: each call holds the run-down of the routine's module.
 *
 * A removal from inside a call of the same routine takes the caller's own calls out of the count; their
 * records (PSP_NOTIFY_CALL, on the stack, linked from the thread) forget the slot, which may belong to
 * another routine afterwards.
 */
#include "ps/psp.h"

#define PSP_NOTIFY_SLOTS 64

#define PSP_SLOT_OPEN   0x100000000ULL
#define PSP_SLOT_CLOSED 0x200000000ULL
#define PSP_SLOT_CALLS  0x0ffffffffULL

typedef enum _PSP_NOTIFY_KIND {
    PspProcessPlain,
    PspProcessEx,
    PspProcessEx2,
    PspThreadPlain,
    PspThreadNonSystem,
    PspThreadSubsystems,
    PspImage,
} PSP_NOTIFY_KIND;

typedef struct _PSP_NOTIFY_SLOT {
    volatile ULONG64 State; /* (a) */
    PVOID Routine;          /* constant unless free */
    PSP_NOTIFY_KIND Kind;   /* likewise */
    PKEVENT Drained;        /* the waiting remover's; set before CLOSED, read by who frees the slot */
} PSP_NOTIFY_SLOT;

typedef struct _PSP_NOTIFY_TABLE {
    const char *What;          /* (c) a routine of it, to who unloads the routine's module */
    NTSTATUS Full;             /* (c) what registration answers when no slot is left */
    bool Once;                 /* (c) a routine may be registered once a kind, else any number of times */
    EX_PUSH_LOCK Lock;         /* registration and removal, not calls */
    volatile ULONG64 Occupied; /* (a) a bit for each slot that is not free: what a walk looks at */
    PSP_NOTIFY_SLOT Slot[PSP_NOTIFY_SLOTS];
} PSP_NOTIFY_TABLE;

struct _PSP_NOTIFY_CALL {
    PSP_NOTIFY_CALL *Outer;
    PSP_NOTIFY_TABLE *Table;
    PSP_NOTIFY_SLOT *Slot; /* NULL: the routine was removed from inside this call */
    PVOID Routine;
    PEX_MODULE Module; /* its run-down is held; NULL: the kernel's own */
};

/* A push lock of zeros is free. */
static PSP_NOTIFY_TABLE PspProcessTable = {"a process notify routine", STATUS_INVALID_PARAMETER,
                                           .Once = true};
static PSP_NOTIFY_TABLE PspThreadTable = {"a thread notify routine", STATUS_INSUFFICIENT_RESOURCES};
static PSP_NOTIFY_TABLE PspImageTable = {"an image notify routine", STATUS_INSUFFICIENT_RESOURCES};

/* ---- Slots ---- */

/* State has become CLOSED without a call: it is the caller's alone. */
static void PspFreeSlot(PSP_NOTIFY_TABLE *Table, PSP_NOTIFY_SLOT *Slot)
{
    PKEVENT Drained = Slot->Drained;
    Slot->Drained = NULL;
    /* In this order: a registration that finds the slot free sets the bit again. */
    __atomic_fetch_and(&Table->Occupied, ~(1ULL << (Slot - Table->Slot)), __ATOMIC_RELAXED);
    __atomic_store_n(&Slot->State, 0, __ATOMIC_RELEASE);
    if (Drained != NULL) {
        KeSetEvent(Drained, IO_NO_INCREMENT, FALSE);
    }
}

static bool PspEnterSlot(PSP_NOTIFY_SLOT *Slot)
{
    ULONG64 State = __atomic_load_n(&Slot->State, __ATOMIC_RELAXED);
    while (State & PSP_SLOT_OPEN) {
        if (__atomic_compare_exchange_n(&Slot->State, &State, State + 1, false, __ATOMIC_ACQUIRE,
                                        __ATOMIC_RELAXED)) {
            return true;
        }
    }
    return false;
}

static void PspLeaveSlot(PSP_NOTIFY_TABLE *Table, PSP_NOTIFY_SLOT *Slot)
{
    if (__atomic_sub_fetch(&Slot->State, 1, __ATOMIC_ACQ_REL) == PSP_SLOT_CLOSED) {
        PspFreeSlot(Table, Slot);
    }
}

/* ---- Calls ---- */

/* Calls Routine, if its Kind is to hear of what Context describes. */
typedef void PSP_NOTIFY_INVOKE(PVOID Routine, PSP_NOTIFY_KIND Kind, PVOID Context);

/* Enters the slot and holds the routine's module. FALSE: nothing to call there. */
static bool PspBeginCall(PSP_NOTIFY_CALL *Call, PSP_NOTIFY_TABLE *Table, PSP_NOTIFY_SLOT *Slot)
{
    if (!PspEnterSlot(Slot)) {
        return false;
    }
    if (Slot->Routine == NULL) { /* may be registered; there is nothing to call */
        PspLeaveSlot(Table, Slot);
        return false;
    }
    PETHREAD Thread = PspCurrentThread();
    Call->Table = Table;
    Call->Slot = Slot;
    Call->Routine = Slot->Routine;
    Call->Module = ExHandlers.ReferenceModule(Call->Routine);
    Call->Outer = Thread->NotifyCalls;
    Thread->NotifyCalls = Call;
    KeEnterCriticalRegion();
    KdTrace(CallbackBegin, 0, Call->Routine, 0);
    return true;
}

static void PspDropCall(PSP_NOTIFY_CALL *Call)
{
    if (Call->Slot != NULL) {
        PspLeaveSlot(Call->Table, Call->Slot);
    }
    if (Call->Module != NULL) {
        ExReleaseRundownProtection(&Call->Module->Rundown);
    }
}

static void PspEndCall(PSP_NOTIFY_CALL *Call)
{
    KdTrace(CallbackEnd, 0, Call->Routine, 0);
    KI_ASSERT(ArchGetIrql() == PASSIVE_LEVEL, "notify routine %p returned at level %d", Call->Routine,
              ArchGetIrql());
    KeLeaveCriticalRegion();
    PspCurrentThread()->NotifyCalls = Call->Outer;
    PspDropCall(Call);
}

void PspAbandonNotifyCalls(PETHREAD Thread)
{
    while (Thread->NotifyCalls != NULL) {
        PSP_NOTIFY_CALL *Call = Thread->NotifyCalls;
        Thread->NotifyCalls = Call->Outer;
        PspDropCall(Call);
    }
}

/* Calls all routines, by way of Invoke, in order of their slots: one that is registered meanwhile may be
   missed. */
static NOINLINE void PspCallOccupied(PSP_NOTIFY_TABLE *Table, PSP_NOTIFY_INVOKE *Invoke, PVOID Context)
{
    for (ULONG64 Left = Table->Occupied; Left != 0; Left &= Left - 1) {
        PSP_NOTIFY_SLOT *Slot = &Table->Slot[RtlLowestBit(Left)];
        PSP_NOTIFY_CALL Call;
        if (PspBeginCall(&Call, Table, Slot)) {
            Invoke(Call.Routine, Slot->Kind, Context);
            PspEndCall(&Call);
        }
    }
}

static inline void PspCallRoutines(PSP_NOTIFY_TABLE *Table, PSP_NOTIFY_INVOKE *Invoke, PVOID Context)
{
    if (Table->Occupied != 0) { /* usually there is none */
        PspCallOccupied(Table, Invoke, Context);
    }
}

/* ---- Registration ---- */

/* The lowest free slot, its Occupied bit set; the Lock is held. */
static PSP_NOTIFY_SLOT *PspTakeSlot(PSP_NOTIFY_TABLE *Table)
{
    for (ULONG i = 0; i < PSP_NOTIFY_SLOTS; i++) {
        if (__atomic_load_n(&Table->Slot[i].State, __ATOMIC_ACQUIRE) == 0) {
            __atomic_fetch_or(&Table->Occupied, 1ULL << i, __ATOMIC_RELAXED);
            return &Table->Slot[i];
        }
    }
    return NULL;
}

/* The Lock is held. */
static PSP_NOTIFY_SLOT *PspFindSlot(PSP_NOTIFY_TABLE *Table, PVOID Routine, PSP_NOTIFY_KIND First,
                                    PSP_NOTIFY_KIND Last)
{
    for (PSP_NOTIFY_SLOT *Slot = Table->Slot; Slot < Table->Slot + PSP_NOTIFY_SLOTS; Slot++) {
        if ((Slot->State & PSP_SLOT_OPEN) && Slot->Routine == Routine && Slot->Kind >= First &&
            Slot->Kind <= Last) {
            return Slot;
        }
    }
    return NULL;
}

static NTSTATUS PspRegister(PSP_NOTIFY_TABLE *Table, PVOID Routine, PSP_NOTIFY_KIND Kind)
{
    KeLockExclusive(&Table->Lock);
    bool There = Table->Once && PspFindSlot(Table, Routine, Kind, Kind) != NULL;
    PSP_NOTIFY_SLOT *Slot = There ? NULL : PspTakeSlot(Table);
    if (Slot != NULL) {
        Slot->Routine = Routine;
        Slot->Kind = Kind;
        __atomic_store_n(&Slot->State, PSP_SLOT_OPEN, __ATOMIC_RELEASE);
    }
    KeUnlockExclusive(&Table->Lock);
    return Slot != NULL ? STATUS_SUCCESS : Table->Full; /* the same for what is there already */
}

/* ---- Removal ---- */

/* What the current thread is inside of. */
typedef struct _PSP_NOTIFY_INSIDE {
    ULONG Own;    /* calls of this slot */
    bool Foreign; /* calls of other slots, or of removed ones */
} PSP_NOTIFY_INSIDE;

static PSP_NOTIFY_INSIDE PspForgetOwnCalls(PSP_NOTIFY_SLOT *Slot)
{
    PSP_NOTIFY_INSIDE Inside = {0, false};
    for (PSP_NOTIFY_CALL *Call = PspCurrentThread()->NotifyCalls; Call != NULL; Call = Call->Outer) {
        if (Call->Slot == Slot) {
            Inside.Own++;
            Call->Slot = NULL;
        } else {
            Inside.Foreign = true;
        }
    }
    return Inside;
}

/* OPEN | n -> CLOSED | n - own. Returns whether calls are left. The Lock is held: nobody else closes it. */
static bool PspCloseSlot(PSP_NOTIFY_SLOT *Slot, ULONG Own)
{
    ULONG64 State = __atomic_load_n(&Slot->State, __ATOMIC_RELAXED), Closed;
    do {
        Closed = PSP_SLOT_CLOSED | ((State & PSP_SLOT_CALLS) - Own);
    } while (!__atomic_compare_exchange_n(&Slot->State, &State, Closed, false, __ATOMIC_ACQ_REL,
                                          __ATOMIC_RELAXED));
    return Closed != PSP_SLOT_CLOSED;
}

static NTSTATUS PspRemove(PSP_NOTIFY_TABLE *Table, PVOID Routine, PSP_NOTIFY_KIND First, PSP_NOTIFY_KIND Last)
{
    KEVENT Drained;

    KeLockExclusive(&Table->Lock);
    PSP_NOTIFY_SLOT *Slot = PspFindSlot(Table, Routine, First, Last);
    if (Slot == NULL) {
        KeUnlockExclusive(&Table->Lock);
        return STATUS_PROCEDURE_NOT_FOUND;
    }
    PSP_NOTIFY_INSIDE Inside = PspForgetOwnCalls(Slot);
    KeInitializeEvent(&Drained, NotificationEvent, FALSE);
    Slot->Drained = Inside.Foreign ? NULL : &Drained;
    bool InProgress = PspCloseSlot(Slot, Inside.Own);
    if (!InProgress) {
        Slot->Drained = NULL;
        PspFreeSlot(Table, Slot);
    }
    KeUnlockExclusive(&Table->Lock);

    if (InProgress && !Inside.Foreign) {
        KeWaitForSingleObject(&Drained, WrRundown, KernelMode, FALSE, NULL);
    }
    return STATUS_SUCCESS;
}

/* ---- Processes ---- */

static NTSTATUS PspSetProcessRoutine(PVOID Routine, PSP_NOTIFY_KIND Kind, BOOLEAN Remove)
{
    return Remove ? PspRemove(&PspProcessTable, Routine, Kind, Kind)
                  : PspRegister(&PspProcessTable, Routine, Kind);
}

/*
 * Registers (or with Remove removes) a routine that is told of processes that come and go, those of
 * subsystems excepted: on creation on the creator's thread, at the end on the process's last thread;
 * PASSIVE_LEVEL, in a critical region. NULL is a routine like any other that is never called.
 * STATUS_INVALID_PARAMETER: registered already, or 64 routines of all three kinds are.
 * STATUS_PROCEDURE_NOT_FOUND: not there. Removal waits for calls in progress; from inside a call of the
 * routine itself its own calls do not count, from inside a call of another routine it does not wait. PASSIVE.
 * (WDK page of the name)
 */
NTSTATUS PsSetCreateProcessNotifyRoutine(PCREATE_PROCESS_NOTIFY_ROUTINE NotifyRoutine, BOOLEAN Remove)
{
    return PspSetProcessRoutine((PVOID)NotifyRoutine, PspProcessPlain, Remove);
}
EXPORT(PsSetCreateProcessNotifyRoutine);

/* As PsSetCreateProcessNotifyRoutine, for a routine that learns more and may forbid the creation. Images
   carry no signature here: STATUS_ACCESS_DENIED does not occur. PASSIVE.
   (WDK page of the name) */
NTSTATUS PsSetCreateProcessNotifyRoutineEx(PCREATE_PROCESS_NOTIFY_ROUTINE_EX NotifyRoutine, BOOLEAN Remove)
{
    return PspSetProcessRoutine((PVOID)NotifyRoutine, PspProcessEx, Remove);
}
EXPORT(PsSetCreateProcessNotifyRoutineEx);

/* As PsSetCreateProcessNotifyRoutineEx, told of the processes of all subsystems, native ones included.
   STATUS_INVALID_PARAMETER also for another type than PsCreateProcessNotifySubsystems. PASSIVE.
   (WDK page of the name) */
NTSTATUS PsSetCreateProcessNotifyRoutineEx2(PSCREATEPROCESSNOTIFYTYPE NotifyType, PVOID NotifyInformation,
                                            BOOLEAN Remove)
{
    if (NotifyType != PsCreateProcessNotifySubsystems) {
        return STATUS_INVALID_PARAMETER;
    }
    return PspSetProcessRoutine(NotifyInformation, PspProcessEx2, Remove);
}
EXPORT(PsSetCreateProcessNotifyRoutineEx2);

/* What happens to a process. */
typedef struct _PSP_PROCESS_EVENT {
    PEPROCESS Process;
    PS_CREATE_NOTIFY_INFO *Info; /* NULL: its end */
    NTSTATUS Veto;               /* the first error that a routine left in CreationStatus */
} PSP_PROCESS_EVENT;

static void PspFillCreateInfo(PPS_CREATE_NOTIFY_INFO Info, PEPROCESS Process)
{
    RtlZeroMemory(Info, sizeof(*Info));
    Info->Size = sizeof(*Info);
    Info->ParentProcessId = Process->InheritedFromUniqueProcessId;
    Info->CreatingThreadId = PspCurrentThread()->Cid;
    Info->FileObject = Process->FileObject;
    Info->FileOpenNameAvailable = Process->ImageFileName.Length != 0;
    Info->ImageFileName = Process->ImageFileName.Length != 0 ? &Process->ImageFileName : NULL;
    Info->CommandLine = Process->CommandLine.Length != 0 ? &Process->CommandLine : NULL;
    Info->CreationStatus = STATUS_SUCCESS;
}

/* Only Ex2 routines are told of subsystems' processes, and for them alone IsSubsystemProcess is filled in. */
static void PspInvokeProcessRoutine(PVOID Routine, PSP_NOTIFY_KIND Kind, PVOID Context)
{
    PSP_PROCESS_EVENT *Event = Context;
    PEPROCESS Process = Event->Process;
    if (Process->SubsystemProcess && Kind != PspProcessEx2) {
        return;
    }
    if (Kind == PspProcessPlain) {
        ((PCREATE_PROCESS_NOTIFY_ROUTINE)Routine)(Process->InheritedFromUniqueProcessId,
                                                  Process->UniqueProcessId, Event->Info != NULL);
        return;
    }
    if (Event->Info != NULL) {
        Event->Info->IsSubsystemProcess = Process->SubsystemProcess;
    }
    ((PCREATE_PROCESS_NOTIFY_ROUTINE_EX)Routine)(Process, Process->UniqueProcessId, Event->Info);
    if (Event->Info != NULL && NT_SUCCESS(Event->Veto)) {
        Event->Veto = Event->Info->CreationStatus;
    }
}

/* All routines run, also after a veto, and see what CreationStatus has become; the first error counts. */
NTSTATUS PspNotifyProcessCreate(PEPROCESS Process)
{
    PS_CREATE_NOTIFY_INFO Info;
    PSP_PROCESS_EVENT Event = {Process, &Info, STATUS_SUCCESS};
    if (PspProcessTable.Occupied == 0) {
        return STATUS_SUCCESS;
    }
    PspFillCreateInfo(&Info, Process);
    PspCallRoutines(&PspProcessTable, PspInvokeProcessRoutine, &Event);
    return NT_SUCCESS(Event.Veto) ? STATUS_SUCCESS : Event.Veto;
}

void PspNotifyProcessExit(PEPROCESS Process)
{
    PSP_PROCESS_EVENT Event = {.Process = Process};
    PspCallRoutines(&PspProcessTable, PspInvokeProcessRoutine, &Event);
}

/* ---- Threads ---- */

/*
 * Registers a routine that is told of threads that come and go, those of subsystems excepted: on creation on
 * the creator's thread, at the end on the thread itself; PASSIVE_LEVEL, in a critical region. A routine may
 * be registered more than once; each registration is removed for itself. STATUS_INSUFFICIENT_RESOURCES: 64
 * are registered. PASSIVE. (WDK page of the name)
 */
NTSTATUS PsSetCreateThreadNotifyRoutine(PCREATE_THREAD_NOTIFY_ROUTINE NotifyRoutine)
{
    return PspRegister(&PspThreadTable, (PVOID)NotifyRoutine, PspThreadPlain);
}
EXPORT(PsSetCreateThreadNotifyRoutine);

/* As PsSetCreateThreadNotifyRoutine. PsCreateThreadNotifyNonSystem: threads of native programs only, and on
   creation on the new thread, before its first instruction. PsCreateThreadNotifySubsystems: threads of all
   subsystems and of the system, on the creator's thread. Another type: STATUS_INVALID_PARAMETER. PASSIVE.
   (WDK page of the name) */
NTSTATUS PsSetCreateThreadNotifyRoutineEx(PSCREATETHREADNOTIFYTYPE NotifyType, PVOID NotifyInformation)
{
    switch (NotifyType) {
    case PsCreateThreadNotifyNonSystem:
        return PspRegister(&PspThreadTable, NotifyInformation, PspThreadNonSystem);
    case PsCreateThreadNotifySubsystems:
        return PspRegister(&PspThreadTable, NotifyInformation, PspThreadSubsystems);
    default:
        return STATUS_INVALID_PARAMETER;
    }
}
EXPORT(PsSetCreateThreadNotifyRoutineEx);

/* Removes one registration of the routine, of either kind; waits as PsSetCreateProcessNotifyRoutine does.
   STATUS_PROCEDURE_NOT_FOUND. <= APC. (WDK page of the name) */
NTSTATUS PsRemoveCreateThreadNotifyRoutine(PCREATE_THREAD_NOTIFY_ROUTINE NotifyRoutine)
{
    return PspRemove(&PspThreadTable, (PVOID)NotifyRoutine, PspThreadPlain, PspThreadSubsystems);
}
EXPORT(PsRemoveCreateThreadNotifyRoutine);

/* What happens to a thread. */
typedef struct _PSP_THREAD_EVENT {
    PETHREAD Thread;
    ULONG Kinds; /* a bit for each that is told now */
    BOOLEAN Create;
} PSP_THREAD_EVENT;

static void PspInvokeThreadRoutine(PVOID Routine, PSP_NOTIFY_KIND Kind, PVOID Context)
{
    const PSP_THREAD_EVENT *Event = Context;
    PETHREAD Thread = Event->Thread;
    bool Native = !PsThreadProcess(Thread)->SubsystemProcess;
    bool Sees =
        Kind == PspThreadSubsystems || (Native && (Kind == PspThreadPlain || !Thread->Tcb.SystemThread));
    if (Sees && (Event->Kinds & (1u << Kind))) {
        ((PCREATE_THREAD_NOTIFY_ROUTINE)Routine)(Thread->Cid.UniqueProcess, Thread->Cid.UniqueThread,
                                                 Event->Create);
    }
}

void PspNotifyThreadCreate(PETHREAD Thread)
{
    PSP_THREAD_EVENT Event = {Thread, 1u << PspThreadPlain | 1u << PspThreadSubsystems, TRUE};
    PspCallRoutines(&PspThreadTable, PspInvokeThreadRoutine, &Event);
}

void PspNotifyThreadBegin(PETHREAD Thread)
{
    PSP_THREAD_EVENT Event = {Thread, 1u << PspThreadNonSystem, TRUE};
    PspCallRoutines(&PspThreadTable, PspInvokeThreadRoutine, &Event);
}

void PspNotifyThreadExit(PETHREAD Thread)
{
    PSP_THREAD_EVENT Event = {Thread, ~0u, FALSE};
    PspCallRoutines(&PspThreadTable, PspInvokeThreadRoutine, &Event);
}

/* ---- Images ---- */

/* Registers a routine that is told of images that are mapped: programs (on the new process's first thread,
   before its first instruction) and kernel modules (ProcessId 0, before DriverEntry). PASSIVE_LEVEL, in a
   critical region. STATUS_INSUFFICIENT_RESOURCES: 64 are registered. PASSIVE. (WDK page of the name)
   */
NTSTATUS PsSetLoadImageNotifyRoutine(PLOAD_IMAGE_NOTIFY_ROUTINE NotifyRoutine)
{
    return PspRegister(&PspImageTable, (PVOID)NotifyRoutine, PspImage);
}
EXPORT(PsSetLoadImageNotifyRoutine);

/* The same; Flags may be PS_IMAGE_NOTIFY_CONFLICTING_ARCHITECTURE, which changes nothing on a machine with
   one architecture. Another flag: STATUS_INVALID_PARAMETER_2. PASSIVE. (WDK page of the name) */
NTSTATUS PsSetLoadImageNotifyRoutineEx(PLOAD_IMAGE_NOTIFY_ROUTINE NotifyRoutine, ULONG_PTR Flags)
{
    if (Flags & ~(ULONG_PTR)PS_IMAGE_NOTIFY_CONFLICTING_ARCHITECTURE) {
        return STATUS_INVALID_PARAMETER_2;
    }
    return PsSetLoadImageNotifyRoutine(NotifyRoutine);
}
EXPORT(PsSetLoadImageNotifyRoutineEx);

/* Removes one registration; waits as PsSetCreateProcessNotifyRoutine does. STATUS_PROCEDURE_NOT_FOUND. <=
   APC. (WDK page of the name) */
NTSTATUS PsRemoveLoadImageNotifyRoutine(PLOAD_IMAGE_NOTIFY_ROUTINE NotifyRoutine)
{
    return PspRemove(&PspImageTable, (PVOID)NotifyRoutine, PspImage, PspImage);
}
EXPORT(PsRemoveLoadImageNotifyRoutine);

typedef struct _PSP_IMAGE_EVENT {
    UNICODE_STRING Name;
    HANDLE ProcessId;
    IMAGE_INFO Info;
} PSP_IMAGE_EVENT;

static void PspInvokeImageRoutine(PVOID Routine, PSP_NOTIFY_KIND Kind, PVOID Context)
{
    PSP_IMAGE_EVENT Copy = *(PSP_IMAGE_EVENT *)Context; /* a routine's scribbling is its own affair */
    ((PLOAD_IMAGE_NOTIFY_ROUTINE)Routine)(&Copy.Name, Copy.ProcessId, &Copy.Info);
}

static void PspNotifyImage(PCUNICODE_STRING Name, HANDLE ProcessId, PVOID ImageBase, SIZE_T ImageSize)
{
    PSP_IMAGE_EVENT Event = {
        .Name = *Name,
        .ProcessId = ProcessId,
        .Info.ImageAddressingMode = IMAGE_ADDRESSING_MODE_32BIT, /* documented for all images */
        .Info.SystemModeImage = ProcessId == NULL,
        .Info.ImageBase = ImageBase,
        .Info.ImageSize = ImageSize,
    };
    PspCallRoutines(&PspImageTable, PspInvokeImageRoutine, &Event);
}

void PspNotifyProcessImage(PEPROCESS Process)
{
    if (Process->ImageBase != 0) {
        PspNotifyImage(&Process->ImageFileName, Process->UniqueProcessId, (PVOID)Process->ImageBase,
                       Process->ImageSize);
    }
}

void PsNotifyModuleImage(PCUNICODE_STRING FullImageName, PVOID ImageBase, SIZE_T ImageSize)
{
    PspNotifyImage(FullImageName, NULL, ImageBase, ImageSize);
}

/* ---- Modules that go ---- */

/* TRUE: it is registered. A deferred removal is waited for: its calls may not hold the module yet. */
static bool PspIsSlotUsedBy(const PSP_NOTIFY_SLOT *Slot, const EX_MODULE *Module)
{
    LARGE_INTEGER Millisecond = {.QuadPart = -10000};
    ULONG64 State;
    while ((State = __atomic_load_n(&Slot->State, __ATOMIC_ACQUIRE)) != 0 && ExIsInModule(Module, Slot->Routine)) {
        if (State & PSP_SLOT_OPEN) {
            return true;
        }
        KeDelayExecutionThread(KernelMode, FALSE, &Millisecond);
    }
    return false;
}

bool PspFindLeftNotify(const EX_MODULE *Module, PEX_LEFTOVER Left)
{
    static const PSP_NOTIFY_TABLE *const Tables[] = {&PspProcessTable, &PspThreadTable, &PspImageTable};
    for (ULONG i = 0; i < ARRAYSIZE(Tables) * PSP_NOTIFY_SLOTS; i++) {
        const PSP_NOTIFY_TABLE *Table = Tables[i / PSP_NOTIFY_SLOTS];
        const PSP_NOTIFY_SLOT *Slot = &Table->Slot[i % PSP_NOTIFY_SLOTS];
        if (PspIsSlotUsedBy(Slot, Module)) {
            RtlPrint(Left->What, sizeof(Left->What), "%s", Table->What);
            Left->Routine = Slot->Routine;
            return true;
        }
    }
    return false;
}
