// SPDX-License-Identifier: MIT
// build: glibc musl
/* Threads: 32 with a mutex, condition variables, a barrier and a read-write lock; robust and process-shared mutexes; time-outs;
   thread-local memory; exit, exit_group, execve and SIGKILL with many threads. */
#include "test.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

enum { THREADS = 32, TURNS = 200 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turned = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static sem_t semaphore;
static _Thread_local long mine;
static long counter, turn, reads, ones;

static void first(void)
{
    ones++;
}

static void *worker(void *argument)
{
    long number = (long)argument, sum = 0;

    mine = number;
    pthread_once(&once, first);
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < TURNS; i++) {
        pthread_mutex_lock(&mutex);
        counter++;
        pthread_mutex_unlock(&mutex);
        pthread_rwlock_rdlock(&rwlock);
        sum += reads;
        pthread_rwlock_unlock(&rwlock);
    }
    pthread_rwlock_wrlock(&rwlock);
    reads++;
    pthread_rwlock_unlock(&rwlock);
    /* One after the other, round and round. */
    for (int i = 0; i < 5; i++) {
        pthread_mutex_lock(&mutex);
        while (turn % THREADS != number) {
            pthread_cond_wait(&turned, &mutex);
        }
        turn++;
        pthread_cond_broadcast(&turned);
        pthread_mutex_unlock(&mutex);
    }
    sem_post(&semaphore);
    return (void *)(mine == number ? number : -1);
}

static void many(void)
{
    pthread_t threads[THREADS];
    long sum = 0;

    pthread_barrier_init(&barrier, NULL, THREADS);
    sem_init(&semaphore, 0, 0);
    for (long i = 0; i < THREADS; i++) {
        pthread_create(&threads[i], NULL, worker, (void *)i);
    }
    for (int i = 0; i < THREADS; i++) {
        sem_wait(&semaphore);
    }
    for (int i = 0; i < THREADS; i++) {
        void *result;
        pthread_join(threads[i], &result);
        sum += (long)result;
    }
    SHOW(sum);
    SHOW(counter);
    SHOW(turn);
    SHOW(reads);
    SHOW(ones);
}

static void *nothing(void *argument)
{
    return argument;
}

/* More than can be there at once. */
static void come_and_go(void)
{
    long sum = 0;
    for (long i = 0; i < 300; i++) {
        pthread_t thread;
        void *result;
        if (pthread_create(&thread, NULL, nothing, (void *)i) == 0 && pthread_join(thread, &result) == 0) {
            sum += (long)result;
        }
    }
    SHOW(sum);
}

static void time_outs(void)
{
    struct timespec now;
    pthread_mutex_lock(&mutex);
    clock_gettime(CLOCK_REALTIME, &now);
    now.tv_nsec += 20000000;
    now.tv_sec += now.tv_nsec / 1000000000;
    now.tv_nsec %= 1000000000;
    HOLDS(pthread_cond_timedwait(&turned, &mutex, &now) == ETIMEDOUT);
    pthread_mutex_unlock(&mutex);
    HOLDS(sem_timedwait(&semaphore, &now) == -1 && errno == ETIMEDOUT);
}

static void *die_with_it(void *argument)
{
    pthread_mutex_lock(argument);
    return NULL;
}

static void robust(void)
{
    pthread_mutexattr_t attributes;
    pthread_mutex_t *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_t thread;
    int status;

    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(shared, &attributes);
    pthread_create(&thread, NULL, die_with_it, shared);
    pthread_join(thread, NULL);
    HOLDS(pthread_mutex_lock(shared) == EOWNERDEAD);
    HOLDS(pthread_mutex_consistent(shared) == 0 && pthread_mutex_unlock(shared) == 0);
    /* The owner is another process, killed; the waiter sleeps by then, or is about to. */
    pid_t pid = fork();
    if (pid == 0) {
        pthread_mutex_lock(shared);
        raise(SIGSTOP);
        _exit(0);
    }
    waitpid(pid, &status, WUNTRACED);
    HOLDS(WIFSTOPPED(status));
    HOLDS(pthread_mutex_trylock(shared) == EBUSY);
    if (fork() == 0) {
        kill(pid, SIGKILL);
        _exit(0);
    }
    HOLDS(pthread_mutex_lock(shared) == EOWNERDEAD);
    HOLDS(pthread_mutex_consistent(shared) == 0 && pthread_mutex_unlock(shared) == 0);
    while (wait(NULL) > 0) {}
    HOLDS(pthread_mutex_lock(shared) == 0);
    pthread_mutex_unlock(shared);
}

