// SPDX-License-Identifier: MIT
// build: musl glibc
// flags: -Wno-stringop-overread
/*
 * The bytes of files: appending, holes, sizes, limits, mappings that share pages with read and write, copies inside the
 * kernel, sealed files without a name; and that a program which runs is not written to.
 */
#include "test.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define PAGE 4096

static struct stat st;
static char page[PAGE];

static long size_of(int fd)
{
    return fstat(fd, &st) < 0 ? -1 : (long)st.st_size;
}

static int fresh(const char *name, int flags)
{
    unlink(name);
    return open(name, O_CREAT | O_RDWR | flags, 0644);
}

static void appending(void)
{
    char buffer[32] = {0};
    int fd = fresh("a", O_APPEND);

    SHOW(write(fd, "one", 3));
    SHOW(lseek(fd, 0, SEEK_SET));
    SHOW(write(fd, "two", 3));
    SHOW(lseek(fd, 0, SEEK_CUR));
    SHOW(pwrite(fd, "x", 1, 0)); /* on Linux at the end, too */
    SHOW(pread(fd, buffer, 31, 0));
    printf("%s\n", buffer);
    int other = open("a", O_WRONLY);
    SHOW(write(other, "ONE", 3));
    SHOW(fcntl(other, F_SETFL, O_APPEND));
    SHOW(write(other, "end", 3));
    SHOW(fcntl(other, F_GETFL) & (O_APPEND | O_ACCMODE));
    memset(buffer, 0, sizeof(buffer));
    pread(fd, buffer, 31, 0);
    printf("%s\n", buffer);
    SHOW(read(other, buffer, 1));
    close(other);
    other = open("a", O_RDONLY);
    SHOW(write(other, buffer, 1));
    SHOW(ftruncate(other, 0));
    close(other);
    SHOW(open("a", O_RDONLY | O_TRUNC) >= 0);
    SHOW(size_of(fd));
    SHOW(write(fd, "", 0));
    SHOW(write(fd, (void *)1, 5));
    SHOW(size_of(fd));
    struct iovec parts[3] = {{"ab", 2}, {"", 0}, {"cde", 3}};
    SHOW(writev(fd, parts, 3));
    SHOW(pwritev(fd, parts, 3, -1));
    SHOW(size_of(fd));
    close(fd);
    fd = fresh("a", 0);
    SHOW(pwrite(fd, "abc", 3, 5));
    SHOW(size_of(fd));
    SHOW(lseek(fd, 0, SEEK_CUR));
    SHOW(pwrite(fd, "abc", 3, -1));
    close(fd);
}

static void holes(void)
{
    int fd = fresh("h", 0);

    SHOW(pwrite(fd, "x", 1, 100 * PAGE));
    SHOW(size_of(fd));
    HOLDS(st.st_blocks <= 16);
    SHOW(lseek(fd, 0, SEEK_DATA) / PAGE);
    SHOW(lseek(fd, 0, SEEK_HOLE));
    SHOW(lseek(fd, 100 * PAGE, SEEK_HOLE));
    SHOW(lseek(fd, 100 * PAGE + 1, SEEK_DATA));
    SHOW(lseek(fd, -1, SEEK_DATA));
    SHOW(pwrite(fd, "y", 1, 10 * PAGE));
    SHOW(lseek(fd, 5, SEEK_DATA) / PAGE);
    SHOW(lseek(fd, 10 * PAGE, SEEK_HOLE) / PAGE);
    SHOW(lseek(fd, 11 * PAGE, SEEK_DATA) / PAGE);
    memset(page, 1, PAGE);
    SHOW(pread(fd, page, PAGE, 50 * PAGE));
    SHOW(page[0] | page[PAGE - 1]);
    SHOW(ftruncate(fd, 10 * PAGE + 1));
    SHOW(ftruncate(fd, 200 * PAGE));
    SHOW(pread(fd, page, PAGE, 100 * PAGE));
    SHOW(page[0]);
    SHOW(pread(fd, page, 2, 10 * PAGE));
    SHOW(page[0] == 'y' && page[1] == 0);
    SHOW(lseek(fd, 10 * PAGE + 1, SEEK_DATA) / PAGE);
    SHOW(lseek(fd, 11 * PAGE, SEEK_DATA));
    SHOW(lseek(fd, 200 * PAGE, SEEK_HOLE));
    SHOW(lseek(fd, 0, 7));
    SHOW(lseek(fd, -1, SEEK_SET));
    SHOW(ftruncate(fd, -1));
    SHOW(truncate("h", 3));
    SHOW(size_of(fd));
    SHOW(truncate("none", 3));
    SHOW(truncate(".", 3));
    SHOW(truncate("", 3));
    SHOW(truncate("h", -3));
    /* What was cut off does not come back. */
    SHOW(pwrite(fd, "abcdefgh", 8, 0));
    SHOW(ftruncate(fd, 3));
    SHOW(ftruncate(fd, 8));
    SHOW(pread(fd, page, 8, 0));
    SHOW(page[2] == 'c' && page[3] == 0 && page[7] == 0);
    SHOW(fallocate(fd, 0, 0, 3 * PAGE));
    SHOW(size_of(fd));
    HOLDS(st.st_blocks >= 3 * PAGE / 512);
    SHOW(fallocate(fd, 0, -1, 5));
    SHOW(fallocate(fd, 0, 0, 0));
    SHOW(posix_fallocate(fd, PAGE, PAGE));
    SHOW(size_of(fd));
    close(fd);
    fd = open("h", O_RDONLY);
    SHOW(fallocate(fd, 0, 0, 5));
    SHOW(fallocate(1000, 0, 0, 5));
    close(fd);
}

