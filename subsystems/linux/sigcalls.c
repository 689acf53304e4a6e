/* SPDX-License-Identifier: MIT */
/* The calls that send signals, wait for them, and say what is to become of them. signal.c does the work. */
#include "linux.h"

/* ---- Sending ---- */

static bool is_signal(int sig)
{
    return sig >= 0 && sig <= _NSIG;
}

static siginfo_t sent_by(const struct process *self, int sig, int code)
{
    siginfo_t info; /* member by member, which is shorter than to clear it first */
    info.si_signo = sig, info.si_errno = 0, info.si_code = code, info.__pad = 0;
    info.si_pid = self->pid, info.si_uid = self->creds.uid[REAL];
    info.si_value = 0, info.si_utime = info.si_stime = 0;
    return info;
}

/* Who may not signal all may signal his own processes, and continue those of his session. tasklist_lock is
   held. */
static bool may_signal(const struct process *self, const struct process *process, int sig)
{
    const u32 *ids = process->creds.uid;
    u32 real = self->creds.uid[REAL], effective = self->creds.uid[EFFECTIVE];

    return (self->creds.effective >> CAP_KILL & 1) != 0 || real == ids[REAL] || real == ids[SAVED] ||
           effective == ids[REAL] || effective == ids[SAVED] || (sig == SIGCONT && process->sid == self->sid);
}

/* Signal 0 only asks whether the receiver is there. */
static inline long send(const struct process *self, struct process *process, struct task *task, const siginfo_t *info)
{
    if (!is_signal(info->si_signo)) {
        return -EINVAL;
    }
    if (process != self && !may_signal(self, process, info->si_signo)) {
        return -EPERM;
    }
    return info->si_signo == 0 ? 0 : send_signal_locked(process, task, info);
}

/* To a group, or to all but the caller: those that it may signal. tasklist_lock is held. */
static NOINLINE long send_to_many(const struct process *self, s32 pid, const siginfo_t *info)
{
    s32 pgid = pid == 0 ? self->pgid : (s32)-(s64)pid;
    long error = -ESRCH;

    if (pid == (s32)0x80000000) {
        return -ESRCH;
    }
    for (PLIST_ENTRY at = processes.Flink, next; at != &processes; at = next) {
        struct process *process = CONTAINING_RECORD(at, struct process, links);
        next = at->Flink;
        if (pid == -1 ? process != self && process->pid != 1 : process->pgid == pgid) {
            long sent = send(self, process, NULL, info);
            error = error == 0 ? 0 : sent;
            if (sent == 0) {
                signal_missed(process, info->si_signo);
            }
        }
    }
    return error;
}

long sys_kill(s32 pid, int sig)
{
    struct process *self = current_process();
    siginfo_t info = sent_by(self, sig, SI_USER);

    mutex_lock(&tasklist_lock);
    struct process *process = pid == self->pid ? self : pid > 0 ? process_find(pid) : NULL;
    long error = process != NULL ? send(self, process, NULL, &info) : pid > 0 ? -ESRCH : send_to_many(self, pid, &info);
    mutex_unlock(&tasklist_lock);
    return error;
}

static long send_to_task(s32 pid, s32 tid, const siginfo_t *info)
{
    struct task *self = current_task();

    if (tid <= 0 || (pid <= 0 && pid != -1)) {
        return -EINVAL;
    }
    mutex_lock(&tasklist_lock);
    bool is_self = tid == self->tid && (pid == -1 || pid == self->process->pid);
    struct task *task = is_self ? self : task_find(pid, tid);
    long error = task != NULL ? send(self->process, task->process, task, info) : -ESRCH;
    mutex_unlock(&tasklist_lock);
    return error;
}

long sys_tgkill(s32 pid, s32 tid, int sig)
{
    siginfo_t info = sent_by(current_process(), sig, SI_TKILL);
    return pid <= 0 ? -EINVAL : send_to_task(pid, tid, &info);
}

