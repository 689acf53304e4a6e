// SPDX-License-Identifier: MIT
// build: glibc musl
// needs: root
// flags: -w -O0
/* The stack grows as it is touched, up to RLIMIT_STACK, which may be raised and lowered while the program runs and for the one
   that it executes; regions of one's own that grow; and where none may. */
#include "test.h"

#include <alloca.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define PAGE 4096UL
#define RW   (PROT_READ | PROT_WRITE)

static sigjmp_buf back;
static volatile int code;

static void caught(int sig, siginfo_t *info, void *context)
{
    code = info->si_code;
    siglongjmp(back, sig);
}

static int touch(volatile char *at)
{
    int sig = sigsetjmp(back, 1);
    if (sig == 0) {
        *at = 1;
        return 0;
    }
    return sig + 100 * code;
}

static void handle_faults(void)
{
    static char alternate[65536];
    stack_t stack = {.ss_sp = alternate, .ss_size = sizeof(alternate)};
    struct sigaction action = {.sa_sigaction = caught, .sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK};
    sigaltstack(&stack, NULL);
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
}

static void set_limit(unsigned long bytes)
{
    struct rlimit limit;
    getrlimit(RLIMIT_STACK, &limit);
    limit.rlim_cur = bytes;
    setrlimit(RLIMIT_STACK, &limit);
}

/* Uses so many KiB of the stack, a page a call. */
static unsigned long deep(long kib)
{
    volatile char page[4000];
    page[0] = page[3999] = kib;
    return kib > 4 ? deep(kib - 4) + page[0] - page[3999] : kib;
}

/* How many signals it takes: 0 or 1. */
static int dive(long kib)
{
    if (sigsetjmp(back, 1) != 0) {
        return code == SEGV_MAPERR || code == SEGV_ACCERR ? 1 : 2;
    }
    deep(kib);
    return 0;
}

/* In a child, so that what has grown does not count later. */
static int dives(unsigned long limit, long kib)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        set_limit(limit);
        _exit(dive(kib));
    }
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void limits(void)
{
    SHOW(dives(8UL << 20, 4 << 10));
    SHOW(dives(8UL << 20, 7 << 10));
    SHOW(dives(8UL << 20, 9 << 10));
    SHOW(dives(64UL << 20, 60 << 10)); /* raised */
    SHOW(dives(64UL << 20, 70 << 10));
    SHOW(dives(1UL << 20, 512));       /* lowered */
    SHOW(dives(1UL << 20, 2 << 10));
    SHOW(dives(RLIM_INFINITY, 20 << 10));
}

/* The same for a program that is executed with the limit. */
static int executed(const char *self, unsigned long limit, const char *kib)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        set_limit(limit);
        execl(self, self, "dive", kib, NULL);
        _exit(99);
    }
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void after_exec(const char *self)
{
    SHOW(executed(self, 256UL << 10, "100"));
    SHOW(executed(self, 256UL << 10, "300"));
    SHOW(executed(self, 64UL << 20, "50000"));
    SHOW(executed(self, 64UL << 20, "70000"));
    SHOW(executed(self, 8UL << 20, "7000"));
}

static void own_regions(void)
{
    char *room = mmap(NULL, 512 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(room, 512 * PAGE);
    char *stack = mmap(room + 500 * PAGE, 4 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED, -1, 0);
    HOLDS(stack == room + 500 * PAGE);
    SHOW(touch(stack));
    SHOW(touch(stack - 1));
    SHOW(touch(stack - 3 * PAGE));
    stack[-3 * PAGE + 5] = 7;
    SHOW(touch(stack - 100 * PAGE));
    HOLDS(stack[-3 * PAGE + 5] == 7 && stack[-50 * PAGE] == 0);
    /* It does not grow into what lies below. */
    char *below = mmap(room, 16 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    below[16 * PAGE - 1] = 5;
    SHOW(touch(below + 16 * PAGE));
    HOLDS(below[16 * PAGE - 1] == 5);
    munmap(below, 512 * PAGE);
    /* What does not grow does not. */
    char *plain = mmap(room + 500 * PAGE, 4 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    SHOW(touch(plain - 1));
    munmap(plain, 4 * PAGE);
}

int main(int argc, char **argv)
{
    handle_faults();
    if (argc == 3 && strcmp(argv[1], "dive") == 0) {
        return dive(atol(argv[2]));
    }
    limits();
    after_exec(argv[0]);
    own_regions();
    return 0;
}
