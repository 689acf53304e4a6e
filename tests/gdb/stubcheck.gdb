# SPDX-License-Identifier: MIT
# Through the kernel's own stub: a bug check, first where its report is complete, then in the stub, before the machine ends.
continue
echo \n= in the stub\n
continue
info threads
backtrace
print KdpOwner
thread apply all -q backtrace 1
continue
