/* SPDX-License-Identifier: MIT */
/*
 * The end of tasks and processes: by their own calls, and what the kernel tells when one is over. process.c
 * says who holds which reference.
 */
#include "linux.h"

long sys_exit_group(int code)
{
    kernel.TerminateProcess(current_process()->object, code & 0xff);
    return 0;
}

/* The process's exit code is its first task's, or the last one's if that was ended otherwise. */
long sys_exit(int code)
{
    struct task *task = current_task();
    struct process *process = task->process;

    mutex_lock(&tasklist_lock);
    bool last = --process->live == 0;
    if (task->tid == process->pid) {
        process->exit_code = code & 0xff;
    }
    mutex_unlock(&tasklist_lock);
    if (last) {
        return sys_exit_group(process->exit_code);
    }
    kernel.TerminateThread(task->thread, code & 0xff);
    return 0;
}

void linux_thread_exit(PETHREAD thread, PVOID context)
{
    struct task *task = context;
    u32 zero = 0;

    if (task->clear_tid != NULL) {
        copy_to_user(task->clear_tid, &zero, sizeof(zero)); /* waking who waits for it comes with futex */
    }
    mutex_lock(&tasklist_lock);
    task->exited = true;
    RemoveEntryList(&task->links); /* one that is not in the list yet is a list of its own */
    signals_task_exit(task);
    mutex_unlock(&tasklist_lock);
    task_put(task);
}

void linux_process_exit(PEPROCESS object, PVOID context)
{
    struct process *process = context;

    mutex_lock(&tasklist_lock);
    process->exited = true;
    RemoveEntryList(&process->links);
    mutex_unlock(&tasklist_lock);
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

/* There are no children yet. */
long sys_wait4(s32 pid, int __user *status, int options, struct rusage __user *usage)
{
    const u32 known = 0xe000000b; /* WNOHANG, WUNTRACED, WCONTINUED and __WNOTHREAD, __WALL, __WCLONE */
    return options & ~known ? -EINVAL : pid == (s32)0x80000000 ? -ESRCH : -ECHILD;
}
