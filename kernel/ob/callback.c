/* SPDX-License-Identifier: MIT */
/*
 * Callback objects: a name under which drivers register routines, and under which one of them has all of
 * these called.
 *
 * ObpCallbackLock (KlcExecutive) guards the registrations with all objects, which stand in one list: there
 * are few of them, and who unloads a module looks through all. The lock is not held while a routine is
 * called: a call stands in the list of its registration, and the registration stays in the list of all as
 * long as a call does.
 */
#include "kernel/ob/obp.h"
#include "kernel/rtl/rtl.h"

#define OBP_CALLBACK_TAG 'blCO'

/* (l) ObpCallbackLock   (c) constant */
struct _CALLBACK_OBJECT {
    BOOLEAN AllowMultiple; /* (c) */
};

/* A call in progress, on the caller's stack. */
typedef struct _OBP_CALLBACK_CALL {
    struct _OBP_CALLBACK_CALL *Next;
    PKTHREAD Thread;
} OBP_CALLBACK_CALL, *POBP_CALLBACK_CALL;

typedef struct _OBP_REGISTRATION {
    LIST_ENTRY Link;             /* (l) */
    PCALLBACK_OBJECT Object;     /* (c) */
    PCALLBACK_FUNCTION Function; /* (c) */
    PVOID Context;               /* (c) */
    POBP_CALLBACK_CALL Calls;    /* (l) */
    BOOLEAN Leaving;             /* (l) not called any more */
    BOOLEAN FreeAtEnd;           /* (l) unregistered by its own call: the last call frees it */
    PKEVENT Waiter;              /* (l) set whenever a call ends, for the thread that unregisters */
} OBP_REGISTRATION, *POBP_REGISTRATION;

static POBJECT_TYPE ObpCallbackType;
static KLOCK ObpCallbackLock = KLOCK_INITIALIZER(KlcExecutive);
static LIST_ENTRY ObpRegistrations = {&ObpRegistrations, &ObpRegistrations}; /* (l) of all objects, in their order */

static const OB_TYPE_ROUTINES ObpCallbackRoutines = {
    .Name = "Callback",
    .PoolTag = OBP_CALLBACK_TAG,
    .BodySize = sizeof(CALLBACK_OBJECT),
};

static NTSTATUS ObpMakeCallback(const EX_OBJECT_ATTRIBUTES *Attributes, BOOLEAN AllowMultiple, PCALLBACK_OBJECT *Object)
{
    PCALLBACK_OBJECT New;
    NTSTATUS Status = ObCreateObject(ObpCallbackType, (PVOID *)&New);

    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    New->AllowMultiple = AllowMultiple;
    Status = ObInsertName(New, Attributes, KernelMode, (PVOID *)Object);
    return NT_SUCCESS(Status) ? STATUS_SUCCESS : Status;
}

/*
 * Opens the callback object that ObjectAttributes names, \Callback\Something, or with Create makes it if
 * there is none; AllowMultipleCallbacks means something for a new one only. The caller gets a reference
 * (ObDereferenceObject). Without OBJ_PERMANENT the name goes with the last reference. STATUS_UNSUCCESSFUL
 * without a name; the statuses of paths (STATUS_OBJECT_NAME_NOT_FOUND, STATUS_OBJECT_PATH_NOT_FOUND ...);
 * STATUS_OBJECT_TYPE_MISMATCH; STATUS_INSUFFICIENT_RESOURCES. <= APC_LEVEL. (WDK page of the name)
 */
NTSTATUS ExCreateCallback(PCALLBACK_OBJECT *CallbackObject, POBJECT_ATTRIBUTES ObjectAttributes, BOOLEAN Create,
                          BOOLEAN AllowMultipleCallbacks)
{
    PAGED_CODE();
    if (ObjectAttributes == NULL || ObjectAttributes->ObjectName == NULL || ObjectAttributes->ObjectName->Length == 0) {
        return STATUS_UNSUCCESSFUL;
    }
    EX_OBJECT_ATTRIBUTES Attributes = {.Attributes = ObjectAttributes->Attributes | OBJ_OPENIF,
                                       .RootDirectory = ObjectAttributes->RootDirectory,
                                       .Name = *ObjectAttributes->ObjectName};
    return Create ? ObpMakeCallback(&Attributes, AllowMultipleCallbacks, CallbackObject)
                  : ObLookupName(&Attributes, ObpCallbackType, 0, KernelMode, NULL, (PVOID *)CallbackObject);
}
EXPORT(ExCreateCallback);

