# SPDX-License-Identifier: MIT
"""What labs/5/hidden/placing.c must tell: an idle processor, where the thread ran last or from its ideal one on; else the weakest."""
PROCESSORS, CASES, DIRECTOR = 4, 12, 20


def values(seed):
    return {"placing.cases": " ".join(run(seed))}


def run(seed):
    random = seed

    def pick(limit):
        nonlocal random
        random = (random * 1103515245 + 12345) & 0x7FFFFFFF
        return (random >> 16) % limit

    for _ in range(CASES):
        level = [DIRECTOR]
        for _ in range(1, PROCESSORS):
            choice = pick(6)
            level.append(0 if choice < 2 else 1 + 2 * choice)
        last, ideal, priority, affinity = pick(PROCESSORS), pick(PROCESSORS), 6 + 2 * pick(4), 1 + pick(15)
        allowed = [number for number in range(PROCESSORS) if affinity >> number & 1]
        lowest = min(level[number] for number in allowed)
        best = [number for number in allowed if level[number] == lowest]
        if lowest >= priority:
            yield "-"
        elif last in best:
            yield str(last)
        else:
            yield str(min(best, key=lambda number: (number - ideal) % PROCESSORS))
