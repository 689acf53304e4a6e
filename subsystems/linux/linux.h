/* SPDX-License-Identifier: MIT */
/*
 * The inside of the Linux handler module: its structures, and what its files offer each other.
 *
 * Programs' memory is touched only through copy_from_user and kin; a pointer marked __user is never
 * dereferenced. Functions that can fail return 0 or a positive result, or a negative errno.
 *
 * Layers, from the bottom to the top. A file uses what layers below offer, and files of its own layer as
 * long as that makes no circle; `make layers` reads this list and checks it:
 *
 *   tools      stack thread util uts vdso wait
 *   tree       vfs namei
 *   locks      locks
 *   files      file
 *   trace      names decode trace
 *   processes  process clone delivery groups futex reap sigframe signal sigqueue time timer
 *   terminal   tty ttyctl ttyjobs
 *   reports    procinfo procpid
 *   kinds      archive dev console pipe epoll eventfd timerfd signalfd proc tmpfs
 *   calls      attr creds dir exec exit fault fcntl io mm native open poll sched sigcalls socket stat sys timercalls unix
 *   table      syscall
 *   door       module
 *
 * The kinds of files know nothing of each other, and no call knows any of them: both meet in the tables of
 * operations that inodes and open files carry. A new kind (pipes, sockets, a file system on a disk) is a
 * file of its own: a struct file_kind, a line in module.c, and perhaps a call that makes files of it
 * (pipe2, socket), whose name the system-call table alone knows.
 *
 * Locks, outermost first; all are mutexes, taken at PASSIVE_LEVEL:
 *   mm->lock         one process's brk
 *   file->lock       one open file's offset, across the transfer
 *   inode->lock      one inode: a regular file's bytes and size, across the transfer; changes of attributes
 *   sock->binding    one socket's being given a name
 *   tree_lock        every name in the tree: look-ups share it, changes are alone
 *   tasklist_lock    the list of processes, their tasks, and all signal state
 *   epoll_mutex      all registrations of epolls; then a lock of each epoll's
 *   timerfd, eventfd a lock of each one's
 *   unix_lock        names and connections of sockets; then a lock of each one's
 *   pipes_lock       which pipe an inode has
 *   pipe->lock       one pipe, across a transfer
 *   inode->locks     the list of locks of an inode, then blocked_lock (who waits for whose)
 *   files->lock      one descriptor table
 *   fs->lock         one working directory
 *   tty->lock        the terminal's input and modes
 *   tty->output      what is sent to it
 */
#ifndef LINUX_H
#define LINUX_H

#include <subsystem.h>

#include "abi.h"

#undef min /* functions here */
#undef max

#define __user

extern PS_SUBSYSTEM_ROUTINES kernel; /* the kernel's table */
extern PPS_PROVIDER provider;

/* ---- Small tools (util.c) ---- */

void *zalloc(size_t size);  /* zeroed; NULL when memory is out */
void *alloc_bytes(size_t size); /* not zeroed */
void *alloc_page(void);     /* PAGE_SIZE bytes, not zeroed; NULL when memory is out */
void release(void *memory); /* NULL is fine */
char *copy_string(const char *string);
char *copy_bytes(const char *bytes, size_t length); /* with a NUL behind them */
long start_thread(PKSTART_ROUTINE routine, PVOID *thread); /* a system thread, referenced */
void end_thread(PVOID *thread);                           /* waits for its end */
long error_of(NTSTATUS status); /* 0, or the negative errno that says it best */

struct mutex {
    EX_PUSH_LOCK lock;
};

static inline void mutex_init(struct mutex *mutex)
{
    ExInitializePushLock(&mutex->lock);
}

/* The critical region keeps the owner from being suspended. */
static inline void mutex_lock(struct mutex *mutex)
{
    KeEnterCriticalRegion();
    ExAcquirePushLockExclusive(&mutex->lock);
}

static inline bool mutex_try_lock(struct mutex *mutex)
{
    KeEnterCriticalRegion();
    bool taken = ExTryAcquirePushLockExclusive(&mutex->lock);
    if (!taken) {
        KeLeaveCriticalRegion();
    }
    return taken;
}

static inline void mutex_unlock(struct mutex *mutex)
{
    ExReleasePushLockExclusive(&mutex->lock);
    KeLeaveCriticalRegion();
}

/* A lock that readers share. */
struct rwlock {
    EX_PUSH_LOCK lock;
};

static inline void rwlock_init(struct rwlock *lock)
{
    ExInitializePushLock(&lock->lock);
}

static inline void read_lock(struct rwlock *lock)
{
    KeEnterCriticalRegion();
    ExAcquirePushLockShared(&lock->lock);
}

static inline void read_unlock(struct rwlock *lock)
{
    ExReleasePushLockShared(&lock->lock);
    KeLeaveCriticalRegion();
}

static inline void write_lock(struct rwlock *lock)
{
    KeEnterCriticalRegion();
    ExAcquirePushLockExclusive(&lock->lock);
}

static inline void write_unlock(struct rwlock *lock)
{
    ExReleasePushLockExclusive(&lock->lock);
    KeLeaveCriticalRegion();
}

static inline u64 min(u64 a, u64 b)
{
    return a < b ? a : b;
}

static inline u64 page_down(u64 value)
{
    return value & ~(u64)(PAGE_SIZE - 1);
}

static inline u64 page_up(u64 value)
{
    return (value + PAGE_SIZE - 1) & ~(u64)(PAGE_SIZE - 1);
}

/* [base, base + size) are user addresses. The copy routines check it too; this is for refusing before
   anything is done. */
static inline bool access_ok(const void __user *base, u64 size)
{
    return size <= TASK_SIZE && (u64)base <= TASK_SIZE - size;
}

static inline long copy_from_user(void *to, const void __user *from, size_t size)
{
    return NT_SUCCESS(kernel.CopyFromUser(to, from, size)) ? 0 : -EFAULT;
}

static inline long copy_to_user(void __user *to, const void *from, size_t size)
{
    return NT_SUCCESS(kernel.CopyToUser(to, from, size)) ? 0 : -EFAULT;
}

static inline long clear_user(void __user *to, size_t size)
{
    return NT_SUCCESS(kernel.ZeroUser(to, size)) ? 0 : -EFAULT;
}

/* Text that grows, for /proc and the trace. What does not fit the limit is left out. */
struct text {
    char *data; /* not NUL-terminated */
    size_t used, size;
    bool fixed; /* data is the caller's: never grown */
};
void print(struct text *text, const char *format, ...); /* %s %c %d %u %x %o with l, width, 0 and -; %% */
void print_char(struct text *text, char c);
bool text_append(struct text *text, const void *bytes, size_t size); /* false: no memory, or no room */

/*
 * One end of a transfer: memory of the program's, in one piece or in many, or of the kernel's. The helpers
 * move on by what they did: the bytes moved, fewer than asked for when the program's memory ends, -EFAULT
 * for none.
 */
