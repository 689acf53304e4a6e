# SPDX-License-Identifier: MIT
"""The hunt for mutants: a student's test modules against kernels that have one planted bug each.

A check counts when it passes on the kernel as it is, with every seed, and on the decoys: kernels that are built differently and behave
the same, so that a test that only tells one kernel from another finds nothing. It kills a mutant when it fails there, or when the machine
ends in the middle of it. A module that ends the machine, floods its log or forges results where there is no bug gets nothing.
"""
import concurrent.futures
import dataclasses
import hashlib
import os
import shutil
import tempfile
import threading
import time

from . import course, export, grade, planted
from .course import ROOT, LabError, Test

SEEDS = 4           # of the kernel as it is
KERNELS = os.path.join(ROOT, "build/labs/kernels")
SOURCES = ("arch/", "boot/", "include/", "kernel/", "ps/", "sync/", "tools/mk/", "Makefile", "linker.ld", "tools/ksyms.py", "tools/mkarchive.py")
IMAGES = ("primer.elf", "stripped/primer.elf")
LOCK = threading.Lock()         # one builds, the others wait for what it builds


# ---- Kernels --------------------------------------------------------------------------------------------------------

def digest_of_tree():
    digest = hashlib.sha256()
    for path in (*(path for path in export.files() if path.startswith(SOURCES)), "build/debug/flags"):
        with open(os.path.join(ROOT, path), "rb") as file:
            digest.update(f"{path}\0".encode() + hashlib.sha256(file.read()).digest())
    return digest


def kernels(changes):
    """The folders of the kernels with these changes, in the changes' order. They are kept as long as the tree's kernel is the same."""
    with LOCK:
        base, folders = digest_of_tree(), {}
        for change in changes:
            digest = base.copy()
            digest.update(repr(change).encode())
            folders[os.path.join(KERNELS, digest.hexdigest()[:24])] = change
        os.makedirs(KERNELS, exist_ok=True)
        missing = {folder: change for folder, change in folders.items() if not os.path.isdir(folder)}
        if missing:
            build_kernels(missing)
        for name in os.listdir(KERNELS):
            folder = os.path.join(KERNELS, name)
            if folder not in folders and time.time() - os.path.getmtime(folder) > 86400:
                shutil.rmtree(folder, ignore_errors=True)       # of a tree of yesterday's
        return list(folders)


def build_kernels(missing):
    with tempfile.TemporaryDirectory(prefix="primer-hunt-") as temp:
        tree = export.copy_tree(os.path.join(temp, "tree"))
        for folder, change in sorted(missing.items(), key=lambda item: item[1].file):
            before = course.read(tree, change.file)
            export.apply(tree, {change.file: change.apply(before).encode()})
            wrong = grade.make(tree, [f"build/debug/{image}" for image in IMAGES])
            if wrong:
                raise LabError(f"a planted bug in {change.file} does not build: {wrong}")
            for image in IMAGES:
                place = os.path.join(temp, "kernel", image)
                os.makedirs(os.path.dirname(place), exist_ok=True)
                shutil.copy(os.path.join(tree, "build/debug", image), place)
            os.rename(shutil.copytree(os.path.join(temp, "kernel"), f"{folder}.{os.getpid()}"), folder)
            export.apply(tree, {change.file: before.encode()})


def shadow(tree, kernel, folder):
    """A tree that is this one but for the kernel that it has built."""
    build = os.path.join(folder, "build/debug")
    os.makedirs(os.path.join(build, "stripped"))
    for where, place, left_out in ((tree, folder, {"build"}), (os.path.join(tree, "build/debug"), build, {"primer.iso", "primer.elf", "stripped"})):
        for name in set(os.listdir(where)) - left_out:
            os.symlink(os.path.join(where, name), os.path.join(place, name))
    for image in IMAGES:
        os.symlink(os.path.join(kernel, image), os.path.join(build, image))
    return folder


# ---- Boots ----------------------------------------------------------------------------------------------------------

def as_test(mutant):
    return Test(mutant.name, mutant.points, [], module=mutant.module, mode=mutant.mode, smp=mutant.smp)


def boot(tree, kernel, test, seed):
    """The outcomes of the module's checks on this kernel; None: the tree's own."""
    with tempfile.TemporaryDirectory(prefix="primer-hunt-") as temp:
        place = shadow(tree, kernel, os.path.join(temp, "tree")) if kernel else tree
        for _ in range(2):      # what is the host's fault is tried once more
            outcomes, _ = grade.boot(place, test, seed)
            if not any(outcome.verdict in ("infrastructure", "boot failure") for outcome in outcomes.values()):
                break
        return outcomes


@dataclasses.dataclass
class Reference:
    """What a module did where there is no bug."""
    good: set               # the checks that passed in every run
    struck: dict            # those that did not: why
    outcome: object = None  # why nothing of the module counts


