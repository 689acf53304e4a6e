#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Does the table of planted faults in docs/bugchecks.md agree with the tests? Every case that it names is there, every case whose page is compared is
named, each fault that a newcomer must be able to name has a row, and what a report is said to say stands in the sources that say it."""
import fnmatch
import glob
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests"))
import cases_bugs                                                                           # noqa: E402

FAULTS = ("null dereference", "stack overflow", "use after free", "double free", "lock-order inversion", "missed release",
          "wait at raised IRQL", "hung DPC", "lost wake-up", "a loop with interrupts off", "triple fault")
SOURCES = ("tools/crash.py", "tools/run", "tools/gdb/kd/*.py", "kernel/*/*.c", "sync/*.c", "ps/*.c", "arch/*/*.c")


def text_of(path):
    with open(path) as file:
        return file.read()


def rows():
    section = text_of(os.path.join(ROOT, "docs/bugchecks.md")).partition("## Planted faults")[2]
    table = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in section.splitlines() if line.startswith("|")]
    return table[2:]        # behind its head


def runs_of_words(said):
    """What a report is said to say, in pieces: a verb, name or number that differs from report to report ends one."""
    for quoted in re.findall(r'"([^"]+)"', said):
        for piece in re.split(r"\.\.\.|\S*\d\S*|\bread\b|\bjumped to\b|\br[a-z]{2}\b", quoted.lower()):
            if len(piece.split()) > 1:
                yield piece.strip(" :,")


def cases_of(cell, names):
    """By each pattern of a cell: the cases that fit it."""
    for pattern in re.findall(r"`((?:\w+/)?[\w*/-]+)`", cell):
        if pattern != "tools/run":
            yield pattern, fnmatch.filter(names, pattern if pattern.startswith(("bug/", "lockbugs/")) else "bug/" + pattern)


def main():
    wrong = []
    names = subprocess.run([os.path.join(ROOT, "tests/run.py"), "--list"], text=True, capture_output=True, check=True).stdout.split()
    sources = "\n".join(text_of(path) for pattern in SOURCES for path in glob.glob(os.path.join(ROOT, pattern)))
    sources = re.sub(r"\"\s*\n\s*f?\"", "", sources).lower()        # a string that goes on in the next line
    table, named = rows(), set()
    for fault, cases, said, place in table:
        for pattern, found in cases_of(cases, names):
            named.update(found)
            wrong += [] if found else [f"{fault}: there is no case {pattern}"]
        wrong += [f"{fault}: no report says '{piece}'" for piece in runs_of_words(said) if piece not in sources]
        wrong += [] if place else [f"{fault}: no place"]
    wrong += [f"no row for {fault}" for fault in FAULTS if fault not in [row[0] for row in table]]
    wrong += [f"bug/{name} is not in the table" for name in cases_bugs.PAGES if f"bug/{name}" not in named]
    print("\n".join(wrong) or f"{len(table)} faults, {len(named)} cases")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
