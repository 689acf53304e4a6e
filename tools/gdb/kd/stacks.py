# SPDX-License-Identifier: MIT
"""Where threads are: `threads`, `thread-stack`, `use-thread`, `kstack`, and what GDB must know to unwind through interrupts.

A thread that does not run has its registers in a KSWITCH_FRAME on its stack. To look at it with GDB's own frames, an unwinder says
that the frame below the current one is that thread's: nothing in the guest changes.
"""
import gdb
import gdb.unwinder

from .base import KERNEL_HALF, Missing, command, containing, enumerator, place, processors, record, source, words
from .objects import THREAD_STATES, find_thread, thread_ids, threads

FRAMES = 32
CALLEE_SAVED = ("rbx", "rbp", "r12", "r13", "r14", "r15")


# ---- Registers and frame pointers ----------------------------------------------------------------------------------

SHOWS_THREADS = False   # GDB's threads are the kernel's, as its own stub shows them; else they are the processors


def gdb_thread(processor):
    """Of GDB's threads the one that is, or that runs on, this processor. QEMU's stub counts processors from 1; the kernel's gives
    threads their ids, and an idle thread, which has none, four times its processor's number and 1."""
    wanted = processor + 1
    if SHOWS_THREADS:
        thread = next(prcb["CurrentThread"] for prcb in processors() if int(prcb["Number"]) == processor)
        identity = int(containing(thread, "struct _ETHREAD", "Tcb")["Cid"]["UniqueThread"])
        return next((t for t in gdb.selected_inferior().threads() if t.ptid[1] == (identity or 4 * processor + 1)), None)
    return next((t for t in gdb.selected_inferior().threads() if t.num == wanted), None)


def running():
    """{address of the KTHREAD: number of the processor that runs it}"""
    return {int(prcb["CurrentThread"]): int(prcb["Number"]) for prcb in processors()}


class OnProcessor:
    """Inside, GDB looks at that processor."""

    def __init__(self, processor):
        self.wanted = gdb_thread(processor)
        if self.wanted is None:
            raise Missing(f"GDB does not show processor {processor}")

    def __enter__(self):
        self.before, self.frame = gdb.selected_thread(), gdb.selected_frame()
        self.wanted.switch()

    def __exit__(self, *_):
        self.before.switch()
        if self.frame.is_valid():
            self.frame.select()


def running_registers(processor):
    with OnProcessor(processor):
        gdb.newest_frame().select()
        return tuple(int(gdb.parse_and_eval(f"(unsigned long)${name}")) for name in ("rip", "rbp"))


def saved_registers(thread):
    _, rbp, rip = words(int(thread["Arch"]["KernelRsp"]), 3)    # KSWITCH_FRAME
    return rip, rbp


def registers(thread, on=None):
    on = running() if on is None else on
    address = int(thread.address)
    return running_registers(on[address]) if address in on else saved_registers(thread)


def walk(rip, rbp):
    """Return addresses by frame pointers, kernel addresses only, upwards only."""
    for _ in range(FRAMES):
        if rip == 0:
            return
        yield rip
        if rbp < KERNEL_HALF or rbp % 8:
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
INSIDE = ("ArchpSwapContext", "KiSwap", "KiBlock", "KiReschedule", "KiDrain", "KiWait", "KiPerform", "KeWait",
          "KeDelay", "KiSoftInterrupt")


def whereabouts(thread, on):
    try:
        first = None
        for address in walk(*registers(thread, on)):
            first = first or place(address)
            if not place(address).startswith(INSIDE):
                return place(address)
        return first or "?"
    except Missing as missing:
        return str(missing)


# ---- Unwinders -----------------------------------------------------------------------------------------------------

class Id:
    def __init__(self, sp, pc):
        pointer = gdb.lookup_type("void").pointer()
        self.sp, self.pc = gdb.Value(sp).cast(pointer), gdb.Value(pc).cast(pointer)


