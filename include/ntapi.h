/* SPDX-License-Identifier: MIT */
/*
 * The native system services, for programs and for the kernel that implements them. Names and semantics are
 * NT's where NT documents one; what is Primer's own says so. Calling convention: number in RAX, arguments in
 * RDI, RSI, RDX, R10, R8, R9, then on the stack above the return address; status in RAX.
 */
#ifndef PRIMER_NTAPI_H
#define PRIMER_NTAPI_H

#include <ntdef.h>
#include <ntfile.h>
#include <ntstatus.h>

/* The table: X(Name without Nt, number of arguments). The number of a service is its position; new ones go to
   the end. */
#define NT_SERVICES(X)                                                                                                 \
    X(Null, 0)                                                                                                         \
    X(Close, 1)                                                                                                        \
    X(DisplayString, 1)                                                                                                \
    X(CreateUserProcess, 11)                                                                                           \
    X(TerminateProcess, 2)                                                                                             \
    X(CreateThreadEx, 11)                                                                                              \
    X(TerminateThread, 2)                                                                                              \
    X(SuspendThread, 2)                                                                                                \
    X(ResumeThread, 2)                                                                                                 \
    X(OpenProcess, 4)                                                                                                  \
    X(OpenThread, 4)                                                                                                   \
    X(QueryInformationProcess, 5)                                                                                      \
    X(QueryInformationThread, 5)                                                                                       \
    X(QuerySystemInformation, 4)                                                                                       \
    X(WaitForSingleObject, 3)                                                                                          \
    X(WaitForMultipleObjects, 5)                                                                                       \
    X(DelayExecution, 2)                                                                                               \
    X(YieldExecution, 0)                                                                                               \
    X(CreateEvent, 5)                                                                                                  \
    X(SetEvent, 2)                                                                                                     \
    X(ResetEvent, 2)                                                                                                   \
    X(PulseEvent, 2)                                                                                                   \
    X(ClearEvent, 1)                                                                                                   \
    X(AllocateVirtualMemory, 6)                                                                                        \
    X(FreeVirtualMemory, 4)                                                                                            \
    X(ProtectVirtualMemory, 5)                                                                                         \
    X(QueryVirtualMemory, 6)                                                                                           \
    X(ReadVirtualMemory, 5)                                                                                            \
    X(WriteVirtualMemory, 5)                                                                                           \
    X(OpenFile, 6)                                                                                                     \
    X(ReadFile, 9)                                                                                                     \
    X(WriteFile, 9)                                                                                                    \
    X(QueryInformationFile, 5)                                                                                         \
    X(QueryDirectoryFile, 11)                                                                                          \
    X(DuplicateObject, 7)                                                                                              \
    X(QuerySystemTime, 1)                                                                                              \
    X(QueryPerformanceCounter, 2)                                                                                      \
    X(LoadDriver, 1)                                                                                                   \
    X(UnloadDriver, 1)                                                                                                 \
    X(ShutdownSystem, 1)                                                                                               \
    X(CreateSubsystemProcess, 4)                                                                                       \
    X(SetConsoleMode, 2)                                                                                               \
    X(SetInformationThread, 4)                                                                                         \
    X(QueueApcThread, 5)                                                                                               \
    X(Continue, 2)                                                                                                     \
    X(RaiseException, 3)                                                                                               \
    X(TestAlert, 0)                                                                                                    \
    X(AlertThread, 1)                                                                                                  \
    X(AlertResumeThread, 2)                                                                                            \
    X(GetContextThread, 2)                                                                                             \
    X(SetContextThread, 2)                                                                                             \
    X(CreateMutant, 4)                                                                                                 \
    X(OpenMutant, 3)                                                                                                   \
    X(ReleaseMutant, 2)                                                                                                \
    X(QueryMutant, 5)                                                                                                  \
    X(CreateSemaphore, 5)                                                                                              \
    X(OpenSemaphore, 3)                                                                                                \
    X(ReleaseSemaphore, 3)                                                                                             \
    X(QuerySemaphore, 5)                                                                                               \
    X(CreateTimer, 4)                                                                                                  \
    X(OpenTimer, 3)                                                                                                    \
    X(SetTimer, 7)                                                                                                     \
    X(CancelTimer, 2)                                                                                                  \
    X(QueryTimer, 5)                                                                                                   \
    X(QueryEvent, 5)                                                                                                   \
    X(SignalAndWaitForSingleObject, 4)                                                                                 \
    X(SuspendProcess, 1)                                                                                               \
    X(ResumeProcess, 1)                                                                                                \
    X(CreateSection, 7)                                                                                                \
    X(OpenSection, 3)                                                                                                  \
    X(MapViewOfSection, 10)                                                                                            \
    X(UnmapViewOfSection, 2)                                                                                           \
    X(QuerySection, 5)                                                                                                 \
    X(FlushInstructionCache, 3)                                                                                        \
    X(OpenEvent, 3)                                                                                                    \
    X(CreateDirectoryObject, 3)                                                                                        \
    X(OpenDirectoryObject, 3)                                                                                          \
    X(CreateSymbolicLinkObject, 4)                                                                                     \
    X(OpenSymbolicLinkObject, 3)                                                                                       \
    X(QuerySymbolicLinkObject, 3)                                                                                      \
    X(SetInformationProcess, 4)                                                                                        \
    X(QueryObject, 5)                                                                                                  \
    X(SetInformationObject, 4)                                                                                         \
    X(CreateFile, 11)                                                                                                  \
    X(DeviceIoControlFile, 10)                                                                                         \
    X(CancelIoFile, 2)                                                                                                 \
    X(CancelIoFileEx, 3)                                                                                               \
    X(QueryDirectoryObject, 7)

