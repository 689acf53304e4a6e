// SPDX-License-Identifier: MIT
// build: glibc musl
// flags: -w
/* brk, mmap, munmap, mprotect, mremap, madvise: what they do to memory, and what they refuse. */
#include "test.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <fcntl.h>

#define PAGE 4096UL

static sigjmp_buf back;

static void caught(int sig)
{
    siglongjmp(back, sig);
}

/* The signal that touching a byte raises; 0: none. */
static int touch(volatile char *at, int write)
{
    int sig = sigsetjmp(back, 1);
    if (sig == 0) {
        if (write) {
            *at = 1;
        } else {
            (void)*at;
        }
    }
    return sig;
}

static void heap(void)
{
    char *end = (char *)syscall(SYS_brk, 0L);
    HOLDS((char *)syscall(SYS_brk, end + 3 * PAGE) == end + 3 * PAGE);
    end[0] = 1, end[3 * PAGE - 1] = 2;
    HOLDS(end[1] == 0 && end[2 * PAGE] == 0);
    HOLDS((char *)syscall(SYS_brk, end + 5) == end + 5);
    HOLDS((char *)syscall(SYS_brk, end) == end);
    SHOW(touch(end + 2 * PAGE, 0));
    HOLDS((char *)syscall(SYS_brk, 1L) == end);
    HOLDS((char *)syscall(SYS_brk, -1L) == end);
    HOLDS((char *)syscall(SYS_brk, end + PAGE) == end + PAGE && end[0] == 0);
}

