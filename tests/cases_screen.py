# SPDX-License-Identifier: MIT
"""The machine's own screen and keyboard: tests/screen.py types and reads; and that nothing of it is there when nobody asks."""
from kinds import Script

TOGETHER = """
out=$($RUN --screen none --direct --timeout 100 --log $TMP/log -- /bin/sh -c 'test -t 0 && stty size && echo shown')
test "$out" = "25 80"$'\\r\\n'shown$'\\r'
grep -q '^screen: 80 columns, 25 rows$' $TMP/log
# It can be taken away and come again, and leaves nothing behind.
printf 'unload screen\\nload screen\\nunload screen\\nload screen\\necho alive\\n' |
    $RUN --direct --device VGA --append boot.module=screen --log $TMP/log --native -- sh | grep alive
test $(grep -c '^screen: 80 columns, 25 rows' $TMP/log) = 3
if grep -i 'pool' $TMP/log; then exit 1; fi
# Without an adapter there is none, and without the option nobody looks.
$RUN --direct --append boot.module=screen --log $TMP/log -- /bin/true
grep -q '^screen: there is none' $TMP/log
$RUN --direct --device VGA --log $TMP/log -- /bin/true
if grep screen $TMP/log; then exit 1; fi
"""

CASES = [Script("screen/run", TOGETHER)]
CASES += [Script(f"screen/{name}", f"tests/screen.py $BUILD {name}", idle=True, timeout=900,
                 needs=("/usr/share/OVMF",) if "uefi" in name else ())
          for name in ("bios", "uefi", "terminal", "bugcheck", "bugcheck-uefi", "flood")]
