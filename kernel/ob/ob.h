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

#include "kernel/ex/ex.h"

typedef struct _HANDLE_TABLE HANDLE_TABLE, *PHANDLE_TABLE;

/* A look-up by name, as the parse routine of the object gets it where the path left the name space. */
typedef struct _OB_PARSE {
    UNICODE_STRING Rest; /* what is left: empty, "\rest of the path", or "rest" when it began at a handle to the object */
    ULONG Attributes;    /* OBJ_* */
    POBJECT_TYPE Type;   /* wanted; NULL: any */
    ACCESS_MASK Access;
    KPROCESSOR_MODE Mode;
    PVOID Context; /* of ObOpenObjectByName: what the type's own service passes on (how to open a file); NULL for all others */
} OB_PARSE;

typedef struct _OB_TYPE_ROUTINES {
    const char *Name; /* of \ObjectTypes, too */
    ULONG PoolTag;
    SIZE_T BodySize;
    GENERIC_MAPPING Access;  /* what the generic rights mean; GenericAll: all rights that there are */
    BOOLEAN Waitable;        /* the body has a DISPATCHER_HEADER, WaitOffset bytes from its start */
    USHORT WaitOffset;
    BOOLEAN Filtered; /* ObRegisterCallbacks takes it */
    /* After a handle to it was closed; PASSIVE; may be NULL. */
    void (*Close)(PVOID Object, ULONG HandlesLeft);
    /* The last reference has gone; PASSIVE (deferred to a worker otherwise); may be NULL. */
    void (*Delete)(PVOID Object);
    /* A path leads to the object, or through it. *Found is another object, or Object itself, with a reference
       for the caller; ob compares its type with the one that is wanted. PASSIVE, no lock is held, Object is
       referenced meanwhile. NULL: paths end here. */
    NTSTATUS (*Parse)(PVOID Object, const OB_PARSE *Parse, PVOID *Found);
    /* For objects that know their own name: a copy of it (RtlFreeUnicodeString). PASSIVE. NULL: the name that
       ob has. */
    NTSTATUS (*QueryName)(PVOID Object, PUNICODE_STRING Name);
} OB_TYPE_ROUTINES;

/* A type, and its name in \ObjectTypes. Types stay for ever. PASSIVE. */
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

/* ---- Names ----

   A name stands in a directory. It holds a reference to its object if the object is permanent, or was made with a handle;
   then it goes with the last handle (not before ObMakeTemporaryObject, if permanent). The name of an object that was made
   without a handle, and is not permanent, holds none, and goes with the object.

   Paths: STATUS_OBJECT_PATH_SYNTAX_BAD (no name; no leading backslash; one behind a RootDirectory),
   STATUS_OBJECT_NAME_INVALID (an empty component), STATUS_OBJECT_PATH_NOT_FOUND (an inner component is missing, or is
   neither a directory nor of a type that parses), STATUS_OBJECT_NAME_NOT_FOUND (the last one is missing; or too many symbolic
   links), STATUS_REPARSE_POINT_ENCOUNTERED (a link, with OBJ_DONT_REPARSE). All at PASSIVE; they may block. */

/* The object of a name, with a reference. Type NULL: any; STATUS_OBJECT_TYPE_MISMATCH. */
NTSTATUS ObLookupName(const EX_OBJECT_ATTRIBUTES *Attributes, POBJECT_TYPE Type, ACCESS_MASK Access, KPROCESSOR_MODE Mode,
                      PVOID Context, PVOID *Object);
/* The same with a handle of the current process, returned to the variable of a service's caller. */
NTSTATUS ObOpenObjectByName(const EX_OBJECT_ATTRIBUTES *Attributes, POBJECT_TYPE Type, ACCESS_MASK Access, KPROCESSOR_MODE Mode,
                            PVOID Context, PHANDLE Destination);
/* Names a new object. The caller's reference becomes one to *Inserted: that object, or with OBJ_OPENIF the
   one of its type that has the name already (STATUS_OBJECT_NAME_EXISTS). On failure it goes:
   STATUS_OBJECT_NAME_COLLISION, STATUS_OBJECT_TYPE_MISMATCH, STATUS_ACCESS_DENIED (a directory where programs
   make nothing), STATUS_INSUFFICIENT_RESOURCES. */
NTSTATUS ObInsertName(PVOID Object, const EX_OBJECT_ATTRIBUTES *Attributes, KPROCESSOR_MODE Mode, PVOID *Inserted);
/* The end of a service that makes an object, named or not: a handle of the current process, with OBJ_OPENIF
   perhaps to another object, in the caller's variable. The service's own reference goes, also on failure.
   STATUS_OBJECT_NAME_EXISTS is a success. */
NTSTATUS ObInsertObject(PVOID Object, const EX_OBJECT_ATTRIBUTES *Attributes, ACCESS_MASK Access, PHANDLE Destination,
                        KPROCESSOR_MODE Mode);

/* A copy of the object's full name, empty if it has none (RtlFreeUnicodeString). PASSIVE. */
NTSTATUS ObCopyName(PVOID Object, PUNICODE_STRING Name);

/* For the services on directories and symbolic links. */
extern POBJECT_TYPE ObDirectoryType, ObSymbolicLinkType;
/* A link, not named yet, to a path, which becomes the object's (RtlFreeUnicodeString), also on failure. */
NTSTATUS ObCreateSymbolicLink(PUNICODE_STRING Target, PVOID *Link);
PCUNICODE_STRING ObSymbolicLinkTarget(PVOID Link);
/* Calls Visit for the names in a directory, from the one numbered First on, until it returns FALSE or there
   are no more. Names keep their numbers as long as none is made or taken away. The name lock is held. */
