/* SPDX-License-Identifier: MIT */
/*
 * The walk along a path, and the changes of names that programs ask for.
 *
 * A walk shares tree_lock for as long as it goes from name to name in folders of the tree: nothing that it
 * passes can go away meanwhile, and it takes no references. It lets go of the lock, and holds on to where it
 * stands, when it follows a symbolic link, or asks a folder whose names are made on demand.
 */
#include "linux.h"

#define MAX_LINKS 40 /* symbolic links along one path */

long inode_readlink(struct inode *link, char *buffer, size_t size)
{
    return S_ISLNK(link->mode) ? link->ops->readlink(link, buffer, size) : -EINVAL;
}

/* ---- The walk ---- */

/* A name in a path, and what follows it. */
struct step {
    char *name;
    size_t length;
    char *rest; /* behind the slashes that follow */
    bool slash; /* there were any */
    bool last;
};

struct walk {
    struct inode *at;
    bool holds_at;      /* at is referenced; otherwise the lock keeps it, or the caller */
    struct inode *root; /* referenced */
    char *buffer;       /* the path's memory, PATH_MAX bytes */
    char *path;         /* what is left of it */
    unsigned links;
    struct step step; /* the next one, which path begins with */
};

static void next_step(struct walk *walk)
{
    struct step *step = &walk->step;
    char *path = walk->path;

    step->name = path;
    for (; *path != 0 && *path != '/'; path++) {}
    step->length = path - step->name;
    step->slash = *path == '/';
    for (; *path == '/'; path++) {}
    step->rest = path;
    step->last = *path == 0;
}

static void walk_to(struct walk *walk, struct inode *inode, bool holds)
{
    if (walk->holds_at) {
        inode_put(walk->at);
    }
    walk->at = inode;
    walk->holds_at = holds;
}

static void walk_skip_slashes(struct walk *walk)
{
    if (*walk->path == '/') {
        walk_to(walk, walk->root, false);
    }
    for (; *walk->path == '/'; walk->path++) {}
}

/* Without the lock only what is referenced stays. */
static void walk_unlock(struct walk *walk)
{
    if (!walk->holds_at) {
        walk->at = inode_get(walk->at);
        walk->holds_at = true;
    }
    read_unlock(&tree_lock);
}

struct inode *current_root(void)
{
    struct task *task = current_task();
    struct inode *root = NULL;

    if (task != NULL && task->fs->root != NULL) {
        mutex_lock(&task->fs->lock);
        root = task->fs->root;
        inode_get(root);
        mutex_unlock(&task->fs->lock);
    }
    return root != NULL ? root : inode_get(root_inode);
}

static void walk_begin(struct walk *walk, struct inode *base, char *path)
{
    *walk = (struct walk){.at = base, .root = current_root(), .buffer = path, .path = path};
    read_lock(&tree_lock);
    walk_skip_slashes(walk);
}

/* Answers error; without one, *out is where the walk stands. */
static long walk_end(struct walk *walk, long error, struct inode **out)
{
    walk_unlock(walk);
    inode_put(walk->root);
    if (error < 0) {
        inode_put(walk->at);
    } else {
        *out = walk->at;
    }
    return error;
}

/* Asks the folder itself for a name. *next is referenced. */
static long ask_folder(struct walk *walk, struct inode **next)
{
    const struct step *step = &walk->step;

    if (walk->at->ops == NULL || walk->at->ops->lookup == NULL) {
        return -ENOENT;
    }
    walk_unlock(walk);
    long error = walk->at->ops->lookup(walk->at, step->name, step->length, next);
    read_lock(&tree_lock);
    return error;
}

static bool is_dots(const char *name, size_t length)
{
    return name[0] == '.' && (length == 1 || (length == 2 && name[1] == '.'));
}

/* What the next name is. *holds: it is referenced. */
static long look_up(struct walk *walk, struct inode **next, bool *holds)
{
    const struct step *step = &walk->step;

    *holds = false;
    if (!S_ISDIR(walk->at->mode)) {
        return -ENOTDIR;
    }
    if (is_dots(step->name, step->length)) {
        *next = step->length == 1 || walk->at == walk->root ? walk->at : parent_of(walk->at);
        *holds = walk->holds_at; /* what keeps a folder that has been removed keeps the one it was in, too */
        if (*holds) {
            inode_get(*next);
        }
        return 0;
    }
    if (step->length > NAME_MAX) {
        return -ENAMETOOLONG;
    }
    struct dirent *entry = dirent_find(walk->at, step->name, step->length);
    if (entry != NULL) {
        *next = entry->inode;
        return 0;
    }
    *holds = true;
    return ask_folder(walk, next);
}

