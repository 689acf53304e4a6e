/* SPDX-License-Identifier: MIT */
/*
 * Signals: what waits, who gets what is sent, masks and dispositions.
 *
 * A signal that is sent is noted in a task or in the process, the waits of its receiver are broken, and the
 * kernel is asked to call linux_return_to_user on that task before it goes back to user mode: there, on the
 * task itself, the signal is taken and acted upon (delivery.c).
 *
 * tasklist_lock guards all signal state but a task's mask, which the task alone changes, without any lock.
 * A sender first notes the signal and then looks at masks; a task first changes its mask and then looks what
 * waits. Between the two steps either has a memory barrier, so that one of them sees what the other did.
 */
#include "linux.h"

#define UNBLOCKABLE (sigmask(SIGKILL) | sigmask(SIGSTOP))

/* ---- What waits ---- */

/* What waits of these signals, for the process or for one of its tasks, is forgotten. */
static void discard(struct process *process, sigset_t signals)
{
    sigpending_forget(&process->pending, signals);
    for (PLIST_ENTRY at = process->tasks.Flink; at != &process->tasks; at = at->Flink) {
        sigpending_forget(&CONTAINING_RECORD(at, struct task, links)->pending, signals);
    }
}

static int lowest_signal(sigset_t set)
{
    /* Faults of the program itself come before what others sent. */
    const sigset_t faults = sigmask(SIGSEGV) | sigmask(SIGBUS) | sigmask(SIGILL) | sigmask(SIGTRAP) |
                            sigmask(SIGFPE) | sigmask(SIGSYS);
    return __builtin_ctzl(set & faults ? set & faults : set) + 1;
}

/* How often its timer has expired since it was sent is known only now. */
static NOINLINE void count_overrun(struct process *process, siginfo_t *info)
{
    struct timer *timer = timer_find(process, info->si_timerid);

    if (timer != NULL) {
        info->si_overrun = timer->last_overrun = (s32)min(timer->overrun, 0x7fffffff);
        timer->overrun = 0;
    }
}

int take_signal(struct task *task, sigset_t set, siginfo_t *info)
{
    struct sigpending *pending = &task->pending;
    sigset_t waiting = pending->set & set;

    if (waiting == 0) {
        pending = &task->process->pending;
        waiting = pending->set & set;
    }
    if (waiting == 0) {
        return 0;
    }
    int sig = lowest_signal(waiting);
    sigpending_take(pending, sig, info);
    if (info->si_code == SI_TIMER) {
        count_overrun(task->process, info);
    }
    return sig;
}

/* ---- Sending ---- */

static bool is_ignored(const struct process *process, int sig)
{
    u64 handler = process->sighand->action[(u32)sig - 1].sa_handler;
    return handler == SIG_IGN || (handler == SIG_DFL && (sigmask(sig) & IGNORED_BY_DEFAULT));
}

/* The current task looks by itself before it waits. */
void wake_task(struct task *task)
{
    kernel.RequestReturnToUser(task->thread, task->thread != PsGetCurrentThread());
}

/* Would take one of these signals now. */
static bool takes(const struct task *task, sigset_t signals)
{
    return (signals & ~task->blocked) != 0;
}

/* Wakes a task that takes the signal, which has been noted; the first one if it can, as it is the process's
   face to others. When none can, the first to change its mind looks by itself. */
static void wake_receiver(struct process *process, int sig)
{
    MemoryBarrier();
    for (PLIST_ENTRY at = process->tasks.Flink; at != &process->tasks; at = at->Flink) {
        struct task *task = CONTAINING_RECORD(at, struct task, links);
        if (takes(task, sigmask(sig))) {
            wake_task(task);
            return;
        }
    }
}

/* The task will not take what of these signals waits for any task of its process: others may. */
void pass_on_signals(struct task *task, sigset_t signals)
{
    sigset_t waiting = task->process->pending.set & signals;

    while (waiting != 0) {
        int sig = lowest_signal(waiting);
        wake_receiver(task->process, sig);
        waiting &= ~sigmask(sig);
    }
}

/* A signal that would do nothing need not be kept, unless it is blocked: its meaning may change before it is
   taken. */
static NOINLINE bool is_blocked(const struct process *process, const struct task *task, int sig)
{
    if (task == NULL && !IsListEmpty(&process->tasks)) {
        task = CONTAINING_RECORD(process->tasks.Flink, struct task, links);
    }
    return task != NULL && ((task->blocked | task->waited) & sigmask(sig)) != 0;
}

static bool is_dropped(const struct process *process, const struct task *task, int sig)
{
    return is_ignored(process, sig) && !is_blocked(process, task, sig);
}

static void continue_process(struct process *process)
{
    if (process->stop_state == NOT_STOPPED) {
        return;
    }
    process->tell_continued = process->stop_state == STOPPED;
    process->stop_state = NOT_STOPPED;
    process->changed_code = process->tell_continued ? CLD_CONTINUED : 0; /* for waits at once; the signal comes when it runs */
    process->changed_status = SIGCONT;
    for (PLIST_ENTRY at = process->tasks.Flink; at != &process->tasks; at = at->Flink) {
        CONTAINING_RECORD(at, struct task, links)->stop_wanted = false;
    }
    KeSetEvent(&process->continued, IO_NO_INCREMENT, FALSE);
}

