/* SPDX-License-Identifier: MIT */
/*
 * Processes (thread groups) and tasks (threads): their structures, and finding them. clone.c and exec.c make
 * new ones, exit.c has their end.
 *
 * The kernel's process and thread objects carry ours as contexts. A context goes back exactly once: a task's
 * in linux_thread_exit, a process's in linux_process_exit; until then current_task() and current_process()
 * are good. Others find a process in the list, under tasklist_lock, and take a reference to use it longer.
 * While a process is being made somebody outside may already end it: its maker holds references too, and
 * lists nothing that has exited.
 */
#include "linux.h"

#include <ntapi.h>

struct mutex tasklist_lock;
LIST_ENTRY processes = {&processes, &processes};
const struct terminal_operations *terminal;

/* By id, so that nobody who is asked for by one is searched among all. (t) */
#define BUCKETS  256
#define ID_SHIFT 2 /* ids are multiples of 4 */
static LIST_ENTRY process_table[BUCKETS], task_table[BUCKETS];

static PLIST_ENTRY bucket_of(PLIST_ENTRY table, s32 id)
{
    return &table[((u32)id >> ID_SHIFT) % BUCKETS];
}

/* ---- Parts ---- */

void mm_put(struct mm *mm)
{
    if (mm != NULL && InterlockedDecrement(&mm->refs) == 0) {
        release(mm);
    }
}

struct mm *mm_create(void)
{
    struct mm *mm = zalloc(sizeof(*mm));
    if (mm != NULL) {
        mm->refs = 1;
        mutex_init(&mm->lock);
    }
    return mm;
}

struct mm *mm_get(struct process *process)
{
    mutex_lock(&tasklist_lock);
    struct mm *mm = process->mm;
    InterlockedIncrement(&mm->refs);
    mutex_unlock(&tasklist_lock);
    return mm;
}

static struct mm *mm_copy(struct mm *mm)
{
    struct mm *copy = mm_create();
    if (copy != NULL) {
        mutex_lock(&mm->lock);
        *copy = *mm;
        mutex_unlock(&mm->lock);
        copy->refs = 1;
        mutex_init(&copy->lock);
        copy->lock_future = 0; /* children do not inherit locks */
        copy->populate_future = false;
    }
    return copy;
}

void sighand_put(struct sighand *sighand)
{
    if (sighand != NULL && InterlockedDecrement(&sighand->refs) == 0) {
        release(sighand);
    }
}

/* from NULL: all dispositions are the default ones. */
struct sighand *sighand_create(const struct sighand *from)
{
    struct sighand *sighand = zalloc(sizeof(*sighand));
    if (sighand != NULL) {
        sighand->refs = 1;
    }
    if (sighand != NULL && from != NULL) {
        mutex_lock(&tasklist_lock);
        memcpy(sighand->action, from->action, sizeof(sighand->action));
        mutex_unlock(&tasklist_lock);
    }
    return sighand;
}

struct names *names_create(void)
{
    struct names *names = zalloc(sizeof(*names));
    if (names != NULL) {
        names->refs = 1;
    }
    return names;
}

void names_put(struct names *names)
{
    if (names == NULL || InterlockedDecrement(&names->refs) != 0) {
        return;
    }
    if (names->exe != NULL) {
        inode_allow_write(names->exe);
        inode_put(names->exe);
    }
    release(names->arguments);
    release(names->image.Buffer);
    release(names->command.Buffer);
    if (names->file != NULL) {
        ObDereferenceObject(names->file);
    }
    release(names);
}

/* ---- What new ones have from their makers ---- */

#define NORMAL_PRIORITY 8

/*
 * Of the kernel's 32 priorities 1 to 15 are for nice values (8 is nice 0, 1 also SCHED_IDLE), and 16 to 30
 * for the 99 of SCHED_FIFO and SCHED_RR, which share them.
 */
static KPRIORITY priority_of(const struct sched *sched)
{
    if (is_real_time(sched->policy)) {
        return 16 + (sched->priority - 1) * 15 / 99;
    }
    if (sched->policy == SCHED_IDLE) {
        return 1;
    }
    /* Each step away from 0 that the 15 levels can tell apart: 20 above, 19 below. */
    return sched->nice <= 0 ? NORMAL_PRIORITY + (-sched->nice * 7 + 19) / 20 : NORMAL_PRIORITY - (sched->nice * 7 + 18) / 19;
}

/* The thread is made to run as its task says. tasklist_lock is held. */
void sched_apply(struct task *task)
{
    KeSetPriorityThread((PKTHREAD)task->thread, priority_of(&task->sched));
    if (task->sched.affinity != 0) {
        KeSetAffinityThread((PKTHREAD)task->thread, task->sched.affinity);
    }
}

/* A new task is scheduled as its maker, unless that one does not want it. */
static struct sched sched_of_new(void)
{
    struct sched sched = current_process() != NULL ? current_task()->sched : (struct sched){0};

    if (sched.reset_on_fork) {
        sched = (struct sched){.affinity = sched.affinity, .nice = sched.nice < 0 || is_real_time(sched.policy) ? 0 : sched.nice};
    }
    return sched;
}

