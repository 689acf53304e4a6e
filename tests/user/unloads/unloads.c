/* SPDX-License-Identifier: MIT */
/*
 * A handler module is unloaded while its programs run: the unload waits for them, and may be given up. Then
 * everything is as it was before.
 *
 *   unloads                 the tests, with the module tiny
 *   unloads rounds N NAME   the module NAME is loaded, used and unloaded N times, beside threads that never stop
 *   unloads unload NAME     unloads it; the tests start this and end it
 */
#include "../test.h"
#include "../usage.h"

#define WAIT 60000 /* ms; what takes longer hangs */

static char *ModuleName = "tiny";
static ULONG Rounds;

/* ---- Programs of the module ---- */

static NTSTATUS StartTiny(PCSTR Path, PHANDLE Process)
{
    char *Arguments[] = {(char *)Path, NULL};
    return StartSubsystem("tiny", Path, 1, Arguments, Process);
}

/* A whole program, with two threads. */
static NTSTATUS UseTiny(VOID)
{
    HANDLE Process;
    NTSTATUS Status = StartTiny("/tiny/hello", &Process);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    NTSTATUS Exit = WaitForProcess(Process);
    NtClose(Process);
    return Exit == 7 ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL;
}

static VOID EndStaying(HANDLE Process)
{
    NtTerminateProcess(Process, 0);
    NtWaitForSingleObject(Process, FALSE, NULL);
    NtClose(Process);
}

/* An unload has begun, and waits: the module takes no new program. */
static VOID AwaitRefusal(VOID)
{
    while (UseTiny() != STATUS_NOT_FOUND) {
        Sleep(1);
    }
}

/* ---- Threads that unload ---- */

static NTSTATUS UnloadStatus;

static VOID UnloadThread(PVOID Argument)
{
    UnloadStatus = UnloadModule(ModuleName);
}

static VOID WaitsForItsPrograms(VOID)
{
    HANDLE Stay, Thread;
    CHECK_SUCCESS(LoadModule(ModuleName));
    CHECK_SUCCESS(StartTiny("/tiny/stay", &Stay));
    CHECK_SUCCESS(CreateThread(UnloadThread, NULL, &Thread));
    AwaitRefusal();
    CHECK_STATUS(UnloadModule(ModuleName), STATUS_DEVICE_BUSY);
    CHECK_STATUS(WaitFor(Thread, 50), STATUS_TIMEOUT);
    EndStaying(Stay);
    CHECK_SUCCESS(WaitFor(Thread, WAIT));
    NtClose(Thread);
    CHECK_SUCCESS(UnloadStatus);
    CHECK_STATUS(UnloadModule(ModuleName), STATUS_OBJECT_NAME_NOT_FOUND);
}

static VOID AlertedWaiter(VOID)
{
    HANDLE Stay, Thread;
    CHECK_SUCCESS(LoadModule(ModuleName));
    CHECK_SUCCESS(StartTiny("/tiny/stay", &Stay));
    CHECK_SUCCESS(CreateThread(UnloadThread, NULL, &Thread));
    AwaitRefusal();
    CHECK_SUCCESS(NtAlertThread(Thread));
    CHECK_SUCCESS(WaitFor(Thread, WAIT));
    NtClose(Thread);
    CHECK_STATUS(UnloadStatus, STATUS_CANCELLED);
    CHECK_STATUS(WaitFor(Stay, 0), STATUS_TIMEOUT);
    CHECK_SUCCESS(UseTiny());
    CHECK_STATUS(LoadModule(ModuleName), STATUS_IMAGE_ALREADY_LOADED);
    EndStaying(Stay);
    CHECK_SUCCESS(UnloadModule(ModuleName));
}

/* ---- Processes that unload ---- */

static NTSTATUS StartUnloader(PHANDLE Process)
{
    char *Arguments[] = {"unloads", "unload", ModuleName, NULL};
    return StartNative("unloads", 3, Arguments, 0, Process, NULL);
}

static VOID KilledWaiter(VOID)
{
    HANDLE Stay, Unloader;
    CHECK_SUCCESS(LoadModule(ModuleName));
    CHECK_SUCCESS(StartTiny("/tiny/stay", &Stay));
    for (ULONG i = 0; i < 3; i++) {
        CHECK_SUCCESS(StartUnloader(&Unloader));
        AwaitRefusal();
        CHECK_SUCCESS(NtTerminateProcess(Unloader, 9));
        CHECK_SUCCESS(WaitFor(Unloader, WAIT));
        NtClose(Unloader);
        CHECK_STATUS(WaitFor(Stay, 0), STATUS_TIMEOUT);
        CHECK_SUCCESS(UseTiny());
    }
    EndStaying(Stay);
    CHECK_SUCCESS(UnloadModule(ModuleName));
}

