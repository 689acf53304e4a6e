// SPDX-License-Identifier: MIT
// build: glibc musl
// needs: root
// flags: -w
/* The mmap family, row by row as the manual pages have it: which flags, which errors, and what is done before an error is met. */
#include "test.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define PAGE 4096UL
#define RW   (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#ifndef MAP_SHARED_VALIDATE
#define MAP_SHARED_VALIDATE 3
#endif
#define REMAP_DONTUNMAP 4

static sigjmp_buf back;
static volatile int code;

static void caught(int sig, siginfo_t *info, void *context)
{
    code = info->si_code;
    siglongjmp(back, sig);
}

/* The signal that touching a byte raises, and its code in the hundreds; 0: none. */
static int touch(volatile char *at, int write)
{
    int sig = sigsetjmp(back, 1);
    if (sig == 0) {
        if (write) {
            *at = 1;
        } else {
            (void)*at;
        }
        return 0;
    }
    return sig + 100 * code;
}

static char *map(unsigned long pages, int prot, int flags)
{
    return mmap(NULL, pages * PAGE, prot, flags, -1, 0);
}

/* 0, or -1 with errno. The mapping goes again. */
static int tried(void *at, unsigned long length, int prot, int flags, int fd, long offset)
{
    char *base = (char *)syscall(SYS_mmap, at, length, prot, flags, fd, offset);
    if (base == MAP_FAILED) {
        return -1;
    }
    munmap(base, length);
    return 0;
}

static void flags(int file)
{
    SHOW(tried(NULL, PAGE, RW, MAP_ANONYMOUS, -1, 0));
    SHOW(tried(NULL, PAGE, RW, MAP_ANONYMOUS | MAP_SHARED, -1, 0));
    SHOW(tried(NULL, PAGE, RW, MAP_ANONYMOUS | MAP_SHARED_VALIDATE, -1, 0));
    SHOW(tried(NULL, PAGE, RW, MAP_ANONYMOUS | 4, -1, 0));
    SHOW(tried(NULL, PAGE, RW, ANON | MAP_GROWSDOWN, -1, 0));
    SHOW(tried(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0));
    SHOW(tried(NULL, PAGE, RW, ANON | MAP_STACK | MAP_NORESERVE, -1, 0));
    SHOW(tried(NULL, PAGE, RW, ANON | MAP_POPULATE, -1, 0));
    SHOW(tried(NULL, PAGE, RW, ANON | MAP_LOCKED, -1, 0));
    SHOW(tried(NULL, PAGE, RW, ANON | MAP_POPULATE | MAP_NONBLOCK, -1, 0));
    SHOW(tried(NULL, PAGE, RW, ANON | 0x800 | 0x1000, -1, 0)); /* MAP_DENYWRITE, MAP_EXECUTABLE */
    SHOW(tried(NULL, PAGE, 0x10, ANON, -1, 0));
    SHOW(tried(NULL, 0, RW, ANON, -1, 0));
    SHOW(tried(NULL, -1UL, RW, ANON, -1, 0));
    SHOW(tried(NULL, 1UL << 47, RW, ANON, -1, 0));
    SHOW(tried(NULL, PAGE, RW, ANON, -1, 1));
    SHOW(tried(NULL, PAGE, RW, ANON, -1, PAGE));
    SHOW(tried(NULL, PAGE, RW, ANON, 77, 0));
    SHOW(tried(NULL, PAGE, RW, MAP_PRIVATE, 77, 0));
    SHOW(tried(NULL, PAGE, RW, MAP_PRIVATE, -1, 0));
    SHOW(tried((void *)1, PAGE, RW, ANON | MAP_FIXED, -1, 0));
    SHOW(tried((void *)(1UL << 47), PAGE, RW, ANON | MAP_FIXED, -1, 0));
    SHOW(tried((void *)-PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0));
    SHOW(tried(NULL, PAGE, PROT_READ, MAP_PRIVATE, file, 0));
    SHOW(tried(NULL, PAGE, RW, MAP_PRIVATE, file, 0));
    SHOW(tried(NULL, PAGE, PROT_READ, MAP_SHARED, file, 0));
    SHOW(tried(NULL, PAGE, RW, MAP_SHARED, file, 0));
    SHOW(tried(NULL, PAGE, PROT_READ, MAP_SHARED_VALIDATE, file, 0));
    SHOW(tried(NULL, PAGE, PROT_READ, MAP_SHARED_VALIDATE | 0x200000, file, 0));
    SHOW(tried(NULL, PAGE, PROT_READ, 0, file, 0));
    SHOW(tried(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_GROWSDOWN, file, 0));
    SHOW(tried(NULL, PAGE, PROT_READ, MAP_PRIVATE, file, 1L << 40));
    SHOW(tried(NULL, PAGE, PROT_READ, MAP_PRIVATE, file, -4096));
    SHOW(tried(NULL, PAGE, PROT_READ, MAP_PRIVATE | 0x40000, file, 0)); /* MAP_HUGETLB, of no such file */
    int folder = open("/", O_RDONLY), path = open("/", O_PATH);
    SHOW(tried(NULL, PAGE, PROT_READ, MAP_PRIVATE, folder, 0));
    SHOW(tried(NULL, PAGE, PROT_READ, MAP_PRIVATE, path, 0));
    close(folder);
    close(path);
    int zero = open("/dev/zero", O_RDWR), null = open("/dev/null", O_RDWR);
    SHOW(tried(NULL, PAGE, RW, MAP_PRIVATE, zero, 0));
    SHOW(tried(NULL, PAGE, RW, MAP_SHARED, zero, 0));
    SHOW(tried(NULL, PAGE, RW, MAP_PRIVATE, null, 0));
    close(zero);
    close(null);
}

