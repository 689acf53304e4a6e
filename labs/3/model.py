# SPDX-License-Identifier: MIT
"""What labs/3/hidden/workload.c must tell: 32 ready queues, first come first served within one, the highest first."""
THREADS, STEPS = 16, 3


def values(seed):
    return {"ready.workload": " ".join(run(seed))}


def run(seed):
    state = seed

    def pick(limit):
        nonlocal state
        state = (state * 1103515245 + 12345) & 0x7FFFFFFF
        return (state >> 16) % limit

    priority = [1 + pick(15) for _ in range(THREADS)]
    queues = {level: [thread for thread in range(THREADS) if priority[thread] == level] for level in range(32)}
    step = [0] * THREADS

    def highest():
        return max((level for level in queues if queues[level]), default=-1)

    while highest() >= 0:
        me = queues[highest()].pop(0)
        running = True
        while running and step[me] < STEPS:
            yield f"{chr(ord('a') + me)}{step[me]}"
            step[me] += 1
            what, whom, value = pick(4), pick(THREADS), 1 + pick(15)
            if what == 1 and queues[priority[me]]:
                queues[priority[me]].append(me)             # behind its equals
                running = False
            elif what == 2:
                priority[me] = min(value, priority[me])
            elif what == 3 and step[whom] < STEPS and whom != me and priority[whom] != value:
                queues[priority[whom]].remove(whom)
                priority[whom] = value
                queues[value].append(whom)
            if running and highest() > priority[me]:
                queues[priority[me]].insert(0, me)          # preempted: it goes on before its equals
                running = False
