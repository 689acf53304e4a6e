/* SPDX-License-Identifier: MIT */
/*
 * Notify callbacks: what registration and removal answer, and what happens when calls are in progress.
 * Threads of the system are made and ended to have the routines called; the tests of process callbacks that
 * need a program are tests/user's.
 */
#include "../ktest.h"

/* ---- Sixty-four routines of each kind, and one more ---- */

static volatile LONG Calls[65];

/* clang-format off */
#define EIGHT(X, High) \
    X(High, 0) X(High, 1) X(High, 2) X(High, 3) X(High, 4) X(High, 5) X(High, 6) X(High, 7)
#define ROUTINES(X) \
    EIGHT(X, 0) EIGHT(X, 1) EIGHT(X, 2) EIGHT(X, 3) EIGHT(X, 4) EIGHT(X, 5) EIGHT(X, 6) EIGHT(X, 7) X(8, 0)
/* clang-format on */

#define X(High, Low)                                                                                         \
    static VOID Process##High##Low(HANDLE ParentId, HANDLE ProcessId, BOOLEAN Create)                        \
    {                                                                                                        \
        InterlockedIncrement(&Calls[High * 8 + Low]);                                                        \
    }                                                                                                        \
    static VOID Image##High##Low(PUNICODE_STRING FullImageName, HANDLE ProcessId, PIMAGE_INFO ImageInfo)     \
    {                                                                                                        \
        InterlockedIncrement(&Calls[High * 8 + Low]);                                                        \
    }
ROUTINES(X)
#undef X
#define X(High, Low) Process##High##Low,
static const PCREATE_PROCESS_NOTIFY_ROUTINE ProcessRoutine[65] = {ROUTINES(X)};
#undef X
#define X(High, Low) Image##High##Low,
static const PLOAD_IMAGE_NOTIFY_ROUTINE ImageRoutine[65] = {ROUTINES(X)};
#undef X

static VOID ProcessEx(PEPROCESS Process, HANDLE ProcessId, PPS_CREATE_NOTIFY_INFO CreateInfo)
{
}

static VOID Nothing(PVOID Context)
{
}

/* ---- What registration answers ---- */

static PCSTR ProcessErrors(VOID)
{
    PCREATE_PROCESS_NOTIFY_ROUTINE Routine = ProcessRoutine[0];
    KTEST_CHECK(PsSetCreateProcessNotifyRoutine(Routine, TRUE) == STATUS_PROCEDURE_NOT_FOUND);
    KTEST_CHECK(PsSetCreateProcessNotifyRoutine(Routine, FALSE) == STATUS_SUCCESS);
    KTEST_CHECK(PsSetCreateProcessNotifyRoutine(Routine, FALSE) == STATUS_INVALID_PARAMETER); /* twice */
    KTEST_CHECK(PsSetCreateProcessNotifyRoutine(Routine, TRUE) == STATUS_SUCCESS);
    KTEST_CHECK(PsSetCreateProcessNotifyRoutine(Routine, TRUE) == STATUS_PROCEDURE_NOT_FOUND);

    KTEST_CHECK(PsSetCreateProcessNotifyRoutineEx(ProcessEx, FALSE) == STATUS_SUCCESS);
    KTEST_CHECK(PsSetCreateProcessNotifyRoutineEx(ProcessEx, FALSE) == STATUS_INVALID_PARAMETER);
    KTEST_CHECK(PsSetCreateProcessNotifyRoutineEx(ProcessEx, TRUE) == STATUS_SUCCESS);
    KTEST_CHECK(PsSetCreateProcessNotifyRoutineEx(ProcessEx, TRUE) == STATUS_PROCEDURE_NOT_FOUND);
    return NULL;
}

static PCSTR ProcessEx2(VOID)
{
    PSCREATEPROCESSNOTIFYTYPE Type = PsCreateProcessNotifySubsystems;
    KTEST_CHECK(PsSetCreateProcessNotifyRoutineEx2(Type, (PVOID)ProcessEx, FALSE) == STATUS_SUCCESS);
    KTEST_CHECK(PsSetCreateProcessNotifyRoutineEx2(Type, (PVOID)ProcessEx, FALSE) ==
                STATUS_INVALID_PARAMETER);
    KTEST_CHECK(PsSetCreateProcessNotifyRoutineEx2(Type, (PVOID)ProcessEx, TRUE) == STATUS_SUCCESS);
    KTEST_CHECK(PsSetCreateProcessNotifyRoutineEx2(Type, (PVOID)ProcessEx, TRUE) ==
                STATUS_PROCEDURE_NOT_FOUND);
    Type = (PSCREATEPROCESSNOTIFYTYPE)1;
    KTEST_CHECK(PsSetCreateProcessNotifyRoutineEx2(Type, (PVOID)ProcessEx, FALSE) ==
                STATUS_INVALID_PARAMETER);
    KTEST_CHECK(PsSetCreateProcessNotifyRoutineEx2(Type, (PVOID)ProcessEx, TRUE) == STATUS_INVALID_PARAMETER);
    return NULL;
}

