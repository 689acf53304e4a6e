// SPDX-License-Identifier: MIT
// build: musl glibc
// needs: root
/* Who a process is: ids, groups and capabilities, given away and taken back; whom it may signal, and who is said to have done it;
   and what prctl and its kin keep. */
#include "test.h"

#include <signal.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/timex.h>
#include <sys/wait.h>

#define VERSION_1 0x19980330
#define VERSION_3 0x20080522

struct header {
    unsigned version;
    int pid;
};

struct data {
    unsigned effective, permitted, inheritable;
};

static void ids(const char *when)
{
    unsigned r, e, s, gr, ge, gs;
    syscall(SYS_getresuid, &r, &e, &s);
    syscall(SYS_getresgid, &gr, &ge, &gs);
    printf("%s: %u %u %u, %u %u %u; %ld %ld %ld %ld\n", when, r, e, s, gr, ge, gs, syscall(SYS_getuid), syscall(SYS_geteuid),
           syscall(SYS_getgid), syscall(SYS_getegid));
}

static void capabilities(const char *when)
{
    struct header header = {VERSION_3, 0};
    struct data data[2];
    if (syscall(SYS_capget, &header, data) == 0) { /* those that root has in a container, too */
        printf("%s: permitted %x, effective %x, inheritable %x\n", when, data[0].permitted & 0xff, data[0].effective & 0xff,
               data[0].inheritable);
    }
}

static void groups(void)
{
    unsigned list[4] = {7, 3, 5, 3}, got[8] = {0};
    SHOW(syscall(SYS_setgroups, 4, list));
    SHOW(syscall(SYS_getgroups, 0, got));
    SHOW(syscall(SYS_getgroups, 3, got));
    SHOW(syscall(SYS_getgroups, 8, got));
    printf("%u %u %u %u\n", got[0], got[1], got[2], got[3]);
    SHOW(syscall(SYS_setgroups, 65537, list));
    SHOW(syscall(SYS_setgroups, 2, 8L));
    SHOW(syscall(SYS_setgroups, 0, NULL));
    SHOW(syscall(SYS_getgroups, 8, got));
    SHOW(syscall(SYS_getgroups, -1, got));
}

static void become_somebody(void)
{
    SHOW(syscall(SYS_setresgid, 10, 11, 12));
    SHOW(syscall(SYS_setfsgid, -1));
    SHOW(syscall(SYS_setresuid, -1, 1000, -1));
    ids("effective 1000");
    capabilities("effective 1000");
    SHOW(syscall(SYS_setgroups, 0, NULL));
    SHOW(syscall(SYS_setresuid, -1, 0, -1));
    capabilities("effective 0 again");
    SHOW(syscall(SYS_setreuid, 1000, -1));
    ids("real 1000");
    SHOW(syscall(SYS_setuid, -1));
    SHOW(syscall(SYS_setresuid, 1000, 2000, 3000));
    ids("three users");
    capabilities("three users");
    SHOW(syscall(SYS_setuid, 0));
    SHOW(syscall(SYS_setresuid, 2000, 3000, 1000));
    SHOW(syscall(SYS_setresuid, 4, -1, -1));
    SHOW(syscall(SYS_setreuid, 1000, 2000));
    SHOW(syscall(SYS_setreuid, -1, 2000));
    ids("later");
    SHOW(syscall(SYS_setfsuid, 1000));
    SHOW(syscall(SYS_setfsuid, 77));
    SHOW(syscall(SYS_setfsuid, -1));
    SHOW(syscall(SYS_setgid, 10));
    SHOW(syscall(SYS_setgid, 99));
    SHOW(syscall(SYS_setregid, 12, 10));
    ids("at last");
    SHOW(syscall(SYS_sethostname, "no", 2));
}

static void headers(void)
{
    struct header header = {1, 0};
    struct data data[2];
    SHOW(syscall(SYS_capget, &header, data));
    HOLDS(header.version == VERSION_3);
    header.version = 1;
    SHOW(syscall(SYS_capget, &header, NULL));
    SHOW(syscall(SYS_capset, &header, data));
    header.version = 1;
    SHOW(syscall(SYS_capget, NULL, NULL));
    header = (struct header){VERSION_3, -1};
    SHOW(syscall(SYS_capget, &header, data));
    header.pid = 1 << 29;
    SHOW(syscall(SYS_capget, &header, data));
    SHOW(syscall(SYS_capset, &header, data));
    header = (struct header){VERSION_1, 0};
    SHOW(syscall(SYS_capget, &header, data));
    header.version = VERSION_3;
    SHOW(syscall(SYS_capget, &header, 8L));
    syscall(SYS_capget, &header, data);
    data[0].effective &= ~1U;
    SHOW(syscall(SYS_capset, &header, data));
    data[0].permitted &= ~1U;
    SHOW(syscall(SYS_capset, &header, data));
    capabilities("without the first");
    data[0].permitted |= 1U;
    SHOW(syscall(SYS_capset, &header, data));
}

