/* SPDX-License-Identifier: MIT */
/*
 * /proc: a few texts on the machine, and a folder for each process. The top folder's entries are permanent
 * inodes; what belongs to a process is made when a path leads there, and holds the process's id, not the
 * process.
 */
#include "linux.h"

/* An entry: of the top folder (pid 0) or of a process's. Texts are written when the file is opened. */
struct proc_entry {
    const char *name;
    u32 mode;
    void (*show)(struct text *text, struct process *process);    /* files */
    long (*follow)(struct process *process, struct inode **out); /* links */
};

static u64 seconds(void)
{
    return monotonic_ns() / 1000000000UL;
}

/* ---- Texts on the machine ---- */

static void show_meminfo(struct text *text, struct process *process)
{
    PS_MEMORY_STATISTICS memory;
    kernel.QueryMemory(NULL, &memory);
    print(text, "MemTotal:       %8lu kB\n", memory.TotalBytes / 1024);
    print(text, "MemFree:        %8lu kB\n", memory.FreeBytes / 1024);
    print(text, "MemAvailable:   %8lu kB\n", memory.FreeBytes / 1024);
    print(text, "Buffers:        %8lu kB\nCached:         %8lu kB\n", 0UL, 0UL);
    print(text, "SwapTotal:      %8lu kB\nSwapFree:       %8lu kB\n", 0UL, 0UL);
}

static void show_uptime(struct text *text, struct process *process)
{
    u64 ns = monotonic_ns();
    print(text, "%lu.%02lu 0.00\n", ns / 1000000000UL, ns / 10000000UL % 100);
}

static void show_loadavg(struct text *text, struct process *process)
{
    print(text, "0.00 0.00 0.00 1/1 %d\n", process != NULL ? process->pid : 0);
}

static void show_version(struct text *text, struct process *process)
{
    print(text, "Linux version 4.4.0-primer (primer) #1 SMP Primer\n");
}

static void show_cpuinfo(struct text *text, struct process *process)
{
    ULONG count = KeQueryActiveProcessorCount(NULL);
    for (ULONG cpu = 0; cpu < count; cpu++) {
        print(text, "processor\t: %u\nvendor_id\t: Primer\nmodel name\t: x86_64\n", cpu);
        print(text, "siblings\t: %u\ncore id\t\t: %u\ncpu cores\t: %u\n\n", count, cpu, count);
    }
}

static void show_stat(struct text *text, struct process *process)
{
    ULONG count = KeQueryActiveProcessorCount(NULL);
    LARGE_INTEGER now;
    KeQuerySystemTime(&now);
    print(text, "cpu  0 0 0 %lu 0 0 0 0 0 0\n", seconds() * CLOCKS_PER_SEC * count);
    for (ULONG cpu = 0; cpu < count; cpu++) {
        print(text, "cpu%u 0 0 0 %lu 0 0 0 0 0 0\n", cpu, seconds() * CLOCKS_PER_SEC);
    }
    print(text, "btime %lu\n", now.QuadPart / 10000000UL - 11644473600UL - seconds());
}

static void show_mounts(struct text *text, struct process *process)
{
    print(text, "rootfs / rootfs ro 0 0\nproc /proc proc rw,relatime 0 0\n");
}

static void show_filesystems(struct text *text, struct process *process)
{
    print(text, "nodev\trootfs\nnodev\tproc\n");
}

static const struct proc_entry machine_entries[] = {
    {"meminfo", S_IFREG | 0444, .show = show_meminfo},
    {"uptime", S_IFREG | 0444, .show = show_uptime},
    {"loadavg", S_IFREG | 0444, .show = show_loadavg},
    {"version", S_IFREG | 0444, .show = show_version},
    {"cpuinfo", S_IFREG | 0444, .show = show_cpuinfo},
    {"stat", S_IFREG | 0444, .show = show_stat},
    {"mounts", S_IFREG | 0444, .show = show_mounts},
    {"filesystems", S_IFREG | 0444, .show = show_filesystems},
};

/* ---- A process's entries ---- */

static void show_comm(struct text *text, struct process *process)
{
    print(text, "%s\n", process->comm);
}

static void show_cmdline(struct text *text, struct process *process)
{
    mutex_lock(&tasklist_lock);
    text_append(text, process->names->arguments, process->names->arguments_size);
    mutex_unlock(&tasklist_lock);
}

