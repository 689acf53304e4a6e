/* SPDX-License-Identifier: MIT */
/*
 * ldr for the rest of the kernel: kernel modules. (Program images: elfimage.h parses them, ps/ maps them.)
 */
#ifndef PRIMER_LDR_H
#define PRIMER_LDR_H

#include <ntddk.h>
#include "kernel/ex/ex.h"
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
    EX_MODULE Image;             /* (c) but for its run-down */
    PDRIVER_OBJECT DriverObject; /* (c) */
    KD_SYMBOLS Symbols;          /* (c) with the range of its text */
    LDR_MODULE_STATE State;      /* (l) */
} LDR_MODULE, *PLDR_MODULE;

/* EX_HANDLERS.ReferenceModule. */
PEX_MODULE LdrReferenceModule(const void *Address);

/*
 * Loads modules/NAME.sys of the boot archive and calls its DriverEntry; or calls DriverUnload, waits for the
 * run-down and frees the module: in a system thread, whoever asks, with no lock held. The name may be "tiny",
 * "tiny.sys" or "\Boot\modules\tiny.sys". The errors are those of NtLoadDriver and NtUnloadDriver. PASSIVE.
 */
NTSTATUS LdrLoadModule(PCUNICODE_STRING Name);
NTSTATUS LdrUnloadModule(PCUNICODE_STRING Name);

/* The module of the option boot.module, as early as a module can be: before the console and the first
   program. */
void LdrLoadBootModule(void);
void LdrInitialize(void);

#endif
