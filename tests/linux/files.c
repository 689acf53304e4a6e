// SPDX-License-Identifier: MIT
// build: glibc musl
// flags: -w
/* Descriptors, offsets, vectors, devices and what files are. */
#include "test.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>

static void offsets(void)
{
    char a[8], b[8];
    int fd = open("/proc/self/exe", O_RDONLY);
    struct stat st;

    SHOW(fd);
    SHOW(read(fd, a, 4));
    HOLDS(memcmp(a, "\177ELF", 4) == 0);
    SHOW(lseek(fd, 0, SEEK_CUR));
    SHOW(pread(fd, b, 8, 16));
    SHOW(lseek(fd, 0, SEEK_CUR));
    SHOW(lseek(fd, 12, SEEK_CUR));
    SHOW(read(fd, a, 8));
    HOLDS(memcmp(a, b, 8) == 0);
    SHOW(fstat(fd, &st));
    HOLDS(S_ISREG(st.st_mode) && (st.st_mode & 0100));
    HOLDS(lseek(fd, 0, SEEK_END) == st.st_size);
    SHOW(read(fd, a, 8));
    HOLDS(lseek(fd, -3, SEEK_END) == st.st_size - 3);
    SHOW(read(fd, a, 8));
    HOLDS(lseek(fd, 100, SEEK_END) == st.st_size + 100);
    SHOW(read(fd, a, 8));
    SHOW(lseek(fd, -1, SEEK_SET));
    SHOW(lseek(fd, 0, 77));
    SHOW(pread(fd, a, 1, -1));
    SHOW(write(fd, a, 1));
    int copy = dup(fd);
    SHOW(lseek(fd, 5, SEEK_SET));
    SHOW(lseek(copy, 0, SEEK_CUR)); /* one offset for both */
    int other = open("/proc/self/exe", O_RDONLY);
    SHOW(lseek(other, 0, SEEK_CUR));
    close(fd);
    SHOW(read(copy, a, 1));
    close(copy);
    close(other);
    SHOW(read(copy, a, 1));
}

static void vectors(void)
{
    char a[3] = "", b[5] = "", c[4] = "";
    struct iovec v[] = {{a, 1}, {b, 3}, {c, 0}, {c, 4}};
    int fd = open("/proc/self/exe", O_RDONLY);

    SHOW(readv(fd, v, 4));
    HOLDS(a[0] == 127 && memcmp(b, "ELF", 3) == 0);
    SHOW(lseek(fd, 0, SEEK_CUR));
    SHOW(readv(fd, v, -1));
    SHOW(readv(fd, v, 1025));
    SHOW(readv(fd, v, 0));
    SHOW(readv(fd, (struct iovec *)8, 1));
    v[1].iov_base = (void *)8;
    SHOW(readv(fd, v, 2));
    v[1].iov_len = -1;
    SHOW(readv(fd, v, 2));
    struct iovec out[] = {{"vector ", 7}, {"", 0}, {"write\n", 6}};
    fflush(stdout);
    SHOW(writev(1, out, 3));
    close(fd);
}

static void descriptors(void)
{
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    SHOW(fcntl(fd, F_GETFD));
    SHOW(fcntl(fd, F_SETFD, 0));
    SHOW(fcntl(fd, F_GETFD));
    SHOW(fcntl(fd, F_GETFL) & O_ACCMODE);
    SHOW(fcntl(fd, F_SETFL, O_NONBLOCK | O_APPEND));
    SHOW(fcntl(fd, F_GETFL) & (O_NONBLOCK | O_APPEND | O_ACCMODE));
    SHOW(fcntl(fd, F_DUPFD, 10));
    SHOW(fcntl(fd, F_DUPFD_CLOEXEC, 10));
    SHOW(fcntl(11, F_GETFD));
    SHOW(fcntl(fd, 4711));
    SHOW(fcntl(99, F_GETFD));
    SHOW(dup2(fd, 20));
    SHOW(dup2(fd, fd));
    SHOW(dup2(99, 99));
    SHOW(dup2(99, 5));
    SHOW(dup2(fd, -1));
    SHOW(dup3(fd, 20, O_CLOEXEC));
    SHOW(fcntl(20, F_GETFD));
    SHOW(dup3(fd, fd, 0));
    SHOW(dup3(fd, 21, 1));
    SHOW(close(20));
    SHOW(close(20));
    SHOW(close(-1));
    close(10);
    close(11);
    close(fd);
    SHOW(open("/dev/null", O_RDONLY)); /* the lowest that is free */
    close(3);
}

