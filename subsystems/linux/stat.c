/* SPDX-License-Identifier: MIT */
/* What files are: stat and its kin, access, readlink, statfs. */
#include "linux.h"

#define BLOCK_SIZE 4096

static void fill_stat(const struct inode *inode, struct stat *st)
{
    struct timespec time = {.tv_sec = inode->mtime};

    *st = (struct stat){
        .st_dev = inode->dev,
        .st_ino = inode->ino,
        .st_nlink = inode->nlink,
        .st_mode = inode->mode,
        .st_rdev = inode->rdev,
        .st_size = inode->size,
        .st_blksize = BLOCK_SIZE,
        .st_blocks = S_ISREG(inode->mode) ? page_up(inode->size) / 512 : 0,
        .st_atim = time,
        .st_mtim = time,
        .st_ctim = time,
    };
}

static u32 walk_flags(int at_flags)
{
    return at_flags & AT_SYMLINK_NOFOLLOW ? WALK_NOFOLLOW : 0;
}

static long stat_at(int dfd, const char __user *path, int flags, struct stat *st)
{
    struct inode *inode;

    if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE)) {
        return -EINVAL;
    }
    long error = user_path_at(dfd, path, walk_flags(flags), flags, &inode);
    if (error == 0) {
        fill_stat(inode, st);
        inode_put(inode);
    }
    return error;
}

long sys_newfstatat(int dfd, const char __user *path, struct stat __user *to, int flags)
{
    struct stat st;
    long error = stat_at(dfd, path, flags, &st);
    return error < 0 ? error : copy_to_user(to, &st, sizeof(st));
}

long sys_stat(const char __user *path, struct stat __user *st)
{
    return sys_newfstatat(AT_FDCWD, path, st, 0);
}

long sys_lstat(const char __user *path, struct stat __user *st)
{
    return sys_newfstatat(AT_FDCWD, path, st, AT_SYMLINK_NOFOLLOW);
}

long sys_fstat(int fd, struct stat __user *to)
{
    struct stat st;
    struct file *file = fd_get(fd);
    if (file == NULL) {
        return -EBADF;
    }
    fill_stat(file->inode, &st);
    file_put(file);
    return copy_to_user(to, &st, sizeof(st));
}

static struct statx_timestamp statx_time(const struct timespec *time)
{
    return (struct statx_timestamp){.tv_sec = time->tv_sec, .tv_nsec = time->tv_nsec};
}

static struct statx statx_of(const struct stat *st)
{
    return (struct statx){
        .stx_mask = STATX_BASIC_STATS,
        .stx_blksize = st->st_blksize,
        .stx_nlink = st->st_nlink,
        .stx_mode = st->st_mode,
        .stx_ino = st->st_ino,
        .stx_size = st->st_size,
        .stx_blocks = st->st_blocks,
        .stx_atime = statx_time(&st->st_atim),
        .stx_ctime = statx_time(&st->st_ctim),
        .stx_mtime = statx_time(&st->st_mtim),
        .stx_rdev_major = dev_major(st->st_rdev),
        .stx_rdev_minor = dev_minor(st->st_rdev),
        .stx_dev_major = dev_major(st->st_dev),
        .stx_dev_minor = dev_minor(st->st_dev),
    };
}

long sys_statx(int dfd, const char __user *path, int flags, u32 mask, struct statx __user *to)
{
    struct stat st;

    if ((mask & STATX__RESERVED) || (flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE) {
        return -EINVAL;
    }
    long error = stat_at(dfd, path, flags, &st);
    if (error != 0) {
        return error;
    }
    struct statx stx = statx_of(&st);
    return copy_to_user(to, &stx, sizeof(stx));
}

/* ---- access: everybody is root here, who may do all but execute what is no program and write where
   nobody can ---- */

static long check_access(const struct inode *inode, int mode)
{
    if ((mode & X_OK) && !S_ISDIR(inode->mode) && !(inode->mode & 0111)) {
        return -EACCES;
    }
    if ((mode & W_OK) && (S_ISREG(inode->mode) || S_ISDIR(inode->mode)) && inode->dev == DEV_ROOT) {
        return -EROFS;
    }
    return 0;
}

long sys_faccessat2(int dfd, const char __user *path, int mode, int flags)
{
    struct inode *inode;

    if ((mode & ~(R_OK | W_OK | X_OK)) || (flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))) {
        return -EINVAL;
    }
    long error = user_path_at(dfd, path, walk_flags(flags), flags, &inode);
    if (error < 0) {
        return error;
    }
    error = check_access(inode, mode);
    inode_put(inode);
    return error;
}

long sys_faccessat(int dfd, const char __user *path, int mode)
{
    return sys_faccessat2(dfd, path, mode, 0);
}

long sys_access(const char __user *path, int mode)
{
    return sys_faccessat2(AT_FDCWD, path, mode, 0);
}

/* ---- readlink ---- */

/* An empty path means the descriptor, which has been opened as a link itself, or is none. */
long sys_readlinkat(int dfd, const char __user *path, char __user *buf, int size)
{
    struct inode *link;
    char *text, *target;

    if (size <= 0) {
        return -EINVAL;
    }
    long length = get_path(path, &text);
    if (length < 0) {
        return length;
    }
    bool empty = text[0] == 0;
    length = path_at(dfd, text, WALK_NOFOLLOW, AT_EMPTY_PATH, &link);
    release(text);
    if (length < 0) {
        return length;
    }
    target = zalloc(PATH_MAX);
    length = target == NULL ? -ENOMEM : inode_readlink(link, target, min(size, PATH_MAX));
    if (length == -EINVAL && empty) {
        length = -ENOENT;
    }
    if (length > 0 && copy_to_user(buf, target, length) < 0) {
        length = -EFAULT;
    }
    release(target);
    inode_put(link);
    return length;
}

long sys_readlink(const char __user *path, char __user *buf, int size)
{
    return sys_readlinkat(AT_FDCWD, path, buf, size);
}

/* ---- statfs ---- */

static long put_statfs(const struct inode *inode, struct statfs __user *to)
{
    PS_MEMORY_STATISTICS memory;
    struct statfs st = {
        .f_type = inode->dev == DEV_PROC   ? PROC_SUPER_MAGIC
                  : inode->dev == DEV_PIPE ? PIPEFS_MAGIC
                                           : RAMFS_MAGIC,
        .f_bsize = BLOCK_SIZE,
        .f_frsize = BLOCK_SIZE,
        .f_namelen = NAME_MAX,
        .f_flags = ST_VALID | (inode->dev == DEV_ROOT ? ST_RDONLY : 0),
    };

    if (inode->dev == DEV_ROOT) {
        kernel.QueryMemory(NULL, &memory);
        st.f_blocks = memory.TotalBytes / BLOCK_SIZE;
    }
    return copy_to_user(to, &st, sizeof(st));
}

long sys_statfs(const char __user *path, struct statfs __user *buf)
{
    struct inode *inode;
    long error = user_path_at(AT_FDCWD, path, 0, 0, &inode);
    if (error == 0) {
        error = put_statfs(inode, buf);
        inode_put(inode);
    }
    return error;
}

long sys_fstatfs(int fd, struct statfs __user *buf)
{
    struct file *file = fd_get(fd);
    if (file == NULL) {
        return -EBADF;
    }
    long error = put_statfs(file->inode, buf);
    file_put(file);
    return error;
}
