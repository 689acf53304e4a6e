# SPDX-License-Identifier: MIT
"""Runs a lab's tests on a tree, and judges what comes out: verdicts with their class and the first useful lines.

A check counts when its line `@pass NAME` (or `@fail NAME: why`) carries the run's nonce, which the kernel gets on its command line,
and stands in the order of the module's source. What comes twice, out of order or from nowhere ends the run's credit.
"""
import concurrent.futures
import dataclasses
import importlib.util
import os
import re
import resource
import secrets
import subprocess
import tempfile
import time

from . import course, hunt

FLOOD = 64 << 20            # more log than that is no log
TIMEOUT = 60                # seconds of a boot, on this host; the tests themselves count in guest time
WORST_FIRST = ("infrastructure", "build failure", "boot failure", "triple fault", "bug check", "hang", "flood", "forged", "fail",
               "not done", "ok")


@dataclasses.dataclass
class Outcome:
    verdict: str            # of WORST_FIRST
    lines: str = ""         # what says why
    repeat: str = ""        # the command that shows it again


@dataclasses.dataclass
class Result:
    part: object            # a Test or a Gate
    outcome: Outcome
    seconds: float = 0.0

    @property
    def score(self):
        return self.part.points if self.outcome.verdict == "ok" else 0


# ---- One boot -------------------------------------------------------------------------------------------------------

def limit_files():
    resource.setrlimit(resource.RLIMIT_FSIZE, (FLOOD, FLOOD))


def module_built(tree, folder):
    """What `make` makes of a module's folder, and how it is called to. The modules of the tree's own tests are made with all others."""
    name = re.search(r"^MODULE\s*:=\s*(\w+)", course.read(tree, f"{folder}/module.mk"), re.M)[1]
    if folder.startswith("labs/"):
        return f"{folder}/{name}.sys", f"M={folder}"
    return f"build/debug/modules/{name}.sys", f"build/debug/modules/{name}.sys"


def built(tree, test):
    """The test's module or program, and what `make` is called for, each by itself."""
    words = [module_built(tree, folder)[1] for folder in test.modules] + [f"build/debug/programs/{file.partition(':')[0]}" for file in test.files]
    if test.program:
        path = f"build/debug/native/{os.path.basename(test.program)}"
        return path, [*words, path]
    path, word = module_built(tree, test.module)
    return path, [*words, word]


def command(tree, test, seed, nonce, log):
    path, _ = built(tree, test)
    options = [f"lab.nonce={nonce}", f"lab.seed={seed}"]
    options += [f"lab.check={test.name}"] if test.bugcheck else []
    options += [f"sched.seed={seed}"] if test.mode in ("seeded", "stress") else []
    argv = ["tools/run", "--build", "debug", "--direct", "--timeout", str(TIMEOUT), "--log", log, "--append", " ".join(options)]
    argv += ["--smp", str(test.smp)] if test.mode in ("stress", "script") else ["--icount"]
    argv += [word for folder in test.modules for word in ("--module", module_built(tree, folder)[0])]
    argv += [word for file in test.files for word in ("--add", f"build/debug/programs/{file}")]
    if test.program:
        name = os.path.basename(path)
        return [*argv, "--native", "--put", f"{path}:native/{name}", "--", name, nonce, str(seed)]
    return [*argv, "--modules-only", "--module", path]


def read_verdicts(text, nonce, plan):
    """({name: '' or why it failed}, what is wrong with the lines, or None)."""
    found, at = {}, 0
    for kind, name, why, mark in re.findall(r"^@(pass|fail) ([^\s:]+)(?:: (.*?))?(?: #(\w+))?$", text, re.M):
        if mark != nonce:
            return found, f"a verdict without the run's number: @{kind} {name}"
        if name not in plan[at:]:
            return found, f"a verdict that is not due: @{kind} {name}"
        at = plan.index(name, at) + 1
        found[name] = "" if kind == "pass" else why or "no reason given"
    return found, None


