# SPDX-License-Identifier: MIT
"""The build and tools/run: what interfaces and README promise of them, whatever the guest does."""
from kinds import Script

ARCHIVES = r"""
for name in boot root; do
    cpio -t <$B/$name.cpio >$TMP/$name.list 2>/dev/null
done
grep -x native/init $TMP/boot.list
grep -x root/bin/busybox $TMP/root.list
mkdir $TMP/out && cpio -D $TMP/out -id <$B/root.cpio 2>/dev/null
cmp $TMP/out/root/bin/busybox $(ls /bin/busybox /usr/bin/busybox | head -n 1)
test "$(readlink $TMP/out/root/bin/cat)" = busybox

# Every file's data starts on a page.
python3 - $B/boot.cpio $B/root.cpio <<'END'
import sys
for path in sys.argv[1:]:
    data, at = open(path, "rb").read(), 0
    assert len(data) % 4096 == 0
    while data[at:at + 6] == b"070701":
        mode, size, length = (int(data[at + k:at + k + 8], 16) for k in (14, 54, 94))
        start = (at + 110 + length + 3) & ~3
        assert not (mode & 0o170000 == 0o100000 and size) or start % 4096 == 0
        at = (start + size + 3) & ~3
END
"""

OUTSIDE_MODULE = r"""
mkdir "$TMP/outside" && cd "$TMP/outside"
cat >module.mk <<'END'
MODULE := outside
SOURCES := outside.c
CFLAGS += -DVALUE=3
END
cat >outside.c <<'END'
#include <ntddk.h>
NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    DbgPrint("outside says %d\n", VALUE);
    return STATUS_SUCCESS;
}
END
cd "$OLDPWD"
make M=$TMP/outside BUILD=$BUILD WERROR=1
test -z "$(make -s M=$TMP/outside BUILD=$BUILD WERROR=1 | grep -v Nothing)"
ls $TMP/outside/outside.sys $TMP/outside/outside.o $TMP/outside/outside.d
$RUN --direct --module $TMP/outside/outside.sys --modules-only --log - | grep -x 'outside says 3'

# A name that the kernel does not export is found at build time, and no module is left behind.
mkdir $TMP/missing
echo 'MODULE := missing' >$TMP/missing/module.mk
echo 'SOURCES := missing.c' >>$TMP/missing/module.mk
cat >$TMP/missing/missing.c <<'END'
#include <ntddk.h>
VOID KeNobodyKnows(VOID);
VOID NorThis(VOID);
NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    KeNobodyKnows();
    NorThis();
    return STATUS_SUCCESS;
}
END
if make M=$TMP/missing BUILD=$BUILD 2>$TMP/missing/errors; then exit 1; fi
test "$(grep -c 'the kernel does not export' $TMP/missing/errors)" = 2
grep "missing.sys: the kernel does not export 'KeNobodyKnows'" $TMP/missing/errors
grep "missing.sys: the kernel does not export 'NorThis'" $TMP/missing/errors
test ! -e $TMP/missing/missing.sys
"""

# A driver of several files, as people write them from the driver kit's pages, that uses all routines of synchronisation.
OUTSIDE_DRIVER = r"""
test -z "$(grep -h '#include' tests/outside/sync/*.[ch] | grep -vx -e '#include <ntddk.h>' -e '#include "sync.h"')"
compilers=$(ls /usr/bin/gcc /usr/bin/clang 2>/dev/null || true)
test -n "$compilers"
for compiler in $compilers; do
    dir=$TMP/$(basename $compiler)
    cp -r tests/outside/sync $dir
    option=
    test $(basename $compiler) = gcc || option=CC=clang
    test -z "$(make -s M=$dir BUILD=$BUILD WERROR=1 $option 2>&1 | grep -v '^  [A-Z]* ')"
    for smp in 1 4 8; do
        # The serial port that the driver expects on line 3.
        $RUN --smp $smp --direct --device isa-serial,iobase=0x2e8,irq=3 --module $dir/sync.sys --modules-only --log $TMP/log
        test $(grep -c '^@boot cpus='$smp'$' $TMP/log) = 1
        test -z "$(grep -B 20 '^@fail' $TMP/log | tee /dev/stderr)"
        test $(grep -c '^@pass outside\.' $TMP/log) = 29
    done
done
"""

