# SPDX-License-Identifier: MIT
"""Wrong schedulers."""
from mutant import Mutant

SCHED, PRIORITY = "kernel/ke/sched.c", "kernel/ke/priority.c"

MUTANTS = [
    Mutant("stealing-off", SCHED, "Prcb->ReadySummary == 0 ? KiSteal(Prcb) : NULL", "NULL",
           "kernel/balance/4", "balance.steals"),
    Mutant("boosts-never-decay", PRIORITY, "    return Thread->Priority - (KPRIORITY)Quanta;", "    return Thread->Priority;",
           "kernel/balance/4", "balance.boost-decays"),
    Mutant("preempted-to-the-tail", SCHED, "KiPlaceThread(Thread, Place);\n    KiSwap", "KiPlaceThread(Thread, KiPlaceTail);\n    KiSwap",
           "kernel/balance/4", "balance.preempted-goes-on"),
]