/* NULL is a routine like any other: it stands in the table, and is not called. */
static PCSTR NullRoutine(VOID)
{
    KTEST_CHECK(PsSetCreateProcessNotifyRoutine(NULL, TRUE) == STATUS_PROCEDURE_NOT_FOUND);
    KTEST_CHECK(PsSetCreateProcessNotifyRoutine(NULL, FALSE) == STATUS_SUCCESS);
    KTEST_CHECK(PsSetCreateProcessNotifyRoutine(NULL, TRUE) == STATUS_SUCCESS);
    KTEST_CHECK(PsSetCreateProcessNotifyRoutine(NULL, TRUE) == STATUS_PROCEDURE_NOT_FOUND);

    KTEST_CHECK(PsSetCreateThreadNotifyRoutine(NULL) == STATUS_SUCCESS);
    KTEST_CHECK(KtestCrowd(1, Nothing));
    KTEST_CHECK(PsRemoveCreateThreadNotifyRoutine(NULL) == STATUS_SUCCESS);
    KTEST_CHECK(PsRemoveCreateThreadNotifyRoutine(NULL) == STATUS_PROCEDURE_NOT_FOUND);

    KTEST_CHECK(PsSetLoadImageNotifyRoutine(NULL) == STATUS_SUCCESS);
    KTEST_CHECK(PsRemoveLoadImageNotifyRoutine(NULL) == STATUS_SUCCESS);
    KTEST_CHECK(PsRemoveLoadImageNotifyRoutine(NULL) == STATUS_PROCEDURE_NOT_FOUND);
    return NULL;
}

/* Removes what stands in the table before it says what went wrong. */
static PCSTR ProcessLimit(VOID)
{
    ULONG Count = 0;
    while (Count < 65 && PsSetCreateProcessNotifyRoutine(ProcessRoutine[Count], FALSE) == STATUS_SUCCESS) {
        Count++;
    }
    NTSTATUS Full = PsSetCreateProcessNotifyRoutineEx(ProcessEx, FALSE); /* all three kinds share the table */
    NTSTATUS Removed = STATUS_SUCCESS;
    for (ULONG i = 0; i < Count; i++) {
        NTSTATUS Status = PsSetCreateProcessNotifyRoutine(ProcessRoutine[i], TRUE);
        Removed = NT_SUCCESS(Status) ? Removed : Status;
    }
    KTEST_CHECK(Count == 64);
    KTEST_CHECK(Full == STATUS_INVALID_PARAMETER);
    KTEST_CHECK(Removed == STATUS_SUCCESS);
    return NULL;
}

static PCSTR ImageLimit(VOID)
{
    ULONG Count = 0;
    KTEST_CHECK(PsSetLoadImageNotifyRoutineEx(ImageRoutine[0], 2) == STATUS_INVALID_PARAMETER_2);
    while (Count < 65 &&
           PsSetLoadImageNotifyRoutineEx(ImageRoutine[Count], PS_IMAGE_NOTIFY_CONFLICTING_ARCHITECTURE) ==
               STATUS_SUCCESS) {
        Count++;
    }
    NTSTATUS Full = PsSetLoadImageNotifyRoutine(ImageRoutine[Count]);
    for (ULONG i = 0; i < Count; i++) {
        KTEST_CHECK(PsRemoveLoadImageNotifyRoutine(ImageRoutine[i]) == STATUS_SUCCESS);
    }
    KTEST_CHECK(PsRemoveLoadImageNotifyRoutine(ImageRoutine[0]) == STATUS_PROCEDURE_NOT_FOUND);
    KTEST_CHECK(Count == 64);
    KTEST_CHECK(Full == STATUS_INSUFFICIENT_RESOURCES);
    return NULL;
}

/* ---- Thread callbacks: what they see ---- */

typedef struct _SEEN {
    ULONG Creations, Ends;
    BOOLEAN WrongLevel, NotCritical, WrongThread;
    HANDLE Creator; /* the thread whose doings count */
    HANDLE Made;
} SEEN;
static SEEN Seen;

