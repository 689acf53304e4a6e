/* SPDX-License-Identifier: MIT */
/* What is asked of the system and of the program itself: names, ids, limits, random bytes, scheduling,
   prctl. */
#include "linux.h"

/* ---- Names and numbers of the machine ---- */

static const struct utsname names = {
    .sysname = "Linux",
    .nodename = "primer",
    .release = "4.4.0-primer",
    .version = "#1 SMP Primer",
    .machine = "x86_64",
    .domainname = "(none)",
};

long sys_uname(struct utsname __user *name)
{
    return copy_to_user(name, &names, sizeof(names));
}

static u16 count_processes(void)
{
    u16 count = 0;
    mutex_lock(&tasklist_lock);
    for (PLIST_ENTRY at = processes.Flink; at != &processes; at = at->Flink) {
        count++;
    }
    mutex_unlock(&tasklist_lock);
    return count;
}

long sys_sysinfo(struct sysinfo __user *to)
{
    PS_MEMORY_STATISTICS memory;
    kernel.QueryMemory(NULL, &memory);
    struct sysinfo info = {
        .uptime = monotonic_ns() / 1000000000UL,
        .totalram = memory.TotalBytes,
        .freeram = memory.FreeBytes,
        .procs = count_processes(),
        .mem_unit = 1,
    };
    return copy_to_user(to, &info, sizeof(info));
}

long sys_getrandom(void __user *buf, size_t count, u32 flags)
{
    struct iobuf to = user_buf(buf, min(count, MAX_RW_COUNT));

    if ((flags & ~(u32)(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE)) ||
        (flags & (GRND_RANDOM | GRND_INSECURE)) == (GRND_RANDOM | GRND_INSECURE)) {
        return -EINVAL;
    }
    return access_ok(buf, to.left) ? iobuf_random(&to) : -EFAULT;
}

/* ---- Ids: one user, root ---- */

long sys_getpid(void)
{
    return current_process()->pid;
}

long sys_gettid(void)
{
    return current_task()->tid;
}

long sys_getppid(void)
{
    return current_process()->ppid;
}

long sys_getuid(void)
{
    return 0;
}

long sys_geteuid(void)
{
    return 0;
}

long sys_getgid(void)
{
    return 0;
}

long sys_getegid(void)
{
    return 0;
}

/* Becoming somebody else cannot be done: there is nobody else, and -1 stands for "as it is". */
static long become(u32 a, u32 b, u32 c)
{
    bool same = (a + 1) <= 1 && (b + 1) <= 1 && (c + 1) <= 1;
    return same ? 0 : -EINVAL;
}

long sys_setuid(u32 uid)
{
    return uid == 0 ? 0 : -EINVAL;
}

long sys_setgid(u32 gid)
{
    return gid == 0 ? 0 : -EINVAL;
}

long sys_setreuid(u32 ruid, u32 euid)
{
    return become(ruid, euid, 0);
}

long sys_setregid(u32 rgid, u32 egid)
{
    return become(rgid, egid, 0);
}

long sys_setresuid(u32 ruid, u32 euid, u32 suid)
{
    return become(ruid, euid, suid);
}

long sys_setresgid(u32 rgid, u32 egid, u32 sgid)
{
    return become(rgid, egid, sgid);
}

long sys_setfsuid(u32 uid)
{
    return 0; /* answers the id before, whatever it does */
}

long sys_setfsgid(u32 gid)
{
    return 0;
}

static long put_ids(u32 __user *a, u32 __user *b, u32 __user *c)
{
    return clear_user(a, 4) < 0 || clear_user(b, 4) < 0 || clear_user(c, 4) < 0 ? -EFAULT : 0;
}

long sys_getresuid(u32 __user *ruid, u32 __user *euid, u32 __user *suid)
{
    return put_ids(ruid, euid, suid);
}

long sys_getresgid(u32 __user *rgid, u32 __user *egid, u32 __user *sgid)
{
    return put_ids(rgid, egid, sgid);
}

