/* SPDX-License-Identifier: MIT */
/* Mutants, semaphores, timers; settings of processes and threads. */
#include "native.h"

static HANDLE NewEvent(EVENT_TYPE Type)
{
    HANDLE Event = NULL;
    NtCreateEvent(&Event, EVENT_ALL_ACCESS, NULL, Type, FALSE);
    return Event;
}

/* A thread that does one thing and ends, which is waited for. */
static BOOLEAN OnAnotherThread(PUSER_THREAD_START Routine, PVOID Argument)
{
    HANDLE Thread;
    BOOLEAN Done = NT_SUCCESS(CreateThread(Routine, Argument, &Thread)) && WaitFor(Thread, PATIENCE) == STATUS_SUCCESS;
    NtClose(Thread);
    return Done;
}

/* ---- Names and rights ---- */

/* What programs may ask of a directory, and what stands in it. */
static VOID Directories(VOID)
{
    static const UNICODE_STRING Path = RTL_CONSTANT_STRING(L"\\ObjectTypes"), Event = RTL_CONSTANT_STRING(L"Event"), Type = RTL_CONSTANT_STRING(L"Type");
    OBJECT_ATTRIBUTES Attributes;
    union {
        OBJECT_DIRECTORY_INFORMATION Entry[1];
        UCHAR Bytes[4096];
    } Answer;
    ULONG Context, Length, Found = 0;
    HANDLE Directory, Weak;
    InitializeObjectAttributes(&Attributes, (PUNICODE_STRING)&Path, OBJ_CASE_INSENSITIVE, NULL, NULL);
    CHECK_SUCCESS(NtOpenDirectoryObject(&Directory, GENERIC_READ, &Attributes));
    CHECK_SUCCESS(NtOpenDirectoryObject(&Weak, GENERIC_WRITE, &Attributes));
    CHECK_SUCCESS(NtQueryDirectoryObject(Directory, &Answer, sizeof(Answer), FALSE, TRUE, &Context, &Length));
    CHECK(Length > sizeof(OBJECT_DIRECTORY_INFORMATION) && Length <= sizeof(Answer));
    for (POBJECT_DIRECTORY_INFORMATION Entry = Answer.Entry; Entry->Name.Length != 0; Entry++) {
        CHECK((PUCHAR)Entry->Name.Buffer > Answer.Bytes && (PUCHAR)Entry->Name.Buffer < Answer.Bytes + Length);
        CHECK(Entry->TypeName.Length == Type.Length && memcmp(Entry->TypeName.Buffer, Type.Buffer, Type.Length) == 0);
        Found += Entry->Name.Length == Event.Length && memcmp(Entry->Name.Buffer, Event.Buffer, Event.Length) == 0;
    }
    CHECK_EQUAL(Found, 1);
    CHECK_STATUS(NtQueryDirectoryObject(Directory, &Answer, sizeof(Answer), FALSE, FALSE, &Context, &Length), STATUS_NO_MORE_ENTRIES);
    CHECK_STATUS(NtQueryDirectoryObject(Weak, &Answer, sizeof(Answer), FALSE, TRUE, &Context, &Length), STATUS_ACCESS_DENIED);
    CHECK_STATUS(NtQueryDirectoryObject(Directory, &Answer, 40, FALSE, TRUE, &Context, &Length), STATUS_BUFFER_TOO_SMALL);
    CHECK_STATUS(NtQueryDirectoryObject(Directory, &Answer, Length + 8, TRUE, TRUE, &Context, NULL), STATUS_SUCCESS);
    CHECK_EQUAL(Context, 1);
    CHECK_STATUS(NtQueryDirectoryObject(Directory, (PVOID)ADDRESS_KERNEL, sizeof(Answer), FALSE, TRUE, &Context, NULL), STATUS_ACCESS_VIOLATION);
    CHECK_STATUS(NtQueryDirectoryObject(Directory, &Answer, sizeof(Answer), FALSE, TRUE, (PVOID)ADDRESS_KERNEL, NULL), STATUS_ACCESS_VIOLATION);
    CHECK_SUCCESS(NtClose(Directory));
    CHECK_SUCCESS(NtClose(Weak));
}

