/* SPDX-License-Identifier: MIT */
/*
 * Pipes and fifos: a ring of slots, each with a page that is allocated when bytes come, and given back
 * when they have been read. A write fills the last page up when its odd bytes fit there, and takes new
 * slots for the rest, so that what is not longer than a page (PIPE_BUF) is never parted. A packet has a
 * slot for itself.
 *
 * Readers sleep only while the ring is empty, writers only while no slot is free. A wake-up is for one
 * of them; one that has been woken, and leaves something behind, wakes the next.
 *
 * A pipe lives as long as a file is open on its inode. Locks: pipes_lock (which pipe an inode has, and
 * how many files have that one open), then pipe->lock.
 */
#include "linux.h"

#define DEFAULT_SLOTS 16
#define MOST_SLOTS    (1UL << 19) /* 2 GiB */
#define SPARE_PAGES   2

struct pipe_slot {
    u8 *page;
    u32 offset, length;
    bool packet;
};

struct pipe {
    struct mutex lock;
    u32 head, tail;                 /* (lock) slots filled and emptied so far: they count on, modulo 2^32 */
    u32 size;                       /* (lock) slots; a power of two */
    struct pipe_slot *slots;        /* (lock) */
    u8 *spare[SPARE_PAGES];         /* (lock) pages for the next ones */
    u32 spares;                     /* (lock) of them */
    u32 readers, writers;           /* (lock) open files */
    u32 reader_count, writer_count; /* (lock) how many there have ever been */
    struct wait_queue readable, writable, opened; /* woken from outside the lock */
    u32 files;                                    /* (pipes_lock) */
    bool anonymous;                               /* constant */
};

static struct mutex pipes_lock;

/* What all pipes could hold together, in pages: none grows beyond half of the machine's memory. */
static volatile LONG64 all_slots;
static LONG64 slot_limit;

/* ---- The ring: lock held ---- */

static bool is_empty(const struct pipe *pipe)
{
    return pipe->head == pipe->tail;
}

static bool is_full(const struct pipe *pipe)
{
    return pipe->head - pipe->tail >= pipe->size;
}

static struct pipe_slot *slot_at(const struct pipe *pipe, u32 position)
{
    return &pipe->slots[position & (pipe->size - 1)];
}

static u8 *take_page(struct pipe *pipe)
{
    return pipe->spares != 0 ? pipe->spare[--pipe->spares] : alloc_page();
}

static void give_page(struct pipe *pipe, u8 *page)
{
    if (pipe->spares < SPARE_PAGES) {
        pipe->spare[pipe->spares++] = page;
    } else {
        release(page);
    }
}

/* Takes bytes out until the buffer is full, or the ring empty, or a packet has been read. */
static long take_bytes(struct pipe *pipe, struct iobuf *to)
{
    long done = 0;
    bool packet = false;

    while (to->left != 0 && !is_empty(pipe) && !packet) {
        struct pipe_slot *slot = slot_at(pipe, pipe->tail);
        size_t size = min(to->left, slot->length);
        long moved = iobuf_put(to, slot->page + slot->offset, size);
        if (moved <= 0) {
            return done != 0 ? done : moved;
        }
        done += moved;
        packet = slot->packet;
        slot->offset += moved;
        slot->length -= moved;
        if (slot->length == 0 || packet) { /* what does not fit of a packet is lost */
            give_page(pipe, slot->page);
            pipe->tail++;
        }
        if (moved < (long)size) {
            break;
        }
    }
    return done;
}

/* Puts the odd bytes of a write behind those of the last slot, if they fit there. Answers how many. */
static long fill_up(struct pipe *pipe, struct iobuf *from)
{
    size_t size = from->left % PAGE_SIZE;

    if (size == 0 || is_empty(pipe)) {
        return 0;
    }
    struct pipe_slot *slot = slot_at(pipe, pipe->head - 1);
    if (slot->packet || slot->offset + slot->length + size > PAGE_SIZE) {
        return 0;
    }
    if (iobuf_get(from, slot->page + slot->offset + slot->length, size) != (long)size) {
        return -EFAULT;
    }
    slot->length += size;
    return size;
}

static long fill_slot(struct pipe *pipe, struct iobuf *from, bool packet)
{
    size_t size = min(from->left, PAGE_SIZE);
    u8 *page = take_page(pipe);

    if (page == NULL) {
        return -ENOMEM;
    }
    if (iobuf_get(from, page, size) != (long)size) {
        give_page(pipe, page);
        return -EFAULT;
    }
    struct pipe_slot *slot = slot_at(pipe, pipe->head);
    slot->page = page;
    slot->offset = 0;
    slot->length = size;
    slot->packet = packet;
    pipe->head++;
    return size;
}

