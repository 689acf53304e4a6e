/* SPDX-License-Identifier: MIT */
/*
 * timerfd: how often a timer has expired is counted when somebody asks, from the time that has passed.
 * The kernel's timer only wakes who waits, once for each time that it is armed: when it is set, and when
 * a read has taken the expirations so far.
 */
#include "linux.h"

#define LONGEST_NS (1UL << 62)

struct timerfd {
    struct mutex lock;
    int clock;
    u64 next;     /* (lock) when it expires, by its clock; 0: disarmed */
    u64 interval; /* (lock) 0: once */
    KTIMER timer; /* (lock) */
    KDPC dpc;
    struct wait_queue queue;
};

static VOID expired(PKDPC dpc, PVOID context, PVOID argument1, PVOID argument2)
{
    wake_all(&((struct timerfd *)context)->queue);
}

static u64 now_of(const struct timerfd *timer)
{
    u64 now = 0;
    clock_now(timer->clock, &now);
    return now;
}

/* Lock held. */
static void arm(struct timerfd *timer)
{
    if (timer->next == 0) {
        KeCancelTimer(&timer->timer);
        return;
    }
    u64 now = now_of(timer), left = timer->next > now ? min(timer->next - now, LONGEST_NS) : 0;
    LARGE_INTEGER due = {.QuadPart = -(s64)(left / 100 + 1)};
    KeSetTimer(&timer->timer, due, &timer->dpc);
}

/* Expirations that nobody has read. Lock held. */
static u64 expirations(const struct timerfd *timer)
{
    u64 now = now_of(timer);

    if (timer->next == 0 || now < timer->next) {
        return 0;
    }
    return timer->interval != 0 ? (now - timer->next) / timer->interval + 1 : 1;
}

static u64 take_expirations(struct timerfd *timer)
{
    u64 count = expirations(timer);

    if (count != 0) {
        timer->next = timer->interval != 0 ? timer->next + count * timer->interval : 0;
        arm(timer);
    }
    return count;
}

static long timerfd_read(struct file *file, struct iobuf *to, u64 *pos)
{
    struct timerfd *timer = file->data;
    struct waiter waiter;
    u64 count;

    if (to->left < sizeof(count)) {
        return -EINVAL;
    }
    mutex_lock(&timer->lock);
    while ((count = take_expirations(timer)) == 0 && !(file->flags & O_NONBLOCK)) {
        wait_begin(&waiter, &timer->queue, false);
        if (expirations(timer) != 0) { /* its DPC, which takes no lock, may have come before */
            wait_leave(&waiter);
            continue;
        }
        mutex_unlock(&timer->lock);
        long error = wait_end(&waiter, FOREVER);
        if (error < 0) {
            return error;
        }
        mutex_lock(&timer->lock);
    }
    mutex_unlock(&timer->lock);
    if (count == 0) {
        return -EAGAIN;
    }
    return iobuf_put(to, &count, sizeof(count)) == sizeof(count) ? (long)sizeof(count) : -EFAULT;
}

static u32 timerfd_poll(struct file *file, struct poll_table *table)
{
    struct timerfd *timer = file->data;

    poll_wait(table, &timer->queue, POLLIN);
    mutex_lock(&timer->lock);
    u64 count = expirations(timer);
    mutex_unlock(&timer->lock);
    return count != 0 ? POLLIN : 0;
}

/* An expiry that is under way is waited for: it names the timer. */
static void timerfd_release(struct file *file)
{
    struct timerfd *timer = file->data;

    KeCancelTimer(&timer->timer);
    if (!KeRemoveQueueDpc(&timer->dpc)) {
        KeFlushQueuedDpcs();
    }
    release(timer);
}

static const struct file_operations timerfd_ops = {
    .release = timerfd_release,
    .read = timerfd_read,
    .poll = timerfd_poll,
    .stream = true,
    .asked_for_none = true,
};

long sys_timerfd_create(int clock, int flags)
{
    if (flags & ~(O_CLOEXEC | O_NONBLOCK)) {
        return -EINVAL;
    }
    switch (clock) {
    case CLOCK_REALTIME_ALARM:
        clock = CLOCK_REALTIME;
        break;
    case CLOCK_BOOTTIME_ALARM:
        clock = CLOCK_BOOTTIME;
        break;
    case CLOCK_REALTIME:
    case CLOCK_MONOTONIC:
    case CLOCK_BOOTTIME:
        break;
    default:
        return -EINVAL;
    }
    struct timerfd *timer = zalloc(sizeof(*timer));
    if (timer == NULL) {
        return -ENOMEM;
    }
    mutex_init(&timer->lock);
    timer->clock = clock;
    KeInitializeTimer(&timer->timer);
    KeInitializeDpc(&timer->dpc, expired, timer);
    wait_queue_init(&timer->queue);
    return fd_anonymous("[timerfd]", &timerfd_ops, timer, flags | O_RDWR);
}

/* What is left until the next expiry, counted from the timer's last one that has passed; lock held. */
static struct itimerspec setting_of(struct timerfd *timer)
{
    u64 now = now_of(timer), next = timer->next, count = expirations(timer);

    next += count * timer->interval;
    u64 left = next > now ? next - now : 0;
    return (struct itimerspec){
        .it_interval = {timer->interval / NS_PER_SECOND, timer->interval % NS_PER_SECOND},
        .it_value = {left / NS_PER_SECOND, left % NS_PER_SECOND},
    };
}

/* flags 0: a time from now on. 0 disarms. */
static void set(struct timerfd *timer, u64 value, u64 interval, bool absolute)
{
    timer->next = value == 0 ? 0 : absolute ? value : now_of(timer) + value;
    timer->interval = interval;
    arm(timer);
}

/* The file of a timer, referenced. */
static long get_timer(int fd, struct file **file)
{
    *file = fd_get_io(fd);
    if (*file == NULL) {
        return -EBADF;
    }
    if ((*file)->ops != &timerfd_ops) {
        file_put(*file);
        return -EINVAL;
    }
    return 0;
}

long sys_timerfd_settime(int fd, int flags, const struct itimerspec __user *new,
                         struct itimerspec __user *old)
{
    u64 value, interval;
    struct file *file;
    long first = get_timespec(&new->it_interval, &interval), second = get_timespec(&new->it_value, &value);

    if (first == -EFAULT || second == -EFAULT) {
        return -EFAULT;
    }
    if ((flags & ~(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET)) || first < 0 || second < 0) {
        return -EINVAL;
    }
    long error = get_timer(fd, &file);
    if (error < 0) {
        return error;
    }
    struct timerfd *timer = file->data;
    mutex_lock(&timer->lock);
    struct itimerspec before = setting_of(timer);
    set(timer, value, interval, (flags & TFD_TIMER_ABSTIME) != 0);
    mutex_unlock(&timer->lock);
    file_put(file);
    return old != NULL ? copy_to_user(old, &before, sizeof(before)) : 0;
}

long sys_timerfd_gettime(int fd, struct itimerspec __user *to)
{
    struct file *file;
    long error = get_timer(fd, &file);
    if (error < 0) {
        return error;
    }
    struct timerfd *timer = file->data;
    mutex_lock(&timer->lock);
    struct itimerspec setting = setting_of(timer);
    mutex_unlock(&timer->lock);
    file_put(file);
    return copy_to_user(to, &setting, sizeof(setting));
}
