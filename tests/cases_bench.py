# SPDX-License-Identifier: MIT
"""`make bench`: guest instructions on one processor, counted by QEMU (-icount shift=0: the time-stamp counter advances
by one an instruction). A limit is a number, or (NAME, N): at most N more than the measure NAME."""
from kinds import Bench, LinuxBench, ScriptBench, TraceBench

# GDB's `threads` on a thousand threads, and a page of ten seconds on four busy processors, until Chromium has drawn it.
TOOLS = r"""
tools/debug --build $BUILD --direct --module $B/modules/crowd.sys --modules-only --break CrowdIsThere --script tests/gdb/crowd.gdb >$TMP/out
sed -nE 's/^threads took ([0-9]+)\.([0-9]) s$/@bench threads-of-1000-ms \1\200/p' $TMP/out
$RUN --direct --trace $TMP/t.raw -- /bin/sh -c \
    'for i in 1 2 3 4; do /bin/busybox timeout 10 /bin/sh -c "while :; do /bin/busybox true; done" & done; wait'
tools/trace convert $TMP/t.raw $TMP/t.json
tools/trace convert $TMP/t.raw $TMP/t.html
tests/trace/compare.py $TMP/t.raw $TMP/t.json $TMP/t.html | sed -nE 's/^the page opened in ([0-9]+)\.([0-9]+) s$/@bench page-opens-ms \1\20/p'
"""

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
    ScriptBench("bench/tools", TOOLS, limits={"threads-of-1000-ms": 5_000, "page-opens-ms": 3_000}),
    # A Linux program that makes the cheapest call in a loop.
    Bench("bench/subsystem", command=("/nullcall",), files=("{T}/linux/nullcall.nolibc:/nullcall",), limits={
        "subsystem-null-call": ("native-null-call", 10),
    }),
    # Beside Linux 6.1, on the same instructions: the limits are a half of its figures.
    LinuxBench("bench/linux"),
]
