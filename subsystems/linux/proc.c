/* SPDX-License-Identifier: MIT */
/*
 * /proc and /sys: trees of small files, whose texts procinfo.c and procpid.c write when a file is opened. The
 * files on the machine are a part of the file tree; what belongs to a process is made when a path leads
 * there, and holds the ids of process and task, not these themselves.
 */
#include "proc.h"

#define WRITTEN_SIZE 128 /* what is written at once, at most */

/* ---- Whom a file speaks of ---- */

/* In inode->data: the process, and the task if one was named. */
static u64 ids_of(s32 pid, s32 tid)
{
    return (u32)pid | (u64)(u32)tid << 32;
}

static s32 pid_of(const struct inode *inode)
{
    return (s32)inode->data;
}

static s32 tid_of(const struct inode *inode)
{
    return (s32)(inode->data >> 32);
}

/* tasklist_lock is held. tid 0: any. NULL: none. */
static struct task *find_task(struct process *process, s32 tid)
{
    for (PLIST_ENTRY at = process->tasks.Flink; at != &process->tasks; at = at->Flink) {
        struct task *task = CONTAINING_RECORD(at, struct task, links);
        if (tid == 0 || task->tid == tid) {
            InterlockedIncrement(&task->refs);
            return task;
        }
    }
    return NULL;
}

static void subject_put(struct subject *subject)
{
    if (subject->task != NULL) {
        task_put(subject->task);
    }
    if (subject->process != NULL) {
        mm_put(subject->mm);
        process_put(subject->process);
    }
}

/* -ESRCH: it is not there any more. subject_put also then. */
static long subject_get(u64 ids, struct subject *subject)
{
    s32 pid = (s32)ids, tid = (s32)(ids >> 32);

    *subject = (struct subject){.by_task = tid != 0};
    if (ids == 0) {
        return 0;
    }
    subject->process = process_get(pid);
    if (subject->process == NULL) {
        return -ESRCH;
    }
    subject->mm = mm_get(subject->process);
    mutex_lock(&tasklist_lock);
    subject->task = find_task(subject->process, tid);
    mutex_unlock(&tasklist_lock);
    return subject->by_task && subject->task == NULL ? -ESRCH : 0;
}

static bool subject_exists(u64 ids)
{
    struct subject subject;
    long error = subject_get(ids, &subject);
    subject_put(&subject);
    return error == 0;
}

/* ---- Files ---- */

static long proc_open(struct inode *inode, struct file *file)
{
    const struct proc_entry *entry = inode->entry;
    struct subject subject;

    long error = subject_get(inode->data, &subject);
    if (error == 0 && entry->show != NULL && file_readable(file)) {
        struct text *text = zalloc(sizeof(*text));
        if (text != NULL) {
            entry->show(text, &subject);
        }
        file->data = text;
        error = text != NULL ? 0 : -ENOMEM;
    }
    subject_put(&subject);
    return error;
}

static void proc_release(struct file *file)
{
    struct text *text = file->data;
    if (text != NULL) {
        release(text->data);
        release(text);
    }
}

static long proc_read(struct file *file, struct iobuf *to, u64 *pos)
{
    const struct proc_entry *entry = file->inode->entry;
    const struct text *text = file->data;
    struct subject subject;

    if (entry->read == NULL) {
        return read_memory(text->data, text->used, to, pos);
    }
    long result = subject_get(file->inode->data, &subject);
    if (result == 0) {
        result = entry->read(&subject, to, pos);
    }
    subject_put(&subject);
    return result;
}

static long proc_write(struct file *file, struct iobuf *from, u64 *pos)
{
    const struct proc_entry *entry = file->inode->entry;
    char word[WRITTEN_SIZE];
    struct subject subject;

    if (entry->write == NULL) {
        return -EIO;
    }
    size_t size = from->left, length = min(size, sizeof(word) - 1);
    long result = iobuf_get(from, word, length);
    if (result < 0) {
        return result;
    }
    length = result;
    length -= length > 0 && word[length - 1] == '\n';
    word[length] = 0;
    result = subject_get(file->inode->data, &subject);
    if (result == 0) {
        result = entry->write(&subject, word, length);
    }
    subject_put(&subject);
    return result < 0 ? result : (long)size;
}

