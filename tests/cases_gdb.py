# SPDX-License-Identifier: MIT
"""tools/debug and the commands of tools/gdb, in batch mode, on live, blocked and crashed kernels."""
from kinds import Gdb, Script

STACK = r"\n +#0 +0x[0-9a-f]{16} \S+"
EVERY = r"^every: \d\d calls of 20 commands$"
SILENT = r"^every: .*: nothing$"
THREAD = r"thread 0x\w+ \(\d+\.\d+\)"

OUTSIDE = r"""
mkdir $TMP/mine && cd $TMP/mine
printf 'MODULE := mine\nSOURCES := mine.c\n' >module.mk
cat >mine.c <<'END'
#include <ntddk.h>
static LONG Count = 41;
static VOID MineUnload(PDRIVER_OBJECT DriverObject)
{
    DbgPrint("mine: %d\n", Count);
}
static __attribute__((noinline)) NTSTATUS MineHelper(PDRIVER_OBJECT DriverObject, LONG Amount)
{
    Count += Amount;
    DriverObject->DriverUnload = MineUnload;
    return STATUS_SUCCESS;
}
NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    return MineHelper(DriverObject, 1);
}
END
cd $OLDPWD
make -s M=$TMP/mine BUILD=$BUILD
"""

# A module of one's own, from outside the tree: GDB stops in its DriverEntry, not in another module's; its symbols come and go with it.
DEBUG_MODULE = OUTSIDE + r"""
cat >$TMP/script <<'END'
print *RegistryPath
next
print Count
lsmod
break MineUnload
continue
backtrace 1
delete
continue
print Count
END
echo 'unload mine; load mine; unload mine; hello; exit' |
    tools/debug --build $BUILD --direct --module $TMP/mine/mine.sys --break DriverEntry --script $TMP/script >$TMP/out 2>&1 || true
cat $TMP/out
grep 'hit Breakpoint .*, DriverEntry (.*) at .*mine.c:1[3-5]' $TMP/out
grep '= ".*Services.mine" (' $TMP/out
grep -E '^mine +0xffffffffc[0-9a-f]* +[0-9]+ Starting +.*mine.sys$' $TMP/out
grep 'MineUnload (.*) at .*mine.c:[45]' $TMP/out
test $(grep -c 'hit Breakpoint' $TMP/out) = 2
"""

# The machine interface, as an editor uses it: stop in DriverEntry, the stack, on to the end.
DEBUG_MI = OUTSIDE + r"""
mkfifo $TMP/in
tools/debug --build $BUILD --interpreter=mi --direct --module $TMP/mine/mine.sys --break DriverEntry --append quiet=1 --native -- nop \
    <$TMP/in >$TMP/out 2>$TMP/err & editor=$!
exec 3>$TMP/in
says() { until grep -q "$1" $TMP/out; do kill -0 $editor; sleep 0.1; done; }
says '^\*stopped,reason="breakpoint-hit"'
echo '1-stack-list-frames 0 0' >&3
says '^1^done'
echo '2-break-insert MineHelper' >&3
says '^2^done'
echo '3-exec-continue' >&3
says '^3^running'
says 'func="MineHelper"'
echo '4-var-create - * Amount' >&3
says '^4^done'
echo '5-gdb-exit' >&3
exec 3>&-
wait $editor || true
grep '^1^done,stack=.*func="DriverEntry".*mine.c"' $TMP/out
grep '^2^done,bkpt=.*func="MineHelper"' $TMP/out
grep '^4^done,.*value="1"' $TMP/out
"""

# A machine that runs already is found and looked at, and goes on.
ATTACH = r"""
$RUN --direct -- /bin/busybox sleep 1000 & machine=$!
about() { grep -l "pid.*: $machine[,}]" $TMP/primer-*/machine 2>/dev/null; }
until about; do kill -0 $machine; sleep 0.1; done
line=$(dirname $(about))/gdb
echo 'ps' >$TMP/script
for i in $(seq 300); do
    tools/debug --attach=$line --script $TMP/script >$TMP/out 2>&1 || true
    grep -q 'linux .*/bin/busybox' $TMP/out && break
    sleep 0.1
done
cat $TMP/out
grep 'linux .*/bin/busybox' $TMP/out
kill -0 $machine
kill $machine
"""

