/* SPDX-License-Identifier: MIT */
/*
 * The object name space as drivers see it: directories, symbolic links, paths and their statuses, what the
 * attributes of OBJECT_ATTRIBUTES mean, when a name goes; and look-ups by name that race with the end of the
 * object.
 */
#include "objects.h"

#define BASE L"\\BaseNamedObjects\\"

/* ---- Paths ---- */

static PCSTR TestStandardDirectories(VOID)
{
    static const PCWSTR Names[] = {L"\\", L"\\BaseNamedObjects", L"\\Device", L"\\Driver", L"\\Callback", L"\\ObjectTypes", L"\\??"};
    for (ULONG i = 0; i < ARRAYSIZE(Names); i++) {
        HANDLE Directory;
        KTEST_CHECK(NT_SUCCESS(ZwOpenDirectoryObject(&Directory, DIRECTORY_QUERY, NAMED(Names[i], 0))));
        KTEST_CHECK(NT_SUCCESS(ZwClose(Directory)));
    }
    return NULL;
}

static PCSTR TestPathStatuses(VOID)
{
    static const struct {
        PCWSTR Name;
        NTSTATUS Status;
    } Cases[] = {
        {BASE L"Nothing", STATUS_OBJECT_NAME_NOT_FOUND},
        {BASE L"Nothing\\More", STATUS_OBJECT_PATH_NOT_FOUND},
        {L"\\Nothing\\More", STATUS_OBJECT_PATH_NOT_FOUND},
        {BASE L"Here\\More", STATUS_OBJECT_PATH_NOT_FOUND}, /* an event is no directory */
        {BASE L"\\Here", STATUS_OBJECT_NAME_INVALID},       /* an empty component */
        {BASE, STATUS_OBJECT_NAME_INVALID},                 /* the same at the end */
        {L"\\\\BaseNamedObjects", STATUS_OBJECT_NAME_INVALID},
        {L"BaseNamedObjects\\Here", STATUS_OBJECT_PATH_SYNTAX_BAD},
        {L"", STATUS_OBJECT_PATH_SYNTAX_BAD},
        {L"\\BaseNamedObjects", STATUS_OBJECT_TYPE_MISMATCH},
        {L"\\", STATUS_OBJECT_TYPE_MISMATCH},
        {BASE L"here", STATUS_OBJECT_NAME_NOT_FOUND}, /* another case */
        {BASE L"Here", STATUS_SUCCESS},
    };
    HANDLE Here;
    KTEST_CHECK(MakeEvent(&Here, NAMED(BASE L"Here", 0)) == STATUS_SUCCESS);
    for (ULONG i = 0; i < ARRAYSIZE(Cases); i++) {
        NTSTATUS Status = TryEvent(Cases[i].Name, 0);
        if (Status != Cases[i].Status) {
            DbgPrint("objects: %ws gives %08x, not %08x\n", Cases[i].Name, Status, Cases[i].Status);
            return "the status of a path";
        }
    }
    KTEST_CHECK(TryEvent(L"\\basenamedobjects\\HERE", OBJ_CASE_INSENSITIVE) == STATUS_SUCCESS);
    ZwClose(Here);
    KTEST_CHECK(TryEvent(BASE L"Here", 0) == STATUS_OBJECT_NAME_NOT_FOUND); /* gone with the last handle */
    return NULL;
}

static PCSTR TestRootDirectory(VOID)
{
    HANDLE Base, Event, Again;
    KTEST_CHECK(NT_SUCCESS(ZwOpenDirectoryObject(&Base, DIRECTORY_ALL_ACCESS, NAMED(L"\\BaseNamedObjects", 0))));
    KTEST_CHECK(MakeEvent(&Event, NAMED_IN(Base, L"Relative", 0)) == STATUS_SUCCESS);
    KTEST_CHECK(OpenEvent(&Again, NAMED_IN(Base, L"Relative", 0)) == STATUS_SUCCESS);
    KTEST_CHECK(TryEvent(BASE L"Relative", 0) == STATUS_SUCCESS);
    ZwClose(Again);
    KTEST_CHECK(OpenEvent(&Again, NAMED_IN(Base, L"\\Relative", 0)) == STATUS_OBJECT_PATH_SYNTAX_BAD);
    KTEST_CHECK(OpenEvent(&Again, NAMED_IN(Base, L"", 0)) == STATUS_OBJECT_PATH_SYNTAX_BAD);
    KTEST_CHECK(OpenEvent(&Again, NAMED_IN(Event, L"Relative", 0)) == STATUS_OBJECT_TYPE_MISMATCH);
    KTEST_CHECK(OpenEvent(&Again, NAMED_IN((HANDLE)0x7ffc, L"Relative", 0)) == STATUS_INVALID_HANDLE);
    ZwClose(Event);
    ZwClose(Base);
    return NULL;
}

/* ---- Attributes ---- */

