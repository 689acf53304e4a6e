// SPDX-License-Identifier: MIT
// build: musl
// flags: -w
/* Handlers' frames: what a handler may change in its own, frames that are hostile or find no room, the
   alternate stack's state, and who gets which signal. */
#include "test.h"

#include <fenv.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>

#define SS_AUTODISARM_ (1U << 31)

static volatile int got, code;
static sigjmp_buf back;
static char stacks[2][32768] __attribute__((aligned(16)));

static void jump(int sig, siginfo_t *info, void *context)
{
    got = sig;
    code = info->si_code;
    siglongjmp(back, 1);
}

static void install(int sig, void (*handler)(int, siginfo_t *, void *), int flags)
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = flags | SA_SIGINFO};
    sigaction(sig, &action, NULL);
}

static void show_altstack(const char *where)
{
    stack_t old;
    syscall(SYS_sigaltstack, NULL, &old);
    printf("%s: stack %d, flags %x, size %zu\n", where,
           old.ss_sp == stacks[0]   ? 0
           : old.ss_sp == stacks[1] ? 1
                                    : -1,
           (unsigned)old.ss_flags, (size_t)old.ss_size);
}

static void look_around(int sig, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    printf("in the frame: flags %x, size %zu\n", (unsigned)uc->uc_stack.ss_flags,
           (size_t)uc->uc_stack.ss_size);
    show_altstack("in the handler");
    stack_t other = {.ss_sp = stacks[1], .ss_size = sizeof(stacks[1])};
    SHOW(syscall(SYS_sigaltstack, &other, NULL));
}

static void exchange(int sig, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    uc->uc_stack = (stack_t){.ss_sp = stacks[1], .ss_size = sizeof(stacks[1]) / 2};
}

static void alternate(void)
{
    stack_t stack = {.ss_sp = stacks[0], .ss_size = sizeof(stacks[0])}, none = {.ss_flags = SS_DISABLE};

    SHOW(syscall(SYS_sigaltstack, &none, NULL)); /* what a program inherits differs */
    install(SIGUSR1, look_around, SA_ONSTACK);
    show_altstack("none");
    raise(SIGUSR1);
    show_altstack("as before");
    SHOW(syscall(SYS_sigaltstack, &stack, NULL));
    raise(SIGUSR1);
    show_altstack("the first one");
    stack.ss_flags = SS_ONSTACK | SS_AUTODISARM_;
    SHOW(syscall(SYS_sigaltstack, &stack, NULL));
    show_altstack("disarming");
    raise(SIGUSR1);
    show_altstack("disarming still");
    install(SIGUSR1, look_around, 0);
    raise(SIGUSR1);
    show_altstack("back again");
    install(SIGUSR1, exchange, 0);
    raise(SIGUSR1);
    show_altstack("exchanged");
    stack.ss_flags = SS_DISABLE | SS_AUTODISARM_;
    SHOW(syscall(SYS_sigaltstack, &stack, NULL));
    show_altstack("disabled");
    SHOW(syscall(SYS_sigaltstack, (void *)8, NULL));
    SHOW(syscall(SYS_sigaltstack, NULL, (void *)8));
    stack.ss_flags = 0;
    SHOW(syscall(SYS_sigaltstack, &stack, (void *)8));
    show_altstack("set nevertheless");
}

static unsigned long new_rip, new_mask;

static void spoil_rip(int sig, siginfo_t *info, void *context)
{
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] = new_rip;
}

static void spoil_rsp(int sig, siginfo_t *info, void *context)
{
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_RSP] = new_rip;
}

static void spoil_fpu(int sig, siginfo_t *info, void *context)
{
    ((ucontext_t *)context)->uc_mcontext.fpregs = (void *)8;
}

static void spoil_flags(int sig, siginfo_t *info, void *context)
{
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] = ~0x40500UL; /* all but trap, direction, alignment */
}

static void try(const char *what, void (*handler)(int, siginfo_t *, void *), unsigned long value)
{
    got = 0;
    new_rip = value;
    install(SIGUSR1, handler, 0);
    if (sigsetjmp(back, 1) == 0) {
        raise(SIGUSR1);
    }
    printf("%s: signal %d\n", what, got);
}

static void hostile(void)
{
    install(SIGSEGV, jump, SA_ONSTACK);
    try("an address between the halves", spoil_rip, 0x800000000000);
    try("the kernel's address", spoil_rip, 0xffffffff80000000);
    try("the end of user space", spoil_rip, 0x7ffffffff000);
    try("nothing there", spoil_rip, 16);
    try("no FPU state", spoil_fpu, 0);
    try("all flags", spoil_flags, 0);
    try("a handler in the kernel", (void *)0xffffffff80000000, 0);
    try("a handler nowhere", (void *)0x800000000000, 0);
    try("a handler at the end", (void *)0x7fffffffffff, 0);

    got = 0;
    if (sigsetjmp(back, 1) == 0) {
        __asm__ volatile("mov $64, %%esp; mov $15, %%eax; syscall" : : : "rax", "memory");
    }
    printf("a return without a frame: signal %d code %d\n", got, code);
    if (sigsetjmp(back, 1) == 0) {
        __asm__ volatile("mov $-8, %%rsp; mov $15, %%eax; syscall" : : : "rax", "memory");
    }
    printf("a return from the kernel's stack: signal %d code %d\n", got, code);
    got = 0;
    install(SIGUSR1, jump, 0);
    if (sigsetjmp(back, 1) == 0) {
        __asm__ volatile("mov $64, %%esp; mov $62, %%eax; syscall"
                         :
                         : "D"((long)getpid()), "S"((long)SIGUSR1)
                         : "rax", "memory");
    }
    printf("no room for a frame: signal %d code %d\n", got, code);
}

