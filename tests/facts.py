#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Each test that docs/facts.md names is there: the case in the list of tests/run.py, and the check, as it is printed, in the source
of the case. A fact has tests or a reason why it has none. Prints what is wrong, or how many facts there are.

    tests/facts.py [PAGE]
"""
import glob
import os
import re
import sys

import run

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROW = re.compile(r"^\| (?!fact \||-)(.*) \| (.*) \|$", re.M)


def source_of(case):
    """What the module or program of the case consists of."""
    stem = os.path.join(ROOT, "tests", *case.split("/")[:2])
    text = ""
    for path in glob.glob(f"{stem}/*.[ch]") + glob.glob(f"{stem}.[ch]*"):
        with open(path) as file:
            text += file.read()
    return text


def faults(fact, tests, cases):
    if tests.startswith("- "):
        return
    named = re.findall(r"`([^`]+)`", tests)
    if not named:
        yield f"'{fact}' has neither a test nor a reason"
    for name in named:
        case, _, check = name.partition(": ")
        if case not in cases:
            yield f"there is no case {case}"
        elif check and not re.search(rf'"(\w+\.)?{re.escape(check)}"', source_of(case)):
            yield f"case {case} has no check {check}"


page = sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "docs/facts.md")
with open(page) as file:
    rows = ROW.findall(file.read())
cases = {case.name for case in run.load("CASES")}
found = [fault for fact, tests in rows for fault in faults(fact, tests, cases)]
print("\n".join(found) or f"{len(rows)} facts, {sum(tests.startswith('- ') for _, tests in rows)} of them without a test")
sys.exit(1 if found or not rows else 0)
