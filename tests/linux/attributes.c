// SPDX-License-Identifier: MIT
// build: musl glibc
// needs: root
/*
 * What files are besides names and bytes: modes, owners, times, what the umask and a set-group-id folder do to them,
 * access, statx, statfs, extended attributes where there are none, chroot.
 */
#include "test.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <utime.h>

/* What statx tells, as far as it is looked at here: not every C library knows it. */
struct report {
    unsigned mask, blksize;
    unsigned long attributes;
    unsigned nlink, uid, gid;
    unsigned short mode, unused;
    unsigned long ino, size, blocks;
    char rest[200];
};
#define BASIC 0x7ffU

static long ask(const char *path, int flags, struct report *report)
{
    return syscall(SYS_statx, AT_FDCWD, path, flags, BASIC, report);
}

static struct stat st;

static int is_primer(void)
{
    struct utsname name;
    return uname(&name) == 0 && strstr(name.release, "primer") != NULL;
}

static long mode_of(const char *path)
{
    return lstat(path, &st) < 0 ? -1 : (long)(st.st_mode & 07777);
}

static void make(const char *path, int mode)
{
    close(open(path, O_CREAT | O_EXCL | O_WRONLY, mode));
}

static void modes(void)
{
    make("a", 0666);
    SHOW(mode_of("a"));
    SHOW(umask(077));
    make("b", 0666);
    SHOW(mode_of("b"));
    SHOW(mkdir("d", 0777));
    SHOW(mode_of("d"));
    SHOW(mknod("p", S_IFIFO | 0666, 0));
    SHOW(mode_of("p"));
    SHOW(umask(01777));
    SHOW(umask(022));
    SHOW(symlink("a", "l"));
    SHOW(mode_of("l"));
    SHOW(chmod("a", 07755));
    SHOW(mode_of("a"));
    SHOW(chmod("l", 0600));
    SHOW(mode_of("a"));
    SHOW(chmod("none", 0600));
    SHOW(chmod("", 0600));
    SHOW(fchmodat(AT_FDCWD, "a", 0640, 0));
    SHOW(mode_of("a"));
    int fd = open("a", O_RDONLY);
    SHOW(fchmod(fd, 0100644));
    SHOW(mode_of("a"));
    SHOW(fchmod(1000, 0644));
    close(fd);
    fd = open("a", O_PATH);
    SHOW(fchmod(fd, 0644));
    close(fd);
    SHOW(chmod("d", 01777));
    SHOW(mode_of("d"));
    SHOW(access("a", R_OK | W_OK));
    SHOW(access("a", X_OK));
    SHOW(access("d", X_OK));
    SHOW(access("none", F_OK));
    SHOW(access("a", 8));
    SHOW(faccessat(AT_FDCWD, "l", F_OK, AT_SYMLINK_NOFOLLOW));
    SHOW(chmod("a", 0001));
    SHOW(access("a", X_OK));
    SHOW(close(open("a", O_RDWR)));
}

static void owners(void)
{
    SHOW(chmod("a", 06755));
    SHOW(chown("a", 7, 8));
    SHOW(stat("a", &st) == 0 ? st.st_uid * 100 + st.st_gid : -1);
    SHOW(mode_of("a"));
    SHOW(chown("a", -1, 9));
    SHOW(stat("a", &st) == 0 ? st.st_uid * 100 + st.st_gid : -1);
    SHOW(lchown("l", 5, 5));
    SHOW(lstat("l", &st) == 0 ? st.st_uid * 100 + st.st_gid : -1);
    SHOW(stat("l", &st) == 0 ? st.st_uid * 100 + st.st_gid : -1);
    SHOW(chown("l", 1, 1));
    SHOW(stat("a", &st) == 0 ? st.st_uid * 100 + st.st_gid : -1);
    SHOW(fchownat(AT_FDCWD, "a", 0, 0, 0x8000));
    SHOW(chmod("a", 02644));
    SHOW(chown("a", 0, 0));
    SHOW(mode_of("a")); /* without group execution the bit means something else */
    SHOW(chown("d", 3, 4));
    SHOW(chmod("d", 02755));
    SHOW(chown("d", 3, 4));
    SHOW(mode_of("d"));
    make("d/x", 0644);
    SHOW(stat("d/x", &st) == 0 ? st.st_uid * 100 + st.st_gid : -1);
    SHOW(mkdir("d/y", 0755));
    SHOW(mode_of("d/y"));
    SHOW(stat("d/y", &st) == 0 ? st.st_uid * 100 + st.st_gid : -1);
}

