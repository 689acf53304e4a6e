/* SPDX-License-Identifier: MIT */
/*
 * Lab 9: programs of the personality mini (labs/9/programs/trial.c, in its roles), looked at from outside:
 * how they end, and when.
 */
#include "labs/labtest.h"

#define PATIENCE 20000 /* ms of the guest's; what takes longer will never end */

static NTSTATUS StartTrial(PCSTR Role, PHANDLE Process)
{
    char *Arguments[] = {"trial", (char *)Role};
    return StartSubsystem("mini", "/mini/trial", 2, Arguments, Process);
}

/* The exit status of a process that ends within the time; it is ended after that, and the status is
   STATUS_TIMEOUT. */
static NTSTATUS EndOf(HANDLE Process, ULONG Limit)
{
    NTSTATUS Status = WaitFor(Process, Limit);
    if (Status == STATUS_TIMEOUT) {
        NtTerminateProcess(Process, STATUS_TIMEOUT);
        WaitFor(Process, 1000); /* no longer: a wait that cannot be broken never ends */
    } else {
        Status = WaitForProcess(Process);
    }
    NtClose(Process);
    return Status;
}

static NTSTATUS Run(PCSTR Role)
{
    HANDLE Process;
    NTSTATUS Status = StartTrial(Role, &Process);
    return NT_SUCCESS(Status) ? EndOf(Process, PATIENCE) : Status;
}

#define ROLE(Routine, Name)          \
    static VOID Routine(VOID)        \
    {                                \
        CHECK_EQUAL(Run(Name), 0);   \
    }

ROLE(Errors, "errors")
ROLE(Writes, "writes")
ROLE(Clones, "clones")
ROLE(Joins, "joins")
ROLE(FutexValues, "futex-values")
ROLE(Wakes, "wakes")
ROLE(PingPong, "ping-pong")

static LONG64 Now(VOID)
{
    LARGE_INTEGER Time;
    NtQuerySystemTime(&Time);
    return Time.QuadPart;
}

/* Not less than it asks for. */
static VOID Sleeps(VOID)
{
    LONG64 Before = Now();
    CHECK_EQUAL(Run("sleeps"), 0);
    CHECK(Now() - Before >= 300 * 10000);
}

/* Who sleeps, or waits for what does not come, can be ended. */
static VOID Ended(PCSTR Role)
{
    HANDLE Process;
    CHECK_SUCCESS(StartTrial(Role, &Process));
    Sleep(200); /* it sleeps by now, on one processor for certain */
    CHECK_SUCCESS(NtTerminateProcess(Process, 77));
    CHECK_EQUAL(EndOf(Process, 5000), 77);
}

static VOID SleeperEnded(VOID)
{
    Ended("sleeps-long");
}

static VOID WaiterEnded(VOID)
{
    Ended("waits-long");
}

static VOID ExitGroup(VOID)
{
    HANDLE Process;
    CHECK_SUCCESS(StartTrial("exits", &Process));
    CHECK_EQUAL(EndOf(Process, 2000), 5);
}

static const TEST Tests[] = {
    {"personality.errors", Errors},
    {"personality.writes", Writes},
    {"personality.clones", Clones},
    {"personality.joins", Joins},
    {"personality.futex-values", FutexValues},
    {"personality.wakes", Wakes},
    {"personality.ping-pong", PingPong},
    {"personality.sleeps", Sleeps},
    {"personality.sleeper-ended", SleeperEnded},
    {"personality.waiter-ended", WaiterEnded},
    {"personality.exit-group", ExitGroup},
};

int main(int argc, char **argv)
{
    return LabRunTests(argc, argv, Tests, RTL_NUMBER_OF(Tests));
}
