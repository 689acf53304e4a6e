# SPDX-License-Identifier: MIT
"""What labs/1/hidden/sequence.c must tell: levels with the DPCs that run as they drop, and the order in which a lock is handed on."""
STEPS, DPCS, PROCESSORS, ROUNDS = 48, 5, 4, 6
DISPATCH, HIGH = 2, 15


def values(seed):
    return {"irql.sequence": " ".join(levels(seed)), "queue.sequence": " ".join(queue(seed))}


def picker(seed):
    state = seed

    def pick(limit):
        nonlocal state
        state = (state * 1103515245 + 12345) & 0x7FFFFFFF
        return (state >> 16) % limit
    return pick


def levels(seed):
    pick = picker(seed)
    level, saved, waiting = 0, [], []
    for _ in range(STEPS):
        what, number, up = pick(4), pick(DPCS), 1 + pick(6)
        if what == 0 and level < HIGH:
            saved.append(level)
            level, told = min(level + up, HIGH), "r"
        elif what == 1 and number not in waiting:
            waiting.append(number)
            told = "q"
        elif what >= 2 and saved:
            level, told = saved.pop(), "l"
        else:
            continue
        ran = waiting if level < DISPATCH else []           # below DISPATCH_LEVEL nothing waits
        waiting = [] if level < DISPATCH else waiting
        mask = "x" if level == HIGH else f"{level:x}" if level > DISPATCH else "0"
        yield f"{told}{level:x}{mask}" + "".join(chr(ord("a") + number) for number in ran)


def queue(seed):
    pick = picker(seed)
    for _ in range(ROUNDS):
        order = []
        for _ in range(PROCESSORS - 1):
            who = 1 + pick(PROCESSORS - 1)
            while who in order:
                who = who % (PROCESSORS - 1) + 1
            order.append(who)
        yield "".join(map(str, order))
