#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Mutated program images through the guest's loaders.

    elf.py make SEED COUNT native|linux FOLDER      writes FOLDER/m00000 ..., and the shell's lines to FOLDER.sh
    elf.py check COUNT native|linux OUTPUT          OUTPUT is what the shell printed: every start must have had an end

The sample is one page: two loaded segments (the second with zeroed memory behind it), a note, a stack and a TLS header.
Its code touches both segments and ends with status 0. What is not code is mutated; all that is not the few instructions
is the byte of INT3, so that a program whose entry point was moved ends at once instead of running in circles.

The lines run all programs, then the first AGAIN a second time, with the free memory printed before and after that: the
first run of a program leaves the file's section behind, the second nothing.
"""
import collections
import os
import random
import re
import struct
import sys

AGAIN = 2000
PAGE, TEXT, DATA, CODE = 4096, 0x400000, 0x401240, 0x1c0
HEADER, PROGRAM_HEADER, HEADERS = "<16sHHIQQQIHHHHHH", "<IIQQQQQQ", 6
DATA_OFFSET, FILE_SIZE = DATA & (PAGE - 1), 0x2c0


def code(kind, number):
    """Reads the data, writes the zeroed memory, ends; addresses relative to RIP."""
    out = bytearray()

    def relative(opcode, target):
        out.extend(opcode + struct.pack("<i", target - (TEXT + CODE + len(out) + len(opcode) + 4)))
    relative(b"\x8b\x05", DATA)                                 # mov eax, [DATA]
    relative(b"\x89\x05", DATA + 0x1000)                        # mov [DATA + 0x1000], eax
    if kind == "linux":
        out += b"\x31\xff\xb8" + struct.pack("<I", 231)         # exit_group(0)
    else:
        out += b"\x48\x83\xcf\xff\x31\xf6\xb8" + struct.pack("<I", number)      # NtTerminateProcess(-1, 0)
    return bytes(out + b"\x0f\x05")


def sample(kind, number, moved):
    base = TEXT if not moved else 0
    note = struct.pack("<III8sI", 7, 4, 1, b"Primer\0\0" if kind == "native" else b"Other\0\0\0", 1)
    headers = [(1, 5, 0, base, 0, DATA_OFFSET, DATA_OFFSET, PAGE),
               (1, 6, DATA_OFFSET, base + DATA - TEXT, 0, FILE_SIZE - DATA_OFFSET, 0x2000, PAGE),
               (4, 4, 0x190, base + 0x190, 0, len(note), len(note), 4),
               (0x6474e551, 6, 0, 0, 0, 0, 0, 16),
               (7, 4, DATA_OFFSET, base + DATA - TEXT, 0, 8, 16, 8),
               (0, 0, 0, 0, 0, 0, 0, 0)]
    data = bytearray(b"\xcc" * FILE_SIZE)
    data[:64] = struct.pack(HEADER, b"\x7fELF\2\1\1", 3 if moved else 2, 62, 1, base + CODE, 64, 0, 0, 64, 56, HEADERS,
                            0, 0, 0)
    for index, header in enumerate(headers):
        struct.pack_into(PROGRAM_HEADER, data, 64 + 56 * index, *header)
    data[0x190:0x190 + len(note)] = note
    instructions = code(kind, number)
    data[CODE:CODE + len(instructions)] = instructions
    return data


VALUES = [0, 1, 2, 7, 0x3f, 0x40, 0xfff, 0x1000, 0x1001, 0x7fffffff, 0x80000000, 0xffffffff, 0x10000, 0xffff, TEXT, DATA,
          0x7ffffffff000, 0x7fffffffffff, 0x800000000000, 1 << 63, (1 << 63) - 1, (1 << 64) - 1, (1 << 64) - PAGE,
          0xffff800000000000, 0xffffffff80100000, 0x7fffffff0000, FILE_SIZE, FILE_SIZE + 1]


def mutate(data, random):
    """One step. Fields are hit more often than bytes: most loaders fall at sums, not at noise."""
    end = min(len(data), CODE)
    if end < 8:
        return
    what = random.randrange(12)
    if what == 0:
        data[random.randrange(end)] = random.randrange(256)
    elif what == 1:
        data[random.randrange(end)] ^= 1 << random.randrange(8)
    elif what == 2:
        del data[random.randrange(len(data)):]
    elif what == 3 and end == CODE:         # two program headers change places
        one, other = (64 + 56 * random.randrange(HEADERS) for _ in range(2))
        data[one:one + 56], data[other:other + 56] = data[other:other + 56], data[one:one + 56]
    elif what == 4 and end == CODE:         # another type
        struct.pack_into("<I", data, 64 + 56 * random.randrange(HEADERS), random.choice([0, 1, 2, 3, 4, 6, 7, 0x6474e551]))
    elif what == 5 and end == CODE:         # a copy of another header, moved a little
        one, other = (64 + 56 * random.randrange(HEADERS) for _ in range(2))
        data[one:one + 56] = data[other:other + 56]
        at = one + random.choice([8, 16, 32, 40])
        value = struct.unpack_from("<Q", data, at)[0] + random.choice([-PAGE, -1, 1, 64, PAGE, 1 << 20])
        struct.pack_into("<Q", data, at, value & (1 << 64) - 1)
    else:                                   # a field of 2, 4 or 8 bytes
        size = random.choice([2, 4, 8, 8, 8])
        at = random.randrange(0, end - size + 1, size)
        value = random.choice(VALUES) if random.randrange(3) else random.getrandbits(64)
        data[at:at + size] = (value & (1 << 8 * size) - 1).to_bytes(size, "little")


def make(seed, count, kind, folder):
    number = 0
    if kind == "native":                    # its place in the list of services, <ntapi.h>
        services = re.findall(r"^    X\((\w+), \d+\)", open("include/ntapi.h").read(), re.M)
        number = services.index("TerminateProcess")
    generator = random.Random(seed)
    os.makedirs(folder)
    for index in range(count):
        data = sample(kind, number, moved=kind == "linux" and index % 2)
        if index > 1:                       # the first two are as they should be
            for _ in range(generator.randrange(1, 4)):
                mutate(data, generator)
        path = os.path.join(folder, f"m{index:05}")
        with open(path, "wb") as out:
            out.write(data)
        os.chmod(path, 0o755)
    prefix = "/m/" if kind == "linux" else ""
    lines = [f"{prefix}m{index:05}; echo status $?\n" for index in range(count)]
    with open(folder + ".sh", "w") as out:
        grow = ["sleep 3 &\n"] * 64 + ["wait\n"]      # tests/user/usage.h says why
        # A file's first page stays in memory once it is touched, or read from a section: the head of one whose program has
        # been mapped and touched no page is, the second time.
        read = ['/bin/sh -c "find /m -type f | xargs cat >/dev/null"\n'] if kind == "linux" else []
        out.write("".join([*grow, *lines, *read, "mem\n", *lines[:AGAIN], "mem\n", "echo alive\n"]))


def check(count, kind, output):
    text = open(output).read()
    statuses = [int(number) for number in re.findall(r"^status (\d+)$", text, re.M)]
    before, after = re.findall(r"^free +\d+ KiB +(\d+) pages\n(?:.*\n)*?pool +\d+ KiB +(\d+) pages\n"
                               r"pool, in use +\d+ KiB +(\d+) blocks$", text, re.M)
    pages = [int(free) + int(pool) for free, pool, _ in (before, after)]
    blocks = [int(blocks) for _, _, blocks in (before, after)]
    first, again = statuses[:count], statuses[count:]
    counts = collections.Counter("ran" if s == 0 else "refused" if s == 126 else f"status {s}" for s in first)
    print(f"{kind}: {count} programs: " + ", ".join(f"{n} {what}" for what, n in counts.most_common()))
    print(f"pages free or the pool's: {pages}, blocks in use: {blocks}")
    assert text.endswith("alive\n"), "the shell did not come to its last line"
    assert len(first) == count and again == first[:AGAIN], "a program is missing, or ended otherwise the second time"
    assert first[:2] == [0, 0], "the sample itself does not run"
    assert all(s in (0, 126) or 128 < s < 160 for s in first), "a status that is none of the loader's or of a signal"
    assert counts["ran"] > count // 20 and counts["refused"] > count // 5, "the mutations are too strong or too weak"
    assert pages[1] >= pages[0] and blocks[1] <= blocks[0], "memory is lost"


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5])
    else:
        check(int(sys.argv[2]), *sys.argv[3:])
