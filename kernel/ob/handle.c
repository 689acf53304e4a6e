/* SPDX-License-Identifier: MIT */
/*
 * Handles: small numbers that stand for references to objects, with the rights that were granted.
 *
 *   value            4 * index in the table; the two low bits are the caller's to play with; 0 is never valid
 *   top bit set      a kernel handle: an index in ObKernelHandleTable, refused from user mode
 *   -1, -2           the current process and thread, with all rights
 */
#include "kernel/ex/ex.h"
#include "kernel/ob/obp.h"

#define OBP_KERNEL_HANDLE   0xffffffff80000000ULL /* the bits that kernel handles have set */
#define OBP_KEPT_ATTRIBUTES (OBJ_INHERIT | OBJ_PROTECT_CLOSE)

PHANDLE_TABLE ObKernelHandleTable;
PHANDLE_TABLE (*ObCurrentHandleTable)(void);
PVOID (*ObCurrentProcess)(void);
PVOID (*ObCurrentThread)(void);

/* ---- Values ---- */

/* The table and the index that a handle means; an index that no table has when it means nothing. */
static ULONG64 ObpResolve(PHANDLE_TABLE *Table, HANDLE Handle, KPROCESSOR_MODE Mode)
{
    ULONG64 Value = (ULONG64)Handle;

    if ((LONG64)Value < 0) {
        *Table = Mode == KernelMode ? ObKernelHandleTable : NULL;
        Value = (Value & OBP_KERNEL_HANDLE) == OBP_KERNEL_HANDLE ? Value & ~OBP_KERNEL_HANDLE : 0;
    }
    return Value / 4;
}

static PHANDLE_ENTRY ObpHandleEntry(PHANDLE_TABLE *Table, HANDLE Handle, KPROCESSOR_MODE Mode, PULONG64 Index)
{
    *Index = ObpResolve(Table, Handle, Mode);
    return *Table != NULL ? ObpEntry(*Table, *Index) : NULL;
}

static PVOID ObpPseudoObject(HANDLE Handle)
{
    if (Handle == (HANDLE)(LONG_PTR)-1 && ObCurrentProcess != NULL) {
        return ObCurrentProcess();
    }
    if (Handle == (HANDLE)(LONG_PTR)-2 && ObCurrentThread != NULL) {
        return ObCurrentThread();
    }
    return NULL;
}

/* There is no security, so asking generally gives everything. */
static ACCESS_MASK ObpMapAccess(POBJECT_TYPE Type, ACCESS_MASK Access)
{
    if (Access & (GENERIC_ALL | GENERIC_READ | GENERIC_WRITE | GENERIC_EXECUTE | MAXIMUM_ALLOWED)) {
        return Type->Routines.ValidAccess;
    }
    return Access & Type->Routines.ValidAccess;
}

/* ---- Opening ---- */

/* Guards who owns an exclusive object: taken by those who open handles to it, not by those who close them, for a table may only
   cease to be the owner meanwhile. */
static KLOCK ObpOwnerLock = KLOCK_INITIALIZER(KlcExecutive);

static NTSTATUS ObpCountExclusive(POBJECT_HEADER Header, PHANDLE_TABLE Table)
{
    KIRQL Irql = KeAcquireLock(&ObpOwnerLock);
    if (Header->HandleCount == 0) {
        Header->Owner = Table;
    }
    bool Owned = Header->Owner == Table;
    if (Owned) {
        InterlockedIncrement(&Header->HandleCount);
    }
    KeReleaseLock(&ObpOwnerLock, Irql);
    return Owned ? STATUS_SUCCESS : STATUS_ACCESS_DENIED;
}

NTSTATUS ObpCountHandle(PVOID Object, PHANDLE_TABLE Table)
{
    POBJECT_HEADER Header = ObpHeader(Object);

    if (Header->Flags & OBP_EXCLUSIVE) {
        NTSTATUS Status = ObpCountExclusive(Header, Table);
        if (!NT_SUCCESS(Status)) {
            return Status;
        }
    } else {
        InterlockedIncrement(&Header->HandleCount);
    }
    InterlockedIncrement(&Header->Type->Handles);
    return STATUS_SUCCESS;
}

void ObpDropHandle(PVOID Object)
{
    POBJECT_TYPE Type = ObpType(Object);
    LONG Left = InterlockedDecrement(&ObpHeader(Object)->HandleCount);

    InterlockedDecrement(&Type->Handles);
    if (Type->Routines.Close != NULL) {
        Type->Routines.Close(Object, (ULONG)Left);
    }
    if (Left == 0 && ObpHeader(Object)->Name != NULL) {
        ObpRetireName(Object, FALSE);
    }
    ObfDereferenceObject(Object);
}