static PCSTR TestCollision(VOID)
{
    HANDLE First, Second, Third;
    KTEST_CHECK(MakeEvent(&First, NAMED(BASE L"Twice", 0)) == STATUS_SUCCESS);
    KTEST_CHECK(MakeEvent(&Second, NAMED(BASE L"Twice", 0)) == STATUS_OBJECT_NAME_COLLISION);
    KTEST_CHECK(MakeEvent(&Second, NAMED(BASE L"TWICE", OBJ_CASE_INSENSITIVE)) == STATUS_OBJECT_NAME_COLLISION);
    KTEST_CHECK(MakeEvent(&Second, NAMED(BASE L"Twice", OBJ_OPENIF)) == STATUS_OBJECT_NAME_EXISTS);
    KTEST_CHECK(ZwCreateDirectoryObject(&Third, DIRECTORY_ALL_ACCESS, NAMED(BASE L"Twice", OBJ_OPENIF)) ==
                STATUS_OBJECT_TYPE_MISMATCH);
    LONG Previous = -1;
    KTEST_CHECK(ZwSetEvent(Second, NULL) == STATUS_SUCCESS && ZwSetEvent(First, &Previous) == STATUS_SUCCESS && Previous == 1);
    KTEST_CHECK(ZwClearEvent(Second) == STATUS_SUCCESS && ZwResetEvent(First, &Previous) == STATUS_SUCCESS && Previous == 0);
    ZwClose(First);
    KTEST_CHECK(TryEvent(BASE L"Twice", 0) == STATUS_SUCCESS); /* the second handle keeps the name */
    ZwClose(Second);
    KTEST_CHECK(TryEvent(BASE L"Twice", 0) == STATUS_OBJECT_NAME_NOT_FOUND);
    KTEST_CHECK(MakeEvent(&First, NAMED(BASE L"Twice", OBJ_OPENIF)) == STATUS_SUCCESS); /* open-if makes it, too */
    ZwClose(First);
    return NULL;
}

static PCSTR TestPermanent(VOID)
{
    HANDLE Event;
    KTEST_CHECK(MakeEvent(&Event, NAMED(BASE L"Stays", OBJ_PERMANENT)) == STATUS_SUCCESS);
    ZwClose(Event);
    KTEST_CHECK(OpenEvent(&Event, NAMED(BASE L"Stays", 0)) == STATUS_SUCCESS);
    KTEST_CHECK(ZwMakeTemporaryObject(Event) == STATUS_SUCCESS);
    KTEST_CHECK(TryEvent(BASE L"Stays", 0) == STATUS_SUCCESS); /* a handle is left */
    ZwClose(Event);
    KTEST_CHECK(TryEvent(BASE L"Stays", 0) == STATUS_OBJECT_NAME_NOT_FOUND);
    KTEST_CHECK(ZwMakeTemporaryObject(Event) == STATUS_INVALID_HANDLE);
    /* without a handle it goes at once */
    PVOID Object;
    KTEST_CHECK(MakeEvent(&Event, NAMED(BASE L"Stays", OBJ_PERMANENT)) == STATUS_SUCCESS);
    KTEST_CHECK(NT_SUCCESS(ObReferenceObjectByHandle(Event, 0, *ExEventObjectType, KernelMode, &Object, NULL)));
    ZwClose(Event);
    ObMakeTemporaryObject(Object);
    KTEST_CHECK(TryEvent(BASE L"Stays", 0) == STATUS_OBJECT_NAME_NOT_FOUND);
    ObDereferenceObject(Object);
    return NULL;
}

/* An object's name holds one reference more; the references that are left keep the object, not its name. */
static PCSTR TestNameCounts(VOID)
{
    HANDLE WithHandle, Unnamed;
    PVOID Object, Other;
    OBJECT_ATTRIBUTES None;
    InitializeObjectAttributes(&None, NULL, OBJ_KERNEL_HANDLE, NULL, NULL);
    KTEST_CHECK(NT_SUCCESS(MakeEvent(&WithHandle, NAMED(BASE L"Counted", 0))) && NT_SUCCESS(MakeEvent(&Unnamed, &None)));
    KTEST_CHECK(NT_SUCCESS(ObReferenceObjectByHandle(WithHandle, 0, NULL, KernelMode, &Object, NULL)));
    KTEST_CHECK(NT_SUCCESS(ObReferenceObjectByHandle(Unnamed, 0, NULL, KernelMode, &Other, NULL)));
    LONG_PTR WithName = ObReferenceObject(Object), Without = ObReferenceObject(Other);
    KTEST_CHECK(WithName == Without + 1 && Without == 3);
    KTEST_CHECK(ObDereferenceObject(Object) == WithName - 1 && ObDereferenceObject(Other) == Without - 1);
    ZwClose(Unnamed);
    ZwClose(WithHandle);
    KTEST_CHECK(TryEvent(BASE L"Counted", 0) == STATUS_OBJECT_NAME_NOT_FOUND);
    KTEST_CHECK(KeSetEvent(Object, 0, FALSE) == 0 && ObReferenceObject(Object) == 2);
    ObDereferenceObject(Object);
    KTEST_CHECK(ObDereferenceObject(Object) == 0 && ObDereferenceObject(Other) == 0);
    return NULL;
}

