/* SPDX-License-Identifier: MIT */
/* Reading and writing: read, write, their vector and positioned forms, lseek, sendfile. */
#include "linux.h"

/* May file be transferred from or to (write), and is the memory the program's? */
static long may_transfer(const struct file *file, bool write, const void __user *buf, size_t count)
{
    bool folder = S_ISDIR(file->inode->mode);

    if (write ? !file_writable(file) : !file_readable(file)) {
        return -EBADF;
    }
    if (!folder && (file->ops == NULL || (write ? file->ops->write == NULL : file->ops->read == NULL))) {
        return -EINVAL;
    }
    return !access_ok(buf, count) ? -EFAULT : folder ? -EISDIR : 0;
}

static bool is_valid_position(u64 pos, size_t count)
{
    return (s64)pos >= 0 && (s64)(pos + count) >= 0;
}

static long transfer(struct file *file, bool write, struct iobuf *buf, u64 *pos)
{
    if (pos != NULL && !is_valid_position(*pos, buf->left)) {
        return -EINVAL;
    }
    buf->left = min(buf->left, MAX_RW_COUNT);
    if (buf->left == 0) {
        return 0;
    }
    return write ? file->ops->write(file, buf, pos) : file->ops->read(file, buf, pos);
}

/* At the file's own offset, which moves along under its lock; streams have neither. */
long file_transfer(struct file *file, bool write, struct iobuf *buf)
{
    if (file->ops->stream) {
        return transfer(file, write, buf, NULL);
    }
    mutex_lock(&file->lock);
    long done = transfer(file, write, buf, &file->pos);
    mutex_unlock(&file->lock);
    return done;
}

/* All the checks, in Linux's order. */
static NOINLINE long read_or_write_checked(struct file *file, bool write, const void __user *base,
                                           size_t count)
{
    struct iobuf iobuf = user_buf(base, count), *buf = &iobuf;
    long result = may_transfer(file, write, buf->at, buf->left);
    if (result == 0 && count == 0 && file->ops->asked_for_none) {
        return write ? file->ops->write(file, buf, NULL) : file->ops->read(file, buf, NULL);
    }
    return result < 0 ? result : file_transfer(file, write, buf);
}

/* A stream that may be used so, and memory that may be the program's, need no more checks. */
static FORCEINLINE long read_or_write(int fd, bool write, const void __user *base, size_t count)
{
    bool counted;
    struct file *file = fd_borrow(fd, &counted);
    long result;

    if (file == NULL) {
        return -EBADF;
    }
    const struct file_operations *ops = file->ops;
    if (ops == NULL || !ops->stream || (write ? ops->write : ops->read) == NULL ||
        !(write ? file_writable(file) : file_readable(file)) || count - 1 >= MAX_RW_COUNT ||
        !access_ok(base, count)) {
        result = read_or_write_checked(file, write, base, count);
    } else {
        struct iobuf buf = user_buf(base, count);
        result = write ? ops->write(file, &buf, NULL) : ops->read(file, &buf, NULL);
    }
    fd_return(file, counted);
    return result;
}

long sys_read(int fd, void __user *buf, size_t count)
{
    return read_or_write(fd, false, buf, count);
}

long sys_write(int fd, const void __user *buf, size_t count)
{
    return read_or_write(fd, true, buf, count);
}

static long positioned(int fd, bool write, const void __user *base, size_t count, s64 offset)
{
    if (offset < 0) {
        return -EINVAL;
    }
    struct file *file = fd_get_io(fd);
    if (file == NULL) {
        return -EBADF;
    }
    u64 pos = offset;
    struct iobuf buf = user_buf(base, count);
    long result = file->ops != NULL && file->ops->stream ? -ESPIPE : may_transfer(file, write, base, count);
    if (result == 0) {
        result = transfer(file, write, &buf, &pos);
    }
    file_put(file);
    return result;
}

long sys_pread64(int fd, void __user *buf, size_t count, s64 offset)
{
    return positioned(fd, false, buf, count, offset);
}

long sys_pwrite64(int fd, const void __user *buf, size_t count, s64 offset)
{
    return positioned(fd, true, buf, count, offset);
}

/* ---- Vectors ---- */

/* Both loops, as Linux has them: a bad length is found before a bad address. */
static long check_vector(const struct iovec *pieces, u64 count, u64 *total)
{
    *total = 0;
    for (u64 i = 0; i < count; i++) {
        if ((s64)pieces[i].iov_len < 0) {
            return -EINVAL;
        }
        *total += min(pieces[i].iov_len, MAX_RW_COUNT);
    }
    for (u64 i = 0; i < count; i++) {
        if (!access_ok((void __user *)pieces[i].iov_base, pieces[i].iov_len)) {
            return -EFAULT;
        }
    }
    return 0;
}

