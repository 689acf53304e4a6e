/* SPDX-License-Identifier: MIT */
/*
 * Small documented routines that no other module has a reason to use: exceptions raised by name, references
 * by pointer and by type, the version, the log with a component, and strings as a module sees them, variable
 * arguments included.
 */
#include "../ktest.h"
#include <ntstrsafe.h>

/* ---- Exceptions ---- */

/* What the innermost block catches when the routine is called at a level, and whether it came back to the
   block's. */
static NTSTATUS Caught(NORETURN VOID (*Raise)(VOID), KIRQL Level)
{
    volatile NTSTATUS Status = STATUS_SUCCESS;
    _SEH2_TRY {
        KIRQL Old;
        KeRaiseIrql(Level, &Old);
        Raise();
    } _SEH2_EXCEPT(EXCEPTION_EXECUTE_HANDLER) {
        Status = _SEH2_GetExceptionCode();
    } _SEH2_END;
    return KeGetCurrentIrql() == PASSIVE_LEVEL ? Status : STATUS_UNSUCCESSFUL;
}

static PCSTR TestRaise(VOID)
{
    KTEST_CHECK(Caught(ExRaiseAccessViolation, PASSIVE_LEVEL) == STATUS_ACCESS_VIOLATION);
    KTEST_CHECK(Caught(ExRaiseDatatypeMisalignment, PASSIVE_LEVEL) == STATUS_DATATYPE_MISALIGNMENT);
    KTEST_CHECK(Caught(ExRaiseAccessViolation, APC_LEVEL) == STATUS_ACCESS_VIOLATION);
    KTEST_CHECK(Caught(ExRaiseDatatypeMisalignment, APC_LEVEL) == STATUS_DATATYPE_MISALIGNMENT);
    return NULL;
}

/* The inner block declines one of the two and cleans up; the outer one gets it all the same. */
static PCSTR TestRaiseNested(VOID)
{
    volatile ULONG Steps = 0;
    _SEH2_TRY {
        _SEH2_TRY {
            _SEH2_TRY {
                ExRaiseDatatypeMisalignment();
            } _SEH2_FINALLY {
                Steps = Steps * 10 + (_SEH2_AbnormalTermination() ? 1 : 9);
            } _SEH2_END;
        } _SEH2_EXCEPT(_SEH2_GetExceptionCode() == STATUS_ACCESS_VIOLATION ? EXCEPTION_EXECUTE_HANDLER
                                                                          : EXCEPTION_CONTINUE_SEARCH) {
            Steps = Steps * 10 + 9;
        } _SEH2_END;
    } _SEH2_EXCEPT(EXCEPTION_EXECUTE_HANDLER) {
        Steps = Steps * 10 + (_SEH2_GetExceptionCode() == STATUS_DATATYPE_MISALIGNMENT ? 2 : 9);
    } _SEH2_END;
    KTEST_CHECK(Steps == 12);
    return NULL;
}

/* ---- Objects ---- */

/* A reference is a count more: what dropping it returns, one less, tells how many there were. */
static PCSTR TestReferenceByPointer(VOID)
{
    PETHREAD Thread = PsGetCurrentThread();
    LONG_PTR Before = ObfReferenceObject(Thread);
    NTSTATUS Typed = ObReferenceObjectByPointer(Thread, THREAD_ALL_ACCESS, *PsThreadType, KernelMode);
    NTSTATUS User = ObReferenceObjectByPointer(Thread, THREAD_ALL_ACCESS, *PsThreadType, UserMode);
    NTSTATUS Untyped = ObReferenceObjectByPointer(Thread, 0, NULL, KernelMode);
    NTSTATUS UserUntyped = ObReferenceObjectByPointer(Thread, 0, NULL, UserMode);
    NTSTATUS Wrong = ObReferenceObjectByPointer(Thread, 0, *PsProcessType, KernelMode);
    LONG_PTR After = ObfReferenceObject(Thread);
    for (ULONG i = 0; i < 5; i++) {
        ObDereferenceObject(Thread);
    }
    KTEST_CHECK(Typed == STATUS_SUCCESS && User == STATUS_SUCCESS && Untyped == STATUS_SUCCESS);
    KTEST_CHECK(UserUntyped == STATUS_OBJECT_TYPE_MISMATCH && Wrong == STATUS_OBJECT_TYPE_MISMATCH);
    KTEST_CHECK(After == Before + 4); /* three of them, and the second of those that asked for the count */
    return NULL;
}

