# SPDX-License-Identifier: MIT
"""`make bench`: guest instructions on one processor, counted by QEMU (-icount shift=0: the time-stamp counter advances
by one an instruction). A limit is a number, or (NAME, N): at most N more than the measure NAME."""
from kinds import Bench, LinuxBench, TraceBench

BENCHES = [
    # user/bench: system services as a program sees them. The kernel itself reports the way to the first program.
    Bench("bench/native", command=("bench",), native=True, limits={
        "boot-to-user": 60_000_000,
        "native-null-call": 105,            # its loop included
        "native-process": 42_000,           # create, one instruction, end, reap
        "native-thread": 8_900,             # the same
    }),
    # tests/kernel/bench: routines as a driver sees them.
    Bench("bench/kernel", modules=("bench",), run_args=("--mem", "512M"), limits={
        "spin-lock": 25,                    # acquire and release
        "queued-spin-lock": 40,
        "shared-spin-lock": 30,
        "s-list": 50,                       # push and pop
        "signalled-wait": 90,
        "mutex": 180,                       # wait and release
        "handle-reference": 59,             # look-up by handle, type and rights checked
        "special-apc": 400,                 # to the current thread, insert and run
        "dpc-insert-to-run": 150,
        "event-round-trip": 640,            # two switches
        "next-of-10": 450,                  # one switch, by giving way
        "next-of-10000": ("next-of-10", 10),
        "system-thread": 3_199,             # create, run, end, reap
        "trace-record": 60,                 # written by a driver: its call included
    }),
    # What a class of the trace costs that is off, at the dearest of all trace points.
    TraceBench("bench/trace", limits={"trace-off": 2}),
    # A Linux program that makes the cheapest call in a loop.
    Bench("bench/subsystem", command=("/nullcall",), files=("{T}/linux/nullcall.nolibc:/nullcall",), limits={
        "subsystem-null-call": ("native-null-call", 10),
    }),
    # Beside Linux 6.1, on the same instructions: the limits are a half of its figures.
    LinuxBench("bench/linux"),
]
