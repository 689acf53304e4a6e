/* SPDX-License-Identifier: MIT */
/*
 * System calls with wild numbers, pointers, handles and lengths from eight threads at once, while another
 * thread writes to what their arguments point to. The process may well not survive it (it unmaps its own
 * memory, sooner or later); the kernel must. The same seed makes the same calls, thread by thread.
 *
 * Left out: what would switch the machine off, and what would only end or stop this process before it has
 * tried much (NtTerminateProcess on itself and its like; waits without end). Client ids are never those of a
 * real process, so that none but this one is hurt.
 */
#include "child.h"

#define WILD_THREADS 8

/* ---- Values ---- */

ULONG64 Below(PWILD Wild, ULONG64 Limit)
{
    return NextRandom(&Wild->Random) % Limit;
}

static ULONG64 WildPointer(PWILD Wild)
{
    switch (Below(Wild, 8)) {
    case 0:
        return BadAddresses[Below(Wild, RTL_NUMBER_OF(BadAddresses))];
    case 1:
        return ADDRESS_DIRECT_MAP + (NextRandom(&Wild->Random) & 0xFFFFFF8);
    case 2:
        return (ULONG64)Wild->Scratch + SCRATCH_SIZE - Below(Wild, 32); /* runs over the end */
    case 3:
        return (ULONG64)Wild->Scratch + Below(Wild, SCRATCH_SIZE); /* misaligned */
    case 4:
        return (ULONG64)&WildPointer; /* may not be written to */
    default:
        return (ULONG64)Wild->Scratch + (Below(Wild, SCRATCH_SIZE) & ~15ULL);
    }
}

static ULONG64 WildHandle(PWILD Wild)
{
    switch (Below(Wild, 4)) {
    case 0:
        return Below(Wild, 64) * 4;
    case 1:
        return 0xFFFFFFFF80000000ULL + Below(Wild, 64) * 4; /* the kernel's own */
    case 2:
        return NextRandom(&Wild->Random);
    default:
        return (ULONG64)Wild->Owned[Below(Wild, HANDLES_OWNED)];
    }
}

ULONG64 WildValue(PWILD Wild)
{
    switch (Below(Wild, 8)) {
    case 0:
        return 0;
    case 1:
        return Below(Wild, 128);
    case 2:
        return ~Below(Wild, 8); /* -1, -2 ... */
    case 3:
        return 1ULL << Below(Wild, 64);
    case 4:
        return NextRandom(&Wild->Random);
    case 5:
        return WildHandle(Wild);
    default:
        return WildPointer(Wild);
    }
}

/* Structures that are passed by pointer hold wild values too. */
static VOID FillScratch(PWILD Wild)
{
    ULONG64 *Words = (ULONG64 *)Wild->Scratch;
    for (ULONG i = 0; i < SCRATCH_SIZE / sizeof(ULONG64); i++) {
        Words[i] = WildValue(Wild);
    }
}

/* ---- Calls ---- */

/* A handle that means nothing. */
#define NO_HANDLE 0x7FFFFFF0

/* Takes the sting out of services that would stop or end us. */
static VOID Tame(PWILD Wild, ULONG64 Number, ULONG64 *Arguments)
{
    switch (Number) {
    case NumberNtTerminateProcess:
    case NumberNtTerminateThread:
    case NumberNtSuspendThread:
    case NumberNtSuspendProcess:
        Arguments[0] = NO_HANDLE;
        break;
    case NumberNtSignalAndWaitForSingleObject:
        Arguments[3] = (ULONG64)&Wild->Soon;
        break;
    case NumberNtCreateThreadEx:
        Arguments[3] = NO_HANDLE;
        break;
    case NumberNtWaitForSingleObject:
        Arguments[2] = (ULONG64)&Wild->Soon;
        break;
    case NumberNtWaitForMultipleObjects:
        Arguments[4] = (ULONG64)&Wild->Soon;
        break;
    case NumberNtDelayExecution:
        Arguments[1] = (ULONG64)&Wild->Soon;
        break;
    case NumberNtOpenProcess:
    case NumberNtOpenThread:
        Arguments[3] = Below(Wild, 2) != 0 ? (ULONG64)&Wild->Nobody : BadAddresses[Below(Wild, 7)];
        break;
    }
}

