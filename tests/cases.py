# SPDX-License-Identifier: MIT
"""Cases that list themselves, each with a file or folder of its name:

    tests/host/NAME.c     a unit test on this machine
    tests/kernel/NAME/    a kernel test module, on four processors
    tests/user/NAME/      a native test program that prints result lines
    tests/linux/NAME.c    a Linux program, once for each way in which it is built: output and status as recorded on Linux 6.1

What needs more (options, another number of processors, an expected bug check) stands in SPECIAL here, and in a list of
tests/cases_*.py with the kinds of tests/kinds.py.
"""
import glob
import os
import re

from kinds import ROOT, Host, Kernel, LinuxProgram, Program

# tests/kernel/NAME, tests/user/NAME and tests/linux/NAME that cases_*.py runs in its own way.
SPECIAL = {"kernel/balance", "kernel/bench", "kernel/bug", "kernel/crowd", "kernel/devbugs", "kernel/devices",
           "kernel/faults", "kernel/interrupts", "kernel/leaver", "kernel/left", "kernel/lockbugs",
           "kernel/misuse", "kernel/schedapi", "kernel/screenbug", "kernel/seeded", "kernel/spinbugs", "kernel/stubbed", "linux/fuzz",
           "linux/nullcall", "linux/spin", "user/child", "user/devices", "user/mailbox", "user/scarce",
           "user/unloads"}


def names(pattern):
    paths = sorted(glob.glob(os.path.join(ROOT, "tests", pattern)))
    found = [os.path.relpath(path.rstrip("/"), os.path.join(ROOT, "tests")).removesuffix(".c") for path in paths]
    return [name.split("/")[1] for name in found if name not in SPECIAL]


def kinds_of(name):
    """The words of the line `// build: ...`."""
    with open(os.path.join(ROOT, "tests/linux", name + ".c"), errors="replace") as source:
        line = re.search(r"^// build: *(.*)$", source.read(), re.M)
    return line[1].split() if line else []


CASES = [Host(name) for name in names("host/*.c")]
CASES += [Kernel(f"kernel/{name}", modules=(name,), random=True, alone=True, debug=name in ("lockcount", "memory", "objects", "script", "races"))
          for name in names("kernel/*/")]
CHILD = "{B}/native/child:native/child"      # the program that the native tests start
CASES += [Program(f"user/{name}", command=(name,), native=True, timeout=300,
                  puts=(f"{{B}}/native/{name}:native/{name}", CHILD))
          for name in names("user/*/")]
CASES += [LinuxProgram(name, kind) for name in names("linux/*.c") for kind in kinds_of(name)]
