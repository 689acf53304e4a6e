# SPDX-License-Identifier: MIT
"""What a raw trace means: threads with names, and spans of time. For tools/trace; docs/tracing.md explains the words."""
import collections
import os
import re

from tracing import ROOT

REASONS = ("Executive FreePage PageIn PoolAllocation DelayExecution Suspended UserRequest WrExecutive WrFreePage WrPageIn "
           "WrPoolAllocation WrDelayExecution WrSuspended WrUserRequest WrSpare0 WrQueue WrLpcReceive WrLpcReply "
           "WrVirtualMemory WrPageOut WrRendezvous WrKeyedEvent WrTerminated WrProcessInSwap WrCpuRateControl "
           "WrCalloutStack WrKernel WrResource WrPushLock WrMutex WrQuantumEnd WrDispatchInt WrPreempted WrYieldExecution "
           "WrFastMutex WrGuardedMutex WrRundown WrAlertByThreadId").split()                     # KWAIT_REASON
WHY = ("waits", "is preempted", "yields", "quantum ends", "exits", "was idle")                      # KD_TRACE_WHY
STATES = ("started", "readied", "preempted", "standby", "terminated", "woken")                      # KTHREAD_STATE, before
WAIT_ENDS = ("none", "satisfied", "owned", "refused", "hint", "timed out", "broken off")            # WAIT_STATE
REQUESTS = ((1, "reschedule"), (2, "call"), (4, "DPC"), (8, "clock"), (16, "APC"))                  # KIPI_*
NAME = 0xffffffff                                                                                   # KD_TRACE_NAME
IDLE = 255                                                                                          # as a priority


def call_names():
    """By number, of native programs and of Linux's."""
    with open(os.path.join(ROOT, "include/ntapi.h")) as header:
        body = re.search(r"#define NT_SERVICES\(X\)(.*?)\n\n", header.read(), re.S)[1]
    native = ["Nt" + name for name in re.findall(r"^ +X\((\w+),", body, re.M)]
    with open(os.path.join(ROOT, "subsystems/linux/calls.h")) as header:
        linux = {int(number): name for number, name in re.findall(r"^(?:CALL|NONE)\((\d+), (\w+)", header.read(), re.M)}
    return dict(enumerate(native)), linux


class Thread:
    """One, from its creation on: another may get its address later."""

    def __init__(self, address):
        self.address, self.id, self.process, self.start, self.label, self.idle = address, None, None, None, None, False
        self.ended = False

    def __repr__(self):
        return self.address and hex(self.address) or "?"


class Process:
    def __init__(self, number):
        self.id, self.image, self.subsystem = number, "", ""

    @property
    def name(self):
        return (re.split(r"[/\\]", self.image)[-1] or self.subsystem or "process") + f" {self.id}"


Run = collections.namedtuple("Run", "processor start end thread why")
Span = collections.namedtuple("Span", "owner start end name")           # owner: a thread, or a processor's number
Wait = collections.namedtuple("Wait", "thread start end object reason how")
Wake = collections.namedtuple("Wake", "thread start end source target waker")   # from Ready to Run, on processors
Instant = collections.namedtuple("Instant", "processor time thread name")


def eight(word):
    return word.to_bytes(8, "little").split(b"\0")[0].decode(errors="replace")


