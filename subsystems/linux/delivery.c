/* SPDX-License-Identifier: MIT */
/*
 * What becomes of signals, on the way to user mode: default actions, stopping, handlers; and the signals that
 * a task's own faults are, which are acted upon at once.
 *
 * Stopping is for whole processes: each task stops on its way to user mode, in stop_here, and the last one to
 * do so tells the parent. SIGCONT takes that back as soon as it is sent (signal.c).
 */
#include "linux.h"

/* ---- Stopping ---- */

/* One task less that has still to stop. */
static void count_stop(struct process *process)
{
    if (--process->stops_left == 0) {
        process->stop_state = STOPPED;
        child_changed(process, CLD_STOPPED, process->stop_signal);
    }
}

static void begin_stop(struct process *process, int sig)
{
    process->stop_state = STOP_BEGUN;
    process->stop_signal = sig;
    process->stops_left = 0;
    KeClearEvent(&process->continued);
    for (PLIST_ENTRY at = process->tasks.Flink; at != &process->tasks; at = at->Flink) {
        struct task *task = CONTAINING_RECORD(at, struct task, links);
        task->stop_wanted = true;
        process->stops_left++;
        wake_task(task);
    }
}

/* Waits while the process is stopped; with tasklist_lock, but not in the wait. False: the task is to end. */
static bool stop_here(struct task *task)
{
    struct process *process = task->process;

    while (process->stop_state != NOT_STOPPED) {
        if (is_dying()) {
            return false;
        }
        if (task->stop_wanted) {
            task->stop_wanted = false;
            count_stop(process);
        }
        mutex_unlock(&tasklist_lock);
        KeWaitForSingleObject(&process->continued, UserRequest, UserMode, FALSE, NULL);
        mutex_lock(&tasklist_lock);
    }
    if (process->tell_continued) { /* the first one to go on does */
        process->tell_continued = false;
        child_changed(process, CLD_CONTINUED, SIGCONT);
    }
    return true;
}

void signals_new_task(struct task *task)
{
    if (task->process->stop_state == STOP_BEGUN) {
        task->stop_wanted = true;
        task->process->stops_left++;
    }
    kernel.RequestReturnToUser(task->thread, FALSE); /* a signal may have come when nobody could take it */
}

void signals_task_exit(struct task *task)
{
    if (task->stop_wanted) {
        task->stop_wanted = false;
        count_stop(task->process);
    }
    pass_on_signals(task, ~0UL);
}

/* ---- Taking signals, on the way to user mode ---- */

/* tasklist_lock is held. */
static void act_by_default(struct task *task, int sig)
{
    struct process *process = task->process;

    if (sigmask(sig) & STOPPING) {
        if (sig == SIGSTOP || !is_orphaned_group(process->pgid)) {
            begin_stop(process, sig);
        }
    } else if (!(sigmask(sig) & IGNORED_BY_DEFAULT)) {
        process_exit_signal(process, sig);
    }
}

/* From here on the handler's mask counts. Answers the one before, which its frame keeps. */
static inline sigset_t enter_handler(struct task *task, struct sigaction *action, int sig)
{
    sigset_t blocked = task->blocked, before = task->restore_mask ? task->saved_mask : blocked;
    sigset_t added = (action->sa_mask | (action->sa_flags & SA_NODEFER ? 0 : sigmask(sig))) & ~blocked;

    task->restore_mask = false;
    task->blocked = blocked | added;
    MemoryBarrier();
    if (task->process->pending.set & added) {
        pass_on_signals(task, added);
    }
    if (action->sa_flags & SA_RESETHAND) {
        action->sa_handler = SIG_DFL;
    }
    return before;
}

/* A signal that has been taken. */
struct delivery {
    siginfo_t info;
    struct sigaction action; /* of its handler; SIG_DFL: that has been done */
    sigset_t mask;           /* of the frame */
};

/* Takes the next signal that is not ignored; false: there is none. Under one hold of the lock: SIGCONT comes
   before a stopping signal is taken, or after the stop has begun. */
