/* SPDX-License-Identifier: MIT */
/*
 * Handles: look-ups that meet a closing, a duplication or the table's growth, each order brought about by the
 * schedule controller; a table of 100,000; what NtQueryObject and NtSetInformationObject say and do; object
 * callbacks.
 */
#include "objects.h"
#include <nativeprocess.h>

static HANDLE NewEvent(ULONG Flags)
{
    OBJECT_ATTRIBUTES Attributes;
    HANDLE Handle = NULL;
    InitializeObjectAttributes(&Attributes, NULL, Flags | OBJ_KERNEL_HANDLE, NULL, NULL);
    ZwCreateEvent(&Handle, EVENT_ALL_ACCESS, &Attributes, NotificationEvent, FALSE);
    return Handle;
}

/* ---- Two operations on one handle ---- */

typedef NTSTATUS OPERATION(VOID);

enum { ActorFirst, ActorSecond };

static struct {
    HANDLE Handle, Copy;
    PVOID Found;
    KEVENT Start;
    OPERATION *Operation[2];
    NTSTATUS Status[2];
} Pair;

static NTSTATUS LookUp(VOID)
{
    return ObReferenceObjectByHandle(Pair.Handle, EVENT_MODIFY_STATE, *ExEventObjectType, KernelMode, &Pair.Found, NULL);
}

static NTSTATUS Close(VOID)
{
    return ZwClose(Pair.Handle);
}

static NTSTATUS Duplicate(VOID)
{
    return ZwDuplicateObject(ZwCurrentProcess(), Pair.Handle, ZwCurrentProcess(), &Pair.Copy, 0, OBJ_KERNEL_HANDLE,
                             DUPLICATE_SAME_ACCESS);
}

/* Opens handles until the table has grown; they are closed by the judge. */
#define GROWTH 4000
static HANDLE Grown[GROWTH];
static ULONG GrownCount;

