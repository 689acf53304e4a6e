/* SPDX-License-Identifier: MIT */
/* What is asked of open files: fcntl, close_range, flock, ioctl. Each kind of file has an ioctl of its own
   besides. */
#include "linux.h"

#define SETTABLE_FLAGS (O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME)

/* Of two tasks that do so at once neither takes back what the other one has changed besides. */
static void change_flags(struct file *file, u32 mask, u32 flags)
{
    u32 before = file->flags;

    while (!__atomic_compare_exchange_n(&file->flags, &before, (before & ~mask) | flags, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST)) {}
}

/* A lock that was set while another thread closed the descriptor would stay. */
static long lock_by_descriptor(int fd, struct file *file, u32 command, struct flock __user *lock)
{
    struct files *files = current_task()->files;

    long error = lock_record(file, command, lock);
    if (command == F_SETLK || command == F_SETLKW) {
        mutex_lock(&files->lock);
        bool there = (u32)fd < files->size && files->table[fd].file == file;
        mutex_unlock(&files->lock);
        if (!there) {
            locks_end_owner(file->inode, files);
        }
    }
    return error;
}

static long add_seals(struct file *file, u64 seals)
{
    struct inode *inode = file->inode;
    const u32 known = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE;
    long error = 0;

    if (!file_writable(file)) {
        return -EPERM;
    }
    if (seals & ~(u64)known) {
        return -EINVAL;
    }
    if (!inode->sealable) {
        return -EINVAL;
    }
    write_lock(&inode->lock);
    if (inode->seals & F_SEAL_SEAL) {
        error = -EPERM;
    } else if ((seals & F_SEAL_WRITE) && inode->mapped_writable) {
        error = -EBUSY;
    } else {
        inode->seals |= seals;
    }
    write_unlock(&inode->lock);
    return error;
}

/* Who is to hear of a file that becomes ready, if it could be asked for that (O_ASYNC, which no file here
   takes): kept and told. pid: a process, or less a group. */
static long set_owner(struct file *file, s32 pid)
{
    if (pid == (s32)0x80000000) {
        return -EINVAL;
    }
    if (pid > 0) {
        struct process *process = process_get(pid);
        if (process == NULL) {
            return -ESRCH;
        }
        process_put(process);
    }
    file->owner = pid;
    return 0;
}

#define F_OWNER_TID  0
#define F_OWNER_PID  1
#define F_OWNER_PGRP 2

struct f_owner_ex {
    s32 type, pid;
};

static long get_owner(struct file *file, struct f_owner_ex __user *to)
{
    s32 pid = file->owner;
    struct f_owner_ex owner = {pid < 0 ? F_OWNER_PGRP : F_OWNER_PID, pid < 0 ? -pid : pid};
    return copy_to_user(to, &owner, sizeof(owner));
}

static long set_owner_of_kind(struct file *file, const struct f_owner_ex __user *from)
{
    struct f_owner_ex owner;

    if (copy_from_user(&owner, from, sizeof(owner)) < 0) {
        return -EFAULT;
    }
    return (u32)owner.type > F_OWNER_PGRP || owner.pid < 0
               ? -EINVAL
               : set_owner(file, owner.type == F_OWNER_PGRP ? -owner.pid : owner.pid);
}

static long control_signals(struct file *file, u32 command, u64 argument)
{
    switch (command) {
    case F_SETOWN:
        return set_owner(file, argument);
    case F_GETOWN:
        return file->owner;
    case F_SETOWN_EX:
        return set_owner_of_kind(file, (void __user *)argument);
    case F_GETOWN_EX:
        return get_owner(file, (void __user *)argument);
    case F_SETSIG:
        if (argument > _NSIG) {
            return -EINVAL;
        }
        file->owner_signal = argument;
        return 0;
    case F_GETSIG:
        return file->owner_signal;
    case F_GETLEASE: /* nobody has one, nor gets one: F_SETLEASE is among what is not known */
        return F_UNLCK;
    default:
        return -EINVAL;
    }
}

