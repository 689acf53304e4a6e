#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""make soak S=native [HOURS=N]: wild system calls, ten million at 4 and at 8 processors: eight threads with wrong, nearly right and right
arguments, a ninth that changes them meanwhile, handles closed and made anew. The machine lives, all memory comes back, and no service
tells an address of the kernel's. Before that, the subsystem tiny is loaded, used and unloaded a thousand times under load. Again and
again, with new seeds, until the hours are over (default: once).

    tests/soak/native.py [--build B] [--hours N] [--calls N]
"""
import argparse
import os
import random
import re
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.dont_write_bytecode = True
import cases_tools                                                                          # noqa: E402
import kinds                                                                                # noqa: E402

A_BOOT = 500_000                    # calls; a boot of these is short enough to be repeated


def boot(context, smp, calls, seed):
    """The test program once. Returns the report and how many calls its children have made."""
    case = kinds.Program(f"soak/native-{smp}", smp=smp, command=("syscalls", str(seed), str(calls)), native=True, timeout=7200,
                         puts=("{B}/native/syscalls:native/syscalls", "{B}/native/child:native/child"))
    report = case.run(context)
    with open(os.path.join(kinds.ROOT, case.log_path(context)), errors="replace") as log:
        counts = re.findall(r"syscalls: (\d+) wild calls", log.read())
    return report, sum(map(int, counts))


def reload_tiny(context):
    """tools/tiny-outside-the-tree with a thousand rounds."""
    os.environ |= {"TINY_ROUNDS": "1000", "TINY_TIMEOUT": "7200"}
    return kinds.Script("soak/tiny", cases_tools.OUTSIDE_TINY, timeout=7500).run(context)


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--build", choices=["debug", "release"], default="debug")
    p.add_argument("--hours", type=float, default=float(os.environ.get("HOURS") or 0))
    p.add_argument("--calls", type=int, default=10_000_000, help="at each number of processors (ten million)")
    args = p.parse_args()

    context = kinds.Context(args.build, random.randrange(1, 1 << 31), "build/tests/logs")
    os.makedirs(os.path.join(kinds.ROOT, context.logs), exist_ok=True)
    generator, started, passed, failed = random.Random(context.seed), time.monotonic(), 0, 0
    while True:
        report = reload_tiny(context)
        passed, failed = passed + len(report.passed), failed + len(report.failed)
        print(f"{time.monotonic() - started:6.0f} s   tiny, 1,000 times: {len(report.failed)} failed", flush=True)
        if report.failed:
            print(report.details, flush=True)
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
        if failed or time.monotonic() - started >= args.hours * 3600:
            break
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