static const struct file_operations proc_text_ops = {
    .open = proc_open, .release = proc_release, .read = proc_read, .write = proc_write};

/* ---- Links ---- */

static long put_path(struct inode *inode, char *buffer, size_t size)
{
    char *path = zalloc(PATH_MAX);
    long length = path == NULL ? -ENOMEM : path_of(inode, path, PATH_MAX);

    if (length > 0) {
        length = min(length - 1, size);
        memcpy(buffer, path, length);
    }
    release(path);
    inode_put(inode);
    return length;
}

static long proc_follow(struct inode *link, struct inode **out)
{
    const struct proc_entry *entry = link->entry;
    struct subject subject;

    long error = subject_get(link->data, &subject);
    if (error == 0) {
        error = entry->follow(&subject, out);
    }
    subject_put(&subject);
    return error;
}

static long proc_readlink(struct inode *link, char *buffer, size_t size)
{
    struct inode *target;
    long error = link->ops->follow(link, &target);
    return error < 0 ? error : put_path(target, buffer, size);
}

static const struct inode_operations proc_link_ops = {.readlink = proc_readlink, .follow = proc_follow};

/* ---- Inodes ---- */

/*
 * Inode numbers are the same each time: of the folder of process or task 7 they are 7 << 20, of its entries the numbers behind it,
 * of its descriptors those from 7 << 20 | 0x10000 on, of what is said of them from 7 << 20 | 0x20000. Those of the machine's files,
 * which are counted, lie below.
 */
#define FIRST_ENTRY 1
#define FIRST_FD    0x10000
#define FIRST_INFO  0x20000
#define TASK_MARK   (1UL << 60) /* a task's folder is not that of the process of the same id */

static u64 folder_number(u64 ids)
{
    s32 pid = (s32)ids, tid = (s32)(ids >> 32);
    return tid != 0 ? (u64)tid << 20 | TASK_MARK : (u64)pid << 20;
}

static struct inode *proc_inode(struct inode *dir, u32 mode, const char *name, size_t length, u64 ids, u64 number)
{
    struct inode *inode = inode_new(mode, DEV_PROC);
    if (inode != NULL) {
        inode->ino = folder_number(ids) + number;
        inode->parent = inode_get(dir);
        memcpy(inode->own_name, name, min(length, sizeof(inode->own_name) - 1));
        inode->data = ids;
    }
    return inode;
}

/* Decimal, without leading zeros; -1: no number. */
static long parse_number(const char *name, size_t length)
{
    long value = 0;
    for (size_t i = 0; i < length; i++) {
        if (name[i] < '0' || name[i] > '9' || value > 100000000 || (i == 1 && name[0] == '0')) {
            return -1;
        }
        value = 10 * value + (name[i] - '0');
    }
    return length != 0 ? value : -1;
}

static size_t number_name(char *name, size_t size, u64 number)
{
    struct text text = {.data = name, .size = size, .fixed = true};
    print(&text, "%lu", number);
    return text.used;
}

/* ---- Descriptors: /proc/PID/fd and fdinfo. inode->entry is the number. ---- */

static struct files *files_of(const struct inode *inode)
{
    struct subject subject;
    struct files *files = NULL;

    if (subject_get(inode->data, &subject) == 0) {
        files = task_files(subject.task);
    }
    subject_put(&subject);
    return files;
}

static struct file *file_at(const struct inode *inode, u32 fd)
{
    struct files *files = files_of(inode);
    struct file *file = files != NULL ? files_get(files, fd) : NULL;
    if (files != NULL) {
        files_put(files);
    }
    return file;
}

static long fd_follow(struct inode *link, struct inode **out)
{
    struct file *file = file_at(link, (u64)link->entry);
    if (file == NULL) {
        return -ENOENT;
    }
    *out = inode_get(file->inode);
    file_put(file);
    return 0;
}

static const struct inode_operations fd_link_ops = {.readlink = proc_readlink, .follow = fd_follow};

