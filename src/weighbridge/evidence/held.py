"""What lies in a folder: the sha256 of each file, read once, and the bytes of the proof.

    held = hash_folder(folder)
    held.sha256["model.safetensors"], held.proof["model.sig"], held.problems

Two threads, because hashlib gives up the interpreter's lock; 1 MiB at a time, into one buffer a thread. Links are
followed in one case only: a snapshot of the Hugging Face cache, whose files are links into its own ``blobs`` folder.
"""

from __future__ import annotations

import hashlib
import os
import stat
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from weighbridge.errors import UnreadableFile

PIECE_BYTES = 1 << 20
MAX_PROOF_BYTES = 256 << 20
"""Of one file of the proof: it is kept in memory."""
CLIENT_CACHE = ".cache/huggingface"
"""What the Hugging Face clients keep beside a download; never part of a release, never read."""
OnBytes = Callable[[int], None]


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """Files by path, relative to the folder, with forward slashes; ``problems`` are in words, each naming a path."""

    sha256: dict[str, str]
    size_bytes: dict[str, int]
    proof: dict[str, bytes]
    problems: tuple[str, ...]


def is_proof(path: str) -> bool:
    """Whether the path belongs to what a release commit adds to the candidate."""
    return path == "model.sig" or path.startswith((".release/", ".eval_results/"))


def hash_folder(folder: Path, *, on_bytes: OnBytes | None = None, threads: int = 2) -> Held:
    """Every file of the folder, hashed. ``on_bytes`` gets the size of each piece read, from any thread.

    Raises:
        UnreadableFile: the folder itself cannot be read.
    """
    root = Path(os.path.realpath(folder))
    problems: list[str] = []
    try:
        found = sorted(_walk(root, problems), key=lambda one: -one[1])
    except OSError as error:
        raise UnreadableFile(f"could not read the folder {folder}: {error.strerror}") from error
    held = Held(sha256={}, size_bytes={}, proof={}, problems=())
    lock = threading.Lock()  # guards `held` and `problems`
    buffers = threading.local()

    def take(path: str) -> None:
        buffer: bytearray | None = getattr(buffers, "buffer", None)
        if buffer is None:
            buffer = buffers.buffer = bytearray(PIECE_BYTES)
        try:
            sha256, size_bytes, kept = _read(root / path, is_proof(path), buffer, on_bytes)
        except (OSError, _Strange) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            with lock:
                problems.append(f"{path}: {reason}")
            return
        with lock:
            held.sha256[path] = sha256
            held.size_bytes[path] = size_bytes
            if kept is not None:
                held.proof[path] = kept

    with ThreadPoolExecutor(max_workers=threads, thread_name_prefix="hash") as pool:
        list(pool.map(take, (path for path, _ in found)))
    return msgspec.structs.replace(held, problems=tuple(sorted(problems)))


class _Strange(Exception):
    """A file that is not what a file should be, in words."""


def _walk(root: Path, problems: list[str]) -> Iterator[tuple[str, int]]:
    """(path, size) of each file to hash."""
    blobs = root.parent.parent / "blobs" if root.parent.name == "snapshots" else None
    waiting = [""]
    while waiting:
        prefix = waiting.pop()
        with os.scandir(root / prefix) as entries:
            for entry in entries:
                path = f"{prefix}{entry.name}"
                reason = _strangeness(entry, blobs)
                if reason:
                    problems.append(f"{path.encode('utf-8', 'replace').decode()}: {reason}")
                elif entry.is_dir(follow_symlinks=False):
                    if path != CLIENT_CACHE:
                        waiting.append(f"{path}/")
                else:
                    yield path, entry.stat().st_size


def _strangeness(entry: os.DirEntry[str], blobs: Path | None) -> str:
    """Why this entry is not read; empty when it is."""
    try:
        entry.name.encode("utf-8")
    except UnicodeEncodeError:
        return "its name is not UTF-8"
    if entry.is_symlink():
        target = Path(os.path.realpath(entry.path))
        if blobs is None or target.parent != blobs:
            return "a link; only the Hugging Face cache's links into its own blobs are followed"
        return "" if target.is_file() else "a link to nothing"
    if entry.is_dir(follow_symlinks=False) or entry.is_file(follow_symlinks=False):
        return ""
    return "neither a file nor a folder"


def _read(path: Path, keep: bool, buffer: bytearray, on_bytes: OnBytes | None) -> tuple[str, int, bytes | None]:
    """Hex sha256, size, and the bytes if they are to be kept: those same bytes that were hashed."""
    digest = hashlib.sha256()
    kept = bytearray()
    view = memoryview(buffer)
    size_bytes = 0
    with path.open("rb", buffering=0) as file:
        before = os.fstat(file.fileno())
        if not stat.S_ISREG(before.st_mode):
            raise _Strange("neither a file nor a folder")
        if keep and before.st_size > MAX_PROOF_BYTES:
            raise _Strange(f"{before.st_size} bytes; the limit for a file of the proof is {MAX_PROOF_BYTES}")
        while count := file.readinto(buffer):
            digest.update(view[:count])
            size_bytes += count
            if keep:
                kept += view[:count]
            if on_bytes:
                on_bytes(count)
        after = os.fstat(file.fileno())
    if size_bytes != before.st_size or (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
        raise _Strange("it changed while it was read")
    return digest.hexdigest(), size_bytes, bytes(kept) if keep else None
