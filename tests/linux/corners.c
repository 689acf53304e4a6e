// SPDX-License-Identifier: MIT
// build: musl
// flags: -w
/* Memory calls with arguments at their limits: what is checked first, what wraps around, what still works. */
#include "test.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>

#define PAGE 4096UL
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

/* Not the C library's, which round and check by themselves. */
#define PROTECT(addr, length, prot)       syscall(SYS_mprotect, addr, length, prot)
#define ADVISE(addr, length, advice)      syscall(SYS_madvise, addr, length, advice)
#define REMAP(old, size, new_size, flags) syscall(SYS_mremap, old, size, new_size, flags, 0)

static sigjmp_buf back;
static int file;
static unsigned long end; /* of user addresses */

static void caught(int sig)
{
    siglongjmp(back, sig);
}

static int touch(volatile char *at)
{
    int sig = sigsetjmp(back, 1);
    if (sig == 0) {
        (void)*at;
    }
    return sig;
}

static long map(unsigned long at, unsigned long length, int prot, int flags, int fd, unsigned long offset)
{
    return syscall(SYS_mmap, at, length, prot, flags, fd, offset);
}

static void arguments(void)
{
    SHOW(map(0, 0, PROT_READ, MAP_PRIVATE, 99, 0));
    SHOW(map(0, 0, PROT_READ, MAP_PRIVATE, 99, 1));
    SHOW(map(0, 0, PROT_READ, MAP_PRIVATE, file, 0));
    SHOW(map(0, -1UL, PROT_READ, ANON, -1, 0));
    SHOW(map(0, end, PROT_READ, ANON, -1, 0));
    SHOW(map(0, end + PAGE, PROT_READ, ANON, -1, 0));
    SHOW(map(0, PAGE, PROT_READ, MAP_ANONYMOUS | MAP_SHARED_VALIDATE, -1, 0));
    SHOW(map(0, PAGE, PROT_READ, MAP_ANONYMOUS | 15, -1, 0));
    SHOW(map(0, PAGE, PROT_READ, 0, file, 0));
    SHOW(map(end - PAGE, 2 * PAGE, PROT_READ, ANON | MAP_FIXED, -1, 0));
    SHOW(map(-PAGE, 2 * PAGE, PROT_READ, ANON | MAP_FIXED, -1, 0));
    SHOW(map(-PAGE, PAGE, PROT_READ, ANON | MAP_FIXED, -1, 0));
    SHOW(map(end - 1, PAGE, PROT_READ, ANON | MAP_FIXED, -1, 0));
    SHOW(map(1UL << 32 | 1, PAGE, PROT_READ, ANON | MAP_FIXED, -1, 0));
    SHOW(map(1UL << 32 | 1, PAGE, PROT_READ, ANON | MAP_FIXED_NOREPLACE, -1, 0));
    HOLDS(map(0, PAGE, PROT_READ, ANON, -1, -PAGE) != -1);
    SHOW(map(0, PAGE, PROT_READ, MAP_PRIVATE, file, -PAGE));
    SHOW(map(0, PAGE, PROT_READ, MAP_PRIVATE, file, 1UL << 63));
    HOLDS(map(0, PAGE, PROT_READ, MAP_PRIVATE, file, (1UL << 63) - 2 * PAGE) != -1);
    HOLDS(map(-PAGE, PAGE, PROT_READ, ANON, -1, 0) != -1); /* only a hint */
    HOLDS(map(1UL << 33 | 77, PAGE, PROT_READ, ANON, -1, 0) == 1UL << 33);
    SHOW(map(1UL << 33, PAGE, PROT_READ, ANON | MAP_FIXED_NOREPLACE, -1, 0));
    SHOW(map(1UL << 33, PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED_NOREPLACE, file, 1));
    int folder = open("/dev", O_RDONLY), null = open("/dev/null", O_RDWR), path = open("/dev/null", O_PATH);
    SHOW(map(0, PAGE, PROT_READ, MAP_PRIVATE, folder, 0));
    SHOW(map(0, PAGE, PROT_READ, MAP_PRIVATE, null, 0));
    SHOW(map(0, PAGE, PROT_READ, MAP_PRIVATE, path, 0));
    close(null);
    null = open("/dev/zero", O_WRONLY);
    SHOW(map(0, PAGE, PROT_READ, MAP_PRIVATE, null, 0));
    close(folder);
    close(null);
    close(path);
}

