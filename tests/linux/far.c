// SPDX-License-Identifier: MIT
// build: musl
// record: no, QEMU's far returns break Linux, too
// flags: -w
/*
 * Far calls and returns with a wild stack pointer, faults on kernel addresses, and what their handlers
 * hear. QEMU makes the stack accesses of a far transfer with the kernel's rights: still it is the program
 * that gets the signal. Which signal that is depends, on a host, on the processor; on Primer it is SIGSEGV.
 */
#include "test.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

static volatile int got, code;
static volatile unsigned long error, address;
static sigjmp_buf back;
static char stack[65536] __attribute__((aligned(16)));

static void jump(int sig, siginfo_t *info, void *context)
{
    got = sig;
    code = info->si_code;
    address = (unsigned long)info->si_addr;
    error = ((ucontext_t *)context)->uc_mcontext.gregs[REG_ERR];
    siglongjmp(back, 1);
}

static void go(char kind, unsigned long rsp)
{
    static const struct __attribute__((packed)) {
        unsigned long offset;
        unsigned short selector;
    } target = {8, 0x33}; /* where no code is */

    switch (kind) {
    case 'i':
        __asm__ volatile("movq %0, %%rsp\n\tiretq" ::"r"(rsp));
    case 'l':
        __asm__ volatile("movq %0, %%rsp\n\tlretq" ::"r"(rsp));
    case 'c':
        __asm__ volatile("movq %0, %%rsp\n\trex.w lcall *(%1)" ::"r"(rsp), "r"(&target) : "memory");
    case 'r': /* a right return */
        __asm__ volatile("pushq $0x33\n\tleaq 1f(%%rip), %%rax\n\tpushq %%rax\n\tlretq\n1:" ::
                             : "rax", "memory");
    }
}

static void far_transfers(int primer)
{
    static const unsigned long places[] = {
        0x1000,
        0x7fffffffeff8,
        0x7ffffffff000,
        0x800000000000,
        0xffff800000000000,
        0xffff900000000000,
        0xffffffff80100000,
    };
    for (const char *kind = "ilc"; *kind; kind++) {
        for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
            if (*kind == 'c' && places[i] == 0x7ffffffff000) {
                continue; /* just below it lies this program's own stack */
            }
            got = 0;
            if (sigsetjmp(back, 1) == 0) {
                go(*kind, places[i]);
            }
            printf("%c at %lx: %s\n", *kind, places[i],
                   got == SIGSEGV || (got != 0 && !primer) ? "a signal" : "NO signal");
            fflush(stdout);
        }
    }
    if (sigsetjmp(back, 1) == 0) {
        go('r', 0);
    }
    printf("a right return works, or ends\n");
}

static void touch(unsigned long at)
{
    got = 0;
    if (sigsetjmp(back, 1) == 0) {
        *(volatile char *)at;
    }
    printf("read of %lx: signal %d, code %d, address %lx, error %lx\n", at, got, code, address, error);
}

int main(void)
{
    stack_t alternate = {.ss_sp = stack, .ss_size = sizeof(stack)};
    struct sigaction action = {.sa_sigaction = jump, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    struct utsname name;

    uname(&name);
    sigaltstack(&alternate, NULL);
    for (int sig = SIGILL; sig <= SIGSEGV; sig++) {
        if (sig != SIGKILL) {
            sigaction(sig, &action, NULL);
        }
    }
    far_transfers(strstr(name.release, "primer") != NULL);
    touch(0x1000);             /* a user address: nothing is there */
    touch(0xffffffff80100000); /* kernel addresses: the same answer whether a page is there ... */
    touch(0xffffc80000000000); /* ... or not */
    touch(-1UL);
    return 0;
}
