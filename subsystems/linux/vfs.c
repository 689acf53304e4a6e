/* SPDX-License-Identifier: MIT */
/*
 * The file tree: inodes, directories, and the walk along a path. The tree of the archive and of /dev is made
 * once, when the module loads, and only read afterwards; therefore nothing here takes a lock.
 */
#include "linux.h"

struct inode *root_inode;
BOOLEAN volatile tree_ready;

static const struct file_kind *const *file_kinds;
static size_t started; /* so many of them */

static LIST_ENTRY permanent_inodes = {&permanent_inodes, &permanent_inodes};
static LONG64 next_inode_number;

#define MAX_LINKS 40 /* symbolic links along one path */

/* ---- Inodes ---- */

struct inode *inode_new(u32 mode, u64 dev)
{
    struct inode *inode = zalloc(sizeof(*inode));
    if (inode == NULL) {
        return NULL;
    }
    inode->refs = 1;
    inode->mode = mode;
    inode->dev = dev;
    inode->ino = InterlockedIncrement64(&next_inode_number);
    inode->nlink = S_ISDIR(mode) ? 2 : 1;
    InitializeListHead(&inode->entries);
    inode->next_position = 2;
    inode->name = inode->own_name;
    return inode;
}

struct inode *inode_get(struct inode *inode)
{
    if (!inode->permanent) {
        InterlockedIncrement(&inode->refs);
    }
    return inode;
}

void inode_put(struct inode *inode)
{
    if (inode == NULL || inode->permanent || InterlockedDecrement(&inode->refs) != 0) {
        return;
    }
    struct inode *parent = inode->parent;
    release(inode);
    inode_put(parent);
}

static struct inode *permanent(struct inode *inode)
{
    if (inode != NULL) {
        inode->permanent = true;
        InsertTailList(&permanent_inodes, &inode->all);
    }
    return inode;
}

/* The section over a file's bytes, made on first use and kept; NULL when memory is out. Not referenced for
   the caller. */
PMM_SECTION_HANDLE inode_section(struct inode *inode)
{
    PMM_SECTION_HANDLE section = inode->section;

    if (section != NULL || !inode_can_be_mapped(inode)) {
        return section;
    }
    if (!NT_SUCCESS(inode->ops->make_section(inode, &section))) {
        return NULL;
    }
    PMM_SECTION_HANDLE first =
        InterlockedCompareExchangePointer((PVOID volatile *)&inode->section, section, NULL);
    if (first != NULL) {
        kernel.DereferenceSection(section); /* another task was faster */
        return first;
    }
    return section;
}

/* ---- Directories ---- */

static u32 name_hash(const char *name, size_t length)
{
    u32 hash = 2166136261U;
    for (size_t i = 0; i < length; i++) {
        hash = (hash ^ (u8)name[i]) * 16777619U;
    }
    return hash;
}

struct inode *dir_find(struct inode *dir, const char *name, size_t length)
{
    u32 hash = name_hash(name, length);
    for (PLIST_ENTRY at = dir->entries.Flink; at != &dir->entries; at = at->Flink) {
        struct dirent *entry = CONTAINING_RECORD(at, struct dirent, links);
        if (entry->hash == hash && entry->length == length && memcmp(entry->name, name, length) == 0) {
            return entry->inode;
        }
    }
    return NULL;
}

/* Takes over the inode, also when it fails. */
long dir_add(struct inode *dir, const char *name, size_t length, struct inode *inode)
{
    struct dirent *entry = inode != NULL && length <= NAME_MAX ? zalloc(sizeof(*entry) + length + 1) : NULL;
    if (entry == NULL) {
        inode_put(inode);
        return -ENOMEM;
    }
    memcpy(entry->name, name, length);
    entry->hash = name_hash(name, length);
    entry->length = length;
    entry->inode = permanent(inode);
    entry->position = dir->next_position++;
    InsertTailList(&dir->entries, &entry->links);
    inode->parent = dir;
    inode->name = entry->name;
    if (S_ISDIR(inode->mode)) {
        dir->nlink++;
    }
    return 0;
}

struct inode *dir_make(struct inode *dir, const char *name, size_t length)
{
    struct inode *folder = dir_find(dir, name, length);
    if (folder != NULL) {
        return S_ISDIR(folder->mode) ? folder : NULL;
    }
    folder = inode_new(S_IFDIR | 0755, dir->dev);
    return dir_add(dir, name, length, folder) == 0 ? folder : NULL;
}

static long static_readlink(struct inode *link, char *buffer, size_t size)
{
    size_t length = strlen((const char *)link->entry);
    memcpy(buffer, link->entry, min(length, size));
    return min(length, size);
}

static const struct inode_operations static_link_ops = {.readlink = static_readlink};

