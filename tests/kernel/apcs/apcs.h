/* SPDX-License-Identifier: MIT */
/* The parts of the module: APCs in the kernel (apcs.c), and those of programs (user.c). */
#include "../ktest.h"

VOID RunUserTests(VOID);
