/* SPDX-License-Identifier: MIT */
/*
 * How the trace shows the arguments of a call, as strace(1) does: calls.h has a word for each, and the table
 * at the end of this file says what the word means. What the call itself fills in is shown when it has
 * returned. The program's memory is read as it is: what cannot be read is shown as an address.
 */
#include "names.h"

#define SHOWN_BYTES    32 /* of a string or a buffer */
#define SHOWN_ELEMENTS 32 /* of a vector */

struct shown {
    struct text *text;
    u64 value;
    const u64 *values; /* all of the call's */
    int index;         /* of this one */
    long result;       /* once the call has returned */
};

/* ---- Numbers, names and flags ---- */

static void show_address(struct text *text, u64 value)
{
    print(text, value == 0 ? "NULL" : "0x%lx", value);
}

void show_flags(struct text *text, const struct name *names, u64 value, const char *none)
{
    const char *separator = "";

    for (; names->name != NULL; names++) {
        if (names->value != 0 && (value & names->value) == names->value) {
            print(text, "%s%s", separator, names->name);
            separator = "|";
            value &= ~names->value;
        }
    }
    if (value != 0) {
        print(text, "%s0x%lx", separator, value);
    } else if (separator[0] == 0) {
        print(text, "%s", none);
    }
}

static void show_name(struct text *text, const struct name *names, u64 value)
{
    const char *name = name_of(names, value);
    if (name != NULL) {
        print(text, "%s", name);
    } else {
        print(text, "0x%lx", value);
    }
}

static void decimal(struct shown *s)
{
    /* Small negative numbers arrive with 32 bits. */
    print(s->text, "%ld", s->value >> 32 == 0 ? (s64)(s32)s->value : (s64)s->value);
}

static void number(struct shown *s)
{
    print(s->text, "%lu", s->value);
}

static void number32(struct shown *s)
{
    print(s->text, "%u", (u32)s->value);
}

static void hexadecimal(struct shown *s)
{
    print(s->text, s->value == 0 ? "0" : "0x%lx", s->value);
}

static void address(struct shown *s)
{
    show_address(s->text, s->value);
}

static void octal(struct shown *s)
{
    print(s->text, s->value == 0 ? "000" : "0%o", (u32)s->value);
}

static void id(struct shown *s)
{
    print(s->text, "%d", (s32)s->value);
}

static void folder(struct shown *s)
{
    print(s->text, (s32)s->value == AT_FDCWD ? "AT_FDCWD" : "%d", (s32)s->value);
}

static void signal(struct shown *s)
{
    u32 sig = s->value;
    if (signal_name(sig) != NULL) {
        print(s->text, "%s", signal_name(sig));
    } else if (sig >= 32 && sig <= _NSIG) {
        print(s->text, sig == 32 ? "SIGRTMIN" : "SIGRT_%u", sig - 32);
    } else {
        print(s->text, "%u", sig);
    }
}

static void open_flags(struct shown *s)
{
    static const char *const modes[] = {"O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE"};

    print(s->text, "%s", modes[s->value & O_ACCMODE]);
    if ((u32)s->value & ~O_ACCMODE) {
        print_char(s->text, '|');
        show_flags(s->text, open_names, (u32)s->value & ~O_ACCMODE, "");
    }
}

static void file_mode(struct shown *s)
{
    static const struct name types[] = {{S_IFIFO, "S_IFIFO"}, {S_IFCHR, "S_IFCHR"}, {S_IFDIR, "S_IFDIR"},
                                        {0060000, "S_IFBLK"}, {S_IFREG, "S_IFREG"}, {S_IFLNK, "S_IFLNK"},
                                        {0140000, "S_IFSOCK"}, {0, NULL}};
    const char *type = name_of(types, s->value & S_IFMT);

    if (type != NULL) {
        print(s->text, "%s|", type);
    }
    print(s->text, "0%o", (u32)s->value & 07777);
}

/* Of a file that open may make: of others nobody looks at it. */
static void open_mode(struct shown *s)
{
    if (s->values[s->index - 1] & (O_CREAT | __O_TMPFILE)) {
        print(s->text, ", 0%o", (u32)s->value);
    }
}

static void socket_type(struct shown *s)
{
    show_name(s->text, socket_names, s->value & 0xf);
    if ((u32)s->value & ~0xfU) {
        print_char(s->text, '|');
        show_flags(s->text,
                   (const struct name[]){{O_CLOEXEC, "SOCK_CLOEXEC"}, {O_NONBLOCK, "SOCK_NONBLOCK"}, {0, NULL}},
                   (u32)s->value & ~0xfU, "");
    }
}

