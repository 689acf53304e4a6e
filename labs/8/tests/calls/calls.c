/* SPDX-License-Identifier: MIT */
/*
 * Lab 8: what a program may put into registers, on its stack and behind its pointers, and what it gets for
 * it.
 */
#include "labs/labtest.h"

/* ---- Numbers ---- */

static VOID UnknownNumbers(VOID)
{
    static const ULONG64 Numbers[] = {NT_SERVICE_COUNT, NT_SERVICE_COUNT + 1, 0x1000, 0x80000000, 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF};
    const ULONG64 Arguments[RAW_ARGUMENTS] = {0};
    for (ULONG i = 0; i < RTL_NUMBER_OF(Numbers); i++) {
        CHECK_STATUS(RawCall(Numbers[i], Arguments, 0, 0), STATUS_INVALID_SYSTEM_SERVICE);
    }
    CHECK_SUCCESS(RawCall(NumberNtNull, Arguments, 0, 0));
}

/* ---- Arguments on the stack ---- */

static HANDLE NewEvent(ACCESS_MASK Access)
{
    HANDLE Event = NULL;
    NtCreateEvent(&Event, Access, NULL, NotificationEvent, FALSE);
    return Event;
}

/* NtDuplicateObject has seven: the options are the first on the stack. With RSP at Stack the handle must not
   be closed unless they can be read. */
static NTSTATUS Duplicate(HANDLE Source, PHANDLE Copy, ULONG64 Stack)
{
    const ULONG64 Arguments[RAW_ARGUMENTS] = {(ULONG64)NtCurrentProcess(), (ULONG64)Source, (ULONG64)NtCurrentProcess(), (ULONG64)Copy, 0, 0,
                                              DUPLICATE_SAME_ACCESS | DUPLICATE_CLOSE_SOURCE};
    return RawCall(NumberNtDuplicateObject, Arguments, Stack, 0);
}

static VOID StackMissing(VOID)
{
    const ULONG64 Arguments[RAW_ARGUMENTS] = {0};
    for (ULONG i = 0; i < RTL_NUMBER_OF(BadAddresses); i++) {
        if (BadAddresses[i] != 0) { /* 0: RawCall keeps its own stack */
            HANDLE Source = NewEvent(EVENT_ALL_ACCESS), Copy = NULL;
            CHECK_STATUS(Duplicate(Source, &Copy, BadAddresses[i]), STATUS_ACCESS_VIOLATION);
            CHECK(Copy == NULL);
            CHECK_SUCCESS(NtClose(Source));
            CHECK_SUCCESS(RawCall(NumberNtNull, Arguments, BadAddresses[i], 0)); /* has none there */
        }
    }
}

/* The stack ends behind the last argument, and that is enough. */
static VOID StackEnds(VOID)
{
    PVOID Base = NULL;
    SIZE_T Size = 2 * PAGE_SIZE;
    CHECK_SUCCESS(NtAllocateVirtualMemory(NtCurrentProcess(), &Base, 0, &Size, MEM_RESERVE, PAGE_READWRITE));
    Size = PAGE_SIZE;
    CHECK_SUCCESS(NtAllocateVirtualMemory(NtCurrentProcess(), &Base, 0, &Size, MEM_COMMIT, PAGE_READWRITE));
    PULONG64 Last = (PULONG64)((ULONG_PTR)Base + PAGE_SIZE) - 1;
    *Last = DUPLICATE_SAME_ACCESS | DUPLICATE_CLOSE_SOURCE;
    HANDLE Source = NewEvent(EVENT_ALL_ACCESS), Copy = NULL;
    CHECK_SUCCESS(Duplicate(Source, &Copy, (ULONG64)(Last - 1)));
    CHECK_STATUS(NtClose(Source), STATUS_INVALID_HANDLE);
    CHECK_SUCCESS(NtClose(Copy));
    Size = 0;
    CHECK_SUCCESS(NtFreeVirtualMemory(NtCurrentProcess(), &Base, &Size, MEM_RELEASE));
}

/* ---- Strings ---- */

static WCHAR Letters[2048];

static NTSTATUS CreateCalled(PUNICODE_STRING Name, PHANDLE Event)
{
    OBJECT_ATTRIBUTES Attributes;
    InitializeObjectAttributes(&Attributes, Name, 0, NULL, NULL);
    return NtCreateEvent(Event, EVENT_ALL_ACCESS, &Attributes, NotificationEvent, FALSE);
}