/* TRUE when the service must not be called at all, or only now and then. */
static BOOLEAN IsLeftOut(PWILD Wild, ULONG64 Number)
{
    switch (Number) {
    case NumberNtShutdownSystem:
        return TRUE;
    case NumberNtFreeVirtualMemory:
    case NumberNtProtectVirtualMemory:
    case NumberNtDisplayString: /* these two write into the log what they are given */
    case NumberNtLoadDriver:
    case NumberNtSetInformationProcess:
    case NumberNtSetInformationThread: /* a thread of real-time priority would keep the others waiting */
        return Below(Wild, 16) != 0;
    case NumberNtContinue: /* the thread goes on somewhere, and seldom comes back */
    case NumberNtRaiseException:
    case NumberNtSetContextThread:
    case NumberNtQueueApcThread:
        return Below(Wild, 256) != 0;
    default:
        return FALSE;
    }
}

static ULONG64 ChooseNumber(PWILD Wild)
{
    if (Below(Wild, 32) == 0) {
        return NextRandom(&Wild->Random) | 0x1000; /* not there */
    }
    return Below(Wild, NT_SERVICE_COUNT);
}

static VOID CallWildly(PWILD Wild)
{
    ULONG64 Arguments[RAW_ARGUMENTS];
    ULONG64 Number = ChooseNumber(Wild);
    if (IsLeftOut(Wild, Number)) {
        return;
    }
    for (ULONG i = 0; i < RAW_ARGUMENTS; i++) {
        Arguments[i] = i == 0 && Below(Wild, 2) != 0 ? WildHandle(Wild) : WildValue(Wild);
    }
    Tame(Wild, Number, Arguments);
    ULONG64 Stack = Below(Wild, 64) == 0 ? WildPointer(Wild) : 0;
    RawCall(Number, Arguments, Stack, 0);
}

/* A handle is closed, or its value made that of another object, while other threads use it. */
static VOID ChurnHandles(PWILD Wild)
{
    HANDLE *Churned = &Wild->Owned[OWNED_CHURNED];
    NtClose(*Churned);
    NtDuplicateObject(NtCurrentProcess(), Wild->Owned[Below(Wild, OWNED_CHURNED)], NtCurrentProcess(), Churned, 0, 0,
                      DUPLICATE_SAME_ACCESS);
}

/* Half of the calls are right, or but for one argument. */
static VOID CallOnce(PWILD Wild)
{
    if (WildReport != NULL) {
        InterlockedIncrement64(&WildReport->Calls);
    }
    if (Below(Wild, 16) == 0) {
        ChurnHandles(Wild);
    } else if (Below(Wild, 2) == 0) {
        CallWildly(Wild);
    } else {
        CallAlmostRight(Wild);
    }
}

/* ---- Threads ---- */

static VOID TakeHandles(PWILD Wild)
{
    NtCreateEvent(&Wild->Owned[OWNED_EVENT], EVENT_ALL_ACCESS, NULL, NotificationEvent, FALSE);
    NtCreateEvent(&Wild->Owned[OWNED_TURN], EVENT_ALL_ACCESS, NULL, SynchronizationEvent, TRUE);
    OpenPath("\\Boot\\native", GENERIC_READ, &Wild->Owned[OWNED_FOLDER]);
    OpenPath("\\Boot\\native\\child", GENERIC_READ, &Wild->Owned[OWNED_FILE]);
    NtCreateMutant(&Wild->Owned[OWNED_MUTANT], MUTANT_ALL_ACCESS, NULL, FALSE);
    NtCreateSemaphore(&Wild->Owned[OWNED_SEMAPHORE], SEMAPHORE_ALL_ACCESS, NULL, 1, 1000000);
    NtCreateTimer(&Wild->Owned[OWNED_TIMER], TIMER_ALL_ACCESS, NULL, SynchronizationTimer);
    Wild->SectionSize.QuadPart = 0x20000;
    NtCreateSection(&Wild->Owned[OWNED_SECTION], SECTION_ALL_ACCESS, NULL, &Wild->SectionSize, PAGE_READWRITE, SEC_COMMIT,
                    NULL);
    UNICODE_STRING Names = RTL_CONSTANT_STRING(L"\\BaseNamedObjects");
    OBJECT_ATTRIBUTES Attributes;
    InitializeObjectAttributes(&Attributes, &Names, 0, NULL, NULL);
    NtOpenDirectoryObject(&Wild->Owned[OWNED_NAMES], GENERIC_READ, &Attributes);
    Wild->Owned[OWNED_PROCESS] = NtCurrentProcess();
    Wild->Owned[OWNED_THREAD] = NtCurrentThread();
}

static PVOID TakePages(SIZE_T Size)
{
    PVOID Base = NULL;
    NTSTATUS Status = NtAllocateVirtualMemory(NtCurrentProcess(), &Base, 0, &Size, MEM_RESERVE | MEM_COMMIT,
                                              PAGE_READWRITE);
    return NT_SUCCESS(Status) ? Base : NULL;
}

