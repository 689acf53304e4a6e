/* SPDX-License-Identifier: MIT */
/*
 * The console as Linux's programs know it: one terminal (/dev/console, /dev/tty) where the kernel's console
 * is one, and pipes for the standard streams that are none. Terminal modes are kept here and handed on as the
 * kernel's console modes.
 */
#include "linux.h"

#define CHUNK       512 /* bytes that pass through the kernel stack at a time */
#define INPUT_CHUNK 1024

static struct {
    struct mutex lock;
    struct termios termios; /* (lock) */
    struct winsize size;    /* (lock) as TIOCSWINSZ set it; 0: ask the kernel */
    s32 foreground;         /* (lock) process group */
    s32 session;            /* (lock) */
    ULONG mode_before;      /* (lock) what the session's end brings back */
} console;

static struct wait_queue console_input; /* woken when there is something to read */
static KDPC console_input_dpc;
static struct inode *console_inode; /* /dev/console, permanent */
static struct inode *streams[3];    /* standard streams that are no terminal */

static const struct termios default_termios = {
    .c_iflag = ICRNL | IXON,
    .c_oflag = OPOST | ONLCR,
    .c_cflag = B38400 | CS8 | CREAD,
    .c_lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
    /* INTR QUIT ERASE KILL EOF TIME MIN SWTC START STOP SUSP EOL REPRINT DISCARD WERASE LNEXT */
    .c_cc = {3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22, 0},
};

/* ---- Reading and writing ---- */

static bool must_not_wait(const struct file *file)
{
    if (file->flags & O_NONBLOCK) {
        return true;
    }
    return file->inode == console_inode && !(console.termios.c_lflag & ICANON) && console.termios.c_cc[VMIN] == 0;
}

/* What a read returns that must not wait and found nothing. */
static long nothing_there(const struct file *file)
{
    return file->flags & O_NONBLOCK ? -EAGAIN : 0;
}

static long console_read(struct file *file, struct iobuf *to, u64 *pos)
{
    u8 chunk[INPUT_CHUNK];
    SIZE_T done = 0;

    if (must_not_wait(file) && !kernel.ConsoleInputReady()) {
        return nothing_there(file);
    }
    long room = iobuf_probe(*to, min(to->left, sizeof(chunk))); /* input that is taken cannot be put back */
    if (room < 0) {
        return room;
    }
    NTSTATUS status = kernel.ConsoleRead(chunk, room, &done);
    if (done == 0) {
        return status == STATUS_SUCCESS || status == STATUS_END_OF_FILE ? 0 : interrupted();
    }
    return iobuf_put(to, chunk, done);
}

static long console_write(struct file *file, struct iobuf *from, u64 *pos)
{
    u8 chunk[CHUNK];
    size_t done = 0;
    ULONG stream = (ULONG)(ULONG_PTR)file->data; /* 0: the terminal */

    if (stream == 0 && !kernel.ConsoleIsTerminal(0)) {
        stream = 1; /* /dev/console is there all the same */
    }
    while (from->left != 0) {
        size_t size = min(from->left, sizeof(chunk));
        long error =
            iobuf_get(from, chunk, size) == (long)size ? 0 : -EFAULT; /* whole chunks, as of a pipe */
        if (error == 0 && is_dying()) {
            error = interrupted();
        }
        if (error == 0 && kernel.ConsoleWrite(stream, chunk, size) != STATUS_SUCCESS) {
            error = -EIO;
        }
        if (error < 0) {
            return done != 0 ? (long)done : error;
        }
        done += size;
    }
    return done;
}

static u32 console_poll(struct file *file, struct poll_table *table)
{
    u32 ready = 0;
    poll_wait(table, &console_input, POLLIN | POLLRDNORM);
    if (file_writable(file)) {
        ready |= POLLOUT | POLLWRNORM;
    }
    if (file_readable(file) && kernel.ConsoleInputReady()) {
        ready |= POLLIN | POLLRDNORM;
    }
    return ready;
}

/* ---- Terminal modes ---- */

static ULONG console_mode(const struct termios *termios)
{
    ULONG mode = 0;
    mode |= termios->c_lflag & ECHO ? IO_CONSOLE_ECHO : 0;
    mode |= termios->c_lflag & ICANON ? IO_CONSOLE_LINE : 0;
    mode |= termios->c_lflag & ISIG ? IO_CONSOLE_SIGNALS : 0;
    /* The kernel has one switch for both directions: output decides, for what reads raw input mostly
       writes cooked output. */
    mode |= (termios->c_oflag & (OPOST | ONLCR)) == (OPOST | ONLCR) ? IO_CONSOLE_CRNL : 0;
    return mode;
}

