/* SPDX-License-Identifier: MIT */
/*
 * The line discipline of the terminal: what becomes of bytes on their way from the keyboard to a reader, and
 * from a writer to the screen. console.c brings the bytes, ttyctl.c has the ioctls and job control.
 *
 * Input lies in a ring, an entry a byte. Positions count for ever and are taken modulo its size:
 *
 *      read <= ready <= written <= read + TTY_RING
 *
 * Readers get what is before `ready`; behind it is the line that is being typed, and can be edited.
 *
 * Locks: tty->lock guards input and modes, tty->output what is sent and where the cursor is. Echo takes the
 * second inside the first.
 */
#include "linux.h"

#define NO_KEY   0     /* in c_cc: no key means this */
#define LINE_END 0x100 /* flag of an entry: a canonical read ends behind it */
#define NO_BYTE  0x200 /* flag: only an end, VEOF's */

/* ---- Output ---- */

static u32 next_tab(u32 column)
{
    return (column | 7) + 1;
}

/* Follows the cursor. Continuation bytes of UTF-8 do not move it. */
static void move_cursor(struct tty *tty, u8 byte)
{
    bool to_start = byte == '\r' || (byte == '\n' && (tty->termios.c_oflag & (ONLCR | ONLRET)));
    if (to_start) {
        tty->column = 0;
    } else if (byte == '\t') {
        tty->column = next_tab(tty->column);
    } else if (byte == '\b') {
        tty->column -= tty->column != 0;
    } else if (byte >= ' ' && byte != 0x7f && (byte & 0xc0) != 0x80) {
        tty->column++;
    }
}

/* The kernel completes NL, so that native programs' output looks right, too; but not where some are not to
   be. */
static bool kernel_completes(const struct tty *tty)
{
    return (tty->termios.c_oflag & (OPOST | ONLCR | OCRNL)) == (OPOST | ONLCR);
}

/* What is sent for one byte, at most 8. */
static size_t cook(struct tty *tty, u8 byte, u8 *to)
{
    u32 flags = tty->termios.c_oflag;
    bool was_return = byte == '\r';

    if (flags & OPOST) {
        if (byte == '\r' && (flags & OCRNL)) {
            byte = '\n';
        } else if (byte == '\r' && (flags & ONOCR) && tty->column == 0) {
            return 0;
        }
        if ((flags & OLCUC) && byte >= 'a' && byte <= 'z') {
            byte -= 'a' - 'A';
        }
        if (byte == '\t' && (flags & TABDLY) == XTABS) {
            size_t count = next_tab(tty->column) - tty->column;
            memset(to, ' ', count);
            tty->column += count;
            return count;
        }
    }
    move_cursor(tty, byte);
    bool complete = byte == '\n' && !was_return && (flags & OPOST) && (flags & ONLCR) && !kernel_completes(tty);
    if (complete) {
        *to++ = '\r';
    }
    *to = byte;
    return 1 + complete;
}

/* tty->output is held. */
static void send(struct tty *tty, const u8 *bytes, size_t size)
{
    u8 cooked[256];
    size_t used = 0;

    for (size_t i = 0; i < size; i++) {
        used += cook(tty, bytes[i], cooked + used);
        if (used > sizeof(cooked) - 8 || i == size - 1) {
            kernel.ConsoleWrite(0, cooked, used);
            used = 0;
        }
    }
}

static void flush_echo(struct tty *tty);

void tty_send(struct tty *tty, const u8 *bytes, size_t size)
{
    mutex_lock(&tty->output);
    send(tty, bytes, size);
    mutex_unlock(&tty->output);
    MemoryBarrier();
    if (tty->echoes != 0) { /* what was typed meanwhile */
        mutex_lock(&tty->lock);
        flush_echo(tty);
        mutex_unlock(&tty->lock);
    }
}

ULONG tty_kernel_mode(const struct tty *tty)
{
    return IO_CONSOLE_RAW | (kernel_completes(tty) ? IO_CONSOLE_CRNL : 0);
}

/* ---- Echo: gathered while bytes are taken, and sent when all have been. tty->lock is held ---- */

/* Keys must not wait for a writer that nobody reads: it sends the echo when it is done (tty_send). */
static void flush_echo(struct tty *tty)
{
    MemoryBarrier();
    if (tty->echoes != 0 && mutex_try_lock(&tty->output)) {
        send(tty, tty->echo, tty->echoes);
        mutex_unlock(&tty->output);
        tty->echoes = 0;
    }
}

