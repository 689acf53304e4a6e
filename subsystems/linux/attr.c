/* SPDX-License-Identifier: MIT */
/* What files are besides their bytes: permissions, owners, times, size, extended attributes. There is one
   user, who may do all; permissions are kept, and those to execute are heeded. */
#include "linux.h"

/* ---- What a call names ---- */

/* Calls change(inode, argument) for what a path names, ... */
static long at_path(int dfd, const char __user *path, int at_flags,
                    long (*change)(struct inode *inode, const void *argument), const void *argument)
{
    struct inode *inode;
    u32 walk = at_flags & AT_SYMLINK_NOFOLLOW ? WALK_NOFOLLOW : 0;

    long error = user_path_at(dfd, path, walk, at_flags, &inode);
    if (error == 0) {
        error = change(inode, argument);
        inode_put(inode);
    }
    return error;
}

/* ... or for an open file. */
static long at_file(int fd, long (*change)(struct inode *inode, const void *argument), const void *argument)
{
    struct file *file = fd_get_io(fd);
    if (file == NULL) {
        return -EBADF;
    }
    long error = change(file->inode, argument);
    file_put(file);
    return error;
}

static bool is_of_proc(const struct inode *inode)
{
    return inode->dev == DEV_PROC;
}

/* ---- chmod ---- */

static long change_mode(struct inode *inode, const void *argument)
{
    u32 mode = *(const u32 *)argument;

    if (is_of_proc(inode)) {
        return -EPERM;
    }
    if (S_ISLNK(inode->mode)) {
        return -EOPNOTSUPP;
    }
    write_lock(&inode->lock);
    inode->mode = (inode->mode & S_IFMT) | (mode & S_IALLUGO);
    inode->ctime = current_time();
    write_unlock(&inode->lock);
    return 0;
}

long sys_fchmodat(int dfd, const char __user *path, u32 mode)
{
    return at_path(dfd, path, 0, change_mode, &mode);
}

long sys_chmod(const char __user *path, u32 mode)
{
    return at_path(AT_FDCWD, path, 0, change_mode, &mode);
}

long sys_fchmod(int fd, u32 mode)
{
    return at_file(fd, change_mode, &mode);
}

/* ---- chown ---- */

struct owner {
    u32 uid, gid;
};

#define UNCHANGED (~0U)

/* A program that runs as its owner is not to become somebody else's. */
static u32 mode_of_new_owner(u32 mode)
{
    if (S_ISDIR(mode)) {
        return mode;
    }
    return mode & ~(u32)(S_ISUID | ((mode & 0010) ? S_ISGID : 0));
}

static long change_owner(struct inode *inode, const void *argument)
{
    const struct owner *owner = argument;

    if (is_of_proc(inode)) {
        return -EPERM;
    }
    write_lock(&inode->lock);
    inode->uid = owner->uid != UNCHANGED ? owner->uid : inode->uid;
    inode->gid = owner->gid != UNCHANGED ? owner->gid : inode->gid;
    inode->mode = mode_of_new_owner(inode->mode);
    inode->ctime = current_time();
    write_unlock(&inode->lock);
    return 0;
}

long sys_fchownat(int dfd, const char __user *path, u32 uid, u32 gid, int flags)
{
    struct owner owner = {uid, gid};

    return flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) ? -EINVAL
                                                          : at_path(dfd, path, flags, change_owner, &owner);
}

long sys_chown(const char __user *path, u32 uid, u32 gid)
{
    return sys_fchownat(AT_FDCWD, path, uid, gid, 0);
}

long sys_lchown(const char __user *path, u32 uid, u32 gid)
{
    return sys_fchownat(AT_FDCWD, path, uid, gid, AT_SYMLINK_NOFOLLOW);
}

long sys_fchown(int fd, u32 uid, u32 gid)
{
    struct owner owner = {uid, gid};
    return at_file(fd, change_owner, &owner);
}

/* ---- Times ---- */

#define LATEST_SECOND (MAXLONG64 / NS_PER_SECOND - 1)

/* Times that cannot be kept become the nearest ones that can. */
static s64 ns_of(const struct timespec *time)
{
    s64 second = time->tv_sec > LATEST_SECOND    ? LATEST_SECOND
                 : time->tv_sec < -LATEST_SECOND ? -LATEST_SECOND
                                                 : time->tv_sec;
    return second * NS_PER_SECOND + time->tv_nsec;
}

static s64 new_time(s64 old, const struct timespec *time, s64 now)
{
    return time->tv_nsec == UTIME_OMIT ? old : time->tv_nsec == UTIME_NOW ? now : ns_of(time);
}

static long change_times(struct inode *inode, const void *argument)
{
    const struct timespec *times = argument;
    s64 now = current_time();

    if (is_of_proc(inode)) {
        return -EPERM;
    }
    write_lock(&inode->lock);
    inode->atime = new_time(inode->atime, &times[0], now);
    inode->mtime = new_time(inode->mtime, &times[1], now);
    inode->ctime = now;
    write_unlock(&inode->lock);
    return 0;
}

