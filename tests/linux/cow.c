// SPDX-License-Identifier: MIT
// build: glibc musl
// flags: -w
/*
 * Copy-on-write: what a child sees is what its parent had when it forked, whoever writes afterwards, and whatever the parent's
 * other threads write and fault in meanwhile, on four processors; and nothing of one is ever seen by the other.
 */
#include "test.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define PAGE  4096UL
#define PAGES 16
#define RW    (PROT_READ | PROT_WRITE)

static int status_of(pid_t child)
{
    int status = -1;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static int all(const volatile unsigned char *memory, int pages, int value)
{
    for (int i = 0; i < pages; i++) {
        if (memory[i * PAGE] != value || memory[i * PAGE + PAGE - 1] != value) {
            return 0;
        }
    }
    return 1;
}

static void fill(unsigned char *memory, int pages, int value)
{
    memset(memory, value, pages * PAGE);
}

static unsigned char *map(int pages, int flags)
{
    return mmap(NULL, pages * PAGE, RW, flags | MAP_ANONYMOUS, -1, 0);
}

/* Both sides write; grandchildren, too. The child looks when its parent has written. */
static void generations(void)
{
    unsigned char *memory = map(PAGES, MAP_PRIVATE), *shared = map(1, MAP_SHARED);
    int go[2];
    fill(memory, PAGES, 1);
    pipe(go);
    pid_t child = fork();
    if (child == 0) {
        char c;
        read(go[0], &c, 1);
        int good = all(memory, PAGES, 1);
        fill(memory, PAGES / 2, 3);
        pid_t grandchild = fork();
        if (grandchild == 0) {
            int fine = all(memory, PAGES / 2, 3) && all(memory + PAGES / 2 * PAGE, PAGES / 2, 1);
            fill(memory, PAGES, 4);
            shared[1] = all(memory, PAGES, 4);
            _exit(fine);
        }
        good &= status_of(grandchild) == 1;
        good &= all(memory, PAGES / 2, 3) && all(memory + PAGES / 2 * PAGE, PAGES / 2, 1);
        shared[0] = good;
        _exit(good);
    }
    fill(memory, PAGES, 2);
    write(go[1], "x", 1);
    SHOW(status_of(child));
    HOLDS(all(memory, PAGES, 2));
    HOLDS(shared[0] == 1 && shared[1] == 1);
    munmap(memory, PAGES * PAGE), munmap(shared, PAGE);
    close(go[0]), close(go[1]);
}

/* Calls that the kernel writes through copy as well. */
static void kernel_writes(void)
{
    unsigned char *memory = map(2, MAP_PRIVATE);
    int ends[2];
    fill(memory, 2, 1);
    pipe(ends);
    write(ends[1], "abcdefgh", 8);
    pid_t child = fork();
    if (child == 0) {
        int got = read(ends[0], memory + PAGE - 4, 8);
        _exit(got == 8 && memcmp(memory + PAGE - 4, "abcdefgh", 8) == 0);
    }
    SHOW(status_of(child));
    HOLDS(memory[PAGE - 4] == 1 && memory[PAGE] == 1);
    munmap(memory, 2 * PAGE);
    close(ends[0]), close(ends[1]);
}

/* What mprotect, mremap, munmap and madvise of one do is none of the other's business. */
static void changes(void)
{
    unsigned char *memory = map(8, MAP_PRIVATE), *room = map(8, MAP_PRIVATE);
    fill(memory, 8, 1);
    pid_t child = fork();
    if (child == 0) {
        mprotect(memory, PAGE, PROT_READ);
        mprotect(memory, PAGE, RW);
        memory[0] = 9;
        munmap(memory + PAGE, PAGE);
        madvise(memory + 2 * PAGE, PAGE, MADV_DONTNEED);
        int good = memory[2 * PAGE] == 0;
        good &= mremap(memory + 3 * PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, room) == room && room[0] == 1;
        room[0] = 9;
        mmap(memory + 4 * PAGE, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        _exit(good && memory[4 * PAGE] == 0);
    }
    SHOW(status_of(child));
    HOLDS(all(memory, 8, 1));
    munmap(memory, 8 * PAGE), munmap(room, 8 * PAGE);
}

/* A page of the program's file that one side writes. */
static unsigned char initialised[3 * PAGE] = {1};

static void data(void)
{
    pid_t child = fork();
    if (child == 0) {
        initialised[0] = 2;
        _exit(initialised[0]);
    }
    SHOW(status_of(child));
    HOLDS(initialised[0] == 1);
    initialised[0] = 3;
    child = fork();
    if (child == 0) {
        _exit(initialised[0]);
    }
    SHOW(status_of(child));
}

/* ---- A parent whose threads run while it forks ---- */

#define WRITERS 3
#define FORKS   6
#define PART    6  /* pages of each writer */

static unsigned char *crowd, *fresh;
static volatile int stop;

/*
 * Each writes ever higher numbers into its pages, in order. So at any moment the numbers of a writer's pages fall from the first
 * page to the last by one at most, and a later look never finds a lower number.
 */
static void *writer(void *argument)
{
    volatile unsigned *part = (void *)(crowd + (long)argument * PART * PAGE);
    for (unsigned round = 1; !stop; round++) {
        for (int i = 0; i < PART; i++) {
            part[i * PAGE / 4] = round;
        }
    }
    return NULL;
}

/* Faults pages in and gives them back. */
static void *toucher(void *argument)
{
    while (!stop) {
        for (int i = 0; i < PAGES; i++) {
            fresh[i * PAGE] = 1;
        }
        madvise(fresh, PAGES * PAGE, MADV_DONTNEED);
    }
    return NULL;
}

/* In the child nobody writes: two looks agree, and the order is kept. */
static int looks_right(void)
{
    for (int w = 0; w < WRITERS; w++) {
        volatile unsigned *part = (void *)(crowd + w * PART * PAGE);
        unsigned seen[PART];
        for (int i = 0; i < PART; i++) {
            seen[i] = part[i * PAGE / 4];
        }
        for (int i = 1; i < PART; i++) {
            if (seen[i] > seen[i - 1] || seen[0] - seen[i] > 1) {
                return 0;
            }
        }
        sched_yield();
        for (int i = 0; i < PART; i++) {
            if (part[i * PAGE / 4] != seen[i]) {
                return 0;
            }
            part[i * PAGE / 4] = 0x80000000; /* which nobody else may see */
        }
    }
    return 1;
}

static void threads(void)
{
    pthread_t thread[WRITERS + 1];
    unsigned last[WRITERS] = {0};
    int good = 0, forwards = 1;

    crowd = map(WRITERS * PART, MAP_PRIVATE);
    fresh = map(PAGES, MAP_PRIVATE);
    for (long i = 0; i < WRITERS; i++) {
        pthread_create(&thread[i], NULL, writer, (void *)i);
    }
    pthread_create(&thread[WRITERS], NULL, toucher, NULL);
    for (int i = 0; i < FORKS; i++) {
        pid_t child = fork();
        if (child == 0) {
            _exit(looks_right());
        }
        good += status_of(child) == 1;
        for (int w = 0; w < WRITERS; w++) {
            unsigned now = *(volatile unsigned *)(crowd + w * PART * PAGE);
            forwards &= now >= last[w] && now < 0x80000000;
            last[w] = now;
        }
    }
    stop = 1;
    for (int i = 0; i <= WRITERS; i++) {
        pthread_join(thread[i], NULL);
    }
    SHOW(good);
    HOLDS(forwards);
}

int main(void)
{
    generations();
    kernel_writes();
    changes();
    data();
    threads();
    return 0;
}
