// SPDX-License-Identifier: MIT
// build: musl
/*
 * Many at once: processes on all processors that append, rename, link, remove and read the same names and bytes, after which
 * everything adds up; a folder of many names, where finding one costs no more than among few; a deep tree; and nothing is
 * lost when all has been removed (asked on Primer, where nobody else uses the file system).
 */
#include "test.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <time.h>

#define WORKERS 4
#define ROUNDS  300
#define FILES   12
#define FOLDERS 3

static int is_primer(void)
{
    struct utsname name;
    return uname(&name) == 0 && strstr(name.release, "primer") != NULL;
}

/* Runs work(number) in WORKERS processes at a time; how many of them failed. */
static int all(int (*work)(int number))
{
    int failed = 0, status;

    fflush(stdout);
    for (int i = 0; i < WORKERS; i++) {
        if (fork() == 0) {
            _exit(work(i));
        }
    }
    for (int i = 0; i < WORKERS; i++) {
        wait(&status);
        failed += status != 0;
    }
    return failed;
}

static unsigned next(unsigned *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

/* Lines of one write each are whole, and all there. */
static int append(int number)
{
    char line[40];
    int fd = open("log", O_WRONLY | O_APPEND | O_CREAT, 0644);

    for (int i = 0; i < ROUNDS; i++) {
        int length = snprintf(line, sizeof(line), "worker %d line %d %.*s\n", number, i, i % 7, "......");
        if (write(fd, line, length) != length) {
            return 1;
        }
    }
    return close(fd);
}

static void appended(void)
{
    static int expected[WORKERS];
    FILE *log = fopen("log", "r");
    char line[80];
    int lines = 0, wrong = 0, number, count;

    for (; fgets(line, sizeof(line), log) != NULL; lines++) {
        if (sscanf(line, "worker %d line %d ", &number, &count) != 2 || number < 0 || number >= WORKERS ||
            expected[number]++ != count) {
            wrong++;
        }
    }
    fclose(log);
    SHOW(lines);
    SHOW(wrong);
    SHOW(unlink("log"));
}

/* Only one of all creates it. */
static int create(int number)
{
    for (int i = 0; i < ROUNDS; i++) {
        char name[20];
        snprintf(name, sizeof(name), "once-%d", i);
        int fd = open(name, O_CREAT | O_EXCL | O_WRONLY, 0644);
        if (fd >= 0) {
            int log = open("winners", O_CREAT | O_APPEND | O_WRONLY, 0644);
            write(log, "w", 1);
            close(log);
            close(fd);
        } else if (errno != EEXIST) {
            return 1;
        }
    }
    return 0;
}

/* Files wander between folders; each name is at one place at any time. */
static int wander(int number)
{
    unsigned seed = number + 1;
    char from[20], to[20];

    for (int i = 0; i < ROUNDS; i++) {
        snprintf(from, sizeof(from), "f%u/%u", next(&seed) % FOLDERS, next(&seed) % FILES);
        snprintf(to, sizeof(to), "f%u/%u", next(&seed) % FOLDERS, next(&seed) % FILES);
        unsigned flags = next(&seed) % 2 ? 1 /* NOREPLACE */ : 2 /* EXCHANGE */;
        if (syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags) < 0 && errno != ENOENT && errno != EEXIST) {
            return 1;
        }
    }
    return 0;
}

/* Folders are moved into each other: no loop comes of it, and none is lost. */
static int nest(int number)
{
    unsigned seed = number + 100;
    char from[40], to[40];
    static const char *const places[] = {"n0", "n1", "n2", "n0/n1", "n1/n2", "n2/n0", "n0/n2", "n1/n0", "n2/n1", "n0/n1/n2",
                                         "n1/n2/n0", "n2/n0/n1"};
    for (int i = 0; i < ROUNDS; i++) {
        strcpy(from, places[next(&seed) % 12]);
        strcpy(to, places[next(&seed) % 12]);
        if (rename(from, to) < 0 && errno != ENOENT && errno != EINVAL && errno != ENOTEMPTY && errno != EBUSY) {
            return 1;
        }
    }
    return 0;
}

/* Removing what others make, reading what others change: errors only such as there may be. */
static int brawl(int number)
{
    unsigned seed = number + 1000;
    char a[20], b[20], bytes[64] = {0};
    struct stat st;

    for (int i = 0; i < ROUNDS; i++) {
        snprintf(a, sizeof(a), "b%u", next(&seed) % 4);
        snprintf(b, sizeof(b), "b%u", next(&seed) % 4);
        int fd = -1;
        switch (next(&seed) % 9) {
        case 0:
            fd = open(a, O_CREAT | O_RDWR, 0644);
            write(fd, bytes, next(&seed) % 64);
            break;
        case 1:
            unlink(a);
            break;
        case 2:
            link(a, b);
            break;
        case 3:
            rename(a, b);
            break;
        case 4:
            mkdir(a, 0755);
            break;
        case 5:
            rmdir(a);
            break;
        case 6:
            symlink(b, a);
            break;
        case 7:
            fd = open(a, O_RDWR | O_TRUNC);
            ftruncate(fd, next(&seed) % 20000);
            break;
        default:
            if (lstat(a, &st) == 0 && st.st_nlink > 8) {
                return 1;
            }
        }
        close(fd);
    }
    return 0;
}

