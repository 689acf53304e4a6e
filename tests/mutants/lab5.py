# SPDX-License-Identifier: MIT
"""Typical wrong solutions of lab 5: four processors."""
from mutant import Mutant

CLAIM = "(KiClaimIdle(Affinity & KiProcessorBit(Last), Last, &Number) || KiClaimIdle(Affinity, Ideal, &Number))"


def mutant(name, file, old, new, test):
    return Mutant(name, f"kernel/ke/{file}.c", old, new, "lab 5", "spread." + test)


MUTANTS = [
    mutant("last-processor-forgotten", "sched", CLAIM, "KiClaimIdle(Affinity, Ideal, &Number)", "last-then-ideal"),
    mutant("ideal-processor-ignored", "sched", CLAIM, CLAIM.replace("Affinity, Ideal", "Affinity, 0"), "last-then-ideal"),
    mutant("first-weaker-taken", "sched", "        if (Here < Lowest) {\n", "        if (Here < Lowest && Weakest == 0) {\n", "weakest"),
    mutant("fullest-processor-chosen", "sched", "Prcb->ReadyAt[Level] < Fewest) {", "Prcb->ReadyAt[Level] > Fewest) {", "change-places"),
    mutant("highest-level-alone", "sched", "         Left &= ~(1u << RtlHighestBit(Left))) {\n", "         Left = 0) {\n", "takes-eligible"),
    mutant("taken-whatever-its-affinity", "sched",
           "            if ((Thread->Affinity & KiProcessorBit(Prcb->Number)) == 0) {\n                continue;\n            } else if",
           "            if", "takes-eligible"),
    mutant("poorest-robbed", "sched", "        if (Levels > Most) {\n", "        if (Levels != 0 && (Most == 0 || Levels < Most)) {\n",
           "takes-highest"),
    mutant("runner-not-told", "priority", "        if (MustMove && Runs) {\n", "        if (0) {\n", "current-moves"),
    mutant("queued-stays", "priority", "    } else if (MustMove) {\n        KiRemoveReady", "    } else if (0) {\n        KiRemoveReady",
           "queued-moves"),
]
