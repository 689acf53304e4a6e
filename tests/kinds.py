# SPDX-License-Identifier: MIT
"""The kinds of test case that tests/cases*.py lists. Each case has a name and `run(context)`, which returns a Report.

    Host       a unit test on this machine, which prints such lines build/tests/host/NAME
    Kernel     a kernel module that prints '@pass NAME', '@fail NAME: why', '@skip NAME: why' to the log
    Bugcheck   a kernel module that must end in a certain bug check
    Command    a program in the guest: its output and status, as given or as the same program has them on this machine
    Script     shell commands on this machine; $RUN is tools/run for the build under test, $B its folder
    Gdb        a GDB script on a machine that is stopped before its first instruction

In arguments, {B} stands for the build's folder (build/debug) and {T} for build/tests.
"""
import dataclasses
import difflib
import hashlib
import itertools
import os
import re
import shlex
import shutil
import subprocess
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
RESULT = re.compile(r"^@(pass|fail|skip) (.*)$", re.M)
HOST = object()         # "as on this machine", for what a Command is expected to do


@dataclasses.dataclass
class Context:
    build: str
    seed: int
    logs: str           # the folder for the kernel's logs

    @property
    def names(self):
        return {"B": f"build/{self.build}", "T": "build/tests"}


@dataclasses.dataclass
class Report:
    passed: list = dataclasses.field(default_factory=list)      # names
    failed: list = dataclasses.field(default_factory=list)      # "name: why"
    skipped: list = dataclasses.field(default_factory=list)
    note: str = ""                                              # a figure worth seeing
    repeat: str = ""                                            # the command that does it again
    details: str = ""                                           # what a failure shows

    def collect(self, text):
        """Counts the result lines in a log or in a program's output."""
        lists = {"pass": self.passed, "fail": self.failed, "skip": self.skipped}
        for word, rest in RESULT.findall(text):
            lists[word].append(rest.strip())
        return bool(self.passed or self.failed or self.skipped)

    def check(self, name, ok, why):
        if not ok:
            self.failed.append(f"{name}: {why}")
        return ok


def call(argv, stdin=b"", timeout=None, cwd=ROOT, **options):
    """Status, standard output, standard error."""
    with tempfile.TemporaryFile() as source:
        source.write(stdin)
        source.seek(0)
        process = subprocess.run(argv, cwd=cwd, stdin=source, capture_output=True, timeout=timeout, **options)
    status = process.returncode
    return 128 - status if status < 0 else status, process.stdout, process.stderr


def oracle(argv, stdin):
    """
    What a program does on this machine, whatever started the tests: no signal ignored, the usual umask and limits, and a
    session of its own, for the caller's may lie outside our PID namespace and have the id 0.
    """
    argv = ["prlimit", "--stack=8388608:", "--core=0:", "env", "--default-signal", *argv]
    return call(argv, stdin, 60, start_new_session=True, umask=0o022)


def tail(text, lines=40):
    if isinstance(text, bytes):
        text = text.decode(errors="replace")
    return "\n".join(text.splitlines()[-lines:])


def short(data):
    return repr(data[:300]) + (f" ... ({len(data)} bytes)" if len(data) > 300 else "")


def difference(got, want):
    """Of two outputs: both when they are short, else the lines that differ."""
    if len(got) + len(want) < 300:
        return f"{got!r}, expected {want!r}"
    lines = difflib.diff_bytes(difflib.unified_diff, want.splitlines(), got.splitlines(), b"expected", b"got",
                               n=0, lineterm=b"")
    return "\n    " + "\n    ".join(short(line)[2:-1] for line in itertools.islice(lines, 20))


# ---- On this machine ------------------------------------------------------------------------------------------------

@dataclasses.dataclass
class Host:
    program: str
    args: tuple = ()
    timeout: float = 300

    @property
    def name(self):
        return "host/" + self.program

    def run(self, context):
        argv = [f"build/tests/host/{self.program}", *self.args]
        report = Report(repeat=shlex.join(argv))
        env = os.environ | {"SEED": str(context.seed)}
        status, out, err = call(argv, timeout=self.timeout, env=env)
        any_line = report.collect(out.decode(errors="replace"))
        if status != 0 and not report.failed:
            report.failed.append(f"{self.program}: status {status}")
        elif not any_line:
            report.failed.append(f"{self.program}: no @pass, @fail or @skip line")
        report.details = tail(out) + tail(err)
        return report


