# SPDX-License-Identifier: MIT
"""GDB commands for Primer: `source tools/gdb/primer.py`, with build/B/primer.elf as the program.

    ps               processes
    threads [PID]    threads, all or those of a process: state, priority, processor, where they are
    kstack THREAD    the kernel stack of a thread, by its id or by its address (0x...)
    lsmod            modules; adds their symbols
    dmesg [LINES]    the log's last lines
    waits            who holds and who waits for which lock, and a deadlock (debug builds)
    ktrace [COUNT]   the newest trace records (debug builds)
    bugcheck         stops at the next bug check

They read memory only; nothing runs in the guest, which may have stopped anywhere.
"""
import os
import struct

import gdb

FRAMES = 32
TOOLS = os.path.dirname(os.path.abspath(__file__))
MODULE_FOLDERS = []     # where else to look for NAME.sys


class Missing(Exception):
    """The kernel is not far enough, or memory cannot be read: said in one line."""


# ---- Memory and types --------------------------------------------------------------------------------------

def value(expression):
    try:
        return gdb.parse_and_eval(expression)
    except gdb.error as error:
        raise Missing(f"{expression}: {error}") from None


def static(name):
    """A variable, those that a file keeps to itself included."""
    symbol = gdb.lookup_global_symbol(name) or gdb.lookup_static_symbol(name)
    if symbol is None:
        raise Missing(f"no symbol {name}: is this primer.elf, with debug information?")
    return symbol.value()


def record(address, kind):
    """The structure of that type at an address."""
    return gdb.Value(int(address)).cast(gdb.lookup_type(kind).pointer()).dereference()


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


