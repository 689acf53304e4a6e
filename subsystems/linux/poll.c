/* SPDX-License-Identifier: MIT */
/*
 * poll and select. The first round over the files puts the task on the queues of each, until something is
 * found; every later one only looks. The task stays on all queues until the call ends.
 */
#include "linux.h"

/* ---- One wait for several files ---- */

#define POLL_PLACES 16 /* allocated at a time; the first ones stand on the stack */

/* A place in one queue. Its file cannot go meanwhile: another task may close the descriptor. */
struct poll_place {
    struct waiter waiter;
    struct file *file;
    bool volatile *woken;
};

struct poll_places {
    struct poll_places *next;
    u32 count;
    struct poll_place place[POLL_PLACES];
};

struct poll_wait {
    struct poll_table table;
    struct poll_places first,
        *places;         /* places: the one that is being filled; first is the last of the list */
    bool done;           /* no more places: something was found, or all files have been asked */
    bool volatile woken; /* by any of the queues */
    long error;
};

/* Under the queue's lock, without which nobody leaves the queue: the task is there. */
static bool notify(struct waiter *waiter)
{
    __atomic_store_n(CONTAINING_RECORD(waiter, struct poll_place, waiter)->woken, true, __ATOMIC_RELEASE);
    KeSetEvent(&waiter->task->event, IO_NO_INCREMENT, FALSE);
    return true;
}

static struct poll_place *new_place(struct poll_wait *wait)
{
    if (wait->places->count == POLL_PLACES) {
        struct poll_places *more = zalloc(sizeof(*more));
        if (more == NULL) {
            return NULL;
        }
        more->next = wait->places;
        wait->places = more;
    }
    return &wait->places->place[wait->places->count++];
}

static void add_place(struct poll_table *table, struct wait_queue *queue)
{
    struct poll_wait *wait = CONTAINING_RECORD(table, struct poll_wait, table);
    struct poll_place *place = new_place(wait);

    if (place == NULL) {
        wait->error = -ENOMEM;
        return;
    }
    InterlockedIncrement(&table->file->refs);
    place->waiter = (struct waiter){.queue = queue, .task = current_task(), .notify = notify};
    place->file = table->file;
    place->woken = &wait->woken;
    wait_join(&place->waiter);
}

static void begin_poll(struct poll_wait *wait)
{
    wait->table.add = add_place;
    wait->first.next = NULL;
    wait->first.count = 0;
    wait->places = &wait->first;
    wait->done = wait->woken = false;
    wait->error = 0;
}

static void leave_places(struct poll_places *places)
{
    for (u32 i = 0; i < places->count; i++) {
        wait_leave(&places->place[i].waiter);
        file_put(places->place[i].file);
    }
}

static void end_poll(struct poll_wait *wait)
{
    while (wait->places != &wait->first) {
        struct poll_places *places = wait->places;
        wait->places = places->next;
        leave_places(places);
        release(places);
    }
    leave_places(&wait->first);
}

/* What of events is there at the descriptor now; errors are always told. */
static u32 look(struct poll_wait *wait, int fd, u32 events)
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
        wait->table.events = events;
        wait->table.file = file;
        ready = file->ops->poll(file, wait->done ? NULL : &wait->table);
    }
    file_put(file);
    ready &= events | POLLERR | POLLHUP;
    wait->done |= ready != 0;
    return ready;
}

/* Waits for the next round. false: the time is over (*error 0) or a signal came. */
static bool next_round(struct poll_wait *wait, u64 deadline, long *error)
{
    wait->done = true;
    *error = wait->error != 0 ? wait->error : wait_flag(&wait->woken, deadline);
    if (*error == 0) {
        return true;
    }
    *error = *error == -ETIMEDOUT ? 0 : *error == -ERESTARTSYS ? -ERESTARTNOHAND : *error;
    return false;
}

/* What is left until a deadline. */
static u64 left_until(u64 deadline)
{
    u64 now = monotonic_ns();
    return deadline > now ? deadline - now : 0;
}

/* ---- poll ---- */

static u32 poll_once(struct poll_wait *wait, struct pollfd *fds, u32 count)
{
    u32 found = 0;
    for (u32 i = 0; i < count; i++) {
        fds[i].revents = look(wait, fds[i].fd, fds[i].events);
        found += fds[i].revents != 0;
    }
    return found;
}

static long poll(struct pollfd __user *user_fds, u32 count, u64 deadline)
{
    struct poll_wait wait;
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
    begin_poll(&wait);
    do {
        found = poll_once(&wait, fds, count);
    } while (found == 0 && next_round(&wait, deadline, &error));
    end_poll(&wait);
    if (error == 0 && copy_to_user(user_fds, fds, count * sizeof(*fds)) < 0) {
        error = -EFAULT;
    }
    release(fds);
    return error < 0 ? error : (long)found;
}

/* After a stop it goes on to where its time would have ended. */
static long poll_on(struct restart *restart)
{
    long result = poll((struct pollfd __user *)restart->argument[0], restart->argument[1], restart->argument[2]);
    return result == -ERESTARTNOHAND ? -ERESTART_RESTARTBLOCK : result;
}

long sys_poll(struct pollfd __user *fds, u32 count, int timeout)
{
    if (timeout <= 0) {
        return poll(fds, count, timeout < 0 ? FOREVER : 0);
    }
    struct restart *restart = &current_task()->restart;
    *restart = (struct restart){poll_on, {(u64)fds, count, deadline_after(timeout * 1000000UL)}};
    return poll_on(restart);
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
        call->deadline = error == 0 ? deadline_after(ns) : 0;
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
static long select_one(struct poll_wait *wait, const struct fd_sets *wanted, struct fd_sets *found, int fd)
{
    u64 bit = 1UL << (fd % 64);
    int word = fd / 64;

    if (!((wanted->in[word] | wanted->out[word] | wanted->except[word]) & bit)) {
        return 0;
    }
    u32 events = (wanted->in[word] & bit ? POLLIN : 0) | (wanted->out[word] & bit ? POLLOUT : 0) |
                 (wanted->except[word] & bit ? POLLPRI : 0);
    u32 ready = look(wait, fd, events);
    if (ready & POLLNVAL) {
        return -EBADF;
    }
    found->in[word] |= ready & (POLLIN | POLLHUP | POLLERR) ? wanted->in[word] & bit : 0;
    found->out[word] |= ready & (POLLOUT | POLLERR) ? wanted->out[word] & bit : 0;
    found->except[word] |= ready & POLLPRI ? wanted->except[word] & bit : 0;
    return ((found->in[word] & bit) != 0) + ((found->out[word] & bit) != 0) +
           ((found->except[word] & bit) != 0);
}

static long select_once(struct poll_wait *wait, const struct fd_sets *wanted, struct fd_sets *found, int n)
{
    long count = 0;
    memset(found, 0, sizeof(*found));
    for (int fd = 0; fd < n; fd++) {
        long bits = select_one(wait, wanted, found, fd);
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
    struct poll_wait wait;
    long error = 0, count;

    if (n < 0) {
        return -EINVAL;
    }
    n = min(n, FD_SETSIZE);
    if (get_set(wanted.in, in, n) < 0 || get_set(wanted.out, out, n) < 0 ||
        get_set(wanted.except, except, n) < 0) {
        return -EFAULT;
    }
    begin_poll(&wait);
    do {
        count = select_once(&wait, &wanted, &found, n);
    } while (count == 0 && next_round(&wait, deadline, &error));
    end_poll(&wait);
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
    u64 deadline = deadline_after(ns);
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