static void places(void)
{
    char *base = map(4, PROT_READ, ANON);
    munmap(base + PAGE, PAGE);
    HOLDS(mmap(base + PAGE, PAGE, PROT_READ, ANON, -1, 0) == base + PAGE);
    HOLDS(mmap(base + PAGE, PAGE, PROT_READ, ANON, -1, 0) != base + PAGE);
    munmap(base + PAGE, PAGE);
    HOLDS(mmap(base + PAGE + 5, PAGE, PROT_READ, ANON, -1, 0) == base + PAGE);
    SHOW((long)mmap(base, PAGE, PROT_READ, ANON | MAP_FIXED_NOREPLACE, -1, 0));
    SHOW((long)mmap(base + 5, PAGE, PROT_READ, ANON | MAP_FIXED_NOREPLACE, -1, 0));
    munmap(base, PAGE);
    HOLDS(mmap(base, PAGE, PROT_READ, ANON | MAP_FIXED_NOREPLACE, -1, 0) == base);
    HOLDS(mmap(base + PAGE, 2 * PAGE, RW, ANON | MAP_FIXED, -1, 0) == base + PAGE);
    SHOW(touch(base + PAGE, 1));
    SHOW(touch(base + 3 * PAGE, 1));
    char *low = mmap(NULL, 16 * PAGE, RW, ANON | MAP_32BIT, -1, 0);
    HOLDS(low != MAP_FAILED && (unsigned long)low + 16 * PAGE <= 0x80000000UL);
    char *hinted = mmap(base + (1UL << 32), PAGE, RW, ANON | MAP_32BIT, -1, 0);
    HOLDS(hinted != MAP_FAILED && (unsigned long)hinted < 0x80000000UL);
    HOLDS(mmap(base, PAGE, RW, ANON | MAP_32BIT | MAP_FIXED, -1, 0) == base);
    /* The highest place that fits comes first, the next one lies below. */
    char *first = map(3, RW, ANON), *second = map(3, RW, ANON);
    HOLDS(second < first);
    munmap(first, 3 * PAGE), munmap(second, 3 * PAGE), munmap(low, 16 * PAGE), munmap(hinted, PAGE);
    munmap(base, 4 * PAGE);
}

