/* SPDX-License-Identifier: MIT */
/*
 * Notify routines: who is told what, in which order, who may say no, and when a removal is through. Every wait
 * has a limit, so that a routine that is not called, or a removal that does not return, is a failure and no
 * hang.
 */
#include "hears.h"
#include "leaks.h"

static VOID Nothing(PVOID Context)
{
}

static VOID Nobody(HANDLE ProcessId, HANDLE ThreadId, BOOLEAN Create)
{
}

/* ---- Registration ---- */

static VOID Plain(HANDLE ParentId, HANDLE ProcessId, BOOLEAN Create)
{
}

static VOID Ex(PEPROCESS Process, HANDLE ProcessId, PPS_CREATE_NOTIFY_INFO Info)
{
}

/* A process routine stands there once of each kind; one that is not there cannot be removed. */
static PCSTR TestRegistration(VOID)
{
    NTSTATUS First = PsSetCreateProcessNotifyRoutine(Plain, FALSE), Second = PsSetCreateProcessNotifyRoutine(Plain, FALSE);
    NTSTATUS Removed = PsSetCreateProcessNotifyRoutine(Plain, TRUE), Again = PsSetCreateProcessNotifyRoutine(Plain, TRUE);
    KTEST_CHECK(First == STATUS_SUCCESS && Second == STATUS_INVALID_PARAMETER);
    KTEST_CHECK(Removed == STATUS_SUCCESS && Again == STATUS_PROCEDURE_NOT_FOUND);
    First = PsSetCreateProcessNotifyRoutineEx(Ex, FALSE);
    Second = PsSetCreateProcessNotifyRoutineEx(Ex, FALSE);
    NTSTATUS Third = PsSetCreateProcessNotifyRoutineEx2(PsCreateProcessNotifySubsystems, (PVOID)Ex, FALSE);
    PsSetCreateProcessNotifyRoutineEx(Ex, TRUE);
    PsSetCreateProcessNotifyRoutineEx2(PsCreateProcessNotifySubsystems, (PVOID)Ex, TRUE);
    KTEST_CHECK(First == STATUS_SUCCESS && Second == STATUS_INVALID_PARAMETER && Third == STATUS_SUCCESS);
    return NULL;
}

static ULONG FillTable(VOID)
{
    ULONG Count = 0;
    while (Count < 65 && PsSetCreateThreadNotifyRoutine(Nobody) == STATUS_SUCCESS) {
        Count++;
    }
    return Count;
}

static BOOLEAN EmptyTable(ULONG Count)
{
    BOOLEAN All = TRUE;
    for (ULONG i = 0; i < Count; i++) {
        All &= PsRemoveCreateThreadNotifyRoutine(Nobody) == STATUS_SUCCESS;
    }
    return All && PsRemoveCreateThreadNotifyRoutine(Nobody) == STATUS_PROCEDURE_NOT_FOUND;
}

/* There are 64 slots, each of which can be used again; and each full table has its own word for it. */
static PCSTR TestLimit(VOID)
{
    ULONG Count = FillTable();
    NTSTATUS Full = PsSetCreateThreadNotifyRoutine(Nobody);
    BOOLEAN Emptied = EmptyTable(Count);
    KTEST_CHECK(Count == 64 && Full == STATUS_INSUFFICIENT_RESOURCES);
    KTEST_CHECK(Emptied);
    KTEST_CHECK(FillTable() == 64 && EmptyTable(64));
    return TestRegistration();
}

/* ---- Threads ---- */

static struct {
    HANDLE Creator, Made;
    ULONG Creations, Ends;
    BOOLEAN WrongLevel, NotCritical, WrongThread;
} Seen;

static VOID Watch(HANDLE ProcessId, HANDLE ThreadId, BOOLEAN Create)
{
    if (Create && PsGetCurrentThreadId() == Seen.Creator) {
        Seen.Creations++;
        Seen.Made = ThreadId;
        Seen.WrongThread |= ThreadId == PsGetCurrentThreadId();
    } else if (!Create && ThreadId == Seen.Made) {
        Seen.Ends++;
        Seen.WrongThread |= ThreadId != PsGetCurrentThreadId();
    } else {
        return;
    }
    Seen.WrongLevel |= KeGetCurrentIrql() != PASSIVE_LEVEL;
    Seen.NotCritical |= !KeAreApcsDisabled();
}

