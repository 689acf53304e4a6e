/* SPDX-License-Identifier: MIT */
/* A program of relay: a ring of processes, faults that are handled, a nudge that ends a wait; the last line
   says that all held. With -DSTAYS: one that waits until it is ended. */
#include "relay.h"

typedef unsigned long word;

static int failed;

static word call(word number, word first, word second, int *error)
{
    unsigned char carry;
    word answer;
    __asm__ volatile("syscall\n\tsetc %1" : "=a"(answer), "=q"(carry) : "0"(number), "b"(first), "d"(second) : "rcx", "r11", "memory");
    *error = carry ? (int)answer : 0;
    return answer;
}

static word call0(word number, word first, word second)
{
    int error;
    word answer = call(number, first, second, &error);
    return error != 0 ? (word)-error : answer;
}

static word length(const char *text)
{
    word n = 0;
    while (text[n] != 0) {
        n++;
    }
    return n;
}

static void print(const char *text)
{
    call0(RELAY_PRINT, (word)text, length(text));
}

static void check(int holds, const char *what)
{
    if (!holds) {
        print("relay: wrong: ");
        print(what);
        print("\n");
        failed = 1;
    }
}

/* ---- Events ---- */

struct saved {
    word r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax, vector, error, rip, cs, rflags, rsp, ss;
};

static volatile word events[6], last_value;

__attribute__((used)) static void event(word kind, word value, struct saved *saved)
{
    events[kind]++;
    last_value = value;
    if (kind == RELAY_EVENT_MEMORY) {
        saved->rip += 3; /* mov (%rax), %rax */
        saved->rax = 77;
    } else if (kind == RELAY_EVENT_DIVIDE) {
        saved->rip += 3; /* div %rcx */
    } else if (kind == RELAY_EVENT_INSTRUCTION) {
        saved->rip += 2; /* ud2 */
    }
    call0(RELAY_BACK, (word)saved, 0);
    check(0, "it came back from RELAY_BACK");
}

__attribute__((naked)) static void handler(void)
{
    __asm__("movq %rbx, %rdi\n\t"
            "xchgq %rdx, %rsi\n\t"
            "call event");
}

static word fault(word address)
{
    word kept = 0x1234567890, result = address;
    __asm__ volatile("movq (%%rax), %%rax" : "+a"(result), "+r"(kept) : : "memory");
    check(kept == 0x1234567890, "a register changed over a fault");
    return result;
}

static void faults(void)
{
    double number = 1.5;
    call0(RELAY_ON, (word)handler, 0);
    check(fault(0x1000) == 77 && events[RELAY_EVENT_MEMORY] == 1 && last_value == 0x1000, "a fault in memory");
    check(fault(0xffff800000000000) == 77 && events[RELAY_EVENT_MEMORY] == 2, "a fault in the kernel's memory");
    word rax = 1, rdx = 0;
    __asm__ volatile("div %%rcx" : "+a"(rax), "+d"(rdx) : "c"(0UL) : "cc");
    check(events[RELAY_EVENT_DIVIDE] == 1, "a division by zero");
    __asm__ volatile("ud2" ::: "memory");
    check(events[RELAY_EVENT_INSTRUCTION] == 1, "an illegal instruction");
    check(number == 1.5, "a floating-point number");
}

/* ---- Processes ---- */

