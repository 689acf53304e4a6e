/* SPDX-License-Identifier: MIT */
/*
 * linux.sys: unmodified static Linux programs for x86-64, in subsystem processes. This file is the module's
 * door: it registers the provider, builds the file tree from the boot archive's root/, and takes both back.
 */
#include "linux.h"

static const PS_SUBSYSTEM_PROVIDER provider_table = {
    .Version = PS_SUBSYSTEM_VERSION,
    .Size = sizeof(provider_table),
    .Name = "linux",
    .SubsystemInformationType = SubsystemInformationTypeWSL,
    .DispatchSystemCall = linux_system_call,
    .DispatchException = linux_exception,
    .ReturnToUser = linux_return_to_user,
    .ThreadExit = linux_thread_exit,
    .ProcessExit = linux_process_exit,
    .TerminateProcess = linux_terminate_process,
    .StartProgram = linux_start_program,
};

/* All kinds of files, in the order in which they are started. */
static const struct file_kind *const file_kinds[] = {&tmpfs_kind, &archive_kind, &folders_kind, &dev_kind, &console_kind,
                                                     &pipe_kind,    &epoll_kind,   &socket_kind,   &proc_kind};

static bool is_tracing(void)
{
    char value[4];
    return ExQueryKernelOption("linux.trace", value, sizeof(value)) && value[0] == '1';
}

/* Waits until all processes are gone; what is left then is the tree. */
static VOID linux_unload(PDRIVER_OBJECT driver)
{
    PsUnregisterSubsystemProvider(provider, TRUE);
    tree_destroy();
    timers_stop();
    vdso_stop();
    native_stop();
}

/* The making of the tree needs the kernel's table; programs that come earlier are refused. */
static NTSTATUS start(void)
{
    NTSTATUS status = PsRegisterSubsystemProvider(&provider_table, &kernel, &provider);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    frames_init();
    if (vdso_start() < 0 || timers_start() < 0 || tree_create(file_kinds, ARRAYSIZE(file_kinds)) < 0) {
        PsUnregisterSubsystemProvider(provider, TRUE);
        tree_destroy();
        timers_stop();
        vdso_stop();
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    return STATUS_SUCCESS;
}

NTSTATUS DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING registry_path)
{
    mutex_init(&tasklist_lock);
    tasks_init();
    wait_queue_init(&signals_noted);
    futexes_init();
    driver->DriverUnload = linux_unload;
    trace_start(is_tracing());
    if (native_start(driver) < 0) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    NTSTATUS status = start();
    if (!NT_SUCCESS(status)) {
        native_stop();
    }
    return status;
}