long sys_tkill(s32 tid, int sig)
{
    siginfo_t info = sent_by(current_process(), sig, SI_TKILL);
    return send_to_task(-1, tid, &info);
}

/* What a program tells of a signal of its own. Only to itself may it pretend that others sent it. */
static long get_info(siginfo_t *info, const siginfo_t __user *from, int sig, bool to_self)
{
    if (copy_from_user(info, from, sizeof(*info)) < 0) {
        return -EFAULT;
    }
    info->si_signo = sig;
    return (info->si_code >= 0 || info->si_code == SI_TKILL) && !to_self ? -EPERM : 0;
}

long sys_rt_sigqueueinfo(s32 pid, int sig, const siginfo_t __user *from)
{
    siginfo_t info;
    long error = get_info(&info, from, sig, pid == current_process()->pid);

    if (error < 0) {
        return error;
    }
    mutex_lock(&tasklist_lock);
    struct process *process = pid > 0 ? process_find(pid) : NULL;
    error = process != NULL ? send(current_process(), process, NULL, &info) : -ESRCH;
    mutex_unlock(&tasklist_lock);
    return error;
}

long sys_rt_tgsigqueueinfo(s32 pid, s32 tid, int sig, const siginfo_t __user *from)
{
    siginfo_t info;
    long error = get_info(&info, from, sig, pid == current_process()->pid);

    if (error == 0 && (pid <= 0 || tid <= 0)) {
        error = -EINVAL;
    }
    return error < 0 ? error : send_to_task(pid, tid, &info);
}

/* ---- Returning from a handler ---- */

long sys_rt_sigreturn(void)
{
    struct task *task = current_task();
    KTRAP_FRAME *regs = kernel.CurrentRegisters(); /* nobody needs what stands there now */
    sigset_t mask;

    task->restart.function = NULL;
    if (restore_frame(task, regs, &mask) < 0) {
        regs->Rax = 0;
        force_signal(SIGSEGV, SI_KERNEL, 0, regs);
    } else {
        kernel.SetRegisters(task->thread, regs);
        set_blocked(task, mask);
    }
    return regs->Rax;
}

long sys_restart_syscall(void)
{
    struct restart *restart = &current_task()->restart;
    return restart->function != NULL ? restart->function(restart) : -EINTR;
}

/* ---- Dispositions and masks ---- */

long sys_rt_sigaction(int sig, const struct sigaction __user *act, struct sigaction __user *old, size_t size)
{
    struct sigaction new, before;

    if (size != sizeof(sigset_t)) {
        return -EINVAL;
    }
    if (act != NULL && copy_from_user(&new, act, sizeof(new)) < 0) {
        return -EFAULT;
    }
    if (sig < 1 || sig > _NSIG || (act != NULL && (sig == SIGKILL || sig == SIGSTOP))) {
        return -EINVAL;
    }
    set_action(current_process(), sig, act != NULL ? &new : NULL, &before);
    return old != NULL ? copy_to_user(old, &before, sizeof(before)) : 0;
}

static long change_mask(struct task *task, int how, sigset_t set)
{
    switch (how) {
    case SIG_BLOCK:
        set_blocked(task, task->blocked | set);
        return 0;
    case SIG_UNBLOCK:
        set_blocked(task, task->blocked & ~set);
        return 0;
    case SIG_SETMASK:
        set_blocked(task, set);
        return 0;
    default:
        return -EINVAL;
    }
}

long sys_rt_sigprocmask(int how, const sigset_t __user *set, sigset_t __user *old, size_t size)
{
    struct task *task = current_task();
    sigset_t before = task->blocked, new;

    if (size != sizeof(sigset_t)) {
        return -EINVAL;
    }
    if (set != NULL) {
        if (copy_from_user(&new, set, sizeof(new)) < 0) {
            return -EFAULT;
        }
        long error = change_mask(task, how, new);
        if (error < 0) {
            return error;
        }
    }
    return old != NULL ? copy_to_user(old, &before, sizeof(before)) : 0;
}

