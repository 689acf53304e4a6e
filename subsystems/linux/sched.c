/* SPDX-License-Identifier: MIT */
/*
 * Scheduling: policies, priorities and processors of tasks, which are those of the kernel's threads
 * (process.c, sched_apply). What is set is kept in the task in Linux's words, under tasklist_lock.
 */
#include "linux.h"

#define SLICE_NS        30000000UL /* how long a thread runs before another of its priority does (architecture page) */

/* ---- Finding tasks ---- */

/* tasklist_lock is held; 0 is the current one. NULL: there is none. */
static struct task *task_of(s32 tid)
{
    return tid == 0 || tid == current_task()->tid ? current_task() : task_find(-1, tid);
}

/* ---- Policies ---- */

static bool is_policy(u32 policy)
{
    return policy == SCHED_OTHER || policy == SCHED_BATCH || policy == SCHED_IDLE || is_real_time(policy);
}

static bool is_valid(u32 policy, u32 priority)
{
    return is_policy(policy) && (is_real_time(policy) ? priority >= 1 && priority <= 99 : priority == 0);
}

/* What a user who is not root may not ask for. */
static bool may_set(const struct task *task, const struct sched *wanted)
{
    bool root = (current_process()->creds.effective >> CAP_SYS_NICE & 1) != 0;
    return root || (!is_real_time(wanted->policy) && wanted->nice >= task->sched.nice);
}

/* tasklist_lock is held. */
static long set_locked(struct task *task, const struct sched *wanted)
{
    if (task == NULL) {
        return -ESRCH;
    }
    if (!may_set(task, wanted)) {
        return -EPERM;
    }
    task->sched = *wanted;
    sched_apply(task);
    return 0;
}

static long set_policy(s32 tid, u32 policy, u32 priority, bool keep_policy)
{
    mutex_lock(&tasklist_lock);
    struct task *task = task_of(tid);
    struct sched wanted = task != NULL ? task->sched : (struct sched){0};
    if (!keep_policy) {
        wanted.reset_on_fork = (policy & SCHED_RESET_ON_FORK) != 0;
        wanted.policy = policy & ~SCHED_RESET_ON_FORK;
    }
    wanted.priority = priority;
    long error = task == NULL ? -ESRCH : !is_valid(wanted.policy, priority) ? -EINVAL : set_locked(task, &wanted);
    mutex_unlock(&tasklist_lock);
    return error;
}

static long get_priority_argument(s32 tid, const s32 __user *param, s32 *priority)
{
    if (tid < 0 || param == NULL) {
        return -EINVAL;
    }
    return copy_from_user(priority, param, sizeof(*priority));
}

long sys_sched_setscheduler(s32 pid, int policy, const s32 __user *param)
{
    s32 priority;
    long error = policy < 0 ? -EINVAL : get_priority_argument(pid, param, &priority);
    return error < 0 ? error : set_policy(pid, policy, priority, false);
}

long sys_sched_setparam(s32 pid, const s32 __user *param)
{
    s32 priority;
    long error = get_priority_argument(pid, param, &priority);
    return error < 0 ? error : set_policy(pid, 0, priority, true);
}

static long read_sched(s32 tid, struct sched *sched)
{
    if (tid < 0) {
        return -EINVAL;
    }
    mutex_lock(&tasklist_lock);
    const struct task *task = task_of(tid);
    if (task != NULL) {
        *sched = task->sched;
    }
    mutex_unlock(&tasklist_lock);
    return task != NULL ? 0 : -ESRCH;
}

long sys_sched_getscheduler(s32 pid)
{
    struct sched sched;
    long error = read_sched(pid, &sched);
    return error < 0 ? error : sched.policy | (sched.reset_on_fork ? SCHED_RESET_ON_FORK : 0);
}

long sys_sched_getparam(s32 pid, s32 __user *param)
{
    struct sched sched;
    long error = param == NULL ? -EINVAL : read_sched(pid, &sched);
    s32 priority = error < 0 ? 0 : sched.priority;
    return error < 0 ? error : copy_to_user(param, &priority, sizeof(priority));
}

long sys_sched_get_priority_max(int policy)
{
    return is_real_time(policy) ? 99 : is_policy(policy) || policy == SCHED_DEADLINE ? 0 : -EINVAL;
}

long sys_sched_get_priority_min(int policy)
{
    long max = sys_sched_get_priority_max(policy);
    return max > 0 ? 1 : max;
}

/* No end with SCHED_FIFO, as Linux says it: 0. */
long sys_sched_rr_get_interval(s32 pid, struct timespec __user *interval)
{
    struct sched sched;
    long error = read_sched(pid, &sched);
    struct timespec slice = {0, error == 0 && sched.policy != SCHED_FIFO ? SLICE_NS : 0};
    return error < 0 ? error : copy_to_user(interval, &slice, sizeof(slice));
}

