/* SPDX-License-Identifier: MIT */
/*
 * Between image.c, which puts native programs into memory, and create.c, which makes processes of them.
 */
#ifndef PRIMER_PS_IMAGE_H
#define PRIMER_PS_IMAGE_H

#include <elfimage.h>
#include "ps/psp.h"

/* A program file, checked. (c) all of it */
typedef struct _PSP_IMAGE {
    const IO_ARCHIVE_FILE *File;
    PFILE_OBJECT FileObject; /* referenced */
    UNICODE_STRING FileName; /* its full name, in pool */
    PMM_SECTION Section;     /* referenced */
    LDR_ELF_IMAGE Elf;
    ULONG64 Bias;
} PSP_IMAGE;

/* The start of the region that a process's PEB points out: both structures and, behind them, the strings. */
typedef struct _PSP_PEB_BLOCK {
    PEB Peb;
    RTL_USER_PROCESS_PARAMETERS Parameters;
} PSP_PEB_BLOCK;

/* STATUS_OBJECT_NAME_NOT_FOUND, STATUS_FILE_IS_A_DIRECTORY; STATUS_INVALID_IMAGE_FORMAT and the others of
   LdrParseElfImage. */
NTSTATUS PspOpenImage(PCUNICODE_STRING Name, PSP_IMAGE **Image);
void PspCloseImage(PSP_IMAGE *Image);
/* The process has no id yet: nobody else touches its space. */
NTSTATUS PspMapImage(PEPROCESS Process, const PSP_IMAGE *Image);
/* Block: Size bytes whose pointers point into the block itself; relocated and copied out. */
NTSTATUS PspCreatePeb(PEPROCESS Process, PSP_PEB_BLOCK *Block, SIZE_T Size);
/* PspEndUnborn for a thread of PspCreateNativeThread: its user memory goes, too. */
void PspDiscardNativeThread(PETHREAD Thread, NTSTATUS Status);

#endif
