// SPDX-License-Identifier: MIT
// build: glibc musl
/* futex by itself: values, counts, bit sets, moving waiters, FUTEX_WAKE_OP, time-outs of both clocks, signals, errors; what
   clone, set_tid_address and the list of robust futexes promise. */
#include "test.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

/* What <linux/futex.h> has; musl has no such file. */
#define FUTEX_WAIT                0
#define FUTEX_WAKE                1
#define FUTEX_FD                  2
#define FUTEX_REQUEUE             3
#define FUTEX_CMP_REQUEUE         4
#define FUTEX_WAKE_OP             5
#define FUTEX_WAIT_BITSET         9
#define FUTEX_WAKE_BITSET         10
#define FUTEX_PRIVATE             128
#define FUTEX_CLOCK_REALTIME      256
#define FUTEX_WAITERS             0x80000000U
#define FUTEX_OWNER_DIED          0x40000000U
#define FUTEX_OP(op, argument, how, limit)                                                                   \
    ((int)(((unsigned)(op) << 28) | ((unsigned)(how) << 24) | (((argument)&0xfff) << 12) | ((limit)&0xfff)))
enum { OP_SET, OP_ADD, OP_OR, OP_ANDN, OP_XOR, OP_SHIFT = 8 };
enum { CMP_EQ, CMP_NE, CMP_LT, CMP_LE, CMP_GT, CMP_GE };

struct robust_list {
    struct robust_list *next;
};
struct robust_list_head {
    struct robust_list list;
    long futex_offset;
    struct robust_list *list_op_pending;
};

static int word, other, done;

static long futex(int *uaddr, int op, int value, const void *timeout, int *uaddr2, int value3)
{
    return syscall(SYS_futex, uaddr, op, value, timeout, uaddr2, value3);
}

/* ---- Waiters ---- */

enum { WAITERS = 8 };
static struct waiter {
    pthread_t thread;
    int op, bitset, tid;
    long result;
} waiters[WAITERS];

static void *wait_on_word(void *argument)
{
    struct waiter *self = argument;
    __atomic_store_n(&self->tid, syscall(SYS_gettid), __ATOMIC_SEQ_CST);
    self->result = futex(&word, self->op, 0, NULL, NULL, self->bitset);
    __atomic_add_fetch(&done, 1, __ATOMIC_SEQ_CST);
    return NULL;
}

/* All of them sleep in the kernel, as /proc says it. */
static int is_asleep(int tid)
{
    char path[64], text[512];
    snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
    int fd = open(path, O_RDONLY);
    long size = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
    close(fd);
    if (size <= 0) {
        return 0;
    }
    text[size] = 0;
    char *state = strrchr(text, ')');
    return state != NULL && state[2] == 'S';
}

static void start_waiters(int count, int op)
{
    done = 0;
    for (int i = 0; i < count; i++) {
        waiters[i] = (struct waiter){.op = op, .bitset = 1 << i, .result = -99};
        pthread_create(&waiters[i].thread, NULL, wait_on_word, &waiters[i]);
        while (__atomic_load_n(&waiters[i].tid, __ATOMIC_SEQ_CST) == 0 || !is_asleep(waiters[i].tid)) {
            sched_yield();
        }
    }
}

static void join_waiters(int count)
{
    for (int i = 0; i < count; i++) {
        pthread_join(waiters[i].thread, NULL);
    }
}

static void await(int count)
{
    while (__atomic_load_n(&done, __ATOMIC_SEQ_CST) < count) {
        sched_yield();
    }
}

static void counts(void)
{
    start_waiters(5, FUTEX_WAIT | FUTEX_PRIVATE);
    SHOW(futex(&word, FUTEX_WAKE | FUTEX_PRIVATE, 2, NULL, NULL, 0));
    await(2);
    SHOW(done);
    SHOW(futex(&word, FUTEX_WAKE | FUTEX_PRIVATE, 0, NULL, NULL, 0)); /* one, all the same */
    SHOW(futex(&word, FUTEX_WAKE | FUTEX_PRIVATE, 100, NULL, NULL, 0));
    join_waiters(5);
    SHOW(futex(&word, FUTEX_WAKE | FUTEX_PRIVATE, 100, NULL, NULL, 0));
    start_waiters(4, FUTEX_WAIT_BITSET | FUTEX_PRIVATE);
    SHOW(futex(&word, FUTEX_WAKE_BITSET | FUTEX_PRIVATE, 100, NULL, NULL, 16));
    SHOW(futex(&word, FUTEX_WAKE_BITSET | FUTEX_PRIVATE, 100, NULL, NULL, 8 | 2));
    await(2);
    SHOW(waiters[1].result);
    SHOW(waiters[0].result);
    SHOW(futex(&word, FUTEX_WAKE | FUTEX_PRIVATE, 100, NULL, NULL, 0)); /* any bits */
    join_waiters(4);
}