long sys_getgroups(int count, u32 __user *groups)
{
    if (count < 0) {
        return -EINVAL;
    }
    return count == 0 ? 1 : clear_user(groups, 4) < 0 ? -EFAULT : 1; /* root's group, 0 */
}

long sys_setgroups(u64 count, const u32 __user *groups)
{
    return count > 65536 ? -EINVAL : 0;
}

/* ---- Process groups and sessions ---- */

enum group_word {
    GROUP,
    SESSION
};

static long read_group(s32 pid, enum group_word word)
{
    struct process *process = process_get(pid != 0 ? pid : current_process()->pid);
    if (process == NULL) {
        return -ESRCH;
    }
    long result = word == GROUP ? process->pgid : process->sid;
    process_put(process);
    return result;
}

long sys_getpgid(s32 pid)
{
    return read_group(pid, GROUP);
}

long sys_getpgrp(void)
{
    return read_group(0, GROUP);
}

long sys_getsid(s32 pid)
{
    return read_group(pid, SESSION);
}

/* A session's leader stays where it is, and each program so far is one. */
long sys_setpgid(s32 pid, s32 pgid)
{
    struct process *self = current_process();

    if (pgid < 0 || (pgid == 0 && pid < 0)) {
        return -EINVAL;
    }
    if (pid != 0 && pid != self->pid) {
        return -ESRCH; /* only children could be meant */
    }
    mutex_lock(&tasklist_lock);
    long error = self->sid == self->pid ? -EPERM : 0;
    if (error == 0) {
        self->pgid = pgid != 0 ? pgid : self->pid;
    }
    mutex_unlock(&tasklist_lock);
    return error;
}

long sys_setsid(void)
{
    struct process *self = current_process();

    mutex_lock(&tasklist_lock);
    long result = self->pgid == self->pid ? -EPERM : self->pid;
    if (result > 0) {
        self->pgid = self->sid = self->pid;
    }
    mutex_unlock(&tasklist_lock);
    return result;
}

/* ---- Limits ---- */

static long change_limit(struct process *process, u32 resource, const struct rlimit *new, struct rlimit *old)
{
    if (resource >= RLIM_NLIMITS || (new != NULL &&new->rlim_cur > new->rlim_max)) {
        return -EINVAL;
    }
    if (resource == RLIMIT_NOFILE && new != NULL &&new->rlim_max > NR_OPEN) {
        return -EPERM;
    }
    mutex_lock(&tasklist_lock);
    *old = process->rlimits[resource];
    if (new != NULL) {
        process->rlimits[resource] = *new;
    }
    mutex_unlock(&tasklist_lock);
    return 0;
}

long sys_prlimit64(s32 pid, u32 resource, const struct rlimit __user *limit, struct rlimit __user *old)
{
    struct rlimit before, after;

    if (limit != NULL && copy_from_user(&after, limit, sizeof(after)) < 0) {
        return -EFAULT;
    }
    struct process *process = process_get(pid != 0 ? pid : current_process()->pid);
    if (process == NULL) {
        return -ESRCH;
    }
    long error = change_limit(process, resource, limit != NULL ? &after : NULL, &before);
    process_put(process);
    if (error < 0 || old == NULL) {
        return error;
    }
    return copy_to_user(old, &before, sizeof(before));
}

long sys_getrlimit(u32 resource, struct rlimit __user *limit)
{
    struct rlimit old;
    long error = change_limit(current_process(), resource, NULL, &old);
    return error < 0 ? error : copy_to_user(limit, &old, sizeof(old));
}

long sys_setrlimit(u32 resource, const struct rlimit __user *limit)
{
    return limit == NULL ? -EFAULT : sys_prlimit64(0, resource, limit, NULL);
}

/* ---- Threads' own matters ---- */

long sys_set_tid_address(u32 __user *tid)
{
    struct task *task = current_task();
    task->clear_tid = tid;
    return task->tid;
}