struct iobuf {
    char *at;                 /* in the current piece, ... */
    size_t piece;             /* ... of which so much is left, ... */
    size_t left;              /* ... and of all together */
    const struct iovec *next; /* the piece behind it */
    bool user;
};
static inline struct iobuf user_buf(const void __user *base, size_t size)
{
    return (struct iobuf){.at = (char *)base, .piece = size, .left = size, .user = true};
}
static inline struct iobuf kernel_buf(void *base, size_t size)
{
    return (struct iobuf){.at = base, .piece = size, .left = size};
}
long iobuf_put_pieces(struct iobuf *buf, const void *from, size_t size);
long iobuf_get_pieces(struct iobuf *buf, void *to, size_t size);
long iobuf_zero(struct iobuf *buf, size_t size);
long iobuf_probe(struct iobuf buf, size_t size); /* how much iobuf_put would find room for */
long iobuf_random(struct iobuf *to);             /* fills it with random bytes */

#define IOBUF_AT_ONCE 65536 /* so much may be moved without a look whether the task is to end */

static inline long iobuf_advance(struct iobuf *buf, size_t size)
{
    buf->at += size;
    buf->piece -= size;
    buf->left -= size;
    return size;
}

/* size <= buf->left. The usual case is one copy; when that faults, it is done again piece by piece. */
static inline long iobuf_put(struct iobuf *buf, const void *from, size_t size)
{
    if (buf->user && size <= buf->piece && size <= IOBUF_AT_ONCE && copy_to_user(buf->at, from, size) == 0) {
        return iobuf_advance(buf, size);
    }
    return iobuf_put_pieces(buf, from, size);
}
static inline long iobuf_get(struct iobuf *buf, void *to, size_t size)
{
    if (buf->user && size <= buf->piece && size <= IOBUF_AT_ONCE && copy_from_user(to, buf->at, size) == 0) {
        return iobuf_advance(buf, size);
    }
    return iobuf_get_pieces(buf, to, size);
}
/* Reads from size bytes at data. */
long read_memory(const void *data, u64 size, struct iobuf *to, u64 *pos);

/* ---- Waiting (wait.c, where the protocol stands) ---- */

u64 monotonic_ns(void);
u64 deadline_after(u64 ns); /* so long from now on; 0 for 0 */
u64 scale_to_ns(u64 count, u64 frequency); /* of a clock with so many counts a second */

#define FOREVER (~0UL) /* a deadline; others are points of monotonic_ns, 0 for "do not wait" */

struct wait_queue {
    KSPIN_LOCK lock;
    LIST_ENTRY waiters; /* (lock) those that are not exclusive stand first */
};

struct waiter {
    LIST_ENTRY links; /* (queue's lock) */
    struct wait_queue *queue;
    struct task *task;
    bool exclusive;
    bool volatile waking, woken; /* (queue's lock) a waker has taken it off; and touches it no more. Read without */
    /* NULL: woken once. Otherwise called, with the queue's lock, at each wake-up; false when it has no use
       for one that is meant for a single exclusive waiter. */
    bool (*notify)(struct waiter *waiter);
    void *context; /* of notify */
};

static inline void wait_queue_init(struct wait_queue *queue)
{
    KeInitializeSpinLock(&queue->lock);
    InitializeListHead(&queue->waiters);
}

/* Puts the current task on the queue; it looks once more whether it must wait, and calls wait_end or
   wait_leave. */
void wait_begin(struct waiter *waiter, struct wait_queue *queue, bool exclusive);
/* Sleeps until it is woken (0: look again), the deadline has passed (-ETIMEDOUT), or a signal or the task's
   end breaks it off (-ERESTARTSYS); the waiter is off the queue then. No lock is held, for it must not be in
   a critical region. */
long wait_end(struct waiter *waiter, u64 deadline);
/* For those that fill the waiter themselves. wait_leave: off the queue; true when a waker has taken it
   off. */
void wait_join(struct waiter *waiter);
bool wait_leave(struct waiter *waiter);
/* Sleeps until the flag, which others set before they set the task's event, is set, and takes it back.
   Otherwise as wait_end. */
long wait_flag(bool volatile *flag, u64 deadline);
long wait_until(u64 deadline); /* for nothing but time and signals: never 0 */

/* <= DISPATCH_LEVEL, after the change that is waited for; the queue stays until they return. wake_one: all
   but the exclusive waiters, and the first exclusive one that has use for it. */
void wake_waiters(struct wait_queue *queue, bool all);
bool wake_waiter(struct waiter *waiter); /* with its queue's lock; answers whether an exclusive one had use for it */
static inline bool wait_queue_is_empty(const struct wait_queue *queue)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return IsListEmpty(&queue->waiters);
}
static inline void wake_one(struct wait_queue *queue)
{
    if (!wait_queue_is_empty(queue)) {
        wake_waiters(queue, false);
    }
}
static inline void wake_all(struct wait_queue *queue)
{
    if (!wait_queue_is_empty(queue)) {
        wake_waiters(queue, true);
    }
}

/* ---- The file tree (vfs.c) and the kinds of files in it (archive.c, dev.c, console.c, proc.c) ---- */

struct inode;
struct file;

/* Who wants to be told when a file becomes ready. */
struct poll_table {
    u32 events; /* which it wants to hear of, besides errors */
    struct file *file;
    void (*add)(struct poll_table *table, struct wait_queue *queue);
};

/* For an operation poll: the queue is woken for these events, and for all errors. table NULL: nobody
   waits. */
static inline void poll_wait(struct poll_table *table, struct wait_queue *queue, u32 events)
{
    const u32 transfers = POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM;
    if (table != NULL && ((table->events & events) || !(table->events & transfers))) {
        table->add(table, queue);
    }
}

/* Receives directory entries: false when there is no more room. off: the position behind this entry. */
struct dir_context {
    bool (*emit)(struct dir_context *ctx, const char *name, size_t length, u64 ino, u32 mode, u64 off);
};

struct inode_operations {
    /* Directories. *out is referenced. -ENOENT. Without lookup: the static entries. */
    long (*lookup)(struct inode *dir, const char *name, size_t length, struct inode **out);
    long (*readdir)(struct inode *dir, u64 pos, struct dir_context *ctx); /* from position pos on */
    /* Symbolic links: the text, its length returned, cut to size. */
    long (*readlink)(struct inode *link, char *buffer, size_t size);
    /* Links that lead to an inode without a name's help (/proc/self/fd/1); NULL: readlink says all. */
    long (*follow)(struct inode *link, struct inode **out);
    /* Regular files: a section over the bytes, for mmap and exec; NULL: there is none. See inode_section. */
    NTSTATUS (*make_section)(struct inode *inode, PMM_SECTION_HANDLE *section);
    /* Regular files, too: bytes into the kernel's memory, fewer at the end. */
    long (*read_at)(struct inode *inode, void *buffer, size_t size, u64 pos);
    long (*truncate)(struct inode *inode, u64 size);                            /* NULL: -EINVAL */
    long (*allocate)(struct inode *inode, int mode, u64 offset, u64 length);    /* fallocate; NULL: -EOPNOTSUPP */
    s64 (*seek)(struct inode *inode, u64 offset, bool hole);                    /* NULL: there are no holes */
    u64 (*blocks)(struct inode *inode);                                         /* of 512 bytes; NULL: none */
};

