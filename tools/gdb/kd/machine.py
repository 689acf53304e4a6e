# SPDX-License-Identifier: MIT
"""Processors and memory: `irql`, `ready-queues`, `dpcs`, `timers`, `vm`, `pool`, `dmesg`, `ktrace` and `trace`."""
import gdb
import tracing

from .base import (KERNEL_HALF, Missing, command, containing, entries, enumerator, find_static, number_of, place, processors, read,
                   record, static, tag_text, type_of, words)
from .objects import find_process, thread_ids, thread_words

LEVELS = {0: "PASSIVE_LEVEL", 1: "APC_LEVEL", 2: "DISPATCH_LEVEL", 12: "SYNCH_LEVEL", 13: "CLOCK_LEVEL", 14: "IPI_LEVEL", 15: "HIGH_LEVEL"}


# ---- Processors ----------------------------------------------------------------------------------------------------

def level(number):
    return LEVELS.get(int(number), f"device level {int(number)}")


@command("irql")
def _irql(_):
    """The level of each processor, what is pending on it, what it runs."""
    ids = thread_ids()
    for prcb in processors():
        pending = [word for bit, word in ((1, "an APC"), (2, "DPCs or a switch")) if int(prcb["PendingSoft"]) & bit]
        states = [word for field, word in (("DpcActive", "in a DPC"), ("Halted", "idle"), ("Frozen", "frozen")) if int(prcb[field])]
        print(f"processor {int(prcb['Number'])}: {int(prcb['Irql'])} {level(prcb['Irql'])}"
              f"{''.join(', ' + word for word in states)}{', pending: ' + ' and '.join(pending) if pending else ''}, "
              f"{thread_words(prcb['CurrentThread'], ids)}")


@command("ready-queues")
def _ready_queues(_):
    """The threads that wait for each processor, highest priority first, in the order in which they will run."""
    ids = thread_ids()
    for prcb in processors():
        print(f"processor {int(prcb['Number'])}: runs {thread_words(prcb['CurrentThread'], ids)}, "
              f"priority {int(prcb['RunningPriority'])}")
        for priority in range(31, -1, -1):
            if int(prcb["ReadySummary"]) >> priority & 1:
                for thread in entries(prcb["ReadyQueue"][priority], "struct _KTHREAD", "ReadyListEntry"):
                    print(f"  {priority:>2} {thread_words(thread.address, ids)}")


@command("dpcs")
def _dpcs(_):
    """The DPCs that are queued on each processor, and the one that runs."""
    for prcb in processors():
        running = f"runs {place(prcb['DpcRoutine'])}" if int(prcb["DpcActive"]) else "runs none"
        print(f"processor {int(prcb['Number'])}: {running}, {int(prcb['Dpcs'])} have run")
        for queue, note in (("DpcQueue", ""), ("ThreadedDpcQueue", ", threaded")):
            for dpc in entries(prcb[queue], "struct _KDPC", "DpcListEntry"):
                print(f"  {int(dpc.address):#x} {place(dpc['DeferredRoutine'])} (context {int(dpc['DeferredContext']):#x}){note}")


@command("timers")
def _timers(_):
    """The timers that are set, by processor and due time (seconds of interrupt time), with what each does."""
    ids = thread_ids()
    for prcb in processors():
        found = []
        for bucket in range(type_of("KTIMER_QUEUE")["Bucket"].type.range()[1] + 1):
            if int(prcb["Timers"]["Occupied"]) >> bucket & 1:
                found += entries(prcb["Timers"]["Bucket"][bucket], "struct _KTIMER", "TimerListEntry")
        print(f"processor {int(prcb['Number'])}: {len(found)} timers")
        for timer in sorted(found, key=lambda t: int(t["DueTime"]["QuadPart"])):
            print(f"  {int(timer['DueTime']['QuadPart']) / 1e7:>12.4f} s {timer_words(timer, ids)}")


def timer_words(timer, ids):
    if int(timer["Header"]["Type"]) == 10:
        thread = containing(timer.address, "struct _KTHREAD", "WaitTimer")
        return f"ends the wait of {thread_words(thread.address, ids)}"
    period = f", then every {int(timer['Period'])} ms" if int(timer["Period"]) else ""
    dpc = f", DPC {place(timer['Dpc']['DeferredRoutine'])}" if int(timer["Dpc"]) else ""
    return f"timer {place(timer.address)}{dpc}{period}"


