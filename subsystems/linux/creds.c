/* SPDX-License-Identifier: MIT */
/*
 * Who a process is: user and group ids, groups, capabilities. All are kept as Linux keeps them, a process's
 * tasks having them together (the C libraries see to that on Linux, too), and are under tasklist_lock. What
 * they allow is root's to do: whoever has given root's id away may take an id that he still has, and no
 * other.
 */
#include "linux.h"

#define KEEP (~0U) /* an id that stays as it is */

static bool is_privileged(const struct creds *creds, u32 capability)
{
    return (creds->effective >> capability & 1) != 0;
}

/* Capabilities go with root's id, and come back as far as the process may have them. */
static void ids_changed(struct creds *creds, const struct creds *before, bool keeps)
{
    bool was = before->uid[REAL] == 0 || before->uid[EFFECTIVE] == 0 || before->uid[SAVED] == 0;
    bool is = creds->uid[REAL] == 0 || creds->uid[EFFECTIVE] == 0 || creds->uid[SAVED] == 0;

    if (was && !is && !keeps) {
        creds->permitted = creds->effective = 0;
    } else if (before->uid[EFFECTIVE] == 0 && creds->uid[EFFECTIVE] != 0) {
        creds->effective = 0;
    } else if (before->uid[EFFECTIVE] != 0 && creds->uid[EFFECTIVE] == 0) {
        creds->effective = creds->permitted;
    }
}

static bool has_id(const u32 ids[4], u32 id)
{
    return id == ids[REAL] || id == ids[EFFECTIVE] || id == ids[SAVED];
}

/* Real, effective and saved id; KEEP for what stays. The file system's follows the effective one. */
static void set_ids(u32 ids[4], u32 real, u32 effective, u32 saved)
{
    const u32 new[3] = {real, effective, saved};
    for (int i = 0; i < 3; i++) {
        ids[i] = new[i] != KEEP ? new[i] : ids[i];
    }
    ids[FILE_SYSTEM] = ids[EFFECTIVE];
}

/* A change of the user's ids (capability CAP_SETUID) or the group's. It works on a copy: all or nothing. */
struct change {
    struct creds creds;
    u32 *ids;
    u32 capability;
};

static void begin_change(struct change *change, u32 capability)
{
    mutex_lock(&tasklist_lock);
    change->creds = current_process()->creds;
    change->ids = capability == CAP_SETUID ? change->creds.uid : change->creds.gid;
    change->capability = capability;
}

static long end_change(struct change *change, long error)
{
    struct process *process = current_process();
    if (error == 0) {
        if (change->capability == CAP_SETUID) {
            ids_changed(&change->creds, &process->creds, process->keeps_capabilities);
        }
        process->creds = change->creds;
    }
    mutex_unlock(&tasklist_lock);
    return error;
}

static long set_id(u32 id, u32 capability)
{
    struct change change;

    if (id == KEEP) {
        return -EINVAL;
    }
    begin_change(&change, capability);
    if (is_privileged(&change.creds, capability)) {
        set_ids(change.ids, id, id, id);
        return end_change(&change, 0);
    }
    if (id != change.ids[REAL] && id != change.ids[SAVED]) {
        return end_change(&change, -EPERM);
    }
    set_ids(change.ids, KEEP, id, KEEP);
    return end_change(&change, 0);
}

static long set_two_ids(u32 real, u32 effective, u32 capability)
{
    struct change change;

    begin_change(&change, capability);
    const u32 *ids = change.ids;
    bool allowed = is_privileged(&change.creds, capability) ||
                   ((real == KEEP || real == ids[REAL] || real == ids[EFFECTIVE]) &&
                    (effective == KEEP || has_id(ids, effective)));
    if (!allowed) {
        return end_change(&change, -EPERM);
    }
    /* The saved id follows when the real one is set, or the effective one to another than the real. */
    bool saves = real != KEEP || (effective != KEEP && effective != ids[REAL]);
    set_ids(change.ids, real, effective, saves ? (effective != KEEP ? effective : ids[EFFECTIVE]) : KEEP);
    return end_change(&change, 0);
}

static long set_three_ids(u32 real, u32 effective, u32 saved, u32 capability)
{
    struct change change;

    begin_change(&change, capability);
    bool allowed = is_privileged(&change.creds, capability) ||
                   ((real == KEEP || has_id(change.ids, real)) && (effective == KEEP || has_id(change.ids, effective)) &&
                    (saved == KEEP || has_id(change.ids, saved)));
    if (!allowed) {
        return end_change(&change, -EPERM);
    }
    set_ids(change.ids, real, effective, saved);
    return end_change(&change, 0);
}