static sigjmp_buf back;
static volatile int code;

static void on_bus(int sig, siginfo_t *info, void *context)
{
    code = sig * 100 + info->si_code;
    siglongjmp(back, 1);
}

static int touch(volatile char *at)
{
    code = 0;
    if (sigsetjmp(back, 1) == 0) {
        (void)*at;
    }
    return code;
}

static void mapping(void)
{
    struct sigaction action = {.sa_sigaction = on_bus, .sa_flags = SA_SIGINFO};
    int fd = fresh("m", 0);

    sigaction(SIGBUS, &action, NULL);
    write(fd, "0123456789", 10);
    char *shared = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    char *private = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    SHOW(shared != MAP_FAILED && private != MAP_FAILED);
    shared[0] = 'S';
    SHOW(pread(fd, page, 1, 0) == 1 && page[0] == 'S');
    SHOW(pwrite(fd, "W", 1, 1));
    SHOW(shared[1] == 'W' && private[1] == 'W');
    private[2] = 'P';
    SHOW(pread(fd, page, 1, 2) == 1 && page[0] == '2' && shared[2] == '2');
    SHOW(shared[10] == 0 && shared[PAGE - 1] == 0);
    SHOW(touch(shared + PAGE));
    SHOW(ftruncate(fd, 2 * PAGE));
    SHOW(touch(shared + PAGE));
    shared[PAGE + 5] = 'T';
    SHOW(pread(fd, page, 1, PAGE + 5) == 1 && page[0] == 'T');
    SHOW(touch(shared + 2 * PAGE));
    SHOW(ftruncate(fd, 5));
    SHOW(touch(shared + PAGE));
    SHOW(touch(shared));
    SHOW(ftruncate(fd, 2 * PAGE));
    SHOW(shared[PAGE + 5] == 0 && shared[0] == 'S' && shared[6] == 0);
    SHOW(unlink("m"));
    shared[7] = 'U';
    SHOW(pread(fd, page, 1, 7) == 1 && page[0] == 'U');
    SHOW(close(fd));
    SHOW(shared[7] == 'U');
    SHOW(msync(shared, PAGE, MS_SYNC));
    SHOW(munmap(shared, 3 * PAGE) + munmap(private, PAGE));

    /* A read from a file into its own mapping, and back. */
    fd = fresh("m", 0);
    ftruncate(fd, 2 * PAGE);
    pwrite(fd, "self", 4, 0);
    shared = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    SHOW(pread(fd, shared + PAGE, PAGE, 0));
    SHOW(memcmp(shared + PAGE, "self", 4));
    SHOW(pwrite(fd, shared + PAGE, PAGE, 0));
    munmap(shared, 2 * PAGE);
    close(fd);

    fd = open("m", O_RDONLY);
    SHOW(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED ? -1 : 0);
    shared = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
    SHOW(mprotect(shared, PAGE, PROT_READ | PROT_WRITE));
    close(fd);
    fd = open("m", O_WRONLY);
    SHOW(mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED ? -1 : 0);
    close(fd);
}

static void copying(void)
{
    int in = fresh("in", 0), out = fresh("out", 0);
    off_t from = 3, to = 1;

    write(in, "abcdefghij", 10);
    SHOW(copy_file_range(in, &from, out, &to, 4, 0));
    SHOW(from * 100 + to);
    SHOW(size_of(out));
    SHOW(lseek(in, 0, SEEK_CUR) * 100 + lseek(out, 0, SEEK_CUR));
    SHOW(copy_file_range(in, NULL, out, NULL, 100, 0));
    lseek(in, 0, SEEK_SET);
    SHOW(copy_file_range(in, NULL, out, NULL, 100, 0));
    SHOW(lseek(in, 0, SEEK_CUR) * 100 + lseek(out, 0, SEEK_CUR));
    SHOW(copy_file_range(in, NULL, out, NULL, 100, 1));
    from = 0, to = 2;
    SHOW(copy_file_range(in, &from, in, &to, 5, 0));
    from = 0;
    SHOW(sendfile(out, in, &from, 5));
    SHOW(from);
    SHOW(size_of(out));
    SHOW(syscall(SYS_readahead, in, 0L, 5L));
    SHOW(posix_fadvise(in, 0, 5, POSIX_FADV_WILLNEED));
    SHOW(sync_file_range(in, 0, 5, 0));
    SHOW(sync_file_range(in, -1, 5, 0));
    SHOW(syncfs(in));
    SHOW(fsync(in) + fdatasync(in));
    struct iovec part = {page, 4};
    SHOW(syscall(SYS_preadv2, in, &part, 1, 2L, 0, 0));
    SHOW(memcmp(page, "cdef", 4));
    SHOW(syscall(SYS_preadv2, in, &part, 1, -1L, 0, 0));
    SHOW(syscall(SYS_pwritev2, out, &part, 1, 0L, 0, 0x8000));
    from = 1, to = 0; /* any count will do that does not lead round */
    SHOW(copy_file_range(in, &from, out, &to, ~0UL >> 1, 0));
    from = 0, to = 0;
    SHOW(copy_file_range(in, &from, out, &to, -1UL, 0));
    from = 5, to = 0;
    SHOW(copy_file_range(in, &from, out, &to, -1UL, 0));
    from = -1, to = 0;
    SHOW(copy_file_range(in, &from, out, &to, 4, 0));
    close(in);
    close(out);
}