/* Each creation on the creator's thread, each end on the thread itself; nothing after the removal. */
static PCSTR TestThread(VOID)
{
    RtlZeroMemory(&Seen, sizeof(Seen));
    Seen.Creator = PsGetCurrentThreadId();
    KTEST_CHECK(PsSetCreateThreadNotifyRoutine(Watch) == STATUS_SUCCESS);
    BOOLEAN Made = KtestCrowd(1, Nothing);
    KTEST_CHECK(PsRemoveCreateThreadNotifyRoutine(Watch) == STATUS_SUCCESS);
    KTEST_CHECK(Made && KtestCrowd(1, Nothing));
    KTEST_CHECK(Seen.Creations == 1 && Seen.Ends == 1);
    KTEST_CHECK(!Seen.WrongLevel && !Seen.NotCritical && !Seen.WrongThread);
    return NULL;
}

static ULONG Order[8], Ordered;
static HANDLE OrderCreator;

static VOID NoteOrder(ULONG Number, BOOLEAN Create)
{
    if (Create && PsGetCurrentThreadId() == OrderCreator && Ordered < ARRAYSIZE(Order)) {
        Order[Ordered++] = Number;
    }
}

static VOID First(HANDLE ProcessId, HANDLE ThreadId, BOOLEAN Create)
{
    NoteOrder(1, Create);
}

static VOID Second(HANDLE ProcessId, HANDLE ThreadId, BOOLEAN Create)
{
    NoteOrder(2, Create);
}

/* All registrations are called, in their order, as often as they stand there. */
static PCSTR TestOrder(VOID)
{
    Ordered = 0;
    OrderCreator = PsGetCurrentThreadId();
    PsSetCreateThreadNotifyRoutine(Second);
    PsSetCreateThreadNotifyRoutine(First);
    PsSetCreateThreadNotifyRoutine(Second);
    KtestCrowd(1, Nothing);
    PsRemoveCreateThreadNotifyRoutine(First);
    KtestCrowd(1, Nothing);
    PsRemoveCreateThreadNotifyRoutine(Second);
    PsRemoveCreateThreadNotifyRoutine(Second);
    KTEST_CHECK(Ordered == 5);
    KTEST_CHECK(Order[0] == 2 && Order[1] == 1 && Order[2] == 2 && Order[3] == 2 && Order[4] == 2);
    return NULL;
}

/* ---- Processes ---- */

static struct {
    ULONG Plain, Ex, Ex2, Ends; /* calls on the test's thread; the ends are those that Ex2 hears of */
    PS_CREATE_NOTIFY_INFO Info;
    WCHAR Name[40];
    HANDLE Parent, Id;
    HANDLE Creator;
} Told;

static VOID HearPlain(HANDLE ParentId, HANDLE ProcessId, BOOLEAN Create)
{
    if (Create && PsGetCurrentThreadId() == Told.Creator) {
        Told.Plain++;
        Told.Parent = ParentId;
    }
}

static VOID HearEx(PEPROCESS Process, HANDLE ProcessId, PPS_CREATE_NOTIFY_INFO Info)
{
    Told.Ex += Info != NULL && PsGetCurrentThreadId() == Told.Creator;
}

static VOID HearEx2(PEPROCESS Process, HANDLE ProcessId, PPS_CREATE_NOTIFY_INFO Info)
{
    if (Info != NULL && PsGetCurrentThreadId() == Told.Creator) {
        Told.Ex2++;
        Told.Info = *Info;
        Told.Id = ProcessId;
        if (Info->ImageFileName != NULL && Info->ImageFileName->Length < sizeof(Told.Name)) {
            RtlCopyMemory(Told.Name, Info->ImageFileName->Buffer, Info->ImageFileName->Length);
        }
    } else if (Info == NULL && ProcessId == Told.Id) {
        Told.Ends++;
    }
}

static VOID StartHearing(VOID)
{
    RtlZeroMemory(&Told, sizeof(Told));
    Told.Creator = PsGetCurrentThreadId();
    PsSetCreateProcessNotifyRoutine(HearPlain, FALSE);
    PsSetCreateProcessNotifyRoutineEx(HearEx, FALSE);
    PsSetCreateProcessNotifyRoutineEx2(PsCreateProcessNotifySubsystems, (PVOID)HearEx2, FALSE);
}

