/* SPDX-License-Identifier: MIT */
/* Reading and writing: read, write, their vector and positioned forms, lseek, sendfile. */
#include "linux.h"

/* May file be transferred from or to (write), and is the memory the program's? */
static long may_transfer(const struct file *file, bool write, const void __user *buf, size_t count)
{
    if (write ? !file_writable(file) : !file_readable(file)) {
        return -EBADF;
    }
    if (!write && S_ISDIR(file->inode->mode)) {
        return -EISDIR;
    }
    if (file->ops == NULL || (write ? file->ops->write == NULL : file->ops->read == NULL)) {
        return -EINVAL;
    }
    if (!access_ok(buf, count)) {
        return -EFAULT;
    }
    return 0;
}

static long transfer(struct file *file, bool write, struct iobuf *buf, u64 *pos)
{
    buf->left = min(buf->left, MAX_RW_COUNT);
    if (buf->left == 0 && !file->ops->stream) {
        return 0;
    }
    return write ? file->ops->write(file, buf, pos) : file->ops->read(file, buf, pos);
}

/* At the file's own offset, which moves along under its lock; streams have neither. */
static long transfer_here(struct file *file, bool write, struct iobuf *buf)
{
    if (file->ops->stream) {
        return buf->left == 0 ? 0 : transfer(file, write, buf, NULL);
    }
    mutex_lock(&file->lock);
    long done = transfer(file, write, buf, &file->pos);
    mutex_unlock(&file->lock);
    return done;
}

static long read_or_write(int fd, bool write, const void __user *base, size_t count)
{
    struct file *file = fd_get(fd);
    if (file == NULL) {
        return -EBADF;
    }
    struct iobuf buf = user_buf(base, count);
    long result = may_transfer(file, write, base, count);
    if (result == 0) {
        result = transfer_here(file, write, &buf);
    }
    file_put(file);
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

/* All pieces are looked at before any is used, though the program may change them meanwhile: each is
   checked again. */
static long check_vector(const struct iovec __user *iov, u64 count)
{
    struct iovec piece;
    u64 total = 0;

    if (count > IOV_MAX) {
        return -EINVAL;
    }
    for (u64 i = 0; i < count; i++) {
        if (copy_from_user(&piece, iov + i, sizeof(piece)) < 0) {
            return -EFAULT;
        }
        if ((s64)piece.iov_len < 0) {
            return -EINVAL;
        }
        if (!access_ok((void __user *)piece.iov_base, piece.iov_len)) {
            return -EFAULT;
        }
        total += min(piece.iov_len, MAX_RW_COUNT);
    }
    return min(total, MAX_RW_COUNT);
}

/* Moves the pieces until one is not moved whole. pos NULL: the file's own offset. */
static long transfer_vector(struct file *file, bool write, const struct iovec __user *iov, u64 count,
                            u64 *pos)
{
    struct iovec piece;
    long done = 0;

    for (u64 i = 0; i < count && done < MAX_RW_COUNT; i++) {
        long moved = copy_from_user(&piece, iov + i, sizeof(piece));
        if (moved == 0 && !access_ok((void __user *)piece.iov_base, piece.iov_len)) {
            moved = -EFAULT;
        }
        struct iobuf buf = user_buf((void __user *)piece.iov_base, min(piece.iov_len, MAX_RW_COUNT - done));
        if (moved == 0 && buf.left != 0) {
            u64 wanted = buf.left;
            moved = pos != NULL ? transfer(file, write, &buf, pos) : transfer_here(file, write, &buf);
            if (moved >= 0 && (u64)moved < wanted) {
                return done + moved;
            }
        }
        if (moved < 0) {
            return done != 0 ? done : moved;
        }
        done += moved;
    }
    return done;
}

static long vector(int fd, bool write, const struct iovec __user *iov, u64 count, const s64 *offset)
{
    if (offset != NULL && *offset < 0) {
        return -EINVAL;
    }
    struct file *file = fd_get(fd);
    if (file == NULL) {
        return -EBADF;
    }
    u64 pos = offset != NULL ? *offset : 0;
    long result = may_transfer(file, write, NULL, 0);
    if (result == 0 && offset != NULL && file->ops->stream) {
        result = -ESPIPE;
    }
    if (result == 0) {
        result = check_vector(iov, count);
    }
    if (result > 0) {
        result = transfer_vector(file, write, iov, count, offset != NULL ? &pos : NULL);
    }
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

/* ---- Offsets ---- */

/* The new offset, or an error. */
static s64 seek_target(const struct file *file, s64 offset, int whence)
{
    s64 size = file->inode->size;
    s64 base = whence == SEEK_CUR ? (s64)file->pos : whence == SEEK_END ? size : 0;
    s64 target;

    switch (whence) {
    case SEEK_SET:
    case SEEK_CUR:
    case SEEK_END:
        if (__builtin_add_overflow(base, offset, &target)) {
            return -EOVERFLOW;
        }
        return target < 0 ? -EINVAL : target;
    case SEEK_DATA: /* files without holes */
        return offset < 0 || offset >= size ? -ENXIO : offset;
    case SEEK_HOLE:
        return offset < 0 || offset >= size ? -ENXIO : size;
    default:
        return -EINVAL;
    }
}

long sys_lseek(int fd, s64 offset, int whence)
{
    struct file *file = fd_get_io(fd);
    if (file == NULL) {
        return -EBADF;
    }
    long target = -ESPIPE;
    if (file->ops == NULL || !file->ops->stream) {
        mutex_lock(&file->lock);
        target = S_ISCHR(file->inode->mode) ? 0 : seek_target(file, offset, whence);
        if (target >= 0) {
            file->pos = target;
        }
        mutex_unlock(&file->lock);
    }
    file_put(file);
    return target;
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
    long written = transfer_here(out, true, &buf);
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

static long sendfile_between(struct file *out, struct file *in, s64 __user *offset, size_t count)
{
    s64 from = 0;
    long error = may_transfer(in, false, NULL, 0);
    if (error == 0) {
        error = may_transfer(out, true, NULL, 0);
    }
    if (error == 0 && (in->ops->stream || !S_ISREG(in->inode->mode))) {
        error = offset != NULL ? -ESPIPE : -EINVAL;
    }
    if (error == 0 && offset != NULL) {
        error = copy_from_user(&from, offset, sizeof(from));
    }
    if (error < 0 || from < 0) {
        return error < 0 ? error : -EINVAL;
    }
    u64 pos = offset != NULL ? (u64)from : in->pos;
    long done = send(out, in, &pos, min(count, MAX_RW_COUNT));
    if (offset == NULL) {
        in->pos = pos; /* as with read and write by two tasks at once, the later one decides */
    } else if (copy_to_user(offset, &pos, sizeof(pos)) < 0) {
        return -EFAULT;
    }
    return done;
}

long sys_sendfile(int out_fd, int in_fd, s64 __user *offset, size_t count)
{
    struct file *in = fd_get(in_fd);
    struct file *out = fd_get(out_fd);
    long result = in != NULL && out != NULL ? sendfile_between(out, in, offset, count) : -EBADF;
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

long sys_flock(int fd, int operation)
{
    struct file *file = fd_get_io(fd);
    file_put(file);
    return file == NULL ? -EBADF : 0;
}
