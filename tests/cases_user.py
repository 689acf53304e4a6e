# SPDX-License-Identifier: MIT
"""The native programs of user/ and the example modules of drivers/, as somebody sees them who tries them out. The native test
programs of tests/user list themselves, in cases.py."""
from kinds import HOST, Command, Program

# Typed into the shell's standard input, line by line; what must come out again.
SHELL = (
    (b"echo one  two 'three  four' \"five\"\\ six\n", b"one two three  four five six\n"),
    (b"echo 'a;b' \"c&d\" # e\n", b"a;b c&d\n"),
    (b"echo first; echo second\n", b"first\nsecond\n"),
    (b"no-such-program; echo $?\n", b"127\n"),
    (b"false; echo status $?\n", b"status 1\n"),
    (b"/bin/echo from the subsystem\n", b"from the subsystem\n"),
    (b"cat\nthis line is for cat\n", b"this line is for cat\n"),
)
SCRIPT = b"".join(line for line, _ in SHELL)
ANSWER = b"".join(answer for _, answer in SHELL)


# A native process starts a Linux one by a path through the descriptors of another (whichever id that has).
DESCRIPTORS = "/bin/busybox sleep 1 & " + " ".join(
    f"/proc/{pid}/fd/0; /proc/{pid}/cwd/bin/busybox;" for pid in range(52, 100, 4)) + " echo alive; wait"


def shell(name, line, **more):
    return Command(f"user/sh-{name}", command=("sh", "-c", line), native=True, **more)


def far(name, **more):
    return Program(f"user/far-{name}", command=("far",), native=True,
                   puts=("{B}/native/far:native/far", "{B}/native/child:native/child"), **more)


CASES = [
    far("one-processor", smp=1),
    far("no-smap", run_args=("--cpu", "qemu64")),       # a right far return works there
    Command("linux/far-one-processor", command=("/far",), oracle=("{T}/linux/far.musl",), smp=1,
            files=("{T}/linux/far.musl:/far",), stdout=HOST),
    Command("user/hello", command=("hello",), native=True, stdout=r"^hello from process \d+, thread \d+$", stderr=b""),
    Command("user/tasks", command=("tasks",), native=True, stdout=r"(?s)ID PARENT NAME.*System +kernel.*tasks +native"),
    Command("user/mem", command=("mem",), native=True, stdout=r"(?s)^total +\d+ KiB.*^free +\d+ KiB"),
    Command("user/sh-script", command=("sh",), native=True, stdin=SCRIPT, stdout=ANSWER),
    shell("status", "exit 42", status=42),
    shell("last-status", "false", status=1),
    shell("not-found", "no-such-program", status=127, stderr="not found"),
    shell("not-executable", "/etc/passwd", status=126),
    shell("open-quote", "echo 'open", status=2, stderr="quote"),
    shell("signal", "/bin/busybox sh -c 'kill -9 $$'; echo status $?", stdout=b"status 137\n"),
    shell("background", "sleep 1 & jobs; wait", stdout=r"(?s)sleep runs.*sleep ended with 0"),
    shell("descriptors", DESCRIPTORS, stdout="(?s)alive.*ended with 0", stderr="access denied"),
    shell("kill", "kill 999999", status=1, stderr="no such process"),
    shell("modules", "load hello; unload hello; load hello; load hello; echo $?; unload hello; unload hello",
          stdout=b"1\n", status=1, log=r"(?s)hello: .* loaded.*hello: goodbye.*hello: .* loaded.*hello: goodbye"),
    shell("missing-module", "load no-such-module", status=1, stderr="not found"),
    shell("watch", "load watch; hello; /bin/busybox true; unload watch; hello",
          log=r"(?s)watch: all callbacks registered.*watch: Ex: process \d+ .* created by thread.*"
              r"watch: Ex2: process \d+ .*, of a subsystem.*watch: all callbacks removed\n(?!.*watch:)"),
    shell("timerdpc", "load timerdpc; sleep 2; unload timerdpc",
          log=r"(?s)timerdpc: tick \d, told at IRQL 0.*timerdpc: stopped after \d\d ticks"),
]
