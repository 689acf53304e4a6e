/* SPDX-License-Identifier: MIT */
/* What /proc says of a process and of its tasks. */
#include "proc.h"

/* ---- Parts of a process ---- */

struct files *task_files(struct task *task)
{
    mutex_lock(&tasklist_lock);
    struct files *files = task != NULL && !task->exited ? task->files : NULL;
    if (files != NULL) {
        InterlockedIncrement(&files->refs);
    }
    mutex_unlock(&tasklist_lock);
    return files;
}

struct fs *task_fs(struct task *task)
{
    mutex_lock(&tasklist_lock);
    struct fs *fs = task != NULL && !task->exited ? task->fs : NULL;
    if (fs != NULL) {
        InterlockedIncrement(&fs->refs);
    }
    mutex_unlock(&tasklist_lock);
    return fs;
}

/* ---- Names and arguments ---- */

static void subject_name(const struct subject *subject, char name[TASK_COMM_LEN])
{
    mutex_lock(&tasklist_lock);
    bool own = subject->by_task && subject->task->name[0] != 0;
    memcpy(name, own ? subject->task->name : subject->process->comm, TASK_COMM_LEN);
    mutex_unlock(&tasklist_lock);
}

static void show_comm(struct text *text, const struct subject *subject)
{
    char name[TASK_COMM_LEN];
    subject_name(subject, name);
    print(text, "%s\n", name);
}

/* Only a process itself gives its tasks names. */
static long write_comm(const struct subject *subject, char *word, size_t length)
{
    if (subject->process != current_process() || subject->task == NULL) {
        return -EINVAL;
    }
    task_set_name(subject->by_task ? subject->task : current_task(), word, length);
    return 0;
}

/* A stretch of the program's memory, as it is now. */
static void append_memory(struct text *text, const struct process *process, u64 start, u64 end)
{
    char chunk[256];

    for (u64 at = start; at < end && !is_dying(); at += sizeof(chunk)) {
        size_t size = min(sizeof(chunk), end - at);
        if (!NT_SUCCESS(kernel.ReadMemory(process->object, at, chunk, size)) || !text_append(text, chunk, size)) {
            break;
        }
    }
}

static void show_cmdline(struct text *text, const struct subject *subject)
{
    const struct mm *mm = subject->mm;
    append_memory(text, subject->process, mm->arg_start, mm->arg_end);
}

static void show_environ(struct text *text, const struct subject *subject)
{
    const struct mm *mm = subject->mm;
    append_memory(text, subject->process, mm->env_start, mm->env_end);
}

/* ---- State and times ---- */

/* What the kernel knows of it; of a task, of that one alone. */
struct kernel_view {
    u64 user, system; /* clock ticks */
    u64 switches;
    u32 threads, processor;
    s32 priority;
    char state;
};

static char state_of(ULONG thread_state)
{
    return thread_state == 5 || thread_state == 8 ? 'S' : 'R'; /* waiting; else ready, standby, running, new */
}

static void view_thread(struct kernel_view *view, const SYSTEM_THREAD_INFORMATION *thread)
{
    char state = state_of(thread->ThreadState);
    view->user += TICKS(thread->UserTime.QuadPart);
    view->system += TICKS(thread->KernelTime.QuadPart);
    view->switches += thread->ContextSwitches;
    view->state = view->state == 'R' ? 'R' : state;
    view->processor = thread->Processor;
}

static void kernel_view(struct kernel_view *view, const struct subject *subject)
{
    SYSTEM_PROCESS_INFORMATION *first = proc_snapshot();
    const SYSTEM_PROCESS_INFORMATION *at = snapshot_find(first, subject->process->pid);
    s32 only = subject->by_task ? HandleToLong(PsGetThreadId(subject->task->thread)) : 0; /* not a first task's own id */

    *view = (struct kernel_view){.state = 0};
    for (ULONG i = 0; at != NULL && i < at->NumberOfThreads; i++) {
        s32 tid = HandleToLong(at->Threads[i].ClientId.UniqueThread);
        view->threads++;
        if (only == 0 || tid == only) {
            view_thread(view, &at->Threads[i]);
        }
    }
    if (at != NULL && only == 0) { /* of threads that have gone, too */
        view->user = TICKS(at->UserTime.QuadPart);
        view->system = TICKS(at->KernelTime.QuadPart);
    }
    if (process_has_ended(subject->process)) {
        view->state = 'Z';
    } else if (subject->process->stop_state == STOPPED) {
        view->state = 'T';
    }
    if (view->state == 0) { /* the thread has gone; of a process its last one, on which it is just ending */
        view->state = only != 0 ? 'Z' : 'R';
    }
    release(first);
}