static bool is_valid_time(const struct timespec *time)
{
    return time->tv_nsec == UTIME_NOW || time->tv_nsec == UTIME_OMIT ||
           (time->tv_nsec >= 0 && time->tv_nsec < NS_PER_SECOND);
}

/* path NULL: the open file dfd itself. */
static long set_times(int dfd, const char __user *path, const struct timespec *times, int flags)
{
    if (!is_valid_time(&times[0]) || !is_valid_time(&times[1])) {
        return -EINVAL;
    }
    if (path == NULL && dfd != AT_FDCWD) {
        return flags != 0 ? -EINVAL : at_file(dfd, change_times, times);
    }
    return flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) ? -EINVAL
                                                          : at_path(dfd, path, flags, change_times, times);
}

static const struct timespec now_times[2] = {{0, UTIME_NOW}, {0, UTIME_NOW}};

long sys_utimensat(int dfd, const char __user *path, const struct timespec __user *user_times, int flags)
{
    struct timespec times[2];

    if (user_times == NULL) {
        return set_times(dfd, path, now_times, flags);
    }
    if (copy_from_user(times, user_times, sizeof(times)) < 0) {
        return -EFAULT;
    }
    if (times[0].tv_nsec == UTIME_OMIT && times[1].tv_nsec == UTIME_OMIT) {
        return 0; /* whatever the path */
    }
    return set_times(dfd, path, times, flags);
}

long sys_futimesat(int dfd, const char __user *path, const struct timeval __user *user_times)
{
    struct timeval from[2];
    struct timespec times[2];

    if (user_times == NULL) {
        return set_times(dfd, path, now_times, 0);
    }
    if (copy_from_user(from, user_times, sizeof(from)) < 0) {
        return -EFAULT;
    }
    for (int i = 0; i < 2; i++) {
        if (from[i].tv_usec < 0 || from[i].tv_usec >= 1000000) {
            return -EINVAL;
        }
        times[i] = (struct timespec){from[i].tv_sec, from[i].tv_usec * 1000};
    }
    return set_times(dfd, path, times, 0);
}

long sys_utimes(const char __user *path, const struct timeval __user *times)
{
    return sys_futimesat(AT_FDCWD, path, times);
}

long sys_utime(const char __user *path, const struct utimbuf __user *user_times)
{
    struct utimbuf from;

    if (user_times == NULL) {
        return set_times(AT_FDCWD, path, now_times, 0);
    }
    if (copy_from_user(&from, user_times, sizeof(from)) < 0) {
        return -EFAULT;
    }
    struct timespec times[2] = {{from.actime, 0}, {from.modtime, 0}};
    return set_times(AT_FDCWD, path, times, 0);
}

/* ---- Size ---- */

/* A program that runs keeps its bytes. */
static long change_size(struct inode *inode, const void *argument)
{
    if (S_ISDIR(inode->mode)) {
        return -EISDIR;
    }
    if (!S_ISREG(inode->mode)) {
        return -EINVAL;
    }
    if (inode->ops == NULL || inode->ops->truncate == NULL) {
        return -EACCES;
    }
    long error = inode_get_write(inode);
    if (error == 0) {
        error = inode->ops->truncate(inode, *(const s64 *)argument);
        inode_put_write(inode);
    }
    return error;
}

long sys_truncate(const char __user *path, s64 length)
{
    return length < 0 ? -EINVAL : at_path(AT_FDCWD, path, 0, change_size, &length);
}

long sys_ftruncate(int fd, s64 length)
{
    if (length < 0) {
        return -EINVAL;
    }
    struct file *file = fd_get_io(fd);
    if (file == NULL) {
        return -EBADF;
    }
    long error =
        !S_ISREG(file->inode->mode) || !file_writable(file) ? -EINVAL : change_size(file->inode, &length);
    file_put(file);
    return error;
}

long sys_fallocate(int fd, int mode, s64 offset, s64 length)
{
    struct file *file = fd_get_io(fd);
    if (file == NULL) {
        return -EBADF;
    }
    const struct inode *inode = file->inode;
    long error;
    if (offset < 0 || length <= 0) {
        error = -EINVAL;
    } else if (mode & ~0x7f) {
        error = -EOPNOTSUPP;
    } else if (!file_writable(file)) {
        error = -EBADF;
    } else if (!S_ISREG(inode->mode)) {
        error = S_ISFIFO(inode->mode) ? -ESPIPE : S_ISDIR(inode->mode) ? -EISDIR : -ENODEV;
    } else if (offset > MAXLONG64 - length) {
        error = -EFBIG;
    } else {
        error = inode->ops->allocate != NULL ? inode->ops->allocate(file->inode, mode, offset, length)
                                             : -EOPNOTSUPP;
    }
    file_put(file);
    return error;
}