static VOID Watch(HANDLE ProcessId, HANDLE ThreadId, BOOLEAN Create)
{
    if (Create && PsGetCurrentThreadId() == Seen.Creator) {
        Seen.Creations++;
        Seen.Made = ThreadId;
        Seen.WrongThread |= ThreadId == PsGetCurrentThreadId();
    } else if (!Create && ThreadId == Seen.Made) {
        Seen.Ends++;
        Seen.WrongThread |= ThreadId != PsGetCurrentThreadId() || ProcessId != PsGetCurrentProcessId();
    } else {
        return;
    }
    Seen.WrongLevel |= KeGetCurrentIrql() != PASSIVE_LEVEL;
    Seen.NotCritical |= !KeAreApcsDisabled();
}

/* Creation on the creator's thread, the end on the thread itself; PASSIVE_LEVEL, in a critical region. */
static PCSTR ThreadCalls(VOID)
{
    Seen = (SEEN){.Creator = PsGetCurrentThreadId()};
    KTEST_CHECK(PsSetCreateThreadNotifyRoutine(Watch) == STATUS_SUCCESS);
    BOOLEAN Made = KtestCrowd(1, Nothing);
    KTEST_CHECK(PsRemoveCreateThreadNotifyRoutine(Watch) == STATUS_SUCCESS);
    KTEST_CHECK(PsRemoveCreateThreadNotifyRoutine(Watch) == STATUS_PROCEDURE_NOT_FOUND);
    KTEST_CHECK(Made);
    KTEST_CHECK(Seen.Creations == 1 && Seen.Ends == 1);
    KTEST_CHECK(!Seen.WrongLevel && !Seen.NotCritical && !Seen.WrongThread);
    KTEST_CHECK(KtestCrowd(1, Nothing));
    KTEST_CHECK(Seen.Creations == 1 && Seen.Ends == 1); /* no call after the removal */
    return NULL;
}

/* Twice registered, twice called; each registration is removed for itself. */
static PCSTR ThreadTwice(VOID)
{
    Seen = (SEEN){.Creator = PsGetCurrentThreadId()};
    KTEST_CHECK(PsSetCreateThreadNotifyRoutine(Watch) == STATUS_SUCCESS);
    KTEST_CHECK(PsSetCreateThreadNotifyRoutine(Watch) == STATUS_SUCCESS);
    BOOLEAN Made = KtestCrowd(1, Nothing);
    KTEST_CHECK(PsRemoveCreateThreadNotifyRoutine(Watch) == STATUS_SUCCESS);
    KTEST_CHECK(PsRemoveCreateThreadNotifyRoutine(Watch) == STATUS_SUCCESS);
    KTEST_CHECK(PsRemoveCreateThreadNotifyRoutine(Watch) == STATUS_PROCEDURE_NOT_FOUND);
    KTEST_CHECK(Made && Seen.Creations == 2 && Seen.Ends == 2);
    return NULL;
}

/* Routines for native programs' threads do not hear of the system's; those for all subsystems do. */
static PCSTR ThreadKinds(VOID)
{
    Seen = (SEEN){.Creator = PsGetCurrentThreadId()};
    KTEST_CHECK(PsSetCreateThreadNotifyRoutineEx((PSCREATETHREADNOTIFYTYPE)2, (PVOID)Watch) ==
                STATUS_INVALID_PARAMETER);
    KTEST_CHECK(PsSetCreateThreadNotifyRoutineEx(PsCreateThreadNotifyNonSystem, (PVOID)Watch) ==
                STATUS_SUCCESS);
    BOOLEAN Made = KtestCrowd(1, Nothing);
    KTEST_CHECK(PsRemoveCreateThreadNotifyRoutine(Watch) == STATUS_SUCCESS);
    KTEST_CHECK(Made && Seen.Creations == 0 && Seen.Ends == 0);

    KTEST_CHECK(PsSetCreateThreadNotifyRoutineEx(PsCreateThreadNotifySubsystems, (PVOID)Watch) ==
                STATUS_SUCCESS);
    Made = KtestCrowd(1, Nothing);
    KTEST_CHECK(PsRemoveCreateThreadNotifyRoutine(Watch) == STATUS_SUCCESS);
    KTEST_CHECK(Made && Seen.Creations == 1 && Seen.Ends == 1);
    return NULL;
}

/* ---- Order ---- */

