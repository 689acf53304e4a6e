# SPDX-License-Identifier: MIT
"""The big programs at work, and what is seen of them: bash with every feature that asks something of the kernel, busybox's applets,
programs with libraries, and the trace."""
import glob
import os

from kinds import HOST, ROOT, Command, LinuxProgram, Program, Script

# A program that is traced: its calls, arguments, signals, children and end, as strace writes them.
STRACE = r"""
script='echo text >/tmp/f; read line </tmp/f; (exit 3); /bin/busybox sleep 0.01 | cat; kill -USR1 $$'
got=0; $RUN --direct -- strace -f /bin/bash -c "$script" 2>$TMP/trace || got=$?; test $got = 138
# A call during which another thread has said something stands in two parts, which belong together.
python3 - $TMP/trace >$TMP/whole <<'END'
import re, sys
parts = {}
for line in open(sys.argv[1], errors="replace"):
    pid, text = re.match(r"(?:\[pid +(\d+)\] )?(.*)", line).groups()
    if text.endswith(" <unfinished ...>"):
        parts[pid or "first"] = text.removesuffix(" <unfinished ...>")
        continue
    if resumed := re.match(r"<\.\.\. (\w+) resumed>(.*)", text):
        before = parts.pop(pid if pid in parts else "first")
        assert before.startswith(resumed[1] + "("), line
        text = before + resumed[2]
    print(text)
END
says() { grep -E -m 1 -- "^($1)\$" $TMP/whole; }
says 'openat\(AT_FDCWD, "/tmp/f", O_WRONLY\|O_CREAT\|O_TRUNC, 0666\) += [0-9]+'
says 'openat\(AT_FDCWD, "/tmp/f", O_RDONLY\) += [0-9]+'
says 'write\(1, "text\\n", 5\) += 5'
says 'rt_sigprocmask\(SIG_BLOCK, \[INT TERM CHLD\], \[CHLD\], 8\) += 0|rt_sigprocmask\(SIG_SETMASK, \[\], NULL, 8\) += 0'
says 'pipe2?\(\[3, 4\](, 0)?\) += 0'
says 'clone\(child_stack=NULL, flags=CLONE_CHILD_CLEARTID\|CLONE_CHILD_SETTID\|SIGCHLD, child_tidptr=0x[0-9a-f]+\) += [0-9]+'
says 'execve\("/bin/busybox", \["/bin/busybox", "sleep", "0.01"\], 0x[0-9a-f]+ /\* [0-9]+ vars \*/\) += 0'
says 'newfstatat\(AT_FDCWD, "/bin/cat", \{st_mode=S_IFREG\|0755, st_size=[0-9]+, ...\}, 0\) += 0'
says 'exit_group\(3\) += \?'
says '\+\+\+ exited with 3 \+\+\+'
says 'wait4\(-1, \[\{WIFEXITED\(s\) && WEXITSTATUS\(s\) == 3\}\], 0, NULL\) += [0-9]+'
says '--- SIGCHLD \{si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=[0-9]+, si_uid=0, si_status=[0-9]+\} ---'
says 'kill\([0-9]+, SIGUSR1\) += 0'
says '--- SIGUSR1 \{si_signo=SIGUSR1, si_code=SI_USER, si_pid=[0-9]+, si_uid=0\} ---'
says '\+\+\+ killed by SIGUSR1 \+\+\+'
says '.* = -1 E[A-Z]+ \([A-Z][A-Za-z ]+\)'
got=0; $RUN --direct -- strace /bin/nothing 2>/dev/null || got=$?; test $got = 127
$RUN --direct --append linux.trace=1 --log $TMP/log -- /bin/busybox true
grep -E '^\[pid +[0-9]+\] exit_group\(0\) += \?$' $TMP/log
"""

