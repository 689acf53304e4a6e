// SPDX-License-Identifier: MIT
// build: musl
// flags: -w
/* The terminal: tests/terminal.py types, here and in the guest, what the words before "?" ask for, and compares what the
   screen shows. Without a terminal there is little to say. */
#include "test.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>

static struct termios modes;
static volatile int got, windows;

static void note(int sig)
{
    got = sig;
    windows += sig == SIGWINCH;
}

/* Modes as they are given, from known ones on. */
static void set(unsigned iflag, unsigned oflag, unsigned lflag)
{
    modes.c_iflag = iflag;
    modes.c_oflag = oflag;
    modes.c_lflag = lflag;
    modes.c_cflag = B38400 | CS8 | CREAD;
    memcpy(modes.c_cc, "\003\034\177\025\004\000\001\000\021\023\032\000\022\017\027\026\000", 17);
    tcsetattr(0, TCSANOW, &modes);
}

#define INPUT  (ICRNL | IXON)
#define OUTPUT (OPOST | ONLCR)
#define LOCAL  (ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN)

static void ask(const char *what)
{
    printf("%s?\n", what);
    fflush(stdout);
}

/* What one read gives, in characters that every terminal shows. */
static void show_read(size_t size)
{
    unsigned char text[5000];
    ssize_t count = read(0, text, size);

    printf("[%zd]", count < 0 ? -errno : count);
    for (ssize_t i = 0; i < count && i < 60; i++) {
        printf(text[i] >= ' ' && text[i] < 127 ? "%c" : "<%02x>", text[i]);
    }
    printf("\n");
    fflush(stdout);
}

static void lines(void)
{
    set(INPUT, OUTPUT, LOCAL);
    ask("line");
    show_read(100);
    ask("erase");
    show_read(100);
    ask("kill");
    show_read(100);
    ask("words");
    show_read(100);
    ask("tabs");
    show_read(100);
    ask("literal");
    show_read(100);
    ask("reprint");
    show_read(100);
    ask("eof");
    show_read(100);
    show_read(100);
    ask("short");
    show_read(2);
    show_read(100);
    ask("exact");
    show_read(3);
    ask("after");
    show_read(100);
    modes.c_cc[VEOL] = ';';
    tcsetattr(0, TCSANOW, &modes);
    ask("eol");
    show_read(100);
    show_read(100);
    set(INPUT | IUTF8, OUTPUT, LOCAL);
    ask("utf8");
    show_read(100);
    ask("long");
    show_read(4999);
}

static void keys(void)
{
    set(INPUT, OUTPUT, LOCAL);
    modes.c_cc[VERASE] = '#';
    modes.c_cc[VKILL] = '@';
    modes.c_cc[VWERASE] = 0;
    tcsetattr(0, TCSANOW, &modes);
    ask("other keys");
    show_read(100);
    set(INPUT, OUTPUT, LOCAL & ~ECHOE);
    ask("no echoe");
    show_read(100);
    set(INPUT, OUTPUT, LOCAL & ~ECHOKE);
    ask("no echoke");
    show_read(100);
    set(INPUT, OUTPUT, LOCAL & ~ECHOCTL);
    ask("no echoctl");
    show_read(100);
    set(INPUT, OUTPUT, LOCAL & ~ECHO);
    ask("no echo");
    show_read(100);
    set(INPUT, OUTPUT, (LOCAL & ~ECHO) | ECHONL);
    ask("echonl");
    show_read(100);
    set(INPUT, OUTPUT, LOCAL & ~IEXTEN);
    ask("no iexten");
    show_read(100);
    set(0, OUTPUT, LOCAL);
    ask("no icrnl");
    show_read(100);
    set(INLCR | IXON, OUTPUT, LOCAL & ~ICANON);
    ask("inlcr");
    show_read(1);
    set(IGNCR, OUTPUT, LOCAL);
    ask("igncr");
    show_read(100);
    set(INPUT | ISTRIP, OUTPUT, LOCAL);
    ask("istrip");
    show_read(100);
}