/* A generic right gives those that it means for the type, and no others. */
static VOID GenericRights(VOID)
{
    SEMAPHORE_BASIC_INFORMATION Basic;
    HANDLE Reader, Writer, Process;
    CHECK_SUCCESS(NtCreateSemaphore(&Reader, GENERIC_READ, NULL, 1, 2));
    CHECK_SUCCESS(NtQuerySemaphore(Reader, 0, &Basic, sizeof(Basic), NULL));
    CHECK_STATUS(NtReleaseSemaphore(Reader, 1, NULL), STATUS_ACCESS_DENIED);
    CHECK_STATUS(WaitFor(Reader, 0), STATUS_ACCESS_DENIED);
    CHECK_SUCCESS(NtCreateSemaphore(&Writer, GENERIC_WRITE | GENERIC_EXECUTE, NULL, 1, 2));
    CHECK_SUCCESS(NtReleaseSemaphore(Writer, 1, NULL));
    CHECK_SUCCESS(WaitFor(Writer, 0));
    CHECK_STATUS(NtQuerySemaphore(Writer, 0, &Basic, sizeof(Basic), NULL), STATUS_ACCESS_DENIED);
    /* less can be asked for a second handle, more cannot */
    CHECK_STATUS(NtDuplicateObject(NtCurrentProcess(), Reader, NtCurrentProcess(), &Process, GENERIC_WRITE, 0, 0), STATUS_ACCESS_DENIED);
    CHECK_SUCCESS(NtDuplicateObject(NtCurrentProcess(), Reader, NtCurrentProcess(), &Process, SEMAPHORE_QUERY_STATE, 0, 0));
    CHECK_SUCCESS(NtClose(Process));
    CHECK_SUCCESS(NtClose(Reader));
    CHECK_SUCCESS(NtClose(Writer));
}

/* ---- Mutants ---- */

static NTSTATUS OtherStatus;
static VOID TakeMutant(PVOID Mutant)
{
    OtherStatus = WaitFor(Mutant, 0);
}

static VOID ReleaseMutant(PVOID Mutant)
{
    OtherStatus = NtReleaseMutant(Mutant, NULL);
}

static VOID MutantsAreOwned(VOID)
{
    MUTANT_BASIC_INFORMATION Basic;
    ULONG Length = 0;
    LONG Previous = 99;
    HANDLE Mutant;
    CHECK_SUCCESS(NtCreateMutant(&Mutant, MUTANT_ALL_ACCESS, NULL, TRUE));
    CHECK_SUCCESS(WaitFor(Mutant, 0)); /* recursion */
    CHECK_SUCCESS(NtQueryMutant(Mutant, 0, &Basic, sizeof(Basic), &Length));
    CHECK_EQUAL(Length, sizeof(Basic));
    CHECK_EQUAL(Basic.CurrentCount, -1);
    CHECK(Basic.OwnedByCaller && !Basic.AbandonedState);
    CHECK(OnAnotherThread(TakeMutant, Mutant));
    CHECK_STATUS(OtherStatus, STATUS_TIMEOUT);
    CHECK(OnAnotherThread(ReleaseMutant, Mutant));
    CHECK_STATUS(OtherStatus, STATUS_MUTANT_NOT_OWNED);
    CHECK_SUCCESS(NtReleaseMutant(Mutant, &Previous));
    CHECK_EQUAL(Previous, -1);
    CHECK_SUCCESS(NtReleaseMutant(Mutant, &Previous));
    CHECK_EQUAL(Previous, 0);
    CHECK_STATUS(NtReleaseMutant(Mutant, &Previous), STATUS_MUTANT_NOT_OWNED);
    /* Its owner ends: the next one is told. */
    CHECK(OnAnotherThread(TakeMutant, Mutant));
    CHECK_SUCCESS(OtherStatus);
    CHECK_STATUS(NtReleaseMutant(Mutant, NULL), STATUS_ABANDONED);
    CHECK_STATUS(WaitFor(Mutant, 0), STATUS_ABANDONED_WAIT_0);
    CHECK_SUCCESS(NtReleaseMutant(Mutant, NULL));
    CHECK_STATUS(NtQueryMutant(Mutant, 1, &Basic, sizeof(Basic), NULL), STATUS_INVALID_INFO_CLASS);
    CHECK_STATUS(NtQueryMutant(Mutant, 0, &Basic, sizeof(Basic) - 1, NULL), STATUS_INFO_LENGTH_MISMATCH);
    CHECK_SUCCESS(NtClose(Mutant));
}

