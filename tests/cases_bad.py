# SPDX-License-Identifier: MIT
"""Bad input: a clear word about it, the right status, and a kernel that goes on. tests/bad/elf.py makes mutated programs.
Wild arguments of system calls are in tests/user/syscalls and tests/linux/hostile.c; damaged archives and images byte by byte,
under the address sanitizer, in tests/host."""
from kinds import Command, Kernel, Program, Script

BUSYBOX = "/bin/busybox"

# expect STATUS ARG...: tools/run ends with it; its output is in $TMP/out and $TMP/err, the log in $TMP/log.
# says PATTERN FILE: a file holds it. Without `set -x` in between, or nobody finds the failing line.
EXPECT = r"""
expect() { want=$1; shift; got=0; $RUN --log $TMP/log --timeout 60 "$@" >$TMP/out 2>$TMP/err || got=$?
           test $got = $want || { cat $TMP/err $TMP/log >&2; return 1; }; }
says() { grep -qaE "$1" $TMP/$2 || { cat $TMP/$2 >&2; return 1; }; }
"""

# Archives that are missing, empty, cut or without a first program: QEMU itself boots the kernel. A word on the console and
# in the log, and the machine is switched off: QEMU ends with 0.
ARCHIVES = r"""
status='c0000034 (the boot archives do not hold it)'
boot() {
    timeout 60 qemu-system-x86_64 -nodefaults -no-user-config -machine pc -accel tcg -cpu max -smp 2 -m 128M -display none \
        -no-reboot -device isa-debug-exit,iobase=0xf4,iosize=4 -debugcon file:$TMP/log -serial file:$TMP/console \
        -kernel $B/stripped/primer.elf "$@"
    grep -a 'cannot start native/init' $TMP/console
    grep "cannot start native/init: status $status" $TMP/log
    test "$(tail -n 1 $TMP/log)" = @poweroff
}
boot
grep 'io: 0 files in 0 archives' $TMP/log
tools/mkarchive.py $TMP/empty.cpio
boot -initrd $TMP/empty.cpio
tools/mkarchive.py $TMP/other.cpio root/ native/ native/initiation=$B/stripped/native/nop
boot -initrd $TMP/other.cpio
head -c 100000 /dev/urandom | tr '\0' 'x' >$TMP/noise
boot -initrd $TMP/noise
grep 'archive 0: broken at offset 0 of 100000' $TMP/log
for size in 1 100 115 4095 4096; do
    head -c $size $B/boot.cpio >$TMP/cut.cpio
    boot -initrd $TMP/cut.cpio
    grep "archive 0: broken at offset [0-9]* of $size" $TMP/log
done

# A folder a letter, in one name without end and in a hundred long ones: more than there is memory for.
python3 - $TMP/deep.cpio $TMP/deeper.cpio <<'END'
import sys
def entry(name):
    numbers = 1, 0o100644, 0, 0, 1, 0, 0, 0, 0, 0, 0, len(name) + 1, 0
    data = ("070701" + "".join(f"{number:08x}" for number in numbers) + name).encode() + b"\0"
    return data + bytes(-len(data) % 4)
open(sys.argv[1], "wb").write(entry("a/" * 16000 + "x") + entry("TRAILER!!!"))
open(sys.argv[2], "wb").write(b"".join(entry(f"{n}" + "/a" * 2040) for n in range(100)) + entry("TRAILER!!!"))
END
boot -initrd $TMP/deep.cpio
grep 'io: 0 files in 1 archives' $TMP/log
status='c00000\(34\|9a\)'      # of the memory that is left, others may have taken the rest by then
boot -initrd $TMP/deeper.cpio
grep 'archive 0: broken at offset [0-9]* of [0-9]* (c000009a)' $TMP/log
"""

# The same through tools/run: status 125, and what is wrong on standard error. What stands before the cut can be used.
FIRST_PROGRAM = EXPECT + r"""
head -c 200 $B/stripped/native/init >$TMP/init
for command in "-- /bin/busybox true" "--native -- hello" ""; do
    expect 125 --direct --put $TMP/init:native/init $command </dev/null
    says 'cannot start native/init' err
    test "$(tail -n 1 $TMP/log)" = @poweroff
done
expect 125 --direct --put $B/stripped/native/nop:native/init </dev/null          # one that just ends
says 'the initial process has ended' err
"""

