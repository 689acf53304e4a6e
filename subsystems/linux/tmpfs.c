/* SPDX-License-Identifier: MIT */
/*
 * Files in memory: all regular files of the tree. A file's bytes stand in a section, so that reading, writing
 * and mappings share the same pages; pages that nobody has written are not there (holes), or are the
 * archive's, in place. A file of the archive has no section until it is mapped or written.
 *
 * inode->lock is held across a transfer: what a write puts in is seen as a whole. Faults on the program's
 * memory meanwhile need the kernel's locks only.
 */
#include "linux.h"

/* Pages that files may have, together: half of the machine's memory. */
static u64 page_limit;

/* ---- The section ---- */

/* Counts anew what the file has, pages that mappings have made included. The lock is held. */
static void count_pages(struct inode *inode)
{
    u64 pages = inode->section != NULL ? kernel.QuerySection(inode->section, 0, NULL, NULL) : 0;

    InterlockedAdd64(&tree_pages, (LONG64)(pages - inode->pages));
    inode->pages = pages;
}

static NTSTATUS make_section(struct inode *inode, PMM_SECTION_HANDLE *section)
{
    const IO_ARCHIVE_FILE *archive = inode->archive;
    return kernel.CreateFileSection(archive != NULL ? archive->Data : NULL, inode->size, section);
}

/* For a change: the file is not the archive's any more. The lock is held. */
static long need_section(struct inode *inode)
{
    PMM_SECTION_HANDLE section;

    if (inode->section == NULL) {
        if (!NT_SUCCESS(make_section(inode, &section))) {
            return -ENOSPC;
        }
        InterlockedExchangePointer((PVOID volatile *)&inode->section, section);
    }
    return 0;
}

static long resize(struct inode *inode, u64 size)
{
    return NT_SUCCESS(kernel.ResizeSection(inode->section, size)) ? 0 : -ENOSPC;
}

/* ---- Reading ---- */

/* What the file holds from pos on, in one page: the lock is held, shared at least. */
static long read_page(struct inode *inode, struct iobuf *to, u64 pos, size_t size)
{
    u8 *page;

    if (!NT_SUCCESS(kernel.PinSectionPage(inode->section, pos, 0, (PVOID *)&page))) {
        return -EIO;
    }
    if (page == NULL) {
        return iobuf_zero(to, size);
    }
    long moved = iobuf_put(to, page + pos % PAGE_SIZE, size);
    kernel.UnpinSectionPage(page);
    return moved;
}

static long read_pages(struct inode *inode, struct iobuf *to, u64 *pos)
{
    u64 left = *pos < inode->size ? min(to->left, inode->size - *pos) : 0;
    long done = 0;

    while (left != 0) {
        size_t size = min(left, PAGE_SIZE - *pos % PAGE_SIZE);
        long moved = read_page(inode, to, *pos, size);
        if (moved > 0) {
            done += moved;
            *pos += moved;
            left -= moved;
        }
        if (moved < (long)size) {
            return done != 0 ? done : moved;
        }
    }
    return done;
}

static long read_file(struct inode *inode, struct iobuf *to, u64 *pos)
{
    read_lock(&inode->lock);
    long done = inode->section != NULL   ? read_pages(inode, to, pos)
                : inode->archive != NULL ? read_memory(inode->archive->Data, inode->size, to, pos)
                                         : 0;
    read_unlock(&inode->lock);
    return done;
}

static long tmpfs_read(struct file *file, struct iobuf *to, u64 *pos)
{
    long done = read_file(file->inode, to, pos);
    file_accessed(file);
    return done;
}

static long tmpfs_read_at(struct inode *inode, void *buffer, size_t size, u64 pos)
{
    struct iobuf to = kernel_buf(buffer, size);
    return read_file(inode, &to, &pos);
}

/* ---- Writing ---- */

/* A page to write to; the file system's limit counts for new ones. */
static long pin_for_writing(struct inode *inode, u64 pos, u8 **page)
{
    NTSTATUS status = kernel.PinSectionPage(inode->section, pos, PS_PIN_WRITE, (PVOID *)page);

    if (NT_SUCCESS(status) && *page == NULL) {
        if ((u64)tree_pages >= page_limit) {
            return -ENOSPC;
        }
        status = kernel.PinSectionPage(inode->section, pos, PS_PIN_WRITE | PS_PIN_MAKE, (PVOID *)page);
        if (NT_SUCCESS(status)) {
            InterlockedIncrement64(&tree_pages);
            inode->pages++;
        }
    }
    return NT_SUCCESS(status) ? 0 : -ENOSPC;
}

