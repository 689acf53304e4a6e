# SPDX-License-Identifier: MIT
"""GDB commands for Primer: `source tools/gdb/primer.py`, with build/B/primer.elf as the program; tools/debug does that.

`help primer` lists them. They read memory only; nothing runs in the guest, which may have stopped anywhere.
"""
import os
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]

from kd import base, bugcheck, debug, locks, machine, modules, objects, printers, replay, stacks   # noqa: E402,F401

base.document()
