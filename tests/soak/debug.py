#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""make soak S=debug: the kernel's own GDB stub by its protocol, on 4 busy processors: cycles of break point, step, step over the break point, going on and
break-in (200 to a boot), a break-in while the first processor has its interrupts off, a client that goes without a word and one that detaches.

    CYCLES=20 BUILD=debug tests/soak/debug.py       one boot, as `make test` does it
    HOURS=2 make soak S=debug                       boot after boot, 200 cycles each
"""
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


class Failure(Exception):
    pass


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

    def stop(self, text):
        """Goes on as vCont says, until it stops: signal, thread."""
        self.tell("vCont" + text)
        return self.parse(self.answer())

    def break_in(self):
        self.tell("vCont;c")
        self.port.sendall(b"\x03")
        return self.parse(self.answer())

    @staticmethod
    def parse(reply):
        found = re.match(r"T(\w\w)thread:(\w+);core:(\w+);(swbreak)?", reply)
        if not found:
            raise Failure(f"no stop: {reply}")
        return int(found[1], 16), found[2], found[4] is not None


def places(log):
    """Where the module's things are: it has said so."""
    with open(log, errors="replace") as file:
        return {name: int(address, 16) for name, address in re.findall(r"^stubbed: (\w+) is at (\w+)$", file.read(), re.M)}


def check(what, ok, why=""):
    if not ok:
        raise Failure(f"{what}: {why}")
    print(f"@pass stub/{what}", flush=True)


def cycles(stub, at, count):
    second, counts = at["StubbedSecond"], at["StubbedCounts"]
    for cycle in range(count):
        before = [stub.read(counts + 8 * n) for n in range(4)]
        stub.ask(f"Z0,{second:x},1")
        signal, thread, soft = stub.stop(";c")
        if not soft or stub.rip(thread) != second:
            raise Failure(f"cycle {cycle}: signal {signal} at {stub.rip(thread):#x} instead of the break point")
        stub.ask(f"z0,{second:x},1")
        held = [stub.read(counts + 8 * n) for n in (0, 2, 3)]
        signal, stepped, soft = stub.stop(f";s:{thread}")           # over the break point: alone
        moved = stub.rip(thread) - second
        if stepped != thread or not 0 < moved < 16 or held != [stub.read(counts + 8 * n) for n in (0, 2, 3)]:
            raise Failure(f"cycle {cycle}: a step alone leads {moved} bytes on, or others ran")
        signal, stepped, soft = stub.stop(f";s:{thread};c")         # with all others
        if stepped != thread or stub.rip(thread) - second == moved:
            raise Failure(f"cycle {cycle}: a step leads nowhere, or to thread {stepped}")
        signal, thread, soft = stub.break_in()
        if signal != 2:
            raise Failure(f"cycle {cycle}: signal {signal} instead of the break-in")
        if not any(stub.read(counts + 8 * n) > before[n] for n in range(4)):
            raise Failure(f"cycle {cycle}: no processor has done anything")
    check(f"{count} cycles", True)


def deaf(stub, at):
    stub.write(at["StubbedDeaf"], 1)
    while stub.read(at["StubbedTurns"], 4) == 0:
        stub.break_in()
    signal, _, _ = stub.break_in()
    check("break-in while the first processor has its interrupts off", signal == 2, signal)
    stub.write(at["StubbedDeaf"], 0)


def leave(stub, at):
    """A client that goes while the machine stands, one that goes while it runs, one that detaches."""
    stub.port.close()
    stub.connect()
    check("another client after one that went", stub.parse(stub.ask("?"))[0] == 2)
    stub.tell("vCont;c")
    stub.port.close()
    stub.connect()
    check("another client while the machine runs", stub.parse(stub.ask("?"))[0] == 2)
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
        deaf(stub, at)
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