static void echo_raw(struct tty *tty, const char *text)
{
    for (; *text != 0; text++) {
        if (tty->echoes == sizeof(tty->echo)) {
            flush_echo(tty);
        }
        if (tty->echoes != sizeof(tty->echo)) { /* else it is lost */
            tty->echo[tty->echoes++] = *text;
        }
    }
}

static bool is_control(u8 byte)
{
    return byte < ' ' || byte == 0x7f;
}

static bool is_shown_as_two(const struct tty *tty, u8 byte)
{
    return (tty->termios.c_lflag & ECHOCTL) && is_control(byte) && byte != '\t' && byte != '\n';
}

static void echo(struct tty *tty, u8 byte)
{
    if (is_shown_as_two(tty, byte)) {
        echo_raw(tty, (char[]){'^', byte ^ 0x40, 0});
    } else if (byte != 0) {
        echo_raw(tty, (char[]){byte, 0});
    }
}

/* ---- The ring ---- */

static u16 *entry(struct tty *tty, u32 position)
{
    return &tty->ring[position % TTY_RING];
}

static u32 room(const struct tty *tty)
{
    return TTY_RING - (tty->written - tty->read);
}

static void append(struct tty *tty, u16 value)
{
    *entry(tty, tty->written++) = value;
}

/* What has been typed may be read. */
static void make_ready(struct tty *tty)
{
    tty->ready = tty->written;
    wake_all(&tty->readers);
}

void tty_flush_input(struct tty *tty)
{
    tty->read = tty->ready = tty->written;
    tty->literal = false;
}

/* ---- Editing the line ---- */

static bool is_key(const struct tty *tty, u8 byte, int key)
{
    return byte == tty->termios.c_cc[key] && byte != NO_KEY;
}

static bool is_word(u8 byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
           byte == '_' || byte >= 0x80;
}

/* Where the cursor stands behind the line as far as `end`. The line began where it now would, if all were
   taken back. */
static u32 line_width(struct tty *tty, u32 start, u32 end)
{
    u32 column = start;
    for (u32 at = tty->ready; at != end; at++) {
        u8 byte = (u8)*entry(tty, at);
        if (byte == '\t') {
            column = next_tab(column);
        } else if (is_control(byte)) {
            column += is_shown_as_two(tty, byte) ? 2 : 0;
        } else {
            column += (byte & 0xc0) != 0x80 || !(tty->termios.c_iflag & IUTF8);
        }
    }
    return column;
}

/* Takes the last character back: all its bytes. Answers the first of them. */
static u8 drop_character(struct tty *tty)
{
    u8 byte;
    do {
        byte = (u8)*entry(tty, --tty->written);
    } while ((tty->termios.c_iflag & IUTF8) && (byte & 0xc0) == 0x80 && tty->written != tty->ready);
    return byte;
}

static void erase_character(struct tty *tty, int key)
{
    u32 before = tty->written;
    u8 byte = drop_character(tty);
    u32 flags = tty->termios.c_lflag;

    if (!(flags & ECHO)) {
        return;
    }
    if (key == VERASE && !(flags & ECHOE)) {
        echo(tty, tty->termios.c_cc[VERASE]);
    } else if (byte == '\t') {
        u32 left = tty->written;
        u32 width = line_width(tty, tty->line_column, before) - line_width(tty, tty->line_column, left);
        for (; width != 0; width--) {
            echo_raw(tty, "\b");
        }
    } else {
        echo_raw(tty, is_shown_as_two(tty, byte) ? "\b \b\b \b" : is_control(byte) ? "" : "\b \b");
    }
}

static void kill_line(struct tty *tty)
{
    const u32 neatly = ECHO | ECHOK | ECHOKE | ECHOE;
    u32 flags = tty->termios.c_lflag;

    if ((flags & neatly) == neatly) {
        while (tty->written != tty->ready) {
            erase_character(tty, VKILL);
        }
        return;
    }
    tty->written = tty->ready;
    if (flags & ECHO) {
        echo(tty, tty->termios.c_cc[VKILL]);
        echo_raw(tty, flags & ECHOK ? "\n" : "");
    }
}

static void erase_word(struct tty *tty)
{
    bool in_word = false;

    while (tty->written != tty->ready) {
        bool word = is_word((u8)*entry(tty, tty->written - 1));
        if (in_word && !word) {
            break;
        }
        in_word |= word;
        erase_character(tty, VWERASE);
    }
}

static void reprint(struct tty *tty)
{
    echo(tty, tty->termios.c_cc[VREPRINT]);
    echo_raw(tty, "\n");
    for (u32 at = tty->ready; at != tty->written; at++) {
        echo(tty, (u8)*entry(tty, at));
    }
}