static const char *state_text(char state)
{
    switch (state) {
    case 'R':
        return "R (running)";
    case 'T':
        return "T (stopped)";
    case 'Z':
        return "Z (zombie)";
    default:
        return "S (sleeping)";
    }
}

/* ---- Memory ---- */

/* The places that stat and status tell, from the regions themselves. */
struct layout {
    u64 code_start, code_end, data_start, data_end; /* of the program's own file */
    u64 code, data, stack;                          /* bytes: executable, private and writable, of the stack */
};

static bool next_region(const struct process *process, u64 *address, PS_REGION_INFORMATION *region)
{
    while (*address < TASK_SIZE && NT_SUCCESS(kernel.QueryRegion(process->object, *address, region)) &&
           region->End > *address) {
        *address = region->End;
        if (region->Mapped) {
            return true;
        }
    }
    return false;
}

static bool is_stack(const PS_REGION_INFORMATION *region, const struct mm *mm)
{
    return region->Tag == NULL && region->Start <= mm->start_stack && region->End >= mm->start_stack;
}

static void add_region(struct layout *layout, const PS_REGION_INFORMATION *region, const struct subject *subject,
                       const struct inode *exe)
{
    u64 size = region->End - region->Start;
    bool own = region->Tag != NULL && region->Tag == exe;

    if (is_stack(region, subject->mm)) {
        layout->stack += size;
    } else if (region->Protection & PS_MEMORY_EXECUTE) {
        layout->code += size;
        if (own && layout->code_start == 0) {
            layout->code_start = region->Start;
            layout->code_end = region->End;
        }
    } else if (region->Protection & PS_MEMORY_WRITE) {
        layout->data += region->Shared ? 0 : size;
        if (own && layout->data_start == 0) {
            layout->data_start = region->Start;
            layout->data_end = region->End;
        }
    }
}

static void layout_of(struct layout *layout, const struct subject *subject)
{
    PS_REGION_INFORMATION region;
    u64 address = 0;

    mutex_lock(&tasklist_lock);
    const struct inode *exe = process_exe(subject->process); /* to compare with: not referenced */
    mutex_unlock(&tasklist_lock);
    *layout = (struct layout){0};
    while (next_region(subject->process, &address, &region)) {
        add_region(layout, &region, subject, exe);
    }
}

static void show_statm(struct text *text, const struct subject *subject)
{
    PS_MEMORY_STATISTICS memory;
    struct layout layout;

    kernel.QueryMemory(subject->process->object, &memory);
    layout_of(&layout, subject);
    print(text, "%lu %lu 0 %lu 0 %lu 0\n", memory.RegionBytes / PAGE_SIZE, memory.ResidentBytes / PAGE_SIZE,
          layout.code / PAGE_SIZE, (layout.data + layout.stack) / PAGE_SIZE);
}

/* ---- stat ---- */

/* Signals that are ignored, and that have handlers. */
static void dispositions(const struct process *process, sigset_t *ignored, sigset_t *caught)
{
    *ignored = *caught = 0;
    for (int sig = 1; sig <= _NSIG; sig++) {
        u64 handler = process->sighand->action[sig - 1].sa_handler;
        *ignored |= handler == SIG_IGN ? sigmask(sig) : 0;
        *caught |= handler > SIG_IGN ? sigmask(sig) : 0;
    }
}

struct task_view {
    sigset_t pending, shared, blocked, ignored, caught;
    struct sched sched;
};

static void task_view(struct task_view *seen, const struct subject *subject)
{
    const struct task *task = subject->task;

    mutex_lock(&tasklist_lock);
    *seen = (struct task_view){.shared = subject->process->pending.set};
    if (task != NULL) {
        seen->pending = task->pending.set;
        seen->blocked = task->blocked;
        seen->sched = task->sched;
    }
    dispositions(subject->process, &seen->ignored, &seen->caught);
    mutex_unlock(&tasklist_lock);
}

/* Linux's number: 20 is nice 0, those of SCHED_FIFO and SCHED_RR are below zero. */
static long priority_shown(const struct sched *sched)
{
    return is_real_time(sched->policy) ? -1 - sched->priority : 20 + sched->nice;
}