static long fdinfo_open(struct inode *inode, struct file *file)
{
    struct file *shown = file_at(inode, (u64)inode->entry);
    struct text *text = shown != NULL ? zalloc(sizeof(*text)) : NULL;

    if (text != NULL) {
        print(text, "pos:\t%lu\nflags:\t0%o\nmnt_id:\t1\nino:\t%lu\n", shown->pos, shown->flags, shown->inode->ino);
    }
    file->data = text;
    long error = shown == NULL ? -ENOENT : text == NULL ? -ENOMEM : 0;
    if (shown != NULL) {
        file_put(shown);
    }
    return error;
}

static long fdinfo_read(struct file *file, struct iobuf *to, u64 *pos)
{
    const struct text *text = file->data;
    return read_memory(text->data, text->used, to, pos);
}

static const struct file_operations fdinfo_ops = {.open = fdinfo_open, .release = proc_release, .read = fdinfo_read};

/* A link shows by its mode how the file is open. */
static u32 link_mode(const struct file *file)
{
    return S_IFLNK | 0100 | (file_readable(file) ? 0400 : 0) | (file_writable(file) ? 0200 : 0);
}

static bool is_info(const struct inode *dir)
{
    return ((const struct proc_entry *)dir->entry)->folder == FOLDER_FDINFO;
}

static long fd_lookup(struct inode *dir, const char *name, size_t length, struct inode **out)
{
    long fd = parse_number(name, length);
    struct file *file = fd >= 0 ? file_at(dir, fd) : NULL;
    bool info = is_info(dir);

    if (file == NULL) {
        return -ENOENT;
    }
    u32 mode = info ? S_IFREG | 0444 : link_mode(file);
    file_put(file);
    struct inode *inode = proc_inode(dir, mode, name, length, dir->data, (info ? FIRST_INFO : FIRST_FD) + fd);
    if (inode == NULL) {
        return -ENOMEM;
    }
    if (info) {
        inode->fops = &fdinfo_ops;
    } else {
        inode->ops = &fd_link_ops;
    }
    inode->entry = (const void *)fd;
    *out = inode;
    return 0;
}

static long fd_readdir(struct inode *dir, u64 pos, struct dir_context *ctx)
{
    struct files *files = files_of(dir);
    bool info = is_info(dir);
    u64 number = folder_number(dir->data) + (info ? FIRST_INFO : FIRST_FD);
    char name[24];

    if (files == NULL) {
        return 0;
    }
    for (long fd = files_next(files, pos - 2); fd >= 0; fd = files_next(files, fd + 1)) {
        size_t length = number_name(name, sizeof(name), fd);
        if (!ctx->emit(ctx, name, length, number + fd, info ? S_IFREG : S_IFLNK, fd + 3)) {
            break;
        }
    }
    files_put(files);
    return 0;
}

static const struct inode_operations fd_dir_ops = {.lookup = fd_lookup, .readdir = fd_readdir};

/* ---- A process's folder, and a task's ---- */

static const struct inode_operations task_dir_ops;

/* Of links and folders. */
static const struct inode_operations *operations_of(const struct proc_entry *entry)
{
    if (S_ISLNK(entry->mode)) {
        return &proc_link_ops;
    }
    return entry->folder == FOLDER_TASK ? &task_dir_ops : &fd_dir_ops;
}

static bool is_entry(const struct inode *dir, const struct proc_entry *entry)
{
    return tid_of(dir) == 0 || !entry->of_process;
}

static bool is_name(const char *name, size_t length, const char *of)
{
    return strlen(of) == length && memcmp(name, of, length) == 0;
}

static long pid_lookup(struct inode *dir, const char *name, size_t length, struct inode **out)
{
    for (size_t i = 0; i < process_entry_count; i++) {
        const struct proc_entry *entry = &process_entries[i];
        if (is_name(name, length, entry->name) && is_entry(dir, entry) && subject_exists(dir->data)) {
            struct inode *inode = proc_inode(dir, entry->mode, name, length, dir->data, FIRST_ENTRY + i);
            if (inode == NULL) {
                return -ENOMEM;
            }
            inode->entry = entry;
            if (S_ISREG(entry->mode)) {
                inode->fops = &proc_text_ops;
            } else {
                inode->ops = operations_of(entry);
            }
            *out = inode;
            return 0;
        }
    }
    return -ENOENT;
}

