// SPDX-License-Identifier: MIT
/*
 * A program of the personality mini: `trial ROLE`. It ends with 0 when all that the role looks at is right;
 * else it says what is not, and ends with 1. It knows nothing of Primer: what is right stands in the manual
 * pages of the system calls.
 */
typedef unsigned long word;

enum {
    WRITE = 1,
    SCHED_YIELD = 24,
    NANOSLEEP = 35,
    GETPID = 39,
    CLONE = 56,
    EXIT = 60,
    GETTID = 186,
    FUTEX = 202,
    EXIT_GROUP = 231
};

enum {
    EBADF = 9,
    EAGAIN = 11,
    EFAULT = 14,
    EINVAL = 22,
    ENOSYS = 38,
    ETIMEDOUT = 110
};

enum {
    FUTEX_WAIT,
    FUTEX_WAKE
};

#define THREAD          0x10f00
#define CHILD_CLEARTID  0x200000
#define NOBODYS         0x10 /* an address at which nothing is */
#define PATIENCE        3    /* seconds that a wait may take which should not take any time */

struct timespec {
    long seconds, nanoseconds;
};

static long call(long number, word a, word b, word c, word d)
{
    register word r10 __asm__("r10") = d;
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "0"(number), "D"(a), "S"(b), "d"(c), "r"(r10) : "rcx", "r11", "memory");
    return result;
}

static word length(const char *text)
{
    word count = 0;
    while (text[count] != 0) {
        count++;
    }
    return count;
}

static void say(const char *text)
{
    call(WRITE, 2, (word)text, length(text), 0);
}

