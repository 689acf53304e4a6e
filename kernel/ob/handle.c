/* SPDX-License-Identifier: MIT */
/*
 * Handles: small numbers that stand for references to objects, with the rights that were granted.
 *
 *   value            a multiple of 4, of an entry of the table (obp.h); the two low bits are the caller's to play with; 0 is never valid
 *   top bit set      a kernel handle: a value in ObKernelHandleTable, refused from user mode
 *   -1, -2           the current process and thread, with all rights
 */
#include "kernel/ex/ex.h"
#include "kernel/ob/obp.h"

#define OBP_KERNEL_HANDLE   0xffffffff80000000ULL /* the bits that kernel handles have set */
#define OBP_KEPT_ATTRIBUTES (OBJ_INHERIT | OBJ_PROTECT_CLOSE)

PHANDLE_TABLE ObKernelHandleTable;
HANDLE_TABLE ObEmptyHandleTable = {.Ended = TRUE};
PVOID (*ObCurrentProcess)(void);
PVOID (*ObCurrentThread)(void);

/* ---- Values ---- */

/* The table that a handle is in, and its value there; one that no table has when the handle means nothing. */
static inline ULONG64 ObpResolve(PHANDLE_TABLE *Table, HANDLE Handle, KPROCESSOR_MODE Mode)
{
    ULONG64 Value = (ULONG64)Handle;

    if ((LONG64)Value >= 0) {
        return Value;
    }
    *Table = Mode == KernelMode ? ObKernelHandleTable : &ObEmptyHandleTable;
    return (Value & OBP_KERNEL_HANDLE) == OBP_KERNEL_HANDLE ? Value & ~OBP_KERNEL_HANDLE : 0;
}

static inline PHANDLE_ENTRY ObpHandleEntry(PHANDLE_TABLE *Table, HANDLE Handle, KPROCESSOR_MODE Mode, PULONG64 Value)
{
    *Value = ObpResolve(Table, Handle, Mode);
    return ObpEntry(*Table, *Value);
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

ACCESS_MASK ObMapAccess(POBJECT_TYPE Type, ACCESS_MASK Access)
{
    const GENERIC_MAPPING *Meaning = &Type->Routines.Access;

    RtlMapGenericMask(&Access, Meaning);
    return Access & MAXIMUM_ALLOWED ? Meaning->GenericAll : Access & Meaning->GenericAll;
}

/* ---- Opening ---- */

/* Guards who owns an exclusive object: taken by those who open handles to it, not by those who close them,
   for a table may only cease to be the owner meanwhile. */
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
    NTSTATUS Status = ObpAllocateEntry(New->Table, &New->Value, &New->Entry);
    if (NT_SUCCESS(Status)) {
        KdPoint(PrimerPointEntryReserved, ArchCurrentThread());
        New->Handle = (HANDLE)((ULONG64)New->Value | (Attributes & OBJ_KERNEL_HANDLE ? OBP_KERNEL_HANDLE : 0));
    }
    return Status;
}

void ObpCancelHandle(const OBP_NEW_HANDLE *New)
{
    ObpFreeEntry(New->Table, New->Value);
}

void ObpFillHandle(const OBP_NEW_HANDLE *New, PVOID Object, ACCESS_MASK Access, ULONG Attributes)
{
    ObpSetEntry(New->Entry, Object, ObMapAccess(ObpType(Object), Access), Attributes & OBP_KEPT_ATTRIBUTES);
    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* first the entry, then Ended */
    if (New->Table->Ended) {
        ObpCloseHandle(New->Table, New->Handle, KernelMode, TRUE); /* the process's end has perhaps not seen it */
    }
}

static NTSTATUS ObpInsertHandle(PHANDLE_TABLE Table, PVOID Object, ACCESS_MASK Access, ULONG Attributes, PHANDLE Handle)
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

/* Between the routines of ObRegisterCallbacks, if there are any. */
static NTSTATUS ObpInsertFiltered(OBP_FILTERING *Filtering, PHANDLE_TABLE Table, PVOID Object, ACCESS_MASK Access, ULONG Attributes,
                                  PHANDLE Handle)
{
    Filtering->KernelHandle = (Attributes & OBJ_KERNEL_HANDLE) != 0;
    ACCESS_MASK Left = ObpFilterBefore(Filtering, Object, ObMapAccess(ObpType(Object), Access));
    NTSTATUS Status = ObpInsertHandle(Table, Object, Left, Attributes, Handle);
    ObpFilterAfter(Filtering, Object, Status, Left);
    return Status;
}

