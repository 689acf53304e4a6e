// SPDX-License-Identifier: MIT
// build: musl glibc
/*
 * Names: what makes, links, renames and removes them, which error of several comes first, what stays of a file or folder
 * without a name, and that a folder can be read while it changes.
 */
#include "test.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#define NOREPLACE 1
#define EXCHANGE  2

static struct stat st;

static int make(const char *path, const char *text)
{
    int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0644);
    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text)) {
        return -1;
    }
    return close(fd);
}

static const char *text_of(const char *path)
{
    static char text[64];
    int fd = open(path, O_RDONLY);
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    close(fd);
    text[length > 0 ? length : 0] = 0;
    return length < 0 ? "(none)" : text;
}

static long links(const char *path)
{
    return lstat(path, &st) < 0 ? -1 : (long)st.st_nlink;
}

static long rename2(const char *from, const char *to, unsigned flags)
{
    return syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags);
}

static void creating(void)
{
    SHOW(make("file", "one"));
    SHOW(open("file", O_CREAT | O_EXCL | O_WRONLY, 0644));
    SHOW(open("none/file", O_CREAT | O_WRONLY, 0644));
    SHOW(open("file/below", O_CREAT | O_WRONLY, 0644));
    SHOW(open("new/", O_CREAT | O_WRONLY, 0644));
    SHOW(open("file/", O_CREAT | O_WRONLY, 0644));
    SHOW(open(".", O_CREAT | O_WRONLY, 0644));
    SHOW(open(".", O_CREAT | O_EXCL | O_RDONLY, 0644));
    SHOW(open("", O_CREAT | O_WRONLY, 0644));
    SHOW(open("file", O_DIRECTORY));
    SHOW(mkdir("dir", 0755));
    SHOW(mkdir("dir", 0755));
    SHOW(mkdir("dir/", 0755));
    SHOW(mkdir("dir/.", 0755));
    SHOW(mkdir("none/.", 0755));
    SHOW(mkdir("file/x", 0755));
    SHOW(mkdir("/", 0755));
    SHOW(mkdir("", 0755));
    SHOW(mkdir("slash/", 0755));
    SHOW(rmdir("slash/"));
    SHOW(open("dir", O_WRONLY));
    SHOW(open("dir", O_RDONLY | O_TRUNC));
    SHOW(open("dir", O_RDONLY | O_CREAT, 0644));
    SHOW(mknod("fifo", S_IFIFO | 0600, 0));
    SHOW(mknod("fifo", S_IFIFO | 0600, 0));
    SHOW(mknod("plain", 0600, 0));
    SHOW(mknod("dir2", S_IFDIR | 0700, 0));
    SHOW(mknod("what", 0170000 | 0600, 0));
    SHOW(mknod("plain/", S_IFIFO | 0600, 0));
    SHOW(mknod("none/", S_IFIFO | 0600, 0));
    SHOW(lstat("fifo", &st) == 0 && S_ISFIFO(st.st_mode));
    SHOW(unlink("fifo"));
    SHOW(unlink("plain"));
    char name[300];
    memset(name, 'n', sizeof(name));
    name[255] = 0;
    SHOW(make(name, "long"));
    SHOW(unlink(name));
    name[255] = 'n', name[256] = 0;
    SHOW(make(name, "too long"));
    SHOW(mkdir(name, 0755));
}

static void symbolic(void)
{
    char buffer[64];

    SHOW(symlink("file", "link"));
    SHOW(symlink("file", "link"));
    SHOW(symlink("", "empty"));
    SHOW(symlink("x", "new/"));
    SHOW(symlink("x", "none/new"));
    SHOW(readlink("link", buffer, sizeof(buffer)));
    SHOW(readlink("link", buffer, 2));
    SHOW(readlink("file", buffer, 2));
    SHOW(readlink("dir", buffer, 2));
    SHOW(lstat("link", &st) == 0 ? (long)st.st_size : -1);
    printf("link: %s\n", text_of("link"));
    SHOW(open("link", O_NOFOLLOW));
    SHOW(open("link", O_CREAT | O_EXCL | O_WRONLY, 0644));
    SHOW(unlink("link/"));
    SHOW(symlink("target", "dangling"));
    SHOW(open("dangling", O_RDONLY));
    SHOW(open("dangling", O_CREAT | O_EXCL | O_WRONLY, 0644));
    SHOW(make("dangling", "through"));
    printf("target: %s\n", text_of("target"));
    SHOW(mkdir("link", 0755));
    SHOW(rmdir("link"));
    SHOW(symlink("dir", "dirlink"));
    SHOW(make("dirlink/inside", "in"));
    printf("dir/inside: %s\n", text_of("dir/inside"));
    SHOW(rmdir("dirlink"));
    SHOW(rmdir("dirlink/"));
    SHOW(unlink("dir/inside"));
    SHOW(symlink("loop", "loop"));
    SHOW(open("loop", O_RDONLY));
    SHOW(stat("loop/x", &st));
    SHOW(unlink("loop"));
    SHOW(unlink("dirlink"));
    SHOW(unlink("dangling"));
    SHOW(unlink("target"));
    SHOW(unlink("link"));
}