/* A name that was free is used again while the object that had it before lives on. */
static PCSTR TestNameReused(VOID)
{
    HANDLE Handle;
    PVOID First, Second;
    KTEST_CHECK(MakeEvent(&Handle, NAMED(BASE L"Again", 0)) == STATUS_SUCCESS);
    KTEST_CHECK(NT_SUCCESS(ObReferenceObjectByHandle(Handle, 0, NULL, KernelMode, &First, NULL)));
    ZwClose(Handle);
    KTEST_CHECK(MakeEvent(&Handle, NAMED(BASE L"Again", 0)) == STATUS_SUCCESS);
    KTEST_CHECK(NT_SUCCESS(ObReferenceObjectByHandle(Handle, 0, NULL, KernelMode, &Second, NULL)) && First != Second);
    ObDereferenceObject(First);
    KTEST_CHECK(TryEvent(BASE L"Again", 0) == STATUS_SUCCESS);
    ObDereferenceObject(Second);
    ZwClose(Handle);
    return NULL;
}

/* All handles to an exclusive object are in one process; here: the System process's, of which kernel handles
   are. */
static PCSTR TestExclusive(VOID)
{
    HANDLE First, Second, Other;
    KTEST_CHECK(MakeEvent(&First, NAMED(BASE L"Mine", OBJ_EXCLUSIVE)) == STATUS_SUCCESS);
    KTEST_CHECK(OpenEvent(&Second, NAMED(BASE L"Mine", OBJ_EXCLUSIVE)) == STATUS_SUCCESS);
    ZwClose(Second);
    KTEST_CHECK(MakeEvent(&Other, NAMED(BASE L"Shared", 0)) == STATUS_SUCCESS);
    KTEST_CHECK(OpenEvent(&Second, NAMED(BASE L"Shared", OBJ_EXCLUSIVE)) == STATUS_ACCESS_DENIED);
    ZwClose(Other);
    ZwClose(First);
    return NULL;
}

/* ---- Directories and links ---- */

/* ---- The names in a directory ---- */

#define LISTED 100

/* Which of the names Event0 to Event99 an answer has, all of the type Event; FALSE: something in it is
   wrong. */
static BOOLEAN TickOff(const OBJECT_DIRECTORY_INFORMATION *Entry, ULONG Size, UCHAR *Seen, PULONG Count)
{
    const UNICODE_STRING Type = RTL_CONSTANT_STRING(L"Event");
    const UCHAR *First = (const UCHAR *)Entry;
    for (; Entry->Name.Length != 0; Entry++, ++*Count) {
        ULONG Number = 0;
        for (ULONG i = 5; i < Entry->Name.Length / sizeof(WCHAR); i++) {
            Number = Number * 10 + (ULONG)(Entry->Name.Buffer[i] - L'0');
        }
        if (Number >= LISTED || Seen[Number]++ || !RtlEqualUnicodeString(&Entry->TypeName, &Type, FALSE) ||
            (const UCHAR *)Entry->TypeName.Buffer < First || (const UCHAR *)Entry->TypeName.Buffer + Type.Length + 2 > First + Size ||
            Entry->Name.Buffer[Entry->Name.Length / sizeof(WCHAR)] != 0) {
            return FALSE;
        }
    }
    return TRUE;
}

/* All names in answers of so many bytes, each once. */
static PCSTR ListAll(HANDLE Directory, PVOID Buffer, ULONG Size, BOOLEAN Single)
{
    UCHAR Seen[LISTED] = {0};
    ULONG Context = 77, Length, Count = 0, Answers = 0;
    NTSTATUS Status;
    do {
        Status = ZwQueryDirectoryObject(Directory, Buffer, Size, Single, Answers++ == 0, &Context, &Length);
        if (Status == STATUS_NO_MORE_ENTRIES) {
            break;
        }
        KTEST_CHECK((Single ? Status == STATUS_SUCCESS : NT_SUCCESS(Status)) && Length <= Size && TickOff(Buffer, Length, Seen, &Count));
        KTEST_CHECK(Context == Count && (!Single || Count == Answers));
    } while (Single || Status == STATUS_MORE_ENTRIES);
    KTEST_CHECK(Count == LISTED);
    return NULL;
}

