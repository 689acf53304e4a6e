// SPDX-License-Identifier: MIT
// build: glibc musl
/* The vDSO (found through AT_SYSINFO_EHDR and read as a dynamic linker reads it) and the vsyscall page: their answers lie between
   those of the system calls before and after. */
#include "test.h"

#include <elf.h>
#include <link.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

static const char *base;
static const Elf64_Sym *symbols;
static const char *strings;
static const unsigned *hash;
static const Elf64_Half *versions;
static const Elf64_Verdef *definitions;

static const void *at(Elf64_Addr address)
{
    return base + address;
}

static void read_dynamic(const Elf64_Dyn *dynamic)
{
    for (; dynamic->d_tag != DT_NULL; dynamic++) {
        switch (dynamic->d_tag) {
        case DT_SYMTAB:
            symbols = at(dynamic->d_un.d_ptr);
            break;
        case DT_STRTAB:
            strings = at(dynamic->d_un.d_ptr);
            break;
        case DT_HASH:
            hash = at(dynamic->d_un.d_ptr);
            break;
        case DT_VERSYM:
            versions = at(dynamic->d_un.d_ptr);
            break;
        case DT_VERDEF:
            definitions = at(dynamic->d_un.d_ptr);
            break;
        }
    }
}

static const char *version_name(unsigned index)
{
    for (const Elf64_Verdef *at = definitions;; at = (const void *)((const char *)at + at->vd_next)) {
        if ((at->vd_ndx & 0x7fff) == (index & 0x7fff)) {
            return strings + ((const Elf64_Verdaux *)((const char *)at + at->vd_aux))->vda_name;
        }
        if (at->vd_next == 0) {
            return "";
        }
    }
}

static const void *find(const char *name)
{
    for (unsigned i = 0; i < hash[1]; i++) {
        if (strcmp(strings + symbols[i].st_name, name) == 0 && symbols[i].st_shndx != SHN_UNDEF) {
            return strcmp(version_name(versions[i]), "LINUX_2.6") == 0 ? at(symbols[i].st_value) : NULL;
        }
    }
    return NULL;
}

static long ns(const struct timespec *time)
{
    return time->tv_sec * 1000000000 + time->tv_nsec;
}

/* The vDSO's time lies between two calls' answers; slack for clocks that go by ticks, or another's rounding. */
static int between(int (*gettime)(int, struct timespec *), int clock, long slack)
{
    struct timespec before, now, after;
    for (int i = 0; i < 1000; i++) {
        syscall(SYS_clock_gettime, clock, &before);
        if (gettime(clock, &now) != 0) {
            return 0;
        }
        syscall(SYS_clock_gettime, clock, &after);
        if (now.tv_nsec < 0 || now.tv_nsec > 999999999 || ns(&now) < ns(&before) - slack || ns(&now) > ns(&after) + slack) {
            return 0;
        }
    }
    return 1;
}

static int (*clock_function)(int, struct timespec *);
static volatile int backwards;

static void watch(void)
{
    struct timespec last = {0, 0}, now;
    for (int i = 0; i < 20000; i++) {
        clock_function(CLOCK_MONOTONIC, &now);
        backwards |= ns(&now) < ns(&last);
        last = now;
    }
}

static void clocks(void)
{
    int (*gettime)(int, struct timespec *) = find("__vdso_clock_gettime");
    HOLDS(gettime != NULL && find("clock_gettime") == gettime);
    if (gettime == NULL) {
        return;
    }
    HOLDS(between(gettime, CLOCK_MONOTONIC, 0));
    HOLDS(between(gettime, CLOCK_REALTIME, 0));
    HOLDS(between(gettime, CLOCK_BOOTTIME, 0));
    HOLDS(between(gettime, CLOCK_MONOTONIC_RAW, 0));
    HOLDS(between(gettime, CLOCK_TAI, 0));
    HOLDS(between(gettime, CLOCK_MONOTONIC_COARSE, 20000000));
    HOLDS(between(gettime, CLOCK_REALTIME_COARSE, 20000000));
    HOLDS(between(gettime, CLOCK_PROCESS_CPUTIME_ID, 0));
    struct timespec time;
    SHOW(gettime(77, &time) == -EINVAL || gettime(77, &time) == -1);
    clock_function = gettime;
    watch();
    HOLDS(!backwards);
}

