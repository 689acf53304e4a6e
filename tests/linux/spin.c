// SPDX-License-Identifier: MIT
// build: nolibc
// For the profile: spends its time in burn.

static volatile unsigned long sum;

__attribute__((noinline)) static void burn(void)
{
    for (unsigned long i = 0; i < 20000000; i++) {
        sum += i;
    }
}

void _start(void)
{
    burn();
    __asm__ volatile("syscall" : : "a"(231), "D"(0));
    __builtin_unreachable();
}