/* Puts a link's target in front of what is left of the path. */
static long splice_link(struct walk *walk, struct inode *link)
{
    const struct step *step = &walk->step;
    size_t left = strlen(step->rest);
    char *target = alloc_page();
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
        memmove(walk->buffer + length + step->slash, step->rest, left + 1);
        memcpy(walk->buffer, target, length);
        if (step->slash) {
            walk->buffer[length] = '/';
        }
    }
    release(target);
    return length < 0 ? length : 0;
}

/* Goes where a symbolic link leads; takes over the reference to the link. The lock is not held. */
static long follow_link(struct walk *walk, struct inode *link)
{
    struct inode *target;
    long error;

    if (++walk->links > MAX_LINKS) {
        error = -ELOOP;
    } else if (link->ops->follow != NULL) {
        error = link->ops->follow(link, &target);
        if (error == 0) {
            walk_to(walk, target, true);
            walk->path = walk->step.rest;
            error = walk->step.slash && !S_ISDIR(target->mode) ? -ENOTDIR : 0;
        }
    } else {
        error = splice_link(walk, link);
        walk->path = walk->buffer;
    }
    inode_put(link);
    return error;
}

static long walk_link(struct walk *walk, struct inode *link, bool holds)
{
    if (!holds) {
        inode_get(link);
    }
    walk_unlock(walk);
    long error = follow_link(walk, link);
    read_lock(&tree_lock);
    if (error == 0 && walk->path == walk->buffer) {
        walk_skip_slashes(walk);
    }
    return error;
}

/* Walks one name on. */
static long walk_step(struct walk *walk, u32 flags)
{
    const struct step *step = &walk->step;
    struct inode *next;
    bool holds;

    long error = look_up(walk, &next, &holds);
    if (error < 0) {
        return error;
    }
    if (S_ISLNK(next->mode) && !(step->last && !step->slash && (flags & WALK_NOFOLLOW))) {
        return walk_link(walk, next, holds);
    }
    walk_to(walk, next, holds);
    walk->path = step->rest;
    return step->slash && !S_ISDIR(next->mode) ? -ENOTDIR : 0;
}

/* Walks until one name is left, which step then describes; none (length 0) if the path has led to its end
   without. */
static long walk_to_last(struct walk *walk, u32 flags)
{
    long error = 0;

    next_step(walk);
    while (error == 0 && !walk->step.last) {
        error = walk_step(walk, flags);
        next_step(walk);
    }
    return error == 0 && walk->step.length != 0 && !S_ISDIR(walk->at->mode) ? -ENOTDIR : error;
}

long path_walk(struct inode *base, char *path, u32 flags, struct inode **out)
{
    struct walk walk;
    long error = 0;

    walk_begin(&walk, base, path);
    while (error == 0 && *walk.path != 0) {
        next_step(&walk);
        error = walk_step(&walk, flags);
    }
    return walk_end(&walk, error, out);
}

long path_walk_parent(struct inode *base, char *path, struct leaf *name)
{
    struct walk walk;

    walk_begin(&walk, base, path);
    long error = walk_to_last(&walk, 0);
    const struct step *step = &walk.step;
    if (error == 0 && step->length > NAME_MAX) {
        error = -ENAMETOOLONG;
    }
    *name = (struct leaf){.text = step->name,
                          .length = step->length,
                          .slash = step->slash,
                          .dots = step->length != 0 && is_dots(step->name, step->length)};
    return walk_end(&walk, error, &name->dir);
}

/* ---- Making and removing names ---- */

/* May names of this folder change? Those of /proc come and go by themselves. */
static bool is_changeable(const struct inode *dir)
{
    return dir->dev == DEV_ROOT;
}