/* Answers the id before, also when nothing changes. */
static long set_file_system_id(u32 id, u32 capability)
{
    struct change change;

    begin_change(&change, capability);
    u32 before = change.ids[FILE_SYSTEM];
    if (id != KEEP && (is_privileged(&change.creds, capability) || has_id(change.ids, id) || id == before)) {
        change.ids[FILE_SYSTEM] = id;
    }
    end_change(&change, 0);
    return before;
}

long sys_setuid(u32 uid)
{
    return set_id(uid, CAP_SETUID);
}

long sys_setgid(u32 gid)
{
    return set_id(gid, CAP_SETGID);
}

long sys_setreuid(u32 ruid, u32 euid)
{
    return set_two_ids(ruid, euid, CAP_SETUID);
}

long sys_setregid(u32 rgid, u32 egid)
{
    return set_two_ids(rgid, egid, CAP_SETGID);
}

long sys_setresuid(u32 ruid, u32 euid, u32 suid)
{
    return set_three_ids(ruid, euid, suid, CAP_SETUID);
}

long sys_setresgid(u32 rgid, u32 egid, u32 sgid)
{
    return set_three_ids(rgid, egid, sgid, CAP_SETGID);
}

long sys_setfsuid(u32 uid)
{
    return set_file_system_id(uid, CAP_SETUID);
}

long sys_setfsgid(u32 gid)
{
    return set_file_system_id(gid, CAP_SETGID);
}

long sys_getuid(void)
{
    return current_process()->creds.uid[REAL];
}

long sys_geteuid(void)
{
    return current_process()->creds.uid[EFFECTIVE];
}

long sys_getgid(void)
{
    return current_process()->creds.gid[REAL];
}

long sys_getegid(void)
{
    return current_process()->creds.gid[EFFECTIVE];
}

static long put_ids(const u32 ids[4], u32 __user *real, u32 __user *effective, u32 __user *saved)
{
    return copy_to_user(real, &ids[REAL], 4) < 0 || copy_to_user(effective, &ids[EFFECTIVE], 4) < 0 ||
                   copy_to_user(saved, &ids[SAVED], 4) < 0
               ? -EFAULT
               : 0;
}

long sys_getresuid(u32 __user *ruid, u32 __user *euid, u32 __user *suid)
{
    return put_ids(current_process()->creds.uid, ruid, euid, suid);
}

long sys_getresgid(u32 __user *rgid, u32 __user *egid, u32 __user *sgid)
{
    return put_ids(current_process()->creds.gid, rgid, egid, sgid);
}

/* ---- Groups ---- */

long sys_getgroups(int count, u32 __user *groups)
{
    struct creds creds;

    mutex_lock(&tasklist_lock);
    creds = current_process()->creds;
    mutex_unlock(&tasklist_lock);
    if (count < 0 || (count != 0 && count < (int)creds.group_count)) {
        return -EINVAL;
    }
    if (count != 0 && copy_to_user(groups, creds.groups, creds.group_count * sizeof(u32)) < 0) {
        return -EFAULT;
    }
    return creds.group_count;
}

static void sort(u32 *numbers, u32 count)
{
    for (u32 i = 1; i < count; i++) {
        u32 number = numbers[i], at = i;
        for (; at > 0 && numbers[at - 1] > number; at--) {
            numbers[at] = numbers[at - 1];
        }
        numbers[at] = number;
    }
}

long sys_setgroups(u64 count, const u32 __user *groups)
{
    struct change change;
    u32 wanted[NGROUPS];

    begin_change(&change, CAP_SETGID);
    long error = !is_privileged(&change.creds, CAP_SETGID) ? -EPERM : 0;
    end_change(&change, -EPERM);
    if (error < 0 || (u32)count > NGROUPS_MAX) {
        return error < 0 ? error : -EINVAL;
    }
    if ((u32)count > NGROUPS) {
        return -ENOMEM;
    }
    if (copy_from_user(wanted, groups, (u32)count * sizeof(u32)) < 0) {
        return -EFAULT;
    }
    sort(wanted, count);
    begin_change(&change, CAP_SETGID);
    memcpy(change.creds.groups, wanted, (u32)count * sizeof(u32));
    change.creds.group_count = count;
    return end_change(&change, 0);
}

