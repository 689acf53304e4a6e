/* SPDX-License-Identifier: MIT */
/*
 * Kernel modules: found in the boot archive, laid out and relocated (elfmodule.c), started, and taken away
 * again.
 *
 * Locks, outermost first: LdrpLock, a push lock, lets one change of the list at a time through; it is not
 * held while a module's own code runs, so that a module may load modules. LdrpListLock (KlcModules) guards
 * the links for those who look a module up by address at raised level; changes take both.
 */
#include "kernel/ldr/ldr.h"

#include "kernel/ex/ex.h"
#include "kernel/io/io.h"
#include "kernel/ldr/elfmodule.h"
#include "kernel/rtl/export.h"
#include "kernel/mm/mm.h"
#include "kernel/rtl/rtl.h"
#include "ps/ps.h"
#include "sync/timerq.h"
#include <ntapi.h>

#define LDRP_TAG 'rdLP'

static EX_PUSH_LOCK LdrpLock;
/* Usable before there is a module: routines are looked up from the first worker thread on. */
static KLOCK LdrpListLock = KLOCK_INITIALIZER(KlcModules);
static LIST_ENTRY LdrpModules = {&LdrpModules, &LdrpModules};

static void LdrpAcquire(void)
{
    KeEnterCriticalRegion();
    ExAcquirePushLockExclusive(&LdrpLock);
}

static void LdrpRelease(void)
{
    ExReleasePushLockExclusive(&LdrpLock);
    KeLeaveCriticalRegion();
}

/* ---- Exports: sorted by name when the kernel was linked ---- */

extern const LDR_EXPORT __kexport_start[], __kexport_end[];

static BOOLEAN LdrpResolve(PVOID Context, PCSTR Name, PULONG64 Address)
{
    ULONG Low = 0, High = (ULONG)(__kexport_end - __kexport_start);

    while (Low < High) {
        ULONG Middle = Low + (High - Low) / 2;
        int Order = strcmp(Name, __kexport_start[Middle].Name);
        if (Order == 0) {
            *Address = (ULONG64)__kexport_start[Middle].Address;
            return TRUE;
        }
        if (Order < 0) {
            High = Middle;
        } else {
            Low = Middle + 1;
        }
    }
    return FALSE;
}

/* The address of what the kernel exports under this name; NULL: it exports no such thing. Any IRQL. For
   MmGetSystemRoutineAddress, which also knows the driver library. */
PVOID LdrFindExport(PCSTR Name)
{
    ULONG64 Address;
    return LdrpResolve(NULL, Name, &Address) ? (PVOID)Address : NULL;
}
EXPORT(LdrFindExport);

static VOID LdrpReportMissing(PVOID Context, PCSTR Name)
{
    PLDR_MODULE Module = Context;
    DbgPrint("ldr: %s: the kernel does not export '%s'\n", Module->Name, Name);
}

/* ---- The list ---- */

/* Under LdrpLock. */
static PLDR_MODULE LdrpFindModule(const char *Name)
{
    for (PLIST_ENTRY Link = LdrpModules.Flink; Link != &LdrpModules; Link = Link->Flink) {
        PLDR_MODULE Module = CONTAINING_RECORD(Link, LDR_MODULE, Links);
        if (strcmp(Module->Name, Name) == 0) {
            return Module;
        }
    }
    return NULL;
}

static void LdrpLinkModule(PLDR_MODULE Module)
{
    KIRQL Irql = KeAcquireLock(&LdrpListLock);
    InsertTailList(&LdrpModules, &Module->Links);
    KeReleaseLock(&LdrpListLock, Irql);
    KdAddSymbols(&Module->Symbols);
}

static void LdrpUnlinkModule(PLDR_MODULE Module)
{
    KdRemoveSymbols(&Module->Symbols);
    KIRQL Irql = KeAcquireLock(&LdrpListLock);
    RemoveEntryList(&Module->Links);
    KeReleaseLock(&LdrpListLock, Irql);
}

