/* SPDX-License-Identifier: MIT */
/* Folders: getdents, getcwd, chdir, chroot; and the calls that make, remove and rename what is in them. */
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
    struct inode *cwd = fs_cwd(current_task()->fs), *root = current_root();
    long length = inode_is_gone(cwd) ? -ENOENT : path_below(cwd, root, path, PATH_MAX);
    inode_put(root);
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

long sys_chroot(const char __user *path)
{
    struct fs *fs = current_task()->fs;
    struct inode *inode;

    long error = user_path_at(AT_FDCWD, path, 0, 0, &inode);
    if (error < 0) {
        return error;
    }
    if (!S_ISDIR(inode->mode)) {
        inode_put(inode);
        return -ENOTDIR;
    }
    mutex_lock(&fs->lock);
    struct inode *old = fs->root;
    fs->root = inode;
    mutex_unlock(&fs->lock);
    inode_put(old);
    return 0;
}

/* ---- Making ---- */

/* Puts a new inode, whose reference it takes over, where a path says. */
static long make_at(const struct user_name *name, struct inode *inode)
{
    long error = inode == NULL ? -ENOSPC : name_create(&name->name, inode);
    inode_put(inode);
    return error;
}

static long make_file(int dfd, const char __user *path, u32 mode, u64 rdev)
{
    struct user_name name;

    long error = user_name_at(dfd, path, &name);
    if (error == 0) {
        error = name_may_create(&name.name, S_ISDIR(mode));
    }
    if (error == 0) {
        error = make_at(&name, tree_new(name.name.dir, mode & ~current_task()->fs->umask, rdev));
    }
    user_name_put(&name);
    return error;
}

long sys_mkdirat(int dfd, const char __user *path, u32 mode)
{
    return make_file(dfd, path, S_IFDIR | (mode & (0777 | S_ISVTX)), 0);
}

long sys_mkdir(const char __user *path, u32 mode)
{
    return sys_mkdirat(AT_FDCWD, path, mode);
}

long sys_mknodat(int dfd, const char __user *path, u32 mode, u32 rdev)
{
    u32 type = mode & S_IFMT;

    switch (type) {
    case 0:
    case S_IFREG:
        return make_file(dfd, path, S_IFREG | (mode & S_IALLUGO), 0);
    case S_IFCHR:
    case S_IFBLK:
        return make_file(dfd, path, mode & (S_IFMT | S_IALLUGO), rdev);
    case S_IFIFO:
    case S_IFSOCK:
        return make_file(dfd, path, mode & (S_IFMT | S_IALLUGO), 0);
    default:
        return type == S_IFDIR ? -EPERM : -EINVAL;
    }
}

long sys_mknod(const char __user *path, u32 mode, u32 rdev)
{
    return sys_mknodat(AT_FDCWD, path, mode, rdev);
}

long sys_symlinkat(const char __user *user_target, int dfd, const char __user *path)
{
    struct user_name name;
    char *target;

    long error = get_path(user_target, &target);
    if (error < 0) {
        return error;
    }
    if (target[0] == 0) {
        release(target);
        return -ENOENT;
    }
    error = user_name_at(dfd, path, &name);
    if (error == 0) {
        error = name_may_create(&name.name, false);
    }
    if (error == 0) {
        error = make_at(&name, tree_new_link(target, strlen(target)));
    }
    user_name_put(&name);
    release(target);
    return error;
}

long sys_symlink(const char __user *target, const char __user *path)
{
    return sys_symlinkat(target, AT_FDCWD, path);
}

long sys_linkat(int from_dfd, const char __user *from, int to_dfd, const char __user *to, int flags)
{
    struct user_name name;
    struct inode *inode;

    if (flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH)) {
        return -EINVAL;
    }
    long error = user_path_at(from_dfd, from, flags & AT_SYMLINK_FOLLOW ? 0 : WALK_NOFOLLOW, flags, &inode);
    if (error < 0) {
        return error;
    }
    error = user_name_at(to_dfd, to, &name);
    if (error == 0) {
        error = name_link(&name.name, inode);
    }
    user_name_put(&name);
    inode_put(inode);
    return error;
}

long sys_link(const char __user *from, const char __user *to)
{
    return sys_linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
}

/* ---- Removing and renaming ---- */

long sys_unlinkat(int dfd, const char __user *path, int flags)
{
    struct user_name name;

    if (flags & ~AT_REMOVEDIR) {
        return -EINVAL;
    }
    long error = user_name_at(dfd, path, &name);
    if (error == 0) {
        error = flags & AT_REMOVEDIR ? name_rmdir(&name.name) : name_unlink(&name.name);
    }
    user_name_put(&name);
    return error;
}

long sys_unlink(const char __user *path)
{
    return sys_unlinkat(AT_FDCWD, path, 0);
}

long sys_rmdir(const char __user *path)
{
    return sys_unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

long sys_renameat2(int from_dfd, const char __user *from, int to_dfd, const char __user *to, u32 flags)
{
    struct user_name from_name, to_name = {.path = NULL};

    /* Not to replace and to exchange exclude each other; nor is there any other flag here. */
    if ((flags & ~(u32)(RENAME_NOREPLACE | RENAME_EXCHANGE)) ||
        flags == (RENAME_NOREPLACE | RENAME_EXCHANGE)) {
        return -EINVAL;
    }
    long error = user_name_at(from_dfd, from, &from_name);
    if (error == 0) {
        error = user_name_at(to_dfd, to, &to_name);
    }
    if (error == 0) {
        error = name_rename(&from_name.name, &to_name.name, flags);
    }
    user_name_put(&to_name);
    user_name_put(&from_name);
    return error;
}

long sys_renameat(int from_dfd, const char __user *from, int to_dfd, const char __user *to)
{
    return sys_renameat2(from_dfd, from, to_dfd, to, 0);
}

long sys_rename(const char __user *from, const char __user *to)
{
    return sys_renameat2(AT_FDCWD, from, AT_FDCWD, to, 0);
}