static long write_page(struct inode *inode, struct iobuf *from, u64 pos, size_t size)
{
    u8 *page;
    long error = pin_for_writing(inode, pos, &page);

    if (error < 0) {
        return error;
    }
    long moved = iobuf_get(from, page + pos % PAGE_SIZE, size);
    kernel.UnpinSectionPage(page);
    return moved;
}

static long write_pages(struct inode *inode, struct iobuf *from, u64 pos, size_t left)
{
    long done = 0;

    while (left != 0) {
        size_t size = min(left, PAGE_SIZE - pos % PAGE_SIZE);
        long moved = write_page(inode, from, pos, size);
        if (moved > 0) {
            done += moved;
            pos += moved;
            left -= moved;
        }
        if (moved < (long)size) {
            return done != 0 ? done : moved;
        }
    }
    return done;
}

/* Behind the end of what a program may write (RLIMIT_FSIZE), or a file can be: how many of size bytes at
   pos. */
static long clip_to_limit(u64 pos, size_t size)
{
    struct process *process = current_process();
    u64 limit = process != NULL ? process->rlimits[RLIMIT_FSIZE].rlim_cur : RLIM_INFINITY;

    if (pos >= limit) {
        signal_self(SIGXFSZ);
        return -EFBIG;
    }
    return pos >= MAXLONG64 ? -EFBIG : (long)min(size, min(limit, MAXLONG64) - pos);
}

static long write_locked(struct inode *inode, struct iobuf *from, u64 pos)
{
    long size = clip_to_limit(pos, from->left);
    u64 old = inode->size;

    if (size >= 0 && (inode->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))) {
        size = -EPERM;
    }
    if (size > 0 && pos + size > old && (inode->seals & F_SEAL_GROW)) {
        size = pos < old ? (long)(old - pos) : -EPERM;
    }
    long error = size > 0 ? need_section(inode) : size;
    if (error == 0 && pos + size > old) {
        error = resize(inode, pos + size);
    }
    if (error < 0) {
        return error;
    }
    long done = size > 0 ? write_pages(inode, from, pos, size) : 0;
    if (done > 0) {
        inode->archive = NULL;
        inode_touch(inode);
    }
    if (done > 0 && pos + done > old) {
        inode->size = pos + done;
    }
    if (pos + size > inode->size) {
        resize(inode, inode->size); /* not all of it could be written */
        count_pages(inode);
    }
    return done;
}

static long tmpfs_write(struct file *file, struct iobuf *from, u64 *pos)
{
    struct inode *inode = file->inode;

    write_lock(&inode->lock);
    u64 at = file->flags & O_APPEND ? inode->size : *pos;
    long done = write_locked(inode, from, at);
    write_unlock(&inode->lock);
    if (done > 0) {
        *pos = at + done;
    }
    return done;
}

/* ---- Size and holes ---- */

static long truncate_locked(struct inode *inode, u64 size)
{
    if ((size < inode->size && (inode->seals & F_SEAL_SHRINK)) ||
        (size > inode->size && (inode->seals & F_SEAL_GROW))) {
        return -EPERM;
    }
    long error = size > inode->size && clip_to_limit(size - 1, 1) < 0 ? -EFBIG : need_section(inode);
    if (error == 0) {
        error = resize(inode, size);
    }
    if (error == 0) {
        inode->archive = NULL;
        inode->archived = min(inode->archived, size);
        inode->size = size;
        count_pages(inode);
        inode_touch(inode);
    }
    return error;
}

static long tmpfs_truncate(struct inode *inode, u64 size)
{
    write_lock(&inode->lock);
    long error = truncate_locked(inode, size);
    write_unlock(&inode->lock);
    return error;
}

/* Gives all pages of [pos, end) to the file. What is there when memory runs out stays. */
static long allocate_pages(struct inode *inode, u64 pos, u64 end)
{
    u8 *page;
    long error = 0;

    for (pos = page_down(pos); error == 0 && pos < end; pos += PAGE_SIZE) {
        error = is_dying() ? -EINTR : pin_for_writing(inode, pos, &page);
        if (error == 0) {
            kernel.UnpinSectionPage(page);
        }
    }
    return error;
}

