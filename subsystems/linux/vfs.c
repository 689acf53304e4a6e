/* SPDX-License-Identifier: MIT */
/*
 * The file tree: inodes, and the folders that name them. namei.c has the walk along a path and the changes
 * that programs ask for, tmpfs.c the bytes of files.
 *
 * Locks: tree_lock guards all names at once: which names a folder has, where a folder stands, how many names
 * an inode has. Look-ups share it; a change has it alone, for as long as it takes to hash a name: so a rename
 * from one folder to another is one step, and nobody needs an order among the locks of folders.
 *
 * A folder's entry has a reference to its inode, and to its folder. The entry belongs to the folder while the
 * name is there; afterwards the inode keeps the last one, for those who ask where it was.
 */
#include "linux.h"

#define NS_PER_UNIT        100
#define UNITS_1601_TO_1970 116444736000000000L

/* Names by hash, and by place: the position of a reader is a place, which a name keeps for as long as it is
   there. */
struct directory {
    u32 count;
    u32 buckets_size, slots_size; /* powers of two; there are at least as many slots as names */
    struct dirent **buckets;
    struct dirent **slots; /* free ones: the number of the next free one, twice, and one; or NULL */
    u32 slots_used;        /* those from here on have never been used */
    u32 free_slot;         /* number and one; 0: none */
};

#define FIRST_DIRECTORY 8

struct inode *root_inode;
struct rwlock tree_lock;
BOOLEAN volatile tree_ready;

static const struct file_kind *const *file_kinds;
static size_t started; /* so many of them */
static LONG64 next_inode_number;

volatile LONG64 tree_pages, tree_inodes;

/* ---- Inodes ---- */

s64 current_time(void)
{
    LARGE_INTEGER now;
    KeQuerySystemTime(&now);
    return (now.QuadPart - UNITS_1601_TO_1970) * NS_PER_UNIT;
}

static const struct inode_operations no_operations;

struct inode *inode_new(u32 mode, u64 dev)
{
    struct inode *inode = zalloc(sizeof(*inode));
    if (inode == NULL) {
        return NULL;
    }
    inode->refs = 1;
    inode->mode = mode;
    inode->dev = dev;
    inode->ops = &no_operations; /* so that nobody has to ask whether there are any */
    inode->ino = InterlockedIncrement64(&next_inode_number);
    inode->nlink = S_ISDIR(mode) ? 2 : 1;
    inode->next_position = 2;
    inode->atime = inode->mtime = inode->ctime = current_time();
    rwlock_init(&inode->lock);
    InterlockedIncrement64(&tree_inodes);
    return inode;
}

static void dirent_free(struct dirent *entry)
{
    release(entry->name);
    release(entry);
}

static void directory_free(struct directory *entries)
{
    if (entries != NULL) {
        release(entries->buckets);
        release(entries->slots);
        release(entries);
    }
}

/* Who looks at regions follows their tags, which hold no reference: meanwhile no inode is freed. */
static struct mutex grave_lock;
static u32 tag_readers;     /* (grave_lock) */
static struct inode *grave; /* (grave_lock) those that wait, chained by what was their section */

static void inode_release(struct inode *inode)
{
    if (inode->link != NULL) {
        dirent_free(inode->link);
    }
    InterlockedAdd64(&tree_pages, -(LONG64)inode->pages);
    directory_free(inode->entries);
    release(inode->text);
    release(inode->locks); /* an empty list */
    release(inode);
    InterlockedDecrement64(&tree_inodes);
}

/* Nobody can find the inode any more, no region maps it. The kernel calls it with locks of its own: it only
   frees. */
static void inode_free(PVOID context)
{
    struct inode *inode = context;

    mutex_lock(&grave_lock);
    bool waits = tag_readers != 0;
    if (waits) {
        inode->section = (PVOID)grave;
        grave = inode;
    }
    mutex_unlock(&grave_lock);
    if (!waits) {
        inode_release(inode);
    }
}

void region_tags_hold(void)
{
    mutex_lock(&grave_lock);
    tag_readers++;
    mutex_unlock(&grave_lock);
}

void region_tags_release(void)
{
    struct inode *dead = NULL, *next;

    mutex_lock(&grave_lock);
    if (--tag_readers == 0) {
        dead = grave;
        grave = NULL;
    }
    mutex_unlock(&grave_lock);
    for (; dead != NULL; dead = next) {
        next = (PVOID)dead->section;
        inode_release(dead);
    }
}