static void raw(void)
{
    set(INPUT, OUTPUT, LOCAL & ~(ICANON | ECHO));
    ask("one");
    show_read(100);
    modes.c_cc[VMIN] = 3;
    tcsetattr(0, TCSANOW, &modes);
    ask("three");
    show_read(100);
    ask("two of two");
    show_read(2);
    modes.c_cc[VTIME] = 2;
    tcsetattr(0, TCSANOW, &modes);
    ask("gap");
    show_read(100);
    modes.c_cc[VMIN] = 0;
    tcsetattr(0, TCSANOW, &modes);
    ask("nothing in time");
    show_read(100);
    modes.c_cc[VTIME] = 100;
    tcsetattr(0, TCSANOW, &modes);
    ask("in time");
    show_read(100);
    modes.c_cc[VTIME] = 0;
    tcsetattr(0, TCSANOW, &modes);
    ask("not there");
    show_read(100);
    modes.c_cc[VMIN] = 1;
    tcsetattr(0, TCSANOW, &modes);
    fcntl(0, F_SETFL, O_RDWR | O_NONBLOCK);
    ask("would wait");
    show_read(100);
    fcntl(0, F_SETFL, O_RDWR);
    struct pollfd fd = {0, POLLIN};
    ask("poll");
    SHOW(poll(&fd, 1, -1));
    SHOW(fd.revents);
    int count;
    SHOW(ioctl(0, FIONREAD, &count));
    SHOW(count);
    show_read(100);
    /* What was typed in a line is there when lines end, and the other way round. */
    set(INPUT, OUTPUT, LOCAL);
    ask("half a line");
    SHOW(poll(&fd, 1, 300));
    modes.c_lflag &= ~ICANON;
    tcsetattr(0, TCSANOW, &modes);
    SHOW(poll(&fd, 1, 0));
    modes.c_lflag |= ICANON;
    tcsetattr(0, TCSANOW, &modes);
    show_read(100);
    ask("flushed");
    SHOW(poll(&fd, 1, -1));
    SHOW(tcflush(0, TCIFLUSH));
    SHOW(poll(&fd, 1, 0));
    ask("two lines");
    do { /* both have come */
        ioctl(0, FIONREAD, &count);
    } while (count < 8);
    SHOW(count);
    show_read(100);
    show_read(100);
}

/* A key raises a signal, and the line typed behind it ends the read: when that returns, all has been shown that will be. */
static void ask_for_signal(const char *what)
{
    got = 0;
    ask(what);
    show_read(100);
    SHOW(got);
}

static void signals(void)
{
    set(INPUT, OUTPUT, LOCAL);
    signal(SIGINT, note);
    signal(SIGQUIT, note);
    signal(SIGTSTP, note);
    ask_for_signal("interrupt");
    ask_for_signal("quit");
    ask_for_signal("suspend");
    modes.c_cc[VINTR] = 'x';
    tcsetattr(0, TCSANOW, &modes);
    ask_for_signal("other interrupt");
    set(INPUT, OUTPUT, LOCAL & ~ISIG);
    ask("no isig");
    show_read(100);
    set(INPUT, OUTPUT, LOCAL | NOFLSH);
    ask_for_signal("noflsh");
    struct sigaction plain = {.sa_handler = note};
    sigaction(SIGINT, &plain, NULL); /* no SA_RESTART */
    set(INPUT, OUTPUT, LOCAL & ~ECHO);
    ask("broken off"); /* the driver types until the read has begun, and so has been broken off */
    show_read(100);
    signal(SIGINT, SIG_IGN);
}

static void output(void)
{
    set(INPUT, OPOST, LOCAL);
    write(1, "no onlcr\n\r", 10);
    set(INPUT, 0, LOCAL);
    write(1, "no opost\n\r\t.\r\n", 14);
    set(INPUT, OPOST | ONLCR | OCRNL, LOCAL);
    write(1, "ocrnl\rnext\n", 11);
    set(INPUT, OPOST | ONLCR | XTABS, LOCAL);
    write(1, "tabs\t.\t.\n", 9);
    set(INPUT, OPOST | ONLCR | ONOCR, LOCAL);
    write(1, "\r\ronocr\r\n", 9);
    set(INPUT, OPOST | ONLCR | OLCUC, LOCAL);
    write(1, "olcuc\n", 6);
    set(INPUT, OUTPUT, LOCAL);
    ask("stop"); /* the next line appears when output goes on */
    int stopped = 1;
    while (stopped) { /* the driver types both keys, again and again until the next line appears */
        struct pollfd fd = {1, POLLOUT};
        stopped = poll(&fd, 1, 0) == 1;
    }
    printf("goes on\n");
    fflush(stdout);
}

static void show_child(pid_t child)
{
    int status;
    waitpid(child, &status, WUNTRACED);
    printf(WIFSTOPPED(status) ? "stopped by %d\n" : "exited %d\n", WIFSTOPPED(status) ? WSTOPSIG(status) : WEXITSTATUS(status));
    fflush(stdout);
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
}

/* A child in the background, in a group of its own, tries something. */
static void background(const char *what, int ignored, int (*attempt)(void))
{
    printf("%s: ", what);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGTTIN, ignored ? SIG_IGN : SIG_DFL);
        signal(SIGTTOU, ignored ? SIG_IGN : SIG_DFL);
        setpgid(0, 0);
        _exit(attempt());
    }
    show_child(child);
}

