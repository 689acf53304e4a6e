# SPDX-License-Identifier: MIT
"""Modules: their symbols follow them as they come and go, without a command; `lsmod`."""
import os

import crash
import gdb

from .base import Missing, c_string, command, entries, enumerator, forget, record, static

FILES = {}          # name: its .sys, for modules that do not lie beside the kernel
MODULE_STATES = ("Starting", "Loaded", "Unloading")                                            # ldr.h


def module_file(name):
    if name in FILES:
        return FILES[name]
    program = gdb.current_progspace().filename
    path = os.path.join(os.path.dirname(os.path.realpath(program)), "modules", name + ".sys") if program else ""
    return path if os.path.isfile(path) else None


PLACED = {}         # name: (file, its time, address of its text)


def add(name, base):
    """Its symbols, if they are not there yet: one line about what came of it."""
    path = module_file(name)
    if path is None:
        return "no file: symbols not added"
    sections = {section: offset for section, (offset, _) in crash.placed_sections(path).items()}
    text = base + sections.pop(".text", 0)
    known = (path, os.path.getmtime(path), text)
    if PLACED.get(name) != known:
        remove(name)
        rest = " ".join(f"-s {section} {base + offset:#x}" for section, offset in sections.items())
        gdb.execute(f"add-symbol-file {path} {text:#x} {rest}", to_string=True)
        PLACED[name] = known
    return os.path.relpath(path)


def remove(name):
    if name in PLACED:
        try:
            gdb.execute(f"remove-symbol-file -a {PLACED.pop(name)[2]:#x}", to_string=True)
        except gdb.error:
            pass
        forget()


def loaded():
    """LDR_MODULE records, in the order of loading."""
    head = static("LdrpModules")
    if int(head["Flink"]) == 0:
        raise Missing("the loader is not up yet")
    return list(entries(head, "struct _LDR_MODULE", "Links"))


def follow_loaded():
    """After attaching: all that are there."""
    try:
        found = loaded()
    except (Missing, gdb.error):
        return
    for module in found:
        came(c_string(module["Name"]), int(module["Image"]["Base"]))


def came(name, base):
    add(name, base)
    if not MINE or name in MINE:
        stop_in(name)


# ---- Stops in modules that are not there yet -----------------------------------------------------------------------

MINE = set()        # the modules that were named by --module
ENTRY = "DriverEntry"
STOPS_AT_ENTRY, STOPPED_IN = [], set()


def stop_in(name):
    """`--break DriverEntry`: every module has one, so it is named together with its file."""
    if not STOPS_AT_ENTRY or name not in PLACED or name in STOPPED_IN:
        return
    STOPPED_IN.add(name)        # the stop stays when the module goes, and finds it again
    for objfile in gdb.objfiles():
        if objfile.filename and os.path.realpath(objfile.filename) == os.path.realpath(PLACED[name][0]):
            symbol = objfile.lookup_global_symbol(ENTRY)
            if symbol:
                gdb.Breakpoint(f"-source {symbol.symtab.filename} -function {ENTRY}")


class Comes(gdb.Breakpoint):
    """Just before a module's first instruction: its text lies where it will stay."""

    def stop(self):
        symbols = record(int(gdb.parse_and_eval("(unsigned long)$rdi")), "KD_SYMBOLS")
        came(c_string(symbols["Module"]), int(symbols["Base"]))
        return False


class Goes(gdb.Breakpoint):
    def stop(self):
        symbols = record(int(gdb.parse_and_eval("(unsigned long)$rdi")), "KD_SYMBOLS")
        remove(c_string(symbols["Module"]))
        return False


def follow():
    Comes("*KdAddSymbols", internal=True)
    Goes("*KdRemoveSymbols", internal=True)


@command("lsmod")
def _lsmod(_):
    """Kernel modules, and the files that their symbols are from."""
    print(f"{'NAME':<16} {'BASE':<18} {'SIZE':>8} {'STATE':<10} SYMBOLS")
    for module in loaded():
        name, base = c_string(module["Name"]), int(module["Image"]["Base"])
        state = enumerator(MODULE_STATES, module["State"])
        print(f"{name:<16} {base:#018x} {int(module['Image']['Size']):>8} {state:<10} {add(name, base)}")
