/* SPDX-License-Identifier: MIT */
/* Events with names, which a driver shares with programs or other drivers. */
#include <ntddk.h>

/* The event of this name, made if there is none. */
static PKEVENT IopCreateNamedEvent(PUNICODE_STRING Name, EVENT_TYPE Type, PHANDLE Handle)
{
    OBJECT_ATTRIBUTES Attributes;
    PKEVENT Event;

    InitializeObjectAttributes(&Attributes, Name, OBJ_OPENIF | OBJ_KERNEL_HANDLE, NULL, NULL);
    if (!NT_SUCCESS(ZwCreateEvent(Handle, EVENT_ALL_ACCESS, &Attributes, Type, TRUE))) {
        return NULL;
    }
    ObReferenceObjectByHandle(*Handle, 0, NULL, KernelMode, (PVOID *)&Event, NULL);
    ObDereferenceObject(Event); /* the handle keeps it */
    return Event;
}

/* Opens the named notification event ("\BaseNamedObjects\..."), or makes it, signalled. *EventHandle is a
   kernel handle, and the event lives until that is closed (ZwClose). NULL: no such path, another type of
   object, no memory. PASSIVE_LEVEL. (WDK page of the name) */
PKEVENT IoCreateNotificationEvent(PUNICODE_STRING EventName, PHANDLE EventHandle)
{
    return IopCreateNamedEvent(EventName, NotificationEvent, EventHandle);
}

/* As IoCreateNotificationEvent, with a synchronization event if one is made. PASSIVE_LEVEL. (WDK page of the
   name) */
PKEVENT IoCreateSynchronizationEvent(PUNICODE_STRING EventName, PHANDLE EventHandle)
{
    return IopCreateNamedEvent(EventName, SynchronizationEvent, EventHandle);
}
