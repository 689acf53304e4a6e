#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""make soak S=coverage: `make coverage` over a few tests: its figure, and what the counters say of routines that these execute, and do not."""
import importlib.machinery
import importlib.util
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TESTS = "trace/schedule native/pipes"
DONE = (("sync/wait.c", "KeWaitForMultipleObjects"), ("kernel/kd/trace.c", "KdTraceRecord"), ("ps/thread.c", "PsCreateSystemThread"))
LEFT = (("drivers/kdstub/session.c", "StubSession"), ("kernel/kd/bugcheck.c", "KeBugCheck"))


def load(path):
    loader = importlib.machinery.SourceFileLoader("coverage_tool", os.path.join(ROOT, path))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


def count_of(lines, path, routine):
    """How often the first line of a routine was executed."""
    with open(os.path.join(ROOT, path)) as file:
        found = next(number for number, line in enumerate(file, 1) if re.match(rf"\w.*\b{routine}\(", line))
    return lines[path][min(number for number in lines[path] if number >= found)]


def main():
    env = {key: value for key, value in os.environ.items() if key not in ("MAKEFLAGS", "MAKELEVEL")}
    out = subprocess.run(["make", "coverage", f"T={TESTS}"], cwd=ROOT, text=True, capture_output=True, check=True, env=env).stdout
    figure = re.search(r"^coverage +([\d,]+) of +([\d,]+) lines +([\d.]+) %$", out, re.M)
    print("\n".join(out.splitlines()[-30:]))
    lines, failed = load("tools/coverage").measured(), []
    if not figure or not 10 < float(figure[3]) < 90 or int(figure[2].replace(",", "")) < 20000:
        failed.append("the figure is not plausible")
    failed += [f"{routine} was not executed" for path, routine in DONE if count_of(lines, path, routine) == 0]
    failed += [f"{routine} was executed" for path, routine in LEFT if count_of(lines, path, routine) != 0]
    print("\n".join(f"@fail coverage: {why}" for why in failed) or "@pass coverage")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
