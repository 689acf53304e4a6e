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

/* A handle to a new directory object; a kernel handle if the attributes say so. With OBJ_PERMANENT the name
   stays until ZwMakeTemporaryObject; else it goes with the last handle. With OBJ_OPENIF a directory that has
   the name is opened (STATUS_OBJECT_NAME_EXISTS). STATUS_OBJECT_NAME_COLLISION, STATUS_OBJECT_NAME_INVALID,
   STATUS_OBJECT_PATH_NOT_FOUND, STATUS_OBJECT_PATH_SYNTAX_BAD. PASSIVE_LEVEL. (WDK page of the name) */
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

#define SVC_LIST_TAG  'tsLS'
#define SVC_MAX_LIST  0x20000 /* bytes of one answer: more than the longest name needs */

/* The answer as it grows: entries from the front, their strings, which the entries know by offset yet, from
   the back. */
typedef struct _SVC_LIST {
    POBJECT_DIRECTORY_INFORMATION Entry;
    ULONG Size, Count;
    ULONG Strings; /* bytes of them */
    BOOLEAN Single;
    ULONG Missing; /* what the first one that has found no place would have needed in all; 0: there was none */
} SVC_LIST;

static PWCHAR SvcPutString(SVC_LIST *List, PUNICODE_STRING String, USHORT Length)
{
    List->Strings += Length + sizeof(WCHAR);
    ULONG Offset = List->Size - List->Strings;
    *String = (UNICODE_STRING){Length, Length + sizeof(WCHAR), (PWCHAR)(ULONG_PTR)Offset};
    return Add2Ptr(List->Entry, Offset);
}

static bool SvcListName(PVOID Context, PCUNICODE_STRING Name, const char *Type)
{
    SVC_LIST *List = Context;
    ULONG TypeLength = (ULONG)strlen(Type);
    ULONG Needed = (List->Count + 2) * sizeof(*List->Entry) + List->Strings + Name->Length + (TypeLength + 2) * sizeof(WCHAR);

    if (Needed > List->Size || (List->Single && List->Count == 1)) {
        List->Missing = Needed;
        return false;
    }
    POBJECT_DIRECTORY_INFORMATION Entry = &List->Entry[List->Count++];
    RtlCopyMemory(SvcPutString(List, &Entry->Name, Name->Length), Name->Buffer, Name->Length);
    PWCHAR Text = SvcPutString(List, &Entry->TypeName, (USHORT)(TypeLength * sizeof(WCHAR)));
    for (ULONG i = 0; i < TypeLength; i++) {
        Text[i] = (WCHAR)Type[i];
    }
    return true;
}

/* An empty entry, then the strings: the answer as somebody sees it who reads it at Buffer. Returns its
   size. */
static ULONG SvcCloseList(SVC_LIST *List, PVOID Buffer)
{
    ULONG Start = List->Size - List->Strings, Front = (List->Count + 1) * sizeof(*List->Entry);

    for (ULONG i = 0; i < List->Count; i++) {
        List->Entry[i].Name.Buffer = Add2Ptr(Buffer, (ULONG_PTR)List->Entry[i].Name.Buffer - Start + Front);
        List->Entry[i].TypeName.Buffer = Add2Ptr(Buffer, (ULONG_PTR)List->Entry[i].TypeName.Buffer - Start + Front);
    }
    RtlMoveMemory(Add2Ptr(List->Entry, Front), Add2Ptr(List->Entry, Start), List->Strings);
    return Front + List->Strings;
}

