// SPDX-License-Identifier: MIT
// build: glibc musl
// flags: -w
/* A write to nowhere: SIGSEGV ends the program. */
#include "test.h"

int main(void)
{
    printf("before\n");
    fflush(stdout);
    *(volatile int *)8 = 1;
    printf("after\n");
    return 0;
}
