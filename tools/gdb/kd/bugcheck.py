# SPDX-License-Identifier: MIT
"""`bugcheck`: the last bug check or hang in words, by tools/crash.py; and the stop at the next one."""
import crash
import gdb

from .base import command, find_static, static
from .machine import log_lines
from .stacks import OnProcessor, print_frames

NOBODY = 0xffffffff


class Stop(gdb.Breakpoint):
    """Where the report has been written and the others stand still; the next instruction would end the machine."""

    def stop(self):
        if int(static("KdpOwner")) == NOBODY:
            return False        # the machine is switched off in another way
        print("The kernel has stopped with a report: `bugcheck` explains it, `dmesg` shows it.")
        return True


def stop_at_reports():
    Stop("ArchDebugExit", internal=True)


def variable(function, name):
    """A static variable inside of a function."""
    try:
        return gdb.parse_and_eval(f"{function}::{name}")
    except gdb.error:
        return None


def from_memory():
    """What the kernel keeps of it: enough, should the log's ring have lost the beginning."""
    kept, report = static("KdpReport"), crash.Report()
    report.code, report.parameters = int(kept["Code"]), tuple(int(kept["P"][i]) for i in range(4))
    report.name = static_name(report.code)
    if int(kept["Hang"]):
        report.hang = f"processor {report.parameters[0]}: {kept['Hang'].string()}"
    message = variable("KdBugCheck", "Message")
    report.sentence = message.string() if message is not None else ""
    found = crash.parse(log_lines())
    report.registers = found.registers if found else {}
    report.processors = found.processors if found else []
    return report


def static_name(code):
    """KeBugCheckEx takes a number; the names are an enumeration of kd.h."""
    found = crash.parse(log_lines())
    return found.name if found and found.code == code else ""


@command("bugcheck")
def _bugcheck(_):
    """The last bug check or hang: what it means, where it was found, how to go on. Before there is one: it stops at the next.
    $p1 to $p4 are its parameters."""
    owner = find_static("KdpOwner")
    if owner is None or int(owner) == NOBODY:
        print("no bug check and no hang; the machine stops when there is one")
        return
    report = from_memory()
    title = f"hang ({report.code:X}h), {report.hang}" if report.hang else f"bug check {report.code:X}h {report.name}".rstrip()
    print(title, *([report.sentence] if report.sentence else []), *crash.explanation(report), sep="\n")
    for number, value in enumerate(report.parameters, 1):
        gdb.set_convenience_variable(f"p{number}", value)
    print(f"found by processor {int(owner)}:")
    with OnProcessor(int(owner)):
        frame = gdb.newest_frame()
        while frame and frame.find_sal().symtab and crash.short_path(frame.find_sal().symtab.filename).startswith(crash.REPORTER) \
                or frame and frame.name() == "ArchDebugExit":
            frame = frame.older()
        print_frames(frame)
    print(f"to go on: `{crash.next_command(report)}`, `locks`, `trace`")
