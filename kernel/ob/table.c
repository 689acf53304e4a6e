/* SPDX-License-Identifier: MIT */
/*
 * The table below handles and client ids: three levels, entries found without a lock (see obp.h). One lock a
 * table, a push lock: growth and the list of free entries. Freed values go to the end of that list.
 */
#include "sync/pushlock.h"
#include "kernel/ob/obp.h"

static PVOID ObpAllocateZeroed(SIZE_T Size)
{
    return ExAllocatePool2(POOL_FLAG_NON_PAGED, Size, OBP_TAG);
}

/* ---- Entries ---- */

void ObpSetEntry(PHANDLE_ENTRY Entry, PVOID Object, ULONG Access, ULONG Attributes)
{
    Entry->Access = Access;
    Entry->Attributes = Attributes;
    __atomic_store_n(&Entry->Value, (ULONG64)Object, __ATOMIC_RELEASE);
}

/* The object's memory is there while its entry is locked, whatever its count: nobody can take it out
   meanwhile. */
BOOLEAN ObpReferenceEntry(PHANDLE_ENTRY Entry, POBJECT_TYPE Type, OBP_FOUND *Found)
{
    KIRQL Irql;
    PVOID Object = ObpLockEntry(Entry, &Irql);

    if (Object == NULL) {
        return FALSE;
    }
    BOOLEAN Referenced = (Type == NULL || ObpType(Object) == Type) && ObReferenceObjectSafe(Object);
    *Found = (OBP_FOUND){Object, {.GrantedAccess = Entry->Access, .HandleAttributes = Entry->Attributes}};
    ObpUnlockEntry(Entry, Object, Irql);
    return Referenced;
}

NTSTATUS ObpSetEntryFlags(PHANDLE_ENTRY Entry, ULONG Attributes)
{
    KIRQL Irql;
    PVOID Object = ObpLockEntry(Entry, &Irql);

    if (Object == NULL) {
        return STATUS_INVALID_HANDLE;
    }
    Entry->Attributes = Attributes;
    ObpUnlockEntry(Entry, Object, Irql);
    return STATUS_SUCCESS;
}

NTSTATUS ObpClearEntry(PHANDLE_ENTRY Entry, BOOLEAN EvenProtected, PVOID *Object)
{
    KIRQL Irql;

    *Object = ObpLockEntry(Entry, &Irql);
    if (*Object == NULL) {
        return STATUS_INVALID_HANDLE;
    }
    BOOLEAN Refused = (Entry->Attributes & OBJ_PROTECT_CLOSE) && !EvenProtected;
    ObpUnlockEntry(Entry, Refused ? *Object : NULL, Irql);
    return Refused ? STATUS_HANDLE_NOT_CLOSABLE : STATUS_SUCCESS;
}

/* ---- Growth and the free list: under the table's lock ---- */

static void ObpPutOnList(PHANDLE_TABLE Table, ULONG Value)
{
    ObpEntry(Table, Value)->NextFree = 0;
    if (Table->LastFree == 0) {
        Table->FirstFree = Value;
    } else {
        ObpEntry(Table, Table->LastFree)->NextFree = Value;
    }
    Table->LastFree = Value;
}