/* Does the call change this time of the file, and only such as the others in the letters "amc"? */
static const char *changed(const char *path, void (*call)(void))
{
    static char letters[4];
    struct timespec old[2] = {{1000, 5}, {2000, 6}};
    struct stat before, after;
    int count = 0;

    utimensat(AT_FDCWD, path, old, AT_SYMLINK_NOFOLLOW);
    lstat(path, &before);
    for (int i = 0; i < 2; i++) { /* the clock of files may stand still for a few milliseconds */
        struct timespec wait = {0, 20000000};
        nanosleep(&wait, NULL);
    }
    call();
    lstat(path, &after);
    if (memcmp(&before.st_atim, &after.st_atim, sizeof(before.st_atim))) {
        letters[count++] = 'a';
    }
    if (memcmp(&before.st_mtim, &after.st_mtim, sizeof(before.st_mtim))) {
        letters[count++] = 'm';
    }
    if (memcmp(&before.st_ctim, &after.st_ctim, sizeof(before.st_ctim))) {
        letters[count++] = 'c';
    }
    letters[count] = 0;
    return letters;
}

static int file;

static void do_read(void)
{
    char c;
    pread(file, &c, 1, 0);
}

static void do_write(void)
{
    pwrite(file, "xy", 2, 0);
}

static void do_empty_write(void)
{
    write(file, "", 0);
}

static void do_truncate(void)
{
    ftruncate(file, 1);
}

static void do_chmod(void)
{
    chmod("a", 0600);
}

static void do_chown(void)
{
    chown("a", 0, 0);
}

static void do_link(void)
{
    link("a", "a2");
}

static void do_unlink(void)
{
    unlink("a2");
}

static void do_rename(void)
{
    rename("a", "a3");
    rename("a3", "a");
}

static void do_create(void)
{
    make("d/new", 0600);
}

static void do_remove(void)
{
    unlink("d/new");
}

static void do_stat(void)
{
    stat("a", &st);
    access("a", R_OK);
}

static void do_nothing(void)
{
}

static void times(void)
{
    file = open("a", O_RDWR);
    pwrite(file, "abc", 3, 0);
    printf("nothing: %s\n", changed("a", do_nothing));
    printf("read: %s\n", changed("a", do_read));
    printf("write: %s\n", changed("a", do_write));
    printf("empty write: %s\n", changed("a", do_empty_write));
    printf("truncate: %s\n", changed("a", do_truncate));
    printf("chmod: %s\n", changed("a", do_chmod));
    printf("chown: %s\n", changed("a", do_chown));
    printf("link: %s\n", changed("a", do_link));
    printf("unlink: %s\n", changed("a", do_unlink));
    printf("rename: %s\n", changed("a", do_rename));
    printf("stat: %s\n", changed("a", do_stat));
    printf("folder, create: %s\n", changed("d", do_create));
    printf("folder, remove: %s\n", changed("d", do_remove));
    close(file);

    struct timespec two[2] = {{123456789, 987654321}, {-5, 999999999}};
    SHOW(utimensat(AT_FDCWD, "a", two, 0));
    stat("a", &st);
    SHOW(st.st_atim.tv_sec);
    SHOW(st.st_atim.tv_nsec);
    SHOW(st.st_mtim.tv_sec);
    SHOW(st.st_mtim.tv_nsec);
    two[0].tv_nsec = UTIME_OMIT;
    two[1] = (struct timespec){77, 88};
    SHOW(utimensat(AT_FDCWD, "a", two, 0));
    stat("a", &st);
    SHOW(st.st_atim.tv_sec);
    SHOW(st.st_mtim.tv_sec);
    two[1].tv_nsec = UTIME_NOW;
    SHOW(utimensat(AT_FDCWD, "a", two, 0));
    stat("a", &st);
    HOLDS(st.st_mtim.tv_sec > 1000000000);
    two[0].tv_nsec = 1000000000;
    SHOW(utimensat(AT_FDCWD, "a", two, 0));
    two[0].tv_nsec = two[1].tv_nsec = UTIME_OMIT;
    SHOW(utimensat(AT_FDCWD, "none", two, 0));
    two[1].tv_nsec = UTIME_NOW;
    SHOW(utimensat(AT_FDCWD, "none", two, 0));
    SHOW(utimensat(AT_FDCWD, "a", NULL, 0x8000));
    SHOW(syscall(SYS_utimensat, AT_FDCWD, NULL, NULL, 0));
    SHOW(utimensat(AT_FDCWD, "l", (struct timespec[2]){{11, 0}, {22, 0}}, AT_SYMLINK_NOFOLLOW));
    lstat("l", &st);
    SHOW(st.st_mtim.tv_sec);
    struct utimbuf old = {33, 44};
    SHOW(utime("a", &old));
    stat("a", &st);
    SHOW(st.st_atim.tv_sec * 100 + st.st_mtim.tv_sec);
    struct timeval micro[2] = {{55, 6}, {77, 8}};
    SHOW(syscall(SYS_utimes, "a", micro));
    stat("a", &st);
    SHOW(st.st_atim.tv_nsec + st.st_mtim.tv_nsec);
    micro[0].tv_usec = 1000000;
    SHOW(syscall(SYS_utimes, "a", micro));
    SHOW(syscall(SYS_futimesat, AT_FDCWD, "a", NULL));
    int fd = open("a", O_RDONLY);
    SHOW(futimens(fd, (struct timespec[2]){{12, 0}, {34, 0}}));
    SHOW(fstat(fd, &st) == 0 ? st.st_atim.tv_sec * 100 + st.st_mtim.tv_sec : -1);
    close(fd);
    HOLDS(st.st_ctim.tv_sec > 1000000000);
}

