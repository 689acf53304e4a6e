# SPDX-License-Identifier: MIT
"""The kernel's own GDB stub (drivers/kdstub), driven by GDB in batch mode and through its machine interface, and its keys."""
from cases_gdb import DEBUG_MODULE
from kinds import Gdb, Kernel, Script

KERNEL_STUB = ("--stub", "kernel")
NO_MEMORY = r"^Cannot access memory at address "

# Keys, while nothing else goes: one processor has its interrupts off for good.
KEYS = r"""
mkfifo $TMP/in
$RUN --direct --smp $SMP --keys --append "stubbed.do=deaf" --module $B/modules/stubbed.sys --modules-only --log $TMP/log <$TMP/in 2>$TMP/said & machine=$!
exec 3>$TMP/in
until grep -q 'stubbed: ready' $TMP/log; do kill -0 $machine; sleep 0.1; done
answers=0
while read key pattern; do
    printf $key >&3
    answers=$((answers + 1))
    until test $(grep -c '^--$' $TMP/said) = $answers; do kill -0 $machine; sleep 0.1; done
    cat $TMP/said
    grep -E "$pattern" $TMP/said
done <<'END'
p processor 0: IRQL 15, thread [0-9]+ .System.
p ^ +#[0-9]+ +[0-9A-F]+ stubbed!(StubbedTurn|Worker)
t System +Running on processor 0
w waits for Executive, stubbed!Event, in stubbed!StubbedBlock
l ^locks
s ^ +4 kernel +[0-9]+ threads
h reboot
END
exec 3>&-
kill $machine
got=0
$RUN --keys --icount 2>$TMP/said || got=$?
test $got = 125
grep 'excludes' $TMP/said
"""

# On a terminal, which is the guest's, too: ^] and a key; all else is for the guest. ^] twice ends it.
TERMINAL = r"""
cat >$TMP/type.py <<'END'
import os, pty, sys
child, terminal = pty.fork()
if child == 0:
    os.execvp("tools/run", ["tools/run", "--build", os.environ["BUILD"], "--direct", "--keys"])
said = b""
def until(text):
    global said
    while text not in said:
        said += os.read(terminal, 4096)
    said = said[said.index(text) + len(text):]
until(b"^] and p, t, w, l, s or h asks")
until(b"> ")
os.write(terminal, b"hel\x1dp")
until(b"processor 0: IRQL")
until(b"--")
os.write(terminal, b"lo\r")
until(b"hello from process")
until(b"> ")
os.write(terminal, b"\x1d\x1d")
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
END
got=0
python3 $TMP/type.py || got=$?
test $got = 130
"""

# GDB's machine interface, as editors use it: each ^C stops the machine, however soon it comes; another GDB takes over; reboot.
MACHINE_INTERFACE = r"""
cat >$TMP/drive.py <<'END'
import os, re, signal, subprocess, sys
words = ["tools/debug", "--build", os.environ["BUILD"], "--interpreter=mi", "--stub", "kernel", "--direct", "--break", "StubbedReady", "--module",
         os.environ["B"] + "/modules/stubbed.sys", "--modules-only"]
gdb = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
def until(pattern):
    for line in gdb.stdout:
        print(line, end="", flush=True)
        if found := re.search(pattern, line):
            return found
    sys.exit(f"GDB has gone before it said {pattern}")
def ask(command, pattern):
    print(command, file=gdb.stdin, flush=True)
    return until(pattern)
def break_in():
    ask("-exec-continue", r"^\*running")
    os.kill(debugger, signal.SIGINT)
    until(r'^\*stopped,reason="signal-received",signal-name="SIGINT"')
until(r'^\*stopped,reason="breakpoint-hit"')
with open(f"/proc/{gdb.pid}/task/{gdb.pid}/children") as children:
    debugger = next(int(child) for child in children.read().split() if os.path.realpath(f"/proc/{child}/exe").endswith("gdb"))
for turn in range(6):
    break_in()
place = ask('-interpreter-exec console "python print(\'at \' + gdb.selected_inferior().connection.details)"', r'at (\S+?)\\n')[1]
ask("-target-detach", r"^\^done")
ask(f"-target-select remote {place}", r"^\^connected")
ask("-data-evaluate-expression StubbedDone", r'^\^done,value="0"')
break_in()
ask('-interpreter-exec console "monitor reboot"', "triple fault: the machine reset itself")
print("-gdb-exit", file=gdb.stdin, flush=True)
gdb.communicate()
END
python3 $TMP/drive.py
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
    Script("stub/keys-terminal", TERMINAL),
    Script("stub/mi", MACHINE_INTERFACE, timeout=300, needs=("gdb",)),
    Script("stub/cycles", "CYCLES=20 tests/soak/debug.py", timeout=300),
    # Break points in a module that goes and comes again.
    Script("stub/module", DEBUG_MODULE.replace("--direct", "--direct --stub kernel"), needs=("gdb",)),
    # Loaded and unloaded again, with nobody there: nothing is different.
    Kernel("stub/loaded", modules=("stubbed",), options="stubbed.do=done", run_args=("--stub", "0")),
]
