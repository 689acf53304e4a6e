# SPDX-License-Identifier: MIT
"""A bug check's or a hang's report in a kernel log, read and explained: for tools/run, tools/why and GDB's `bugcheck`.

The kernel prints addresses and names; file and line come from the ELF files of the build, by addr2line, and what a code means stands
here: nothing of it has to be in the kernel.
"""
import dataclasses
import os
import re
import struct
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
REPORTER = ("kernel/kd/", "arch/x86_64/backtrace.c")    # whose frames at the top of the reporting stack say nothing
NUMBER = r"[0-9A-Fa-f]+"


# ---- Where things lie ----------------------------------------------------------------------------------------------

SHF_WRITE, SHF_ALLOC, SHF_EXECINSTR, SHT_NOBITS = 1, 2, 4, 8


def placed_sections(path):
    """{name: (offset, size)} as kernel/ldr/elfmodule.c lays a module out: text, read-only, data, zeroed data; all but the last from a
    page boundary on."""
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
                offsets.setdefault(data[start:data.index(b"\0", start)].decode(), (at, section[5]))
                at += section[5]
    return offsets


def short_path(path):
    path = os.path.normpath(path)
    return os.path.relpath(path, ROOT) if path.startswith(ROOT + os.sep) else path


def addr2line(file, section, addresses):
    """{address: [(function, "file:line"), ...]}, inlined ones first."""
    words = ["addr2line", "-e", file, "-a", "-f", "-i", *(["-j", section] if section else [])]
    try:
        said = subprocess.run(words + [hex(a) for a in addresses], capture_output=True, text=True, check=False).stdout.splitlines()
    except OSError:
        return {}
    found, at = {}, None
    for line in said:
        if re.fullmatch(r"0x[0-9a-f]+", line):
            at = found.setdefault(int(line, 16), [])
            function = None
        elif function is None:
            function = line
        else:
            file_line = line.split(" (discriminator")[0]
            if not file_line.startswith("??"):
                at.append((function, short_path(file_line)))
            function = None
    return found


class Places:
    """From addresses to functions, files and lines. modules: {name: (base, size, file)}."""

    def __init__(self, kernel, modules):
        self.kernel, self.modules, self.known = kernel, modules, {}

    def learn(self, addresses):
        wanted = {}
        for address in set(addresses) - set(self.known):
            self.known[address] = []
            where = self.locate(address)
            if where:
                wanted.setdefault(where[:2], []).append((where[2], address))
        for (file, section), pairs in wanted.items():
            found = addr2line(file, section, [offset for offset, _ in pairs])
            for offset, address in pairs:
                self.known[address] = found.get(offset, [])

    def locate(self, address):
        """(file, section or None, offset)"""
        for base, size, file in self.modules.values():
            if base <= address < base + size and file and os.path.exists(file):
                for section, (offset, length) in placed_sections(file).items():
                    if offset <= address - base < offset + length:
                        return file, section, address - base - offset
                return None
        return (self.kernel, None, address) if os.path.exists(self.kernel) else None

    def lines(self, address):
        self.learn([address])
        return self.known[address]


# ---- The report ----------------------------------------------------------------------------------------------------

@dataclasses.dataclass
class Frame:
    address: int
    name: str               # as the kernel printed it: "bug!Touch+0x12"
    exact: bool             # the address of an instruction, not a return address
    lines: list = dataclasses.field(default_factory=list)

    @property
    def key(self):
        return self.address if self.exact else self.address - 1

    @property
    def file(self):
        return self.lines[-1][1] if self.lines else ""

    @property
    def is_reporter(self):
        return self.file.startswith(REPORTER)


@dataclasses.dataclass
class Processor:
    head: str
    frames: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Report:
    code: int = 0
    name: str = ""
    parameters: tuple = (0, 0, 0, 0)
    hang: str = ""
    sentence: str = ""
    registers: dict = dataclasses.field(default_factory=dict)
    processors: list = dataclasses.field(default_factory=list)      # the reporting one first
    rest: list = dataclasses.field(default_factory=list)            # locks, circles, trace, as printed


