/* SPDX-License-Identifier: MIT */
/*
 * Event objects for programs: handles around KEVENTs. The events' own locks are sync's affair; no other lock
 * here. Events have no names: there is no name space, and asking for a name is refused.
 */
#include "kernel/services/services.h"
#include "kernel/kd/kd.h"
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
    .ValidAccess = EVENT_ALL_ACCESS,
    .Waitable = TRUE,
};

void SvcInitialize(void)
{
    if (!NT_SUCCESS(ObCreateType(&SvcEventRoutines, &SvcEventType))) {
        KdBugCheck(PHASE0_INITIALIZATION_FAILED, 0, 0, 0, 0, NULL, "no memory for the event type");
    }
}

/* STATUS_INVALID_PARAMETER for another type than the two, STATUS_NOT_IMPLEMENTED for a name. PASSIVE.
   sdk:ntcreateevent */
NTSTATUS NtCreateEvent(PHANDLE EventHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                       EVENT_TYPE Type, BOOLEAN InitialState)
{
    KPROCESSOR_MODE Mode = ExGetPreviousMode();
    EX_OBJECT_ATTRIBUTES Attributes;
    PKEVENT Event;

    if (Type != NotificationEvent && Type != SynchronizationEvent) {
        return STATUS_INVALID_PARAMETER;
    }
    NTSTATUS Status = ExCaptureObjectAttributes(&Attributes, ObjectAttributes, Mode);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    if (Attributes.Name.Length != 0) {
        ExFreeUnicodeString(&Attributes.Name);
        return STATUS_NOT_IMPLEMENTED;
    }
    Status = ObCreateObject(SvcEventType, (PVOID *)&Event);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    KeInitializeEvent(Event, Type, InitialState != FALSE);
    return ObReturnObject(Event, DesiredAccess, Attributes.Attributes, EventHandle, Mode);
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

NTSTATUS NtSetEvent(HANDLE EventHandle, PLONG PreviousState)
{
    return SvcChangeEvent(EventHandle, SvcSet, PreviousState);
}

NTSTATUS NtResetEvent(HANDLE EventHandle, PLONG PreviousState)
{
    return SvcChangeEvent(EventHandle, KeResetEvent, PreviousState);
}

NTSTATUS NtPulseEvent(HANDLE EventHandle, PLONG PreviousState)
{
    return SvcChangeEvent(EventHandle, SvcPulse, PreviousState);
}

NTSTATUS NtClearEvent(HANDLE EventHandle)
{
    return SvcChangeEvent(EventHandle, KeResetEvent, NULL);
}