/* Keys that change the line and are no part of it. */
static bool edit(struct tty *tty, u8 byte)
{
    u32 flags = tty->termios.c_lflag;
    bool extended = flags & IEXTEN;

    if (is_key(tty, byte, VERASE) || is_key(tty, byte, VKILL) || (extended && is_key(tty, byte, VWERASE))) {
        if (tty->written == tty->ready) {
            return true;
        }
        if (is_key(tty, byte, VERASE)) {
            erase_character(tty, VERASE);
        } else if (is_key(tty, byte, VKILL)) {
            kill_line(tty);
        } else {
            erase_word(tty);
        }
        return true;
    }
    if (extended && is_key(tty, byte, VLNEXT)) {
        tty->literal = true;
        echo_raw(tty, (flags & ECHO) && (flags & ECHOCTL) ? "^\b" : "");
        return true;
    }
    if (extended && (flags & ECHO) && is_key(tty, byte, VREPRINT)) {
        reprint(tty);
        return true;
    }
    return false;
}

/* ---- Bytes as they come ---- */

static void type_ordinary(struct tty *tty, u8 byte)
{
    u32 flags = tty->termios.c_lflag;

    if ((flags & ICANON) && room(tty) < 3) { /* two entries are kept for the line's end */
        echo_raw(tty, tty->termios.c_iflag & IMAXBEL ? "\a" : "");
        return;
    }
    if (flags & ECHO) {
        if (tty->written == tty->ready) {
            flush_echo(tty);
            tty->line_column = tty->column;
        }
        echo(tty, byte);
    }
    if (byte == 0xff && (tty->termios.c_iflag & PARMRK)) {
        append(tty, byte);
    }
    append(tty, byte);
    if (!(flags & ICANON)) {
        make_ready(tty);
    }
}

static void type_in_line(struct tty *tty, u8 byte)
{
    u32 flags = tty->termios.c_lflag;

    if (edit(tty, byte)) {
        return;
    }
    if (is_key(tty, byte, VEOF)) {
        append(tty, LINE_END | NO_BYTE);
        make_ready(tty);
    } else if (byte == '\n' || is_key(tty, byte, VEOL) || ((flags & IEXTEN) && is_key(tty, byte, VEOL2))) {
        if (byte == '\n' ? flags & (ECHO | ECHONL) : flags & ECHO) {
            echo(tty, byte);
        }
        append(tty, LINE_END | byte);
        make_ready(tty);
    } else {
        type_ordinary(tty, byte);
    }
}

void tty_stop_output(struct tty *tty, bool stop)
{
    tty->stopped = stop;
    if (!stop) {
        wake_all(&tty->writers);
    }
}

/* The keys that stop and start output. */
static bool is_flow_key(struct tty *tty, u8 byte)
{
    u32 flags = tty->termios.c_iflag;

    if (!(flags & IXON)) {
        return false;
    }
    if (is_key(tty, byte, VSTART)) {
        tty_stop_output(tty, false);
        return true;
    }
    if (is_key(tty, byte, VSTOP)) {
        tty_stop_output(tty, true);
        return true;
    }
    if (flags & IXANY) {
        tty_stop_output(tty, false);
    }
    return false;
}

static int signal_of(const struct tty *tty, u8 byte)
{
    return !(tty->termios.c_lflag & ISIG)  ? 0
           : is_key(tty, byte, VINTR) ? SIGINT
           : is_key(tty, byte, VQUIT) ? SIGQUIT
           : is_key(tty, byte, VSUSP) ? SIGTSTP
                                      : 0;
}

static void type_signal(struct tty *tty, u8 byte, int sig)
{
    u32 flags = tty->termios.c_lflag;

    if (!(flags & NOFLSH)) {
        tty_flush_input(tty);
    }
    tty_stop_output(tty, false);
    if (flags & ECHO) {
        echo(tty, byte);
    }
    tty->signals |= sigmask(sig);
}

/* Readers will make room for what finds none now. */
static bool must_wait(const struct tty *tty)
{
    return room(tty) < 3 && (tty->read != tty->ready || !(tty->termios.c_lflag & ICANON));
}