/* A symbolic link whose target is a constant of the module. One that is there already stays. */
struct inode *dir_link(struct inode *dir, const char *name, const char *target)
{
    struct inode *link = dir_find(dir, name, strlen(name));
    if (link != NULL) {
        return link;
    }
    link = inode_new(S_IFLNK | 0777, dir->dev);
    if (link != NULL) {
        link->ops = &static_link_ops;
        link->entry = target;
        link->size = strlen(target);
    }
    return dir_add(dir, name, strlen(name), link) == 0 ? link : NULL;
}

static bool emit_dots(struct inode *dir, u64 pos, struct dir_context *ctx)
{
    return (pos > 0 || ctx->emit(ctx, ".", 1, dir->ino, dir->mode, 1)) &&
           (pos > 1 || ctx->emit(ctx, "..", 2, dir->parent->ino, dir->parent->mode, 2));
}

/* Tells ctx the entries from position pos on. */
long dir_read(struct inode *dir, u64 pos, struct dir_context *ctx)
{
    if (!emit_dots(dir, pos, ctx)) {
        return 0;
    }
    for (PLIST_ENTRY at = dir->entries.Flink; at != &dir->entries; at = at->Flink) {
        struct dirent *entry = CONTAINING_RECORD(at, struct dirent, links);
        if (entry->position >= pos && !ctx->emit(ctx, entry->name, entry->length, entry->inode->ino,
                                                 entry->inode->mode, entry->position + 1)) {
            return 0;
        }
    }
    if (dir->ops != NULL && dir->ops->readdir != NULL) {
        return dir->ops->readdir(dir, pos > dir->next_position ? pos : dir->next_position, ctx);
    }
    return 0;
}

/* ---- Paths ---- */

long inode_readlink(struct inode *link, char *buffer, size_t size)
{
    return S_ISLNK(link->mode) ? link->ops->readlink(link, buffer, size) : -EINVAL;
}

static long lookup(struct inode *dir, const char *name, size_t length, struct inode **out)
{
    if (length == 1 && name[0] == '.') {
        *out = inode_get(dir);
        return 0;
    }
    if (length == 2 && name[0] == '.' && name[1] == '.') {
        *out = inode_get(dir->parent);
        return 0;
    }
    struct inode *found = dir_find(dir, name, length);
    if (found != NULL) {
        *out = inode_get(found);
        return 0;
    }
    return dir->ops != NULL && dir->ops->lookup != NULL ? dir->ops->lookup(dir, name, length, out) : -ENOENT;
}

/* One step: the name at the path's front, and what follows it. */
struct step {
    char *name;
    size_t length;
    char *rest; /* behind the slashes that follow */
    bool slash; /* there were any */
    bool last;
};

static void next_step(char *path, struct step *step)
{
    step->name = path;
    for (; *path != 0 && *path != '/'; path++) {}
    step->length = path - step->name;
    step->slash = *path == '/';
    for (; *path == '/'; path++) {}
    step->rest = path;
    step->last = *path == 0;
}

/* Puts a link's target in front of what is left of the path. Buffer: PATH_MAX bytes, the start of the
   path's memory. */
static long splice_link(struct inode *link, char *buffer, const struct step *step)
{
    size_t left = strlen(step->rest);
    char *target = zalloc(PATH_MAX);
    if (target == NULL) {
        return -ENOMEM;
    }
    long length = inode_readlink(link, target, PATH_MAX - 1);
    if (length == 0) {
        length = -ENOENT;
    }
    if (length > 0 && length + step->slash + left + 1 > PATH_MAX) {
        length = -ENAMETOOLONG;
    }
    if (length > 0) {
        memmove(buffer + length + step->slash, step->rest, left + 1);
        memcpy(buffer, target, length);
        if (step->slash) {
            buffer[length] = '/';
        }
    }
    release(target);
    return length < 0 ? length : 0;
}

/* The state of a walk. at: where it stands, referenced. */
struct walk {
    struct inode *at;
    char *buffer, *path;
    unsigned links;
};

static void walk_to(struct walk *walk, struct inode *inode)
{
    inode_put(walk->at);
    walk->at = inode;
}

static void walk_skip_slashes(struct walk *walk)
{
    if (*walk->path == '/') {
        walk_to(walk, inode_get(root_inode));
    }
    for (; *walk->path == '/'; walk->path++) {}
}

/* Goes where a symbolic link leads; takes over the reference to the link. */
static long walk_link(struct walk *walk, struct inode *link, const struct step *step)
{
    struct inode *target;
    long error;

    if (++walk->links > MAX_LINKS) {
        error = -ELOOP;
    } else if (link->ops->follow != NULL) {
        error = link->ops->follow(link, &target);
        if (error == 0) {
            walk_to(walk, target);
            walk->path = step->rest;
            error = step->slash && !S_ISDIR(target->mode) ? -ENOTDIR : 0;
        }
    } else {
        error = splice_link(link, walk->buffer, step);
        walk->path = walk->buffer;
        if (error == 0) {
            walk_skip_slashes(walk);
        }
    }
    inode_put(link);
    return error;
}

