/* SPDX-License-Identifier: MIT */
/*
 * Parents and children: how a process's end, stop or continuation is told, what its parent's wait finds, and
 * who inherits the children of those that end.
 *
 * There is no Linux process with id 1. Orphans go to the nearest ancestor that is a subreaper; where there is
 * none their parent's id is 1, and they are reaped at their end, as init would. So are programs that a native
 * process has started: that one waits for the kernel's process object, which has the status.
 *
 * All of it happens under tasklist_lock: a parent looks and joins its process's wait queue, and who changes a
 * child wakes the queue.
 */
#include "linux.h"

#include <ntapi.h>

/* ---- The end ---- */

/* Nobody waits for it any more: off all lists, onto the one of those whose reference is to be given back. */
static void unlist(struct process *process, PLIST_ENTRY gone)
{
    RemoveEntryList(&process->siblings);
    InitializeListHead(&process->siblings);
    process_unlink(process);
    process->parent = NULL;
    InsertTailList(gone, &process->links);
}

static bool ended_by_signal(const struct process *process)
{
    return (process->wait_status & 0x7f) != 0;
}

static int status_of(const struct process *process)
{
    return ended_by_signal(process) ? process->wait_status & 0x7f : process->wait_status >> 8;
}

void child_changed(struct process *process, int code, int status)
{
    struct process *parent = process->parent;
    bool ended = code != CLD_STOPPED && code != CLD_CONTINUED;

    if (code == CLD_STOPPED) { /* that it goes on has been noted when SIGCONT was sent */
        process->changed_code = code;
        process->changed_status = status;
    }
    if (parent == NULL) {
        return;
    }
    int sig = ended ? process->exit_signal : SIGCHLD;
    const struct sigaction *action = &parent->sighand->action[SIGCHLD - 1];
    bool silent = sig == SIGCHLD && (action->sa_handler == SIG_IGN ||
                                     (!ended && (action->sa_flags & SA_NOCLDSTOP)));
    if (sig != 0 && !silent) {
        const siginfo_t info = {
            .si_signo = sig, .si_code = code, .si_pid = process->pid, .si_uid = process->creds.uid[REAL], .si_status = status};
        send_signal_locked(parent, NULL, &info);
    }
    wake_all(&parent->child_wait);
}

/* Its parent does not want to know. */
static bool is_unwanted(const struct process *process)
{
    const struct process *parent = process->parent;
    const struct sigaction *action;

    if (parent == NULL) {
        return true;
    }
    action = &parent->sighand->action[SIGCHLD - 1];
    return process->exit_signal == SIGCHLD &&
           (action->sa_handler == SIG_IGN || (action->sa_flags & SA_NOCLDWAIT));
}

/* A zombie with its parent, or, when that does not want to know, gone. */
static void tell_end(struct process *process, PLIST_ENTRY gone)
{
    bool unwanted = is_unwanted(process);

    process->zombie = true;
    child_changed(process, ended_by_signal(process) ? CLD_KILLED : CLD_EXITED, status_of(process));
    if (unwanted) {
        unlist(process, gone);
    }
}

/* Who gets the children of a process that ends; NULL: nobody. */
static struct process *heir(const struct process *process)
{
    struct process *at = process->parent;
    while (at != NULL && (!at->subreaper || at->exited)) {
        at = at->parent;
    }
    return at;
}

static void give_away(struct process *child, struct process *to, PLIST_ENTRY gone)
{
    RemoveEntryList(&child->siblings);
    InitializeListHead(&child->siblings);
    child->parent = to;
    child->ppid = to != NULL ? to->pid : 1;
    child->exit_signal = SIGCHLD;
    if (to != NULL) {
        InsertTailList(&to->children, &child->siblings);
    }
    if (child->zombie) {
        tell_end(child, gone);
    }
}

void process_ended(struct process *process, PLIST_ENTRY gone)
{
    struct process *to = heir(process);

    while (!IsListEmpty(&process->children)) {
        give_away(CONTAINING_RECORD(process->children.Flink, struct process, siblings), to, gone);
    }
    tell_end(process, gone);
}