static NTSTATUS SvcReturnList(SVC_LIST *List, PVOID Buffer, PULONG ReturnLength, KPROCESSOR_MODE Mode)
{
    ULONG Size = List->Count != 0 ? SvcCloseList(List, Buffer) : List->Missing;
    NTSTATUS Status = List->Count != 0 ? ExCopyOut(Buffer, List->Entry, Size, Mode) : STATUS_SUCCESS;

    if (NT_SUCCESS(Status) && ReturnLength != NULL) {
        Status = ExCopyOut(ReturnLength, &Size, sizeof(Size), Mode);
    }
    if (!NT_SUCCESS(Status) || (List->Count != 0 && (List->Missing == 0 || List->Single))) {
        return Status;
    }
    return List->Count != 0 ? STATUS_MORE_ENTRIES : List->Missing != 0 ? STATUS_BUFFER_TOO_SMALL : STATUS_NO_MORE_ENTRIES;
}

/*
 * Names in a directory and their objects' types: entries, an empty one at the end, with their strings behind
 * them. The right DIRECTORY_QUERY. *Context says with which name to go on, and is moved on; RestartScan: with
 * the first. A name that comes or goes between two calls may shift the others. ReturnSingleEntry: one.
 * *ReturnLength: the answer's size. STATUS_MORE_ENTRIES: others did not fit; STATUS_BUFFER_TOO_SMALL: not
 * even one did, *ReturnLength says what it needs; STATUS_NO_MORE_ENTRIES. PASSIVE. (WDK page of the name)
 */
NTSTATUS NtQueryDirectoryObject(HANDLE DirectoryHandle, PVOID Buffer, ULONG Length, BOOLEAN ReturnSingleEntry, BOOLEAN RestartScan,
                                PULONG Context, PULONG ReturnLength)
{
    KPROCESSOR_MODE Mode = ExGetPreviousMode();
    SVC_LIST List = {.Size = Length < SVC_MAX_LIST ? Length & ~7u : SVC_MAX_LIST, .Single = ReturnSingleEntry};
    ULONG First;
    PVOID Directory;
    NTSTATUS Status = ExCopyIn(&First, Context, sizeof(First), Mode);

    if (NT_SUCCESS(Status)) {
        Status = ObReferenceObjectByHandle(DirectoryHandle, DIRECTORY_QUERY, ObDirectoryType, Mode, &Directory, NULL);
    }
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    First = RestartScan ? 0 : First;
    List.Entry = ExAllocatePool2(POOL_FLAG_NON_PAGED, List.Size + sizeof(*List.Entry), SVC_LIST_TAG);
    if (List.Entry == NULL) {
        ObDereferenceObject(Directory);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    ObVisitNames(Directory, First, SvcListName, &List);
    ObDereferenceObject(Directory);
    Status = SvcReturnList(&List, Buffer, ReturnLength, Mode);
    ExFreePoolWithTag(List.Entry, SVC_LIST_TAG);
    First += List.Count;
    NTSTATUS Written = NT_ERROR(Status) ? Status : ExCopyOut(Context, &First, sizeof(First), Mode);
    return NT_SUCCESS(Written) ? Status : Written;
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

/* A handle to a new symbolic link from the name in the attributes to the path LinkTarget.
   STATUS_OBJECT_NAME_COLLISION and the other statuses of names; STATUS_INVALID_PARAMETER without a target.
   PASSIVE_LEVEL. (WDK pages of IoCreateSymbolicLink and "Object Directories") */
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

/* A handle to the symbolic link of a name. STATUS_OBJECT_NAME_NOT_FOUND, STATUS_OBJECT_TYPE_MISMATCH, and the
   other statuses of paths. PASSIVE_LEVEL. (WDK page of the name) */
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

/* The path that a symbolic link leads to, into LinkTarget's buffer, its length in bytes also to
   *ReturnedLength if that is wanted. STATUS_BUFFER_TOO_SMALL, STATUS_INVALID_HANDLE,
   STATUS_OBJECT_TYPE_MISMATCH. PASSIVE_LEVEL. (WDK page of the name) */
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

/* The object of a handle is not permanent any more: its name goes with its last handle.
   STATUS_INVALID_HANDLE. Differs: programs cannot ask for it, as they cannot make permanent objects.
   PASSIVE_LEVEL; may block. (WDK page of the name) */
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