# ---- Address spaces ------------------------------------------------------------------------------------------------

def regions(node):
    """In the order of addresses."""
    stack, at = [], int(node)
    while stack or at:
        while at:
            stack.append(at)
            at = int(record(at, "RTL_AVL_NODE")["Child"][0])
        at = stack.pop()
        yield containing(at, "MI_REGION", "Node")
        at = int(record(at, "RTL_AVL_NODE")["Child"][1])


def protection(region):
    bits = int(region["Protection"])
    return "".join(letter if bits >> i & 1 else "-" for i, letter in enumerate("rwx")) + (" guard" if bits & 8 else "")


DIRECT_MAP = 0xffff800000000000
PRESENT, WRITABLE, USER, LARGE, GLOBAL, NO_EXECUTE = 1, 2, 4, 0x80, 0x100, 1 << 63
PHYSICAL = 0x000ffffffffff000
LEVEL_NAMES = ("PML4", "PDPT", "PD", "PT")


def walk_tables(root, address):
    """(level's name, entry) from the top down to the leaf, or to the first that is not present."""
    table = root & PHYSICAL
    for depth, name in enumerate(LEVEL_NAMES):
        shift = 39 - 9 * depth
        entry = words(DIRECT_MAP + table + (address >> shift & 511) * 8, 1)[0]
        yield name, shift, entry
        if not entry & PRESENT or (entry & LARGE and depth in (1, 2)):
            return
        table = entry & PHYSICAL


def entry_words(entry):
    if not entry & PRESENT:
        return "not present" + (f" ({entry:#x} is kept in it)" if entry else "")
    return (f"{entry & PHYSICAL:#x} r{'w' if entry & WRITABLE else '-'}{'-' if entry & NO_EXECUTE else 'x'}"
            f"{' user' if entry & USER else ' kernel'}{' global' if entry & GLOBAL else ''}")


def print_walk(root, address):
    print(f"page tables at {root:#x}, address {address:#x}:")
    for name, shift, entry in walk_tables(root, address):
        print(f"  {name:<4} {entry_words(entry)}{' large page' if entry & LARGE and shift in (30, 21) and entry & PRESENT else ''}")
        last = entry, shift
    entry, shift = last
    if entry & PRESENT:
        physical = (entry & PHYSICAL & -(1 << shift)) + (address & ((1 << shift) - 1))
        print(f"  physical {physical:#x}")


@command("vm")
def _vm(arguments):
    """vm [PROCESS] [ADDRESS]: the regions of a process; with an address also the page-table walk to it. vm ADDRESS: the kernel's."""
    numbers = [number_of(text) for text in arguments]
    address = numbers.pop() if numbers and (len(numbers) == 2 or numbers[0] >= KERNEL_HALF) else None
    if not numbers:
        if address is None:
            raise Missing("vm PROCESS, vm PROCESS ADDRESS, or vm KERNEL-ADDRESS")
        return print_walk(int(static("KiKernelSpace")["Tables"]["Root"]), address)
    process = find_process(arguments[0])
    space = int(process["Pcb"]["AddressSpace"])
    if space == 0:
        raise Missing("the process has no address space any more")
    if space == int(static("KiKernelSpace").address):
        raise Missing("a process of the kernel has no regions")
    space = record(space, "struct _MM_ADDRESS_SPACE")
    print(f"{int(space['Regions']['Count'])} regions, {int(space['Regions']['Pages'])} pages, {int(space['ResidentPages'])} in memory")
    for region in regions(space["Regions"]["Tree"]["Root"]):
        section = int(region["Section"])
        kind = f"section {section:#x} + {int(region['Offset']):#x}" if section else "memory"
        mark = " <--" if address is not None and int(region["Start"]) <= address < int(region["End"]) else ""
        print(f"  {int(region['Start']):#018x}-{int(region['End']):#018x} {protection(region)} "
              f"{'shared ' if int(region['Shared']) else ''}{kind}{', grows down' if int(region['GrowDown']) else ''}{mark}")
    if address is not None:
        print_walk(int(space["Kernel"]["Tables"]["Root"]), address)


