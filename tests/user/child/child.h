/* SPDX-License-Identifier: MIT */
/* What the parts of the tests' child program share. */
#ifndef PRIMER_CHILD_H
#define PRIMER_CHILD_H

#include "../test.h"

int ChildArgumentSum(int Count, char **Arguments);
/* Four threads, Count calls each. Returns 0 if the process lives to see the end. */
int BeWild(ULONG64 Seed, ULONG Count);

#endif
