# SPDX-License-Identifier: MIT
"""The start of tools/debug: connects, follows modules, sets the wanted stops, runs to the first."""
import os

import gdb

from . import bugcheck, modules, replay, stacks
from .base import connect

FIRST_LINE = "InitSystemStartup"
SETTINGS = ("confirm off", "pagination off", "print pretty off", "print max-symbolic-offset 0x100000",
            "tcp connect-timeout 20", "remotetimeout 100", "breakpoint pending on", "python print-stack message")


def begin(line, modules_named=(), stops=(), attached=False, kernel=False, recorded=None):
    """line: the socket of QEMU's or the kernel's stub, or HOST:PORT. kernel: it is the kernel's, which waits at its start. recorded:
    the folder of the run that is replayed there."""
    replay.Machine.place = recorded
    for setting in SETTINGS:
        gdb.execute(f"set {setting}")
    for path in modules_named:
        name = os.path.basename(path).removesuffix(".sys")
        modules.FILES[name] = path
        modules.MINE.add(name)
    connect(line)
    stacks.SHOWS_THREADS = not step_without_interrupts()
    modules.follow()
    bugcheck.stop_at_reports()
    for stop in stops:
        if stop == modules.ENTRY:
            modules.STOPS_AT_ENTRY.append(stop)
        else:
            gdb.execute(f"break {stop}")
    if attached or kernel:
        modules.follow_loaded()
    if attached or (kernel and not stops):
        gdb.execute("frame")
    else:
        if not stops:
            gdb.execute(f"tbreak {FIRST_LINE}")
        gdb.execute("continue")


def step_without_interrupts():
    """Is it QEMU's stub? While GDB steps, QEMU delivers neither interrupts nor timers, unless it replays: a step stays in the code that
    is looked at. (1: enabled, 2: no interrupts, 4: no timers; QEMU's manual, "GDB usage")"""
    gdb.execute("maintenance packet Qqemu.sstep=0x7", to_string=True)
    return "ENABLE" in gdb.execute("maintenance packet qqemu.sstepbits", to_string=True)
