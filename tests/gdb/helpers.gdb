# SPDX-License-Identifier: MIT
# Stops where a Linux program goes to sleep: several processes and a module are there, threads run and wait. The module's
# symbols, by which the second stop is found, come with lsmod.
hbreak LdrpCallEntry
continue
lsmod
hbreak sys_clock_nanosleep
continue
ps
threads
threads 4
lsmod
info symbol linux_system_call
kstack 8
python gdb.execute("kstack %#x" % int(gdb.parse_and_eval("(unsigned long)KiProcessorBlock[0]->CurrentThread")))
dmesg 30
ktrace 5
bugcheck
