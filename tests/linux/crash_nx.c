// SPDX-License-Identifier: MIT
// build: musl
// flags: -w
/* Data is not executed: SIGSEGV. */
#include "test.h"

static unsigned char code[] = {0xc3};

int main(void)
{
    printf("before\n");
    fflush(stdout);
    ((void (*)(void))code)();
    printf("after\n");
    return 0;
}
