/* SPDX-License-Identifier: MIT */
/*
 * System calls with wild numbers, pointers, handles and lengths from four threads at once. The process may
 * well not survive it (it unmaps its own memory, sooner or later); the kernel must. The same seed makes the
 * same calls, thread by thread.
 *
 * Left out: what would switch the machine off, and what would only end or stop this process before it has
 * tried much (NtTerminateProcess on itself and its like; waits without end). Client ids are never those of a
 * real process, so that none but this one is hurt.
 */
#include "child.h"

#define WILD_THREADS  4
#define SCRATCH_SIZE  0x4000 /* followed by a page that is not there */
#define HANDLES_OWNED 6

typedef struct _WILD {
    ULONG64 Random;
    ULONG Count;
    PUCHAR Scratch;
    HANDLE Owned[HANDLES_OWNED];
    LARGE_INTEGER Soon;
    CLIENT_ID Nobody;
} WILD, *PWILD;

static ULONG64 Below(PWILD Wild, ULONG64 Limit)
{
    return NextRandom(&Wild->Random) % Limit;
}

/* ---- Values ---- */

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

static ULONG64 WildValue(PWILD Wild)
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
        Arguments[0] = NO_HANDLE;
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
    case NumberNtSetInformationThread: /* a thread of real-time priority would keep the others waiting */
        return Below(Wild, 16) != 0;
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

static VOID CallOnce(PWILD Wild)
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

/* ---- Threads ---- */

static VOID TakeHandles(PWILD Wild)
{
    NtCreateEvent(&Wild->Owned[0], EVENT_ALL_ACCESS, NULL, NotificationEvent, FALSE);
    NtCreateEvent(&Wild->Owned[1], EVENT_ALL_ACCESS, NULL, SynchronizationEvent, TRUE);
    OpenPath("\\Boot\\native", GENERIC_READ, &Wild->Owned[2]);
    OpenPath("\\Boot\\native\\child", GENERIC_READ, &Wild->Owned[3]);
    Wild->Owned[4] = NtCurrentProcess();
    Wild->Owned[5] = NtCurrentThread();
}

static BOOLEAN TakeScratch(PWILD Wild)
{
    PVOID Base = NULL, Last;
    SIZE_T Size = SCRATCH_SIZE + PAGE_SIZE, Rest = PAGE_SIZE;
    ULONG Old;
    if (!NT_SUCCESS(NtAllocateVirtualMemory(NtCurrentProcess(), &Base, 0, &Size, MEM_RESERVE | MEM_COMMIT,
                                            PAGE_READWRITE))) {
        return FALSE;
    }
    Wild->Scratch = Base;
    Last = Wild->Scratch + SCRATCH_SIZE;
    return NT_SUCCESS(NtProtectVirtualMemory(NtCurrentProcess(), &Last, &Rest, PAGE_NOACCESS, &Old));
}

static VOID WildThread(PVOID Argument)
{
    PWILD Wild = Argument;
    TakeHandles(Wild);
    if (!TakeScratch(Wild)) {
        Exit(3);
    }
    for (ULONG i = 0; i < Wild->Count; i++) {
        if (i % 64 == 0) {
            FillScratch(Wild);
        }
        CallOnce(Wild);
    }
}

int BeWild(ULONG64 Seed, ULONG Count)
{
    static WILD Wilds[WILD_THREADS];
    HANDLE Threads[WILD_THREADS];

    /* Nothing to read from, so that no call waits for a person, and nothing to write to. */
    for (ULONG Stream = INPUT_STREAM; Stream <= ERROR_STREAM; Stream++) {
        NtClose(StandardHandle(Stream));
    }
    for (ULONG i = 0; i < WILD_THREADS; i++) {
        Wilds[i].Random = Seed * WILD_THREADS + i;
        Wilds[i].Count = Count;
        Wilds[i].Soon = Milliseconds(1);
        Wilds[i].Nobody.UniqueProcess = Wilds[i].Nobody.UniqueThread = (HANDLE)0x7FFFFFF0;
        if (!NT_SUCCESS(CreateThread(WildThread, &Wilds[i], &Threads[i]))) {
            return 3;
        }
    }
    for (ULONG i = 0; i < WILD_THREADS; i++) {
        while (WaitFor(Threads[i], 1000) == STATUS_TIMEOUT) {}
    }
    return 0;
}
