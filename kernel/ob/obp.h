/* SPDX-License-Identifier: MIT */
/*
 * Private to ob: the header of objects, the entries of tables.
 *
 *      address          header, OB_HEADER_SIZE bytes        body: what pointers to the object point to
 *      ------->  | PointerCount | HandleCount | Type | ... |  KEVENT, EPROCESS, FILE_OBJECT ...
 */
#ifndef PRIMER_OBP_H
#define PRIMER_OBP_H

#include "kernel/kd/kd.h"
#include "kernel/kd/script.h"
#include "kernel/rtl/export.h"
#include "kernel/ob/ob.h"

#define OBP_TAG 'btOP'

/* (c) constant   (a) atomic operations   (n) ObpNameLock   (o) ObpOwnerLock */
struct _OBJECT_TYPE {
    OB_TYPE_ROUTINES Routines; /* (c) */
    volatile LONG Objects;     /* (a) in existence */
    volatile LONG Handles;     /* (a) open */
};

/* Flags */
#define OBP_STATIC    1 /* (c) lives for ever */
#define OBP_PERMANENT 2 /* (n) the name stays when the last handle goes */
#define OBP_EXCLUSIVE 4 /* (c) all handles are in one table */

typedef struct _OBP_NAME OBP_NAME, *POBP_NAME;

typedef struct _OBJECT_HEADER {
    volatile LONG64 PointerCount;       /* (a) */
    volatile LONG HandleCount;          /* (a) each holds one of the pointer count, too */
    volatile ULONG Flags;
    POBJECT_TYPE Type;                  /* (c) */
    struct _OBJECT_HEADER *NextDeleted; /* while its deletion is deferred */
    POBP_NAME Name;                     /* set once, before the first handle; freed with the object */
    PHANDLE_TABLE Owner;                /* (o) of an exclusive object with handles: the table that has them */
} OBJECT_HEADER, *POBJECT_HEADER;

C_ASSERT(sizeof(OBJECT_HEADER) == OB_HEADER_SIZE && OB_HEADER_SIZE % 16 == 0);

static inline POBJECT_HEADER ObpHeader(PVOID Object)
{
    return (POBJECT_HEADER)Object - 1;
}

static inline POBJECT_TYPE ObpType(PVOID Object)
{
    return ObpHeader(Object)->Type;
}

/* ---- Names ---- */

#define OBP_BUCKETS 64

struct _OBP_NAME {
    struct _OBP_DIRECTORY *Directory; /* (n) where it stands, referenced; NULL: it has been taken out */
    PVOID Object;                     /* (c) */
    POBP_NAME Next;                   /* (n) in its bucket */
    BOOLEAN HoldsObject;              /* (c) one of the object's references is the name's */
    UNICODE_STRING Text;              /* (c) one component, in Buffer */
    WCHAR Buffer[];
};

typedef struct _OBP_DIRECTORY {
    POBP_NAME Bucket[OBP_BUCKETS]; /* (n) by a hash that does not tell upper from lower case */
    BOOLEAN KernelOnly;            /* (c) programs make nothing here */
} OBP_DIRECTORY, *POBP_DIRECTORY;

typedef struct _OBP_LINK {
    UNICODE_STRING Target; /* (c) */
} OBP_LINK, *POBP_LINK;

extern EX_PUSH_LOCK ObpNameLock;
/* A new name of one component in a directory, for an object that has none. Its name lock is held exclusively.
   Holds: the name gets a reference of its own. STATUS_INSUFFICIENT_RESOURCES. */
NTSTATUS ObpAddName(POBP_DIRECTORY Directory, PCUNICODE_STRING Text, PVOID Object, BOOLEAN Holds);
/* Takes the object's name out of its directory if no handle is left and it is not permanent (MakeTemporary:
   not any more). The caller has a reference. PASSIVE. */
void ObpRetireName(PVOID Object, BOOLEAN MakeTemporary);
/* At the object's deletion. */
void ObpFreeName(POBJECT_HEADER Header);
void ObpInitializeNames(void);
/* Gives a type its name in \ObjectTypes, if that is there already. */
NTSTATUS ObpNameType(POBJECT_TYPE Type);

/* One handle more, in the table; the caller has a reference, which becomes the handle's.
   STATUS_ACCESS_DENIED: the object is exclusive, and another table has its handles. <= DISPATCH. */
NTSTATUS ObpCountHandle(PVOID Object, PHANDLE_TABLE Table);
/* Takes back a handle, the reference included: after a handle was closed, or could not be made. */
void ObpDropHandle(PVOID Object);

/* ---- Object callbacks ---- */

#define OBP_MAX_FILTERS 16

typedef struct _OBP_FILTER OBP_FILTER, *POBP_FILTER;
typedef struct _OBP_FILTER_CALL {
    POBP_FILTER Filter; /* its run-down is held */
    const OB_OPERATION_REGISTRATION *Operation;
    PVOID Context; /* from its routine before to the one after */
} OBP_FILTER_CALL;

