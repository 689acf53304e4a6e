# SPDX-License-Identifier: MIT
"""Typical wrong solutions of lab 1: levels and spin locks."""
from mutant import Mutant


def mutant(name, file, old, new, test):
    return Mutant(name, file, old, new, "lab 1", test)


MUTANTS = [
    mutant("device-levels-mask-nothing", "kernel/ke/irql.c", "    if (NewIrql > DISPATCH_LEVEL) {", "    if (NewIrql == HIGH_LEVEL) {", "irql.mask"),
    mutant("lowered-from-high-too-early", "kernel/ke/irql.c",
           "        if (Old == HIGH_LEVEL) {\n            ArchEnableInterrupts();\n        }\n        if (ArchPendingSoft() >> NewIrql) {\n"
           "            KiSoftInterrupt(NewIrql);\n        }\n",
           "        if (ArchPendingSoft() >> NewIrql) {\n            KiSoftInterrupt(NewIrql);\n        }\n"
           "        if (Old == HIGH_LEVEL) {\n            ArchEnableInterrupts();\n        }\n", "irql.pending"),
    mutant("lowering-clears-the-mask", "kernel/ke/irql.c", "        ArchSetPriorityMask(NewIrql);\n        ArchSetIrql(NewIrql);",
           "        ArchSetPriorityMask(PASSIVE_LEVEL);\n        ArchSetIrql(NewIrql);", "irql.nested"),
    mutant("queue-entry-with-old-neighbour", "sync/spinlock.c", "    Entry->Next = NULL;\n", "", "queue.crowd"),
    mutant("queue-noted-too-late", "sync/spinlock.c", "    KiNoteAcquire(SpinLock, KlcQueued, FALSE);\n", "", "queue.twice"),
    mutant("writers-ignore-writers", "kernel/ex/rwspin.c", "RW_WRITER, __ATOMIC_ACQUIRE) < 0) {", "RW_WRITER, __ATOMIC_ACQUIRE) == 0x7fffffff) {", "rw.crowd"),
]
