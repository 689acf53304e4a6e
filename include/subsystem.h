/* SPDX-License-Identifier: MIT */
/*
 * The contract between the kernel and a handler module (subsystem provider), architecture page section
 * "Subsystem providers". A provider registers once with PsRegisterSubsystemProvider: it hands over its table,
 * gets the kernel's table and a provider handle. A process made through that handle is bound to the provider
 * for life: its system calls and user-mode exceptions go there. subsystems/tiny is the smallest complete
 * provider.
 *
 * Life of a process and who may touch what:
 *   CreateProcess -> CreateThread (suspended) -> ResumeThread -> ... -> ThreadExit per thread, on that thread ->
 *   ProcessExit, after the last ThreadExit, on the last thread. Each context is handed back exactly once there.
 *   A process that never got a thread is ended by TerminateProcess; ProcessExit then runs on the caller's thread.
 *
 * All provider routines are called at PASSIVE_LEVEL and may block; they must return at PASSIVE_LEVEL, with
 * APCs as they found them and no lock held. Otherwise the kernel stops and names the provider.
 */
#ifndef PRIMER_SUBSYSTEM_H
#define PRIMER_SUBSYSTEM_H

#include <ktrap.h>
#include <ntddk.h>

#define PS_SUBSYSTEM_VERSION 1

typedef struct _PS_PROVIDER *PPS_PROVIDER;
typedef struct _MM_SECTION *PMM_SECTION_HANDLE; /* a section, counted */

/* How a program that a native caller wants started is described (NtCreateSubsystemProcess). Kernel copies. */
typedef struct _PS_PROGRAM {
    const char *Path;          /* in the subsystem's own notation */
    SIZE_T ArgumentsSize;
    const char *Arguments;     /* ArgumentCount strings, each NUL-terminated, one behind the other */
    ULONG ArgumentCount;
    SIZE_T EnvironmentSize;
    const char *Environment;   /* likewise */
    ULONG EnvironmentCount;
    const char *WorkingDirectory; /* NULL: the subsystem's root */
} PS_PROGRAM, *PPS_PROGRAM;

/* Kernel -> provider. Version and Size come first; a mismatch is refused before anything else is read. */
typedef struct _PS_SUBSYSTEM_PROVIDER {
    ULONG Version; /* PS_SUBSYSTEM_VERSION */
    ULONG Size;    /* sizeof(PS_SUBSYSTEM_PROVIDER) */
    const char *Name; /* "tiny"; at most 15 characters; unique among providers */
    SUBSYSTEM_INFORMATION_TYPE SubsystemInformationType; /* answered in queries of its processes and threads */

    /* A system call. Number and arguments stand in the frame (the number also in Frame->ErrorCode); the
       result goes to Frame->Rax. */
    VOID (*DispatchSystemCall)(_Inout_ PKTRAP_FRAME Frame);
    /* A user-mode exception of a thread of such a process. TRUE: handled, the frame (perhaps changed) is
       resumed. FALSE: the kernel ends the process with the exception's status. */
    BOOLEAN (*DispatchException)(_Inout_ PEXCEPTION_RECORD Record, _Inout_ PKTRAP_FRAME Frame);
    /* Before this thread returns to user mode, after RequestReturnToUser. May be NULL. */
    VOID (*ReturnToUser)(_Inout_ PKTRAP_FRAME Frame);
    /* The thread is going, called on it; address space still there. */
    VOID (*ThreadExit)(_In_ PETHREAD Thread, _In_opt_ PVOID ThreadContext);
    /* After the last ThreadExit; the address space is gone, and its memory free. */
    VOID (*ProcessExit)(_In_ PEPROCESS Process, _In_opt_ PVOID ProcessContext);
    /* Somebody outside asked to end the process. The provider may end it its own way and return
       STATUS_SUCCESS; any other status: the kernel ends it. May be NULL. */
    NTSTATUS (*TerminateProcess)(_In_ PEPROCESS Process, _In_ NTSTATUS ExitStatus);
    /* Start a program for a native caller: make process and thread and resume it. *Process: referenced. May
       be NULL (STATUS_NOT_SUPPORTED). STATUS_OBJECT_NAME_NOT_FOUND, STATUS_ACCESS_DENIED /
       STATUS_INVALID_IMAGE_FORMAT (not executable). */
    NTSTATUS (*StartProgram)(_In_ PPS_PROGRAM Program, _Out_ PEPROCESS *Process);
} PS_SUBSYSTEM_PROVIDER, *PPS_SUBSYSTEM_PROVIDER;

