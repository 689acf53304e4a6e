/* SPDX-License-Identifier: MIT */
/*
 * Event objects: handles and names around KEVENTs. The events' own locks are sync's affair; no other lock
 * here.
 */
#include "kernel/services/services.h"
#include "kernel/rtl/export.h"
#include <ntapi.h>

static POBJECT_TYPE SvcEventType;
/* The type of event objects, for ObReferenceObjectByHandle and ObReferenceObjectByPointer. Valid before any
   module is loaded, and constant. (WDK page of ObReferenceObjectByHandle) */
POBJECT_TYPE *ExEventObjectType = &SvcEventType;
EXPORT(ExEventObjectType);

static const OB_TYPE_ROUTINES SvcEventRoutines = {
    .Name = "Event",
    .PoolTag = 'nevE',
    .BodySize = sizeof(KEVENT),
    .Access = {EVENT_QUERY_STATE | STANDARD_RIGHTS_READ, EVENT_MODIFY_STATE | STANDARD_RIGHTS_WRITE,
               SYNCHRONIZE | STANDARD_RIGHTS_EXECUTE, EVENT_ALL_ACCESS},
    .Waitable = TRUE,
};

void SvcInitialize(void)
{
    SvcCreateType(&SvcEventRoutines, &SvcEventType);
    SvcInitializeSync();
    SvcInitializeTimers();
    SvcInitializeSections();
    SvcInitializeToken();
}

typedef struct _SVC_NEW_EVENT {
    EVENT_TYPE Type;
    BOOLEAN State;
} SVC_NEW_EVENT;

static void SvcInitializeEvent(PVOID Object, const VOID *Context)
{
    const SVC_NEW_EVENT *New = Context;
    KeInitializeEvent(Object, New->Type, New->State);
}

/* A handle to a new event, or with OBJ_OPENIF to the one that has the name (STATUS_OBJECT_NAME_EXISTS).
   STATUS_INVALID_PARAMETER for another type than the two; the statuses of ObInsertObject. PASSIVE. (WDK page
   of the name) */
NTSTATUS NtCreateEvent(PHANDLE EventHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                       EVENT_TYPE Type, BOOLEAN InitialState)
{
    SVC_NEW_EVENT New = {Type, InitialState != FALSE};
    if (Type != NotificationEvent && Type != SynchronizationEvent) {
        return STATUS_INVALID_PARAMETER;
    }
    return SvcCreateNamed(SvcEventType, ObjectAttributes, DesiredAccess, EventHandle, SvcInitializeEvent, &New);
}

/* A handle to the event of a name. The statuses of ObOpenObjectByName. PASSIVE.
   (WDK page of the name) */
NTSTATUS NtOpenEvent(PHANDLE EventHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes)
{
    return SvcOpenByName(EventHandle, DesiredAccess, ObjectAttributes, SvcEventType);
}

static LONG SvcSet(PKEVENT Event)
{
    return KeSetEvent(Event, EVENT_INCREMENT, FALSE);
}

static LONG SvcPulse(PKEVENT Event)
{
    return KePulseEvent(Event, EVENT_INCREMENT, FALSE);
}

/* Changes the event; the state it had goes to *PreviousState when that is wanted. */
static NTSTATUS SvcChangeEvent(HANDLE Handle, LONG (*Change)(PKEVENT), PLONG PreviousState)
{
    KPROCESSOR_MODE Mode = ExGetPreviousMode();
    PKEVENT Event;
    NTSTATUS Status =
        ObReferenceObjectByHandle(Handle, EVENT_MODIFY_STATE, SvcEventType, Mode, (PVOID *)&Event, NULL);

    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    LONG Previous = Change(Event);
    ObDereferenceObject(Event);
    return PreviousState != NULL ? ExCopyOut(PreviousState, &Previous, sizeof(Previous), Mode) : Status;
}

/* Signals the event, as KeSetEvent; its state before goes to *PreviousState unless that is NULL. Handle
   errors (EVENT_MODIFY_STATE), STATUS_ACCESS_VIOLATION. PASSIVE. (WDK page of the name) */
NTSTATUS NtSetEvent(HANDLE EventHandle, PLONG PreviousState)
{
    return SvcChangeEvent(EventHandle, SvcSet, PreviousState);
}

/* As NtSetEvent: the event is not signalled any more. (no WDK page) */
NTSTATUS NtResetEvent(HANDLE EventHandle, PLONG PreviousState)
{
    return SvcChangeEvent(EventHandle, KeResetEvent, PreviousState);
}

/* As NtSetEvent: who waits is released, and the event is not signalled. (no WDK page) */
NTSTATUS NtPulseEvent(HANDLE EventHandle, PLONG PreviousState)
{
    return SvcChangeEvent(EventHandle, SvcPulse, PreviousState);
}

/* As NtResetEvent; nobody asks what the state was. (no WDK page) */
NTSTATUS NtClearEvent(HANDLE EventHandle)
{
    return SvcChangeEvent(EventHandle, KeResetEvent, NULL);
}

static void SvcFillEvent(PVOID Data, PVOID Object)
{
    EVENT_BASIC_INFORMATION *Basic = Data;
    Basic->EventType = (EVENT_TYPE)((PKEVENT)Object)->Header.Type;
    Basic->EventState = KeReadStateEvent(Object);
}

/* Class 0: EVENT_BASIC_INFORMATION. Errors as NtQueryMutant (EVENT_QUERY_STATE). PASSIVE. (no WDK page) */
NTSTATUS NtQueryEvent(HANDLE EventHandle, ULONG Class, PVOID Information, ULONG Length, PULONG ReturnLength)
{
    SVC_STATE_QUERY Query = {Class, Information, Length, ReturnLength};
    return SvcQueryState(EventHandle, EVENT_QUERY_STATE, SvcEventType, &Query, SvcFillEvent,
                         sizeof(EVENT_BASIC_INFORMATION));
}