static void show_process_stat(struct text *text, const struct subject *subject)
{
    const struct process *process = subject->process;
    const struct mm *mm = subject->mm;
    s32 id = subject->by_task ? subject->task->tid : process->pid;
    s32 foreground = terminal->foreground(process);
    PS_MEMORY_STATISTICS memory;
    struct kernel_view view;
    struct layout layout;
    struct task_view seen;
    char name[TASK_COMM_LEN];

    subject_name(subject, name);
    kernel_view(&view, subject);
    kernel.QueryMemory(process->object, &memory);
    layout_of(&layout, subject);
    task_view(&seen, subject);
    print(text, "%d (%s) %c %d %d %d %d %d 0 0 0 0 0 ", id, name, view.state, process->ppid, process->pgid, process->sid,
          foreground >= 0 ? (s32)makedev(5, 1) : 0, foreground);
    print(text, "%lu %lu 0 0 %ld %d %u 0 %lu ", view.user, view.system, priority_shown(&seen.sched), seen.sched.nice,
          view.state == 'Z' ? 1 : view.threads, process->start_time / 100000UL);
    print(text, "%lu %lu %lu ", memory.RegionBytes, memory.ResidentBytes / PAGE_SIZE, RLIM_INFINITY);
    print(text, "%lu %lu %lu 0 0 %lu %lu %lu %lu 0 0 0 17 %u ", layout.code_start, layout.code_end, mm->start_stack,
          seen.pending & 0x7fffffff, seen.blocked & 0x7fffffff, seen.ignored & 0x7fffffff, seen.caught & 0x7fffffff,
          view.processor);
    print(text, "%u %u 0 0 0 %lu %lu %lu %lu %lu %lu %lu 0\n", is_real_time(seen.sched.policy) ? seen.sched.priority : 0, seen.sched.policy,
          layout.data_start, layout.data_end, mm->start_brk, mm->arg_start, mm->arg_end, mm->env_start, mm->env_end);
}

/* ---- status ---- */

static void show_ids(struct text *text, const struct creds *creds)
{
    print(text, "Uid:\t%u\t%u\t%u\t%u\n", creds->uid[0], creds->uid[1], creds->uid[2], creds->uid[3]);
    print(text, "Gid:\t%u\t%u\t%u\t%u\n", creds->gid[0], creds->gid[1], creds->gid[2], creds->gid[3]);
}

static void show_groups(struct text *text, const struct creds *creds)
{
    print(text, "Groups:\t");
    for (u32 i = 0; i < creds->group_count; i++) {
        print(text, "%u ", creds->groups[i]);
    }
    print(text, "\n");
}

/* The processors of a mask as "0-3,5". */
static void show_list(struct text *text, u64 mask)
{
    const char *separator = "";

    for (u32 cpu = 0; cpu < 64; cpu++) {
        u32 last = cpu;
        while (last < 63 && (mask >> last & 1) && (mask >> (last + 1) & 1)) {
            last++;
        }
        if (mask >> cpu & 1) {
            print(text, last > cpu ? "%s%u-%u" : "%s%u", separator, cpu, last);
            separator = ",";
        }
        cpu = last;
    }
    print(text, "\n");
}

static void show_capabilities(struct text *text, const struct creds *creds)
{
    print(text, "CapInh:\t%016lx\nCapPrm:\t%016lx\nCapEff:\t%016lx\nCapBnd:\t%016lx\nCapAmb:\t%016lx\n", creds->inheritable,
          creds->permitted, creds->effective, creds->bounding, 0UL);
}

static u32 descriptor_room(const struct subject *subject)
{
    struct files *files = task_files(subject->task);
    u32 size = files != NULL ? files->size : 0;
    if (files != NULL) {
        files_put(files);
    }
    return size;
}

static u32 umask_of(const struct subject *subject)
{
    struct fs *fs = task_fs(subject->task);
    u32 umask = fs != NULL ? fs->umask : 0;
    fs_put(fs);
    return umask;
}

static void show_memory_sizes(struct text *text, const struct subject *subject)
{
    PS_MEMORY_STATISTICS memory;
    struct layout layout;

    kernel.QueryMemory(subject->process->object, &memory);
    layout_of(&layout, subject);
    print(text, "VmSize:\t%8lu kB\nVmLck:\t%8lu kB\nVmRSS:\t%8lu kB\n", memory.RegionBytes / 1024, 0UL,
          memory.ResidentBytes / 1024);
    print(text, "VmData:\t%8lu kB\nVmStk:\t%8lu kB\nVmExe:\t%8lu kB\nVmSwap:\t%8lu kB\n", layout.data / 1024,
          layout.stack / 1024, layout.code / 1024, 0UL);
}

