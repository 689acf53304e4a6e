// SPDX-License-Identifier: MIT
// build: nolibc
/*
 * A program for the subsystem tiny, by all five of its calls: the first thread starts a second one, both
 * write, and the process ends with the status of the last to go. Which of the two that is, nobody can say (no call waits for
 * a thread's end): both end with 7.
 */
typedef unsigned long word;

enum {
    WRITE = 1,
    THREAD_ID,
    YIELD,
    SPAWN,
    EXIT
};

static long call(long number, word a, word b, word c)
{
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "0"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
    return result;
}

#define write(text) call(WRITE, (word)(text), sizeof(text) - 1, 0)

static volatile int second_done;
static volatile long second_id;
static char second_stack[4096] __attribute__((aligned(16)));

static void second(word argument)
{
    second_id = call(THREAD_ID, 0, 0, 0);
    if (argument == 42) {
        write("tiny: the second thread\n");
    }
    second_done = 1;
    call(EXIT, 7, 0, 0);
}

__attribute__((force_align_arg_pointer)) void _start(void)
{
    write("tiny: hello\n");
    long id = call(SPAWN, (word)second, (word)(second_stack + sizeof(second_stack) - 8), 42);
    if (id <= 0 || id == call(THREAD_ID, 0, 0, 0)) {
        write("tiny: no second thread\n");
        call(EXIT, 1, 0, 0);
    }
    while (!second_done) {
        call(YIELD, 0, 0, 0);
    }
    if (second_id != id) {
        write("tiny: the wrong thread\n");
        call(EXIT, 1, 0, 0);
    }
    if (call(99, 0, 0, 0) >= 0 || call(WRITE, 8, 4, 0) >= 0) {
        write("tiny: what is wrong is not refused\n");
        call(EXIT, 1, 0, 0);
    }
    write("tiny: bye\n");
    call(EXIT, 7, 0, 0);
}
