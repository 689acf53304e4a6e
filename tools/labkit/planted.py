# SPDX-License-Identifier: MIT
"""Planted bugs: those of tests/mutants by name, and which of them a hunt (labkit/hunt.py) has chosen.

labs/N/hidden/planted.toml says for each of a lab's mutants what it is: `planted = "NAME"`, of tests/mutants; and it has decoys, changes
that change nothing that a test may notice. A student gets the visible ones and the decoys in labs/N/planted, packed so that nobody reads
the answer by accident.
"""
import base64
import dataclasses
import json
import os
import sys
import tomllib
import zlib

from . import course
from .course import ROOT, LabError


@dataclasses.dataclass
class Change:
    file: str
    old: str
    new: str

    def apply(self, text):
        if text.count(self.old) != 1:
            raise LabError(f"planted bug: its text occurs {text.count(self.old)} times in {self.file}")
        return text.replace(self.old, self.new)


def named(name):
    """The planted bug of that name."""
    sys.path[:0] = [os.path.join(ROOT, "tests/soak"), os.path.join(ROOT, "tests"), os.path.join(ROOT, "tests/mutants")]
    import mutants
    known = {mutant.name: mutant for mutant in mutants.mutants([])}
    if name not in known:
        raise LabError(f"there is no planted bug '{name}': there are {', '.join(sorted(known))}")
    return Change(known[name].file, known[name].old, known[name].new)


def chosen(lab):
    """({mutant's name: Change}, [decoys]): in a student's tree, the visible ones."""
    path = f"{lab.folder}/planted"
    if os.path.exists(os.path.join(ROOT, path)):
        facts = json.loads(zlib.decompress(base64.b64decode(course.read(ROOT, path))))
        return {name: Change(*words) for name, words in facts["mutants"].items()}, [Change(*words) for words in facts["decoys"]]
    path = f"{lab.folder}/hidden/planted.toml"
    facts = tomllib.loads(course.read(ROOT, path))
    decoys = [course.make(Change, decoy, path) for decoy in facts.pop("decoy", [])]
    if set(facts) != {mutant.name for mutant in lab.mutants} or any(set(fact) != {"planted"} for fact in facts.values()):
        raise LabError(f"{path}: a table [NAME] with `planted` for each mutant of lab.toml, and [[decoy]] tables, nothing else")
    return {name: named(fact["planted"]) for name, fact in facts.items()}, decoys


def packed(lab):
    """What a student gets of it."""
    mutants, decoys = chosen(lab)
    shown = {mutant.name: dataclasses.astuple(mutants[mutant.name]) for mutant in lab.mutants if mutant.visibility == "visible"}
    facts = {"mutants": shown, "decoys": [dataclasses.astuple(decoy) for decoy in decoys]}
    return base64.encodebytes(zlib.compress(json.dumps(facts).encode(), 9))