void processes_put(PLIST_ENTRY gone)
{
    while (!IsListEmpty(gone)) {
        process_put(CONTAINING_RECORD(RemoveHeadList(gone), struct process, links));
    }
}

/* ---- Waiting ---- */

/* What a wait looks for, and what it has found. */
struct wait {
    int type; /* P_* */
    s32 id;
    u32 options;
    s32 pid; /* of the child; 0: none */
    u32 uid;
    int code, status; /* CLD_*; exit code or signal */
    s32 wait_status;
    struct cpu_time time;
    u64 maxrss;
};

static bool is_meant(const struct wait *wait, const struct process *child)
{
    bool clone = child->exit_signal != SIGCHLD;

    if ((wait->type == P_PID && child->pid != wait->id) || (wait->type == P_PGID && child->pgid != wait->id)) {
        return false;
    }
    if ((wait->options & __WNOTHREAD) && child->parent_tid != current_task()->tid) {
        return false;
    }
    return (wait->options & __WALL) || clone == ((wait->options & __WCLONE) != 0);
}

static void found(struct wait *wait, const struct process *child, int code, int status)
{
    wait->pid = child->pid;
    wait->uid = child->creds.uid[REAL];
    wait->code = code;
    wait->status = status;
    wait->time = process_time(child);
    wait->time.cycles += child->children_time.cycles;
    wait->time.user += child->children_time.user;
    wait->maxrss = child->maxrss > child->children_maxrss ? child->maxrss : child->children_maxrss;
}

/* A zombie: it goes, unless the caller only looks. */
static void take_end(struct wait *wait, struct process *child, PLIST_ENTRY gone)
{
    struct process *self = current_process();

    found(wait, child, ended_by_signal(child) ? CLD_KILLED : CLD_EXITED, status_of(child));
    wait->wait_status = child->wait_status;
    if (!(wait->options & WNOWAIT)) {
        self->children_time.cycles += wait->time.cycles;
        self->children_time.user += wait->time.user;
        self->children_maxrss = wait->maxrss > self->children_maxrss ? wait->maxrss : self->children_maxrss;
        unlist(child, gone);
    }
}

static void take_change(struct wait *wait, struct process *child)
{
    found(wait, child, child->changed_code, child->changed_status);
    wait->wait_status = child->changed_code == CLD_STOPPED ? child->changed_status << 8 | 0x7f : 0xffff;
    if (!(wait->options & WNOWAIT)) {
        child->changed_code = 0;
    }
}

static bool take(struct wait *wait, struct process *child, PLIST_ENTRY gone)
{
    if (child->zombie) {
        take_end(wait, child, gone);
    } else if ((child->changed_code == CLD_STOPPED && (wait->options & WUNTRACED)) ||
               (child->changed_code == CLD_CONTINUED && (wait->options & WCONTINUED))) {
        take_change(wait, child);
    }
    return wait->pid != 0;
}

/* Is there something to tell? 1: yes; 0: not yet; -ECHILD: there never will be. */
static long look(struct wait *wait, PLIST_ENTRY gone)
{
    struct process *self = current_process();
    long result = -ECHILD;

    for (PLIST_ENTRY at = self->children.Flink; at != &self->children; at = at->Flink) {
        struct process *child = CONTAINING_RECORD(at, struct process, siblings);
        if (is_meant(wait, child) && (!child->zombie || (wait->options & WEXITED))) {
            result = 0;
            if (take(wait, child, gone)) {
                return 1;
            }
        }
    }
    return result;
}

/* The same, and when there is nothing the waiter, if any, stands in the queue. */
static long look_once(struct wait *wait, struct waiter *waiter)
{
    LIST_ENTRY gone;

    InitializeListHead(&gone);
    mutex_lock(&tasklist_lock);
    long result = look(wait, &gone);
    if (result == 0 && waiter != NULL) {
        wait_begin(waiter, &current_process()->child_wait, false);
    }
    mutex_unlock(&tasklist_lock);
    processes_put(&gone);
    return result;
}

