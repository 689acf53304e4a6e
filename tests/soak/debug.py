#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""make soak S=debug: the kernel's own GDB stub, driven through GDB's machine interface on 4 busy processors: cycles of break point, step, going on
and break-in (200 to a boot), then what else needs a GDB that is not blocked while the machine runs: a step of a thread that does not run, a
break-in while the first processor has its interrupts off, disconnecting and detaching, monitor commands.

    CYCLES=20 BUILD=debug tests/soak/debug.py       one boot, as `make test` does it
    HOURS=2 make soak S=debug                       boot after boot, 200 cycles each
"""
import os
import re
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("BUILD", "debug")
LIMIT = 1500        # seconds for a boot with all its cycles: for a GDB that waits for what never comes


class Failure(Exception):
    pass


class Gdb:
    def __init__(self):
        words = ["tools/debug", "--stub", "kernel", "--interpreter=mi", "--build", BUILD, "--direct", "--smp", "4", "--timeout", str(LIMIT),
                 "--log", f"build/stub-{os.getpid()}.log", "--module", f"build/{BUILD}/modules/stubbed.sys", "--append", "stubbed.do=break",
                 "--modules-only"]
        self.process = subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.number, self.stops, self.console = 0, [], []

    def line(self):
        line = self.process.stdout.readline()
        if not line:
            raise Failure("GDB has ended")
        if line.startswith("*stopped"):
            self.stops.append(line)
        elif line.startswith('~"') or line.startswith('@"'):
            self.console.append(line[2:-2].encode().decode("unicode_escape"))
        return line

    def do(self, command):
        """A command of GDB's console; what it printed."""
        self.number += 1
        self.console = []
        quoted = command.replace("\\", "\\\\").replace('"', '\\"')
        self.send(f'{self.number}-interpreter-exec console "{quoted}"')
        while not (answer := self.line()).startswith(f"{self.number}^"):
            pass
        if answer.startswith(f"{self.number}^error"):
            raise Failure(f"{command}: {answer.strip()}")
        return "".join(self.console)

    def send(self, text):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def stop(self):
        """The next stop: how it came about."""
        while not self.stops:
            self.line()
        stop = self.stops.pop(0)
        found = re.search(r'signal-name="(\w+)"', stop) or re.search(r'reason="([\w-]+)"', stop)
        return found[1] if found else "?"

    def run(self, command):
        self.stops = []
        self.do(command)
        return self.stop()

    def break_in(self):
        """Goes on, and stops the machine from here."""
        self.stops = []
        self.do("continue")
        self.number += 1
        self.send(f"{self.number}-exec-interrupt")
        return self.stop()

    def value(self, expression):
        return int(self.do(f"output/d {expression}"))


def check(what, ok, why=""):
    if not ok:
        raise Failure(f"{what}: {why}")
    print(f"@pass {what}", flush=True)


def cycles(gdb, count):
    for cycle in range(count):
        before = [gdb.value(f"StubbedCounts[{n}]") for n in range(4)]
        gdb.do("tbreak StubbedSecond")
        how = gdb.run("continue")
        at = gdb.value("$pc")
        if how != "breakpoint-hit" or "StubbedSecond" not in gdb.do("frame"):
            raise Failure(f"cycle {cycle}: {how} at {at:#x} instead of the break point")
        gdb.run("stepi")
        if not 0 < gdb.value("$pc") - at < 16:
            raise Failure(f"cycle {cycle}: a step leads from {at:#x} to {gdb.value('$pc'):#x}")
        how = gdb.break_in()
        if how != "SIGINT":
            raise Failure(f"cycle {cycle}: {how} instead of the break-in")
        if gdb.value("StubbedCounts[1]") <= before[1]:
            raise Failure(f"cycle {cycle}: the second processor has done nothing")
    check(f"stub/cycles: {count}", True)


def step_of_a_sleeper(gdb):
    """The main thread sleeps most of the time; its step ends when it has run."""
    found = None
    for number in re.findall(r"^[* ] (\d+) ", gdb.do("info threads"), re.M):
        gdb.do(f"thread {number}")
        if " Wait (" in gdb.do("backtrace -8"):
            found = number
            break
    check("stub/finds the main thread", found is not None)
    before = gdb.value("$pc"), gdb.value("$rsp")
    gdb.run("stepi")
    after = gdb.value("$pc"), gdb.value("$rsp")
    check("stub/step of a thread that does not run", gdb.do("output $_thread") == found and after != before, f"{before} {after}")


def deaf(gdb):
    gdb.do("set var StubbedDeaf = 1")
    while gdb.value("StubbedTurns") == 0:
        gdb.break_in()
    how = gdb.break_in()
    turns = gdb.value("StubbedTurns")
    gdb.do("set var StubbedDeaf = 0")
    check("stub/break-in with interrupts off", how == "SIGINT" and turns > 0, how)


def reconnect(gdb):
    line = gdb.do("python print(gdb.selected_inferior().connection.details)").strip()
    for leave in ("disconnect", "detach"):
        gdb.do(leave)
        gdb.do(f"target remote {line}")
        check(f"stub/GDB comes again after {leave}", gdb.value("StubbedDone") == 0)


MONITOR = {"help": r"reboot", "ps": r"4 kernel +\d+ threads", "threads": r"System +Waiting for \w+, priority \d+: ", "processors": r"processor 3: IRQL",
           "waits": r"System +waits for Executive, .* in StubbedBlock|System +waits for Executive, stubbed!Event", "locks": r"locks:|debug builds"}


def monitor(gdb):
    for word, pattern in MONITOR.items():
        said = gdb.do(f"monitor {word}")
        check(f"stub/monitor {word}", re.search(pattern, said), said)


def boot(count):
    gdb = Gdb()
    try:
        gdb.do("frame")             # the stop at which GDB has come is past
        how = gdb.run("continue")
        stack = gdb.do("backtrace 3")
        check("stub/DbgBreakPoint", how == "SIGTRAP" and re.search(r"DbgBreakPoint(.*\n)+.* Wait \(", stack), f"{how}: {stack}")
        cycles(gdb, count)
        step_of_a_sleeper(gdb)
        deaf(gdb)
        monitor(gdb)
        reconnect(gdb)
        gdb.do("set var StubbedDone = 1")
        gdb.send("-exec-continue")
        while "Remote connection closed" not in gdb.line():
            pass
    except Failure as failure:
        print(f"@fail stub: {failure}", flush=True)
        return False
    finally:
        gdb.process.terminate()
        gdb.process.wait()
    with open(os.path.join(ROOT, f"build/stub-{os.getpid()}.log")) as log:
        done = "@pass stubbed: break" in log.read()
    os.unlink(os.path.join(ROOT, f"build/stub-{os.getpid()}.log"))
    print("@pass stub/the machine ends well" if done else "@fail stub: the module did not end")
    return done


def main():
    count, end = int(os.environ.get("CYCLES") or 200), time.monotonic() + 3600 * float(os.environ.get("HOURS") or 0)
    good = boot(count)
    while good and time.monotonic() < end:
        good = boot(count)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