/* The making of one handle, on the maker's stack. */
typedef struct _OBP_FILTERING {
    OB_OPERATION Operation;
    BOOLEAN KernelHandle;
    PVOID SourceProcess, TargetProcess; /* of a duplicate */
    ACCESS_MASK Access;
    ULONG Count;
    OBP_FILTER_CALL Called[OBP_MAX_FILTERS];
} OBP_FILTERING;

extern volatile ULONG ObpFilterCount; /* read without a lock by those who make handles: usually there is none */
/* Calls the routines before; returns the rights that they leave. ObpFilterAfter must follow, with what came
   of it. PASSIVE, no lock. */
ACCESS_MASK ObpFilterBefore(OBP_FILTERING *Filtering, PVOID Object, ACCESS_MASK Access);
void ObpFilterAfter(OBP_FILTERING *Filtering, PVOID Object, NTSTATUS Status, ACCESS_MASK Granted);
/* ObFindLeftover's share. */
bool ObpFindLeftFilter(const EX_MODULE *Module, PEX_LEFTOVER Left);

/* ---- Tables: of handles, and of client ids ---- */

/*
 *      value   21 ... 15 | 14 ... 8 | 7 ... 2 | 1 0          0 is never used; the two low bits are the caller's
 *                  top     middle     entry    tag
 *
 * Levels are added under the table's lock and stay until the table goes, so that a look-up walks down without
 * a lock. An entry is then locked by a bit of its own for a few instructions, at DISPATCH_LEVEL so that its
 * holder is not preempted.
 */
#define OBP_LEAF_ENTRIES   64
#define OBP_MIDDLE_ENTRIES 128
#define OBP_TOP_ENTRIES    128
#define OBP_MAX_VALUE      (4u * OBP_TOP_ENTRIES * OBP_MIDDLE_ENTRIES * OBP_LEAF_ENTRIES)

#define OBP_ENTRY_UNLOCKED (1ULL << 62)

/* (e) the entry's lock bit   (l) the table's Lock */
typedef struct _HANDLE_ENTRY {
    volatile ULONG64 Value; /* (e) the object; bit 62, which kernel addresses have set, clear: locked. 0: free */
    union {
        ULONG Access;   /* (e) */
        ULONG NextFree; /* (l) of a free entry: value of the next one, 0: the last */
    };
    ULONG Attributes; /* (e) OBJ_INHERIT */
} HANDLE_ENTRY, *PHANDLE_ENTRY;

typedef struct _HANDLE_LEAF {
    HANDLE_ENTRY Entry[OBP_LEAF_ENTRIES];
} HANDLE_LEAF, *PHANDLE_LEAF;

typedef struct _HANDLE_MIDDLE {
    PHANDLE_LEAF volatile Leaf[OBP_MIDDLE_ENTRIES];
} HANDLE_MIDDLE, *PHANDLE_MIDDLE;

struct _HANDLE_TABLE {
    PHANDLE_MIDDLE volatile Middle[OBP_TOP_ENTRIES]; /* (l), read by look-ups */
    EX_PUSH_LOCK Lock;
    ULONG FirstFree, LastFree; /* (l) oldest first, so that a value is not used again at once; 0: none */
    ULONG FreeCount;           /* (l) on that list, and unused */
    volatile ULONG FirstUnused; /* (l), read by walks: no value from here to Limit has been used yet; none of them is on the list */
    ULONG Reserve;             /* (c) the table grows rather than have fewer free entries than this */
    volatile ULONG Limit;      /* (l), read by look-ups: values below have a leaf */
    volatile LONG InUse;       /* (a) */
    volatile BOOLEAN Ended;    /* (a) no new handles: the process has ended */
};

NTSTATUS ObpCreateTable(ULONG Reserve, PHANDLE_TABLE *Table);
void ObpFreeTable(PHANDLE_TABLE Table);
/* A free entry, taken off the list, its Value still 0. STATUS_INSUFFICIENT_RESOURCES. <= APC. */
NTSTATUS ObpAllocateEntry(PHANDLE_TABLE Table, PULONG Value, PHANDLE_ENTRY *Entry);
void ObpFreeEntry(PHANDLE_TABLE Table, ULONG Value);
static inline bool ObpIsBelowLimit(PHANDLE_TABLE Table, ULONG64 Value)
{
    return Value < __atomic_load_n(&Table->Limit, __ATOMIC_ACQUIRE);
}

/* The entry of a value below the limit: the levels were written before Limit, and only change with it. That
   of 0 is always free. */
static inline PHANDLE_ENTRY ObpKnownEntry(PHANDLE_TABLE Table, ULONG64 Value)
{
    PHANDLE_MIDDLE Middle = Table->Middle[Value / (4 * OBP_LEAF_ENTRIES * OBP_MIDDLE_ENTRIES)];
    PHANDLE_LEAF Leaf = Middle->Leaf[Value / (4 * OBP_LEAF_ENTRIES) % OBP_MIDDLE_ENTRIES];
    return &Leaf->Entry[Value / 4 % OBP_LEAF_ENTRIES];
}

