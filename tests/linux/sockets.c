// SPDX-License-Identifier: MIT
// build: musl
// flags: -w
/* Unix-domain sockets: pairs, names, connections, datagrams, what goes along with bytes, options, the ends. */
#include "test.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>

static char big[300000];

static int poll_of(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT | POLLRDHUP};
    poll(&p, 1, 0);
    return p.revents;
}

static socklen_t name_of(struct sockaddr_un *name, const char *path, int length)
{
    memset(name, 0, sizeof(*name));
    name->sun_family = AF_UNIX;
    memcpy(name->sun_path, path, length);
    return offsetof(struct sockaddr_un, sun_path) + length;
}

static void kinds(void)
{
    int p[2], fd;
    struct stat st;

    SHOW(socket(AF_INET, SOCK_STREAM | 0x100, 0));
    SHOW(socket(AF_UNIX, 77, 0));
    SHOW(socket(AF_UNIX, SOCK_RDM, 0));
    SHOW(socket(AF_UNIX, SOCK_STREAM, 5));
    SHOW(socket(12345, SOCK_STREAM, 0));
    SHOW(socketpair(AF_UNIX, SOCK_STREAM, 0, (void *)8));
    HOLDS((fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) >= 0);
    printf("%o %d\n", fcntl(fd, F_GETFL), fcntl(fd, F_GETFD));
    fstat(fd, &st);
    printf("%o\n", st.st_mode);
    close(fd);
    SHOW(listen(0, 1));
    SHOW(listen(999, 1));
    HOLDS(socketpair(AF_UNIX, SOCK_STREAM, 0, p) == 0);
    SHOW(lseek(p[0], 0, SEEK_SET));
    SHOW(pread(p[0], big, 1, 0));
    SHOW(listen(p[0], 1));
    SHOW(accept(p[0], NULL, NULL));
    close(p[0]);
    close(p[1]);
}

static void pair(int type)
{
    int p[2], n;
    char b[64] = "";

    printf("type %d\n", type);
    SHOW(socketpair(AF_UNIX, type, 0, p));
    SHOW(poll_of(p[0]));
    SHOW(write(p[0], "hello", 5));
    SHOW(send(p[0], " you", 4, 0));
    SHOW(poll_of(p[1]));
    SHOW(ioctl(p[1], FIONREAD, &n));
    SHOW(n);
    SHOW(recv(p[1], b, 3, MSG_PEEK));
    SHOW(recv(p[1], b, 3, MSG_PEEK | MSG_TRUNC));
    SHOW(recv(p[1], b, 7, 0));
    printf("%.9s\n", b);
    SHOW(recv(p[1], b, 64, MSG_DONTWAIT));
    SHOW(recv(p[1], b, 64, MSG_DONTWAIT));
    SHOW(recv(p[1], b, 64, MSG_OOB));
    SHOW(send(p[1], (void *)8, 4, 0));
    SHOW(send(p[1], "x", 1, 0));
    SHOW(recv(p[0], (void *)8, 4, 0));
    SHOW(recv(p[0], b, 4, MSG_DONTWAIT));
    SHOW(shutdown(p[0], 3));
    SHOW(shutdown(p[0], SHUT_WR));
    SHOW(send(p[0], "x", 1, MSG_NOSIGNAL));
    SHOW(poll_of(p[1]));
    if (type != SOCK_DGRAM) {
        SHOW(read(p[1], b, 1));
        SHOW(write(p[1], "back", 4));
        SHOW(read(p[0], b, 64));
    }
    SHOW(shutdown(p[1], SHUT_RDWR));
    SHOW(poll_of(p[1]));
    SHOW(poll_of(p[0]));
    close(p[0]);
    SHOW(send(p[1], "x", 1, MSG_NOSIGNAL));
    close(p[1]);
    socketpair(AF_UNIX, type, 0, p);
    write(p[0], "unread", 6);
    close(p[0]);
    SHOW(poll_of(p[1]));
    SHOW(recv(p[1], b, 64, MSG_DONTWAIT));
    SHOW(recv(p[1], b, 64, MSG_DONTWAIT));
    SHOW(send(p[1], "x", 1, MSG_NOSIGNAL));
    close(p[1]);
    socketpair(AF_UNIX, type, 0, p);
    write(p[0], "unread", 6);
    close(p[1]);
    if (type != SOCK_DGRAM) {
        SHOW(recv(p[0], b, 64, MSG_DONTWAIT));
        SHOW(recv(p[0], b, 64, MSG_DONTWAIT));
    }
    close(p[0]);
}

