# SPDX-License-Identifier: MIT
"""Proves of each lab what its files say: the solution passes, the starter fails exactly its declared tests with the declared class,
each hole alone fails a test that covers it and no other, and canned cheats get no points."""
import os
import shutil
import tempfile

from . import course, export, grade


def say(text):
    print(text, flush=True)


def wrong_tests(results, expected):
    """Results that differ from expected(test), the verdict that it must have."""
    return [f"{result.part.name} ({result.part.mode}, {result.part.smp}): {result.outcome.verdict}, expected {expected(result.part)}: "
            f"{result.outcome.lines.splitlines()[0] if result.outcome.lines else ''}"
            for result in results if not isinstance(result.part, course.Gate) and result.outcome.verdict != expected(result.part)]


def prove_solution(lab, jobs, quick):
    results = grade.grade(course.ROOT, lab, jobs=jobs, mutants=lab.mutants[:1] if quick else lab.mutants)
    return [f"{result.part.name}: {result.outcome.verdict}: {result.outcome.lines}" for result in results if result.outcome.verdict != "ok"]


def in_copy(folder, lab, changed, jobs, *settings):
    """The results of the tree with these changes; the copy is as it was afterwards."""
    export.apply(folder, changed)
    try:
        return grade.grade(folder, lab, jobs=jobs, settings=settings)
    finally:
        for path in changed:
            place, source = os.path.join(folder, path), os.path.join(course.ROOT, path)
            if os.path.exists(source):
                os.makedirs(os.path.dirname(place), exist_ok=True)
                shutil.copy(source, place)
            elif os.path.exists(place):
                os.unlink(place)


def prove_starter(folder, lab, jobs):
    # The tests that a student does not get are still run here; a warning would be a student's first impression.
    return wrong_tests(in_copy(folder, lab, export.changes(lab, "prep"), jobs, "WERROR=1"), lambda test: "ok" if test.starter == "pass" else test.starter)


def prove_hole(folder, lab, hole, jobs):
    results = [result for result in in_copy(folder, lab, export.changes(lab, "starter", only=hole.id), jobs) if isinstance(result.part, course.Test)]
    failed = [result.part for result in results if result.outcome.verdict != "ok"]
    wrong = [f"{test.name} fails without {hole.id}, which it does not cover" for test in failed if hole.id not in test.covers]
    return wrong if failed else ["no test fails"]


def prove(numbers, quick, jobs):
    """How many claims do not hold. quick: the solution and the starter, each test once and one mutant, without each hole alone."""
    failed = 0
    with tempfile.TemporaryDirectory(prefix="primer-labs-") as temp:
        folder = export.copy_tree(os.path.join(temp, "tree"))
        for number in numbers:
            lab = course.load(number)
            for test in lab.tests if quick else ():
                test.runs = 1
            claims = [("the tree passes", lambda: prove_solution(lab, jobs, quick)),
                      ("the starter fails exactly what it must", lambda: prove_starter(folder, lab, jobs))]
            if quick and lab.mutants:
                claims.pop()
            claims += [] if quick else [(f"hole {hole.id} alone is noticed by its tests only", lambda hole=hole: prove_hole(folder, lab, hole, jobs))
                                        for hole in lab.holes]
            for claim, check in claims:
                wrong = check()
                failed += bool(wrong)
                say(f"{'ok  ' if not wrong else 'FAIL'}  lab {number}: {claim}")
                for line in wrong:
                    say(f"        {line}")
    return failed
