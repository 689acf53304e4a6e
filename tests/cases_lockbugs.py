# SPDX-License-Identifier: MIT
"""The order of locks and who waits for whom (tests/kernel/lockbugs). An inversion of two locks is stopped at its first crossing;
a deadlock that has happened is named, with both locks and where they were acquired. Debug builds only."""
from kinds import Bugcheck, Kernel

KIND = {"spin": "driver spin lock", "queued": "queued spin lock", "rw": "reader-writer lock", "mutex": "mutex",
        "fast": "fast mutex", "guarded": "fast mutex", "push": "push lock", "resource": "resource"}
HANGS = ("spin",)
VERIFIER = "DRIVER_VERIFIER_DETECTED_VIOLATION"


def case(name, extra="", suffix="", **options):
    return Bugcheck(f"lockbugs/{name}{suffix}", modules=("lockbugs",), options=f"lockbugs.do={name} {extra}".strip(),
                    debug=True, **options)


CASES = [Kernel("lockbugs/ok", modules=("lockbugs",), options="lockbugs.do=ok", debug=True)]
for kind, words in KIND.items():
    # The names of both locks, where the held one was acquired, and the stack that made the earlier edge.
    CASES += [case(f"order-{kind}", code=0xC4, symbol=VERIFIER,
                   log=rf"{words} lockbugs!A acquired while holding {words} lockbugs!B(?s:.*)the circle of 2 locks:"
                       rf"\n  before, thread .* held {words} lockbugs!A, from .*lockbugs!TakeBoth"
                       rf".*\n    and acquired {words} lockbugs!B, from .*lockbugs!TakeBoth.* < lockbugs!DriverEntry"
                       rf"(?s:.*)holds {words} lockbugs!B, from .*lockbugs!TakeBoth")]
    circle = (rf"a circle of 2 that wait for each other:(?s:.*) waits for {words} lockbugs!(A|B), from .*lockbugs!Cross"
              rf".*\n    which .* holds, from .*lockbugs!Cross")
    CASES += [case(f"cross-{kind}", extra="kd.lockorder=0 kd.deadlock=1", code=0x50006, symbol="LOCK_DEADLOCK", log=circle)]
    if kind in HANGS:       # and when the watch over processors finds them
        CASES += [case(f"cross-{kind}", suffix="-hang", extra="kd.lockorder=0 kd.deadlock=0", hang=True,
                       log=f"@hang .*in a circle(?s:.*){circle}")]
for kind in ("spin", "push"):
    CASES += [case(f"circle-{kind}", code=0xC4, symbol=VERIFIER, log="the circle of 3 locks:"),
              case(f"row-{kind}", code=0xC4, symbol=VERIFIER, log=r"lockbugs!Row\+0x\w+ acquired while holding .* lockbugs!Row:")]
CASES += [
    case("cross-rundown", extra="kd.deadlock=1", code=0xE2, symbol="MANUALLY",
         log="run-down may not end(?s:.*)a circle of 2 that wait for each other:(?s:.*)run-down protection lockbugs!(A|B)"),
    case("hold", hang=True, log="has held a spin lock for too long(?s:.*)holds driver spin lock lockbugs!A, from .*TestHold"),
    case("nobody", hang=True, log="a lock that nobody holds(?s:.*)waits for driver spin lock lockbugs!A, from .*TestNobody"),
    case("rw-mode", code=0x10, symbol="SPIN_LOCK_NOT_OWNED", log="reader-writer lock lockbugs!A is released"),
    case("thread-level", code=0xC8, symbol="IRQL_UNEXPECTED_VALUE", log="lockbugs!LeakLevel returned at level 2"),
    case("pool-name", code=0x0F, symbol="SPIN_LOCK_ALREADY_OWNED", log="driver spin lock pool 'BTst'"),
]
