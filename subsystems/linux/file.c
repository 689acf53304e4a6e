/* SPDX-License-Identifier: MIT */
/*
 * Open files, working directories and descriptors: descriptor table -> open file description (offset, flags; shared by dup and
 * fork) -> inode. A table's lock is held only to look and to change it, never across an operation on a file.
 */
#include "linux.h"

#define FIRST_TABLE 32

/* ---- Open files ---- */

struct file *file_open(struct inode *inode, u32 flags, long *error)
{
    struct file *file = zalloc(sizeof(*file));
    if (file == NULL) {
        *error = -ENOMEM;
        return NULL;
    }
    file->refs = 1;
    file->flags = flags & ~(O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC);
    mutex_init(&file->lock);
    file->inode = inode_get(inode);
    file->ops = inode->fops;
    if (file->ops != NULL && file->ops->open != NULL && !(flags & O_PATH)) {
        *error = file->ops->open(inode, file);
        if (*error < 0) {
            inode_put(file->inode);
            release(file);
            return NULL;
        }
    }
    return file;
}

void file_put(struct file *file)
{
    if (file == NULL || InterlockedDecrement(&file->refs) != 0) {
        return;
    }
    if (file->ops != NULL && file->ops->release != NULL && !(file->flags & O_PATH)) {
        file->ops->release(file);
    }
    inode_put(file->inode);
    release(file);
}

/* ---- Working directories ---- */

struct fs *fs_create(struct inode *cwd)
{
    struct fs *fs = zalloc(sizeof(*fs));
    if (fs != NULL) {
        fs->refs = 1;
        mutex_init(&fs->lock);
        fs->cwd = inode_get(cwd);
        fs->umask = 022;
    }
    return fs;
}

void fs_put(struct fs *fs)
{
    if (fs != NULL && InterlockedDecrement(&fs->refs) == 0) {
        inode_put(fs->cwd);
        release(fs);
    }
}

struct inode *fs_cwd(struct fs *fs)
{
    mutex_lock(&fs->lock);
    struct inode *cwd = inode_get(fs->cwd);
    mutex_unlock(&fs->lock);
    return cwd;
}

struct fs *fs_copy(struct fs *fs)
{
    struct inode *cwd = fs_cwd(fs);
    struct fs *copy = fs_create(cwd);
    inode_put(cwd);
    if (copy != NULL) {
        copy->umask = fs->umask;
    }
    return copy;
}

/* ---- Descriptor tables ---- */

struct files *files_create(void)
{
    struct files *files = zalloc(sizeof(*files));
    if (files == NULL) {
        return NULL;
    }
    files->refs = 1;
    mutex_init(&files->lock);
    files->size = FIRST_TABLE;
    files->table = zalloc(FIRST_TABLE * sizeof(*files->table));
    if (files->table == NULL) {
        release(files);
        return NULL;
    }
    return files;
}

void files_put(struct files *files)
{
    if (files == NULL || InterlockedDecrement(&files->refs) != 0) {
        return;
    }
    for (u32 fd = 0; fd < files->size; fd++) {
        file_put(files->table[fd].file);
    }
    release(files->table);
    release(files);
}

/* Makes room for descriptor fd. The lock is held. */
static long files_grow(struct files *files, u32 fd)
{
    u32 size = files->size;
    while (size <= fd) {
        size *= 2;
    }
    if (size == files->size) {
        return 0;
    }
    struct descriptor *table = zalloc(size * sizeof(*table));
    if (table == NULL) {
        return -ENOMEM;
    }
    memcpy(table, files->table, files->size * sizeof(*table));
    release(files->table);
    files->table = table;
    files->size = size;
    return 0;
}

/* A table of the same size, made without the lock: it may have grown meanwhile. */
static bool copy_table(struct files *to, struct files *from)
{
    mutex_lock(&from->lock);
    bool fits = to->size >= from->size;
    for (u32 fd = 0; fits && fd < from->size; fd++) {
        to->table[fd] = from->table[fd];
        if (to->table[fd].file != NULL) {
            InterlockedIncrement(&to->table[fd].file->refs);
        }
    }
    mutex_unlock(&from->lock);
    return fits;
}

struct files *files_copy(struct files *files)
{
    struct files *copy = files_create();

    while (copy != NULL && !copy_table(copy, files)) {
        if (files_grow(copy, files->size - 1) < 0) {
            files_put(copy);
            return NULL;
        }
    }
    return copy;
}

/* One past the greatest descriptor that the current program may have. */
static u32 descriptor_limit(void)
{
    struct process *process = current_process();
    u64 limit = process != NULL ? process->rlimits[RLIMIT_NOFILE].rlim_cur : NR_OPEN;
    return min(limit, NR_OPEN);
}

