/* SPDX-License-Identifier: MIT */
/* What the files of /proc share: proc.c has the tree, procinfo.c what is said of the machine, procpid.c of a
   process. */
#ifndef LINUX_PROC_H
#define LINUX_PROC_H

#include "linux.h"

#include <ntapi.h>

/* Of whom a file speaks: references of who looks. Both NULL for the machine's files. */
struct subject {
    struct process *process;
    struct task *task; /* the one that was named, or any of the process's; NULL: none is left */
    struct mm *mm;     /* the process's */
    bool by_task;      /* it was named (/proc/PID/task/TID) */
};

enum proc_folder {
    NO_FOLDER,
    FOLDER_FD,
    FOLDER_FDINFO,
    FOLDER_TASK
};

/* An entry. Texts are written when the file is opened; a write is one word or line, NUL-terminated. */
struct proc_entry {
    const char *name; /* of the machine's files: a path below /proc or /sys */
    u32 mode;
    void (*show)(struct text *text, const struct subject *subject);
    long (*write)(const struct subject *subject, char *word, size_t length);
    long (*follow)(const struct subject *subject, struct inode **out); /* links */
    long (*read)(const struct subject *subject, struct iobuf *to, u64 *pos); /* instead of show */
    enum proc_folder folder;
    bool of_process; /* not in the folders of its tasks */
};

extern const struct proc_entry process_entries[], machine_entries[], sys_entries[];
extern const size_t process_entry_count, machine_entry_count, sys_entry_count;

/* tasklist_lock is held. */
static inline struct inode *process_exe(const struct process *process)
{
    return process->names != NULL ? process->names->exe : NULL;
}

static inline bool process_has_ended(const struct process *process)
{
    return process->zombie || process->exited;
}

struct files *task_files(struct task *task); /* referenced; NULL: it has none any more */
struct fs *task_fs(struct task *task);

/* A picture of all processes and threads, as the kernel lists them; NULL when memory is out. For
   release(). */
SYSTEM_PROCESS_INFORMATION *proc_snapshot(void);
/* Of a process in it, or of id 0, whose threads are what idle processors run; NULL. */
const SYSTEM_PROCESS_INFORMATION *snapshot_find(const SYSTEM_PROCESS_INFORMATION *first, s32 pid);

#define TICKS(time) ((u64)(time) / 100000) /* 100 ns to clock ticks of a hundredth of a second */

#endif
