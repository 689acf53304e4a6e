# SPDX-License-Identifier: MIT
"""Objects: processes, threads, handles. All processes and threads are found through the table of client ids."""
import gdb

from .base import (KERNEL_HALF, Missing, c_string, command, entries, enumerator, number_of, place, record, static, type_of,
                   unicode_string, words)

PROCESS_STATES = ("Created", "Starting", "Running", "Terminating", "Ending", "Ended")          # ps.h
THREAD_STATES = ("Initialized", "Ready", "Running", "Standby", "Terminated", "Waiting")        # ke.h
DISPATCHER_TYPES = ("notification event", "synchronization event", "mutex", "process", "queue", "semaphore", "thread",
                    "7", "notification timer", "synchronization timer", "wait timer")          # ntddk.h
# The type of an object's body by its type's name.
BODIES = {"Process": "struct _EPROCESS", "Thread": "struct _ETHREAD", "Event": "struct _KEVENT", "Mutant": "struct _KMUTANT",
          "Semaphore": "struct _KSEMAPHORE", "Timer": "struct _KTIMER", "File": "struct _FILE_OBJECT",
          "Device": "struct _DEVICE_OBJECT", "Driver": "struct _DRIVER_OBJECT"}
OBJECT_FLAGS = ("static", "permanent", "exclusive")                                            # obp.h
ENTRY_SIZE = 16     # HANDLE_ENTRY


# ---- Tables of handles ---------------------------------------------------------------------------------------------

