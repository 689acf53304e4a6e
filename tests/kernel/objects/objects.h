/* SPDX-License-Identifier: MIT */
/* What the parts of the module share. */
#ifndef PRIMER_TESTS_OBJECTS_H
#define PRIMER_TESTS_OBJECTS_H

#include "../ktest.h"
#include <primertest.h>

VOID RunNames(PDRIVER_OBJECT DriverObject);
VOID RunHandles(VOID);

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

NTSTATUS MakeEvent(PHANDLE Handle, POBJECT_ATTRIBUTES Attributes);
NTSTATUS OpenEvent(PHANDLE Handle, POBJECT_ATTRIBUTES Attributes);
/* The status of opening the event of this name; it is closed again. */
NTSTATUS TryEvent(PCWSTR Name, ULONG Flags);

#endif
