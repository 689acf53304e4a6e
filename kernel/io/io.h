/* SPDX-License-Identifier: MIT */
/*
 * io for the rest of the kernel: file objects over two devices only, the console and the boot archives;
 * driver objects.
 */
#ifndef PRIMER_IO_H
#define PRIMER_IO_H

#include "arch/boot.h"
#include "kernel/mm/mm.h"
#include <subsystem.h>

typedef enum _IO_FILE_KIND {
    IoFileConsole,
    IoFileArchive,
    IoFileDirectory
} IO_FILE_KIND;

/* Access rights of file objects, those that mean something here. */
#define FILE_READ_DATA  1
#define FILE_WRITE_DATA 2

/* (c) constant; (l) Lock */
struct _FILE_OBJECT {
    SHORT Type;
    SHORT Size;
    IO_FILE_KIND Kind;           /* (c) */
    ULONG Stream;                /* (c) console: 0 input, 1 output, 2 error */
    const IO_ARCHIVE_FILE *File; /* (c) archive file or directory */
    UNICODE_STRING FileName;     /* (c) "\Boot\native\init"; WDK drivers read this member */
    EX_PUSH_LOCK Lock;
    ULONG64 Position;            /* (l) file: of reads without an offset */
    const IO_ARCHIVE_FILE *Last; /* (l) directory: the child that a query returned last; NULL: none yet */
};

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
BOOLEAN IoIsArchiveDirectory(const IO_ARCHIVE_FILE *File);
/* A file object for a stream of the console, or for a file or folder of the archives, with the rights FILE_READ_DATA and
   FILE_WRITE_DATA of Access. STATUS_OBJECT_PATH_SYNTAX_BAD, STATUS_OBJECT_NAME_INVALID, STATUS_OBJECT_NAME_NOT_FOUND,
   STATUS_ACCESS_DENIED, STATUS_MEDIA_WRITE_PROTECTED, STATUS_INSUFFICIENT_RESOURCES. PASSIVE. */
NTSTATUS IoOpenFileByName(PCUNICODE_STRING Name, ACCESS_MASK Access, PFILE_OBJECT *File);

/* Console: kernel buffers, resident. Reads wait in UserMode (termination breaks them: STATUS_ALERTED or the
   like, 0 bytes); 0 bytes and STATUS_SUCCESS: the end of input. Writes send all of it before they return; stream 0 is the
   terminal, if input is one, 1 output, 2 error. */
NTSTATUS IoConsoleRead(PVOID Buffer, SIZE_T Size, SIZE_T *Done);
NTSTATUS IoConsoleWrite(ULONG Stream, const VOID *Buffer, SIZE_T Size);
BOOLEAN IoConsoleIsTerminal(ULONG Stream);
ULONG IoConsoleGetMode(void);
void IoConsoleSetMode(ULONG Mode);
void IoConsoleSize(PUSHORT Columns, PUSHORT Rows);
BOOLEAN IoConsoleInputReady(void);
/* Everything written has left the machine. */
void IoConsoleFlush(void);

#endif