long fd_install(struct files *files, struct file *file, u32 from, bool close_on_exec)
{
    u32 fd = from;
    u32 limit = descriptor_limit();
    long error = 0;

    mutex_lock(&files->lock);
    while (fd < files->size && files->table[fd].file != NULL) {
        fd++;
    }
    error = fd >= limit ? -EMFILE : files_grow(files, fd);
    if (error == 0) {
        files->table[fd] = (struct descriptor){file, close_on_exec};
    }
    mutex_unlock(&files->lock);
    if (error < 0) {
        file_put(file);
    }
    return error < 0 ? error : (long)fd;
}

struct file *files_get(struct files *files, u32 fd)
{
    struct file *file = NULL;

    mutex_lock(&files->lock);
    if (fd < files->size && files->table[fd].file != NULL) {
        file = files->table[fd].file;
        InterlockedIncrement(&file->refs);
    }
    mutex_unlock(&files->lock);
    return file;
}

struct file *fd_get(int fd)
{
    return files_get(current_task()->files, fd);
}

struct file *fd_get_io(int fd)
{
    struct file *file = fd_get(fd);
    if (file != NULL && (file->flags & O_PATH)) {
        file_put(file);
        return NULL;
    }
    return file;
}

long files_next(struct files *files, u32 from)
{
    mutex_lock(&files->lock);
    while (from < files->size && files->table[from].file == NULL) {
        from++;
    }
    long found = from < files->size ? (long)from : -ENOENT;
    mutex_unlock(&files->lock);
    return found;
}

/* Takes the file out of a descriptor; its reference goes to the caller. NULL: nothing was there. */
static struct file *files_remove(struct files *files, u32 fd)
{
    struct file *file = NULL;

    mutex_lock(&files->lock);
    if (fd < files->size) {
        file = files->table[fd].file;
        files->table[fd] = (struct descriptor){0};
    }
    mutex_unlock(&files->lock);
    return file;
}

void files_close_on_exec(struct files *files)
{
    for (long fd = files_next(files, 0); fd >= 0; fd = files_next(files, fd + 1)) {
        mutex_lock(&files->lock);
        bool close = files->table[fd].close_on_exec;
        mutex_unlock(&files->lock);
        if (close) {
            file_put(files_remove(files, fd));
        }
    }
}

/* ---- Paths from programs ---- */

long get_path(const char __user *path, char **out)
{
    SIZE_T length = 0;
    char *buffer = zalloc(PATH_MAX);
    if (buffer == NULL) {
        return -ENOMEM;
    }
    NTSTATUS status = kernel.CopyStringFromUser(buffer, path, PATH_MAX, &length);
    if (!NT_SUCCESS(status)) {
        release(buffer);
        return status == STATUS_ACCESS_VIOLATION || status == STATUS_IN_PAGE_ERROR ? -EFAULT : -ENAMETOOLONG;
    }
    *out = buffer;
    return 0;
}

/* Where a path starts: *base is referenced. */
long base_of(int dfd, const char *path, struct inode **base)
{
    if (path[0] == '/') {
        *base = inode_get(root_inode);
        return 0;
    }
    if (dfd == AT_FDCWD) {
        *base = fs_cwd(current_task()->fs);
        return 0;
    }
    struct file *file = fd_get(dfd);
    if (file == NULL) {
        return -EBADF;
    }
    *base = inode_get(file->inode);
    file_put(file);
    return 0;
}

long path_at(int dfd, char *path, u32 walk_flags, u32 at_flags, struct inode **out)
{
    struct inode *base;

    if (path[0] == 0 && !(at_flags & AT_EMPTY_PATH)) {
        return -ENOENT;
    }
    long error = base_of(dfd, path, &base);
    if (error < 0) {
        return error;
    }
    if (path[0] == 0) {
        *out = base;
        return 0;
    }
    error = S_ISDIR(base->mode) ? path_walk(base, path, walk_flags, out) : -ENOTDIR;
    inode_put(base);
    return error;
}

long user_path_at(int dfd, const char __user *user_path, u32 walk_flags, u32 at_flags, struct inode **out)
{
    char *path;
    long error = get_path(user_path, &path);
    if (error < 0) {
        return error;
    }
    error = path_at(dfd, path, walk_flags, at_flags, out);
    release(path);
    return error;
}

/* ---- open ---- */

/* What an open without a file there would have made, on a tree that cannot be written: the folder must be
   there at least. The path, of which nothing is left, ends with a slash (for a folder) or not. */
static long open_missing(int dfd, char *path, bool folder)
{
    struct inode *base, *dir;
    char *last;

    long error = base_of(dfd, path, &base);
    if (error < 0) {
        return error;
    }
    error = path_walk_parent(base, path, &dir, &last);
    inode_put(base);
    if (error < 0) {
        return error == -EEXIST ? -EISDIR : error;
    }
    inode_put(dir);
    release(last);
    return folder ? -EISDIR : -EROFS;
}