static VOID StopHearing(VOID)
{
    PsSetCreateProcessNotifyRoutine(HearPlain, TRUE);
    PsSetCreateProcessNotifyRoutineEx(HearEx, TRUE);
    PsSetCreateProcessNotifyRoutineEx2(PsCreateProcessNotifySubsystems, (PVOID)HearEx2, TRUE);
}

/* All three kinds hear of a native process. */
static PCSTR TestProcess(VOID)
{
    HANDLE Id = NULL;
    StartHearing();
    NTSTATUS Status = LiveNative(L"nop", &Id);
    StopHearing();
    KTEST_CHECK(Status == STATUS_SUCCESS);
    KTEST_CHECK(Told.Plain == 1 && Told.Ex == 1 && Told.Ex2 == 1 && Told.Ends == 1);
    KTEST_CHECK(Told.Id == Id && Told.Parent == PsGetCurrentProcessId());
    KTEST_CHECK(Told.Info.ParentProcessId == PsGetCurrentProcessId() && Told.Info.CreatingThreadId.UniqueThread == Told.Creator);
    KTEST_CHECK(!Told.Info.IsSubsystemProcess && wcscmp(Told.Name, L"\\Boot\\native\\nop") == 0);
    return NULL;
}

/* Of a subsystem's process only the third kind hears. */
static PCSTR TestSubsystem(VOID)
{
    StartHearing();
    NTSTATUS Status = LiveSubsystem();
    StopHearing();
    KTEST_CHECK(Status == STATUS_SUCCESS);
    KTEST_CHECK(Told.Ex2 == 1 && Told.Ends == 1 && Told.Info.IsSubsystemProcess);
    KTEST_CHECK(Told.Plain == 0 && Told.Ex == 0);
    return NULL;
}

/* ---- The veto ---- */

static NTSTATUS Word[2], Found[2]; /* what the routines write into CreationStatus, and have found there */
static ULONG Creations[2], Ends[2];
static HANDLE Forbidden;

static VOID Speak(ULONG Number, HANDLE ProcessId, PPS_CREATE_NOTIFY_INFO Info)
{
    if (Info != NULL && PsGetCurrentThreadId() == Told.Creator) {
        Creations[Number]++;
        Forbidden = ProcessId;
        Found[Number] = Info->CreationStatus;
        Info->CreationStatus = Word[Number];
    } else if (Info == NULL && ProcessId == Forbidden) {
        Ends[Number]++;
    }
}

static VOID SpeakFirst(PEPROCESS Process, HANDLE ProcessId, PPS_CREATE_NOTIFY_INFO Info)
{
    Speak(0, ProcessId, Info);
}

static VOID SpeakSecond(PEPROCESS Process, HANDLE ProcessId, PPS_CREATE_NOTIFY_INFO Info)
{
    Speak(1, ProcessId, Info);
}

/* The status of a native process's creation while the two routines say these words. */
static NTSTATUS Ask(NTSTATUS FirstWord, NTSTATUS SecondWord)
{
    Told.Creator = PsGetCurrentThreadId();
    Word[0] = FirstWord;
    Word[1] = SecondWord;
    RtlZeroMemory(Creations, sizeof(Creations));
    RtlZeroMemory(Ends, sizeof(Ends));
    PsSetCreateProcessNotifyRoutineEx(SpeakFirst, FALSE);
    PsSetCreateProcessNotifyRoutineEx(SpeakSecond, FALSE);
    NTSTATUS Status = LiveNative(L"nop", NULL);
    PsSetCreateProcessNotifyRoutineEx(SpeakFirst, TRUE);
    PsSetCreateProcessNotifyRoutineEx(SpeakSecond, TRUE);
    return Status;
}

/* The creator gets the veto; the process has come and gone, for all alike. */
static PCSTR TestVeto(VOID)
{
    KTEST_CHECK(Ask(STATUS_ACCESS_DENIED, STATUS_ACCESS_DENIED) == STATUS_ACCESS_DENIED);
    KTEST_CHECK(Creations[0] == 1 && Creations[1] == 1);
    KTEST_CHECK(Ends[0] == 1 && Ends[1] == 1);
    KTEST_CHECK(Ask(STATUS_SUCCESS, STATUS_SUCCESS) == STATUS_SUCCESS);
    return NULL;
}

