// SPDX-License-Identifier: MIT
// build: glibc musl
/* execve and execveat: scripts and their interpreters, errors, descriptors that close, signals, limits and
   locks that stay. */
#include "test.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#ifndef AT_EMPTY_PATH
#define AT_EMPTY_PATH 0x1000
#endif

static char self[4096], folder[64];
static char *no_environment[] = {NULL};

static char *in_folder(const char *name)
{
    static char paths[4][128];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, 128, "%s/%s", folder, name);
    return path;
}

static void file(const char *name, const char *text, int mode)
{
    int fd = open(in_folder(name), O_CREAT | O_TRUNC | O_WRONLY, 0700);
    write(fd, text, strlen(text));
    close(fd);
    chmod(in_folder(name), mode);
}

/* The status of a child that execs, or its errno + 100. */
static int run_at(int dfd, const char *path, char **argv, char **envp, int flags)
{
    int status;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        syscall(SYS_execveat, dfd, path, argv, envp, flags);
        _exit(errno + 100);
    }
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -status;
}

static int run(const char *path, char **argv)
{
    int status;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        syscall(SYS_execve, path, argv, no_environment);
        _exit(errno + 100);
    }
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -status;
}

static const char *error(int status)
{
    return status > 100 ? error_text(status - 100) : "none";
}
#define FAILS(expression) printf("%s: %s\n", #expression, error(expression))

/* What the program sees that was run: its arguments, but for where they lie. */
static int shown(int argc, char **argv)
{
    readlink("/proc/self/exe", self, sizeof(self) - 1);
    printf("run with %d:", argc);
    for (int i = 0; i < argc; i++) {
        char *name = strrchr(argv[i], '/');
        printf(" [%s]", strcmp(argv[i], self) == 0 ? "self" : name != NULL ? name + 1 : argv[i]);
    }
    printf("\n");
    fflush(stdout);
    return 20 + argc;
}

static void scripts(void)
{
    char text[4400], *argv[] = {"zero", "one two", "", NULL}, *none[] = {NULL};

    snprintf(text, sizeof(text), "#!%s\n", self);
    file("plain", text, 0700);
    SHOW(run(in_folder("plain"), argv));
    snprintf(text, sizeof(text), "#! \t %s  -shown  with blanks \t\nrest", self);
    file("argument", text, 0755);
    SHOW(run(in_folder("argument"), argv));
    SHOW(run(in_folder("argument"), none));
    file("no-end", "", 0700);
    FAILS(run(in_folder("no-end"), argv));
    file("empty", "#!\n", 0700);
    FAILS(run(in_folder("empty"), argv));
    file("blank", "#!   \n", 0700);
    FAILS(run(in_folder("blank"), argv));
    file("missing", "#!/nowhere/at-all\n", 0700);
    FAILS(run(in_folder("missing"), argv));
    file("text", "hello\n", 0700);
    FAILS(run(in_folder("text"), argv));
    file("closed", "#!/bin/true\n", 0600);
    FAILS(run(in_folder("closed"), argv));
    FAILS(run(folder, argv));
    FAILS(run(in_folder("none"), argv));
    FAILS(run(in_folder("plain/below"), argv));
    FAILS(run("", argv));
    FAILS(run((char *)8, argv));
    FAILS(run(in_folder("plain"), (char **)8));
    /* Scripts of scripts. */
    snprintf(text, sizeof(text), "#!%s -shown\n", self);
    file("s0", text, 0700);
    for (int i = 1; i < 8; i++) {
        char name[8];
        snprintf(name, sizeof(name), "s%d", i);
        char before[8];
        snprintf(before, sizeof(before), "s%d", i - 1);
        snprintf(text, sizeof(text), "#!%s\n", in_folder(before));
        file(name, text, 0700);
    }
    SHOW(run(in_folder("s3"), argv));
    SHOW(run(in_folder("s4"), argv));
    FAILS(run(in_folder("s5"), argv));
    FAILS(run(in_folder("s7"), argv));
    /* A file that is open for writing. */
    int fd = open(in_folder("plain"), O_RDWR);
    FAILS(run(in_folder("plain"), argv));
    close(fd);
}

static void too_big(void)
{
    size_t size = 200000;
    char *string = malloc(size + 1);
    char *argv[] = {"zero", string, NULL};
    memset(string, 'x', size);
    string[size] = 0;
    FAILS(run(self, argv));
    string[131071] = 0;
    char *fits[] = {"zero", "-length", string, NULL};
    SHOW(run(self, fits));
    char **many = malloc(1000 * sizeof(char *));
    for (int i = 0; i < 999; i++) {
        many[i] = string;
    }
    many[999] = NULL;
    FAILS(run(self, many));
}

