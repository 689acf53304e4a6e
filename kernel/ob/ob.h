/* SPDX-License-Identifier: MIT */
/*
 * ob for the rest of the kernel: object types, headers with counts, handle tables.
 *
 * An object is a header and a body; pointers are to the body. It lives until its last pointer reference goes
 * (a handle holds one). Handle look-up takes no table lock: an entry is locked by one bit of its own while
 * its object is referenced. A table grows and changes under its push lock.
 */
#ifndef PRIMER_OB_H
#define PRIMER_OB_H

#include "kernel/ke/ke.h"

typedef struct _HANDLE_TABLE HANDLE_TABLE, *PHANDLE_TABLE;

typedef struct _OB_TYPE_ROUTINES {
    const char *Name;
    ULONG PoolTag;
    SIZE_T BodySize;
    ACCESS_MASK ValidAccess;
    BOOLEAN Waitable; /* the body starts with a DISPATCHER_HEADER */
    /* After a handle to it was closed; PASSIVE; may be NULL. */
    void (*Close)(PVOID Object, ULONG HandlesLeft);
    /* The last reference has gone; PASSIVE (deferred to a worker otherwise); may be NULL. */
    void (*Delete)(PVOID Object);
} OB_TYPE_ROUTINES;

NTSTATUS ObCreateType(const OB_TYPE_ROUTINES *Routines, POBJECT_TYPE *Type);
/* A zeroed body with one reference. STATUS_INSUFFICIENT_RESOURCES. */
NTSTATUS ObCreateObject(POBJECT_TYPE Type, PVOID *Object);
/* As ObCreateObject over memory that the caller keeps for ever (idle and system process). Size:
   OB_STATIC_SIZE(body). */
void ObInitializeStaticObject(POBJECT_TYPE Type, PVOID Memory, PVOID *Object);
#define OB_HEADER_SIZE        48
#define OB_STATIC_SIZE(Body_) (OB_HEADER_SIZE + sizeof(Body_))
/* Takes a reference unless the count has already reached 0 (for look-ups through tables that hold none). */
BOOLEAN ObReferenceObjectSafe(PVOID Object);
/* Objects in existence of a type (leak tests). */
ULONG ObTypeObjectCount(POBJECT_TYPE Type);

/* ---- Handle tables ---- */

NTSTATUS ObCreateHandleTable(PHANDLE_TABLE *Table);
/* Closes every handle (running Close routines), then frees the table. No other user is left. PASSIVE. */
void ObDestroyHandleTable(PHANDLE_TABLE Table);
ULONG ObCountHandles(PHANDLE_TABLE Table);
/* The table of the current process; kernel handles live in the System process's (ObKernelHandleTable) and
   have the top bit set. */
extern PHANDLE_TABLE ObKernelHandleTable;
extern PHANDLE_TABLE (*ObCurrentHandleTable)(void); /* set by ps */
/* What the pseudo handles -1 and -2 mean (not referenced). Set by ps. */
extern PVOID (*ObCurrentProcess)(void);
extern PVOID (*ObCurrentThread)(void);

/* A handle in Table: references the object itself. Access: any generic right, or MAXIMUM_ALLOWED, means all
   rights of the type. Attributes: OBJ_INHERIT, OBJ_PROTECT_CLOSE, OBJ_KERNEL_HANDLE (then Table is ignored).
   Table NULL: STATUS_INVALID_HANDLE. */
#define OBJ_PROTECT_CLOSE 1
NTSTATUS ObInsertHandle(PHANDLE_TABLE Table, PVOID Object, ACCESS_MASK Access, ULONG Attributes,
                        PHANDLE Handle);
NTSTATUS ObCloseHandle(PHANDLE_TABLE Table, HANDLE Handle, KPROCESSOR_MODE Mode);
/* Writes a new handle of the table to the variable of a service's caller; when that fails the handle is closed, protected
   or not, for nobody has been told of it. */
NTSTATUS ObReturnHandle(PHANDLE_TABLE Table, PHANDLE Destination, HANDLE Handle, KPROCESSOR_MODE Mode);
/* The end of a service that makes or opens something: a handle of the current process in the caller's variable. The
   service's own reference goes, also on failure. */
NTSTATUS ObReturnObject(PVOID Object, ACCESS_MASK Access, ULONG Attributes, PHANDLE Destination, KPROCESSOR_MODE Mode);
NTSTATUS ObReferenceHandle(PHANDLE_TABLE Table, HANDLE Handle, ACCESS_MASK Access, POBJECT_TYPE Type,
                           KPROCESSOR_MODE Mode, PVOID *Object, POBJECT_HANDLE_INFORMATION Information);
/* Copies inheritable handles, same values, to a new table that nobody else knows. On failure those copied
   stay. */
NTSTATUS ObDuplicateHandles(PHANDLE_TABLE Source, PHANDLE_TABLE Target);
BOOLEAN ObIsWaitable(PVOID Object);

/* ---- Client ids: a table of its own; holds no reference; values multiples of 4, first 4, never reused while
   the object lives ---- */

NTSTATUS ObAllocateClientId(PVOID Object, PHANDLE Id);
/* The object (referenced) of this type, or NULL. <= APC. */
PVOID ObLookupClientId(HANDLE Id, POBJECT_TYPE Type);
void ObFreeClientId(HANDLE Id);

void ObInitialize(void);

#endif