NTSTATUS ObpReserveHandle(PHANDLE_TABLE Table, ULONG Attributes, OBP_NEW_HANDLE *New)
{
    New->Table = Attributes & OBJ_KERNEL_HANDLE ? ObKernelHandleTable : Table;
    if (New->Table == NULL) {
        return STATUS_INVALID_HANDLE;
    }
    NTSTATUS Status = ObpAllocateEntry(New->Table, &New->Index, &New->Entry);
    if (NT_SUCCESS(Status)) {
        New->Handle = (HANDLE)((ULONG64)New->Index * 4 | (Attributes & OBJ_KERNEL_HANDLE ? OBP_KERNEL_HANDLE : 0));
    }
    return Status;
}

void ObpCancelHandle(const OBP_NEW_HANDLE *New)
{
    ObpFreeEntry(New->Table, New->Index);
}

void ObpFillHandle(const OBP_NEW_HANDLE *New, PVOID Object, ACCESS_MASK Access, ULONG Attributes)
{
    ObpSetEntry(New->Entry, Object, ObpMapAccess(ObpType(Object), Access), Attributes & OBP_KEPT_ATTRIBUTES);
}

NTSTATUS ObInsertHandle(PHANDLE_TABLE Table, PVOID Object, ACCESS_MASK Access, ULONG Attributes,
                        PHANDLE Handle)
{
    OBP_NEW_HANDLE New;
    NTSTATUS Status = ObpReserveHandle(Table, Attributes, &New);

    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    ObfReferenceObject(Object);
    Status = ObpCountHandle(Object, New.Table);
    if (!NT_SUCCESS(Status)) {
        ObfDereferenceObject(Object);
        ObpCancelHandle(&New);
        return Status;
    }
    ObpFillHandle(&New, Object, Access, Attributes);
    *Handle = New.Handle;
    return STATUS_SUCCESS;
}

/*
 * A handle to an object that the caller has a pointer to: in the kernel's table with OBJ_KERNEL_HANDLE, else
 * in the current process's. STATUS_OBJECT_TYPE_MISMATCH, STATUS_INSUFFICIENT_RESOURCES. PASSIVE.
 * (WDK page of the name)
 */
NTSTATUS ObOpenObjectByPointer(PVOID Object, ULONG HandleAttributes, PVOID PassedAccessState,
                               ACCESS_MASK DesiredAccess, POBJECT_TYPE ObjectType, KPROCESSOR_MODE AccessMode,
                               PHANDLE Handle)
{
    if (ObjectType != ObpType(Object) && (ObjectType != NULL || AccessMode != KernelMode)) {
        return STATUS_OBJECT_TYPE_MISMATCH;
    }
    return ObInsertHandle(ObCurrentHandleTable(), Object, DesiredAccess, HandleAttributes, Handle);
}
EXPORT(ObOpenObjectByPointer);

/* ---- Looking up ---- */

static BOOLEAN ObpFindHandle(PHANDLE_TABLE Table, HANDLE Handle, KPROCESSOR_MODE Mode, OBP_FOUND *Found)
{
    ULONG64 Index;
    PHANDLE_ENTRY Entry;

    Found->Object = ObpPseudoObject(Handle);
    if (Found->Object != NULL) {
        Found->Handle =
            (OBJECT_HANDLE_INFORMATION){.GrantedAccess = ObpType(Found->Object)->Routines.ValidAccess};
        ObfReferenceObject(Found->Object);
        return TRUE;
    }
    Entry = ObpHandleEntry(&Table, Handle, Mode, &Index);
    return Entry != NULL && ObpReferenceEntry(Entry, NULL, Found);
}

NTSTATUS ObReferenceHandle(PHANDLE_TABLE Table, HANDLE Handle, ACCESS_MASK Access, POBJECT_TYPE Type,
                           KPROCESSOR_MODE Mode, PVOID *Object, POBJECT_HANDLE_INFORMATION Information)
{
    OBP_FOUND Found;
    NTSTATUS Status = STATUS_SUCCESS;

    *Object = NULL;
    if (!ObpFindHandle(Table, Handle, Mode, &Found)) {
        return STATUS_INVALID_HANDLE;
    }
    if (Type != NULL && ObpType(Found.Object) != Type) {
        Status = STATUS_OBJECT_TYPE_MISMATCH;
    } else if (Mode != KernelMode &&
               (ObpMapAccess(ObpType(Found.Object), Access) & ~Found.Handle.GrantedAccess) != 0) {
        Status = STATUS_ACCESS_DENIED;
    }
    if (!NT_SUCCESS(Status)) {
        ObfDereferenceObject(Found.Object);
        return Status;
    }
    if (Information != NULL) {
        *Information = Found.Handle;
    }
    *Object = Found.Object;
    return STATUS_SUCCESS;
}

