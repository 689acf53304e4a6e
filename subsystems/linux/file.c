/* SPDX-License-Identifier: MIT */
/*
 * Open files, working directories and descriptors: descriptor table -> open file description (offset, flags;
 * shared by dup and fork) -> inode. A table's lock is held only to look and to change it, never across an
 * operation on a file.
 */
#include "linux.h"

#define FIRST_TABLE 32

/* ---- Open files ---- */

/* Is it among those that keep programs from running the file? */
static bool keeps_from_running(const struct file *file)
{
    return S_ISREG(file->inode->mode) && file_writable(file);
}

static long start_file(struct file *file)
{
    long error = keeps_from_running(file) ? inode_get_write(file->inode) : 0;

    if (error == 0 && file->ops != NULL && file->ops->open != NULL && !(file->flags & O_PATH)) {
        struct inode *inode = file->inode; /* which open may replace */
        bool keeps = keeps_from_running(file);
        error = file->ops->open(inode, file);
        if (error < 0 && keeps) {
            inode_put_write(inode);
        }
    }
    return error;
}

struct file *file_open(struct inode *inode, u32 flags, long *error)
{
    struct file *file = zalloc(sizeof(*file));
    if (file == NULL) {
        *error = -ENOMEM;
        return NULL;
    }
    file->refs = 1;
    file->flags = flags & ~(O_CREAT | O_EXCL | O_TRUNC | O_CLOEXEC);
    mutex_init(&file->lock);
    file->inode = inode_get(inode);
    file->ops = inode->fops;
    *error = start_file(file);
    if (*error < 0) {
        inode_put(file->inode);
        release(file);
        return NULL;
    }
    file->flags &= ~O_NOCTTY;
    return file;
}

void file_put(struct file *file)
{
    if (file == NULL || InterlockedDecrement(&file->refs) != 0) {
        return;
    }
    if (file->closing != NULL) {
        file->closing(file);
    }
    if (file->ops != NULL && file->ops->release != NULL && !(file->flags & O_PATH)) {
        file->ops->release(file);
    }
    locks_end_file(file);
    if (keeps_from_running(file)) {
        inode_put_write(file->inode);
    }
    inode_put(file->inode);
    release(file);
}

#define NS_A_DAY 86400000000000L

/* The time of the last access is kept as if by "relatime": it moves when it is not behind the last change, or
   old. */
void file_accessed(struct file *file)
{
    struct inode *inode = file->inode;

    if (file->flags & O_NOATIME) {
        return;
    }
    s64 now = current_time();
    if (inode->atime <= inode->mtime || inode->atime <= inode->ctime || now - inode->atime >= NS_A_DAY) {
        inode->atime = now;
    }
}

struct file *file_anonymous(const char *name, const struct file_operations *ops, void *data, u32 flags, long *error)
{
    struct inode *inode = inode_new(0600, DEV_ANON);
    if (inode == NULL) {
        *error = -ENOMEM;
        return NULL;
    }
    struct text text = {.data = inode->own_name, .size = sizeof(inode->own_name) - 1, .fixed = true};
    print(&text, "anon_inode:%s", name);
    struct file *file = file_open(inode, flags, error);
    inode_put(inode);
    if (file != NULL) {
        file->ops = ops;
        file->data = data;
    }
    return file;
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
        inode_put(fs->root);
        release(fs);
    }
}

struct fs *fs_copy(struct fs *fs)
{
    struct fs *copy = zalloc(sizeof(*copy));
    if (copy != NULL) {
        copy->refs = 1;
        mutex_init(&copy->lock);
        mutex_lock(&fs->lock);
        copy->cwd = inode_get(fs->cwd);
        copy->root = fs->root != NULL ? inode_get(fs->root) : NULL;
        copy->umask = fs->umask;
        mutex_unlock(&fs->lock);
    }
    return copy;
}

struct inode *fs_cwd(struct fs *fs)
{
    mutex_lock(&fs->lock);
    struct inode *cwd = inode_get(fs->cwd);
    mutex_unlock(&fs->lock);
    return cwd;
}

/* ---- Descriptor tables ---- */