long get_vector(const struct iovec __user *iov, u64 count, struct iovec **pieces, struct iobuf *buf)
{
    u64 total;

    if (count > IOV_MAX) {
        return -EINVAL;
    }
    *pieces = zalloc(count * sizeof(**pieces) + 1);
    if (*pieces == NULL) {
        return -ENOMEM;
    }
    long error = copy_from_user(*pieces, iov, count * sizeof(**pieces));
    if (error == 0) {
        error = check_vector(*pieces, count, &total);
    }
    *buf = (struct iobuf){.next = *pieces, .left = error == 0 ? min(total, MAX_RW_COUNT) : 0, .user = true};
    return error;
}

static long vector(int fd, bool write, const struct iovec __user *iov, u64 count, const s64 *offset)
{
    struct iovec *pieces = NULL;
    struct iobuf buf;

    if (offset != NULL && *offset < 0) {
        return -EINVAL;
    }
    struct file *file = fd_get_io(fd);
    if (file == NULL) {
        return -EBADF;
    }
    u64 pos = offset != NULL ? (u64)*offset : 0;
    long result = offset != NULL && file->ops != NULL && file->ops->stream
                      ? -ESPIPE
                      : may_transfer(file, write, NULL, 0);
    if (result == 0) {
        result = get_vector(iov, count, &pieces, &buf);
    }
    if (result == 0) {
        result = offset != NULL ? transfer(file, write, &buf, &pos) : file_transfer(file, write, &buf);
    }
    release(pieces);
    file_put(file);
    return result;
}

long sys_readv(int fd, const struct iovec __user *iov, u64 count)
{
    return vector(fd, false, iov, count, NULL);
}

long sys_writev(int fd, const struct iovec __user *iov, u64 count)
{
    return vector(fd, true, iov, count, NULL);
}

long sys_preadv(int fd, const struct iovec __user *iov, u64 count, s64 offset)
{
    return vector(fd, false, iov, count, &offset);
}

long sys_pwritev(int fd, const struct iovec __user *iov, u64 count, s64 offset)
{
    return vector(fd, true, iov, count, &offset);
}

/* Of the flags only those mean something here that ask for less than what is done anyway: high priority, and
   that the bytes have reached the disk. */
#define RWF_HIPRI  1
#define RWF_DSYNC  2
#define RWF_SYNC   4

static long vector2(int fd, bool write, const struct iovec __user *iov, u64 count, s64 offset, int flags)
{
    if (flags & ~(RWF_HIPRI | RWF_DSYNC | RWF_SYNC)) {
        return -EOPNOTSUPP;
    }
    return vector(fd, write, iov, count, offset == -1 ? NULL : &offset);
}

long sys_preadv2(int fd, const struct iovec __user *iov, u64 count, s64 offset, u64 high, int flags)
{
    return vector2(fd, false, iov, count, offset, flags);
}

long sys_pwritev2(int fd, const struct iovec __user *iov, u64 count, s64 offset, u64 high, int flags)
{
    return vector2(fd, true, iov, count, offset, flags);
}

/* ---- Offsets ---- */

/* The new offset, or an error. */
static s64 seek_target(const struct file *file, s64 offset, int whence)
{
    s64 size = file->inode->size;
    s64 base = whence == SEEK_CUR ? (s64)file->pos : whence == SEEK_END ? size : 0;
    s64 target;

    if (whence <= SEEK_END) {
        return __builtin_add_overflow(base, offset, &target) || target < 0 ? -EINVAL : target;
    }
    if (offset < 0 || offset >= size) {
        return -ENXIO;
    }
    const struct inode_operations *ops = file->inode->ops;
    if (ops != NULL && ops->seek != NULL) {
        return ops->seek(file->inode, offset, whence == SEEK_HOLE);
    }
    return whence == SEEK_DATA ? offset : size; /* files without holes */
}

long sys_lseek(int fd, s64 offset, int whence)
{
    struct file *file = fd_get_io(fd);
    if (file == NULL) {
        return -EBADF;
    }
    long target = (u32)whence > SEEK_HOLE ? -EINVAL : -ESPIPE;
    if (target == -ESPIPE && (file->ops == NULL || !file->ops->stream)) {
        mutex_lock(&file->lock);
        target = S_ISCHR(file->inode->mode) ? 0 : seek_target(file, offset, whence);
        if (target >= 0) {
            file->pos = target;
        }
        mutex_unlock(&file->lock);
    } else if (target == -ESPIPE && file->inode->dev == DEV_ANON) {
        target = 0; /* to no effect */
    }
    file_put(file);
    return target;
}

