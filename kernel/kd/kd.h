/* SPDX-License-Identifier: MIT */
/*
 * kd for the rest of the kernel: the log, symbols, the bug check, the trace ring.
 */
#ifndef PRIMER_KD_H
#define PRIMER_KD_H

#include <kdhooks.h>
#include "arch/arch.h"
#include "kernel/kd/locks.h"
#include "kernel/kd/trace.h"

/* Writes text to the log (the caller ends its line with a line feed), and keeps it in a ring for the
   debugger. Message: an '@' at its beginning is meant (see log.c). Any IRQL, any context but NMI. */
void KdWrite(const char *Text, SIZE_T Length, BOOLEAN Message);
/* A message after which nothing is written but a bug check. */
void KdWriteLastMessage(const char *Text);

/* The symbols of a text, the kernel's own or a module's. */
typedef struct _KD_SYMBOL {
    ULONG Offset; /* from KD_SYMBOLS.Base */
    ULONG Name;   /* offset in KD_SYMBOLS.Names */
} KD_SYMBOL;
typedef struct _KD_SYMBOLS {
    struct _KD_SYMBOLS *Next;
    const char *Module; /* NULL: the kernel */
    ULONG64 Base;
    ULONG64 Start, End; /* the text */
    ULONG Count;
    KD_SYMBOL *Symbol; /* in no order */
    const char *Names;
} KD_SYMBOLS;
/* A module's come and go, under the loader's lock. Removal waits for nobody: only a bug check reads them. */
void KdAddSymbols(KD_SYMBOLS *Symbols);
void KdRemoveSymbols(KD_SYMBOLS *Symbols);

/* "bug!Lock", "KeSetEvent+0x12", "pool 'Test'+0x10", or the address: in Buffer, which is returned. */
#define KD_NAME_SIZE 96
PCSTR KdName(PCVOID Address, PSTR Buffer, SIZE_T Size);
/* KD_SERVICES.ReportLocks */
VOID KdReportLocks(VOID (*Write)(PCSTR Text, SIZE_T Length));

/* The documented bug check codes, and from 0x50001 on those of Primer's own use: of the lock checks, whose
   parameters are the lock, the class held, the class wanted and the processor, and others. */
#define KD_BUGCHECK_CODES(X)                                                                                 \
    X(APC_INDEX_MISMATCH, 0x01)                                                                              \
    X(INVALID_AFFINITY_SET, 0x03)                                                                            \
    X(INVALID_PROCESS_ATTACH_ATTEMPT, 0x05)                                                                  \
    X(INVALID_PROCESS_DETACH_ATTEMPT, 0x06)                                                                  \
    X(IRQL_NOT_DISPATCH_LEVEL, 0x08)                                                                         \
    X(IRQL_NOT_GREATER_OR_EQUAL, 0x09)                                                                       \
    X(IRQL_NOT_LESS_OR_EQUAL, 0x0A)                                                                          \
    X(MAXIMUM_WAIT_OBJECTS_EXCEEDED, 0x0C)                                                                   \
    X(SPIN_LOCK_ALREADY_OWNED, 0x0F)                                                                         \
    X(SPIN_LOCK_NOT_OWNED, 0x10)                                                                             \
    X(CID_HANDLE_CREATION, 0x16)                                                                             \
    X(CID_HANDLE_DELETION, 0x17)                                                                             \
    X(REFERENCE_BY_POINTER, 0x18)                                                                            \
    X(BAD_POOL_HEADER, 0x19)                                                                                 \
    X(KMODE_EXCEPTION_NOT_HANDLED, 0x1E)                                                                     \
    X(PHASE0_INITIALIZATION_FAILED, 0x31)                                                                    \
    X(PHASE1_INITIALIZATION_FAILED, 0x32)                                                                    \
    X(NO_MORE_IRP_STACK_LOCATIONS, 0x35)                                                                     \
    X(SYSTEM_EXIT_OWNED_MUTEX, 0x39)                                                                         \
    X(MULTIPLE_IRP_COMPLETE_REQUESTS, 0x44)                                                                  \
    X(CANCEL_STATE_IN_COMPLETED_IRP, 0x48)                                                                   \
    X(PAGE_FAULT_WITH_INTERRUPTS_OFF, 0x49)                                                                  \
    X(IRQL_GT_ZERO_AT_SYSTEM_SERVICE, 0x4A)                                                                  \
    X(PAGE_FAULT_IN_NONPAGED_AREA, 0x50)                                                                     \
    X(UNEXPECTED_KERNEL_MODE_TRAP, 0x7F)                                                                     \
    X(MACHINE_CHECK_EXCEPTION, 0x9C)                                                                         \
    X(ATTEMPTED_SWITCH_FROM_DPC, 0xB8)                                                                       \
    X(BAD_POOL_CALLER, 0xC2)                                                                                 \
    X(DRIVER_VERIFIER_DETECTED_VIOLATION, 0xC4)                                                              \
    X(IRQL_UNEXPECTED_VALUE, 0xC8)                                                                           \
    X(DRIVER_VERIFIER_IOMANAGER_VIOLATION, 0xC9)                                                             \
    X(DRIVER_UNLOADED_WITHOUT_CANCELLING_PENDING_OPERATIONS, 0xCE)                                           \
    X(MANUALLY_INITIATED_CRASH, 0xE2)                                                                        \
    X(RESOURCE_NOT_OWNED, 0xE3)                                                                              \
    X(WORKER_THREAD_RETURNED_AT_BAD_IRQL, 0xE1)                                                              \
    X(WORKER_INVALID, 0xE4)                                                                                  \
    X(CLOCK_WATCHDOG_TIMEOUT, 0x101)                                                                         \
    X(DPC_WATCHDOG_VIOLATION, 0x133)                                                                         \
    X(KERNEL_SECURITY_CHECK_FAILURE, 0x139)                                                                  \
    X(THREAD_TERMINATE_HELD_MUTEX, 0x4000008A)                                                               \
    X(INVALID_RUNDOWN_PROTECTION_FLAGS, 0x16C)                                                               \
    X(ERESOURCE_INVALID_RELEASE, 0x16E)                                                                      \
    X(WAIT_EXPECTED, 0x50010)                                                                                \
    X(IRP_CONTRACT_VIOLATION, 0x50012)                                                                       \
    X(LOCK_ORDER_VIOLATION, 0x50001)                                                                         \
    X(LOCK_HELD_WHILE_BLOCKING, 0x50002)                                                                     \
    X(PROVIDER_CONTRACT_VIOLATION, 0x50003)                                                                  \
    X(ASSERTION_FAILED, 0x50004)                                                                             \
    X(BLOCKING_LOCK_WITH_APCS_ENABLED, 0x50005)                                                             \
    X(LOCK_DEADLOCK, 0x50006)                                                                                \
    X(PRIORITY_NOT_RESPECTED, 0x50011)

