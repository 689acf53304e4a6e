# SPDX-License-Identifier: MIT
"""tools/gdb/primer.py, and the first stop of `make debug`."""
from kinds import Gdb

STACK = r"\n +#0 +0x[0-9a-f]{16} \S+"

CASES = [
    Gdb("gdb/start", script="start.gdb", output=(
        r"^Thread 1 hit Breakpoint 1, InitSystemStartup \(Boot=.*\) at kernel/init/startup\.c:\d+",
        r"^InitSystemStartup in section \.text", r'^\$1 = .*"PVH"')),
    Gdb("gdb/helpers", script="helpers.gdb", debug=True, command=("/bin/busybox", "sleep", "1000"), output=(
        r"hit Breakpoint 2, sys_clock_nanosleep \(.*\) at subsystems/linux/time\.c:\d+",
        r"^ +4 +0 Running +\d+ kernel +0x\w+ System$",                                          # ps
        r"^ +\d+ +4 Running +1 native +0x\w+ \S*init$",
        r"^ +\d+ +\d+ Running +1 linux +0x\w+ /bin/busybox$",
        r"^ +\d+ +\d+ Running +\d+ +\d+ 0x\w+ sys_clock_nanosleep",                             # threads
        r"^ +8 +4 Waiting +\d+ +\d+ 0x\w+ InitPhase1",
        r"^linux +0x\w+ +\d+ Loaded +\S*modules/linux\.sys$",                                   # lsmod
        r"^linux_system_call in section \.text of \S*linux\.sys",
        r"^thread 0x\w+, Waiting" + STACK + r"(.*\n)* +#\d+ +0x\w+ InitPhase1",                 # kstack
        r"^thread 0x\w+, Running on processor \d+" + STACK,
        r"^@boot cpus=4$",                                                                      # dmesg
        r"^ +\d+ +\d +(switch|ready|call|fault|ipi|exception|process|thread) ")),               # ktrace
    # Two threads that hold a push lock each and wait for the other's.
    Gdb("gdb/waits", script="waits.gdb", debug=True, modules=("lockbugs",),
        options="lockbugs.do=cross-push kd.lockorder=0 kd.deadlock=0", output=(
            r"^thread 0x\w+ \(id \d+\)$",
            r"^  holds push lock A, from ExAcquirePushLockExclusive.* < AcquirePush.* < Cross",
            r"^  waits for push lock B, from ExAcquirePushLockExclusive.* < AcquirePush.* < Cross",
            r"^deadlock: thread 0x\w+ \(id \d+\) waits for (A|B), held by thread 0x\w+ \(id \d+\)$",
            r"^  and thread 0x\w+ \(id \d+\) waits for (A|B), held by thread")),
]
