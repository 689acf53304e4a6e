# SPDX-License-Identifier: MIT
"""What labs/6/hidden/fates.c must tell: when a process ends, with which status, and how long it is found by its id."""
STEPS, SLOTS, HANDLES = 40, 3, 3


def values(seed):
    return {"fates.sequence": " ".join(run(seed))}


class Process:
    def __init__(self):
        self.handles, self.asked, self.status = 1, None, None   # asked: by who terminated it; status: it has ended
        self.thread, self.thread_alive, self.holder = None, True, None

    def leave(self, status):
        """A thread leaves; the last one ends the process."""
        if not self.thread_alive and self.holder is None:
            self.status = self.asked if self.asked is not None else status

    def end_thread(self, status):
        """0, or 1 when somebody has ended it before."""
        if not self.thread_alive:
            return 1
        self.thread_alive = False
        self.leave(status)
        return 0


def run(seed):
    random = seed

    def pick(limit):
        nonlocal random
        random = (random * 1103515245 + 12345) & 0x7FFFFFFF
        return (random >> 16) % limit

    slots = [None] * SLOTS
    for _ in range(STEPS):
        place, what, value = pick(SLOTS), pick(8), 1 + pick(9)
        this = slots[place]
        look = lambda: f"p0" if this.status is None else f"s{this.status}"
        if this is None:
            slots[place] = Process()
            yield "c1"
        elif what == 0:
            this.handles = min(this.handles + 1, HANDLES)
            yield f"h{this.handles}"
        elif what == 1:
            this.handles = max(this.handles - 1, 1)
            yield f"k{this.handles}"
        elif what in (2, 3) and this.holder is None:
            refused = this.asked is not None or this.status is not None
            this.holder = None if refused else value
            yield f"j{int(refused)}"
        elif what in (2, 3):
            status, this.holder = this.holder, None
            this.leave(status)
            yield f"l{int(this.status is not None)}"
        elif what == 4:
            refused = this.asked is not None or this.status is not None
            if not refused:
                this.asked = value
                this.end_thread(value)
            yield f"t{int(refused)}"
        elif what == 5:
            yield f"x{this.end_thread(value)}"
        elif what == 6 or this.holder is not None:
            yield look()
        elif this.status is not None:
            slots[place] = None
            yield "g0"
        else:
            this.handles = 1
            yield "g1"