/* In a folder whose names do not change: is there such a one? */
static bool is_there(const struct leaf *name)
{
    struct inode *found = NULL;

    read_lock(&tree_lock);
    bool there = dirent_find(name->dir, name->text, name->length) != NULL;
    read_unlock(&tree_lock);
    if (!there && name->dir->ops != NULL && name->dir->ops->lookup != NULL &&
        name->dir->ops->lookup(name->dir, name->text, name->length, &found) == 0) {
        inode_put(found);
        there = true;
    }
    return there;
}

long name_may_create(const struct leaf *name, bool folder)
{
    if (name->length == 0 || name->dots || is_there(name)) {
        return -EEXIST;
    }
    return (name->slash && !folder) || !is_changeable(name->dir) ? -ENOENT : 0;
}

/* Hangs an entry into its folder. tree_lock is held. */
static long enter(struct dirent *entry, struct dirent **old)
{
    struct inode *dir = entry->dir;

    if (dir->nlink == 0) {
        return -ENOENT;
    }
    if (dirent_find(dir, entry->name, entry->length) != NULL) {
        return -EEXIST;
    }
    if (!dir_reserve(dir)) {
        return -ENOSPC;
    }
    dirent_hang(dir, entry);
    *old = dirent_becomes_link(entry);
    dir->nlink += S_ISDIR(entry->inode->mode);
    inode_touch(dir);
    return 0;
}

long name_create(const struct leaf *name, struct inode *inode)
{
    struct dirent *old = NULL;
    long error = name_may_create(name, S_ISDIR(inode->mode));
    struct dirent *entry = error == 0 ? dirent_new(name->dir, name->text, name->length, inode) : NULL;

    if (entry == NULL) {
        return error < 0 ? error : -ENOSPC;
    }
    write_lock(&tree_lock);
    error = enter(entry, &old);
    write_unlock(&tree_lock);
    dirent_drop(error < 0 ? entry : old);
    return error;
}

#define MOST_LINKS 0x7fffffffU

long name_link(const struct leaf *name, struct inode *inode)
{
    struct dirent *old = NULL;
    long error = name_may_create(name, false);

    if (error == 0 && inode->dev != name->dir->dev) {
        error = -EXDEV;
    }
    if (error == 0 && S_ISDIR(inode->mode)) {
        error = -EPERM;
    }
    struct dirent *entry = error == 0 ? dirent_new(name->dir, name->text, name->length, inode) : NULL;
    if (entry == NULL) {
        return error < 0 ? error : -ENOSPC;
    }
    write_lock(&tree_lock);
    error = inode->nlink == 0 && !inode->linkable ? -ENOENT : inode->nlink >= MOST_LINKS ? -EMLINK : 0;
    if (error == 0) {
        error = enter(entry, &old);
    }
    if (error == 0) {
        inode->nlink++;
        inode->linkable = false; /* from now on as any other */
        inode->ctime = current_time();
    }
    write_unlock(&tree_lock);
    dirent_drop(error < 0 ? entry : old);
    return error;
}

/* Takes the last steps of a removal. tree_lock is held. */
static struct removed leave(struct dirent *entry)
{
    struct inode *inode = entry->inode, *dir = entry->dir;
    bool folder = S_ISDIR(inode->mode);

    dirent_unhang(entry);
    inode->nlink -= folder ? 2 : 1;
    dir->nlink -= folder;
    inode->ctime = current_time();
    inode_touch(dir);
    return dirent_remove(entry);
}

static long may_unlink(const struct leaf *name, const struct dirent *entry)
{
    if (entry == NULL) {
        return -ENOENT;
    }
    if (S_ISDIR(entry->inode->mode)) {
        return -EISDIR;
    }
    return name->slash ? -ENOTDIR : 0;
}

static long may_rmdir(const struct leaf *name, const struct dirent *entry)
{
    if (entry == NULL) {
        return -ENOENT;
    }
    if (!S_ISDIR(entry->inode->mode)) {
        return -ENOTDIR;
    }
    return entry->inode->dev != name->dir->dev ? -EBUSY : dir_is_empty(entry->inode) ? 0 : -ENOTEMPTY;
}

static long remove_name(const struct leaf *name,
                        long (*may)(const struct leaf *name, const struct dirent *entry))
{
    struct removed removed = {NULL, NULL};

    if (!is_changeable(name->dir)) {
        return is_there(name) ? -EPERM : -ENOENT;
    }
    write_lock(&tree_lock);
    struct dirent *entry = dirent_find(name->dir, name->text, name->length);
    long error = may(name, entry);
    if (error == 0) {
        removed = leave(entry);
    }
    write_unlock(&tree_lock);
    removed_put(removed);
    return error;
}