static PCSTR TestList(VOID)
{
    static UCHAR Buffer[0x4000] DECLSPEC_ALIGN(8);
    HANDLE Directory, Events[LISTED], Weak;
    ULONG Context = 0, Length;
    KTEST_CHECK(NT_SUCCESS(ZwCreateDirectoryObject(&Directory, DIRECTORY_ALL_ACCESS, NAMED(BASE L"List", 0))));
    KTEST_CHECK(ZwQueryDirectoryObject(Directory, Buffer, sizeof(Buffer), FALSE, TRUE, &Context, &Length) == STATUS_NO_MORE_ENTRIES);
    for (ULONG i = 0; i < LISTED; i++) {
        WCHAR Name[16] = L"Event";
        Name[5] = (WCHAR)(L'0' + i / 10);
        Name[6] = (WCHAR)(L'0' + i % 10);
        KTEST_CHECK(MakeEvent(&Events[i], NAMED_IN(Directory, Name, 0)) == STATUS_SUCCESS);
    }
    PCSTR Why = ListAll(Directory, Buffer, sizeof(Buffer), FALSE);
    Why = Why != NULL ? Why : ListAll(Directory, Buffer, 500, FALSE);
    Why = Why != NULL ? Why : ListAll(Directory, Buffer, 500, TRUE);
    KTEST_CHECK(Why == NULL);
    Context = 0;
    Length = 0;
    KTEST_CHECK(ZwQueryDirectoryObject(Directory, Buffer, 80, FALSE, FALSE, &Context, &Length) == STATUS_BUFFER_TOO_SMALL);
    KTEST_CHECK(Context == 0 && Length == 2 * sizeof(OBJECT_DIRECTORY_INFORMATION) + 16 + 12);
    KTEST_CHECK(ZwQueryDirectoryObject(Directory, Buffer, Length + 4, FALSE, FALSE, &Context, &Length) == STATUS_MORE_ENTRIES && Context == 1);
    KTEST_CHECK(ZwQueryDirectoryObject(Events[0], Buffer, 80, FALSE, FALSE, &Context, &Length) == STATUS_OBJECT_TYPE_MISMATCH);
    KTEST_CHECK(NT_SUCCESS(ZwOpenDirectoryObject(&Weak, DIRECTORY_TRAVERSE, NAMED(BASE L"List", 0))));
    KTEST_CHECK(ZwQueryDirectoryObject(Weak, Buffer, sizeof(Buffer), FALSE, TRUE, &Context, NULL) == STATUS_SUCCESS); /* the kernel asks */
    ZwClose(Weak);
    for (ULONG i = 0; i < LISTED; i++) {
        ZwClose(Events[i]);
    }
    ZwClose(Directory);
    return NULL;
}

/* ---- Generic rights ---- */

static PCSTR TestGenericRights(VOID)
{
    static const struct {
        ACCESS_MASK Asked, Granted;
    } Rights[] = {
        {GENERIC_READ, EVENT_QUERY_STATE | STANDARD_RIGHTS_READ},
        {GENERIC_WRITE, EVENT_MODIFY_STATE | STANDARD_RIGHTS_WRITE},
        {GENERIC_EXECUTE, SYNCHRONIZE | STANDARD_RIGHTS_EXECUTE},
        {GENERIC_READ | SYNCHRONIZE, EVENT_QUERY_STATE | STANDARD_RIGHTS_READ | SYNCHRONIZE},
        {GENERIC_ALL, EVENT_ALL_ACCESS},
        {MAXIMUM_ALLOWED, EVENT_ALL_ACCESS},
        {EVENT_MODIFY_STATE | 0x8000, EVENT_MODIFY_STATE}, /* a right that events do not have */
    };
    const GENERIC_MAPPING Mapping = {1, 2, 4, 7};
    ACCESS_MASK Mask = GENERIC_READ | GENERIC_EXECUTE | 0x100;
    RtlMapGenericMask(&Mask, &Mapping);
    KTEST_CHECK(Mask == 0x105);
    Mask = GENERIC_ALL;
    RtlMapGenericMask(&Mask, &Mapping);
    KTEST_CHECK(Mask == 7 && min(3, 4) == 3 && max(3, 4) == 4);
    for (ULONG i = 0; i < ARRAYSIZE(Rights); i++) {
        PUBLIC_OBJECT_BASIC_INFORMATION Basic;
        HANDLE Event;
        KTEST_CHECK(NT_SUCCESS(ZwCreateEvent(&Event, Rights[i].Asked, NULL, NotificationEvent, FALSE)));
        KTEST_CHECK(NT_SUCCESS(ZwQueryObject(Event, ObjectBasicInformation, &Basic, sizeof(Basic), NULL)));
        ZwClose(Event);
        KTEST_CHECK(Basic.GrantedAccess == Rights[i].Granted);
    }
    return NULL;
}

