/* SPDX-License-Identifier: MIT */
/* What the parts of the tests' child program share. */
#ifndef PRIMER_CHILD_H
#define PRIMER_CHILD_H

#include "../test.h"

int ChildArgumentSum(int Count, char **Arguments);
int MakeException(PCSTR Kind);

/* ---- far.c ---- */

/* Kinds of far transfer and places for the stack pointer, by number. A call writes to its stack; the places
   that would take it, the kernel's own memory under QEMU (docs/hazards), stand last and are for returns
   only. */
#define FAR_RETURNS     7
#define FAR_KINDS       10
#define FAR_CALL_PLACES 9
#define FAR_PLACES      12
/* The program's own stack, with what the transfer needs: it works, or is refused. */
#define FAR_OWN  100
#define FAR_DONE 5

int GoFar(ULONG64 Kind, ULONG64 Place);

/* ---- wild.c ---- */

#define SCRATCH_SIZE   0x4000 /* followed by a page that is not there */
#define WILD_AREA_SIZE 0x8000

enum {
    OWNED_EVENT,
    OWNED_TURN,
    OWNED_FOLDER,
    OWNED_FILE,
    OWNED_PROCESS,
    OWNED_THREAD,
    OWNED_MUTANT,
    OWNED_SEMAPHORE,
    OWNED_TIMER,
    OWNED_SECTION,
    OWNED_NAMES, /* a directory of objects */
    OWNED_CHURNED, /* closed, and made again as something else, now and then */
    HANDLES_OWNED
};

/* One of the wild threads: where its values come from. */
typedef struct _WILD {
    ULONG64 Random;
    ULONG Count;
    PUCHAR Scratch; /* for results, and full of wild values */
    PUCHAR Area;    /* memory to change the protection of */
    PUCHAR Answers; /* zeroed before a right call, that may write answers there and nowhere else */
    HANDLE Owned[HANDLES_OWNED];
    LARGE_INTEGER Soon;
    CLIENT_ID Nobody;

    /* Right arguments (almost.c) */
    PVOID Zero, AreaBase;
    SIZE_T Size;
    UNICODE_STRING Path, Nonsense;
    OBJECT_ATTRIBUTES Attributes;
    RTL_USER_PROCESS_PARAMETERS Parameters;
    SUBSYSTEM_PROGRAM Program;
    KPRIORITY Priority;
    LARGE_INTEGER SectionSize;
    CONTEXT *Context;
} WILD, *PWILD;

/* What a wild process tells of itself, in a section of this name, if somebody has made one. */
#define WILD_REPORT L"\\BaseNamedObjects\\wild-report"
typedef struct _WILD_REPORT {
    volatile LONG64 Calls;
    volatile LONG64 KernelAddress; /* that a service has told; 0: none has */
    volatile LONG64 Service;
} WILD_REPORT_DATA, *PWILD_REPORT;
extern PWILD_REPORT WildReport;

/* Eight threads, Count calls each, and one that writes to their arguments. Returns 0 if the process lives to
   see the end. */
int BeWild(ULONG64 Seed, ULONG Count);
ULONG64 Below(PWILD Wild, ULONG64 Limit);
ULONG64 WildValue(PWILD Wild);

/* ---- almost.c ---- */

VOID MakeArguments(PWILD Wild);
VOID CallAlmostRight(PWILD Wild);

#endif
