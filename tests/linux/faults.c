// SPDX-License-Identifier: MIT
// build: glibc musl
// flags: -w -O0
/* What a handler is told of a fault: signal, code, address, and the processor's own words: which exception, and its error code,
   which tells nothing of the kernel's memory. And what the auxiliary vector promises of the processor. */
#include "test.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>

#define PAGE 4096UL

static sigjmp_buf back;
static volatile struct {
    int sig, code;
    unsigned long address, error, trap, cr2;
} told;

static void caught(int sig, siginfo_t *info, void *context)
{
    greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;
    told.sig = sig;
    told.code = info->si_code;
    told.address = (unsigned long)info->si_addr;
    told.error = regs[REG_ERR];
    told.trap = regs[REG_TRAPNO];
    told.cr2 = regs[REG_CR2];
    siglongjmp(back, 1);
}

enum access { READ, WRITE, EXECUTE, STACK, FRAME };

static void go(enum access access, unsigned long address)
{
    switch (access) {
    case READ:
        __asm__ volatile("movb (%0), %%al" ::"r"(address) : "rax");
        break;
    case WRITE:
        __asm__ volatile("movb $1, (%0)" ::"r"(address) : "memory");
        break;
    case EXECUTE:
        __asm__ volatile("jmp *%0" ::"r"(address));
        break;
    case STACK:
        __asm__ volatile("movq %0, %%rsp\n\tpushq $1" ::"r"(address));
        break;
    case FRAME:
        __asm__ volatile("movq %0, %%rbp\n\tmovq (%%rbp), %%rax" ::"r"(address) : "rax");
    }
}

static void fault(const char *what, enum access access, unsigned long address)
{
    memset((void *)&told, 0, sizeof(told));
    if (sigsetjmp(back, 1) == 0) {
        go(access, address);
        printf("%s: nothing\n", what);
        return;
    }
    const char *where = told.address == address ? "the address" : told.address == address - 8 ? "8 below" : told.address == 0 ? "0" : "elsewhere";
    printf("%s: signal %d, code %d at %s, exception %lu, error code %lu\n", what, told.sig, told.code, where, told.trap, told.error);
}

#define FAULT(access, address) fault(#access " " #address, access, (unsigned long)(address))

/* A promise of the vector against what happens. */
static int has_fsgsbase(void)
{
    if (sigsetjmp(back, 1) != 0) {
        return 0;
    }
    unsigned long base;
    __asm__ volatile("rdfsbase %0" : "=r"(base));
    return 1;
}

int main(void)
{
    static char stack[65536];
    sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = sizeof(stack)}, NULL);
    struct sigaction action = {.sa_sigaction = caught, .sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK};
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    sigaction(SIGILL, &action, NULL);

    char *none = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *readable = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *touched = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int fd = syscall(SYS_memfd_create, "empty", 0);
    char *beyond = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    *touched = *readable;
    mprotect(touched, PAGE, PROT_READ);

    FAULT(READ, 0);
    FAULT(WRITE, 8);
    FAULT(EXECUTE, 16);
    FAULT(READ, none);
    FAULT(WRITE, none);
    FAULT(WRITE, readable);
    FAULT(WRITE, touched);
    FAULT(EXECUTE, touched);
    FAULT(READ, beyond);
    FAULT(WRITE, beyond);
    FAULT(READ, 0x7ffffffff000);
    FAULT(READ, 0xffff800000000000);
    FAULT(WRITE, 0xffff800000000000);
    FAULT(READ, 0xffffffff80000000);
    FAULT(WRITE, 0xffffffff80000000);
    FAULT(READ, 0xffffffff81000000);
    FAULT(EXECUTE, 0xffffffff81000000);
    FAULT(WRITE, 0xffffa00000000000);
    FAULT(READ, 0xfffffffffffff000);
    FAULT(READ, 0x800000000000);
    FAULT(WRITE, 1UL << 63);
    FAULT(STACK, 8);
    FAULT(STACK, readable + 16);
    FAULT(STACK, 0xffffffff80001000);
    FAULT(STACK, 1UL << 63);
    FAULT(FRAME, 1UL << 63);
    FAULT(FRAME, 0xffffffff80001000);
    HOLDS(has_fsgsbase() || !(getauxval(AT_HWCAP2) & 2));
    return 0;
}