static void protecting(void)
{
    char *base = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, ANON, -1, 0);

    SHOW(PROTECT(base, 0, 0x100));
    SHOW(PROTECT(base, PAGE, 0x100));
    SHOW(PROTECT(base + 1, 0, PROT_READ));
    SHOW(PROTECT(base, -1UL, PROT_READ));
    SHOW(PROTECT(base, -PAGE, PROT_READ));
    SHOW(PROTECT((void *)(end - PAGE), 2 * PAGE, PROT_READ));
    SHOW(PROTECT((void *)-PAGE, PAGE, PROT_READ));
    SHOW(PROTECT(base, PAGE, PROT_READ | 0x03000000));
    SHOW(munmap(base, -1UL));
    SHOW(munmap(base, 0));
    SHOW(munmap(base + 1, 0));
    SHOW(munmap((void *)end, PAGE));
    SHOW(munmap((void *)(end - PAGE), 2 * PAGE));
    SHOW(munmap((void *)-PAGE, 2 * PAGE));
    SHOW(ADVISE(base, 0, 77));
    SHOW(ADVISE(base + 1, 0, MADV_DONTNEED));
    SHOW(ADVISE(base, -1UL, MADV_DONTNEED));
    SHOW(ADVISE(base, -PAGE, MADV_NORMAL));
    SHOW(ADVISE((void *)(1UL << 40), PAGE, MADV_NORMAL));
    SHOW(ADVISE((void *)end, PAGE, MADV_NORMAL));
    SHOW(ADVISE(base, PAGE, MADV_FREE));
    SHOW(ADVISE(base, PAGE, 9));
    SHOW(msync(base, PAGE, 77));
    SHOW(msync(base, PAGE, MS_ASYNC | MS_SYNC));
    SHOW(msync(base, 0, MS_SYNC));
    SHOW(msync(base + 1, PAGE, MS_SYNC));
    SHOW(msync(base, -PAGE, MS_SYNC));
    SHOW(mlock(base, PAGE));
    SHOW(mlock(base + 1, 1));
    SHOW(munlock(base, PAGE));
    SHOW(munlock(base, -PAGE));
    SHOW(mlock((void *)(1UL << 40), PAGE));
    SHOW(munlock((void *)-PAGE, 2 * PAGE));
    SHOW(munlock((void *)-PAGE, PAGE));
    SHOW(mlock(base, 0));
    munmap(base + 2 * PAGE, PAGE);
    SHOW(ADVISE(base, 4 * PAGE, MADV_DONTNEED));
    SHOW(mlock(base, 4 * PAGE));
    SHOW(munlock(base, 4 * PAGE));
    SHOW(msync(base, 4 * PAGE, MS_SYNC));
    unsigned char vector[4] = {9, 9, 9, 9};
    base[0] = 1;
    SHOW(mincore(base, PAGE, vector));
    SHOW(vector[0] & 1);
    SHOW(vector[1]);
    SHOW(mincore(base + 1, PAGE, vector));
    SHOW(mincore(base, PAGE, (void *)8));
    SHOW(mincore(base + 2 * PAGE, PAGE, vector));
    SHOW(mincore(base + 2 * PAGE, PAGE, (void *)-1L));
    SHOW(mincore(base, -PAGE, vector));
    SHOW(mincore(base, 0, vector));
    munmap(base, 4 * PAGE);
}

