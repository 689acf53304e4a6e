# SPDX-License-Identifier: MIT
"""The scheduler, with quanta of their usual length: times and shares are judged."""
from kinds import Kernel, Script

CASES = [Kernel(f"kernel/balance/{smp}", modules=("balance",), smp=smp, alone=True) for smp in (1, 2, 4, 8)]
CASES += [Kernel("kernel/busywake/64", modules=("busywake",), smp=64, run_args=("--mem", "512M"), alone=True)]
CASES += [Kernel(f"kernel/schedapi/{smp}", modules=("schedapi",), smp=smp, alone=True) for smp in (1, 4)]

# With instructions as the clock, two runs with one seed are the same to the instruction, whatever the host does and
# whatever waits on standard input; another seed gives another order. So is a program's run.
REPEATS = r"""
order() { $RUN --direct --icount --append sched.seed=$1 --module $B/modules/seeded.sys --modules-only --log $2; }
order 7 $TMP/one </dev/null
echo "some input" | order 7 $TMP/two
order 8 $TMP/three </dev/null
grep '^@pass seeded' $TMP/one
cmp $TMP/one $TMP/two
if cmp <(grep '^seeded: [a-z]*$' $TMP/one) <(grep '^seeded: [a-z]*$' $TMP/three); then false; fi
for log in four five; do
    $RUN --direct --icount --append sched.seed=9 --log $TMP/$log -- /bin/busybox date +%s.%N >$TMP/$log.out
done
cmp $TMP/four $TMP/five
cmp $TMP/four.out $TMP/five.out
grep '^17356896' $TMP/four.out      # 2025-01-01
"""
CASES += [Script("run/repeats", REPEATS, debug=True)]
