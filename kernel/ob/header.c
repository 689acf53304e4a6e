/* SPDX-License-Identifier: MIT */
/*
 * Object types, and the life of objects: made with one reference, deleted when the last one goes. No lock:
 * counts are atomic, and an object whose count has reached 0 is nobody's but its deleter's.
 *
 * Delete routines run at PASSIVE_LEVEL. When the last reference goes above that, the object is put on a list,
 * and a worker thread deletes what is there.
 */
#include "kernel/ex/ex.h"
#include "kernel/ob/obp.h"

/* (a) a stack of objects; who pushes on the empty one queues the work item */
static POBJECT_HEADER volatile ObpDeleted;
static WORK_QUEUE_ITEM ObpDeleteItem;

/* ---- Types ---- */

/* The type of types, its own first object. */
static struct {
    OBJECT_HEADER Header;
    struct _OBJECT_TYPE Type;
} ObpTypeType = {.Type.Routines = {.Name = "Type", .PoolTag = OBP_TAG, .BodySize = sizeof(struct _OBJECT_TYPE)}};

/* The reference of a type's creation is never dropped. */
NTSTATUS ObCreateType(const OB_TYPE_ROUTINES *Routines, POBJECT_TYPE *Type)
{
    POBJECT_TYPE New;
    NTSTATUS Status = ObCreateObject(&ObpTypeType.Type, (PVOID *)&New);

    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    New->Routines = *Routines;
    *Type = New;
    return ObpNameType(New);
}

ULONG ObTypeObjectCount(POBJECT_TYPE Type)
{
    return (ULONG)Type->Objects;
}

PVOID ObWaitObject(PVOID Object)
{
    const OB_TYPE_ROUTINES *Type = &ObpType(Object)->Routines;

    return Type->Waitable ? Add2Ptr(Object, Type->WaitOffset) : NULL;
}

/* ---- Birth ---- */

/* The header is zeroed memory. */
static PVOID ObpInitializeHeader(POBJECT_HEADER Header, POBJECT_TYPE Type)
{
    Header->PointerCount = 1;
    Header->Type = Type;
    InterlockedIncrement(&Type->Objects);
    return Header + 1;
}

