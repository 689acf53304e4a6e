# SPDX-License-Identifier: MIT
"""Wrong memory management."""
from mutant import Mutant

MUTANTS = [
    Mutant("copied-without-flush", "kernel/mm/fault.c",
           "    KeFlushTb(&Space->Kernel, Page, 1);\n    MmReleasePage(Old);\n", "    MmReleasePage(Old);\n", "user/vm",
           "vm.copy-seen-by-others"),
]
