# SPDX-License-Identifier: MIT
"""Broken invariants end in the bug check that names them; the twins, which do the same rightly, pass, all in one boot. Most
checks of locks and of the pool are in debug builds only."""
from kinds import Bugcheck, Kernel, Script

# name: (code, name's pattern, what the log says)
BUGS = {
    "self-deadlock": (0x0F, "SPIN_LOCK_ALREADY_OWNED", "driver spin lock bug!Lock (?s:.*)holds driver spin lock bug!Lock, from .*SelfDeadlock"),
    "release-free": (0x10, "SPIN_LOCK_NOT_OWNED", "does not hold"),
    "wrong-level": (0x08, "IRQL_NOT_DISPATCH_LEVEL", "at level 0"),
    "lock-above-dispatch": (0x0A, "IRQL_NOT_LESS_OR_EQUAL", "at level 5"),
    "signal-above-dispatch": (0x0A, "IRQL_NOT_LESS_OR_EQUAL", "at level 5, called what runs at DISPATCH_LEVEL or below"),
    "raise-down": (0x09, "IRQL_NOT_GREATER_OR_EQUAL", "from 2 down to 1"),
    "lower-up": (0x0A, "IRQL_NOT_LESS_OR_EQUAL", "from 0 up to 2"),
    "wait-at-dispatch": (0x0A, "IRQL_NOT_LESS_OR_EQUAL", "waits at level 2"),
    "wait-in-dpc": (0xB8, "ATTEMPTED_SWITCH_FROM_DPC", "WaitInDpc"),
    "no-processor": (0x03, "INVALID_AFFINITY_SET", "no active processor"),
    "too-many-objects": (0x0C, "MAXIMUM_WAIT_OBJECTS_EXCEEDED", "4 objects"),
    "end-owning": (0x4000008A, "THREAD_TERMINATE_HELD_MUTEX", "ends and owns mutex"),
    "release-unowned": (0x1E, "KMODE_EXCEPTION_NOT_HANDLED", "exception c0000046"),
    "wait-true-lower": (0x50010, "WAIT_EXPECTED", "lowers the level to 0 instead of waiting"),
    "wait-true-block": (0x0A, "IRQL_NOT_LESS_OR_EQUAL", "level 2"),
    "touch-nothing": (0x50, "PAGE_FAULT_IN_NONPAGED_AREA", "TouchNothing"),
    "touch-at-dispatch": (0x0A, "IRQL_NOT_LESS_OR_EQUAL", "TouchAtDispatch"),
    "stack-overflow": (0x7F, "UNEXPECTED_KERNEL_MODE_TRAP", "Recurse"),
    "divide": (0x1E, "KMODE_EXCEPTION_NOT_HANDLED", "DivideByZero"),
    "work-level": (0xE1, "WORKER_THREAD_RETURNED_AT_BAD_IRQL", ""),
    "double-free": (0xC2, "BAD_POOL_CALLER", "DoubleFree"),
    "wrong-tag": (0xC2, "BAD_POOL_CALLER", "WrongTag"),
    "overrun": (0x19, "BAD_POOL_HEADER", "Overrun"),
    "call": (0xE2, "MANUALLY_INITIATED_CRASH", "Caller"),
    "attach-at-dispatch": (0x05, "INVALID_PROCESS_ATTACH_ATTEMPT", "attached at level 2"),
    "detach-twice": (0x06, "INVALID_PROCESS_DETACH_ATTEMPT", "is not attached"),
    "call-plain": (0xE2, "MANUALLY_INITIATED_CRASH", "PlainCaller"),
    "callbacks": (0xE2, "MANUALLY_INITIATED_CRASH", r"callback third of 8 bytes at level 15\n(?!(?s:.*)callback second)(?s:.*)callback first of 8 bytes"),
    "null": (0x1E, "KMODE_EXCEPTION_NOT_HANDLED", "exception c0000005"),
    "touch-user": (0x1E, "KMODE_EXCEPTION_NOT_HANDLED", "exception c0000005"),
    "call-user": (0x1E, "KMODE_EXCEPTION_NOT_HANDLED", "exception c0000005"),
    "use-after-free": (0x50, "PAGE_FAULT_IN_NONPAGED_AREA", "not canonical"),
    "missed-release": (0xC8, "IRQL_UNEXPECTED_VALUE", "bug!ForgetsRelease returned at level 2"),
    "lock-order": (0x50001, "LOCK_ORDER_VIOLATION", "'reaper list' .*while holding 'serial port'"),
    "block-holding": (0x50002, "LOCK_HELD_WHILE_BLOCKING", "blocks holding 1 spin locks"),
}
DEBUG = {"self-deadlock", "release-free", "wrong-level", "lock-above-dispatch", "signal-above-dispatch", "double-free", "wrong-tag", "overrun",
         "lock-order", "block-holding", "use-after-free", "missed-release", "wait-true-lower", "wait-true-block"}

