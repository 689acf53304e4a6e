// SPDX-License-Identifier: MIT
// build: glibc pie musl
// flags: -w
/* execve: the program starts itself anew, twice, and looks at what stays and what goes. */
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>

static void note(int sig)
{
}

static void first(void)
{
    char *arguments[] = {"again", "", "a b", NULL}, *environment[] = {"KEY=value", "EMPTY=", NULL};
    char *much = malloc(3 << 20), *many[] = {"x", much, NULL};

    open("/dev/null", O_RDONLY | O_CLOEXEC);
    open("/dev/null", O_RDONLY);
    signal(SIGUSR1, note);
    signal(SIGUSR2, SIG_IGN);
    mmap((void *)0x200000000, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    SHOW(execve("/none", arguments, environment));
    SHOW(execve("/dev", arguments, environment));
    SHOW(execve("/dev/null", arguments, environment));
    SHOW(execve("", arguments, environment));
    SHOW(execve((char *)8, arguments, environment));
    SHOW(execve("/proc/self/exe", (char **)8, environment));
    memset(much, 'x', (3 << 20) - 1);
    much[(3 << 20) - 1] = 0;
    SHOW(execve("/proc/self/exe", many, environment));
    int count = 800000;
    char **pointers = malloc((count + 1) * sizeof(char *));
    for (int i = 0; i < count; i++) {
        pointers[i] = ""; /* short strings, but the pointers count as well */
    }
    pointers[count] = NULL;
    SHOW(execve("/proc/self/exe", pointers, environment));
    SHOW(execve("/proc/self/exe", arguments, pointers));
    unsigned rounding = 0x7f80, x87 = 0xf7f;
    __asm__ volatile("ldmxcsr %0; fldcw %1" : : "m"(rounding), "m"(x87));
    SHOW(execve("/proc/self/exe", arguments, environment));
}

static void second(int argc, char **argv)
{
    struct sigaction action;
    unsigned rounding, x87 = 0;

    __asm__ volatile("stmxcsr %0; fnstcw %1" : "=m"(rounding), "=m"(x87));
    printf("rounding as ever: %x %x\n", rounding & 0xffc0, x87);
    printf("argc %d, argv[1] [%s], argv[2] [%s]\n", argc, argv[1], argv[2]);
    printf("KEY %s, EMPTY [%s], PATH %s\n", getenv("KEY"), getenv("EMPTY"),
           getenv("PATH") ? "there" : "not there");
    SHOW(fcntl(3, F_GETFD));
    SHOW(fcntl(4, F_GETFD));
    sigaction(SIGUSR1, NULL, &action);
    HOLDS(action.sa_handler == SIG_DFL);
    sigaction(SIGUSR2, NULL, &action);
    HOLDS(action.sa_handler == SIG_IGN);
    SHOW(msync((void *)0x200000000, 4096, MS_SYNC));
    char *last[] = {NULL}, *environment[] = {NULL};
    fflush(stdout);
    execve("/proc/self/exe", last, environment);
    printf("no third time\n");
}

int main(int argc, char **argv, char **environment)
{
    setvbuf(stdout, NULL, _IONBF, 0);
    if (argc == 4) {
        first();
    } else if (argc == 3) {
        second(argc, argv);
    } else {
        printf("argc %d, [%s], environment %s\n", argc, argv[0],
               environment[0] == NULL ? "empty" : "not empty");
        return 9;
    }
    return 1;
}