typedef enum _NT_SERVICE_NUMBER {
#define X(Name, Arguments) NumberNt##Name,
    NT_SERVICES(X)
#undef X
    NT_SERVICE_COUNT
} NT_SERVICE_NUMBER;

#define NtCurrentProcess() ((HANDLE)(LONG_PTR)-1)
#define NtCurrentThread()  ((HANDLE)(LONG_PTR)-2)

/* ---- Process and thread structures in user memory ---- */

typedef struct _RTL_USER_PROCESS_PARAMETERS {
    ULONG Size;
    ULONG Flags;
    HANDLE StandardInput, StandardOutput, StandardError;
    UNICODE_STRING ImagePathName;
    UNICODE_STRING CommandLine; /* arguments joined by spaces, quoted where needed */
    ULONG ArgumentCount;
    ULONG ArgumentsSize;
    PSTR Arguments;             /* ArgumentCount NUL-terminated strings, as they were given, bytes kept */
    ULONG EnvironmentSize;
    PSTR Environment;           /* NUL-terminated strings, an empty one at the end */
} RTL_USER_PROCESS_PARAMETERS, *PRTL_USER_PROCESS_PARAMETERS;

typedef struct _PEB {
    UCHAR InheritedAddressSpace;
    UCHAR ReadImageFileExecOptions;
    UCHAR BeingDebugged;
    UCHAR BitField;
    PVOID Mutant;
    PVOID ImageBaseAddress;
    PVOID Ldr;
    PRTL_USER_PROCESS_PARAMETERS ProcessParameters;
    ULONG NumberOfProcessors;
} PEB, *PPEB;

typedef struct _NT_TIB {
    PVOID ExceptionList;
    PVOID StackBase;
    PVOID StackLimit;
    PVOID SubSystemTib;
    PVOID FiberData;
    PVOID ArbitraryUserPointer;
    struct _NT_TIB *Self;
} NT_TIB;

typedef struct _TEB {
    NT_TIB NtTib;
    PVOID EnvironmentPointer;
    CLIENT_ID ClientId;
    PVOID ActiveRpcHandle;
    PVOID ThreadLocalStoragePointer;
    PPEB ProcessEnvironmentBlock;
    ULONG LastErrorValue;
} TEB, *PTEB;

C_ASSERT(FIELD_OFFSET(TEB, NtTib.Self) == 0x30 && FIELD_OFFSET(TEB, ClientId) == 0x40 &&
         FIELD_OFFSET(TEB, ProcessEnvironmentBlock) == 0x60 && FIELD_OFFSET(PEB, ProcessParameters) == 0x20);

/* ---- Creation ---- */

typedef struct _PS_ATTRIBUTE {
    ULONG_PTR Attribute;
    SIZE_T Size;
    union {
        ULONG_PTR Value;
        PVOID ValuePtr;
    };
    PSIZE_T ReturnLength;
} PS_ATTRIBUTE;

typedef struct _PS_ATTRIBUTE_LIST {
    SIZE_T TotalLength;
    PS_ATTRIBUTE Attributes[1];
} PS_ATTRIBUTE_LIST, *PPS_ATTRIBUTE_LIST;

#define PS_ATTRIBUTE_CLIENT_ID   0x10003 /* out: CLIENT_ID */
#define PS_ATTRIBUTE_TEB_ADDRESS 0x10004 /* out: PTEB */
#define PS_ATTRIBUTE_IMAGE_NAME  0x20005 /* in: the image's path, UTF-16, Size in bytes */
#define PS_ATTRIBUTE_PARENT_PROCESS 0x60000 /* in: a handle (Value) */

typedef struct _PS_CREATE_INFO {
    SIZE_T Size;
    ULONG State;
} PS_CREATE_INFO, *PPS_CREATE_INFO;

#define THREAD_CREATE_FLAGS_CREATE_SUSPENDED  0x1
#define PROCESS_CREATE_FLAGS_INHERIT_HANDLES  0x4