# An NMI alone is no hang, on one processor either: it may be anybody's. Each comes while the machine runs on.
NMI = r"""
$RUN --direct --smp 1 --log $TMP/log -- /bin/busybox sleep 1000 & machine=$!
line=
until test -n "$line"; do
    line=$(grep -l "pid.*: $machine[,}]" $TMP/primer-*/machine 2>/dev/null || true)
    kill -0 $machine; sleep 0.1
done
printf 'monitor nmi\n' >$TMP/script
printf 'print KiProcessorBlock[0]->NmiAnswers\n' >$TMP/ask
until grep -q '^@boot' $TMP/log; do kill -0 $machine; sleep 0.1; done
for i in 1 2 3; do
    tools/debug --attach=$(dirname $line)/gdb --script $TMP/script >$TMP/out 2>&1
    until tools/debug --attach=$(dirname $line)/gdb --script $TMP/ask 2>&1 | grep -q "^.1 = $i$"; do kill -0 $machine; done
done
if grep '^@hang' $TMP/log; then exit 1; fi
kill $machine
"""

# A guest's terminal in another window; a second console takes over from the first, and sees what was there before.
CONSOLE = r"""
$RUN --direct --terminal $TMP/terminal --native -- sh >$TMP/run 2>&1 & machine=$!
until test -S $TMP/terminal; do kill -0 $machine; sleep 0.1; done
mkfifo $TMP/in
tools/console $TMP/terminal <$TMP/in >$TMP/one 2>$TMP/err & console=$!
exec 3>$TMP/in
says() { until grep -q "$2" $1; do kill -0 $machine; sleep 0.1; done; }
says $TMP/one '>'
printf 'hello\r' >&3
says $TMP/one 'hello from process'
exec 3>&-
mkfifo $TMP/more
tools/console $TMP/terminal <$TMP/more >$TMP/two 2>>$TMP/err & second=$!
exec 4>$TMP/more
says $TMP/two 'hello from process'
wait $console
printf 'exit 5\r' >&4
got=0
wait $machine || got=$?
test $got = 5
exec 4>&-
wait $second
"""

# Without a command: a shell with the modules loaded, its input to the end; `load` sees a module that --add brings.
SHELL = OUTSIDE + r"""
got=0
printf 'unload mine\nload mine\nhello\nunload mine\nexit 3\n' |
    $RUN --direct --module $TMP/mine/mine.sys --log $TMP/log >$TMP/out || got=$?
test $got = 3
grep 'hello from process' $TMP/out
test $(grep -c '^mine: 42' $TMP/log) = 2
printf 'load mine\nunload mine\n' | $RUN --direct --add $TMP/mine/mine.sys:/mine.sys --log $TMP/log
test $(grep -c '^mine: 42' $TMP/log) = 1
"""

# Going back in time: a block that is overwritten is found when it is freed; who wrote is found in the recorded run, any number of times.
RECORD = r"""
got=0
$RUN --record $TMP/run --module $B/modules/bug.sys --append bug.kind=overrun --modules-only 2>$TMP/said || got=$?
test $got = 125
grep 'bug check 19h BAD_POOL_HEADER' $TMP/said
cat >$TMP/script <<'END'
continue
bugcheck
last-write $p2+100
backtrace 2
reverse-stepi
info line *$pc
last-stop LdrpCallEntry
END
tools/debug --replay $TMP/run --script $TMP/script >$TMP/out 2>&1
cat $TMP/out
grep '^bug check 19h BAD_POOL_HEADER' $TMP/out
grep '^#0 .*Overrun (.*) at tests/kernel/bug/bug.c:' $TMP/out
grep '^Line [0-9]* of "tests/kernel/bug/bug.c" .*<Overrun' $TMP/out
grep '^the last of 2:' $TMP/out
got=0
$RUN --record $TMP/more --smp 2 -- true 2>$TMP/said || got=$?
test $got = 125
grep 'QEMU records what one processor does' $TMP/said
"""

