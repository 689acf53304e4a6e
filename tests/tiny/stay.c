// SPDX-License-Identifier: MIT
// build: nolibc
/* A program for the subsystem tiny that stays until somebody ends it. */
enum {
    YIELD = 3
};

__attribute__((force_align_arg_pointer)) void _start(void)
{
    for (;;) {
        long result;
        __asm__ volatile("syscall" : "=a"(result) : "0"(YIELD) : "rcx", "r11", "memory");
    }
}