/* ---- Provider -> kernel ---- */

#define PS_PROCESS_EMPTY 0 /* an empty user half */
#define PS_PROCESS_CLONE 1 /* a copy-on-write clone of Parent's address space */
#define PS_PROCESS_SHARE 2 /* Parent's address space itself, counted */

typedef struct _PS_SUBSYSTEM_PROCESS_ATTRIBUTES {
    ULONG Kind;                    /* PS_PROCESS_* */
    PEPROCESS Parent;              /* required for CLONE and SHARE (same provider); NULL: the current process */
    PVOID Context;                 /* the provider's own, given back in ProcessExit */
    PFILE_OBJECT FileObject;       /* the next three surface in PS_CREATE_NOTIFY_INFO; any may be NULL */
    PCUNICODE_STRING ImageFileName;
    PCUNICODE_STRING CommandLine;
} PS_SUBSYSTEM_PROCESS_ATTRIBUTES;

typedef struct _PS_SUBSYSTEM_THREAD_ATTRIBUTES {
    PVOID Context;                 /* the provider's own, given back in ThreadExit */
    const KTRAP_FRAME *Registers;  /* full register set; segments and flags are made safe */
    ULONG64 UserFsBase, UserGsBase;
    BOOLEAN CopyFpuState;          /* of the calling thread; else the initial state */
} PS_SUBSYSTEM_THREAD_ATTRIBUTES;

/* Protection and mapping flags */
#define PS_MEMORY_READ    1
#define PS_MEMORY_WRITE   2
#define PS_MEMORY_EXECUTE 4
#define PS_MEMORY_GUARD   8  /* the first touch of a page is STATUS_GUARD_PAGE_VIOLATION, the next one is allowed */
#define PS_MAP_FIXED      1  /* exactly at *Base; what is mapped there goes, at once */
#define PS_MAP_NOREPLACE  2  /* with FIXED: STATUS_CONFLICTING_ADDRESSES when anything is there */
#define PS_MAP_SHARED     4  /* writes go to the section, for all who map it; else each process has copies */
#define PS_MAP_TOPDOWN    16 /* not FIXED: the highest hole that fits, not the lowest at or above *Base */
#define PS_MAP_GROWDOWN   32 /* a stack: a touch of the hole below extends it, to SetGrowLimit's bytes in all at most */
#define PS_MAP_ATTRIBUTES(A) ((A) << 8) /* PS_REGION_*, from the start */

/* Attributes of a region */
#define PS_REGION_NOINHERIT 1    /* a clone of the process does not get it */
#define PS_REGION_WIPE      2    /* a clone gets it without what it holds */
#define PS_REGION_TAGS      0x70 /* three bits of the provider's own, ... */
#define PS_REGION_OWN_TAG   0x80 /* and one that a clone does not get */

typedef struct _PS_REGION_INFORMATION {
    ULONG_PTR Start, End;
    BOOLEAN Mapped, Shared, HasSection, GrowDown;
    UCHAR Protection, Attributes;
    ULONG64 SectionOffset;
    PVOID Tag;
} PS_REGION_INFORMATION;

#define PS_PIN_WRITE 1 /* see PinSectionPage */
#define PS_PIN_MAKE  2

typedef struct _PS_WAIT_KEY {
    ULONG64 Object;
    ULONG64 Offset;
} PS_WAIT_KEY;

typedef struct _PS_MEMORY_STATISTICS {
    ULONG64 TotalBytes, FreeBytes;
    ULONG64 RegionBytes, ResidentBytes; /* of the process asked for */
} PS_MEMORY_STATISTICS;

/* How programs may tell the time by themselves: interrupt time, in 100 ns, is (time-stamp counter -
   StartCycles) * TimePerCycle >> Scale, with a product of 128 bits; system time is that and
   SystemTimeBias. */
typedef struct _PS_TIME_BASE {
    ULONG64 StartCycles, TimePerCycle, SystemTimeBias;
    ULONG Scale;
} PS_TIME_BASE;

#define PS_BASE_FS 0
#define PS_BASE_GS 1

