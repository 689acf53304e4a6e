/* SPDX-License-Identifier: MIT */
/*
 * poll and select. Files are asked again every few milliseconds: the contract tells whether the console has
 * input, but not yet when that changes.
 */
#include "linux.h"

#define ROUND_NS 5000000UL /* between two looks */
#define FOREVER  (~0UL)

/* What of events is there at the descriptor now; errors are always told. */
static u32 look(int fd, u32 events)
{
    if (fd < 0) {
        return 0;
    }
    struct file *file = fd_get_io(fd);
    if (file == NULL) {
        return POLLNVAL;
    }
    u32 ready = POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM;
    if (file->ops != NULL && file->ops->poll != NULL) {
        ready = file->ops->poll(file);
    }
    file_put(file);
    return ready & (events | POLLERR | POLLHUP);
}

/* Waits for the next round. false: the time is over (*error 0) or a signal came. */
static bool next_round(u64 deadline, long *error)
{
    u64 now = deadline == 0 ? 0 : monotonic_ns();

    if (now < deadline) {
        *error = sleep_ns(min(ROUND_NS, deadline - now));
        return *error == 0;
    }
    *error = signal_pending(current_task()) ? -EINTR : 0;
    return false;
}

/* ns from now on as a point in time; 0 for "do not wait". */
static u64 deadline_of(u64 ns)
{
    u64 now = monotonic_ns();
    return ns == 0 ? 0 : ns > FOREVER - now ? FOREVER : now + ns;
}

/* What is left until then. */
static u64 left_until(u64 deadline)
{
    u64 now = monotonic_ns();
    return deadline > now ? deadline - now : 0;
}

/* ---- poll ---- */

static u32 poll_once(struct pollfd *fds, u32 count)
{
    u32 found = 0;
    for (u32 i = 0; i < count; i++) {
        fds[i].revents = look(fds[i].fd, fds[i].events);
        found += fds[i].revents != 0;
    }
    return found;
}

static long poll(struct pollfd __user *user_fds, u32 count, u64 deadline)
{
    long error = 0;
    u32 found;

    if (count > min(current_process()->rlimits[RLIMIT_NOFILE].rlim_cur, NR_OPEN)) {
        return -EINVAL;
    }
    struct pollfd *fds = zalloc(count * sizeof(*fds) + 1);
    if (fds == NULL) {
        return -ENOMEM;
    }
    if (copy_from_user(fds, user_fds, count * sizeof(*fds)) < 0) {
        release(fds);
        return -EFAULT;
    }
    do {
        found = poll_once(fds, count);
    } while (found == 0 && next_round(deadline, &error));
    if (error == 0 && copy_to_user(user_fds, fds, count * sizeof(*fds)) < 0) {
        error = -EFAULT;
    }
    release(fds);
    return error < 0 ? error : (long)found;
}

long sys_poll(struct pollfd __user *fds, u32 count, int timeout)
{
    return poll(fds, count, timeout < 0 ? FOREVER : deadline_of(timeout * 1000000UL));
}

/* With a timespec as time-out (where what is left of it is told afterwards, if it can be written) and with
   another signal mask. */
struct timed_call {
    struct timespec __user *timeout;
    u64 deadline;
};

static long begin_timed(struct timed_call *call, struct timespec __user *timeout, const sigset_t __user *mask,
                        size_t mask_size)
{
    u64 ns;
    long error = 0;

    *call = (struct timed_call){.timeout = timeout, .deadline = FOREVER};
    if (timeout != NULL) {
        error = get_timespec(timeout, &ns);
        call->deadline = error == 0 ? deadline_of(ns) : 0;
    }
    return error == 0 && mask != NULL ? use_mask(mask, mask_size) : error;
}

static long end_timed(const struct timed_call *call, long result)
{
    if (call->timeout != NULL && call->deadline != 0) {
        put_timespec(call->timeout, left_until(call->deadline));
    }
    return end_mask(result);
}

long sys_ppoll(struct pollfd __user *fds, u32 count, struct timespec __user *timeout,
               const sigset_t __user *mask, size_t size)
{
    struct timed_call call;
    long error = begin_timed(&call, timeout, mask, size);
    return error < 0 ? error : end_timed(&call, poll(fds, count, call.deadline));
}

/* ---- select ---- */

struct fd_sets {
    u64 in[FD_SETSIZE / 64], out[FD_SETSIZE / 64], except[FD_SETSIZE / 64];
};