# One that registers all kinds of notify callbacks while programs run, and checks order and content.
OUTSIDE_NOTIFY = r"""
test -z "$(grep -h '#include' tests/outside/notify/*.c | grep -vx '#include <ntifs.h>')"
compilers=$(ls /usr/bin/gcc /usr/bin/clang 2>/dev/null || true)
test -n "$compilers"
for compiler in $compilers; do
    dir=$TMP/$(basename $compiler)
    cp -r tests/outside/notify $dir
    option=
    test $(basename $compiler) = gcc || option=CC=clang
    test -z "$(make -s M=$dir BUILD=$BUILD WERROR=1 $option 2>&1 | grep -v '^  [A-Z]* ')"
    for smp in 1 4 8; do
        $RUN --smp $smp --direct --module $dir/notify.sys --log $TMP/log --native -- \
            sh -c 'hello; nop; /bin/busybox true; load timerdpc; unload timerdpc; unload notify' || true
        test $(grep -c '^@boot cpus='$smp'$' $TMP/log) = 1
        test -z "$(grep '^@fail' $TMP/log | tee /dev/stderr)"
        test $(grep -c '^@pass notify\.' $TMP/log) = 11
    done
done
"""

# A driver with a device, and its tool: as people write such a sample, with the documented headers alone.
OUTSIDE_DEVICE = r"""
compilers=$(ls /usr/bin/gcc /usr/bin/clang 2>/dev/null || true)
test -n "$compilers"
for compiler in $compilers; do
    dir=$TMP/$(basename $compiler)
    cp -r tests/outside/device $dir
    option=
    test $(basename $compiler) = gcc || option=CC=clang
    test -z "$(make -s M=$dir BUILD=$BUILD WERROR=1 $option 2>&1 | grep -v '^  [A-Z]* ')"
    $RUN --direct --module $dir/mailbox.sys --put $B/native/mailbox:native/mailbox --native --log $TMP/log -- mailbox >$TMP/out
    test $(grep -c '^@pass mailbox\.' $TMP/out) = 2
    grep -x 'mailbox: unloaded' $TMP/log
done
"""

# The subsystem tiny as a module of somebody else's: made with include/ and the build's own files alone, under another name. Its
# program runs; it is loaded, used and unloaded again and again beside threads that never stop, and nothing is left.
OUTSIDE_TINY = r"""
mkdir -p $TMP/tree/build && cp -r --parents include tools Makefile $TMP/tree
compilers=$(ls /usr/bin/gcc /usr/bin/clang 2>/dev/null || true)
test -n "$compilers"
for compiler in $compilers; do
    dir=$TMP/$(basename $compiler)
    cp -r subsystems/tiny $dir
    sed -i 's/^MODULE := tiny/MODULE := mine/' $dir/module.mk
    option=
    test $(basename $compiler) = gcc || option=CC=clang
    test -z "$(make -s -C $TMP/tree M=$dir BUILD=$BUILD WERROR=1 $option 2>&1 | grep -v '^  [A-Z]* ')"
    got=0
    $RUN --direct --subsystem tiny --module $dir/mine.sys --add build/tests/tiny/hello.nolibc:/tiny/hello -- /tiny/hello \
        >$TMP/out || got=$?
    test $got = 7
    grep -x 'tiny: hello' $TMP/out
done
$RUN --direct --smp 4 --put $dir/mine.sys:modules/mine.sys --add build/tests/tiny/hello.nolibc:/tiny/hello \
    --add build/tests/tiny/stay.nolibc:/tiny/stay --put $B/native/unloads:native/unloads --put $B/native/child:native/child \
    --native --timeout ${TINY_TIMEOUT:-300} --log $TMP/log -- unloads rounds ${TINY_ROUNDS:-40} mine >$TMP/out || true
tail -30 $TMP/log >&2
grep -x '@pass unloads.leaves-nothing' $TMP/out
"""

