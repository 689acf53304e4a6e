/* SPDX-License-Identifier: MIT */
/* eventfd: a counter. Reading takes all of it, or one (EFD_SEMAPHORE); writing adds. */
#include "linux.h"

#define MOST (~0UL - 1)

struct eventfd {
    struct mutex lock;
    u64 count; /* (lock) */
    bool semaphore;
    struct wait_queue readable, writable;
};

static long wait_on(struct eventfd *event, struct wait_queue *queue, const struct file *file)
{
    struct waiter waiter;

    if (file->flags & O_NONBLOCK) {
        return -EAGAIN;
    }
    wait_begin(&waiter, queue, queue == &event->readable); /* room may do for one writer and not for another */
    mutex_unlock(&event->lock);
    long error = wait_end(&waiter, FOREVER);
    mutex_lock(&event->lock);
    return error;
}

static long eventfd_read(struct file *file, struct iobuf *to, u64 *pos)
{
    struct eventfd *event = file->data;
    long error = to->left < sizeof(u64) ? -EINVAL : 0;

    mutex_lock(&event->lock);
    while (error == 0 && event->count == 0) {
        error = wait_on(event, &event->readable, file);
    }
    u64 value = error < 0 ? 0 : event->semaphore ? 1 : event->count;
    event->count -= value;
    bool more = event->count != 0;
    mutex_unlock(&event->lock);
    if (error < 0) {
        return error;
    }
    wake_one(&event->writable);
    if (more) {
        wake_one(&event->readable);
    }
    return iobuf_put(to, &value, sizeof(value)) == sizeof(value) ? (long)sizeof(value) : -EFAULT;
}

static long eventfd_write(struct file *file, struct iobuf *from, u64 *pos)
{
    struct eventfd *event = file->data;
    u64 value;

    if (from->left < sizeof(value)) {
        return -EINVAL;
    }
    if (iobuf_get(from, &value, sizeof(value)) != sizeof(value)) {
        return -EFAULT;
    }
    long error = value == ~0UL ? -EINVAL : 0;
    mutex_lock(&event->lock);
    while (error == 0 && value > MOST - event->count) {
        error = wait_on(event, &event->writable, file);
    }
    event->count += error == 0 ? value : 0;
    bool room = event->count < MOST;
    mutex_unlock(&event->lock);
    if (error < 0) {
        return error;
    }
    wake_one(&event->readable);
    if (room) {
        wake_one(&event->writable);
    }
    return sizeof(value);
}

static u32 eventfd_poll(struct file *file, struct poll_table *table)
{
    struct eventfd *event = file->data;

    poll_wait(table, &event->readable, POLLIN);
    poll_wait(table, &event->writable, POLLOUT);
    mutex_lock(&event->lock);
    u64 count = event->count;
    mutex_unlock(&event->lock);
    return (count != 0 ? POLLIN : 0) | (count < MOST ? POLLOUT : 0);
}

static void eventfd_release(struct file *file)
{
    release(file->data);
}

static const struct file_operations eventfd_ops = {
    .release = eventfd_release,
    .read = eventfd_read,
    .write = eventfd_write,
    .poll = eventfd_poll,
    .stream = true,
    .asked_for_none = true,
};

long sys_eventfd2(u32 count, int flags)
{
    if (flags & ~(EFD_SEMAPHORE | O_CLOEXEC | O_NONBLOCK)) {
        return -EINVAL;
    }
    struct eventfd *event = zalloc(sizeof(*event));
    if (event == NULL) {
        return -ENOMEM;
    }
    mutex_init(&event->lock);
    event->count = count;
    event->semaphore = (flags & EFD_SEMAPHORE) != 0;
    wait_queue_init(&event->readable);
    wait_queue_init(&event->writable);
    return fd_anonymous("[eventfd]", &eventfd_ops, event, (flags & (O_CLOEXEC | O_NONBLOCK)) | O_RDWR);
}

long sys_eventfd(u32 count)
{
    return sys_eventfd2(count, 0);
}
