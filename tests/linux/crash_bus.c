// SPDX-License-Identifier: MIT
// build: musl
/* A page behind the end of its file: SIGBUS. */
#include "test.h"

#include <fcntl.h>
#include <sys/mman.h>

int main(void)
{
    printf("before\n");
    fflush(stdout);
    int fd = open("/proc/self/exe", O_RDONLY);
    long size = (lseek(fd, 0, SEEK_END) + 4095) & ~4095L;
    volatile char *base = mmap(NULL, size + 4096, PROT_READ, MAP_PRIVATE, fd, 0);
    (void)base[size];
    printf("after\n");
    return 0;
}
