/* SPDX-License-Identifier: MIT */
/* What is asked of the system and of the program itself: names, ids, limits, random bytes, scheduling,
   prctl. */
#include "linux.h"

/* ---- Names and numbers of the machine ---- */

long sys_uname(struct utsname __user *name)
{
    struct utsname names;
    machine_names(&names);
    if ((current_process()->personality & PER_MASK) == PER_LINUX32) {
        memcpy(names.machine, "i686", sizeof("i686"));
    }
    return copy_to_user(name, &names, sizeof(names));
}

static long set_machine_name(bool domain, const char __user *from, int length)
{
    char name[sizeof(((struct utsname *)0)->nodename)];

    if (!(current_process()->creds.effective >> CAP_SYS_ADMIN & 1)) {
        return -EPERM;
    }
    if (length < 0 || length >= (int)sizeof(name)) {
        return -EINVAL;
    }
    if (copy_from_user(name, from, length) < 0) {
        return -EFAULT;
    }
    machine_set_name(domain, name, length);
    return 0;
}

long sys_sethostname(const char __user *name, int length)
{
    return set_machine_name(false, name, length);
}

long sys_setdomainname(const char __user *name, int length)
{
    return set_machine_name(true, name, length);
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

/* ---- Ids ---- */

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
    if (new != NULL && resource == RLIMIT_STACK) {
        mm_set_stack_limit(process->object, new->rlim_cur);
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

long sys_get_robust_list(s32 tid, u64 __user *head, u64 __user *size)
{
    u64 values[] = {0, ROBUST_LIST_HEAD};

    mutex_lock(&tasklist_lock);
    const struct task *task = tid == 0 ? current_task() : task_find(-1, tid);
    if (task != NULL) {
        values[0] = (u64)task->robust_list;
    }
    mutex_unlock(&tasklist_lock);
    if (task == NULL) {
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
    case ARCH_GET_CPUID:
        return 1; /* programs may use the instruction; ... */
    case ARCH_SET_CPUID:
        return -ENODEV; /* ... this processor cannot forbid it */
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
    task_set_name(current_task(), name, strlen(name));
    return 0;
}

static long get_name(char __user *to)
{
    char name[TASK_COMM_LEN];
    task_name(current_task(), name);
    return copy_to_user(to, name, sizeof(name));
}

/* How late a timer may be, at most; here none is late on purpose. 0: the default. */
#define DEFAULT_SLACK 50000UL

static long ambient(u64 operation, u64 capability, u64 c, u64 d)
{
    bool all = operation == PR_CAP_AMBIENT_CLEAR_ALL;
    if (c != 0 || d != 0 || (all && capability != 0) || capability > CAP_LAST_CAP || operation < 1 || operation > 4) {
        return -EINVAL;
    }
    /* There is no ambient set: nothing is in it, and nothing can be put there. */
    return operation == PR_CAP_AMBIENT_RAISE ? -EPERM : 0;
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

static long put_number(s32 __user *to, s32 number)
{
    return copy_to_user(to, &number, sizeof(number));
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
        return get_name((char __user *)a);
    case PR_CAPBSET_READ:
        return a <= CAP_LAST_CAP ? (long)(process->creds.bounding >> a & 1) : -EINVAL;
    case PR_CAPBSET_DROP:
        return creds_drop_bounding(a);
    case PR_CAP_AMBIENT:
        return ambient(a, b, c, d);
    case PR_GET_SECUREBITS:
    case PR_GET_SECCOMP:
        return 0;
    case PR_GET_TSC:
        return put_number((s32 __user *)a, PR_TSC_ENABLE);
    case PR_SET_TSC:
        return a == PR_TSC_ENABLE ? 0 : -EINVAL;
    case PR_GET_TIMERSLACK:
        return process->timer_slack != 0 ? process->timer_slack : DEFAULT_SLACK;
    case PR_SET_TIMERSLACK:
        process->timer_slack = a;
        return 0;
    case PR_GET_THP_DISABLE:
        return a | b | c | d ? -EINVAL : process->no_huge_pages;
    case PR_SET_THP_DISABLE:
        process->no_huge_pages = a != 0; /* as there are none */
        return b | c | d ? -EINVAL : 0;
    case PR_GET_DUMPABLE:
        return !process->undumpable;
    case PR_SET_DUMPABLE:
        return set_switch(&process->undumpable, a ^ 1);
    case PR_SET_PDEATHSIG:
        return set_death_signal(process, a);
    case PR_GET_PDEATHSIG:
        return put_number((s32 __user *)a, process->death_signal);
    case PR_SET_CHILD_SUBREAPER:
        process->subreaper = a != 0;
        return 0;
    case PR_GET_CHILD_SUBREAPER:
        return put_number((s32 __user *)a, process->subreaper);
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

/* That of Linux, or of a 32-bit one, which uname tells of; that addresses are not random is true here in any
   case, and so can be asked for. */
long sys_personality(u64 personality)
{
    struct process *process = current_process();
    u32 before = process->personality;

    if ((u32)personality == ~0U) {
        return before;
    }
    u32 kind = personality & ~ADDR_NO_RANDOMIZE;
    if (kind != PER_LINUX && kind != PER_LINUX32) {
        return -EINVAL;
    }
    process->personality = personality;
    return before;
}

/* ---- The clock's discipline ---- */

#define STA_UNSYNC 0x40
#define TIME_ERROR 5

struct timex {
    u32 modes, __pad0;
    s64 offset, freq, maxerror, esterror;
    s32 status, __pad1;
    s64 constant, precision, tolerance;
    struct timeval time;
    s64 tick, ppsfreq, jitter;
    s32 shift, __pad2;
    s64 stabil, jitcnt, calcnt, errcnt, stbcnt;
    s32 tai, __pad3[11];
};
C_ASSERT(sizeof(struct timex) == 208);

/* The clock runs by itself: it can be asked how, but not be steered. */
long sys_adjtimex(struct timex __user *to)
{
    struct timex timex;
    LARGE_INTEGER now;

    if (copy_from_user(&timex, to, sizeof(timex)) < 0) {
        return -EFAULT;
    }
    if (timex.modes != 0) {
        return -EPERM;
    }
    KeQuerySystemTime(&now);
    u64 since_1970 = now.QuadPart - 116444736000000000UL;
    timex = (struct timex){.maxerror = 16000000, .esterror = 16000000, .status = STA_UNSYNC, .constant = 2, .precision = 1};
    timex.tolerance = 32768000;
    timex.tick = 10000;
    timex.time = (struct timeval){since_1970 / 10000000, since_1970 / 10 % 1000000};
    return copy_to_user(to, &timex, sizeof(timex)) < 0 ? -EFAULT : TIME_ERROR;
}

long sys_clock_adjtime(int clock, struct timex __user *to)
{
    return clock == CLOCK_REALTIME ? sys_adjtimex(to) : clock >= 0 && clock <= CLOCK_TAI ? -EOPNOTSUPP : -EINVAL;
}