class Timeline:
    """Times are nanoseconds from the first record on."""

    def __init__(self, raw):
        self.raw, self.end = raw, 0
        self.origin = raw.records[0][0] if raw.records else 0
        self.threads, self.processes, self.names = {}, {0: Process(0)}, {}
        self.all_threads = []
        self.runs, self.waits, self.wakes = [], [], []
        self.calls, self.faults, self.callbacks, self.interrupts, self.dpcs = [], [], [], [], []
        self.instants, self.migrations, self.samples, self.contentions = [], collections.Counter(), [], []
        self.lines = None
        self.native, self.linux = call_names()
        self.current = [None] * raw.processors      # the thread of each processor
        self.began = [0] * raw.processors           # when it began to run
        self.nesting = [[] for _ in range(raw.processors)]      # open interrupts and DPCs: (name, start)
        self.open = collections.defaultdict(list)   # by thread and kind: what has begun
        self.ready = {}                             # by thread: (time, processor, waker)
        self.last_sample, self.left = {}, {}
        self.find_first_threads()

    def find_first_threads(self):
        """Who ran before a processor's first switch: the thread that it left."""
        missing = set(range(self.raw.processors))
        for _, processor, event, _, a, _ in self.raw.records:
            if not missing:
                break
            if event == "Switch" and processor in missing:
                self.current[processor] = a
                missing.discard(processor)
        self.current = [self.thread(address) if address else self.thread(0) for address in self.current]

    def thread(self, address):
        if address not in self.threads:
            self.threads[address] = Thread(address)
            self.threads[address].label = self.names.get(address)       # named before anything else was seen of it
            self.all_threads.append(self.threads[address])
        return self.threads[address]

    def process(self, number):
        if number not in self.processes:
            self.processes[number] = Process(number)
        return self.processes[number]

    # ---- Names

    def title(self, thread):
        if thread.idle:
            return "idle"
        if thread.label:
            return thread.label
        if thread.id is None:
            return f"thread {thread.address:#x}" if thread.address else "?"
        if thread.process and thread.process.id in (0, 4) and thread.start:
            return f"{(self.raw.name(thread.start) or 'system').split('+')[0]} {thread.id}"
        return f"{thread.process.name if thread.process else 'process'}.{thread.id}"

    def object(self, address):
        if address == 0:
            return "time"
        if address in self.threads and self.threads[address].id is not None:
            return f"thread {self.title(self.threads[address])}"
        if isinstance(named := self.names.get(address), Process):
            return f"process {named.name}"
        return named or self.raw.name(address) or f"{address:#x}"

    def call(self, number, routine):
        native = (self.raw.name(routine) or "").startswith("SvcDispatch")
        return (self.native if native else self.linux).get(number) or f"call {number}"

    # ---- Records

    def build(self, text=False):
        """Reads all records; with text, self.lines gets one for each."""
        self.lines = [] if text else None
        handlers = {name[3:]: getattr(self, name) for name in dir(self) if name.startswith("on_")}
        scale, origin, current = self.raw.cycles_per_second, self.origin, self.current
        for cycles, processor, event, number, a, b in self.raw.records:
            now = (cycles - origin) * 1_000_000_000 // scale
            before = current[processor]
            said = handlers[event](now, processor, before, number, a, b) if event in handlers else f"{number:#x} {a:#x} {b:#x}"
            if text:
                self.lines.append((now, processor, before, event, said))
            self.end = now
        for processor, thread in enumerate(current):
            self.runs.append(Run(processor, self.began[processor], self.end, thread, None))
        for (thread, kind), stack in self.open.items():
            for start, *rest in stack:      # the run, or the thread, ended inside
                self.close(thread, kind, start, self.end, rest, None)
        return self

    def close(self, thread, kind, start, end, rest, how):
        if kind == "wait":
            self.waits.append(Wait(thread, start, end, rest[0], rest[1], how))
        else:
            {"call": self.calls, "fault": self.faults, "callback": self.callbacks}[kind].append(Span(thread, start, end, rest[0]))

    def begin(self, thread, kind, now, *rest):
        self.open[thread, kind].append((now, *rest))

    def finish(self, thread, kind, now, how=None):
        if self.open[thread, kind]:
            start, *rest = self.open[thread, kind].pop()
            self.close(thread, kind, start, now, rest, how)

    def on_Switch(self, now, processor, old, number, a, b):
        new, why = self.thread(b), number & 255
        if number >> 16 & 255 == IDLE:
            new.idle = True
        if number >> 8 & 255 == IDLE:
            self.thread(a).idle = True
        if new in self.current:     # its former processor has given it up, and has not come to write that down
            self.left.setdefault(new, now)
        self.runs.append(Run(processor, self.began[processor], self.left.pop(old, now), old, why))
        self.current[processor], self.began[processor] = new, now
        if new in self.ready:
            start, source, waker = self.ready.pop(new)
            self.wakes.append(Wake(new, start, now, source, processor, waker))
        if WHY[why] == "exits":
            for kind in ("call", "fault", "callback"):
                while self.open[old, kind]:
                    self.finish(old, kind, now)
        return f"{self.title(old)} {WHY[why]}, {self.title(new)} runs at priority {'-' if new.idle else number >> 16 & 255}"

    def on_Ready(self, now, processor, old, number, a, b):
        thread = self.thread(a)
        former = number >> 8 & 255
        inside = self.nesting[processor]
        self.ready[thread] = (now, processor, inside[-1][0] if inside else self.title(old))
        return f"{self.title(thread)} is {STATES[former]}, on processor {number & 255}, at priority {number >> 16 & 255}"

    def on_WaitBegin(self, now, processor, thread, number, a, b):
        self.begin(thread, "wait", now, a, number)
        due = "" if b == 2 ** 64 - 1 else ", with a time-out"
        return f"for {self.object(a)} ({REASONS[number] if number < len(REASONS) else number}{due})"

    def on_WaitEnd(self, now, processor, thread, number, a, b):
        inside = self.open[thread, "wait"]
        what = f"for {self.object(inside[-1][1])}: " if inside else ""
        self.finish(thread, "wait", now, number)
        return what + (WAIT_ENDS[number] if number < len(WAIT_ENDS) else str(number)) + (f", number {a}" if a else "")

    def on_Priority(self, now, processor, old, number, a, b):
        return f"{self.title(self.thread(a))}: {number >> 8 & 255} becomes {number & 255}"

    def on_Migrate(self, now, processor, old, number, a, b):
        self.migrations[self.thread(a)] += 1
        return f"{self.title(self.thread(a))} from processor {b} to {number}"

    def requests(self, bits):
        return " and ".join(name for bit, name in REQUESTS if bits & bit) or "nothing"

    def on_IpiSend(self, now, processor, thread, number, a, b):
        self.instants.append(Instant(processor, now, thread, f"IPI to {number}: {self.requests(a)}"))
        return f"to processor {number}: {self.requests(a)}"

    def on_IpiReceive(self, now, processor, thread, number, a, b):
        return self.requests(a)

    def vector(self, number):
        return f"interrupt {number:#x}"

    def on_InterruptBegin(self, now, processor, thread, number, a, b):
        self.nesting[processor].append((self.vector(number), now))
        return f"vector {number:#x}"

    def leave(self, now, processor, spans):
        if self.nesting[processor]:
            name, start = self.nesting[processor].pop()
            spans.append(Span(processor, start, now, name))

    def on_InterruptEnd(self, now, processor, thread, number, a, b):
        self.leave(now, processor, self.interrupts)
        return f"vector {number:#x}"

    def on_DpcBegin(self, now, processor, thread, number, a, b):
        name = f"DPC {self.object(a)}"
        if number:
            self.begin(thread, "callback", now, name)
        else:
            self.nesting[processor].append((name, now))
        return self.object(a) + (", threaded" if number else "")

    def on_DpcEnd(self, now, processor, thread, number, a, b):
        if number:
            self.finish(thread, "callback", now)
        else:
            self.leave(now, processor, self.dpcs)
        return self.object(a)

    def on_CallBegin(self, now, processor, thread, number, a, b):
        while self.open[thread, "call"]:        # the one before did not return: an exec, for example
            self.finish(thread, "call", now)
        self.begin(thread, "call", now, self.call(number, a))
        return f"{self.call(number, a)}({b:#x}...)"

    def on_CallEnd(self, now, processor, thread, number, a, b):
        inside = self.open[thread, "call"]
        name = inside[-1][1] if inside else f"call {number}"
        self.finish(thread, "call", now)
        return f"{name}: {a:#x}"

    def on_FaultBegin(self, now, processor, thread, number, a, b):
        self.begin(thread, "fault", now, f"page fault at {a:#x}")
        return f"at {a:#x}, by {self.raw.name(b) or hex(b)}"

    def on_FaultEnd(self, now, processor, thread, number, a, b):
        self.finish(thread, "fault", now)
        return f"status {number:#x}"

    def on_Exception(self, now, processor, thread, number, a, b):
        self.instants.append(Instant(processor, now, thread, f"exception {number:#x}"))
        return f"{number:#x} at {self.raw.name(a) or hex(a)}"

    def on_ProcessCreate(self, now, processor, thread, number, a, b):
        self.processes[number] = self.names[a] = Process(number)
        self.processes[number].subsystem = eight(b)
        return f"process {number}, {eight(b)}"

    def on_ProcessName(self, now, processor, thread, number, a, b):
        process = self.process(number)
        process.image = (a.to_bytes(8, "little") + b.to_bytes(8, "little")).rstrip(b"\0").decode(errors="replace")
        return f"process {number} is ...{process.image}"

    def on_ProcessExit(self, now, processor, thread, number, a, b):
        return f"process {number}, status {a & 0xffffffff:#x}"

    def on_ThreadCreate(self, now, processor, thread, number, a, b):
        known = self.threads.get(a)
        if known is None or known.id is not None:
            known = self.threads[a] = Thread(a)
            self.names.pop(a, None)
            self.all_threads.append(known)
        known.id, known.process = number, self.process(b)
        return f"thread {number} of process {b}"

    def on_ThreadStart(self, now, processor, thread, number, a, b):
        self.thread(a).start = b
        return f"thread {number} at {self.raw.name(b) or hex(b)}"

    def on_ThreadExit(self, now, processor, thread, number, a, b):
        return f"thread {number}, status {a & 0xffffffff:#x}"

    def on_CallbackBegin(self, now, processor, thread, number, a, b):
        self.begin(thread, "callback", now, f"callback {self.object(a)}")
        return self.object(a)

    def on_CallbackEnd(self, now, processor, thread, number, a, b):
        self.finish(thread, "callback", now)
        return self.object(a)

    def on_Contention(self, now, processor, thread, number, a, b):
        spun = b * 1_000_000_000 // self.raw.cycles_per_second
        self.contentions.append(Span(processor, now - spun, now, f"spin for {self.object(a)}"))
        return f"{self.object(a)}, after {spun} ns"

    def on_Mark(self, now, processor, thread, number, a, b):
        if number == NAME:
            self.names[a] = eight(b)
            if a in self.threads:
                self.threads[a].label = eight(b)
            return f"{a:#x} is called {eight(b)}"
        self.instants.append(Instant(processor, now, thread, f"mark {number}: {a:#x} {b:#x}"))
        return f"{number}: {a:#x} {b:#x}"

    def on_Sample(self, now, processor, thread, number, a, b):
        weight = now - self.last_sample.get(processor, now)
        self.last_sample[processor] = now
        self.samples.append([processor, weight, self.thread(b), number >> 8 & 1, [a]])
        return f"{self.raw.name(a) or hex(a)}{' (user)' if number >> 8 & 1 else ''}"

    def on_Frames(self, now, processor, thread, number, a, b):
        last = next((sample for sample in reversed(self.samples) if sample[0] == processor), None)
        if last:
            last[4] += [address for address in (a, b) if address]
        return f"{self.raw.name(a)} {self.raw.name(b) if b else ''}"

    # ---- Figures

    def statistics(self):
        """By thread: what it did with its time."""
        rows = {}
        for thread in self.all_threads:
            rows[thread] = {"thread": self.title(thread), "run": 0, "wait": 0, "switches": 0, "migrations": self.migrations[thread],
                            "waits": 0, "latency": []}
        for run in self.runs:
            rows[run.thread]["run"] += run.end - run.start
            rows[run.thread]["switches"] += run.why is not None
        for wait in self.waits:
            rows[wait.thread]["wait"] += wait.end - wait.start
            rows[wait.thread]["waits"] += 1
        for wake in self.wakes:
            rows[wake.thread]["latency"].append(wake.end - wake.start)
        for row in rows.values():
            row["latency"].sort()
        return [row for row in rows.values() if row["run"] or row["waits"] or row["latency"]]

    def waited_for(self):
        """Who waited for what, how often and how long: (thread, object, count, sum, longest), the longest sum first."""
        rows = collections.defaultdict(lambda: [0, 0, 0])
        for wait in self.waits:
            row, took = rows[self.title(wait.thread), self.object(wait.object)], wait.end - wait.start
            row[0], row[1], row[2] = row[0] + 1, row[1] + took, max(row[2], took)
        return sorted(((*key, *row) for key, row in rows.items()), key=lambda row: -row[3])