static void moves(void)
{
    start_waiters(6, FUTEX_WAIT);
    SHOW(futex(&word, FUTEX_CMP_REQUEUE, 1, (void *)2, &other, 7));
    SHOW(futex(&word, FUTEX_CMP_REQUEUE, 1, (void *)2, &other, 0)); /* wakes one, moves two */
    await(1);
    SHOW(futex(&other, FUTEX_WAKE, 100, NULL, NULL, 0));
    await(3);
    SHOW(futex(&word, FUTEX_REQUEUE, 0, (void *)1, &other, 0));
    SHOW(futex(&other, FUTEX_WAKE, 100, NULL, NULL, 0));
    SHOW(futex(&word, FUTEX_REQUEUE, -1, (void *)1, &other, 0));
    SHOW(futex(&word, FUTEX_REQUEUE, 1, (void *)-1L, &other, 0));
    SHOW(futex(&word, FUTEX_WAKE, 100, NULL, NULL, 0));
    join_waiters(6);
}

static void wake_op(void)
{
    start_waiters(3, FUTEX_WAIT);
    other = 5;
    SHOW(futex(&other, FUTEX_WAKE_OP, 1, (void *)1, &word, FUTEX_OP(OP_ADD, 3, CMP_GT, 0)));
    SHOW(word);
    SHOW(futex(&other, FUTEX_WAKE_OP, 1, (void *)1, &word, FUTEX_OP(OP_SET, -1, CMP_EQ, 3)));
    SHOW(word);
    SHOW(futex(&other, FUTEX_WAKE_OP, 1, (void *)1, &word, FUTEX_OP(OP_ANDN, 0xf0, CMP_LT, 0)));
    SHOW(word);
    SHOW(futex(&other, FUTEX_WAKE_OP, 1, (void *)0, &word, FUTEX_OP((OP_XOR | OP_SHIFT), 4, CMP_NE, 1)));
    SHOW(word);
    SHOW(futex(&other, FUTEX_WAKE_OP, 1, (void *)0, &word, FUTEX_OP(OP_OR, 0, CMP_LE, -1)));
    SHOW(futex(&other, FUTEX_WAKE_OP, 1, (void *)0, &word, FUTEX_OP(6, 0, 0, 0)));
    SHOW(futex(&other, FUTEX_WAKE_OP, 1, (void *)0, (int *)8, 0));
    word = 0;
    futex(&word, FUTEX_WAKE, 100, NULL, NULL, 0);
    join_waiters(3);
}

/* ---- Time and signals ---- */

static void on_signal(int sig)
{
}

static void time_outs(void)
{
    const struct timespec no_time = {0, 0}, past = {1, 0}, bad = {0, 1000000000}, negative = {-1, 0}, soon = {0, 10000000};
    struct timespec before, after, until;

    SHOW(futex(&word, FUTEX_WAIT, 1, NULL, NULL, 0));
    SHOW(futex(&word, FUTEX_WAIT, 0, &no_time, NULL, 0));
    SHOW(futex(&word, FUTEX_WAIT, 0, &bad, NULL, 0));
    SHOW(futex(&word, FUTEX_WAIT, 0, &negative, NULL, 0));
    SHOW(futex(&word, FUTEX_WAIT, 0, (void *)8, NULL, 0));
    SHOW(futex(&word, FUTEX_WAIT_BITSET, 0, &past, NULL, -1));
    SHOW(futex(&word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &past, NULL, -1));
    clock_gettime(CLOCK_MONOTONIC, &before);
    SHOW(futex(&word, FUTEX_WAIT | FUTEX_PRIVATE, 0, &soon, NULL, 0));
    clock_gettime(CLOCK_MONOTONIC, &after);
    HOLDS((after.tv_sec - before.tv_sec) * 1000000000L + after.tv_nsec - before.tv_nsec >= 10000000);
    for (int i = 0; i < 2; i++) {
        clockid_t clock = i == 0 ? CLOCK_MONOTONIC : CLOCK_REALTIME;
        clock_gettime(clock, &until);
        until.tv_nsec += 10000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        SHOW(futex(&word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE | (i == 0 ? 0 : FUTEX_CLOCK_REALTIME), 0, &until, NULL, -1));
        clock_gettime(clock, &after);
        HOLDS(after.tv_sec > until.tv_sec || (after.tv_sec == until.tv_sec && after.tv_nsec >= until.tv_nsec));
    }
}

static void *interrupt(void *argument)
{
    int tid = *(int *)argument;
    while (!is_asleep(tid)) {
        sched_yield();
    }
    syscall(SYS_tgkill, getpid(), tid, SIGUSR1);
    while (!is_asleep(tid) && done == 0) {
        sched_yield();
    }
    word = 1;
    futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0);
    return NULL;
}