/* Primer's own: a program under a subsystem provider. */
typedef struct _SUBSYSTEM_PROGRAM {
    ULONG Size;              /* sizeof(SUBSYSTEM_PROGRAM) */
    const char *Provider;    /* its registered name: "tiny" ... */
    const char *Path;
    ULONG ArgumentCount;
    ULONG ArgumentsSize;
    const char *Arguments;   /* NUL-terminated strings, one behind the other */
    ULONG EnvironmentCount;
    ULONG EnvironmentSize;
    const char *Environment;
    const char *WorkingDirectory;
} SUBSYSTEM_PROGRAM, *PSUBSYSTEM_PROGRAM;

/* The exit status of a subsystem's process that its subsystem's signal N ended: SUBSYSTEM_EXIT_SIGNAL | N; else its exit
   code, 0 to 255. */
#define SUBSYSTEM_EXIT_SIGNAL 0xE0010000u

/* ---- Queries ---- */

typedef enum _PROCESSINFOCLASS {
    ProcessBasicInformation = 0,
    ProcessTimes = 4,
    ProcessBasePriority = 5, /* set: KPRIORITY */
    ProcessDebugPort = 7,    /* a ULONG_PTR: 0, there is no debugger */
    ProcessPriorityClass = 18,
    ProcessHandleCount = 20,
    ProcessAffinityMask = 21, /* set: KAFFINITY */
    ProcessSessionInformation = 24, /* the session's number, a ULONG: 0 is the only one */
    ProcessWow64Information = 26,   /* a ULONG_PTR: 0, there is no other architecture */
    ProcessImageFileName = 27,
    ProcessBreakOnTermination = 29,
    ProcessCycleTime = 38,
    ProcessSubsystemInformation = 75
} PROCESSINFOCLASS;

typedef enum _THREADINFOCLASS {
    ThreadBasicInformation = 0,
    ThreadTimes = 1,
    ThreadPriority = 2,     /* set: KPRIORITY */
    ThreadBasePriority = 3, /* set: LONG, relative to the process's */
    ThreadAffinityMask = 4, /* set: KAFFINITY */
    ThreadQuerySetWin32StartAddress = 9,
    ThreadPerformanceCount = 11,
    ThreadAmILastThread = 12,
    ThreadIdealProcessor = 13, /* set: ULONG */
    ThreadBreakOnTermination = 18,
    ThreadIsTerminated = 20,
    ThreadCycleTime = 23,
    ThreadSuspendCount = 35,
    ThreadNameInformation = 38,
    ThreadSubsystemInformation = 45
} THREADINFOCLASS;

typedef struct _PROCESS_BASIC_INFORMATION {
    NTSTATUS ExitStatus;
    PPEB PebBaseAddress;
    KAFFINITY AffinityMask;
    KPRIORITY BasePriority;
    ULONG_PTR UniqueProcessId;
    ULONG_PTR InheritedFromUniqueProcessId;
} PROCESS_BASIC_INFORMATION, *PPROCESS_BASIC_INFORMATION;

typedef struct _THREAD_BASIC_INFORMATION {
    NTSTATUS ExitStatus;
    PTEB TebBaseAddress;
    CLIENT_ID ClientId;
    KAFFINITY AffinityMask;
    KPRIORITY Priority;
    KPRIORITY BasePriority;
} THREAD_BASIC_INFORMATION, *PTHREAD_BASIC_INFORMATION;

C_ASSERT(sizeof(PROCESS_BASIC_INFORMATION) == 48 && sizeof(THREAD_BASIC_INFORMATION) == 48);

typedef struct _PROCESS_CYCLE_TIME_INFORMATION {
    ULONG64 AccumulatedCycles, CurrentCycleCount;
} PROCESS_CYCLE_TIME_INFORMATION, THREAD_CYCLE_TIME_INFORMATION;

typedef struct _PROCESS_SESSION_INFORMATION {
    ULONG SessionId;
} PROCESS_SESSION_INFORMATION, *PPROCESS_SESSION_INFORMATION;

typedef struct _PROCESS_PRIORITY_CLASS {
    BOOLEAN Foreground;  /* no meaning here */
    UCHAR PriorityClass; /* PROCESS_PRIORITY_CLASS_* */
} PROCESS_PRIORITY_CLASS, *PPROCESS_PRIORITY_CLASS;
#define PROCESS_PRIORITY_CLASS_UNKNOWN      0
#define PROCESS_PRIORITY_CLASS_IDLE         1
#define PROCESS_PRIORITY_CLASS_NORMAL       2
#define PROCESS_PRIORITY_CLASS_HIGH         3
#define PROCESS_PRIORITY_CLASS_REALTIME     4
#define PROCESS_PRIORITY_CLASS_BELOW_NORMAL 5
#define PROCESS_PRIORITY_CLASS_ABOVE_NORMAL 6

typedef struct _THREAD_NAME_INFORMATION {
    UNICODE_STRING ThreadName;
} THREAD_NAME_INFORMATION, *PTHREAD_NAME_INFORMATION;

