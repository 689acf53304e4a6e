// SPDX-License-Identifier: MIT
// build: musl
// flags: -w
/* Opening, descriptors and their flags, links and empty paths: the errors and their order. */
#include "test.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>

#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_faccessat2
#define SYS_faccessat2 439
#endif

static void flags_kept(void)
{
    int fd =
        syscall(SYS_open, "/dev/null", O_RDWR | O_CLOEXEC | O_CREAT | O_TRUNC | O_NOCTTY | O_NOFOLLOW, 0600);
    printf("%o\n", (unsigned)fcntl(fd, F_GETFL));
    SHOW(fcntl(fd, F_SETFL, O_APPEND | O_WRONLY | O_NONBLOCK | O_CREAT));
    printf("%o\n", (unsigned)fcntl(fd, F_GETFL));
    SHOW(ioctl(fd, FIONBIO, &(int){0}));
    SHOW(ioctl(fd, FIONBIO, 8L));
    printf("%o\n", (unsigned)fcntl(fd, F_GETFL));
    close(fd);
    fd = syscall(SYS_open, "/dev", O_RDONLY | O_DIRECTORY | 0x40000000);
    printf("%o\n", (unsigned)fcntl(fd, F_GETFL));
    close(fd);
    fd = syscall(SYS_open, "/dev/null", O_PATH | O_RDWR | O_CLOEXEC | O_APPEND);
    printf("%o %d\n", (unsigned)fcntl(fd, F_GETFL), fcntl(fd, F_GETFD));
    close(fd);
    printf("%o\n", (unsigned)fcntl(1, F_GETFL)); /* a pipe's end */
}

static void only_a_path(void)
{
    char byte;
    struct stat st;
    struct flock lock = {.l_type = F_RDLCK};
    int fd = open("/dev/null", O_PATH), copy;

    SHOW(read(fd, &byte, 1));
    SHOW(read(fd, &byte, 0));
    SHOW(write(fd, &byte, 1));
    SHOW(pread(fd, &byte, 1, 0));
    SHOW(ioctl(fd, TCGETS, &byte));
    SHOW(ioctl(fd, FIOCLEX));
    SHOW(fcntl(fd, F_GETFD));
    SHOW(fcntl(fd, F_SETFD, FD_CLOEXEC));
    SHOW(fcntl(fd, F_GETFD));
    SHOW(fcntl(fd, F_SETFL, 0));
    SHOW(fcntl(fd, F_GETLK, &lock));
    SHOW(copy = dup(fd));
    SHOW(fcntl(copy, F_GETFD));
    SHOW(fcntl(copy, F_DUPFD, 20));
    SHOW(close(20));
    SHOW(close(copy));
    SHOW(fsync(fd));
    SHOW(flock(fd, LOCK_SH));
    SHOW(syscall(SYS_fchmod, fd, 0666));
    SHOW(fstat(fd, &st));
    SHOW(fchdir(fd));
    SHOW(syscall(SYS_getdents64, fd, &byte, 1));
    SHOW(syscall(SYS_getpeername, fd, &byte, &byte));
    close(fd);
    fd = open("/proc/self", O_PATH | O_NOFOLLOW);
    SHOW(fstat(fd, &st));
    HOLDS(S_ISLNK(st.st_mode));
    HOLDS(readlinkat(fd, "", (char[32]){0}, 32) > 0);
    SHOW(fchdir(fd));
    close(fd);
    SHOW(open("/proc/self", O_PATH | O_NOFOLLOW | O_DIRECTORY));
    SHOW(open("/proc/self", O_RDONLY | O_NOFOLLOW | O_DIRECTORY));
    SHOW(open("/proc/self", O_RDONLY | O_NOFOLLOW));
}