def parse(lines):
    """The last report in a log; None: there is none."""
    start = max((i for i, line in enumerate(lines) if re.match(r"@(bugcheck|hang) ", line)), default=None)
    if start is None:
        return None
    report = Report()
    if match := re.match(rf"@bugcheck ({NUMBER}) (\S+) ({NUMBER}) ({NUMBER}) ({NUMBER}) ({NUMBER})", lines[start]):
        report.code, report.name = int(match[1], 16), match[2]
        report.parameters = tuple(int(match[i], 16) for i in range(3, 7))
    else:
        report.code, report.name, report.hang = 0x101, "CLOCK_WATCHDOG_TIMEOUT", lines[start].removeprefix("@hang ")
    lines = lines[start + 1:]
    if lines and not re.match(r"registers at|processor \d", lines[0]):
        report.sentence = lines.pop(0)
    for line in lines:
        if match := re.match(rf"registers at vector ({NUMBER}), error code ({NUMBER}), fault address (\S+):", line):
            report.registers |= {"vector": int(match[1], 16), "error": int(match[2], 16), "address": int(match[3], 16)}
        elif report.registers and re.match(r"  (rip|rax|rsi|r9|r13) ", line) and not report.processors:
            report.registers |= {name: int(value, 16) for name, value in re.findall(rf"(\w+) +({NUMBER})", line)}
        elif re.match(r"processor \d+: IRQL", line):
            report.processors.append(Processor(line))
        elif (match := re.match(rf"    #\d+ +({NUMBER}) ?(.*)", line)) and report.processors and not report.rest:
            here = report.processors[-1]
            exact = not here.frames and (len(report.processors) > 1 or bool(report.registers))
            here.frames.append(Frame(int(match[1], 16), match[2], exact))
        else:
            report.rest.append(line)
    return report


def modules_in(lines, files):
    """Of the loader's lines: {name: (base, size, file)}; files: {name: path}."""
    found = {}
    for line in lines:
        if match := re.match(rf"ldr: (\S+) at ({NUMBER}), (\d+) KiB, text", line):
            found[match[1]] = (int(match[2], 16), int(match[3]) << 10, files.get(match[1]))
        elif match := re.match(r"ldr: (\S+) unloaded", line):
            found.pop(match[1], None)
    return found


def module_files(build, named=()):
    """{name: file} of the build's modules and of those that were named."""
    folder = os.path.join(build, "modules")
    found = {name.removesuffix(".sys"): os.path.join(folder, name) for name in (os.listdir(folder) if os.path.isdir(folder) else ())}
    return found | {os.path.basename(path).removesuffix(".sys"): path for path in named}


def symbolise(report, places):
    frames = [frame for processor in report.processors for frame in processor.frames]
    places.learn([frame.key for frame in frames])
    for frame in frames:
        frame.lines = places.lines(frame.key)
    first = report.processors[0].frames if report.processors else []
    while first and first[0].is_reporter and not report.registers:
        first.pop(0)


# ---- What it means -------------------------------------------------------------------------------------------------

PRESENT, WRITE, USER, RESERVED, FETCH = 1, 2, 4, 8, 16          # of a page fault's error code
USER_END, NULL_END, FLAG_AC = 0x00007ffffffff000, 0x10000, 1 << 18
FILLS = {0xDD: "freed pool memory: the block was used after it had been freed",
         0xCD: "new pool memory that nobody has written to: something was not initialised",
         0xFB: "the red zone behind a pool block: something read beyond its end"}
STACKS = range(0xffffa00000000000, 0xffffa00080000000)


def status_names():
    names = {}
    try:
        with open(os.path.join(ROOT, "include/ntstatus.h")) as header:
            for name, number in re.findall(r"^#define (STATUS_\w+)\s+\(\(NTSTATUS\)(0x[0-9A-Fa-f]+)", header.read(), re.M):
                names.setdefault(int(number, 16), name)
    except OSError:
        pass
    return names


def fill_of(value):
    """The byte that a pointer into the pool's patterns consists of; None."""
    top = value >> 56
    return top if top in FILLS and (value >> 16) == int.from_bytes(bytes([top]) * 6, "big") else None


def explain_fill(registers):
    found = {name: fill_of(value) for name, value in registers.items() if name not in ("vector", "error") and fill_of(value)}
    return [f"{name} is {registers[name]:#x}: that is a pattern of {FILLS[fill]}" for name, fill in list(found.items())[:2]]


def explain_fault(registers):
    """A page fault or a general protection fault of the kernel, in words."""
    vector, error, address = (registers.get(name, 0) for name in ("vector", "error", "address"))
    said = explain_fill(registers)
    if vector == 13:
        return said or ["A general protection fault: mostly an address that is not canonical (bits 63 to 47 must be equal)."]
    if vector != 14:
        return said
    what = "jumped to" if error & FETCH else "wrote to" if error & WRITE else "read"
    if address < NULL_END and error & FETCH:
        said.append(f"The kernel called a NULL pointer (address {address:#x}): the return address on the stack says who.")
    elif address < NULL_END:
        said.append(f"The kernel {what} through a NULL pointer: the member at offset {address:#x} of a structure at address 0.")
    elif address < USER_END and error & FETCH:
        said.append(f"SMEP: the kernel {what} the user address {address:#x}; the processor lets it execute no user page.")
    elif address < USER_END and not registers.get("rflags", 0) & FLAG_AC:
        said.append(f"SMAP: the kernel {what} the user address {address:#x} outside of a copy routine and of a probed "
                    "structured-exception block.")
    elif address in STACKS:
        said.append(f"The kernel {what} {address:#x}, in the range of kernel stacks: a guard page, or a stack that has gone.")
    elif error & PRESENT:
        said.append(f"The kernel {what} {address:#x}, which is there but does not allow it: "
                    f"{'no code lies there' if error & FETCH else 'it is read-only (text, or read-only data)'}.")
    else:
        said.append(f"The kernel {what} {address:#x}, where nothing is mapped.")
    return said