static long pid_readdir(struct inode *dir, u64 pos, struct dir_context *ctx)
{
    if (!subject_exists(dir->data)) {
        return -ENOENT;
    }
    for (u64 i = pos - 2; i < process_entry_count; i++) {
        const struct proc_entry *entry = &process_entries[i];
        if (is_entry(dir, entry) &&
            !ctx->emit(ctx, entry->name, strlen(entry->name), dir->ino + FIRST_ENTRY + i, entry->mode, i + 3)) {
            break;
        }
    }
    return 0;
}

static const struct inode_operations pid_dir_ops = {.lookup = pid_lookup, .readdir = pid_readdir};

/* Of a process, or with tid of one of its tasks. */
static long folder_lookup(struct inode *dir, const char *name, size_t length, u64 ids, struct inode **out)
{
    if (!subject_exists(ids)) {
        return -ENOENT;
    }
    struct inode *inode = proc_inode(dir, S_IFDIR | 0555, name, length, ids, 0);
    if (inode == NULL) {
        return -ENOMEM;
    }
    inode->ops = &pid_dir_ops;
    *out = inode;
    return 0;
}

static long task_lookup(struct inode *dir, const char *name, size_t length, struct inode **out)
{
    long tid = parse_number(name, length);
    return tid > 0 ? folder_lookup(dir, name, length, ids_of(pid_of(dir), tid), out) : -ENOENT;
}

/* The lowest id above `after` of a process's tasks; 0 at the end. */
static s32 next_tid(s32 pid, s32 after)
{
    struct process *process = process_get(pid);
    s32 next = 0;

    if (process == NULL) {
        return 0;
    }
    mutex_lock(&tasklist_lock);
    for (PLIST_ENTRY at = process->tasks.Flink; at != &process->tasks; at = at->Flink) {
        s32 tid = CONTAINING_RECORD(at, struct task, links)->tid;
        if (tid > after && (next == 0 || tid < next)) {
            next = tid;
        }
    }
    mutex_unlock(&tasklist_lock);
    process_put(process);
    return next;
}

static long task_readdir(struct inode *dir, u64 pos, struct dir_context *ctx)
{
    char name[24];

    for (s32 tid = next_tid(pid_of(dir), pos - 2); tid != 0; tid = next_tid(pid_of(dir), tid)) {
        size_t length = number_name(name, sizeof(name), tid);
        if (!ctx->emit(ctx, name, length, folder_number(ids_of(pid_of(dir), tid)), S_IFDIR, (u64)tid + 2)) {
            break;
        }
    }
    return 0;
}

static const struct inode_operations task_dir_ops = {.lookup = task_lookup, .readdir = task_readdir};

/* ---- /proc ---- */

static long proc_lookup(struct inode *dir, const char *name, size_t length, struct inode **out)
{
    long pid = parse_number(name, length);
    return pid > 0 ? folder_lookup(dir, name, length, ids_of(pid, 0), out) : -ENOENT;
}

/* The lowest process id above `after`; 0 at the end. */
static s32 next_pid(s32 after)
{
    s32 next = 0;
    mutex_lock(&tasklist_lock);
    for (PLIST_ENTRY at = processes.Flink; at != &processes; at = at->Flink) {
        s32 pid = CONTAINING_RECORD(at, struct process, links)->pid;
        if (pid > after && (next == 0 || pid < next)) {
            next = pid;
        }
    }
    mutex_unlock(&tasklist_lock);
    return next;
}

/* Positions behind the static entries: theirs plus the id. */
static long proc_readdir(struct inode *dir, u64 pos, struct dir_context *ctx)
{
    char name[24];
    u64 first = dir->next_position;

    for (s32 pid = next_pid(pos - first); pid != 0; pid = next_pid(pid)) {
        size_t length = number_name(name, sizeof(name), pid);
        if (!ctx->emit(ctx, name, length, folder_number(ids_of(pid, 0)), S_IFDIR, first + pid)) {
            break;
        }
    }
    return 0;
}

