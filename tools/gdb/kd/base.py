# SPDX-License-Identifier: MIT
"""What all commands share: memory and types of the stopped kernel, names of addresses, the form of a command."""
import os
import struct
import time

import gdb


class Missing(Exception):
    """The kernel is not far enough, or memory cannot be read: said in one line."""


# ---- Memory and types ----------------------------------------------------------------------------------------------

KERNEL_HALF = 1 << 63


def value(expression):
    try:
        return gdb.parse_and_eval(expression)
    except gdb.error as error:
        raise Missing(f"{expression}: {error}") from None


def find_static(name):
    """A variable, those that a file keeps to itself included; None: this build has none."""
    symbol = gdb.lookup_global_symbol(name) or gdb.lookup_static_symbol(name)
    return None if symbol is None else symbol.value()


def static(name):
    found = find_static(name)
    if found is None:
        raise Missing(f"no symbol {name}: is this primer.elf, with debug information, and the right build?")
    return found


TYPES = {}


def type_of(kind):
    if kind not in TYPES:
        TYPES[kind] = gdb.lookup_type(kind)
    return TYPES[kind]


def record(address, kind):
    """The structure of that type at an address."""
    return gdb.Value(int(address)).cast(type_of(kind).pointer()).dereference()


def offset_of(kind, member):
    return next(f.bitpos // 8 for f in type_of(kind).fields() if f.name == member)


def containing(address, kind, member):
    return record(int(address) - offset_of(kind, member), kind)


def read(address, size):
    try:
        return bytes(gdb.selected_inferior().read_memory(int(address), size))
    except gdb.MemoryError:
        raise Missing(f"cannot read {int(address):#x}") from None


def words(address, count):
    return struct.unpack(f"<{count}Q", read(address, 8 * count))


def unicode_string(string):
    size = int(string["Length"])
    return read(string["Buffer"], size).decode("utf-16-le", "replace") if size else ""


def c_string(array):
    return array.string(errors="replace")


def tag_text(tag):
    """A pool tag as it was written: its first character lies in its lowest byte."""
    return bytes(b if 32 <= b < 127 else 46 for b in int(tag).to_bytes(4, "little")).decode()


def entries(head, kind, member):
    """The records of a LIST_ENTRY list; a broken one ends."""
    start, seen = int(head.address), set()
    at = int(head["Flink"])
    while at != start and at != 0 and at not in seen:
        seen.add(at)
        yield containing(at, kind, member)
        at = words(at, 1)[0]


def enumerator(names, number):
    """The compiler drops enumerations that no variable has: the names stand here, in the headers' order."""
    return names[int(number)] if 0 <= int(number) < len(names) else str(int(number))


PLACES = {}


def forget(*_):
    """The program's symbols have changed."""
    PLACES.clear()


gdb.events.new_objfile.connect(forget)


def place(address):
    """'KeSetEvent + 18'; the bare number when no symbol is there."""
    address = int(address)
    if address not in PLACES:
        text = gdb.execute(f"info symbol {address:#x}", to_string=True).strip()
        PLACES[address] = f"{address:#x}" if text.startswith("No symbol") else text.split(" in section")[0]
    return PLACES[address]


def source(address):
    """'sync/event.c:120', or nothing."""
    line = gdb.find_pc_line(address)
    return f"{line.symtab.filename}:{line.line}" if line.symtab and line.line else ""


def processors():
    """The control blocks of the processors that are there."""
    blocks, found = static("KiProcessorBlock"), []
    for number in range(max(1, int(static("KeNumberProcessors")))):
        if int(blocks[number]):
            found.append(blocks[number].dereference())
    return found


# ---- Commands ------------------------------------------------------------------------------------------------------

class Command(gdb.Command):
    """A command whose problems are one line, never a Python exception."""

    def __init__(self, name, run, documentation):
        self.__doc__ = documentation
        self.run = run
        super().__init__(name, gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        try:
            self.run(gdb.string_to_argv(argument))
        except Missing as missing:
            raise gdb.GdbError(str(missing)) from None
        except gdb.error as error:
            raise gdb.GdbError(f"{error} (has the kernel started?)") from None


COMMANDS = {}       # name: the first line of its documentation


def command(name):
    def define(function):
        COMMANDS[name] = function.__doc__.strip().splitlines()[0]
        Command(name, function, function.__doc__)
        return function
    return define


def number_of(text):
    """An address or number: a plain one, or an expression."""
    try:
        return int(text, 0)
    except ValueError:
        return int(value(text)) & ((1 << 64) - 1)


def connect(line):
    """To QEMU's stub, which binds its socket a moment before it listens."""
    while True:
        try:
            return gdb.execute(f"target remote {line}", to_string=True)
        except gdb.error as error:
            if "Connection refused" not in str(error) or not os.path.exists(line):
                raise
            time.sleep(0.05)


class Help(gdb.Command):
    """primer: lists the commands for Primer; `help NAME` says more of each."""

    def __init__(self):
        super().__init__("primer", gdb.COMMAND_USER)

    def invoke(self, argument, from_tty):
        print(list_of_commands())


def list_of_commands():
    return "\n".join(f"{name:<13} {words}" for name, words in sorted(COMMANDS.items()))


def document():
    """When all commands are known: `help primer` lists them."""
    Help.__doc__ = "Commands for Primer (`help NAME` says more):\n\n" + list_of_commands()
    Help()