def class_of(status, said, program=False):
    """How tools/run says that the machine ended; None when it ended well. The status may be that of a program."""
    if status == 0 or program and not re.search(r"^primer: ", said, re.M):
        return None
    for words, name in (("primer: bug check", "bug check"), ("triple fault", "triple fault"), ("hang", "hang"), ("did not start", "boot failure"),
                        ("no sign of life", "boot failure")):
        if words in said:
            return name
    return "hang" if status == 124 else "boot failure" if "kernel" in said else "infrastructure"


def first_lines(text, count=12, width=160):
    lines = [line.rstrip()[:width] for line in text.splitlines() if line.strip()]
    return "\n".join(lines[:count])


def boot(tree, test, seed):
    """{check's name: Outcome} of all checks of the test's module or program, and the log."""
    nonce = secrets.token_hex(4)
    with tempfile.TemporaryDirectory(prefix="primer-lab-") as folder:
        log = os.path.join(folder, "log")
        argv = command(tree, test, seed, nonce, log)
        try:
            done = subprocess.run(argv, cwd=tree, capture_output=True, stdin=subprocess.DEVNULL, timeout=TIMEOUT + 60, preexec_fn=limit_files)
            status, said, told = (data if isinstance(data, int) else data.decode(errors="replace") for data in (done.returncode, done.stderr, done.stdout))
        except subprocess.TimeoutExpired:
            status, said, told = 124, "", ""
        try:
            with open(log, errors="replace") as file:
                text = file.read(FLOOD)
        except OSError:
            text = ""
    text = f"{text}\n{told}" if test.program else text
    return judge(tree, test, seed, nonce, status, said, text)


def ends_as_it_must(test, nonce, text):
    """Whether the check said that it was about to end the machine, and the machine then ended so."""
    found = re.search(rf"^@intent {re.escape(test.name)} #{nonce}\n(?:.*\n)*?@bugcheck (\w+) ", text, re.M)
    return bool(found) and int(found[1], 16) == int(test.bugcheck, 16)


def judge(tree, test, seed, nonce, status, said, text):
    plan = [test.name] if test.bugcheck else course.plan(tree, test.folder)
    verdicts, forged = read_verdicts(text, nonce, plan)
    ended = "flood" if len(text) >= FLOOD - 1 else class_of(status, said, bool(test.program))
    if test.bugcheck and ended == "bug check" and ends_as_it_must(test, nonce, text):
        verdicts = {test.name: ""}
    outcomes = {}
    for name in plan:
        repeat = f"tools/lab run {name} --mode {test.mode} --smp {test.smp} --seed {seed}"
        if forged:
            outcomes[name] = Outcome("forged", forged, repeat)
        elif verdicts.get(name) == "":
            outcomes[name] = Outcome("ok", "", repeat)
        elif name in verdicts:
            outcomes[name] = Outcome("fail", verdicts[name], repeat)
        else:
            outcomes[name] = Outcome(ended or "fail", first_lines(said) if ended else "it has not reported", repeat)
    return outcomes, text


def unwritten(test, text):
    """Of the holes that a test covers, those that the boot has met as the starter has them."""
    return sorted({id for id in re.findall(r"^@todo (\S+)$", text, re.M) if id.partition(".")[2] in test.covers})


# ---- The model: what the host knows better ----------------------------------------------------------------------------