static PCSTR TestDirectories(VOID)
{
    HANDLE Outer, Inner, Event, Again;
    KTEST_CHECK(NT_SUCCESS(ZwCreateDirectoryObject(&Outer, DIRECTORY_ALL_ACCESS, NAMED(BASE L"Outer", 0))));
    KTEST_CHECK(NT_SUCCESS(ZwCreateDirectoryObject(&Inner, DIRECTORY_ALL_ACCESS, NAMED_IN(Outer, L"Inner", 0))));
    KTEST_CHECK(MakeEvent(&Event, NAMED(BASE L"Outer\\Inner\\Event", 0)) == STATUS_SUCCESS);
    KTEST_CHECK(OpenEvent(&Again, NAMED_IN(Outer, L"Inner\\Event", 0)) == STATUS_SUCCESS);
    ZwClose(Again);
    KTEST_CHECK(ZwCreateDirectoryObject(&Again, DIRECTORY_ALL_ACCESS, NAMED(BASE L"Outer", OBJ_OPENIF)) ==
                STATUS_OBJECT_NAME_EXISTS);
    ZwClose(Again);
    /* a directory without handles has no name; what stands in it is still found by a handle to it */
    ZwClose(Outer);
    KTEST_CHECK(TryEvent(BASE L"Outer\\Inner\\Event", 0) == STATUS_OBJECT_PATH_NOT_FOUND);
    KTEST_CHECK(OpenEvent(&Again, NAMED_IN(Inner, L"Event", 0)) == STATUS_SUCCESS);
    struct {
        OBJECT_NAME_INFORMATION Information;
        WCHAR Text[64];
    } Answer;
    PVOID Object;
    ULONG Length;
    KTEST_CHECK(NT_SUCCESS(ObReferenceObjectByHandle(Again, 0, NULL, KernelMode, &Object, NULL)));
    NTSTATUS Status = ObQueryNameString(Object, &Answer.Information, sizeof(Answer), &Length);
    ObDereferenceObject(Object);
    KTEST_CHECK(NT_SUCCESS(Status) && Answer.Information.Name.Length == 0); /* no path leads to it any more */
    ZwClose(Again);
    ZwClose(Inner);
    ZwClose(Event);
    return NULL;
}

static NTSTATUS MakeLink(PHANDLE Link, PCWSTR Name, PCWSTR Target)
{
    UNICODE_STRING To;
    RtlInitUnicodeString(&To, Target);
    return ZwCreateSymbolicLinkObject(Link, SYMBOLIC_LINK_ALL_ACCESS, NAMED(Name, 0), &To);
}

static PCSTR TestLinks(VOID)
{
    HANDLE Event, Link, Deep, Again;
    WCHAR Buffer[64];
    UNICODE_STRING Target = {.MaximumLength = sizeof(Buffer), .Buffer = Buffer}, Expected;
    ULONG Length = 0;
    RtlInitUnicodeString(&Expected, BASE L"Real");
    KTEST_CHECK(MakeEvent(&Event, NAMED(BASE L"Real", 0)) == STATUS_SUCCESS);
    KTEST_CHECK(MakeLink(&Link, L"\\??\\Name", BASE L"Real") == STATUS_SUCCESS);
    KTEST_CHECK(MakeLink(&Deep, L"\\??\\Base", L"\\BaseNamedObjects") == STATUS_SUCCESS);
    KTEST_CHECK(TryEvent(L"\\??\\Name", 0) == STATUS_SUCCESS && TryEvent(L"\\??\\Base\\Real", 0) == STATUS_SUCCESS);
    KTEST_CHECK(TryEvent(L"\\DosDevices\\Name", 0) == STATUS_SUCCESS); /* which is a link itself */
    KTEST_CHECK(TryEvent(L"\\??\\Name", OBJ_OPENLINK) == STATUS_OBJECT_TYPE_MISMATCH);
    KTEST_CHECK(TryEvent(L"\\??\\Base\\Real", OBJ_OPENLINK) == STATUS_SUCCESS); /* concerns the last component alone */
    KTEST_CHECK(TryEvent(L"\\??\\Base\\Real", OBJ_DONT_REPARSE) == STATUS_REPARSE_POINT_ENCOUNTERED);
    KTEST_CHECK(NT_SUCCESS(ZwOpenSymbolicLinkObject(&Again, SYMBOLIC_LINK_QUERY, NAMED(L"\\??\\Name", 0))));
    KTEST_CHECK(ZwQuerySymbolicLinkObject(Again, &Target, &Length) == STATUS_SUCCESS);
    KTEST_CHECK(RtlEqualUnicodeString(&Target, &Expected, FALSE) && Length == Expected.Length);
    Target.MaximumLength = Expected.Length - 2;
    KTEST_CHECK(ZwQuerySymbolicLinkObject(Again, &Target, &Length) == STATUS_BUFFER_TOO_SMALL && Length == Expected.Length);
    KTEST_CHECK(ZwQuerySymbolicLinkObject(Event, &Target, NULL) == STATUS_OBJECT_TYPE_MISMATCH);
    ZwClose(Again);
    KTEST_CHECK(ZwOpenSymbolicLinkObject(&Again, SYMBOLIC_LINK_QUERY, NAMED(BASE L"Real", 0)) == STATUS_OBJECT_TYPE_MISMATCH);
    /* what is made at a link is made where it leads; a second link of a name collides with the first */
    KTEST_CHECK(MakeEvent(&Again, NAMED(L"\\??\\Base\\New", 0)) == STATUS_SUCCESS && TryEvent(BASE L"New", 0) == STATUS_SUCCESS);
    ZwClose(Again);
    KTEST_CHECK(MakeEvent(&Again, NAMED(L"\\??\\Name", 0)) == STATUS_OBJECT_NAME_COLLISION);
    KTEST_CHECK(MakeLink(&Again, L"\\??\\Name", L"\\") == STATUS_OBJECT_NAME_COLLISION);
    ZwClose(Event);
    KTEST_CHECK(TryEvent(L"\\??\\Name", 0) == STATUS_OBJECT_NAME_NOT_FOUND); /* leads nowhere now */
    ZwClose(Link);
    ZwClose(Deep);
    return NULL;
}