static void signals(int flags, const struct timespec *timeout)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = flags};
    int tid = syscall(SYS_gettid);
    pthread_t thread;

    sigaction(SIGUSR1, &action, NULL);
    word = done = 0;
    pthread_create(&thread, NULL, interrupt, &tid);
    long result = futex(&word, FUTEX_WAIT, 0, timeout, NULL, 0);
    int error = errno;
    done = 1;
    pthread_join(thread, NULL);
    errno = error;
    /* Without SA_RESTART it is EINTR; with it the wait goes on, or finds the word changed. */
    if (flags == 0 || timeout != NULL) {
        SHOW(result);
    } else {
        HOLDS(result == 0 || error == EAGAIN);
    }
    word = 0;
}

/* ---- Sharing ---- */

static void shared(void)
{
    int *a = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), status;
    pid_t pid = fork();
    if (pid == 0) {
        *a = 1;
        while (*a == 1) {
            futex(a, FUTEX_WAIT, 1, NULL, NULL, 0);
        }
        _exit(*a);
    }
    while (__atomic_load_n(a, __ATOMIC_SEQ_CST) == 0) {
        sched_yield();
    }
    *a = 9;
    futex(a, FUTEX_WAKE, 1, NULL, NULL, 0);
    HOLDS(waitpid(pid, &status, 0) == pid);
    SHOW(status >> 8);
    munmap(a, 8192);
    SHOW(futex(a, FUTEX_WAKE, 1, NULL, NULL, 0));
    SHOW(futex(a, FUTEX_WAIT, 1, NULL, NULL, 0));
    SHOW(futex(a, FUTEX_WAIT | FUTEX_PRIVATE, 1, NULL, NULL, 0));
}

static void errors(void)
{
    SHOW(futex((int *)((char *)&word + 1), FUTEX_WAIT, 0, NULL, NULL, 0));
    SHOW(futex((int *)((char *)&word + 2), FUTEX_WAKE, 0, NULL, NULL, 0));
    SHOW(futex((int *)-4096L, FUTEX_WAKE, 1, NULL, NULL, 0));
    SHOW(futex((int *)-4096L, FUTEX_WAKE | FUTEX_PRIVATE, 1, NULL, NULL, 0));
    SHOW(futex(&word, FUTEX_WAIT_BITSET, 0, NULL, NULL, 0));
    SHOW(futex(&word, FUTEX_WAKE_BITSET, 1, NULL, NULL, 0));
    SHOW(futex(&word, FUTEX_WAKE | FUTEX_CLOCK_REALTIME, 1, NULL, NULL, 0));
    SHOW(futex(&word, FUTEX_FD, 1, NULL, NULL, 0));
    SHOW(futex(&word, 77, 1, NULL, NULL, 0));
    SHOW(futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0));
}

/* ---- The ends of threads ---- */

static struct {
    struct robust_list_head head;
    struct robust_list entries[2];
    int futexes[4], tid_word;
} robust;

static void *owner(void *argument)
{
    int tid = syscall(SYS_gettid);
    robust.head.futex_offset = (char *)&robust.futexes[0] - (char *)&robust.entries[0];
    /* The distance from an entry to its futex is one for all: of entries with 8 bytes, every second word. */
    robust.futexes[0] = tid;
    robust.futexes[2] = tid | FUTEX_WAITERS;
    robust.head.list.next = &robust.entries[0];
    robust.entries[0].next = &robust.entries[1];
    robust.entries[1].next = &robust.head.list;
    robust.head.list_op_pending = NULL;
    SHOW(syscall(SYS_set_robust_list, &robust.head, sizeof(robust.head)));
    SHOW(syscall(SYS_set_robust_list, &robust.head, 23));
    HOLDS(syscall(SYS_set_tid_address, &robust.tid_word) == tid);
    syscall(SYS_exit, 0);
    return NULL;
}

static void ends(void)
{
    struct robust_list_head *head;
    size_t size;
    pthread_t thread;

    SHOW(syscall(SYS_get_robust_list, 0, &head, &size));
    SHOW(size);
    SHOW(syscall(SYS_get_robust_list, 1 << 30, &head, &size));
    robust.tid_word = 1;
    pthread_create(&thread, NULL, owner, NULL);
    while (__atomic_load_n(&robust.tid_word, __ATOMIC_SEQ_CST) == 1) {
        futex(&robust.tid_word, FUTEX_WAIT, 1, NULL, NULL, 0);
    }
    SHOW(robust.futexes[0]);
    HOLDS((unsigned)robust.futexes[2] == (FUTEX_OWNER_DIED | FUTEX_WAITERS));
}

int main(int argc, char **argv)
{
    const struct timespec long_time = {1000, 0};

    counts();
    moves();
    wake_op();
    time_outs();
    signals(0, NULL);
    signals(SA_RESTART, NULL);
    signals(0, &long_time);
    shared();
    errors();
    ends();
    return 0;
}