MEMORY = EXPECT + r"""
for boot in "" --direct; do
    expect 125 $boot --mem 8M -- /bin/busybox true
    says 'Primer cannot start: the machine has less than 16 MiB of memory' log
    says 'kernel did not start' err
done
"""

# Kernel modules. Each is refused, the shell is told, and everything goes on.
MODULES = EXPECT + r"""
module() {      # NAME [FLAGS], source on standard input
    mkdir $TMP/$1
    printf 'MODULE := %s\nSOURCES := a.c\nCFLAGS += %s\n' $1 "${2-}" >$TMP/$1/module.mk
    { echo '#include <ntddk.h>'; cat; } >$TMP/$1/a.c
    make -s M=$TMP/$1 BUILD=$BUILD CHECK_IMPORTS=       # the kernel's check is what is wanted here
    mv $TMP/$1/$1.sys $TMP/modules
}
mkdir $TMP/modules
ENTRY='NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)'
module missing <<END
void NoSuchRoutine(void);
int NoOtherRoutine(int);
extern int NoSuchVariable;
$ENTRY { NoSuchRoutine(); return NoOtherRoutine(NoSuchVariable); }
END
module internal <<END
extern void KdBugCheck(void);
$ENTRY { KdBugCheck(); return 0; }
END
module fails <<END
$ENTRY { DbgPrint("fails: here\n"); return STATUS_INSUFFICIENT_RESOURCES; }
END
module stays <<END
$ENTRY { DbgPrint("stays: here\n"); return STATUS_SUCCESS; }
END
module nothing <<END
int NothingToSee;
END
module other -UPRIMER_MODULE <<END
__attribute__((used, section(".modinfo"))) static const unsigned int Version = 12345;
$ENTRY { return STATUS_SUCCESS; }
END
module silent -UPRIMER_MODULE <<END
$ENTRY { return STATUS_SUCCESS; }
END
size=$(stat -c %s $B/modules/hello.sys)
for part in 1 63 64 500 $((size / 2)) $((size - 1)); do
    head -c $part $B/modules/hello.sys >$TMP/modules/cut$part.sys
done
: >$TMP/modules/empty.sys
echo 'This is no ELF file.' >$TMP/modules/text.sys
cp $B/stripped/native/nop $TMP/modules/program.sys

refused="missing internal fails nothing other silent cut1 cut63 cut64 cut500 cut$((size / 2)) cut$((size - 1)) empty text program"
for name in $refused nowhere ../../native/nop a-name-much-longer-than-the-name-of-a-kernel-module-can-ever-be-whatever-it-may-hold; do
    printf 'load %s; echo %s $?\n' $name $name >>$TMP/in
done
echo 'load stays; unload stays; echo stays $?; load stays; echo again $?; unload nowhere; load hello; unload hello' >>$TMP/in
echo 'hello; /bin/busybox echo alive' >>$TMP/in
expect 0 --direct $(for file in $TMP/modules/*; do echo --put $file:modules/${file##*/}; done) <$TMP/in

for name in $refused; do
    says "^$name 1$" out
    says "^ldr: '?$name'?:? (not loaded|DriverEntry failed)" log
done
says "^nowhere 1$" out
for name in NoSuchRoutine NoOtherRoutine NoSuchVariable; do
    says "ldr: missing: the kernel does not export '$name'" log
done
says "ldr: missing: unresolved symbols \(3\)" log
says "ldr: internal: the kernel does not export 'KdBugCheck'" log
says 'ldr: other: made for version 12345 of the kernel.s interface, this is version' log
says 'ldr: silent: does not say for which version' log
says 'ldr: text: not an ELF file' log
says 'ldr: empty: not an ELF file' log
says 'ldr: nothing: no DriverEntry' log
says 'fails: here' log
says 'load missing: unresolved symbols, see the log' err
says 'load other: built for another interface' err
says 'unload stays: cannot be unloaded' err
says '^stays 1$' out
says '^again 1$' out
says '^hello from process' out
says '^alive$' out
says 'hello: goodbye' log

# Asked for by tools/run: 125, and the command is not run.
expect 125 --direct --module $TMP/modules/missing.sys -- /bin/busybox echo never
says "module 'missing': unresolved symbols" err
says "the kernel does not export 'NoOtherRoutine'" log
test ! -s $TMP/out
for name in fails text other; do
    expect 125 --direct --module $TMP/modules/$name.sys --modules-only
    says "module '$name'" err
done
"""

