// SPDX-License-Identifier: MIT
// build: musl
// flags: -w
/* Pipes by one program: their flags, what fits, what is parted and what is not, ends that are closed, packets,
   sizes, and what poll says of them. */
#include "test.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>

static char page[65536 * 2];

static int fill(int fd, int size)
{
    int count = 0;
    while (write(fd, page, size) == size) {
        count++;
    }
    return count;
}

static int poll_of(int fd, int events)
{
    struct pollfd p = {.fd = fd, .events = events};
    poll(&p, 1, 0);
    return p.revents;
}

static int available(int fd)
{
    int n = -1;
    ioctl(fd, FIONREAD, &n);
    return n;
}

static void making(void)
{
    int p[2] = {-1, -1};
    struct stat st;
    char link[64] = "";

    SHOW(pipe2(p, 0x1));
    SHOW(syscall(SYS_pipe2, 8L, 0));
    SHOW(syscall(SYS_pipe, 8L));
    SHOW(pipe2(p, O_CLOEXEC | O_NONBLOCK));
    printf("%d %d\n", p[0], p[1]); /* none was left open by the failures */
    printf("%o %o %d %d\n", fcntl(p[0], F_GETFL), fcntl(p[1], F_GETFL), fcntl(p[0], F_GETFD),
           fcntl(p[1], F_GETFD));
    SHOW(fstat(p[0], &st));
    printf("%o %d\n", (unsigned)st.st_mode, (int)st.st_size);
    char name[32];
    snprintf(name, sizeof(name), "/proc/self/fd/%d", p[0]);
    HOLDS(readlink(name, link, sizeof(link) - 1) > 7 && strncmp(link, "pipe:[", 6) == 0);
    SHOW(write(p[0], "x", 1));
    SHOW(read(p[1], link, 1));
    SHOW(read(p[0], link, 1));
    SHOW(read(p[0], link, 0));
    SHOW(write(p[1], link, 0));
    SHOW(lseek(p[0], 0, SEEK_SET));
    SHOW(pread(p[0], link, 1, 0));
    SHOW(pwrite(p[1], link, 1, 0));
    SHOW(ftruncate(p[1], 0));
    SHOW(fsync(p[1]));
    close(p[0]);
    close(p[1]);
}

static void filling(void)
{
    int p[2];

    pipe2(p, O_NONBLOCK);
    SHOW(fill(p[1], 1));
    SHOW(available(p[0]));
    printf("poll %x %x\n", poll_of(p[0], POLLIN | POLLOUT), poll_of(p[1], POLLIN | POLLOUT));
    SHOW(read(p[0], page, 4095));
    printf("poll %x %x\n", poll_of(p[0], POLLIN), poll_of(p[1], POLLOUT));
    SHOW(read(p[0], page, 1));
    printf("poll %x %x\n", poll_of(p[0], POLLIN), poll_of(p[1], POLLOUT));
    SHOW(write(p[1], page, 5000));
    SHOW(write(p[1], page, 4096));
    SHOW(available(p[0]));
    SHOW(read(p[0], page, sizeof(page)));
    SHOW(read(p[0], page, 1));
    SHOW(write(p[1], page, sizeof(page)));
    SHOW(write(p[1], page, sizeof(page)));
    SHOW(read(p[0], page, 100));
    SHOW(write(p[1], page, 100));
    close(p[0]);
    close(p[1]);
    pipe2(p, O_NONBLOCK);
    SHOW(fill(p[1], 4095)); /* nothing of at most PIPE_BUF bytes is parted */
    SHOW(read(p[0], page, 4095));
    SHOW(write(p[1], page, 4096));
    SHOW(available(p[0]));
    close(p[0]);
    close(p[1]);
}

static void contents(void)
{
    int p[2];
    unsigned written = 0, got = 0, wrong = 0;

    pipe2(p, O_NONBLOCK);
    for (int round = 0; round < 400; round++) {
        unsigned char bytes[9000];
        int size = 1 + round * 37 % 8999, done;
        for (int i = 0; i < size; i++) {
            bytes[i] = (unsigned char)((written + i) * 31 >> 3);
        }
        done = write(p[1], bytes, size);
        written += done > 0 ? done : 0;
        done = read(p[0], bytes, 1 + round * 53 % 8500);
        for (int i = 0; i < done; i++, got++) {
            wrong += bytes[i] != (unsigned char)(got * 31 >> 3);
        }
    }
    HOLDS(wrong == 0 && got > 400000);
    HOLDS(available(p[0]) == (int)(written - got));
    close(p[0]);
    close(p[1]);
}