long sys_rt_sigpending(sigset_t __user *set, size_t size)
{
    struct task *task = current_task();
    sigset_t pending = (task->pending.set | task->process->pending.set) & task->blocked;

    return size > sizeof(sigset_t) ? -EINVAL : copy_to_user(set, &pending, size);
}

long sys_sigaltstack(const stack_t __user *stack, stack_t __user *old)
{
    struct task *task = current_task();
    stack_t before = task->altstack, new;
    u64 sp = kernel.CurrentRegisters()->Rsp;

    before.ss_flags &= SS_AUTODISARM;
    before.ss_flags |= before.ss_size == 0 ? SS_DISABLE : is_on_altstack(task, sp) ? SS_ONSTACK : 0;
    if (stack != NULL) {
        if (copy_from_user(&new, stack, sizeof(new)) < 0) {
            return -EFAULT;
        }
        long error = set_altstack(task, &new, sp);
        if (error < 0) {
            return error;
        }
    }
    return old != NULL ? copy_to_user(old, &before, sizeof(before)) : 0;
}

/* ---- Waiting ---- */

/* Whatever comes runs a handler, or stops the process, and then it goes on. */
static long wait_for_signal(void)
{
    wait_until(FOREVER);
    return -ERESTARTNOHAND;
}

long sys_pause(void)
{
    return wait_for_signal();
}

long sys_rt_sigsuspend(const sigset_t __user *set, size_t size)
{
    long error = use_mask(set, size);
    return error < 0 ? error : wait_for_signal();
}

/* Takes one of these that waits, or another answer's turn has come: then nothing is waited for any more. */
static long take_waited(struct task *task, sigset_t set, sigset_t blocked, siginfo_t *info, long error)
{
    mutex_lock(&tasklist_lock);
    int sig = take_signal(task, set, info);
    if (sig != 0 || error < 0) {
        task->waited = 0;
        task->blocked = blocked;
        MemoryBarrier();
        pass_on_signals(task, set & blocked);
    }
    mutex_unlock(&tasklist_lock);
    return sig != 0 ? sig : error;
}

/* While it waits these are not blocked, so that senders wake it, though they are taken here. */
static long wait_for_these(struct task *task, sigset_t set, siginfo_t *info, u64 deadline)
{
    sigset_t blocked = task->blocked;
    long result = 0;

    task->waited = blocked & set;
    task->blocked = blocked & ~set;
    MemoryBarrier();
    for (;;) {
        result = take_waited(task, set, blocked, info, result);
        if (result != 0) {
            return result;
        }
        long error = wait_until(deadline);
        result = error == -ETIMEDOUT ? -EAGAIN : signal_pending(task) || is_dying() ? -EINTR : 0;
    }
}

static long put_info(siginfo_t __user *to, const siginfo_t *info)
{
    long error = copy_to_user(to, info, sizeof(*info));
    return error < 0 ? error : clear_user((u8 __user *)to + sizeof(*info), SI_MAX_SIZE - sizeof(*info));
}

long sys_rt_sigtimedwait(const sigset_t __user *from, siginfo_t __user *to, const struct timespec __user *timeout,
                         size_t size)
{
    u64 ns = 0;
    sigset_t set;
    siginfo_t info;

    if (size != sizeof(set)) {
        return -EINVAL;
    }
    if (copy_from_user(&set, from, sizeof(set)) < 0) {
        return -EFAULT;
    }
    long error = timeout != NULL ? get_timespec(timeout, &ns) : 0;
    if (error < 0) {
        return error;
    }
    u64 deadline = timeout == NULL ? FOREVER : ns == 0 ? 0 : monotonic_ns() + ns;
    set &= ~(sigmask(SIGKILL) | sigmask(SIGSTOP));
    long sig = wait_for_these(current_task(), set, &info, deadline);
    if (sig > 0 && to != NULL && put_info(to, &info) < 0) {
        return -EFAULT;
    }
    return sig;
}
