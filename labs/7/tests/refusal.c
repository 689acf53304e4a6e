/* SPDX-License-Identifier: MIT */
/* The driver of ../refuse, whole, as a part of this module: it is loaded and unloaded by its own routines. */
#include "hears.h"

#define DriverEntry RefuseEntry
#include "../refuse/refuse.c"
#undef DriverEntry

static PCSTR CheckRefusals(VOID)
{
    for (ULONG i = 0; i < 2; i++) {
        KTEST_CHECK(LiveNative(L"hello", NULL) == STATUS_ACCESS_DENIED);
        KTEST_CHECK(LiveNative(L"nop", NULL) == STATUS_SUCCESS);
        KTEST_CHECK(LiveSubsystem() == STATUS_SUCCESS); /* which may have no name */
    }
    return NULL;
}

PCSTR TestRefusal(VOID)
{
    static DRIVER_OBJECT Driver;
    static UNICODE_STRING NoPath;
    KTEST_CHECK(RefuseEntry(&Driver, &NoPath) == STATUS_SUCCESS);
    PCSTR Why = CheckRefusals();
    KTEST_CHECK(Driver.DriverUnload != NULL);
    Driver.DriverUnload(&Driver);
    KTEST_CHECK(Why != NULL || LiveNative(L"hello", NULL) == STATUS_SUCCESS); /* once it is unloaded */
    return Why;
}
