/* SPDX-License-Identifier: MIT */
/*
 * ldr for the rest of the kernel: kernel modules. (Program images: elfimage.h parses them, ps/ maps them.)
 */
#ifndef PRIMER_LDR_H
#define PRIMER_LDR_H

#include <ntddk.h>
#include "kernel/kd/kd.h"

/*
 * A module's state, changed under the loader's lock.
 *
 *   Starting   DriverEntry runs                               -> Loaded, or Unloading when it fails
 *   Loaded                                                    -> Unloading
 *   Unloading  DriverUnload runs; then its memory goes
 */
typedef enum _LDR_MODULE_STATE {
    LdrModuleStarting,
    LdrModuleLoaded,
    LdrModuleUnloading
} LDR_MODULE_STATE;

/* (c) constant   (l) the loader's lock; Links also the list's spin lock */
typedef struct _LDR_MODULE {
    LIST_ENTRY Links;            /* (l) in the order of loading */
    char Name[32];               /* (c) "watch" */
    PVOID Base;                  /* (c) */
    SIZE_T Size;                 /* (c) */
    ULONG64 TextStart, TextEnd;  /* (c) run addresses */
    EX_RUNDOWN_REF Rundown;      /* held by callbacks in progress into the module */
    PDRIVER_OBJECT DriverObject; /* (c) */
    KD_MODULE_SYMBOLS Symbols;   /* (c) */
    LDR_MODULE_STATE State;      /* (l) */
} LDR_MODULE, *PLDR_MODULE;

/* Name: "tiny", "tiny.sys" or "\Boot\modules\tiny.sys". PASSIVE. STATUS_OBJECT_NAME_NOT_FOUND,
   STATUS_IMAGE_ALREADY_LOADED, STATUS_INVALID_IMAGE_FORMAT, STATUS_ENTRYPOINT_NOT_FOUND (unresolved symbols:
   each is named in the log), STATUS_REVISION_MISMATCH, STATUS_INSUFFICIENT_RESOURCES, or what DriverEntry
   returned (the module is gone again then). DriverEntry runs on the caller's thread (NtLoadDriver brings a
   system thread), with previous mode KernelMode and no lock held. */
NTSTATUS LdrLoadModule(PCUNICODE_STRING Name);
/* Calls DriverUnload, waits for the run-down, frees. STATUS_OBJECT_NAME_NOT_FOUND;
   STATUS_INVALID_DEVICE_REQUEST without DriverUnload; STATUS_DEVICE_BUSY while it is starting or unloading.
   DriverUnload returns nothing: what it left registered is a bug check that names it
   (DRIVER_UNLOADED_WITHOUT_CANCELLING_PENDING_OPERATIONS). */
NTSTATUS LdrUnloadModule(PCUNICODE_STRING Name);
/* The module whose text contains Address, with its run-down acquired (release with
   ExReleaseRundownProtection(&Module->Rundown)); NULL: the kernel itself, or nobody, or its memory is about
   to go. <= DISPATCH. */
PLDR_MODULE LdrReferenceModuleByAddress(const void *Address);
/* ps sets this: does the module still have something registered? Called by unload after DriverUnload. Answers
   a word for it, or NULL. */
extern const char *(*LdrModuleInUse)(PLDR_MODULE Module);
/* ps sets this: tells the load-image callbacks, before DriverEntry. PASSIVE. */
extern void (*LdrImageNotifyHook)(PCUNICODE_STRING FullImageName, PVOID ImageBase, SIZE_T ImageSize);

void LdrInitialize(void);

#endif
