/* SPDX-License-Identifier: MIT */
/*
 * The name space: directories of named objects, symbolic links from one path to another, and the walk along a
 * path.
 *
 *      \  --->  Device  --->  Echo        a device: what follows in the path is for its parse routine
 *               ??      --->  E:          a symbolic link to \Device\Echo
 *               BaseNamedObjects ---> ...
 *
 * One push lock, ObpNameLock, for all names: shared to walk, exclusive to change. It is the innermost of the
 * blocking locks but for a handle table's. Nothing is dereferenced while it is held, because that may delete
 * an object, and with it a name. What is found is referenced before the lock goes, and a handle to it is
 * counted then, too: who closes the last handle takes the name out only if it still finds none with the lock
 * held. So a name that was found with a handle stays as long as that handle.
 */
#include "kernel/ob/obp.h"
#include "sync/pushlock.h"

#define OBP_NAME_TAG   'mNbO'
#define OBP_MAX_LINKS  32    /* symbolic links on one path: links in a circle end there */
#define OBP_MAX_PATH   32766 /* bytes */

EX_PUSH_LOCK ObpNameLock;
POBJECT_TYPE ObDirectoryType, ObSymbolicLinkType;
static POBP_DIRECTORY ObpRoot, ObpTypeDirectory;

/* ---- Names in one directory ---- */

static ULONG ObpHashName(PCUNICODE_STRING Name)
{
    ULONG Hash = 0;

    for (ULONG i = 0; i < Name->Length / sizeof(WCHAR); i++) {
        Hash = Hash * 31 + RtlUpcaseUnicodeChar(Name->Buffer[i]);
    }
    return Hash % OBP_BUCKETS;
}

/* NULL: there is none. An object that is about to be deleted has none any more; it only has not come to take
   it out yet. */
static POBP_NAME ObpFindName(POBP_DIRECTORY Directory, PCUNICODE_STRING Text, BOOLEAN CaseInsensitive)
{
    POBP_NAME Name = Directory->Bucket[ObpHashName(Text)];

    while (Name != NULL && (!RtlEqualUnicodeString(&Name->Text, Text, CaseInsensitive) ||
                            ObpHeader(Name->Object)->PointerCount == 0)) {
        Name = Name->Next;
    }
    return Name;
}

NTSTATUS ObpAddName(POBP_DIRECTORY Directory, PCUNICODE_STRING Text, PVOID Object, BOOLEAN Holds)
{
    POBP_NAME Name = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(*Name) + Text->Length, OBP_NAME_TAG);
    POBP_NAME *Bucket = &Directory->Bucket[ObpHashName(Text)];

    if (Name == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    KI_ASSERT(ObpHeader(Object)->Name == NULL, "%s %p is named twice", ObpType(Object)->Routines.Name, Object);
    RtlCopyMemory(Name->Buffer, Text->Buffer, Text->Length);
    Name->Text = (UNICODE_STRING){Text->Length, Text->Length, Name->Buffer};
    Name->Directory = Directory;
    Name->Object = Object;
    Name->HoldsObject = Holds;
    ObfReferenceObject(Directory);
    if (Holds) {
        ObfReferenceObject(Object);
    }
    ObpHeader(Object)->Name = Name;
    Name->Next = *Bucket;
    *Bucket = Name;
    return STATUS_SUCCESS;
}

/* Returns the directory, whose reference is now the caller's; NULL: it was out already. Name lock held
   exclusively. */
static POBP_DIRECTORY ObpUnlinkName(POBP_NAME Name)
{
    POBP_DIRECTORY Directory = Name->Directory;

    if (Directory != NULL) {
        POBP_NAME *Link = &Directory->Bucket[ObpHashName(&Name->Text)];
        while (*Link != Name) {
            Link = &(*Link)->Next;
        }
        *Link = Name->Next;
        Name->Directory = NULL;
    }
    return Directory;
}

void ObpRetireName(PVOID Object, BOOLEAN MakeTemporary)
{
    POBJECT_HEADER Header = ObpHeader(Object);
    POBP_DIRECTORY Directory = NULL;

    KeLockExclusive(&ObpNameLock);
    if (MakeTemporary) {
        Header->Flags &= ~OBP_PERMANENT;
    }
    if (Header->Name != NULL && Header->HandleCount == 0 && !(Header->Flags & OBP_PERMANENT)) {
        Directory = ObpUnlinkName(Header->Name);
    }
    KeUnlockExclusive(&ObpNameLock);
    if (Directory != NULL) {
        ObfDereferenceObject(Directory);
        if (Header->Name->HoldsObject) {
            ObfDereferenceObject(Object);
        }
    }
}

