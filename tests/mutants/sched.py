# SPDX-License-Identifier: MIT
"""Wrong schedulers."""
from mutant import Mutant

SCHED, PRIORITY = "kernel/ke/sched.c", "kernel/ke/priority.c"

MUTANTS = [
    Mutant("stealing-off", SCHED, "Prcb->ReadySummary == 0 ? KiSteal(Prcb) : NULL", "NULL",
           "kernel/balance/4", "balance.steals"),
    Mutant("boosts-never-decay", PRIORITY, "        Priority--;\n", "        ;\n",
           "kernel/balance/4", "balance.boost-decays"),
    Mutant("preempted-to-the-tail", SCHED, "KiPlaceThread(Thread, Head);", "KiPlaceThread(Thread, false);",
           "kernel/balance/4", "balance.preempted-goes-on"),
]
