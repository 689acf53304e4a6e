// SPDX-License-Identifier: MIT
// build: musl
/* A signal of its own: SIGTERM. */
#include "test.h"

#include <signal.h>

int main(void)
{
    printf("before\n");
    fflush(stdout);
    kill(getpid(), SIGTERM);
    printf("after\n");
    return 0;
}
