# SPDX-License-Identifier: MIT
"""The smallest provider: its program runs, beside programs of the other subsystem, and the module can be loaded again and
again."""
from kinds import Program, Script

TINY = r"""
hello=build/tests/tiny/hello.nolibc
got=0
$RUN --direct --subsystem tiny --module $B/modules/tiny.sys --add $hello:/tiny/hello -- /tiny/hello >$TMP/out || got=$?
test $got = 7
grep -x 'tiny: hello' $TMP/out
grep -x 'tiny: the second thread' $TMP/out

# Both subsystems at once; unloading waits for the program that still runs.
cat >$TMP/script <<'END'
load tiny
sleep 2 &
tiny:/tiny/hello
echo status $?
tasks
unload tiny
tiny:/tiny/hello
load tiny
tiny:/tiny/hello
wait
exit
END
$RUN --direct --add $hello:/tiny/hello <$TMP/script >$TMP/out
test "$(grep -c 'tiny: hello' $TMP/out)" = 2
grep -x 'status 7' $TMP/out
grep 'sleep\|busybox' $TMP/out
"""

PROGRAMS = ("{T}/tiny/hello.nolibc:/tiny/hello", "{T}/tiny/stay.nolibc:/tiny/stay")
NATIVE = ("{B}/native/unloads:native/unloads", "{B}/native/child:native/child")

CASES = [
    Script("tiny/two-subsystems", TINY),
    Program("tiny/unloads", command=("unloads",), native=True, timeout=300, files=PROGRAMS, puts=NATIVE),
]
