# SPDX-License-Identifier: MIT
"""tests/terminal.py PROGRAM: types to tests/linux/tty.c at a pseudo-terminal of this host and, through tools/run ($RUN), in the
guest, and compares what the two screens show."""
import fcntl
import os
import pty
import select
import shlex
import struct
import sys
import termios
import time

# What is typed after "WORDS?" has appeared. A number: so many seconds pass before the rest.
TYPED = {
    b"line": [b"a line\r"],
    b"erase": [b"abx\x7fc\x01\x7fd\r"],
    b"kill": [b"lost\x15kept\r"],
    b"words": [b"one two,three \x17\x17x\r"],
    b"tabs": [b"a\tb\t\x7f\x7fc\r"],
    b"literal": [b"a\x16\x03\x16\x7f\x16\rb\r"],
    b"reprint": [b"ab\x12c\r"],
    b"eof": [b"text\x04\x04"],
    b"short": [b"abcdef\r"],
    b"exact": [b"abc\x04"],
    b"after": [b"next\r"],
    b"eol": [b"a;b\r"],
    b"utf8": ["ä€\x7f\x7fö\r".encode()],
    b"long": [b"0123456789" * 60 + b"\r"],
    b"other keys": [b"lost@abx#c\x7f\x17\r"],
    b"no echoe": [b"ab\x7fc\r"],
    b"no echoke": [b"lost\x15kept\r"],
    b"no echoctl": [b"a\x01b\r"],
    b"no echo": [b"hidden\r"],
    b"echonl": [b"hidden\r"],
    b"no iexten": [b"a b\x17\x16c\r"],
    b"no icrnl": [b"a\rb\n"],
    b"inlcr": [b"\n"],
    b"igncr": [b"a\r\rb\n"],
    b"istrip": [b"\xe1b\r"],
    b"one": [b"x"],
    b"three": [b"a", 0.3, b"bc"],
    b"two of two": [b"xy"],
    b"gap": [b"ab"],
    b"in time": [b"q"],
    b"poll": [b"pq"],
    b"half a line": [b"half"],
    b"flushed": [b"gone\r"],
    b"two lines": [b"one\rtwo\r"],
    b"interrupt": [b"typed", 0.5, b"\x03line\r"],
    b"quit": [b"\x1cline\r"],
    b"suspend": [b"\x1aline\r"],
    b"other interrupt": [b"xline\r"],
    b"no isig": [b"a\x03b\r"],
    b"noflsh": [b"kept", 0.5, b"\x03 it\r"],
    b"broken off": [b"\x03"],
    b"stop": [b"\x13", 0.5, b"\x11"],
    b"window": [(50, 132)],
}

# What is typed again and again, until this appears: a program that is not given the processor in between sees nothing of it.
UNTIL = {b"broken off": b"broken off?\r\n[-", b"stop": b"\ngoes on\r\n"}


def read_more(master):
    """What has come within a moment; None at the end."""
    if not select.select([master], [], [], 0.1)[0]:
        return b""
    try:
        return os.read(master, 65536) or None
    except OSError:
        return None


def type_in(master, part):
    if isinstance(part, float):
        time.sleep(part)
    elif isinstance(part, tuple):
        fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", *part, 0, 0))
    else:
        os.write(master, part)


def session(words, limit=150):
    pid, master = pty.fork()
    if pid == 0:
        while os.get_terminal_size(0).columns != 101:
            time.sleep(0.01)
        os.execvp(words[0], words)
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 31, 101, 0, 0))
    out, waiting, end = b"", dict(TYPED), time.monotonic() + limit
    while time.monotonic() < end:
        data = read_more(master)
        if data is None:
            break
        out += data
        for asked in [asked for asked in waiting if b"\n" + asked + b"?\r\n" in b"\n" + out]:
            if asked not in UNTIL or UNTIL[asked] in out:
                del waiting[asked]
            if asked not in UNTIL or asked in waiting and not data:
                for part in TYPED[asked]:
                    type_in(master, part)
    else:
        os.kill(pid, 9)
        out += b"\nTIME-OUT\n"
    return out, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def main():
    program = sys.argv[1]
    here = session([program])
    there = session(shlex.split(os.environ["RUN"]) + ["--direct", "--add", f"{program}:/tty", "--", "/tty"])
    if here != there or here[1] != 0 or b": NO" in here[0] or b"\ndone\r\n" not in here[0]:
        for name, (out, status) in (("here", here), ("guest", there)):
            print(f"---- {name}: status {status}")
            for line in out.split(b"\n"):
                print(repr(line)[2:-1])
        return 1
    print(len(here[0].splitlines()), "lines are the same")
    return 0


if __name__ == "__main__":
    sys.exit(main())
