#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""make soak S=linux [HOURS=N]: wild calls of Linux programs, ten million at 4 and at 8 processors (tests/linux/fuzz.c): workers that fork and
die, threads that race. The machine lives, and all memory comes back. Then the programs of tests/linux on a small machine, where they do
the same, and with every n-th allocation failing, where they may fail, but nothing else does. Again and again, with new seeds, until
the hours are over (default: once).

    tests/soak/linux.py [--build B] [--hours N] [--calls N] [--seed N]
"""
import argparse
import os
import random
import re
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.dont_write_bytecode = True
import cases                                                                                # noqa: E402
import cases_linux                                                                          # noqa: E402
import kinds                                                                                # noqa: E402

A_BOOT = 200_000                    # calls; a boot of these is short enough to be repeated


def boot(context, smp, calls, seed):
    """The test program once. Returns the report and how many calls it has made."""
    case = kinds.Program(f"soak/linux-{smp}", smp=smp, command=("/fuzz", str(seed), str(calls)), timeout=3600,
                         files=("{T}/linux/fuzz.musl:/fuzz",))
    report = case.run(context)
    counts = re.findall(r"fuzz: (\d+) calls.*", report.details)
    return report, sum(map(int, counts))


SMALL_DIFFERS = {"stackgrow"}       # it wants 60 MB of stack
FAULTS = ((97, 0), (211, 0), (499, 0), (0, 23), (0, 61), (0, 199), (307, 311))      # fault.pool, fault.pages


def small_machine():
    """The programs of tests/linux in 48 MB."""
    for case in cases.CASES:
        if isinstance(case, kinds.LinuxProgram) and case.program not in SMALL_DIFFERS:
            yield kinds.LinuxProgram(case.program, case.kind, memory="48M")


def scarce():
    """And all of them with failing allocations."""
    for pool, pages in FAULTS:
        yield cases_linux.scarce(pool, pages, cases_linux.scarce_programs(), rounds=3, timeout=3600)


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--build", choices=["debug", "release"], default="debug")
    p.add_argument("--hours", type=float, default=float(os.environ.get("HOURS") or 0))
    p.add_argument("--calls", type=int, default=10_000_000, help="at each number of processors (ten million)")
    p.add_argument("--seed", type=int, default=random.randrange(1, 1 << 31))
    args = p.parse_args()

    context = kinds.Context(args.build, args.seed, "build/tests/logs")
    os.makedirs(os.path.join(kinds.ROOT, context.logs), exist_ok=True)
    generator, started, passed, failed = random.Random(context.seed), time.monotonic(), 0, 0
    print(f"seed {args.seed}")
    while True:
        for smp in (4, 8):
            total = 0
            while total < args.calls and not failed:
                seed = generator.randrange(1, 1_000_000_000)
                report, calls = boot(context, smp, min(A_BOOT, args.calls - total), seed)
                passed, failed, total = passed + len(report.passed), failed + len(report.failed), total + calls
                print(f"{time.monotonic() - started:6.0f} s   {smp} processors, seed {seed}: {len(report.failed)} failed, "
                      f"{total:,} calls", flush=True)
                for line in report.failed:
                    print(f"  {line}\n  {report.repeat}\n{report.details}", flush=True)
                failed += calls == 0
        for case in (*small_machine(), *scarce()):
            report = case.run(context)
            passed, failed = passed + len(report.passed), failed + len(report.failed)
            print(f"{time.monotonic() - started:6.0f} s   {case.name}: {len(report.failed)} failed", flush=True)
            for line in report.failed:
                print(f"  {line}\n  {report.repeat}\n{report.details}", flush=True)
        if failed or time.monotonic() - started >= args.hours * 3600:
            break
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
