/* SPDX-License-Identifier: MIT */
/*
 * Object callbacks: drivers are asked before a handle to a process or thread is made or duplicated, and may
 * take rights away, and told afterwards.
 *
 * ObpFilterLock, a push lock, guards the list of registrations, highest altitude first. It is not held while
 * a routine runs: who makes a handle first collects the registrations that are concerned, with the run-down
 * of each acquired, and gives that back when the last routine has returned. The deregistration takes a
 * registration off the list, and waits for its run-down.
 */
#include "kernel/ob/obp.h"
#include "kernel/rtl/rtl.h"
#include "sync/pushlock.h"

#define OBP_FILTER_TAG 'tlFO'

/* (l) ObpFilterLock   (c) constant */
struct _OBP_FILTER {
    LIST_ENTRY Link;         /* (l) */
    EX_RUNDOWN_REF Calls;    /* held by each operation that concerns it */
    UNICODE_STRING Altitude; /* (c) behind Operation */
    PVOID Context;           /* (c) */
    ULONG Count;             /* (c) */
    OB_OPERATION_REGISTRATION Operation[]; /* (c) */
};

static EX_PUSH_LOCK ObpFilterLock;
static LIST_ENTRY ObpFilters = {&ObpFilters, &ObpFilters};
volatile ULONG ObpFilterCount; /* (l) */

/* ---- Altitudes: decimal numbers, perhaps with a fraction ---- */

/* The digits before the point, without zeros in front. */
static UNICODE_STRING ObpWholePart(PCUNICODE_STRING Altitude)
{
    UNICODE_STRING Whole = {.Buffer = Altitude->Buffer};
    USHORT Length = Altitude->Length;

    for (; Length > sizeof(WCHAR) && Whole.Buffer[0] == '0' && Whole.Buffer[1] != '.'; Length -= sizeof(WCHAR)) {
        Whole.Buffer++;
    }
    while (Whole.Length < Length && Whole.Buffer[Whole.Length / sizeof(WCHAR)] != '.') {
        Whole.Length += sizeof(WCHAR);
    }
    return Whole;
}

/* Less than, equal to, or more than 0. Of equal whole parts the fractions decide, digit by digit. */
static LONG ObpCompareAltitudes(PCUNICODE_STRING First, PCUNICODE_STRING Second)
{
    UNICODE_STRING A = ObpWholePart(First), B = ObpWholePart(Second);
    LONG Order = A.Length != B.Length ? A.Length - B.Length : RtlCompareUnicodeString(&A, &B, FALSE);

    if (Order == 0) { /* the whole strings now, from the first digit that counts */
        A.Length = (USHORT)((PUCHAR)First->Buffer + First->Length - (PUCHAR)A.Buffer);
        B.Length = (USHORT)((PUCHAR)Second->Buffer + Second->Length - (PUCHAR)B.Buffer);
        Order = RtlCompareUnicodeString(&A, &B, FALSE);
    }
    return Order;
}

static bool ObpIsAltitude(PCUNICODE_STRING Altitude)
{
    ULONG Points = 0;

    for (ULONG i = 0; i < Altitude->Length / sizeof(WCHAR); i++) {
        WCHAR Digit = Altitude->Buffer[i];
        Points += Digit == '.';
        if ((Digit < '0' || Digit > '9') && Digit != '.') {
            return false;
        }
    }
    return Altitude->Length != 0 && Altitude->Buffer[0] != '.' && Points <= 1;
}

/* ---- Registration ---- */

static bool ObpIsOperationValid(const OB_OPERATION_REGISTRATION *Operation)
{
    const OB_OPERATION All = OB_OPERATION_HANDLE_CREATE | OB_OPERATION_HANDLE_DUPLICATE;

    return Operation->ObjectType != NULL && (*Operation->ObjectType)->Routines.Filtered && (Operation->Operations & All) != 0 &&
           (Operation->Operations & ~All) == 0 && (Operation->PreOperation != NULL || Operation->PostOperation != NULL);
}

static bool ObpIsRegistrationValid(const OB_CALLBACK_REGISTRATION *Registration)
{
    bool Valid = Registration->Version == OB_FLT_REGISTRATION_VERSION && Registration->OperationRegistrationCount != 0 &&
                 ObpIsAltitude(&Registration->Altitude);

    for (ULONG i = 0; Valid && i < Registration->OperationRegistrationCount; i++) {
        Valid = ObpIsOperationValid(&Registration->OperationRegistration[i]);
    }
    return Valid;
}

