// SPDX-License-Identifier: MIT
// build: musl
/* No instruction: SIGILL. */
#include "test.h"

int main(void)
{
    printf("before\n");
    fflush(stdout);
    __asm__ volatile("ud2");
    printf("after\n");
    return 0;
}
