/* SPDX-License-Identifier: MIT */
/*
 * Services that load and unload kernel modules.
 */
#include "kernel/ldr/ldr.h"
#include "kernel/services/services.h"
#include <ntapi.h>

#define SVC_MAX_DRIVER_NAME 512 /* bytes of UTF-16 */

static NTSTATUS SvcChangeDriver(PUNICODE_STRING Name, NTSTATUS (*Change)(PCUNICODE_STRING Name))
{
    UNICODE_STRING Captured;
    NTSTATUS Status = ExCaptureUnicodeString(&Captured, Name, SVC_MAX_DRIVER_NAME, ExGetPreviousMode());

    if (NT_SUCCESS(Status)) {
        Status = Change(&Captured);
    }
    ExFreeUnicodeString(&Captured);
    return Status;
}

/*
 * Loads modules/NAME.sys of the boot archive and calls its DriverEntry, with previous mode KernelMode and no
 * lock held. The name may be "tiny", "tiny.sys" or "\Boot\modules\tiny.sys". STATUS_OBJECT_NAME_INVALID,
 * STATUS_OBJECT_NAME_NOT_FOUND, STATUS_IMAGE_ALREADY_LOADED, STATUS_INVALID_IMAGE_FORMAT and its like,
 * STATUS_ENTRYPOINT_NOT_FOUND (unresolved symbols: each is named in the log), STATUS_REVISION_MISMATCH,
 * STATUS_INSUFFICIENT_RESOURCES, or what DriverEntry returned (the module is gone again then). PASSIVE.
 * (WDK page of the name)
 */
NTSTATUS NtLoadDriver(PUNICODE_STRING DriverServiceName)
{
    return SvcChangeDriver(DriverServiceName, LdrLoadModule);
}

/*
 * Waits for the processes of its subsystem providers, which get no new ones meanwhile; calls DriverUnload,
 * waits for the run-down, frees. STATUS_OBJECT_NAME_NOT_FOUND; STATUS_INVALID_DEVICE_REQUEST without
 * DriverUnload; STATUS_DEVICE_BUSY while it is starting or unloading; STATUS_CANCELLED: the caller was
 * alerted, or is to end, while such a process ran, and the module goes on as if nothing had been asked.
 * DriverUnload returns nothing: what it left registered is a bug check that names it
 * (DRIVER_UNLOADED_WITHOUT_CANCELLING_PENDING_OPERATIONS). PASSIVE. (WDK page of the name)
 */
NTSTATUS NtUnloadDriver(PUNICODE_STRING DriverServiceName)
{
    return SvcChangeDriver(DriverServiceName, LdrUnloadModule);
}