static const struct inode_operations proc_dir_ops = {.lookup = proc_lookup, .readdir = proc_readdir};

/* ---- Links to who looks. Programs are also started by processes that are not of Linux. ---- */

static long put_text(const struct text *text, char *buffer, size_t size)
{
    memcpy(buffer, text->data, min(text->used, size));
    return min(text->used, size);
}

static long self_readlink(struct inode *link, char *buffer, size_t size)
{
    char name[24];
    const struct process *process = current_process();
    struct text text = {.data = name, .size = sizeof(name), .fixed = true};

    if (process == NULL) {
        return -ENOENT;
    }
    print(&text, "%d", process->pid);
    return put_text(&text, buffer, size);
}

static long thread_self_readlink(struct inode *link, char *buffer, size_t size)
{
    char name[48];
    const struct process *process = current_process();
    struct text text = {.data = name, .size = sizeof(name), .fixed = true};

    if (process == NULL) {
        return -ENOENT;
    }
    print(&text, "%d/task/%d", process->pid, current_task()->tid);
    return put_text(&text, buffer, size);
}

static const struct inode_operations self_ops = {.readlink = self_readlink};
static const struct inode_operations thread_self_ops = {.readlink = thread_self_readlink};

static long add_link(struct inode *proc, const char *name, const struct inode_operations *ops)
{
    struct inode *link = inode_new(S_IFLNK | 0777, DEV_PROC);
    if (link != NULL) {
        link->ops = ops;
    }
    return dir_add(proc, name, strlen(name), link);
}

/* ---- The machine's files ---- */

/* Makes the folders on the way. */
static long add_entry(struct inode *dir, const struct proc_entry *entry)
{
    const char *name = entry->name;

    for (const char *at = name; *at != 0; at++) {
        if (*at == '/') {
            dir = dir_make(dir, name, at - name);
            if (dir == NULL) {
                return -ENOMEM;
            }
            dir->mode = S_IFDIR | 0555;
            name = at + 1;
        }
    }
    struct inode *inode = inode_new(entry->mode, DEV_PROC);
    if (inode != NULL) {
        inode->entry = entry;
        inode->fops = &proc_text_ops;
    }
    return dir_add(dir, name, strlen(name), inode);
}

static long add_entries(struct inode *dir, const struct proc_entry *entries, size_t count)
{
    long error = 0;
    for (size_t i = 0; error == 0 && i < count; i++) {
        error = add_entry(dir, &entries[i]);
    }
    return error;
}

/* A folder for each processor, by which programs count them. */
static long add_processors(struct inode *sys)
{
    struct inode *cpu = dir_make(dir_make(dir_make(sys, "devices", 7), "system", 6), "cpu", 3);
    char name[24] = "cpu";
    long error = 0;

    for (ULONG i = 0; error == 0 && i < KeQueryActiveProcessorCount(NULL); i++) {
        size_t length = number_name(name + 3, sizeof(name) - 3, i) + 3;
        error = dir_make(cpu, name, length) != NULL ? 0 : -ENOMEM;
    }
    return error;
}

static struct inode *make_root(const char *name)
{
    struct inode *dir = dir_make(root_inode, name, strlen(name));
    if (dir != NULL) {
        dir->dev = DEV_PROC;
        dir->mode = S_IFDIR | 0555;
    }
    return dir;
}

static long proc_start(void)
{
    struct inode *proc = make_root("proc"), *sys = make_root("sys");

    if (proc == NULL || sys == NULL) {
        return -ENOMEM;
    }
    proc->ops = &proc_dir_ops;
    long error = add_link(proc, "self", &self_ops);
    if (error == 0) {
        error = add_link(proc, "thread-self", &thread_self_ops);
    }
    if (error == 0) {
        error = dir_link(proc, "mounts", "self/mounts") != NULL ? 0 : -ENOMEM;
    }
    if (error == 0) {
        error = add_entries(proc, machine_entries, machine_entry_count);
    }
    if (error == 0) {
        error = add_entries(sys, sys_entries, sys_entry_count);
    }
    return error == 0 ? add_processors(sys) : error;
}

const struct file_kind proc_kind = {.start = proc_start};