def table_entries(table):
    """(value, address of the object, access) of all that are in use: leaf by leaf, each read at once."""
    leaf_entries = type_of("struct _HANDLE_LEAF").fields()[0].type.range()[1] + 1
    middle_entries = type_of("struct _HANDLE_MIDDLE").fields()[0].type.range()[1] + 1
    end = int(table["FirstUnused"]) // 4
    for first in range(0, end, leaf_entries):
        top, middle = divmod(first // leaf_entries, middle_entries)
        leaf = int(table["Middle"][top]["Leaf"][middle])
        data = words(leaf, leaf_entries * 2)
        for entry in range(leaf_entries):
            body = data[2 * entry]
            if body and 0 < first + entry < end:
                yield (first + entry) * 4, body | KERNEL_HALF, data[2 * entry + 1] & 0xffffffff     # clear while locked


def header_of(body):
    return record(int(body) - type_of("struct _OBJECT_HEADER").sizeof, "struct _OBJECT_HEADER")


TYPE_NAMES = {}     # address of an OBJECT_TYPE: its name; types live for ever


def type_name(header):
    address = int(header["Type"])
    if address not in TYPE_NAMES:
        TYPE_NAMES[address] = header["Type"]["Routines"]["Name"].string()
    return TYPE_NAMES[address]


gdb.events.new_objfile.connect(lambda _: TYPE_NAMES.clear())


def client_objects():
    """(id, type's name, address) of each."""
    table = static("ObpClientIds")
    if int(table) == 0:
        raise Missing("the object manager is not up yet")
    for value, body, _ in table_entries(table):
        yield value, type_name(header_of(body)), body


def processes():
    return [(i, record(a, "struct _EPROCESS")) for i, kind, a in client_objects() if kind == "Process"]


def threads():
    return [(i, record(a, "struct _ETHREAD")) for i, kind, a in client_objects() if kind == "Thread"]


def process_of(thread):
    return record(int(thread["Tcb"]["Process"]), "struct _EPROCESS")


def process_name(process):
    name = unicode_string(process["ImageFileName"])
    return name or c_string(process["SubsystemName"])


def thread_ids():
    """{address of a KTHREAD: "4.8"}"""
    return {int(thread.address): f"{int(thread['Cid']['UniqueProcess'])}.{identity}" for identity, thread in threads()}


def thread_words(address, ids):
    """'thread 0xffff... (4.8)', or the idle thread of a processor."""
    return f"thread {int(address):#x} ({ids.get(int(address), 'idle, or going')})"


def find_thread(text):
    """A KTHREAD by an id, by an address, or by PROCESS.THREAD."""
    last = text.rpartition(".")[2] if all(part.isdigit() for part in text.split(".")) else text
    number = number_of(last)
    if number >= KERNEL_HALF:
        return record(number, "struct _KTHREAD")
    for identity, thread in threads():
        if identity == number:
            return thread["Tcb"]
    raise Missing(f"no thread has the id {number}")


def find_process(text):
    number = number_of(text)
    if number >= KERNEL_HALF:
        return record(number, "struct _EPROCESS")
    for identity, process in processes():
        if identity == number:
            return process
    raise Missing(f"no process has the id {number}")


# ---- Commands ------------------------------------------------------------------------------------------------------

@command("ps")
def _ps(_):
    """Processes: id, parent, state, threads, subsystem, program."""
    print(f"{'PID':>6} {'PARENT':>6} {'STATE':<12} {'THREADS':>7} {'SUBSYSTEM':<10} {'EPROCESS':<18} PROGRAM")
    for identity, process in processes():
        state = enumerator(PROCESS_STATES, process["State"])
        print(f"{identity:>6} {int(process['InheritedFromUniqueProcessId']):>6} {state:<12} "
              f"{int(process['ActiveThreads']):>7} {c_string(process['SubsystemName']):<10} "
              f"{int(process.address):#018x} {process_name(process)}")


def object_name(header):
    """Its path, as far as directories have names themselves."""
    parts, name = [], header["Name"]
    while int(name):
        parts.append(unicode_string(name["Text"]))
        directory = int(name["Directory"])
        if not directory:
            break
        name = header_of(directory)["Name"]
    return "\\" + "\\".join(reversed(parts)) if parts else ""


def describe(body):
    """One line about an object."""
    header = header_of(body)
    kind = type_name(header)
    name = object_name(header)
    if kind == "Process":
        process = record(body, "struct _EPROCESS")
        name = f"{int(process['UniqueProcessId'])} {process_name(process)}"
    elif kind == "Thread":
        thread = record(body, "struct _ETHREAD")
        name = f"{int(thread['Cid']['UniqueProcess'])}.{int(thread['Cid']['UniqueThread'])}"
    return f"{kind:<10} {name}".rstrip()


@command("handles")
def _handles(arguments):
    """handles [PROCESS]: the handles of a process (by id or address), or the kernel's (process 4): value, access, object."""
    process = find_process(arguments[0] if arguments else "4")
    table = process["Pcb"]["HandleTable"]
    if int(table) == 0:
        raise Missing("the process has no handles any more")
    print(f"{'HANDLE':>6} {'ACCESS':<10} {'OBJECT':<18} TYPE, NAME")
    for value, body, access in table_entries(table):
        print(f"{value:>6} {access:#010x} {body:#018x} {describe(body)}")


@command("object")
def _object(arguments):
    """object ADDRESS: what an object is, who counts it, and its body."""
    if len(arguments) != 1:
        raise Missing("object ADDRESS")
    body = number_of(arguments[0])
    header = header_of(body)
    pointers, handles, flags = (int(header[field]) for field in ("PointerCount", "HandleCount", "Flags"))
    try:
        kind = type_name(header)
    except gdb.error:
        raise Missing(f"{body:#x} is no object: it has no type") from None
    print(f"{describe(body)}\n{pointers} references, {handles} of them handles"
          f"{''.join(', ' + word for bit, word in enumerate(OBJECT_FLAGS) if flags >> bit & 1)}")
    for _, process in processes():
        table = process["Pcb"]["HandleTable"]
        if int(table):
            for value, other, access in table_entries(table):
                if other == body:
                    print(f"  handle {value} of process {int(process['UniqueProcessId'])}, access {access:#x}")
    if kind in BODIES:
        print(record(body, BODIES[kind]).format_string(max_elements=4, max_depth=2, pretty_structs=True))


NOTIFY_TABLES = (("process", "PspProcessTable"), ("thread", "PspThreadTable"), ("image", "PspImageTable"))   # notify.c
SLOT_OPEN = 1 << 32


def registered():
    """Who is told of what: (kind, routine, a note)."""
    for kind, name in NOTIFY_TABLES:
        table = static(name)
        for number in range(int(table["Occupied"]).bit_length()):
            slot = table["Slot"][number]
            state = int(slot["State"])
            if state:
                yield kind, int(slot["Routine"]), "" if state & SLOT_OPEN else ", being removed"
    for each in entries(static("ObpFilters"), "struct _OBP_FILTER", "Link"):
        for number in range(int(each["Count"])):
            operation = each["Operation"][number]
            for moment in ("PreOperation", "PostOperation"):
                if int(operation[moment]):
                    yield "handle", int(operation[moment]), f", {moment}, altitude {unicode_string(each['Altitude'])}"


@command("callbacks")
def _callbacks(_):
    """Notify routines of processes, threads and images, and object callbacks."""
    found = list(registered())
    for kind, routine, note in found:
        print(f"{kind:<8} {place(routine)}{note}")
    if not found:
        print("no callback is registered")
