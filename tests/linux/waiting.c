// SPDX-License-Identifier: MIT
// build: musl
// flags: -w
/* Waiting against all that may come between, in many processes at once: writers and readers of one pipe, hops
   between two, ends that close, signals, kill -9 of those that wait, fifos that are opened from both sides, poll,
   epoll and eventfd across processes. Nothing depends on who is faster. */
#include "test.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define WORKERS 6
#define WORDS   150

static int wait_all(int count)
{
    int status, failed = 0;
    while (count-- > 0) {
        failed += wait(&status) < 0 || status != 0;
    }
    return failed;
}

/* Many write words, many read them: each is read once, and whole. */
static void storm(void)
{
    int p[2], sums[2];
    unsigned long sum = 0, expected = 0, count = 0;

    pipe(p);
    pipe(sums);
    for (int w = 0; w < WORKERS; w++) {
        if (fork() == 0) {
            for (unsigned i = 0; i < WORDS; i++) {
                uint64_t words[8];
                for (int j = 0; j < 8; j++) {
                    words[j] = w * WORDS + i + 1;
                }
                if (write(p[1], words, sizeof(words)) != sizeof(words)) {
                    _exit(1);
                }
            }
            _exit(0);
        }
        if (fork() == 0) {
            uint64_t words[8], mine[2] = {0, 0};
            long n;
            close(p[1]);
            while ((n = read(p[0], words, sizeof(words))) == sizeof(words)) {
                for (int j = 0; j < 8; j++) {
                    mine[0] += words[j] == words[0] ? words[j] : 1UL << 40;
                }
                mine[1]++;
            }
            write(sums[1], mine, sizeof(mine));
            _exit(n != 0);
        }
    }
    close(p[1]);
    close(p[0]);
    close(sums[1]);
    SHOW(wait_all(2 * WORKERS));
    uint64_t one[2];
    while (read(sums[0], one, sizeof(one)) == sizeof(one)) {
        sum += one[0];
        count += one[1];
    }
    for (unsigned long i = 1; i <= WORKERS * WORDS; i++) {
        expected += 8 * i;
    }
    HOLDS(sum == expected);
    SHOW(count);
    close(sums[0]);
}

static void ping_pong(void)
{
    int there[2], back[2], wrong = 0;
    unsigned char c;

    pipe(there);
    pipe(back);
    if (fork() == 0) {
        close(there[1]);
        while (read(there[0], &c, 1) == 1) {
            c++;
            write(back[1], &c, 1);
        }
        _exit(0);
    }
    for (int i = 0; i < 150; i++) {
        c = i;
        write(there[1], &c, 1);
        wrong += read(back[0], &c, 1) != 1 || c != (unsigned char)(i + 1);
    }
    SHOW(wrong);
    close(there[1]);
    SHOW(wait_all(1));
    close(there[0]);
    close(back[0]);
    close(back[1]);
}

/* Writes greater than the pipe, against a reader that takes odd pieces. */
static void through(void)
{
    static unsigned char data[200000];
    int p[2], got = 0, wrong = 0;
    long n;

    pipe(p);
    if (fork() == 0) {
        for (int i = 0; i < (int)sizeof(data); i++) {
            data[i] = i * 13 >> 3;
        }
        _exit(write(p[1], data, sizeof(data)) != sizeof(data));
    }
    close(p[1]);
    for (int size = 1; (n = read(p[0], data, size)) > 0; size = (size * 3 + 7) % 9001 + 1) {
        for (int i = 0; i < n; i++, got++) {
            wrong += data[i] != (unsigned char)(got * 13 >> 3);
        }
    }
    SHOW(got);
    SHOW(wrong);
    SHOW(wait_all(1));
    close(p[0]);
}

