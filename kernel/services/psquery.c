/* SPDX-License-Identifier: MIT */
/*
 * What drivers ask about a process by its object: names, parent, session, cycles, token. (Classes by handle:
 * query.c; what the process manager answers without a lock: ps/.)
 */
#include "kernel/services/services.h"
#include "kernel/kd/kd.h"
#include "kernel/rtl/export.h"
#include "kernel/rtl/rtl.h"
#include "ps/ps.h"
#include "sync/pushlock.h"

/* The thread and, if asked for, its process, both referenced. STATUS_INVALID_CID: no such thread, or not of
   that process. <= APC. (no WDK page) */
NTSTATUS PsLookupProcessThreadByCid(PCLIENT_ID ClientId, PEPROCESS *Process, PETHREAD *Thread)
{
    PETHREAD Found = ObLookupClientId(ClientId->UniqueThread, *PsThreadType);
    if (Found == NULL) {
        return STATUS_INVALID_CID;
    }
    if (Found->Cid.UniqueProcess != ClientId->UniqueProcess) {
        ObDereferenceObject(Found);
        return STATUS_INVALID_CID;
    }
    if (Process != NULL) {
        *Process = PsThreadProcess(Found);
        ObReferenceObject(*Process);
    }
    *Thread = Found;
    return STATUS_SUCCESS;
}
EXPORT(PsLookupProcessThreadByCid);

/* The id of the process that made this one, or for which it was made; somebody else may have it meanwhile.
   Any IRQL; does not block. (no WDK page) */
HANDLE PsGetProcessInheritedFromUniqueProcessId(PEPROCESS Process)
{
    return Process->InheritedFromUniqueProcessId;
}
EXPORT(PsGetProcessInheritedFromUniqueProcessId);

UNICODE_STRING SvcBaseName(PCUNICODE_STRING Name)
{
    USHORT Start = Name->Length / sizeof(WCHAR);
    while (Start > 0 && Name->Buffer[Start - 1] != L'\\' && Name->Buffer[Start - 1] != L'/') {
        Start--;
    }
    USHORT Length = Name->Length - Start * sizeof(WCHAR);
    return (UNICODE_STRING){Length, Length, Name->Buffer + Start};
}

/* The last part of the image's name, in UTF-8, at most 15 bytes and NUL. It lies in the process object, and
   changes when the process gets another image and somebody asks again. <= APC_LEVEL; may block. (no WDK
   page) */
PUCHAR PsGetProcessImageFileName(PEPROCESS Process)
{
    ULONG Length = 0;
    KeLockExclusive(&PsImageLock);
    UNICODE_STRING Name = SvcBaseName(&Process->ImageFileName);
    RtlUnicodeToUTF8N((PCHAR)Process->ShortName, sizeof(Process->ShortName) - 1, &Length, Name.Buffer, Name.Length);
    Process->ShortName[Length] = 0;
    KeUnlockExclusive(&PsImageLock);
    return Process->ShortName;
}
EXPORT(PsGetProcessImageFileName);

/* The full name of the process's image, in a block that the caller frees with ExFreePool; empty when it has
   none. STATUS_INSUFFICIENT_RESOURCES. <= APC_LEVEL; may block. (WDK page of the name) */
NTSTATUS SeLocateProcessImageName(PEPROCESS Process, PUNICODE_STRING *pImageFileName)
{
    *pImageFileName = SvcPackString(&Process->ImageFileName, NULL);
    return *pImageFileName != NULL ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}
EXPORT(SeLocateProcessImageName);

/* The processor time that the process's threads have used, those that have ended included, in cycles;
   *CycleTimeStamp is the processor's counter at that moment. PASSIVE_LEVEL; may block. (WDK page of the
   name) */
ULONG64 PsQueryTotalCycleTimeProcess(PEPROCESS Process, PULONG64 CycleTimeStamp)
{
    ULONG64 User = 0, Cycles = PsProcessCycles(Process, &User);
    *CycleTimeStamp = ArchReadCycles();
    return Cycles;
}
EXPORT(PsQueryTotalCycleTimeProcess);

/* ---- The token ---- */

static const OB_TYPE_ROUTINES SvcTokenRoutines = {.Name = "Token", .PoolTag = 'ekoT', .BodySize = sizeof(ULONG64)};
static PVOID SvcToken; /* of all processes; never goes away */

void SvcInitializeToken(void)
{
    POBJECT_TYPE Type;
    SvcCreateType(&SvcTokenRoutines, &Type);
    if (!NT_SUCCESS(ObCreateObject(Type, &SvcToken))) {
        KdBugCheck(PHASE0_INITIALIZATION_FAILED, 0, 0, 0, 0, NULL, "no memory for the token");
    }
}

/* The process's token, referenced. Differs: it is the same one for all, has no members and means nothing, for
   there is no security. <= APC_LEVEL; does not block. (WDK page of the name) */
PACCESS_TOKEN PsReferencePrimaryToken(PEPROCESS Process)
{
    ObReferenceObject(SvcToken);
    return SvcToken;
}
EXPORT(PsReferencePrimaryToken);

/* Gives a reference of PsReferencePrimaryToken back. <= APC_LEVEL; does not block. (WDK page of the name) */
VOID PsDereferencePrimaryToken(PACCESS_TOKEN PrimaryToken)
{
    ObDereferenceObject(PrimaryToken);
}
EXPORT(PsDereferencePrimaryToken);
