#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""make soak S=sync [HOURS=N]: 64 threads over all objects for ten minutes at 8 processors, then wake-ups at 4 processors
until there were ten million; again and again until the hours are over (default: once). Each boot has a seed of its own.

    tests/soak/sync.py [--build B] [--hours N] [--minutes M] [--wakeups N]
"""
import argparse
import os
import random
import re
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.dont_write_bytecode = True
import kinds                                                                                # noqa: E402


def boot(context, smp, milliseconds, seed):
    """The stress module once. Returns the report and how many wake-ups the log tells of."""
    case = kinds.Kernel(f"soak/sync-{smp}", smp=smp, modules=("stress",), timeout=milliseconds / 1000 * 6 + 120,
                        options=f"stress.ms={milliseconds} sched.seed={seed}")
    report = case.run(context)
    with open(os.path.join(kinds.ROOT, case.log_path(context)), errors="replace") as log:
        counts = re.findall(r"stress: (\d+) wake-ups", log.read())
    return report, sum(map(int, counts))


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--build", choices=["debug", "release"], default="debug")
    p.add_argument("--hours", type=float, default=float(os.environ.get("HOURS") or 0))
    p.add_argument("--minutes", type=float, default=10, help="of mixed stress a round (10)")
    p.add_argument("--wakeups", type=int, default=10_000_000, help="a round (ten million)")
    args = p.parse_args()

    context = kinds.Context(args.build, random.randrange(1, 1 << 31), "build/tests/logs")
    os.makedirs(os.path.join(kinds.ROOT, context.logs), exist_ok=True)
    generator, started, passed, failed = random.Random(context.seed), time.monotonic(), 0, 0

    def once(smp, milliseconds):
        nonlocal passed, failed
        report, wakeups = boot(context, smp, int(milliseconds), generator.randrange(1, 1 << 31))
        passed, failed = passed + len(report.passed), failed + len(report.failed)
        print(f"{time.monotonic() - started:6.0f} s   {smp} processors, {milliseconds / 1000:.0f} s: "
              f"{len(report.passed)} passed, {len(report.failed)} failed, {wakeups:,} wake-ups", flush=True)
        for line in report.failed:
            print(f"  {line}\n  {report.repeat}\n{report.details}", flush=True)
        return wakeups

    while True:
        once(8, args.minutes * 60000)
        total = 0
        while total < args.wakeups and not failed:
            total += once(4, 30000)
        if failed or time.monotonic() - started >= args.hours * 3600:
            break
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
