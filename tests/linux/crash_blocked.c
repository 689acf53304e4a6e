// SPDX-License-Identifier: MIT
// build: musl
// flags: -w
/* A fault whose signal is blocked ends the program all the same. */
#include "test.h"

#include <signal.h>

int main(void)
{
    printf("before\n");
    fflush(stdout);
    sigset_t set;
    sigfillset(&set);
    sigprocmask(SIG_SETMASK, &set, NULL);
    *(volatile int *)8 = 1;
    printf("after\n");
    return 0;
}