#define ROBUST_LIST_HEAD 24

long sys_set_robust_list(void __user *head, size_t size)
{
    if (size != ROBUST_LIST_HEAD) {
        return -EINVAL;
    }
    current_task()->robust_list = head;
    return 0;
}

long sys_get_robust_list(s32 pid, u64 __user *head, u64 __user *size)
{
    u64 values[] = {(u64)current_task()->robust_list, ROBUST_LIST_HEAD};
    if (pid != 0 && pid != current_task()->tid) {
        return -ESRCH;
    }
    return copy_to_user(size, &values[1], 8) < 0 ? -EFAULT : copy_to_user(head, &values[0], 8);
}

long sys_arch_prctl(int option, u64 address)
{
    u64 base;

    switch (option) {
    case ARCH_SET_FS:
    case ARCH_SET_GS:
        if (address >= TASK_SIZE) {
            return -EPERM;
        }
        return error_of(kernel.SetDescriptorBase(option == ARCH_SET_FS ? PS_BASE_FS : PS_BASE_GS, address));
    case ARCH_GET_FS:
    case ARCH_GET_GS:
        base = kernel.GetDescriptorBase(option == ARCH_GET_FS ? PS_BASE_FS : PS_BASE_GS);
        return copy_to_user((void __user *)address, &base, sizeof(base));
    default:
        return -EINVAL;
    }
}

static long set_name(const char __user *from)
{
    char name[TASK_COMM_LEN] = {0}; /* the last byte stays so */
    SIZE_T length;

    /* A longer name is cut, which the routine reports as an error of its own. */
    NTSTATUS status = kernel.CopyStringFromUser(name, from, sizeof(name) - 1, &length);
    if (status == STATUS_ACCESS_VIOLATION) {
        return -EFAULT;
    }
    memcpy(current_process()->comm, name, sizeof(name));
    return 0;
}

/* A switch that a program sets to 0 or 1. */
static long set_switch(bool *to, u64 value)
{
    if (value > 1) {
        return -EINVAL;
    }
    *to = value != 0;
    return 0;
}

static long set_death_signal(struct process *process, u64 sig)
{
    if (sig > _NSIG) {
        return -EINVAL;
    }
    process->death_signal = sig;
    return 0;
}

static long get_death_signal(const struct process *process, s32 __user *to)
{
    s32 sig = process->death_signal;
    return copy_to_user(to, &sig, sizeof(sig));
}

/* Once set, it stays so. */
static long no_new_privileges(struct process *process, bool set, const u64 arguments[4])
{
    if (arguments[0] != set || arguments[1] != 0 || arguments[2] != 0 || arguments[3] != 0) {
        return -EINVAL;
    }
    process->no_new_privileges |= set;
    return set ? 0 : process->no_new_privileges;
}

long sys_prctl(int option, u64 a, u64 b, u64 c, u64 d)
{
    struct process *process = current_process();

    switch (option) {
    case PR_SET_NAME:
        return set_name((const char __user *)a);
    case PR_GET_NAME:
        return copy_to_user((void __user *)a, process->comm, TASK_COMM_LEN);
    case PR_CAPBSET_READ:
        return a <= CAP_LAST_CAP ? 1 : -EINVAL;
    case PR_GET_DUMPABLE:
        return !process->undumpable;
    case PR_SET_DUMPABLE:
        return set_switch(&process->undumpable, a ^ 1);
    case PR_SET_PDEATHSIG:
        return set_death_signal(process, a);
    case PR_GET_PDEATHSIG:
        return get_death_signal(process, (s32 __user *)a);
    case PR_GET_KEEPCAPS:
        return process->keeps_capabilities;
    case PR_SET_KEEPCAPS:
        return set_switch(&process->keeps_capabilities, a);
    case PR_SET_NO_NEW_PRIVS:
    case PR_GET_NO_NEW_PRIVS:
        return no_new_privileges(process, option == PR_SET_NO_NEW_PRIVS, (const u64[]){a, b, c, d});
    default:
        return -EINVAL;
    }
}