static NTSTATUS ObpInsertFilter(POBP_FILTER Filter)
{
    NTSTATUS Status = STATUS_SUCCESS;
    LONG Order = -1;

    KeLockExclusive(&ObpFilterLock);
    PLIST_ENTRY Link = ObpFilters.Flink;
    for (; Link != &ObpFilters; Link = Link->Flink) {
        Order = ObpCompareAltitudes(&Filter->Altitude, &CONTAINING_RECORD(Link, OBP_FILTER, Link)->Altitude);
        if (Order >= 0) {
            break;
        }
    }
    if (Order == 0) {
        Status = STATUS_FLT_INSTANCE_ALTITUDE_COLLISION;
    } else if (ObpFilterCount == OBP_MAX_FILTERS) {
        Status = STATUS_INSUFFICIENT_RESOURCES;
    } else {
        InsertTailList(Link, &Filter->Link); /* before the first one that is lower */
        ObpFilterCount++;
    }
    KeUnlockExclusive(&ObpFilterLock);
    return Status;
}

/*
 * Registers routines to be called before (highest altitude first) and after (lowest first) handles to
 * processes and threads are made or duplicated. *RegistrationHandle is for ObUnRegisterCallbacks.
 * STATUS_INVALID_PARAMETER (another version, no operation, a type without callbacks, no routine),
 * STATUS_FLT_INSTANCE_ALTITUDE_COLLISION, STATUS_INSUFFICIENT_RESOURCES. Differs: there are no signatures, so
 * none is asked for; at most 16 registrations. <= APC_LEVEL; may block. (WDK page of the name)
 */
NTSTATUS ObRegisterCallbacks(POB_CALLBACK_REGISTRATION CallbackRegistration, PVOID *RegistrationHandle)
{
    PAGED_CODE();
    if (!ObpIsRegistrationValid(CallbackRegistration)) {
        return STATUS_INVALID_PARAMETER;
    }
    SIZE_T Operations = CallbackRegistration->OperationRegistrationCount * sizeof(OB_OPERATION_REGISTRATION);
    PUNICODE_STRING Altitude = &CallbackRegistration->Altitude;
    POBP_FILTER Filter =
        ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(*Filter) + Operations + Altitude->Length, OBP_FILTER_TAG);
    if (Filter == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    ExInitializeRundownProtection(&Filter->Calls);
    Filter->Context = CallbackRegistration->RegistrationContext;
    Filter->Count = CallbackRegistration->OperationRegistrationCount;
    RtlCopyMemory(Filter->Operation, CallbackRegistration->OperationRegistration, Operations);
    Filter->Altitude = (UNICODE_STRING){Altitude->Length, Altitude->Length, (PWCHAR)&Filter->Operation[Filter->Count]};
    RtlCopyMemory(Filter->Altitude.Buffer, Altitude->Buffer, Altitude->Length);
    NTSTATUS Status = ObpInsertFilter(Filter);
    if (!NT_SUCCESS(Status)) {
        ExFreePoolWithTag(Filter, OBP_FILTER_TAG);
        return Status;
    }
    *RegistrationHandle = Filter;
    return STATUS_SUCCESS;
}
EXPORT(ObRegisterCallbacks);

/* Returns when none of the registration's routines runs, and none will; not to be called by one of them. <=
   APC_LEVEL; may block. (WDK page of the name) */
VOID ObUnRegisterCallbacks(PVOID RegistrationHandle)
{
    POBP_FILTER Filter = RegistrationHandle;

    PAGED_CODE();
    KeLockExclusive(&ObpFilterLock);
    RemoveEntryList(&Filter->Link);
    ObpFilterCount--;
    KeUnlockExclusive(&ObpFilterLock);
    ExWaitForRundownProtectionRelease(&Filter->Calls);
    ExFreePoolWithTag(Filter, OBP_FILTER_TAG);
}
EXPORT(ObUnRegisterCallbacks);

static const void *ObpFilterRoutineIn(const OBP_FILTER *Filter, const EX_MODULE *Module)
{
    for (ULONG i = 0; i < Filter->Count; i++) {
        const void *Before = (PVOID)Filter->Operation[i].PreOperation, *After = (PVOID)Filter->Operation[i].PostOperation;
        if (ExIsInModule(Module, Before) || ExIsInModule(Module, After)) {
            return ExIsInModule(Module, Before) ? Before : After;
        }
    }
    return NULL;
}