/* As with read and write by two tasks at once, the later one decides; but not in the middle of the other
   one's transfer. */
static void set_position(struct file *file, u64 pos)
{
    mutex_lock(&file->lock);
    file->pos = pos;
    mutex_unlock(&file->lock);
}

/* ---- sendfile ---- */

#define SENDFILE_CHUNK 1024 /* on the kernel stack; the output moves in no greater pieces anyway */

/* Moves one chunk; *pos moves by what was written. */
static long send_chunk(struct file *out, struct file *in, u64 *pos, size_t count)
{
    char chunk[SENDFILE_CHUNK];
    u64 at = *pos;
    struct iobuf buf = kernel_buf(chunk, min(count, sizeof(chunk)));

    long size = in->ops->read(in, &buf, &at);
    if (size <= 0) {
        return size;
    }
    buf = kernel_buf(chunk, size);
    long written = file_transfer(out, true, &buf);
    if (written > 0) {
        *pos += written;
    }
    return written;
}

static long send(struct file *out, struct file *in, u64 *pos, size_t count)
{
    size_t done = 0;

    while (done < count && !is_dying()) {
        long moved = send_chunk(out, in, pos, count - done);
        if (moved <= 0) {
            return done != 0 ? (long)done : moved;
        }
        done += moved;
    }
    return done;
}

/* Each end NULL: -EBADF. */
static long may_send(const struct file *out, const struct file *in, bool positioned, u64 pos, size_t count)
{
    if (in == NULL || !file_readable(in)) {
        return -EBADF;
    }
    if (positioned && in->ops != NULL && in->ops->stream) {
        return -ESPIPE;
    }
    if (!is_valid_position(pos, count) || (s64)count < 0) {
        return -EINVAL;
    }
    if (out == NULL || !file_writable(out)) {
        return -EBADF;
    }
    if (!S_ISREG(in->inode->mode) || (out->flags & O_APPEND)) {
        return -EINVAL;
    }
    return may_transfer(out, true, NULL, 0);
}

static long sendfile(int out_fd, int in_fd, u64 *pos, size_t count)
{
    struct file *in = fd_get(in_fd);
    struct file *out = fd_get(out_fd);
    u64 here = in != NULL ? in->pos : 0;

    long result = may_send(out, in, pos != NULL, pos != NULL ? *pos : here, count);
    if (result == 0) {
        result = send(out, in, pos != NULL ? pos : &here, min(count, MAX_RW_COUNT));
        if (pos == NULL) {
            set_position(in, here);
        }
    }
    file_put(in);
    file_put(out);
    return result;
}

long sys_sendfile(int out_fd, int in_fd, s64 __user *offset, size_t count)
{
    u64 pos;

    if (offset == NULL) {
        return sendfile(out_fd, in_fd, NULL, count);
    }
    if (copy_from_user(&pos, offset, sizeof(pos)) < 0) {
        return -EFAULT;
    }
    long result = sendfile(out_fd, in_fd, &pos, count);
    return copy_to_user(offset, &pos, sizeof(pos)) < 0 ? -EFAULT : result;
}

/* ---- copy_file_range ---- */

/* Each end NULL: -EBADF. *count becomes what there is to copy. */
static long may_copy(const struct file *out, u64 to, const struct file *in, u64 from, size_t *count)
{
    if (in == NULL || out == NULL) {
        return -EBADF;
    }
    if (S_ISDIR(in->inode->mode) || S_ISDIR(out->inode->mode)) {
        return -EISDIR;
    }
    if (!S_ISREG(in->inode->mode) || !S_ISREG(out->inode->mode)) {
        return -EINVAL;
    }
    if (!file_readable(in) || !file_writable(out) || (out->flags & O_APPEND)) {
        return -EBADF;
    }
    if (from + *count < from || to + *count < to) {
        return -EOVERFLOW;
    }
    u64 size = in->inode->size;
    *count = from < size ? min(*count, size - from) : 0;
    if ((s64)from < 0 || (s64)to < 0 || (in->inode == out->inode && from < to + *count && to < from + *count)) {
        return -EINVAL;
    }
    return in->ops != NULL && in->ops->read != NULL && out->ops != NULL && out->ops->write != NULL ? 0 : -EINVAL;
}

