// SPDX-License-Identifier: MIT
// build: nolibc
// flags: -Wl,-N
/* One segment for all, writable, executable and aligned to a few bytes (ld -N). */

static long call3(long number, long a, long b, long c)
{
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "0"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
    return result;
}

static char text[] = "data is x\n";
static char zeros[10000];

__attribute__((force_align_arg_pointer)) void _start(void)
{
    long sum = 0;
    for (unsigned i = 0; i < sizeof(zeros); i++) {
        sum += zeros[i];
    }
    text[8] = 'y';
    call3(1, 1, (long)text, sizeof(text) - 1);
    call3(231, sum + 5, 0, 0);
}