/* The first error counts; later routines are told all the same, see it, and cannot take it back. */
static PCSTR TestFirstVeto(VOID)
{
    KTEST_CHECK(Ask(STATUS_ACCESS_DENIED, STATUS_SUCCESS) == STATUS_ACCESS_DENIED);
    KTEST_CHECK(Found[0] == STATUS_SUCCESS && Found[1] == STATUS_ACCESS_DENIED && Creations[1] == 1);
    KTEST_CHECK(Ask(STATUS_ACCESS_DENIED, STATUS_UNSUCCESSFUL) == STATUS_ACCESS_DENIED);
    KTEST_CHECK(Ask(STATUS_SUCCESS, STATUS_UNSUCCESSFUL) == STATUS_UNSUCCESSFUL);
    return NULL;
}

static PCSTR TestLeavesNothing(VOID)
{
    return LabLeaks(TestVeto);
}

/* ---- Removal from inside ---- */

static struct {
    volatile LONG Calls;
    NTSTATUS First, Second, Registered;
} Self;

static VOID RemoveSelf(HANDLE ProcessId, HANDLE ThreadId, BOOLEAN Create)
{
    if (InterlockedIncrement(&Self.Calls) == 1) {
        Self.First = PsRemoveCreateThreadNotifyRoutine(RemoveSelf);
        Self.Second = PsRemoveCreateThreadNotifyRoutine(RemoveSelf);
        Self.Registered = PsSetCreateThreadNotifyRoutine(Nobody);
    }
}

/* A routine that removes itself inside its only call is gone at once: its slot can be had. */
static PCSTR TestSelfRemoval(VOID)
{
    Self.Calls = 0;
    ULONG Count = FillTable();
    PsRemoveCreateThreadNotifyRoutine(Nobody);
    KTEST_CHECK(Count == 64 && PsSetCreateThreadNotifyRoutine(RemoveSelf) == STATUS_SUCCESS);
    BOOLEAN Made = KtestCrowd(2, Nothing);
    BOOLEAN Emptied = EmptyTable(Count - (Self.Registered != STATUS_SUCCESS));
    NTSTATUS Left = PsRemoveCreateThreadNotifyRoutine(RemoveSelf);
    KTEST_CHECK(Made && Self.Calls == 1 && Left == STATUS_PROCEDURE_NOT_FOUND);
    KTEST_CHECK(Self.First == STATUS_SUCCESS && Self.Second == STATUS_PROCEDURE_NOT_FOUND);
    KTEST_CHECK(Self.Registered == STATUS_SUCCESS && Emptied);
    return NULL;
}

/* ---- Removal against calls in progress: on the exit callbacks of threads that are the actors ---- */

static struct {
    volatile HANDLE Actor[2];
    volatile LONG Inside, Finished;
    KEVENT Release;
    volatile NTSTATUS Status[2];
    volatile LONG FinishedThen; /* when the removal returned */
    volatile LONG Removing, Late;  /* calls that began when the removal was waiting */
} Stage;

static VOID SetStage(VOID)
{
    RtlZeroMemory(&Stage, sizeof(Stage));
    KeInitializeEvent(&Stage.Release, NotificationEvent, FALSE);
    Stage.Status[0] = Stage.Status[1] = STATUS_PENDING;
}

static VOID Act(PVOID Context)
{
    Stage.Actor[(ULONG_PTR)Context] = PsGetCurrentThreadId();
}

/* The current thread is actor Number and ends: one call. */
static BOOLEAN IsActor(ULONG Number, HANDLE ThreadId, BOOLEAN Create)
{
    return !Create && ThreadId == PsGetCurrentThreadId() && ThreadId == Stage.Actor[Number];
}

static BOOLEAN AwaitInside(LONG Count)
{
    for (ULONG i = 0; i < BOUND && Stage.Inside < Count; i++) {
        KtestSleep(1);
    }
    return Stage.Inside >= Count;
}

