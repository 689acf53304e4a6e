// SPDX-License-Identifier: MIT
// build: musl glibc
/*
 * Locks of records and of whole files: who is in whose way, how ranges join and part, what ends them (close, exit, exec not),
 * that a wait ends when the way is free, by a signal, and with EDEADLK; and open files' own locks.
 */
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/wait.h>

static volatile int *turn; /* shared: how far the processes are */

static void reach(int step)
{
    __atomic_store_n(turn, step, __ATOMIC_SEQ_CST);
}

static void await(int step)
{
    while (__atomic_load_n(turn, __ATOMIC_SEQ_CST) < step) {
        usleep(1000);
    }
}

static int set(int fd, int command, int type, long start, long length)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
    return fcntl(fd, command, &lock);
}

/* What a new process finds in the way of such a lock. */
static void probe(int fd, int type, long start, long length)
{
    fflush(stdout);
    pid_t parent = getpid(), child = fork();
    if (child == 0) {
        struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
        int result = fcntl(fd, F_GETLK, &lock);
        if (result < 0) {
            printf("  %d [%ld, +%ld): %s\n", type, start, length, error_text(errno));
        } else if (lock.l_type == F_UNLCK) {
            printf("  %d [%ld, +%ld): free\n", type, start, length);
        } else {
            printf("  %d [%ld, +%ld): %s [%ld, +%ld) whence %d, %s\n", type, start, length,
                   lock.l_type == F_RDLCK ? "read" : "write", (long)lock.l_start, (long)lock.l_len, lock.l_whence,
                   lock.l_pid == parent ? "the parent's" : lock.l_pid == -1 ? "an open file's" : "whose?");
        }
        fflush(stdout);
        _exit(0);
    }
    waitpid(child, NULL, 0);
}

static int tries(int fd, int command, int type, long start, long length)
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        _exit(set(fd, command, type, start, length) < 0 ? errno : 0);
    }
    int status;
    waitpid(child, &status, 0);
    return WEXITSTATUS(status);
}

static void ranges(int fd)
{
    SHOW(set(fd, F_SETLK, F_WRLCK, 10, 10));
    probe(fd, F_WRLCK, 0, 10);
    probe(fd, F_WRLCK, 0, 11);
    probe(fd, F_RDLCK, 19, 1);
    probe(fd, F_RDLCK, 20, 0);
    SHOW(set(fd, F_SETLK, F_WRLCK, 20, 10));
    probe(fd, F_WRLCK, 0, 0);
    SHOW(set(fd, F_SETLK, F_UNLCK, 15, 5));
    probe(fd, F_WRLCK, 0, 0);
    probe(fd, F_WRLCK, 15, 5);
    probe(fd, F_WRLCK, 15, 6);
    SHOW(set(fd, F_SETLK, F_RDLCK, 12, 2));
    probe(fd, F_RDLCK, 12, 2);
    probe(fd, F_WRLCK, 12, 2);
    probe(fd, F_RDLCK, 11, 2);
    SHOW(set(fd, F_SETLK, F_RDLCK, 0, 0));
    probe(fd, F_WRLCK, 5, 1);
    SHOW(tries(fd, F_SETLK, F_RDLCK, 0, 0));
    SHOW(tries(fd, F_SETLK, F_WRLCK, 100, 1) == EAGAIN);
    SHOW(set(fd, F_SETLK, F_UNLCK, 50, 0));
    SHOW(tries(fd, F_SETLK, F_WRLCK, 100, 1));
    SHOW(set(fd, F_SETLK, F_UNLCK, 0, 0));
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_END, .l_start = -4, .l_len = 4};
    SHOW(fcntl(fd, F_SETLK, &lock));
    probe(fd, F_WRLCK, 0, 0);
    lock = (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 50, .l_len = -10};
    SHOW(fcntl(fd, F_SETLK, &lock));
    probe(fd, F_WRLCK, 40, 5);
    SHOW(set(fd, F_SETLK, F_UNLCK, 0, 0));
    SHOW(set(fd, F_SETLK, F_WRLCK, -1, 1));
    SHOW(set(fd, F_SETLK, F_WRLCK, 5, -10));
    SHOW(set(fd, F_SETLK, F_WRLCK, -0x7fffffffffffffffL - 1, -1));
    SHOW(set(fd, F_SETLK, 7, 0, 1));
    SHOW(set(fd, F_GETLK, F_UNLCK, 0, 1));
    lock = (struct flock){.l_type = F_WRLCK, .l_whence = 9};
    SHOW(fcntl(fd, F_SETLK, &lock));
    SHOW(fcntl(fd, F_SETLK, NULL));
    SHOW(set(1000, F_SETLK, F_WRLCK, 0, 1));
}