def shell(script, context, timeout):
    with tempfile.TemporaryDirectory(prefix="primer-test-") as temp:
        env = os.environ | {"RUN": f"tools/run --build {context.build}", "B": context.names["B"], "TMP": temp, "BUILD": context.build}
        env.pop("MAKEFLAGS", None)      # ours, from `make test`: a make in the script has its own
        env.pop("MAKELEVEL", None)
        try:
            return call(["bash", "-euxo", "pipefail", "-c", script], timeout=timeout, env=env)
        except subprocess.TimeoutExpired as expired:
            return 124, expired.stdout or b"", (expired.stderr or b"") + b"\nit has not ended in %d s" % timeout


@dataclasses.dataclass
class Script:
    name: str
    script: str
    timeout: float = 300
    alone: bool = False
    idle: bool = False          # waits most of the time
    debug: bool = False         # needs the debug build: skipped in others
    needs: tuple = ()           # commands or files without which it is skipped

    def run(self, context):
        report = Report(repeat=f"tests/run.py --build {context.build} {self.name}")
        for need in self.needs:
            if not (os.path.exists(need) or shutil.which(need)):
                report.skipped.append(f"{self.name}: {need} is missing")
                return report
        status, out, err = shell(self.script, context, self.timeout)
        if report.check(self.name, status == 0, f"status {status}"):
            report.passed.append(self.name)
        report.details = tail(out) + "\n" + tail(err)
        return report


# ---- In the guest ---------------------------------------------------------------------------------------------------

@dataclasses.dataclass
class Guest:
    """What all cases share that boot a machine."""
    name: str
    smp: int = 4
    modules: tuple = ()         # test modules or drivers by name, or paths with a slash
    options: str = ""           # kernel options
    run_args: tuple = ()        # further arguments of tools/run
    timeout: float = 120
    boot: str = "direct"        # or "bios", "uefi": through GRUB
    alone: bool = False         # runs while no other case does
    idle: bool = False          # waits most of the time
    random: bool = False        # give the kernel the seed of the day (sched.seed=N)
    debug: bool = False         # needs the checks of the debug build: skipped in others

    def machine(self, context, log, command=()):
        argv = ["tools/run", "--build", context.build, "--smp", str(self.smp), "--timeout", f"{self.timeout:g}",
                "--log", log, *{"direct": ["--direct"], "bios": [], "uefi": ["--uefi"]}[self.boot]]
        if context.build == "debug":        # release builds write no trace unless told to
            argv += ["--last-trace", self.trace_path(context)]
        for module in self.modules:
            path = module if "/" in module else f"{{B}}/modules/{module}.sys"
            argv += ["--module", path.format(**context.names)]
        options = self.options + (f" sched.seed={context.seed}" if self.random else "")
        if options.strip():
            argv += ["--append", options.strip()]
        argv += [arg.format(**context.names) for arg in self.run_args]
        return argv + (["--", *command] if command else [])

    def log_path(self, context):
        return os.path.join(context.logs, self.name.replace("/", "-") + ".log")

    def trace_path(self, context):
        return self.log_path(context).removesuffix(".log") + ".raw"

    def boot_and_read(self, argv, log, stdin=b""):
        if os.path.exists(os.path.join(ROOT, log)):
            os.unlink(os.path.join(ROOT, log))
        status, out, err = call(argv, stdin, self.timeout + 60)
        try:
            with open(os.path.join(ROOT, log), errors="replace") as file:
                text = file.read()
        except OSError:
            text = ""
        return status, out, err, text


class Kernel(Guest):
    """
    Loads the modules, the last of which holds the tests. Every result line counts; none at all is a failure, and so is
    another number of processors than was asked for: a race that is tested on one processor is no race.
    """

    def run(self, context):
        log = self.log_path(context)
        argv = self.machine(context, log) + ["--modules-only"]
        report = Report(repeat=shlex.join(argv))
        status, _, err, text = self.boot_and_read(argv, log)
        any_line = report.collect(text)
        if status != 0:
            report.failed.append(f"{self.name}: tools/run ended with {status}")
        elif not any_line:
            report.failed.append(f"{self.name}: the log holds no @pass, @fail or @skip line")
        report.check(self.name, re.search(rf"^@boot cpus={self.smp}$", text, re.M), f"not {self.smp} processors are online")
        report.details = tail(err) if status else tail(text)
        return report