/* ---- Memory of the program's ---- */

/* Reads a structure; where it cannot be read, the address is shown instead. */
static bool fetch(struct shown *s, void *to, size_t size)
{
    if (s->value != 0 && copy_from_user(to, (void __user *)s->value, size) == 0) {
        return true;
    }
    show_address(s->text, s->value);
    return false;
}

/* Octal numbers are as short as what follows allows. */
static void show_byte(struct text *text, u8 c, u8 next)
{
    static const char plain[] = "\t\n\v\f\r", letters[] = "tnvfr";

    for (size_t i = 0; i < sizeof(plain) - 1; i++) {
        if (c == (u8)plain[i]) {
            print(text, "\\%c", letters[i]);
            return;
        }
    }
    if (c == '"' || c == '\\') {
        print(text, "\\%c", c);
    } else if (c >= ' ' && c < 127) {
        print_char(text, c);
    } else {
        print(text, next >= '0' && next <= '7' ? "\\%03o" : "\\%o", c);
    }
}

/* Bytes in quotes. string: up to the NUL; size bytes otherwise. */
static void show_memory(struct text *text, u64 from, u64 size, bool string)
{
    u8 bytes[SHOWN_BYTES + 1] = {0};
    size_t got = 0, wanted = min(size, SHOWN_BYTES + 1);

    while (got < wanted && copy_from_user(&bytes[got], (void __user *)(from + got), 1) == 0 &&
           !(string && bytes[got] == 0)) {
        got++;
    }
    bool readable = got != 0 || size == 0 || copy_from_user(bytes, (void __user *)from, 1) == 0;
    if (from == 0 || !readable) {
        show_address(text, from);
        return;
    }
    print_char(text, '"');
    for (size_t i = 0; i < min(got, SHOWN_BYTES); i++) {
        show_byte(text, bytes[i], i + 1 < got ? bytes[i + 1] : 0);
    }
    print(text, got > SHOWN_BYTES ? "\"..." : "\"");
}

static void string(struct shown *s)
{
    show_memory(s->text, s->value, ~0UL, true);
}

static void buffer(struct shown *s)
{
    show_memory(s->text, s->value, s->values[s->index + 1], false);
}

/* As many bytes as the call says that it has put there. */
static void filled_buffer(struct shown *s)
{
    show_memory(s->text, s->value, s->result, false);
}

/* Strings of argv; of the environment only how many. */
static void string_vector(struct shown *s)
{
    const char *separator = "[";
    u64 at = s->value, pointer;

    if (!fetch(s, &pointer, sizeof(pointer))) {
        return;
    }
    for (int i = 0; copy_from_user(&pointer, (void __user *)at, sizeof(pointer)) == 0 && pointer != 0; i++, at += 8) {
        print(s->text, "%s", separator);
        if (i == SHOWN_ELEMENTS) {
            print(s->text, "...");
            break;
        }
        show_memory(s->text, pointer, ~0UL, true);
        separator = ", ";
    }
    print(s->text, separator[0] == '[' ? "[]" : "]");
}

static void environment(struct shown *s)
{
    u64 pointer, count = 0;

    if (!fetch(s, &pointer, sizeof(pointer))) {
        return;
    }
    while (count < ARG_MAX / 8 && copy_from_user(&pointer, (void __user *)(s->value + 8 * count), 8) == 0 &&
           pointer != 0 && !is_dying()) {
        count++;
    }
    print(s->text, count == 1 ? "0x%lx /* 1 var */" : "0x%lx /* %lu vars */", s->value, count);
}

/* Shows elements of a vector until show says that one cannot be read. */
static void show_vector(struct shown *s, u64 count, size_t size, bool (*show)(struct shown *s, u64 at))
{
    if (s->value == 0 || count == 0) {
        print(s->text, s->value == 0 ? "NULL" : "[]");
        return;
    }
    for (u64 i = 0; i < count; i++) {
        print(s->text, i == 0 ? "[" : ", ");
        if (i == SHOWN_ELEMENTS) {
            print(s->text, "...");
            break;
        }
        if (!show(s, s->value + i * size)) {
            show_address(s->text, s->value + i * size);
            break;
        }
    }
    print_char(s->text, ']');
}