static PCSTR TestLinkCircle(VOID)
{
    HANDLE First, Second, Growing, Bad;
    KTEST_CHECK(MakeLink(&First, BASE L"Left", BASE L"Right") == STATUS_SUCCESS);
    KTEST_CHECK(MakeLink(&Second, BASE L"Right", BASE L"Left") == STATUS_SUCCESS);
    KTEST_CHECK(MakeLink(&Growing, BASE L"Growing", BASE L"Growing\\More") == STATUS_SUCCESS);
    KTEST_CHECK(MakeLink(&Bad, BASE L"Bad", L"NoBackslash") == STATUS_SUCCESS);
    KTEST_CHECK(TryEvent(BASE L"Left", 0) == STATUS_OBJECT_NAME_NOT_FOUND);
    KTEST_CHECK(TryEvent(BASE L"Growing", 0) == STATUS_OBJECT_NAME_NOT_FOUND);
    KTEST_CHECK(TryEvent(BASE L"Bad", 0) == STATUS_OBJECT_PATH_SYNTAX_BAD);
    HANDLE Event;
    KTEST_CHECK(MakeEvent(&Event, NAMED(BASE L"Left", 0)) == STATUS_OBJECT_NAME_NOT_FOUND);
    ZwClose(First);
    ZwClose(Second);
    ZwClose(Growing);
    ZwClose(Bad);
    return NULL;
}

/* ---- Names of objects ---- */

static PCSTR TestQueryName(VOID)
{
    struct {
        OBJECT_NAME_INFORMATION Information;
        WCHAR Text[64];
    } Answer;
    UNICODE_STRING Expected;
    HANDLE Event;
    PVOID Object;
    ULONG Length = 0;
    RtlInitUnicodeString(&Expected, BASE L"Asked");
    KTEST_CHECK(MakeEvent(&Event, NAMED(BASE L"Asked", 0)) == STATUS_SUCCESS);
    KTEST_CHECK(NT_SUCCESS(ObReferenceObjectByHandle(Event, 0, NULL, KernelMode, &Object, NULL)));
    KTEST_CHECK(ObQueryNameString(Object, NULL, 0, &Length) == STATUS_INFO_LENGTH_MISMATCH);
    KTEST_CHECK(Length == sizeof(OBJECT_NAME_INFORMATION) + Expected.Length + sizeof(WCHAR));
    KTEST_CHECK(ObQueryNameString(Object, &Answer.Information, Length - 1, &Length) == STATUS_INFO_LENGTH_MISMATCH);
    KTEST_CHECK(ObQueryNameString(Object, &Answer.Information, Length, &Length) == STATUS_SUCCESS);
    KTEST_CHECK(RtlEqualUnicodeString(&Answer.Information.Name, &Expected, FALSE));
    KTEST_CHECK(Answer.Information.Name.Buffer[Expected.Length / sizeof(WCHAR)] == 0);
    ZwClose(Event);
    KTEST_CHECK(ObQueryNameString(Object, &Answer.Information, sizeof(Answer), &Length) == STATUS_SUCCESS);
    KTEST_CHECK(Answer.Information.Name.Length == 0 && Length == sizeof(OBJECT_NAME_INFORMATION)); /* it has none any more */
    ObDereferenceObject(Object);

    RtlInitUnicodeString(&Expected, L"\\");
    KTEST_CHECK(NT_SUCCESS(ObReferenceObjectByName(&Expected, 0, NULL, 0, NULL, KernelMode, NULL, &Object)));
    KTEST_CHECK(NT_SUCCESS(ObQueryNameString(Object, &Answer.Information, sizeof(Answer), &Length)));
    KTEST_CHECK(RtlEqualUnicodeString(&Answer.Information.Name, &Expected, FALSE));
    ObDereferenceObject(Object);
    return NULL;
}

static NTSTATUS ReferenceName(PCWSTR Name, ULONG Flags, POBJECT_TYPE Type, PVOID *Object)
{
    UNICODE_STRING String;
    RtlInitUnicodeString(&String, Name);
    return ObReferenceObjectByName(&String, Flags, NULL, 0, Type, KernelMode, NULL, Object);
}

static PDRIVER_OBJECT Driver;