static void reports(void)
{
    struct report x;
    struct statvfs vfs;

    SHOW(ask("a", 0, &x));
    HOLDS((x.mask & BASIC) == BASIC);
    SHOW(x.size);
    SHOW(x.mode);
    SHOW(x.nlink);
    stat("a", &st);
    HOLDS(x.ino == st.st_ino && x.blksize == st.st_blksize && x.uid == st.st_uid);
    SHOW(ask("l", AT_SYMLINK_NOFOLLOW, &x));
    HOLDS(S_ISLNK(x.mode));
    SHOW(ask("none", 0, &x));
    SHOW(ask("a", 0x6000, &x));
    SHOW(statvfs(".", &vfs));
    HOLDS(vfs.f_blocks > 0 && vfs.f_bfree <= vfs.f_blocks && vfs.f_ffree <= vfs.f_files && vfs.f_namemax == 255);
    fsblkcnt_t before = vfs.f_bfree;
    int fd = open("big", O_CREAT | O_RDWR, 0600);
    static char block[65536] = {1};
    for (int i = 0; i < 64; i++) {
        write(fd, block, sizeof(block));
    }
    fsync(fd);
    statvfs(".", &vfs);
    HOLDS(!is_primer() || before - vfs.f_bfree >= 800); /* elsewhere others use the file system, too */
    close(fd);
    unlink("big");
    HOLDS(stat("a", &st) == 0 && st.st_ino != 0 && stat("d", &st) == 0);

    SHOW(getxattr("a", "user.none", block, 10) == -1 && (errno == ENODATA || errno == EOPNOTSUPP) ? 0 : -1);
    SHOW(getxattr("none", "user.x", block, 10));
    SHOW(getxattr("a", "", block, 10));
    SHOW(listxattr("none", block, 10));
    SHOW(setxattr("a", "user.x", "", 0, 4));
    SHOW(setxattr("none", "user.x", "", 0, 0));
    SHOW(removexattr("none", "user.x"));
    SHOW(fgetxattr(1000, "user.x", block, 10));
}

static void other_root(void)
{
    char path[256];

    SHOW(mkdir("d/inner", 0755));
    SHOW(symlink("/inner", "d/absolute"));
    pid_t child = fork();
    if (child == 0) {
        SHOW(chroot("a"));
        SHOW(chroot("none"));
        SHOW(chroot("d"));
        SHOW(chdir("/"));
        puts(getcwd(path, sizeof(path)));
        SHOW(stat("/../../inner", &st));
        SHOW(chdir("absolute"));
        puts(getcwd(path, sizeof(path)));
        SHOW(stat("/tmp", &st));
        SHOW(open("/proc/self/exe", O_RDONLY));
        fflush(stdout);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    SHOW(stat("/tmp", &st));
    SHOW(unlink("d/absolute") + rmdir("d/inner"));
}

int main(void)
{
    char folder[] = "/tmp/attributes-XXXXXX";

    setvbuf(stdout, NULL, _IONBF, 0);
    umask(022);
    if (mkdtemp(folder) == NULL || chdir(folder) < 0) {
        return 1; /* it would leave its files in the root */
    }
    modes();
    owners();
    times();
    reports();
    other_root();
    SHOW(unlink("a") + unlink("b") + unlink("l") + unlink("p") + unlink("d/x") + rmdir("d/y") + rmdir("d"));
    SHOW(rmdir(folder));
    return 0;
}
