// SPDX-License-Identifier: MIT
// build: musl
/*
 * Two threads take turns, by pipes, then by a futex each: the one that is told tells the other one, and waits again. How often
 * processors switch and interrupt each other meanwhile is counted from outside (tests/trace/hops.py), which finds where each half begins
 * and ends by the threads that the main thread starts and joins for it.
 */
#include "test.h"
#include <pthread.h>

#define TURNS 1000 /* of each thread */
#define FUTEX_WAIT_PRIVATE 128
#define FUTEX_WAKE_PRIVATE 129

struct player {
    int from, to;         /* ends of pipes */
    unsigned *mine, *his; /* turns had, to wait for and to add to */
    unsigned turns;
};

static void *by_pipe(void *argument)
{
    struct player *player = argument;
    char byte = 0;
    while (player->turns < TURNS && read(player->from, &byte, 1) == 1 && write(player->to, &byte, 1) == 1) {
        player->turns++;
    }
    return NULL;
}

static void *by_futex(void *argument)
{
    struct player *player = argument;
    while (player->turns < TURNS) {
        while (__atomic_load_n(player->mine, __ATOMIC_ACQUIRE) == player->turns) {
            syscall(SYS_futex, player->mine, FUTEX_WAIT_PRIVATE, player->turns, NULL);
        }
        player->turns++;
        __atomic_fetch_add(player->his, 1, __ATOMIC_RELEASE);
        syscall(SYS_futex, player->his, FUTEX_WAKE_PRIVATE, 1);
    }
    return NULL;
}

static void play(struct player *players, void *(*turns)(void *))
{
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
        players[i].turns = 0;
        HOLDS(pthread_create(&threads[i], NULL, turns, &players[i]) == 0);
    }
    for (int i = 0; i < 2; i++) {
        HOLDS(pthread_join(threads[i], NULL) == 0);
        SHOW(players[i].turns);
    }
}

int main(void)
{
    static unsigned had[2] __attribute__((aligned(4)));
    int pipes[2][2];
    HOLDS(pipe(pipes[0]) == 0 && pipe(pipes[1]) == 0);
    struct player players[] = {{.from = pipes[0][0], .to = pipes[1][1], .mine = &had[0], .his = &had[1]},
                               {.from = pipes[1][0], .to = pipes[0][1], .mine = &had[1], .his = &had[0]}};
    HOLDS(write(pipes[0][1], "", 1) == 1); /* the first turn */
    play(players, by_pipe);
    had[0] = 1; /* likewise: one ahead of what it has had */
    play(players, by_futex);
    return 0;
}