static void protections(void)
{
    char *base = map(6, RW, ANON);
    munmap(base + 3 * PAGE, PAGE);
    base[0] = 1;
    SHOW(mprotect(base, 6 * PAGE, PROT_READ)); /* up to the hole it is done */
    SHOW(touch(base + 2 * PAGE, 1));
    SHOW(touch(base + 4 * PAGE, 1));
    SHOW(mprotect(base + 3 * PAGE, PAGE, RW));
    SHOW(mprotect(base, 0, 0x77));
    SHOW(mprotect(base + 1, 0, RW));
    SHOW(mprotect(base, PAGE, 0x10));
    SHOW(mprotect(base, -PAGE, RW));
    SHOW(mprotect(base, PAGE, RW | PROT_GROWSDOWN | PROT_GROWSUP));
    SHOW(mprotect(base, PAGE, RW | PROT_GROWSDOWN));
    SHOW(mprotect(base, PAGE, RW | PROT_GROWSUP));
    SHOW(mprotect(base + 3 * PAGE, PAGE, RW | PROT_GROWSUP));
    SHOW(touch(base, 1));
    SHOW(mprotect(base, PAGE, PROT_NONE));
    SHOW(touch(base, 0));
    SHOW(mprotect(base, PAGE, PROT_WRITE));
    SHOW(touch(base, 0));
    HOLDS(base[0] == 1);
    SHOW(touch(base + 3 * PAGE, 0));
    SHOW(munmap(base, 6 * PAGE));
    char *stack = map(4, RW, ANON | MAP_GROWSDOWN);
    SHOW(mprotect(stack + 2 * PAGE, PAGE, PROT_READ | PROT_GROWSDOWN)); /* from where it begins */
    SHOW(touch(stack, 1));
    SHOW(touch(stack + 3 * PAGE, 1));
    munmap(stack, 4 * PAGE);
}

/* Bytes of a file that the process has made, seen through shared and private mappings, descriptors and another process. */
static void files(void)
{
    char text[8] = "";
    int file = open("/tmp/mmaps", O_RDWR | O_CREAT | O_TRUNC, 0600);
    SHOW(file < 0);
    SHOW(ftruncate(file, 2 * PAGE + 100));
    char *shared = mmap(NULL, 4 * PAGE, RW, MAP_SHARED, file, 0);
    char *private = mmap(NULL, 4 * PAGE, RW, MAP_PRIVATE, file, 0);
    HOLDS(shared != MAP_FAILED && private != MAP_FAILED);
    SHOW(pwrite(file, "hello", 5, PAGE));
    HOLDS(memcmp(shared + PAGE, "hello", 5) == 0 && memcmp(private + PAGE, "hello", 5) == 0);
    memcpy(shared + PAGE, "jolly", 5);
    SHOW(pread(file, text, 5, PAGE));
    HOLDS(memcmp(text, "jolly", 5) == 0 && memcmp(private + PAGE, "jolly", 5) == 0);
    private[PAGE] = 'J';
    SHOW(pread(file, text, 5, PAGE));
    HOLDS(text[0] == 'j' && shared[PAGE] == 'j' && private[PAGE] == 'J');
    SHOW(touch(shared + 2 * PAGE + 100, 1)); /* the rest of the last page */
    SHOW(touch(shared + 3 * PAGE, 0));
    SHOW(touch(private + 3 * PAGE, 1));
    SHOW(ftruncate(file, 4 * PAGE));
    SHOW(touch(shared + 3 * PAGE, 0));
    SHOW(ftruncate(file, PAGE));
    SHOW(touch(shared + PAGE, 0));
    SHOW(touch(private + PAGE, 0)); /* the copy has gone, too */
    SHOW(touch(shared, 1));
    SHOW(msync(shared, PAGE, MS_SYNC));
    pid_t child = fork();
    if (child == 0) {
        shared[5] = 'x';
        private[5] = 'y';
        _exit(0);
    }
    waitpid(child, NULL, 0);
    HOLDS(shared[5] == 'x');
    HOLDS(private[5] == 'x'); /* not touched here before */
    int reader = open("/tmp/mmaps", O_RDONLY), writer = open("/tmp/mmaps", O_WRONLY);
    SHOW(tried(NULL, PAGE, PROT_READ, MAP_PRIVATE, writer, 0));
    SHOW(tried(NULL, PAGE, PROT_WRITE, MAP_SHARED, writer, 0));
    SHOW(tried(NULL, PAGE, RW, MAP_SHARED, reader, 0));
    char *readable = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, reader, 0);
    SHOW(mprotect(readable, PAGE, RW));
    SHOW(mprotect(readable, PAGE, PROT_READ | PROT_EXEC));
    close(reader), close(writer), close(file);
    SHOW(unlink("/tmp/mmaps"));
    HOLDS(shared[5] == 'x' && readable[5] == 'x'); /* it lives as long as it is mapped */
    munmap(shared, 4 * PAGE), munmap(private, 4 * PAGE), munmap(readable, PAGE);
}

