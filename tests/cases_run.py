# SPDX-License-Identifier: MIT
"""tools/run as its users see it: streams, arguments, statuses, firmware. The guest's programs are Debian's busybox and
small ones that the host compiles."""
from kinds import HOST, Command, Script

BUSYBOX = "/bin/busybox"
WORDS = ("a", "", "b c", "*", "'\"$HOME\\", "new\nline", "\u00e9", "-x")

# Programs of the host, static, with --add: their output, signal and status come back.
ADDED = r"""
cat >$TMP/prog.c <<'END'
#include <stdio.h>
int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        printf("<%s>", argv[i]);
    fflush(stdout);
    fprintf(stderr, "to stderr\n");
    return 40 + argc;
}
END
echo 'int main(void) { return *(volatile int *)8; }' >$TMP/crash.c
for name in prog crash; do gcc -static -O1 -o $TMP/$name $TMP/$name.c; done
expect() { want=$1; shift; got=0; $RUN --direct "$@" >$TMP/out 2>$TMP/err || got=$?; test $got = $want; }

expect 44 --add $TMP/prog:/prog -- /prog a "" "b c"
test "$(cat $TMP/out)" = "<a><><b c>"
test "$(cat $TMP/err)" = "to stderr"
expect 41 --add $TMP/prog:/opt/deep/er/prog -- /opt/deep/er/prog
expect 139 --add $TMP/crash:/crash -- /crash
mkdir $TMP/folder && echo text >$TMP/folder/file && chmod 640 $TMP/folder/file
expect 0 --add $TMP/folder:/folder -- /bin/busybox stat -c %a /folder/file
test "$(cat $TMP/out)" = 640
expect 126 --add $TMP/folder:/folder -- /folder/file
expect 127 -- /bin/nothing
expect 0 -- busybox true
"""

# A whole tree as the Linux root, devices and pipes left out; a large file in it, of which what is written costs memory, and no
# more. What cannot fit is refused before anything starts.
ROOT = r"""
mkdir -p $TMP/root/etc $TMP/root/opt/many && mkfifo $TMP/root/opt/pipe && ln -s many $TMP/root/opt/link
echo mine >$TMP/root/etc/hostname && head -c 300000000 /dev/zero >$TMP/root/opt/large
(cd $TMP/root/opt/many && seq 3000 | xargs touch)
cat >$TMP/root/opt/script <<'END'
cat /etc/hostname; ls /opt/link/ | wc -l; ls /opt; ls /bin/busybox
echo x >>/opt/large; echo y | dd of=/opt/large bs=4096 seek=5000 conv=notrunc 2>/dev/null
stat -c %s /opt/large; head -c 20480001 /opt/large | tail -c 1; tail -c 2 /opt/large
df -k / | awk 'NR == 2 && $3 < 100 { print "little is used" }'
rm -r /opt && df -k / | awk 'NR == 2 && $3 < 20 { print "nothing is used" }'
END
$RUN --direct --mem 400M --add $TMP/root:/ -- /bin/bash /opt/script >$TMP/out
printf '%s\n' mine 3000 large link many script /bin/busybox 300000002 yx 'little is used' 'nothing is used' >$TMP/expected
diff $TMP/expected $TMP/out
status=0; $RUN --direct --add $TMP/root:/ -- /bin/true 2>$TMP/err || status=$?
test $status = 125 && grep 'at least --mem [0-9]*M' $TMP/err
$RUN --direct --mem $(sed 's/.*--mem \([0-9]*M\) is.*/\1/' $TMP/err) --add $TMP/root:/ -- /bin/busybox true
"""

# More than any buffer on the way through the guest and back; a reader that ends early, a writer that never does.
STREAMS = r"""
head -c 300000 /dev/urandom >$TMP/data
$RUN --direct -- /bin/busybox cat <$TMP/data | cmp - $TMP/data
cat $TMP/data | $RUN --direct --smp 1 -- /bin/busybox md5sum | grep $(md5sum <$TMP/data | cut -c -32)
$RUN --direct -- /bin/busybox head -c 5 <$TMP/data | cmp - <(head -c 5 $TMP/data)
test "$( ($RUN --direct --timeout 60 -- /bin/busybox yes || true) | head -n 1)" = y
$RUN --direct -- /bin/busybox cat </dev/null | cmp - /dev/null
$RUN --direct -- /bin/busybox echo closed <&- | grep closed
$RUN --direct --log $TMP/log -- /bin/busybox true && test "$(tail -n 1 $TMP/log)" = @poweroff
"""