static void names(void)
{
    struct sockaddr_un name, got;
    socklen_t size;
    int s, c, a, d;
    struct stat st;
    char b[8];

    unlink("/tmp/l3-socket");
    s = socket(AF_UNIX, SOCK_STREAM, 0);
    size = name_of(&name, "/tmp/l3-socket", 15);
    SHOW(bind(s, (void *)&name, 1));
    SHOW(bind(s, (void *)&name, sizeof(name) + 1));
    SHOW(listen(s, 1));
    SHOW(bind(s, (void *)&name, size));
    SHOW(bind(s, (void *)&name, size));
    SHOW(stat("/tmp/l3-socket", &st));
    SHOW(S_ISSOCK(st.st_mode));
    SHOW(open("/tmp/l3-socket", O_RDWR));
    c = socket(AF_UNIX, SOCK_STREAM, 0);
    SHOW(bind(c, (void *)&name, size));
    SHOW(connect(c, (void *)&name, size));
    SHOW(poll_of(c));
    SHOW(send(c, "x", 1, MSG_NOSIGNAL));
    SHOW(recv(c, b, 1, MSG_DONTWAIT));
    SHOW(listen(s, 1));
    SHOW(poll_of(s));
    SHOW(connect(c, (void *)&name, size));
    SHOW(connect(c, (void *)&name, size));
    SHOW(write(c, "early", 5));
    SHOW(poll_of(s));
    size = sizeof(got);
    HOLDS((a = accept4(s, (void *)&got, &size, SOCK_CLOEXEC)) >= 0);
    SHOW(size);
    SHOW(fcntl(a, F_GETFD));
    size = sizeof(got);
    SHOW(getpeername(c, (void *)&got, &size));
    printf("%d %s\n", (int)size, got.sun_path);
    size = sizeof(got);
    SHOW(getsockname(a, (void *)&got, &size));
    printf("%d %s\n", (int)size, got.sun_path);
    size = 4;
    SHOW(getsockname(a, (void *)&got, &size));
    SHOW(size);
    SHOW(read(a, b, 8));
    fcntl(s, F_SETFL, O_NONBLOCK);
    SHOW(accept(s, NULL, NULL));
    d = socket(AF_UNIX, SOCK_DGRAM, 0);
    size = name_of(&name, "/tmp/l3-socket", 15);
    SHOW(connect(d, (void *)&name, size));
    close(d);
    close(c);
    SHOW(read(a, b, 8));
    close(a);
    c = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    a = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    d = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    SHOW(connect(a, (void *)&name, size));
    SHOW(connect(c, (void *)&name, size));
    SHOW(connect(d, (void *)&name, size)); /* two wait already */
    close(s);
    SHOW(recv(a, b, 1, 0));
    SHOW(connect(d, (void *)&name, size));
    close(a);
    close(c);
    close(d);
    SHOW(unlink("/tmp/l3-socket"));
    s = socket(AF_UNIX, SOCK_STREAM, 0);
    SHOW(connect(s, (void *)&name, size));
    size = name_of(&name, "\0abstract\0name", 14);
    SHOW(bind(s, (void *)&name, size));
    SHOW(listen(s, 5));
    a = socket(AF_UNIX, SOCK_STREAM, 0);
    SHOW(bind(a, (void *)&name, size));
    SHOW(connect(a, (void *)&name, size - 1));
    SHOW(connect(a, (void *)&name, size));
    close(a);
    close(s);
    a = socket(AF_UNIX, SOCK_STREAM, 0);
    SHOW(connect(a, (void *)&name, size));
    name.sun_family = AF_UNIX;
    SHOW(bind(a, (void *)&name, 2));
    size = sizeof(got);
    getsockname(a, (void *)&got, &size);
    SHOW(size);
    SHOW(got.sun_path[0]);
    close(a);
}