static void show_status(struct text *text, const struct subject *subject)
{
    const struct process *process = subject->process;
    struct creds creds;
    struct kernel_view view;
    struct task_view seen;
    KAFFINITY active;
    char name[TASK_COMM_LEN];

    subject_name(subject, name);
    kernel_view(&view, subject);
    task_view(&seen, subject);
    mutex_lock(&tasklist_lock);
    creds = process->creds;
    mutex_unlock(&tasklist_lock);
    KeQueryActiveProcessorCount(&active);
    u64 allowed = seen.sched.affinity != 0 ? seen.sched.affinity : active;

    print(text, "Name:\t%s\nUmask:\t%04o\nState:\t%s\nTgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t0\n", name,
          umask_of(subject), state_text(view.state), process->pid, subject->by_task ? subject->task->tid : process->pid,
          process->ppid);
    show_ids(text, &creds);
    print(text, "FDSize:\t%u\n", descriptor_room(subject));
    show_groups(text, &creds);
    if (view.state != 'Z') {
        show_memory_sizes(text, subject);
    }
    print(text, "Threads:\t%u\nSigPnd:\t%016lx\nShdPnd:\t%016lx\nSigBlk:\t%016lx\nSigIgn:\t%016lx\nSigCgt:\t%016lx\n",
          view.state == 'Z' ? 1 : view.threads, seen.pending, seen.shared, seen.blocked, seen.ignored, seen.caught);
    show_capabilities(text, &creds);
    print(text, "NoNewPrivs:\t%u\nSeccomp:\t0\nCpus_allowed:\t%lx\nCpus_allowed_list:\t", process->no_new_privileges, allowed);
    show_list(text, allowed);
    print(text, "voluntary_ctxt_switches:\t%lu\nnonvoluntary_ctxt_switches:\t0\n", view.switches);
}

/* ---- Limits and small texts ---- */

static const struct {
    const char *name, *unit;
} limit_names[RLIM_NLIMITS] = {
    {"Max cpu time", "seconds"},     {"Max file size", "bytes"},          {"Max data size", "bytes"},
    {"Max stack size", "bytes"},     {"Max core file size", "bytes"},     {"Max resident set", "bytes"},
    {"Max processes", "processes"},  {"Max open files", "files"},         {"Max locked memory", "bytes"},
    {"Max address space", "bytes"},  {"Max file locks", "locks"},         {"Max pending signals", "signals"},
    {"Max msgqueue size", "bytes"},  {"Max nice priority", ""},           {"Max realtime priority", ""},
    {"Max realtime timeout", "us"},
};

static void show_limit(struct text *text, u64 limit)
{
    if (limit == RLIM_INFINITY) {
        print(text, "%-20s ", "unlimited");
    } else {
        print(text, "%-20lu ", limit);
    }
}