static void advice(void)
{
    char *base = map(6, RW, ANON), *shared = map(2, RW, MAP_SHARED | MAP_ANONYMOUS);
    memset(base, 7, 6 * PAGE);
    memset(shared, 7, 2 * PAGE);
    munmap(base + 2 * PAGE, PAGE);
    SHOW(madvise(base, 6 * PAGE, MADV_DONTNEED)); /* done around the hole */
    HOLDS(base[0] == 0 && base[3 * PAGE] == 0);
    SHOW(madvise(shared, 2 * PAGE, MADV_DONTNEED));
    HOLDS(shared[0] == 7);
    SHOW(madvise(shared, PAGE, MADV_FREE));
    SHOW(madvise(base, PAGE, MADV_FREE));
    SHOW(madvise(base, PAGE, 18)); /* MADV_WIPEONFORK */
    SHOW(madvise(shared, PAGE, 18));
    SHOW(madvise(base + 3 * PAGE, PAGE, MADV_DONTFORK));
    base[0] = base[PAGE] = base[3 * PAGE] = 9;
    pid_t child = fork();
    if (child == 0) {
        _exit((base[0] == 0) + 2 * (base[PAGE] == 9) + 4 * (touch(base + 3 * PAGE, 0) == SIGSEGV + 100 * SEGV_MAPERR));
    }
    int status;
    waitpid(child, &status, 0);
    SHOW(WEXITSTATUS(status));
    HOLDS(base[0] == 9 && base[3 * PAGE] == 9);
    SHOW(madvise(base, PAGE, 19)); /* MADV_KEEPONFORK */
    SHOW(madvise(base + 3 * PAGE, PAGE, MADV_DOFORK));
    child = fork();
    if (child == 0) {
        _exit((base[0] == 9) + 2 * (base[3 * PAGE] == 9));
    }
    waitpid(child, &status, 0);
    SHOW(WEXITSTATUS(status));
    SHOW(madvise(base, PAGE, MADV_WILLNEED));
    SHOW(madvise(base, PAGE, MADV_SEQUENTIAL));
    SHOW(madvise(base, PAGE, 9)); /* MADV_REMOVE of what is no file's */
    SHOW(madvise(base, PAGE, 22)); /* MADV_POPULATE_READ */
    SHOW(madvise(base, 3 * PAGE, 23));
    mprotect(base, PAGE, PROT_READ);
    SHOW(madvise(base, PAGE, 22));
    SHOW(madvise(base, PAGE, 23));
    SHOW(madvise(base, PAGE, 77));
    SHOW(madvise(base + 1, PAGE, MADV_NORMAL));
    SHOW(madvise(base, -1UL, MADV_NORMAL));
    SHOW(madvise(base + 2 * PAGE, PAGE, MADV_NORMAL));
    SHOW(mlock(base + 3 * PAGE, PAGE));
    SHOW(madvise(base + 3 * PAGE, PAGE, MADV_DONTNEED));
    SHOW(msync(base + 3 * PAGE, PAGE, MS_INVALIDATE));
    SHOW(madvise(base + 3 * PAGE, PAGE, 24)); /* MADV_DONTNEED_LOCKED */
    SHOW(munlock(base + 3 * PAGE, PAGE));
    SHOW(madvise(base + 3 * PAGE, PAGE, MADV_DONTNEED));
    munmap(base, 6 * PAGE), munmap(shared, 2 * PAGE);
}

static int resident(char *at, unsigned long pages)
{
    unsigned char vector[16];
    int count = 0;
    if (mincore(at, pages * PAGE, vector) != 0) {
        return -1;
    }
    for (unsigned long i = 0; i < pages; i++) {
        count += vector[i] & 1;
    }
    return count;
}

