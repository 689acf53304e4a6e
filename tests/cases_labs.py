# SPDX-License-Identifier: MIT
"""The course: what labs/ claims, the grader, and what comes of bad submissions."""
import os
import sys

from kinds import ROOT, Script

sys.path.insert(0, os.path.join(ROOT, "tools"))
from labkit import course                                                                   # noqa: E402

# Both archives are the same; none of what students may not see is in them; mistakes in a call are told in one sentence.
EXPORT = r"""
tools/lab lint
for n in $(ls labs | grep '^[0-9]'); do
    tools/lab export $n starter $TMP/a.tar.gz
    tools/lab export $n starter $TMP/b.tar.gz
    cmp $TMP/a.tar.gz $TMP/b.tar.gz
    tar tzf $TMP/a.tar.gz >$TMP/list
    if grep -E 'labs/[0-9]+/(hidden|stubs|answers|ta\.md|model)|tests/mutants/' $TMP/list; then exit 1; fi
    grep "labs/$n/README.md" $TMP/list
done
mutant=$(tools/lab export 3 --mutant nobody $TMP/m 2>&1 | sed 's/.*: there are //; s/,.*//') || true
tools/lab export 3 --mutant $mutant $TMP/m
test "$(diff -rq --exclude=.git --exclude=build --exclude=MANIFEST . $TMP/m | grep -c '^Files')" = 1

says() { # WORDS ARGUMENT...: status 2, one line that holds the words
    words=$1; shift
    status=0; tools/lab "$@" 2>$TMP/said || status=$?
    test $status = 2 && test $(wc -l <$TMP/said) = 1 && grep "$words" $TMP/said
}
says 'there is no lab 77' grade 77
says "no hole 'nothing'" export 3 --only-hole nothing $TMP/x
says 'is there already' export 3 starter $TMP/m
says "no test 'nothing'" run nothing
says 'no such folder' grade 3 --submission $TMP/none
says 'tools/lab --help' grade three
"""