/* Puts in what fits. *error: why it stopped before, if that was not for want of room. */
static size_t put_bytes(struct pipe *pipe, struct iobuf *from, bool packet, long *error)
{
    long moved = packet ? 0 : fill_up(pipe, from);
    size_t done = 0;

    while (moved >= 0) {
        done += moved;
        if (from->left == 0 || is_full(pipe)) {
            return done;
        }
        moved = fill_slot(pipe, from, packet);
    }
    *error = moved;
    return done;
}

/* ---- Reading and writing ---- */

/* The ring is empty: waits until it is not (1, and *waited), or the last writer is gone (0). Lock held,
   before and after. */
static NOINLINE long wait_for_bytes(struct pipe *pipe, const struct file *file, bool *waited)
{
    struct waiter waiter;

    while (is_empty(pipe)) {
        if (pipe->writers == 0 || (file->flags & O_NONBLOCK)) {
            return pipe->writers == 0 ? 0 : -EAGAIN;
        }
        wait_begin(&waiter, &pipe->readable, true);
        mutex_unlock(&pipe->lock);
        long error = wait_end(&waiter, FOREVER);
        mutex_lock(&pipe->lock);
        if (error < 0) {
            return error;
        }
        *waited = true;
    }
    return 1;
}

static long pipe_read(struct file *file, struct iobuf *to, u64 *pos)
{
    struct pipe *pipe = file->data;
    bool waited = false;

    mutex_lock(&pipe->lock);
    if (is_empty(pipe)) {
        long result = wait_for_bytes(pipe, file, &waited);
        if (result <= 0) {
            mutex_unlock(&pipe->lock);
            return result;
        }
    }
    u32 before = pipe->tail;
    long done = take_bytes(pipe, to);
    bool freed = pipe->tail != before, more = waited && !is_empty(pipe);
    mutex_unlock(&pipe->lock);
    if (freed) {
        wake_one(&pipe->writable);
    }
    if (more) {
        wake_one(&pipe->readable);
    }
    return done;
}

/* No slot is free: waits for one. Lock held, before and after. */
static NOINLINE long wait_for_room(struct pipe *pipe, bool wrote)
{
    struct waiter waiter;

    wait_begin(&waiter, &pipe->writable, true);
    mutex_unlock(&pipe->lock);
    if (wrote) {
        wake_one(&pipe->readable);
    }
    long error = wait_end(&waiter, FOREVER);
    mutex_lock(&pipe->lock);
    return error;
}

static long pipe_write(struct file *file, struct iobuf *from, u64 *pos)
{
    struct pipe *pipe = file->data;
    bool packet = (file->flags & O_DIRECT) != 0, waited = false;
    size_t done = 0;
    long error = 0;

    mutex_lock(&pipe->lock);
    while (error == 0) {
        if (pipe->readers == 0) {
            error = -EPIPE;
            break;
        }
        done += put_bytes(pipe, from, packet, &error);
        if (error < 0 || from->left == 0) {
            break;
        }
        error = file->flags & O_NONBLOCK ? -EAGAIN : wait_for_room(pipe, done != 0);
        waited = true;
    }
    bool room = waited && !is_full(pipe);
    mutex_unlock(&pipe->lock);
    if (done != 0) {
        wake_one(&pipe->readable);
    }
    if (room) {
        wake_one(&pipe->writable);
    }
    if (error == -EPIPE) {
        signal_self(SIGPIPE);
    }
    return done != 0 ? (long)done : error;
}

static u32 pipe_poll(struct file *file, struct poll_table *table)
{
    struct pipe *pipe = file->data;
    u32 ready = 0;

    if (file_readable(file)) {
        poll_wait(table, &pipe->readable, POLLIN | POLLRDNORM);
    }
    if (file_writable(file)) {
        poll_wait(table, &pipe->writable, POLLOUT | POLLWRNORM);
    }
    mutex_lock(&pipe->lock);
    if (file_readable(file)) {
        ready |= is_empty(pipe) ? 0 : POLLIN | POLLRDNORM;
        /* No end is told to a reader that came first until a writer has been there. */
        ready |= pipe->writers == 0 && file->pos != pipe->writer_count + 1UL ? POLLHUP : 0;
    }
    if (file_writable(file)) {
        ready |= is_full(pipe) ? 0 : POLLOUT | POLLWRNORM;
        ready |= pipe->readers == 0 ? POLLERR : 0;
    }
    mutex_unlock(&pipe->lock);
    return ready;
}

static long bytes_there(struct pipe *pipe, s32 __user *to)
{
    s32 count = 0;

    mutex_lock(&pipe->lock);
    for (u32 at = pipe->tail; at != pipe->head; at++) {
        count += slot_at(pipe, at)->length;
    }
    mutex_unlock(&pipe->lock);
    return copy_to_user(to, &count, sizeof(count));
}