def entries(head, kind, member):
    """The records of a LIST_ENTRY list; a broken one ends."""
    offset = next(f.bitpos // 8 for f in gdb.lookup_type(kind).fields() if f.name == member)
    start, seen = int(head.address), set()
    at = int(head["Flink"])
    while at != start and at != 0 and at not in seen:
        seen.add(at)
        yield record(at - offset, kind)
        at = int(record(at, "struct _LIST_ENTRY")["Flink"])


def enumerator(names, number):
    """The compiler drops enumerations that no variable has: the names stand here, in the headers' order."""
    return names[int(number)] if int(number) < len(names) else str(int(number))


PROCESS_STATES = ("Created", "Starting", "Running", "Terminating", "Ending", "Ended")          # ps.h
THREAD_STATES = ("Initialized", "Ready", "Running", "Standby", "Terminated", "Waiting")        # ke.h
MODULE_STATES = ("Starting", "Loaded", "Unloading")                                            # ldr.h
TRACE_EVENTS = ("?", "switch", "ready", "fault", "call", "ipi", "exception", "process", "thread")  # kd.h


def place(address):
    """'KeSetEvent + 18'; the bare number when no symbol is there."""
    text = gdb.execute(f"info symbol {int(address):#x}", to_string=True).strip()
    return f"{int(address):#x}" if text.startswith("No symbol") else text.split(" in section")[0]


# ---- Objects: found through the table of client ids, which holds all processes and threads -----------------

def client_objects():
    """(id, type's name, address) of each."""
    table = static("ObpClientIds")
    if int(table) == 0:
        raise Missing("the object manager is not up yet")
    header_size = gdb.lookup_type("struct _OBJECT_HEADER").sizeof
    leaf_entries = gdb.lookup_type("struct _HANDLE_LEAF").fields()[0].type.range()[1] + 1
    middle_entries = gdb.lookup_type("struct _HANDLE_MIDDLE").fields()[0].type.range()[1] + 1
    for index in range(1, int(table["FirstUnused"]) // 4):
        leaf_number, entry = divmod(index, leaf_entries)
        top, middle = divmod(leaf_number, middle_entries)
        leaf = table["Middle"][top]["Leaf"][middle]
        value = int(leaf["Entry"][entry]["Value"])
        if value:
            address = value | 1 << 63       # clear while the entry is locked
            header = record(address - header_size, "struct _OBJECT_HEADER")
            yield index * 4, header["Type"]["Routines"]["Name"].string(), address


def processes():
    return [(i, record(a, "struct _EPROCESS")) for i, kind, a in client_objects() if kind == "Process"]


def threads():
    return [(i, record(a, "struct _ETHREAD")) for i, kind, a in client_objects() if kind == "Thread"]


def process_of(thread):
    return record(int(thread["Tcb"]["Process"]), "struct _EPROCESS")


def process_name(process):
    name = unicode_string(process["ImageFileName"])
    return name or c_string(process["SubsystemName"])


# ---- Where threads are -------------------------------------------------------------------------------------

def running_registers(processor):
    """(rip, rbp) of a processor: GDB's threads of the remote machine are its processors, counted from 1."""
    before = gdb.selected_thread()
    for thread in gdb.selected_inferior().threads():
        if thread.num == processor + 1:
            try:
                thread.switch()
                return tuple(int(gdb.parse_and_eval(f"(unsigned long)${name}")) for name in ("rip", "rbp"))
            finally:
                before.switch()
    raise Missing(f"GDB does not show processor {processor}")


def saved_registers(thread):
    frame = record(int(thread["Arch"]["KernelRsp"]), "ARCH_SWITCH_FRAME")
    return int(frame["Rip"]), int(frame["Rbp"])


def is_running(thread):
    for number in range(int(static("KeNumberProcessors"))):
        prcb = static("KiProcessorBlock")[number]
        if int(prcb) and int(prcb["CurrentThread"]) == int(thread.address):
            return number
    return None


def registers(thread):
    processor = is_running(thread)
    return running_registers(processor) if processor is not None else saved_registers(thread)


def walk(rip, rbp):
    """Return addresses by frame pointers, kernel addresses only, upwards only."""
    for _ in range(FRAMES):
        if rip == 0:
            return
        yield rip
        if rbp < 1 << 63 or rbp % 8:
            return
        try:
            following, rip = words(rbp, 2)
        except Missing:
            return
        if following and following <= rbp:
            if rip:
                yield rip
            return
        rbp = following


# What a waiting thread stands in is always the scheduler; who called it tells more.
INSIDE = ("ArchSwapContext", "KiSwap", "KiBlock", "KiReschedule", "KiDrain", "KiWait", "KeWait",
          "KiSoftInterrupt")


def whereabouts(thread):
    try:
        stack = [place(address) for address in walk(*registers(thread))]
    except Missing as missing:
        return str(missing)
    return next((p for p in stack if not p.startswith(INSIDE)), stack[0] if stack else "?")


def find_thread(text):
    """An id in decimal, or an address."""
    try:
        number = int(text, 0)
    except ValueError:
        number = int(value(text))
    if number >= 1 << 63:
        return record(number, "struct _KTHREAD")
    for identity, thread in threads():
        if identity == number:
            return thread["Tcb"]
    raise Missing(f"no thread has the id {number}")


# ---- Modules -----------------------------------------------------------------------------------------------

SHF_WRITE, SHF_ALLOC, SHF_EXECINSTR, SHT_NOBITS = 1, 2, 4, 8


def placed_sections(path):
    """{name: offset} as kernel/ldr/elfmodule.c lays a module out: text, read-only, data, zeroed data; all but
    the last from a page boundary on."""
    with open(path, "rb") as file:
        data = file.read()
    table, = struct.unpack_from("<Q", data, 0x28)
    count, names_index = struct.unpack_from("<HH", data, 0x3c)
    sections = [struct.unpack_from("<IIQQQQIIQQ", data, table + 64 * i) for i in range(count)]
    names = sections[names_index][4]

    def group(section):
        _, kind, flags = section[:3]
        if not flags & SHF_ALLOC:
            return None
        if flags & SHF_EXECINSTR:
            return 0
        if not flags & SHF_WRITE:
            return 1
        return 3 if kind == SHT_NOBITS else 2

    offsets, at = {}, 0
    for number in range(4):
        if number != 3:
            at = -(-at // 4096) * 4096
        for section in sections:
            if group(section) == number:
                alignment = section[8] or 1
                at = -(-at // alignment) * alignment
                start = names + section[0]
                offsets.setdefault(data[start:data.index(b"\0", start)].decode(), at)
                at += section[5]
    return offsets


def module_file(name):
    folders = list(MODULE_FOLDERS)
    program = gdb.current_progspace().filename
    if program:
        folders.append(os.path.join(os.path.dirname(os.path.realpath(program)), "modules"))
    for folder in folders:
        path = os.path.join(folder, name + ".sys")
        if os.path.isfile(path):
            return path
    return None


def add_module_symbols(name, base):
    """One line about what came of it."""
    path = module_file(name)
    if path is None:
        return "no file: symbols not added"
    sections = placed_sections(path)
    text = base + sections.pop(".text", 0)
    rest = " ".join(f"-s {section} {base + offset:#x}" for section, offset in sections.items()
                    if section.startswith((".text", ".rodata", ".data", ".bss")))
    try:
        gdb.execute(f"remove-symbol-file -a {text:#x}", to_string=True)
    except gdb.error:
        pass            # it was not there
    gdb.execute(f"add-symbol-file {path} {text:#x} {rest}", to_string=True)
    return os.path.relpath(path)


# ---- Commands ----------------------------------------------------------------------------------------------

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


def command(name):
    def define(function):
        Command(name, function, function.__doc__)
        return function
    return define


@command("ps")
def _ps(_):
    """Processes: id, parent, state, threads, handles' table, subsystem, program."""
    print(f"{'PID':>6} {'PARENT':>6} {'STATE':<12} {'THREADS':>7} {'SUBSYSTEM':<10} {'EPROCESS':<18} PROGRAM")
    for identity, process in processes():
        state = enumerator(PROCESS_STATES, process["State"])
        print(f"{identity:>6} {int(process['InheritedFromUniqueProcessId']):>6} {state:<12} "
              f"{int(process['ActiveThreads']):>7} {c_string(process['SubsystemName']):<10} "
              f"{int(process.address):#018x} {process_name(process)}")


@command("threads")
def _threads(arguments):
    """Threads, or those of the process with the id given: state, priority, processor, wait reason, where."""
    wanted = int(arguments[0], 0) if arguments else None
    print(f"{'TID':>6} {'PID':>6} {'STATE':<11} {'PRIO':>4} {'CPU':>3} {'KTHREAD':<18} WHERE")
    for identity, thread in threads():
        owner = int(process_of(thread)["UniqueProcessId"])
        if wanted is not None and owner != wanted:
            continue
        tcb = thread["Tcb"]
        state = enumerator(THREAD_STATES, tcb["State"])
        print(f"{identity:>6} {owner:>6} {state:<11} {int(tcb['Priority']):>4} {int(tcb['Processor']):>3} "
              f"{int(tcb.address):#018x} {whereabouts(tcb)}")


@command("kstack")
def _kstack(arguments):
    """kstack THREAD: the kernel stack of a thread, given by its id or its address."""
    if len(arguments) != 1:
        raise Missing("kstack THREAD: an id, or the address of a KTHREAD")
    thread = find_thread(arguments[0])
    processor = is_running(thread)
    state = enumerator(THREAD_STATES, thread["State"])
    where = f" on processor {processor}" if processor is not None else ""
    print(f"thread {int(thread.address):#x}, {state}{where}")
    for number, address in enumerate(walk(*registers(thread))):
        print(f"  #{number:<2} {address:#018x} {place(address)}")


@command("lsmod")
def _lsmod(_):
    """Kernel modules; their symbols are added."""
    head = static("LdrpModules")
    if int(head["Flink"]) == 0:
        raise Missing("the loader is not up yet")
    print(f"{'NAME':<16} {'BASE':<18} {'SIZE':>8} {'STATE':<10} SYMBOLS")
    for module in entries(head, "struct _LDR_MODULE", "Links"):
        name = c_string(module["Name"])
        state = enumerator(MODULE_STATES, module["State"])
        print(f"{name:<16} {int(module['Image']['Base']):#018x} {int(module['Image']['Size']):>8} {state:<10} "
              f"{add_module_symbols(name, int(module['Image']['Base']))}")


@command("dmesg")
def _dmesg(arguments):
    """The last lines of the log (40, or as many as given)."""
    ring = static("KdpLogRing")
    size = ring["Text"].type.sizeof
    following = int(ring["Next"])
    data = read(ring["Text"].address, size)
    start = following % size
    text = data[:following] if following <= size else data[start:] + data[:start]
    lines = text.decode(errors="replace").splitlines()
    print("\n".join(lines[-(int(arguments[0], 0) if arguments else 40):]))


# ---- Locks: the lists of kernel/kd/locks.h -----------------------------------------------------------------

LOCK_SHARED, LOCK_WAITING = 1, 2     # KD_LOCK.Flags


class Held:
    """An entry of a list: a lock that the list's owner holds or waits for."""

    def __init__(self, entry):
        self.lock = int(entry["Lock"])
        self.waiting = bool(int(entry["Flags"]) & LOCK_WAITING)
        self.shared = ", shared" if int(entry["Flags"]) & LOCK_SHARED else ""
        self.kind = entry["Class"]["Name"].string()
        self.places = [int(entry["Place"][i]) for i in range(entry["Place"].type.range()[1] + 1)]

    def __str__(self):
        where = " < ".join(place(address - 1) for address in self.places if address)
        return f"{self.kind} {place(self.lock)}{self.shared}, from {where}"


def lock_lists():
    """{owner in words: its entries}, of those who hold or wait for anything."""
    try:
        head = static("KdpLists")
    except Missing:
        raise Missing("nothing is known about locks: that is in debug builds only") from None
    ids = {int(thread["Tcb"].address): f" (id {identity})" for identity, thread in threads()}
    found = {}
    for chain in entries(head, "struct _KD_LOCK_LIST", "Links"):
        owner = int(chain["Owner"])
        name = f"thread {owner:#x}{ids.get(owner, '')}" if owner else f"processor {int(chain['Processor'])}"
        held = [chain["Entry"][i] for i in range(int(chain["Count"]))]
        held = [Held(entry) for entry in held if int(entry["Lock"])]
        if held:
            found[name] = held
    return found


def lock_circle(lists):
    """Owners each of whom waits for what the next one holds; empty when there is no such circle."""
    def holders(owner):
        wanted = {held.lock for held in lists[owner] if held.waiting}
        return [name for name, entries_of in lists.items()
                if any(not held.waiting and held.lock in wanted for held in entries_of)]

    def follow(path):
        for name in holders(path[-1]):
            if name == path[0]:
                return path
            if name not in path:
                circle = follow(path + [name])
                if circle:
                    return circle
        return []

    return next((circle for circle in (follow([name]) for name in lists) if circle), [])


@command("waits")
def _waits(_):
    """Who holds and who waits for which lock, each with the stack of its acquisition; then a circle, if there is one."""
    lists = lock_lists()
    for name, held in lists.items():
        print(name)
        for entry in held:
            print(f"  {'waits for' if entry.waiting else 'holds'} {entry}")
    circle = lock_circle(lists)
    for number, name in enumerate(circle):
        wanted = next(held for held in lists[name] if held.waiting)
        print(f"{'deadlock: ' if number == 0 else '  and '}{name} waits for {place(wanted.lock)}, held by "
              f"{circle[(number + 1) % len(circle)]}")


@command("ktrace")
def _ktrace(arguments):
    """The newest trace records of all processors (20, or as many as given)."""
    try:
        rings = static("KdpTrace")
    except Missing:
        raise Missing("no trace: it is in debug builds only") from None
    found = []
    for processor in range(int(static("KeNumberProcessors"))):
        ring = rings[processor]
        count = ring["Record"].type.range()[1] + 1
        for number in range(max(0, int(ring["Next"]) - count), int(ring["Next"])):
            entry = ring["Record"][number % count]
            cycles, event, a, b = (int(entry[field]) for field in ("Cycles", "Event", "A", "B"))
            found.append((cycles, processor, event, a, b))
    shown = int(arguments[0], 0) if arguments else 20
    for cycles, processor, event, a, b in sorted(found, reverse=True)[:shown]:
        name = enumerator(TRACE_EVENTS, event)
        print(f"{cycles:>20} {processor:>2} {name:<11} {a:#x} {b:#x}")


@command("bugcheck")
def _bugcheck(_):
    """Stops at the next bug check, before the other processors are frozen; says when there has been one."""
    owner = int(static("KdpOwner"))
    if owner != 0xffffffff:
        print(f"processor {owner} is in a bug check; `dmesg` shows its report")
        return
    for name in ("KdBugCheck", "KdReportHang"):
        if not any((b.location or "") == name for b in gdb.breakpoints() or ()):
            gdb.execute(f"hbreak {name}")
