/* SPDX-License-Identifier: MIT */
/*
 * Calls at random, as the seed has it, right and wrong in all of their parts; the status of each is told, and
 * the grader's model (../model.py) knows what it must be.
 */
#include "labs/labtest.h"

#define STEPS 60

static ULONG Random;
static HANDLE Full, Other, NoRight; /* an event; a semaphore; an event that may not be queried */
static WCHAR Name[1024];
static CHAR Told[STEPS * 12 + 1];

static ULONG Pick(ULONG Limit)
{
    Random = (Random * 1103515245 + 12345) & 0x7fffffff;
    return (Random >> 16) % Limit;
}

static NTSTATUS CallUnknown(VOID)
{
    const ULONG64 Arguments[RAW_ARGUMENTS] = {0};
    ULONG64 Number = NT_SERVICE_COUNT + (ULONG64)Pick(1000);
    return RawCall(Pick(2) ? Number : Number << 32, Arguments, 0, 0);
}

static NTSTATUS CallLong(VOID)
{
    HANDLE Copy = NULL;
    const ULONG64 Arguments[RAW_ARGUMENTS] = {(ULONG64)NtCurrentProcess(), (ULONG64)Full, (ULONG64)NtCurrentProcess(), (ULONG64)&Copy, 0, 0,
                                              DUPLICATE_SAME_ACCESS};
    NTSTATUS Status = RawCall(NumberNtDuplicateObject, Arguments, BadAddresses[Pick(RTL_NUMBER_OF(BadAddresses))], 0);
    if (NT_SUCCESS(Status)) {
        NtClose(Copy);
    }
    return Status;
}

static NTSTATUS CallCreate(VOID)
{
    static const ULONG Flags[] = {0, OBJ_INHERIT, OBJ_KERNEL_HANDLE, 1, OBJ_CASE_INSENSITIVE};
    UNICODE_STRING String = {(USHORT)(40 + Pick(2000)), 0, Name};
    OBJECT_ATTRIBUTES Attributes;
    HANDLE Event;
    InitializeObjectAttributes(&Attributes, &String, Flags[Pick(RTL_NUMBER_OF(Flags))], NULL, NULL);
    Attributes.Length -= Pick(4) == 0 ? 8 : 0;
    NTSTATUS Status = NtCreateEvent(&Event, EVENT_ALL_ACCESS, &Attributes, NotificationEvent, FALSE);
    if (NT_SUCCESS(Status)) {
        NtClose(Event);
    }
    return Status;
}

static NTSTATUS CallQuery(VOID)
{
    EVENT_BASIC_INFORMATION Basic;
    HANDLE Handles[] = {Full, Other, NoRight, NULL};
    HANDLE Handle = Handles[Pick(RTL_NUMBER_OF(Handles))];
    ULONG Class = Pick(4) == 0, Length = sizeof(Basic) + (Pick(4) == 0);
    ULONG Bad = Pick(2 * RTL_NUMBER_OF(BadAddresses));
    return NtQueryEvent(Handle, Class, Bad < RTL_NUMBER_OF(BadAddresses) ? (PVOID)BadAddresses[Bad] : &Basic, Length, NULL);
}

static VOID Fuzz(VOID)
{
    static NTSTATUS (*const Calls[])(VOID) = {CallUnknown, CallLong, CallCreate, CallQuery};
    SIZE_T Length = 0;
    Random = LabSeed;
    CHECK_SUCCESS(NtCreateEvent(&Full, EVENT_ALL_ACCESS, NULL, NotificationEvent, FALSE));
    CHECK_SUCCESS(NtCreateSemaphore(&Other, SEMAPHORE_ALL_ACCESS, NULL, 1, 1));
    CHECK_SUCCESS(NtCreateEvent(&NoRight, SYNCHRONIZE, NULL, NotificationEvent, FALSE));
    for (ULONG i = 0; i < STEPS; i++) {
        ULONG What = Pick(RTL_NUMBER_OF(Calls));
        NTSTATUS Status = Calls[What]();
        Length += FormatText(Told + Length, sizeof(Told) - Length, "%s%c%X", i == 0 ? "" : " ", "ulcq"[What], Status);
    }
    LabTell("fuzz.statuses", Told);
}

static const TEST Tests[] = {
    {"fuzz.statuses", Fuzz},
};

int main(int argc, char **argv)
{
    for (ULONG i = 0; i < RTL_NUMBER_OF(Name); i++) {
        Name[i] = 'b';
    }
    memcpy(Name, L"\\BaseNamedObjects\\", 18 * sizeof(WCHAR));
    return LabRunTests(argc, argv, Tests, RTL_NUMBER_OF(Tests));
}
