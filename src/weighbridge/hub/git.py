"""Git's object ids, without git: blobs, trees, commits, LFS pointers and what ``.gitattributes`` says of LFS.

    tree = root_tree({"README.md": blob_oid(b"hello\\n"), "a/b.txt": blob_oid(b"x")})
    oid, text = commit_object(tree.oid, parents=(), name="alice", at_s=1700000000, message="First")

Sources: git's Documentation/gitformat-pack and gitattributes(5); git-lfs docs/spec.md; docs/format.md section 3.
"""

from __future__ import annotations

import fnmatch
import hashlib
import re
from collections.abc import Mapping
from functools import lru_cache

import msgspec

from weighbridge.errors import UnprocessableFile

LFS_TEXT_BYTES = 1 << 20
"""A text file above this size is an LFS file."""
MAX_ATTRIBUTE_LINES = 1000

GITATTRIBUTES = "".join(
    f"{pattern} filter=lfs diff=lfs merge=lfs -text\n"
    for pattern in [
        "*.7z",
        "*.arrow",
        "*.bin",
        "*.bz2",
        "*.ckpt",
        "*.ftz",
        "*.gguf",
        "*.gz",
        "*.h5",
        "*.joblib",
        "*.lfs.*",
        "*.mlmodel",
        "*.model",
        "*.msgpack",
        "*.npy",
        "*.npz",
        "*.onnx",
        "*.ot",
        "*.parquet",
        "*.pb",
        "*.pickle",
        "*.pkl",
        "*.pt",
        "*.pth",
        "*.rar",
        "*.safetensors",
        "saved_model/**/*",
        "*.tar.*",
        "*.tar",
        "*.tflite",
        "*.tgz",
        "*.wasm",
        "*.xz",
        "*.zip",
        "*.zst",
        "*tfevents*",
    ]
).encode()
"""The ``.gitattributes`` of a new repo: the patterns of the Hugging Face Hub's, and ``*.gguf``."""


class Trees(msgspec.Struct, frozen=True, kw_only=True):
    """A root tree's id and the id of every folder below it, by path without a trailing slash."""

    oid: str
    folders: dict[str, str]


def blob_hasher(size_bytes: int) -> hashlib._Hash:  # pyright: ignore[reportPrivateUsage]
    """A sha1 that becomes a blob's id once it is fed the ``size_bytes`` bytes of the file."""
    return hashlib.sha1(b"blob %d\0" % size_bytes, usedforsecurity=False)


def blob_oid(data: bytes) -> str:
    """A blob's id: 40 hex digits, as ``git hash-object`` prints it."""
    hasher = blob_hasher(len(data))
    hasher.update(data)
    return hasher.hexdigest()


def lfs_pointer(sha256: str, size_bytes: int) -> bytes:
    """The text that git keeps in place of an LFS file's bytes."""
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size_bytes}\n".encode()


def root_tree(blobs: Mapping[str, str]) -> Trees:
    """The trees of a whole revision. ``blobs``: path to blob id; every file has mode 100644."""
    folders: dict[str, list[_Entry]] = {"": []}
    for path, oid in blobs.items():
        folder, _, name = path.rpartition("/")
        _add_folder(folders, folder)
        folders[folder].append((name.encode(), b"100644 " + name.encode() + b"\0" + bytes.fromhex(oid)))
    oids: dict[str, str] = {}
    for folder in sorted(folders, key=_depth, reverse=True):
        oids[folder] = _tree_oid(folders[folder])
        if folder:
            parent, _, name = folder.rpartition("/")
            entry = b"40000 " + name.encode() + b"\0" + bytes.fromhex(oids[folder])
            folders[parent].append((name.encode() + b"/", entry))  # git sorts a folder as if its name ended in a slash
    return Trees(oid=oids.pop(""), folders=oids)