static void opening(void)
{
    SHOW(open("/dev/null/", O_RDONLY));
    SHOW(open("/dev/null/", O_RDWR | O_CREAT, 0600));
    SHOW(open("/dev/none/", O_RDWR | O_CREAT, 0600));
    SHOW(open("/dev/", O_RDONLY | O_CREAT, 0600));
    SHOW(open("/dev/.", O_RDONLY | O_CREAT, 0600));
    SHOW(open("/", O_RDONLY | O_CREAT, 0600));
    SINCE(5, 7, open("/", O_RDONLY | O_CREAT | O_EXCL, 0600), -EEXIST);
    SHOW(open("", O_RDONLY | O_CREAT, 0600));
    SHOW(open("/none/", O_RDONLY));
    SHOW(open("/dev", O_RDONLY | O_TRUNC));
    SINCE(6, 4, open("/dev", O_RDONLY | O_CREAT | O_DIRECTORY, 0600), -EINVAL);
    SHOW(syscall(SYS_open, "/dev", O_TMPFILE & ~O_DIRECTORY, 0600));
    SHOW(syscall(SYS_open, "/dev", O_TMPFILE | O_RDONLY, 0600));
    SHOW(syscall(SYS_open, "/none", O_TMPFILE | O_RDWR, 0600));
    SHOW(openat(99, "null", O_RDONLY));
    SHOW(openat(99, "", O_RDONLY));
    SHOW(openat(99, (char *)8, O_RDONLY));
    SHOW(openat(1, "null", O_RDONLY));
    SHOW(close(openat(99, "/dev/null", O_RDONLY)));
    SHOW(open("/dev/null", O_RDONLY | O_CREAT | O_EXCL, 0600));
    SHOW(open("/proc/self", O_RDONLY | O_CREAT | O_EXCL, 0600));
}

static void links(void)
{
    char text[64];
    struct stat st;
    int fd = open("/dev/null", O_RDONLY), folder = open("/dev", O_RDONLY);

    SHOW(readlink("", text, 64));
    SHOW(readlinkat(fd, "", text, 64));
    SHOW(readlinkat(99, "", text, 64));
    SHOW(readlinkat(AT_FDCWD, "", text, 64));
    SHOW(readlink("/dev", text, 64));
    SHOW(readlink("/dev", text, -1));
    SHOW(readlink("/proc/self/exe", (char *)8, 64));
    SHOW(fstatat(fd, "x", &st, 0));
    SHOW(fstatat(fd, "", &st, AT_EMPTY_PATH));
    HOLDS(S_ISCHR(st.st_mode));
    SHOW(fstatat(folder, "", &st, 0));
    SHOW(fstatat(AT_FDCWD, "", &st, AT_EMPTY_PATH));
    SHOW(fstatat(folder, "null", &st, 0x40000000));
    SHOW(syscall(SYS_statx, folder, "null", 0x6000, 0x7ff, 8L));
    SHOW(syscall(SYS_statx, folder, "null", 0, 0x80000000U, 8L));
    SHOW(syscall(SYS_statx, folder, "null", 0, 0, 8L));
    SHOW(faccessat(folder, "null", 8, 0));
    SINCE(5, 8, syscall(SYS_faccessat2, folder, "null", R_OK, 0x40000000), -EINVAL);
    SINCE(5, 8, syscall(SYS_faccessat2, fd, "", R_OK, AT_EMPTY_PATH), 0);
    SHOW(stat("/proc/self/exe/", &st));
    SHOW(lstat("/proc/self/", &st));
    HOLDS(S_ISDIR(st.st_mode));
    HOLDS(stat("/proc/self", &st) == 0 && st.st_ino != 0);
    unsigned long number = st.st_ino;
    HOLDS(stat("/proc/self", &st) == 0 && st.st_ino == number); /* the same folder each time */
    HOLDS(stat("/proc/self/maps", &st) == 0 && (number = st.st_ino) != 0);
    HOLDS(stat("/proc/self/maps", &st) == 0 && st.st_ino == number);
    close(fd);
    close(folder);
}