static long pipe_ioctl(struct file *file, u32 command, u64 argument)
{
    return command == FIONREAD ? bytes_there(file->data, (void __user *)argument) : -ENOTTY;
}

/* ---- The ring's size ---- */

/* Counts so many more. False: there would be too many. */
static bool count_slots(LONG64 more)
{
    if (InterlockedAdd64(&all_slots, more) <= slot_limit || more <= 0) {
        return true;
    }
    InterlockedAdd64(&all_slots, -more);
    return false;
}

/* Lock held. */
static long resize(struct pipe *pipe, u32 size)
{
    u32 used = pipe->head - pipe->tail;

    if (used > size) {
        return -EBUSY;
    }
    if (!count_slots((LONG64)size - pipe->size)) {
        return -EPERM;
    }
    struct pipe_slot *slots = zalloc(size * sizeof(*slots));
    if (slots == NULL) {
        count_slots((LONG64)pipe->size - size);
        return -ENOMEM;
    }
    for (u32 i = 0; i < used; i++) {
        slots[i] = *slot_at(pipe, pipe->tail + i);
    }
    release(pipe->slots);
    pipe->slots = slots;
    pipe->size = size;
    pipe->tail = 0;
    pipe->head = used;
    return 0;
}

/* F_GETPIPE_SZ, or F_SETPIPE_SZ with the size wanted in bytes. */
static long pipe_control(struct file *file, u32 command, u64 argument)
{
    struct pipe *pipe = file->data;
    u64 slots = 1;
    long error = 0;

    if (command == F_SETPIPE_SZ) {
        argument = (u32)argument;
        while (slots < MOST_SLOTS && slots * PAGE_SIZE < argument) {
            slots *= 2;
        }
        if (slots * PAGE_SIZE < argument) {
            return -EINVAL;
        }
    } else if (command != F_GETPIPE_SZ) {
        return -EINVAL;
    }
    mutex_lock(&pipe->lock);
    if (command == F_SETPIPE_SZ && slots != pipe->size) {
        error = resize(pipe, slots);
    }
    long size = (long)pipe->size * PAGE_SIZE;
    bool room = !is_full(pipe);
    mutex_unlock(&pipe->lock);
    if (room) {
        wake_one(&pipe->writable);
    }
    return error < 0 ? error : size;
}

/* ---- Opening and closing ---- */

static struct pipe *pipe_create(void)
{
    struct pipe *pipe = zalloc(sizeof(*pipe));
    if (pipe == NULL) {
        return NULL;
    }
    pipe->size = DEFAULT_SLOTS;
    pipe->slots = zalloc(DEFAULT_SLOTS * sizeof(*pipe->slots));
    if (pipe->slots == NULL) {
        release(pipe);
        return NULL;
    }
    InterlockedAdd64(&all_slots, DEFAULT_SLOTS);
    mutex_init(&pipe->lock);
    wait_queue_init(&pipe->readable);
    wait_queue_init(&pipe->writable);
    wait_queue_init(&pipe->opened);
    return pipe;
}

static void pipe_destroy(struct pipe *pipe)
{
    for (; !is_empty(pipe); pipe->tail++) {
        release(slot_at(pipe, pipe->tail)->page);
    }
    while (pipe->spares != 0) {
        release(pipe->spare[--pipe->spares]);
    }
    InterlockedAdd64(&all_slots, -(LONG64)pipe->size);
    release(pipe->slots);
    release(pipe);
}

/* The inode's pipe, made when it has none; with a file more. */
static struct pipe *pipe_get(struct inode *inode)
{
    mutex_lock(&pipes_lock);
    if (inode->pipe == NULL) {
        inode->pipe = pipe_create();
    }
    struct pipe *pipe = inode->pipe;
    if (pipe != NULL) {
        pipe->files++;
    }
    mutex_unlock(&pipes_lock);
    return pipe;
}

static void pipe_put(struct inode *inode, struct pipe *pipe)
{
    mutex_lock(&pipes_lock);
    bool last = --pipe->files == 0;
    if (last) {
        inode->pipe = NULL;
    }
    mutex_unlock(&pipes_lock);
    if (last) {
        pipe_destroy(pipe);
    }
}

static void pipe_release(struct file *file)
{
    struct pipe *pipe = file->data;

    mutex_lock(&pipe->lock);
    pipe->readers -= file_readable(file);
    pipe->writers -= file_writable(file);
    bool no_reader = pipe->readers == 0, no_writer = pipe->writers == 0;
    mutex_unlock(&pipe->lock);
    if (no_reader) {
        wake_all(&pipe->writable);
    }
    if (no_writer) {
        wake_all(&pipe->readable);
    }
    pipe_put(file->inode, pipe);
}