def model(tree, lab):
    """labs/N/model.py, if there is one: values(seed) -> {check's name: the text of its line `@value NAME TEXT #nonce`}."""
    path = os.path.join(tree, lab.folder, "model.py")
    if not os.path.exists(path):
        return None
    spec = importlib.util.spec_from_file_location("model", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def check_values(tree, lab, outcomes, text, seed):
    """A check that passes must also have told what the model says."""
    module = model(tree, lab)
    for name, wanted in (module.values(seed) if module else {}).items():
        told = re.findall(rf"^@value {re.escape(name)} (.*) #\w+$", text, re.M)
        if name in outcomes and outcomes[name].verdict == "ok" and told != [wanted]:
            outcomes[name] = Outcome("fail", difference(told[0] if len(told) == 1 else "", wanted), outcomes[name].repeat)


def difference(told, wanted):
    told, wanted = told.split(), wanted.split()
    for place, (got, want) in enumerate(zip(told, wanted)):
        if got != want:
            return f"event {place}: expected {want}, got {got}"
    return f"{len(told)} events, expected {len(wanted)}"


# ---- A lab ----------------------------------------------------------------------------------------------------------

def build(tree, lab, *settings):
    """'' or the first useful lines of what the compiler said. settings: of make."""
    for word in ("all", *sorted({word for test in lab.tests for word in built(tree, test)[1]})):
        wrong = make(tree, [word, *settings])
        if wrong:
            return wrong
    return ""


def make(tree, words):
    """'' or the first useful lines of what the compiler said."""
    environment = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "M")}
    done = subprocess.run(["make", "-s", "BUILD=debug", *words], cwd=tree, env=environment, capture_output=True, text=True, errors="replace")
    if done.returncode == 0:
        return ""
    said = (done.stderr + done.stdout).splitlines()
    errors = [line for line in said if "error" in line.lower() or "undefined" in line] or said
    return "\n".join(errors[:10])


def check_gate(tree, lab, gate):
    for path in lab.editable:
        text = re.sub(r"/\*.*?\*/|//[^\n]*", lambda match: "\n" * match[0].count("\n"), course.read(tree, path), flags=re.S)
        found = re.search(gate.forbidden, text, re.M)
        if found:
            return Outcome("fail", f"{path}:{text.count(chr(10), 0, found.start()) + 1}: {gate.why}")
    return Outcome("ok")


def grade(tree, lab, seed=1, jobs=2, report=lambda results: None, mutants=None, settings=()):
    """Results of all tests, gates and mutants (or of these); report is called after each, with those that are there. seed: of the first
    run."""
    results = [Result(gate, check_gate(tree, lab, gate)) for gate in lab.gates]
    wrong = build(tree, lab, *settings)
    if wrong:
        results += [Result(part, Outcome("build failure", wrong)) for part in (*lab.tests, *lab.mutants)]
        report(results)
        return results
    groups = {}
    for test in lab.tests:
        groups.setdefault((test.folder, test.mode, test.smp, test.bugcheck and test.name), []).append(test)
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        waiting = [pool.submit(run_group, tree, lab, group, seed) for group in groups.values()]
        for done in concurrent.futures.as_completed(waiting):
            results += done.result()
            report(results)
    if lab.mutants:
        before = list(results)
        results += hunt.grade_mutants(tree, lab, lab.mutants if mutants is None else mutants, seed, jobs, lambda more: report(before + more))
    order = {id(part): place for place, part in enumerate([*lab.gates, *lab.tests, *lab.mutants])}
    return sorted(results, key=lambda result: order[id(result.part)])


def run_group(tree, lab, tests, seed):
    """Tests of one module or program and one kind of machine: one boot a seed carries them all. A test is as good as its worst run."""
    started, worst = time.monotonic(), {test.name: Outcome("ok") for test in tests}
    for number in range(max(test.runs for test in tests)):
        if all(outcome.verdict != "ok" for outcome in worst.values()):
            break           # no run makes a failure good
        outcomes, text = boot(tree, tests[0], seed + number)
        if any(outcome.verdict == "infrastructure" for outcome in outcomes.values()):       # never the student's fault: once more
            outcomes, text = boot(tree, tests[0], seed + number)
        check_values(tree, lab, outcomes, text, seed + number)
        for test in tests:
            if number < test.runs and WORST_FIRST.index(outcomes[test.name].verdict) < WORST_FIRST.index(worst[test.name].verdict):
                worst[test.name] = outcomes[test.name]
                if worst[test.name].verdict == "fail" and (holes := unwritten(test, text)):
                    worst[test.name].verdict = "not done"
                    worst[test.name].lines += f" (not written yet: {', '.join(holes)})"
    seconds = (time.monotonic() - started) / len(tests)
    return [Result(test, worst[test.name], seconds) for test in tests]