typedef struct _KERNEL_USER_TIMES {
    LARGE_INTEGER CreateTime, ExitTime, KernelTime, UserTime;
} KERNEL_USER_TIMES, *PKERNEL_USER_TIMES;

typedef enum _SYSTEM_INFORMATION_CLASS {
    SystemBasicInformation = 0,
    SystemProcessInformation = 5,       /* as documented: a chain of SYSTEM_PROCESS_INFORMATION with threads */
    SystemMemoryUsageInformation = 1000, /* Primer's own: SYSTEM_MEMORY_USAGE */
    SystemProviderInformation = 1001     /* Primer's own: names, NUL-separated */
} SYSTEM_INFORMATION_CLASS;

typedef struct _SYSTEM_BASIC_INFORMATION {
    ULONG Reserved;
    ULONG TimerResolution;
    ULONG PageSize;
    ULONG NumberOfPhysicalPages;
    ULONG LowestPhysicalPageNumber;
    ULONG HighestPhysicalPageNumber;
    ULONG AllocationGranularity;
    ULONG_PTR MinimumUserModeAddress;
    ULONG_PTR MaximumUserModeAddress;
    KAFFINITY ActiveProcessorsAffinityMask;
    CCHAR NumberOfProcessors;
} SYSTEM_BASIC_INFORMATION;

typedef struct _SYSTEM_THREAD_INFORMATION {
    LARGE_INTEGER KernelTime, UserTime, CreateTime;
    ULONG WaitTime;
    PVOID StartAddress;
    CLIENT_ID ClientId;
    KPRIORITY Priority;
    LONG BasePriority;
    ULONG ContextSwitches;
    ULONG ThreadState;
    ULONG WaitReason;
    ULONG Processor; /* Primer's own */
} SYSTEM_THREAD_INFORMATION;

typedef struct _SYSTEM_PROCESS_INFORMATION {
    ULONG NextEntryOffset; /* bytes to the next, 0: the last */
    ULONG NumberOfThreads;
    LARGE_INTEGER CreateTime, UserTime, KernelTime;
    UNICODE_STRING ImageName; /* points into the buffer */
    KPRIORITY BasePriority;
    HANDLE UniqueProcessId;
    HANDLE InheritedFromUniqueProcessId;
    ULONG HandleCount;
    ULONG SubsystemType;   /* Primer's own: SUBSYSTEM_INFORMATION_TYPE */
    CHAR SubsystemName[16]; /* Primer's own: "native", "kernel", or the name of a provider */
    ULONG64 ResidentPages; /* Primer's own */
    SYSTEM_THREAD_INFORMATION Threads[1]; /* NumberOfThreads of them */
} SYSTEM_PROCESS_INFORMATION;

typedef struct _SYSTEM_MEMORY_USAGE {
    ULONG64 TotalPages, FreePages;
    ULONG64 PoolPages, PoolBytes, PoolBlocks; /* bytes and blocks: those in use, in so many pages */
    ULONG64 KernelStacks, PageTablePages;
} SYSTEM_MEMORY_USAGE;

/* ---- Memory ---- */

#define PAGE_NOACCESS          0x01
#define PAGE_READONLY          0x02
#define PAGE_READWRITE         0x04
#define PAGE_WRITECOPY         0x08
#define PAGE_EXECUTE           0x10
#define PAGE_EXECUTE_READ      0x20
#define PAGE_EXECUTE_READWRITE 0x40
#define PAGE_GUARD             0x100
#define MEM_COMMIT             0x1000
#define MEM_RESERVE            0x2000
#define MEM_DECOMMIT           0x4000
#define MEM_RELEASE            0x8000
#define MEM_FREE               0x10000
#define MEM_PRIVATE            0x20000
#define MEM_MAPPED             0x40000

typedef struct _MEMORY_BASIC_INFORMATION {
    PVOID BaseAddress;
    PVOID AllocationBase;
    ULONG AllocationProtect;
    SIZE_T RegionSize;
    ULONG State;
    ULONG Protect;
    ULONG Type;
} MEMORY_BASIC_INFORMATION;

/* ---- Files: <ntfile.h> ----

   Names: those of devices, "\Device\X", and of symbolic links to them, "\??\X"; "\Console\Input", "\Console\Output",
   "\Console\Error"; "\Boot\native\init" (the archives' tree). */

/* NtQueryObject. */
typedef enum _OBJECT_INFORMATION_CLASS {
    ObjectBasicInformation = 0,
    ObjectNameInformation = 1, /* OBJECT_NAME_INFORMATION: a UNICODE_STRING, its characters behind it */
    ObjectTypeInformation = 2,
    ObjectHandleFlagInformation = 4
} OBJECT_INFORMATION_CLASS;

