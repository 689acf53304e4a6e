# SPDX-License-Identifier: MIT
"""The machine of a student: which tools it has, what the front door says of those that it has not, and builds without some."""
from kinds import Script

# Clang, lld and LLVM's tools alone, and neither GRUB nor Debian's packages. `tools` is all of PATH but what is missing.
LLVM = r"""
mkdir $TMP/tools $TMP/tree
find /usr/bin -mindepth 1 -print0 | grep -zvE '/([gc]\+\+|gcc|cc|cpp|x86_64|musl-|ld$|ld\.[bg]|as$|ar$|nm$|obj|ranlib|strip|grub|xorriso|mformat)' |
    xargs -0 ln -sf -t $TMP/tools
ln -sf $(command -v python3) $TMP/tools/python3
git ls-files -z --cached --others --exclude-standard | tar c --null -T - --ignore-failed-read | tar x -C $TMP/tree
cd $TMP/tree
PATH=$TMP/tools make WERROR=1 BUSYBOX= BASH= >$TMP/made
grep 'note: no ISO without grub-mkrescue xorriso mformat' $TMP/made
grep 'note: no busybox' $TMP/made
readelf -p .comment build/debug/kernel/kernel/ke/sched.c.o | grep clang
tools/run --native -- hello | grep '^hello from process'
if tools/run --uefi --native -- hello 2>$TMP/said; then exit 1; fi
grep 'primer.iso is missing: call make BUILD=debug, which needs GRUB' $TMP/said
status=0; tools/run -- /bin/busybox true || status=$?
test $status = 127

# Debian's packages, unpacked without Debian's tools.
mkdir -p $TMP/deb/usr/bin $TMP/debs
cp $(ls /bin/busybox /usr/bin/busybox | head -n 1) $TMP/deb/usr/bin/
tar cJf $TMP/data.tar.xz -C $TMP/deb .
echo 2.0 >$TMP/debian-binary
(cd $TMP && ar rc debs/busybox.deb debian-binary data.tar.xz)
PATH=$TMP/tools make root DEBS=$TMP/debs
PATH=$TMP/tools make BASH= >$TMP/made
if grep 'no busybox' $TMP/made; then exit 1; fi
test "$(tools/run -- /bin/echo there)" = there

# What leaves the folder is refused, and what is no package.
tar cJf $TMP/data.tar.xz -P --transform 's,.*,../../evil,' $TMP/debian-binary
(cd $TMP && ar rc bad.deb debian-binary data.tar.xz)
if tools/undeb $TMP/out $TMP/bad.deb 2>$TMP/said; then exit 1; fi
grep 'bad.deb: ../../evil lies outside' $TMP/said
test ! -e $TMP/evil
if tools/undeb $TMP/out $TMP/made 2>$TMP/said; then exit 1; fi
grep 'not a Debian package' $TMP/said
"""

# A busybox that cannot be executed tells the same names.
APPLETS = r"""
busybox=$(ls /bin/busybox /usr/bin/busybox | head -n 1)
cp $busybox $TMP/foreign
printf '\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\xb7\0' | dd of=$TMP/foreign conv=notrunc status=none    # of another machine
tools/applets $TMP/foreign | sort >$TMP/found
$busybox --list | sort >$TMP/told
cmp $TMP/found $TMP/told
"""

DOCTOR = r"""
tools/doctor >$TMP/said
grep '^ok .*nasm' $TMP/said
mkdir $TMP/tools
find /usr/bin -mindepth 1 -print0 | xargs -0 ln -sf -t $TMP/tools
ln -sf $(command -v python3) $TMP/tools/python3
rm $TMP/tools/nasm $TMP/tools/gdb $TMP/tools/qemu-system-x86_64
printf '#!/bin/sh\necho QEMU emulator version 5.1.0\n' >$TMP/tools/qemu-system-x86_64
chmod +x $TMP/tools/qemu-system-x86_64
if PATH=$TMP/tools tools/doctor >$TMP/said; then exit 1; fi
grep '^NO   nasm is missing: nothing can be built' $TMP/said
grep '^NO   .*qemu-system-x86_64 is version 5.1.0, older than 6.2: nothing can be run' $TMP/said
grep '^--   gdb is missing: no tools/debug' $TMP/said
if test "$(. /etc/os-release; echo $ID)" = debian; then
    grep -E '^mend: sudo apt-get install nasm qemu-system-x86 gdb( pandoc)?( chromium)?$' $TMP/said
fi

# What only costs a part is no failure.
ln -sf /usr/bin/nasm /usr/bin/qemu-system-x86_64 $TMP/tools/
PATH=$TMP/tools tools/doctor >$TMP/said
grep '^--   gdb' $TMP/said

# A Mac, as far as the front door can see: it lacks nasm, and is told of Homebrew's names; what is there is not named.
rm $TMP/tools/nasm $TMP/tools/uname
printf '#!/bin/sh\necho Darwin\n' >$TMP/tools/uname
chmod +x $TMP/tools/uname
if PATH=$TMP/tools ./primer run 2>$TMP/said; then exit 1; fi
grep -x '    brew install nasm' $TMP/said
"""

# Of every C file of the tree, and so that the compiler takes it.
COMPDB = r"""
rm -f compile_commands.json
make compdb
python3 - <<'END'
import json, os, subprocess
entries = json.load(open("compile_commands.json"))
files = {entry["file"] for entry in entries}
for folder in ("kernel", "ps", "sync", "subsystems/linux", "drivers/kdstub", "user/sh", "tests/linux"):
    there = {os.path.join(where, name) for where, _, names in os.walk(folder) for name in names if name.endswith(".c")}
    assert len(there & files) > 0.9 * len(there), (folder, there - files)
entry = next(entry for entry in entries if entry["file"] == "kernel/ke/sched.c")
words = [word for word in entry["arguments"] if not word.startswith("-M")]
subprocess.run([*words, "-fsyntax-only"], cwd=entry["directory"], check=True)
for name in (".vscode/launch.json", ".vscode/tasks.json", ".devcontainer/devcontainer.json"):
    json.loads("".join(line for line in open(name) if not line.strip().startswith("//")))
END
"""

CASES = [
    Script("machine/llvm", LLVM, needs=("clang", "ld.lld", "llvm-objcopy")),
    Script("machine/applets", APPLETS),
    Script("machine/doctor", DOCTOR),
    Script("machine/compdb", COMPDB),
]