long name_unlink(const struct leaf *name)
{
    return name->length == 0 || name->dots ? -EISDIR : remove_name(name, may_unlink);
}

long name_rmdir(const struct leaf *name)
{
    if (name->length == 0) {
        return -EBUSY;
    }
    if (name->dots) {
        return name->length == 1 ? -EINVAL : -ENOTEMPTY;
    }
    return remove_name(name, may_rmdir);
}

/* ---- Renaming ---- */

/* tree_lock is held. */
static bool is_above(const struct inode *above, const struct inode *dir)
{
    while (dir != above && dir != root_inode && dir != NULL) {
        dir = parent_of(dir);
    }
    return dir == above;
}

/* What the two names are now. */
struct rename {
    const struct leaf *from, *to;
    u32 flags;
    struct dirent *source, *target; /* target NULL: there is none */
};

static long may_rename_names(const struct rename *r)
{
    bool exchange = r->flags & RENAME_EXCHANGE;

    if (r->source == NULL || (exchange && r->target == NULL)) {
        return -ENOENT;
    }
    if (r->target != NULL && (r->flags & RENAME_NOREPLACE)) {
        return -EEXIST;
    }
    if (exchange && r->to->slash && !S_ISDIR(r->target->inode->mode)) {
        return -ENOTDIR;
    }
    if (!S_ISDIR(r->source->inode->mode) && (r->from->slash || (!exchange && r->to->slash))) {
        return -ENOTDIR;
    }
    if (S_ISDIR(r->source->inode->mode) && is_above(r->source->inode, r->to->dir)) {
        return -EINVAL;
    }
    if (r->target != NULL && S_ISDIR(r->target->inode->mode) && is_above(r->target->inode, r->from->dir)) {
        return exchange ? -EINVAL : -ENOTEMPTY;
    }
    return 0;
}

/* May the target go? */
static long may_replace(const struct inode *source, const struct inode *target)
{
    if (S_ISDIR(source->mode) != S_ISDIR(target->mode)) {
        return S_ISDIR(target->mode) ? -EISDIR : -ENOTDIR;
    }
    return S_ISDIR(target->mode) && !dir_is_empty(target) ? -ENOTEMPTY : 0;
}

static long may_rename(const struct rename *r)
{
    long error = may_rename_names(r);

    if (error < 0 || (r->target != NULL && r->target->inode == r->source->inode)) {
        return error;
    }
    if (r->to->dir->nlink == 0) {
        return -ENOENT;
    }
    if (r->target != NULL && !(r->flags & RENAME_EXCHANGE)) {
        error = may_replace(r->source->inode, r->target->inode);
    }
    if (error == 0 &&
        (r->source->inode->dev != DEV_ROOT || (r->target != NULL && r->target->inode->dev != DEV_ROOT))) {
        error = -EBUSY; /* another file system begins there */
    }
    return error;
}

/* Hangs an entry that stands in no folder into dir, under a name that it takes over. */
static void move_entry(struct dirent *entry, struct inode *dir, char *name, size_t length)
{
    bool folder = S_ISDIR(entry->inode->mode);
    struct inode *old = entry->dir;

    old->nlink -= folder;
    dir->nlink += folder;
    inode_touch(old);
    inode_touch(dir);
    entry->inode->ctime = current_time();
    dirent_name(entry, name, length);
    inode_get(dir);
    dirent_hang(dir, entry);
    inode_put(old); /* never the last one: the caller has one, too */
}

/* Takes over both names. */
static void exchange(const struct rename *r, char *from_name, char *to_name)
{
    dirent_unhang(r->source);
    dirent_unhang(r->target);
    move_entry(r->source, r->to->dir, to_name, r->to->length);
    move_entry(r->target, r->from->dir, from_name, r->from->length);
}

/* Takes over the name. The place of the last entry that leaves a folder is the first to be taken again: a
   file that is renamed within its folder keeps its place, and one that replaces another elsewhere has that
   one's. */