static void at(void)
{
    char *argv[] = {"zero", "-shown", NULL};
    int dir = open(folder, O_RDONLY | O_DIRECTORY), program = open(self, O_RDONLY | O_CLOEXEC);
    int script = open(in_folder("argument"), O_RDONLY), closing = open(in_folder("argument"), O_RDONLY | O_CLOEXEC);

    symlink(self, in_folder("link"));
    SHOW(run_at(dir, "argument", argv, no_environment, 0));
    SHOW(run_at(dir, "link", argv, no_environment, 0));
    FAILS(run_at(dir, "link", argv, no_environment, AT_SYMLINK_NOFOLLOW));
    SHOW(run_at(program, "", argv, no_environment, AT_EMPTY_PATH));
    FAILS(run_at(program, "", argv, no_environment, 0));
    FAILS(run_at(program, "below", argv, no_environment, 0));
    SHOW(run_at(-1, self, argv, no_environment, 0));
    FAILS(run_at(-1, "self", argv, no_environment, 0));
    FAILS(run_at(dir, "", argv, no_environment, AT_EMPTY_PATH));
    FAILS(run_at(dir, "argument", argv, no_environment, 1));
    SHOW(run_at(script, "", argv, no_environment, AT_EMPTY_PATH) >= 20);
    FAILS(run_at(closing, "", argv, no_environment, AT_EMPTY_PATH));
}

static void caught(int sig)
{
}

static void *wait_for_ever(void *unused)
{
    while (pause() != 0) {
    }
    return unused;
}

static void kept(void)
{
    char *argv[] = {"zero", "-kept", NULL};
    sigset_t mask, old;
    struct rlimit limit = {77, 100};
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    pthread_t thread;

    file("lock", "", 0600);
    signal(SIGUSR1, caught);
    signal(SIGUSR2, SIG_IGN);
    sigemptyset(&mask);
    sigaddset(&mask, SIGHUP);
    sigprocmask(SIG_BLOCK, &mask, &old);
    raise(SIGHUP);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        raise(SIGHUP);
        setrlimit(RLIMIT_NOFILE, &limit);
        nice(3);
        umask(027);
        dup2(1, 50);
        fcntl(50, F_SETFD, FD_CLOEXEC);
        dup2(1, 51);
        dup2(open(in_folder("lock"), O_RDWR), 52);
        fcntl(52, F_SETLK, &lock);
        syscall(SYS_membarrier, 16, 0, 0);
        pthread_create(&thread, NULL, wait_for_ever, NULL); /* has the descriptors, too, up to its end */
        sigaltstack(&(stack_t){.ss_sp = malloc(65536), .ss_size = 65536}, NULL);
        execve(self, argv, no_environment);
        _exit(1);
    }
    int status;
    waitpid(pid, &status, 0);
    SHOW(status);
}

static int show_kept(void)
{
    struct sigaction action;
    struct rlimit limit;
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    sigset_t mask, pending;
    stack_t stack;
    int status;

    sigaction(SIGUSR1, NULL, &action);
    HOLDS(action.sa_handler == SIG_DFL);
    sigaction(SIGUSR2, NULL, &action);
    HOLDS(action.sa_handler == SIG_IGN);
    sigprocmask(SIG_BLOCK, NULL, &mask);
    SHOW(sigismember(&mask, SIGHUP));
    sigpending(&pending);
    SHOW(sigismember(&pending, SIGHUP));
    getrlimit(RLIMIT_NOFILE, &limit);
    SHOW(limit.rlim_cur);
    SHOW(limit.rlim_max);
    SHOW(umask(0));
    SHOW(fcntl(50, F_GETFD));
    SHOW(fcntl(51, F_GETFD));
    sigaltstack(NULL, &stack);
    SHOW(stack.ss_flags == SS_DISABLE);
    SHOW(syscall(SYS_membarrier, 8, 0, 0));
    fflush(stdout);
    if (fork() == 0) {
        fcntl(52, F_GETLK, &lock);
        _exit(lock.l_type == F_WRLCK);
    }
    wait(&status);
    SHOW(WEXITSTATUS(status));
    return 0;
}

/* A child of vfork that execs lets its parent go on. */
static void vforked(void)
{
    char *argv[] = {"zero", "-shown", "vfork", NULL};
    int status;
    fflush(stdout);
    pid_t pid = vfork();
    if (pid == 0) {
        execve(self, argv, no_environment);
        _exit(1);
    }
    waitpid(pid, &status, 0);
    SHOW(status >> 8);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strncmp(argv[1], "-shown", 6) == 0) {
        return shown(argc, argv);
    }
    if (argc > 1 && strcmp(argv[1], "-kept") == 0) {
        return show_kept();
    }
    if (argc > 2 && strcmp(argv[1], "-length") == 0) {
        return strlen(argv[2]) == 131071 ? 8 : 9;
    }
    if (argc > 1 && strstr(argv[1], "/plain") != NULL) {
        return shown(argc, argv);
    }
    readlink("/proc/self/exe", self, sizeof(self) - 1);
    strcpy(folder, "/tmp/execs-XXXXXX");
    mkdir("/tmp", 0777);
    HOLDS(mkdtemp(folder) != NULL);
    scripts();
    too_big();
    at();
    kept();
    vforked();
    const char *const names[] = {"plain", "argument", "no-end", "empty", "blank", "missing", "text", "closed", "link", "lock",
                                 "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7"};
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        unlink(in_folder(names[i]));
    }
    SHOW(rmdir(folder));
    return 0;
}
