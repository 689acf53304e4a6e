# SPDX-License-Identifier: MIT
"""The tree as students get it (starter), as lecturers do (solution, prep), or with one hole or one planted bug alone."""
import hashlib
import io
import os
import re
import shutil
import subprocess
import tarfile

from . import course, planted
from .course import ROOT, LabError

TODO = '''/* SPDX-License-Identifier: MIT */
/* What a lab leaves to be written says so, once: in the kernel, in the log, at any level; in a native program, on its output. */
#ifndef PRIMER_LAB_H
#define PRIMER_LAB_H

#if __has_include("libnt.h")
#include "libnt.h"
#define LAB_SAY Print
#else
#include <ntddk.h>
#define LAB_SAY DbgPrint
#endif

#define LAB_TODO(Id)                                                                                                   \\
    do {                                                                                                               \\
        static volatile LONG Said;                                                                                     \\
        if (__atomic_exchange_n(&Said, 1, __ATOMIC_RELAXED) == 0) {                                                    \\
            LAB_SAY("@todo %s\\n", Id);                                                                                 \\
        }                                                                                                              \\
    } while (0)

#endif
'''
NEVER = ("stubs.c", "answers.md", "ta.md", "hidden/", "model.py", "starter/")      # of labs/N/: what no student gets


def files(root=ROOT):
    """What belongs to the tree: what git knows, or where there is no git, all but what is built."""
    listing = subprocess.run(["git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"], capture_output=True)
    if listing.returncode == 0 and listing.stdout:
        return sorted(name.decode() for name in listing.stdout.split(b"\0") if name and os.path.isfile(os.path.join(root, name.decode())))
    found = []
    for where, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name not in ("build", ".git", "__pycache__")]
        found += [os.path.relpath(os.path.join(where, name), root) for name in names]
    return sorted(found)


def with_stubs(text, holes, number):
    """This source with the holes as stubs, and the header that they need."""
    for hole in holes:
        if hole.solution not in text:
            raise LabError(f"{hole.file}: {hole.function} is not there as it was read")
        text = text.replace(hole.solution, hole.stub)
    first = '#include "' if '#include "' in text else "#include <"
    return text.replace(first, '#include "labs/todo.h"\n' + first, 1)


def starter_files(lab, holes):
    """path: bytes of what differs from the tree; None: it is left out."""
    changed = {"labs/todo.h": TODO.encode()}
    for path in {hole.file for hole in holes}:
        changed[path] = with_stubs(course.read(ROOT, path), [hole for hole in holes if hole.file == path], lab.number).encode()
    for path in files():
        match = re.match(r"labs/(\d+)/(.*)", path)
        if path.startswith(f"{lab.folder}/starter/"):       # a whole file of the student's, as the starter has it
            with open(os.path.join(ROOT, path), "rb") as file:
                changed[path.replace("/starter/", "/", 1)] = file.read()
        if match and (int(match[1]) != lab.number or match[2].startswith(NEVER)) or path.startswith("tests/mutants/"):
            changed[path] = None
    if lab.mutants:
        changed[f"{lab.folder}/planted"] = planted.packed(lab)
    return changed


def mutated_files(name):
    change = planted.named(name)
    return {change.file: change.apply(course.read(ROOT, change.file)).encode()}


def changes(lab, kind, only=None, mutant=None):
    if mutant:
        return mutated_files(mutant)
    if only:
        return {path: data for path, data in starter_files(lab, [lab.hole(only)]).items() if data is not None}
    if kind == "starter":
        return starter_files(lab, lab.holes)
    if kind == "prep":      # a lecturer's: the starter, with answers, stubs and hidden tests
        return {path: data for path, data in starter_files(lab, lab.holes).items() if data is not None}
    return {}


def manifest(lab, kind, contents):
    lines = [f"lab {lab.number}: {lab.title}", f"kind {kind}", *(f"editable {path}" for path in lab.editable)]
    lines += [f"{hashlib.sha256(data).hexdigest()} {path}" for path, (data, _) in sorted(contents.items())]
    return ("\n".join(lines) + "\n").encode()


def contents(lab, kind, only=None, mutant=None):
    """path: (bytes, may be executed) of the whole exported tree."""
    changed = changes(lab, kind, only, mutant)
    found = {}
    for path in files():
        if path in changed and changed[path] is None:
            continue
        with open(os.path.join(ROOT, path), "rb") as file:
            found[path] = file.read(), os.access(os.path.join(ROOT, path), os.X_OK)
    for path, data in changed.items():
        if data is not None:
            found[path] = data, path in found and found[path][1]
    found["MANIFEST"] = manifest(lab, kind, found), False
    if kind == "starter":
        check_secrets(lab, found)
    return found


def check_secrets(lab, found):
    """No line of a solution, and none of what is for lecturers, may be in a starter."""
    starter = {path: data.decode(errors="replace") for path, (data, _) in found.items()}
    for hole in lab.holes:
        kept = {line.strip() for line in hole.stub.splitlines()}
        for line in {line.strip() for line in hole.solution.splitlines()} - kept:
            if len(line) >= 20 and line in starter[hole.file] and line not in course.read(ROOT, hole.file).replace(hole.solution, ""):
                raise LabError(f"the starter shows a line of hole '{hole.id}': {line}")
    for path in starter:
        match = re.match(r"labs/\d+/(.*)", path)
        if match and match[1].startswith(NEVER):
            raise LabError(f"the starter holds {path}")


def export(lab, kind, target, only=None, mutant=None):
    """Into a folder that is new or empty, or an archive (.tar.gz) that is the same, byte for byte, each time."""
    found = contents(lab, kind, only, mutant)
    if target.endswith((".tar.gz", ".tgz")):
        write_archive(found, target, f"primer-lab{lab.number}-{kind}")
        return
    if os.path.exists(target) and (not os.path.isdir(target) or os.listdir(target)):
        raise LabError(f"{target} is there already: choose another place, or remove it")
    for path, (data, executable) in found.items():
        place = os.path.join(target, path)
        os.makedirs(os.path.dirname(place), exist_ok=True)
        with open(place, "wb") as file:
            file.write(data)
        os.chmod(place, 0o755 if executable else 0o644)


def write_archive(found, target, prefix):
    import gzip
    with open(target, "wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", filename="", mtime=0) as zipped, \
            tarfile.open(fileobj=zipped, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path, (data, executable) in sorted(found.items()):
            info = tarfile.TarInfo(f"{prefix}/{path}")
            info.size, info.mode = len(data), 0o755 if executable else 0o644
            tar.addfile(info, io.BytesIO(data))


def copy_tree(folder):
    """The tree with what is built, times kept, so that a changed file is all that is compiled anew."""
    os.makedirs(folder, exist_ok=True)
    for path in files():
        os.makedirs(os.path.dirname(os.path.join(folder, path)), exist_ok=True)
        shutil.copy2(os.path.join(ROOT, path), os.path.join(folder, path))
    if os.path.isdir(os.path.join(ROOT, "build/debug")):
        subprocess.run(["cp", "-a", "--parents", "build/debug", "build/last", folder], cwd=ROOT, check=True)
    return folder


def apply(folder, changed):
    """Writes what changes(...) says into a copy of the tree."""
    for path, data in changed.items():
        place = os.path.join(folder, path)
        if data is None:
            if os.path.exists(place):
                os.unlink(place)
        else:
            os.makedirs(os.path.dirname(place), exist_ok=True)
            with open(place, "wb") as file:
                file.write(data)
