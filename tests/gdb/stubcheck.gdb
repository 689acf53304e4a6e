# SPDX-License-Identifier: MIT
# Through the kernel's own stub: a bug check, when its report is complete and before the machine ends.
continue
echo \n= in the stub\n
info threads
backtrace
print KdpOwner
thread apply all -q backtrace 1
python
try:
    gdb.execute("continue")
except gdb.error as end:
    print("end:", end)
end
