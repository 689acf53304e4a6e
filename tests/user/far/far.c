/* SPDX-License-Identifier: MIT */
/*
 * Far calls and returns of programs, with stack pointers of all sorts (tests/user/child/far.c has them).
 * Each ends its program with an access violation, whatever the error code of the fault says, and the
 * machine goes on.
 */
#include "../child/child.h"

#define WAIT 20000 /* ms; what takes longer hangs */

static NTSTATUS StartFar(ULONG Kind, ULONG Place, PHANDLE Process)
{
    char KindText[12], PlaceText[12];
    FormatText(KindText, sizeof(KindText), "%u", Kind);
    FormatText(PlaceText, sizeof(PlaceText), "%u", Place);
    return StartChild(Process, "far", KindText, PlaceText);
}

/* All kinds at once, so that several processors fault at the same time. */
static VOID TryPlace(ULONG Place, ULONG Kinds)
{
    HANDLE Process[FAR_KINDS];
    for (ULONG Kind = 0; Kind < Kinds; Kind++) {
        CHECK_SUCCESS(StartFar(Kind, Place, &Process[Kind]));
    }
    for (ULONG Kind = 0; Kind < Kinds; Kind++) {
        if (WaitFor(Process[Kind], WAIT) != STATUS_SUCCESS) {
            FAIL("kind %u at place %u does not end", Kind, Place);
        }
        NTSTATUS Status = WaitForProcess(Process[Kind]);
        CHECK_SUCCESS(NtClose(Process[Kind]));
        if (Status != STATUS_ACCESS_VIOLATION) {
            FAIL("kind %u at place %u ended with 0x%08X", Kind, Place, Status);
        }
    }
}

static VOID ReturnsEndTheirProgramOnly(VOID)
{
    for (ULONG Place = 0; Place < FAR_PLACES && !TestFailed; Place++) {
        TryPlace(Place, FAR_RETURNS);
    }
}

static VOID CallsEndTheirProgramOnly(VOID)
{
    for (ULONG Place = 0; Place < FAR_CALL_PLACES && !TestFailed; Place++) {
        TryPlace(Place, FAR_KINDS);
    }
}

/* A fault that the page tables do not explain must not be tried again for ever. */
static VOID RightReturnsWorkOrEnd(VOID)
{
    for (ULONG Kind = 0; Kind < 2; Kind++) {
        HANDLE Process;
        CHECK_SUCCESS(StartFar(Kind, FAR_OWN, &Process));
        CHECK_SUCCESS(WaitFor(Process, WAIT));
        NTSTATUS Status = WaitForProcess(Process);
        CHECK_SUCCESS(NtClose(Process));
        if (Status != FAR_DONE && Status != STATUS_ACCESS_VIOLATION) {
            FAIL("kind %u ended with 0x%08X", Kind, Status);
        }
    }
}

static VOID TheMachineGoesOn(VOID)
{
    HANDLE Process;
    CHECK_SUCCESS(StartChild(&Process, "exit", "3", NULL));
    CHECK_EQUAL(WaitForProcess(Process), 3);
    CHECK_SUCCESS(NtClose(Process));
}

static const TEST Tests[] = {
    {"far.returns-end-their-program-only", ReturnsEndTheirProgramOnly},
    {"far.calls-end-their-program-only", CallsEndTheirProgramOnly},
    {"far.right-returns-work-or-end", RightReturnsWorkOrEnd},
    {"far.the-machine-goes-on", TheMachineGoesOn},
};

int main(int argc, char **argv)
{
    return RunTests(Tests, RTL_NUMBER_OF(Tests));
}
