/* SPDX-License-Identifier: MIT */
/* NtQuery...: classes, lengths, and lists that are right while processes come and go. */
#include "../test.h"

#define SELF   NtCurrentProcess()
#define MYSELF NtCurrentThread()

/* ---- One process, one thread ---- */

static VOID BasicInformation(VOID)
{
    PROCESS_BASIC_INFORMATION Process;
    THREAD_BASIC_INFORMATION Thread;
    ULONG Length = 0;
    PTEB Teb = NtCurrentTeb();
    CHECK_SUCCESS(
        NtQueryInformationProcess(SELF, ProcessBasicInformation, &Process, sizeof(Process), &Length));
    CHECK_EQUAL(Length, 48);
    CHECK_EQUAL(Process.ExitStatus, STATUS_PENDING);
    CHECK(Process.PebBaseAddress == NtCurrentPeb());
    CHECK(Process.UniqueProcessId == (ULONG_PTR)Teb->ClientId.UniqueProcess &&
          Process.UniqueProcessId % 4 == 0);
    CHECK(Process.InheritedFromUniqueProcessId != 0);

    CHECK_SUCCESS(NtQueryInformationThread(MYSELF, ThreadBasicInformation, &Thread, sizeof(Thread), &Length));
    CHECK_EQUAL(Length, 48);
    CHECK_EQUAL(Thread.ExitStatus, STATUS_PENDING);
    CHECK(Thread.TebBaseAddress == Teb);
    CHECK(Thread.ClientId.UniqueThread == Teb->ClientId.UniqueThread);
    CHECK(Thread.ClientId.UniqueProcess == Teb->ClientId.UniqueProcess);
    CHECK(Thread.Priority >= 1 && Thread.Priority <= 15);
}

/* A native process belongs to no subsystem; the class is asked for as for a subsystem's. */
static VOID SubsystemInformation(VOID)
{
    ULONG Type = 99, Length = 0;
    CHECK_SUCCESS(NtQueryInformationProcess(SELF, ProcessSubsystemInformation, &Type, sizeof(Type), &Length));
    CHECK_EQUAL(Type, SubsystemInformationTypeWin32);
    CHECK_EQUAL(Length, sizeof(Type));
    Type = 99;
    CHECK_SUCCESS(NtQueryInformationThread(MYSELF, ThreadSubsystemInformation, &Type, sizeof(Type), &Length));
    CHECK_EQUAL(Type, SubsystemInformationTypeWin32);
    CHECK_EQUAL(Length, sizeof(Type));
}

/* A process of the default subsystem answers "WSL", and has no PEB. */
static VOID SubsystemOfAnother(VOID)
{
    char *Arguments[] = {"sleep", "100", NULL};
    HANDLE Process;
    ULONG Type = 99;
    PROCESS_BASIC_INFORMATION Information;
    if (!HasProvider(DEFAULT_SUBSYSTEM)) {
        SKIP("no provider '%s'", DEFAULT_SUBSYSTEM);
    }
    CHECK_SUCCESS(StartSubsystem(DEFAULT_SUBSYSTEM, "sleep", 2, Arguments, &Process));
    CHECK_SUCCESS(NtQueryInformationProcess(Process, ProcessSubsystemInformation, &Type, sizeof(Type), NULL));
    CHECK_EQUAL(Type, SubsystemInformationTypeWSL);
    CHECK_SUCCESS(
        NtQueryInformationProcess(Process, ProcessBasicInformation, &Information, sizeof(Information), NULL));
    CHECK(Information.PebBaseAddress == NULL);
    CHECK_SUCCESS(NtTerminateProcess(Process, 9));
    CHECK_SUCCESS(WaitFor(Process, 20000));
    CHECK_SUCCESS(NtClose(Process));
}