long sys_personality(u64 personality)
{
    return 0; /* that of Linux, before and after */
}

/* ---- Scheduling ---- */

long sys_sched_yield(void)
{
    LARGE_INTEGER now = {.QuadPart = 0};
    KeDelayExecutionThread(KernelMode, FALSE, &now);
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

static bool is_somebody(s32 pid)
{
    struct process *process = process_get(pid != 0 ? pid : current_process()->pid);
    bool found = process != NULL || pid == current_task()->tid;
    if (process != NULL) {
        process_put(process);
    }
    return found;
}

long sys_sched_getaffinity(s32 pid, u32 size, u64 __user *mask)
{
    KAFFINITY active;
    KeQueryActiveProcessorCount(&active);
    if (size < sizeof(u64) || size % sizeof(u64) != 0) {
        return -EINVAL;
    }
    if (pid < 0 || !is_somebody(pid)) {
        return -ESRCH;
    }
    return copy_to_user(mask, &active, sizeof(active)) < 0 ? -EFAULT : (long)sizeof(active);
}

/* Checked, but not obeyed: the contract does not pin threads yet. */
long sys_sched_setaffinity(s32 pid, u32 size, const u64 __user *mask)
{
    KAFFINITY active;
    u64 wanted = 0;
    KeQueryActiveProcessorCount(&active);
    if (copy_from_user(&wanted, mask, min(size, sizeof(wanted))) < 0) {
        return -EFAULT;
    }
    if (pid < 0 || !is_somebody(pid)) {
        return -ESRCH;
    }
    return (wanted & active) == 0 ? -EINVAL : 0;
}

long sys_sched_getscheduler(s32 pid)
{
    return pid < 0 ? -EINVAL : is_somebody(pid) ? SCHED_OTHER : -ESRCH;
}

long sys_sched_getparam(s32 pid, s32 __user *param)
{
    return pid < 0 || param == NULL ? -EINVAL : is_somebody(pid) ? clear_user(param, sizeof(*param)) : -ESRCH;
}

long sys_sched_get_priority_max(int policy)
{
    switch (policy) {
    case SCHED_FIFO:
    case SCHED_RR:
        return 99;
    case SCHED_OTHER:
    case SCHED_BATCH:
    case SCHED_IDLE:
    case SCHED_DEADLINE:
        return 0;
    default:
        return -EINVAL;
    }
}

long sys_sched_get_priority_min(int policy)
{
    long max = sys_sched_get_priority_max(policy);
    return max > 0 ? 1 : max;
}

long sys_getpriority(int which, int who)
{
    if (which < 0 || which > 2) {
        return -EINVAL;
    }
    return which == 0 && !is_somebody(who) ? -ESRCH : 20; /* 20 - nice */
}

/* ---- Sockets: there are none ---- */

long sys_socket(int family, int type, int protocol)
{
    return -EAFNOSUPPORT;
}

long sys_socketpair(int family, int type, int protocol, int __user *pair)
{
    return -EAFNOSUPPORT;
}

static long no_socket(int fd)
{
    struct file *file = fd_get_io(fd);
    file_put(file);
    return file == NULL ? -EBADF : -ENOTSOCK;
}

long sys_connect(int fd, const void __user *address, u32 size)
{
    return no_socket(fd);
}

#define NO_SOCKET(name)                                                                                      \
    long sys_##name(int fd)                                                                                  \
    {                                                                                                        \
        return no_socket(fd);                                                                                \
    }
NO_SOCKET(accept)
NO_SOCKET(sendto)
NO_SOCKET(recvfrom)
NO_SOCKET(sendmsg)
NO_SOCKET(recvmsg)
NO_SOCKET(shutdown)
NO_SOCKET(bind)
NO_SOCKET(listen)
NO_SOCKET(getsockname)
NO_SOCKET(getpeername)
NO_SOCKET(setsockopt)
NO_SOCKET(getsockopt)
