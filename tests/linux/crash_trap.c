// SPDX-License-Identifier: MIT
// build: musl
/* A breakpoint without a debugger: SIGTRAP. */
#include "test.h"

int main(void)
{
    printf("before\n");
    fflush(stdout);
    __asm__ volatile("int3");
    printf("after\n");
    return 0;
}
