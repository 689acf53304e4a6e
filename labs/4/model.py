# SPDX-License-Identifier: MIT
"""What labs/4/hidden/abandon.c must tell: a mutant that is taken and left by threads that end, and a semaphore of at most five."""
STEPS = 24


def values(seed):
    return {"signals.sequence": " ".join(run(seed))}


def run(seed):
    random = seed

    def pick(limit):
        nonlocal random
        random = (random * 1103515245 + 12345) & 0x7FFFFFFF
        return (random >> 16) % limit

    held, units = 0, 2              # how often we own the mutant; what the semaphore has
    for _ in range(STEPS):
        what, count = pick(4), 1 + pick(3)
        if what == 0:
            yield "m0" if held else "m1"        # ours already; or abandoned by the one that has ended
            held += 1
        elif what == 1 and held:
            yield f"r{held - 1}"
            held -= 1
        elif what == 1:
            yield "f1"
        elif what == 2 and units:
            units -= 1
            yield f"s{units}"
        elif what == 2:
            yield "s9"
        elif units + count <= 5:
            yield f"u{units}"
            units += count
        else:
            yield f"l{units}"
