#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""make soak S=labs: everything that the labs claim, each hole alone included, again and again for HOURS (once without)."""
import os
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
end = time.monotonic() + 3600 * float(os.environ.get("HOURS") or 0)
while True:
    if subprocess.run(["tools/lab", "prove", *sys.argv[1:]], cwd=ROOT).returncode:
        sys.exit("0 passed, 1 failed")
    if time.monotonic() >= end:
        break
print("1 passed, 0 failed")
