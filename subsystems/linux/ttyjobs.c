/* SPDX-License-Identifier: MIT */
/*
 * Job control: whose the terminal is, which group may read it, and what becomes of others that try.
 *
 * It is the controlling terminal of the session whose number it knows, so of all processes in it. Session and
 * foreground group are guarded by tasklist_lock.
 */
#include "linux.h"

bool tty_belongs_to(const struct tty *tty, const struct process *process)
{
    return tty->session != 0 && process->sid == tty->session && !process->no_tty;
}

bool tty_is_mine(const struct tty *tty)
{
    mutex_lock(&tasklist_lock);
    bool mine = tty_belongs_to(tty, current_process());
    mutex_unlock(&tasklist_lock);
    return mine;
}

static bool is_in_background(const struct tty *tty, const struct process *process)
{
    return tty_belongs_to(tty, process) && tty->foreground != 0 && process->pgid != tty->foreground;
}

/* The current task would not notice this signal. */
static bool is_deaf_to(const struct task *task, int sig)
{
    return (task->blocked & sigmask(sig)) || task->process->sighand->action[sig - 1].sa_handler == SIG_IGN;
}

/* Stops the current process's group; nobody could continue an orphaned one: -EIO. */
static long stop_group(int sig)
{
    siginfo_t info = {.si_signo = sig, .si_code = SI_KERNEL};
    s32 pgid = current_process()->pgid;

    if (is_orphaned_group(pgid)) {
        return -EIO;
    }
    signal_group_locked(pgid, &info);
    return interrupted();
}

long tty_check_read(struct tty *tty)
{
    struct task *task = current_task();
    long error = 0;

    mutex_lock(&tasklist_lock);
    if (is_in_background(tty, task->process)) {
        error = is_deaf_to(task, SIGTTIN) ? -EIO : stop_group(SIGTTIN);
    }
    mutex_unlock(&tasklist_lock);
    return error;
}

/* What only the foreground may do: change modes, say. Who does not listen to SIGTTOU is not kept from it. */
long tty_check_change(struct tty *tty)
{
    struct task *task = current_task();
    long error = 0;

    mutex_lock(&tasklist_lock);
    if (is_in_background(tty, task->process) && !is_deaf_to(task, SIGTTOU)) {
        error = stop_group(SIGTTOU);
    }
    mutex_unlock(&tasklist_lock);
    return error;
}

long tty_check_write(struct tty *tty)
{
    return tty->termios.c_lflag & TOSTOP ? tty_check_change(tty) : 0;
}

void tty_signal(struct tty *tty, sigset_t signals)
{
    mutex_lock(&tasklist_lock);
    while (signals != 0 && tty->foreground != 0) {
        siginfo_t info = {.si_signo = __builtin_ctzl(signals) + 1, .si_code = SI_KERNEL};
        signal_group_locked(tty->foreground, &info);
        signals &= signals - 1;
    }
    mutex_unlock(&tasklist_lock);
}

void tty_acquire(struct tty *tty, s32 session, s32 group)
{
    tty->session = session;
    tty->foreground = group;
}

void tty_release(struct tty *tty)
{
    s32 group = tty->foreground;

    tty->session = tty->foreground = 0;
    if (group != 0) {
        signal_group_locked(group, &(siginfo_t){.si_signo = SIGHUP, .si_code = SI_KERNEL});
        signal_group_locked(group, &(siginfo_t){.si_signo = SIGCONT, .si_code = SI_KERNEL});
    }
}

void tty_hang_up(struct tty *tty)
{
    tty->hangups++;
    tty_release(tty);
    wake_all(&tty->readers);
    wake_all(&tty->writers);
}