typedef struct _PS_SUBSYSTEM_ROUTINES {
    ULONG Version;
    ULONG Size;

    /* Processes and threads. Pointers that come back are referenced (ObDereferenceObject). A process
       callback's veto comes back from CreateThread of the first thread. */
    NTSTATUS (*CreateProcess)(PPS_PROVIDER Provider, const PS_SUBSYSTEM_PROCESS_ATTRIBUTES *Attributes, PEPROCESS *Process);
    NTSTATUS (*CreateThread)(PEPROCESS Process, const PS_SUBSYSTEM_THREAD_ATTRIBUTES *Attributes, PETHREAD *Thread); /* suspended */
    NTSTATUS (*SuspendThread)(PETHREAD Thread, PULONG PreviousCount);
    NTSTATUS (*ResumeThread)(PETHREAD Thread, PULONG PreviousCount);
    /* Ends another thread, or marks the current one: it ends on its way back to user mode. */
    NTSTATUS (*TerminateThread)(PETHREAD Thread, NTSTATUS ExitStatus);
    /* Ends all threads of the process, the current one included (on its way back to user mode). */
    NTSTATUS (*TerminateProcess)(PEPROCESS Process, NTSTATUS ExitStatus);
    PVOID (*GetProcessContext)(PEPROCESS Process); /* NULL when it is not this provider's */
    PVOID (*GetThreadContext)(PETHREAD Thread);
    PVOID (*CurrentProcessContext)(VOID);
    PVOID (*CurrentThreadContext)(VOID);
    /* The user registers of the current thread, or of a suspended or not yet started one. Set makes them
       safe. */
    NTSTATUS (*GetRegisters)(PETHREAD Thread, PKTRAP_FRAME Frame);
    NTSTATUS (*SetRegisters)(PETHREAD Thread, const KTRAP_FRAME *Frame);
    /* Those of the current thread, where they stand: what is changed counts once SetRegisters has been called
       with this very pointer, which makes it safe. */
    PKTRAP_FRAME (*CurrentRegisters)(VOID);
    /* The current thread's FPU state: as when a program starts, but x87 and SSE as an FXSAVE image (NULL:
       those as well). STATUS_INVALID_PARAMETER: bits in MXCSR that there are not. */
    NTSTATUS (*SetFpuState)(const VOID *Legacy);
    /* The same to and from its own memory, at a multiple of 64, as QueryFpuState describes the image.
       Software: the 48 bytes at 464 that the processor leaves to others (of an FXSAVE image they stay as they
       are). Loading wants to find them so: STATUS_INVALID_PARAMETER. STATUS_ACCESS_VIOLATION: also for an
       image that the processor refuses, or FXSAVE's. */
    NTSTATUS (*SaveFpuStateToUser)(PVOID Image, const VOID *Software);
    NTSTATUS (*LoadFpuStateFromUser)(const VOID *Image, const VOID *Software);
    NTSTATUS (*SetDescriptorBase)(ULONG Which, ULONG64 Base); /* PS_BASE_*; current thread */
    ULONG64 (*GetDescriptorBase)(ULONG Which);
    /* ReturnToUser(frame) will be called before Thread next returns to user mode; with Interrupt TRUE one
       alertable wait of it, the present one or the next before that, is broken off with STATUS_ALERTED. */
    VOID (*RequestReturnToUser)(PETHREAD Thread, BOOLEAN Interrupt);
    /* A new, empty address space takes the place of the current process's (exec). Its other threads are ended
       first, and waited for: each has had its ThreadExit. Leave is called when they have, with the old space
       still there and no memory to fail for. STATUS_THREAD_IS_TERMINATING: somebody has ended the current
       thread, too. STATUS_INVALID_PARAMETER: a driver's system thread is in the process, and no thread has
       been ended for this, unless it has come since. STATUS_NO_MEMORY. Unless STATUS_SUCCESS, the space is
       the old one. */
    NTSTATUS (*ReplaceAddressSpace)(VOID (*Leave)(VOID));
    /* New names of the image for queries (exec). */
    NTSTATUS (*SetImageName)(PEPROCESS Process, PCUNICODE_STRING ImageFileName);
    /* Processor time in cycles; *UserCycles: what of it is user time, the rest is kernel time. Neither of the
       two ever falls. They are told apart by about a hundred ticks in a second that is run. */
    ULONG64 (*GetProcessTimes)(PEPROCESS Process, PULONG64 UserCycles);
    ULONG64 (*GetThreadTimes)(PETHREAD Thread, PULONG64 UserCycles);

    /* Regions of a process's address space, page granular. The user half ends at 0x7FFFFFFFF000, and its
       first 64 KiB stay empty. MapRegion: *Base is the wanted address, and tells the one that it became; Size
       is rounded up to pages. Section NULL: zeros on demand; else its bytes from Offset on, and the region
       has a reference of its own. Limit: without FIXED, no address at or above it is chosen (0: the end of
       the user half). Tag: the provider's own, told by QueryRegion. STATUS_NO_MEMORY: no hole or no memory.
       STATUS_CONFLICTING_ADDRESSES: see NOREPLACE. STATUS_INVALID_PARAMETER: beyond the limits, not aligned,
       or SHARED without a section. STATUS_ACCESS_DENIED: writable and SHARED, of a data section. */
    NTSTATUS (*MapRegion)(PEPROCESS Process, ULONG_PTR *Base, SIZE_T Size, ULONG MapFlags, ULONG Protection,
                          PMM_SECTION_HANDLE Section, ULONG64 Offset, ULONG_PTR Limit, PVOID Tag);
    NTSTATUS (*UnmapRegion)(PEPROCESS Process, ULONG_PTR Base, SIZE_T Size);
    NTSTATUS (*ProtectRegion)(PEPROCESS Process, ULONG_PTR Base, SIZE_T Size, ULONG Protection);
    NTSTATUS (*SetRegionAttributes)(PEPROCESS Process, ULONG_PTR Base, SIZE_T Size, ULONG Mask, ULONG Value); /* PS_REGION_* */
    NTSTATUS (*DiscardRegion)(PEPROCESS Process, ULONG_PTR Base, SIZE_T Size);
    NTSTATUS (*QueryRegion)(PEPROCESS Process, ULONG_PTR Address, PS_REGION_INFORMATION *Information);
    NTSTATUS (*ReadMemory)(PEPROCESS Process, ULONG_PTR Address, PVOID Buffer, SIZE_T Size);
    NTSTATUS (*WriteMemory)(PEPROCESS Process, ULONG_PTR Address, const VOID *Buffer, SIZE_T Size, BOOLEAN Force);
    VOID (*QueryMemory)(PEPROCESS Process, PS_MEMORY_STATISTICS *Statistics); /* Process NULL: the machine only */

    /* Sections: counted. */
    NTSTATUS (*CreateSection)(SIZE_T Size, PMM_SECTION_HANDLE *Section);
    NTSTATUS (*CreateDataSection)(const VOID *Data, SIZE_T Size, PMM_SECTION_HANDLE *Section);
    VOID (*ReferenceSection)(PMM_SECTION_HANDLE Section);
    VOID (*DereferenceSection)(PMM_SECTION_HANDLE Section);
    NTSTATUS (*ResizeSection)(PMM_SECTION_HANDLE Section, SIZE_T Size);
    NTSTATUS (*ReadSection)(PMM_SECTION_HANDLE Section, ULONG64 Offset, PVOID Buffer, SIZE_T Size, SIZE_T *Done);
    NTSTATUS (*WriteSection)(PMM_SECTION_HANDLE Section, ULONG64 Offset, const VOID *Buffer, SIZE_T Size, SIZE_T *Done);

    /* The current process's memory: STATUS_ACCESS_VIOLATION, never an exception. */
    NTSTATUS (*CopyFromUser)(PVOID Destination, const VOID *UserSource, SIZE_T Size);
    NTSTATUS (*CopyToUser)(PVOID UserDestination, const VOID *Source, SIZE_T Size);
    NTSTATUS (*ZeroUser)(PVOID UserDestination, SIZE_T Size);
    NTSTATUS (*CopyStringFromUser)(char *Destination, const char *UserSource, SIZE_T Size, SIZE_T *Length);
    NTSTATUS (*ReadUser32)(const volatile ULONG *Address, PULONG Value);
    NTSTATUS (*CompareExchangeUser32)(volatile ULONG *Address, ULONG Expected, ULONG New, PULONG Previous);
    NTSTATUS (*ExchangeUser32)(volatile ULONG *Address, ULONG New, PULONG Previous);
    NTSTATUS (*ExchangeAddUser32)(volatile ULONG *Address, ULONG Addend, PULONG Previous);
    NTSTATUS (*QueryWaitKey)(ULONG_PTR Address, BOOLEAN Shared, PS_WAIT_KEY *Key);

    /* Files of the boot archives: entries stay for ever. */
    struct _IO_ARCHIVE_FILE const *(*FirstFile)(const char *Prefix);
    struct _IO_ARCHIVE_FILE const *(*NextFile)(struct _IO_ARCHIVE_FILE const *File, const char *Prefix);
    NTSTATUS (*OpenFileObject)(struct _IO_ARCHIVE_FILE const *File, PFILE_OBJECT *FileObject);

    /* The console. */
    /* Takes what is there, into a kernel buffer, and does not wait: STATUS_PENDING: nothing. 0 bytes: end of
       input. <= DISPATCH */
    NTSTATUS (*ConsoleRead)(PVOID Buffer, SIZE_T Size, SIZE_T *Done);
    NTSTATUS (*ConsoleWrite)(ULONG Stream, const VOID *Buffer, SIZE_T Size); /* Stream 0 the terminal, if input is one, 1 output, 2 error */
    BOOLEAN (*ConsoleIsTerminal)(ULONG Stream); /* 0 input, 1, 2 */
    ULONG (*ConsoleGetMode)(VOID); /* IO_CONSOLE_* */
    VOID (*ConsoleSetMode)(ULONG Mode);
    VOID (*ConsoleSize)(PUSHORT Columns, PUSHORT Rows); /* of the terminal's window, now */
    ULONG (*ConsoleInputReady)(VOID); /* how many bytes ConsoleRead would give; MAXULONG: the end of input */
    /* Dpc is queued whenever input has come, or is left, that ConsoleRead gives, and when the window has a
       new size. NULL: no more; one that is queued already may still run (KeFlushQueuedDpcs). */
    VOID (*ConsoleSetInputDpc)(PKDPC Dpc);
    /* Input that has been taken and is not wanted, as if it were typed now. <= DISPATCH */
    VOID (*ConsolePutBack)(const VOID *Buffer, SIZE_T Size);
    VOID (*RandomBytes)(PVOID Buffer, SIZE_T Size);

    /* Further routines for regions. MoveRegion: [Old, Old + OldSize), which is of one region (else
       STATUS_ACCESS_VIOLATION), becomes [*Base, *Base + NewSize); its pages move along and no byte is copied.
       MapFlags: FIXED, NOREPLACE, TOPDOWN, and Limit, as for MapRegion; with FIXED and *Base == Old it grows
       in place, or STATUS_CONFLICTING_ADDRESSES. Keep: the old range stays mapped, without its pages. OldSize
       0: a shared region is mapped a second time. After a failure all is as before. */
    NTSTATUS (*MoveRegion)(PEPROCESS Process, ULONG_PTR Old, SIZE_T OldSize, ULONG_PTR *Base, SIZE_T NewSize, ULONG MapFlags,
                           BOOLEAN Keep, ULONG_PTR Limit);
    /* Brings pages in: Access 0 as is best for what is mapped, PS_MEMORY_READ or PS_MEMORY_WRITE as that
       access would. Up to the first page that cannot be had: its status. */
    NTSTATUS (*PopulateRegion)(PEPROCESS Process, ULONG_PTR Base, SIZE_T Size, ULONG Access);
    /* Present[i]: 1 when page i from Base on is in memory, else 0. STATUS_MEMORY_NOT_ALLOCATED: a hole. */
    NTSTATUS (*QueryPages)(PEPROCESS Process, ULONG_PTR Base, SIZE_T Pages, PUCHAR Present);
    /* How large regions with PS_MAP_GROWDOWN become; 8 MiB in a new address space, a clone has its
       parent's. */
    NTSTATUS (*SetGrowLimit)(PEPROCESS Process, SIZE_T Bytes);
    VOID (*QueryTimeBase)(PS_TIME_BASE *Base); /* the same for ever */

    /* Sections that a file system keeps its files in. CreateFileSection: over bytes that stay in memory for
       ever, which are not copied until a page is written or mapped shared; it can be resized. RetireSection:
       DereferenceSection by the owner, and Gone is called when the last reference is given up, perhaps with
       locks of memory held: it may free pool, and no more. */
    NTSTATUS (*CreateFileSection)(const VOID *Data, SIZE_T Size, PMM_SECTION_HANDLE *Section);
    VOID (*RetireSection)(PMM_SECTION_HANDLE Section, VOID (*Gone)(PVOID Context), PVOID Context);
    /* The page in which Offset lies, as bytes; it stays until it is unpinned, even if the section shrinks.
       *Page NULL: the section has none there, and reads zeros. PS_PIN_WRITE: only one of the section's own;
       PS_PIN_MAKE: make it. STATUS_IN_PAGE_ERROR beyond the end, STATUS_NO_MEMORY, STATUS_ACCESS_DENIED
       (WRITE to a data section). */
    NTSTATUS (*PinSectionPage)(PMM_SECTION_HANDLE Section, ULONG64 Offset, ULONG Flags, PVOID *Page);
    VOID (*UnpinSectionPage)(PVOID Page);
    /* How many pages of its own the section has. Data (may be NULL) and Hole: where the first page begins, at
       the one with Offset or behind it, that the section has, or has not; untouched when Offset lies beyond
       the end. */
    ULONG64 (*QuerySection)(PMM_SECTION_HANDLE Section, ULONG64 Offset, PULONG64 Data, PULONG64 Hole);
    VOID (*YieldExecution)(VOID); /* lets a thread run that is ready and as good as the caller, if there is one */
    /* Size in bytes. Components: what the image may hold, in the bits of XSAVE's header; 0: it is
       FXSAVE's. */
    VOID (*QueryFpuState)(PSIZE_T Size, PULONG64 Components);
} PS_SUBSYSTEM_ROUTINES, *PPS_SUBSYSTEM_ROUTINES;