static void locks(void)
{
    char *base = map(8, RW, ANON), *shared = map(4, RW, MAP_SHARED | MAP_ANONYMOUS);
    unsigned char vector[8];
    SHOW(resident(base, 8));
    base[PAGE] = base[3 * PAGE] = 1;
    SHOW(resident(base, 8));
    SHOW(mlock(base + 1, PAGE)); /* two pages */
    SHOW(resident(base, 8));
    SHOW(mlock(base, 8 * PAGE));
    SHOW(resident(base, 8));
    shared[PAGE] = 1;
    SHOW(resident(shared, 4));
    madvise(shared, 4 * PAGE, MADV_DONTNEED);
    SHOW(resident(shared, 4)); /* out of the page table, not of memory */
    SHOW(munlock(base, 8 * PAGE));
    munmap(base + 2 * PAGE, PAGE);
    SHOW(mlock(base, 4 * PAGE));
    SHOW(munlock(base, 4 * PAGE));
    SHOW(mincore(base, 4 * PAGE, vector));
    SHOW(mincore(base + 1, PAGE, vector));
    SHOW(mincore(base, PAGE, (void *)-1UL));
    SHOW(mincore(base, PAGE, NULL));
    SHOW(mincore((void *)-PAGE, PAGE, vector));
    SHOW(mlock(base, 0));
    SHOW(mlock(base, -1UL));
    SHOW(mlock((void *)-PAGE, 2 * PAGE));
    mprotect(base, PAGE, PROT_NONE);
    SHOW(mlock(base, PAGE));
    SHOW(syscall(SYS_mlock2, base + PAGE, PAGE, 1));
    SHOW(syscall(SYS_mlock2, base + PAGE, PAGE, 2));
    SHOW(mlockall(0));
    SHOW(mlockall(4));
    SHOW(mlockall(8));
    SHOW(mlockall(MCL_FUTURE));
    char *future = map(4, RW, ANON);
    SHOW(resident(future, 4));
    SHOW(munlockall());
    char *later = map(4, RW, ANON);
    SHOW(resident(later, 4));
    SHOW(mlockall(MCL_CURRENT | MCL_FUTURE | 4)); /* on fault */
    char *onfault = map(4, RW, ANON);
    SHOW(resident(onfault, 4));
    SHOW(munlockall());
    char *populated = map(4, RW, ANON | MAP_POPULATE);
    SHOW(resident(populated, 4));
    SHOW(msync(base, PAGE, MS_ASYNC | MS_SYNC));
    SHOW(msync(base, PAGE, 8));
    SHOW(msync(base + 1, PAGE, MS_SYNC));
    SHOW(msync(base, 8 * PAGE, MS_SYNC));
    SHOW(msync(base, 0, MS_SYNC));
    munmap(base, 8 * PAGE), munmap(shared, 4 * PAGE), munmap(future, 4 * PAGE), munmap(later, 4 * PAGE);
    munmap(onfault, 4 * PAGE), munmap(populated, 4 * PAGE);
}

static long moved(void *old, unsigned long size, unsigned long new_size, int flags, void *to)
{
    long result = syscall(SYS_mremap, old, size, new_size, flags, to);
    return result == -1 ? -1 : result == (long)old ? 1 : result == (long)to ? 2 : 0;
}

