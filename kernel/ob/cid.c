/* SPDX-License-Identifier: MIT */
/*
 * Client ids: the numbers of processes and threads, from one table. The table holds no reference; an object's
 * delete routine gives its id back. A look-up takes its reference with the entry locked, and only when the
 * count is not 0 yet: giving back needs that lock, too, so the object's memory is there meanwhile.
 */
#include "kernel/ob/obp.h"

#define OBP_CID_RESERVE 512 /* so many other ids are given out before one is given out again */

static PHANDLE_TABLE ObpClientIds;

NTSTATUS ObAllocateClientId(PVOID Object, PHANDLE Id)
{
    ULONG Value;
    PHANDLE_ENTRY Entry;
    NTSTATUS Status = ObpAllocateEntry(ObpClientIds, &Value, &Entry);

    if (NT_SUCCESS(Status)) {
        *Id = ULongToHandle(Value);
        ObpSetEntry(Entry, Object, 0, 0);
    }
    return Status;
}

void ObFreeClientId(HANDLE Id)
{
    PHANDLE_ENTRY Entry = ObpEntry(ObpClientIds, (ULONG64)Id);
    PVOID Object;

    if (Entry == NULL || !NT_SUCCESS(ObpClearEntry(Entry, TRUE, &Object))) {
        KdBugCheck(CID_HANDLE_DELETION, (ULONG64)Id, 0, 0, 0, NULL, "client id %I64u is not in use",
                   (ULONG64)Id);
    }
    ObpFreeEntry(ObpClientIds, HandleToULong(Id));
}

PVOID ObLookupClientId(HANDLE Id, POBJECT_TYPE Type)
{
    PHANDLE_ENTRY Entry = ((ULONG64)Id & 3) == 0 ? ObpEntry(ObpClientIds, (ULONG64)Id) : NULL;
    OBP_FOUND Found;

    return Entry != NULL && ObpReferenceEntry(Entry, Type, &Found) ? Found.Object : NULL;
}

PVOID ObNextClientObject(PULONG Id, POBJECT_TYPE Type)
{
    for (ULONG Value = *Id + 4; ObpClientIds != NULL && Value < ObpClientIds->FirstUnused; Value += 4) {
        PHANDLE_ENTRY Entry = ObpEntry(ObpClientIds, Value);
        PVOID Object = Entry != NULL && Entry->Value != 0 ? (PVOID)(Entry->Value | OBP_ENTRY_UNLOCKED) : NULL;
        if (Object != NULL && ObpType(Object) == Type) {
            *Id = Value;
            return Object;
        }
    }
    return NULL;
}

void ObpInitializeClientIds(void)
{
    NTSTATUS Status = ObpCreateTable(OBP_CID_RESERVE, &ObpClientIds);

    if (!NT_SUCCESS(Status)) {
        KdBugCheck(CID_HANDLE_CREATION, (ULONG64)Status, 0, 0, 0, NULL,
                   "no memory for the table of client ids");
    }
}
