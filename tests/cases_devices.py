# SPDX-License-Identifier: MIT
"""Devices: a driver's own tests, and in the same boot those of a program that talks to it; what drivers do wrong with IRPs
ends in the bug check that names it, and the twins, which do it rightly, pass in one boot."""
from kinds import Bugcheck, Kernel, Program

# name: (code, name's pattern, what the log says)
BUGS = {
    "twice": (0x44, "MULTIPLE_IRP_COMPLETE_REQUESTS", "is completed twice"),
    "cancel-routine": (0x48, "CANCEL_STATE_IN_COMPLETED_IRP", "may still be cancelled"),
    "level": (0xC9, "DRIVER_VERIFIER_IOMANAGER_VIOLATION", "was called at level 0 and returned at 2"),
    "pending-status": (0xC9, "DRIVER_VERIFIER_IOMANAGER_VIOLATION", "completed with STATUS_PENDING"),
    "unmarked": (0x50012, "IRP_CONTRACT_VIOLATION", "devbugs has returned 00000103 .* has not marked it pending"),
    "marked": (0x50012, "IRP_CONTRACT_VIOLATION", "devbugs has returned 00000000 .* has marked it pending"),
    "forgotten": (0x50012, "IRP_CONTRACT_VIOLATION", "devbugs has returned 00000000 .* has not completed it"),
    "no-location": (0x35, "NO_MORE_IRP_STACK_LOCATIONS", "has no location left"),
    "left-device": (0xCE, "DRIVER_UNLOADED_WITHOUT", "devbugs is gone and has left behind: a device"),
}
ALWAYS = {"twice", "cancel-routine", "no-location", "left-device"}      # found in release builds, too

CASES = [Program(f"user/devices/{smp}", command=("devices",), native=True, modules=("devices",), smp=smp, timeout=300, alone=True,
                 puts=("{B}/native/devices:native/devices",))
         for smp in (2, 4)]
CASES += [Bugcheck(f"devbugs/{name}", modules=("devbugs",), options=f"devbugs.kind={name}", code=code, symbol=symbol, log=log,
                   debug=name not in ALWAYS)
          for name, (code, symbol, log) in BUGS.items()]
CASES += [Kernel("devbugs/ok", modules=("devbugs",), options="devbugs.kind=ok")]