static void vectors(void)
{
    int p[2];
    char a[4] = "", b[8] = "";
    struct iovec out[3] = {{"one", 3}, {"", 0}, {"twenty", 6}}, in[2] = {{a, 3}, {b, 7}};

    pipe(p);
    SHOW(writev(p[1], out, 3));
    SHOW(readv(p[0], in, 2));
    printf("%s %s\n", a, b);
    SHOW(write(p[1], (void *)8, 1));
    SHOW(available(p[0]));
    SHOW(write(p[1], "abc", 3));
    SHOW(read(p[0], (void *)8, 3));
    SHOW(available(p[0]));
    SHOW(read(p[0], a, 3));
    close(p[0]);
    close(p[1]);
}

static volatile int signals;
static void on_signal(int sig)
{
    signals++;
}

static void ends(void)
{
    int p[2];
    char c;

    signal(SIGPIPE, on_signal);
    pipe(p);
    SHOW(write(p[1], "ab", 2));
    close(p[1]);
    printf("poll %x\n", poll_of(p[0], POLLIN));
    SHOW(read(p[0], &c, 1));
    SHOW(read(p[0], &c, 1));
    SHOW(read(p[0], &c, 1));
    printf("poll %x %x\n", poll_of(p[0], POLLIN), poll_of(p[0], 0));
    close(p[0]);

    pipe(p);
    SHOW(write(p[1], "ab", 2));
    close(p[0]);
    printf("poll %x\n", poll_of(p[1], POLLOUT));
    SHOW(write(p[1], "c", 1));
    SHOW(signals);
    SHOW(write(p[1], "c", 0));
    signal(SIGPIPE, SIG_IGN);
    SHOW(write(p[1], "c", 1));
    SHOW(signals);
    close(p[1]);
    signal(SIGPIPE, SIG_DFL);
}

static void packets(void)
{
    int p[2];
    char b[16];

    pipe2(p, O_DIRECT | O_NONBLOCK);
    SHOW(write(p[1], "first", 5));
    SHOW(write(p[1], "second", 6));
    SHOW(available(p[0]));
    SHOW(read(p[0], b, 3)); /* the rest of the packet is lost */
    SHOW(read(p[0], b, 16));
    SHOW(read(p[0], b, 16));
    SHOW(write(p[1], page, 5000));
    SHOW(read(p[0], page, 8192));
    SHOW(read(p[0], page, 8192));
    SHOW(fill(p[1], 1));
    SHOW(fcntl(p[1], F_SETFL, O_NONBLOCK));
    SHOW(read(p[0], b, 16));
    SHOW(write(p[1], "a", 1));
    SHOW(write(p[1], "b", 1));
    while (read(p[0], b, 1) == 1 && available(p[0]) > 2) {}
    SHOW(read(p[0], b, 16));
    close(p[0]);
    close(p[1]);
}

static void sizes(void)
{
    int p[2];

    pipe2(p, O_NONBLOCK);
    SHOW(fcntl(p[0], F_GETPIPE_SZ));
    SHOW(fcntl(p[0], F_SETPIPE_SZ, 1));
    SHOW(fill(p[1], 1000));
    SHOW(fcntl(p[1], F_SETPIPE_SZ, 5000));
    SHOW(write(p[1], page, 4096));
    SHOW(fcntl(p[1], F_SETPIPE_SZ, 4096));
    SHOW(fcntl(p[1], F_SETPIPE_SZ, 0));
    SHOW(fcntl(p[1], F_SETPIPE_SZ, -1));
    SHOW(fcntl(p[1], F_SETPIPE_SZ, 1048576));
    SHOW(write(p[1], page, sizeof(page)));
    SHOW(available(p[0]));
    SHOW(fcntl(0, F_GETPIPE_SZ));
    SHOW(fcntl(open("/dev/null", O_RDONLY), F_GETPIPE_SZ));
    close(p[0]);
    close(p[1]);
}

static void opened_again(void)
{
    int p[2], again;
    char name[32], b[4];

    pipe(p);
    snprintf(name, sizeof(name), "/proc/self/fd/%d", p[0]);
    HOLDS((again = open(name, O_WRONLY)) >= 0);
    SHOW(write(again, "abc", 3));
    SHOW(read(p[0], b, 4));
    close(p[1]);
    printf("poll %x\n", poll_of(p[0], POLLIN));
    close(again);
    printf("poll %x\n", poll_of(p[0], POLLIN));
    close(p[0]);
}

int main(void)
{
    making();
    filling();
    contents();
    vectors();
    ends();
    packets();
    sizes();
    opened_again();
    return 0;
}
