/* SPDX-License-Identifier: MIT */
/*
 * Native processes made by a module: a driver, or a handler module that backs them with its own files.
 * Primer's own; the routine stands in the driver library.
 */
#ifndef PRIMER_NATIVEPROCESS_H
#define PRIMER_NATIVEPROCESS_H

#include <ntddk.h>

/* The caller's, which may go when PsCreateNativeProcess has returned. Handles are the caller's or kernel
   handles. */
typedef struct _PS_NATIVE_PROGRAM {
    PCUNICODE_STRING ImagePath;   /* "\Boot\native\tasks", or "tasks" */
    PCUNICODE_STRING CommandLine; /* for people and callbacks to read; NULL: ImagePath */
    ULONG ArgumentCount, ArgumentsSize;
    PSTR Arguments;               /* ArgumentCount strings, each with its NUL, one behind the other */
    ULONG EnvironmentSize;
    PSTR Environment;             /* likewise, an empty one at the end; NULL: none */
    HANDLE Standard[3];           /* input, output, error: the process gets one of its own to each, with the same rights, that its children inherit.
                                     NULL: none, and a program of libnt opens the console */
    HANDLE ParentProcess;         /* with PROCESS_CREATE_PROCESS; NULL: the current process */
    BOOLEAN InheritHandles;       /* the parent's that are to be inherited */
    BOOLEAN Suspended;            /* it runs after ZwResumeProcess */
} PS_NATIVE_PROGRAM, *PPS_NATIVE_PROGRAM;

/*
 * Makes a native process with one thread. *ProcessHandle: a kernel handle with all rights, for
 * ZwTerminateProcess, ZwSuspendProcess, ZwResumeProcess and the like; *Process: referenced, for waits (it is
 * signalled at its end) and PsGetProcessExitStatus. The caller gives both back. Files of a device are
 * synchronous ones (FILE_SYNCHRONOUS_IO_NONALERT): programs give no offset. The process has no working
 * directory: there is none. STATUS_OBJECT_NAME_NOT_FOUND, STATUS_INVALID_IMAGE_FORMAT and the others of
 * NtCreateUserProcess; STATUS_INVALID_HANDLE; STATUS_PROCESS_IS_TERMINATING: somebody has ended it already.
 * PASSIVE_LEVEL. (no WDK page)
 */
NTSTATUS PsCreateNativeProcess(_In_ const PS_NATIVE_PROGRAM *Program, _Out_ PHANDLE ProcessHandle, _Out_ PEPROCESS *Process);

#endif
