"""The files of a checkpoint folder, sorted, each as it was when it was found.

    found = walk(Path("model"))
    found.files[0].path, found.left_out       # "README.md", [".git"]

A link may point inside the folder only: what a name leads to elsewhere was not meant to be released.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from weighbridge.errors import UnprocessableFile, UnreadableFile
from weighbridge.hub.paths import check_paths

MAX_FILES = 100_000
MAX_DEPTH = 64
LEFT_OUT_ANYWHERE = frozenset({".git", ".DS_Store", "__pycache__"})
LEFT_OUT_PATHS = frozenset({".cache/huggingface"})
"""What clients and machines leave lying about, which nobody means to release."""


class LocalFile(Struct, frozen=True, kw_only=True):
    """A file and what it was like when it was found; a file that is not like that any more has changed."""

    path: str
    source: Path
    size_bytes: int
    mtime_ns: int
    inode: int
    device: int

    def is_same(self, now: os.stat_result) -> bool:
        """Whether the file still is what was found."""
        return (self.size_bytes, self.mtime_ns, self.inode, self.device) == (
            now.st_size,
            now.st_mtime_ns,
            now.st_ino,
            now.st_dev,
        )


class Folder(Struct, frozen=True, kw_only=True):
    """The files to release, by path, and what was left out."""

    files: list[LocalFile]
    left_out: list[str]

    @property
    def size_bytes(self) -> int:
        """Of all files."""
        return sum(file.size_bytes for file in self.files)


def walk(folder: Path) -> Folder:
    """What is in ``folder``.

    Raises:
        UnreadableFile: it, or something in it, cannot be read or is no regular file.
        UnprocessableFile: a link leads out of it; a path is reserved or breaks a rule; there are too many files.
    """
    root = folder.resolve()
    if not root.is_dir():
        raise UnreadableFile(f"could not release {folder}: it is not a folder")
    files: list[LocalFile] = []
    left_out: list[str] = []
    for entry, path in _entries(root, "", left_out, MAX_DEPTH):
        files.append(_found(root, entry, path))
        if len(files) > MAX_FILES:
            raise UnprocessableFile(f"could not release {folder}: it has over {MAX_FILES} files")
    if not files:
        raise UnreadableFile(f"could not release {folder}: there is no file in it")
    _check_paths(files)
    return Folder(files=sorted(files, key=lambda file: file.path.encode()), left_out=left_out)


def _check_paths(files: list[LocalFile]) -> None:
    try:
        check_paths([file.path for file in files])
    except UnprocessableFile as error:
        hint = (
            "Rename it or take it out. A folder that was downloaded from a hub has model.sig and .release: remove both."
        )
        raise UnprocessableFile(error.message, hint=error.hint or hint) from error


def check_unchanged(file: LocalFile, handle: int) -> None:
    """Raises ``UnreadableFile`` when the open file is not what was found any more."""
    if not file.is_same(os.fstat(handle)):
        raise changed(file)


def check_all_unchanged(files: list[LocalFile]) -> None:
    """Raises ``UnreadableFile`` naming the first file that is not what was found any more."""
    for file in files:
        try:
            now = file.source.stat()
        except OSError as error:
            raise changed(file) from error
        if not file.is_same(now):
            raise changed(file)


def changed(file: LocalFile) -> UnreadableFile:
    """The error for a file that changed meanwhile."""
    return UnreadableFile(
        f"could not release {file.path}: it changed while it was read",
        hint="Wait until nothing writes to the folder, then run it again. Nothing was put forward.",
    )


def _entries(folder: Path, prefix: str, left_out: list[str], depth: int) -> Iterator[tuple[os.DirEntry[str], str]]:
    if depth == 0:
        raise UnprocessableFile(f"could not release {prefix}: folders lie over {MAX_DEPTH} deep")
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        path = f"{prefix}{entry.name}"
        if entry.name in LEFT_OUT_ANYWHERE or path in LEFT_OUT_PATHS:
            left_out.append(path)
        elif entry.is_dir(follow_symlinks=False):
            yield from _entries(Path(entry.path), f"{path}/", left_out, depth - 1)
        else:
            yield entry, path


def _found(root: Path, entry: os.DirEntry[str], path: str) -> LocalFile:
    try:
        path.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UnprocessableFile(f"could not release {path!a}: its name is not UTF-8") from error
    source = Path(entry.path)
    if entry.is_symlink():
        source = _follow(root, source, path)
    try:
        now = source.stat(follow_symlinks=False)
    except OSError as error:
        raise UnreadableFile(f"could not release {path}: {error.strerror}") from error
    if not stat.S_ISREG(now.st_mode):
        raise UnreadableFile(f"could not release {path}: it is not a regular file", hint="Take it out of the folder.")
    return LocalFile(
        path=path,
        source=source,
        size_bytes=now.st_size,
        mtime_ns=now.st_mtime_ns,
        inode=now.st_ino,
        device=now.st_dev,
    )


def _follow(root: Path, link: Path, path: str) -> Path:
    try:
        target = link.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise UnreadableFile(f"could not release {path}: it is a link that leads nowhere") from error
    if not target.is_relative_to(root):
        raise UnprocessableFile(
            f"could not release {path}: it is a link that leads out of the folder, to {target}",
            hint="Copy the file itself into the folder (`cp -L`), or take the link out.",
        )
    if target.is_dir():
        raise UnprocessableFile(
            f"could not release {path}: it is a link to a folder", hint="Copy the folder itself, or take the link out."
        )
    return target