def explain_exception(report):
    code = report.parameters[0] & 0xffffffff
    words = f"An exception that no structured-exception block took: {status_names().get(code, hex(code))}."
    return [words, *explain_fault(report.registers)]


def explain_trap(report):
    vector = report.parameters[0]
    if vector == 8:
        if "stack is full" in report.sentence:
            return ["A double fault, because the kernel stack overflowed: the processor could not push a page fault's frame. The "
                    "back-trace shows a recursion, or one function with a large local variable."]
        return ["A double fault: a fault while another one was being delivered."]
    return [f"The processor raised vector {vector}, for which the kernel has no answer.", *explain_fault(report.registers)]


def explain_level(report):
    if report.registers:
        return [*explain_fault(report.registers), "This was at DISPATCH_LEVEL or above, where no page fault can be resolved: "
                "a spin lock is held, a DPC runs, or the level was raised (see the locks below for who and where)."]
    return ["Something was called at a level that is too high for it (see the sentence above). If a spin lock is held, the locks "
            "below say which, and where it was acquired."]


POOL = {7: "The block had been freed before.", 0xA: "It was allocated with another tag.", 0x46: "No pool block begins there."}
EXPLAIN = {
    0x08: ["The level is below DISPATCH_LEVEL, which this routine needs: raise it, or use the routine that raises it itself."],
    0x09: ["A level was \"raised\" to a lower one."],
    0x0A: explain_level,
    0x0F: ["The processor acquired a spin lock that it holds: it would have waited for itself for ever. The locks below say where it "
           "was acquired first."],
    0x10: ["A spin lock was released that this processor does not hold: a release too many, or of another lock, or in another mode."],
    0x19: ["The pool's marks around a block are overwritten: somebody wrote beyond the end of a block, or before its beginning."],
    0x1E: explain_exception,
    0x50: lambda report: explain_fault(report.registers),
    0x7F: explain_trap,
    0xB8: ["A DPC, or the idle thread, waited: there is no thread that could be put to sleep."],
    0xC2: lambda report: ["A wrong call of the pool.", *[words for why, words in POOL.items() if why == report.parameters[0]]],
    0xC4: ["Locks were acquired in an order that can deadlock, or by a rule-breaker: the circle below shows both orders."],
    0xC8: ["A thread's routine returned at a raised level: a spin lock was not released, or KeLowerIrql is missing."],
    0xCE: ["A module has gone, and the system would still call it: cancel or deregister that in DriverUnload."],
    0xE1: ["A work item's routine returned at a raised level: a spin lock was not released, or KeLowerIrql is missing."],
    0xE2: ["Somebody called KeBugCheck on purpose."],
    0x101: ["A processor made no progress: it stays at DISPATCH_LEVEL or above (a spin lock is not released, a loop never ends), or "
            "takes no interrupts."],
    0x133: ["A DPC ran for too long, or DPCs without a pause: DPCs must end within microseconds, a thread does what takes longer."],
    0x4000008A: ["A thread ended and owned a mutex."],
    0x50001: ["Locks of the kernel were acquired against their rank (kernel/ke/lockrank.h)."],
    0x50002: ["A thread went to sleep with a spin lock: whoever wants that lock would spin until it wakes."],
    0x50003: ["A subsystem's handler returned with a lock, a raised level or disabled APCs."],
    0x50004: ["An assertion of the kernel failed: what it says was not so."],
    0x50006: ["Threads, or processors, wait for one another's locks in a circle: none can ever go on."],
}
GO_ON = {0x0A: "locks", 0x0F: "locks", 0x10: "locks", 0x19: "pool {1:#x}", 0x50: "vm {0:#x}", 0xC2: "pool {1:#x}", 0xC4: "locks",
         0x101: "irql", 0x133: "dpcs", 0x50001: "locks", 0x50002: "locks", 0x50006: "waits", 0xCE: "timers"}


def explanation(report):
    words = EXPLAIN.get(report.code, [])
    return words(report) if callable(words) else list(words)


def next_command(report):
    return GO_ON.get(report.code, "thread-stack {thread}").format(*report.parameters, thread=reporting_thread(report))


def reporting_thread(report):
    match = re.search(r"\(\d+\.(\d+)\)", report.processors[0].head) if report.processors else None
    return match[1] if match else "THREAD"


