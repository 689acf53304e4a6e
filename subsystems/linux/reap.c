/* SPDX-License-Identifier: MIT */
/* Parents and children: how a process's stop or continuation is told. */
#include "linux.h"

void child_changed(struct process *process, int code, int sig)
{
    struct process *parent = process_find(process->ppid);

    if (parent != NULL && !(parent->sighand->action[SIGCHLD - 1].sa_flags & SA_NOCLDSTOP)) {
        siginfo_t info = {.si_signo = SIGCHLD, .si_code = code, .si_pid = process->pid, .si_status = sig};
        send_signal_locked(parent, NULL, &info);
    }
}