class ThroughTraps(gdb.unwinder.Unwinder):
    """The entries of traps.asm and syscall.asm: behind the two words of link (none for SYSCALL) lies a KTRAP_FRAME."""
    ENTRIES = ("ArchpTrapEntry", "ArchpInterruptEntry", "ArchpParanoidEntry", "ArchpDebugEntry", "ArchpSystemCallEntry")
    NAMES = {"Rip": "rip", "Rsp": "rsp", "Rbp": "rbp", "Rflags": "eflags", "Rax": "rax", "Rbx": "rbx", "Rcx": "rcx", "Rdx": "rdx",
             "Rsi": "rsi", "Rdi": "rdi", **{f"R{n}": f"r{n}" for n in range(8, 16)}}

    def __init__(self):
        super().__init__("primer-traps")

    def __call__(self, pending):
        rip, rsp = (int(pending.read_register(name)) & ((1 << 64) - 1) for name in ("rip", "rsp"))
        if rip < KERNEL_HALF:
            return None
        name = gdb.execute(f"info symbol {rip:#x}", to_string=True)
        if not name.startswith(self.ENTRIES):
            return None
        for at in (rsp,) if "SystemCall" in name else (rsp + 16,):
            try:
                frame = record(at, "KTRAP_FRAME")
                if at == rsp or words(rsp + 8, 1)[0] == int(frame["Rip"]):
                    return self.claim(pending, frame, rsp, rip, at)
            except (Missing, gdb.error):
                pass
        return None

    def claim(self, pending, frame, rsp, rip, at):
        if int(frame["Cs"]) not in (0x08, 0x10) and int(frame["Cs"]) & 3 == 0:
            return None         # not where a frame lies
        info = pending.create_unwind_info(Id(at, rip))
        for field, register in self.NAMES.items():
            kind = gdb.lookup_type("int") if register == "eflags" else gdb.lookup_type("unsigned long")
            info.add_saved_register(register, frame[field].cast(kind))
        return info


class Blocked(gdb.unwinder.Unwinder):
    """Below the frame in which the processor stopped stands the thread that is looked at."""

    def __init__(self):
        super().__init__("primer-thread")
        self.thread = self.top = None

    def __call__(self, pending):
        if self.thread is None:
            return None
        here = tuple(int(pending.read_register(name)) & ((1 << 64) - 1) for name in ("rip", "rsp"))
        if here != self.top:
            return None
        at = int(self.thread["Arch"]["KernelRsp"])
        _, rbp, rip = words(at, 3)
        info = pending.create_unwind_info(Id(at, here[0]))
        kind = gdb.lookup_type("unsigned long")
        for name, value in dict(rip=rip, rsp=at + 24, rbp=rbp).items():
            info.add_saved_register(name, gdb.Value(value).cast(kind))
        return info

    def look_at(self, thread):
        """Until the machine goes on. Only then does Python hear of that: while it runs, it would swallow a ^C."""
        if (self.thread is None) != (thread is None):
            (gdb.events.cont.disconnect if thread is None else gdb.events.cont.connect)(back_to_processor)
        self.thread = None
        gdb.invalidate_cached_frames()
        if thread is not None:
            newest = gdb.newest_frame()
            self.top = tuple(int(newest.read_register(name)) & ((1 << 64) - 1) for name in ("rip", "rsp"))
            self.thread = thread
            gdb.invalidate_cached_frames()


BLOCKED = Blocked()
gdb.unwinder.register_unwinder(None, ThroughTraps(), replace=True)
gdb.unwinder.register_unwinder(None, BLOCKED, replace=True)


def back_to_processor(*_):
    if BLOCKED.thread is not None:
        BLOCKED.look_at(None)


for resuming in ("step", "next", "stepi", "nexti", "finish", "until", "advance", "continue", "jump"):
    gdb.execute(f"define hook-{resuming}\npython import kd.stacks; kd.stacks.back_to_processor()\nend", to_string=True)


# ---- Commands ------------------------------------------------------------------------------------------------------

@command("threads")
def _threads(arguments):
    """threads [PROCESS]: all, or those of the process with the id given: state, priority, processor, where they are."""
    wanted = int(arguments[0], 0) if arguments else None
    on = running()
    print(f"{'TID':>6} {'PID':>6} {'STATE':<11} {'PRIO':>4} {'CPU':>3} {'KTHREAD':<18} WHERE")
    for identity, thread in threads():
        owner = int(thread["Cid"]["UniqueProcess"])
        if wanted is not None and owner != wanted:
            continue
        tcb = thread["Tcb"]
        state = enumerator(THREAD_STATES, tcb["State"])
        print(f"{identity:>6} {owner:>6} {state:<11} {int(tcb['Priority']):>4} {int(tcb['Processor']):>3} "
              f"{int(tcb.address):#018x} {whereabouts(tcb, on)}")


