# SPDX-License-Identifier: MIT
"""Every command of tools/gdb, on the machine as it stands: each says something, and none fails. Those that need a recorded run have
cases of their own."""
import re

import gdb
from kd import base, objects

NEEDS_A_RECORD = {"last-stop", "last-write", "replay-start"}


def arguments():
    """name: the calls to try, with what they are given here."""
    process = next(process for number, process in objects.processes() if number == 4)
    body = hex(int(process.address))
    thread = next(number for number, thread in objects.threads() if thread["Tcb"]["State"] == objects.THREAD_STATES.index("Waiting"))
    return {"handles": ["4"], "object": [body], "kstack": [str(thread)], "thread-stack": [str(thread)], "use-thread": [str(thread)],
            "threads": ["", "4"], "vm": ["0xffff800000100000"], "pool": ["", hex(int(process.address))], "trace": ["4"], "dmesg": ["4"]}


known, count = arguments(), 0
for name in sorted(set(base.COMMANDS) - NEEDS_A_RECORD):
    for words in known.get(name, [""]):
        said = gdb.execute(f"{name} {words}", to_string=True)
        print(f"every: {name} {words}: " + ("nothing" if not said.strip() else f"{len(said.splitlines())} lines"))
        count += 1
gdb.execute("use-thread")
print(f"every: {count} calls of {len(set(base.COMMANDS) - NEEDS_A_RECORD)} commands")
