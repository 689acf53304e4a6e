// SPDX-License-Identifier: MIT
// build: musl glibc
/* /proc of this process, of a child that sleeps, of one that is stopped and of one that nobody has waited for; of tasks; what is
   written there; and that nothing there can be made, removed or grown. */
#include "test.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char text[65536];

static long read_all(const char *path)
{
    int fd = open(path, O_RDONLY);
    long size = 0, got;
    if (fd < 0) {
        return -1;
    }
    while ((got = read(fd, text + size, sizeof(text) - 1 - size)) > 0) {
        size += got;
    }
    close(fd);
    text[size] = 0;
    return size;
}

static long read_of(int pid, const char *name)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
    return read_all(path);
}

/* The value behind a key of status. */
static const char *status_of(int pid, const char *key)
{
    static char value[64];
    char *at = read_of(pid, "status") > 0 ? strstr(text, key) : NULL;
    value[0] = 0;
    if (at != NULL) {
        sscanf(at + strlen(key), " %63[^\n]", value);
    }
    return value;
}

static char state_of(int pid)
{
    return status_of(pid, "\nState:")[0];
}

/* The numbers of stat behind the name: 3 is the state. */
static long stat_field(int pid, int wanted)
{
    char *at = read_of(pid, "stat") > 0 ? strrchr(text, ')') : NULL;
    for (int i = 2; at != NULL && i < wanted; i++) {
        at = strchr(at + 1, ' ');
    }
    return at != NULL ? strtol(at, NULL, 10) : -1;
}

/* The value behind a key of smaps, of the region that begins there, in KiB. */
static long smaps_of(const char *start, const char *key)
{
    char head[32];
    snprintf(head, sizeof(head), "%lx-", (unsigned long)start);
    char *at = read_all("/proc/self/smaps") > 0 ? strstr(text, head) : NULL;
    at = at != NULL ? strstr(at, key) : NULL;
    return at != NULL ? strtol(at + strlen(key), NULL, 10) : -1;
}