/* false: not now. */
static bool type(struct tty *tty, u8 byte)
{
    u32 flags = tty->termios.c_iflag;

    if (flags & ISTRIP) {
        byte &= 0x7f;
    }
    if ((flags & IUCLC) && (tty->termios.c_lflag & IEXTEN) && byte >= 'A' && byte <= 'Z') {
        byte += 'a' - 'A';
    }
    if (!tty->literal && is_flow_key(tty, byte)) {
        return true;
    }
    int sig = tty->literal ? 0 : signal_of(tty, byte);
    if (sig != 0) {
        type_signal(tty, byte, sig);
        return true;
    }
    if (must_wait(tty)) {
        return false;
    }
    if (tty->literal) {
        tty->literal = false;
        type_ordinary(tty, byte);
        return true;
    }
    if (byte == '\r' && (flags & IGNCR)) {
        return true;
    }
    if (byte == '\r' && (flags & ICRNL)) {
        byte = '\n';
    } else if (byte == '\n' && (flags & INLCR)) {
        byte = '\r';
    }
    if (tty->termios.c_lflag & ICANON) {
        type_in_line(tty, byte);
    } else {
        type_ordinary(tty, byte);
    }
    return true;
}

size_t tty_receive(struct tty *tty, const u8 *bytes, size_t size, sigset_t *signals)
{
    size_t done = 0;

    while (done < size && tty->signals == 0 && type(tty, bytes[done])) {
        done++;
    }
    flush_echo(tty);
    *signals = tty->signals;
    tty->signals = 0;
    return done;
}

/* ---- Modes ---- */

void tty_set_modes(struct tty *tty, const struct termios *new)
{
    bool was_lines = tty->termios.c_lflag & ICANON, lines = new->c_lflag & ICANON;

    mutex_lock(&tty->output);
    tty->termios = *new;
    mutex_unlock(&tty->output);
    if (was_lines != lines && tty->written != tty->read) {
        if (lines) { /* what was read as it came is a line now */
            *entry(tty, tty->written - 1) |= LINE_END;
        }
        make_ready(tty);
    }
    if (!(new->c_iflag & IXON)) {
        tty_stop_output(tty, false);
    }
    kernel.ConsoleSetMode(tty_kernel_mode(tty));
}

/* ---- Reading ---- */

u32 tty_bytes_ready(struct tty *tty)
{
    u32 count = tty->ready - tty->read;

    for (u32 at = tty->read; (tty->termios.c_lflag & ICANON) && at != tty->ready; at++) {
        count -= (*entry(tty, at) & NO_BYTE) != 0;
    }
    return count;
}

bool tty_readable(struct tty *tty)
{
    u32 there = tty->ready - tty->read;
    const u8 *keys = tty->termios.c_cc;

    if ((tty->termios.c_lflag & ICANON) || keys[VTIME] != 0 || keys[VMIN] == 0) {
        return there != 0;
    }
    return there >= keys[VMIN];
}

/* Takes what a read of size bytes gets of what is there. *end: it ends here, with a line. */
static size_t take(struct tty *tty, u8 *to, size_t size, bool *end)
{
    bool lines = tty->termios.c_lflag & ICANON;
    size_t count = 0;

    *end = false;
    while (count < size && tty->read != tty->ready && !*end) {
        u16 value = *entry(tty, tty->read++);
        if (!(value & NO_BYTE)) {
            to[count++] = (u8)value;
        } else if (!lines) {
            to[count++] = tty->termios.c_cc[VEOF];
        }
        *end = lines && (value & LINE_END);
    }
    if (lines && !*end && tty->read != tty->ready && (*entry(tty, tty->read) & NO_BYTE)) {
        tty->read++; /* the text before the end fitted exactly */
        *end = true;
    }
    return count;
}

/* How long a read waits that has got so much already: a point in time, 0 for not at all. */
static u64 patience(const struct tty *tty, size_t got, u64 started)
{
    const u8 *keys = tty->termios.c_cc;
    u64 time = keys[VTIME] * 100000000UL;

    if (tty->termios.c_lflag & ICANON) {
        return FOREVER;
    }
    if (keys[VMIN] != 0) { /* the time is for the gap between bytes */
        return time != 0 && got != 0 ? monotonic_ns() + time : FOREVER;
    }
    return time != 0 && got == 0 ? started + time : 0;
}

/* It has what it came for. */
static bool is_enough(const struct tty *tty, size_t got, size_t size, bool end)
{
    if (tty->termios.c_lflag & ICANON) {
        return end || got != 0;
    }
    return got == size || (got != 0 && got >= tty->termios.c_cc[VMIN]);
}

/* Waits for more; tty->lock is held, but not in the wait. Hung up, or nothing must be waited for: -EIO,
   -EAGAIN. */