/* A new process is who its maker is; one that was started from outside is root. */
static struct creds creds_of_new(void)
{
    const struct process *parent = current_process();
    struct creds creds = {.permitted = ALL_CAPABILITIES,
                          .effective = ALL_CAPABILITIES,
                          .bounding = ALL_CAPABILITIES,
                          .group_count = 1};
    if (parent != NULL) {
        mutex_lock(&tasklist_lock);
        creds = parent->creds;
        mutex_unlock(&tasklist_lock);
    }
    return creds;
}

/* ---- Processes ---- */

static void set_limits(struct process *process)
{
    for (int i = 0; i < RLIM_NLIMITS; i++) {
        process->rlimits[i] = (struct rlimit){RLIM_INFINITY, RLIM_INFINITY};
    }
    process->rlimits[RLIMIT_STACK].rlim_cur = STACK_SIZE;
    process->rlimits[RLIMIT_CORE].rlim_cur = 0;
    process->rlimits[RLIMIT_NOFILE] = (struct rlimit){1024, 4096};
    process->rlimits[RLIMIT_MEMLOCK] = (struct rlimit){64 << 10, 64 << 10};
    process->rlimits[RLIMIT_SIGPENDING] = (struct rlimit){SIGNAL_QUEUE_LIMIT, SIGNAL_QUEUE_LIMIT};
    process->rlimits[RLIMIT_MSGQUEUE] = (struct rlimit){819200, 819200};
    process->rlimits[RLIMIT_NICE] = process->rlimits[RLIMIT_RTPRIO] = (struct rlimit){0, 0};
}

static struct process *process_alloc(void)
{
    struct process *process = zalloc(sizeof(*process));
    if (process != NULL) {
        process->refs = 1;
        InitializeListHead(&process->links);
        InitializeListHead(&process->tasks);
        InitializeListHead(&process->children);
        InitializeListHead(&process->siblings);
        InitializeListHead(&process->timers);
        wait_queue_init(&process->child_wait);
        sigpending_init(&process->pending);
        KeInitializeEvent(&process->continued, NotificationEvent, TRUE);
        process->start_time = KeQueryInterruptTime();
        process->trace = trace_of_new();
        process->creds = creds_of_new();
    }
    return process;
}

struct process *process_create(s32 ppid)
{
    struct process *process = process_alloc();
    if (process == NULL) {
        return NULL;
    }
    process->ppid = ppid;
    process->mm = mm_create();
    process->sighand = sighand_create(NULL);
    if (process->mm == NULL || process->sighand == NULL) {
        process_put(process);
        return NULL;
    }
    set_limits(process);
    return process;
}

static void replace_object(PEPROCESS *object, PEPROCESS by)
{
    PEPROCESS old = *object;

    ObReferenceObject(by);
    *object = by;
    if (old != NULL) {
        ObDereferenceObject(old);
    }
}

void process_set_group(struct process *process, s32 pgid, PEPROCESS leader)
{
    process->pgid = pgid;
    replace_object(&process->group_object, leader);
}

void process_set_session(struct process *process, s32 sid, PEPROCESS leader)
{
    process->sid = sid;
    replace_object(&process->session_object, leader);
}

/* What a child has of its parent that others may change meanwhile. */
static void inherit(struct process *child, struct process *parent)
{
    mutex_lock(&tasklist_lock);
    process_set_group(child, parent->pgid, parent->group_object);
    process_set_session(child, parent->sid, parent->session_object);
    child->names = parent->names;
    InterlockedIncrement(&child->names->refs);
    memcpy(child->comm, parent->comm, sizeof(child->comm));
    memcpy(child->rlimits, parent->rlimits, sizeof(child->rlimits));
    mutex_unlock(&tasklist_lock);
    child->keeps_capabilities = parent->keeps_capabilities;
    child->no_new_privileges = parent->no_new_privileges;
    child->undumpable = parent->undumpable;
    child->no_huge_pages = parent->no_huge_pages;
    child->personality = parent->personality;
    child->timer_slack = parent->timer_slack;
    child->oom_adjustment = parent->oom_adjustment;
}

struct process *process_fork(u64 flags)
{
    struct process *parent = current_process();
    struct process *child = process_alloc();

    if (child == NULL) {
        return NULL;
    }
    if (flags & CLONE_VM) {
        child->mm = parent->mm;
        InterlockedIncrement(&child->mm->refs);
    } else {
        child->mm = mm_copy(parent->mm);
    }
    if (flags & CLONE_SIGHAND) {
        child->sighand = parent->sighand;
        InterlockedIncrement(&child->sighand->refs);
    } else {
        child->sighand = sighand_create(flags & CLONE_CLEAR_SIGHAND ? NULL : parent->sighand);
    }
    if (child->mm == NULL || child->sighand == NULL) {
        process_put(child);
        return NULL;
    }
    inherit(child, parent);
    return child;
}

