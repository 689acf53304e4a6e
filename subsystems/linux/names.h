/* SPDX-License-Identifier: MIT */
/* What the trace's files share: names of numbers (names.c), whose tables end with a row without a name, and
   decode.c. */
#ifndef LINUX_NAMES_H
#define LINUX_NAMES_H

#include "linux.h"

struct name {
    u64 value;
    const char *name;
};

extern const struct name access_names[], at_names[], advice_names[], arch_names[], clock_names[],
    clone_names[], descriptor_names[], epoll_names[], epoll_operation_names[], eventfd_names[], family_names[],
    fcntl_names[], futex_names[], itimer_names[], lock_type_names[], map_names[], membarrier_names[],
    memfd_names[], message_names[], mlockall_names[], mremap_names[], msync_names[], open_names[],
    option_names[], pipe_names[], poll_names[], policy_names[], prctl_names[], protection_names[],
    random_names[], rename_names[], resource_names[], rusage_names[], seek_names[], sigaction_names[],
    sigmask_names[], signal_code_names[], sigaltstack_names[], socket_names[], socket_option_names[],
    statx_names[], terminal_names[], timer_names[], wait_names[],
    idtype_names[], priority_which_names[];

/* ---- What is shown of a call (decode.c) ---- */

int decode_arguments(struct text *text, const char *spec, const u64 *values, int first, bool after, long result);
void show_flags(struct text *text, const struct name *names, u64 value, const char *none); /* none: for no flag */
void show_siginfo(struct text *text, const siginfo_t *info);
void show_signal(struct text *text, u32 sig);

/* ---- Names ---- */

const char *name_of(const struct name *names, u64 value); /* NULL: it has none */
const char *errno_name(long number);                      /* "ENOENT"; NULL */
const char *errno_text(long number);                      /* "No such file or directory"; NULL */
const char *signal_name(u32 sig);                         /* "SIGINT"; NULL for what is none, or real-time */

#endif