/* The first actor stays in its call; the second one removes the routine from inside its own. */
static VOID Dawdle(HANDLE ProcessId, HANDLE ThreadId, BOOLEAN Create)
{
    if (Stage.Removing) {
        InterlockedIncrement(&Stage.Late);
    }
    if (IsActor(0, ThreadId, Create)) {
        InterlockedIncrement(&Stage.Inside);
        IsSignalled(&Stage.Release);
        KtestSleep(20);
        InterlockedIncrement(&Stage.Finished);
    } else if (IsActor(1, ThreadId, Create)) {
        Stage.Status[1] = PsRemoveCreateThreadNotifyRoutine(Dawdle);
        Stage.FinishedThen = Stage.Finished;
    }
}

static VOID RemoveDawdle(PVOID Context)
{
    Stage.Status[1] = PsRemoveCreateThreadNotifyRoutine(Dawdle);
    Stage.FinishedThen = Stage.Finished;
}

/* Starts a call that stays, then Remover; lets go when that has had time to return too early. */
static PCSTR RemoveAround(PKSTART_ROUTINE Remover, PVOID Context)
{
    LARGE_INTEGER Soon = KtestMs(50);
    SetStage();
    KTEST_CHECK(PsSetCreateThreadNotifyRoutine(Dawdle) == STATUS_SUCCESS);
    PETHREAD Actor = KtestStart(Act, (PVOID)0), Thread = NULL;
    NTSTATUS Early = STATUS_UNSUCCESSFUL;
    if (AwaitInside(1)) {
        Thread = KtestStart(Remover, Context);
        Early = KeWaitForSingleObject(Thread, Executive, KernelMode, FALSE, &Soon);
        Stage.Removing = 1;
        KtestCrowd(1, Nothing);
    }
    KeSetEvent(&Stage.Release, IO_NO_INCREMENT, FALSE);
    KtestJoin(Actor);
    if (Thread == NULL) {
        PsRemoveCreateThreadNotifyRoutine(Dawdle);
        return "the routine was not called";
    }
    BOOLEAN Returned = IsSignalled(Thread);
    ObDereferenceObject(Thread);
    KTEST_CHECK(Returned && Early == STATUS_TIMEOUT);
    KTEST_CHECK(Stage.Status[1] == STATUS_SUCCESS && Stage.FinishedThen == 1 && Stage.Late == 0);
    return NULL;
}

static PCSTR TestRemovalWaits(VOID)
{
    return RemoveAround(RemoveDawdle, NULL);
}

/* Who removes a routine from inside its own call waits for the calls of others. */
static PCSTR TestSelfRemovalWaits(VOID)
{
    return RemoveAround(Act, (PVOID)1);
}

static VOID RemoveRight(HANDLE ProcessId, HANDLE ThreadId, BOOLEAN Create);

static VOID RemoveOther(ULONG Number, PCREATE_THREAD_NOTIFY_ROUTINE Other)
{
    InterlockedIncrement(&Stage.Inside);
    if (AwaitInside(2)) {
        Stage.Status[Number] = PsRemoveCreateThreadNotifyRoutine(Other);
    }
}

static VOID RemoveLeft(HANDLE ProcessId, HANDLE ThreadId, BOOLEAN Create)
{
    if (IsActor(0, ThreadId, Create)) {
        RemoveOther(0, RemoveRight);
    }
}

static VOID RemoveRight(HANDLE ProcessId, HANDLE ThreadId, BOOLEAN Create)
{
    if (IsActor(1, ThreadId, Create)) {
        RemoveOther(1, RemoveLeft);
    }
}

/* Two routines that are in progress remove each other: neither waits for the other. */
static PCSTR TestMutualRemoval(VOID)
{
    SetStage();
    KTEST_CHECK(PsSetCreateThreadNotifyRoutine(RemoveLeft) == STATUS_SUCCESS);
    KTEST_CHECK(PsSetCreateThreadNotifyRoutine(RemoveRight) == STATUS_SUCCESS);
    PETHREAD Actors[] = {KtestStart(Act, (PVOID)0), KtestStart(Act, (PVOID)1)};
    BOOLEAN Ended = IsSignalled(Actors[0]) && IsSignalled(Actors[1]);
    ObDereferenceObject(Actors[0]);
    ObDereferenceObject(Actors[1]);
    if (Stage.Inside == 0) { /* they were not called */
        PsRemoveCreateThreadNotifyRoutine(RemoveLeft);
        PsRemoveCreateThreadNotifyRoutine(RemoveRight);
    }
    KTEST_CHECK(Ended && Stage.Status[0] == STATUS_SUCCESS && Stage.Status[1] == STATUS_SUCCESS);
    KTEST_CHECK(PsRemoveCreateThreadNotifyRoutine(RemoveLeft) == STATUS_PROCEDURE_NOT_FOUND);
    return NULL;
}