NTSTATUS ObCreateObject(POBJECT_TYPE Type, PVOID *Object)
{
    POBJECT_HEADER Header = ExAllocatePool2(POOL_FLAG_NON_PAGED, sizeof(*Header) + Type->Routines.BodySize,
                                            Type->Routines.PoolTag);

    if (Header == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    *Object = ObpInitializeHeader(Header, Type);
    return STATUS_SUCCESS;
}

/* The body may be in use already (the thread that runs this): it is left as it is. */
void ObInitializeStaticObject(POBJECT_TYPE Type, PVOID Memory, PVOID *Object)
{
    *Object = ObpInitializeHeader(Memory, Type);
    ObpHeader(*Object)->Flags = OBP_STATIC;
}

/* ---- Death ---- */

static void ObpDeleteObject(POBJECT_HEADER Header)
{
    POBJECT_TYPE Type = Header->Type;

    ObpFreeName(Header);
    if (Type->Routines.Delete != NULL) {
        Type->Routines.Delete(Header + 1);
    }
    KI_ASSERT(Header->PointerCount == 0, "%s %p: %I64d references after its deletion", Type->Routines.Name,
              Header + 1, Header->PointerCount);
    InterlockedDecrement(&Type->Objects);
    ExFreePoolWithTag(Header, Type->Routines.PoolTag);
}

static VOID ObpDeleteWorker(PVOID Parameter)
{
    POBJECT_HEADER Header = __atomic_exchange_n(&ObpDeleted, NULL, __ATOMIC_ACQ_REL);

    while (Header != NULL) {
        POBJECT_HEADER Next = Header->NextDeleted;
        ObpDeleteObject(Header);
        Header = Next;
    }
}

/* The item is off its queue before the worker empties the list: whoever finds the list empty may queue it
   again. */
static void ObpDeferDelete(POBJECT_HEADER Header)
{
    POBJECT_HEADER First = __atomic_load_n(&ObpDeleted, __ATOMIC_RELAXED);

    do {
        Header->NextDeleted = First;
    } while (
        !__atomic_compare_exchange_n(&ObpDeleted, &First, Header, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
    if (First == NULL) {
        ExQueueWorkItem(&ObpDeleteItem, CriticalWorkQueue);
    }
}

static NORETURN void ObpBadCount(PVOID Object, LONG64 Count)
{
    POBJECT_TYPE Type = ObpType(Object);
    KdBugCheck(REFERENCE_BY_POINTER, (ULONG64)Type, (ULONG64)Object, 0, (ULONG64)Count, NULL,
               "%s %p: the count of references became %I64d", Type->Routines.Name, Object, Count);
}

/* ---- References ---- */

/* Adds a reference to an object on which the caller has one. Returns the new count. <= DISPATCH.
   (WDK page of the name) */
LONG_PTR ObfReferenceObject(PVOID Object)
{
    LONG64 Count = InterlockedIncrement64(&ObpHeader(Object)->PointerCount);

    if (Count <= 1) {
        ObpBadCount(Object, Count);
    }
    return Count;
}
EXPORT(ObfReferenceObject);

/* Drops a reference; the last one deletes the object, later when the caller is above PASSIVE_LEVEL. Returns
   the new count. <= DISPATCH; no internal lock ranked below the work queues' is held.
   (WDK page of the name) */
LONG_PTR ObfDereferenceObject(PVOID Object)
{
    POBJECT_HEADER Header = ObpHeader(Object);
    LONG64 Count = InterlockedDecrement64(&Header->PointerCount);

    if (Count > 0) {
        return Count;
    }
    if (Count < 0 || (Header->Flags & OBP_STATIC)) {
        ObpBadCount(Object, Count);
    }
    if (ArchGetIrql() == PASSIVE_LEVEL && ArchInterruptsEnabled()) {
        ObpDeleteObject(Header);
    } else {
        ObpDeferDelete(Header);
    }
    return 0;
}
EXPORT(ObfDereferenceObject);

BOOLEAN ObReferenceObjectSafe(PVOID Object)
{
    POBJECT_HEADER Header = ObpHeader(Object);
    LONG64 Count = Header->PointerCount;

    while (Count != 0) {
        if (__atomic_compare_exchange_n(&Header->PointerCount, &Count, Count + 1, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_RELAXED)) {
            return TRUE;
        }
    }
    return FALSE;
}

/*
 * Adds a reference when the object is of the type. STATUS_OBJECT_TYPE_MISMATCH; also for no type from user
 * mode. The access mask is not looked at: there is no handle whose access it could be compared with. <=
 * DISPATCH. (WDK page of the name)
 */
NTSTATUS ObReferenceObjectByPointer(PVOID Object, ACCESS_MASK DesiredAccess, POBJECT_TYPE ObjectType,
                                    KPROCESSOR_MODE AccessMode)
{
    if (ObjectType != ObpType(Object) && (ObjectType != NULL || AccessMode != KernelMode)) {
        return STATUS_OBJECT_TYPE_MISMATCH;
    }
    ObfReferenceObject(Object);
    return STATUS_SUCCESS;
}
EXPORT(ObReferenceObjectByPointer);

void ObInitialize(void)
{
    PVOID Object;

    ExInitializeWorkItem(&ObpDeleteItem, ObpDeleteWorker, NULL);
    ObInitializeStaticObject(&ObpTypeType.Type, &ObpTypeType, &Object);
    ObpInitializeNames();
    if (!NT_SUCCESS(ObpNameType(Object))) {
        KdBugCheck(PHASE0_INITIALIZATION_FAILED, 0, 0, 0, 0, NULL, "no memory for names of types");
    }
    ObpInitializeClientIds();
    if (!NT_SUCCESS(ObCreateHandleTable(&ObKernelHandleTable))) {
        KdBugCheck(PHASE0_INITIALIZATION_FAILED, 0, 0, 0, 0, NULL,
                   "no memory for the table of kernel handles");
    }
    ObpInitializeCallbacks();
}