static bool show_piece(struct shown *s, u64 at)
{
    struct iovec piece;
    if (copy_from_user(&piece, (void __user *)at, sizeof(piece)) < 0) {
        return false;
    }
    print(s->text, "{iov_base=");
    show_memory(s->text, piece.iov_base, piece.iov_len, false);
    print(s->text, ", iov_len=%lu}", piece.iov_len);
    return true;
}

static void iovec(struct shown *s)
{
    show_vector(s, s->values[s->index + 1], sizeof(struct iovec), show_piece);
}

static bool show_poll_request(struct shown *s, u64 at)
{
    struct pollfd request;
    if (copy_from_user(&request, (void __user *)at, sizeof(request)) < 0) {
        return false;
    }
    print(s->text, "{fd=%d, events=", request.fd);
    show_flags(s->text, poll_names, request.events, "0");
    print_char(s->text, '}');
    return true;
}

static void pollfd(struct shown *s)
{
    show_vector(s, (u32)s->values[s->index + 1], sizeof(struct pollfd), show_poll_request);
}

static bool show_id(struct shown *s, u64 at)
{
    s32 value;
    if (copy_from_user(&value, (void __user *)at, sizeof(value)) < 0) {
        return false;
    }
    print(s->text, "%d", value);
    return true;
}

static void pair(struct shown *s)
{
    show_vector(s, 2, sizeof(s32), show_id);
}

static void one_id(struct shown *s)
{
    show_vector(s, 1, sizeof(s32), show_id);
}

static void groups(struct shown *s)
{
    show_vector(s, s->result >= 0 && s->values[s->index - 1] != 0 ? s->result : 0, sizeof(s32), show_id);
}

static void new_groups(struct shown *s)
{
    show_vector(s, s->values[s->index - 1], sizeof(s32), show_id);
}

/* ---- Structures ---- */

static void file_status(struct shown *s)
{
    struct stat st;
    if (!fetch(s, &st, sizeof(st))) {
        return;
    }
    print(s->text, "{st_mode=");
    file_mode(&(struct shown){.text = s->text, .value = st.st_mode});
    if (S_ISCHR(st.st_mode)) {
        print(s->text, ", st_rdev=makedev(0x%x, 0x%x)", dev_major(st.st_rdev), dev_minor(st.st_rdev));
    } else {
        print(s->text, ", st_size=%ld", st.st_size);
    }
    print(s->text, ", ...}");
}

static void extended_status(struct shown *s)
{
    struct statx st;
    if (!fetch(s, &st, sizeof(st))) {
        return;
    }
    print(s->text, "{stx_mask=");
    show_flags(s->text, statx_names, st.stx_mask, "0");
    print(s->text, ", stx_attributes=0x%lx, stx_mode=", st.stx_attributes);
    file_mode(&(struct shown){.text = s->text, .value = st.stx_mode});
    print(s->text, ", stx_size=%lu, ...}", st.stx_size);
}

static void timespec(struct shown *s)
{
    struct timespec time;
    if (fetch(s, &time, sizeof(time))) {
        print(s->text, "{tv_sec=%ld, tv_nsec=%ld}", time.tv_sec, time.tv_nsec);
    }
}

static void two_timespecs(struct shown *s)
{
    struct timespec times[2];
    if (fetch(s, times, sizeof(times))) {
        for (int i = 0; i < 2; i++) {
            print(s->text, i == 0 ? "[" : ", ");
            if (times[i].tv_nsec == 0x3fffffff || times[i].tv_nsec == 0x3ffffffe) {
                print(s->text, times[i].tv_nsec == 0x3fffffff ? "UTIME_NOW" : "UTIME_OMIT");
            } else {
                print(s->text, "{tv_sec=%ld, tv_nsec=%ld}", times[i].tv_sec, times[i].tv_nsec);
            }
        }
        print_char(s->text, ']');
    }
}

static void timeval(struct shown *s)
{
    struct timeval time;
    if (fetch(s, &time, sizeof(time))) {
        print(s->text, "{tv_sec=%ld, tv_usec=%ld}", time.tv_sec, time.tv_usec);
    }
}

static void interval(struct shown *s)
{
    struct timeval times[2];
    if (fetch(s, times, sizeof(times))) {
        print(s->text, "{it_interval={tv_sec=%ld, tv_usec=%ld}, it_value={tv_sec=%ld, tv_usec=%ld}}", times[0].tv_sec,
              times[0].tv_usec, times[1].tv_sec, times[1].tv_usec);
    }
}