# Debian's own programs with their libraries and loader, each as it is on this machine: the same output.
DYNAMIC = r"""
add() { # PROGRAM: the words that add it, and what it is linked with
    for file in $1 $(ldd $1 | grep -o '/[^ ]*'); do echo --add $(readlink -f $file):$file; done
}
same() { # PROGRAM COMMAND ARG...: PROGRAM stands under its own name
    words="$(add $1) ${more-}"; shift
    "$@" >$TMP/here 2>&1
    $RUN --direct $words -- "$@" >$TMP/there 2>$TMP/errors; cat $TMP/errors >>$TMP/there
    diff $TMP/here $TMP/there
}
cp /bin/bash $TMP/bash      # in the guest another one has its name
same $TMP/bash $TMP/bash -c 'shopt -q login_shell || echo "${BASH_VERSION}"; for i in 3 1 2; do echo $i; done | sort; (exit 7); echo $?; cat <(echo sub) <<<x
    trap "echo caught" USR1; kill -USR1 $$; printf "%(%Y)T %s\n" 0 "$(echo deep | tr a-z A-Z)"; [[ abc =~ b. ]] && echo "$BASH_REMATCH"; ulimit -n 64; ulimit -n'
same /usr/bin/env /usr/bin/env -i A=b C=d /usr/bin/env
same $(readlink -f /usr/bin/gcc) $(readlink -f /usr/bin/gcc) -dumpfullversion -dumpmachine
wrapper=$(gcc -v 2>&1 | sed -n 's/^COLLECT_LTO_WRAPPER=//p'); more="--add $(readlink -f $wrapper):$wrapper"
same $(readlink -f /usr/bin/gcc) $(readlink -f /usr/bin/gcc) -v
python=$(readlink -f /usr/bin/python3)
library=$($python -c 'import os; print(os.path.dirname(os.__file__))')
more="--add $library/encodings:$library/encodings --add $library/os.py:$library/os.py --add $library/lib-dynload:$library/lib-dynload"
same $python $python -I -S -c 'import posix, _thread, time
lock = _thread.allocate_lock(); lock.acquire(); _thread.start_new_thread(lock.release, ()); lock.acquire(); child = posix.fork()
if child == 0: posix._exit(5)
print(6 * 7, 2 ** 100, sorted("python"), posix.waitpid(child, 0)[1] >> 8, posix.uname().sysname, time.time() > 1e9, flush=True)'
"""

# zsh, and mksh with three C libraries, of which dietlibc's programs ask the page of the old calls for the time.
SHELLS = r"""
for shell in /bin/zsh-static /usr/lib/klibc/bin/mksh /usr/lib/diet/bin/mksh /usr/lib/x86_64-linux-musl/bin/mksh; do
    mkdir $TMP/work; here=0; $shell tests/linux/shells.sh $TMP/work >$TMP/here 2>/dev/null || here=$?; rm -r $TMP/work
    got=0; $RUN --direct --add $shell:/shell --add tests/linux/shells.sh:/script -- /shell /script /tmp >$TMP/there 2>$TMP/errors || got=$?
    diff $TMP/here $TMP/there || { cat $TMP/errors; exit 1; }
    test $got = $here
done
"""

# A program of tests/linux in another language, linked in one way or another, here and in the guest.
COMPARED = r"""
compared() { # COMMAND's words of tools/run
    mkdir $TMP/work; here=0; $TMP/program $TMP/work >$TMP/here || here=$?; rm -r $TMP/work
    got=0; $RUN --direct --add $TMP/program:/program "$@" -- /program /tmp >$TMP/there || got=$?
    diff $TMP/here $TMP/there; test $got = $here
}
"""
GO = COMPARED + r"""
CGO_ENABLED=0 GOCACHE=$TMP/cache HOME=$TMP go build -o $TMP/program tests/linux/program.go
compared
"""
CPP = COMPARED + r"""
g++ -O1 -pthread -fnon-call-exceptions -static -o $TMP/program tests/linux/program.cpp
compared
g++ -O1 -pthread -fnon-call-exceptions -o $TMP/program tests/linux/program.cpp
compared $(for file in $(ldd $TMP/program | grep -o '/[^ ]*'); do echo --add $(readlink -f $file):$file; done)
"""