void process_put(struct process *process)
{
    if (InterlockedDecrement(&process->refs) != 0) {
        return;
    }
    mm_put(process->mm);
    sighand_put(process->sighand);
    sigpending_flush(&process->pending);
    names_put(process->names);
    PEPROCESS objects[] = {process->object, process->group_object, process->session_object};
    for (size_t i = 0; i < ARRAYSIZE(objects); i++) {
        if (objects[i] != NULL) {
            ObDereferenceObject(objects[i]);
        }
    }
    release(process);
}

void process_link(struct process *process)
{
    InsertTailList(&processes, &process->links);
    InsertTailList(bucket_of(process_table, process->pid), &process->by_id);
}

void process_unlink(struct process *process)
{
    RemoveEntryList(&process->links);
    RemoveEntryList(&process->by_id);
}

struct process *process_find(s32 pid)
{
    const LIST_ENTRY *bucket = bucket_of(process_table, pid);

    for (PLIST_ENTRY at = bucket->Flink; at != bucket; at = at->Flink) {
        struct process *process = CONTAINING_RECORD(at, struct process, by_id);
        if (process->pid == pid) {
            return process;
        }
    }
    return NULL;
}

struct process *process_get(s32 pid)
{
    mutex_lock(&tasklist_lock);
    struct process *found = process_find(pid);
    if (found != NULL) {
        InterlockedIncrement(&found->refs);
    }
    mutex_unlock(&tasklist_lock);
    return found;
}

static const char *base_name(const char *path)
{
    const char *name = path;
    for (; *path != 0; path++) {
        if (*path == '/') {
            name = path + 1;
        }
    }
    return name;
}

/* What the process runs, from now on. */
void process_set_program(struct process *process, struct names *names, const char *path)
{
    const char *name = base_name(path);

    mutex_lock(&tasklist_lock);
    struct names *old = process->names;
    process->names = names;
    memset(process->comm, 0, sizeof(process->comm));
    memcpy(process->comm, name, min(strlen(name), TASK_COMM_LEN - 1));
    mutex_unlock(&tasklist_lock);
    names_put(old);
}

struct timer *timer_find(struct process *process, s32 id)
{
    for (PLIST_ENTRY at = process->timers.Flink; at != &process->timers; at = at->Flink) {
        struct timer *timer = CONTAINING_RECORD(at, struct timer, links);
        if (timer->id == id && id >= 0) {
            return timer;
        }
    }
    return NULL;
}

/* ---- Tasks ---- */

struct task *task_create(struct process *process, struct files *files, struct fs *fs)
{
    struct task *task = zalloc(sizeof(*task));
    if (task == NULL) {
        files_put(files);
        fs_put(fs);
        return NULL;
    }
    task->refs = 1;
    InitializeListHead(&task->links);
    InitializeListHead(&task->by_id);
    sigpending_init(&task->pending);
    task->process = process;
    task->tid = process->pid; /* a first task's */
    task->files = files;
    task->fs = fs;
    task->altstack.ss_flags = SS_DISABLE;
    task->sched = sched_of_new();
    KeInitializeEvent(&task->event, SynchronizationEvent, FALSE);
    return task;
}

void task_put(struct task *task)
{
    if (InterlockedDecrement(&task->refs) != 0) {
        return;
    }
    sigpending_flush(&task->pending);
    files_put(task->files);
    fs_put(task->fs);
    if (task->thread != NULL) {
        ObDereferenceObject(task->thread);
    }
    release(task);
}

void task_name(struct task *task, char name[TASK_COMM_LEN])
{
    mutex_lock(&tasklist_lock);
    memcpy(name, task->name[0] != 0 ? task->name : task->process->comm, TASK_COMM_LEN);
    mutex_unlock(&tasklist_lock);
}

/* The first task's name is that of the process. */
void task_set_name(struct task *task, const char *name, size_t length)
{
    char *to = task->tid == task->process->pid ? task->process->comm : task->name;

    mutex_lock(&tasklist_lock);
    memset(to, 0, TASK_COMM_LEN);
    memcpy(to, name, min(length, TASK_COMM_LEN - 1));
    mutex_unlock(&tasklist_lock);
}

void process_exit_signal(struct process *process, int sig)
{
    kernel.TerminateProcess(process->object, (NTSTATUS)(SUBSYSTEM_EXIT_SIGNAL | (ULONG)sig));
}

void task_link(struct task *task)
{
    InsertTailList(&task->process->tasks, &task->links);
    InsertTailList(bucket_of(task_table, task->tid), &task->by_id);
}

void task_unlink(struct task *task)
{
    RemoveEntryList(&task->links); /* one that is in no list is a list of its own */
    InitializeListHead(&task->links);
    RemoveEntryList(&task->by_id);
    InitializeListHead(&task->by_id);
}

struct task *task_find(s32 pid, s32 tid)
{
    const LIST_ENTRY *bucket = bucket_of(task_table, tid);

    for (PLIST_ENTRY at = bucket->Flink; at != bucket; at = at->Flink) {
        struct task *task = CONTAINING_RECORD(at, struct task, by_id);
        if (task->tid == tid && (pid == -1 || task->process->pid == pid)) {
            return task;
        }
    }
    return NULL;
}

void tasks_init(void)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        InitializeListHead(&process_table[i]);
        InitializeListHead(&task_table[i]);
    }
}
