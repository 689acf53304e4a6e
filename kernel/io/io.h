/* SPDX-License-Identifier: MIT */
/*
 * io for the rest of the kernel: drivers, devices, files and the requests on them; two devices of its own,
 * the console and the boot archives.
 */
#ifndef PRIMER_IO_H
#define PRIMER_IO_H

#include "arch/boot.h"
#include "kernel/ex/ex.h"
#include "kernel/mm/mm.h"
#include <display.h>
#include <subsystem.h>

/* ---- Drivers ---- */

/* A driver object in \Driver without routines, with a reference for the caller; its name holds another, until
   ObMakeTemporaryObject. STATUS_OBJECT_NAME_COLLISION, STATUS_INSUFFICIENT_RESOURCES. PASSIVE. */
NTSTATUS IoMakeDriverObject(PCUNICODE_STRING Name, PDRIVER_OBJECT *Driver);
/* DriverEntry has succeeded: the devices that it has made may be opened. */
void IoDriverStarted(PDRIVER_OBJECT Driver);
/* Nothing is opened on the driver's devices any more. FALSE: files are still open; IoWaitForFiles waits until
   the last one has gone. IoEndUnload: as before. */
BOOLEAN IoBeginUnload(PDRIVER_OBJECT Driver);
void IoWaitForFiles(PDRIVER_OBJECT Driver);
void IoEndUnload(PDRIVER_OBJECT Driver);

/* ---- Opening and requests ---- */

/* How to open a file: the Context of ObLookupName, with *IoFileObjectType. The look-up's statuses, or the
   driver's. */
typedef struct _IO_OPEN {
    ULONG Disposition; /* FILE_OPEN ... */
    ULONG Options;     /* FILE_SYNCHRONOUS_IO_NONALERT ..., checked */
    USHORT FileAttributes, ShareAccess;
    ULONG_PTR Information; /* out: what the driver has said */
} IO_OPEN, *PIO_OPEN;

/* A request on an open file. Input and Output, Block and the APC routine are the caller's, in its mode. */
typedef struct _IO_REQUEST {
    PFILE_OBJECT File;   /* a reference, which IoIssueRequest takes over */
    PKEVENT Event;       /* likewise; NULL: the file's own, unless Wait. Signalled with the answer */
    KPROCESSOR_MODE Mode;
    UCHAR Major, Minor, Flags;
    BOOLEAN Wait;        /* for the answer, however the file was opened */
    BOOLEAN UsePosition; /* of the file, instead of Offset */
    ULONG Code;          /* control code, or class of information */
    PVOID Input;
    ULONG InputLength;
    PVOID Output;
    ULONG OutputLength;
    LARGE_INTEGER Offset;
    PIO_STATUS_BLOCK Block;
    PIO_APC_ROUTINE ApcRoutine;
    PVOID ApcContext;
} IO_REQUEST;

/* Sends the request to the file's device. STATUS_PENDING: the answer comes later, never for a file opened
   with FILE_SYNCHRONOUS_IO_*. STATUS_ACCESS_VIOLATION, STATUS_INSUFFICIENT_RESOURCES, or the driver's status.
   PASSIVE. */
NTSTATUS IoIssueRequest(IO_REQUEST *Request);
/* Cancels a thread's requests that programs have made, on a file (NULL: on all), with a status block (NULL:
   with any). FALSE: there is none. The thread stays meanwhile. PASSIVE. */
BOOLEAN IoCancelRequests(PKTHREAD Thread, PFILE_OBJECT File, PIO_STATUS_BLOCK Block);
/* The current thread ends: the same, and waits until all of them have been answered. PASSIVE, kernel APCs
   enabled. */
void IoRundownThread(void);

/* ---- Start-up, the boot archives, the console ---- */

void IoInitialize(PBOOT_INFORMATION Boot); /* indexes the archives; PASSIVE */
void IoInitializeConsole(void);            /* after interrupts work; writes the marker and "@stdio" */

/* Archive tree: hash or sorted index by path; a later entry of the same path wins. Directories that no entry
   names are implied. */
const IO_ARCHIVE_FILE *IoLookupArchive(const char *Path);
const IO_ARCHIVE_FILE *IoFirstArchiveFile(const char *Prefix);
const IO_ARCHIVE_FILE *IoNextArchiveFile(const IO_ARCHIVE_FILE *File, const char *Prefix);
/* The section over the file's bytes, made once and kept; referenced for the caller. */
NTSTATUS IoArchiveSection(const IO_ARCHIVE_FILE *File, PMM_SECTION *Section);
NTSTATUS IoOpenArchiveFile(const IO_ARCHIVE_FILE *File, PFILE_OBJECT *FileObject);
/* What a file object stands for; NULL: not for a file of the archives. */
const IO_ARCHIVE_FILE *IoFileInArchive(PFILE_OBJECT File);
BOOLEAN IoIsArchiveDirectory(const IO_ARCHIVE_FILE *File);

/* Console: kernel buffers, resident. Reads wait in UserMode (termination breaks them: STATUS_ALERTED or the
   like, 0 bytes); 0 bytes and STATUS_SUCCESS: the end of input. Writes send all of it before they return;
   stream 0 is the terminal, if input is one, 1 output, 2 error. */
NTSTATUS IoConsoleTake(PVOID Buffer, SIZE_T Size, SIZE_T *Done);
NTSTATUS IoConsoleRead(PVOID Buffer, SIZE_T Size, SIZE_T *Done);
NTSTATUS IoConsoleWrite(ULONG Stream, const VOID *Buffer, SIZE_T Size);
BOOLEAN IoConsoleIsTerminal(ULONG Stream);
ULONG IoConsoleGetMode(void);
void IoConsoleSetMode(ULONG Mode);
void IoConsoleSize(PUSHORT Columns, PUSHORT Rows);
ULONG IoConsoleInputReady(void);
void IoConsoleSetInputDpc(PKDPC Dpc);
/* Everything written has left the machine. */
void IoConsoleFlush(void);

/* Is an interrupt object still connected to a routine of the module? PASSIVE. */
bool IoFindLeftover(const EX_MODULE *Module, PEX_LEFTOVER Left);

#endif