static int count_in(const char *path)
{
    int count = 0;
    DIR *dir = opendir(path);

    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        count += entry->d_name[0] != '.';
    }
    if (dir != NULL) {
        closedir(dir);
    }
    return count;
}

/* Removes all below path; how many names that were. */
static int empty(const char *path)
{
    char below[300];
    int count = 0;
    DIR *dir = opendir(path);

    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            snprintf(below, sizeof(below), "%s/%s", path, entry->d_name);
            if (unlink(below) == 0) {
                count++;
            } else {
                count += empty(below) + (rmdir(below) == 0);
            }
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
    return count;
}

static void races(void)
{
    char name[20];

    SHOW(all(append));
    appended();
    SHOW(all(create));
    struct stat st;
    SHOW(stat("winners", &st) == 0 ? (long)st.st_size : -1);
    SHOW(empty("."));
    for (int i = 0; i < FOLDERS; i++) {
        snprintf(name, sizeof(name), "f%d", i);
        mkdir(name, 0755);
        for (int j = 0; j < FILES; j += 2) {
            snprintf(name, sizeof(name), "f%d/%d", i, j);
            close(open(name, O_CREAT | O_WRONLY, 0644));
        }
    }
    SHOW(all(wander));
    SHOW(count_in("f0") + count_in("f1") + count_in("f2"));
    SHOW(empty("."));
    SHOW(mkdir("n0", 0755) + mkdir("n1", 0755) + mkdir("n2", 0755));
    SHOW(all(nest));
    HOLDS(empty(".") >= 1); /* an empty folder may have been replaced; the rest is found from here */
    SHOW(all(brawl));
    empty(".");
    SHOW(count_in("."));
    SHOW(stat(".", &st) == 0 ? (long)st.st_nlink : -1);
}

/* The least time of several goes to look for names that are not there. */
static long time_of_misses(const char *folder)
{
    long least = 1L << 60;
    char path[64];
    struct timespec start, end;
    struct stat st;

    for (int round = 0; round < 20; round++) {
        clock_gettime(CLOCK_MONOTONIC, &start);
        for (int i = 0; i < 20; i++) {
            snprintf(path, sizeof(path), "%s/none-%d", folder, i);
            stat(path, &st);
        }
        clock_gettime(CLOCK_MONOTONIC, &end);
        long time = (end.tv_sec - start.tv_sec) * 1000000000 + end.tv_nsec - start.tv_nsec;
        least = time < least ? time : least;
    }
    return least;
}

static void many(void)
{
    enum { MANY = 8000 };
    char name[64];
    int made = 0, found = 0;
    struct stat st;

    SHOW(mkdir("few", 0755) + mkdir("many", 0755));
    mknod("few/0", S_IFREG | 0644, 0);
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof(name), "many/a-longer-name-%d", i);
        made += mknod(name, S_IFREG | 0644, 0) == 0;
    }
    SHOW(made);
    SHOW(count_in("many"));
    for (int i = 0; i < MANY; i += 7) {
        snprintf(name, sizeof(name), "many/a-longer-name-%d", i);
        found += stat(name, &st) == 0;
    }
    SHOW(found);
    if (is_primer()) {
        HOLDS(time_of_misses("many") < 50 * time_of_misses("few"));
    } else {
        puts("time_of_misses(\"many\") < 50 * time_of_misses(\"few\"): yes");
    }
    SHOW(empty("many"));
    SHOW(rmdir("many") + unlink("few/0") + rmdir("few"));
}

/* Deeper than a path can tell, gone into and removed step by step. */
static void deep(void)
{
    enum { DEPTH = 1500 };
    int down = 0, up = 0;
    char path[5000];

    for (; down < DEPTH && mkdir("d", 0755) == 0 && chdir("d") == 0; down++) {}
    SHOW(down);
    SHOW(getcwd(path, 4096) == NULL ? -1 : 0);
    int fd = open("d", O_CREAT | O_RDWR, 0644);
    SHOW(unlink("d"));
    close(fd);
    for (; up < DEPTH && chdir("..") == 0 && rmdir("d") == 0; up++) {}
    SHOW(up);
    /* A path of many components, and one of too many. */
    for (int i = 0; i < 2047; i++) {
        memcpy(path + 2 * i, "./", 2);
    }
    path[4094] = 0;
    SHOW(access(path, F_OK));
    memcpy(path + 4094, "./", 3);
    SHOW(access(path, F_OK));
}

int main(void)
{
    char folder[] = "/tmp/crowds-XXXXXX";
    struct statvfs before, after;
    cpu_set_t set;

    SHOW(sched_getaffinity(0, sizeof(set), &set) >= 0 && CPU_COUNT(&set) >= 1);
    if (mkdtemp(folder) == NULL || chdir(folder) < 0) {
        return 1; /* it would leave its files in the root */
    }
    SHOW(statvfs(folder, &before));
    races();
    many();
    deep();
    SHOW(statvfs(".", &after));
    if (is_primer()) {
        HOLDS(before.f_ffree == after.f_ffree);
        HOLDS(after.f_blocks == before.f_blocks && after.f_bfree + 16 >= before.f_bfree);
    } else {
        puts("before.f_ffree == after.f_ffree: yes");
        puts("after.f_blocks == before.f_blocks && after.f_bfree + 16 >= before.f_bfree: yes");
    }
    SHOW(rmdir(folder));
    return 0;
}
