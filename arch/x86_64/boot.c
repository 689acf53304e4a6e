/* SPDX-License-Identifier: MIT */
/*
 * The first C code: from the loader's information to the machine-independent kernel, and later, when memory
 * works, the order in which the machine's devices are found.
 */
#include "arch/x86_64/archp.h"

#define EXIT_NOT_STARTED 0x31 /* as after a bug check */

KPRCB ArchBootPrcb;
static BOOT_INFORMATION BootInformation;

/* Before anything else works: the debug console, and COM1 as firmware left it. */
void ArchpBootNote(const char *Text)
{
    ArchLogWrite(Text, strlen(Text));
}

void ArchpBootFail(const char *Why)
{
    const char *const Texts[] = {"\r\nPrimer cannot start: ", Why, "\r\n"};
    ArchSerialInitialize(0);
    for (ULONG i = 0; i < RTL_NUMBER_OF(Texts); i++) {
        ArchpBootNote(Texts[i]);
        ArchSerialWrite(0, Texts[i], strlen(Texts[i]));
    }
    ArchDebugExit(EXIT_NOT_STARTED);
}

NORETURN void ArchBootMain(ULONG Kind, uint64_t Info);

/* Called by boot/entry.asm on the boot stack: interrupts off, first page tables loaded. */
void ArchBootMain(ULONG Kind, uint64_t Info)
{
    ArchpDetectFeatures();
    if (!ArchpFeatures.LocalApic) {
        ArchpBootFail("the processor has no local APIC.");
    }
    ArchpPatchUserAccess();
    ArchpBuildIdt();
    ArchInitializeProcessor(&ArchBootPrcb);
    ArchpReadBootInformation(&BootInformation, Kind, Info);
    ArchpBuildKernelTables(&BootInformation);
    if (!ArchpAllocateInterruptStacks(&ArchBootPrcb)) {
        ArchpBootFail("not enough memory for the interrupt stacks.");
    }
    ArchpEndEarlyAllocation(&BootInformation);
    ArchHandlers.SystemStartup(&BootInformation);
}

void ArchInitializeMachine(PBOOT_INFORMATION Boot)
{
    ArchpReadAcpi(Boot->AcpiRsdp);
    ArchpMaskLegacyControllers();
    ArchpMapLocalApic();
    ArchpInitializeLocalApic();
    ArchpInitializeIoApics();
    ArchpInitializeProcessorList();
    ArchpCalibrate();
    ArchpReadRealTimeClock();
}
