#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tests/screen.py BUILD SCENARIO: boots the ISO from a USB disk on a machine with a screen and a keyboard, types with QMP's
send-key, and reads the screen back: the VGA's text buffer, or the picture, cell by cell, by the module's own font."""
import importlib.machinery
import importlib.util
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
LOADER = importlib.machinery.SourceFileLoader("run", os.path.join(ROOT, "tools/run"))
run = importlib.util.module_from_spec(importlib.util.spec_from_loader("run", LOADER))
LOADER.exec_module(run)

WIDTH, HEIGHT, FIRST_ROW = 8, 16, 2             # of a cell, as drivers/screen/screen.h has them
TEXT_BUFFER, TEXT_COLUMNS, TEXT_ROWS = 0xb8000, 80, 25
LIMIT = float(os.environ.get("LIMIT", 150))     # seconds for what is waited for, far more than it takes

NAMES = {" ": "spc", "-": "minus", "=": "equal", "[": "bracket_left", "]": "bracket_right", ";": "semicolon", "'": "apostrophe",
         "`": "grave_accent", "\\": "backslash", ",": "comma", ".": "dot", "/": "slash", "\n": "ret", "\t": "tab", "\x1b": "esc"}
SHIFTED = dict(zip('~!@#$%^&*()_+{}|:"<>?', "`1234567890-=[]\\;',./"))


def glyphs():
    """A cell's rows of pixels -> its character."""
    with open(os.path.join(ROOT, "drivers/screen/font.c")) as source:
        rows = re.findall(r"^ *\{((?:0x..(?:, )?){13})\}, ", source.read(), re.M)
    blank, found = (0,) * FIRST_ROW, {}
    for code, row in enumerate(rows, 32):
        glyph = blank + tuple(int(byte, 16) for byte in row.split(", "))
        found[glyph + (0,) * (HEIGHT - len(glyph))] = chr(code)
    return found


def keys_of(character):
    """QEMU's names of the keys to press together."""
    if character in SHIFTED:
        return ["shift", *keys_of(SHIFTED[character])]
    if character.isupper():
        return ["shift", character.lower()]
    return [NAMES.get(character, character)]


