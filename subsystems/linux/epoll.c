/* SPDX-License-Identifier: MIT */
/*
 * epoll. An item watches one open file for one descriptor number. It stands on the queues of its file
 * for as long as it is registered; when one of them is woken, the item is put on its instance's ready
 * list, and somebody who waits for the instance is woken. Who waits asks each file of the list what is
 * really there: a file that is level-triggered and has something stays on the list.
 *
 * An item holds no reference to its file: when the file's last reference goes, its items go first
 * (file_closing). So what an item's operation poll is called with is always there.
 *
 * Locks, outermost first: epoll_mutex (registrations of all instances, and the items of each file), an
 * instance's lock, the queues of files, an instance's ready_lock, its own queues. A wake-up comes with a
 * file's queue locked, and takes none but the last two.
 *
 * Registrations change under epoll_mutex and the instance's lock. Who looks at an instance's files
 * (begin_look) needs one of them: the lock, or epoll_mutex if there are other instances among the files,
 * which are looked at from inside. So nobody ever holds the locks of two instances, and epoll_mutex is
 * entered again by its owner.
 */
#include "linux.h"

#define EPOLL_PRIVATE (EPOLLEXCLUSIVE | EPOLLWAKEUP | EPOLLONESHOT | EPOLLET)
/* What may be asked for together with EPOLLEXCLUSIVE. */
#define EXCLUSIVE_EVENTS (POLLIN | POLLOUT | POLLERR | POLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE)
#define MOST_EVENTS      (0x7fffffff / (int)sizeof(struct epoll_event))
#define MOST_NESTED      5 /* instances in a row, the outermost one included */
#define FIRST_BUCKETS    16
#define ITEM_QUEUES      4 /* more than any kind of file has */

struct eventpoll {
    struct mutex lock;
    LIST_ENTRY *buckets;     /* (lock) items by file and descriptor */
    u32 bucket_count, count; /* (lock) a power of two; items */
    u32 volatile nested;     /* (epoll_mutex and lock) items whose files are instances, too */
    KSPIN_LOCK ready_lock;
    LIST_ENTRY ready;          /* (ready_lock) */
    u64 looks;                 /* (who looks) how often somebody has begun to go through the list */
    struct wait_queue waiters; /* in epoll_wait */
    struct wait_queue pollers; /* those that poll the instance itself, woken by dpc */
    KDPC dpc;
    bool volatile dpc_used;  /* has ever been queued */
    const struct file *file; /* the instance's own */
    u64 depth_search, height_search; /* (epoll_mutex) the searches that came here last, ... */
    u32 depth, height;               /* (epoll_mutex) ... and what they found */
};

struct epitem {
    LIST_ENTRY links;       /* (instance's lock) in its bucket */
    LIST_ENTRY file_links;  /* (epoll_mutex) */
    LIST_ENTRY ready_links; /* (ready_lock) */
    LIST_ENTRY links_again; /* (instance's lock) of those that stay ready, while events are collected */
    bool queued;            /* (ready_lock) on the ready list */
    u64 look;               /* (who looks) that has taken it off the list last */
    struct eventpoll *ep;
    struct file *file;
    int fd;
    u32 volatile events; /* (instance's lock); read without */
    u64 data;            /* (instance's lock) */
    bool failed;         /* no room for a queue */
    u32 queues;          /* (instance's lock) */
    struct poll_table table;
    struct waiter waiters[ITEM_QUEUES];
};

static struct mutex epoll_mutex;
static PETHREAD volatile epoll_owner; /* (epoll_mutex); read without: is it the current thread? Some are no task's */
static u32 epoll_depth;               /* (epoll_mutex) */
static u64 searches;                  /* (epoll_mutex) see may_nest */
static const struct file_operations epoll_ops;

static bool is_epoll(const struct file *file)
{
    return file->ops == &epoll_ops;
}

static void epoll_lock(void)
{
    PETHREAD thread = PsGetCurrentThread();

    if (epoll_owner != thread) {
        mutex_lock(&epoll_mutex);
        epoll_owner = thread;
    }
    epoll_depth++;
}

