# SPDX-License-Identifier: MIT
"""The trace, as tools/run takes it out of a machine and tools/trace reads it: docs/tracing.md.

The machine's memory is a file that this side maps, too. The kernel writes its records into rings there and knows nothing of a
reader: so a trace costs the guest no device, and is there however the machine ends. Whatever is read here may change at any
moment: each count is read before and after what it counts.
"""
import bisect
import fcntl
import json
import mmap
import os
import re
import struct
import subprocess

TOOLS = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(TOOLS)
MAGIC = b"PRIMER-TRACE 1\n"
RECORD = struct.Struct("<QIIQQ")        # cycles, event, number, A, B
DIRECT_MAP, DIRECT_END, KERNEL_BASE, PAGE = 0xffff800000000000, 0xffffa00000000000, 0xffffffff80000000, 4096
MAXIMUM_PROCESSORS, RING_SIZE = 64, 64  # of KdpTrace (kernel/kd/trace.c)
COUNTER_KINDS = 8                       # of the compiler's tables (GCC 12)
RAM_HOLE, RAM_BELOW = 0xe0000000, 0xc0000000        # QEMU's pc: with more memory, what is above the second moves up to 4 GiB


def table(name):
    """The rows of an X table of include/kdtrace.h, as lists of words."""
    with open(os.path.join(ROOT, "include/kdtrace.h")) as header:
        text = header.read()
    body = re.search(rf"#define {name}\(X\)(.*?)\n\n", text, re.S)[1]
    return [re.findall(r"\w+", row) for row in re.findall(r"^ +X\(([^)]*)\)", body, re.M)]


CLASSES = [row[1] for row in table("KD_TRACE_CLASSES")]
EVENTS = [row[0] for row in table("KD_TRACE_EVENTS")]


def class_bits(names):
    """The kernel's option trace. "all" is all but samples for a profile, which take the processors' time."""
    for name in names:
        if name not in ("all", "none", *CLASSES):
            raise ValueError(f"there is no class '{name}' of trace records: {' '.join(CLASSES)}, all, none")
    return sum(1 << bit for bit, name in enumerate(CLASSES) if name in names or "all" in names and name != "profile")


def symbols_of(elf):
    """Sorted (address, name) of an ELF file's functions, where it runs at the addresses that it is linked at; else none."""
    with open(elf, "rb") as file:
        start = file.read(18)
    if start[:4] != b"\x7fELF" or start[16] != 2:     # ET_EXEC
        return []
    lines = subprocess.run(["nm", elf], capture_output=True, text=True, check=False).stdout.splitlines()
    return sorted((int(words[0], 16), words[2]) for words in map(str.split, lines) if len(words) == 3 and words[1] in "TtWw")


class Memory:
    """The guest's, by its kernel's virtual addresses."""

    def __init__(self, descriptor, size, elf):
        self.map = mmap.mmap(descriptor, size, prot=mmap.PROT_READ)
        self.below = RAM_BELOW if size >= RAM_HOLE else size
        lines = subprocess.run(["nm", elf], check=True, capture_output=True, text=True).stdout.splitlines()
        self.symbols = {words[2]: int(words[0], 16) for words in map(str.split, lines) if len(words) == 3}

    def physical(self, address, size):
        at = address if address < self.below else address - (4 << 30) + self.below
        if not 0 <= at <= len(self.map) - size:
            raise ValueError(f"no memory at {address:#x}")
        return self.map[at:at + size]

    def translate(self, address):
        if KERNEL_BASE <= address < self.symbols["__kernel_end"]:
            return address - KERNEL_BASE
        if DIRECT_MAP <= address < DIRECT_END:
            return address - DIRECT_MAP
        entry, = struct.unpack("<Q", self.read(self.symbols["KiKernelSpace"], 8))
        for level in (39, 30, 21, 12):
            at = (entry & 0x000ffffffffff000) + (address >> level & 511) * 8
            entry, = struct.unpack("<Q", self.physical(at, 8))
            if not entry & 1:
                raise ValueError(f"{address:#x} is not mapped")
            if level != 12 and entry & 0x80:
                return (entry & 0x000ffffffffff000 & -(1 << level)) + (address & ((1 << level) - 1))
        return (entry & 0x000ffffffffff000) + (address & (PAGE - 1))

    def read(self, address, size):
        parts = []
        while size > 0:
            part = min(size, PAGE - address % PAGE)
            parts.append(self.physical(self.translate(address), part))
            address, size = address + part, size - part
        return b"".join(parts)

    def word(self, address):
        return struct.unpack("<Q", self.read(address, 8))[0]

    def text(self, address, limit=64):
        return self.read(address, limit).split(b"\0")[0].decode(errors="replace")


class Ring:
    """A processor's: what has been read of it so far."""

    def __init__(self, memory, mask, address):
        self.memory, self.address, self.size = memory, address, mask + 1
        self.seen, self.lost, self.parts = 0, 0, []

    def copy(self, first, last):
        """Records first to last, of all that were ever written."""
        data = []
        while first < last:
            stop = min(last, first - first % self.size + self.size)
            data.append(self.memory.read(self.address + first % self.size * RECORD.size, (stop - first) * RECORD.size))
            first = stop
        return b"".join(data)

    def follow(self, read_next):
        end = read_next()
        start = max(self.seen, end - self.size)
        data = self.copy(start, end)
        # Written over meanwhile; the record behind the last one may just be written over the oldest.
        valid = max(start, min(end, read_next() + 1 - self.size))
        self.lost += valid - self.seen
        self.seen = end
        self.parts.append(data[(valid - start) * RECORD.size:])