static PCSTR TestDriverName(VOID)
{
    PVOID Object;
    KTEST_CHECK(ReferenceName(L"\\Driver\\objects", 0, *IoDriverObjectType, &Object) == STATUS_SUCCESS && Object == Driver);
    ObDereferenceObject(Object);
    KTEST_CHECK(ReferenceName(L"\\DRIVER\\OBJECTS", OBJ_CASE_INSENSITIVE, *IoDriverObjectType, &Object) == STATUS_SUCCESS);
    ObDereferenceObject(Object);
    KTEST_CHECK(ReferenceName(L"\\Driver\\objects", 0, *ExEventObjectType, &Object) == STATUS_OBJECT_TYPE_MISMATCH);
    KTEST_CHECK(ReferenceName(L"\\Driver\\none", 0, *IoDriverObjectType, &Object) == STATUS_OBJECT_NAME_NOT_FOUND);
    return NULL;
}

static PCSTR TestTypeNames(VOID)
{
    static const PCWSTR Names[] = {L"Type", L"Directory", L"SymbolicLink", L"Callback", L"Process", L"Thread", L"Event", L"File", L"Driver"};
    HANDLE Directory;
    KTEST_CHECK(NT_SUCCESS(ZwOpenDirectoryObject(&Directory, DIRECTORY_QUERY, NAMED(L"\\ObjectTypes", 0))));
    for (ULONG i = 0; i < ARRAYSIZE(Names); i++) {
        HANDLE Type; /* it is there, and no event */
        KTEST_CHECK(OpenEvent(&Type, NAMED_IN(Directory, Names[i], 0)) == STATUS_OBJECT_TYPE_MISMATCH);
    }
    ZwClose(Directory);
    PVOID Object;
    KTEST_CHECK(ReferenceName(L"\\ObjectTypes\\Event", 0, NULL, &Object) == STATUS_SUCCESS && Object == *ExEventObjectType);
    ObDereferenceObject(Object);
    return NULL;
}

static PCSTR TestCallbackNames(VOID)
{
    PCALLBACK_OBJECT Callback;
    PVOID Object;
    KTEST_CHECK(NT_SUCCESS(ExCreateCallback(&Callback, NAMED(L"\\Callback\\Objects", 0), TRUE, TRUE)));
    KTEST_CHECK(ReferenceName(L"\\Callback\\Objects", 0, NULL, &Object) == STATUS_SUCCESS && Object == Callback);
    ObDereferenceObject(Object);
    HANDLE Event;
    KTEST_CHECK(MakeEvent(&Event, NAMED(L"\\Callback\\Objects", OBJ_OPENIF)) == STATUS_OBJECT_TYPE_MISMATCH);
    ObDereferenceObject(Callback);
    KTEST_CHECK(ReferenceName(L"\\Callback\\Objects", 0, NULL, &Object) == STATUS_OBJECT_NAME_NOT_FOUND);
    return NULL;
}

static PCSTR TestIoEvents(VOID)
{
    HANDLE First, Second;
    UNICODE_STRING Name, Nowhere;
    RtlInitUnicodeString(&Name, BASE L"IoEvent");
    RtlInitUnicodeString(&Nowhere, L"\\Nowhere\\IoEvent");
    PKEVENT Event = IoCreateSynchronizationEvent(&Name, &First);
    KTEST_CHECK(Event != NULL && Event->Header.Type == SynchronizationEvent && KeReadStateEvent(Event) == 1);
    KTEST_CHECK(IoCreateNotificationEvent(&Name, &Second) == Event); /* it is there, whatever it is */
    ZwClose(First);
    KTEST_CHECK(TryEvent(Name.Buffer, 0) == STATUS_SUCCESS);
    ZwClose(Second);
    KTEST_CHECK(TryEvent(Name.Buffer, 0) == STATUS_OBJECT_NAME_NOT_FOUND);
    Event = IoCreateNotificationEvent(&Name, &First);
    KTEST_CHECK(Event != NULL && Event->Header.Type == NotificationEvent && (LONG_PTR)First < 0);
    ZwClose(First);
    KTEST_CHECK(IoCreateNotificationEvent(&Nowhere, &First) == NULL);
    return NULL;
}

/* ---- Races ---- */

#define CROWD  8
#define ROUNDS 2000

static LONG Unexpected;
static volatile LONG Made, Met, Missed;

/* All use one name: make or open it, close it. Whoever opens it has an object that works, or is told that
   there is none. */