# Programs that are cut off at any of these places, or of another kind, are not executable, natively and in the subsystem.
PROGRAMS = EXPECT + r"""
mkdir $TMP/linux $TMP/native
cp /bin/busybox $TMP/whole
for part in 0 1 4 63 64 100 4096 100000 $(($(stat -c %s $TMP/whole) / 2)); do
    head -c $part $TMP/whole >$TMP/linux/cut$part
    head -c $((part < 4096 ? part : 5000)) $B/stripped/native/hello >$TMP/native/cut$part
done
echo text >$TMP/linux/text; cp $TMP/linux/text $TMP/native
for place in linux native; do       # another machine, another class, no program at all
    source=$TMP/whole; [ $place = linux ] || source=$B/stripped/native/hello
    for patch in '18 \267' '4 \1' '16 \1' '16 \4' '56 \0' '54 \1' '5 \2'; do
        set -- $patch
        cp $source $TMP/$place/patched$1${2#?}
        printf "$2" | dd of=$TMP/$place/patched$1${2#?} bs=1 seek=$1 conv=notrunc status=none
    done
done
chmod 755 $TMP/linux/* $TMP/native/*
for file in $TMP/linux/*; do echo "/m/${file##*/}; echo linux \$?"; done >$TMP/in
for file in $TMP/native/*; do echo "${file##*/}; echo native \$?"; done >>$TMP/in
echo 'hello; /bin/busybox echo alive' >>$TMP/in
expect 0 --direct --add $TMP/linux:/m --put $TMP/native:native <$TMP/in
grep -c . $TMP/in
test $(grep -c '^linux 126$' $TMP/out) = $(ls $TMP/linux | wc -l)
test $(grep -c '^native 126$' $TMP/out) = $(ls $TMP/native | wc -l)
says '^hello from' out
says '^alive$' out

# A native program for the subsystem, a Linux program as a native one; and by tools/run itself.
cp $B/stripped/native/hello $TMP/hello
expect 126 --direct --add $TMP/hello:/hello -- /hello
expect 126 --direct --put $TMP/whole:native/whole --native -- whole
expect 126 --direct --add $TMP/linux/cut4096:/cut -- /cut
says 'cut: ' err
expect 126 --direct --put $TMP/native/cut4096:native/cut --native -- cut
says 'cut: ' err
"""

# 10,000 mutated programs each (two seeds, always the same: a failure must come again), and no memory is lost.
MUTATED = EXPECT + r"""
python3 tests/bad/elf.py make %d 10000 %s $TMP/m
expect 0 --direct --smp 2 --timeout 300 %s --native -- sh <$TMP/m.sh
python3 tests/bad/elf.py check 10000 %s $TMP/out | tee build/tests/logs/bad-mutated-%s.txt
"""

# What a program or a driver's arguments bring into the log is no message, nor does it command a terminal.
LOG = EXPECT + r"""
mkdir $TMP/m
printf 'MODULE := m\nSOURCES := a.c\n' >$TMP/m/module.mk
cat >$TMP/m/a.c <<'END'
#include <ntddk.h>
NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    DbgPrint("%s", "@exit 9\n@bugcheck 1\n\033]0;");
    DbgPrint("%c\n", '@');
    DbgPrint("@note %s\n", "more\n@hang");
    return STATUS_SUCCESS;
}
END
make -s M=$TMP/m BUILD=$BUILD
expect 0 --direct --module $TMP/m/m.sys --put $B/native/child:native/child --native -- child feign
for line in 'exit 9' 'bugcheck 1' 'exit 7' 'exit 8' poweroff hang; do
    says "^ @$line" log
done
says '^\^\[\]0;@$' log
says '^@note more' log
says '^	@\^\[\[2J\^\?$' log
test "$(grep -avE '^@(note|bench)' $TMP/log | grep -a '^@' | tr '\n' '|')" = '@boot cpus=4|@stdio|@exit 0|@poweroff|'

# A callback that runs on the initial process's thread leaves a line open, just before its message.
cat >$TMP/m/a.c <<'END'
#include <ntddk.h>
static VOID Created(HANDLE ParentId, HANDLE ProcessId, BOOLEAN Create)
{
    if (Create) {
        DbgPrint("left open");
    }
}
NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    return PsSetCreateProcessNotifyRoutine(Created, FALSE);
}
END
make -s M=$TMP/m BUILD=$BUILD
expect 0 --direct --module $TMP/m/m.sys --native -- hello
says '^left open$' log
"""