/* One more leaf, all of it unused. */
static NTSTATUS ObpGrow(PHANDLE_TABLE Table)
{
    ULONG Number = Table->Limit / (4 * OBP_LEAF_ENTRIES);

    if (Table->Limit >= OBP_MAX_VALUE) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    PHANDLE_LEAF Leaf = ObpAllocateZeroed(sizeof(*Leaf));
    if (Leaf == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    PHANDLE_MIDDLE Middle = Table->Middle[Number / OBP_MIDDLE_ENTRIES];
    if (Middle == NULL) {
        Middle = ObpAllocateZeroed(sizeof(*Middle));
        if (Middle == NULL) {
            ExFreePoolWithTag(Leaf, OBP_TAG);
            return STATUS_INSUFFICIENT_RESOURCES;
        }
        Table->Middle[Number / OBP_MIDDLE_ENTRIES] = Middle;
    }
    Middle->Leaf[Number % OBP_MIDDLE_ENTRIES] = Leaf;
    KdPoint(PrimerPointTableGrowing, ArchCurrentThread());
    __atomic_store_n(&Table->Limit, Table->Limit + 4 * OBP_LEAF_ENTRIES, __ATOMIC_RELEASE);
    Table->FreeCount += OBP_LEAF_ENTRIES;
    return STATUS_SUCCESS;
}

/* There is a free one. What has not been used yet goes first. */
static ULONG ObpTakeFree(PHANDLE_TABLE Table)
{
    ULONG Value = Table->FirstUnused;

    if (Value < Table->Limit) {
        Table->FirstUnused = Value + 4;
    } else {
        Value = Table->FirstFree;
        Table->FirstFree = ObpEntry(Table, Value)->NextFree;
        Table->LastFree = Table->FirstFree == 0 ? 0 : Table->LastFree;
    }
    Table->FreeCount--;
    return Value;
}

NTSTATUS ObpAllocateEntry(PHANDLE_TABLE Table, PULONG Value, PHANDLE_ENTRY *Entry)
{
    NTSTATUS Status = STATUS_SUCCESS;

    if (Table->Ended) {
        return STATUS_PROCESS_IS_TERMINATING;
    }
    KeLockExclusive(&Table->Lock);
    while (Table->FreeCount <= Table->Reserve && NT_SUCCESS(Status)) {
        Status = ObpGrow(Table);
    }
    if (Table->FreeCount == 0) {
        KeUnlockExclusive(&Table->Lock);
        return Status;
    }
    *Value = ObpTakeFree(Table);
    *Entry = ObpEntry(Table, *Value);
    KeUnlockExclusive(&Table->Lock);
    InterlockedIncrement(&Table->InUse);
    return STATUS_SUCCESS;
}

void ObpFreeEntry(PHANDLE_TABLE Table, ULONG Value)
{
    KeLockExclusive(&Table->Lock);
    ObpPutOnList(Table, Value);
    Table->FreeCount++;
    KeUnlockExclusive(&Table->Lock);
    InterlockedDecrement(&Table->InUse);
}

NTSTATUS ObpPlaceEntry(PHANDLE_TABLE Table, ULONG Value, const OBP_FOUND *Entry)
{
    NTSTATUS Status = STATUS_SUCCESS;

    while (Table->Limit <= Value && NT_SUCCESS(Status)) {
        Status = ObpGrow(Table);
    }
    if (NT_SUCCESS(Status)) {
        for (; Table->FirstUnused < Value; Table->FirstUnused += 4) {
            ObpPutOnList(Table, Table->FirstUnused);
        }
        Table->FirstUnused = Value + 4;
        Table->FreeCount--;
        ObpSetEntry(ObpEntry(Table, Value), Entry->Object, Entry->Handle.GrantedAccess,
                    Entry->Handle.HandleAttributes);
        InterlockedIncrement(&Table->InUse);
    }
    return Status;
}

/* ---- Tables ---- */

NTSTATUS ObpCreateTable(ULONG Reserve, PHANDLE_TABLE *Table)
{
    PHANDLE_TABLE New = ObpAllocateZeroed(sizeof(*New));

    if (New == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    ExInitializePushLock(&New->Lock);
    New->Reserve = Reserve;
    NTSTATUS Status = ObpGrow(New);
    if (!NT_SUCCESS(Status)) {
        ObpFreeTable(New);
        return Status;
    }
    New->FirstUnused = 4; /* 0 is no handle */
    New->FreeCount--;
    *Table = New;
    return STATUS_SUCCESS;
}

/* Nobody uses it any more, and no entry is in use. */
void ObpFreeTable(PHANDLE_TABLE Table)
{
    for (ULONG i = 0; i < OBP_TOP_ENTRIES && Table->Middle[i] != NULL; i++) {
        PHANDLE_MIDDLE Middle = Table->Middle[i];
        for (ULONG j = 0; j < OBP_MIDDLE_ENTRIES && Middle->Leaf[j] != NULL; j++) {
            ExFreePoolWithTag(Middle->Leaf[j], OBP_TAG);
        }
        ExFreePoolWithTag(Middle, OBP_TAG);
    }
    ExFreePoolWithTag(Table, OBP_TAG);
}
