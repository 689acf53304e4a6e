/* SPDX-License-Identifier: MIT */
/*
 * The system services: the routines that programs call, above everything that they call in turn. Each follows one pattern:
 * it captures its arguments (the caller's memory is read once, checked afterwards), references the objects that the handles
 * mean, acts, and returns answers and handles to the caller's memory.
 */
#ifndef PRIMER_SERVICES_H
#define PRIMER_SERVICES_H

#include "kernel/ex/ex.h"
#include "kernel/ob/ob.h"

/* What SYSCALL calls for a thread without provider (KE_HANDLERS.SystemService). */
void SvcDispatch(PKTRAP_FRAME Frame);
/* The services that open the object of a name, of this type. */
NTSTATUS SvcOpenByName(PHANDLE Handle, ACCESS_MASK Access, POBJECT_ATTRIBUTES ObjectAttributes, POBJECT_TYPE Type);
/* What the machine and ke call on behalf of user mode (arch.h, ke.h). */
NTSTATUS SvcPageFault(PKTRAP_FRAME Frame, uintptr_t Address, ULONG Access);
void SvcUserException(PEXCEPTION_RECORD Record, PKTRAP_FRAME Frame);
void SvcUserApc(PKTRAP_FRAME Frame, PKNORMAL_ROUTINE Routine, PVOID Context, PVOID Argument1, PVOID Argument2);
/* The current thread, in a service, goes on with what stands in its user frame, all registers included: a service that
   returned would put its status into one of them. Whatever is on the kernel stack is dropped. */
NORETURN void SvcEnterUserFrame(void);
/* The event type. After ObInitialize. */
void SvcInitialize(void);
/* Whose lines for the log may be messages. Set at start-up, compared only. */
extern PKPROCESS SvcInitialProcess;

#endif
