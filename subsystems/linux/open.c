/* SPDX-License-Identifier: MIT */
/* Opening files: open and its kin, files without a name. */
#include "linux.h"

/* May this file be opened so? made: this very call has made it. */
static long may_open(const struct inode *inode, u32 flags, bool made)
{
    bool write = (flags & O_ACCMODE) != O_RDONLY;

    if (made) {
        return 0;
    }
    if ((flags & O_CREAT) && (flags & O_EXCL)) {
        return -EEXIST;
    }
    if (S_ISDIR(inode->mode)) {
        return write || (flags & (O_CREAT | O_TRUNC)) ? -EISDIR : 0;
    }
    if (flags & O_DIRECTORY) {
        return -ENOTDIR;
    }
    if (flags & O_PATH) {
        return 0;
    }
    if (S_ISLNK(inode->mode)) {
        return -ELOOP;
    }
    if (!S_ISREG(inode->mode)) {
        return inode->fops == NULL ? -ENXIO : 0;
    }
    return (write || (flags & O_TRUNC)) && (inode->fops == NULL || inode->fops->write == NULL) ? -EACCES : 0;
}

/* Also without a write mode the bytes go. */
static long truncate_at_open(struct inode *inode)
{
    long error = inode_get_write(inode);
    if (error == 0) {
        error = inode->ops != NULL && inode->ops->truncate != NULL ? inode->ops->truncate(inode, 0) : 0;
        inode_put_write(inode);
    }
    return error;
}

static long open_found(struct inode *inode, u32 flags, bool made)
{
    long error = may_open(inode, flags, made);

    if (error < 0) {
        return error;
    }
    struct file *file = file_open(inode, flags, &error);
    if (file == NULL) {
        return error;
    }
    if ((flags & O_TRUNC) && !made && S_ISREG(inode->mode)) {
        error = truncate_at_open(inode);
        if (error < 0) {
            file_put(file);
            return error;
        }
    }
    return fd_install(current_task()->files, file, 0, (flags & O_CLOEXEC) != 0);
}

/* What flags and a path that has been copied lead to; the walk overwrites the path. */
static long open_walk(int dfd, char *path, u32 flags, u32 mode, struct inode **out, bool *made)
{
    bool exclusive = (flags & O_CREAT) && (flags & O_EXCL);
    u32 walk_flags = (flags & O_NOFOLLOW) || exclusive ? WALK_NOFOLLOW : 0;
    struct inode *base;

    if (!(flags & O_CREAT)) {
        return path_at(dfd, path, walk_flags, 0, out);
    }
    long error = path[0] == 0 ? -ENOENT : base_of(dfd, path, &base);
    if (error < 0) {
        return error;
    }
    error = S_ISDIR(base->mode) ? path_create(base, path, walk_flags, mode, out, made) : -ENOTDIR;
    inode_put(base);
    return error;
}

/* A file without a name, in a folder of the tree. */
static long open_nameless(struct inode *dir, u32 flags, u32 mode)
{
    if (!S_ISDIR(dir->mode)) {
        return -ENOTDIR;
    }
    if (dir->dev != DEV_ROOT) {
        return -EOPNOTSUPP;
    }
    if (dir->nlink == 0) {
        return -ENOENT;
    }
    char buffer[24] = {0};
    struct text name = {.data = buffer, .size = sizeof(buffer) - 1, .fixed = true};
    struct inode *inode = tree_new(dir, S_IFREG | mode, 0);
    print(&name, "#%lu", inode != NULL ? inode->ino : 0UL);
    if (inode == NULL || !inode_name_removed(inode, dir, buffer)) {
        inode_put(inode);
        return -ENOSPC;
    }
    inode->nlink = 0;
    inode->linkable = !(flags & O_EXCL);
    long fd = open_found(inode, flags & ~O_EXCL, true);
    inode_put(inode);
    return fd;
}

static long open_path(int dfd, const char __user *user_path, u32 flags, u32 mode)
{
    struct inode *inode;
    bool made = false;
    char *path;

    long error = get_path(user_path, &path);
    if (error < 0) {
        return error;
    }
    error = open_walk(dfd, path, flags, mode, &inode, &made);
    release(path);
    if (error < 0) {
        return error;
    }
    long fd = flags & __O_TMPFILE ? open_nameless(inode, flags, mode) : open_found(inode, flags, made);
    inode_put(inode);
    return fd;
}

