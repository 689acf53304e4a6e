// SPDX-License-Identifier: MIT
// build: glibc musl
// flags: -w
/* Names, ids, limits, random bytes, scheduling, thread pointers, names of threads. */
#include "test.h"

#include <sched.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#define ARCH_SET_GS 0x1001
#define ARCH_GET_FS 0x1003

static void names(void)
{
    struct utsname name;
    struct sysinfo info;
    char thread[16] = "";

    SHOW(uname(&name));
    printf("%s %s\n", name.sysname, name.machine);
    HOLDS(name.release[0] >= '3' && name.nodename[0] != 0);
    SHOW(syscall(SYS_uname, 8L));
    SHOW(sysinfo(&info));
    HOLDS(info.totalram * info.mem_unit > 16 << 20 && info.freeram <= info.totalram && info.procs > 0);
    SHOW(prctl(PR_SET_NAME, "a name that is too long"));
    SHOW(prctl(PR_GET_NAME, thread));
    printf("%s\n", thread);
    SHOW(prctl(99999, 0, 0, 0, 0));
    HOLDS(sysconf(_SC_NPROCESSORS_ONLN) > 0 && sysconf(_SC_PAGESIZE) == 4096);
}

static void ids(void)
{
    HOLDS(getpid() > 0 && getpid() == syscall(SYS_gettid));
    HOLDS(getppid() >= 0 && getppid() != getpid());
    HOLDS(getpgid(0) == getpgrp() && getsid(0) > 0);
    SHOW(getpgid(999999999));
    SHOW(wait4(-1, NULL, 0, NULL));
    SHOW(wait4(-1, NULL, WNOHANG, NULL));
    SHOW(wait4(-1, NULL, 0x7777, NULL));
    HOLDS(syscall(SYS_set_tid_address, NULL) == getpid());
    mode_t mask = umask(077);
    SHOW(umask(mask));
    SHOW(setuid(getuid()));
    SHOW(setgid(getgid()));
    uid_t a, b, c;
    SHOW(getresuid(&a, &b, &c));
    HOLDS(a == getuid() && b == geteuid());
    HOLDS(getgroups(0, NULL) >= 0);
    SHOW(getgroups(-1, NULL));
}

static void limits(void)
{
    struct rlimit limit;
    SHOW(getrlimit(RLIMIT_NOFILE, &limit));
    limit.rlim_cur = 16;
    SHOW(setrlimit(RLIMIT_NOFILE, &limit));
    SHOW(getrlimit(RLIMIT_NOFILE, &limit));
    SHOW(limit.rlim_cur);
    int fd, last = -1;
    while ((fd = dup(1)) >= 0) {
        last = fd;
    }
    SHOW(last);
    SHOW(dup(1));
    SHOW(dup2(1, 16));
    while (last > 2) {
        close(last--);
    }
    SHOW(getrlimit(99, &limit));
    limit = (struct rlimit){2, 1};
    SHOW(setrlimit(RLIMIT_CPU, &limit));
    SHOW(prlimit(999999999, RLIMIT_CPU, NULL, &limit));
    SHOW(syscall(SYS_getrlimit, RLIMIT_CPU, 8L));
    getrlimit(RLIMIT_STACK, &limit);
    HOLDS(limit.rlim_cur >= 1 << 20);
}

static void random_bytes(void)
{
    unsigned char a[32] = {0}, b[32] = {0};
    SHOW(getrandom(a, 32, 0));
    SHOW(getrandom(b, 32, GRND_NONBLOCK));
    HOLDS(memcmp(a, b, 32) != 0);
    SHOW(getrandom(a, 32, 0x100));
    SHOW(getrandom((void *)8, 32, 0));
    SHOW(getrandom(a, 0, 0));
}

static void scheduling(void)
{
    cpu_set_t set;
    unsigned cpu;

    SHOW(sched_yield());
    SHOW(sched_getaffinity(0, sizeof(set), &set));
    HOLDS(CPU_COUNT(&set) > 0);
    SHOW(sched_setaffinity(0, sizeof(set), &set));
    CPU_ZERO(&set);
    SHOW(sched_setaffinity(0, sizeof(set), &set));
    SHOW(syscall(SYS_sched_getaffinity, 0, 4, &set));
    SHOW(syscall(SYS_sched_getaffinity, 999999999, sizeof(set), &set));
    SHOW(syscall(SYS_getcpu, &cpu, NULL, NULL));
    HOLDS(cpu < 1024);
    SHOW(syscall(SYS_sched_getscheduler, 0));
    SHOW(sched_get_priority_max(SCHED_FIFO));
    SHOW(sched_get_priority_min(SCHED_OTHER));
    SHOW(sched_get_priority_max(77));
}

static void thread_pointers(void)
{
    unsigned long fs = 0, self;

    __asm__("mov %%fs:0, %0" : "=r"(self));
    SHOW(syscall(SYS_arch_prctl, ARCH_GET_FS, &fs));
    HOLDS(fs == self);
    static unsigned long here = 4711;
    SHOW(syscall(SYS_arch_prctl, ARCH_SET_GS, &here));
    __asm__("mov %%gs:0, %0" : "=r"(self));
    SHOW(self);
    SHOW(syscall(SYS_arch_prctl, ARCH_SET_GS, 0x8000000000000000UL));
    SHOW(syscall(SYS_arch_prctl, ARCH_SET_GS, 0xffff800000000000UL));
    SHOW(syscall(SYS_arch_prctl, 0x9999, 0));
    SHOW(syscall(SYS_arch_prctl, ARCH_GET_FS, 8L));
    SHOW(syscall(SYS_set_robust_list, &here, 24));
    SHOW(syscall(SYS_set_robust_list, &here, 25));
}

static void no_sockets(void)
{
    char byte;
    SHOW(socket(12345, SOCK_STREAM, 0));
    SHOW(send(1, "x", 1, 0));
    SHOW(recv(99, &byte, 1, 0));
    SHOW(connect(1, NULL, 0));
}

int main(void)
{
    names();
    ids();
    random_bytes();
    scheduling();
    thread_pointers();
    no_sockets();
    limits();
    return 0;
}