static void mapped(void)
{
    char *map = mmap(NULL, 16 << 12, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    mprotect(map, 4 << 12, PROT_NONE); /* so that what is behind is a region of its own */
    mprotect(map + (12 << 12), 4 << 12, PROT_NONE);
    SHOW(smaps_of(map + (4 << 12), "\nSize:"));
    SHOW(smaps_of(map + (4 << 12), "\nRss:"));
    map[5 << 12] = map[6 << 12] = map[9 << 12] = 1;
    SHOW(smaps_of(map + (4 << 12), "\nRss:"));
    SHOW(smaps_of(map + (4 << 12), "\nKernelPageSize:"));
    munmap(map, 16 << 12);
}

static void myself(void)
{
    int pid = getpid();
    char link[256] = {0}, name[64];
    void *map = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    SHOW(readlink("/proc/self", link, sizeof(link)) == (long)strlen(link));
    HOLDS(atoi(link) == pid);
    memset(link, 0, sizeof(link));
    SHOW(readlink("/proc/thread-self", link, sizeof(link)) > 0);
    snprintf(name, sizeof(name), "%d/task/%d", pid, pid);
    HOLDS(strcmp(link, name) == 0);
    SHOW(prctl(PR_SET_NAME, "renamed"));
    read_all("/proc/self/comm");
    fputs(text, stdout);
    int fd = open("/proc/self/comm", O_WRONLY);
    SHOW(write(fd, "by writing, and longer", 22));
    close(fd);
    prctl(PR_GET_NAME, name);
    puts(name);
    puts(status_of(pid, "Name:"));
    HOLDS(state_of(pid) == 'R');
    HOLDS(atoi(status_of(pid, "\nPid:")) == pid);
    HOLDS(atoi(status_of(pid, "\nPPid:")) == getppid());
    umask(027);
    puts(status_of(pid, "\nUmask:"));
    umask(022);
    puts(status_of(pid, "\nThreads:"));
    signal(SIGUSR1, SIG_IGN);
    signal(SIGUSR2, (void (*)(int))myself);
    puts(status_of(pid, "\nSigIgn:"));
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    puts(status_of(pid, "\nSigBlk:"));
    raise(SIGHUP);
    puts(status_of(pid, "\nSigPnd:"));
    signal(SIGHUP, SIG_IGN);
    HOLDS(stat_field(pid, 4) == getppid());
    HOLDS(stat_field(pid, 5) == getpgrp());
    HOLDS(stat_field(pid, 6) == getsid(0));
    HOLDS(stat_field(pid, 19) == getpriority(PRIO_PROCESS, pid));
    HOLDS(stat_field(pid, 20) == 1);
    HOLDS(stat_field(pid, 23) > 100000);
    HOLDS(stat_field(pid, 26) > 0);
    HOLDS(stat_field(pid, 27) > stat_field(pid, 26));
    HOLDS(read_all("/proc/self/cmdline") > 10);
    HOLDS(strcmp(text + strlen(text) + 1, "one") == 0);
    HOLDS(read_all("/proc/self/environ") >= 0);
    HOLDS(read_all("/proc/self/auxv") % 16 == 0);
    HOLDS(((unsigned long *)text)[0] != 0);
    HOLDS(read_all("/proc/self/statm") > 10 && atoi(text) > 10);
    HOLDS(read_all("/proc/self/maps") > 100);
    snprintf(name, sizeof(name), "%lx-%lx r--p", (unsigned long)map, (unsigned long)map + 8192);
    HOLDS(strstr(text, name) != NULL);
    HOLDS(strstr(text, "[stack]") != NULL && strstr(text, "procfs") != NULL);
    HOLDS(read_all("/proc/self/limits") > 0 && strstr(text, "Max open files") != NULL);
    HOLDS(read_all("/proc/self/mountinfo") > 0 && strstr(text, " /proc ") != NULL);
    static volatile long secret = 0x1234567812345678;
    long seen = 0;
    fd = open("/proc/self/mem", O_RDONLY);
    SHOW(pread(fd, &seen, sizeof(seen), (off_t)&secret));
    HOLDS(seen == secret);
    SHOW(pread(fd, &seen, sizeof(seen), 4096));
    close(fd);
    puts(read_all("/proc/self/oom_score_adj") > 0 ? text : "?");
    fd = open("/proc/self/oom_score_adj", O_RDWR);
    SHOW(write(fd, "500\n", 4));
    SHOW(write(fd, "2000", 4));
    SHOW(write(fd, "five", 4));
    close(fd);
    puts(read_all("/proc/self/oom_score_adj") > 0 ? text : "?");
}

static void descriptors(void)
{
    int fd = open("/etc/passwd", O_RDONLY);
    char name[64], link[64] = {0};
    struct stat st;

    lseek(fd, 5, SEEK_SET);
    snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    SHOW(readlink(name, link, sizeof(link)));
    puts(link);
    lstat(name, &st);
    printf("%o\n", st.st_mode);
    int again = open(name, O_RDONLY);
    SHOW(lseek(again, 0, SEEK_CUR));
    close(again);
    snprintf(name, sizeof(name), "/proc/self/fdinfo/%d", fd);
    HOLDS(read_all(name) > 0 && strncmp(text, "pos:\t5\n", 7) == 0);
    SHOW(open("/proc/self/fd/77", O_RDONLY));
    SHOW(readlink("/proc/self/fd/xx", link, sizeof(link)));
    close(fd);
}

static void *other_task(void *turn)
{
    pthread_mutex_lock(turn);
    pthread_mutex_unlock(turn);
    return NULL;
}

static void tasks(void)
{
    pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
    pthread_t thread;
    int count = 0, named = 0;

    pthread_mutex_lock(&turn);
    pthread_create(&thread, NULL, other_task, &turn);
    puts(status_of(getpid(), "\nThreads:"));
    DIR *dir = opendir("/proc/self/task");
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char path[300];
        snprintf(path, sizeof(path), "/proc/self/task/%s/comm", entry->d_name);
        if (entry->d_name[0] != '.') {
            count++;
            int fd = open(path, O_WRONLY);
            if (atoi(entry->d_name) != getpid() && write(fd, "the other", 9) == 9) {
                named += read_all(path) > 0 && strcmp(text, "the other\n") == 0;
            }
            close(fd);
        }
    }
    closedir(dir);
    printf("%d tasks, %d named\n", count, named);
    pthread_mutex_unlock(&turn);
    pthread_join(thread, NULL);
    while (strcmp(status_of(getpid(), "\nThreads:"), "1") != 0) { /* it is gone soon */
        usleep(1000);
    }
}