typedef struct _PUBLIC_OBJECT_BASIC_INFORMATION {
    ULONG Attributes;
    ACCESS_MASK GrantedAccess;
    ULONG HandleCount;
    ULONG PointerCount;
    ULONG Reserved[10];
} PUBLIC_OBJECT_BASIC_INFORMATION, *PPUBLIC_OBJECT_BASIC_INFORMATION;

typedef struct _PUBLIC_OBJECT_TYPE_INFORMATION {
    UNICODE_STRING TypeName; /* its characters follow */
    ULONG Reserved[22];
} PUBLIC_OBJECT_TYPE_INFORMATION, *PPUBLIC_OBJECT_TYPE_INFORMATION;

typedef struct _OBJECT_HANDLE_FLAG_INFORMATION {
    BOOLEAN Inherit;
    BOOLEAN ProtectFromClose;
} OBJECT_HANDLE_FLAG_INFORMATION, *POBJECT_HANDLE_FLAG_INFORMATION;

/* NtDuplicateObject's options. */
#define DUPLICATE_CLOSE_SOURCE    1
#define DUPLICATE_SAME_ACCESS     2
#define DUPLICATE_SAME_ATTRIBUTES 4

typedef enum _SHUTDOWN_ACTION { ShutdownNoReboot, ShutdownReboot, ShutdownPowerOff } SHUTDOWN_ACTION;

#ifndef PRIMER_NTDDK_H
typedef enum _EVENT_TYPE { NotificationEvent, SynchronizationEvent } EVENT_TYPE;
typedef enum _WAIT_TYPE { WaitAll, WaitAny } WAIT_TYPE;
typedef enum _SUBSYSTEM_INFORMATION_TYPE {
    SubsystemInformationTypeWin32 = 0,
    SubsystemInformationTypeWSL = 1,
    MaxSubsystemInformationType = 2
} SUBSYSTEM_INFORMATION_TYPE;
typedef enum _TIMER_TYPE { NotificationTimer, SynchronizationTimer } TIMER_TYPE;
#define EVENT_QUERY_STATE  0x0001
#define EVENT_MODIFY_STATE 0x0002
#define EVENT_ALL_ACCESS   0x001F0003
#define DIRECTORY_ALL_ACCESS     0x000F000F
#define SYMBOLIC_LINK_ALL_ACCESS 0x000F0001
#define PROCESS_ALL_ACCESS 0x001FFFFF
#define THREAD_ALL_ACCESS  0x001FFFFF
#endif

/* ---- Mutants, semaphores, timers ---- */

#define MUTANT_QUERY_STATE     0x0001
#define MUTANT_ALL_ACCESS      0x001F0001
#define SEMAPHORE_QUERY_STATE  0x0001
#define SEMAPHORE_MODIFY_STATE 0x0002
#define SEMAPHORE_ALL_ACCESS   0x001F0003
#define TIMER_QUERY_STATE      0x0001
#define TIMER_MODIFY_STATE     0x0002
#define TIMER_ALL_ACCESS       0x001F0003

typedef struct _EVENT_BASIC_INFORMATION {
    EVENT_TYPE EventType;
    LONG EventState;
} EVENT_BASIC_INFORMATION;
typedef struct _MUTANT_BASIC_INFORMATION {
    LONG CurrentCount; /* 1: free; 0 or less: owned */
    BOOLEAN OwnedByCaller;
    BOOLEAN AbandonedState;
} MUTANT_BASIC_INFORMATION;
typedef struct _SEMAPHORE_BASIC_INFORMATION {
    LONG CurrentCount;
    LONG MaximumCount;
} SEMAPHORE_BASIC_INFORMATION;
typedef struct _TIMER_BASIC_INFORMATION {
    LARGE_INTEGER RemainingTime; /* 100 ns; 0: not set */
    BOOLEAN TimerState;
} TIMER_BASIC_INFORMATION;
typedef VOID (*PTIMER_APC_ROUTINE)(PVOID TimerContext, ULONG TimerLowValue, LONG TimerHighValue);

/* ---- Sections ---- */

#define SECTION_QUERY       0x0001
#define SECTION_MAP_WRITE   0x0002
#define SECTION_MAP_READ    0x0004
#define SECTION_MAP_EXECUTE 0x0008
#define SECTION_ALL_ACCESS  0x000F001F
#define SEC_COMMIT          0x08000000
#define SEC_RESERVE         0x04000000
#define SEC_IMAGE           0x01000000

typedef enum _SECTION_INHERIT { ViewShare = 1, ViewUnmap = 2 } SECTION_INHERIT;
typedef struct _SECTION_BASIC_INFORMATION {
    PVOID BaseAddress;
    ULONG AllocationAttributes;
    LARGE_INTEGER MaximumSize;
} SECTION_BASIC_INFORMATION;

typedef VOID (*PUSER_THREAD_START)(PVOID Argument);
typedef VOID (*PPS_APC_ROUTINE)(PVOID Argument1, PVOID Argument2, PVOID Argument3);