static long wait_for_input(struct tty *tty, const struct file *file, size_t got, u64 started)
{
    struct waiter waiter;
    u64 deadline = patience(tty, got, started);

    if (tty_is_hung_up(tty, file)) {
        return -EIO;
    }
    if (deadline == 0) {
        return -ETIMEDOUT;
    }
    if (file->flags & O_NONBLOCK) {
        return -EAGAIN;
    }
    wait_begin(&waiter, &tty->readers, false);
    if (tty_is_hung_up(tty, file)) { /* which comes without tty->lock */
        wait_leave(&waiter);
        return -EIO;
    }
    mutex_unlock(&tty->lock);
    long error = wait_end(&waiter, deadline);
    mutex_lock(&tty->lock);
    return error;
}

/* Up to one piece, for which the program's memory has room. more: something has been read, so it does not
   wait. */
static long read_piece(struct tty *tty, struct file *file, u8 *to, size_t size, bool more, bool *end)
{
    u64 started = monotonic_ns();
    size_t got = 0;
    long error = 0;

    mutex_lock(&tty->lock);
    for (;;) {
        got += take(tty, to + got, size - got, end);
        if (more || is_enough(tty, got, size, *end)) {
            break;
        }
        error = wait_for_input(tty, file, got, started);
        if (error < 0) {
            break;
        }
    }
    mutex_unlock(&tty->lock);
    tty->more(tty);
    return got != 0 || error == -ETIMEDOUT || error == -EIO ? (long)got : error;
}

long tty_read(struct file *file, struct iobuf *to, u64 *pos)
{
    struct tty *tty = file_tty(file);
    u8 piece[TTY_PIECE];
    long done = 0, got;
    bool end;

    long error = tty_check_read(tty);
    if (error < 0) {
        return error;
    }
    do {
        long size = iobuf_probe(*to, min(to->left, sizeof(piece))); /* input that is taken cannot be put back */
        if (size <= 0) {
            return done != 0 ? done : size;
        }
        got = read_piece(tty, file, piece, size, done != 0, &end);
        if (got > 0) {
            iobuf_put(to, piece, got);
            done += got;
        }
    } while (got == (long)sizeof(piece) && !end);
    return done != 0 ? done : got;
}

/* ---- Writing ---- */

/* Waits while the user has stopped the output. */
static long wait_for_flow(struct tty *tty, const struct file *file)
{
    struct waiter waiter;
    long error = 0;

    while (error == 0 && tty->stopped) {
        if (file->flags & O_NONBLOCK) {
            return -EAGAIN;
        }
        wait_begin(&waiter, &tty->writers, false);
        if (tty_is_hung_up(tty, file)) {
            wait_leave(&waiter);
            error = -EIO;
        } else if (tty->stopped) {
            error = wait_end(&waiter, FOREVER);
        } else {
            wait_leave(&waiter);
        }
    }
    return error;
}

static long write_piece(struct tty *tty, const struct file *file, struct iobuf *from, size_t size)
{
    u8 piece[TTY_PIECE];

    if (tty_is_hung_up(tty, file)) {
        return -EIO;
    }
    long error = is_dying() ? interrupted() : wait_for_flow(tty, file);
    if (error == 0 && iobuf_get(from, piece, size) != (long)size) { /* whole pieces, as of a pipe */
        error = -EFAULT;
    }
    if (error == 0) {
        tty_send(tty, piece, size);
    }
    return error < 0 ? error : (long)size;
}

long tty_write(struct file *file, struct iobuf *from, u64 *pos)
{
    struct tty *tty = file_tty(file);
    size_t done = 0;

    long error = tty_check_write(tty);
    while (error >= 0 && from->left != 0) {
        error = write_piece(tty, file, from, min(from->left, TTY_PIECE));
        done += error > 0 ? error : 0;
    }
    return done != 0 ? (long)done : error;
}

u32 tty_poll(struct file *file, struct poll_table *table)
{
    struct tty *tty = file_tty(file);
    u32 ready = 0;

    poll_wait(table, &tty->readers, POLLIN | POLLRDNORM);
    poll_wait(table, &tty->writers, POLLOUT | POLLWRNORM);
    mutex_lock(&tty->lock);
    if (tty_is_hung_up(tty, file)) {
        ready = POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM | POLLERR | POLLHUP;
    } else {
        ready |= tty_readable(tty) ? POLLIN | POLLRDNORM : 0;
        ready |= tty->stopped ? 0 : POLLOUT | POLLWRNORM;
    }
    mutex_unlock(&tty->lock);
    return ready;
}