static void moves(void)
{
    char *base = map(16, RW, ANON), *room = map(16, PROT_NONE, ANON);
    for (int i = 0; i < 16; i++) {
        base[i * PAGE] = i + 1;
    }
    SHOW(moved(base, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, room));
    HOLDS(room[0] == 1 && room[3 * PAGE] == 4);
    SHOW(touch(base, 0));
    SHOW(touch(room + 4 * PAGE, 0));
    SHOW(moved(base + 4 * PAGE, 2 * PAGE, PAGE, 0, NULL)); /* shrinks */
    SHOW(touch(base + 5 * PAGE, 0));
    SHOW(moved(base + 4 * PAGE, PAGE, 2 * PAGE, 0, NULL)); /* grows into the hole */
    HOLDS(base[4 * PAGE] == 5 && base[5 * PAGE] == 0);
    SHOW(moved(base + 4 * PAGE, 2 * PAGE, 3 * PAGE, 0, NULL)); /* cannot */
    char *elsewhere = mremap(base + 4 * PAGE, 2 * PAGE, 64 * PAGE, MREMAP_MAYMOVE);
    HOLDS(elsewhere != MAP_FAILED && elsewhere[0] == 5 && elsewhere[63 * PAGE] == 0);
    SHOW(touch(base + 4 * PAGE, 0));
    SHOW(moved(base + 6 * PAGE, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | REMAP_DONTUNMAP, NULL));
    SHOW(touch(base + 6 * PAGE, 0));
    HOLDS(base[6 * PAGE] == 0);
    SHOW(moved(base + 8 * PAGE, 2 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | REMAP_DONTUNMAP, NULL));
    SHOW(moved(base + 8 * PAGE, 2 * PAGE, 2 * PAGE, REMAP_DONTUNMAP, NULL));
    SHOW(moved(base + 8 * PAGE, 2 * PAGE, 2 * PAGE, MREMAP_FIXED, room));
    SHOW(moved(base + 8 * PAGE, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, room + 1));
    SHOW(moved(base + 8 * PAGE, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, base + 9 * PAGE));
    SHOW(moved(base + 8 * PAGE, 2 * PAGE, 2 * PAGE, 8, NULL));
    SHOW(moved(base + 8 * PAGE + 1, PAGE, PAGE, 0, NULL));
    SHOW(moved(base + 8 * PAGE, PAGE, 0, 0, NULL));
    SHOW(moved(base, PAGE, PAGE * 2, MREMAP_MAYMOVE, NULL));               /* nothing there */
    SHOW(moved(base + 14 * PAGE, 4 * PAGE, 8 * PAGE, MREMAP_MAYMOVE, NULL)); /* not of one region */
    SHOW(moved(base + 8 * PAGE, 0, PAGE, MREMAP_MAYMOVE, NULL));
    SHOW(moved(base + 8 * PAGE, PAGE, 1UL << 47, MREMAP_MAYMOVE, NULL));
    HOLDS(base[8 * PAGE] == 9 && base[9 * PAGE] == 10);
    /* Part of one region over a part of the same one. */
    SHOW(moved(base + 8 * PAGE, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, base + 12 * PAGE));
    HOLDS(base[12 * PAGE] == 9 && base[13 * PAGE] == 10 && base[14 * PAGE] == 15);
    char *shared = map(2, RW, MAP_SHARED | MAP_ANONYMOUS);
    shared[0] = 3;
    char *twice = mremap(shared, 0, PAGE, MREMAP_MAYMOVE);
    HOLDS(twice != MAP_FAILED && twice != shared && twice[0] == 3);
    twice[0] = 4;
    HOLDS(shared[0] == 4);
    /* What may not be read moves as well. */
    mprotect(base + 14 * PAGE, PAGE, PROT_NONE);
    SHOW(moved(base + 14 * PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, room + 8 * PAGE));
    mprotect(room + 8 * PAGE, PAGE, PROT_READ);
    HOLDS(room[8 * PAGE] == 15);
    munmap(base, 16 * PAGE), munmap(room, 16 * PAGE), munmap(elsewhere, 64 * PAGE);
    munmap(shared, 2 * PAGE), munmap(twice, PAGE);
}

/* A large region, hardly touched: only what is there moves. */
static void large_moves(void)
{
    unsigned long pages = 1UL << 22; /* 16 GiB */
    char *base = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, ANON | MAP_NORESERVE, -1, 0);
    HOLDS(base != MAP_FAILED);
    base[0] = 1, base[pages / 2 * PAGE] = 2, base[(pages - 1) * PAGE] = 3;
    char *other = mremap(base, pages * PAGE, (pages + 16) * PAGE, MREMAP_MAYMOVE);
    HOLDS(other != MAP_FAILED && other[0] == 1 && other[pages / 2 * PAGE] == 2 && other[(pages - 1) * PAGE] == 3);
    char *room = mmap(NULL, (pages + 16) * PAGE, PROT_NONE, ANON | MAP_NORESERVE, -1, 0);
    HOLDS(mremap(other, (pages + 16) * PAGE, (pages + 16) * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, room) == room);
    HOLDS(room[0] == 1 && room[pages / 2 * PAGE] == 2 && room[(pages - 1) * PAGE] == 3);
    SHOW(munmap(room, (pages + 16) * PAGE));
}