PEX_MODULE LdrReferenceModule(const void *Address)
{
    PLDR_MODULE Found = NULL;
    KIRQL Irql = KeAcquireLock(&LdrpListLock);

    for (PLIST_ENTRY Link = LdrpModules.Flink; Link != &LdrpModules && Found == NULL; Link = Link->Flink) {
        PLDR_MODULE Module = CONTAINING_RECORD(Link, LDR_MODULE, Links);
        if ((ULONG64)Address >= Module->Symbols.Start && (ULONG64)Address < Module->Symbols.End) {
            Found = Module;
        }
    }
    /* Within the lock: a module that is on the list is still in memory. */
    if (Found != NULL && !ExAcquireRundownProtection(&Found->Image.Rundown)) {
        Found = NULL;
    }
    KeReleaseLock(&LdrpListLock, Irql);
    return Found != NULL ? &Found->Image : NULL;
}

/* ---- Names ---- */

/* "\Boot\modules\tiny.sys", "tiny.sys" and "tiny" all give "tiny". */
static NTSTATUS LdrpShortName(PCUNICODE_STRING Name, char Short[RTL_FIELD_SIZE(LDR_MODULE, Name)])
{
    ULONG Start = 0, End = Name->Length / sizeof(WCHAR);

    for (ULONG i = 0; i < End; i++) {
        Start = Name->Buffer[i] == '\\' || Name->Buffer[i] == '/' ? i + 1 : Start;
    }
    if (End - Start > 4 && wcsncmp(Name->Buffer + End - 4, L".sys", 4) == 0) {
        End -= 4;
    }
    if (End == Start || End - Start >= RTL_FIELD_SIZE(LDR_MODULE, Name)) {
        return STATUS_OBJECT_NAME_INVALID;
    }
    for (ULONG i = Start; i < End; i++) {
        if (Name->Buffer[i] <= ' ' || Name->Buffer[i] >= 0x7f) {
            return STATUS_OBJECT_NAME_INVALID;
        }
        Short[i - Start] = (char)Name->Buffer[i];
    }
    Short[End - Start] = 0;
    return STATUS_SUCCESS;
}

static const IO_ARCHIVE_FILE *LdrpFindFile(const char *Short)
{
    char Path[sizeof("modules/.sys") + RTL_FIELD_SIZE(LDR_MODULE, Name)];

    RtlPrint(Path, sizeof(Path), "modules/%s.sys", Short);
    return IoLookupArchive(Path);
}

/* ---- Symbols: names stay in the archive ---- */

static VOID LdrpAddSymbol(PVOID Context, PCSTR Name, ULONG64 Offset)
{
    KD_SYMBOLS *Symbols = Context;
    Symbols->Symbol[Symbols->Count++] = (KD_SYMBOL){(ULONG)Offset, (ULONG)(Name - Symbols->Names)};
}

