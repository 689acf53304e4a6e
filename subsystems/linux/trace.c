/* SPDX-License-Identifier: MIT */
/*
 * The trace of system calls, for linux.trace=1: a line a call, as strace(1) writes them,
 *
 *      [104] openat(AT_FDCWD, "/etc/passwd", O_RDONLY|O_CLOEXEC) = 3
 *
 * The letters of calls.h say how an argument is shown:
 *      d  signed number          u  unsigned number      x  hexadecimal     o  octal       p  address, NULL
 *      s  string                 b  bytes, as many as the next argument says
 *      a  folder descriptor      f  flags of open        m  protection      n  signal
 *      @  at the end: the result is an address
 */
#include "linux.h"

#define CALL(number, name, arguments, parameters) [number] = {#name, arguments},
#define NONE(number, name)                        [number] = {#name, NULL},
const struct call_description call_descriptions[NR_CALLS] = {
#include "calls.h"
};
#undef CALL
#undef NONE

#define SHOWN 48 /* bytes of a string or buffer */

static const char *const errno_names[] = {
    [EPERM] = "EPERM",
    [ENOENT] = "ENOENT",
    [ESRCH] = "ESRCH",
    [EINTR] = "EINTR",
    [EIO] = "EIO",
    [ENXIO] = "ENXIO",
    [E2BIG] = "E2BIG",
    [ENOEXEC] = "ENOEXEC",
    [EBADF] = "EBADF",
    [ECHILD] = "ECHILD",
    [EAGAIN] = "EAGAIN",
    [ENOMEM] = "ENOMEM",
    [EACCES] = "EACCES",
    [EFAULT] = "EFAULT",
    [EBUSY] = "EBUSY",
    [EEXIST] = "EEXIST",
    [EXDEV] = "EXDEV",
    [ENODEV] = "ENODEV",
    [ENOTDIR] = "ENOTDIR",
    [EISDIR] = "EISDIR",
    [EINVAL] = "EINVAL",
    [ENFILE] = "ENFILE",
    [EMFILE] = "EMFILE",
    [ENOTTY] = "ENOTTY",
    [EFBIG] = "EFBIG",
    [ENOSPC] = "ENOSPC",
    [ESPIPE] = "ESPIPE",
    [EROFS] = "EROFS",
    [EMLINK] = "EMLINK",
    [EPIPE] = "EPIPE",
    [EDOM] = "EDOM",
    [ERANGE] = "ERANGE",
    [EDEADLK] = "EDEADLK",
    [ENOSYS] = "ENOSYS",
    [ELOOP] = "ELOOP",
    [ENAMETOOLONG] = "ENAMETOOLONG",
    [ENOTEMPTY] = "ENOTEMPTY",
    [ENODATA] = "ENODATA",
    [EOVERFLOW] = "EOVERFLOW",
    [ELIBBAD] = "ELIBBAD",
    [ENOTSOCK] = "ENOTSOCK",
    [EOPNOTSUPP] = "EOPNOTSUPP",
    [EAFNOSUPPORT] = "EAFNOSUPPORT",
    [ETIMEDOUT] = "ETIMEDOUT",
    [ERESTARTSYS] = "ERESTARTSYS",
};

struct flag {
    u32 value;
    const char *name;
};

static const struct flag open_flags[] = {
    {O_CREAT, "O_CREAT"},         {O_EXCL, "O_EXCL"},
    {O_NOCTTY, "O_NOCTTY"},       {O_TRUNC, "O_TRUNC"},
    {O_APPEND, "O_APPEND"},       {O_NONBLOCK, "O_NONBLOCK"},
    {O_DIRECT, "O_DIRECT"},       {O_LARGEFILE, "O_LARGEFILE"},
    {O_DIRECTORY, "O_DIRECTORY"}, {O_NOFOLLOW, "O_NOFOLLOW"},
    {O_NOATIME, "O_NOATIME"},     {O_CLOEXEC, "O_CLOEXEC"},
    {O_PATH, "O_PATH"},           {0, NULL},
};

static const struct flag protections[] = {
    {PROT_READ, "PROT_READ"},
    {PROT_WRITE, "PROT_WRITE"},
    {PROT_EXEC, "PROT_EXEC"},
    {0, NULL},
};

static const char *const signal_names[] = {
    "0",         "SIGHUP",  "SIGINT",    "SIGQUIT", "SIGILL",   "SIGTRAP", "SIGABRT", "SIGBUS",
    "SIGFPE",    "SIGKILL", "SIGUSR1",   "SIGSEGV", "SIGUSR2",  "SIGPIPE", "SIGALRM", "SIGTERM",
    "SIGSTKFLT", "SIGCHLD", "SIGCONT",   "SIGSTOP", "SIGTSTP",  "SIGTTIN", "SIGTTOU", "SIGURG",
    "SIGXCPU",   "SIGXFSZ", "SIGVTALRM", "SIGPROF", "SIGWINCH", "SIGIO",   "SIGPWR",  "SIGSYS",
};

/* NULL: it has none. */
static const char *errno_name(long number)
{
    return number > 0 && number < (long)ARRAYSIZE(errno_names) ? errno_names[number] : NULL;
}