/* ---- Registrations ---- */

/* Has the object a registration that is not about to go? Locked. */
static bool ObpHasRegistration(PCALLBACK_OBJECT Object)
{
    for (PLIST_ENTRY Link = ObpRegistrations.Flink; Link != &ObpRegistrations; Link = Link->Flink) {
        POBP_REGISTRATION Registration = CONTAINING_RECORD(Link, OBP_REGISTRATION, Link);
        if (Registration->Object == Object && !Registration->Leaving) {
            return true;
        }
    }
    return false;
}

/* Adds a routine behind those that are registered. Returns what ExUnregisterCallback needs, or NULL: the
   object takes one routine only, and has it; or memory is out. <= APC_LEVEL. (WDK page of the name) */
PVOID ExRegisterCallback(PCALLBACK_OBJECT CallbackObject, PCALLBACK_FUNCTION CallbackFunction, PVOID CallbackContext)
{
    POBP_REGISTRATION New = ExAllocatePool2(POOL_FLAG_NON_PAGED, sizeof(*New), OBP_CALLBACK_TAG);

    PAGED_CODE();
    if (New == NULL) {
        return NULL;
    }
    New->Object = CallbackObject;
    New->Function = CallbackFunction;
    New->Context = CallbackContext;
    KIRQL Irql = KeAcquireLock(&ObpCallbackLock);
    bool Refused = !CallbackObject->AllowMultiple && ObpHasRegistration(CallbackObject);
    if (!Refused) {
        ObReferenceObject(CallbackObject);
        InsertTailList(&ObpRegistrations, &New->Link);
    }
    KeReleaseLock(&ObpCallbackLock, Irql);
    if (Refused) {
        ExFreePoolWithTag(New, OBP_CALLBACK_TAG);
        New = NULL;
    }
    return New;
}
EXPORT(ExRegisterCallback);

static void ObpFreeRegistration(POBP_REGISTRATION Registration)
{
    PCALLBACK_OBJECT Object = Registration->Object;

    ExFreePoolWithTag(Registration, OBP_CALLBACK_TAG);
    ObDereferenceObject(Object);
}

static void ObpRemoveCall(POBP_REGISTRATION Registration, POBP_CALLBACK_CALL Call)
{
    POBP_CALLBACK_CALL *Link = &Registration->Calls;

    while (*Link != Call) {
        Link = &(*Link)->Next;
    }
    *Link = Call->Next;
}

/* Calls a registered routine. The list is locked before and after, and not meanwhile. Returns the next
   registration's link. A registration that was left for this call to free goes into the list Gone. */
static PLIST_ENTRY ObpCallRegistration(POBP_REGISTRATION Registration, PVOID Argument1, PVOID Argument2, KIRQL *Irql,
                                       PLIST_ENTRY Gone)
{
    OBP_CALLBACK_CALL Call = {.Next = Registration->Calls, .Thread = ArchCurrentThread()};

    /* cppcheck-suppress autoVariables ; taken back when the call is over */
    Registration->Calls = &Call;
    KeReleaseLock(&ObpCallbackLock, *Irql);
    Registration->Function(Registration->Context, Argument1, Argument2);
    *Irql = KeAcquireLock(&ObpCallbackLock);
    ObpRemoveCall(Registration, &Call);
    PLIST_ENTRY Next = Registration->Link.Flink;
    if (Registration->Waiter != NULL) {
        KeSetEvent(Registration->Waiter, IO_NO_INCREMENT, FALSE);
    } else if (Registration->FreeAtEnd && Registration->Calls == NULL) {
        RemoveEntryList(&Registration->Link);
        InsertTailList(Gone, &Registration->Link);
    }
    return Next;
}

/* Calls all registered routines, in the order of registration, at the caller's level. The objects that the
   system makes are the system's to notify. <= DISPATCH_LEVEL. (WDK page of the name) */
VOID ExNotifyCallback(PVOID CallbackObject, PVOID Argument1, PVOID Argument2)
{
    LIST_ENTRY Gone;

    InitializeListHead(&Gone);
    KIRQL Irql = KeAcquireLock(&ObpCallbackLock);
    PLIST_ENTRY Link = ObpRegistrations.Flink;
    while (Link != &ObpRegistrations) {
        POBP_REGISTRATION Registration = CONTAINING_RECORD(Link, OBP_REGISTRATION, Link);
        Link = Registration->Object != CallbackObject || Registration->Leaving
                   ? Link->Flink
                   : ObpCallRegistration(Registration, Argument1, Argument2, &Irql, &Gone);
    }
    KeReleaseLock(&ObpCallbackLock, Irql);
    while (!IsListEmpty(&Gone)) {
        ObpFreeRegistration(CONTAINING_RECORD(RemoveHeadList(&Gone), OBP_REGISTRATION, Link));
    }
}
EXPORT(ExNotifyCallback);