static void show_process_stat(struct text *text, struct process *process)
{
    PS_MEMORY_STATISTICS memory;
    struct mm *mm = mm_get(process);
    kernel.QueryMemory(process->object, &memory);
    u64 ticks = cycles_to_ns(kernel.GetProcessCycles(process->object)) / (1000000000UL / CLOCKS_PER_SEC);

    print(text, "%d (%s) R %d %d %d %d %d ", process->pid, process->comm, process->ppid, process->pgid,
          process->sid, (int)makedev(5, 1), process->pgid);
    print(text, "0 0 0 0 0 %lu 0 0 0 20 0 %u 0 %lu ", ticks, process->live, process->start_time / 100000UL);
    print(text, "%lu %lu %lu ", memory.RegionBytes, memory.ResidentBytes / PAGE_SIZE, RLIM_INFINITY);
    print(text, "0 0 %lu 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 %lu %lu %lu %lu 0\n",
          mm->start_stack, mm->arg_start, mm->arg_end, mm->env_start, mm->env_end);
    mm_put(mm);
}

static void show_status(struct text *text, struct process *process)
{
    PS_MEMORY_STATISTICS memory;
    kernel.QueryMemory(process->object, &memory);
    print(text, "Name:\t%s\nUmask:\t0022\nState:\tR (running)\nTgid:\t%d\nPid:\t%d\nPPid:\t%d\n",
          process->comm, process->pid, process->pid, process->ppid);
    print(text, "Uid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nFDSize:\t64\nGroups:\t0\n");
    print(text, "VmSize:\t%8lu kB\nVmRSS:\t%8lu kB\nThreads:\t%u\n", memory.RegionBytes / 1024,
          memory.ResidentBytes / 1024, process->live);
}

static void show_loginuid(struct text *text, struct process *process)
{
    print(text, "%u", ~0U); /* nobody has logged in */
}

static const char *region_name(const PS_REGION_INFORMATION *region, const struct mm *mm, char *path)
{
    if (region->Tag != NULL) {
        return path_of(region->Tag, path, PATH_MAX) > 0 ? path : "";
    }
    if (region->Start <= mm->start_stack && region->End > mm->start_stack) {
        return "[stack]";
    }
    if (mm->vdso != 0 && (region->Start == mm->vdso || region->End == mm->vdso)) {
        return region->Start == mm->vdso ? "[vdso]" : "[vvar]";
    }
    return region->Start >= mm->start_brk && region->End <= page_up(mm->brk) ? "[heap]" : "";
}

static void show_region(struct text *text, const PS_REGION_INFORMATION *region, const char *name)
{
    bool file = region->Tag != NULL;
    print(text, "%08lx-%08lx %c%c%c%c %08lx %s %lu", region->Start, region->End,
          region->Protection & PS_MEMORY_READ ? 'r' : '-', region->Protection & PS_MEMORY_WRITE ? 'w' : '-',
          region->Protection & PS_MEMORY_EXECUTE ? 'x' : '-', region->Shared ? 's' : 'p',
          file ? region->SectionOffset : 0UL, file ? "00:02" : "00:00",
          file ? ((struct inode *)region->Tag)->ino : 0UL);
    print(text, name[0] != 0 ? "                %s\n" : "\n", name);
}

static void show_maps(struct text *text, struct process *process)
{
    PS_REGION_INFORMATION region;
    char *path = zalloc(PATH_MAX);
    struct mm *mm = mm_get(process);

    for (u64 address = 0; path != NULL && address < TASK_SIZE; address = region.End) {
        if (!NT_SUCCESS(kernel.QueryRegion(process->object, address, &region)) || region.End <= address) {
            break;
        }
        if (region.Mapped) {
            show_region(text, &region, region_name(&region, mm, path));
        }
    }
    mm_put(mm);
    release(path);
}

static long put_path(struct inode *inode, char *buffer, size_t size)
{
    char *path = zalloc(PATH_MAX);
    long length = path == NULL ? -ENOMEM : path_of(inode, path, PATH_MAX);

    if (inode->parent == NULL && path != NULL) { /* a stream of the console: its name is all */
        length = strlen(inode->name) + 1;
        memcpy(path, inode->name, length);
    }
    if (length > 0) {
        length = min(length - 1, size);
        memcpy(buffer, path, length);
    }
    release(path);
    inode_put(inode);
    return length;
}

static long follow_exe(struct process *process, struct inode **out)
{
    mutex_lock(&tasklist_lock);
    *out = process->names != NULL ? inode_get(process->names->exe) : NULL;
    mutex_unlock(&tasklist_lock);
    return *out != NULL ? 0 : -ENOENT;
}

static long follow_root(struct process *process, struct inode **out)
{
    *out = inode_get(root_inode);
    return 0;
}

/* Descriptors and working directory belong to tasks; of other processes' only their own tasks may look. */
static long follow_cwd(struct process *process, struct inode **out)
{
    if (process != current_process()) {
        return -EACCES;
    }
    *out = fs_cwd(current_task()->fs);
    return 0;
}

