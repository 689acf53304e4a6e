# SPDX-License-Identifier: MIT
# The second module to start is the test's. Stops in its loop of short sleeps, when its two threads have long come to wait for
# each other.
hbreak LdrpCallEntry
continue
continue
lsmod
delete
hbreak KeDelayExecutionThread
ignore 2 10
continue
waits