static long allocate_locked(struct inode *inode, u64 offset, u64 length)
{
    u64 end = offset + length, old = inode->size;

    if (end > old && (inode->seals & F_SEAL_GROW)) {
        return -EPERM;
    }
    if (end > old && clip_to_limit(end - 1, 1) < 0) {
        return -EFBIG;
    }
    long error = need_section(inode);
    if (error == 0 && end > old) {
        error = resize(inode, end);
    }
    if (error == 0) {
        error = allocate_pages(inode, offset, end);
        inode->archive = NULL;
    }
    if (error == 0 && end > old) {
        inode->size = end;
    } else if (error < 0 && end > old) {
        resize(inode, old);
        count_pages(inode);
    }
    if (error == 0) {
        inode_touch(inode);
    }
    return error;
}

/* Holes cannot be made, nor pages kept behind the end. */
static long tmpfs_allocate(struct inode *inode, int mode, u64 offset, u64 length)
{
    if (mode != 0) {
        return -EOPNOTSUPP;
    }
    write_lock(&inode->lock);
    long error = allocate_locked(inode, offset, length);
    write_unlock(&inode->lock);
    return error;
}

static s64 seek_locked(struct inode *inode, u64 offset, bool hole)
{
    ULONG64 next[2] = {0, 0}; /* data, hole */

    if (offset >= inode->size) {
        return -ENXIO;
    }
    if (inode->section == NULL) {
        return inode->archive == NULL ? (hole ? (s64)offset : -ENXIO) : hole ? (s64)inode->size : (s64)offset;
    }
    kernel.QuerySection(inode->section, offset, &next[0], &next[1]);
    u64 found = next[hole] > offset ? next[hole] : offset;
    return found < inode->size ? (s64)found : hole ? (s64)inode->size : -ENXIO;
}

static s64 tmpfs_seek(struct inode *inode, u64 offset, bool hole)
{
    read_lock(&inode->lock);
    s64 found = seek_locked(inode, offset, hole);
    read_unlock(&inode->lock);
    return found;
}

/* The pages that the file takes. Those of the archive count as long as they are part of it; which of them
   have a copy by now is not looked at. */
static u64 tmpfs_blocks(struct inode *inode)
{
    read_lock(&inode->lock);
    u64 pages = inode->section != NULL ? kernel.QuerySection(inode->section, 0, NULL, NULL) : 0;
    pages = min(pages + page_up(inode->archived) / PAGE_SIZE, page_up(inode->size) / PAGE_SIZE);
    read_unlock(&inode->lock);
    return pages * (PAGE_SIZE / 512);
}

static const struct file_operations tmpfs_file_ops = {.read = tmpfs_read, .write = tmpfs_write};

static const struct inode_operations tmpfs_inode_ops = {
    .make_section = make_section,
    .read_at = tmpfs_read_at,
    .truncate = tmpfs_truncate,
    .allocate = tmpfs_allocate,
    .seek = tmpfs_seek,
    .blocks = tmpfs_blocks,
};

static void tmpfs_statistics(u64 *pages, u64 *free)
{
    u64 used = tree_pages;
    PS_MEMORY_STATISTICS memory;

    kernel.QueryMemory(NULL, &memory);
    *pages = page_limit;
    *free = used < page_limit ? min(page_limit - used, memory.FreeBytes / PAGE_SIZE) : 0;
}

static long tmpfs_start(void)
{
    PS_MEMORY_STATISTICS memory;

    kernel.QueryMemory(NULL, &memory);
    page_limit = memory.TotalBytes / 2 / PAGE_SIZE;
    tree_statistics = tmpfs_statistics;
    return type_register(S_IFREG, 0, &tmpfs_inode_ops, &tmpfs_file_ops);
}

const struct file_kind tmpfs_kind = {.start = tmpfs_start};

/* ---- Folders that programs rely on, whatever the archive has ---- */

static struct inode *make_folder(struct inode *dir, const char *name, u32 mode)
{
    bool there = dir_find(dir, name, strlen(name)) != NULL;
    struct inode *folder = dir_make(dir, name, strlen(name));

    if (!there && folder != NULL) {
        folder->mode = S_IFDIR | mode;
    }
    return folder;
}

static long folders_start(void)
{
    struct inode *dev = make_folder(root_inode, "dev", 0755);
    struct inode *var = make_folder(root_inode, "var", 0755);

    return dev != NULL && var != NULL && make_folder(dev, "shm", 01777) != NULL &&
                   make_folder(var, "tmp", 01777) != NULL && make_folder(root_inode, "tmp", 01777) != NULL &&
                   make_folder(root_inode, "run", 0755) != NULL &&
                   make_folder(root_inode, "root", 0700) != NULL
               ? 0
               : -ENOMEM;
}

const struct file_kind folders_kind = {.start = folders_start};