/* NULL when the table has no such entry. Any IRQL. */
static inline PHANDLE_ENTRY ObpEntry(PHANDLE_TABLE Table, ULONG64 Value)
{
    return ObpIsBelowLimit(Table, Value) ? ObpKnownEntry(Table, Value) : NULL;
}

/* One attempt to lock the entry, at DISPATCH_LEVEL. FALSE: it is free, or somebody else has locked it. */
static inline bool ObpTryLockEntry(PHANDLE_ENTRY Entry, PVOID *Object)
{
    if (__atomic_fetch_and(&Entry->Value, ~OBP_ENTRY_UNLOCKED, __ATOMIC_ACQUIRE) & OBP_ENTRY_UNLOCKED) {
        *Object = (PVOID)(Entry->Value | OBP_ENTRY_UNLOCKED);
        return true;
    }
    *Object = (PVOID)Entry->Value;
    return false;
}

/* The object, its entry locked; NULL and no lock when it is free. *Irql: to go back to when it is
   unlocked. */
static inline PVOID ObpLockEntry(PHANDLE_ENTRY Entry, KIRQL *Irql)
{
    PVOID Object;

    KdPoint(PrimerPointEntryFound, ArchCurrentThread());
    *Irql = KiRaiseToDispatch();
    while (!ObpTryLockEntry(Entry, &Object)) {
        if (Object == NULL) {
            KiLower(*Irql);
            return NULL;
        }
        ArchPause();
    }
    KdPoint(PrimerPointEntryLocked, ArchCurrentThread());
    return Object;
}

/* Writes the object back, or NULL. */
static inline void ObpUnlockEntry(PHANDLE_ENTRY Entry, PVOID Object, KIRQL Irql)
{
    __atomic_store_n(&Entry->Value, (ULONG64)Object, __ATOMIC_RELEASE);
    KiLower(Irql);
    KdPoint(PrimerPointEntryLeft, ArchCurrentThread());
}

/* Puts the object into an allocated entry: from here on it can be looked up, and cleared. */
void ObpSetEntry(PHANDLE_ENTRY Entry, PVOID Object, ULONG Access, ULONG Attributes);
/* What an entry holds, the object with a reference for the caller. FALSE when it is free, or the object,
   which is of another type than Type (NULL: any), or has lost its last reference. <= DISPATCH. */
typedef struct _OBP_FOUND {
    PVOID Object;
    OBJECT_HANDLE_INFORMATION Handle;
} OBP_FOUND;
BOOLEAN ObpReferenceEntry(PHANDLE_ENTRY Entry, POBJECT_TYPE Type, OBP_FOUND *Found);
/* Changes its OBJ_* flags. STATUS_INVALID_HANDLE. <= DISPATCH. */
NTSTATUS ObpSetEntryFlags(PHANDLE_ENTRY Entry, ULONG Attributes);
/* Takes the entry's object out, so that this caller and no other has it. STATUS_INVALID_HANDLE when it is
   free, STATUS_HANDLE_NOT_CLOSABLE. The value is still to be freed. <= DISPATCH. */
NTSTATUS ObpClearEntry(PHANDLE_ENTRY Entry, BOOLEAN EvenProtected, PVOID *Object);
/* Makes a leaf for Value and fills its entry: for a table that nobody else knows yet, value after value
   upwards. */
NTSTATUS ObpPlaceEntry(PHANDLE_TABLE Table, ULONG Value, const OBP_FOUND *Entry);

/* A handle that is to be: its place, so that nothing can fail once the object counts it. Reserve gives
   STATUS_PROCESS_IS_TERMINATING or STATUS_INSUFFICIENT_RESOURCES; then either Cancel or, for an object that
   has counted the handle, Fill. */
typedef struct _OBP_NEW_HANDLE {
    PHANDLE_TABLE Table;
    ULONG Value;
    PHANDLE_ENTRY Entry;
    HANDLE Handle;
} OBP_NEW_HANDLE;
NTSTATUS ObpReserveHandle(PHANDLE_TABLE Table, ULONG Attributes, OBP_NEW_HANDLE *New);
void ObpCancelHandle(const OBP_NEW_HANDLE *New);
void ObpFillHandle(const OBP_NEW_HANDLE *New, PVOID Object, ACCESS_MASK Access, ULONG Attributes);

/* As ObCloseHandle. EvenProtected: one that nobody has been told of. */
NTSTATUS ObpCloseHandle(PHANDLE_TABLE Table, HANDLE Handle, KPROCESSOR_MODE Mode, BOOLEAN EvenProtected);

void ObpInitializeClientIds(void);
void ObpInitializeCallbacks(void);

#endif
