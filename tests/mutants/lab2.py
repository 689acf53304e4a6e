# SPDX-License-Identifier: MIT
"""Typical wrong solutions of lab 2: threads, their switch and their end."""
from mutant import Mutant


def mutant(name, file, old, new, test):
    return Mutant(name, file, old, new, "lab 2", test)


MUTANTS = [
    mutant("yields-to-the-head", "kernel/ke/sched.c", "        Prcb->QuantumEnd = KiPlaceTail;\n        KiPreempt", "        KiPreempt", "yield.turns"),
    mutant("reaper-sleeps", "ps/thread.c", "    if (Empty) {\n        KeSetEvent(&PspReaperEvent", "    if (false) {\n        KeSetEvent(&PspReaperEvent",
           "reaper.by-itself"),
    mutant("stack-goes-with-the-object", "ps/thread.c", "    PspFreeThreadMemory(Thread);\n    ObDereferenceObject(Thread);\n", "    ObDereferenceObject(Thread);\n",
           "reaper.held"),
    mutant("ends-at-any-level", "ps/thread.c", "!ArchCurrentThread()->SystemThread || ArchGetIrql() != PASSIVE_LEVEL", "!ArchCurrentThread()->SystemThread", "end.refused"),
    mutant("vectors-of-the-last-user", "arch/x86_64/fpu.c", "    Restore(Initial);\n    ArchRestoreInterrupts", "    ArchRestoreInterrupts", "vectors.fresh"),
    mutant("vectors-within-vectors-lost", "arch/x86_64/fpu.c", "    if (Attach) {\n", "    if (true) {\n", "vectors.nested"),
]
