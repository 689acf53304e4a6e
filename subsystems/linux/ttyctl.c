/* SPDX-License-Identifier: MIT */
/* The terminal's ioctls. */
#include "linux.h"

static const struct termios default_modes = {
    .c_iflag = ICRNL | IXON | IUTF8,
    .c_oflag = OPOST | ONLCR,
    .c_cflag = B38400 | CS8 | CREAD,
    .c_lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
    /* INTR QUIT ERASE KILL EOF TIME MIN SWTC START STOP SUSP EOL REPRINT DISCARD WERASE LNEXT EOL2 */
    .c_cc = {3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22, 0},
};

void tty_init(struct tty *tty)
{
    mutex_init(&tty->lock);
    mutex_init(&tty->output);
    wait_queue_init(&tty->readers);
    wait_queue_init(&tty->writers);
    tty->termios = default_modes;
}

void tty_reset(struct tty *tty)
{
    tty_set_modes(tty, &default_modes);
    tty_stop_output(tty, false);
    tty->size.ws_xpixel = tty->size.ws_ypixel = 0;
}

/* ---- Groups and sessions ---- */

static long put_word(s32 value, s32 __user *to)
{
    return copy_to_user(to, &value, sizeof(value));
}

static long get_group(struct tty *tty, const s32 *word, s32 __user *to)
{
    mutex_lock(&tasklist_lock);
    bool mine = tty_belongs_to(tty, current_process());
    s32 value = *word;
    mutex_unlock(&tasklist_lock);
    return mine ? put_word(value, to) : -ENOTTY;
}

/* The session of a group; 0: there is no such group. */
static s32 session_of(s32 pgid)
{
    for (PLIST_ENTRY at = processes.Flink; at != &processes; at = at->Flink) {
        const struct process *process = CONTAINING_RECORD(at, struct process, links);
        if (process->pgid == pgid) {
            return process->sid;
        }
    }
    return 0;
}

static long set_foreground(struct tty *tty, const s32 __user *from)
{
    s32 group;

    if (!tty_is_mine(tty)) {
        return -ENOTTY;
    }
    long error = tty_check_change(tty);
    if (error < 0) {
        return error;
    }
    if (copy_from_user(&group, from, sizeof(group)) < 0) {
        return -EFAULT;
    }
    if (group < 0) {
        return -EINVAL;
    }
    mutex_lock(&tasklist_lock);
    s32 session = session_of(group);
    error = !tty_belongs_to(tty, current_process()) ? -ENOTTY
            : session == 0                   ? -ESRCH
            : session != tty->session        ? -EPERM
                                             : 0;
    if (error == 0) {
        tty->foreground = group;
    }
    mutex_unlock(&tasklist_lock);
    return error;
}

/* force: root takes it from the session that has it. */
static long take_tty(struct tty *tty, bool force)
{
    struct process *process = current_process();
    long error = 0;

    mutex_lock(&tasklist_lock);
    if (tty_belongs_to(tty, process)) {
        error = process->pid == process->sid ? 0 : -EPERM;
    } else if (process->pid != process->sid || (tty->session != 0 && !force)) {
        error = -EPERM;
    } else {
        process->no_tty = false;
        tty_acquire(tty, process->sid, process->pgid);
    }
    mutex_unlock(&tasklist_lock);
    return error;
}

static long give_up_tty(struct tty *tty)
{
    struct process *process = current_process();
    long error = 0;

    mutex_lock(&tasklist_lock);
    if (!tty_belongs_to(tty, process)) {
        error = -ENOTTY;
    } else if (process->pid == process->sid) {
        tty_release(tty);
    } else {
        process->no_tty = true;
    }
    mutex_unlock(&tasklist_lock);
    return error;
}

/* ---- Modes and the window ---- */

static const u32 speeds[] = {0,    50,   75,   110,  134,  150,   200,   300,
                             600,  1200, 1800, 2400, 4800, 9600, 19200, 38400};

static long get_modes(struct tty *tty, void __user *to, size_t size)
{
    mutex_lock(&tty->lock);
    struct termios2 modes = {.termios = tty->termios};
    mutex_unlock(&tty->lock);
    u32 speed = modes.termios.c_cflag & 017;
    modes.c_ispeed = modes.c_ospeed = speeds[speed];
    return copy_to_user(to, &modes, size);
}

/* Output has left when a write returns: there is nothing to drain. */
static long set_modes(struct tty *tty, const void __user *from, size_t size, bool flush)
{
    struct termios2 modes;

    long error = tty_check_change(tty);
    if (error < 0) {
        return error;
    }
    if (copy_from_user(&modes, from, size) < 0) {
        return -EFAULT;
    }
    mutex_lock(&tty->lock);
    if (flush) {
        tty_flush_input(tty);
    }
    tty_set_modes(tty, &modes.termios);
    mutex_unlock(&tty->lock);
    tty->more(tty);
    return 0;
}

