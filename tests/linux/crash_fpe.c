// SPDX-License-Identifier: MIT
// build: musl
/* A division by zero: SIGFPE. */
#include "test.h"

int main(void)
{
    printf("before\n");
    fflush(stdout);
    volatile int zero = 0;
    zero = 7 / zero;
    printf("after\n");
    return 0;
}