@dataclasses.dataclass
class Bugcheck(Guest):
    """Must end in a bug check of this code, whose name (and whole log, if `log` is given) matches."""
    code: int = 0
    symbol: str = ""            # regular expressions
    log: str = ""
    page: str = ""              # what tools/run makes of the report: with explanation, files and lines
    command: tuple = ()
    hang: bool = False          # a hang report instead

    def run(self, context):
        log = self.log_path(context)
        argv = self.machine(context, log, self.command) + ([] if self.command else ["--modules-only"])
        report = Report(repeat=shlex.join(argv))
        status, _, err, text = self.boot_and_read(argv, log)
        found = re.search(r"^@hang" if self.hang else r"^@bugcheck (?:0x)?([0-9a-fA-F]+) (\S+)", text, re.M)
        report.details = tail(text) or tail(err)
        report.check(self.name, status == 125, f"tools/run ended with {status}, not 125")
        if report.check(self.name, found, "no hang report" if self.hang else "no bug check") and not self.hang:
            report.check(self.name, int(found[1], 16) == self.code, f"bug check {found[1]}, expected {self.code:#x}")
            report.check(self.name, re.search(self.symbol, found[2]), f"{found[2]}, expected {self.symbol}")
        report.check(self.name, re.search(self.log, text, re.M), f"the log does not match {self.log!r}")
        said = err.decode(errors="replace")
        report.check(self.name, re.search(self.page, said, re.M), f"tools/run's page does not match {self.page!r}\n{said}")
        report.check(self.name, not re.search(r"^@fail", text, re.M), "a @fail line")
        if not report.failed:
            report.passed.append(self.name)
        return report


@dataclasses.dataclass
class Command(Guest):
    """
    Runs `command` in the guest. stdout, stderr: bytes (exact), str (regular expression), None (any), or HOST: what
    `oracle` (default: the same words) gives on this machine. status likewise. files: host:guest pairs for --add.
    """
    command: tuple = ()
    oracle: tuple = ()
    native: bool = False
    files: tuple = ()
    stdin: bytes = b""
    status: object = 0
    stdout: object = None
    stderr: object = None
    log: str = ""               # a regular expression that the kernel's log must match

    def run(self, context):
        files = [file.format(**context.names) for file in self.files]
        missing = [pair.rpartition(":")[0] for pair in files if not os.path.exists(
            os.path.join(ROOT, pair.rpartition(":")[0]))]
        if missing:
            return Report(skipped=[f"{self.name}: {missing[0]} was not built"])
        log = self.log_path(context)
        extra = [word for pair in files for word in ("--add", pair)] + (["--native"] if self.native else [])
        argv = self.machine(context, log) + extra + ["--", *self.command]
        report = Report(repeat=shlex.join(argv))
        if self.stdin:
            report.repeat += f"    # standard input: {short(self.stdin)}"
        status, out, err, text = self.boot_and_read(argv, log, self.stdin)

        wanted = {"status": self.status, "stdout": self.stdout, "stderr": self.stderr}
        if HOST in wanted.values():
            words = [word.format(**context.names) for word in self.oracle or self.command]
            told = dict(zip(("status", "stdout", "stderr"), oracle(words, self.stdin)))
            wanted = {key: told[key] if value is HOST else value for key, value in wanted.items()}
        for key, got in (("status", status), ("stdout", out), ("stderr", err)):
            want = wanted[key]
            if isinstance(want, str):
                report.check(self.name, re.search(want, got.decode(errors="replace"), re.M),
                             f"{key}: {short(got)} does not match {want!r}")
            elif want is not None:
                report.check(self.name, got == want, f"{key}: " + (
                    f"{got}, expected {want}" if key == "status" else difference(got, want)))
        for line in re.findall(rb"^.*: NO\b.*$", out, re.M) if self.stdout is HOST else ():
            # Wrong in both worlds is not right: see HOLDS in tests/linux/test.h.
            report.check(self.name, False, f"stdout: {short(line)}, whatever this machine says")
        report.check(self.name, re.search(self.log, text, re.M), f"the log does not match {self.log!r}")
        if not report.failed:
            report.passed.append(self.name)
        report.details = tail(err) + "\n" + tail(text)
        return report


# ---- Programs that Linux has been asked about -----------------------------------------------------------------------

