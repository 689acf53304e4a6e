/* SPDX-License-Identifier: MIT */
/*
 * Folders: getdents, getcwd, chdir; and the calls that would change the tree, which say of each path what
 * Linux says on a read-only file system.
 */
#include "linux.h"

/* ---- getdents ---- */

/* Both record formats: the older one has the type in its last byte, the newer one in front of the name. */
struct dirent_header {
    u64 ino;
    s64 off;
    u16 reclen;
} __attribute__((packed));

struct getdents {
    struct dir_context ctx;
    char __user *to;
    size_t left;
    bool old;
    u64 pos;    /* behind the last entry that found room */
    long error; /* why an entry found none */
};

static bool emit_dirent(struct dir_context *ctx, const char *name, size_t length, u64 ino, u32 mode, u64 off)
{
    struct getdents *state = CONTAINING_RECORD(ctx, struct getdents, ctx);
    u8 record[(sizeof(struct dirent_header) + 2 + NAME_MAX + 1 + 7) & ~7];
    size_t size = (sizeof(struct dirent_header) + 2 + length + 7) & ~7UL; /* type, name, NUL */
    struct dirent_header header = {ino, off, size};

    if (size > state->left) {
        state->error = -EINVAL; /* counts only if not even one entry found room */
        return false;
    }
    memset(record, 0, size);
    memcpy(record, &header, sizeof(header));
    memcpy(record + sizeof(header) + !state->old, name, length);
    record[state->old ? size - 1 : sizeof(header)] = DT_TYPE(mode);
    if (copy_to_user(state->to, record, size) < 0) {
        state->error = -EFAULT;
        return false;
    }
    state->to += size;
    state->left -= size;
    state->pos = off;
    return true;
}

static long read_entries(struct file *file, void __user *buf, u32 count, bool old)
{
    struct getdents state = {.ctx.emit = emit_dirent, .to = buf, .left = count, .old = old};

    mutex_lock(&file->lock);
    state.pos = file->pos;
    long error = dir_read(file->inode, file->pos, &state.ctx);
    file->pos = state.pos;
    mutex_unlock(&file->lock);

    size_t done = count - state.left;
    return done != 0 ? (long)done : error < 0 ? error : state.error;
}

static long getdents(int fd, void __user *buf, u32 count, bool old)
{
    struct file *file = fd_get_io(fd);
    if (file == NULL) {
        return -EBADF;
    }
    long result = -ENOTDIR;
    if (S_ISDIR(file->inode->mode)) {
        result = access_ok(buf, count) ? read_entries(file, buf, count, old) : -EFAULT;
    }
    file_put(file);
    return result;
}

long sys_getdents(int fd, void __user *buf, u32 count)
{
    return getdents(fd, buf, count, true);
}

long sys_getdents64(int fd, void __user *buf, u32 count)
{
    return getdents(fd, buf, count, false);
}

/* ---- The working directory ---- */

long sys_getcwd(char __user *buf, size_t size)
{
    char *path = zalloc(PATH_MAX);
    if (path == NULL) {
        return -ENOMEM;
    }
    struct inode *cwd = fs_cwd(current_task()->fs);
    long length = path_of(cwd, path, PATH_MAX);
    inode_put(cwd);
    if (length > 0 && (u64)length > size) {
        length = -ERANGE;
    }
    if (length > 0 && copy_to_user(buf, path, length) < 0) {
        length = -EFAULT;
    }
    release(path);
    return length;
}

/* Takes over the reference. */
static long change_directory(struct inode *inode)
{
    struct fs *fs = current_task()->fs;

    if (!S_ISDIR(inode->mode)) {
        inode_put(inode);
        return -ENOTDIR;
    }
    mutex_lock(&fs->lock);
    struct inode *old = fs->cwd;
    fs->cwd = inode;
    mutex_unlock(&fs->lock);
    inode_put(old);
    return 0;
}

long sys_chdir(const char __user *path)
{
    struct inode *inode;
    long error = user_path_at(AT_FDCWD, path, 0, 0, &inode);
    return error < 0 ? error : change_directory(inode);
}

long sys_fchdir(int fd)
{
    struct file *file = fd_get(fd);
    if (file == NULL) {
        return -EBADF;
    }
    struct inode *inode = inode_get(file->inode);
    file_put(file);
    return change_directory(inode);
}

long sys_umask(u32 mask)
{
    return InterlockedExchange((volatile LONG *)&current_task()->fs->umask, mask & 0777);
}

/* ---- Changes that cannot be made ---- */

/* Making something at a path: -EEXIST when something is there, an error when its folder is not, else
   -EROFS. */
static long refuse_making(int dfd, const char __user *user_path)
{
    struct inode *base, *dir, *found;
    char *path, *last;
    long error = get_path(user_path, &path);
    if (error < 0) {
        return error;
    }
    error = path[0] == 0 ? -ENOENT : base_of(dfd, path, &base);
    if (error == 0) {
        error = path_walk_parent(base, path, &dir, &last);
        inode_put(base);
    }
    if (error == 0) {
        error = path_walk(dir, last, WALK_NOFOLLOW, &found); /* one name: nothing is put in front of it */
        if (error == 0) {
            inode_put(found);
        }
        error = error == 0 ? -EEXIST : -EROFS;
        inode_put(dir);
        release(last);
    }
    release(path);
    return error;
}

