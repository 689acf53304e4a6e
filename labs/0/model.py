# SPDX-License-Identifier: MIT
"""What the hidden tests of lab 0 must tell: how far a walk comes, and what a program says of its arguments and threads."""
STEPS, ROUNDS = 16, 8


def values(seed):
    return {"walk.drawn": " ".join(walk(seed)), "tour.drawn": " ".join(tour(seed))}


def picker(seed):
    state = seed

    def pick(limit):
        nonlocal state
        state = (state * 1103515245 + 12345) & 0x7FFFFFFF
        return (state >> 16) % limit
    return pick


def walk(seed):
    pick = picker(seed)
    for _ in range(STEPS):
        what, depth = pick(3), 2 + pick(18)
        at, limit = 1 + pick(depth), 1 + pick(depth)
        yield "wbl"[what] + chr(ord("A") + (depth - 1, at - 1, limit)[what])


def tour(seed):
    pick = picker(seed)
    for _ in range(ROUNDS):
        count, size = pick(6), 1 + pick(63)
        words = ["".join(chr(ord("a") + pick(26)) for _ in range(pick(4))) for _ in range(count)]
        text = ""
        for number, word in enumerate(words, 1):
            line = f"{number}:_{word}/"
            if len(text) + len(line) < size:        # a NUL must fit behind it
                text += line
        yield f"{text}{count}"
        yield str(pick(6) + 1)                      # the main thread, too
