# SPDX-License-Identifier: MIT
"""The labs as labs/N/ describes them: lab.toml, stubs.c, and the functions of the tree that are the holes."""
import dataclasses
import glob
import os
import re
import tomllib

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# exact; exact, with preemption at random points; on real processors; there, in the order that the schedule controller enforces
MODES = ("det", "seeded", "stress", "script")
VISIBILITY = ("visible", "hidden")
CLASSES = ("fail", "not done", "bug check", "triple fault", "hang", "boot failure")     # what a starter's test may end in


class LabError(Exception):
    """A mistake in a lab, or in a call: one sentence, with the mend where there is one."""


@dataclasses.dataclass
class Hole:
    id: str
    function: str
    file: str           # in which the function stands
    stub: str           # the function as the starter has it
    solution: str = ""  # as the tree has it
    task: str = ""      # what the function does, in half a sentence


@dataclasses.dataclass
class Test:
    name: str           # that of the check in its module or program
    points: int
    covers: list        # ids of holes
    module: str = ""    # the folder of a kernel module
    program: str = ""   # or that of a native program
    modules: list = dataclasses.field(default_factory=list)     # folders of modules that are loaded before
    files: list = dataclasses.field(default_factory=list)       # NAME:/PATH of programs of subsystems, labs/N/programs/NAME.c
    bugcheck: str = ""  # the code, where the machine must end so
    visibility: str = "visible"
    mode: str = "det"
    smp: int = 1
    runs: int = 1       # with as many seeds
    starter: str = "not done"

    @property
    def folder(self):
        return self.module or self.program


@dataclasses.dataclass
class Mutant:
    """A kernel with a planted bug, which a check of the student's has to notice (labkit/hunt.py)."""
    name: str
    module: str         # the folder of the module that hunts it
    points: int
    report: str         # what a user would say is wrong
    visibility: str = "visible"
    mode: str = "det"
    smp: int = 1
    runs: int = 1       # with as many seeds, until one notices it
    starter: str = "fail"


@dataclasses.dataclass
class Gate:
    """What the editable files may not hold."""
    name: str
    points: int
    forbidden: str      # a regular expression
    why: str


@dataclasses.dataclass
class Lab:
    number: int
    folder: str
    title: str
    hours: int
    editable: list
    holes: list
    tests: list
    gates: list
    mutants: list = dataclasses.field(default_factory=list)

    def hole(self, id):
        found = [hole for hole in self.holes if hole.id == id]
        if not found:
            raise LabError(f"lab {self.number} has no hole '{id}': it has {', '.join(hole.id for hole in self.holes)}")
        return found[0]

    @property
    def points(self):
        return sum(part.points for part in (*self.tests, *self.gates, *self.mutants))


# ---- Functions in C -------------------------------------------------------------------------------------------------

def definition(text, function):
    """(start, end) of each definition of the function in this C source, from its first line to the brace that closes it. In this
    tree a function's head and its braces begin their lines, and nothing within it does but a label or a directive."""
    head = rf"^(?=\w)(?:(?!;|^\}}).|\n(?!\n))*?\b{re.escape(function)}\((?:[^;{{}}]|\n)*?\n\{{\n(?:.*\n)*?\}}\n"
    return [match.span() for match in re.finditer(head, text, re.M)]


def read(root, path):
    try:
        with open(os.path.join(root, path), encoding="utf-8") as file:
            return file.read()
    except OSError as error:
        raise LabError(f"{path}: {error.strerror}") from None


def find_hole(root, id, stub, editable, where):
    name = re.search(r"\b(\w+)\([^;{]*\)\s*\{", stub)
    if not name:
        raise LabError(f"{where}: hole '{id}' is no definition of a function")
    places = [(path, start, end) for path in editable for start, end in definition(read(root, path), name[1])]
    if len(places) != 1:
        raise LabError(f"{where}: hole '{id}': {name[1]} is defined {len(places)} times in {', '.join(editable)}")
    path, start, end = places[0]
    return Hole(id, name[1], path, stub, read(root, path)[start:end])


