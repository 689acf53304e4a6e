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
    EX_RUNDOWN_REF Rundown;      /* held by callbacks in progress into the module */
    PDRIVER_OBJECT DriverObject; /* (c) */
    KD_SYMBOLS Symbols;          /* (c) with the range of its text */
    LDR_MODULE_STATE State;      /* (l) */
} LDR_MODULE, *PLDR_MODULE;

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