static VOID StringLengths(VOID)
{
    static const struct {
        USHORT Length;
        NTSTATUS Status;
    } Cases[] = {{41, STATUS_OBJECT_NAME_INVALID}, {1023, STATUS_OBJECT_NAME_INVALID}, {1026, STATUS_NAME_TOO_LONG}, {0xFFFE, STATUS_NAME_TOO_LONG},
                 {0xFFFF, STATUS_NAME_TOO_LONG}};
    HANDLE Event;
    for (ULONG i = 0; i < RTL_NUMBER_OF(Cases); i++) {
        UNICODE_STRING Name = {Cases[i].Length, 0xFFFF, Letters};
        CHECK_STATUS(CreateCalled(&Name, &Event), Cases[i].Status);
    }
    UNICODE_STRING Name = {1024, 0, Letters}; /* the longest; MaximumLength does not matter to who only reads */
    CHECK_SUCCESS(CreateCalled(&Name, &Event));
    CHECK_SUCCESS(NtClose(Event));
    UNICODE_STRING Empty = {0, 0, (PWCH)ADDRESS_KERNEL}; /* nothing is read of it */
    CHECK_SUCCESS(CreateCalled(&Empty, &Event));
    CHECK_SUCCESS(NtClose(Event));
}

static SIZE_T PoolBlocks(VOID)
{
    SYSTEM_MEMORY_USAGE Now = {0};
    NtQuerySystemInformation(SystemMemoryUsageInformation, &Now, sizeof(Now), NULL);
    return Now.PoolBlocks;
}

/* An unreadable string or buffer is an access violation, and what was allocated for it goes again. */
static VOID StringPointers(VOID)
{
    HANDLE Event;
    SIZE_T Before = PoolBlocks();
    for (ULONG Round = 0; Round < 200; Round++) {
        for (ULONG i = 0; i < RTL_NUMBER_OF(BadAddresses); i++) {
            UNICODE_STRING Name = {64, 64, (PWCH)BadAddresses[i]};
            CHECK_STATUS(CreateCalled(&Name, &Event), STATUS_ACCESS_VIOLATION);
            if (BadAddresses[i] != 0) { /* NULL: no name */
                CHECK_STATUS(CreateCalled((PUNICODE_STRING)BadAddresses[i], &Event), STATUS_ACCESS_VIOLATION);
            }
        }
    }
    CHECK(PoolBlocks() < Before + 200);
}

/* Another thread changes the length while it is captured. What was checked is what is used: a name of one of
   the right lengths, or a refusal. */
static UNICODE_STRING Changing;
static volatile BOOLEAN StopChanging;

/* Each value stays for about as long as a capture takes. */
static VOID ChangeLength(PVOID Argument)
{
    static const USHORT Lengths[] = {64, 1023, 512, 40001};
    for (ULONG i = 0; !StopChanging; i++) {
        *(volatile USHORT *)&Changing.Length = Lengths[i % RTL_NUMBER_OF(Lengths)];
        for (volatile ULONG j = 0; j < 100; j++) {
        }
    }
}

static ULONG NameLength(HANDLE Event)
{
    static ULONG64 Buffer[256];
    NTSTATUS Status = NtQueryObject(Event, ObjectNameInformation, Buffer, sizeof(Buffer), NULL);
    return NT_SUCCESS(Status) ? ((PUNICODE_STRING)Buffer)->Length : 0;
}

static VOID DoubleFetch(VOID)
{
    HANDLE Changer, Event;
    UNICODE_STRING Odd = {41, 64, Letters};
    CHECK_STATUS(CreateCalled(&Odd, &Event), STATUS_OBJECT_NAME_INVALID);
    Changing = (UNICODE_STRING){64, 0xFFFF, Letters};
    CHECK_SUCCESS(CreateThread(ChangeLength, NULL, &Changer));
    NTSTATUS Wrong = STATUS_SUCCESS;
    ULONG Named = 0; /* the slow ones, and those that matter */
    for (ULONG i = 0; i < 300000 && Named < 4000 && Wrong == STATUS_SUCCESS; i++) {
        NTSTATUS Status = CreateCalled(&Changing, &Event);
        if (NT_SUCCESS(Status)) {
            ULONG Length = NameLength(Event);
            Named++;
            NtClose(Event);
            Wrong = Length == 64 || Length == 512 ? STATUS_SUCCESS : STATUS_DATA_ERROR;
        } else if (Status != STATUS_NAME_TOO_LONG && Status != STATUS_OBJECT_NAME_INVALID) {
            Wrong = Status;
        }
    }
    StopChanging = TRUE;
    NtWaitForSingleObject(Changer, FALSE, NULL);
    NtClose(Changer);
    CHECK_SUCCESS(Wrong);
}