/* Gives up the last reference; answers the folder that the inode had a reference to. */
static struct inode *inode_end(struct inode *inode)
{
    struct inode *parent = inode != inode->parent ? inode->parent : NULL;
    PMM_SECTION_HANDLE section = inode->section;

    if (inode->link != NULL) {
        parent = inode->link->dir;
        inode->link->dir = NULL;
    }
    if (section != NULL) {
        kernel.RetireSection(section, inode_free, inode); /* regions that map it name the inode */
    } else {
        inode_free(inode);
    }
    return parent;
}

/* A loop, not a recursion: the last user of a removed folder may free all that were above it. */
void inode_put(struct inode *inode)
{
    while (inode != NULL && InterlockedDecrement(&inode->refs) == 0) {
        inode = inode_end(inode);
    }
}

PMM_SECTION_HANDLE inode_section(struct inode *inode)
{
    PMM_SECTION_HANDLE section = inode->section;

    if (section != NULL || !inode_can_be_mapped(inode)) {
        return section;
    }
    write_lock(&inode->lock);
    if (inode->section == NULL && NT_SUCCESS(inode->ops->make_section(inode, &section))) {
        InterlockedExchangePointer((PVOID volatile *)&inode->section, section);
    }
    section = inode->section;
    write_unlock(&inode->lock);
    return section;
}

/* Moves the count of writers, which stays on its side of zero. */
static long count_writers(struct inode *inode, LONG step)
{
    LONG before = inode->writers, seen;

    while (step > 0 ? before >= 0 : before <= 0) {
        seen = InterlockedCompareExchange(&inode->writers, before + step, before);
        if (seen == before) {
            return 0;
        }
        before = seen;
    }
    return -ETXTBSY;
}

long inode_get_write(struct inode *inode)
{
    return count_writers(inode, 1);
}

void inode_put_write(struct inode *inode)
{
    InterlockedDecrement(&inode->writers);
}

long inode_deny_write(struct inode *inode)
{
    return count_writers(inode, -1);
}

void inode_allow_write(struct inode *inode)
{
    InterlockedIncrement(&inode->writers);
}

/* ---- Folders: tree_lock is held, exclusively where something changes ---- */

static u32 name_hash(const char *name, size_t length)
{
    u32 hash = 2166136261U;
    for (size_t i = 0; i < length; i++) {
        hash = (hash ^ (u8)name[i]) * 16777619U;
    }
    return hash;
}

static struct dirent **bucket_of(const struct directory *entries, u32 hash)
{
    return &entries->buckets[(hash ^ hash >> 15) & (entries->buckets_size - 1)];
}

struct dirent *dirent_find(const struct inode *dir, const char *name, size_t length)
{
    if (dir->entries == NULL) {
        return NULL;
    }
    u32 hash = name_hash(name, length);
    struct dirent *entry = *bucket_of(dir->entries, hash);
    while (entry != NULL &&
           (entry->hash != hash || entry->length != length || memcmp(entry->name, name, length) != 0)) {
        entry = entry->next;
    }
    return entry;
}

static struct directory *directory_new(void)
{
    struct directory *entries = zalloc(sizeof(*entries));
    if (entries == NULL) {
        return NULL;
    }
    entries->buckets_size = entries->slots_size = FIRST_DIRECTORY;
    entries->buckets = zalloc(FIRST_DIRECTORY * sizeof(*entries->buckets));
    entries->slots = zalloc(FIRST_DIRECTORY * sizeof(*entries->slots));
    if (entries->buckets == NULL || entries->slots == NULL) {
        directory_free(entries);
        return NULL;
    }
    return entries;
}

/* Without memory the chains grow longer instead. */
static void grow_buckets(struct directory *entries)
{
    u32 old_size = entries->buckets_size;
    struct dirent **old = entries->buckets;
    struct dirent **buckets = zalloc(2UL * old_size * sizeof(*buckets));

    if (buckets == NULL) {
        return;
    }
    entries->buckets = buckets;
    entries->buckets_size = 2 * old_size;
    for (u32 i = 0; i < old_size; i++) {
        for (struct dirent *entry = old[i], *next; entry != NULL; entry = next) {
            struct dirent **bucket = bucket_of(entries, entry->hash);
            next = entry->next;
            entry->next = *bucket;
            *bucket = entry;
        }
    }
    release(old);
}

