/* SPDX-License-Identifier: MIT */
/*
 * Registers every kind of notify callback and prints a line for each call:
 *
 *      watch: Ex: process 60 (parent 44) created by thread 48 of process 44
 *      watch: Ex: process 60 runs \Boot\native\hello
 *      watch: plain: thread 64 of process 60 created (told on thread 48)
 *
 * Plain and Ex callbacks hear of native processes only; Ex2 and "subsystems" ones of all. So a native process
 * is told of several times; the prefix says by whom. Callbacks run at PASSIVE_LEVEL, inside a critical
 * region, and hold up whoever makes or ends the process: they should be short. Removing a callback waits for
 * the calls that are in progress, so DriverUnload may free whatever they use.
 */
#include <ntddk.h>

DRIVER_INITIALIZE DriverEntry;

/* ---- Processes ---- */

static VOID WatchProcess(HANDLE ParentId, HANDLE ProcessId, BOOLEAN Create)
{
    DbgPrint("watch: process %lu (parent %lu) %s\n", HandleToULong(ProcessId), HandleToULong(ParentId),
             Create ? "created" : "ended");
}

static VOID PrintCreation(PCSTR Who, HANDLE ProcessId, PPS_CREATE_NOTIFY_INFO CreateInfo)
{
    DbgPrint("watch: %s: process %lu (parent %lu) created by thread %lu of process %lu%s\n", Who,
             HandleToULong(ProcessId), HandleToULong(CreateInfo->ParentProcessId),
             HandleToULong(CreateInfo->CreatingThreadId.UniqueThread),
             HandleToULong(CreateInfo->CreatingThreadId.UniqueProcess),
             CreateInfo->IsSubsystemProcess ? ", of a subsystem" : "");
    if (CreateInfo->ImageFileName != NULL) {
        DbgPrint("watch: %s: process %lu runs %wZ\n", Who, HandleToULong(ProcessId),
                 CreateInfo->ImageFileName);
    }
    /* A subsystem's command line may be something else than a line of text: its arguments with NULs between
       them. */
    if (CreateInfo->CommandLine != NULL && !CreateInfo->IsSubsystemProcess) {
        DbgPrint("watch: %s: process %lu was called as %wZ\n", Who, HandleToULong(ProcessId),
                 CreateInfo->CommandLine);
    }
}

static VOID WatchProcessEx(PEPROCESS Process, HANDLE ProcessId, PPS_CREATE_NOTIFY_INFO CreateInfo)
{
    if (CreateInfo != NULL) {
        PrintCreation("Ex", ProcessId, CreateInfo);
    } else {
        DbgPrint("watch: Ex: process %lu ended with 0x%08lX\n", HandleToULong(ProcessId),
                 PsGetProcessExitStatus(Process));
    }
}

/* The same for processes of all subsystems. To forbid a process, set CreateInfo->CreationStatus to an error.
   */
static VOID WatchProcessEx2(PEPROCESS Process, HANDLE ProcessId, PPS_CREATE_NOTIFY_INFO CreateInfo)
{
    UNREFERENCED_PARAMETER(Process);
    if (CreateInfo != NULL) {
        PrintCreation("Ex2", ProcessId, CreateInfo);
    } else {
        DbgPrint("watch: Ex2: process %lu ended\n", HandleToULong(ProcessId));
    }
}

/* ---- Threads ---- */

static VOID PrintThread(PCSTR Who, HANDLE ProcessId, HANDLE ThreadId, BOOLEAN Create)
{
    DbgPrint("watch: %s: thread %lu of process %lu %s (told on thread %lu)\n", Who, HandleToULong(ThreadId),
             HandleToULong(ProcessId), Create ? "created" : "ended", HandleToULong(PsGetCurrentThreadId()));
}

/* On the creator's thread. */
static VOID WatchThread(HANDLE ProcessId, HANDLE ThreadId, BOOLEAN Create)
{
    PrintThread("plain", ProcessId, ThreadId, Create);
}

