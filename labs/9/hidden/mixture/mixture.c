/* SPDX-License-Identifier: MIT */
/* A program of the personality makes calls as the seed has it, and tells their results itself; the grader's
   model (../../model.py) knows what they must be. */
#include "labs/labtest.h"

static PCSTR Mark = "", Seed = "1";

static VOID Results(VOID)
{
    char *Arguments[] = {"trial", "mixture", (char *)Mark, (char *)Seed};
    HANDLE Process;
    CHECK_SUCCESS(StartSubsystem("mini", "/mini/trial", 4, Arguments, &Process));
    CHECK_SUCCESS(WaitFor(Process, 20000));
    CHECK_EQUAL(WaitForProcess(Process), 0);
    NtClose(Process);
}

static const TEST Tests[] = {
    {"mixture.results", Results},
};

int main(int argc, char **argv)
{
    Mark = argc > 1 ? argv[1] : Mark;
    Seed = argc > 2 ? argv[2] : Seed;
    return LabRunTests(argc, argv, Tests, RTL_NUMBER_OF(Tests));
}
