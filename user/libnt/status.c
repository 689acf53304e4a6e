/* SPDX-License-Identifier: MIT */
/* Status codes for people: exit codes as a shell shows them, and a few words for common failures. */
#include "libnt.h"

#include "kernel/rtl/rtl.h"

/*
 * A process's exit status is an NTSTATUS; a shell shows 0 to 255.
 *
 *   0 to 255                         itself
 *   -256 to -1                       its low eight bits: main returned a small negative number
 *   SUBSYSTEM_EXIT_SIGNAL | N        128 + N: the subsystem's signal N ended it
 *   an exception's status            128 + the signal that a Unix system has for it (the table)
 *   another one                      128
 */
typedef struct _EXIT_CODE {
    NTSTATUS Status;
    ULONG Code;
} EXIT_CODE;

static const EXIT_CODE ExitCodes[] = {
    {STATUS_CONTROL_C_EXIT, 128 + 2},
    {STATUS_ILLEGAL_INSTRUCTION, 128 + 4},
    {STATUS_PRIVILEGED_INSTRUCTION, 128 + 4},
    {STATUS_BREAKPOINT, 128 + 5},
    {STATUS_SINGLE_STEP, 128 + 5},
    {STATUS_ASSERTION_FAILURE, 128 + 6},
    {STATUS_IN_PAGE_ERROR, 128 + 7},
    {STATUS_DATATYPE_MISALIGNMENT, 128 + 7},
    {STATUS_INTEGER_DIVIDE_BY_ZERO, 128 + 8},
    {STATUS_INTEGER_OVERFLOW, 128 + 8},
    {STATUS_FLOAT_DIVIDE_BY_ZERO, 128 + 8},
    {STATUS_FLOAT_INVALID_OPERATION, 128 + 8},
    {STATUS_FLOAT_OVERFLOW, 128 + 8},
    {STATUS_FLOAT_UNDERFLOW, 128 + 8},
    {STATUS_FLOAT_INEXACT_RESULT, 128 + 8},
    {STATUS_FLOAT_DENORMAL_OPERAND, 128 + 8},
    {STATUS_FLOAT_STACK_CHECK, 128 + 8},
    {STATUS_NO_MEMORY, 128 + 9},
    {STATUS_ACCESS_VIOLATION, 128 + 11},
    {STATUS_GUARD_PAGE_VIOLATION, 128 + 11},
    {STATUS_STACK_OVERFLOW, 128 + 11},
    {STATUS_ARRAY_BOUNDS_EXCEEDED, 128 + 11},
};

ULONG ExitCode(NTSTATUS ExitStatus)
{
    ULONG Signal = (ULONG)ExitStatus ^ SUBSYSTEM_EXIT_SIGNAL;
    if (ExitStatus >= -256 && ExitStatus <= 255) {
        return (ULONG)ExitStatus & 0xFF;
    }
    if (Signal > 0 && Signal < 128) {
        return 128 + Signal;
    }
    for (ULONG i = 0; i < RTL_NUMBER_OF(ExitCodes); i++) {
        if (ExitCodes[i].Status == ExitStatus) {
            return ExitCodes[i].Code;
        }
    }
    return 128;
}

ULONG StartFailureCode(NTSTATUS Status)
{
    switch (Status) {
    case STATUS_OBJECT_NAME_NOT_FOUND:
    case STATUS_OBJECT_PATH_NOT_FOUND:
    case STATUS_OBJECT_NAME_INVALID:
    case STATUS_NO_SUCH_FILE:
    case STATUS_NOT_FOUND:
        return EXIT_NOT_FOUND;
    default:
        return EXIT_NOT_EXECUTABLE;
    }
}

typedef struct _STATUS_NAME {
    NTSTATUS Status;
    PCSTR Text;
} STATUS_NAME;

static const STATUS_NAME StatusNames[] = {
    {STATUS_OBJECT_NAME_NOT_FOUND, "not found"},
    {STATUS_OBJECT_PATH_NOT_FOUND, "not found"},
    {STATUS_OBJECT_NAME_INVALID, "not a valid name"},
    {STATUS_NO_SUCH_FILE, "not found"},
    {STATUS_NOT_FOUND, "not found"},
    {STATUS_ACCESS_DENIED, "access denied"},
    {STATUS_INVALID_CID, "no such process"},
    {STATUS_PROCESS_IS_TERMINATING, "is ending already"},
    {STATUS_FILE_IS_A_DIRECTORY, "is a folder"},
    {STATUS_INVALID_IMAGE_FORMAT, "not executable"},
    {STATUS_INVALID_IMAGE_NOT_MZ, "not an ELF file"},
    {STATUS_INVALID_IMAGE_WIN_32, "not a 64-bit program"},
    {STATUS_END_OF_FILE, "cut off, or with a part beyond its end"},
    {STATUS_CONFLICTING_ADDRESSES, "asks for addresses that it cannot have"},
    {STATUS_ENTRYPOINT_NOT_FOUND, "unresolved symbols, see the log"},
    {STATUS_IMAGE_ALREADY_LOADED, "is loaded already"},
    {STATUS_REVISION_MISMATCH, "built for another interface"},
    {STATUS_INVALID_DEVICE_REQUEST, "cannot be unloaded"},
    {STATUS_DEVICE_BUSY, "in use"},
    {STATUS_NO_MEMORY, "out of memory"},
    {STATUS_INSUFFICIENT_RESOURCES, "out of memory"},
    {STATUS_NOT_IMPLEMENTED, "not implemented"},
    {STATUS_ACCESS_VIOLATION, "access violation"},
    {STATUS_STACK_OVERFLOW, "stack overflow"},
    {STATUS_ILLEGAL_INSTRUCTION, "illegal instruction"},
    {STATUS_PRIVILEGED_INSTRUCTION, "privileged instruction"},
    {STATUS_INTEGER_DIVIDE_BY_ZERO, "division by zero"},
    {STATUS_BREAKPOINT, "breakpoint"},
};

PCSTR StatusText(NTSTATUS Status, STATUS_TEXT Buffer)
{
    for (ULONG i = 0; i < RTL_NUMBER_OF(StatusNames); i++) {
        if (StatusNames[i].Status == Status) {
            return StatusNames[i].Text;
        }
    }
    FormatText(Buffer, sizeof(STATUS_TEXT), "status 0x%08X", Status);
    return Buffer;
}
