// SPDX-License-Identifier: MIT
// build: musl
/* A jump to what is no address: SIGSEGV. */
#include "test.h"

int main(void)
{
    printf("before\n");
    fflush(stdout);
    __asm__ volatile("jmp *%0" : : "r"(0x8000000000000000UL));
    printf("after\n");
    return 0;
}