/* Semaphore of two processes. */
static void shared_between(void)
{
    sem_t *both = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status;
    sem_init(&both[0], 1, 0);
    sem_init(&both[1], 1, 0);
    pid_t pid = fork();
    for (int i = 0; i < 100; i++) {
        sem_post(&both[pid == 0]);
        sem_wait(&both[pid != 0]);
    }
    if (pid == 0) {
        _exit(33);
    }
    waitpid(pid, &status, 0);
    SHOW(WEXITSTATUS(status));
}

/* ---- Ends ---- */

static pthread_barrier_t started;
static int pipes[2];

static void *sleep_for_ever(void *argument)
{
    char c;
    pthread_barrier_wait(&started);
    for (;;) {
        switch ((long)argument % 4) {
        case 0:
            read(pipes[0], &c, 1);
            break;
        case 1:
            pause();
            break;
        case 2:
            for (volatile long i = 0; i < 100000; i++) {}
            sched_yield();
            break;
        default:
            pthread_mutex_lock(&mutex);
        }
    }
    return NULL;
}

static void *exec_thread(void *argument)
{
    pthread_barrier_wait(&started);
    execl("/proc/self/exe", "threads", "-child", (char *)NULL);
    _exit(98);
}

static void *exit_group_thread(void *argument)
{
    pthread_barrier_wait(&started);
    _exit(44);
}

static void *forever_thread_makers(void *argument)
{
    for (;;) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, nothing, NULL) == 0) {
            pthread_detach(thread);
        }
    }
    return NULL;
}

/* In a child with eight threads that sleep and spin; one more runs `body`, or (NULL) the first one is killed. */
static int with_threads(void *(*body)(void *))
{
    int status = -1;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        pthread_t thread;
        pthread_mutex_lock(&mutex);
        pipe(pipes);
        pthread_barrier_init(&started, NULL, body != NULL ? 10 : 9);
        for (long i = 0; i < 8; i++) {
            pthread_create(&thread, NULL, sleep_for_ever, (void *)i);
        }
        if (body != NULL) {
            pthread_create(&thread, NULL, body, NULL);
        }
        pthread_barrier_wait(&started);
        if (body == NULL) {
            raise(SIGKILL);
        }
        for (;;) {
            pause();
        }
    }
    return waitpid(pid, &status, 0) == pid ? status : -1;
}

static volatile int first_is_there = 1; /* until the kernel clears it */

static void *last_one(void *argument)
{
    while (first_is_there) {
        sched_yield();
    }
    syscall(SYS_exit, 5);
    return NULL;
}

static void ends(void)
{
    int status;

    SHOW(with_threads(NULL));
    SHOW(with_threads(exec_thread) >> 8);
    SHOW(with_threads(exit_group_thread) >> 8);
    /* The status is that of the last thread, not of the first one. */
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        pthread_t thread;
        syscall(SYS_set_tid_address, &first_is_there);
        pthread_create(&thread, NULL, last_one, NULL);
        syscall(SYS_exit, 6);
    }
    HOLDS(waitpid(pid, &status, 0) == pid);
    SHOW(status >> 8);
    /* A process whose first thread has ended is killed all the same, and is not waited for before. */
    pid = fork();
    if (pid == 0) {
        pthread_t thread;
        pthread_barrier_init(&started, NULL, 2);
        pthread_create(&thread, NULL, sleep_for_ever, (void *)1);
        pthread_barrier_wait(&started);
        syscall(SYS_exit, 6);
    }
    SHOW(waitpid(pid, &status, WNOHANG));
    kill(pid, SIGTERM);
    HOLDS(waitpid(pid, &status, 0) == pid);
    SHOW(status);
    /* Threads that are being made when the process is killed, or runs another program. */
    for (int i = 0; i < 10; i++) {
        pid = fork();
        if (pid == 0) {
            pthread_t thread;
            for (int j = 0; j < 3; j++) {
                pthread_create(&thread, NULL, forever_thread_makers, NULL);
            }
            for (int j = 0; j < i; j++) {
                sched_yield();
            }
            if (i % 2) {
                execl("/proc/self/exe", "threads", "-child", (char *)NULL);
            }
            kill(getpid(), SIGKILL);
        }
        waitpid(pid, &status, 0);
        SHOW(status);
    }
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "-child") == 0) {
        return getpid() == syscall(SYS_gettid) && syscall(SYS_tgkill, getpid(), getpid(), 0) == 0 ? 12 : 97;
    }
    many();
    come_and_go();
    time_outs();
    robust();
    shared_between();
    ends();
    return 0;
}