CASES = [
    Gdb("gdb/start", script="start.gdb", output=(
        r"hit Temporary breakpoint \d+, InitSystemStartup \(Boot=.*\) at kernel/init/startup\.c:\d+",
        r"^InitSystemStartup.* in section \.text", r'^\$1 = .*"PVH"')),
    Gdb("gdb/live", script="live.gdb", stops=("sys_clock_nanosleep",), debug=True, command=("/bin/busybox", "sleep", "1000"), output=(
        r"hit Breakpoint \d+, sys_clock_nanosleep \(.*\) at subsystems/linux/time\.c:\d+",
        r"^ +4 +0 Running +\d+ kernel +0x\w+ System$",                                          # ps
        r"^ +\d+ +4 Running +1 native +0x\w+ \S*init$",
        r"^ +\d+ +\d+ Running +1 linux +0x\w+ /bin/busybox$",
        r"^ +\d+ +\d+ Running +\d+ +\d+ 0x\w+ sys_clock_nanosleep",                             # threads
        r"^ +8 +4 Waiting +\d+ +\d+ 0x\w+ InitPhase1",
        r"^linux +0x\w+ +\d+ Loaded +\S*modules/linux\.sys$",                                   # lsmod
        r"^linux_system_call in section \.text of \S*linux\.sys",
        r"^\(void \*\) 0x10$",                                                                  # no symbol
        r"^thread 0x\w+ \(4\.8\), Waiting" + STACK + r"(.*\n)* +#\d+ +0x\w+ InitPhase1",        # kstack
        r"^  #\d+ +KeWaitForSingleObject \(Object=0x\w+, .*Timeout=0x0\) at sync/wait\.c:\d+",  # thread-stack: blocked
        r"^  #\d+ +KiThreadStartup \(\) at kernel/ke/thread\.c:\d+\n",
        r"^thread .*, Running on processor \d\n  #0  sys_clock_nanosleep \(clock=0, .*\) at subsystems/linux/time\.c:\d+\n",
        r"^  #\d+ +ArchpSystemCallEntry\w* .*\n  #\d+ +0x[0-9a-f]+ ",                              # ... running, into the program
        r"^processor \d: 0 PASSIVE_LEVEL, thread 0x\w+ \(\d+\.\d+\)$",                          # irql
        r"^processor \d: runs " + THREAD + r", priority 8$",                                    # ready-queues
        r"^processor \d: runs none, \d+ have run$",                                             # dpcs
        r"^processor 0: \d+ timers",
        r"^no callback is registered$",
        rf"^{THREAD} waits for process 0x\w+, from InitPhase1.* at kernel/init/startup\.c:\d+$",                                                 # waits
        rf"^{THREAD} waits for synchronization event PspReaperEvent, from PspReaperThread",
        r"^@boot cpus=4$",                                                                      # dmesg
        r"^ +\d+ +\d +(Switch|Ready|Wait|Call|Fault|Ipi|Interrupt|Dpc|Process|Thread)\w* +0x\w+ ",                 # trace
        r"^no bug check and no hang; the machine stops when there is one$",
        r"^#0  sys_clock_nanosleep .*\n#1  0x\w+ in ArchSwapContext .*\n#2  KiSwapThread (.*\n)*#\d+ .*KiThreadStartup",  # use-thread
        r"^#\d+ +(0x\w+ in )?InitPhase1 ",
        r"^ +\d+ 0x[0-9a-f]{8} 0x\w+ Process +\d+ /bin/busybox$",                               # handles
        r"^Process +\d+ \S*init\n\d+ references, \d+ of them handles",                          # object
        r"^  0x\w+-0x\w+ r-x section 0x\w+ \+ 0x\w+\n",                                         # vm
        r"^  0x\w+-0x\w+ rw- memory <--\n(.*\n)*  PT   0x\w+ rw- user$",
        r"^  physical 0x100000$",
        r"^ +\d+ Proc$",                                                                        # pool
        r"^0x\w+: block 0x\w+ \+ 0x0, \d+ bytes, tag '....', in use$",
        r'^\$\d+ = ".*init" \(\d+ of \d+ bytes\)$',                                             # printers
        r"^\$\d+ = process, not signalled \(0\), waiters: 1 entries",
        r"^\$\d+ = 0xc0000005 STATUS_ACCESS_VIOLATION$",
        r"^\$\d+ = [12] entries, 0x\w+ to 0x\w+$",
        r"^thread-stack +thread-stack THREAD: the back-trace",                                  # help
        r"(^stepped in \w+\n(?:.*\n){0,2}?){19}stepped in \w+$", EVERY),
        never=(r"stepped in (Archp|Ki.*Interrupt|None)", SILENT)),
    # Two threads that hold a push lock each and wait for the other's.
    Gdb("gdb/waits", script="waits.gdb", stops=("DriverEntry",), debug=True, modules=("lockbugs",), command=(),
        options="lockbugs.do=cross-push kd.lockorder=0 kd.deadlock=0", output=(
            rf"^{THREAD} waits for push lock B, held by {THREAD}, from ExAcquirePushLockExclusive.* < AcquirePush.* < Cross",
            rf"^push lock A\n  held by {THREAD}, from ExAcquire.* < Cross.*\n  waited for by {THREAD}, from ExAcquire",
            rf"^deadlock: {THREAD} waits for push lock (A|B), held by {THREAD}$",
            rf"^  and {THREAD} waits for push lock (A|B), held by {THREAD}$", EVERY), never=(SILENT,)),
    Gdb("gdb/crashed", script="crashed.gdb", stops=("DriverEntry",), debug=True, modules=("bug",), command=(),
        options="bug.kind=touch-nothing", output=(
            r"^The kernel has stopped with a report",
            r"^bug check 50h PAGE_FAULT_IN_NONPAGED_AREA\nread at .*\nThe kernel read 0xffffa0ffff000000, where nothing is mapped\.$",
            r"^  #\d+ +TouchNothing \(.*\) at tests/kernel/bug/bug\.c:\d+$",
            r"^to go on: `vm 0xffffa0ffff000000`",
            r"^ +4 +0 Running +\d+ kernel +0x\w+ System$",
            r"^ +\d+ +4 Running +\d+ +\d+ 0x\w+ ",
            r"^processor \d: 2 DISPATCH_LEVEL, idle, frozen, thread",
            rf"^{THREAD} waits for ",
            r"^processor \d: runs " + THREAD + r", priority \d+$",
            r"^ +\d+ +\d +FaultBegin ",
            r"^  \w+ +not present$",
            r"^#0  ArchDebugExit .*\n(.*\n)*#\d+ .*TouchNothing ", EVERY), never=(SILENT,)),
    # A thousand threads that wait: each is listed.
    Gdb("gdb/crowd", script="crowd.gdb", stops=("CrowdIsThere",), modules=("crowd",), command=(), output=(
        r"^in the crowd: 1000$", r"^threads took [\d.]+ s$")),
    Script("gdb/module", DEBUG_MODULE, needs=("gdb",)),
    Script("gdb/mi", DEBUG_MI, needs=("gdb",)),
    Script("gdb/attach", ATTACH, needs=("gdb",)),
    Script("gdb/console", CONSOLE),
    Script("gdb/nmi", NMI, needs=("gdb",)),
    Script("tools/shell", SHELL),
    Script("docs/walkthrough", "tests/walk.py docs/walkthrough.md", alone=True, needs=("gdb",), debug=True),
    Script("gdb/replay", RECORD, needs=("gdb",), debug=True),
]
