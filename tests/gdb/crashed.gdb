# SPDX-License-Identifier: MIT
# The machine stops by itself when there is a bug check.
continue
bugcheck
dmesg 4
ps
threads
irql
locks
waits
ready-queues
trace 32
vm 0xffffa0ffff000000
backtrace
source tests/gdb/every.py