static VOID WrongLengths(VOID)
{
    alignas(8) UCHAR Buffer[64];
    static const ULONG Classes[] = {ProcessBasicInformation, ProcessSubsystemInformation, ProcessTimes};
    for (ULONG i = 0; i < RTL_NUMBER_OF(Classes); i++) {
        CHECK_STATUS(NtQueryInformationProcess(SELF, Classes[i], Buffer, 3, NULL),
                     STATUS_INFO_LENGTH_MISMATCH);
        CHECK_STATUS(NtQueryInformationProcess(SELF, Classes[i], Buffer, 0, NULL),
                     STATUS_INFO_LENGTH_MISMATCH);
    }
    CHECK_STATUS(NtQueryInformationThread(MYSELF, ThreadBasicInformation, Buffer, 47, NULL),
                 STATUS_INFO_LENGTH_MISMATCH);
    CHECK_STATUS(NtQueryInformationThread(MYSELF, ThreadSubsystemInformation, Buffer, 2, NULL),
                 STATUS_INFO_LENGTH_MISMATCH);
    CHECK_STATUS(NtQuerySystemInformation(SystemBasicInformation, Buffer, 4, NULL),
                 STATUS_INFO_LENGTH_MISMATCH);
}

static VOID WrongClasses(VOID)
{
    alignas(8) UCHAR Buffer[64];
    static const ULONG Classes[] = {76, 199, 5000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF};
    for (ULONG i = 0; i < RTL_NUMBER_OF(Classes); i++) {
        CHECK_STATUS(NtQueryInformationProcess(SELF, Classes[i], Buffer, 4, NULL), STATUS_INVALID_INFO_CLASS);
        CHECK_STATUS(NtQueryInformationThread(MYSELF, Classes[i], Buffer, 4, NULL),
                     STATUS_INVALID_INFO_CLASS);
        CHECK_STATUS(NtQuerySystemInformation(Classes[i], Buffer, 4, NULL), STATUS_INVALID_INFO_CLASS);
    }
}

static VOID WrongHandles(VOID)
{
    ULONG Type;
    CHECK_STATUS(
        NtQueryInformationProcess((HANDLE)0x7FFC, ProcessSubsystemInformation, &Type, sizeof(Type), NULL),
        STATUS_INVALID_HANDLE);
    CHECK_STATUS(NtQueryInformationProcess(MYSELF, ProcessSubsystemInformation, &Type, sizeof(Type), NULL),
                 STATUS_OBJECT_TYPE_MISMATCH);
    CHECK_STATUS(NtQueryInformationThread(SELF, ThreadSubsystemInformation, &Type, sizeof(Type), NULL),
                 STATUS_OBJECT_TYPE_MISMATCH);
}

/* The name of the image, as the documentation has it: a counted string with its text behind it. */
static VOID ImageName(VOID)
{
    alignas(8) UCHAR Buffer[512];
    ULONG Length = 0;
    PUNICODE_STRING Name = (PUNICODE_STRING)Buffer;
    CHECK_STATUS(NtQueryInformationProcess(SELF, ProcessImageFileName, Buffer, 8, &Length),
                 STATUS_INFO_LENGTH_MISMATCH);
    CHECK(Length > sizeof(UNICODE_STRING) && Length <= sizeof(Buffer));
    CHECK_SUCCESS(NtQueryInformationProcess(SELF, ProcessImageFileName, Buffer, sizeof(Buffer), &Length));
    static const WCHAR Expected[] = L"query";
    ULONG Bytes = sizeof(Expected) - sizeof(WCHAR);
    CHECK(Name->Length >= Bytes);
    CHECK(memcmp((PUCHAR)Name->Buffer + Name->Length - Bytes, Expected, Bytes) == 0);
}

