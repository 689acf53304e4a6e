// SPDX-License-Identifier: MIT
// build: musl
/* A handler whose stack is nowhere: SIGSEGV. */
#include "test.h"

#include <signal.h>
static void note(int sig)
{
}

int main(void)
{
    printf("before\n");
    fflush(stdout);
    signal(SIGUSR1, note);
    __asm__ volatile("mov $0x1000, %%rsp\n\tsyscall"
                     :
                     : "a"(62L), "D"((long)getpid()), "S"((long)SIGUSR1)
                     : "rcx", "r11");
    printf("after\n");
    return 0;
}