static const struct proc_entry process_entries[] = {
    {"exe", S_IFLNK | 0777, .follow = follow_exe},       {"root", S_IFLNK | 0777, .follow = follow_root},
    {"cwd", S_IFLNK | 0777, .follow = follow_cwd},       {"fd", S_IFDIR | 0500},
    {"comm", S_IFREG | 0444, .show = show_comm},         {"cmdline", S_IFREG | 0444, .show = show_cmdline},
    {"stat", S_IFREG | 0444, .show = show_process_stat}, {"status", S_IFREG | 0444, .show = show_status},
    {"loginuid", S_IFREG | 0444, .show = show_loginuid}, {"maps", S_IFREG | 0444, .show = show_maps},
    {"mounts", S_IFREG | 0444, .show = show_mounts},
};

/* ---- Text files ---- */

static long proc_open(struct inode *inode, struct file *file)
{
    const struct proc_entry *entry = inode->entry;
    struct process *process = inode->data != 0 ? process_get(inode->data) : NULL;
    if (inode->data != 0 && process == NULL) {
        return -ESRCH;
    }
    struct text *text = zalloc(sizeof(*text));
    if (text != NULL) {
        entry->show(text, process);
    }
    if (process != NULL) {
        process_put(process);
    }
    file->data = text;
    return text != NULL ? 0 : -ENOMEM;
}

static void proc_release(struct file *file)
{
    struct text *text = file->data;
    release(text->data);
    release(text);
}

static long proc_read(struct file *file, struct iobuf *to, u64 *pos)
{
    const struct text *text = file->data;
    return read_memory(text->data, text->used, to, pos);
}

static const struct file_operations proc_text_ops = {.open = proc_open, .release = proc_release, .read = proc_read};

/* ---- Links ---- */

static long proc_follow(struct inode *link, struct inode **out)
{
    const struct proc_entry *entry = link->entry;
    struct process *process = process_get(link->data);
    if (process == NULL) {
        return -ESRCH;
    }
    long error = entry->follow(process, out);
    process_put(process);
    return error;
}

static long proc_readlink(struct inode *link, char *buffer, size_t size)
{
    struct inode *target;
    long error = link->ops->follow(link, &target);
    return error < 0 ? error : put_path(target, buffer, size);
}

static const struct inode_operations proc_link_ops = {.readlink = proc_readlink, .follow = proc_follow};

/* ---- /proc/PID/fd ---- */

static long fd_follow(struct inode *link, struct inode **out)
{
    struct file *file = fd_get(link->rdev);
    if (file == NULL) {
        return -ENOENT;
    }
    *out = inode_get(file->inode);
    file_put(file);
    return 0;
}

static const struct inode_operations fd_link_ops = {.readlink = proc_readlink, .follow = fd_follow};

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

/*
 * Inode numbers are the same each time: of process 7's folder 7 << 20, of its entries the numbers behind it, of
 * its descriptors those from 7 << 20 | 0x10000 on. The permanent ones, which are counted, lie below.
 */
static u64 number_of(u64 pid)
{
    return pid << 20;
}

#define FIRST_ENTRY 1
#define FIRST_FD    0x10000

static struct inode *proc_inode(struct inode *dir, u32 mode, const char *name, size_t length, u64 pid,
                                u64 ino)
{
    struct inode *inode = inode_new(mode, DEV_PROC);
    if (inode != NULL) {
        inode->ino = ino;
        inode->parent = inode_get(dir);
        memcpy(inode->own_name, name, min(length, sizeof(inode->own_name) - 1));
        inode->data = pid;
    }
    return inode;
}

/* The folder is that of the process who looks. Programs are also started by processes that are not of Linux. */
static bool is_own(const struct inode *dir)
{
    const struct process *process = current_process();
    return process != NULL && dir->data == (u64)process->pid;
}

static long fd_lookup(struct inode *dir, const char *name, size_t length, struct inode **out)
{
    long fd = parse_number(name, length);
    if (!is_own(dir)) {
        return -EACCES;
    }
    struct file *file = fd >= 0 ? fd_get(fd) : NULL;
    if (file == NULL) {
        return -ENOENT;
    }
    file_put(file);
    struct inode *link =
        proc_inode(dir, S_IFLNK | 0700, name, length, dir->data, number_of(dir->data) + FIRST_FD + fd);
    if (link == NULL) {
        return -ENOMEM;
    }
    link->ops = &fd_link_ops;
    link->rdev = fd;
    *out = link;
    return 0;
}

static size_t number_name(char *name, size_t size, u64 number)
{
    struct text text = {.data = name, .size = size, .fixed = true};
    print(&text, "%lu", number);
    return text.used;
}

