// SPDX-License-Identifier: MIT
// build: musl
// flags: -w
/* Random memory calls on a fixed piece of the address space, many times over: the same results, rights and
   contents everywhere. */
#include "test.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/uio.h>

#define PAGE   4096UL
#define PAGES  48
#define ARENA  ((char *)0x200000000)
#define ROUNDS 4000

static uint64_t seed = 4711;
static sigjmp_buf back;
static int file, zero;
static int zero_flags; /* how memory of zero is mapped */

static unsigned pick(unsigned limit)
{
    seed = seed * 6364136223846793005UL + 1442695040888963407UL;
    return (seed >> 33) % limit;
}

static void caught(int sig)
{
    siglongjmp(back, sig);
}

/* What is at the page: the byte (and whether it can be written), or the signal. */
static unsigned look(volatile char *at)
{
    int sig = sigsetjmp(back, 1);
    if (sig != 0) {
        return 0x1000 + sig;
    }
    unsigned value = (unsigned char)*at;
    sig = sigsetjmp(back, 1);
    if (sig == 0) {
        *at = value;
    }
    return value + (sig << 8);
}

static uint64_t everything(void)
{
    uint64_t sum = 14695981039346656037UL;
    for (int i = 0; i < PAGES; i++) {
        sum = (sum ^ look(ARENA + i * PAGE + 5)) * 1099511628211UL;
    }
    return sum;
}

static const int protections[] = {PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE, PROT_READ | PROT_EXEC};

static long map(char *at, unsigned long length)
{
    int prot = protections[pick(4)];
    int replace = pick(3) == 0 ? MAP_FIXED_NOREPLACE : MAP_FIXED;
    long result = -1;

    switch (pick(4)) {
    case 0:
        result = syscall(SYS_mmap, at, length, prot, MAP_PRIVATE | MAP_ANONYMOUS | replace, -1, 0);
        break;
    case 1:
        result = syscall(SYS_mmap, at, length, prot, MAP_SHARED | MAP_ANONYMOUS | replace, -1, 0);
        break;
    case 2:
        result = syscall(SYS_mmap, at, length, prot, MAP_PRIVATE | replace, file, pick(20) * PAGE);
        break;
    case 3:
        result = syscall(SYS_mmap, at, length, prot, zero_flags | replace, zero, 0);
        break;
    }
    return result;
}

/* A block of its own, with nothing around it, that moves to another place, written before and after. */
static long move(char *at, unsigned long length)
{
    char *to = ARENA + pick(PAGES - 8) * PAGE;
    unsigned long new_length = (1 + pick(6)) * PAGE;
    int flags = MAP_FIXED | MAP_ANONYMOUS | (pick(2) ? MAP_PRIVATE : MAP_SHARED);

    syscall(SYS_munmap, at - PAGE, length + 2 * PAGE);
    syscall(SYS_mmap, at, length, PROT_READ | PROT_WRITE, flags, -1, 0);
    for (unsigned long i = 0; i < length; i += PAGE) {
        at[i + 5] = pick(256);
    }
    syscall(SYS_mprotect, at, length, protections[pick(4)]);
    return syscall(SYS_mremap, at, length, new_length, MREMAP_MAYMOVE | (pick(4) ? MREMAP_FIXED : 0), to);
}

/* From an address that is a multiple of 8: older kernels clear, and count, up to a fault in words. */
static long write_some(char *at, unsigned long length)
{
    struct iovec from = {at, length}, to = {ARENA + pick(PAGES) * PAGE + 8 * pick(PAGE / 8), pick(3 * PAGE)};
    switch (pick(3)) {
    case 0:
        return pread(file, to.iov_base, to.iov_len, pick(1 << 15));
    case 1:
        return readv(zero, &to, 1);
    default:
        return read(zero, at, length);
    }
}

static long step(void)
{
    char *at = ARENA + (1 + pick(PAGES - 10)) * PAGE;
    unsigned long length = (1 + pick(8)) * PAGE;

    switch (pick(8)) {
    case 0:
    case 1:
        return map(at, length);
    case 2:
        return syscall(SYS_munmap, at, length);
    case 3:
    case 4:
        return syscall(SYS_mprotect, at, length, protections[pick(4)]);
    case 5:
        return syscall(SYS_madvise, at, length, MADV_DONTNEED);
    case 6:
        return write_some(at, length);
    default:
        return move(at, length);
    }
}

/* A file of 19 and a half pages, whose bytes are the same however this program was built. */
static int known_file(void)
{
    static char bytes[19 * PAGE + PAGE / 2];
    for (unsigned long i = 0; i < sizeof(bytes); i++) {
        bytes[i] = pick(256);
    }
    int fd = memfd_create("arena", 0);
    if (write(fd, bytes, sizeof(bytes)) != sizeof(bytes)) {
        exit(1);
    }
    return fd;
}

int main(void)
{
    struct sigaction action = {.sa_handler = caught};
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    file = known_file();
    zero = open("/dev/zero", O_RDWR);
    /* Where /dev is mounted noexec nothing of it can be executed: memory without a file is the same but for that. */
    void *probe = mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, zero, 0);
    zero_flags = probe != MAP_FAILED ? MAP_PRIVATE : MAP_PRIVATE | MAP_ANONYMOUS;
    if (probe != MAP_FAILED) {
        munmap(probe, PAGE);
    }
    for (int i = 0; i < ROUNDS; i++) {
        long result = step();
        if (result > (long)(ARENA + PAGES * PAGE)) { /* moved to where there was room */
            result = 1;
        }
        int error = result == -1 ? errno : 0;
        printf("%d: %lx %d %lx\n", i, result, error, everything());
    }
    return 0;
}
