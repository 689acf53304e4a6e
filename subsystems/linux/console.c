/* SPDX-License-Identifier: MIT */
/*
 * The console as Linux's programs know it: one terminal (/dev/console, /dev/tty) where the kernel's console
 * is one, and pipes for the standard streams that are none.
 *
 * The console belongs to the kernel's line discipline and native programs, until a session of ours owns it:
 * then a thread of our own takes what comes, as it comes, through the terminal's line discipline (tty.c). It
 * also tells the session when the window has another size.
 *
 *   serial port --> kernel's ring --DPC--> console_thread --> tty --> readers
 *                                    \---> streams that are pipes: their readers take from the ring themselves
 */
#include "linux.h"

#define INPUT_ENDED MAXULONG

static struct tty tty;
static struct wait_queue stream_input; /* woken when there is something to read from a pipe */
static KDPC input_dpc;
static struct inode *console_inode; /* /dev/console, permanent */
static struct inode *streams[3];    /* standard streams that are no terminal */

static struct {
    KEVENT work;   /* for the thread: input, room for it, a new window, or the end */
    PVOID thread;  /* referenced */
    bool volatile ends;
    bool owned;             /* (tty.lock) by a session of ours */
    ULONG mode_before;      /* (tty.lock) what the session's end brings back */
    u8 piece[TTY_PIECE];    /* (tty.lock) taken from the kernel, and not yet by the line discipline */
    SIZE_T at, size;        /* (tty.lock) */
} console;

/* ---- Input of the terminal ---- */

static VOID input_came(PKDPC dpc, PVOID context, PVOID argument1, PVOID argument2)
{
    wake_all(&stream_input);
    KeSetEvent(&console.work, IO_NO_INCREMENT, FALSE);
}

static void more_room(struct tty *which)
{
    KeSetEvent(&console.work, IO_NO_INCREMENT, FALSE);
}

/* Fills the piece, if it is empty; false: there is nothing. */
static bool fill_piece(void)
{
    if (console.at != console.size) {
        return true;
    }
    console.at = console.size = 0;
    if (kernel.ConsoleRead(console.piece, sizeof(console.piece), &console.size) != STATUS_SUCCESS) {
        return false;
    }
    if (console.size == 0) { /* the end of a line that was typed before the console was ours */
        console.piece[console.size++] = tty.termios.c_cc[VEOF];
    }
    return true;
}

/* A piece of input, if it is ours to take; true: there may be more. */
static bool take_input(void)
{
    sigset_t signals = 0;
    size_t taken = 0;

    mutex_lock(&tty.lock);
    if (console.owned && fill_piece()) {
        taken = tty_receive(&tty, console.piece + console.at, console.size - console.at, &signals);
        console.at += taken;
    }
    mutex_unlock(&tty.lock);
    if (signals != 0) {
        tty_signal(&tty, signals);
    }
    return taken != 0;
}

static struct winsize window(void)
{
    struct winsize size = {0};
    kernel.ConsoleSize(&size.ws_col, &size.ws_row);
    return size;
}

/* The user has changed the window: a size that a program has set is not touched until then. */
static void look_at_window(struct winsize *known)
{
    struct winsize now = window();
    if (memcmp(&now, known, sizeof(now)) != 0) {
        *known = now;
        tty_resize(&tty, &now);
    }
}

static VOID console_thread(PVOID context)
{
    struct winsize known = window();

    while (!console.ends) {
        KeWaitForSingleObject(&console.work, Executive, KernelMode, FALSE, NULL);
        look_at_window(&known);
        while (!console.ends && take_input()) {
        }
    }
    PsTerminateSystemThread(STATUS_SUCCESS);
}

/* ---- Standard streams that are pipes ---- */

static ULONG stream_of(const struct file *file)
{
    return (ULONG)(ULONG_PTR)file->data;
}

