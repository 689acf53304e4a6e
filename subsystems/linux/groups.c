/* SPDX-License-Identifier: MIT */
/*
 * Process groups and sessions: who may move whom, and groups that become orphaned.
 *
 * A group is orphaned when no member has a parent in another group of the same session: nobody could continue
 * it, so that keys do not stop it. If it is stopped already when it becomes so, it is told by SIGHUP and
 * SIGCONT.
 */
#include "linux.h"

static bool has_guardian(const struct process *member, const struct process *gone)
{
    const struct process *parent = member->parent;
    return !member->zombie && parent != NULL && parent != gone && parent->sid == member->sid &&
           parent->pgid != member->pgid;
}

/* gone: a process that counts no more, or NULL. */
static bool is_orphaned(s32 pgid, const struct process *gone)
{
    for (PLIST_ENTRY at = processes.Flink; at != &processes; at = at->Flink) {
        const struct process *member = CONTAINING_RECORD(at, struct process, links);
        if (member != gone && member->pgid == pgid && has_guardian(member, gone)) {
            return false;
        }
    }
    return true;
}

bool is_orphaned_group(s32 pgid)
{
    return is_orphaned(pgid, NULL);
}

static bool has_stopped(s32 pgid)
{
    for (PLIST_ENTRY at = processes.Flink; at != &processes; at = at->Flink) {
        const struct process *process = CONTAINING_RECORD(at, struct process, links);
        if (process->pgid == pgid && process->stop_state != NOT_STOPPED) {
            return true;
        }
    }
    return false;
}

static void tell_orphans(s32 pgid, const struct process *gone)
{
    if (has_stopped(pgid) && is_orphaned(pgid, gone)) {
        signal_group_locked(pgid, &(siginfo_t){.si_signo = SIGHUP, .si_code = SI_KERNEL});
        signal_group_locked(pgid, &(siginfo_t){.si_signo = SIGCONT, .si_code = SI_KERNEL});
    }
}

void groups_exit(struct process *process)
{
    const struct process *parent = process->parent;

    if (parent != NULL && parent->sid == process->sid && parent->pgid != process->pgid) {
        tell_orphans(process->pgid, process); /* it was what kept its own group from being orphaned */
    }
    for (PLIST_ENTRY at = process->children.Flink; at != &process->children; at = at->Flink) {
        const struct process *child = CONTAINING_RECORD(at, struct process, siblings);
        if (child->sid == process->sid && child->pgid != process->pgid) {
            tell_orphans(child->pgid, process);
        }
    }
}

/* ---- Calls ---- */

/* A member of the group; sid 0: of any session. NULL: there is no such group. */
static struct process *group_member(s32 pgid, s32 sid)
{
    for (PLIST_ENTRY at = processes.Flink; at != &processes; at = at->Flink) {
        struct process *process = CONTAINING_RECORD(at, struct process, links);
        if (process->pgid == pgid && (sid == 0 || process->sid == sid)) {
            return process;
        }
    }
    return NULL;
}

/* The process itself, or a child that has not run another program yet. */
static long may_move(const struct process *self, const struct process *process)
{
    if (process == NULL || (process != self && process->parent != self)) {
        return -ESRCH;
    }
    if (process->sid != self->sid) {
        return -EPERM;
    }
    if (process != self && process->has_execed) {
        return -EACCES;
    }
    return process->sid == process->pid ? -EPERM : 0;
}

long sys_setpgid(s32 pid, s32 pgid)
{
    struct process *self = current_process();

    pid = pid != 0 ? pid : self->pid;
    pgid = pgid != 0 ? pgid : pid;
    if (pgid < 0) {
        return -EINVAL;
    }
    mutex_lock(&tasklist_lock);
    struct process *process = pid == self->pid ? self : process_find(pid);
    long error = may_move(self, process);
    const struct process *member = pgid == pid ? NULL : group_member(pgid, self->sid);
    if (error == 0 && pgid != pid && member == NULL) {
        error = -EPERM;
    }
    if (error == 0) {
        process_set_group(process, pgid, member != NULL ? member->group_object : process->object);
    }
    mutex_unlock(&tasklist_lock);
    return error;
}

long sys_setsid(void)
{
    struct process *self = current_process();
    long result = -EPERM;

    mutex_lock(&tasklist_lock);
    if (group_member(self->pid, 0) == NULL) {
        result = self->pid;
        process_set_group(self, self->pid, self->object);
        process_set_session(self, self->pid, self->object);
        self->no_tty = false;
    }
    mutex_unlock(&tasklist_lock);
    return result;
}
