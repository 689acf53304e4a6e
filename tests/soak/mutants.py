#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Shows that the tests notice wrong kernels: `make soak S=mutants`, or tests/soak/mutants.py [NAME]...

Every mutant of tests/mutants/*.py (see tests/mutants/mutant.py) is built in a copy of the tree, and its case runs there.
First the unchanged copy runs all these cases, which must pass. The last line is "N passed, N failed".
"""
import argparse
import fnmatch
import glob
import importlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
ROOT = os.path.dirname(TESTS)
sys.path[:0] = [TESTS, os.path.join(TESTS, "mutants")]
sys.dont_write_bytecode = True


def mutants(wanted):
    found = []
    for path in sorted(glob.glob(os.path.join(TESTS, "mutants", "*.py"))):
        module = importlib.import_module(os.path.basename(path).removesuffix(".py"))
        found += getattr(module, "MUTANTS", [])
    names = [mutant.name for mutant in found]
    for name in {name for name in names if names.count(name) > 1}:
        sys.exit(f"two mutants are called {name}")
    return [mutant for mutant in found if not wanted or
            any(want in mutant.name or fnmatch.fnmatch(mutant.name, want) for want in wanted)]


def lab_of(case):
    """The number of the lab whose tests are meant; None: an ordinary case."""
    match = re.fullmatch(r"lab (\d+)", case)
    return match and os.path.isdir(os.path.join(ROOT, "labs", match[1])) and match[1]


def check(chosen):
    """Can each be made, and does its case exist?"""
    import run
    cases, wrong = {case.name for case in run.load("CASES")}, 0
    for mutant in chosen:
        with open(os.path.join(ROOT, mutant.file), encoding="utf-8") as file:
            count = file.read().count(mutant.old)
        if count != 1 or mutant.case not in cases and not lab_of(mutant.case):
            print(f"{mutant.name}: its text occurs {count} times in {mutant.file}; case {mutant.case}")
            wrong += 1
    print(f"{len(chosen)} mutants, {wrong} wrong")
    return 1 if wrong else 0


def run_one(name):
    """In the copy: runs the case of that very name, and prints what failed as one line of JSON."""
    import kinds
    import run
    if lab_of(name):
        graded = subprocess.run(["tools/lab", "grade", lab_of(name), "--format", "json"], cwd=ROOT, capture_output=True, text=True)
        print(json.dumps([f"{test['name']}: {test['verdict']}" for test in json.loads(graded.stdout)["tests"] if test["verdict"] != "ok"]))
        return
    case = next(case for case in run.load("CASES") if case.name == name)
    context = kinds.Context("debug", int(os.environ["SEED"]), "build/tests/logs")
    os.makedirs(os.path.join(kinds.ROOT, context.logs), exist_ok=True)
    report, _ = run.run_case(case, context)
    print(json.dumps(report.failed + report.skipped))


class Copy:
    def __init__(self, folder, seed):
        self.folder = folder
        self.environment = os.environ | {"SEED": str(seed)}
        for name in ("MAKEFLAGS", "MAKELEVEL", "M"):        # ours, from `make soak`: the copy's make has its own
            self.environment.pop(name, None)
        subprocess.run(["cp", "-a", *(os.path.join(ROOT, name) for name in os.listdir(ROOT) if name != ".git"), folder],
                       check=True)

    def build(self):
        made = subprocess.run(["make", "-s", "BUILD=debug", "all", "tests"], cwd=self.folder, env=self.environment,
                              capture_output=True, text=True)
        return "" if made.returncode == 0 else made.stdout + made.stderr

    def failures(self, case):
        script = os.path.join(self.folder, "tests", "soak", "mutants.py")
        ran = subprocess.run([sys.executable, script, "--case", case], cwd=self.folder, env=self.environment,
                             capture_output=True, text=True)
        return json.loads(ran.stdout) if ran.returncode == 0 else [f"{case}: {ran.stderr}"]

    def judge(self, mutant):
        """What is wrong with the mutant or its test; "" when the test has noticed it."""
        path = os.path.join(self.folder, mutant.file)
        with open(path, encoding="utf-8") as file:
            before = file.read()
        if before.count(mutant.old) != 1:
            return f"its text occurs {before.count(mutant.old)} times in {mutant.file}"
        try:
            write(path, before.replace(mutant.old, mutant.new))
            errors = self.build()
            if errors:
                return f"it does not build:\n{errors}"
            failed = self.failures(mutant.case)
        finally:
            write(path, before)
        if not failed:
            return f"it lives: {mutant.case} passes"
        if mutant.line and not any((line + ":").startswith(mutant.line + ":") for line in failed):
            return f"{mutant.line} does not fail, but: " + "; ".join(failed)
        return ""


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def say(state, name, what, started):
    print(f"{state:6} {name:44} {what}, {time.monotonic() - started:.0f} s", flush=True)
    return state == "FAIL"


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--check", action="store_true", help="only whether each one's text stands in its file, once")
    p.add_argument("--case", help=argparse.SUPPRESS)
    p.add_argument("names", nargs="*")
    args = p.parse_args()
    if args.case is not None:
        return run_one(args.case)

    chosen, failed, passed = mutants(args.names), 0, 0
    if not chosen:
        sys.exit("no such mutant")
    if args.check:
        return check(chosen)
    with tempfile.TemporaryDirectory(prefix="primer-mutants-") as folder:
        copy = Copy(folder, args.seed)
        errors = copy.build()
        if errors:
            sys.exit("the unchanged tree does not build:\n" + errors)
        for case in sorted({mutant.case for mutant in chosen}):
            started = time.monotonic()
            bad = copy.failures(case)
            failed += say("FAIL" if bad else "ok", case, "; ".join(bad) or "passes unchanged", started)
            passed += not bad
        for mutant in chosen:
            started = time.monotonic()
            why = copy.judge(mutant)
            failed += say("FAIL" if why else "ok", mutant.name, why or f"noticed by {mutant.line or mutant.case}", started)
            passed += not why
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
