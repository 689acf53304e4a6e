# SPDX-License-Identifier: MIT
"""The trace: what is written into it, how it leaves the machine, what tools/trace makes of it."""
from kinds import Script

# The records between the marks of tests/kernel/trace, without times and processor.
SCHEDULE = r"""
$RUN --direct --icount --module $B/modules/trace.sys --modules-only --trace $TMP/s.raw --log $TMP/log
grep -q '^@pass known schedule' $TMP/log
tools/trace text $TMP/s.raw | awk '$4 == "Mark" && $5 == "1:" { on = 1 } on { print } $4 == "Mark" && $5 == "2:" { on = 0 }' |
    sed -E 's/^ *[0-9,.]+ +[0-9]+ //; s/ +$//' >$TMP/schedule
diff -u tests/trace/schedule $TMP/schedule
test $(grep -c . $TMP/schedule) = 50
tools/trace convert $TMP/s.raw $TMP/s.json
tests/trace/compare.py $TMP/s.raw $TMP/s.json
"""

# Four processors, and something of every class.
BUSY = r"""
$RUN --direct --trace $TMP/t.raw --module $B/modules/trace.sys --module $B/modules/watch.sys -- /bin/sh -c \
    'for i in 1 2 3 4; do (for j in 1 2 3; do /bin/busybox true; done) & done; wait; /bin/busybox sleep 0.05'
"""