static void hard(void)
{
    SHOW(link("file", "second"));
    SHOW(links("file"));
    SHOW(link("file", "second"));
    SHOW(link("none", "third"));
    SHOW(link("file", "new/"));
    SHOW(link("dir", "dir3"));
    SHOW(link("file", "none/x"));
    SHOW(make("second", "both"));
    printf("file: %s\n", text_of("file"));
    SHOW(unlink("file"));
    SHOW(links("second"));
    SHOW(link("second", "file"));
    SHOW(rename("file", "second")); /* two names of one file: nothing happens */
    SHOW(links("second"));
    SHOW(symlink("second", "soft"));
    SHOW(linkat(AT_FDCWD, "soft", AT_FDCWD, "soft2", 0));
    SHOW(lstat("soft2", &st) == 0 && S_ISLNK(st.st_mode));
    SHOW(linkat(AT_FDCWD, "soft", AT_FDCWD, "hard3", AT_SYMLINK_FOLLOW));
    SHOW(links("second"));
    SHOW(linkat(AT_FDCWD, "soft", AT_FDCWD, "x", 1));
    SHOW(unlink("soft") + unlink("soft2") + unlink("hard3") + unlink("second"));
    SHOW(links("file"));
}

static void removing(void)
{
    SHOW(unlink("none"));
    SHOW(unlink("none/"));
    SHOW(unlink("dir"));
    SHOW(unlink("dir/"));
    SHOW(unlink("file/"));
    SHOW(unlink("dir/."));
    SHOW(unlink("."));
    SHOW(unlink(""));
    SHOW(rmdir("none"));
    SHOW(rmdir("file"));
    SHOW(rmdir("dir/."));
    SHOW(rmdir("dir/.."));
    SHOW(rmdir("/"));
    SHOW(mkdir("dir/sub", 0755));
    SHOW(links("dir"));
    SHOW(rmdir("dir"));
    SHOW(unlinkat(AT_FDCWD, "dir/sub", 0));
    SHOW(unlinkat(AT_FDCWD, "dir/sub", AT_REMOVEDIR));
    SHOW(unlinkat(AT_FDCWD, "dir/sub", 1));
    SHOW(links("dir"));

    int fd = open("file", O_RDWR);
    SHOW(unlink("file"));
    SHOW(fstat(fd, &st) == 0 ? (long)st.st_nlink : -1);
    SHOW(write(fd, "still", 5));
    SHOW(pread(fd, (char[8]){0}, 8, 0));
    SHOW(linkat(fd, "", AT_FDCWD, "back", AT_EMPTY_PATH));
    SHOW(close(fd));
    make("file", "anew");
}

static void renaming(void)
{
    SHOW(rename("none", "x"));
    SHOW(rename("file", "none/x"));
    SHOW(rename("file", "moved"));
    SHOW(rename("moved", "moved"));
    SHOW(rename("moved", "dir/moved"));
    SHOW(rename("dir/moved", "file"));
    make("other", "other");
    SHOW(rename("file", "other"));
    printf("other: %s\n", text_of("other"));
    SHOW(rename("other", "dir"));
    SHOW(rename("dir", "other"));
    SHOW(rename("other", "new/"));
    SHOW(rename("other/", "new"));
    SHOW(mkdir("dir/sub", 0755));
    SHOW(rename("dir", "dir/sub/x"));
    SHOW(rename("dir", "dir/x"));
    SHOW(rename("dir/sub", "dir"));
    SHOW(rename("dir", "dir"));
    SHOW(rename("dir/.", "x"));
    SHOW(rename("dir/..", "x"));
    SHOW(rename("other", "dir/.."));
    SHOW(rename("", "x"));
    SHOW(rename("other", ""));
    SHOW(mkdir("empty", 0755));
    SHOW(rename("empty", "dir"));
    SHOW(rename("dir", "empty"));
    SHOW(links("empty"));
    SHOW(stat("dir", &st));
    SHOW(rename("empty/", "dir/"));
    SHOW(mkdir("dir2", 0755));
    SHOW(rename("dir/sub", "dir2/sub"));
    SHOW(links("dir"));
    SHOW(links("dir2"));
    SHOW(rename2("other", "dir2", NOREPLACE));
    SHOW(rename2("other", "new", NOREPLACE));
    SHOW(rename2("new", "none", EXCHANGE));
    SHOW(rename2("new", "dir2", EXCHANGE));
    printf("dir2: %s\n", text_of("dir2"));
    SHOW(stat("new/sub", &st));
    SHOW(rename2("new/sub", "dir2", EXCHANGE));
    SHOW(links("new"));
    SHOW(rename2("new", "dir2/x", EXCHANGE));
    SHOW(rename2("new", "x", EXCHANGE | NOREPLACE));
    SHOW(rename2("new", "x", 8));
    SHOW(rename("new", "/proc/x"));
    SHOW(unlink("new/sub") + rmdir("new") + rmdir("dir2") + rmdir("dir") + rmdir("/none"));
}