NTSTATUS ObInsertHandle(PHANDLE_TABLE Table, PVOID Object, ACCESS_MASK Access, ULONG Attributes, PHANDLE Handle)
{
    OBP_FILTERING Filtering;

    if (ObpFilterCount == 0) {
        return ObpInsertHandle(Table, Object, Access, Attributes, Handle);
    }
    Filtering.Operation = OB_OPERATION_HANDLE_CREATE;
    Filtering.SourceProcess = Filtering.TargetProcess = NULL;
    return ObpInsertFiltered(&Filtering, Table, Object, Access, Attributes, Handle);
}

NTSTATUS ObDuplicateHandle(PHANDLE_TABLE Table, PVOID Object, ACCESS_MASK Access, ULONG Attributes, PVOID SourceProcess,
                           PVOID TargetProcess, PHANDLE Handle)
{
    OBP_FILTERING Filtering;

    Filtering.Operation = OB_OPERATION_HANDLE_DUPLICATE;
    Filtering.SourceProcess = SourceProcess;
    Filtering.TargetProcess = TargetProcess;
    return ObpInsertFiltered(&Filtering, Table, Object, Access, Attributes, Handle);
}

NTSTATUS ObSetHandleFlags(PHANDLE_TABLE Table, HANDLE Handle, ULONG Attributes, KPROCESSOR_MODE Mode)
{
    ULONG64 Value;
    PHANDLE_ENTRY Entry = ObpHandleEntry(&Table, Handle, Mode, &Value);

    return Entry != NULL ? ObpSetEntryFlags(Entry, Attributes & OBP_KEPT_ATTRIBUTES) : STATUS_INVALID_HANDLE;
}

void ObQueryCounts(PVOID Object, PULONG Handles, PULONG Pointers)
{
    *Handles = (ULONG)ObpHeader(Object)->HandleCount;
    *Pointers = (ULONG)ObpHeader(Object)->PointerCount;
}