void ObpFreeName(POBJECT_HEADER Header)
{
    if (Header->Name == NULL) {
        return;
    }
    KeLockExclusive(&ObpNameLock);
    POBP_DIRECTORY Directory = ObpUnlinkName(Header->Name);
    KeUnlockExclusive(&ObpNameLock);
    if (Directory != NULL) {
        ObfDereferenceObject(Directory);
    }
    ExFreePoolWithTag(Header->Name, OBP_NAME_TAG);
    Header->Name = NULL;
}

/* ---- The walk along a path ---- */

typedef struct _OBP_WALK {
    PVOID Object;             /* how far it has come: not referenced, the name lock is held */
    UNICODE_STRING Rest;      /* what is left, without a leading backslash where Object is a directory */
    UNICODE_STRING Component; /* the last one: when it is missing, what it could be called in the directory Object */
    ULONG Attributes;
    BOOLEAN KeepLink; /* a link at the end is what is wanted, not where it leads */
    ULONG Links;
    PWSTR Path; /* where a link has led to: in pool; Rest and Component point into it */
} OBP_WALK, *POBP_WALK;

static void ObpAdvance(PUNICODE_STRING Path, USHORT Bytes)
{
    Path->Buffer += Bytes / sizeof(WCHAR);
    Path->Length -= Bytes;
}

static bool ObpIsDirectory(PVOID Object)
{
    return ObpType(Object) == ObDirectoryType;
}

/* Begins at the root; the path has a leading backslash. */
static NTSTATUS ObpBeginAtRoot(POBP_WALK Walk)
{
    if (Walk->Rest.Length == 0 || Walk->Rest.Buffer[0] != '\\') {
        return STATUS_OBJECT_PATH_SYNTAX_BAD;
    }
    ObpAdvance(&Walk->Rest, sizeof(WCHAR));
    Walk->Object = ObpRoot;
    return STATUS_SUCCESS;
}