static void timer_setting(struct shown *s)
{
    struct timespec times[2];
    if (fetch(s, times, sizeof(times))) {
        print(s->text, "{it_interval={tv_sec=%ld, tv_nsec=%ld}, it_value={tv_sec=%ld, tv_nsec=%ld}}", times[0].tv_sec,
              times[0].tv_nsec, times[1].tv_sec, times[1].tv_nsec);
    }
}

/* Its name without SIG. */
static void show_short_signal(struct text *text, u32 sig)
{
    if (signal_name(sig) != NULL) {
        print(text, "%s", signal_name(sig) + 3);
    } else {
        print(text, sig == 32 ? "RTMIN" : "RT_%u", sig - 32);
    }
}

/* Names without SIG; of what is nearly full those that are missing. */
static void show_sigset(struct text *text, sigset_t set)
{
    const char *separator = "";
    u32 count = 0;

    for (sigset_t left = set; left != 0; left &= left - 1) {
        count++;
    }
    if (count > 32) {
        print_char(text, '~');
        set = ~set;
    }
    print_char(text, '[');
    for (u32 sig = 1; sig <= _NSIG; sig++) {
        if (set & sigmask(sig)) {
            print(text, "%s", separator);
            show_short_signal(text, sig);
            separator = " ";
        }
    }
    print_char(text, ']');
}

static void signal_set(struct shown *s)
{
    sigset_t set;
    if (fetch(s, &set, sizeof(set))) {
        show_sigset(s->text, set);
    }
}

static void signal_action(struct shown *s)
{
    struct sigaction action;
    if (!fetch(s, &action, sizeof(action))) {
        return;
    }
    print(s->text, "{sa_handler=");
    if (action.sa_handler <= SIG_IGN) {
        print(s->text, action.sa_handler == SIG_DFL ? "SIG_DFL" : "SIG_IGN");
    } else {
        show_address(s->text, action.sa_handler);
    }
    print(s->text, ", sa_mask=");
    show_sigset(s->text, action.sa_mask);
    print(s->text, ", sa_flags=");
    show_flags(s->text, sigaction_names, action.sa_flags, "0");
    if (action.sa_flags & SA_RESTORER) {
        print(s->text, ", sa_restorer=0x%lx", action.sa_restorer);
    }
    print_char(s->text, '}');
}

static void signal_stack(struct shown *s)
{
    stack_t stack;
    if (fetch(s, &stack, sizeof(stack))) {
        print(s->text, "{ss_sp=");
        show_address(s->text, stack.ss_sp);
        print(s->text, ", ss_flags=");
        show_flags(s->text, sigaltstack_names, (u32)stack.ss_flags, "0");
        print(s->text, ", ss_size=%lu}", stack.ss_size);
    }
}

static bool is_fault(u32 sig)
{
    return sig == SIGILL || sig == SIGBUS || sig == SIGFPE || sig == SIGSEGV || sig == SIGTRAP;
}

void show_siginfo(struct text *text, const siginfo_t *info)
{
    u64 code = (u32)info->si_code;
    u64 key = info->si_code > 0 && info->si_code < SI_KERNEL ? (u64)info->si_signo << 32 | code : code;

    print(text, "{si_signo=");
    signal(&(struct shown){.text = text, .value = info->si_signo});
    print(text, ", si_code=");
    show_name(text, signal_code_names, key);
    if (info->si_code == SI_KERNEL) {
    } else if (is_fault(info->si_signo) && info->si_code > 0) {
        print(text, ", si_addr=");
        show_address(text, info->si_addr);
    } else {
        print(text, ", si_pid=%d, si_uid=%u", info->si_pid, info->si_uid);
        if (info->si_signo == SIGCHLD && info->si_code > 0) {
            print(text, ", si_status=%d", (s32)info->si_value);
        } else if (info->si_code == -1) {
            print(text, ", si_value={sival_int=%d, sival_ptr=0x%lx}", (s32)info->si_value, info->si_value);
        }
    }
    print_char(text, '}');
}

static void signal_information(struct shown *s)
{
    siginfo_t info;
    if (fetch(s, &info, sizeof(info))) {
        show_siginfo(s->text, &info);
    }
}