typedef struct _IO_ARCHIVE_FILE {
    const char *Path;   /* "root/bin/busybox" */
    const UCHAR *Data;  /* a symbolic link's data is its target, without NUL */
    SIZE_T Size;
    ULONG Mode;         /* type and permission bits as the archive has them (octal 0100755 ...) */
    ULONG64 ModifyTime; /* seconds since 1970 */
    ULONG Inode;
} IO_ARCHIVE_FILE;

#define IO_CONSOLE_ECHO    1 /* echo what is typed */
#define IO_CONSOLE_LINE    2 /* whole lines, with erase and end of input */
#define IO_CONSOLE_SIGNALS 4 /* ^C is told to the owner instead of being read */
#define IO_CONSOLE_CRNL    8 /* input CR becomes NL, output NL becomes CR NL (terminals) */
#define IO_CONSOLE_RAW     16 /* input as it comes, whatever the others say: for providers with a line discipline of their own */

/* Who is told of ^C, ^\ and ^Z typed in a mode with IO_CONSOLE_SIGNALS (without anybody to tell they are read
   as bytes). Called at PASSIVE_LEVEL in a system thread, one call at a time. NULL ends it: when this returns,
   no call is in progress. Not from inside the routine. */
typedef VOID IO_CONSOLE_SIGNAL(_In_opt_ PVOID Context, _In_ UCHAR Character);
typedef IO_CONSOLE_SIGNAL *PIO_CONSOLE_SIGNAL;
VOID IoSetConsoleSignalRoutine(_In_opt_ PIO_CONSOLE_SIGNAL Routine, _In_opt_ PVOID Context);

/* PASSIVE_LEVEL. The tables must have the right Version and Size: STATUS_REVISION_MISMATCH,
   STATUS_INFO_LENGTH_MISMATCH. STATUS_OBJECT_NAME_COLLISION: a provider of that name is there. Routines:
   filled by the kernel; the caller sets Version and Size. */
NTSTATUS PsRegisterSubsystemProvider(_In_ const PS_SUBSYSTEM_PROVIDER *Provider, _Inout_ PPS_SUBSYSTEM_ROUTINES Routines,
                                     _Out_ PPS_PROVIDER *Handle);
/* New processes are refused at once. Wait FALSE: STATUS_DEVICE_BUSY when a process still holds the provider
   (nothing has changed then). Wait TRUE: returns when the last process has gone. From inside the provider's
   own dispatch: STATUS_INVALID_DEVICE_STATE. */
NTSTATUS PsUnregisterSubsystemProvider(_In_ PPS_PROVIDER Handle, _In_ BOOLEAN Wait);

#endif
