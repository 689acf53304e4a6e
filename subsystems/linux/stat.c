/* SPDX-License-Identifier: MIT */
/* What files are: stat and its kin, access, readlink, statfs. */
#include "linux.h"

#define BLOCK_SIZE 4096

static struct timespec time_of(s64 ns)
{
    s64 second = ns / NS_PER_SECOND - (ns % NS_PER_SECOND < 0);
    return (struct timespec){.tv_sec = second, .tv_nsec = ns - second * NS_PER_SECOND};
}

static u64 blocks_of(struct inode *inode)
{
    if (inode->ops != NULL && inode->ops->blocks != NULL) {
        return inode->ops->blocks(inode);
    }
    return S_ISREG(inode->mode) ? page_up(inode->size) / 512 : 0;
}

static void fill_stat(struct inode *inode, struct stat *st)
{
    *st = (struct stat){
        .st_dev = inode->dev,
        .st_ino = inode->ino,
        .st_nlink = inode->nlink,
        .st_mode = inode->mode,
        .st_uid = inode->uid,
        .st_gid = inode->gid,
        .st_rdev = inode->rdev,
        .st_size = inode->size,
        .st_blksize = BLOCK_SIZE,
        .st_blocks = blocks_of(inode),
        .st_atim = time_of(inode->atime),
        .st_mtim = time_of(inode->mtime),
        .st_ctim = time_of(inode->ctime),
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
        .stx_uid = st->st_uid,
        .stx_gid = st->st_gid,
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
    struct statfs st = {
        .f_type = inode->dev == DEV_PROC   ? PROC_SUPER_MAGIC
                  : inode->dev == DEV_PIPE ? PIPEFS_MAGIC
                                           : TMPFS_MAGIC,
        .f_bsize = BLOCK_SIZE,
        .f_frsize = BLOCK_SIZE,
        .f_namelen = NAME_MAX,
        .f_flags = ST_VALID,
    };

    if (inode->dev == DEV_ROOT) {
        u64 pages, free;
        tree_statistics(&pages, &free);
        st.f_flags |= ST_RELATIME;
        st.f_blocks = pages;
        st.f_bfree = st.f_bavail = free;
        st.f_files = pages;
        st.f_ffree = (u64)tree_inodes < pages ? pages - tree_inodes : 0;
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
