// SPDX-License-Identifier: MIT
// build: musl
// flags: -w
/*
 * Every system call with wild arguments, many times over. Only on Primer: a host would not thank us for it
 * (it just prints the last line). What the calls answer does not matter; that program and kernel are alive at
 * the end does.
 */
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/utsname.h>

#define ROUNDS 100
#define CALLS  460

static unsigned long seed = 12345;

static unsigned long next(void)
{
    seed = seed * 6364136223846793005UL + 1442695040888963407UL;
    return seed >> 16;
}

static char *scratch; /* with nothing around it, for calls write behind it, too */
#define SCRATCH_SIZE 8192

static unsigned long wild(void)
{
    static const unsigned long values[] = {
        0,
        1,
        2,
        3,
        8,
        4095,
        4096,
        0x10000,
        0x400000,
        0x7fffffff,
        0x80000000,
        0xffffffff,
        0x7fffffffe000,
        0x7ffffffff000,
        0x7fffffffffff,
        0x800000000000,
        0x8000000000000000,
        0xffff800000000000,
        0xffffa00000000000,
        0xffffffff80000000,
        0xffffffff80100000,
        0xfffffffffffff000,
        -100UL,
        -1UL,
    };
    switch (next() % 5) {
    case 0:
        return next();
    case 1:
        return next() % 70;
    case 2:
        return (unsigned long)scratch + next() % SCRATCH_SIZE;
    default:
        return values[next() % (sizeof(values) / sizeof(values[0]))];
    }
}

/* Calls that end the program, take its memory, wait for ever or change what the last line needs. */
static int is_left_out(long number)
{
    switch (number) {
    case SYS_exit:
    case SYS_exit_group:
    case SYS_kill:
    case SYS_tkill:
    case SYS_tgkill:
    case SYS_pause:
    case SYS_rt_sigsuspend:
    case SYS_rt_sigreturn:
    case SYS_rt_sigaction:
    case SYS_sigaltstack:
    case SYS_nanosleep:
    case SYS_clock_nanosleep:
    case SYS_poll:
    case SYS_ppoll:
    case SYS_select:
    case SYS_pselect6:
    case SYS_arch_prctl:
    case SYS_munmap:
    case SYS_mprotect:
    case SYS_mremap:
    case SYS_madvise:
    case SYS_close:
    case SYS_close_range:
    case SYS_write:
    case SYS_writev:
    case SYS_pwrite64:
    case SYS_pwritev:
    case SYS_dup2:
    case SYS_dup3:
    case SYS_vfork:
    case SYS_fork:
    case SYS_clone: /* whose child ends with any signal */
    case 435: /* clone3 */
    case SYS_pipe: /* a read of one waits for ever: pipes.c and its kin are hostile to them */
    case SYS_pipe2:
    case SYS_mknod: /* so does the opening of a fifo, */
    case SYS_mknodat:
    case SYS_flock: /* and a lock that another descriptor of the program has */
    case SYS_eventfd:
    case SYS_eventfd2:
    case SYS_timerfd_create:
    case SYS_signalfd:
    case SYS_signalfd4:
    case SYS_epoll_create:
    case SYS_epoll_create1:
    case SYS_socket:
    case SYS_socketpair:
        return 1;
    default:
        return 0;
    }
}

static void attack(void)
{
    for (int round = 0; round < ROUNDS; round++) {
        for (long number = 0; number < CALLS; number++) {
            unsigned long a[6];
            for (int i = 0; i < 6; i++) {
                a[i] = wild();
            }
            if (number == SYS_mmap) {
                a[3] &= ~(MAP_FIXED | 0x1000UL); /* not over the program itself */
            }
            if ((number == SYS_sendfile || number == SYS_dup) && a[0] < 3) {
                continue; /* no wild bytes among what is compared */
            }
            if (is_left_out(number)) {
                continue;
            }
            syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
        }
    }
}

/* All pipes together may not hold what the machine has not got. */
static void greedy(void)
{
    int ends[32][2], granted = 0;

    for (int i = 0; i < 32; i++) {
        pipe(ends[i]);
        granted += fcntl(ends[i][0], F_SETPIPE_SZ, 1 << 30) == 1 << 30;
    }
    for (int i = 0; i < 32; i++) {
        close(ends[i][0]);
        close(ends[i][1]);
    }
    if (granted == 32) {
        printf("32 GiB in pipes\n");
    }
}

int main(int argc, char **argv)
{
    struct utsname name;
    sigset_t all;

    uname(&name);
    if (strstr(name.release, "primer") != NULL) {
        seed += argc > 4 ? atol(argv[4]) : 0;
        greedy();
        sigfillset(&all);
        sigprocmask(SIG_SETMASK, &all, NULL);
        scratch = mmap(NULL, 3 * SCRATCH_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        scratch += SCRATCH_SIZE;
        mprotect(scratch, SCRATCH_SIZE, PROT_READ | PROT_WRITE);
        attack();
        for (int i = 0; i < 1000; i++) {
            syscall((long)next() * (i % 2 ? 1 : -1), wild(), wild(), wild());
        }
    }
    printf("alive\n");
    return 0;
}