/* On the new thread itself. */
static VOID WatchNewThread(HANDLE ProcessId, HANDLE ThreadId, BOOLEAN Create)
{
    PrintThread("non-system", ProcessId, ThreadId, Create);
}

/* Threads of all subsystems. */
static VOID WatchAnyThread(HANDLE ProcessId, HANDLE ThreadId, BOOLEAN Create)
{
    PrintThread("subsystems", ProcessId, ThreadId, Create);
}

/* ---- Images ---- */

static VOID WatchImage(PUNICODE_STRING FullImageName, HANDLE ProcessId, PIMAGE_INFO ImageInfo)
{
    DECLARE_CONST_UNICODE_STRING(Unknown, L"(unknown)");
    DbgPrint("watch: %s image %wZ at %p, %I64u bytes, process %lu\n",
             ImageInfo->SystemModeImage ? "kernel" : "program",
             FullImageName != NULL ? FullImageName : &Unknown, ImageInfo->ImageBase,
             (ULONG64)ImageInfo->ImageSize, HandleToULong(ProcessId));
}

/* ---- Coming and going ---- */

/* Removing what was never registered answers STATUS_PROCEDURE_NOT_FOUND: so this undoes any part of
   RegisterAll. */
static VOID RemoveAll(VOID)
{
    PsRemoveLoadImageNotifyRoutine(WatchImage);
    PsRemoveCreateThreadNotifyRoutine(WatchAnyThread);
    PsRemoveCreateThreadNotifyRoutine(WatchNewThread);
    PsRemoveCreateThreadNotifyRoutine(WatchThread);
    PsSetCreateProcessNotifyRoutineEx2(PsCreateProcessNotifySubsystems, (PVOID)WatchProcessEx2, TRUE);
    PsSetCreateProcessNotifyRoutineEx(WatchProcessEx, TRUE);
    PsSetCreateProcessNotifyRoutine(WatchProcess, TRUE);
}

static NTSTATUS RegisterAll(VOID)
{
    NTSTATUS Status = PsSetCreateProcessNotifyRoutine(WatchProcess, FALSE);
    if (NT_SUCCESS(Status)) {
        Status = PsSetCreateProcessNotifyRoutineEx(WatchProcessEx, FALSE);
    }
    if (NT_SUCCESS(Status)) {
        Status = PsSetCreateProcessNotifyRoutineEx2(PsCreateProcessNotifySubsystems, (PVOID)WatchProcessEx2,
                                                    FALSE);
    }
    if (NT_SUCCESS(Status)) {
        Status = PsSetCreateThreadNotifyRoutine(WatchThread);
    }
    if (NT_SUCCESS(Status)) {
        Status = PsSetCreateThreadNotifyRoutineEx(PsCreateThreadNotifyNonSystem, (PVOID)WatchNewThread);
    }
    if (NT_SUCCESS(Status)) {
        Status = PsSetCreateThreadNotifyRoutineEx(PsCreateThreadNotifySubsystems, (PVOID)WatchAnyThread);
    }
    if (NT_SUCCESS(Status)) {
        Status = PsSetLoadImageNotifyRoutine(WatchImage);
    }
    return Status;
}

static VOID WatchUnload(PDRIVER_OBJECT DriverObject)
{
    UNREFERENCED_PARAMETER(DriverObject);
    RemoveAll();
    DbgPrint("watch: all callbacks removed\n");
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    UNREFERENCED_PARAMETER(RegistryPath);
    DriverObject->DriverUnload = WatchUnload;

    NTSTATUS Status = RegisterAll();
    if (!NT_SUCCESS(Status)) {
        RemoveAll();
        DbgPrint("watch: registration failed: 0x%08lX\n", Status);
        return Status;
    }
    DbgPrint("watch: all callbacks registered\n");
    return STATUS_SUCCESS;
}
