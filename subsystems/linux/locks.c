/* SPDX-License-Identifier: MIT */
/*
 * Advisory locks: records (fcntl) and whole files (flock). A record lock belongs to a descriptor table, and
 * goes when any descriptor of its file is closed there; or, as an OFD lock, to an open file, as those of
 * flock do.
 *
 * Locks: list->lock, then blocked_lock, which guards who waits for whom (EDEADLK).
 */
#include "linux.h"

struct file_lock {
    LIST_ENTRY links;  /* (list's lock) */
    const void *owner; /* struct files, or struct file */
    s32 pid;           /* who set it; -1: an open file */
    bool write;
    bool whole;     /* set by flock */
    u64 start, end; /* the last byte */
};

/* Of an inode, made for the first lock and kept as long as the inode. */
struct lock_list {
    struct mutex lock;
    LIST_ENTRY locks; /* (lock) */
    struct wait_queue released;
};

#define TO_THE_END ((u64)MAXLONG64)

/* ---- The list of an inode ---- */

static struct lock_list *list_of(struct inode *inode)
{
    struct lock_list *list = ReadPointerAcquire((PVOID const volatile *)&inode->locks);
    if (list != NULL) {
        return list;
    }
    list = zalloc(sizeof(*list));
    if (list == NULL) {
        return NULL;
    }
    mutex_init(&list->lock);
    InitializeListHead(&list->locks);
    wait_queue_init(&list->released);
    struct lock_list *first = InterlockedCompareExchangePointer((PVOID volatile *)&inode->locks, list, NULL);
    if (first != NULL) {
        release(list);
        return first;
    }
    return list;
}

static struct file_lock *lock_at(PLIST_ENTRY links)
{
    return CONTAINING_RECORD(links, struct file_lock, links);
}

static bool overlap(const struct file_lock *a, const struct file_lock *b)
{
    return a->start <= b->end && b->start <= a->end;
}

/* The first lock of somebody else that is in the way; NULL. */
static struct file_lock *find_conflict(struct lock_list *list, const struct file_lock *wanted)
{
    struct file_lock *first = NULL;

    for (PLIST_ENTRY at = list->locks.Flink; at != &list->locks; at = at->Flink) {
        struct file_lock *other = lock_at(at);
        if (other->whole == wanted->whole && other->owner != wanted->owner &&
            (other->write || wanted->write) && overlap(other, wanted) &&
            (first == NULL || other->start < first->start)) {
            first = other;
        }
    }
    return first;
}

/* ---- Who waits for whom ---- */

struct blocked {
    LIST_ENTRY links;             /* (blocked_lock) */
    const struct lock_list *list; /* on which it waits */
    const void *owner;
    const void *blocker; /* (blocked_lock) NULL: it has let something of the list go, and the owner looks again */
};

static struct mutex blocked_lock; /* zero is a free one */
static LIST_ENTRY blocked_owners = {&blocked_owners, &blocked_owners};

/* Whom the owner waits for; NULL. */
static const void *blocker_of(const void *owner)
{
    for (PLIST_ENTRY at = blocked_owners.Flink; at != &blocked_owners; at = at->Flink) {
        const struct blocked *blocked = CONTAINING_RECORD(at, struct blocked, links);
        if (blocked->owner == owner) {
            return blocked->blocker;
        }
    }
    return NULL;
}

#define LONGEST_CHAIN 64

/* False: the owner would wait for itself in the end. */
static bool enter_blocked(struct blocked *blocked)
{
    mutex_lock(&blocked_lock);
    const void *next = blocked->blocker;
    for (int i = 0; i < LONGEST_CHAIN && next != NULL && next != blocked->owner; i++) {
        next = blocker_of(next);
    }
    bool deadlock = next == blocked->owner;
    if (!deadlock) {
        InsertTailList(&blocked_owners, &blocked->links);
    }
    mutex_unlock(&blocked_lock);
    return !deadlock;
}

static void leave_blocked(struct blocked *blocked)
{
    mutex_lock(&blocked_lock);
    RemoveEntryList(&blocked->links);
    mutex_unlock(&blocked_lock);
}

/* The owner has given something up: those that wait for it there are not to be counted as waiting until they
   have looked. */
static void wake_blocked(struct lock_list *list, const void *owner)
{
    mutex_lock(&blocked_lock);
    for (PLIST_ENTRY at = blocked_owners.Flink; at != &blocked_owners; at = at->Flink) {
        struct blocked *blocked = CONTAINING_RECORD(at, struct blocked, links);
        if (blocked->list == list && blocked->blocker == owner) {
            blocked->blocker = NULL;
        }
    }
    mutex_unlock(&blocked_lock);
    wake_all(&list->released);
}

/* ---- Changing an owner's locks: list->lock is held ---- */