/* What stops and what continues take back each other. */
static NOINLINE void take_back(struct process *process, int sig)
{
    if (sig == SIGCONT) {
        discard(process, STOPPING);
        continue_process(process);
    } else {
        discard(process, sigmask(SIGCONT));
    }
}

long send_signal_locked(struct process *process, struct task *task, const siginfo_t *info)
{
    int sig = info->si_signo;

    NT_ASSERT(sig > 0 && sig <= _NSIG);
    if (sig == SIGKILL) {
        process_exit_signal(process, sig);
        return 0;
    }
    if (sigmask(sig) & (STOPPING | sigmask(SIGCONT))) {
        take_back(process, sig);
    }
    if (is_dropped(process, task, sig)) {
        return 0;
    }
    long error = sigpending_note(process, task != NULL ? &task->pending : &process->pending, info);
    if (error < 0) {
        return error;
    }
    if (task == NULL) {
        wake_receiver(process, sig);
        return 0;
    }
    MemoryBarrier();
    if (takes(task, sigmask(sig))) {
        wake_task(task);
    }
    return 0;
}

long send_signal(struct process *process, struct task *task, const siginfo_t *info)
{
    mutex_lock(&tasklist_lock);
    long error = send_signal_locked(process, task, info);
    mutex_unlock(&tasklist_lock);
    return error;
}

long signal_group_locked(s32 pgid, const siginfo_t *info)
{
    long error = -ESRCH;

    for (PLIST_ENTRY at = processes.Flink; at != &processes; at = at->Flink) {
        struct process *process = CONTAINING_RECORD(at, struct process, links);
        if (process->pgid == pgid) {
            send_signal_locked(process, NULL, info);
            signal_missed(process, info->si_signo);
            error = 0;
        }
    }
    return error;
}

void signal_group(s32 pgid, int sig)
{
    siginfo_t info = {.si_signo = sig, .si_code = SI_KERNEL};

    mutex_lock(&tasklist_lock);
    signal_group_locked(pgid, &info);
    mutex_unlock(&tasklist_lock);
}

void signal_self(int sig)
{
    struct process *process = current_process();
    siginfo_t info = {.si_signo = sig, .si_code = SI_USER, .si_pid = process->pid, .si_uid = process->creds.uid[REAL]};

    send_signal(process, current_task(), &info);
}

/* ---- Masks ---- */

/* The mask has changed while something waited. */
static NOINLINE void look_again(struct task *task, sigset_t added)
{
    if (task->process->pending.set & added) {
        mutex_lock(&tasklist_lock);
        pass_on_signals(task, added);
        mutex_unlock(&tasklist_lock);
    }
    if (signal_pending(task)) {
        kernel.RequestReturnToUser(task->thread, FALSE);
    }
}

void set_blocked(struct task *task, sigset_t set)
{
    sigset_t before = task->blocked;

    set &= ~UNBLOCKABLE;
    task->blocked = set;
    MemoryBarrier();
    if ((task->pending.set | task->process->pending.set) != 0 || task->stop_wanted) {
        look_again(task, set & ~before);
    }
}

long use_mask(const sigset_t __user *mask, size_t size)
{
    struct task *task = current_task();
    sigset_t set;

    if (size != sizeof(set)) {
        return -EINVAL;
    }
    if (copy_from_user(&set, mask, sizeof(set)) < 0) {
        return -EFAULT;
    }
    task->saved_mask = task->blocked;
    task->restore_mask = true;
    set_blocked(task, set);
    kernel.RequestReturnToUser(task->thread, FALSE); /* the old mask comes back there */
    return 0;
}

long end_mask(long result)
{
    struct task *task = current_task();

    if (task->restore_mask && result != -EINTR && result != -ERESTARTNOHAND) {
        task->restore_mask = false;
        set_blocked(task, task->saved_mask);
    }
    return result;
}

/* ---- Dispositions ---- */

void set_action(struct process *process, int sig, const struct sigaction *new, struct sigaction *before)
{
    mutex_lock(&tasklist_lock);
    struct sigaction *action = &process->sighand->action[sig - 1];
    *before = *action;
    if (new != NULL) {
        *action = *new;
        action->sa_mask &= ~UNBLOCKABLE;
        action->sa_flags &= SA_KNOWN;
        if (is_ignored(process, sig)) {
            discard(process, sigmask(sig));
        }
    }
    mutex_unlock(&tasklist_lock);
}

/* A new program: handlers are gone with the old one's code, what was ignored stays so. */
void signals_exec(struct process *process, struct task *task)
{
    mutex_lock(&tasklist_lock);
    for (int i = 0; i < _NSIG; i++) {
        u64 handler = process->sighand->action[i].sa_handler;
        process->sighand->action[i] =
            (struct sigaction){.sa_handler = handler == SIG_IGN ? SIG_IGN : SIG_DFL};
    }
    mutex_unlock(&tasklist_lock);
    task->altstack = (stack_t){.ss_flags = SS_DISABLE};
    task->restart.function = NULL;
}