# What a lab's files may not say, and logs that give no points.
STRICT = r"""
python3 - <<'END'
import os, sys, tempfile
sys.path.insert(0, "tools")
sys.dont_write_bytecode = True
from labkit import course, grade, report

def refused(words, stubs, toml='title = "t"\nhours = 1\neditable = ["a.c"]\n', source="void F(void)\n{\n}\n\nvoid G(int A,\n       int B)\n{\n    A = B;\n}\n"):
    with tempfile.TemporaryDirectory() as root:
        os.makedirs(os.path.join(root, "labs/1"))
        for path, text in (("labs/1/stubs.c", stubs), ("labs/1/lab.toml", toml), ("a.c", source)):
            with open(os.path.join(root, path), "w") as file:
                file.write(text)
        try:
            lab = course.load(1, root)
        except course.LabError as error:
            assert words in str(error), (words, str(error))
            return None
        assert words is None, words
        return lab

F = "/* hole f */\nvoid F(void)\n{\n    return;\n}\n"
refused("code before the first line", "void F(void)\n{\n}\n")
refused("two holes are called", F + F)
refused("is no id", F.replace("hole f", "hole F x"))
refused("closed by a brace", F.replace("\n}\n", "\n"))
refused("defined 0 times", F.replace("F(", "H("))
refused("defined 2 times", F, source="void F(void)\n{\n}\n\nvoid F(void)\n{\n}\n")
refused("no definition of a function", "/* hole f */\nint x;\n}\n")
refused("are 0, not 100", F)
refused("and not colour", F, 'title = "t"\nhours = 1\neditable = ["a.c"]\ncolour = 1\n')
refused("lab.toml: ", F, "title = \n")
refused("missing: points", F, 'title = "t"\nhours = 1\neditable = ["a.c"]\n[[test]]\nname = "x"\nmodule = "m"\ncovers = []\n')

# Logs. The plan is that of the module, in its order.
lab = course.load(3)
test = lab.tests[0]
plan = course.plan(".", test.module)
def verdicts(lines, status=0, said=""):
    outcomes, _ = grade.judge(".", test, 1, "abcd", status, said, "\n".join(lines) + "\n")
    return [outcomes[name].verdict for name in plan]
good = [f"@pass {name} #abcd" for name in plan]
assert set(verdicts(good)) == {"ok"}
assert set(verdicts([line.replace(" #abcd", "") for line in good])) == {"forged"}             # without the run's number
assert set(verdicts([line.replace("abcd", "abce") for line in good])) == {"forged"}
assert set(verdicts(good + good)) == {"forged"}                                             # a second time
assert set(verdicts(good[::-1])) == {"forged"}                                              # out of order
assert set(verdicts(good + ["@pass ready.nothing #abcd"])) == {"forged"}
assert set(verdicts([])) == {"fail"}                                                        # a silent exit
assert set(verdicts([], 125, "primer: triple fault: the machine reset itself")) == {"triple fault"}
assert set(verdicts([], 125, "primer: bug check\n  7Eh")) == {"bug check"}
assert set(verdicts([], 124, "primer: time-out after 60 s")) == {"hang"}
assert verdicts(good[:2], 125, "primer: bug check")[:3] == ["ok", "ok", "bug check"]
assert verdicts([f"@fail {plan[0]}: x == 1 #abcd"] + good[1:])[:2] == ["fail", "ok"]
grade.FLOOD = 1000
assert set(verdicts(["x" * 1200])) == {"flood"}
text = "@value ready.workload a0 b0 #abcd\n"
outcomes = {"ready.workload": grade.Outcome("ok")}
grade.check_values(".", lab, outcomes, text, 1)
assert outcomes["ready.workload"].verdict == "fail" and "event 0" in outcomes["ready.workload"].lines

# The forms: each can be read back.
import base64, json, xml.etree.ElementTree as xml
results = [grade.Result(part, grade.Outcome("ok" if i else "bug check", "a\x1b\nb")) for i, part in enumerate([*lab.gates, *lab.tests])]
facts = json.loads(report.gradescope(lab, results, 1))
assert sum(test["max_score"] for test in facts["tests"]) == 100 and {test["visibility"] for test in facts["tests"]} == {"visible", "after_due_date"}
assert all(set(test) >= {"name", "score", "max_score", "status", "output"} for test in facts["tests"]) and "hidden tests" in facts["output"]
assert json.loads(report.plain(lab, results, 1))["points"] == 100
assert xml.fromstring(report.junit(lab, results, 1)).get("failures") == "1"
assert json.loads(base64.b64decode(report.classroom(lab, results, 1)))["status"] == "fail"
END
"""

# Submissions: not a word of C; a kernel that hangs; one that prints what the tests print; another's files beside the editable ones.
SUBMISSIONS = r"""
for name in broken hangs forges; do
    mkdir -p $TMP/s/$name/kernel/ke
    cp kernel/ke/sched.c kernel/ke/priority.c $TMP/s/$name/kernel/ke
done
mkdir -p $TMP/s/forges/tests/kernel && echo '#error' >$TMP/s/forges/tests/kernel/ktest.h      # not taken
echo 'this is no C' >>$TMP/s/broken/kernel/ke/sched.c
sed -i 's/^    ULONG Summary = Prcb->ReadySummary;$/    while (Prcb->ReadySummary != 0) {\n    }\n&/' $TMP/s/hangs/kernel/ke/sched.c
sed -i 's/^KPRIORITY KeSetPriorityThread(.*$/static void Forge(void)\n{\n    static LONG Once;\n    if (Once++ == 0) {\n        DbgPrint("@pass ready.fifo #0\\n");\n    }\n}\n\n&/' $TMP/s/forges/kernel/ke/priority.c
sed -i '/^KPRIORITY KeSetPriorityThread(/,/^{/ s/^{/{\n    Forge();/' $TMP/s/forges/kernel/ke/priority.c
if cmp kernel/ke/priority.c $TMP/s/forges/kernel/ke/priority.c || cmp kernel/ke/sched.c $TMP/s/hangs/kernel/ke/sched.c; then exit 1; fi
tools/lab grade-all 3 $TMP/s --out $TMP/out
cat $TMP/out/lab3.csv $TMP/out/broken.txt
grep '^broken,10,100,' $TMP/out/lab3.csv && grep 'build failure' $TMP/out/broken.txt && grep 'sched.c:.*error' $TMP/out/broken.txt
grep '^hangs,10,100,' $TMP/out/lab3.csv && grep -E 'hang|boot failure' $TMP/out/hangs.txt
grep '^forges,10,100,' $TMP/out/lab3.csv && grep 'forged' $TMP/out/forges.txt
if grep Traceback $TMP/out/*.txt; then exit 1; fi
tools/lab package 3 gradescope
python3 - <<'END'
import zipfile
names = zipfile.ZipFile("build/labs/lab3-gradescope.zip").namelist()
assert names == ["setup.sh", "run_autograder", "primer.tar.gz"], names
END
"""