static void epoll_unlock(void)
{
    if (--epoll_depth == 0) {
        epoll_owner = NULL;
        mutex_unlock(&epoll_mutex);
    }
}

/* Answers what end_look wants. */
static bool begin_look(struct eventpoll *ep)
{
    for (;;) {
        if (ep->nested != 0) {
            epoll_lock();
            if (ep->nested != 0) {
                return true;
            }
            epoll_unlock();
        }
        mutex_lock(&ep->lock);
        if (ep->nested == 0) {
            return false;
        }
        mutex_unlock(&ep->lock);
    }
}

static void end_look(struct eventpoll *ep, bool nested)
{
    if (nested) {
        epoll_unlock();
    } else {
        mutex_unlock(&ep->lock);
    }
}

/* ---- Becoming ready ---- */

static bool queue_item(struct epitem *item)
{
    struct eventpoll *ep = item->ep;
    KIRQL irql = KeAcquireSpinLockRaiseToDpc(&ep->ready_lock);
    bool queued = !item->queued;

    if (queued) {
        item->queued = true;
        InsertTailList(&ep->ready, &item->ready_links);
    }
    KeReleaseSpinLock(&ep->ready_lock, irql);
    return queued;
}

static bool has_ready(struct eventpoll *ep)
{
    KIRQL irql = KeAcquireSpinLockRaiseToDpc(&ep->ready_lock);
    bool ready = !IsListEmpty(&ep->ready);
    KeReleaseSpinLock(&ep->ready_lock, irql);
    return ready;
}

static VOID wake_pollers(PKDPC dpc, PVOID context, PVOID argument1, PVOID argument2)
{
    wake_all(&((struct eventpoll *)context)->pollers);
}

/* Somebody may look at the ready list. Those that poll the instance itself, other instances among them, are
   woken by a DPC: here, the queue of a file or of an instance is locked. */
static bool announce(struct eventpoll *ep)
{
    bool polled = !wait_queue_is_empty(&ep->pollers);
    bool somebody = polled || !wait_queue_is_empty(&ep->waiters);

    wake_one(&ep->waiters);
    if (polled) {
        ep->dpc_used = true;
        KeInsertQueueDpc(&ep->dpc, NULL, NULL);
    }
    return somebody;
}

/* The file's queue is locked: the item is there. */
static bool item_notify(struct waiter *waiter)
{
    struct epitem *item = waiter->context;

    if (!(item->events & ~EPOLL_PRIVATE)) {
        return false; /* disarmed */
    }
    queue_item(item);
    return announce(item->ep);
}

/* ---- Items ---- */

static void item_add_queue(struct poll_table *table, struct wait_queue *queue)
{
    struct epitem *item = CONTAINING_RECORD(table, struct epitem, table);

    if (item->queues == ITEM_QUEUES) {
        item->failed = true;
        return;
    }
    struct waiter *waiter = &item->waiters[item->queues++];
    *waiter = (struct waiter){.queue = queue,
                              .context = item,
                              .notify = item_notify,
                              .exclusive = (item->events & EPOLLEXCLUSIVE) != 0};
    wait_join(waiter);
}

static u32 item_look(struct epitem *item, struct poll_table *table)
{
    return item->file->ops->poll(item->file, table) & item->events & ~EPOLL_PRIVATE;
}

static void leave_queues(struct epitem *item)
{
    while (item->queues > 0) {
        wait_leave(&item->waiters[--item->queues]);
    }
}

/* Arms the item, which is on no queue, for these events: it is ready at once when one is there. epoll_mutex
   is held. */
static void arm_item(struct epitem *item, const struct epoll_event *event)
{
    bool nested = begin_look(item->ep);

    leave_queues(item);
    item->events = event->events | POLLERR | POLLHUP;
    item->data = event->data;
    item->table = (struct poll_table){.events = item->events, .file = item->file, .add = item_add_queue};
    if (item_look(item, &item->table) != 0) {
        queue_item(item);
        announce(item->ep);
    }
    end_look(item->ep, nested);
}

static LIST_ENTRY *bucket_of(const struct eventpoll *ep, const struct file *file, int fd)
{
    u64 hash = ((u64)file / sizeof(*file) + (u32)fd) * 0x9e3779b97f4a7c15UL;
    return &ep->buckets[(hash >> 32) & (ep->bucket_count - 1)];
}