/* Each exported type is one of its own: an object of another type is refused by pointer and by handle. */
static PCSTR TestTypes(VOID)
{
    POBJECT_TYPE Types[] = {*PsThreadType, *PsProcessType, *ExEventObjectType, *IoFileObjectType};
    HANDLE Handle;
    KTEST_CHECK(ObOpenObjectByPointer(PsInitialSystemProcess, OBJ_KERNEL_HANDLE, NULL, PROCESS_ALL_ACCESS, *PsProcessType,
                                      KernelMode, &Handle) == STATUS_SUCCESS);
    ULONG Taken = 0, Refused = 0;
    for (ULONG i = 0; i < ARRAYSIZE(Types); i++) {
        PVOID Object = NULL;
        NTSTATUS ByHandle = ObReferenceObjectByHandle(Handle, 0, Types[i], KernelMode, &Object, NULL);
        NTSTATUS ByPointer = ObReferenceObjectByPointer(PsInitialSystemProcess, 0, Types[i], KernelMode);
        if (ByHandle == STATUS_SUCCESS && ByPointer == STATUS_SUCCESS && Object == PsInitialSystemProcess) {
            Taken |= 1u << i;
            ObDereferenceObject(Object);
            ObDereferenceObject(Object);
        } else if (ByHandle == STATUS_OBJECT_TYPE_MISMATCH && ByPointer == STATUS_OBJECT_TYPE_MISMATCH) {
            Refused |= 1u << i;
        }
    }
    NTSTATUS Closed = ZwClose(Handle), Again = ZwClose(Handle);
    KTEST_CHECK(Types[2] != NULL && Types[3] != NULL && Types[2] != Types[3]);
    KTEST_CHECK(Taken == 2 && Refused == 13);
    KTEST_CHECK(Closed == STATUS_SUCCESS && Again == STATUS_INVALID_HANDLE);
    return NULL;
}

/* ---- The version, the exit time of the living, the log ---- */

static PCSTR TestVersion(VOID)
{
    ULONG Major = 0, Minor = 7, Build = 0;
    UNICODE_STRING Pack = RTL_CONSTANT_STRING(L"x");
    KTEST_CHECK(PsGetVersion(&Major, &Minor, &Build, &Pack) == (DBG != 0));
    KTEST_CHECK(Major == 10 && Minor == 0 && Build == PRIMER_INTERFACE_VERSION && Pack.Length == 0);
    KTEST_CHECK(PsGetVersion(NULL, NULL, NULL, NULL) == (DBG != 0));
    return NULL;
}

/* Code that is put into a section of its own, as driver source says it: no warning, and nothing else
   happens. */
static PCSTR TestVersionInformation(VOID);
#pragma alloc_text(PAGE, TestVersionInformation)

static PCSTR TestVersionInformation(VOID)
{
    RTL_OSVERSIONINFOEXW Information;
    RtlFillMemory(&Information, sizeof(Information), 0x55);
    Information.dwOSVersionInfoSize = sizeof(RTL_OSVERSIONINFOW);
    KTEST_CHECK(RtlGetVersion((PRTL_OSVERSIONINFOW)&Information) == STATUS_SUCCESS);
    KTEST_CHECK(Information.dwMajorVersion == 10 && Information.dwMinorVersion == 0 &&
                Information.dwBuildNumber == PRIMER_INTERFACE_VERSION && Information.dwPlatformId == VER_PLATFORM_WIN32_NT);
    KTEST_CHECK(Information.szCSDVersion[0] == 0 && Information.wServicePackMajor == 0x5555 && Information.wReserved == 0x55);
    Information.dwOSVersionInfoSize = sizeof(Information);
    KTEST_CHECK(RtlGetVersion((PRTL_OSVERSIONINFOW)&Information) == STATUS_SUCCESS);
    KTEST_CHECK(Information.wServicePackMajor == 0 && Information.wSuiteMask == 0 &&
                Information.wProductType == VER_NT_WORKSTATION && Information.wReserved == 0);
    KTEST_CHECK(RtlIsNtDdiVersionAvailable(NTDDI_WIN7) && RtlIsNtDdiVersionAvailable(NTDDI_WIN10) &&
                !RtlIsNtDdiVersionAvailable(0xFFFFFFFF));
    return NULL;
}