struct file_operations {
    long (*open)(struct inode *inode, struct file *file); /* may be NULL */
    void (*release)(struct file *file);                   /* likewise */
    /* Bytes moved, 0 at the end. pos: NULL for what has no position. NULL routine: -EINVAL. */
    long (*read)(struct file *file, struct iobuf *to, u64 *pos);
    long (*write)(struct file *file, struct iobuf *from, u64 *pos);
    long (*ioctl)(struct file *file, u32 command, u64 argument); /* NULL: -ENOTTY */
    /* What is there now (POLL*). Calls poll_wait for each queue that is woken when that may change, before it
       looks. NULL: always readable and writable. */
    u32 (*poll)(struct file *file, struct poll_table *table);
    long (*control)(struct file *file, u32 command, u64 argument); /* F_SETPIPE_SZ, F_GETPIPE_SZ; NULL: -EBADF */
    bool stream;                                                 /* no position: lseek and pread fail */
    bool anonymous;                                              /* mmap gives zeros (/dev/zero) */
    bool asked_for_none; /* read and write of no bytes do something, or fail, too */
};

/*
 * A kind of file: what its folders, files and links do, in the tables of operations of its inodes. start
 * puts those that have a place in the tree there; it runs when the module loads, after that of the kinds
 * before it in the list of module.c. stop (NULL: nothing to do) runs when no process is left, in the
 * reverse order, and also after a start that failed half-way.
 */
struct file_kind {
    long (*start)(void);
    void (*stop)(void);
};

extern const struct file_kind tmpfs_kind, archive_kind, folders_kind, dev_kind, console_kind, pipe_kind,
    epoll_kind, socket_kind, proc_kind;
extern const struct file_operations pipe_ops; /* of fifos, wherever they stand */

/*
 * A file. It lives as long as somebody has a reference: every name of it in a folder, every open file, who
 * has it as working directory, what runs it.
 *
 * (c) constant once others can find it; (n) tree_lock; (i) lock, and read without it: single words
 */
struct inode {
    volatile LONG refs;
    volatile u32 mode;  /* (i) the type is constant */
    volatile u32 nlink; /* (n) */
    volatile u32 uid, gid;      /* (i) */
    u64 dev, ino, rdev;         /* (c) */
    volatile u64 size;          /* (i) */
    s64 volatile atime, mtime, ctime; /* nanoseconds since 1970: the last one to write decides, with (i), (n) or none */
    const struct inode_operations *ops; /* (c) */
    const struct file_operations *fops; /* (c) */
    struct rwlock lock;
    struct pipe *pipe;        /* (pipes_lock) of a fifo that is open (pipe.c) */
    struct sock *socket;      /* (unix_lock) that is bound to this name (unix.c) */
    struct dirent *link;      /* (n) its newest name, also after that has gone; NULL: it never had one in the tree */
    struct inode *parent;     /* (c) what has no link: the folder it is in, referenced; the root's is itself */
    struct directory *entries; /* (n) folders of the tree; NULL: nothing is in it */
    u64 next_position;        /* (n) behind the entries: where ops->readdir goes on */
    const IO_ARCHIVE_FILE *archive; /* (i) regular files of the archive that nobody has written to: see tmpfs.c */
    u64 archived;                   /* (i) bytes at its start that come from there where nobody has written */
    char *text;                     /* (c) symbolic links of the tree */
    PMM_SECTION_HANDLE volatile section; /* (i) made on first use, stays */
    u64 pages;                /* (i) of the section, as counted in tree_pages */
    bool sealable;            /* (c) one of memfd_create's, ... */
    u32 seals;                /* (i) ... with these F_SEAL_* */
    bool mapped_writable;     /* (i) a program has, or had, a mapping through which it may write */
    bool linkable;            /* (n) a file that was made without a name, and may get its first one */
    struct lock_list *locks;  /* (c) once there are any: record locks and flock (locks.c) */
    volatile LONG writers;    /* open files that may write; below zero: programs that run it and forbid that */
    u64 data;                 /* (c) of whoever made it: a process id, a number */
    const void *entry;        /* (c) likewise */
    char own_name[24];        /* what has no link */
};

/* A name in a folder. */
struct dirent {
    struct dirent *next;  /* (n) in its hash chain */
    struct inode *dir;    /* (n) where it is, or was; referenced */
    struct inode *inode;  /* (n) referenced; NULL: the name has gone */
    char *name;           /* (n) NUL-terminated */
    u32 hash, length;     /* (n) */
    u32 slot;             /* (n) its place when the folder is read */
};

#define DEV_ROOT makedev(0, 2)
#define DEV_PROC makedev(0, 4)
#define DEV_SOCK makedev(0, 8)
#define DEV_PIPE makedev(0, 9)
#define DEV_ANON makedev(0, 10)

extern struct inode *root_inode;
extern struct rwlock tree_lock;

struct inode *inode_new(u32 mode, u64 dev); /* with one reference; NULL when memory is out */
static inline struct inode *inode_get(struct inode *inode)
{
    InterlockedIncrement(&inode->refs);
    return inode;
}
void inode_put(struct inode *inode); /* NULL is fine */
void region_tags_hold(void); /* between these inodes that regions name are not freed */
void region_tags_release(void);
s64 current_time(void);              /* for files: nanoseconds since 1970 */
static inline void inode_touch(struct inode *inode) /* it was changed */
{
    inode->mtime = inode->ctime = current_time();
}
/* Programs that run forbid writing, and who writes forbids running: -ETXTBSY. */
long inode_get_write(struct inode *inode);
void inode_put_write(struct inode *inode);
long inode_deny_write(struct inode *inode);
void inode_allow_write(struct inode *inode);

/* While the tree is built: dir_add takes over the inode, also when it fails; what dir_find, dir_make (which
   finds or makes a folder) and dir_link answer is not referenced. */
long dir_add(struct inode *dir, const char *name, size_t length, struct inode *inode);
struct inode *dir_find(struct inode *dir, const char *name, size_t length);
struct inode *dir_make(struct inode *dir, const char *name, size_t length);
struct inode *dir_link(struct inode *dir, const char *name, const char *target);

/* Entries of folders; namei.c alone uses them, with tree_lock held. */
struct removed {
    struct inode *inode;
    struct dirent *entry;
};
struct dirent *dirent_find(const struct inode *dir, const char *name, size_t length);
struct dirent *dirent_new(struct inode *dir, const char *name, size_t length, struct inode *inode);
bool dir_reserve(struct inode *dir);
bool dir_is_empty(const struct inode *dir);
void dirent_hang(struct inode *dir, struct dirent *entry);
void dirent_unhang(struct dirent *entry);
void dirent_name(struct dirent *entry, char *name, size_t length);
struct dirent *dirent_becomes_link(struct dirent *entry);
struct removed dirent_remove(struct dirent *entry);
void removed_put(struct removed removed);
void dirent_drop(struct dirent *entry);
struct inode *parent_of(const struct inode *dir);

extern volatile LONG64 tree_pages, tree_inodes; /* pages that files have, inodes that there are */

long dir_read(struct inode *dir, u64 pos, struct dir_context *ctx);
struct inode *inode_parent(struct inode *inode); /* of a folder; referenced */
long inode_readlink(struct inode *link, char *buffer, size_t size);
static inline bool inode_can_be_mapped(const struct inode *inode)
{
    return inode->ops != NULL && inode->ops->make_section != NULL;
}
/* The section over a file's bytes, made on first use; NULL when memory is out. Not referenced for the
   caller. */