static volatile LONG OrderSeen[3];
static volatile LONG OrderNext;
static HANDLE OrderCreator;

#define ORDER_ROUTINE(Number)                                                                                \
    static VOID Order##Number(HANDLE ProcessId, HANDLE ThreadId, BOOLEAN Create)                             \
    {                                                                                                        \
        if (Create && PsGetCurrentThreadId() == OrderCreator) {                                              \
            OrderSeen[Number] = ++OrderNext;                                                                 \
        }                                                                                                    \
    }
ORDER_ROUTINE(0)
ORDER_ROUTINE(1)
ORDER_ROUTINE(2)

/* As they were registered. */
static PCSTR Order(VOID)
{
    OrderCreator = PsGetCurrentThreadId();
    KTEST_CHECK(PsSetCreateThreadNotifyRoutine(Order2) == STATUS_SUCCESS);
    KTEST_CHECK(PsSetCreateThreadNotifyRoutine(Order0) == STATUS_SUCCESS);
    KTEST_CHECK(PsSetCreateThreadNotifyRoutine(Order1) == STATUS_SUCCESS);
    BOOLEAN Made = KtestCrowd(1, Nothing);
    PsRemoveCreateThreadNotifyRoutine(Order0);
    PsRemoveCreateThreadNotifyRoutine(Order1);
    PsRemoveCreateThreadNotifyRoutine(Order2);
    KTEST_CHECK(Made && OrderSeen[2] == 1 && OrderSeen[0] == 2 && OrderSeen[1] == 3);
    return NULL;
}

/* ---- Removal from inside ---- */

static volatile LONG SelfCalls;
static NTSTATUS SelfFirst, SelfSecond;

static VOID RemoveSelf(HANDLE ProcessId, HANDLE ThreadId, BOOLEAN Create)
{
    if (InterlockedIncrement(&SelfCalls) == 1) {
        SelfFirst = PsRemoveCreateThreadNotifyRoutine(RemoveSelf);
        SelfSecond = PsRemoveCreateThreadNotifyRoutine(RemoveSelf);
    }
}

/* A routine that removes itself inside its only call succeeds at once and is called no more. */
static PCSTR SelfRemoval(VOID)
{
    KTEST_CHECK(PsSetCreateThreadNotifyRoutine(RemoveSelf) == STATUS_SUCCESS);
    KTEST_CHECK(KtestCrowd(2, Nothing));
    KTEST_CHECK(SelfCalls == 1);
    KTEST_CHECK(SelfFirst == STATUS_SUCCESS);
    KTEST_CHECK(SelfSecond == STATUS_PROCEDURE_NOT_FOUND);
    KTEST_CHECK(PsRemoveCreateThreadNotifyRoutine(RemoveSelf) == STATUS_PROCEDURE_NOT_FOUND);
    return NULL;
}

/* Nested: the routine makes a thread, is called for that too on the same thread, and removes itself in the
   inner call. */
static volatile LONG NestDepth;
static HANDLE NestThread;
static NTSTATUS NestStatus;

static VOID Nest(HANDLE ProcessId, HANDLE ThreadId, BOOLEAN Create)
{
    if (!Create || PsGetCurrentThreadId() != NestThread) {
        return;
    }
    if (++NestDepth == 1) {
        KtestCrowd(1, Nothing);
    } else {
        NestStatus = PsRemoveCreateThreadNotifyRoutine(Nest);
    }
}

static PCSTR NestedRemoval(VOID)
{
    NestThread = PsGetCurrentThreadId();
    NestStatus = STATUS_PENDING;
    KTEST_CHECK(PsSetCreateThreadNotifyRoutine(Nest) == STATUS_SUCCESS);
    KTEST_CHECK(KtestCrowd(1, Nothing));
    KTEST_CHECK(NestDepth == 2);
    KTEST_CHECK(NestStatus == STATUS_SUCCESS);
    KTEST_CHECK(PsRemoveCreateThreadNotifyRoutine(Nest) == STATUS_PROCEDURE_NOT_FOUND);
    return NULL;
}

/* ---- Threads that are to do something in their exit callbacks ---- */

static struct {
    volatile HANDLE Actor[2]; /* in whose calls it happens */
    volatile LONG Arrived;
    volatile LONG Finished;
    NTSTATUS Status[2];
    KEVENT Inside, Release;
} Stage;

static VOID SetStage(VOID)
{
    RtlZeroMemory(&Stage, sizeof(Stage));
    KeInitializeEvent(&Stage.Inside, NotificationEvent, FALSE);
    KeInitializeEvent(&Stage.Release, NotificationEvent, FALSE);
}