static struct files *files_new(u32 size)
{
    struct files *files = zalloc(sizeof(*files));
    if (files == NULL) {
        return NULL;
    }
    files->refs = 1;
    mutex_init(&files->lock);
    files->size = size;
    files->table = zalloc(size * sizeof(*files->table));
    if (files->table == NULL) {
        release(files);
        return NULL;
    }
    return files;
}

struct files *files_create(void)
{
    return files_new(FIRST_TABLE);
}

/* A descriptor of the table does not stand for the file any more; takes over the reference. NULL is fine. */
static void descriptor_end(struct files *files, struct file *file)
{
    if (file != NULL) {
        locks_end_owner(file->inode, files);
        file_put(file);
    }
}

void files_put(struct files *files)
{
    if (files == NULL || InterlockedDecrement(&files->refs) != 0) {
        return;
    }
    for (u32 fd = 0; fd < files->size; fd++) {
        descriptor_end(files, files->table[fd].file);
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
    to->lowest_free = from->lowest_free;
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
    u32 limit = descriptor_limit();
    long error = 0;

    mutex_lock(&files->lock);
    u32 fd = from > files->lowest_free ? from : files->lowest_free;
    while (fd < files->size && files->table[fd].file != NULL) {
        fd++;
    }
    error = fd >= limit ? -EMFILE : files_grow(files, fd);
    if (error == 0) {
        files->table[fd] = (struct descriptor){file, close_on_exec};
        if (from <= files->lowest_free) {
            files->lowest_free = fd + 1;
        }
    }
    mutex_unlock(&files->lock);
    if (error < 0) {
        file_put(file);
    }
    return error < 0 ? error : (long)fd;
}

long fd_anonymous(const char *name, const struct file_operations *ops, void *data, u32 flags)
{
    long error;
    struct file *file = file_anonymous(name, ops, data, flags, &error);

    if (file == NULL) {
        release(data);
        return error;
    }
    return fd_install(current_task()->files, file, 0, (flags & O_CLOEXEC) != 0);
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
        files->lowest_free = min(files->lowest_free, fd);
    }
    mutex_unlock(&files->lock);
    return file;
}

bool files_closes_on_exec(struct files *files, u32 fd)
{
    mutex_lock(&files->lock);
    bool closes = fd < files->size && files->table[fd].close_on_exec;
    mutex_unlock(&files->lock);
    return closes;
}

void files_close_on_exec(struct files *files)
{
    for (long fd = files_next(files, 0); fd >= 0; fd = files_next(files, fd + 1)) {
        mutex_lock(&files->lock);
        bool close = files->table[fd].close_on_exec;
        mutex_unlock(&files->lock);
        if (close) {
            descriptor_end(files, files_remove(files, fd));
        }
    }
}

/* ---- Paths from programs ---- */

long get_path(const char __user *path, char **out)
{
    SIZE_T length = 0;
    char *buffer = alloc_page();
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
        *base = current_root();
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

long user_name_at(int dfd, const char __user *path, struct user_name *name)
{
    struct inode *base;

    *name = (struct user_name){.path = NULL};
    long error = get_path(path, &name->path);
    if (error == 0) {
        error = name->path[0] == 0 ? -ENOENT : base_of(dfd, name->path, &base);
    }
    if (error < 0) {
        return error;
    }
    error = S_ISDIR(base->mode) ? path_walk_parent(base, name->path, &name->name) : -ENOTDIR;
    inode_put(base);
    return error;
}

void user_name_put(struct user_name *name)
{
    inode_put(name->name.dir);
    release(name->path);
}

/* ---- close ---- */

long sys_close(u32 fd)
{
    struct file *file = files_remove(current_task()->files, fd);
    if (file == NULL) {
        return -EBADF;
    }
    descriptor_end(current_task()->files, file);
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

/* ---- dup ---- */

long fd_dup(int fd, u32 from, bool close_on_exec)
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
    if (error < 0) {
        file_put(file);
        return error;
    }
    descriptor_end(files, old);
    return to;
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

long fd_flags(u32 fd, bool set, bool close_on_exec)
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