void ObVisitNames(PVOID Directory, ULONG First, bool (*Visit)(PVOID Context, PCUNICODE_STRING Name, const char *Type), PVOID Context);

/* Is a routine of the module still registered with a callback object, or for handles (ObRegisterCallbacks)?
   PASSIVE. */
bool ObFindLeftover(const EX_MODULE *Module, PEX_LEFTOVER Left);

/* ---- Handle tables ---- */

NTSTATUS ObCreateHandleTable(PHANDLE_TABLE *Table);
/* Closes every handle, running Close routines; none can be opened any more (STATUS_PROCESS_IS_TERMINATING).
   Look-ups may go on, and find nothing. PASSIVE. */
void ObEndHandleTable(PHANDLE_TABLE Table);
/* The same, and frees the table. No other user is left. PASSIVE. */
void ObDestroyHandleTable(PHANDLE_TABLE Table);
ULONG ObCountHandles(PHANDLE_TABLE Table);
/* The table of the current process; kernel handles live in the System process's (ObKernelHandleTable) and
   have the top bit set. */
extern PHANDLE_TABLE ObKernelHandleTable;
extern HANDLE_TABLE ObEmptyHandleTable; /* the Idle process's: has none, and takes none */
static inline PHANDLE_TABLE ObCurrentHandleTable(void)
{
    return ArchCurrentThread()->Process->HandleTable; /* of the process whose address space is current */
}
/* What the pseudo handles -1 and -2 mean (not referenced). Set by ps. */
extern PVOID (*ObCurrentProcess)(void);
extern PVOID (*ObCurrentThread)(void);

/* A handle in Table: references the object itself. Access may have generic rights. Attributes: OBJ_INHERIT,
   OBJ_PROTECT_CLOSE, OBJ_KERNEL_HANDLE (then Table is ignored). STATUS_PROCESS_IS_TERMINATING,
   STATUS_INSUFFICIENT_RESOURCES. */
#define OBJ_PROTECT_CLOSE 1
NTSTATUS ObInsertHandle(PHANDLE_TABLE Table, PVOID Object, ACCESS_MASK Access, ULONG Attributes,
                        PHANDLE Handle);
/* The same as NtDuplicateObject does it: a handle in another process's table, to what the first one has a
   handle of. */
NTSTATUS ObDuplicateHandle(PHANDLE_TABLE Table, PVOID Object, ACCESS_MASK Access, ULONG Attributes, PVOID SourceProcess,
                           PVOID TargetProcess, PHANDLE Handle);
/* Sets OBJ_INHERIT and OBJ_PROTECT_CLOSE of a handle. STATUS_INVALID_HANDLE. <= DISPATCH. */
NTSTATUS ObSetHandleFlags(PHANDLE_TABLE Table, HANDLE Handle, ULONG Attributes, KPROCESSOR_MODE Mode);
/* The counts of an object that somebody has a reference on, as they were a moment ago; the name of its
   type. */
void ObQueryCounts(PVOID Object, PULONG Handles, PULONG Pointers);
const char *ObTypeName(PVOID Object);
NTSTATUS ObCloseHandle(PHANDLE_TABLE Table, HANDLE Handle, KPROCESSOR_MODE Mode);
/* Writes a new handle of the table to the variable of a service's caller; when that fails the handle is
   closed, protected or not, for nobody has been told of it. */
NTSTATUS ObReturnHandle(PHANDLE_TABLE Table, PHANDLE Destination, HANDLE Handle, KPROCESSOR_MODE Mode);
/* The end of a service that makes or opens something: a handle of the current process in the caller's
   variable. The service's own reference goes, also on failure. */
NTSTATUS ObReturnObject(PVOID Object, ACCESS_MASK Access, ULONG Attributes, PHANDLE Destination, KPROCESSOR_MODE Mode);
NTSTATUS ObReferenceHandle(PHANDLE_TABLE Table, HANDLE Handle, ACCESS_MASK Access, POBJECT_TYPE Type,
                           KPROCESSOR_MODE Mode, PVOID *Object, POBJECT_HANDLE_INFORMATION Information);
/* Copies inheritable handles, same values, to a new table that nobody else knows. On failure those copied
   stay. */
NTSTATUS ObDuplicateHandles(PHANDLE_TABLE Source, PHANDLE_TABLE Target);
/* What is waited for where the object is: its header, or another one in it. NULL: nobody can wait for it. */
PVOID ObWaitObject(PVOID Object);
/* Generic rights turned into those of the type that they mean, and rights that it does not have left out.
   MAXIMUM_ALLOWED gives all, for there is no security. */
ACCESS_MASK ObMapAccess(POBJECT_TYPE Type, ACCESS_MASK Access);

/* ---- Client ids: a table of its own; holds no reference; values multiples of 4, first 4, never reused while
   the object lives ---- */

NTSTATUS ObAllocateClientId(PVOID Object, PHANDLE Id);
/* The object (referenced) of this type, or NULL. <= APC. */
PVOID ObLookupClientId(HANDLE Id, POBJECT_TYPE Type);
void ObFreeClientId(HANDLE Id);
/* The object of that type with the smallest id above *Id, which is stored there; not referenced, and no lock
   is taken: for a debugger that has stopped everybody. NULL: no more. */
PVOID ObNextClientObject(PULONG Id, POBJECT_TYPE Type);

void ObInitialize(void);

#endif