static VOID Act(PVOID Context)
{
    Stage.Actor[(ULONG_PTR)Context] = PsGetCurrentThreadId();
}

/* Both actors are inside their calls before either goes on. */
static VOID MeetOther(VOID)
{
    InterlockedIncrement(&Stage.Arrived);
    while (Stage.Arrived < 2) {
        KtestSleep(1);
    }
}

/* The current thread is actor Number and ends: one call. */
static BOOLEAN IsActor(ULONG Number, HANDLE ThreadId, BOOLEAN Create)
{
    return !Create && ThreadId == PsGetCurrentThreadId() && ThreadId == Stage.Actor[Number];
}

/* ---- Removal against a call in progress ---- */

static VOID Dawdle(HANDLE ProcessId, HANDLE ThreadId, BOOLEAN Create)
{
    if (IsActor(0, ThreadId, Create)) {
        KeSetEvent(&Stage.Inside, IO_NO_INCREMENT, FALSE);
        KeWaitForSingleObject(&Stage.Release, Executive, KernelMode, FALSE, NULL);
        KtestSleep(20);
        InterlockedIncrement(&Stage.Finished);
    }
}

static VOID RemoveDawdle(PVOID Context)
{
    Stage.Status[0] = PsRemoveCreateThreadNotifyRoutine(Dawdle);
    Stage.Status[1] = Stage.Finished == 1 ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL;
}

/* The remover waits until the call on another processor has returned. */
static PCSTR RemovalWaits(VOID)
{
    SetStage();
    KTEST_CHECK(PsSetCreateThreadNotifyRoutine(Dawdle) == STATUS_SUCCESS);
    PETHREAD Actor = KtestStart(Act, (PVOID)0);
    KeWaitForSingleObject(&Stage.Inside, Executive, KernelMode, FALSE, NULL);
    PETHREAD Remover = KtestStart(RemoveDawdle, NULL);

    LARGE_INTEGER Soon = KtestMs(50);
    NTSTATUS Early = KeWaitForSingleObject(Remover, Executive, KernelMode, FALSE, &Soon);
    KeSetEvent(&Stage.Release, IO_NO_INCREMENT, FALSE);
    KtestJoin(Remover);
    KtestJoin(Actor);
    KTEST_CHECK(Early == STATUS_TIMEOUT);
    KTEST_CHECK(Stage.Status[0] == STATUS_SUCCESS);
    KTEST_CHECK(Stage.Status[1] == STATUS_SUCCESS);
    return NULL;
}

/* ---- Two removals at once ---- */

static VOID RemoveTogether(HANDLE ProcessId, HANDLE ThreadId, BOOLEAN Create)
{
    for (ULONG i = 0; i < 2; i++) {
        if (IsActor(i, ThreadId, Create)) {
            MeetOther();
            Stage.Status[i] = PsRemoveCreateThreadNotifyRoutine(RemoveTogether);
        }
    }
}

/* Two threads inside the same routine remove it: one does, the other finds nothing; neither waits for ever.
   */
static PCSTR SelfRemovalRace(VOID)
{
    for (ULONG Round = 0; Round < 50; Round++) {
        SetStage();
        KTEST_CHECK(PsSetCreateThreadNotifyRoutine(RemoveTogether) == STATUS_SUCCESS);
        KTEST_CHECK(KtestCrowd(2, Act));
        KTEST_CHECK((Stage.Status[0] == STATUS_SUCCESS && Stage.Status[1] == STATUS_PROCEDURE_NOT_FOUND) ||
                    (Stage.Status[1] == STATUS_SUCCESS && Stage.Status[0] == STATUS_PROCEDURE_NOT_FOUND));
        KTEST_CHECK(PsRemoveCreateThreadNotifyRoutine(RemoveTogether) == STATUS_PROCEDURE_NOT_FOUND);
    }
    return NULL;
}

static VOID RemoveRight(HANDLE ProcessId, HANDLE ThreadId, BOOLEAN Create);

static VOID RemoveLeft(HANDLE ProcessId, HANDLE ThreadId, BOOLEAN Create)
{
    if (IsActor(0, ThreadId, Create)) {
        MeetOther();
        Stage.Status[0] = PsRemoveCreateThreadNotifyRoutine(RemoveRight);
    }
}

static VOID RemoveRight(HANDLE ProcessId, HANDLE ThreadId, BOOLEAN Create)
{
    if (IsActor(1, ThreadId, Create)) {
        MeetOther();
        Stage.Status[1] = PsRemoveCreateThreadNotifyRoutine(RemoveLeft);
    }
}