/* The names of the flags that are set, what is left in hexadecimal; `none` when all are clear. */
static void print_flags(struct text *text, const struct flag *flags, u32 value, const char *none)
{
    const char *separator = "";

    if (value == 0 || none[0] == 'O') {
        print(text, "%s", none);
        separator = "|";
    }
    for (; flags->name != NULL; flags++) {
        if (value & flags->value) {
            print(text, "%s%s", separator, flags->name);
            separator = "|";
            value &= ~flags->value;
        }
    }
    if (value != 0) {
        print(text, "%s0x%x", separator, value);
    }
}

static void print_open_flags(struct text *text, u32 value)
{
    static const char *const modes[] = {"O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE"};
    print_flags(text, open_flags, value & ~O_ACCMODE, modes[value & O_ACCMODE]);
}

static void print_escaped(struct text *text, u8 c)
{
    if (c == '\n') {
        print(text, "\\n");
    } else if (c == '"' || c == '\\') {
        print(text, "\\%c", c);
    } else if (c >= ' ' && c < 127) {
        print_char(text, c);
    } else {
        print(text, "\\x%02x", c);
    }
}

/* Bytes of the program in quotes. string: up to the NUL; size bytes otherwise. */
static void print_memory(struct text *text, u64 address, u64 size, bool string)
{
    u8 bytes[SHOWN];
    size_t got = 0;

    while (got < min(size, SHOWN) && copy_from_user(&bytes[got], (void __user *)(address + got), 1) == 0 &&
           !(string && bytes[got] == 0)) {
        got++;
    }
    if (got == 0 && size != 0 && copy_from_user(bytes, (void __user *)address, 1) < 0) {
        print(text, address == 0 ? "NULL" : "0x%lx", address);
        return;
    }
    print_char(text, '"');
    for (size_t i = 0; i < got; i++) {
        print_escaped(text, bytes[i]);
    }
    print(text, got == SHOWN && size > SHOWN ? "\"..." : "\"");
}

static void print_argument(struct text *text, char kind, u64 value, u64 next)
{
    switch (kind) {
    case 'd':
        /* Small negative numbers arrive with 32 bits. */
        print(text, "%ld", value >> 32 == 0 ? (s64)(s32)value : (s64)value);
        break;
    case 'u':
        print(text, "%lu", value);
        break;
    case 'o':
        print(text, "0%o", (u32)value);
        break;
    case 's':
        print_memory(text, value, ~0UL, true);
        break;
    case 'b':
        print_memory(text, value, next, false);
        break;
    case 'a':
        print(text, (s32)value == AT_FDCWD ? "AT_FDCWD" : "%d", (s32)value);
        break;
    case 'f':
        print_open_flags(text, value);
        break;
    case 'm':
        print_flags(text, protections, value, "PROT_NONE");
        break;
    case 'n':
        if (value < ARRAYSIZE(signal_names)) {
            print(text, "%s", signal_names[value]);
        } else {
            print(text, "%lu", value);
        }
        break;
    default:
        print(text, value == 0 ? (kind == 'p' ? "NULL" : "0") : "0x%lx", value);
    }
}

static bool is_argument(char letter)
{
    return letter != 0 && letter != '@';
}

static bool returns_address(u64 number)
{
    const char *letters = number < NR_CALLS ? call_descriptions[number].arguments : NULL;
    while (letters != NULL && is_argument(*letters)) {
        letters++;
    }
    return letters != NULL && *letters == '@';
}

static bool call_never_returns(u64 number)
{
    return number == NR_exit || number == NR_exit_group;
}

void trace_call(const KTRAP_FRAME *frame, u64 number, char *buffer, size_t size)
{
    const u64 values[7] = {frame->Rdi, frame->Rsi, frame->Rdx, frame->R10, frame->R8, frame->R9, 0};
    struct text text = {.data = buffer, .size = size - 1, .fixed = true};
    const struct call_description *call = number < NR_CALLS ? &call_descriptions[number] : NULL;

    print(&text, "[%d] ", current_task()->tid);
    if (call == NULL || call->name == NULL) {
        print(&text, "call_%lu()", number);
    } else {
        print(&text, "%s(", call->name);
        for (int i = 0; call->arguments != NULL && is_argument(call->arguments[i]); i++) {
            print(&text, i == 0 ? "" : ", ");
            print_argument(&text, call->arguments[i], values[i], values[i + 1]);
        }
        print_char(&text, ')');
    }
    buffer[text.used] = 0;
    if (call_never_returns(number)) {
        DbgPrint("%s = ?\n", buffer);
    }
}

void trace_result(const char *before, u64 number, long result)
{
    if (call_never_returns(number)) {
        return;
    }
    const char *name = errno_name(-result);
    if (result < 0 && result > -4096 && name != NULL) {
        DbgPrint("%s = -1 %s\n", before, name);
    } else if (returns_address(number)) {
        DbgPrint("%s = 0x%I64x\n", before, result);
    } else {
        DbgPrint("%s = %I64d\n", before, result);
    }
}
