/* SPDX-License-Identifier: MIT */
/*
 * libnt: what a native program is linked with. The system services themselves are declared in <ntapi.h>; this
 * header adds start-up (`main`), output and input, boot files, a heap, threads, and starting other programs.
 *
 * How a program starts. The kernel enters `_start` with
 *     RDI       the PEB                (a thread of NtCreateThreadEx: its Argument)
 *     GS base   the TEB
 *     RSP       16 n + 8, as behind a CALL; there is no return address that could be used
 * and the flags of a fresh program. `_start` (start.c) calls main(argc, argv) with the arguments that the
 * creator gave, byte for byte, and ends the process with what main returns. An image that carries the note
 * "Primer", type 1, is a native one.
 */
#ifndef PRIMER_LIBNT_H
#define PRIMER_LIBNT_H

#include <ntapi.h>
#include <ntrtl.h>

int main(int argc, char **argv);

/* ---- This process and thread ---- */

PTEB NtCurrentTeb(VOID);
PPEB NtCurrentPeb(VOID);
/* Ends the process; 0 to 255 is what a shell shows. */
NORETURN VOID Exit(NTSTATUS Status);

/* ---- Output and input (console.c) ---- */

#define INPUT_STREAM  0
#define OUTPUT_STREAM 1
#define ERROR_STREAM  2

/* The console modes of <subsystem.h>, which is for kernel modules only. */
#ifndef IO_CONSOLE_ECHO
#define IO_CONSOLE_ECHO    1
#define IO_CONSOLE_LINE    2
#define IO_CONSOLE_SIGNALS 4
#define IO_CONSOLE_CRNL    8
#endif

/* The handle that the creator gave for a stream, or, if it gave none, one to the console that children
   inherit. */
HANDLE StandardHandle(ULONG Stream);
BOOLEAN IsTerminal(ULONG Stream);
/* Formats by the driver kit's rules (see kernel/rtl/rtl.h: `%lu` is 32 bits, `%I64u` 64), to standard output
   or error. */
VOID Print(PCSTR Format, ...);
VOID PrintError(PCSTR Format, ...);
/* One line, of at most 500 bytes, for the kernel's log. The line's end is added. */
VOID Log(PCSTR Format, ...);
NTSTATUS WriteAll(HANDLE File, const VOID *Data, SIZE_T Size);
/* Standard input: how many bytes came, at least one; 0 at its end; -1 for an error. */
SSIZE_T ReadInput(PVOID Buffer, ULONG Size);
/* Formats into Buffer, NUL-terminated, cut at Size. Returns the length that the whole text has. */
SIZE_T FormatText(char *Buffer, SIZE_T Size, PCSTR Format, ...);

/* ---- Files of the boot archives (file.c); names such as "\Boot\native\init" ---- */

NTSTATUS OpenPath(PCSTR Path, ACCESS_MASK Access, PHANDLE File);
/* The whole file, on the heap, a NUL behind it that Size does not count. */
NTSTATUS ReadBootFile(PCSTR Path, PVOID *Data, PSIZE_T Size);
typedef VOID NAME_VISITOR(PVOID Context, PCSTR Name);
NTSTATUS ListFolder(PCSTR Path, NAME_VISITOR *Visit, PVOID Context);

/* ---- Heap (heap.c): safe for several threads; NULL when memory is out ---- */

PVOID HeapAllocate(SIZE_T Size);
VOID HeapFree(PVOID Memory);

/* ---- Threads (thread.c) ---- */

/* The thread ends when Start returns. Thread may be NULL: the handle is closed then. */
NTSTATUS CreateThread(PUSER_THREAD_START Start, PVOID Argument, PHANDLE Thread);
VOID Sleep(ULONG Milliseconds);

/* ---- Exceptions (dispatch.c) ---- */

/* A handler looks at the record and may change the registers; EXCEPTION_CONTINUE_EXECUTION: the thread goes
   on with these, EXCEPTION_CONTINUE_SEARCH: the next handler is asked. When none is left the process ends
   with the exception's code. */
typedef LONG (*PVECTORED_EXCEPTION_HANDLER)(PEXCEPTION_POINTERS ExceptionInfo);
/* First not 0: asked before all others. A handle for the removal; NULL: out of memory. */
PVOID RtlAddVectoredExceptionHandler(ULONG First, PVECTORED_EXCEPTION_HANDLER Handler);
/* 1, or 0 when it is not there (any more). Another thread may still be in the handler. */
ULONG RtlRemoveVectoredExceptionHandler(PVOID Handle);
/* The exception, at the caller's return address; returns when a handler continues there. */
VOID RtlRaiseException(PEXCEPTION_RECORD Record);
/* An exception of this code that cannot be continued. */
NORETURN VOID RtlRaiseStatus(NTSTATUS Status);

/* ---- Programs (process.c) ---- */

/* The chain of all processes, on the heap, and its size in bytes. It may grow between two calls: asked until
   it fits. */
NTSTATUS QueryProcesses(SYSTEM_PROCESS_INFORMATION **First, PULONG Size);

/* The table that the program tasks prints, of such a chain. */
VOID PrintProcessTable(const SYSTEM_PROCESS_INFORMATION *First);
/* "waiting" and the like. */
PCSTR ThreadStateName(ULONG State);

/* A native program: "hello" stands for "\Boot\native\hello". Arguments[0] is its own name. Thread may be
   NULL. ThreadFlags: 0 or THREAD_CREATE_FLAGS_CREATE_SUSPENDED. It inherits the standard handles. */
NTSTATUS StartNative(PCSTR Name, ULONG Count, char *const *Arguments, ULONG ThreadFlags, PHANDLE Process,
                     PHANDLE Thread);
/* A program of a subsystem. Path as that subsystem writes it; a bare name goes through its PATH. */
NTSTATUS StartSubsystem(PCSTR Provider, PCSTR Path, ULONG Count, char *const *Arguments, PHANDLE Process);
/* TRUE when a subsystem provider of that name is loaded. */
BOOLEAN HasProvider(PCSTR Provider);
/* Waits for the end of a process; its exit status. */
NTSTATUS WaitForProcess(HANDLE Process);
NTSTATUS LoadModule(PCSTR Name);
NTSTATUS UnloadModule(PCSTR Name);

/* ---- Status codes (status.c) ---- */

#define EXIT_NOT_EXECUTABLE 126
#define EXIT_NOT_FOUND      127

/* An exit status as a shell would show it: 0 to 255. See status.c for the table. */
ULONG ExitCode(NTSTATUS ExitStatus);
/* The same for a program that could not be started. */
ULONG StartFailureCode(NTSTATUS Status);
typedef char STATUS_TEXT[32];
PCSTR StatusText(NTSTATUS Status, STATUS_TEXT Buffer);

#endif
