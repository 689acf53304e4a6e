/* SPDX-License-Identifier: MIT */
/*
 * The end of tasks and processes: by their own calls, and what the kernel tells when one is over. process.c
 * says who holds which reference.
 */
#include "linux.h"

#include <ntapi.h>

long sys_exit_group(int code)
{
    kernel.TerminateProcess(current_process()->object, code & 0xff);
    return 0;
}

/* The last task that calls it ends the process, whose exit code is the same. */
long sys_exit(int code)
{
    struct task *task = current_task();
    struct process *process = task->process;

    mutex_lock(&tasklist_lock);
    task->exiting = true;
    bool last = --process->live == 0;
    mutex_unlock(&tasklist_lock);
    if (last) {
        return sys_exit_group(code);
    }
    kernel.TerminateThread(task->thread, code & 0xff);
    return 0;
}

/* The kernel's status as wait4 tells it. What natives end a process with, and Linux has no word for, is
   SIGKILL. */
static s32 wait_status_of(NTSTATUS status)
{
    u32 sig = (u32)status ^ SUBSYSTEM_EXIT_SIGNAL;
    return (u32)status <= 0xff ? status << 8 : sig <= _NSIG ? (s32)sig : SIGKILL;
}

/* The task's children are told of its end if they have asked for that (prctl), and become another task's. */
static void leave_children(struct task *task)
{
    struct process *process = task->process;
    const struct task *other = IsListEmpty(&process->tasks)
                                   ? NULL
                                   : CONTAINING_RECORD(process->tasks.Flink, struct task, links);

    for (PLIST_ENTRY at = process->children.Flink; at != &process->children; at = at->Flink) {
        struct process *child = CONTAINING_RECORD(at, struct process, siblings);
        if (child->parent_tid != task->tid) {
            continue;
        }
        child->parent_tid = other != NULL ? other->tid : 0;
        if (child->death_signal != 0 && !child->zombie) {
            const siginfo_t info = {.si_signo = child->death_signal, .si_code = SI_USER, .si_pid = process->pid,
                                    .si_uid = process->creds.uid[REAL]};
            send_signal_locked(child, NULL, &info);
        }
    }
}

/* Off the lists, so that nobody finds the task any more. Answers whether it was the last one. */
static bool task_unlist(struct task *task)
{
    struct process *process = task->process;

    mutex_lock(&tasklist_lock);
    if (!task->exiting && !IsListEmpty(&task->links)) {
        process->live--;
    }
    task->exited = true;
    task_unlink(task);
    signals_task_exit(task);
    leave_children(task);
    bool last = IsListEmpty(&process->tasks);
    mutex_unlock(&tasklist_lock);
    return last;
}

void linux_thread_exit(PETHREAD thread, PVOID context)
{
    struct task *task = context;
    struct process *process = task->process;
    PS_MEMORY_STATISTICS memory;

    s32 status = wait_status_of(PsGetThreadExitStatus(thread));
    trace_end(task, status >> 8, status & 0x7f);
    bool last = task_unlist(task);
    /* Of a process that ends as a whole, or runs another program, some threads may still be at work for a
       moment: they must not see a word cleared (for musl a lock) that others of them have set. */
    memory_release(task, (task->exiting && !last) || process->mm->refs > 1);
    vfork_release(task);
    if (last) { /* while there is memory to be looked at */
        kernel.QueryMemory(process->object, &memory);
        process->maxrss = memory.ResidentBytes / 1024;
    }
    task_put(task);
}

/* All tasks are gone, and the memory, too. */
void linux_process_exit(PEPROCESS object, PVOID context)
{
    struct process *process = context;
    LIST_ENTRY gone;

    InitializeListHead(&gone);
    native_end(process);
    timers_delete(process, true);
    mutex_lock(&tasklist_lock);
    process->exited = true;
    process->wait_status = wait_status_of(PsGetProcessExitStatus(object));
    if (process->published) {
        groups_exit(process);
        process_ended(process, &gone);
    }
    mutex_unlock(&tasklist_lock);
    processes_put(&gone);
    terminal->disown(process->pid);
    process_put(process);
}

/* Somebody outside ends a process: ^C's status is the signal, anything else is for the kernel to do. */
NTSTATUS linux_terminate_process(PEPROCESS object, NTSTATUS status)
{
    struct process *process = kernel.GetProcessContext(object);
    siginfo_t info = {.si_signo = SIGINT, .si_code = SI_KERNEL};

    if (status != STATUS_CONTROL_C_EXIT || process == NULL) {
        return STATUS_NOT_SUPPORTED;
    }
    mutex_lock(&tasklist_lock);
    send_signal_locked(process, NULL, &info);
    mutex_unlock(&tasklist_lock);
    return STATUS_SUCCESS;
}
