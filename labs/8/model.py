# SPDX-License-Identifier: MIT
"""What labs/8/hidden/fuzz must tell: the status of each call."""
STEPS = 60
BAD = (0, "bad", "bad", "bad", "bad", "bad", "bad")     # BadAddresses of tests/user/test.h; 0: RawCall keeps its own stack


def values(seed):
    return {"fuzz.statuses": " ".join(run(seed))}


def run(seed):
    random = seed

    def pick(limit):
        nonlocal random
        random = (random * 1103515245 + 12345) & 0x7FFFFFFF
        return (random >> 16) % limit

    def unknown():
        pick(1000), pick(2)
        return "C000001C"               # STATUS_INVALID_SYSTEM_SERVICE

    def long():
        return "C0000005" if BAD[pick(7)] else "0"

    def create():
        length, flags, short = 40 + pick(2000), pick(5), pick(4) == 0
        if short or flags in (2, 3):
            return "C000000D"           # STATUS_INVALID_PARAMETER
        if length > 1024:
            return "C0000106"           # STATUS_NAME_TOO_LONG
        return "C0000033" if length % 2 else "0"        # STATUS_OBJECT_NAME_INVALID

    def query():
        handle, unknown_class, wrong_length, bad = pick(4), pick(4) == 0, pick(4) == 0, pick(14)
        if unknown_class:
            return "C0000003"           # STATUS_INVALID_INFO_CLASS
        if wrong_length:
            return "C0000004"           # STATUS_INFO_LENGTH_MISMATCH
        if handle:
            return (None, "C0000024", "C0000022", "C0000008")[handle]       # of another type, without the right, none
        return "C0000005" if bad < 7 else "0"

    for _ in range(STEPS):
        what = pick(4)
        yield "ulcq"[what] + (unknown, long, create, query)[what]()
