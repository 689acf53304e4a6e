/* SPDX-License-Identifier: MIT */
/*
 * The system services: the routines that programs call, above everything that they call in turn. Each follows
 * one pattern: it captures its arguments (the caller's memory is read once, checked afterwards), references
 * the objects that the handles mean, acts, and returns answers and handles to the caller's memory.
 */
#ifndef PRIMER_SERVICES_H
#define PRIMER_SERVICES_H

#include "kernel/ex/ex.h"
#include "kernel/ob/ob.h"
#include "ps/ps.h"
#include <kdhooks.h>

/* Where a query's answer goes: the caller's arguments. (query.c) */
typedef struct _SVC_ANSWER {
    PVOID Information;
    ULONG Length;
    PULONG ReturnLength; /* may be NULL */
    KPROCESSOR_MODE Mode;
} SVC_ANSWER;

/* STATUS_DATATYPE_MISALIGNMENT: a program's pointers. */
NTSTATUS SvcCheckAnswer(const SVC_ANSWER *Answer);
NTSTATUS SvcReturnLength(const SVC_ANSWER *Answer, SIZE_T Size);
/* The size is wrong: the caller learns the right one. STATUS_INFO_LENGTH_MISMATCH, or
   STATUS_ACCESS_VIOLATION. */
NTSTATUS SvcWrongLength(const SVC_ANSWER *Answer, SIZE_T Size);
NTSTATUS SvcGiveAnswer(const SVC_ANSWER *Answer, const VOID *Data, SIZE_T Size);
/* Cycles in units of 100 ns. */
ULONG64 SvcCyclesToTime(ULONG64 Cycles);
ULONG SvcHandleCount(PEPROCESS Process);
/* A string that PsImageLock guards: a UNICODE_STRING in pool and behind it its text, as somebody sees it who
   reads it at Address (NULL: there). NULL: no memory. */
PUNICODE_STRING SvcPackString(PCUNICODE_STRING String, PVOID Address);
/* The part of an image's name behind the last separator. PsImageLock held. (psquery.c) */
UNICODE_STRING SvcBaseName(PCUNICODE_STRING Name);
/* The token of all processes. After ObInitialize. */
void SvcInitializeToken(void);
/* A thread's start as anybody may see it: NULL for an address of the kernel. */
PVOID SvcStartAddress(PETHREAD Thread);

/* What SYSCALL calls for a thread without provider (KE_HANDLERS.SystemService). */
void SvcDispatch(PKTRAP_FRAME Frame);
NORETURN void SvcBadReturn(PKTRAP_FRAME Frame) __attribute__((cold));
/* The services that open the object of a name, of this type. */
NTSTATUS SvcOpenByName(PHANDLE Handle, ACCESS_MASK Access, POBJECT_ATTRIBUTES ObjectAttributes, POBJECT_TYPE Type);
/* What the machine and ke call on behalf of user mode (arch.h, ke.h). */
NTSTATUS SvcPageFault(PKTRAP_FRAME Frame, uintptr_t Address, ULONG Access);
void SvcUserException(PEXCEPTION_RECORD Record, PKTRAP_FRAME Frame);
void SvcUserApc(PKTRAP_FRAME Frame, PKNORMAL_ROUTINE Routine, PVOID Context, PVOID Argument1, PVOID Argument2);
/* The current thread, in a service, goes on with what stands in its user frame, all registers included: a
   service that returned would put its status into one of them. Whatever is on the kernel stack is dropped. */
NORETURN void SvcEnterUserFrame(void);
/* A new object of a type that programs make and name: the services NtCreate*. Initialize NULL: nothing to
   do. */
NTSTATUS SvcCreateNamed(POBJECT_TYPE Type, POBJECT_ATTRIBUTES ObjectAttributes, ACCESS_MASK Access, PHANDLE Handle,
                        void (*Initialize)(PVOID Object, const VOID *Context), const VOID *Context);
/* The services that query an object's state: class 0, of exactly Size bytes, 24 at most, filled in zeroed
   memory. */
typedef struct _SVC_STATE_QUERY {
    ULONG Class;
    PVOID Information;
    ULONG Length;
    PULONG ReturnLength;
} SVC_STATE_QUERY;
NTSTATUS SvcQueryState(HANDLE Handle, ACCESS_MASK Access, POBJECT_TYPE Type, const SVC_STATE_QUERY *Query,
                       void (*Fill)(PVOID Data, PVOID Object), ULONG Size);
/* The object to be waited for, referenced, and the captured time-out. */
NTSTATUS SvcBeginWait(HANDLE Handle, PVOID *Object, PLARGE_INTEGER Captured, PLARGE_INTEGER *Timeout);
/* A wait for what ObWaitObject has given, on behalf of the caller; what it raises (a mutant that was acquired
   too often) becomes its status. */
NTSTATUS SvcWait(ULONG Count, PVOID *Headers, WAIT_TYPE Type, BOOLEAN Alertable, PLARGE_INTEGER Timeout,
                 PKWAIT_BLOCK Blocks);
/* Types of objects. After ObInitialize. A type that cannot be made is a bug check. */
void SvcCreateType(const OB_TYPE_ROUTINES *Routines, POBJECT_TYPE *Type);
void SvcInitialize(void);
void SvcInitializeSync(void);
void SvcInitializeTimers(void);
void SvcInitializeSections(void);
/* Whose lines for the log may be messages. Set at start-up, compared only. */
extern PKPROCESS SvcInitialProcess;

/* What a debugger module asks (KD_SERVICES: kdhooks.h has the contracts). */
BOOLEAN SvcDebugProcessor(ULONG Processor, PKD_PROCESSOR Information);
VOID SvcDebugThread(PKTHREAD Thread, PKD_THREAD Information);
PKTHREAD SvcDebugNextThread(PULONG Id);
VOID SvcDebugSkipTime(ULONG64 Cycles);

#endif
