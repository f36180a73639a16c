"""What lies in a folder: the sha256 of each file, read once, and the bytes of the proof.

    with FolderHash(folder) as hashing:
        hashing.begun.proof["model.sig"]            # at once
        held = hashing.finish()                     # when all is read
    held.sha256["model.safetensors"], held.problems

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
from io import FileIO
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


def hash_folder(folder: Path, *, on_bytes: OnBytes | None = None) -> Held:
    """Every file of the folder, hashed.

    Raises:
        UnreadableFile: the folder itself cannot be read.
    """
    with FolderHash(folder, on_bytes=on_bytes) as hashing:
        return hashing.finish()


class FolderHash:
    """A folder that is being hashed in the background; leaving the ``with`` block stops it.

    ``begun`` is known at once: the proof with its digests, the size of every file as listed, and the problems so far.
    """

    def __init__(self, folder: Path, *, on_bytes: OnBytes | None = None, threads: int = 2) -> None:
        """Lists the folder and reads its proof. ``on_bytes`` gets the size of each piece read, from any thread.

        Raises:
            UnreadableFile: the folder itself cannot be read.
        """
        self._root = Path(os.path.realpath(folder))
        self._on_bytes = on_bytes
        self._stop = threading.Event()
        self._buffers = threading.local()
        self._lock = threading.Lock()  # guards the four below
        self._sha256: dict[str, str] = {}
        self._size_bytes: dict[str, int] = {}
        self._proof: dict[str, bytes] = {}
        self._problems: list[str] = []
        try:
            found = sorted(_walk(self._root, self._problems), key=lambda one: -one[1])
        except OSError as error:
            raise UnreadableFile(f"could not read the folder {folder}: {error.strerror}") from error
        for path, _ in found:
            if is_proof(path):
                self._take(path)
        self.begun = self._held(dict(found))
        self._pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="hash")
        self._waiting = [self._pool.submit(self._take, path) for path, _ in found if not is_proof(path)]

    def __enter__(self) -> FolderHash:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._pool.shutdown(cancel_futures=True)

    def finish(self) -> Held:
        """Everything, once it is read."""
        for one in self._waiting:
            one.result()
        return self._held(self._size_bytes)

    def _held(self, size_bytes: dict[str, int]) -> Held:
        with self._lock:
            return Held(
                sha256=dict(self._sha256),
                size_bytes=dict(size_bytes),
                proof=dict(self._proof),
                problems=tuple(sorted(self._problems)),
            )

    def _take(self, path: str) -> None:
        try:
            sha256, size_bytes, kept = self._read(self._root / path, keep=is_proof(path))
        except (OSError, _Strange) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            with self._lock:
                self._problems.append(f"{path}: {reason}")
            return
        with self._lock:
            self._sha256[path] = sha256
            self._size_bytes[path] = size_bytes
            if kept is not None:
                self._proof[path] = kept

    def _read(self, path: Path, *, keep: bool) -> tuple[str, int, bytes | None]:
        """Hex sha256, size, and the bytes if they are to be kept: those same bytes that were hashed."""
        digest = hashlib.sha256()
        kept = bytearray()
        size_bytes = 0
        with path.open("rb", buffering=0) as file:
            before = os.fstat(file.fileno())
            if not stat.S_ISREG(before.st_mode):
                raise _Strange("neither a file nor a folder")
            if keep and before.st_size > MAX_PROOF_BYTES:
                raise _Strange(f"{before.st_size} bytes; the limit for a file of the proof is {MAX_PROOF_BYTES}")
            for piece in self._pieces(file):
                digest.update(piece)
                size_bytes += len(piece)
                if keep:
                    kept += piece
            after = os.fstat(file.fileno())
        if size_bytes != before.st_size or (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
            raise _Strange("it changed while it was read")
        return digest.hexdigest(), size_bytes, bytes(kept) if keep else None

    def _pieces(self, file: FileIO) -> Iterator[memoryview]:
        """The file in pieces, each good until the next: they share this thread's one buffer."""
        buffer: bytearray | None = getattr(self._buffers, "buffer", None)
        if buffer is None:
            buffer = self._buffers.buffer = bytearray(PIECE_BYTES)
        view = memoryview(buffer)
        while count := file.readinto(buffer):
            if self._stop.is_set():
                raise _Strange("it was not read to the end")
            yield view[:count]
            if self._on_bytes:
                self._on_bytes(count)


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