# A second subsystem, of somebody who has docs/modules.md: its program runs beside those of two others and native ones. One of its
# processes is ended from outside while it waits, and the module is unloaded then.
OUTSIDE_PROVIDER = r"""
test -z "$(grep -h '#include' tests/outside/provider/*.[ch] | grep -vx -e '#include <subsystem.h>' -e '#include <elfimage.h>' -e '#include "relay.h"')"
compilers=$(ls /usr/bin/gcc /usr/bin/clang 2>/dev/null || true)
test -n "$compilers"
for compiler in $compilers; do
    dir=$TMP/$(basename $compiler)
    cp -r tests/outside/provider $dir
    option=
    test $(basename $compiler) = gcc || option=CC=clang
    test -z "$(make -s M=$dir BUILD=$BUILD WERROR=1 $option 2>&1 | grep -v '^  [A-Z]* ')"
done
program="gcc -O1 -g -Wall -Werror -static -nostdlib -ffreestanding -fno-stack-protector $dir/program.c"
$program -o $TMP/relay
$program -DSTAYS -o $TMP/stays
for smp in 1 4; do
    got=0
    $RUN --direct --smp $smp --subsystem relay --module $dir/relay.sys --add $TMP/relay:/relay -- /relay >$TMP/out || got=$?
    test $got = 3
    printf 'relay: begins\nrelay: all held\n' | diff - $TMP/out
done

mkfifo $TMP/in
$RUN --direct --smp 4 --put $dir/relay.sys:modules/relay.sys --add $TMP/relay:/relay --add $TMP/stays:/stays \
    --add build/tests/tiny/hello.nolibc:/tiny/hello --log $TMP/log <$TMP/in >$TMP/out 2>$TMP/err & machine=$!
exec 3>$TMP/in
says() { until grep -q "$1" $TMP/out; do kill -0 $machine; sleep 0.1; done; }
echo 'load relay tiny; relay:/stays &' >&3
says 'relay: begins'
echo '/bin/busybox sleep 1000 & relay:/relay & relay:/relay & tiny:/tiny/hello; hello; /bin/busybox echo from the other; tasks' >&3
says '^ .* tasks  *native'
grep ' busybox  *linux' $TMP/out
grep ' relay  ' $TMP/out
grep '^from the other$' $TMP/out
grep '^hello from process' $TMP/out
grep 'tiny: hello' $TMP/out
stays=$(sed -n 's/^\[\([0-9]*\)\] .*stays$/\1/p' $TMP/out)
sleeps=$(sed -n 's/^\[\([0-9]*\)\] .*busybox$/\1/p' $TMP/out)
echo "kill $stays $sleeps; wait; unload relay; relay:/relay; load relay; relay:/relay; echo status \$?; unload relay; exit" >&3
wait $machine
test $(grep -c 'relay: all held' $TMP/out) = 3
grep -x 'status 3' $TMP/out
test $(grep -c '^relay: unloaded, 0 processes left' $TMP/log) = 2
"""

CALL_ERRORS = r"""
expect() {
    want=$1; shift; got=0
    $RUN "$@" >$TMP/out 2>$TMP/err || got=$?
    test $got = $want; test ! -s $TMP/out; test -s $TMP/err
}
expect 125 --no-such-option
expect 125 --module $TMP/none.sys
expect 125 --add /no/such/file:/x -- x
expect 125 --smp 2 --icount
expect 125 --cpu nonsense -- x
if ! test -w /dev/kvm; then
    expect 125 --accel kvm -- true
    grep 'or leave --accel away' $TMP/err
fi
expect 125 --
"""

MULTIBOOT2 = """
grub-file --is-x86-multiboot2 $B/primer.elf
grub-file --is-x86-multiboot2 $B/stripped/primer.elf
"""