static void devices(void)
{
    char bytes[64];
    struct stat st;
    int fd = open("/dev/zero", O_RDWR);

    memset(bytes, 'x', sizeof(bytes));
    SHOW(read(fd, bytes, 64));
    HOLDS(bytes[0] == 0 && bytes[63] == 0);
    SHOW(write(fd, bytes, 64));
    SHOW(read(fd, (char *)8, 1));
    close(fd);
    fd = open("/dev/null", O_RDWR);
    SHOW(read(fd, bytes, 64));
    SHOW(write(fd, bytes, 64));
    SHOW(lseek(fd, 100, SEEK_SET));
    SHOW(fstat(fd, &st));
    HOLDS(S_ISCHR(st.st_mode) && st.st_rdev == 0x103);
    SHOW(ioctl(fd, TCGETS, bytes));
    close(fd);
    fd = open("/dev/full", O_RDWR);
    SHOW(write(fd, bytes, 64));
    SHOW(read(fd, bytes, 64));
    close(fd);
    fd = open("/dev/urandom", O_RDONLY);
    memset(bytes, 0, sizeof(bytes));
    SHOW(read(fd, bytes, 64));
    int zeros = 0;
    for (int i = 0; i < 64; i++) {
        zeros += bytes[i] == 0;
    }
    HOLDS(zeros < 16);
    close(fd);
    SHOW(open("/dev/null/x", O_RDONLY));
    SHOW(open("/dev/null", O_RDONLY | O_DIRECTORY));
}

static void send(void)
{
    int fd = open("/proc/self/exe", O_RDONLY), null = open("/dev/null", O_WRONLY);
    off_t offset = 1;

    SHOW(sendfile(null, fd, &offset, 5000));
    SHOW(offset);
    SHOW(lseek(fd, 0, SEEK_CUR));
    SHOW(sendfile(null, fd, NULL, 3));
    SHOW(lseek(fd, 0, SEEK_CUR));
    SHOW(sendfile(fd, fd, NULL, 3));
    SHOW(sendfile(null, 99, NULL, 3));
    offset = 1;
    fflush(stdout);
    SHOW(sendfile(1, fd, &offset, 3));
    close(fd);
    close(null);
}

static void what_they_are(void)
{
    struct stat st, through;
    char link[300];

    SHOW(stat("/", &st));
    HOLDS(S_ISDIR(st.st_mode));
    SHOW(stat("/dev/../dev/./null", &through));
    SHOW(lstat("/proc/self/exe", &st));
    HOLDS(S_ISLNK(st.st_mode));
    SHOW(stat("/proc/self/exe", &through));
    HOLDS(S_ISREG(through.st_mode));
    ssize_t length = readlink("/proc/self/exe", link, sizeof(link) - 1);
    link[length] = 0;
    HOLDS(stat(link, &st) == 0 && st.st_ino == through.st_ino && st.st_dev == through.st_dev);
    SHOW(readlink("/proc/self/exe", link, 1));
    SHOW(readlink("/proc/self/exe", link, 0));
    SHOW(readlink("/dev/null", link, 10));
    SHOW(readlink("/none", link, 10));
    SHOW(access("/proc/self/exe", R_OK | X_OK));
    SHOW(access("/dev/null", X_OK));
    SHOW(access("/none", F_OK));
    SHOW(access("/", 99));
    SHOW(faccessat(AT_FDCWD, "/dev/null", R_OK | W_OK, 0));
    SHOW(fstatat(99, "null", &st, 0));
    int dev = open("/dev", O_RDONLY | O_DIRECTORY);
    SHOW(fstatat(dev, "null", &st, 0));
    SHOW(fstatat(dev, "", &st, 0));
    SHOW(fstatat(dev, "", &st, AT_EMPTY_PATH));
    HOLDS(S_ISDIR(st.st_mode));
    SHOW(openat(dev, "null", O_RDONLY) >= 0);
    SHOW(read(dev, link, 10));
    SHOW(write(dev, link, 10));
    close(dev);
    int path = open("/dev/null", O_PATH);
    SHOW(read(path, link, 1));
    SHOW(fstat(path, &st));
    close(path);
    unsigned sx[64]; /* struct statx, which not every C library knows */
    SHOW(syscall(SYS_statx, AT_FDCWD, "/dev/null", 0, 0x7ff, sx));
    HOLDS(S_ISCHR(sx[7] & 0xffff) && sx[32] == 1 && sx[33] == 3);
}

static void standard(void)
{
    struct stat st;
    char byte;

    SHOW(fstat(1, &st));
    HOLDS(S_ISFIFO(st.st_mode));
    SHOW(lseek(1, 0, SEEK_CUR));
    SHOW(pread(1, &byte, 1, 0));
    SHOW(isatty(1));
    SHOW(isatty(0));
    SHOW(read(0, &byte, 1)); /* the end at once */
    SHOW(read(0, &byte, 0));
    SHOW(write(1, "", 0));
}

int main(void)
{
    offsets();
    vectors();
    descriptors();
    devices();
    send();
    what_they_are();
    standard();
    return 0;
}