static void ends(void)
{
    int p[2], ready[2], status;
    char c, full[65536] = "";

    for (int i = 0; i < 16; i++) { /* readers that wait when the last writer goes, by exit or by kill -9 */
        pipe(p);
        pid_t writer = fork();
        if (writer == 0) {
            close(p[0]);
            if (i % 2) {
                pause();
            }
            _exit(0);
        }
        if (fork() == 0) {
            close(p[1]);
            _exit(read(p[0], &c, 1) != 0);
        }
        close(p[1]);
        close(p[0]);
        if (i % 2) {
            kill(writer, SIGKILL);
            waitpid(writer, &status, 0);
            if (wait_all(1) != 0) {
                printf("reader failed\n");
            }
        } else if (wait_all(2) != 0) {
            printf("failed\n");
        }
    }
    for (int i = 0; i < 10; i++) { /* a writer that waits when the last reader goes */
        pipe(p);
        pid_t writer = fork();
        if (writer == 0) {
            signal(SIGPIPE, SIG_IGN);
            close(p[0]);
            write(p[1], full, sizeof(full));
            _exit(!(write(p[1], full, 1) == -1 && errno == EPIPE));
        }
        close(p[1]);
        while (ioctl(p[0], 0x541b, &status) == 0 && status < 65536) {
            usleep(100);
        }
        close(p[0]);
        if (wait_all(1) != 0) {
            printf("writer failed\n");
        }
    }
    pipe(p); /* those that wait are killed, and the pipe works as before */
    pid_t waiting[8];
    for (int i = 0; i < 8; i++) {
        waiting[i] = fork();
        if (waiting[i] == 0) {
            read(p[0], &c, 1);
            _exit(0);
        }
    }
    usleep(5000);
    for (int i = 0; i < 8; i++) {
        kill(waiting[i], SIGKILL);
        waitpid(waiting[i], &status, 0);
        if (status != SIGKILL) {
            printf("status %x\n", status);
        }
    }
    SHOW(write(p[1], "a", 1));
    SHOW(read(p[0], &c, 1));
    close(p[0]);
    close(p[1]);
}

static volatile int signals;
static void on_signal(int sig)
{
    signals++;
}

static void broken_off(int flags, const char *what)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = flags};
    int p[2];
    char c = 0;
    pid_t parent = getpid();

    sigaction(SIGUSR1, &action, NULL);
    pipe(p);
    signals = 0;
    pid_t child = fork();
    if (child == 0) {
        for (int i = 0; i < 20; i++) { /* until the reader has been hit while it waits */
            kill(parent, SIGUSR1);
            usleep(2000);
        }
        write(p[1], "x", 1);
        _exit(0);
    }
    long n = read(p[0], &c, 1);
    printf("%s: %ld %s\n", what, n, n < 0 ? error_text(errno) : "");
    HOLDS(signals > 0);
    while (waitpid(child, NULL, 0) < 0) {
    }
    signal(SIGUSR1, SIG_IGN);
    close(p[0]);
    close(p[1]);
}

static void fifos(void)
{
    char b[8] = "";
    int fd, other;

    unlink("/tmp/l3-fifo");
    SHOW(mkfifo("/tmp/l3-fifo", 0600));
    SHOW(open("/tmp/l3-fifo", O_WRONLY | O_NONBLOCK));
    HOLDS((fd = open("/tmp/l3-fifo", O_RDONLY | O_NONBLOCK)) >= 0);
    struct pollfd f = {.fd = fd, .events = POLLIN};
    SHOW(poll(&f, 1, 0)); /* no writer yet: no end either */
    SHOW(read(fd, b, 1));
    HOLDS((other = open("/tmp/l3-fifo", O_WRONLY | O_NONBLOCK)) >= 0);
    SHOW(read(fd, b, 1));
    SHOW(write(other, "abc", 3));
    SHOW(poll(&f, 1, 0));
    SHOW(f.revents);
    close(other);
    SHOW(read(fd, b, 8));
    SHOW(poll(&f, 1, 0));
    SHOW(f.revents);
    close(fd);
    HOLDS((fd = open("/tmp/l3-fifo", O_RDWR)) >= 0);
    SHOW(write(fd, "kept", 4));
    HOLDS((other = open("/tmp/l3-fifo", O_RDONLY)) >= 0);
    close(fd);
    SHOW(read(other, b, 8));
    SHOW(read(other, b, 8));
    close(other);
    for (int i = 0; i < 20; i++) { /* both sides wait for each other, and the first may be gone again */
        if (fork() == 0) {
            fd = open("/tmp/l3-fifo", i % 2 ? O_RDONLY : O_WRONLY);
            _exit(fd < 0);
        }
        fd = open("/tmp/l3-fifo", i % 2 ? O_WRONLY : O_RDONLY);
        if (fd < 0 || wait_all(1) != 0) {
            printf("failed\n");
        }
        close(fd);
    }
    pid_t child = fork();
    if (child == 0) {
        open("/tmp/l3-fifo", O_RDONLY);
        _exit(0);
    }
    usleep(3000);
    kill(child, SIGKILL);
    int status;
    waitpid(child, &status, 0);
    SHOW(status);
    SHOW(open("/tmp/l3-fifo", O_WRONLY | O_NONBLOCK)); /* nobody is left there */
    SHOW(unlink("/tmp/l3-fifo"));
}