# What tools/run says of the planted faults that docs/bugchecks.md lists: the cause in words, the place by file and line.
AT = r"(?s:.*)^ *look at: (bug!)?{} at tests/kernel/bug/bug\.c:\d+$"
PAGES = {
    "null": r"through a NULL pointer: the member at offset 0x8 of a structure" + AT.format("ReadNode"),
    "touch-user": "SMAP: the kernel read the user address 0x400008 outside of a copy routine" + AT.format("ReadNode"),
    "call-user": "SMEP: the kernel jumped to the user address 0x400000",
    "use-after-free": "is 0xdddddddddddddddd: .* the block was used after it had been freed" + AT.format("ReadNode"),
    "stack-overflow": "because the kernel stack overflowed" + AT.format("Recurse"),
    "double-free": r"The block had been freed before\." + AT.format("DoubleFree"),
    "overrun": "The pool's marks around a block are overwritten" + AT.format("Overrun"),
    "missed-release": "a spin lock was not released" + AT.format("ForgetsRelease"),
    "wait-at-dispatch": "waits at level 2(?s:.*)Something was called at a level that is too high" + AT.format("WaitAtDispatch"),
    "self-deadlock": r"acquired a spin lock that it holds(?s:.*)holds driver spin lock bug!Lock, .*\(SelfDeadlock at \S+bug\.c:\d+\)",
    "divide": "STATUS_INTEGER_DIVIDE_BY_ZERO" + AT.format("DivideByZero"),
}

CASES = [Bugcheck(f"bug/{name}", modules=("bug",), options=f"bug.kind={name}", code=code, symbol=symbol, log=log,
                  page=PAGES.get(name, ""), debug=name in DEBUG)
         for name, (code, symbol, log) in BUGS.items()]
CASES += [Kernel("bug/ok", modules=("bug",), options="bug.kind=ok")]

# A provider that breaks its contract is named.
MUTEX = Bugcheck("bug/provider-mutex", modules=("providers",), options="providers.break=mutex", code=0x39,
                 symbol="SYSTEM_EXIT_OWNED_MUTEX", log="returns to user mode and owns mutex")
CASES += [MUTEX, Kernel("bug/provider-ok", modules=("providers",), options="providers.break=ok")]
PROVIDER = {"level": "'test' returned from .* at level 1", "apcs": "'test' returned from .* APC disable ffff",
            "spin-lock": "'test' returned from .* at level 2", "push-lock": "'test' .* DispatchSystemCall .* 1 locks held",
            "exception-lock": "'test' .* DispatchException .* 1 locks held"}
CASES += [Bugcheck(f"bug/provider-{name}", modules=("providers",), options=f"providers.break={name}", code=0x50003,
                   symbol="PROVIDER_CONTRACT_VIOLATION", log=log, debug="locks held" in log)
          for name, log in PROVIDER.items()]

# A processor that hangs, with and without interrupts; a thread that spins below DISPATCH_LEVEL is none.
CASES += [Bugcheck(f"bug/{name}", modules=("bug",), options=f"bug.kind={name}", hang=True, log=log)
          for name, log in (("hang-dispatch", "has not been below DISPATCH_LEVEL"), ("hang-deaf", "takes no interrupts"))]