# The hunt: modules that are not C, fail where there is no bug, print results themselves, look at the kernel's code, end the machine,
# or check nothing, find no bug, and are told why.
HUNT = r"""
module() { # FOLDER NAME CHECK: a module with one check
    mkdir -p $TMP/s/$1/labs/10/hunt/$2
    sed "s/^    KTEST_CHECK(.*$/    $3/" labs/10/starter/hunt/$2/$2.c >$TMP/s/$1/labs/10/hunt/$2/$2.c
    if cmp labs/10/starter/hunt/$2/$2.c $TMP/s/$1/labs/10/hunt/$2/$2.c; then exit 1; fi
}
module one ready 'KTEST_CHECK(1 == 2);'
module one waits 'this is no C'
module one shared 'DbgPrint("@fail shared.nothing-yet: I say so #0\\n");'
module two ready 'for (ULONG i = 0; i < 32; i++) { KTEST_CHECK(((PUSHORT)((ULONG_PTR)KeQueryPriorityThread + i))[0] != 0x90f3); }'
module two waits 'KeBugCheck(0xE2);'
module two shared 'KTEST_CHECK(TRUE);'
sed -i '/KtestRun/d' $TMP/s/two/labs/10/hunt/shared/shared.c
tools/lab grade-all 10 $TMP/s --out $TMP/out
cat $TMP/out/*.txt
grep '^one,10,100,' $TMP/out/lab10.csv && grep '^two,10,100,' $TMP/out/lab10.csv
grep 'no check passes where there is no bug' $TMP/out/one.txt && grep 'build failure *kernel-c' $TMP/out/one.txt
grep 'waits.c:.*error' $TMP/out/one.txt && grep 'forged *kernel-e' $TMP/out/one.txt
grep 'ready.nothing-yet, on a kernel that is built differently' $TMP/out/two.txt && grep 'bug check *kernel-j' $TMP/out/two.txt
grep 'labs/10/hunt/shared has no check' $TMP/out/two.txt
if grep Traceback $TMP/out/*.txt; then exit 1; fi
tools/lab export 10 starter $TMP/starter
if grep -rq 'kernel-g' $TMP/starter/labs/10/planted || grep -rq 'PreemptedGoesOn' $TMP/starter/labs/10; then exit 1; fi
cd $TMP/starter && tools/lab list | grep kernel-f
if tools/lab list | grep kernel-g; then exit 1; fi
"""

CASES = [
    Script("labs/export", EXPORT),
    Script("labs/strict", STRICT),
    Script("labs/submissions", SUBMISSIONS, timeout=600, debug=True),
    Script("labs/hunt", HUNT, timeout=600, debug=True),
    *(Script(f"labs/prove-{number}", f"tools/lab prove --quick {number}", timeout=600, debug=True) for number in course.numbers()),
    Script("labs/front-door", "./primer lab 3 | tail -n 1 | grep -x 100/100", debug=True),
]