PMM_SECTION_HANDLE inode_section(struct inode *inode);
/* Absolute, NUL-terminated, of the newest name: length with NUL, -ENAMETOOLONG. " (deleted)" behind one that
   has gone. */
long path_of(struct inode *inode, char *buffer, size_t size);
long path_below(struct inode *inode, const struct inode *root, char *buffer, size_t size); /* likewise, from a root on */
/* A file without a name is called so, as if it had been removed from dir. False: no memory. */
bool inode_name_removed(struct inode *inode, struct inode *dir, const char *name);
bool inode_is_gone(struct inode *inode); /* it had a name, and has none now */

/* What files of a type in the tree do: regular ones, fifos (rdev 0), devices by their number. Kinds say so
   when they start. One that nobody has spoken for can stand in the tree, but not be opened (-ENXIO). */
long type_register(u32 type, u64 rdev, const struct inode_operations *ops, const struct file_operations *fops);
/* A new file of the tree that is to stand in dir; NULL: no memory. */
struct inode *tree_new(const struct inode *dir, u32 mode, u64 rdev);
struct inode *tree_new_link(const char *target, size_t length);
/* Copies bytes of a regular file into the kernel's memory: fewer at its end. */
long inode_read(struct inode *inode, void *buffer, size_t size, u64 pos);
/* How many pages files may have together, and how many are free: set by the kind that keeps them. */
extern void (*tree_statistics)(u64 *pages, u64 *free);

/* ---- Paths (namei.c) ---- */

struct inode *current_root(void); /* of the current task, referenced */
#define WALK_NOFOLLOW 1 /* a link at the end is the result itself */
/* Path: PATH_MAX bytes, which the walk overwrites. root NULL: the tree's. *out is referenced. */
long path_walk(struct inode *base, char *path, u32 flags, struct inode **out);

/* The last name of a path, and the folder that holds or would hold it. */
struct leaf {
    struct inode *dir; /* referenced */
    char *text;        /* in the path's memory, not NUL-terminated */
    size_t length;     /* 0: the path is "/" */
    bool dots;         /* "." or ".." */
    bool slash;        /* a slash follows: it is to be a folder */
};
long path_walk_parent(struct inode *base, char *path, struct leaf *name);

/* What the path names, which is made as a regular file with this mode if it is not there (*made). */
long path_create(struct inode *base, char *path, u32 flags, u32 mode, struct inode **out, bool *made);

/* Changes of the tree. Each is done wholly or not at all. */
long name_may_create(const struct leaf *name, bool folder); /* to say what is wrong before anything is made */
long name_create(const struct leaf *name, struct inode *inode); /* a further reference to inode, whose name it becomes */
long name_link(const struct leaf *name, struct inode *inode); /* a further name of the inode */
long name_unlink(const struct leaf *name);
long name_rmdir(const struct leaf *name);
#define RENAME_NOREPLACE 1
#define RENAME_EXCHANGE  2
long name_rename(const struct leaf *from, const struct leaf *to, u32 flags);

extern BOOLEAN volatile tree_ready; /* before that no program starts */
long tree_create(const struct file_kind *const *kinds, size_t count); /* the list stays */
void tree_destroy(void);

/* ---- Open files (file.c) ---- */

/* An open file description: what dup and fork share. */
struct file {
    volatile LONG refs;
    volatile u32 flags; /* O_*: once it is open those of F_SETFL change alone, each change one step (fcntl.c) */
    struct mutex lock;
    u64 pos; /* (lock); a single word, read without it. Streams: their operations' own */
    struct inode *inode;
    const struct file_operations *ops;
    void *data; /* of ops */
    s32 owner;        /* of fcntl: single words, told as they were set */
    u32 owner_signal;
    void (*closing)(struct file *file); /* what watches the file is to let go of it (epoll.c); or NULL */
    LIST_ENTRY items;                   /* of whoever has set that */
};

struct descriptor {
    struct file *file;
    bool close_on_exec;
};

struct files {
    volatile LONG refs;
    struct mutex lock;
    u32 size;                 /* (lock) */
    u32 lowest_free;          /* (lock) all below are taken */
    struct descriptor *table; /* (lock) */
};

/* What its processes may share, too: where relative paths start, and the mode bits that new files do not
   get. */
struct fs {
    volatile LONG refs;
    struct mutex lock;
    struct inode *cwd;           /* (lock) */
    struct inode *volatile root; /* (lock) of chroot; NULL: the tree's */
    volatile u32 umask;
};

/* ---- Record locks and flock (locks.c) ---- */

long lock_record(struct file *file, u32 command, struct flock __user *lock); /* F_GETLK and its kin */
long lock_whole(struct file *file, bool write, bool unlock, bool wait); /* flock */
void locks_end_owner(struct inode *inode, const struct files *owner); /* a descriptor of the table has been closed */
void locks_end_file(const struct file *file);                         /* the last one of an open file */

#define NS_PER_SECOND 1000000000L
#define NR_OPEN 65536 /* descriptors, whatever RLIMIT_NOFILE says */

struct file *file_open(struct inode *inode, u32 flags, long *error); /* the inode is referenced anew */
void file_put(struct file *file);
void file_accessed(struct file *file); /* has been read */
/* A file that stands in no folder, called "anon_inode:NAME"; NULL: data is still the caller's. */
struct file *file_anonymous(const char *name, const struct file_operations *ops, void *data, u32 flags, long *error);
/* A descriptor of such a file (flags: O_CLOEXEC, too). data, memory that nothing else refers to, is released
   when that fails. */
long fd_anonymous(const char *name, const struct file_operations *ops, void *data, u32 flags);
struct files *files_create(void);
struct files *files_copy(struct files *files); /* what is open is shared; NULL when memory is out */
void files_put(struct files *files);
void files_close_on_exec(struct files *files);
bool files_closes_on_exec(struct files *files, u32 fd); /* this one */
long fd_install(struct files *files, struct file *file, u32 from,
                bool close_on_exec);            /* takes over the reference */
/* Installs two files, whose references it takes over, and tells the program their descriptors. */
long fd_install_pair(struct file *files[2], bool close_on_exec, s32 __user *fds);
struct file *fd_get(int fd);                    /* of the current task, referenced; NULL: -EBADF */
struct file *files_get(struct files *files, u32 fd); /* referenced; NULL */
struct file *fd_get_io(int fd);                 /* likewise, but none opened with O_PATH */
long fd_dup(int fd, u32 from, bool close_on_exec);        /* the lowest free descriptor from there on */
long fd_flags(u32 fd, bool set, bool close_on_exec);      /* FD_CLOEXEC or 0; set: changes it, 0; -EBADF */
long files_next(struct files *files, u32 from); /* lowest open descriptor at or above; -ENOENT */
struct fs *fs_create(struct inode *cwd);
struct fs *fs_copy(struct fs *fs); /* NULL when memory is out */
void fs_put(struct fs *fs);          /* NULL is fine */
struct inode *fs_cwd(struct fs *fs); /* referenced */
static inline bool file_readable(const struct file *file)
{
    return !(file->flags & (O_WRONLY | O_PATH)); /* the fourth access mode, both bits, allows neither */
}
static inline bool file_writable(const struct file *file)
{
    u32 flags = file->flags & (O_ACCMODE | O_PATH);
    return flags == O_WRONLY || flags == O_RDWR;
}

