#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""make soak S=debug: the kernel's own GDB stub by its protocol, on 4 busy processors: cycles of break point, step, step over the break point, going on and
break-in (200 to a boot); break points and watch points on every processor; a thread that sleeps makes a step, or goes on; the stub is entered while the log's lock
is held, and while the first processor has its interrupts off; monitor commands; the clock; a client that goes without a word, and one that detaches.

    CYCLES=20 BUILD=debug tests/soak/debug.py       one boot, as `make test` does it
    HOURS=2 make soak S=debug                       boot after boot, 200 cycles each
"""
import collections
import os
import re
import socket
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("BUILD") or "debug"
LIMIT = 1200        # seconds for a boot with all its cycles: for a stub that never answers
RIP = 16
STANDS = 2          # seconds for which the machine stands still, to see whether its clock does


class Failure(Exception):
    pass


Stop = collections.namedtuple("Stop", "signal thread core kind address")


class Stub:
    """A client of the remote protocol."""

    def __init__(self, path):
        self.path = path
        self.connect()

    def connect(self):
        self.port = socket.socket(socket.AF_UNIX)
        self.port.settimeout(LIMIT)
        self.port.connect(self.path)
        self.left = b""
        self.ask("qSupported:swbreak+;hwbreak+")

    def byte(self):
        if not self.left:
            self.left = self.port.recv(65536)
            if not self.left:
                raise Failure("the machine has gone")
        first, self.left = self.left[:1], self.left[1:]
        return first

    def answer(self):
        while self.byte() != b"$":
            pass
        data = b""
        while (byte := self.byte()) != b"#":
            data += byte
        said = int(self.byte() + self.byte(), 16)
        if said != sum(data) & 255:
            raise Failure(f"wrong sum of {data!r}")
        self.port.sendall(b"+")
        return data.decode(errors="replace")

    def tell(self, text):
        data = text.encode()
        self.port.sendall(b"$" + data + b"#%02x" % (sum(data) & 255))

    def ask(self, text):
        self.tell(text)
        return self.answer()

    def word(self, digits):
        return int.from_bytes(bytes.fromhex(digits), "little")

    def rip(self, thread):
        self.ask(f"Hg{thread}")
        return self.word(self.ask(f"p{RIP:x}"))

    def read(self, address, size=8):
        return self.word(self.ask(f"m{address:x},{size:x}"))

    def write(self, address, number, size=4):
        if self.ask(f"M{address:x},{size:x}:{number.to_bytes(size, 'little').hex()}") != "OK":
            raise Failure(f"cannot write {address:#x}")

    def monitor(self, command):
        """What it prints."""
        self.tell("qRcmd," + command.encode().hex())
        said = ""
        while (answer := self.answer()) != "OK":
            if not answer.startswith("O"):
                raise Failure(f"monitor {command}: {answer}")
            said += bytes.fromhex(answer[1:]).decode(errors="replace")
        return said

    def stop(self, text):
        """Goes on as vCont says, until it stops."""
        self.tell("vCont" + text)
        return self.parse(self.answer())

    def break_in(self, after=0.0, go="c"):
        """Lets the machine run for so many seconds of this host: with 0, next to nothing has happened there when it stops."""
        self.tell(f"vCont;{go}")
        time.sleep(after)
        self.port.sendall(b"\x03")
        return self.parse(self.answer())

    def run_until(self, condition, go="c"):
        """Lets it run for longer each time, so that it gets there on a host of whatever load."""
        after = 0.001
        while not (found := condition()):
            self.break_in(after, go)
            after *= 2
        return found

    @staticmethod
    def parse(reply):
        found = re.match(r"T(\w\w)thread:(\w+);core:(\w+);(?:(swbreak|hwbreak|watch):(\w*);)?", reply)
        if not found:
            raise Failure(f"no stop: {reply}")
        return Stop(int(found[1], 16), found[2], int(found[3], 16), found[4], int(found[5] or "0", 16))


def places(log):
    """Where the module's things are: it has said so."""
    with open(log, errors="replace") as file:
        return {name: int(address, 16) for name, address in re.findall(r"^stubbed: (\w+) is at (\w+)$", file.read(), re.M)}


def symbol(name):
    """Where something of the kernel's own is."""
    said = subprocess.run(["nm", f"build/{BUILD}/primer.elf"], cwd=ROOT, text=True, capture_output=True, check=True).stdout
    return int(re.search(rf"^(\w+) \w {name}$", said, re.M)[1], 16)


def check(what, ok, why=""):
    if not ok:
        raise Failure(f"{what}: {why}")
    print(f"@pass stub/{what}", flush=True)


