# SPDX-License-Identifier: MIT
"""What labs/7/hidden/tidings.c must tell: process routines of three kinds, called in the order of their slots; the first veto counts."""
ROUTINES, STEPS = 12, 40


def values(seed):
    return {"tidings.sequence": " ".join(run(seed))}


def run(seed):
    random = seed

    def pick(limit):
        nonlocal random
        random = (random * 1103515245 + 12345) & 0x7FFFFFFF
        return (random >> 16) % limit

    slots = [None] * 64
    forbids, leaves = set(), set()

    def remove(number):
        slots[slots.index(number)] = None

    def live(native):
        told, veto = "", None
        hears = lambda number: number is not None and (native or number % 3 == 2)
        for number in list(filter(hears, slots)):
            told += chr(ord("a") + number)
            if number in forbids and number % 3:
                forbids.discard(number)
                veto = number if veto is None else veto
            if number in leaves:
                leaves.discard(number)
                remove(number)
        told += "".join(chr(ord("A") + number) for number in filter(hears, slots))
        return f"{'n' if native else 's'}:{told}={'0' if veto is None else chr(ord('a') + veto)}"

    for _ in range(STEPS):
        what, number = pick(8), pick(ROUTINES)
        if what <= 2:
            yield f"r{int(number in slots)}"
            if number not in slots:
                slots[slots.index(None)] = number
        elif what == 3:
            yield f"d{int(number not in slots)}"
            if number in slots:
                remove(number)
        elif what == 4:
            forbids.add(number)
        elif what == 5:
            leaves.add(number)
        else:
            yield live(number >= ROUTINES // 3)
    yield live(True)