static volatile LONG Go;

static VOID TerminateOnSignal(PVOID Process)
{
    while (!Go) {
        NtYieldExecution();
    }
    NtTerminateProcess(Process, 0);
}

/* The last program and the waiter are ended at once: the module goes or stays, and in either case it is
   whole. */
static VOID WaiterAgainstTheLast(VOID)
{
    ULONG Kept = 0;
    CHECK_SUCCESS(LoadModule(ModuleName));
    for (ULONG i = 0; i < 60; i++) {
        HANDLE Stay, Unloader, Thread;
        Go = 0;
        CHECK_SUCCESS(StartTiny("/tiny/stay", &Stay));
        CHECK_SUCCESS(StartUnloader(&Unloader));
        AwaitRefusal();
        CHECK_SUCCESS(CreateThread(TerminateOnSignal, i & 1 ? Stay : Unloader, &Thread));
        Go = 1;
        NtTerminateProcess(i & 1 ? Unloader : Stay, 0);
        CHECK_SUCCESS(WaitFor(Thread, WAIT));
        CHECK_SUCCESS(WaitFor(Unloader, WAIT));
        CHECK_SUCCESS(WaitFor(Stay, WAIT));
        NtClose(Thread);
        NtClose(Unloader);
        NtClose(Stay);
        if (UseTiny() == STATUS_SUCCESS) {
            CHECK_STATUS(LoadModule(ModuleName), STATUS_IMAGE_ALREADY_LOADED);
            Kept++;
        } else {
            CHECK_SUCCESS(LoadModule(ModuleName));
            CHECK_SUCCESS(UseTiny());
        }
    }
    CHECK_SUCCESS(UnloadModule(ModuleName));
    Log("unloads: the module stayed %u of 60 times", Kept);
}

/* ---- Again and again ---- */

/* Two programs at once, one of which still runs when the unload begins. */
static NTSTATUS OneRound(VOID)
{
    HANDLE Stay, Thread;
    NTSTATUS Status = LoadModule(ModuleName);
    if (NT_SUCCESS(Status)) {
        Status = StartTiny("/tiny/stay", &Stay);
    }
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Status = UseTiny();
    if (NT_SUCCESS(Status)) {
        Status = CreateThread(UnloadThread, NULL, &Thread);
    }
    EndStaying(Stay);
    if (NT_SUCCESS(Status)) {
        NtWaitForSingleObject(Thread, FALSE, NULL);
        NtClose(Thread);
        Status = UnloadStatus;
    }
    return Status;
}

static VOID LeavesNothing(VOID)
{
    HANDLE Load;
    CHECK_SUCCESS(LetTablesGrow(100));
    CHECK_SUCCESS(StartChild(&Load, "spin", "4", NULL));
    for (ULONG i = 0; i < 10; i++) { /* what is made once and kept has been made */
        CHECK_SUCCESS(OneRound());
    }
    SYSTEM_MEMORY_USAGE Before = Usage();
    for (ULONG i = 0; i < Rounds; i++) {
        CHECK_SUCCESS(OneRound());
    }
    SYSTEM_MEMORY_USAGE After = Usage();
    EndStaying(Load);
    if (!IsBack(&Before, &After)) {
        ReportUsage("unloads", &Before, &After);
        FAIL("not all has come back: see the log");
    }
}

static const TEST Tests[] = {
    {"unloads.waits-for-its-programs", WaitsForItsPrograms},
    {"unloads.alerted-waiter", AlertedWaiter},
    {"unloads.killed-waiter", KilledWaiter},
    {"unloads.waiter-against-the-last", WaiterAgainstTheLast},
};
static const TEST Again[] = {{"unloads.leaves-nothing", LeavesNothing}};

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "unload") == 0) {
        return NT_SUCCESS(UnloadModule(argv[2])) ? 0 : 1;
    }
    if (argc == 4 && strcmp(argv[1], "rounds") == 0) {
        Rounds = (ULONG)ParseNumber(argv[2]);
        ModuleName = argv[3];
        return RunTests(Again, RTL_NUMBER_OF(Again));
    }
    return RunTests(Tests, RTL_NUMBER_OF(Tests));
}