static void drop(struct file_lock *lock)
{
    RemoveEntryList(&lock->links);
    release(lock);
}

static bool joins(const struct file_lock *a, const struct file_lock *b)
{
    return a->write == b->write && a->start <= b->end + 1 && b->start <= a->end + 1;
}

/* Takes [change->start, change->end] out of one lock. *spare becomes the second part where it falls in
   two. */
static void cut_out(struct file_lock *lock, const struct file_lock *change, struct file_lock **spare)
{
    if (lock->start < change->start && lock->end > change->end) {
        LIST_ENTRY links = (*spare)->links;
        **spare = *lock;
        (*spare)->links = links;
        (*spare)->start = change->end + 1;
        InsertTailList(&lock->links, &(*spare)->links);
        *spare = NULL;
        lock->end = change->start - 1;
    } else if (lock->start < change->start) {
        lock->end = change->start - 1;
    } else if (lock->end > change->end) {
        lock->start = change->end + 1;
    } else {
        drop(lock);
    }
}

/* What the owner has becomes what change says: what touches it and is alike is joined to it, the rest makes
   room. Unlock: nothing takes its place. True: something has been given up. */
static bool change_locks(struct lock_list *list, struct file_lock *change, bool unlock,
                         struct file_lock **spare)
{
    bool gave = false;

    for (PLIST_ENTRY at = list->locks.Flink, next; at != &list->locks; at = next) {
        struct file_lock *lock = lock_at(at);
        next = at->Flink;
        if (lock->owner != change->owner || lock->whole != change->whole) {
            continue;
        }
        if (!unlock && joins(lock, change)) {
            change->start = min(change->start, lock->start);
            change->end = lock->end > change->end ? lock->end : change->end;
            drop(lock);
        } else if (overlap(lock, change)) {
            cut_out(lock, change, spare);
            gave = true;
        }
    }
    if (!unlock) {
        InsertTailList(&list->locks, &change->links);
    }
    return gave;
}

/* ---- Setting ---- */

/* Waits until something is given up, list->lock held before and not after. */
static long wait_for(struct lock_list *list, const struct file_lock *wanted, const struct file_lock *conflict)
{
    struct waiter waiter;
    struct blocked blocked = {.list = list, .owner = wanted->owner, .blocker = conflict->owner};
    bool counts = wanted->pid >= 0 && !wanted->whole;

    if (counts && !enter_blocked(&blocked)) {
        mutex_unlock(&list->lock);
        return -EDEADLK;
    }
    wait_begin(&waiter, &list->released, false);
    mutex_unlock(&list->lock);
    long error = wait_end(&waiter, FOREVER);
    if (counts) {
        leave_blocked(&blocked);
    }
    return error;
}

/* Takes over wanted and spare, which may be NULL where it cannot be needed. */
static long set_lock(struct lock_list *list, struct file_lock *wanted, struct file_lock *spare, bool unlock,
                     bool wait)
{
    struct file_lock *conflict;
    const void *owner = wanted->owner;
    long error = 0;

    mutex_lock(&list->lock);
    while (!unlock && (conflict = find_conflict(list, wanted)) != NULL) {
        if (!wait) {
            mutex_unlock(&list->lock);
            error = -EAGAIN;
        } else {
            error = wait_for(list, wanted, conflict);
        }
        if (error < 0) {
            release(wanted);
            release(spare);
            return error;
        }
        mutex_lock(&list->lock);
    }
    bool gave = change_locks(list, wanted, unlock, &spare);
    mutex_unlock(&list->lock);
    if (gave) {
        wake_blocked(list, owner);
    }
    release(unlock ? wanted : NULL);
    release(spare);
    return 0;
}

/* ---- fcntl ---- */

/* The bytes that the program means, as the file is now. */
static long range_of(const struct file *file, const struct flock *from, struct file_lock *to)
{
    s64 base = from->l_whence == SEEK_CUR   ? (s64)file->pos
               : from->l_whence == SEEK_END ? (s64)file->inode->size
                                            : 0;
    s64 start, end;

    if ((u16)from->l_whence > SEEK_END) {
        return -EINVAL;
    }
    if (__builtin_add_overflow(base, from->l_start, &start)) {
        return -EOVERFLOW;
    }
    if (start < 0 || (from->l_len < 0 && start + from->l_len < 0)) {
        return -EINVAL;
    }
    if (from->l_len < 0) {
        end = start - 1;
        start += from->l_len;
    } else if (from->l_len == 0) {
        end = MAXLONG64;
    } else if (__builtin_add_overflow(start, from->l_len - 1, &end)) {
        return -EOVERFLOW;
    }
    to->start = start;
    to->end = end;
    return 0;
}

