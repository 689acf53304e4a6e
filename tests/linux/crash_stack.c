// SPDX-License-Identifier: MIT
// build: glibc musl
// flags: -w
/* A stack that grows past its limit: SIGSEGV. */
#include "test.h"

static int deep(volatile char *above)
{
    volatile char frame[1000];
    frame[0] = *above;
    return deep(frame) + frame[0];
}

int main(void)
{
    printf("before\n");
    fflush(stdout);
    volatile char start = 0;
    deep(&start);
    printf("after\n");
    return 0;
}