/* A transfer at the file's own position (io.c). */
long file_transfer(struct file *file, bool write, struct iobuf *buf);

/* A path argument, copied: PATH_MAX bytes, to be given back with release(). */
long get_path(const char __user *path, char **out);
/* What a path argument with its folder descriptor names. AT_EMPTY_PATH in at_flags allows an empty path. */
long user_path_at(int dfd, const char __user *path, u32 walk_flags, u32 at_flags, struct inode **out);
/* The same for a path that has been copied, and that the walk overwrites. */
long path_at(int dfd, char *path, u32 walk_flags, u32 at_flags, struct inode **out);
long base_of(int dfd, const char *path, struct inode **base);
/* The last name of a path argument, and its folder; name_put in any case. */
struct user_name {
    struct leaf name;
    char *path;
};
long user_name_at(int dfd, const char __user *path, struct user_name *name);
void user_name_put(struct user_name *name);

/* ---- Processes (process.c) ---- */

/* A program's stack lies at the top, with a gap below it that nothing is mapped into. */
#define STACK_TOP  TASK_SIZE
#define STACK_SIZE (8UL << 20)
#define STACK_GAP  (1UL << 20)
#define STACK_START      (128UL << 10) /* that are mapped at first, besides the strings */
#define STACK_ROOM_LEAST (128UL << 20) /* between the stack's top and what is mapped below it */
#define STACK_ROOM_MOST  (TASK_SIZE / 6 * 5)

struct mm {
    volatile LONG refs;
    struct mutex lock;
    u64 start_brk, brk; /* (lock) */
    u32 lock_future;    /* (lock) mlockall: the attribute of what is mapped from now on, */
    bool populate_future; /* and whether it is brought in */
    u64 mmap_limit;     /* from here on the stack's, with the gap below it */
    u64 vdso; /* where it was mapped; 0: nowhere */
    u64 start_stack, arg_start, arg_end, env_start, env_end;
};

struct sighand {
    volatile LONG refs;
    struct sigaction action[_NSIG]; /* (tasklist_lock) of signal n at n - 1 */
};

#define IGNORED_BY_DEFAULT (sigmask(SIGCHLD) | sigmask(SIGCONT) | sigmask(SIGURG) | sigmask(SIGWINCH))
#define STOPPING           (sigmask(SIGSTOP) | sigmask(SIGTSTP) | sigmask(SIGTTIN) | sigmask(SIGTTOU))
#define SIGNAL_QUEUE_LIMIT 1024 /* RLIMIT_SIGPENDING, of all processes together */

/* A signal that waits, with what is known of it. */
struct sigqueue {
    LIST_ENTRY links;
    siginfo_t info;
};

/* Signals that wait, of one task or for any of a process (signal.c). A bit may be set without a record. */
struct sigpending {
    sigset_t volatile set; /* (tasklist_lock); read without */
    LIST_ENTRY queue;      /* (tasklist_lock) in the order in which they came */
    bool spare_used;       /* (tasklist_lock) */
    struct sigqueue spare; /* (tasklist_lock) the first record, so that one signal needs no memory */
};

/* A process's, and who moves it, under tasklist_lock: begin_stop, the last of its tasks to stop, and
   SIGCONT. */
enum stop_state { NOT_STOPPED, STOP_BEGUN, STOPPED };

/* How a call that a signal has broken off goes on, when its arguments do not say it (restart_syscall). */
struct restart {
    long (*function)(struct restart *restart); /* NULL: not at all */
    u64 argument[4];
};

/* Who a process is (creds.c). Ids in the order of enum id. */
enum id {
    REAL,
    EFFECTIVE,
    SAVED,
    FILE_SYSTEM
};
struct creds {
    u32 uid[4], gid[4];
    u32 group_count;
    u32 groups[NGROUPS]; /* in ascending order */
    u64 permitted, effective, inheritable, bounding; /* capabilities, a bit each */
};

/* How a task is scheduled, in Linux's words (sched.c). */
struct sched {
    u64 affinity; /* 0: all processors */
    u8 policy;
    u8 priority; /* of SCHED_FIFO and SCHED_RR */
    s8 nice;
    bool reset_on_fork;
};
static inline bool is_real_time(u32 policy)
{
    return policy == SCHED_FIFO || policy == SCHED_RR;
}

/* What a process runs, by its names: constant, and shared with the children that it has forked. */
struct names {
    volatile LONG refs;
    struct inode *exe;
    char *arguments; /* as argv was */
    size_t arguments_size;
    UNICODE_STRING image, command; /* the same in the kernel's words */
    PFILE_OBJECT file;             /* may be NULL */
};

/* Processor time in cycles: all, and what of it was spent in user mode. */
struct cpu_time {
    u64 cycles, user;
};

/*
 * A thread group. Its tasks share mm and sighand. (t) tasklist_lock; (c) constant after creation
 *
 * References: one of the kernel's process object until ProcessExit; one of the list from process_publish
 * until the process is reaped (by its parent's wait, or at its end when nobody is to wait for it); one of its
 * creator.
 */
struct process {
    volatile LONG refs;
    LIST_ENTRY links;    /* (t) in the list of processes, from process_publish until it is reaped */
    LIST_ENTRY by_id;    /* (t) as long, among those that process_find looks through */
    LIST_ENTRY tasks;    /* (t) */
    u32 live;            /* (t) tasks that have not begun to exit */
    PEPROCESS object;    /* (c) referenced as long as this structure lives: keeps the id from being used again */
    PEPROCESS group_object, session_object; /* (t) the leaders', referenced */
    struct process *parent; /* (t) NULL: nobody waits for it. It gives its children away before it goes */
    LIST_ENTRY children, siblings; /* (t) */
    struct wait_queue child_wait;  /* a child has ended, stopped or been continued */
    bool published; /* (t) process_publish has been here */
    bool zombie;    /* (t) it has ended, and waits to be reaped */
    s32 parent_tid;  /* (t) the parent's task that made it, or, when that has ended, another one */
    bool subreaper;  /* (t) gets the children of those below it that end */
    int exit_signal; /* (t) what its parent gets at its end; 0: nothing */
    s32 wait_status; /* (t) of its end, as wait4 gives it */
    int changed_code, changed_status; /* (t) CLD_STOPPED or CLD_CONTINUED, not waited for yet; 0 */
    struct cpu_time children_time; /* (t) of those that it has waited for, and theirs */
    u64 children_maxrss;           /* (t) likewise */
    u64 maxrss; /* (t) KiB; when it has ended */
    s32 pid;             /* (c) the kernel's process id; the first task's id too */
    s32 ppid, pgid, sid; /* (t); ppid is read without the lock: one word */
    bool has_execed;     /* (t) it runs another program than its parent's: that cannot move it any more */
    u32 forks;           /* (t) children that it is just making, ... */
    sigset_t missed;     /* (t) ... which nobody finds yet, and what was meanwhile sent to many processes at once */
    bool no_tty;         /* (t) it has given up its session's terminal */
    struct mm *mm;       /* (t) for others; its only task changes it in exec */
    struct sighand *sighand; /* (t) likewise */
    LIST_ENTRY timers;         /* (t) struct timer */
    u32 timer_count, next_timer; /* (t) of POSIX timers; the number of the next one */
    struct sigpending pending; /* (t) */
    enum stop_state volatile stop_state; /* (t); read without */
    u32 stops_left;            /* (t) tasks that have still to stop */
    s32 stop_signal;           /* (t) */
    bool tell_continued;       /* (t) the parent does not know yet that the process goes on */
    KEVENT continued;          /* notification; (t) signalled while the process is not stopped */
    struct names *names;       /* (t) */
    struct native *volatile native; /* what it stands for, or is about to; NULL: an ordinary process. Its maker's */
    bool serves;               /* it stands for it now, and has one task, whose call that is */
    bool exited;   /* (t) linux_process_exit has been here */
    u8 trace;      /* enum trace: set before its first task runs */
    /* What prctl keeps, and nothing here looks at. */
    u8 death_signal;
    bool keeps_capabilities, no_new_privileges, undumpable, no_huge_pages;
    u32 personality;
    u64 timer_slack;
    s32 oom_adjustment;
    bool uses_barriers; /* has told membarrier so */
    struct creds creds; /* (t) */
    char comm[TASK_COMM_LEN];
    struct rlimit rlimits[RLIM_NLIMITS]; /* (t) */
    u64 start_time;                      /* interrupt time */
};

