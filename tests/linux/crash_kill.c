// SPDX-License-Identifier: MIT
// build: musl
/* SIGKILL, which nobody can ignore. */
#include "test.h"

#include <signal.h>

int main(void)
{
    printf("before\n");
    fflush(stdout);
    signal(SIGKILL, SIG_IGN);
    kill(0 + getpid(), SIGKILL);
    printf("after\n");
    return 0;
}
