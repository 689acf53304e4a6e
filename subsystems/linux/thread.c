/* SPDX-License-Identifier: MIT */
/* System threads of the module's own: none is left when the module goes. */
#include "linux.h"

long start_thread(PKSTART_ROUTINE routine, PVOID *thread)
{
    HANDLE handle;
    OBJECT_ATTRIBUTES attributes;

    InitializeObjectAttributes(&attributes, NULL, OBJ_KERNEL_HANDLE, NULL, NULL);
    NTSTATUS status = PsCreateSystemThread(&handle, THREAD_ALL_ACCESS, &attributes, NULL, NULL, routine, NULL);
    if (NT_SUCCESS(status)) {
        status = ObReferenceObjectByHandle(handle, THREAD_ALL_ACCESS, *PsThreadType, KernelMode, thread, NULL);
        ZwClose(handle);
    }
    return error_of(status);
}

void end_thread(PVOID *thread)
{
    KeWaitForSingleObject(*thread, Executive, KernelMode, FALSE, NULL);
    ObDereferenceObject(*thread);
    *thread = NULL;
}