static long tell_conflict(struct file *file, const struct file_lock *wanted, struct flock *lock)
{
    struct lock_list *list = ReadPointerAcquire((PVOID const volatile *)&file->inode->locks);

    lock->l_type = F_UNLCK;
    if (list == NULL) {
        return 0;
    }
    mutex_lock(&list->lock);
    const struct file_lock *found = find_conflict(list, wanted);
    if (found != NULL) {
        lock->l_type = found->write ? F_WRLCK : F_RDLCK;
        lock->l_whence = SEEK_SET;
        lock->l_start = found->start;
        lock->l_len = found->end == TO_THE_END ? 0 : found->end - found->start + 1;
        lock->l_pid = found->pid;
    }
    mutex_unlock(&list->lock);
    return 0;
}

static bool is_ofd(u32 command)
{
    return command == F_OFD_GETLK || command == F_OFD_SETLK || command == F_OFD_SETLKW;
}

static long may_lock(const struct file *file, u32 command, const struct flock *lock)
{
    if ((u16)lock->l_type > F_UNLCK || (is_ofd(command) && lock->l_pid != 0)) {
        return -EINVAL;
    }
    if (command == F_GETLK || command == F_OFD_GETLK) {
        return lock->l_type == F_UNLCK ? -EINVAL : 0;
    }
    return (lock->l_type == F_RDLCK && !file_readable(file)) ||
                   (lock->l_type == F_WRLCK && !file_writable(file))
               ? -EBADF
               : 0;
}

static long set_record(struct file *file, const struct file_lock *wanted, bool unlock, bool wait)
{
    struct lock_list *list = list_of(file->inode);
    struct file_lock *own = zalloc(sizeof(*own)), *spare = zalloc(sizeof(*spare));

    if (list == NULL || own == NULL || spare == NULL) {
        release(own);
        release(spare);
        return -ENOLCK;
    }
    *own = *wanted;
    return set_lock(list, own, spare, unlock, wait);
}

long lock_record(struct file *file, u32 command, struct flock __user *user_lock)
{
    struct flock lock;
    struct file_lock wanted = {.owner = current_task()->files, .pid = current_process()->pid};

    if (copy_from_user(&lock, user_lock, sizeof(lock)) < 0) {
        return -EFAULT;
    }
    long error = range_of(file, &lock, &wanted);
    if (error == 0) {
        error = may_lock(file, command, &lock);
    }
    if (error < 0) {
        return error;
    }
    wanted.write = lock.l_type == F_WRLCK;
    if (is_ofd(command)) {
        wanted.owner = file;
        wanted.pid = -1;
    }
    if (command == F_GETLK || command == F_OFD_GETLK) {
        tell_conflict(file, &wanted, &lock);
        return copy_to_user(user_lock, &lock, sizeof(lock));
    }
    return set_record(file, &wanted, lock.l_type == F_UNLCK, command == F_SETLKW || command == F_OFD_SETLKW);
}

/* ---- flock ---- */

/* A lock that is to become another one is given up first. */
long lock_whole(struct file *file, bool write, bool unlock, bool wait)
{
    struct lock_list *list = list_of(file->inode);
    struct file_lock *own = zalloc(sizeof(*own));

    if (list == NULL || own == NULL) {
        release(own);
        return -ENOLCK;
    }
    *own = (struct file_lock){.owner = file, .pid = -1, .write = write, .whole = true, .end = TO_THE_END};
    mutex_lock(&list->lock);
    bool gave = false;
    for (PLIST_ENTRY at = list->locks.Flink, next; at != &list->locks; at = next) {
        struct file_lock *lock = lock_at(at);
        next = at->Flink;
        if (lock->whole && lock->owner == file && (unlock || lock->write != write)) {
            drop(lock);
            gave = true;
        }
    }
    mutex_unlock(&list->lock);
    if (gave) {
        wake_blocked(list, file);
    }
    if (unlock) {
        release(own);
        return 0;
    }
    return set_lock(list, own, NULL, false, wait);
}

/* ---- What ends by itself ---- */

static void end_locks(struct inode *inode, const void *owner)
{
    struct lock_list *list = ReadPointerAcquire((PVOID const volatile *)&inode->locks);
    bool gave = false;

    if (list == NULL) {
        return;
    }
    mutex_lock(&list->lock);
    for (PLIST_ENTRY at = list->locks.Flink, next; at != &list->locks; at = next) {
        struct file_lock *lock = lock_at(at);
        next = at->Flink;
        if (lock->owner == owner) {
            drop(lock);
            gave = true;
        }
    }
    mutex_unlock(&list->lock);
    if (gave) {
        wake_blocked(list, owner);
    }
}

void locks_end_owner(struct inode *inode, const struct files *owner)
{
    end_locks(inode, owner);
}

void locks_end_file(const struct file *file)
{
    end_locks(file->inode, file);
}