const char *ObTypeName(PVOID Object)
{
    return ObpType(Object)->Routines.Name;
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

static NTSTATUS ObpReferencePseudo(PVOID Object, POBJECT_TYPE Type, PVOID *Result, POBJECT_HANDLE_INFORMATION Information)
{
    if (Type != NULL && ObpType(Object) != Type) {
        return STATUS_OBJECT_TYPE_MISMATCH;
    }
    ObfReferenceObject(Object);
    if (Information != NULL) {
        *Information = (OBJECT_HANDLE_INFORMATION){.GrantedAccess = ObpType(Object)->Routines.Access.GenericAll};
    }
    *Result = Object;
    return STATUS_SUCCESS;
}

/* May who has a handle with these rights ask for that? Generic rights, and those that the type does not have,
   are looked at only when the answer is not yes at once. */
static inline bool ObpGrants(PVOID Object, ACCESS_MASK Granted, ACCESS_MASK Access)
{
    return (Access & ~Granted) == 0 || (ObMapAccess(ObpType(Object), Access) & ~Granted) == 0;
}

/* The object cannot go while its entry is locked: that has a reference. */
static inline NTSTATUS ObpReferenceLocked(PVOID Found, PHANDLE_ENTRY Entry, ACCESS_MASK Access, POBJECT_TYPE Type,
                                          KPROCESSOR_MODE Mode)
{
    if (Type != NULL && ObpType(Found) != Type) {
        return STATUS_OBJECT_TYPE_MISMATCH;
    }
    if (Mode != KernelMode && !ObpGrants(Found, Entry->Access, Access)) {
        return STATUS_ACCESS_DENIED;
    }
    InterlockedIncrement64(&ObpHeader(Found)->PointerCount);
    return STATUS_SUCCESS;
}

NTSTATUS ObReferenceHandle(PHANDLE_TABLE Table, HANDLE Handle, ACCESS_MASK Access, POBJECT_TYPE Type,
                           KPROCESSOR_MODE Mode, PVOID *Object, POBJECT_HANDLE_INFORMATION Information)
{
    PVOID Pseudo = ObpPseudoObject(Handle);
    ULONG64 Value;
    KIRQL Irql;

    *Object = NULL;
    if (Pseudo != NULL) {
        return ObpReferencePseudo(Pseudo, Type, Object, Information);
    }
    PHANDLE_ENTRY Entry = ObpHandleEntry(&Table, Handle, Mode, &Value);
    PVOID Found = Entry != NULL ? ObpLockEntry(Entry, &Irql) : NULL;
    if (Found == NULL) {
        return STATUS_INVALID_HANDLE;
    }
    NTSTATUS Status = ObpReferenceLocked(Found, Entry, Access, Type, Mode);
    if (NT_SUCCESS(Status)) {
        *Object = Found;
    }
    if (Information != NULL) {
        *Information = (OBJECT_HANDLE_INFORMATION){Entry->Attributes, Entry->Access};
    }
    ObpUnlockEntry(Entry, Found, Irql);
    return Status;
}

static NOINLINE NTSTATUS ObpReferenceObjectByHandle(HANDLE Handle, ACCESS_MASK DesiredAccess, POBJECT_TYPE ObjectType,
                                                    KPROCESSOR_MODE AccessMode, PVOID *Object,
                                                    POBJECT_HANDLE_INFORMATION HandleInformation)
{
    return ObReferenceHandle(ObCurrentHandleTable(), Handle, DesiredAccess, ObjectType, AccessMode, Object, HandleInformation);
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
    PHANDLE_TABLE Table = ObCurrentHandleTable();
    PVOID Found;

    /* The usual case, straight through: nothing is written but the entry and the object's count. All else,
       errors, generic rights, kernel and pseudo handles, an entry that is locked, begins anew below. */
    if (ObpIsBelowLimit(Table, (ULONG64)Handle)) {
        PHANDLE_ENTRY Entry = ObpKnownEntry(Table, (ULONG64)Handle);
        KdPoint(PrimerPointEntryFound, ArchCurrentThread());
        KIRQL Irql = KiRaiseToDispatch();
        if (ObpTryLockEntry(Entry, &Found)) {
            KdPoint(PrimerPointEntryLocked, ArchCurrentThread());
            if ((DesiredAccess & ~Entry->Access) == 0 && (ObjectType == NULL || ObpType(Found) == ObjectType)) {
                InterlockedIncrement64(&ObpHeader(Found)->PointerCount);
                if (HandleInformation != NULL) {
                    *HandleInformation = (OBJECT_HANDLE_INFORMATION){Entry->Attributes, Entry->Access};
                }
                *Object = Found;
                ObpUnlockEntry(Entry, Found, Irql);
                return STATUS_SUCCESS;
            }
            __atomic_store_n(&Entry->Value, (ULONG64)Found, __ATOMIC_RELEASE);
        }
        ArchSetIrql(Irql); /* what is pending is served when the entry is left for good */
    }
    return ObpReferenceObjectByHandle(Handle, DesiredAccess, ObjectType, AccessMode, Object, HandleInformation);
}
EXPORT(ObReferenceObjectByHandle);

ULONG ObCountHandles(PHANDLE_TABLE Table)
{
    return (ULONG)Table->InUse;
}

/* ---- Closing ---- */

NTSTATUS ObpCloseHandle(PHANDLE_TABLE Table, HANDLE Handle, KPROCESSOR_MODE Mode, BOOLEAN EvenProtected)
{
    ULONG64 Value;
    PVOID Object;

    if (ObpPseudoObject(Handle) != NULL) {
        return STATUS_SUCCESS;
    }
    PHANDLE_ENTRY Entry = ObpHandleEntry(&Table, Handle, Mode, &Value);
    if (Entry == NULL) {
        return STATUS_INVALID_HANDLE;
    }
    NTSTATUS Status = ObpClearEntry(Entry, EvenProtected, &Object);
    if (NT_SUCCESS(Status)) {
        ObpFreeEntry(Table, (ULONG)Value & ~3u);
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

/* Whoever fills a reserved entry meanwhile looks at Ended behind it (ObpFillHandle), as this looks at the
   entries behind Ended. */
void ObEndHandleTable(PHANDLE_TABLE Table)
{
    PVOID Object;

    __atomic_store_n(&Table->Ended, TRUE, __ATOMIC_SEQ_CST);
    for (ULONG Value = 4; Value < Table->FirstUnused; Value += 4) {
        if (NT_SUCCESS(ObpClearEntry(ObpEntry(Table, Value), TRUE, &Object))) {
            InterlockedDecrement(&Table->InUse); /* the entry is not used again */
            ObpDropHandle(Object);
        }
    }
}

void ObDestroyHandleTable(PHANDLE_TABLE Table)
{
    ObEndHandleTable(Table);
    ObpFreeTable(Table);
}

/* An entry that is closed meanwhile is not copied; one that is opened meanwhile may be. Nor is one of an
   exclusive object, whose handles are all in one table. */
NTSTATUS ObDuplicateHandles(PHANDLE_TABLE Source, PHANDLE_TABLE Target)
{
    NTSTATUS Status = STATUS_SUCCESS;
    OBP_FOUND Found;

    for (ULONG Value = 4; Value < Source->FirstUnused && NT_SUCCESS(Status); Value += 4) {
        if (!ObpReferenceEntry(ObpEntry(Source, Value), NULL, &Found)) {
            continue;
        }
        if ((Found.Handle.HandleAttributes & OBJ_INHERIT) && NT_SUCCESS(ObpCountHandle(Found.Object, Target))) {
            Status = ObpPlaceEntry(Target, Value, &Found);
            if (!NT_SUCCESS(Status)) {
                ObpDropHandle(Found.Object);
            }
        } else {
            ObfDereferenceObject(Found.Object);
        }
    }
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