/* Waits until somebody opens the other side, even if he is gone again: until *count is another one. */
static long wait_for_partner(struct pipe *pipe, const u32 *count)
{
    struct waiter waiter;
    u32 before = *count;
    long error = 0;

    while (error == 0 && *count == before) {
        wait_begin(&waiter, &pipe->opened, false);
        mutex_unlock(&pipe->lock);
        error = wait_end(&waiter, FOREVER);
        mutex_lock(&pipe->lock);
    }
    return *count != before ? 0 : error;
}

/* A fifo that is opened on one side only waits for the other one, or does without. Lock held. */
static long find_partner(struct pipe *pipe, struct file *file)
{
    bool reads = file_readable(file), writes = file_writable(file);

    if (pipe->anonymous || (reads && writes) || (reads ? pipe->writers : pipe->readers) != 0) {
        return 0;
    }
    if (!(file->flags & O_NONBLOCK)) {
        return wait_for_partner(pipe, reads ? &pipe->writer_count : &pipe->reader_count);
    }
    file->pos = pipe->writer_count + 1UL; /* for poll */
    return reads ? 0 : -ENXIO;
}

static long pipe_open(struct inode *inode, struct file *file)
{
    struct pipe *pipe = pipe_get(inode);
    if (pipe == NULL) {
        return -ENOMEM;
    }
    file->data = pipe;
    mutex_lock(&pipe->lock);
    if (file_writable(file) && !file_readable(file) && (file->flags & O_NONBLOCK) && pipe->readers == 0 &&
        !pipe->anonymous) {
        mutex_unlock(&pipe->lock);
        pipe_put(inode, pipe);
        return -ENXIO;
    }
    pipe->readers += file_readable(file);
    pipe->writers += file_writable(file);
    pipe->reader_count += file_readable(file);
    pipe->writer_count += file_writable(file);
    wake_all(&pipe->opened);
    long error = find_partner(pipe, file);
    mutex_unlock(&pipe->lock);
    if (error < 0) {
        pipe_release(file);
    }
    return error;
}

const struct file_operations pipe_ops = {
    .open = pipe_open,
    .release = pipe_release,
    .read = pipe_read,
    .write = pipe_write,
    .poll = pipe_poll,
    .ioctl = pipe_ioctl,
    .control = pipe_control,
    .stream = true,
};

/* ---- pipe, pipe2 ---- */

/* An inode that stands in no folder. */
static struct inode *pipe_inode(void)
{
    struct inode *inode = inode_new(S_IFIFO | 0600, DEV_PIPE);
    if (inode == NULL) {
        return NULL;
    }
    struct text name = {.data = inode->own_name, .size = sizeof(inode->own_name) - 1, .fixed = true};
    print(&name, "pipe:[%lu]", inode->ino);
    inode->fops = &pipe_ops;
    inode->pipe = pipe_create();
    if (inode->pipe == NULL) {
        inode_put(inode);
        return NULL;
    }
    inode->pipe->anonymous = true;
    return inode;
}

static long open_ends(struct file *ends[2], u32 flags)
{
    struct inode *inode = pipe_inode();
    long error = -ENOMEM;

    if (inode == NULL) {
        return error;
    }
    ends[0] = file_open(inode, O_RDONLY | flags, &error);
    if (ends[0] == NULL) {
        pipe_destroy(inode->pipe);
    } else {
        ends[1] = file_open(inode, O_WRONLY | flags, &error);
    }
    inode_put(inode);
    if (ends[1] == NULL) {
        file_put(ends[0]);
        return error;
    }
    return 0;
}

long sys_pipe2(s32 __user *fds, int flags)
{
    struct file *ends[2] = {NULL};

    if (flags & ~(O_CLOEXEC | O_NONBLOCK | O_DIRECT)) {
        return -EINVAL;
    }
    long error = open_ends(ends, flags & (O_NONBLOCK | O_DIRECT));
    return error < 0 ? error : fd_install_pair(ends, (flags & O_CLOEXEC) != 0, fds);
}

long sys_pipe(s32 __user *fds)
{
    return sys_pipe2(fds, 0);
}

static long pipe_start(void)
{
    PS_MEMORY_STATISTICS memory;

    kernel.QueryMemory(NULL, &memory);
    slot_limit = memory.TotalBytes / 2 / PAGE_SIZE;
    mutex_init(&pipes_lock);
    return type_register(S_IFIFO, 0, NULL, &pipe_ops);
}

const struct file_kind pipe_kind = {.start = pipe_start};
