# SPDX-License-Identifier: MIT
"""How values look in GDB: lists, strings, status codes, dispatcher objects."""
import os
import re

import gdb

from .base import Missing, enumerator, place, read, words
from .objects import DISPATCHER_TYPES

STATUS_HEADER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../include/ntstatus.h")
STATUS_NAMES = {}
LONGEST_LIST = 1000


def status_names():
    if not STATUS_NAMES:
        try:
            with open(STATUS_HEADER) as header:
                for name, number in re.findall(r"^#define (STATUS_\w+)\s+\(\(NTSTATUS\)(0x[0-9A-Fa-f]+)", header.read(), re.M):
                    STATUS_NAMES.setdefault(int(number, 16), name)
        except OSError:
            pass
    return STATUS_NAMES


class Status:
    def __init__(self, value):
        self.number = int(value) & 0xffffffff

    def to_string(self):
        return f"{self.number:#010x} {status_names().get(self.number, '')}".rstrip()


class String:
    """UNICODE_STRING, ANSI_STRING: the text, not the buffer's address."""

    def __init__(self, value, encoding):
        self.value, self.encoding = value, encoding

    def to_string(self):
        size = int(self.value["Length"])
        try:
            text = read(self.value["Buffer"], size).decode(self.encoding, "replace") if size else ""
        except Missing as missing:
            return f"<{missing}>"
        return f'"{text}" ({size} of {int(self.value["MaximumLength"])} bytes)'


class List:
    """LIST_ENTRY: how long the list is, or where it is broken."""

    def __init__(self, value):
        self.value = value

    def to_string(self):
        seen = 0
        try:
            at = int(self.value["Flink"])
            if at == 0:
                return "not initialised" if int(self.value["Blink"]) == 0 else "taken off"
            head = int(self.value.address or words(at, 2)[1])       # GDB's own copy has no address
            before = head
            while at != head and seen < LONGEST_LIST:
                following, back = words(at, 2)
                if back != before:
                    return f"broken: the entry {at:#x} points back to {back:#x}, not to {before:#x}"
                before, at, seen = at, following, seen + 1
        except Missing as missing:
            return f"broken after {seen} entries: {missing}"
        if seen == 0:
            return "empty"
        return f"{seen}{' or more' if seen == LONGEST_LIST else ''} entries, {int(self.value['Flink']):#x} to {int(self.value['Blink']):#x}"


class Object:
    """DISPATCHER_HEADER, and what begins with one."""

    def __init__(self, value):
        self.header = value if value.type.strip_typedefs().name in ("_DISPATCHER_HEADER", "DISPATCHER_HEADER") else value["Header"]
        self.value = value

    def to_string(self):
        state = int(self.header["SignalState"])
        kind = enumerator(DISPATCHER_TYPES, self.header["Type"])
        words_of = f"{kind}, {'signalled' if state > 0 else 'not signalled'} ({state})"
        if kind == "mutex":
            owner = int(self.value["OwnerThread"]) if any(f.name == "OwnerThread" for f in self.value.type.fields()) else 0
            words_of = f"mutex, {'owned by ' + hex(owner) if owner else 'free'} ({state})"
        return f"{words_of}, waiters: {List(self.header['WaitListHead']).to_string()}"


class Routine:
    """A timer: when, and what it does then."""

    def __init__(self, value):
        self.value = value

    def to_string(self):
        timer = self.value
        dpc = f", DPC {place(timer['Dpc']['DeferredRoutine'])}" if int(timer["Dpc"]) else ""
        when = f"set for {int(timer['DueTime']['QuadPart']) / 1e7:.4f} s" if int(timer["Header"]["Inserted"]) else "not set"
        return f"{Object(timer).to_string()}, {when}{dpc}"


BY_NAME = {"NTSTATUS": Status, "UNICODE_STRING": lambda v: String(v, "utf-16-le"), "ANSI_STRING": lambda v: String(v, "utf-8"),
           "STRING": lambda v: String(v, "utf-8"), "LIST_ENTRY": List, "DISPATCHER_HEADER": Object, "KEVENT": Object,
           "KSEMAPHORE": Object, "KMUTANT": Object, "KTIMER": Routine}


def look_up(value):
    """By the typedef's name, or the structure's without its underscore."""
    for name in (value.type.name, value.type.strip_typedefs().name):
        name = (name or "").removeprefix("const ").removeprefix("volatile ").removeprefix("struct ").lstrip("_")
        if name in BY_NAME:
            return BY_NAME[name](value)
    return None


gdb.pretty_printers.append(look_up)