CASES = [
    # Two threads that take turns on four processors: what a hop from one to the other costs.
    Script("trace/hops", r"""
$RUN --direct --smp 4 --trace-classes switch,ready,ipi,interrupt,dpc,process --trace $TMP/h.raw --add build/tests/linux/hops.musl:/hops -- /hops
tests/trace/hops.py $TMP/h.raw 1000
""", needs=("build/tests/linux/hops.musl",)),
    Script("trace/schedule", SCHEDULE),
    Script("trace/classes", BUSY + r"""
tools/trace text $TMP/t.raw >$TMP/t.txt
if grep -q 'are lost' $TMP/t.txt; then exit 1; fi
for event in Switch Ready WaitBegin WaitEnd Priority Migrate IpiSend IpiReceive InterruptBegin InterruptEnd DpcBegin DpcEnd CallBegin \
             CallEnd FaultBegin FaultEnd ProcessCreate ProcessName ProcessExit ThreadCreate ThreadStart ThreadExit CallbackBegin \
             CallbackEnd Contention Mark; do
    grep -q " $event " $TMP/t.txt || { echo "no record $event"; exit 1; }
done
grep -q ' busybox [0-9]*\.[0-9]* .* CallBegin  *execve(' $TMP/t.txt
grep -q ' init [0-9]*\.[0-9]* .* CallBegin  *Nt[A-Z]' $TMP/t.txt
grep -q ' CallBegin  *nanosleep(\| CallBegin  *clock_nanosleep(' $TMP/t.txt
grep -q ' CallbackBegin  *watch!Watch' $TMP/t.txt
grep -q ' Contention  *queued, after' $TMP/t.txt
grep -q ' WaitBegin .*with a time-out' $TMP/t.txt
# Each begin has its end, but for calls that do not return, and for threads that wait when the machine is switched off.
awk '{ n[$4 ~ /^[0-9.]+$/ ? $5 : $4]++ } END { exit !(n["InterruptBegin"] == n["InterruptEnd"] && n["CallbackBegin"] == n["CallbackEnd"]) }' $TMP/t.txt
tools/trace stats $TMP/t.raw >$TMP/stats
grep -qE '^busybox [0-9.]+ +[0-9,.]+ ' $TMP/stats
grep -q '^waited .* longest, us$' $TMP/stats
# Only what is asked for is written; a ring that is too small for that is said.
$RUN --direct --smp 1 --trace-classes switch,call --trace $TMP/u.raw -- /bin/busybox true
tools/trace text $TMP/u.raw | awk '/^ +[0-9]/ { print $0 }' | grep -oE ' (Switch|Ready|Wait|Call|Fault|Ipi|Interrupt|Process|Thread)[A-Za-z]* ' | sort -u |
    tr -d ' \n' | grep -qx 'CallBeginCallEndSwitch'
$RUN --direct --smp 1 --trace-classes none --trace $TMP/v.raw -- /bin/busybox true
tools/trace text $TMP/v.raw | grep -c . | grep -qx 1
$RUN --direct --smp 1 --append 'trace.records=16' --trace $TMP/w.raw -- /bin/busybox true
tools/trace text $TMP/w.raw | grep -qE '^[0-9]+ records of processor 0 are lost'
if $RUN --trace-classes switch,nonsense --trace $TMP/x.raw -- /bin/busybox true 2>$TMP/said; then exit 1; fi
grep -q "there is no class 'nonsense'" $TMP/said
"""),
    Script("trace/json", BUSY + r"""
$RUN --direct --smp 2 --trace $TMP/direct.json -- /bin/busybox true
python3 -m json.tool $TMP/direct.json >$TMP/tidy
grep -q '"ph": "s"' $TMP/tidy
tools/trace convert $TMP/t.raw $TMP/t.json
tests/trace/compare.py $TMP/t.raw $TMP/t.json
"""),
    Script("trace/page", BUSY + r"""
tools/trace convert $TMP/t.raw $TMP/t.json
tools/trace convert $TMP/t.raw $TMP/t.html
if grep -qE 'https?://|src=' $TMP/t.html; then exit 1; fi
tests/trace/compare.py $TMP/t.raw $TMP/t.json $TMP/t.html
""", needs=("chromium",), timeout=600),
    # A program that spends its time in one function, and one that spends it in the kernel: the profile says so. Instructions are
    # the clock, so that the number of samples does not depend on the host.
    Script("trace/profile", r"""
$RUN --direct --icount --add build/tests/linux/spin.nolibc:/spin --profile $TMP/p.folded -- /spin
grep -qE '^spin [0-9.]+;user mode;burn [0-9]+$' $TMP/p.folded
awk '/;burn / { burnt += $NF } /^spin / { all += $NF } END { exit !(burnt > all / 2) }' $TMP/p.folded
$RUN --direct --icount --profile $TMP/q.folded -- /bin/busybox dd if=/dev/zero of=/dev/null bs=1 count=30000
grep -qE '^busybox [0-9.]+;ArchpSystemCallEntry;.*linux!linux_system_call;.*linux!' $TMP/q.folded
"""),
    Script("trace/flame", r"""
$RUN --direct --smp 2 --profile $TMP/p.html -- /bin/busybox sha256sum /bin/busybox
if grep -qE 'https?://|src=' $TMP/p.html; then exit 1; fi
chromium --headless --no-sandbox --disable-gpu --user-data-dir=$TMP/chromium --virtual-time-budget=10000 --dump-dom file://$TMP/p.html >$TMP/dom
grep -oE 'data-summary="[^"]*"' $TMP/dom | sed 's/&quot;/"/g' | grep -qE '"time":[1-9][0-9]*,"frames":[1-9][0-9]+,"samples":[1-9][0-9]*'
""", needs=("chromium",)),
    # The machine ends by a bug check: the records are there all the same, those of all processors in the report, too.
    Script("trace/bugcheck", r"""
if $RUN --direct --last-trace $TMP/t.raw --log $TMP/log --module $B/modules/bug.sys --append bug.kind=divide --modules-only; then exit 1; fi
for processor in 0 1 2 3; do grep -q "^trace of processor $processor, newest first" $TMP/log; done
test $(grep -cE '^  -[0-9]+ +[A-Z][A-Za-z]+ ' $TMP/log) -ge 35
tools/trace text $TMP/t.raw >$TMP/t.txt
grep -q ' Exception ' $TMP/t.txt
grep -q ' Exception  *0xc0000094 at bug!DivideByZero' $TMP/t.txt
""", debug=True),
    # The runner keeps the trace of a case that fails, and no other.
    Script("trace/kept", r"""
PYTHONPATH=tests python3 - <<'END'
import os, subprocess, kinds, run
context = kinds.Context(os.environ["BUILD"], 1, os.environ["TMP"])
for code, failed in ((0x1E, False), (0x99, True)):
    case = kinds.Bugcheck("kept", smp=2, modules=("bug",), options="bug.kind=divide", code=code, symbol=".")
    report, _ = run.run_case(case, context)
    raw = case.trace_path(context)
    assert bool(report.failed) == failed and os.path.exists(raw) == failed, (code, report)
assert f"tools/trace text {raw}" in report.details
assert "bug!DivideByZero" in subprocess.run(["tools/trace", "text", raw], capture_output=True, text=True, check=True).stdout
END
""", debug=True),
]