static volatile int exceeded;

static void on_excess(int sig)
{
    exceeded++;
}

static void limits(void)
{
    struct rlimit limit = {10, RLIM_INFINITY};
    int fd = fresh("l", 0);

    signal(SIGXFSZ, on_excess);
    SHOW(setrlimit(RLIMIT_FSIZE, &limit));
    SHOW(write(fd, "0123456789abcdef", 16));
    SHOW(exceeded);
    SHOW(write(fd, "x", 1));
    SHOW(exceeded);
    SHOW(pwrite(fd, "x", 1, 9));
    SHOW(pwrite(fd, "x", 1, 10));
    SHOW(ftruncate(fd, 10));
    SHOW(ftruncate(fd, 11));
    SHOW(exceeded);
    SHOW(fallocate(fd, 0, 5, 6));
    limit.rlim_cur = RLIM_INFINITY;
    SHOW(setrlimit(RLIMIT_FSIZE, &limit));
    SHOW(write(fd, "x", 1));
    close(fd);
}

static void sealed(void)
{
    int fd = memfd_create("name", MFD_ALLOW_SEALING | MFD_CLOEXEC);
    char path[64], target[64] = {0};

    SHOW(fd >= 0);
    SHOW(fcntl(fd, F_GETFD));
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    SHOW(readlink(path, target, sizeof(target)));
    printf("%s\n", target);
    SHOW(write(fd, "sealed", 6));
    SHOW(fcntl(fd, F_GET_SEALS));
    SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
    SHOW(write(fd, "more", 4));
    SHOW(pwrite(fd, "SE", 2, 0));
    SHOW(ftruncate(fd, 100));
    SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK));
    SHOW(ftruncate(fd, 1));
    void *map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    SHOW(map != MAP_FAILED);
    SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
    munmap(map, PAGE);
    SHOW(fcntl(fd, F_ADD_SEALS, 0x100));
    SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL));
    SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL));
    SHOW(fcntl(fd, F_GET_SEALS));
    close(fd);
    fd = memfd_create("", MFD_ALLOW_SEALING);
    write(fd, "x", 1);
    SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
    SHOW(write(fd, "x", 1));
    SHOW(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED ? -1 : 0);
    close(fd);
    fd = memfd_create("plain", 0);
    SHOW(fcntl(fd, F_GET_SEALS));
    SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
    close(fd);
    SHOW(memfd_create("x", 0x800));
    memset(page, 'n', 300);
    page[300] = 0;
    SHOW(memfd_create(page, 0));
}

/* The program's own file: nobody writes to it while it runs, and nobody runs what is being written. */
static void running(const char *self)
{
    int in = open(self, O_RDONLY), out, count;

    SHOW(open(self, O_WRONLY));
    SHOW(open(self, O_RDONLY | O_TRUNC));
    SHOW(truncate(self, 0));
    out = fresh("copy", 0);
    while ((count = read(in, page, PAGE)) > 0) {
        write(out, page, count);
    }
    fchmod(out, 0755);
    SHOW(execl("./copy", "copy", "child", NULL));
    close(out);
    pid_t child = fork();
    if (child == 0) {
        execl("./copy", "copy", "child", NULL);
        _exit(1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    SHOW(WEXITSTATUS(status));
    out = open("copy", O_WRONLY);
    SHOW(out >= 0);
    SHOW(chmod("copy", 0644));
    close(out);
    SHOW(execl("./copy", "copy", "child", NULL));
    SHOW(access("copy", X_OK));
    close(in);
}

int main(int argc, char **argv)
{
    char folder[] = "/tmp/bytes-XXXXXX", self[256] = {0};

    if (argc == 2 && strcmp(argv[1], "child") == 0) {
        return 42;
    }
    umask(022);
    readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (mkdtemp(folder) == NULL || chdir(folder) < 0) {
        return 1; /* it would leave its files in the root */
    }
    appending();
    holes();
    mapping();
    copying();
    limits();
    sealed();
    running(self);
    static const char *const files[] = {"a", "h", "m", "in", "out", "l", "copy"};
    for (int i = 0; i < 7; i++) {
        unlink(files[i]);
    }
    SHOW(rmdir(folder));
    return 0;
}
