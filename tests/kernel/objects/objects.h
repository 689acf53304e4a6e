/* SPDX-License-Identifier: MIT */
/* What the parts of the module share. */
#ifndef PRIMER_TESTS_OBJECTS_H
#define PRIMER_TESTS_OBJECTS_H

#include "../ktest.h"
#include <primertest.h>

VOID RunNames(PDRIVER_OBJECT DriverObject);

/* A named object for one call: the attributes in a compound literal, the string beside it. */
static inline POBJECT_ATTRIBUTES Named(POBJECT_ATTRIBUTES Attributes, PUNICODE_STRING String, PCWSTR Name, ULONG Flags,
                                       HANDLE Root)
{
    RtlInitUnicodeString(String, Name);
    InitializeObjectAttributes(Attributes, String, Flags | OBJ_KERNEL_HANDLE, Root, NULL);
    return Attributes;
}

#define NAMED(Name_, Flags_)          Named(&(OBJECT_ATTRIBUTES){0}, &(UNICODE_STRING){0}, Name_, Flags_, NULL)
#define NAMED_IN(Root_, Name_, Flags_) Named(&(OBJECT_ATTRIBUTES){0}, &(UNICODE_STRING){0}, Name_, Flags_, Root_)

static inline NTSTATUS MakeEvent(PHANDLE Handle, POBJECT_ATTRIBUTES Attributes)
{
    return ZwCreateEvent(Handle, EVENT_ALL_ACCESS, Attributes, NotificationEvent, FALSE);
}

static inline NTSTATUS OpenEvent(PHANDLE Handle, POBJECT_ATTRIBUTES Attributes)
{
    return ZwOpenEvent(Handle, EVENT_ALL_ACCESS, Attributes);
}

/* The status of opening the event of this name; it is closed again. */
static inline NTSTATUS TryEvent(PCWSTR Name, ULONG Flags)
{
    HANDLE Handle;
    NTSTATUS Status = OpenEvent(&Handle, NAMED(Name, Flags));
    if (NT_SUCCESS(Status)) {
        ZwClose(Handle);
    }
    return Status;
}

#endif