static void times(void)
{
    int (*day)(struct timeval *, void *) = find("__vdso_gettimeofday");
    long (*seconds)(long *) = find("__vdso_time");
    int (*cpu)(unsigned *, unsigned *, void *) = find("__vdso_getcpu");
    struct timeval before, now, after;
    HOLDS(day != NULL && seconds != NULL && cpu != NULL);
    if (day == NULL || seconds == NULL || cpu == NULL) {
        return;
    }
    syscall(SYS_gettimeofday, &before, NULL);
    SHOW(day(&now, NULL));
    syscall(SYS_gettimeofday, &after, NULL);
    HOLDS(timercmp(&before, &now, <=) && timercmp(&now, &after, <=) && now.tv_usec < 1000000);
    struct {
        int minutes, summer;
    } zone = {7, 7};
    SHOW(day(NULL, &zone));
    HOLDS(zone.minutes == 0 && zone.summer == 0);
    long stored, first = syscall(SYS_time, NULL), got = seconds(&stored), last = syscall(SYS_time, NULL);
    HOLDS(first <= got && got <= last && stored == got);
    HOLDS(seconds(NULL) >= got);
    unsigned number = 999, node = 999;
    SHOW(cpu(&number, &node, NULL));
    HOLDS(number < 999 && node < 999);
    SHOW(cpu(NULL, NULL, NULL));
}

static int is_named(void)
{
    char line[300];
    int found = 0;
    FILE *maps = fopen("/proc/self/maps", "r");

    while (maps != NULL && fgets(line, sizeof(line), maps) != NULL) {
        found |= strstr(line, "[vdso]") != NULL;
    }
    return found;
}

/* A child has it, too, under the same name. */
static void inherited(void)
{
    int status;

    HOLDS(is_named());
    fflush(stdout);
    if (fork() == 0) {
        _exit(is_named());
    }
    wait(&status);
    SHOW(WEXITSTATUS(status));
}

static sigjmp_buf back;

static void caught(int sig)
{
    siglongjmp(back, sig);
}

/* The page may be missing on a machine that is not Primer: then nothing is said of it. */
static void vsyscalls(void)
{
    long (*volatile get_time)(long *) = (void *)0xffffffffff600400UL;
    int (*volatile day)(struct timeval *, void *) = (void *)0xffffffffff600000UL;
    int (*volatile cpu)(unsigned *, unsigned *, void *) = (void *)0xffffffffff600800UL;
    void (*volatile nothing)(void) = (void *)0xffffffffff600c00UL;
    struct sigaction action = {.sa_handler = caught, .sa_flags = SA_NODEFER};
    struct utsname name;
    struct timeval now;
    unsigned number = 999;
    long stored = 0;

    sigaction(SIGSEGV, &action, NULL);
    uname(&name);
    int here = strstr(name.release, "primer") != NULL;
    int there = here || sigsetjmp(back, 1) == 0;
    if (there) {
        long got = get_time(&stored);
        there = got == stored && got <= syscall(SYS_time, NULL) && got + 2 > syscall(SYS_time, NULL) &&
                day(&now, NULL) == 0 && now.tv_sec >= got && cpu(&number, NULL, NULL) == 0 && number < 999;
    } else {
        there = 1;
    }
    HOLDS(there);
    int sig = sigsetjmp(back, 1);
    if (sig == 0) {
        nothing();
    }
    SHOW(sig == SIGSEGV);
    sig = sigsetjmp(back, 1);
    if (sig == 0) {
        get_time((long *)8);
    }
    SHOW(sig == SIGSEGV);
}

int main(void)
{
    const Elf64_Ehdr *header = (const void *)getauxval(AT_SYSINFO_EHDR);
    HOLDS(header != NULL && memcmp(header->e_ident, ELFMAG, SELFMAG) == 0);
    if (header == NULL) {
        return 1;
    }
    HOLDS(header->e_type == ET_DYN && header->e_machine == EM_X86_64);
    const Elf64_Phdr *segments = (const void *)((const char *)header + header->e_phoff);
    const Elf64_Dyn *dynamic = NULL;
    base = (const char *)header;
    for (int i = 0; i < header->e_phnum; i++) {
        if (segments[i].p_type == PT_LOAD) {
            base = (const char *)header + segments[i].p_offset - segments[i].p_vaddr;
        }
    }
    for (int i = 0; i < header->e_phnum; i++) {
        dynamic = segments[i].p_type == PT_DYNAMIC ? at(segments[i].p_vaddr) : dynamic;
    }
    HOLDS(dynamic != NULL);
    read_dynamic(dynamic);
    HOLDS(symbols != NULL && strings != NULL && hash != NULL && versions != NULL && definitions != NULL);
    if (hash != NULL && definitions != NULL) {
        clocks();
        times();
    }
    inherited();
    vsyscalls();
    return 0;
}