# ---- In words ------------------------------------------------------------------------------------------------------

def frame_lines(number, frame):
    if not frame.lines:
        return [f"    #{number:<2} {frame.name or hex(frame.address)}"]
    module = frame.name.partition("!")[0] + "!" if "!" in frame.name else ""
    *inlined, (function, line) = frame.lines
    return [*(f"    #{number:<2} {module}{name} at {place} (inlined)" for name, place in inlined),
            f"    #{number:<2} {module}{function} at {line}"]


def culprit(report):
    """The innermost frame of a module, else the first that is none of the checks: where to look."""
    frames = report.processors[0].frames if report.processors else []
    if report.hang and (match := re.match(r"processor (\d+)", report.hang)):
        own = [p for p in report.processors if p.head.startswith(f"processor {match[1]}:")]
        frames = own[0].frames if own else frames
    return next((frame for frame in frames if "!" in frame.name), frames[0] if frames else None)


def lock_place(report, places):
    """When no stack of a processor tells: where a lock that matters was acquired, or is waited for."""
    lines = [with_lines(line, places) for line in report.rest if re.search(r" (waits for|holds) ", line)]
    found = next((match for match in (re.search(r"\((\w+) at (\S+:\d+)\)$", line) for line in lines) if match), None)
    return f"{found[1]} at {found[2]}" if found else ""


def describe(report, places, command=""):
    """The page that is shown: what, why, where, then everything else."""
    symbolise(report, places)
    head = f"hang ({report.code:X}h {report.name}), {report.hang}" if report.hang else f"bug check {report.code:X}h {report.name}"
    said = [head, *([report.sentence] if report.sentence else []), *explanation(report)]
    found = culprit(report)
    lock = lock_place(report, places) if report.code == 0x50006 or not found or "!" not in found.name else ""
    if lock:
        said.append(f"look at: {lock}")
    elif found and found.lines:
        said.append(f"look at: {frame_lines(0, found)[-1].split(None, 1)[1]}")
    said += ["", *register_lines(report.registers)]
    for processor in report.processors:
        said.append(processor.head)
        for number, frame in enumerate(processor.frames):
            said += frame_lines(number, frame)
    said += [with_lines(line, places) for line in report.rest]
    said.append(f"to go on: {command or 'tools/debug with the same options'}; it stops here by itself, then `bugcheck`, "
                f"`{next_command(report)}`")
    return said


def register_lines(registers):
    words = [f"{name} {value:x}" for name, value in registers.items()]
    return [("registers: " if at == 0 else "           ") + ", ".join(words[at:at + 6]) for at in range(0, len(words), 6)]


def with_lines(line, places):
    """'KeFoo+0x12 < bug!Bar+0x34' in a line about locks: with the file and line of the first of them that is a module's."""
    match = re.search(r", from (.*)", line)
    if not match:
        return line
    for name in match[1].split(" < "):
        found = re.fullmatch(r"(\w+)!(\w+)\+(0x[0-9a-f]+)", name)
        if found and found[1] in places.modules and (address := symbol_address(places.modules[found[1]], found[2])):
            lines = places.lines(address + int(found[3], 16) - 1)
            if lines:
                return f"{line} ({found[2]} at {lines[-1][1]})"
    return line


def symbol_address(module, symbol):
    """Of a function of a module, by its ELF file's symbols; None when there are several of that name, or none."""
    base, _, file = module
    if not file or not os.path.exists(file):
        return None
    sections = placed_sections(file)
    said = subprocess.run(["readelf", "-sW", file], capture_output=True, text=True, check=False).stdout
    numbers = section_names(file)
    found = [(int(value, 16), int(index)) for value, index in
             re.findall(rf"^ *\d+: ([0-9a-f]+) +\d+ FUNC +\w+ +\w+ +(\d+) {re.escape(symbol)}$", said, re.M)]
    if len(found) != 1 or numbers.get(found[0][1]) not in sections:
        return None
    return base + sections[numbers[found[0][1]]][0] + found[0][0]


def section_names(file):
    said = subprocess.run(["readelf", "-SW", file], capture_output=True, text=True, check=False).stdout
    return {int(number): name for number, name in re.findall(r"^ *\[ *(\d+)\] (\S+)", said, re.M)}


def page(lines, build, named=(), command=""):
    """The whole page for a log; None: there is no report in it."""
    report = parse(lines)
    if report is None:
        return None
    places = Places(os.path.join(build, "primer.elf"), modules_in(lines, module_files(build, named)))
    start = max(i for i, line in enumerate(lines) if re.match(r"@(bugcheck|hang) ", line))
    return describe(report, places, command) + ["", "the log before it:", *("    " + line for line in lines[max(start - 5, 0):start])]