static void datagrams(void)
{
    struct sockaddr_un name, from;
    socklen_t size, got = sizeof(from);
    int s = socket(AF_UNIX, SOCK_DGRAM, 0), c = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    char b[16];

    size = name_of(&name, "\0l3-server", 10);
    SHOW(bind(s, (void *)&name, size));
    SHOW(sendto(c, "one", 3, 0, (void *)&name, size));
    SHOW(recvfrom(s, b, 16, 0, (void *)&from, &got));
    SHOW(got);
    name_of(&from, "\0l3-client", 10);
    SHOW(bind(c, (void *)&from, size));
    SHOW(sendto(c, "", 0, 0, (void *)&name, size));
    SHOW(sendto(c, "longer", 6, 0, (void *)&name, size));
    got = sizeof(from);
    SHOW(recvfrom(s, b, 16, 0, (void *)&from, &got));
    printf("%d %s\n", (int)got, from.sun_path + 1);
    SHOW(recvfrom(s, b, 2, MSG_TRUNC, NULL, NULL));
    SHOW(send(c, "x", 1, 0));
    SHOW(connect(c, (void *)&name, size));
    SHOW(send(c, "x", 1, 0));
    SHOW(send(c, big, sizeof(big), 0));
    int count = 1;
    while (send(c, "y", 1, 0) == 1) {
        count++;
    }
    SHOW(count);
    SHOW(send(c, "y", 1, 0));
    SHOW(poll_of(c) & POLLOUT);
    SHOW(recv(s, b, 16, 0));
    SHOW(poll_of(c) & POLLOUT);
    SHOW(listen(s, 1));
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    SHOW(connect(c, &none, sizeof(none)));
    SHOW(send(c, "x", 1, 0));
    connect(c, (void *)&name, size);
    close(s);
    SHOW(send(c, "x", 1, 0));
    close(c);
}

/* Who polls for room where nobody is connected back hears of it, when a datagram is read and when the receiver closes. */
static void room(int closes)
{
    struct sockaddr_un name;
    int s = socket(AF_UNIX, SOCK_DGRAM, 0), c = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0), status;
    socklen_t size = name_of(&name, "\0l3-room", 8);
    char b[4];

    bind(s, (void *)&name, size);
    connect(c, (void *)&name, size);
    while (send(c, "y", 1, 0) == 1) {
    }
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        struct pollfd p = {.fd = c, .events = POLLOUT};
        close(s);
        _exit(poll(&p, 1, 20000) == 1 ? p.revents : 99);
    }
    usleep(50000);
    SHOW(closes ? close(s) : recv(s, b, 4, 0));
    waitpid(child, &status, 0);
    SHOW(WEXITSTATUS(status));
    close(c);
    close(s);
}

static int one;
static volatile int ready;

static void *bind_it(void *path)
{
    struct sockaddr_un name;
    socklen_t size = name_of(&name, path, strlen(path) + 1);

    __atomic_add_fetch(&ready, 1, __ATOMIC_SEQ_CST);
    while (ready < 2) {
    }
    bind(one, (void *)&name, size);
    return NULL;
}

/* Of two threads that bind a socket one gives it its name, and the other leaves nothing behind. */
static void two_names(void)
{
    int wrong = 0;

    for (int i = 0; i < 50; i++) {
        pthread_t thread;
        one = socket(AF_UNIX, SOCK_STREAM, 0);
        ready = 0;
        pthread_create(&thread, NULL, bind_it, "/tmp/l3-one");
        bind_it("/tmp/l3-two");
        pthread_join(thread, NULL);
        wrong += (unlink("/tmp/l3-one") == 0) + (unlink("/tmp/l3-two") == 0) != 1;
        close(one);
    }
    SHOW(wrong);
}

/* A sender that waits for room ends when its own socket is shut. */
static void shut_while_sending(void)
{
    int s[2], status;

    socketpair(AF_UNIX, SOCK_STREAM, 0, s);
    while (send(s[0], big, 4096, MSG_DONTWAIT) > 0) {
    }
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        _exit(send(s[0], big, 4096, MSG_NOSIGNAL) < 0 ? errno : 0);
    }
    usleep(50000);
    SHOW(shutdown(s[0], SHUT_WR));
    waitpid(child, &status, 0);
    HOLDS(WEXITSTATUS(status) == EPIPE);
    close(s[0]);
    close(s[1]);
}