#define STRING(x)  #x
#define NUMBER(x)  STRING(x)
#define CHECK(condition)                                                          \
    do {                                                                          \
        if (!(condition)) {                                                       \
            say("trial.c:" NUMBER(__LINE__) ": not true: " #condition "\n");      \
            return 1;                                                             \
        }                                                                         \
    } while (0)

static int same(const char *a, const char *b)
{
    while (*a != 0 && *a == *b) {
        a++, b++;
    }
    return *a == *b;
}

/* ---- Futexes and threads ---- */

static long wait_while(volatile unsigned *address, unsigned value, long seconds)
{
    struct timespec limit = {seconds, 0};
    return call(FUTEX, (word)address, FUTEX_WAIT, value, (word)&limit);
}

static long wake(volatile unsigned *address, unsigned count)
{
    return call(FUTEX, (word)address, FUTEX_WAKE, count, 0);
}

static char stacks[8][4096] __attribute__((aligned(16)));
static volatile word kept; /* RBX as a new thread found it */

/* The thread calls the routine, which must not return. */
static long start(word flags, int number, void (*routine)(word), volatile unsigned *tid)
{
    word *top = (word *)(stacks[number] + sizeof(stacks[number])) - 2;
    register word r10 __asm__("r10") = (word)tid;
    long result;
    top[0] = (word)routine;
    top[1] = (word)number;
    __asm__ volatile("syscall\n\t"
                     "testq %%rax, %%rax\n\t"
                     "jnz 1f\n\t"
                     "movq %%rbx, kept(%%rip)\n\t"
                     "popq %%rax\n\t"
                     "popq %%rdi\n\t"
                     "xorl %%ebp, %%ebp\n\t"
                     "call *%%rax\n\t"
                     "ud2\n\t"
                     "1:"
                     : "=a"(result)
                     : "0"((long)CLONE), "D"(flags), "S"(top), "d"(0), "r"(r10), "b"(0x12345678UL)
                     : "rcx", "r11", "memory");
    return result;
}

static volatile unsigned go, come, tids[8];
static volatile long ids[8];

static void end_thread(word number)
{
    ids[number] = call(GETTID, 0, 0, 0, 0);
    __atomic_add_fetch(&come, 1, __ATOMIC_SEQ_CST);
    call(EXIT, 0, 0, 0, 0);
}

/* ---- Roles ---- */

static int nothing(void)
{
    CHECK(call(GETPID, 0, 0, 0, 0) > 0 && call(GETTID, 0, 0, 0, 0) > 0);
    return 0;
}

static int errors(void)
{
    struct timespec time = {0, 0};
    CHECK(call(7777, 0, 0, 0, 0) == -ENOSYS);
    CHECK(call(0, 0, 0, 0, 0) == -ENOSYS);
    CHECK(call(WRITE, 1, NOBODYS, 5, 0) == -EFAULT);
    CHECK(call(WRITE, 1, 0xffff800000000000, 5, 0) == -EFAULT);
    CHECK(call(NANOSLEEP, NOBODYS, 0, 0, 0) == -EFAULT);
    CHECK(call(NANOSLEEP, (word)&time, 0, 0, 0) == 0);
    return 0;
}

static int writes(void)
{
    static char lines[300];
    char *volatile end = (char *)0x7fff0000; /* of the stack; the last page holds the arguments, and has room */
    for (unsigned i = 0; i < sizeof(lines); i++) {
        lines[i] = '\n';
    }
    for (int i = 1; i <= 200; i++) {
        end[-i] = '\n';
    }
    CHECK(call(WRITE, 1, (word)lines, sizeof(lines), 0) == sizeof(lines));
    CHECK(call(WRITE, 2, (word)lines, 1, 0) == 1);
    CHECK(call(WRITE, 1, NOBODYS, 0, 0) == 0);
    CHECK(call(WRITE, 0, (word)lines, 1, 0) == -EBADF && call(WRITE, 3, (word)lines, 1, 0) == -EBADF);
    CHECK(call(WRITE, 0x100000001, (word)lines, 1, 0) == -EBADF);
    long part = call(WRITE, 1, (word)(end - 200), 400, 0);
    CHECK(part > 0 && part <= 200);
    return 0;
}

static int clones(void)
{
    CHECK(start(THREAD & ~0x100, 0, end_thread, 0) == -EINVAL); /* not without the memory: that would be a process */
    CHECK(start(THREAD | 0x80000000, 0, end_thread, 0) == -EINVAL);
    CHECK(call(CLONE, THREAD, 0, 0, 0) == -EINVAL);
    CHECK(come == 0);
    long id = start(THREAD, 1, end_thread, 0);
    CHECK(id > 0);
    for (int i = 0; i < 100000 && come == 0; i++) {
        call(SCHED_YIELD, 0, 0, 0, 0);
    }
    CHECK(come == 1);
    CHECK(ids[1] == id && id != call(GETTID, 0, 0, 0, 0));
    CHECK(kept == 0x12345678);
    return 0;
}

/* The word of a thread that ends becomes 0, and who waits for that is woken. */
static void sleep_a_moment(word number)
{
    for (int i = 0; i < 50; i++) {
        call(SCHED_YIELD, 0, 0, 0, 0);
    }
    end_thread(number);
}

static int joins(void)
{
    for (int i = 0; i < 4; i++) {
        tids[i] = 1;
        CHECK(start(THREAD | CHILD_CLEARTID, i, sleep_a_moment, &tids[i]) > 0);
    }
    for (int i = 0; i < 4; i++) {
        while (tids[i] != 0) {
            CHECK(wait_while(&tids[i], 1, PATIENCE) != -ETIMEDOUT);
            call(SCHED_YIELD, 0, 0, 0, 0); /* woken for nothing: the others first */
        }
    }
    CHECK(come == 4);
    tids[5] = 1;
    CHECK(start(THREAD, 5, end_thread, &tids[5]) > 0); /* without the flag nothing becomes 0 */
    for (int i = 0; i < 2000; i++) {
        call(SCHED_YIELD, 0, 0, 0, 0);
    }
    CHECK(come == 5 && tids[5] == 1);
    return 0;
}

static int futex_values(void)
{
    volatile unsigned value = 7;
    struct timespec wrong = {0, 1000000000}, moment = {0, 1000000};
    CHECK(wait_while(&value, 8, PATIENCE) == -EAGAIN);
    CHECK(call(FUTEX, (word)&value, FUTEX_WAIT, 7, (word)&moment) == -ETIMEDOUT);
    CHECK(call(FUTEX, (word)&value, FUTEX_WAIT | 128, 7, (word)&moment) == -ETIMEDOUT);
    CHECK(call(FUTEX, (word)&value, FUTEX_WAIT, 7, (word)&wrong) == -EINVAL);
    CHECK(call(FUTEX, (word)&value + 1, FUTEX_WAIT, 7, 0) == -EINVAL);
    CHECK(call(FUTEX, (word)&value, 99, 0, 0) == -ENOSYS);
    CHECK(wake(&value, 1) == 0);
    return 0;
}

/* Each waits for go to become 1, on its own word or on the common one. */
static volatile unsigned waiting;

static void wait_for_go(word number)
{
    __atomic_add_fetch(&waiting, 1, __ATOMIC_SEQ_CST);
    while (go == 0) {
        wait_while(&go, 0, 10 * PATIENCE);
        if (go == 0) {
            break; /* woken before the time: it goes all the same, and is counted */
        }
    }
    end_thread(number);
}

/* How many have come, looked at for a while, for as long as it is not what is expected. */
static int come_to(unsigned expected)
{
    for (int i = 0; i < 20000 && come != expected; i++) {
        call(SCHED_YIELD, 0, 0, 0, 0);
    }
    return come == expected;
}

static int wakes(void)
{
    static volatile unsigned other;
    for (int i = 0; i < 4; i++) {
        CHECK(start(THREAD, i, wait_for_go, 0) > 0);
    }
    for (int i = 0; i < 20000 && waiting < 4; i++) {
        call(SCHED_YIELD, 0, 0, 0, 0);
    }
    for (int i = 0; i < 1000; i++) { /* all four are asleep: on one processor at once, and nothing else is ready */
        call(SCHED_YIELD, 0, 0, 0, 0);
    }
    CHECK(come == 0);
    CHECK(wake(&other, 10) == 0 && come == 0);
    CHECK(wake(&go, 1) == 1);
    CHECK(come_to(1));
    CHECK(wake(&go, 2) == 2);
    CHECK(come_to(3));
    CHECK(wake(&go, 100) == 1);
    CHECK(come_to(4));
    CHECK(wake(&go, 100) == 0);
    return 0;
}

/* Two hand a turn to and fro. A wake-up that is lost ends it. */
#define ROUNDS 2000
static volatile unsigned turn, lost;

static void play(word me)
{
    for (int i = 0; i < ROUNDS && !lost; i++) {
        while (turn != me && !lost) {
            if (wait_while(&turn, 1 - (unsigned)me, PATIENCE) == -ETIMEDOUT && turn != me) {
                lost = 1;
            } else if (turn != me) {
                call(SCHED_YIELD, 0, 0, 0, 0);
            }
        }
        turn = 1 - (unsigned)me;
        wake(&turn, 1);
    }
}

static void play_and_end(word me)
{
    play(me);
    end_thread(me);
}

static int ping_pong(void)
{
    CHECK(start(THREAD, 1, play_and_end, 0) > 0);
    play(0);
    CHECK(!lost);
    return 0;
}

static int sleeps(void)
{
    struct timespec time = {0, 300000000}, wrong = {0, -1}, negative = {-1, 0};
    CHECK(call(NANOSLEEP, (word)&wrong, 0, 0, 0) == -EINVAL && call(NANOSLEEP, (word)&negative, 0, 0, 0) == -EINVAL);
    CHECK(call(NANOSLEEP, (word)&time, 0, 0, 0) == 0);
    return 0;
}

static int sleeps_long(void)
{
    struct timespec time = {1000, 0};
    call(NANOSLEEP, (word)&time, 0, 0, 0);
    return 1;
}

static int waits_long(void)
{
    volatile unsigned value = 7;
    call(FUTEX, (word)&value, FUTEX_WAIT, 7, 0);
    return 1;
}

static void spin(word number)
{
    come = 1;
    for (;;) {
        call(SCHED_YIELD, 0, 0, 0, 0);
    }
}

/* Both end, whatever they are doing. */
static int exits(void)
{
    CHECK(start(THREAD, 1, spin, 0) > 0);
    CHECK(come_to(1));
    call(EXIT_GROUP, 0x105, 0, 0, 0);
    return 1;
}

/* ---- What the seed wants: each result is told, in one line that is written at once ---- */

static unsigned pick(unsigned long *random, unsigned limit)
{
    *random = (*random * 1103515245 + 12345) & 0x7fffffff;
    return (unsigned)(*random >> 16) % limit;
}

static char *put(char *at, const char *text)
{
    while (*text != 0) {
        *at++ = *text++;
    }
    return at;
}

static char *put_number(char *at, long number)
{
    char digits[24];
    int count = 0;
    if (number < 0) {
        *at++ = '-';
        number = -number;
    }
    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    while (count > 0) {
        *at++ = digits[--count];
    }
    return at;
}

static long one_call(unsigned long *random)
{
    static volatile unsigned value;
    static char silence[1];
    struct timespec moment = {0, 1000};
    value = pick(random, 3);
    switch (pick(random, 6)) {
    case 0:
        return call(1000 + pick(random, 1000), 0, 0, 0, 0);
    case 1:
        return call(WRITE, pick(random, 6), (word)silence, 0, 0);
    case 2:
        return call(WRITE, 1 + pick(random, 2), NOBODYS + pick(random, 4096), 1 + pick(random, 1000), 0);
    case 3:
        return call(FUTEX, (word)&value, FUTEX_WAIT, pick(random, 3), (word)&moment);
    case 4:
        moment.nanoseconds = pick(random, 2) ? 1000000000 : 1;
        return call(NANOSLEEP, pick(random, 4) ? (word)&moment : NOBODYS, 0, 0, 0);
    default:
        return call(CLONE, 1 << pick(random, 28), (word)(stacks[0] + sizeof(stacks[0])), 0, 0);
    }
}

/* Arguments: the mark behind the line, the seed. */
static int mixture(const char *mark, const char *seed)
{
    static char line[2048];
    unsigned long random = 0;
    char *at = put(line, "@value mixture.results");
    while (*seed != 0) {
        random = random * 10 + (unsigned long)(*seed++ - '0');
    }
    for (int i = 0; i < 80; i++) {
        *at++ = ' ';
        at = put_number(at, one_call(&random));
    }
    at = put(put(put(at, " #"), mark), "\n");
    call(WRITE, 1, (word)line, (word)(at - line), 0);
    return 0;
}

/* ---- The start ---- */

static const struct {
    const char *name;
    int (*routine)(void);
} roles[] = {
    {"nothing", nothing},           {"errors", errors}, {"writes", writes},       {"clones", clones},
    {"joins", joins},               {"futex-values", futex_values}, {"wakes", wakes},         {"ping-pong", ping_pong},
    {"sleeps", sleeps},             {"sleeps-long", sleeps_long},   {"waits-long", waits_long}, {"exits", exits},
};

static int run(long count, const char *arguments)
{
    const char *words[4] = {"", "", "", ""};
    for (int i = 0; i < count && i < 4; i++) {
        words[i] = arguments;
        arguments += length(arguments) + 1;
    }
    if (same(words[1], "mixture")) {
        return mixture(words[2], words[3]);
    }
    for (unsigned i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
        if (same(words[1], roles[i].name)) {
            return roles[i].routine();
        }
    }
    say("trial: which role?\n");
    return 2;
}

__attribute__((force_align_arg_pointer, used)) void _start(long count, const char *arguments)
{
    int code = run(count, arguments);
    call(EXIT_GROUP, (word)code, 0, 0, 0);
    call(EXIT, (word)code, 0, 0, 0);
}
