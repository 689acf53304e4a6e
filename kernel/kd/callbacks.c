/* SPDX-License-Identifier: MIT */
/*
 * Drivers' routines at a bug check. A record is linked and unlinked under KdpCallbackLock, a byte, with
 * interrupts off; the bug check walks the list without it, for its holder may be frozen in the middle: each
 * link is written before the one that leads to it, so that the walk forward always finds its end.
 */
#include "kernel/kd/kdp.h"
#include "kernel/rtl/export.h"

static volatile UCHAR KdpCallbackLock; /* 1: held */
static PKBUGCHECK_CALLBACK_RECORD volatile KdpCallbacks; /* the latest; the others through Entry.Flink */

static ULONG_PTR KdpChecksum(const KBUGCHECK_CALLBACK_RECORD *Record)
{
    return (ULONG_PTR)Record->CallbackRoutine + (ULONG_PTR)Record->Buffer + Record->Length + (ULONG_PTR)Record->Component;
}

/*
 * From now on a bug check calls CallbackRoutine(Buffer, Length), at HIGH_LEVEL, when its report is written
 * and all other processors stand still; the latest one first. The record, of KeInitializeCallbackRecord, and
 * the buffer are resident, and the caller's until it is deregistered. Component is a name for the report.
 * FALSE: the record is registered already. Any IRQL. (WDK page of the name)
 */
BOOLEAN KeRegisterBugCheckCallback(PKBUGCHECK_CALLBACK_RECORD CallbackRecord, PKBUGCHECK_CALLBACK_ROUTINE CallbackRoutine,
                                   PVOID Buffer, ULONG Length, PUCHAR Component)
{
    bool Interrupts = KdpAcquireRaw(&KdpCallbackLock);
    BOOLEAN New = CallbackRecord->State == BufferEmpty;

    if (New) {
        CallbackRecord->CallbackRoutine = CallbackRoutine;
        CallbackRecord->Buffer = Buffer;
        CallbackRecord->Length = Length;
        CallbackRecord->Component = Component;
        CallbackRecord->Checksum = KdpChecksum(CallbackRecord);
        CallbackRecord->State = BufferInserted;
        CallbackRecord->Entry.Flink = (PLIST_ENTRY)KdpCallbacks;
        __atomic_store_n(&KdpCallbacks, CallbackRecord, __ATOMIC_RELEASE);
    }
    KdpReleaseRaw(&KdpCallbackLock, Interrupts);
    return New;
}
EXPORT(KeRegisterBugCheckCallback);

/* The record's routine is not called any more. FALSE: it was not registered. Any IRQL. (WDK page of the
   name) */
BOOLEAN KeDeregisterBugCheckCallback(PKBUGCHECK_CALLBACK_RECORD CallbackRecord)
{
    bool Interrupts = KdpAcquireRaw(&KdpCallbackLock);
    PKBUGCHECK_CALLBACK_RECORD volatile *Link = &KdpCallbacks;

    while (*Link != NULL && *Link != CallbackRecord) {
        Link = (PKBUGCHECK_CALLBACK_RECORD volatile *)&(*Link)->Entry.Flink;
    }
    BOOLEAN Found = *Link != NULL;
    if (Found) {
        __atomic_store_n(Link, (PKBUGCHECK_CALLBACK_RECORD)CallbackRecord->Entry.Flink, __ATOMIC_RELEASE);
        CallbackRecord->State = BufferEmpty;
    }
    KdpReleaseRaw(&KdpCallbackLock, Interrupts);
    return Found;
}
EXPORT(KeDeregisterBugCheckCallback);

void KdpCallCallbacks(void)
{
    KIRQL Irql = ArchGetIrql();

    ArchSetIrql(HIGH_LEVEL); /* interrupts are off */
    for (PKBUGCHECK_CALLBACK_RECORD Record = KdpCallbacks; Record != NULL;
         Record = (PKBUGCHECK_CALLBACK_RECORD)Record->Entry.Flink) {
        if (Record->State != BufferInserted || Record->Checksum != KdpChecksum(Record)) {
            DbgPrint("bug-check callback record %p has been overwritten\n", Record);
            break;
        }
        Record->State = BufferStarted;
        DbgPrint("bug-check callback of %s\n", Record->Component != NULL ? (PCSTR)Record->Component : "nobody");
        Record->CallbackRoutine(Record->Buffer, Record->Length);
        Record->State = BufferFinished;
    }
    ArchSetIrql(Irql);
}

const void *KdFindCallback(const void *Base, SIZE_T Size)
{
    bool Interrupts = KdpAcquireRaw(&KdpCallbackLock);
    PKBUGCHECK_CALLBACK_RECORD Record = KdpCallbacks;

    while (Record != NULL && (ULONG_PTR)Record->CallbackRoutine - (ULONG_PTR)Base >= Size) {
        Record = (PKBUGCHECK_CALLBACK_RECORD)Record->Entry.Flink;
    }
    const void *Routine = Record != NULL ? (const void *)Record->CallbackRoutine : NULL;
    KdpReleaseRaw(&KdpCallbackLock, Interrupts);
    return Routine;
}
