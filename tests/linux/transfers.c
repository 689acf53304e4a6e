// SPDX-License-Identifier: MIT
// build: musl
// flags: -w
/* Transfers at their edges: memory that ends in the middle, sizes and offsets beyond all measure, vectors; what
   has been moved before a fault is reported. */
#include "test.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#define PAGE 4096L

static char *edge; /* two pages before it, nothing behind it */
static int file;

static void make_edge(void)
{
    char *base = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(base + 2 * PAGE, 2 * PAGE);
    edge = base + 2 * PAGE;
}

static void partial(void)
{
    static char bytes[3 * PAGE];
    int zero = open("/dev/zero", O_RDWR), random = open("/dev/urandom", O_RDONLY),
        null = open("/dev/null", O_RDWR);

    SHOW(pread(file, edge - 100, 200, 0));
    HOLDS(pread(file, bytes, 100, 0) == 100 && memcmp(bytes, edge - 100, 100) == 0);
    SHOW(pread(file, edge - PAGE - 100, 2 * PAGE, 1));
    HOLDS(pread(file, bytes, PAGE + 100, 1) == PAGE + 100 &&
          memcmp(bytes, edge - PAGE - 100, PAGE + 100) == 0);
    SHOW(pread(file, edge, 1, 0));
    SHOW(pread(file, edge - 1, 2, 0));
    SHOW(lseek(file, 0, SEEK_SET));
    SHOW(read(file, edge - 10, 20));
    SHOW(lseek(file, 0, SEEK_CUR));
    SHOW(read(file, edge, 20));
    SHOW(lseek(file, 0, SEEK_CUR));
    SINCE(6, 4, read(zero, edge - 50, 100), 50);
    SINCE(6, 4, read(zero, edge - PAGE - 50, 2 * PAGE), PAGE + 50);
    SHOW(read(zero, edge, 100));
    SINCE(5, 18, read(random, edge - 50, 100), 50);
    SHOW(read(random, edge, 100));
    SINCE(5, 18, syscall(SYS_getrandom, edge - 50, 100, 0), 50);
    SHOW(syscall(SYS_getrandom, edge, 100, 0));
    SHOW(syscall(SYS_getrandom, edge, 0, 0));
    SHOW(syscall(SYS_getrandom, edge - 8, 8, 8));
    SHOW(syscall(SYS_getrandom, edge - 8, 8, 6));
    SHOW(write(null, edge, 100)); /* never looked at */
    SHOW(write(zero, edge, 100));
    SHOW(write(1, edge, 10));
    close(zero);
    close(random);
    close(null);
}

static void sizes(void)
{
    char byte;
    int null = open("/dev/null", O_RDWR);

    SHOW(read(file, (void *)-1L, 1));
    SHOW(read(file, (void *)-1L, 0));
    SHOW(read(file, NULL, 0));
    SHOW(read(file, &byte, -1L));
    SHOW(write(null, &byte, -1L));
    SHOW(write(null, NULL, INT_MAX)); /* as much as one call moves */
    SHOW(write(null, NULL, 1L << 40));
    SHOW(read(null, NULL, 1L << 40));
    SHOW(write(file, &byte, 1));
    SHOW(write(file, (void *)-1L, 1));
    SHOW(pread(file, &byte, 1, LONG_MAX));
    SHOW(pread(file, &byte, 0, LONG_MAX));
    SHOW(pread(file, &byte, 1, LONG_MAX - 1));
    SHOW(pread(file, &byte, 1, LONG_MIN));
    SHOW(pread(99, &byte, 1, -1));
    SHOW(pread(99, &byte, 1, 1));
    SHOW(pwrite(file, &byte, 1, 0));
    SHOW(pwrite(null, &byte, 1, 0));
    SHOW(pread(1, &byte, 1, 0));
    int folder = open("/dev", O_RDONLY);
    SHOW(read(folder, &byte, 1));
    SHOW(read(folder, &byte, 0));
    SHOW(pread(folder, &byte, 1, 0));
    SHOW(read(folder, (void *)-1L, 1));
    struct iovec v = {&byte, 1};
    SHOW(readv(folder, &v, 1));
    close(folder);
    close(null);
}

static void seeks(void)
{
    int null = open("/dev/null", O_RDONLY);
    char byte;

    SHOW(lseek(file, 1L << 40, SEEK_SET));
    SHOW(read(file, &byte, 1));
    SHOW(lseek(file, LONG_MAX, SEEK_CUR));
    SHOW(lseek(file, LONG_MAX, SEEK_END));
    SHOW(lseek(file, LONG_MIN, SEEK_END));
    SHOW(lseek(file, -1, SEEK_SET));
    SHOW(lseek(file, 5, SEEK_SET));
    SHOW(lseek(file, -6, SEEK_CUR));
    SHOW(lseek(file, 0, -1));
    SHOW(lseek(file, 0, 5));
    SHOW(lseek(file, 0, SEEK_DATA));
    SHOW(lseek(file, LONG_MAX, SEEK_DATA));
    HOLDS(lseek(file, 0, SEEK_HOLE) == lseek(file, 0, SEEK_END));
    SHOW(lseek(null, 100, SEEK_SET));
    SHOW(lseek(null, 100, 77));
    SHOW(lseek(1, 0, SEEK_CUR));
    SHOW(lseek(1, 0, 77));
    SHOW(lseek(99, 0, 77));
    int path = open("/dev/null", O_PATH);
    SHOW(lseek(path, 0, SEEK_SET));
    close(path);
    close(null);
}