static long file_control(int fd, struct file *file, u32 command, u64 argument)
{
    switch (command) {
    case F_GETFL:
        return file->flags;
    case F_SETFL:
        change_flags(file, SETTABLE_FLAGS, argument & SETTABLE_FLAGS);
        return 0;
    case F_GETLK:
    case F_SETLK:
    case F_SETLKW:
    case F_OFD_GETLK:
    case F_OFD_SETLK:
    case F_OFD_SETLKW:
        return lock_by_descriptor(fd, file, command, (struct flock __user *)argument);
    case F_ADD_SEALS:
        return add_seals(file, argument);
    case F_GET_SEALS:
        return file->inode->sealable ? (long)file->inode->seals : -EINVAL;
    case F_SETPIPE_SZ:
    case F_GETPIPE_SZ:
        return file->ops != NULL && file->ops->control != NULL ? file->ops->control(file, command, argument)
                                                               : -EBADF;
    default:
        return control_signals(file, command, argument);
    }
}

#define LOCK_SH 1
#define LOCK_EX 2
#define LOCK_NB 4
#define LOCK_UN 8

long sys_flock(int fd, int operation)
{
    int kind = operation & ~LOCK_NB;
    if (kind != LOCK_SH && kind != LOCK_EX && kind != LOCK_UN) {
        return -EINVAL;
    }
    struct file *file = fd_get_io(fd);
    if (file == NULL) {
        return -EBADF;
    }
    long error = lock_whole(file, kind == LOCK_EX, kind == LOCK_UN, !(operation & LOCK_NB));
    file_put(file);
    return error;
}

long sys_fcntl(int fd, u32 command, u64 argument)
{
    switch (command) {
    case F_DUPFD:
    case F_DUPFD_CLOEXEC:
        return fd_dup(fd, argument, command == F_DUPFD_CLOEXEC);
    case F_GETFD:
        return fd_flags(fd, false, false);
    case F_SETFD:
        return fd_flags(fd, true, (argument & FD_CLOEXEC) != 0);
    }
    struct file *file = fd_get(fd);
    if (file == NULL) {
        return -EBADF;
    }
    long result =
        (file->flags & O_PATH) && command != F_GETFL ? -EBADF : file_control(fd, file, command, argument);
    file_put(file);
    return result;
}

#define CLOSE_RANGE_UNSHARE 2
#define CLOSE_RANGE_CLOEXEC 4

/* The current task gets a table of its own. */
static long unshare_files(struct task *task)
{
    struct files *old = task->files, *copy = files_copy(old);

    if (copy == NULL) {
        return -ENOMEM;
    }
    mutex_lock(&tasklist_lock);
    task->files = copy;
    mutex_unlock(&tasklist_lock);
    files_put(old);
    return 0;
}

long sys_close_range(u32 first, u32 last, u32 flags)
{
    struct task *task = current_task();

    if (first > last || (flags & ~(u32)(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC))) {
        return -EINVAL;
    }
    if ((flags & CLOSE_RANGE_UNSHARE) && task->files->refs != 1 && unshare_files(task) < 0) {
        return -ENOMEM;
    }
    for (long fd = files_next(task->files, first); fd >= 0 && fd <= last; fd = files_next(task->files, fd + 1)) {
        if (flags & CLOSE_RANGE_CLOEXEC) {
            fd_flags(fd, true, true);
        } else {
            sys_close(fd);
        }
    }
    return 0;
}

static long set_nonblocking(struct file *file, const s32 __user *on)
{
    s32 value;
    if (copy_from_user(&value, on, sizeof(value)) < 0) {
        return -EFAULT;
    }
    change_flags(file, O_NONBLOCK, value != 0 ? O_NONBLOCK : 0);
    return 0;
}

static long file_ioctl(struct file *file, u32 command, u64 argument)
{
    if (command == FIONBIO) {
        return set_nonblocking(file, (void __user *)argument);
    }
    if (command == FIONREAD && S_ISREG(file->inode->mode)) {
        s32 left = file->inode->size - file->pos; /* negative behind the end */
        return copy_to_user((void __user *)argument, &left, sizeof(left));
    }
    return file->ops != NULL && file->ops->ioctl != NULL ? file->ops->ioctl(file, command, argument)
                                                         : -ENOTTY;
}

long sys_ioctl(int fd, u32 command, u64 argument)
{
    struct file *file = fd_get_io(fd);
    if (file == NULL) {
        return -EBADF;
    }
    long result = command == FIOCLEX || command == FIONCLEX ? fd_flags(fd, true, command == FIOCLEX)
                                                            : file_ioctl(file, command, argument);
    file_put(file);
    return result;
}
