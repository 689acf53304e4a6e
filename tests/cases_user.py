# SPDX-License-Identifier: MIT
"""The native programs of user/ and the example modules of drivers/, as somebody sees them who tries them out. The native test
programs of tests/user list themselves, in cases.py."""
from kinds import HOST, Command, Program, Script

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


# The driver and the program procmon. What is typed depends on what has come out: the id of the job that is killed, for example.
PROCMON = r"""
mkfifo $TMP/in
$RUN --direct --smp 4 <$TMP/in >$TMP/out 2>$TMP/err & machine=$!
exec 3>$TMP/in
says() { until grep -q "$1" $TMP/out; do kill -0 $machine; sleep 0.1; done; }
events() { awk -v id=$1 '$4 == id && $2 $3 ~ /^(process|thread|image)(created|loaded|ended)$/ { $1 = $4 = ""; $0 = $0; $1 = $1; print }' $TMP/out; }
created() { sed -n "s/^.* process created *\([0-9]*\) *\([0-9]*\) .*$1\$/\1 \2/p" $TMP/out; }

echo 'load procmon; procmon &' >&3
says 'process created .*native.procmon$'        # so it has the device, which is exclusive
echo 'procmon 1; hello; /bin/busybox true' >&3
says 'process created .*/busybox$'
read -r linux shell <<<"$(created busybox)"
says "process ended  *$linux "
read -r native thread <<<"$(sed -n 's/^hello from process \([0-9]*\), thread \([0-9]*\)$/\1 \2/p' $TMP/out)"
test "$(created hello)" = "$native $shell"
events $native >$TMP/native
diff - $TMP/native <<END
process created $shell \\Boot\\native\\hello
thread created $thread
image loaded $thread \\Boot\\native\\hello
thread ended $thread
process ended $thread
END
# Of a subsystem's program no image is told.
events $linux | sed 's/ [0-9].*//' | diff <(grep -v image $TMP/native | sed 's/ [0-9].*//') -
grep -x 'procmon: access denied' $TMP/err

# Its read is pending, with nothing to come: it is cancelled.
job=$(sed -n 's/^\[\([0-9]*\)\] procmon$/\1/p' $TMP/out)
echo "kill $job; wait" >&3
says "^\[$job\] procmon ended with 130"

# 40 programs of five events each, and room for 128.
printf "nop\n%.0s" $(seq 40) >&3
echo 'procmon 128; procmon 1; unload procmon; procmon; exit' >&3
wait $machine
lost=$(sed -n 's/^procmon: \([0-9]*\) events lost$/\1/p' $TMP/out)
test $lost -ge 72
grep -x 'procmon: not found' $TMP/err
"""

# All memory is taken, and no program can be started: the shell says itself whom to end, and ends it.
MEMORY_OUT = r"""
mkfifo $TMP/in
$RUN --direct --smp 4 --mem 64M --put $B/native/child:native/child <$TMP/in >$TMP/out 2>$TMP/err & machine=$!
exec 3>$TMP/in
says() { until grep -q "$1" $TMP/out; do kill -0 $machine; sleep 0.1; done; }
echo 'hello; child hog &' >&3
says '^hog: full'
echo 'hello; echo status $?; tasks' >&3
says '^ .* child  *native'
says '^ .* sh  *native'
grep -x 'status [1-9][0-9]*' $TMP/out
hog=$(sed -n 's/^\[\([0-9]*\)\] child$/\1/p' $TMP/out)
grep "^ *$hog .* child" $TMP/out
echo "kill $hog; wait; hello; exit" >&3
wait $machine
grep -x "\[$hog\] child ended with 130" $TMP/out
test $(grep -c '^hello from process' $TMP/out) = 2
"""

CASES = [
    far("one-processor", smp=1),
    far("no-smap", run_args=("--cpu", "qemu64")),       # a right far return works there
    Command("linux/far-one-processor", command=("/far",), oracle=("{T}/linux/far.musl",), smp=1,
            files=("{T}/linux/far.musl:/far",), stdout=HOST),
    Command("user/hello", command=("hello",), native=True, stdout=r"^hello from process \d+, thread \d+$", stderr=b""),
    Command("user/tasks-watch", command=("tasks", "-w", "2"), native=True, smp=2, stdout=(
        r"(?s)\A(\x1b\[H\x1b\[J +USE +ID PROCESS +STATE +PRI CPU +SWITCHES\n( *\d+\.\d +\d+ \S+ +(running|waiting|ready|standby|ended|new) .*?\n)+){2}\Z")),
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
    Script("user/procmon", PROCMON, timeout=120),
    Script("user/memory-out", MEMORY_OUT, timeout=120),
]