def run_reference(tree, decoys, test, seed):
    plan = course.plan(tree, test.module)
    if not plan:
        return Reference(set(), {}, grade.Outcome("fail", f"{test.module} has no check: KtestRun(\"NAME\", Routine)"))
    reference = Reference(set(plan), {})
    seeds = 1 if test.mode == "det" else SEEDS
    for kernel, number in [(None, seed + turn) for turn in range(seeds)] + [(decoy, seed) for decoy in decoys]:
        for name, outcome in boot(tree, kernel, test, number).items():
            if outcome.verdict == "ok":
                continue
            why = f"{name}, on {'a kernel that is built differently and has no bug' if kernel else 'the kernel without a bug'}, seed {number}"
            if outcome.verdict != "fail":
                reference.outcome = grade.Outcome(outcome.verdict, f"{why}:\n{outcome.lines}")
                return reference
            reference.good.discard(name)
            reference.struck.setdefault(name, f"{why}: {outcome.lines}")
    if not reference.good:
        reference.outcome = grade.Outcome("fail", "\n".join(["no check passes where there is no bug:", *reference.struck.values()]))
    return reference


def run_mutant(tree, mutant, kernel, reference, seed):
    """Does a check that counts fail there?"""
    for number in range(seed, seed + mutant.runs):
        found = killer(boot(tree, kernel, as_test(mutant), number), reference.good)
        if found:
            name, outcome = found
            return grade.Outcome("ok", f"killed by {name}, seed {number}: {outcome.verdict}: {outcome.lines.splitlines()[0] if outcome.lines else ''}")
    lines = [f"it lives: {len(reference.good)} checks pass on it", *(f"does not count: {why}" for why in reference.struck.values())]
    return grade.Outcome("fail", "\n".join(lines), f"tools/lab run {mutant.name} --seed {seed}")


def killer(outcomes, good):
    """(the check that noticed the bug, its outcome), or None."""
    for name, outcome in outcomes.items():
        if outcome.verdict in ("forged", "flood", "infrastructure", "boot failure"):
            return None
        if outcome.verdict == "fail" and name in good:
            return name, outcome
        if outcome.verdict not in ("ok", "fail"):       # the machine ended here: it is this check's doing, or nobody's
            return (name, outcome) if name in good else None
    return None


# ---- A lab ----------------------------------------------------------------------------------------------------------

def grade_mutants(tree, lab, mutants, seed, jobs, report):
    """The results of these mutants; report is called after each with all that are there."""
    known, decoys = planted.chosen(lab)
    decoys = kernels(decoys)
    groups, results, lock = {}, [], threading.Lock()
    for mutant in mutants:
        groups.setdefault((mutant.module, mutant.mode, mutant.smp), []).append(mutant)

    def run_group(group):
        wrong = grade.make(tree, [f"M={group[0].module}"])
        reference = Reference(set(), {}, grade.Outcome("build failure", wrong)) if wrong else run_reference(tree, decoys, as_test(group[0]), seed)
        void = reference.outcome
        folders = [None] * len(group) if void else kernels([known[mutant.name] for mutant in group])
        for mutant, folder in zip(group, folders):
            started = time.monotonic()
            outcome = dataclasses.replace(void) if void else run_mutant(tree, mutant, folder, reference, seed)
            with lock:
                results.append(grade.Result(mutant, outcome, time.monotonic() - started))
                report(results)

    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for done in [pool.submit(run_group, group) for group in groups.values()]:
            done.result()
    return results


def compare(tree, lab, mutant, seed):
    """Each check's verdicts with this seed, without the bug and on the mutant: whether one notices, and the lines that say so."""
    wrong = grade.make(tree, [f"M={mutant.module}"])
    if wrong:
        raise LabError(wrong)
    kernel, = kernels([planted.chosen(lab)[0][mutant.name]])
    without, mutated = (boot(tree, folder, as_test(mutant), seed) for folder in (None, kernel))
    lines = [f"{'without a bug':<15} {mutant.name:<15} seed {seed}"]
    for name, outcome in without.items():
        lines.append(f"{outcome.verdict:<15} {mutated[name].verdict:<15} {name}")
        lines += ["    " + line for line in (outcome.lines or mutated[name].lines).splitlines()[:3]]
    return killer(mutated, {name for name, outcome in without.items() if outcome.verdict == "ok"}) is not None, "\n".join(lines)


def place_for_debugger(lab, mutant):
    """A tree that has built this kernel, which stays."""
    wrong = grade.make(ROOT, [f"M={mutant.module}"])
    if wrong:
        raise LabError(wrong)
    kernel, = kernels([planted.chosen(lab)[0][mutant.name]])
    place = os.path.join(ROOT, "build/labs", mutant.name)
    shutil.rmtree(place, ignore_errors=True)
    return shadow(ROOT, kernel, place)
