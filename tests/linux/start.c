// SPDX-License-Identifier: MIT
// build: nolibc
/* Without a C library: the stack as the kernel leaves it at the first instruction, and a few bare calls. */

static long call3(long number, long a, long b, long c)
{
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "0"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
    return result;
}

static unsigned long length(const char *text)
{
    unsigned long n = 0;
    while (text[n] != 0) {
        n++;
    }
    return n;
}

static void put(const char *text)
{
    call3(1, 1, (long)text, length(text));
}

static void put_number(const char *what, long value)
{
    char digits[24];
    char *at = digits + sizeof(digits) - 1;
    unsigned long rest = value < 0 ? -(unsigned long)value : (unsigned long)value;

    *at = 0;
    do {
        *--at = '0' + rest % 10;
        rest /= 10;
    } while (rest != 0);
    put(what);
    put(value < 0 ? " -" : " ");
    put(at);
    put("\n");
}

static int same(const char *a, const char *b)
{
    while (*a != 0 && *a == *b) {
        a++, b++;
    }
    return *a == *b;
}

/* The auxiliary vector: constants, and whether the pointers lead where they should. */
static void show_aux(const unsigned long *aux, char **argv)
{
    for (; aux[0] != 0; aux += 2) {
        switch (aux[0]) {
        case 6:
            put_number("AT_PAGESZ", aux[1]);
            break;
        case 4:
            put_number("AT_PHENT", aux[1]);
            break;
        case 7:
            put_number("AT_BASE", aux[1]);
            break;
        case 8:
            put_number("AT_FLAGS", aux[1]);
            break;
        case 17:
            put_number("AT_CLKTCK", aux[1]);
            break;
        case 23:
            put_number("AT_SECURE", aux[1]);
            break;
        case 25:
            put_number("AT_RANDOM there", aux[1] != 0);
            break;
        case 15:
            put_number("AT_PLATFORM right", same((const char *)aux[1], "x86_64"));
            break;
        case 31:
            put_number("AT_EXECFN right", same((const char *)aux[1], argv[0]));
            break;
        }
    }
}

struct registers {
    unsigned long rax, rbx, rcx, rdx, rsi, rdi, rbp;
};

__attribute__((used)) void begin(unsigned long *stack, const struct registers *r)
{
    unsigned long argc = stack[0];
    char **argv = (char **)(stack + 1);
    char **env = argv + argc + 1;

    put_number("stack aligned", ((unsigned long)stack & 15) == 0);
    put_number("registers clear", (r->rax | r->rbx | r->rcx | r->rdx | r->rsi | r->rdi | r->rbp) == 0);
    put_number("argc", argc);
    for (unsigned long i = 1; i < argc; i++) {
        put("[");
        put(argv[i]);
        put("]\n");
    }
    put_number("argv ends", argv[argc] == 0);
    while (*env != 0) {
        env++;
    }
    show_aux((unsigned long *)(env + 1), argv);
    put_number("no such call", call3(999, 0, 0, 0));
    put_number("call -1", call3(-1, 0, 0, 0));
    put_number("getpid is gettid", call3(39, 0, 0, 0) == call3(186, 0, 0, 0));
    put_number("write to a closed descriptor", call3(1, 77, (long)"x", 1));
    put_number("write from nowhere", call3(1, 1, 8, 1));
    put_number("write from the kernel", call3(1, 1, -4096, 1));
    put_number("exit follows", 300 & 255);
    call3(231, 300, 0, 0);
}

__asm__(".globl _start\n"
        "_start:\n"
        "    mov %rsp, %r8\n"
        "    push %rbp\n"
        "    push %rdi\n"
        "    push %rsi\n"
        "    push %rdx\n"
        "    push %rcx\n"
        "    push %rbx\n"
        "    push %rax\n"
        "    mov %r8, %rdi\n"
        "    mov %rsp, %rsi\n"
        "    and $-16, %rsp\n"
        "    call begin\n"
        "    hlt\n");