/* What stands between the members of an answer is 0, not what was on a kernel stack. */
static VOID NothingElseInAnswers(VOID)
{
    union {
        PROCESS_BASIC_INFORMATION Process;
        THREAD_BASIC_INFORMATION Thread;
        SYSTEM_BASIC_INFORMATION System;
        ULONG Words[20];
    } Answer;
    MEMORY_BASIC_INFORMATION Memory;
    memset(&Answer, 0xFF, sizeof(Answer));
    CHECK_SUCCESS(
        NtQueryInformationProcess(SELF, ProcessBasicInformation, &Answer, sizeof(Answer.Process), NULL));
    CHECK(Answer.Words[1] == 0 && Answer.Words[7] == 0);
    memset(&Answer, 0xFF, sizeof(Answer));
    CHECK_SUCCESS(
        NtQueryInformationThread(MYSELF, ThreadBasicInformation, &Answer, sizeof(Answer.Thread), NULL));
    CHECK_EQUAL(Answer.Words[1], 0);
    memset(&Answer, 0xFF, sizeof(Answer));
    CHECK_SUCCESS(NtQuerySystemInformation(SystemBasicInformation, &Answer, sizeof(Answer.System), NULL));
    CHECK_EQUAL(Answer.Words[7], 0);
    CHECK_EQUAL(Answer.Words[sizeof(Answer.System) / 4 - 1], 0);
    memset(&Memory, 0xFF, sizeof(Memory));
    CHECK_SUCCESS(NtQueryVirtualMemory(SELF, &Answer, 0, &Memory, sizeof(Memory), NULL));
    CHECK_EQUAL(((PULONG)&Memory)[5], 0);
    CHECK_EQUAL(((PULONG)&Memory)[sizeof(Memory) / 4 - 1], 0);
}

/* ---- All processes ---- */

/* Every entry lies inside the buffer; ours is among them, once, and names its threads. */
static const char *CheckSnapshot(PVOID Snapshot, ULONG Size, ULONG *Threads)
{
    ULONG Found = 0, Offset = 0;
    for (;;) {
        SYSTEM_PROCESS_INFORMATION *Process = Add2Ptr(Snapshot, Offset);
        ULONG64 End = Offset + FIELD_OFFSET(SYSTEM_PROCESS_INFORMATION, Threads) +
                      (ULONG64)Process->NumberOfThreads * sizeof(SYSTEM_THREAD_INFORMATION);
        ULONG64 Name = (ULONG64)Process->ImageName.Buffer - (ULONG64)Snapshot;
        if (End > Size || (Process->ImageName.Length != 0 && Name + Process->ImageName.Length > Size)) {
            return "an entry runs over the end";
        }
        for (ULONG i = 0; i < Process->NumberOfThreads; i++) {
            if (Process->Threads[i].ClientId.UniqueProcess != Process->UniqueProcessId) {
                return "a thread of another process";
            }
        }
        if (Process->UniqueProcessId == NtCurrentTeb()->ClientId.UniqueProcess) {
            Found++;
            *Threads = Process->NumberOfThreads;
        }
        if (Process->NextEntryOffset == 0) {
            return Found == 1 ? NULL : "this process is not there once";
        }
        Offset += Process->NextEntryOffset;
        if (Offset >= Size) {
            return "the chain leads out of the buffer";
        }
    }
}

static VOID ProcessList(VOID)
{
    ULONG Size, Threads = 0, Needed = 0, Small[2];
    CHECK_STATUS(NtQuerySystemInformation(SystemProcessInformation, Small, sizeof(Small), &Needed),
                 STATUS_INFO_LENGTH_MISMATCH);
    CHECK(Needed > sizeof(SYSTEM_PROCESS_INFORMATION));
    SYSTEM_PROCESS_INFORMATION *Snapshot;
    CHECK_SUCCESS(QueryProcesses(&Snapshot, &Size));
    const char *Wrong = CheckSnapshot(Snapshot, Size, &Threads);
    if (Wrong != NULL) {
        FAIL("%s", Wrong);
    }
    CHECK_EQUAL(Threads, 1);
    HeapFree(Snapshot);
}

static volatile LONG ChurnStop;

static VOID Churn(PVOID Argument)
{
    while (!ChurnStop) {
        HANDLE Process;
        if (NT_SUCCESS(StartChild(&Process, "threads", "5", NULL))) {
            WaitForProcess(Process);
            NtClose(Process);
        }
    }
}