/* ---- Capabilities ---- */

struct cap_header {
    u32 version;
    s32 pid;
};

struct cap_data {
    u32 effective, permitted, inheritable;
};

/* How many 32-bit words this version of the interface has; -EINVAL after telling the version that is liked
   best. */
static long cap_words(struct cap_header __user *at, struct cap_header *header)
{
    const u32 best = 0x20080522;

    if (copy_from_user(header, at, sizeof(*header)) < 0) {
        return -EFAULT;
    }
    if (header->version == 0x19980330) {
        return 1;
    }
    if (header->version == 0x20071026 || header->version == best) {
        return 2;
    }
    return copy_to_user(&at->version, &best, sizeof(best)) < 0 ? -EFAULT : -EINVAL;
}

long sys_capget(void __user *header_at, void __user *data_at)
{
    struct cap_header header;
    struct cap_data data[2];

    long words = cap_words(header_at, &header);
    if (words < 0) {
        return words == -EINVAL && data_at == NULL ? 0 : words; /* only the version was asked for */
    }
    if (header.pid < 0) {
        return -EINVAL;
    }
    struct process *process = process_get(header.pid != 0 ? header.pid : current_process()->pid);
    if (process == NULL) {
        return -ESRCH;
    }
    mutex_lock(&tasklist_lock);
    const struct creds *creds = &process->creds;
    for (int i = 0; i < 2; i++) {
        data[i] = (struct cap_data){creds->effective >> 32 * i, creds->permitted >> 32 * i, creds->inheritable >> 32 * i};
    }
    mutex_unlock(&tasklist_lock);
    process_put(process);
    return copy_to_user(data_at, data, words * sizeof(*data));
}

/* A process may give its own away, and have only what it is permitted to have. */
long sys_capset(void __user *header_at, const void __user *data_at)
{
    struct cap_header header;
    struct cap_data data[2] = {0};
    struct change change;

    long words = cap_words(header_at, &header);
    if (words < 0) {
        return words;
    }
    if (header.pid != 0 && header.pid != current_process()->pid && header.pid != current_task()->tid) {
        return -EPERM;
    }
    if (copy_from_user(data, data_at, words * sizeof(*data)) < 0) {
        return -EFAULT;
    }
    begin_change(&change, CAP_SETGID);
    struct creds *creds = &change.creds;
    u64 effective = ((u64)data[1].effective << 32 | data[0].effective) & ALL_CAPABILITIES;
    u64 permitted = ((u64)data[1].permitted << 32 | data[0].permitted) & ALL_CAPABILITIES;
    u64 inheritable = ((u64)data[1].inheritable << 32 | data[0].inheritable) & ALL_CAPABILITIES;
    if ((permitted & ~creds->permitted) != 0 || (effective & ~permitted) != 0 ||
        (inheritable & ~(creds->inheritable | creds->permitted)) != 0) {
        return end_change(&change, -EPERM);
    }
    creds->effective = effective;
    creds->permitted = permitted;
    creds->inheritable = inheritable;
    return end_change(&change, 0);
}

/* ---- What others ask ---- */

/* Another program: its saved ids are its effective ones, and root has all again that it may have. */
void creds_exec(struct process *process)
{
    mutex_lock(&tasklist_lock);
    struct creds *creds = &process->creds;
    creds->uid[SAVED] = creds->uid[FILE_SYSTEM] = creds->uid[EFFECTIVE];
    creds->gid[SAVED] = creds->gid[FILE_SYSTEM] = creds->gid[EFFECTIVE];
    bool root = creds->uid[REAL] == 0 || creds->uid[EFFECTIVE] == 0;
    creds->permitted = root ? creds->inheritable | creds->bounding : 0;
    creds->effective = creds->uid[EFFECTIVE] == 0 ? creds->permitted : 0;
    process->keeps_capabilities = false;
    mutex_unlock(&tasklist_lock);
}

/* prctl's PR_CAPBSET_DROP. */
long creds_drop_bounding(u64 capability)
{
    if (capability > CAP_LAST_CAP) {
        return -EINVAL;
    }
    mutex_lock(&tasklist_lock);
    struct creds *creds = &current_process()->creds;
    long error = is_privileged(creds, CAP_SETPCAP) ? 0 : -EPERM;
    if (error == 0) {
        creds->bounding &= ~(1UL << capability);
    }
    mutex_unlock(&tasklist_lock);
    return error;
}
