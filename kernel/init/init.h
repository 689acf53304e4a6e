/* SPDX-License-Identifier: MIT */
/* What only start-up calls and no component's own header offers. */
#ifndef PRIMER_INIT_H
#define PRIMER_INIT_H

#include <ntddk.h>
#include "arch/arch.h"

void ExpInitializePushLocks(void);  /* sync */
void KeStartClock(void);            /* ke: this processor's timer; DISPATCH */
NORETURN void InitSystemStartup(PBOOT_INFORMATION Boot); /* ArchHandlers */
/* A system thread that nobody has a handle of. PASSIVE. */
NTSTATUS InitCreateSystemThread(PKSTART_ROUTINE Routine, PVOID Context);
/* Bug check: an entry of a table in handlers.c is missing. */
void InitCheckHandlers(void);
/* Starts native/init from the boot archives. *Process: referenced. PASSIVE. */
NTSTATUS InitCreateInitialProcess(const char *CommandLine, PEPROCESS *Process);

#endif