# Likewise with musl's loader, which is the C library, too.
DYNAMIC_MUSL = r"""
echo 'int puts(const char *); int main(int argc, char **argv) { return puts(argv[1]) < 0 ? 1 : 40 + argc; }' >$TMP/prog.c
musl-gcc -o $TMP/prog $TMP/prog.c
loader=$(sed -n 's,.*\(/lib/ld-musl-[a-z0-9_]*\.so\.1\).*,\1,p' <(strings -n 8 $TMP/prog) | head -n 1)
got=0; $RUN --direct --add $TMP/prog:/prog --add $(readlink -f $loader):$loader -- /prog musl >$TMP/out || got=$?
test $got = 42 && test "$(cat $TMP/out)" = musl
got=0; $RUN --direct --add $TMP/prog:/prog -- /bin/bash -c '/prog musl' 2>/dev/null || got=$?
test $got = 127                     # without its loader
"""

# bash at a terminal: jobs are stopped, listed, continued in back- and foreground and broken off; lines are edited, and fit the window.
SESSION = r"""
cat >$TMP/session.py <<'END'
import fcntl, os, pty, select, shlex, struct, termios, time

STEPS = [(b"# ", b"echo one | cat\r"), (b"\none\r\n", b"sh -c 'echo rea\"\"dy; exec sleep 1000'\r"), (b"\nready\r\n", b"\x1a"),
         (b"Stopped", b"jobs\r"), (b"Stopped", b"bg; echo b$?\r"), (b"\nb0\r\n", b"fg\r"), (b"sleep 1000'\r\n", b"\x03"),
         (b"^C\r\n", b"echo status $?\r"), (b"\nstatus 130\r\n", b"sleep 1000 &\r"), (b"[1] ", b"kill %1; wait; echo ended $?\r"),
         (b"\nended ", b""), (b"# ", b"echo re\"\"ads; cat\r"), (b"\nreads\r\n", b"typed\r\x04"), (b"\ntyped\r\n", b""),
         (b"# ", b"tasks | grep -c '^ .* tasks  *native'\r"), (b"\n1\r\n", b"vi /tmp/v\r"), (b"~", b"ione\rtwo\x1b"), (b"- /tmp/v [Modified] 2/2", b"kA!"), (b"I /tmp/v [Modified] 1/2", b"\x1b"),
         (b"- /tmp/v [Modified] 1/2", b":wq\r"), (b"# ", b"cat /tmp/v\r"),
         (b"\none!\r\ntwo\r\n", b"less /etc/passwd\r"), (b"root:x:0", b"q"), (b"# ", b"top\r"), (b"PID", b"q"),
         (b"# ", b"ecXho ab\x1b[D\x1b[D\x1b[D\x1b[D\x1b[D\x7f\r"),
         (b"\nab\r\n", b"trap 'echo ca\"\"ught' USR1; kill -USR1 $$\r"), (b"\ncaught\r\n", b"stty size\r"),
         (b"\n31 101\r\n", (40, 90)), (b"# ", b"stty size; exit 7\r"), (b"\n40 90\r\n", b"")]

pid, master = pty.fork()
if pid == 0:
    while os.get_terminal_size(0).columns != 101:
        time.sleep(0.01)
    run = shlex.split(os.environ["RUN"])
    os.execvp(run[0], [*run, "--direct", "--", "/bin/bash", "--norc"])
fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 31, 101, 0, 0))
out, seen, end = b"", 0, time.monotonic() + 110
while time.monotonic() < end:
    if STEPS and (at := out.find(STEPS[0][0], seen)) >= 0:
        seen, (_, typed) = at + len(STEPS[0][0]), STEPS.pop(0)
        if isinstance(typed, tuple):
            fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", *typed, 0, 0))
            os.write(master, b"\r")
        else:
            os.write(master, typed)
    elif select.select([master], [], [], 0.2)[0]:
        try:
            out += os.read(master, 65536)
        except OSError:
            break
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
assert status == 7 and not STEPS, (status, STEPS[:1], out)
END
python3 $TMP/session.py
"""