#define KD_DEFINE(Name, Code) Name = Code,
enum {
    KD_BUGCHECK_CODES(KD_DEFINE)
};
#undef KD_DEFINE

/* Like KeBugCheckEx with the registers of the fault that led here (Frame may be NULL) and a sentence for the
   reader. */
NORETURN void KdBugCheck(ULONG Code, ULONG64 P1, ULONG64 P2, ULONG64 P3, ULONG64 P4, PKTRAP_FRAME Frame,
                         const char *Format, ...) __attribute__((cold));
/* A processor made no progress: same dump, announced as a hang. Frame: where the reporting processor was
   interrupted, or NULL. */
NORETURN void KdReportHang(ULONG Processor, const char *What, PKTRAP_FRAME Frame) __attribute__((cold));

#if DBG
/* Does the highest thread that waits on the processor, and might run elsewhere, wait in vain? Its ReadyLock
   is held, the processor is its own. QuantumUnit: cycles. */
void KdCheckPriorities(struct _KPRCB *Prcb, struct _KTHREAD *Thread, ULONG64 QuantumUnit);
#else
#define KdCheckPriorities(Prcb, Thread, QuantumUnit) ((void)0)
#endif

/* Assertion with expectation and finding in the message; debug builds only. */
#if DBG
#define KI_ASSERT(Condition, Format, ...)                                                                    \
    ((Condition) ? (void)0                                                                                   \
                 : KdBugCheck(ASSERTION_FAILED, 0, 0, 0, 0, NULL, "%s:%d: %s: " Format, __FILE__, __LINE__,  \
                              #Condition, ##__VA_ARGS__))
#else
#define KI_ASSERT(Condition, Format, ...) ((void)0)
#endif

/* A routine at [Base, Base + Size) that is registered for bug checks; NULL: none. Any IRQL. */
const void *KdFindCallback(const void *Base, SIZE_T Size);

/* ---- What the machine calls (ArchHandlers: arch.h has the contracts) ---- */

BOOLEAN KdHandleDebugTrap(PKTRAP_FRAME Frame);
void KdHandleNmi(PKTRAP_FRAME Frame);
NORETURN void KdHandleFatalTrap(PKTRAP_FRAME Frame);

/* ---- What kd asks of those above it: a constant of kernel/init/handlers.c ---- */

/* Everybody may use kd, so kd may rely on nobody but arch and rtl. It must work from the first instruction
   on, and when the rest of the kernel does not. */
typedef struct _KD_HOOKS {
    /* ke's processors: blocks, how many of them are valid, and who runs. */
    PKPRCB *ProcessorBlock;
    volatile ULONG *NumberProcessors;
    volatile KAFFINITY *ActiveProcessors;
    /* mm: does the address lie in the guard page of a kernel stack? */
    BOOLEAN (*IsStackGuard)(ULONG_PTR Address);
    /* mm: the tag of the pool block that the address lies in, and the offset in it; FALSE when it does not
       know. */
    BOOLEAN (*DescribePool)(const void *Address, PULONG Tag, SIZE_T *Offset);
    /* ps: the ids of a thread; FALSE as long as threads have none. */
    BOOLEAN (*QueryThreadIds)(PKTHREAD Thread, CLIENT_ID *Ids);
} KD_HOOKS;

extern const KD_HOOKS KdHooks;

void KdInitialize(void);

#endif
