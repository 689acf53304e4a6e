/* SPDX-License-Identifier: MIT */
/*
 * Routines by name. A driver that looks one up does not care whether the kernel exports it or this library
 * holds it. The table of the library's routines is made when it is built (tools/mk/module.mk); a module gets
 * all of them with it.
 */
#include <ntddk.h>

#include "kernel/rtl/rtl.h"

typedef struct _RTLP_ROUTINE {
    PCSTR Name; /* NULL: the end */
    PVOID Address;
} RTLP_ROUTINE;

extern const RTLP_ROUTINE RtlpLibraryRoutines[];

/* The address of the routine or variable with this name; NULL: there is none. PASSIVE_LEVEL. (WDK page of the
   name) */
PVOID MmGetSystemRoutineAddress(PUNICODE_STRING SystemRoutineName)
{
    char Name[128];
    ULONG Length;

    PAGED_CODE();
    NTSTATUS Status = RtlUnicodeToUTF8N(Name, sizeof(Name) - 1, &Length, SystemRoutineName->Buffer,
                                        SystemRoutineName->Length & ~1U);
    if (Status != STATUS_SUCCESS || strnlen(Name, Length) != Length) { /* too long, or ill-formed: no name of ours */
        return NULL;
    }
    Name[Length] = 0;
    for (const RTLP_ROUTINE *Routine = RtlpLibraryRoutines; Routine->Name != NULL; Routine++) {
        if (strcmp(Routine->Name, Name) == 0) {
            return Routine->Address;
        }
    }
    return LdrFindExport(Name);
}
