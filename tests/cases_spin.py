# SPDX-License-Identifier: MIT
"""Spin locks, S-lists, interrupts and processors at other counts than 4; what their wrong use ends in."""
from kinds import Bugcheck, Kernel

# Two serial ports for the test driver, on lines 3 and 5 (COM1 and COM2 are the console's).
PORTS = tuple(word for device in ("iobase=0x2e8,irq=3", "iobase=0x3e8,irq=5")
              for word in ("--device", f"isa-serial,{device}"))

CASES = [Kernel(f"kernel/{name}/{smp}", modules=(name,), smp=smp, alone=True)
         for name in ("spinlocks", "slists", "processors") for smp in (1, 8)]
CASES += [Kernel("kernel/interrupts" + f"/{smp}" * (smp != 4), modules=("interrupts",), smp=smp, run_args=PORTS, alone=True)
          for smp in (1, 4, 8)]

# name: (code, name's pattern, what the log says). All are checks of debug builds but those with a star.
BUGS = {
    "plain-twice": (0x0F, "SPIN_LOCK_ALREADY_OWNED", "acquired by the processor that holds it"),
    "try-held": (0x0F, "SPIN_LOCK_ALREADY_OWNED", "acquired by the processor that holds it"),
    "queued-twice": (0x0F, "SPIN_LOCK_ALREADY_OWNED", "acquired by the processor that holds it"),
    "shared-twice": (0x0F, "SPIN_LOCK_ALREADY_OWNED", "acquired by the processor that holds it"),
    "exclusive-in-shared": (0x0F, "SPIN_LOCK_ALREADY_OWNED", "acquired by the processor that holds it"),
    "queued-release-twice": (0x10, "SPIN_LOCK_NOT_OWNED", "does not hold it so"),
    "exclusive-release-free": (0x10, "SPIN_LOCK_NOT_OWNED", "does not hold it so"),
    "shared-release-free": (0x10, "SPIN_LOCK_NOT_OWNED", "does not hold it so"),
    "shared-released-exclusive": (0x10, "SPIN_LOCK_NOT_OWNED", "does not hold it so"),
    "exclusive-released-shared": (0x10, "SPIN_LOCK_NOT_OWNED", "does not hold it so"),
    "queued-above-dispatch": (0x0A, "IRQL_NOT_LESS_OR_EQUAL", "at level 5"),
    "rw-above-dispatch": (0x0A, "IRQL_NOT_LESS_OR_EQUAL", "at level 5"),
    "rw-at-dpc-below": (0x08, "IRQL_NOT_DISPATCH_LEVEL", "at level 0"),
    "release-below": (0x08, "IRQL_NOT_DISPATCH_LEVEL", "at level 1"),
    "event-above-dispatch": (0x0A, "IRQL_NOT_LESS_OR_EQUAL", "at level 5"),
    "raise-dpc-above*": (0x09, "IRQL_NOT_GREATER_OR_EQUAL", "from 5 down to 2"),
    "interrupt-lock-above*": (0x09, "IRQL_NOT_GREATER_OR_EQUAL", "from 12 down to"),
    "interrupt-lock-twice": (0x0F, "SPIN_LOCK_ALREADY_OWNED", "interrupt spin lock"),
    "slist-broken*": (0x50, "PAGE_FAULT_IN_NONPAGED_AREA", "ArchPopSList"),
}
for name, (code, symbol, log) in BUGS.items():
    kind, debug = name.rstrip("*"), not name.endswith("*")
    CASES += [Bugcheck(f"bug/{kind}", modules=("spinbugs",), options=f"spinbugs.kind={kind}", code=code, symbol=symbol,
                       log=log, debug=debug)]
CASES += [Kernel("bug/spinbugs-ok", modules=("spinbugs",), options="spinbugs.kind=ok")]
