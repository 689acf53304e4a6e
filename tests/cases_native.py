# SPDX-License-Identifier: MIT
"""Native programs that Linux ones start by execve: beside tests/user/proxies, which asks the kernel, what a user of bash sees."""
from kinds import Script

# In pipes, with files, in substitutions; descriptors that are closed; a program that ends before its reader or its writer.
PIPES = r"""
cat >$TMP/commands <<'END'
hello | sed 's/[0-9][0-9]*/N/g'
test $(tasks | grep -c ' native ') -ge 2 && echo counted
tasks >/tmp/list; grep -c '^ .* tasks  *native' /tmp/list
text=$(echo 'echo deep' | sh); echo "<$text>"
printf 'echo one\nexit 9\n' >/tmp/script; sh </tmp/script; echo $?
sh -c nobody-knows-this >/dev/null; echo $?
sh -c nobody-knows-this 2>&1 | cat
for i in 1 2 3; do echo "echo line $i"; done | sh | cat -n
printf 'echo appended\n' | sh >>/tmp/script; tail -n 1 /tmp/script
yes 'echo much' | head -n 200 | sh | wc -l
yes 'echo much' | sh | head -n 2; echo ${PIPESTATUS[1]}
echo 'echo x' | sh >&-; echo closed $?
sh <&-; echo nothing $?
child exit 300; echo $?
child fault read; echo $?
/native/child exit 5 && echo wrong || echo five $?
(exec child exit 6); echo $?
child arguments '' 'a b' "$(printf 'new\nline')"; first=$?
child arguments '' 'a b' 'new
line'; test $? = $first && echo same
child sleep 100000 0 & kill $!; wait $!; echo ended $?
child sleep 100000 0 & kill -9 $!; wait $!; echo ended $?
child spin 3 & sleep 0.2; kill %%; wait $!; echo ended $?
END
$RUN --direct --smp 4 --add $TMP/commands:/commands --put $B/native/child:native/child --log $TMP/log -- /bin/bash -c '
PATH=/native:$PATH . /commands' >$TMP/out 2>$TMP/err
cat >$TMP/expected <<'END'
hello from process N, thread N
counted
1
<deep>
one
9
127
sh: nobody-knows-this: not found
     1	line 1
     2	line 2
     3	line 3
appended
200
much
much
141
closed 0
nothing 0
44
139
five 5
6
same
ended 143
ended 137
ended 143
END
diff $TMP/expected $TMP/out
"""

# At a terminal: ^C ends it, ^Z stops it (and the native process with it), fg and bg let it go on, kill ends it while it is stopped.
TERMINAL = r"""
cat >$TMP/session.py <<'END'
import os, pty, re, select, sys, time

pid, master = pty.fork()
if pid == 0:
    run = os.environ["RUN"].split()
    os.execvp(run[0], run + ["--direct", "--smp", "4", "--put", os.environ["B"] + "/native/child:native/child", "--log",
                             os.environ["TMP"] + "/log", "--", "/bin/bash", "--norc", "-i"])
out, end = b"", time.monotonic() + 100

def await_(pattern, start):
    global out
    while not re.search(pattern, out[start:]):
        assert time.monotonic() < end, (pattern, out[start:])
        if select.select([master], [], [], 0.2)[0]:
            out += os.read(master, 4096)

def type_(text, pattern):
    start = len(out)
    os.write(master, text)
    await_(pattern, start)
    return out[start:]

await_(rb"[#$] $", 0)
type_(b"PS1='%% ' PATH=/native:$PATH\r", rb"\n%% $")
type_(b"child ticks\r", rb"\nticking\r\n")      # now it has the terminal
type_(b"\x03", rb"\n%% $")
type_(b"echo status $?\r", rb"\nstatus 130\r\n%% $")
type_(b"child ticks\r", rb"\nticking\r\n")
type_(b"\x1a", rb"Stopped.*child ticks\r\n%% $")
type_(b"echo status $?\r", rb"\nstatus 148\r\n%% $")

# Its thread is not switched to any more: two looks at once show the same count. (Until it is so we look again.)
look = b"tasks | grep -A 1 '^ .* child  *native' | tail -n 1 | (read -r id state pri cpu time switches; echo =$switches=)\r"
count = None
while True:
    seen = re.findall(rb"=(\d+)=\r\n", type_(look, rb"\n=\d+=\r\n%% $"))
    time.sleep(0.1)
    if seen == count:
        break
    count = seen
type_(b"bg\r", rb"child ticks &\r\n%% $")
while re.findall(rb"=(\d+)=\r\n", type_(look, rb"\n=\d+=\r\n%% $")) == count:
    pass
type_(b"fg\r", rb"child ticks\r\n")
type_(b"\x1a", rb"Stopped.*child ticks\r\n%% $")
type_(b"kill -9 %1; wait -f %1 2>/dev/null; echo status $?\r", rb"\nstatus 137\r\n(.*\n)?%% $")
while b"=" in type_(b"tasks | grep -c '^ .* child  *native' | sed 's/^[1-9]/=/'\r", rb"\n[0=]\d*\r\n(.*\n)?%% $").split(b"\n", 1)[1]:
    pass

# What is typed is its input, in the foreground only.
type_(b"echo lines; sh\r", rb"\nlines\r\n")
type_(b"echo typed  in\r", rb"\ntyped in\r\n")
type_(b"exit 4\r", rb"\n%% $")
type_(b"echo status $?\r", rb"\nstatus 4\r\n%% $")
type_(b"sh &\r", rb"\n%% $")
while not re.search(rb"Stopped.*sh\r\n", type_(b"\r", rb"%% $")):
    pass
type_(b"kill %1; fg\r", rb"\n%% $")
os.write(master, b"exit 3\r")
try:
    while os.read(master, 4096):
        pass
except OSError:
    pass
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 3
END
python3 $TMP/session.py
"""

CASES = [
    Script("native/pipes", PIPES, needs=("/bin/bash-static",)),
    Script("native/terminal", TERMINAL, needs=("/bin/bash-static",), timeout=130),
]