/* Object is a symbolic link: goes on with its target, and what is left of the path behind that. */
static NTSTATUS ObpFollowLink(POBP_WALK Walk)
{
    PCUNICODE_STRING Target = ObSymbolicLinkTarget(Walk->Object);
    ULONG Length = Target->Length + Walk->Rest.Length;

    if (Walk->Attributes & OBJ_DONT_REPARSE) {
        return STATUS_REPARSE_POINT_ENCOUNTERED;
    }
    if (++Walk->Links > OBP_MAX_LINKS) {
        return STATUS_OBJECT_NAME_NOT_FOUND;
    }
    if (Length > OBP_MAX_PATH) {
        return STATUS_OBJECT_NAME_INVALID;
    }
    PWSTR Path = ExAllocatePoolWithTag(NonPagedPoolNx, Length + 1, OBP_NAME_TAG);
    if (Path == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    RtlCopyMemory(Path, Target->Buffer, Target->Length);
    RtlCopyMemory((PUCHAR)Path + Target->Length, Walk->Rest.Buffer, Walk->Rest.Length);
    if (Walk->Path != NULL) {
        ExFreePoolWithTag(Walk->Path, OBP_NAME_TAG);
    }
    Walk->Path = Path;
    Walk->Rest = (UNICODE_STRING){(USHORT)Length, (USHORT)Length, Path};
    return ObpBeginAtRoot(Walk);
}

/* One component: from a directory to what is called so there. */
static NTSTATUS ObpStep(POBP_WALK Walk)
{
    USHORT Length = 0;

    while (Length < Walk->Rest.Length && Walk->Rest.Buffer[Length / sizeof(WCHAR)] != '\\') {
        Length += sizeof(WCHAR);
    }
    if (Length == 0) {
        return STATUS_OBJECT_NAME_INVALID;
    }
    Walk->Component = (UNICODE_STRING){Length, Length, Walk->Rest.Buffer};
    ObpAdvance(&Walk->Rest, Length);
    POBP_NAME Name = ObpFindName(Walk->Object, &Walk->Component, (Walk->Attributes & OBJ_CASE_INSENSITIVE) != 0);
    if (Name == NULL) {
        return Walk->Rest.Length == 0 ? STATUS_OBJECT_NAME_NOT_FOUND : STATUS_OBJECT_PATH_NOT_FOUND;
    }
    Walk->Object = Name->Object;
    return STATUS_SUCCESS;
}

/* Where a step has come to. */
static NTSTATUS ObpArrive(POBP_WALK Walk)
{
    if (ObpType(Walk->Object) == ObSymbolicLinkType && (Walk->Rest.Length != 0 || !Walk->KeepLink)) {
        return ObpFollowLink(Walk);
    }
    if (Walk->Rest.Length == 0 || ObpType(Walk->Object)->Routines.Parse != NULL) {
        return STATUS_SUCCESS;
    }
    if (!ObpIsDirectory(Walk->Object)) {
        return STATUS_OBJECT_PATH_NOT_FOUND;
    }
    ObpAdvance(&Walk->Rest, sizeof(WCHAR));
    return Walk->Rest.Length != 0 ? STATUS_SUCCESS : STATUS_OBJECT_NAME_INVALID;
}

/* Goes as far as the path leads in the name space. Success: Object is there, with Rest for its parse routine,
   if it has one. STATUS_OBJECT_NAME_NOT_FOUND: Object is the directory where Component is missing. Name lock
   held. */
static NTSTATUS ObpWalk(POBP_WALK Walk)
{
    NTSTATUS Status = STATUS_SUCCESS;

    while (NT_SUCCESS(Status) && ObpIsDirectory(Walk->Object) && Walk->Rest.Length != 0) {
        Status = ObpStep(Walk);
        if (NT_SUCCESS(Status)) {
            Status = ObpArrive(Walk);
        }
    }
    return Status;
}

/* The walk's beginning: the root, or *Start, the object of the handle RootDirectory, referenced. */
static NTSTATUS ObpBeginWalk(POBP_WALK Walk, const EX_OBJECT_ATTRIBUTES *Attributes, BOOLEAN KeepLink, KPROCESSOR_MODE Mode,
                             PVOID *Start)
{
    *Walk = (OBP_WALK){.Rest = Attributes->Name, .Attributes = Attributes->Attributes, .KeepLink = KeepLink};
    *Start = NULL;
    if (Attributes->RootDirectory == NULL) {
        return ObpBeginAtRoot(Walk);
    }
    NTSTATUS Status = ObReferenceObjectByHandle(Attributes->RootDirectory, 0, NULL, Mode, Start, NULL);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    bool Directory = ObpIsDirectory(*Start);
    Walk->Object = *Start;
    if (!Directory && ObpType(*Start)->Routines.Parse == NULL) {
        Status = STATUS_OBJECT_TYPE_MISMATCH;
    } else if (Walk->Rest.Length == 0 ? Directory : Walk->Rest.Buffer[0] == '\\') {
        Status = STATUS_OBJECT_PATH_SYNTAX_BAD;
    }
    return Status;
}

/* Without the name lock: the memory, and the reference that the walk began with. */
static void ObpEndWalk(POBP_WALK Walk, PVOID Start)
{
    if (Walk->Path != NULL) {
        ExFreePoolWithTag(Walk->Path, OBP_NAME_TAG);
    }
    if (Start != NULL) {
        ObfDereferenceObject(Start);
    }
}

static BOOLEAN ObpKeepsLink(ULONG Attributes, POBJECT_TYPE Type)
{
    return Type == ObSymbolicLinkType || (Attributes & OBJ_OPENLINK) != 0;
}

/* ---- Looking up ---- */

/* A handle to the object is about to be opened, if Table is not NULL, as the attributes ask for. */
static NTSTATUS ObpAdmit(PVOID Object, POBJECT_TYPE Type, ULONG Attributes, PHANDLE_TABLE Table)
{
    if (Type != NULL && ObpType(Object) != Type) {
        return STATUS_OBJECT_TYPE_MISMATCH;
    }
    if (Table == NULL) {
        return STATUS_SUCCESS;
    }
    if ((Attributes & OBJ_EXCLUSIVE) && !(ObpHeader(Object)->Flags & OBP_EXCLUSIVE)) {
        return STATUS_ACCESS_DENIED;
    }
    return ObpCountHandle(Object, Table);
}

/* Takes what the walk has come to, under the name lock: with a reference, and the handle counted, unless its
   parse routine is still to be asked. */
static NTSTATUS ObpTakeFound(const OBP_WALK *Walk, POBJECT_TYPE Type, PHANDLE_TABLE Table, PVOID *Found)
{
    if (!ObReferenceObjectSafe(Walk->Object)) {
        return STATUS_OBJECT_NAME_NOT_FOUND;
    }
    *Found = Walk->Object;
    return ObpType(*Found)->Routines.Parse != NULL ? STATUS_SUCCESS : ObpAdmit(*Found, Type, Walk->Attributes, Table);
}

/* Lets the object that was found take the rest of the path; what it gives takes its place, and its
   reference. */
static NTSTATUS ObpParse(const OB_PARSE *Parse, PHANDLE_TABLE Table, PVOID *Found)
{
    PVOID Object = *Found, Result = NULL;
    NTSTATUS Status = ObpType(Object)->Routines.Parse(Object, Parse, &Result);

    ObfDereferenceObject(Object);
    *Found = NT_SUCCESS(Status) ? Result : NULL;
    return NT_SUCCESS(Status) ? ObpAdmit(Result, Parse->Type, Parse->Attributes, Table) : Status;
}

/* Table: where the caller opens a handle to what is found; it is counted, and has the reference. */
static NTSTATUS ObpLookup(const EX_OBJECT_ATTRIBUTES *Attributes, OB_PARSE *Parse, PHANDLE_TABLE Table, PVOID *Object)
{
    OBP_WALK Walk;
    PVOID Start, Found = NULL;
    NTSTATUS Status = ObpBeginWalk(&Walk, Attributes, ObpKeepsLink(Attributes->Attributes, Parse->Type), Parse->Mode, &Start);

    if (NT_SUCCESS(Status)) {
        KeLockShared(&ObpNameLock);
        Status = ObpWalk(&Walk);
        if (NT_SUCCESS(Status)) {
            Status = ObpTakeFound(&Walk, Parse->Type, Table, &Found);
        }
        KeUnlockShared(&ObpNameLock);
    }
    if (NT_SUCCESS(Status) && ObpType(Found)->Routines.Parse != NULL) {
        Parse->Rest = Walk.Rest;
        Parse->Attributes = Attributes->Attributes;
        Status = ObpParse(Parse, Table, &Found);
    }
    if (!NT_SUCCESS(Status) && Found != NULL) {
        ObfDereferenceObject(Found);
    }
    ObpEndWalk(&Walk, Start);
    *Object = NT_SUCCESS(Status) ? Found : NULL;
    return Status;
}

NTSTATUS ObLookupName(const EX_OBJECT_ATTRIBUTES *Attributes, POBJECT_TYPE Type, ACCESS_MASK Access, KPROCESSOR_MODE Mode,
                      PVOID Context, PVOID *Object)
{
    OB_PARSE Parse = {.Type = Type, .Access = Access, .Mode = Mode, .Context = Context};

    return ObpLookup(Attributes, &Parse, NULL, Object);
}

NTSTATUS ObOpenObjectByName(const EX_OBJECT_ATTRIBUTES *Attributes, POBJECT_TYPE Type, ACCESS_MASK Access, KPROCESSOR_MODE Mode,
                            PVOID Context, PHANDLE Destination)
{
    OB_PARSE Parse = {.Type = Type, .Access = Access, .Mode = Mode, .Context = Context};
    OBP_NEW_HANDLE New;
    PVOID Object;
    NTSTATUS Status = ObpReserveHandle(ObCurrentHandleTable(), Attributes->Attributes, &New);

    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Status = ObpLookup(Attributes, &Parse, New.Table, &Object);
    if (!NT_SUCCESS(Status)) {
        ObpCancelHandle(&New);
        return Status;
    }
    ObpFillHandle(&New, Object, Access, Attributes->Attributes);
    return ObReturnHandle(New.Table, Destination, New.Handle, Mode);
}

/*
 * The object of an absolute name, with a reference for the caller. ObjectType NULL: any; else
 * STATUS_OBJECT_TYPE_MISMATCH. ParseContext is for a parse routine on the path. The other statuses are those
 * of paths (kernel/ob/ob.h). PASSIVE; may block. (no WDK page: as driver source declares it)
 */
NTSTATUS ObReferenceObjectByName(PUNICODE_STRING ObjectName, ULONG Attributes, PVOID AccessState, ACCESS_MASK DesiredAccess,
                                 POBJECT_TYPE ObjectType, KPROCESSOR_MODE AccessMode, PVOID ParseContext, PVOID *Object)
{
    EX_OBJECT_ATTRIBUTES Given = {.Attributes = Attributes, .Name = *ObjectName};

    PAGED_CODE();
    return ObLookupName(&Given, ObjectType, DesiredAccess, AccessMode, ParseContext, Object);
}
EXPORT(ObReferenceObjectByName);

/* ---- New names ---- */

/* The path has led to an object that has the name already. */
static NTSTATUS ObpMeetExisting(const OBP_WALK *Walk, POBJECT_TYPE Type, PHANDLE_TABLE Table, PVOID *Object)
{
    if (Walk->Rest.Length != 0) {
        return STATUS_OBJECT_PATH_NOT_FOUND; /* nothing is made inside a device */
    }
    if (!(Walk->Attributes & OBJ_OPENIF)) {
        return STATUS_OBJECT_NAME_COLLISION;
    }
    if (!ObReferenceObjectSafe(Walk->Object)) {
        return STATUS_RETRY; /* its last reference has just gone: it has no name any more */
    }
    *Object = Walk->Object;
    NTSTATUS Status = ObpAdmit(*Object, Type, Walk->Attributes, Table);
    return NT_SUCCESS(Status) ? STATUS_OBJECT_NAME_EXISTS : Status;
}

/* The path has led to the directory where the name is missing. */
static NTSTATUS ObpEnterNew(const OBP_WALK *Walk, PVOID New, KPROCESSOR_MODE Mode, PHANDLE_TABLE Table)
{
    POBP_DIRECTORY Directory = Walk->Object;
    BOOLEAN Holds = Table != NULL || (ObpHeader(New)->Flags & OBP_PERMANENT) != 0;

    if (Mode != KernelMode && Directory->KernelOnly) {
        return STATUS_ACCESS_DENIED;
    }
    NTSTATUS Status = ObpAddName(Directory, &Walk->Component, New, Holds);
    return NT_SUCCESS(Status) && Table != NULL ? ObpCountHandle(New, Table) : Status;
}

/* One attempt to name New. *Object: another one that was met, referenced whatever the status. */
static NTSTATUS ObpTryEnter(PVOID New, const EX_OBJECT_ATTRIBUTES *Attributes, KPROCESSOR_MODE Mode, PHANDLE_TABLE Table,
                            PVOID *Object)
{
    POBJECT_TYPE Type = ObpType(New);
    OBP_WALK Walk;
    PVOID Start;
    NTSTATUS Status = ObpBeginWalk(&Walk, Attributes, ObpKeepsLink(Attributes->Attributes, Type), Mode, &Start);

    if (NT_SUCCESS(Status)) {
        KeLockExclusive(&ObpNameLock);
        Status = ObpWalk(&Walk);
        if (NT_SUCCESS(Status)) {
            Status = ObpMeetExisting(&Walk, Type, Table, Object);
        } else if (Status == STATUS_OBJECT_NAME_NOT_FOUND && ObpIsDirectory(Walk.Object)) {
            Status = ObpEnterNew(&Walk, New, Mode, Table);
        }
        KeUnlockExclusive(&ObpNameLock);
    }
    ObpEndWalk(&Walk, Start);
    return Status;
}

/* Names New, whose reference becomes the one to *Object, and the handle's if there is a Table. Goes on
   failure. */
static NTSTATUS ObpEnter(PVOID New, const EX_OBJECT_ATTRIBUTES *Attributes, KPROCESSOR_MODE Mode, PHANDLE_TABLE Table,
                         PVOID *Object)
{
    PVOID Met = NULL;
    NTSTATUS Status = STATUS_PRIVILEGE_NOT_HELD;

    ObpHeader(New)->Flags |= (Attributes->Attributes & OBJ_PERMANENT ? OBP_PERMANENT : 0) |
                             (Attributes->Attributes & OBJ_EXCLUSIVE ? OBP_EXCLUSIVE : 0);
    if (Mode == KernelMode || !(Attributes->Attributes & OBJ_PERMANENT)) {
        do {
            Status = ObpTryEnter(New, Attributes, Mode, Table, &Met);
        } while (Status == STATUS_RETRY);
    }
    if (Met != NULL || !NT_SUCCESS(Status)) {
        ObfDereferenceObject(New);
    }
    if (Met != NULL && !NT_SUCCESS(Status)) {
        ObfDereferenceObject(Met);
    }
    *Object = Met != NULL ? Met : New;
    return Status;
}

NTSTATUS ObInsertName(PVOID Object, const EX_OBJECT_ATTRIBUTES *Attributes, KPROCESSOR_MODE Mode, PVOID *Inserted)
{
    return ObpEnter(Object, Attributes, Mode, NULL, Inserted);
}

NTSTATUS ObInsertObject(PVOID Object, const EX_OBJECT_ATTRIBUTES *Attributes, ACCESS_MASK Access, PHANDLE Destination,
                        KPROCESSOR_MODE Mode)
{
    OBP_NEW_HANDLE New;

    if (Attributes->Name.Length == 0 && Attributes->RootDirectory == NULL) {
        ObpHeader(Object)->Flags |= Attributes->Attributes & OBJ_EXCLUSIVE ? OBP_EXCLUSIVE : 0;
        return ObReturnObject(Object, Access, Attributes->Attributes, Destination, Mode);
    }
    NTSTATUS Status = ObpReserveHandle(ObCurrentHandleTable(), Attributes->Attributes, &New);
    if (!NT_SUCCESS(Status)) {
        ObfDereferenceObject(Object);
        return Status;
    }
    Status = ObpEnter(Object, Attributes, Mode, New.Table, &Object);
    if (!NT_SUCCESS(Status)) {
        ObpCancelHandle(&New);
        return Status;
    }
    ObpFillHandle(&New, Object, Access, Attributes->Attributes);
    NTSTATUS Returned = ObReturnHandle(New.Table, Destination, New.Handle, Mode);
    return NT_SUCCESS(Returned) ? Status : Returned;
}

/*
 * The object is not permanent any more: its name goes with its last handle, or now when it has none. Nothing
 * happens to an object that has no name. PASSIVE; may block. (WDK page of ZwMakeTemporaryObject)
 */
VOID ObMakeTemporaryObject(PVOID Object)
{
    PAGED_CODE();
    ObpRetireName(Object, TRUE);
}
EXPORT(ObMakeTemporaryObject);

/* ---- The name of an object ---- */

/* Writes the path before End, and returns its length in bytes, 0 when it does not lead to the root: a
   directory that has lost its name may still hold some. End NULL: the length alone. Name lock held. */
static ULONG ObpWritePath(PVOID Object, PWCHAR End)
{
    ULONG Length = 0;
    PVOID Top = Object;

    if (Object == ObpRoot) {
        if (End != NULL) {
            End[-1] = '\\';
        }
        return sizeof(WCHAR);
    }
    for (POBP_NAME Name = ObpHeader(Object)->Name; Name != NULL && Name->Directory != NULL;
         Name = ObpHeader(Top)->Name) {
        Top = Name->Directory;
        Length += sizeof(WCHAR) + Name->Text.Length;
        if (End != NULL) {
            RtlCopyMemory((PUCHAR)End - Length + sizeof(WCHAR), Name->Buffer, Name->Text.Length);
            *(PWCHAR)((PUCHAR)End - Length) = '\\';
        }
    }
    return Top == ObpRoot ? Length : 0;
}

/* A copy of the object's path, empty if it has none. RtlFreeUnicodeString frees it. */
static NTSTATUS ObpCopyPath(PVOID Object, PUNICODE_STRING Path)
{
    NTSTATUS Status = STATUS_SUCCESS;

    *Path = (UNICODE_STRING){0};
    KeLockShared(&ObpNameLock);
    ULONG Length = ObpWritePath(Object, NULL);
    if (Length > OBP_MAX_PATH) {
        Status = STATUS_NAME_TOO_LONG;
    } else if (Length != 0) {
        Path->Buffer = ExAllocatePoolWithTag(NonPagedPoolNx, Length, OBP_NAME_TAG);
        Status = Path->Buffer != NULL ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
    }
    if (Path->Buffer != NULL) {
        ObpWritePath(Object, Path->Buffer + Length / sizeof(WCHAR));
        Path->Length = Path->MaximumLength = (USHORT)Length;
    }
    KeUnlockShared(&ObpNameLock);
    return Status;
}

NTSTATUS ObCopyName(PVOID Object, PUNICODE_STRING Name)
{
    NTSTATUS (*Query)(PVOID, PUNICODE_STRING) = ObpType(Object)->Routines.QueryName;

    return Query != NULL ? Query(Object, Name) : ObpCopyPath(Object, Name);
}

/*
 * The full name of an object, and its characters behind the structure, with a NUL; an empty string for one
 * that has no name. Length is the buffer's size in bytes; *ReturnLength gets what is needed.
 * STATUS_INFO_LENGTH_MISMATCH: the buffer is too small; STATUS_INSUFFICIENT_RESOURCES. PASSIVE; may block.
 * (WDK page of the name)
 */
NTSTATUS ObQueryNameString(PVOID Object, POBJECT_NAME_INFORMATION ObjectNameInfo, ULONG Length, PULONG ReturnLength)
{
    UNICODE_STRING Name;

    PAGED_CODE();
    NTSTATUS Status = ObCopyName(Object, &Name);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    *ReturnLength = sizeof(*ObjectNameInfo) + (Name.Length != 0 ? Name.Length + sizeof(WCHAR) : 0);
    if (Length < *ReturnLength) {
        Status = STATUS_INFO_LENGTH_MISMATCH;
    } else if (Name.Length == 0) {
        ObjectNameInfo->Name = (UNICODE_STRING){0};
    } else {
        PWCHAR Text = (PWCHAR)(ObjectNameInfo + 1);
        RtlCopyMemory(Text, Name.Buffer, Name.Length);
        Text[Name.Length / sizeof(WCHAR)] = 0;
        ObjectNameInfo->Name = (UNICODE_STRING){Name.Length, Name.Length + sizeof(WCHAR), Text};
    }
    RtlFreeUnicodeString(&Name);
    return Status;
}
EXPORT(ObQueryNameString);

/* ---- The names in a directory ---- */

void ObVisitNames(PVOID Directory, ULONG First, bool (*Visit)(PVOID Context, PCUNICODE_STRING Name, const char *Type), PVOID Context)
{
    bool More = true;
    ULONG Number = 0;

    KeLockShared(&ObpNameLock);
    for (ULONG i = 0; i < OBP_BUCKETS && More; i++) {
        for (POBP_NAME Name = ((POBP_DIRECTORY)Directory)->Bucket[i]; Name != NULL && More; Name = Name->Next) {
            if (ObpHeader(Name->Object)->PointerCount != 0 && Number++ >= First) {
                More = Visit(Context, &Name->Text, ObTypeName(Name->Object));
            }
        }
    }
    KeUnlockShared(&ObpNameLock);
}

/* ---- Symbolic links ---- */

NTSTATUS ObCreateSymbolicLink(PUNICODE_STRING Target, PVOID *Link)
{
    NTSTATUS Status = ObCreateObject(ObSymbolicLinkType, Link);

    if (NT_SUCCESS(Status)) {
        ((POBP_LINK)*Link)->Target = *Target;
    } else {
        RtlFreeUnicodeString(Target);
    }
    return Status;
}

PCUNICODE_STRING ObSymbolicLinkTarget(PVOID Link)
{
    return &((POBP_LINK)Link)->Target;
}

static void ObpDeleteLink(PVOID Body)
{
    RtlFreeUnicodeString(&((POBP_LINK)Body)->Target);
}

/* ---- Start-up ---- */

static const OB_TYPE_ROUTINES ObpDirectoryRoutines = {
    .Name = "Directory",
    .PoolTag = 'riDO',
    .BodySize = sizeof(OBP_DIRECTORY),
    .Access = {DIRECTORY_QUERY | DIRECTORY_TRAVERSE | STANDARD_RIGHTS_READ,
               DIRECTORY_CREATE_OBJECT | DIRECTORY_CREATE_SUBDIRECTORY | STANDARD_RIGHTS_WRITE,
               DIRECTORY_QUERY | DIRECTORY_TRAVERSE | STANDARD_RIGHTS_EXECUTE, DIRECTORY_ALL_ACCESS},
};

static const OB_TYPE_ROUTINES ObpLinkRoutines = {
    .Name = "SymbolicLink",
    .PoolTag = 'kniL',
    .BodySize = sizeof(OBP_LINK),
    .Access = {SYMBOLIC_LINK_QUERY | STANDARD_RIGHTS_READ, STANDARD_RIGHTS_WRITE, SYMBOLIC_LINK_QUERY | STANDARD_RIGHTS_EXECUTE,
               SYMBOLIC_LINK_ALL_ACCESS},
    .Delete = ObpDeleteLink,
};

NTSTATUS ObpNameType(POBJECT_TYPE Type)
{
    UNICODE_STRING Name;
    ANSI_STRING Text;

    if (ObpTypeDirectory == NULL) {
        return STATUS_SUCCESS; /* one of those that the name space is made of: named when it is there */
    }
    RtlInitAnsiString(&Text, Type->Routines.Name);
    NTSTATUS Status = RtlAnsiStringToUnicodeString(&Name, &Text, TRUE);
    if (NT_SUCCESS(Status)) {
        KeLockExclusive(&ObpNameLock);
        Status = ObpAddName(ObpTypeDirectory, &Name, Type, TRUE);
        KeUnlockExclusive(&ObpNameLock);
        RtlFreeUnicodeString(&Name);
    }
    return Status;
}

/* A permanent directory; what was made is in Directory. */
static NTSTATUS ObpMakeDirectory(PCWSTR Path, BOOLEAN KernelOnly, POBP_DIRECTORY *Directory)
{
    EX_OBJECT_ATTRIBUTES Attributes = {.Attributes = OBJ_PERMANENT};
    NTSTATUS Status = ObCreateObject(ObDirectoryType, (PVOID *)Directory);

    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    (*Directory)->KernelOnly = KernelOnly;
    RtlInitUnicodeString(&Attributes.Name, Path);
    return ObInsertName(*Directory, &Attributes, KernelMode, (PVOID *)Directory);
}

/* The older name of \??, which driver source uses. */
static NTSTATUS ObpMakeDosDevicesLink(void)
{
    EX_OBJECT_ATTRIBUTES Attributes = {.Attributes = OBJ_PERMANENT, .Name = RTL_CONSTANT_STRING(L"\\DosDevices")};
    ANSI_STRING Text = RTL_CONSTANT_STRING("\\??");
    UNICODE_STRING Target;
    PVOID Link = NULL;
    NTSTATUS Status = RtlAnsiStringToUnicodeString(&Target, &Text, TRUE);

    if (NT_SUCCESS(Status)) {
        Status = ObCreateSymbolicLink(&Target, &Link);
    }
    return NT_SUCCESS(Status) ? ObInsertName(Link, &Attributes, KernelMode, &Link) : Status;
}

static NTSTATUS ObpMakeNameSpace(void)
{
    static const struct {
        PCWSTR Path;
        BOOLEAN KernelOnly;
    } Directories[] = {{L"\\Device", TRUE}, {L"\\Driver", TRUE}, {L"\\Callback", TRUE}, {L"\\BaseNamedObjects", FALSE}, {L"\\??", FALSE}};
    POBP_DIRECTORY Made;
    NTSTATUS Status = ObCreateType(&ObpDirectoryRoutines, &ObDirectoryType);

    if (NT_SUCCESS(Status)) {
        Status = ObCreateType(&ObpLinkRoutines, &ObSymbolicLinkType);
    }
    if (NT_SUCCESS(Status)) {
        Status = ObCreateObject(ObDirectoryType, (PVOID *)&ObpRoot);
    }
    if (NT_SUCCESS(Status)) {
        ObpRoot->KernelOnly = TRUE;
        Status = ObpMakeDirectory(L"\\ObjectTypes", TRUE, &ObpTypeDirectory);
    }
    for (ULONG i = 0; NT_SUCCESS(Status) && i < RTL_NUMBER_OF(Directories); i++) {
        Status = ObpMakeDirectory(Directories[i].Path, Directories[i].KernelOnly, &Made);
    }
    return NT_SUCCESS(Status) ? ObpMakeDosDevicesLink() : Status;
}

void ObpInitializeNames(void)
{
    ExInitializePushLock(&ObpNameLock);
    if (!NT_SUCCESS(ObpMakeNameSpace()) || !NT_SUCCESS(ObpNameType(ObDirectoryType)) ||
        !NT_SUCCESS(ObpNameType(ObSymbolicLinkType))) {
        KdBugCheck(PHASE0_INITIALIZATION_FAILED, 0, 0, 0, 0, NULL, "no memory for the object name space");
    }
}