static BOOLEAN TakeScratch(PWILD Wild)
{
    SIZE_T Rest = PAGE_SIZE;
    ULONG Old;
    Wild->Scratch = TakePages(SCRATCH_SIZE + PAGE_SIZE);
    Wild->Area = TakePages(WILD_AREA_SIZE);
    Wild->Answers = TakePages(SCRATCH_SIZE);
    Wild->Context = TakePages(sizeof(CONTEXT));
    if (Wild->Scratch == NULL || Wild->Area == NULL || Wild->Answers == NULL || Wild->Context == NULL) {
        return FALSE;
    }
    PVOID Last = Wild->Scratch + SCRATCH_SIZE;
    return NT_SUCCESS(NtProtectVirtualMemory(NtCurrentProcess(), &Last, &Rest, PAGE_NOACCESS, &Old));
}

/* Counted, because a wild thread may close the handles by which one would wait for it. */
static volatile LONG WildRunning;

static VOID WildThread(PVOID Argument)
{
    PWILD Wild = Argument;
    TakeHandles(Wild);
    MakeArguments(Wild);
    if (!TakeScratch(Wild)) {
        Exit(3);
    }
    for (ULONG i = 0; i < Wild->Count; i++) {
        if (i % 64 == 0) {
            FillScratch(Wild);
        }
        CallOnce(Wild);
    }
    InterlockedDecrement(&WildRunning);
}

/* Writes wild values to what others pass to the kernel at the moment: what it reads twice may differ. */
static WILD Wilds[WILD_THREADS];
static VOID ChangeArguments(PVOID Argument)
{
    PWILD Own = Argument;
    LARGE_INTEGER Pause = {.QuadPart = -1000};
    while (WildRunning > 0) {
        PUCHAR Scratch = *(PUCHAR volatile *)&Wilds[Below(Own, WILD_THREADS)].Scratch;
        if (Scratch != NULL) {
            ((volatile ULONG64 *)Scratch)[Below(Own, SCRATCH_SIZE / 8)] = WildValue(Own);
        }
        if (Below(Own, 64) == 0) { /* whatever priorities there are now: the others run, too */
            NtDelayExecution(FALSE, &Pause);
        }
    }
}

/* What a thread does to itself ends it alone: the others go on. */
static LONG EndThreadOnly(PEXCEPTION_POINTERS Pointers)
{
    InterlockedDecrement(&WildRunning);
    NtTerminateThread(NtCurrentThread(), STATUS_SUCCESS);
    return EXCEPTION_CONTINUE_SEARCH;
}

PWILD_REPORT WildReport;
static VOID OpenReport(VOID)
{
    static WCHAR Text[] = WILD_REPORT;
    UNICODE_STRING Name;
    OBJECT_ATTRIBUTES Attributes;
    HANDLE Section;
    SIZE_T Size = 0;
    RtlInitUnicodeString(&Name, Text);
    InitializeObjectAttributes(&Attributes, &Name, 0, NULL, NULL);
    if (NT_SUCCESS(NtOpenSection(&Section, SECTION_ALL_ACCESS, &Attributes))) {
        NtMapViewOfSection(Section, NtCurrentProcess(), (PVOID *)&WildReport, 0, 0, NULL, &Size, ViewUnmap, 0,
                           PAGE_READWRITE);
        NtClose(Section);
    }
}

int BeWild(ULONG64 Seed, ULONG Count)
{
    static WILD Changer;
    OpenReport();
    RtlAddVectoredExceptionHandler(TRUE, EndThreadOnly);

    /* Nothing to read from, so that no call waits for a person, and nothing to write to. */
    for (ULONG Stream = INPUT_STREAM; Stream <= ERROR_STREAM; Stream++) {
        NtClose(StandardHandle(Stream));
    }
    for (ULONG i = 0; i < WILD_THREADS; i++) {
        Wilds[i].Random = Seed * WILD_THREADS + i;
        Wilds[i].Count = Count;
        Wilds[i].Soon = Milliseconds(1);
        Wilds[i].Nobody.UniqueProcess = Wilds[i].Nobody.UniqueThread = (HANDLE)0x7FFFFFF0;
        InterlockedIncrement(&WildRunning);
        if (!NT_SUCCESS(CreateThread(WildThread, &Wilds[i], NULL))) {
            return 3;
        }
    }
    Changer = Wilds[0]; /* its values without its memory */
    Changer.Random = Seed ^ 0x5555;
    Changer.Scratch = Wilds[0].Scratch;
    if (Changer.Scratch != NULL) {
        CreateThread(ChangeArguments, &Changer, NULL);
    }
    while (WildRunning > 0) {
        Sleep(10);
    }
    return 0;
}
