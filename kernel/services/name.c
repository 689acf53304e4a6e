/* SPDX-License-Identifier: MIT */
/*
 * Services on the object name space: directories and symbolic links. No lock here.
 */
#include "kernel/rtl/export.h"
#include "kernel/services/services.h"
#include <ntapi.h>

#define SVC_MAX_TARGET 4096 /* bytes of a link's target */

NTSTATUS SvcOpenByName(PHANDLE Handle, ACCESS_MASK Access, POBJECT_ATTRIBUTES ObjectAttributes, POBJECT_TYPE Type)
{
    KPROCESSOR_MODE Mode = ExGetPreviousMode();
    EX_OBJECT_ATTRIBUTES Attributes;
    NTSTATUS Status = ExCaptureObjectAttributes(&Attributes, ObjectAttributes, Mode);

    if (NT_SUCCESS(Status)) {
        Status = ObOpenObjectByName(&Attributes, Type, Access, Mode, NULL, Handle);
    }
    ExFreeUnicodeString(&Attributes.Name);
    return Status;
}

/* ---- Directories ---- */

/* A handle to a new directory object; a kernel handle if the attributes say so. With OBJ_PERMANENT the name stays until
   ZwMakeTemporaryObject; else it goes with the last handle. With OBJ_OPENIF a directory that has the name is opened
   (STATUS_OBJECT_NAME_EXISTS). STATUS_OBJECT_NAME_COLLISION, STATUS_OBJECT_NAME_INVALID, STATUS_OBJECT_PATH_NOT_FOUND,
   STATUS_OBJECT_PATH_SYNTAX_BAD. PASSIVE_LEVEL. (WDK page of the name) */
NTSTATUS NtCreateDirectoryObject(PHANDLE DirectoryHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes)
{
    return SvcCreateNamed(ObDirectoryType, ObjectAttributes, DesiredAccess, DirectoryHandle, NULL, NULL);
}

/* A handle to the directory of a name. The statuses of ObOpenObjectByName. PASSIVE.
   (WDK page of the name) */
NTSTATUS NtOpenDirectoryObject(PHANDLE DirectoryHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes)
{
    return SvcOpenByName(DirectoryHandle, DesiredAccess, ObjectAttributes, ObDirectoryType);
}

/* ---- Symbolic links ---- */

static NTSTATUS SvcCreateLink(PUNICODE_STRING LinkTarget, KPROCESSOR_MODE Mode, PVOID *Link)
{
    UNICODE_STRING Target;
    NTSTATUS Status = ExCaptureUnicodeString(&Target, LinkTarget, SVC_MAX_TARGET, Mode);

    if (NT_SUCCESS(Status) && Target.Length == 0) {
        Status = STATUS_INVALID_PARAMETER;
    }
    return NT_SUCCESS(Status) ? ObCreateSymbolicLink(&Target, Link) : Status;
}

/* A handle to a new symbolic link from the name in the attributes to the path LinkTarget. STATUS_OBJECT_NAME_COLLISION and the
   other statuses of names; STATUS_INVALID_PARAMETER without a target. PASSIVE_LEVEL. (WDK pages of IoCreateSymbolicLink and
   "Object Directories") */
NTSTATUS NtCreateSymbolicLinkObject(PHANDLE LinkHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                                    PUNICODE_STRING LinkTarget)
{
    KPROCESSOR_MODE Mode = ExGetPreviousMode();
    EX_OBJECT_ATTRIBUTES Attributes;
    PVOID Link;
    NTSTATUS Status = ExCaptureObjectAttributes(&Attributes, ObjectAttributes, Mode);

    if (NT_SUCCESS(Status)) {
        Status = SvcCreateLink(LinkTarget, Mode, &Link);
    }
    if (NT_SUCCESS(Status)) {
        Status = ObInsertObject(Link, &Attributes, DesiredAccess, LinkHandle, Mode);
    }
    ExFreeUnicodeString(&Attributes.Name);
    return Status;
}

/* A handle to the symbolic link of a name. STATUS_OBJECT_NAME_NOT_FOUND, STATUS_OBJECT_TYPE_MISMATCH, and the other statuses of paths.
   PASSIVE_LEVEL. (WDK page of the name) */
NTSTATUS NtOpenSymbolicLinkObject(PHANDLE LinkHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes)
{
    return SvcOpenByName(LinkHandle, DesiredAccess, ObjectAttributes, ObSymbolicLinkType);
}

/* Copies the target to the caller's string, and says how long it is. */
static NTSTATUS SvcReturnTarget(PCUNICODE_STRING Target, PUNICODE_STRING LinkTarget, PULONG ReturnedLength, KPROCESSOR_MODE Mode)
{
    UNICODE_STRING Given;
    ULONG Length = Target->Length;
    NTSTATUS Status = ExCopyIn(&Given, LinkTarget, sizeof(Given), Mode);

    if (NT_SUCCESS(Status) && ReturnedLength != NULL) {
        Status = ExCopyOut(ReturnedLength, &Length, sizeof(Length), Mode);
    }
    if (NT_SUCCESS(Status) && Given.MaximumLength < Target->Length) {
        Status = STATUS_BUFFER_TOO_SMALL;
    }
    if (NT_SUCCESS(Status)) {
        Status = ExCopyOut(Given.Buffer, Target->Buffer, Target->Length, Mode);
    }
    return NT_SUCCESS(Status) ? ExCopyOut(&LinkTarget->Length, &Target->Length, sizeof(Target->Length), Mode) : Status;
}

/* The path that a symbolic link leads to, into LinkTarget's buffer, its length in bytes also to *ReturnedLength if that is wanted.
   STATUS_BUFFER_TOO_SMALL, STATUS_INVALID_HANDLE, STATUS_OBJECT_TYPE_MISMATCH. PASSIVE_LEVEL. (WDK page of the name) */
NTSTATUS NtQuerySymbolicLinkObject(HANDLE LinkHandle, PUNICODE_STRING LinkTarget, PULONG ReturnedLength)
{
    KPROCESSOR_MODE Mode = ExGetPreviousMode();
    PVOID Link;
    NTSTATUS Status = ObReferenceObjectByHandle(LinkHandle, SYMBOLIC_LINK_QUERY, ObSymbolicLinkType, Mode, &Link, NULL);

    if (NT_SUCCESS(Status)) {
        Status = SvcReturnTarget(ObSymbolicLinkTarget(Link), LinkTarget, ReturnedLength, Mode);
        ObDereferenceObject(Link);
    }
    return Status;
}

/* ---- Permanent objects ---- */

/* The object of a handle is not permanent any more: its name goes with its last handle. STATUS_INVALID_HANDLE. Differs: programs
   cannot ask for it, as they cannot make permanent objects. PASSIVE_LEVEL; may block. (WDK page of the name) */
NTSTATUS ZwMakeTemporaryObject(HANDLE Handle)
{
    PVOID Object;
    NTSTATUS Status = ObReferenceObjectByHandle(Handle, 0, NULL, KernelMode, &Object, NULL);

    if (NT_SUCCESS(Status)) {
        ObMakeTemporaryObject(Object);
        ObDereferenceObject(Object);
    }
    return Status;
}
EXPORT(ZwMakeTemporaryObject);