static long stream_read(struct file *file, struct iobuf *to, u64 *pos)
{
    u8 piece[TTY_PIECE];
    SIZE_T done = 0;
    struct waiter waiter;

    for (;;) {
        long room = iobuf_probe(*to, min(to->left, sizeof(piece))); /* input that is taken cannot be put back */
        if (room <= 0) {
            return room;
        }
        wait_begin(&waiter, &stream_input, true);
        if (kernel.ConsoleRead(piece, room, &done) == STATUS_SUCCESS) {
            wait_leave(&waiter);
            wake_one(&stream_input); /* something may be left for another one */
            return done != 0 ? iobuf_put(to, piece, done) : 0;
        }
        if (file->flags & O_NONBLOCK) {
            wait_leave(&waiter);
            return -EAGAIN;
        }
        long error = wait_end(&waiter, FOREVER);
        if (error < 0) {
            return error;
        }
    }
}

static long stream_write(struct file *file, struct iobuf *from, u64 *pos)
{
    u8 piece[TTY_PIECE];
    size_t done = 0;

    while (from->left != 0) {
        size_t size = min(from->left, sizeof(piece));
        long error = iobuf_get(from, piece, size) == (long)size ? 0 : -EFAULT; /* whole pieces, as of a pipe */
        if (error == 0 && is_dying()) {
            error = interrupted();
        }
        if (error == 0 && kernel.ConsoleWrite(stream_of(file), piece, size) != STATUS_SUCCESS) {
            error = -EIO;
        }
        if (error < 0) {
            return done != 0 ? (long)done : error;
        }
        done += size;
    }
    return done;
}

static u32 stream_poll(struct file *file, struct poll_table *table)
{
    u32 ready = file_writable(file) ? POLLOUT | POLLWRNORM : 0;

    poll_wait(table, &stream_input, POLLIN | POLLRDNORM);
    ULONG there = kernel.ConsoleInputReady();
    if (file_readable(file) && there != 0) {
        ready |= there == INPUT_ENDED ? POLLHUP : POLLIN | POLLRDNORM;
    }
    return ready;
}

static long stream_ioctl(struct file *file, u32 command, u64 argument)
{
    ULONG there = kernel.ConsoleInputReady();
    s32 count = there == INPUT_ENDED ? 0 : (s32)there;
    return command == FIONREAD ? copy_to_user((s32 __user *)argument, &count, sizeof(count)) : -ENOTTY;
}

/* One that is opened again by /proc/self/fd/N. */
static long stream_open(struct inode *inode, struct file *file)
{
    file->data = (void *)(ULONG_PTR)inode->data;
    return 0;
}

static const struct file_operations stream_ops = {
    .open = stream_open,
    .read = stream_read,
    .write = stream_write,
    .poll = stream_poll,
    .ioctl = stream_ioctl,
    .stream = true,
};

/* ---- The terminal's files ---- */

/* A session's leader that has no terminal gets this one, if nobody has it. */
static long terminal_open(struct inode *inode, struct file *file)
{
    struct process *process = current_process();

    if (!kernel.ConsoleIsTerminal(0)) { /* there is a console all the same, to write to */
        inode_put(file->inode);
        file->inode = inode_get(streams[1]);
        file->ops = &stream_ops;
        return stream_open(streams[1], file);
    }
    mutex_lock(&tasklist_lock);
    file->data = (void *)(ULONG_PTR)tty.hangups;
    if (!(file->flags & O_NOCTTY) && process->pid == process->sid && tty.session == 0) {
        tty_acquire(&tty, process->sid, process->pgid);
    }
    mutex_unlock(&tasklist_lock);
    return 0;
}

static long tty_open(struct inode *inode, struct file *file)
{
    if (!kernel.ConsoleIsTerminal(0) || !tty_is_mine(&tty)) {
        return -ENXIO; /* a program without a controlling terminal */
    }
    inode_put(file->inode);
    file->inode = inode_get(console_inode);
    file->data = (void *)(ULONG_PTR)tty.hangups;
    return 0;
}

static const struct file_operations terminal_ops = {
    .open = terminal_open,
    .read = tty_read,
    .write = tty_write,
    .poll = tty_poll,
    .ioctl = tty_ioctl,
    .stream = true,
};

static const struct file_operations tty_ops = {
    .open = tty_open,
    .read = tty_read,
    .write = tty_write,
    .poll = tty_poll,
    .ioctl = tty_ioctl,
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
    inode->entry = &tty;
    return 0;
}

