# SPDX-License-Identifier: MIT
# Through the kernel's own stub: the module is ready, its workers keep all processors busy.
echo \n= threads\n
info threads
echo \n= backtrace of the one that waits\n
python
def thread_in(function):
    for thread in gdb.selected_inferior().threads():
        thread.switch()
        frame = gdb.newest_frame()
        while frame is not None:
            if frame.name() == function:
                return frame
            frame = frame.older()
frame = thread_in("StubbedBlock")
frame.select()
end
backtrace -5
print Object
print &Event
echo \n= who waits for what\n
waits
echo \n= bad memory\n
python
for address in (0, 0x123456789000, 0x8000000000000000, 0xffffffff00000000, 0xffffe00000000000):
    try:
        print(hex(address), gdb.selected_inferior().read_memory(address, 8).tobytes())
    except gdb.MemoryError as error:
        print(error)
end
output StubbedDone
echo \n= software break point\n
tbreak StubbedSecond
continue
echo \n= steps: over a call, into one, out of it\n
next
next
next
tbreak StubbedAdd
continue
stepi
stepi
finish
echo \n= hardware break point\n
hbreak StubbedSecond
continue
continue
print Number
delete
echo \n= a point that all the others come to\n
break StubbedOther
continue
continue
continue
delete
echo \n= watch point\n
watch StubbedValue
continue
continue
delete
echo \n= memory is written\n
set var StubbedDone = 1
python
try:
    gdb.execute("continue")
except gdb.error as end:
    print("end:", end)
end
