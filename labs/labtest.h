/* SPDX-License-Identifier: MIT */
/*
 * What the native test programs of the labs share, beside tests/user/test.h: the grader calls them with the
 * run's number, which stands behind each result, and with a seed.
 */
#ifndef PRIMER_LABTEST_H
#define PRIMER_LABTEST_H

#include "tests/user/test.h"

static ULONG LabSeed = 1;

/* Argument 1: the run's number; argument 2: the seed. Both may be missing: the program is run by hand. */
static int LabRunTests(int Count, char **Arguments, const TEST *Tests, ULONG TestCount)
{
    static CHAR Mark[20];
    if (Count > 1) {
        FormatText(Mark, sizeof(Mark), " #%s", Arguments[1]);
        TestMark = Mark;
    }
    if (Count > 2) {
        LabSeed = 0;
        for (PCSTR At = Arguments[2]; *At >= '0' && *At <= '9'; At++) {
            LabSeed = LabSeed * 10 + (ULONG)(*At - '0');
        }
    }
    return RunTests(Tests, TestCount);
}

/* A line for the grader's model: what a check has seen. */
__attribute__((unused)) static VOID LabTell(PCSTR Name, PCSTR Text)
{
    Print("@value %s %s%s\n", Name, Text, TestMark);
}

#endif