/* Three threads make processes and threads all the time while the list is taken again and again. */
static VOID ProcessListWhileTheyComeAndGo(VOID)
{
    HANDLE Threads[3];
    for (ULONG i = 0; i < RTL_NUMBER_OF(Threads); i++) {
        CHECK_SUCCESS(CreateThread(Churn, NULL, &Threads[i]));
    }
    const char *Wrong = NULL;
    for (ULONG i = 0; i < 200 && Wrong == NULL; i++) {
        ULONG Size, Count;
        SYSTEM_PROCESS_INFORMATION *Snapshot;
        NTSTATUS Status = QueryProcesses(&Snapshot, &Size);
        Wrong = NT_SUCCESS(Status) ? CheckSnapshot(Snapshot, Size, &Count) : "no snapshot";
        if (NT_SUCCESS(Status)) {
            HeapFree(Snapshot);
        }
    }
    ChurnStop = 1;
    for (ULONG i = 0; i < RTL_NUMBER_OF(Threads); i++) {
        CHECK_SUCCESS(WaitFor(Threads[i], 20000));
        CHECK_SUCCESS(NtClose(Threads[i]));
    }
    if (Wrong != NULL) {
        FAIL("%s", Wrong);
    }
}

/* ---- The machine ---- */

static VOID SystemInformation(VOID)
{
    SYSTEM_BASIC_INFORMATION Basic;
    SYSTEM_MEMORY_USAGE Usage;
    ULONG Length = 0;
    CHECK_SUCCESS(NtQuerySystemInformation(SystemBasicInformation, &Basic, sizeof(Basic), &Length));
    CHECK_EQUAL(Length, sizeof(Basic));
    CHECK_EQUAL(Basic.PageSize, PAGE_SIZE);
    CHECK(Basic.NumberOfProcessors >= 1);
    CHECK_EQUAL((ULONG)Basic.NumberOfProcessors, NtCurrentPeb()->NumberOfProcessors);
    CHECK_EQUAL(Basic.ActiveProcessorsAffinityMask, MAXULONG64 >> (64 - Basic.NumberOfProcessors));
    CHECK_SUCCESS(NtQuerySystemInformation(SystemMemoryUsageInformation, &Usage, sizeof(Usage), &Length));
    CHECK(Usage.FreePages > 0 && Usage.FreePages < Usage.TotalPages);
}

static VOID Times(VOID)
{
    LARGE_INTEGER Before, After, Counter, Later, Frequency;
    CHECK_SUCCESS(NtQuerySystemTime(&Before));
    CHECK_SUCCESS(NtQueryPerformanceCounter(&Counter, &Frequency));
    Sleep(50);
    CHECK_SUCCESS(NtQuerySystemTime(&After));
    CHECK_SUCCESS(NtQueryPerformanceCounter(&Later, NULL));
    CHECK(Frequency.QuadPart > 0);
    CHECK(After.QuadPart - Before.QuadPart >= 490000);
    CHECK(Later.QuadPart - Counter.QuadPart >= Frequency.QuadPart / 1000 * 49);

    KERNEL_USER_TIMES Spent;
    CHECK_SUCCESS(NtQueryInformationProcess(SELF, ProcessTimes, &Spent, sizeof(Spent), NULL));
    CHECK(Spent.CreateTime.QuadPart > 0 && Spent.CreateTime.QuadPart <= Before.QuadPart);
    CHECK(Spent.KernelTime.QuadPart + Spent.UserTime.QuadPart > 0);
}

static const TEST Tests[] = {
    {"query.basic-information", BasicInformation},
    {"query.subsystem-information", SubsystemInformation},
    {"query.subsystem-of-another", SubsystemOfAnother},
    {"query.wrong-lengths", WrongLengths},
    {"query.wrong-classes", WrongClasses},
    {"query.wrong-handles", WrongHandles},
    {"query.image-name", ImageName},
    {"query.nothing-else-in-answers", NothingElseInAnswers},
    {"query.process-list", ProcessList},
    {"query.process-list-while-they-come-and-go", ProcessListWhileTheyComeAndGo},
    {"query.system-information", SystemInformation},
    {"query.times", Times},
};

int main(int argc, char **argv)
{
    return RunTests(Tests, RTL_NUMBER_OF(Tests));
}
