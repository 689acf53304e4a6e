# SPDX-License-Identifier: MIT
"""Interleavings. The models of tests/models, checked exhaustively by spin: each scenario holds, and fails when one of its fences or
exchanges is taken away; beside each stands how many states were explored. And the same races in the kernel, driven by the
schedule controller, at other numbers of processors than four (tests/cases.py has that)."""
import dataclasses
import os
import re
import shutil
import tempfile

from kinds import ROOT, Kernel, Report, Script, call, tail


@dataclasses.dataclass
class Model:
    """tests/models/FILE.pml with these definitions; `fails`: an error must be found."""
    file: str
    defines: tuple = ()
    fails: bool = False
    timeout: float = 300

    @property
    def name(self):
        return "models/" + "/".join((self.file, *(define.replace("SCENARIO=", "") for define in self.defines)))

    def explore(self, folder):
        source = os.path.join(ROOT, f"tests/models/{self.file}.pml")
        defines = [f"-D{define}" for define in self.defines]
        for argv in (["spin", *defines, "-a", source],
                     ["gcc", "-O1", "-w", "-DSAFETY", "-DCOLLAPSE", "-DMEMLIM=4000", "-o", "pan", "pan.c"],
                     ["./pan", "-m1000000"]):
            status, out, err = call(argv, timeout=self.timeout, cwd=folder)
            if status:
                break
        return status, (out + err).decode(errors="replace")

    def run(self, context):
        report = Report(repeat=f"tests/run.py {self.name}")
        if not shutil.which("spin"):
            report.skipped.append(f"{self.name}: spin is missing")
            return report
        with tempfile.TemporaryDirectory(prefix="primer-model-") as folder:
            status, text = self.explore(folder)
        report.details = tail(text)
        errors = re.search(r"errors: (\d+)", text)
        states = re.search(r"(\d+) states, stored", text)
        complete = errors and states and "Search not completed" not in text.replace("Warning: ", "") or self.fails
        if not errors or not complete:
            report.failed.append(f"{self.name}: the search was not completed (status {status})")
        elif (errors[1] != "0") != self.fails:
            report.failed.append(f"{self.name}: " + ("no error is found" if self.fails else "the model is wrong"))
        else:
            report.passed.append(self.name)
            report.note = "fails, as it must" if self.fails else f"{int(states[1]):,} states"
        return report


CASES = [Script("models/labels", "tests/models/labels.py"), Model("queuedlock")]
CASES += [Model("queuedlock", (switch,), fails=True) for switch in ("NO_EXCHANGE", "NO_COMPARE_EXCHANGE")]
CASES += [Model("wait", (f"SCENARIO={scenario}",)) for scenario in range(1, 7)]
# A switch, and a small scenario that shows what it breaks.
CASES += [Model("wait", (f"SCENARIO={scenario}", switch), fails=True) for switch, scenario in {
    "NO_LOCK_EXCHANGE": 6,
    "NO_CLAIM_EXCHANGE": 5,
    "NO_COMMIT_EXCHANGE": 5,
    "NO_OWN_EXCHANGE": 5,
    "NO_PREPARE_FENCE": 4,
    "NO_ANNOUNCE_FENCE": 4,
    "NO_AGAIN_FENCE": 6,
    "NO_UNSLEPT_LOCK": 5,
}.items()]
CASES += [Kernel(f"kernel/races/{smp}", smp=smp, modules=("races",), debug=True, alone=True, random=smp > 1,
                 run_args=("--icount",) if smp == 1 else ()) for smp in (1, 2, 8)]