static bool grow_slots(struct directory *entries)
{
    struct dirent **slots = zalloc(2UL * entries->slots_size * sizeof(*slots));

    if (slots == NULL) {
        return false;
    }
    memcpy(slots, entries->slots, entries->slots_size * sizeof(*slots));
    release(entries->slots);
    entries->slots = slots;
    entries->slots_size *= 2;
    return true;
}

static struct dirent *free_slot(u32 next)
{
    return (struct dirent *)(2UL * next + 1);
}

static bool is_free_slot(const struct dirent *slot)
{
    return slot == NULL || ((ULONG_PTR)slot & 1);
}

static u32 take_slot(struct directory *entries)
{
    u32 slot = entries->free_slot - 1;

    if (entries->free_slot == 0) {
        return entries->slots_used++;
    }
    entries->free_slot = (u32)((ULONG_PTR)entries->slots[slot] >> 1);
    return slot;
}

/* Makes sure that dir has room for one more entry. */
bool dir_reserve(struct inode *dir)
{
    if (dir->entries == NULL) {
        dir->entries = directory_new();
    }
    struct directory *entries = dir->entries;
    if (entries == NULL) {
        return false;
    }
    if (entries->count >= entries->buckets_size) {
        grow_buckets(entries);
    }
    return entries->free_slot != 0 || entries->slots_used < entries->slots_size || grow_slots(entries);
}

/* Hangs an entry, with all that it holds, into dir, where there is room for it. */
void dirent_hang(struct inode *dir, struct dirent *entry)
{
    struct directory *entries = dir->entries;
    struct dirent **bucket = bucket_of(entries, entry->hash);

    entry->dir = dir;
    entry->next = *bucket;
    *bucket = entry;
    entry->slot = take_slot(entries);
    entries->slots[entry->slot] = entry;
    entries->count++;
    dir->next_position = 2UL + entries->slots_used;
}

/* Takes it out of its folder. */
void dirent_unhang(struct dirent *entry)
{
    struct directory *entries = entry->dir->entries;
    struct dirent **at = bucket_of(entries, entry->hash);

    while (*at != entry) {
        at = &(*at)->next;
    }
    *at = entry->next;
    entries->slots[entry->slot] = free_slot(entries->free_slot);
    entries->free_slot = entry->slot + 1;
    entries->count--;
}

/* Gives an entry that stands in no folder a name, which it takes over. */
void dirent_name(struct dirent *entry, char *name, size_t length)
{
    release(entry->name);
    entry->name = name;
    entry->length = length;
    entry->hash = name_hash(name, length);
}

/* A name for an inode, with references to it and to the folder, which it does not stand in yet. NULL: no
   memory. */
struct dirent *dirent_new(struct inode *dir, const char *name, size_t length, struct inode *inode)
{
    struct dirent *entry = zalloc(sizeof(*entry));
    char *copy = copy_bytes(name, length);
    if (entry == NULL || copy == NULL) {
        release(entry);
        release(copy);
        return NULL;
    }
    dirent_name(entry, copy, length);
    entry->dir = inode_get(dir);
    entry->inode = inode_get(inode);
    return entry;
}

/* An entry that stands in no folder, nor is any inode's link. The lock is not held: references go. */
void dirent_drop(struct dirent *entry)
{
    if (entry != NULL) {
        inode_put(entry->inode);
        inode_put(entry->dir);
        dirent_free(entry);
    }
}

/* Ends a name: it stands in no folder any more. What is left is to be given to removed_put, without the
   lock. */
struct removed dirent_remove(struct dirent *entry)
{
    struct inode *inode = entry->inode;

    entry->inode = NULL;
    return (struct removed){inode, inode->link != entry ? entry : NULL};
}

void removed_put(struct removed removed)
{
    dirent_drop(removed.entry);
    inode_put(removed.inode);
}

/* The entry, which stands in its folder from now on, is the inode's newest name. Answers one that nothing
   needs any more, to be dropped without the lock. */
struct dirent *dirent_becomes_link(struct dirent *entry)
{
    struct dirent *old = entry->inode->link;

    entry->inode->link = entry;
    return old != NULL && old->inode == NULL ? old : NULL;
}

bool dir_is_empty(const struct inode *dir)
{
    return dir->entries == NULL || dir->entries->count == 0;
}

/* ---- What is built at the start, by one thread ---- */

struct inode *dir_find(struct inode *dir, const char *name, size_t length)
{
    struct dirent *entry = dirent_find(dir, name, length);
    return entry != NULL ? entry->inode : NULL;
}