static long copy_range(struct file *out, u64 *to, struct file *in, u64 *from, size_t count)
{
    u8 *page = alloc_page();
    size_t done = 0;
    long moved = page != NULL ? 1 : -ENOMEM;

    while (moved > 0 && done < count && !is_dying()) {
        struct iobuf buf = kernel_buf(page, min(count - done, PAGE_SIZE));
        u64 at = *from;
        moved = in->ops->read(in, &buf, &at);
        if (moved > 0) {
            buf = kernel_buf(page, moved);
            moved = out->ops->write(out, &buf, to);
        }
        if (moved > 0) {
            *from += moved;
            done += moved;
        }
    }
    release(page);
    return done != 0 ? (long)done : moved;
}

static void put_position(struct file *file, s64 *offset, u64 pos)
{
    if (offset != NULL) {
        *offset = pos;
    } else {
        set_position(file, pos);
    }
}

/* Offsets: of the kernel's; where the program gave none, the file's own. */
static long copy_files(struct file *out, s64 *out_offset, struct file *in, s64 *in_offset, size_t count)
{
    u64 from = in_offset != NULL ? (u64)*in_offset : in != NULL ? in->pos : 0;
    u64 to = out_offset != NULL ? (u64)*out_offset : out != NULL ? out->pos : 0;

    long result = may_copy(out, to, in, from, &count);
    if (result == 0 && count != 0) {
        result = copy_range(out, &to, in, &from, min(count, MAX_RW_COUNT));
    }
    if (result > 0) {
        put_position(in, in_offset, from);
        put_position(out, out_offset, to);
    }
    return result;
}

long sys_copy_file_range(int in_fd, s64 __user *user_in, int out_fd, s64 __user *user_out, size_t count, u32 flags)
{
    s64 in_offset = 0, out_offset = 0;

    if (flags != 0) {
        return -EINVAL;
    }
    struct file *in = fd_get_io(in_fd), *out = fd_get_io(out_fd);
    long result = 0;
    if (in != NULL && out != NULL && ((user_in != NULL && copy_from_user(&in_offset, user_in, sizeof(in_offset)) < 0) ||
                                      (user_out != NULL && copy_from_user(&out_offset, user_out, sizeof(out_offset)) < 0))) {
        result = -EFAULT;
    }
    if (result == 0) {
        result = copy_files(out, user_out != NULL ? &out_offset : NULL, in, user_in != NULL ? &in_offset : NULL, count);
    }
    if (result > 0 && ((user_in != NULL && copy_to_user(user_in, &in_offset, sizeof(in_offset)) < 0) ||
                       (user_out != NULL && copy_to_user(user_out, &out_offset, sizeof(out_offset)) < 0))) {
        result = -EFAULT;
    }
    file_put(in);
    file_put(out);
    return result;
}

/* ---- What is nothing to do where every write is done when it returns ---- */

long sys_fsync(int fd)
{
    struct file *file = fd_get_io(fd);
    if (file == NULL) {
        return -EBADF;
    }
    long result = S_ISREG(file->inode->mode) || S_ISDIR(file->inode->mode) ? 0 : -EINVAL;
    file_put(file);
    return result;
}

long sys_fdatasync(int fd)
{
    return sys_fsync(fd);
}

long sys_sync(void)
{
    return 0;
}

long sys_fadvise64(int fd, s64 offset, s64 length, int advice)
{
    struct file *file = fd_get_io(fd);
    if (file == NULL) {
        return -EBADF;
    }
    long result = file->ops != NULL && file->ops->stream   ? -ESPIPE
                  : advice < 0 || advice > 5 || length < 0 ? -EINVAL
                                                           : 0;
    file_put(file);
    return result;
}

long sys_syncfs(int fd)
{
    struct file *file = fd_get_io(fd);
    file_put(file);
    return file == NULL ? -EBADF : 0;
}

#define SYNC_FILE_RANGE_KNOWN 7U

long sys_sync_file_range(int fd, s64 offset, s64 length, u32 flags)
{
    struct file *file = fd_get_io(fd);
    if (file == NULL) {
        return -EBADF;
    }
    bool stream = !S_ISREG(file->inode->mode) && !S_ISDIR(file->inode->mode) && !S_ISLNK(file->inode->mode);
    file_put(file);
    if ((flags & ~SYNC_FILE_RANGE_KNOWN) || offset < 0 || length < 0 || offset > MAXLONG64 - length) {
        return -EINVAL;
    }
    return stream ? -ESPIPE : 0;
}

long sys_readahead(int fd, s64 offset, size_t count)
{
    struct file *file = fd_get_io(fd);
    if (file == NULL || !file_readable(file)) {
        file_put(file);
        return -EBADF;
    }
    long result = S_ISREG(file->inode->mode) ? 0 : -EINVAL;
    file_put(file);
    return result;
}