static long give(int fd, const void *data, int size, int type, const void *control, int length)
{
    char space[CMSG_SPACE(64)] = "";
    struct iovec iov = {(void *)data, size};
    struct msghdr m = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = space, .msg_controllen = CMSG_SPACE(length)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = type;
    c->cmsg_len = CMSG_LEN(length);
    memcpy(CMSG_DATA(c), control, length);
    return sendmsg(fd, &m, MSG_NOSIGNAL);
}

/* What came: the bytes, flags, and the length of control data. fds: the descriptors that were in it. */
static int take(int fd, int size, int room, int flags, int *fds)
{
    char space[256] = "", data[64] = "";
    struct iovec iov = {data, size};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = space, .msg_controllen = room};
    long n = recvmsg(fd, &m, flags);
    int count = 0;

    printf("%ld '%s' flags %x control %d", n, data, n < 0 ? 0 : m.msg_flags,
           n < 0 ? 0 : (int)m.msg_controllen);
    for (struct cmsghdr *c = n < 0 ? NULL : CMSG_FIRSTHDR(&m); c != NULL; c = CMSG_NXTHDR(&m, c)) {
        printf(" type %d length %d", c->cmsg_type, (int)c->cmsg_len);
        if (c->cmsg_type == SCM_RIGHTS) {
            count = (c->cmsg_len - CMSG_LEN(0)) / 4;
            memcpy(fds, CMSG_DATA(c), count * 4);
        } else if (c->cmsg_type == SCM_CREDENTIALS) {
            struct ucred cred;
            memcpy(&cred, CMSG_DATA(c), sizeof(cred));
            printf(" %s",
                   cred.pid == getpid() && cred.uid == getuid() && cred.gid == getgid() ? "own" : "others'");
        }
    }
    printf("\n");
    return count;
}

