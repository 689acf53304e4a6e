#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Turns the output of `nm -n` (standard input) into the kernel's own symbol table (assembler text on standard output).

Functions and variables: locks are named in reports. The kernel is linked three times: with an empty table; with the table
made from that, which stands behind .text and moves the data; with the table made from that, which has the same size, so
that nothing moves any more. Its three symbols, in section .ksyms:

    uint32_t KdSymbolCount;
    struct { uint32_t Offset, Name; } KdSymbolTable[];    sorted by Offset from KERNEL_BASE; Name is an offset, too,
    char KdSymbolNames[];                                 into this one
"""
import re
import sys

KERNEL_BASE = 0xFFFFFFFF80000000

# NASM's local labels ("KiTrap.loop") are no functions; what GCC splits off a function ("KeFoo.cold") is one.
BOUNDARY = re.compile(r"__\w+_(start|end)$")        # linker.ld's
LOCAL_LABEL = re.compile(r"\.(?!part|cold|constprop|isra|lto_priv)")


def kernel_symbols(lines):
    chosen = {}
    for line in lines:
        address, kind, name = line.split()
        offset = int(address, 16) - KERNEL_BASE
        if kind in "dDbB":
            name = name.split(".")[0]       # a variable that a function keeps to itself has a number behind its name
        if offset >= 0 and kind in "tTwWdDbB" and not BOUNDARY.match(name) and not LOCAL_LABEL.search(name):
            if offset not in chosen or kind in "TWDB":
                chosen[offset] = name
    return sorted(chosen.items())


def main():
    symbols = kernel_symbols(line for line in sys.stdin if len(line.split()) == 3)
    rows, names, at = [], [], 0
    for offset, name in symbols:
        rows.append(f"    .long {offset:#x}, {at}")
        names.append(f'    .asciz "{name}"')
        at += len(name) + 1
    print('    .section .ksyms, "a"')
    print("    .globl KdSymbolCount, KdSymbolTable, KdSymbolNames")
    print(f"    .balign 8\nKdSymbolCount:\n    .long {len(symbols)}, 0\nKdSymbolTable:")
    print("\n".join(rows))
    print("KdSymbolNames:")
    print("\n".join(names))
    print("    .byte 0")
    print('    .section .note.GNU-stack, "", @progbits')


if __name__ == "__main__":
    main()