/* Each of two routines removes the other while the other is in progress: both succeed. */
static PCSTR MutualRemoval(VOID)
{
    for (ULONG Round = 0; Round < 50; Round++) {
        SetStage();
        KTEST_CHECK(PsSetCreateThreadNotifyRoutine(RemoveLeft) == STATUS_SUCCESS);
        KTEST_CHECK(PsSetCreateThreadNotifyRoutine(RemoveRight) == STATUS_SUCCESS);
        KTEST_CHECK(KtestCrowd(2, Act));
        KTEST_CHECK(Stage.Status[0] == STATUS_SUCCESS && Stage.Status[1] == STATUS_SUCCESS);
        KTEST_CHECK(PsRemoveCreateThreadNotifyRoutine(RemoveLeft) == STATUS_PROCEDURE_NOT_FOUND);
        KTEST_CHECK(PsRemoveCreateThreadNotifyRoutine(RemoveRight) == STATUS_PROCEDURE_NOT_FOUND);
    }
    return NULL;
}

/* ---- Registration and removal while other processors make and end threads ---- */

static volatile LONG Stop, Registered, Stray, ChurnCalls;

static VOID Churned(HANDLE ProcessId, HANDLE ThreadId, BOOLEAN Create)
{
    if (!Registered) {
        InterlockedIncrement(&Stray);
    }
    InterlockedIncrement(&ChurnCalls);
    for (ULONG i = 0; i < 200; i++) {
        YieldProcessor();
    }
    if (!Registered) { /* the removal has returned before the call */
        InterlockedIncrement(&Stray);
    }
}

static VOID MakeThreads(PVOID Context)
{
    while (!Stop) {
        KtestCrowd(1, Nothing);
    }
}

static PCSTR Churn(VOID)
{
    PETHREAD Makers[3];
    PCSTR Why = NULL;
    Stop = 0;
    for (ULONG i = 0; i < ARRAYSIZE(Makers); i++) {
        Makers[i] = KtestStart(MakeThreads, NULL);
    }
    for (ULONG i = 0; i < 300 && Why == NULL; i++) {
        Registered = 1;
        Why = PsSetCreateThreadNotifyRoutine(Churned) == STATUS_SUCCESS ? NULL : "registration failed";
        LONG Before = ChurnCalls;
        for (ULONG Try = 0; Try < 200 && ChurnCalls == Before; Try++) {
            KtestSleep(1);
        }
        if (PsRemoveCreateThreadNotifyRoutine(Churned) != STATUS_SUCCESS) {
            Why = "removal failed";
        }
        Registered = 0;
    }
    Stop = 1;
    for (ULONG i = 0; i < ARRAYSIZE(Makers); i++) {
        KtestJoin(Makers[i]);
    }
    KTEST_CHECK(Stray == 0);
    KTEST_CHECK(ChurnCalls > 0);
    return Why;
}

/* Every slot is free again. */
static PCSTR NothingLeft(VOID)
{
    ULONG Count = 0;
    while (Count < 65 && PsSetCreateThreadNotifyRoutine(Watch) == STATUS_SUCCESS) {
        Count++;
    }
    for (ULONG i = 0; i < Count; i++) {
        KTEST_CHECK(PsRemoveCreateThreadNotifyRoutine(Watch) == STATUS_SUCCESS);
    }
    KTEST_CHECK(Count == 64);
    return NULL;
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    KtestRun("notify.process-errors", ProcessErrors);
    KtestRun("notify.process-ex2", ProcessEx2);
    KtestRun("notify.process-limit", ProcessLimit);
    KtestRun("notify.image-limit", ImageLimit);
    KtestRun("notify.null-routine", NullRoutine);
    KtestRun("notify.thread-calls", ThreadCalls);
    KtestRun("notify.thread-twice", ThreadTwice);
    KtestRun("notify.thread-kinds", ThreadKinds);
    KtestRun("notify.order", Order);
    KtestRun("notify.self-removal", SelfRemoval);
    KtestRun("notify.nested-removal", NestedRemoval);
    KtestRun("notify.removal-waits", RemovalWaits);
    KtestRun("notify.self-removal-race", SelfRemovalRace);
    KtestRun("notify.mutual-removal", MutualRemoval);
    KtestRun("notify.churn", Churn);
    KtestRun("notify.nothing-left", NothingLeft);
    return STATUS_SUCCESS;
}