static void rights(void)
{
    int s[2], p[2], fds[8] = {0}, got[64], on = 1;
    char b[8] = "";
    struct ucred cred = {getpid(), getuid(), getgid()};
    socklen_t size = sizeof(cred);

    socketpair(AF_UNIX, SOCK_STREAM, 0, s);
    pipe(p);
    fds[0] = p[0];
    fds[1] = p[1];
    SHOW(give(s[0], "a", 1, SCM_RIGHTS, fds, 8));
    SHOW(write(s[0], "bcd", 3));
    close(p[0]);
    SHOW(take(s[1], 60, 256, MSG_CMSG_CLOEXEC, got));
    SHOW(fcntl(got[0], F_GETFD));
    SHOW(write(p[1], "through", 7));
    SHOW(read(got[0], b, 8));
    close(got[0]);
    close(got[1]);
    SHOW(take(s[1], 60, 256, MSG_DONTWAIT, got));
    fds[0] = p[1];
    SHOW(give(s[0], "one of two", 10, SCM_RIGHTS, fds, 8));
    SHOW(take(s[1], 4, 24, 0, got)); /* room for two: CMSG_SPACE(4) is 24 */
    close(got[0]);
    close(got[1]);
    SHOW(take(s[1], 60, 256, 0, got));
    SHOW(give(s[0], "none", 4, SCM_RIGHTS, fds, 4));
    SHOW(take(s[1], 60, 0, 0, got));
    SHOW(give(s[0], "read", 4, SCM_RIGHTS, fds, 4));
    SHOW(read(s[1], b, 8));
    fds[0] = 999;
    SHOW(give(s[0], "bad", 3, SCM_RIGHTS, fds, 4));
    SHOW(give(s[0], "bad", 3, 77, fds, 4));
    SHOW(getsockopt(s[0], SOL_SOCKET, SO_PEERCRED, &cred, &size));
    HOLDS(cred.pid == getpid() && cred.uid == getuid() && size == sizeof(cred));
    SHOW(setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
    SHOW(write(s[0], "who", 3));
    SHOW(take(s[1], 60, 256, 0, got));
    SHOW(give(s[0], "me", 2, SCM_CREDENTIALS, &cred, sizeof(cred)));
    SHOW(take(s[1], 60, 256, 0, got));
    fds[0] = s[0]; /* in flight in itself, and unread when all are closed */
    fds[1] = s[1];
    SHOW(give(s[0], "self", 4, SCM_RIGHTS, fds, 8));
    close(s[0]);
    close(s[1]);
    close(p[1]);
    for (int i = 0; i < 300; i++) { /* one inside the other */
        socketpair(AF_UNIX, SOCK_DGRAM, 0, s);
        if (i > 0) {
            give(s[0], "x", 1, SCM_RIGHTS, fds, 4);
            close(fds[0]);
        }
        close(s[0]);
        fds[0] = s[1];
    }
    close(fds[0]);
}

/* What of a stream is read at once: on to the end of what has files along with it, and from one sender where that is told;
   whoever wants more than that does not wait for it. */
static void together(void)
{
    int s[2], p[2], got[64], on = 1;
    char b[8];

    socketpair(AF_UNIX, SOCK_STREAM, 0, s);
    pipe(p);
    SHOW(write(s[0], "abc", 3));
    SHOW(give(s[0], "def", 3, SCM_RIGHTS, p, 4));
    SHOW(give(s[0], "ghi", 3, SCM_RIGHTS, p, 8));
    SHOW(write(s[0], "jkl", 3));
    SHOW(take(s[1], 60, 256, MSG_PEEK, got));
    close(got[0]);
    SHOW(take(s[1], 60, 256, MSG_WAITALL, got));
    close(got[0]);
    SHOW(take(s[1], 60, 256, 0, got));
    close(got[0]);
    close(got[1]);
    SHOW(take(s[1], 3, 256, MSG_WAITALL, got));
    SHOW(setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
    SHOW(write(s[0], "mine", 4));
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        _exit(write(s[0], "its", 3) != 3);
    }
    waitpid(child, NULL, 0);
    SHOW(take(s[1], 60, 256, MSG_WAITALL, got));
    SHOW(take(s[1], 3, 256, MSG_WAITALL, got));
    close(s[0]);
    close(s[1]);
    socketpair(AF_UNIX, SOCK_DGRAM, 0, s); /* nothing at all is a datagram */
    SHOW(write(s[0], "", 0));
    SHOW(recv(s[1], b, 8, MSG_DONTWAIT));
    SHOW(recv(s[1], b, 8, MSG_DONTWAIT));
    SHOW(read(s[1], b, 0));
    close(s[0]);
    close(s[1]);
    close(p[0]);
    close(p[1]);
}

/* Sockets that hold each other in messages, and nobody else does: more than may be on their way together. */
static void circles(void)
{
    int a[2], b[2], fds[64], failed = 0;

    for (int i = 0; i < 300; i++) {
        socketpair(AF_UNIX, i % 2 ? SOCK_STREAM : SOCK_DGRAM, 0, a);
        socketpair(AF_UNIX, SOCK_STREAM, 0, b);
        for (int j = 0; j < 64; j++) {
            fds[j] = j % 4 == 0 ? a[0] : j % 4 == 1 ? a[1] : j % 4 == 2 ? b[0] : b[1];
        }
        struct iovec iov = {"c", 1};
        char space[CMSG_SPACE(256)] = "";
        struct msghdr m = {
            .msg_iov = &iov, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof(space)};
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(256);
        memcpy(CMSG_DATA(c), fds, 256);
        failed += sendmsg(i % 3 ? a[0] : b[0], &m, MSG_NOSIGNAL) != 1;
        failed += give(a[1], "d", 1, SCM_RIGHTS, b, 8) != 1;
        close(a[0]);
        close(a[1]);
        close(b[0]);
        close(b[1]);
    }
    SHOW(failed);
    socketpair(AF_UNIX, SOCK_STREAM, 0, a); /* one that somebody can read is not taken for such a one */
    socketpair(AF_UNIX, SOCK_STREAM, 0, b);
    give(a[0], "in b", 4, SCM_RIGHTS, b, 8);
    give(b[0], "in a", 4, SCM_RIGHTS, a, 8);
    close(b[0]);
    close(b[1]);
    close(a[0]);
    SHOW(take(a[1], 60, 256, 0, fds));
    SHOW(take(fds[1], 60, 256, 0, b));
    SHOW(write(b[0], "x", 1));
    SHOW(take(a[1], 60, 256, 0, fds));
}

static void on_alarm(int sig)
{
}

static void options(void)
{
    int s[2], value = -1;
    socklen_t size = sizeof(value);
    struct timeval t = {0, 40000}, got;
    char b;

    socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s);
    SHOW(getsockopt(s[0], SOL_SOCKET, SO_TYPE, &value, &size));
    SHOW(value);
    SHOW(getsockopt(s[0], SOL_SOCKET, SO_ERROR, &value, &size));
    SHOW(value);
    SHOW(getsockopt(s[0], SOL_SOCKET, SO_DOMAIN, &value, &size));
    SHOW(value);
    SHOW(getsockopt(s[0], SOL_SOCKET, SO_ACCEPTCONN, &value, &size));
    SHOW(value);
    SHOW(getsockopt(s[0], SOL_SOCKET, 9999, &value, &size));
    SHOW(getsockopt(s[0], 9999, SO_TYPE, &value, &size));
    SHOW(setsockopt(s[0], SOL_SOCKET, SO_REUSEADDR, &value, 2));
    SHOW(setsockopt(s[0], SOL_SOCKET, SO_REUSEADDR, (void *)8, 4));
    value = 20000;
    SHOW(setsockopt(s[0], SOL_SOCKET, SO_SNDBUF, &value, 4));
    SHOW(getsockopt(s[0], SOL_SOCKET, SO_SNDBUF, &value, &size));
    SHOW(value);
    SHOW(send(s[0], big, 100000, MSG_DONTWAIT));
    SHOW(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)));
    size = sizeof(got);
    SHOW(getsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &got, &size));
    SHOW(got.tv_usec);
    SHOW(recv(s[0], &b, 1, 0));
    t = (struct timeval){20, 0};
    setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
    struct itimerval soon = {.it_value = {0, 30000}};
    signal(SIGALRM, on_alarm); /* with SA_RESTART, which does not count where there is a time-out */
    setitimer(ITIMER_REAL, &soon, NULL);
    SHOW(recv(s[0], &b, 1, 0));
    close(s[0]);
    close(s[1]);
}