# The kernel keeps the order of its layers; and a tree that breaks it is told so, once for each kind of fault.
LAYERS = r"""
make -s BUILD=$BUILD layers
LAYERS=$PWD/tools/layers
mkdir -p $TMP/arch $TMP/sync $TMP/kernel/mm $TMP/kernel/ob $TMP/kernel/io $TMP/kernel/kd && cd $TMP
echo '#include "kernel/mm/mm.h"' >arch/include.c
echo 'void MmUpward(void); void ArchSymbol(void) { MmUpward(); }' >arch/symbol.c
echo 'void MmUpward(void) {}' >kernel/mm/upward.c
echo '#include "kernel/mm/mi.h"' >kernel/ob/private.c
echo 'void IoBack(void); void ObForth(void) { IoBack(); }' >kernel/ob/circle.c
echo 'void ObForth(void); void IoBack(void) { ObForth(); }' >kernel/io/circle.c
echo 'void MmUpward(void); void KdBeside(void) { MmUpward(); }' >kernel/kd/beside.c
for source in arch/symbol kernel/mm/upward kernel/ob/circle kernel/io/circle kernel/kd/beside; do
    mkdir -p objects/kernel/$(dirname $source) && gcc -c -o objects/kernel/$source.c.o $source.c
done
if $LAYERS objects >faults; then exit 1; fi
grep -x 'arch/include.c: arch may not use kernel/mm/mm.h of mm' faults
grep -x 'arch/symbol.c: arch may not use MmUpward of mm' faults
grep -x 'kernel/ob/private.c: kernel/mm/mi.h is private to mm' faults
grep -x 'kernel/kd/beside.c: kd may not use MmUpward of mm' faults
grep -x 'io and ob use each other' faults
"""

# Every exported routine has its declaration, contract, test and line on the page; a tree in which one has not is told so.
ROUTINES = r"""
tools/routines --check
cp -r --parents tools/routines kernel ps sync arch include docs/routines.md drivers subsystems tests $TMP
cd $TMP
tools/routines --check
cat >>sync/event.c <<'END'

VOID KeNobodyKnows(VOID)
{
}
EXPORT(KeNobodyKnows);
END
sed -i '/^| KeBugCheck /d' docs/routines.md
sed -i '/^KeBugCheck$/d' include/exports.txt
if tools/routines --check >faults; then exit 1; fi
grep -x 'KeNobodyKnows: no header in include/ declares it' faults
grep -x 'KeNobodyKnows: no contract above its definition or declaration' faults
grep -x 'KeNobodyKnows: no test uses it' faults
grep 'docs/routines.md is out of date' faults
grep 'include/exports.txt is out of date' faults
tools/routines
if tools/routines --check >faults; then exit 1; fi
test -z "$(grep 'out of date' faults)"
grep '^| KeBugCheck | ntddk.h | KeBugCheckEx with parameters of 0 | as documented | kernel/bug |$' docs/routines.md
"""

SECOND_MAKE = """
make BUILD=$BUILD >/dev/null
make BUILD=$BUILD >$TMP/out
if grep -v Nothing $TMP/out; then exit 1; fi
"""

# The order holds. With another one in the header of a module that has layers of its own, or with a file in none, it does not.
MODULE_LAYERS = r"""
cp -r --parents arch boot kernel ps sync subsystems drivers include $TMP
objects=$PWD/$B tool=$PWD/tools/layers header=subsystems/linux/linux.h
cd $TMP
$tool $objects
expect() { sed "$1" right.h >$header; ! $tool $objects >faults; grep -x "$2" faults; }
cp $header right.h
expect 's/ exit / /; s/^ \*   tree .*/& exit/' 'subsystems/linux/exit.c: tree may not use send_signal_locked of signal.c in processes'
expect 's/ time$//; s/^ \*   kinds .*/& time/' 'subsystems/linux/poll.c: get_timespec belongs to a kind of file.*'
expect 's/ file$//; s/^ \*   kinds .*/& file/' 'subsystems/linux/console.c: file_open belongs to a kind of file.*'
expect 's/ dir exec/ exec/' 'subsystems/linux/dir.c stands in no layer of linux.h'
expect 's/ dir exec/ dir dirt exec/' 'linux.h lists dirt, but there is no subsystems/linux/dirt.c'
"""

