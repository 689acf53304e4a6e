/* SPDX-License-Identifier: MIT */
/*
 * fork, vfork, clone: new processes and new threads, as copies of the one that calls.
 *
 * The kernel's objects are made first, suspended, so that ids and memory are there; then everybody may find
 * the new task (process_publish), then it runs. A new process that fails on the way is ended like any other,
 * and its end gives back what it has.
 */
#include "linux.h"

#define NAMESPACES                                                                                           \
    (CLONE_NEWTIME | CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |           \
     CLONE_NEWPID | CLONE_NEWNET)

/* clone's arguments, however they came. */
struct clone {
    u64 flags; /* CLONE_*, without the signal */
    int exit_signal;
    u64 stack; /* 0: the caller's */
    u64 tls;
    s32 __user *parent_tid, *child_tid;
};

/* ---- What the child waits for, and who waits for the child ---- */

void vfork_release(struct task *task)
{
    if (task->vfork_parent == NULL) {
        return;
    }
    mutex_lock(&tasklist_lock);
    struct task *parent = task->vfork_parent;
    task->vfork_parent = NULL;
    if (parent != NULL) {
        KeSetEvent(&parent->event, IO_NO_INCREMENT, FALSE);
    }
    mutex_unlock(&tasklist_lock);
}

void memory_release(struct task *task, bool shared)
{
    const u32 zero = 0;

    robust_list_exit(task);
    if (task->clear_tid != NULL && shared) {
        copy_to_user(task->clear_tid, &zero, sizeof(zero));
        futex_wake_word(task->clear_tid, 1);
    }
    task->robust_list = NULL;
    task->clear_tid = NULL;
}

/* Until the child has a memory of its own, or has ended. Only the caller's own end breaks it off: then the
   child must not wake it any more. The event may be left over from another wait. */
static void vfork_wait(struct task *self, struct task *child)
{
    while (child->vfork_parent != NULL && !is_dying()) {
        KeWaitForSingleObject(&self->event, UserRequest, UserMode, FALSE, NULL);
    }
    mutex_lock(&tasklist_lock);
    child->vfork_parent = NULL;
    mutex_unlock(&tasklist_lock);
}

/* ---- Being found ---- */

/* A new task may be found now, unless somebody has ended it meanwhile. tasklist_lock is held. */
static void task_publish(struct task *task, PETHREAD thread)
{
    struct process *process = task->process;

    task->thread = thread;
    if (task->exited) {
        return;
    }
    process->live++;
    task_link(task);
    if (task->sched.affinity != 0 || task->sched.policy != SCHED_OTHER || task->sched.nice != 0) {
        sched_apply(task); /* not as the kernel's threads are from the start */
    }
    if (signal_pending(task) || process->stop_state != NOT_STOPPED) {
        signals_new_task(task);
    }
}

/* Somebody may have ended the process already: then its parent is told now. */
void process_publish(struct process *process, struct task *task, PETHREAD thread)
{
    LIST_ENTRY gone;

    process->published = true;
    InterlockedIncrement(&process->refs);
    process_link(process);
    if (process->parent != NULL) {
        InsertTailList(&process->parent->children, &process->siblings);
    }
    task_publish(task, thread);
    if (process->exited) {
        InitializeListHead(&gone);
        process_ended(process, &gone);
        processes_put(&gone); /* the creator's reference is left */
    } else if (process->sid == process->pid) {
        terminal->own(process->pgid); /* its end, which takes it back, is still to come */
    }
}

/* ---- New tasks ---- */

static struct task *task_fork(struct process *process, const struct clone *clone)
{
    struct task *self = current_task();
    struct files *files = self->files;
    struct fs *fs = self->fs;