@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a program did."""
    status: int
    stdout: bytes
    stderr: bytes

    def difference(self, want):
        """In which words it differs from the wanted one: a list, empty if it does not."""
        return [f"{key}: {getattr(self, key)}, expected {getattr(want, key)}" if key == "status" else
                f"{key}: {difference(getattr(self, key), getattr(want, key))}"
                for key in ("status", "stdout", "stderr") if getattr(self, key) != getattr(want, key)]


EXPECTED = os.path.join(ROOT, "tests/linux/expected")


def source_mark(path, seen=None):
    """A few digits that change with a program's source, or with a header that stands beside it and that it includes."""
    seen = {} if seen is None else seen
    with open(path, "rb") as file:
        seen[path] = file.read()
    for name in re.findall(rb'^#include "([^"]+)"', seen[path], re.M):
        header = os.path.join(os.path.dirname(path), name.decode())
        if header not in seen and os.path.exists(header):
            source_mark(header, seen)
    return hashlib.sha256(b"".join(seen[name] for name in sorted(seen))).hexdigest()[:16]


def read_record(program):
    """Of a program's file in tests/linux/expected: its source's mark, and by kind of build the outcome. It starts with the lines
    `linux RELEASE` and `source MARK`; for builds that agree follow `builds KIND...`, `status N`, `stdout BYTES`, these bytes
    and a line feed, and the same for `stderr`."""
    try:
        with open(os.path.join(EXPECTED, program), "rb") as file:
            file.readline()
            mark, outcomes = file.readline().split()[1].decode(), {}
            while line := file.readline().split():
                status, parts = int(file.readline().split()[1]), []
                for _ in range(2):
                    parts.append(file.read(int(file.readline().split()[1])))
                    file.read(1)
                outcomes |= {kind.decode(): Outcome(status, *parts) for kind in line[1:]}
    except FileNotFoundError:
        return None, {}
    return mark, outcomes


def write_records(outcomes, release):
    """The records of these programs, as Linux has run them just now: pairs of LinuxProgram and Outcome."""
    os.makedirs(EXPECTED, exist_ok=True)
    for program in sorted({case.program for case, _ in outcomes}):
        old, known = read_record(program)
        mark = next(case.mark for case, _ in outcomes if case.program == program)
        known = known if old == mark else {}
        known |= {case.kind: outcome for case, outcome in outcomes if case.program == program}
        with open(os.path.join(EXPECTED, program), "wb") as file:
            file.write(f"linux {release}\nsource {mark}\n".encode())
            for outcome in dict.fromkeys(known.values()):
                builds = " ".join(kind for kind in known if known[kind] == outcome)
                file.write(f"builds {builds}\nstatus {outcome.status}\n".encode())
                for name in ("stdout", "stderr"):
                    data = getattr(outcome, name)
                    file.write(f"{name} {len(data)}\n".encode() + data + b"\n")


def plain_linux():
    """Is this machine's kernel Linux itself, and not something that looks like it? It names the compiler that made it."""
    try:
        with open("/proc/version") as version:
            return re.match(r"Linux version [5-9].*(gcc|clang)", version.read()) is not None
    except OSError:
        return False


def known_differences():
    """Of tests/linux/differences: (program, expression that the whole line matches)."""
    with open(os.path.join(ROOT, "tests/linux/differences")) as file:
        rows = [line.rstrip("\n").split(" | ") for line in file if line.strip() and not line.startswith("#")]
    return [(program, re.compile(line)) for program, line, _ in rows]