static void endings(int fd)
{
    int other = open("file", O_RDWR), reader = open("file", O_RDONLY);

    SHOW(set(reader, F_SETLK, F_WRLCK, 0, 1));
    SHOW(set(reader, F_SETLK, F_RDLCK, 0, 1));
    SHOW(set(fd, F_SETLK, F_WRLCK, 5, 5));
    SHOW(set(other, F_SETLK, F_WRLCK, 5, 5)); /* the same process: no conflict */
    SHOW(close(other)); /* any descriptor's end ends all */
    SHOW(tries(fd, F_SETLK, F_WRLCK, 0, 0));
    SHOW(set(fd, F_SETLK, F_WRLCK, 5, 5));
    int copy = dup(fd);
    SHOW(close(copy));
    SHOW(tries(fd, F_SETLK, F_WRLCK, 0, 0));
    /* A child's locks go with it. */
    SHOW(tries(fd, F_SETLK, F_WRLCK, 0, 0));
    SHOW(set(fd, F_SETLK, F_WRLCK, 0, 0));
    SHOW(tries(fd, F_SETLK, F_WRLCK, 0, 0) == EAGAIN); /* nor does it inherit any */
    close(reader);
    SHOW(set(fd, F_SETLK, F_UNLCK, 0, 0));
}

static void on_alarm(int sig)
{
}

static void waiting(int fd)
{
    struct sigaction action = {.sa_handler = on_alarm};

    reach(0);
    SHOW(set(fd, F_SETLK, F_WRLCK, 0, 10));
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        reach(1);
        int result = set(fd, F_SETLKW, F_WRLCK, 0, 5);
        _exit(result == 0 && *turn >= 2 ? 0 : 1);
    }
    await(1);
    usleep(20000);
    reach(2);
    SHOW(set(fd, F_SETLK, F_UNLCK, 0, 10));
    int status;
    waitpid(child, &status, 0);
    SHOW(status);

    /* A signal ends the wait. */
    reach(0);
    set(fd, F_SETLK, F_WRLCK, 0, 10);
    child = fork();
    if (child == 0) {
        sigaction(SIGUSR1, &action, NULL);
        reach(1);
        _exit(set(fd, F_SETLKW, F_WRLCK, 0, 5) < 0 ? errno : 0);
    }
    await(1);
    do {
        usleep(10000);
        kill(child, SIGUSR1);
    } while (waitpid(child, &status, WNOHANG) == 0);
    SHOW(WEXITSTATUS(status) == EINTR);

    /* One that is killed while it waits leaves nothing. */
    child = fork();
    if (child == 0) {
        set(fd, F_SETLKW, F_WRLCK, 0, 5);
        _exit(0);
    }
    usleep(20000);
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    SHOW(WTERMSIG(status));
    set(fd, F_SETLK, F_UNLCK, 0, 10);
    SHOW(tries(fd, F_SETLK, F_WRLCK, 0, 10));

    /* Each has what the other wants: the second one to ask is told. */
    reach(0);
    set(fd, F_SETLK, F_WRLCK, 0, 1);
    child = fork();
    if (child == 0) {
        set(fd, F_SETLK, F_WRLCK, 1, 1);
        reach(1);
        int result = set(fd, F_SETLKW, F_WRLCK, 0, 1);
        _exit(result < 0 ? errno : 0);
    }
    await(1);
    int refused = 0;
    int result = set(fd, F_SETLKW, F_WRLCK, 1, 1);
    refused += result < 0 && errno == EDEADLK;
    set(fd, F_SETLK, F_UNLCK, 0, 0);
    waitpid(child, &status, 0);
    refused += WEXITSTATUS(status) == EDEADLK;
    HOLDS(refused == 1);
    set(fd, F_SETLK, F_UNLCK, 0, 0);

    /* Also when the one has let go of something in another file meanwhile. */
    int other = open("other", O_CREAT | O_RDWR, 0644);
    reach(0);
    set(other, F_SETLK, F_WRLCK, 0, 1);
    set(fd, F_SETLK, F_WRLCK, 0, 1);
    child = fork();
    if (child == 0) {
        set(fd, F_SETLK, F_WRLCK, 1, 1);
        reach(1);
        result = set(fd, F_SETLKW, F_WRLCK, 0, 1);
        _exit(result < 0 ? errno : 0);
    }
    await(1);
    usleep(50000);
    set(other, F_SETLK, F_UNLCK, 0, 1);
    result = set(fd, F_SETLKW, F_WRLCK, 1, 1);
    int found = result < 0 && errno == EDEADLK;
    set(fd, F_SETLK, F_UNLCK, 0, 0);
    waitpid(child, &status, 0);
    found += WEXITSTATUS(status) == EDEADLK;
    HOLDS(found == 1);
    set(fd, F_SETLK, F_UNLCK, 0, 0);
    close(other);
    SHOW(unlink("other"));
}