/* ---- Registration and removal while other processors make and end threads ---- */

#define MAKERS 3
#define ROUNDS 50

static volatile LONG Stop, Registered, Stray, ChurnCalls;

static VOID Churned(HANDLE ProcessId, HANDLE ThreadId, BOOLEAN Create)
{
    LONG Before = Registered;
    InterlockedIncrement(&ChurnCalls);
    for (ULONG i = 0; i < 200; i++) {
        YieldProcessor();
    }
    if (!Before || !Registered) { /* the removal had returned before the call, or while it was in progress */
        InterlockedIncrement(&Stray);
    }
}

static VOID MakeThreads(PVOID Context)
{
    while (!Stop) {
        KtestCrowd(1, Nothing);
    }
}

static PCSTR ChurnOnce(VOID)
{
    LONG Before = ChurnCalls;
    Registered = 1;
    KTEST_CHECK(PsSetCreateThreadNotifyRoutine(Churned) == STATUS_SUCCESS);
    BOOLEAN Made = KtestCrowd(1, Nothing); /* at least these calls; those of the others may be in progress */
    NTSTATUS Removed = PsRemoveCreateThreadNotifyRoutine(Churned);
    Registered = 0;
    KTEST_CHECK(Made && ChurnCalls != Before);
    KTEST_CHECK(Removed == STATUS_SUCCESS);
    return NULL;
}

static PCSTR TestChurn(VOID)
{
    PETHREAD Makers[MAKERS];
    PCSTR Why = NULL;
    Stop = 0;
    for (ULONG i = 0; i < MAKERS; i++) {
        Makers[i] = KtestStart(MakeThreads, NULL);
    }
    for (ULONG i = 0; i < ROUNDS && Why == NULL; i++) {
        Why = ChurnOnce();
    }
    Stop = 1;
    for (ULONG i = 0; i < MAKERS; i++) {
        KtestJoin(Makers[i]);
    }
    KTEST_CHECK(Why != NULL || Stray == 0);
    return Why;
}

/* Routines that are registered at once each get a slot of their own. */
static volatile LONG Wrong;

static VOID RegisterAndRemove(PVOID Context)
{
    for (ULONG i = 0; i < 200 && !Wrong; i++) {
        if (PsSetCreateThreadNotifyRoutine(Nobody) != STATUS_SUCCESS || PsRemoveCreateThreadNotifyRoutine(Nobody) != STATUS_SUCCESS) {
            InterlockedIncrement(&Wrong);
        }
    }
}

static PCSTR TestTogether(VOID)
{
    Wrong = 0;
    KTEST_CHECK(KtestCrowd(4, RegisterAndRemove) && Wrong == 0);
    KTEST_CHECK(FillTable() == 64 && EmptyTable(64)); /* none is lost */
    return TestRegistration();
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    if (KeQueryActiveProcessorCount(NULL) < 4) {
        KtestRun("hears.registration", TestRegistration);
        KtestRun("hears.limit", TestLimit);
        KtestRun("hears.thread", TestThread);
        KtestRun("hears.order", TestOrder);
        KtestRun("hears.process", TestProcess);
        KtestRun("hears.subsystem", TestSubsystem);
        KtestRun("hears.veto", TestVeto);
        KtestRun("hears.first-veto", TestFirstVeto);
        KtestRun("hears.leaves-nothing", TestLeavesNothing);
        KtestRun("hears.self-removal", TestSelfRemoval);
        KtestRun("hears.removal-waits", TestRemovalWaits);
        KtestRun("hears.self-removal-waits", TestSelfRemovalWaits);
        KtestRun("hears.mutual-removal", TestMutualRemoval);
        KtestRun("hears.refusal", TestRefusal);
    } else {
        KtestRun("hears.together", TestTogether);
        KtestRun("hears.churn", TestChurn);
    }
    return STATUS_SUCCESS;
}