/* The mode that a new file gets. */
static u32 new_mode(u32 mode)
{
    return mode & S_IALLUGO & ~current_task()->fs->umask;
}

static long open_checked(int dfd, const char __user *path, u32 flags, u32 mode)
{
    if (flags & O_PATH) {
        flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    } else {
        flags |= O_LARGEFILE;
    }
    if ((flags & O_CREAT) && (flags & O_DIRECTORY)) {
        return -EINVAL;
    }
    if ((flags & __O_TMPFILE) && (!(flags & O_DIRECTORY) || (flags & O_ACCMODE) == O_RDONLY)) {
        return -EINVAL;
    }
    return open_path(dfd, path, flags, new_mode(mode));
}

long sys_openat(int dfd, const char __user *path, int flags, u32 mode)
{
    return open_checked(dfd, path, flags & O_KNOWN, mode);
}

long sys_open(const char __user *path, int flags, u32 mode)
{
    return sys_openat(AT_FDCWD, path, flags, mode);
}

long sys_creat(const char __user *path, u32 mode)
{
    return sys_openat(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

struct open_how {
    u64 flags, mode, resolve;
};

/* Unlike open it refuses what it does not know. Ways to resolve a path other than the usual one are not
   there. */
static long check_how(const struct open_how *how)
{
    bool makes = how->flags & (O_CREAT | __O_TMPFILE);
    u64 with_path = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

    if ((how->flags & ~(u64)O_KNOWN) || (how->mode & ~(u64)S_IALLUGO) || (!makes && how->mode != 0) ||
        ((how->flags & O_PATH) && (how->flags & ~with_path)) || (how->resolve & ~0x3fUL)) {
        return -EINVAL;
    }
    return how->resolve != 0 ? -EOPNOTSUPP : 0;
}

/* What lies behind the structure that is known here must be zero. */
static long check_rest(const u8 __user *rest, size_t size)
{
    u8 byte;

    for (size_t i = 0; i < size; i++) {
        if (copy_from_user(&byte, rest + i, 1) < 0) {
            return -EFAULT;
        }
        if (byte != 0) {
            return -E2BIG;
        }
    }
    return 0;
}

long sys_openat2(int dfd, const char __user *path, const struct open_how __user *user_how, size_t size)
{
    struct open_how how;

    if (size < sizeof(how)) {
        return -EINVAL;
    }
    if (size > PAGE_SIZE) {
        return -E2BIG;
    }
    long error = check_rest((const u8 __user *)(user_how + 1), size - sizeof(how));
    if (error < 0) {
        return error;
    }
    if (copy_from_user(&how, user_how, sizeof(how)) < 0) {
        return -EFAULT;
    }
    error = check_how(&how);
    return error < 0 ? error : open_checked(dfd, path, how.flags, how.mode);
}

/* ---- memfd ---- */

#define MFD_CLOEXEC       1U
#define MFD_ALLOW_SEALING 2U
#define MFD_PREFIX        "memfd:"
#define MFD_NAME_MAX      (NAME_MAX - (sizeof(MFD_PREFIX) - 1))

long sys_memfd_create(const char __user *user_name, u32 flags)
{
    char name[sizeof(MFD_PREFIX) + MFD_NAME_MAX] = MFD_PREFIX;
    SIZE_T length;

    if (flags & ~(MFD_CLOEXEC | MFD_ALLOW_SEALING)) {
        return -EINVAL;
    }
    NTSTATUS status =
        kernel.CopyStringFromUser(name + sizeof(MFD_PREFIX) - 1, user_name, MFD_NAME_MAX + 1, &length);
    if (!NT_SUCCESS(status)) {
        return status == STATUS_ACCESS_VIOLATION || status == STATUS_IN_PAGE_ERROR ? -EFAULT : -EINVAL;
    }
    struct inode *inode = tree_new(root_inode, S_IFREG | 0777, 0);
    if (inode == NULL || !inode_name_removed(inode, root_inode, name)) {
        inode_put(inode);
        return -ENOMEM;
    }
    inode->nlink = 0;
    inode->sealable = true;
    inode->seals = flags & MFD_ALLOW_SEALING ? 0 : F_SEAL_SEAL;
    long fd = open_found(inode, O_RDWR | O_LARGEFILE | (flags & MFD_CLOEXEC ? O_CLOEXEC : 0), true);
    inode_put(inode);
    return fd;
}