static void show_limits(struct text *text, const struct subject *subject)
{
    struct rlimit limits[RLIM_NLIMITS];

    mutex_lock(&tasklist_lock);
    memcpy(limits, subject->process->rlimits, sizeof(limits));
    mutex_unlock(&tasklist_lock);
    print(text, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
    for (int i = 0; i < RLIM_NLIMITS; i++) {
        print(text, "%-25s ", limit_names[i].name);
        show_limit(text, limits[i].rlim_cur);
        show_limit(text, limits[i].rlim_max);
        print(text, "%-10s\n", limit_names[i].unit);
    }
}

static void show_loginuid(struct text *text, const struct subject *subject)
{
    print(text, "%u", ~0U); /* nobody has logged in */
}

static void show_cgroup(struct text *text, const struct subject *subject)
{
    print(text, "0::/\n");
}

static void show_personality(struct text *text, const struct subject *subject)
{
    print(text, "%08x\n", subject->process->personality);
}

static void show_oom_score(struct text *text, const struct subject *subject)
{
    print(text, "0\n"); /* nobody is ended when memory is out */
}

static void show_oom_adjustment(struct text *text, const struct subject *subject)
{
    print(text, "%d\n", subject->process->oom_adjustment);
}

static bool read_decimal(const char *word, long *value)
{
    bool negative = *word == '-';
    *value = 0;
    word += negative;
    const char *digits = word;
    for (; *word >= '0' && *word <= '9' && *value < 1000000; word++) {
        *value = 10 * *value + (*word - '0');
    }
    *value = negative ? -*value : *value;
    return word != digits && *word == 0;
}

static long write_oom_adjustment(const struct subject *subject, char *word, size_t length)
{
    long value;
    if (!read_decimal(word, &value) || value < -1000 || value > 1000) {
        return -EINVAL;
    }
    subject->process->oom_adjustment = value;
    return 0;
}

void show_mounts(struct text *text, const struct subject *subject);

static void show_mountinfo(struct text *text, const struct subject *subject)
{
    print(text, "1 1 0:2 / / rw,relatime - tmpfs tmpfs rw\n"
                "2 1 0:4 / /proc rw,relatime - proc proc rw\n"
                "3 1 0:5 / /sys ro,relatime - sysfs sysfs ro\n");
}

/* ---- Maps and memory ---- */

/* As Linux names anonymous regions: what the break lies in or touches, and what the program's stack began
   in. */
static const char *region_name(const PS_REGION_INFORMATION *region, const struct mm *mm, char *path)
{
    if (region->Tag != NULL) {
        return path_of(region->Tag, path, PATH_MAX) > 0 ? path : "";
    }
    if (is_stack(region, mm)) {
        return "[stack]";
    }
    if (mm->vdso != 0 && (region->Start == mm->vdso || region->End == mm->vdso)) {
        return region->Start == mm->vdso ? "[vdso]" : "[vvar]";
    }
    return mm->brk > mm->start_brk && region->Start <= mm->brk && region->End >= mm->start_brk ? "[heap]" : "";
}

static void show_region(struct text *text, const PS_REGION_INFORMATION *region, const char *name)
{
    const struct inode *file = region->Tag;
    size_t start = text->used;

    print(text, "%08lx-%08lx %c%c%c%c %08lx %02x:%02x %lu ", region->Start, region->End,
          region->Protection & PS_MEMORY_READ ? 'r' : '-', region->Protection & PS_MEMORY_WRITE ? 'w' : '-',
          region->Protection & PS_MEMORY_EXECUTE ? 'x' : '-', region->Shared ? 's' : 'p',
          file != NULL ? region->SectionOffset : 0UL, file != NULL ? dev_major(file->dev) : 0,
          file != NULL ? dev_minor(file->dev) : 0, file != NULL ? file->ino : 0UL);
    while (name[0] != 0 && text->used - start < 73) {
        print_char(text, ' ');
    }
    print(text, "%s\n", name);
}

static void show_maps(struct text *text, const struct subject *subject)
{
    PS_REGION_INFORMATION region;
    char *path = zalloc(PATH_MAX);
    u64 address = 0;

    region_tags_hold();
    while (path != NULL && next_region(subject->process, &address, &region)) {
        show_region(text, &region, region_name(&region, subject->mm, path));
    }
    region_tags_release();
    release(path);
}

static u64 count_resident(const struct process *process, u64 start, u64 end)
{
    u8 present[256];
    u64 count = 0;

    for (u64 at = start; at < end && !is_dying(); at += sizeof(present) * PAGE_SIZE) {
        u64 pages = min(sizeof(present), (end - at) / PAGE_SIZE);
        if (!NT_SUCCESS(kernel.QueryPages(process->object, at, pages, present))) {
            break; /* it has gone meanwhile */
        }
        for (u64 i = 0; i < pages; i++) {
            count += present[i] & 1;
        }
    }
    return count;
}

/* Who else has a page, and whether it was written, nobody knows here: what would follow from that is not
   told. */
static void show_smaps(struct text *text, const struct subject *subject)
{
    PS_REGION_INFORMATION region;
    char *path = zalloc(PATH_MAX);
    u64 address = 0;

    region_tags_hold();
    while (path != NULL && next_region(subject->process, &address, &region)) {
        show_region(text, &region, region_name(&region, subject->mm, path));
        print(text, "Size:           %8lu kB\nKernelPageSize: %8u kB\nMMUPageSize:    %8u kB\nRss:            %8lu kB\n",
              (region.End - region.Start) / 1024, 4, 4,
              count_resident(subject->process, region.Start, region.End) * PAGE_SIZE / 1024);
    }
    region_tags_release();
    release(path);
}

/* The file's position is the address. What cannot be read is -EIO. */
static long read_mem(const struct subject *subject, struct iobuf *to, u64 *pos)
{
    u8 chunk[512];
    long done = 0;

    while (to->left != 0 && !is_dying()) {
        size_t size = min(min(to->left, sizeof(chunk)), PAGE_SIZE - *pos % PAGE_SIZE);
        if (*pos >= TASK_SIZE || !NT_SUCCESS(kernel.ReadMemory(subject->process->object, *pos, chunk, size))) {
            return done != 0 ? done : -EIO;
        }
        long moved = iobuf_put(to, chunk, size);
        if (moved <= 0) {
            return done != 0 ? done : moved;
        }
        *pos += moved;
        done += moved;
    }
    return done;
}

/* The vector that the program was started with, behind its environment's pointers. */
static void show_auxv(struct text *text, const struct subject *subject)
{
    const struct process *process = subject->process;
    u64 at = subject->mm->start_stack, word = 0, pair[2] = {1, 0};

    if (!NT_SUCCESS(kernel.ReadMemory(process->object, at, &word, 8))) {
        return;
    }
    at += 8 * (word + 2); /* argc, argv and its end */
    do {
        if (!NT_SUCCESS(kernel.ReadMemory(process->object, at, &word, 8))) {
            return;
        }
        at += 8;
    } while (word != 0 && at < TASK_SIZE - 16 && !is_dying()); /* the program may have written what it likes there */
    for (; word == 0 && pair[0] != AT_NULL && NT_SUCCESS(kernel.ReadMemory(process->object, at, pair, 16)); at += 16) {
        if (!text_append(text, pair, sizeof(pair))) {
            return;
        }
    }
}

/* ---- Links ---- */

static long follow_exe(const struct subject *subject, struct inode **out)
{
    mutex_lock(&tasklist_lock);
    struct inode *exe = process_exe(subject->process);
    *out = exe != NULL ? inode_get(exe) : NULL;
    mutex_unlock(&tasklist_lock);
    return *out != NULL ? 0 : -ENOENT;
}

static long follow_root(const struct subject *subject, struct inode **out)
{
    *out = inode_get(root_inode);
    return 0;
}

static long follow_cwd(const struct subject *subject, struct inode **out)
{
    struct fs *fs = task_fs(subject->task);
    if (fs == NULL) {
        return -ENOENT;
    }
    *out = fs_cwd(fs);
    fs_put(fs);
    return 0;
}

#define TEXT(entry, routine)            {.name = entry, .mode = S_IFREG | 0444, .show = routine}
#define PRIVATE(entry, routine)         {.name = entry, .mode = S_IFREG | 0400, .show = routine}
#define WRITABLE(entry, routine, other) {.name = entry, .mode = S_IFREG | 0644, .show = routine, .write = other}
#define LINK(entry, routine)            {.name = entry, .mode = S_IFLNK | 0777, .follow = routine}
#define FOLDER(entry, access, kind)     {.name = entry, .mode = S_IFDIR | access, .folder = kind}

const struct proc_entry process_entries[] = {
    {.name = "task", .mode = S_IFDIR | 0555, .folder = FOLDER_TASK, .of_process = true},
    FOLDER("fd", 0500, FOLDER_FD),
    FOLDER("fdinfo", 0555, FOLDER_FDINFO),
    LINK("cwd", follow_cwd),
    LINK("exe", follow_exe),
    LINK("root", follow_root),
    PRIVATE("auxv", show_auxv),
    TEXT("cgroup", show_cgroup),
    TEXT("cmdline", show_cmdline),
    WRITABLE("comm", show_comm, write_comm),
    PRIVATE("environ", show_environ),
    TEXT("limits", show_limits),
    TEXT("loginuid", show_loginuid),
    TEXT("maps", show_maps),
    {.name = "mem", .mode = S_IFREG | 0600, .read = read_mem},
    TEXT("mountinfo", show_mountinfo),
    TEXT("mounts", show_mounts),
    TEXT("oom_score", show_oom_score),
    WRITABLE("oom_score_adj", show_oom_adjustment, write_oom_adjustment),
    PRIVATE("personality", show_personality),
    TEXT("sessionid", show_loginuid),
    TEXT("smaps", show_smaps),
    TEXT("stat", show_process_stat),
    TEXT("statm", show_statm),
    TEXT("status", show_status),
};
const size_t process_entry_count = ARRAYSIZE(process_entries);