static void show_limit(struct text *text, u64 limit)
{
    if (limit == RLIM_INFINITY) {
        print(text, "RLIM64_INFINITY");
    } else if (limit > 1024 && limit % 1024 == 0) {
        print(text, "%lu*1024", limit / 1024);
    } else {
        print(text, "%lu", limit);
    }
}

static void limit(struct shown *s)
{
    struct rlimit limits;
    if (fetch(s, &limits, sizeof(limits))) {
        print(s->text, "{rlim_cur=");
        show_limit(s->text, limits.rlim_cur);
        print(s->text, ", rlim_max=");
        show_limit(s->text, limits.rlim_max);
        print_char(s->text, '}');
    }
}

static void usage(struct shown *s)
{
    struct rusage used;
    if (fetch(s, &used, sizeof(used))) {
        print(s->text, "{ru_utime={tv_sec=%ld, tv_usec=%ld}, ru_stime={tv_sec=%ld, tv_usec=%ld}, ...}",
              used.ru_utime.tv_sec, used.ru_utime.tv_usec, used.ru_stime.tv_sec, used.ru_stime.tv_usec);
    }
}

/* What wait4 tells of a child. */
static void wait_status(struct shown *s)
{
    s32 status;
    if (s->result <= 0) {
        show_address(s->text, s->value);
    } else if (fetch(s, &status, sizeof(status))) {
        u32 sig = status & 0x7f;
        print(s->text, "[{");
        if (status == 0xffff) {
            print(s->text, "WIFCONTINUED(s)");
        } else if (sig == 0) {
            print(s->text, "WIFEXITED(s) && WEXITSTATUS(s) == %d", status >> 8 & 0xff);
        } else {
            print(s->text, sig == 0x7f ? "WIFSTOPPED(s) && WSTOPSIG(s) == " : "WIFSIGNALED(s) && WTERMSIG(s) == ");
            signal(&(struct shown){.text = s->text, .value = sig == 0x7f ? (u32)status >> 8 & 0xff : sig});
        }
        print(s->text, "}]");
    }
}

static void system_names(struct shown *s)
{
    struct utsname name;
    if (fetch(s, &name, sizeof(name))) {
        name.sysname[sizeof(name.sysname) - 1] = name.nodename[sizeof(name.nodename) - 1] = 0; /* another thread's, by now */
        print(s->text, "{sysname=\"%s\", nodename=\"%s\", ...}", name.sysname, name.nodename);
    }
}

static void system_information(struct shown *s)
{
    struct sysinfo info;
    if (fetch(s, &info, sizeof(info))) {
        print(s->text, "{uptime=%ld, loads=[%lu, %lu, %lu], totalram=%lu, freeram=%lu, ...}", info.uptime, info.loads[0],
              info.loads[1], info.loads[2], info.totalram, info.freeram);
    }
}

/* An address of the Unix domain; size: what the next argument holds. */
static void show_socket_address(struct shown *s, u64 size)
{
    struct {
        u16 family;
        char path[109];
    } socket = {0};

    if (size < sizeof(socket.family) || !access_ok((void __user *)s->value, size)) {
        show_address(s->text, s->value);
    } else if (fetch(s, &socket, min(size, sizeof(socket) - 1))) {
        print(s->text, "{sa_family=");
        show_name(s->text, family_names, socket.family);
        if (socket.family == 1 && size > sizeof(socket.family)) {
            print(s->text, socket.path[0] != 0 ? ", sun_path=\"%s\"" : ", sun_path=@\"%s\"",
                  socket.path + (socket.path[0] == 0));
        }
        print_char(s->text, '}');
    }
}

static void socket_address(struct shown *s)
{
    show_socket_address(s, (u32)s->values[s->index + 1]);
}

static void filled_address(struct shown *s)
{
    u32 size = 0;
    if (s->value == 0 || copy_from_user(&size, (void __user *)s->values[s->index + 1], sizeof(size)) < 0) {
        show_address(s->text, s->value);
    } else {
        show_socket_address(s, size);
    }
}

struct epoll_event_shown {
    u32 events;
    u64 data;
} __attribute__((packed));

static bool show_epoll_event(struct shown *s, u64 at)
{
    struct epoll_event_shown event;
    if (copy_from_user(&event, (void __user *)at, sizeof(event)) < 0) {
        return false;
    }
    print(s->text, "{events=");
    show_flags(s->text, epoll_names, event.events, "0");
    print(s->text, ", data={u32=%u, u64=%lu}}", (u32)event.data, event.data);
    return true;
}

