/* SPDX-License-Identifier: MIT */
/* The boot archives' "root/" as the file tree: folders, files and symbolic links, whose bytes stay where
   they are. */
#include "linux.h"

#define PREFIX "root/"

static long archive_read(struct file *file, struct iobuf *to, u64 *pos)
{
    return read_memory(file->inode->archive->Data, file->inode->archive->Size, to, pos);
}

static const struct file_operations archive_file_ops = {.read = archive_read};

static long archive_readlink(struct inode *link, char *buffer, size_t size)
{
    size = min(size, link->archive->Size);
    memcpy(buffer, link->archive->Data, size);
    return size;
}

static const struct inode_operations archive_link_ops = {.readlink = archive_readlink};

static NTSTATUS archive_section(struct inode *inode, PMM_SECTION_HANDLE *section)
{
    return kernel.CreateDataSection(inode->archive->Data, inode->archive->Size, section);
}

static const struct inode_operations archive_inode_ops = {.make_section = archive_section};

static void archive_fill(struct inode *inode, const IO_ARCHIVE_FILE *archive)
{
    inode->mode = archive->Mode;
    inode->mtime = archive->ModifyTime;
    inode->size = S_ISDIR(archive->Mode) ? 0 : archive->Size;
    inode->archive = S_ISDIR(archive->Mode) ? NULL : archive;
    inode->fops = S_ISREG(archive->Mode) ? &archive_file_ops : NULL;
    inode->ops = S_ISLNK(archive->Mode)   ? &archive_link_ops
                 : S_ISREG(archive->Mode) ? &archive_inode_ops
                                          : NULL;
}

static const char *next_slash(const char *path)
{
    while (*path != 0 && *path != '/') {
        path++;
    }
    return path;
}

/* Puts one file where its path says; folders that nobody named are made on the way. What fits nowhere is
   left out. */
static long archive_insert(const IO_ARCHIVE_FILE *archive, const char *path)
{
    struct inode *dir = root_inode;

    for (const char *slash = next_slash(path); *slash != 0; slash = next_slash(path)) {
        if (slash != path) {
            dir = dir_make(dir, path, slash - path);
        }
        if (dir == NULL) {
            return 0;
        }
        path = slash + 1;
    }
    size_t length = strlen(path);
    struct inode *inode = length == 0 ? dir : dir_find(dir, path, length);
    if (length > NAME_MAX) {
        return 0;
    }
    if (inode != NULL) { /* a folder that was implied before it was named */
        if (S_ISDIR(inode->mode) && S_ISDIR(archive->Mode)) {
            archive_fill(inode, archive);
        }
        return 0;
    }
    inode = inode_new(archive->Mode, DEV_ROOT);
    if (inode != NULL) {
        archive_fill(inode, archive);
    }
    return dir_add(dir, path, length, inode);
}

static bool is_wanted(const IO_ARCHIVE_FILE *archive)
{
    return S_ISDIR(archive->Mode) || S_ISREG(archive->Mode) || S_ISLNK(archive->Mode);
}

static long archive_start(void)
{
    long error = 0;
    const IO_ARCHIVE_FILE *file = kernel.FirstFile(PREFIX);

    for (; file != NULL && error == 0; file = kernel.NextFile(file, PREFIX)) {
        if (is_wanted(file)) {
            error = archive_insert(file, file->Path + strlen(PREFIX));
        }
    }
    return error;
}

const struct file_kind archive_kind = {.start = archive_start};