def read_holes(root, folder, editable):
    """labs/N/stubs.c: each stub stands behind a line `/* hole ID: what the function does */`, and ends before the next one."""
    where = os.path.join(folder, "stubs.c")
    if not os.path.exists(os.path.join(root, where)):
        return []
    first, *parts = re.split(r"^/\* hole (.*?) \*/\n", read(root, where), flags=re.M)
    if re.search(r"^\w", first, re.M) or not parts:
        raise LabError(f"{where}: code before the first line '/* hole ID */'")
    holes = []
    for head, stub in zip(parts[::2], parts[1::2]):
        id, _, task = head.partition(": ")
        if not re.fullmatch(r"[a-z][a-z0-9-]*", id):
            raise LabError(f"{where}: '{id}' is no id: small letters, digits and '-'")
        if id in (hole.id for hole in holes):
            raise LabError(f"{where}: two holes are called '{id}'")
        if "/* hole" in stub:
            raise LabError(f"{where}: a hole within hole '{id}'")
        if len(re.findall(r"^\}$", stub, re.M)) != 1:
            raise LabError(f"{where}: hole '{id}' must be one function, closed by a brace that begins its line")
        holes.append(find_hole(root, id, stub.strip() + "\n", editable, where))
        holes[-1].task = task
    return holes


# ---- A lab ----------------------------------------------------------------------------------------------------------

def numbers():
    return sorted(int(os.path.basename(path)) for path in glob.glob(os.path.join(ROOT, "labs/[0-9]*")))


def make(kind, facts, where):
    """A dataclass from a table of the file: what is unknown or missing is an error."""
    fields = {field.name: field for field in dataclasses.fields(kind)}
    unknown = set(facts) - set(fields)
    missing = {name for name, field in fields.items() if field.default is field.default_factory is dataclasses.MISSING} - set(facts)
    if unknown or missing:
        raise LabError(f"{where}: " + (f"unknown: {', '.join(sorted(unknown))}" if unknown else f"missing: {', '.join(sorted(missing))}"))
    return kind(**facts)


def load(number, root=ROOT, tables=True):
    """tables: those of the handout must be up to date."""
    folder = f"labs/{number}"
    where = f"{folder}/lab.toml"
    if not os.path.exists(os.path.join(root, where)):
        raise LabError(f"there is no lab {number}: there are {', '.join(map(str, numbers())) or 'none'}")
    try:
        facts = tomllib.loads(read(root, where))
    except tomllib.TOMLDecodeError as error:
        raise LabError(f"{where}: {error}") from None
    tests = [make(Test, test, f"{where}: test {test.get('name', '?')}") for test in facts.pop("test", [])]
    gates = [make(Gate, gate, f"{where}: gate {gate.get('name', '?')}") for gate in facts.pop("gate", [])]
    mutants = [make(Mutant, mutant, f"{where}: mutant {mutant.get('name', '?')}") for mutant in facts.pop("mutant", [])]
    unknown = set(facts) - {"title", "hours", "editable"}
    if unknown or len(facts) != 3:
        raise LabError(f"{where}: it must say title, hours, editable" + (f", and not {', '.join(sorted(unknown))}" if unknown else ""))
    lab = Lab(number, folder, **facts, holes=read_holes(root, folder, facts["editable"]), tests=tests, gates=gates, mutants=mutants)
    if is_starter(root):        # without what only a lecturer has
        lab.tests = [test for test in lab.tests if os.path.isdir(os.path.join(root, test.folder))]
        lab.mutants = [mutant for mutant in lab.mutants if mutant.visibility == "visible"]
        return lab
    lint(lab, root, tables)
    return lab


def is_starter(root):
    return os.path.exists(os.path.join(root, "MANIFEST")) and "\nkind starter\n" in read(root, "MANIFEST")


