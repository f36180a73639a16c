"""The job ``inspect`` of the sandbox: what crosses the wire, and the function that runs inside."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from weighbridge.checkpoint.region import ModelFile
from weighbridge.inspection.inspect import inspect


class FileRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A ModelFile in JSON."""

    path: str
    local_path: str
    size_bytes: int


def run(request: bytes, report: Callable[[int], None]) -> bytes:
    """The Inspection of the files that the request names, both as JSON."""
    files = [
        ModelFile(path=file.path, local_path=Path(file.local_path), size_bytes=file.size_bytes)
        for file in _wanted(request)
    ]
    return msgspec.json.encode(inspect(files, progress=report))


def readable(request: bytes) -> list[str]:
    """The files that the request names."""
    return [file.local_path for file in _wanted(request)]


def _wanted(request: bytes) -> list[FileRequest]:
    return msgspec.json.decode(request, type=list[FileRequest])