static void remapping(void)
{
    char *base = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, ANON, -1, 0);
    long tail = lseek(file, 0, SEEK_END) / PAGE * PAGE;

    munmap(base + 8 * PAGE, 8 * PAGE);
    memset(base, 'p', 8 * PAGE);
    SHOW(mremap(base, PAGE, PAGE, 77));
    SHOW(mremap(base, PAGE, PAGE, MREMAP_FIXED, base + 64 * PAGE));
    SHOW(mremap(base, 2 * PAGE, 2 * PAGE, MREMAP_FIXED | MREMAP_MAYMOVE, base + PAGE));
    SHOW(mremap(base, PAGE, PAGE, MREMAP_FIXED | MREMAP_MAYMOVE, base + 64 * PAGE + 1));
    SHOW(mremap(base, PAGE, PAGE, MREMAP_FIXED | MREMAP_MAYMOVE, end));
    SINCE(6, 17, REMAP(base, PAGE, -PAGE, MREMAP_MAYMOVE), -EINVAL);
    SHOW(REMAP(base, PAGE, -1UL, MREMAP_MAYMOVE));
    SHOW(mremap(base, 0, PAGE, MREMAP_MAYMOVE));
    SHOW(mremap((void *)(1UL << 40), PAGE, PAGE, MREMAP_MAYMOVE));
    SHOW(mremap(base, 16 * PAGE, 32 * PAGE, MREMAP_MAYMOVE));
    PROTECT(base + PAGE, PAGE, PROT_READ);
    HOLDS(mremap(base, 8 * PAGE, PAGE, 0) == base); /* over several regions */
    SHOW(touch(base + PAGE));
    /* What may not be read moves as well. */
    base = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, ANON, -1, 0);
    char *to = mmap(NULL, 2 * PAGE, PROT_NONE, ANON, -1, 0);
    base[0] = 'n', base[PAGE] = 'o';
    PROTECT(base, 2 * PAGE, PROT_NONE);
    HOLDS(mremap(base, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
    SHOW(touch(to));
    PROTECT(to, 2 * PAGE, PROT_READ);
    HOLDS(to[0] == 'n' && to[PAGE] == 'o');
    SHOW(touch(base));
    /* And what lies behind the end of its file. */
    base = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, tail);
    base[7] = 'q';
    HOLDS(mremap(base, 4 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to && to[7] == 'q');
    SHOW(touch(to + PAGE));
    munmap(to, 2 * PAGE);
    /* Shared memory is one, wherever it is. */
    base = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    base[PAGE] = 's';
    to = mremap(base, 0, 2 * PAGE, MREMAP_MAYMOVE);
    HOLDS(to != MAP_FAILED && to != base && to[PAGE] == 's');
    to[PAGE] = 't';
    HOLDS(base[PAGE] == 't');
}

static void growing(void)
{
    char *base = mmap(NULL, 1024 * PAGE, PROT_NONE, ANON, -1, 0);
    munmap(base, 1024 * PAGE);
    char *low =
        mmap(base + 1000 * PAGE, PAGE, PROT_READ | PROT_WRITE, ANON | MAP_FIXED | MAP_GROWSDOWN, -1, 0);
    HOLDS(low == base + 1000 * PAGE);
    SHOW(touch(low));
    SINCE(5, 0, touch(low - 1), 0); /* so far below the stack pointer */
    SINCE(5, 0, touch(low - 3 * PAGE), 0);
    SHOW(map(0, PAGE, PROT_READ, MAP_SHARED | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0));
    SHOW(map(0, PAGE, PROT_READ, MAP_PRIVATE | MAP_GROWSDOWN, file, 0));
}

int main(void)
{
    struct sigaction action = {.sa_handler = caught};
    setvbuf(stdout, NULL, _IONBF, 0);
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    file = open("/proc/self/exe", O_RDONLY);
    end = user_end();
    arguments();
    protecting();
    remapping();
    growing();
    return 0;
}