static long fd_readdir(struct inode *dir, u64 pos, struct dir_context *ctx)
{
    struct files *files = current_task()->files;
    char name[24];

    if (!is_own(dir)) {
        return -EACCES;
    }
    for (long fd = files_next(files, pos - 2); fd >= 0; fd = files_next(files, fd + 1)) {
        size_t length = number_name(name, sizeof(name), fd);
        if (!ctx->emit(ctx, name, length, number_of(dir->data) + FIRST_FD + fd, S_IFLNK, fd + 3)) {
            break;
        }
    }
    return 0;
}

static const struct inode_operations fd_dir_ops = {.lookup = fd_lookup, .readdir = fd_readdir};

/* ---- /proc/PID ---- */

static struct inode *entry_inode(struct inode *dir, const struct proc_entry *entry, u64 pid)
{
    struct inode *inode = proc_inode(dir, entry->mode, entry->name, strlen(entry->name), pid,
                                     number_of(pid) + FIRST_ENTRY + (entry - process_entries));
    if (inode != NULL) {
        inode->entry = entry;
        inode->ops = S_ISDIR(entry->mode) ? &fd_dir_ops : S_ISLNK(entry->mode) ? &proc_link_ops : NULL;
        inode->fops = S_ISREG(entry->mode) ? &proc_text_ops : NULL;
    }
    return inode;
}

static bool is_name(const char *name, size_t length, const char *of)
{
    return strlen(of) == length && memcmp(name, of, length) == 0;
}

static long pid_lookup(struct inode *dir, const char *name, size_t length, struct inode **out)
{
    for (size_t i = 0; i < ARRAYSIZE(process_entries); i++) {
        if (is_name(name, length, process_entries[i].name)) {
            *out = entry_inode(dir, &process_entries[i], dir->data);
            return *out != NULL ? 0 : -ENOMEM;
        }
    }
    return -ENOENT;
}

static long pid_readdir(struct inode *dir, u64 pos, struct dir_context *ctx)
{
    for (u64 i = pos - 2; i < ARRAYSIZE(process_entries); i++) {
        const struct proc_entry *entry = &process_entries[i];
        if (!ctx->emit(ctx, entry->name, strlen(entry->name), dir->ino + FIRST_ENTRY + i, entry->mode,
                       i + 3)) {
            break;
        }
    }
    return 0;
}

static const struct inode_operations pid_dir_ops = {.lookup = pid_lookup, .readdir = pid_readdir};

/* ---- /proc ---- */

static long proc_lookup(struct inode *dir, const char *name, size_t length, struct inode **out)
{
    long pid = parse_number(name, length);
    struct process *process = pid > 0 ? process_get(pid) : NULL;
    if (process == NULL) {
        return -ENOENT;
    }
    process_put(process);
    struct inode *inode = proc_inode(dir, S_IFDIR | 0555, name, length, pid, number_of(pid));
    if (inode == NULL) {
        return -ENOMEM;
    }
    inode->ops = &pid_dir_ops;
    *out = inode;
    return 0;
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
        if (!ctx->emit(ctx, name, length, number_of(pid), S_IFDIR, first + pid)) {
            break;
        }
    }
    return 0;
}

static const struct inode_operations proc_dir_ops = {.lookup = proc_lookup, .readdir = proc_readdir};

static long self_readlink(struct inode *link, char *buffer, size_t size)
{
    char name[24];
    struct process *process = current_process();
    size_t length = process != NULL ? number_name(name, sizeof(name), process->pid) : 0;
    memcpy(buffer, name, min(length, size));
    return min(length, size);
}

static const struct inode_operations self_ops = {.readlink = self_readlink};

static long add_self(struct inode *proc)
{
    struct inode *self = inode_new(S_IFLNK | 0777, DEV_PROC);
    if (self != NULL) {
        self->ops = &self_ops;
    }
    return dir_add(proc, "self", 4, self);
}

static long add_entry(struct inode *proc, const struct proc_entry *entry)
{
    struct inode *inode = inode_new(entry->mode, DEV_PROC);
    if (inode != NULL) {
        inode->entry = entry;
        inode->fops = &proc_text_ops;
    }
    return dir_add(proc, entry->name, strlen(entry->name), inode);
}

static long proc_start(void)
{
    struct inode *proc = dir_make(root_inode, "proc", 4);
    if (proc == NULL) {
        return -ENOMEM;
    }
    proc->dev = DEV_PROC;
    proc->ops = &proc_dir_ops;
    long error = add_self(proc);
    for (size_t i = 0; error == 0 && i < ARRAYSIZE(machine_entries); i++) {
        error = add_entry(proc, &machine_entries[i]);
    }
    return error;
}

const struct file_kind proc_kind = {.start = proc_start};
