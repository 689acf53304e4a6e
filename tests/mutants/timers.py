# SPDX-License-Identifier: MIT
"""Wrong timers."""
from mutant import Mutant


def mutant(name, file, old, new, line, case="timers"):
    return Mutant(name, f"sync/{file}.c", old, new, f"kernel/{case}", f"{case}.{line}")


MUTANTS = [
    mutant("period-from-the-past", "timer", "KiQueueTimer(Timer, Due > Now ? Due : Now);", "KiQueueTimer(Timer, Due);",
           "period-from-now"),
    mutant("missed-periods-made-up", "timer", "Due + Period * (1 + (Now - Due) / Period)", "Due + Period", "missed-periods"),
    mutant("dpc-after-signal", "timer",
           "    KiBeginInsertDpc(&Insertion, Dpc, NULL, NULL);\n    KiUnlockObject(&Timer->Header);\n",
           "    KiUnlockObject(&Timer->Header);\n    KiBeginInsertDpc(&Insertion, Dpc, NULL, NULL);\n", "dpc-before-signal"),
    mutant("moving-timer-taken", "timerq", " && Timer->Header.Inserted != TIMER_MOVING) {", ") {", "moving-timer-is-set", "races"),
]