static void vectors(void)
{
    char a[8], b[8];
    static struct iovec many[1025];
    struct iovec *cut = (struct iovec *)edge - 1;
    struct iovec v[3] = {{a, 4}, {edge - 2, 4}, {b, 4}};
    int null = open("/dev/null", O_RDWR);

    SHOW(lseek(file, 0, SEEK_SET));
    SHOW(readv(file, v, 3)); /* what is there up to the fault */
    SHOW(lseek(file, 0, SEEK_CUR));
    v[0].iov_base = edge;
    SHOW(readv(file, v, 3));
    v[0] = (struct iovec){(void *)-1L, 1}, v[1] = (struct iovec){a, -1};
    SINCE(5, 10, readv(file, v, 2), -EINVAL); /* a length before an address */
    v[1] = (struct iovec){a, 1};
    SHOW(readv(file, v, 2));
    v[0] = (struct iovec){a, 1}, v[1] = (struct iovec){(void *)-1L, 1};
    SHOW(readv(file, v, 2));
    v[1] = (struct iovec){(void *)-1L, 0};
    SHOW(readv(file, v, 2));
    *cut = (struct iovec){a, 1};
    SHOW(readv(file, cut, 1));
    SHOW(readv(file, cut, 2)); /* the second piece is not there to be read */
    SHOW(readv(file, cut, -1));
    for (int i = 0; i < 1025; i++) {
        many[i] = (struct iovec){a + i % 8, 1};
    }
    SHOW(readv(file, many, 1024));
    SHOW(readv(file, many, 1025));
    SHOW(readv(file, many, INT_MIN));
    SHOW(readv(99, many, 1025));
    SHOW(writev(file, many, 1));
    SHOW(writev(null, many, 1024));
    for (int i = 0; i < 3; i++) {
        many[i] = (struct iovec){(void *)PAGE, 0x7fffffff}; /* never looked at */
    }
    SHOW(writev(null, many, 3));
    SHOW(writev(null, many, 0));
    SHOW(writev(null, NULL, 0));
    SHOW(writev(null, NULL, 1));
    SHOW(preadv(file, many + 5, 3, -1));
    SHOW(preadv(file, many + 5, 3, 1));
    HOLDS(a[5] == 'E' && a[6] == 'L' && a[7] == 'F');
    SHOW(preadv(1, many + 5, 3, 1));
    SHOW(preadv(99, many + 5, 3, 1));
    SHOW(pwritev(null, many + 5, 3, 1));
    close(null);
}

static void sending(void)
{
    int null = open("/dev/null", O_WRONLY), append = open("/dev/null", O_WRONLY | O_APPEND), left;
    off_t offset = 1;

    SHOW(sendfile(null, file, (off_t *)8, 1));
    SHOW(sendfile(99, 98, (off_t *)8, 1));
    offset = -1;
    SHOW(sendfile(null, file, &offset, 1));
    offset = LONG_MAX;
    SHOW(sendfile(null, file, &offset, 1));
    offset = 1L << 40;
    SHOW(sendfile(null, file, &offset, 1));
    SHOW(offset);
    offset = 0;
    SHOW(sendfile(null, 1, &offset, 1));
    SHOW(sendfile(null, null, NULL, 1));
    SHOW(sendfile(null, file, &offset, 0));
    SHOW(sendfile(null, file, &offset, -1L));
    SHOW(sendfile(file, null, NULL, 1));
    SHOW(sendfile(append, file, &offset, 1));
    int folder = open("/dev", O_RDONLY);
    SHOW(sendfile(null, folder, NULL, 1));
    close(folder);
    lseek(file, 3, SEEK_SET);
    long size = lseek(file, 0, SEEK_END);
    SHOW(lseek(file, -7, SEEK_END) - size);
    SHOW(ioctl(file, FIONREAD, &left));
    SHOW(left);
    SHOW(lseek(file, 7, SEEK_END) - size);
    SHOW(ioctl(file, FIONREAD, &left));
    SHOW(left);
    SHOW(ioctl(file, FIONREAD, 8L));
    SHOW(ioctl(null, FIONREAD, &left));
    close(null);
    close(append);
}

int main(void)
{
    setvbuf(stdout, NULL, _IONBF, 0);
    file = open("/proc/self/exe", O_RDONLY);
    make_edge();
    partial();
    sizes();
    seeks();
    vectors();
    sending();
    return 0;
}
