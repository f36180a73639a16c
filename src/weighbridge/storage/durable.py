"""The durable write of a local folder: what obstore leaves out (its puts do not fsync; checked in 0.12).

Order: temporary file, write, length check, fsync, link (put-if-absent) or rename (replace), fsync the folder.
Everything here blocks: call it in a thread.

    with staged(folder / ".part", data) as part:
        link_once(part, target)
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import shutil
from collections.abc import Generator
from pathlib import Path
from typing import BinaryIO

from weighbridge.errors import StorageError, StorageFull

_FULL = (errno.ENOSPC, errno.EDQUOT)


@contextlib.contextmanager
def storage_errors(what: str) -> Generator[None, None, None]:
    """Turns the block's ``OSError`` into ``StorageFull`` or ``StorageError``; ``what`` reads "store the blob abc"."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StorageFull(f"could not {what}: no space left on the device") from error
        raise StorageError(f"could not {what}: {error.strerror or error}") from error


@contextlib.contextmanager
def staged(folder: Path, content: bytes | Path) -> Generator[Path, None, None]:
    """Path of a complete, fsynced temporary file in ``folder`` with the content; it is removed when the block ends.

    The file is locked while it lives, so that ``sweep`` in another process tells it from the leftover of a dead one.
    """
    make_folder(folder)
    path = folder / secrets.token_hex(16)
    with path.open("xb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            _fill(file, content)
            file.flush()
            os.fsync(file.fileno())
            yield path
        finally:
            path.unlink(missing_ok=True)


def _fill(file: BinaryIO, content: bytes | Path) -> None:
    if isinstance(content, bytes):
        file.write(content)
        return
    with content.open("rb") as source:
        shutil.copyfileobj(source, file, 1 << 20)
        expected = os.fstat(source.fileno()).st_size
    if file.tell() != expected:
        raise OSError(errno.EIO, f"{file.tell()} bytes were copied, not {expected}")


def sweep(folder: Path) -> int:
    """Number of temporary files of dead writers that were removed from ``folder``."""
    removed = 0
    for path in folder.iterdir() if folder.is_dir() else ():
        with contextlib.suppress(OSError), path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
            removed += 1
    return removed


def link_once(source: Path, target: Path) -> bool:
    """Whether ``target`` is new: a second name for ``source``, durable. False: it was there, and stays as it was."""
    make_folder(target.parent)
    is_new = True
    try:
        os.link(source, target, follow_symlinks=False)
    except FileExistsError:
        is_new = False
    sync_folder(target.parent)  # also when it was there: its writer may not have come this far yet
    return is_new


def replace(source: Path, target: Path) -> None:
    """Puts ``source`` in the place of ``target``, durably: readers see the old bytes or the new, nothing between."""
    make_folder(target.parent)
    source.replace(target)
    sync_folder(target.parent)


def make_folder(folder: Path) -> None:
    """Makes the folder and the missing ones above it, each durable in its parent."""
    missing: list[Path] = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for path in reversed(missing):
        path.mkdir(exist_ok=True)
        sync_folder(path.parent)


def sync_file(path: Path) -> None:
    """Waits until the file's bytes are on the disk."""
    _sync(path, os.O_RDONLY)


def sync_folder(folder: Path) -> None:
    """Waits until the folder's names are on the disk."""
    _sync(folder, os.O_RDONLY | os.O_DIRECTORY)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
