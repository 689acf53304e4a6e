# SPDX-License-Identifier: MIT
"""What labs/2/hidden/drawn.c must tell: equals that take turns until they end, and what is left of threads that have ended."""
WORKERS, STEPS, SLOTS, DEEDS = 5, 8, 6, 30
LIVES, ENDED = 1, 2


def values(seed):
    return {"turns.drawn": " ".join(turns(seed)), "lives.drawn": " ".join(lives(seed))}


def picker(seed):
    state = seed

    def pick(limit):
        nonlocal state
        state = (state * 1103515245 + 12345) & 0x7FFFFFFF
        return (state >> 16) % limit
    return pick


def turns(seed):
    pick = picker(seed)
    queue, step, status = list(range(WORKERS)), [0] * WORKERS, [0] * WORKERS
    while queue:
        me = queue.pop(0)
        while step[me] < STEPS:
            what, end, _ = pick(6), pick(10), pick(20)
            yield f"{chr(ord('a') + me)}{step[me]}"
            step[me] += 1
            if what == 0:
                status[me] = end
                break
            if what < 4:
                queue.append(me)            # behind its equals
                break
    for me in range(WORKERS):
        yield f"{chr(ord('a') + me)}={status[me]}"


def lives(seed):
    pick = picker(seed)
    state = [0] * SLOTS
    for _ in range(DEEDS):
        number = pick(SLOTS)
        state[number] = (state[number] + 1) % 3
        yield f"{state.count(LIVES)}{SLOTS - state.count(0)}"       # stacks; objects