/* ---- Prototypes ---- */

NTSTATUS NtNull(VOID); /* does nothing: the benchmark's null call */
NTSTATUS NtClose(HANDLE Handle);
NTSTATUS NtDisplayString(PUNICODE_STRING String); /* a line for the log */
NTSTATUS NtCreateUserProcess(PHANDLE ProcessHandle, PHANDLE ThreadHandle, ACCESS_MASK ProcessAccess, ACCESS_MASK ThreadAccess,
                             POBJECT_ATTRIBUTES ProcessAttributes, POBJECT_ATTRIBUTES ThreadAttributes, ULONG ProcessFlags,
                             ULONG ThreadFlags, PRTL_USER_PROCESS_PARAMETERS ProcessParameters, PPS_CREATE_INFO CreateInfo,
                             PPS_ATTRIBUTE_LIST AttributeList);
NTSTATUS NtTerminateProcess(HANDLE ProcessHandle, NTSTATUS ExitStatus);
NTSTATUS NtCreateThreadEx(PHANDLE ThreadHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                          HANDLE ProcessHandle, PVOID StartRoutine, PVOID Argument, ULONG CreateFlags, SIZE_T ZeroBits,
                          SIZE_T StackSize, SIZE_T MaximumStackSize, PPS_ATTRIBUTE_LIST AttributeList);
NTSTATUS NtTerminateThread(HANDLE ThreadHandle, NTSTATUS ExitStatus);
NTSTATUS NtSuspendThread(HANDLE ThreadHandle, PULONG PreviousSuspendCount);
NTSTATUS NtResumeThread(HANDLE ThreadHandle, PULONG PreviousSuspendCount);
NTSTATUS NtOpenProcess(PHANDLE ProcessHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                       PCLIENT_ID ClientId);
NTSTATUS NtOpenThread(PHANDLE ThreadHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                      PCLIENT_ID ClientId);
NTSTATUS NtQueryInformationProcess(HANDLE ProcessHandle, PROCESSINFOCLASS Class, PVOID Information, ULONG Length,
                                   PULONG ReturnLength);
NTSTATUS NtQueryInformationThread(HANDLE ThreadHandle, THREADINFOCLASS Class, PVOID Information, ULONG Length,
                                  PULONG ReturnLength);
NTSTATUS NtSetInformationProcess(HANDLE ProcessHandle, PROCESSINFOCLASS Class, PVOID Information, ULONG Length);
NTSTATUS NtSetInformationThread(HANDLE ThreadHandle, THREADINFOCLASS Class, PVOID Information, ULONG Length);
NTSTATUS NtQuerySystemInformation(SYSTEM_INFORMATION_CLASS Class, PVOID Information, ULONG Length, PULONG ReturnLength);
NTSTATUS NtWaitForSingleObject(HANDLE Handle, BOOLEAN Alertable, PLARGE_INTEGER Timeout);
NTSTATUS NtWaitForMultipleObjects(ULONG Count, HANDLE *Handles, WAIT_TYPE WaitType, BOOLEAN Alertable,
                                  PLARGE_INTEGER Timeout);
NTSTATUS NtDelayExecution(BOOLEAN Alertable, PLARGE_INTEGER Interval);
NTSTATUS NtYieldExecution(VOID);
NTSTATUS NtCreateEvent(PHANDLE EventHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes, EVENT_TYPE Type,
                       BOOLEAN InitialState);
NTSTATUS NtOpenEvent(PHANDLE EventHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes);
NTSTATUS NtSetEvent(HANDLE EventHandle, PLONG PreviousState);
NTSTATUS NtResetEvent(HANDLE EventHandle, PLONG PreviousState);
NTSTATUS NtPulseEvent(HANDLE EventHandle, PLONG PreviousState);
NTSTATUS NtClearEvent(HANDLE EventHandle);
NTSTATUS NtAllocateVirtualMemory(HANDLE ProcessHandle, PVOID *BaseAddress, ULONG_PTR ZeroBits, PSIZE_T RegionSize,
                                 ULONG AllocationType, ULONG Protect);
NTSTATUS NtFreeVirtualMemory(HANDLE ProcessHandle, PVOID *BaseAddress, PSIZE_T RegionSize, ULONG FreeType);
NTSTATUS NtProtectVirtualMemory(HANDLE ProcessHandle, PVOID *BaseAddress, PSIZE_T RegionSize, ULONG NewProtect,
                                PULONG OldProtect);
NTSTATUS NtQueryVirtualMemory(HANDLE ProcessHandle, PVOID BaseAddress, ULONG Class, PVOID Information, SIZE_T Length,
                              PSIZE_T ReturnLength);
