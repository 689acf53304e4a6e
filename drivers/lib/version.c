/* SPDX-License-Identifier: MIT */
/* The version in the other forms that drivers ask for: PsGetVersion is the source. */
#include <ntddk.h>

/* Fills in the version; of the longer structure, if dwOSVersionInfoSize says that it is one, the service pack (none) and the type
   of product (a workstation), too. STATUS_SUCCESS. PASSIVE_LEVEL; here any IRQL. Does not block. (WDK page of the name) */
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

/* Whether the interface has everything of that version, an NTDDI_ constant. Its last byte, the service pack or the yearly
   release, counts, too. Any IRQL; does not block. (WDK page of the name) */
BOOLEAN RtlIsNtDdiVersionAvailable(ULONG Version)
{
    return Version <= NTDDI_VERSION;
}