bool ObpFindLeftFilter(const EX_MODULE *Module, PEX_LEFTOVER Left)
{
    Left->Routine = NULL;
    KeLockShared(&ObpFilterLock);
    for (PLIST_ENTRY Link = ObpFilters.Flink; Link != &ObpFilters && Left->Routine == NULL; Link = Link->Flink) {
        POBP_FILTER Filter = CONTAINING_RECORD(Link, OBP_FILTER, Link);
        Left->Routine = ObpFilterRoutineIn(Filter, Module);
        RtlPrint(Left->What, sizeof(Left->What), "object callbacks at altitude %wZ", &Filter->Altitude);
    }
    KeUnlockShared(&ObpFilterLock);
    return Left->Routine != NULL;
}

/* ---- Calling ---- */

static const OB_OPERATION_REGISTRATION *ObpFindOperation(POBP_FILTER Filter, POBJECT_TYPE Type, OB_OPERATION Operation)
{
    for (ULONG i = 0; i < Filter->Count; i++) {
        if (*Filter->Operation[i].ObjectType == Type && (Filter->Operation[i].Operations & Operation) != 0) {
            return &Filter->Operation[i];
        }
    }
    return NULL;
}

static void ObpCollect(OBP_FILTERING *Filtering, POBJECT_TYPE Type)
{
    KeLockShared(&ObpFilterLock);
    for (PLIST_ENTRY Link = ObpFilters.Flink; Link != &ObpFilters; Link = Link->Flink) {
        POBP_FILTER Filter = CONTAINING_RECORD(Link, OBP_FILTER, Link);
        const OB_OPERATION_REGISTRATION *Operation = ObpFindOperation(Filter, Type, Filtering->Operation);
        if (Operation != NULL && ExAcquireRundownProtection(&Filter->Calls)) {
            Filtering->Called[Filtering->Count++] = (OBP_FILTER_CALL){Filter, Operation, NULL};
        }
    }
    KeUnlockShared(&ObpFilterLock);
}

/* What a routine leaves of the rights that are asked for: none more than before, and all for the kernel. */
static void ObpCallBefore(OBP_FILTERING *Filtering, OBP_FILTER_CALL *Call, PVOID Object, ACCESS_MASK Original)
{
    OB_PRE_OPERATION_PARAMETERS Parameters = {
        .DuplicateHandleInformation = {Filtering->Access, Original, Filtering->SourceProcess, Filtering->TargetProcess}};
    OB_PRE_OPERATION_INFORMATION Information = {.Operation = Filtering->Operation, .KernelHandle = Filtering->KernelHandle,
                                                .Object = Object, .ObjectType = ObpType(Object), .Parameters = &Parameters};

    Call->Operation->PreOperation(Call->Filter->Context, &Information);
    Call->Context = Information.CallContext;
    if (!Filtering->KernelHandle) {
        Filtering->Access &= Parameters.CreateHandleInformation.DesiredAccess;
    }
}

ACCESS_MASK ObpFilterBefore(OBP_FILTERING *Filtering, PVOID Object, ACCESS_MASK Access)
{
    Filtering->Count = 0;
    if (!ObpType(Object)->Routines.Filtered || ObpFilterCount == 0) {
        return Access;
    }
    ObpCollect(Filtering, ObpType(Object));
    Filtering->Access = Access;
    for (ULONG i = 0; i < Filtering->Count; i++) {
        if (Filtering->Called[i].Operation->PreOperation != NULL) {
            ObpCallBefore(Filtering, &Filtering->Called[i], Object, Access);
        }
    }
    return Filtering->Access;
}

void ObpFilterAfter(OBP_FILTERING *Filtering, PVOID Object, NTSTATUS Status, ACCESS_MASK Granted)
{
    while (Filtering->Count > 0) {
        OBP_FILTER_CALL *Call = &Filtering->Called[--Filtering->Count];
        OB_POST_OPERATION_PARAMETERS Parameters = {.CreateHandleInformation = {NT_SUCCESS(Status) ? Granted : 0}};
        OB_POST_OPERATION_INFORMATION Information = {
            .Operation = Filtering->Operation, .KernelHandle = Filtering->KernelHandle, .Object = Object,
            .ObjectType = ObpType(Object), .CallContext = Call->Context, .ReturnStatus = Status, .Parameters = &Parameters};
        if (Call->Operation->PostOperation != NULL) {
            Call->Operation->PostOperation(Call->Filter->Context, &Information);
        }
        ExReleaseRundownProtection(&Call->Filter->Calls);
    }
}