class LinuxProgram(Guest):
    """
    tests/linux/NAME.c in one of its builds: what it prints and its status are compared with the record of Linux 6.1
    (tools/record-linux). Where this machine is a plain Linux it is run here, too: what differs from the record must stand in
    tests/linux/differences. A program that is not recorded is compared with this machine alone.
    """
    words = ("one", "", "two words")

    def __init__(self, program, kind, memory=None):
        super().__init__(f"linux/{program}.{kind}" + (f"-{memory}" if memory else ""))
        self.run_args = ("--mem", memory) if memory else ()
        self.program, self.kind, self.result = program, kind, f"{program}.{kind}"
        self.path = f"build/tests/linux/{program}.{kind}"
        self.command = (f"/{program}", *self.words)

    @property
    def source(self):
        return os.path.join(ROOT, "tests/linux", self.program + ".c")

    @property
    def mark(self):
        return source_mark(self.source)

    def says(self, line):
        """Does the source have a line `// LINE`?"""
        with open(self.source) as source:
            return re.search(rf"^// {line}\b", source.read(), re.M) is not None

    @property
    def recordable(self):
        """No: the emulator does not do what the processor does."""
        return not self.says("record: no")

    def runs_here(self):
        """Only root may see what it does."""
        return os.geteuid() == 0 or not self.says("needs: root")

    def expected(self):
        """The record, if there is one of this very source."""
        mark, outcomes = read_record(self.program)
        return outcomes.get(self.kind) if mark == self.mark else None

    def check_here(self, report, here, record):
        """Here Linux is another version, perhaps: what it says otherwise is known, and why."""
        known = [line for program, line in known_differences() if program in (self.program, self.result)]
        for part in ("stdout", "stderr"):
            got, want = (getattr(outcome, part).decode(errors="replace").splitlines() for outcome in (here, record))
            for line in difflib.unified_diff(want, got, n=0, lineterm=""):
                if line[:3] not in ("---", "+++", "@@ "):
                    report.check(self.name, any(each.fullmatch(line[1:]) for each in known),
                                 f"on this machine {part} differs from the record: {line}")
        report.check(self.name, here.status == record.status or known,
                     f"status on this machine {here.status}, recorded {record.status}")

    def run(self, context):
        if not os.path.exists(os.path.join(ROOT, self.path)):
            return Report(skipped=[f"{self.name}: {self.path} was not built"])
        log = self.log_path(context)
        argv = self.machine(context, log) + ["--add", f"{self.path}:/{self.program}", "--", *self.command]
        report = Report(repeat=shlex.join(argv))
        status, out, err, text = self.boot_and_read(argv, log)
        want, plain = self.expected(), plain_linux() and self.runs_here()
        if want is None or plain:
            here = Outcome(*oracle((self.path, *self.words), b""))
            if want is not None:
                self.check_here(report, here, want)
            want = want or here
        for line in Outcome(status, out, err).difference(want):
            report.check(self.name, False, line)
        for line in re.findall(rb"^.*: NO\b.*$", out, re.M):
            # Wrong in both worlds is not right: see HOLDS in tests/linux/test.h.
            report.check(self.name, False, f"stdout: {short(line)}, whatever Linux says")
        if not report.failed:
            report.passed.append(self.name)
        report.details = tail(err) + "\n" + tail(text)
        return report


@dataclasses.dataclass
class Program(Guest):
    """A program in the guest that itself prints result lines, on its standard output or to the log."""
    command: tuple = ()
    native: bool = False
    files: tuple = ()           # --add
    puts: tuple = ()            # --put

    def run(self, context):
        log = self.log_path(context)
        for path in (pair.format(**context.names).rpartition(":")[0] for pair in self.files):
            if not os.path.exists(os.path.join(ROOT, path)):
                return Report(skipped=[f"{self.name}: {path} was not built"])
        extra = [word.format(**context.names) for option, pairs in (("--add", self.files), ("--put", self.puts))
                 for pair in pairs for word in (option, pair)]
        argv = self.machine(context, log) + extra + (["--native"] if self.native else []) + ["--", *self.command]
        report = Report(repeat=shlex.join(argv))
        status, out, err, text = self.boot_and_read(argv, log)
        any_line = report.collect(out.decode(errors="replace") + "\n" + text)
        if status != 0 and not report.failed:
            report.failed.append(f"{self.name}: status {status}")
        elif not any_line:
            report.failed.append(f"{self.name}: no @pass, @fail or @skip line")
        report.details = tail(out) + "\n" + tail(err) + ("" if status else "\n" + tail(text))
        return report


@dataclasses.dataclass
class Gdb(Guest):
    """Runs tools/debug in batch mode: `script` (a file in tests/gdb), then compares what GDB printed."""
    script: str = ""
    command: tuple = ("/bin/busybox", "true")
    stops: tuple = ()           # --break
    output: tuple = ()          # regular expressions, each of which must match
    never: tuple = ()           # and those that must not

    def run(self, context):
        report = Report()
        if not shutil.which("gdb"):
            report.skipped.append(f"{self.name}: gdb is missing")
            return report
        words = [word for stop in self.stops for word in ("--break", stop)] + ["--script", f"tests/gdb/{self.script}"]
        _, *machine = self.machine(context, self.log_path(context))
        argv = ["tools/debug", *words, *machine, *(["--", *self.command] if self.command else ["--modules-only"])]
        report.repeat = shlex.join(argv)
        try:
            _, out, err = call(argv, timeout=self.timeout)
            text = out.decode(errors="replace")
        except subprocess.TimeoutExpired as late:
            text, err = (late.stdout or b"").decode(errors="replace"), b"GDB did not end"
        for pattern in self.output:
            report.check(self.name, re.search(pattern, text, re.M), f"GDB's output does not match {pattern!r}")
        for pattern in (*self.never, "Error in sourced command file", "Backtrace stopped", "packet reply is too long"):
            report.check(self.name, not re.search(pattern, text + err.decode(errors="replace"), re.M), f"GDB says {pattern!r}")
        report.check(self.name, "Python Exception" not in text + err.decode(errors="replace"), "Python exception")
        if not report.failed:
            report.passed.append(self.name)
        report.details = tail(text, 150) + "\n" + tail(err)
        return report