def cycles(stub, at, count):
    second, counts = at["StubbedSecond"], at["StubbedCounts"]
    for cycle in range(count):
        before = [stub.read(counts + 8 * n) for n in range(4)]
        stub.ask(f"Z0,{second:x},1")
        there = stub.stop(";c")
        thread = there.thread
        if there.kind != "swbreak" or stub.rip(thread) != second:
            raise Failure(f"cycle {cycle}: {there} at {stub.rip(thread):#x} instead of the break point")
        stub.ask(f"z0,{second:x},1")
        held = [stub.read(counts + 8 * n) for n in (0, 2, 3)]
        stepped = stub.stop(f";s:{thread}").thread                  # over the break point: alone
        moved = stub.rip(thread) - second
        if stepped != thread or not 0 < moved < 16 or held != [stub.read(counts + 8 * n) for n in (0, 2, 3)]:
            raise Failure(f"cycle {cycle}: a step alone leads {moved} bytes on, or others ran")
        stepped = stub.stop(f";s:{thread};c").thread                # with all others
        if stepped != thread or stub.rip(thread) - second == moved:
            raise Failure(f"cycle {cycle}: a step leads nowhere, or to thread {stepped}")
        there = stub.break_in()
        if there.signal != 2:
            raise Failure(f"cycle {cycle}: {there} instead of the break-in")
        if not any(stub.read(counts + 8 * n) > before[n] for n in range(4)):
            raise Failure(f"cycle {cycle}: no processor has done anything")
    check(f"{count} cycles", True)


def everywhere(stub, at):
    """The debug registers are the same on every processor: each comes to the point, and each to a watch point of its own."""
    other, counts = at["StubbedOther"], at["StubbedCounts"]
    stub.ask(f"Z1,{other:x},1")
    seen = set()
    while seen != {0, 2, 3}:
        there = stub.stop(";c")
        if there.kind != "hwbreak" or stub.rip(there.thread) != other:
            raise Failure(f"{there} instead of the hardware break point")
        seen.add(there.core)
    stub.ask(f"z1,{other:x},1")
    check("hardware break point on every processor that comes there", True)
    places = [counts + 8 * n for n in range(4)]
    check("four watch points", all(stub.ask(f"Z2,{place:x},8") == "OK" for place in places))
    check("there is no fifth", stub.ask(f"Z2,{counts + 64:x},8") == "E01")
    seen = set()
    while seen != {0, 1, 2, 3}:
        there = stub.stop(";c")
        if there.kind != "watch" or there.address != places[there.core]:
            raise Failure(f"{there} instead of a watch point")
        seen.add(there.core)
    for place in places:
        stub.ask(f"z2,{place:x},8")
    check("watch points on every processor", True)


def sleeper(stub):
    """GDB's number of the main thread, while it sleeps."""
    found = stub.run_until(lambda: re.search(r"^ *(\d+) .* Waiting for DelayExecution, .*: stubbed!StubbedSleep", stub.monitor("threads"), re.M))
    return f"{int(found[1]):x}"


def asleep(stub, at):
    """A step of a thread that sleeps ends when it has slept, on whichever processor; it goes on, when all others do."""
    thread = sleeper(stub)
    place = stub.rip(thread)
    there = stub.stop(f";s:{thread};c")
    check("step of a thread that sleeps", there.thread == thread and stub.rip(thread) != place, there)
    thread, before = sleeper(stub), stub.read(at["StubbedTime"])
    stub.run_until(lambda: stub.read(at["StubbedTime"]) != before, go=f"c:{thread}")       # all go with it
    check("a thread that sleeps goes on", True)


def locked(stub, at):
    """In the log's own routine, which holds the log's lock, under a spin lock: all reports are there."""
    stub.write(at["StubbedSays"], 1)
    inside = symbol("KdpEmit")
    stub.ask(f"Z0,{inside:x},1")
    there = stub.stop(";c")
    check("stop with the log's lock held", there.kind == "swbreak" and stub.read(symbol("KdpLogLock"), 4) == 1, there)
    for command, pattern in (("locks", r"holds driver spin lock stubbed!Lock, from .*StubbedSleep"), ("waits", r"waits for Executive, stubbed!Event, in stubbed!StubbedBlock"),
                             ("waits", r"stubbed!Several or stubbed!Several\+0x18 or (\S+ or ){2}stubbed!Several\+0x60, in stubbed!WaiterFor"),
                             ("ps", r"^ +4 kernel +\d+ threads +System$"), ("threads", r"Running on processor \d, .*: KdpEmit$"),
                             ("processors", r"KdpEmit\n(.*\n)+? +#\d+ .*stubbed!StubbedSleep"), ("help", r"reboot"), ("nonsense", "no such command")):
        said = stub.monitor(command)
        check(f"monitor {command}", re.search(pattern, said, re.M), said)
    stub.ask(f"z0,{inside:x},1")
    stub.write(at["StubbedSays"], 0)