/* 0: wait->pid says whether somebody was found. What comes together with a signal is told all the same. */
static long do_wait(struct wait *wait)
{
    struct waiter waiter;
    bool waits = !(wait->options & WNOHANG);
    long error = 0;
    long result = look_once(wait, waits ? &waiter : NULL);

    while (result == 0 && waits && error == 0) {
        error = wait_end(&waiter, FOREVER);
        result = look_once(wait, error == 0 ? &waiter : NULL);
    }
    return result < 0 ? result : result > 0 ? 0 : error;
}

static long put_usage(const struct wait *wait, struct rusage __user *to)
{
    struct rusage usage = usage_of(wait->time, wait->maxrss);
    return to == NULL || wait->pid == 0 ? 0 : copy_to_user(to, &usage, sizeof(usage));
}

/* wait4's way to say whom it means. */
static void choose(struct wait *wait, s32 pid)
{
    wait->type = pid == -1 ? P_ALL : pid > 0 ? P_PID : P_PGID;
    wait->id = pid >= 0 ? pid : -pid;
    if (wait->type == P_PGID && wait->id == 0) {
        wait->id = current_process()->pgid;
    }
}

long sys_wait4(s32 pid, s32 __user *status, int options, struct rusage __user *usage)
{
    const u32 known = WNOHANG | WUNTRACED | WCONTINUED | __WNOTHREAD | __WALL | __WCLONE;
    struct wait wait = {.options = (u32)options | WEXITED};

    if ((u32)options & ~known) {
        return -EINVAL;
    }
    if (pid == (s32)0x80000000) {
        return -ESRCH;
    }
    choose(&wait, pid);
    long error = do_wait(&wait);
    if (error < 0) {
        return error;
    }
    if (wait.pid != 0 && status != NULL &&
        copy_to_user(status, &wait.wait_status, sizeof(wait.wait_status)) < 0) {
        return -EFAULT;
    }
    return put_usage(&wait, usage) < 0 ? -EFAULT : wait.pid;
}

/* Six fields, all zero when nobody was found; what lies between and behind them is the caller's. */
static long put_info(const struct wait *wait, siginfo_t __user *to)
{
    const siginfo_t info = {
        .si_signo = wait->pid != 0 ? SIGCHLD : 0,
        .si_code = wait->code,
        .si_pid = wait->pid,
        .si_uid = wait->uid,
        .si_status = wait->status,
    };
    const size_t first = offsetof(siginfo_t, __pad), second = offsetof(siginfo_t, si_pid);
    const size_t end = offsetof(siginfo_t, si_status) + sizeof(info.si_status);

    return copy_to_user(to, &info, first) < 0
               ? -EFAULT
               : copy_to_user((char __user *)to + second, (const char *)&info + second, end - second);
}

static long check_waitid(struct wait *wait)
{
    const u32 known = WNOHANG | WNOWAIT | WEXITED | WUNTRACED | WCONTINUED | __WNOTHREAD | __WALL | __WCLONE;

    if ((wait->options & ~known) || !(wait->options & (WEXITED | WUNTRACED | WCONTINUED))) {
        return -EINVAL;
    }
    switch (wait->type) {
    case P_ALL:
        return 0;
    case P_PID:
        return wait->id > 0 ? 0 : -EINVAL;
    case P_PGID:
        if (wait->id == 0) {
            wait->id = current_process()->pgid;
        }
        return wait->id > 0 ? 0 : -EINVAL;
    default: /* P_PIDFD: there are no descriptors of processes */
        return -EINVAL;
    }
}

long sys_waitid(int type, s32 id, siginfo_t __user *info, int options, struct rusage __user *usage)
{
    struct wait wait = {.type = type, .id = id, .options = options};

    long error = check_waitid(&wait);
    if (error == 0) {
        error = do_wait(&wait);
    }
    if (error < 0) {
        return error;
    }
    if (put_usage(&wait, usage) < 0) {
        return -EFAULT;
    }
    return info == NULL ? 0 : put_info(&wait, info);
}
