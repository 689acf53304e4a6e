// SPDX-License-Identifier: MIT
// build: glibc musl
// flags: -w
/* Handlers, masks, alternate stacks, faults with their addresses, registers and floating point kept across
   handlers. */
#include "test.h"

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

static volatile int got, depth, code;
static void *volatile address;
static volatile unsigned long handler_stack;
static sigjmp_buf back;

static void note(int sig)
{
    got = sig;
}

static void note_info(int sig, siginfo_t *info, void *context)
{
    char here;
    got = sig;
    code = info->si_code;
    address = info->si_addr;
    handler_stack = (unsigned long)&here;
}

static void jump(int sig, siginfo_t *info, void *context)
{
    note_info(sig, info, context);
    siglongjmp(back, 1);
}

static int install(int sig, void (*handler)(int, siginfo_t *, void *), int flags)
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = flags | SA_SIGINFO};
    return sigaction(sig, &action, NULL);
}

static void sending(void)
{
    struct sigaction old;

    SHOW((long)signal(SIGUSR1, note));
    SHOW(raise(SIGUSR1));
    SHOW(got);
    got = 0;
    SHOW(kill(getpid(), SIGUSR1));
    SHOW(got);
    got = 0;
    SHOW(syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR1));
    SHOW(got);
    install(SIGUSR2, note_info, 0);
    kill(getpid(), SIGUSR2);
    SHOW(code); /* SI_USER */
    raise(SIGUSR2);
    SHOW(code); /* SI_TKILL */
    SHOW(sigaction(SIGUSR1, NULL, &old));
    HOLDS(old.sa_handler == note);
    SHOW(sigaction(SIGKILL, &old, NULL));
    SHOW(sigaction(SIGSTOP, &old, NULL));
    SHOW(syscall(SYS_rt_sigaction, 65, NULL, NULL, 8));
    SHOW(syscall(SYS_rt_sigaction, 0, NULL, NULL, 8));
    SHOW(syscall(SYS_rt_sigaction, SIGUSR1, NULL, NULL, 4));
    SHOW(kill(getpid(), 0));
    SHOW(kill(getpid(), 65));
    SHOW(kill(999999999, 0));
    SHOW(syscall(SYS_tgkill, getpid(), 999999999, 0));
    SHOW(syscall(SYS_tgkill, getpid(), -1, 0));
    signal(SIGUSR1, SIG_IGN);
    got = 0;
    raise(SIGUSR1);
    SHOW(got);
    signal(SIGCHLD, SIG_DFL);
    raise(SIGCHLD);
    raise(SIGURG);
    raise(SIGWINCH);
    SHOW(got);
}

static void masks(void)
{
    sigset_t set, old, pending;

    signal(SIGUSR1, note);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    SHOW(sigprocmask(SIG_BLOCK, &set, &old));
    got = 0;
    raise(SIGUSR1);
    raise(SIGUSR1);
    SHOW(got);
    SHOW(sigpending(&pending));
    SHOW(sigismember(&pending, SIGUSR1));
    SHOW(sigismember(&pending, SIGUSR2));
    SHOW(sigprocmask(SIG_UNBLOCK, &set, NULL));
    SHOW(got);
    SHOW(sigpending(&pending));
    SHOW(sigismember(&pending, SIGUSR1));
    sigprocmask(SIG_BLOCK, &set, NULL);
    raise(SIGUSR1);
    signal(SIGUSR1, SIG_IGN); /* drops it */
    sigpending(&pending);
    SHOW(sigismember(&pending, SIGUSR1));
    signal(SIGUSR1, note);
    raise(SIGUSR1);
    got = 0;
    sigprocmask(SIG_SETMASK, NULL, &old);
    sigdelset(&old, SIGUSR1);
    SHOW(sigsuspend(&old));
    SHOW(got);
    sigprocmask(SIG_SETMASK, NULL, &old);
    SHOW(sigismember(&old, SIGUSR1)); /* blocked again */
    raise(SIGUSR1);
    got = 0;
    sigdelset(&old, SIGUSR1);
    SHOW(ppoll(NULL, 0, NULL, &old));
    SHOW(got);
    sigprocmask(SIG_SETMASK, NULL, &old);
    SHOW(sigismember(&old, SIGUSR1));
    sigprocmask(SIG_SETMASK, &old, NULL);
    sigfillset(&set);
    SHOW(sigprocmask(SIG_SETMASK, &set, NULL));
    sigprocmask(SIG_SETMASK, NULL, &old);
    SHOW(sigismember(&old, SIGKILL) + sigismember(&old, SIGSTOP));
    sigemptyset(&set);
    sigprocmask(SIG_SETMASK, &set, NULL);
    SHOW(syscall(SYS_rt_sigprocmask, 99, &set, NULL, 8));
    SHOW(syscall(SYS_rt_sigprocmask, SIG_BLOCK, 8L, NULL, 8));
    SHOW(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, NULL, 16));
}

static void nested(int sig)
{
    if (++depth < 3) {
        raise(sig);
    }
    printf("depth %d\n", depth);
    depth--;
}

static void nesting(void)
{
    struct sigaction action = {.sa_handler = nested, .sa_flags = SA_NODEFER};
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
    action.sa_handler = note;
    action.sa_flags = SA_RESETHAND;
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
    sigaction(SIGUSR1, NULL, &action);
    HOLDS(action.sa_handler == SIG_DFL);
}

