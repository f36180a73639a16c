"""What a file's path may be (docs/format.md section 2). Refuse by raising ``UnprocessableFile`` with the rule.

check_paths(["README.md", "weights/model.safetensors"])     # fine
check_path("../etc/passwd")                                  # raises
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from weighbridge.errors import UnprocessableFile

_DEVICE = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?", re.IGNORECASE)
MAX_PATH_BYTES = 1024
MAX_FILES = 100_000
RESERVED = ("model.sig", ".release", ".eval_results", ".cache")
"""First parts that only the hub writes (``.cache``: that clients write); in any case."""


def is_reserved(path: str) -> bool:
    """Whether an author may not send ``path`` because it belongs to the hub or to a client's cache."""
    return path.partition("/")[0].casefold() in RESERVED


def check_path(path: str) -> str:
    """``path`` itself, when an author may send it. Raises: UnprocessableFile."""
    problem = _problem(path)
    if not problem and is_reserved(path):
        problem = f"{path.partition('/')[0]!r} is reserved for what the hub itself adds to a release"
    return _refuse(path, problem)


def check_hub_path(path: str) -> str:
    """``path`` itself, when the hub may add it to a release commit. Raises: UnprocessableFile."""
    problem = _problem(path)
    if not problem and (not is_reserved(path) or path.startswith(".cache")):
        problem = "a release commit adds nothing outside of the reserved paths"
    return _refuse(path, problem)


def check_paths(paths: Iterable[str]) -> None:
    """Checks each path and all of them together.

    Raises: UnprocessableFile for a path that breaks a rule, is there twice, differs from another only by case, is both
    a file and a folder, and for more than 100,000 of them.
    """
    given = list(paths)
    if len(given) > MAX_FILES:
        raise UnprocessableFile(f"could not use these files: {len(given):,} are more than {MAX_FILES:,} a revision")
    for path in given:
        check_path(path)
    check_together(given)


def check_together(paths: Iterable[str]) -> None:
    """Checks that no two paths are the same to some file system. Raises: UnprocessableFile."""
    spelt: dict[str, str] = {}
    files: set[str] = set()
    for path in paths:
        for prefix in (path, *_folders(path)):
            first = spelt.setdefault(_key(prefix), prefix)
            if first != prefix:
                raise UnprocessableFile(f"could not use {prefix!r}: {first!r} is there too and differs only by case")
        if path in files:
            raise UnprocessableFile(f"could not use {path!r}: it is there twice")
        files.add(path)
    for path in files:
        clash = next((folder for folder in _folders(path) if folder in files), None)
        if clash:
            raise UnprocessableFile(f"could not use {path!r}: {clash!r} is a file, so it cannot be a folder too")


def _refuse(path: str, problem: str) -> str:
    if problem:
        shown = path[:200].encode("utf-8", "backslashreplace").decode()
        raise UnprocessableFile(f"could not use path {shown!r}: {problem}")
    return path


def _problem(path: str) -> str:
    try:
        size = len(path.encode())
    except UnicodeEncodeError:
        return "it is not valid Unicode"
    if not path:
        return "it is empty"
    if size > MAX_PATH_BYTES:
        return f"it is longer than {MAX_PATH_BYTES:,} bytes"
    if "\\" in path:
        return "use '/' between folders, not a backslash"
    if any(unicodedata.category(character) == "Cc" for character in path):
        return "it holds a control character"
    if any(unicodedata.category(character) == "Cf" for character in path):
        return "it holds an invisible character, which some file systems drop and screens turn text around by"
    if not unicodedata.is_normalized("NFC", path):
        return "it is not in Unicode normal form NFC"
    return _part_problem(path.split("/"))


def _part_problem(parts: list[str]) -> str:
    for part in parts:
        if not part:
            return "it starts or ends with '/', or holds '//'"
        if part in (".", ".."):
            return f"a part of it is {part!r}"
        if part.casefold() == ".git":
            return "a part of it is '.git'"
        if part.endswith((".", " ")):
            return "a part of it ends in a dot or a space, which Windows drops"
        if _DEVICE.fullmatch(part):
            return f"a part of it is {part!r}, a device on Windows"
    return ""


def _folders(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:end]) for end in range(1, len(parts))]


def _key(path: str) -> str:
    return unicodedata.normalize("NFC", path.casefold())
