/* SPDX-License-Identifier: MIT */
/*
 * signalfd: reading takes signals that wait for the task that reads, or for its process. There is one
 * queue for all who wait so, which each signal that is noted wakes: what a descriptor has to tell
 * depends on who asks, and the queue must outlive the process that made the descriptor.
 */
#include "linux.h"

struct signalfd {
    sigset_t volatile mask;
};

static struct signalfd_siginfo tell(const siginfo_t *info)
{
    struct signalfd_siginfo to = {
        .ssi_signo = info->si_signo, .ssi_code = info->si_code, .ssi_errno = info->si_errno};

    if (info->si_code == SI_TIMER) {
        to.ssi_tid = info->si_timerid;
        to.ssi_overrun = info->si_overrun;
        to.ssi_ptr = info->si_value;
        to.ssi_int = info->si_value;
        return to;
    }
    to.ssi_pid = info->si_pid;
    to.ssi_uid = info->si_uid;
    if (info->si_signo == SIGCHLD && info->si_code > 0) {
        to.ssi_status = info->si_status;
        to.ssi_utime = info->si_utime;
        to.ssi_stime = info->si_stime;
    } else if (info->si_code < 0) {
        to.ssi_ptr = info->si_value;
        to.ssi_int = info->si_value;
    }
    return to;
}

static bool take(const struct signalfd *fd, siginfo_t *info)
{
    mutex_lock(&tasklist_lock);
    bool taken = take_signal(current_task(), fd->mask, info) != 0;
    mutex_unlock(&tasklist_lock);
    return taken;
}

/* The first signal is waited for. */
static long take_first(const struct file *file, siginfo_t *info)
{
    struct waiter waiter;

    while (!take(file->data, info)) {
        if (file->flags & O_NONBLOCK) {
            return -EAGAIN;
        }
        wait_begin(&waiter, &signals_noted, false);
        if (take(file->data, info)) {
            wait_leave(&waiter);
            return 0;
        }
        long error = wait_end(&waiter, FOREVER);
        if (error < 0) {
            return error;
        }
    }
    return 0;
}

static long signalfd_read(struct file *file, struct iobuf *to, u64 *pos)
{
    siginfo_t info;
    long done = 0;

    if (to->left < sizeof(struct signalfd_siginfo)) {
        return -EINVAL;
    }
    long error = take_first(file, &info);
    while (error == 0) {
        struct signalfd_siginfo told = tell(&info);
        if (iobuf_put(to, &told, sizeof(told)) != sizeof(told)) {
            error = -EFAULT;
            break;
        }
        done += sizeof(told);
        if (to->left < sizeof(told) || !take(file->data, &info)) {
            break;
        }
    }
    return done != 0 ? done : error;
}

static u32 signalfd_poll(struct file *file, struct poll_table *table)
{
    const struct signalfd *fd = file->data;
    const struct task *task = current_task();

    poll_wait(table, &signals_noted, POLLIN);
    return (task->pending.set | task->process->pending.set) & fd->mask ? POLLIN : 0;
}

static void signalfd_release(struct file *file)
{
    release(file->data);
}

static const struct file_operations signalfd_ops = {
    .release = signalfd_release,
    .read = signalfd_read,
    .poll = signalfd_poll,
    .stream = true,
    .asked_for_none = true,
};

static long new_signalfd(sigset_t mask, int flags)
{
    struct signalfd *fd = zalloc(sizeof(*fd));
    if (fd == NULL) {
        return -ENOMEM;
    }
    fd->mask = mask;
    return fd_anonymous("[signalfd]", &signalfd_ops, fd, flags | O_RDWR);
}

/* Another mask for one that is there. */
static long change(int number, sigset_t mask)
{
    struct file *file = fd_get_io(number);
    if (file == NULL) {
        return -EBADF;
    }
    bool fits = file->ops == &signalfd_ops;
    if (fits) {
        ((struct signalfd *)file->data)->mask = mask;
        wake_all(&signals_noted);
    }
    file_put(file);
    return fits ? number : -EINVAL;
}

long sys_signalfd4(int fd, const sigset_t __user *user_mask, size_t size, int flags)
{
    sigset_t mask;

    if (size != sizeof(mask)) {
        return -EINVAL;
    }
    if (copy_from_user(&mask, user_mask, sizeof(mask)) < 0) {
        return -EFAULT;
    }
    if (flags & ~(O_CLOEXEC | O_NONBLOCK)) {
        return -EINVAL;
    }
    mask &= ~(sigmask(SIGKILL) | sigmask(SIGSTOP));
    return fd == -1 ? new_signalfd(mask, flags) : change(fd, mask);
}

long sys_signalfd(int fd, const sigset_t __user *mask, size_t size)
{
    return sys_signalfd4(fd, mask, size, 0);
}