NTSTATUS NtReadVirtualMemory(HANDLE ProcessHandle, PVOID BaseAddress, PVOID Buffer, SIZE_T Size, PSIZE_T Done);
NTSTATUS NtWriteVirtualMemory(HANDLE ProcessHandle, PVOID BaseAddress, PVOID Buffer, SIZE_T Size, PSIZE_T Done);
NTSTATUS NtQueryObject(HANDLE Handle, OBJECT_INFORMATION_CLASS ObjectInformationClass, PVOID ObjectInformation,
                       ULONG ObjectInformationLength, PULONG ReturnLength);
NTSTATUS NtSetInformationObject(HANDLE Handle, OBJECT_INFORMATION_CLASS ObjectInformationClass, PVOID ObjectInformation,
                                ULONG ObjectInformationLength);
NTSTATUS NtCreateDirectoryObject(PHANDLE DirectoryHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes);
NTSTATUS NtOpenDirectoryObject(PHANDLE DirectoryHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes);
NTSTATUS NtCreateSymbolicLinkObject(PHANDLE LinkHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                                    PUNICODE_STRING LinkTarget);
NTSTATUS NtOpenSymbolicLinkObject(PHANDLE LinkHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes);
NTSTATUS NtQuerySymbolicLinkObject(HANDLE LinkHandle, PUNICODE_STRING LinkTarget, PULONG ReturnedLength);

/* One name in a directory, as NtQueryDirectoryObject gives it. */
typedef struct _OBJECT_DIRECTORY_INFORMATION {
    UNICODE_STRING Name;
    UNICODE_STRING TypeName;
} OBJECT_DIRECTORY_INFORMATION, *POBJECT_DIRECTORY_INFORMATION;
NTSTATUS NtQueryDirectoryObject(HANDLE DirectoryHandle, PVOID Buffer, ULONG Length, BOOLEAN ReturnSingleEntry, BOOLEAN RestartScan,
                                PULONG Context, PULONG ReturnLength);
NTSTATUS NtCreateFile(PHANDLE FileHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                      PIO_STATUS_BLOCK IoStatusBlock, PLARGE_INTEGER AllocationSize, ULONG FileAttributes, ULONG ShareAccess,
                      ULONG CreateDisposition, ULONG CreateOptions, PVOID EaBuffer, ULONG EaLength);
NTSTATUS NtOpenFile(PHANDLE FileHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                    PIO_STATUS_BLOCK IoStatusBlock, ULONG ShareAccess, ULONG OpenOptions);
NTSTATUS NtReadFile(HANDLE FileHandle, HANDLE Event, PIO_APC_ROUTINE ApcRoutine, PVOID ApcContext,
                    PIO_STATUS_BLOCK IoStatusBlock, PVOID Buffer, ULONG Length, PLARGE_INTEGER ByteOffset, PULONG Key);
NTSTATUS NtWriteFile(HANDLE FileHandle, HANDLE Event, PIO_APC_ROUTINE ApcRoutine, PVOID ApcContext,
                     PIO_STATUS_BLOCK IoStatusBlock, PVOID Buffer, ULONG Length, PLARGE_INTEGER ByteOffset, PULONG Key);
NTSTATUS NtDeviceIoControlFile(HANDLE FileHandle, HANDLE Event, PIO_APC_ROUTINE ApcRoutine, PVOID ApcContext,
                               PIO_STATUS_BLOCK IoStatusBlock, ULONG IoControlCode, PVOID InputBuffer, ULONG InputBufferLength,
                               PVOID OutputBuffer, ULONG OutputBufferLength);
NTSTATUS NtCancelIoFile(HANDLE FileHandle, PIO_STATUS_BLOCK IoStatusBlock);
NTSTATUS NtCancelIoFileEx(HANDLE FileHandle, PIO_STATUS_BLOCK IoRequestToCancel, PIO_STATUS_BLOCK IoStatusBlock);
NTSTATUS NtQueryInformationFile(HANDLE FileHandle, PIO_STATUS_BLOCK IoStatusBlock, PVOID Information, ULONG Length,
                                FILE_INFORMATION_CLASS Class);
NTSTATUS NtQueryDirectoryFile(HANDLE FileHandle, HANDLE Event, PIO_APC_ROUTINE ApcRoutine, PVOID ApcContext,
                              PIO_STATUS_BLOCK IoStatusBlock, PVOID Information, ULONG Length, FILE_INFORMATION_CLASS Class,
                              BOOLEAN ReturnSingleEntry, PUNICODE_STRING FileName, BOOLEAN RestartScan);
NTSTATUS NtDuplicateObject(HANDLE SourceProcess, HANDLE SourceHandle, HANDLE TargetProcess, PHANDLE TargetHandle,
                           ACCESS_MASK DesiredAccess, ULONG Attributes, ULONG Options);