def head_line(thread, on):
    address = int(thread.address)
    state = enumerator(THREAD_STATES, thread["State"])
    where = f" on processor {on[address]}" if address in on else ""
    ids = thread_ids().get(address, "an idle thread")
    return f"thread {address:#x} ({ids}), {state}{where}"


@command("kstack")
def _kstack(arguments):
    """kstack THREAD: the kernel stack of a thread by its frame pointers alone, also where GDB's frames end early."""
    if len(arguments) != 1:
        raise Missing("kstack THREAD: an id, or the address of a KTHREAD")
    thread, on = find_thread(arguments[0]), running()
    print(head_line(thread, on))
    for number, address in enumerate(walk(*registers(thread, on))):
        print(f"  #{number:<2} {address:#018x} {place(address)}")


def arguments_of(frame):
    try:
        block = frame.block()
        while block and not block.function:
            block = block.superblock
        found = []
        for symbol in block or ():
            if symbol.is_argument:
                try:
                    found.append(f"{symbol.name}={symbol.value(frame).format_string(max_elements=8, symbols=False, raw=True)}")
                except (gdb.error, gdb.MemoryError):
                    found.append(f"{symbol.name}=?")
        return ", ".join(found)
    except (RuntimeError, gdb.error):
        return ""


def print_frames(frame, number=0):
    """GDB's frames from this one on, with arguments, file and line; the last address that they reached."""
    seen = set()
    while frame is not None and number < FRAMES:
        pc = frame.pc()
        seen.add(pc)
        if pc == 0:
            break
        sal = frame.find_sal()
        at = f" at {sal.symtab.filename}:{sal.line}" if sal.symtab else ""
        print(f"  #{number:<2} {frame.name() or place(pc)} ({arguments_of(frame)}){at}")
        if pc < KERNEL_HALF:
            break
        try:
            frame = frame.older()
        except gdb.error:
            break
        number += 1
    return seen, number


def print_stack(thread, on):
    """By GDB's frames; where these end before the frame pointers do (a change of stack), the rest by the latter."""
    address = int(thread.address)
    if address in on:
        with OnProcessor(on[address]):
            seen, number = print_frames(gdb.newest_frame())
    else:
        before, selected = BLOCKED.thread, gdb.selected_frame().level()
        BLOCKED.look_at(thread)
        try:
            seen, number = print_frames(gdb.newest_frame().older())
        finally:
            BLOCKED.look_at(before)
            gdb.execute(f"frame {selected}", to_string=True)
    rest = list(walk(*registers(thread, on)))
    reached = max((i for i, pc in enumerate(rest) if pc in seen), default=-1)
    for pc in rest[reached + 1:]:
        print(f"  #{number:<2} {place(pc)} at {source(pc - 1)}")
        number += 1


@command("thread-stack")
def _thread_stack(arguments):
    """thread-stack THREAD: the back-trace of any thread, running or blocked, with arguments, files and lines."""
    if len(arguments) != 1:
        raise Missing("thread-stack THREAD: an id, or the address of a KTHREAD")
    thread, on = find_thread(arguments[0]), running()
    print(head_line(thread, on))
    print_stack(thread, on)


@command("use-thread")
def _use_thread(arguments):
    """use-thread [THREAD]: the frames from 1 on are those of that thread, blocked or running (`frame`, `up`, `info locals`,
    `backtrace`). Frame 0 stays where the processor stopped. Without THREAD, or when the machine goes on: back."""
    back_to_processor()
    if not arguments:
        return
    thread, on = find_thread(arguments[0]), running()
    address = int(thread.address)
    print(head_line(thread, on))
    if address in on:
        gdb_thread(on[address]).switch()
        return
    BLOCKED.look_at(thread)
    gdb.execute("frame 1")