static size_t set_bytes(int n)
{
    return (n + 63) / 64 * sizeof(u64);
}

static long get_set(u64 *set, const u64 __user *from, int n)
{
    return from == NULL ? 0 : copy_from_user(set, from, set_bytes(n));
}

static long put_set(u64 __user *to, const u64 *set, int n)
{
    return to == NULL ? 0 : copy_to_user(to, set, set_bytes(n));
}

/* Fills found for descriptor fd; the number of bits set, or -EBADF. */
static long select_one(const struct fd_sets *wanted, struct fd_sets *found, int fd)
{
    u64 bit = 1UL << (fd % 64);
    int word = fd / 64;

    if (!((wanted->in[word] | wanted->out[word] | wanted->except[word]) & bit)) {
        return 0;
    }
    u32 ready = look(fd, POLLIN | POLLOUT);
    if (ready & POLLNVAL) {
        return -EBADF;
    }
    found->in[word] |= ready & (POLLIN | POLLHUP | POLLERR) ? wanted->in[word] & bit : 0;
    found->out[word] |= ready & (POLLOUT | POLLERR) ? wanted->out[word] & bit : 0;
    return ((found->in[word] & bit) != 0) + ((found->out[word] & bit) != 0);
}

static long select_once(const struct fd_sets *wanted, struct fd_sets *found, int n)
{
    long count = 0;
    memset(found, 0, sizeof(*found));
    for (int fd = 0; fd < n; fd++) {
        long bits = select_one(wanted, found, fd);
        if (bits < 0) {
            return bits;
        }
        count += bits;
    }
    return count;
}

static long select(int n, u64 __user *in, u64 __user *out, u64 __user *except, u64 deadline)
{
    struct fd_sets wanted = {0}, found;
    long error = 0, count;

    if (n < 0) {
        return -EINVAL;
    }
    n = min(n, FD_SETSIZE);
    if (get_set(wanted.in, in, n) < 0 || get_set(wanted.out, out, n) < 0 ||
        get_set(wanted.except, except, n) < 0) {
        return -EFAULT;
    }
    do {
        count = select_once(&wanted, &found, n);
    } while (count == 0 && next_round(deadline, &error));
    if (count < 0 || error < 0) {
        return count < 0 ? count : error;
    }
    if (put_set(in, found.in, n) < 0 || put_set(out, found.out, n) < 0 ||
        put_set(except, found.except, n) < 0) {
        return -EFAULT;
    }
    return count;
}

/* More microseconds than a second has are fine. */
static long get_timeval(const struct timeval __user *from, u64 *ns)
{
    struct timeval tv;
    if (copy_from_user(&tv, from, sizeof(tv)) < 0) {
        return -EFAULT;
    }
    if (tv.tv_sec < 0 || tv.tv_usec < 0) {
        return -EINVAL;
    }
    u64 seconds = (u64)tv.tv_sec + tv.tv_usec / 1000000;
    *ns = seconds > FOREVER / 2000000000UL ? FOREVER : seconds * 1000000000UL + tv.tv_usec % 1000000 * 1000UL;
    return 0;
}

long sys_select(int n, u64 __user *in, u64 __user *out, u64 __user *except, struct timeval __user *timeout)
{
    u64 ns;

    if (timeout == NULL) {
        return select(n, in, out, except, FOREVER);
    }
    long result = get_timeval(timeout, &ns);
    if (result < 0) {
        return result;
    }
    u64 deadline = deadline_of(ns);
    result = select(n, in, out, except, deadline);
    if (deadline != 0) {
        u64 left = left_until(deadline) / 1000;
        struct timeval tv = {left / 1000000, left % 1000000};
        copy_to_user(timeout, &tv, sizeof(tv));
    }
    return result;
}

/* The last argument leads to two words: the mask's address and its size. */
long sys_pselect6(int n, u64 __user *in, u64 __user *out, u64 __user *except, struct timespec __user *timeout,
                  const u64 __user *mask)
{
    struct timed_call call;
    u64 words[2] = {0};

    if (mask != NULL && copy_from_user(words, mask, sizeof(words)) < 0) {
        return -EFAULT;
    }
    long error = begin_timed(&call, timeout, (const sigset_t __user *)words[0], words[1]);
    return error < 0 ? error : end_timed(&call, select(n, in, out, except, call.deadline));
}