/* ---- Attributes ---- */

static NTSTATUS CreateWith(ULONG Length, ULONG Flags)
{
    HANDLE Event;
    OBJECT_ATTRIBUTES Attributes;
    InitializeObjectAttributes(&Attributes, NULL, Flags, NULL, NULL);
    Attributes.Length = Length;
    NTSTATUS Status = NtCreateEvent(&Event, EVENT_ALL_ACCESS, &Attributes, NotificationEvent, FALSE);
    if (NT_SUCCESS(Status)) {
        NtClose(Event);
    }
    return Status;
}

static VOID AttributesLength(VOID)
{
    static const ULONG Lengths[] = {0, sizeof(OBJECT_ATTRIBUTES) - 8, sizeof(OBJECT_ATTRIBUTES) + 8, 0xFFFFFFFF};
    for (ULONG i = 0; i < RTL_NUMBER_OF(Lengths); i++) {
        CHECK_STATUS(CreateWith(Lengths[i], 0), STATUS_INVALID_PARAMETER);
    }
    CHECK_SUCCESS(CreateWith(sizeof(OBJECT_ATTRIBUTES), 0));
    CHECK_SUCCESS(CreateWith(sizeof(OBJECT_ATTRIBUTES), OBJ_INHERIT | OBJ_CASE_INSENSITIVE));
}

/* What is not defined, or only for the kernel, is refused: a program does not make kernel handles. */
static VOID AttributesFlags(VOID)
{
    static const ULONG Flags[] = {OBJ_KERNEL_HANDLE, OBJ_KERNEL_HANDLE | OBJ_INHERIT, 1, 0x80000000, 0xFFFFFFFF};
    for (ULONG i = 0; i < RTL_NUMBER_OF(Flags); i++) {
        CHECK_STATUS(CreateWith(sizeof(OBJECT_ATTRIBUTES), Flags[i]), STATUS_INVALID_PARAMETER);
    }
}

/* ---- A service: the state of an object ---- */

static VOID QueryResults(VOID)
{
    EVENT_BASIC_INFORMATION Event = {0};
    SEMAPHORE_BASIC_INFORMATION Count = {0};
    MUTANT_BASIC_INFORMATION Owner;
    ULONG Length = 0;
    HANDLE Handle;
    memset(&Owner, 0xAA, sizeof(Owner));
    CHECK_SUCCESS(NtCreateEvent(&Handle, EVENT_ALL_ACCESS, NULL, SynchronizationEvent, TRUE));
    CHECK_SUCCESS(NtQueryEvent(Handle, 0, &Event, sizeof(Event), &Length));
    CHECK(Event.EventType == SynchronizationEvent && Event.EventState == 1 && Length == sizeof(Event));
    CHECK_SUCCESS(NtClose(Handle));
    CHECK_SUCCESS(NtCreateSemaphore(&Handle, SEMAPHORE_ALL_ACCESS, NULL, 3, 7));
    CHECK_SUCCESS(NtQuerySemaphore(Handle, 0, &Count, sizeof(Count), NULL));
    CHECK(Count.CurrentCount == 3 && Count.MaximumCount == 7);
    CHECK_SUCCESS(NtClose(Handle));
    CHECK_SUCCESS(NtCreateMutant(&Handle, MUTANT_ALL_ACCESS, NULL, TRUE));
    CHECK_SUCCESS(NtQueryMutant(Handle, 0, &Owner, sizeof(Owner), NULL));
    CHECK(Owner.CurrentCount == 0 && Owner.OwnedByCaller && !Owner.AbandonedState);
    for (ULONG i = offsetof(MUTANT_BASIC_INFORMATION, AbandonedState) + 1; i < sizeof(Owner); i++) {
        CHECK_EQUAL(((PUCHAR)&Owner)[i], 0); /* padding tells nothing of the kernel's stack */
    }
    CHECK_SUCCESS(NtReleaseMutant(Handle, NULL));
    CHECK_SUCCESS(NtClose(Handle));
}

