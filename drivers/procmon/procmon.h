/* SPDX-License-Identifier: MIT */
/* What the driver procmon tells the program procmon: a read returns as many whole records as fit. */
#pragma once

#define PROCMON_DEVICE_NAME L"\\Device\\ProcMon"
#define PROCMON_LINK_NAME   L"\\??\\ProcMon"

typedef enum _PROCMON_EVENT {
    ProcMonProcessCreated, /* ThreadId: the thread that created it */
    ProcMonProcessEnded,   /* ThreadId: its last thread */
    ProcMonThreadCreated,
    ProcMonThreadEnded,
    ProcMonImageLoaded, /* ThreadId: the thread that told of it; ProcessId 0: a module of the kernel */
    ProcMonEventCount
} PROCMON_EVENT;

typedef struct _PROCMON_RECORD {
    ULONG64 Time; /* since the start of the system, in units of 100 ns */
    ULONG Event;  /* PROCMON_EVENT */
    ULONG ProcessId;
    ULONG ThreadId;
    ULONG Lost;    /* events that happened directly before this one and found no room */
    CHAR Name[72]; /* UTF-8, cut to what fits, NUL-terminated; empty for threads */
} PROCMON_RECORD, *PPROCMON_RECORD;
