/* SPDX-License-Identifier: MIT */
/* The boot archives' "root/" as the file tree at its start: folders, symbolic links, and files, whose bytes
   stay where they are until somebody writes to them; and the native programs, in the folder /native. */
#include "linux.h"

#define PREFIX        "root/"
#define NATIVE_PREFIX "native/"

/* What the archive says of a file. */
static void archive_fill(struct inode *inode, const IO_ARCHIVE_FILE *archive)
{
    inode->mode = (inode->mode & S_IFMT) | (archive->Mode & S_IALLUGO);
    inode->atime = inode->mtime = inode->ctime = (s64)(archive->ModifyTime * NS_PER_SECOND);
    if (S_ISREG(archive->Mode)) {
        inode->archive = archive;
        inode->size = inode->archived = archive->Size;
    }
}

static const char *next_slash(const char *path)
{
    while (*path != 0 && *path != '/') {
        path++;
    }
    return path;
}

/* The folder that the last path led to, and that path: the archive's files come in the order of their
   paths. */
struct place {
    struct inode *dir;
    const char *path;
    size_t length; /* of the path of dir, with the slash behind it */
};

/* Where the folder of a path begins to differ from that of the last one; the folder up to there. */
static const char *start_of(struct place *place, const char *path)
{
    if (place->dir != NULL && strncmp(path, place->path, place->length) == 0) {
        return path + place->length;
    }
    place->dir = root_inode;
    return path;
}

/* Goes to the folder of a path, making those that nobody has named. Answers the last name; NULL: there is no
   such place. */
static const char *go_to_folder(struct place *place, const char *path)
{
    const char *at = start_of(place, path);

    for (const char *slash = next_slash(at); *slash != 0; slash = next_slash(at)) {
        if (slash != at) {
            place->dir = dir_make(place->dir, at, slash - at);
        }
        if (place->dir == NULL) {
            return NULL;
        }
        at = slash + 1;
    }
    place->path = path;
    place->length = at - path;
    return at;
}

static struct inode *archive_inode(const struct inode *dir, const IO_ARCHIVE_FILE *archive)
{
    struct inode *inode = S_ISLNK(archive->Mode) ? tree_new_link((const char *)archive->Data, archive->Size)
                                                 : tree_new(dir, archive->Mode, 0);
    if (inode != NULL) {
        archive_fill(inode, archive);
    }
    return inode;
}

/* Puts one file where its path says. What fits nowhere is left out. */
static long archive_insert(struct place *place, const IO_ARCHIVE_FILE *archive, const char *path)
{
    const char *name = go_to_folder(place, path);
    size_t length = name != NULL ? strlen(name) : 0;

    if (name == NULL || length > NAME_MAX) {
        return 0;
    }
    struct inode *inode = length == 0 ? place->dir : dir_find(place->dir, name, length);
    if (inode == NULL) {
        return dir_add(place->dir, name, length, archive_inode(place->dir, archive));
    }
    if (S_ISDIR(inode->mode) && S_ISDIR(archive->Mode)) { /* a folder that was implied before it was named */
        archive_fill(inode, archive);
    }
    return 0;
}

static bool is_wanted(const IO_ARCHIVE_FILE *archive)
{
    return S_ISDIR(archive->Mode) || S_ISREG(archive->Mode) || S_ISLNK(archive->Mode);
}

/* What begins with the prefix, under its path without the first skipped bytes. */
static long insert_all(const char *prefix, size_t skipped)
{
    struct place place = {NULL, NULL, 0};
    long error = 0;
    const IO_ARCHIVE_FILE *file = kernel.FirstFile(prefix);

    for (; file != NULL && error == 0; file = kernel.NextFile(file, prefix)) {
        if (is_wanted(file)) {
            error = archive_insert(&place, file, file->Path + skipped);
        }
    }
    return error;
}

static long archive_start(void)
{
    long error = insert_all(PREFIX, strlen(PREFIX));
    return error < 0 ? error : insert_all(NATIVE_PREFIX, 0);
}

const struct file_kind archive_kind = {.start = archive_start};