/*
 * The object of a handle of the current process, of a kernel handle (AccessMode KernelMode only), or of a
 * pseudo handle, with a reference for the caller. Checked in this order: STATUS_INVALID_HANDLE;
 * STATUS_OBJECT_TYPE_MISMATCH, when a type is given; STATUS_ACCESS_DENIED, for UserMode only. PASSIVE (here:
 * <= DISPATCH works). (WDK page of the name)
 */
NTSTATUS ObReferenceObjectByHandle(HANDLE Handle, ACCESS_MASK DesiredAccess, POBJECT_TYPE ObjectType,
                                   KPROCESSOR_MODE AccessMode, PVOID *Object,
                                   POBJECT_HANDLE_INFORMATION HandleInformation)
{
    return ObReferenceHandle(ObCurrentHandleTable(), Handle, DesiredAccess, ObjectType, AccessMode, Object,
                             HandleInformation);
}
EXPORT(ObReferenceObjectByHandle);

ULONG ObCountHandles(PHANDLE_TABLE Table)
{
    return Table != NULL ? (ULONG)Table->InUse : 0;
}

/* ---- Closing ---- */

NTSTATUS ObpCloseHandle(PHANDLE_TABLE Table, HANDLE Handle, KPROCESSOR_MODE Mode, BOOLEAN EvenProtected)
{
    ULONG64 Index;
    PVOID Object;

    if (ObpPseudoObject(Handle) != NULL) {
        return STATUS_SUCCESS;
    }
    PHANDLE_ENTRY Entry = ObpHandleEntry(&Table, Handle, Mode, &Index);
    if (Entry == NULL) {
        return STATUS_INVALID_HANDLE;
    }
    NTSTATUS Status = ObpClearEntry(Entry, EvenProtected, &Object);
    if (NT_SUCCESS(Status)) {
        ObpFreeEntry(Table, (ULONG)Index);
        ObpDropHandle(Object);
    }
    return Status;
}

NTSTATUS ObCloseHandle(PHANDLE_TABLE Table, HANDLE Handle, KPROCESSOR_MODE Mode)
{
    return ObpCloseHandle(Table, Handle, Mode, FALSE);
}

/* ---- Tables ---- */

NTSTATUS ObCreateHandleTable(PHANDLE_TABLE *Table)
{
    return ObpCreateTable(0, Table);
}

void ObDestroyHandleTable(PHANDLE_TABLE Table)
{
    PVOID Object;

    for (ULONG Index = 1; Index < Table->Limit; Index++) {
        if (NT_SUCCESS(ObpClearEntry(ObpEntry(Table, Index), TRUE, &Object))) {
            ObpDropHandle(Object);
        }
    }
    ObpFreeTable(Table);
}

/* An entry that is closed meanwhile is not copied; one that is opened meanwhile may be. Nor is one of an exclusive object, whose
   handles are all in one table. */
NTSTATUS ObDuplicateHandles(PHANDLE_TABLE Source, PHANDLE_TABLE Target)
{
    NTSTATUS Status = STATUS_SUCCESS;
    OBP_FOUND Found;

    for (ULONG Index = 1; Index < Source->Limit && NT_SUCCESS(Status); Index++) {
        if (!ObpReferenceEntry(ObpEntry(Source, Index), NULL, &Found)) {
            continue;
        }
        if ((Found.Handle.HandleAttributes & OBJ_INHERIT) && NT_SUCCESS(ObpCountHandle(Found.Object, Target))) {
            Status = ObpPlaceEntry(Target, Index, &Found);
            if (!NT_SUCCESS(Status)) {
                ObpDropHandle(Found.Object);
            }
        } else {
            ObfDereferenceObject(Found.Object);
        }
    }
    ObpRebuildFreeList(Target);
    return Status;
}

NTSTATUS ObReturnHandle(PHANDLE_TABLE Table, PHANDLE Destination, HANDLE Handle, KPROCESSOR_MODE Mode)
{
    NTSTATUS Status = ExCopyOut(Destination, &Handle, sizeof(Handle), Mode);
    if (!NT_SUCCESS(Status)) {
        ObpCloseHandle(Table, Handle, KernelMode, TRUE);
    }
    return Status;
}

NTSTATUS ObReturnObject(PVOID Object, ACCESS_MASK Access, ULONG Attributes, PHANDLE Destination, KPROCESSOR_MODE Mode)
{
    PHANDLE_TABLE Table = ObCurrentHandleTable();
    HANDLE Handle;
    NTSTATUS Status = ObInsertHandle(Table, Object, Access, Attributes, &Handle);
    ObDereferenceObject(Object);
    return NT_SUCCESS(Status) ? ObReturnHandle(Table, Destination, Handle, Mode) : Status;
}
