# SPDX-License-Identifier: MIT
"""Wrong spin locks, S-lists, interrupts and processors."""
from mutant import Mutant

MUTANTS = [
    Mutant("raise-that-lowers", "kernel/ke/ke.h", "    if (Old > DISPATCH_LEVEL) {\n        KiRefuseRaise(Old);\n    }\n", "",
           "bug/signal-above-dispatch"),
    # A pop whose entry's memory has gone meanwhile ends in a bug check.
    Mutant("slist-fault-not-mended", "arch/x86_64/slist.asm", "    FIXUP_ANYWHERE .link, .gone\n", "", "kernel/slists"),
    Mutant("slist-sequence-stands-still", "arch/x86_64/slist.asm", "ONE_CHANGE equ 0x10000 ", "ONE_CHANGE equ 0 ",
           "kernel/slists", "slists.sequence"),
    Mutant("writer-ignores-readers", "kernel/ex/rwspin.c", "    while (ExpReadWord(SpinLock) != RW_WRITER) {", "    while (0) {",
           "kernel/spinlocks"),
    Mutant("interrupts-to-the-first-processor", "arch/x86_64/ioapic.c", "Destination << 24", "0 * Destination",
           "kernel/interrupts", "interrupts.calls-level-and-processor"),
    Mutant("vector-registers-not-saved", "arch/x86_64/fpu.c", "        Thread->Arch.FpuState = State;\n", "        ;\n",
           "kernel/processors", "processors.vector-registers"),
    Mutant("handler-forgotten", "kernel/init/handlers.c", "    .Nmi = KdHandleNmi,\n", "", "bug/call",
           "bug/call: bug check 31, expected 0xe2"),
]