static PCSTR TestExitTimeOfTheLiving(VOID)
{
    KTEST_CHECK(PsGetProcessExitTime().QuadPart == 0 && PsGetProcessExitStatus(PsGetCurrentProcess()) == STATUS_PENDING);
    return NULL;
}

/* Nothing is filtered: these result lines are printed by the routine itself, at the most and the least urgent
   level. */
static VOID TestLog(VOID)
{
    ULONG First = DbgPrintEx(DPFLTR_IHVDRIVER_ID, DPFLTR_ERROR_LEVEL, "@pass %s\n", "routines.log-takes-an-error");
    ULONG Second = DbgPrintEx(DPFLTR_IHVDRIVER_ID, DPFLTR_INFO_LEVEL, "@%s routines.log-takes-the-least-urgent-level\n",
                              First == STATUS_SUCCESS ? "pass" : "fail");
    DbgPrint("@%s routines.log-answers-success\n", Second == STATUS_SUCCESS ? "pass" : "fail");
}

/* ---- Strings ---- */

static BOOLEAN Is(const STRING *String, PCSTR Text)
{
    return String->Length == strlen(Text) && RtlEqualMemory(String->Buffer, Text, String->Length);
}

static PCSTR TestCopyOf8BitStrings(VOID)
{
    CHAR Memory[4] = "....";
    STRING Target = {.MaximumLength = 3, .Buffer = Memory}, Source;
    RtlInitString(&Source, "ab");
    RtlCopyString(&Target, &Source);
    KTEST_CHECK(Is(&Target, "ab") && Memory[2] == '.'); /* no NUL is added */
    RtlInitString(&Source, "vwxyz");
    RtlCopyString(&Target, &Source);
    KTEST_CHECK(Is(&Target, "vwx") && Memory[3] == '.');
    RtlUpperString(&Target, &Source);
    KTEST_CHECK(Is(&Target, "VWX") && Memory[3] == '.');
    RtlCopyString(&Target, NULL);
    KTEST_CHECK(Target.Length == 0 && Target.MaximumLength == 3 && Memory[0] == 'V');
    return NULL;
}

static PCSTR TestUpperChar(VOID)
{
    for (ULONG i = 0; i < 256; i++) {
        CHAR Upper = i >= 'a' && i <= 'z' ? (CHAR)(i - 'a' + 'A') : (CHAR)i;
        KTEST_CHECK(RtlUpperChar((CHAR)i) == Upper);
    }
    return NULL;
}

static NTSTATUS Narrow(PSTR Buffer, SIZE_T Size, PCSTR Format, ...)
{
    va_list Arguments;
    va_start(Arguments, Format);
    NTSTATUS Status = RtlStringCchVPrintfA(Buffer, Size, Format, Arguments);
    va_end(Arguments);
    return Status;
}

static NTSTATUS Wide(PWSTR Buffer, SIZE_T Size, PCWSTR Format, ...)
{
    va_list Arguments;
    va_start(Arguments, Format);
    NTSTATUS Status = RtlStringCchVPrintfW(Buffer, Size, Format, Arguments);
    va_end(Arguments);
    return Status;
}

static NTSTATUS Counted(PUNICODE_STRING String, PCWSTR Format, ...)
{
    va_list Arguments;
    va_start(Arguments, Format);
    NTSTATUS Status = RtlUnicodeStringVPrintf(String, Format, Arguments);
    va_end(Arguments);
    return Status;
}