static struct epitem *find_item(const struct eventpoll *ep, const struct file *file, int fd)
{
    LIST_ENTRY *bucket = bucket_of(ep, file, fd);

    for (LIST_ENTRY *at = bucket->Flink; at != bucket; at = at->Flink) {
        struct epitem *item = CONTAINING_RECORD(at, struct epitem, links);
        if (item->file == file && item->fd == fd) {
            return item;
        }
    }
    return NULL;
}

static LIST_ENTRY *new_buckets(u32 count)
{
    LIST_ENTRY *buckets = zalloc(count * sizeof(*buckets));
    for (u32 i = 0; buckets != NULL && i < count; i++) {
        InitializeListHead(&buckets[i]);
    }
    return buckets;
}

/* Twice as many buckets; without memory, the lists get longer. Instance locked. */
static void grow(struct eventpoll *ep)
{
    struct eventpoll bigger = {.bucket_count = ep->bucket_count * 2};

    bigger.buckets = new_buckets(bigger.bucket_count);
    if (bigger.buckets == NULL) {
        return;
    }
    for (u32 i = 0; i < ep->bucket_count; i++) {
        while (!IsListEmpty(&ep->buckets[i])) {
            struct epitem *item = CONTAINING_RECORD(RemoveHeadList(&ep->buckets[i]), struct epitem, links);
            InsertTailList(bucket_of(&bigger, item->file, item->fd), &item->links);
        }
    }
    release(ep->buckets);
    ep->buckets = bigger.buckets;
    ep->bucket_count = bigger.bucket_count;
}

/* epoll_mutex is held. */
static void remove_item(struct epitem *item)
{
    struct eventpoll *ep = item->ep;

    mutex_lock(&ep->lock);
    leave_queues(item);
    RemoveEntryList(&item->links);
    RemoveEntryList(&item->file_links);
    ep->count--;
    ep->nested -= is_epoll(item->file);
    KIRQL irql = KeAcquireSpinLockRaiseToDpc(&ep->ready_lock);
    if (item->queued) {
        RemoveEntryList(&item->ready_links);
    }
    KeReleaseSpinLock(&ep->ready_lock, irql);
    mutex_unlock(&ep->lock);
    release(item);
}

static void file_closing(struct file *file)
{
    epoll_lock();
    while (!IsListEmpty(&file->items)) {
        remove_item(CONTAINING_RECORD(file->items.Flink, struct epitem, file_links));
    }
    epoll_unlock();
}

/* ---- epoll_ctl ---- */

/* How many instances stand one inside the other, from this one on inwards; more than MOST_NESTED when `outer`
   is among them. epoll_mutex is held, so that no registration changes. */
static u32 depth_of(struct eventpoll *ep, const struct eventpoll *outer, u32 level)
{
    u32 deepest = 0;

    if (ep == outer || level > MOST_NESTED) {
        return MOST_NESTED + 1;
    }
    if (ep->depth_search == searches) { /* one instance is looked at once, however often it is registered */
        return ep->depth;
    }
    for (u32 i = 0; i < ep->bucket_count; i++) {
        for (LIST_ENTRY *at = ep->buckets[i].Flink; at != &ep->buckets[i]; at = at->Flink) {
            const struct file *file = CONTAINING_RECORD(at, struct epitem, links)->file;
            u32 depth = is_epoll(file) ? depth_of(file->data, outer, level + 1) : 0;
            deepest = depth > deepest ? depth : deepest;
        }
    }
    ep->depth_search = searches;
    return ep->depth = deepest + 1;
}

/* The same outwards, from the file of an instance. */
static u32 height_of(const struct file *file, u32 level)
{
    struct eventpoll *ep = file->data;
    u32 highest = 0;

    if (level > MOST_NESTED || file->closing == NULL) {
        return 1;
    }
    if (ep->height_search == searches) {
        return ep->height;
    }
    for (LIST_ENTRY *at = file->items.Flink; at != &file->items; at = at->Flink) {
        u32 height = height_of(CONTAINING_RECORD(at, struct epitem, file_links)->ep->file, level + 1);
        highest = height > highest ? height : highest;
    }
    ep->height_search = searches;
    return ep->height = highest + 1;
}