/* Each of them adds one to what it takes and passes it to the next one; the first takes what comes round. */
static void ring(void)
{
    word self = call0(RELAY_SELF, 0, 0), next = self, child[4];
    for (int i = 0; i < 4; i++) {
        word number = call0(RELAY_SPLIT, 0, 0);
        if (number == 0) {
            word mine = call0(RELAY_SELF, 0, 0);
            check(mine != self, "a copy has its own number");
            for (int round = 0; round < 100; round++) {
                call0(RELAY_PASS, next, call0(RELAY_TAKE, 0, 0) + 1);
            }
            self = 0; /* the copy's alone */
            call0(RELAY_END, 40 + i, 0);
        }
        child[i] = next = number;
    }
    word sum = 0;
    for (int round = 0; round < 100; round++) {
        call0(RELAY_PASS, next, round);
        sum += call0(RELAY_TAKE, 0, 0);
    }
    check(sum == 99 * 100 / 2 + 4 * 100, "what came round");
    for (int i = 0; i < 4; i++) {
        check(call0(RELAY_JOIN, child[i], 0) == (word)(40 + i), "the code of a copy");
    }
    check(self == call0(RELAY_SELF, 0, 0), "a copy has written into its original");
}

/* One waits for what never comes, until it is nudged; another runs for ever, until it is nudged. */
static void nudges(void)
{
    word self = call0(RELAY_SELF, 0, 0), waiter, runner;
    if ((waiter = call0(RELAY_SPLIT, 0, 0)) == 0) {
        int error;
        call0(RELAY_PASS, self, 1);
        call(RELAY_TAKE, 0, 0, &error);
        call0(RELAY_END, error == RELAY_INTERRUPTED && events[RELAY_EVENT_NUDGE] == 1 ? 9 : 1, 0);
    }
    if ((runner = call0(RELAY_SPLIT, 0, 0)) == 0) {
        call0(RELAY_PASS, self, 2);
        while (events[RELAY_EVENT_NUDGE] == 0) {
        }
        call0(RELAY_END, 8, 0);
    }
    check(call0(RELAY_TAKE, 0, 0) + call0(RELAY_TAKE, 0, 0) == 3, "both are ready");
    check(call0(RELAY_NUDGE, waiter, 0) == 0 && call0(RELAY_NUDGE, runner, 0) == 0, "nudges");
    check(call0(RELAY_JOIN, waiter, 0) == 9, "the one that waited");
    check(call0(RELAY_JOIN, runner, 0) == 8, "the one that ran");
    check(call0(RELAY_NUDGE, runner, 0) == (word)-RELAY_NOBODY, "a nudge for one that has ended");
}

static void refusals(void)
{
    check(call0(RELAY_CALLS, 0, 0) == (word)-RELAY_NO_CALL, "a call that is not there");
    check(call0(RELAY_PRINT, 8, 4) == (word)-RELAY_BAD_ADDRESS, "a bad address");
    check(call0(RELAY_BACK, 8, 0) == (word)-RELAY_BAD_ADDRESS, "a bad frame");
    check(call0(RELAY_JOIN, 9999, 0) == (word)-RELAY_NOBODY, "nobody's number");
    for (int i = 0; i < 16; i++) {
        check(call0(RELAY_PASS, call0(RELAY_SELF, 0, 0), i) == 0, "room in the inbox");
    }
    check(call0(RELAY_PASS, call0(RELAY_SELF, 0, 0), 16) == (word)-RELAY_FULL, "a full inbox");
    for (word i = 0; i < 16; i++) {
        check(call0(RELAY_TAKE, 0, 0) == i, "the order of the inbox");
    }
    /* Without a handler a fault ends the process, with the exception's status. */
    word copy = call0(RELAY_SPLIT, 0, 0);
    if (copy == 0) {
        call0(RELAY_ON, 0, 0);
        fault(0x1000);
        call0(RELAY_END, 0, 0);
    }
    check(call0(RELAY_JOIN, copy, 0) == 5, "the end by a fault"); /* the low byte of STATUS_ACCESS_VIOLATION */
}

__attribute__((force_align_arg_pointer)) void _start(void)
{
    print("relay: begins\n");
#ifdef STAYS
    call0(RELAY_TAKE, 0, 0);
#endif
    faults();
    ring();
    nudges();
    refusals();
    print(failed ? "relay: failed\n" : "relay: all held\n");
    call0(RELAY_END, failed ? 1 : 3, 0);
}