static bool next_delivery(struct task *task, struct delivery *next)
{
    struct sigaction *action;
    int sig;

    mutex_lock(&tasklist_lock);
    do {
        sig = stop_here(task) ? take_signal(task, ~task->blocked, &next->info) : 0;
        if (sig == 0) {
            mutex_unlock(&tasklist_lock);
            return false;
        }
        action = &task->process->sighand->action[(u32)sig - 1];
    } while (action->sa_handler == SIG_IGN);
    next->action = *action;
    if (action->sa_handler == SIG_DFL) {
        act_by_default(task, sig);
    } else {
        next->mask = enter_handler(task, action, sig);
    }
    mutex_unlock(&tasklist_lock);
    return true;
}

/* A call that may be restarted returned so. */
static bool wants_restart(const KTRAP_FRAME *frame)
{
    s64 result = (s64)frame->Rax;
    return result < 0 && (result == -ERESTARTSYS || result == -ERESTARTNOHAND || result == -ERESTART_RESTARTBLOCK) &&
           frame->Vector == KTRAP_SYSTEM_CALL && (u32)frame->ErrorCode != NR_rt_sigreturn;
}

/* A call that a signal has broken off starts again: the SYSCALL instruction has two bytes. */
static void restart_call(KTRAP_FRAME *frame)
{
    frame->Rax = frame->Rax == (u64)-ERESTART_RESTARTBLOCK ? NR_restart_syscall : frame->ErrorCode;
    frame->Rip -= 2;
}

static void finish_call(KTRAP_FRAME *frame, const struct sigaction *action)
{
    if (frame->Rax == (u64)-ERESTARTSYS && (action->sa_flags & SA_RESTART)) {
        restart_call(frame);
    } else {
        frame->Rax = (u64)-EINTR;
    }
}

/* Runs a handler. A frame that finds no room is a fault of its own. */
static inline void deliver(struct task *task, const struct delivery *delivery, KTRAP_FRAME *frame)
{
    if (build_frame(task, &delivery->action, &delivery->info, delivery->mask, frame) == 0) {
        return;
    }
    if (delivery->info.si_signo == SIGSEGV) {
        process_exit_signal(task->process, SIGSEGV);
    } else {
        force_signal(SIGSEGV, SI_KERNEL, 0, frame);
    }
}

void linux_return_to_user(KTRAP_FRAME *frame)
{
    struct task *task = current_task();
    struct delivery next;
    bool restart = wants_restart(frame); /* until the first handler decides it */

    while ((signal_pending(task) || task->process->stop_state != NOT_STOPPED) && next_delivery(task, &next)) {
        if (tracing) {
            trace_signal(task, &next.info);
        }
        if (next.action.sa_handler != SIG_DFL) {
            if (restart) {
                finish_call(frame, &next.action);
                restart = false;
            }
            deliver(task, &next, frame);
        } else if (is_dying()) {
            break; /* what else waits is not for this task */
        }
    }
    if (restart) {
        restart_call(frame);
    }
    if (task->restore_mask) {
        task->restore_mask = false;
        set_blocked(task, task->saved_mask);
    }
}

/* ---- Faults, and what a call does to its caller ---- */

static void die_of(struct task *task, int sig, u64 address, const KTRAP_FRAME *frame)
{
    DbgPrint("linux: process %d (%s): signal %d at %p, address %p\n", task->process->pid, task->process->comm,
             sig, (PVOID)frame->Rip, (PVOID)address);
    process_exit_signal(task->process, sig);
}

void force_signal(int sig, int code, u64 address, KTRAP_FRAME *frame)
{
    struct task *task = current_task();
    struct delivery fault = {.info = {.si_signo = sig, .si_code = code, .si_addr = address}};

    mutex_lock(&tasklist_lock);
    struct sigaction *action = &task->process->sighand->action[sig - 1];
    bool dies = (task->blocked & sigmask(sig)) || action->sa_handler == SIG_DFL || action->sa_handler == SIG_IGN;
    if (!dies) {
        fault.action = *action;
        fault.mask = enter_handler(task, action, sig);
    }
    mutex_unlock(&tasklist_lock);
    trace_signal(task, &fault.info);
    if (dies) {
        die_of(task, sig, address, frame);
    } else {
        deliver(task, &fault, frame);
    }
}
