/* SPDX-License-Identifier: MIT */
/* The machine's names, which uname tells and sethostname changes. */
#include "linux.h"

static struct {
    struct mutex lock;
    struct utsname names; /* (lock) of the names that can be changed */
} machine = {
    .names =
        {
            .sysname = "Linux",
            .nodename = "primer",
            .release = "6.1.0-primer",
            .version = "#1 SMP Primer",
            .machine = "x86_64",
            .domainname = "(none)",
        },
};

void machine_names(struct utsname *names)
{
    mutex_lock(&machine.lock);
    *names = machine.names;
    mutex_unlock(&machine.lock);
}

void machine_set_name(bool domain, const char *name, size_t length)
{
    char *to = domain ? machine.names.domainname : machine.names.nodename;

    mutex_lock(&machine.lock);
    memset(to, 0, sizeof(machine.names.nodename));
    memcpy(to, name, length);
    mutex_unlock(&machine.lock);
}
