// SPDX-License-Identifier: MIT
// build: glibc musl
/* abort(): SIGABRT. */
#include "test.h"

int main(void)
{
    printf("before\n");
    fflush(stdout);
    abort();
    printf("after\n");
    return 0;
}