static void epoll_event(struct shown *s)
{
    if (s->value == 0 || !show_epoll_event(s, s->value)) {
        show_address(s->text, s->value);
    }
}

static void epoll_events(struct shown *s)
{
    show_vector(s, s->result > 0 ? s->result : 0, sizeof(struct epoll_event_shown), show_epoll_event);
}

/* ---- Calls whose arguments depend on each other ---- */

static void futex_operation(struct shown *s)
{
    u32 command = s->value & 0x7f;
    show_name(s->text, futex_names, command);
    print(s->text, "%s%s", s->value & 0x80 ? "_PRIVATE" : "", s->value & 0x100 ? "|FUTEX_CLOCK_REALTIME" : "");
    if (command == 1) { /* FUTEX_WAKE has a count, and nothing behind it */
        print(s->text, ", %u", (u32)s->values[2]);
    } else {
        print(s->text, ", %u, ", (u32)s->values[2]);
        if (command == 0 || command == 9 || command == 6) {
            timespec(&(struct shown){.text = s->text, .value = s->values[3]});
        } else {
            print(s->text, "%u", (u32)s->values[3]);
        }
    }
    if (command >= 3 && command <= 5) {
        print(s->text, ", 0x%lx, %u", s->values[4], (u32)s->values[5]);
    } else if (command == 9 || command == 10) {
        print(s->text, (u32)s->values[5] == ~0U ? ", NULL, FUTEX_BITSET_MATCH_ANY" : ", NULL, 0x%x", (u32)s->values[5]);
    }
}

static void fcntl_command(struct shown *s)
{
    u32 command = s->value;
    u64 argument = s->values[2];

    show_name(s->text, fcntl_names, command);
    switch (command) {
    case F_GETFD:
    case F_GETFL:
    case F_GETOWN:
    case 11:   /* F_GETSIG */
    case 1025: /* F_GETLEASE */
    case 1032: /* F_GETPIPE_SZ */
    case 1034: /* F_GET_SEALS */
        break;
    case F_SETFD:
        print(s->text, ", ");
        show_flags(s->text, descriptor_names, argument, "0");
        break;
    case F_SETFL:
        print(s->text, ", ");
        open_flags(&(struct shown){.text = s->text, .value = argument});
        break;
    case F_DUPFD:
    case F_DUPFD_CLOEXEC:
    case F_SETOWN:
    case 1031: /* F_SETPIPE_SZ */
        print(s->text, ", %d", (s32)argument);
        break;
    default:
        print(s->text, ", ");
        show_address(s->text, argument);
    }
}

/* What record locks say: known at the start, or with F_GETLK at the end. */
static void fcntl_lock(struct shown *s)
{
    struct flock lock;
    u32 command = s->values[1];
    bool is_lock = (command >= F_GETLK && command <= F_SETLKW) || (command >= 36 && command <= 38);

    if (is_lock && copy_from_user(&lock, (void __user *)s->value, sizeof(lock)) == 0) {
        print(s->text, " /* {l_type=");
        show_name(s->text, lock_type_names, (u16)lock.l_type);
        print(s->text, ", l_whence=");
        show_name(s->text, seek_names, (u16)lock.l_whence);
        print(s->text, ", l_start=%ld, l_len=%ld} */", lock.l_start, lock.l_len);
    }
}

static void show_termios(struct shown *s)
{
    struct termios modes;
    if (fetch(s, &modes, sizeof(modes))) {
        print(s->text, "{B38400 %copost %cisig %cicanon %cecho ...}", modes.c_oflag & OPOST ? ' ' : '-',
              modes.c_lflag & ISIG ? ' ' : '-', modes.c_lflag & ICANON ? ' ' : '-', modes.c_lflag & ECHO ? ' ' : '-');
    }
}

/* A terminal's settings, sizes and groups; the command before has said which. */
static void ioctl_argument(struct shown *s)
{
    struct winsize size;

    switch ((u32)s->values[1]) {
    case TCGETS:
    case TCSETS:
    case TCSETSW:
    case TCSETSF:
        show_termios(s);
        break;
    case TIOCGWINSZ:
    case TIOCSWINSZ:
        if (fetch(s, &size, sizeof(size))) {
            print(s->text, "{ws_row=%u, ws_col=%u, ws_xpixel=%u, ws_ypixel=%u}", size.ws_row, size.ws_col, size.ws_xpixel,
                  size.ws_ypixel);
        }
        break;
    case TIOCGPGRP:
    case TIOCSPGRP:
    case TIOCGSID:
    case FIONREAD:
    case FIONBIO:
        one_id(s);
        break;
    default:
        hexadecimal(s);
    }
}

