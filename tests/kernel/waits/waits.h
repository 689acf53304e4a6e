/* SPDX-License-Identifier: MIT */
#ifndef PRIMER_TEST_WAITS_H
#define PRIMER_TEST_WAITS_H

#include "../ktest.h"

VOID RunObjectTests(VOID); /* objects.c */

#endif