struct task {
    volatile LONG refs; /* one until ThreadExit, one of the creator while it creates */
    LIST_ENTRY links;   /* (t) */
    LIST_ENTRY by_id;   /* (t) as long as links, among those that task_find looks through */
    bool exiting;       /* (t) it has called exit, and counts as live no more */
    bool exited;        /* (t) ThreadExit has been here */
    struct process *process;
    PETHREAD thread; /* (c) before its first instruction; referenced */
    s32 tid;
    struct files *files; /* (t) for others; the task itself changes it */
    struct fs *fs;       /* (c) */
    sigset_t volatile blocked; /* changed by the task itself, without a lock (signal.c) */
    sigset_t volatile waited;  /* the same: taken out of blocked while sigtimedwait waits for them */
    sigset_t saved_mask; /* to come back after the handler that ends a sigsuspend */
    bool restore_mask;
    struct sigpending pending; /* (t) */
    bool volatile stop_wanted; /* (t); read without: it has to stop, and be counted */
    struct restart restart;
    KEVENT event;              /* what the task sleeps on (wait.c) */
    struct task *volatile vfork_parent; /* (t) sleeps until the task leaves its memory; NULL: nobody (any more) */
    stack_t altstack;
    struct sched sched;        /* (t) */
    char name[TASK_COMM_LEN];  /* (t) its own; empty: the process's comm */
    u32 __user *clear_tid;
    void __user *robust_list;
};

extern struct mutex tasklist_lock;
extern LIST_ENTRY processes;

static inline struct task *current_task(void)
{
    return kernel.CurrentThreadContext();
}

static inline struct process *current_process(void)
{
    return kernel.CurrentProcessContext();
}

/*
 * fd_get for the length of one call. While the table is the current task's alone, nobody else can close the
 * descriptor, and neither lock nor reference is needed: a task that is to share the table is made by this
 * one, in another call. Others only read the table. *counted goes back to fd_return.
 */
static inline struct file *fd_borrow(int fd, bool *counted)
{
    const struct files *files = current_task()->files;

    *counted = files->refs != 1;
    if (*counted) {
        return fd_get(fd);
    }
    return (u32)fd < files->size ? files->table[fd].file : NULL;
}

static inline void fd_return(struct file *file, bool counted)
{
    if (counted) {
        file_put(file);
    }
}

/* Not listed yet; NULL when memory is out. process_fork: a copy of the current process that shares what
   clone's flags say. */
struct process *process_create(s32 ppid);
struct process *process_fork(u64 flags);
void process_put(struct process *process);
struct process *process_find(s32 pid); /* tasklist_lock is held; perhaps a zombie; NULL */
struct process *process_get(s32 pid);  /* the same, referenced, without the lock */
struct task *task_find(s32 pid, s32 tid); /* of any process with pid -1; tasklist_lock is held; NULL */
/* On the list and to be found by id, or not any more; tasklist_lock is held. */
void tasks_init(void);
void process_link(struct process *process);
void process_unlink(struct process *process);
void task_link(struct task *task);
void task_unlink(struct task *task); /* also one that is not linked */
/* The leader's object is held, so that its id does not become another process's while the group or session
   lasts. tasklist_lock is held, or nobody knows the process. */
void process_set_group(struct process *process, s32 pgid, PEPROCESS leader);
void process_set_session(struct process *process, s32 sid, PEPROCESS leader);
/* Take over the references to files and fs. */
struct task *task_create(struct process *process, struct files *files, struct fs *fs);
void task_put(struct task *task);
/* Takes over the reference to names. */
void process_set_program(struct process *process, struct names *names, const char *path);
void process_exit_signal(struct process *process,
                         int sig); /* ends it as if by this signal's default action */
struct names *names_create(void);
void names_put(struct names *names); /* NULL is fine */
struct mm *mm_create(void);
struct mm *mm_get(struct process *process); /* referenced */
void mm_put(struct mm *mm);
struct sighand *sighand_create(const struct sighand *from); /* a copy; NULL: the default dispositions */
void sighand_put(struct sighand *sighand);

/* ---- New processes and threads (clone.c) ---- */

/* A new process and its first task may be found now, unless somebody has ended it meanwhile. Takes over the
   reference to the thread. tasklist_lock is held. */
void process_publish(struct process *process, struct task *task, PETHREAD thread);
/* The current task leaves its memory: those who wait for a word in it, or for the memory, are told. shared:
   others use it, too. */
void memory_release(struct task *task, bool shared);
/* What is left of it when the memory has gone. */
void vfork_release(struct task *task);

/* What a session does with its terminal. The kind of file that is the terminal registers this when it
   starts. */
struct terminal_operations {
    long (*open_standard)(struct files *files); /* descriptors 0, 1, 2 */
    void (*own)(s32 pgid);     /* a new session's leader takes it; tasklist_lock is held */
    void (*disown)(s32 pgid);  /* and gives it back when it ends; it is not held */
    s32 (*foreground)(const struct process *process); /* the group, if it is the process's terminal, else -1; not held */
};
extern const struct terminal_operations *terminal; /* set before any program starts, constant afterwards */

/* ---- Futexes (futex.c) ---- */

void futexes_init(void);
/* Wakes so many that wait for a word of the current process's, whoever shares it. */
void futex_wake_word(u32 __user *word, int count);
/* The task leaves its memory: who waits for one of its robust futexes is told that the owner has died. */
void robust_list_exit(struct task *task);

/* ---- Their end (exit.c) and who waits for it (reap.c) ---- */

/* The process has ended, stopped or been continued (CLD_*; status: exit code or signal): tells its parent.
   tasklist_lock is held. */
void child_changed(struct process *process, int code, int status);
/* It has ended: its children get another parent, and its own is told. Those that nobody waits for are put on
   the list `gone`, for processes_put without the lock. tasklist_lock is held. */
void process_ended(struct process *process, PLIST_ENTRY gone);
void processes_put(PLIST_ENTRY gone);