def beside_the_host(name, script, shell, here):
    """A script whose only argument is an empty folder, in the guest and on this machine."""
    here = f"folder=$(mktemp -d); {here} tests/linux/{script} $folder; status=$?; rm -r $folder; exit $status"
    return Command(f"linux/{name}", command=(*shell.split(), f"/{script}", "/tmp"), oracle=("bash", "-c", here),
                   files=(f"tests/linux/{script}:/{script}",), stdout=HOST, status=HOST)


# Not these: their work is to leave strange names behind, to make calls without end, or to be laid out oddly.
NOT_SCARCE = ("fuzz", "hostile", "segments_")


def scarce_programs():
    found = sorted(os.path.basename(path).removesuffix(".musl") for path in glob.glob(os.path.join(ROOT, "build/tests/linux/*.musl")))
    return [name for name in found if not name.startswith(NOT_SCARCE)]


def scarce(pool, pages, programs, rounds=2, **more):
    """The programs while every so-manieth allocation fails, of pool and of pages (tests/user/scarce, tests/kernel/faults)."""
    return Program(f"linux/scarce-{pool}-{pages}", native=True, debug=True, options=f"fault.pool={pool} fault.pages={pages}",
                   command=("scarce", str(rounds), *(f"/{program} one x two" for program in programs)),
                   files=tuple(f"{{T}}/linux/{program}.musl:/{program}" for program in programs),
                   puts=("{B}/native/scarce:native/scarce", "{B}/native/child:native/child", "{B}/modules/faults.sys:modules/faults.sys"),
                   **more)


# A page that was promised and cannot be had ends the process that touches it, by a signal and with a line in the log; nobody else.
WIDE = "printf -v a %8000000s x; b=$a$a c=$a$a d=$a$a e=$a$a; echo ${#e}"


def wide(memory, stdout, log):
    return Command(f"linux/promised-{memory}", command=("/bin/bash", "-c", f"/bin/bash -c '{WIDE}'; echo $?"), run_args=("--mem", memory),
                   stdout=stdout, log=log)


# What ends in every way and leaves everything open: all memory comes back, to the block of pool.
STORM = Program("linux/storm-leaks", native=True, command=("scarce", "plain", "2", "/storm"), timeout=400, files=("{T}/linux/storm.musl:/storm",),
                puts=("{B}/native/scarce:native/scarce", "{B}/native/child:native/child"))

SCARCE = ("epoll", "execs", "files", "fork", "futex", "sockets", "threads", "wait")

CASES = [
    scarce(307, 0, SCARCE, timeout=600),
    scarce(0, 61, SCARCE, timeout=600),
    STORM,
    wide("48M", b"137\n", r"^.*linux: no memory for a page of process \d+$"),
    wide("192M", b"16000000\n0\n", ""),
    *(LinuxProgram(program, "musl", memory="48M") for program in ("cow", "files", "fork", "memory", "sockets", "threads")),
    beside_the_host("bash-features", "features.bash", "/bin/bash", "bash-static"),
    beside_the_host("applets", "applets.sh", "/bin/busybox sh", "busybox sh"),
    Script("linux/dynamic", DYNAMIC, needs=("/bin/bash", "ldd", "/usr/bin/env", "/usr/bin/gcc", "/usr/bin/python3")),
    Script("linux/dynamic-musl", DYNAMIC_MUSL, needs=("musl-gcc", "strings")),
    Script("linux/shells", SHELLS, needs=("/bin/zsh-static", "mksh")),
    Script("linux/go", GO, needs=("go",)),
    Script("linux/cpp", CPP, needs=("g++", "ldd")),
    Script("linux/strace", STRACE),
    Script("linux/terminal", "python3 tests/terminal.py build/tests/linux/tty.musl", timeout=330, needs=("musl-gcc",)),
    Script("linux/session", SESSION, timeout=130),
]