#define SCHED_ATTR_SIZE 48 /* of the first version */
struct sched_attr {
    u32 size, sched_policy;
    u64 sched_flags;
    s32 sched_nice;
    u32 sched_priority;
    u64 sched_runtime, sched_deadline, sched_period;
};
C_ASSERT(sizeof(struct sched_attr) == SCHED_ATTR_SIZE);

/* A longer structure is one of a later version: what it has more must be zero. */
static long copy_attr(struct sched_attr *attr, const struct sched_attr __user *from)
{
    u32 size;
    u8 more;

    if (copy_from_user(&size, from, sizeof(size)) < 0) {
        return -EFAULT;
    }
    size = size == 0 ? SCHED_ATTR_SIZE : size;
    if (size < SCHED_ATTR_SIZE || size > PAGE_SIZE) {
        return -E2BIG;
    }
    for (u32 at = SCHED_ATTR_SIZE; at < size; at++) {
        if (copy_from_user(&more, (const u8 __user *)from + at, 1) < 0) {
            return -EFAULT;
        }
        if (more != 0) {
            return -E2BIG;
        }
    }
    return copy_from_user(attr, from, sizeof(*attr));
}

long sys_sched_setattr(s32 pid, const struct sched_attr __user *from, u32 flags)
{
    struct sched_attr attr;

    if (from == NULL || pid < 0 || flags != 0) {
        return -EINVAL;
    }
    long error = copy_attr(&attr, from);
    if (error < 0) {
        return error;
    }
    if ((attr.sched_flags & ~1UL) || !is_valid(attr.sched_policy, attr.sched_priority)) {
        return -EINVAL; /* SCHED_DEADLINE, too: there is none here */
    }
    mutex_lock(&tasklist_lock);
    struct task *task = task_of(pid);
    struct sched wanted = task != NULL ? task->sched : (struct sched){0};
    wanted.policy = attr.sched_policy;
    wanted.priority = attr.sched_priority;
    wanted.reset_on_fork = attr.sched_flags & 1;
    if (!is_real_time(attr.sched_policy)) {
        wanted.nice = attr.sched_nice < -20 ? -20 : attr.sched_nice > 19 ? 19 : attr.sched_nice;
    }
    error = set_locked(task, &wanted);
    mutex_unlock(&tasklist_lock);
    return error;
}

long sys_sched_getattr(s32 pid, struct sched_attr __user *to, u32 size, u32 flags)
{
    struct sched sched;

    if (to == NULL || pid < 0 || size < SCHED_ATTR_SIZE || size > PAGE_SIZE || flags != 0) {
        return -EINVAL;
    }
    long error = read_sched(pid, &sched);
    struct sched_attr attr = {.size = SCHED_ATTR_SIZE};
    if (error == 0) {
        attr.sched_policy = sched.policy;
        attr.sched_flags = sched.reset_on_fork;
        attr.sched_nice = sched.nice;
        attr.sched_priority = sched.priority;
        error = copy_to_user(to, &attr, sizeof(attr));
    }
    return error;
}

/* ---- Nice values ---- */

struct whom {
    int which;
    s32 who; /* a task, a group or a user */
};

/* Calls act for each task that is meant; tasklist_lock is held. How many there are. */
static u32 for_each_meant(const struct whom *whom, void (*act)(struct task *task, long *value), long *value)
{
    u32 count = 0;

    if (whom->which == PRIO_PROCESS) {
        struct task *task = task_of(whom->who);
        if (task != NULL) {
            act(task, value);
        }
        return task != NULL;
    }
    for (PLIST_ENTRY at = processes.Flink; at != &processes; at = at->Flink) {
        struct process *process = CONTAINING_RECORD(at, struct process, links);
        u32 id = whom->which == PRIO_PGRP ? (u32)process->pgid : process->creds.uid[REAL];
        for (PLIST_ENTRY t = process->tasks.Flink; id == (u32)whom->who && t != &process->tasks; t = t->Flink) {
            act(CONTAINING_RECORD(t, struct task, links), value);
            count++;
        }
    }
    return count;
}

static void find_lowest_nice(struct task *task, long *lowest)
{
    *lowest = task->sched.nice < *lowest ? task->sched.nice : *lowest;
}

static struct whom whom_of(int which, s32 who)
{
    const struct process *self = current_process();
    if (who == 0 && which != PRIO_PROCESS) {
        who = which == PRIO_PGRP ? self->pgid : (s32)self->creds.uid[REAL];
    }
    return (struct whom){which, who};
}

