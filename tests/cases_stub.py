# SPDX-License-Identifier: MIT
"""The kernel's own GDB stub (drivers/kdstub), driven by GDB in batch mode and through its machine interface, and its keys."""
from kinds import Gdb, Kernel, Script

KERNEL_STUB = ("--stub", "kernel")
NO_MEMORY = r"^Cannot access memory at address "

# Keys, outside of a packet, while nothing else goes: one processor, which has its interrupts off for good.
KEYS = r"""
cat >$TMP/keys.py <<'END'
import re, socket, sys
with socket.socket(socket.AF_UNIX) as port:
    port.settimeout(100)
    port.connect(sys.argv[1])
    for key, pattern in ((b"p", rb"processor 0: IRQL 15, .*\r\n +#0 .*StubbedTurn|stubbed!Worker"), (b"t", rb"System +Running on processor 0"),
                         (b"w", rb"waits for Executive, stubbed!Event"), (b"l", rb"locks"), (b"s", rb" 4 kernel "), (b"h", rb"reboot")):
        port.sendall(key)
        said = b""
        while not said.endswith(b"--\r\n"):
            said += port.recv(4096)
        print(said.decode())
        assert re.search(pattern, said), (key, pattern)
END
$RUN --direct --smp $SMP --stub $TMP/stub --append "stubbed.do=deaf" --module $B/modules/stubbed.sys --modules-only --log $TMP/log --timeout 100 & machine=$!
until grep -q 'stubbed: ready' $TMP/log 2>/dev/null; do kill -0 $machine; sleep 0.2; done
python3 $TMP/keys.py $TMP/stub
kill $machine
"""

CASES = [
    Gdb("stub/gdb", script="stub.gdb", modules=("stubbed",), run_args=KERNEL_STUB, stops=("StubbedReady",), command=(), timeout=300, output=(
        r"hit Breakpoint 1, StubbedReady \(What=.* \"run\"\)",
        r"^  \d+ +Thread 1 \"idle 0\" \(",
        r"^  \d+ +Thread \d+ \"System\" \(Waiting for WrQueue, priority \d+\) ",
        r"^  \d+ +Thread \d+ \"init\" \(Waiting for ",
        r"^\* \d+ +Thread \d+ \"System\" \(Running on processor \d, priority 8\) +StubbedReady ",
        r"StubbedBlock \(Object=.* <Event>\) at tests/kernel/stubbed/stubbed\.c:\d+$(.*\n)+#\d+ .* in KiThreadStartup ",
        r"^thread .* waits for notification event Event, from StubbedBlock.* at tests/kernel/stubbed/stubbed\.c:\d+$",
        r"(^thread .* waits for notification event Several( \+ \d+)?, from WaiterForSeveral.*\n){5}",
        r"(" + NO_MEMORY + r"\w+\n){5}",
        r"hit Temporary breakpoint 2, StubbedSecond \(Number=(Number@entry=)?1\)",
        r"^\d+\t +LONG64 Count = .*\n\d+\t +KeRaiseIrql",
        r"hit Temporary breakpoint 3, StubbedAdd \(",
        r"^Value returned is \$\d+ = \d+",
        r"= hardware break point\n(.*\n)*.*hit Breakpoint \d+, StubbedSecond \(.*\n(.*\n)*.*hit Breakpoint \d+, StubbedSecond \(.*\n(.*\n)?\$\d+ = 1$",
        r"= a point that (.*\n)*.*hit Breakpoint \d+, StubbedOther \(",
        r"hit Hardware watchpoint \d+: StubbedValue\n\nOld value = \d+\nNew value = \d+\nStubbedSecond ",
        r"^end: Remote connection closed")),
    Gdb("stub/bugcheck", script="stubcheck.gdb", modules=("stubbed",), run_args=KERNEL_STUB, stops=("StubbedReady",), command=(), timeout=300,
        options="stubbed.do=bugcheck", output=(
            r"received signal SIGABRT",
            r"^#\d+ .*KeBugCheckEx \((.*\n)*#\d+ .* Wait \(",
            r"^\* \d+ +Thread \d+ \"System\" \(Running on processor \d",
            r"(Worker \(|Stubbed\w+ \()(.*\n)*.*(Worker \(|Stubbed\w+ \()",
            r"^end: Remote connection closed")),
    Script("stub/keys", KEYS.replace("$SMP", "4"), timeout=200),
    Script("stub/keys-1", KEYS.replace("$SMP", "1"), timeout=200),
    Script("stub/cycles", "CYCLES=20 tests/soak/debug.py", timeout=300),
    # Loaded and unloaded again, with nobody there: nothing is different.
    Kernel("stub/loaded", modules=("stubbed",), options="stubbed.do=done", run_args=("--stub", "0")),
]