/* The last handle of an owned mutant is closed: by its owner, and by another thread while the owner waits,
   and while it ends. */
static HANDLE Gate;
static volatile LONG Owning;
static VOID OwnUntilTold(PVOID Argument)
{
    HANDLE Mutant;
    for (ULONG i = 0; i < 3; i++) {
        if (!NT_SUCCESS(NtCreateMutant(&Mutant, MUTANT_ALL_ACCESS, NULL, TRUE))) {
            return;
        }
        ((HANDLE *)Argument)[i] = Mutant;
    }
    Owning = TRUE;
    NtWaitForSingleObject(Gate, FALSE, NULL);
}

static VOID OwnedMutantsMayGo(VOID)
{
    HANDLE Mutant, Thread, Others[3];
    CHECK_SUCCESS(NtCreateMutant(&Mutant, MUTANT_ALL_ACCESS, NULL, TRUE));
    CHECK_SUCCESS(NtClose(Mutant));
    Gate = NewEvent(SynchronizationEvent);
    for (ULONG Round = 0; Round < 30; Round++) {
        Owning = FALSE;
        CHECK_SUCCESS(CreateThread(OwnUntilTold, Others, &Thread));
        while (!Owning) {
            NtYieldExecution();
        }
        CHECK_SUCCESS(NtClose(Others[0])); /* it waits, or is about to */
        CHECK_SUCCESS(NtSetEvent(Gate, NULL));
        CHECK_SUCCESS(NtClose(Others[1])); /* it ends, or is about to */
        CHECK_SUCCESS(WaitFor(Thread, PATIENCE));
        CHECK_STATUS(WaitFor(Others[2], 0), STATUS_ABANDONED_WAIT_0);
        CHECK_SUCCESS(NtClose(Others[2]));
        CHECK_SUCCESS(NtClose(Thread));
    }
    CHECK_SUCCESS(NtClose(Gate));
}

/* ---- Semaphores ---- */

