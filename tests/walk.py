#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tests/walk.py PAGE: does what a page of docs/ shows, and compares. In its blocks a line `$ COMMAND` is typed to the shell, `(gdb) COMMAND`
to the GDB that the block's tools/debug has started; what follows must be printed, in this order. `...` stands for lines that are left out.
Numbers and addresses differ from run to run, and are not compared."""
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def normal(line):
    line = re.sub(r"\b(0x)?[0-9A-Fa-f]*[0-9][0-9A-Fa-f]*\b", "N", line)
    return re.sub(r"\s+", " ", line).strip()


def blocks(text):
    """Of each block that types something: [(prompt, command, lines that must follow)]."""
    for block in re.findall(r"^```\n(.*?)^```", text, re.M | re.S):
        steps = []
        for line in block.splitlines():
            match = re.match(r"(\$|\(gdb\)) (.*)", line)
            if match:
                steps.append((match[1], match[2], []))
            elif steps:
                steps[-1][2].append(line)
        if steps:
            yield steps


def run(steps):
    """All that is printed."""
    said = ""
    for number, (prompt, command, _) in enumerate(steps):
        if prompt != "$":
            continue
        typed = []
        for later, words, _ in steps[number + 1:]:
            if later == "$":
                break
            typed.append(words)
        with tempfile.NamedTemporaryFile("w", suffix=".gdb") as script:
            script.write("".join(f"echo (gdb) {words}\\n\n{words}\n" for words in typed))
            script.flush()
            option = f" --script {script.name}" if typed else ""
            line = re.sub(r"^tools/debug", f"tools/debug{option}", command)
            line = re.sub(r"^make replay", f'make -s replay ARGS="{option}"', line)
            done = subprocess.run(["bash", "-c", line], cwd=ROOT, stdin=subprocess.DEVNULL, text=True, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, errors="replace", check=False)
        said += f"$ {command}\n{done.stdout}"
    return said


def missing(steps, said):
    """The first line of the page that was not printed behind those before it; None."""
    left = [normal(line) for line in said.splitlines()]
    for prompt, command, lines in steps:
        for line in [f"{prompt} {command}", *lines]:
            wanted = normal(line)
            if wanted in ("", "..."):
                continue
            if wanted not in left:
                return line
            left = left[left.index(wanted) + 1:]
    return None


def main():
    with open(sys.argv[1]) as page:
        text = page.read()
    failed = count = 0
    for steps in blocks(text):
        count += 1
        said = run(steps)
        line = missing(steps, said)
        if line is not None:
            failed += 1
            print(f"{sys.argv[1]}: not printed: {line}\nbut:\n{said}")
    print(f"{count} blocks, {failed} failed")
    return 1 if failed or count == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