def merge_counters(path, found):
    """Runs end side by side: the file is theirs one after the other."""
    with open(path, "a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        known = json.loads(file.read() or "{}")
        for name, (version, stamp, checksum, functions) in found.items():
            before = known.setdefault(name, [version, stamp, checksum, {}])[3]
            for ident, (lines, graph, counts) in functions.items():
                old = before.get(str(ident), [lines, graph, [0] * len(counts)])[2]
                before[str(ident)] = [lines, graph, [one + two for one, two in zip(old, counts)]]
        file.truncate(0)
        file.write(json.dumps(known))


class Recorder:
    """Follows the rings of a machine that runs."""

    def __init__(self, descriptor, size, elf):
        self.memory, self.elf = Memory(descriptor, size, elf), elf
        self.rings, self.modules, self.known, self.last = {}, {}, None, None

    def follow(self):
        """Now and then, and when the machine stands still."""
        try:
            for number in range(MAXIMUM_PROCESSORS):
                at = self.memory.symbols["KdpTrace"] + number * RING_SIZE
                _, mask, address = struct.unpack("<QQQ", self.memory.read(at, 24))
                if address == 0:
                    break
                if number not in self.rings:
                    self.rings[number] = Ring(self.memory, mask, address)
                self.rings[number].follow(lambda at=at: self.memory.word(at))
            self.follow_modules()
        except (ValueError, struct.error):
            pass        # the kernel is on its way to change what has just been read: the next time will do

    def follow_modules(self):
        """Modules come and go, and their symbols with them."""
        at = head = self.memory.word(self.memory.symbols["KdpSymbols"])
        if head == self.known:
            return
        while at:
            following, module, base, start, end, count, symbols, names = struct.unpack("<8Q", self.memory.read(at, 64))
            if module and (name := self.memory.text(module)) and (base, name) not in self.modules:
                table = struct.iter_unpack("<II", self.memory.read(symbols, (count & 0xffffffff) * 8))
                self.modules[base, name] = [start, end, sorted(
                    (base + offset, f"{name}!{self.memory.text(names + text)}") for offset, text in table)]
            at = following
        self.known = head

    def add_counters(self, path):
        """Of a coverage build: adds this run's counters to those of earlier ones. By the name of an object's file: stamps, and by
        function its numbers and its counters. A module that has been unloaded has taken its counters with it."""
        found = {}
        for info in {self.memory.word(at) for at in self.function_tables()}:
            version, _, stamp, checksum, name = struct.unpack("<IIxxxxxxxxIIQ", self.memory.read(info, 32))
            count, functions = struct.unpack("<QQ", self.memory.read(info + 32 + 8 * COUNTER_KINDS, 16))
            table = struct.unpack(f"<{count & 0xffffffff}Q", self.memory.read(functions, 8 * (count & 0xffffffff)))
            found[self.memory.text(name, 256)] = [version, stamp, checksum, {
                words[1]: [*words[2:4], list(struct.unpack(f"<{words[4]}Q", self.memory.read(words[5], 8 * words[4])))]
                for words in (struct.unpack("<QIIIxxxxIxxxxQ", self.memory.read(at, 40)) for at in table if at)}]
        merge_counters(path, found)

    def function_tables(self):
        self.follow()
        yield from (at for name, at in self.memory.symbols.items() if name.startswith("__gcov_."))
        for _, _, symbols in self.modules.values():
            yield from (at for at, name in symbols if "!__gcov_." in name)

    def save(self, path, programs):
        """programs: paths by the names under which they run, for the symbols of a profile."""
        self.follow()
        base = min(self.memory.symbols.get(name, 0) for name in ("__text_start", "__kernel_end"))
        kernel = sorted((address, name) for name, address in self.memory.symbols.items() if address >= base)
        rings = [self.rings[number] for number in sorted(self.rings)]
        header = {"cycles_per_second": self.memory.word(self.memory.symbols["KiCyclesPerSecond"]),
                  "lost": [ring.lost for ring in rings],
                  "counts": [sum(map(len, ring.parts)) // RECORD.size for ring in rings],
                  "programs": programs,
                  "symbols": [[base, self.memory.symbols["__kernel_end"], kernel], *self.modules.values()]}
        with open(path, "wb") as out:
            out.write(MAGIC + json.dumps(header).encode() + b"\n")
            for ring in rings:
                for part in ring.parts:
                    out.write(part)


class Raw:
    """What Recorder.save has written. records: (cycles, processor, event's name, number, A, B), in order of time."""

    def __init__(self, path):
        with open(path, "rb") as file:
            if file.readline() != MAGIC:
                raise ValueError(f"{path}: not a trace (tools/run --trace FILE.raw makes one)")
            header = json.loads(file.readline())
            parts = [file.read(count * RECORD.size) for count in header["counts"]]
        self.cycles_per_second, self.lost = header["cycles_per_second"] or 1, header["lost"]
        self.symbols, self.programs = header["symbols"], header["programs"]
        self.starts = {id(group): [entry[0] for entry in group[2]] for group in self.symbols}
        records = [(cycles, processor, EVENTS[event] if event < len(EVENTS) else "?", number, a, b)
                   for processor, part in enumerate(parts) for cycles, event, number, a, b in RECORD.iter_unpack(part)]
        records.sort(key=lambda record: record[0])
        self.records, self.processors = records, len(parts)

    def name(self, address):
        """'KeSetEvent+0x12'; None: no symbol's."""
        for group in self.symbols:
            start, end, entries = group
            at = bisect.bisect_right(self.starts[id(group)], address) - 1
            if start <= address < end and at >= 0:
                offset = address - entries[at][0]
                return entries[at][1] + (f"+{offset:#x}" if offset else "")
        return None