static VOID SemaphoresCount(VOID)
{
    SEMAPHORE_BASIC_INFORMATION Basic;
    LONG Previous = 99;
    HANDLE Semaphore;
    CHECK_STATUS(NtCreateSemaphore(&Semaphore, SEMAPHORE_ALL_ACCESS, NULL, 4, 3), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(NtCreateSemaphore(&Semaphore, SEMAPHORE_ALL_ACCESS, NULL, -1, 3), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(NtCreateSemaphore(&Semaphore, SEMAPHORE_ALL_ACCESS, NULL, 0, 0), STATUS_INVALID_PARAMETER);
    CHECK_SUCCESS(NtCreateSemaphore(&Semaphore, SEMAPHORE_ALL_ACCESS, NULL, 1, 3));
    CHECK_SUCCESS(WaitFor(Semaphore, 0));
    CHECK_STATUS(WaitFor(Semaphore, 0), STATUS_TIMEOUT);
    CHECK_SUCCESS(NtReleaseSemaphore(Semaphore, 2, &Previous));
    CHECK_EQUAL(Previous, 0);
    CHECK_STATUS(NtReleaseSemaphore(Semaphore, 2, &Previous), STATUS_SEMAPHORE_LIMIT_EXCEEDED);
    CHECK_STATUS(NtReleaseSemaphore(Semaphore, 0, NULL), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(NtReleaseSemaphore(Semaphore, -1, NULL), STATUS_INVALID_PARAMETER);
    CHECK_SUCCESS(NtQuerySemaphore(Semaphore, 0, &Basic, sizeof(Basic), NULL));
    CHECK_EQUAL(Basic.CurrentCount, 2);
    CHECK_EQUAL(Basic.MaximumCount, 3);
    CHECK_SUCCESS(WaitFor(Semaphore, 0));
    CHECK_SUCCESS(WaitFor(Semaphore, 0));
    CHECK_STATUS(WaitFor(Semaphore, 0), STATUS_TIMEOUT);
    CHECK_SUCCESS(NtClose(Semaphore));
}

/* ---- Signal and wait; waits for all ---- */

static VOID SignalAndWait(VOID)
{
    LARGE_INTEGER Zero = {.QuadPart = 0};
    HANDLE First = NewEvent(NotificationEvent), Second = NewEvent(SynchronizationEvent), Mutant, Semaphore;
    CHECK_SUCCESS(NtCreateMutant(&Mutant, MUTANT_ALL_ACCESS, NULL, TRUE));
    CHECK_SUCCESS(NtCreateSemaphore(&Semaphore, SEMAPHORE_ALL_ACCESS, NULL, 0, 1));
    CHECK_SUCCESS(NtSignalAndWaitForSingleObject(First, First, FALSE, &Zero));
    CHECK_STATUS(NtSignalAndWaitForSingleObject(First, Second, FALSE, &Zero), STATUS_TIMEOUT);
    CHECK_SUCCESS(NtSignalAndWaitForSingleObject(Semaphore, Semaphore, FALSE, &Zero));
    CHECK_SUCCESS(NtSignalAndWaitForSingleObject(Mutant, Mutant, FALSE, &Zero));
    CHECK_STATUS(NtSignalAndWaitForSingleObject(NtCurrentThread(), First, FALSE, &Zero), STATUS_OBJECT_TYPE_MISMATCH);
    CHECK_SUCCESS(NtResetEvent(First, NULL));
    CHECK_STATUS(NtSignalAndWaitForSingleObject(First, NULL, FALSE, &Zero), STATUS_INVALID_HANDLE);
    CHECK_STATUS(WaitFor(First, 0), STATUS_TIMEOUT); /* nothing was signalled */
    CHECK_SUCCESS(NtAlertThread(NtCurrentThread()));
    CHECK_STATUS(NtSignalAndWaitForSingleObject(First, Second, TRUE, NULL), STATUS_ALERTED);
    NtClose(First);
    NtClose(Second);
    NtClose(Mutant);
    NtClose(Semaphore);
}

/* A wait for all names each object once, by whatever handle; a wait for any may name one twice. */
static VOID WaitAllTakesEachOnce(VOID)
{
    LARGE_INTEGER Zero = {.QuadPart = 0};
    HANDLE Twice[2] = {NewEvent(NotificationEvent)};
    Twice[1] = Twice[0];
    CHECK_STATUS(NtWaitForMultipleObjects(2, Twice, WaitAll, FALSE, &Zero), STATUS_INVALID_PARAMETER_MIX);
    CHECK_STATUS(NtWaitForMultipleObjects(2, Twice, WaitAny, FALSE, &Zero), STATUS_TIMEOUT);
    CHECK_SUCCESS(NtDuplicateObject(NtCurrentProcess(), Twice[0], NtCurrentProcess(), &Twice[1], 0, 0,
                                    DUPLICATE_SAME_ACCESS));
    CHECK_STATUS(NtWaitForMultipleObjects(2, Twice, WaitAll, FALSE, &Zero), STATUS_INVALID_PARAMETER_MIX);
    NtClose(Twice[0]);
    NtClose(Twice[1]);
}

static VOID EventsTellTheirState(VOID)
{
    EVENT_BASIC_INFORMATION Basic;
    HANDLE Event = NewEvent(SynchronizationEvent);
    CHECK_SUCCESS(NtQueryEvent(Event, 0, &Basic, sizeof(Basic), NULL));
    CHECK(Basic.EventType == SynchronizationEvent && Basic.EventState == 0);
    CHECK_SUCCESS(NtSetEvent(Event, NULL));
    CHECK_SUCCESS(NtQueryEvent(Event, 0, &Basic, sizeof(Basic), NULL));
    CHECK_EQUAL(Basic.EventState, 1);
    NtClose(Event);
}

/* ---- Timers ---- */

static volatile ULONG TimerApcs;
static PVOID TimerContext;
static ULONG64 TimerTime;
static VOID TimerApc(PVOID Context, ULONG Low, LONG High)
{
    TimerContext = Context;
    TimerTime = Low | (ULONG64)High << 32;
    TimerApcs++;
}

static VOID TimersExpire(VOID)
{
    LARGE_INTEGER Due = Milliseconds(5), Far = Milliseconds(PATIENCE), Before, Zero = {.QuadPart = 0};
    TIMER_BASIC_INFORMATION Basic;
    BOOLEAN State = 99;
    HANDLE Timer;
    CHECK_STATUS(NtCreateTimer(&Timer, TIMER_ALL_ACCESS, NULL, 2), STATUS_INVALID_PARAMETER);
    CHECK_SUCCESS(NtCreateTimer(&Timer, TIMER_ALL_ACCESS, NULL, NotificationTimer));
    CHECK_SUCCESS(NtSetTimer(Timer, &Due, NULL, NULL, FALSE, 0, &State));
    CHECK_EQUAL(State, FALSE);
    CHECK_SUCCESS(WaitFor(Timer, PATIENCE));
    CHECK_SUCCESS(NtSetTimer(Timer, &Far, NULL, NULL, FALSE, 0, &State));
    CHECK_EQUAL(State, TRUE);
    CHECK_SUCCESS(NtQueryTimer(Timer, 0, &Basic, sizeof(Basic), NULL));
    CHECK(!Basic.TimerState && Basic.RemainingTime.QuadPart > 0 && Basic.RemainingTime.QuadPart <= -Far.QuadPart);
    CHECK_SUCCESS(NtCancelTimer(Timer, &State));
    CHECK_EQUAL(State, FALSE);
    CHECK_STATUS(NtSetTimer(Timer, &Due, NULL, NULL, FALSE, -1, NULL), STATUS_INVALID_PARAMETER_6);

    /* With an APC, which comes when the thread is alertable; and again, each period. */
    TimerApcs = 0;
    CHECK_SUCCESS(NtQuerySystemTime(&Before));
    CHECK_SUCCESS(NtSetTimer(Timer, &Due, TimerApc, &State, FALSE, 1, NULL));
    CHECK_SUCCESS(WaitFor(Timer, PATIENCE));
    CHECK_EQUAL(TimerApcs, 0);
    while (TimerApcs < 3) {
        CHECK_STATUS(NtDelayExecution(TRUE, &Far), STATUS_USER_APC);
    }
    CHECK(TimerContext == &State && (LONG64)TimerTime >= Before.QuadPart + 40000);
    CHECK_SUCCESS(NtCancelTimer(Timer, NULL));
    /* Cancelled, or closed, it takes a queued APC along. */
    CHECK_SUCCESS(NtSetTimer(Timer, &Zero, TimerApc, NULL, FALSE, 0, NULL));
    CHECK_SUCCESS(WaitFor(Timer, PATIENCE));
    CHECK_SUCCESS(NtCancelTimer(Timer, NULL));
    TimerApcs = 0;
    CHECK_SUCCESS(NtTestAlert());
    CHECK_EQUAL(TimerApcs, 0);
    CHECK_SUCCESS(NtSetTimer(Timer, &Due, TimerApc, NULL, FALSE, 0, NULL));
    CHECK_SUCCESS(NtClose(Timer));
}

/* ---- Names ---- */

static VOID NamesAreShared(VOID)
{
    OBJECT_ATTRIBUTES Attributes;
    UNICODE_STRING Name;
    HANDLE First, Second;
    LONG Previous;
    static WCHAR Text[] = L"\\BaseNamedObjects\\native-test";
    RtlInitUnicodeString(&Name, Text);
    InitializeObjectAttributes(&Attributes, &Name, 0, NULL, NULL);
    CHECK_SUCCESS(NtCreateSemaphore(&First, SEMAPHORE_ALL_ACCESS, &Attributes, 1, 9));
    CHECK_STATUS(NtCreateSemaphore(&Second, SEMAPHORE_ALL_ACCESS, &Attributes, 1, 9), STATUS_OBJECT_NAME_COLLISION);
    CHECK_SUCCESS(NtOpenSemaphore(&Second, SEMAPHORE_ALL_ACCESS, &Attributes));
    CHECK_SUCCESS(NtReleaseSemaphore(Second, 1, NULL));
    CHECK_SUCCESS(NtReleaseSemaphore(First, 1, &Previous));
    CHECK_EQUAL(Previous, 2);
    CHECK_SUCCESS(NtClose(Second));
    CHECK_STATUS(NtOpenMutant(&Second, MUTANT_ALL_ACCESS, &Attributes), STATUS_OBJECT_TYPE_MISMATCH);
    CHECK_SUCCESS(NtClose(First));
    CHECK_STATUS(NtOpenSemaphore(&First, SEMAPHORE_ALL_ACCESS, &Attributes), STATUS_OBJECT_NAME_NOT_FOUND);
    Attributes.Attributes = OBJ_OPENIF;
    CHECK_SUCCESS(NtCreateMutant(&First, MUTANT_ALL_ACCESS, &Attributes, FALSE));
    CHECK_STATUS(NtCreateMutant(&Second, MUTANT_ALL_ACCESS, &Attributes, TRUE), STATUS_OBJECT_NAME_EXISTS);
    CHECK_STATUS(NtReleaseMutant(Second, NULL), STATUS_MUTANT_NOT_OWNED); /* it was there before: not owned by this */
    CHECK_SUCCESS(NtClose(Second));
    CHECK_SUCCESS(NtClose(First));

    LARGE_INTEGER Size = {.QuadPart = 0x1000};
    Attributes.Attributes = 0;
    CHECK_SUCCESS(NtCreateTimer(&First, TIMER_ALL_ACCESS, &Attributes, NotificationTimer));
    CHECK_SUCCESS(NtOpenTimer(&Second, TIMER_ALL_ACCESS, &Attributes));
    CHECK_SUCCESS(NtCancelTimer(Second, NULL));
    CHECK_SUCCESS(NtClose(Second));
    CHECK_SUCCESS(NtClose(First));
    CHECK_SUCCESS(NtCreateSection(&First, SECTION_ALL_ACCESS, &Attributes, &Size, PAGE_READWRITE, SEC_COMMIT, NULL));
    CHECK_SUCCESS(NtOpenSection(&Second, SECTION_MAP_READ, &Attributes));
    CHECK_SUCCESS(NtClose(Second));
    CHECK_SUCCESS(NtClose(First));
}

/* ---- Settings ---- */

static VOID ThreadsAreSet(VOID)
{
    static WCHAR Text[] = L"a name of its own";
    THREAD_BASIC_INFORMATION Basic;
    THREAD_NAME_INFORMATION Name;
    ULONG64 Answer[16];
    KPRIORITY Priority = 9;
    LONG Increment = 2;
    ULONG Processor = 0, Bad = 65, Length;
    CHECK_SUCCESS(NtSetInformationThread(NtCurrentThread(), ThreadPriority, &Priority, sizeof(Priority)));
    CHECK_SUCCESS(NtQueryInformationThread(NtCurrentThread(), ThreadBasicInformation, &Basic, sizeof(Basic), NULL));
    CHECK_EQUAL(Basic.Priority, 9);
    CHECK_SUCCESS(NtSetInformationThread(NtCurrentThread(), ThreadBasePriority, &Increment, sizeof(Increment)));
    CHECK_SUCCESS(NtQueryInformationThread(NtCurrentThread(), ThreadBasicInformation, &Basic, sizeof(Basic), NULL));
    CHECK_EQUAL(Basic.BasePriority, 10);
    Increment = 0;
    CHECK_SUCCESS(NtSetInformationThread(NtCurrentThread(), ThreadBasePriority, &Increment, sizeof(Increment)));
    CHECK_SUCCESS(NtSetInformationThread(NtCurrentThread(), ThreadIdealProcessor, &Processor, sizeof(Processor)));
    CHECK_STATUS(NtSetInformationThread(NtCurrentThread(), ThreadIdealProcessor, &Bad, sizeof(Bad)),
                 STATUS_INVALID_PARAMETER);

    RtlInitUnicodeString(&Name.ThreadName, Text);
    CHECK_SUCCESS(NtSetInformationThread(NtCurrentThread(), ThreadNameInformation, &Name, sizeof(Name)));
    CHECK_SUCCESS(NtQueryInformationThread(NtCurrentThread(), ThreadNameInformation, Answer, sizeof(Answer), &Length));
    PUNICODE_STRING Told = (PUNICODE_STRING)Answer;
    CHECK_EQUAL(Told->Length, sizeof(Text) - sizeof(WCHAR));
    CHECK(memcmp(Told->Buffer, Text, sizeof(Text)) == 0);
    CHECK_STATUS(NtQueryInformationThread(NtCurrentThread(), ThreadNameInformation, Answer, 16, &Length),
                 STATUS_INFO_LENGTH_MISMATCH);
    CHECK_EQUAL(Length, sizeof(UNICODE_STRING) + sizeof(Text));
    Name.ThreadName.Length = 514;
    CHECK_STATUS(NtSetInformationThread(NtCurrentThread(), ThreadNameInformation, &Name, sizeof(Name)),
                 STATUS_NAME_TOO_LONG);
    Name.ThreadName.Length = 2;
    Name.ThreadName.Buffer = (PWCHAR)ADDRESS_KERNEL;
    CHECK_STATUS(NtSetInformationThread(NtCurrentThread(), ThreadNameInformation, &Name, sizeof(Name)),
                 STATUS_ACCESS_VIOLATION);
}

static VOID ProcessesAreSet(VOID)
{
    PROCESS_PRIORITY_CLASS Class = {.PriorityClass = PROCESS_PRIORITY_CLASS_BELOW_NORMAL};
    PROCESS_BASIC_INFORMATION Basic;
    KPRIORITY Priority = 24;
    KAFFINITY One = 1, None = 0, All;
    HANDLE Process = NtCurrentProcess();
    CHECK_SUCCESS(NtQueryInformationProcess(Process, ProcessBasicInformation, &Basic, sizeof(Basic), NULL));
    All = Basic.AffinityMask;
    CHECK_SUCCESS(NtSetInformationProcess(Process, ProcessPriorityClass, &Class, sizeof(Class)));
    CHECK_SUCCESS(NtQueryInformationProcess(Process, ProcessBasicInformation, &Basic, sizeof(Basic), NULL));
    CHECK_EQUAL(Basic.BasePriority, 6);
    Class.PriorityClass = PROCESS_PRIORITY_CLASS_NORMAL;
    CHECK_SUCCESS(NtSetInformationProcess(Process, ProcessPriorityClass, &Class, sizeof(Class)));
    Class.PriorityClass = 7;
    CHECK_STATUS(NtSetInformationProcess(Process, ProcessPriorityClass, &Class, sizeof(Class)), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(NtSetInformationProcess(Process, ProcessBasePriority, &Priority, sizeof(Priority)),
                 STATUS_PRIVILEGE_NOT_HELD);
    CHECK_SUCCESS(NtSetInformationProcess(Process, ProcessAffinityMask, &One, sizeof(One)));
    CHECK_SUCCESS(NtQueryInformationProcess(Process, ProcessBasicInformation, &Basic, sizeof(Basic), NULL));
    CHECK_EQUAL(Basic.AffinityMask, 1);
    CHECK_SUCCESS(NtSetInformationProcess(Process, ProcessAffinityMask, &All, sizeof(All)));
    CHECK_STATUS(NtSetInformationProcess(Process, ProcessAffinityMask, &None, sizeof(None)), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(NtSetInformationProcess(Process, ProcessBasicInformation, &None, sizeof(None)),
                 STATUS_INVALID_INFO_CLASS);
    CHECK_STATUS(NtSetInformationProcess(Process, ProcessAffinityMask, &One, 4), STATUS_INFO_LENGTH_MISMATCH);
}

/* ---- Whole processes ---- */

static VOID ProcessesAreSuspended(VOID)
{
    HANDLE Process;
    char *Arguments[] = {"child", "sleep", "1", "9", NULL};
    CHECK_SUCCESS(StartChild(&Process, "sleep", "1000000", "9")); /* one that runs */
    CHECK_SUCCESS(NtSuspendProcess(Process));
    CHECK_SUCCESS(NtTerminateProcess(Process, 8));
    CHECK_STATUS(WaitForProcess(Process), 8);
    CHECK_SUCCESS(NtClose(Process));
    CHECK_SUCCESS(StartNative("child", 4, Arguments, THREAD_CREATE_FLAGS_CREATE_SUSPENDED, &Process, NULL));
    CHECK_SUCCESS(NtSuspendProcess(Process));
    CHECK_SUCCESS(NtResumeProcess(Process));
    CHECK_STATUS(WaitFor(Process, 60), STATUS_TIMEOUT);
    CHECK_SUCCESS(NtResumeProcess(Process));
    CHECK_STATUS(WaitForProcess(Process), 9);
    CHECK_STATUS(NtSuspendProcess(Process), STATUS_PROCESS_IS_TERMINATING);
    CHECK_SUCCESS(NtClose(Process));
}

/* The first program's process can be looked at, and that is all. */
static VOID TheFirstProgramIsProtected(VOID)
{
    SYSTEM_PROCESS_INFORMATION *First, *Next;
    OBJECT_ATTRIBUTES Attributes;
    CLIENT_ID Process = {0}, Thread = {0};
    HANDLE Handle;
    ULONG Size;
    InitializeObjectAttributes(&Attributes, NULL, 0, NULL, NULL);
    CHECK_SUCCESS(QueryProcesses(&First, &Size));
    for (Next = First;; Next = (PVOID)((PUCHAR)Next + Next->NextEntryOffset)) {
        for (ULONG i = 0; i < Next->NumberOfThreads; i++) { /* no address of the kernel's, of whatever thread */
            CHECK((ULONG64)Next->Threads[i].StartAddress < ADDRESS_LAST_PAGE);
        }
        if (Next->ImageName.Length == 8 && memcmp(Next->ImageName.Buffer, L"init", 8) == 0) {
            Process.UniqueProcess = Next->UniqueProcessId;
            Thread.UniqueThread = Next->Threads[0].ClientId.UniqueThread;
        }
        if (Next->NextEntryOffset == 0) {
            break;
        }
    }
    CHECK(Process.UniqueProcess != NULL);
    CHECK_STATUS(NtOpenProcess(&Handle, PROCESS_ALL_ACCESS, &Attributes, &Process), STATUS_ACCESS_DENIED);
    CHECK_STATUS(NtOpenProcess(&Handle, 1, &Attributes, &Process), STATUS_ACCESS_DENIED);
    CHECK_STATUS(NtOpenProcess(&Handle, MAXIMUM_ALLOWED, &Attributes, &Process), STATUS_ACCESS_DENIED);
    CHECK_STATUS(NtOpenThread(&Handle, THREAD_ALL_ACCESS, &Attributes, &Thread), STATUS_ACCESS_DENIED);
    CHECK_SUCCESS(NtOpenProcess(&Handle, SYNCHRONIZE | 0x1000, &Attributes, &Process));
    CHECK_SUCCESS(NtClose(Handle));
    HeapFree(First);
}

/* A program's name ends where its length says: what stands behind a NUL is not cut off. */
static VOID NamesWithNulsAreRefused(VOID)
{
    static WCHAR Text[] = L"nop\0junk";
    PS_CREATE_INFO Info = {.Size = sizeof(Info)};
    PS_ATTRIBUTE_LIST List = {sizeof(List), {{PS_ATTRIBUTE_IMAGE_NAME, sizeof(Text) - sizeof(WCHAR), {.ValuePtr = Text}, NULL}}};
    RTL_USER_PROCESS_PARAMETERS Parameters = {.Size = sizeof(Parameters)};
    HANDLE Process, Thread;
    CHECK_STATUS(NtCreateUserProcess(&Process, &Thread, PROCESS_ALL_ACCESS, THREAD_ALL_ACCESS, NULL, NULL, 0, 0,
                                     &Parameters, &Info, &List),
                 STATUS_OBJECT_NAME_INVALID);
}

static const TEST Tests[] = {
    {"names.directories-listed", Directories},
    {"rights.generic", GenericRights},
    {"mutants.owned", MutantsAreOwned},
    {"mutants.owned-may-go", OwnedMutantsMayGo},
    {"semaphores.count", SemaphoresCount},
    {"waits.signal-and-wait", SignalAndWait},
    {"waits.all-takes-each-once", WaitAllTakesEachOnce},
    {"events.state", EventsTellTheirState},
    {"timers.expire", TimersExpire},
    {"names.shared", NamesAreShared},
    {"settings.threads", ThreadsAreSet},
    {"settings.processes", ProcessesAreSet},
    {"processes.suspended", ProcessesAreSuspended},
    {"processes.first-program-is-protected", TheFirstProgramIsProtected},
    {"processes.names-with-nuls", NamesWithNulsAreRefused},
};

int RunObjectTests(VOID)
{
    return RunTests(Tests, RTL_NUMBER_OF(Tests));
}