# On a terminal of the caller's the command has one too; what is typed is echoed, ^D ends it, and the mode comes back.
TERMINAL = r"""
cat >$TMP/session.py <<'END'
import os, pty, select, shlex, sys, time

def session(words, typed, seconds=60):
    pid, master = pty.fork()
    if pid == 0:
        os.execvp(words[0], words)
    out, typed, end = b"", list(typed), time.monotonic() + seconds
    while time.monotonic() < end:
        if typed and typed[0][0] in out:
            _, text, *pause = typed.pop(0)
            time.sleep(sum(pause))
            os.write(master, text)
        if select.select([master], [], [], 0.2)[0]:
            try:
                data = os.read(master, 4096)
            except OSError:
                break
            out += data
    _, status = os.waitpid(pid, 0)
    return out, os.waitstatus_to_exitcode(status)

run = os.environ["RUN"].split() + ["--direct"]
out, status = session(run + ["--", "/bin/busybox", "tty"], [])
assert status == 0 and b"/dev/" in out, (out, status)
out, status = session(run + ["--", "/bin/busybox", "sh"], [(b"# ", b"echo typed\r"), (b"typed\r\n", b"exit 3\r")])
assert status == 3 and out.count(b"typed") == 2, (out, status)

# A program that ends in the background leaves the terminal to the shell's editor, which alone shows what is typed.
out, status = session(run, [(b"> ", b"/bin/busybox sleep 1 &\r"), (b"busybox\r\n", b"echo later\r", 4), (b"\nlater\r\n", b"exit\r")])
assert status == 0 and out.count(b"echo later") == 1, (out, status)

# Tab completes names, shows them where there are several, and knows modules; ^R finds what was typed before, older and older.
out, status = session(run, [(b"> ", b"hel\t\t"), (b"  hello", b"lo\r"), (b"hello from", b"unl\tprocm\t\r"), (b"sh: unload procmon: ", b"echo first of two\r"),
                            (b"\nfirst of two\r\n", b"echo second\r"), (b"\nsecond\r\n", b"\x12echo\x12"),
                            (b"') echo first", b"\r"), (b"echo first of two\x1b[K\r\nfirst of two\r\n", b"exit\r")])
assert status == 0 and out.count(b"\nfirst of two\r\n") == 2, (out, status)

# Output that goes elsewhere is no terminal, stays clean of echo and line ends, and apart; input is still a terminal.
words = run + ["--", "/bin/busybox", "sh", "-c", "echo ready >/dev/tty; read -r line; test -t 0; echo in $?; test -t 1; "
               "echo out $?; test -t 2; echo err $? >&2; printf '<%s>' \"$line\""]
for out_to, err_to in (("out", None), (None, "err"), ("out", "err")):
    shell = shlex.join(words) + "".join(f" {sign} $TMP/{name}" for sign, name in ((">", out_to), ("2>", err_to)) if name)
    seen, status = session(["sh", "-c", "rm -f $TMP/out $TMP/err; " + shell], [(b"ready", b"a line\r")])
    out, err = (open(f"{os.environ['TMP']}/{name}", "rb").read() if name else None for name in (out_to, err_to))
    seen = seen.replace(b"\r\r\n", b"\r\n")
    assert status == 0 and seen.count(b"a line\r\n") == 1, (seen, status)
    assert out in (None, b"in 0\nout 1\n<a line>") and err in (None, b"err 1\n"), (out, err)
    assert (out is None) == (b"<a line>" in seen) and (err is None) == (b"err 0\r\n" in seen), seen

# Who gets the output may write to the terminal meanwhile; and a terminal that is not the caller's own is an input only.
seen, status = session(["sh", "-c", shlex.join(run + ["--", "/bin/busybox", "printf", "one\\ntwo\\n"]) + " | cat"], [])
assert status == 0 and b"one\r\ntwo\r\n" in seen, (seen, status)
out, status = session(["setsid", "-w", *run, "--", "/bin/busybox", "tty"], [])
assert status == 1 and b"not a tty" in out, (out, status)
END
python3 $TMP/session.py
"""