static void prctls(void)
{
    int number = -1;
    char name[16];
    SHOW(prctl(PR_CAPBSET_READ, 5));
    SHOW(prctl(PR_CAPBSET_DROP, 5));
    SHOW(prctl(PR_CAPBSET_READ, 5));
    SHOW(prctl(PR_CAPBSET_READ, 41));
    SHOW(prctl(PR_CAPBSET_DROP, 64));
    SHOW(prctl(PR_CAP_AMBIENT, 1, 3, 0, 0));
    SHOW(prctl(PR_CAP_AMBIENT, 4, 0, 0, 0));
    SHOW(prctl(PR_CAP_AMBIENT, 4, 1, 0, 0));
    SHOW(prctl(PR_CAP_AMBIENT, 9, 1, 0, 0));
    SHOW(prctl(PR_GET_SECCOMP));
    SHOW(prctl(PR_GET_SECUREBITS));
    SHOW(prctl(PR_GET_TSC, &number));
    SHOW(number);
    SHOW(prctl(PR_GET_TIMERSLACK));
    SHOW(prctl(PR_SET_TIMERSLACK, 70000));
    SHOW(prctl(PR_GET_TIMERSLACK));
    SHOW(prctl(PR_SET_TIMERSLACK, 0));
    SHOW(prctl(PR_GET_TIMERSLACK));
    SHOW(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0));
    SHOW(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
    SHOW(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0));
    SHOW(prctl(PR_SET_NAME, "a name that is too long"));
    SHOW(prctl(PR_GET_NAME, name));
    puts(name);
    SHOW(prctl(PR_GET_TSC, 8));
    SHOW(prctl(12345));
}

static void show_sender(const sigset_t *set)
{
    siginfo_t info;
    SHOW(sigwaitinfo(set, &info) == SIGUSR1);
    SHOW(info.si_uid);
}

/* Of root's, its child's as another user, and its child's that is root only by its real id. */
static void signalling(void)
{
    siginfo_t info;
    sigset_t set;
    pid_t root = getpid();

    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        SHOW(syscall(SYS_setresuid, 1000, 1001, 1001));
        SHOW(kill(root, 0));
        SHOW(kill(root, SIGUSR1));
        SHOW(kill(root, 65));
        SHOW(kill(root, SIGCONT));
        SHOW(syscall(SYS_tkill, root, SIGUSR1));
        SHOW(sigqueue(root, SIGUSR1, (union sigval){.sival_int = 1}));
        SHOW(kill(getpid(), SIGUSR1));
        show_sender(&set);
        pid_t other = fork();
        if (other == 0) {
            SHOW(syscall(SYS_setresuid, 1001, 1001, 1001));
            kill(getppid(), SIGUSR1); /* by its saved id */
            _exit(0);
        }
        show_sender(&set);
        waitid(P_PID, other, &info, WEXITED);
        SHOW(info.si_uid);
        _exit(0);
    }
    waitid(P_PID, child, &info, WEXITED);
    SHOW(info.si_uid);
    child = fork();
    if (child == 0) {
        SHOW(syscall(SYS_setresuid, 0, 1000, 1000));
        kill(root, SIGUSR1);
        _exit(0);
    }
    show_sender(&set);
    waitid(P_PID, child, &info, WEXITED);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

int main(void)
{
    char name[300] = "quite-another-name";
    struct utsname names;
    struct timex timex = {0};

    ids("at first");
    capabilities("at first");
    groups();
    headers();
    prctls();
    HOLDS(personality(0xffffffff) == 0);
    SHOW(personality(ADDR_NO_RANDOMIZE));
    SHOW(personality(0xffffffff));
    SHOW(personality(PER_LINUX32));
    uname(&names);
    puts(names.machine);
    SHOW(personality(PER_LINUX));
    uname(&names);
    puts(names.machine);
    SHOW(syscall(SYS_sethostname, name, 18));
    uname(&names);
    puts(names.nodename);
    SHOW(syscall(SYS_sethostname, name, 65));
    SHOW(syscall(SYS_sethostname, name, -1));
    SHOW(syscall(SYS_sethostname, 8L, 5));
    SHOW(syscall(SYS_setdomainname, "some.domain", 11));
    uname(&names);
    puts(names.domainname);
    SHOW(syscall(SYS_sethostname, "primer", 6));
    HOLDS(adjtimex(&timex) >= 0);
    HOLDS(timex.tick == 10000 && timex.time.tv_sec > 1600000000);
    SHOW(syscall(SYS_adjtimex, 8L));
    signalling();
    become_somebody();
    return 0;
}