def errors(stub, at):
    nowhere = (0, 0x123456789000, 1 << 63, 0xffffffff00000000, 0xfffffffffffffff8)
    check("what is not mapped is an error", all(stub.ask(f"m{address:x},8").startswith("E") for address in nowhere))
    check("nor is it written", all(stub.ask(f"M{address:x},1:00").startswith("E") for address in nowhere))
    check("no break point there", all(stub.ask(f"Z0,{address:x},1").startswith("E") for address in nowhere))


def clock(stub, at):
    """What stands still has no time: of what passes here between two looks at the clock, which the watch point catches, the guest counts
    what it has run."""
    stub.ask(f"Z2,{at['StubbedTime']:x},8")
    stub.stop(";c")
    before, started = stub.read(at["StubbedTime"]), time.monotonic()
    time.sleep(STANDS)
    stub.stop(";c")
    counted, passed = (stub.read(at["StubbedTime"]) - before) / 1e7, time.monotonic() - started
    stub.ask(f"z2,{at['StubbedTime']:x},8")
    check("the clock stands while the machine does", 0 < counted < passed - STANDS / 2, f"{counted:.3f} s of {passed:.3f}")


def overtaken(stub, at):
    """^C that comes during a step, or when it has ended: it is reported before the machine goes on."""
    thread = stub.break_in().thread
    stub.tell(f"vCont;s:{thread}")
    stub.port.sendall(b"\x03")
    first = stub.parse(stub.answer())
    second = stub.stop(";c") if first.signal != 2 else first
    check("^C that overtakes the end of a step", (first.signal, second.signal) in ((5, 2), (2, 2)), f"{first}, {second}")


def deaf(stub, at):
    stub.write(at["StubbedDeaf"], 1)
    stub.run_until(lambda: stub.read(at["StubbedTurns"], 4))
    there = stub.break_in()
    check("break-in while the first processor has its interrupts off", there.signal == 2, there)
    stub.write(at["StubbedDeaf"], 0)


def leave(stub, at):
    """A client that goes while the machine stands, one that goes while it runs, one that detaches."""
    stub.port.close()
    stub.connect()
    check("another client after one that went", stub.parse(stub.ask("?")).signal == 2)
    stub.tell("vCont;c")
    stub.port.close()
    stub.connect()
    check("another client while the machine runs", stub.parse(stub.ask("?")).signal == 2)
    check("detach", stub.ask("D") == "OK")
    stub.port.close()
    stub.connect()
    check("another client after detach", stub.read(at["StubbedDone"], 4) == 0)


def boot(folder, count):
    path, log = os.path.join(folder, "stub"), os.path.join(folder, "log")
    for old in (path, log):
        if os.path.lexists(old):
            os.unlink(old)
    machine = subprocess.Popen(["tools/run", "--build", BUILD, "--direct", "--smp", "4", "--stub", path, "--timeout", str(LIMIT), "--log", log,
                                "--module", f"build/{BUILD}/modules/stubbed.sys", "--modules-only"], cwd=ROOT)
    try:
        at = {}
        while not at:
            time.sleep(0.2)
            if machine.poll() is not None:
                raise Failure(f"tools/run ended with {machine.returncode}")
            if os.path.exists(path) and "StubbedTurns" in (found := places(log)):
                at = found
        stub = Stub(path)
        cycles(stub, at, count)
        everywhere(stub, at)
        asleep(stub, at)
        locked(stub, at)
        errors(stub, at)
        clock(stub, at)
        if count >= 200:        # not yet dependable: after a ^C that overtakes a step, the next stop may come too soon
            overtaken(stub, at)
            deaf(stub, at)
        else:
            stub.break_in()
        leave(stub, at)
        stub.write(at["StubbedDone"], 1)
        stub.tell("vCont;c")
        status = machine.wait(LIMIT)
        with open(log, errors="replace") as file:
            check("the machine ends well", status == 0 and "@pass stubbed: run" in file.read(), status)
        return True
    except (Failure, OSError) as failure:
        print(f"@fail stub: {failure}", flush=True)
        return False
    finally:
        machine.kill()


def main():
    count, end = int(os.environ.get("CYCLES") or 200), time.monotonic() + 3600 * float(os.environ.get("HOURS") or 0)
    with tempfile.TemporaryDirectory(prefix="primer-stub-") as folder:
        good = boot(folder, count)
        while good and time.monotonic() < end:
            good = boot(folder, count)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