static void await_state(int pid, char state)
{
    while (state_of(pid) != state) {
        usleep(1000);
    }
}

static void children(void)
{
    int pid = fork(), status;

    if (pid == 0) {
        for (;;) {
            pause();
        }
    }
    await_state(pid, 'S');
    HOLDS(stat_field(pid, 4) == getpid());
    HOLDS(read_of(pid, "cmdline") > 0);
    HOLDS(read_of(pid, "maps") > 100);
    char path[64], link[64] = {0};
    snprintf(path, sizeof(path), "/proc/%d/cwd", pid);
    SHOW(readlink(path, link, sizeof(link)) > 0);
    snprintf(path, sizeof(path), "/proc/%d/fd", pid);
    DIR *dir = opendir(path);
    HOLDS(dir != NULL && readdir(dir) != NULL);
    kill(pid, SIGSTOP);
    await_state(pid, 'T');
    kill(pid, SIGCONT);
    await_state(pid, 'S');
    kill(pid, SIGKILL);
    await_state(pid, 'Z');
    SHOW(read_of(pid, "cmdline"));
    SHOW(read_of(pid, "maps"));
    HOLDS(stat_field(pid, 4) == getpid());
    waitpid(pid, &status, 0);
    SHOW(read_of(pid, "status"));
    snprintf(path, sizeof(path), "/proc/%d", pid);
    SHOW(open(path, O_RDONLY));
    SHOW(dir != NULL && readdir(dir) == NULL);
    closedir(dir);
}

static void changes(void)
{
    int fd = open("/proc/self/comm", O_RDWR);
    SHOW(fallocate(fd, 0, 0, 100));
    SHOW(syscall(SYS_fallocate, fd, 3, 0, 100));
    close(fd);
    fd = open("/proc/self/status", O_RDONLY);
    SHOW(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED ? -1 : 0);
    SHOW(write(fd, "x", 1));
    close(fd);
    SHOW(mkdir("/proc/new", 0777));
    SHOW(open("/proc/new", O_CREAT | O_RDWR, 0666));
    SHOW(unlink("/proc/version"));
    SHOW(open("/proc/999999999", O_RDONLY));
    SHOW(open("/proc/01", O_RDONLY));
    SHOW(open("/proc/self/nothing", O_RDONLY));
}

int main(int argc, char **argv)
{
    static const char *const files[] = {"meminfo", "uptime", "loadavg", "version", "cpuinfo", "stat", "mounts", "filesystems",
                                        "devices", "swaps", "vmstat", "net/dev", "net/tcp", "net/unix",
                                        "sys/kernel/hostname", "sys/kernel/osrelease", "sys/kernel/ostype", "sys/kernel/pid_max",
                                        "sys/kernel/random/uuid", "sys/kernel/random/boot_id", "sys/vm/overcommit_memory",
                                        "sys/vm/max_map_count", "sys/fs/file-max"};
    char path[64];

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        snprintf(path, sizeof(path), "/proc/%s", files[i]);
        printf("%s: %s\n", files[i], read_all(path) > 0 ? "something" : "NOTHING");
    }
    HOLDS(read_all("/sys/devices/system/cpu/online") > 0 && text[0] == '0');
    HOLDS(read_all("/proc/meminfo") > 0 && strncmp(text, "MemTotal:", 9) == 0);
    myself();
    mapped();
    descriptors();
    tasks();
    children();
    changes();
    return 0;
}