/* Does a thread other than the caller run the routine? Locked. */
static bool ObpOthersCall(POBP_REGISTRATION Registration)
{
    POBP_CALLBACK_CALL Call = Registration->Calls;

    while (Call != NULL && Call->Thread == ArchCurrentThread()) {
        Call = Call->Next;
    }
    return Call != NULL;
}

/*
 * The routine is not called any more. Returns when no call of it is in progress but the caller's own: a
 * routine may unregister itself from inside its call, which then goes on to its end. Each registration is
 * unregistered once. <= APC_LEVEL; may block. (WDK page of the name)
 */
VOID ExUnregisterCallback(PVOID CallbackRegistration)
{
    POBP_REGISTRATION Registration = CallbackRegistration;
    KEVENT Ended;

    PAGED_CODE();
    KeInitializeEvent(&Ended, SynchronizationEvent, FALSE);
    KIRQL Irql = KeAcquireLock(&ObpCallbackLock);
    KI_ASSERT(!Registration->Leaving, "callback registration %p is unregistered twice", Registration);
    Registration->Leaving = TRUE;
    while (ObpOthersCall(Registration)) {
        Registration->Waiter = &Ended;
        KeReleaseLock(&ObpCallbackLock, Irql);
        KeWaitForSingleObject(&Ended, WrRundown, KernelMode, FALSE, NULL);
        Irql = KeAcquireLock(&ObpCallbackLock);
    }
    Registration->Waiter = NULL;
    bool Own = Registration->Calls != NULL;
    Registration->FreeAtEnd = Own;
    if (!Own) {
        RemoveEntryList(&Registration->Link);
    }
    KeReleaseLock(&ObpCallbackLock, Irql);
    if (!Own) {
        ObpFreeRegistration(Registration);
    }
}
EXPORT(ExUnregisterCallback);

bool ObFindLeftover(const EX_MODULE *Module, PEX_LEFTOVER Left)
{
    bool Found = false;
    KIRQL Irql = KeAcquireLock(&ObpCallbackLock);

    for (PLIST_ENTRY Link = ObpRegistrations.Flink; Link != &ObpRegistrations && !Found; Link = Link->Flink) {
        POBP_REGISTRATION Registration = CONTAINING_RECORD(Link, OBP_REGISTRATION, Link);
        Found = ExIsInModule(Module, (PVOID)Registration->Function);
        Left->Routine = Found ? (PVOID)Registration->Function : NULL;
    }
    KeReleaseLock(&ObpCallbackLock, Irql);
    if (Found) {
        RtlPrint(Left->What, sizeof(Left->What), "a registration with a callback object");
    }
    return Found || ObpFindLeftFilter(Module, Left);
}

/* ---- Start-up ---- */

static void ObpMakeSystemCallback(PCWSTR Text)
{
    UNICODE_STRING Name;
    OBJECT_ATTRIBUTES Attributes;
    PCALLBACK_OBJECT Object;

    RtlInitUnicodeString(&Name, Text);
    InitializeObjectAttributes(&Attributes, &Name, OBJ_PERMANENT | OBJ_CASE_INSENSITIVE, NULL, NULL);
    NTSTATUS Status = ExCreateCallback(&Object, &Attributes, TRUE, TRUE);
    if (!NT_SUCCESS(Status)) {
        KdBugCheck(PHASE0_INITIALIZATION_FAILED, (ULONG64)Status, 0, 0, 0, NULL, "no memory for callback objects");
    }
    ObDereferenceObject(Object);
}

/* The objects that the documentation names. Nothing notifies them yet: processors come before drivers do, and
   nobody can set the time. */
void ObpInitializeCallbacks(void)
{
    if (!NT_SUCCESS(ObCreateType(&ObpCallbackRoutines, &ObpCallbackType))) {
        KdBugCheck(PHASE0_INITIALIZATION_FAILED, 0, 0, 0, 0, NULL, "no memory for the callback type");
    }
    ObpMakeSystemCallback(L"\\Callback\\SetSystemTime");
    ObpMakeSystemCallback(L"\\Callback\\PowerState");
    ObpMakeSystemCallback(L"\\Callback\\ProcessorAdd");
}