def plan(root, folder):
    """The checks of a test module or program, in the order in which it reports them."""
    text = "".join(read(root, os.path.relpath(path, root)) for path in sorted(glob.glob(os.path.join(root, folder, "*.c"))))
    is_module = os.path.exists(os.path.join(root, folder, "module.mk"))
    return re.findall(r'Ktest(?:Run|MustBugCheck)\(\s*"([^"]+)"' if is_module else r'^    \{"([^"]+)", \w+\}', text, re.M)


def lint(lab, root, tables):
    where = f"{lab.folder}/lab.toml"
    if lab.points != 100:
        raise LabError(f"{where}: the points of tests and gates are {lab.points}, not 100")
    ids = [hole.id for hole in lab.holes]
    for test in lab.tests:
        if test.mode not in MODES or test.visibility not in VISIBILITY or test.starter not in (*CLASSES, "pass"):
            raise LabError(f"{where}: test {test.name}: mode is one of {MODES}, visibility of {VISIBILITY}, starter of {CLASSES} or 'pass'")
        if bool(test.module) == bool(test.program):
            raise LabError(f"{where}: test {test.name}: it stands in a module or in a program")
        if test.mode in ("det", "seeded") and test.smp != 1:
            raise LabError(f"{where}: test {test.name}: a run of {test.smp} processors does not repeat: mode stress")
        for id in test.covers:
            lab.hole(id)
        if test.name not in plan(root, test.folder):
            raise LabError(f"{where}: test {test.name}: {test.folder} has no such check")
    handout = read(root, f"{lab.folder}/README.md")
    for hole in lab.holes:
        if tables and f"`{hole.function}`" not in handout:
            raise LabError(f"{lab.folder}/README.md does not name `{hole.function}`, hole '{hole.id}'")
    if tables and with_tables(lab, handout) != handout:
        raise LabError(f"{lab.folder}/README.md: its tables are not those of the lab's files: tools/lab text {lab.number}")
    for mutant in lab.mutants:
        if mutant.mode not in MODES or mutant.visibility not in VISIBILITY or not os.path.exists(os.path.join(root, mutant.module, "module.mk")):
            raise LabError(f"{where}: mutant {mutant.name}: mode is one of {MODES}, visibility of {VISIBILITY}, module a folder with module.mk")
    names = [(part.name, part.mode, part.smp) for part in (*lab.tests, *lab.mutants)]
    if len(set(names)) != len(names):
        raise LabError(f"{where}: a test stands there twice")
    for id in ids:
        if not any(id in test.covers and test.starter != "pass" for test in lab.tests):
            raise LabError(f"{where}: no test that fails covers hole '{id}'")


# ---- The handout's tables -------------------------------------------------------------------------------------------

def machine(test):
    return f"{test.mode}, {test.smp} processor{'s' * (test.smp > 1)}" + (f", {test.runs} runs" if test.runs > 1 else "")


def table(heads, rows):
    return "".join(f"| {' | '.join(row)} |\n" for row in (heads, ["---"] * len(heads), *rows))


def with_tables(lab, text):
    """A handout with what stands between `<!-- functions -->` or `<!-- tests -->` and `<!-- end -->` made anew."""
    tables = {"functions": table(["function", "what it does", "file"], [[f"`{hole.function}`", hole.task, f"`{hole.file}`"] for hole in lab.holes]),
              "tests": table(["test", "points", "runs on", "covers"], [
                  [f"`{test.name}`" + " (hidden)" * (test.visibility == "hidden"), str(test.points), machine(test),
                   ", ".join(f"`{lab.hole(id).function}`" for id in test.covers)] for test in lab.tests]),
              "mutants": table(["kernel", "points", "runs on", "hunted by", "what its users say"], [
                  [f"`{mutant.name}`" + " (hidden)" * (mutant.visibility == "hidden"), str(mutant.points), machine(mutant), f"`{mutant.module}`",
                   mutant.report] for mutant in lab.mutants])}
    return re.sub(r"(<!-- (functions|tests|mutants) -->\n).*?(<!-- end -->)", lambda found: found[1] + tables[found[2]] + found[3], text, flags=re.S)
