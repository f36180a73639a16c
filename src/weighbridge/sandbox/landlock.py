"""Confines the process to reading named files, by Landlock (Linux 5.13 and later). Runs inside the child only.

The hub's keys are files that a worker may read; a child that hostile bytes have taken over must not be able to.
Landlock lets a process without privileges give up the file system for good.
https://docs.kernel.org/userspace-api/landlock.html
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
import sys
from collections.abc import Iterable

MAX_RULES = 1_000  # past it the files' folders are allowed instead of each file

# The same on every architecture.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_FLAG = 1
_PATH_BENEATH = 1
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
# How many rights to files each version of the interface knows; all of them are given up.
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}
_FILE_RIGHTS_LATER = 16


class Landlock:
    """Loads what it needs at once, because nothing can be loaded after isolation."""

    def __init__(self) -> None:
        self._syscall = ctypes.CDLL(None, use_errno=True).syscall
        self._syscall.restype = ctypes.c_long
        self.version: int = max(0, self._call(_CREATE_RULESET, None, 0, _VERSION_FLAG))

    def confine(self, files: Iterable[str]) -> None:
        """From now on only these files, and Python's own library, can be opened, for reading; no TCP, no signals out.

        Raises:
            OSError: the kernel does not do what it said it can.
        """
        ruleset = self._create()
        try:
            for folder in sys.path:
                self._allow(ruleset, folder, _READ_FILE | _READ_DIR)
            wanted = sorted(set(files))
            if len(wanted) > MAX_RULES:
                wanted = sorted({os.path.dirname(path) for path in wanted})  # noqa: PTH120 - a hundred thousand of them
            for path in wanted:
                self._allow(ruleset, path, _READ_FILE)
            self._check(self._call(_RESTRICT_SELF, ruleset, 0))
        finally:
            os.close(ruleset)

    def _create(self) -> int:
        files = (1 << _FILE_RIGHTS.get(self.version, _FILE_RIGHTS_LATER)) - 1
        network = 0b11 if self.version >= 4 else 0  # binding and connecting
        scope = 0b11 if self.version >= 6 else 0  # abstract sockets and signals
        known_bytes = 24 if self.version >= 6 else 16 if self.version >= 4 else 8
        attributes = struct.pack("<QQQ", files, network, scope)[:known_bytes]
        return self._check(self._call(_CREATE_RULESET, attributes, known_bytes, 0))

    def _allow(self, ruleset: int, path: str, rights: int) -> None:
        try:
            place = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return  # not there: its reader says so
        try:
            mode = os.fstat(place).st_mode
            if stat.S_ISREG(mode):
                rights &= ~_READ_DIR
            elif not stat.S_ISDIR(mode):
                return
            self._check(self._call(_ADD_RULE, ruleset, _PATH_BENEATH, struct.pack("<Qi", rights, place), 0))
        finally:
            os.close(place)

    def _call(self, number: int, *arguments: int | bytes | None) -> int:
        wide = [ctypes.c_long(item) if isinstance(item, int) else item for item in arguments]
        return int(self._syscall(ctypes.c_long(number), *wide))

    @staticmethod
    def _check(result: int) -> int:
        if result < 0:
            raise OSError(ctypes.get_errno(), "the kernel refused to confine the process")
        return result
