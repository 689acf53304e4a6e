/* SPDX-License-Identifier: MIT */
/* The version, in the forms that drivers ask for. */
#include <ntddk.h>

/* Obsolete: the version of the system, each part where its pointer is not NULL; the service pack is empty.
   TRUE: a debug build. Differs: 10.0 stands for the interface that is followed, and the build number is
   Primer's interface version. Any IRQL; does not block. (WDK page of the name) */
BOOLEAN PsGetVersion(PULONG MajorVersion, PULONG MinorVersion, PULONG BuildNumber, PUNICODE_STRING CSDVersion)
{
    if (MajorVersion != NULL) {
        *MajorVersion = 10;
    }
    if (MinorVersion != NULL) {
        *MinorVersion = 0;
    }
    if (BuildNumber != NULL) {
        *BuildNumber = PRIMER_INTERFACE_VERSION;
    }
    if (CSDVersion != NULL) {
        RtlInitEmptyUnicodeString(CSDVersion, NULL, 0);
    }
    return DBG != 0;
}

/* Fills in the version; of the longer structure, if dwOSVersionInfoSize says that it is one, the service pack
   (none) and the type of product (a workstation), too. STATUS_SUCCESS. PASSIVE_LEVEL; here any IRQL. Does not
   block. (WDK page of the name) */
NTSTATUS RtlGetVersion(PRTL_OSVERSIONINFOW lpVersionInformation)
{
    PRTL_OSVERSIONINFOEXW Longer = (PRTL_OSVERSIONINFOEXW)lpVersionInformation;

    PsGetVersion(&lpVersionInformation->dwMajorVersion, &lpVersionInformation->dwMinorVersion,
                 &lpVersionInformation->dwBuildNumber, NULL);
    lpVersionInformation->dwPlatformId = VER_PLATFORM_WIN32_NT;
    lpVersionInformation->szCSDVersion[0] = 0;
    if (lpVersionInformation->dwOSVersionInfoSize == sizeof(*Longer)) {
        Longer->wServicePackMajor = 0;
        Longer->wServicePackMinor = 0;
        Longer->wSuiteMask = 0;
        Longer->wProductType = VER_NT_WORKSTATION;
        Longer->wReserved = 0;
    }
    return STATUS_SUCCESS;
}

/* Whether the interface has everything of that version, an NTDDI_ constant. Its last byte, the service pack
   or the yearly release, counts, too. Any IRQL; does not block. (WDK page of the name) */
BOOLEAN RtlIsNtDdiVersionAvailable(ULONG Version)
{
    return Version <= NTDDI_VERSION;
}

/* The version of the registration structure that ObRegisterCallbacks takes. Any IRQL. (WDK page of the
   name) */
USHORT ObGetFilterVersion(VOID)
{
    return OB_FLT_REGISTRATION_VERSION;
}