static void faults(void)
{
    install(SIGSEGV, jump, 0);
    install(SIGFPE, jump, 0);
    install(SIGILL, jump, 0);
    install(SIGTRAP, note_info, 0);
    if (sigsetjmp(back, 1) == 0) {
        *(volatile int *)0x1234 = 1;
    }
    printf("signal %d code %d address %p\n", got, code, address);
    char *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (sigsetjmp(back, 1) == 0) {
        page[5] = 1;
    }
    printf("signal %d code %d right address %d\n", got, code, address == page + 5);
    if (sigsetjmp(back, 1) == 0) {
        ((void (*)(void))page)(); /* not to be executed */
    }
    printf("signal %d code %d right address %d\n", got, code, address == page);
    if (sigsetjmp(back, 1) == 0) {
        *(volatile int *)0x8000000000000000UL = 1; /* no address at all */
    }
    printf("signal %d code %d address %p\n", got, code, address);
    if (sigsetjmp(back, 1) == 0) {
        *(volatile int *)0xffffffff80000000UL = 1; /* the kernel's */
    }
    printf("signal %d address right %d\n", got, address == (void *)0xffffffff80000000UL);
    volatile int zero = 0;
    if (sigsetjmp(back, 1) == 0) {
        zero = 7 / zero;
    }
    printf("signal %d code %d\n", got, code);
    if (sigsetjmp(back, 1) == 0) {
        __asm__ volatile("ud2");
    }
    printf("signal %d code %d\n", got, code);
    if (sigsetjmp(back, 1) == 0) {
        __asm__ volatile("hlt");
    }
    printf("signal %d code %d\n", got, code);
    __asm__ volatile("int3");
    printf("signal %d code %d\n", got, code);
    if (sigsetjmp(back, 1) == 0) {
        unsigned short mask = 0x37f & ~4; /* division by zero unmasked; QEMU knows this of the x87 only */
        __asm__ volatile("fldcw %0; fld1; fldz; fdivrp; fwait" : : "m"(mask));
    }
    __asm__ volatile("fninit");
    printf("signal %d code %d\n", got, code);
}

/* The handler repairs what faulted, and the instruction is done again. */
static void repair(int sig, siginfo_t *info, void *context)
{
    mprotect((void *)((unsigned long)info->si_addr & ~4095UL), 4096, PROT_READ | PROT_WRITE);
    got = sig;
}

static void skip(int sig, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    uc->uc_mcontext.gregs[REG_RIP] += 2; /* ud2 */
    uc->uc_mcontext.gregs[REG_RAX] = 77;
    got = sig;
}

static void contexts(void)
{
    char *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    long result = 0;

    install(SIGSEGV, repair, 0);
    page[9] = 'r';
    printf("repaired by %d: %c\n", got, page[9]);
    install(SIGILL, skip, 0);
    __asm__ volatile("ud2" : "+a"(result));
    printf("skipped by %d: %ld\n", got, result);
}

static void spoil(int sig)
{
    volatile double sink = 0;
    __asm__ volatile("xorps %%xmm0, %%xmm0; xorps %%xmm5, %%xmm5; fninit; fldz" : : : "xmm0", "xmm5");
    for (int i = 0; i < 100; i++) {
        sink += i * 0.5;
    }
    got = sig;
}

static void registers(void)
{
    double in = 1.25, out = 0, x87 = 0;
    unsigned long callee = 0x123456789abcdefUL, kept;
    long pid = getpid();

    signal(SIGUSR1, spoil);
    __asm__ volatile("movsd %[in], %%xmm5\n\t"
                     "fldl %[in]\n\t"
                     "mov %[callee], %%r12\n\t"
                     "syscall\n\t" /* kill: the handler runs before the next instruction */
                     "mov %%r12, %[kept]\n\t"
                     "fstpl %[x87]\n\t"
                     "movsd %%xmm5, %[out]"
                     : [out] "=m"(out), [x87] "=m"(x87), [kept] "=r"(kept)
                     : [in] "m"(in), [callee] "r"(callee), "a"(62L), "D"(pid), "S"((long)SIGUSR1)
                     : "rcx", "r11", "r12", "xmm5", "memory");
    printf("after signal %d: %g %g %d\n", got, out, x87, kept == callee);
}

static void alternate(void)
{
    static char stack[16384];
    stack_t new = {.ss_sp = stack, .ss_size = sizeof(stack)}, old;

    SHOW(sigaltstack(NULL, &old));
    SHOW(old.ss_flags);
    SHOW(sigaltstack(&new, NULL));
    install(SIGUSR1, note_info, SA_ONSTACK);
    raise(SIGUSR1);
    HOLDS(handler_stack - (unsigned long)stack < sizeof(stack));
    install(SIGUSR1, note_info, 0);
    raise(SIGUSR1);
    HOLDS(handler_stack - (unsigned long)stack >= sizeof(stack));
    new.ss_size = 100;
    SHOW(sigaltstack(&new, NULL));
    new.ss_flags = 77;
    SHOW(sigaltstack(&new, NULL));
    new.ss_flags = SS_DISABLE;
    SHOW(sigaltstack(&new, &old));
    HOLDS(old.ss_sp == stack);
}

static int deep(volatile char *above)
{
    volatile char frame[512];
    frame[0] = *above;
    return deep(frame) + frame[0];
}

/* A stack that has run out is reported on the alternate one. */
static void overflow(void)
{
    static char stack[16384];
    stack_t new = {.ss_sp = stack, .ss_size = sizeof(stack)};
    volatile char start = 0;

    sigaltstack(&new, NULL);
    install(SIGSEGV, jump, SA_ONSTACK);
    if (sigsetjmp(back, 1) == 0) {
        deep(&start);
    }
    printf("overflow: signal %d\n", got);
}

int main(void)
{
    sending();
    masks();
    nesting();
    faults();
    contexts();
    registers();
    alternate();
    overflow();
    return 0;
}