SHELL = r"""
printf 'help\nhello\ntasks\nexit\n' | $RUN --direct >$TMP/out
grep System $TMP/out
printf 'hello\n' | $RUN --direct >$TMP/out          # end of input powers off, too
"""

# Nobody reads for a while what a program writes. What is typed meanwhile is not echoed, which must not keep a processor
# busy; and the machine can be switched off.
NOBODY_READS = r"""
cat >$TMP/typist.py <<'END'
import os, pty, sys, time

pid, master = pty.fork()
if pid == 0:
    os.execvp("sh", ["sh", "-c", os.environ["RUN"] + " --direct --log $TMP/log1 -- /bin/busybox yes"])
while os.read(master, 4096).find(b"y") < 0:
    pass
time.sleep(5)                           # every buffer on the way is full
for _ in range(40):
    os.write(master, b"x" * 100 + b"\n")
    time.sleep(0.05)
time.sleep(8)
os.write(master, b"\x03")
try:
    while os.read(master, 65536):
        pass
except OSError:
    pass
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 130
END
python3 $TMP/typist.py & typist=$!

mkfifo $TMP/out; sleep 100 <$TMP/out & reader=$!
printf '/bin/busybox yes &\n/bin/busybox sleep 1\nexit\n' | $RUN --direct --log $TMP/log2 --native -- sh >$TMP/out & run=$!
for second in $(seq 60); do test "$(tail -n 1 $TMP/log2)" = @poweroff && break; sleep 1; done
kill $reader $run
test "$(tail -n 1 $TMP/log2)" = @poweroff
wait $typist
"""


def busybox(name, *words, **more):
    return Command(f"run/{name}", command=(BUSYBOX, *words), **more)


CASES = [
    busybox("echo", "echo", "hello", stdout=b"hello\n", stderr=b"", boot="bios"),
    busybox("one-processor", "uname", "-sm", smp=1, stdout=b"Linux x86_64\n", boot="bios"),
    busybox("uefi-eight", "sha256sum", BUSYBOX, smp=8, boot="uefi", stdout=HOST),
    busybox("standard-input", "cat", stdin=b"abc\n", stdout=b"abc\n", boot="bios"),
    busybox("no-input", "wc", "-c", stdout=b"0\n"),
    busybox("any-bytes", "md5sum", stdin=bytes(range(256)) * 40, stdout=HOST, status=HOST),
    busybox("console-device", "sh", "-c", "echo hello >/dev/console", timeout=30, stdout=b"hello\n"),
    busybox("arguments", "printf", "[%s]", *WORDS, stdout=HOST, status=HOST),
    busybox("stderr-apart", "cat", "/no/such/file", stdout=HOST, stderr=HOST, status=HOST),
    busybox("small-memory", "true", boot="bios", run_args=("--mem", "32M")),
    busybox("older-processor", "true", run_args=("--cpu", "qemu64")),
    busybox("icount", "true", smp=1, run_args=("--icount",)),
    busybox("time-out", "sleep", "1000", timeout=15, status=124, idle=True),
    busybox("unknown-option", "true", options="nosuch=1", log="unknown option 'nosuch=1' ignored"),
    Command("run/native", command=("hello",), native=True, stdout="."),
    Command("run/native-tasks", command=("tasks",), native=True, stdout="System"),
    Command("run/native-missing", command=("nothing",), native=True, status=127),
    Script("run/added-programs", ADDED),
    Script("run/linux-root", ROOT),
    Script("run/streams", STREAMS),
    Script("run/terminal", TERMINAL),
    Script("run/shell", SHELL),
    Script("run/nobody-reads", NOBODY_READS, idle=True),
]
