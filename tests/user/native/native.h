/* SPDX-License-Identifier: MIT */
/* The parts of this test program, each with a list of tests of its own; the result is 0 when all have
   passed. */
#ifndef PRIMER_TEST_NATIVE_H
#define PRIMER_TEST_NATIVE_H

#include "../test.h"

int RunExceptionTests(VOID);
int RunApcTests(VOID);
int RunContextTests(VOID);
int RunObjectTests(VOID);
int RunSectionTests(VOID);

#define PATIENCE 60000 /* ms; what takes longer hangs */

#endif