/* Whoever polls is woken by another process, whatever the order. */
static void polled(void)
{
    int p[2], q[2], ep = epoll_create1(0), ev = eventfd(0, 0), done = eventfd(0, 0), sum = 0;
    struct epoll_event e = {.events = EPOLLIN};
    uint64_t one = 1, value;
    char c;

    pipe(p);
    socketpair(AF_UNIX, SOCK_STREAM, 0, q);
    e.data.fd = p[0];
    epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &e);
    e.data.fd = q[0];
    epoll_ctl(ep, EPOLL_CTL_ADD, q[0], &e);
    e.data.fd = ev;
    epoll_ctl(ep, EPOLL_CTL_ADD, ev, &e);
    for (int w = 0; w < 3; w++) {
        if (fork() == 0) {
            for (int i = 0; i < 100; i++) {
                if (w == 0) {
                    write(p[1], "a", 1);
                } else if (w == 1) {
                    write(q[1], "b", 1);
                } else {
                    write(ev, &one, 8);
                }
            }
            _exit(0);
        }
    }
    while (sum < 300) {
        struct epoll_event got[4];
        int n = epoll_wait(ep, got, 4, -1);
        for (int i = 0; i < n; i++) {
            if (got[i].data.fd == ev) {
                sum += read(ev, &value, 8) == 8 ? (int)value : 10000;
            } else {
                sum += read(got[i].data.fd, &c, 1) == 1 ? 1 : 10000;
            }
        }
    }
    SHOW(sum);
    SHOW(wait_all(3));
    if (fork() == 0) {
        for (int i = 0; i < 80; i++) {
            struct pollfd f[2] = {{p[0], POLLIN}, {q[0], POLLIN}};
            if (poll(f, 2, -1) < 1 || read(f[0].revents ? p[0] : q[0], &c, 1) != 1) {
                _exit(1);
            }
            write(done, &one, 8);
        }
        _exit(0);
    }
    for (int i = 0; i < 80; i++) {
        write(i % 3 ? p[1] : q[1], "c", 1);
        read(done, &value, 8);
    }
    SHOW(wait_all(1));
    for (int w = 0; w < 4; w++) { /* several wait for one instance; each event goes to one of them */
        if (fork() == 0) {
            int mine = 0;
            fcntl(p[0], F_SETFL, O_NONBLOCK);
            for (;;) {
                struct epoll_event got;
                if (epoll_wait(ep, &got, 1, -1) != 1) {
                    _exit(1);
                }
                if (read(got.data.fd, &c, 1) == 1) {
                    if (c == 'q') {
                        _exit(0);
                    }
                }
            }
        }
    }
    for (int i = 0; i < 100; i++) {
        write(p[1], "n", 1);
    }
    for (int i = 0; i < 4; i++) {
        write(p[1], "q", 1);
    }
    SHOW(wait_all(4));
    close(ep);
}

int main(void)
{
    setvbuf(stdout, NULL, _IONBF, 0);
    storm();
    ping_pong();
    through();
    ends();
    broken_off(0, "interrupted");
    broken_off(SA_RESTART, "restarted");
    fifos();
    polled();
    return 0;
}