/* What is wrong is told in this order: class, length, handle, memory. */
static VOID QueryOrder(VOID)
{
    EVENT_BASIC_INFORMATION Basic;
    PVOID Bad = (PVOID)ADDRESS_KERNEL;
    HANDLE NoRight = NewEvent(SYNCHRONIZE), Event = NewEvent(EVENT_ALL_ACCESS);
    CHECK_STATUS(NtQueryEvent(NULL, 1, Bad, 0, NULL), STATUS_INVALID_INFO_CLASS);
    CHECK_STATUS(NtQueryEvent(NULL, 0, Bad, sizeof(Basic) - 1, NULL), STATUS_INFO_LENGTH_MISMATCH);
    CHECK_STATUS(NtQueryEvent(NULL, 0, Bad, sizeof(Basic) + 1, NULL), STATUS_INFO_LENGTH_MISMATCH);
    CHECK_STATUS(NtQueryEvent(NULL, 0, Bad, sizeof(Basic), NULL), STATUS_INVALID_HANDLE);
    CHECK_STATUS(NtQueryEvent(NtCurrentProcess(), 0, Bad, sizeof(Basic), NULL), STATUS_OBJECT_TYPE_MISMATCH);
    CHECK_STATUS(NtQueryEvent(NoRight, 0, Bad, sizeof(Basic), NULL), STATUS_ACCESS_DENIED);
    CHECK_STATUS(NtQueryEvent(Event, 0, Bad, sizeof(Basic), NULL), STATUS_ACCESS_VIOLATION);
    CHECK_SUCCESS(NtClose(NoRight));
    CHECK_SUCCESS(NtClose(Event));
}

static ULONG References(HANDLE Event)
{
    PUBLIC_OBJECT_BASIC_INFORMATION Basic = {0};
    NtQueryObject(Event, ObjectBasicInformation, &Basic, sizeof(Basic), NULL);
    return Basic.PointerCount;
}

/* Whatever became of the query, the object has as many references as before. */
static VOID QueryReferences(VOID)
{
    EVENT_BASIC_INFORMATION Basic;
    HANDLE Event = NewEvent(EVENT_ALL_ACCESS);
    ULONG Before = References(Event);
    for (ULONG i = 0; i < RTL_NUMBER_OF(BadAddresses); i++) {
        CHECK_STATUS(NtQueryEvent(Event, 0, (PVOID)BadAddresses[i], sizeof(Basic), NULL), STATUS_ACCESS_VIOLATION);
        if (BadAddresses[i] != 0) {
            CHECK_STATUS(NtQueryEvent(Event, 0, &Basic, sizeof(Basic), (PULONG)BadAddresses[i]), STATUS_ACCESS_VIOLATION);
        }
        CHECK_SUCCESS(NtQueryEvent(Event, 0, &Basic, sizeof(Basic), NULL));
    }
    CHECK(Before != 0);
    CHECK_EQUAL(References(Event), Before);
    CHECK_SUCCESS(NtClose(Event));
}

static const TEST Tests[] = {
    {"calls.unknown-numbers", UnknownNumbers},
    {"calls.stack-missing", StackMissing},
    {"calls.stack-ends", StackEnds},
    {"calls.string-lengths", StringLengths},
    {"calls.string-pointers", StringPointers},
    {"calls.double-fetch", DoubleFetch},
    {"calls.attributes-length", AttributesLength},
    {"calls.attributes-flags", AttributesFlags},
    {"calls.query-results", QueryResults},
    {"calls.query-order", QueryOrder},
    {"calls.query-references", QueryReferences},
};

int main(int argc, char **argv)
{
    for (ULONG i = 0; i < RTL_NUMBER_OF(Letters); i++) {
        Letters[i] = 'a';
    }
    memcpy(Letters, L"\\BaseNamedObjects\\", 18 * sizeof(WCHAR));
    return LabRunTests(argc, argv, Tests, RTL_NUMBER_OF(Tests));
}