static long get_modes(struct termios __user *to)
{
    mutex_lock(&console.lock);
    struct termios termios = console.termios;
    mutex_unlock(&console.lock);
    return copy_to_user(to, &termios, sizeof(termios));
}

static long set_modes(const struct termios __user *from)
{
    struct termios termios;
    if (copy_from_user(&termios, from, sizeof(termios)) < 0) {
        return -EFAULT;
    }
    mutex_lock(&console.lock);
    console.termios = termios;
    kernel.ConsoleSetMode(console_mode(&termios));
    mutex_unlock(&console.lock);
    return 0;
}

static long get_window(struct winsize __user *to)
{
    mutex_lock(&console.lock);
    struct winsize size = console.size;
    mutex_unlock(&console.lock);
    if (size.ws_col == 0 && size.ws_row == 0) {
        kernel.ConsoleSize(&size.ws_col, &size.ws_row);
    }
    return copy_to_user(to, &size, sizeof(size));
}

static long set_window(const struct winsize __user *from)
{
    struct winsize size;
    if (copy_from_user(&size, from, sizeof(size)) < 0) {
        return -EFAULT;
    }
    mutex_lock(&console.lock);
    console.size = size;
    mutex_unlock(&console.lock);
    return 0;
}

static long get_word(const s32 *word, s32 __user *to)
{
    mutex_lock(&console.lock);
    s32 value = *word;
    mutex_unlock(&console.lock);
    return copy_to_user(to, &value, sizeof(value));
}

static long set_foreground(const s32 __user *from)
{
    s32 group;
    if (copy_from_user(&group, from, sizeof(group)) < 0) {
        return -EFAULT;
    }
    if (group < 0) {
        return -EINVAL;
    }
    mutex_lock(&console.lock);
    console.foreground = group;
    mutex_unlock(&console.lock);
    return 0;
}

/* How many bytes there are to read: the kernel tells only whether there are any. */
static long bytes_ready(s32 __user *to)
{
    s32 count = kernel.ConsoleInputReady() ? 1 : 0;
    return copy_to_user(to, &count, sizeof(count));
}

static long terminal_ioctl(struct file *file, u32 command, u64 argument)
{
    switch (command) {
    case TCGETS:
        return get_modes((void __user *)argument);
    case TCSETS:
    case TCSETSW:
    case TCSETSF:
        return set_modes((void __user *)argument);
    case TIOCGWINSZ:
        return get_window((void __user *)argument);
    case TIOCSWINSZ:
        return set_window((void __user *)argument);
    case TIOCGPGRP:
        return get_word(&console.foreground, (void __user *)argument);
    case TIOCSPGRP:
        return set_foreground((void __user *)argument);
    case TIOCGSID:
        return get_word(&console.session, (void __user *)argument);
    case FIONREAD:
        return bytes_ready((void __user *)argument);
    case TCSBRK: /* output has left when a write returns, and there are no breaks to send */
    case TCSBRKP:
    case TCXONC:
    case TCFLSH:
    case TIOCSCTTY:
    case TIOCNOTTY:
        return 0;
    default:
        return -ENOTTY;
    }
}

static long stream_ioctl(struct file *file, u32 command, u64 argument)
{
    return command == FIONREAD ? bytes_ready((void __user *)argument) : -ENOTTY;
}

/* ---- Opening ---- */

static long tty_open(struct inode *inode, struct file *file)
{
    if (!kernel.ConsoleIsTerminal(0)) {
        return -ENXIO; /* a program without a controlling terminal */
    }
    inode_put(file->inode);
    file->inode = inode_get(console_inode);
    return 0;
}

/* A standard stream that is opened again by /proc/self/fd/N. */
static long stream_open(struct inode *inode, struct file *file)
{
    file->data = (void *)(ULONG_PTR)inode->data;
    return 0;
}

static const struct file_operations terminal_ops = {
    .read = console_read,
    .write = console_write,
    .poll = console_poll,
    .ioctl = terminal_ioctl,
    .stream = true,
};

static const struct file_operations tty_ops = {
    .open = tty_open,
    .read = console_read,
    .write = console_write,
    .poll = console_poll,
    .ioctl = terminal_ioctl,
    .stream = true,
};

static const struct file_operations stream_ops = {
    .open = stream_open,
    .read = console_read,
    .write = console_write,
    .poll = console_poll,
    .ioctl = stream_ioctl,
    .stream = true,
};

static struct inode *stream_inode(ULONG stream)
{
    struct inode *inode = inode_new(S_IFIFO | 0600, DEV_PIPE);
    if (inode != NULL) {
        struct text name = {.data = inode->own_name, .size = sizeof(inode->own_name) - 1, .fixed = true};
        print(&name, "pipe:[%lu]", inode->ino);
        inode->fops = &stream_ops;
        inode->data = stream;
    }
    return inode;
}

