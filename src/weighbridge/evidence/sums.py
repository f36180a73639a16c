"""``SHA256SUMS``: the list of a candidate's files, whose sha256 is the release digest (docs/format.md section 4).

text = sha256sums([("config.json", "ab…"), ("model.safetensors", "cd…")])
digest = release_digest(text)
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from weighbridge.errors import InvalidInput
from weighbridge.evidence.statement import is_sha256

MAX_FILES = 100_000
MAX_PATH_BYTES = 1024
MAX_SUMS_BYTES = MAX_FILES * (64 + 2 + MAX_PATH_BYTES + 1)


def sha256sums(files: Iterable[tuple[str, str]]) -> str:
    """The text for (path, hex sha256) pairs: sorted by the path's UTF-8 bytes, one line each.

    Raises:
        InvalidInput: a path or digest that ``sha256sum -c`` would not read back as it is, or one path twice.
    """
    lines: list[tuple[bytes, str]] = []
    for path, sha256 in files:
        _check_line(path, sha256)
        lines.append((path.encode("utf-8"), f"{sha256}  {path}\n"))
    lines.sort()
    if len(lines) > MAX_FILES:
        raise InvalidInput(f"could not write SHA256SUMS: {len(lines)} files, the limit is {MAX_FILES}")
    if len({path for path, _ in lines}) != len(lines):
        raise InvalidInput("could not write SHA256SUMS: a path comes twice")
    return "".join(line for _, line in lines)


def parse_sums(text: str) -> dict[str, str]:
    """Hex sha256 by path, of a text exactly as ``sha256sums`` writes it.

    Raises:
        InvalidInput: any other text, down to the order of the lines.
    """
    if len(text) > MAX_SUMS_BYTES or text.count("\n") > MAX_FILES:
        raise InvalidInput("could not read SHA256SUMS: it is longer than any release may be")
    files: dict[str, str] = {}
    for line in text.split("\n")[:-1]:
        sha256, gap, path = line[:64], line[64:66], line[66:]
        if gap != "  ":
            raise InvalidInput(f"could not read SHA256SUMS: {line[:80]!r} is not a digest, two spaces and a path")
        files[path] = sha256
    if sha256sums(files.items()) != text:
        raise InvalidInput("could not read SHA256SUMS: it is not written as Weighbridge writes it")
    return files


def release_digest(sums: str) -> str:
    """Hex sha256 of the text: the one name that evidence, approvals, signature and log bind to."""
    return hashlib.sha256(sums.encode("utf-8")).hexdigest()


def _check_line(path: str, sha256: str) -> None:
    if not is_sha256(sha256):
        raise InvalidInput(f"could not write SHA256SUMS: the digest of {path[:80]!r} is not a hex sha256")
    parts = path.split("/")
    if any(part in ("", ".", "..") for part in parts) or any(ord(char) < 32 or char in "\\\x7f" for char in path):
        raise InvalidInput(f"could not write SHA256SUMS: the path {path[:80]!r} is not a plain relative path")
    try:
        size_bytes = len(path.encode("utf-8"))
    except UnicodeEncodeError as error:
        raise InvalidInput(f"could not write SHA256SUMS: the path {path[:80]!r} is not UTF-8") from error
    if size_bytes > MAX_PATH_BYTES:
        raise InvalidInput(f"could not write SHA256SUMS: the path {path[:80]!r} has over {MAX_PATH_BYTES} bytes")