    if (clone->flags & CLONE_FILES) {
        InterlockedIncrement(&files->refs);
    } else {
        files = files_copy(files);
    }
    if (clone->flags & CLONE_FS) {
        InterlockedIncrement(&fs->refs);
    } else {
        fs = fs_copy(fs);
    }
    if (files == NULL || fs == NULL) {
        files_put(files);
        fs_put(fs);
        return NULL;
    }
    struct task *task = task_create(process, files, fs);
    if (task == NULL) {
        return NULL;
    }
    task->blocked = self->blocked;
    if (!(clone->flags & CLONE_VM) || (clone->flags & CLONE_VFORK)) {
        task->altstack = self->altstack;
    }
    task->clear_tid = clone->flags & CLONE_CHILD_CLEARTID ? (u32 __user *)clone->child_tid : NULL;
    task->vfork_parent = clone->flags & CLONE_VFORK ? self : NULL;
    return task;
}

/* The thread of a new task, suspended. *thread: referenced. On failure the task is given back. */
static long thread_fork(struct task *task, const struct clone *clone, PETHREAD *thread)
{
    KTRAP_FRAME regs;
    PS_SUBSYSTEM_THREAD_ATTRIBUTES attributes = {
        .Context = task,
        .Registers = &regs,
        .UserFsBase =
            clone->flags & CLONE_SETTLS ? clone->tls : kernel.GetDescriptorBase(PS_BASE_FS),
        .UserGsBase = kernel.GetDescriptorBase(PS_BASE_GS),
        .CopyFpuState = TRUE,
    };

    kernel.GetRegisters(current_task()->thread, &regs);
    regs.Rax = 0;
    if (clone->stack != 0) {
        regs.Rsp = clone->stack;
    }
    NTSTATUS status = kernel.CreateThread(task->process->object, &attributes, thread);
    if (!NT_SUCCESS(status)) {
        task_put(task); /* there will be no ThreadExit */
        return status == STATUS_PROCESS_IS_TERMINATING ? -EAGAIN : error_of(status);
    }
    return 0;
}

/* The words that both sides want to find their ids in. Who gives bad addresses finds nothing. */
static void put_ids(const struct clone *clone, PEPROCESS child, s32 tid)
{
    if (clone->flags & CLONE_PARENT_SETTID) {
        copy_to_user(clone->parent_tid, &tid, sizeof(tid));
    }
    if (clone->flags & CLONE_CHILD_SETTID) {
        kernel.WriteMemory(child, (ULONG_PTR)clone->child_tid, &tid, sizeof(tid), FALSE);
    }
}

/* ---- New processes ---- */

static long create_object(struct process *child, u64 flags)
{
    PS_SUBSYSTEM_PROCESS_ATTRIBUTES attributes = {
        .Kind = flags & CLONE_VM ? PS_PROCESS_SHARE : PS_PROCESS_CLONE,
        .Context = child,
        .FileObject = child->names->file,
        .ImageFileName = &child->names->image,
        .CommandLine = &child->names->command,
    };
    NTSTATUS status = kernel.CreateProcess(provider, &attributes, &child->object);
    if (!NT_SUCCESS(status)) {
        return error_of(status);
    }
    child->pid = HandleToLong(PsGetProcessId(child->object));
    return 0;
}

/* From here until it is published, or has failed, signals that are sent to many processes are noted for the
   child, which nobody finds yet. */
static void fork_begin(struct process *parent)
{
    mutex_lock(&tasklist_lock);
    if (parent->forks++ == 0) {
        parent->missed = 0;
    }
    mutex_unlock(&tasklist_lock);
}

static void fork_failed(struct process *parent)
{
    mutex_lock(&tasklist_lock);
    parent->forks--;
    mutex_unlock(&tasklist_lock);
}

/* tasklist_lock is held. */
static void send_missed(struct process *child, sigset_t missed)
{
    for (int sig = 1; missed != 0; sig++) {
        const siginfo_t info = {.si_signo = sig, .si_code = SI_KERNEL};
        if (missed & sigmask(sig)) {
            missed &= ~sigmask(sig);
            send_signal_locked(child, NULL, &info);
        }
    }
}