/* Walks one name on. */
static long walk_step(struct walk *walk, const struct step *step, u32 flags)
{
    struct inode *next;

    if (!S_ISDIR(walk->at->mode)) {
        return -ENOTDIR;
    }
    if (step->length > NAME_MAX) {
        return -ENAMETOOLONG;
    }
    long error = lookup(walk->at, step->name, step->length, &next);
    if (error < 0) {
        return error;
    }
    if (S_ISLNK(next->mode) && !(step->last && !step->slash && (flags & WALK_NOFOLLOW))) {
        return walk_link(walk, next, step);
    }
    walk_to(walk, next);
    walk->path = step->rest;
    return step->slash && !S_ISDIR(next->mode) ? -ENOTDIR : 0;
}

long path_walk(struct inode *base, char *path, u32 flags, struct inode **out)
{
    struct walk walk = {.at = inode_get(base), .buffer = path, .path = path};
    struct step step;
    long error = 0;

    walk_skip_slashes(&walk);
    while (error == 0 && *walk.path != 0) {
        next_step(walk.path, &step);
        error = walk_step(&walk, &step, flags);
    }
    if (error < 0) {
        inode_put(walk.at);
        return error;
    }
    *out = walk.at;
    return 0;
}

static bool is_dot_or_dots(const char *name, size_t length)
{
    return name[0] == '.' && (length == 1 || (length == 2 && name[1] == '.'));
}

long path_walk_parent(struct inode *base, char *path, struct inode **dir, char **last)
{
    size_t end = strlen(path);
    while (end > 0 && path[end - 1] == '/') {
        end--;
    }
    path[end] = 0;
    size_t start = end;
    while (start > 0 && path[start - 1] != '/') {
        start--;
    }
    if (start == end || is_dot_or_dots(path + start, end - start)) {
        return -EEXIST;
    }
    if (end - start > NAME_MAX) {
        return -ENAMETOOLONG;
    }
    *last = copy_string(path + start);
    if (*last == NULL) {
        return -ENOMEM;
    }
    path[start] = 0; /* may leave "", which is the base, or "/" */
    long error = path_walk(base, path, 0, dir);
    if (error == 0 && !S_ISDIR((*dir)->mode)) {
        inode_put(*dir);
        error = -ENOTDIR;
    }
    if (error < 0) {
        release(*last);
    }
    return error;
}

/* Written from the end of the buffer to its front, then moved. */
long path_of(struct inode *inode, char *buffer, size_t size)
{
    size_t at = size - 1;
    buffer[at] = 0;
    if (inode == root_inode) {
        buffer[--at] = '/';
    }
    for (; inode != root_inode && inode->parent != NULL; inode = inode->parent) {
        size_t length = strlen(inode->name);
        if (length + 1 > at) {
            return -ENAMETOOLONG;
        }
        at -= length;
        memcpy(buffer + at, inode->name, length);
        buffer[--at] = '/';
    }
    memmove(buffer, buffer + at, size - at);
    return size - at;
}

/* ---- The whole tree ---- */

/* Each kind is started after those that stand before it in the list. */
static long start_kinds(const struct file_kind *const *kinds, size_t count)
{
    long error = 0;

    file_kinds = kinds;
    for (started = 0; error == 0 && started < count; started++) {
        error = kinds[started]->start();
    }
    return error;
}

long tree_create(const struct file_kind *const *kinds, size_t count)
{
    root_inode = permanent(inode_new(S_IFDIR | 0755, DEV_ROOT));
    if (root_inode == NULL) {
        return -ENOMEM;
    }
    root_inode->parent = root_inode;
    long error = start_kinds(kinds, count);
    if (error == 0) {
        WriteBooleanRelease(&tree_ready, TRUE);
    }
    return error;
}

static void inode_free_permanent(struct inode *inode)
{
    while (!IsListEmpty(&inode->entries)) {
        release(CONTAINING_RECORD(RemoveHeadList(&inode->entries), struct dirent, links));
    }
    if (inode->section != NULL) {
        kernel.DereferenceSection(inode->section);
    }
    release(inode);
}

/* Nobody uses the tree any more. */
void tree_destroy(void)
{
    while (started > 0) {
        const struct file_kind *kind = file_kinds[--started];
        if (kind->stop != NULL) {
            kind->stop();
        }
    }
    while (!IsListEmpty(&permanent_inodes)) {
        inode_free_permanent(CONTAINING_RECORD(RemoveHeadList(&permanent_inodes), struct inode, all));
    }
    root_inode = NULL;
}
