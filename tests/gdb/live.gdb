# SPDX-License-Identifier: MIT
# Stops where a Linux program goes to sleep: several processes and a module are there, threads run and wait. The module's symbols have come by
# themselves.
ps
threads
threads 4
lsmod
info symbol linux_system_call
output (void*)16
echo \n
kstack 8
thread-stack 8
python me = int(gdb.parse_and_eval("(unsigned long)KiProcessorBlock[0]->CurrentThread"))
python gdb.execute("thread-stack %#x" % next(int(p["CurrentThread"]) for p in __import__("kd.base").base.processors() if int(p["RunningPriority"]) > 0))
irql
ready-queues
dpcs
timers
callbacks
waits
locks
trace 5
dmesg 30
bugcheck

# A blocked thread's frames, and back to where the processor stands.
use-thread 8
backtrace
frame function InitPhase1
use-thread
backtrace 1

# Objects, memory, values.
python init = next(p for i, p in __import__("kd.objects").objects.processes() if "init" in __import__("kd.objects").objects.process_name(p))
python pid = int(init["UniqueProcessId"])
python gdb.execute("handles %d" % pid)
python gdb.execute("object %#x" % int(init.address))
python gdb.execute("vm %d %#x" % (pid, int(init["Peb"])))
python gdb.execute("vm 0xffff800000100000")
pool
python gdb.execute("pool %#x" % int(init["ImageFileName"]["Buffer"]))
python gdb.set_convenience_variable("init", init)
print $init.ImageFileName
print $init.Pcb.Header
print $init.ThreadListHead
print (NTSTATUS)0xC0000005
print LdrpModules
help primer

# Twenty single steps, in which timers would have fired: none leads into an interrupt handler.
python
for number in range(20):
    gdb.execute("stepi")
    print("stepped in", gdb.selected_frame().name())
end
source tests/gdb/every.py