# ---- Pool ----------------------------------------------------------------------------------------------------------

SLAB, LARGE_BLOCK = 3, 4            # MI_PAGE.Type
IN_USE, FREE = 0x45535500, 0x45455246       # MI_POOL_HEADER.State, mixed with the lower half of the address
FRAME_BASE = 0xffffc00000000000


def describe_block(address):
    """What pool block an address lies in: one line."""
    physical = address - DIRECT_MAP
    if not 0 <= physical < int(static("MiPhysicalEnd")):
        return f"{address:#x} is no pool address of the direct map"
    page = record(FRAME_BASE + (physical >> 12) * type_of("MI_PAGE").sizeof, "MI_PAGE")
    if int(page["Type"]) == LARGE_BLOCK:
        return f"{address:#x}: first page of a block of {int(page['Bytes'])} bytes, tag '{tag_text(page['Tag'])}', in use"
    if int(page["Type"]) != SLAB:
        return f"{address:#x}: its page is not the pool's"
    size = int(static("MiClassBytes")[int(page["Order"])])
    start = address - (address & 0xfff) % size
    if find_static("MiTag") is None:
        return f"{address:#x}: in a block of {size} bytes at {start:#x} (release builds keep no tags)"
    header = record(start, "MI_POOL_HEADER")
    state = int(header["State"]) ^ (start & 0xffffffff)
    state = {IN_USE: "in use", FREE: "free: whoever uses it does so after the free"}.get(state, "its header is overwritten")
    return (f"{address:#x}: block {start + 16:#x} + {address - start - 16:#x}, {int(header['Size'])} bytes, tag "
            f"'{tag_text(header['Tag'])}', {state}")


@command("pool")
def _pool(arguments):
    """pool: bytes in use by tag (debug builds), most first. pool ADDRESS: the block that it lies in. pool TAG: that tag's bytes."""
    if arguments and not (len(arguments[0]) == 4 and not arguments[0].startswith("0x")):
        return print(describe_block(number_of(arguments[0])))
    table = find_static("MiTag")
    if table is None:
        raise Missing("nothing is known about tags: that is in debug builds only")
    found = []
    for i in range(table.type.range()[1] + 1):
        if int(table[i]["Tag"]):
            found.append((int(table[i]["Bytes"]), tag_text(table[i]["Tag"])))
    print(f"{'BYTES':>10} TAG")
    for size, tag in sorted(found, reverse=True):
        if size and arguments in ([], [tag]):
            print(f"{size:>10} {tag}")


# ---- Log -----------------------------------------------------------------------------------------------------------

def log_lines():
    ring = static("KdpLogRing")
    size, following = ring["Text"].type.sizeof, int(ring["Next"])
    data = read(ring["Text"].address, size)
    start = following % size
    text = data[:following] if following <= size else data[start:] + data[:start]
    return text.decode(errors="replace").splitlines()


@command("dmesg")
def _dmesg(arguments):
    """dmesg [LINES]: the last lines of the log (40, or as many as given)."""
    print("\n".join(log_lines()[-(int(arguments[0], 0) if arguments else 40):]))


# ---- Trace ---------------------------------------------------------------------------------------------------------

@command("trace")
def _trace(arguments):
    """trace [N]: the newest trace records of all processors (20, or as many as given): cycles, processor, event, number, A, B."""
    found = []
    for processor in range(int(static("KeNumberProcessors"))):
        ring = static("KdpTrace")[processor]
        end, mask = int(ring["Next"]), int(ring["Mask"])
        for number in range(max(0, end - mask - 1), end):
            entry = ring["Record"][number & mask]
            found.append((int(entry["Cycles"]), processor, *(int(entry[field]) for field in ("Event", "Number", "A", "B"))))
    shown = int(arguments[0], 0) if arguments else 20
    for cycles, processor, event, number, a, b in sorted(found, reverse=True)[:shown]:
        print(f"{cycles:>20} {processor:>2} {enumerator(tracing.EVENTS, event):<14} {number:#x} {place(a)} {b:#x}")