static VOID Churn(PVOID Context)
{
    ULONG Number = (ULONG)(ULONG_PTR)Context;
    for (ULONG i = 0; i < ROUNDS; i++) {
        HANDLE Handle;
        NTSTATUS Status = (Number + i) % 2 == 0 ? MakeEvent(&Handle, NAMED(BASE L"Churn", OBJ_OPENIF))
                                                : OpenEvent(&Handle, NAMED(BASE L"Churn", 0));
        if (Status == STATUS_OBJECT_NAME_NOT_FOUND && (Number + i) % 2 != 0) {
            InterlockedIncrement(&Missed);
            continue;
        }
        InterlockedIncrement(Status == STATUS_OBJECT_NAME_EXISTS ? &Met : &Made);
        if (!NT_SUCCESS(Status) || !NT_SUCCESS(ZwSetEvent(Handle, NULL)) || TryEvent(BASE L"Churn", 0) != STATUS_SUCCESS ||
            !NT_SUCCESS(ZwClose(Handle))) {
            InterlockedIncrement(&Unexpected); /* while a handle is open, the name is there */
        }
    }
}

static PCSTR TestChurn(VOID)
{
    Unexpected = 0;
    KTEST_CHECK(KtestCrowd(CROWD, Churn) && Unexpected == 0);
    KTEST_CHECK(Made > 0 && TryEvent(BASE L"Churn", 0) == STATUS_OBJECT_NAME_NOT_FOUND);
    return NULL;
}

/* The same with names that hold no reference: a look-up races the last dereference itself. */
static VOID ChurnCallback(PVOID Context)
{
    for (ULONG i = 0; i < ROUNDS; i++) {
        PCALLBACK_OBJECT Callback;
        NTSTATUS Status = ExCreateCallback(&Callback, NAMED(L"\\Callback\\Churn", 0), (i & 1) == 0, TRUE);
        if (Status == STATUS_OBJECT_NAME_NOT_FOUND && (i & 1) != 0) {
            continue;
        }
        if (!NT_SUCCESS(Status)) {
            InterlockedIncrement(&Unexpected);
            continue;
        }
        PVOID Registration = ExRegisterCallback(Callback, (PCALLBACK_FUNCTION)(PVOID)ChurnCallback, NULL);
        if (Registration != NULL) {
            ExUnregisterCallback(Registration);
        } else {
            InterlockedIncrement(&Unexpected);
        }
        ObDereferenceObject(Callback);
    }
}

static PCSTR TestChurnCallback(VOID)
{
    PCALLBACK_OBJECT Callback;
    Unexpected = 0;
    KTEST_CHECK(KtestCrowd(CROWD, ChurnCallback) && Unexpected == 0);
    KTEST_CHECK(ExCreateCallback(&Callback, NAMED(L"\\Callback\\Churn", 0), FALSE, TRUE) == STATUS_OBJECT_NAME_NOT_FOUND);
    return NULL;
}

/* Everything above, and the ways out of memory, leave nothing behind. */
static PCSTR TestNoMemory(VOID)
{
    PRIMER_MEMORY Before, After;
    ULONG Failed = 0, Succeeded = 0;
    PrimerQueryMemory(&Before);
    for (ULONG i = 0; i < 12 && Succeeded < 2; i++) {
        HANDLE Link;
        PrimerFailAllocations(i, 1);
        NTSTATUS Status = MakeLink(&Link, L"\\DosDevices\\Memory", L"\\Nowhere");
        PrimerFailAllocations(0, 0);
        if (NT_SUCCESS(Status)) {
            ZwClose(Link);
            Succeeded++;
        } else if (Status == STATUS_INSUFFICIENT_RESOURCES) {
            Failed++;
        } else {
            return "another status than no memory";
        }
    }
    PrimerQueryMemory(&After);
    KTEST_CHECK(Failed >= 5 && Succeeded > 0);
    KTEST_CHECK(After.PoolBlocks == Before.PoolBlocks && After.PoolBytes == Before.PoolBytes);
    return NULL;
}

VOID RunNames(PDRIVER_OBJECT DriverObject)
{
    Driver = DriverObject;
    KtestRun("objects.standard-directories", TestStandardDirectories);
    KtestRun("objects.path-statuses", TestPathStatuses);
    KtestRun("objects.root-directory", TestRootDirectory);
    KtestRun("objects.collision-and-open-if", TestCollision);
    KtestRun("objects.permanent-and-temporary", TestPermanent);
    KtestRun("objects.name-holds-a-reference", TestNameCounts);
    KtestRun("objects.name-used-again", TestNameReused);
    KtestRun("objects.exclusive", TestExclusive);
    KtestRun("objects.directories", TestDirectories);
    KtestRun("objects.directory-listed", TestList);
    KtestRun("objects.generic-rights", TestGenericRights);
    KtestRun("objects.symbolic-links", TestLinks);
    KtestRun("objects.links-in-a-circle", TestLinkCircle);
    KtestRun("objects.query-name", TestQueryName);
    KtestRun("objects.driver-name", TestDriverName);
    KtestRun("objects.type-names", TestTypeNames);
    KtestRun("objects.callback-names", TestCallbackNames);
    KtestRun("objects.io-events", TestIoEvents);
    KtestRun("objects.name-churn", TestChurn);
    KtestRun("objects.name-churn-without-handles", TestChurnCallback);
    KtestRun("objects.no-memory", TestNoMemory);
}
