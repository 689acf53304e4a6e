/* SPDX-License-Identifier: MIT */
/* /dev: null, zero, full, random, urandom, and the links to a program's own descriptors. The console has a
   file of its own. */
#include "linux.h"

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

static long random_read(struct file *file, struct iobuf *to, u64 *pos)
{
    return iobuf_random(to);
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
    u64 rdev = makedev(1, device->minor);
    long error = type_register(S_IFCHR, rdev, NULL, device->fops);
    if (error < 0 || dir_find(dev, device->name, strlen(device->name)) != NULL) {
        return error;
    }
    struct inode *inode = tree_new(dev, S_IFCHR | 0666, rdev);
    return dir_add(dev, device->name, strlen(device->name), inode);
}

/* Where shm_open makes its files. */
static long add_shared_memory(struct inode *dev)
{
    struct inode *shm = dir_make(dev, "shm", 3);
    if (shm == NULL) {
        return -ENOMEM;
    }
    shm->mode = S_IFDIR | 01777;
    return 0;
}

static long dev_start(void)
{
    struct inode *dev = dir_make(root_inode, "dev", 3);
    long error = dev != NULL ? 0 : -ENOMEM;

    for (size_t i = 0; error == 0 && i < ARRAYSIZE(devices); i++) {
        error = device_add(dev, &devices[i]);
    }
    for (size_t i = 0; error == 0 && i < ARRAYSIZE(links); i++) {
        error = dir_link(dev, links[i][0], links[i][1]) != NULL ? 0 : -ENOMEM;
    }
    if (error == 0) {
        error = add_shared_memory(dev);
    }
    return error;
}

const struct file_kind dev_kind = {.start = dev_start};
