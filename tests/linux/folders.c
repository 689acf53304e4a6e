// SPDX-License-Identifier: MIT
// build: glibc musl
// flags: -w
/* Folders and paths: reading, the working directory, dots, slashes, links that lead nowhere. */
#include "test.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

static int holds(const char *folder, const char *name)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    int found = 0;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        found += strcmp(entry->d_name, name) == 0;
    }
    if (dir != NULL) {
        closedir(dir);
    }
    return found;
}

static void reading(void)
{
    char small[8], buffer[4096];
    DIR *dir = opendir("/dev");
    struct dirent *entry;
    char second[256] = "";
    long position = 0;

    HOLDS(holds("/", "dev") == 1 && holds("/", ".") == 1 && holds("/", "..") == 1);
    HOLDS(holds("/dev", "null") == 1 && holds("/proc", "self") == 1);
    HOLDS(holds("/proc/self/fd", "0") == 1 && holds("/proc/self/fd", "1") == 1);
    for (int i = 0; i < 4 && (entry = readdir(dir)) != NULL; i++) {
        if (i == 1) {
            position = telldir(dir);
        }
        if (i == 2) {
            strcpy(second, entry->d_name);
        }
    }
    seekdir(dir, position);
    entry = readdir(dir);
    HOLDS(entry != NULL && strcmp(entry->d_name, second) == 0);
    rewinddir(dir);
    int count = 0;
    while ((entry = readdir(dir)) != NULL) {
        count++;
        HOLDS(entry->d_ino != 0 || count < 0);
        if (strcmp(entry->d_name, "null") == 0) {
            HOLDS(entry->d_type == DT_CHR);
        }
        if (count == 2) {
            break;
        }
    }
    closedir(dir);
    int fd = open("/dev", O_RDONLY);
    SHOW(syscall(SYS_getdents64, fd, small, sizeof(small)));
    SHOW(syscall(SYS_getdents64, fd, 8L, 4096));
    HOLDS(syscall(SYS_getdents64, fd, buffer, sizeof(buffer)) > 0);
    while (syscall(SYS_getdents64, fd, buffer, sizeof(buffer)) > 0) {}
    SHOW(syscall(SYS_getdents64, fd, buffer, sizeof(buffer)));
    SHOW(lseek(fd, 0, SEEK_SET));
    HOLDS(syscall(SYS_getdents, fd, buffer, sizeof(buffer)) > 0);
    close(fd);
    fd = open("/dev/null", O_RDONLY);
    SHOW(syscall(SYS_getdents64, fd, buffer, sizeof(buffer)));
    close(fd);
}

static void show_cwd(void)
{
    char path[4096];
    long length = syscall(SYS_getcwd, path, sizeof(path));
    printf("cwd %s, %ld\n", length > 0 ? path : error_text(errno), length);
}

static void working_directory(void)
{
    char path[8];

    SHOW(chdir("/"));
    show_cwd();
    SHOW(chdir("dev"));
    show_cwd();
    SHOW(access("null", F_OK));
    SHOW(chdir(".."));
    show_cwd();
    SHOW(chdir("/dev/../proc/./self/../../dev//"));
    show_cwd();
    SHOW(chdir("/../../.."));
    show_cwd();
    SHOW(chdir("/none"));
    SHOW(chdir("/dev/null"));
    SHOW(chdir(""));
    int fd = open("/proc", O_RDONLY);
    SHOW(fchdir(fd));
    show_cwd();
    close(fd);
    SHOW(fchdir(fd));
    fd = open("/dev/null", O_RDONLY);
    SHOW(fchdir(fd));
    close(fd);
    SHOW(syscall(SYS_getcwd, path, 3));
    SHOW(syscall(SYS_getcwd, 8L, 100));
    SHOW(access("/dev/null/", F_OK));
    SHOW(access("/dev/", F_OK));
    SHOW(access("/dev/null/..", F_OK));
    SHOW(access("", F_OK));
}

static void names(void)
{
    char name[5000];
    struct stat st;

    memset(name, 'n', sizeof(name));
    name[0] = '/';
    name[256] = 0;
    SHOW(stat(name, &st));
    name[256] = 'n';
    name[257] = 0;
    SHOW(stat(name, &st));
    name[257] = 'n';
    name[4999] = 0;
    SHOW(stat(name, &st));
    for (int i = 0; i < 4094; i += 2) {
        name[i] = '.', name[i + 1] = '/';
    }
    name[4094] = '.', name[4095] = 0;
    chdir("/");
    SHOW(stat(name, &st));
    SHOW(syscall(SYS_stat, 8L, &st));
    SHOW(syscall(SYS_stat, "/", 8L));
    SHOW(open("/proc/self/exe/x", O_RDONLY));
    SHOW(open("/none/x", O_RDONLY | O_CREAT, 0600));
    SHOW(open("/", O_WRONLY));
    SHOW(open("/", O_RDWR));
    SHOW(open("/dev", O_RDONLY | O_CREAT, 0600));
    SHOW(open("/dev/null", O_RDONLY | O_CREAT | O_EXCL, 0600));
    SHOW(open("/proc/self/exe", O_RDONLY | O_NOFOLLOW));
    SHOW(open("", O_RDONLY));
    SHOW(mkdir("/", 0700));
    SHOW(mkdir("/dev", 0700));
    SHOW(mkdir("/none/x", 0700));
    SHOW(unlink("/none"));
    SHOW(rmdir("/none/x"));
    SHOW(rename("/none", "/none2"));
    SHOW(open("/proc/self/fd/99", O_RDONLY));
    SHOW(open("/proc/999999999/exe", O_RDONLY));
    SHOW(open("/proc/self/none", O_RDONLY));
}

int main(void)
{
    reading();
    working_directory();
    names();
    return 0;
}
