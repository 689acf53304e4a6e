// SPDX-License-Identifier: MIT
// build: glibc pie musl
/* The auxiliary vector against the program's own headers and ids. */
#include "test.h"

#include <elf.h>
#include <sys/auxv.h>

extern const Elf64_Ehdr __ehdr_start __attribute__((weak, visibility("hidden")));
void _start(void);

int main(int argc, char **argv)
{
    const Elf64_Phdr *headers = (const Elf64_Phdr *)getauxval(AT_PHDR);

    HOLDS(getauxval(AT_PHNUM) == __ehdr_start.e_phnum);
    HOLDS(getauxval(AT_PHENT) == sizeof(Elf64_Phdr));
    HOLDS((const char *)headers == (const char *)&__ehdr_start + __ehdr_start.e_phoff);
    HOLDS(getauxval(AT_ENTRY) == (unsigned long)_start);
    HOLDS(getauxval(AT_UID) == getuid() && getauxval(AT_EUID) == geteuid());
    HOLDS(getauxval(AT_GID) == getgid() && getauxval(AT_EGID) == getegid());
    HOLDS(strcmp((const char *)getauxval(AT_EXECFN), argv[0]) == 0);
    HOLDS(strcmp((const char *)getauxval(AT_PLATFORM), "x86_64") == 0);
    printf("AT_PAGESZ %lu, AT_CLKTCK %lu, AT_SECURE %lu, AT_FLAGS %lu, AT_BASE %lu\n", getauxval(AT_PAGESZ),
           getauxval(AT_CLKTCK), getauxval(AT_SECURE), getauxval(AT_FLAGS), getauxval(AT_BASE));
    const unsigned char *random = (const unsigned char *)getauxval(AT_RANDOM);
    int same = 1;
    for (int i = 1; i < 16; i++) {
        same &= random[i] == random[0];
    }
    HOLDS(!same);
    return 0;
}