# ---- Measures -------------------------------------------------------------------------------------------------------

@dataclasses.dataclass
class Bench(Guest):
    """Prints '@bench NAME VALUE' lines, to the log or on standard output. limits: see cases_bench.py."""
    smp: int = 1
    command: tuple = ()
    native: bool = False
    files: tuple = ()
    puts: tuple = ()
    limits: dict = dataclasses.field(default_factory=dict)

    def measure(self, context):
        log = self.log_path(context)
        extra = [word.format(**context.names) for option, pairs in (("--add", self.files), ("--put", self.puts))
                 for pair in pairs for word in (option, pair)]
        argv = self.machine(context, log) + extra + (["--icount"] if self.smp == 1 else [])
        argv += ["--native"] if self.native else []
        argv += ["--", *self.command] if self.command else ["--modules-only"]
        status, out, err, text = self.boot_and_read(argv, log)
        found = re.findall(r"^@bench (\S+) (\d+)", out.decode(errors="replace") + "\n" + text, re.M)
        return {name: int(value) for name, value in found}, status, shlex.join(argv), tail(err)


def linux_figures():
    """Of tests/bench/linux-6.1: by name Linux's figure, and the limit."""
    with open(os.path.join(ROOT, "tests/bench/linux-6.1")) as file:
        rows = [line.split() for line in file if not line.startswith("#")]
    return {name: (int(figure), int(limit[0]) if limit else int(figure) // 2) for name, figure, *limit in rows}


@dataclasses.dataclass
class TraceBench:
    """Instructions at each trace point of the kernel that are executed while its class is off: a test of a bit in memory and a
    jump that is not taken, or a load before them."""
    name: str
    limits: dict

    def measure(self, context):
        argv = ["objdump", "-d", "--no-show-raw-insn", f"build/{context.build}/primer.elf"]
        status, out, err = call(argv)
        lines, costs, where = out.decode().splitlines(), [], ""
        for number, line in enumerate(lines):
            if match := re.match(r"[0-9a-f]+ <(\w+)", line):
                where = match[1]
            elif "KdTraceClasses" in line and where not in ("KdSetTraceClasses", "KdStartTrace"):
                after = itertools.takewhile(lambda text: not re.search(r"\tj[a-z]+ ", text), lines[number:number + 20])
                costs.append(len(list(after)) + 1)
        return {"trace-off": max(costs)} if costs else {}, status, shlex.join(argv), err.decode()


@dataclasses.dataclass
class ScriptBench:
    """As a Script, and prints '@bench NAME VALUE': what counts is this machine's time, so it is no test."""
    name: str
    script: str
    limits: dict

    def measure(self, context):
        status, out, err = shell(self.script, context, 600)
        found = re.findall(r"^@bench (\S+) (\d+)", out.decode(errors="replace"), re.M)
        return {name: int(value) for name, value in found}, status, f"tests/run.py --build {context.build} --bench {self.name}", tail(err)


class LinuxBench(Bench):
    """
    tests/bench/lbench.c in the guest. A row whose calls fail ends the program: what stands behind it is measured by another
    boot, so that all the others are seen.
    """

    def __init__(self, name):
        rows = linux_figures()
        super().__init__(name, run_args=("--cpu", "max,-erms", "--mem", "512M"), timeout=600,
                         limits={row: limit for row, (_, limit) in rows.items()})
        self.compared = {row: figure for row, (figure, _) in rows.items()}

    def measure(self, context):
        log, left, values, errors, status = self.log_path(context), list(self.limits), {}, "", 0
        while left:
            argv = self.machine(context, log, ("/lbench", *left))
            split = argv.index("--")
            argv[split:split] = ["--icount", "--add", "build/tests/bench/lbench:/lbench"]
            ended, out, err, text = self.boot_and_read(argv, log)
            found = re.findall(r"^(\w+) +\d+ +(\d+) +\d+$", out.decode(errors="replace"), re.M)
            values |= {name: int(value) for name, value in found}
            left = left[len(found):]
            if ended != 0 or not found:
                status = status or ended
                errors += f"  {left[0] if left else 'after the last row'}: {tail(out, 1)}\n{tail(err)}"
                left = left[1:]
        return values, status, shlex.join(argv), errors