static void many(void)
{
    int s[2], bytes = 0, wrong = 0;
    pid_t child;

    socketpair(AF_UNIX, SOCK_STREAM, 0, s);
    fflush(stdout);
    if ((child = fork()) == 0) {
        close(s[0]);
        for (int i = 0; i < (int)sizeof(big); i++) {
            big[i] = i * 7 >> 2;
        }
        long n = write(s[1], big, sizeof(big));
        _exit(n == sizeof(big) ? 0 : 1);
    }
    close(s[1]);
    char b[5000];
    long n;
    while ((n = read(s[0], b, sizeof(b))) > 0) {
        for (int i = 0; i < n; i++, bytes++) {
            wrong += b[i] != (char)(bytes * 7 >> 2);
        }
    }
    int status = -1;
    waitpid(child, &status, 0);
    HOLDS(bytes == sizeof(big) && wrong == 0 && status == 0);
    close(s[0]);
    struct mmsghdr m[3] = {0};
    struct iovec iov[3] = {{"a", 1}, {"bb", 2}, {"ccc", 3}};
    for (int i = 0; i < 3; i++) {
        m[i].msg_hdr.msg_iov = &iov[i];
        m[i].msg_hdr.msg_iovlen = 1;
    }
    socketpair(AF_UNIX, SOCK_DGRAM, 0, s);
    SHOW(sendmmsg(s[0], m, 3, 0));
    char in[3][8];
    for (int i = 0; i < 3; i++) {
        iov[i] = (struct iovec){in[i], 8};
    }
    SHOW(recvmmsg(s[1], m, 2, 0, NULL));
    printf("%d %d\n", m[0].msg_len, m[1].msg_len);
    SHOW(recvmmsg(s[1], m, 3, MSG_WAITFORONE, NULL));
    SHOW(recvmmsg(s[1], m, 3, MSG_DONTWAIT, NULL));
    close(s[0]);
    close(s[1]);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    kinds();
    pair(SOCK_STREAM);
    pair(SOCK_SEQPACKET);
    pair(SOCK_DGRAM);
    names();
    datagrams();
    room(0);
    room(1);
    two_names();
    shut_while_sending();
    rights();
    together();
    circles();
    options();
    many();
    return 0;
}
