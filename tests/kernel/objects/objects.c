/* SPDX-License-Identifier: MIT */
/*
 * Objects: the name space (names.c), handles and object callbacks (handles.c).
 */
#include "objects.h"

NTSTATUS MakeEvent(PHANDLE Handle, POBJECT_ATTRIBUTES Attributes)
{
    return ZwCreateEvent(Handle, EVENT_ALL_ACCESS, Attributes, NotificationEvent, FALSE);
}

NTSTATUS OpenEvent(PHANDLE Handle, POBJECT_ATTRIBUTES Attributes)
{
    return ZwOpenEvent(Handle, EVENT_ALL_ACCESS, Attributes);
}

NTSTATUS TryEvent(PCWSTR Name, ULONG Flags)
{
    HANDLE Handle;
    NTSTATUS Status = OpenEvent(&Handle, NAMED(Name, Flags));
    if (NT_SUCCESS(Status)) {
        ZwClose(Handle);
    }
    return Status;
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    RunNames(DriverObject);
    RunHandles();
    return STATUS_SUCCESS;
}