static struct file *open_stream(ULONG stream)
{
    long error;
    bool is_terminal = kernel.ConsoleIsTerminal(stream);
    u32 flags = is_terminal ? O_RDWR : stream == 0 ? O_RDONLY : O_WRONLY;
    return file_open(is_terminal ? console_inode : streams[stream], flags | O_NOCTTY, &error);
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

/* ---- Whose the console is ---- */

/* Each program that a native one starts finds the terminal in order. */
static void console_own(s32 group)
{
    if (!kernel.ConsoleIsTerminal(0)) {
        return;
    }
    tty_acquire(&tty, group, group);
    mutex_lock(&tty.lock);
    if (!console.owned) {
        console.mode_before = kernel.ConsoleGetMode();
    }
    console.owned = true;
    tty.size = window();
    tty_reset(&tty);
    mutex_unlock(&tty.lock);
    more_room(&tty);
}

/* The kernel's line discipline gets what has been typed ahead. */
static void give_back_input(void)
{
    while (tty.read != tty.written) {
        u8 byte = (u8)tty.ring[tty.read++ % TTY_RING];
        kernel.ConsolePutBack(&byte, 1);
    }
    tty_flush_input(&tty);
    kernel.ConsolePutBack(console.piece + console.at, console.size - console.at);
    console.at = console.size = 0;
}

/* Another mode than the session's own is somebody else's by now: of the shell, whose line is being edited
   while a program in the background ends. */
static void console_disown(s32 group)
{
    mutex_lock(&tasklist_lock);
    bool owns = group != 0 && tty.session == group;
    if (owns) {
        tty_hang_up(&tty);
    }
    mutex_unlock(&tasklist_lock);
    if (!owns) {
        return;
    }
    mutex_lock(&tty.lock);
    if (console.owned && tty.session == 0) {
        console.owned = false;
        if (kernel.ConsoleGetMode() == tty_kernel_mode(&tty)) {
            kernel.ConsoleSetMode(console.mode_before);
            give_back_input();
        }
    }
    mutex_unlock(&tty.lock);
}

static s32 console_foreground(const struct process *process)
{
    mutex_lock(&tasklist_lock);
    s32 group = tty_belongs_to(&tty, process) ? tty.foreground : -1;
    mutex_unlock(&tasklist_lock);
    return group;
}

/* ^C and its kin were typed to the kernel's line discipline, while it has the console. */
static void console_signal(PVOID context, UCHAR character)
{
    tty_signal(&tty, character == 3 ? sigmask(SIGINT) : character == 28 ? sigmask(SIGQUIT) : sigmask(SIGTSTP));
}

/* ---- Start and end ---- */

static const struct terminal_operations console_terminal = {
    .open_standard = console_open_standard,
    .own = console_own,
    .disown = console_disown,
    .foreground = console_foreground,
};

static long start_input(void)
{
    wait_queue_init(&stream_input);
    KeInitializeDpc(&input_dpc, input_came, NULL);
    KeInitializeEvent(&console.work, SynchronizationEvent, FALSE);
    console.ends = false;
    tty_init(&tty);
    tty.more = more_room;
    long error = start_thread(console_thread, &console.thread);
    if (error == 0) {
        IoSetConsoleSignalRoutine(console_signal, NULL);
        kernel.ConsoleSetInputDpc(&input_dpc);
    }
    return error;
}

static long console_start(void)
{
    struct inode *dev = dir_make(root_inode, "dev", 3);
    if (dev == NULL) {
        return -ENOMEM;
    }
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
        error = start_input();
    }
    if (error == 0) {
        terminal = &console_terminal;
    }
    return error;
}

static void stop_thread(void)
{
    if (console.thread != NULL) {
        console.ends = true;
        KeSetEvent(&console.work, IO_NO_INCREMENT, FALSE);
        end_thread(&console.thread);
    }
}

/* All processes are gone; ^C may have ended the last of them. */
static void console_stop(void)
{
    IoSetConsoleSignalRoutine(NULL, NULL);
    kernel.ConsoleSetInputDpc(NULL);
    KeFlushQueuedDpcs();
    stop_thread();
    for (ULONG stream = 0; stream < ARRAYSIZE(streams); stream++) {
        inode_put(streams[stream]);
        streams[stream] = NULL;
    }
}

const struct file_kind console_kind = {.start = console_start, .stop = console_stop};