static long get_window(struct tty *tty, struct winsize __user *to)
{
    mutex_lock(&tty->lock);
    struct winsize size = tty->size;
    mutex_unlock(&tty->lock);
    return copy_to_user(to, &size, sizeof(size));
}

void tty_resize(struct tty *tty, const struct winsize *size)
{
    mutex_lock(&tty->lock);
    bool changed = memcmp(&tty->size, size, sizeof(*size)) != 0;
    tty->size = *size;
    mutex_unlock(&tty->lock);
    if (changed) {
        tty_signal(tty, sigmask(SIGWINCH));
    }
}

static long set_window(struct tty *tty, const struct winsize __user *from)
{
    struct winsize size;

    if (copy_from_user(&size, from, sizeof(size)) < 0) {
        return -EFAULT;
    }
    tty_resize(tty, &size);
    return 0;
}

/* ---- Flow ---- */

static long flush(struct tty *tty, u64 what)
{
    long error = tty_check_change(tty);

    if (error < 0) {
        return error;
    }
    if (what > TCIOFLUSH) {
        return -EINVAL;
    }
    if (what != TCOFLUSH) {
        mutex_lock(&tty->lock);
        tty_flush_input(tty);
        mutex_unlock(&tty->lock);
        tty->more(tty);
    }
    return 0;
}

static long flow(struct tty *tty, u64 what)
{
    long error = tty_check_change(tty);

    if (error < 0) {
        return error;
    }
    if (what == TCOOFF || what == TCOON) {
        mutex_lock(&tty->lock);
        tty_stop_output(tty, what == TCOOFF);
        mutex_unlock(&tty->lock);
        return 0;
    }
    if (what != TCIOFF && what != TCION) {
        return -EINVAL;
    }
    u8 key = tty->termios.c_cc[what == TCIOFF ? VSTOP : VSTART];
    if (key != 0) {
        tty_send(tty, &key, 1);
    }
    return 0;
}

static long bytes_ready(struct tty *tty, s32 __user *to)
{
    mutex_lock(&tty->lock);
    s32 count = tty_bytes_ready(tty);
    mutex_unlock(&tty->lock);
    return put_word(count, to);
}

static long set_exclusive(struct tty *tty, bool exclusive)
{
    mutex_lock(&tty->lock);
    tty->exclusive = exclusive;
    mutex_unlock(&tty->lock);
    return 0;
}

static long set_discipline(const s32 __user *from)
{
    s32 number;

    if (copy_from_user(&number, from, sizeof(number)) < 0) {
        return -EFAULT;
    }
    return number == N_TTY ? 0 : -EINVAL;
}

long tty_ioctl(struct file *file, u32 command, u64 argument)
{
    struct tty *tty = file_tty(file);
    void __user *pointer = (void __user *)argument;

    if (tty_is_hung_up(tty, file)) {
        return -EIO;
    }
    switch (command) {
    case TCGETS:
        return get_modes(tty, pointer, sizeof(struct termios));
    case TCGETS2:
        return get_modes(tty, pointer, sizeof(struct termios2));
    case TCSETS:
    case TCSETSW:
        return set_modes(tty, pointer, sizeof(struct termios), false);
    case TCSETSF:
        return set_modes(tty, pointer, sizeof(struct termios), true);
    case TCSETS2:
    case TCSETSW2:
        return set_modes(tty, pointer, sizeof(struct termios2), false);
    case TCSETSF2:
        return set_modes(tty, pointer, sizeof(struct termios2), true);
    case TIOCGWINSZ:
        return get_window(tty, pointer);
    case TIOCSWINSZ:
        return set_window(tty, pointer);
    case TIOCGPGRP:
        return get_group(tty, &tty->foreground, pointer);
    case TIOCSPGRP:
        return set_foreground(tty, pointer);
    case TIOCGSID:
        return get_group(tty, &tty->session, pointer);
    case TIOCSCTTY:
        return take_tty(tty, argument == 1);
    case TIOCNOTTY:
        return give_up_tty(tty);
    case FIONREAD:
        return bytes_ready(tty, pointer);
    case TIOCOUTQ:
        return put_word(0, pointer);
    case TCSBRK: /* output has left when a write returns, and there are no breaks to send */
    case TCSBRKP:
        return tty_check_change(tty);
    case TIOCSBRK:
    case TIOCCBRK:
        return 0;
    case TCXONC:
        return flow(tty, argument);
    case TCFLSH:
        return flush(tty, argument);
    case TIOCEXCL:
    case TIOCNXCL:
        return set_exclusive(tty, command == TIOCEXCL);
    case TIOCGEXCL:
        return put_word(tty->exclusive, pointer);
    case TIOCGETD:
        return put_word(N_TTY, pointer);
    case TIOCSETD:
        return set_discipline(pointer);
    case TIOCSTI: /* typing for others: refused, as kernels do today */
        return -EIO;
    default:
        return -ENOTTY;
    }
}