static long add_terminal(struct inode *dev, const char *name, u32 minor, const struct file_operations *fops)
{
    struct inode *inode = dir_find(dev, name, strlen(name));
    if (inode == NULL) {
        inode = inode_new(S_IFCHR | 0620, DEV_ROOT);
        long error = dir_add(dev, name, strlen(name), inode);
        if (error < 0) {
            return error;
        }
    }
    inode->rdev = makedev(5, minor);
    inode->fops = fops;
    return 0;
}

static struct file *open_stream(ULONG stream)
{
    long error;
    bool is_terminal = kernel.ConsoleIsTerminal(stream);
    u32 flags = is_terminal ? O_RDWR : stream == 0 ? O_RDONLY : O_WRONLY;
    struct file *file = file_open(is_terminal ? console_inode : streams[stream], flags, &error);
    if (file != NULL) {
        file->data = (void *)(ULONG_PTR)stream;
    }
    return file;
}

static long console_open_standard(struct files *files)
{
    for (ULONG stream = 0; stream < 3; stream++) {
        struct file *file = open_stream(stream);
        if (file == NULL) {
            return -ENOMEM;
        }
        long fd = fd_install(files, file, stream, false);
        if (fd < 0) {
            return fd;
        }
    }
    return 0;
}

static void console_own(s32 group)
{
    if (!kernel.ConsoleIsTerminal(0)) {
        return;
    }
    mutex_lock(&console.lock);
    console.mode_before = kernel.ConsoleGetMode();
    console.foreground = console.session = group;
    console.termios =
        default_termios; /* each program that a native shell starts finds the terminal in order */
    kernel.ConsoleSetMode(console_mode(&default_termios));
    mutex_unlock(&console.lock);
}

/* Another mode than the session's own is somebody else's by now: of the shell, whose line is being edited
   while a program in the background ends. */
static void console_disown(s32 group)
{
    mutex_lock(&console.lock);
    if (group != 0 && console.session == group) {
        console.foreground = console.session = 0;
        if (kernel.ConsoleGetMode() == console_mode(&console.termios)) {
            kernel.ConsoleSetMode(console.mode_before);
        }
    }
    mutex_unlock(&console.lock);
}

/* ^C and its kin were typed. */
static void console_signal(PVOID context, UCHAR character)
{
    mutex_lock(&console.lock);
    s32 group = console.foreground;
    const u8 *keys = console.termios.c_cc;
    int sig = character == keys[0]    ? SIGINT
              : character == keys[1]  ? SIGQUIT
              : character == keys[10] ? SIGTSTP
                                      : 0;
    mutex_unlock(&console.lock);
    if (sig != 0 && group != 0) {
        signal_group(group, sig);
    }
}

static VOID console_input_came(PKDPC dpc, PVOID context, PVOID argument1, PVOID argument2)
{
    wake_all(&console_input);
}

/* ---- Start and end ---- */

static const struct terminal_operations console_terminal = {
    .open_standard = console_open_standard,
    .own = console_own,
    .disown = console_disown,
};

static long console_start(void)
{
    struct inode *dev = dir_make(root_inode, "dev", 3);
    if (dev == NULL) {
        return -ENOMEM;
    }
    mutex_init(&console.lock);
    wait_queue_init(&console_input);
    KeInitializeDpc(&console_input_dpc, console_input_came, NULL);
    console.termios = default_termios;

    long error = add_terminal(dev, "console", 1, &terminal_ops);
    if (error == 0) {
        error = add_terminal(dev, "tty", 0, &tty_ops);
    }
    console_inode = error == 0 ? dir_find(dev, "console", 7) : NULL;
    for (ULONG stream = 0; error == 0 && stream < ARRAYSIZE(streams); stream++) {
        streams[stream] = stream_inode(stream);
        error = streams[stream] != NULL ? 0 : -ENOMEM;
    }
    if (error == 0) {
        terminal = &console_terminal;
        IoSetConsoleSignalRoutine(console_signal, NULL);
        kernel.ConsoleSetInputDpc(&console_input_dpc);
    }
    return error;
}

/* All processes are gone; ^C may have ended the last of them. */
static void console_stop(void)
{
    IoSetConsoleSignalRoutine(NULL, NULL);
    kernel.ConsoleSetInputDpc(NULL);
    KeFlushQueuedDpcs();
    for (ULONG stream = 0; stream < ARRAYSIZE(streams); stream++) {
        inode_put(streams[stream]);
        streams[stream] = NULL;
    }
}

const struct file_kind console_kind = {.start = console_start, .stop = console_stop};