/* Changing or removing what a path names. */
static long refuse_changing(int dfd, const char __user *path, u32 walk_flags)
{
    struct inode *inode;
    long error = user_path_at(dfd, path, walk_flags, 0, &inode);
    if (error == 0) {
        inode_put(inode);
        error = -EROFS;
    }
    return error;
}

static long refuse_changing_file(int fd)
{
    struct file *file = fd_get_io(fd);
    file_put(file);
    return file == NULL ? -EBADF : -EROFS;
}

long sys_mkdirat(int dfd, const char __user *path, u32 mode)
{
    return refuse_making(dfd, path);
}

long sys_mkdir(const char __user *path, u32 mode)
{
    return refuse_making(AT_FDCWD, path);
}

long sys_mknodat(int dfd, const char __user *path, u32 mode, u64 dev)
{
    return refuse_making(dfd, path);
}

long sys_mknod(const char __user *path, u32 mode, u64 dev)
{
    return refuse_making(AT_FDCWD, path);
}

long sys_symlinkat(const char __user *target, int dfd, const char __user *path)
{
    char *text;
    long error = get_path(target, &text);
    if (error < 0) {
        return error;
    }
    error = text[0] == 0 ? -ENOENT : refuse_making(dfd, path);
    release(text);
    return error;
}

long sys_symlink(const char __user *target, const char __user *path)
{
    return sys_symlinkat(target, AT_FDCWD, path);
}

long sys_linkat(int from_dfd, const char __user *from, int to_dfd, const char __user *to, int flags)
{
    if (flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH)) {
        return -EINVAL;
    }
    long error = refuse_changing(from_dfd, from, flags & AT_SYMLINK_FOLLOW ? 0 : WALK_NOFOLLOW);
    return error == -EROFS ? refuse_making(to_dfd, to) : error;
}

long sys_link(const char __user *from, const char __user *to)
{
    return sys_linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
}

#define RENAME_EXCHANGE 2

long sys_renameat2(int from_dfd, const char __user *from, int to_dfd, const char __user *to, u32 flags)
{
    /* Not to replace and to exchange exclude each other. */
    return flags > 7 || ((flags & RENAME_EXCHANGE) && flags != RENAME_EXCHANGE)
               ? -EINVAL
               : refuse_changing(from_dfd, from, WALK_NOFOLLOW);
}

long sys_renameat(int from_dfd, const char __user *from, int to_dfd, const char __user *to)
{
    return refuse_changing(from_dfd, from, WALK_NOFOLLOW);
}

long sys_rename(const char __user *from, const char __user *to)
{
    return refuse_changing(AT_FDCWD, from, WALK_NOFOLLOW);
}

long sys_unlinkat(int dfd, const char __user *path, int flags)
{
    return flags & ~AT_REMOVEDIR ? -EINVAL : refuse_changing(dfd, path, WALK_NOFOLLOW);
}

long sys_unlink(const char __user *path)
{
    return refuse_changing(AT_FDCWD, path, WALK_NOFOLLOW);
}

long sys_rmdir(const char __user *path)
{
    return refuse_changing(AT_FDCWD, path, WALK_NOFOLLOW);
}

long sys_fchmodat(int dfd, const char __user *path, u32 mode)
{
    return refuse_changing(dfd, path, 0);
}

long sys_chmod(const char __user *path, u32 mode)
{
    return refuse_changing(AT_FDCWD, path, 0);
}

long sys_fchmod(int fd, u32 mode)
{
    return refuse_changing_file(fd);
}

long sys_fchownat(int dfd, const char __user *path, u32 uid, u32 gid, int flags)
{
    return refuse_changing(dfd, path, flags & AT_SYMLINK_NOFOLLOW ? WALK_NOFOLLOW : 0);
}

long sys_chown(const char __user *path, u32 uid, u32 gid)
{
    return refuse_changing(AT_FDCWD, path, 0);
}

long sys_lchown(const char __user *path, u32 uid, u32 gid)
{
    return refuse_changing(AT_FDCWD, path, WALK_NOFOLLOW);
}

long sys_fchown(int fd, u32 uid, u32 gid)
{
    return refuse_changing_file(fd);
}

long sys_utimensat(int dfd, const char __user *path, const struct timespec __user *times, int flags)
{
    if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) {
        return -EINVAL;
    }
    return path == NULL && dfd != AT_FDCWD
               ? refuse_changing_file(dfd)
               : refuse_changing(dfd, path, flags & AT_SYMLINK_NOFOLLOW ? WALK_NOFOLLOW : 0);
}

long sys_truncate(const char __user *path, s64 length)
{
    struct inode *inode;

    if (length < 0) {
        return -EINVAL;
    }
    long error = user_path_at(AT_FDCWD, path, 0, 0, &inode);
    if (error == 0) {
        error = S_ISDIR(inode->mode) ? -EISDIR : S_ISREG(inode->mode) ? -EROFS : -EINVAL;
        inode_put(inode);
    }
    return error;
}

long sys_ftruncate(int fd, s64 length)
{
    if (length < 0) {
        return -EINVAL;
    }
    struct file *file = fd_get_io(fd);
    file_put(file); /* no regular file is ever open for writing */
    return file == NULL ? -EBADF : -EINVAL;
}