static NTSTATUS LdrpCollectSymbols(PLDR_MODULE Module, const LDR_ELF_MODULE *Elf)
{
    KD_SYMBOLS *Symbols = &Module->Symbols;

    Symbols->Module = Module->Name;
    Symbols->Base = (ULONG64)Module->Image.Base;
    Symbols->Names = (PCSTR)Elf->File + Elf->SymbolNames.Offset;
    Symbols->Symbol = ExAllocatePoolWithTag(NonPagedPoolNx, Elf->SymbolCount * sizeof(KD_SYMBOL), LDRP_TAG);
    if (Symbols->Symbol == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    LdrVisitElfModuleSymbols(Elf, LdrpAddSymbol, Symbols);
    return STATUS_SUCCESS;
}

/* ---- The image ---- */

/* Each of the module's objects says which version of <ntddk.h> it was compiled with. */
static NTSTATUS LdrpCheckVersion(PLDR_MODULE Module, const LDR_ELF_MODULE *Elf)
{
    LDR_ELF_RANGE Range = {0, 0};

    LdrFindElfModuleSection(Elf, ".modinfo", &Range);
    const ULONG *Version = Add2Ptr(Module->Image.Base, Range.Offset);
    ULONG Count = (ULONG)(Range.Size / sizeof(ULONG));
    for (ULONG i = 0; i < Count; i++) {
        if (Version[i] != PRIMER_INTERFACE_VERSION) {
            DbgPrint("ldr: %s: made for version %u of the kernel's interface, this is version %u\n",
                     Module->Name, Version[i], PRIMER_INTERFACE_VERSION);
            return STATUS_REVISION_MISMATCH;
        }
    }
    if (Count == 0) {
        DbgPrint("ldr: %s: does not say for which version of the kernel's interface it was made\n",
                 Module->Name);
    }
    return Count != 0 ? STATUS_SUCCESS : STATUS_REVISION_MISMATCH;
}

static NTSTATUS LdrpProtect(PLDR_MODULE Module, const LDR_ELF_MODULE *Elf)
{
    static const ULONG Flags[LdrElfGroupCount] = {
        [LdrElfText] = ARCH_PAGE_READ | ARCH_PAGE_EXECUTE,
        [LdrElfRodata] = ARCH_PAGE_READ,
        [LdrElfData] = ARCH_PAGE_READ | ARCH_PAGE_WRITE,
    };
    NTSTATUS Status = STATUS_SUCCESS;

    for (ULONG i = 0; i < LdrElfGroupCount && NT_SUCCESS(Status); i++) {
        if (Elf->Groups[i].Size != 0) {
            Status = MmProtectImageSpace(Add2Ptr(Module->Image.Base, Elf->Groups[i].Offset),
                                         ROUND_TO_PAGES(Elf->Groups[i].Size), Flags[i]);
        }
    }
    return Status;
}

static NTSTATUS LdrpBuildImage(PLDR_MODULE Module, PLDR_ELF_MODULE Elf)
{
    LDR_ELF_IMPORTS Imports = {LdrpResolve, LdrpReportMissing, Module};

    Module->Image.Size = Elf->Size;
    Module->Image.Base = MmAllocateImageSpace(Module->Image.Size);
    if (Module->Image.Base == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    Module->Symbols.Start = (ULONG64)Module->Image.Base + Elf->Groups[LdrElfText].Offset;
    Module->Symbols.End = (ULONG64)Module->Image.Base + Module->Image.Size;

    NTSTATUS Status = LdrLoadElfModule(Elf, Module->Image.Base, (ULONG64)Module->Image.Base, &Imports);
    if (NT_SUCCESS(Status)) {
        Status = LdrpCheckVersion(Module, Elf);
    }
    if (NT_SUCCESS(Status)) {
        Status = LdrpCollectSymbols(Module, Elf);
    }
    return NT_SUCCESS(Status) ? LdrpProtect(Module, Elf) : Status;
}

/* ---- The driver object ---- */

/* Prefix, the module's name, suffix; for DriverEntry and the load-image callbacks. */
typedef struct _LDRP_NAME {
    UNICODE_STRING String;
    WCHAR Buffer[128];
} LDRP_NAME;

static void LdrpMakeName(LDRP_NAME *Name, PLDR_MODULE Module, PCSTR Prefix, PCSTR Suffix)
{
    char Text[RTL_NUMBER_OF(Name->Buffer)];
    ULONG Bytes = 0;

    RtlPrint(Text, sizeof(Text), "%s%s%s", Prefix, Module->Name, Suffix);
    RtlUTF8ToUnicodeN(Name->Buffer, sizeof(Name->Buffer), &Bytes, Text, (ULONG)strlen(Text) + 1);
    RtlInitUnicodeString(&Name->String, Name->Buffer);
}

/* A driver object, in \Driver as long as its module is loaded. */
static NTSTATUS LdrpCreateDriverObject(PLDR_MODULE Module, ULONG64 Entry)
{
    LDRP_NAME Name;
    PDRIVER_OBJECT Driver;

    LdrpMakeName(&Name, Module, "\\Driver\\", "");
    NTSTATUS Status = IoMakeDriverObject(&Name.String, &Driver);
    if (NT_SUCCESS(Status)) {
        Driver->DriverStart = Module->Image.Base;
        Driver->DriverSize = (ULONG)Module->Image.Size;
        Driver->DriverSection = Module;
        Driver->DriverInit = (PDRIVER_INITIALIZE)Entry;
        Module->DriverObject = Driver;
    }
    return Status;
}

/* ---- Making and freeing a module: nobody knows it ---- */

static void LdrpFreeModule(PLDR_MODULE Module)
{
    if (Module->DriverObject != NULL) {
        ObMakeTemporaryObject(Module->DriverObject);
        ObDereferenceObject(Module->DriverObject);
    }
    if (Module->Symbols.Symbol != NULL) {
        ExFreePoolWithTag(Module->Symbols.Symbol, LDRP_TAG);
    }
    if (Module->Image.Base != NULL) {
        KdForgetLocks(Module->Image.Base, Module->Image.Size);
        MmFreeImageSpace(Module->Image.Base, Module->Image.Size);
    }
    ExFreePoolWithTag(Module, LDRP_TAG);
}

static NTSTATUS LdrpParseAndBuild(PLDR_MODULE Module, const IO_ARCHIVE_FILE *File)
{
    PLDR_ELF_MODULE Elf = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(*Elf), LDRP_TAG);

    if (Elf == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    RtlZeroMemory(Elf, sizeof(*Elf));
    NTSTATUS Status = LdrParseElfModule(File->Data, File->Size, Elf);
    if (NT_SUCCESS(Status)) {
        Status = LdrpBuildImage(Module, Elf);
    }
    if (NT_SUCCESS(Status)) {
        Status = LdrpCreateDriverObject(Module, (ULONG64)Module->Image.Base + Elf->EntryOffset);
    } else if (Elf->Problem != NULL) {
        DbgPrint("ldr: %s: %s (%I64u)\n", Module->Name, Elf->Problem, Elf->ProblemValue);
    }
    ExFreePoolWithTag(Elf, LDRP_TAG);
    return Status;
}

static NTSTATUS LdrpCreateModule(const char *Short, PLDR_MODULE *Created)
{
    const IO_ARCHIVE_FILE *File = LdrpFindFile(Short);
    PLDR_MODULE Module;

    if (File == NULL) {
        return STATUS_OBJECT_NAME_NOT_FOUND;
    }
    Module = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(*Module), LDRP_TAG);
    if (Module == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    RtlZeroMemory(Module, sizeof(*Module));
    memcpy(Module->Name, Short, strlen(Short) + 1);
    ExInitializeRundownProtection(&Module->Image.Rundown);
    Module->State = LdrModuleStarting;
    NTSTATUS Status = LdrpParseAndBuild(Module, File);
    if (!NT_SUCCESS(Status)) {
        LdrpFreeModule(Module);
        return Status;
    }
    *Created = Module;
    return STATUS_SUCCESS;
}

/* ---- The module's own code ---- */

/* DriverUnload, or with a RegistryPath DriverEntry. They leave level and APC counts as they found them. */
static NTSTATUS LdrpCallModule(PLDR_MODULE Module, PUNICODE_STRING RegistryPath)
{
    PDRIVER_OBJECT Driver = Module->DriverObject;
    ULONG Before = ArchCurrentThread()->ApcDisable;
    NTSTATUS Status = STATUS_SUCCESS;

    KI_ASSERT(ExGetPreviousMode() == KernelMode, "module %s is called for user mode", Module->Name);
    if (RegistryPath != NULL) {
        Status = Driver->DriverInit(Driver, RegistryPath);
    } else {
        Driver->DriverUnload(Driver);
    }
    ULONG After = ArchCurrentThread()->ApcDisable;
    if (ArchGetIrql() != PASSIVE_LEVEL || After != Before) {
        KdBugCheck(APC_INDEX_MISMATCH, (ULONG64)Driver, ArchGetIrql(), After, Before, NULL,
                   "%s of module %s returned at level %u, APC counts %x (before: %x)",
                   RegistryPath != NULL ? "DriverEntry" : "DriverUnload", Module->Name, ArchGetIrql(), After,
                   Before);
    }
    return Status;
}

static void LdrpNotifyImage(PLDR_MODULE Module)
{
    LDRP_NAME Name;

    LdrpMakeName(&Name, Module, "\\Boot\\modules\\", ".sys");
    PsNotifyModuleImage(&Name.String, Module->Image.Base, Module->Image.Size);
}

static NTSTATUS LdrpCallEntry(PLDR_MODULE Module)
{
    LDRP_NAME RegistryPath;

    LdrpMakeName(&RegistryPath, Module, "\\Registry\\Machine\\System\\CurrentControlSet\\Services\\", "");
    return LdrpCallModule(Module, &RegistryPath.String);
}

static bool LdrpFindTimer(const EX_MODULE *Image, PEX_LEFTOVER Left)
{
    char Name[KD_NAME_SIZE];
    PKTIMER Timer = KeFindTimerOf(Image->Base, Image->Size, &Left->Routine);

    if (Timer != NULL) {
        RtlPrint(Left->What, sizeof(Left->What), "timer %s, which is set", KdName(Timer, Name, sizeof(Name)));
    }
    return Timer != NULL;
}

static bool LdrpFindBugCheckCallback(const EX_MODULE *Image, PEX_LEFTOVER Left)
{
    Left->Routine = KdFindCallback(Image->Base, Image->Size);
    RtlPrint(Left->What, sizeof(Left->What), "a bug-check callback");
    return Left->Routine != NULL;
}

static bool LdrpFindDevice(PLDR_MODULE Module, PEX_LEFTOVER Left)
{
    RtlPrint(Left->What, sizeof(Left->What), "a device");
    return Module->DriverObject->DeviceObject != NULL;
}

/* What the system would still call when the module's memory has gone stops the machine, and is named. Last:
   nothing of the module runs any more, that might still delete a device or wait for a timer. */
static void LdrpCheckLeftovers(PLDR_MODULE Module, bool Last)
{
    EX_LEFTOVER Left = {.Routine = NULL};
    char Routine[KD_NAME_SIZE];
    PEX_MODULE Image = &Module->Image;

    if (PsFindLeftover(Image, &Left) || IoFindLeftover(Image, &Left) || ObFindLeftover(Image, &Left) ||
        LdrpFindBugCheckCallback(Image, &Left) ||
        (Last && (LdrpFindDevice(Module, &Left) || LdrpFindTimer(Image, &Left)))) {
        KdBugCheck(DRIVER_UNLOADED_WITHOUT_CANCELLING_PENDING_OPERATIONS, (ULONG64)Image->Base, Image->Size,
                   (ULONG64)Left.Routine, 0, NULL, "module %s is gone and has left behind: %s%s%s", Module->Name, Left.What,
                   Left.Routine != NULL ? ", routine " : "",
                   Left.Routine != NULL ? KdName(Left.Routine, Routine, sizeof(Routine)) : "");
    }
}

/* The module, in state Unloading, has run its last routine: off the list, and its memory is freed. What may
   still lead into it is waited for, or stops the machine. */
static void LdrpDiscard(PLDR_MODULE Module)
{
    LdrpCheckLeftovers(Module, false);
    KeFlushQueuedDpcs(); /* a DPC may queue a work item, which holds the module */
    ExWaitForRundownProtectionRelease(&Module->Image.Rundown);
    KeFlushQueuedDpcs();
    LdrpCheckLeftovers(Module, true); /* what its last calls and DPCs have set, connected or registered, too */
    MmReportPool(Module->Image.Base, Module->Image.Size, Module->Name);

    LdrpAcquire();
    LdrpUnlinkModule(Module);
    LdrpRelease();
    LdrpFreeModule(Module);
}

/* ---- Loading and unloading ---- */

static void LdrpSetState(PLDR_MODULE Module, LDR_MODULE_STATE State)
{
    LdrpAcquire();
    Module->State = State;
    LdrpRelease();
}

static NTSTATUS LdrpAddModule(const char *Short, PLDR_MODULE *Module)
{
    NTSTATUS Status = STATUS_IMAGE_ALREADY_LOADED;

    LdrpAcquire();
    if (LdrpFindModule(Short) == NULL) {
        Status = LdrpCreateModule(Short, Module);
        if (NT_SUCCESS(Status)) {
            LdrpLinkModule(*Module);
        }
    }
    LdrpRelease();
    return Status;
}

static NTSTATUS LdrpLoadModule(PVOID Context)
{
    const char *Name = Context;
    PLDR_MODULE Module;
    NTSTATUS Status = LdrpAddModule(Name, &Module);

    if (!NT_SUCCESS(Status)) {
        DbgPrint("ldr: %s not loaded (%08x)\n", Name, Status);
        return Status;
    }
    DbgPrint("ldr: %s at %p, %I64u KiB, text %p\n", Name, Module->Image.Base, (ULONG64)Module->Image.Size / 1024,
             (PVOID)Module->Symbols.Start);
    LdrpNotifyImage(Module);
    Status = LdrpCallEntry(Module);
    if (NT_SUCCESS(Status)) {
        IoDriverStarted(Module->DriverObject);
    }
    LdrpSetState(Module, NT_SUCCESS(Status) ? LdrModuleLoaded : LdrModuleUnloading);
    if (!NT_SUCCESS(Status)) {
        DbgPrint("ldr: %s: DriverEntry failed (%08x)\n", Name, Status);
        IoBeginUnload(Module->DriverObject); /* a device that it had made may have been opened */
        IoWaitForFiles(Module->DriverObject);
        LdrpDiscard(Module);
    }
    return Status;
}

/* The module becomes this caller's to unload. */
static NTSTATUS LdrpClaimForUnload(const char *Short, PLDR_MODULE *Found)
{
    NTSTATUS Status = STATUS_SUCCESS;

    LdrpAcquire();
    PLDR_MODULE Module = LdrpFindModule(Short);
    if (Module == NULL) {
        Status = STATUS_OBJECT_NAME_NOT_FOUND;
    } else if (Module->State != LdrModuleLoaded) {
        Status = STATUS_DEVICE_BUSY;
    } else if (Module->DriverObject->DriverUnload == NULL) {
        Status = STATUS_INVALID_DEVICE_REQUEST;
    } else {
        Module->State = LdrModuleUnloading;
    }
    LdrpRelease();
    *Found = Module;
    return Status;
}

/* The state is Unloading: the module is this thread's. */
static VOID LdrpFinishUnload(PVOID Context)
{
    PLDR_MODULE Module = Context;
    char Name[sizeof(Module->Name)];

    memcpy(Name, Module->Name, sizeof(Name));
    IoWaitForFiles(Module->DriverObject);
    LdrpCallModule(Module, NULL);
    LdrpDiscard(Module);
    DbgPrint("ldr: %s unloaded\n", Name);
}

/* While files are open on its devices, DriverUnload has to wait, but nobody who has asked for it does. */
static NTSTATUS LdrpUnloadModule(PVOID Context)
{
    PLDR_MODULE Module = Context;

    if (IoBeginUnload(Module->DriverObject)) {
        LdrpFinishUnload(Module);
        return STATUS_SUCCESS;
    }
    DbgPrint("ldr: %s is unloaded when its files are closed\n", Module->Name);
    NTSTATUS Status = ExHandlers.CreateSystemThread(LdrpFinishUnload, Module);
    if (!NT_SUCCESS(Status)) {
        IoEndUnload(Module->DriverObject);
    }
    return Status;
}

/* ---- Requests ---- */

/* Module code runs in a system thread, as documented, whoever asked for it. */
typedef struct _LDRP_REQUEST {
    NTSTATUS (*Routine)(PVOID Context);
    PVOID Context;
    NTSTATUS Status;
} LDRP_REQUEST, *PLDRP_REQUEST;

static VOID LdrpRequestThread(PVOID Context)
{
    PLDRP_REQUEST Request = Context;
    Request->Status = Request->Routine(Request->Context);
}

static NTSTATUS LdrpRunRequest(NTSTATUS (*Routine)(PVOID Context), PVOID Context)
{
    LDRP_REQUEST Request = {Routine, Context, STATUS_SUCCESS};
    OBJECT_ATTRIBUTES Attributes;
    HANDLE Handle;
    PVOID Thread;

    InitializeObjectAttributes(&Attributes, NULL, OBJ_KERNEL_HANDLE, NULL, NULL);
    NTSTATUS Status =
        PsCreateSystemThread(&Handle, THREAD_ALL_ACCESS, &Attributes, NULL, NULL, LdrpRequestThread, &Request);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Status = ObReferenceObjectByHandle(Handle, SYNCHRONIZE, *PsThreadType, KernelMode, &Thread, NULL);
    KI_ASSERT(NT_SUCCESS(Status), "the handle of a new thread means nothing: %08x", Status);
    KeWaitForSingleObject(Thread, Executive, KernelMode, FALSE, NULL);
    ObDereferenceObject(Thread);
    ObCloseHandle(ObCurrentHandleTable(), Handle, KernelMode);
    return Request.Status;
}

NTSTATUS LdrLoadModule(PCUNICODE_STRING Name)
{
    char Short[RTL_FIELD_SIZE(LDR_MODULE, Name)];
    NTSTATUS Status = LdrpShortName(Name, Short);
    return NT_SUCCESS(Status) ? LdrpRunRequest(LdrpLoadModule, Short) : Status;
}

void LdrLoadBootModule(void)
{
    char Short[RTL_FIELD_SIZE(LDR_MODULE, Name)];
    if (ExQueryKernelOption("boot.module", Short, sizeof(Short))) {
        LdrpRunRequest(LdrpLoadModule, Short);
    }
}

/* The processes of its providers are waited for here, by whoever has asked and can be ended, before the first
   step that cannot be undone. */
NTSTATUS LdrUnloadModule(PCUNICODE_STRING Name)
{
    char Short[RTL_FIELD_SIZE(LDR_MODULE, Name)];
    PLDR_MODULE Module;
    NTSTATUS Status = LdrpShortName(Name, Short);
    if (NT_SUCCESS(Status)) {
        Status = LdrpClaimForUnload(Short, &Module);
    }
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Status = PsCloseProviders(&Module->Image, ExGetPreviousMode());
    if (NT_SUCCESS(Status)) {
        Status = LdrpRunRequest(LdrpUnloadModule, Module);
    }
    if (!NT_SUCCESS(Status)) {
        PsReopenProviders(&Module->Image);
        LdrpSetState(Module, LdrModuleLoaded);
    }
    return Status;
}

void LdrInitialize(void)
{
    ExInitializePushLock(&LdrpLock);
    for (const LDR_EXPORT *Export = __kexport_start + 1; Export < __kexport_end; Export++) {
        KI_ASSERT(strcmp(Export[-1].Name, Export->Name) < 0, "%s stands before %s", Export[-1].Name,
                  Export->Name);
    }
}
