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
    ULONG Index;
    PHANDLE_ENTRY Entry;
    NTSTATUS Status = ObpAllocateEntry(ObpClientIds, &Index, &Entry);

    if (NT_SUCCESS(Status)) {
        *Id = ULongToHandle(Index * 4);
        ObpUnlockEntry(Entry, Object);
    }
    return Status;
}

void ObFreeClientId(HANDLE Id)
{
    ULONG64 Index = (ULONG64)Id / 4;
    PHANDLE_ENTRY Entry = ObpEntry(ObpClientIds, Index);
    KIRQL Irql = KiRaiseToDispatch();
    PVOID Object = Entry != NULL ? ObpLockEntry(Entry) : NULL;

    if (Object == NULL) {
        KdBugCheck(CID_HANDLE_DELETION, (ULONG64)Id, 0, 0, 0, NULL, "client id %I64u is not in use",
                   (ULONG64)Id);
    }
    ObpUnlockEntry(Entry, NULL);
    KiLower(Irql);
    ObpFreeEntry(ObpClientIds, (ULONG)Index);
}

/* The entry's object, referenced, when it is there, of the type and alive. */
static PVOID ObpReferenceClient(PHANDLE_ENTRY Entry, POBJECT_TYPE Type)
{
    KIRQL Irql = KiRaiseToDispatch();
    PVOID Object = ObpLockEntry(Entry), Found = NULL;

    if (Object != NULL) {
        if (ObGetObjectType(Object) == Type && ObReferenceObjectSafe(Object)) {
            Found = Object;
        }
        ObpUnlockEntry(Entry, Object);
    }
    KiLower(Irql);
    return Found;
}

PVOID ObLookupClientId(HANDLE Id, POBJECT_TYPE Type)
{
    PHANDLE_ENTRY Entry = ((ULONG64)Id & 3) == 0 ? ObpEntry(ObpClientIds, (ULONG64)Id / 4) : NULL;

    return Entry != NULL ? ObpReferenceClient(Entry, Type) : NULL;
}

void ObpInitializeClientIds(void)
{
    NTSTATUS Status = ObpCreateTable(OBP_CID_RESERVE, &ObpClientIds);

    if (!NT_SUCCESS(Status)) {
        KdBugCheck(CID_HANDLE_CREATION, (ULONG64)Status, 0, 0, 0, NULL,
                   "no memory for the table of client ids");
    }
}
