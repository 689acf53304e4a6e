# SPDX-License-Identifier: MIT
"""Going back in a recorded run: `replay-start`, `last-write`, `last-stop`.

QEMU itself can step backwards from its snapshot (reverse-stepi, reverse-step). Its reverse-continue does not come back at times (version 7.2),
so what it is for is done by going forwards, which is exact: the run is replayed once to count the hits, and once more to stop at the last.
"""
import atexit
import os
import subprocess
import tempfile
import time

import gdb

from .base import Missing, command, connect, number_of

RUN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../run")


class Machine:
    """The replay that GDB is connected to, when it was started from here."""
    place = process = folder = None


def stop_machine():
    if Machine.process:
        Machine.process.terminate()
        Machine.process.wait()


atexit.register(stop_machine)


def start_again():
    """GDB at the first instruction of the recorded run."""
    if Machine.place is None:
        raise Missing("nothing is replayed: this is for tools/debug --replay DIR")
    gdb.execute("disconnect", to_string=True)
    stop_machine()
    Machine.folder = Machine.folder or tempfile.TemporaryDirectory(prefix="primer-replay-")
    line = os.path.join(Machine.folder.name, f"gdb{time.monotonic_ns()}")
    Machine.process = subprocess.Popen([RUN, "--replay", Machine.place, "--gdb", line], stdin=subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    while not os.path.exists(line):
        if Machine.process.poll() is not None:
            raise Missing("the replay does not start")
        time.sleep(0.02)
    connect(line)


class Counted(gdb.Breakpoint):
    """Counts its hits, and stops at the wanted one."""
    hits, wanted = 0, None

    def stop(self):
        self.hits += 1
        return self.hits == self.wanted


def last_hit(make):
    """At the last hit, before the end of the recording, of what make() sets."""
    others = [each for each in gdb.breakpoints() if each.enabled and each.number > 0]
    for each in others:
        each.enabled = False
    start_again()
    counted = make()
    try:
        gdb.execute("continue", to_string=True)         # to the report, or the end
        if counted.hits == 0:
            raise Missing("that never happens in this run")
        hits, counted.hits = counted.hits, 0
        start_again()
        counted.wanted = hits
        print(f"the last of {hits}:")
        gdb.execute("continue")
    finally:
        counted.delete()
        for each in others:
            if each.is_valid():
                each.enabled = True


@command("replay-start")
def _replay_start(_):
    """Back to the first instruction of a recorded run."""
    start_again()


@command("last-write")
def _last_write(arguments):
    """last-write ADDRESS [SIZE]: in a recorded run, who wrote last to the bytes at that address (1 byte): stops just behind it."""
    if not arguments:
        raise Missing("last-write ADDRESS [SIZE]")
    address, size = number_of(arguments[0]), number_of(arguments[1]) if len(arguments) > 1 else 1
    kind = {1: "char", 2: "short", 4: "int", 8: "long"}.get(size)
    if kind is None:
        raise Missing("SIZE is 1, 2, 4 or 8")
    last_hit(lambda: Counted(f"*(unsigned {kind} *){address:#x}", type=gdb.BP_WATCHPOINT, wp_class=gdb.WP_WRITE))


@command("last-stop")
def _last_stop(arguments):
    """last-stop SYMBOL: in a recorded run, the last time that this place was reached."""
    if len(arguments) != 1:
        raise Missing("last-stop SYMBOL")
    last_hit(lambda: Counted(arguments[0]))