static char *anonymous(unsigned long pages, int prot)
{
    return mmap(NULL, pages * PAGE, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void mapping(void)
{
    char *base = anonymous(8, PROT_READ | PROT_WRITE);
    HOLDS(base != MAP_FAILED && (unsigned long)base % PAGE == 0);
    for (int i = 0; i < 8; i++) {
        base[i * PAGE] = i + 1;
    }
    SHOW(mprotect(base + 2 * PAGE, PAGE, PROT_READ));
    SHOW(touch(base + 2 * PAGE, 0));
    SHOW(touch(base + 2 * PAGE, 1));
    SHOW(mprotect(base + 3 * PAGE, PAGE, PROT_NONE));
    SHOW(touch(base + 3 * PAGE, 0));
    SHOW(mprotect(base + 2 * PAGE, 2 * PAGE, PROT_READ | PROT_WRITE));
    HOLDS(base[2 * PAGE] == 3 && base[3 * PAGE] == 4);
    SHOW(munmap(base + 4 * PAGE, PAGE));
    SHOW(touch(base + 4 * PAGE, 0));
    HOLDS(base[5 * PAGE] == 6);
    SHOW(mprotect(base, 8 * PAGE, PROT_READ)); /* a hole: the part before it is changed */
    SHOW(touch(base, 1));
    SHOW(munmap(base, 8 * PAGE));
    SHOW(munmap(base, 8 * PAGE));
    SHOW(touch(base, 0));
}

static void fixed(void)
{
    char *base = anonymous(6, PROT_READ | PROT_WRITE);
    memset(base, 'a', 6 * PAGE);
    HOLDS(mmap(base + PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == base + PAGE);
    HOLDS(base[PAGE - 1] == 'a' && base[PAGE] == 0 && base[2 * PAGE] == 'a');
    SHOW(mmap(base + PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0));
    SHOW(mmap(base + 1, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
    munmap(base + 3 * PAGE, PAGE);
    HOLDS(mmap(base + 3 * PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
          base + 3 * PAGE); /* a hint */
    HOLDS(mmap(base, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != base);
    munmap(base, 6 * PAGE);
}

static void reservation(void)
{
    unsigned long size = 64UL << 30;
    char *base = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    HOLDS(base != MAP_FAILED);
    SHOW(touch(base + size / 2, 1));
    SHOW(mprotect(base + size / 2, 16 * PAGE, PROT_READ | PROT_WRITE));
    SHOW(touch(base + size / 2, 1));
    SHOW(touch(base + size / 2 + 16 * PAGE, 1));
    SHOW(munmap(base, size));
}

static void advice(void)
{
    char *base = anonymous(4, PROT_READ | PROT_WRITE);
    memset(base, 'b', 4 * PAGE);
    SHOW(madvise(base + PAGE, PAGE, MADV_DONTNEED));
    HOLDS(base[PAGE] == 0 && base[2 * PAGE] == 'b');
    SHOW(madvise(base, PAGE, MADV_WILLNEED));
    SHOW(madvise(base, PAGE, 12345));
    SHOW(madvise(base + 1, PAGE, MADV_DONTNEED));
    SHOW(madvise(base, 0, MADV_DONTNEED));
    SHOW(msync(base, PAGE, MS_SYNC));
    munmap(base, 4 * PAGE);
    SHOW(msync(base, PAGE, MS_SYNC));
}

static void remapping(void)
{
    char *base = anonymous(8, PROT_READ | PROT_WRITE);
    munmap(base + 4 * PAGE, 4 * PAGE);
    for (int i = 0; i < 4; i++) {
        base[i * PAGE] = 'a' + i;
    }
    HOLDS(mremap(base, 4 * PAGE, 2 * PAGE, 0) == base);
    SHOW(touch(base + 2 * PAGE, 0));
    HOLDS(mremap(base, 2 * PAGE, 6 * PAGE, 0) == base);
    HOLDS(base[PAGE] == 'b' && base[5 * PAGE] == 0);
    char *wall = mmap(base + 6 * PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    SHOW(mremap(base, 6 * PAGE, 9 * PAGE, 0));
    char *moved = mremap(base, 6 * PAGE, 9 * PAGE, MREMAP_MAYMOVE);
    HOLDS(moved != MAP_FAILED && moved != base && moved[PAGE] == 'b' && moved[8 * PAGE] == 0);
    SHOW(touch(base, 0));
    SHOW(mremap(moved + 1, PAGE, PAGE, 0));
    SHOW(mremap(moved, PAGE, 0, 0));
    munmap(wall, PAGE);
    munmap(moved, 9 * PAGE);
}

static void files(void)
{
    char head[4];
    int fd = open("/proc/self/exe", O_RDONLY);
    char *base = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);

    HOLDS(base != MAP_FAILED && memcmp(base, "\177ELF", 4) == 0);
    base[0] = 'x';
    HOLDS(pread(fd, head, 4, 0) == 4 && head[0] == 127); /* a private copy */
    char *second = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, PAGE);
    HOLDS(second != MAP_FAILED && memcmp(second, base + PAGE, PAGE) == 0);
    SHOW(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    SHOW(mprotect(second, PAGE, PROT_READ | PROT_WRITE));
    SHOW(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 1));
    SHOW(madvise(base, PAGE, MADV_DONTNEED));
    HOLDS(base[0] == 127);
    long size = lseek(fd, 0, SEEK_END);
    unsigned long end = (size + PAGE - 1) / PAGE * PAGE;
    char *tail = mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE, fd, end - PAGE);
    SHOW(touch(tail + PAGE - 1, 0));
    SHOW(touch(tail + PAGE, 0)); /* wholly behind the end: SIGBUS */
    close(fd);
    HOLDS(second[0] == base[PAGE]); /* the mapping outlives the descriptor */
    munmap(base, 2 * PAGE);
    munmap(second, PAGE);
    munmap(tail, 2 * PAGE);
    fd = open("/dev/zero", O_RDWR);
    base = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    HOLDS(base != MAP_FAILED && base[7] == 0);
    close(fd);
}

static void refused(void)
{
    SHOW(mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    SHOW(mmap(NULL, PAGE, PROT_READ, MAP_ANONYMOUS, -1, 0));
    SHOW(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, 99, 0));
    SHOW(mmap(NULL, 1UL << 50, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    SHOW(munmap((void *)1, PAGE));
    SHOW(munmap((void *)PAGE, 0));
    SHOW(munmap((void *)-PAGE, PAGE));
    SHOW(mprotect((void *)1, PAGE, PROT_READ));
    SHOW(mprotect((void *)(16 * PAGE), 0, PROT_READ));
    SHOW(mprotect((void *)(1UL << 40), PAGE, PROT_READ));
    char *shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    HOLDS(shared != MAP_FAILED && shared[0] == 0);
    shared[0] = 1;
    SHOW(munmap(shared, PAGE));
}

int main(void)
{
    struct sigaction action = {.sa_handler = caught};
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    heap();
    mapping();
    fixed();
    reservation();
    advice();
    remapping();
    files();
    refused();
    return 0;
}