static struct removed move(const struct rename *r, char *to_name)
{
    struct removed removed = {NULL, NULL};

    if (r->target != NULL) {
        removed = leave(r->target);
    }
    dirent_unhang(r->source);
    move_entry(r->source, r->to->dir, to_name, r->to->length);
    return removed;
}

/* Answers 1 when both names have been used up. tree_lock is held. */
static long rename_locked(struct rename *r, char *from_name, char *to_name, struct removed *removed)
{
    r->source = dirent_find(r->from->dir, r->from->text, r->from->length);
    r->target = dirent_find(r->to->dir, r->to->text, r->to->length);
    long error = may_rename(r);
    if (error < 0 || (r->target != NULL && r->target->inode == r->source->inode)) {
        return error;
    }
    if (r->target == NULL && r->from->dir != r->to->dir && !dir_reserve(r->to->dir)) {
        return -ENOSPC;
    }
    if (r->flags & RENAME_EXCHANGE) {
        exchange(r, from_name, to_name);
    } else {
        *removed = move(r, to_name);
    }
    return 1;
}

static long may_rename_paths(const struct leaf *from, const struct leaf *to, u32 flags)
{
    if (from->dir->dev != to->dir->dev) {
        return -EXDEV;
    }
    if (from->length == 0 || from->dots) {
        return -EBUSY;
    }
    if (to->length == 0 || to->dots) {
        return flags & RENAME_NOREPLACE ? -EEXIST : -EBUSY;
    }
    return is_changeable(from->dir) ? 0 : is_there(from) ? -EPERM : -ENOENT;
}

long name_rename(const struct leaf *from, const struct leaf *to, u32 flags)
{
    struct rename r = {.from = from, .to = to, .flags = flags};
    struct removed removed = {NULL, NULL};

    long error = may_rename_paths(from, to, flags);
    if (error < 0) {
        return error;
    }
    char *from_name = copy_bytes(from->text, from->length);
    char *to_name = copy_bytes(to->text, to->length);
    error = -ENOMEM;
    if (from_name != NULL && to_name != NULL) {
        write_lock(&tree_lock);
        error = rename_locked(&r, from_name, to_name, &removed);
        write_unlock(&tree_lock);
    }
    if (error != 1) {
        release(to_name);
    }
    if (error != 1 || !(flags & RENAME_EXCHANGE)) {
        release(from_name);
    }
    removed_put(removed);
    return error < 0 ? error : 0;
}

/* ---- open with O_CREAT ---- */

/* Makes the file that the last step of the walk names; -EEXIST: somebody was faster. */
static long walk_create(struct walk *walk, u32 mode)
{
    const struct step *step = &walk->step;
    struct leaf name = {.dir = walk->at, .text = step->name, .length = step->length};
    struct inode *inode = NULL;

    walk_unlock(walk);
    long error = is_changeable(walk->at) ? 0 : -ENOENT;
    if (error == 0) {
        inode = tree_new(walk->at, S_IFREG | mode, 0);
        error = inode == NULL ? -ENOSPC : name_create(&name, inode);
    }
    read_lock(&tree_lock);
    if (error == 0) {
        walk_to(walk, inode, true);
        walk->path = step->rest;
    } else {
        inode_put(inode);
    }
    return error;
}

/* The last name, which is made if it is not there. 1: a link has been followed, there is more to walk. */
static long walk_last_or_create(struct walk *walk, u32 flags, u32 mode, bool *made)
{
    long error;

    do {
        error = walk_step(walk, flags);
        if (error == -ENOENT && walk->step.name == walk->path) {
            error = walk_create(walk, mode);
            *made = error == 0;
        }
    } while (error == -EEXIST);
    return error;
}

long path_create(struct inode *base, char *path, u32 flags, u32 mode, struct inode **out, bool *made)
{
    struct walk walk;

    *made = false;
    walk_begin(&walk, base, path);
    long error = walk_to_last(&walk, flags);
    while (error == 0 && walk.step.length != 0 && *walk.path != 0) {
        if (walk.step.slash) {
            error = -EISDIR;
        } else {
            error = walk_last_or_create(&walk, flags, mode, made);
        }
        if (error == 0 && *walk.path != 0) {
            error = walk_to_last(&walk, flags);
        }
    }
    return walk_end(&walk, error, out);
}
