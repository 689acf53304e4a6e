#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the tests that tests/cases*.py list (see tests/kinds.py for what a case can be).

    tests/run.py [-j N] [--build debug|release] [--seed N] [--list] [NAME]...     NAME: a part of a name, or a pattern
    tests/run.py --bench [NAME]...                            the measures, with their limits
    tests/run.py --soak COUNT                                 COUNT boots each at 1, 2, 4 and 8 processors

The last line is "N passed, N failed", with ", N skipped" if any were. Before it stands how long each group of cases took (the
part of the names before the first slash): a whole run fails when a group takes longer than its share. --no-skips: what is
skipped is a failure, for a machine that should have all that the tests need. Logs stay in build/tests/logs.
"""
import argparse
import concurrent.futures
import fnmatch
import glob
import importlib
import os
import random
import sys
import threading
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True
import kinds                                                                                # noqa: E402

# What a group may take in a whole run, in seconds of its cases, added up: on two cores they run two at a time, but for those
# that run alone (see lane_of). Generous: about three times what they take on an idle machine of two cores. A group without a share of its
# own gets OTHER_SHARE.
SHARES = {"bad": 500, "book": 300, "boot": 200, "bug": 500, "gdb": 400, "host": 200, "kernel": 1500, "labs": 800, "linux": 1000, "lockbugs": 400,
          "misuse": 300, "models": 600, "run": 600, "screen": 500, "stub": 450, "tools": 400, "user": 400}
OTHER_SHARE = 200

PRINTING = threading.Lock()


def say(text):
    with PRINTING:
        print(text, flush=True)


def load(attribute):
    """All entries of the lists called `attribute` in tests/cases*.py."""
    found = []
    for path in sorted(glob.glob(os.path.join(HERE, "cases*.py"))):
        module = importlib.import_module(os.path.basename(path).removesuffix(".py"))
        found += getattr(module, attribute, [])
    names = [case.name for case in found]
    for name in {name for name in names if names.count(name) > 1}:
        sys.exit(f"tests/run.py: two cases are called {name}")
    return found


def chosen(cases, wanted):
    return [case for case in cases if not wanted or
            any(want in case.name or fnmatch.fnmatch(case.name, want) for want in wanted)]


# ---- Tests ----------------------------------------------------------------------------------------------------------

class Totals:
    def __init__(self, no_skips=False):
        self.passed, self.failed, self.skipped, self.bad, self.seconds = 0, 0, 0, [], {}
        self.no_skips = no_skips

    def add(self, case, report, seconds):
        self.passed += len(report.passed)
        self.failed += len(report.failed)
        self.skipped += len(report.skipped)
        if self.no_skips:
            self.failed += len(report.skipped)
            self.bad += [f"{case.name}: skipped: {line}" for line in report.skipped]
        group = case.name.partition("/")[0]
        self.seconds[group] = self.seconds.get(group, 0) + seconds

    def judge_groups(self, whole):
        """Prints what each group took. Of a whole run none may take more than its share."""
        say("")
        for group, seconds in sorted(self.seconds.items()):
            share = SHARES.get(group, OTHER_SHARE)
            over = whole and seconds > share
            say(f"{group:10} {seconds:8.1f} s of {share:5} s{'   OVER' if over else ''}")
            if over:
                self.failed += 1
                self.bad.append(f"{group}: {seconds:.0f} s, its share is {share} s")

    def finish(self):
        if self.bad:
            say("\nfailed:\n" + "\n".join("    " + line for line in self.bad))
        say(f"{self.passed} passed, {self.failed} failed" + (f", {self.skipped} skipped" if self.skipped else ""))
        return 1 if self.failed or not self.passed else 0


def run_case(case, context):
    started = time.monotonic()
    try:
        if getattr(case, "debug", False) and context.build == "release":
            report = kinds.Report(skipped=[f"{case.name}: for the debug build"])
        else:
            report = case.run(context)
    except Exception:                                           # a case that breaks is one that fails
        report = kinds.Report(failed=[f"{case.name}: the runner failed"], details=traceback.format_exc())
    if hasattr(case, "trace_path") and os.path.exists(trace := os.path.join(kinds.ROOT, case.trace_path(context))):
        if report.failed:
            report.details += f"\nits last trace records: tools/trace text {case.trace_path(context)}"
        else:
            os.unlink(trace)
    return report, time.monotonic() - started


def show(case, report, seconds, context, totals):
    totals.add(case, report, seconds)
    count = f"{len(report.passed)} passed" if len(report.passed) != 1 else "passed"
    if not report.failed:
        state = "skip" if report.skipped and not report.passed else "ok  "
        why = "".join(f"\n       skipped: {line}" for line in report.skipped)
        note = report.note and f"   {report.note}"
        return say(f"{state}   {case.name:44} {count}, {seconds:.1f} s{note}{why}")
    totals.bad += [f"{case.name}: {line}" for line in report.failed]
    text = "\n".join("    " + line for line in report.details.strip().splitlines())
    say(f"FAIL   {case.name:44} {len(report.failed)} failed, {count}, {seconds:.1f} s\n"
        + "".join(f"  {line}\n" for line in report.failed)
        + (f"  the end of its output:\n{text}\n" if text else "")
        + f"  seed {context.seed}; to repeat it: {report.repeat or 'tests/run.py ' + case.name}")


def lane_of(case):
    """Beside which others a case runs: one that needs the machine for itself shares it with nobody, or, when it has only one
    processor, with its like; one that waits most of the time takes nothing from those that compute."""
    if getattr(case, "alone", False):
        return "one" if getattr(case, "smp", 0) == 1 else "alone"
    return "idle" if getattr(case, "idle", False) or getattr(case, "hang", False) else "together"


def run_side_by_side(pools, context, totals):
    running = {pool.submit(run_case, case, context): case for pool, cases in pools for case in cases}
    try:
        for done in concurrent.futures.as_completed(running):
            show(running[done], *done.result(), context, totals)
    except KeyboardInterrupt:
        for pool, _ in pools:
            pool.shutdown(wait=False, cancel_futures=True)
        raise


def run_tests(cases, context, jobs, whole, no_skips):
    totals = Totals(no_skips)
    say(f"{len(cases)} cases, build {context.build}, seed {context.seed}")
    lanes = {"together": [], "idle": [], "one": [], "alone": []}
    for case in cases:
        lanes[lane_of(case)].append(case)
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool, concurrent.futures.ThreadPoolExecutor(1) as idle:
        run_side_by_side([(pool, lanes["together"]), (idle if jobs > 1 else pool, lanes["idle"])], context, totals)
    with concurrent.futures.ThreadPoolExecutor(min(jobs, os.cpu_count())) as pool:
        run_side_by_side([(pool, lanes["one"])], context, totals)
    for case in lanes["alone"]:
        show(case, *run_case(case, context), context, totals)
    totals.judge_groups(whole)
    return totals.finish()


# ---- Measures -------------------------------------------------------------------------------------------------------

def run_bench(benches, context):
    over, known = 0, {}
    say(f"{'measure':40} {'value':>14} {'limit':>14} {'Linux 6.1':>14} {'ratio':>6}")
    for bench in benches:
        values, status, repeat, err = bench.measure(context)
        known |= values
        for name in [*bench.limits, *(name for name in values if name not in bench.limits)]:
            limit, value = bench.limits.get(name), values.get(name)
            if isinstance(limit, tuple):
                limit = known.get(limit[0], 0) + limit[1]
            bad = value is None or (limit is not None and value > limit)
            over += bad
            compared = getattr(bench, "compared", {}).get(name)
            say(f"{name:40} {'missing' if value is None else format(value, ','):>14} "
                f"{'' if limit is None else format(limit, ','):>14}"
                + (f" {compared:14,} {'' if value is None else format(value / compared, '.2f'):>6}" if compared else "")
                + ("   OVER" if bad and value is not None else ""))
        if status != 0:
            over += 1
            say(f"{bench.name}: status {status}\n{err}")
        if status != 0 or any(name not in values for name in bench.limits):
            say(f"  to repeat it: {repeat}")
    say(f"{over} over their limits" if over else "all within their limits")
    return 1 if over else 0


# ---- Soak -----------------------------------------------------------------------------------------------------------

def soak_cases(count, seed):
    """Boots through GRUB now and then, for the most part directly; each with a seed of its own."""
    generator = random.Random(seed)
    return [kinds.Command(f"soak/{smp}/{number}", smp=smp, boot="direct" if number % 10 else "bios", timeout=60,
                          options=f"sched.seed={generator.randrange(1 << 31)}", command=("/bin/busybox", "true"))
            for number in range(count) for smp in (1, 2, 4, 8)]


def run_soak(count, context, jobs):
    cases, totals, started = soak_cases(count, context.seed), Totals(), time.monotonic()
    say(f"{len(cases)} boots, seed {context.seed}")
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        results = pool.map(lambda case: (case, *run_case(case, context)), cases)
        for number, (case, report, seconds) in enumerate(results, 1):
            if report.failed:
                show(case, report, seconds, context, totals)
            else:
                totals.add(case, report, seconds)
            if number % 40 == 0:
                say(f"  {number} boots, {totals.failed} failed, {time.monotonic() - started:.0f} s")
    return totals.finish()


# ---------------------------------------------------------------------------------------------------------------------

def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("-j", type=int, default=2, metavar="N", help="cases at a time (2)")
    p.add_argument("--build", choices=["debug", "release", "coverage"], default="debug")
    p.add_argument("--seed", type=int, default=random.randrange(1, 1 << 31))
    p.add_argument("--list", action="store_true")
    p.add_argument("--no-skips", action="store_true", help="what is skipped is a failure")
    p.add_argument("--bench", action="store_true")
    p.add_argument("--soak", type=int, metavar="COUNT")
    p.add_argument("names", nargs="*")
    args = p.parse_args()

    context = kinds.Context(args.build, args.seed, "build/tests/logs")
    os.makedirs(os.path.join(kinds.ROOT, context.logs), exist_ok=True)
    if args.soak is not None:
        return run_soak(args.soak, context, args.j)
    cases = chosen(load("BENCHES" if args.bench else "CASES"), args.names)
    if args.list:
        print("\n".join(case.name for case in cases))
        return 0
    return run_bench(cases, context) if args.bench else run_tests(cases, context, args.j, not args.names, args.no_skips)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("interrupted")