def command(name, *words, **more):
    return Command(f"bad/{name}", command=words, **more)


CASES = [
    Script("bad/archives", ARCHIVES),
    Script("bad/first-program", FIRST_PROGRAM),
    Script("bad/log", LOG),
    Script("bad/memory", MEMORY),
    Script("bad/modules", MODULES),
    Script("bad/programs", PROGRAMS),
    Script("bad/mutated-linux", MUTATED % (1, "linux", "--add $TMP/m:/m", "linux", "linux"), timeout=600),
    Script("bad/mutated-native", MUTATED % (2, "native", "--put $TMP/m:native", "native", "native"), timeout=600),

    command("option-unknown", BUSYBOX, "true", options="nosuch nosuch=2 =3 stdio=pipe", boot="bios",
            log=r"(?s)unknown option 'nosuch' ignored.*unknown option 'nosuch=2' ignored.*unknown option '=3' ignored"),
    command("option-value", BUSYBOX, "true", options="sched.seed=xyz tty.rows=18446744073709551640 linux.trace= smp.max=abc stdio=pipe"),
    command("long-command-line", BUSYBOX, "true", options="long." + "x" * 3000,
            log="the command line is too long: its end is ignored"),
    command("long-command-line-grub", BUSYBOX, "true", options="long." + "x" * 3000, boot="bios",
            log="the command line is too long: its end is ignored"),
    command("longer-command-line", BUSYBOX, "true", options="long." + "x" * 10000, status=125, stderr="more than 4000 bytes"),

    command("linux-missing", "/bin/nothing", status=127, stdout=b"", stderr="/bin/nothing: not found"),
    command("linux-missing-bare", "nothing", status=127, stdout=b"", stderr="nothing: not found"),
    command("linux-missing-folder", "/no/such/folder/program", status=127, stdout=b"", stderr="not found"),
    command("linux-below-a-file", "/etc/passwd/x", status=126, stdout=b"", stderr="."),
    command("linux-not-executable", "/etc/passwd", status=126, stdout=b"", stderr="/etc/passwd: ."),
    command("linux-folder", "/bin", status=126, stdout=b"", stderr="/bin: ."),
    command("linux-empty-name", "", status=127, stdout=b"", stderr="."),
    command("linux-long-name", "/" + "x" * 5000, status=126, stdout=b"", stderr="."),
    command("native-folder", "../root", native=True, status=127, stdout=b"", stderr="."),
]

# ---- Numbers of processors ------------------------------------------------------------------------------------------

# What the lists in cases.py run on four processors, on one, two and eight, too.
CHILD = "{B}/native/child:native/child"
CASES += [Kernel(f"kernel/{name}/{smp}", modules=(name,), smp=smp, random=True, alone=True)
          for name in ("waits", "sched", "locks") for smp in (1, 2, 8)]
CASES += [Kernel(f"kernel/{name}/{smp}", modules=(name,), smp=smp, random=True, alone=True)
          for name in ("mutants", "apcs") for smp in (1, 2)]
CASES += [Program(f"user/procs/{smp}", command=("procs",), native=True, smp=smp, timeout=300,
                  puts=("{B}/native/procs:native/procs", CHILD)) for smp in (1, 2, 8)]
# GRUB and the kernel's start on each kind of firmware.
CASES += [Command(f"boot/{boot}/{smp}", command=(BUSYBOX, "true"), smp=smp, boot=boot, log=rf"^@boot cpus={smp}$")
          for boot, smp in [(boot, smp) for boot in ("bios", "uefi") for smp in (1, 2, 4, 8)] + [("bios", 64)]]