# The runner itself: what proves nothing does not pass. Each line that must fail has a twin that passes.
RUNNER = r"""
python3 - <<'END'
import sys
sys.path.insert(0, "tests")
sys.dont_write_bytecode = True
import kinds, run

context = kinds.Context("debug", 1, "build/tests/logs")
printed = b""
kinds.call = lambda *words, **options: (0, printed, b"")

def passes(case):
    report = case.run(context)
    return bool(report.passed) and not report.failed

def says(case, text):
    case.boot_and_read = lambda *words: (0, printed, b"", text)
    return case

assert not passes(kinds.Host("x"))                                          # no result line
printed = b"@pass a\n"
assert passes(kinds.Host("x"))
assert not passes(says(kinds.Kernel("x"), "@boot cpus=1\n@pass a\n"))       # another number of processors
assert passes(says(kinds.Kernel("x"), "@boot cpus=4\n@pass a\n"))
printed = b"f() == g(): NO\n"
assert not passes(says(kinds.Command("x", stdout=kinds.HOST), ""))          # wrong here and there
printed = b"f() == g(): yes\n"
assert passes(says(kinds.Command("x", stdout=kinds.HOST), ""))
missing = kinds.Command("x", files=("/no/such/program:/x",)).run(context)   # its compiler was missing
assert missing.skipped and not missing.passed

run.say = lambda text: None
def totals(seconds, whole, skipped=(), no_skips=False):
    sums = run.Totals(no_skips)
    sums.add(kinds.Host("x"), kinds.Report(passed=["a"], skipped=list(skipped)), seconds)
    sums.judge_groups(whole)
    return sums.finish()

assert totals(run.SHARES["host"] + 1, True) == 1 and totals(run.SHARES["host"] + 1, False) == 0
assert totals(1, True, ["b"], no_skips=True) == 1 and totals(1, True, ["b"]) == 0
END
"""

# docs/facts.md, and pages that name a case, or a check, that is not there, or nothing.
FACTS = r"""
tests/facts.py | grep -E '^[0-9]+ facts, '
sed -e 's/waits.first-waiter/waits.last-waiter/' -e 's,`bug/end-owning`,`bug/end-oweing`,' \
    -e 's/`kernel.*`bug.lower-up` |$/nothing |/' docs/facts.md >$TMP/facts.md
if tests/facts.py $TMP/facts.md >$TMP/said; then exit 1; fi
grep -x 'case kernel/waits has no check waits.last-waiter' $TMP/said
grep -x 'there is no case bug/end-oweing' $TMP/said
grep "^'KeLowerIrql.* has neither a test nor a reason$" $TMP/said
"""

# docs/life.md, and a page that names a function too many.
LIFE = """
tools/life
sed 's/`PspReapThread`/`PspBuryThread`/' docs/life.md >$TMP/life.md
if tools/life $TMP/life.md >$TMP/said; then exit 1; fi
grep 'there is no function PspBuryThread$' $TMP/said
"""

CASES = [
    Script("tools/second-make", SECOND_MAKE, alone=True),
    Script("tools/layers", LAYERS),
    Script("tools/mutants", "tests/soak/mutants.py --check"),
    Script("tools/routines", ROUTINES),
    Script("tools/recorded", "tools/record-linux --check"),
    Script("tools/syscalls", "tools/syscalls --check"),
    Script("tools/life", LIFE),
    Script("tools/lines", "make -s lines", needs=("cloc",)),
    Script("tools/module-layers", MODULE_LAYERS, alone=True),
    Script("tools/multiboot2", MULTIBOOT2),
    Script("tools/runner", RUNNER),
    Script("docs/facts", FACTS),
    Script("tools/archives", ARCHIVES),
    Script("tools/module-outside-the-tree", OUTSIDE_MODULE),
    Script("tools/driver-outside-the-tree", OUTSIDE_DRIVER),
    Script("tools/notify-outside-the-tree", OUTSIDE_NOTIFY),
    Script("tools/device-outside-the-tree", OUTSIDE_DEVICE),
    Script("tools/tiny-outside-the-tree", OUTSIDE_TINY),
    Script("tools/provider-outside-the-tree", OUTSIDE_PROVIDER),
    Script("tools/run-call-errors", CALL_ERRORS),
]
