#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes a boot archive: cpio "newc" whose file data starts on page boundaries, so that the kernel can map it in place.

    mkarchive.py OUT ITEM...

An ITEM is one of
    NAME=PATH       the host's file PATH, or the folder PATH with all that is below it
    NAME@TARGET     a symbolic link to TARGET
    NAME/           an empty folder

newc has no alignment of its own. A name's length includes its NUL; we let it include more NULs, as many as bring the
data that follows to a multiple of the page size. The archive itself is padded too: archives can be joined end to end.
tools/run imports this module.
"""
import os
import stat
import sys

PAGE = 4096
HEADER = 110
BUILD_TIME = 1700000000     # one time for all, so that the same input gives the same archive


class Archive:
    """An archive that grows in memory. Names carry no leading slash."""

    def __init__(self, keep_times=False):
        self.parts = []
        self.size = 0
        self.inode = 0
        self.keep_times = keep_times
        self.names = set()
        self.left_out = None    # a list: what cannot be read, or is no file, folder or link, is noted there and left out

    def _put(self, data):
        self.parts.append(data)
        self.size += len(data)

    def _entry(self, name, mode, data=b"", mtime=BUILD_TIME):
        name = os.fsencode(name)
        field = name + b"\0"
        end = self.size + HEADER + len(field)
        if stat.S_ISREG(mode) and data:
            field += b"\0" * (-end % PAGE)
        self.inode += 1
        numbers = (self.inode, mode, 0, 0, 1, mtime if self.keep_times else BUILD_TIME, len(data),
                   0, 0, 0, 0, len(field), 0)
        self._put(b"070701" + b"".join(b"%08X" % n for n in numbers) + field)
        self._put(b"\0" * (-self.size % 4))
        self._put(data)
        self._put(b"\0" * (-self.size % 4))
        self.names.add(name)

    def folder(self, name, mode=0o755, mtime=BUILD_TIME):
        self._entry(name, stat.S_IFDIR | mode, mtime=mtime)

    def link(self, name, target, mtime=BUILD_TIME):
        self._entry(name, stat.S_IFLNK | 0o777, os.fsencode(target), mtime)

    def file(self, name, data, mode=0o644, mtime=BUILD_TIME):
        self._entry(name, stat.S_IFREG | mode, data, mtime)

    def tree(self, name, path):
        """The host's file or folder `path`, modes kept, under `name`. The top is followed if it is a symbolic link."""
        self._tree(name, path, os.stat(path))

    def _tree(self, name, path, status):
        try:
            self._put_tree(name, path, status)
        except (OSError, ValueError):
            if self.left_out is None:
                raise
            self.left_out.append(path)

    def _put_tree(self, name, path, status):
        mode, mtime = stat.S_IMODE(status.st_mode), int(status.st_mtime)
        if stat.S_ISLNK(status.st_mode):
            self.link(name, os.readlink(path), mtime)
        elif stat.S_ISDIR(status.st_mode):
            self.folder(name, mode, mtime)
            for child in sorted(os.listdir(path)):
                below = os.path.join(path, child)
                self._tree(f"{name}/{child}", below, os.lstat(below))
        elif stat.S_ISREG(status.st_mode):
            with open(path, "rb") as source:
                self.file(name, source.read(), mode, mtime)
        else:
            raise ValueError(f"{path}: neither file, folder nor symbolic link")

    def finish(self):
        """The archive's bytes, trailer and padding included. Nothing can be added after."""
        self._entry("TRAILER!!!", 0)
        self._put(b"\0" * (-self.size % PAGE))
        return b"".join(self.parts)


def names_of(data):
    """The names in the archive `data` (one archive, as finish() makes it)."""
    names, at = set(), 0
    while data[at:at + 6] == b"070701":
        size, length = int(data[at + 54:at + 62], 16), int(data[at + 94:at + 102], 16)
        name = data[at + HEADER:at + HEADER + length].rstrip(b"\0")
        if name == b"TRAILER!!!":
            break
        names.add(name)
        at += HEADER + length
        at += -at % 4 + size
        at += -at % 4
    return names


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    archive = Archive()
    for item in sys.argv[2:]:
        if item.endswith("/"):
            archive.folder(item[:-1])
        elif "=" in item:
            archive.tree(*item.split("=", 1))
        elif "@" in item:
            archive.link(*item.split("@", 1))
        else:
            sys.exit(f"mkarchive: '{item}' is neither NAME=PATH, NAME@TARGET nor NAME/")
    with open(sys.argv[1], "wb") as out:
        out.write(archive.finish())


if __name__ == "__main__":
    main()