static void locks(void)
{
    int fd = open("/proc/self/exe", O_RDONLY);
    struct flock lock = {.l_type = F_RDLCK};

    SHOW(fcntl(fd, F_SETLK, &lock));
    SHOW(fcntl(fd, F_GETLK, &lock));
    SHOW(lock.l_type);
    lock.l_type = F_WRLCK;
    SHOW(fcntl(fd, F_GETLK, &lock));
    SHOW(lock.l_type);
    lock.l_type = F_WRLCK;
    SHOW(fcntl(fd, F_SETLK, &lock));
    lock.l_type = F_UNLCK;
    SHOW(fcntl(fd, F_GETLK, &lock));
    SHOW(fcntl(fd, F_SETLKW, &lock));
    lock.l_type = 77;
    SHOW(fcntl(fd, F_SETLK, &lock));
    lock.l_type = F_RDLCK, lock.l_whence = 77;
    SHOW(fcntl(fd, F_SETLK, &lock));
    SHOW(fcntl(fd, F_SETLK, 8L));
    SHOW(fcntl(fd, F_GETLK, 8L));
    SHOW(fcntl(99, F_SETLK, 8L));
    SHOW(flock(fd, LOCK_SH));
    SHOW(flock(fd, LOCK_UN | LOCK_NB));
    SHOW(flock(fd, 77));
    SHOW(flock(99, 77));
    SHOW(flock(99, LOCK_SH));
    SHOW(fcntl(fd, F_GETOWN));
    SHOW(syscall(SYS_fadvise64, fd, 0, 0, 4));
    SHOW(syscall(SYS_fadvise64, fd, 0, 0, 77));
    SHOW(syscall(SYS_fadvise64, fd, 0, -1, 0));
    SHOW(syscall(SYS_fadvise64, 1, 0, 0, 77));
    SHOW(syscall(SYS_fadvise64, 99, 0, 0, 77));
    SHOW(fsync(fd));
    SHOW(fsync(1));
    SHOW(fdatasync(99));
    SHOW(ftruncate(99, -1));
    SHOW(ftruncate(99, 1));
    SHOW(ftruncate(fd, 1));
    SHOW(truncate("/dev", 1));
    SHOW(truncate("/dev/null", 1));
    SHOW(truncate("/none", 1));
    SHOW(truncate("/none", -1));
    close(fd);
}

/* Shares the table with its parent, until it closes for itself alone. */
static int unshare_and_close(void *fd)
{
    return syscall(SYS_close_range, 150, ~0U, 2) != 0 ? 1 : fcntl((int)(long)fd, F_GETFD) >= 0 ? 2 : 0;
}

static void copies(void)
{
    static char stack[16384] __attribute__((aligned(16)));
    int status = -1;

    SHOW(fcntl(0, F_DUPFD, -1));
    SHOW(fcntl(99, F_DUPFD, -1));
    SHOW(dup3(0, 0, 77));
    SHOW(dup3(99, 5, 0));
    SHOW(dup2(0, 1 << 30));
    SHOW(dup2(99, 1 << 30));
    int fd = dup2(0, 200);
    SHOW(fd);
    SINCE(5, 9, syscall(SYS_close_range, 10, 9, 0), -EINVAL);
    SINCE(5, 9, syscall(SYS_close_range, 10, 20, 77), -EINVAL);
    SINCE(5, 11, syscall(SYS_close_range, 150, 300, 4), 0);
    SINCE(5, 11, fcntl(fd, F_GETFD), FD_CLOEXEC);
    pid_t child = clone(unshare_and_close, stack + sizeof(stack), CLONE_FILES | SIGCHLD, (void *)(long)fd);
    SINCE(5, 9, waitpid(child, &status, 0) == child ? status : -1, 0);
    SINCE(5, 11, fcntl(fd, F_GETFD), FD_CLOEXEC);
    SINCE(5, 9, syscall(SYS_close_range, 150, ~0U, 0), 0);
    SINCE(5, 9, fcntl(fd, F_GETFD), -EBADF);
}

int main(void)
{
    setvbuf(stdout, NULL, _IONBF, 0);
    flags_kept();
    only_a_path();
    opening();
    links();
    locks();
    copies();
    return 0;
}