static NTSTATUS Grow(VOID)
{
    for (GrownCount = 0; GrownCount < GROWTH; GrownCount++) {
        Grown[GrownCount] = NewEvent(0);
    }
    return Grown[GROWTH - 1] != NULL ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

static VOID Part(PVOID Context)
{
    ULONG Which = (ULONG)(ULONG_PTR)Context;
    KeWaitForSingleObject(&Pair.Start, Executive, KernelMode, FALSE, NULL);
    Pair.Status[Which] = Pair.Operation[Which]();
}

/* Runs both under the script; returns whether that was met. */
static BOOLEAN RunPair(OPERATION *First, OPERATION *Second, const PRIMER_STEP *Steps, ULONG Count)
{
    PETHREAD Thread[2];
    Pair.Handle = NewEvent(0);
    Pair.Copy = Pair.Found = NULL;
    Pair.Operation[0] = First;
    Pair.Operation[1] = Second;
    KeInitializeEvent(&Pair.Start, NotificationEvent, FALSE);
    for (ULONG i = 0; i < 2; i++) {
        Thread[i] = KtestStart(Part, (PVOID)(ULONG_PTR)i);
        PrimerSetActor(i, Thread[i]);
    }
    PrimerStartScript(Steps, Count, 5000);
    KeSetEvent(&Pair.Start, 0, FALSE);
    KtestJoin(Thread[0]);
    KtestJoin(Thread[1]);
    return PrimerEndScript() == Count;
}

/* The first one has locked the entry when the second comes to it, finds it locked, and waits for it. */
static const PRIMER_STEP MeetLocked[] = {{PrimerPointEntryFound, ActorSecond, 1},
                                         {PrimerPointEntryLocked, ActorFirst, 0},
                                         {PrimerPointEntryLeft, ActorFirst, 0}};
/* The second one stands at the entry, which it has found and not touched yet, while the first one is there
   and goes. */
static const PRIMER_STEP Overtake[] = {{PrimerPointEntryLocked, ActorFirst, 2},
                                       {PrimerPointEntryLeft, ActorFirst, 0},
                                       {PrimerPointEntryFound, ActorSecond, 0}};

static PCSTR JudgeLookUp(VOID)
{
    KTEST_CHECK(Pair.Found != NULL && KeSetEvent(Pair.Found, 0, FALSE) == 0);
    ObDereferenceObject(Pair.Found);
    return NULL;
}

static PCSTR TestPair(OPERATION *First, OPERATION *Second, NTSTATUS Expected)
{
    for (ULONG i = 0; i < 2; i++) {
        const PRIMER_STEP *Steps = i == 0 ? MeetLocked : Overtake;
        if (!RunPair(First, Second, Steps, ARRAYSIZE(MeetLocked))) {
            return i == 0 ? "the script was not met: a locked entry" : "the script was not met: overtaken";
        }
        KTEST_CHECK(Pair.Status[0] == STATUS_SUCCESS);
        if (Pair.Status[1] != Expected) {
            DbgPrint("objects: script %u: status %08x, not %08x\n", i, Pair.Status[1], Expected);
            return "wrong status of the second operation";
        }
        if (Pair.Found != NULL) {
            PCSTR Why = JudgeLookUp();
            if (Why != NULL) {
                return Why;
            }
        }
        if (Pair.Copy != NULL) {
            KTEST_CHECK(ZwSetEvent(Pair.Copy, NULL) == STATUS_SUCCESS && ZwClose(Pair.Copy) == STATUS_SUCCESS);
        }
        KTEST_CHECK(ZwClose(Pair.Handle) == STATUS_INVALID_HANDLE); /* closed, once */
    }
    return NULL;
}

static PCSTR TestLookUpThenClose(VOID)
{
    return TestPair(LookUp, Close, STATUS_SUCCESS);
}

static PCSTR TestCloseThenLookUp(VOID)
{
    return TestPair(Close, LookUp, STATUS_INVALID_HANDLE);
}

static PCSTR TestCloseTwice(VOID)
{
    return TestPair(Close, Close, STATUS_INVALID_HANDLE);
}

static PCSTR TestDuplicateThenClose(VOID)
{
    return TestPair(Duplicate, Close, STATUS_SUCCESS);
}

static PCSTR TestCloseThenDuplicate(VOID)
{
    return TestPair(Close, Duplicate, STATUS_INVALID_HANDLE);
}

/* While the table grows, and its lock is held, a look-up goes all its way. */
static PCSTR TestLookUpWhileGrowing(VOID)
{
    static const PRIMER_STEP Steps[] = {{PrimerPointEntryFound, ActorSecond, 2},
                                        {PrimerPointEntryLeft, ActorSecond, 0},
                                        {PrimerPointTableGrowing, ActorFirst, 0}};
    BOOLEAN Met = RunPair(Grow, LookUp, Steps, ARRAYSIZE(Steps));
    for (ULONG i = 0; i < GrownCount; i++) {
        ZwClose(Grown[i]);
    }
    KTEST_CHECK(Met && Pair.Status[0] == STATUS_SUCCESS && Pair.Status[1] == STATUS_SUCCESS);
    KTEST_CHECK(ZwClose(Pair.Handle) == STATUS_SUCCESS);
    return JudgeLookUp();
}

/* ---- The end of the process whose handle is closed ---- */

enum { PointClosing = PrimerPointOwn, PointLooked };

static struct {
    HANDLE Process, Handle; /* the second is one of the process's own */
    KEVENT Start;
    NTSTATUS Status;
} Last;

static VOID CloseOfAnother(PVOID Context)
{
    KeWaitForSingleObject(&Last.Start, Executive, KernelMode, FALSE, NULL);
    Last.Status = ZwDuplicateObject(Last.Process, Last.Handle, NULL, NULL, 0, 0, DUPLICATE_CLOSE_SOURCE);
}

/* One thread has come to the entry of another process's handle, to close it, when that process is ended: its
   end may not take the table away, nor be told, before the closing is through; and the object counts the
   handle off once. */
static PCSTR RunCloseAgainstEnd(PEPROCESS Process, HANDLE Event)
{
    static const PRIMER_STEP Steps[] = {{PrimerPointEntryFound, ActorFirst, 0}, /* the process's own handle */
                                        {PointClosing, ActorSecond, 2},
                                        {PrimerPointEntryFound, ActorFirst, 3},
                                        {PointLooked, ActorSecond, 0}};
    LARGE_INTEGER While = KtestMs(100);
    PUBLIC_OBJECT_BASIC_INFORMATION Basic;
    KeInitializeEvent(&Last.Start, NotificationEvent, FALSE);
    PETHREAD Closer = KtestStart(CloseOfAnother, NULL);
    KTEST_CHECK(Closer != NULL);
    PrimerSetActor(ActorFirst, Closer);
    PrimerSetActor(ActorSecond, &Last);
    PrimerStartScript(Steps, ARRAYSIZE(Steps), 10000);
    KeSetEvent(&Last.Start, 0, FALSE);
    PrimerReachPoint(PointClosing, &Last);
    NTSTATUS Ended = ZwTerminateProcess(Last.Process, 5);
    NTSTATUS Early = KeWaitForSingleObject(Process, Executive, KernelMode, FALSE, &While);
    PrimerReachPoint(PointLooked, &Last);
    KtestJoin(Closer);
    BOOLEAN Met = PrimerEndScript() == ARRAYSIZE(Steps);
    KeWaitForSingleObject(Process, Executive, KernelMode, FALSE, NULL);
    KTEST_CHECK(Met && Ended == STATUS_SUCCESS && Early == STATUS_TIMEOUT);
    KTEST_CHECK(Last.Status == STATUS_SUCCESS && PsGetProcessExitStatus(Process) == 5);
    KTEST_CHECK(NT_SUCCESS(ZwQueryObject(Event, ObjectBasicInformation, &Basic, sizeof(Basic), NULL)) && Basic.HandleCount == 1);
    return NULL;
}

static PCSTR TestCloseAgainstEnd(VOID)
{
    static const UNICODE_STRING Image = RTL_CONSTANT_STRING(L"hello");
    static char Arguments[] = "hello";
    PS_NATIVE_PROGRAM Program = {.ImagePath = &Image, .ArgumentCount = 1, .ArgumentsSize = sizeof(Arguments),
                                 .Arguments = Arguments, .Suspended = TRUE};
    PEPROCESS Process;
    HANDLE Event = NewEvent(0);
    KTEST_CHECK(NT_SUCCESS(PsCreateNativeProcess(&Program, &Last.Process, &Process)));
    KTEST_CHECK(NT_SUCCESS(ZwDuplicateObject(ZwCurrentProcess(), Event, Last.Process, &Last.Handle, 0, 0, DUPLICATE_SAME_ACCESS)));
    PCSTR Why = RunCloseAgainstEnd(Process, Event);
    ZwClose(Last.Process);
    ObDereferenceObject(Process);
    ZwClose(Event);
    return Why;
}

/* ---- Many ---- */

#define MANY    100000
#define OPENERS 4

static HANDLE *Many;
static PVOID ManyObject;
static volatile LONG Wrong;

static VOID OpenMany(PVOID Context)
{
    PVOID Found;
    for (ULONG i = (ULONG)(ULONG_PTR)Context; i < MANY; i += OPENERS) {
        if (!NT_SUCCESS(ObOpenObjectByPointer(ManyObject, OBJ_KERNEL_HANDLE, NULL, EVENT_ALL_ACCESS, *ExEventObjectType, KernelMode,
                                              &Many[i])) ||
            !NT_SUCCESS(ObReferenceObjectByHandle(Many[i], 0, *ExEventObjectType, KernelMode, &Found, NULL))) {
            InterlockedIncrement(&Wrong);
            return;
        }
        ObDereferenceObject(Found);
    }
}

static VOID CloseMany(PVOID Context)
{
    for (ULONG i = (ULONG)(ULONG_PTR)Context; i < MANY; i += OPENERS) {
        if (!NT_SUCCESS(ZwClose(Many[i]))) {
            InterlockedIncrement(&Wrong);
        }
    }
}

static PCSTR TestMany(VOID)
{
    PUBLIC_OBJECT_BASIC_INFORMATION Basic;
    HANDLE Handle = NewEvent(0);
    Many = ExAllocatePool2(POOL_FLAG_NON_PAGED, MANY * sizeof(HANDLE), 'tseT');
    KTEST_CHECK(Many != NULL && NT_SUCCESS(ObReferenceObjectByHandle(Handle, 0, NULL, KernelMode, &ManyObject, NULL)));
    KTEST_CHECK(KtestCrowd(OPENERS, OpenMany) && Wrong == 0);
    KTEST_CHECK(NT_SUCCESS(ZwQueryObject(Handle, ObjectBasicInformation, &Basic, sizeof(Basic), NULL)));
    KTEST_CHECK(Basic.HandleCount == MANY + 1 && Basic.PointerCount == MANY + 2);
    KTEST_CHECK(KtestCrowd(OPENERS, CloseMany) && Wrong == 0);
    KTEST_CHECK(NT_SUCCESS(ZwQueryObject(Handle, ObjectBasicInformation, &Basic, sizeof(Basic), NULL)));
    KTEST_CHECK(Basic.HandleCount == 1 && Basic.PointerCount == 2);
    ObDereferenceObject(ManyObject);
    ExFreePoolWithTag(Many, 'tseT');
    ZwClose(Handle);
    return NULL;
}

/* Handles that all threads open, look up, duplicate and close at once: an object that was found is one. */
#define SLOTS 4
static HANDLE volatile Slot[SLOTS];

static VOID Stir(PVOID Context)
{
    ULONG Random = (ULONG)(ULONG_PTR)Context + 1;
    for (ULONG i = 0; i < 4000; i++) {
        HANDLE Copy, Old;
        PVOID Found;
        Random = Random * 1103515245 + 12345;
        HANDLE volatile *Place = &Slot[Random >> 16 & (SLOTS - 1)];
        switch (Random >> 24 & 3) {
        case 0:
            Old = InterlockedExchangePointer((PVOID volatile *)Place, NewEvent(0));
            ZwClose(Old); /* somebody else may have closed it, too */
            break;
        case 1:
            if (NT_SUCCESS(ZwDuplicateObject(ZwCurrentProcess(), *Place, ZwCurrentProcess(), &Copy, 0, OBJ_KERNEL_HANDLE,
                                             DUPLICATE_SAME_ACCESS)) && !NT_SUCCESS(ZwClose(Copy))) {
                InterlockedIncrement(&Wrong);
            }
            break;
        default:
            if (NT_SUCCESS(ObReferenceObjectByHandle(*Place, 0, *ExEventObjectType, KernelMode, &Found, NULL))) {
                if (((PKEVENT)Found)->Header.Type != NotificationEvent) {
                    InterlockedIncrement(&Wrong);
                }
                ObDereferenceObject(Found);
            }
        }
    }
}

static PCSTR TestStir(VOID)
{
    Wrong = 0;
    KTEST_CHECK(KtestCrowd(8, Stir) && Wrong == 0);
    for (ULONG i = 0; i < SLOTS; i++) {
        KTEST_CHECK(Slot[i] != NULL && ZwClose(Slot[i]) == STATUS_SUCCESS);
    }
    return NULL;
}

/* ---- Questions and flags ---- */

static PCSTR TestQueryObject(VOID)
{
    PUBLIC_OBJECT_BASIC_INFORMATION Basic;
    struct {
        PUBLIC_OBJECT_TYPE_INFORMATION Type;
        WCHAR Text[16];
    } Type;
    struct {
        OBJECT_NAME_INFORMATION Name;
        WCHAR Text[64];
    } Name;
    UNICODE_STRING Event, Path;
    ULONG Length = 0;
    HANDLE Handle;
    RtlInitUnicodeString(&Event, L"Event");
    RtlInitUnicodeString(&Path, L"\\BaseNamedObjects\\Questions");
    KTEST_CHECK(ZwCreateEvent(&Handle, EVENT_MODIFY_STATE, NAMED(Path.Buffer, OBJ_INHERIT), NotificationEvent, FALSE) == STATUS_SUCCESS);
    KTEST_CHECK(ZwQueryObject(Handle, ObjectBasicInformation, &Basic, sizeof(Basic), &Length) == STATUS_SUCCESS);
    KTEST_CHECK(Length == 56 && Basic.GrantedAccess == EVENT_MODIFY_STATE && Basic.Attributes == OBJ_INHERIT);
    KTEST_CHECK(Basic.HandleCount == 1 && Basic.PointerCount == 2); /* the handle's and the name's */
    KTEST_CHECK(ZwQueryObject(Handle, ObjectBasicInformation, &Basic, sizeof(Basic) - 4, &Length) == STATUS_INFO_LENGTH_MISMATCH);
    KTEST_CHECK(ZwQueryObject(Handle, ObjectTypeInformation, &Type, sizeof(Type), &Length) == STATUS_SUCCESS);
    KTEST_CHECK(RtlEqualUnicodeString(&Type.Type.TypeName, &Event, FALSE));
    KTEST_CHECK(ZwQueryObject(Handle, ObjectNameInformation, &Name, sizeof(Name), &Length) == STATUS_SUCCESS);
    KTEST_CHECK(RtlEqualUnicodeString(&Name.Name.Name, &Path, FALSE));
    KTEST_CHECK(ZwQueryObject(Handle, ObjectNameInformation, &Name, sizeof(OBJECT_NAME_INFORMATION), &Length) ==
                    STATUS_INFO_LENGTH_MISMATCH && Length == sizeof(OBJECT_NAME_INFORMATION) + Path.Length + sizeof(WCHAR));
    KTEST_CHECK(ZwQueryObject(Handle, 77, &Name, sizeof(Name), &Length) == STATUS_INVALID_INFO_CLASS);
    KTEST_CHECK(ZwClose(Handle) == STATUS_SUCCESS);
    KTEST_CHECK(ZwQueryObject(Handle, ObjectBasicInformation, &Basic, sizeof(Basic), &Length) == STATUS_INVALID_HANDLE);
    return NULL;
}

static PCSTR TestProtect(VOID)
{
    OBJECT_HANDLE_FLAG_INFORMATION Flags = {.Inherit = TRUE, .ProtectFromClose = TRUE};
    HANDLE Handle = NewEvent(0);
    KTEST_CHECK(ZwSetInformationObject(Handle, ObjectHandleFlagInformation, &Flags, sizeof(Flags)) == STATUS_SUCCESS);
    KTEST_CHECK(ZwClose(Handle) == STATUS_HANDLE_NOT_CLOSABLE && ZwSetEvent(Handle, NULL) == STATUS_SUCCESS);
    Flags = (OBJECT_HANDLE_FLAG_INFORMATION){FALSE, FALSE};
    KTEST_CHECK(ZwQueryObject(Handle, ObjectHandleFlagInformation, &Flags, sizeof(Flags), NULL) == STATUS_SUCCESS);
    KTEST_CHECK(Flags.Inherit && Flags.ProtectFromClose);
    Flags = (OBJECT_HANDLE_FLAG_INFORMATION){FALSE, FALSE};
    KTEST_CHECK(ZwSetInformationObject(Handle, ObjectHandleFlagInformation, &Flags, 1) == STATUS_INFO_LENGTH_MISMATCH);
    KTEST_CHECK(ZwSetInformationObject(Handle, ObjectBasicInformation, &Flags, sizeof(Flags)) == STATUS_INVALID_INFO_CLASS);
    KTEST_CHECK(ZwSetInformationObject(Handle, ObjectHandleFlagInformation, &Flags, sizeof(Flags)) == STATUS_SUCCESS);
    KTEST_CHECK(ZwClose(Handle) == STATUS_SUCCESS);
    KTEST_CHECK(ZwSetInformationObject(Handle, ObjectHandleFlagInformation, &Flags, sizeof(Flags)) == STATUS_INVALID_HANDLE);
    return NULL;
}

static PCSTR TestDuplicateOptions(VOID)
{
    HANDLE Handle = NewEvent(OBJ_INHERIT), Copy, Full = Handle;
    PUBLIC_OBJECT_BASIC_INFORMATION Basic;
    HANDLE Self = ZwCurrentProcess();
    KTEST_CHECK(ZwDuplicateObject(Self, Handle, Self, &Copy, EVENT_MODIFY_STATE, OBJ_KERNEL_HANDLE, 0) == STATUS_SUCCESS);
    KTEST_CHECK((LONG_PTR)Copy < 0 && (LONG_PTR)Handle < 0); /* handles of the kernel's, not of the process's */
    KTEST_CHECK(NT_SUCCESS(ZwQueryObject(Copy, ObjectBasicInformation, &Basic, sizeof(Basic), NULL)));
    KTEST_CHECK(Basic.GrantedAccess == EVENT_MODIFY_STATE && Basic.Attributes == 0);
    Handle = Copy;
    KTEST_CHECK(ZwDuplicateObject(Self, Handle, Self, &Copy, 0, OBJ_KERNEL_HANDLE, DUPLICATE_SAME_ACCESS | DUPLICATE_CLOSE_SOURCE) == STATUS_SUCCESS);
    KTEST_CHECK(ZwClose(Handle) == STATUS_INVALID_HANDLE);
    KTEST_CHECK(NT_SUCCESS(ZwQueryObject(Copy, ObjectBasicInformation, &Basic, sizeof(Basic), NULL)));
    KTEST_CHECK(Basic.GrantedAccess == EVENT_MODIFY_STATE && Basic.HandleCount == 2);
    KTEST_CHECK(ZwClose(Copy) == STATUS_SUCCESS);
    KTEST_CHECK(ZwDuplicateObject(Self, Full, Self, &Copy, 0, OBJ_KERNEL_HANDLE, DUPLICATE_SAME_ACCESS | DUPLICATE_SAME_ATTRIBUTES) == STATUS_SUCCESS);
    KTEST_CHECK(NT_SUCCESS(ZwQueryObject(Copy, ObjectBasicInformation, &Basic, sizeof(Basic), NULL)) && Basic.Attributes == OBJ_INHERIT);
    KTEST_CHECK(ZwClose(Copy) == STATUS_SUCCESS);
    KTEST_CHECK(ZwDuplicateObject(Self, Full, NULL, NULL, 0, 0, DUPLICATE_CLOSE_SOURCE) == STATUS_SUCCESS); /* a remote closing */
    KTEST_CHECK(ZwClose(Full) == STATUS_INVALID_HANDLE);
    KTEST_CHECK(ZwDuplicateObject(Self, Full, NULL, NULL, 0, 0, 0) == STATUS_INVALID_PARAMETER);
    return NULL;
}

/* ---- Object callbacks ---- */

static struct {
    ULONG Count;
    ULONG Order[16]; /* of the routines: the number of the registration, 10 more after the operation */
    OB_OPERATION Operation;
    ACCESS_MASK Asked, Granted;
    BOOLEAN Kernel, ContextKept;
    PVOID Object;
    NTSTATUS Status;
} Seen;

static OB_PREOP_CALLBACK_STATUS Before(PVOID Context, POB_PRE_OPERATION_INFORMATION Information)
{
    Seen.Order[Seen.Count++ & 15] = (ULONG)(ULONG_PTR)Context;
    Seen.Operation = Information->Operation;
    Seen.Kernel = Information->KernelHandle;
    Seen.Object = Information->Object;
    Seen.Asked = Information->Parameters->CreateHandleInformation.OriginalDesiredAccess;
    Information->CallContext = (PVOID)((ULONG_PTR)Context + 100);
    Information->Parameters->CreateHandleInformation.DesiredAccess &= ~(Context == (PVOID)1 ? THREAD_TERMINATE : THREAD_SUSPEND_RESUME);
    return OB_PREOP_SUCCESS;
}

static VOID After(PVOID Context, POB_POST_OPERATION_INFORMATION Information)
{
    Seen.Order[Seen.Count++ & 15] = (ULONG)(ULONG_PTR)Context + 10;
    Seen.ContextKept = Information->CallContext == (PVOID)((ULONG_PTR)Context + 100);
    Seen.Granted = Information->Parameters->CreateHandleInformation.GrantedAccess;
    Seen.Status = Information->ReturnStatus;
}

static NTSTATUS Register(PCWSTR Altitude, ULONG Number, POBJECT_TYPE *Type, OB_OPERATION Operations, PVOID *Registration)
{
    OB_OPERATION_REGISTRATION Operation = {Type, Operations, Before, After};
    OB_CALLBACK_REGISTRATION All = {OB_FLT_REGISTRATION_VERSION, 1, .RegistrationContext = (PVOID)(ULONG_PTR)Number,
                                    .OperationRegistration = &Operation};
    RtlInitUnicodeString(&All.Altitude, Altitude);
    return ObRegisterCallbacks(&All, Registration);
}

static NTSTATUS OpenSelf(ULONG Flags, ACCESS_MASK Access, PHANDLE Handle)
{
    RtlZeroMemory(&Seen, sizeof(Seen));
    return ObOpenObjectByPointer(PsGetCurrentThread(), Flags, NULL, Access, *PsThreadType, KernelMode, Handle);
}

static PCSTR TestCallbacks(VOID)
{
    const OB_OPERATION Both = OB_OPERATION_HANDLE_CREATE | OB_OPERATION_HANDLE_DUPLICATE;
    const ACCESS_MASK Asked = THREAD_TERMINATE | THREAD_SUSPEND_RESUME | SYNCHRONIZE;
    OBJECT_HANDLE_INFORMATION Rights;
    PVOID Low, High, Object;
    HANDLE Handle, Copy;
    KTEST_CHECK(ObGetFilterVersion() == OB_FLT_REGISTRATION_VERSION);
    KTEST_CHECK(Register(L"1000", 1, PsThreadType, Both, &Low) == STATUS_SUCCESS);
    KTEST_CHECK(Register(L"20000.5", 2, PsThreadType, Both, &High) == STATUS_SUCCESS);

    KTEST_CHECK(NT_SUCCESS(OpenSelf(0, Asked, &Handle)));
    KTEST_CHECK(Seen.Count == 4 && Seen.Order[0] == 2 && Seen.Order[1] == 1 && Seen.Order[2] == 11 && Seen.Order[3] == 12);
    KTEST_CHECK(Seen.Operation == OB_OPERATION_HANDLE_CREATE && !Seen.Kernel && Seen.Object == PsGetCurrentThread());
    KTEST_CHECK(Seen.Asked == Asked && Seen.Granted == SYNCHRONIZE && Seen.ContextKept && Seen.Status == STATUS_SUCCESS);
    KTEST_CHECK(NT_SUCCESS(ObReferenceObjectByHandle(Handle, SYNCHRONIZE, *PsThreadType, UserMode, &Object, &Rights)));
    ObDereferenceObject(Object);
    KTEST_CHECK(Rights.GrantedAccess == SYNCHRONIZE);
    KTEST_CHECK(ObReferenceObjectByHandle(Handle, THREAD_TERMINATE, *PsThreadType, UserMode, &Object, NULL) == STATUS_ACCESS_DENIED);

    RtlZeroMemory(&Seen, sizeof(Seen));
    KTEST_CHECK(NT_SUCCESS(ZwDuplicateObject(ZwCurrentProcess(), Handle, ZwCurrentProcess(), &Copy, Asked, 0, 0)));
    KTEST_CHECK(Seen.Count == 4 && Seen.Operation == OB_OPERATION_HANDLE_DUPLICATE && Seen.Granted == SYNCHRONIZE);
    ZwClose(Copy);
    ZwClose(Handle);

    ObUnRegisterCallbacks(High);
    KTEST_CHECK(NT_SUCCESS(OpenSelf(OBJ_KERNEL_HANDLE, Asked, &Handle))); /* from the kernel's handles nothing is taken */
    KTEST_CHECK(Seen.Count == 2 && Seen.Order[0] == 1 && Seen.Kernel && Seen.Granted == Asked);
    ZwClose(Handle);
    ObUnRegisterCallbacks(Low);
    KTEST_CHECK(NT_SUCCESS(OpenSelf(0, Asked, &Handle)) && Seen.Count == 0);
    ZwClose(Handle);
    return NULL;
}

static PCSTR TestCallbackRegistration(VOID)
{
    OB_OPERATION_REGISTRATION Operation = {PsProcessType, OB_OPERATION_HANDLE_CREATE, NULL, NULL};
    OB_CALLBACK_REGISTRATION All = {OB_FLT_REGISTRATION_VERSION, 1, .OperationRegistration = &Operation};
    PVOID First, Second;
    RtlInitUnicodeString(&All.Altitude, L"5");
    KTEST_CHECK(ObRegisterCallbacks(&All, &First) == STATUS_INVALID_PARAMETER); /* no routine */
    Operation.PreOperation = Before;
    All.Version = 0x200;
    KTEST_CHECK(ObRegisterCallbacks(&All, &First) == STATUS_INVALID_PARAMETER);
    All.Version = OB_FLT_REGISTRATION_VERSION;
    All.OperationRegistrationCount = 0;
    KTEST_CHECK(ObRegisterCallbacks(&All, &First) == STATUS_INVALID_PARAMETER);
    KTEST_CHECK(Register(L"5", 1, ExEventObjectType, OB_OPERATION_HANDLE_CREATE, &First) == STATUS_INVALID_PARAMETER);
    KTEST_CHECK(Register(L"5", 1, PsThreadType, 0, &First) == STATUS_INVALID_PARAMETER);
    KTEST_CHECK(Register(L"5", 1, PsThreadType, 4, &First) == STATUS_INVALID_PARAMETER);
    KTEST_CHECK(Register(L"", 1, PsThreadType, 1, &First) == STATUS_INVALID_PARAMETER);
    KTEST_CHECK(Register(L"5x", 1, PsThreadType, 1, &First) == STATUS_INVALID_PARAMETER);
    KTEST_CHECK(Register(L"5", 1, PsThreadType, 1, &First) == STATUS_SUCCESS);
    KTEST_CHECK(Register(L"005", 2, PsThreadType, 1, &Second) == STATUS_FLT_INSTANCE_ALTITUDE_COLLISION);
    KTEST_CHECK(Register(L"5.1", 2, PsThreadType, 1, &Second) == STATUS_SUCCESS);
    ObUnRegisterCallbacks(First);
    ObUnRegisterCallbacks(Second);
    return NULL;
}

static VOID Callbacks(PVOID Context)
{
    for (ULONG i = 0; i < 500; i++) {
        PVOID Registration;
        HANDLE Handle;
        if (Context == NULL) {
            if (NT_SUCCESS(Register(L"77", 1, PsThreadType, 1, &Registration))) {
                ObUnRegisterCallbacks(Registration);
            } else {
                InterlockedIncrement(&Wrong);
            }
        } else if (NT_SUCCESS(ObOpenObjectByPointer(PsGetCurrentThread(), 0, NULL, SYNCHRONIZE, *PsThreadType, KernelMode, &Handle))) {
            ZwClose(Handle);
        } else {
            InterlockedIncrement(&Wrong);
        }
    }
}

/* Registered and removed while others make handles: whoever removes has no call left when he is told so. */
static PCSTR TestCallbackChurn(VOID)
{
    Wrong = 0;
    KTEST_CHECK(KtestCrowd(6, Callbacks) && Wrong == 0);
    return NULL;
}

VOID RunHandles(VOID)
{
    if (KeQueryActiveProcessorCount(NULL) >= 4) {
        KtestRun("objects.look-up-then-close", TestLookUpThenClose);
        KtestRun("objects.close-then-look-up", TestCloseThenLookUp);
        KtestRun("objects.close-twice", TestCloseTwice);
        KtestRun("objects.duplicate-then-close", TestDuplicateThenClose);
        KtestRun("objects.close-then-duplicate", TestCloseThenDuplicate);
        KtestRun("objects.look-up-while-growing", TestLookUpWhileGrowing);
        KtestRun("objects.close-against-process-end", TestCloseAgainstEnd);
    }
    KtestRun("objects.handles-100000", TestMany);
    KtestRun("objects.handles-stirred", TestStir);
    KtestRun("objects.query-object", TestQueryObject);
    KtestRun("objects.protect-from-close", TestProtect);
    KtestRun("objects.duplicate-options", TestDuplicateOptions);
    KtestRun("objects.callbacks", TestCallbacks);
    KtestRun("objects.callback-registration", TestCallbackRegistration);
    KtestRun("objects.callback-registration-churn", TestCallbackChurn);
}
