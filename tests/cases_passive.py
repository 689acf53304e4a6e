# SPDX-License-Identifier: MIT
"""Blocking locks and executive helpers: on one processor and on eight as well, and each misuse in the bug check that names
it, and the twins, which do the same rightly, pass in one boot."""
from kinds import Bugcheck, Kernel

VERIFIER = "DRIVER_VERIFIER_DETECTED_VIOLATION"
# name: (code, name's pattern, what the log says)
MISUSES = {
    "fast-self": (0xC4, VERIFIER, "acquires, though it holds it, fast mutex"),
    "fast-foreign": (0xC4, VERIFIER, "releases, without holding it, fast mutex"),
    "fast-free": (0xC4, VERIFIER, "releases, without holding it, fast mutex"),
    "fast-high": (0x09, "IRQL_NOT_GREATER_OR_EQUAL", "from 2 down to 1"),
    "unsafe-region": (0x50005, "BLOCKING_LOCK_WITH_APCS_ENABLED", "fast mutex .* outside a critical region"),
    "push-self": (0xC4, VERIFIER, "acquires, though it holds it, push lock"),
    "push-shared": (0xC4, VERIFIER, "acquires, though it holds it, push lock"),
    "push-foreign": (0xC4, VERIFIER, "releases, without holding it, push lock"),
    "push-mode": (0x50004, "ASSERTION_FAILED", "push lock"),
    "push-region": (0x50005, "BLOCKING_LOCK_WITH_APCS_ENABLED", "push lock .* outside a critical region"),
    "push-end": (0x50004, "ASSERTION_FAILED", "ends with 1 push locks or mutexes held"),
    "resource-free": (0xE3, "RESOURCE_NOT_OWNED", "does not own resource"),
    "resource-foreign": (0xE3, "RESOURCE_NOT_OWNED", "does not own resource"),
    "resource-target": (0x16E, "ERESOURCE_INVALID_RELEASE", "released for .* does not own it"),
    "resource-convert": (0xE3, "RESOURCE_NOT_OWNED", "does not own resource"),
    "resource-upgrade": (0xC4, VERIFIER, "acquires, though it holds it, resource"),
    "resource-region": (0x50005, "BLOCKING_LOCK_WITH_APCS_ENABLED", "resource .* outside a critical region"),
    "remove-tag": (0xC4, VERIFIER, "with which nobody has acquired it"),
    "rundown-twice": (0x50004, "ASSERTION_FAILED", "released more often than acquired"),
    "rundown-late": (0x16C, "INVALID_RUNDOWN_PROTECTION_FLAGS", "after the run-down was complete"),
    "paged-high": (0x50004, "ASSERTION_FAILED", r"paged lookaside list \w+ used at level 2"),
    "resource-delete": (0x50004, "ASSERTION_FAILED", "is deleted while it has 1 owners"),
}
ALWAYS = {"fast-high", "resource-free", "resource-foreign", "resource-target", "resource-convert", "rundown-late"}      # found in release builds, too

CASES = [Kernel(f"kernel/{name}/{smp}", modules=(name,), smp=smp, random=True, alone=True)
         for name in ("passive", "resources", "exhelpers") for smp in (1, 8)]
CASES += [Bugcheck(f"misuse/{name}", modules=("misuse",), options=f"misuse.kind={name}", code=code, symbol=symbol,
                   log=log, debug=name not in ALWAYS)
          for name, (code, symbol, log) in MISUSES.items()]
CASES += [Kernel("misuse/ok", modules=("misuse",), options="misuse.kind=ok")]