void linux_thread_exit(PETHREAD thread, PVOID context);
void linux_process_exit(PEPROCESS object, PVOID context);
NTSTATUS linux_terminate_process(PEPROCESS object, NTSTATUS status);

/* No member has a parent in another group of its session, so that nobody could continue it. tasklist_lock is
   held. */
bool is_orphaned_group(s32 pgid); /* groups.c */
void groups_exit(struct process *process); /* groups that its end leaves orphaned are told; tasklist_lock is held */

/* ---- Memory (mm.c) ---- */

void mm_set_stack_limit(PEPROCESS object, u64 limit); /* RLIMIT_STACK is so many bytes now */

/* ---- The vDSO (vdso.c) ---- */

long vdso_start(void);
void vdso_stop(void); /* also after a start that failed half-way */
/* Maps it so that it ends at `end`; where it begins, 0: it cannot be there. */
u64 vdso_map(PEPROCESS process, u64 end);

/* ---- Programs (exec.c) ---- */

NTSTATUS linux_start_program(PPS_PROGRAM program, PEPROCESS *object);

/* ---- Native programs (native.c) ---- */

/* NUL-terminated strings, one behind the other; an empty one ends the environment. */
struct native_strings {
    const char *arguments, *environment;
    size_t arguments_size, environment_size;
    u32 argument_count;
};

long native_start(PDRIVER_OBJECT driver); /* when the module is loaded */
void native_stop(void);
/* Makes the native process of the inode, an archive's file, for the current process to stand for: suspended.
   -EAGAIN: another task is just doing so. */
long native_create(struct process *process, struct inode *inode, const struct native_strings *strings);
/* The program of a process that stands for another one, in an empty address space: the page below
   NATIVE_STACK. */
#define NATIVE_STACK 0x11000UL
NTSTATUS native_load(PEPROCESS object, KTRAP_FRAME *regs);
/* The call in which it stays, until the native process ends. -ERESTARTSYS. */
long native_serve(struct process *process);
void native_end(struct process *process); /* at the process's end: of what it stands for, too */

/* Copies a vector, which is read only this once. *pieces: to be released, also when the result is an
   error. */
long get_vector(const struct iovec __user *iov, u64 count, struct iovec **pieces, struct iobuf *buf);

/* ---- Signals (signal.c) ---- */

/* Is there anything that breaks a wait off? Without a lock: who sends it interrupts the task afterwards. */
static inline bool signal_pending(const struct task *task)
{
    return ((task->pending.set | task->process->pending.set) & ~task->blocked) != 0 || task->stop_wanted;
}
/* What a wait that was broken off returns to its caller: also sees to it that the end of the call looks
   for signals. */
static inline long interrupted(void)
{
    kernel.RequestReturnToUser(PsGetCurrentThread(), FALSE);
    return -ERESTARTSYS;
}
/* The current task has been ended from outside: what takes long should come to its end. */
static inline bool is_dying(void)
{
    return PsIsThreadTerminating(PsGetCurrentThread());
}
/* Another mask for the rest of this call; the one before comes back at its end: after handlers when a signal
   has broken it off, before any otherwise, by end_mask, which answers the call's result again. */
long use_mask(const sigset_t __user *mask, size_t size);
long end_mask(long result);
void set_blocked(struct task *task, sigset_t set); /* the current task */
/* To a task, or with NULL to any of the process that takes it. -EAGAIN: no room for one that carries a
   value. */
long send_signal_locked(struct process *process, struct task *task, const siginfo_t *info);
long send_signal(struct process *process, struct task *task, const siginfo_t *info);
long signal_group_locked(s32 pgid, const siginfo_t *info); /* -ESRCH: there is none */
/* What has been sent to all of a group, or to all: those that the process is making are to have it, too.
   tasklist_lock is held. */
static inline void signal_missed(struct process *process, int sig)
{
    if (process->forks != 0 && sig != 0) { /* one of these takes back the others */
        process->missed &= ~(sig == SIGCONT ? STOPPING : sigmask(sig) & STOPPING ? sigmask(SIGCONT) : 0);
        process->missed |= sigmask(sig);
    }
}
void signal_group(s32 pgid, int sig);
void wake_task(struct task *task); /* it looks for signals, and for stops, soon */
void signal_self(int sig); /* to the current task, as from itself */
/* Takes one of these that waits for the task, and answers its number; 0: none. tasklist_lock is held. */
int take_signal(struct task *task, sigset_t set, siginfo_t *info);
void pass_on_signals(struct task *task, sigset_t signals); /* those that wait for any task: others may take them */
void set_action(struct process *process, int sig, const struct sigaction *new, struct sigaction *before);

void signals_exec(struct process *process, struct task *task);

/* ---- Queues of signals (sigqueue.c), with tasklist_lock or when nobody else has them ---- */

void sigpending_init(struct sigpending *pending);
void sigpending_flush(struct sigpending *pending); /* all are forgotten */
void sigpending_forget(struct sigpending *pending, sigset_t signals);
extern struct wait_queue signals_noted; /* woken after each */
long sigpending_note(struct process *process, struct sigpending *pending, const siginfo_t *info); /* -EAGAIN */
void sigpending_take(struct sigpending *pending, int sig, siginfo_t *info); /* the oldest of that number */

/* ---- What becomes of them (delivery.c, fault.c) ---- */

void linux_return_to_user(KTRAP_FRAME *frame);
BOOLEAN linux_exception(PEXCEPTION_RECORD record, KTRAP_FRAME *frame);
/* A fault of the current task: its handler runs next, or it dies. */
void force_signal(int sig, int code, u64 address, KTRAP_FRAME *frame);
/* tasklist_lock is held; a new task is in its process's list, one that ends has left it. */
void signals_new_task(struct task *task);
void signals_task_exit(struct task *task);

/* ---- Handlers' frames (sigframe.c) ---- */

void frames_init(void); /* once the kernel's table is there */
/* Lays a frame on the program's stack, or on the alternate one, and makes regs run the handler. mask: the one
   that comes back with the frame. */
long build_frame(struct task *task, const struct sigaction *action, const siginfo_t *info, sigset_t mask,
                 KTRAP_FRAME *regs);
/* Registers and FPU state as the frame says that the handler leaves; its mask is *mask. -EFAULT */
long restore_frame(struct task *task, KTRAP_FRAME *regs, sigset_t *mask);
bool is_on_altstack(const struct task *task, u64 sp);
long set_altstack(struct task *task, const stack_t *stack, u64 sp);

/* ---- Who processes are (creds.c), and how their tasks are scheduled (sched.c) ---- */

void creds_exec(struct process *process);
long creds_drop_bounding(u64 capability);
void sched_apply(struct task *task); /* tasklist_lock is held */

/* ---- Names (process.c, uts.c) ---- */

void task_name(struct task *task, char name[TASK_COMM_LEN]);
void task_set_name(struct task *task, const char *name, size_t length); /* what is too long is cut */
void machine_names(struct utsname *names);
void machine_set_name(bool domain, const char *name, size_t length);

/* ---- Time (time.c) ---- */