/* The highest priority of all that are meant, as 20 - nice. */
long sys_getpriority(int which, int who)
{
    long lowest = 20;

    if (which < 0 || which > PRIO_USER) {
        return -EINVAL;
    }
    struct whom whom = whom_of(which, who);
    mutex_lock(&tasklist_lock);
    u32 count = for_each_meant(&whom, find_lowest_nice, &lowest);
    mutex_unlock(&tasklist_lock);
    return count != 0 ? 20 - lowest : -ESRCH;
}

struct renice {
    long nice, error; /* nice first: for_each_meant hands on its address */
};

static void set_nice(struct task *task, long *value)
{
    struct renice *renice = (struct renice *)value;
    struct sched wanted = task->sched;

    wanted.nice = renice->nice;
    if (set_locked(task, &wanted) < 0) {
        renice->error = -EACCES;
    }
}

long sys_setpriority(int which, int who, int nice)
{
    struct renice renice = {.nice = nice < -20 ? -20 : nice > 19 ? 19 : nice};

    if (which < 0 || which > PRIO_USER) {
        return -EINVAL;
    }
    struct whom whom = whom_of(which, who);
    mutex_lock(&tasklist_lock);
    u32 count = for_each_meant(&whom, set_nice, &renice.nice);
    mutex_unlock(&tasklist_lock);
    return count == 0 ? -ESRCH : renice.error;
}

/* ---- Processors ---- */

long sys_sched_yield(void)
{
    kernel.YieldExecution();
    return 0;
}

long sys_getcpu(u32 __user *cpu, u32 __user *node, void __user *unused)
{
    u32 number = KeGetCurrentProcessorNumber();
    if (cpu != NULL && copy_to_user(cpu, &number, sizeof(number)) < 0) {
        return -EFAULT;
    }
    return node != NULL ? clear_user(node, sizeof(*node)) : 0;
}

static KAFFINITY active_processors(void)
{
    KAFFINITY active;
    KeQueryActiveProcessorCount(&active);
    return active;
}

long sys_sched_getaffinity(s32 pid, u32 size, u64 __user *mask)
{
    struct sched sched;
    u64 active = active_processors();

    if (size < sizeof(u64) || size % sizeof(u64) != 0) {
        return -EINVAL;
    }
    long error = pid < 0 ? -ESRCH : read_sched(pid, &sched);
    if (error < 0) {
        return error;
    }
    u64 allowed = sched.affinity != 0 ? sched.affinity & active : active;
    return copy_to_user(mask, &allowed, sizeof(allowed)) < 0 ? -EFAULT : (long)sizeof(allowed);
}

/* The task moves before the call is over: it has not to run on another processor any more. */
long sys_sched_setaffinity(s32 pid, u32 size, const u64 __user *mask)
{
    u64 wanted = 0;

    if (copy_from_user(&wanted, mask, min(size, sizeof(wanted))) < 0) {
        return -EFAULT;
    }
    wanted &= active_processors();
    mutex_lock(&tasklist_lock);
    struct task *task = pid < 0 ? NULL : task_of(pid);
    if (task != NULL && wanted != 0) {
        task->sched.affinity = wanted;
        sched_apply(task);
    }
    mutex_unlock(&tasklist_lock);
    return task == NULL ? -ESRCH : wanted == 0 ? -EINVAL : 0;
}

/* ---- Input and output have no priorities here: the default, and who asks for another is told that it is not
   there ---- */

long sys_ioprio_get(int which, int who)
{
    struct sched sched;
    long error = which < 1 || which > 3 ? -EINVAL : which == 1 ? read_sched(who, &sched) : 0;
    return error < 0 ? error : 0; /* IOPRIO_CLASS_NONE: as the nice value says */
}

/* ---- Barriers ---- */

#define MEMBARRIER_CMD_QUERY                      0
#define MEMBARRIER_CMD_GLOBAL                     1
#define MEMBARRIER_CMD_PRIVATE_EXPEDITED          8
#define MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED 16

static ULONG_PTR barrier(ULONG_PTR unused)
{
    MemoryBarrier();
    return 0;
}

/* A moment in which every processor has come past a barrier. */
long sys_membarrier(int command, u32 flags, int cpu)
{
    struct process *process = current_process();

    if (flags != 0) {
        return -EINVAL;
    }
    switch (command) {
    case MEMBARRIER_CMD_QUERY:
        return MEMBARRIER_CMD_GLOBAL | MEMBARRIER_CMD_PRIVATE_EXPEDITED | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED;
    case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED:
        process->uses_barriers = true;
        return 0;
    case MEMBARRIER_CMD_PRIVATE_EXPEDITED:
        if (!process->uses_barriers) {
            return -EPERM;
        }
        KeIpiGenericCall(barrier, 0);
        return 0;
    case MEMBARRIER_CMD_GLOBAL:
        KeIpiGenericCall(barrier, 0);
        return 0;
    default:
        return -EINVAL;
    }
}
