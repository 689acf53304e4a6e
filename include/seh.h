/* SPDX-License-Identifier: MIT */
/*
 * Structured exceptions for kernel code and modules. GCC and Clang offer no __try on this target, so the
 * blocks are macros over a chain of frames that hangs off the thread:
 *
 *      _SEH2_TRY {
 *          ProbeForRead(UserPointer, Size, 1);
 *          RtlCopyMemory(Local, UserPointer, Size);
 *      } _SEH2_EXCEPT(EXCEPTION_EXECUTE_HANDLER) {
 *          _SEH2_YIELD(return _SEH2_GetExceptionCode());
 *      } _SEH2_END;
 *
 * A local variable that is changed inside the block and read in the handler or after the block must be
 * volatile: the handler runs in the frame as it was saved at _SEH2_TRY. A block is left at its end or through
 * _SEH2_YIELD(statement) from the handler; never by return, break or goto from inside the _SEH2_TRY or
 * _SEH2_FINALLY body. No exception crosses an interrupt or a DPC. Filters may call _SEH2_GetExceptionCode()
 * and are evaluated after the block was left.
 */
#ifndef PRIMER_SEH_H
#define PRIMER_SEH_H

#include <ntdef.h>
#include <ntstatus.h>

#ifndef EXCEPTION_EXECUTE_HANDLER
#define EXCEPTION_EXECUTE_HANDLER    1
#define EXCEPTION_CONTINUE_SEARCH    0
#define EXCEPTION_CONTINUE_EXECUTION (-1)
#endif

typedef struct _SEH_FRAME {
    struct _SEH_FRAME *Previous;
    ULONG64 Context[8];
    volatile NTSTATUS Code;
    BOOLEAN UserAccessWasOpen; /* the SMAP window at the block's start */
    UCHAR Irql;
} SEH_FRAME, *PSEH_FRAME;

VOID ExpEnterTry(PSEH_FRAME Frame);
VOID ExpLeaveTry(PSEH_FRAME Frame);
/* Goes on to the next outer block with the same code. */
NORETURN VOID ExpContinueSearch(PSEH_FRAME Frame);
/* Saves the registers of the caller, and returns 0; again, and not 0, when an exception is handled. Any IRQL;
   does not block. For the macros below alone. */
__attribute__((returns_twice)) int ArchSaveContext(ULONG64 Context[8]);

NORETURN VOID ExRaiseStatus(_In_ NTSTATUS Status);
NORETURN VOID ExRaiseAccessViolation(VOID);
NORETURN VOID ExRaiseDatatypeMisalignment(VOID);

#define _SEH2_TRY                                                                                                      \
    {                                                                                                                  \
        SEH_FRAME SehFrame_;                                                                                           \
        __attribute__((unused)) volatile int SehFinally_ = 0;                                                          \
        ExpEnterTry(&SehFrame_);                                                                                       \
        if (ArchSaveContext(SehFrame_.Context) == 0) {                                                                 \
            {

#define _SEH2_EXCEPT(Filter)                                                                                           \
            }                                                                                                          \
            ExpLeaveTry(&SehFrame_);                                                                                   \
        } else if ((Filter) != EXCEPTION_EXECUTE_HANDLER) {                                                            \
            ExpContinueSearch(&SehFrame_);                                                                             \
        } else {

#define _SEH2_FINALLY                                                                                                  \
            }                                                                                                          \
            ExpLeaveTry(&SehFrame_);                                                                                   \
        } else {                                                                                                       \
            SehFinally_ = 1;                                                                                           \
        }                                                                                                              \
        {

#define _SEH2_END                                                                                                      \
        }                                                                                                              \
        if (SehFinally_) {                                                                                             \
            ExpContinueSearch(&SehFrame_);                                                                             \
        }                                                                                                              \
    }                                                                                                                  \
    ((void)0)

#define _SEH2_GetExceptionCode() (SehFrame_.Code)
#define _SEH2_AbnormalTermination() (SehFinally_ != 0)
#define _SEH2_YIELD(Statement) Statement

#endif
