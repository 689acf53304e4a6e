// SPDX-License-Identifier: MIT
/* What the Linux test programs share. Each prints the same here and in the guest: values, names of errors,
   no addresses. */
#ifndef TEST_H
#define TEST_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

/* A call's result: the value, or the error. */
#define SHOW(expression) show(#expression, (long)(expression))
/* Whether something holds that is no number to compare. "NO" is a failure, also where the host says the same. */
#define HOLDS(expression) printf("%s: %s\n", #expression, (expression) ? "yes" : "NO")

/* The same, of a call that answers so since a version of Linux; an older kernel's own answer does not count. */
#define SINCE(major, minor, expression, answer) since(major, minor, #expression, (long)(expression), answer)

static const char *error_text(int number)
{
    static char other[32];
    static const struct {
        int number;
        const char *name;
    } names[] = {
        {EPERM, "EPERM"},
        {ENOENT, "ENOENT"},
        {ESRCH, "ESRCH"},
        {EINTR, "EINTR"},
        {ENXIO, "ENXIO"},
        {E2BIG, "E2BIG"},
        {ENOEXEC, "ENOEXEC"},
        {EBADF, "EBADF"},
        {ECHILD, "ECHILD"},
        {EAGAIN, "EAGAIN"},
        {ENOMEM, "ENOMEM"},
        {EACCES, "EACCES"},
        {EFAULT, "EFAULT"},
        {EBUSY, "EBUSY"},
        {EEXIST, "EEXIST"},
        {ENODEV, "ENODEV"},
        {ENOTDIR, "ENOTDIR"},
        {EISDIR, "EISDIR"},
        {EINVAL, "EINVAL"},
        {EMFILE, "EMFILE"},
        {ENOTTY, "ENOTTY"},
        {ENOSPC, "ENOSPC"},
        {ESPIPE, "ESPIPE"},
        {EROFS, "EROFS"},
        {ERANGE, "ERANGE"},
        {ENOSYS, "ENOSYS"},
        {ELOOP, "ELOOP"},
        {ENAMETOOLONG, "ENAMETOOLONG"},
        {EOVERFLOW, "EOVERFLOW"},
        {ENOTSOCK, "ENOTSOCK"},
        {EAFNOSUPPORT, "EAFNOSUPPORT"},
    };
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (names[i].number == number) {
            return names[i].name;
        }
    }
    snprintf(other, sizeof(other), "error %d", number);
    return other;
}

__attribute__((unused)) static void show(const char *what, long result)
{
    if (result == -1) {
        printf("%s = %s\n", what, error_text(errno));
    } else {
        printf("%s = %ld\n", what, result);
    }
    fflush(stdout);
}

/* answer: a value, or a negative errno. */
__attribute__((unused)) static void since(int major, int minor, const char *what, long result, long answer)
{
    int has_major = 0, has_minor = 0, error = errno;
    struct utsname name;

    uname(&name);
    sscanf(name.release, "%d.%d", &has_major, &has_minor);
    int older = has_major < major || (has_major == major && has_minor < minor);
    errno = error;
    if (older && strstr(name.release, "primer") == NULL) {
        result = answer < 0 ? -1 : answer;
        errno = answer < 0 ? -answer : 0;
    }
    show(what, result);
}

/* Where user addresses end. With page tables of five levels, which Primer does not use, that is higher up. */
__attribute__((unused)) static unsigned long user_end(void)
{
    return syscall(SYS_munmap, 0x7ffffffff000UL, 4096UL) == 0 ? 0xfffffffffff000UL : 0x7ffffffff000UL;
}

#endif
