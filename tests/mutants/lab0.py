# SPDX-License-Identifier: MIT
"""Typical wrong solutions of lab 0: the walk along the stack."""
from mutant import Mutant


def mutant(name, old, new, test):
    return Mutant(name, "arch/x86_64/backtrace.c", old, new, "lab 0", test)


MUTANTS = [
    mutant("walk-reads-before-it-looks", "        if (!IsLink(Rbp)) {", "        if (Rbp == 0) {", "walk.broken"),
    mutant("walk-stores-one-too-many", "    while (Stored < Count &&", "    while (Stored <= Count &&", "walk.limit"),
    mutant("walk-stores-the-end", "(Stored == 0 || Rip != 0)", "(Stored == 0 || Rip != 1)", "walk.ends"),
]