long dir_add(struct inode *dir, const char *name, size_t length, struct inode *inode)
{
    struct dirent *entry = inode != NULL && length <= NAME_MAX ? dirent_new(dir, name, length, inode) : NULL;

    inode_put(inode); /* the entry has a reference of its own */
    if (entry == NULL || !dir_reserve(dir)) {
        dirent_drop(entry);
        return -ENOMEM;
    }
    dirent_hang(dir, entry);
    dirent_becomes_link(entry);
    dir->nlink += S_ISDIR(inode->mode);
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

/* A symbolic link that is there already stays. */
struct inode *dir_link(struct inode *dir, const char *name, const char *target)
{
    struct inode *link = dir_find(dir, name, strlen(name));
    if (link != NULL) {
        return link;
    }
    link = tree_new_link(target, strlen(target));
    return dir_add(dir, name, strlen(name), link) == 0 ? link : NULL;
}

/* ---- Reading folders ---- */

/* The folder that something is in; of what has no folder, NULL. */
struct inode *parent_of(const struct inode *inode)
{
    return inode->link != NULL ? inode->link->dir : inode->parent;
}

struct inode *inode_parent(struct inode *inode)
{
    read_lock(&tree_lock);
    struct inode *parent = inode_get(parent_of(inode));
    read_unlock(&tree_lock);
    return parent;
}

static bool emit_dots(struct inode *dir, u64 pos, struct dir_context *ctx)
{
    const struct inode *parent = parent_of(dir);
    return (pos > 0 || ctx->emit(ctx, ".", 1, dir->ino, dir->mode, 1)) &&
           (pos > 1 || ctx->emit(ctx, "..", 2, parent->ino, parent->mode, 2));
}

/* False: there was no room for all. */
static bool emit_names(struct inode *dir, u64 pos, struct dir_context *ctx)
{
    const struct directory *entries = dir->entries;

    for (u64 slot = pos > 2 ? pos - 2 : 0; entries != NULL && slot < entries->slots_used; slot++) {
        const struct dirent *entry = entries->slots[slot];
        if (!is_free_slot(entry) &&
            !ctx->emit(ctx, entry->name, entry->length, entry->inode->ino, entry->inode->mode, slot + 3)) {
            return false;
        }
    }
    return true;
}

/* Tells ctx the entries from position pos on. A folder that has been removed has none, not even dots. */
long dir_read(struct inode *dir, u64 pos, struct dir_context *ctx)
{
    read_lock(&tree_lock);
    bool gone = dir->nlink == 0;
    bool all = !gone && emit_dots(dir, pos, ctx) && emit_names(dir, pos, ctx);
    read_unlock(&tree_lock);
    if (gone) {
        return -ENOENT;
    }
    if (all && dir->ops != NULL && dir->ops->readdir != NULL) {
        return dir->ops->readdir(dir, pos > dir->next_position ? pos : dir->next_position, ctx);
    }
    return 0;
}

/* ---- Names of inodes ---- */

bool inode_name_removed(struct inode *inode, struct inode *dir, const char *name)
{
    struct dirent *entry = dirent_new(dir, name, strlen(name), inode);
    if (entry != NULL) {
        entry->inode = NULL;
        inode->link = entry;
        inode_put(inode); /* the entry's reference */
    }
    return entry != NULL;
}

bool inode_is_gone(struct inode *inode)
{
    read_lock(&tree_lock);
    bool gone = inode->link != NULL && inode->link->inode == NULL;
    read_unlock(&tree_lock);
    return gone;
}

/* Puts text in front of what stands in the buffer from `at` on. Where it begins; -1: there is no room. */
static long prepend(char *buffer, long at, const char *text, size_t length)
{
    if (at < (long)length) {
        return -1;
    }
    memcpy(buffer + at - length, text, length);
    return at - length;
}

static long prepend_path(struct inode *inode, const struct inode *root, char *buffer, long at)
{
    if (inode == root) {
        return prepend(buffer, at, "/", 1);
    }
    while (inode != NULL && inode != root && inode != root_inode) {
        const char *name = inode->link != NULL ? inode->link->name : inode->own_name;
        at = prepend(buffer, at, name, strlen(name));
        inode = parent_of(inode);
        if (inode != NULL) { /* a pipe, say, stands in no folder */
            at = prepend(buffer, at, "/", 1);
        }
    }
    return at;
}

long path_below(struct inode *inode, const struct inode *root, char *buffer, size_t size)
{
    static const char deleted[] = " (deleted)";
    long at = prepend(buffer, size, "", 1);

    read_lock(&tree_lock);
    if (inode->link != NULL && inode->link->inode == NULL) {
        at = prepend(buffer, at, deleted, sizeof(deleted) - 1);
    }
    at = prepend_path(inode, root, buffer, at);
    read_unlock(&tree_lock);
    if (at < 0) {
        return -ENAMETOOLONG;
    }
    memmove(buffer, buffer + at, size - at);
    return size - at;
}

long path_of(struct inode *inode, char *buffer, size_t size)
{
    return path_below(inode, root_inode, buffer, size);
}

/* ---- New files ---- */

#define MOST_TYPES 16

static struct file_type {
    u32 type;
    u64 rdev;
    const struct inode_operations *ops;
    const struct file_operations *fops;
} types[MOST_TYPES];
static u32 type_count; /* changes while the kinds start only */

void (*tree_statistics)(u64 *pages, u64 *free);

long type_register(u32 type, u64 rdev, const struct inode_operations *ops, const struct file_operations *fops)
{
    if (type_count == MOST_TYPES) {
        return -ENOSPC;
    }
    types[type_count++] = (struct file_type){type, rdev, ops, fops};
    return 0;
}

static void set_operations(struct inode *inode)
{
    for (u32 i = 0; i < type_count; i++) {
        if (types[i].type == (inode->mode & S_IFMT) && types[i].rdev == inode->rdev) {
            inode->ops = types[i].ops != NULL ? types[i].ops : &no_operations;
            inode->fops = types[i].fops;
        }
    }
}

/* A folder with the set-group-id bit hands its group down, and folders in it the bit. */
struct inode *tree_new(const struct inode *dir, u32 mode, u64 rdev)
{
    bool hands_down = (dir->mode & S_ISGID) != 0;
    struct inode *inode = inode_new(mode | (hands_down && S_ISDIR(mode) ? S_ISGID : 0), DEV_ROOT);

    if (inode != NULL) {
        inode->rdev = rdev;
        inode->gid = hands_down ? dir->gid : 0;
        set_operations(inode);
    }
    return inode;
}

static long text_readlink(struct inode *link, char *buffer, size_t size)
{
    size_t length = min(link->size, size);
    memcpy(buffer, link->text, length);
    return length;
}

static const struct inode_operations text_link_ops = {.readlink = text_readlink};

struct inode *tree_new_link(const char *target, size_t length)
{
    struct inode *link = inode_new(S_IFLNK | 0777, DEV_ROOT);
    char *text = copy_bytes(target, length);

    if (link == NULL || text == NULL) {
        inode_put(link);
        release(text);
        return NULL;
    }
    link->ops = &text_link_ops;
    link->text = text;
    link->size = length;
    return link;
}

long inode_read(struct inode *inode, void *buffer, size_t size, u64 pos)
{
    return inode->ops != NULL && inode->ops->read_at != NULL ? inode->ops->read_at(inode, buffer, size, pos)
                                                             : -EINVAL;
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
    rwlock_init(&tree_lock);
    mutex_init(&grave_lock);
    type_count = 0;
    root_inode = inode_new(S_IFDIR | 0755, DEV_ROOT);
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

/* Some name of the folder, taken out of it; NULL: it is empty. */
static struct dirent *take_any(struct inode *dir)
{
    struct directory *entries = dir->entries;

    while (entries != NULL && entries->slots_used > 0) {
        struct dirent *entry = entries->slots[--entries->slots_used];
        if (!is_free_slot(entry)) {
            dirent_unhang(entry);
            return entry;
        }
    }
    return NULL;
}

/* Forgets all names, the deepest first, without recursion: a folder is gone into before its entry goes. */
static void empty_tree(void)
{
    struct inode *dir = root_inode;
    struct dirent *entry;

    while (dir != root_inode || !dir_is_empty(dir)) {
        entry = take_any(dir);
        if (entry == NULL) {
            struct inode *parent = parent_of(dir);
            removed_put(dirent_remove(dir->link));
            dir = parent;
        } else if (S_ISDIR(entry->inode->mode) && !dir_is_empty(entry->inode)) {
            dir = entry->inode;
        } else {
            removed_put(dirent_remove(entry));
        }
    }
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
    if (root_inode != NULL) {
        empty_tree();
        inode_put(root_inode);
    }
    root_inode = NULL;
}