class Machine:
    def __init__(self, build, uefi=False, serial=False, arguments=(), options=""):
        self.temp = tempfile.TemporaryDirectory(prefix="primer-screen-")
        self.glyphs, self.uefi = glyphs(), uefi
        folder, place = f"build/{build}", self.temp.name
        command = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-machine", "pc", "-cpu", "max", "-smp", "2", "-m", "256M",
                   "-display", "none", "-no-reboot", "-device", "VGA", "-qmp", f"unix:{place}/qmp,server=on,wait=off",
                   "-debugcon", f"file:{place}/log", *(run.firmware(place) if uefi else []),
                   "-drive", f"if=none,id=u,format=raw,readonly=on,file={folder}/primer.iso", "-device", "qemu-xhci",
                   "-device", "usb-storage,drive=u,bootindex=0", "-serial", f"file:{place}/serial" if serial else "none"]
        if arguments or options:
            args = run.parse(["--screen", "none", *arguments])
            words = " ".join(["boot.module=screen", options])
            run.grub_disk(f"{place}/run.tar", words.strip(), run.run_archive(args, folder), True)
            command += ["-drive", f"if=none,id=run,format=raw,file={place}/run.tar", "-device", "ide-hd,drive=run,bootindex=1"]
        self.qemu = subprocess.Popen(command, cwd=ROOT, preexec_fn=run.die_with_parent)
        self.line = socket.socket(socket.AF_UNIX)
        while self.line.connect_ex(f"{place}/qmp"):
            if self.qemu.poll() is not None:
                sys.exit("QEMU has ended")
            time.sleep(0.05)
        self.file = self.line.makefile("rw")
        self.file.readline()
        self.ask("qmp_capabilities")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.qemu.kill()
        self.qemu.wait()
        self.temp.cleanup()

    def ask(self, command, **arguments):
        self.file.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.file.flush()
        while "event" in (answer := json.loads(self.file.readline())):
            pass
        if "error" in answer:
            sys.exit(f"QMP: {command}: {answer['error']['desc']}")
        return answer["return"]

    def log(self, name="log"):
        with open(f"{self.temp.name}/{name}", errors="replace", newline="") as file:
            return file.read()

    # ---- The screen

    def text_buffer(self):
        path = f"{self.temp.name}/memory"
        self.ask("pmemsave", val=TEXT_BUFFER, size=2 * TEXT_COLUMNS * TEXT_ROWS, filename=path)
        with open(path, "rb") as file:
            data = file.read()
        codes = "".join(chr(code) if 32 <= code < 127 else " " if code == 0 else "?" for code in data[::2])
        self.colours = [data[1::2][at:at + TEXT_COLUMNS] for at in range(0, len(codes), TEXT_COLUMNS)]
        return [codes[at:at + TEXT_COLUMNS] for at in range(0, len(codes), TEXT_COLUMNS)]

    def picture(self):
        path = f"{self.temp.name}/picture"
        self.ask("screendump", filename=path)
        with open(path, "rb") as file:
            _, width, height, _, data = split_ppm(file.read())
        return [self.row_of(data, width, row) for row in range(height // HEIGHT)]

    def row_of(self, data, width, row):
        lines = [data[3 * width * (row * HEIGHT + y):3 * width * (row * HEIGHT + y + 1)] for y in range(HEIGHT)]
        return "".join(self.cell(lines, 3 * WIDTH * column) for column in range(width // WIDTH))

    def cell(self, lines, at):
        """The background is what the cell's upper left corner shows, for no glyph reaches it; the cursor is two rows at its foot."""
        parts = [line[at:at + 3 * WIDTH] for line in lines]
        if len(set(parts)) == 1 and len(set(parts[0][i:i + 3] for i in range(0, 3 * WIDTH, 3))) == 1:
            return " "
        ground = parts[0][:3]
        bits = tuple(sum((part[3 * x:3 * x + 3] != ground) << (WIDTH - 1 - x) for x in range(WIDTH)) for part in parts)
        if bits[-2:] == (255, 255):
            bits = bits[:-2] + (0, 0)
        return self.glyphs.get(bits, "?")

    def rows(self):
        return [row.rstrip() for row in (self.picture() if self.uefi else self.text_buffer())]

    def width(self):
        return len((self.picture() if self.uefi else self.text_buffer())[0])

    def wait(self, pattern, what=None):
        """Until the screen's rows, one below the other, match."""
        end = time.monotonic() + LIMIT
        while True:
            shown = "\n".join(self.rows()).rstrip()
            if re.search(pattern, shown, re.M):
                return shown
            if time.monotonic() > end or self.qemu.poll() is not None:
                sys.exit(f"{what or pattern!r} has not come; the screen shows\n{shown}\nthe log ends\n{self.log()[-2000:]}")
            time.sleep(0.1)

    # ---- The keyboard

    def press(self, *names):
        self.ask("send-key", keys=[{"type": "qcode", "data": name} for name in names], **{"hold-time": 20})
        time.sleep(0.05)            # QEMU's keyboard holds 16 bytes, and lets go of the keys in its own time

    def type(self, text):
        for character in text:
            self.press(*keys_of(character))


def split_ppm(data):
    magic, size, most, pixels = data.split(b"\n", 3)
    if magic != b"P6" or most != b"255":
        sys.exit(f"not a picture that this program knows: {data[:20]}")
    width, height = map(int, size.split())
    return magic, width, height, most, pixels


# ---- The scenarios --------------------------------------------------------------------------------------------------

def check(what, found, wanted):
    if found != wanted:
        sys.exit(f"{what}: {found!r}, expected {wanted!r}")


def talk(machine):
    """The kernel's shell, then bash: what is typed arrives, shifted and with ctrl, and is answered."""
    machine.wait(r"^primer>")
    machine.type("echo Typed, $#@ & (shifted)\n")
    machine.wait(r"^primer> echo Typed.*\nTyped, \$#@")
    machine.type("bash\n")
    machine.wait(r"^bash.*[#$]$")
    machine.type("stty size; x='~!@#%^&*()_+{}|:<>?`[];,./=-'; echo \"$x\" ABC xyz 0123456789\n")
    shown = machine.wait(r"^~!@#%\^&\*\(\)_\+\{\}\|:<>\?`\[\];,\./=- ABC xyz 0123456789$")
    rows, columns = len(machine.rows()), machine.width()
    if not re.search(rf"^{rows} {columns}$", shown, re.M):
        sys.exit(f"the terminal has not the screen's size, {rows} {columns}:\n{shown}")
    machine.type("sleep 1000\n")
    machine.wait(r"sleep 1000$")
    machine.press("ctrl", "c")
    machine.wait(r"\^C\nbash.*[#$]$")
    machine.type("ech moved")               # at its beginning, behind three characters, at its end
    for key in ("home", "right", "right", "right", "o", "end", "x", "left", "right", "backspace", "ret"):
        machine.press(key)
    machine.wait(r"^moved$")
    machine.type("cat -v\n")
    for key in ("insert", "delete", "home", "end", "pgup", "pgdn", "up", "down", "left", "right", "f1", "f5", "f12", "kp_5", "tab", "ret"):
        machine.press(key)
    machine.press("alt", "a")
    machine.press("ctrl", "d")
    machine.press("ctrl", "d")
    machine.wait(r"\^\[abash.*[#$]$")
    machine.type("echo moved\n")
    machine.wait(r"^bash.*echo moved\nmoved$")
    keys = re.escape("^[[2~^[[3~^[[H^[[F^[[5~^[[6~^[[A^[[B^[[D^[[C^[OP^[[15~^[[24~5")
    machine.wait(rf"^{keys} *\n{keys} *\n\^\[a\^\[abash")
    machine.press("up")
    machine.type(" again\n")
    machine.wait(r"^moved again$")
    machine.press("caps_lock")
    machine.type("echo abC >/dev/null; ECHO LOUD\n")
    machine.press("caps_lock")
    machine.wait(r"LOUD|loud")
    machine.press("alt", "f2")
    machine.wait(r"^Primer \((?s:.*)^screen: \d+ columns, \d+ rows$", "the log")
    machine.press("alt", "f1")
    machine.wait(r"^moved again$")


def edit(machine):
    """vi and top: cursor addressing, scrolling, and the size."""
    machine.type("seq 300 >/tmp/x; vi /tmp/x\n")
    machine.wait(r"\A1\n2\n(?s:.*)^- /tmp/x 1/300")
    machine.type("200G")
    machine.wait(r"^200\n")
    machine.type("Onew line")
    machine.press("esc")
    machine.wait(r"^199\nnew line\n200\n")
    machine.type(":wq\n")
    machine.wait(r"bash.*[#$]$")
    machine.type("clear; sed -n 200p /tmp/x\n")
    machine.wait(r"\Anew line\nbash")
    machine.type("top -d 60\n")
    machine.wait(r"\AMem: .*\nCPU: .*\nLoad average: (?s:.*)PID +PPID USER(?s:.*) top")
    machine.type("q")
    machine.wait(r"bash.*[#$]$")
    machine.type("exit\n")
    machine.wait(r"^primer>")


def power_off(machine):
    machine.type("exit\n")
    if machine.qemu.wait(LIMIT) != 0:
        sys.exit("the machine has not powered off")


def bios(build):
    """From the USB disk as it comes, without a serial port."""
    with Machine(build) as machine:
        talk(machine)
        edit(machine)
        power_off(machine)


def uefi(build):
    """The same by UEFI, with a serial port, to which the same goes."""
    with Machine(build, uefi=True, serial=True) as machine:
        talk(machine)
        if not re.search(r"[\r\n]moved again\r\n", machine.log("serial")):
            sys.exit(f"COM1 has not what the screen has: {machine.log('serial')[-600:]!r}")
        machine.type("exit\n")
        machine.wait(r"^primer>")
        power_off(machine)


DRAWN = """\
plain bold reverse red on blue
       z
0123
0123   789
one
two

end

saved
_____________________________________________________________________0123456789w
raps
in--sert
a   cuu c____________________?|-||
    cha
    cud



       vpa

not the title

END""".splitlines()    # "_" is a space
COLOURS = [(0, 0x07), (6, 0x0f), (11, 0x70), (19, 0x04), (23, 0x14), (30, 0x07)]     # of the first row: column, VGA's attribute


def terminal(build):
    """Control sequences, and the colours of the text buffer."""
    with Machine(build, arguments=["--add", "tests/screen.sh:/screen.sh", "--", "/bin/sh", "/screen.sh"]) as machine:
        machine.wait(r"^END$")
        wanted = [re.sub(r"_+", lambda found: " " * len(found[0]), line) for line in DRAWN]
        for number, (found, line) in enumerate(zip(machine.rows(), wanted), 1):
            check(f"row {number}", found, line)
        check("the first row's colours", [(column, machine.colours[0][column]) for column, _ in COLOURS], COLOURS)


def bugcheck(build, **how):
    """With the terminal's lock held: the beginning of the report stays on the screen."""
    with Machine(build, arguments=["--module", f"build/{build}/modules/screenbug.sys"], **how) as machine:
        machine.wait(r"\A@bugcheck e2 MANUALLY_INITIATED_CRASH 5c4ee 1 0 0\n(?s:.*)^processor \d+: IRQL (?s:.*)StopMachine", "the report")


def flood(build):
    """In the middle of another processor's output, and of its painting."""
    arguments = ["--module", f"build/{build}/modules/screenbug.sys", "--", "/bin/sh", "-c", "yes flood"]
    with Machine(build, arguments=arguments, options="screenbug.after=1") as machine:
        machine.wait(r"\A@bugcheck e2 MANUALLY_INITIATED_CRASH 1a7e4 0 0 0\n(?s:.*)^processor \d+: IRQL (?s:.*)StopLater", "the report")
        if "flood" in "\n".join(machine.rows()):
            sys.exit("the screen shows what was there before the report")


SCENARIOS = {"bios": bios, "uefi": uefi, "terminal": terminal, "bugcheck": bugcheck, "flood": flood,
             "bugcheck-uefi": lambda build: bugcheck(build, uefi=True)}

if __name__ == "__main__":
    SCENARIOS[sys.argv[2]](sys.argv[1])
