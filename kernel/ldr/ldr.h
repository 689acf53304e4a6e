/* SPDX-License-Identifier: MIT */
/*
 * ldr for the rest of the kernel: kernel modules. (Program images: ldr/elfimage.h parses them, ps/ maps them.)
 */
#ifndef PRIMER_LDR_H
#define PRIMER_LDR_H

#include <ntddk.h>
#include "kernel/kd/kd.h"

typedef struct _LDR_MODULE {
    LIST_ENTRY Links;
    char Name[32];              /* "linux" */
    PVOID Base;
    SIZE_T Size;
    ULONG64 TextStart, TextEnd; /* run addresses */
    EX_RUNDOWN_REF Rundown;     /* held by callbacks in progress into the module */
    PDRIVER_OBJECT DriverObject;
    const struct _EX_TABLE_ENTRY *ExceptionTable;
    ULONG ExceptionTableCount;
    KD_MODULE_SYMBOLS Symbols;
    BOOLEAN Unloading;
    volatile LONG InitThread;
} LDR_MODULE, *PLDR_MODULE;

/* Name: "tiny", "tiny.sys" or "\Boot\modules\tiny.sys". PASSIVE. STATUS_OBJECT_NAME_NOT_FOUND, STATUS_IMAGE_ALREADY_LOADED,
   STATUS_INVALID_IMAGE_FORMAT, STATUS_ENTRYPOINT_NOT_FOUND (unresolved symbols: each is named in the log), STATUS_REVISION_MISMATCH,
   STATUS_INSUFFICIENT_RESOURCES, or what DriverEntry returned (the module is gone again then). */
NTSTATUS LdrLoadModule(PCUNICODE_STRING Name);
/* Calls DriverUnload, waits for the run-down, frees. STATUS_OBJECT_NAME_NOT_FOUND; STATUS_INVALID_DEVICE_REQUEST without
   DriverUnload. The module's DriverUnload returns nothing: what it left registered is a bug check that names it
   (DRIVER_UNLOADED_WITHOUT_CANCELLING_PENDING_OPERATIONS). */
NTSTATUS LdrUnloadModule(PCUNICODE_STRING Name);
/* The module whose text contains Address, with its run-down acquired (release with ExReleaseRundownProtection(&Module->Rundown)); NULL: the kernel itself or nobody. Any IRQL <= DISPATCH. */
PLDR_MODULE LdrReferenceModuleByAddress(const void *Address);
/* Calls Visit for each loaded module. */
void LdrEnumerateModules(void (*Visit)(void *Context, PLDR_MODULE Module), void *Context);
/* ps sets this: does the module still have something registered? Called by unload after DriverUnload. Answers a word for it, or NULL. */
extern const char *(*LdrModuleInUse)(PLDR_MODULE Module);

void LdrInitialize(void);

#endif