# One that is alone has no neighbour: tools/run sees it.
CASES += [Bugcheck("bug/hang-deaf/1", modules=("bug",), options="bug.kind=hang-deaf", smp=1, hang=True, log="takes no interrupts",
                   page="hang: a processor made no progress(?s:.*)101h CLOCK_WATCHDOG_TIMEOUT" + AT.format("SpinDeaf"))]
CASES += [Kernel("bug/hang-dispatch-ok", modules=("bug",), options="bug.kind=hang-dispatch-ok", idle=True)]

# What a module leaves behind when it is unloaded is named, with its routine.
LEFT = {"interrupt": "interrupt line 3, routine leaver!Service", "callback": "a registration with a callback object, routine leaver!Notified",
        "filter": "object callbacks at altitude 321.5, routine leaver!AfterHandle", "timer": "timer leaver!Timer, which is set",
        "record": "a bug-check callback, routine leaver!OnBugCheck", "periodic": "timer .*, which is set, routine leaver!Expired"}
CASES += [Bugcheck(f"bug/left-{name}", modules=("leaver", "left"), options=f"leaver.kind={name}", code=0xCE,
                   symbol="DRIVER_UNLOADED_WITHOUT_CANCELLING_PENDING_OPERATIONS", log="module leaver is gone and has left behind: " + log)
          for name, log in LEFT.items()]
CASES += [Kernel("bug/left-nothing", modules=("leaver", "left"), options="leaver.kind=ok")]

# Memory that it has not freed is named by its tag, as the allocations of a debug build know who has made them.
LEAVES_POOL = r"""
leaves() {
    $RUN --direct --module $B/modules/leaver.sys --module $B/modules/left.sys --append leaver.kind=$1 --modules-only --log $TMP/log
    grep '^@pass left.nothing$' $TMP/log
    grep '^module leaver is gone and has not freed' $TMP/log >$TMP/left || true
}
leaves pool
cat $TMP/left
test $(wc -l <$TMP/left) = 2
grep -x "module leaver is gone and has not freed: 3 blocks of pool, 5120 bytes, tag 'Left'" $TMP/left
grep -x "module leaver is gone and has not freed: 1 blocks of pool, 7 bytes, tag 'Oher'" $TMP/left
leaves ok
test ! -s $TMP/left
"""
CASES += [Script("bug/left-pool", LEAVES_POOL, debug=True)]

# The runner tells apart what makes no report: a wake-up that was lost (nobody is at fault that runs; GDB says who waits for what, and
# where), a triple fault. `make why` explains the last crash again, from its log; of a log without one it shows the end.
ENDS = r"""
ends() {
    want=$1 kind=$2 pattern=$3; shift 3
    got=0
    $RUN --direct --module $B/modules/bug.sys --append bug.kind=$kind --modules-only "$@" 2>$TMP/said || got=$?
    cat $TMP/said
    test $got = $want
    grep -E "$pattern" $TMP/said
}
ends 124 lost-wake-up '^    thread .* waits for notification event Event, from LostWakeUp.* at tests/kernel/bug/bug.c:[0-9]+$' --timeout 60
ends 125 triple-fault 'triple fault: the machine reset itself'
ends 125 null 'look at: bug!ReadNode at tests/kernel/bug/bug.c:' --log $TMP/log
tools/why --build $BUILD $TMP/log >$TMP/page
grep '^look at: bug!ReadNode at tests/kernel/bug/bug.c:' $TMP/page
grep 'through a NULL pointer' $TMP/page
sed '/^@bugcheck/,$d' $TMP/log >$TMP/cut
if tools/why $TMP/cut >$TMP/page; then exit 1; fi
grep 'no bug check and no hang; its last lines' $TMP/page
"""
CASES += [Script("docs/faults", "tests/faults.py")]
CASES += [Script("bug/ends", ENDS, idle=True, needs=("gdb",), debug=True)]
