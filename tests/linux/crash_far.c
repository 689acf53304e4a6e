// SPDX-License-Identifier: MIT
// record: no, QEMU's far returns break Linux, too
// build: musl
/* A far return with a stack pointer to nowhere, and no handler: SIGSEGV. */
#include "test.h"

int main(void)
{
    printf("before\n");
    fflush(stdout);
    __asm__ volatile("movq %0, %%rsp\n\tlretq" : : "r"(0x1000UL));
    return 0;
}