static void clone_arguments(struct shown *s)
{
    u64 flags = s->values[0];

    print(s->text, "child_stack=");
    show_address(s->text, s->values[1]);
    print(s->text, ", flags=");
    show_flags(s->text, clone_names, flags & ~0xffUL, flags & 0xff ? "" : "0");
    if (flags & 0xff) {
        print(s->text, flags & ~0xffUL ? "|" : "");
        signal(&(struct shown){.text = s->text, .value = flags & 0xff});
    }
    if (flags & 0x100000) {
        print(s->text, ", parent_tid=[0x%lx]", s->values[2]);
    }
    if (flags & 0x80000) {
        print(s->text, ", tls=0x%lx", s->values[4]);
    }
    if (flags & 0x1200000) {
        print(s->text, ", child_tidptr=0x%lx", s->values[3]);
    }
}

static void clone3_arguments(struct shown *s)
{
    u64 args[8];
    if (fetch(s, args, sizeof(args))) {
        print(s->text, "{flags=");
        show_flags(s->text, clone_names, args[0], "0");
        print(s->text, ", child_tid=0x%lx, parent_tid=0x%lx, exit_signal=%lu, stack=0x%lx, stack_size=0x%lx, tls=0x%lx}",
              args[2], args[3], args[4], args[5], args[6], args[7]);
    }
}

/* A name that prctl sets is a string; what it gets or sets otherwise, a number. */
static void prctl_argument(struct shown *s)
{
    if ((u32)s->values[0] == PR_SET_NAME || (u32)s->values[0] == PR_GET_NAME) {
        show_memory(s->text, s->value, TASK_COMM_LEN, true);
    } else {
        hexadecimal(s);
    }
}

static void processor_mask(struct shown *s)
{
    u64 mask;
    const char *separator = "[";
    if (s->result < 0 || !fetch(s, &mask, sizeof(mask))) {
        return;
    }
    for (u32 cpu = 0; cpu < 64; cpu++) {
        if (mask >> cpu & 1) {
            print(s->text, "%s%u", separator, cpu);
            separator = " ";
        }
    }
    print(s->text, separator[0] == '[' ? "[]" : "]");
}

/* ---- The words of calls.h ---- */

struct word {
    const char *word;
    void (*show)(struct shown *s); /* NULL: by names */
    const struct name *names;
    bool after; /* what the call itself fills in */
    bool flags;
    bool own_comma; /* is shown in some cases only */
};