/* The parent, which is not gone yet, and nobody can find the child without it. */
static void publish_child(struct process *child, const struct clone *clone, struct task *task,
                          PETHREAD thread)
{
    struct process *self = current_process();

    mutex_lock(&tasklist_lock);
    if (clone->flags & CLONE_PARENT) { /* a sibling, which tells its end as the caller does */
        child->parent = self->parent;
        child->ppid = self->ppid;
        child->exit_signal = self->exit_signal;
    } else {
        child->parent = self;
        child->ppid = self->pid;
        child->exit_signal = clone->exit_signal;
        child->parent_tid = current_task()->tid;
    }
    process_publish(child, task, thread);
    self->forks--;
    if (!child->exited) {
        send_missed(child, self->missed);
    }
    mutex_unlock(&tasklist_lock);
}

/* The process object is there: failures end it, and its end gives back the context. */
static long run_process(struct process *child, const struct clone *clone)
{
    PETHREAD thread;
    struct task *task = task_fork(child, clone);
    if (task == NULL) {
        return -ENOMEM;
    }
    InterlockedIncrement(&task->refs);
    long error = thread_fork(task, clone, &thread);
    if (error == 0) {
        s32 pid = child->pid;
        put_ids(clone, child->object, pid);
        publish_child(child, clone, task, thread);
        kernel.ResumeThread(thread, NULL);
        if (clone->flags & CLONE_VFORK) {
            vfork_wait(current_task(), task);
        }
        error = pid;
    }
    task_put(task);
    return error;
}

static long clone_process(const struct clone *clone)
{
    struct process *child = process_fork(clone->flags);
    if (child == NULL) {
        return -ENOMEM;
    }
    InterlockedIncrement(&child->refs); /* goes with the process's end, which may come at once */
    long error = create_object(child, clone->flags);
    if (error < 0) {
        process_put(child); /* there will be no end */
    } else {
        error = run_process(child, clone);
        if (error < 0) {
            kernel.TerminateProcess(child->object, STATUS_NO_MEMORY);
        }
    }
    process_put(child);
    return error;
}

/* ---- New threads ---- */

static long clone_thread(const struct clone *clone)
{
    struct process *process = current_process();
    PETHREAD thread;
    struct task *task = task_fork(process, clone);
    if (task == NULL) {
        return -ENOMEM;
    }
    task->tid = 0; /* until it is known; the process's own is the first task's */
    InterlockedIncrement(&task->refs);
    long error = thread_fork(task, clone, &thread);
    if (error == 0) {
        s32 tid = task->tid = HandleToLong(PsGetThreadId(thread));
        put_ids(clone, process->object, tid);
        mutex_lock(&tasklist_lock);
        task_publish(task, thread);
        mutex_unlock(&tasklist_lock);
        kernel.ResumeThread(thread, NULL);
        if (clone->flags & CLONE_VFORK) {
            vfork_wait(current_task(), task);
        }
        error = tid;
    }
    task_put(task);
    return error;
}

/* ---- The calls ---- */

/* Namespaces, descriptors of processes and control groups are not there: kernels may be built without. */
static long check_flags(u64 flags)
{
    if (flags & (NAMESPACES | CLONE_PIDFD | CLONE_INTO_CGROUP)) {
        return -EINVAL;
    }
    if (((flags & CLONE_THREAD) && !(flags & CLONE_SIGHAND)) ||
        ((flags & CLONE_SIGHAND) && !(flags & CLONE_VM)) ||
        ((flags & CLONE_SIGHAND) && (flags & CLONE_CLEAR_SIGHAND))) {
        return -EINVAL;
    }
    return 0;
}

/* Tasks of the user's, whom root's capabilities would free from the limit. */
static long check_limit(void)
{
    const struct process *self = current_process();
    const u64 free = 1UL << CAP_SYS_ADMIN | 1UL << CAP_SYS_RESOURCE;
    u64 count = 0;

    if (self->creds.uid[REAL] == 0 || (self->creds.effective & free) != 0) {
        return 0;
    }
    mutex_lock(&tasklist_lock);
    for (PLIST_ENTRY at = processes.Flink; at != &processes; at = at->Flink) {
        const struct process *process = CONTAINING_RECORD(at, struct process, links);
        count += process->creds.uid[REAL] == self->creds.uid[REAL] ? process->live : 0;
    }
    u64 limit = self->rlimits[RLIMIT_NPROC].rlim_cur;
    mutex_unlock(&tasklist_lock);
    return count >= limit ? -EAGAIN : 0;
}

