# SPDX-License-Identifier: MIT
"""What a mutant is: one small, wrong change of the kernel, and the test that notices it.

Each file tests/mutants/AREA.py has a list MUTANTS. A mutant's name says what is wrong with the kernel that it makes.
`make soak S=mutants` builds each in a copy of the tree and runs the case: it must fail, in the line that is named.
"""
import dataclasses


@dataclasses.dataclass
class Mutant:
    name: str
    file: str           # of the kernel
    old: str            # a piece of the file that occurs in it once ...
    new: str            # ... and what stands there instead
    case: str           # the name of a test case (tests/run.py --list) that passes without the change; or "lab N"
    line: str = ""      # the result line (@fail LINE), or the lab's test, that must fail; "": the case ends in any failure