/* What does not fit is cut, a NUL always ends the text, and a size of 0 or beyond all bounds writes
   nothing. */
static PCSTR TestFormatsOf8Bits(VOID)
{
    CHAR Text[8] = ".......";
    KTEST_CHECK(Narrow(Text, 6, "%d-%s", 12, "ab") == STATUS_SUCCESS && strcmp(Text, "12-ab") == 0 && Text[6] == '.');
    KTEST_CHECK(Narrow(Text, 6, "%d-%s", 12, "abc") == STATUS_BUFFER_OVERFLOW && strcmp(Text, "12-ab") == 0);
    KTEST_CHECK(Narrow(Text, 1, "%x", 255) == STATUS_BUFFER_OVERFLOW && Text[0] == 0 && Text[1] == '2');
    KTEST_CHECK(Narrow(Text, 0, "x") == STATUS_INVALID_PARAMETER && Text[0] == 0);
    KTEST_CHECK(Narrow(Text, (SIZE_T)NTSTRSAFE_MAX_CCH + 1, "x") == STATUS_INVALID_PARAMETER && Text[0] == 0);
    return NULL;
}

static PCSTR TestFormatsOf16Bits(VOID)
{
    WCHAR Text[8] = L".......";
    KTEST_CHECK(Wide(Text, 6, L"%d-%s", 12, L"ab") == STATUS_SUCCESS && wcsncmp(Text, L"12-ab", 6) == 0 && Text[6] == '.');
    KTEST_CHECK(Wide(Text, 6, L"%d-%S", 12, "abc") == STATUS_BUFFER_OVERFLOW && wcsncmp(Text, L"12-ab", 6) == 0);
    KTEST_CHECK(Wide(Text, 0, L"x") == STATUS_INVALID_PARAMETER && Text[0] == '1');
    KTEST_CHECK(Wide(Text, (SIZE_T)NTSTRSAFE_MAX_CCH + 1, L"x") == STATUS_INVALID_PARAMETER && Text[0] == '1');
    return NULL;
}

/* Counted strings need no NUL, and get none. */
static PCSTR TestFormatsOfCountedStrings(VOID)
{
    WCHAR Text[6] = L".....";
    UNICODE_STRING String = {.MaximumLength = 4 * sizeof(WCHAR), .Buffer = Text};
    KTEST_CHECK(Counted(&String, L"%d%c", 123, 'x') == STATUS_SUCCESS && String.Length == 8);
    KTEST_CHECK(wcsncmp(Text, L"123x.", 6) == 0);
    KTEST_CHECK(Counted(&String, L"%d", 98765) == STATUS_BUFFER_OVERFLOW && String.Length == 8);
    KTEST_CHECK(wcsncmp(Text, L"9876.", 6) == 0);
    KTEST_CHECK(Counted(&String, L"") == STATUS_SUCCESS && String.Length == 0);
    return NULL;
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    KtestRun("routines.raised-by-name-caught-at-the-blocks-level", TestRaise);
    KtestRun("routines.raised-through-blocks-that-decline", TestRaiseNested);
    KtestRun("routines.reference-by-pointer", TestReferenceByPointer);
    KtestRun("routines.types-are-distinct", TestTypes);
    KtestRun("routines.version", TestVersion);
    KtestRun("routines.version-information", TestVersionInformation);
    KtestRun("routines.exit-time-of-the-living", TestExitTimeOfTheLiving);
    TestLog();
    KtestRun("routines.8-bit-strings-take-what-fits", TestCopyOf8BitStrings);
    KtestRun("routines.upper-case-of-8-bits", TestUpperChar);
    KtestRun("routines.8-bit-formats-end", TestFormatsOf8Bits);
    KtestRun("routines.16-bit-formats-end", TestFormatsOf16Bits);
    KtestRun("routines.counted-formats", TestFormatsOfCountedStrings);
    return STATUS_SUCCESS;
}