static long do_clone(const struct clone *clone)
{
    long error = check_flags(clone->flags);
    if (error == 0) {
        error = check_limit();
    }
    if (error == 0 && (clone->flags & CLONE_SETTLS) && clone->tls >= TASK_SIZE) {
        error = -EPERM;
    }
    if (error < 0) {
        return error;
    }
    if (clone->flags & CLONE_THREAD) {
        return clone_thread(clone);
    }
    fork_begin(current_process());
    error = clone_process(clone);
    if (error < 0) {
        fork_failed(current_process());
    }
    return error;
}

long sys_fork(void)
{
    const struct clone clone = {.exit_signal = SIGCHLD};
    return do_clone(&clone);
}

long sys_vfork(void)
{
    const struct clone clone = {.flags = CLONE_VFORK | CLONE_VM, .exit_signal = SIGCHLD};
    return do_clone(&clone);
}

long sys_clone(u64 flags, u64 stack, s32 __user *parent_tid, s32 __user *child_tid, u64 tls)
{
    const struct clone clone = {
        .flags = flags & 0xffffffffUL & ~(u64)CSIGNAL,
        .exit_signal = (flags & CSIGNAL) <= _NSIG ? flags & CSIGNAL : 0,
        .stack = stack,
        .tls = tls,
        .parent_tid = parent_tid,
        .child_tid = child_tid,
    };
    return do_clone(&clone);
}

/* What is behind the fields that are known must be zero: a later caller may not want anything of it. */
static long get_clone_args(struct clone_args *args, const struct clone_args __user *from, size_t size)
{
    u8 rest;

    if (size > PAGE_SIZE) {
        return -E2BIG;
    }
    if (size < CLONE_ARGS_SIZE_VER0) {
        return -EINVAL;
    }
    for (size_t at = sizeof(*args); at < size; at++) {
        if (copy_from_user(&rest, (const u8 __user *)from + at, 1) < 0) {
            return -EFAULT;
        }
        if (rest != 0) {
            return -E2BIG;
        }
    }
    memset(args, 0, sizeof(*args));
    return copy_from_user(args, from, min(size, sizeof(*args)));
}

static long check_clone_args(const struct clone_args *args)
{
    const u64 known = (0xffffffffUL & ~(u64)(CSIGNAL | CLONE_DETACHED)) | CLONE_NEWTIME |
                      CLONE_CLEAR_SIGHAND | CLONE_INTO_CGROUP;

    if ((args->flags & ~known) || args->exit_signal > _NSIG || (args->stack == 0) != (args->stack_size == 0) ||
        !access_ok((void __user *)args->stack, args->stack_size)) {
        return -EINVAL;
    }
    if ((args->flags & (CLONE_THREAD | CLONE_PARENT)) && args->exit_signal != 0) {
        return -EINVAL;
    }
    return args->set_tid != 0 || args->set_tid_size != 0 ? -EINVAL : 0; /* ids cannot be chosen */
}

long sys_clone3(const struct clone_args __user *from, size_t size)
{
    struct clone_args args;

    long error = get_clone_args(&args, from, size);
    if (error == 0) {
        error = check_clone_args(&args);
    }
    if (error < 0) {
        return error;
    }
    const struct clone clone = {
        .flags = args.flags,
        .exit_signal = args.exit_signal,
        .stack = args.stack + args.stack_size,
        .tls = args.tls,
        .parent_tid = (s32 __user *)args.parent_tid,
        .child_tid = (s32 __user *)args.child_tid,
    };
    return do_clone(&clone);
}