/* A working directory that has been removed. */
static void without_a_name(void)
{
    char path[300];

    SHOW(mkdir("gone", 0755));
    SHOW(chdir("gone"));
    SHOW(rmdir("../gone"));
    SHOW(getcwd(path, sizeof(path)) == NULL ? -1 : 0);
    SHOW(make("x", ""));
    SHOW(mkdir("x", 0755));
    SHOW(stat(".", &st) == 0 ? (long)st.st_nlink : -1);
    SHOW(stat("..", &st) == 0 && st.st_nlink != 0);
    DIR *dir = opendir(".");
    SHOW(readdir(dir) == NULL);
    closedir(dir);
    SHOW(rename("../other", "x"));
    SHOW(chdir(".."));
    int fd = open(".", O_TMPFILE | O_RDWR, 0600);
    SHOW(fd >= 0);
    SHOW(write(fd, "nameless", 8));
    SHOW(fstat(fd, &st) == 0 ? (long)st.st_nlink : -1);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    SHOW(linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
    printf("named: %s\n", text_of("named"));
    SHOW(links("named"));
    close(fd);
    fd = open(".", O_TMPFILE | O_RDWR, 0600); /* its first name, and none once that has gone */
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    SHOW(linkat(AT_FDCWD, path, AT_FDCWD, "once", AT_SYMLINK_FOLLOW));
    SHOW(unlink("once"));
    SHOW(linkat(AT_FDCWD, path, AT_FDCWD, "again", AT_SYMLINK_FOLLOW));
    close(fd);
    fd = open(".", O_TMPFILE | O_RDWR | O_EXCL, 0600);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    SHOW(linkat(AT_FDCWD, path, AT_FDCWD, "never", AT_SYMLINK_FOLLOW));
    close(fd);
    SHOW(open(".", O_TMPFILE | O_RDONLY, 0600));
    SHOW(open("named", O_TMPFILE | O_RDWR, 0600));
    SHOW(unlink("named"));
}

/* All that stays is read once, whatever comes and goes meanwhile; a position that was told leads back. */
static void reading(void)
{
    char name[300];
    enum { MANY = 300 };
    static int seen[MANY];
    int twice = 0, missing = 0, count = 0;

    SHOW(mkdir("many", 0755));
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof(name), "many/%d", i);
        make(name, "");
    }
    DIR *dir = opendir("many");
    for (struct dirent *entry; (entry = readdir(dir)) != NULL; count++) {
        int number = atoi(entry->d_name);
        if (entry->d_name[0] < '0' || entry->d_name[0] > '9' || number >= MANY) {
            continue;
        }
        twice += seen[number]++ != 0;
        snprintf(name, sizeof(name), "many/x%d", number);
        if (number % 3 == 0) {
            make(name, "");
        }
        snprintf(name, sizeof(name), "many/%d", (number + 7) % MANY);
        if ((number + 7) % MANY % 5 == 0) {
            unlink(name);
        }
        if (count > 10 * MANY) {
            break;
        }
    }
    for (int i = 0; i < MANY; i++) {
        missing += seen[i] == 0 && i % 5 != 0;
    }
    HOLDS(twice == 0);
    HOLDS(missing == 0);
    rewinddir(dir);
    for (int i = 0; i < 10; i++) {
        readdir(dir);
    }
    long place = telldir(dir);
    struct dirent *entry = readdir(dir);
    char first[300];
    strcpy(first, entry != NULL ? entry->d_name : "?");
    while (readdir(dir) != NULL) {}
    seekdir(dir, place);
    entry = readdir(dir);
    HOLDS(entry != NULL && strcmp(entry->d_name, first) == 0);
    rewinddir(dir);
    count = 0;
    while ((entry = readdir(dir)) != NULL) {
        snprintf(name, sizeof(name), "many/%s", entry->d_name);
        count += unlink(name) == 0;
    }
    HOLDS(count > 200);
    closedir(dir);
    SHOW(rmdir("many"));
}

int main(void)
{
    char folder[] = "/tmp/tree-XXXXXX";

    umask(022);
    if (mkdtemp(folder) == NULL || chdir(folder) < 0) {
        return 1; /* it would leave its files in the root */
    }
    creating();
    symbolic();
    hard();
    removing();
    renaming();
    without_a_name();
    reading();
    DIR *dir = opendir(".");
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] != '.') {
            unlink(entry->d_name);
        }
    }
    closedir(dir);
    SHOW(rmdir(folder));
    return 0;
}