static long may_nest(struct file *outer, struct file *inner)
{
    if (!is_epoll(inner)) {
        return 0;
    }
    searches++;
    u32 depth = depth_of(inner->data, outer->data, 1);
    return depth > MOST_NESTED || height_of(outer, 1) + depth > MOST_NESTED ? -ELOOP : 0;
}

/* epoll_mutex is held. */
static long add_item(struct file *epoll, struct file *file, int fd, const struct epoll_event *event)
{
    struct eventpoll *ep = epoll->data;
    struct epitem *item = zalloc(sizeof(*item));

    if (item == NULL) {
        return -ENOMEM;
    }
    item->ep = ep;
    item->file = file;
    item->fd = fd;
    if (file->closing == NULL) {
        InitializeListHead(&file->items);
        file->closing = file_closing;
    }
    mutex_lock(&ep->lock);
    if (ep->count++ >= ep->bucket_count) {
        grow(ep);
    }
    InsertTailList(bucket_of(ep, file, fd), &item->links);
    InsertTailList(&file->items, &item->file_links);
    ep->nested += is_epoll(file);
    mutex_unlock(&ep->lock);
    arm_item(item, event);
    if (item->failed) {
        remove_item(item);
        return -ENOMEM;
    }
    return 0;
}

/* EPOLLEXCLUSIVE is for new items, of files that are no instances, and with few other flags. */
static bool is_valid_event(int op, const struct file *file, const struct epitem *item, u32 events)
{
    if (op == EPOLL_CTL_MOD) {
        return !(events & EPOLLEXCLUSIVE) && (item == NULL || !(item->events & EPOLLEXCLUSIVE));
    }
    return !(events & EPOLLEXCLUSIVE) || (!is_epoll(file) && !(events & ~(u32)EXCLUSIVE_EVENTS));
}

/* epoll_mutex is held. */
static long control(struct file *epoll, int op, struct file *file, int fd, const struct epoll_event *event)
{
    struct epitem *item = find_item(epoll->data, file, fd);

    if (op != EPOLL_CTL_DEL && !is_valid_event(op, file, item, event->events)) {
        return -EINVAL;
    }
    if (op == EPOLL_CTL_ADD) {
        long error = may_nest(epoll, file);
        return error < 0 ? error : item != NULL ? -EEXIST : add_item(epoll, file, fd, event);
    }
    if (item == NULL) {
        return -ENOENT;
    }
    if (op == EPOLL_CTL_MOD) {
        arm_item(item, event);
    } else {
        remove_item(item);
    }
    return 0;
}

static long may_control(const struct file *epoll, const struct file *file, int op)
{
    if (epoll == NULL || file == NULL) {
        return -EBADF;
    }
    if (file->ops == NULL || file->ops->poll == NULL) {
        return -EPERM;
    }
    return epoll == file || !is_epoll(epoll) || op < EPOLL_CTL_ADD || op > EPOLL_CTL_MOD ? -EINVAL : 0;
}

long sys_epoll_ctl(int epfd, int op, int fd, struct epoll_event __user *user_event)
{
    struct epoll_event event = {0};

    if (op != EPOLL_CTL_DEL && copy_from_user(&event, user_event, sizeof(event)) < 0) {
        return -EFAULT;
    }
    struct file *epoll = fd_get_io(epfd), *file = fd_get_io(fd);
    long error = may_control(epoll, file, op);
    if (error == 0) {
        epoll_lock();
        error = control(epoll, op, file, fd, &event);
        epoll_unlock();
    }
    file_put(file);
    file_put(epoll);
    return error;
}

/* ---- epoll_wait ---- */

/* The next item of the list, each at most once a look: one that comes again meanwhile ends it, as what is
   behind has come later still. NULL: none. */
static struct epitem *take_ready(struct eventpoll *ep)
{
    struct epitem *item = NULL;
    KIRQL irql = KeAcquireSpinLockRaiseToDpc(&ep->ready_lock);