static void change_mask(int sig, siginfo_t *info, void *context)
{
    memcpy(&((ucontext_t *)context)->uc_sigmask, &new_mask, sizeof(new_mask));
}

static void no_fpu_state(int sig, siginfo_t *info, void *context)
{
    ((ucontext_t *)context)->uc_mcontext.fpregs = NULL;
}

/* Nothing says that more than FXSAVE's image is there. */
static void short_fpu_state(int sig, siginfo_t *info, void *context)
{
    memset((char *)((ucontext_t *)context)->uc_mcontext.fpregs + 464, 0, 48);
}

static unsigned control(void)
{
    unsigned mxcsr;
    unsigned short x87;
    __asm__ volatile("stmxcsr %0; fnstcw %1" : "=m"(mxcsr), "=m"(x87));
    return (mxcsr & 0xffc0) << 16 | x87;
}

static void changes(void)
{
    unsigned long mask = 0, cleared = 0;

    new_mask = ~0UL;
    install(SIGUSR1, change_mask, 0);
    raise(SIGUSR1);
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &cleared, &mask, 8);
    printf("mask %lx\n", mask);
    fesetround(FE_UPWARD);
    printf("%x\n", control());
    install(SIGUSR1, short_fpu_state, 0);
    raise(SIGUSR1);
    printf("%x\n", control());
    install(SIGUSR1, no_fpu_state, 0);
    raise(SIGUSR1);
    printf("%x\n", control());
    fesetround(FE_TONEAREST);
}

static void note(int sig)
{
    got = got * 100 + sig;
}

static void sending(void)
{
    struct sigaction action = {.sa_handler = note}, old;
    sigset_t set, pending;
    struct pollfd fd = {.fd = 1, .events = POLLOUT};

    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGUSR2, &action, NULL);
    sigfillset(&set);
    sigprocmask(SIG_SETMASK, &set, NULL);
    kill(getpid(), SIGUSR2);
    kill(getpid(), SIGUSR1);
    kill(getpid(), SIGTSTP);
    kill(getpid(), SIGCONT); /* takes the stop back */
    sigpending(&pending);
    SHOW(sigismember(&pending, SIGTSTP));
    SHOW(sigismember(&pending, SIGCONT));
    kill(getpid(), SIGTTIN); /* and the other way round */
    sigpending(&pending);
    SHOW(sigismember(&pending, SIGTTIN));
    SHOW(sigismember(&pending, SIGCONT));
    kill(getpid(), SIGCONT);
    sigemptyset(&set);
    SHOW(ppoll(&fd, 1, NULL, &set)); /* there is something: no handler runs */
    SHOW(got);
    got = 0;
    sigprocmask(SIG_SETMASK, &set, NULL);
    SHOW(got); /* the second frame is the first to run */
    SHOW(kill(999999999, 65));
    SHOW(kill(999999999, -1));
    SHOW(kill(getpid(), -1));
    SHOW(syscall(SYS_kill, 0x80000000, 0));
    SHOW(syscall(SYS_tgkill, getpid(), 999999999, 65));
    SHOW(syscall(SYS_tgkill, getpid(), getpid(), 65));
    SHOW(syscall(SYS_tgkill, 0, getpid(), 0));
    SHOW(syscall(SYS_tkill, 0, 0));
    SHOW(syscall(SYS_tkill, 999999999, 65));
    SHOW(syscall(SYS_tkill, getpid(), 0));
    SHOW(syscall(SYS_rt_sigaction, SIGKILL, 8L, NULL, 8));
    SHOW(syscall(SYS_rt_sigaction, 99, 8L, NULL, 8));
    struct {
        void (*handler)(int);
        unsigned long flags;
        void (*restorer)(void);
        unsigned long mask;
    } raw = {.handler = note, .flags = ~0UL & ~0x04000000UL, .mask = ~0UL}, read;
    SHOW(syscall(SYS_rt_sigaction, SIGHUP, &raw, NULL, 8));
    SHOW(syscall(SYS_rt_sigaction, SIGHUP, NULL, &read, 8));
    SINCE(5, 11, read.flags, 0xd8000807); /* unknown ones are gone */
    printf("mask %lx\n", read.mask);
    SHOW(syscall(SYS_rt_sigaction, SIGHUP, NULL, 8L, 8));
    SHOW(syscall(SYS_rt_sigpending, &set, 16));
    SHOW(syscall(SYS_rt_sigpending, 8L, 8));
    SHOW(syscall(SYS_rt_sigsuspend, &set, 4));
    SHOW(syscall(SYS_rt_sigsuspend, 8L, 8));
}

int main(void)
{
    setvbuf(stdout, NULL, _IONBF, 0);
    alternate();
    hostile();
    changes();
    sending();
    return 0;
}