static int try_read(void)
{
    char byte;
    return read(0, &byte, 1) < 0 ? errno : 0;
}

static int try_write(void)
{
    return write(1, ".", 1) < 0 ? errno : 0;
}

static int try_modes(void)
{
    return tcsetattr(0, TCSANOW, &modes) < 0 ? errno : 0;
}

static int try_foreground(void)
{
    return tcsetpgrp(0, getpgrp()) < 0 ? errno : 0;
}

/* Its parent goes: nobody of the session is left in another group that could continue it. */
static void orphaned(void)
{
    int fds[2], result;

    pipe(fds);
    fflush(stdout);
    if (fork() == 0) {
        setpgid(0, 0);
        pid_t self = getpid();
        if (fork() == 0) {
            while (getppid() == self) {
                usleep(1000);
            }
            result = try_read();
            write(fds[1], &result, sizeof(result));
        }
        _exit(0);
    }
    wait(NULL);
    read(fds[0], &result, sizeof(result));
    printf("orphaned: error %d\n", result);
}

/* What /proc says of it: field 7 is the terminal, 8 its foreground group. */
static long stat_field(int wanted)
{
    static char text[1024];
    int fd = open("/proc/self/stat", O_RDONLY);
    ssize_t size = read(fd, text, sizeof(text) - 1);
    char *at = size > 0 ? strrchr(text, ')') : NULL;

    close(fd);
    for (int i = 2; at != NULL && i < wanted; i++) {
        at = strchr(at + 1, ' ');
    }
    return at != NULL ? strtol(at, NULL, 10) : -2;
}

static void jobs(void)
{
    HOLDS(stat_field(7) != 0 && stat_field(8) == getpgrp());
    set(INPUT, OUTPUT, LOCAL);
    background("read", 0, try_read);
    background("read, deaf", 1, try_read);
    background("write", 0, try_write);
    background("modes", 0, try_modes);
    background("modes, deaf", 1, try_modes);
    background("foreground", 0, try_foreground);
    background("foreground, deaf", 1, try_foreground);
    signal(SIGTTOU, SIG_IGN);
    SHOW(tcsetpgrp(0, getpgrp()));
    signal(SIGTTOU, SIG_DFL);
    modes.c_lflag |= TOSTOP;
    tcsetattr(0, TCSANOW, &modes);
    background("tostop", 0, try_write);
    background("tostop, deaf", 1, try_write);
    set(INPUT, OUTPUT, LOCAL);
    orphaned();
    HOLDS(tcgetpgrp(0) == getpgrp());
    HOLDS(tcgetsid(0) == getsid(0));
    SHOW(tcsetpgrp(0, 999999));
    SHOW(tcsetpgrp(0, -1));
    SHOW(ioctl(0, TIOCSPGRP, 8));
    pid_t child = fork();
    if (child == 0) {
        setsid();
        pause();
    }
    while (getsid(child) != child) {
        usleep(1000);
    }
    SHOW(tcsetpgrp(0, child));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    fflush(stdout);
    if (fork() == 0) { /* without the terminal as its own */
        setsid();
        SHOW(stat_field(7));
        SHOW(stat_field(8));
        SHOW(open("/dev/tty", O_RDWR));
        SHOW(tcgetpgrp(0));
        SHOW(tcsetpgrp(0, getpgrp()));
        SHOW(ioctl(0, TIOCNOTTY));
        SHOW(ioctl(0, TIOCSCTTY, 0));
        struct termios now;
        SHOW(tcgetattr(0, &now));
        fflush(stdout);
        _exit(0);
    }
    wait(NULL);
    SHOW(ioctl(0, TIOCSCTTY, 0)); /* it is already */
    int fd = open("/dev/tty", O_RDWR);
    HOLDS(fd >= 0 && isatty(fd) && tcgetpgrp(fd) == getpgrp());
    close(fd);
}

static void controls(void)
{
    int number = 77;
    char key = 'x';

    SHOW(ioctl(0, TIOCGETD, &number));
    SHOW(number);
    SHOW(ioctl(0, TIOCOUTQ, &number));
    SHOW(number);
    SHOW(ioctl(0, TIOCEXCL));
    SHOW(ioctl(0, TIOCNXCL));
    SHOW(tcflush(0, 7));
    SHOW(tcflow(0, 7));
    int off = tcflow(0, TCOOFF), on = tcflow(0, TCOON); /* nothing can be shown in between */
    SHOW(off);
    SHOW(on);
    SHOW(tcdrain(0));
    SHOW(tcsendbreak(0, 0));
    SHOW(ioctl(0, TCGETS, 8));
    SHOW(ioctl(0, TCSETS, 8));
    SHOW(ioctl(0, FIONREAD, 8));
    SHOW(ioctl(0, TIOCSWINSZ, 8));
    SHOW(ioctl(0, 0x5499, 0));
    SHOW(lseek(0, 0, SEEK_SET));
    SHOW(ttyname(0) != NULL);
}