    if (!IsListEmpty(&ep->ready) && CONTAINING_RECORD(ep->ready.Flink, struct epitem, ready_links)->look != ep->looks) {
        item = CONTAINING_RECORD(RemoveHeadList(&ep->ready), struct epitem, ready_links);
        item->queued = false;
        item->look = ep->looks;
    }
    KeReleaseSpinLock(&ep->ready_lock, irql);
    MemoryBarrier(); /* what changes from now on queues it again */
    return item;
}

/* Those that stay ready go behind what has become so meanwhile. */
static void put_back(struct eventpoll *ep, LIST_ENTRY *again)
{
    KIRQL irql = KeAcquireSpinLockRaiseToDpc(&ep->ready_lock);

    while (!IsListEmpty(again)) {
        struct epitem *item = CONTAINING_RECORD(RemoveHeadList(again), struct epitem, links_again);
        if (!item->queued) {
            item->queued = true;
            InsertTailList(&ep->ready, &item->ready_links);
        }
    }
    KeReleaseSpinLock(&ep->ready_lock, irql);
}

/* Tells one item's events, if there are any: 1, 0, -EFAULT. */
static long tell(struct epitem *item, struct epoll_event __user *to, LIST_ENTRY *again)
{
    struct epoll_event event = {.events = item_look(item, NULL), .data = item->data};

    if (event.events == 0) {
        return 0;
    }
    long error = copy_to_user(to, &event, sizeof(event));
    if (error == 0 && (item->events & EPOLLONESHOT)) {
        item->events &= EPOLL_PRIVATE;
    } else if (error < 0 || !(item->events & EPOLLET)) {
        InsertTailList(again, &item->links_again);
    }
    return error < 0 ? error : 1;
}

/* The instance is being looked at. How many events were told; -EFAULT for none but a bad address. */
static long collect(struct eventpoll *ep, struct epoll_event __user *events, int most)
{
    LIST_ENTRY again;
    struct epitem *item;
    long count = 0, told = 0;

    InitializeListHead(&again);
    ep->looks++;
    while (count < most && told >= 0 && (item = take_ready(ep)) != NULL) {
        told = tell(item, events + count, &again);
        count += told > 0;
    }
    put_back(ep, &again);
    return count == 0 && told < 0 ? told : count;
}

static long collect_once(struct eventpoll *ep, struct epoll_event __user *events, int most)
{
    bool nested = begin_look(ep);
    long count = collect(ep, events, most);
    end_look(ep, nested);
    if (count != 0 && has_ready(ep)) { /* also when this one could not be told */
        wake_one(&ep->waiters); /* something is left for the next one */
    }
    return count;
}

static long wait_for_events(struct eventpoll *ep, struct epoll_event __user *events, int most, u64 deadline)
{
    struct waiter waiter;
    long error = 0;

    for (;;) {
        long count = collect_once(ep, events, most);
        if (count != 0 || error < 0 || deadline == 0) {
            return count != 0 ? count : error;
        }
        wait_begin(&waiter, &ep->waiters, true);
        if (has_ready(ep)) { /* it came meanwhile; when it is collected it may be gone, any number of times */
            wait_leave(&waiter);
            error = signal_pending(current_task()) || is_dying() ? interrupted() : monotonic_ns() >= deadline ? -ETIMEDOUT : 0;
        } else {
            error = wait_end(&waiter, deadline);
        }
        if (error == -ETIMEDOUT) {
            error = deadline = 0; /* the last look */
        } else if (error == -ERESTARTSYS) {
            error = -EINTR;
        }
    }
}

static long epoll_wait(int epfd, struct epoll_event __user *events, int most, u64 deadline)
{
    bool counted;

    if (most <= 0 || most > MOST_EVENTS) {
        return -EINVAL;
    }
    if (!access_ok(events, most * sizeof(*events))) {
        return -EFAULT;
    }
    struct file *file = fd_borrow(epfd, &counted);
    if (file == NULL) {
        return -EBADF;
    }
    long result = is_epoll(file) ? wait_for_events(file->data, events, most, deadline) : -EINVAL;
    fd_return(file, counted);
    return result;
}