NTSTATUS NtQuerySystemTime(PLARGE_INTEGER SystemTime);
NTSTATUS NtQueryPerformanceCounter(PLARGE_INTEGER Counter, PLARGE_INTEGER Frequency);
NTSTATUS NtLoadDriver(PUNICODE_STRING DriverServiceName);   /* "\Boot\modules\NAME.sys" or NAME */
NTSTATUS NtUnloadDriver(PUNICODE_STRING DriverServiceName); /* the same name */
NTSTATUS NtShutdownSystem(SHUTDOWN_ACTION Action);
NTSTATUS NtCreateSubsystemProcess(PHANDLE ProcessHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                                  PSUBSYSTEM_PROGRAM Program);
NTSTATUS NtCreateMutant(PHANDLE MutantHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                        BOOLEAN InitialOwner);
NTSTATUS NtOpenMutant(PHANDLE MutantHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes);
NTSTATUS NtReleaseMutant(HANDLE MutantHandle, PLONG PreviousCount);
NTSTATUS NtQueryMutant(HANDLE MutantHandle, ULONG Class, PVOID Information, ULONG Length, PULONG ReturnLength);
NTSTATUS NtCreateSemaphore(PHANDLE SemaphoreHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                           LONG InitialCount, LONG MaximumCount);
NTSTATUS NtOpenSemaphore(PHANDLE SemaphoreHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes);
NTSTATUS NtReleaseSemaphore(HANDLE SemaphoreHandle, LONG ReleaseCount, PLONG PreviousCount);
NTSTATUS NtQuerySemaphore(HANDLE SemaphoreHandle, ULONG Class, PVOID Information, ULONG Length, PULONG ReturnLength);
NTSTATUS NtCreateTimer(PHANDLE TimerHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                       TIMER_TYPE TimerType);
NTSTATUS NtOpenTimer(PHANDLE TimerHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes);
NTSTATUS NtSetTimer(HANDLE TimerHandle, PLARGE_INTEGER DueTime, PTIMER_APC_ROUTINE TimerApcRoutine, PVOID TimerContext,
                    BOOLEAN ResumeTimer, LONG Period, PBOOLEAN PreviousState);
NTSTATUS NtCancelTimer(HANDLE TimerHandle, PBOOLEAN CurrentState);
NTSTATUS NtQueryTimer(HANDLE TimerHandle, ULONG Class, PVOID Information, ULONG Length, PULONG ReturnLength);
NTSTATUS NtQueryEvent(HANDLE EventHandle, ULONG Class, PVOID Information, ULONG Length, PULONG ReturnLength);
NTSTATUS NtSignalAndWaitForSingleObject(HANDLE SignalHandle, HANDLE WaitHandle, BOOLEAN Alertable,
                                        PLARGE_INTEGER Timeout);
NTSTATUS NtSuspendProcess(HANDLE ProcessHandle);
NTSTATUS NtResumeProcess(HANDLE ProcessHandle);
NTSTATUS NtCreateSection(PHANDLE SectionHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                         PLARGE_INTEGER MaximumSize, ULONG SectionPageProtection, ULONG AllocationAttributes,
                         HANDLE FileHandle);
NTSTATUS NtOpenSection(PHANDLE SectionHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes);
NTSTATUS NtMapViewOfSection(HANDLE SectionHandle, HANDLE ProcessHandle, PVOID *BaseAddress, ULONG_PTR ZeroBits,
                            SIZE_T CommitSize, PLARGE_INTEGER SectionOffset, PSIZE_T ViewSize,
                            SECTION_INHERIT InheritDisposition, ULONG AllocationType, ULONG Protect);
NTSTATUS NtUnmapViewOfSection(HANDLE ProcessHandle, PVOID BaseAddress);
NTSTATUS NtQuerySection(HANDLE SectionHandle, ULONG Class, PVOID Information, SIZE_T Length, PSIZE_T ReturnLength);
NTSTATUS NtFlushInstructionCache(HANDLE ProcessHandle, PVOID BaseAddress, SIZE_T Length);
NTSTATUS NtQueueApcThread(HANDLE ThreadHandle, PPS_APC_ROUTINE ApcRoutine, PVOID Argument1, PVOID Argument2,
                          PVOID Argument3);
NTSTATUS NtContinue(PCONTEXT Context, BOOLEAN TestAlert);
NTSTATUS NtRaiseException(PEXCEPTION_RECORD ExceptionRecord, PCONTEXT ContextRecord, BOOLEAN FirstChance);
NTSTATUS NtTestAlert(VOID);
NTSTATUS NtAlertThread(HANDLE ThreadHandle);
NTSTATUS NtAlertResumeThread(HANDLE ThreadHandle, PULONG PreviousSuspendCount);
NTSTATUS NtGetContextThread(HANDLE ThreadHandle, PCONTEXT ThreadContext);
NTSTATUS NtSetContextThread(HANDLE ThreadHandle, PCONTEXT ThreadContext);
NTSTATUS NtSetConsoleMode(ULONG Mode, PULONG PreviousMode); /* Primer's own: IO_CONSOLE_* of subsystem.h */

#endif
