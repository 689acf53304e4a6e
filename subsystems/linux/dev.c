/* SPDX-License-Identifier: MIT */
/* /dev: null, zero, full, random, urandom, and the links to a program's own descriptors. The console has a
   file of its own. */
#include "linux.h"

#define CHUNK 512 /* bytes that pass through the kernel stack at a time */

static long null_read(struct file *file, struct iobuf *to, u64 *pos)
{
    return 0;
}

static long null_write(struct file *file, struct iobuf *from, u64 *pos)
{
    return from->left;
}

static long zero_read(struct file *file, struct iobuf *to, u64 *pos)
{
    return iobuf_zero(to, to->left);
}

static long full_write(struct file *file, struct iobuf *from, u64 *pos)
{
    return -ENOSPC;
}

long read_random(struct iobuf *to)
{
    u8 chunk[CHUNK];
    long done = 0;

    while (to->left != 0) {
        size_t size = min(to->left, sizeof(chunk));
        kernel.RandomBytes(chunk, size);
        long moved = iobuf_put(to, chunk, size);
        if (moved < (long)size) {
            return done + moved > 0 ? done + (moved > 0 ? moved : 0) : moved;
        }
        done += moved;
    }
    return done;
}

static long random_read(struct file *file, struct iobuf *to, u64 *pos)
{
    return read_random(to);
}

static const struct file_operations null_ops = {.read = null_read, .write = null_write};
static const struct file_operations zero_ops = {.read = zero_read, .write = null_write, .anonymous = true};
static const struct file_operations full_ops = {.read = zero_read, .write = full_write};
static const struct file_operations random_ops = {.read = random_read, .write = null_write};

static const struct device {
    const char *name;
    u32 minor;
    const struct file_operations *fops;
} devices[] = {
    {"null", 3, &null_ops},     {"zero", 5, &zero_ops},      {"full", 7, &full_ops},
    {"random", 8, &random_ops}, {"urandom", 9, &random_ops},
};

static const char *const links[][2] = {
    {"fd", "/proc/self/fd"},
    {"stdin", "/proc/self/fd/0"},
    {"stdout", "/proc/self/fd/1"},
    {"stderr", "/proc/self/fd/2"},
};

static long device_add(struct inode *dev, const struct device *device)
{
    if (dir_find(dev, device->name, strlen(device->name)) != NULL) {
        return 0;
    }
    struct inode *inode = inode_new(S_IFCHR | 0666, DEV_ROOT);
    if (inode != NULL) {
        inode->rdev = makedev(1, device->minor);
        inode->fops = device->fops;
    }
    return dir_add(dev, device->name, strlen(device->name), inode);
}

long dev_populate(void)
{
    struct inode *dev = dir_make(root_inode, "dev", 3);
    long error = dev != NULL ? 0 : -ENOMEM;

    for (size_t i = 0; error == 0 && i < ARRAYSIZE(devices); i++) {
        error = device_add(dev, &devices[i]);
    }
    for (size_t i = 0; error == 0 && i < ARRAYSIZE(links); i++) {
        error = dir_link(dev, links[i][0], links[i][1]) != NULL ? 0 : -ENOMEM;
    }
    return error < 0 ? error : console_populate(dev);
}