u64 cycles_to_ns(u64 cycles);
u64 realtime_ns(void);
struct cpu_time process_time(const struct process *process);
struct rusage usage_of(struct cpu_time time, u64 maxrss); /* processor time used, KiB */
long clock_now(int clock, u64 *ns); /* -EINVAL */
long get_timespec(const struct timespec __user *from, u64 *ns); /* -EFAULT, -EINVAL */
long put_timespec(struct timespec __user *to, u64 ns);

#define LONGEST_TIME_NS (1UL << 62)
/* The same of a clock that counts processor time: of this process, or this task of it. */
long clock_now_of(int clock, const struct process *process, const struct task *task, u64 *ns);
bool clock_is_cpu(int clock);
int clock_own(int clock); /* a number that names the caller's own processor time, by its ordinary name */

/* ---- Timers that send signals (timer.c) ---- */

/* (c) constant once it is listed; all else: (t) */
struct timer {
    volatile LONG refs;
    LIST_ENTRY links; /* in the process's list */
    s32 id;           /* (c) -1: an interval timer's */
    s32 clock;        /* (c) */
    struct process *process;  /* (c) referenced: whose it is */
    struct task *task;        /* (c) referenced: who gets the signal; NULL: any */
    struct task *clock_task;  /* (c) referenced: whose processor time counts; NULL: the process's */
    s32 sigev_signo, sigev_notify; /* (c) */
    u64 sigev_value;          /* (c) */
    u64 next, interval;       /* by its clock; next 0: it is not set */
    u64 overrun;              /* expirations since the signal was sent */
    s32 last_overrun;         /* of the signal that was taken last */
    KTIMER kernel_timer;
    KDPC dpc;
    LIST_ENTRY expired; /* under a lock of timer.c's */
    bool is_expired;    /* the same */
};

struct timer *timer_create(int clock, struct task *clock_task); /* of the current process, not listed */
void timer_put(struct timer *timer);
/* tasklist_lock is held. */
struct timer *timer_find(struct process *process, s32 id); /* process.c; NULL */
void timer_set(struct timer *timer, u64 next, u64 interval);
u64 timer_left(const struct timer *timer);
/* It is not held. */
bool timer_delete(struct process *process, s32 id);
void timers_delete(struct process *process, bool all); /* all but interval timers: exec */
long timers_start(void);
void timers_stop(void);

/* ---- The terminal (tty.c: its line discipline; ttyctl.c: ioctls; ttyjobs.c: job control) ---- */

#define TTY_RING  4096
#define TTY_PIECE 512 /* bytes that pass through the kernel stack at a time */

struct tty {
    struct mutex lock, output;
    struct termios termios; /* (lock, and output for changes) */
    struct winsize size;    /* (lock) */
    struct wait_queue readers, writers;
    u16 ring[TTY_RING];        /* (lock) see tty.c */
    u32 read, ready, written;  /* (lock) */
    bool literal;              /* (lock) the next byte is what it is */
    bool volatile stopped;     /* (lock); read without: the user has stopped the output */
    bool exclusive;            /* (lock) TIOCEXCL; nobody but root is here, who is not kept out */
    u32 line_column;           /* (lock) where the line that is being typed began */
    u32 column;                /* (output) where the cursor is */
    u32 volatile echoes;       /* (lock); read without */
    u8 echo[128];              /* (lock) */
    sigset_t signals;          /* (lock) that keys have asked for */
    s32 session, foreground;   /* (t) 0: none */
    u32 volatile hangups;      /* (t); read without. A file that was opened before the last is dead */
    void (*more)(struct tty *tty); /* there is room for input */
};

/* An open file of a terminal knows it, and when it was opened. */
static inline struct tty *file_tty(const struct file *file)
{
    return (struct tty *)file->inode->entry;
}
static inline bool tty_is_hung_up(const struct tty *tty, const struct file *file)
{
    return tty->hangups != (u32)(ULONG_PTR)file->data;
}

long tty_read(struct file *file, struct iobuf *to, u64 *pos);
long tty_write(struct file *file, struct iobuf *from, u64 *pos);
u32 tty_poll(struct file *file, struct poll_table *table);
void tty_send(struct tty *tty, const u8 *bytes, size_t size);
ULONG tty_kernel_mode(const struct tty *tty);
/* With tty->lock. tty_receive: bytes from the keyboard, as many as find room, but none behind a key that
   means a signal: *signals, to be sent without the lock, and before what was typed behind the key can be
   read. */
size_t tty_receive(struct tty *tty, const u8 *bytes, size_t size, sigset_t *signals);
u32 tty_bytes_ready(struct tty *tty);
bool tty_readable(struct tty *tty);
void tty_flush_input(struct tty *tty);
void tty_stop_output(struct tty *tty, bool stop);
void tty_set_modes(struct tty *tty, const struct termios *new);

void tty_init(struct tty *tty);
void tty_reset(struct tty *tty); /* modes as at the start; with tty->lock */
long tty_ioctl(struct file *file, u32 command, u64 argument);
long tty_check_read(struct tty *tty); /* -EIO, -ERESTARTSYS: a background process may not */
long tty_check_write(struct tty *tty);
long tty_check_change(struct tty *tty);
bool tty_is_mine(const struct tty *tty);
void tty_signal(struct tty *tty, sigset_t signals); /* to the foreground group */
void tty_resize(struct tty *tty, const struct winsize *size);
/* tasklist_lock is held. */
bool tty_belongs_to(const struct tty *tty, const struct process *process);
void tty_acquire(struct tty *tty, s32 session, s32 group);
/* Its session has it no more, and the foreground is told; and (hang_up) all that have it open cannot use it
   any more. */
void tty_release(struct tty *tty);
void tty_hang_up(struct tty *tty);

/* ---- System calls (syscall.c) and their trace (trace.c) ---- */

typedef long (*syscall_t)(u64, u64, u64, u64, u64, u64);

struct call_description {
    const char *name;
    const char *arguments; /* a word each, see decode.c; NULL: not implemented */
};
#define NR_CALLS 452
extern const struct call_description call_descriptions[NR_CALLS];

#define NR_poll            7
#define NR_rt_sigreturn    15
#define NR_exit            60
#define NR_restart_syscall 219
#define NR_exit_group      231
#define NR_ppoll           271

void linux_system_call(KTRAP_FRAME *frame);

/* How a process is traced (process->trace): what it starts is traced so, too. */
enum trace {
    TRACE_NONE,
    TRACE_LOG,
    TRACE_CONSOLE
};
extern bool tracing; /* somebody is, perhaps */

/* A call while it is traced, by its own task. */
struct traced_call {
    u64 values[6];
    u32 number;
    int shown; /* arguments that have been written */
};
void trace_start(bool all);
u8 trace_of_new(void);
void trace_to_console(struct process *process);
void trace_enter(struct traced_call *call, const KTRAP_FRAME *frame, u32 number);
void trace_leave(struct traced_call *call, long result);
/* What happens to a task, by itself: a signal that is delivered, a stop, its end (sig 0: with an exit
   code). */
void trace_signal(struct task *task, const siginfo_t *info);
void trace_stop(struct task *task, u32 sig);
void trace_end(struct task *task, u32 code, u32 sig);

struct timex;
struct sched_attr;
struct open_how;
#define CALL(number, name, arguments, parameters) long sys_##name parameters;
#define NONE(number, name)
#include "calls.h"
#undef CALL
#undef NONE

#endif
