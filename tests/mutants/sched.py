# SPDX-License-Identifier: MIT
"""Wrong schedulers."""
from mutant import Mutant

CASE = "kernel/balance/4"


def mutant(name, file, old, new, line):
    return Mutant(name, f"kernel/ke/{file}.c", old, new, CASE, line and "balance." + line)


def unfair(name, file, old, new):
    """A thread waits though a processor that it may use idles, or runs something lower: the kernel itself reports that
    (PRIORITY_NOT_RESPECTED) before the test does."""
    return Mutant(name, f"kernel/ke/{file}.c", old, new, CASE, f"{CASE}: tools/run ended with 125")


MUTANTS = [
    unfair("stealing-off", "sched", "Prcb->ReadySummary == 0 ? KiSteal(Prcb) : NULL", "NULL"),
    unfair("waiting-not-offered", "sched", "    if (!KiKickIdle(Affinity)) {\n", "    if (0) {\n"),
    unfair("nothing-pulled", "sched", "                KiPull(Victim, Prcb, Above);", "                ;"),
    unfair("sinking-unnoticed", "priority", "    if (Lowered) {", "    if (0) {"),
    mutant("busy-never-balanced", "sched", "Level == Priority && Place == KiPlaceTurn", "0", "shares"),
    mutant("equals-wait-behind-higher", "sched", "KiFindWeakest(Affinity, Priority + 1, &Level);",
           "KiFindWeakest(Affinity, Priority, &Level);", "shares-with-equal"),
    mutant("ties-to-the-first", "sched", "return (Choice & KiProcessorBit(Last)) ? Last : KiNextProcessor(Choice, Ideal);",
           "return RtlLowestBit(Choice);", "places"),
    mutant("one-ideal-processor", "thread", "KiNextProcessor(Affinity, Turn)", "KiNextProcessor(Affinity, 0)", "ideal-turns"),
    mutant("bound-threads-offered", "sched", "    if (Thread->Affinity & Prcb->Others) {\n        KiCountMovable",
           "    Prcb->MovableAffinity = ~0ULL;\n    if (1) {\n        KiCountMovable", ""),
    mutant("boosts-never-decay", "priority", "    return Thread->Priority - (KPRIORITY)Quanta;", "    return Thread->Priority;",
           "boost-decays"),
    mutant("boost-outlives-quanta", "sched", "    Thread->Priority = (SCHAR)Decayed;", "",
           "boost-decays-alone"),
    mutant("preempted-to-the-tail", "sched", "KiPlaceThread(Thread, Place);\n    }",
           "KiPlaceThread(Thread, KiPlaceTail);\n    }", "preempted-goes-on"),
    mutant("same-priority-moves", "priority", "if (Priority != Thread->Priority && KiLock", "if (KiLock", "keeps-place"),
    mutant("scan-not-armed", "sched", "    if (__builtin_expect(Armed > Prcb->ScanDue, 0)) {", "    if (0) {", "starvation-arms"),
    mutant("age-starts-anew", "sched", "    Thread->ReadySince -= Prcb->ScanCount;", "    Thread->ReadySince = 0;",
           "starvation-arms"),
    mutant("preempted-forgotten", "priority", "        KiOfferWaiting(Affinity, Priority + 1); /*", "        /*",
           "scan-offers"),
    mutant("times-stand-still", "thread", "Cycles += Now - Prcb->SwitchCycles;", "Cycles += 0;", "times-grow"),
]
