# SPDX-License-Identifier: MIT
# The test's loop of short sleeps: its two threads have long come to wait for each other.
break KeDelayExecutionThread
ignore $bpnum 10
continue
waits
locks
source tests/gdb/every.py