static void promises(void)
{
    SHOW(tried(NULL, 1UL << 46, RW, ANON, -1, 0));
    SHOW(tried(NULL, 1UL << 46, PROT_NONE, ANON, -1, 0));
    SHOW(tried(NULL, 32UL << 30, PROT_NONE, ANON, -1, 0));
    HOLDS(malloc(1UL << 46) == NULL);
    char *base = mmap(NULL, 1UL << 46, PROT_NONE, ANON, -1, 0);
    SHOW(mprotect(base, 1UL << 46, RW));
    SHOW(mprotect(base + (1UL << 40), PAGE, RW));
    SHOW(touch(base + (1UL << 40), 1));
    munmap(base, 1UL << 46);
    char *end = (char *)syscall(SYS_brk, 0L);
    HOLDS((char *)syscall(SYS_brk, end + (64UL << 40)) == end);
}

static void limits(void)
{
    struct rlimit old, small;
    getrlimit(RLIMIT_AS, &old);
    small = old;
    small.rlim_cur = 200UL << 20;
    setrlimit(RLIMIT_AS, &small);
    SHOW(tried(NULL, 100UL << 20, PROT_NONE, ANON, -1, 0));
    SHOW(tried(NULL, 300UL << 20, PROT_NONE, ANON, -1, 0));
    char *base = map(1, RW, ANON);
    HOLDS(mremap(base, PAGE, 300UL << 20, MREMAP_MAYMOVE) == MAP_FAILED && errno == ENOMEM);
    char *end = (char *)syscall(SYS_brk, 0L);
    HOLDS((char *)syscall(SYS_brk, end + (300UL << 20)) == end);
    setrlimit(RLIMIT_AS, &old);
    getrlimit(RLIMIT_DATA, &old);
    small = old;
    small.rlim_cur = 32UL << 20;
    setrlimit(RLIMIT_DATA, &small);
    SHOW(tried(NULL, 40UL << 20, RW, ANON, -1, 0));
    SHOW(tried(NULL, 40UL << 20, PROT_READ, ANON, -1, 0));
    SHOW(tried(NULL, 40UL << 20, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    SHOW(tried(NULL, 8UL << 20, RW, ANON, -1, 0));
    HOLDS((char *)syscall(SYS_brk, end + (40UL << 20)) == end);
    setrlimit(RLIMIT_DATA, &old);
    munmap(base, PAGE);
}

/* Many regions: protections alternate, so that none can be merged. In near linear time, up to the limit. */
static void crowds(void)
{
    static char *page[16000];
    int count = 0, good = 1;
    while (count < 16000 && (page[count] = map(1, count % 2 ? RW : PROT_READ, ANON)) != MAP_FAILED) {
        count++;
    }
    SHOW(count);
    for (int i = 1; i < count; i += 2) {
        *page[i] = i;
    }
    for (int i = 1; i < count; i += 2) {
        good &= *page[i] == (char)i;
    }
    HOLDS(good);
    for (int i = 0; i < count; i += 2) {
        good &= munmap(page[i], PAGE) == 0;
    }
    for (int i = 0; i < count; i += 2) {
        good &= (page[i] = map(1, PROT_READ, ANON)) != MAP_FAILED; /* each hole is found again */
    }
    HOLDS(good);
    for (int i = 0; i < count; i++) {
        munmap(page[i], PAGE);
    }
    /* One region split at every other page until it cannot be. */
    unsigned long pages = 140000, splits = 0;
    char *base = mmap(NULL, pages * PAGE, PROT_NONE, ANON | MAP_NORESERVE, -1, 0);
    while (splits < pages / 2 && mprotect(base + 2 * splits * PAGE, PAGE, PROT_READ) == 0) {
        splits++;
    }
    int error = errno;
    HOLDS(error == ENOMEM && splits > 32000 && splits < 32768);
    HOLDS(munmap(base, pages * PAGE) == 0 && tried(NULL, PAGE, RW, ANON, -1, 0) == 0);
}

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_sigaction = caught, .sa_flags = SA_SIGINFO | SA_NODEFER};
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    flags(open(argv[0], O_RDONLY));
    places();
    protections();
    files();
    advice();
    locks();
    moves();
    large_moves();
    promises();
    limits();
    crowds();
    return 0;
}
