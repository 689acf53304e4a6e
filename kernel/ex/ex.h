/* SPDX-License-Identifier: MIT */
/*
 * ex for the rest of the kernel: the arguments of system services, work queues, kernel options. What stands
 * above ex calls it: the services themselves are in kernel/services.
 */
#ifndef PRIMER_EX_H
#define PRIMER_EX_H

#include "kernel/ke/ke.h"

/* ---- Arguments of system services ---- */

/* Returns the mode that was. UserMode is set between the entry of a system call and its return; Zw routines
   and whoever calls a module's code set KernelMode, and put back what was. */
static inline KPROCESSOR_MODE ExSetPreviousMode(KPROCESSOR_MODE Mode)
{
    PKTHREAD Thread = ArchCurrentThread();
    KPROCESSOR_MODE Old = (KPROCESSOR_MODE)Thread->PreviousMode;
    Thread->PreviousMode = (UCHAR)Mode;
    return Old;
}

/* Copies that follow the caller's mode: plain ones for kernel callers, probing ones for user callers. */
NTSTATUS ExCopyIn(void *Destination, const void *Source, SIZE_T Size, KPROCESSOR_MODE Mode);
NTSTATUS ExCopyOut(void *Destination, const void *Source, SIZE_T Size, KPROCESSOR_MODE Mode);
/* A UNICODE_STRING argument: *String gets a NUL-terminated copy in pool, given back with ExFreeUnicodeString
   (or ExFreePool, unless it is NULL). NULL Source or empty string: an empty string with NULL buffer. Longer
   than MaximumBytes: STATUS_NAME_TOO_LONG; an odd length: STATUS_OBJECT_NAME_INVALID;
   STATUS_ACCESS_VIOLATION, STATUS_INSUFFICIENT_RESOURCES. */
NTSTATUS ExCaptureUnicodeString(PUNICODE_STRING String, PCUNICODE_STRING Source, SIZE_T MaximumBytes,
                                KPROCESSOR_MODE Mode);
void ExFreeUnicodeString(PUNICODE_STRING String);
/* A copy of an OBJECT_ATTRIBUTES argument, its name included (at most 1024 bytes); from user mode no
   OBJ_KERNEL_HANDLE. NULL Source: all empty. STATUS_INVALID_PARAMETER, or as ExCaptureUnicodeString. */
typedef struct _EX_OBJECT_ATTRIBUTES {
    ULONG Attributes; /* OBJ_* */
    HANDLE RootDirectory;
    UNICODE_STRING Name; /* captured: ExFreeUnicodeString */
} EX_OBJECT_ATTRIBUTES;
NTSTATUS ExCaptureObjectAttributes(EX_OBJECT_ATTRIBUTES *Captured, POBJECT_ATTRIBUTES Source,
                                   KPROCESSOR_MODE Mode);
/* The same for an object that cannot be named: only its attributes. A name is STATUS_INVALID_PARAMETER. */
NTSTATUS ExCaptureHandleAttributes(const OBJECT_ATTRIBUTES *Source, KPROCESSOR_MODE Mode, PULONG Attributes);
/* A time-out argument: *Pointer is Captured, or NULL for none. */
NTSTATUS ExCaptureTimeout(PLARGE_INTEGER Captured, PLARGE_INTEGER *Pointer, PLARGE_INTEGER Source,
                          KPROCESSOR_MODE Mode);

/* ---- Work queues, worker threads ---- */
void ExInitializeWorkQueues(void);

/* A kernel module, as those know it who call routines in it. */
typedef struct _EX_MODULE {
    PVOID Base;
    SIZE_T Size;
    EX_RUNDOWN_REF Rundown; /* held by calls in progress into the module */
} EX_MODULE, *PEX_MODULE;

static inline bool ExIsInModule(const EX_MODULE *Module, const void *Address)
{
    return (ULONG_PTR)Address - (ULONG_PTR)Module->Base < Module->Size;
}

/* Something through which the system would still call a module that has run its DriverUnload. */
typedef struct _EX_LEFTOVER {
    char What[128];      /* "interrupt line 4" */
    const void *Routine; /* of the module; NULL: none is known */
} EX_LEFTOVER, *PEX_LEFTOVER;

/* ---- What ex calls above it: a constant of kernel/init/handlers.c ---- */

typedef struct _EX_HANDLERS {
    /* ps: a system thread that nobody has a handle of. PASSIVE. */
    NTSTATUS (*CreateSystemThread)(PKSTART_ROUTINE Routine, PVOID Context);
    /* ldr: the module whose text holds the routine, with its run-down acquired (ExReleaseRundownProtection);
       NULL: the kernel itself, or nobody, or its memory is about to go. <= DISPATCH. */
    PEX_MODULE (*ReferenceModule)(const void *Routine);
} EX_HANDLERS;

extern const EX_HANDLERS ExHandlers;

/* ---- Start-up ---- */

/* Kernel options, parsed from the command line once. */
void ExInitializeOptions(PBOOT_INFORMATION Boot);
ULONG64 ExOptionNumber(PCSTR Name, ULONG64 Default);
/* Logs each option that nobody knows (no '.', not in the list). */
void ExReportUnknownOptions(void);

#endif
