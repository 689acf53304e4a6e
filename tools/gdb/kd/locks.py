# SPDX-License-Identifier: MIT
"""Who waits for whom: `waits` for threads, `locks` for locks. What is held and wanted stands in the lists of kernel/kd/locks.h (debug
builds); dispatcher objects tell of their waiters in all builds."""
from .base import Missing, command, entries, enumerator, find_static, place, record, source
from .objects import DISPATCHER_TYPES, thread_ids, thread_words, threads
from .stacks import INSIDE, registers, running, walk

LOCK_SHARED, LOCK_WAITING = 1, 2     # KD_LOCK.Flags
WAITING = 5                          # KTHREAD.State
BLOCK_LINKED = 1                     # KWAIT_BLOCK.BlockState
MUTANT, THREAD_OBJECT, PROCESS_OBJECT, FIRST_TIMER = 2, 6, 3, 8
COMMITTED, STATE_MASK = 9, 0xff      # KTHREAD.WaitWord


# ---- Locks ---------------------------------------------------------------------------------------------------------

class Entry:
    """A lock that the list's owner holds or waits for."""

    def __init__(self, owner, entry):
        flags = int(entry["Flags"])
        self.owner, self.lock = owner, int(entry["Lock"])
        self.waiting = bool(flags & LOCK_WAITING)
        self.shared = ", shared" if flags & LOCK_SHARED else ""
        self.kind = entry["Class"]["Name"].string()
        self.name = f"{self.kind} {place(self.lock)}"
        self.places = [int(entry["Place"][i]) for i in range(entry["Place"].type.range()[1] + 1)]

    @property
    def where(self):
        return " < ".join(place(address - 1) for address in self.places if address)


def lock_entries(ids):
    """Of all who hold or wait for a lock; None: this build keeps no lists."""
    head = find_static("KdpLists")
    if head is None:
        return None
    found = []
    for chain in entries(head, "struct _KD_LOCK_LIST", "Links"):
        owner = int(chain["Owner"])
        owner = thread_words(owner, ids) if owner else f"processor {int(chain['Processor'])}"
        for i in range(int(chain["Count"])):
            if int(chain["Entry"][i]["Lock"]):
                found.append(Entry(owner, chain["Entry"][i]))
    return found


@command("locks")
def _locks(_):
    """Locks that are held or waited for: by whom, and the stack of each acquisition (debug builds)."""
    found = lock_entries(thread_ids())
    if found is None:
        raise Missing("nothing is known about locks: that is in debug builds only")
    if not found:
        print("no lock is held or waited for")
    for lock in dict.fromkeys(entry.lock for entry in found):
        of_it = [entry for entry in found if entry.lock == lock]
        print(of_it[0].name)
        if all(entry.waiting for entry in of_it):
            print("  held by nobody who is known")
        for entry in sorted(of_it, key=lambda e: e.waiting):
            print(f"  {'waited for' if entry.waiting else 'held'} by {entry.owner}{entry.shared}, from {entry.where}")


# ---- The graph -----------------------------------------------------------------------------------------------------

def object_words(header):
    return f"{enumerator(DISPATCHER_TYPES, header['Type'])} {place(header.address)}"


def owner_of(header):
    """Who alone can end a wait for the object: the owner of a mutex, a thread that is to end; 0: anybody."""
    kind = int(header["Type"])
    if kind == MUTANT:
        return int(record(header.address, "struct _KMUTANT")["OwnerThread"])
    return int(header.address) if kind == THREAD_OBJECT else 0


def waited_objects(thread):
    """Headers of the objects that a waiting thread's blocks are linked to: its own, or those that the wait for several was given."""
    several = int(thread["WaitBlockList"])
    blocks = thread["WaitBlockList"] if several else thread["WaitBlock"]
    for i in range(int(thread["WaitBlockCount"]) if several else 1):
        block = blocks[i]
        if int(block["BlockState"]) == BLOCK_LINKED and int(block["Thread"]) == int(thread.address) and int(block["Object"]):
            yield record(block["Object"], "DISPATCHER_HEADER")


def place_of(thread, on):
    """The innermost routine outside of the scheduler, with file and line."""
    try:
        stack = list(walk(*registers(thread, on)))
    except Missing:
        return ""
    found = next((pc for pc in stack if not place(pc).startswith(INSIDE)), None)
    return f"{place(found - 1)} at {source(found - 1)}" if found else ""


class Edge:
    def __init__(self, waiter, words, holders, where=""):
        self.waiter, self.words, self.holders, self.where = waiter, words, holders, where


def edges():
    ids, on = thread_ids(), running()
    found, result = lock_entries(ids) or [], []
    for entry in found:
        if entry.waiting:
            holders = [other.owner for other in found if other.lock == entry.lock and not other.waiting]
            result.append(Edge(entry.owner, entry.name, holders, entry.where))
    for _, thread in threads():
        tcb = thread["Tcb"]
        if int(tcb["State"]) == WAITING and int(tcb["WaitWord"]) & STATE_MASK == COMMITTED:
            for header in waited_objects(tcb):
                owner = owner_of(header)
                result.append(Edge(thread_words(tcb.address, ids), object_words(header), [thread_words(owner, ids)] if owner else [],
                                   place_of(tcb, on)))
    return result


def circle(graph):
    """Edges each of whose waiters holds what the one before waits for; empty when there is no such circle."""
    def follow(path):
        for holder in path[-1].holders:
            if holder == path[0].waiter:
                return path
            for edge in graph:
                if edge.waiter == holder and edge not in path:
                    found = follow(path + [edge])
                    if found:
                        return found
        return []

    return next((found for found in (follow([edge]) for edge in graph) if found), [])


@command("waits")
def _waits(_):
    """The wait-for graph: which thread (or spinning processor) waits for which object or lock, and who has it; then a deadlock, if
    there is one. Locks: in debug builds."""
    graph = edges()
    for edge in graph:
        print(f"{edge.waiter} waits for {edge.words}"
              f"{', held by ' + ' and '.join(edge.holders) if edge.holders else ''}{', from ' + edge.where if edge.where else ''}")
    found = circle(graph)
    for number, edge in enumerate(found):
        print(f"{'deadlock: ' if number == 0 else '  and '}{edge.waiter} waits for {edge.words}, held by "
              f"{found[(number + 1) % len(found)].waiter}")
    if not graph:
        print("nobody waits")