long sys_epoll_wait(int epfd, struct epoll_event __user *events, int most, int timeout)
{
    return epoll_wait(epfd, events, most, timeout < 0 ? FOREVER : deadline_after(timeout * 1000000UL));
}

long sys_epoll_pwait(int epfd, struct epoll_event __user *events, int most, int timeout,
                     const sigset_t __user *mask, size_t size)
{
    long error = mask != NULL ? use_mask(mask, size) : 0;
    return error < 0 ? error : end_mask(sys_epoll_wait(epfd, events, most, timeout));
}

long sys_epoll_pwait2(int epfd, struct epoll_event __user *events, int most,
                      const struct timespec __user *timeout, const sigset_t __user *mask, size_t size)
{
    u64 ns, deadline = FOREVER;

    if (timeout != NULL) {
        long error = get_timespec(timeout, &ns);
        if (error < 0) {
            return error;
        }
        deadline = deadline_after(ns);
    }
    long error = mask != NULL ? use_mask(mask, size) : 0;
    return error < 0 ? error : end_mask(epoll_wait(epfd, events, most, deadline));
}

/* ---- The instance as a file ---- */

/* Is any item of the list really ready? Those that are not leave it. An instance that is being looked at. */
static bool any_ready(struct eventpoll *ep)
{
    struct epitem *item;

    ep->looks++;
    while ((item = take_ready(ep)) != NULL) {
        if (item_look(item, NULL) != 0) {
            queue_item(item);
            return true;
        }
    }
    return false;
}

static u32 epoll_poll(struct file *file, struct poll_table *table)
{
    struct eventpoll *ep = file->data;

    poll_wait(table, &ep->pollers, POLLIN | POLLRDNORM);
    bool nested = begin_look(ep);
    bool ready = any_ready(ep);
    end_look(ep, nested);
    return ready ? POLLIN | POLLRDNORM : 0;
}

static void epoll_release(struct file *file)
{
    struct eventpoll *ep = file->data;

    epoll_lock();
    for (u32 i = 0; i < ep->bucket_count; i++) {
        while (!IsListEmpty(&ep->buckets[i])) {
            remove_item(CONTAINING_RECORD(ep->buckets[i].Flink, struct epitem, links));
        }
    }
    epoll_unlock();
    if (ep->dpc_used && !KeRemoveQueueDpc(&ep->dpc)) {
        KeFlushQueuedDpcs();
    }
    release(ep->buckets);
    release(ep);
}

static const struct file_operations epoll_ops = {
    .release = epoll_release,
    .poll = epoll_poll,
    .stream = true,
};

static struct eventpoll *create(void)
{
    struct eventpoll *ep = zalloc(sizeof(*ep));
    if (ep == NULL) {
        return NULL;
    }
    ep->bucket_count = FIRST_BUCKETS;
    ep->buckets = new_buckets(FIRST_BUCKETS);
    if (ep->buckets == NULL) {
        release(ep);
        return NULL;
    }
    mutex_init(&ep->lock);
    KeInitializeSpinLock(&ep->ready_lock);
    InitializeListHead(&ep->ready);
    wait_queue_init(&ep->waiters);
    wait_queue_init(&ep->pollers);
    KeInitializeDpc(&ep->dpc, wake_pollers, ep);
    return ep;
}

long sys_epoll_create1(int flags)
{
    long error = -ENOMEM;

    if (flags & ~O_CLOEXEC) {
        return -EINVAL;
    }
    struct eventpoll *ep = create();
    struct file *file = ep != NULL ? file_anonymous("[eventpoll]", &epoll_ops, ep, O_RDWR, &error) : NULL;
    if (file == NULL) {
        release(ep != NULL ? ep->buckets : NULL);
        release(ep);
        return error;
    }
    ep->file = file;
    return fd_install(current_task()->files, file, 0, (flags & O_CLOEXEC) != 0);
}

long sys_epoll_create(int size)
{
    return size <= 0 ? -EINVAL : sys_epoll_create1(0);
}

static long epoll_start(void)
{
    mutex_init(&epoll_mutex);
    return 0;
}

const struct file_kind epoll_kind = {.start = epoll_start};