static void whole(void)
{
    int a = open("file", O_RDWR), b = open("file", O_RDWR), c = dup(a);

    SHOW(flock(a, LOCK_EX));
    SHOW(flock(b, LOCK_SH | LOCK_NB));
    SHOW(flock(c, LOCK_EX | LOCK_NB));
    SHOW(flock(c, LOCK_SH));
    SHOW(flock(b, LOCK_SH | LOCK_NB));
    SHOW(flock(b, LOCK_EX | LOCK_NB));
    SHOW(flock(a, LOCK_EX | LOCK_NB)); /* b gave its own up when it asked for more */
    SHOW(flock(b, LOCK_UN));
    SHOW(close(c));
    SHOW(flock(b, LOCK_SH | LOCK_NB));
    SHOW(close(a));
    SHOW(flock(b, LOCK_EX | LOCK_NB));
    SHOW(set(b, F_SETLK, F_WRLCK, 0, 0)); /* the two kinds know nothing of each other */
    SHOW(flock(b, 0));
    SHOW(flock(b, 16));
    SHOW(flock(1000, LOCK_SH));
    reach(0);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        int own = open("file", O_RDONLY);
        reach(1);
        _exit(flock(own, LOCK_EX) == 0 && *turn == 2 ? 0 : 1);
    }
    await(1);
    usleep(20000);
    reach(2);
    SHOW(flock(b, LOCK_UN)); /* the child has a descriptor of this open file, too: a close would not do */
    int status;
    waitpid(child, &status, 0);
    SHOW(status);
    close(b);
}

static int set_ofd(int fd, int command, int type, long start, long length, int pid)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length, .l_pid = pid};
    return fcntl(fd, command, &lock);
}

static void open_files(int fd)
{
    int a = open("file", O_RDWR), b = open("file", O_RDWR);

    SHOW(set_ofd(a, F_OFD_SETLK, F_WRLCK, 0, 10, 1));
    SHOW(set_ofd(a, F_OFD_SETLK, F_WRLCK, 0, 10, 0));
    SHOW(set_ofd(b, F_OFD_SETLK, F_WRLCK, 5, 10, 0));
    SHOW(set(fd, F_SETLK, F_RDLCK, 5, 1));
    probe(fd, F_WRLCK, 0, 0);
    struct flock lock = {.l_type = F_WRLCK};
    SHOW(fcntl(b, F_OFD_GETLK, &lock));
    SHOW(lock.l_type == F_WRLCK && lock.l_len == 10 && lock.l_pid == -1);
    int c = dup(a);
    SHOW(close(a));
    SHOW(set_ofd(b, F_OFD_SETLK, F_WRLCK, 5, 10, 0));
    SHOW(close(c));
    SHOW(set_ofd(b, F_OFD_SETLK, F_WRLCK, 5, 10, 0));
    SHOW(set_ofd(b, F_OFD_SETLKW, F_UNLCK, 0, 0, 0));
    close(b);
}

/* What else fcntl keeps of an open file. */
static void others(int fd)
{
    struct f_owner_ex owner = {F_OWNER_PGRP, getpgrp()};

    SHOW(fcntl(fd, F_GETOWN));
    SHOW(fcntl(fd, F_SETOWN, getpid()));
    HOLDS(fcntl(fd, F_GETOWN) == getpid());
    SHOW(fcntl(fd, F_SETOWN, 0x7ffffff0));
    SHOW(fcntl(fd, F_SETOWN_EX, &owner));
    HOLDS((owner = (struct f_owner_ex){0, 0}, fcntl(fd, F_GETOWN_EX, &owner)) == 0 && owner.type == F_OWNER_PGRP && owner.pid == getpgrp());
    owner.type = 7;
    SHOW(fcntl(fd, F_SETOWN_EX, &owner));
    SHOW(fcntl(fd, F_GETSIG));
    SHOW(fcntl(fd, F_SETSIG, SIGUSR1));
    SHOW(fcntl(fd, F_GETSIG));
    SHOW(fcntl(fd, F_SETSIG, 65));
    SHOW(fcntl(fd, F_GETLEASE));
    SHOW(fcntl(fd, 999));
    SHOW(fcntl(fd, F_SETFL, O_NONBLOCK | O_APPEND | O_CREAT | O_WRONLY));
    SHOW(fcntl(fd, F_GETFL) & (O_NONBLOCK | O_APPEND | O_CREAT | O_ACCMODE));
    int path = open("file", O_PATH);
    SHOW(fcntl(path, F_SETFL, 0));
    SHOW(fcntl(path, F_GETFL) & O_PATH);
    SHOW(set(path, F_SETLK, F_RDLCK, 0, 1));
    SHOW(flock(path, LOCK_SH));
    close(path);
}

int main(void)
{
    char folder[] = "/tmp/locks-XXXXXX";

    turn = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (mkdtemp(folder) == NULL || chdir(folder) < 0) {
        return 1; /* it would leave its files in the root */
    }
    int fd = open("file", O_CREAT | O_RDWR, 0644);
    SHOW(write(fd, "0123456789", 10));
    ranges(fd);
    endings(fd);
    waiting(fd);
    whole();
    open_files(fd);
    others(fd);
    SHOW(unlink("file"));
    SHOW(rmdir(folder));
    return 0;
}