/* May this file be opened so? */
static long may_open(const struct inode *inode, u32 flags)
{
    bool write = (flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC);

    if ((flags & O_CREAT) && (flags & O_EXCL)) {
        return -EEXIST;
    }
    if (S_ISDIR(inode->mode)) {
        return write || (flags & O_CREAT) ? -EISDIR : 0;
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
    if (S_ISREG(inode->mode) && write) {
        return inode->dev == DEV_PROC ? -EACCES : -EROFS;
    }
    return 0;
}

static long open_inode(struct inode *inode, u32 flags)
{
    long error = may_open(inode, flags);
    if (error < 0) {
        return error;
    }
    struct file *file = file_open(inode, flags, &error);
    if (file == NULL) {
        return error;
    }
    return fd_install(current_task()->files, file, 0, (flags & O_CLOEXEC) != 0);
}

/* What flags and a path that has been copied lead to; the walk overwrites the path. */
static long open_walk(int dfd, char *path, u32 flags, struct inode **out)
{
    bool exclusive = (flags & O_CREAT) && (flags & O_EXCL);
    size_t length = strlen(path);
    bool slash = length != 0 && path[length - 1] == '/';
    char *again = flags & O_CREAT ? copy_string(path) : NULL;

    if ((flags & O_CREAT) && again == NULL) {
        return -ENOMEM;
    }
    long error = path_at(dfd, path, (flags & O_NOFOLLOW) || exclusive ? WALK_NOFOLLOW : 0, 0, out);
    if (again != NULL && length != 0 && (error == -ENOENT || (error == -ENOTDIR && slash))) {
        error = open_missing(dfd, again, slash);
    }
    release(again);
    return error;
}

static long open_path(int dfd, const char __user *user_path, u32 flags)
{
    struct inode *inode;
    char *path;

    long error = get_path(user_path, &path);
    if (error < 0) {
        return error;
    }
    error = open_walk(dfd, path, flags, &inode);
    release(path);
    if (error < 0) {
        return error;
    }
    long fd = flags & __O_TMPFILE ? (S_ISDIR(inode->mode) ? -EROFS : -ENOTDIR) : open_inode(inode, flags);
    inode_put(inode);
    return fd;
}

long sys_openat(int dfd, const char __user *path, int flags, u32 mode)
{
    flags &= O_KNOWN;
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
    return open_path(dfd, path, flags);
}

long sys_open(const char __user *path, int flags, u32 mode)
{
    return sys_openat(AT_FDCWD, path, flags, mode);
}

long sys_creat(const char __user *path, u32 mode)
{
    return sys_openat(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

long sys_close(u32 fd)
{
    struct file *file = files_remove(current_task()->files, fd);
    if (file == NULL) {
        return -EBADF;
    }
    file_put(file);
    return 0;
}

long fd_install_pair(struct file *files[2], bool close_on_exec, s32 __user *fds)
{
    struct files *table = current_task()->files;
    s32 made[2];

    long fd = fd_install(table, files[0], 0, close_on_exec);
    if (fd < 0) {
        file_put(files[1]);
        return fd;
    }
    made[0] = fd;
    fd = fd_install(table, files[1], 0, close_on_exec);
    if (fd < 0) {
        sys_close(made[0]);
        return fd;
    }
    made[1] = fd;
    if (copy_to_user(fds, made, sizeof(made)) < 0) {
        sys_close(made[0]);
        sys_close(made[1]);
        return -EFAULT;
    }
    return 0;
}

#define CLOSE_RANGE_UNSHARE 2
#define CLOSE_RANGE_CLOEXEC 4

long sys_close_range(u32 first, u32 last, u32 flags)
{
    struct files *files = current_task()->files;

    if (first > last || (flags & ~(u32)(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC))) {
        return -EINVAL;
    }
    for (long fd = files_next(files, first); fd >= 0 && fd <= last; fd = files_next(files, fd + 1)) {
        if (!(flags & CLOSE_RANGE_CLOEXEC)) {
            file_put(files_remove(files, fd));
            continue;
        }
        mutex_lock(&files->lock);
        files->table[fd].close_on_exec = files->table[fd].file != NULL;
        mutex_unlock(&files->lock);
    }
    return 0;
}

/* ---- dup, fcntl ---- */

static long dup_from(int fd, u32 from, bool close_on_exec)
{
    struct file *file = fd_get(fd);
    if (file == NULL) {
        return -EBADF;
    }
    if (from >= descriptor_limit()) {
        file_put(file);
        return -EINVAL;
    }
    return fd_install(current_task()->files, file, from, close_on_exec);
}

long sys_dup(int fd)
{
    struct file *file = fd_get(fd);
    return file == NULL ? -EBADF : fd_install(current_task()->files, file, 0, false);
}

/* Puts a copy of descriptor from at a certain place, closing what is there. */
static long dup_to(int from, u32 to, bool close_on_exec)
{
    struct files *files = current_task()->files;
    struct file *file = fd_get(from);
    if (file == NULL || to >= descriptor_limit()) {
        file_put(file);
        return -EBADF;
    }
    struct file *old = NULL;
    mutex_lock(&files->lock);
    long error = files_grow(files, to);
    if (error == 0) {
        old = files->table[to].file;
        files->table[to] = (struct descriptor){file, close_on_exec};
    }
    mutex_unlock(&files->lock);
    file_put(error < 0 ? file : old);
    return error < 0 ? error : (long)to;
}

long sys_dup2(int from, int to)
{
    if (from == to) {
        struct file *file = fd_get(from);
        file_put(file);
        return file == NULL ? -EBADF : to;
    }
    return dup_to(from, to, false);
}

long sys_dup3(int from, int to, int flags)
{
    if ((flags & ~O_CLOEXEC) || from == to) {
        return -EINVAL;
    }
    return dup_to(from, to, (flags & O_CLOEXEC) != 0);
}

static long descriptor_flags(u32 fd, bool set, bool close_on_exec)
{
    struct files *files = current_task()->files;
    long result = -EBADF;

    mutex_lock(&files->lock);
    if (fd < files->size && files->table[fd].file != NULL) {
        result = files->table[fd].close_on_exec ? FD_CLOEXEC : 0;
        if (set) {
            files->table[fd].close_on_exec = close_on_exec;
            result = 0;
        }
    }
    mutex_unlock(&files->lock);
    return result;
}

#define SETTABLE_FLAGS (O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME)

/* One program's locks never conflict with themselves: each is granted, and none is in the way. */
static long lock_file(struct file *file, u32 command, struct flock __user *user_lock)
{
    struct flock lock;

    if (copy_from_user(&lock, user_lock, sizeof(lock)) < 0) {
        return -EFAULT;
    }
    if ((u16)lock.l_type > (command == F_GETLK ? F_WRLCK : F_UNLCK) || (u16)lock.l_whence > SEEK_END) {
        return -EINVAL;
    }
    if (command == F_GETLK) {
        lock.l_type = F_UNLCK;
        return copy_to_user(user_lock, &lock, sizeof(lock));
    }
    return (lock.l_type == F_RDLCK && !file_readable(file)) ||
                   (lock.l_type == F_WRLCK && !file_writable(file))
               ? -EBADF
               : 0;
}

static long file_control(struct file *file, u32 command, u64 argument)
{
    switch (command) {
    case F_GETFL:
        return file->flags;
    case F_SETFL:
        file->flags = (file->flags & ~SETTABLE_FLAGS) | (argument & SETTABLE_FLAGS);
        return 0;
    case F_GETLK:
    case F_SETLK:
    case F_SETLKW:
        return lock_file(file, command, (struct flock __user *)argument);
    case F_SETPIPE_SZ:
    case F_GETPIPE_SZ:
        return file->ops != NULL && file->ops->control != NULL ? file->ops->control(file, command, argument) : -EBADF;
    case F_SETOWN:
    case F_GETOWN:
        return 0;
    default:
        return -EINVAL;
    }
}

long sys_fcntl(int fd, u32 command, u64 argument)
{
    switch (command) {
    case F_DUPFD:
    case F_DUPFD_CLOEXEC:
        return dup_from(fd, argument, command == F_DUPFD_CLOEXEC);
    case F_GETFD:
        return descriptor_flags(fd, false, false);
    case F_SETFD:
        return descriptor_flags(fd, true, (argument & FD_CLOEXEC) != 0);
    }
    struct file *file = fd_get(fd);
    if (file == NULL) {
        return -EBADF;
    }
    long result =
        (file->flags & O_PATH) && command != F_GETFL ? -EBADF : file_control(file, command, argument);
    file_put(file);
    return result;
}

static long set_nonblocking(struct file *file, const s32 __user *on)
{
    s32 value;
    if (copy_from_user(&value, on, sizeof(value)) < 0) {
        return -EFAULT;
    }
    file->flags = value != 0 ? file->flags | O_NONBLOCK : file->flags & ~O_NONBLOCK;
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
    long result = command == FIOCLEX || command == FIONCLEX ? descriptor_flags(fd, true, command == FIOCLEX)
                                                            : file_ioctl(file, command, argument);
    file_put(file);
    return result;
}