/* ---- access ---- */

static long check_access(struct inode *inode, const void *argument)
{
    int mode = *(const int *)argument;
    return (mode & X_OK) && !S_ISDIR(inode->mode) && !(inode->mode & 0111) ? -EACCES : 0;
}

long sys_faccessat2(int dfd, const char __user *path, int mode, int flags)
{
    if ((mode & ~(R_OK | W_OK | X_OK)) || (flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))) {
        return -EINVAL;
    }
    return at_path(dfd, path, flags, check_access, &mode);
}

long sys_faccessat(int dfd, const char __user *path, int mode)
{
    return sys_faccessat2(dfd, path, mode, 0);
}

long sys_access(const char __user *path, int mode)
{
    return sys_faccessat2(AT_FDCWD, path, mode, 0);
}

/* ---- Extended attributes: no file has any, nor can have ---- */

#define XATTR_NAME_MAX 255
#define XATTR_SIZE_MAX 65536

enum xattr_call {
    XATTR_GET,
    XATTR_SET,
    XATTR_REMOVE,
    XATTR_LIST
};

static long no_xattr(struct inode *inode, const void *argument)
{
    return *(const enum xattr_call *)argument == XATTR_LIST ? 0 : -EOPNOTSUPP;
}

/* Is it the name of an attribute at all? */
static long check_xattr_name(const char __user *user_name)
{
    char name[XATTR_NAME_MAX + 1];
    SIZE_T length;

    NTSTATUS status = kernel.CopyStringFromUser(name, user_name, sizeof(name), &length);
    if (!NT_SUCCESS(status)) {
        return status == STATUS_ACCESS_VIOLATION || status == STATUS_IN_PAGE_ERROR ? -EFAULT : -ERANGE;
    }
    return name[0] == 0 ? -ERANGE : 0;
}

static long xattr_at(const char __user *path, int at_flags, const char __user *name, enum xattr_call call)
{
    long error = name != NULL || call != XATTR_LIST ? check_xattr_name(name) : 0;
    return error < 0 ? error : at_path(AT_FDCWD, path, at_flags, no_xattr, &call);
}

static long xattr_of(int fd, const char __user *name, enum xattr_call call)
{
    struct file *file = fd_get_io(fd);
    if (file == NULL) {
        return -EBADF;
    }
    long error = call != XATTR_LIST ? check_xattr_name(name) : 0;
    file_put(file);
    return error < 0 ? error : call == XATTR_LIST ? 0 : -EOPNOTSUPP;
}

static long check_set(size_t size, int flags)
{
    return flags & ~3 ? -EINVAL : size > XATTR_SIZE_MAX ? -E2BIG : 0;
}

long sys_setxattr(const char __user *path, const char __user *name, const void __user *value, size_t size,
                  int flags)
{
    long error = check_set(size, flags);
    return error < 0 ? error : xattr_at(path, 0, name, XATTR_SET);
}

long sys_lsetxattr(const char __user *path, const char __user *name, const void __user *value, size_t size,
                   int flags)
{
    long error = check_set(size, flags);
    return error < 0 ? error : xattr_at(path, AT_SYMLINK_NOFOLLOW, name, XATTR_SET);
}

long sys_fsetxattr(int fd, const char __user *name, const void __user *value, size_t size, int flags)
{
    long error = check_set(size, flags);
    return error < 0 ? error : xattr_of(fd, name, XATTR_SET);
}

long sys_getxattr(const char __user *path, const char __user *name, void __user *value, size_t size)
{
    return xattr_at(path, 0, name, XATTR_GET);
}

long sys_lgetxattr(const char __user *path, const char __user *name, void __user *value, size_t size)
{
    return xattr_at(path, AT_SYMLINK_NOFOLLOW, name, XATTR_GET);
}

long sys_fgetxattr(int fd, const char __user *name, void __user *value, size_t size)
{
    return xattr_of(fd, name, XATTR_GET);
}

long sys_listxattr(const char __user *path, char __user *list, size_t size)
{
    return xattr_at(path, 0, NULL, XATTR_LIST);
}

long sys_llistxattr(const char __user *path, char __user *list, size_t size)
{
    return xattr_at(path, AT_SYMLINK_NOFOLLOW, NULL, XATTR_LIST);
}

long sys_flistxattr(int fd, char __user *list, size_t size)
{
    return xattr_of(fd, NULL, XATTR_LIST);
}

long sys_removexattr(const char __user *path, const char __user *name)
{
    return xattr_at(path, 0, name, XATTR_REMOVE);
}

long sys_lremovexattr(const char __user *path, const char __user *name)
{
    return xattr_at(path, AT_SYMLINK_NOFOLLOW, name, XATTR_REMOVE);
}

long sys_fremovexattr(int fd, const char __user *name)
{
    return xattr_of(fd, name, XATTR_REMOVE);
}