def commit_object(tree_oid: str, *, parent_oid: str | None, name: str, at_s: int, message: str) -> tuple[str, str]:
    """A commit's id and its object's text. ``name`` is author and committer; ``message`` ends without a line feed."""
    who = f"{name} <{name}@users.noreply.weighbridge> {at_s} +0000"
    parent = f"parent {parent_oid}\n" if parent_oid else ""
    text = f"tree {tree_oid}\n{parent}author {who}\ncommitter {who}\n\n{message}\n"
    data = text.encode()
    return hashlib.sha1(b"commit %d\0" % len(data) + data, usedforsecurity=False).hexdigest(), text


class LfsPatterns:
    """Which paths a ``.gitattributes`` file sends to LFS. Of the lines that match a path, the last decides.

    Raises: UnprocessableFile for more than 1,000 lines.
    """

    def __init__(self, text: str) -> None:
        lines = text.splitlines()
        if len(lines) > MAX_ATTRIBUTE_LINES:
            raise UnprocessableFile(f"could not use .gitattributes: it has more than {MAX_ATTRIBUTE_LINES} lines")
        rules = [_attribute_line(line) for line in lines]
        self._rules = [(_Glob(pattern), wants) for pattern, wants in reversed(rules) if wants is not None]

    def matches(self, path: str) -> bool:
        """Whether ``path`` has ``filter=lfs``."""
        parts = path.split("/")
        return next((wants for glob, wants in self._rules if glob.matches(parts)), False)


class _Glob:
    """One pattern of gitattributes(5): without a slash it is matched against the name, else against the whole path.

    Each part between slashes is a regular expression of its own, made by ``fnmatch``, which does not backtrack over its
    stars: a hostile pattern costs no more than an honest one.
    """

    def __init__(self, pattern: str) -> None:
        self._anywhere = "/" not in pattern
        self._never = pattern.endswith("/")  # such a pattern would mean a folder, and attributes are of files
        parts = pattern.removeprefix("/").split("/")
        self._parts = [None if part == "**" else _part(part) for part in parts]

    def matches(self, parts: list[str]) -> bool:
        if self._never:
            return False
        if self._anywhere:
            only = self._parts[0]
            return only is None or only.match(parts[-1]) is not None
        reached = {0}  # how many parts of the path the pattern so far can have used up
        for step, part in enumerate(self._parts):
            if part is None:
                # "**" takes any number of folders; at the end it takes at least the file itself
                low = min(reached, default=len(parts) + 1) + (step == len(self._parts) - 1)
                reached = set(range(low, len(parts) + 1))
            else:
                reached = {at + 1 for at in reached if at < len(parts) and part.match(parts[at])}
            if not reached:
                return False
        return len(parts) in reached


_Entry = tuple[bytes, bytes]


def _depth(folder: str) -> int:
    return folder.count("/") + bool(folder)


def _add_folder(folders: dict[str, list[_Entry]], path: str) -> None:
    while path not in folders:
        folders[path] = []
        path = path.rpartition("/")[0]


def _tree_oid(entries: list[_Entry]) -> str:
    body = b"".join(entry for _, entry in sorted(entries))
    return hashlib.sha1(b"tree %d\0" % len(body) + body, usedforsecurity=False).hexdigest()


def _attribute_line(line: str) -> tuple[str, bool | None]:
    """A line's pattern, and whether it sets (True) or unsets (False) ``filter=lfs``; None: it says nothing of that."""
    line = line.strip(" \t\r")
    if not line or line[0] in "#!" or line.startswith("[attr]"):
        return "", None
    quoted = re.match(r'"((?:[^"\\]|\\.)*)"(?=\s|$)', line)
    pattern, _, rest = line.partition(" ") if " " in line else line.partition("\t")
    if quoted:
        pattern, rest = re.sub(r"\\(.)", r"\1", quoted[1]), line[quoted.end() :]
    wants: bool | None = None
    for attribute in rest.split():
        name, _, value = attribute.lstrip("-!").partition("=")
        if name == "filter":
            wants = value == "lfs" and attribute[0] not in "-!"
    return pattern, wants


@lru_cache(maxsize=4096)
def _part(glob: str) -> re.Pattern[str]:
    glob = re.sub(r"\\(.)", lambda escaped: f"[{escaped[1]}]", glob).replace("[^", "[!")
    return re.compile(fnmatch.translate(glob))
