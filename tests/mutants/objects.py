# SPDX-License-Identifier: MIT
"""Wrong objects, handles, devices and processes."""
from mutant import Mutant

MUTANTS = [
    # The end of a process does not wait for those who work in its handle table.
    Mutant("end-waits-for-nobody", "ps/process.c", "    ExWaitForRundownProtectionRelease(&Process->Access);\n", "",
           "kernel/objects", "objects.close-against-process-end"),
    Mutant("resumed-too-early", "ps/thread.c", "    PEPROCESS Process = PsThreadProcess(Thread);\n    KeLockExclusive(&Process->Lock);\n"
           "    KeUnlockExclusive(&Process->Lock);\n}\n\nvoid PsSuspend", "    (void)Thread;\n}\n\nvoid PsSuspend",
           "kernel/races/2", "races.resumed-with-registers-held"),
    Mutant("next-packet-forgets-the-new-one", "drivers/lib/startio.c", "    if (Irp != NULL) {\n        DeviceObject->CurrentIrp",
           "    {\n        DeviceObject->CurrentIrp", "kernel/races/2", "races.start-of-a-packet-meets-the-next"),
    Mutant("closed-entry-protected-from-nobody", "kernel/ob/handle.c",
           "#define OBP_KEPT_ATTRIBUTES (OBJ_INHERIT | OBJ_PROTECT_CLOSE)", "#define OBP_KEPT_ATTRIBUTES (OBJ_INHERIT)",
           "kernel/objects", "objects.protect-from-close"),
    Mutant("duplicate-keeps-the-source", "kernel/services/handle.c", "    if (Options & DUPLICATE_CLOSE_SOURCE) {\n", "    if (0) {\n",
           "kernel/objects", "objects.duplicate-options"),
    Mutant("stack-has-no-end", "kernel/mm/fault.c", "Page - Lowest <= MM_LAST_PAGES * PAGE_SIZE", "Page == Lowest - PAGE_SIZE",
           "user/native"),
    Mutant("stacks-merge", "kernel/mm/regiontree.c", "           Left->Edge == Right->Edge && Left", "           Left", "host/mm_region"),
]