static void window(void)
{
    struct winsize size;

    signal(SIGWINCH, note);
    ioctl(0, TIOCGWINSZ, &size);
    SHOW(size.ws_row * 1000 + size.ws_col);
    ask("window");
    while (windows == 0) {
        usleep(1000);
    }
    ioctl(0, TIOCGWINSZ, &size);
    SHOW(size.ws_row * 1000 + size.ws_col);
    windows = 0;
    size.ws_row = 33;
    SHOW(ioctl(0, TIOCSWINSZ, &size));
    SHOW(windows);
    SHOW(ioctl(0, TIOCSWINSZ, &size)); /* the same: nobody is told */
    SHOW(windows);
}

/* ---- Who has it no more ---- */

static volatile int hangups, continues;

static void note_hang_up(int sig)
{
    hangups += sig == SIGHUP;
    continues += sig == SIGCONT;
}

/* Its session's leader gives it up: it is nobody's, but can still be used. */
static void given_up(void)
{
    signal(SIGHUP, note_hang_up);
    signal(SIGCONT, note_hang_up);
    SHOW(ioctl(0, TIOCNOTTY));
    SHOW(hangups);
    SHOW(continues);
    SHOW(open("/dev/tty", O_RDWR));
    SHOW(tcgetpgrp(0));
    SHOW(tcgetattr(0, &modes));
    SHOW(ioctl(0, TIOCSCTTY, 0));
    HOLDS(tcgetpgrp(0) == getpgrp());
}

/* In the foreground, or (background) in a group of its own, when its session's leader ends: its letters. */
static void survivor(int background, int ready, int turn, int report)
{
    char byte, letters[12], *at = letters;

    hangups = continues = 0;
    if (background) {
        setpgid(0, 0);
    }
    write(ready, ".", 1);
    if (background) {
        while (read(turn, &byte, 1) < 0) { /* until the other one has been told */
        }
    }
    while (!background && (hangups == 0 || continues == 0)) {
        usleep(1000);
    }
    *at++ = hangups ? 'h' : '-';
    *at++ = continues ? 'c' : '-';
    *at++ = read(0, &byte, 1) == 0 ? '0' : '?';
    *at++ = write(1, "!", 1) < 0 && errno == EIO ? 'i' : '?';
    *at++ = tcgetattr(0, &modes) < 0 && errno == EIO ? 'i' : '?';
    *at++ = tcgetpgrp(0) < 0 ? (errno == EIO ? 'i' : errno == ENOTTY ? 'n' : '?') : '?';
    *at++ = open("/dev/tty", O_RDWR) < 0 && errno == ENXIO ? 'x' : '?';
    *at++ = ' ';
    write(report, letters, at - letters);
    _exit(0);
}

/* Its session's leader ends: the foreground is told, and for all who have it open it is dead: our own output, too, so that the status
   must tell. That is so of a terminal with a line that can be hung up; a pseudo-terminal goes on until its master is closed. */
static int lost(void)
{
    int ready[2], turn[2], report[2];
    char letters[32] = {0};
    size_t used = 0;
    ssize_t more;

    pipe(ready);
    pipe(turn);
    pipe(report);
    ioctl(0, TIOCNOTTY);
    if (fork() == 0) {
        setsid();
        if (ioctl(0, TIOCSCTTY, 0) < 0) {
            _exit(1);
        }
        for (int background = 0; background < 2; background++) {
            if (fork() == 0) {
                close(turn[1]);
                survivor(background, ready[1], turn[0], report[1]);
            }
        }
        read(ready[0], letters, 1);
        read(ready[0], letters, 1);
        _exit(0);
    }
    wait(NULL);
    close(report[1]);
    while ((more = read(report[0], letters + used, 8)) > 0) {
        used += more;
        write(turn[1], ".", 1);
    }
    return strcmp(letters, "hc0iiix --0iiix ") == 0 && write(1, "!", 1) < 0 && errno == EIO ? 0 : 34;
}

int main(void)
{
    struct utsname name;

    uname(&name);
    if (!isatty(0)) {
        SHOW(tcgetattr(0, &modes));
        SHOW(tcgetpgrp(0));
        return 0;
    }
    lines();
    keys();
    raw();
    signals();
    output();
    jobs();
    controls();
    window();
    given_up();
    printf("done\n");
    fflush(stdout);
    return strstr(name.release, "primer") != NULL ? lost() : 0;
}
