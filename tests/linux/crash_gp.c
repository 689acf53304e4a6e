// SPDX-License-Identifier: MIT
// build: musl
/* An instruction for the kernel only: SIGSEGV. */
#include "test.h"

int main(void)
{
    printf("before\n");
    fflush(stdout);
    __asm__ volatile("cli");
    printf("after\n");
    return 0;
}