/* clang-format off */
#define AFTER .after = true
#define FLAGS(table) .names = table, .flags = true
static const struct word words[] = {
    {"d", decimal}, {"u", number}, {"u32", number32}, {"x", hexadecimal}, {"o", octal}, {"p", address}, {"id", id}, {"s", string},
    {"a", folder}, {"f", open_flags}, {"n", signal}, {"b", buffer}, {"m", FLAGS(protection_names)},
    {"read", filled_buffer, AFTER}, {"argv", string_vector}, {"envp", environment}, {"iov", iovec},
    {"iov-read", iovec, AFTER}, {"pollfd", pollfd}, {"pair", pair, AFTER}, {"id-out", one_id, AFTER}, {"id-in", one_id},
    {"groups-out", groups, AFTER}, {"groups", new_groups}, {"mode", file_mode}, {"open-mode", open_mode, .own_comma = true}, {"stat", file_status, AFTER},
    {"statx", extended_status, AFTER}, {"timespec", timespec}, {"timespec-out", timespec, AFTER}, {"timespecs", two_timespecs},
    {"timeval", timeval}, {"timeval-out", timeval, AFTER}, {"itimerval", interval}, {"itimerval-out", interval, AFTER},
    {"itimerspec", timer_setting}, {"itimerspec-out", timer_setting, AFTER}, {"sigset", signal_set},
    {"sigset-out", signal_set, AFTER}, {"sigaction", signal_action}, {"sigaction-out", signal_action, AFTER},
    {"stack", signal_stack}, {"stack-out", signal_stack, AFTER}, {"siginfo", signal_information},
    {"siginfo-out", signal_information, AFTER}, {"rlimit", limit}, {"rlimit-out", limit, AFTER}, {"rusage-out", usage, AFTER},
    {"status-out", wait_status, AFTER}, {"utsname", system_names, AFTER}, {"sysinfo", system_information, AFTER},
    {"sockaddr", socket_address}, {"sockaddr-out", filled_address, AFTER}, {"socket-type", socket_type},
    {"epoll-event", epoll_event}, {"epoll-events", epoll_events, AFTER}, {"futex", futex_operation}, {"fcntl", fcntl_command},
    {"fcntl-lock", fcntl_lock, AFTER, .own_comma = true}, {"ioctl-argument", ioctl_argument, AFTER}, {"clone", clone_arguments},
    {"clone3", clone3_arguments}, {"prctl-argument", prctl_argument, AFTER}, {"cpus", processor_mask},
    {"cpus-out", processor_mask, AFTER},
    {"access", FLAGS(access_names)}, {"at-flags", FLAGS(at_names)}, {"advice", .names = advice_names},
    {"arch", .names = arch_names}, {"clock", .names = clock_names}, {"epoll-operation", .names = epoll_operation_names},
    {"eventfd-flags", FLAGS(eventfd_names)}, {"family", .names = family_names}, {"idtype", .names = idtype_names},
    {"itimer", .names = itimer_names}, {"map-flags", FLAGS(map_names)}, {"membarrier", .names = membarrier_names},
    {"memfd-flags", FLAGS(memfd_names)}, {"msg-flags", FLAGS(message_names)}, {"mlockall-flags", FLAGS(mlockall_names)},
    {"mremap-flags", FLAGS(mremap_names)}, {"msync-flags", FLAGS(msync_names)}, {"option", .names = option_names},
    {"pipe-flags", FLAGS(pipe_names)}, {"policy", .names = policy_names}, {"prctl", .names = prctl_names},
    {"priority-of", .names = priority_which_names}, {"random-flags", FLAGS(random_names)},
    {"rename-flags", FLAGS(rename_names)}, {"resource", .names = resource_names}, {"rusage-of", .names = rusage_names},
    {"whence", .names = seek_names}, {"sigmask-how", .names = sigmask_names}, {"level", .names = socket_option_names},
    {"statx-mask", FLAGS(statx_names)}, {"ioctl", .names = terminal_names}, {"timer-flags", FLAGS(timer_names)},
    {"wait-flags", FLAGS(wait_names)},
};
/* clang-format on */

static bool is_word(const char *at, size_t length, const char *word)
{
    return strlen(word) == length && memcmp(at, word, length) == 0;
}

static const struct word *find_word(const char *at, size_t length)
{
    for (size_t i = 0; i < ARRAYSIZE(words); i++) {
        if (is_word(at, length, words[i].word)) {
            return &words[i];
        }
    }
    return &words[0];
}

static void show_argument(const struct word *word, struct shown *s)
{
    if (word->after && s->result < 0 && s->result > -4096) {
        show_address(s->text, s->value);
    } else if (word->show != NULL) {
        word->show(s);
    } else if (word->flags) {
        show_flags(s->text, word->names, (u32)s->value, word->names == protection_names ? "PROT_NONE"
                                                        : word->names == access_names   ? "F_OK"
                                                                                        : "0");
    } else {
        show_name(s->text, word->names, (u32)s->value);
    }
}

/*
 * Shows arguments from number `first` on: before the call up to the first that is known only after it, and
 * then (after) the rest. Returns the number of the next one. A word "@" at the end says that the result is an
 * address: no argument.
 */
int decode_arguments(struct text *text, const char *spec, const u64 *values, int first, bool after, long result)
{
    int index = 0;

    for (const char *at = spec; *at != 0 && *at != '@'; index++) {
        size_t length = 0;
        while (at[length] != 0 && at[length] != ' ') {
            length++;
        }
        const struct word *word = find_word(at, length);
        if (index >= first && word->after && !after) {
            return index;
        }
        if (index >= first) {
            struct shown shown = {.text = text, .value = values[index], .values = values, .index = index, .result = result};
            print(text, index == 0 || word->own_comma ? "" : ", ");
            show_argument(word, &shown);
        }
        at += at[length] == 0 ? length : length + 1;
    }
    return index;
}

void show_signal(struct text *text, u32 sig)
{
    signal(&(struct shown){.text = text, .value = sig});
}
